//! What is fuzzed: each room has a `run`, which panics if something does not hold.

pub mod judge;
pub mod manifests;
pub mod places;
pub mod reviews;
pub mod selectors;
