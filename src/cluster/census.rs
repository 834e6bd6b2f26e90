//! Who is in the state, kind by kind, and which of them cannot be read.

use ahash::AHashSet;
use serde_json::Value;

use super::kind::Kind;
use super::resource::Resource;
use super::state::{Problem, State};
use crate::objects::ObjectRef;

/// The namespace (empty for cluster-scoped kinds) and name of an object.
pub(super) type Named = (Box<str>, Box<str>);

impl State {
    /// The objects of a kind, in no order.
    pub(super) fn keys(&self, kind: Kind) -> Vec<Named> {
        fn all<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Named> {
            names.map(|name| (Box::default(), name.into())).collect()
        }
        fn pairs<'a, T>(objects: impl Iterator<Item = (&'a str, &'a str, T)>) -> Vec<Named> {
            objects.map(|(namespace, name, _)| (namespace.into(), name.into())).collect()
        }
        let mut keys = match kind {
            Kind::Node => all(self.nodes().iter().map(|node| &*node.name)),
            Kind::Namespace => all(self.namespaces().map(|(name, _)| name)),
            Kind::StorageClass => all(self.classes().map(|class| class.metadata.name.as_str())),
            Kind::PersistentVolume => all(self.volumes().map(|(name, _)| name)),
            Kind::PersistentVolumeClaim => pairs(self.claims()),
            Kind::Pod => pairs(self.pods()),
            Kind::Workload(kind) => {
                let of_kind = self.workloads().filter(|workload| workload.kind == kind);
                pairs(of_kind.map(|workload| {
                    (workload.metadata.namespace.as_str(), workload.metadata.name.as_str(), ())
                }))
            }
            Kind::VolumeAttachment => all(self.attachments().map(|(name, _)| name)),
            Kind::VolumeSnapshot => pairs(self.snapshots()),
            Kind::VolumeSnapshotContent => all(self.contents().map(|(name, _)| name)),
            Kind::VolumeSnapshotClass => all(self.snapshot_classes.keys().map(|name| &**name)),
            Kind::ResidencyPolicy => all(self.policies().iter().map(|policy| &*policy.name)),
            Kind::Geography => all(self.topology.geography_names()),
            Kind::ResidencyException => {
                pairs(self.policies().exceptions().map(|(namespace, one)| (namespace, &*one.name, ())))
            }
        };
        let unread = self.unreadable.keys().filter(|(of, _, _)| *of == kind);
        let unread = unread.filter(|(_, namespace, name)| self.kept(kind, namespace, name).is_none());
        keys.extend(unread.map(|(_, namespace, name)| (namespace.clone(), name.clone())));
        keys
    }

    /// How many objects of a kind there are, without those that cannot be read at all.
    #[must_use]
    pub fn count(&self, kind: Kind) -> usize {
        match kind {
            Kind::Node => self.nodes().len(),
            Kind::Namespace => self.namespaces.len(),
            Kind::StorageClass => self.classes.len(),
            Kind::PersistentVolume => self.volumes.len(),
            Kind::PersistentVolumeClaim => self.claims().count(),
            Kind::Pod => self.pods().count(),
            Kind::Workload(kind) => self.workloads().filter(|workload| workload.kind == kind).count(),
            Kind::VolumeAttachment => self.attachments.len(),
            Kind::VolumeSnapshot => self.snapshots().count(),
            Kind::VolumeSnapshotContent => self.contents.len(),
            Kind::VolumeSnapshotClass => self.snapshot_classes.len(),
            Kind::ResidencyPolicy => self.policies().len(),
            Kind::Geography => self.topology.geography_names().count(),
            Kind::ResidencyException => self.policies().exceptions().count(),
        }
    }

    /// Takes out every object of a kind but these.
    pub(super) fn keep_only(&mut self, kind: Kind, present: &AHashSet<Named>) {
        for (namespace, name) in self.keys(kind).into_iter().filter(|key| !present.contains(key)) {
            self.delete(kind, &namespace, &name);
        }
    }

    /// Takes a stored object that cannot be read. What was known of it no longer counts, so that a replica that starts
    /// now answers as this one.
    ///
    /// A policy permits nothing for what can be read of what it governs, an exception grants nothing, a geography says
    /// nothing. Any other object is as if it were not there: whoever needs it reads it live, fails in the same way, and
    /// denies.
    pub fn apply_unreadable(&mut self, kind: Kind, namespace: &str, name: &str, value: &Value, reason: &str) {
        self.delete(kind, namespace, name);
        if kind == Kind::ResidencyPolicy {
            let tokens = value.pointer("/spec/classifications").and_then(Value::as_array);
            let tokens: Vec<String> =
                tokens.into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect();
            self.apply_unreadable_policy(name, &tokens);
        }
        self.note_unreadable(kind, namespace, name, reason);
    }

    /// Notes that an object cannot be read in full, beside what can be read of it.
    pub(super) fn note_unreadable(&mut self, kind: Kind, namespace: &str, name: &str, reason: &str) {
        self.unreadable.insert((kind, namespace.into(), name.into()), reason.to_owned());
    }

    /// What is wrong with stored objects that cannot be read.
    pub(super) fn unreadable_problems(&self) -> impl Iterator<Item = Problem> {
        self.unreadable.iter().map(|((kind, namespace, name), reason)| Problem {
            object: ObjectRef {
                api_version: Resource::of(*kind).api_version(),
                kind: kind.as_str().to_owned(),
                namespace: namespace.to_string(),
                name: name.to_string(),
            },
            message: format!("cannot be read: {reason}"),
            refused: true,
        })
    }
}
