//! Questions that are signed as they leave, and answers that are held against their receipt as they come.

use super::{Failure, no_answer};
use crate::session::{Person, Session};
use oxrdf::NamedNode;
use std::time::Duration;
use twinlink_client::{Answer, Error, Head, Outcome, QueryOptions, Row};
use twinlink_core::{Explain, Request, Requirement, ResultDigest, Solution};
use twinlink_trust::{Arrived, SigningKey, verify_receipt};
use uuid::Uuid;

/// How long the token for one question lives: its start is checked, not its end.
const TOKEN: Duration = Duration::from_secs(300);

/// A question on its way: what its receipt must be of.
pub(super) struct Asked {
    transaction: String,
    digest: String,
}

/// An answer, counted and digested as it is read.
pub(super) struct Watched {
    answer: Answer,
    digest: ResultDigest,
}

/// What came of an answer.
pub(super) struct Came {
    pub(super) outcome: Outcome,
    rows: u64,
    digest: String,
}

/// Asks as this person, with the app's key where there is one, and with the organisation's certificate otherwise. Signs the
/// question with the same key.
pub(super) async fn ask(
    session: &Session,
    person: &Person,
    app: Option<&SigningKey>,
    mut options: QueryOptions,
) -> Result<(Answer, Asked), Failure> {
    let signing = session.connect_signing(person, app, TOKEN).await;
    let signing = signing.map_err(|error| no_answer(session, &error))?;
    let signable = asked(&options).signable();
    let (transaction, envelope) = signing.sign(&signable)?;
    options.envelope = Some(envelope);
    let asked = Asked {
        transaction,
        digest: signable.digest,
    };
    Ok((signing.client.query(options).await?, asked))
}

/// The question as the connector that is asked will see it.
fn asked(options: &QueryOptions) -> Request {
    let require = &options.require;
    Request {
        federated: options.federated,
        require: Requirement {
            all: require.all,
            at_least: usize::try_from(require.at_least).unwrap_or(usize::MAX),
            participants: require.participants.clone(),
            exact: require.exact,
            max_age: require.max_age,
        },
        explain: options.explain.map(|explain| match explain {
            twinlink_client::Explain::Plan => Explain::Plan,
            twinlink_client::Explain::Analyze => Explain::Analyze,
        }),
        break_glass: options.break_glass.clone(),
        ..Request::new(&options.query)
    }
}

impl Asked {
    /// Checks that the receipt is the connector's, of this question and of the rows that came.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn check(
        &self,
        came: &Came,
        session: &Session,
        own: &NamedNode,
    ) -> Result<(), Failure> {
        let (provider, trusted) = (session.audience(), session.trusted());
        let receipt = &came.outcome.receipt;
        let arrived = Arrived {
            provider,
            request: Uuid::nil(),
            transaction: &self.transaction,
            request_digest: &self.digest,
            result_digest: &came.digest,
            rows: came.rows,
            receipt,
        };
        verify_receipt(receipt, provider, trusted.keys(provider))
            .and_then(|claims| claims.check_arrived(&arrived, own))
            .map_err(|refusal| {
                let who = provider.as_str();
                format!(
                    "the receipt of <{who}> is not of this answer: do not rely on it ({refusal})"
                )
                .into()
            })
    }
}

impl Watched {
    pub(super) fn new(answer: Answer) -> Self {
        let mut digest = ResultDigest::default();
        digest.head(&match answer.head() {
            Head::Solutions(variables) => twinlink_core::Head::Solutions(variables.clone()),
            Head::Graph => twinlink_core::Head::Graph,
            Head::Boolean(value) => twinlink_core::Head::Boolean(*value),
        });
        Self { answer, digest }
    }

    pub(super) fn head(&self) -> &Head {
        self.answer.head()
    }

    /// As [`Answer::next`].
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Row>>, Error> {
        let rows = self.answer.next().await?;
        for row in rows.iter().flatten() {
            match self.answer.head() {
                Head::Graph => {
                    let triple = row.clone().into_triple();
                    self.digest.triples(triple.as_slice());
                }
                Head::Solutions(_) | Head::Boolean(_) => self.digest.solutions(&[Solution {
                    values: row.values.clone(),
                    sources: row.sources.clone(),
                }]),
            }
        }
        Ok(rows)
    }

    /// Reads what was not read, and gives how the answer came about.
    pub(super) async fn outcome(mut self) -> Result<Came, Error> {
        while self.next().await?.is_some() {}
        Ok(Came {
            outcome: self.answer.outcome().await?,
            rows: self.digest.rows(),
            digest: self.digest.finish(),
        })
    }
}
