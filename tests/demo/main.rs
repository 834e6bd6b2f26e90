//! `make demo-cluster`: a first hour with Domicile on a real control plane, as somebody would type it, and as a test, so
//! that what it shows is true.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

#[path = "../controller/mod.rs"]
mod controller;
#[path = "../plane/mod.rs"]
mod plane;
mod shell;
mod story;

use std::process::ExitCode;

fn main() -> ExitCode {
    plane::run(vec![plane::Trials::of("demo").alone("a_first_hour", story::tell)])
}
