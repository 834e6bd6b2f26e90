//! What the page says of enforcement.

use domicile::cluster::enforcement::{Enforcement, entry, ours};
use domicile::cluster::{Settings, State};
use domicile::residency::{Evidence, evidence};
use serde_json::{Value, json};

use crate::object;

pub(crate) fn with_webhooks(webhooks: &[Value]) -> Evidence {
    with_both(webhooks, Ok(&["records", "identities"].map(webhook)), &[])
}

/// One as the chart has it, but for its rules, which are wider.
pub(crate) fn webhook(name: &str) -> Value {
    let name = format!("{name}.domicile.dev");
    let conditions: Vec<Value> = entry(&name)
        .unwrap()
        .conditions
        .iter()
        .map(|(name, expression)| json!({"name": name, "expression": expression}))
        .collect();
    json!({"name": name, "admissionReviewVersions": ["v1"], "sideEffects": "None",
           "clientConfig": {"caBundle": "Y2E=", "url": "https://domicile/validate"}, "failurePolicy": "Fail",
           "matchConditions": conditions,
           "rules": [{"apiGroups": ["*"], "apiVersions": ["*"], "operations": ["*"], "resources": ["*/*"]}],
           "namespaceSelector": {"matchExpressions": [
               {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system"]}]}})
}

fn with_both(validating: &[Value], mutating: Result<&[Value], &str>, more: &[Value]) -> Evidence {
    let mut state = State::new(Settings::default());
    for name in ["kube-system", "shop"] {
        state.apply(object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})));
    }
    for one in more {
        state.apply(object(one.clone()));
    }
    let configuration = |webhooks: &[Value]| json!([{"metadata": {"name": "domicile", "creationTimestamp": "2026-03-01T10:00:00Z"}, "webhooks": webhooks}]);
    let mutating = mutating.map(|webhooks| serde_json::from_value(configuration(webhooks)).unwrap());
    let validating = serde_json::from_value(configuration(validating)).unwrap();
    let enforcement = Enforcement::Known(ours(validating, mutating.map_err(str::to_owned)));
    evidence(&state, "2026-11-24T00:00:00Z".parse().unwrap(), &enforcement)
}

/// The webhooks that judge and without which there would be a gap.
pub(crate) const JUDGE: [&str; 5] = ["workloads", "bindings", "volumes", "cluster", "exceptions"];

#[test]
fn coverage_says_what_enforcement_leaves_out() {
    let all: Vec<Value> = JUDGE.map(webhook).to_vec();
    let coverage = with_webhooks(&all).coverage;
    assert_eq!((coverage.enforced, coverage.remarks.as_slice()), (Some(true), &[][..]));
    let named: Vec<_> =
        coverage.webhooks.iter().map(|webhook| webhook.name.trim_end_matches(".domicile.dev")).collect();
    assert_eq!(named, ["bindings", "cluster", "exceptions", "volumes", "workloads", "identities", "records"]);
    assert_eq!(coverage.webhooks[0].purpose, Some("has the last word on the node of a pod"));
    assert_eq!(coverage.webhooks[0].since, Some("2026-03-01T10:00:00Z".parse().unwrap()));
    assert_eq!(coverage.webhooks[4].conditions, ["changes-more-than-finalizers-and-status"]);
    let excluded: Vec<_> = coverage.excluded.shown.iter().map(|one| one.namespace.as_str()).collect();
    assert_eq!(excluded, ["kube-system"]);

    let mut open = all.clone();
    open[1]["failurePolicy"] = "Ignore".into();
    open[2]["clientConfig"] = json!({"url": "https://domicile/validate"});
    open.remove(3);
    let coverage = with_webhooks(&open).coverage;
    assert_eq!(coverage.enforced, Some(false));
    assert_eq!(
        coverage.remarks,
        [
            "the webhook cluster.domicile.dev is missing: nodes could say of themselves where they are, and namespaces lose \
             their classification",
            "the webhook bindings.domicile.dev admits what it is asked about while nobody answers",
            "the webhook volumes.domicile.dev has no caBundle, so the API server may not trust it",
        ]
    );
    assert_eq!(
        with_both(&[], Ok(&[]), &[]).coverage.remarks,
        ["the API server has no webhook of Domicile: nothing is enforced"]
    );

    // Asked, and about nothing.
    let mut narrow = all.clone();
    let rule = |group: &str, operation: &str, resource: &str| json!({"apiGroups": [group], "apiVersions": ["v1"], "operations": [operation], "resources": [resource]});
    narrow[0]["rules"] = json!([
        rule("", "CREATE", "pods"),
        rule("", "*", "pods/status"),
        rule("apps", "*", "*"),
        rule("batch", "*", "cronjobs")
    ]);
    narrow[1]["objectSelector"] = json!({"matchLabels": {"never": "matches"}});
    narrow[2]["matchConditions"] = json!([{"name": "never", "expression": "false"}]);
    narrow[3]["rules"] = json!([]);
    let coverage = with_webhooks(&narrow).coverage;
    assert_eq!(coverage.enforced, Some(false));
    assert_eq!(
        coverage.remarks,
        [
            "the webhook bindings.domicile.dev is asked only about objects whose labels match its objectSelector",
            "the webhook cluster.domicile.dev is not asked about UPDATE of nodes",
            "the webhook cluster.domicile.dev is not asked about UPDATE of nodes/status",
            "the webhook cluster.domicile.dev is not asked about UPDATE of namespaces",
            "the webhook volumes.domicile.dev is asked only under the condition never, which is none that Domicile's chart \
             gives it",
            "the webhook workloads.domicile.dev is not asked about CREATE and UPDATE of pods",
            "the webhook workloads.domicile.dev is not asked about CREATE and UPDATE of replicationcontrollers",
            "the webhook workloads.domicile.dev is not asked about CREATE and UPDATE of jobs",
        ]
    );
}

/// A condition of the chart by its name alone could be any.
#[test]
fn a_condition_is_known_by_what_it_says() {
    let mut all: Vec<Value> = JUDGE.map(webhook).to_vec();
    let expression = all[0]["matchConditions"][0]["expression"].as_str().unwrap().to_owned();
    // Lines may be broken anywhere.
    all[0]["matchConditions"][0]["expression"] = expression.replace(" || ", "\n  || ").into();
    assert_eq!(with_webhooks(&all).coverage.enforced, Some(true));
    all[0]["matchConditions"][0]["expression"] =
        format!("({expression}) && object.metadata.namespace != 'shop'").into();
    let coverage = with_webhooks(&all).coverage;
    assert_eq!(coverage.enforced, Some(false));
    assert_eq!(
        coverage.remarks,
        [
            "the webhook workloads.domicile.dev is asked only under the condition changes-more-than-finalizers-and-status, \
             which is written otherwise than in the chart of this version of Domicile, so it is not known what it leaves out"
        ]
    );
    // One of another webhook's is none of this one's.
    all[0] = webhook("workloads");
    all[1]["matchConditions"] = all[0]["matchConditions"].clone();
    let remarks = with_webhooks(&all).coverage.remarks;
    assert!(
        remarks.len() == 1 && remarks[0].starts_with("the webhook bindings.domicile.dev is asked only"),
        "{remarks:?}"
    );
}

#[test]
fn coverage_says_whether_what_is_inherited_is_written_down() {
    let judging: Vec<Value> = JUDGE.map(webhook).to_vec();
    let policy = |remedy: &str| {
        json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "eu"},
               "spec": {"classifications": ["personal"], "allow": [{"jurisdictions": ["EEA"]}], "remedy": remedy}})
    };
    let of = |mutating: Result<&[Value], &str>, remedy: &str| {
        let coverage = with_both(&judging, mutating, &[policy(remedy)]).coverage;
        (coverage.enforced, coverage.remarks)
    };
    let all = ["records", "identities", "confine"].map(webhook);
    assert_eq!(of(Ok(&all), "Confine"), (Some(true), vec![]));
    // Whoever confines nothing misses nothing.
    assert_eq!(of(Ok(&all[..2]), "Reject"), (Some(true), vec![]));
    let (enforced, remarks) = of(Ok(&[]), "Confine");
    assert_eq!(enforced, Some(false));
    assert_eq!(
        remarks,
        [
            "the webhook records.domicile.dev is missing: what volumes and snapshots inherit is not written down, and is lost \
             when what they have it from is gone",
            "the webhook identities.domicile.dev is missing: a binding that names its pod alone could bind another that has \
             got its name since",
            "the webhook confine.domicile.dev is missing: pods under a policy that confines are not confined, and may be \
             refused",
        ]
    );
    let (enforced, remarks) =
        of(Err("the user of the kubeconfig may not list mutatingwebhookconfigurations"), "Reject");
    assert_eq!(enforced, None);
    assert_eq!(
        remarks,
        [
            "the user of the kubeconfig may not list mutatingwebhookconfigurations: whether what is inherited is written down, \
             and pods are confined, is not known"
        ]
    );
    let mut narrow = all.clone();
    narrow[0]["rules"][0]["resources"] = json!(["persistentvolumes"]);
    narrow[2]["failurePolicy"] = "Ignore".into();
    // What nobody needs may fail as it likes.
    let (_, remarks) = of(Ok(&narrow), "Reject");
    assert!(!remarks.iter().any(|one| one.contains("confine.domicile.dev")), "{remarks:?}");
    let (_, remarks) = of(Ok(&narrow), "Confine");
    assert!(
        remarks.iter().any(|one| one
            == "the webhook confine.domicile.dev admits what it is asked about while nobody answers"),
        "{remarks:?}"
    );
    assert!(
        remarks
            .iter()
            .any(|one| one.ends_with("records.domicile.dev is not asked about CREATE of volumesnapshots")),
        "{remarks:?}"
    );
}

#[test]
fn what_is_in_a_namespace_that_is_left_out_is_counted() {
    let judging: Vec<Value> = JUDGE.map(webhook).to_vec();
    let pod = |name: &str, carries: &str| {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "kube-system", "annotations": {
            "domicile.dev/data-classification": carries}}, "spec": {"nodeName": "gone", "containers": []}})
    };
    let policy = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "eu"},
        "spec": {"classifications": ["personal"], "allow": [{"jurisdictions": ["EEA"]}]}});
    let inside = [
        policy,
        pod("a", "personal"),
        pod("b", "personal"),
        pod("c", "harmless"),
        pod("d", ""),
        pod("e", ""),
    ];
    let coverage = with_both(&judging, Ok(&[]), &inside).coverage;
    let [excluded] = &coverage.excluded.shown[..] else { panic!("{coverage:?}") };
    assert_eq!((excluded.classified, excluded.violating), (3, 2));
}
