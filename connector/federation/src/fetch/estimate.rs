//! About how many rows a member gives, by its summary. For explanations only: of a join the least of its parts counts.

use super::{Fetcher, Whole};
use crate::algebra::{Context, pattern, unblank_triple};
use crate::needs::Atom;
use spargebra::Query;
use spargebra::algebra::GraphPattern;

impl Fetcher<'_> {
    /// Of a query that is asked of it as it is; none where nobody asks, or nothing tells.
    pub(crate) fn expected_of(&self, query: &Query, member: usize) -> Option<u64> {
        let rows = self.rows_of(pattern(query), &Context::Default, member)?;
        Some(match query {
            Query::Ask { .. } => rows.min(1),
            Query::Construct { template, .. } => rows.saturating_mul(template.len() as u64),
            Query::Select { .. } | Query::Describe { .. } => rows,
        })
    }

    /// As [`Self::expected_of`], of several members together.
    pub(crate) fn expected_of_all(&self, query: &Query, members: &[usize]) -> Option<u64> {
        let each = members
            .iter()
            .map(|member| self.expected_of(query, *member));
        let all: Option<Vec<_>> = each.collect();
        Some(all?.into_iter().fold(0, u64::saturating_add))
    }

    /// Of all that it can contribute, with one request.
    pub(super) fn expected_whole(&self, whole: &Whole, member: usize) -> Option<u64> {
        let branches = whole.atoms_at(member).map(|(wanted, given, width)| {
            let atoms = wanted.iter().chain(given);
            let least = atoms.map(|atom| self.quads_at(atom, member));
            let least = least.collect::<Option<Vec<_>>>()?.into_iter().min()?;
            Some(least.saturating_mul(width))
        });
        let branches: Option<Vec<_>> = branches.collect();
        Some(branches?.into_iter().fold(0, u64::saturating_add))
    }

    /// How many quads of a member match a pattern.
    pub(super) fn quads_at(&self, atom: &Atom, member: usize) -> Option<u64> {
        if !self.members.teller.listens() {
            return None;
        }
        let summary = self.summaries.get(member)?.as_ref()?;
        Some(summary.estimate(atom, self.members.dataset.as_ref()))
    }

    fn rows_of(&self, pattern: &GraphPattern, context: &Context, member: usize) -> Option<u64> {
        let of = |inner: &GraphPattern| self.rows_of(inner, context, member);
        match pattern {
            GraphPattern::Bgp { patterns } => {
                let atoms = patterns.iter().map(|triple| Atom {
                    context: context.clone(),
                    triple: unblank_triple(triple),
                    except: Vec::new(),
                    is_witness: false,
                });
                let quads = atoms.map(|atom| self.quads_at(&atom, member));
                let quads: Option<Vec<_>> = quads.collect();
                Some(quads?.into_iter().min().unwrap_or(1))
            }
            GraphPattern::Values { bindings, .. } => Some(bindings.len() as u64),
            GraphPattern::Join { left, right } => match (of(left), of(right)) {
                (Some(left), Some(right)) => Some(left.min(right)),
                (left, right) => left.or(right),
            },
            GraphPattern::Union { left, right } => Some(of(left)?.saturating_add(of(right)?)),
            GraphPattern::Graph { name, inner } => self.rows_of(inner, &Context::of(name), member),
            GraphPattern::Group {
                inner, variables, ..
            } => match variables.is_empty() {
                true => Some(1),
                false => of(inner),
            },
            GraphPattern::Slice {
                inner,
                start,
                length,
            } => {
                let rows = of(inner)?.saturating_sub(*start as u64);
                Some(length.map_or(rows, |length| rows.min(length as u64)))
            }
            GraphPattern::LeftJoin { left: inner, .. }
            | GraphPattern::Minus { left: inner, .. }
            | GraphPattern::Lateral { left: inner, .. }
            | GraphPattern::Filter { inner, .. }
            | GraphPattern::Extend { inner, .. }
            | GraphPattern::OrderBy { inner, .. }
            | GraphPattern::Project { inner, .. }
            | GraphPattern::Distinct { inner }
            | GraphPattern::Reduced { inner } => of(inner),
            GraphPattern::Path { .. } | GraphPattern::Service { .. } => None,
        }
    }
}
