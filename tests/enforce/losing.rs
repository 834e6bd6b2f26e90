//! What would be lost by a change: by labels that a policy selects by, and by keeping a volume for somebody else.

use serde_json::{Value, json};

use crate::data::{claim, remove, volume};
use crate::plane::{Identity, Plane, Trials, eventually};
use crate::stand::{KEY, Stand, VIRGINIA};

pub(crate) fn trials() -> Trials {
    Trials::of("losing").alone("what_a_policy_would_lose_takes_a_verb", what_a_policy_would_lose)
}

async fn what_a_policy_would_lose(plane: &'static Plane) {
    let stand = Stand::up(plane, "losing").await;
    labels_that_a_policy_selects_by(&stand).await;
    kept_for_another_namespace(&stand).await;
    what_a_claim_says(&stand).await;
}

/// Somebody with these verbs on these resources, and nothing else.
async fn somebody(stand: &Stand, name: &str, verbs: &str, resources: &str) -> Identity {
    let (verbs, resources) = (format!("--verb={verbs}"), format!("--resource={resources}"));
    stand.admin.kubectl(&["create", "clusterrole", name, &verbs, &resources]).ok();
    let (role, user) = (format!("--clusterrole={name}"), format!("--user={name}"));
    stand.admin.kubectl(&["create", "clusterrolebinding", name, &role, &user]).ok();
    stand.plane.user(name, &["system:authenticated"]).await
}

fn dismiss(stand: &Stand, name: &str) {
    for kind in ["clusterrole", "clusterrolebinding"] {
        stand.admin.kubectl(&["delete", kind, name]).ok();
    }
}

/// A policy for one kind of data, with what it selects by, that counts already.
async fn policy(stand: &Stand, name: &str, carries: &str, selector: (&str, Value)) {
    let mut policy = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": name},
        "spec": {"classifications": [carries], "allow": [{"jurisdictions": ["EEA"]}]},
    });
    policy["spec"][selector.0] = json!({"matchLabels": selector.1});
    stand.apply(&policy.to_string()).ok();
    let ready = "jsonpath={.status.conditions[?(@.type=='Ready')].status}";
    eventually("the policy counts", async || {
        (stand.admin.kubectl(&["get", "respol", name, "-o", ready]).stdout == "True").then_some(())
    })
    .await;
}

async fn labels_that_a_policy_selects_by(stand: &Stand) {
    let ns = ["-n", stand.namespace.as_str()];
    let dev = somebody(
        stand,
        "relabels",
        "get,update,patch",
        "pods,deployments.apps,namespaces,persistentvolumeclaims",
    )
    .await;
    policy(stand, "of-app", "health", ("objectSelector", json!({"app": "orders"}))).await;
    policy(stand, "of-prod", "payment", ("namespaceSelector", json!({"env": "prod"}))).await;
    stand.admin.kubectl(&["label", "namespace", &stand.namespace, "env=prod"]).ok();
    let mut pod = stand.pod("orders", "eu-central-1");
    pod["metadata"]["labels"] = json!({"app": "orders"});
    pod["metadata"]["annotations"] = json!({KEY: "health, payment"});
    let mut deployment = crate::refusals::workload("apps/v1", "Deployment", "shop", "eu-central-1");
    deployment["spec"]["replicas"] = json!(0);
    deployment["spec"]["template"]["metadata"] = pod["metadata"].clone();
    deployment["spec"]["selector"]["matchLabels"] = json!({"app": "orders"});
    deployment["spec"]["template"]["metadata"]["labels"]["tier"] = json!("web");
    let away = |pod: &Value| {
        let mut away = pod.clone();
        away["metadata"]["name"] = json!("away");
        away["spec"]["nodeSelector"] = json!({"topology.kubernetes.io/region": "us-east-1"});
        stand.admin.kubectl_reading(&["create", "--dry-run=server", "-f", "-"], &away.to_string())
    };
    eventually("both policies select it", async || {
        let said = away(&pod).stderr;
        (said.contains("policy of-app: ") && said.contains("policy of-prod: ")).then_some(())
    })
    .await;
    stand.apply(&pod.to_string()).ok();
    stand.apply(&deployment.to_string()).ok();
    let template =
        |labels: &str| format!(r#"{{"spec":{{"template":{{"metadata":{{"labels":{labels}}}}}}}}}"#);
    for (change, policy) in [
        (&["label", "pod", "orders", "app-", ns[0], ns[1]][..], "of-app"),
        (&["label", "--overwrite", "pod", "orders", "app=other", ns[0], ns[1]], "of-app"),
        (&["label", "namespace", &stand.namespace, "env-"], "of-prod"),
        (&["label", "--overwrite", "namespace", &stand.namespace, "env=test"], "of-prod"),
    ] {
        let refused = dev.kubectl(change).refused();
        let verb = format!("declassify on residencypolicies/{policy}");
        assert!(refused.contains(&verb), "{change:?}: {refused}");
    }
    // Labels that nobody selects by are nobody's business.
    dev.kubectl(&["label", "pod", "orders", "team=a", ns[0], ns[1]]).ok();
    dev.kubectl(&["label", "namespace", &stand.namespace, "team=a"]).ok();
    let other = template(r#"{"tier":"api"}"#);
    dev.kubectl(&["patch", "deployment", "shop", "--type=merge", "-p", &other, ns[0], ns[1]]).ok();
    dismiss(stand, "relabels");
    stand.admin.kubectl(&["delete", "respol", "of-app", "of-prod"]).ok();
}

/// What a claim said is written down on its volume, so nothing is lost when it says it no more, or something else.
async fn what_a_claim_says(stand: &Stand) {
    let ns = ["-n", stand.namespace.as_str()];
    let dev = somebody(stand, "claimant", "get,update,patch", "persistentvolumeclaims").await;
    stand.apply(&claim(stand, "data", "").to_string()).ok();
    stand.apply(&volume(stand, "says-home", "data", "", "eu-central-1a").to_string()).ok();
    eventually("the claim is bound", async || {
        let phase = ["get", "pvc", "data", "-o", "jsonpath={.status.phase}", ns[0], ns[1]];
        (stand.admin.kubectl(&phase).ok() == "Bound").then_some(())
    })
    .await;
    let mut pod = stand.pod("reader", "");
    pod["metadata"]["annotations"] = json!({});
    pod["spec"]["nodeName"] = json!(VIRGINIA);
    pod["spec"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]);
    for change in [format!("{KEY}=other"), format!("{KEY}="), format!("{KEY}-")] {
        dev.kubectl(&["annotate", "--overwrite", "pvc", "data", &change, ns[0], ns[1]]).ok();
        let refused = stand.apply(&pod.to_string()).refused();
        assert!(refused.contains("policy eu-personal: "), "{change}: {refused}");
    }
    dismiss(stand, "claimant");
    remove(stand, &["says-home"]);
}

async fn kept_for_another_namespace(stand: &Stand) {
    let keeper = somebody(stand, "keeps", "get,patch", "persistentvolumes").await;
    policy(stand, "of-shop", "health", ("namespaceSelector", json!({"team": "shop"}))).await;
    stand.admin.kubectl(&["label", "--overwrite", "namespace", &stand.namespace, "team=shop"]).ok();
    let lab = stand.plane.namespace("lab").await;
    let mut of_shop = volume(stand, "kept-shop", "data", "", "eu-central-1a");
    of_shop["metadata"]["annotations"] = json!({"domicile.dev/recorded-classification": "health"});
    stand.apply(&of_shop.to_string()).ok();
    let of = |namespace: &str| {
        json!({"spec": {"claimRef": {"namespace": namespace, "name": "other", "uid": null, "resourceVersion": null}}})
            .to_string()
    };
    let kept = |namespace: &str, dry: &'static [&'static str]| {
        let change = of(namespace);
        keeper.kubectl(&[&["patch", "pv", "kept-shop", "--type=merge", "-p", &change][..], dry].concat())
    };
    // Neither claim is there yet.
    eventually("the namespaces are known", async || {
        let said = kept(&lab, &["--dry-run=server"]);
        said.stderr.contains("declassify on residencypolicies/of-shop").then_some(())
    })
    .await;
    kept(&stand.namespace, &[]).ok();
    let refused = kept(&lab, &[]).refused();
    assert!(refused.contains("declassify on residencypolicies/of-shop"), "{refused}");
    dismiss(stand, "keeps");
    remove(stand, &["kept-shop"]);
    stand.admin.kubectl(&["delete", "namespace", &lab, "--wait=false"]).ok();
    stand.admin.kubectl(&["delete", "respol", "of-shop"]).ok();
}
