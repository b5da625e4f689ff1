//! Which nodes a policy's refinements select, by the engine that evaluates them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that fails here fails rightly"
)]

#[path = "suite/support.rs"]
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod support;

#[path = "targets/compared.rs"]
mod compared;
#[path = "targets/limits.rs"]
mod limits;
#[path = "targets/nodes.rs"]
mod nodes;
#[path = "targets/patterns.rs"]
mod patterns;
#[path = "targets/refusals.rs"]
mod refusals;
#[path = "targets/shapes.rs"]
mod shapes;
#[path = "targets/shown.rs"]
mod shown;
