//! The play: who asks what, of whom, for which purpose, and what must come of it.

use super::event::{Event, INCIDENT};
use super::expectation::{Cells, Expectation, Expected};
use super::organisation::Organisation::{self, City, Courier, Police, Rescue};
use super::show::Show;
use super::town::Town;
use crate::cli::Failure;
use crate::session::{Person, Session};
use oxrdf::{NamedNodeRef, Term, Variable};
use std::time::{Duration, Instant};
use twinlink_client::SourceState::{Denied, Partial, Unreachable};
use twinlink_client::{Client, Error, Head, Outcome, QueryOptions, Row};
use twinlink_vocab::tl;

/// How long an answer may take. In an emergency even that would be too long.
const PATIENCE: Duration = Duration::from_secs(10);

/// A question as it lies in the examples.
#[derive(Debug)]
pub(super) struct Question {
    /// Its file's name without the ending.
    pub(super) name: &'static str,
    /// SPARQL, with the question in words as its first comment.
    pub(super) text: &'static str,
}

/// Who asks, of whom, and as what.
#[derive(Debug)]
pub(super) struct Caller {
    /// As `expected.csv` has it.
    pub(super) name: &'static str,
    /// Whose person or program it is.
    pub(super) organisation: Organisation,
    /// Whose connector is asked.
    pub(super) at: Organisation,
    pub(super) roles: &'static [NamedNodeRef<'static>],
    pub(super) purpose: Option<NamedNodeRef<'static>>,
    /// The incident for which the glass is broken.
    pub(super) breaks_glass: Option<NamedNodeRef<'static>>,
}

/// Questions by one caller.
pub(super) struct Act {
    pub(super) title: &'static str,
    pub(super) remark: &'static str,
    pub(super) caller: &'static Caller,
    /// What happens before.
    event: Option<Event>,
    scenes: Vec<(&'static Question, Expectation)>,
}

/// One question that was asked, and what came of it.
pub(super) struct Asked {
    pub(super) question: &'static Question,
    pub(super) caller: &'static Caller,
    /// Whose connector did not run.
    pub(super) killed: Option<Organisation>,
    pub(super) elapsed: Duration,
    pub(super) result: Result<Answered, Error>,
    /// In what the result is not as expected.
    pub(super) differences: Vec<String>,
}

/// A whole answer.
pub(super) struct Answered {
    pub(super) variables: Vec<Variable>,
    pub(super) rows: Vec<Row>,
    pub(super) outcome: Outcome,
}

/// All that was asked.
pub(super) struct Report {
    pub(super) asked: Vec<Asked>,
    pub(super) elapsed: Duration,
}

/// Every question of the examples, in its order.
pub(super) const QUESTIONS: [&Question; 10] = [
    &SCHOOLS, &HOMES, &HYDRANTS, &ROADS, &CORDONS, &NOTES, &PEOPLE, &WATER, &NUMBERS, &WARNINGS,
];

macro_rules! question {
    ($name:literal) => {
        Question {
            name: $name,
            text: include_str!(concat!(
                "../../../../examples/helsinki/questions/",
                $name,
                ".rq"
            )),
        }
    };
}

pub(super) static SCHOOLS: Question = question!("1-schools-and-clinics");
static HOMES: Question = question!("2-homes");
static HYDRANTS: Question = question!("3-hydrants-and-units");
static ROADS: Question = question!("4-closed-roads");
static CORDONS: Question = question!("5-cordons");
static NOTES: Question = question!("6-incident-notes");
static PEOPLE: Question = question!("7-people-under-the-plume");
static WATER: Question = question!("8-water-supply");
static NUMBERS: Question = question!("9-residents-in-numbers");
static WARNINGS: Question = question!("10-safety-warnings");

pub(super) static RESCUE_OFFICER: Caller = Caller {
    name: "rescue officer",
    organisation: Rescue,
    at: Rescue,
    roles: &[tl::RESCUE_OFFICER],
    purpose: Some(tl::EMERGENCY_RESPONSE),
    breaks_glass: None,
};

/// As the rescue officer, who says that the incident of the police calls for it.
static BREAKING: Caller = Caller {
    breaks_glass: Some(INCIDENT),
    ..RESCUE_OFFICER
};

static POLICE_OFFICER: Caller = Caller {
    name: "police officer",
    organisation: Police,
    at: Police,
    roles: &[tl::POLICE_OFFICER],
    purpose: Some(tl::EMERGENCY_RESPONSE),
    breaks_glass: None,
};

pub(super) static CITY_PLANNER: Caller = Caller {
    name: "city planner",
    organisation: City,
    at: City,
    roles: &[tl::CITY_PLANNER],
    purpose: Some(tl::URBAN_PLANNING),
    breaks_glass: None,
};

/// Claims to be what the city does not let its organisation claim.
static IMPOSTOR: Caller = Caller {
    name: "outsider",
    organisation: Courier,
    at: City,
    roles: &[tl::RESCUE_OFFICER],
    purpose: Some(tl::EMERGENCY_RESPONSE),
    breaks_glass: None,
};

static OUTSIDER: Caller = Caller {
    name: "outsider",
    organisation: Courier,
    at: City,
    roles: &[],
    purpose: None,
    breaks_glass: None,
};

fn acts() -> Result<Vec<Act>, Failure> {
    const POLICE_DENY: &[(Organisation, twinlink_client::SourceState)] = &[(Police, Denied)];
    const OTHERS_DENY: &[(Organisation, twinlink_client::SourceState)] =
        &[(Rescue, Denied), (Police, Denied)];
    const POLICE_GONE: &[(Organisation, twinlink_client::SourceState)] = &[(Police, Unreachable)];
    const EVERYBODY: &[Cells] = &[
        Cells::First("buildings", "66"),
        Cells::First("people", "1842"),
    ];
    // Three of four notes are about somebody. Whom, only the police are shown.
    const NOTED_MASKED: &[Cells] = &[
        Cells::First("person", "***"),
        Cells::First("born", "1958-01-01"),
        Cells::Bound("person", 3),
        Cells::Bound("born", 3),
    ];
    const NOTED_PERSONS: &[Cells] = &[
        Cells::First("person", "Aino Esimerkki"),
        Cells::First("born", "1958-03-14"),
        Cells::Bound("person", 3),
        Cells::Bound("born", 3),
    ];
    // In the whole of the centre, not only under the plume.
    const ALL_TOGETHER: &[Cells] = &[
        Cells::First("buildings", "311"),
        Cells::First("people", "7130"),
    ];
    const NOBODY: &[Cells] = &[Cells::First("buildings", "0"), Cells::First("people", "0")];

    let officer = |question| expected(question, &RESCUE_OFFICER);
    let planner = |question| expected(question, &CITY_PLANNER).map(|e| e.missing(POLICE_DENY));
    let outsider = |question| expected(question, &OUTSIDER).map(|e| e.missing(OTHERS_DENY));
    Ok(vec![
        Act {
            title: "An officer of the rescue department asks",
            remark: "One question, put to the department's own connector: it asks the others, with the officer's role and purpose.",
            caller: &RESCUE_OFFICER,
            event: None,
            scenes: vec![
                answer(&SCHOOLS, officer(&SCHOOLS)?),
                answer(&HOMES, officer(&HOMES)?),
                answer(&HYDRANTS, officer(&HYDRANTS)?),
                answer(&ROADS, officer(&ROADS)?),
                answer(
                    &CORDONS,
                    Expected {
                        not_evaluable: 1,
                        ..officer(&CORDONS)?.missing(&[(Police, Partial)])
                    },
                ),
                answer(&NOTES, officer(&NOTES)?.cells(NOTED_MASKED)),
                answer(&PEOPLE, officer(&PEOPLE)?.cells(EVERYBODY)),
            ],
        },
        Act {
            title: "An officer of the police asks the last but one of these",
            remark: "Names and dates of birth are for the police alone: the rescue officer saw a mask and a year.",
            caller: &POLICE_OFFICER,
            event: None,
            scenes: vec![answer(
                &NOTES,
                expected(&NOTES, &POLICE_OFFICER)?.cells(NOTED_PERSONS),
            )],
        },
        Act {
            title: "The police declare a major incident, and the rescue officer breaks the glass",
            remark: "Whom crews must not meet alone only the police know. Who says that the incident calls for it is told too, for an hour, and reviewed.",
            caller: &BREAKING,
            event: Some(Event::Declared),
            scenes: vec![
                // Two doors that the officer is told of nowhere else.
                answer(
                    &WARNINGS,
                    Expected {
                        rows: 2,
                        ..officer(&WARNINGS)?
                    },
                ),
            ],
        },
        Act {
            title: "The incident is over, and the officer says the same",
            remark: "What was opened for an incident is closed with it.",
            caller: &BREAKING,
            event: Some(Event::Ended),
            scenes: vec![answer(&WARNINGS, officer(&WARNINGS)?)],
        },
        Act {
            title: "A city planner asks the same, for urban planning",
            remark: "The map is theirs, the residents and the leak are not. A count over what one may not see is 0, and is marked. How many \
                     residents there are in all, the city tells them.",
            caller: &CITY_PLANNER,
            event: None,
            scenes: vec![
                answer(&SCHOOLS, planner(&SCHOOLS)?),
                answer(&HOMES, planner(&HOMES)?),
                answer(&ROADS, planner(&ROADS)?),
                answer(&PEOPLE, planner(&PEOPLE)?.unsure().cells(NOBODY)),
                answer(&WATER, planner(&WATER)?),
                answer(&NUMBERS, planner(&NUMBERS)?.cells(ALL_TOGETHER)),
            ],
        },
        Act {
            title: "A courier claims to be a rescue officer",
            remark: "The city does not let the courier's organisation say that of its people: the token is worth nothing.",
            caller: &IMPOSTOR,
            event: None,
            scenes: vec![(&SCHOOLS, Expectation::Refused)],
        },
        Act {
            title: "The courier asks as what it is",
            remark: "It gets what is public in the city. The city does not ask its peers in the name of strangers.",
            caller: &OUTSIDER,
            event: None,
            scenes: vec![
                answer(&SCHOOLS, outsider(&SCHOOLS)?),
                answer(&HOMES, outsider(&HOMES)?),
                answer(&CORDONS, outsider(&CORDONS)?),
                answer(&PEOPLE, outsider(&PEOPLE)?.unsure().cells(NOBODY)),
            ],
        },
        Act {
            title: "The police's connector is killed, and the rescue officer asks again",
            remark: "What is missing is said, and what may be wrong because of it.",
            caller: &RESCUE_OFFICER,
            event: Some(Event::Killed(Police)),
            scenes: vec![
                answer(
                    &ROADS,
                    // Only the police know what is closed.
                    Expected {
                        rows: 0,
                        ..officer(&ROADS)?.missing(POLICE_GONE)
                    },
                ),
                answer(&SCHOOLS, officer(&SCHOOLS)?.missing(POLICE_GONE)),
                answer(
                    &PEOPLE,
                    officer(&PEOPLE)?
                        .missing(POLICE_GONE)
                        .unsure()
                        .cells(EVERYBODY),
                ),
            ],
        },
    ])
}

fn expected(question: &Question, caller: &Caller) -> Result<Expected, Failure> {
    Expected::of(question.name, caller.name).ok_or_else(|| {
        format!(
            "expected.csv has no line for {} by {}",
            question.name, caller.name
        )
        .into()
    })
}

fn answer(question: &'static Question, expected: Expected) -> (&'static Question, Expectation) {
    (question, Expectation::Answer(expected))
}

/// Plays it from start to end, whatever the answers are.
///
/// # Errors
/// A connector that should run cannot be connected to.
pub(super) async fn perform(town: &mut Town, show: &Show) -> Result<Report, Failure> {
    let start = Instant::now();
    let mut asked = Vec::new();
    let mut killed = None;
    for act in acts()? {
        show.act(&act);
        if let Some(event) = act.event {
            show.event(&event.happen(town).await?);
            if let Event::Killed(organisation) = event {
                killed = Some(organisation);
            }
        }
        let client = act.caller.connect(town).await?;
        for (question, expectation) in act.scenes {
            let start = Instant::now();
            let result = ask(&client, question, act.caller).await;
            let scene = Asked {
                question,
                caller: act.caller,
                killed,
                elapsed: start.elapsed(),
                differences: expectation.differences(&result),
                result,
            };
            show.scene(&scene);
            asked.push(scene);
        }
    }
    Ok(Report {
        asked,
        elapsed: start.elapsed(),
    })
}

async fn ask(client: &Client, question: &Question, caller: &Caller) -> Result<Answered, Error> {
    let options = QueryOptions {
        federated: true,
        purpose: caller.purpose.map(NamedNodeRef::into_owned),
        break_glass: caller.breaks_glass.map(NamedNodeRef::into_owned),
        ..QueryOptions::new(question.text, tokio::time::Instant::now() + PATIENCE)
    };
    let mut answer = client.query(options).await?;
    let variables = match answer.head() {
        Head::Solutions(variables) => variables.clone(),
        Head::Graph | Head::Boolean(_) => Vec::new(),
    };
    let mut rows = Vec::new();
    while let Some(batch) = answer.next().await? {
        rows.extend(batch);
    }
    Ok(Answered {
        variables,
        rows,
        outcome: answer.outcome().await?,
    })
}

impl Caller {
    async fn connect(&self, town: &Town) -> Result<Client, Failure> {
        let at = self.at.participant();
        let session = Session::open(town.member(self.organisation).config(), Some(&at))?;
        session
            .connect(Person {
                claims: std::collections::BTreeMap::new(),
                subject: self.name.to_owned(),
                roles: self.roles.iter().map(|role| role.into_owned()).collect(),
                purpose: self.purpose.map(NamedNodeRef::into_owned),
            })
            .await
            .map_err(|error| format!("cannot connect to {}: {error}", self.at.name()).into())
    }
}

impl Question {
    /// The question as a person asks it: the first sentence of its file.
    pub(super) fn in_words(&self) -> String {
        let comment: Vec<&str> = self
            .text
            .lines()
            .map_while(|line| line.strip_prefix('#'))
            .map(str::trim)
            .collect();
        let comment = comment.join(" ");
        match comment.split_once('?') {
            Some((question, _)) => format!("{question}?"),
            None => comment,
        }
    }
}

impl Answered {
    /// The values of a column; none at all where there is no such column.
    pub(super) fn column<'a>(&'a self, name: &str) -> impl Iterator<Item = Option<&'a Term>> {
        let index = self.variables.iter().position(|v| v.as_str() == name);
        self.rows
            .iter()
            .filter_map(move |row| row.values.get(index?).map(Option::as_ref))
    }
}

impl Asked {
    /// Which question, by whom and when, in words.
    pub(super) fn title(&self) -> String {
        let mut title = format!("{} by the {}", self.question.name, self.caller.name);
        if !self.caller.roles.is_empty() && self.caller.organisation == Courier {
            title.push_str(" with a claim");
        }
        if self.caller.breaks_glass.is_some() {
            title.push_str(" who breaks the glass");
        }
        if let Some(organisation) = self.killed {
            title.push_str(&format!(" without {}", organisation.name()));
        }
        title
    }
}

impl Report {
    /// What did not go as expected, each question with its differences.
    pub(super) fn failed(&self) -> Vec<String> {
        self.asked
            .iter()
            .filter(|asked| !asked.differences.is_empty())
            .map(|asked| format!("{}: {}", asked.title(), asked.differences.join(", ")))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scene_has_its_expectation() {
        let acts = acts().unwrap();
        let scenes: usize = acts.iter().map(|act| act.scenes.len()).sum();
        assert_eq!(scenes, 24);
    }

    #[test]
    fn questions_can_be_read_aloud() {
        for question in QUESTIONS {
            let words = question.in_words();
            assert!(words.ends_with('?') && words.len() < 120, "{words}");
        }
    }
}
