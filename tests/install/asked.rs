//! What the API server asks about, and what it does not.

use serde_json::json;

use crate::installed::{NAMESPACE, Release};
use crate::plane::{Identity, Plane, Trials, eventually, free_port};

const UNINITIALIZED: &str = "node.cloudprovider.kubernetes.io/uninitialized";
/// That of an autoscaler, which writes labels and takes it off at once.
const UNREGISTERED: &str = "karpenter.sh/unregistered";
const CARRIED: &str = "domicile.dev/data-classification";

pub(crate) fn trials() -> Trials {
    Trials::of("asked").alone("what_can_matter_is_asked_about_and_nothing_else", what_can_matter)
}

/// Nobody answers, so being asked about is being refused, by the entry that asks.
struct Cluster<'a> {
    admin: &'a Identity,
}

impl Cluster<'_> {
    #[track_caller]
    fn goes_through(&self, arguments: &[&str]) {
        let said = self.admin.kubectl(arguments);
        assert_eq!(said.status, 0, "{arguments:?} was held up: {}", said.stderr);
    }

    #[track_caller]
    fn is_asked(&self, entry: &str, arguments: &[&str]) {
        let said = self.admin.kubectl(arguments);
        let words = format!("failed calling webhook \"{entry}.domicile.dev\"");
        assert!(
            said.status != 0 && said.stderr.contains(&words),
            "{arguments:?}: {}{}",
            said.stdout,
            said.stderr
        );
    }

    /// An object made with whatever admission says: none is there yet.
    #[track_caller]
    fn make(&self, manifest: &serde_json::Value) {
        self.admin.kubectl_reading(&["create", "-f", "-"], &manifest.to_string()).ok();
    }

    #[track_caller]
    fn creation_is_asked(&self, entry: &str, manifest: &serde_json::Value) {
        let said = self.admin.kubectl_reading(&["create", "-f", "-"], &manifest.to_string());
        let words = format!("failed calling webhook \"{entry}.domicile.dev\"");
        assert!(said.stderr.contains(&words), "{manifest}: {}{}", said.stdout, said.stderr);
    }
}

fn patch<'a>(what: &[&'a str], change: &'a str) -> Vec<&'a str> {
    [&["patch"], what, &["--type=merge", "-p", change]].concat()
}

fn raw(path: &str) -> Vec<&str> {
    vec!["create", "--raw", path, "-f", "-"]
}

async fn what_can_matter(plane: &'static Plane) {
    let admin = plane.admin();
    let cluster = Cluster { admin };
    let namespace = &plane.namespace("asked").await;
    let ns = ["-n", namespace.as_str()];
    before_the_chart(&cluster, namespace);
    let nobody = format!("webhook.url=https://127.0.0.1:{}", free_port());
    let _release = Release::install(admin, &["--set", &nobody]);
    eventually("the API server asks", async || {
        let run = ["run", "probe", "--image=none", "--dry-run=server", ns[0], ns[1]];
        (admin.kubectl(&run).status != 0).then_some(())
    })
    .await;

    nodes(&cluster);
    registered(&cluster);
    through_subresources(&cluster, namespace);
    bindings(&cluster, namespace);

    // Nothing that changes neither labels nor annotations nor spec.
    cluster.goes_through(&patch(
        &["pod", "pod", ns[0], ns[1]],
        r#"{"metadata":{"finalizers":["example.com/a"]}}"#,
    ));
    cluster.goes_through(&patch(&["pod", "pod", ns[0], ns[1]], r#"{"metadata":{"finalizers":null}}"#));
    cluster.goes_through(&patch(
        &["pvc", "claim", ns[0], ns[1]],
        r#"{"metadata":{"finalizers":["example.com/a"]}}"#,
    ));
    cluster.goes_through(&["scale", "deployment", "deployment", "--replicas=1", ns[0], ns[1]]);
    cluster
        .goes_through(&patch(&["namespace", namespace], r#"{"metadata":{"finalizers":["example.com/a"]}}"#));
    cluster.goes_through(&patch(&["namespace", namespace], r#"{"metadata":{"finalizers":null}}"#));
    cluster.goes_through(&["create", "configmap", "there", ns[0], ns[1]]);
    // What the cluster lives on.
    for spared in ["kube-system", NAMESPACE] {
        cluster.goes_through(&["run", "probe", "--image=none", "--dry-run=server", "-n", spared]);
    }

    // What can matter.
    cluster.is_asked("cluster", &["annotate", "namespace", namespace, "a=b"]);
    cluster.is_asked("cluster", &["create", "namespace", "another"]);
    cluster.is_asked("workloads", &["annotate", "pod", "pod", "a=b", ns[0], ns[1]]);
    cluster.is_asked("workloads", &["set", "image", "deployment/deployment", "c=j", ns[0], ns[1]]);
    cluster.is_asked("volumes", &["annotate", "pvc", "claim", "a=b", ns[0], ns[1]]);
    cluster.is_asked("volumes", &["annotate", "pv", "asked-volume", "a=b"]);
    creations(&cluster, namespace);

    // What nobody may be kept from.
    cluster.make(&json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy",
        "metadata": {"name": "made"}, "spec": {"classifications": ["personal"], "allow": [{"jurisdictions": ["EEA"]}]}}));
    cluster.goes_through(&["delete", "residencypolicy", "made"]);
    cluster.goes_through(&["delete", "pod", "pod", "--force", ns[0], ns[1]]);
    cluster.goes_through(&["delete", "deployment", "deployment", ns[0], ns[1]]);
    cluster.goes_through(&patch(&["pvc", "claim", ns[0], ns[1]], r#"{"metadata":{"finalizers":null}}"#));
    cluster.goes_through(&["delete", "node", "old", "young", "scaled", "joined"]);
    cluster.goes_through(&["delete", "pv", "asked-volume", "--wait=false"]);
    cluster.goes_through(&["delete", "namespace", namespace]);
}

fn before_the_chart(cluster: &Cluster<'_>, namespace: &str) {
    let carries = json!({CARRIED: "personal"});
    let containers = json!([{"name": "c", "image": "i"}]);
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": containers}});

    cluster.make(&json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "old", "labels": {"topology.kubernetes.io/region": "eu-central-1", "empty": ""}},
        "spec": {"providerID": "aws:///eu-central-1a/i-1"}}));
    cluster.make(&json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "young", "labels": {"a": "b", "empty": ""}},
        "spec": {"taints": [{"key": UNINITIALIZED, "value": "true", "effect": "NoSchedule"}]}}));
    cluster.make(&json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": "scaled", "labels": {"a": "b", "topology.kubernetes.io/region": "eu-central-1"}},
        "spec": {"providerID": "aws:///eu-central-1a/i-3",
            "taints": [{"key": UNREGISTERED, "effect": "NoExecute"}]}}));
    let in_namespace = |name: &str| json!({"name": name, "namespace": namespace, "annotations": carries});
    cluster.make(&json!({"apiVersion": "v1", "kind": "Pod", "metadata": in_namespace("pod"),
        "spec": {"containers": containers, "schedulerName": "none"}}));
    cluster.make(
        &json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": in_namespace("claim"),
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}),
    );
    cluster.make(&json!({"apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": "asked-volume", "annotations": carries},
        "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/x"}}}));
    cluster
        .make(&json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": in_namespace("deployment"),
        "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": template}}));
}

fn creations(cluster: &Cluster<'_>, namespace: &str) {
    let containers = json!([{"name": "c", "image": "i"}]);
    let template = json!({"metadata": {"labels": {"a": "b"}}, "spec": {"containers": containers}});
    let made = |api: &str, kind: &str, spec: serde_json::Value| json!({"apiVersion": api, "kind": kind, "metadata": {"name": "made", "namespace": namespace}, "spec": spec});
    let selector = json!({"matchLabels": {"a": "b"}});
    for kind in ["Deployment", "DaemonSet", "ReplicaSet"] {
        let spec = json!({"selector": selector, "template": template});
        cluster.creation_is_asked("workloads", &made("apps/v1", kind, spec));
    }
    let spec = json!({"selector": selector, "template": template, "serviceName": "a"});
    cluster.creation_is_asked("workloads", &made("apps/v1", "StatefulSet", spec));
    let spec = json!({"selector": {"a": "b"}, "template": template});
    cluster.creation_is_asked("workloads", &made("v1", "ReplicationController", spec));
    let mut job = template.clone();
    job["spec"]["restartPolicy"] = json!("Never");
    let job = json!({"template": job});
    cluster.creation_is_asked("workloads", &made("batch/v1", "Job", job.clone()));
    let spec = json!({"schedule": "* * * * *", "jobTemplate": {"spec": job}});
    cluster.creation_is_asked("workloads", &made("batch/v1", "CronJob", spec));
    cluster.creation_is_asked("confine", &made("v1", "Pod", json!({"containers": containers})));
    let claim = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    cluster.creation_is_asked("volumes", &made("v1", "PersistentVolumeClaim", claim.clone()));
    let mut clone = claim;
    clone["dataSource"] = json!({"kind": "PersistentVolumeClaim", "name": "claim"});
    cluster.creation_is_asked("records", &made("v1", "PersistentVolumeClaim", clone));
    let spec =
        json!({"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/x"}});
    cluster.creation_is_asked("records", &made("v1", "PersistentVolume", spec));
    let spec =
        json!({"attacher": "a", "nodeName": "old", "source": {"persistentVolumeName": "asked-volume"}});
    cluster.creation_is_asked("volumes", &made("storage.k8s.io/v1", "VolumeAttachment", spec));
    let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "made"},
        "provisioner": "example.com/a"});
    cluster.creation_is_asked("cluster", &class);
    let exception = json!({"policies": ["a"], "objectSelector": {"matchLabels": {"a": "b"}}, "reason": "b",
        "allow": [{"jurisdictions": ["US"]}], "until": "2999-01-01T00:00:00Z"});
    cluster.creation_is_asked("exceptions", &made("domicile.dev/v1alpha1", "ResidencyException", exception));
}

fn nodes(cluster: &Cluster<'_>) {
    // Heartbeats, taints and annotations say nothing of where it is.
    cluster.goes_through(&["annotate", "node", "old", "a=b"]);
    cluster.goes_through(&["taint", "node", "old", "a=b:NoSchedule"]);
    let beat = r#"{"status":{"conditions":[{"type":"Ready","status":"True"}]}}"#;
    cluster.goes_through(&patch(&["node", "old", "--subresource=status"], beat));
    // It joins, and is initialised.
    cluster.make(&json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "joined"}}));
    let zone = r#"{"metadata":{"labels":{"topology.ebs.csi.aws.com/zone":"eu-central-1a"}}}"#;
    cluster.goes_through(&patch(&["node", "young", "--subresource=status"], zone));
    cluster.goes_through(&["label", "node", "young", "topology.kubernetes.io/region=eu-central-1"]);
    let identity = r#"{"spec":{"providerID":"aws:///eu-central-1a/i-2"}}"#;
    cluster.goes_through(&patch(&["node", "young"], identity));

    // It says that it is elsewhere.
    cluster.is_asked(
        "cluster",
        &["label", "node", "old", "topology.kubernetes.io/region=us-east-1", "--overwrite"],
    );
    cluster.is_asked("cluster", &["label", "node", "old", "empty-"]);
    cluster.is_asked("cluster", &["label", "node", "old", "some=thing"]);
    let label = r#"{"metadata":{"labels":{"a":"z"}}}"#;
    cluster.is_asked("cluster", &patch(&["node", "old", "--subresource=status"], label));
    // The taint of a young node is no cover for taking back what it said, nor for saying a jurisdiction outright.
    cluster.is_asked("cluster", &["taint", "node", "old", &format!("{UNINITIALIZED}=true:NoSchedule")]);
    cluster.goes_through(&["taint", "node", "old", "other=true:NoSchedule"]);
    cluster.is_asked("cluster", &["label", "node", "young", "a=c", "--overwrite"]);
    cluster.is_asked("cluster", &["label", "node", "young", "empty-"]);
    cluster.is_asked("cluster", &patch(&["node", "young", "--subresource=status"], label));
    for key in ["domicile.dev/jurisdiction", "domicile.dev.node-restriction.kubernetes.io/jurisdiction"] {
        cluster.is_asked("cluster", &["label", "node", "young", &format!("{key}=DE")]);
    }
}

/// An autoscaler makes the first node of a cluster, before any replica could run.
fn registered(cluster: &Cluster<'_>) {
    // Not to say it elsewhere, and not to say a jurisdiction.
    let region = "topology.kubernetes.io/region=us-east-1";
    cluster.is_asked("cluster", &["label", "node", "scaled", region, "--overwrite"]);
    cluster.is_asked("cluster", &["label", "node", "scaled", "domicile.dev/jurisdiction=DE"]);
    cluster.is_asked(
        "cluster",
        &patch(&["node", "scaled"], r#"{"metadata":{"labels":{"a":null}},"spec":{"taints":null}}"#),
    );
    let both = r#"{"metadata":{"labels":{"karpenter.sh/registered":"true","karpenter.sh/nodepool":"default"}},"spec":{"taints":null}}"#;
    cluster.goes_through(&patch(&["node", "scaled"], both));
    // Once it is registered it is a node like any other, and the taint cannot be had again unasked.
    cluster.is_asked("cluster", &["label", "node", "scaled", "some=thing"]);
    cluster.is_asked("cluster", &["taint", "node", "scaled", &format!("{UNREGISTERED}=true:NoExecute")]);
}

/// Labels and annotations can be changed through some subresources, and cannot through others.
fn through_subresources(cluster: &Cluster<'_>, namespace: &str) {
    let nothing = r#"{"metadata":{"annotations":{"domicile.dev/data-classification":null}}}"#;
    let pod = ["pod", "pod", "-n", namespace];
    let of = |what: &[&'static str], subresource: &'static str| [what, &[subresource]].concat();
    let status = ["--subresource=status"];
    cluster.goes_through(&patch(&[&pod[..], &status].concat(), r#"{"status":{"reason":"a"}}"#));
    cluster.is_asked("workloads", &patch(&[&pod[..], &status].concat(), nothing));
    let claim = ["pvc", "claim", "-n", namespace];
    cluster.is_asked("volumes", &patch(&[&claim[..], &status].concat(), nothing));
    cluster.is_asked("volumes", &patch(&of(&["pv", "asked-volume"], "--subresource=status"), nothing));
    let other = r#"{"metadata":{"annotations":{"domicile.dev/data-classification":"x"}}}"#;
    cluster.is_asked("cluster", &patch(&[&["namespace", namespace][..], &status].concat(), other));

    let mut changed = cluster.admin.kubectl(&["get", "namespace", namespace, "-o", "json"]).json();
    changed["metadata"]["annotations"] = json!({CARRIED: "x"});
    let path = format!("/api/v1/namespaces/{namespace}/finalize");
    let said = cluster.admin.kubectl_reading(&["replace", "--raw", &path, "-f", "-"], &changed.to_string());
    assert!(
        said.stderr.contains("failed calling webhook \"cluster.domicile.dev\""),
        "{}{}",
        said.stdout,
        said.stderr
    );

    // If these ever change annotations, they belong into the rules.
    for subresource in ["--subresource=resize", "--subresource=ephemeralcontainers"] {
        cluster.admin.kubectl(&patch(&[&pod[..], &[subresource]].concat(), nothing));
        let now = cluster.admin.kubectl(&["get", "pod", "pod", "-n", namespace, "-o", "json"]).json();
        assert_eq!(now["metadata"]["annotations"][CARRIED], "personal", "{subresource}");
    }
}

fn bindings(cluster: &Cluster<'_>, namespace: &str) {
    // The scheduler says which pod it means, and nothing is asked before the judgement. The older resource forgets it.
    let uid = "00000000-0000-0000-0000-000000000000";
    for (path, uid, asked) in [
        ("pods/pod/binding", uid, "bindings"),
        ("pods/pod/binding", "", "identities"),
        ("bindings", uid, "identities"),
        ("bindings", "", "identities"),
    ] {
        let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "pod", "uid": uid},
            "target": {"kind": "Node", "name": "old"}});
        let path = format!("/api/v1/namespaces/{namespace}/{path}");
        let said = cluster.admin.kubectl_reading(&raw(&path), &binding.to_string());
        let failed = format!("failed calling webhook \"{asked}.domicile.dev\"");
        assert!(said.stderr.contains(&failed), "{path} {uid}: {}{}", said.stdout, said.stderr);
    }
    let now = cluster.admin.kubectl(&["get", "pod", "pod", "-n", namespace, "-o", "json"]).json();
    assert!(now["spec"].get("nodeName").is_none());
}
