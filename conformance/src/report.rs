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

    /// One JSON object: `suite passed failed skipped total failures skips`, the suite's own counts, and `note` where
    /// it did not run.
    pub fn to_json(&self) -> Value {
        fn list<'a>(cases: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<Value> {
            cases
                .map(|(case, reason)| json!({"case": case, "reason": reason}))
                .collect()
        }
        let mut object = json!({
            "suite": self.suite,
            "passed": self.passed(),
            "failed": self.failures().count(),
            "skipped": self.skips().count(),
            "total": self.cases.len(),
            "failures": list(self.failures()),
            "skips": list(self.skips()),
        });
        if let Some(fields) = object.as_object_mut() {
            for (name, count) in &self.counts {
                fields.insert((*name).to_owned(), json!(count));
            }
            if let Some(note) = &self.note {
                fields.insert("note".to_owned(), json!(note));
            }
        }
        object
    }

    /// Lines for people, without a line end after the last.
    pub fn to_text(&self) -> String {
        if let Some(note) = &self.note {
            return format!("{}: {note}", self.suite);
        }
        let mut lines = Vec::new();
        for (case, reason) in self.failures() {
            lines.push(format!("{}: FAILED {case}: {reason}", self.suite));
        }
        for (case, reason) in self.skips() {
            lines.push(format!("{}: skipped {case}: {reason}", self.suite));
        }
        for (name, count) in &self.counts {
            lines.push(format!("{}: {name} {count}", self.suite));
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
        assert_eq!(report.to_json()["exact"], 3);
        assert!(report.to_text().starts_with("s: exact 3\n"));
    }

    #[test]
    fn a_missing_folder_is_no_failure() {
        let report = Report::not_found("s");
        assert_eq!(report.to_json()["failed"], 0);
        assert_eq!(report.to_text(), "s: skipped: not found");
    }
}
