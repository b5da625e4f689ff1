//! SERVICE: <https://www.w3.org/TR/sparql11-federated-query/>. A part of a question that one member is to answer.
//!
//! Each such part is asked where it belongs, and its solutions take its place as VALUES; the question that is left names
//! nobody. An endpoint is asked only if it is a member: by its participant id, or by its address. Nothing but the part
//! itself leaves: no solution of the rest is sent along, and a part within a part is asked on its own.

mod solutions;

use crate::algebra::{self, columns, with_pattern};
use crate::federator::Federator;
use crate::members::{Form, Members, Patience};
use futures::FutureExt;
use futures::future::BoxFuture;
use oxrdf::{NamedNode, Term, Variable};
pub(crate) use solutions::Served;
use solutions::{Solutions, unit};
use spargebra::Query;
use spargebra::algebra::{Expression, GraphPattern};
use spargebra::term::{GroundTerm, NamedNodePattern};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use twinlink_core::{Code, Refusal, Step, StepKind};

/// The most requests for parts of one question.
const REQUESTS: usize = 64;

/// The most solutions of one part.
const ROWS: usize = 20_000;

/// Why a part has no solutions: then SILENT helps.
enum Failed {
    /// The endpoint.
    Service(String),
    /// There is no such member.
    Nobody(String),
    /// The question.
    Question(Refusal),
}

/// Asks for the parts of one question.
pub(crate) struct Services<'a> {
    federator: &'a Federator,
    /// As they are asked about the whole.
    members: &'a Members<'a>,
    /// As they are asked about a part: of their own datasets.
    apart: Members<'a>,
    asked: AtomicUsize,
    solutions: Mutex<Solutions>,
}

/// Whether a part of the query is for somebody by name.
pub(crate) fn has_service(pattern: &GraphPattern) -> bool {
    let mut found = false;
    algebra::walk(
        pattern,
        &mut |pattern| found |= matches!(pattern, GraphPattern::Service { .. }),
        &mut |_| {},
    );
    found
}

impl<'a> Services<'a> {
    pub(crate) fn new(federator: &'a Federator, members: &'a Members<'a>, query: &Query) -> Self {
        Self {
            federator,
            members,
            apart: members.without_dataset(),
            asked: AtomicUsize::new(0),
            solutions: Mutex::new(Solutions::new(members.delegation.request, query)),
        }
    }

    /// The query with solutions in place of those parts.
    ///
    /// # Errors
    /// Where a part cannot be asked and is not SILENT, or cannot be asked in this way.
    pub(crate) async fn resolve(&self, query: &Query) -> Result<(Query, Served), Refusal> {
        let pattern = algebra::pattern(query);
        let resolved = self.pattern(pattern, None, None).await;
        let pattern = resolved.map_err(|failed| match failed {
            Failed::Question(refusal) => refusal,
            Failed::Nobody(text) => Refusal::about_input("service", text),
            Failed::Service(reason) => Refusal::new(
                Code::Unavailable,
                "service",
                format_args!("SERVICE: {reason}"),
            )
            .open()
            .over(&self.members.ledger.statuses()),
        })?;
        let mut solutions = self.lock();
        Ok((with_pattern(query, pattern), solutions.served()))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Solutions> {
        // Whole after every step.
        self.solutions
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The pattern without those parts. `place` is the member whose data it is about, none for all of them together;
    /// `context` what it is joined with, which is without such parts already.
    fn pattern<'b>(
        &'b self,
        pattern: &'b GraphPattern,
        place: Option<usize>,
        context: Option<GraphPattern>,
    ) -> BoxFuture<'b, Result<GraphPattern, Failed>> {
        async move {
            if !has_service(pattern) {
                return match place {
                    None => Ok(pattern.clone()),
                    Some(member) => self.ask(member, pattern).await,
                };
            }
            self.check(pattern, place)?;
            let mut resolved = pattern.clone();
            match (pattern, &mut resolved) {
                (
                    GraphPattern::Service {
                        name,
                        inner,
                        silent,
                    },
                    _,
                ) => return self.service(name, inner, *silent, context).await,
                (GraphPattern::Join { left, right }, GraphPattern::Join { left: l, right: r }) => {
                    // What names no endpoint first: it may bind the name of one.
                    if has_service(left) && !has_service(right) {
                        **r = self.pattern(right, place, context.clone()).await?;
                        let context = Some(with(context, r));
                        **l = self.pattern(left, place, context).await?;
                    } else {
                        **l = self.pattern(left, place, context.clone()).await?;
                        let context = Some(with(context, l));
                        **r = self.pattern(right, place, context).await?;
                    }
                }
                (
                    GraphPattern::LeftJoin { left, right, .. },
                    GraphPattern::LeftJoin {
                        left: l, right: r, ..
                    },
                )
                | (
                    GraphPattern::Lateral { left, right },
                    GraphPattern::Lateral { left: l, right: r },
                ) => {
                    **l = self.pattern(left, place, context.clone()).await?;
                    let context = Some(with(context, l));
                    **r = self.pattern(right, place, context).await?;
                }
                (
                    GraphPattern::Minus { left, right },
                    GraphPattern::Minus { left: l, right: r },
                ) => {
                    **l = self.pattern(left, place, context).await?;
                    **r = self.pattern(right, place, None).await?;
                }
                (
                    GraphPattern::Union { left, right },
                    GraphPattern::Union { left: l, right: r },
                ) => {
                    **l = self.pattern(left, place, context.clone()).await?;
                    **r = self.pattern(right, place, context).await?;
                }
                (
                    GraphPattern::Project { inner, variables },
                    GraphPattern::Project { inner: i, .. },
                ) => {
                    // Other variables of that name inside are others.
                    let context = context.map(|context| GraphPattern::Project {
                        inner: Box::new(context),
                        variables: variables.clone(),
                    });
                    **i = self.pattern(inner, place, context).await?;
                }
                (GraphPattern::Group { inner, .. }, GraphPattern::Group { inner: i, .. }) => {
                    **i = self.pattern(inner, place, None).await?;
                }
                (GraphPattern::Filter { inner, .. }, GraphPattern::Filter { inner: i, .. })
                | (GraphPattern::Extend { inner, .. }, GraphPattern::Extend { inner: i, .. })
                | (GraphPattern::OrderBy { inner, .. }, GraphPattern::OrderBy { inner: i, .. })
                | (GraphPattern::Distinct { inner }, GraphPattern::Distinct { inner: i })
                | (GraphPattern::Reduced { inner }, GraphPattern::Reduced { inner: i })
                | (GraphPattern::Slice { inner, .. }, GraphPattern::Slice { inner: i, .. })
                | (GraphPattern::Graph { inner, .. }, GraphPattern::Graph { inner: i, .. }) => {
                    **i = self.pattern(inner, place, context).await?;
                }
                _ => return Err(refused("SERVICE cannot stand here")),
            }
            Ok(resolved)
        }
        .boxed()
    }

    /// What looks at data must not be about one member's while its other part is about another's.
    fn check(&self, pattern: &GraphPattern, place: Option<usize>) -> Result<(), Failed> {
        for expression in algebra::expressions(pattern) {
            let mut exists = Vec::new();
            algebra::walk_expression(expression, &mut |part| {
                if let Expression::Exists(inner) = part {
                    exists.push(inner);
                }
            });
            if exists.iter().any(|inner| has_service(inner)) {
                return Err(refused("SERVICE cannot stand within EXISTS"));
            }
            if place.is_some() && !exists.is_empty() {
                let text = "EXISTS cannot stand beside a SERVICE within a SERVICE";
                return Err(refused(text));
            }
        }
        if place.is_some() && matches!(pattern, GraphPattern::Graph { .. }) {
            let text = "GRAPH cannot stand around a SERVICE within a SERVICE";
            return Err(refused(text));
        }
        Ok(())
    }

    async fn service(
        &self,
        name: &NamedNodePattern,
        inner: &GraphPattern,
        is_silent: bool,
        context: Option<GraphPattern>,
    ) -> Result<GraphPattern, Failed> {
        let parts = match name {
            NamedNodePattern::NamedNode(name) => {
                return self.at(Some(name), inner, is_silent).await;
            }
            NamedNodePattern::Variable(variable) => self.endpoints(variable, context).await?,
        };
        let NamedNodePattern::Variable(variable) = name else {
            return Err(refused("SERVICE cannot stand here"));
        };
        let mut all = None;
        for endpoint in parts {
            let name = match &endpoint {
                GroundTerm::NamedNode(name) => Some(name),
                GroundTerm::Literal(_) => None,
            };
            let solutions = self.at(name, inner, is_silent).await?;
            let part = GraphPattern::Join {
                left: Box::new(GraphPattern::Values {
                    variables: vec![variable.clone()],
                    bindings: vec![vec![Some(endpoint)]],
                }),
                right: Box::new(solutions),
            };
            all = Some(match all {
                None => part,
                Some(before) => GraphPattern::Union {
                    left: Box::new(before),
                    right: Box::new(part),
                },
            });
        }
        // No endpoint, no solution.
        Ok(all.unwrap_or(GraphPattern::Values {
            variables: vec![variable.clone()],
            bindings: Vec::new(),
        }))
    }

    /// The solutions at one endpoint; where it fails and is SILENT, the one that binds nothing.
    async fn at(
        &self,
        endpoint: Option<&NamedNode>,
        inner: &GraphPattern,
        is_silent: bool,
    ) -> Result<GraphPattern, Failed> {
        let solutions = match endpoint.and_then(|endpoint| self.member(endpoint)) {
            Some(member) => self.pattern(inner, Some(member), None).await,
            None => Err(Failed::Nobody(match endpoint {
                Some(endpoint) => format!("SERVICE <{}> is no member", endpoint.as_str()),
                None => "the endpoint of a SERVICE is no IRI".to_owned(),
            })),
        };
        match solutions {
            Err(Failed::Service(reason) | Failed::Nobody(reason)) if is_silent => {
                tracing_step(self.members, reason);
                self.lock().is_unsure = true;
                Ok(unit())
            }
            other => other,
        }
    }

    // INVARIANT(service-to-members): SERVICE leads to those that are configured, and to nobody else.
    fn member(&self, endpoint: &NamedNode) -> Option<usize> {
        let names = &self.members.names;
        let named = |name: &NamedNode| names.iter().position(|one| one == name);
        named(endpoint).or_else(|| named(&self.members.peers.at(endpoint)?))
    }

    /// What the rest of the question binds the name of an endpoint to.
    async fn endpoints(
        &self,
        variable: &Variable,
        context: Option<GraphPattern>,
    ) -> Result<Vec<GroundTerm>, Failed> {
        let is_bound = context.as_ref().is_some_and(|context| {
            let mut found = false;
            context.on_in_scope_variable(|name| found |= name == variable);
            found
        });
        let (true, Some(context)) = (is_bound, context) else {
            return Err(refused(&format!(
                "nothing beside SERVICE {variable} binds {variable}"
            )));
        };
        if self.members.teller.is_plan() {
            return Ok(Vec::new());
        }
        let query = Query::Select {
            dataset: None,
            pattern: GraphPattern::Distinct {
                inner: Box::new(GraphPattern::Project {
                    inner: Box::new(context),
                    variables: vec![variable.clone()],
                }),
            },
            base_iri: None,
        };
        let rows = self.federator.rows(&query, self.members, REQUESTS);
        let rows = rows.await.map_err(|refusal| match (refusal.check(), refusal.code()) {
            ("federation.rows", Code::Exhausted) => refused(&format!(
                "{variable} is bound to more than {REQUESTS} endpoints: SERVICE takes no more requests"
            )),
            _ => Failed::Question(refusal),
        })?;
        let mut endpoints = Vec::new();
        for row in rows {
            match row.values.into_iter().next().flatten() {
                Some(Term::NamedNode(name)) => endpoints.push(GroundTerm::NamedNode(name)),
                Some(Term::Literal(literal)) => endpoints.push(GroundTerm::Literal(literal)),
                // Nothing can be joined with its name.
                Some(Term::BlankNode(_)) => {}
                None => {
                    return Err(refused(&format!(
                        "{variable} is not bound in every solution"
                    )));
                }
            }
        }
        endpoints.sort_by_cached_key(ToString::to_string);
        Ok(endpoints)
    }

    async fn ask(&self, member: usize, pattern: &GraphPattern) -> Result<GraphPattern, Failed> {
        if self.asked.fetch_add(1, Ordering::Relaxed) >= REQUESTS {
            return Err(refused(&format!(
                "SERVICE takes more than {REQUESTS} requests"
            )));
        }
        let variables = columns(pattern);
        // Rows count, whether or not they bind anything.
        let one = Variable::new_unchecked("twinlinkOne");
        let (pattern, asked) = if variables.is_empty() {
            let pattern = GraphPattern::Extend {
                inner: Box::new(pattern.clone()),
                variable: one.clone(),
                expression: Expression::Literal(1.into()),
            };
            (pattern, vec![one])
        } else {
            (pattern.clone(), variables.clone())
        };
        let query = Query::Select {
            dataset: None,
            pattern: GraphPattern::Project {
                inner: Box::new(pattern),
                variables: asked.clone(),
            },
            base_iri: None,
        };
        if self.members.teller.is_plan() {
            self.members.teller.step(|| Step {
                at: self
                    .members
                    .names
                    .get(member)
                    .cloned()
                    .into_iter()
                    .collect(),
                requests: u64::from(member > 0),
                word: "the question names it".to_owned(),
                ..Step::new(StepKind::Service, query.to_string())
            });
            return Ok(unit());
        }
        let form = Form::Solutions(asked);
        let rows = ROWS.min(self.members.limits.rows_per_fetch);
        let given = self
            .apart
            .ask(member, &query, &form, Patience::Service, rows)
            .await
            .map_err(Failed::Question)?;
        let Some(given) = given else {
            let status = self.members.ledger.statuses();
            let status = status.get(member);
            let reason = status.and_then(|status| status.reason.clone());
            return Err(Failed::Service(
                reason.unwrap_or_else(|| "an endpoint gave no answer".to_owned()),
            ));
        };
        self.members.ledger.rows(member, given.rows.solutions.len());
        let (values, left_out) = self.lock().take(member, variables, given.rows.solutions);
        if left_out > 0 {
            let reason = format!(
                "gave {left_out} rows with blank nodes to a SERVICE, beside functions that tell blank nodes"
            );
            let state = twinlink_core::SourceState::Partial;
            self.members.ledger.trouble(member, state, &reason);
        }
        Ok(values)
    }
}

fn refused(text: &str) -> Failed {
    Failed::Question(Refusal::about_input("service", text))
}

fn with(context: Option<GraphPattern>, pattern: &GraphPattern) -> GraphPattern {
    match context {
        None => pattern.clone(),
        Some(context) => GraphPattern::Join {
            left: Box::new(context),
            right: Box::new(pattern.clone()),
        },
    }
}

/// A silent failure is told to those who ask how the answer came about.
fn tracing_step(members: &Members<'_>, reason: String) {
    members.teller.step(|| Step {
        word: format!("SILENT: {reason}"),
        ..Step::new(StepKind::Service, "no solutions")
    });
}
