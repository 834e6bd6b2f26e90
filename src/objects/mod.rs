//! Kubernetes' own objects, reduced to what judgement reads. Everything else in a manifest is skipped unread.

mod applied;
mod meta;
mod node;
mod parse;
mod pod;
mod shape;
mod storage;
mod workload;

pub use applied::Before;
pub use meta::{Metadata, ObjectRef, OwnerReference, Typed};
pub use node::{Namespace, Node, NodeSpec, Taint, TaintEffect};
pub use parse::{Object, ParseError};
pub use pod::{
    ClaimTemplate, Ephemeral, NodeAffinity, NodeSelector, NodeSelectorTerm, Operator, Pod, PodSpec,
    PodTemplate, Requirement, Toleration, TolerationOperator, Volume, VolumeSource,
};
pub use storage::{
    Binding, BindingMode, Claim, ClaimReference, ClaimSpec, DataSource, PersistentVolume,
    PersistentVolumeSpec, Snapshot, SnapshotClass, SnapshotContent, StorageClass, TopologyTerm,
    VolumeAttachment,
};
pub use workload::{Workload, WorkloadKind};
