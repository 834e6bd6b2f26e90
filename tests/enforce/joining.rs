//! Nodes that join, as a kubelet, a CSI driver and a cloud controller have it.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::plane::{Identity, Plane, Trials, eventually};
use crate::stand::{FRANKFURT, KEY, Stand, VIRGINIA};

const TAINT: &str = "node.cloudprovider.kubernetes.io/uninitialized";
const RESTRICTED: &str = "domicile.dev.node-restriction.kubernetes.io/jurisdiction";

pub(crate) fn trials() -> Trials {
    Trials::of("joining")
        .alone("a_node_joins_also_while_nobody_answers", a_node_joins)
        .alone("nobody_hides_where_a_node_is", nobody_hides_where_a_node_is)
        .alone("what_a_node_breaks_that_joins_is_told_of_it_once", what_a_node_breaks)
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
    let abroad =
        json!({"topology.kubernetes.io/region": "us-east-1", "topology.kubernetes.io/zone": "us-east-1a"});
    let strangers = [("joins-nowhere", json!({})), ("joins-abroad", abroad)];
    for (name, labels) in &strangers {
        let kubelet: Api<Node> = Api::all(plane.kubelet(name).await.client.clone());
        let node = json!({"metadata": {"name": name, "labels": labels}});
        kubelet.create(&PostParams::default(), &serde_json::from_value(node).unwrap()).await.unwrap();
    }
    stand.restart();
    stand.answers().await;
    for node in ["joins-first", "joins-second"] {
        let mut pod = stand.pod(node, "eu-central-1");
        pod["spec"]["schedulerName"] = json!("mine");
        stand.apply(&pod.to_string()).ok();
        for (stranger, _) in &strangers {
            let refused = stand.bind(node, stranger, "pods/binding", &json!({})).refused();
            assert!(refused.contains("policy eu-personal: ") && refused.contains(stranger), "{refused}");
        }
        stand.bind(node, node, "pods/binding", &json!({})).ok();
        nodes.delete(node, &DeleteParams::default()).await.unwrap();
    }
    for (stranger, _) in strangers {
        nodes.delete(stranger, &DeleteParams::default()).await.unwrap();
    }
}

/// Selects nothing but what [`of_pool`] makes, whatever other tests have left.
const POLICY: &str = "
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: eu-pool}
spec: {classifications: [pool], allow: [{jurisdictions: [EEA]}]}
";

/// A Deployment that goes to the nodes of a pool, wherever those are.
fn of_pool(stand: &Stand, name: &str) -> Value {
    let pod = stand.pod(name, "");
    let labels = json!({"app": name});
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": stand.namespace},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": {
            "metadata": {"labels": labels, "annotations": {KEY: "pool"}},
            "spec": {"nodeSelector": {"pool": "shop"}, "containers": pod["spec"]["containers"]},
        }},
    })
}

/// The events about a node that say that something breaks a policy because of it.
fn about(stand: &Stand, node: &str) -> Vec<Value> {
    let all = ["get", "events.v1.events.k8s.io", "-n", "default", "-o", "json"];
    let all = stand.admin.kubectl(&all).json();
    let is_one = |event: &&Value| {
        event["reason"] == "ResidencyViolation"
            && event["regarding"]["kind"] == "Node"
            && event["regarding"]["name"] == node
    };
    all["items"].as_array().unwrap().iter().filter(is_one).cloned().collect()
}

/// A kubelet brings a node in a pool whose workloads are only observed to be where they may be.
async fn what_a_node_breaks(plane: &'static Plane) {
    let stand = Stand::up(plane, "breaking").await;
    stand.apply(POLICY).ok();
    stand.admin.kubectl(&["label", "node", FRANKFURT, "pool=shop"]).ok();
    eventually("the policy is in force", async || {
        let mut abroad = of_pool(&stand, "probe");
        abroad["spec"]["template"]["spec"]["nodeSelector"] = json!({"kubernetes.io/hostname": VIRGINIA});
        let said =
            stand.admin.kubectl_reading(&["create", "--dry-run=server", "-f", "-"], &abroad.to_string());
        said.stderr.contains("policy eu-pool").then_some(())
    })
    .await;
    eventually("both are admitted, since the only node of their pool is in Germany", async || {
        let said = ["web", "api"].map(|name| stand.apply(&of_pool(&stand, name).to_string()).status);
        (said == [0, 0]).then_some(())
    })
    .await;
    eventually("both are known", async || {
        let policy = stand.admin.kubectl(&["get", "respol", "eu-pool", "-o", "json"]).json();
        let counts = &policy["status"]["compliance"];
        (counts["checked"] == 2 && counts["violating"] == 0).then_some(())
    })
    .await;
    let kubelet: Api<Node> = Api::all(plane.kubelet("late").await.client.clone());
    let late = json!({
        "metadata": {"name": "late", "labels": {
            "kubernetes.io/hostname": "late", "pool": "shop",
            "topology.kubernetes.io/region": "us-east-1", "topology.kubernetes.io/zone": "us-east-1b",
        }},
        "spec": {"providerID": "aws:///us-east-1b/i-late"},
    });
    let begun = Instant::now();
    kubelet.create(&PostParams::default(), &serde_json::from_value(late).unwrap()).await.unwrap();
    println!("the node was registered within {} ms", begun.elapsed().as_millis());
    let told = eventually("it is told of the node", async || about(&stand, "late").first().cloned()).await;
    println!("what it breaks was told of it within {} ms", begun.elapsed().as_millis());
    let note = told["note"].as_str().unwrap();
    let expected = format!(
        "2 Deployments in 1 namespace break policy eu-pool from now on because of this node (us-east-1b, US); first: \
         Deployment {}/api",
        stand.namespace
    );
    assert_eq!((note, &told["type"]), (expected.as_str(), &json!("Warning")), "{told}");
    assert_eq!(told["related"]["name"], "eu-pool", "{told}");
    let nodes: Api<Node> = Api::all(plane.client());
    let uid = nodes.get("late").await.unwrap().metadata.uid;
    assert_eq!(told["regarding"]["uid"].as_str(), uid.as_deref(), "{told}");
    assert!(stand.metrics().contains("domicile_nodes_broke_policies_total 1"), "{}", stand.metrics());
    // What changes on it afterwards, and a beat, are no news.
    stand.admin.kubectl(&["label", "node", "late", "colour=red"]).ok();
    let beat = json!({"status": {"nodeInfo": {"kubeletVersion": "v1.36.3"}}});
    kubelet.patch_status("late", &PatchParams::default(), &Patch::Merge(beat)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let again = about(&stand, "late");
    assert!(again.len() == 1 && again[0]["series"].is_null(), "{again:?}");
    nodes.delete("late", &DeleteParams::default()).await.unwrap();
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
