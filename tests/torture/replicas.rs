//! Replicas that crash, and replicas that end in order.

use std::time::{Duration, Instant};

use crate::field::Field;
use crate::plane::{Plane, Trials, eventually};

pub(crate) fn trials() -> Trials {
    Trials::of("replicas")
        .alone("load_alone_fails_nothing", load_alone)
        .alone("what_nobody_enforces_is_found", nobody_enforces)
        .alone("each_is_killed_and_started_again", each_is_killed)
        .alone("the_leader_is_killed", the_leader_is_killed)
        .alone("each_restarts_in_order_without_a_failed_call", each_restarts_in_order)
}

/// Short where it is one of all tests.
pub(crate) fn times(briefly: usize, long: usize) -> usize {
    if crate::asked().is_some() { long } else { briefly }
}

async fn load_alone(plane: &'static Plane) {
    let mut field = Field::up(plane, "calm").await;
    field.goes_on_for(times(2, 20) as u64).await;
    let tally = field.account("nothing", 1, &[], "").await;
    assert_eq!(tally.failed(), 0, "{:?}", tally.told);
}

/// The control: enforcement is taken off on purpose, and what is placed wrongly then has to be found, or nothing that is said of
/// other faults counts.
async fn nobody_enforces(plane: &'static Plane) {
    let mut field = Field::up(plane, "control").await;
    let off = field.enforcement_off();
    let seconds = times(2, 5) as u64;
    field.goes_on_for(seconds).await;
    for configuration in off {
        field.apply(&configuration);
    }
    let recovery = field.recovered().await;
    field.goes_on_for(1).await;
    let fault = format!("**the control**: enforcement is taken off on purpose, for {seconds} s");
    let note = "the reference finds what the load placed wrongly meanwhile, as it must";
    let (tally, reckoning) = field.reckon(&fault, 1, &[recovery], note).await;
    let found = |what: &str| reckoning.wrong.iter().any(|one| one.contains(what));
    assert!(tally.illegal_admitted > 0, "nothing illegal was admitted: {tally:?}");
    assert!(!reckoning.illegal.is_empty(), "nothing that may not be made is there");
    // By its judgement, and not by a name: bound by hand, and what is legal by its name to the other side.
    assert!(found("i-"), "the reference finds nothing: {:?}", reckoning.wrong);
    assert!(
        reckoning.wrong.iter().any(|one| one.starts_with("l-")),
        "nothing that was bound abroad is found: {:?}",
        reckoning.wrong
    );
    // Pods that are to be confined are refused in the moment in which those who judge are back and who confines is not, or the
    // other way round, so what is legal may be denied here.
}

async fn each_is_killed(plane: &'static Plane) {
    let mut field = Field::up(plane, "killed").await;
    let mut recoveries = Vec::new();
    let rounds = times(1, 5);
    for number in (0..2).cycle().take(2 * rounds) {
        field.replicas[number].kill();
        recoveries.push(field.recovered().await);
        field.replicas[number].start();
        field.both_ready().await;
        field.goes_on_for(1).await;
    }
    field.account("a replica is killed (SIGKILL)", 2 * rounds, &recoveries, "").await;
}

async fn the_leader_is_killed(plane: &'static Plane) {
    let mut field = Field::up(plane, "leader").await;
    let (mut recoveries, mut elected) = (Vec::new(), Duration::ZERO);
    let rounds = times(1, 3);
    for _ in 0..rounds {
        let leader = field.leader().await;
        let killed = Instant::now();
        field.replicas[leader].kill();
        recoveries.push(field.recovered().await);
        let other = &field.replicas[1 - leader];
        eventually("the other one leads", async || other.leads().then_some(())).await;
        elected = elected.max(killed.elapsed());
        field.replicas[leader].start();
        field.both_ready().await;
    }
    let note = format!("the other one leads after {:.1} s at most", elected.as_secs_f64());
    field.account("the leader is killed (SIGKILL)", rounds, &recoveries, &note).await;
}

async fn each_restarts_in_order(plane: &'static Plane) {
    let mut field = Field::up(plane, "rolling").await;
    let rounds = times(1, 5);
    for number in (0..2).cycle().take(2 * rounds) {
        field.replicas[number].stop().await;
        field.replicas[number].start();
        field.both_ready().await;
        // Until the balancer has heard of it.
        field.goes_on_for(1).await;
    }
    let tally = field.account("a replica restarts (SIGTERM)", 2 * rounds, &[], "").await;
    assert_eq!(tally.failed(), 0, "calls have failed while replicas restarted in order: {:?}", tally.told);
}
