//! What exists is watched over: what comes to break a policy is told, counted and written down, once.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::plane::{Plane, Process, Trials, eventually};
use crate::refusals::workload;
use crate::release::NAMESPACE;
use crate::stand::{FRANKFURT, KEY, Stand, VIRGINIA, metrics};

pub(crate) const RESTRICTED: &str = "domicile.dev.node-restriction.kubernetes.io/jurisdiction";

pub(crate) fn trials() -> Trials {
    Trials::of("audit")
        .alone("a_relabelled_node_is_told_of_and_restored", a_relabelled_node)
        .alone("an_exception_that_ends_is_told_of_at_its_moment", an_exception_that_ends)
        .alone("another_takes_over_and_tells_what_was_not_told", another_takes_over)
}

/// The events of one reason in the namespace of the test, of which each is about an object and a policy.
fn events(stand: &Stand, reason: &str) -> Vec<(String, String, Value)> {
    let arguments = ["get", "events.v1.events.k8s.io", "-n", &stand.namespace, "-o", "json"];
    let all = stand.admin.kubectl(&arguments).json();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let ours = all["items"].as_array().unwrap().iter().filter(|event| event["reason"] == reason);
    ours.map(|event| (text(&event["regarding"]["name"]), text(&event["related"]["name"]), event.clone()))
        .collect()
}

/// A condition of the policy and its count of violations.
fn status(stand: &Stand, policy: &str) -> (String, i64) {
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
    // A policy that goes takes its violations with it.
    let mut deployment = workload("apps/v1", "Deployment", "clinic", "us-east-1");
    deployment["spec"]["replicas"] = json!(0);
    deployment["spec"]["template"]["metadata"]["annotations"] = json!({KEY: "health"});
    stand.apply(&deployment.to_string()).ok();
    let policy = "
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: health-home}
spec: {classifications: [health], allow: [{jurisdictions: [DE]}]}
";
    stand.apply(policy).ok();
    let of_clinic = |reason: &str| {
        events(&stand, reason).into_iter().filter(|(name, ..)| name == "clinic").collect::<Vec<_>>()
    };
    eventually("the Deployment is told of", async || {
        (of_clinic("ResidencyViolation").len() == 1).then_some(())
    })
    .await;
    stand.admin.kubectl(&["delete", "respol", "health-home"]).ok();
    eventually("it is told to be restored", async || {
        (of_clinic("ResidencyRestored").len() == 1).then_some(())
    })
    .await;
}

async fn an_exception_that_ends(plane: &'static Plane) {
    let stand = Stand::up(plane, "ends").await;
    let until = Timestamp::from_second(Timestamp::now().as_second() + 20).unwrap();
    let exception = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyException",
        "metadata": {"name": "drill", "namespace": stand.namespace},
        "spec": {"policies": ["eu-personal"], "allow": [{"jurisdictions": ["US"]}], "until": until.to_string(),
                 "reason": "a drill"},
    });
    stand.apply(&exception.to_string()).ok();
    bound(&stand, "early", VIRGINIA, |_| {}).await;
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
