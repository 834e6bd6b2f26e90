//! The chart, by the real Helm.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

mod helm;
mod image;
mod monitoring;
mod notes;
mod packs;
mod rendered;
mod values;
