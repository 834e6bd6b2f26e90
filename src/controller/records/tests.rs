//! What is lacking, and what is written of it.

use std::convert::Infallible;

use http::{Request, Response};
use kube::client::Body;
use serde_json::Value;

use super::*;
use crate::objects::Object;

fn apply(state: &mut State, value: Value) {
    state.apply(Object::from_value(value).unwrap().unwrap());
}

fn pod(name: &str, carries: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop",
        "annotations": {keys::CLASSIFICATION: carries}}, "spec": {"containers": [],
        "volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]}})
}

fn claim(annotations: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "shop",
        "annotations": annotations}, "spec": {}})
}

fn lacks(lacking: &Lacking) -> Vec<String> {
    lacking.objects.values().flatten().map(ToString::to_string).collect()
}

#[test]
fn what_pods_bring_is_lacking_until_it_is_written() {
    let (mut state, mut lacking) = (State::default(), Lacking::default());
    let key = Key { kind: Kind::PersistentVolumeClaim, namespace: "shop".into(), name: "data".into() };
    apply(&mut state, claim(&json!({})));
    apply(&mut state, pod("a", "personal, Not A Token"));
    apply(&mut state, pod("b", "health"));
    lacking.look(&state, &key, None);
    assert_eq!(lacks(&lacking), ["health", "personal"]);
    // It is still to be written when the pods are gone.
    state.delete(Kind::Pod, "shop", "a");
    state.delete(Kind::Pod, "shop", "b");
    apply(&mut state, claim(&json!({keys::CLASSIFICATION: "health"})));
    lacking.look(&state, &key, None);
    assert_eq!(lacks(&lacking), ["personal"]);
    apply(&mut state, claim(&json!({keys::CLASSIFICATION: "health", keys::RECORDED: "personal"})));
    lacking.look(&state, &key, None);
    assert!(lacks(&lacking).is_empty());
    apply(&mut state, pod("c", "payment"));
    lacking.look(&state, &key, None);
    assert_eq!(lacks(&lacking), ["payment"]);
    state.delete(Kind::PersistentVolumeClaim, "shop", "data");
    lacking.look(&state, &key, None);
    assert!(lacks(&lacking).is_empty());
}

#[test]
fn what_a_claim_comes_to_carry_is_lacking_on_its_volume() {
    let (mut state, mut lacking) = (State::default(), Lacking::default());
    let key = Key { kind: Kind::PersistentVolume, namespace: String::new(), name: "pv".into() };
    let volume = |of: &Value| {
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"},
            "spec": {"csi": {"driver": "ebs.csi.aws.com"}, "claimRef": of}})
    };
    let mut look = |state: &State| {
        let verdict = judge_stored(state, key.kind, "", "pv", Timestamp::UNIX_EPOCH);
        lacking.look(state, &key, verdict.as_ref());
        lacks(&lacking)
    };
    apply(&mut state, volume(&Value::Null));
    apply(&mut state, claim(&json!({keys::CLASSIFICATION: "health"})));
    assert!(look(&state).is_empty());
    apply(&mut state, volume(&json!({"namespace": "shop", "name": "data"})));
    assert_eq!(look(&state), ["health"]);
    apply(&mut state, pod("a", "personal"));
    assert_eq!(look(&state), ["health", "personal"]);
    state.delete(Kind::PersistentVolumeClaim, "shop", "data");
    assert_eq!(look(&state), ["health", "personal"]);
    state.delete(Kind::PersistentVolume, "", "pv");
    assert!(look(&state).is_empty());
}

#[tokio::test]
async fn what_a_pod_brings_while_a_record_is_written_is_written_too() {
    let mut state = State::default();
    apply(&mut state, claim(&json!({})));
    let key = Key { kind: Kind::PersistentVolumeClaim, namespace: "shop".into(), name: "data".into() };
    let lacking = Arc::<Mutex<Lacking>>::default();
    apply(&mut state, pod("a", "health"));
    lacking.lock().look(&state, &key, None);
    // An API server that takes its time: meanwhile another pod comes and goes.
    apply(&mut state, pod("b", "personal"));
    let (shared, stored) = (Shared::complete(state), Arc::new(Mutex::new(claim(&json!({})))));
    let service = {
        let (shared, lacking, stored) = (shared.clone(), Arc::clone(&lacking), Arc::clone(&stored));
        tower::service_fn(move |request: Request<Body>| {
            let (shared, lacking, stored) = (shared.clone(), Arc::clone(&lacking), Arc::clone(&stored));
            let key =
                Key { kind: Kind::PersistentVolumeClaim, namespace: "shop".into(), name: "data".into() };
            async move {
                let is_write = request.method() == "PATCH";
                let body = request.into_body().collect_bytes().await.unwrap();
                let mut stored = stored.lock();
                if is_write {
                    if shared.read().pod("shop", "b").is_some() {
                        lacking.lock().look(&shared.read(), &key, None);
                        shared.write().delete(Kind::Pod, "shop", "b");
                    }
                    json_patch::merge(&mut stored, &serde_json::from_slice(&body).unwrap());
                }
                let body = Body::from(serde_json::to_vec(&*stored).unwrap());
                Ok::<_, Infallible>(Response::builder().status(200).body(body).unwrap())
            }
        })
    };
    let records = Records { shared, lacking, audited: watch::channel(1).1 };
    let client = Client::new(service, "default");
    assert!(records.write(&client).await);
    assert_eq!(lacks(&records.lacking.lock()), ["personal"]);
    assert!(records.write(&client).await);
    assert!(lacks(&records.lacking.lock()).is_empty());
    assert_eq!(stored.lock()["metadata"]["annotations"][keys::RECORDED], "health,personal");
}

/// What `managedFields` say is up to whoever writes the object. It must not keep its record from it.
#[tokio::test]
async fn what_nobody_reads_may_be_nested_deep() {
    let nested = (0..1000).fold(json!({}), |inner, _| json!({"f:a": inner}));
    let service = tower::service_fn(move |_: Request<Body>| {
        let mut stored = claim(&json!({}));
        stored["metadata"]["managedFields"] = json!([{"manager": "deep", "fieldsV1": nested}]);
        let body = Body::from(serde_json::to_vec(&stored).unwrap());
        async { Ok::<_, Infallible>(Response::builder().status(200).body(body).unwrap()) }
    });
    let key = Key { kind: Kind::PersistentVolumeClaim, namespace: "shop".into(), name: "data".into() };
    let tokens = BTreeSet::from(["personal".into()]);
    assert_eq!(write(&Client::new(service, "default"), &key, &tokens).await, Ok(()));
}

#[test]
fn what_a_snapshot_comes_to_carry_is_lacking_on_it_and_its_content() {
    let (mut state, mut lacking) = (State::default(), Lacking::default());
    let key = |kind, namespace: &str| Key { kind, namespace: namespace.into(), name: "taken".into() };
    let snapshot = |annotations: &Value| {
        json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
            "metadata": {"name": "taken", "namespace": "shop", "annotations": annotations},
            "spec": {"source": {"persistentVolumeClaimName": "data"}}})
    };
    let mut look = |state: &State| {
        for key in [key(Kind::VolumeSnapshot, "shop"), key(Kind::VolumeSnapshotContent, "")] {
            let verdict = judge_stored(state, key.kind, &key.namespace, &key.name, Timestamp::UNIX_EPOCH);
            lacking.look(state, &key, verdict.as_ref());
        }
        lacks(&lacking)
    };
    // A group of snapshots, or who brings a snapshot from elsewhere, makes the content first.
    apply(
        &mut state,
        json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotContent",
            "metadata": {"name": "taken"},
            "spec": {"driver": "ebs.csi.aws.com", "volumeSnapshotRef": {"namespace": "shop", "name": "taken"}}}),
    );
    apply(&mut state, claim(&json!({})));
    apply(&mut state, snapshot(&json!({keys::CLASSIFICATION: "health"})));
    assert_eq!(look(&state), ["health"]);
    apply(&mut state, claim(&json!({keys::CLASSIFICATION: "personal"})));
    assert_eq!(look(&state), ["personal", "health", "personal"]);
    // The content is still there when they are gone.
    state.delete(Kind::PersistentVolumeClaim, "shop", "data");
    state.delete(Kind::VolumeSnapshot, "shop", "taken");
    assert_eq!(look(&state), ["health", "personal"]);
    state.delete(Kind::VolumeSnapshotContent, "", "taken");
    assert!(look(&state).is_empty());
}

#[test]
fn what_came_and_went_between_two_looks_is_lacking() {
    let bound = |annotations: &Value| {
        let mut claim = claim(annotations);
        claim["spec"]["volumeName"] = json!("pv");
        Object::from_value(claim).unwrap().unwrap()
    };
    let mut state = State::default();
    apply(
        &mut state,
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pv"},
            "spec": {"csi": {"driver": "ebs.csi.aws.com"}, "claimRef": {"namespace": "shop", "name": "data"}}}),
    );
    state.apply(bound(&json!({})));
    let shared = Shared::complete(state);
    shared.open_journal();
    let come_and_go = |what: &[(Kind, &str)]| {
        let mut state = shared.write();
        state.apply(bound(&json!({keys::CLASSIFICATION: "health, Not A Token"})));
        state.apply(Object::from_value(pod("a", "personal")).unwrap().unwrap());
        for (kind, name) in what {
            state.delete(*kind, if *kind == Kind::PersistentVolume { "" } else { "shop" }, name);
        }
        drop(state);
        let mut lacking = Lacking::default();
        assert_eq!(lacking.leave(shared.take_left()), 0);
        let named = |(key, tokens): (&Key, &BTreeSet<Arc<str>>)| (key.name.clone(), tokens.len());
        lacking.objects.iter().map(named).collect::<Vec<_>>()
    };
    let (pod, claim) = ((Kind::Pod, "a"), (Kind::PersistentVolumeClaim, "data"));
    assert_eq!(come_and_go(&[pod]), [("data".to_owned(), 1)]);
    assert_eq!(come_and_go(&[pod, claim]), [("pv".to_owned(), 2)]);
    assert_eq!(come_and_go(&[claim, pod]), [("pv".to_owned(), 2)]);
    assert!(come_and_go(&[pod, claim, (Kind::PersistentVolume, "pv")]).is_empty());
}

#[test]
fn a_snapshot_that_came_and_went_leaves_its_content() {
    let (claim_key, taken_key) = ((Kind::PersistentVolumeClaim, "data"), (Kind::VolumeSnapshot, "taken"));
    for (said, gone, expected) in [
        ("claim", &[claim_key][..], &[("taken", "personal")][..]),
        ("claim", &[claim_key, taken_key], &[("content", "personal")]),
        ("claim", &[taken_key, claim_key], &[("content", "personal")]),
        ("snapshot", &[taken_key], &[("content", "personal")]),
        ("namespace", &[taken_key], &[("content", "personal")]),
        ("pod", &[(Kind::Pod, "a"), claim_key, taken_key], &[("content", "personal")]),
        ("pod", &[taken_key], &[("content", "personal")]),
        ("snapshot", &[taken_key, (Kind::VolumeSnapshotContent, "content")], &[]),
        ("nobody", &[claim_key, taken_key], &[]),
    ] {
        let of = |who: &str| {
            if who == said { json!({keys::CLASSIFICATION: "personal"}) } else { json!({}) }
        };
        let group = "snapshot.storage.k8s.io/v1";
        let mut state = State::default();
        apply(
            &mut state,
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "annotations": of("namespace")}}),
        );
        apply(&mut state, claim(&of("claim")));
        apply(
            &mut state,
            json!({"apiVersion": group, "kind": "VolumeSnapshot",
                "metadata": {"name": "taken", "namespace": "shop", "annotations": of("snapshot")},
                "spec": {"source": {"persistentVolumeClaimName": "data"}}}),
        );
        for (name, of) in [("content", "taken"), ("other", "other")] {
            apply(
                &mut state,
                json!({"apiVersion": group, "kind": "VolumeSnapshotContent", "metadata": {"name": name},
                    "spec": {"driver": "ebs.csi.aws.com", "volumeSnapshotRef": {"namespace": "shop", "name": of}}}),
            );
        }
        if said == "pod" {
            apply(&mut state, pod("a", "personal"));
        }
        let shared = Shared::complete(state);
        shared.open_journal();
        for (kind, name) in gone {
            let namespace = if *kind == Kind::VolumeSnapshotContent { "" } else { "shop" };
            shared.write().delete(*kind, namespace, name);
        }
        let left = shared.take_left();
        let found: Vec<(&str, &str)> = left
            .on
            .iter()
            .flat_map(|(key, tokens)| tokens.iter().map(|token| (&*key.name, &**token)))
            .collect();
        assert_eq!(found, expected, "{said} {gone:?}");
    }
}

#[test]
fn what_there_is_no_room_for_is_counted() {
    let key = |number: usize| Key {
        kind: Kind::PersistentVolume,
        namespace: String::new(),
        name: format!("pv-{number}"),
    };
    let tokens = || BTreeSet::from(["personal".into()]);
    let left = |numbers: std::ops::Range<usize>, lost| Left {
        on: numbers.map(|number| (key(number), tokens())).collect(),
        lost,
    };
    let mut lacking = Lacking::default();
    assert_eq!(lacking.leave(left(0..MOST, 0)), 0);
    assert_eq!(lacking.leave(left(MOST - 1..MOST + 2, 5)), 7);
    // The same where they wait for the next look.
    let mut state = State::default();
    let numbers = || 0..MOST + 3;
    for number in numbers() {
        apply(
            &mut state,
            json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": format!("pv-{number}")},
                "spec": {"csi": {"driver": "ebs.csi.aws.com"}}}),
        );
        let mut claim = claim(&json!({keys::CLASSIFICATION: "personal"}));
        claim["metadata"]["name"] = json!(format!("data-{number}"));
        claim["spec"]["volumeName"] = json!(format!("pv-{number}"));
        apply(&mut state, claim);
    }
    let shared = Shared::complete(state);
    shared.open_journal();
    for number in numbers() {
        shared.write().delete(Kind::PersistentVolumeClaim, "shop", &format!("data-{number}"));
    }
    let left = shared.take_left();
    assert_eq!((left.on.len(), left.lost), (MOST, 3));
    assert_eq!(shared.take_left().lost, 0);
}

#[test]
fn a_record_only_grows() {
    let more: BTreeSet<Arc<str>> = ["b".into(), "c".into()].into();
    assert_eq!(with("", &more).as_deref(), Some("b,c"));
    assert_eq!(with("d, b", &more).as_deref(), Some("b,c,d"));
    assert_eq!(with("c,b", &more), None);
}
