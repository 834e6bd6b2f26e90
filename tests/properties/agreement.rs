//! Engine and reference say the same: decision, reach, every policy's fault, the node that shows it, and the counts.

use std::collections::BTreeSet;

use domicile::residency::Verdict;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::reference::{Expected, Fault};
use crate::worlds;
use crate::{Ground, fault, faults, hold};

fn agree(ground: &Ground, manifest: &Value) -> Result<(), TestCaseError> {
    let fast = ground.judge(manifest);
    let slow = ground.world.judge(&worlds::parse(manifest), ground.now);
    if slow.many {
        // Its work is bounded: what is beyond that is not proven, and no node or volume is judged otherwise for it.
        let misplaced = |faults: &BTreeSet<(Option<String>, Fault)>| -> Vec<_> {
            faults.iter().filter(|(_, fault)| *fault == Fault::Place).cloned().collect()
        };
        prop_assert!(fast.reach >= slow.reach, "{fast:#?}");
        prop_assert_eq!(misplaced(&faults(&fast)), misplaced(&slow.faults), "{:#?}", &fast);
        return shown(&fast, &slow);
    }
    let said = (fast.decision, fast.reach, faults(&fast));
    let due = (slow.decision, slow.reach, slow.faults.clone());
    prop_assert_eq!(said, due, "engine, reference; {:#?}", &fast);
    shown(&fast, &slow)
}

/// The node of every finding about nodes is one that matches and is forbidden, and the counts are those of the reference.
fn shown(fast: &Verdict, slow: &Expected) -> Result<(), TestCaseError> {
    for finding in &fast.findings {
        let about_nodes = finding.field.as_deref().is_some_and(|field| {
            field.ends_with(".affinity.nodeAffinity") || field.ends_with(".nodeSelector")
        });
        if !about_nodes || fault(finding.reason) != Fault::Place {
            continue;
        }
        let Some(due) = slow.matching.get(finding.policy.as_ref().unwrap()) else {
            return Err(TestCaseError::fail(format!("nodes do not matter to that policy: {finding:#?}")));
        };
        let node = finding.example.as_ref().and_then(|example| example.node.clone());
        prop_assert!(node.is_some_and(|node| due.outside.contains(&node)), "{finding:#?}, of {due:?}");
        let counts = finding.matching.map(|matching| (matching.outside, matching.total));
        prop_assert_eq!(counts, Some((due.outside.len(), due.total)), "{:#?}", finding);
    }
    Ok(())
}

#[test]
fn pods_are_judged_as_the_reference_judges_them_to_the_node_and_the_count() {
    hold(worlds::cluster(), worlds::pod("new".to_owned(), 0.8), |ground, pod| agree(ground, &pod));
}

#[test]
fn pinned_pods_are_judged_as_the_reference_judges_them() {
    hold(worlds::broad_cluster(), worlds::pinned_pod(), |ground, pod| agree(ground, &pod));
}

#[test]
fn workloads_are_judged_as_the_reference_judges_them_to_the_node_and_the_count() {
    hold(worlds::cluster(), worlds::workload(), |ground, workload| agree(ground, &workload));
}

#[test]
fn claims_are_judged_as_the_reference_judges_them() {
    hold(worlds::cluster_with_storage(), worlds::claim(4), |ground, claim| agree(ground, &claim));
}

#[test]
fn volumes_attachments_and_snapshots_are_judged_as_the_reference_judges_them() {
    let object = prop_oneof![
        3 => worlds::persistent_volume(0).boxed(),
        1 => worlds::attachment().boxed(),
        2 => worlds::snapshot().boxed(),
    ];
    hold(worlds::cluster_with_storage(), object, |ground, object| agree(ground, &object));
}

#[test]
fn bindings_are_judged_as_the_reference_judges_the_node() {
    let inputs = (worlds::pod("new".to_owned(), 0.9), select(vec!["n0", "n1", "n2", "n3", "n9"]));
    hold(worlds::cluster(), inputs, |ground, (mut pod, node)| {
        pod["spec"].as_object_mut().unwrap().remove("nodeName");
        let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "new", "namespace": "shop"},
                             "target": {"apiVersion": "v1", "kind": "Node", "name": node}});
        let mut ground = ground.clone();
        ground.state.apply(worlds::parse(&pod));
        ground.world.add(worlds::parse(&pod));
        agree(&ground, &binding)
    });
}
