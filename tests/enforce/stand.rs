//! Domicile installed and serving, over a cluster with a node in Germany and one in the United States.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::controller::{self, Ports};
use crate::installed::{NAMESPACE, Release};
use crate::plane::{Identity, Plane, Process, Said, eventually};

pub(crate) const KEY: &str = "domicile.dev/data-classification";
pub(crate) const FRANKFURT: &str = "frankfurt";
pub(crate) const VIRGINIA: &str = "virginia";

const POLICY: &str = "
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: eu-personal}
spec: {classifications: [personal], allow: [{jurisdictions: [EEA]}]}
";

/// A release with its controller. Both go when it is dropped.
pub(crate) struct Stand {
    pub(crate) plane: &'static Plane,
    pub(crate) admin: &'static Identity,
    pub(crate) namespace: String,
    pub(crate) serve: Process,
    command: Command,
    kubeconfig: PathBuf,
    metrics: u16,
    _release: Release<'static>,
}

impl Stand {
    /// Everything there and ready, with a namespace for the test.
    pub(crate) async fn up(plane: &'static Plane, name: &str) -> Self {
        Self::with(plane, name, &[]).await
    }

    /// As [`Self::up`], with more that Helm is told.
    pub(crate) async fn with(plane: &'static Plane, name: &str, settings: &[&str]) -> Self {
        let admin = plane.admin();
        node(plane, FRANKFURT, "eu-central-1", "eu-central-1a").await;
        node(plane, VIRGINIA, "us-east-1", "us-east-1a").await;
        let namespace = plane.namespace(name).await;
        let ports = Ports::free();
        let release = Release::install(admin, &[&["--set", &ports.setting()], settings].concat());
        let account = plane.service_account(NAMESPACE, "domicile").await;
        let command = controller::command(&account.kubeconfig, NAMESPACE, ports);
        let serve = Process::spawn("domicile", &command, &plane.folder().join("domicile.log"));
        let (kubeconfig, metrics) = (account.kubeconfig, ports.metrics);
        let stand = Self { plane, admin, namespace, serve, command, kubeconfig, metrics, _release: release };
        stand.answers().await;
        stand.apply(POLICY).ok();
        // The policy is in force once the watch has brought it.
        eventually("the policy is in force", async || {
            let probe = stand.pod("probe", "us-east-1").to_string();
            let said = stand.admin.kubectl_reading(&["create", "--dry-run=server", "-f", "-"], &probe);
            said.stderr.contains("policy eu-personal").then_some(())
        })
        .await;
        stand
    }

    /// Waits until Domicile answers the API server.
    pub(crate) async fn answers(&self) {
        eventually("Domicile answers", async || {
            let mut bad = self.pod("bad", "eu-central-1");
            bad["metadata"]["annotations"][KEY] = json!("Not A Label");
            let said =
                self.admin.kubectl_reading(&["create", "--dry-run=server", "-f", "-"], &bad.to_string());
            said.stderr.contains("is no classification").then_some(())
        })
        .await;
    }

    /// Starts the controller again, as it was.
    pub(crate) fn restart(&mut self) {
        self.serve = Process::spawn("domicile", &self.command, &self.plane.folder().join("domicile.log"));
    }

    /// Starts it again, set otherwise: as the chart's values set a replica that runs in the cluster.
    pub(crate) async fn restart_with(&mut self, settings: &[&str]) {
        self.serve.kill();
        self.command.args(settings);
        self.restart();
        self.answers().await;
    }

    /// Starts a second replica, which the API server does not ask, and gives the port of its metrics.
    pub(crate) fn second(&self) -> (Process, u16) {
        let ports = Ports::free();
        let command = controller::command(&self.kubeconfig, NAMESPACE, ports);
        (Process::spawn("second", &command, &self.plane.folder().join("second.log")), ports.metrics)
    }

    /// Takes enforcement off.
    pub(crate) fn off(&self) {
        for kind in ["validatingwebhookconfiguration", "mutatingwebhookconfiguration"] {
            self.admin.kubectl(&["delete", kind, "domicile", "--ignore-not-found"]);
        }
    }

    /// The metrics of the replica that the API server asks.
    pub(crate) fn metrics(&self) -> String {
        metrics(self.metrics)
    }

    pub(crate) fn apply(&self, manifest: &str) -> Said {
        self.admin.kubectl_reading(&["apply", "-n", &self.namespace, "-f", "-"], manifest)
    }

    /// A pod with personal data that asks for a region; empty for any.
    pub(crate) fn pod(&self, name: &str, region: &str) -> Value {
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": self.namespace, "annotations": {KEY: "personal"}},
            "spec": {"containers": [{"name": "app", "image": "none"}]},
        });
        if !region.is_empty() {
            pod["spec"]["nodeSelector"] = json!({"topology.kubernetes.io/region": region});
        }
        pod
    }

    /// Posts a binding past the scheduler, to one of the two resources that bind.
    pub(crate) fn bind(&self, pod: &str, node: &str, resource: &str, metadata: &Value) -> Said {
        self.bind_as(self.admin, pod, node, resource, metadata)
    }

    /// As somebody else would.
    pub(crate) fn bind_as(
        &self,
        who: &Identity,
        pod: &str,
        node: &str,
        resource: &str,
        metadata: &Value,
    ) -> Said {
        let path = match resource {
            "bindings" => format!("/api/v1/namespaces/{}/bindings", self.namespace),
            _ => format!("/api/v1/namespaces/{}/pods/{pod}/binding", self.namespace),
        };
        let mut binding = json!({
            "apiVersion": "v1", "kind": "Binding", "metadata": metadata,
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        });
        binding["metadata"]["name"] = json!(pod);
        binding["metadata"]["namespace"] = json!(self.namespace);
        who.kubectl_reading(&["create", "--raw", &path, "-f", "-"], &binding.to_string())
    }

    /// Where a pod is, if it is anywhere.
    pub(crate) fn node_of(&self, pod: &str) -> String {
        self.admin
            .kubectl(&["get", "pod", pod, "-n", &self.namespace, "-o", "jsonpath={.spec.nodeName}"])
            .ok()
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.serve.stop(Duration::from_secs(10));
        // While nobody answers, only what is not asked about can be taken away.
        self.off();
        // Without kubelets, pods that are bound would stay, and be in violation once their node is gone.
        let pods = format!("/api/v1/namespaces/{}/pods?gracePeriodSeconds=0", self.namespace);
        self.admin.kubectl(&["delete", "--raw", &pods]);
        self.admin.kubectl(&["delete", "namespace", &self.namespace, "--wait=false", "--ignore-not-found"]);
        for name in [FRANKFURT, VIRGINIA] {
            self.admin.kubectl(&["delete", "node", name, "--ignore-not-found"]);
        }
    }
}

/// What a replica says of itself; nothing while it does not listen.
pub(crate) fn metrics(port: u16) -> String {
    let read = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    read().unwrap_or_default()
}

/// A node of AWS. It is there before the chart, as most are.
pub(crate) async fn node(plane: &Plane, name: &str, region: &str, zone: &str) {
    let nodes: Api<Node> = Api::all(plane.client());
    if nodes.get_opt(name).await.unwrap().is_some() {
        nodes.delete(name, &DeleteParams::default()).await.unwrap();
    }
    let labels = json!({
        "kubernetes.io/hostname": name,
        "topology.kubernetes.io/region": region, "topology.kubernetes.io/zone": zone,
    });
    plane.node(name, labels).await;
    let id = json!({"spec": {"providerID": format!("aws:///{zone}/i-{name}")}});
    nodes.patch(name, &PatchParams::default(), &Patch::Merge(id)).await.unwrap();
}
