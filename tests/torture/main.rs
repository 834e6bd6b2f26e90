//! Faults under load: two replicas behind a balancer, on a real control plane, while pods are created and bound all the
//! time. Whatever is placed in the end is held against the reference.
//!
//! A few faults are tried briefly; `make torture` tries all of them, as long and as hard as they are meant.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails that way")]

mod account;
mod balancer;
mod certificates;
#[path = "../server/client.rs"]
#[allow(dead_code, reason = "a part of it is needed")]
mod client;
mod clock;
#[path = "../controller/mod.rs"]
mod controller;
mod direct;
mod field;
mod floods;
mod full;
#[allow(dead_code, reason = "a release is installed here, and upgraded elsewhere")]
#[path = "../install/installed.rs"]
mod installed;
mod load;
mod memory;
#[path = "../plane/mod.rs"]
mod plane;
mod proxy;
#[allow(clippy::pedantic, reason = "as where it is at home")]
#[path = "../properties/reference/mod.rs"]
mod reference;
mod replica;
mod replicas;
#[allow(dead_code, reason = "a part of it is needed")]
#[path = "../enforce/stand.rs"]
mod stand;
mod stored;
mod strangers;
mod under;
mod watches;

use std::process::ExitCode;

/// Set by `make torture` to the pods that are to be created in a second.
const ASKED: &str = "DOMICILE_TORTURE";

/// The pods a second that are asked for, if the long faults are.
fn asked() -> Option<u32> {
    std::env::var(ASKED).ok().map(|rate| rate.parse().unwrap())
}

fn main() -> ExitCode {
    let rooms = vec![
        replicas::trials(),
        under::trials(),
        full::trials(),
        watches::trials(),
        certificates::trials(),
        floods::trials(),
        strangers::trials(),
        clock::trials(),
        memory::trials(),
    ];
    let code = plane::run(rooms);
    account::print();
    code
}
