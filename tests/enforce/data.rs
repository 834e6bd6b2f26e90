//! Data that moves: disks that are made, volumes that are taken over, copies of what is gone.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::plane::{Plane, Trials, eventually};
use crate::stand::{KEY, Stand, VIRGINIA};

const RECORD: &str = "domicile.dev/recorded-classification";

pub(crate) fn trials() -> Trials {
    Trials::of("data")
        .alone("no_disk_is_made_abroad", no_disk_is_made_abroad)
        .alone("volumes_of_somebodys_own_are_judged", volumes_of_somebodys_own_are_judged)
        .alone("a_copy_outlives_its_claim", a_copy_outlives_its_claim)
        .alone("what_a_snapshot_comes_to_carry_stays", what_a_snapshot_comes_to_carry)
        .alone("what_is_gone_at_once_leaves_its_record", what_is_gone_at_once)
        .alone("no_volume_comes_under_a_pod_abroad", no_volume_comes_under_a_pod_abroad)
}

pub(crate) fn class(name: &str, mode: &str) -> Value {
    json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name},
        "provisioner": "ebs.csi.aws.com", "volumeBindingMode": mode, "reclaimPolicy": "Retain",
    })
}

pub(crate) fn claim(stand: &Stand, name: &str, class: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": stand.namespace, "annotations": {KEY: "personal"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": class,
                 "resources": {"requests": {"storage": "1Gi"}}},
    })
}

/// A volume as a provisioner makes it.
pub(crate) fn volume(stand: &Stand, name: &str, claim: &str, class: &str, zone: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": class,
            "persistentVolumeReclaimPolicy": "Retain",
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": name},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                         "namespace": stand.namespace, "name": claim},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]},
            ]}]}},
        },
    })
}

/// A share at home for a claim: nothing keeps it from being mounted anywhere.
pub(crate) fn share(stand: &Stand, name: &str, claim: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {"domicile.dev/jurisdiction": "DE"}},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "",
            "persistentVolumeReclaimPolicy": "Retain", "nfs": {"server": "files.example.com", "path": "/orders"},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                         "namespace": stand.namespace, "name": claim},
        },
    })
}

/// Takes volumes away, with what would hold them.
pub(crate) fn remove(stand: &Stand, volumes: &[&str]) {
    for volume in volumes {
        stand.admin.kubectl(&["delete", "pv", volume, "--wait=false", "--ignore-not-found"]);
        let free = ["patch", "pv", volume, "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#];
        stand.admin.kubectl(&free);
    }
}

/// The scheduler itself chooses a node abroad for a claim, and is refused; so is, once and quietly, a provisioner.
async fn no_disk_is_made_abroad(plane: &'static Plane) {
    let stand = Stand::up(plane, "disks").await;
    stand.apply(&class("disk", "WaitForFirstConsumer").to_string()).ok();
    // It carries nothing as long as its claim is not there.
    let mut pod = stand.pod("plain", "us-east-1");
    pod["metadata"]["annotations"] = json!({});
    pod["spec"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]);
    stand.apply(&pod.to_string()).ok();
    stand.apply(&claim(&stand, "data", "disk").to_string()).ok();
    let ns = ["-n", stand.namespace.as_str()];
    let why = eventually("the scheduler was refused", async || {
        let events = stand.admin.kubectl(&[
            "get",
            "events",
            "--field-selector=involvedObject.name=plain",
            "-o",
            "jsonpath={.items[*].message}",
            ns[0],
            ns[1],
        ]);
        events.stdout.contains("policy eu-personal").then_some(events.stdout)
    })
    .await;
    assert!(why.contains("denied the request"), "{why}");
    let chosen = ["get", "pvc", "data", "-o", "jsonpath={.metadata.annotations}", ns[0], ns[1]];
    assert!(!stand.admin.kubectl(&chosen).ok().contains("selected-node"));
    assert_eq!(stand.node_of("plain"), "");

    // One that made a disk abroad all the same tries again and again.
    for _ in 0..8 {
        let refused =
            stand.apply(&volume(&stand, "abroad", "data", "disk", "us-east-1a").to_string()).refused();
        assert!(refused.contains("policy eu-personal"), "{refused}");
    }
    let told = || {
        let events =
            stand.admin.kubectl(&["get", "events.v1.events.k8s.io", "-o", "json", ns[0], ns[1]]).json();
        let all = events["items"].as_array().unwrap().iter();
        all.filter(|event| {
            event["regarding"]["kind"] == "PersistentVolumeClaim"
                && event["note"].to_string().contains("PersistentVolume/abroad")
        })
        .cloned()
        .collect::<Vec<_>>()
    };
    let first = eventually("it is told of", async || told().first().cloned()).await;
    assert_eq!((&first["reason"], &first["regarding"]["name"]), (&json!("ResidencyDenied"), &json!("data")));
    assert_eq!(told().len(), 1, "{:#?}", told());
    stand.admin.kubectl(&["delete", "storageclass", "disk"]).ok();
}

/// Claims and volumes that are made for each other by hand, in either order, and volumes that change.
async fn volumes_of_somebodys_own_are_judged(plane: &'static Plane) {
    let stand = Stand::up(plane, "volumes").await;
    let ns = ["-n", stand.namespace.as_str()];
    // The volume names the claim, which comes later.
    let mut first = volume(&stand, "own-first", "first", "", "us-east-1a");
    stand.apply(&first.to_string()).ok();
    let refused = stand.apply(&claim(&stand, "first", "").to_string()).refused();
    assert!(refused.contains("policy eu-personal"), "{refused}");
    // The claim names the volume.
    first["metadata"]["name"] = json!("own-second");
    first["spec"].as_object_mut().unwrap().remove("claimRef");
    stand.apply(&first.to_string()).ok();
    let mut naming = claim(&stand, "second", "");
    naming["spec"]["volumeName"] = json!("own-second");
    let refused = stand.apply(&naming.to_string()).refused();
    assert!(refused.contains("policy eu-personal"), "{refused}");
    // In two steps: the claim names a volume that is not there, of which nobody knows where it will be.
    naming["metadata"]["name"] = json!("third");
    naming["spec"]["volumeName"] = json!("own-third");
    let refused = stand.apply(&naming.to_string()).refused();
    assert!(refused.contains("policy eu-personal"), "{refused}");
    // A claim that names none could take any that is free.
    remove(&stand, &["own-first", "own-second", "own-third"]);
    stand.apply(&volume(&stand, "own-home", "home", "", "eu-central-1a").to_string()).ok();
    stand.apply(&claim(&stand, "home", "").to_string()).ok();
    eventually("the claim is bound", async || {
        let phase = ["get", "pvc", "home", "-o", "jsonpath={.status.phase}", ns[0], ns[1]];
        (stand.admin.kubectl(&phase).ok() == "Bound").then_some(())
    })
    .await;
    // Its affinity says where it is, so a declaration of another place says nothing.
    let said = stand.admin.kubectl(&["annotate", "pv", "own-home", "domicile.dev/jurisdiction=US"]);
    assert_eq!((said.status, said.stderr.as_str()), (0, ""));
    let mut mounting = stand.pod("mounting", "eu-central-1");
    mounting["spec"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "home"}}]);
    stand.apply(&mounting.to_string()).ok();
    // Attached abroad, it would be worked on there.
    let attachment = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": {"name": "own-away"},
        "spec": {"attacher": "ebs.csi.aws.com", "nodeName": VIRGINIA,
                 "source": {"persistentVolumeName": "own-home"}},
    });
    let refused = stand.apply(&attachment.to_string()).refused();
    assert!(refused.contains("policy eu-personal"), "{refused}");
    remove(&stand, &["own-home"]);
}

fn snapshot_crd(kind: &str, plural: &str, scope: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.snapshot.storage.k8s.io"),
            "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes-csi/external-snapshotter/pull/665"}},
        "spec": {
            "group": "snapshot.storage.k8s.io", "scope": scope,
            "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
        },
    })
}

pub(crate) fn serve_snapshots(stand: &Stand) {
    for (kind, plural, scope) in [
        ("VolumeSnapshot", "volumesnapshots", "Namespaced"),
        ("VolumeSnapshotContent", "volumesnapshotcontents", "Cluster"),
        ("VolumeSnapshotClass", "volumesnapshotclasses", "Cluster"),
    ] {
        stand.apply(&snapshot_crd(kind, plural, scope).to_string()).ok();
    }
}

pub(crate) fn end_snapshots(stand: &Stand) {
    for plural in ["volumesnapshots", "volumesnapshotcontents", "volumesnapshotclasses"] {
        stand
            .admin
            .kubectl(&["delete", "crd", &format!("{plural}.snapshot.storage.k8s.io"), "--wait=false"])
            .ok();
    }
}

/// Makes something of a kind that may not be served yet.
pub(crate) async fn once_served(stand: &Stand, manifest: &Value) {
    eventually("snapshots are served", async || {
        let said = stand.apply(&manifest.to_string());
        assert!(!said.stderr.contains("denied the request"), "{}", said.stderr);
        (said.status == 0).then_some(())
    })
    .await;
}

/// A claim is classified, used and deleted. Its volume, its snapshot, and what is restored from that, are still classified.
async fn a_copy_outlives_its_claim(plane: &'static Plane) {
    let stand = Stand::up(plane, "copies").await;
    let ns = ["-n", stand.namespace.as_str()];
    serve_snapshots(&stand);
    // A copy is made before a node is asked: its class has to say where.
    let mut class = class("copy", "WaitForFirstConsumer");
    class["allowedTopologies"] = json!([{"matchLabelExpressions": [
        {"key": "topology.kubernetes.io/zone", "values": ["eu-central-1a"]},
    ]}]);
    stand.apply(&class.to_string()).ok();
    stand.apply(&claim(&stand, "data", "copy").to_string()).ok();
    stand.apply(&volume(&stand, "copy-home", "data", "copy", "eu-central-1a").to_string()).ok();
    let snapshots = json!({
        "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass", "metadata": {"name": "copy"},
        "driver": "ebs.csi.aws.com", "deletionPolicy": "Retain",
    });
    let snapshot = json!({
        "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
        "metadata": {"name": "nightly", "namespace": stand.namespace},
        "spec": {"volumeSnapshotClassName": "copy", "source": {"persistentVolumeClaimName": "data"}},
    });
    for manifest in [&snapshots, &snapshot] {
        once_served(&stand, manifest).await;
    }
    let recorded = ["-o", &format!("jsonpath={{.metadata.annotations.{}}}", RECORD.replace('.', "\\."))];
    let record = |object: &[&str]| stand.admin.kubectl(&[&["get"], object, &recorded].concat()).ok();
    assert_eq!(record(&["volumesnapshot", "nightly", ns[0], ns[1]]), "personal");
    assert_eq!(record(&["pv", "copy-home"]), "personal");

    // Off the volume, and the claim deleted before anybody writes it again.
    let keeper = plane.user("keeper", &["system:authenticated"]).await;
    let may = ["create", "clusterrole", "keeper", "--verb=get,patch", "--resource=persistentvolumes"];
    stand.admin.kubectl(&may).ok();
    stand
        .admin
        .kubectl(&["create", "clusterrolebinding", "keeper", "--clusterrole=keeper", "--user=keeper"])
        .ok();
    let refused = keeper.kubectl(&["annotate", "pv", "copy-home", &format!("{RECORD}-")]).refused();
    assert!(refused.contains("declassify on residencypolicies/eu-personal"), "{refused}");

    let free =
        ["patch", "pvc", "data", "--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#, ns[0], ns[1]];
    stand.admin.kubectl(&["delete", "pvc", "data", "--wait=false", ns[0], ns[1]]).ok();
    stand.admin.kubectl(&free);
    eventually("the claim is gone", async || {
        (stand.admin.kubectl(&["get", "pvc", "data", ns[0], ns[1]]).status != 0).then_some(())
    })
    .await;

    // Restored by somebody who says nothing of what it is.
    let mut restored = claim(&stand, "restored", "copy");
    restored["metadata"]["annotations"] = json!({});
    restored["spec"]["dataSource"] =
        json!({"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "nightly"});
    stand.apply(&restored.to_string()).ok();
    assert_eq!(record(&["pvc", "restored", ns[0], ns[1]]), "personal");
    let mut pod = stand.pod("reader", "");
    pod["metadata"]["annotations"] = json!({});
    pod["spec"]["nodeName"] = json!(VIRGINIA);
    pod["spec"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "restored"}}]);
    let refused = stand.apply(&pod.to_string()).refused();
    assert!(refused.contains("policy eu-personal"), "{refused}");
    let abroad =
        stand.apply(&volume(&stand, "copy-away", "restored", "copy", "us-east-1a").to_string()).refused();
    assert!(abroad.contains("policy eu-personal"), "{abroad}");
    // The retained volume, taken over by another claim.
    let other = r#"{"spec":{"claimRef":null}}"#;
    stand.admin.kubectl(&["patch", "pv", "copy-home", "--type=merge", "-p", other]).ok();
    let mut taken = claim(&stand, "taken", "copy");
    taken["metadata"]["annotations"] = json!({});
    taken["spec"]["volumeName"] = json!("copy-home");
    stand.apply(&taken.to_string()).ok();
    eventually("the volume is taken over", async || {
        let phase = ["get", "pvc", "taken", "-o", "jsonpath={.status.phase}", ns[0], ns[1]];
        (stand.admin.kubectl(&phase).ok() == "Bound").then_some(())
    })
    .await;
    pod["spec"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "taken"}}]);
    let refused = stand.apply(&pod.to_string()).refused();
    assert!(refused.contains("policy eu-personal"), "{refused}");

    remove(&stand, &["copy-home", "copy-away"]);
    stand.admin.kubectl(&["delete", "storageclass", "copy"]).ok();
    end_snapshots(&stand);
}

/// A snapshot is of a claim that is classified later, and its content was there before it, as a group of snapshots makes
/// them. Both know it still when the claim is gone.
async fn what_a_snapshot_comes_to_carry(plane: &'static Plane) {
    let stand = Stand::up(plane, "snapshots").await;
    let ns = ["-n", stand.namespace.as_str()];
    serve_snapshots(&stand);
    let kept = json!({
        "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass", "metadata": {"name": "kept"},
        "driver": "ebs.csi.aws.com", "deletionPolicy": "Retain",
    });
    once_served(&stand, &kept).await;
    let mut plain = claim(&stand, "data", "");
    plain["metadata"]["annotations"] = json!({});
    stand.apply(&plain.to_string()).ok();
    stand.apply(&volume(&stand, "snapshots-home", "data", "", "eu-central-1a").to_string()).ok();
    let content = json!({
        "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotContent", "metadata": {"name": "nightly"},
        "spec": {"driver": "ebs.csi.aws.com", "deletionPolicy": "Retain", "volumeSnapshotClassName": "kept",
                 "source": {"volumeHandle": "snapshots-home"},
                 "volumeSnapshotRef": {"name": "nightly", "namespace": stand.namespace}},
    });
    once_served(&stand, &content).await;
    let snapshot = |name: &str, source: Value| {
        json!({
            "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
            "metadata": {"name": name, "namespace": stand.namespace},
            "spec": {"volumeSnapshotClassName": "kept", "source": source},
        })
    };
    once_served(&stand, &snapshot("nightly", json!({"persistentVolumeClaimName": "data"}))).await;
    // What nobody reads does not keep its record from it, however deep that is nested.
    let mut deep = snapshot("deep", json!({"persistentVolumeClaimName": "data"}));
    deep["metadata"]["managedFields"] = crate::written::deep();
    deep["metadata"]["managedFields"][0]["apiVersion"] = deep["apiVersion"].clone();
    let path = format!("/apis/snapshot.storage.k8s.io/v1/namespaces/{}/volumesnapshots", stand.namespace);
    stand.admin.kubectl_reading(&["create", "--raw", &path, "-f", "-"], &deep.to_string()).ok();
    stand.admin.kubectl(&["annotate", "pvc", "data", &format!("{KEY}=personal"), ns[0], ns[1]]).ok();
    let record = |kind: &str, name: &str| {
        let object = stand.admin.kubectl(&["get", kind, name, "-o", "json", ns[0], ns[1]]).json();
        object["metadata"]["annotations"][RECORD].as_str().unwrap_or_default().to_owned()
    };
    for (kind, name) in
        [("volumesnapshot", "nightly"), ("volumesnapshot", "deep"), ("volumesnapshotcontent", "nightly")]
    {
        eventually(&format!("the {kind} {name} says so too"), async || {
            (record(kind, name) == "personal").then_some(())
        })
        .await;
    }
    stand.admin.kubectl(&["delete", "volumesnapshot", "nightly", ns[0], ns[1]]).ok();
    stand.admin.kubectl(&["delete", "pvc", "data", "--wait=false", ns[0], ns[1]]).ok();
    // Taken up again from what was retained, by somebody who does not say what it is.
    let again = snapshot("again", json!({"volumeSnapshotContentName": "nightly"}));
    let refused = stand.apply(&again.to_string()).refused();
    assert!(refused.contains("carries personal (record, snapshot content nightly)"), "{refused}");
    remove(&stand, &["snapshots-home"]);
    end_snapshots(&stand);
}

/// A bound claim is classified, and deleted in the same moment: there is no time to look at it in between.
async fn what_is_gone_at_once(plane: &'static Plane) {
    let stand = Stand::up(plane, "at-once").await;
    let ns = ["-n", stand.namespace.as_str()];
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(plane.client(), &stand.namespace);
    let mut plain = claim(&stand, "data", "");
    plain["metadata"]["annotations"] = json!({});
    stand.apply(&plain.to_string()).ok();
    stand.apply(&volume(&stand, "at-once", "data", "", "eu-central-1a").to_string()).ok();
    eventually("the claim is bound", async || {
        let phase = ["get", "pvc", "data", "-o", "jsonpath={.status.phase}", ns[0], ns[1]];
        (stand.admin.kubectl(&phase).ok() == "Bound").then_some(())
    })
    .await;
    let change = json!({"metadata": {"annotations": {KEY: "personal"}, "finalizers": null}});
    claims.patch("data", &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
    claims.delete("data", &DeleteParams::default()).await.unwrap();
    eventually("the volume says so", async || {
        let volume = stand.admin.kubectl(&["get", "pv", "at-once", "-o", "json"]).json();
        (volume["metadata"]["annotations"][RECORD] == "personal").then_some(())
    })
    .await;
    remove(&stand, &["at-once"]);
}

/// A pod that carries nothing waits abroad for a claim that carries nothing. A retained share of personal data, which can be
/// mounted from everywhere, comes by: Kubernetes would bind the two, or the tenant has the claim name it.
async fn no_volume_comes_under_a_pod_abroad(plane: &'static Plane) {
    let stand = Stand::up(plane, "comes-under").await;
    let ns = ["-n", stand.namespace.as_str()];
    let mut waiting = claim(&stand, "waiting", "shares");
    waiting["metadata"]["annotations"] = json!({});
    stand.apply(&waiting.to_string()).ok();
    let mut pod = stand.pod("reader", "");
    pod["metadata"]["annotations"] = json!({});
    pod["spec"]["nodeName"] = json!(VIRGINIA);
    pod["spec"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "waiting"}}]);
    stand.apply(&pod.to_string()).ok();
    let share = json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": "share", "annotations": {RECORD: "personal", "domicile.dev/jurisdiction": "DE"}},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "shares",
            "persistentVolumeReclaimPolicy": "Retain", "nfs": {"server": "files.example.com", "path": "/orders"},
        },
    });
    stand.apply(&share.to_string()).ok();
    let name = r#"{"spec":{"volumeName":"share"}}"#;
    let refused =
        stand.admin.kubectl(&["patch", "pvc", "waiting", "--type=merge", "-p", name, ns[0], ns[1]]).refused();
    assert!(refused.contains("pod reader, which mounts the claim"), "{refused}");
    let told = eventually("the binding is refused", async || {
        let events = ["get", "events.v1.events.k8s.io", "-o", "json", ns[0], ns[1]];
        let events = stand.admin.kubectl(&events).json();
        let refused = |event: &&Value| event["note"].to_string().contains("PersistentVolume/share");
        events["items"].as_array().unwrap().iter().find(refused).cloned()
    })
    .await;
    assert_eq!((&told["reason"], &told["regarding"]["name"]), (&json!("ResidencyDenied"), &json!("waiting")));
    let phase = ["get", "pvc", "waiting", "-o", "jsonpath={.status.phase}", ns[0], ns[1]];
    assert_eq!(stand.admin.kubectl(&phase).ok(), "Pending");
    assert_eq!(stand.admin.kubectl(&["get", "pv", "share", "-o", "jsonpath={.spec.claimRef}"]).ok(), "");
    remove(&stand, &["share"]);
}
