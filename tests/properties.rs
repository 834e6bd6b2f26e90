//! The engine held against a judge that enumerates everything, in random little clusters.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod reference;
