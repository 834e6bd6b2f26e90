//! More of everything at once than there ever was: policies, nodes.

use std::time::{Duration, Instant};

use futures::StreamExt;
use serde_json::{Value, json};

use crate::account::thousands;
use crate::direct::denied;
use crate::field::{FLOOD, Field};
use crate::load::{Outcome, TURNING, Turn, binding, post, turning};
use crate::plane::{Plane, Trials};
use crate::stand::{FRANKFURT, KEY};

/// Policies before, and ten times as many.
pub(crate) const POLICIES: usize = 20;
const NODES: usize = 5_000;
/// Objects that are made side by side.
const TOGETHER: usize = 64;
/// Both replicas judge by everything so long after they could hear of it, on a busy machine and without optimisation.
const HEARD: Duration = Duration::from_secs(30);

pub(crate) fn trials() -> Trials {
    let trials = Trials::of("floods");
    if crate::asked().is_none() {
        return trials;
    }
    trials
        .alone("ten_times_the_policies_come_at_once", ten_times_the_policies)
        .alone("thousands_of_nodes_arrive_at_once", thousands_of_nodes)
}

/// Creates many objects side by side, each until it is there: some calls may fail meanwhile.
async fn create(field: &Field, path: &str, all: impl Iterator<Item = Value>) {
    let client = field.plane.client();
    let made = futures::stream::iter(all).map(|object| {
        let client = &client;
        async move {
            let until = Instant::now() + Duration::from_mins(2);
            loop {
                let (outcome, why) = post(client, path, &object).await;
                if outcome == Outcome::Admitted || why.contains("already exists") {
                    return;
                }
                assert!(Instant::now() < until, "{why}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    });
    made.buffer_unordered(TOGETHER).for_each(async |()| ()).await;
}

/// Policies that govern what the load carries. Every tenth of those that come forbids what the load did until then, the
/// others permit what it does.
pub(crate) async fn policies(field: &Field, numbers: std::ops::Range<usize>) {
    let policy = |number: usize| {
        let (classification, place) = match number % 10 {
            5 if number > POLICIES => (turning(number / 10), "JP"),
            _ => ("personal".to_owned(), "EEA"),
        };
        json!({
            "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy",
            "metadata": {"name": format!("flood-{number}")},
            "spec": {"classifications": [classification, format!("flood-{number}")],
                     "allow": [{"jurisdictions": [place]}]},
        })
    };
    create(field, "/apis/domicile.dev/v1alpha1/residencypolicies", numbers.map(policy)).await;
}

/// A pod at home with data that will be forbidden, which waits for somebody to bind it.
fn waiting(field: &Field, number: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("waiting-{number}"), "namespace": field.namespace,
                     "annotations": {KEY: turning(number)}},
        "spec": {"schedulerName": "mine", "containers": [{"name": "app", "image": "none"}],
                 "nodeSelector": {"topology.kubernetes.io/region": "eu-central-1"}},
    })
}

/// A pod that a policy of this number forbids.
fn forbidden(number: usize) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "probe", "namespace": "default", "annotations": {KEY: format!("flood-{number}")}},
        "spec": {"containers": [{"name": "app", "image": "none"}],
                 "nodeSelector": {"topology.kubernetes.io/region": "us-east-1"}},
    })
}

/// They are made while nothing passes to the replicas, so that both hear of all of them in one moment.
async fn ten_times_the_policies(plane: &'static Plane) {
    let mut field = Field::up(plane, "policies").await;
    field.excuse();
    policies(&field, 0..POLICIES).await;
    create(&field, &field.pods(), (0..TURNING).map(|number| waiting(&field, number))).await;
    field.watch_anew().await;
    for replica in &field.replicas {
        replica.proxy.hold_what_is_open();
    }
    field.turn(Turn::Between);
    let begun = Instant::now();
    policies(&field, POLICIES..10 * POLICIES).await;
    let made = begun.elapsed();
    let new: Vec<_> = (POLICIES..10 * POLICIES).map(forbidden).collect();
    for replica in &field.replicas {
        assert_eq!(denied(replica, &new).await, 0, "it has heard of them one by one");
    }
    for replica in &field.replicas {
        replica.proxy.heal();
    }
    let heard = field.both_deny(&new, HEARD).await;
    field.turn(Turn::After);
    // What was made before, and is bound now.
    for number in 0..TURNING {
        let name = format!("waiting-{number}");
        let path = format!("{}/{name}/binding", field.pods());
        let bound = field.post(&path, &binding(&json!(name), FRANKFURT)).await;
        assert_ne!(bound, Outcome::Admitted, "{name} was bound where a policy forbids it by now");
    }
    let recovery = field.recovered().await;
    field.goes_on_for(15).await;
    let note = format!(
        "{} policies were made in {:.1} s; both replicas judged by all of them {:.1} s after they could hear of them; \
         {TURNING} of them forbid what the load did until then",
        9 * POLICIES,
        made.as_secs_f64(),
        heard.as_secs_f64(),
    );
    field.account("policies become ten times as many in one moment", 1, &[recovery], &note).await;
}

fn node(number: usize) -> Value {
    let (region, zone) =
        if number.is_multiple_of(2) { ("eu-west-1", "eu-west-1a") } else { ("us-west-2", "us-west-2a") };
    let (name, room) = (format!("flood-{number}"), json!({"cpu": "64", "memory": "256Gi", "pods": "1000"}));
    json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {FLOOD: "yes", "kubernetes.io/hostname": name,
            "topology.kubernetes.io/region": region, "topology.kubernetes.io/zone": zone}},
        "spec": {"providerID": format!("aws:///{zone}/i-{name}")},
        "status": {"capacity": room, "allocatable": room,
                   "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]},
    })
}

/// Nodes with room, every other one abroad.
pub(crate) async fn nodes(field: &Field, number: usize) {
    create(field, "/api/v1/nodes", (0..number).map(node)).await;
}

/// A pod for a node at home or one that comes abroad: whoever has heard of that forbids the pod, and nobody else does.
fn for_one_abroad(number: usize) -> Value {
    let names = json!([FRANKFURT, format!("flood-{number}")]);
    let term =
        json!({"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": names}]});
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "probe", "namespace": "default", "annotations": {KEY: "personal"}},
        "spec": {"containers": [{"name": "app", "image": "none"}], "tolerations": [{"operator": "Exists"}],
                 "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
                     "nodeSelectorTerms": [term]}}}},
    })
}

/// They are made while nothing at all passes to the replicas: that takes longer than a watch lives, and a new one would bring
/// a part of them. Half of the load is for them as soon as they exist, and they go when everything on them has been held
/// against the reference.
async fn thousands_of_nodes(plane: &'static Plane) {
    let mut field = Field::up(plane, "nodes").await;
    field.excuse();
    for replica in &field.replicas {
        replica.proxy.hold();
    }
    let begun = Instant::now();
    nodes(&field, NODES).await;
    let made = begun.elapsed();
    let some: Vec<_> = (0..NODES).filter(|number| number % 100 == 99).map(for_one_abroad).collect();
    for replica in &field.replicas {
        assert_eq!(denied(replica, &some).await, 0, "it has heard of some before");
    }
    field.flood(NODES);
    field.goes_on_for(1).await;
    for replica in &field.replicas {
        replica.proxy.heal();
    }
    let heard = field.both_deny(&some, 3 * HEARD).await;
    let recovery = field.recovered().await;
    field.goes_on_for(20).await;
    let on_them = field.placed_on("flood-");
    assert!(on_them > 0, "nothing was placed on the nodes that came");
    let note = format!(
        "the nodes were made in {:.0} s, and both replicas judged by all of them {:.1} s after they could hear of them; \
         {on_them} pods were placed on those at home",
        made.as_secs_f64(),
        heard.as_secs_f64()
    );
    let fault = format!("{} nodes arrive in one moment, every other one abroad", thousands(NODES));
    field.account(&fault, 1, &[recovery], &note).await;
}
