//! Volumes at home and abroad that are kept for a claim with personal data, attached and mounted.

use serde_json::{Value, json};

use crate::load::Made;
use crate::stand::{FRANKFURT, KEY, VIRGINIA};

/// What is created after another, as long as what is legal is admitted.
pub(crate) struct Step {
    pub(crate) path: String,
    pub(crate) object: Value,
    pub(crate) is_legal: bool,
    pub(crate) made: Made,
}

/// Everything about one claim. Its volume carries nothing itself: it is for the claim, and so is what attaches it.
pub(crate) fn steps(namespace: &str, number: usize, at_home: bool) -> Vec<Step> {
    let core = format!("/api/v1/namespaces/{namespace}");
    let claim = format!("l-{number}");
    let letter = if at_home { 'l' } else { 'i' };
    let volume = format!("{namespace}-{letter}-{number}");
    let mut steps = vec![
        Step {
            path: format!("{core}/persistentvolumeclaims"),
            object: json!({
                "apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "metadata": {"name": claim, "annotations": {KEY: "personal"}},
                "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "",
                         "resources": {"requests": {"storage": "1Gi"}}},
            }),
            is_legal: true,
            made: Made::Claim(claim.clone()),
        },
        Step {
            path: "/api/v1/persistentvolumes".to_owned(),
            object: volume_for(&volume, namespace, &claim, at_home),
            is_legal: at_home,
            made: Made::Volume(volume.clone()),
        },
    ];
    if !at_home {
        return steps;
    }
    for (letter, node, is_legal) in [('i', VIRGINIA, false), ('l', FRANKFURT, true)] {
        let name = format!("{namespace}-{letter}-{number}");
        steps.push(Step {
            path: "/apis/storage.k8s.io/v1/volumeattachments".to_owned(),
            object: json!({
                "apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment",
                "metadata": {"name": name, "labels": {LABEL: namespace}},
                "spec": {"attacher": "ebs.csi.aws.com", "nodeName": node,
                         "source": {"persistentVolumeName": volume}},
            }),
            is_legal,
            made: Made::Other,
        });
        let name = format!("{letter}-{number}");
        steps.push(Step {
            path: format!("{core}/pods"),
            object: json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
                "spec": {"nodeName": node, "containers": [{"name": "app", "image": "none"}],
                         "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}]},
            }),
            is_legal,
            made: Made::Pod(name, Some(node.to_owned())),
        });
    }
    steps
}

/// Says whose a thing is that is in no namespace.
pub(crate) const LABEL: &str = "example.com/torture";

fn volume_for(name: &str, namespace: &str, claim: &str, at_home: bool) -> Value {
    let zone = if at_home { "eu-central-1a" } else { "us-east-1a" };
    let is_there = json!({"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]});
    json!({
        "apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": name, "labels": {LABEL: namespace}},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "",
            "persistentVolumeReclaimPolicy": "Retain",
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": namespace, "name": claim},
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": name},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [is_there]}]}},
        },
    })
}
