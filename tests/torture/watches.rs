//! What a replica knows when its watches are cut, late, or held up without a word.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::direct::admits;
use crate::field::Field;
use crate::load::{Outcome, binding};
use crate::plane::{Plane, Trials};
use crate::replica::Replica;
use crate::replicas::times;
use crate::stand::{KEY, node};

/// A node of which it turns out that it is elsewhere, and the label that says so.
const MOVED: &str = "moved";
const DECLARED: &str = "domicile.dev.node-restriction.kubernetes.io/jurisdiction";

/// What a replica may not have heard of for this long, if its connections are open and nothing passes: the life of a
/// watch, and what is added for a machine that is busy.
const BOUND: Duration = Duration::from_secs(65 + 15);

/// Within this time it is told that nothing comes any more: the life of a watch, the silence of the connection that the next
/// one is asked for on, and the minute after which what is known counts as old.
const TOLD: Duration = Duration::from_secs(65 + 75 + 60 + 20);

pub(crate) fn trials() -> Trials {
    let trials = Trials::of("watches")
        .alone("they_are_cut", they_are_cut)
        .alone("they_are_held_up_without_a_word", what_is_open_is_held_up);
    if crate::asked().is_none() {
        return trials;
    }
    trials
        .alone("all_of_them_are_cut", all_of_them_are_cut)
        .alone("they_are_late", they_are_late)
        .alone("everything_is_held_up", everything_is_held_up)
}

/// A policy that nothing of the load is governed by, and a pod that it forbids. It warns nobody, and the pod is admitted
/// where it is not known.
fn policy(name: &str) -> (String, Value) {
    let policy = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": name},
        "spec": {"classifications": [name], "allow": [{"jurisdictions": ["JP"]}]},
    });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "probe", "namespace": "default", "annotations": {KEY: name}},
        "spec": {"containers": [{"name": "app", "image": "none"}],
                 "nodeSelector": {"topology.kubernetes.io/region": "eu-central-1"}},
    });
    (policy.to_string(), pod)
}

/// How long until a replica denies a pod by a policy that it has not heard of yet.
async fn hears(replica: &Replica, pod: &Value, limit: Duration) -> Duration {
    let begun = Instant::now();
    while admits(replica, pod).await != Some(false) {
        assert!(begun.elapsed() < limit, "not heard of within {limit:?}:\n{}", replica.output());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    begun.elapsed()
}

async fn they_are_cut(plane: &'static Plane) {
    let mut field = Field::up(plane, "cut").await;
    field.excuse();
    let (mut recoveries, mut heard) = (Vec::new(), Duration::ZERO);
    let (rounds, seconds) = (times(1, 3), times(2, 10) as u64);
    for round in 0..rounds {
        let (policy, pod) = policy(&format!("cut-{round}"));
        let (asked, other) = field.asked_and_other().await;
        asked.proxy.cut();
        field.apply(&policy);
        hears(other, &pod, Duration::from_secs(10)).await;
        field.goes_on_for(seconds).await;
        assert_eq!(admits(asked, &pod).await, Some(true), "it has not heard of the policy");
        asked.proxy.heal();
        let (recovery, later) = tokio::join!(field.recovered(), hears(asked, &pod, Duration::from_mins(1)));
        recoveries.push(recovery);
        heard = heard.max(later);
    }
    let note = format!("it hears of what it missed {:.1} s later at most", heard.as_secs_f64());
    let fault = format!("a replica is cut off from the API server for {seconds} s");
    field.account(&fault, rounds, &recoveries, &note).await;
}

/// Nobody can read anything, and nobody hears: what goes by what is known is judged, and the rest is refused.
async fn all_of_them_are_cut(plane: &'static Plane) {
    let mut field = Field::up(plane, "both-cut").await;
    field.excuse();
    let (mut recoveries, mut heard) = (Vec::new(), Duration::ZERO);
    for round in 0..3 {
        let (policy, pod) = policy(&format!("both-cut-{round}"));
        for replica in &field.replicas {
            replica.proxy.cut();
        }
        field.goes_on_for(5).await;
        field.apply(&policy);
        field.goes_on_for(5).await;
        for replica in &field.replicas {
            assert_eq!(admits(replica, &pod).await, Some(true), "it has not heard of the policy");
            replica.proxy.heal();
        }
        let (first, second) = (&field.replicas[0], &field.replicas[1]);
        let limit = Duration::from_mins(1);
        let (recovery, one, other) =
            tokio::join!(field.recovered(), hears(first, &pod, limit), hears(second, &pod, limit));
        recoveries.push(recovery);
        heard = heard.max(one).max(other);
        field.both_ready().await;
    }
    let note = format!("both hear of what they missed {:.1} s later at most", heard.as_secs_f64());
    field.account("both replicas are cut off from the API server for 10 s", 3, &recoveries, &note).await;
}

async fn they_are_late(plane: &'static Plane) {
    let mut field = Field::up(plane, "late").await;
    field.excuse();
    for replica in &field.replicas {
        replica.proxy.delay(Duration::from_secs(1));
    }
    let (policy, pod) = policy("late");
    field.apply(&policy);
    let heard = hears(&field.replicas[0], &pod, Duration::from_mins(1)).await;
    field.goes_on_for(20).await;
    for replica in &field.replicas {
        replica.proxy.heal();
    }
    let recovery = field.recovered().await;
    field.goes_on_for(3).await;
    let note = format!("a new policy counts after {:.1} s", heard.as_secs_f64());
    field
        .account(
            "all that both replicas send to and hear from the API server is 1 s late for 20 s",
            1,
            &[recovery],
            &note,
        )
        .await;
}

/// Only what is open: as if a firewall had forgotten the connections.
async fn what_is_open_is_held_up(plane: &'static Plane) {
    let mut field = Field::up(plane, "held").await;
    node(plane, MOVED, "eu-west-1", "eu-west-1a").await;
    field.goes_on_for(2).await;
    let (policy, pod) = policy("held");
    let (asked, other) = field.asked_and_other().await;
    let begun = Instant::now();
    asked.proxy.hold_what_is_open();
    field.apply(&policy);
    hears(other, &pod, Duration::from_secs(10)).await;
    assert_eq!(admits(asked, &pod).await, Some(true), "it has not heard of the policy");
    let mut note = a_node_moves(&field, times(5, 40)).await;
    if crate::asked().is_some() {
        hears(asked, &pod, BOUND).await;
        let heard = begun.elapsed().as_secs_f64();
        note = format!("nobody lets go, and it hears of a new policy after {heard:.0} s; {note}");
    }
    asked.proxy.heal();
    let recovery = field.recovered().await;
    field
        .account(
            "a replica's connections to the API server stay open, and nothing passes",
            1,
            &[recovery],
            &note,
        )
        .await;
    // Others place pods in its region.
    plane.admin().kubectl(&["delete", "node", MOVED]).ok();
}

/// A node turns out to be in the United States, of which one replica hears nothing. Whoever is asked, no pod gets there:
/// where a node is counts as it is at that moment.
async fn a_node_moves(field: &Field, pods: usize) -> String {
    let declared = format!("{DECLARED}=US");
    field.admin.kubectl(&["label", "node", MOVED, &declared]).ok();
    let mut created = 0;
    for number in 0..pods {
        let pod = |name: String, spec: Value| {
            let mut pod = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": name, "namespace": field.namespace, "annotations": {KEY: "personal"}},
                "spec": spec,
            });
            pod["spec"]["containers"] = json!([{"name": "app", "image": "none"}]);
            pod["spec"]["schedulerName"] = json!("mine");
            pod
        };
        // The one is told the node, and the other one is bound to it.
        let named = pod(format!("i-moved-{number}"), json!({"nodeName": MOVED}));
        let pinned = format!("moved-{number}");
        let waits = pod(pinned.clone(), json!({"nodeSelector": {"kubernetes.io/hostname": MOVED}}));
        let there = field.pods();
        assert_ne!(field.post(&there, &named).await, Outcome::Admitted, "a pod was made abroad");
        if field.post(&there, &waits).await == Outcome::Admitted {
            created += 1;
            let binding = binding(&json!(pinned), MOVED);
            let bound = field.post(&format!("{there}/{pinned}/binding"), &binding).await;
            assert_ne!(bound, Outcome::Admitted, "a pod was bound abroad");
        }
    }
    format!("of {pods} pods for a node that had moved abroad, {created} were made, and none was bound")
}

/// New connections too, for longer than anything may take.
async fn everything_is_held_up(plane: &'static Plane) {
    let mut field = Field::up(plane, "all-held").await;
    field.excuse();
    let (policy, pod) = policy("all-held");
    let (asked, other) = field.asked_and_other().await;
    asked.proxy.hold();
    field.apply(&policy);
    hears(other, &pod, Duration::from_secs(10)).await;
    let begun = Instant::now();
    while !crate::stand::metrics(asked.ports.metrics).contains("domicile_cache_synced 0") {
        assert!(begun.elapsed() < TOLD, "nobody is told that it knows what was");
        field.goes_on_for(1).await;
    }
    let told = begun.elapsed();
    field.goes_on_for(10).await;
    asked.proxy.heal();
    let (recovery, heard) = tokio::join!(field.recovered(), hears(asked, &pod, Duration::from_mins(2)));
    let note = format!(
        "`domicile_cache_synced` is 0 after {:.0} s; it hears of a new policy {:.1} s after the end",
        told.as_secs_f64(),
        heard.as_secs_f64()
    );
    field
        .account(
            "nothing passes between a replica and the API server, and nothing is closed",
            1,
            &[recovery],
            &note,
        )
        .await;
}
