//! What an audit of a state tells, and when.

use serde_json::{Value, json};

use super::*;
use crate::cluster::Kind;
use crate::objects::Object;

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap().unwrap()
}

fn node(name: &str, region: &str) -> Object {
    object(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {
        "topology.kubernetes.io/region": region, "topology.kubernetes.io/zone": format!("{region}a")}},
        "spec": {"providerID": format!("aws:///{region}a/i-1")}}))
}

fn pod(name: &str, node: &str) -> Object {
    object(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop",
        "annotations": {"domicile.dev/data-classification": "personal"}},
        "spec": {"nodeName": node, "containers": []}}))
}

/// One for the EEA, and for the United States until a moment.
fn policy(until: Option<Timestamp>) -> Object {
    let us = until.map(|until| json!({"jurisdictions": ["US"], "until": until}));
    let allow: Vec<Value> = std::iter::once(json!({"jurisdictions": ["EEA"]})).chain(us).collect();
    object(
        json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "eu"},
        "spec": {"classifications": ["personal"], "allow": allow}}),
    )
}

/// An audit that runs, and what it told.
struct Run {
    shared: Shared,
    ledger: Arc<Mutex<Ledger>>,
    told: Arc<Mutex<Vec<News>>>,
    task: tokio::task::JoinHandle<()>,
}

impl Run {
    fn of(objects: Vec<Object>) -> Self {
        let mut state = State::default();
        state.apply_all(objects);
        let shared = Shared::complete(state);
        let (ledger, told) = (Arc::<Mutex<Ledger>>::default(), Arc::<Mutex<Vec<News>>>::default());
        let auditor = Auditor {
            shared: shared.clone(),
            ledger: ledger.clone(),
            lacking: Arc::default(),
            tell: {
                let told = told.clone();
                Arc::new(move |news| told.lock().extend(news))
            },
            metrics: Metrics::new(),
            audited: watch::channel(0).0,
            interval: Duration::from_hours(1),
        };
        let task = tokio::spawn(async { drop(auditor.run().await) });
        Self { shared, ledger, told, task }
    }

    /// What is told next, in words, sorted.
    async fn told(&self) -> Vec<String> {
        for _ in 0..200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let mut told: Vec<String> =
                std::mem::take(&mut *self.told.lock()).iter().map(ToString::to_string).collect();
            if !told.is_empty() {
                told.sort();
                return told;
            }
        }
        panic!("nothing is told");
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[tokio::test]
async fn what_a_node_changes_for_the_pods_on_it_is_told() {
    let run = Run::of(vec![
        node("fra", "eu-central-1"),
        node("iad", "us-east-1"),
        policy(None),
        pod("a", "fra"),
        pod("b", "iad"),
    ]);
    let told = run.told().await;
    assert!(told.len() == 1 && told[0].starts_with("Pod shop/b is in violation: policy eu: "), "{told:?}");
    run.shared.apply(node("fra", "us-east-1"));
    let told = run.told().await;
    assert!(told.len() == 1 && told[0].starts_with("Pod shop/a is in violation"), "{told:?}");
    assert_eq!(run.ledger.lock().counts()["eu"].total(), 2);
    run.shared.apply(node("fra", "eu-central-1"));
    assert_eq!(run.told().await, ["Pod shop/a does not break policy eu any more"]);
    run.shared.write().delete(Kind::Pod, "shop", "b");
    run.shared.write().delete(Kind::ResidencyPolicy, "", "eu");
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(run.told.lock().is_empty(), "what is gone is not told");
    assert!(run.ledger.lock().counts().is_empty());
}

#[tokio::test]
async fn what_time_changes_is_told_at_its_moment() {
    let until = Timestamp::now() + Duration::from_secs(2);
    let run = Run::of(vec![node("iad", "us-east-1"), policy(Some(until)), pod("a", "iad")]);
    let told = run.told().await;
    assert!(told.len() == 1 && told[0].starts_with("spec.allow[1] of policy eu ends at "), "{told:?}");
    let told = run.told().await;
    assert!(Timestamp::now() >= until);
    assert!(told.len() == 1 && told[0].starts_with("Pod shop/a is in violation"), "{told:?}");
}

#[test]
fn a_moment_that_has_passed_is_not_waited_for() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    let moment = at("2027-01-01T00:00:00Z");
    assert_eq!(left_until(moment, at("2026-12-31T23:59:58Z")), Duration::from_secs(2));
    assert_eq!(left_until(moment, moment), Duration::ZERO);
    assert_eq!(left_until(moment, at("2027-01-01T00:00:01Z")), Duration::ZERO);
}

#[tokio::test]
async fn a_place_that_contradicts_itself_is_told_once() {
    let run = Run::of(vec![node("fra", "eu-central-1")]);
    let mut conflicting = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "fra", "labels": {
        "topology.kubernetes.io/region": "eu-central-1", "topology.kubernetes.io/zone": "eu-central-1a"}},
        "spec": {"providerID": "aws:///us-east-1a/i-1"}});
    run.shared.apply(object(conflicting.clone()));
    let told = run.told().await;
    assert!(told.len() == 1 && told[0].starts_with("Node/fra: "), "{told:?}");
    conflicting["spec"]["taints"] = json!([{"key": "k", "effect": "NoSchedule"}]);
    run.shared.apply(object(conflicting));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(run.told.lock().is_empty());
}
