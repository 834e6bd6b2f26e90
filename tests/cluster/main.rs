//! Tests on a real control plane. Each room is a module that lists its tests.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

mod asking;
mod certificates;
#[path = "../server/client.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod client;
mod ending;
#[path = "../plane/mod.rs"]
mod plane;
mod real;
mod telling;
mod watching;

use std::process::ExitCode;

fn main() -> ExitCode {
    if ending::is_victim() {
        ending::wait_to_be_killed();
    }
    plane::run(vec![
        ending::trials(),
        real::trials(),
        certificates::trials(),
        asking::trials(),
        telling::trials(),
        watching::trials(),
    ])
}
