//! Proven: whatever nodes join.
//!
//! The nodes that join are consistent (nothing about them contradicts itself), of a provider that the cluster has, and in
//! a region and a zone that the geography knows. Their names are their own, and no administrator has said over the catalog's
//! head where they are, unless that is what the object asks for.

use std::sync::Arc;

use domicile::geography::{Defaults, Located};
use domicile::objects::{Node, Object, Pod};
use domicile::residency::Reach;
use proptest::prelude::*;
use serde_json::Value;

use crate::reference::World;
use crate::reference::matching;
use crate::reference::pods;
use crate::worlds::{self, CLASSIFICATION, RESTRICTED};
use crate::{Seen, hold};

fn node(manifest: &Value) -> Node {
    match worlds::parse(manifest) {
        Object::Node(node) => *node,
        other => panic!("{other:?}"),
    }
}

/// Those of them that could join this cluster.
fn joining(world: &World, providers: &[Arc<str>], nodes: Vec<Value>, restricted: bool) -> Vec<Value> {
    let located = |manifest: &Value| -> Located {
        let node = node(manifest);
        world.geography.locate_node(&node.metadata.labels, &node.spec.provider_id, &Defaults::default())
    };
    nodes
        .into_iter()
        .map(|mut manifest| {
            if !restricted {
                manifest["metadata"]["labels"].as_object_mut().unwrap().remove(RESTRICTED);
            }
            manifest
        })
        .filter(|manifest| {
            let Located { location, conflicts, doubt } = located(manifest);
            let of_cluster = location.provider.as_ref().is_some_and(|provider| providers.contains(provider));
            of_cluster && location.jurisdiction.is_some() && conflicts.is_empty() && doubt.is_none()
        })
        .collect()
}

/// The providers that a pod makes one think of: also those of nodes that are still initialising, if it bears that.
fn providers(world: &World, pod: &Pod) -> Vec<Arc<str>> {
    let reached = world
        .nodes
        .iter()
        .filter(|node| !world.is_out_of_reach(node) || matching::bears_uninitialized(&pod.spec, node));
    world.providers(reached)
}

/// Whether every way to meet the pod's constraints asks for the label that places a node over the catalog's head.
fn asks_for_restricted(world: &World, pod: &Pod) -> bool {
    let conjuncts = pods::conjuncts(world, &pod.metadata.namespace, &pod.spec);
    !conjuncts.is_empty()
        && conjuncts.iter().all(|demands| {
            demands.iter().any(|demand| {
                demand.label.as_deref() == Some(RESTRICTED)
                    && demand.operator == domicile::objects::Operator::In
            })
        })
}

fn pod(manifest: &Value) -> Pod {
    match worlds::parse(manifest) {
        Object::Pod(pod) => *pod,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_proven_pod_is_permitted_wherever_nodes_join() {
    let joins: Vec<_> = (0..10).map(|number| worlds::joining(number).boxed()).collect();
    let (proven, matched) = (Seen::default(), Seen::default());
    let inputs = (worlds::pinned_pod(), joins);
    let cases = hold(worlds::broad_cluster(), inputs, |ground, (manifest, joins)| {
        if ground.judge(&manifest).reach != Reach::Proven {
            return Ok(());
        }
        proven.another();
        let (world, pod) = (&ground.world, pod(&manifest));
        let joins = joining(world, &providers(world, &pod), joins, asks_for_restricted(world, &pod));
        let after = ground.judge_in(&ground.with(&joins), &manifest);
        prop_assert_ne!(after.reach, Reach::Violated, "{:#?}", &after);
        let mut whole = world.clone();
        joins.iter().for_each(|node| whole.add(worlds::parse(node)));
        let there = pods::matching_nodes(&whole, &pod.metadata.namespace, &pod.spec);
        if there.iter().any(|node| node.metadata.name.starts_with("joining")) {
            matched.another();
        }
        Ok(())
    });
    proven.at_least_once_in(40, cases);
    matched.at_least_once_in(100, cases);
}

#[test]
fn a_proven_claim_or_volume_is_permitted_wherever_nodes_join() {
    let joins: Vec<_> = (0..6).map(|number| worlds::joining(number).boxed()).collect();
    let object = prop_oneof![worlds::claim(4).boxed(), worlds::persistent_volume(0).boxed()];
    let object = object.prop_map(|mut object| {
        object["metadata"]["annotations"][CLASSIFICATION] = "personal".into();
        object
    });
    let proven = Seen::default();
    let cases = hold(worlds::broad_cluster(), (object, joins), |ground, (manifest, joins)| {
        if ground.judge(&manifest).reach != Reach::Proven {
            return Ok(());
        }
        let world = &ground.world;
        let reached = world.nodes.iter().filter(|node| !world.is_out_of_reach(node));
        // Codes without a provider are those of the providers that there are: these must stay the same.
        if reached.clone().next().is_none()
            || reached.clone().any(|node| world.locate(node).provider.is_none())
        {
            return Ok(());
        }
        proven.another();
        let joins = joining(world, &world.providers(reached), joins, true);
        let after = ground.judge_in(&ground.with(&joins), &manifest);
        prop_assert_ne!(after.reach, Reach::Violated, "{:#?}", &after);
        Ok(())
    });
    proven.at_least_once_in(100, cases);
}

#[test]
fn no_node_that_a_proven_or_observed_pod_matches_now_is_forbidden() {
    let seen = Seen::default();
    let cases = hold(worlds::cluster(), worlds::pod("new".to_owned(), 0.95), |ground, manifest| {
        let verdict = ground.judge(&manifest);
        if !matches!(verdict.reach, Reach::Proven | Reach::Observed) {
            return Ok(());
        }
        seen.another();
        // Each node that matches, asked about by itself: a pod that names it.
        let pod = pod(&manifest);
        let there = pods::matching_nodes(&ground.world, &pod.metadata.namespace, &pod.spec);
        for node in there.into_iter().filter(|_| pod.spec.node_name.is_empty()) {
            let mut there = manifest.clone();
            there["spec"]["nodeName"] = node.metadata.name.clone().into();
            let there = ground.judge(&there);
            prop_assert_ne!(there.reach, Reach::Violated, "on {}: {:#?}", &node.metadata.name, &there);
        }
        Ok(())
    });
    seen.at_least_once_in(10, cases);
}
