//! Changes of policies that come all at once, and what is read before something is judged.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::own::NOT_TOLD;
use super::{Admission, Authorizer, Object, Parts, Reader, Shared, State};
use crate::cluster::faked;
use crate::server::{Call, Metrics, Reviewer};

fn review(jurisdiction: &str, patience: Duration) -> Call {
    let review = json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "1", "operation": "CREATE", "name": "eu", "userInfo": {"username": "somebody"},
            "kind": {"group": "domicile.dev", "version": "v1alpha1", "kind": "ResidencyPolicy"},
            "resource": {"group": "domicile.dev", "version": "v1alpha1", "resource": "residencypolicies"},
            "object": {
                "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "eu"},
                "spec": {"classifications": ["personal"], "allow": [{"jurisdictions": [jurisdiction]}]},
            },
        },
    });
    Call { body: review.to_string().into(), deadline: Instant::now() + patience }
}

#[tokio::test]
async fn who_changes_a_policy_does_not_wait_for_all_others_who_do() {
    let admission = Admission::new(Parts {
        shared: Shared::complete(State::default()),
        reader: Reader::Files,
        authorizer: Authorizer::Files,
        tell: Arc::new(|_| {}),
        metrics: Metrics::new(),
    });
    let ask_within = async |jurisdiction: &str, patience| {
        let reply = admission.validate(review(jurisdiction, patience)).await;
        serde_json::from_slice::<Value>(&reply.body).unwrap()["response"].take()
    };
    let ask = async |jurisdiction: &str| ask_within(jurisdiction, Duration::from_secs(10)).await;
    let told = |answer: &Value| answer["warnings"].to_string().contains(NOT_TOLD);
    assert!(!told(&ask("DE").await));
    let turn = Arc::clone(&admission.0.impact).acquire_owned().await.unwrap();
    let answer = ask("DE").await;
    assert!(answer["allowed"] == true && told(&answer), "{answer}");
    // What is wrong is refused all the same.
    assert_eq!(ask("XX").await["allowed"], false);
    drop(turn);
    assert!(!told(&ask("DE").await));
    // Nor is it refused for want of time to tell what it would do.
    let answer = ask_within("DE", Duration::from_millis(100)).await;
    assert!(answer["allowed"] == true && told(&answer), "{answer}");
}

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap().unwrap()
}

fn node(name: &str, region: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {
        "topology.kubernetes.io/region": region, "topology.kubernetes.io/zone": format!("{region}a")}},
        "spec": {"providerID": format!("aws:///{region}a/i-1")}})
}

/// A disk is made where the node is, as soon as one is chosen: nobody asks again.
#[tokio::test]
async fn the_node_that_is_chosen_for_a_claim_is_read_as_it_is() {
    let mut state = State::default();
    state.apply(object(json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy",
        "metadata": {"name": "eu"},
        "spec": {"classifications": ["personal"], "allow": [{"jurisdictions": ["EEA"]}]}})));
    state.apply(object(json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        "metadata": {"name": "disks"}, "provisioner": "ebs.csi.aws.com",
        "volumeBindingMode": "WaitForFirstConsumer"})));
    // What is known of these is old.
    state.apply(object(node("moved", "eu-central-1")));
    state.apply(object(node("back", "us-east-1")));
    let (client, asked) = faked::server(|what, _| {
        let name = what.rsplit('/').next().unwrap_or_default();
        Some(match name {
            "back" | "joined" => (200, node(name, "eu-central-1")),
            "moved" => (200, node(name, "us-east-1")),
            "disks" => (
                200,
                json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
                "metadata": {"name": "disks"}, "provisioner": "ebs.csi.aws.com",
                "volumeBindingMode": "WaitForFirstConsumer"}),
            ),
            "shop" => (200, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}})),
            _ if name.starts_with("pods?") => (200, json!({"kind": "PodList", "metadata": {}, "items": []})),
            _ => return faked::refusal(404, "NotFound", "not found"),
        })
    });
    let admission = Admission::new(Parts {
        shared: Shared::complete(state),
        reader: Reader::live(client),
        authorizer: Authorizer::Files,
        tell: Arc::new(|_| {}),
        metrics: Metrics::new(),
    });
    let claim = |node: &str, labels: &Value| {
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "shop",
            "labels": labels, "annotations": {"domicile.dev/data-classification": "personal",
                "volume.kubernetes.io/selected-node": node}},
            "spec": {"storageClassName": "disks"}})
    };
    let ask = async |new: Value, old: Option<Value>| {
        let operation = if old.is_some() { "UPDATE" } else { "CREATE" };
        let review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {
            "uid": "1", "operation": operation, "name": "data", "namespace": "shop",
            "userInfo": {"username": "system:kube-scheduler"},
            "kind": {"group": "", "version": "v1", "kind": "PersistentVolumeClaim"},
            "resource": {"group": "", "version": "v1", "resource": "persistentvolumeclaims"},
            "object": new, "oldObject": old}});
        let call =
            Call { body: review.to_string().into(), deadline: Instant::now() + Duration::from_secs(10) };
        let reply = admission.validate(call).await;
        serde_json::from_slice::<Value>(&reply.body).unwrap()["response"].take()
    };
    for (node, is_allowed) in [("joined", true), ("back", true), ("moved", false), ("nowhere", false)] {
        for old in [None, Some(claim("", &json!({})))] {
            let answer = ask(claim(node, &json!({})), old).await;
            assert_eq!(answer["allowed"], is_allowed, "{node}: {answer}");
        }
    }
    // One that was chosen before is where the watch says.
    asked.lock().unwrap().clear();
    ask(claim("back", &json!({"app": "web"})), Some(claim("back", &json!({})))).await;
    assert!(asked.lock().unwrap().iter().all(|(what, _)| !what.contains("/nodes/")));
}
