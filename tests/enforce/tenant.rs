//! What somebody with every right in a namespace tries: how things are written, what they claim to be, who changes them
//! afterwards, and asking again and again.

use serde_json::{Value, json};

use crate::audit::{events, status};
use crate::plane::{Identity, Plane, Trials, eventually};
use crate::refusals::workload;
use crate::stand::{FRANKFURT, KEY, Stand, VIRGINIA};

const MIRROR: &str = "kubernetes.io/config.mirror";
const RECORD: &str = "domicile.dev/recorded-classification";

pub(crate) fn trials() -> Trials {
    Trials::of("tenant")
        .alone("however_it_is_written", however_it_is_written)
        .alone("what_others_change_is_judged_as_it_is_then", what_others_change)
        .alone("a_mirror_is_believed_of_its_own_kubelet_alone", mirrors)
        .alone("what_is_applied_again_is_refused_again", what_is_applied_again)
        .alone("a_policy_comes_between_creation_and_binding", a_policy_comes_between)
}

/// Somebody who may edit the namespace of the test, and nothing else.
async fn editor(stand: &Stand, name: &str) -> Identity {
    let user = format!("--user={name}");
    let binding = ["create", "rolebinding", name, "--clusterrole=edit", &user, "-n", &stand.namespace];
    stand.admin.kubectl(&binding).ok();
    stand.plane.user(name, &["system:authenticated"]).await
}

fn offered(who: &Identity, manifest: &Value) -> crate::plane::Said {
    who.kubectl_reading(&["create", "--dry-run=server", "-f", "-"], &manifest.to_string())
}

async fn however_it_is_written(plane: &'static Plane) {
    let stand = Stand::up(plane, "written").await;
    let dev = editor(&stand, "writer").await;
    // What only looks like the word is none, also where the pod may be.
    for token in ["Personal", "PERSONAL", "\u{440}ersonal", "\u{ff50}ersonal", "per sonal", "personal;health"]
    {
        let mut pod = stand.pod("written", "eu-central-1");
        pod["metadata"]["annotations"][KEY] = json!(token);
        let refused = offered(&dev, &pod).refused();
        assert!(refused.contains("is no classification"), "{token:?}: {refused}");
    }
    // What people cannot see changes nothing, and neither does what stands beside it, however much that is.
    let many: Vec<String> = (0..20_000).map(|number| format!("t{number}")).collect();
    let many = many.join(",") + ",personal";
    for token in [" personal ", "\tpersonal\n", "personal,", ",,personal", "personal\u{a0}", &many] {
        let mut pod = stand.pod("written", "us-east-1");
        pod["metadata"]["annotations"][KEY] = json!(token);
        let refused = offered(&dev, &pod).refused();
        assert!(refused.contains("policy eu-personal"), "{token:.20?}: {refused:.500}");
    }
    let mut pod = stand.pod("written", "us-east-1");
    pod["metadata"]["annotations"]["example.com/beside"] = json!("x".repeat(250_000));
    assert!(offered(&dev, &pod).refused().contains("policy eu-personal"));
    pod["metadata"]["annotations"] = json!({});
    pod["metadata"]["labels"] = json!({KEY: "personal"});
    assert!(offered(&dev, &pod).refused().contains("policy eu-personal"));

    // A key that stands twice: what is judged is what is stored.
    let path = format!("/api/v1/namespaces/{}/pods", stand.namespace);
    let twice = |annotations: &str, selectors: &str| {
        format!(
            r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"twice","annotations":{{{annotations}}}}},"spec":{{{selectors},"schedulerName":"mine","containers":[{{"name":"app","image":"none"}}]}}}}"#
        )
    };
    let (said, unsaid) = (format!(r#""{KEY}":"personal""#), format!(r#""{KEY}":"""#));
    let selector = |region: &str| format!(r#""nodeSelector":{{"topology.kubernetes.io/region":"{region}"}}"#);
    let (home, away) = (selector("eu-central-1"), selector("us-east-1"));
    let post = |body: &str| dev.kubectl_reading(&["create", "--raw", &path, "-f", "-"], body);
    for body in [twice(&format!("{unsaid},{said}"), &away), twice(&said, &format!("{home},{away}"))] {
        let refused = post(&body).refused();
        assert!(refused.contains("policy eu-personal"), "{body}: {refused}");
    }
    post(&twice(&format!("{said},{unsaid}"), &away)).ok();
    let stored = ["get", "pod", "twice", "-n", &stand.namespace, "-o", "json"];
    assert_eq!(dev.kubectl(&stored).json()["metadata"]["annotations"][KEY], "");
    let strict = format!("{path}?fieldValidation=Strict");
    let refused = dev
        .kubectl_reading(&["create", "--raw", &strict, "-f", "-"], &twice(&said, &format!("{home},{home}")));
    assert!(refused.refused().contains("duplicate field"));
}

/// Somebody's own admission moves every pod abroad, after it was written for home.
async fn what_others_change(plane: &'static Plane) {
    let stand = Stand::up(plane, "changed").await;
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": "moves-pods"},
        "spec": {
            "failurePolicy": "Fail", "reinvocationPolicy": "IfNeeded",
            "matchConstraints": {
                "objectSelector": {"matchLabels": {"moved": "yes"}},
                "resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
            },
            "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression":
                "[JSONPatch{op: 'add', path: '/spec/nodeSelector/topology.kubernetes.io~1region', value: 'us-east-1'}]"}}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": "moves-pods"}, "spec": {"policyName": "moves-pods"},
    });
    stand.apply(&policy.to_string()).ok();
    stand.apply(&binding.to_string()).ok();
    let mut pod = stand.pod("moved", "eu-central-1");
    offered(stand.admin, &pod).ok();
    pod["metadata"]["labels"] = json!({"moved": "yes"});
    let mut plain = pod.clone();
    plain["metadata"]["annotations"] = json!({});
    eventually("pods are moved", async || {
        let arguments = ["create", "--dry-run=server", "-o", "json", "-f", "-"];
        let made = stand.admin.kubectl_reading(&arguments, &plain.to_string());
        made.stdout.contains("us-east-1").then_some(())
    })
    .await;
    let refused = offered(stand.admin, &pod).refused();
    assert!(refused.contains("policy eu-personal"), "{refused}");
    for kind in ["mutatingadmissionpolicybinding", "mutatingadmissionpolicy"] {
        stand.admin.kubectl(&["delete", kind, "moves-pods"]).ok();
    }
}

/// A mirror pod runs already, so it is admitted and warned of. Others only say that theirs is one.
async fn mirrors(plane: &'static Plane) {
    let stand = Stand::up(plane, "mirrors").await;
    let dev = editor(&stand, "mirrorer").await;
    let node = stand.admin.kubectl(&["get", "node", VIRGINIA, "-o", "json"]).json();
    let mut pod = stand.pod("mirror", "");
    pod["spec"]["nodeName"] = json!(VIRGINIA);
    pod["metadata"]["annotations"][MIRROR] = json!("of-a-file");
    pod["metadata"]["ownerReferences"] = json!([{
        "apiVersion": "v1", "kind": "Node", "name": VIRGINIA, "uid": node["metadata"]["uid"], "controller": true,
    }]);
    let refused = offered(&dev, &pod).refused();
    assert!(refused.contains("policy eu-personal"), "{refused}");
    // NodeRestriction lets a kubelet mirror on its own node alone, and make no other pod.
    let refused = offered(&plane.kubelet(FRANKFURT).await, &pod).refused();
    assert!(refused.contains("frankfurt") && !refused.contains("domicile"), "{refused}");
    let kubelet = plane.kubelet(VIRGINIA).await;
    let mut other = pod.clone();
    other["metadata"]["annotations"].as_object_mut().unwrap().remove(MIRROR);
    let refused = offered(&kubelet, &other).refused();
    assert!(refused.contains("can only create mirror pods"), "{refused}");
    let said = kubelet.kubectl_reading(&["create", "-f", "-"], &pod.to_string());
    assert!(said.status == 0 && said.stderr.contains("policy eu-personal"), "{said:?}");
    // What runs there is told of as any other.
    let (_, policy, _) = eventually("it is told of", async || {
        events(&stand, "ResidencyViolation").into_iter().find(|(about, _, _)| about == "mirror")
    })
    .await;
    assert_eq!(policy, "eu-personal");
    eventually("it is counted", async || (status(&stand, "eu-personal").0 == "False").then_some(())).await;
}

/// A tool that makes the cluster as a repository says, all over again.
async fn what_is_applied_again(plane: &'static Plane) {
    let stand = Stand::up(plane, "applied").await;
    let tool = editor(&stand, "gitops").await;
    for (name, verbs, resources) in [
        ("gitops-namespaces", "get,update,patch", "namespaces"),
        ("gitops-volumes", "get,create,update,patch", "persistentvolumes"),
    ] {
        let (verbs, resources) = (format!("--verb={verbs}"), format!("--resource={resources}"));
        stand.admin.kubectl(&["create", "clusterrole", name, &verbs, &resources]);
        let role = format!("--clusterrole={name}");
        stand.admin.kubectl(&["create", "clusterrolebinding", name, &role, "--user=gitops"]);
    }
    let again = |manifest: &Value| {
        let arguments = ["apply", "--server-side", "--force-conflicts", "-n", &stand.namespace, "-f", "-"];
        tool.kubectl_reading(&arguments, &manifest.to_string())
    };
    let away = workload("apps/v1", "Deployment", "away", "us-east-1");
    for _ in 0..3 {
        assert!(again(&away).refused().contains("policy eu-personal"));
    }
    // The classification of the namespace is somebody else's, and does not go by being left out.
    let classified = format!("{KEY}=personal");
    stand.admin.kubectl(&["annotate", "namespace", &stand.namespace, &classified]).ok();
    let mut pod = stand.pod("inheriting", "eu-central-1");
    pod["metadata"]["annotations"] = json!({});
    stand.apply(&pod.to_string()).ok();
    eventually("the pod is bound", async || (!stand.node_of("inheriting").is_empty()).then_some(())).await;
    let bare = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": stand.namespace}});
    let namespace = ["get", "namespace", &stand.namespace, "-o", "json"];
    for _ in 0..2 {
        again(&bare).ok();
        assert_eq!(tool.kubectl(&namespace).json()["metadata"]["annotations"][KEY], "personal");
    }
    let mut replaced = tool.kubectl(&namespace).json();
    replaced["metadata"]["annotations"] = json!({});
    let refused = tool.kubectl_reading(&["replace", "-f", "-"], &replaced.to_string()).refused();
    assert!(refused.contains("declassify on residencypolicies/eu-personal"), "{refused}");

    // What Domicile wrote down on a volume stands in no repository.
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "storageClassName": "", "volumeName": "applied-home",
                 "resources": {"requests": {"storage": "1Gi"}}},
    });
    let volume = json!({
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "applied-home"},
        "spec": {
            "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "applied-home"},
            "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                         "namespace": stand.namespace, "name": "data"},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["eu-central-1a"]},
            ]}]}},
        },
    });
    for _ in 0..2 {
        again(&volume).ok();
        again(&claim).ok();
        let stored = tool.kubectl(&["get", "pv", "applied-home", "-o", "json"]).json();
        assert_eq!(stored["metadata"]["annotations"][RECORD], "personal", "{stored}");
    }
    stand.admin.kubectl(&["delete", "pvc", "data", "-n", &stand.namespace, "--wait=false"]).ok();
    stand.admin.kubectl(&["delete", "pv", "applied-home", "--wait=false"]).ok();
    let free = r#"{"metadata":{"finalizers":null}}"#;
    stand.admin.kubectl(&["patch", "pv", "applied-home", "--type=merge", "-p", free]);
    for name in ["gitops-namespaces", "gitops-volumes"] {
        for kind in ["clusterrole", "clusterrolebinding"] {
            stand.admin.kubectl(&["delete", kind, name]).ok();
        }
    }
}

/// That a pod was admitted is no promise: what holds when it is bound is what counts.
async fn a_policy_comes_between(plane: &'static Plane) {
    let stand = Stand::up(plane, "between").await;
    let mut pod = stand.pod("early", "us-east-1");
    pod["metadata"]["annotations"][KEY] = json!("health");
    pod["spec"]["schedulerName"] = json!("mine");
    stand.apply(&pod.to_string()).ok();
    // In the moment before, nothing is against it.
    pod["metadata"]["name"] = json!("before");
    stand.apply(&pod.to_string()).ok();
    stand.bind("before", VIRGINIA, "pods/binding", &json!({})).ok();
    let policy = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "health-home"},
        "spec": {"classifications": ["health"], "allow": [{"jurisdictions": ["DE"]}]},
    });
    stand.apply(&policy.to_string()).ok();
    pod["metadata"]["name"] = json!("late");
    eventually("the policy is in force", async || {
        offered(stand.admin, &pod).stderr.contains("policy health-home").then_some(())
    })
    .await;
    let refused = stand.bind("early", VIRGINIA, "pods/binding", &json!({})).refused();
    assert!(refused.contains("policy health-home"), "{refused}");
    eventually("the one that is there is told of", async || {
        let mut told = events(&stand, "ResidencyViolation").into_iter();
        let is_told = told.any(|(about, policy, _)| about == "before" && policy == "health-home");
        // It and the one that is not bound, besides what others have.
        let (compliant, violating) = status(&stand, "health-home");
        (is_told && compliant == "False" && violating >= 2).then_some(())
    })
    .await;
    stand.admin.kubectl(&["delete", "respol", "health-home"]).ok();
}
