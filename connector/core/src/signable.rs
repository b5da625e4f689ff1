//! What a signature covers of a request: both sides compute it for themselves.

use crate::{Explain, Request, SummaryRequest, request_digest};
use oxrdf::NamedNode;
use std::time::Duration;

/// A request as its signature names it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Signable {
    /// SHA-256 of what is asked, lower-case hex: [`request_digest`].
    pub digest: String,
    /// What else is asked, each as the parameters of SPARQL over HTTP spell it and in this order: `federated=true`,
    /// `left-out=PARTICIPANT`, `require=all`, `require=exact`, `require=NUMBER`, `require=PARTICIPANT`,
    /// `max-age=SECONDS`, `explain=plan` or `explain=analyze`, `break-glass=INCIDENT`. What is not asked is not there.
    pub options: Vec<String>,
}

impl Signable {
    /// Of a request that asks nothing else.
    pub fn new(digest: impl Into<String>) -> Self {
        Self {
            digest: digest.into(),
            options: Vec::new(),
        }
    }

    fn option(&mut self, name: &str, value: impl std::fmt::Display) {
        self.options.push(format!("{name}={value}"));
    }

    fn participants(&mut self, name: &str, participants: &[NamedNode]) {
        for participant in participants {
            self.option(name, participant.as_str());
        }
    }
}

impl Request {
    /// What a signature covers of it: all but how long its caller waits, and its id.
    pub fn signable(&self) -> Signable {
        let (base, dataset) = (self.base.as_deref(), self.dataset.as_ref());
        let digest = match &self.digest {
            Some(digest) => digest.clone(),
            None => request_digest(&self.query, base, dataset),
        };
        let mut of = Signable::new(digest);
        if self.federated {
            of.option("federated", true);
        }
        of.participants("left-out", &self.left_out);
        let require = &self.require;
        if require.all {
            of.option("require", "all");
        }
        if require.exact {
            of.option("require", "exact");
        }
        if require.at_least > 0 {
            of.option("require", require.at_least);
        }
        of.participants("require", &require.participants);
        if let Some(most) = require.max_age {
            of.option("max-age", seconds(most));
        }
        match self.explain {
            None => {}
            Some(Explain::Plan) => of.option("explain", "plan"),
            Some(Explain::Analyze) => of.option("explain", "analyze"),
        }
        if let Some(incident) = &self.break_glass {
            of.option("break-glass", incident.as_str());
        }
        of
    }
}

impl SummaryRequest {
    /// What a signature covers of it.
    pub fn signable(&self) -> Signable {
        let mut of = Signable::new(request_digest(crate::SUMMARY, None, None));
        if let Some(incident) = &self.break_glass {
            of.option("break-glass", incident.as_str());
        }
        of
    }
}

fn seconds(time: Duration) -> String {
    match time.subsec_nanos() {
        0 => time.as_secs().to_string(),
        nanos => format!("{}.{nanos:09}", time.as_secs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_is_told_apart() {
        let iri = |text: &str| NamedNode::new_unchecked(text);
        let plain = Request::new("ASK {}");
        assert_eq!(
            plain.signable(),
            Signable::new(request_digest("ASK {}", None, None))
        );
        let mut all = Request::new("ASK {}");
        all.federated = true;
        all.left_out = vec![iri("https://a.example/")];
        all.require.all = true;
        all.require.exact = true;
        all.require.at_least = 2;
        all.require.participants = vec![iri("https://b.example/")];
        all.require.max_age = Some(Duration::from_millis(1_500));
        all.explain = Some(Explain::Plan);
        all.break_glass = Some(iri("urn:incident"));
        assert_eq!(
            all.signable().options,
            [
                "federated=true",
                "left-out=https://a.example/",
                "require=all",
                "require=exact",
                "require=2",
                "require=https://b.example/",
                "max-age=1.500000000",
                "explain=plan",
                "break-glass=urn:incident",
            ]
        );
        // Whoever waits longer asks the same.
        all.patience = Some(Duration::from_secs(1));
        let before = all.signable();
        all.patience = None;
        assert_eq!(before, all.signable());
    }
}
