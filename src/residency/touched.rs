//! Which objects have to be judged anew when others change.

use std::collections::BTreeSet;

use super::whereabouts::Settled;
use crate::cluster::{Changed, Key, Kind, State, is_bound};
use crate::objects::{Volume, VolumeSource};

/// What has to be judged anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// These objects.
    Objects {
        /// May carry something else than before, or be gone.
        changed: BTreeSet<Key>,
        /// Carry what they carried: only nodes have changed, on which they are or could come to be. Who knows that no
        /// policy selects one need not judge it. Some may be among the others too.
        by_nodes: Vec<Key>,
    },
    /// Everything.
    Everything,
}

/// Which objects a change can give another verdict.
#[must_use]
pub fn touched(state: &State, changed: &Changed) -> Touched {
    let Changed::Objects(changed) = changed else { return Touched::Everything };
    let mut found = Found { state, keys: BTreeSet::new(), next: Vec::new(), templates: false };
    let nodes: BTreeSet<&str> =
        changed.iter().filter(|key| key.kind == Kind::Node).map(|key| &*key.name).collect();
    for key in changed {
        match key.kind {
            // Whom a policy selects, or whose volumes a class makes, is as many as there are.
            Kind::ResidencyPolicy | Kind::Geography | Kind::StorageClass | Kind::VolumeSnapshotClass => {
                return Touched::Everything;
            }
            Kind::Namespace => found.of_namespace(&key.name),
            Kind::ResidencyException => found.of_namespace(&key.namespace),
            Kind::Node => {}
            _ => found.push(key.clone()),
        }
    }
    found.follow();
    let by_nodes = if nodes.is_empty() { Vec::new() } else { of_nodes(state, &nodes) };
    Touched::Objects { changed: found.keys, by_nodes }
}

/// A node's place is that of the pods on it, and every object that could go to it, or whose volume could be reached from it,
/// is judged by it. No reference is followed: these are all that are judged by where something could be.
fn of_nodes(state: &State, nodes: &BTreeSet<&str>) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut name = |kind: Kind, namespace: &str, name: &str| keys.extend(Key::new(kind, namespace, name));
    // What is on one of them comes first.
    let (mut on, mut others) = (Vec::new(), Vec::new());
    for (namespace, pod, entry) in state.pods() {
        match entry.node.as_deref() {
            Some(node) if nodes.contains(node) => on.push((namespace, pod)),
            // What mounts claims alone is found by those.
            Some(_) if mounts_claims_alone(&entry.volumes) => {}
            _ => others.push((namespace, pod)),
        }
    }
    for (namespace, pod) in on {
        name(Kind::Pod, namespace, pod);
    }
    for (attachment, entry) in state.attachments() {
        if nodes.contains(&*entry.node) {
            name(Kind::VolumeAttachment, "", attachment);
        }
    }
    for (namespace, pod) in others {
        name(Kind::Pod, namespace, pod);
    }
    for workload in state.workloads() {
        name(Kind::Workload(workload.kind), &workload.metadata.namespace, &workload.metadata.name);
    }
    let mut settled = Settled::new(state);
    for (namespace, claim, entry) in state.claims() {
        if settled.claim(namespace, claim, entry) {
            continue;
        }
        name(Kind::PersistentVolumeClaim, namespace, claim);
        for (pod, entry) in state.mounting(namespace, claim) {
            let node = entry.node.as_deref();
            if node.is_some_and(|node| !nodes.contains(node)) && mounts_claims_alone(&entry.volumes) {
                name(Kind::Pod, namespace, pod);
            }
        }
    }
    for (volume, entry) in state.volumes() {
        if !settled.volume(entry) {
            name(Kind::PersistentVolume, "", volume);
        }
    }
    for (namespace, snapshot, _) in state.snapshots() {
        name(Kind::VolumeSnapshot, namespace, snapshot);
    }
    for (content, _) in state.contents() {
        name(Kind::VolumeSnapshotContent, "", content);
    }
    keys
}

/// Whether a pod mounts nothing but claims, and what is on its node.
fn mounts_claims_alone(volumes: &[Volume]) -> bool {
    volumes.iter().all(|volume| {
        matches!(volume.source, VolumeSource::Claim(_) | VolumeSource::NodeDisk | VolumeSource::NodeLocal)
    })
}

struct Found<'a> {
    state: &'a State,
    keys: BTreeSet<Key>,
    /// Those whose neighbours have not been looked at.
    next: Vec<Key>,
    /// Whether what would have claims made is among them.
    templates: bool,
}

impl Found<'_> {
    fn push(&mut self, key: Key) {
        if self.keys.insert(key.clone()) && key.kind.gives() {
            self.next.push(key);
        }
    }

    fn name(&mut self, kind: Kind, namespace: &str, name: &str) {
        if let Some(key) = Key::new(kind, namespace, name) {
            self.push(key);
        }
    }

    fn of_namespace(&mut self, namespace: &str) {
        let state = self.state;
        for (_, name, _) in state.pods().filter(|(there, ..)| *there == namespace) {
            self.name(Kind::Pod, namespace, name);
        }
        for workload in state.workloads().filter(|workload| workload.metadata.namespace == namespace) {
            self.name(Kind::Workload(workload.kind), namespace, &workload.metadata.name);
        }
        for (_, name, _) in state.claims().filter(|(there, ..)| *there == namespace) {
            self.name(Kind::PersistentVolumeClaim, namespace, name);
        }
        for (_, name, _) in state.snapshots().filter(|(there, ..)| *there == namespace) {
            self.name(Kind::VolumeSnapshot, namespace, name);
        }
        // Content stays of the namespace of its snapshot, also when that is gone.
        for (name, content) in state.contents() {
            if content.snapshot.as_ref().is_some_and(|of| of.namespace == namespace) {
                self.name(Kind::VolumeSnapshotContent, "", name);
            }
        }
    }

    /// Classifications flow along references, and most of them both ways.
    fn follow(&mut self) {
        while let Some(key) = self.next.pop() {
            for other in key.references(self.state) {
                if other.kind.gives() {
                    self.push(other);
                }
            }
            self.referring_to(&key);
        }
    }

    fn referring_to(&mut self, key: &Key) {
        let state = self.state;
        match key.kind {
            Kind::PersistentVolumeClaim => {
                for (pod, _) in state.mounting(&key.namespace, &key.name) {
                    self.name(Kind::Pod, &key.namespace, pod);
                }
                for (name, entry) in state.volumes() {
                    if is_bound(entry, &key.namespace, &key.name) {
                        self.name(Kind::PersistentVolume, "", name);
                    }
                }
                for workload in state.workloads().filter(|one| one.metadata.namespace == key.namespace) {
                    self.name(Kind::Workload(workload.kind), &key.namespace, &workload.metadata.name);
                }
                self.would_claim();
                self.copies_of(key);
            }
            Kind::PersistentVolume => {
                for (namespace, name, claim) in state.claims() {
                    // One without a volume could take it, as long as it is free.
                    if claim.volume.as_deref().is_none_or(|volume| *volume == *key.name) {
                        self.name(Kind::PersistentVolumeClaim, namespace, name);
                    }
                }
                self.would_claim();
                for (name, attachment) in state.attachments() {
                    if attachment.volume.as_deref() == Some(&*key.name) {
                        self.name(Kind::VolumeAttachment, "", name);
                    }
                }
                self.copies_of(key);
            }
            Kind::VolumeSnapshot | Kind::VolumeSnapshotContent => {
                for (name, _) in state.contents() {
                    self.name(Kind::VolumeSnapshotContent, "", name);
                }
                self.would_claim();
                self.copies_of(key);
            }
            _ => {}
        }
    }

    /// What would have claims made, which could take any volume that is free, or be copies of anything.
    fn would_claim(&mut self) {
        if std::mem::replace(&mut self.templates, true) {
            return;
        }
        let state = self.state;
        let makes =
            |volumes: &[Volume]| volumes.iter().any(|one| matches!(one.source, VolumeSource::Ephemeral(_)));
        for (namespace, name, pod) in state.pods() {
            if makes(&pod.volumes) {
                self.name(Kind::Pod, namespace, name);
            }
        }
        for workload in state.workloads() {
            if !workload.claim_templates.is_empty() || makes(&workload.template.spec.volumes) {
                let metadata = &workload.metadata;
                self.name(Kind::Workload(workload.kind), &metadata.namespace, &metadata.name);
            }
        }
    }

    /// Claims, snapshots and their contents that name it.
    fn copies_of(&mut self, key: &Key) {
        let state = self.state;
        let claims = state.claims().filter(|(_, _, claim)| claim.source.is_some());
        let claims = claims.map(|(namespace, name, _)| (Kind::PersistentVolumeClaim, namespace, name));
        let snapshots = state.snapshots().map(|(namespace, name, _)| (Kind::VolumeSnapshot, namespace, name));
        let contents = state.contents().map(|(name, _)| (Kind::VolumeSnapshotContent, "", name));
        for (kind, namespace, name) in claims.chain(snapshots).chain(contents) {
            let Some(other) = Key::new(kind, namespace, name) else { continue };
            if other.references(state).contains(key) {
                self.push(other);
            }
        }
    }
}
