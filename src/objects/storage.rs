//! Claims, volumes, snapshots, classes and bindings.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::meta::{Metadata, Typed, nullable};
use super::pod::NodeSelector;
use crate::api::keys;

/// A PersistentVolumeClaim.
pub type Claim = Typed<ClaimSpec>;

impl Claim {
    /// The node that was chosen for it, where its volume is made. Once there is one, that counts.
    #[must_use]
    pub fn chosen_node(&self) -> Option<&str> {
        let chosen = self.metadata.annotations.get(keys::SELECTED_NODE).filter(|node| !node.is_empty());
        chosen.map(String::as_str).filter(|_| self.spec.volume_name.is_empty())
    }
}

/// `spec` of a claim.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ClaimSpec {
    /// The volume, once there is one.
    #[serde(deserialize_with = "nullable")]
    pub volume_name: String,
    /// Absent: the cluster's default class. Empty: none.
    pub storage_class_name: Option<String>,
    /// What it is copied from.
    pub data_source: Option<DataSource>,
    /// What it is copied from, also across namespaces.
    pub data_source_ref: Option<DataSource>,
}

impl ClaimSpec {
    /// What the claim is copied from. `dataSourceRef` says more where both are set.
    #[must_use]
    pub fn source(&self) -> Option<&DataSource> {
        self.data_source_ref.as_ref().or(self.data_source.as_ref())
    }
}

/// What a claim is copied from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct DataSource {
    /// `PersistentVolumeClaim`, `VolumeSnapshot`, or a populator's kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Empty: the claim's own namespace.
    #[serde(deserialize_with = "nullable")]
    pub namespace: String,
}

/// A PersistentVolume.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct PersistentVolume {
    /// `metadata`.
    pub metadata: Metadata,
    /// `spec`.
    #[serde(deserialize_with = "nullable")]
    pub spec: PersistentVolumeSpec,
    /// `status`.
    #[serde(deserialize_with = "nullable")]
    pub status: VolumeStatus,
}

/// `status` of a volume.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct VolumeStatus {
    /// `Available`, `Bound`, `Released`; empty before there is one.
    #[serde(deserialize_with = "nullable")]
    pub phase: String,
}

/// `spec` of a volume.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PersistentVolumeSpec {
    /// Its class; empty if it has none.
    pub storage_class_name: String,
    /// The claim that it belongs to.
    pub claim_ref: Option<ClaimReference>,
    /// The nodes that can reach it.
    pub node_affinity: Option<NodeSelector>,
    /// Its CSI driver, or the field name of an in-tree source (`nfs`); empty if the manifest names none.
    pub driver: String,
    /// What its CSI driver calls it.
    pub handle: String,
}

/// Names a claim.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct ClaimReference {
    /// Its namespace.
    #[serde(deserialize_with = "nullable")]
    pub namespace: String,
    /// Its name.
    #[serde(deserialize_with = "nullable")]
    pub name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct VolumeNodeAffinity {
    required: Option<NodeSelector>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct CsiVolume {
    #[serde(deserialize_with = "nullable")]
    driver: String,
    #[serde(deserialize_with = "nullable")]
    volume_handle: String,
}

/// Fields of a volume's `spec` that are no source.
const NOT_A_SOURCE: [&str; 6] = [
    "accessModes",
    "capacity",
    "mountOptions",
    "persistentVolumeReclaimPolicy",
    "volumeMode",
    "volumeAttributesClassName",
];

impl<'de> Deserialize<'de> for PersistentVolumeSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(VolumeSpecVisitor)
    }
}

struct VolumeSpecVisitor;

impl<'de> Visitor<'de> for VolumeSpecVisitor {
    type Value = PersistentVolumeSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the spec of a PersistentVolume")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PersistentVolumeSpec, A::Error> {
        let mut spec = PersistentVolumeSpec::default();
        while let Some(field) = map.next_key::<String>()? {
            match field.as_str() {
                "storageClassName" => {
                    spec.storage_class_name = map.next_value::<Option<String>>()?.unwrap_or_default();
                }
                "claimRef" => spec.claim_ref = map.next_value()?,
                "nodeAffinity" => {
                    spec.node_affinity = map
                        .next_value::<Option<VolumeNodeAffinity>>()?
                        .and_then(|affinity| affinity.required);
                }
                "csi" => {
                    if let Some(csi) = map.next_value::<Option<CsiVolume>>()? {
                        (spec.driver, spec.handle) = (csi.driver, csi.volume_handle);
                    }
                }
                name if NOT_A_SOURCE.contains(&name) => {
                    map.next_value::<IgnoredAny>()?;
                }
                _ => {
                    if map.next_value::<Option<IgnoredAny>>()?.is_some() && spec.driver.is_empty() {
                        spec.driver = field;
                    }
                }
            }
        }
        Ok(spec)
    }
}

/// A StorageClass.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StorageClass {
    /// `metadata`.
    pub metadata: Metadata,
    /// The driver.
    #[serde(deserialize_with = "nullable")]
    pub provisioner: String,
    /// What the driver is told.
    #[serde(deserialize_with = "nullable")]
    pub parameters: BTreeMap<String, String>,
    /// When volumes are made.
    #[serde(deserialize_with = "nullable")]
    pub volume_binding_mode: BindingMode,
    /// Where volumes may be made; none means anywhere. Terms are OR-ed.
    #[serde(deserialize_with = "nullable")]
    pub allowed_topologies: Vec<TopologyTerm>,
}

/// When volumes of a class are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
pub enum BindingMode {
    /// At once, before any pod asks.
    #[default]
    #[serde(alias = "")]
    Immediate,
    /// When the first pod that mounts the claim has been given a node.
    WaitForFirstConsumer,
}

/// Labels that a node must have; all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TopologyTerm {
    /// AND-ed.
    #[serde(deserialize_with = "nullable")]
    pub match_label_expressions: Vec<TopologyRequirement>,
}

/// A label and its possible values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default)]
pub struct TopologyRequirement {
    /// The label.
    pub key: String,
    /// Any of these.
    #[serde(deserialize_with = "nullable")]
    pub values: Vec<String>,
}

/// A VolumeAttachment.
pub type VolumeAttachment = Typed<VolumeAttachmentSpec>;

/// `spec` of an attachment.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeAttachmentSpec {
    /// The node.
    #[serde(deserialize_with = "nullable")]
    pub node_name: String,
    /// The driver.
    #[serde(deserialize_with = "nullable")]
    pub attacher: String,
    /// The volume.
    pub source: AttachmentSource,
}

/// What is attached.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AttachmentSource {
    /// The volume's name; absent for inline volumes.
    #[serde(deserialize_with = "nullable")]
    pub persistent_volume_name: String,
}

/// A VolumeSnapshot.
pub type Snapshot = Typed<SnapshotSpec>;

/// `spec` of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SnapshotSpec {
    /// Its class. Absent: the driver's default class.
    pub volume_snapshot_class_name: Option<String>,
    /// What it is taken from.
    pub source: SnapshotSource,
}

/// What a snapshot is taken from.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SnapshotSource {
    /// A claim of the same namespace.
    #[serde(deserialize_with = "nullable")]
    pub persistent_volume_claim_name: String,
    /// Content that exists already.
    #[serde(deserialize_with = "nullable")]
    pub volume_snapshot_content_name: String,
}

/// A VolumeSnapshotContent.
pub type SnapshotContent = Typed<SnapshotContentSpec>;

/// `spec` of snapshot content.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SnapshotContentSpec {
    /// The driver.
    #[serde(deserialize_with = "nullable")]
    pub driver: String,
    /// Its class.
    pub volume_snapshot_class_name: Option<String>,
    /// The snapshot that it belongs to.
    pub volume_snapshot_ref: ClaimReference,
}

/// A VolumeSnapshotClass.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SnapshotClass {
    /// `metadata`.
    pub metadata: Metadata,
    /// The driver.
    #[serde(deserialize_with = "nullable")]
    pub driver: String,
    /// What the driver is told.
    #[serde(deserialize_with = "nullable")]
    pub parameters: BTreeMap<String, String>,
}

/// A Binding: puts a pod on a node.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Binding {
    /// `metadata`: names the pod. Its labels prove nothing.
    pub metadata: Metadata,
    /// What it is bound to.
    pub target: BindingTarget,
}

/// What a pod is bound to.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct BindingTarget {
    /// Empty, or `Node`.
    #[serde(deserialize_with = "nullable")]
    pub kind: String,
    /// The node's name.
    #[serde(deserialize_with = "nullable")]
    pub name: String,
}
