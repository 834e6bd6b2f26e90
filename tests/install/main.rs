//! The chart in a real cluster.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

mod asked;
mod image;
mod installed;
#[path = "../plane/mod.rs"]
mod plane;
mod pod_security;
mod release;
mod rights;

use std::process::ExitCode;

fn main() -> ExitCode {
    plane::run(vec![
        release::trials(),
        asked::trials(),
        rights::trials(),
        pod_security::trials(),
        image::trials(),
    ])
}
