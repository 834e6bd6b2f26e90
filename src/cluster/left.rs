//! What an object that goes leaves on others, where its data is still: what it said, and who has it now (semantics 2).

use super::kind::Kind;
use super::own::Own;
use super::references::Key;
use super::state::State;
use crate::objects::ClaimReference;

/// What is said of the data of an object that may be gone before anybody has looked at it.
pub(super) fn said<'a>(state: &'a State, key: &'a Key) -> impl Iterator<Item = &'a Own> {
    let (namespace, name) = (key.namespace.as_str(), key.name.as_str());
    let pod = state.pod(namespace, name).filter(|_| key.kind == Kind::Pod);
    let snapshot = state.snapshot(namespace, name).filter(|_| key.kind == Kind::VolumeSnapshot);
    // A snapshot has what its claim has.
    let claim = match key.kind {
        Kind::PersistentVolumeClaim => Some(name),
        _ => snapshot.and_then(|snapshot| snapshot.claim.as_deref()),
    };
    let around = state.namespace(namespace).filter(|_| claim.is_some() || snapshot.is_some());
    let brought =
        claim.into_iter().flat_map(move |claim| state.brought(namespace, claim).map(|(own, _)| own));
    let own = [
        pod.map(|pod| &pod.own),
        snapshot.map(|snapshot| &snapshot.own),
        claim.and_then(|claim| state.claim(namespace, claim)).map(|claim| &claim.own),
        around.map(|namespace| &namespace.own),
    ];
    own.into_iter().flatten().chain(brought).flat_map(|own| own.iter())
}

/// Who has the data of an object when it is gone.
pub(super) fn heirs(state: &State, key: &Key) -> Vec<Key> {
    let (namespace, name) = (key.namespace.as_str(), key.name.as_str());
    let named = |kind: Kind| key.references(state).into_iter().filter(move |other| other.kind == kind);
    let heirs: Vec<Key> = match key.kind {
        Kind::Pod => named(Kind::PersistentVolumeClaim).collect(),
        Kind::PersistentVolumeClaim => {
            let snapshots = state.snapshots_of(namespace, name);
            let snapshots = snapshots.filter_map(|name| Key::new(Kind::VolumeSnapshot, namespace, name));
            named(Kind::PersistentVolume).chain(snapshots).collect()
        }
        Kind::VolumeSnapshot => {
            let is_its = |of: &ClaimReference| of.namespace == namespace && of.name == name;
            let contents =
                state.contents().filter(|(_, content)| content.snapshot.as_deref().is_some_and(is_its));
            let contents = contents.filter_map(|(name, _)| Key::new(Kind::VolumeSnapshotContent, "", name));
            named(Kind::VolumeSnapshotContent).chain(contents).collect()
        }
        _ => Vec::new(),
    };
    heirs.into_iter().filter(|heir| heir.is_in(state)).collect()
}
