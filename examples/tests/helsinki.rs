//! The Helsinki example by itself: files, policies and questions, without a connector. What a caller gets here, by
//! filtering first and asking one store, the connectors of the demo must give too.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "all of it is a test"
)]

use oxigraph::model::vocab::{rdf, xsd};
use oxigraph::model::{GraphName, Literal, NamedNode, NamedOrBlankNode, Quad, Term};
use oxigraph::sparql::{QueryResults, SparqlEvaluator};
use oxigraph::store::Store;
use oxsdatatypes::DateTime;
use spargeo::GEOSPARQL_EXTENSION_FUNCTIONS;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use twinlink_examples::helsinki::{CITY, POLICE, RESCUE};
use twinlink_ingest::{Kind, ReadOptions, Syntax, read};
use twinlink_policy::{
    Ask, Function, Guard, MeasureKind, Part, Policy, PolicySet, Selector, Statistic, TimeUnit,
    Transformed,
};

const QUESTIONS: [&str; 10] = [
    "1-schools-and-clinics",
    "2-homes",
    "3-hydrants-and-units",
    "4-closed-roads",
    "5-cordons",
    "6-incident-notes",
    "7-people-under-the-plume",
    "8-water-supply",
    "9-residents-in-numbers",
    "10-safety-warnings",
];

struct Member {
    participant: &'static str,
    data: &'static [&'static str],
    policies: &'static str,
}

const MEMBERS: [Member; 3] = [
    Member {
        participant: CITY,
        data: &["city.nq.gz", "scenario/residents.nq.gz"],
        policies: "policies/city.ttl",
    },
    Member {
        participant: RESCUE,
        data: &["rescue.nq.gz", "scenario/rescue.trig"],
        policies: "policies/rescue.ttl",
    },
    Member {
        participant: POLICE,
        data: &["scenario/police.trig"],
        policies: "policies/police.ttl",
    },
];

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("helsinki")
        .join(name)
}

fn node(iri: &str) -> NamedNode {
    NamedNode::new(iri).unwrap()
}

fn term(name: &str) -> NamedNode {
    node(&format!("https://w3id.org/twinlink/ns#{name}"))
}

impl Member {
    fn quads(&self) -> Vec<Quad> {
        self.data
            .iter()
            .flat_map(|name| {
                let Kind::Rdf(syntax) = Kind::from_file_name(name).unwrap() else {
                    panic!("{name} is not RDF");
                };
                let options = ReadOptions {
                    name: (*name).to_owned(),
                    syntax,
                    base: None,
                    graph: GraphName::DefaultGraph,
                    named_graphs: true,
                    limit: 100_000_000,
                };
                read(BufReader::new(File::open(path(name)).unwrap()), &options).unwrap()
            })
            .collect()
    }

    fn policies(&self) -> PolicySet {
        let text = fs::read_to_string(path(self.policies)).unwrap();
        let policies = Policy::parse(&text, Syntax::Turtle.to_format(), None)
            .unwrap_or_else(|errors| panic!("{}: {errors:?}", self.policies));
        PolicySet::compile(node(&format!("{}twin", self.participant)), policies).unwrap()
    }

    /// What is left of the twin when all is deleted that the caller may not see.
    fn visible(&self, caller: &Ask) -> Vec<Quad> {
        match self.policies().decide(caller) {
            Ok(permit) => materialise(permit.guard(), self.quads()),
            Err(_) => Vec::new(),
        }
    }
}

fn materialise(guard: &Guard, quads: Vec<Quad>) -> Vec<Quad> {
    let types: HashSet<(NamedOrBlankNode, Term)> = quads
        .iter()
        .filter(|quad| quad.predicate == rdf::TYPE)
        .map(|quad| (quad.subject.clone(), quad.object.clone()))
        .collect();
    let matches = |selector: &Selector, quad: &Quad| {
        assert!(
            selector.nodes.is_none() && selector.named.is_none() && selector.recorded.is_none()
        );
        selector
            .graph
            .as_ref()
            .is_none_or(|graph| graph.to_graph_name() == quad.graph_name)
            && selector
                .property
                .as_ref()
                .is_none_or(|property| *property == quad.predicate)
            && selector
                .class
                .as_ref()
                .is_none_or(|class| types.contains(&(quad.subject.clone(), class.clone().into())))
    };
    let open: Vec<Quad> = quads
        .into_iter()
        .filter(|quad| !guard.prohibitions().iter().any(|set| matches(set, quad)))
        .collect();
    let selected = |selector: &Selector| -> Vec<Quad> {
        let quads = open.iter().filter(|quad| matches(selector, quad));
        quads.cloned().collect()
    };
    let mut visible: HashSet<Quad> = guard.permits().iter().flat_map(&selected).collect();
    for one in guard.transformed() {
        visible.extend(changed(one, selected(&one.selector)));
    }
    for one in guard.statistics() {
        visible.extend(told(one, &selected(&one.selector)));
    }
    visible.into_iter().collect()
}

/// As far as these policies change anything.
fn changed(transformed: &Transformed, mut quads: Vec<Quad>) -> Vec<Quad> {
    for step in &transformed.steps {
        let Part::Values(properties) = &step.part else {
            panic!("{step:?}");
        };
        for quad in &mut quads {
            if !properties.contains(&quad.predicate) {
                continue;
            }
            let Term::Literal(value) = &quad.object else {
                panic!("{quad}");
            };
            quad.object = match &step.function {
                Function::Mask(text) => Literal::from(text.as_str()).into(),
                Function::Truncate(TimeUnit::Year) => {
                    let (year, _) = value.value().split_once('-').unwrap();
                    Literal::new_typed_literal(format!("{year}-01-01"), xsd::DATE).into()
                }
                other => panic!("{other:?}"),
            };
        }
    }
    quads
}

/// A sum over all, as long as all are enough.
fn told(statistic: &Statistic, quads: &[Quad]) -> Vec<Quad> {
    let units: HashSet<_> = quads.iter().map(|quad| &quad.subject).collect();
    let measure = statistic.measure.as_ref().unwrap();
    assert!(statistic.dimensions.is_empty() && measure.kind == MeasureKind::Sum);
    assert!(units.len() >= statistic.minimum as usize);
    let values = quads
        .iter()
        .filter(|quad| quad.predicate == measure.property);
    let sum: u32 = values.map(|quad| number(&Some(quad.object.clone()))).sum();
    let cube = |name: &str| node(&format!("http://purl.org/linked-data/cube#{name}"));
    let observation = node(&format!("{}#all", statistic.name.as_str()));
    let number = |number: String, datatype| Literal::new_typed_literal(number, datatype);
    let facts: [(NamedNode, Term); 5] = [
        (rdf::TYPE.into_owned(), cube("Observation").into()),
        (cube("dataSet"), statistic.name.clone().into()),
        (term("measured"), measure.property.clone().into()),
        (
            term("count"),
            number(units.len().to_string(), xsd::INTEGER).into(),
        ),
        (term("sum"), number(sum.to_string(), xsd::DECIMAL).into()),
    ];
    facts
        .into_iter()
        .map(|(property, value)| {
            Quad::new(
                observation.clone(),
                property,
                value,
                GraphName::DefaultGraph,
            )
        })
        .collect()
}

fn caller(name: &str) -> Ask {
    let (participant, roles, purpose) = match name {
        "rescue officer" => (RESCUE, vec![term("RescueOfficer")], "EmergencyResponse"),
        "police officer" => (POLICE, vec![term("PoliceOfficer")], "EmergencyResponse"),
        "city planner" => (CITY, vec![term("CityPlanner")], "UrbanPlanning"),
        // Claims the purpose and even the role: it is the participant that counts.
        "outsider" => (
            "https://courier.example/",
            vec![term("RescueOfficer")],
            "EmergencyResponse",
        ),
        _ => panic!("no caller {name}"),
    };
    Ask {
        participant: node(participant),
        subject: name.to_owned(),
        roles,
        purpose: Some(term(purpose)),
        action: node("http://www.w3.org/ns/odrl/2/read"),
        now: "2026-11-20T12:30:00Z".parse::<DateTime>().unwrap(),
    }
}

fn store(quads: Vec<Quad>) -> Store {
    let store = Store::new().unwrap();
    store.extend(quads).unwrap();
    store
}

fn merged() -> Store {
    store(MEMBERS.iter().flat_map(Member::quads).collect())
}

/// The rows, each as its values in the order of the head.
fn ask(store: &Store, query: &str) -> Vec<Vec<Option<Term>>> {
    let mut evaluator = SparqlEvaluator::new();
    for (name, function) in GEOSPARQL_EXTENSION_FUNCTIONS {
        evaluator = evaluator.with_custom_function(name.into_owned(), function);
    }
    let results = evaluator
        .parse_query(query)
        .unwrap()
        .on_store(store)
        .execute()
        .unwrap();
    let QueryResults::Solutions(rows) = results else {
        panic!("not a SELECT");
    };
    rows.map(|row| row.unwrap().values().to_vec()).collect()
}

fn question(name: &str) -> String {
    fs::read_to_string(path(&format!("questions/{name}.rq"))).unwrap()
}

#[test]
fn facts_and_scenario_are_whole() {
    for (member, at_least) in MEMBERS.iter().zip([25_000, 300, 100]) {
        let quads = member.quads();
        assert!(quads.len() >= at_least, "{}", member.participant);
        for quad in quads {
            let graph = quad.graph_name.to_string();
            assert!(
                graph.starts_with(&format!("<{}graph/", member.participant)),
                "{graph} is not a graph of {}",
                member.participant
            );
        }
    }
    let store = merged();
    for (class, count) in [
        ("Building", 448),
        ("School", 3),
        ("Clinic", 3),
        ("Road", 2590),
        ("CarPark", 39),
        ("Hydrant", 37),
        ("FireStation", 1),
        ("HazardousSite", 1),
        ("HazardZone", 3),
        ("RescueUnit", 4),
        ("Cordon", 3),
        ("RoadClosure", 6),
        ("IncidentNote", 4),
        ("SafetyWarning", 2),
    ] {
        let query = format!(
            "SELECT ?x WHERE {{ GRAPH ?g {{ ?x a <https://w3id.org/twinlink/ns#{class}> }} }}"
        );
        assert_eq!(ask(&store, &query).len(), count, "{class}");
    }
}

#[test]
fn what_is_invented_says_so() {
    let query = "SELECT DISTINCT ?g WHERE { GRAPH ?g { ?s ?p ?o }
        FILTER NOT EXISTS { GRAPH ?g { ?g <http://purl.org/dc/terms/description> ?d FILTER(STRSTARTS(?d, \"Scenario, not a fact\")) } }
        FILTER NOT EXISTS { GRAPH ?g { ?s2 <http://www.w3.org/ns/prov#wasDerivedFrom> ?map } } }";
    assert_eq!(ask(&merged(), query), Vec::<Vec<Option<Term>>>::new());
}

#[test]
fn measures_refer_to_things_that_exist() {
    let query = "PREFIX tl: <https://w3id.org/twinlink/ns#>
        SELECT ?x ?y WHERE { GRAPH ?g { ?x tl:concerns ?y } FILTER NOT EXISTS { GRAPH ?h { ?y a ?class } } }";
    assert_eq!(ask(&merged(), query), Vec::<Vec<Option<Term>>>::new());
}

#[test]
fn the_plume_in_the_questions_is_the_one_the_rescue_department_drew() {
    let zones = ask(
        &merged(),
        "PREFIX tl: <https://w3id.org/twinlink/ns#> PREFIX geo: <http://www.opengis.net/ont/geosparql#>
        SELECT (STR(?wkt) AS ?text) WHERE { GRAPH ?g { ?z tl:level \"AEGL-1\" ; geo:hasGeometry/geo:asWKT ?wkt } }",
    );
    let Some(Some(Term::Literal(plume))) = zones[0].first() else {
        panic!("no plume");
    };
    for name in QUESTIONS {
        let text = question(name);
        if text.contains("POLYGON") {
            assert!(text.contains(plume.value()), "{name}");
        }
    }
}

#[test]
fn the_plume_covers_a_school_and_a_clinic_and_homes() {
    let store = merged();
    let rows = ask(&store, &question("1-schools-and-clinics"));
    for class in ["School", "Clinic"] {
        assert!(
            rows.iter().any(|row| row[0] == Some(term(class).into())),
            "{class}"
        );
    }
    let homes = ask(&store, &question("2-homes"));
    let sum = ask(&store, &question("7-people-under-the-plume"));
    let total: u32 = homes.iter().map(|row| number(&row[1])).sum();
    assert_eq!(number(&sum[0][0]) as usize, homes.len());
    assert_eq!(number(&sum[0][1]), total);
    assert!(total > 0);
}

fn number(value: &Option<Term>) -> u32 {
    match value {
        Some(Term::Literal(literal)) => literal.value().parse().unwrap(),
        other => panic!("{other:?} is no number"),
    }
}

#[test]
fn one_cordon_cannot_be_evaluated() {
    let store = merged();
    assert_eq!(ask(&store, &question("5-cordons")).len(), 2);
    let query = "PREFIX geo: <http://www.opengis.net/ont/geosparql#> PREFIX geof: <http://www.opengis.net/def/function/geosparql/>
        SELECT ?wkt WHERE { GRAPH ?g { ?x geo:asWKT ?wkt } FILTER(!BOUND(?none) && !COALESCE(geof:sfIntersects(?wkt, ?wkt), false)) }";
    let unevaluable = ask(&store, query);
    assert_eq!(unevaluable.len(), 1, "{unevaluable:?}");
}

#[test]
fn each_caller_gets_what_the_table_says() {
    let table = fs::read_to_string(path("expected.csv")).unwrap();
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some("question,caller,rows"));
    let mut wrong = Vec::new();
    let mut known = HashSet::new();
    for name in [
        "everything",
        "rescue officer",
        "police officer",
        "city planner",
        "outsider",
    ] {
        let store = match name {
            "everything" => merged(),
            name => store(
                MEMBERS
                    .iter()
                    .flat_map(|member| member.visible(&caller(name)))
                    .collect(),
            ),
        };
        for question_name in QUESTIONS {
            let rows = ask(&store, &question(question_name)).len();
            let line = format!("{question_name},{name},{rows}");
            if !table.lines().any(|expected| expected == line) {
                wrong.push(line.clone());
            }
            known.insert(line);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(lines.all(|line| known.contains(line)));
}

#[test]
fn personal_data_stays_with_the_police() {
    let police = &MEMBERS[2];
    let personal = |quads: &[Quad]| -> HashSet<Term> {
        let quads = quads.iter();
        quads
            .filter(|quad| quad.predicate.as_str().contains("#person"))
            .map(|quad| quad.object.clone())
            .collect()
    };
    let all = personal(&police.quads());
    assert_eq!(all.len(), 6);
    assert_eq!(personal(&police.visible(&caller("police officer"))), all);
    let shown = personal(&police.visible(&caller("rescue officer")));
    // Three years of birth, and one mask for all names.
    assert_eq!(shown.len(), 4);
    assert!(shown.is_disjoint(&all), "{shown:?}");
    for name in ["city planner", "outsider"] {
        assert!(
            personal(&police.visible(&caller(name))).is_empty(),
            "{name}"
        );
    }
}

#[test]
fn planners_are_told_how_many_people_there_are_and_not_where() {
    let city = &MEMBERS[0];
    let planner = store(city.visible(&caller("city planner")));
    let told = ask(&planner, &question("9-residents-in-numbers"));
    let query = "PREFIX tl: <https://w3id.org/twinlink/ns#>
        SELECT (COUNT(?x) AS ?buildings) (SUM(?n) AS ?people) WHERE { GRAPH ?g { ?x tl:residents ?n } }";
    let true_ones = ask(&merged(), query);
    assert_eq!(told.len(), 1);
    for column in 0..2 {
        assert_eq!(number(&told[0][column]), number(&true_ones[0][column]));
    }
    assert_eq!(number(&ask(&planner, query)[0][0]), 0);
}

#[test]
fn who_may_see_nothing_is_denied() {
    for (name, denied) in [
        ("rescue officer", &[][..]),
        ("police officer", &[]),
        ("city planner", &[POLICE]),
        ("outsider", &[RESCUE, POLICE]),
    ] {
        let refused: Vec<&str> = MEMBERS
            .iter()
            .filter(|member| member.policies().decide(&caller(name)).is_err())
            .map(|member| member.participant)
            .collect();
        assert_eq!(refused, denied, "{name}");
    }
}
