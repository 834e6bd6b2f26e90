//! What a change of nodes has judged anew: all that it gives another verdict, and of the rest as little as can be told.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test fails that way")]

mod support;

use domicile::cluster::Shared;
use domicile::residency::{Decision, Touched, audit, touched};
use support::{EU, now, object, state};

const STORED: &str = "
{apiVersion: v1, kind: Namespace, metadata: {name: shop, annotations: {domicile.dev/data-classification: personal}}}
---
{apiVersion: v1, kind: Node, metadata: {name: fra, labels: {kubernetes.io/hostname: fra, topology.kubernetes.io/region: eu-central-1, topology.kubernetes.io/zone: eu-central-1a}}, spec: {providerID: 'aws:///eu-central-1a/i-1'}}
---
{apiVersion: v1, kind: Node, metadata: {name: dub, labels: {kubernetes.io/hostname: dub, topology.kubernetes.io/region: eu-west-1, topology.kubernetes.io/zone: eu-west-1a}}, spec: {providerID: 'aws:///eu-west-1a/i-2'}}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: pinned}, spec: {csi: {driver: ebs.csi.aws.com, volumeHandle: v}, claimRef: {namespace: shop, name: pinned},
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: topology.ebs.csi.aws.com/zone, operator: In, values: [eu-central-1a]}]}]}}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: pinned, namespace: shop}, spec: {volumeName: pinned, storageClassName: ''}}
---
{apiVersion: v1, kind: Pod, metadata: {name: pinned, namespace: shop}, spec: {nodeName: fra, volumes: [{name: v, persistentVolumeClaim: {claimName: pinned}}]}}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: shared}, spec: {csi: {driver: ebs.csi.aws.com, volumeHandle: w}, claimRef: {namespace: shop, name: shared}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: shared, namespace: shop}, spec: {volumeName: shared, storageClassName: ''}}
---
{apiVersion: v1, kind: Pod, metadata: {name: shared, namespace: shop}, spec: {nodeName: fra, volumes: [{name: v, persistentVolumeClaim: {claimName: shared}}]}}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: disk}, spec: {local: {path: /mnt}, claimRef: {namespace: shop, name: disk},
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [dub]}]}]}}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: disk, namespace: shop}, spec: {volumeName: disk, storageClassName: ''}}
---
{apiVersion: v1, kind: Pod, metadata: {name: disk, namespace: shop}, spec: {nodeName: fra, volumes: [{name: v, persistentVolumeClaim: {claimName: disk}}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: plain, namespace: shop}, spec: {nodeName: fra, volumes: [{name: v, configMap: {name: c}}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: inline, namespace: shop}, spec: {nodeName: fra, volumes: [{name: v, awsElasticBlockStore: {volumeID: x}}]}}
";

const ABROAD: &str = "{apiVersion: v1, kind: Node, metadata: {name: iad, labels: {topology.kubernetes.io/region: us-east-1, \
                      topology.kubernetes.io/zone: us-east-1a}}, spec: {providerID: 'aws:///us-east-1a/i-3'}}";

/// The names of the objects that are denied.
fn denied(shared: &Shared) -> Vec<String> {
    let state = shared.read();
    let denied = audit(&state, now()).filter(|verdict| verdict.decision == Decision::Deny);
    let mut names: Vec<_> =
        denied.map(|verdict| format!("{}/{}", verdict.object.kind, verdict.object.name)).collect();
    names.sort();
    names
}

/// What these nodes, made or changed, have judged anew besides what is on them.
fn by_nodes(policy: &str, nodes: &[&str]) -> (Vec<String>, Vec<String>) {
    let shared = Shared::complete(state(&[STORED, policy]));
    shared.open_journal();
    let _everything = shared.take_changed();
    for node in nodes {
        shared.apply(object(node));
    }
    let changed = shared.take_changed();
    let Touched::Objects { by_nodes, changed } = touched(&shared.read(), &changed) else {
        panic!("{changed:?}")
    };
    assert!(changed.is_empty(), "a node gives no classification to anything: {changed:?}");
    let mut names: Vec<_> =
        by_nodes.iter().map(|key| format!("{}/{}", key.kind.as_str(), key.name)).collect();
    names.sort();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "each once: {names:?}");
    (names, denied(&shared))
}

#[test]
fn a_node_that_joins_touches_what_could_be_on_it_and_not_what_a_zone_holds() {
    let (touched, denied) = by_nodes(EU, &[ABROAD]);
    assert_eq!(by_nodes(EU, &[]).1, [""; 0]);
    let open = ["PersistentVolume/shared", "PersistentVolumeClaim/shared", "Pod/inline", "Pod/shared"];
    assert_eq!(denied, open, "it can be anywhere that the cluster is");
    let disk = ["PersistentVolume/disk", "PersistentVolumeClaim/disk", "Pod/disk"];
    let mut due: Vec<&str> = open.into_iter().chain(disk).collect();
    due.sort_unstable();
    assert_eq!(touched, due);
}

#[test]
fn a_node_that_moves_touches_the_pods_elsewhere_that_mount_its_disk() {
    let moved = "{apiVersion: v1, kind: Node, metadata: {name: dub, labels: {kubernetes.io/hostname: dub, \
                 topology.kubernetes.io/region: us-east-1, topology.kubernetes.io/zone: us-east-1a}}, spec: \
                 {providerID: 'aws:///us-east-1a/i-2'}}";
    let (touched, denied) = by_nodes(EU, &[moved]);
    for name in ["PersistentVolume/disk", "PersistentVolumeClaim/disk", "Pod/disk"] {
        assert!(denied.iter().any(|one| one == name), "{denied:?}");
    }
    for name in &denied {
        assert!(touched.contains(name), "{name} is not among {touched:?}");
    }
}

/// Also those that mount nothing but what a zone holds.
#[test]
fn a_node_that_moves_touches_the_pods_on_it() {
    let moved = "{apiVersion: v1, kind: Node, metadata: {name: fra, labels: {kubernetes.io/hostname: fra, \
                 topology.kubernetes.io/region: us-east-1, topology.kubernetes.io/zone: us-east-1a}}, spec: \
                 {providerID: 'aws:///us-east-1a/i-1'}}";
    let (touched, denied) = by_nodes(EU, &[moved]);
    for name in ["Pod/pinned", "Pod/plain"] {
        assert!(denied.iter().any(|one| one == name), "{denied:?}");
    }
    for name in &denied {
        assert!(touched.contains(name), "{name} is not among {touched:?}");
    }
}

/// A label that names no place is that of nodes.
#[test]
fn a_node_that_joins_touches_the_volumes_of_its_rack() {
    let racked = "{apiVersion: v1, kind: PersistentVolume, metadata: {name: racked}, spec: {csi: {driver: ebs.csi.aws.com, volumeHandle: r}, \
                  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: rack, operator: In, values: [a]}]}]}}}}";
    let node = ABROAD.replace("labels: {", "labels: {rack: a, ");
    let (touched, _) = by_nodes(&format!("{EU}\n---\n{racked}"), &[&node]);
    assert!(touched.contains(&"PersistentVolume/racked".to_owned()), "{touched:?}");
}

/// Then a volume is where its nodes are, whatever its zone.
#[test]
fn where_a_policy_selects_nodes_all_that_is_stored_is_touched() {
    let selecting = EU.replace("allow:", "deny: [{nodeSelector: {matchLabels: {tier: public}}}], allow:");
    assert_ne!(selecting, EU);
    let public = "{apiVersion: v1, kind: Node, metadata: {name: fra2, labels: {tier: public, topology.kubernetes.io/region: \
                  eu-central-1, topology.kubernetes.io/zone: eu-central-1a}}, spec: {providerID: 'aws:///eu-central-1a/i-4'}}";
    let (touched, _) = by_nodes(&selecting, &[public]);
    assert!(touched.contains(&"Pod/pinned".to_owned()), "{touched:?}");
}

/// What objects that are made or changed have judged anew.
fn by_objects(stored: &str, news: &[&str]) -> Vec<String> {
    let shared = Shared::complete(state(&[EU, stored]));
    shared.open_journal();
    let _everything = shared.take_changed();
    for one in news {
        shared.apply(object(one));
    }
    let noted = shared.take_changed();
    let Touched::Objects { changed, .. } = touched(&shared.read(), &noted) else { panic!("{noted:?}") };
    changed.iter().map(|key| format!("{}/{}", key.kind.as_str(), key.name)).collect()
}

/// All of it inherits what the namespace carries.
#[test]
fn a_namespace_touches_what_is_in_it_and_nothing_elsewhere() {
    let stored = "
{apiVersion: v1, kind: Pod, metadata: {name: here, namespace: shop}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: here, namespace: shop}}
---
{apiVersion: snapshot.storage.k8s.io/v1, kind: VolumeSnapshot, metadata: {name: here, namespace: shop}, spec: {source: {volumeSnapshotContentName: c}}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: here, namespace: shop}, spec: {template: {}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: elsewhere, namespace: other}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: elsewhere, namespace: other}, spec: {template: {}}}
";
    let namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: shop, annotations: {domicile.dev/data-classification: personal}}}";
    let exception = "{apiVersion: domicile.dev/v1alpha1, kind: ResidencyException, metadata: {name: drill, namespace: shop}, spec: \
                     {policies: [eu-personal], allow: [{jurisdictions: [US]}], until: '2027-01-01T00:00:00Z', reason: a drill}}";
    for news in [namespace, exception] {
        let touched = by_objects(stored, &[news]);
        for (name, due) in [
            ("Pod/here", true),
            ("Deployment/here", true),
            ("PersistentVolumeClaim/here", true),
            ("VolumeSnapshot/here", true),
            ("Pod/elsewhere", false),
            ("Deployment/elsewhere", false),
        ] {
            assert_eq!(touched.contains(&name.to_owned()), due, "{name}: {touched:?}");
        }
    }
}

/// Its snapshot is gone, and it is kept.
#[test]
fn a_namespace_touches_the_content_that_was_made_in_it() {
    let content = "{apiVersion: snapshot.storage.k8s.io/v1, kind: VolumeSnapshotContent, metadata: {name: kept}, spec: {driver: \
                   ebs.csi.aws.com, volumeSnapshotRef: {namespace: shop, name: gone}, source: {snapshotHandle: s}}}";
    let namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: shop, annotations: {domicile.dev/data-classification: personal}}}";
    let touched = by_objects(content, &[namespace]);
    assert!(touched.contains(&"VolumeSnapshotContent/kept".to_owned()), "{touched:?}");
}

/// What would have a claim made from it carries what it does.
#[test]
fn a_snapshot_touches_the_templates_that_would_copy_it() {
    let template = "{accessModes: [ReadWriteOnce], dataSource: {apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: nightly}}";
    let stored = format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: p, namespace: shop}}, spec: {{volumes: [{{name: v, ephemeral: \
         {{volumeClaimTemplate: {{spec: {template}}}}}}}]}}}}\n---\n{{apiVersion: apps/v1, kind: StatefulSet, metadata: {{name: db, \
         namespace: shop}}, spec: {{selector: {{matchLabels: {{a: b}}}}, template: {{metadata: {{labels: {{a: b}}}}, spec: {{}}}}, \
         volumeClaimTemplates: [{{metadata: {{name: data}}, spec: {template}}}]}}}}"
    );
    let snapshot = "{apiVersion: snapshot.storage.k8s.io/v1, kind: VolumeSnapshot, metadata: {name: nightly, namespace: shop, annotations: \
                    {domicile.dev/data-classification: personal}}, spec: {source: {volumeSnapshotContentName: c}}}";
    let touched = by_objects(&stored, &[snapshot]);
    for due in ["Pod/p", "StatefulSet/db"] {
        assert!(touched.contains(&due.to_owned()), "{due} is not among {touched:?}");
    }
}

/// Claims and volumes in three namespaces, what mounts them, and what is made from them.
const CLAIMED: &str = "
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: shop}, spec: {storageClassName: ''}}
---
{apiVersion: v1, kind: Pod, metadata: {name: mounting, namespace: shop}, spec: {volumes: [{name: v, persistentVolumeClaim: {claimName: data}}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: plain, namespace: shop}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: beside, namespace: shop}, spec: {template: {}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: copy, namespace: shop}, spec: {storageClassName: '', dataSource: {kind: PersistentVolumeClaim, name: data}}}
---
{apiVersion: snapshot.storage.k8s.io/v1, kind: VolumeSnapshot, metadata: {name: nightly, namespace: shop}, spec: {source: {persistentVolumeClaimName: data}}}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: free}, spec: {csi: {driver: ebs.csi.aws.com, volumeHandle: a}}}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: kept}, spec: {csi: {driver: ebs.csi.aws.com, volumeHandle: b}, claimRef: {namespace: shop, name: data}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: other, namespace: away}, spec: {storageClassName: '', volumeName: gone}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: named, namespace: away}, spec: {storageClassName: '', volumeName: free}}
---
{apiVersion: storage.k8s.io/v1, kind: VolumeAttachment, metadata: {name: held}, spec: {attacher: ebs.csi.aws.com, nodeName: fra, source: {persistentVolumeName: free}}}
---
{apiVersion: storage.k8s.io/v1, kind: VolumeAttachment, metadata: {name: other}, spec: {attacher: ebs.csi.aws.com, nodeName: fra, source: {persistentVolumeName: gone}}}
---
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: claims, namespace: far}, spec: {template: {}, volumeClaimTemplates: [{metadata: {name: data}, spec: {storageClassName: ''}}]}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: claims-none, namespace: far}, spec: {template: {}}}
";

/// What carries along references: each named as touched, or as left alone.
#[test]
fn a_claim_and_a_volume_touch_what_refers_to_them() {
    let claim = "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: shop, annotations: \
                 {domicile.dev/data-classification: personal}}, spec: {storageClassName: ''}}";
    let volume = "{apiVersion: v1, kind: PersistentVolume, metadata: {name: free, annotations: {domicile.dev/data-classification: \
                  personal}}, spec: {csi: {driver: ebs.csi.aws.com, volumeHandle: a}}}";
    for (what, news, touches, leaves) in [
        (
            "a claim",
            claim,
            &[
                "Pod/mounting",
                "Deployment/beside",
                "PersistentVolumeClaim/copy",
                "VolumeSnapshot/nightly",
                "PersistentVolume/kept",
                "StatefulSet/claims",
            ][..],
            &["Pod/plain", "Deployment/claims-none"][..],
        ),
        (
            "a volume",
            volume,
            &[
                "PersistentVolumeClaim/data",
                "PersistentVolumeClaim/named",
                "VolumeAttachment/held",
                "StatefulSet/claims",
            ],
            &["PersistentVolumeClaim/other", "VolumeAttachment/other", "Deployment/claims-none"],
        ),
    ] {
        let touched = by_objects(CLAIMED, &[news]);
        for (names, due) in [(touches, true), (leaves, false)] {
            for name in names {
                assert_eq!(touched.iter().any(|one| one == name), due, "{what}, {name}: {touched:?}");
            }
        }
    }
}
