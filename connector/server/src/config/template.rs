//! The configuration file of a new connector, with what may be in it.

use super::VERSION;
use oxrdf::NamedNode;

/// What `twinlink init` writes.
pub(crate) fn render(
    participant: &NamedNode,
    dataset: &NamedNode,
    listen: &str,
    public_url: &str,
) -> String {
    format!(
        r#"# Twinlink connector. Every key is checked at start: `twinlink config check`.
version = {VERSION}

# Who we are, and the twin that our policies name as their target.
participant = {participant:?}
dataset = {dataset:?}

# Where we listen (gRPC and HTTP on one TLS port), and how others reach us.
listen = {listen:?}
public_url = {public_url:?}

# Where counts and times are told to your monitoring, in the OpenMetrics format, and /health and /ready to probes, without
# a password: your own network only.
# metrics = "127.0.0.1:9464"

# How often, in seconds, peers are shown our log of use, where it grew: they sign that nobody rewrote it.
# cosign_seconds = 60

# For how many seconds what a peer shows in short is believed without asking it whether it is still so. With 0 it is asked for
# every federated question; with more, what a peer gained meanwhile may be missed.
# summary_age_seconds = 0

# Folders, seen from this file.
store = "twin"
policies = "policies"
peers = "peers"

[identity]
certificate = "identity/certificate.pem"
key = "identity/key.pem"
authority = "identity/authority.pem"
# revocations = ["identity/revocations.pem"]
# overlapping_keys = ["identity/next.jwk"]  # public keys of ours besides, while the key is changed; the former one until the next start

[policy]
# The secret of pseudonyms: with another one, everybody is called otherwise.
pseudonym_key = "identity/pseudonym.key"
# profiles = ["profiles/purposes.ttl"]  # which concepts are kinds of which, and which role may state which purpose
# legal_bases = true      # every permission names the legal basis that it rests on
# age_grain_seconds = 60  # how exactly they who see a part are told when the twin last changed; 0: not at all
# review_hours = 72       # how soon a use that broke the glass is to be reviewed

# [telemetry]
# log = "text"            # or "json"; how much: TWINLINK_LOG=info
# otlp = "http://127.0.0.1:4317"  # where traces are sent (OpenTelemetry, gRPC, without encryption); nowhere without it

# Apps of ours without a client certificate: each request then proves its key (DPoP). What they may ask for is in clients/*.toml.
# [apps]
# dpop = true
# peers = false          # apps of other organisations too, with tokens of theirs
# require_signed_requests = ["https://w3id.org/twinlink/ns#RescueOfficer"]  # questions and changes of who has this role count
#                        # only if they are signed (`twinlink query` signs all); true: everybody's

# [limits]
# deadline_seconds = 30   # the longest a request may run
# rows = 1000000          # the most rows of one answer
# memory_bytes = 536870912  # the most memory that one evaluation may hold at a time
# memory_total_bytes = 8589934592  # the most that all evaluations may hold together; else half of the machine's memory.
#                                  # Request bodies on their way may hold a quarter of that beside it
# result_bytes = 1073741824 # the most bytes of one answer
# query_bytes = 262144    # the longest query text
# nesting = 64            # the deepest nesting of brackets in a query
# body_bytes = 268435456  # the largest body of RDF
# concurrency = 64        # requests worked on at once
# organisation_concurrency = 48  # of these, for one organisation
# caller_concurrency = 16 # of these, for one person or program
# waiting = 256           # requests that wait for their turn; others are told when to come again
# urgent_purposes = ["https://w3id.org/twinlink/ns#EmergencyResponse"]  # what passes others while an incident goes on
"#,
        participant = participant.as_str(),
        dataset = dataset.as_str(),
    )
}
