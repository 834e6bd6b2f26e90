//! Whatever is laid over a state and taken off again leaves it as it was.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, json};

use super::super::shared::Shared;
use super::{Fresh, Kind, State};
use crate::objects::{Object, WorkloadKind};

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap().unwrap()
}

/// An object of every kind in one of two versions. The second differs in all that is kept.
#[expect(clippy::too_many_lines, reason = "one of each kind")]
fn objects(second: bool) -> Vec<(Kind, Object)> {
    let own = |one: &str, other: &str| json!({"domicile.dev/data-classification": if second { other } else { one }});
    let pick = |one: &'static str, other: &'static str| if second { other } else { one };
    let named = |api_version: &str, kind: &str, name: &str, body: Value| {
        let mut value = json!({"apiVersion": api_version, "kind": kind,
            "metadata": {"name": name, "namespace": "shop", "annotations": own("personal", "health"),
                "labels": {"app": pick("a", "b")}}});
        for (field, content) in body.as_object().unwrap() {
            value[field] = content.clone();
        }
        object(value)
    };
    let template = json!({"metadata": {"labels": {"app": pick("a", "b")}},
        "spec": {"nodeSelector": {"disk": pick("ssd", "hdd")}}});
    let mut all = vec![
        named(
            "v1",
            "Node",
            "n1",
            json!({"metadata": {"name": "n1", "labels": {"topology.kubernetes.io/region":
                pick("eu-central-1", "us-east-1"), "disk": pick("ssd", "hdd")}},
                "spec": {"providerID": pick("aws:///eu-central-1a/i-1", "gce://p/us-east1-b/i"),
                    "taints": if second { json!([{"key": "k", "effect": "NoSchedule"}]) } else { json!(null) }}}),
        ),
        named("v1", "Namespace", "shop", json!({})),
        named(
            "storage.k8s.io/v1",
            "StorageClass",
            "fast",
            json!({"provisioner": pick("ebs.csi.aws.com", "x")}),
        ),
        named(
            "v1",
            "PersistentVolume",
            "pv1",
            json!({"spec": {"claimRef": {"namespace": "shop", "name": pick("data", "other")}, "nfs": {}}}),
        ),
        named(
            "v1",
            "PersistentVolumeClaim",
            "data",
            json!({"spec": {"volumeName": pick("pv1", ""), "storageClassName": pick("fast", "slow")}}),
        ),
        named(
            "v1",
            "Pod",
            "web",
            json!({"spec": {"nodeName": pick("", "n1"), "volumes": [
                {"name": "d", "persistentVolumeClaim": {"claimName": pick("data", "other")}},
                {"name": "e", "persistentVolumeClaim": {"claimName": "data"}}]},
                "status": {"phase": pick("Pending", "Succeeded")}}),
        ),
        named(
            "storage.k8s.io/v1",
            "VolumeAttachment",
            "va",
            json!({"spec": {"nodeName": pick("n1", "n2"), "attacher": "x", "source": {"persistentVolumeName": "pv1"}}}),
        ),
        named(
            "snapshot.storage.k8s.io/v1",
            "VolumeSnapshot",
            "snap",
            json!({"spec": {"source": {"persistentVolumeClaimName": pick("data", "other")}}}),
        ),
        named(
            "snapshot.storage.k8s.io/v1",
            "VolumeSnapshotContent",
            "content",
            json!({"spec": {"driver": pick("a", "b"), "volumeSnapshotRef": {"namespace": "shop", "name": "snap"}}}),
        ),
        named("snapshot.storage.k8s.io/v1", "VolumeSnapshotClass", "sc", json!({"driver": pick("a", "b")})),
        named(
            "domicile.dev/v1alpha1",
            "ResidencyPolicy",
            "eu",
            json!({"spec": {"classifications": ["personal"], "allow": [
                {"jurisdictions": [pick("DE", "US")]},
                {"nodeSelector": {"matchLabels": {(pick("disk", "rack")): "ssd"}}}]}}),
        ),
        named(
            "domicile.dev/v1alpha1",
            "Geography",
            "own",
            json!({"spec": {"groups": [{"name": "OURS", "members": [pick("DE", "US")]}],
                "regions": [{"provider": "aws", "region": pick("eu-central-1", "us-east-1"), "jurisdiction": "FR"}]}}),
        ),
        named(
            "domicile.dev/v1alpha1",
            "ResidencyException",
            "test",
            json!({"spec": {"policies": ["eu"], "allow": [{"jurisdictions": [pick("US", "CA")]}],
                "until": "2030-01-01T00:00:00Z", "reason": "drill"}}),
        ),
    ];
    for kind in WorkloadKind::ALL {
        let spec = match kind {
            WorkloadKind::CronJob => json!({"jobTemplate": {"spec": {"template": template}}}),
            _ => json!({"template": template}),
        };
        all.push((kind, named(kind.api_version(), kind.as_str(), "w", json!({"spec": spec}))).1);
    }
    all.into_iter().map(|object| (Kind::of(&object).unwrap(), object)).collect()
}

fn state() -> State {
    let mut state = State::default();
    state.apply_all(objects(false).into_iter().map(|(_, object)| object));
    // A neighbour of each kind of thing that is indexed together.
    for (kind, name) in [("Pod", "zz"), ("Pod", "aa")] {
        state.apply(object(
            json!({"apiVersion": "v1", "kind": kind, "metadata": {"namespace": "shop", "name": name},
            "spec": {"volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}]}}),
        ));
    }
    state.apply(object(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n0",
        "labels": {"disk": "ssd"}}, "spec": {"providerID": "aws:///eu-central-1a/i-0"}})));
    state.apply_unreadable_policy("odd", &["payment".to_owned()]);
    state
}

/// All that a judgement can read of a state, whatever slots and numbers things have.
fn picture(state: &State) -> BTreeMap<String, String> {
    fn sorted<T: std::fmt::Debug>(all: impl IntoIterator<Item = T>) -> String {
        let mut all: Vec<_> = all.into_iter().map(|one| format!("{one:?}")).collect();
        all.sort();
        all.join("\n")
    }
    let now = jiff::Timestamp::UNIX_EPOCH;
    let permitted = |sites: Option<&crate::placement::bits::BitSet>| {
        sorted(
            state
                .nodes()
                .iter()
                .filter(|node| sites.is_some_and(|sites| sites.contains(node.site.index())))
                .map(|node| &node.name),
        )
    };
    let nodes = state.nodes().iter().map(|node| {
        (
            &node.name,
            &node.labels,
            &node.provider_id,
            &node.taints,
            &node.conflicts,
            node.unborn,
            state.sites().get(node.site),
        )
    });
    let policies = state.policies().iter().map(|policy| {
        (
            &policy.name,
            &policy.classifications,
            &policy.wording,
            state.written_policy(&policy.name),
            permitted(policy.sites(now)),
        )
    });
    let exceptions = state.policies().exceptions().map(|(namespace, one)| {
        (state.topology.written_exception(namespace, &one.name), permitted(one.sites(now)))
    });
    [
        ("nodes", sorted(nodes)),
        ("policies", sorted(policies)),
        ("governed", sorted(state.policies().governed())),
        ("exceptions", sorted(exceptions)),
        ("providers", sorted(state.providers())),
        ("place keys", sorted(state.sites().keys())),
        ("geography", sorted(state.geography().regions("aws"))),
        ("namespaces", sorted(state.namespaces())),
        ("classes", sorted(state.classes())),
        ("volumes", sorted(state.volumes())),
        ("claims", sorted(state.claims())),
        ("pods", sorted(state.pods())),
        ("mounts", sorted(state.mounts.iter().map(|(namespace, there)| (namespace, sorted(there.iter()))))),
        ("workloads", sorted(state.workloads())),
        ("attachments", sorted(state.attachments())),
        ("snapshots", sorted(state.snapshots())),
        ("contents", sorted(state.contents())),
        ("snapshot classes", sorted(state.snapshot_classes.values())),
        ("problems", sorted(state.problems())),
    ]
    .map(|(what, picture)| (what.to_owned(), picture))
    .into()
}

/// Of what two pictures differ.
fn differences(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>) -> Vec<String> {
    one.iter().filter(|(what, seen)| other.get(*what) != Some(seen)).map(|(what, _)| what.clone()).collect()
}

fn assert_alike(one: &BTreeMap<String, String>, other: &BTreeMap<String, String>, when: &str) {
    assert_eq!(differences(one, other), Vec::<String>::new(), "{when}");
}

fn gone(kind: Kind, object: &Object) -> Fresh {
    let (namespace, name) = object.key();
    Fresh::Gone(kind, namespace.to_owned(), name.to_owned())
}

#[test]
fn what_is_kept_already_is_no_news() {
    let state = state();
    for (kind, object) in objects(false) {
        assert!(!Fresh::Is(object).is_news(&state), "{kind:?}");
    }
    assert!(!Fresh::Gone(Kind::Pod, "shop".into(), "none".into()).is_news(&state));
}

#[test]
fn each_kind_is_seen_changed_and_gone_and_is_as_before_afterwards() {
    let mut state = state();
    let before = picture(&state);
    for (kind, object) in objects(true) {
        assert!(Fresh::Is(object.clone()).is_news(&state), "{kind:?}");
        let mut changed = state.clone();
        changed.apply(object.clone());
        let seen = state.ask_with(vec![Fresh::Is(object.clone())], picture);
        assert_alike(&seen, &picture(&changed), &format!("{kind:?} laid over"));
        assert!(!differences(&seen, &before).is_empty(), "{kind:?}");
        assert_alike(&picture(&state), &before, &format!("{kind:?} after a change"));

        let (namespace, name) = object.key();
        assert!(
            state.ask_with(vec![gone(kind, &object)], |state| state.kept(kind, namespace, name).is_none())
        );
        assert_alike(&picture(&state), &before, &format!("{kind:?} after an absence"));
    }
}

#[test]
fn each_kind_that_is_new_is_forgotten_again() {
    let mut state = State::default();
    let before = picture(&state);
    for (kind, object) in objects(false) {
        let (namespace, name) = object.key();
        let seen = state
            .ask_with(vec![Fresh::Is(object.clone())], |state| state.kept(kind, namespace, name).is_some());
        assert!(seen, "{kind:?}");
        assert_alike(&picture(&state), &before, kind.as_str());
    }
}

#[test]
fn several_at_once_and_the_same_one_twice_are_taken_off_in_turn() {
    let mut state = state();
    let before = picture(&state);
    let mut all: Vec<_> = objects(true).into_iter().map(|(_, object)| Fresh::Is(object)).collect();
    all.extend(objects(true).iter().map(|(kind, object)| gone(*kind, object)));
    all.extend(objects(false).into_iter().map(|(_, object)| Fresh::Is(object)));
    all.extend(objects(true).into_iter().map(|(_, object)| Fresh::Is(object)));
    let mut changed = state.clone();
    changed.apply_all(objects(true).into_iter().map(|(_, object)| object));
    assert_alike(&state.ask_with(all, picture), &picture(&changed), "laid over");
    assert_alike(&picture(&state), &before, "afterwards");
}

#[test]
fn an_unreadable_policy_is_unreadable_again() {
    let mut state = state();
    let before = picture(&state);
    let readable = object(json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy",
        "metadata": {"name": "odd"}, "spec": {"classifications": ["health"], "deny": [{"jurisdictions": ["US"]}]}}));
    assert!(state.ask_with(vec![Fresh::Is(readable)], |state| state.written_policy("odd").is_some()));
    assert_alike(&picture(&state), &before, "afterwards");
}

#[test]
fn a_panic_leaves_the_shared_state_as_it_was_and_usable() {
    let shared = Shared::complete(state());
    let before = picture(&shared.read());
    let fresh: Vec<_> = objects(true).into_iter().map(|(_, object)| Fresh::Is(object)).collect();
    let outcome =
        catch_unwind(AssertUnwindSafe(|| shared.ask_with(fresh, |_| panic!("as a judgement might"))));
    assert!(outcome.is_err());
    assert_alike(&picture(&shared.read()), &before, "afterwards");
    assert!(shared.pending().is_empty());
}

#[test]
fn no_news_asks_beside_a_reader_and_news_is_no_change() {
    let shared = Shared::complete(state());
    let changes = shared.changes();
    let reader = shared.read();
    let same = objects(false).into_iter().map(|(_, object)| Fresh::Is(object)).collect();
    assert!(shared.ask_with(same, |state| state.pod("shop", "web").is_some()));
    drop(reader);
    shared.ask_with(objects(true).into_iter().map(|(_, object)| Fresh::Is(object)).collect(), |_| ());
    assert!(!changes.has_changed().unwrap());
    shared.write().delete(Kind::Pod, "shop", "web");
    assert!(changes.has_changed().unwrap());
}
