//! The pods of the chart under the *restricted* Pod Security Standard, as the API server enforces it.

use std::path::Path;

use serde_json::{Value, json};

use crate::installed::{NAMESPACE, Release};
use crate::plane::{Identity, Plane, Trials, eventually};

pub(crate) fn trials() -> Trials {
    Trials::of("pod_security").alone("the_restricted_standard_is_met", the_restricted_standard_is_met)
}

const ENFORCED: [&str; 2] =
    ["pod-security.kubernetes.io/enforce=restricted", "pod-security.kubernetes.io/enforce-version=latest"];
const REMOVED: [&str; 2] =
    ["pod-security.kubernetes.io/enforce-", "pod-security.kubernetes.io/enforce-version-"];

/// Everything that changes what is in a pod, and that somebody who keeps to the standard may want.
const KEPT: [&[&str]; 4] = [
    &["tls.mode=certManager"],
    &["tls.mode=existingSecret", "tls.secretName=own"],
    &["tls.clientCA.configMap=clients"],
    &["priorityClassName=system-cluster-critical", "podLabels.team=a", "log.level=debug"],
];

/// What breaks it, one rule each.
const BROKEN: [(&str, &str); 6] = [
    ("securityContext.allowPrivilegeEscalation=true", "allowPrivilegeEscalation != false"),
    ("securityContext.capabilities.drop=null", "unrestricted capabilities"),
    ("podSecurityContext.runAsNonRoot=false", "runAsNonRoot != true"),
    ("podSecurityContext.runAsUser=0", "runAsUser=0"),
    ("podSecurityContext.seccompProfile=null", "seccompProfile"),
    ("hostNetwork=true", "hostNetwork"),
];

async fn the_restricted_standard_is_met(plane: &'static Plane) {
    let admin = plane.admin();
    if admin.kubectl(&["get", "namespace", NAMESPACE]).status != 0 {
        admin.kubectl(&["create", "namespace", NAMESPACE]).ok();
    }
    let label = |labels: &[&str]| {
        let fixed = ["label", "--overwrite", "namespace", NAMESPACE];
        admin.kubectl(&[&fixed, labels].concat()).ok();
    };
    label(&ENFORCED);
    let release = Release::install(admin, &[]);
    // As it is: by Helm, by the controllers, to the last pod.
    let made = eventually("both pods are there", async || {
        let pods = pods(admin);
        (pods.len() == 2).then_some(pods)
    })
    .await;
    assert!(made.iter().all(|pod| pod["spec"]["containers"].as_array().unwrap().len() == 1));

    for settings in KEPT {
        let said = offer(admin, settings);
        assert_eq!(said.0, 0, "{settings:?}: {}", said.1);
    }
    for (setting, rule) in BROKEN {
        let (status, said) = offer(admin, &[setting]);
        let words = ["violates PodSecurity \"restricted:latest\"", rule];
        assert!(status != 0 && words.iter().all(|word| said.contains(word)), "{setting}: {said}");
    }

    // A ReplicaSet whose pods are refused says so: the standard really is in force for what the controllers make.
    release.upgrade(&["--set", BROKEN[0].0]);
    let why = eventually("the ReplicaSet is refused its pods", async || {
        let read = ["get", "deployment", "domicile", "-n", NAMESPACE, "-o", "json"];
        let conditions = admin.kubectl(&read).json()["status"]["conditions"].clone();
        let conditions = conditions.as_array().cloned().unwrap_or_default();
        conditions.into_iter().find(|one| one["type"] == "ReplicaFailure" && one["status"] == "True")
    })
    .await;
    assert!(why["message"].to_string().contains("violates PodSecurity"), "{why}");
    label(&REMOVED);
}

/// The pods of the release that are not on their way out.
fn pods(admin: &Identity) -> Vec<Value> {
    let read = ["get", "pods", "-l", "app.kubernetes.io/name=domicile", "-n", NAMESPACE, "-o", "json"];
    let all = admin.kubectl(&read).json()["items"].as_array().unwrap().clone();
    all.into_iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).collect()
}

/// Asks the API server whether it would take the pods of a chart with these settings: that of the Deployment and that of
/// `helm test`.
fn offer(admin: &Identity, settings: &[&str]) -> (i32, String) {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/domicile");
    let mut arguments = vec!["template", "domicile", chart.to_str().unwrap(), "-n", NAMESPACE];
    for setting in settings {
        arguments.extend(["--set", setting]);
    }
    let rendered = admin.helm(&arguments).ok();
    let objects: Vec<Option<Value>> = serde_saphyr::from_multiple(&rendered).unwrap();
    let (mut status, mut said, mut seen) = (0, String::new(), 0);
    for object in objects.into_iter().flatten() {
        let mut pod = match object["kind"].as_str() {
            Some("Pod") => object,
            Some("Deployment") => object["spec"]["template"].clone(),
            _ => continue,
        };
        pod["apiVersion"] = json!("v1");
        pod["kind"] = json!("Pod");
        pod["metadata"] = json!({"name": "offered", "namespace": NAMESPACE});
        // The account of the test is there only while it runs.
        pod["spec"]["serviceAccountName"] = json!("domicile");
        let answer = admin.kubectl_reading(&["create", "--dry-run=server", "-f", "-"], &pod.to_string());
        status = status.max(answer.status);
        said += &answer.stderr;
        seen += 1;
    }
    assert_eq!(seen, 2, "{rendered}");
    (status, said)
}
