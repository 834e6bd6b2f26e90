//! What a simulation says would break, and would no longer, is what the reference says of both worlds.

use std::collections::BTreeSet;

use domicile::objects::{Object, ObjectRef};
use domicile::residency::{Change, simulate};
use proptest::prelude::*;
use serde_json::Value;

use crate::worlds::{self, Cluster};
use crate::{Ground, Seen, hold};

/// What others are judged by, and a simulation changes.
const RULING: [&str; 3] = ["Node", "ResidencyPolicy", "ResidencyException"];

/// The cluster with some of what rules from another, and perhaps at its time.
fn changed(cluster: &Cluster, other: &Cluster, taken: [bool; 4]) -> Cluster {
    let is_taken =
        |manifest: &&Value| RULING.iter().zip(taken).any(|(kind, taken)| taken && manifest["kind"] == *kind);
    let kept = cluster.manifests.iter().filter(|one| !is_taken(one));
    let manifests = kept.chain(other.manifests.iter().filter(is_taken)).cloned().collect();
    Cluster { now: if taken[3] { other.now } else { cluster.now }, manifests, ..cluster.clone() }
}

/// The policies that each stored object breaks. `None`: the engine's work is bounded, and this is beyond it.
fn broken(ground: &Ground) -> Option<BTreeSet<(ObjectRef, Option<String>)>> {
    let mut all = BTreeSet::new();
    for manifest in &ground.cluster.manifests {
        let object = worlds::parse(manifest);
        let expected = match &object {
            Object::Pod(_) | Object::Snapshot(_) => ground.world.judge(&object, ground.now),
            // It has its claim, and the pods of that are judged for themselves.
            Object::Volume(volume) => ground.world.judge_volume(volume, ground.now),
            _ => continue,
        };
        if expected.many {
            return None;
        }
        all.extend(expected.faults.into_iter().map(|(policy, _)| (object.reference(), policy)));
    }
    Some(all)
}

fn told(changes: &[Change]) -> BTreeSet<(ObjectRef, Option<String>)> {
    let told = changes.iter().filter(|one| one.object.kind != "PersistentVolumeClaim");
    told.map(|one| (one.object.clone(), one.finding.policy.clone())).collect()
}

#[test]
fn what_would_change_is_what_the_reference_says_of_both_worlds() {
    let seen = Seen::default();
    let change = (worlds::cluster(), any::<[bool; 4]>(), worlds::pod("old0".to_owned(), 0.9));
    let cases = hold(worlds::cluster_with_storage(), change, |ground, (other, taken, pod)| {
        let mut cluster = ground.cluster.clone();
        cluster.manifests.retain(|one| {
            (&one["kind"], &one["metadata"]["name"]) != (&pod["kind"], &pod["metadata"]["name"])
        });
        cluster.manifests.push(pod);
        let after = Ground::new(changed(&cluster, &other, taken));
        let before = Ground::new(cluster);
        let (Some(was), Some(is)) = (broken(&before), broken(&after)) else { return Ok(()) };
        let impact = simulate((&before.state, before.now), (&after.state, after.now));
        prop_assert_eq!(told(&impact.broken), &is - &was, "broken");
        prop_assert_eq!(told(&impact.allowed), &was - &is, "allowed");
        if was != is {
            seen.another();
        }
        Ok(())
    });
    seen.at_least_once_in(5, cases);
}
