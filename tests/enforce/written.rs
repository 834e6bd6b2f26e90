//! How things are written: what only looks like a constraint, an end or our key, what is nested deep, and what YAML hides.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::Api;
use kube::api::PostParams;
use serde_json::{Value, json};

use crate::data::{claim, class};
use crate::plane::{Plane, Said, Trials, eventually};
use crate::stand::{FRANKFURT, KEY, Stand, VIRGINIA, node};

const REGION: &str = "topology.kubernetes.io/region";
const ZONE: &str = "topology.kubernetes.io/zone";
/// Deeper than most readers of JSON go by themselves, which is 128.
const DEEP: usize = 400;
const CLONES: usize = 40;

pub(crate) fn trials() -> Trials {
    Trials::of("written")
        .alone("what_only_looks_like_a_constraint_or_an_end", what_it_looks_like)
        .alone("what_is_nested_deep_or_hidden_is_judged_as_it_is_sent", what_is_sent)
}

async fn what_it_looks_like(plane: &'static Plane) {
    let stand = Stand::up(plane, "looks").await;
    what_looks_like_a_constraint(&stand).await;
    what_is_over(&stand);
}

async fn what_is_sent(plane: &'static Plane) {
    let stand = Stand::up(plane, "sent").await;
    what_is_nested_deep(&stand);
    clones_of_clones(&stand).await;
    what_yaml_hides(&stand);
}

fn offered(stand: &Stand, manifest: &Value) -> Said {
    stand.admin.kubectl_reading(&["create", "--dry-run=server", "-f", "-"], &manifest.to_string())
}

#[track_caller]
fn refused(said: Said, policy: &str) -> String {
    let said = said.refused();
    assert!(said.contains("admission webhook \"") && said.contains(&format!("policy {policy}: ")), "{said}");
    said
}

/// A pod with a requirement for nodes, under a policy that takes what is observed, and under one that wants proof.
fn requiring(stand: &Stand, carries: &str, expressions: &Value) -> Value {
    let mut pod = stand.pod("requiring", "");
    pod["metadata"]["annotations"] = json!({KEY: carries});
    pod["spec"]["affinity"] = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{"matchExpressions": expressions}],
    }}});
    pod
}

async fn what_looks_like_a_constraint(stand: &Stand) {
    let strict = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "proven"},
        "spec": {"classifications": ["health"], "assurance": "Proven", "allow": [{"jurisdictions": ["EEA"]}]},
    });
    stand.apply(&strict.to_string()).ok();
    let is =
        |key: &str, operator: &str, value: &str| json!({"key": key, "operator": operator, "values": [value]});
    let without = json!([is(REGION, "In", "eu-central-1"), is(ZONE, "NotIn", "eu-central-1-ist-1a")]);
    let pinned = json!([is(REGION, "In", "eu-central-1"), is(ZONE, "In", "eu-central-1a")]);
    let elsewhere = json!([is(REGION, "NotIn", "us-east-1")]);
    eventually("the policy wants proof", async || {
        let said = offered(stand, &requiring(stand, "health", &elsewhere));
        (said.status != 0).then_some(())
    })
    .await;
    let observed = |expressions: &Value| {
        let said = offered(stand, &requiring(stand, "personal", expressions));
        assert_eq!(said.status, 0, "{}", said.stderr);
        assert!(
            said.stderr.contains("Warning: every node that the pod can go to now is permitted"),
            "{said:?}"
        );
    };

    // A wish binds nobody.
    let mut wishing = stand.pod("wishing", "");
    wishing["spec"]["affinity"] = json!({"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{
        "weight": 100, "preference": {"matchExpressions": pinned},
    }]}});
    assert!(refused(offered(stand, &wishing), "eu-personal").contains(VIRGINIA));
    // What leaves out one place leaves in all others: of those that are there now, and of those that may come.
    let away = json!([is(REGION, "NotIn", "ap-south-1")]);
    assert!(refused(offered(stand, &requiring(stand, "personal", &away)), "eu-personal").contains(VIRGINIA));
    observed(&elsewhere);
    refused(offered(stand, &requiring(stand, "health", &elsewhere)), "proven");
    // A region is no country: one of its zones may be abroad, and then a node there is.
    let region = json!([is(REGION, "In", "eu-central-1")]);
    observed(&region);
    refused(offered(stand, &requiring(stand, "health", &region)), "proven");
    node(stand.plane, "istanbul", "eu-central-1", "eu-central-1-ist-1a").await;
    let told = eventually("the node is known", async || {
        let said = offered(stand, &requiring(stand, "personal", &region));
        (said.status != 0).then_some(said)
    })
    .await;
    assert!(refused(told, "eu-personal").contains("istanbul"));
    // To leave that one out leaves the others in; to name a zone pins it.
    observed(&without);
    refused(offered(stand, &requiring(stand, "health", &without)), "proven");
    for carries in ["personal", "health"] {
        let said = offered(stand, &requiring(stand, carries, &pinned));
        assert_eq!((said.status, said.stderr.as_str()), (0, ""), "{carries}");
    }
    stand.admin.kubectl(&["delete", "node", "istanbul"]).ok();
    stand.admin.kubectl(&["delete", "respol", "proven"]).ok();
}

/// What has ended is not judged, so somebody says that it has.
fn what_is_over(stand: &Stand) {
    let over = json!({"status": {"phase": "Succeeded"}});
    let mut pod = stand.pod("over", "us-east-1");
    pod["status"] = over["status"].clone();
    refused(offered(stand, &pod), "eu-personal");
    // One that is there, and would be bound abroad as one that has ended.
    let mut pod = stand.pod("over", "eu-central-1");
    pod["spec"]["schedulerName"] = json!("mine");
    stand.apply(&pod.to_string()).ok();
    let status = ["patch", "pod", "over", "--subresource=status", "--type=merge", "-p"];
    let ns = ["-n", stand.namespace.as_str()];
    stand.admin.kubectl(&[&status[..], &[&over.to_string()], &ns].concat()).ok();
    for resource in ["pods/binding", "bindings"] {
        refused(stand.bind("over", VIRGINIA, resource, &json!({})), "eu-personal");
    }
    stand.bind("over", FRANKFURT, "bindings", &json!({})).ok();
}

/// `managedFields`: whoever writes an object may say them too, as deep as they like.
pub(crate) fn deep() -> Value {
    let nested = (0..DEEP).fold(json!({}), |inner, _| json!({"f:a": inner}));
    json!([{"manager": "deep", "operation": "Update", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z",
            "fieldsType": "FieldsV1", "fieldsV1": nested}])
}

fn what_is_nested_deep(stand: &Stand) {
    let path = format!("/api/v1/namespaces/{}/pods", stand.namespace);
    let post =
        |pod: &Value| stand.admin.kubectl_reading(&["create", "--raw", &path, "-f", "-"], &pod.to_string());
    let mut pod = stand.pod("deep", "us-east-1");
    pod["metadata"]["managedFields"] = deep();
    pod["spec"]["schedulerName"] = json!("mine");
    refused(post(&pod), "eu-personal");
    pod["spec"]["nodeSelector"] = json!({REGION: "eu-central-1"});
    let stored = post(&pod).ok();
    assert!(stored.matches("f:a").count() >= DEEP, "it is not stored so");
    refused(stand.bind("deep", VIRGINIA, "bindings", &json!({})), "eu-personal");
    stand.bind("deep", FRANKFURT, "bindings", &json!({})).ok();
}

/// Each is a clone of the one before, and only the first says what it is.
async fn clones_of_clones(stand: &Stand) {
    let mut class = class("cloned", "WaitForFirstConsumer");
    class["allowedTopologies"] =
        json!([{"matchLabelExpressions": [{"key": ZONE, "values": ["eu-central-1a"]}]}]);
    stand.apply(&class.to_string()).ok();
    let claims: Api<PersistentVolumeClaim> = Api::namespaced(stand.plane.client(), &stand.namespace);
    let mut one = claim(stand, "clone-0", "cloned");
    for number in 0..CLONES {
        let made: PersistentVolumeClaim = serde_json::from_value(one.clone()).unwrap();
        claims.create(&PostParams::default(), &made).await.unwrap();
        one["metadata"]["name"] = json!(format!("clone-{}", number + 1));
        one["metadata"]["annotations"] = json!({});
        one["spec"]["dataSource"] =
            json!({"kind": "PersistentVolumeClaim", "name": format!("clone-{number}")});
    }
    let mut pod = stand.pod("reader", "");
    pod["metadata"]["annotations"] = json!({});
    pod["spec"]["nodeName"] = json!(VIRGINIA);
    let last = format!("clone-{}", CLONES - 1);
    pod["spec"]["volumes"] = json!([{"name": "data", "persistentVolumeClaim": {"claimName": last}}]);
    refused(offered(stand, &pod), "eu-personal");
    pod["spec"]["nodeName"] = json!(FRANKFURT);
    offered(stand, &pod).ok();
    // Two that are clones of each other, as nobody can make them at once.
    one["metadata"]["name"] = json!("round");
    one["spec"]["dataSource"]["name"] = json!("about");
    stand.apply(&one.to_string()).ok();
    one["metadata"]["name"] = json!("about");
    one["spec"]["dataSource"]["name"] = json!("round");
    stand.apply(&one.to_string()).ok();
    stand.admin.kubectl(&["delete", "storageclass", "cloned"]).ok();
}

fn what_yaml_hides(stand: &Stand) {
    let pod = |spec: &str, annotations: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata:\n  name: hidden\n  annotations:{annotations}\nspec:{spec}\n  containers: [{{name: app, image: none}}]\n"
        )
    };
    let personal = format!(" {{{KEY}: personal}}");
    let away = format!("\n  nodeSelector: {{{REGION}: us-east-1}}");
    for (what, manifest) in [
        (
            "a merge key brings the place",
            format!("x: &away {{{REGION}: us-east-1}}\n{}", pod("\n  nodeSelector: {<<: *away}", &personal)),
        ),
        (
            "what stands there outranks what a merge key brings",
            format!(
                "x: &home {{{REGION}: eu-central-1}}\n{}",
                pod(&format!("\n  nodeSelector: {{<<: *home, {REGION}: us-east-1}}"), &personal)
            ),
        ),
        ("an alias says what it is", format!("x: &said {{{KEY}: personal}}\n{}", pod(&away, " *said"))),
        (
            "a merge key says what it is",
            format!("x: &said {{{KEY}: personal}}\n{}", pod(&away, "\n    <<: *said")),
        ),
        (
            "a line that only YAML 1.1 ends",
            pod(&format!(" # nothing here\u{85}  nodeSelector: {{{REGION}: us-east-1}}"), &personal),
        ),
        (
            "a line that only YAML 1.1 ends, in what is carried",
            pod(&away, &format!(" # nothing here\u{2028}    {KEY}: personal")),
        ),
    ] {
        let arguments = ["apply", "--dry-run=server", "--validate=ignore", "-n", &stand.namespace, "-f", "-"];
        let said = stand.admin.kubectl_reading(&arguments, &manifest).refused();
        assert!(
            said.contains("admission webhook \"") && said.contains("policy eu-personal: "),
            "{what}: {said}"
        );
    }
    // A key that is nearly ours says nothing, and that is told.
    let mut pod = stand.pod("nearly", "us-east-1");
    pod["metadata"]["annotations"] = json!({"domicile.dev/data-clasification": "personal"});
    let said = offered(stand, &pod);
    let told = format!(
        "Warning: metadata.annotations[domicile.dev/data-clasification] means nothing; did you mean {KEY}?\n"
    );
    assert_eq!((said.status, said.stderr), (0, told));
}
