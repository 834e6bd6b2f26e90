//! Taints and tolerations, and nodes that are not initialised yet.

use super::*;

const NODES: &str = "
{apiVersion: v1, kind: Node, metadata: {name: free, labels: {name: free}}, spec: {providerID: 'aws:///eu-west-1a/i-0'}}
---
{apiVersion: v1, kind: Node, metadata: {name: gold, labels: {name: gold}}, spec: {providerID: 'aws:///eu-west-1a/i-1', taints: [{key: tier, value: gold, effect: NoSchedule}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: gone, labels: {name: gone}}, spec: {providerID: 'aws:///eu-west-1a/i-2', taints: [{key: tier, value: gold, effect: NoExecute}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: soft, labels: {name: soft}}, spec: {providerID: 'aws:///eu-west-1a/i-3', taints: [{key: tier, value: gold, effect: PreferNoSchedule}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: two, labels: {name: two}}, spec: {providerID: 'aws:///eu-west-1a/i-4', taints: [{key: tier, value: gold, effect: NoSchedule}, {key: gpu, effect: NoSchedule}]}}
";

#[test]
fn s5_tolerations_as_the_scheduler_reads_them() {
    let cluster = state(&[NODES, &tripwires(&["free", "gold", "gone", "soft", "two"])]);
    for (tolerations, expected) in [
        ("", "free soft"),
        ("{key: tier, operator: Exists}", "free gold gone soft"),
        ("{key: tier, operator: Exists, effect: NoSchedule}", "free gold soft"),
        ("{key: tier, operator: Exists, effect: NoExecute}", "free gone soft"),
        ("{key: tier, operator: Exists, effect: NoExecute, tolerationSeconds: 5}", "free gone soft"),
        ("{key: tier, value: gold}", "free gold gone soft"),
        ("{key: tier, operator: Equal, value: gold, effect: NoSchedule}", "free gold soft"),
        ("{key: tier, operator: '', value: gold}", "free gold gone soft"),
        ("{key: tier, value: silver}", "free soft"),
        ("{key: tier}", "free soft"),
        ("{key: gpu}", "free soft"),
        ("{key: gpu}, {key: tier, value: gold}", "free gold gone soft two"),
        ("{key: gpu, value: x}, {key: tier, value: gold}", "free gold gone soft"),
        ("{operator: Exists}", "free gold gone soft two"),
        ("{operator: Exists, effect: NoSchedule}", "free gold soft two"),
        ("{key: Tier, operator: Exists}", "free soft"),
    ] {
        assert_eq!(reached(&cluster, &format!("tolerations: [{tolerations}]")), expected, "{tolerations}");
    }
}

#[test]
fn s5_taints_that_kubernetes_sets_and_lifts_keep_nothing_off() {
    for (taint, constrains) in [
        ("node.kubernetes.io/not-ready", false),
        ("node.kubernetes.io/unreachable", false),
        ("node.kubernetes.io/unschedulable", false),
        ("node.kubernetes.io/memory-pressure", false),
        ("node.kubernetes.io/disk-pressure", false),
        ("node.kubernetes.io/pid-pressure", false),
        ("node.kubernetes.io/network-unavailable", false),
        ("node.kubernetes.io/out-of-service", false),
        ("node.cloudprovider.kubernetes.io/uninitialized", false),
        ("node.cloudprovider.kubernetes.io/shutdown", false),
        ("ToBeDeletedByClusterAutoscaler", false),
        ("DeletionCandidateOfClusterAutoscaler", false),
        ("node-role.kubernetes.io/control-plane", true),
        ("node.kubernetes.io", true),
        ("mynode.kubernetes.io/not-ready", true),
        ("node.example.com/gpu", true),
    ] {
        for effect in ["NoSchedule", "NoExecute"] {
            let node = format!(
                "{{apiVersion: v1, kind: Node, metadata: {{name: one, labels: {{name: one}}}}, spec: {{providerID: \
                 'aws:///eu-west-1a/i-1', taints: [{{key: {taint}, effect: {effect}}}]}}}}"
            );
            let cluster = state(&[&node, &tripwires(&["one"])]);
            assert_eq!(reached(&cluster, ""), if constrains { "" } else { "one" }, "{taint} {effect}");
        }
    }
}

/// A node without a location that its cloud controller has not initialised is out of reach, unless the pod tolerates
/// that; the binding judges it (section 3).
#[test]
fn s5_nodes_that_are_not_initialised_yet() {
    const TAINT: &str = "node.cloudprovider.kubernetes.io/uninitialized";
    let node = |name: &str, provider: &str, taint: &str| {
        format!(
            "{{apiVersion: v1, kind: Node, metadata: {{name: {name}, labels: {{name: {name}}}}}, spec: {{providerID: \
             '{provider}', taints: [{{key: {taint}, value: 'true', effect: NoSchedule}}]}}}}"
        )
    };
    let nodes = [
        node("unborn", "", TAINT),
        node("placed", "aws:///eu-west-1a/i-1", TAINT),
        node("dark", "", "node.kubernetes.io/not-ready"),
    ];
    let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
    let wires = tripwires(&["unborn", "placed", "dark"]);
    let cluster = state(&[&nodes[..], &[&wires]].concat());
    for (tolerations, expected) in [
        ("", "dark placed"),
        ("{key: other, operator: Exists}", "dark placed"),
        ("{key: node.cloudprovider.kubernetes.io/uninitialized, operator: Exists}", "dark placed unborn"),
        ("{key: node.cloudprovider.kubernetes.io/uninitialized, value: 'true'}", "dark placed unborn"),
        ("{key: node.cloudprovider.kubernetes.io/uninitialized, value: 'false'}", "dark placed"),
        ("{operator: Exists}", "dark placed unborn"),
    ] {
        assert_eq!(reached(&cluster, &format!("tolerations: [{tolerations}]")), expected, "{tolerations}");
    }
    // By its name it is judged as it is.
    assert_eq!(reached(&cluster, "nodeName: unborn"), "unborn");
}
