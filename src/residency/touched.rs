//! Which objects have to be judged anew when others change.

use std::collections::BTreeSet;

use crate::cluster::{Changed, Key, Kind, State, is_bound};
use crate::objects::{Volume, VolumeSource};

/// What has to be judged anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// These objects. Some of them may be gone.
    Objects(BTreeSet<Key>),
    /// Everything.
    Everything,
}

/// Which objects a change can give another verdict.
#[must_use]
pub fn touched(state: &State, changed: &Changed) -> Touched {
    let Changed::Objects(changed) = changed else { return Touched::Everything };
    let mut found = Found { state, keys: BTreeSet::new(), next: Vec::new() };
    for key in changed {
        match key.kind {
            // Whom a policy selects, or whose volumes a class makes, is as many as there are.
            Kind::ResidencyPolicy | Kind::Geography | Kind::StorageClass | Kind::VolumeSnapshotClass => {
                return Touched::Everything;
            }
            Kind::Namespace => found.of_namespace(&key.name),
            Kind::ResidencyException => found.of_namespace(&key.namespace),
            Kind::Node => found.of_node(&key.name),
            _ => found.push(key.clone()),
        }
    }
    found.follow();
    Touched::Objects(found.keys)
}

struct Found<'a> {
    state: &'a State,
    keys: BTreeSet<Key>,
    /// Those whose neighbours have not been looked at.
    next: Vec<Key>,
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

    /// What is judged without hanging on a node that has been decided.
    fn unsettled(&mut self) {
        let state = self.state;
        for workload in state.workloads() {
            let metadata = &workload.metadata;
            self.name(Kind::Workload(workload.kind), &metadata.namespace, &metadata.name);
        }
        for (namespace, name, _) in state.claims() {
            self.name(Kind::PersistentVolumeClaim, namespace, name);
        }
        for (name, _) in state.volumes() {
            self.name(Kind::PersistentVolume, "", name);
        }
        for (namespace, name, _) in state.snapshots() {
            self.name(Kind::VolumeSnapshot, namespace, name);
        }
        for (name, _) in state.contents() {
            self.name(Kind::VolumeSnapshotContent, "", name);
        }
    }

    /// A node's place is that of the pods on it; and every object that could go to it, or whose volume can be reached
    /// from it, is judged by it.
    fn of_node(&mut self, node: &str) {
        let state = self.state;
        self.unsettled();
        for (namespace, name, pod) in state.pods() {
            if pod.node.as_deref().is_none_or(|there| there == node) || !pod.spec.volumes.is_empty() {
                self.name(Kind::Pod, namespace, name);
            }
        }
        for (name, attachment) in state.attachments() {
            if *attachment.node == *node {
                self.name(Kind::VolumeAttachment, "", name);
            }
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
                self.copies_of(key);
            }
            _ => {}
        }
    }

    /// What would have claims made, which could take any volume that is free.
    fn would_claim(&mut self) {
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
