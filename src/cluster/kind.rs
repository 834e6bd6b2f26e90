//! The kinds that a state keeps.

use crate::objects::{Object, WorkloadKind};

/// The kinds that a state keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "Kubernetes' own words")]
pub enum Kind {
    Node,
    Namespace,
    StorageClass,
    PersistentVolume,
    PersistentVolumeClaim,
    Pod,
    Workload(WorkloadKind),
    VolumeAttachment,
    VolumeSnapshot,
    VolumeSnapshotContent,
    VolumeSnapshotClass,
    ResidencyPolicy,
    Geography,
    ResidencyException,
}

impl Kind {
    /// The kind of an object. A Binding is an act, of which nothing is kept.
    #[must_use]
    pub fn of(object: &Object) -> Option<Self> {
        Some(match object {
            Object::Pod(_) => Self::Pod,
            Object::Workload(workload) => Self::Workload(workload.kind),
            Object::Claim(_) => Self::PersistentVolumeClaim,
            Object::Volume(_) => Self::PersistentVolume,
            Object::StorageClass(_) => Self::StorageClass,
            Object::Attachment(_) => Self::VolumeAttachment,
            Object::Snapshot(_) => Self::VolumeSnapshot,
            Object::SnapshotContent(_) => Self::VolumeSnapshotContent,
            Object::SnapshotClass(_) => Self::VolumeSnapshotClass,
            Object::Node(_) => Self::Node,
            Object::Namespace(_) => Self::Namespace,
            Object::Policy(_) => Self::ResidencyPolicy,
            Object::Geography(_) => Self::Geography,
            Object::Exception(_) => Self::ResidencyException,
            Object::Binding(_) => return None,
        })
    }

    /// Whether its objects hand on what they carry to others that refer to them.
    #[must_use]
    pub(crate) fn gives(self) -> bool {
        matches!(
            self,
            Self::Pod
                | Self::PersistentVolumeClaim
                | Self::PersistentVolume
                | Self::VolumeSnapshot
                | Self::VolumeSnapshotContent
        )
    }

    /// As `kind` says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Node => "Node",
            Self::Namespace => "Namespace",
            Self::StorageClass => "StorageClass",
            Self::PersistentVolume => "PersistentVolume",
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
            Self::Pod => "Pod",
            Self::Workload(kind) => kind.as_str(),
            Self::VolumeAttachment => "VolumeAttachment",
            Self::VolumeSnapshot => "VolumeSnapshot",
            Self::VolumeSnapshotContent => "VolumeSnapshotContent",
            Self::VolumeSnapshotClass => "VolumeSnapshotClass",
            Self::ResidencyPolicy => "ResidencyPolicy",
            Self::Geography => "Geography",
            Self::ResidencyException => "ResidencyException",
        }
    }
}
