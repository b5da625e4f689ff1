//! Organisations over real sockets and mutual TLS, with real tokens, stores, policies and federation.

mod ages;
mod apps;
mod audit;
mod broken_peers;
mod brokers;
mod caller;
mod floods;
mod incidents;
mod input;
mod large_bodies;
mod leaving;
mod long_texts;
mod reload;
mod silence;
mod summaries;
mod three;
mod town;
mod turned_away;
mod updates;
