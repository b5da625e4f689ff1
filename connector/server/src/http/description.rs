//! SPARQL 1.1 Service Description: <https://www.w3.org/TR/sparql11-service-description/>.
//!
//! Says what the endpoint can do and nothing of the twin: the same for everyone, with no graph's name and no count.

use super::Door;
use super::fault::Fault;
use super::negotiate::{Accept, GRAPHS, content_type};
use axum::response::{IntoResponse as _, Response};
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use oxrdf::vocab::rdf;
use oxrdf::{BlankNode, NamedNode, NamedNodeRef, NamedOrBlankNode, Term, Triple};
use oxrdfio::RdfSerializer;
use sparesults::QueryResultsFormat;
use std::io;
use twinlink_core::{Code, Refusal};
use twinlink_ingest::Syntax;
use twinlink_vocab::sd;

/// The description in the format the client likes best.
pub(super) fn respond(door: &Door, headers: &HeaderMap) -> Result<Response, Fault> {
    let (media_type, syntax) = Accept::of(headers).choose(&GRAPHS)?;
    let body = write(&triples(&door.endpoint()), syntax)
        .map_err(|error| Refusal::new(Code::Internal, "http.description", error))?;
    Ok(([(CONTENT_TYPE, content_type(media_type))], body).into_response())
}

fn write(triples: &[Triple], syntax: Syntax) -> io::Result<Vec<u8>> {
    let mut writer = RdfSerializer::from_format(syntax.to_format())
        .with_prefix("sd", sd::NAMESPACE)
        .map_err(io::Error::other)?
        .for_writer(Vec::new());
    for triple in triples {
        writer.serialize_triple(triple)?;
    }
    writer.finish()
}

fn triples(endpoint: &str) -> Vec<Triple> {
    let service = BlankNode::default();
    let dataset = BlankNode::default();
    let graph = BlankNode::default();
    let mut triples = Vec::new();
    let mut say = |subject: &BlankNode, predicate: NamedNodeRef<'_>, object: Term| {
        let subject = NamedOrBlankNode::from(subject.clone());
        triples.push(Triple::new(subject, predicate.into_owned(), object));
    };
    say(&service, rdf::TYPE, sd::SERVICE.into_owned().into());
    say(
        &service,
        sd::ENDPOINT,
        NamedNode::new_unchecked(endpoint).into(),
    );
    for language in [sd::SPARQL_11_QUERY, sd::SPARQL_11_UPDATE] {
        say(
            &service,
            sd::SUPPORTED_LANGUAGE,
            language.into_owned().into(),
        );
    }
    let results = [
        QueryResultsFormat::Json,
        QueryResultsFormat::Xml,
        QueryResultsFormat::Csv,
        QueryResultsFormat::Tsv,
    ];
    let graphs = Syntax::ALL.map(|syntax| syntax.to_format().iri());
    for format in results
        .map(QueryResultsFormat::iri)
        .into_iter()
        .chain(graphs)
    {
        say(
            &service,
            sd::RESULT_FORMAT,
            NamedNode::new_unchecked(format).into(),
        );
    }
    for format in graphs {
        say(
            &service,
            sd::INPUT_FORMAT,
            NamedNode::new_unchecked(format).into(),
        );
    }
    say(&service, sd::DEFAULT_DATASET, dataset.clone().into());
    say(&dataset, rdf::TYPE, sd::DATASET.into_owned().into());
    say(&dataset, sd::DEFAULT_GRAPH, graph.clone().into());
    say(&graph, rdf::TYPE, sd::GRAPH.into_owned().into());
    triples
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxrdfio::RdfParser;

    #[test]
    fn the_description_reads_back_in_every_format() {
        let triples = triples("https://city.example/sparql");
        for (_, syntax) in GRAPHS {
            let text = write(&triples, syntax).unwrap();
            let read = RdfParser::from_format(syntax.to_format())
                .for_slice(&text)
                .collect::<Result<Vec<_>, _>>()
                .unwrap();
            assert_eq!(read.len(), triples.len(), "{}", syntax.name());
            let endpoint = read.iter().find(|quad| quad.predicate == sd::ENDPOINT);
            assert_eq!(
                endpoint.unwrap().object.to_string(),
                "<https://city.example/sparql>"
            );
        }
    }
}
