//! What a suite says at its end.

use crate::library::Fault;
use serde_json::{Value, json};

/// How one case went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As the suite expects.
    Passed,
    /// Otherwise, and how.
    Failed(String),
    /// Not judged, and why.
    Skipped(String),
}

/// How all cases of a suite went.
#[derive(Debug, Clone)]
pub struct Report {
    /// The suite's name.
    pub suite: &'static str,
    /// The cases by their ids, in the order in which they ran.
    pub cases: Vec<(String, Verdict)>,
    /// Why there are none, where the suite did not run.
    pub note: Option<String>,
    /// Counts beside those of the cases, by name.
    pub counts: Vec<(&'static str, usize)>,
}

impl Report {
    /// The report of a suite whose folder is not there.
    pub fn not_found(suite: &'static str) -> Self {
        Self {
            suite,
            cases: Vec::new(),
            note: Some("skipped: not found".to_owned()),
            counts: Vec::new(),
        }
    }

    /// The report of a suite that ran.
    pub fn of(suite: &'static str, cases: Vec<(String, Verdict)>) -> Self {
        Self {
            suite,
            cases,
            note: None,
            counts: Vec::new(),
        }
    }

    /// With a count of its own.
    #[must_use]
    pub fn with(mut self, name: &'static str, count: usize) -> Self {
        self.counts.push((name, count));
        self
    }

    /// The report of a suite that could not run to its end: that is a failure too.
    pub fn broken(suite: &'static str, fault: &Fault) -> Self {
        let case = "the suite itself".to_owned();
        Self::of(suite, vec![(case, Verdict::Failed(fault.to_string()))])
    }

    /// How many cases passed.
    pub fn passed(&self) -> usize {
        let cases = self.cases.iter();
        cases.filter(|(_, v)| *v == Verdict::Passed).count()
    }

    /// The cases that failed, with how.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &str)> {
        self.cases
            .iter()
            .filter_map(|(case, verdict)| match verdict {
                Verdict::Failed(reason) => Some((case.as_str(), reason.as_str())),
                _ => None,
            })
    }

    /// The cases that were skipped, with why.
    pub fn skips(&self) -> impl Iterator<Item = (&str, &str)> {
        self.cases
            .iter()
            .filter_map(|(case, verdict)| match verdict {
                Verdict::Skipped(reason) => Some((case.as_str(), reason.as_str())),
                _ => None,
            })
    }

    /// One JSON object: `suite passed failed skipped total failures`, a failure as `case reason`.
    pub fn to_json(&self) -> Value {
        let failures: Vec<Value> = self
            .failures()
            .map(|(case, reason)| json!({"case": case, "reason": reason}))
            .collect();
        json!({
            "suite": self.suite,
            "passed": self.passed(),
            "failed": failures.len(),
            "skipped": self.skips().count(),
            "total": self.cases.len(),
            "failures": failures,
        })
    }

    /// What else there is to say, a line each: why cases were skipped, the suite's own counts, why it did not run.
    pub fn remarks(&self) -> Vec<String> {
        let note = self.note.iter().map(ToString::to_string);
        let skips = self.skips();
        let skips = skips.map(|(case, reason)| format!("skipped {case}: {reason}"));
        let counts = self.counts.iter();
        let counts = counts.map(|(name, count)| format!("{name} {count}"));
        let all = note.chain(skips).chain(counts);
        all.map(|line| format!("{}: {line}", self.suite)).collect()
    }

    /// Lines for people, without a line end after the last.
    pub fn to_text(&self) -> String {
        let failures = self.failures();
        let failures =
            failures.map(|(case, reason)| format!("{}: FAILED {case}: {reason}", self.suite));
        let mut lines: Vec<String> = failures.chain(self.remarks()).collect();
        if self.note.is_some() {
            return lines.join("\n");
        }
        lines.push(format!(
            "{}: {} passed, {} failed, {} skipped",
            self.suite,
            self.passed(),
            self.failures().count(),
            self.skips().count()
        ));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up() {
        let cases = vec![
            ("a".to_owned(), Verdict::Passed),
            ("b".to_owned(), Verdict::Failed("wrong".to_owned())),
            ("c".to_owned(), Verdict::Skipped("no such thing".to_owned())),
            ("d".to_owned(), Verdict::Passed),
        ];
        let report = Report::of("s", cases);
        let json = report.to_json();
        assert_eq!(json["passed"], 2);
        assert_eq!(json["failed"], 1);
        assert_eq!(json["skipped"], 1);
        assert_eq!(json["total"], 4);
        assert_eq!(json["failures"][0]["case"], "b");
        let keys: Vec<&str> = json
            .as_object()
            .unwrap()
            .keys()
            .map(|key| key.as_str())
            .collect();
        let told = ["suite", "passed", "failed", "skipped", "total", "failures"];
        assert_eq!(keys.len(), told.len(), "{keys:?}");
        assert!(told.iter().all(|key| keys.contains(key)), "{keys:?}");
        assert_eq!(report.remarks(), ["s: skipped c: no such thing"]);
        assert!(
            report
                .to_text()
                .ends_with("s: 2 passed, 1 failed, 1 skipped")
        );
    }

    #[test]
    fn a_suite_that_cannot_run_is_a_failure() {
        let report = Report::broken("s", &Fault::Target("gone".to_owned()));
        assert_eq!(report.to_json()["failed"], 1);
        assert!(report.to_text().contains("gone"));
    }

    #[test]
    fn counts_of_a_suite_are_told() {
        let report = Report::of("s", Vec::new()).with("exact", 3);
        assert_eq!(report.remarks(), ["s: exact 3"]);
        assert!(report.to_text().starts_with("s: exact 3\n"));
    }

    #[test]
    fn a_missing_folder_is_no_failure() {
        let report = Report::not_found("s");
        assert_eq!(report.to_json()["failed"], 0);
        assert_eq!(report.to_text(), "s: skipped: not found");
    }
}
