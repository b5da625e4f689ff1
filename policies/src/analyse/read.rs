//! Reads policies for comparison: any left operand will do, what is not understood makes the answer unknown.

mod operand;

use super::formula::{Axis, Formula, Scale, Set};
use super::interval::{End, Intervals};
use super::schedule::Schedule;
use super::taxonomy::{ConceptTest, key};
use super::vocabulary::{ANCHOR, DATE_TIME, DELAY_PERIOD, TIME_INTERVAL, Vocabulary};
use super::{TermRule, Terms};
use crate::action;
use crate::error::{Place, PolicyError};
use crate::model::{Comparison, RuleKind};
use crate::parse::MOST_BYTES;
use operand::{Right, right};
use oxrdf::vocab::rdf;
use oxrdf::{Literal, NamedNode, NamedOrBlankNode, Term};
use oxrdfio::{RdfFormat, RdfParser};
use std::collections::HashMap;
use std::rc::Rc;
use twinlink_vocab::odrl::NAMESPACE as ODRL;

/// How deep constraints may nest.
const MOST_DEPTH: usize = 16;
/// The most constraints of a document.
const MOST_CONSTRAINTS: usize = 4096;
/// The longest list.
const MOST_ITEMS: usize = 1024;

impl Terms {
    /// Reads all policies of a document, in its order. Only constraints on left operands, actions, targets and assignees
    /// are compared; where a rule has a duty, or a term that is not known, the answer is unknown as far as it depends on
    /// that.
    ///
    /// # Errors
    /// [`PolicyError`] where the document does not parse, is too large, or nests too deep.
    pub fn parse(
        text: &str,
        format: RdfFormat,
        base: Option<&str>,
        vocabulary: &Vocabulary,
    ) -> Result<Vec<Self>, PolicyError> {
        let document = Document::read(text, format, base)?;
        let mut reader = Reader {
            document: &document,
            vocabulary,
            constraints: 0,
            sequences: 0,
        };
        let subjects = document.subjects.iter();
        subjects
            .filter(|subject| document.is_policy(subject))
            .map(|subject| reader.policy(subject))
            .collect()
    }
}

/// That an operand has the value.
pub(super) fn equal(operand: &str, value: &Literal, vocabulary: &Vocabulary) -> Formula {
    match right(&Term::from(value.clone())) {
        Right::Span(scale, low, high) => {
            let points = Intervals::of_span(Comparison::Equal, low, high);
            let (axis, scale) = vocabulary.place(operand, scale);
            Formula::literal(axis, scale, Set::Points(points))
        }
        Right::Concept(name) => concept(operand, ConceptTest::Is(vec![name])),
        Right::Unknown => Formula::unknown(operand),
    }
}

struct Document {
    subjects: Vec<NamedOrBlankNode>,
    statements: HashMap<NamedOrBlankNode, Vec<(NamedNode, Term)>>,
}

struct Reader<'a> {
    document: &'a Document,
    vocabulary: &'a Vocabulary,
    constraints: usize,
    sequences: usize,
}

impl Document {
    fn read(text: &str, format: RdfFormat, base: Option<&str>) -> Result<Self, PolicyError> {
        if text.len() > MOST_BYTES {
            return Err(PolicyError::TooLarge {
                bytes: text.len(),
                most: MOST_BYTES,
            });
        }
        let fault = |detail: String| PolicyError::Syntax {
            format: format.name().to_owned(),
            detail,
        };
        let mut parser = RdfParser::from_format(format).without_named_graphs();
        if let Some(base) = base {
            parser = parser
                .with_base_iri(base)
                .map_err(|error| fault(error.to_string()))?;
        }
        let mut document = Self {
            subjects: Vec::new(),
            statements: HashMap::new(),
        };
        for quad in parser.for_slice(text) {
            let quad = quad.map_err(|error| fault(error.to_string()))?;
            let known = document.statements.entry(quad.subject.clone()).or_default();
            if known.is_empty() {
                document.subjects.push(quad.subject);
            }
            known.push((quad.predicate, quad.object));
        }
        Ok(document)
    }

    fn is_policy(&self, subject: &NamedOrBlankNode) -> bool {
        ["permission", "prohibition", "obligation"]
            .iter()
            .any(|rule| self.values(subject, rule).next().is_some())
    }

    /// The values of a property of ODRL, lists taken apart.
    fn values(&self, subject: &NamedOrBlankNode, property: &str) -> impl Iterator<Item = &Term> {
        let about = self.statements.get(subject).into_iter().flatten();
        let is_it = move |predicate: &NamedNode, property: &str| {
            predicate.as_str().strip_prefix(ODRL) == Some(property)
        };
        let property = property.to_owned();
        about
            .filter(move |(predicate, _)| is_it(predicate, &property))
            .flat_map(|(_, value)| self.items(value))
    }

    /// The items of a list, or the term itself.
    fn items<'a>(&'a self, term: &'a Term) -> Vec<&'a Term> {
        let mut items = Vec::new();
        let mut next = term;
        while let Some(cell) = node(next) {
            let about = self.statements.get(&cell).map_or(&[][..], Vec::as_slice);
            let of = |property| about.iter().find(|(p, _)| *p == property).map(|(_, o)| o);
            let (Some(first), Some(rest)) = (of(rdf::FIRST), of(rdf::REST)) else {
                break;
            };
            items.push(first);
            if items.len() > MOST_ITEMS {
                break;
            }
            next = rest;
        }
        if items.is_empty() { vec![term] } else { items }
    }
}

impl Reader<'_> {
    fn policy(&mut self, subject: &NamedOrBlankNode) -> Result<Terms, PolicyError> {
        let mut rules = Vec::new();
        for (kind, property) in [
            (RuleKind::Permission, "permission"),
            (RuleKind::Prohibition, "prohibition"),
        ] {
            let found: Vec<Term> = self.document.values(subject, property).cloned().collect();
            for rule in found {
                rules.extend(
                    node(&rule)
                        .map(|rule| self.rule(subject, &rule, kind))
                        .transpose()?,
                );
            }
        }
        Ok(Terms {
            uid: key(Term::from(subject.clone()).as_ref()),
            rules,
        })
    }

    fn rule(
        &mut self,
        policy: &NamedOrBlankNode,
        rule: &NamedOrBlankNode,
        kind: RuleKind,
    ) -> Result<TermRule, PolicyError> {
        let document = self.document;
        let names = |property: &str| -> Vec<String> {
            let of = |node| {
                document
                    .values(node, property)
                    .map(|term| key(term.as_ref()))
            };
            of(policy).chain(of(rule)).collect()
        };
        let mut scope = Vec::new();
        let actions = names("action");
        if !actions.is_empty() {
            let within = |action: &String| action::within(&NamedNode::new_unchecked(action));
            let mut all: Vec<&str> = actions.iter().flat_map(within).collect();
            all.extend(actions.iter().map(String::as_str));
            scope.push(Formula::named("action", all, true));
        }
        for property in ["target", "assignee"] {
            let named = names(property);
            if !named.is_empty() {
                scope.push(Formula::named(
                    property,
                    named.iter().map(String::as_str),
                    true,
                ));
            }
        }
        let mut conditions = Vec::new();
        for node in [policy, rule] {
            for term in document.values(node, "constraint") {
                conditions.push(self.constraint(term, 0, None)?);
            }
            for property in ["duty", "obligation"] {
                if document.values(node, property).next().is_some() {
                    conditions.push(Formula::unknown("duty"));
                }
            }
        }
        Ok(TermRule {
            kind,
            scope: Formula::all(scope),
            condition: Formula::all(conditions),
        })
    }

    fn constraint(
        &mut self,
        term: &Term,
        depth: usize,
        step: Option<(usize, usize)>,
    ) -> Result<Formula, PolicyError> {
        self.constraints += 1;
        if self.constraints > MOST_CONSTRAINTS {
            return Err(too_many("constraints", MOST_CONSTRAINTS));
        }
        if depth >= MOST_DEPTH {
            return Err(too_many("constraints inside one another", MOST_DEPTH));
        }
        let Some(subject) = node(term) else {
            return Ok(Formula::unknown("constraint"));
        };
        let mut parts = Vec::new();
        for (property, combine) in [
            ("and", Formula::All as fn(Rc<[Formula]>) -> Formula),
            ("or", Formula::Any),
            ("xone", Formula::One),
            ("andSequence", Formula::Sequence),
        ] {
            let operands: Vec<&Term> = self.document.values(&subject, property).collect();
            if operands.is_empty() {
                continue;
            }
            let is_sequence = property == "andSequence";
            let sequence = self.sequences;
            self.sequences += usize::from(is_sequence);
            let inner: Result<Rc<[_]>, _> = operands
                .into_iter()
                .enumerate()
                .map(|(index, operand)| {
                    let step = if is_sequence {
                        Some((sequence, index))
                    } else {
                        step
                    };
                    self.constraint(operand, depth + 1, step)
                })
                .collect();
            parts.push(combine(inner?));
        }
        if parts.is_empty() {
            return Ok(self.atomic(&subject, step));
        }
        Ok(Formula::all(parts))
    }

    fn atomic(&self, subject: &NamedOrBlankNode, step: Option<(usize, usize)>) -> Formula {
        let one = |property: &str| {
            let mut values = self.document.values(subject, property);
            values.next().filter(|_| values.next().is_none())
        };
        let (Some(Term::NamedNode(left)), Some(Term::NamedNode(operator))) =
            (one("leftOperand"), one("operator"))
        else {
            return Formula::unknown("constraint");
        };
        let left = left.as_str();
        let Some(operator) = operator.as_str().strip_prefix(ODRL) else {
            return Formula::unknown(left);
        };
        let values: Vec<&Term> = self.document.values(subject, "rightOperand").collect();
        if values.is_empty() || (values.len() > 1 && matches!(operator, "eq" | "isAllOf")) {
            return Formula::unknown(left);
        }
        if left == TIME_INTERVAL
            && let Some(anchor) = self.anchor(subject)
        {
            return match (operator, values.as_slice()) {
                ("eq", [period]) => recurring(&anchor, period),
                _ => Formula::unknown(DATE_TIME),
            };
        }
        let unit = one("unit").map(|unit| key(unit.as_ref()));
        let compared = values.into_iter();
        let mut parts: Vec<Formula> = compared
            .map(|value| self.compared(left, operator, value, unit.as_ref()))
            .collect();
        if let Some(step) = step.filter(|_| left == DELAY_PERIOD) {
            for part in &mut parts {
                if let Formula::Literal(literal) = part {
                    Rc::make_mut(literal).axis.step = Some(step);
                }
            }
        }
        match operator {
            "neq" | "isNoneOf" => Formula::not(Formula::any(parts)),
            _ => Formula::any(parts),
        }
    }

    fn compared(&self, left: &str, operator: &str, value: &Term, unit: Option<&String>) -> Formula {
        match (right(value), operator) {
            (Right::Span(scale, low, high), _) => {
                let comparison = match operator {
                    "eq" | "isAnyOf" | "isAllOf" | "neq" | "isNoneOf" => Comparison::Equal,
                    "lt" => Comparison::Less,
                    "lteq" | "term-lteq" => Comparison::LessOrEqual,
                    "gt" => Comparison::Greater,
                    "gteq" => Comparison::GreaterOrEqual,
                    _ => return Formula::unknown(left),
                };
                let scale = match scale {
                    Scale::Number(_) => Scale::Number(unit.cloned()),
                    other => other,
                };
                let (axis, scale) = self.vocabulary.place(left, scale);
                let points = Intervals::of_span(comparison, low, high);
                Formula::literal(axis, scale, Set::Points(points))
            }
            (Right::Concept(name), "eq" | "isAnyOf" | "isAllOf" | "neq" | "isNoneOf") => {
                concept(left, ConceptTest::Is(vec![name]))
            }
            (Right::Concept(name), "isA" | "isPartOf") => concept(left, ConceptTest::Below(name)),
            (Right::Concept(name), "hasPart") => concept(left, ConceptTest::Above(name)),
            _ => Formula::unknown(left),
        }
    }

    fn anchor(&self, subject: &NamedOrBlankNode) -> Option<Term> {
        let about = self.document.statements.get(subject)?;
        let mut anchors = about.iter().filter(|(p, _)| p.as_str() == ANCHOR);
        anchors.next().map(|(_, anchor)| anchor.clone())
    }
}

fn concept(left: &str, test: ConceptTest) -> Formula {
    Formula::literal(Axis::of(left), Scale::Concept, Set::Concepts(test))
}

/// An interval that recurs from an instant on is a condition on when things happen.
fn recurring(anchor: &Term, period: &Term) -> Formula {
    let schedule = match (right(anchor), right(period)) {
        (
            Right::Span(scale, End::Closed(anchor), _),
            Right::Span(Scale::Duration, End::Closed(period), _),
        ) => Schedule::new(anchor, period).map(|schedule| (scale, schedule)),
        _ => None,
    };
    match schedule {
        Some((scale @ Scale::Instant { .. }, schedule)) => {
            Formula::literal(Axis::of(DATE_TIME), scale, Set::Schedule(schedule))
        }
        _ => Formula::unknown(DATE_TIME),
    }
}

fn node(term: &Term) -> Option<NamedOrBlankNode> {
    match term {
        Term::NamedNode(name) => Some(name.clone().into()),
        Term::BlankNode(blank) => Some(blank.clone().into()),
        _ => None,
    }
}

fn too_many(what: &'static str, most: usize) -> PolicyError {
    PolicyError::TooMany {
        place: Place::default(),
        what,
        most,
    }
}
