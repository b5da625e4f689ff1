//! The hash of a policy: SHA-256 over its graph in RDFC-1.0 canonical form, <https://www.w3.org/TR/rdf-canon/>.

use crate::error::PolicyError;
use oxrdf::{NamedNode, NamedOrBlankNode, Term, Triple};
use sophia_api::MownStr;
use sophia_api::term::{BnodeId, IriRef, LanguageTag, SimpleTerm};
use sophia_c14n::hash::{HashFunction, Sha256};
use sophia_c14n::rdfc10;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;

/// The most work that canonicalization may be, as [`work`] bounds it: some seconds.
///
/// The algorithm is exponential in look-alike blank nodes: <https://www.w3.org/TR/rdf-canon/#dataset-poisoning>.
const MOST_WORK: u64 = 4_000_000;

type Quad = ([SimpleTerm<'static>; 3], Option<SimpleTerm<'static>>);

pub(super) fn hash(policy: &NamedNode, graph: &[Triple]) -> Result<String, PolicyError> {
    let fault = |detail: String| PolicyError::NotCanonical {
        policy: policy.clone(),
        detail,
    };
    if work(graph) > MOST_WORK {
        return Err(fault(
            "too many of its blank nodes look alike: name them, or use odrl:isAnyOf".to_owned(),
        ));
    }
    let quads: HashSet<Quad> = graph
        .iter()
        .map(quad)
        .collect::<Result<_, String>>()
        .map_err(fault)?;
    let mut canonical = Vec::new();
    rdfc10::normalize(&quads, &mut canonical).map_err(|error| fault(error.to_string()))?;
    Ok(digest(&canonical))
}

/// `sha256:` and the digest in lower-case hex.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let mut state = Sha256::initialize();
    state.update(bytes);
    let mut text = String::from("sha256:");
    for byte in state.finalize() {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// A bound on the work of canonicalization: for each tree of blank nodes, the orders in which its look-alikes can
/// stand, times the square of its size, as every step copies what it knows so far.
fn work(graph: &[Triple]) -> u64 {
    let mut about: About<'_> = HashMap::new();
    let mut inner = HashSet::new();
    for triple in graph {
        about.entry(&triple.subject).or_default().push(triple);
        if let (NamedOrBlankNode::BlankNode(_), Term::BlankNode(child)) =
            (&triple.subject, &triple.object)
        {
            inner.insert(NamedOrBlankNode::from(child.clone()));
        }
    }
    let mut known = HashMap::new();
    let roots: Vec<_> = about
        .keys()
        .filter(|node| matches!(node, NamedOrBlankNode::BlankNode(_)) && !inner.contains(**node))
        .copied()
        .collect();
    roots
        .into_iter()
        .map(|root| {
            let tree = tree(root, &about, &mut known);
            tree.size
                .saturating_mul(tree.size)
                .saturating_mul(tree.orders)
        })
        .fold(0, u64::saturating_add)
}

type About<'a> = HashMap<&'a NamedOrBlankNode, Vec<&'a Triple>>;

#[derive(Clone, Copy)]
struct Tree {
    size: u64,
    orders: u64,
}

/// Bounded in depth, as parsing has refused circles, long lists and deep constraints.
fn tree(
    node: &NamedOrBlankNode,
    about: &About<'_>,
    known: &mut HashMap<NamedOrBlankNode, Tree>,
) -> Tree {
    if let Some(tree) = known.get(node) {
        return *tree;
    }
    let mut size: u64 = 1;
    let mut look_alikes: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for triple in about.get(node).into_iter().flatten() {
        let Term::BlankNode(child) = &triple.object else {
            continue;
        };
        let child = child.clone().into();
        let below = tree(&child, about, known);
        size = size.saturating_add(below.size);
        let look = format!("{} {}", triple.predicate, first_sight(&child, about));
        let entry = look_alikes.entry(look).or_insert((0, 0));
        entry.0 += 1;
        entry.1 = entry.1.saturating_add(below.orders);
    }
    let orders = look_alikes
        .into_values()
        .map(|(count, below)| (1..=count).fold(below, u64::saturating_mul))
        .fold(0, u64::saturating_add)
        .max(1);
    let tree = Tree { size, orders };
    known.insert(node.clone(), tree);
    tree
}

/// A node's statements with blank nodes made anonymous, as the first-degree hash sees them.
fn first_sight(node: &NamedOrBlankNode, about: &About<'_>) -> String {
    let mut lines: Vec<_> = about
        .get(node)
        .into_iter()
        .flatten()
        .map(|triple| match &triple.object {
            Term::BlankNode(_) => format!("{} _:z", triple.predicate),
            object => format!("{} {object}", triple.predicate),
        })
        .collect();
    lines.sort();
    lines.join("\n")
}

fn quad(triple: &Triple) -> Result<Quad, String> {
    let subject = match &triple.subject {
        NamedOrBlankNode::NamedNode(name) => iri(name)?,
        NamedOrBlankNode::BlankNode(blank) => bnode(blank)?,
    };
    let object = match &triple.object {
        Term::NamedNode(name) => iri(name)?,
        Term::BlankNode(blank) => bnode(blank)?,
        Term::Literal(literal) => {
            let value = MownStr::from(literal.value().to_owned());
            match literal.language() {
                Some(tag) => SimpleTerm::LiteralLanguage(
                    value,
                    LanguageTag::new(MownStr::from(tag.to_owned())).map_err(|e| e.to_string())?,
                    None,
                ),
                None => {
                    let datatype = MownStr::from(literal.datatype().as_str().to_owned());
                    let datatype = IriRef::new(datatype).map_err(|e| e.to_string())?;
                    SimpleTerm::LiteralDatatype(value, datatype)
                }
            }
        }
        #[allow(unreachable_patterns, reason = "a feature of oxrdf adds triple terms")]
        _ => return Err("it holds a triple term".to_owned()),
    };
    Ok(([subject, iri(&triple.predicate)?, object], None))
}

fn iri(name: &NamedNode) -> Result<SimpleTerm<'static>, String> {
    let text = MownStr::from(name.as_str().to_owned());
    IriRef::new(text)
        .map(SimpleTerm::Iri)
        .map_err(|error| error.to_string())
}

fn bnode(blank: &oxrdf::BlankNode) -> Result<SimpleTerm<'static>, String> {
    let text = MownStr::from(blank.as_str().to_owned());
    BnodeId::new(text)
        .map(SimpleTerm::BlankNode)
        .map_err(|error| error.to_string())
}
