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
    metrics: Metrics,
    task: tokio::task::JoinHandle<()>,
}

impl Run {
    fn of(objects: Vec<Object>) -> Self {
        Self::every(Duration::from_hours(1), objects)
    }

    fn every(interval: Duration, objects: Vec<Object>) -> Self {
        let mut state = State::default();
        state.apply_all(objects);
        let shared = Shared::complete(state);
        let (ledger, told) = (Arc::<Mutex<Ledger>>::default(), Arc::<Mutex<Vec<News>>>::default());
        let metrics = Metrics::new();
        let auditor = Auditor {
            shared: shared.clone(),
            ledger: ledger.clone(),
            lacking: Arc::default(),
            tell: {
                let told = told.clone();
                Arc::new(move |news| told.lock().extend(news))
            },
            metrics: metrics.clone(),
            audited: watch::channel(0).0,
            interval,
        };
        let task = tokio::spawn(async { drop(auditor.run().await) });
        Self { shared, ledger, told, metrics, task }
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
    assert!(told.len() == 2 && told[1].starts_with("Pod shop/a is in violation"), "{told:?}");
    assert!(told[0].starts_with("Node/fra: 1 Pod in 1 namespace breaks policy eu "), "{told:?}");
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
async fn everything_is_audited_in_time_also_while_something_changes_all_the_time() {
    let run = Run::every(
        Duration::from_secs(1),
        vec![node("fra", "eu-central-1"), node("iad", "us-east-1"), policy(None), pod("a", "fra")],
    );
    let shared = run.shared.clone();
    let busy = tokio::spawn(async move {
        for number in 0_u64.. {
            let mut busy = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "busy", "namespace": "shop"},
                "spec": {"nodeName": "fra", "containers": []}});
            busy["metadata"]["labels"] = json!({"number": number.to_string()});
            shared.apply(object(busy));
            tokio::task::yield_now().await;
        }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    // Something that nobody has noted.
    State::apply(&mut run.shared.write(), pod("b", "iad"));
    let told = run.told().await;
    busy.abort();
    assert!(told.len() == 1 && told[0].starts_with("Pod shop/b is in violation: policy eu: "), "{told:?}");
}

/// One that asks for a pool of nodes, and is where the nodes of the pool are.
fn pooled(name: &str) -> Object {
    object(
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"template": {"metadata": {"annotations": {"domicile.dev/data-classification": "personal"}},
            "spec": {"nodeSelector": {"pool": "shop"}, "containers": []}}}}),
    )
}

fn of_pool(name: &str, region: &str) -> Object {
    let mut node = node(name, region);
    if let Object::Node(node) = &mut node {
        node.metadata.labels.insert("pool".into(), "shop".into());
    }
    node
}

#[tokio::test]
async fn what_a_node_breaks_that_joins_is_told_of_the_node_once() {
    let run = Run::of(vec![of_pool("fra", "eu-central-1"), policy(None), pooled("web"), pooled("api")]);
    let about_nodes = |told: Vec<String>| -> Vec<String> {
        assert!(told.iter().filter(|one| one.starts_with("Deployment shop/")).count() == 2, "{told:?}");
        told.into_iter().filter(|one| one.starts_with("Node/")).collect()
    };
    // What breaks a policy before anybody looks is no node's doing.
    tokio::time::sleep(Duration::from_millis(300)).await;
    run.shared.apply(of_pool("iad", "us-east-1"));
    assert_eq!(
        about_nodes(run.told().await),
        [
            "Node/iad: 2 Deployments in 1 namespace break policy eu from now on because of this node (us-east-1a, US); \
          first: Deployment shop/api"
        ]
    );
    // The next one makes nothing worse.
    run.shared.apply(of_pool("pdx", "us-west-2"));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(run.told.lock().is_empty());
    run.shared.write().delete(Kind::Node, "", "pdx");
    run.shared.write().delete(Kind::Node, "", "iad");
    assert!(about_nodes(run.told().await).is_empty(), "what is restored is told of the objects");
    // What is new is not the node's doing, though both come at once.
    {
        let mut state = run.shared.write();
        state.apply(pooled("late"));
        state.apply(of_pool("iad", "us-east-1"));
    }
    let told = run.told().await;
    assert!(told.iter().any(|one| one.starts_with("Node/iad: 2 Deployments")), "{told:?}");
    let metrics = run.metrics.encode().unwrap();
    assert!(metrics.contains("domicile_nodes_broke_policies_total 2"), "{metrics}");
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
