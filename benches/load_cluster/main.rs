//! What a pod pays for admission on a real control plane: `make load-cluster`.
//!
//! Pods are created in turn in three namespaces: one that no webhook is asked about, one about which a webhook is asked
//! that allows everything, through the same entries, and one about which Domicile is asked, as the chart installs it.

#![allow(missing_docs, clippy::unwrap_used, clippy::panic, reason = "a benchmark")]

#[path = "../load/constant.rs"]
mod constant;
#[path = "../../tests/controller/mod.rs"]
mod controller;
#[path = "../load/machine.rs"]
mod machine;
#[path = "../../tests/plane/mod.rs"]
mod plane;
#[allow(dead_code, reason = "a release is installed here, and tested elsewhere")]
#[path = "../../tests/install/release.rs"]
mod release;
#[allow(dead_code, reason = "a part of it is needed")]
#[path = "../../tests/enforce/stand.rs"]
mod stand;

use std::collections::HashMap;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams, WatchEvent, WatchParams};
use plane::{Plane, Process, eventually, free_port, left_behind};
use serde_json::{Value, json};
use stand::Stand;

/// Namespaces with this label are not Domicile's.
const LABEL: &str = "example.com/asked";
/// What a pod that is created is timed for, in each namespace.
const CREATED: usize = 200;
/// Pods that wait for a node together, and how often.
const BOUND: usize = 60;
const ROUNDS: usize = 3;

fn main() -> ExitCode {
    if constant::serve_if_asked() {
        return ExitCode::SUCCESS;
    }
    // `cargo bench` says so; other runs of all targets must not take minutes.
    if !std::env::args().any(|argument| argument == "--bench") {
        println!("run it with `make load-cluster`");
        return ExitCode::SUCCESS;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let plane: &'static Plane = Box::leak(Box::new(runtime.block_on(Plane::start())));
    runtime.block_on(measure(plane));
    plane.end(false);
    let left = left_behind(Duration::from_secs(10));
    assert!(left.is_empty(), "still running: {left:?}");
    ExitCode::SUCCESS
}

/// One of the three namespaces.
struct Lane {
    name: &'static str,
    namespace: String,
    pods: Api<Pod>,
    created: Vec<Duration>,
    bound: Vec<Duration>,
}

async fn measure(plane: &'static Plane) {
    println!("{}\n", machine::facts());
    let selector = json!({"matchExpressions": [{"key": LABEL, "operator": "DoesNotExist"}]});
    let setting = format!("webhook.namespaceSelector={selector}");
    let stand = Stand::with(plane, "load-domicile", &["--set-json", &setting]).await;
    let nobody = namespace(&stand, "nobody").await;
    let constant = namespace(&stand, "constant").await;
    let _serving = allow_all(&stand, &constant).await;
    let lane = |name, namespace: String| Lane {
        name,
        pods: Api::namespaced(plane.client(), &namespace),
        namespace,
        created: Vec::new(),
        bound: Vec::new(),
    };
    let mut lanes = [
        lane("no webhook", nobody),
        lane("a webhook that always allows", constant),
        lane("domicile", stand.namespace.clone()),
    ];

    // What is first pays for connections.
    for lane in &mut lanes {
        create(&stand, lane, "warm").await;
    }
    for number in 0..CREATED {
        for place in 0..lanes.len() {
            let lane = &mut lanes[(place + number) % 3];
            let time = create(&stand, lane, &format!("created-{number}")).await;
            lane.created.push(time);
        }
    }
    for round in 0..ROUNDS {
        for place in 0..lanes.len() {
            let lane = &mut lanes[(place + round) % 3];
            let times = bind(&stand, lane, round).await;
            lane.bound.extend(times);
        }
    }

    println!(
        "{CREATED} pods created one after another; {ROUNDS} times {BOUND} pods created at once and bound:\n"
    );
    println!("| asked | creation p50, ms | p95, ms | creation to bound p50, ms | p95, ms |");
    println!("| --- | --: | --: | --: | --: |");
    for Lane { name, created, bound, .. } in &mut lanes {
        let [c50, c95] = [50, 95].map(|part| percentile(created, part));
        let [b50, b95] = [50, 95].map(|part| percentile(bound, part));
        println!("| {name} | {c50:.2} | {c95:.2} | {b50:.0} | {b95:.0} |");
    }
    println!("\n{}", machine::busy());
}

/// A namespace that Domicile is not asked about.
async fn namespace(stand: &Stand, asked: &str) -> String {
    let name = stand.plane.namespace(&format!("load-{asked}")).await;
    stand.admin.kubectl(&["label", "namespace", &name, &format!("{LABEL}={asked}")]).ok();
    name
}

/// Has a webhook that always allows asked about this namespace, through copies of the chart's entries for pods.
async fn allow_all(stand: &Stand, namespace: &str) -> Process {
    let folder = stand.plane.folder();
    let (port, health) = (free_port(), free_port());
    for (kind, entries) in [
        ("validatingwebhookconfiguration", &["workloads.domicile.dev", "bindings.domicile.dev"][..]),
        ("mutatingwebhookconfiguration", &["confine.domicile.dev"][..]),
    ] {
        let mut configuration = stand.admin.kubectl(&["get", kind, "domicile", "-o", "json"]).json();
        configuration["metadata"] = json!({"name": "constant"});
        let all = configuration["webhooks"].as_array_mut().unwrap();
        all.retain(|entry| entries.contains(&entry["name"].as_str().unwrap()));
        assert_eq!(all.len(), entries.len());
        for entry in all {
            let path = entry["clientConfig"]["url"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
            let authority = k8s_openapi::ByteString(std::fs::read(folder.join("pki/ca.pem")).unwrap());
            entry["clientConfig"] =
                json!({"url": format!("https://127.0.0.1:{port}/{path}"), "caBundle": authority});
            entry["namespaceSelector"] = json!({"matchLabels": {LABEL: "constant"}});
        }
        stand.admin.kubectl_reading(&["create", "-f", "-"], &configuration.to_string()).ok();
    }
    let probe = pod(stand, namespace, "probe").to_string();
    let ask = || stand.admin.kubectl_reading(&["create", "--dry-run=server", "-f", "-"], &probe);
    // While nobody answers there, nothing is created: so it is asked.
    eventually("the webhook is asked", async || {
        ask().stderr.contains("failed calling webhook").then_some(())
    })
    .await;
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .arg(constant::NAME)
        .args([format!("--listen=127.0.0.1:{port}"), format!("--metrics-listen=127.0.0.1:{health}")])
        .arg("--tls-cert")
        .arg(folder.join("pki/server.pem"))
        .arg("--tls-key")
        .arg(folder.join("pki/server.key"));
    let process = Process::spawn("constant", &command, &folder.join("constant.log"));
    eventually("the webhook answers", async || (ask().status == 0).then_some(())).await;
    process
}

/// A pod with personal data, which may be where it asks to be.
fn pod(stand: &Stand, namespace: &str, name: &str) -> Value {
    let mut pod = stand.pod(name, "eu-central-1");
    pod["metadata"]["namespace"] = json!(namespace);
    pod
}

/// How long the creation of a pod takes that no scheduler looks for a node for.
async fn create(stand: &Stand, lane: &Lane, name: &str) -> Duration {
    let mut pod = pod(stand, &lane.namespace, name);
    pod["spec"]["schedulerName"] = json!("nobody");
    let pod: Pod = serde_json::from_value(pod).unwrap();
    let begun = Instant::now();
    lane.pods.create(&PostParams::default(), &pod).await.unwrap();
    begun.elapsed()
}

/// How long each of many pods takes from its creation until the scheduler has bound it, as a watch sees it.
async fn bind(stand: &Stand, lane: &Lane, round: usize) -> Vec<Duration> {
    let now =
        lane.pods.list_metadata(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    let mut events = lane.pods.watch(&WatchParams::default(), &now).await.unwrap().boxed();
    let seeing = tokio::spawn(async move {
        let mut seen = HashMap::new();
        while seen.len() < BOUND {
            let (WatchEvent::Added(pod) | WatchEvent::Modified(pod)) = events.next().await.unwrap().unwrap()
            else {
                continue;
            };
            if pod.spec.is_some_and(|spec| spec.node_name.is_some()) {
                seen.entry(pod.metadata.name.unwrap()).or_insert_with(Instant::now);
            }
        }
        seen
    });
    let pods = (0..BOUND).map(|number| pod(stand, &lane.namespace, &format!("bound-{round}-{number}")));
    let creations = pods.map(|pod| async move {
        let pod: Pod = serde_json::from_value(pod).unwrap();
        let begun = Instant::now();
        lane.pods.create(&PostParams::default(), &pod).await.unwrap();
        (pod.metadata.name.unwrap(), begun)
    });
    let begun = futures::future::join_all(creations).await;
    let seen = tokio::time::timeout(Duration::from_mins(2), seeing).await.unwrap().unwrap();
    let at_once = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
    lane.pods.delete_collection(&at_once, &ListParams::default()).await.unwrap();
    begun.into_iter().map(|(name, begun)| seen[&name] - begun).collect()
}

/// Milliseconds.
fn percentile(times: &mut [Duration], part: usize) -> f64 {
    times.sort_unstable();
    times[(times.len() * part / 100).min(times.len() - 1)].as_secs_f64() * 1e3
}
