//! What is stored is not always what was asked for: another's webhook changes it after ours, and the API server fills in
//! what was left out. Judged is what is stored.

use std::sync::Arc;

use clap::Parser;
use domicile::server::{Call, Metrics, Options, Readiness, Reply, Reviewer, Server, Shutdown};
use http::StatusCode;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use crate::data::{claim, class};
use crate::plane::{Plane, Said, Trials, eventually};
use crate::stand::{KEY, Stand};

const REGION: &str = "topology.kubernetes.io/region";

pub(crate) fn trials() -> Trials {
    Trials::of("changed")
        .alone("what_another_webhook_changes_after_ours_is_judged_as_it_is_stored", another_webhook)
        .alone("what_the_api_server_fills_in_is_judged", what_the_api_server_fills_in)
}

fn offered(stand: &Stand, manifest: &Value) -> Said {
    let arguments = ["create", "--dry-run=server", "-o", "json", "-n", &stand.namespace, "-f", "-"];
    stand.admin.kubectl_reading(&arguments, &manifest.to_string())
}

#[track_caller]
fn refused(stand: &Stand, manifest: &Value, policy: &str) {
    let said = offered(stand, manifest).refused();
    assert!(said.contains("admission webhook \"") && said.contains(&format!("policy {policy}: ")), "{said}");
}

/// A webhook of somebody else: it does to a pod what the pod's label `other` says.
#[derive(Debug)]
struct Other;

impl Reviewer for Other {
    async fn validate(&self, _: Call) -> Reply {
        Reply { status: StatusCode::NOT_FOUND, body: Vec::new() }
    }

    async fn mutate(&self, call: Call) -> Reply {
        let review: Value = serde_json::from_slice(&call.body).unwrap();
        let request = &review["request"];
        let remove = |path: &str| json!([{"op": "remove", "path": path}]);
        let patch = match request["object"]["metadata"]["labels"]["other"].as_str() {
            Some("moves") => {
                json!([{"op": "add", "path": "/spec/nodeSelector", "value": {REGION: "us-east-1"}}])
            }
            Some("frees") if !request["object"]["spec"]["affinity"].is_null() => remove("/spec/affinity"),
            Some("lays-bare") => remove("/metadata/annotations"),
            _ => json!([]),
        };
        let response = json!({
            "uid": request["uid"], "allowed": true,
            "patchType": "JSONPatch", "patch": ByteString(patch.to_string().into_bytes()),
        });
        let body =
            json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
        Reply { status: StatusCode::OK, body: body.to_string().into_bytes() }
    }
}

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
}

/// Serves [`Other`] until `shutdown`, and has the API server ask it after ours: by name, configurations are asked in order.
fn serve(stand: &Stand, shutdown: &Shutdown) {
    let (files, authority) = stand.plane.server_certificate();
    let (certificate, key) = (files.certificate.to_str().unwrap(), files.key.to_str().unwrap());
    let options = Cli::parse_from([
        "other",
        "--listen=127.0.0.1:0",
        "--metrics-listen=127.0.0.1:0",
        "--tls-cert",
        certificate,
        "--tls-key",
        key,
    ]);
    let metrics = Metrics::new();
    let readiness = Readiness::new(metrics.clone());
    let server = Server::bind(options.options, metrics, readiness).unwrap();
    let url = format!("https://{}/mutate", server.addresses().unwrap().https);
    tokio::spawn(server.run(None, Arc::new(Other), shutdown.clone()));
    let configuration = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": "other"},
        "webhooks": [{
            "name": "other.example.com", "admissionReviewVersions": ["v1"], "sideEffects": "None",
            "failurePolicy": "Fail", "reinvocationPolicy": "Never",
            "clientConfig": {"url": url, "caBundle": ByteString(authority.into_bytes())},
            "objectSelector": {"matchExpressions": [{"key": "other", "operator": "Exists"}]},
            "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}],
        }],
    });
    stand.apply(&configuration.to_string()).ok();
}

async fn another_webhook(plane: &'static Plane) {
    let stand = Stand::up(plane, "after-ours").await;
    let confine = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "confined"},
        "spec": {"classifications": ["health"], "remedy": "Confine", "allow": [{"jurisdictions": ["EEA"]}]},
    });
    stand.apply(&confine.to_string()).ok();
    let shutdown = Shutdown::default();
    serve(&stand, &shutdown);
    let pod = |carries: &str, region: &str, other: &str| {
        let mut pod = stand.pod("changed", region);
        pod["metadata"]["annotations"] = json!({KEY: carries});
        pod["metadata"]["labels"] = json!({"other": other});
        pod
    };
    let stored = |pod: &Value| offered(&stand, pod).json();
    eventually("the other one is asked, and the policy confines", async || {
        let moved = stored(&pod("", "eu-central-1", "moves"));
        let confined = stored(&pod("health", "", "nothing"));
        (moved["spec"]["nodeSelector"][REGION] == "us-east-1" && !confined["spec"]["affinity"].is_null())
            .then_some(())
    })
    .await;

    // Moved after it was seen to stay at home, and after it was confined.
    stored(&pod("personal", "eu-central-1", "nothing"));
    refused(&stand, &pod("personal", "eu-central-1", "moves"), "eu-personal");
    refused(&stand, &pod("health", "", "moves"), "confined");
    refused(&stand, &pod("health", "eu-central-1", "moves"), "confined");

    // Ours is asked again when another has changed something, and confines it anew.
    let freed = stored(&pod("health", "", "frees"));
    assert!(freed["spec"]["affinity"].to_string().contains(REGION), "{freed}");
    // If the other one has the last word, the pod is judged without.
    let change = r#"[{"op": "replace", "path": "/webhooks/0/reinvocationPolicy", "value": "IfNeeded"}]"#;
    stand
        .admin
        .kubectl(&["patch", "mutatingwebhookconfiguration", "other", "--type=json", "-p", change])
        .ok();
    eventually("it has the last word", async || {
        (offered(&stand, &pod("health", "", "frees")).status != 0).then_some(())
    })
    .await;
    refused(&stand, &pod("health", "", "frees"), "confined");

    // What is not said any more before it is stored was never said: but of the namespace nothing is taken.
    let bare = stored(&pod("personal", "us-east-1", "lays-bare"));
    assert!(bare["metadata"]["annotations"].is_null(), "{bare}");
    let classified = format!("{KEY}=personal");
    stand.admin.kubectl(&["annotate", "namespace", &stand.namespace, &classified]).ok();
    eventually("the namespace counts", async || {
        let said = offered(&stand, &pod("personal", "us-east-1", "lays-bare"));
        (said.status != 0).then_some(())
    })
    .await;
    refused(&stand, &pod("personal", "us-east-1", "lays-bare"), "eu-personal");
    stored(&pod("personal", "eu-central-1", "lays-bare"));

    stand.admin.kubectl(&["delete", "mutatingwebhookconfiguration", "other"]).ok();
    stand.admin.kubectl(&["delete", "respol", "confined"]).ok();
    shutdown.begin();
}

async fn what_the_api_server_fills_in(plane: &'static Plane) {
    let stand = Stand::up(plane, "filled-in").await;
    // A class that says nothing of when a volume is made: at once, before a node is asked.
    let mut silent = class("silent", "");
    silent.as_object_mut().unwrap().remove("volumeBindingMode");
    stand.apply(&silent.to_string()).ok();
    let stored = stand.admin.kubectl(&["get", "storageclass", "silent", "-o", "json"]).json();
    assert_eq!(stored["volumeBindingMode"], "Immediate");
    stand.apply(&class("waits", "WaitForFirstConsumer").to_string()).ok();
    eventually("the class that waits is known", async || {
        (offered(&stand, &claim(&stand, "data", "waits")).status == 0).then_some(())
    })
    .await;
    refused(&stand, &claim(&stand, "data", "silent"), "eu-personal");

    // A claim that names no class gets the default one, and is judged by that.
    let mut none = claim(&stand, "data", "");
    none["spec"].as_object_mut().unwrap().remove("storageClassName");
    let default = async |class: &str, other: &str| {
        for (class, is_default) in [(other, "false"), (class, "true")] {
            let default = format!("storageclass.kubernetes.io/is-default-class={is_default}");
            stand.admin.kubectl(&["annotate", "--overwrite", "storageclass", class, &default]).ok();
        }
        // What carries nothing shows what is filled in.
        let mut plain = none.clone();
        plain["metadata"]["annotations"] = json!({});
        eventually("the default class is filled in", async || {
            (offered(&stand, &plain).json()["spec"]["storageClassName"] == class).then_some(())
        })
        .await;
    };
    default("waits", "silent").await;
    assert_eq!(offered(&stand, &none).json()["spec"]["storageClassName"], "waits");
    default("silent", "waits").await;
    refused(&stand, &none, "eu-personal");
    for class in ["silent", "waits"] {
        stand.admin.kubectl(&["delete", "storageclass", class]).ok();
    }

    // What a RuntimeClass asks of nodes is written into the pods that name it.
    for (name, region) in [("abroad", "us-east-1"), ("home", "eu-central-1")] {
        let runtime = json!({
            "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": name}, "handler": "any",
            "scheduling": {"nodeSelector": {REGION: region}},
        });
        stand.apply(&runtime.to_string()).ok();
    }
    let mut pod = stand.pod("sandboxed", "");
    pod["spec"]["runtimeClassName"] = json!("home");
    let filled = eventually("the RuntimeClass is known", async || {
        let said = offered(&stand, &pod);
        (said.status == 0).then(|| said.json())
    })
    .await;
    assert_eq!(filled["spec"]["nodeSelector"][REGION], "eu-central-1");
    pod["spec"]["runtimeClassName"] = json!("abroad");
    eventually("the other one is known", async || {
        (!offered(&stand, &pod).stderr.contains("not found")).then_some(())
    })
    .await;
    refused(&stand, &pod, "eu-personal");
    for name in ["home", "abroad"] {
        stand.admin.kubectl(&["delete", "runtimeclass", name]).ok();
    }

    // A token of its account, and taints that every pod tolerates for a while, change nothing.
    let mut pod = stand.pod("plain", "eu-central-1");
    let said = offered(&stand, &pod);
    let plain = said.clone().json();
    assert!(plain["spec"]["volumes"][0]["name"].to_string().contains("kube-api-access"), "{plain}");
    assert_eq!(plain["spec"]["tolerations"].as_array().map(Vec::len), Some(2), "{plain}");
    pod["spec"]["automountServiceAccountToken"] = json!(false);
    assert_eq!(offered(&stand, &pod).stderr, said.stderr);
}
