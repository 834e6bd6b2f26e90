//! The state: every object that judgement reads, by name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ahash::AHashMap;
use parking_lot::Mutex;

use super::free::Free;
use super::kept::{AttachmentEntry, ClaimEntry, Kept, NamespaceEntry, PodEntry, SnapshotEntry, VolumeEntry};
use super::kind::Kind;
use super::pool::Pools;
use super::settings::Settings;
use super::table::Table;
use super::topology::Topology;
use super::views::mounted_claims;
use crate::objects::{Object, ObjectRef, SnapshotClass, StorageClass, Workload, WorkloadKind};

/// Something that is wrong with an object of our own kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The object.
    pub object: ObjectRef,
    /// What is wrong, where, and what to do.
    pub message: String,
    /// Whether the webhook refuses the object for it.
    pub refused: bool,
}

pub(super) type Namespaced<T> = AHashMap<Box<str>, Arc<Table<T>>>;

/// Uids by kind and name.
type Uids = BTreeMap<(Kind, Box<str>), Box<str>>;

/// What is known of a cluster. A copy shares everything with the original until one of them changes, and then all but
/// the part that does.
#[derive(Clone, Debug)]
pub struct State {
    pub(super) settings: Settings,
    pub(super) topology: Arc<Topology>,
    pub(super) namespaces: Arc<Table<NamespaceEntry>>,
    pub(super) classes: BTreeMap<Box<str>, Arc<StorageClass>>,
    pub(super) volumes: Arc<Table<VolumeEntry>>,
    pub(super) free_volumes: Arc<Free>,
    pub(super) claims: Namespaced<ClaimEntry>,
    pub(super) pods: Namespaced<PodEntry>,
    /// By namespace and claim, the pods that mount it, each once, sorted by what they carry and by name.
    pub(super) mounts: Namespaced<Box<[Box<str>]>>,
    pub(super) workloads: BTreeMap<(WorkloadKind, Box<str>, Box<str>), Arc<Workload>>,
    pub(super) attachments: BTreeMap<Box<str>, AttachmentEntry>,
    pub(super) snapshots: Namespaced<SnapshotEntry>,
    pub(super) contents: Table<SnapshotEntry>,
    pub(super) snapshot_classes: BTreeMap<Box<str>, Arc<SnapshotClass>>,
    pub(super) absent: BTreeSet<Kind>,
    /// Stored objects that cannot be read, in full at least, and why.
    pub(super) unreadable: BTreeMap<(Kind, Box<str>, Box<str>), String>,
    /// Of stored policies and geographies, by kind and name: one that is made again has another. No judgement reads it.
    pub(super) uids: Arc<Uids>,
    /// Shared with copies: it holds nothing that changes.
    pub(super) pools: Arc<Mutex<Pools>>,
}

impl Default for State {
    fn default() -> Self {
        Self::new(Settings::default())
    }
}

impl State {
    /// An empty cluster.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let topology = Topology::new(settings.defaults);
        Self {
            settings,
            topology: Arc::new(topology),
            namespaces: Arc::default(),
            classes: BTreeMap::new(),
            volumes: Arc::default(),
            free_volumes: Arc::default(),
            claims: Namespaced::default(),
            pods: Namespaced::default(),
            mounts: Namespaced::default(),
            workloads: BTreeMap::new(),
            attachments: BTreeMap::new(),
            snapshots: Namespaced::default(),
            contents: Table::default(),
            snapshot_classes: BTreeMap::new(),
            absent: BTreeSet::new(),
            unreadable: BTreeMap::new(),
            uids: Arc::default(),
            pools: Arc::default(),
        }
    }

    /// Takes objects that come together, in the order that costs least: what places things before what is placed.
    pub fn apply_all(&mut self, objects: impl IntoIterator<Item = Object>) {
        let mut objects: Vec<_> = objects.into_iter().collect();
        objects.sort_by_key(|object| match object {
            Object::Geography(_) => 0,
            Object::Policy(_) => 1,
            Object::Exception(_) => 2,
            Object::Node(_) => 3,
            _ => 4,
        });
        for object in objects {
            self.apply(object);
        }
    }

    /// Takes an object, in place of one of the same name. A Binding is an act and leaves nothing.
    pub fn apply(&mut self, object: Object) {
        let (namespace, object_name) = object.key();
        let (namespace, object_name) = (name(namespace), name(object_name));
        if let Some(kind) = Kind::of(&object) {
            self.forget_unreadable(kind, &namespace, &object_name);
        }
        let kept = Kept::of(object, &self.settings, &mut self.pools.lock());
        if let Some(kept) = kept {
            self.put(namespace, object_name, kept);
        }
    }

    /// Keeps an object, in place of one of the same name.
    pub(super) fn put(&mut self, namespace: Box<str>, name: Box<str>, kept: Kept) {
        match kept {
            Kept::Pod(pod) => self.put_pod(namespace, &name, pod),
            Kept::Workload(workload) => {
                self.workloads.insert((workload.kind, namespace, name), workload);
            }
            Kept::Claim(claim) => {
                Arc::make_mut(self.claims.entry(namespace).or_default()).insert(name, claim);
            }
            Kept::Volume(volume) => self.put_volume(name, volume),
            Kept::StorageClass(class) => {
                self.classes.insert(name, class);
            }
            Kept::Attachment(attachment) => {
                self.attachments.insert(name, attachment);
            }
            Kept::Snapshot(snapshot) => {
                Arc::make_mut(self.snapshots.entry(namespace).or_default()).insert(name, snapshot);
            }
            Kept::SnapshotContent(content) => {
                self.contents.insert(name, content);
            }
            Kept::SnapshotClass(class) => {
                self.snapshot_classes.insert(name, class);
            }
            Kept::Namespace(namespace) => {
                Arc::make_mut(&mut self.namespaces).insert(name, namespace);
            }
            Kept::Node(node) => {
                let mut pools = self.pools.lock();
                Arc::make_mut(&mut self.topology).apply_node(&node, |text| pools.text(text));
            }
            Kept::Policy(policy) => self.topology_mut().apply_policy(*policy),
            Kept::UnreadablePolicy(classifications) => {
                self.topology_mut().apply_unreadable_policy(&name, &classifications);
            }
            Kept::Geography(spec) => self.topology_mut().apply_geography(&name, *spec),
            Kept::UnreadableGeography => self.apply_unreadable_geography(&name),
            Kept::Exception(exception) => self.topology_mut().apply_exception(*exception),
        }
    }

    /// An object as it is kept.
    pub(super) fn kept(&self, kind: Kind, namespace: &str, name: &str) -> Option<Kept> {
        Some(match kind {
            Kind::Pod => Kept::Pod(self.pod(namespace, name)?.clone()),
            Kind::Workload(kind) => {
                Kept::Workload(self.workloads.get(&(kind, namespace.into(), name.into()))?.clone())
            }
            Kind::PersistentVolumeClaim => Kept::Claim(self.claim(namespace, name)?.clone()),
            Kind::PersistentVolume => Kept::Volume(self.volume(name)?.clone()),
            Kind::StorageClass => Kept::StorageClass(self.classes.get(name)?.clone()),
            Kind::VolumeAttachment => Kept::Attachment(self.attachment(name)?.clone()),
            Kind::VolumeSnapshot => Kept::Snapshot(self.snapshot(namespace, name)?.clone()),
            Kind::VolumeSnapshotContent => Kept::SnapshotContent(self.content(name)?.clone()),
            Kind::VolumeSnapshotClass => Kept::SnapshotClass(self.snapshot_classes.get(name)?.clone()),
            Kind::Namespace => Kept::Namespace(self.namespace(name)?.clone()),
            Kind::Node => Kept::Node(Box::new(self.nodes().get(name)?.to_node())),
            Kind::ResidencyPolicy => match self.topology.written_policy(name) {
                Some(policy) => Kept::Policy(Box::new(policy.clone())),
                None => Kept::UnreadablePolicy(self.topology.unreadable_policy(name)?),
            },
            Kind::Geography => match self.topology.geography_spec(name) {
                Some(spec) => Kept::Geography(Box::new(spec.clone())),
                None if self.topology.is_unread(name) => Kept::UnreadableGeography,
                None => return None,
            },
            Kind::ResidencyException => {
                Kept::Exception(Box::new(self.topology.written_exception(namespace, name)?.clone()))
            }
        })
    }

    /// A stored policy that cannot be read: it permits nothing for what can be read of what it governs.
    pub fn apply_unreadable_policy(&mut self, name: &str, classifications: &[String]) {
        self.topology_mut().apply_unreadable_policy(name, classifications);
    }

    /// A stored geography that cannot be read: until it can be, no place is known, and no policy permits any.
    pub fn apply_unreadable_geography(&mut self, name: &str) {
        self.topology_mut().apply_unreadable_geography(name);
    }

    /// Takes an object out. `namespace` is empty for cluster-scoped kinds.
    pub fn delete(&mut self, kind: Kind, namespace: &str, name: &str) {
        self.forget_unreadable(kind, namespace, name);
        self.remove(kind, namespace, name);
    }

    fn forget_unreadable(&mut self, kind: Kind, namespace: &str, name: &str) {
        if !self.unreadable.is_empty() {
            self.unreadable.remove(&(kind, namespace.into(), name.into()));
        }
    }

    /// Takes an object out, and leaves what is noted of it.
    pub(super) fn remove(&mut self, kind: Kind, namespace: &str, name: &str) {
        fn from<T: Clone>(objects: &mut Namespaced<T>, namespace: &str, name: &str) {
            if let Some(there) = objects.get_mut(namespace).map(Arc::make_mut) {
                there.remove(name);
                if there.is_empty() {
                    objects.remove(namespace);
                }
            }
        }
        match kind {
            Kind::Node => self.topology_mut().delete_node(name),
            Kind::Namespace => {
                Arc::make_mut(&mut self.namespaces).remove(name);
            }
            Kind::StorageClass => {
                self.classes.remove(name);
            }
            Kind::PersistentVolume => {
                if let Some(old) = Arc::make_mut(&mut self.volumes).remove(name) {
                    Arc::make_mut(&mut self.free_volumes).forget(name, &old);
                }
            }
            Kind::PersistentVolumeClaim => from(&mut self.claims, namespace, name),
            Kind::Pod => {
                self.unmount(namespace, name);
                from(&mut self.pods, namespace, name);
            }
            Kind::Workload(kind) => {
                self.workloads.remove(&(kind, namespace.into(), name.into()));
            }
            Kind::VolumeAttachment => {
                self.attachments.remove(name);
            }
            Kind::VolumeSnapshot => from(&mut self.snapshots, namespace, name),
            Kind::VolumeSnapshotContent => {
                self.contents.remove(name);
            }
            Kind::VolumeSnapshotClass => {
                self.snapshot_classes.remove(name);
            }
            Kind::ResidencyPolicy => self.topology_mut().delete_policy(name),
            Kind::Geography => self.topology_mut().delete_geography(name),
            Kind::ResidencyException => self.topology_mut().delete_exception(namespace, name),
        }
    }

    /// Takes every object of a kind out, before a watch begins anew.
    pub fn reset(&mut self, kind: Kind) {
        match kind {
            Kind::Namespace => self.namespaces = Arc::default(),
            Kind::StorageClass => self.classes.clear(),
            Kind::PersistentVolume => {
                self.volumes = Arc::default();
                self.free_volumes = Arc::default();
            }
            Kind::PersistentVolumeClaim => self.claims.clear(),
            Kind::Pod => {
                self.pods.clear();
                self.mounts.clear();
            }
            Kind::Workload(kind) => self.workloads.retain(|(known, _, _), _| *known != kind),
            Kind::VolumeAttachment => self.attachments.clear(),
            Kind::VolumeSnapshot => self.snapshots.clear(),
            Kind::VolumeSnapshotContent => self.contents.clear(),
            Kind::VolumeSnapshotClass => self.snapshot_classes.clear(),
            Kind::Node => self.topology_mut().reset_nodes(),
            Kind::ResidencyPolicy => self.topology_mut().reset_policies(),
            Kind::Geography => self.topology_mut().reset_geographies(),
            Kind::ResidencyException => self.topology_mut().reset_exceptions(),
        }
    }

    /// A copy in which nobody is granted an exception.
    #[must_use]
    pub fn without_exceptions(&self) -> Self {
        let mut strict = self.clone();
        strict.reset(Kind::ResidencyException);
        strict
    }

    /// Says of which kinds nothing was given, so that what is missing of them is not held against an object.
    pub fn set_absent(&mut self, kinds: BTreeSet<Kind>) {
        self.absent = kinds;
    }

    /// Whether nothing was given of a kind.
    #[must_use]
    pub fn is_absent(&self, kind: Kind) -> bool {
        self.absent.contains(&kind)
    }

    fn topology_mut(&mut self) -> &mut Topology {
        Arc::make_mut(&mut self.topology)
    }

    fn put_volume(&mut self, name: Box<str>, volume: VolumeEntry) {
        let free = Arc::make_mut(&mut self.free_volumes);
        if let Some(old) = self.volumes.get(&name) {
            free.forget(&name, old);
        }
        free.learn(&name, &volume);
        Arc::make_mut(&mut self.volumes).insert(name, volume);
    }

    fn put_pod(&mut self, namespace: Box<str>, pod_name: &str, entry: PodEntry) {
        self.unmount(&namespace, pod_name);
        let claims: BTreeSet<Box<str>> = mounted_claims(&entry.volumes, pod_name).map(Into::into).collect();
        let pods = Arc::make_mut(self.pods.entry(namespace.clone()).or_default());
        pods.insert(pod_name.into(), entry);
        if claims.is_empty() {
            return;
        }
        let pods = &*pods;
        let mounts = Arc::make_mut(self.mounts.entry(namespace).or_default());
        // Every replica names the same pod first, whichever it learned of first.
        let rank = |name: &str| pods.get(name).map(|pod| &pod.own);
        for claim in claims {
            let mut names = mounts.remove(&claim).map(Vec::from).unwrap_or_default();
            let mine = (rank(pod_name), pod_name);
            let is_before = |name: &str| (rank(name), name) < mine;
            let at = names.partition_point(|name| is_before(name));
            names.insert(at, pod_name.into());
            mounts.insert(claim, names.into());
        }
    }

    fn unmount(&mut self, namespace: &str, pod_name: &str) {
        let Some(pod) = self.pods.get(namespace).and_then(|there| there.get(pod_name)) else { return };
        let Some(mounts) = self.mounts.get_mut(namespace).map(Arc::make_mut) else { return };
        for claim in mounted_claims(&pod.volumes, pod_name) {
            let mut pods = mounts.remove(&claim).map(Vec::from).unwrap_or_default();
            pods.retain(|one| **one != *pod_name);
            if !pods.is_empty() {
                mounts.insert(claim.into(), pods.into());
            }
        }
        if mounts.is_empty() {
            self.mounts.remove(namespace);
        }
    }
}

fn name(text: &str) -> Box<str> {
    text.into()
}
