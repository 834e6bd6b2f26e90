//! Those who are no tenants: stolen accounts of controllers, a kubelet that is taken over, an autoscaler that adds nodes, and an
//! administrator who slips.

use serde_json::{Value, json};

use crate::plane::{Identity, Plane, Said, Trials, eventually};
use crate::stand::{FRANKFURT, KEY, Stand, VIRGINIA, node};

const RESTRICTED: &str = "domicile.dev.node-restriction.kubernetes.io/jurisdiction";

pub(crate) fn trials() -> Trials {
    Trials::of("others")
        .alone("a_stolen_account_is_judged_as_anybody", a_stolen_account)
        .alone("a_kubelet_says_nothing_of_others_and_nothing_restricted", a_kubelet)
        .alone("an_autoscaler_adds_a_forbidden_node", an_autoscaler)
        .alone("a_slip_is_told_and_permits_nothing", a_slip)
        .alone("what_an_excluded_namespace_holds_is_told", excluded)
}

fn offered(who: &Identity, manifest: &Value) -> Said {
    who.kubectl_reading(&["create", "--dry-run=server", "-f", "-"], &manifest.to_string())
}

async fn a_stolen_account(plane: &'static Plane) {
    let stand = Stand::up(plane, "stolen").await;
    let mut there = stand.pod("there", "");
    there["spec"]["nodeName"] = json!(VIRGINIA);
    for controller in ["daemon-set", "job", "replicaset", "statefulset", "replication"] {
        let account = plane.service_account("kube-system", &format!("{controller}-controller")).await;
        for pod in [&there, &stand.pod("somewhere", "us-east-1")] {
            let refused = offered(&account, pod).refused();
            assert!(refused.contains("policy eu-personal"), "{controller}: {refused}");
        }
    }
    // The scheduler's own: that a pod was admitted for home is no leave to bind it elsewhere.
    let mut pod = stand.pod("orders", "eu-central-1");
    pod["spec"]["schedulerName"] = json!("mine");
    stand.apply(&pod.to_string()).ok();
    let scheduler = plane.user("system:kube-scheduler", &["system:authenticated"]).await;
    let bind = |node: &str| {
        let path = format!("/api/v1/namespaces/{}/pods/orders/binding", stand.namespace);
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding", "metadata": {"name": "orders", "namespace": stand.namespace},
            "target": {"apiVersion": "v1", "kind": "Node", "name": node},
        });
        scheduler.kubectl_reading(&["create", "--raw", &path, "-f", "-"], &binding.to_string())
    };
    let refused = bind(VIRGINIA).refused();
    assert!(refused.contains("policy eu-personal"), "{refused}");
    bind(FRANKFURT).ok();
    // Whoever makes volumes.
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "by-hand"},
        "provisioner": "ebs.csi.aws.com", "volumeBindingMode": "WaitForFirstConsumer",
    });
    stand.apply(&class.to_string()).ok();
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": stand.namespace, "annotations": {KEY: "personal"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "by-hand",
                 "resources": {"requests": {"storage": "1Gi"}}},
    });
    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "stolen-away"},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "by-hand",
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "stolen-away"},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                         "namespace": stand.namespace, "name": "data"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["us-east-1a"]},
            ]}]}},
        },
    });
    let binder = plane.service_account("kube-system", "persistent-volume-binder").await;
    let refused = eventually("the class is known", async || {
        let said = stand.apply(&claim.to_string());
        (said.status == 0).then(|| offered(&binder, &volume).refused())
    })
    .await;
    assert!(refused.contains("policy eu-personal"), "{refused}");
    stand.admin.kubectl(&["delete", "storageclass", "by-hand"]).ok();
}

async fn a_kubelet(plane: &'static Plane) {
    let stand = Stand::up(plane, "kubelet").await;
    let kubelet = plane.kubelet(VIRGINIA).await;
    // What the API server itself keeps kubelets from.
    for arguments in [
        &["label", "--overwrite", "node", VIRGINIA, &format!("{RESTRICTED}=DE")][..],
        &["label", "--overwrite", "node", FRANKFURT, "topology.kubernetes.io/zone=us-east-1a"],
        &["taint", "node", VIRGINIA, "node.cloudprovider.kubernetes.io/uninitialized=true:NoSchedule"],
        &["delete", "node", VIRGINIA],
        &["get", "respol"],
    ] {
        let refused = kubelet.kubectl(arguments).refused();
        assert!(refused.contains("forbidden") && !refused.contains("domicile.dev\" denied"), "{refused}");
    }
    // It may not make a pod, and may not bind one to itself.
    let mut pod = stand.pod("orders", "eu-central-1");
    pod["spec"]["schedulerName"] = json!("mine");
    stand.apply(&pod.to_string()).ok();
    let path = format!("/api/v1/namespaces/{}/pods/orders/binding", stand.namespace);
    let binding = json!({
        "apiVersion": "v1", "kind": "Binding", "metadata": {"name": "orders", "namespace": stand.namespace},
        "target": {"apiVersion": "v1", "kind": "Node", "name": VIRGINIA},
    });
    let refused = kubelet.kubectl_reading(&["create", "--raw", &path, "-f", "-"], &binding.to_string());
    assert!(refused.refused().contains("orbidden"));
    assert_eq!(stand.node_of("orders"), "");
}

/// A pod waits; a node that is made for it is abroad.
async fn an_autoscaler(plane: &'static Plane) {
    let stand = Stand::up(plane, "autoscaler").await;
    stand.admin.kubectl(&["label", "node", FRANKFURT, "pool=batch"]).ok();
    stand.admin.kubectl(&["cordon", FRANKFURT]).ok();
    let mut pod = stand.pod("waiting", "");
    pod["spec"]["nodeSelector"] = json!({"pool": "batch"});
    let said = stand.apply(&pod.to_string());
    assert!(said.status == 0 && said.stderr.contains("Warning"), "{said:?}");

    // To join is never refused, or no cluster could grow.
    node(plane, "autoscaled", "us-east-1", "us-east-1b").await;
    stand.admin.kubectl(&["label", "node", "autoscaled", "pool=batch"]).ok();
    let read = [
        "get",
        "events",
        "-n",
        &stand.namespace,
        "--field-selector=involvedObject.name=waiting",
        "-o",
        "jsonpath={.items[*].message}",
    ];
    eventually("the scheduler was refused", async || {
        stand.admin.kubectl(&read).stdout.contains("policy eu-personal").then_some(())
    })
    .await;
    assert_eq!(stand.node_of("waiting"), "");
    // From now on such a pod is refused before it waits.
    pod["metadata"]["name"] = json!("later");
    let refused = stand.apply(&pod.to_string()).refused();
    assert!(refused.contains("autoscaled"), "{refused}");
    // And where it may be, it goes. The scheduler does not learn from a refusal, and would try the other for ever.
    stand.admin.kubectl(&["delete", "node", "autoscaled"]).ok();
    stand.admin.kubectl(&["uncordon", FRANKFURT]).ok();
    eventually("the pod is bound", async || (stand.node_of("waiting") == FRANKFURT).then_some(())).await;
}

async fn a_slip(plane: &'static Plane) {
    let stand = Stand::up(plane, "slips").await;
    let policy = |name: &str, classification: &str, place: &Value| {
        json!({
            "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": name},
            "spec": {"classifications": [classification], "allow": [place]},
        })
    };
    // No such country, no such field, no place at all.
    for (place, says) in [
        (json!({"jurisdictions": ["UK"]}), "did you mean GB?"),
        (json!({"jurisdiction": ["GB"]}), "unknown field"),
        (json!({}), "Invalid"),
    ] {
        let refused = stand.apply(&policy("slip", "health", &place).to_string()).refused();
        assert!(refused.contains(says), "{place}: {refused}");
    }
    // A group that may come a moment later is told, and permits nothing until then.
    let said = stand.apply(&policy("slip", "health", &json!({"jurisdictions": ["EUROPE"]})).to_string());
    assert!(said.status == 0 && said.stderr.contains("EUROPE"), "{said:?}");
    let mut pod = stand.pod("slipped", "eu-central-1");
    pod["metadata"]["annotations"][KEY] = json!("health");
    eventually("nothing is permitted", async || {
        offered(stand.admin, &pod).stderr.contains("policy slip").then_some(())
    })
    .await;
    // A word that no policy governs is admitted, and told.
    pod["metadata"]["annotations"][KEY] = json!("persona");
    let said = offered(stand.admin, &pod);
    assert!(said.status == 0 && said.stderr.contains("personal"), "{said:?}");
    // A node that is moved on paper, under nobody, is admitted: the truth must be writable. What goes there is judged by it.
    let moved = ["label", "--overwrite", "node", FRANKFURT, &format!("{RESTRICTED}=US")];
    stand.admin.kubectl(&moved).ok();
    let mut there = stand.pod("there", "");
    there["spec"]["nodeName"] = json!(FRANKFURT);
    let refused = offered(stand.admin, &there).refused();
    assert!(refused.contains("policy eu-personal"), "{refused}");
    stand.admin.kubectl(&["delete", "respol", "slip"]).ok();
}

/// Nobody is asked about kube-system, so that the cluster can start; what it holds is counted all the same.
async fn excluded(plane: &'static Plane) {
    let stand = Stand::up(plane, "excluded").await;
    let violating = || {
        let policy = stand.admin.kubectl(&["get", "respol", "eu-personal", "-o", "json"]).json();
        policy["status"]["compliance"]["violating"].as_i64()
    };
    eventually("nothing breaks it", async || (violating() == Some(0)).then_some(())).await;
    let mut pod = stand.pod("hidden", "");
    pod["metadata"]["namespace"] = json!("kube-system");
    pod["spec"]["nodeName"] = json!(VIRGINIA);
    stand.admin.kubectl_reading(&["create", "-f", "-"], &pod.to_string()).ok();
    eventually("it is counted", async || (violating() == Some(1)).then_some(())).await;
    stand.admin.kubectl(&["delete", "pod", "hidden", "-n", "kube-system", "--force"]).ok();
    eventually("it is counted no more", async || (violating() == Some(0)).then_some(())).await;
}
