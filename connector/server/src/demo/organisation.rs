//! The organisations of the play, with what each holds, permits and may say of its people.

use oxrdf::{NamedNode, NamedNodeRef};
use twinlink_vocab::tl;

/// Who takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Organisation {
    City,
    Rescue,
    Police,
    /// Has no twin: it only asks.
    Courier,
}

/// The organisations that run a connector.
pub(super) const CONNECTORS: [Organisation; 3] = [
    Organisation::City,
    Organisation::Rescue,
    Organisation::Police,
];

impl Organisation {
    /// Its participant id.
    pub(super) fn participant(self) -> NamedNode {
        NamedNode::new_unchecked(self.id())
    }

    /// Its participant id as text.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::City => "https://city.helsinki.example/",
            Self::Rescue => "https://rescue.helsinki.example/",
            Self::Police => "https://police.helsinki.example/",
            Self::Courier => "https://courier.example/",
        }
    }

    /// The IRI of its twin.
    pub(super) fn dataset(self) -> NamedNode {
        NamedNode::new_unchecked(format!("{}twin", self.id()))
    }

    /// One word: the name of its folder, and what the play calls it in tables.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::City => "city",
            Self::Rescue => "rescue",
            Self::Police => "police",
            Self::Courier => "courier",
        }
    }

    /// What a person calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::City => "the city",
            Self::Rescue => "the rescue department",
            Self::Police => "the police",
            Self::Courier => "a courier service",
        }
    }

    /// The organisation of a participant id.
    pub(super) fn of(participant: &NamedNode) -> Option<Self> {
        [Self::City, Self::Rescue, Self::Police, Self::Courier]
            .into_iter()
            .find(|organisation| organisation.id() == participant.as_str())
    }

    /// Its facts: file names and contents.
    pub(super) fn facts(self) -> &'static [(&'static str, &'static [u8])] {
        match self {
            Self::City => &[
                (
                    "city.nq.gz",
                    include_bytes!("../../../../examples/helsinki/city.nq.gz"),
                ),
                (
                    "residents.nq.gz",
                    include_bytes!("../../../../examples/helsinki/scenario/residents.nq.gz"),
                ),
            ],
            Self::Rescue => &[
                (
                    "rescue.nq.gz",
                    include_bytes!("../../../../examples/helsinki/rescue.nq.gz"),
                ),
                (
                    "rescue.trig",
                    include_bytes!("../../../../examples/helsinki/scenario/rescue.trig"),
                ),
            ],
            Self::Police => &[(
                "police.trig",
                include_bytes!("../../../../examples/helsinki/scenario/police.trig"),
            )],
            Self::Courier => &[],
        }
    }

    /// Its policies, Turtle.
    pub(super) fn policies(self) -> Option<&'static str> {
        match self {
            Self::City => Some(include_str!(
                "../../../../examples/helsinki/policies/city.ttl"
            )),
            Self::Rescue => Some(include_str!(
                "../../../../examples/helsinki/policies/rescue.ttl"
            )),
            Self::Police => Some(include_str!(
                "../../../../examples/helsinki/policies/police.ttl"
            )),
            Self::Courier => None,
        }
    }

    /// The roles and purposes that the others let it assert for its people: only what its people need.
    pub(super) fn may_assert(
        self,
    ) -> (
        &'static [NamedNodeRef<'static>],
        &'static [NamedNodeRef<'static>],
    ) {
        match self {
            Self::City => (&[tl::CITY_PLANNER], &[tl::URBAN_PLANNING]),
            Self::Rescue => (&[tl::RESCUE_OFFICER], &[tl::EMERGENCY_RESPONSE]),
            Self::Police => (&[tl::POLICE_OFFICER], &[tl::EMERGENCY_RESPONSE]),
            Self::Courier => (&[], &[]),
        }
    }
}
