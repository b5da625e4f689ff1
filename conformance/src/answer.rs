//! Answers, as engines give them and as suites expect them.

use crate::library::{Fault, Library};
use crate::manifest::{Node, one_of};
use oxrdf::{BlankNode, Graph, Literal, NamedNode, Term, Variable};
use oxsdatatypes::Double;
use sparesults::{QueryResultsFormat, QueryResultsParser, SliceQueryResultsParserOutput};
use std::path::Path;

/// What a query gave.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    /// ASK.
    Boolean(bool),
    /// CONSTRUCT and DESCRIBE.
    Graph(Graph),
    /// SELECT.
    Table(Table),
}

/// Rows over variables.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    /// The head.
    pub(crate) variables: Vec<Variable>,
    /// A value or none for each variable of the head.
    pub(crate) rows: Vec<Vec<Option<Term>>>,
    /// Whether the order of the rows is part of the answer.
    pub(crate) ordered: bool,
}

impl Answer {
    /// Reads the file of an expected answer, in whichever format its name says.
    pub(crate) fn expected(library: &Library, iri: &NamedNode) -> Result<Self, Fault> {
        let extension = Path::new(iri.as_str()).extension().unwrap_or_default();
        match extension.to_str().unwrap_or_default() {
            "csv" => Ok(Self::Table(Table::from_csv(&library.text(iri)?))),
            "srx" => Self::parse(QueryResultsFormat::Xml, &library.bytes(iri)?),
            "srj" => Self::parse(QueryResultsFormat::Json, &library.bytes(iri)?),
            "tsv" => Self::parse(QueryResultsFormat::Tsv, &library.bytes(iri)?),
            _ => return Ok(Self::from_graph(library.graph(iri)?)),
        }
        .map_err(|error| Fault::content(iri, error))
    }

    /// Reads results in a SPARQL results format other than CSV, which loses what terms are.
    pub(crate) fn parse(format: QueryResultsFormat, bytes: &[u8]) -> Result<Self, String> {
        let parser = QueryResultsParser::from_format(format);
        let output = parser.for_slice(bytes).map_err(|error| error.to_string())?;
        Ok(match output {
            SliceQueryResultsParserOutput::Boolean(value) => Self::Boolean(value),
            SliceQueryResultsParserOutput::Solutions(solutions) => {
                let variables = solutions.variables().to_vec();
                let rows = solutions
                    .map(|row| row.map(|row| row.values().to_vec()))
                    .collect::<Result<_, _>>()
                    .map_err(|error| error.to_string())?;
                Self::Table(Table {
                    variables,
                    rows,
                    ordered: false,
                })
            }
        })
    }

    /// A graph, or the result set that it describes.
    fn from_graph(graph: Graph) -> Self {
        let Some(set) = one_of(&graph, &rs("ResultSet")) else {
            return Self::Graph(graph);
        };
        if let Some(value) = set.one(&rs("boolean")).and_then(|node| node.text()) {
            return Self::Boolean(matches!(value.as_str(), "true" | "1"));
        }
        Self::Table(Table::from_result_set(&set))
    }
}

impl Table {
    /// A result set in RDF: <https://www.w3.org/2001/sw/DataAccess/tests/result-set>.
    fn from_result_set(set: &Node<'_>) -> Self {
        let variables: Vec<_> = set
            .all(&rs("resultVariable"))
            .filter_map(|node| node.text())
            .map(Variable::new_unchecked)
            .collect();
        let mut rows: Vec<_> = set
            .all(&rs("solution"))
            .map(|solution| {
                let index = solution.one(&rs("index")).and_then(|node| node.text());
                let index = index.and_then(|text| text.parse::<u64>().ok());
                (index, row(&solution, &variables))
            })
            .collect();
        let ordered = !rows.is_empty() && rows.iter().all(|(index, _)| index.is_some());
        rows.sort_by_key(|(index, _)| *index);
        let rows = rows.into_iter().map(|(_, row)| row).collect();
        Self {
            variables,
            rows,
            ordered,
        }
    }

    /// CSV as <https://www.w3.org/TR/sparql11-results-csv-tsv/#csv> has it: values are plain texts, but for blank nodes.
    fn from_csv(text: &str) -> Self {
        let mut records = csv(text).into_iter();
        let variables = records.next().unwrap_or_default();
        Self {
            variables: variables.into_iter().map(Variable::new_unchecked).collect(),
            rows: records
                .map(|record| record.into_iter().map(csv_value).collect())
                .collect(),
            ordered: false,
        }
    }

    /// The table as it is after it went through CSV.
    pub(crate) fn through_csv(&self) -> Self {
        let value = |term: &Option<Term>| match term.as_ref()? {
            Term::BlankNode(node) => Some(Term::from(node.clone())),
            Term::NamedNode(name) => csv_value(name.as_str().to_owned()),
            Term::Literal(literal) => csv_value(literal.value().to_owned()),
        };
        Self {
            variables: self.variables.clone(),
            rows: self
                .rows
                .iter()
                .map(|row| row.iter().map(value).collect())
                .collect(),
            ordered: self.ordered,
        }
    }
}

fn row(solution: &Node<'_>, variables: &[Variable]) -> Vec<Option<Term>> {
    let bindings: Vec<_> = solution
        .all(&rs("binding"))
        .filter_map(|node| {
            let variable = node.one(&rs("variable"))?.text()?;
            Some((variable, node.one(&rs("value"))?.term().clone()))
        })
        .collect();
    variables
        .iter()
        .map(|variable| {
            let found = bindings.iter().find(|(name, _)| name == variable.as_str());
            found.map(|(_, term)| term.clone())
        })
        .collect()
}

fn csv_value(cell: String) -> Option<Term> {
    match cell.strip_prefix("_:").map(BlankNode::new) {
        Some(Ok(node)) => Some(node.into()),
        // An empty text and no value look the same in CSV.
        _ if cell.is_empty() => None,
        // The datatype is gone, and with it the reason why `1E6` and `1.0E6` are one value: it is in the exponent.
        _ if cell.contains(['E', 'e']) => {
            let number = cell.parse::<Double>().map(|number| number.to_string());
            Some(Literal::new_simple_literal(number.unwrap_or(cell)).into())
        }
        _ => Some(Literal::new_simple_literal(cell).into()),
    }
}

/// Records of RFC 4180.
fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut quoted = false;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                cell.push('"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => record.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {}
            '\n' if !quoted => {
                record.push(std::mem::take(&mut cell));
                records.push(std::mem::take(&mut record));
            }
            _ => cell.push(character),
        }
    }
    if !record.is_empty() || !cell.is_empty() {
        record.push(cell);
        records.push(record);
    }
    records
}

/// A term of the result set vocabulary.
fn rs(local: &str) -> NamedNode {
    let namespace = "http://www.w3.org/2001/sw/DataAccess/tests/result-set#";
    NamedNode::new_unchecked(format!("{namespace}{local}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxrdf::vocab::rdf;

    #[test]
    fn csv_keeps_quotes_commas_and_line_ends() {
        let records = csv("a,b\r\n\"x,\"\"y\"\"\",\"1\n2\"\r\n,z");
        let expected = [["a", "b"], ["x,\"y\"", "1\n2"], ["", "z"]];
        assert_eq!(records, expected);
    }

    #[test]
    fn result_sets_are_read_from_rdf() {
        let text = r#"
            @prefix rs: <http://www.w3.org/2001/sw/DataAccess/tests/result-set#> .
            [] a rs:ResultSet ; rs:resultVariable "x", "y" ;
               rs:solution [ rs:index 2 ; rs:binding [ rs:variable "x" ; rs:value "b" ] ] ;
               rs:solution [ rs:index 1 ; rs:binding [ rs:variable "y" ; rs:value "a" ] ] .
        "#;
        let graph: Graph = oxrdfio::RdfParser::from_format(oxrdfio::RdfFormat::Turtle)
            .for_slice(text)
            .map(|quad| oxrdf::Triple::from(quad.unwrap()))
            .collect();
        let Answer::Table(table) = Answer::from_graph(graph) else {
            panic!("not a table");
        };
        assert!(table.ordered);
        let x = table
            .variables
            .iter()
            .position(|v| v.as_str() == "x")
            .unwrap();
        assert_eq!(table.rows[0][x], None);
        assert_eq!(table.rows[1][x], Some(Literal::from("b").into()));
    }

    #[test]
    fn rdf_types_of_others_do_not_make_a_result_set() {
        let mut graph = Graph::new();
        let node = NamedNode::new_unchecked("http://example.org/a");
        graph.insert(&oxrdf::Triple::new(node.clone(), rdf::TYPE, node));
        assert!(matches!(Answer::from_graph(graph), Answer::Graph(_)));
    }
}
