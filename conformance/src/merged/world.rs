//! Twins, policies and callers by chance: small and dense, so that what is asked for meets what is there.

use crate::chance::Chance;
use crate::members::participant;
use oxrdf::vocab::{rdf, xsd};
use oxrdf::{BlankNode, GraphName, Literal, NamedNode, NamedOrBlankNode, Quad, Term};
use oxsdatatypes::DateTime;
use std::fmt::Write as _;
use twinlink_core::policy::{Ask, Permit, Policy, PolicyError, PolicySet, RdfFormat};
use twinlink_vocab::odrl;

/// How many members there are.
pub(crate) const MEMBERS: usize = 3;
/// How many ways there are to split them.
const SPLITS: usize = 6;
/// The most quads of all together, not counting copies.
const QUADS: usize = 40;

const PREFIXES: &str = "
    @prefix : <urn:> .
    @prefix odrl: <http://www.w3.org/ns/odrl/2/> .
    @prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
    @prefix tl: <https://w3id.org/twinlink/ns#> .
";

/// The quads of each member.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) members: Vec<Vec<Quad>>,
}

/// Who asks.
#[derive(Debug)]
pub(crate) struct Caller {
    participant: NamedNode,
    roles: Vec<NamedNode>,
    purpose: Option<NamedNode>,
}

impl World {
    pub(crate) fn new(chance: &mut Chance) -> Self {
        let split = chance.below(SPLITS);
        let quads = chance.below(QUADS);
        Self::split(chance, split, quads)
    }

    /// One in which each member has names of its own, and more to give: no solution is of two.
    pub(crate) fn apart(chance: &mut Chance) -> Self {
        let quads = chance.below(3 * QUADS);
        Self::split(chance, SPLITS - 1, quads)
    }

    fn split(chance: &mut Chance, split: usize, quads: usize) -> Self {
        let mut members = vec![Vec::new(); MEMBERS];
        let only = chance.below(MEMBERS);
        for _ in 0..quads {
            let mut quad = quad(chance);
            if split == SPLITS - 1 {
                // Each has names of its own for most of what it knows.
                let member = chance.below(MEMBERS);
                name_apart(&mut quad, member);
                if let Some(quads) = members.get_mut(member) {
                    quads.push(quad);
                }
                continue;
            }
            let number = |text: String| text.bytes().map(usize::from).sum::<usize>() % MEMBERS;
            let first = match split {
                0 | 1 => chance.below(MEMBERS),
                2 => number(quad.subject.to_string()),
                3 => number(quad.predicate.to_string()),
                _ => only,
            };
            for (member, quads) in members.iter_mut().enumerate() {
                let again = split == 1 && chance.once_in(2);
                if member == first || again {
                    quads.push(quad.clone());
                }
            }
        }
        Self { members }
    }
}

/// Gives all nodes but one a name that no other member has.
fn name_apart(quad: &mut Quad, member: usize) {
    let apart = |name: &mut NamedNode| {
        if let Some(number) = name.as_str().strip_prefix("urn:s")
            && number != "0"
        {
            *name = NamedNode::new_unchecked(format!("http://member{member}.example/s{number}"));
        }
    };
    if let NamedOrBlankNode::NamedNode(name) = &mut quad.subject {
        apart(name);
    }
    if let Term::NamedNode(name) = &mut quad.object {
        apart(name);
    }
}

fn name(kind: &str, number: usize) -> NamedNode {
    NamedNode::new_unchecked(format!("urn:{kind}{number}"))
}

fn quad(chance: &mut Chance) -> Quad {
    let subject = node(chance);
    let graph = match chance.below(7) {
        0 => name("g", 0).into(),
        1 => name("g", 1).into(),
        _ => GraphName::DefaultGraph,
    };
    if chance.once_in(6) {
        return Quad::new(subject, rdf::TYPE, name("C", chance.below(2)), graph);
    }
    let object: Term = match chance.below(10) {
        0..5 => node(chance).into(),
        5..8 => Literal::from(chance.below(4) as u64).into(),
        8 => Literal::new_typed_literal("01", xsd::INTEGER).into(),
        _ => Literal::new_language_tagged_literal_unchecked("a", "en").into(),
    };
    Quad::new(subject, name("p", chance.below(3)), object, graph)
}

fn node(chance: &mut Chance) -> NamedOrBlankNode {
    if chance.once_in(5) {
        BlankNode::new_unchecked(format!("b{}", chance.below(2))).into()
    } else {
        name("s", chance.below(5)).into()
    }
}

impl Caller {
    pub(crate) fn new(chance: &mut Chance) -> Self {
        let roles = (0..2).filter(|_| chance.once_in(2));
        let roles = roles.map(|number| name("role", number)).collect();
        let purpose = chance.below(3);
        Self {
            participant: participant(chance.below(2)),
            roles,
            purpose: (purpose < 2).then(|| name("purpose", purpose)),
        }
    }

    /// What policies by chance of a member permit the caller; none where they deny, unless they must not.
    pub(crate) fn permit(
        &self,
        chance: &mut Chance,
        member: usize,
        must_permit: bool,
    ) -> Result<Option<Permit>, String> {
        let mut rules: Vec<_> = (0..1 + chance.below(4)).map(|_| rule(chance)).collect();
        if chance.once_in(2) {
            rules.push((true, String::new()));
        }
        loop {
            let permit = self.decide(member, &rules)?;
            if permit.is_some() || !must_permit {
                return Ok(permit);
            }
            rules = vec![(true, String::new())];
        }
    }

    fn decide(&self, member: usize, rules: &[(bool, String)]) -> Result<Option<Permit>, String> {
        let told = |errors: Vec<PolicyError>| {
            let errors: Vec<_> = errors.iter().map(ToString::to_string).collect();
            errors.join("; ")
        };
        let mut text = PREFIXES.to_owned();
        for (number, (is_permission, rest)) in rules.iter().enumerate() {
            let kind = if *is_permission {
                "permission"
            } else {
                "prohibition"
            };
            let target = if rest.contains("odrl:target") {
                ""
            } else {
                "odrl:target :twin ;"
            };
            write!(
                text,
                ":policy{number} a odrl:Set ; odrl:profile <https://w3id.org/twinlink/profile/1> ;
                    odrl:{kind} [ odrl:action odrl:read ; {target} {rest} ] .\n",
            )
            .map_err(|error| error.to_string())?;
        }
        let policies = Policy::parse(&text, RdfFormat::Turtle, None).map_err(told)?;
        let dataset = NamedNode::new_unchecked("urn:twin");
        let set = PolicySet::compile(dataset, policies).map_err(told)?;
        let ask = Ask {
            participant: self.participant.clone(),
            subject: format!("somebody at member {member}"),
            roles: self.roles.clone(),
            purpose: self.purpose.clone(),
            action: odrl::READ.into_owned(),
            now: DateTime::now(),
        };
        Ok(set.decide(&ask).ok())
    }
}

/// Whether a rule permits, and its target, assignee and constraints in Turtle.
fn rule(chance: &mut Chance) -> (bool, String) {
    let is_permission = !chance.once_in(3);
    let mut text = String::new();
    let mut refinements = String::new();
    let mut refine = |left: &str, right: &str| {
        refinements.push_str(&format!(
            "odrl:refinement [ odrl:leftOperand tl:{left} ; odrl:operator odrl:eq ; odrl:rightOperand {right} ] ;"
        ));
    };
    let graphs = ["tl:DefaultGraph", ":g0", ":g1"];
    if let (true, Some(graph)) = (chance.once_in(2), chance.one(&graphs)) {
        refine("graph", graph);
    }
    let properties = [":p0", ":p1", ":p2", "rdf:type"];
    if let (true, Some(property)) = (chance.once_in(3), chance.one(&properties)) {
        refine("property", property);
    }
    if let (true, Some(class)) = (chance.once_in(4), chance.one(&[":C0", ":C1"])) {
        refine("class", class);
    }
    text.push_str(&format!(
        "odrl:target [ odrl:source :twin ; {refinements} ] ;"
    ));
    if chance.once_in(4) {
        let who = participant(chance.below(2));
        text.push_str(&format!("odrl:assignee {who} ;"));
    }
    let operators = ["isAnyOf", "isNoneOf"];
    for (left, right) in [("odrl:purpose", "purpose"), ("tl:role", "role")] {
        if let (true, Some(operator)) = (chance.once_in(4), chance.one(&operators)) {
            let number = chance.below(2);
            text.push_str(&format!(
                "odrl:constraint [ odrl:leftOperand {left} ; odrl:operator odrl:{operator} ; odrl:rightOperand (:{right}{number}) ] ;"
            ));
        }
    }
    (is_permission, text)
}
