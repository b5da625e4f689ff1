//! The quads fetched for one question, each with the members that gave it.

use oxrdf::{BlankNode, GraphName, NamedOrBlankNode, Quad, Term, Triple};
use rustc_hash::FxHashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;
use twinlink_core::Sources;

/// A set of quads. Equal quads of several members are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scratch {
    quads: FxHashMap<Quad, usize>,
    sets: Vec<Arc<[u16]>>,
    numbers: FxHashMap<Arc<[u16]>, usize>,
    unions: FxHashMap<(usize, u16), usize>,
}

impl Scratch {
    pub(crate) fn len(&self) -> usize {
        self.quads.len()
    }

    /// Takes a quad that the member gave. False where it is new and there is no room.
    pub(crate) fn insert(&mut self, quad: Quad, member: u16, room: usize) -> bool {
        let has_room = self.quads.len() < room;
        match self.quads.entry(quad) {
            Entry::Occupied(mut entry) => {
                let before = *entry.get();
                let after = match self.unions.get(&(before, member)) {
                    Some(after) => *after,
                    None => {
                        let mut set = self.sets.get(before).map_or(Vec::new(), |set| set.to_vec());
                        if let Err(place) = set.binary_search(&member) {
                            set.insert(place, member);
                        }
                        let after = number(&mut self.sets, &mut self.numbers, set.into());
                        self.unions.insert((before, member), after);
                        after
                    }
                };
                entry.insert(after);
                true
            }
            Entry::Vacant(entry) if has_room => {
                let set: Sources = Arc::from([member]);
                entry.insert(number(&mut self.sets, &mut self.numbers, set));
                true
            }
            Entry::Vacant(_) => false,
        }
    }

    /// As [`Scratch::insert`], for a quad that several members gave.
    pub(crate) fn insert_of(&mut self, quad: &Quad, members: &[u16], room: usize) -> bool {
        let mut inserted = members
            .iter()
            .map(|member| self.insert(quad.clone(), *member, room));
        inserted.all(|is_in| is_in)
    }

    /// All members that gave a quad.
    pub(crate) fn members(&self) -> Sources {
        let mut all: Vec<u16> = self
            .sets
            .iter()
            .flat_map(|set| set.iter().copied())
            .collect();
        all.sort_unstable();
        all.dedup();
        all.into()
    }

    /// The graph of each quad.
    pub(crate) fn graphs(&self) -> impl Iterator<Item = &GraphName> {
        self.quads.keys().map(|quad| &quad.graph_name)
    }

    /// The sets of members that `quads` counts, by number.
    pub(crate) fn sets(&self) -> &[Sources] {
        &self.sets
    }

    /// Each quad with the number of its set of members.
    pub(crate) fn into_quads(self) -> impl Iterator<Item = (Quad, usize)> {
        self.quads.into_iter()
    }
}

fn number(sets: &mut Vec<Sources>, numbers: &mut FxHashMap<Sources, usize>, set: Sources) -> usize {
    *numbers.entry(set).or_insert_with_key(|set| {
        sets.push(Arc::clone(set));
        sets.len() - 1
    })
}

/// The blank node of one member: apart from those of others, the same in each of its answers.
// INVARIANT(blank-nodes-apart): nothing a member says enters an answer or the scratch without passing here.
fn apart(blank: &BlankNode, member: u16) -> BlankNode {
    BlankNode::new_unchecked(format!("m{member}x{}", blank.as_str()))
}

/// The member that a blank node of the merge belongs to.
pub(crate) fn owner(blank: &BlankNode) -> Option<usize> {
    let (member, _) = blank.as_str().strip_prefix('m')?.split_once('x')?;
    member.parse().ok()
}

/// The term as it stands in the merge.
pub(crate) fn term_apart(term: Term, member: u16) -> Term {
    match term {
        Term::BlankNode(blank) => apart(&blank, member).into(),
        other => other,
    }
}

/// The triple as it stands in the merge.
pub(crate) fn triple_apart(triple: Triple, member: u16) -> Triple {
    Triple {
        subject: match triple.subject {
            NamedOrBlankNode::BlankNode(blank) => apart(&blank, member).into(),
            other @ NamedOrBlankNode::NamedNode(_) => other,
        },
        predicate: triple.predicate,
        object: term_apart(triple.object, member),
    }
}

/// The triple in a graph; blank graph names are kept apart too.
pub(crate) fn in_graph(triple: Triple, graph: GraphName) -> Quad {
    Quad {
        subject: triple.subject,
        predicate: triple.predicate,
        object: triple.object,
        graph_name: graph,
    }
}

/// The graph name as it stands in the merge; none where the term cannot be one.
pub(crate) fn graph_apart(term: &Term, member: u16) -> Option<GraphName> {
    match term {
        Term::NamedNode(name) => Some(name.clone().into()),
        Term::BlankNode(blank) => Some(apart(blank, member).into()),
        Term::Literal(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxrdf::NamedNode;

    #[test]
    fn blank_nodes_apart_wherever_they_stand() {
        let blank = BlankNode::new_unchecked("b0");
        let knows = NamedNode::new_unchecked("http://e/knows");
        let triple = Triple::new(blank.clone(), knows.clone(), blank.clone());
        let (one, other) = (triple_apart(triple.clone(), 0), triple_apart(triple, 1));
        assert_ne!(one.subject, other.subject);
        assert_ne!(one.object, other.object);
        // Within a member it stays one node: as subject, as object and as the name of a graph.
        assert_eq!(Term::from(one.subject.clone()), one.object);
        let graph = graph_apart(&blank.into(), 0);
        let NamedOrBlankNode::BlankNode(renamed) = one.subject else {
            panic!("a blank node became something else");
        };
        assert_eq!(graph, Some(renamed.clone().into()));
        assert_eq!(owner(&renamed), Some(0));
        assert_eq!(term_apart(knows.clone().into(), 1), knows.into());
    }
}
