//! One policy is changed over many pods: how long until everything says so.
//!
//! A hundred pods, or as many pods and nodes as are asked for: `DOMICILE_MANY=2000,500` is what docs/performance.md has
//! figures of.

use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::{Value, json};

use crate::plane::{OPEN_REPORTS, Plane, Trials};
use crate::stand::Stand;

const LABEL: &str = "example.com/many";
/// Objects that are made side by side.
const TOGETHER: usize = 8;
/// How long all of it may take.
const PATIENCE: Duration = Duration::from_mins(10);

pub(crate) fn trials() -> Trials {
    Trials::of("many").alone("a_changed_policy_is_settled_over_many_pods", a_changed_policy)
}

/// How many pods, and nodes for them.
fn asked() -> (usize, usize) {
    let text = std::env::var("DOMICILE_MANY").unwrap_or_else(|_| "100,25".to_owned());
    let (pods, nodes) = text.split_once(',').unwrap();
    (pods.parse().unwrap(), nodes.parse().unwrap())
}

/// Asks until it is so, and says how long that took.
async fn until(what: &str, is_so: impl AsyncFn() -> bool) -> Duration {
    let begun = Instant::now();
    while !is_so().await {
        assert!(begun.elapsed() < PATIENCE, "not within {} s: {what}", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    begun.elapsed()
}

fn policy(country: &str) -> String {
    json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "many"},
        "spec": {"classifications": ["many"], "allow": [{"jurisdictions": [country]}]}})
    .to_string()
}

async fn a_changed_policy(plane: &'static Plane) {
    let stand = Stand::up(plane, "many").await;
    let (pods, nodes) = asked();
    stand.apply(&policy("DE")).ok();
    let labels = json!({LABEL: "yes", "topology.kubernetes.io/region": "eu-central-1",
        "topology.kubernetes.io/zone": "eu-central-1a"});
    let all: Api<Node> = Api::all(plane.client());
    let made =
        futures::stream::iter(0..nodes).map(|number| {
            let node = json!({"metadata": {"name": format!("many-{number}"), "labels": labels},
            "spec": {"providerID": format!("aws:///eu-central-1a/i-many-{number}")}});
            let all = all.clone();
            async move {
                all.create(&PostParams::default(), &serde_json::from_value(node).unwrap()).await.unwrap()
            }
        });
    made.buffer_unordered(TOGETHER).for_each(async |_| ()).await;
    let begun = Instant::now();
    let there: Api<Pod> = Api::namespaced(plane.client(), &stand.namespace);
    let made =
        futures::stream::iter(0..pods).map(|number| {
            let mut pod = stand.pod(&format!("many-{number}"), "");
            pod["metadata"]["annotations"] = json!({crate::stand::KEY: "many"});
            pod["spec"]["nodeName"] = json!(format!("many-{}", number % nodes));
            let there = there.clone();
            async move {
                there.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap()
            }
        });
    made.buffer_unordered(TOGETHER).for_each(async |_| ()).await;
    println!("{pods} pods on {nodes} nodes were made in {:.1} s", begun.elapsed().as_secs_f64());

    let counts = || {
        let policy = stand.admin.kubectl(&["get", "respol", "many", "-o", "json"]).json();
        let count = |field: &str| policy["status"]["compliance"][field].as_u64().unwrap_or_default();
        (count("checked"), count("violating"))
    };
    // How many a policy selects is written now and then.
    until("all are counted", async || counts() == (pods as u64, 0)).await;
    // The processes that ask take time too; so does each of them.
    let settled = async |country: &str, violating: usize| {
        let begun = Instant::now();
        stand.apply(&policy(country)).ok();
        until("the status says so", async || counts() == (pods as u64, violating as u64)).await;
        begun.elapsed()
    };
    let broken = settled("JP", pods).await;
    let kept = settled("DE", 0).await;
    println!(
        "the status was settled {} ms after a policy began to forbid all of them, {} ms after it permitted them again",
        broken.as_millis(),
        kept.as_millis()
    );
    reported(plane, &stand, pods).await;
    let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    there.delete_collection(&at_once, &ListParams::default()).await.unwrap();
    all.delete_collection(&DeleteParams::default(), &ListParams::default().labels(LABEL)).await.unwrap();
    stand.admin.kubectl(&["delete", "respol", "many"]).ok();
}

/// The same with a report of each.
async fn reported(plane: &'static Plane, stand: &Stand, pods: usize) {
    stand.apply(&OPEN_REPORTS.definitions().to_string()).ok();
    let path = format!(
        "/apis/{}/{}/namespaces/{}/{}?limit=100000",
        OPEN_REPORTS.group, OPEN_REPORTS.version, stand.namespace, OPEN_REPORTS.namespaced.1
    );
    let all_say = async |result: &str| {
        // To read them all is work for the API server, which is to write them.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let request = http::Request::get(&path).body(Vec::new()).unwrap();
        let Ok(list) = plane.client().request::<Value>(request).await else { return false };
        let reports = list["items"].as_array().cloned().unwrap_or_default();
        reports.iter().filter(|report| report["results"][0]["result"] == result).count() == pods
    };
    let made = until("all have a report", async || all_say("pass").await).await;
    stand.apply(&policy("JP")).ok();
    let changed = until("all reports say so", async || all_say("fail").await).await;
    println!(
        "all had a report {:.1} s after the cluster served them, and all said so {:.1} s after the policy was changed",
        made.as_secs_f64(),
        changed.as_secs_f64()
    );
    let rest = stand.metrics();
    assert!(rest.contains("domicile_reports_left_out 0"), "{rest}");
    for name in OPEN_REPORTS.names() {
        stand.admin.kubectl(&["delete", "crd", &name]).ok();
    }
}
