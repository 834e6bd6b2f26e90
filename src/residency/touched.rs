//! Which objects have to be judged anew when others change.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use ahash::AHashMap;

use super::whereabouts::Settled;
use crate::cluster::{Changed, Key, Kind, State};
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
    let mut found = Found {
        state,
        keys: BTreeSet::new(),
        next: Vec::new(),
        referring: OnceCell::new(),
        done: BTreeSet::new(),
    };
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
    /// What names what, once somebody asks.
    referring: OnceCell<Referring<'a>>,
    /// What is all found at once, and was.
    done: BTreeSet<Crowd>,
}

/// Objects that are found together, whoever asks for them.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Crowd {
    /// What would have claims made, which could take any volume that is free, or be copies of anything.
    Templates,
    /// Claims without a volume, which could take any that is free.
    Unbound,
    /// The contents of snapshots.
    Contents,
    /// The workloads of a namespace.
    Workloads(String),
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
                self.crowd(Crowd::Workloads(key.namespace.clone()));
            }
            Kind::PersistentVolume => self.crowd(Crowd::Unbound),
            Kind::VolumeSnapshot | Kind::VolumeSnapshotContent => self.crowd(Crowd::Contents),
            _ => return,
        }
        self.crowd(Crowd::Templates);
        let naming = self.referring.get_or_init(|| Referring::of(state)).naming(key);
        for other in naming {
            self.push(other);
        }
    }

    fn crowd(&mut self, crowd: Crowd) {
        if self.done.contains(&crowd) {
            return;
        }
        let state = self.state;
        match &crowd {
            Crowd::Templates => self.would_claim(),
            Crowd::Unbound => {
                for (namespace, name, _) in state.claims().filter(|(.., claim)| claim.volume.is_none()) {
                    self.name(Kind::PersistentVolumeClaim, namespace, name);
                }
            }
            Crowd::Contents => {
                for (name, _) in state.contents() {
                    self.name(Kind::VolumeSnapshotContent, "", name);
                }
            }
            Crowd::Workloads(namespace) => {
                for workload in state.workloads().filter(|one| one.metadata.namespace == *namespace) {
                    self.name(Kind::Workload(workload.kind), namespace, &workload.metadata.name);
                }
            }
        }
        self.done.insert(crowd);
    }

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
}

/// What names a claim, a volume, a snapshot or its content. To look through everything for each of thousands of copies of one
/// claim would take minutes, and nobody is answered meanwhile who waits for the state.
#[derive(Default)]
struct Referring<'a> {
    /// Claims, snapshots and contents, by what they are made of or belong to.
    copies: AHashMap<Key, Vec<Key>>,
    /// Volumes by the claim that they belong to.
    volumes: AHashMap<(&'a str, &'a str), Vec<&'a str>>,
    /// Claims by their volume.
    claims: AHashMap<&'a str, Vec<(&'a str, &'a str)>>,
    /// Attachments by their volume.
    attachments: AHashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Referring<'a> {
    fn of(state: &'a State) -> Self {
        let mut found = Self::default();
        for (name, volume) in state.volumes() {
            if let Some(claim) = &volume.claim {
                found.volumes.entry((&*claim.namespace, &*claim.name)).or_default().push(name);
            }
        }
        for (namespace, name, claim) in state.claims() {
            if let Some(volume) = claim.volume.as_deref() {
                found.claims.entry(volume).or_default().push((namespace, name));
            }
            if claim.source.is_some() {
                found.copy(state, Kind::PersistentVolumeClaim, namespace, name);
            }
        }
        for (namespace, name, _) in state.snapshots() {
            found.copy(state, Kind::VolumeSnapshot, namespace, name);
        }
        for (name, _) in state.contents() {
            found.copy(state, Kind::VolumeSnapshotContent, "", name);
        }
        for (name, attachment) in state.attachments() {
            if let Some(volume) = attachment.volume.as_deref() {
                found.attachments.entry(volume).or_default().push(name);
            }
        }
        found
    }

    fn copy(&mut self, state: &State, kind: Kind, namespace: &str, name: &str) {
        let Some(key) = Key::new(kind, namespace, name) else { return };
        for of in key.references(state).into_iter().filter(|of| of.kind.gives()) {
            self.copies.entry(of).or_default().push(key.clone());
        }
    }

    fn naming(&self, key: &Key) -> Vec<Key> {
        let mut found = self.copies.get(key).cloned().unwrap_or_default();
        let (namespace, name) = (key.namespace.as_str(), key.name.as_str());
        match key.kind {
            Kind::PersistentVolumeClaim => {
                let volumes = self.volumes.get(&(namespace, name)).into_iter().flatten();
                found.extend(volumes.filter_map(|volume| Key::new(Kind::PersistentVolume, "", volume)));
            }
            Kind::PersistentVolume => {
                let claims = self.claims.get(name).into_iter().flatten();
                found.extend(
                    claims.filter_map(|(namespace, name)| {
                        Key::new(Kind::PersistentVolumeClaim, namespace, name)
                    }),
                );
                let attachments = self.attachments.get(name).into_iter().flatten();
                found.extend(attachments.filter_map(|name| Key::new(Kind::VolumeAttachment, "", name)));
            }
            _ => {}
        }
        found
    }
}
