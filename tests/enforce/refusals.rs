//! What people see: who is refused, in which words, and who is not.

use serde_json::{Value, json};

use crate::plane::{Plane, Trials, eventually};
use crate::stand::{FRANKFURT, KEY, Stand};

pub(crate) fn trials() -> Trials {
    Trials::of("refusals")
        .alone("every_workload_is_judged", every_workload_is_judged)
        .alone("events_tell_without_a_storm", events_tell_without_a_storm)
        .alone("confine_puts_pods_inside", confine_puts_pods_inside)
}

const WORKLOADS: [(&str, &str); 7] = [
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "ReplicaSet"),
    ("v1", "ReplicationController"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
];

pub(crate) fn workload(api_version: &str, kind: &str, name: &str, region: &str) -> Value {
    let labels = json!({"app": name});
    let restart = if matches!(kind, "Job" | "CronJob") { "Never" } else { "Always" };
    let template = json!({
        "metadata": {"labels": labels, "annotations": {KEY: "personal"}},
        "spec": {
            "nodeSelector": {"topology.kubernetes.io/region": region},
            "restartPolicy": restart, "containers": [{"name": "app", "image": "none"}],
        },
    });
    let spec = match kind {
        "CronJob" => json!({"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": template}}}),
        "Job" => json!({"template": template}),
        "ReplicationController" => json!({"selector": labels, "template": template}),
        "StatefulSet" => {
            json!({"serviceName": name, "selector": {"matchLabels": labels}, "template": template})
        }
        _ => json!({"selector": {"matchLabels": labels}, "template": template}),
    };
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

async fn every_workload_is_judged(plane: &'static Plane) {
    let stand = Stand::up(plane, "workloads").await;
    for (api_version, kind) in WORKLOADS {
        let name = kind.to_lowercase();
        let refused = stand.apply(&workload(api_version, kind, &name, "us-east-1").to_string()).refused();
        assert!(refused.contains("policy eu-personal: "), "{kind}: {refused}");
        if kind == "Deployment" {
            let told = refused.replace(&stand.namespace, "NAMESPACE");
            insta::assert_snapshot!("a_deployment_is_refused", told);
        }
        stand.apply(&workload(api_version, kind, &name, "eu-central-1").to_string()).ok();
    }
    let pods = eventually("the pods of the Deployment are bound", async || {
        let arguments = ["get", "pods", "-l", "app=deployment", "-n", &stand.namespace, "-o", "json"];
        let pods = stand.admin.kubectl(&arguments).json();
        let node = pods["items"][0]["spec"]["nodeName"].as_str().map(str::to_owned);
        node.filter(|node| !node.is_empty())
    })
    .await;
    assert_eq!(pods, FRANKFURT);
}

async fn events_tell_without_a_storm(plane: &'static Plane) {
    let stand = Stand::up(plane, "events").await;
    // The template is admitted before the classification of the namespace, and its pods are refused after it.
    let mut deployment = workload("apps/v1", "Deployment", "shop", "us-east-1");
    deployment["spec"]["template"]["metadata"]["annotations"] = json!({});
    deployment["spec"]["replicas"] = json!(0);
    stand.apply(&deployment.to_string()).ok();
    let classified = format!("{KEY}=personal");
    stand.admin.kubectl(&["annotate", "namespace", &stand.namespace, &classified]).ok();
    let scale = ["scale", "deployment", "shop", "--replicas=2", "-n", &stand.namespace];
    stand.admin.kubectl(&scale).ok();
    let events = || {
        let arguments = ["get", "events.v1.events.k8s.io", "-n", &stand.namespace, "-o", "json"];
        let all = stand.admin.kubectl(&arguments).json();
        let ours = all["items"].as_array().unwrap().iter();
        // What watches over what exists tells of the Deployment too.
        ours.filter(|event| event["reason"] == "ResidencyDenied").cloned().collect::<Vec<_>>()
    };
    let first = eventually("an event", async || events().first().cloned()).await;
    assert_eq!((&first["reason"], &first["type"]), (&json!("ResidencyDenied"), &json!("Warning")), "{first}");
    assert_eq!(first["regarding"]["kind"], "ReplicaSet", "{first}");
    assert_eq!(first["related"]["name"], "eu-personal");
    assert!(first["note"].as_str().unwrap().contains("policy eu-personal"), "{first}");
    // A ReplicaSet tries again all the time, ever more slowly.
    tokio::time::sleep(std::time::Duration::from_mins(1)).await;
    let later = events();
    assert!(later.len() <= 2, "{} events of one ReplicaSet: {later:#?}", later.len());
}

async fn confine_puts_pods_inside(plane: &'static Plane) {
    let stand = Stand::up(plane, "confine").await;
    let confine = "
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: confined}
spec: {classifications: [health], remedy: Confine, allow: [{jurisdictions: [EEA]}]}
";
    stand.apply(confine).ok();
    let mut deployment = workload("apps/v1", "Deployment", "clinic", "x");
    deployment["spec"]["template"]["metadata"]["annotations"] = json!({KEY: "health"});
    deployment["spec"]["template"]["spec"]["nodeSelector"] = json!({});
    eventually("the policy is in force", async || {
        let mut pod = stand.pod("probe", "");
        pod["metadata"]["annotations"][KEY] = json!("health");
        let arguments = ["create", "--dry-run=server", "-o", "json", "-f", "-"];
        let made = stand.admin.kubectl_reading(&arguments, &pod.to_string());
        made.stdout.contains("nodeAffinity").then_some(())
    })
    .await;
    stand.apply(&deployment.to_string()).ok();
    let stored = ["get", "deployment", "clinic", "-n", &stand.namespace, "-o", "json"];
    let stored = stand.admin.kubectl(&stored).json();
    assert!(stored["spec"]["template"]["spec"]["affinity"].is_null(), "{stored}");
    let pod = eventually("a pod that is bound", async || {
        let arguments = ["get", "pods", "-l", "app=clinic", "-n", &stand.namespace, "-o", "json"];
        let pod = stand.admin.kubectl(&arguments).json()["items"][0].clone();
        pod["spec"]["nodeName"].as_str().is_some_and(|node| !node.is_empty()).then_some(pod)
    })
    .await;
    assert_eq!(pod["spec"]["nodeName"], FRANKFURT);
    let required = &pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    assert!(required.to_string().contains("topology.kubernetes.io/region"), "{pod}");
    // It is applied again and again, and nothing is in the way. One that is written for abroad cannot be put inside.
    let generation =
        ["get", "deployment", "clinic", "-o", "jsonpath={.metadata.generation}", "-n", &stand.namespace];
    let before = stand.admin.kubectl(&generation).ok();
    for _ in 0..2 {
        stand.apply(&deployment.to_string()).ok();
        assert_eq!(stand.admin.kubectl(&generation).ok(), before, "it drifts");
    }
    let mut abroad = stand.pod("abroad", "us-east-1");
    abroad["metadata"]["annotations"][KEY] = json!("health");
    let refused = stand.apply(&abroad.to_string()).refused();
    assert!(refused.contains("policy confined: "), "{refused}");
}
