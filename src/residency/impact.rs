//! What a change of one object does to others that inherit from it (semantics 2).

use std::collections::{BTreeMap, BTreeSet};

use super::audit::judge_stored;
use super::classification::{Carried, Origin, Walk};
use super::judge::Court;
use super::pods::stored_case;
use super::scope::{Ruling, Scope, rulings};
use super::verdict::{Decision, Verdict};
use super::{claims, update, workloads};
use crate::api::Action;
use crate::cluster::{Kind, Own, State};
use crate::objects::{Claim, Metadata, Namespace, Object};
use crate::placement::selector::LabelsRef;

/// The objects that a warning names at most.
const NAMED: usize = 3;

/// An object of a state.
type Key = (Kind, String, String);

/// What a namespace takes away from the objects in it, which takes a verb, and what it adds to them, which is told.
pub(super) fn of_namespace(court: Court<'_>, old: &Namespace, new: &Namespace, verdict: &mut Verdict) {
    let before = with(court.state, Object::Namespace(Box::new(old.clone())));
    let after = with(court.state, Object::Namespace(Box::new(new.clone())));
    let there = members(court.state, &new.metadata.name);
    let concerned = there.iter().flat_map(|key| freed(court, &before, &after, key)).collect();
    let own = |metadata: &Metadata| -> BTreeSet<String> {
        let own = Own::of(metadata, court.state.settings());
        own.iter().filter(|own| own.is_valid()).map(|own| own.token.to_string()).collect()
    };
    let (had, has) = (own(&old.metadata), own(&new.metadata));
    let lost = had.difference(&has).map(String::as_str).collect();
    update::require(verdict, &lost, concerned);
    warn(court, &before, &after, there, verdict);
}

/// What a claim adds to the pods that mount it.
pub(super) fn of_claim(court: Court<'_>, old: &Object, new: &Claim, verdict: &mut Verdict) {
    let namespace = new.metadata.namespace.as_str();
    let mounting: Vec<Key> = court
        .state
        .mounting(namespace, &new.metadata.name)
        .filter(|(_, pod)| !pod.finished)
        .map(|(pod, _)| (Kind::Pod, namespace.to_owned(), pod.to_owned()))
        .collect();
    if mounting.is_empty() {
        return;
    }
    let before = with(court.state, old.clone());
    let after = with(court.state, Object::Claim(Box::new(new.clone())));
    warn(court, &before, &after, mounting, verdict);
}

/// The state as it would be with this object. A copy, which a change of a namespace or of what a claim carries is rare
/// enough for.
fn with(state: &State, object: Object) -> State {
    let mut changed = state.clone();
    changed.apply(object);
    changed
}

/// Everything in a namespace that inherits from it.
fn members(state: &State, namespace: &str) -> Vec<Key> {
    let key = |kind| move |name: &str| (kind, namespace.to_owned(), name.to_owned());
    let here = |there: &str| there == namespace;
    let pods = state.pods().filter(|(there, ..)| here(there)).map(|(_, name, _)| key(Kind::Pod)(name));
    let claims = state.claims().filter(|(there, ..)| here(there));
    let claims = claims.map(|(_, name, _)| key(Kind::PersistentVolumeClaim)(name));
    let snapshots = state.snapshots().filter(|(there, ..)| here(there));
    let snapshots = snapshots.map(|(_, name, _)| key(Kind::VolumeSnapshot)(name));
    let workloads = state.workloads().filter(|workload| here(&workload.metadata.namespace));
    let workloads = workloads.map(|workload| key(Kind::Workload(workload.kind))(&workload.metadata.name));
    let mut members: Vec<Key> = pods.chain(claims).chain(snapshots).chain(workloads).collect();
    members.sort_unstable();
    members
}

/// The Deny policies that select an object before and not after, or that govern what it carries only before.
fn freed(court: Court<'_>, before: &State, after: &State, key: &Key) -> Vec<String> {
    let deny = |ruling: &&Ruling<'_>| ruling.policy.action == Action::Deny;
    let (Some((had, fell)), Some((has, falls))) =
        (standing(Court { state: before, ..court }, key), standing(Court { state: after, ..court }, key))
    else {
        return Vec::new();
    };
    let lost: BTreeSet<&str> = had.names().filter(|token| !has.has(token)).collect();
    let still: BTreeSet<&str> = falls.iter().filter(deny).map(|ruling| &*ruling.policy.name).collect();
    let governs_lost =
        |ruling: &Ruling<'_>| ruling.policy.classifications.iter().any(|token| lost.contains(&**token));
    fell.iter()
        .filter(deny)
        .filter(|ruling| !still.contains(&*ruling.policy.name) || governs_lost(ruling))
        .map(|ruling| ruling.policy.name.to_string())
        .collect()
}

/// What an object of a namespace carries and falls under.
fn standing<'a>(court: Court<'a>, key: &'a Key) -> Option<(Carried<'a>, Vec<Ruling<'a>>)> {
    let (state, (kind, namespace, name)) = (court.state, key);
    let falls = |carried: Carried<'a>, labels: LabelsRef<'_>| {
        let scope = Scope { namespace: Some(namespace), labels: Some(labels) };
        let rulings = rulings(state, &carried, scope, court.now);
        (carried, rulings)
    };
    Some(match kind {
        Kind::Pod => {
            let case = stored_case(state, namespace, name, state.pod(namespace, name)?);
            falls(case.carried, case.labels)
        }
        Kind::Workload(kind) => {
            let case = workloads::case(state, state.workload(*kind, namespace, name)?, "spec");
            falls(case.carried, case.labels)
        }
        Kind::PersistentVolumeClaim => {
            let entry = state.claim(namespace, name)?;
            falls(claims::carried_by_claim(state, namespace, name, entry), LabelsRef::Kept(&entry.labels))
        }
        Kind::VolumeSnapshot => {
            let entry = state.snapshot(namespace, name)?;
            let mut walk = Walk::new(state);
            walk.add(&entry.own, Origin::Own);
            walk.snapshot_edges(namespace, entry);
            falls(walk.finish(), LabelsRef::Kept(&entry.labels))
        }
        _ => return None,
    })
}

/// Names the objects that would be denied and are not now.
fn warn(court: Court<'_>, before: &State, after: &State, objects: Vec<Key>, verdict: &mut Verdict) {
    let denied = |state: &State, (kind, namespace, name): &Key| {
        judge_stored(state, *kind, namespace, name, court.now)
            .filter(|verdict| verdict.decision == Decision::Deny)
    };
    let mut broken: BTreeMap<Key, String> = BTreeMap::new();
    for key in objects {
        if let Some(verdict) = denied(after, &key)
            && denied(before, &key).is_none()
        {
            broken.insert(key, verdict.object.to_string());
        }
    }
    if broken.is_empty() {
        return;
    }
    let more = broken.len().saturating_sub(NAMED);
    let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
    let named: Vec<_> = broken.into_values().take(NAMED).collect();
    verdict.warnings.push(format!(
        "with this, objects that exist already would be where they may not be: {}{rest}",
        named.join(", ")
    ));
}
