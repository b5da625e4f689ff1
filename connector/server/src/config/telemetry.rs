//! What is told of the connector's work, and where.

use serde::{Deserialize, Serialize};

/// Logs and traces.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Telemetry {
    /// How the log is written.
    pub log: LogFormat,
    /// Where traces are sent by OTLP over gRPC; nowhere without it. Not encrypted: a collector on this machine, or on the
    /// operator's own network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp: Option<String>,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line of text for each event.
    #[default]
    Text,
    /// A line of JSON for each event.
    Json,
}

impl Telemetry {
    pub(super) fn validate(self) -> Result<Self, String> {
        let is_url = |text: &String| {
            text.strip_prefix("http://")
                .is_some_and(|rest| !rest.is_empty() && !rest.contains(['@', ' ', '?', '#']))
        };
        match &self.otlp {
            Some(text) if !is_url(text) => Err(format!(
                "is `{text}`, expected a URL such as `http://127.0.0.1:4317`"
            )),
            _ => Ok(self),
        }
    }
}
