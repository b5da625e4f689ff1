//! Policies as a publisher writes them, requests as a connector makes them, and what comes out.

#[cfg(test)]
#[path = "suite/analyse.rs"]
mod analyse;
#[cfg(test)]
#[path = "suite/check.rs"]
mod check;
#[cfg(test)]
#[path = "suite/collections.rs"]
mod collections;
#[cfg(test)]
#[path = "suite/constraints.rs"]
mod constraints;
#[cfg(test)]
#[path = "suite/decide.rs"]
mod decide;
#[cfg(test)]
#[path = "suite/exceptions.rs"]
mod exceptions;
#[cfg(test)]
#[path = "suite/fragilities.rs"]
mod fragilities;
#[cfg(test)]
#[path = "suite/glass.rs"]
mod glass;
#[cfg(test)]
#[path = "suite/grounds.rs"]
mod grounds;
#[cfg(test)]
#[path = "suite/hash.rs"]
mod hash;
#[cfg(test)]
#[path = "suite/malformed.rs"]
mod malformed;
#[cfg(test)]
#[path = "suite/operands.rs"]
mod operands;
#[cfg(test)]
#[path = "suite/parse.rs"]
mod parse;
#[cfg(test)]
#[path = "suite/properties.rs"]
mod properties;
#[cfg(test)]
#[path = "suite/refuse.rs"]
mod refuse;
#[cfg(test)]
#[path = "suite/stateful.rs"]
mod stateful;
#[cfg(test)]
#[path = "suite/support.rs"]
mod support;
#[cfg(test)]
#[path = "suite/world.rs"]
mod world;
