//! Changes of nodes, nodes that are not initialised yet, and pods that mirror what a node runs (sections 3, 5 and 7).

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

mod support;

use domicile::objects::Object;
use domicile::residency::{Decision, Reach, Reason, Request, Verb, Verdict, judge};
use serde_json::{Value, json};
use support::{EU, NODES, create, now, parse, reasons, required, state, values};

const REGION: &str = "topology.kubernetes.io/region";
const ZONE: &str = "topology.kubernetes.io/zone";
const BETA_ZONE: &str = "failure-domain.beta.kubernetes.io/zone";
const RESTRICTED: &str = "domicile.dev.node-restriction.kubernetes.io/jurisdiction";
const PLAIN: &str = "domicile.dev/jurisdiction";
const EBS_ZONE: &str = "topology.ebs.csi.aws.com/zone";
const TAINT: &str = "node.cloudprovider.kubernetes.io/uninitialized";
const KARPENTER: &str = "karpenter.sh/unregistered";

/// A policy with a place that selects nodes.
const RACKS: &str = "
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: racks}
spec: {classifications: [health], allow: [{nodeSelector: {matchLabels: {example.com/rack: secure}}}]}
";

/// A node `n9` with these labels, provider ID and taints.
fn node(labels: &Value, provider_id: &str, taints: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n9", "labels": labels},
           "spec": {"providerID": provider_id, "taints": taints}})
}

fn frankfurt() -> Value {
    node(&json!({REGION: "eu-central-1", ZONE: "eu-central-1a"}), "aws:///eu-central-1a/i-9", &json!([]))
}

/// The same with a label changed, added or, with null, taken away.
fn with(mut node: Value, label: &str, value: Value) -> Value {
    let labels = node["metadata"]["labels"].as_object_mut().unwrap();
    match value {
        Value::Null => labels.remove(label),
        value => labels.insert(label.to_owned(), value),
    };
    node
}

fn change(by: Option<&str>, cluster: &[&str], old: &Value, new: &Value) -> Verdict {
    let mut state = state(cluster);
    let (old, new) = (parse(old.clone()), parse(new.clone()));
    state.apply(old.clone());
    let request = Request { by_node: by, ..Request::update(&old, &new) };
    judge(&request, &state, now())
}

/// By the node itself.
fn itself(old: &Value, new: &Value) -> Decision {
    let verdict = change(Some("n9"), &[NODES, EU, RACKS], old, new);
    if verdict.decision == Decision::Deny {
        assert_eq!(reasons(&verdict), [Reason::NodeRelocation], "{verdict:#?}");
    }
    verdict.decision
}

#[test]
fn s7_a_node_may_not_change_or_remove_what_says_where_it_is() {
    let full = [(BETA_ZONE, "eu-central-1a"), (PLAIN, "DE"), (RESTRICTED, "DE"), (EBS_ZONE, "eu-central-1a")]
        .into_iter()
        .fold(frankfurt(), |node, (key, value)| with(node, key, json!(value)));
    let full = with(full, "example.com/rack", json!("secure"));
    for key in [REGION, ZONE, BETA_ZONE, PLAIN, RESTRICTED, EBS_ZONE, "example.com/rack"] {
        for to in [json!("eu-central-1b"), json!(""), Value::Null] {
            let new = with(full.clone(), key, to.clone());
            assert_eq!(itself(&full, &new), Decision::Deny, "{key} to {to}");
            let by_other = change(None, &[NODES, EU, RACKS], &full, &new);
            assert_eq!((by_other.decision, by_other.requires.len()), (Decision::Allow, 0), "{key} to {to}");
        }
    }
    for id in ["aws:///us-east-1a/i-9", "gce://p/z/n", ""] {
        let mut new = full.clone();
        new["spec"]["providerID"] = json!(id);
        assert_eq!(itself(&full, &new), Decision::Deny, "{id}");
        assert_eq!(change(None, &[NODES, EU], &full, &new).decision, Decision::Allow, "{id}");
    }
    // Not while it is uninitialised either.
    let mut young = full;
    young["spec"]["taints"] = json!([{"key": TAINT, "value": "true", "effect": "NoSchedule"}]);
    assert_eq!(itself(&young, &with(young.clone(), ZONE, json!("eu-central-1b"))), Decision::Deny);
}

#[test]
fn s7_a_node_may_say_what_changes_nothing() {
    let old = frankfurt();
    for (key, value, decision) in [
        // CSI drivers put their labels on it through the kubelet.
        (EBS_ZONE, "eu-central-1a", Decision::Allow),
        (BETA_ZONE, "eu-central-1a", Decision::Allow),
        (PLAIN, "DE", Decision::Allow),
        (EBS_ZONE, "us-east-1a", Decision::Deny),
        (EBS_ZONE, "eu-central-1b", Decision::Deny),
        (EBS_ZONE, "", Decision::Allow),
        (BETA_ZONE, "us-east-1a", Decision::Deny),
        (PLAIN, "FR", Decision::Deny),
        (PLAIN, "de", Decision::Deny),
        (RESTRICTED, "FR", Decision::Deny),
        // What a place selects on says where it is as well.
        ("example.com/rack", "secure", Decision::Deny),
        ("example.com/rack", "other", Decision::Deny),
        // Nobody asks for these.
        ("kubernetes.io/os", "linux", Decision::Allow),
        ("example.com/other", "x", Decision::Allow),
    ] {
        assert_eq!(itself(&old, &with(old.clone(), key, json!(value))), decision, "{key}={value}");
    }
    let mut new = old.clone();
    new["status"] = json!({"conditions": [{"type": "Ready", "status": "True"}]});
    new["spec"]["unschedulable"] = json!(true);
    new["metadata"]["annotations"] = json!({PLAIN: "US", "csi.volume.kubernetes.io/nodeid": "{}"});
    assert_eq!(itself(&old, &new), Decision::Allow);
    // Two at once: one of them is enough.
    let both = with(with(old.clone(), EBS_ZONE, json!("eu-central-1a")), PLAIN, json!("US"));
    assert_eq!(itself(&old, &both), Decision::Deny);
}

#[test]
fn s7_a_node_that_is_uninitialised_may_say_where_it_is() {
    for taint in [
        json!([{"key": TAINT, "value": "true", "effect": "NoSchedule"}]),
        json!([{"key": TAINT, "effect": "NoExecute"}]),
        json!([{"key": KARPENTER, "effect": "NoExecute"}]),
    ] {
        let old = node(&json!({}), "", &taint);
        let new = node(
            &json!({REGION: "eu-central-1", ZONE: "eu-central-1a"}),
            "aws:///eu-central-1a/i",
            &json!([]),
        );
        assert_eq!(itself(&old, &new), Decision::Allow);
        assert_eq!(itself(&old, &with(old.clone(), "example.com/rack", json!("secure"))), Decision::Allow);
    }
    // It is not it that says that it is: the taint has to have been there.
    let old = node(&json!({}), "", &json!([]));
    let new = node(&json!({ZONE: "eu-central-1a"}), "", &json!([{"key": TAINT, "effect": "NoSchedule"}]));
    assert_eq!(itself(&old, &new), Decision::Deny);
}

#[test]
fn s3_joining_says_why_the_place_is_not_known() {
    let mut conflicting = frankfurt();
    conflicting["spec"]["providerID"] = json!("aws:///us-east-1a/i-9");
    let verdict = create(&[EU], &conflicting.to_string());
    assert_eq!(verdict.decision, Decision::Allow);
    assert!(verdict.warnings.iter().any(|warning| warning.contains("us-east-1a")), "{:?}", verdict.warnings);
    assert!(create(&[EU], &frankfurt().to_string()).warnings.is_empty());
}

/// A pod that runs on the node.
fn pod(name: &str, carries: &str, more: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop, annotations: \
         {{domicile.dev/data-classification: '{carries}'}}}}\nspec: {{nodeName: n9}}\n{more}"
    )
}

fn virginia() -> Value {
    node(&json!({REGION: "us-east-1", ZONE: "us-east-1a"}), "", &json!([]))
}

#[test]
fn s7_to_relocate_classified_pods_takes_the_verb() {
    let (here, abroad) = (frankfurt(), virginia());
    let mut moved = here.clone();
    moved["spec"]["providerID"] = json!("");
    let running = pod("orders", "personal", "");
    let verdict = change(None, &[NODES, EU, &running], &abroad, &moved);
    let [authorization] = &verdict.requires[..] else { panic!("{verdict:#?}") };
    assert_eq!((authorization.verb, authorization.policy.as_str()), (Verb::Relocate, "eu-personal"));
    assert_eq!(authorization.finding.reason, Reason::NodeRelocation);
    assert_eq!(authorization.finding.example.as_ref().and_then(|one| one.node.as_deref()), Some("n9"));
    let message = &authorization.finding.message;
    assert!(message.contains("us-east-1a, US") && message.contains("eu-central-1a, DE"), "{message}");
    assert!(message.contains("relocate on residencypolicies/eu-personal"), "{message}");
    assert_eq!(verdict.decision, Decision::Allow);

    let required_for = |cluster: &[&str]| {
        let verdict = change(None, &[&[NODES, EU, RACKS], cluster].concat(), &abroad, &moved);
        required(&verdict).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    assert_eq!(required_for(&[]), none, "no pod");
    assert_eq!(required_for(&[&pod("a", "", "")]), none, "nothing carried");
    assert_eq!(required_for(&[&pod("a", "health", "")]), none, "forbidden before and after");
    assert_eq!(required_for(&[&pod("a", "payment", "")]), none, "governed by nothing");
    assert_eq!(required_for(&[&pod("a", "personal", "status: {phase: Succeeded}\n")]), none, "at its end");
    assert_eq!(required_for(&[&running.replace("nodeName: n9", "nodeName: fra")]), none, "elsewhere");
    assert_eq!(required_for(&[&pod("a", "personal, health", "")]), ["eu-personal"]);
    let namespace = "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {domicile.dev/data-classification: personal}}}";
    assert_eq!(required_for(&[namespace, &pod("a", "", "")]), ["eu-personal"], "inherited");
    for action in ["Warn", "Audit"] {
        let softer = EU.replace("allow:", &format!("action: {action}, allow:"));
        assert!(change(None, &[NODES, &softer, &running], &abroad, &moved).requires.is_empty(), "{action}");
    }
}

#[test]
fn s7_to_count_as_uninitialised_again_takes_the_verb() {
    let mut tainted = virginia();
    tainted["spec"]["taints"] = json!([{"key": TAINT, "value": "true", "effect": "NoSchedule"}]);
    let asked = |old: &Value, new: &Value, cluster: &[&str]| {
        let verdict = change(None, &[&[NODES, EU], cluster].concat(), old, new);
        verdict.requires.into_iter().map(|one| (one.policy, one.finding.field)).collect::<Vec<_>>()
    };
    let running = pod("orders", "personal", "");
    let required = [("eu-personal".to_owned(), Some("spec.taints".to_owned()))];
    assert_eq!(asked(&virginia(), &tainted, &[&running]), required);
    assert_eq!(asked(&virginia(), &tainted, &[]), [], "nothing that it could hide");
    assert_eq!(asked(&tainted, &virginia(), &[&running]), [], "it is initialised");
    let mut of_karpenter = tainted.clone();
    of_karpenter["spec"]["taints"][0]["key"] = json!(KARPENTER);
    assert_eq!(asked(&virginia(), &of_karpenter, &[&running]), required);
    assert_eq!(asked(&tainted, &of_karpenter, &[&running]), required, "another one that is not asked about");
    let mut other = tainted.clone();
    other["spec"]["taints"][0]["key"] = json!("dedicated");
    assert_eq!(asked(&virginia(), &other, &[&running]), [], "another taint");
    let (here, mut young) = (frankfurt(), frankfurt());
    young["spec"]["taints"] = tainted["spec"]["taints"].clone();
    assert_eq!(asked(&here, &young, &[&running]), [], "permitted as it is");
}

#[test]
fn s7_every_way_to_seem_permitted_takes_the_verb() {
    let running = pod("orders", "personal", "");
    let health = pod("records", "health", "");
    let nowhere = node(&json!({}), "", &json!([]));
    let conflicting = with(with(frankfurt(), PLAIN, json!("US")), ZONE, json!("eu-central-1a"));
    for (old, new, policy) in [
        (&nowhere, with(nowhere.clone(), RESTRICTED, json!("DE")), "eu-personal"),
        (&nowhere, with(nowhere.clone(), PLAIN, json!("DE")), "eu-personal"),
        (&conflicting, with(conflicting.clone(), PLAIN, Value::Null), "eu-personal"),
        (&virginia(), with(virginia(), RESTRICTED, json!("DE")), "eu-personal"),
        (&nowhere, with(nowhere.clone(), "example.com/rack", json!("secure")), "racks"),
    ] {
        let verdict = change(None, &[NODES, EU, RACKS, &running, &health], old, &new);
        assert_eq!(required(&verdict), [policy], "{new}");
    }
    // A node that is being deleted is still a node.
    let mut deleted = with(virginia(), RESTRICTED, json!("DE"));
    deleted["metadata"]["deletionTimestamp"] = json!("2026-06-01T00:00:00Z");
    deleted["metadata"]["finalizers"] = json!(["example.com/wait"]);
    assert_eq!(required(&change(None, &[NODES, EU, &running], &virginia(), &deleted)), ["eu-personal"]);
}

#[test]
fn s7_the_truth_can_always_be_written() {
    let pods: Vec<String> = (0..7).map(|number| pod(&format!("p{number}"), "personal", "")).collect();
    let pods: Vec<&str> = pods.iter().map(String::as_str).collect();
    let mut abroad = virginia();
    abroad["spec"]["providerID"] = frankfurt()["spec"]["providerID"].clone();
    abroad = with(abroad, RESTRICTED, json!("US"));
    let verdict = change(None, &[&[NODES, EU][..], &pods].concat(), &frankfurt(), &abroad);
    assert_eq!((verdict.decision, verdict.requires.len()), (Decision::Allow, 0));
    let told = verdict.warnings.join("\n");
    assert!(told.contains('7') && told.contains("shop/p0") && !told.contains("shop/p6"), "{told}");
    // What nobody is on, nobody is told of.
    assert!(
        change(None, &[NODES, EU], &frankfurt(), &abroad)
            .warnings
            .iter()
            .all(|told| !told.contains("would be"))
    );
}

#[test]
fn s7_taints_and_cordons_are_not_places() {
    let running = pod("orders", "personal", "");
    for new in [
        json!({"spec": {"taints": [{"key": "team", "value": "a", "effect": "NoSchedule"}]}}),
        json!({"spec": {"unschedulable": true}}),
    ] {
        let (old, mut changed) = (virginia(), virginia());
        for (key, value) in new["spec"].as_object().unwrap() {
            changed["spec"][key] = value.clone();
        }
        let verdict = change(None, &[NODES, EU, &running], &old, &changed);
        assert_eq!(
            (verdict.reach, verdict.requires.len(), verdict.warnings.len()),
            (Reach::NotApplicable, 0, 0)
        );
    }
}

/// Whoever changes something else of it, as its kubelet does all the time, is not told why its place is not known.
#[test]
fn s7_a_change_that_says_nothing_of_the_place_is_told_nothing() {
    for id in ["", "aws:///us-east-1a/i-9"] {
        let old = node(&json!({REGION: "eu-central-1", PLAIN: "tr"}), id, &json!([]));
        assert!(!create(&[EU], &old.to_string()).warnings.is_empty(), "{id}");
        let mut new = old.clone();
        new["metadata"]["annotations"] = json!({"csi.volume.kubernetes.io/nodeid": "{}"});
        for by in [None, Some("n9")] {
            let verdict = change(by, &[NODES, EU], &old, &new);
            assert_eq!((verdict.decision, verdict.warnings), (Decision::Allow, vec![]), "{id} {by:?}");
        }
    }
}

/// A pod that mirrors what a node runs.
fn mirror(node: &str) -> Object {
    let yaml = format!(
        "
apiVersion: v1
kind: Pod
metadata:
  name: static-{node}
  namespace: shop
  annotations: {{kubernetes.io/config.mirror: 0a1b, domicile.dev/data-classification: personal}}
  ownerReferences: [{{apiVersion: v1, kind: Node, name: {node}, controller: true}}]
spec: {{nodeName: {node}}}
"
    );
    parse(values(&yaml).remove(0))
}

#[test]
fn s5_a_mirror_pod_runs_already() {
    let cluster = state(&[NODES, EU]);
    for (pod, by, decision) in [
        (mirror("iad"), Some("iad"), Decision::Warn),
        (mirror("not-there"), Some("not-there"), Decision::Warn),
        (mirror("fra"), Some("fra"), Decision::Allow),
        // Whoever else says that it is one is judged as anyone.
        (mirror("iad"), None, Decision::Deny),
        (mirror("iad"), Some("fra"), Decision::Deny),
        (mirror("iad"), Some(""), Decision::Deny),
    ] {
        let verdict = judge(&Request { by_node: by, ..Request::create(&pod) }, &cluster, now());
        assert_eq!(verdict.decision, decision, "{by:?}: {verdict:#?}");
        if decision == Decision::Warn {
            assert_eq!(verdict.reach, Reach::Violated);
        }
    }
    // A node that makes an ordinary pod gets no favour.
    let ordinary = parse(json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "annotations": {"domicile.dev/data-classification": "personal"}},
        "spec": {"nodeName": "iad"}}));
    assert_eq!(judge(&Request::create(&ordinary).by_node("iad"), &cluster, now()).decision, Decision::Deny);
    // Nor one that names no node.
    let nowhere = parse(json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "p", "annotations":
            {"kubernetes.io/config.mirror": "", "domicile.dev/data-classification": "personal"}}}));
    assert_eq!(judge(&Request::create(&nowhere).by_node(""), &cluster, now()).decision, Decision::Deny);
}

#[test]
fn s5_a_mirror_pod_is_never_denied_whatever_is_wrong_with_it() {
    let cluster = state(&[NODES, EU]);
    let Object::Pod(mut pod) = mirror("iad") else { panic!() };
    pod.metadata.annotations.insert("domicile.dev/data-classification".into(), "Not A Label".into());
    let pod = Object::Pod(pod);
    assert_eq!(judge(&Request::create(&pod).by_node("iad"), &cluster, now()).decision, Decision::Warn);
}

/// A node that has just been born in Virginia, for all that anyone knows.
fn unborn(taint: &str) -> String {
    format!("{{apiVersion: v1, kind: Node, metadata: {{name: new}}, spec: {{taints: [{taint}]}}}}")
}

#[test]
fn s3_a_node_that_is_not_initialised_is_left_out() {
    let europe = "\
apiVersion: v1
kind: Node
metadata: {name: fra, labels: {topology.kubernetes.io/region: eu-central-1, topology.kubernetes.io/zone: eu-central-1a}}
spec: {providerID: 'aws:///eu-central-1a/i-1'}
";
    let new = unborn(&format!("{{key: {TAINT}, value: 'true', effect: NoSchedule}}"));
    let executed = unborn(&format!("{{key: {TAINT}, effect: NoExecute}}"));
    let grown = unborn("{key: example.com/other, effect: PreferNoSchedule}");
    let with = |tolerations: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: p, annotations: {{domicile.dev/data-classification: personal}}}}\n\
             spec: {{tolerations: {tolerations}}}\n"
        )
    };
    let key = TAINT;
    for (node, tolerations, decision) in [
        (&new, "[]".to_owned(), Decision::Allow),
        (&new, "null".to_owned(), Decision::Allow),
        (&new, "[{operator: Exists}]".to_owned(), Decision::Deny),
        (&new, format!("[{{key: {key}, operator: Exists}}]"), Decision::Deny),
        (&new, format!("[{{key: {key}, value: 'true'}}]"), Decision::Deny),
        (&new, format!("[{{key: {key}, value: 'false'}}]"), Decision::Allow),
        (&new, format!("[{{key: {key}, operator: Exists, effect: NoExecute}}]"), Decision::Allow),
        (&new, "[{key: example.com/other, operator: Exists}]".to_owned(), Decision::Allow),
        (&executed, "[]".to_owned(), Decision::Allow),
        (&executed, format!("[{{key: {key}, operator: Exists, effect: NoExecute}}]"), Decision::Deny),
        (&executed, format!("[{{key: {key}, operator: Exists, effect: NoSchedule}}]"), Decision::Allow),
        // A node whose place is not known for another reason counts.
        (&grown, "[]".to_owned(), Decision::Deny),
    ] {
        let verdict = create(&[europe, EU, node], &with(&tolerations));
        assert_eq!(verdict.decision, decision, "{node} {tolerations}");
    }
    // Many tolerations are as one.
    let many = format!("[{}{{operator: Exists}}]", "{key: a, operator: Exists}, ".repeat(5_000));
    assert_eq!(create(&[europe, EU, &new], &with(&many)).decision, Decision::Deny);
    // Where it is known, it is in reach, taint or no taint.
    let known =
        new.replace("name: new", &format!("name: new, labels: {{{REGION}: us-east-1, {RESTRICTED}: US}}"));
    assert_eq!(create(&[europe, EU, &known], &with("[]")).decision, Decision::Deny);
}

#[test]
fn s3_a_node_that_is_not_initialised_is_no_provider() {
    let europe = "\
apiVersion: v1
kind: Node
metadata: {name: fra, labels: {topology.kubernetes.io/region: eu-central-1, topology.kubernetes.io/zone: eu-central-1a}}
spec: {providerID: 'aws:///eu-central-1a/i-1'}
";
    let pinned = "
apiVersion: v1
kind: Pod
metadata: {name: p, annotations: {domicile.dev/data-classification: personal}}
spec: {nodeSelector: {topology.kubernetes.io/region: eu-west-1}}
";
    let new = unborn(&format!("{{key: {TAINT}, value: 'true', effect: NoSchedule}}"));
    // eu-west-1 is Ireland at one provider, and something else at others.
    assert_eq!(create(&[europe, EU], pinned).reach, Reach::Proven);
    assert_eq!(create(&[europe, EU, &new], pinned).reach, Reach::Proven);
    let grown = unborn("{key: a, effect: NoSchedule}");
    assert_ne!(create(&[europe, EU, &grown], pinned).reach, Reach::Proven);
}

#[test]
fn s5_a_pod_is_bound_to_a_node_that_is_not_initialised_only_if_its_place_is_known() {
    let running = "{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop, labels: \
                   {domicile.dev/data-classification: personal}}}";
    let binding =
        "{apiVersion: v1, kind: Binding, metadata: {name: p, namespace: shop}, target: {name: new}}";
    let taint = format!("{{key: {TAINT}, value: 'true', effect: NoSchedule}}");
    let verdict = create(&[NODES, EU, running, &unborn(&taint)], binding);
    assert_eq!((verdict.decision, reasons(&verdict)), (Decision::Deny, vec![Reason::UnknownLocation]));
    let known = unborn(&taint).replace("name: new", &format!("name: new, labels: {{{RESTRICTED}: DE}}"));
    assert_eq!(create(&[NODES, EU, running, &known], binding).decision, Decision::Allow);
}

/// Five are named, and the rest is counted.
#[test]
fn s7_the_pods_that_a_change_would_misplace_are_named() {
    for (count, told) in [
        (1, "1 of the pods on it may not be: shop/p1"),
        (5, "5 of the pods on it may not be: shop/p1, shop/p2, shop/p3, shop/p4, shop/p5"),
        (7, "7 of the pods on it may not be: shop/p1, shop/p2, shop/p3, shop/p4, shop/p5 and 2 more"),
    ] {
        let pods: Vec<String> =
            (1..=count).map(|number| pod(&format!("p{number}"), "personal", "")).collect();
        let verdict = change(None, &[NODES, EU, &pods.join("---\n")], &frankfurt(), &virginia());
        assert!(verdict.warnings.iter().any(|one| one.ends_with(told)), "{told}: {:?}", verdict.warnings);
    }
    // Where it was not permitted before either, nothing is misplaced.
    let further = node(&json!({REGION: "us-west-2", ZONE: "us-west-2a"}), "", &json!([]));
    let verdict = change(None, &[NODES, EU, &pod("p", "personal", "")], &virginia(), &further);
    assert!(verdict.warnings.is_empty(), "{:?}", verdict.warnings);
}
