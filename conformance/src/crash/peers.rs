//! Two connectors that use each other, both killed: what one asks of the other is on record on both sides, counted once,
//! and acknowledged in the end.
//!
//! The police ask the city's twin through their own connector, by a permission that counts uses. After some answers both
//! are killed, now one first and now the other, and the folders of both are read. When all rounds are over both run once
//! more, nobody asks anything, and what was not acknowledged yet is.

use super::{PAGE, PATIENCE, Promises, Told, check_receipts, hear};
use crate::http::{Request, SPARQL, Target as _};
use crate::library::Fault;
use crate::program::{Home, Program, Running};
use oxrdf::NamedNode;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};
use time::OffsetDateTime;
use twinlink_core::{Journal, Secret, StateOfWorld as _};
use twinlink_policy::{Counter, RuleKind};
use twinlink_store::{EvaluationOptions, Ledger, TwinStore};
use twinlink_trust::{
    Agreement, Entry, EntryKind, audit, consumed, list_entries, provided, reconcile,
};

const CITY: &str = "https://city.example/";
const POLICE: &str = "https://police.example/";
const STEWARD: &str = "https://w3id.org/twinlink/ns#Steward";
const POLICY: &str = "https://city.example/policy/counted";
/// Who asks at the same time.
const CLIENTS: usize = 3;
/// How long both run at a time while the last acknowledgements are waited for.
const WHILE: Duration = Duration::from_millis(500);

/// Both organisations.
pub(super) struct Pair {
    city: Home,
    police: Home,
    token: Secret,
    /// What the police know of the city, but for its port.
    card: (PathBuf, String),
    promises: Promises,
}

impl Pair {
    pub(super) fn new(program: &Program) -> Result<Self, Fault> {
        let (city, police) = (program.init_for(CITY)?, program.init_for(POLICE)?);
        let policy = format!(
            "@prefix odrl: <{}> .\n<{POLICY}> a odrl:Set ; odrl:profile {} ;\n\
             odrl:permission [ odrl:target <{CITY}twin> ; odrl:assignee <{POLICE}> ; odrl:action odrl:read ;\n\
             odrl:constraint [ odrl:leftOperand odrl:count ; odrl:operator odrl:lteq ; odrl:rightOperand 1000000 ] ] .\n",
            twinlink_vocab::odrl::NAMESPACE,
            twinlink_vocab::tl::PROFILE,
        );
        fs::write(city.path().join("policies/counted.ttl"), policy).map_err(fault)?;
        let data = city.path().join("data.ttl");
        fs::write(&data, "<http://e/a> <http://e/p> 1 .").map_err(fault)?;
        program.run(&city, &[OsStr::new("import"), data.as_os_str()])?;
        acquaint(program, &city, &police, &["--role", STEWARD, "--asks-only"])?;
        acquaint(program, &police, &city, &[])?;
        let token = program.token(&police)?;
        let known = fs::read_dir(police.path().join("peers")).map_err(fault)?;
        let mut cards = known.filter_map(|entry| {
            let path = entry.ok()?.path();
            let text = fs::read_to_string(&path).ok()?;
            text.contains(NO_PORT).then_some((path, text))
        });
        let card = cards
            .next()
            .ok_or_else(|| fault("the police do not know the city"))?;
        Ok(Self {
            city,
            police,
            token,
            card,
            promises: Promises::default(),
        })
    }

    /// How many answers the police's people hold receipts of.
    pub(super) fn receipts(&self) -> usize {
        self.promises.receipts.len()
    }

    /// Starts both; which port the city took is known only then.
    fn serve(&self, program: &Program) -> Result<(Running, Running), Fault> {
        let city = program.serve(&self.city)?;
        let (path, text) = &self.card;
        let place = format!("https://localhost:{}", city.port);
        fs::write(path, text.replace(NO_PORT, &place)).map_err(fault)?;
        let police = program.serve(&self.police)?;
        Ok((city, police))
    }

    /// Kills both after so many answers, and reads what is left.
    pub(super) fn round(
        &mut self,
        program: &Program,
        after: usize,
    ) -> Result<Result<(), String>, Fault> {
        let (city, police) = self.serve(program)?;
        let (tell, told) = mpsc::channel();
        let mut clients = Vec::new();
        for _ in 0..CLIENTS {
            let remote = self.police.remote(police.port, Some(self.token.clone()))?;
            let tell = tell.clone();
            clients.push(std::thread::spawn(move || ask(&remote, &tell)));
        }
        drop(tell);
        let heard = hear(&told, after, &mut self.promises);
        let both = match after % 2 {
            0 => [city, police],
            _ => [police, city],
        };
        for running in both {
            running.kill()?;
        }
        for client in clients {
            drop(client.join());
        }
        told.into_iter().for_each(|told| self.promises.add(told));
        if !heard {
            return Ok(Err(format!("no {after} answers in {PATIENCE:?}")));
        }
        Ok(self.check().map(drop))
    }

    /// Lets both run until every answer is acknowledged.
    pub(super) fn settle(&self, program: &Program) -> Result<Result<(), String>, Fault> {
        let until = Instant::now() + PATIENCE;
        loop {
            let (city, police) = self.serve(program)?;
            // What is due is sent after the start; nothing says when it has arrived but the logs.
            std::thread::sleep(WHILE);
            police.stop()?;
            city.stop()?;
            match self.check() {
                Ok(0) => return Ok(Ok(())),
                Ok(_) if Instant::now() < until => {}
                Ok(left) => return Ok(Err(format!("{left} answers are not acknowledged"))),
                Err(reason) => return Ok(Err(reason)),
            }
        }
    }

    /// Reads both folders as they were left; gives how many answers are not acknowledged yet.
    fn check(&self) -> Result<usize, String> {
        let city = entries(&self.city)?;
        let police = entries(&self.police)?;
        check_receipts(&self.police, POLICE, &self.promises.receipts)?;
        self.check_counted(&city)?;
        let consumed = consumed(&police, CITY);
        let received = consumed.iter().filter(|one| one.acknowledged);
        let received: Vec<_> = received.cloned().collect();
        let agreements = reconcile(&provided(&city, POLICE), &consumed);
        let agreements: HashMap<_, _> = agreements.into_iter().collect();
        let mut left = 0;
        for one in received {
            match agreements.get(&one.transaction) {
                Some(Agreement::Matched) => {}
                Some(Agreement::NoAcknowledgement) => left += 1,
                other => return Err(format!("{}: received, and {other:?}", one.transaction)),
            }
        }
        let several = Agreement::DigestMismatch("one side has it several times");
        match agreements.iter().find(|(_, found)| **found == several) {
            Some((twice, _)) => Err(format!("{twice} is there twice")),
            None => Ok(left),
        }
    }

    /// What was shown is counted, and what is counted is on record.
    fn check_counted(&self, city: &[(u64, Entry)]) -> Result<(), String> {
        let ledger = Ledger::open(&self.city.path().join("twin"));
        let ledger = ledger.map_err(|error| format!("the ledger does not open: {error}"))?;
        let counter = Counter {
            policy: NamedNode::new_unchecked(POLICY),
            kind: RuleKind::Permission,
            rule: 1,
            participant: NamedNode::new_unchecked(POLICE),
        };
        let mut counted = None;
        ledger.look(
            &counter.participant,
            OffsetDateTime::now_utc(),
            &mut |world| {
                counted = world.usage(&counter).map(|usage| usage.count);
            },
        );
        let counted = counted.unwrap_or_default();
        let (mut begun, mut shown) = (0, 0);
        for (_, entry) in city {
            if entry.kind.participant() != Some(POLICE) {
                continue;
            }
            match &entry.kind {
                EntryKind::Intent { refused: None, .. } => begun += 1,
                // A summary of what only counted uses show is an answer with nothing in it.
                EntryKind::Completion { result_digest, .. } if !result_digest.is_empty() => {
                    shown += 1;
                }
                _ => {}
            }
        }
        match (shown..=begun).contains(&counted) && shown > 0 {
            true => Ok(()),
            false => Err(format!(
                "{begun} uses began and {shown} showed something, but {counted} are counted"
            )),
        }
    }
}

/// Where a connector is that does not say at which port.
const NO_PORT: &str = "https://localhost:0";

/// Asks the city through the police's connector until that is gone.
fn ask(remote: &crate::http::Remote, tell: &Sender<Told>) {
    let question = "ASK%20%7B%20%3Fs%20%3Chttp%3A%2F%2Fe%2Fp%3E%201%20%7D";
    let request = Request::get(format!("{SPARQL}?federated=true&query={question}"));
    while let Ok(answer) = remote.send(&request) {
        let receipt = answer.header("twinlink-receipt");
        if let Some(receipt) = receipt.filter(|_| answer.is_success()) {
            let receipt = receipt.to_owned();
            drop(tell.send(Told::Answered { receipt }));
        }
    }
}

/// The log of use, whole and verified.
fn entries(home: &Home) -> Result<Vec<(u64, Entry)>, String> {
    let store = TwinStore::open(&home.path().join("twin"), EvaluationOptions::default());
    let store = store.map_err(|error| format!("the store does not open: {error}"))?;
    let journal: &dyn Journal = &store.journal();
    audit(journal).map_err(|error| error.to_string())?;
    let mut all: Vec<(u64, Entry)> = Vec::new();
    loop {
        let from = all.last().map_or(0, |(last, _)| last + 1);
        let page = list_entries(journal, from, PAGE).map_err(|error| error.to_string())?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// Tells a connector of another.
fn acquaint(program: &Program, home: &Home, other: &Home, how: &[&str]) -> Result<(), Fault> {
    let card = other.path().join("card.toml");
    let mut arguments = vec![OsStr::new("peer"), OsStr::new("add"), card.as_os_str()];
    arguments.extend(how.iter().map(OsStr::new));
    program.run(home, &arguments).map(drop)
}

fn fault(error: impl std::fmt::Display) -> Fault {
    Fault::Measure(error.to_string())
}
