//! What a caller requires of the sources of an answer, or will rather have none.

use crate::{Code, Refusal, SourceState, SourceStatus};
use oxrdf::NamedNode;
use std::time::Duration;

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
    /// No row may be wrong: an operator that needs every source, such as OPTIONAL, MINUS or COUNT, has them, and none is
    /// stale.
    pub exact: bool,
    /// A source that changed last longer ago, or does not tell when, is stale: its rows are given, but not all of it is
    /// in. None: as its own entry in the configuration has it.
    pub max_age: Option<Duration>,
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

    /// Lets sources be no older than a time in words: `300`, `300s`, `5m`, `12h` or `7d`.
    ///
    /// # Errors
    /// What is wrong with the word.
    pub fn no_older_than(&mut self, word: &str) -> Result<(), String> {
        let (number, unit) = match word.as_bytes().last() {
            Some(b's') => (word.strip_suffix('s'), 1),
            Some(b'm') => (word.strip_suffix('m'), 60),
            Some(b'h') => (word.strip_suffix('h'), 3_600),
            Some(b'd') => (word.strip_suffix('d'), 86_400),
            _ => (Some(word), 1),
        };
        let digits = number.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
        let number = digits.and_then(|digits| digits.parse::<u32>().ok());
        let seconds = number.map(|number| u64::from(number) * unit);
        let seconds = seconds.filter(|seconds| *seconds > 0);
        let seconds = seconds
            .ok_or_else(|| format!("`{word}` is no time such as 300, 300s, 5m, 12h or 7d"))?;
        self.max_age = Some(Duration::from_secs(seconds));
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
        match self.lacks(sources, unsure) {
            None => Ok(()),
            Some(why) => Err(Self::refusal(why, sources)),
        }
    }

    /// Holds the sources of an answer that is still gathered to it: those that nothing is wrong with by now may still
    /// give all, and where `more` may come, so may others. In a refusal they are told as partial.
    ///
    /// # Errors
    /// As [`Requirement::check`], where it would fail at the end whatever the rest of the sources gives.
    pub fn check_so_far(
        &self,
        sources: &[SourceStatus],
        unsure: &[String],
        more: bool,
    ) -> Result<(), Refusal> {
        let is_source = |name: &NamedNode| sources.iter().any(|status| status.participant == *name);
        let told = if more {
            let named = self.participants.iter().filter(|name| is_source(name));
            let least = Self {
                at_least: 0,
                participants: named.cloned().collect(),
                ..self.clone()
            };
            least.lacks(sources, unsure)
        } else {
            self.lacks(sources, unsure)
        };
        let Some(why) = told else { return Ok(()) };
        let left = sources.iter().cloned().map(|mut status| {
            if status.state.is_settled() {
                status.state = SourceState::Partial;
                let name = status.participant.as_str();
                status.reason = Some(format!("<{name}> was not asked to the end"));
            }
            status
        });
        let left: Vec<_> = left.collect();
        Err(Self::refusal(why, sources).over(&left))
    }

    fn refusal(why: String, sources: &[SourceStatus]) -> Refusal {
        let mut text = why;
        for status in sources.iter().filter(|status| !status.state.is_settled()) {
            text.push_str(&format!(
                "; <{}> is {}",
                status.participant.as_str(),
                status.state
            ));
        }
        Refusal::new(Code::Unavailable, "require", text)
            .open()
            .over(sources)
    }

    fn lacks(&self, sources: &[SourceStatus], unsure: &[String]) -> Option<String> {
        let settled = || sources.iter().filter(|status| status.state.is_settled());
        let count = settled().count();
        if self.all && count < sources.len() {
            return Some(format!(
                "all sources are required, and {count} of {} can be had in full",
                sources.len()
            ));
        }
        if count < self.at_least {
            return Some(format!(
                "{} sources are required, and {count} of {} can be had in full",
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
        let mut stale = sources.iter().filter(|one| one.state == SourceState::Stale);
        if let Some(stale) = stale.next().filter(|_| self.exact) {
            let stale = stale.participant.as_str();
            return Some(format!("no row may be wrong, and <{stale}> is stale"));
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
            // Rows that rest on what is too old may be wrong under any operator.
            assert_eq!(holds(&["exact"]), state != SourceState::Stale, "{state}");
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
    fn what_can_still_be_had_is_waited_for() {
        let sources = [
            source(0, SourceState::Complete),
            source(1, SourceState::Unreachable),
            source(2, SourceState::Empty),
        ];
        let so_far = |words: &[&str], more| of(words).check_so_far(&sources, &[], more);
        assert!(so_far(&["2", "exact", "https://m2.example/"], false).is_ok());
        for words in [
            ["3"],
            ["all"],
            ["https://m1.example/"],
            ["https://m3.example/"],
        ] {
            let refusal = so_far(&words, false).unwrap_err();
            let states: Vec<_> = refusal.sources().iter().map(|one| one.state).collect();
            let [unreachable, partial] = [SourceState::Unreachable, SourceState::Partial];
            assert_eq!(states, [partial, unreachable, partial], "{words:?}");
        }
        // A broker may bring more of them, but none for one that is missing.
        assert!(so_far(&["3"], true).is_ok());
        assert!(so_far(&["https://m3.example/"], true).is_ok());
        assert!(so_far(&["all"], true).is_err());
        assert!(so_far(&["https://m1.example/"], true).is_err());
    }

    #[test]
    fn ages_are_read_or_refused() {
        for (word, seconds) in [
            ("300", 300),
            ("1s", 1),
            ("5m", 300),
            ("12h", 43_200),
            ("7d", 604_800),
        ] {
            let mut requirement = Requirement::default();
            requirement.no_older_than(word).unwrap();
            assert_eq!(requirement.max_age, Some(Duration::from_secs(seconds)));
            assert!(!requirement.is_nothing());
        }
        for word in [
            "",
            "0",
            "0m",
            "m",
            "mm",
            "5mm",
            "-1",
            "+5",
            "5 m",
            "5w",
            "1.5h",
            "4294967296",
        ] {
            assert!(
                Requirement::default().no_older_than(word).is_err(),
                "{word}"
            );
        }
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
