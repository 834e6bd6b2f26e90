//! Keeping data, and working on it: which policies look at what.

use std::sync::OnceLock;

use domicile::cluster::State;

use super::support::{WORKLOADS, workload};
use super::*;

/// Volumes in Germany and in Istanbul, classes that make them there, and one that waits for its pod.
const STORAGE: &str = "
{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv-de}, spec: {csi: {driver: ebs.csi.aws.com}, claimRef: {namespace: shop, name: de},
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: topology.kubernetes.io/zone, operator: In, values: [eu-central-1a]}]}]}}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: de, namespace: shop}, spec: {volumeName: pv-de}}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv-nfs-tr, annotations: {domicile.dev/jurisdiction: TR}}, spec: {nfs: {}, claimRef: {namespace: shop, name: nfs-tr}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: nfs-tr, namespace: shop}, spec: {volumeName: pv-nfs-tr}}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv-host}, spec: {hostPath: {path: /data}, storageClassName: manual, claimRef: {namespace: shop, name: host}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: host, namespace: shop}, spec: {volumeName: pv-host}}
---
{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: manual}, provisioner: kubernetes.io/no-provisioner, volumeBindingMode: WaitForFirstConsumer}
---
{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: waits}, provisioner: ebs.csi.aws.com, volumeBindingMode: WaitForFirstConsumer}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: unbound, namespace: shop}, spec: {storageClassName: waits}}
";

fn standing() -> State {
    static STANDING: OnceLock<State> = OnceLock::new();
    STANDING.get_or_init(|| state(&[NODES, STORAGE])).clone()
}

/// What a policy over one activity and one over the other say, in Istanbul where neither permits.
fn broken(cluster: &[&str], yaml: &str) -> (bool, bool) {
    let mut state = standing();
    state.apply_all(cluster.iter().map(|yaml| object(yaml)));
    let mut denied = |activities: &str| {
        let policy = policy(&format!("activities: [{activities}], allow: [{{jurisdictions: [DE]}}]"));
        state.apply(object(policy.trim_end_matches("\n---\n")));
        let verdict = judge(&Request::create(&object(yaml)), &state, now());
        assert!(verdict.decision != Decision::Allow || verdict.findings.is_empty());
        verdict.decision == Decision::Deny
    };
    let (processing, storage) = (denied("Processing"), denied("Storage"));
    // Both, or none named, is both.
    assert_eq!(denied("Processing, Storage"), processing || storage, "{yaml}");
    assert_eq!(denied(""), processing || storage, "{yaml}");
    (processing, storage)
}

const NEITHER: (bool, bool) = (false, false);
const PROCESSING: (bool, bool) = (true, false);
const STORING: (bool, bool) = (false, true);
const BOTH: (bool, bool) = (true, true);

#[test]
fn s4_a_pod_by_what_it_writes_where() {
    let source = |source: &str| format!("{{name: v, {source}}}");
    for (what, volumes, abroad, at_home) in [
        ("nothing", String::new(), PROCESSING, NEITHER),
        ("a hostPath", source("hostPath: {path: /data}"), BOTH, NEITHER),
        ("an emptyDir on the disk", source("emptyDir: {}"), BOTH, NEITHER),
        ("an emptyDir by default", source("emptyDir: {medium: ''}"), BOTH, NEITHER),
        ("an emptyDir that says nothing", "{name: v}".to_owned(), BOTH, NEITHER),
        ("an emptyDir in memory", source("emptyDir: {medium: Memory}"), PROCESSING, NEITHER),
        ("an emptyDir in huge pages", source("emptyDir: {medium: HugePages-2Mi}"), PROCESSING, NEITHER),
        ("a configMap", source("configMap: {name: c}"), PROCESSING, NEITHER),
        ("a secret", source("secret: {secretName: s}"), PROCESSING, NEITHER),
        ("the downward API", source("downwardAPI: {}"), PROCESSING, NEITHER),
        ("projected", source("projected: {sources: []}"), PROCESSING, NEITHER),
        ("an image", source("image: {reference: r}"), PROCESSING, NEITHER),
        ("a claim that waits for it", source("persistentVolumeClaim: {claimName: unbound}"), BOTH, NEITHER),
        (
            "a claim of its own that waits for it",
            source("ephemeral: {volumeClaimTemplate: {spec: {storageClassName: waits}}}"),
            BOTH,
            NEITHER,
        ),
        (
            "a volume on the disk of whatever node",
            source("persistentVolumeClaim: {claimName: host}"),
            BOTH,
            NEITHER,
        ),
        // The volume stays in Germany, or in Turkey, wherever the pod is.
        ("a volume at home", source("persistentVolumeClaim: {claimName: de}"), PROCESSING, NEITHER),
        ("a volume abroad", source("persistentVolumeClaim: {claimName: nfs-tr}"), BOTH, STORING),
        (
            "one of each",
            format!(
                "{}, {}",
                source("emptyDir: {medium: Memory}"),
                source("hostPath: {path: /x}").replace("name: v", "name: w")
            ),
            BOTH,
            NEITHER,
        ),
    ] {
        let pod = |node: &str| pod_on(node).replace("spec: {", &format!("spec: {{volumes: [{volumes}], "));
        assert_eq!(broken(&[], &pod("ist")), abroad, "{what}, abroad");
        assert_eq!(broken(&[], &pod("fra")), at_home, "{what}, at home");
        // The same where it is written on a workload, and when it is bound.
        let template = format!(
            "{{metadata: {{labels: {{domicile.dev/data-classification: personal}}}}, spec: {{nodeSelector: \
             {{topology.kubernetes.io/zone: eu-central-1-ist-1a}}, volumes: [{volumes}]}}}}"
        );
        for kind in WORKLOADS {
            // What its affinity leaves no node for is a matter of reach.
            if !volumes.contains("claimName: de") {
                assert_eq!(
                    broken(&[], &workload(kind, "namespace: shop", &template)),
                    abroad,
                    "{what}, {kind}"
                );
            }
        }
        let binding =
            "{apiVersion: v1, kind: Binding, metadata: {name: p, namespace: shop}, target: {name: NODE}}";
        let waiting = pod("fra").replace("nodeName: fra", "");
        assert_eq!(broken(&[&waiting], &binding.replace("NODE", "ist")), abroad, "{what}, bound abroad");
        assert_eq!(broken(&[&waiting], &binding.replace("NODE", "fra")), at_home, "{what}, bound at home");
    }
}

#[test]
fn s4_what_holds_data_is_storage_and_an_attachment_is_work() {
    let personal = "annotations: {domicile.dev/data-classification: personal}";
    let volume = "{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv, annotations: {domicile.dev/data-classification: personal, \
                  domicile.dev/jurisdiction: TR}}, spec: {nfs: {}}}";
    for (what, yaml, expected) in [
        (
            "a claim",
            format!("{{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {{name: c, namespace: shop, {personal}}}, spec: {{volumeName: pv-nfs-tr}}}}"),
            STORING,
        ),
        ("a volume", volume.to_owned(), STORING),
        (
            "a snapshot",
            format!(
                "{{apiVersion: snapshot.storage.k8s.io/v1, kind: VolumeSnapshot, metadata: {{name: s, namespace: shop, {personal}}}, \
                 spec: {{source: {{persistentVolumeClaimName: nfs-tr}}}}}}"
            ),
            STORING,
        ),
        (
            "an attachment",
            "{apiVersion: storage.k8s.io/v1, kind: VolumeAttachment, metadata: {name: a}, spec: {nodeName: ist, source: \
             {persistentVolumeName: pv}}}"
                .to_owned(),
            PROCESSING,
        ),
        (
            "a claim for which the scheduler chose a node",
            "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: c, namespace: shop, annotations: {\
             domicile.dev/data-classification: personal, volume.kubernetes.io/selected-node: ist}}, spec: {storageClassName: waits}}"
                .to_owned(),
            STORING,
        ),
    ] {
        assert_eq!(broken(&[volume], &yaml), expected, "{what}");
    }
}
