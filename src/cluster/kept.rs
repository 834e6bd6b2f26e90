//! Objects as the state keeps them: what judgement reads, with common parts shared.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::own::Own;
use super::pool::Pools;
use super::settings::Settings;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::{GeographySpec, ResidencyException, ResidencyPolicy, keys};
use crate::geography::{Jurisdiction, iso};
use crate::objects::{
    ClaimReference, ClaimSpec, DataSource, Metadata, Namespace, Node, NodeSelector, Object, PersistentVolume,
    PersistentVolumeSpec, Pod, PodSpec, Snapshot, SnapshotClass, SnapshotContent, StorageClass, Volume,
    VolumeAttachment, VolumeSource, Workload,
};
use crate::placement::selector::{Labels, LabelsRef};

/// An object of any kind as the state keeps it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kept {
    Pod(PodEntry),
    Workload(Arc<Workload>),
    Claim(ClaimEntry),
    Volume(VolumeEntry),
    StorageClass(Arc<StorageClass>),
    Attachment(AttachmentEntry),
    Snapshot(SnapshotEntry),
    SnapshotContent(SnapshotEntry),
    SnapshotClass(Arc<SnapshotClass>),
    Namespace(NamespaceEntry),
    Node(Box<Node>),
    Policy(Box<ResidencyPolicy>),
    /// What can be read of what it governs.
    UnreadablePolicy(Vec<String>),
    /// A geography that cannot be read.
    UnreadableGeography,
    Geography(Box<GeographySpec>),
    Exception(Box<ResidencyException>),
}

impl Kept {
    /// An object as the state keeps it. A Binding leaves nothing.
    pub(super) fn of(object: Object, settings: &Settings, pools: &mut Pools) -> Option<Self> {
        Some(match object {
            Object::Pod(pod) => Self::Pod(PodEntry::of(*pod, settings, pools)),
            Object::Workload(workload) => Self::Workload(Arc::from(workload)),
            Object::Claim(claim) => {
                Self::Claim(ClaimEntry::of(&claim.metadata, &claim.spec, settings, pools))
            }
            Object::Volume(volume) => Self::Volume(VolumeEntry::of(&volume, settings, pools)),
            Object::StorageClass(class) => Self::StorageClass(Arc::from(class)),
            Object::Attachment(attachment) => Self::Attachment(AttachmentEntry::of(&attachment, pools)),
            Object::Snapshot(snapshot) => Self::Snapshot(SnapshotEntry::of(&snapshot, settings, pools)),
            Object::SnapshotContent(content) => {
                Self::SnapshotContent(SnapshotEntry::of_content(&content, settings, pools))
            }
            Object::SnapshotClass(class) => Self::SnapshotClass(Arc::from(class)),
            Object::Namespace(namespace) => Self::Namespace(NamespaceEntry::of(&namespace, settings, pools)),
            Object::Node(mut node) => {
                let Metadata { name, labels, .. } = std::mem::take(&mut node.metadata);
                node.metadata = Metadata { name, labels, ..Metadata::default() };
                Self::Node(node)
            }
            Object::Policy(mut policy) => {
                // What the controller writes of it itself would else be a change of it.
                policy.status = None;
                let ObjectMeta { name, generation, .. } = policy.metadata;
                policy.metadata = ObjectMeta { name, generation, ..ObjectMeta::default() };
                Self::Policy(policy)
            }
            Object::Geography(geography) => Self::Geography(Box::new(geography.spec)),
            Object::Exception(exception) => Self::Exception(exception),
            Object::Binding(_) => return None,
        })
    }
}

/// A namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamespaceEntry {
    /// Its labels, with the one that Kubernetes adds.
    pub labels: BTreeMap<String, String>,
    /// What it says that it carries.
    pub own: Arc<[Own]>,
}

impl NamespaceEntry {
    /// A namespace as the state keeps it.
    #[must_use]
    pub fn of(namespace: &Namespace, settings: &Settings, pools: &mut Pools) -> Self {
        let mut labels = namespace.metadata.labels.clone();
        labels.insert("kubernetes.io/metadata.name".into(), namespace.metadata.name.clone());
        Self { labels, own: pools.own(&namespace.metadata, settings) }
    }
}

/// A pod.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, a byte each")]
pub struct PodEntry {
    /// Its labels, without the one that `is_named` stands for.
    labels: Arc<Labels>,
    /// Whether a label says its name: such labels are as many as pods, and are not kept.
    is_named: bool,
    /// What it says that it carries.
    pub own: Arc<[Own]>,
    /// Its constraints while it has no node.
    pub spec: Arc<PodSpec>,
    /// What it mounts, up to the last that is not on its node.
    pub volumes: Box<[Volume]>,
    /// Its node, once it has one.
    pub node: Option<Arc<str>>,
    /// Whether it keeps data on its node's disk.
    pub on_disk: bool,
    /// Whether it has run to its end.
    pub finished: bool,
    /// Whether its own node made it, so that it runs already.
    pub mirror: bool,
}

impl PodEntry {
    /// A pod as the state keeps it.
    #[must_use]
    pub fn of(pod: Pod, settings: &Settings, pools: &mut Pools) -> Self {
        let made_by_node = pod
            .metadata
            .owner_references
            .iter()
            .any(|owner| owner.kind == "Node" && owner.name == pod.spec.node_name);
        let mirror = made_by_node && pod.metadata.annotations.contains_key(keys::MIRROR_POD);
        let node = pools.some(&pod.spec.node_name);
        let finished = pod.is_finished();
        let says_its_name =
            |(key, value): (&String, &String)| key == keys::POD_NAME && *value == pod.metadata.name;
        let is_named = pod.metadata.labels.iter().any(says_its_name);
        let labels = pools.labels(pod.metadata.labels.iter().filter(|label| !says_its_name(*label)));
        let own = pools.own(&pod.metadata, settings);
        let mut spec = pod.spec;
        spec.node_name.clear();
        let mut volumes = std::mem::take(&mut spec.volumes);
        if node.is_some() {
            // A pod that has a node is judged by it; its constraints have had their effect.
            spec = PodSpec::default();
        }
        let on_disk = volumes.iter().any(|volume| volume.source == VolumeSource::NodeDisk);
        let on_node =
            |volume: &Volume| matches!(volume.source, VolumeSource::NodeLocal | VolumeSource::NodeDisk);
        // What comes before another stays, since findings count from the first.
        volumes.truncate(volumes.iter().rposition(|volume| !on_node(volume)).map_or(0, |last| last + 1));
        for volume in &mut volumes {
            // What mounts a claim is known by that.
            if on_node(volume) || matches!(volume.source, VolumeSource::Claim(_)) {
                volume.name = String::new();
            }
        }
        let (spec, volumes) = (pools.spec(spec), volumes.into_boxed_slice());
        Self { labels, is_named, own, spec, volumes, node, on_disk, finished, mirror }
    }
}

impl PodEntry {
    /// Its labels, of a pod of this name.
    #[must_use]
    pub fn labels<'a>(&'a self, name: &'a str) -> LabelsRef<'a> {
        if self.is_named { LabelsRef::Named(&self.labels, name) } else { LabelsRef::Kept(&self.labels) }
    }
}

/// A claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimEntry {
    /// Its labels.
    pub labels: Arc<Labels>,
    /// What it says that it carries.
    pub own: Arc<[Own]>,
    /// Its class. Absent: the cluster's default. Empty: none.
    pub class: Option<Arc<str>>,
    /// Its volume.
    pub volume: Option<Box<str>>,
    /// What it is copied from.
    pub source: Option<Box<DataSource>>,
    /// The node that the scheduler chose for it.
    pub selected_node: Option<Arc<str>>,
}

impl ClaimEntry {
    /// A claim as the state keeps it.
    #[must_use]
    pub fn of(metadata: &Metadata, spec: &ClaimSpec, settings: &Settings, pools: &mut Pools) -> Self {
        let selected = metadata.annotations.get(keys::SELECTED_NODE).map_or("", String::as_str);
        Self {
            labels: pools.all_labels(&metadata.labels),
            own: pools.own(metadata, settings),
            class: class_of(metadata, spec.storage_class_name.as_deref()).map(|class| pools.text(class)),
            volume: (!spec.volume_name.is_empty()).then(|| spec.volume_name.as_str().into()),
            source: spec.source().cloned().map(Box::new),
            selected_node: pools.some(selected),
        }
    }
}

/// The class that a claim or a volume names: the annotation of old goes before the field, as it does for Kubernetes.
fn class_of<'a>(metadata: &'a Metadata, field: Option<&'a str>) -> Option<&'a str> {
    metadata.annotations.get(keys::BETA_CLASS).map(String::as_str).or(field)
}

/// Where an object is declared to be, by annotations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// `domicile.dev/jurisdiction`.
    pub jurisdiction: Option<Jurisdiction>,
    /// `domicile.dev/provider-jurisdiction`.
    pub provider_jurisdiction: Option<Jurisdiction>,
}

impl Declared {
    /// What the annotations of an object declare. A code that ISO does not know declares nothing.
    #[must_use]
    pub fn by(metadata: &Metadata) -> Self {
        let code = |key| metadata.annotations.get(key).and_then(|code| iso::parse(code).ok());
        Self {
            jurisdiction: code(keys::JURISDICTION),
            provider_jurisdiction: code(keys::PROVIDER_JURISDICTION),
        }
    }
}

/// Names a claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimName {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Box<str>,
}

/// A volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VolumeEntry {
    /// Its labels, of which only regions and zones count.
    pub labels: Arc<Labels>,
    /// What it says that it carries.
    pub own: Arc<[Own]>,
    /// Its class; empty if it has none.
    pub class: Arc<str>,
    /// The claim that it belongs to.
    pub claim: Option<ClaimName>,
    /// The nodes that can reach it.
    pub affinity: Option<Arc<NodeSelector>>,
    /// Its driver; empty if not known.
    pub driver: Arc<str>,
    /// Where it is declared to be.
    pub declared: Declared,
    /// Whether claims can still take it.
    pub available: bool,
}

impl VolumeEntry {
    /// A volume as the state keeps it.
    #[must_use]
    pub fn of(volume: &PersistentVolume, settings: &Settings, pools: &mut Pools) -> Self {
        let places = [keys::REGION, keys::ZONE, keys::BETA_REGION, keys::BETA_ZONE];
        let said = volume.metadata.labels.iter().filter(|(key, _)| places.contains(&key.as_str()));
        let named = place_in_handle(&volume.spec).filter(|_| said.clone().next().is_none());
        Self {
            labels: pools.labels(said.chain(named.iter().map(|(key, code)| (key, code)))),
            own: pools.own(&volume.metadata, settings),
            class: pools
                .text(class_of(&volume.metadata, Some(&volume.spec.storage_class_name)).unwrap_or_default()),
            claim: volume.spec.claim_ref.as_ref().map(|claim| ClaimName {
                namespace: pools.text(&claim.namespace),
                name: claim.name.as_str().into(),
            }),
            affinity: volume.spec.node_affinity.as_ref().map(|affinity| pools.affinity(affinity)),
            driver: pools.text(&volume.spec.driver),
            declared: Declared::by(&volume.metadata),
            available: matches!(volume.status.phase.as_str(), "" | "Available"),
        }
    }
}

/// The zone or region in what Google's driver calls a disk, `projects/P/zones/Z/disks/D`, as the label that would say it.
fn place_in_handle(spec: &PersistentVolumeSpec) -> Option<(String, String)> {
    let mut parts = spec.handle.split('/').skip(2).filter(|_| spec.driver == "pd.csi.storage.gke.io");
    let key = match parts.next()? {
        "zones" => keys::ZONE,
        "regions" => keys::REGION,
        _ => return None,
    };
    Some((key.to_owned(), parts.next()?.to_owned()))
}

/// A VolumeSnapshot or its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotEntry {
    /// Its labels.
    pub labels: Arc<Labels>,
    /// What it says that it carries.
    pub own: Arc<[Own]>,
    /// Its class. Absent: the driver's default.
    pub class: Option<Arc<str>>,
    /// Its driver, where it says so.
    pub driver: Option<Arc<str>>,
    /// The claim that it was taken from, in its own namespace.
    pub claim: Option<Arc<str>>,
    /// The content that it was made for, where that was there first.
    pub content: Option<Arc<str>>,
    /// For content, the snapshot that it belongs to.
    pub snapshot: Option<Box<ClaimReference>>,
    /// Where content is declared to be.
    pub declared: Declared,
}

impl SnapshotEntry {
    /// A snapshot as the state keeps it.
    #[must_use]
    pub fn of(snapshot: &Snapshot, settings: &Settings, pools: &mut Pools) -> Self {
        Self {
            labels: pools.all_labels(&snapshot.metadata.labels),
            own: pools.own(&snapshot.metadata, settings),
            class: snapshot.spec.volume_snapshot_class_name.as_deref().map(|class| pools.text(class)),
            driver: None,
            claim: pools.some(&snapshot.spec.source.persistent_volume_claim_name),
            content: pools.some(&snapshot.spec.source.volume_snapshot_content_name),
            snapshot: None,
            // Whoever takes a snapshot does not say where it is: its class and its content do.
            declared: Declared::default(),
        }
    }

    /// The content of a snapshot as the state keeps it.
    #[must_use]
    pub fn of_content(content: &SnapshotContent, settings: &Settings, pools: &mut Pools) -> Self {
        Self {
            labels: pools.all_labels(&content.metadata.labels),
            own: pools.own(&content.metadata, settings),
            class: content.spec.volume_snapshot_class_name.as_deref().map(|class| pools.text(class)),
            driver: pools.some(&content.spec.driver),
            claim: None,
            content: None,
            snapshot: Some(Box::new(content.spec.volume_snapshot_ref.clone())),
            declared: Declared::by(&content.metadata),
        }
    }
}

/// A VolumeAttachment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttachmentEntry {
    /// The volume; absent for inline ones.
    pub volume: Option<Arc<str>>,
    /// The node.
    pub node: Arc<str>,
}

impl AttachmentEntry {
    /// An attachment as the state keeps it.
    #[must_use]
    pub fn of(attachment: &VolumeAttachment, pools: &mut Pools) -> Self {
        Self {
            volume: pools.some(&attachment.spec.source.persistent_volume_name),
            node: pools.text(&attachment.spec.node_name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_that_says_a_pods_name_is_read_as_if_it_were_kept() {
        for (value, is_kept) in [("web-0", false), ("web-1", true)] {
            let json = serde_json::json!({"metadata": {"name": "web-0",
                "labels": {"app": "web", keys::POD_NAME: value}}});
            let pod: Pod = serde_json::from_value(json).unwrap();
            let written = pod.metadata.labels.clone();
            let entry = PodEntry::of(pod, &Settings::default(), &mut Pools::default());
            assert_eq!(entry.labels.len(), 1 + usize::from(is_kept));
            let labels = entry.labels("web-0");
            assert_eq!((labels.get(keys::POD_NAME), labels.get("app")), (Some(value), Some("web")));
            assert_eq!((labels.get("tier"), labels.to_map()), (None, written));
        }
    }
}
