//! Paths of SHACL as property paths of SPARQL: <https://www.w3.org/TR/shacl/#property-paths>.

use super::Compiler;
use oxrdf::vocab::rdf;
use oxrdf::{NamedNode, NamedNodeRef, NamedOrBlankNode, Term};
use twinlink_vocab::sh;

/// The most steps of one path.
const MOST_STEPS: usize = 16;

/// Kinds of paths that have one path inside, with what is written before and after it.
const AROUND: &[(NamedNodeRef<'static>, &str, &str)] = &[
    (sh::INVERSE_PATH, "^", ""),
    (sh::ZERO_OR_MORE_PATH, "", "*"),
    (sh::ONE_OR_MORE_PATH, "", "+"),
    (sh::ZERO_OR_ONE_PATH, "", "?"),
];

impl Compiler<'_, '_> {
    /// In brackets where it is not one predicate.
    pub(super) fn path(&mut self, path: &Term) -> Option<String> {
        if let Term::NamedNode(predicate) = path
            && *predicate != rdf::NIL
        {
            return Some(predicate.to_string());
        }
        let node = self.reader.node(path, "sh:path")?;
        self.enter(&node)?;
        let written = self.complex(&node, path);
        self.inside.pop();
        written
    }

    fn complex(&mut self, node: &NamedOrBlankNode, path: &Term) -> Option<String> {
        if !self.reader.values(node, rdf::FIRST).is_empty() {
            let steps = self.reader.list(path)?;
            return self.joined(&steps, "/");
        }
        let kinds = [sh::ALTERNATIVE_PATH];
        let around = AROUND.iter().map(|(kind, _, _)| *kind);
        let known: Vec<_> = kinds.into_iter().chain(around).collect();
        self.reader.understand(node, &known);
        let mut given = known.iter();
        let given: Vec<&NamedNodeRef<'_>> = given
            .by_ref()
            .filter(|kind| !self.reader.values(node, **kind).is_empty())
            .collect();
        let [kind] = given.as_slice() else {
            self.reader.malformed(format_args!(
                "a sh:path is one path, here are {}",
                given.len()
            ));
            return None;
        };
        let kind: NamedNode = (**kind).into_owned();
        let inner = self.reader.exactly_one(node, kind.as_ref())?;
        if kind == sh::ALTERNATIVE_PATH {
            let steps = self.reader.list(&inner)?;
            return self.joined(&steps, "|");
        }
        let (_, before, after) = AROUND.iter().find(|(one, _, _)| *one == kind)?;
        let inner = self.path(&inner)?;
        Some(format!("({before}{inner}{after})"))
    }

    fn joined(&mut self, steps: &[Term], with: &str) -> Option<String> {
        if steps.len() > MOST_STEPS {
            self.reader.too_many("steps of one path", MOST_STEPS);
            return None;
        }
        let steps: Vec<_> = steps
            .iter()
            .map(|step| self.path(step))
            .collect::<Option<_>>()?;
        Some(format!("({})", steps.join(with)))
    }
}
