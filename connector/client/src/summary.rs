//! What a connector shows us, in short.

use crate::client::{text, within};
use crate::{Client, Error, Outcome};
use oxrdf::NamedNode;
use tokio::time::Instant;
use twinlink_proto::v1::{self, summarize_response::Kind};

/// For whom and what for.
#[derive(Debug, Clone)]
pub struct SummaryOptions {
    /// The purpose; the token must carry the same.
    pub purpose: Option<NamedNode>,
    /// The declared incident for which the caller breaks the glass.
    pub break_glass: Option<NamedNode>,
    /// UUID of the request that this is a part of.
    pub request_id: Option<String>,
    /// As in [`crate::QueryOptions`].
    pub envelope: Option<String>,
    /// The version that we have.
    pub held: Option<String>,
    /// Only whether that is as it would be made now: [`SummaryReply::Held`], or [`SummaryReply::None`] for whatever else.
    /// No record is made of it, and no receipt.
    pub confirm: bool,
    /// When the whole of it must be here.
    pub deadline: Instant,
}

/// A summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summarized {
    /// What came.
    pub reply: SummaryReply,
    /// Of the use that it is, with its receipt. None of connectors that make no summaries.
    pub outcome: Option<Outcome>,
}

/// What a connector tells in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SummaryReply {
    /// The one that we have is as it would be made now.
    Held,
    /// These bytes, whatever they are.
    Bytes(Vec<u8>),
    /// There is none for us.
    None,
}

impl Client {
    /// Asks for a summary of what we may see.
    ///
    /// # Errors
    /// Any [`Error`]; connectors of older versions do not know the call.
    pub async fn summarize(&self, options: SummaryOptions) -> Result<Summarized, Error> {
        let deadline = options.deadline;
        let message = v1::SummarizeRequest {
            purpose: text(options.purpose),
            request_id: options.request_id.unwrap_or_default(),
            break_glass: text(options.break_glass),
            held: options.held.unwrap_or_default(),
            envelope: options.envelope.unwrap_or_default(),
            confirm: options.confirm,
        };
        let request = self.request(message, deadline).await?;
        let mut stub = self.stub.clone();
        let response = within(deadline, async { Ok(stub.summarize(request).await?) }).await?;
        let response = response.into_inner();
        let reply = match response.kind {
            Some(Kind::IsHeld(true)) => SummaryReply::Held,
            Some(Kind::Summary(bytes)) => SummaryReply::Bytes(bytes),
            Some(Kind::IsHeld(false)) | None => SummaryReply::None,
        };
        Ok(Summarized {
            reply,
            outcome: response.outcome.map(TryInto::try_into).transpose()?,
        })
    }
}
