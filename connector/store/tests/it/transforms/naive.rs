//! What a guard shows, quad by quad: slow, and made of nothing of the engine's.

use crate::oracle::oracle_rows_of;
use hmac::{Hmac, Mac};
use oxigraph::store::Store;
use oxrdf::vocab::{rdf, xsd};
use oxrdf::{GraphName, Literal, NamedNode, NamedOrBlankNode, Quad, Term};
use oxsdatatypes::{DateTime, Decimal};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::str::FromStr;
use twinlink_core::policy::{
    End, Function, GraphNameKey, Guard, MeasureKind, Named, NodePattern, Part, Recorded, Selector,
    Statistic, Step, TimeUnit, Transformed,
};

pub(super) const KEY: [u8; 32] = [42; 32];

/// Some quads, and the nodes of the patterns of a guard.
pub(super) struct Naive<'a> {
    quads: &'a [Quad],
    nodes: HashMap<String, HashSet<String>>,
}

impl<'a> Naive<'a> {
    pub(super) fn new(quads: &'a [Quad], guard: &Guard) -> Self {
        // The default graph of a pattern is the union of all graphs.
        let store = Store::new().unwrap();
        store.extend(quads.iter().cloned()).unwrap();
        let of_union = quads.iter().cloned().map(|quad| Quad {
            graph_name: GraphName::DefaultGraph,
            ..quad
        });
        store.extend(of_union).unwrap();
        let transformed = guard.layers().flat_map(Guard::transformed);
        let of_parts = transformed.flat_map(|one| &one.steps);
        let of_parts = of_parts.filter_map(|step| match &step.part {
            Part::Nodes(pattern) => Some(pattern),
            _ => None,
        });
        let patterns = guard
            .selectors()
            .filter_map(|selector| selector.nodes.as_ref())
            .chain(of_parts);
        let nodes = patterns.map(|pattern| {
            let nodes = oracle_rows_of(&store, pattern.query().clone());
            (pattern.text().to_owned(), nodes.into_iter().collect())
        });
        Self {
            quads,
            nodes: nodes.collect(),
        }
    }

    /// What the guard shows to a question that names these terms.
    pub(super) fn materialise(&self, guard: &Guard, names: &[Term]) -> Vec<Quad> {
        let layers = guard.layers();
        let as_it_is = guard.as_it_is();
        let plain = as_it_is.layers();
        let plain = plain.flat_map(|layer| self.shown_by(layer, names, &HashSet::new()));
        let plain = plain.collect::<HashSet<_>>();
        let shown = layers.flat_map(|layer| self.shown_by(layer, names, &plain));
        shown.collect::<HashSet<_>>().into_iter().collect()
    }

    /// What a layer shows, and changed only what is not among the quads that are shown as they are.
    fn shown_by(&self, guard: &Guard, names: &[Term], plain: &HashSet<Quad>) -> HashSet<Quad> {
        let covered = |selectors: &[Selector], quad: &Quad| {
            selectors
                .iter()
                .any(|selector| self.selects(selector, quad, names))
        };
        let effective = self
            .quads
            .iter()
            .filter(|quad| !covered(guard.prohibitions(), quad))
            .collect::<HashSet<_>>();
        let mut shown = HashSet::new();
        for quad in &effective {
            if covered(guard.permits(), quad) {
                shown.insert((*quad).clone());
            }
        }
        let selected = |selector: &Selector| {
            effective
                .iter()
                .filter(|quad| self.selects(selector, quad, names))
                .map(|quad| (*quad).clone())
                .collect::<Vec<_>>()
        };
        for Transformed { selector, steps } in guard.transformed() {
            let mut quads = selected(selector);
            quads.retain(|quad| !plain.contains(quad));
            for step in steps {
                quads = self.step(step, quads);
            }
            shown.extend(quads);
        }
        for statistic in guard.statistics() {
            shown.extend(observations(statistic, &selected(&statistic.selector)));
        }
        shown
    }

    fn selects(&self, selector: &Selector, quad: &Quad, names: &[Term]) -> bool {
        let Selector {
            graph,
            property,
            class,
            nodes,
            named,
            recorded,
        } = selector;
        let subject = Term::from(quad.subject.clone());
        let in_graph = match graph {
            None => true,
            Some(GraphNameKey::Default) => quad.graph_name == GraphName::DefaultGraph,
            Some(GraphNameKey::Named(name)) => quad.graph_name == GraphName::from(name.clone()),
        };
        in_graph
            && property.as_ref().is_none_or(|name| *name == quad.predicate)
            && class
                .as_ref()
                .is_none_or(|class| self.is_a(&subject, class))
            && nodes
                .as_ref()
                .is_none_or(|nodes| self.is_node(&subject, nodes))
            && named.is_none_or(|Named { end, is_negated }| {
                let end = match end {
                    End::Subject => &subject,
                    End::Object => &quad.object,
                };
                names.contains(end) != is_negated
            })
            && recorded
                .as_ref()
                .is_none_or(|recorded| self.is_old(&subject, recorded))
    }

    fn is_a(&self, term: &Term, class: &NamedNode) -> bool {
        self.values(term, rdf::TYPE.into_owned())
            .contains(&Term::from(class.clone()))
    }

    fn is_node(&self, term: &Term, pattern: &NodePattern) -> bool {
        self.nodes[pattern.text()].contains(&term.to_string())
    }

    fn is_old(&self, subject: &Term, recorded: &Recorded) -> bool {
        let values = self.values(subject, recorded.property.clone());
        let is_before = |value: &Term| {
            let Term::Literal(literal) = value else {
                return false;
            };
            let has_zone = literal.value().ends_with('Z');
            literal.datatype() == xsd::DATE_TIME
                && has_zone
                && DateTime::from_str(literal.value()).unwrap() <= recorded.until
        };
        !values.is_empty() && values.iter().all(is_before)
    }

    fn values(&self, subject: &Term, predicate: NamedNode) -> Vec<Term> {
        self.quads
            .iter()
            .filter(|quad| Term::from(quad.subject.clone()) == *subject)
            .filter(|quad| quad.predicate == predicate)
            .map(|quad| quad.object.clone())
            .collect()
    }

    fn step(&self, step: &Step, quads: Vec<Quad>) -> Vec<Quad> {
        let meant = |quad: &Quad| -> (bool, bool) {
            let subject = Term::from(quad.subject.clone());
            match &step.part {
                Part::Values(predicates) => (
                    false,
                    predicates.is_empty() || predicates.contains(&quad.predicate),
                ),
                Part::Instances(class) => {
                    (self.is_a(&subject, class), self.is_a(&quad.object, class))
                }
                Part::Nodes(pattern) => (
                    self.is_node(&subject, pattern),
                    self.is_node(&quad.object, pattern),
                ),
            }
        };
        let sharing = |quad: &Quad| {
            let same = quads.iter().filter(|other| {
                (&other.predicate, &other.object) == (&quad.predicate, &quad.object)
            });
            same.map(|other| &other.subject)
                .collect::<HashSet<_>>()
                .len()
        };
        let change = |quad: &Quad| -> Option<Quad> {
            let mut quad = quad.clone();
            let (of_subject, of_object) = meant(&quad);
            match &step.function {
                Function::Suppress => return Some(quad).filter(|_| !of_subject && !of_object),
                Function::SuppressBelow(least) => {
                    let is_common = sharing(&quad) >= *least as usize;
                    return Some(quad).filter(|_| !of_subject && !of_object || is_common);
                }
                _ => {}
            }
            if of_subject {
                quad.subject = match apply(&step.function, &quad.subject.clone().into())? {
                    Term::NamedNode(node) => node.into(),
                    Term::BlankNode(node) => node.into(),
                    Term::Literal(_) => return None,
                };
            }
            if of_object {
                quad.object = apply(&step.function, &quad.object)?;
            }
            Some(quad)
        };
        quads.iter().filter_map(change).collect()
    }
}

fn number(literal: &Literal) -> Option<f64> {
    let is_number = [xsd::INTEGER, xsd::DECIMAL].contains(&literal.datatype());
    is_number.then(|| literal.value().parse().unwrap())
}

fn decimal(value: f64) -> Literal {
    let text = Decimal::from_str(&format!("{value:.6}"))
        .unwrap()
        .to_string();
    Literal::new_typed_literal(text, xsd::DECIMAL)
}

/// Of values that are written as the tests write them.
fn apply(function: &Function, term: &Term) -> Option<Term> {
    if let Function::Mask(text) = function {
        return Some(Literal::new_simple_literal(text).into());
    }
    if let Function::Pseudonymise { recipient, purpose } = function {
        let mut code = Hmac::<Sha256>::new_from_slice(&KEY).unwrap();
        let purpose = purpose.as_ref().map_or(String::new(), ToString::to_string);
        code.update(
            [
                recipient.to_string(),
                purpose,
                term.to_string(),
                String::new(),
            ]
            .join("\n")
            .as_bytes(),
        );
        let digits = hex(&code.finalize().into_bytes()[..16]);
        return Some(match term {
            Term::Literal(_) => Literal::new_simple_literal(digits).into(),
            _ => NamedNode::new_unchecked(format!("urn:pseudonym:{digits}")).into(),
        });
    }
    let Term::Literal(literal) = term else {
        return None;
    };
    let text = literal.value();
    Some(match function {
        Function::Round(of) => {
            let of = of.to_string().parse::<f64>().unwrap();
            let rounded = (number(literal)? / of).round() * of;
            if literal.datatype() == xsd::INTEGER && rounded.fract() == 0.0 {
                Literal::new_typed_literal(format!("{rounded:.0}"), xsd::INTEGER).into()
            } else {
                decimal(rounded).into()
            }
        }
        Function::Truncate(unit) => {
            if literal.datatype() != xsd::DATE_TIME {
                return None;
            }
            let (kept, rest) = match unit {
                TimeUnit::Year => (4, "-01-01T00:00:00"),
                TimeUnit::Month => (7, "-01T00:00:00"),
                TimeUnit::Day => (10, "T00:00:00"),
                TimeUnit::Hour => (13, ":00:00"),
            };
            let text = format!("{}{rest}{}", &text[..kept], &text[19..]);
            Literal::new_typed_literal(text, xsd::DATE_TIME).into()
        }
        Function::Generalise(side) => {
            let side = side.to_string().parse::<f64>().unwrap();
            let point = text.strip_prefix("POINT(")?.strip_suffix(')')?;
            let (x, y) = point.split_once(' ')?;
            let cell = |text: &str| {
                let corner = (text.parse::<f64>().unwrap() / side).floor() * side;
                decimal(corner + side / 2.0).value().to_owned()
            };
            let text = format!("POINT({} {})", cell(x), cell(y));
            Literal::new_typed_literal(text, literal.datatype()).into()
        }
        _ => return None,
    })
}

/// Values by subject, each once.
type Values = HashMap<NamedOrBlankNode, HashSet<Term>>;

fn observations(statistic: &Statistic, quads: &[Quad]) -> Vec<Quad> {
    let values = |property: &NamedNode| {
        let mut values = Values::new();
        for quad in quads.iter().filter(|quad| quad.predicate == *property) {
            let of_subject = values.entry(quad.subject.clone()).or_default();
            of_subject.insert(quad.object.clone());
        }
        values
    };
    let dimensions = statistic.dimensions.iter().map(values).collect::<Vec<_>>();
    let mut groups: BTreeMap<Vec<String>, (Vec<Term>, Vec<NamedOrBlankNode>)> = BTreeMap::new();
    for unit in quads
        .iter()
        .map(|quad| quad.subject.clone())
        .collect::<HashSet<_>>()
    {
        let one = |values: &Values| -> Option<Term> {
            let values = values.get(&unit)?;
            values.iter().next().filter(|_| values.len() == 1).cloned()
        };
        if let Some(group) = dimensions.iter().map(one).collect::<Option<Vec<_>>>() {
            let key = group.iter().map(Term::to_string).collect();
            groups
                .entry(key)
                .or_insert((group, Vec::new()))
                .1
                .push(unit);
        }
    }
    let minimum = statistic.minimum as usize;
    let (mut shown, hidden): (Vec<_>, Vec<_>) = groups
        .into_iter()
        .partition(|(_, (_, units))| units.len() >= minimum);
    let mut hidden = hidden
        .iter()
        .map(|(_, (_, units))| units.len())
        .collect::<Vec<_>>();
    // A stable sort: equals stay in the order of their names.
    shown.sort_by_key(|(_, (_, units))| units.len());
    while !shown.is_empty()
        && !hidden.is_empty()
        && (hidden.iter().sum::<usize>() < minimum || hidden.len() == 1)
    {
        let (_, (_, units)) = shown.remove(0);
        hidden.push(units.len());
    }
    let mut told = Vec::new();
    for (key, (group, units)) in shown {
        let mut digest = Sha256::new();
        key.iter()
            .for_each(|name| digest.update(format!("{name}\n")));
        let name = format!("{}#{}", statistic.name.as_str(), hex(&digest.finalize()));
        let mut say = |predicate: &str, object: Term| {
            told.push(Quad::new(
                NamedNode::new_unchecked(&name),
                NamedNode::new_unchecked(predicate),
                object,
                GraphName::DefaultGraph,
            ));
        };
        let cube = |name| format!("http://purl.org/linked-data/cube#{name}");
        let ours = |name| format!("https://w3id.org/twinlink/ns#{name}");
        say(
            rdf::TYPE.as_str(),
            NamedNode::new_unchecked(cube("Observation")).into(),
        );
        say(&cube("dataSet"), statistic.name.clone().into());
        say(&ours("count"), Literal::from(units.len() as i64).into());
        for (dimension, value) in statistic.dimensions.iter().zip(group) {
            say(dimension.as_str(), value);
        }
        let Some(measure) = &statistic.measure else {
            continue;
        };
        let values = values(&measure.property);
        let having = units
            .iter()
            .filter_map(|unit| values.get(unit))
            .collect::<Vec<_>>();
        let numbers = having.iter().copied().flatten().map(|value| match value {
            Term::Literal(literal) => number(literal),
            _ => None,
        });
        let Some(numbers) = numbers.collect::<Option<Vec<_>>>() else {
            continue;
        };
        if having.len() >= minimum {
            let sum = numbers.iter().sum::<f64>();
            match measure.kind {
                MeasureKind::Sum => say(&ours("sum"), decimal(sum).into()),
                MeasureKind::Average => {
                    say(&ours("average"), decimal(sum / numbers.len() as f64).into());
                }
            }
            say(&ours("measured"), measure.property.clone().into());
        }
    }
    told
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
