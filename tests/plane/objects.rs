//! What nearly every test needs in the cluster, and how to wait for what the cluster does by itself.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{Namespace, Node, Pod, ServiceAccount};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::Plane;

/// How long the cluster may take for what it does by itself; mostly it takes less than a second.
const PATIENCE: Duration = Duration::from_mins(1);

/// Asks again and again until there is an answer. `what` says in the failure what never came.
#[track_caller]
pub(crate) fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut ask: impl FnMut() -> F,
) -> impl Future<Output = T> {
    let until = Instant::now() + PATIENCE;
    let caller = std::panic::Location::caller();
    async move {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            assert!(Instant::now() < until, "{caller}: not within {} s: {what}", PATIENCE.as_secs());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Plane {
    /// A new namespace, whose name starts with `prefix`, with its default ServiceAccount.
    pub(crate) async fn namespace(&self, prefix: &str) -> String {
        let manifest = json!({"metadata": {"generateName": format!("{prefix}-")}});
        let namespaces: Api<Namespace> = Api::all(self.client());
        let namespace = serde_json::from_value(manifest).unwrap();
        let name =
            namespaces.create(&PostParams::default(), &namespace).await.unwrap().metadata.name.unwrap();
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client(), &name);
        eventually("the default ServiceAccount", async || accounts.get_opt("default").await.unwrap()).await;
        name
    }

    /// A node that is ready, with these labels and no taint. Its kubelet is imagined. Nodes are seen by every test:
    /// give it a label that nobody else has, and the pods a selector for it.
    pub(crate) async fn node(&self, name: &str, labels: Value) -> Node {
        let room = json!({"cpu": "64", "memory": "256Gi", "pods": "1000"});
        let manifest = json!({
            "metadata": {"name": name, "labels": labels},
            "status": {
                "capacity": room,
                "allocatable": room,
                "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
            },
        });
        let nodes: Api<Node> = Api::all(self.client());
        nodes.create(&PostParams::default(), &serde_json::from_value(manifest).unwrap()).await.unwrap();
        // Admission taints every new node as not ready, and the controller that would remove that is off.
        let untainted = Patch::Merge(json!({"spec": {"taints": null}}));
        nodes.patch(name, &PatchParams::default(), &untainted).await.unwrap()
    }

    /// Creates an object from its manifest as the administrator.
    pub(crate) async fn create<K>(&self, namespace: &str, manifest: Value) -> K
    where
        K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
        K: Clone + std::fmt::Debug + DeserializeOwned + serde::Serialize,
    {
        let api: Api<K> = Api::namespaced(self.client(), namespace);
        api.create(&PostParams::default(), &serde_json::from_value(manifest).unwrap()).await.unwrap()
    }

    /// Waits until the scheduler has bound a pod, and says to which node.
    pub(crate) async fn scheduled(&self, namespace: &str, pod: &str) -> String {
        let pods: Api<Pod> = Api::namespaced(self.client(), namespace);
        eventually(&format!("pod {namespace}/{pod} is bound"), async || {
            pods.get(pod).await.unwrap().spec.unwrap().node_name
        })
        .await
    }
}
