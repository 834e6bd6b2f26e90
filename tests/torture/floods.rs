//! More of everything at once than there ever was: policies, nodes.

use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::{Value, json};

use crate::direct::admits;
use crate::field::Field;
use crate::plane::{Plane, Trials};
use crate::stand::KEY;

/// Policies before, and ten times as many.
const POLICIES: usize = 20;
const NODES: usize = 5_000;
/// Objects that are made side by side.
const TOGETHER: usize = 32;
const LABEL: &str = "example.com/flood";

pub(crate) fn trials() -> Trials {
    let trials = Trials::of("floods");
    if crate::asked().is_none() {
        return trials;
    }
    trials
        .alone("ten_times_the_policies_come_at_once", ten_times_the_policies)
        .alone("thousands_of_nodes_arrive_at_once", thousands_of_nodes)
}

/// Policies that govern what the load carries as well, and permit the same.
async fn policies(field: &Field, numbers: std::ops::Range<usize>) {
    let client = field.plane.client();
    let made = futures::stream::iter(numbers).map(|number| {
        let client = client.clone();
        let body = json!({
            "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy",
            "metadata": {"name": format!("flood-{number}"), "labels": {LABEL: "yes"}},
            "spec": {"classifications": ["personal", format!("flood-{number}")], "allow": [{"jurisdictions": ["EEA"]}]},
        });
        async move {
            let request = http::Request::post("/apis/domicile.dev/v1alpha1/residencypolicies")
                .header("content-type", "application/json")
                .body(body.to_string().into_bytes())
                .unwrap();
            client.request::<Value>(request).await.unwrap();
        }
    });
    made.buffer_unordered(TOGETHER).for_each(async |()| ()).await;
}

async fn ten_times_the_policies(plane: &'static Plane) {
    let mut field = Field::up(plane, "policies").await;
    policies(&field, 0..POLICIES).await;
    field.goes_on_for(3).await;
    let begun = Instant::now();
    policies(&field, POLICIES..10 * POLICIES).await;
    let made = begun.elapsed();
    let last = format!("flood-{}", 10 * POLICIES - 1);
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "probe", "namespace": "default", "annotations": {KEY: last}},
        "spec": {"containers": [{"name": "app", "image": "none"}],
                 "nodeSelector": {"topology.kubernetes.io/region": "us-east-1"}},
    });
    for replica in &field.replicas {
        while admits(replica, &pod).await != Some(false) {
            assert!(begun.elapsed() < Duration::from_mins(1), "the last policy does not count");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let counted = begun.elapsed();
    let recovery = field.recovered().await;
    field.goes_on_for(5).await;
    let note = format!(
        "{} policies were made in {:.1} s; all count in both replicas after {:.1} s",
        9 * POLICIES,
        made.as_secs_f64(),
        counted.as_secs_f64()
    );
    field.account("policies become ten times as many at once", 1, &[recovery], &note).await;
}

async fn thousands_of_nodes(plane: &'static Plane) {
    let mut field = Field::up(plane, "nodes").await;
    let all: Api<Node> = Api::all(plane.client());
    let begun = Instant::now();
    let made =
        futures::stream::iter(0..NODES).map(|number| {
            let (region, zone) =
                if number % 2 == 0 { ("eu-west-1", "eu-west-1a") } else { ("us-west-2", "us-west-2a") };
            let node = json!({
                "metadata": {"name": format!("flood-{number}"), "labels": {LABEL: "yes",
                    "topology.kubernetes.io/region": region, "topology.kubernetes.io/zone": zone}},
                "spec": {"providerID": format!("aws:///{zone}/i-flood-{number}")},
            });
            let all = all.clone();
            async move {
                all.create(&PostParams::default(), &serde_json::from_value(node).unwrap()).await.unwrap()
            }
        });
    made.buffer_unordered(TOGETHER).for_each(async |_| ()).await;
    let made = begun.elapsed();
    // Nodes are read as pods are, by a watch: it has brought all when the last counts.
    for replica in &field.replicas {
        let wanted = format!(r#"domicile_cache_objects{{kind="Node"}} {}"#, NODES + 2);
        while !crate::stand::metrics(replica.ports.metrics).contains(&wanted) {
            assert!(begun.elapsed() < Duration::from_mins(5), "{wanted}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    let recovery = field.recovered().await;
    field.goes_on_for(5).await;
    let note = format!("{NODES} nodes were made in {:.0} s", made.as_secs_f64());
    field.stop_the_load().await;
    all.delete_collection(&DeleteParams::default(), &ListParams::default().labels(LABEL)).await.unwrap();
    field.account("5,000 nodes arrive at once, every other one abroad", 1, &[recovery], &note).await;
}
