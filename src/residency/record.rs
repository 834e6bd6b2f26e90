//! What an object inherits, as it is written down so that it outlives its source (semantics 2).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::classification::Walk;
use super::verdict::Verdict;
use crate::api::keys;
use crate::cluster::{ClaimEntry, Own, Pools, SnapshotEntry, State, VolumeEntry};
use crate::objects::{Metadata, Object};
use crate::policy::is_dns_label;

/// What the annotation `domicile.dev/recorded-classification` of an object must say. `None`: what it says is right, or
/// objects of its kind keep no record.
#[must_use]
pub fn record(object: &Object, state: &State) -> Option<String> {
    let (settings, pools) = (state.settings(), &mut Pools::default());
    let mut walk = Walk::new(state);
    match object {
        Object::Claim(claim) if claim.spec.source().is_some() => {
            let entry = ClaimEntry::of(&claim.metadata, &claim.spec, settings, pools);
            walk.claim_edges(&claim.metadata.namespace, &claim.metadata.name, &entry);
            written(&claim.metadata, walk)
        }
        Object::Volume(volume) => {
            let entry = VolumeEntry::of(volume, settings, pools);
            walk.volume_edges(&volume.metadata.name, &entry);
            written(&volume.metadata, walk)
        }
        Object::Snapshot(snapshot) => {
            let entry = SnapshotEntry::of(snapshot, settings, pools);
            walk.snapshot_edges(&snapshot.metadata.namespace, &entry);
            written(&snapshot.metadata, walk)
        }
        Object::SnapshotContent(content) => {
            let of = &content.spec.volume_snapshot_ref;
            walk.namespace(&of.namespace);
            walk.snapshot(&of.namespace, &of.name);
            written(&content.metadata, walk)
        }
        _ => None,
    }
}

/// What pods that mount a claim say that they carry, and the claim does not: it is written down on the claim, since they
/// have written to it when they are gone.
#[must_use]
pub fn unrecorded(state: &State, namespace: &str, claim: &str) -> BTreeSet<Arc<str>> {
    let Some(entry) = state.claim(namespace, claim) else { return BTreeSet::new() };
    let is_known = |token: &str| entry.own.iter().any(|own| *own.token == *token);
    let brought = state.brought(namespace, claim).flat_map(|(own, _)| own.iter());
    let brought = brought.filter(|own| own.is_valid() && !is_known(&own.token));
    brought.map(|own| Arc::clone(&own.token)).collect()
}

/// What a volume, a snapshot or its content has from others, and does not say itself. Its record is made when it gets its
/// claim or is made, and those may come to carry more: it may be retained when they are gone. `verdict` is its own.
#[must_use]
pub fn unrecorded_of_data(own: &[Own], verdict: &Verdict) -> BTreeSet<Arc<str>> {
    let carried = verdict.classifications.iter().map(|one| one.name.as_str());
    let lacking = carried.filter(|token| !own.iter().any(|own| *own.token == **token));
    lacking.filter(|token| is_dns_label(token)).map(Arc::from).collect()
}

/// A record only grows: what it holds may have come from something that is gone.
fn written(metadata: &Metadata, walk: Walk<'_>) -> Option<String> {
    let before = metadata.annotations.get(keys::RECORDED).map_or("", String::as_str);
    let before: BTreeSet<&str> = before.split(',').map(str::trim).filter(|token| !token.is_empty()).collect();
    let inherited = walk.finish();
    let all: BTreeSet<&str> = before.iter().copied().chain(inherited.names()).collect();
    (all != before).then(|| all.into_iter().collect::<Vec<_>>().join(","))
}
