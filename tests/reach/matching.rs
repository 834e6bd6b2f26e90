//! Which nodes match: the scheduler's own rules, operator for operator.

use super::*;

/// Four nodes: with labels, with others, with odd ones, with none.
const NODES: &str = "
{apiVersion: v1, kind: Node, metadata: {name: a, labels: {name: a, rack: one, cpu: '8', empty: ''}}, spec: {providerID: 'aws:///eu-west-1a/i-1'}}
---
{apiVersion: v1, kind: Node, metadata: {name: b, labels: {name: b, rack: two, cpu: '16'}}, spec: {providerID: 'aws:///eu-west-1a/i-2'}}
---
{apiVersion: v1, kind: Node, metadata: {name: c, labels: {name: c, cpu: many}}, spec: {providerID: 'aws:///eu-west-1a/i-3', unschedulable: true}}
---
{apiVersion: v1, kind: Node, metadata: {name: d, labels: {name: d, cpu: '007'}}, spec: {providerID: 'aws:///eu-west-1a/i-4'}}
";

fn cluster() -> State {
    state(&[NODES, &tripwires(&["a", "b", "c", "d"])])
}

#[test]
fn s5_every_operator_and_missing_keys() {
    let cluster = cluster();
    for (expression, expected) in [
        ("{key: rack, operator: In, values: [one]}", "a"),
        ("{key: rack, operator: In, values: [one, two, three]}", "a b"),
        ("{key: rack, operator: In, values: [three]}", ""),
        ("{key: rack, operator: In, values: [One]}", ""),
        ("{key: empty, operator: In, values: ['']}", "a"),
        ("{key: missing, operator: In, values: ['']}", ""),
        ("{key: rack, operator: NotIn, values: [one]}", "b c d"),
        ("{key: rack, operator: NotIn, values: [one, two]}", "c d"),
        ("{key: missing, operator: NotIn, values: [one]}", "a b c d"),
        ("{key: rack, operator: Exists}", "a b"),
        ("{key: empty, operator: Exists}", "a"),
        ("{key: missing, operator: Exists}", ""),
        ("{key: rack, operator: DoesNotExist}", "c d"),
        ("{key: empty, operator: DoesNotExist}", "b c d"),
        ("{key: missing, operator: DoesNotExist}", "a b c d"),
        // Integers, as the scheduler parses them: base 10, nothing else. What is none matches neither.
        ("{key: cpu, operator: Gt, values: ['8']}", "b"),
        ("{key: cpu, operator: Gt, values: ['7']}", "a b"),
        ("{key: cpu, operator: Gt, values: ['6']}", "a b d"),
        ("{key: cpu, operator: Gt, values: ['007']}", "a b"),
        ("{key: cpu, operator: Lt, values: ['16']}", "a d"),
        ("{key: cpu, operator: Lt, values: ['8']}", "d"),
        ("{key: cpu, operator: Lt, values: ['0']}", ""),
        ("{key: cpu, operator: Lt, values: ['9223372036854775807']}", "a b d"),
        ("{key: cpu, operator: Gt, values: ['9223372036854775808']}", ""),
        ("{key: missing, operator: Lt, values: ['1']}", ""),
        ("{key: cpu, operator: Gt, values: ['0x1']}", ""),
        ("{key: cpu, operator: Gt, values: ['1.0']}", ""),
        ("{key: cpu, operator: Gt, values: ['1_0']}", ""),
        ("{key: cpu, operator: Gt, values: ['-1']}", ""),
        ("{key: cpu, operator: Gt, values: ['+1']}", ""),
        ("{key: cpu, operator: Gt, values: ['']}", ""),
        // What the scheduler drops a term for matches nothing.
        ("{key: cpu, operator: Gt}", ""),
        ("{key: cpu, operator: Gt, values: ['1', '2']}", ""),
        ("{key: rack, operator: In}", ""),
        ("{key: rack, operator: NotIn}", ""),
        ("{key: rack, operator: Exists, values: [one]}", ""),
        ("{key: rack, operator: DoesNotExist, values: [one]}", ""),
        ("{key: rack, operator: NotIn, values: ['not valid']}", ""),
        // All of a term's must hold.
        ("{key: rack, operator: Exists}, {key: cpu, operator: Gt, values: ['8']}", "b"),
        ("{key: rack, operator: In, values: [one, two]}, {key: rack, operator: NotIn, values: [two]}", "a"),
        ("{key: rack, operator: In, values: [one]}, {key: rack, operator: In, values: [two]}", ""),
        ("{key: rack, operator: Exists}, {key: rack, operator: DoesNotExist}", ""),
    ] {
        assert_eq!(reached(&cluster, &expressions(expression)), expected, "{expression}");
    }
}

#[test]
fn s5_terms_fields_and_node_selectors() {
    let cluster = cluster();
    let selector = |labels: &str| format!("nodeSelector: {{{labels}}}");
    for (spec, expected) in [
        (String::new(), "a b c d"),
        // Terms: any.
        (affinity("{matchExpressions: [{key: rack, operator: In, values: [one]}]}, {matchExpressions: [{key: cpu, operator: In, values: [many]}]}"), "a c"),
        // An empty term matches nothing, beside others too; so does an affinity without terms.
        (affinity("{}"), ""),
        (affinity("{matchExpressions: []}"), ""),
        (affinity("{matchExpressions: null, matchFields: []}"), ""),
        (affinity("{}, {matchExpressions: [{key: rack, operator: In, values: [one]}]}"), "a"),
        (affinity(""), ""),
        // Fields: the node's name, and nothing else.
        (affinity("{matchFields: [{key: metadata.name, operator: In, values: [b]}]}"), "b"),
        (affinity("{matchFields: [{key: metadata.name, operator: NotIn, values: [b]}]}"), "a c d"),
        (affinity("{matchFields: [{key: metadata.name, operator: In, values: [gone]}]}"), ""),
        (affinity("{matchFields: [{key: metadata.name, operator: In, values: [a, b]}]}"), ""),
        (affinity("{matchFields: [{key: metadata.name, operator: Exists}]}"), ""),
        (affinity("{matchFields: [{key: metadata.namespace, operator: In, values: [a]}]}"), ""),
        (affinity("{matchFields: [{key: spec.nodeName, operator: In, values: [a]}]}"), ""),
        (affinity("{matchFields: [{key: metadata.name, operator: In, values: [a]}, {key: metadata.name, operator: In, values: [b]}]}"), ""),
        (
            affinity("{matchFields: [{key: metadata.name, operator: NotIn, values: [a]}], matchExpressions: [{key: rack, operator: Exists}]}"),
            "b",
        ),
        (
            affinity("{matchFields: [{key: metadata.name, operator: In, values: [a]}]}, {matchFields: [{key: metadata.name, operator: In, values: [b]}]}"),
            "a b",
        ),
        // nodeSelector: all, and the affinity too.
        (selector("rack: one"), "a"),
        (selector("rack: one, cpu: '8'"), "a"),
        (selector("rack: one, cpu: '16'"), ""),
        (selector("missing: ''"), ""),
        (selector("empty: ''"), "a"),
        (format!("{}, {}", selector("rack: one"), expressions("{key: cpu, operator: Exists}")), "a"),
        (format!("{}, {}", selector("rack: one"), expressions("{key: rack, operator: In, values: [two]}")), ""),
        (format!("{}, {}", selector("rack: one"), affinity("{}")), ""),
        // What is only preferred is no constraint, nor is a cordon, what else runs there, or what it needs.
        ("affinity: {nodeAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 100, preference: {matchExpressions: [{key: rack, operator: In, values: [one]}]}}]}}".to_owned(), "a b c d"),
        ("affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: rack, labelSelector: {}}]}, podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: name}]}}".to_owned(), "a b c d"),
        ("topologySpreadConstraints: [{maxSkew: 1, topologyKey: rack, whenUnsatisfiable: DoNotSchedule}]".to_owned(), "a b c d"),
        ("containers: [{name: c, resources: {requests: {cpu: 100k}}, ports: [{hostPort: 80}]}]".to_owned(), "a b c d"),
        ("schedulerName: mine, priority: 7, runtimeClassName: kata, os: {name: windows}".to_owned(), "a b c d"),
        // nodeName is the whole answer, whatever else is written.
        ("nodeName: b".to_owned(), "b"),
        (format!("nodeName: b, {}", selector("rack: one")), "b"),
        (format!("nodeName: c, {}", affinity("{}")), "c"),
    ] {
        assert_eq!(reached(&cluster, &spec), expected, "{spec}");
    }
}

#[test]
fn s5_a_node_name_that_is_not_found_is_denied() {
    let cluster = cluster();
    for name in ["gone", "A", "' a'"] {
        let verdict = judged(&cluster, &format!("nodeName: {name}"));
        assert_eq!(verdict.reach, Reach::Violated, "{name}");
        assert_eq!(support::reasons(&verdict), [Reason::UnknownLocation], "{name}");
        assert_eq!(verdict.findings.len(), 4, "every policy says so");
        assert!(
            verdict.findings[0].message.contains("there is no such node"),
            "{}",
            verdict.findings[0].message
        );
    }
    assert_eq!(reached(&cluster, "nodeName: ''"), "a b c d");
    assert_eq!(reached(&cluster, "nodeName: null"), "a b c d");
}

/// The API server takes no status from whoever makes a pod, so a new one has not run to its end.
#[test]
fn s5_a_new_pod_cannot_say_that_it_is_over() {
    let cluster = cluster();
    for phase in ["Succeeded", "Failed", "Running"] {
        let yaml = pod("nodeName: b").replace("spec: {", &format!("status: {{phase: {phase}}}, spec: {{"));
        let (new, was) = (object(&yaml), object(&yaml.replace("nodeName: b", "")));
        assert_eq!(judge(&Request::create(&new), &cluster, now()).reach, Reach::Violated, "{phase}");
        // One that was there and was over is judged no more.
        let over = phase != "Running";
        let changed = judge(&Request::update(&was, &new), &cluster, now());
        assert_eq!(changed.reach, if over { Reach::NotApplicable } else { Reach::Violated }, "{phase}");
    }
}
