//! The control plane is the real thing: what later rooms build on is proven here, without Domicile.

use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod, Secret};
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::plane::{Component, Plane, Trials, eventually, pinned};

pub(crate) fn trials() -> Trials {
    Trials::of("real")
        .test("versions_are_as_pinned", versions_are_as_pinned)
        .test("a_pod_is_scheduled_to_a_node_with_its_label", a_pod_is_scheduled)
        .test("a_deployment_makes_pods", a_deployment_makes_pods)
        .test("a_bare_service_account_may_nothing", a_bare_service_account_may_nothing)
        .test("a_kubelet_changes_its_own_node_alone", a_kubelet_changes_its_own_node_alone)
        .test("a_user_is_who_the_api_server_sees", a_user_is_who_the_api_server_sees)
        .test("helm_answers_from_the_cluster", helm_answers_from_the_cluster)
        .test("writes_are_in_the_audit_log", writes_are_in_the_audit_log)
        .alone("every_component_recovers", every_component_recovers)
}

fn pod(name: &str, selector: &Value) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"nodeSelector": selector, "containers": [{"name": "main", "image": "example.invalid/none"}]},
    })
}

fn configmap(name: &str) -> Value {
    json!({"metadata": {"name": name}})
}

async fn versions_are_as_pinned(plane: &'static Plane) {
    // Programs from elsewhere have what versions they have.
    if std::env::var_os("KUBEBUILDER_ASSETS").is_some() {
        return;
    }
    let kubernetes = pinned("k8s.io/kubernetes");
    assert_eq!(plane.client().apiserver_version().await.unwrap().git_version, kubernetes);
    let said = plane.admin().kubectl(&["version", "-o", "json"]).json();
    assert_eq!(said["clientVersion"]["gitVersion"], kubernetes);
    assert_eq!(said["serverVersion"]["gitVersion"], kubernetes);
    let helm = plane.admin().helm(&["version", "--template", "{{.Version}}"]).ok();
    assert_eq!(helm, pinned("helm.sh/helm/v4"));
}

async fn a_pod_is_scheduled(plane: &'static Plane) {
    let namespace = plane.namespace("scheduled").await;
    let labels = json!({"example.com/place": "scheduled"});
    let waiting: Pod = plane.create(&namespace, pod("web", &labels)).await;
    assert_eq!(waiting.spec.unwrap().node_name, None);
    let pods: Api<Pod> = Api::namespaced(plane.client(), &namespace);
    eventually("the scheduler says that no node fits", async || {
        let conditions = pods.get("web").await.unwrap().status?.conditions?;
        conditions
            .into_iter()
            .find(|c| c.type_ == "PodScheduled" && c.reason.as_deref() == Some("Unschedulable"))
    })
    .await;
    plane.node("scheduled-1", labels).await;
    assert_eq!(plane.scheduled(&namespace, "web").await, "scheduled-1");
}

async fn a_deployment_makes_pods(plane: &'static Plane) {
    let namespace = plane.namespace("deployment").await;
    let labels = json!({"example.com/place": "deployment"});
    plane.node("deployment-1", labels.clone()).await;
    let mut template = pod("web", &labels);
    template["metadata"].as_object_mut().unwrap().remove("name");
    let spec = json!({"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": template});
    let _: Deployment = plane.create(&namespace, json!({"metadata": {"name": "web"}, "spec": spec})).await;
    let pods: Api<Pod> = Api::namespaced(plane.client(), &namespace);
    let bound = eventually("three pods are bound", async || {
        let bound: Vec<Pod> = pods.list(&ListParams::default()).await.unwrap().items;
        let done = bound.iter().filter(|pod| pod.spec.as_ref().unwrap().node_name.is_some()).count() == 3;
        done.then_some(bound)
    })
    .await;
    assert!(bound.iter().all(|pod| pod.metadata.owner_references.as_ref().unwrap()[0].kind == "ReplicaSet"));
}

async fn a_bare_service_account_may_nothing(plane: &'static Plane) {
    let namespace = plane.namespace("bare").await;
    let bare = plane.service_account(&namespace, "default").await;
    let secrets: Api<Secret> = Api::namespaced(bare.client.clone(), &namespace);
    let refusal = secrets.list(&ListParams::default()).await.unwrap_err().to_string();
    let who = format!("User \"system:serviceaccount:{namespace}:default\" cannot list resource \"secrets\"");
    assert!(refusal.contains(&who), "{refusal}");
    let refusal = bare.kubectl(&["get", "nodes"]).refused();
    assert!(refusal.starts_with("Error from server (Forbidden): nodes is forbidden"), "{refusal}");
    let may = bare.kubectl(&["auth", "can-i", "create", "pods", "-n", &namespace]);
    assert_eq!((may.status, may.stdout.as_str()), (1, "no\n"), "{}", may.stderr);
}

async fn a_kubelet_changes_its_own_node_alone(plane: &'static Plane) {
    plane.node("kubelet-1", json!({})).await;
    plane.node("kubelet-2", json!({})).await;
    let nodes: Api<Node> = Api::all(plane.kubelet("kubelet-1").await.client);
    let label = Patch::Merge(json!({"metadata": {"labels": {"topology.kubernetes.io/region": "r1"}}}));
    nodes.patch("kubelet-1", &PatchParams::default(), &label).await.unwrap();
    let refusal = nodes.patch("kubelet-2", &PatchParams::default(), &label).await.unwrap_err().to_string();
    assert!(refusal.contains("kubelet-2"), "{refusal}");
}

async fn a_user_is_who_the_api_server_sees(plane: &'static Plane) {
    let user = plane.user("ada@example.com", &["tenants", "auditors"]).await;
    let who = user.kubectl(&["auth", "whoami", "-o", "json"]).json();
    let who = &who["status"]["userInfo"];
    assert_eq!(who["username"], "ada@example.com");
    assert_eq!(who["groups"], json!(["tenants", "auditors", "system:authenticated"]));
}

async fn helm_answers_from_the_cluster(plane: &'static Plane) {
    let namespace = plane.namespace("helm").await;
    let releases = plane.admin().helm(&["list", "-n", &namespace, "-o", "json"]).json();
    assert_eq!(releases, json!([]));
}

async fn writes_are_in_the_audit_log(plane: &'static Plane) {
    let namespace = plane.namespace("audit").await;
    let _: ConfigMap = plane.create(&namespace, configmap("noted")).await;
    let event = eventually("the write is in the audit log", async || {
        let here = |event: &Value| event["objectRef"]["namespace"] == json!(namespace);
        plane.audit().into_iter().find(|event| here(event) && event["objectRef"]["name"] == "noted")
    })
    .await;
    assert_eq!((&event["verb"], &event["user"]["username"]), (&json!("create"), &json!("administrator")));
}

async fn every_component_recovers(plane: &'static Plane) {
    let namespace = plane.namespace("recovers").await;
    let labels = json!({"example.com/place": "recovers"});
    plane.node("recovers-1", labels.clone()).await;

    plane.stop(Component::Etcd);
    let configmaps: Api<ConfigMap> = Api::namespaced(plane.client(), &namespace);
    let away = serde_json::from_value(configmap("away")).unwrap();
    // The API server itself would wait for half a minute before it gave up.
    let write = async { configmaps.create(&PostParams::default(), &away).await };
    let written = tokio::time::timeout(Duration::from_secs(2), write).await;
    assert!(!matches!(written, Ok(Ok(_))), "written without etcd");
    plane.restart(Component::Etcd).await;
    plane.ready(Component::ApiServer).await;
    let _: Pod = plane.create(&namespace, pod("after-etcd", &labels)).await;
    assert_eq!(plane.scheduled(&namespace, "after-etcd").await, "recovers-1");

    plane.stop(Component::Scheduler);
    let _: Pod = plane.create(&namespace, pod("after-scheduler", &labels)).await;
    plane.restart(Component::Scheduler).await;
    assert_eq!(plane.scheduled(&namespace, "after-scheduler").await, "recovers-1");

    plane.kill(Component::ControllerManager);
    plane.restart(Component::ControllerManager).await;
    plane.kill(Component::ApiServer);
    plane.restart(Component::ApiServer).await;
    // Which takes the controller manager, for the ServiceAccount, and the scheduler: all found back.
    let namespace = plane.namespace("recovered").await;
    let _: Pod = plane.create(&namespace, pod("after-all", &labels)).await;
    assert_eq!(plane.scheduled(&namespace, "after-all").await, "recovers-1");
}
