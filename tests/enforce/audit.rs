//! What exists is watched over: what comes to break a policy is told, counted and written down, once.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures::StreamExt;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use kube::runtime::watcher::{self, watcher};
use serde_json::{Value, json};

use crate::installed::NAMESPACE;
use crate::plane::{Plane, Process, Trials, eventually};
use crate::stand::{FRANKFURT, Stand, VIRGINIA, metrics};

pub(crate) const RESTRICTED: &str = "domicile.dev.node-restriction.kubernetes.io/jurisdiction";

pub(crate) fn trials() -> Trials {
    Trials::of("audit")
        .alone("a_relabelled_node_is_told_of_and_restored", a_relabelled_node)
        .alone("an_exception_that_ends_is_told_of_at_its_moment", an_exception_that_ends)
        .alone("another_takes_over_and_tells_what_was_not_told", another_takes_over)
        .alone("what_a_leader_was_telling_when_it_was_killed_is_told_once", killed_while_it_tells)
}

/// The events of one reason in the namespace of the test, of which each is about an object and a policy.
pub(crate) fn events(stand: &Stand, reason: &str) -> Vec<(String, String, Value)> {
    let arguments = ["get", "events.v1.events.k8s.io", "-n", &stand.namespace, "-o", "json"];
    let all = stand.admin.kubectl(&arguments).json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let ours = all["items"].as_array().unwrap().iter().filter(|event| event["reason"] == reason);
    ours.map(|event| (text(&event["regarding"]["name"]), text(&event["related"]["name"]), event.clone()))
        .collect()
}

/// A condition of the policy and its count of violations.
pub(crate) fn status(stand: &Stand, policy: &str) -> (String, i64) {
    let policy = stand.admin.kubectl(&["get", "respol", policy, "-o", "json"]).json();
    let conditions = policy["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let compliant = conditions.iter().find(|one| one["type"] == "Compliant");
    let compliant = compliant.map(|one| one["status"].as_str().unwrap().to_owned()).unwrap_or_default();
    (compliant, policy["status"]["compliance"]["violating"].as_i64().unwrap_or_default())
}

pub(crate) async fn bound(stand: &Stand, name: &str, node: &str, change: impl FnOnce(&mut Value)) {
    let mut pod = stand.pod(name, if node == VIRGINIA { "us-east-1" } else { "eu-central-1" });
    pod["spec"]["schedulerName"] = json!("mine");
    change(&mut pod);
    eventually("the pod is made", async || (stand.apply(&pod.to_string()).status == 0).then_some(())).await;
    stand.bind(name, node, "pods/binding", &json!({})).ok();
}

async fn a_relabelled_node(plane: &'static Plane) {
    let stand = Stand::up(plane, "relabel").await;
    for name in ["orders", "carts"] {
        bound(&stand, name, FRANKFURT, |_| {}).await;
    }
    eventually("the policy is written to be kept", async || {
        (status(&stand, "eu-personal") == ("True".into(), 0)).then_some(())
    })
    .await;
    let begun = Instant::now();
    stand.admin.kubectl(&["label", "node", FRANKFURT, &format!("{RESTRICTED}=US")]).ok();
    eventually("the status says so", async || {
        (status(&stand, "eu-personal") == ("False".into(), 2)).then_some(())
    })
    .await;
    let told = eventually("both pods are told of", async || {
        let told = events(&stand, "ResidencyViolation");
        (told.len() == 2).then_some(told)
    })
    .await;
    println!("a relabelling was told in the status and in events within {} ms", begun.elapsed().as_millis());
    for (pod, policy, event) in &told {
        assert!(["orders", "carts"].contains(&pod.as_str()) && policy == "eu-personal", "{event}");
        let uid = ["get", "pod", pod, "-n", &stand.namespace, "-o", "jsonpath={.metadata.uid}"];
        assert_eq!(event["regarding"]["uid"], stand.admin.kubectl(&uid).ok(), "{event}");
    }
    let described = stand.admin.kubectl(&["describe", "pod", "orders", "-n", &stand.namespace]).ok();
    assert!(described.contains("ResidencyViolation"), "{described}");
    let metrics = stand.metrics();
    assert!(metrics.contains(r#"domicile_violations{policy="eu-personal",kind="Pod"} 2"#), "{metrics}");
    assert!(metrics.contains("domicile_leader 1"), "{metrics}");
    stand.admin.kubectl(&["label", "node", FRANKFURT, &format!("{RESTRICTED}-")]).ok();
    eventually("both are told to be restored", async || {
        (events(&stand, "ResidencyRestored").len() == 2
            && status(&stand, "eu-personal") == ("True".into(), 0))
            .then_some(())
    })
    .await;
}

/// An exception for so many seconds, and a pod that is abroad by it. Says when it ends.
pub(crate) async fn excepted(stand: &Stand, seconds: i64) -> Timestamp {
    let until = Timestamp::from_second(Timestamp::now().as_second() + seconds).unwrap();
    let exception = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyException",
        "metadata": {"name": "drill", "namespace": stand.namespace},
        "spec": {"policies": ["eu-personal"], "allow": [{"jurisdictions": ["US"]}], "until": until.to_string(),
                 "reason": "a drill"},
    });
    stand.apply(&exception.to_string()).ok();
    bound(stand, "early", VIRGINIA, |_| {}).await;
    until
}

async fn an_exception_that_ends(plane: &'static Plane) {
    let stand = Stand::up(plane, "ends").await;
    let until = excepted(&stand, 20).await;
    assert!(events(&stand, "ResidencyViolation").is_empty());
    let expiring = eventually("that it ends is told ahead", async || {
        events(&stand, "ResidencyGrantExpiring").first().cloned()
    })
    .await;
    assert_eq!(expiring.0, "drill");
    let (pod, policy, event) =
        eventually("the pod is told of", async || events(&stand, "ResidencyViolation").first().cloned())
            .await;
    assert_eq!((pod.as_str(), policy.as_str()), ("early", "eu-personal"));
    let at: Timestamp = event["eventTime"].as_str().unwrap().parse().unwrap();
    assert!(at >= until, "{event}");
    println!("the end of the exception was told {} after it", at.duration_since(until));
    stand.admin.kubectl(&["delete", "pod", "early", "--force", "-n", &stand.namespace]).ok();
}

/// Whether a process holds the Lease.
fn leads(stand: &Stand, process: &Process) -> bool {
    let lease = ["get", "lease", "domicile", "-n", NAMESPACE, "-o", "jsonpath={.spec.holderIdentity}"];
    stand.admin.kubectl(&lease).stdout.ends_with(&format!("-{}", process.pid().as_raw_nonzero()))
}

async fn another_takes_over(plane: &'static Plane) {
    let mut stand = Stand::up(plane, "leader").await;
    bound(&stand, "orders", FRANKFURT, |_| {}).await;
    eventually("the first leads", async || leads(&stand, &stand.serve).then_some(())).await;
    let (mut second, port) = stand.second();
    eventually("the second has read the cluster", async || {
        metrics(port).contains("domicile_cache_synced 1").then_some(())
    })
    .await;
    stand.serve.kill();
    // In the time when nobody leads. The first does not answer any more either, so it goes past admission.
    stand.off();
    stand.admin.kubectl(&["label", "node", FRANKFURT, &format!("{RESTRICTED}=US")]).ok();
    let first =
        eventually("the second tells of it", async || events(&stand, "ResidencyViolation").first().cloned())
            .await;
    assert_eq!(first.0, "orders");
    assert!(leads(&stand, &second));
    tokio::time::sleep(Duration::from_secs(3)).await;
    let told = events(&stand, "ResidencyViolation");
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].2["series"].is_null(), "told twice: {}", told[0].2);
    // It ends in order, and the next one leads at once and tells nothing again.
    assert!(second.stop(Duration::from_secs(20)).success(), "{}", second.tail());
    stand.restart();
    eventually("the next one leads", async || leads(&stand, &stand.serve).then_some(())).await;
    eventually("it has written what it found", async || {
        (status(&stand, "eu-personal").0 == "False").then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let told = events(&stand, "ResidencyViolation");
    assert!(told.len() == 1 && told[0].2["series"].is_null(), "told again: {told:#?}");
}

/// Some of it is told, and some is not.
async fn killed_while_it_tells(plane: &'static Plane) {
    let mut stand = Stand::up(plane, "killed").await;
    let names: Vec<String> = (0..30).map(|number| format!("p{number:02}")).collect();
    for name in &names {
        bound(&stand, name, FRANKFURT, |_| {}).await;
    }
    eventually("the first leads", async || leads(&stand, &stand.serve).then_some(())).await;
    eventually("it has found all of them", async || {
        let checked = ["get", "respol", "eu-personal", "-o", "jsonpath={.status.compliance.checked}"];
        (stand.admin.kubectl(&checked).stdout == "30").then_some(())
    })
    .await;
    let (second, port) = stand.second();
    eventually("the second has read the cluster", async || {
        metrics(port).contains("domicile_cache_synced 1").then_some(())
    })
    .await;
    let all: Api<Event> = Api::namespaced(plane.client(), &stand.namespace);
    let is_told = |event: &Event| event.reason.as_deref() == Some("ResidencyViolation");
    let told = async || {
        let all = all.list(&ListParams::default()).await.unwrap().items;
        all.into_iter().filter(is_told).collect::<Vec<_>>()
    };
    let mut coming = pin!(watcher(all.clone(), watcher::Config::default()));
    while !matches!(coming.next().await, Some(Ok(watcher::Event::InitDone))) {}
    let label = json!({"metadata": {"labels": {RESTRICTED: "US"}}});
    let nodes: Api<Node> = Api::all(plane.client());
    nodes.patch(FRANKFURT, &PatchParams::default(), &Patch::Merge(label)).await.unwrap();
    loop {
        if let Some(Ok(watcher::Event::Apply(event))) = coming.next().await
            && is_told(&event)
        {
            break;
        }
    }
    stand.serve.kill();
    let before = told().await.len();
    stand.off();
    let begun = Instant::now();
    eventually("the second tells the rest", async || (told().await.len() >= 30).then_some(())).await;
    println!(
        "killed after {before} of 30 events; the other replica had told the rest {:.1} s later",
        begun.elapsed().as_secs_f64()
    );
    // On a machine that has no time to kill it before it has told all, there is still nothing to be told twice.
    eventually("the second leads", async || leads(&stand, &second).then_some(())).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    let told = told().await;
    let mut about: Vec<String> =
        told.iter().filter_map(|event| event.regarding.as_ref()?.name.clone()).collect();
    about.sort_unstable();
    assert_eq!(about, names, "lost or told twice");
    assert!(told.iter().all(|event| event.series.is_none()), "told twice");
    assert_eq!(status(&stand, "eu-personal"), ("False".into(), 30));
}
