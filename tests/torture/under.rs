//! The API server and etcd, under everything.

use std::time::{Duration, Instant};

use crate::field::Field;
use crate::load::Outcome;
use crate::plane::{Component, Plane, Trials};
use crate::replicas::times;

pub(crate) fn trials() -> Trials {
    let trials = Trials::of("under").alone("the_api_server_restarts", the_api_server_restarts);
    if crate::asked().is_none() {
        return trials;
    }
    trials
        .alone("etcd_stands_still", etcd_stands_still)
        .alone("etcd_is_killed", etcd_is_killed)
        .alone("the_store_is_full", the_store_is_full)
}

async fn the_api_server_restarts(plane: &'static Plane) {
    let mut field = Field::up(plane, "apiserver").await;
    field.excuse();
    let mut recoveries = Vec::new();
    let rounds = times(1, 3);
    for round in 0..rounds {
        if round % 2 == 0 {
            plane.kill(Component::ApiServer);
        } else {
            plane.stop(Component::ApiServer);
        }
        field.goes_on_for(times(1, 2) as u64).await;
        plane.restart(Component::ApiServer).await;
        recoveries.push(field.recovered().await);
        field.both_ready().await;
        field.goes_on_for(times(1, 2) as u64).await;
    }
    field.account("the API server is killed, or stopped, and started again", rounds, &recoveries, "").await;
}

async fn etcd_stands_still(plane: &'static Plane) {
    let mut field = Field::up(plane, "etcd-still").await;
    field.excuse();
    plane.freeze(Component::Etcd, true);
    field.goes_on_for(30).await;
    plane.freeze(Component::Etcd, false);
    let recovery = field.recovered().await;
    plane.ready(Component::ApiServer).await;
    plane.heal().await;
    field.both_ready().await;
    field.goes_on_for(3).await;
    field.account("etcd stands still for 30 s (SIGSTOP)", 1, &[recovery], "").await;
}

async fn etcd_is_killed(plane: &'static Plane) {
    let mut field = Field::up(plane, "etcd-killed").await;
    field.excuse();
    let mut recoveries = Vec::new();
    for _ in 0..2 {
        plane.kill(Component::Etcd);
        field.goes_on_for(5).await;
        plane.restart(Component::Etcd).await;
        recoveries.push(field.recovered().await);
        field.goes_on_for(2).await;
    }
    field.account("etcd is killed for 5 s", 2, &recoveries, "").await;
}

async fn the_store_is_full(plane: &'static Plane) {
    let mut field = Field::up(plane, "full").await;
    field.excuse();
    plane.store_is_full(true).await;
    field.goes_on_for(10).await;
    // What is judged is judged all the same; what would be stored is not.
    let begun = Instant::now();
    let judged = field.dry_run().await;
    plane.store_is_full(false).await;
    let recovery = field.recovered().await;
    assert!(begun.elapsed() < Duration::from_mins(1));
    field.goes_on_for(3).await;
    assert_eq!(judged, (Outcome::Admitted, Outcome::Denied), "asked meanwhile, as a dry run");
    let note = "judged as ever meanwhile; nothing is stored";
    field.account("etcd's store is full for 10 s (its alarm NOSPACE)", 1, &[recovery], note).await;
}
