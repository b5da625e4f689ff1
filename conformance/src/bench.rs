//! All benchmarks, by name. A figure stands beside another that was measured in the same run.

mod auth;
mod decide;
mod fedshop;
mod guard;
mod leaks;
mod receipts;
mod startup;

pub use fedshop::FedShop;
pub(crate) use fedshop::quads as fedshop_quads;

use crate::library::{Fault, Library};
use serde_json::Value;

/// A named measurement.
#[derive(Debug)]
pub struct Bench {
    /// What the command line calls it.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    run: fn(&Effort) -> Result<Value, Fault>,
}

/// How much is measured, and with what.
#[derive(Debug, Clone)]
pub struct Effort {
    /// Quads in the twin.
    pub quads: usize,
    /// The folder of suites.
    pub library: Library,
    /// Which FedShop data is asked how.
    pub fedshop: FedShop,
}

/// The benchmarks, in the order in which `all` runs them.
pub const BENCHES: &[Bench] = &[
    Bench {
        name: "auth",
        about: "ASK with a token over mutual TLS against a bare tonic echo over the same; the check of a token",
        run: |_| auth::run(),
    },
    Bench {
        name: "decide",
        about: "Decisions by compiled policies, on the cases of odrl-evaluation (--suites)",
        run: |effort| decide::run(&effort.library),
    },
    Bench {
        name: "fedshop",
        about: "The FedShop benchmark over 20 connectors: answers, requests, times (--fedshop, --peers, --in-process, --growth)",
        run: |effort| fedshop::run(&effort.fedshop),
    },
    Bench {
        name: "guard",
        about: "Queries over the guarded view against oxigraph's store without a guard (--quads)",
        run: |effort| guard::run(effort.quads),
    },
    Bench {
        name: "leaks",
        about: "Time that questions about the hidden take, against questions about the absent (--quads)",
        run: |effort| leaks::run(effort.quads),
    },
    Bench {
        name: "receipts",
        about: "Requests with a durable record and a signed receipt, against the same without; fsync measured beside",
        run: |_| receipts::run(),
    },
    Bench {
        name: "startup",
        about: "From the start of `twinlink serve` on an empty twin to its first answer, and idle memory",
        run: |_| startup::run(),
    },
];

impl Bench {
    /// The benchmark of this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        BENCHES.iter().find(|bench| bench.name == name)
    }

    /// Measures. The figures are a JSON object; `"ok": false` in it says that a bound was missed.
    ///
    /// # Errors
    /// A [`Fault`] where it cannot be measured here.
    pub fn run(&self, effort: &Effort) -> Result<Value, Fault> {
        (self.run)(effort)
    }
}

/// Figures as one JSON object that names the benchmark.
pub fn to_json(name: &str, mut figures: Value) -> Value {
    if let Some(fields) = figures.as_object_mut() {
        fields.insert("bench".to_owned(), Value::from(name));
    }
    figures
}

/// Figures as lines for people.
pub fn to_text(name: &str, figures: &Value) -> String {
    let mut lines = Vec::new();
    describe(name, figures, &mut lines);
    lines.join("\n")
}

fn describe(path: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(fields) if fields.values().all(|v| !v.is_object() && !v.is_array()) => {
            let fields = fields
                .iter()
                .map(|(name, v)| format!("{name} {}", plain(v)));
            lines.push(format!("{path}: {}", fields.collect::<Vec<_>>().join(", ")));
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                describe(&format!("{path} {name}"), value, lines);
            }
        }
        Value::Array(values) => {
            for value in values {
                describe(path, value, lines);
            }
        }
        _ => lines.push(format!("{path}: {}", plain(value))),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => {
            format!("{:.3}", number.as_f64().unwrap_or_default())
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn figures_are_told_in_lines() {
        let figures = json!({"shapes": [{"ms": 2}], "ratio": 0.51234});
        let text = to_text("guard", &figures);
        let mut lines: Vec<_> = text.lines().collect();
        // In which order JSON keeps fields is up to the features of others.
        lines.sort_unstable();
        assert_eq!(lines, ["guard ratio: 0.512", "guard shapes: ms 2"]);
    }
}
