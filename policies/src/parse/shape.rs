//! Compiles node shapes of [SHACL Core](https://www.w3.org/TR/shacl/) to sets of nodes.
//!
//! The instances of a shape are the nodes of its targets that conform to it; where it has none, the subjects that do.
//! SHACL takes what cannot be compared for a violation, so a shape has two values, not three. Where the engine cannot tell
//! what SHACL asks (it knows numbers and times by their values, not by how they are written), the result is on the side
//! that is asked for: fewer nodes for a permission, more for a prohibition.

mod component;
mod path;

use super::pattern::polarity::Side;
use super::pattern::{nodes, this};
use super::{MOST_DEPTH, reader::Reader};
use crate::guard::NodePattern;
use component::Values;
use oxrdf::vocab::{rdf, rdfs};
use oxrdf::{NamedNodeRef, NamedOrBlankNode, Term};
use spargebra::algebra::GraphPattern;
use spargebra::{Query, SparqlParser};
use twinlink_vocab::sh;

/// The most bytes of SPARQL that one shape becomes.
const MOST_COMPILED: usize = 32 << 10;
/// The most conditions side by side.
const MOST_CONDITIONS: usize = 64;
/// The most alternatives of one `sh:xone`: each is compared with each.
const MOST_ALTERNATIVES: usize = 6;
/// The most values that `sh:minCount` and `sh:maxCount` can count: each is compared with each.
const MOST_COUNT: u32 = 4;

/// What only says where a shape begins.
const TARGETS: &[NamedNodeRef<'static>] = &[
    sh::TARGET_CLASS,
    sh::TARGET_NODE,
    sh::TARGET_OBJECTS_OF,
    sh::TARGET_SUBJECTS_OF,
];

/// What any shape may say.
const COMPONENTS: &[NamedNodeRef<'static>] = &[
    rdf::TYPE,
    sh::AND,
    sh::CLASS,
    sh::CLOSED,
    sh::DATATYPE,
    sh::DESCRIPTION,
    sh::DISJOINT,
    sh::EQUALS,
    sh::FLAGS,
    sh::HAS_VALUE,
    sh::IGNORED_PROPERTIES,
    sh::IN,
    sh::LANGUAGE_IN,
    sh::MAX_EXCLUSIVE,
    sh::MAX_INCLUSIVE,
    sh::MAX_LENGTH,
    sh::MESSAGE,
    sh::MIN_EXCLUSIVE,
    sh::MIN_INCLUSIVE,
    sh::MIN_LENGTH,
    sh::NAME,
    sh::NODE,
    sh::NODE_KIND,
    sh::NOT,
    sh::OR,
    sh::ORDER,
    sh::PATTERN,
    sh::PROPERTY,
    sh::SEVERITY,
    sh::XONE,
];

/// What a shape with a path may say beside that.
const OF_PATHS: &[NamedNodeRef<'static>] = &[
    sh::LESS_THAN,
    sh::LESS_THAN_OR_EQUALS,
    sh::MAX_COUNT,
    sh::MIN_COUNT,
    sh::PATH,
    sh::UNIQUE_LANG,
];

/// Reads a shape that a refinement names.
pub(super) fn shape(reader: &mut Reader<'_>, term: &Term, side: Side) -> Option<NodePattern> {
    let node = reader.node(term, "tl:shape")?;
    if !reader.is_described(&node) {
        reader.malformed(format_args!(
            "nothing is said about shape {node}: describe it in the document of the policy"
        ));
        return None;
    }
    let mut compiler = Compiler {
        reader,
        inside: Vec::new(),
        variables: 0,
    };
    let targets = compiler.targets(&node)?;
    let condition = compiler.shape(&node, "?this", side)?;
    let text = format!("SELECT ?this WHERE {{ {targets} FILTER({condition}) }}");
    if text.len() > MOST_COMPILED {
        reader.too_many("bytes of one compiled shape", MOST_COMPILED);
        return None;
    }
    match SparqlParser::new().parse_query(&text) {
        Ok(Query::Select {
            pattern: GraphPattern::Project { inner, variables },
            ..
        }) if variables == [this()] => Some(nodes(*inner)),
        Ok(_) => None,
        Err(error) => {
            reader.malformed(format_args!("shape {node} does not compile: {error}"));
            None
        }
    }
}

/// Writes SPARQL: expressions that are true or false, and never an error.
struct Compiler<'r, 'a> {
    reader: &'r mut Reader<'a>,
    /// The shapes and paths that we are in.
    inside: Vec<NamedOrBlankNode>,
    variables: usize,
}

impl Compiler<'_, '_> {
    /// The nodes that are candidates, as a group.
    fn targets(&mut self, node: &NamedOrBlankNode) -> Option<String> {
        let mut groups = Vec::new();
        let mut classes = self.names(node, sh::TARGET_CLASS)?;
        let is_class =
            |term: &Term| matches!(term, Term::NamedNode(class) if *class == rdfs::CLASS);
        if let NamedOrBlankNode::NamedNode(class) = node
            && self.reader.values(node, rdf::TYPE).iter().any(is_class)
        {
            classes.push(class.to_string());
        }
        for class in classes {
            groups.push(format!("{{ {} }}", component::instance("?this", &class)));
        }
        for property in self.names(node, sh::TARGET_SUBJECTS_OF)? {
            let other = self.variable();
            groups.push(format!("{{ ?this {property} {other} }}"));
        }
        for property in self.names(node, sh::TARGET_OBJECTS_OF)? {
            let other = self.variable();
            groups.push(format!("{{ {other} {property} ?this }}"));
        }
        let targets = self.reader.values(node, sh::TARGET_NODE);
        if !targets.is_empty() {
            let targets: Vec<_> = targets
                .iter()
                .map(|term| self.constant(term, sh::TARGET_NODE))
                .collect::<Option<_>>()?;
            groups.push(format!("{{ VALUES ?this {{ {} }} }}", targets.join(" ")));
        }
        if groups.is_empty() {
            let (property, object) = (self.variable(), self.variable());
            groups.push(format!("?this {property} {object}"));
        }
        Some(groups.join(" UNION "))
    }

    /// Whether a node conforms to a shape.
    fn shape(&mut self, node: &NamedOrBlankNode, focus: &str, side: Side) -> Option<String> {
        self.enter(node)?;
        let is_outer = self.inside.len() == 1;
        let has_path = !self.reader.values(node, sh::PATH).is_empty();
        let mut known = COMPONENTS.to_vec();
        if has_path {
            known.extend(OF_PATHS);
        }
        let mut types = vec![sh::NODE_SHAPE];
        if is_outer {
            known.extend(TARGETS);
            types.push(rdfs::CLASS);
        }
        if has_path {
            types = vec![sh::PROPERTY_SHAPE];
        }
        self.reader.understand(node, &known);
        self.reader.check_types(node, &types);
        if is_outer && has_path {
            self.reader.malformed(format_args!(
                "tl:shape names a node shape, and {node} has a path"
            ));
            return None;
        }
        let conforms = match has_path {
            true => self.property(node, focus, side),
            false => self.node(node, focus, side),
        };
        self.inside.pop();
        conforms.filter(|condition| {
            let fits = condition.len() <= MOST_COMPILED;
            if !fits {
                self.reader
                    .too_many("bytes of one compiled shape", MOST_COMPILED);
            }
            fits
        })
    }

    /// Chains of conditions are gone down by whoever evaluates them.
    fn bounded(&mut self, conditions: Vec<String>) -> Option<Vec<String>> {
        if conditions.len() > MOST_CONDITIONS {
            self.reader
                .too_many("conditions of one shape", MOST_CONDITIONS);
            return None;
        }
        Some(conditions)
    }

    fn node(&mut self, node: &NamedOrBlankNode, focus: &str, side: Side) -> Option<String> {
        let mut conditions = self.values(node, focus, side)?;
        conditions.extend(self.of_node(node, focus)?);
        conditions.extend(self.closed(node, focus)?);
        Some(all(self.bounded(conditions)?))
    }

    fn property(&mut self, node: &NamedOrBlankNode, focus: &str, side: Side) -> Option<String> {
        let path = self.reader.exactly_one(node, sh::PATH)?;
        let path = self.path(&path)?;
        let value = self.variable();
        let each = self.values(node, &value, side)?;
        let mut conditions = Vec::new();
        if !each.is_empty() {
            conditions.push(format!(
                "NOT EXISTS {{ {focus} {path} {value} FILTER(!({})) }}",
                all(self.bounded(each)?)
            ));
        }
        let values = Values { focus, path: &path };
        conditions.extend(self.of_values(node, &values)?);
        Some(all(self.bounded(conditions)?))
    }

    /// Goes into a shape or a path; none where that would not end.
    fn enter(&mut self, node: &NamedOrBlankNode) -> Option<()> {
        if self.inside.contains(node) {
            self.reader
                .malformed(format_args!("shape {node} contains itself"));
            return None;
        }
        if self.inside.len() >= MOST_DEPTH {
            self.reader
                .too_many("shapes inside one another", MOST_DEPTH);
            return None;
        }
        self.inside.push(node.clone());
        self.reader.count_constraint().then_some(())
    }

    fn variable(&mut self) -> String {
        self.variables += 1;
        format!("?v{}", self.variables)
    }

    fn names(
        &mut self,
        node: &NamedOrBlankNode,
        property: NamedNodeRef<'_>,
    ) -> Option<Vec<String>> {
        let names = self
            .reader
            .iris(self.reader.values(node, property), property)?;
        Some(names.iter().map(ToString::to_string).collect())
    }

    /// A term that stands for itself; a blank node does not.
    fn constant(&mut self, term: &Term, property: NamedNodeRef<'_>) -> Option<String> {
        if matches!(term, Term::NamedNode(_) | Term::Literal(_)) {
            return Some(term.to_string());
        }
        self.reader.malformed(format_args!(
            "{property} has a blank node, which stands for nothing in the data"
        ));
        None
    }
}

/// All of them hold.
fn all(conditions: Vec<String>) -> String {
    match conditions.len() {
        0 => "true".to_owned(),
        1 => conditions.concat(),
        _ => format!("({})", conditions.join(") && (")),
    }
}

/// One of them holds.
fn any(conditions: &[String]) -> String {
    match conditions {
        [] => "false".to_owned(),
        conditions => format!("({})", conditions.join(") || (")),
    }
}
