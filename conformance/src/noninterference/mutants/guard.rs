//! Wrong guards: what an engine would take another guard for.

use super::Fault;
use crate::noninterference::scene::iri;
use spargebra::Query;
use spargebra::algebra::{Expression, GraphPattern};
use twinlink_core::policy::{
    Function, GraphNameKey, Guard, NodePattern, Part, Selector, Statistic, Step,
};

/// The guard that an engine with this fault takes another for.
pub(super) fn guard(fault: Option<Fault>, guard: &Guard) -> Guard {
    let all = guard.layers().flat_map(Guard::prohibitions);
    let all: Vec<_> = all.cloned().collect();
    Guard::union(guard.layers().map(|layer| {
        match fault {
            Some(Fault::ExceptionsForgotten) => Guard::new(layer.permits().to_vec(), all.clone())
                .with_transformed(layer.transformed().to_vec())
                .with_statistics(layer.statistics().to_vec()),
            _ => of_layer(fault, layer),
        }
    }))
}

fn of_layer(fault: Option<Fault>, guard: &Guard) -> Guard {
    let mut permits = guard.permits().to_vec();
    let mut prohibitions = guard.prohibitions().to_vec();
    let mut transformed = guard.transformed().to_vec();
    let mut statistics = guard.statistics().to_vec();
    let mut each = |change: &dyn Fn(&mut Selector)| {
        permits.iter_mut().for_each(change);
        transformed
            .iter_mut()
            .for_each(|one| change(&mut one.selector));
        statistics
            .iter_mut()
            .for_each(|one| change(&mut one.selector));
    };
    match fault {
        Some(Fault::PropertyForgotten) => each(&|selector| {
            if selector.graph.is_some() || selector.class.is_some() {
                selector.property = None;
            }
        }),
        Some(Fault::ClassForgotten) => each(&|selector| {
            if selector.graph.is_some() || selector.property.is_some() {
                selector.class = None;
            }
        }),
        Some(Fault::DefaultGraphIsAny) => each(&|selector| {
            if selector.graph == Some(GraphNameKey::Default) {
                selector.graph = None;
            }
        }),
        Some(Fault::DelayIgnored) => each(&|selector| selector.recorded = None),
        Some(Fault::PatternErrorsSelect) => each(&|selector| {
            selector.nodes = selector.nodes.as_ref().map(erring);
        }),
        Some(Fault::NegationForgotten) => {
            let named = prohibitions.iter_mut().filter_map(|one| one.named.as_mut());
            named.for_each(|named| named.is_negated = false);
        }
        Some(Fault::ProhibitionsIgnored) => prohibitions.clear(),
        Some(Fault::FirstPermitOnly) => permits.truncate(1),
        Some(Fault::FirstProhibitionOnly) => prohibitions.truncate(1),
        Some(Fault::OriginalsShown) => return layer_unchanged(guard),
        Some(Fault::SmallGroupShown) => {
            for Statistic { minimum, .. } in &mut statistics {
                *minimum -= 1;
            }
        }
        _ => {
            for one in &mut transformed {
                steps(fault, &mut one.steps);
            }
        }
    }
    Guard::new(permits, prohibitions)
        .with_transformed(transformed)
        .with_statistics(statistics)
}

fn steps(fault: Option<Fault>, steps: &mut Vec<Step>) {
    match fault {
        Some(Fault::FirstStepOnly) => steps.truncate(1),
        Some(Fault::StepsReversed) => steps.reverse(),
        Some(Fault::SubjectsForgotten) => {
            for step in steps {
                if !matches!(step.part, Part::Values(_)) {
                    step.part = Part::Values(Vec::new());
                }
            }
        }
        Some(Fault::SuppressionForgotten) => {
            steps.retain(|step| !matches!(step.function, Function::SuppressBelow(_)));
        }
        _ => {
            for step in steps {
                if let Function::Pseudonymise { recipient, purpose } = &mut step.function {
                    match fault {
                        Some(Fault::PseudonymsWithoutARecipient) => *recipient = iri("anybody"),
                        Some(Fault::PseudonymsWithoutAPurpose) => *purpose = None,
                        _ => {}
                    }
                }
            }
        }
    }
}

/// Shows as it is what is shown changed, and so changes nothing.
pub(super) fn unchanged(guard: &Guard) -> Guard {
    Guard::union(guard.layers().map(layer_unchanged))
}

fn layer_unchanged(guard: &Guard) -> Guard {
    let mut permits = guard.permits().to_vec();
    permits.extend(guard.transformed().iter().map(|one| one.selector.clone()));
    Guard::new(permits, guard.prohibitions().to_vec())
        .with_statistics(guard.statistics().to_vec())
        .with_transformed(guard.transformed().to_vec())
}

/// The pattern, with the nodes too whose condition has an error.
fn erring(pattern: &NodePattern) -> NodePattern {
    let mut query = pattern.query().clone();
    if let Query::Select { pattern, .. } = &mut query {
        loosen(pattern);
    }
    NodePattern::new(query)
}

fn loosen(pattern: &mut GraphPattern) {
    match pattern {
        GraphPattern::Project { inner, .. } => loosen(inner),
        GraphPattern::Filter { expr, .. } => {
            *expr = Expression::Coalesce(vec![expr.clone(), oxrdf::Literal::from(true).into()]);
        }
        _ => {}
    }
}
