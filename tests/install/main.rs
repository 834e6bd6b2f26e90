//! The chart in a real cluster. Its controller is away, so that whoever is asked about is refused, and whoever is not
//! goes through.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

mod asked;
#[path = "../plane/mod.rs"]
mod plane;
mod release;

use std::process::ExitCode;

fn main() -> ExitCode {
    plane::run(vec![release::trials(), asked::trials()])
}
