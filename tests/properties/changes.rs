//! The same answer however the state came about, and whoever asks; and changes that change nothing.

use std::collections::BTreeSet;

use domicile::api::keys;
use domicile::cluster::{Kind, State};
use domicile::residency::{Decision, Finding, Request, Verdict, judge, judge_stored};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::reference::Fault;
use crate::worlds::{self, Cluster};
use crate::{fault, faults, hold};

pub(crate) fn kind_of(manifest: &Value) -> Kind {
    match manifest["kind"].as_str().unwrap() {
        "Node" => Kind::Node,
        "Namespace" => Kind::Namespace,
        "StorageClass" => Kind::StorageClass,
        "PersistentVolume" => Kind::PersistentVolume,
        "PersistentVolumeClaim" => Kind::PersistentVolumeClaim,
        "Pod" => Kind::Pod,
        "VolumeSnapshot" => Kind::VolumeSnapshot,
        "VolumeSnapshotClass" => Kind::VolumeSnapshotClass,
        "ResidencyPolicy" => Kind::ResidencyPolicy,
        "ResidencyException" => Kind::ResidencyException,
        other => panic!("{other}"),
    }
}

/// The state as a watch would have built it: one object after another in some order, other objects of other clusters
/// coming and going.
fn watched(cluster: &Cluster, other: &Cluster, order: u64) -> State {
    let mut state = cluster.empty_state();
    let mut left: Vec<(bool, &Value)> = cluster.manifests.iter().map(|one| (true, one)).collect();
    left.extend(other.manifests.iter().map(|one| (false, one)));
    let mut dice = order;
    while !left.is_empty() {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (_, manifest) = left.swap_remove((dice >> 33) as usize % left.len());
        state.apply(worlds::parse(manifest));
    }
    let named = |manifest: &Value| {
        let of = |field: &str| manifest["metadata"][field].as_str().unwrap_or_default().to_owned();
        (kind_of(manifest), of("namespace"), of("name"))
    };
    let ours: BTreeSet<_> = cluster.manifests.iter().map(named).collect();
    for (kind, namespace, name) in other.manifests.iter().map(named) {
        if !ours.contains(&(kind, namespace.clone(), name.clone())) {
            state.delete(kind, &namespace, &name);
        }
    }
    // What both have may stand there as the other has it.
    for manifest in &cluster.manifests {
        state.apply(worlds::parse(manifest));
    }
    state
}

#[test]
fn replicas_answer_alike_whatever_order_the_state_came_in() {
    let object = prop_oneof![
        2 => worlds::pod("new".to_owned(), 0.9).boxed(),
        1 => worlds::workload().boxed(),
        1 => worlds::claim(4).boxed(),
    ];
    let inputs = (worlds::cluster(), vec(object, 25), any::<u64>());
    hold(worlds::cluster(), inputs, |ground, (other, manifests, order)| {
        let late = watched(&ground.cluster, &other, order);
        for manifest in manifests {
            prop_assert_eq!(ground.judge(&manifest), ground.judge_in(&late, &manifest));
        }
        Ok(())
    });
}

fn said(verdict: &Verdict) -> impl PartialEq + std::fmt::Debug {
    (verdict.decision, verdict.reach, faults(verdict))
}

#[test]
fn what_is_stored_is_judged_as_its_manifest() {
    let object = prop_oneof![
        2 => worlds::pod("new".to_owned(), 0.9).boxed(),
        1 => worlds::persistent_volume(0).boxed(),
        1 => worlds::snapshot().boxed(),
    ];
    hold(worlds::cluster_with_storage(), object, |ground, manifest| {
        let state = ground.with([&manifest]);
        let asked = ground.judge_in(&state, &manifest);
        let of = |field: &str| manifest["metadata"][field].as_str().unwrap_or_default();
        let stored = judge_stored(&state, kind_of(&manifest), of("namespace"), of("name"), ground.now);
        prop_assert_eq!(stored.as_ref().map(said), Some(said(&asked)), "{:#?}\n{:#?}", &stored, &asked);
        Ok(())
    });
}

#[test]
fn a_change_that_judgement_does_not_read_is_admitted() {
    let object = prop_oneof![
        worlds::pod("new".to_owned(), 0.9).boxed(),
        worlds::workload().boxed(),
        worlds::claim(4).boxed(),
        worlds::persistent_volume(0).boxed(),
    ];
    hold(worlds::cluster(), object, |ground, manifest| {
        let mut new = manifest.clone();
        new["metadata"]["finalizers"] = json!([]);
        new["metadata"]["annotations"]["note"] = "1".into();
        new["metadata"]["labels"]["note"] = "1".into();
        let (old, new) = (worlds::parse(&manifest), worlds::parse(&new));
        let changed = judge(&Request::update(&old, &new), &ground.state, ground.now);
        prop_assert_eq!(changed.decision, Decision::Allow, "{:#?}", &changed);
        prop_assert!(changed.findings.is_empty() && changed.requires.is_empty(), "{:#?}", &changed);
        Ok(())
    });
}

/// What is wrong with the object itself, not with pods that use it already.
fn own_faults(verdict: &Verdict) -> BTreeSet<(Option<String>, Fault)> {
    let of_object = |finding: &&Finding| finding.field.as_deref() != Some("metadata.name");
    let all = verdict.findings.iter().filter(of_object);
    all.map(|finding| (finding.policy.clone(), fault(finding.reason))).collect()
}

/// Whether all that is new of what data carries is a record, which speaks for what may be gone, and the object is as it was.
fn is_only_recorded(old: &Value, new: &Value) -> bool {
    let said = |object: &Value, key: &str| -> BTreeSet<String> {
        let list = object["metadata"]["annotations"][key].as_str().unwrap_or_default();
        list.split(',').map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()).collect()
    };
    let [before, after] = [old, new].map(|object| said(object, keys::RECORDED));
    ["PersistentVolumeClaim", "PersistentVolume", "VolumeSnapshot"].contains(&new["kind"].as_str().unwrap())
        && old["spec"] == new["spec"]
        && said(old, keys::CLASSIFICATION) == said(new, keys::CLASSIFICATION)
        && after != before
        && after.is_superset(&before)
}

#[test]
fn a_change_is_judged_as_what_it_makes_unless_that_is_judged_as_what_was() {
    let object = prop_oneof![
        2 => (worlds::pod("new".to_owned(), 0.9), worlds::pod("new".to_owned(), 0.9)).boxed(),
        1 => (worlds::claim(4), worlds::claim(4)).boxed(),
        1 => (worlds::persistent_volume(0), worlds::persistent_volume(0)).boxed(),
        1 => (worlds::snapshot(), worlds::snapshot()).boxed(),
    ];
    hold(worlds::cluster(), (object, any::<[bool; 3]>()), |ground, ((old, mut new), as_it_was)| {
        for (field, _) in ["spec", "metadata", "status"].into_iter().zip(as_it_was).filter(|(_, same)| *same)
        {
            new[field] = old[field].clone();
        }
        let is_only_recorded = is_only_recorded(&old, &new);
        let (old, new) = (worlds::parse(&old), worlds::parse(&new));
        let mut state = ground.state.clone();
        state.apply(old.clone());
        let anew = |object| own_faults(&judge(&Request::create(object), &state, ground.now));
        let changed = judge(&Request::update(&old, &new), &state, ground.now);
        if is_only_recorded && changed.findings.is_empty() {
            return Ok(());
        }
        prop_assert!(
            own_faults(&changed) == anew(&new) || changed.findings.is_empty() && anew(&new) == anew(&old),
            "{:?}, then {:?}: {changed:#?}",
            anew(&old),
            anew(&new)
        );
        Ok(())
    });
}
