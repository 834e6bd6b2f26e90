//! What the evidence counts, and where.

use std::collections::BTreeSet;

use domicile::cluster::enforcement::Enforcement;
use domicile::cluster::{Settings, State};
use domicile::residency::{Summary, evidence};
use serde_json::{Value, json};

use crate::object;

/// Something of each kind, at home, abroad, at an unknown place and nowhere yet, under a policy of each action.
fn some_of_each() -> State {
    let mut state = State::new(Settings::default());
    let node = |name: &str, region: &str| {
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name,
            "topology.kubernetes.io/region": region, "topology.kubernetes.io/zone": format!("{region}a")}},
            "spec": {"providerID": format!("aws:///{region}a/i-1")}})
    };
    let metadata = |name: &str, namespace: &str, carries: &str| json!({"name": name, "namespace": namespace, "annotations": {"domicile.dev/data-classification": carries}});
    let pod = |name: &str, namespace: &str, carries: &str, spec: Value| json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata(name, namespace, carries), "spec": spec});
    let on = |node: &str| json!({"nodeName": node, "containers": []});
    let claim = |name: &str, namespace: &str, carries: &str, spec: Value| json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata(name, namespace, carries), "spec": spec});
    let volume = |name: &str, key: &str, value: &str| {
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": {
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": name}, "claimRef": {"namespace": "shop", "name": name},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": key, "operator": "In", "values": [value]}]}]}}}})
    };
    let policy = |name: &str, carries: &str, action: &str| {
        json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": name},
            "spec": {"classifications": [carries], "action": action, "allow": [{"jurisdictions": ["EEA"]}]}})
    };
    let exception = |name: &str, until: &str| {
        json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyException",
            "metadata": {"name": name, "namespace": "shop"}, "spec": {"policies": ["eu"], "reason": "a drill",
                "allow": [{"jurisdictions": ["US"]}], "until": until}})
    };
    let snapshot = |name: &str, content: &str| {
        json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot", "metadata": metadata(name, "shop", "personal"),
            "spec": {"source": {"volumeSnapshotContentName": content}}})
    };
    let content = |name: &str, of: &str| {
        json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotContent", "metadata": {"name": name, "annotations": {
            "domicile.dev/data-classification": "personal", "domicile.dev/jurisdiction": "US"}}, "spec": {"driver": "ebs.csi.aws.com",
            "volumeSnapshotRef": {"namespace": "shop", "name": of}, "source": {"snapshotHandle": name}}})
    };
    for value in [
        node("de", "eu-central-1"),
        node("de2", "eu-central-1"),
        node("us", "us-east-1"),
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "lost", "labels": {"kubernetes.io/hostname": "lost"}}}),
        policy("eu", "personal", "Deny"),
        policy("hint", "hints", "Warn"),
        policy("note", "notes", "Audit"),
        policy("kept", "kept", "Deny"),
        exception("drill", "2027-01-01T00:00:00Z"),
        exception("over", "2020-01-01T00:00:00Z"),
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "de"}, "provisioner": "ebs.csi.aws.com",
            "volumeBindingMode": "WaitForFirstConsumer", "allowedTopologies": [{"matchLabelExpressions": [
                {"key": "topology.kubernetes.io/zone", "values": ["eu-central-1a"]}]}]}),
        pod("home", "shop", "personal", on("de")),
        pod("away", "shop", "personal", on("us")),
        pod("away2", "shop", "personal", on("us")),
        pod("waits", "shop", "personal", json!({"nodeSelector": {"no": "node"}, "containers": []})),
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {"nodeSelector": {"topology.kubernetes.io/region":
                "eu-central-1"}, "containers": []}, "metadata": {"labels": {"a": "b"}, "annotations": {
                "domicile.dev/data-classification": "personal"}}}}}),
        claim("zone", "shop", "personal", json!({"volumeName": "zone"})),
        volume("zone", "topology.kubernetes.io/zone", "us-east-1a"),
        claim("disk", "shop", "personal", json!({"volumeName": "disk"})),
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "disk"}, "spec": {"local": {"path": "/mnt"},
            "claimRef": {"namespace": "shop", "name": "disk"}, "nodeAffinity": {"required": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["lost"]}]}]}}}}),
        claim("nowhere", "shop", "personal", json!({"storageClassName": ""})),
        claim("made", "shop", "personal", json!({"storageClassName": "de"})),
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": {"name": "held"}, "spec": {"attacher":
            "ebs.csi.aws.com", "nodeName": "us", "source": {"persistentVolumeName": "zone"}}}),
        snapshot("nightly", "nightly"),
        content("nightly", "nightly"),
        content("left", "gone"),
        content("left2", "gone"),
        pod("hint1", "shop", "hints", on("us")),
        pod("hint2", "shop", "hints", on("us")),
        pod("note", "shop", "notes", on("us")),
        pod("plain", "plain", "", on("us")),
        claim("plain1", "plain", "", json!({"storageClassName": ""})),
        claim("plain2", "plain", "", json!({"storageClassName": ""})),
        pod("bare", "bare", "", on("us")),
    ] {
        state.apply(object(value));
    }
    state
}

#[test]
fn each_object_is_counted_once_and_where_it_is() {
    let state = some_of_each();
    let nobody = Enforcement::NotKnown("nobody was asked".into());
    let now = "2026-11-24T00:00:00Z".parse().unwrap();
    let mut facts = evidence(&state, now, &nobody);
    let nodes: Vec<_> =
        facts.nodes.places.iter().map(|one| (one.jurisdiction.as_deref(), one.nodes)).collect();
    assert_eq!(nodes, [(None, 1), (Some("DE"), 2), (Some("US"), 1)]);
    let doubtful: Vec<_> = facts.nodes.doubtful.shown.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(doubtful, ["lost"]);

    let policy = facts.policies.iter().find(|one| one.name == "eu").unwrap();
    let standing: Vec<String> = policy
        .objects
        .shown
        .iter()
        .map(|one| {
            let places = one.standing.jurisdictions.iter().map(|code| code.as_deref().unwrap_or("?"));
            let places = places.collect::<Vec<_>>().join(" and ");
            format!("{} {}: {:?} {places}", one.object.kind, one.object.name, one.standing.how)
        })
        .collect();
    assert_eq!(
        standing,
        [
            "Deployment web: Could DE",
            "VolumeSnapshot nightly: Is US",
            "VolumeSnapshotContent left: Is US",
            "VolumeSnapshotContent left2: Is US",
            "VolumeSnapshotContent nightly: Is US",
            "VolumeAttachment held: Is US",
            "PersistentVolume disk: Unknown ?",
            "PersistentVolume zone: Is US",
            "PersistentVolumeClaim disk: Unknown ?",
            "PersistentVolumeClaim made: Could DE",
            "PersistentVolumeClaim nowhere: Could ",
            "PersistentVolumeClaim zone: Is US",
            "Pod away: Is US",
            "Pod away2: Is US",
            "Pod home: Is DE",
            "Pod waits: Could ",
        ]
    );
    let waits = policy.objects.shown.iter().find(|one| one.object.name == "waits").unwrap();
    assert_eq!(waits.standing.place, "no node can take it now");
    let kinds = json!({"Deployment": 1, "PersistentVolume": 2, "PersistentVolumeClaim": 4, "Pod": 4, "VolumeAttachment": 1,
                       "VolumeSnapshot": 1, "VolumeSnapshotContent": 3});
    let carries = facts.classifications.iter().find(|one| one.name == "personal").unwrap();
    for (selected, places) in [(&policy.selected, &policy.places), (&carries.objects, &carries.places)] {
        assert_eq!(serde_json::to_value(selected).unwrap(), kinds);
        // A claim is where its volume is, content where its snapshot is, and an attachment is no data.
        let places: Vec<_> = places
            .iter()
            .map(|one| (one.jurisdiction.as_deref(), [one.pods, one.volumes, one.snapshots, one.could]))
            .collect();
        let due = [(Some("DE"), [1, 0, 0, 2]), (Some("US"), [2, 1, 3, 0]), (None, [0, 1, 0, 0])];
        assert_eq!(places, due);
    }
    let Summary { judged, classified, denied, warned, reported, exempted, unclassified } = facts.summary;
    assert_eq!((judged, classified, unclassified), (23, 19, 4));
    assert_eq!((denied, warned, reported, exempted), (4, 2, 1, 7));
    let unclassified: Vec<_> =
        facts.unclassified.shown.iter().map(|one| (one.namespace.as_str(), one.pods, one.claims)).collect();
    assert_eq!(unclassified, [("bare", 1, 0), ("plain", 1, 2)]);
    // To all but the content of which nobody knows any more what its snapshot was labelled.
    let exceptions: Vec<_> =
        facts.exceptions.shown.iter().map(|one| (one.name.as_str(), one.objects)).collect();
    assert_eq!(exceptions, [("drill", 14), ("over", 0)]);
    let endings: Vec<_> = facts.endings.shown.iter().map(|one| one.of.as_str()).collect();
    assert_eq!(endings, ["exception shop/drill"]);
    // Nobody says since when something is broken that is not.
    facts.note_since(|_| Some(now), |_, _| None);
    let since: Vec<_> =
        facts.policies.iter().map(|one| (one.name.as_str(), one.broken_since.is_some())).collect();
    assert_eq!(
        BTreeSet::from_iter(since),
        BTreeSet::from([("eu", true), ("hint", true), ("kept", false), ("note", true)])
    );
}
