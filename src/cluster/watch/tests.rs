//! What the events of watches make of the shared state.

use std::time::Duration;

use serde_json::{Value, json};

use super::super::kept::Kept;
use super::super::state::State;
use super::{Event, Filling, Kind, PAUSE, Pauses, Resource, Seen, Shared, awaited};
use crate::objects::WorkloadKind;

fn seen(value: Value) -> Seen {
    serde_json::from_value(value).unwrap()
}

fn pod(name: &str, spec: &Value) -> Seen {
    seen(json!({"metadata": {"namespace": "shop", "name": name, "resourceVersion": "1"}, "spec": spec}))
}

fn policy(name: &str, spec: &Value) -> Seen {
    seen(json!({"metadata": {"name": name, "resourceVersion": "1"}, "spec": spec}))
}

fn shared() -> Shared {
    Shared::awaiting(State::default(), awaited())
}

fn filling(shared: &Shared, kind: Kind) -> Filling<'_> {
    Filling::of(Resource::of(kind), shared)
}

fn pods(shared: &Shared) -> Vec<String> {
    let state = shared.read();
    let mut names: Vec<_> = state.pods().map(|(_, name, _)| name.to_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_kind_is_awaited_until_all_of_it_has_come_in() {
    let shared = shared();
    assert_eq!(shared.pending().len(), 20);
    let mut filling = filling(&shared, Kind::Pod);
    filling.take(Event::Init);
    filling.take(Event::InitApply(pod("a", &json!({}))));
    assert!(shared.pending().contains(&Kind::Pod));
    filling.take(Event::InitDone);
    assert!(!shared.pending().contains(&Kind::Pod));
    assert_eq!(pods(&shared), ["a"]);
}

#[test]
fn a_watch_that_begins_anew_leaves_no_moment_without_what_there_is() {
    let shared = shared();
    let mut filling = filling(&shared, Kind::Pod);
    for event in [
        Event::Init,
        Event::InitApply(pod("a", &json!({}))),
        Event::InitApply(pod("b", &json!({}))),
        Event::InitDone,
        Event::Apply(pod("c", &json!({}))),
        Event::Delete(pod("a", &json!({}))),
    ] {
        filling.take(event);
    }
    assert_eq!(pods(&shared), ["b", "c"]);
    filling.take(Event::Init);
    assert_eq!(pods(&shared), ["b", "c"]);
    filling.take(Event::InitApply(pod("d", &json!({}))));
    assert_eq!(pods(&shared), ["b", "c", "d"]);
    // The list is broken off and begun again: what came in counts no more.
    filling.take(Event::Init);
    filling.take(Event::InitApply(pod("c", &json!({"nodeName": "n"}))));
    assert_eq!(pods(&shared), ["b", "c", "d"]);
    filling.take(Event::InitDone);
    assert_eq!(pods(&shared), ["c"]);
    assert_eq!(shared.read().pod("shop", "c").unwrap().node.as_deref(), Some("n"));
    assert!(!shared.pending().contains(&Kind::Pod));
}

#[test]
fn what_changes_nothing_that_is_read_is_no_change() {
    let shared = shared();
    let mut filling = filling(&shared, Kind::ResidencyPolicy);
    let spec = json!({"classifications": ["personal"], "deny": [{"jurisdictions": ["US"]}]});
    filling.take(Event::Apply(policy("eu", &spec)));
    let mut changes = shared.changes();
    changes.mark_unchanged();
    filling.take(Event::Apply(seen(json!({
        "metadata": {"name": "eu", "resourceVersion": "2", "managedFields": [{}]}, "spec": spec,
        "status": {"compliance": {"checked": 3}}}))));
    assert!(!changes.has_changed().unwrap());
    filling.take(Event::Apply(policy(
        "eu",
        &json!({"classifications": ["health"], "deny": [{"jurisdictions": ["US"]}]}),
    )));
    assert!(changes.has_changed().unwrap());
}

#[test]
fn a_policy_that_cannot_be_read_forbids_and_is_reported_until_it_can() {
    let shared = shared();
    let mut filling = filling(&shared, Kind::ResidencyPolicy);
    let good = json!({"classifications": ["personal"], "deny": [{"jurisdictions": ["US"]}]});
    filling.take(Event::Apply(policy("eu", &good)));
    let bad = json!({"classifications": ["personal", 7], "action": "Perhaps", "allow": [{"jurisdictions": ["DE"]}]});
    filling.take(Event::Init);
    filling.take(Event::InitApply(policy("eu", &bad)));
    filling.take(Event::InitDone);
    {
        let state = shared.read();
        let policy = state.policies().get("eu").unwrap();
        assert_eq!(policy.classifications, ["personal".into()]);
        assert!(state.written_policy("eu").is_none());
        let location = crate::geography::Location::default();
        assert!(!policy.permits(&location, |_| crate::geography::Tri::True, jiff::Timestamp::UNIX_EPOCH));
        let problems = state.problems();
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].object.to_string(), "ResidencyPolicy/eu");
        assert!(problems[0].message.starts_with("cannot be read: ResidencyPolicy: spec."), "{problems:?}");
        assert_eq!(state.count(Kind::ResidencyPolicy), 1);
    }
    // Of this one it cannot even be read what it governs: it governs everything.
    filling.take(Event::Apply(policy("worse", &json!("?"))));
    assert!(shared.read().policies().get("worse").unwrap().classifications.is_empty());
    filling.take(Event::Apply(policy("eu", &good)));
    filling.take(Event::Delete(policy("worse", &json!({}))));
    let state = shared.read();
    assert!(state.problems().is_empty());
    assert!(state.written_policy("eu").is_some() && state.policies().get("worse").is_none());
}

#[test]
fn an_exception_and_a_geography_that_cannot_be_read_grant_nothing_and_are_reported() {
    let shared = shared();
    let exception = |spec: Value| {
        seen(json!({"metadata": {"namespace": "shop", "name": "x", "resourceVersion": "1"}, "spec": spec}))
    };
    let mut exceptions = filling(&shared, Kind::ResidencyException);
    let good = json!({"policies": ["eu"], "allow": [{"jurisdictions": ["US"]}], "until": "2030-01-01T00:00:00Z", "reason": "r"});
    exceptions.take(Event::Apply(exception(good)));
    assert_eq!(shared.read().policies().exceptions().count(), 1);
    exceptions.take(Event::Apply(exception(json!({"policies": ["eu"], "until": "some day"}))));
    let mut geographies = filling(&shared, Kind::Geography);
    let group = json!({"groups": [{"name": "OURS", "members": ["DE"]}]});
    geographies.take(Event::Apply(policy("own", &group)));
    geographies.take(Event::Apply(policy("own", &json!({"groups": "none"}))));
    let state = shared.read();
    assert_eq!(state.policies().exceptions().count(), 0);
    assert!(matches!(state.kept(Kind::Geography, "", "own"), Some(Kept::UnreadableGeography)));
    assert_eq!(state.geography().unread(), ["own".into()]);
    let told: Vec<_> = state.problems().iter().map(|problem| problem.object.to_string()).collect();
    assert_eq!(told, ["Geography/own", "ResidencyException shop/x"]);
}

#[test]
fn a_pod_whose_constraints_cannot_be_read_still_mounts_and_carries() {
    let shared = shared();
    let mut filling = filling(&shared, Kind::Pod);
    let odd = json!({"tolerations": [{"operator": "Nearly"}], "nodeName": "n",
        "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]});
    filling.take(Event::Apply(pod("a", &odd)));
    filling.take(Event::Apply(pod("b", &json!({"volumes": 3}))));
    {
        let state = shared.read();
        assert_eq!(state.mounting("shop", "data").count(), 1);
        assert!(state.pod("shop", "b").is_none());
        assert_eq!(state.problems().len(), 2);
    }
    // Neither is taken for a stray when all has come in, and both are forgotten when they are gone.
    filling.take(Event::Init);
    filling.take(Event::InitApply(pod("b", &json!({"volumes": 3}))));
    filling.take(Event::InitDone);
    let state = shared.read();
    let told: Vec<_> = state.problems().iter().map(|problem| problem.object.to_string()).collect();
    assert_eq!(told, ["Pod shop/b"]);
    assert_eq!(state.count(Kind::Pod), 0);
}

#[test]
fn replica_sets_that_a_deployment_has_left_behind_are_not_kept() {
    let kind = Kind::Workload(WorkloadKind::ReplicaSet);
    let shared = shared();
    let mut filling = filling(&shared, kind);
    let set = |name: &str, replicas: u32, owner: &str| {
        seen(json!({"metadata": {"namespace": "shop", "name": name, "resourceVersion": "1",
            "ownerReferences": [{"kind": owner, "name": "d", "controller": true}]},
            "spec": {"replicas": replicas, "template": {"spec": {}}}}))
    };
    filling.take(Event::Apply(set("old", 0, "Deployment")));
    filling.take(Event::Apply(set("new", 2, "Deployment")));
    filling.take(Event::Apply(set("other", 0, "Rollout")));
    assert_eq!(shared.read().count(kind), 2);
    filling.take(Event::Apply(set("new", 0, "Deployment")));
    assert_eq!(shared.read().count(kind), 1);
    filling.take(Event::Apply(set("new", 1, "Deployment")));
    assert!(shared.read().workload(WorkloadKind::ReplicaSet, "shop", "new").is_some());
}

#[test]
fn a_watch_that_fails_for_long_is_stale_until_something_comes_in() {
    let shared = shared();
    let mut filling = filling(&shared, Kind::Node);
    let error = || super::watcher::Error::NoResourceVersion;
    filling.fail(&error());
    assert!(shared.stale(Duration::from_mins(1)).is_empty());
    assert_eq!(shared.stale(Duration::ZERO), [Kind::Node]);
    // A list that begins has not been answered yet.
    filling.take(Event::Init);
    assert_eq!(shared.stale(Duration::ZERO), [Kind::Node]);
    filling.take(Event::InitDone);
    assert!(shared.stale(Duration::ZERO).is_empty());
}

#[test]
fn what_is_served_later_is_not_waited_for_and_leaves_nothing_when_it_goes() {
    let shared = shared();
    let kind = Kind::VolumeSnapshot;
    shared.give_up(kind);
    assert!(!shared.pending().contains(&kind));
    shared.take_up(kind);
    assert!(!shared.pending().contains(&kind) && shared.watched().contains(&kind));
    let mut filling = filling(&shared, kind);
    filling.take(Event::Apply(seen(
        json!({"metadata": {"namespace": "shop", "name": "s", "resourceVersion": "1"}, "spec": {"source": {}}}),
    )));
    assert_eq!(shared.read().count(kind), 1);
    shared.give_up(kind);
    assert_eq!(shared.read().count(kind), 0);
    assert!(!shared.watched().contains(&kind));
}

#[test]
fn a_kind_that_is_watched_no_more_is_not_waited_for() {
    let shared = Shared::awaiting(State::default(), [Kind::Pod, Kind::VolumeSnapshot]);
    shared.note_synced(Kind::Pod);
    shared.give_up(Kind::VolumeSnapshot);
    // The watch was about to say so.
    assert!(
        shared.note_failure(Kind::VolumeSnapshot).is_zero() && !shared.note_contact(Kind::VolumeSnapshot)
    );
    shared.note_synced(Kind::VolumeSnapshot);
    assert!(shared.pending().is_empty());
    assert_eq!(shared.watched(), [Kind::Pod]);
}

#[test]
fn no_watch_waits_for_long_before_it_begins_again() {
    let pauses: Vec<Duration> = Pauses::default().take(50).collect();
    assert!(pauses[0] < Duration::from_secs(2) && pauses[49] == PAUSE, "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause <= PAUSE), "{pauses:?}");
}
