//! What a caller requires of the sources of an answer, or will rather have none.

use crate::{Code, Refusal, SourceStatus};
use oxrdf::NamedNode;

/// The most sources that can be required by name.
const NAMED: usize = 1_000;

/// Which sources must have given all that the caller may see, and how right the answer must be. Requires nothing by
/// default: what there is is answered, and said of each source what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Requirement {
    /// Every source that is asked.
    pub all: bool,
    /// At least so many sources.
    pub at_least: usize,
    /// These sources.
    pub participants: Vec<NamedNode>,
    /// No row may be wrong: an operator that needs every source, such as OPTIONAL, MINUS or COUNT, has them.
    pub exact: bool,
}

impl Requirement {
    /// Adds a requirement by its word: `all`, `exact`, a number of sources, or the participant id of one.
    ///
    /// # Errors
    /// What is wrong with the word.
    pub fn add(&mut self, word: &str) -> Result<(), String> {
        match word {
            "all" => self.all = true,
            "exact" => self.exact = true,
            number if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                let number = number.parse::<u16>().ok().filter(|number| *number > 0);
                let number = number.ok_or_else(|| format!("`{word}` is no number of sources"))?;
                self.at_least = self.at_least.max(number.into());
            }
            iri => {
                let participant = NamedNode::new(iri).map_err(|_| {
                    format!("`{word}` is neither `all`, `exact`, a number nor a participant id")
                })?;
                self.require(participant)?;
            }
        }
        Ok(())
    }

    /// Adds a source that must be in.
    ///
    /// # Errors
    /// Where there are too many.
    pub fn require(&mut self, participant: NamedNode) -> Result<(), String> {
        if self.participants.len() >= NAMED {
            return Err(format!("names more than {NAMED} sources"));
        }
        self.participants.push(participant);
        Ok(())
    }

    /// Whether anything goes.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Holds the sources of an answer to it. `unsure` are the operators that lacked a source.
    ///
    /// # Errors
    /// [`Code::Unavailable`], with the word on every source.
    // INVARIANT(required-or-refused): no row leaves after a source that the caller requires was found missing.
    pub fn check(&self, sources: &[SourceStatus], unsure: &[String]) -> Result<(), Refusal> {
        let Some(why) = self.lacks(sources, unsure) else {
            return Ok(());
        };
        let mut text = why;
        for status in sources.iter().filter(|status| !status.state.is_settled()) {
            text.push_str(&format!(
                "; <{}> is {}",
                status.participant.as_str(),
                status.state
            ));
        }
        Err(Refusal::new(Code::Unavailable, "require", text)
            .open()
            .over(sources))
    }

    fn lacks(&self, sources: &[SourceStatus], unsure: &[String]) -> Option<String> {
        let settled = || sources.iter().filter(|status| status.state.is_settled());
        let count = settled().count();
        if self.all && count < sources.len() {
            return Some(format!(
                "all sources are required, and {count} of {} answered in full",
                sources.len()
            ));
        }
        if count < self.at_least {
            return Some(format!(
                "{} sources are required, and {count} of {} answered in full",
                self.at_least,
                sources.len()
            ));
        }
        let missing = self
            .participants
            .iter()
            .find(|wanted| !settled().any(|status| status.participant == **wanted));
        if let Some(missing) = missing {
            let is_source = sources.iter().any(|status| status.participant == *missing);
            let problem = if is_source {
                "did not answer in full"
            } else {
                "is no source of this answer"
            };
            let missing = missing.as_str();
            return Some(format!("<{missing}> is required and {problem}"));
        }
        (self.exact && !unsure.is_empty()).then(|| {
            let operators = unsure.join(", ");
            format!("no row may be wrong, and {operators} lacked a source")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SourceState;
    use std::time::Duration;

    const STATES: [SourceState; 8] = [
        SourceState::Complete,
        SourceState::Empty,
        SourceState::Partial,
        SourceState::Denied,
        SourceState::Unreachable,
        SourceState::TimedOut,
        SourceState::Stale,
        SourceState::NotEvaluable,
    ];

    fn source(number: usize, state: SourceState) -> SourceStatus {
        SourceStatus {
            participant: NamedNode::new_unchecked(format!("https://m{number}.example/")),
            state,
            rows: 0,
            elapsed: Duration::ZERO,
            as_of: None,
            policies: Vec::new(),
            not_evaluable: 0,
            reason: None,
            receipt: None,
        }
    }

    fn of(words: &[&str]) -> Requirement {
        let mut requirement = Requirement::default();
        for word in words {
            requirement.add(word).unwrap();
        }
        requirement
    }

    #[test]
    fn each_state_counts_as_in_or_missing() {
        for state in STATES {
            let sources = [source(0, SourceState::Complete), source(1, state)];
            let holds = |words: &[&str]| of(words).check(&sources, &[]).is_ok();
            assert!(holds(&[]), "{state}");
            assert!(holds(&["1"]), "{state}");
            assert!(holds(&["https://m0.example/"]), "{state}");
            for words in [["all"], ["2"], ["https://m1.example/"]] {
                assert_eq!(holds(&words), state.is_settled(), "{state} {words:?}");
            }
            assert!(!holds(&["3"]), "{state}");
            assert!(!holds(&["https://m2.example/"]), "{state}");
        }
    }

    #[test]
    fn exact_is_about_operators() {
        let sources = [
            source(0, SourceState::Complete),
            source(1, SourceState::Denied),
        ];
        assert!(of(&["exact"]).check(&sources, &[]).is_ok());
        let unsure = ["OPTIONAL".to_owned()];
        assert!(of(&["1"]).check(&sources, &unsure).is_ok());
        let refusal = of(&["exact"]).check(&sources, &unsure).unwrap_err();
        assert_eq!(refusal.sources(), sources);
        assert!(
            refusal.public().contains("OPTIONAL"),
            "{}",
            refusal.public()
        );
        assert!(
            refusal.public().contains("<https://m1.example/> is denied"),
            "{}",
            refusal.public()
        );
    }

    #[test]
    fn words_are_read_or_refused() {
        let all = of(&["all", "exact", "2", "1", "https://m1.example/"]);
        assert!(all.all && all.exact);
        assert_eq!((all.at_least, all.participants.len()), (2, 1));
        for word in ["", "0", "65536", "-1", "some", "m1"] {
            assert!(Requirement::default().add(word).is_err(), "{word}");
        }
        let mut many = Requirement::default();
        let name = NamedNode::new_unchecked("https://m.example/");
        assert!((0..NAMED).all(|_| many.require(name.clone()).is_ok()));
        assert!(many.require(name).is_err());
    }
}
