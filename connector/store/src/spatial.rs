//! GeoSPARQL functions that count what they could not evaluate: <https://www.ogc.org/standards/geosparql/>.

use oxrdf::{NamedNodeRef, Term};
use rustc_hash::FxHashSet;
use spareval::QueryEvaluator;
use spargeo::GEOSPARQL_EXTENSION_FUNCTIONS;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

/// The most different items that are counted one by one.
const MOST: usize = 100_000;

const FUNCTIONS: &str = "http://www.opengis.net/def/function/geosparql/";

type Function = fn(&[Term]) -> Option<Term>;

/// The different geometries that one evaluation met and could not evaluate.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unevaluable(Arc<Mutex<FxHashSet<Term>>>);

impl Unevaluable {
    /// How many.
    pub(crate) fn count(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    fn add(&self, terms: &[Term]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for term in terms {
            if known.len() < MOST && !known.contains(term) {
                known.insert(term.clone());
            }
        }
    }
}

/// Adds the functions to an evaluator.
pub(crate) fn register(mut evaluator: QueryEvaluator, unevaluable: &Unevaluable) -> QueryEvaluator {
    for (name, function) in GEOSPARQL_EXTENSION_FUNCTIONS {
        let unevaluable = unevaluable.clone();
        let geometries = geometries(name);
        evaluator = evaluator.with_custom_function(name.into_owned(), move |arguments| {
            let value = attempt(function, arguments);
            if value.is_none() {
                let (given, _) = arguments
                    .split_at_checked(geometries)
                    .unwrap_or((arguments, &[]));
                blame(given, &unevaluable);
            }
            value
        });
    }
    evaluator
}

/// An error in SPARQL, which drops a row from a FILTER: the answer's status must say that this happened.
// INVARIANT(nothing-dropped-in-silence): a function without a value counts at least one of its geometries.
fn blame(geometries: &[Term], unevaluable: &Unevaluable) {
    let unreadable = geometries
        .iter()
        .filter(|geometry| !is_readable(geometry))
        .cloned()
        .collect::<Vec<_>>();
    if unreadable.is_empty() {
        unevaluable.add(geometries);
    } else {
        unevaluable.add(&unreadable);
    }
}

/// How many of the function's arguments, from the first on, are geometries.
fn geometries(name: NamedNodeRef<'_>) -> usize {
    const ONE: [&str; 13] = [
        "area",
        "asGeoJSON",
        "centroid",
        "convexHull",
        "coordinateDimension",
        "dimension",
        "envelope",
        "getSRID",
        "isEmpty",
        "isSimple",
        "length",
        "perimeter",
        "spatialDimension",
    ];
    let name = name.as_str().strip_prefix(FUNCTIONS).unwrap_or_default();
    if ONE.contains(&name) { 1 } else { 2 }
}

fn is_readable(term: &Term) -> bool {
    GEOSPARQL_EXTENSION_FUNCTIONS
        .iter()
        .find(|(name, _)| name.as_str().strip_prefix(FUNCTIONS) == Some("getSRID"))
        .is_some_and(|(_, function)| attempt(*function, std::slice::from_ref(term)).is_some())
}

/// Geometry that makes the library panic is geometry that cannot be evaluated.
fn attempt(function: Function, arguments: &[Term]) -> Option<Term> {
    catch_unwind(AssertUnwindSafe(|| function(arguments)))
        .ok()
        .flatten()
}
