//! What is let in is in order: to the limits, and as the profile shows it.

use crate::nodes::{SHACL, compiled, data, select};
use crate::support::{PROFILE, dataset, set};
use oxrdf::{Term, vocab::rdf};
use twinlink_policy::{PROFILE_TURTLE, RdfFormat};
use twinlink_vocab::skos;

fn by(operand: &str, operator: &str, value: &str) -> String {
    format!(
        "[ odrl:leftOperand tl:{operand} ; odrl:operator odrl:{operator} ; odrl:rightOperand {value} ]"
    )
}

/// The least stack of a thread of the connector that evaluates, in bytes.
const WORKER_STACK: usize = 16 << 20;

/// Whatever is let in is compiled on a thread like this one, and evaluated on one like the connector's workers, without
/// running out of stack.
#[test]
fn the_deepest_that_is_let_in_is_evaluated() {
    let data = data("ex:a ex:p ex:a .");
    let mut shape = "[ sh:hasValue ex:a ]".to_owned();
    for _ in 0..6 {
        shape = format!("[ sh:path [ sh:zeroOrMorePath ex:p ] ; sh:property {shape} ]")
            .replace("sh:property [ sh:hasValue", "sh:node [ sh:hasValue");
    }
    let also = format!("ex:s a sh:NodeShape ; sh:property {shape} .");
    let shapes = compiled(&by("shape", "eq", "ex:s"), &also);
    let brackets = format!(
        "'{{ ?this ?p ?x FILTER({}true{}) }}'",
        "(".repeat(10),
        ")".repeat(10)
    );
    let chain = format!("'{{ ?this ?p ?x FILTER({}true) }}'", "true||".repeat(31));
    let sums = format!("'{{ ?this ?p ?x FILTER({}1 > 0) }}'", "1+".repeat(63));
    let groups = format!("'{}{{ ?this ?p ?x }}{}'", "{".repeat(11), "}".repeat(11));
    let exists = format!(
        "'{{ ?this ?p ?x FILTER({}?this ?p ?x{}) }}'",
        "NOT EXISTS { ?this ?p ?x FILTER(".repeat(4) + "EXISTS { ",
        " }".to_owned() + &")}".repeat(4)
    );
    let same = format!(
        "'{{ ?this ?p ?x FILTER({}?x > 1{}) }}'",
        "true = EXISTS { ?this ?p ?x FILTER(".repeat(5),
        ")}".repeat(5)
    );
    let mut patterns = Vec::new();
    for text in [brackets, chain, sums, groups, exists, same] {
        patterns.extend(compiled(&by("pattern", "eq", &text), ""));
    }
    patterns.extend(shapes);
    let worker = std::thread::Builder::new().stack_size(WORKER_STACK);
    let evaluated = worker.spawn(move || {
        for pattern in patterns {
            select(&pattern, &data);
        }
    });
    evaluated.unwrap().join().unwrap();
}

#[test]
fn every_example_of_the_profile_is_in_order() {
    let mut count = 0;
    for quad in oxrdfio::RdfParser::from_format(RdfFormat::Turtle).for_slice(PROFILE_TURTLE) {
        let quad = quad.unwrap();
        let Term::Literal(example) = quad.object else {
            continue;
        };
        if quad.predicate != oxrdf::NamedNode::new_unchecked(format!("{}example", skos::NAMESPACE))
        {
            continue;
        }
        let example = example
            .value()
            .replace("https://example.org/twin", dataset().as_str());
        let target = "odrl:target ex:twin ; odrl:action odrl:read";
        let rule = match example.split_whitespace().next().unwrap() {
            "odrl:permission" => example,
            "odrl:duty" => format!("odrl:permission [ {target} ; {example} ]"),
            _ => format!(
                "odrl:permission [ odrl:target [ odrl:source ex:twin ; odrl:refinement {example} ] ; odrl:action odrl:read ]"
            ),
        };
        set(&format!(
            "@prefix rdf: <{}> . @prefix time: <http://www.w3.org/2006/time#> . @prefix sosa: <http://www.w3.org/ns/sosa/> .
             {SHACL} ex:p a odrl:Set ; {PROFILE} ; {rule} .",
            rdf::TYPE.as_str().trim_end_matches("type")
        ));
        count += 1;
    }
    assert!(count >= 13, "{count}");
}
