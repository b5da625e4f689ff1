use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::cell::Cell;
use std::collections::HashSet;
use std::io::Write;

fn options(syntax: Syntax) -> ReadOptions {
    ReadOptions {
        name: "file".to_owned(),
        syntax,
        base: None,
        graph: GraphName::DefaultGraph,
        named_graphs: true,
        limit: 1_000_000,
    }
}

fn fails(text: &str, syntax: Syntax) -> String {
    read(text.as_bytes(), &options(syntax))
        .unwrap_err()
        .to_string()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const XML: &str = r#"<?xml version="1.0"?>
<!DOCTYPE rdf:RDF [ <!ENTITY ex "http://example.com/"> ]>
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:ex="http://example.com/">
  <rdf:Description rdf:about="&ex;s"><ex:p rdf:resource="http://example.com/o"/></rdf:Description>
</rdf:RDF>"#;

#[test]
fn every_syntax_reads_the_same_triple() {
    let expected = "<http://example.com/s> <http://example.com/p> <http://example.com/o>";
    for (syntax, text) in [
        (
            Syntax::Turtle,
            "@prefix : <http://example.com/> . :s :p :o .",
        ),
        (
            Syntax::NTriples,
            "<http://example.com/s> <http://example.com/p> <http://example.com/o> .",
        ),
        (
            Syntax::NQuads,
            "<http://example.com/s> <http://example.com/p> <http://example.com/o> .",
        ),
        (
            Syntax::TriG,
            "PREFIX : <http://example.com/> { :s :p :o . }",
        ),
        (Syntax::RdfXml, XML),
        (
            Syntax::JsonLd,
            r#"{"@id":"http://example.com/s","http://example.com/p":{"@id":"http://example.com/o"}}"#,
        ),
    ] {
        for bytes in [
            text.as_bytes().to_vec(),
            gzip(text.as_bytes()),
            [b"\xef\xbb\xbf", text.as_bytes()].concat(),
        ] {
            let quads = read(&*bytes, &options(syntax)).unwrap();
            assert_eq!(quads.len(), 1, "{syntax:?}");
            assert_eq!(quads[0].to_string(), expected, "{syntax:?}");
        }
        assert!(
            read(&b""[..], &options(syntax)).map_or(true, |quads| quads.is_empty()),
            "{syntax:?}"
        );
    }
}

#[test]
fn errors_say_file_line_and_column() {
    for (syntax, text, place) in [
        (
            Syntax::Turtle,
            "<http://e/s> <http://e/p> 1 .\n<http://e/s> oops .",
            "file:2:14: ",
        ),
        (
            Syntax::NTriples,
            "\n\n<http://e/s> <http://e/p> 'x' .",
            "file:3:27: ",
        ),
        (
            Syntax::NQuads,
            "<http://e/s> <http://e/p> <not an iri> .",
            "file:1:",
        ),
        (
            Syntax::TriG,
            "<http://e/g> {\n <http://e/s> }",
            "file:2:15: ",
        ),
        (
            Syntax::RdfXml,
            "<rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n  <rdf:Description>\n  </wrong>\n</rdf:RDF>",
            "file:3:10: ",
        ),
        (
            Syntax::JsonLd,
            "{\"@id\": \"http://e/s\",\n \"http://e/p\": oops}",
            "file:2:",
        ),
    ] {
        let error = fails(text, syntax);
        assert!(error.starts_with(place), "{syntax:?}: {error}");
        assert!(!error.contains(" at line "), "{syntax:?}: {error}");
    }
}

// INVARIANT(fresh-blank-nodes)
#[test]
fn fresh_blank_nodes() {
    let text = "_:a <http://e/p> _:b . _:a <http://e/q> [] .";
    let nodes = |quads: &[Quad]| -> HashSet<String> {
        quads
            .iter()
            .flat_map(|quad| [quad.subject.to_string(), quad.object.to_string()])
            .collect()
    };
    let one = read(text.as_bytes(), &options(Syntax::Turtle)).unwrap();
    let two = read(text.as_bytes(), &options(Syntax::Turtle)).unwrap();
    assert_eq!(one[0].subject, one[1].subject);
    assert_eq!(nodes(&one).len(), 3);
    assert!(nodes(&one).is_disjoint(&nodes(&two)));
    assert!(!nodes(&one).contains("_:a"));
}

#[test]
fn triples_go_to_the_target_graph_and_named_graphs_stay() {
    let mut options = options(Syntax::NQuads);
    options.graph = oxrdf::NamedNode::new_unchecked("http://e/target").into();
    let text =
        "<http://e/s> <http://e/p> \"1\" .\n<http://e/s> <http://e/p> \"2\" <http://e/own> .";
    let quads = read(text.as_bytes(), &options).unwrap();
    assert_eq!(quads[0].graph_name.to_string(), "<http://e/target>");
    assert_eq!(quads[1].graph_name.to_string(), "<http://e/own>");
    options.named_graphs = false;
    assert!(read(text.as_bytes(), &options).is_err());
}

#[test]
fn relative_iris_need_a_base() {
    assert!(fails("<s> <p> <o> .", Syntax::Turtle).starts_with("file:1:1: "));
    let mut with_base = options(Syntax::Turtle);
    with_base.base = Some("http://e/dir/".to_owned());
    let quads = read(&b"<s> <p> <o> ."[..], &with_base).unwrap();
    assert_eq!(quads[0].subject.to_string(), "<http://e/dir/s>");
    with_base.base = Some("not absolute".to_owned());
    assert!(matches!(
        read(&b""[..], &with_base),
        Err(IngestError::Base { .. })
    ));
}

#[test]
fn limit_counts_decompressed_bytes() {
    let text = "<http://e/s> <http://e/p> <http://e/o> .\n".repeat(1000);
    let bytes = gzip(text.as_bytes());
    let mut options = options(Syntax::NTriples);
    options.limit = text.len() as u64;
    assert_eq!(read(&*bytes, &options).unwrap().len(), 1000);
    options.limit -= 1;
    assert!(bytes.len() < 1000);
    for bytes in [&*bytes, text.as_bytes()] {
        let error = read(bytes, &options).unwrap_err();
        assert!(
            matches!(error, IngestError::TooLarge { .. }),
            "{error}, {error:?}"
        );
    }
}

#[test]
fn limit_counts_what_prefixes_expand_to() {
    let mut text = format!("@prefix a: <http://e/{}> .\n", "x".repeat(10_000));
    text.push_str(&"a:s a:p a:o .\n".repeat(100));
    let mut options = options(Syntax::Turtle);
    options.limit = 20_000;
    let error = read(text.as_bytes(), &options).unwrap_err();
    assert!(matches!(error, IngestError::TooLarge { what: "terms", .. }));
}

#[test]
fn entities_of_entities_are_refused() {
    let bomb = XML.replace(
        "]>",
        r#"<!ENTITY a "x"> <!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"> ]>"#,
    );
    assert!(fails(&bomb, Syntax::RdfXml).starts_with("file:2:"));
    let hidden = XML.replace(
        "]>",
        r#"<!ENTITY a "<b"> <!ENTITY c "&a;&a;&a;&a;&a;&a;&a;&a;"> ]>"#,
    );
    assert!(fails(&hidden, Syntax::RdfXml).contains("entity"));
}

#[test]
fn remote_contexts_are_not_fetched() {
    let error = fails(
        r#"{"@context":"https://example.com/context.jsonld","@id":"http://e/s","name":"x"}"#,
        Syntax::JsonLd,
    );
    assert!(error.starts_with("file:1:"), "{error}");
    assert!(error.contains("write the context into the file"), "{error}");
}

#[test]
fn broken_compression_is_an_error() {
    let text = "<http://e/s> <http://e/p> <http://e/o> .\n".repeat(10_000);
    let mut bytes = gzip(text.as_bytes());
    bytes.truncate(bytes.len() - 10);
    assert!(matches!(
        read(&*bytes, &options(Syntax::NTriples)),
        Err(IngestError::Read { .. })
    ));
    assert!(read(&b"\x1f\x8bnonsense"[..], &options(Syntax::NTriples)).is_err());
}

#[test]
fn deep_nesting_ends_in_an_answer() {
    let deep = 100_000;
    let turtle = format!(
        "<http://e/s> <http://e/p> {}",
        "[ <http://e/p> ".repeat(deep)
    );
    assert!(read(turtle.as_bytes(), &options(Syntax::Turtle)).is_err());
    let lists = format!("<http://e/s> <http://e/p> {}", "( ".repeat(deep));
    assert!(read(lists.as_bytes(), &options(Syntax::Turtle)).is_err());
    let json = format!("{}1", "{\"http://e/p\":[".repeat(deep / 10));
    assert!(read(json.as_bytes(), &options(Syntax::JsonLd)).is_err());
}

#[test]
fn progress_tells_the_bytes_on_disk() {
    let text = "<http://e/s> <http://e/p> <http://e/o> .\n".repeat(5000);
    let bytes = gzip(text.as_bytes());
    let seen = Cell::new(0);
    let count = quads(&*bytes, &options(Syntax::NTriples), |bytes| seen.set(bytes))
        .unwrap()
        .filter(Result::is_ok)
        .count();
    assert_eq!(count, 5000);
    assert_eq!(seen.get(), bytes.len() as u64);
}

#[test]
fn ends_after_the_first_error() {
    let text = "oops .\n<http://e/s> <http://e/p> <http://e/o> .\n";
    let mut quads = quads(text.as_bytes(), &options(Syntax::NTriples), |_| {}).unwrap();
    assert!(quads.next().unwrap().is_err());
    assert!(quads.next().is_none());
}
