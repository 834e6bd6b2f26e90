//! What nodes say of where they are, and when they say it.

use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::{Value, json};

use crate::audit::events;
use crate::plane::{Plane, Said, Trials, eventually};
use crate::refusals::workload;
use crate::stand::{FRANKFURT, KEY, Stand, VIRGINIA, node};

const REGION: &str = "topology.kubernetes.io/region";
const ZONE: &str = "topology.kubernetes.io/zone";
const TAINT: &str = "node.cloudprovider.kubernetes.io/uninitialized";

pub(crate) fn trials() -> Trials {
    Trials::of("places")
        .alone("what_nodes_say_of_themselves_is_held_against_itself", what_nodes_say)
        .alone("a_daemon_sets_pod_for_a_forbidden_node", a_daemon_set)
}

async fn what_nodes_say(plane: &'static Plane) {
    let stand = Stand::up(plane, "nowhere").await;
    nowhere(&stand).await;
    a_name(&stand).await;
}

/// A pod that may be bound by hand alone.
fn unscheduled(stand: &Stand, name: &str) -> Value {
    let mut pod = stand.pod(name, "");
    pod["spec"]["schedulerName"] = json!("mine");
    pod["spec"]["nodeSelector"] = json!({REGION: "eu-central-1"});
    pod
}

#[track_caller]
fn refused(said: Said, why: &str) {
    let said = said.refused();
    assert!(said.contains("bindings.domicile.dev\" denied the request"), "{said}");
    assert!(said.contains("policy eu-personal: ") && said.contains(why), "{said}");
}

/// Each is registered by its kubelet, which says of it what it likes.
async fn nowhere(stand: &Stand) {
    stand.apply(&unscheduled(stand, "orders").to_string()).ok();
    let all: Api<Node> = Api::all(stand.plane.client());
    let home = json!({REGION: "eu-central-1", ZONE: "eu-central-1a"});
    let and = |key: &str, value: &str| {
        let mut labels = home.clone();
        labels[key] = json!(value);
        labels
    };
    let unknown = "location unknown";
    let away = "aws:///us-east-1a/i-lies";
    let initialising = json!([{"key": TAINT, "value": "true", "effect": "NoSchedule"}]);
    for (name, labels, id, taints, place) in [
        ("lies-by-id", home.clone(), away, json!([]), unknown),
        ("lies-by-region", and(REGION, "us-east-1"), "aws:///eu-central-1a/i-lies", json!([]), unknown),
        ("lies-by-driver", and("topology.ebs.csi.aws.com/zone", "us-east-1a"), "", json!([]), unknown),
        (
            "lies-by-beta",
            and("failure-domain.beta.kubernetes.io/region", "us-east-1"),
            "",
            json!([]),
            unknown,
        ),
        ("says-nothing", json!({}), "", json!([]), unknown),
        ("says-nothing-yet", json!({}), "", initialising.clone(), unknown),
        // What is known of one that is still to be initialised counts.
        ("says-away", json!({REGION: "us-east-1", ZONE: "us-east-1a"}), away, initialising, "us-east-1a, US"),
    ] {
        let kubelet: Api<Node> = Api::all(stand.plane.kubelet(name).await.client.clone());
        let mut node = json!({
            "metadata": {"name": name, "labels": labels}, "spec": {"taints": taints},
        });
        if !id.is_empty() {
            node["spec"]["providerID"] = json!(id);
        }
        kubelet.create(&PostParams::default(), &serde_json::from_value(node).unwrap()).await.unwrap();
        for resource in ["pods/binding", "bindings"] {
            refused(stand.bind("orders", name, resource, &json!({})), &format!("node {name} ({place})"));
        }
        let mut there = stand.pod("there", "");
        there["spec"]["nodeName"] = json!(name);
        let said = stand.apply(&there.to_string()).refused();
        assert!(said.contains("policy eu-personal: ") && said.contains(name), "{said}");
        all.delete(name, &DeleteParams::default()).await.unwrap();
    }
    stand.bind("orders", FRANKFURT, "bindings", &json!({})).ok();
}

/// A node that is at home goes, and another takes its name that is abroad.
async fn a_name(stand: &Stand) {
    for number in 0..5 {
        let (away, home) = (format!("away-{number}"), format!("home-{number}"));
        for name in [&away, &home] {
            stand.apply(&unscheduled(stand, name).to_string()).ok();
        }
        node(stand.plane, "anew", "us-east-1", "us-east-1a").await;
        refused(stand.bind(&away, "anew", "pods/binding", &json!({})), "us-east-1a, US");
        node(stand.plane, "anew", "eu-central-1", "eu-central-1a").await;
        stand.bind(&home, "anew", "pods/binding", &json!({})).ok();
    }
    stand.admin.kubectl(&["delete", "node", "anew"]).ok();
}

/// It was written before its data was classified, and makes a pod for every node that comes.
async fn a_daemon_set(plane: &'static Plane) {
    let stand = Stand::up(plane, "daemons").await;
    let mut set = workload("apps/v1", "DaemonSet", "agent", "x");
    set["spec"]["template"]["metadata"]["annotations"] = json!({});
    set["spec"]["template"]["spec"]["nodeSelector"] = json!({"pool": "agents"});
    stand.apply(&set.to_string()).ok();
    stand.admin.kubectl(&["annotate", "namespace", &stand.namespace, &format!("{KEY}=personal")]).ok();
    for name in [FRANKFURT, VIRGINIA] {
        stand.admin.kubectl(&["label", "node", name, "pool=agents"]).ok();
    }
    let (_, policy, event) = eventually("it is told of", async || {
        events(&stand, "ResidencyDenied").into_iter().find(|(about, _, _)| about == "agent")
    })
    .await;
    assert_eq!(
        (policy.as_str(), &event["regarding"]["kind"]),
        ("eu-personal", &json!("DaemonSet")),
        "{event}"
    );
    assert!(event["note"].to_string().contains(VIRGINIA), "{event}");
    let failed = eventually("its controller tells it too", async || {
        events(&stand, "FailedCreate").into_iter().find(|(about, _, _)| about == "agent")
    })
    .await;
    assert!(failed.2["note"].to_string().contains("policy eu-personal: "), "{}", failed.2);
    // It has its pod at home, and no other.
    let pods = ["get", "pods", "-l", "app=agent", "-n", &stand.namespace, "-o", "json"];
    let pods = eventually("the pod at home is bound", async || {
        let pods = stand.admin.kubectl(&pods).json()["items"].clone();
        pods[0]["spec"]["nodeName"].is_string().then_some(pods)
    })
    .await;
    assert_eq!(pods.as_array().map(Vec::len), Some(1), "{pods}");
    assert_eq!(pods[0]["spec"]["nodeName"], FRANKFURT);
}
