//! What a pod brings to a claim is written down on the claim, and what a claim comes to carry on its volume.

use std::time::Duration;

use serde_json::{Value, json};

use crate::audit::{RESTRICTED, bound};
use crate::plane::{Plane, Trials, eventually};
use crate::stand::{FRANKFURT, KEY, Stand};

const RECORDED: &str = "domicile.dev/recorded-classification";

pub(crate) fn trials() -> Trials {
    Trials::of("records").alone("what_a_pod_brings_to_a_claim_stays", what_a_pod_brings)
}

fn claim(stand: &Stand, name: &str) -> Value {
    stand.admin.kubectl(&["get", "pvc", name, "-n", &stand.namespace, "-o", "json"]).json()
}

fn make(stand: &Stand, name: &str) {
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": stand.namespace},
        "spec": {"accessModes": ["ReadWriteMany"], "storageClassName": "records",
            "resources": {"requests": {"storage": "1Gi"}}}});
    stand.apply(&claim.to_string()).ok();
}

fn mounting(name: &'static str) -> impl Fn(&mut Value) {
    move |pod| {
        pod["spec"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": name}}]);
    }
}

async fn recorded(stand: &Stand, name: &str, expected: &str) {
    eventually(&format!("claim {name} says {expected}"), async || {
        (claim(stand, name)["metadata"]["annotations"][RECORDED] == expected).then_some(())
    })
    .await;
}

/// A volume that had its claim before the claim carried anything, and is retained.
async fn what_a_claim_comes_to_carry(stand: &Stand) {
    let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "records"},
        "spec": {"accessModes": ["ReadWriteMany"], "capacity": {"storage": "1Gi"}, "storageClassName": "records",
            "persistentVolumeReclaimPolicy": "Retain", "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-r"},
            "claimRef": {"name": "kept", "namespace": stand.namespace},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["eu-central-1a"]}]}]}}}});
    stand.apply(&volume.to_string()).ok();
    make(stand, "kept");
    eventually("the claim is bound", async || {
        (claim(stand, "kept")["status"]["phase"] == "Bound").then_some(())
    })
    .await;
    stand
        .admin
        .kubectl(&["annotate", "pvc", "kept", "-n", &stand.namespace, &format!("{KEY}=personal")])
        .ok();
    let said = || {
        let volume = stand.admin.kubectl(&["get", "pv", "records", "-o", "json"]).json();
        volume["metadata"]["annotations"][RECORDED].as_str().unwrap_or_default().to_owned()
    };
    eventually("the volume says so too", async || (said() == "personal").then_some(())).await;
    stand.admin.kubectl(&["delete", "pvc", "kept", "-n", &stand.namespace]).ok();
    eventually("the volume is released", async || {
        let phase = stand.admin.kubectl(&["get", "pv", "records", "-o", "jsonpath={.status.phase}"]).ok();
        (phase == "Released").then_some(())
    })
    .await;
    assert_eq!(said(), "personal");
    stand.admin.kubectl(&["delete", "pv", "records"]).ok();
}

async fn what_a_pod_brings(plane: &'static Plane) {
    let stand = Stand::up(plane, "records").await;
    let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "records"},
        "provisioner": "ebs.csi.aws.com", "volumeBindingMode": "WaitForFirstConsumer"});
    stand.apply(&class.to_string()).ok();
    make(&stand, "data");
    bound(&stand, "plain", FRANKFURT, |pod| {
        pod["metadata"]["annotations"] = json!({});
        mounting("data")(pod);
    })
    .await;
    bound(&stand, "orders", FRANKFURT, mounting("data")).await;
    recorded(&stand, "data", "personal").await;
    // Once.
    let before = claim(&stand, "data")["metadata"]["resourceVersion"].clone();
    stand.admin.kubectl(&["annotate", "pod", "orders", "-n", &stand.namespace, "looked=at"]).ok();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(claim(&stand, "data")["metadata"]["resourceVersion"], before);

    // What the pods on the claim break by now keeps nobody from writing down what they carry.
    make(&stand, "late");
    bound(&stand, "late", FRANKFURT, mounting("late")).await;
    recorded(&stand, "late", "personal").await;
    stand.admin.kubectl(&["label", "node", FRANKFURT, &format!("{RESTRICTED}=US")]).ok();
    stand.admin.kubectl(&["annotate", "pvc", "late", "-n", &stand.namespace, &format!("{RECORDED}-")]).ok();
    recorded(&stand, "late", "personal").await;
    stand.admin.kubectl(&["label", "node", FRANKFURT, &format!("{RESTRICTED}-")]).ok();

    // The pods go, and the claim stays what it has become: a pod that says nothing may not take it abroad.
    for pod in ["orders", "plain"] {
        stand.admin.kubectl(&["delete", "pod", pod, "--force", "-n", &stand.namespace]).ok();
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(claim(&stand, "data")["metadata"]["annotations"][RECORDED], "personal");
    let mut away = stand.pod("away", "us-east-1");
    away["metadata"]["annotations"] = json!({"other": KEY});
    mounting("data")(&mut away);
    let refused = stand.apply(&away.to_string()).refused();
    assert!(refused.contains("eu-personal"), "{refused}");
    what_a_claim_comes_to_carry(&stand).await;
    stand.admin.kubectl(&["delete", "storageclass", "records"]).ok();
}
