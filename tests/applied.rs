//! `domicile check` of what the cluster has already: a manifest says less than the object that it is applied over.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

use std::fs;
use std::process::Command;

use serde_json::Value;

const CLUSTER: &str = "
{apiVersion: v1, kind: Node, metadata: {name: fra, labels: {topology.kubernetes.io/zone: eu-central-1a}}, spec: {providerID: 'aws:///eu-central-1a/i-1'}}
---
{apiVersion: v1, kind: Node, metadata: {name: iad, labels: {topology.kubernetes.io/zone: us-east-1a}}, spec: {providerID: 'aws:///us-east-1a/i-2'}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop, annotations: {domicile.dev/data-classification: health}}}
---
{apiVersion: domicile.dev/v1alpha1, kind: ResidencyPolicy, metadata: {name: eu-personal}, spec: {classifications: [personal], allow: [{jurisdictions: [EEA]}]}}
---
{apiVersion: domicile.dev/v1alpha1, kind: ResidencyPolicy, metadata: {name: eu-health}, spec: {classifications: [health], activities: [Processing], action: Deny, allow: [{jurisdictions: [EEA]}]}}
---
{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: waits, creationTimestamp: '2024-01-01T00:00:00Z', annotations: {storageclass.kubernetes.io/is-default-class: 'true'}},
  provisioner: ebs.csi.aws.com, volumeBindingMode: WaitForFirstConsumer}
---
{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: newer, creationTimestamp: '2025-01-01T00:00:00Z', annotations: {storageclass.kubernetes.io/is-default-class: 'true'}},
  provisioner: ebs.csi.aws.com, allowedTopologies: [{matchLabelExpressions: [{key: topology.kubernetes.io/zone, values: [us-east-1a]}]}]}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: bound, namespace: shop}, spec: {storageClassName: waits, volumeName: pv}}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv, annotations: {domicile.dev/recorded-classification: personal}}, spec: {csi: {driver: ebs.csi.aws.com}, storageClassName: waits,
  claimRef: {namespace: shop, name: bound}, nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: topology.kubernetes.io/zone, operator: In, values: [us-east-1a]}]}]}}}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: recorded, namespace: shop, annotations: {domicile.dev/recorded-classification: personal}}, spec: {storageClassName: newer}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: chosen, namespace: shop, annotations: {domicile.dev/data-classification: personal, volume.kubernetes.io/selected-node: iad}}, spec: {storageClassName: waits}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: plain, namespace: shop}, spec: {storageClassName: newer}}
---
{apiVersion: v1, kind: Pod, metadata: {name: running, namespace: shop, annotations: {domicile.dev/data-classification: personal}}, spec: {nodeName: iad}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, annotations: {domicile.dev/data-classification: personal}}, spec: {nodeName: fra}}
";

/// What is said of a manifest: its exit status, the decision on its only object, and the warnings.
fn check(manifest: &str) -> (i32, String, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("cluster.yaml"), CLUSTER).unwrap();
    fs::write(folder.path().join("app.yaml"), manifest).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_domicile"))
        .current_dir(folder.path())
        .env_clear()
        .args(["check", "-n", "shop", "-o", "json", "-f", "app.yaml", "--cluster", "cluster.yaml"])
        .output()
        .unwrap();
    let json: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let [result] = json["results"].as_array().unwrap().as_slice() else { panic!("{json:#}") };
    let warnings = result["warnings"]
        .as_array()
        .map(|all| all.iter().map(|one| one.as_str().unwrap().to_owned()).collect());
    let decision = result["decision"].as_str().unwrap().to_owned();
    (output.status.code().unwrap(), decision, warnings.unwrap_or_default())
}

#[test]
fn what_a_manifest_leaves_out_stays_as_it_is() {
    let claim = |name: &str, spec: &str| {
        format!(
            "{{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {{name: {name}}}, spec: {{{spec}}}}}"
        )
    };
    for (what, manifest, status, decision) in [
        ("a claim is bound abroad", claim("bound", "storageClassName: waits"), 1, "Deny"),
        ("a claim is bound abroad, and names no class", claim("bound", ""), 1, "Deny"),
        ("a claim has a record", claim("recorded", ""), 1, "Deny"),
        (
            "a node abroad was chosen for a claim",
            "{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: chosen, annotations: {domicile.dev/data-classification: personal}}, spec: {storageClassName: waits}}".into(),
            1,
            "Deny",
        ),
        ("a volume belongs to a claim, and has a record", "{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv}, spec: {csi: {driver: ebs.csi.aws.com}}}".into(), 1, "Deny"),
        (
            "a pod runs abroad",
            "{apiVersion: v1, kind: Pod, metadata: {name: running, annotations: {domicile.dev/data-classification: personal}}, spec: {nodeSelector: {topology.kubernetes.io/zone: eu-central-1a}}}".into(),
            1,
            "Deny",
        ),
        // The other default class is newer, though a manifest says nothing of its age.
        (
            "a default class that was there",
            "{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: waits, annotations: {storageclass.kubernetes.io/is-default-class: 'true'}}, provisioner: ebs.csi.aws.com, volumeBindingMode: WaitForFirstConsumer}".into(),
            0,
            "Allow",
        ),
        ("a claim that is new", claim("new", "storageClassName: waits"), 0, "Allow"),
    ] {
        let (exit, found, _) = check(&manifest);
        assert_eq!((exit, found.as_str()), (status, decision), "{what}");
    }
}

#[test]
fn what_would_lose_its_classification_is_told() {
    for (what, manifest, policies) in [
        ("a pod", "{apiVersion: v1, kind: Pod, metadata: {name: web}}", &["eu-personal"][..]),
        ("a namespace", "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}", &["eu-health"]),
        (
            "a pod as it was",
            "{apiVersion: v1, kind: Pod, metadata: {name: web, annotations: {domicile.dev/data-classification: personal}}}",
            &[],
        ),
        ("a new pod", "{apiVersion: v1, kind: Pod, metadata: {name: other}, spec: {nodeName: fra}}", &[]),
        // Its record stays.
        (
            "a volume",
            "{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv}, spec: {csi: {driver: ebs.csi.aws.com}}}",
            &[],
        ),
    ] {
        let (_, _, warnings) = check(manifest);
        let told: Vec<&String> = warnings.iter().filter(|one| one.contains("the verb declassify")).collect();
        assert_eq!(told.len(), policies.len(), "{what}: {warnings:?}");
        for (warning, policy) in told.iter().zip(policies) {
            assert!(warning.contains(&format!("residencypolicies/{policy}")), "{what}: {warning}");
        }
    }
}

/// A file that names a namespace must not lay bare what is in it.
#[test]
fn labels_and_annotations_that_a_manifest_leaves_out_stay() {
    let folder = tempfile::tempdir().unwrap();
    let cluster = CLUSTER.replace("name: fra, labels: {", "name: fra, labels: {pool: one, ");
    fs::write(folder.path().join("cluster.yaml"), cluster).unwrap();
    for (what, manifests, status) in [
        (
            "a bare namespace, and what is in it",
            "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n---\n\
             {apiVersion: v1, kind: Pod, metadata: {name: new, namespace: shop}, spec: {nodeName: iad}}",
            1,
        ),
        (
            "a node by its label alone, and a pod on it",
            "{apiVersion: v1, kind: Node, metadata: {name: fra, labels: {pool: other}}}\n---\n\
             {apiVersion: v1, kind: Pod, metadata: {name: new, namespace: shop}, spec: {nodeName: fra}}",
            0,
        ),
    ] {
        fs::write(folder.path().join("app.yaml"), manifests).unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_domicile"))
            .current_dir(folder.path())
            .env_clear()
            .args(["check", "-f", "app.yaml", "--cluster", "cluster.yaml"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            output.status.code(),
            Some(status),
            "{what}: {said}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn a_node_by_one_label_alone_is_not_said_to_move() {
    let (status, _, warnings) =
        check("{apiVersion: v1, kind: Node, metadata: {name: fra, labels: {pool: other}}}");
    assert_eq!((status, warnings), (0, vec![]));
}

#[test]
fn what_a_change_would_break_of_what_is_there_is_told() {
    for (manifest, says) in [
        (
            "{apiVersion: v1, kind: Node, metadata: {name: fra, labels: {topology.kubernetes.io/zone: us-east-1a}}, spec: {providerID: 'aws:///us-east-1a/i-1'}}",
            ["node fra would be in", "shop/web"],
        ),
        (
            "{apiVersion: v1, kind: Namespace, metadata: {name: shop, annotations: {domicile.dev/data-classification: 'health, personal'}}}",
            ["objects that exist already would be where they may not be", "PersistentVolumeClaim"],
        ),
    ] {
        let (_, _, warnings) = check(manifest);
        assert!(
            warnings.iter().any(|warning| says.iter().all(|says| warning.contains(says))),
            "{manifest}: {warnings:#?}"
        );
    }
}
