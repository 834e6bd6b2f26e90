//! Domicile on a real control plane: the chart installed by Helm, `domicile serve` with the chart's ServiceAccount, and
//! people, controllers and attackers who ask.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

mod audit;
mod changed;
#[path = "../controller/mod.rs"]
mod controller;
mod data;
mod deleted;
#[allow(dead_code, reason = "a release is installed here, and upgraded elsewhere")]
#[path = "../install/installed.rs"]
mod installed;
mod joining;
mod life;
mod looked_at;
mod losing;
mod many;
mod others;
mod places;
#[path = "../plane/mod.rs"]
mod plane;
mod races;
mod records;
mod refusals;
mod reports;
mod slips;
mod soon;
mod stand;
mod tenant;
mod told;
mod volumes;
mod ways_around;
mod written;

use std::process::ExitCode;

fn main() -> ExitCode {
    plane::run(vec![
        // What others leave behind would be counted by it.
        audit::trials(),
        told::trials(),
        soon::trials(),
        deleted::trials(),
        reports::trials(),
        records::trials(),
        looked_at::trials(),
        refusals::trials(),
        ways_around::trials(),
        data::trials(),
        losing::trials(),
        volumes::trials(),
        tenant::trials(),
        changed::trials(),
        written::trials(),
        others::trials(),
        slips::trials(),
        joining::trials(),
        places::trials(),
        races::trials(),
        life::trials(),
        many::trials(),
    ])
}
