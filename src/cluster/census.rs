//! Who is in the state, kind by kind, and which of them cannot be read.

use std::sync::Arc;

use serde_json::Value;

use super::kind::Kind;
use super::resource::Resource;
use super::state::{Problem, State};
use crate::objects::ObjectRef;

/// The namespace (empty for cluster-scoped kinds) and name of an object.
pub(super) type Named = (Box<str>, Box<str>);

impl State {
    /// The namespace and name of every object of a kind, in no order.
    fn keys(&self, kind: Kind) -> Box<dyn Iterator<Item = (&str, &str)> + '_> {
        let unread = self.unreadable.keys().filter(move |(of, _, _)| *of == kind);
        let unread = unread.map(|(_, namespace, name)| (&**namespace, &**name));
        // Of what cannot be read in full, a part may stand in the state as well.
        let unread = unread.filter(move |(namespace, name)| self.kept(kind, namespace, name).is_none());
        let kept: Box<dyn Iterator<Item = (&str, &str)>> = match kind {
            Kind::Node => Box::new(self.nodes().iter().map(|node| ("", &*node.name))),
            Kind::Namespace => Box::new(self.namespaces().map(|(name, _)| ("", name))),
            Kind::StorageClass => Box::new(self.classes.keys().map(|name| ("", &**name))),
            Kind::PersistentVolume => Box::new(self.volumes().map(|(name, _)| ("", name))),
            Kind::PersistentVolumeClaim => {
                Box::new(self.claims().map(|(namespace, name, _)| (namespace, name)))
            }
            Kind::Pod => Box::new(self.pods().map(|(namespace, name, _)| (namespace, name))),
            Kind::Workload(kind) => {
                let of_kind = self.workloads.keys().filter(move |(one, _, _)| *one == kind);
                Box::new(of_kind.map(|(_, namespace, name)| (&**namespace, &**name)))
            }
            Kind::VolumeAttachment => Box::new(self.attachments().map(|(name, _)| ("", name))),
            Kind::VolumeSnapshot => Box::new(self.snapshots().map(|(namespace, name, _)| (namespace, name))),
            Kind::VolumeSnapshotContent => Box::new(self.contents().map(|(name, _)| ("", name))),
            Kind::VolumeSnapshotClass => Box::new(self.snapshot_classes.keys().map(|name| ("", &**name))),
            Kind::ResidencyPolicy => Box::new(self.policies().iter().map(|policy| ("", &*policy.name))),
            Kind::Geography => Box::new(self.topology.geography_names().map(|name| ("", name))),
            Kind::ResidencyException => {
                Box::new(self.policies().exceptions().map(|(namespace, one)| (namespace, &*one.name)))
            }
        };
        Box::new(kept.chain(unread))
    }

    /// The objects of a kind that are not among those that are present.
    pub(super) fn strays(&self, kind: Kind, is_present: impl Fn(&str, &str) -> bool) -> Vec<Named> {
        let strays = self.keys(kind).filter(|(namespace, name)| !is_present(namespace, name));
        strays.map(|(namespace, name)| (namespace.into(), name.into())).collect()
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

    /// Takes a stored object that cannot be read. What was known of it no longer counts, so that a replica that starts
    /// now answers as this one.
    ///
    /// A policy permits nothing for what can be read of what it governs, an exception grants nothing. A geography could
    /// correct any place, so no policy permits any until it can be read. Any other object is as if it were not there:
    /// whoever needs it reads it live, fails in the same way, and denies.
    pub fn apply_unreadable(&mut self, kind: Kind, namespace: &str, name: &str, value: &Value) {
        if kind == Kind::Geography {
            return self.apply_unreadable_geography(name);
        }
        self.delete(kind, namespace, name);
        if kind == Kind::ResidencyPolicy {
            let tokens = value.pointer("/spec/classifications").and_then(Value::as_array);
            let tokens: Vec<String> =
                tokens.into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect();
            self.apply_unreadable_policy(name, &tokens);
        }
    }

    /// Notes that an object cannot be read in full, beside what can be read of it.
    pub(super) fn note_unreadable(&mut self, kind: Kind, namespace: &str, name: &str, reason: &str) {
        self.unreadable.insert((kind, namespace.into(), name.into()), reason.to_owned());
    }

    /// Notes which of those that may have a name one after the other is stored.
    pub(super) fn note_uid(&mut self, kind: Kind, name: &str, uid: &str) {
        if matches!(kind, Kind::ResidencyPolicy | Kind::Geography) && self.uid(kind, name) != Some(uid) {
            Arc::make_mut(&mut self.uids).insert((kind, name.into()), uid.into());
        }
    }

    /// The uid of a stored policy or geography, also of one that cannot be read. It may be that of one that is gone.
    #[must_use]
    pub fn uid(&self, kind: Kind, name: &str) -> Option<&str> {
        self.uids.get(&(kind, name.into())).map(|uid| &**uid)
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
