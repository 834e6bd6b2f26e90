//! Objects as the state keeps them: what judgement reads, with common parts shared.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::own::Own;
use crate::placement::selector::Labels;
use crate::geography::Jurisdiction;
use crate::objects::{ClaimReference, DataSource, NodeSelector, PodSpec};

/// A namespace.
#[derive(Clone, Debug)]
pub struct NamespaceEntry {
    /// Its labels, with the one that Kubernetes adds.
    pub labels: BTreeMap<String, String>,
    /// What it says that it carries.
    pub own: Arc<[Own]>,
}

/// A pod.
#[derive(Clone, Debug)]
pub struct PodEntry {
    /// Its labels.
    pub labels: Arc<Labels>,
    /// What it says that it carries.
    pub own: Arc<[Own]>,
    /// Its constraints while it has no node, and what it mounts.
    pub spec: Arc<PodSpec>,
    /// Its node, once it has one.
    pub node: Option<Arc<str>>,
    /// Whether it has run to its end.
    pub finished: bool,
    /// Whether its own node made it, so that it runs already.
    pub mirror: bool,
}

/// A claim.
#[derive(Clone, Debug)]
pub struct ClaimEntry {
    /// Its labels.
    pub labels: Arc<Labels>,
    /// What it says that it carries.
    pub own: Arc<[Own]>,
    /// Its class. Absent: the cluster's default. Empty: none.
    pub class: Option<Arc<str>>,
    /// Its volume.
    pub volume: Option<Arc<str>>,
    /// What it is copied from.
    pub source: Option<Box<DataSource>>,
    /// The node that the scheduler chose for it.
    pub selected_node: Option<Arc<str>>,
}

/// Where an object is declared to be, by annotations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Declared {
    /// `domicile.dev/jurisdiction`.
    pub jurisdiction: Option<Jurisdiction>,
    /// `domicile.dev/provider-jurisdiction`.
    pub provider_jurisdiction: Option<Jurisdiction>,
}

/// A volume.
#[derive(Clone, Debug)]
pub struct VolumeEntry {
    /// Its labels, of which only regions and zones count.
    pub labels: Arc<Labels>,
    /// What it says that it carries.
    pub own: Arc<[Own]>,
    /// Its class; empty if it has none.
    pub class: Arc<str>,
    /// The claim that it belongs to.
    pub claim: Option<Box<ClaimReference>>,
    /// The nodes that can reach it.
    pub affinity: Option<Arc<NodeSelector>>,
    /// Its driver; empty if not known.
    pub driver: Arc<str>,
    /// Where it is declared to be.
    pub declared: Declared,
    /// Whether claims can still take it.
    pub available: bool,
}

/// A VolumeSnapshot or its content.
#[derive(Clone, Debug)]
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
    /// Where it is declared to be.
    pub declared: Declared,
}

/// A VolumeAttachment.
#[derive(Clone, Debug)]
pub struct AttachmentEntry {
    /// The volume; absent for inline ones.
    pub volume: Option<Arc<str>>,
    /// The node.
    pub node: Arc<str>,
}
