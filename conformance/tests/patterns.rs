//! Patterns of use control, each enforced from the policy's text to the answer: Kadaster's four ways to shield linked
//! data (<https://labs.kadaster.nl/cases/lockunlock-project>), and the 21 classes of usage policies of the International
//! Data Spaces Association (<https://github.com/International-Data-Spaces-Association/IDS-G>, `UsageControl`).
//!
//! Detectable only, in part: what a receiver does with an answer once it has it happens out of reach. Classes 14 (delete
//! after use), 16 (modify at rest), 17 and 18 (log, notify) and 19 (attach the policy) end in obligations, which are given
//! with the permit and block the next one when they are left undone; that they were really done is stated by whoever owes
//! them. What class 20 asks of a channel, and classes 3, 6 and 13 of a program, a place and a certificate, is as true as
//! the signed token that states it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that fails here fails rightly"
)]

#[path = "patterns/city.rs"]
mod city;
#[path = "patterns/idsa.rs"]
mod idsa;
#[path = "patterns/kadaster.rs"]
mod kadaster;
