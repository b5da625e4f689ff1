//! What the tags of an element say it is: <https://wiki.openstreetmap.org/wiki/Map_features>.

use std::fmt;

/// The classes of the Twinlink vocabulary that a map can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// `building=*`, but for the entrances that some mappers tag so.
    Building,
    /// `amenity=school`
    School,
    /// `amenity=clinic`
    Clinic,
    /// `emergency=fire_hydrant`
    Hydrant,
    /// `amenity=fire_station`
    FireStation,
    /// `highway=*` on a way.
    Road,
    /// `amenity=parking`
    CarPark,
}

/// The keys whose values become facts, beside `name`.
pub(super) const KEPT: [&str; 14] = [
    "access",
    "addr:housenumber",
    "addr:street",
    "amenity",
    "building",
    "building:levels",
    "capacity",
    "emergency",
    "fire_hydrant:type",
    "highway",
    "name",
    "operator",
    "parking",
    "surface",
];

impl Class {
    /// All classes.
    pub const ALL: [Self; 7] = [
        Self::Building,
        Self::School,
        Self::Clinic,
        Self::Hydrant,
        Self::FireStation,
        Self::Road,
        Self::CarPark,
    ];

    /// The last part of the class's IRI.
    pub fn local_name(self) -> &'static str {
        match self {
            Self::Building => "Building",
            Self::School => "School",
            Self::Clinic => "Clinic",
            Self::Hydrant => "Hydrant",
            Self::FireStation => "FireStation",
            Self::Road => "Road",
            Self::CarPark => "CarPark",
        }
    }

    /// The word for several, for people.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Building => "buildings",
            Self::School => "schools",
            Self::Clinic => "clinics",
            Self::Hydrant => "hydrants",
            Self::FireStation => "fire stations",
            Self::Road => "roads",
            Self::CarPark => "car parks",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.local_name())
    }
}

/// The classes that these tags give, in the order of [`Class::ALL`]. Roads are ways: `highway` on a node is a crossing
/// or a lamp.
pub(super) fn classes<'a>(
    tags: impl Iterator<Item = (&'a str, &'a str)>,
    is_node: bool,
) -> Vec<Class> {
    let mut classes: Vec<Class> = tags
        .filter_map(|(key, value)| match (key, value) {
            (_, "no" | "") | ("building", "entrance") => None,
            ("building", _) => Some(Class::Building),
            ("amenity", "school") => Some(Class::School),
            ("amenity", "clinic") => Some(Class::Clinic),
            ("amenity", "fire_station") => Some(Class::FireStation),
            ("amenity", "parking") => Some(Class::CarPark),
            ("emergency", "fire_hydrant") => Some(Class::Hydrant),
            ("highway", _) if !is_node => Some(Class::Road),
            _ => None,
        })
        .collect();
    classes.sort_unstable();
    classes.dedup();
    classes
}
