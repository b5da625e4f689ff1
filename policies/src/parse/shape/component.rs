//! Constraint components: <https://www.w3.org/TR/shacl/#core-components>.

use super::{Compiler, MOST_ALTERNATIVES, MOST_COUNT, all, any};
use crate::parse::pattern::polarity::Side;
use oxrdf::vocab::{rdf, rdfs, xsd};
use oxrdf::{Literal, NamedNode, NamedNodeRef, NamedOrBlankNode, Term};
use twinlink_vocab::sh;

/// The values of a path from a node.
pub(super) struct Values<'a> {
    pub(super) focus: &'a str,
    pub(super) path: &'a str,
}

impl Values<'_> {
    /// The pattern in which a variable is a value.
    fn are(&self, variable: &str) -> String {
        format!("{} {} {variable} .", self.focus, self.path)
    }
}

/// The pattern in which a node is a SHACL instance of a class: <https://www.w3.org/TR/shacl/#dfn-shacl-instance>.
pub(super) fn instance(node: &str, class: &str) -> String {
    format!("{node} {}/{}* {class} .", rdf::TYPE, rdfs::SUB_CLASS_OF)
}

impl Compiler<'_, '_> {
    /// What holds for each value on its own: of a node shape, for the node.
    pub(super) fn values(
        &mut self,
        node: &NamedOrBlankNode,
        value: &str,
        side: Side,
    ) -> Option<Vec<String>> {
        let mut conditions = Vec::new();
        for class in self.names(node, sh::CLASS)? {
            conditions.push(format!("EXISTS {{ {} }}", instance(value, &class)));
        }
        if let Some(datatype) = self.reader.at_most_one(node, sh::DATATYPE) {
            let datatype = self.reader.iri(&datatype, sh::DATATYPE)?;
            conditions.push(self.datatype(value, &datatype, side)?);
        }
        if let Some(kind) = self.reader.at_most_one(node, sh::NODE_KIND) {
            conditions.push(self.node_kind(value, &kind)?);
        }
        for (property, operator) in [
            (sh::MIN_EXCLUSIVE, ">"),
            (sh::MIN_INCLUSIVE, ">="),
            (sh::MAX_EXCLUSIVE, "<"),
            (sh::MAX_INCLUSIVE, "<="),
        ] {
            if let Some(bound) = self.reader.at_most_one(node, property) {
                let bound = self.literal(&bound, property)?;
                conditions.push(format!("COALESCE({value} {operator} {bound}, false)"));
            }
        }
        conditions.extend(self.lexical(node, value, side)?);
        if let Some(list) = self.reader.at_most_one(node, sh::LANGUAGE_IN) {
            let tags: Vec<_> = self
                .reader
                .list(&list)?
                .iter()
                .map(|tag| self.literal(tag, sh::LANGUAGE_IN))
                .collect::<Option<_>>()?;
            let tags = tags
                .iter()
                .map(|tag| format!("LANGMATCHES(LANG({value}), {tag})"));
            let tags = self.bounded(tags.collect())?;
            conditions.push(format!("COALESCE({}, false)", any(&tags)));
        }
        if let Some(list) = self.reader.at_most_one(node, sh::IN) {
            let terms: Vec<_> = self
                .reader
                .list(&list)?
                .iter()
                .map(|term| self.constant(term, sh::IN))
                .collect::<Option<_>>()?;
            let terms = terms.join(" ");
            conditions.push(format!("EXISTS {{ VALUES {value} {{ {terms} }} }}"));
        }
        conditions.extend(self.logical(node, value, side)?);
        Some(conditions)
    }

    /// Shapes inside the shape.
    fn logical(&mut self, node: &NamedOrBlankNode, value: &str, side: Side) -> Option<Vec<String>> {
        let mut conditions = Vec::new();
        for property in [sh::NODE, sh::PROPERTY] {
            for inner in self.reader.values(node, property) {
                let inner = self.inner(inner, property)?;
                conditions.push(self.shape(&inner, value, side)?);
            }
        }
        for inner in self.reader.values(node, sh::NOT) {
            let inner = self.inner(inner, sh::NOT)?;
            conditions.push(format!("!({})", self.shape(&inner, value, !side)?));
        }
        for list in self.reader.values(node, sh::AND) {
            conditions.push(all(self.list_of_shapes(list, sh::AND, value, side)?));
        }
        for list in self.reader.values(node, sh::OR) {
            conditions.push(any(&self.list_of_shapes(list, sh::OR, value, side)?));
        }
        for list in self.reader.values(node, sh::XONE) {
            let these = self.list_of_shapes(list, sh::XONE, value, side)?;
            if these.len() > MOST_ALTERNATIVES {
                self.reader
                    .too_many("shapes of one sh:xone", MOST_ALTERNATIVES);
                return None;
            }
            let others = self.list_of_shapes(list, sh::XONE, value, !side)?;
            let one = these.iter().enumerate().map(|(at, this)| {
                let others = others.iter().enumerate().filter(|(other, _)| *other != at);
                let others = others.map(|(_, other)| format!("!({other})"));
                all(std::iter::once(this.clone()).chain(others).collect())
            });
            conditions.push(any(&one.collect::<Vec<_>>()));
        }
        Some(conditions)
    }

    fn list_of_shapes(
        &mut self,
        list: &Term,
        property: NamedNodeRef<'_>,
        value: &str,
        side: Side,
    ) -> Option<Vec<String>> {
        let mut conditions = Vec::new();
        for inner in self.reader.list(list)? {
            let inner = self.inner(&inner, property)?;
            conditions.push(self.shape(&inner, value, side)?);
        }
        self.bounded(conditions)
    }

    fn inner(&mut self, term: &Term, property: NamedNodeRef<'_>) -> Option<NamedOrBlankNode> {
        let inner = self.reader.node(term, property)?;
        if property == sh::PROPERTY && self.reader.values(&inner, sh::PATH).is_empty() {
            self.reader
                .malformed(format_args!("{property} has no sh:path"));
            return None;
        }
        if !self.reader.is_described(&inner) {
            self.reader
                .malformed(format_args!("nothing is said about shape {inner}"));
            return None;
        }
        Some(inner)
    }

    /// What holds for all values of a path together.
    pub(super) fn of_values(
        &mut self,
        node: &NamedOrBlankNode,
        values: &Values<'_>,
    ) -> Option<Vec<String>> {
        let mut conditions = Vec::new();
        for term in self.reader.values(node, sh::HAS_VALUE) {
            let term = self.constant(term, sh::HAS_VALUE)?;
            conditions.push(format!("EXISTS {{ {} }}", values.are(&term)));
        }
        if let Some(count) = self.count(node, sh::MIN_COUNT, MOST_COUNT)?
            && count > 0
        {
            conditions.push(self.at_least(count, values));
        }
        if let Some(count) = self.count(node, sh::MAX_COUNT, MOST_COUNT - 1)? {
            conditions.push(format!("!({})", self.at_least(count + 1, values)));
        }
        let (one, other) = (self.variable(), self.variable());
        let (each, focus) = (values.are(&one), values.focus);
        for property in self.names(node, sh::EQUALS)? {
            conditions.push(format!(
                "NOT EXISTS {{ {each} FILTER(NOT EXISTS {{ {focus} {property} {one} }}) }} && \
                 NOT EXISTS {{ {focus} {property} {one} FILTER(NOT EXISTS {{ {each} }}) }}"
            ));
        }
        for property in self.names(node, sh::DISJOINT)? {
            conditions.push(format!("NOT EXISTS {{ {each} {focus} {property} {one} }}"));
        }
        for (property, operator) in [(sh::LESS_THAN, "<"), (sh::LESS_THAN_OR_EQUALS, "<=")] {
            for property in self.names(node, property)? {
                conditions.push(format!(
                    "NOT EXISTS {{ {each} {focus} {property} {other} \
                     FILTER(!COALESCE({one} {operator} {other}, false)) }}"
                ));
            }
        }
        if self.flag(node, sh::UNIQUE_LANG)? {
            conditions.push(format!(
                "NOT EXISTS {{ {each} {} FILTER(!sameTerm({one}, {other}) && \
                 COALESCE(LANG({one}) != \"\" && LCASE(LANG({one})) = LCASE(LANG({other})), false)) }}",
                values.are(&other)
            ));
        }
        Some(conditions)
    }

    /// What holds for a node and its properties, where there is no path.
    pub(super) fn of_node(&mut self, node: &NamedOrBlankNode, focus: &str) -> Option<Vec<String>> {
        let mut conditions = Vec::new();
        for term in self.reader.values(node, sh::HAS_VALUE) {
            let term = self.constant(term, sh::HAS_VALUE)?;
            conditions.push(format!("EXISTS {{ VALUES {focus} {{ {term} }} }}"));
        }
        for property in self.names(node, sh::EQUALS)? {
            let value = self.variable();
            conditions.push(format!(
                "EXISTS {{ {focus} {property} {focus} }} && \
                 NOT EXISTS {{ {focus} {property} {value} FILTER(!sameTerm({value}, {focus})) }}"
            ));
        }
        for property in self.names(node, sh::DISJOINT)? {
            conditions.push(format!("NOT EXISTS {{ {focus} {property} {focus} }}"));
        }
        Some(conditions)
    }

    /// No other properties than those of its `sh:property`: <https://www.w3.org/TR/shacl/#ClosedConstraintComponent>.
    pub(super) fn closed(
        &mut self,
        node: &NamedOrBlankNode,
        focus: &str,
    ) -> Option<Option<String>> {
        let ignored = match self.reader.at_most_one(node, sh::IGNORED_PROPERTIES) {
            Some(list) => self.reader.list(&list)?,
            None => Vec::new(),
        };
        let mut known = self.reader.iris(&ignored, sh::IGNORED_PROPERTIES)?;
        if !self.flag(node, sh::CLOSED)? {
            return Some(None);
        }
        for property in self.reader.values(node, sh::PROPERTY) {
            let property = self.reader.node(property, sh::PROPERTY)?;
            for path in self.reader.values(&property, sh::PATH) {
                if let Term::NamedNode(path) = path {
                    known.push(path.clone());
                }
            }
        }
        let known: Vec<_> = known.iter().map(ToString::to_string).collect();
        let (property, value) = (self.variable(), self.variable());
        Some(Some(format!(
            "NOT EXISTS {{ {focus} {property} {value} FILTER({property} NOT IN ({})) }}",
            known.join(", ")
        )))
    }

    /// So many different values, or more.
    fn at_least(&mut self, count: u32, values: &Values<'_>) -> String {
        let variables: Vec<_> = (0..count).map(|_| self.variable()).collect();
        let each: Vec<_> = variables.iter().map(|value| values.are(value)).collect();
        let pairs = variables.iter().enumerate().flat_map(|(at, one)| {
            let others = variables.iter().skip(at + 1);
            others.map(move |other| format!("!sameTerm({one}, {other})"))
        });
        let pairs = all(pairs.collect());
        format!("EXISTS {{ {} FILTER({pairs}) }}", each.join(" "))
    }

    /// The engine knows a literal of a known type by its value: how it was written, and from which of the types that
    /// share values it is, is sure only if writing the value anew gives the same term.
    fn datatype(&mut self, value: &str, datatype: &NamedNode, side: Side) -> Option<String> {
        let is_valid = match datatype.as_ref() {
            rdf::LANG_STRING => return Some(format!("COALESCE(LANG({value}) != \"\", false)")),
            xsd::DOUBLE | xsd::FLOAT | xsd::DECIMAL | xsd::INTEGER => format!("isNumeric({value})"),
            xsd::BOOLEAN
            | xsd::DATE
            | xsd::DATE_TIME
            | xsd::DAY_TIME_DURATION
            | xsd::DURATION
            | xsd::TIME
            | xsd::YEAR_MONTH_DURATION => {
                format!("{datatype}(STR({value})) = {datatype}(STR({value}))")
            }
            other
                if other.as_str().starts_with(XSD)
                    && other != xsd::STRING
                    && other != xsd::ANY_URI =>
            {
                self.reader.unsupported(
                    datatype,
                    "as a sh:datatype it cannot be told from the type that it is derived from: use that one",
                );
                return None;
            }
            _ => "true".to_owned(),
        };
        let is_shared = [xsd::INTEGER, xsd::DATE_TIME].contains(&datatype.as_ref());
        let shared = match (is_shared, side) {
            (true, Side::Under) => {
                format!(" && sameTerm({value}, STRDT(STR({value}), {datatype}))")
            }
            _ => String::new(),
        };
        Some(format!(
            "COALESCE(DATATYPE({value}) = {datatype} && {is_valid}{shared}, false)"
        ))
    }

    fn node_kind(&mut self, value: &str, kind: &Term) -> Option<String> {
        let kind = self.reader.iri(kind, sh::NODE_KIND)?;
        let tests: &[&str] = match kind.as_ref() {
            sh::IRI => &["isIRI"],
            sh::BLANK_NODE => &["isBlank"],
            sh::LITERAL => &["isLiteral"],
            sh::BLANK_NODE_OR_IRI => &["isBlank", "isIRI"],
            sh::BLANK_NODE_OR_LITERAL => &["isBlank", "isLiteral"],
            sh::IRI_OR_LITERAL => &["isIRI", "isLiteral"],
            _ => {
                self.reader.unsupported(&kind, "it is no sh:nodeKind");
                return None;
            }
        };
        let tests: Vec<_> = tests
            .iter()
            .map(|test| format!("{test}({value})"))
            .collect();
        Some(any(&tests))
    }

    /// What is asked of the text of a value. Numbers and times are known by their value: their text is sure only if
    /// writing the value anew gives the same term.
    fn lexical(&mut self, node: &NamedOrBlankNode, value: &str, side: Side) -> Option<Vec<String>> {
        let mut tests = Vec::new();
        for (property, operator) in [(sh::MIN_LENGTH, ">="), (sh::MAX_LENGTH, "<=")] {
            if let Some(length) = self.count(node, property, u32::MAX)? {
                tests.push(format!("STRLEN(STR({value})) {operator} {length}"));
            }
        }
        let flags = match self.reader.at_most_one(node, sh::FLAGS) {
            Some(flags) => self.text(&flags, sh::FLAGS)?,
            None => Literal::from(""),
        };
        for pattern in self.reader.values(node, sh::PATTERN) {
            let pattern = self.text(pattern, sh::PATTERN)?;
            self.check_regex(&pattern, &flags)?;
            tests.push(format!("REGEX(STR({value}), {pattern}, {flags})"));
        }
        let sure = format!(
            "(isIRI({value}) || LANG({value}) != \"\" || sameTerm({value}, STRDT(STR({value}), DATATYPE({value}))))"
        );
        let sure = format!("COALESCE({sure}, false)");
        let tests = tests.into_iter().map(|test| {
            let test = format!("COALESCE({test}, false)");
            match side {
                Side::Under => format!("{sure} && {test}"),
                Side::Over => format!("!isBlank({value}) && ({test} || !{sure})"),
            }
        });
        Some(tests.collect())
    }

    /// A pattern that does not compile would match nothing, so that a prohibition by it would withhold nothing.
    fn check_regex(&mut self, pattern: &Literal, flags: &Literal) -> Option<()> {
        let mut builder = regex::RegexBuilder::new(pattern.value());
        builder.size_limit(MOST_REGEX);
        let are_known = flags.value().chars().all(|flag| {
            match flag {
                's' => builder.dot_matches_new_line(true),
                'm' => builder.multi_line(true),
                'i' => builder.case_insensitive(true),
                'x' => builder.ignore_whitespace(true),
                _ => return false,
            };
            true
        });
        if !are_known {
            self.reader
                .malformed(format_args!("sh:flags {flags} are not among s, m, i and x"));
            return None;
        }
        if builder.build().is_err() {
            self.reader
                .malformed(format_args!("sh:pattern {pattern} does not compile"));
            return None;
        }
        Some(())
    }

    fn literal(&mut self, term: &Term, property: NamedNodeRef<'_>) -> Option<String> {
        if matches!(term, Term::Literal(_)) {
            return Some(term.to_string());
        }
        self.reader
            .malformed(format_args!("{property} must be a literal, it is {term}"));
        None
    }

    fn text(&mut self, term: &Term, property: NamedNodeRef<'_>) -> Option<Literal> {
        match term {
            Term::Literal(text) if text.datatype() == xsd::STRING => Some(text.clone()),
            _ => {
                self.reader
                    .malformed(format_args!("{property} must be a string, it is {term}"));
                None
            }
        }
    }

    fn flag(&mut self, node: &NamedOrBlankNode, property: NamedNodeRef<'_>) -> Option<bool> {
        match self.reader.at_most_one(node, property) {
            None => Some(false),
            Some(Term::Literal(literal)) if literal == Literal::from(true) => Some(true),
            Some(Term::Literal(literal)) if literal == Literal::from(false) => Some(false),
            Some(term) => {
                self.reader
                    .malformed(format_args!("{property} is true or false, not {term}"));
                None
            }
        }
    }

    /// None inside where it is not given.
    fn count(
        &mut self,
        node: &NamedOrBlankNode,
        property: NamedNodeRef<'_>,
        most: u32,
    ) -> Option<Option<u32>> {
        let Some(term) = self.reader.at_most_one(node, property) else {
            return Some(None);
        };
        let count = match &term {
            Term::Literal(literal) if literal.datatype() == xsd::INTEGER => {
                literal.value().parse::<u32>().ok()
            }
            _ => None,
        };
        if count.is_none_or(|count| count > most) {
            self.reader.malformed(format_args!(
                "{property} is a whole number up to {most}, not {term}"
            ));
            return None;
        }
        Some(count)
    }
}

const XSD: &str = "http://www.w3.org/2001/XMLSchema#";

/// The most that a compiled regular expression may take, in bytes: the engine's own limit is the same.
const MOST_REGEX: usize = 1_000_000;
