//! Nodes that join, as a kubelet, a CSI driver and a cloud controller have it.

use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::plane::{Identity, Plane, Trials, eventually};
use crate::stand::{FRANKFURT, Stand, VIRGINIA};

const TAINT: &str = "node.cloudprovider.kubernetes.io/uninitialized";
const RESTRICTED: &str = "domicile.dev.node-restriction.kubernetes.io/jurisdiction";

pub(crate) fn trials() -> Trials {
    Trials::of("joining")
        .alone("a_node_joins_also_while_nobody_answers", a_node_joins)
        .alone("nobody_hides_where_a_node_is", nobody_hides_where_a_node_is)
}

/// All that joining takes, in the order in which it happens.
async fn join(plane: &Plane, name: &str) {
    let kubelet: Api<Node> = Api::all(plane.kubelet(name).await.client.clone());
    let cloud: Api<Node> = Api::all(plane.client());
    let (params, post) = (PatchParams::default(), PostParams::default());
    let node = json!({
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
        "spec": {"taints": [{"key": TAINT, "value": "true", "effect": "NoSchedule"}]},
    });
    kubelet.create(&post, &serde_json::from_value(node).unwrap()).await.unwrap();
    let ready =
        json!({"status": {"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}]}});
    kubelet.patch_status(name, &params, &Patch::Merge(ready)).await.unwrap();
    // The driver registers before the cloud controller comes by.
    let driver = json!({"metadata": {"labels": {"topology.ebs.csi.aws.com/zone": "eu-central-1b"}}});
    kubelet.patch_status(name, &params, &Patch::Merge(driver)).await.unwrap();
    let labels = json!({
        "metadata": {"labels": {
            "topology.kubernetes.io/region": "eu-central-1", "topology.kubernetes.io/zone": "eu-central-1b",
        }},
        "spec": {"providerID": format!("aws:///eu-central-1b/i-{name}")},
    });
    cloud.patch(name, &params, &Patch::Merge(labels)).await.unwrap();
    let initialized = json!({"spec": {"taints": null}});
    cloud.patch(name, &params, &Patch::Merge(initialized)).await.unwrap();
    let beat = json!({"status": {"nodeInfo": {"kubeletVersion": "v1.36.3"}}});
    kubelet.patch_status(name, &params, &Patch::Merge(beat)).await.unwrap();
}

async fn a_node_joins(plane: &'static Plane) {
    let mut stand = Stand::up(plane, "joining").await;
    let nodes: Api<Node> = Api::all(plane.client());
    join(plane, "joins-first").await;
    stand.serve.kill();
    join(plane, "joins-second").await;
    stand.restart();
    stand.answers().await;
    for node in ["joins-first", "joins-second"] {
        let mut pod = stand.pod(node, "eu-central-1");
        pod["spec"]["schedulerName"] = json!("mine");
        stand.apply(&pod.to_string()).ok();
        stand.bind(node, node, "pods/binding", &json!({})).ok();
        nodes.delete(node, &DeleteParams::default()).await.unwrap();
    }
}

/// Somebody who may write nodes, and holds no verb of ours.
async fn operator(stand: &Stand) -> Identity {
    let role = ["create", "clusterrole", "nodes", "--verb=get,list,update,patch", "--resource=nodes"];
    stand.admin.kubectl(&role);
    let binding = ["create", "clusterrolebinding", "nodes", "--clusterrole=nodes", "--user=operator"];
    stand.admin.kubectl(&binding);
    stand.plane.user("operator", &["system:authenticated"]).await
}

/// A node that turns out to be abroad, under a pod that may not be there, is not brought home by a label.
async fn nobody_hides_where_a_node_is(plane: &'static Plane) {
    let stand = Stand::up(plane, "hiding").await;
    let operator = operator(&stand).await;
    let mut pod = stand.pod("orders", "eu-central-1");
    pod["spec"]["schedulerName"] = json!("mine");
    stand.apply(&pod.to_string()).ok();
    stand.bind("orders", FRANKFURT, "bindings", &json!({})).ok();
    let abroad = format!("{RESTRICTED}=US");
    // The truth can be written by whoever may write nodes.
    eventually("the pod is known", async || {
        let said = operator.kubectl(&["label", "node", FRANKFURT, &abroad, "--dry-run=server"]);
        said.stderr.contains("orders").then_some(())
    })
    .await;
    let said = operator.kubectl(&["label", "node", FRANKFURT, &abroad]);
    assert_eq!(said.status, 0, "{}", said.stderr);
    let tainted = format!("{TAINT}=true:NoSchedule");
    for change in [
        &["label", "node", FRANKFURT, &format!("{RESTRICTED}-")][..],
        &["label", "--overwrite", "node", FRANKFURT, &format!("{RESTRICTED}=DE")],
        &["taint", "node", FRANKFURT, &tainted],
    ] {
        let refused = operator.kubectl(change).refused();
        assert!(refused.contains("relocate on residencypolicies/eu-personal"), "{change:?}: {refused}");
    }
    // Nothing of ours is on the other one.
    let said = operator.kubectl(&["taint", "node", VIRGINIA, &tainted]);
    assert_eq!(said.status, 0, "{}", said.stderr);
    for kind in ["clusterrole", "clusterrolebinding"] {
        stand.admin.kubectl(&["delete", kind, "nodes"]).ok();
    }
}
