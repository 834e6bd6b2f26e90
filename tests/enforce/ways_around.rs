//! Ways around, each tried as an attacker would.

use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::plane::{Identity, Plane, Trials, eventually};
use crate::stand::{FRANKFURT, KEY, Stand, VIRGINIA};

pub(crate) fn trials() -> Trials {
    Trials::of("ways_around")
        .alone("bindings_by_hand", bindings_by_hand)
        .alone("labels_that_a_binding_writes", labels_that_a_binding_writes)
        .alone("pods_that_choose_their_place", pods_that_choose_their_place)
        .alone("what_is_taken_away_takes_a_verb", what_is_taken_away_takes_a_verb)
        .alone("nodes_do_not_move_themselves", nodes_do_not_move_themselves)
        .alone("what_flows_from_claims", what_flows_from_claims)
}

async fn bindings_by_hand(plane: &'static Plane) {
    let stand = Stand::up(plane, "bindings").await;
    // A scheduler of somebody's own: the real one leaves the pod alone.
    let mut pod = stand.pod("orders", "eu-central-1");
    pod["spec"]["schedulerName"] = json!("mine");
    stand.apply(&pod.to_string()).ok();
    let forged = json!({"labels": {
        "topology.kubernetes.io/region": "eu-central-1", "topology.kubernetes.io/zone": "eu-central-1a",
    }});
    for resource in ["pods/binding", "bindings"] {
        for (node, metadata) in [
            (VIRGINIA, json!({})),
            (VIRGINIA, forged.clone()),
            ("ghost", json!({})),
            (VIRGINIA, json!({"annotations": {KEY: ""}})),
            (FRANKFURT, json!({"annotations": {KEY: ""}})),
        ] {
            let refused = stand.bind("orders", node, resource, &metadata).refused();
            assert!(refused.contains("bindings.domicile.dev"), "{resource} {node} {metadata}: {refused}");
        }
    }
    assert_eq!(stand.node_of("orders"), "");
    stand.bind("orders", FRANKFURT, "bindings", &json!({})).ok();
    assert_eq!(stand.node_of("orders"), FRANKFURT);
}

/// The API server writes a binding's labels over the pod's, and a policy may select by them.
async fn labels_that_a_binding_writes(plane: &'static Plane) {
    let stand = Stand::up(plane, "relabelled").await;
    let scheduler = editor(&stand).await;
    let ns = ["-n", stand.namespace.as_str()];
    let role =
        ["create", "role", "binder", "--verb=create", "--resource=pods/binding,bindings", ns[0], ns[1]];
    stand.admin.kubectl(&role).ok();
    let held = ["create", "rolebinding", "binder", "--role=binder", "--user=dev", ns[0], ns[1]];
    stand.admin.kubectl(&held).ok();
    let policy = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "of-orders"},
        "spec": {"classifications": ["personal"], "objectSelector": {"matchLabels": {"app": "orders"}},
                 "allow": [{"jurisdictions": ["EEA"]}]},
    });
    stand.apply(&policy.to_string()).ok();
    let ready = [
        "get",
        "residencypolicy",
        "of-orders",
        "-o",
        "jsonpath={.status.conditions[?(@.type=='Ready')].status}",
    ];
    eventually("the policy counts", async || (stand.admin.kubectl(&ready).stdout == "True").then_some(()))
        .await;
    let mut pod = stand.pod("orders", "eu-central-1");
    pod["metadata"]["labels"] = json!({"app": "orders"});
    pod["spec"]["schedulerName"] = json!("mine");
    stand.apply(&pod.to_string()).ok();
    let other = json!({"labels": {"app": "other"}});
    for resource in ["pods/binding", "bindings"] {
        eventually("the right to bind is held", async || {
            let said = stand.bind_as(&scheduler, "orders", FRANKFURT, resource, &other);
            assert_ne!(said.status, 0, "{resource}: bound out of the policy's hold");
            said.stderr.contains("declassify on residencypolicies/of-orders").then_some(())
        })
        .await;
    }
    stand.bind_as(&scheduler, "orders", FRANKFURT, "pods/binding", &json!({})).ok();
    assert_eq!(stand.node_of("orders"), FRANKFURT);
    stand.admin.kubectl(&["delete", "residencypolicy", "of-orders"]).ok();
}

async fn pods_that_choose_their_place(plane: &'static Plane) {
    let stand = Stand::up(plane, "places").await;
    let terms = |regions: &[&str]| {
        let terms: Vec<_> = regions
            .iter()
            .map(|region| {
                json!({"matchExpressions": [
                    {"key": "topology.kubernetes.io/region", "operator": "In", "values": [region]},
                ]})
            })
            .collect();
        json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}})
    };
    for (what, change) in [
        ("a node's name", json!({"nodeName": VIRGINIA})),
        ("the name of no node", json!({"nodeName": "ghost"})),
        ("a term of two", json!({"affinity": terms(&["eu-central-1", "us-east-1"])})),
        ("a selector", json!({"nodeSelector": {"kubernetes.io/hostname": VIRGINIA}})),
        (
            "everything tolerated",
            json!({"tolerations": [{"operator": "Exists"}], "nodeSelector": {"topology.kubernetes.io/zone": "us-east-1a"}}),
        ),
    ] {
        let mut pod = stand.pod("chosen", "");
        let spec = pod["spec"].as_object_mut().unwrap();
        spec.extend(change.as_object().unwrap().clone());
        let refused = stand.apply(&pod.to_string()).refused();
        assert!(refused.contains("policy eu-personal"), "{what}: {refused}");
        for arguments in [&["apply", "--server-side", "-f", "-"][..], &["replace", "--force", "-f", "-"]] {
            let refused = stand.admin.kubectl_reading(arguments, &pod.to_string()).refused();
            assert!(refused.contains("policy eu-personal"), "{what}, {arguments:?}: {refused}");
        }
    }
    // Warnings are shown, also of what is only asked.
    let open = stand.pod("open", "").to_string();
    let said = stand.admin.kubectl_reading(&["apply", "--dry-run=server", "-f", "-"], &open);
    assert!(said.stderr.contains("denied") || said.stderr.contains("Warning"), "{}", said.stderr);
}

/// Somebody who may edit a namespace, and nothing else.
async fn editor(stand: &Stand) -> Identity {
    let binding =
        ["create", "rolebinding", "dev", "--clusterrole=edit", "--user=dev", "-n", &stand.namespace];
    stand.admin.kubectl(&binding).ok();
    let namespaces =
        ["create", "clusterrole", "namespaces", "--verb=get,update,patch", "--resource=namespaces"];
    stand.admin.kubectl(&namespaces);
    stand.admin.kubectl(&[
        "create",
        "clusterrolebinding",
        "namespaces",
        "--clusterrole=namespaces",
        "--user=dev",
    ]);
    stand.plane.user("dev", &["system:authenticated"]).await
}

async fn what_is_taken_away_takes_a_verb(plane: &'static Plane) {
    let stand = Stand::up(plane, "declassify").await;
    let dev = editor(&stand).await;
    let ns = ["-n", stand.namespace.as_str()];
    stand.apply(&stand.pod("orders", "eu-central-1").to_string()).ok();
    eventually("the pod is bound", async || (!stand.node_of("orders").is_empty()).then_some(())).await;
    let removed = format!("{KEY}-");
    let emptied = format!("{KEY}=");
    let other = format!("{KEY}=personal-not");
    for change in [&removed, &emptied, &other] {
        let refused =
            dev.kubectl(&["annotate", "--overwrite", "pod", "orders", change, ns[0], ns[1]]).refused();
        assert!(refused.contains("declassify on residencypolicies/eu-personal"), "{change}: {refused}");
    }
    // Through the subresource, as somebody who may use it.
    let none = json!({"metadata": {"annotations": {KEY: null}}}).to_string();
    let role = ["create", "role", "status", "--verb=patch", "--resource=pods/status", ns[0], ns[1]];
    stand.admin.kubectl(&role).ok();
    stand
        .admin
        .kubectl(&["create", "rolebinding", "status", "--role=status", "--user=dev", ns[0], ns[1]])
        .ok();
    let status =
        ["patch", "pod", "orders", "--subresource=status", "--type=merge", "-p", &none, ns[0], ns[1]];
    let refused = dev.kubectl(&status).refused();
    assert!(refused.contains("declassify"), "{refused}");

    // A namespace whose objects inherit.
    let classified = format!("{KEY}=personal");
    stand.admin.kubectl(&["annotate", "namespace", &stand.namespace, &classified]).ok();
    let mut inheriting = stand.pod("inheriting", "eu-central-1");
    inheriting["metadata"]["annotations"] = json!({});
    stand.apply(&inheriting.to_string()).ok();
    for change in [&removed, &emptied, &other] {
        let annotate = ["annotate", "--overwrite", "namespace", &stand.namespace, change];
        let refused = dev.kubectl(&annotate).refused();
        assert!(refused.contains("declassify on residencypolicies/eu-personal"), "{change}: {refused}");
    }

    // An exception takes a verb, too.
    let exception = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyException",
        "metadata": {"name": "drill", "namespace": stand.namespace},
        "spec": {"policies": ["eu-personal"], "allow": [{"jurisdictions": ["US"]}],
                 "until": "2099-01-01T00:00:00Z", "reason": "a drill"},
    })
    .to_string();
    let may = [
        "create",
        "role",
        "exceptions",
        "--verb=create,patch,get,update",
        "--resource=residencyexceptions.domicile.dev",
        ns[0],
        ns[1],
    ];
    stand.admin.kubectl(&may).ok();
    stand
        .admin
        .kubectl(&["create", "rolebinding", "exceptions", "--role=exceptions", "--user=dev", ns[0], ns[1]])
        .ok();
    let refused = dev.kubectl_reading(&["create", "-f", "-"], &exception).refused();
    assert!(refused.contains("except on residencypolicies/eu-personal"), "{refused}");

    // Who holds the verb may.
    let held = [
        "create",
        "clusterrole",
        "declassify",
        "--verb=declassify",
        "--resource=residencypolicies.domicile.dev",
    ];
    stand.admin.kubectl(&held).ok();
    stand
        .admin
        .kubectl(&["create", "clusterrolebinding", "declassify", "--clusterrole=declassify", "--user=dev"])
        .ok();
    eventually("the verb is held", async || {
        let said = dev.kubectl(&["annotate", "namespace", &stand.namespace, &removed]);
        (said.status == 0).then_some(())
    })
    .await;
    dev.kubectl(&["annotate", "pod", "orders", &removed, ns[0], ns[1]]).ok();
    for kind in ["clusterrole", "clusterrolebinding"] {
        stand.admin.kubectl(&["delete", kind, "declassify", "namespaces", "--ignore-not-found"]);
    }
}

async fn nodes_do_not_move_themselves(plane: &'static Plane) {
    let stand = Stand::up(plane, "nodes").await;
    let kubelet = plane.kubelet(VIRGINIA).await;
    let nodes: Api<Node> = Api::all(kubelet.client.clone());
    let params = PatchParams::default();
    for (status, label) in [
        (false, json!({"topology.kubernetes.io/region": "eu-central-1"})),
        (true, json!({"topology.kubernetes.io/region": "eu-central-1"})),
        (true, json!({"topology.kubernetes.io/zone": null})),
        (false, json!({"topology.ebs.csi.aws.com/zone": "eu-central-1a"})),
    ] {
        let change = Patch::Merge(json!({"metadata": {"labels": label}}));
        let answer = if status {
            nodes.patch_status(VIRGINIA, &params, &change).await
        } else {
            nodes.patch(VIRGINIA, &params, &change).await
        };
        let refused = answer.unwrap_err().to_string();
        assert!(refused.contains("cluster.domicile.dev"), "{label}: {refused}");
    }
    // What a CSI driver adds through it says nothing new, and heartbeats are not asked about.
    for change in [
        json!({"metadata": {"labels": {"topology.ebs.csi.aws.com/zone": "us-east-1a"}}}),
        json!({"status": {"nodeInfo": {"kubeletVersion": "v1.36.3"}}}),
    ] {
        nodes.patch_status(VIRGINIA, &params, &Patch::Merge(change)).await.unwrap();
    }
    // The truth about a node can always be written by others, with a warning of what it breaks.
    stand.apply(&stand.pod("orders", "eu-central-1").to_string()).ok();
    eventually("the pod is bound", async || (!stand.node_of("orders").is_empty()).then_some(())).await;
    let moved = [
        "label",
        "node",
        FRANKFURT,
        "--overwrite",
        "topology.kubernetes.io/region=us-east-1",
        "topology.kubernetes.io/zone=us-east-1b",
    ];
    let said = eventually("a warning", async || {
        let said = stand.admin.kubectl(&[&moved[..], &["--dry-run=server"]].concat());
        said.stderr.contains("orders").then_some(said)
    })
    .await;
    assert_eq!(said.status, 0, "{}", said.stderr);
}

async fn what_flows_from_claims(plane: &'static Plane) {
    let stand = Stand::up(plane, "claims").await;
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data", "namespace": stand.namespace, "annotations": {KEY: "personal"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "later",
                 "resources": {"requests": {"storage": "1Gi"}}},
    });
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "later"},
        "provisioner": "ebs.csi.aws.com", "volumeBindingMode": "WaitForFirstConsumer",
    });
    stand.apply(&class.to_string()).ok();
    stand.apply(&claim.to_string()).ok();
    let mut pod = stand.pod("plain", "us-east-1");
    pod["metadata"]["annotations"] = json!({});
    pod["spec"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]);
    let refused = stand.apply(&pod.to_string()).refused();
    assert!(refused.contains("policy eu-personal"), "{refused}");
    // A pod's own claim.
    pod["spec"]["volumes"] = json!([{"name": "own", "ephemeral": {"volumeClaimTemplate": {
        "metadata": {"annotations": {KEY: "personal"}}, "spec": claim["spec"].clone(),
    }}}]);
    let refused = stand.apply(&pod.to_string()).refused();
    assert!(refused.contains("policy eu-personal"), "{refused}");
    // The node that the scheduler chooses for a claim is where its volume is made.
    let chosen = format!("volume.kubernetes.io/selected-node={VIRGINIA}");
    let refused =
        stand.admin.kubectl(&["annotate", "pvc", "data", &chosen, "-n", &stand.namespace]).refused();
    assert!(refused.contains("policy eu-personal"), "{refused}");
    // A provisioner that made it abroad all the same is refused the volume; at home it is given the record.
    let volume = |name: &str, zone: &str| {
        json!({
            "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name},
            "spec": {
                "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "later",
                "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": name},
                "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                             "namespace": stand.namespace, "name": "data"},
                "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                    {"key": "topology.ebs.csi.aws.com/zone", "operator": "In", "values": [zone]},
                ]}]}},
            },
        })
        .to_string()
    };
    let refused = stand.apply(&volume("abroad", "us-east-1a")).refused();
    assert!(refused.contains("policy eu-personal"), "{refused}");
    stand.apply(&volume("home", "eu-central-1a")).ok();
    let stored = stand.admin.kubectl(&["get", "pv", "home", "-o", "json"]).json();
    assert_eq!(stored["metadata"]["annotations"]["domicile.dev/recorded-classification"], "personal");
    // Once the claim is gone, the retained volume is still what it was.
    stand.admin.kubectl(&["delete", "pvc", "data", "-n", &stand.namespace, "--wait=false"]).ok();
    stand.admin.kubectl(&["delete", "pv", "home", "--wait=false"]).ok();
    stand.admin.kubectl(&[
        "patch",
        "pv",
        "home",
        "--type=merge",
        "-p",
        r#"{"metadata":{"finalizers":null}}"#,
    ]);
    stand.admin.kubectl(&["delete", "storageclass", "later"]).ok();
}
