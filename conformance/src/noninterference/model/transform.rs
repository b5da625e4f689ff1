//! What a transform makes of quads, a quad at a time.

use super::{Model, subject};
use crate::noninterference::function::apply;
use oxrdf::{NamedOrBlankNode, Quad};
use std::collections::HashSet;
use twinlink_core::policy::{Function, Part, Step};

impl Model<'_> {
    /// The quads after all steps.
    pub(in super::super) fn changed(
        &self,
        mut quads: HashSet<Quad>,
        steps: &[Step],
    ) -> Result<HashSet<Quad>, String> {
        for Step { part, function } in steps {
            let nodes = match part {
                Part::Values(_) => HashSet::new(),
                Part::Instances(class) => self.instances(class),
                Part::Nodes(pattern) => self.nodes(pattern)?,
            };
            let is_subject = |quad: &Quad| nodes.contains(&subject(quad));
            let is_object = |quad: &Quad| match part {
                Part::Values(of) => of.is_empty() || of.contains(&quad.predicate),
                _ => nodes.contains(&quad.object),
            };
            let before = quads.clone();
            quads.retain(|quad| {
                let is_about = is_subject(quad) || is_object(quad);
                match function {
                    Function::Suppress => !is_about,
                    Function::SuppressBelow(least) => {
                        !is_about || sharing(quad, &before) >= *least as usize
                    }
                    _ => true,
                }
            });
            if matches!(function, Function::Suppress | Function::SuppressBelow(_)) {
                continue;
            }
            let change = |quad: Quad| {
                let mut new = quad.clone();
                if is_subject(&quad) {
                    let changed = apply(function, &subject(&quad), &self.key)?;
                    new.subject = NamedOrBlankNode::try_from(changed).ok()?;
                }
                if is_object(&quad) {
                    new.object = apply(function, &quad.object, &self.key)?;
                }
                Some(new)
            };
            quads = quads.into_iter().filter_map(change).collect();
        }
        Ok(quads)
    }
}

/// How many subjects have this predicate and object.
fn sharing(quad: &Quad, all: &HashSet<Quad>) -> usize {
    let share = all
        .iter()
        .filter(|one| one.predicate == quad.predicate && one.object == quad.object);
    share.map(subject).collect::<HashSet<_>>().len()
}
