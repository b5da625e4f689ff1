use super::*;
use proptest::prelude::*;

type Fault = fn(&mut v1::Batch);

fn term() -> impl Strategy<Value = Term> {
    let text = "[\\PC\\n\\t\"\\\\]{0,12}";
    prop_oneof![
        "[a-z]{1,8}".prop_map(|path| {
            NamedNode::new(format!("https://city.example/{path}"))
                .unwrap()
                .into()
        }),
        "[a-z][a-z0-9]{0,6}".prop_map(|label| BlankNode::new(label).unwrap().into()),
        text.prop_map(|value| Literal::new_simple_literal(value).into()),
        (text, "[a-zA-Z]{2,3}(-[a-zA-Z]{2})?").prop_map(|(value, language)| {
            Literal::new_language_tagged_literal(value, language)
                .unwrap()
                .into()
        }),
        (text, "[a-z]{1,8}").prop_map(|(value, name)| {
            let datatype = NamedNode::new(format!("https://city.example/type/{name}")).unwrap();
            Literal::new_typed_literal(value, datatype).into()
        }),
    ]
}

fn rows() -> impl Strategy<Value = (usize, Vec<Row>)> {
    (0_usize..5).prop_flat_map(|width| {
        let row = (
            prop::collection::vec(prop::option::of(term()), width),
            prop::collection::vec(0_u16..5, 0..3),
        )
            .prop_map(|(values, sources)| Row {
                values,
                sources: sources.into(),
            });
        (Just(width), prop::collection::vec(row, 0..40))
    })
}

fn encode(rows: &[Row]) -> v1::Batch {
    let mut encoder = Encoder::default();
    for row in rows {
        encoder.push(row.values.iter().cloned(), Some(&row.sources));
    }
    encoder.finish()
}

fn batch() -> v1::Batch {
    encode(&[
        Row {
            values: vec![Some(Literal::from("a").into()), None],
            sources: Arc::new([0]),
        },
        Row {
            values: vec![None, Some(Literal::from("b").into())],
            sources: Arc::new([0, 1]),
        },
    ])
}

proptest! {
    #[test]
    fn decoding_gives_back_what_was_encoded((width, rows) in rows()) {
        prop_assert_eq!(decode(encode(&rows), width).unwrap(), rows);
    }

    #[test]
    fn an_encoder_starts_over_after_each_batch((width, rows) in rows()) {
        let mut encoder = Encoder::default();
        for row in &rows {
            encoder.push(row.values.iter().cloned(), Some(&row.sources));
            prop_assert_eq!(decode(encoder.finish(), width).unwrap(), vec![row.clone()]);
            prop_assert!(encoder.is_empty());
        }
    }

    #[test]
    fn the_estimate_of_the_size_is_not_too_small((_, rows) in rows()) {
        let mut encoder = Encoder::default();
        for row in &rows {
            encoder.push(row.values.iter().cloned(), Some(&row.sources));
        }
        let estimate = encoder.bytes;
        let size = prost::Message::encoded_len(&encoder.finish());
        prop_assert!(estimate + 16 >= size, "{estimate} for {size}");
    }

    /// Whatever arrives, decoding ends without a panic and with rows of the right width.
    #[test]
    fn garbage_is_an_error_or_well_formed(
        values in prop::collection::vec(0_u32..6, 0..12),
        rows in 0_u32..6,
        width in 0_usize..4,
        terms in prop::collection::vec((0..4, "\\PC{0,6}", "\\PC{0,6}"), 0..4),
        sets in prop::collection::vec(prop::collection::vec(0_u32..70_000, 0..3), 0..3),
        row_sources in prop::collection::vec(0_u32..4, 0..6),
    ) {
        let batch = v1::Batch {
            terms: terms.into_iter().map(|(kind, a, b)| v1::Term {
                kind: match kind {
                    0 => Some(v1::term::Kind::Iri(a)),
                    1 => Some(v1::term::Kind::BlankNode(a)),
                    2 => Some(v1::term::Kind::Literal(v1::Literal { value: a, datatype: b, language: String::new() })),
                    _ => None,
                },
            }).collect(),
            values,
            rows,
            source_sets: sets.into_iter().map(|sources| v1::SourceSet { sources }).collect(),
            row_sources,
        };
        match decode(batch, width) {
            Ok(decoded) => {
                prop_assert_eq!(decoded.len(), rows as usize);
                prop_assert!(decoded.iter().all(|row| row.values.len() == width));
            }
            Err(error) => prop_assert!(matches!(error, Error::Nonsense(_))),
        }
    }
}

#[test]
fn a_term_is_sent_once_per_batch() {
    let same: Option<Term> = Some(NamedNode::new("https://city.example/a").unwrap().into());
    let mut encoder = Encoder::default();
    for _ in 0..3 {
        encoder.push([same.clone(), same.clone()], None);
    }
    let batch = encoder.finish();
    assert_eq!((batch.terms.len(), batch.values.len()), (1, 6));
}

#[test]
fn a_long_term_in_many_rows_fills_a_batch_and_is_no_bomb() {
    let long: Term = Literal::from("a".repeat(1 << 20)).into();
    let mut encoder = Encoder::default();
    while !encoder.is_full() {
        encoder.push([Some(long.clone())], None);
    }
    assert!(!encoder.is_too_large());
    let mut batch = encoder.finish();
    assert!(batch.rows < 10);
    batch.values = vec![1; 200];
    batch.rows = 200;
    let error = decode(batch, 1).unwrap_err().to_string();
    assert!(error.contains("unpacks"), "{error}");
}

#[test]
fn a_row_larger_than_a_message_is_known_before_it_is_sent() {
    let mut encoder = Encoder::default();
    let long: Term = Literal::from("a".repeat(MESSAGE_BYTES)).into();
    encoder.push([Some(long)], None);
    assert!(encoder.is_full() && encoder.is_too_large());
}

#[test]
fn rows_with_one_source_set_carry_no_numbers() {
    let sources: Sources = Arc::new([2]);
    let mut encoder = Encoder::default();
    encoder.push([], Some(&sources));
    encoder.push([], Some(&Sources::from([2])));
    let batch = encoder.finish();
    assert!(batch.row_sources.is_empty());
    let rows = decode(batch, 0).unwrap();
    assert!(rows.iter().all(|row| row.sources == sources));
    assert_eq!(rows.len(), 2);
}

#[test]
fn malformed_batches_are_named() {
    let faults: [(&str, Fault); 10] = [
        ("5000 rows", |batch| batch.rows = 5000),
        ("values for 3 rows", |batch| batch.rows = 3),
        ("term 9", |batch| batch.values[0] = 9),
        ("without a kind", |batch| batch.terms[0].kind = None),
        ("`no iri` as an IRI", |batch| {
            batch.terms[0].kind = Some(v1::term::Kind::Iri("no iri".into()));
        }),
        ("blank node", |batch| {
            batch.terms[0].kind = Some(v1::term::Kind::BlankNode("a b".into()));
        }),
        ("language tag", |batch| {
            batch.terms[0].kind = Some(v1::term::Kind::Literal(v1::Literal {
                language: "not a tag".into(),
                ..v1::Literal::default()
            }));
        }),
        ("source number 70000", |batch| {
            batch.source_sets[0].sources = vec![70_000]
        }),
        ("source set 7", |batch| batch.row_sources = vec![0, 7]),
        ("sources of 1 rows", |batch| batch.row_sources = vec![0]),
    ];
    for (word, fault) in faults {
        let mut batch = batch();
        fault(&mut batch);
        let error = decode(batch, 2).unwrap_err().to_string();
        assert!(error.contains(word), "{error} should say {word}");
    }
}

#[test]
fn only_rows_that_make_a_triple_become_one() {
    let iri: Term = NamedNode::new("https://city.example/a").unwrap().into();
    let text: Term = Literal::from("a").into();
    let row = |values: [Option<&Term>; 3]| Row {
        values: values.map(Option::<&Term>::cloned).into(),
        sources: Sources::default(),
    };
    let good = row([Some(&iri), Some(&iri), Some(&text)]);
    assert!(good.is_triple() && good.into_triple().is_some());
    for bad in [
        row([Some(&text), Some(&iri), Some(&text)]),
        row([Some(&iri), Some(&text), Some(&text)]),
        row([Some(&iri), Some(&iri), None]),
    ] {
        assert!(!bad.is_triple() && bad.into_triple().is_none());
    }
}
