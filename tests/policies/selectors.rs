//! Which objects a policy selects.

use super::support::{WORKLOADS, workload};
use super::*;

/// What a deployment of other labels is to the selector of its own: labels of namespace `shop` and of the pod.
const NAMESPACE: &str =
    "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: a, env: ''}}}";

/// A policy that permits nowhere in this cluster: whoever it selects is denied.
fn selecting(selectors: &str) -> String {
    policy(&format!("allow: [{{jurisdictions: [AQ]}}], {selectors}"))
}

#[test]
fn s4_every_operator_of_both_selectors() {
    for (selector, selects) in [
        ("{}", true),
        ("{matchLabels: {}}", true),
        ("{matchExpressions: []}", true),
        ("{matchLabels: {team: a}}", true),
        ("{matchLabels: {team: b}}", false),
        ("{matchLabels: {Team: a}}", false),
        ("{matchLabels: {env: ''}}", true),
        ("{matchLabels: {missing: ''}}", false),
        ("{matchLabels: {team: a, env: x}}", false),
        ("{matchLabels: {team: a, env: ''}}", true),
        ("{matchExpressions: [{key: team, operator: In, values: [b, a]}]}", true),
        ("{matchExpressions: [{key: team, operator: In, values: [b]}]}", false),
        ("{matchExpressions: [{key: missing, operator: In, values: ['']}]}", false),
        ("{matchExpressions: [{key: team, operator: NotIn, values: [a]}]}", false),
        ("{matchExpressions: [{key: team, operator: NotIn, values: [b]}]}", true),
        ("{matchExpressions: [{key: missing, operator: NotIn, values: [b]}]}", true),
        ("{matchExpressions: [{key: env, operator: Exists}]}", true),
        ("{matchExpressions: [{key: missing, operator: Exists}]}", false),
        ("{matchExpressions: [{key: env, operator: DoesNotExist}]}", false),
        ("{matchExpressions: [{key: missing, operator: DoesNotExist}]}", true),
        ("{matchLabels: {team: a}, matchExpressions: [{key: missing, operator: DoesNotExist}]}", true),
        ("{matchLabels: {team: a}, matchExpressions: [{key: env, operator: DoesNotExist}]}", false),
        (
            "{matchExpressions: [{key: team, operator: Exists}, {key: team, operator: NotIn, values: [a]}]}",
            false,
        ),
    ] {
        let decision = if selects { Decision::Deny } else { Decision::Allow };
        let plain = pod_on("fra");
        let by_namespace = selecting(&format!("namespaceSelector: {selector}"));
        assert_eq!(
            create(&[NODES, NAMESPACE, &by_namespace], &plain).decision,
            decision,
            "of namespaces: {selector}"
        );
        let labelled = plain.replace("app: web", "team: a, env: ''");
        let by_object = selecting(&format!("objectSelector: {selector}"));
        assert_eq!(create(&[NODES, &by_object], &labelled).decision, decision, "of objects: {selector}");
    }
}

#[test]
fn s4_both_selectors_must_match_and_the_classification_must_be_governed() {
    for (selectors, selects) in [
        ("", true),
        ("namespaceSelector: {matchLabels: {team: a}}, objectSelector: {matchLabels: {app: web}}", true),
        ("namespaceSelector: {matchLabels: {team: b}}, objectSelector: {matchLabels: {app: web}}", false),
        ("namespaceSelector: {matchLabels: {team: a}}, objectSelector: {matchLabels: {app: job}}", false),
        // The label that Kubernetes gives every namespace.
        ("namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}", true),
        ("namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: other}}", false),
    ] {
        let verdict = create(&[NODES, NAMESPACE, &selecting(selectors)], &pod_on("fra"));
        assert_eq!(verdict.decision == Decision::Deny, selects, "{selectors}");
        let reach = if selects { Reach::Violated } else { Reach::NotApplicable };
        assert_eq!(verdict.reach, reach, "{selectors}");
    }
    let health = selecting("").replace("[personal]", "[health]");
    assert_eq!(create(&[NODES, &health], &pod_on("fra")).reach, Reach::NotApplicable);
    let both = selecting("").replace("[personal]", "[health, personal]");
    assert_eq!(create(&[NODES, &both], &pod_on("fra")).decision, Decision::Deny);
}

#[test]
fn s4_a_namespace_that_nobody_knows_is_selected() {
    let policy = selecting("namespaceSelector: {matchLabels: {team: b}}");
    assert_eq!(create(&[NODES, &policy], &pod_on("fra")).decision, Decision::Deny);
    // A manifest cannot rename a namespace by a label.
    let liar = "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {kubernetes.io/metadata.name: other}}}";
    let policy = selecting("namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: shop}}");
    assert_eq!(create(&[NODES, liar, &policy], &pod_on("fra")).decision, Decision::Deny);
}

#[test]
fn s4_a_workload_is_selected_by_its_templates_labels() {
    let policy = selecting("objectSelector: {matchLabels: {app: web}}");
    for kind in WORKLOADS {
        let of = |own: &str, template: &str| {
            let metadata = format!("namespace: shop, labels: {{app: {own}}}");
            let template = format!(
                "{{metadata: {{labels: {{app: {template}, domicile.dev/data-classification: personal}}}}}}"
            );
            create(&[NODES, &policy], &workload(kind, &metadata, &template)).decision
        };
        assert_eq!((of("job", "web"), of("web", "job")), (Decision::Deny, Decision::Allow), "{kind}");
    }
}

#[test]
fn s4_a_binding_is_selected_by_its_pods_labels() {
    let policy = selecting("objectSelector: {matchLabels: {app: web}}");
    let binding = "{apiVersion: v1, kind: Binding, metadata: {name: p, namespace: shop, labels: {app: LABEL}}, target: {name: fra}}";
    // Its own are written over those, and count as well.
    for (label, of_another) in [("web", Decision::Deny), ("job", Decision::Allow)] {
        let binding = binding.replace("LABEL", label);
        let bound =
            |pod: &str| create(&[NODES, &policy, &pod.replace("nodeName: fra", "")], &binding).decision;
        assert_eq!(bound(&pod_on("fra")), Decision::Deny, "{label}");
        assert_eq!(bound(&pod_on("fra").replace("app: web", "app: job")), of_another, "{label}");
    }
}

const BOUND: &str = "{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv, labels: {app: VOLUME}, annotations: {domicile.dev/recorded-classification: personal, \
                     domicile.dev/jurisdiction: DE}}, spec: {claimRef: {namespace: shop, name: data}}}";
const ATTACHED: &str = "{apiVersion: storage.k8s.io/v1, kind: VolumeAttachment, metadata: {name: a, labels: {app: VOLUME}}, \
                        spec: {nodeName: fra, source: {persistentVolumeName: pv}}}";

#[test]
fn s4_a_volume_and_its_attachment_are_selected_by_their_claim() {
    let claim = |label: &str| {
        format!(
            "{{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {{name: data, namespace: shop, labels: {{app: {label}}}}}, spec: {{volumeName: pv}}}}"
        )
    };
    for selector in [
        "objectSelector: {matchLabels: {app: web}}",
        "objectSelector: {matchLabels: {app: web}}, namespaceSelector: {matchLabels: {team: a}}",
    ] {
        let policy = selecting(selector);
        for (cluster, decision) in [
            (vec![NAMESPACE.to_owned(), claim("web")], Decision::Deny),
            (vec![NAMESPACE.to_owned(), claim("job")], Decision::Allow),
            // Without a readable claim, whatever it says.
            (vec![NAMESPACE.to_owned()], Decision::Deny),
        ] {
            for own in ["web", "job"] {
                let volume = BOUND.replace("VOLUME", own);
                let cluster: Vec<&str> =
                    cluster.iter().map(String::as_str).chain([NODES, &*policy, &*volume]).collect();
                for yaml in [&volume, &ATTACHED.replace("VOLUME", own)] {
                    let verdict = create(&cluster, yaml);
                    assert_eq!(verdict.decision, decision, "{selector} {own} {cluster:#?}\n{verdict:#?}");
                }
            }
        }
    }
}
