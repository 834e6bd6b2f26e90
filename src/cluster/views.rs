//! What is read of the state.

use std::sync::Arc;

use jiff::Timestamp;

use super::kept::{AttachmentEntry, ClaimEntry, NamespaceEntry, PodEntry, SnapshotEntry, VolumeEntry};
use super::own::Own;
use super::settings::Settings;
use super::state::{Namespaced, Problem, State};
use crate::api::{ResidencyException, ResidencyPolicy, keys};
use crate::geography::{Geography, Located};
use crate::objects::{
    Node, ObjectRef, SnapshotClass, StorageClass, Volume, VolumeSource, Workload, WorkloadKind,
};
use crate::placement::nodes::NodeIndex;
use crate::placement::sites::{Site, Sites};
use crate::policy::Policies;

impl State {
    /// What the operator set.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The geography: the built-in catalog and the cluster's own objects.
    #[must_use]
    pub fn geography(&self) -> &Geography {
        &self.topology.geography
    }

    /// The nodes.
    #[must_use]
    pub fn nodes(&self) -> &NodeIndex {
        &self.topology.nodes
    }

    /// The sites of the nodes, and those that the geography knows for the cluster's providers.
    #[must_use]
    pub fn sites(&self) -> &Sites {
        &self.topology.sites
    }

    /// The policies and exceptions.
    #[must_use]
    pub fn policies(&self) -> &Policies {
        &self.topology.policies
    }

    /// A policy as it was written.
    #[must_use]
    pub fn written_policy(&self, name: &str) -> Option<&ResidencyPolicy> {
        self.topology.written_policy(name)
    }

    /// The providers to think of where none is named (semantics 3).
    #[must_use]
    pub fn providers(&self) -> &[Arc<str>] {
        &self.topology.providers
    }

    /// Where a node that is not, or not yet, in the state would be.
    #[must_use]
    pub fn locate(&self, node: &Node) -> Located {
        self.topology.locate(&node.metadata.labels, &node.spec.provider_id)
    }

    /// The site where a node that is not, or not yet, in the state would be.
    #[must_use]
    pub fn site_of(&self, node: &Node) -> Site {
        self.topology.node_site(node).0
    }

    /// The namespace of this name.
    #[must_use]
    pub fn namespace(&self, name: &str) -> Option<&NamespaceEntry> {
        self.namespaces.get(name)
    }

    /// The policies as they are written, by name. One that cannot be read is not among them.
    pub fn written_policies(&self) -> impl Iterator<Item = (&str, &ResidencyPolicy)> {
        self.topology.written_policies()
    }

    /// The exceptions as they are written, by namespace and name.
    pub fn written_exceptions(&self) -> impl Iterator<Item = (&str, &str, &ResidencyException)> {
        self.topology.written_exceptions()
    }

    /// The names of the geographies.
    pub fn geography_names(&self) -> impl Iterator<Item = &str> {
        self.topology.geography_names()
    }

    /// Every namespace, in no order.
    pub fn namespaces(&self) -> impl Iterator<Item = (&str, &NamespaceEntry)> {
        self.namespaces.iter()
    }

    /// The storage class of this name.
    #[must_use]
    pub fn class(&self, name: &str) -> Option<&StorageClass> {
        self.classes.get(name).map(|class| &**class)
    }

    /// Every storage class, by name.
    pub fn classes(&self) -> impl Iterator<Item = &StorageClass> {
        self.classes.values().map(|class| &**class)
    }

    /// The class of claims that name none: of those marked so, the newest, which one is that is yet to be made; of
    /// equals, the first by name.
    #[must_use]
    pub fn default_class(&self) -> Option<&StorageClass> {
        let marked = self.classes().filter(|class| {
            let says = |key| class.metadata.annotations.get(key).is_some_and(|value| value == "true");
            says(keys::DEFAULT_CLASS) || says(keys::BETA_DEFAULT_CLASS)
        });
        marked.max_by(|one, other| {
            let born = |class: &StorageClass| class.metadata.creation_timestamp.unwrap_or(Timestamp::MAX);
            born(one).cmp(&born(other)).then_with(|| other.metadata.name.cmp(&one.metadata.name))
        })
    }

    /// The volume of this name.
    #[must_use]
    pub fn volume(&self, name: &str) -> Option<&VolumeEntry> {
        self.volumes.get(name)
    }

    /// The volume of this name, with the name for as long as the state lives.
    pub(crate) fn named_volume(&self, name: &str) -> Option<(&str, &VolumeEntry)> {
        self.volumes.get_key_value(name)
    }

    /// Every volume, in no order.
    pub fn volumes(&self) -> impl Iterator<Item = (&str, &VolumeEntry)> {
        self.volumes.iter()
    }

    /// The volumes of a class that no claim has taken yet, by name. The class is empty for those that have none.
    pub fn free_volumes(&self, class: &str) -> impl Iterator<Item = (&str, &VolumeEntry)> {
        self.free_volumes.of(class).filter_map(|name| self.volumes.get_key_value(name))
    }

    /// The volumes that wait for a claim to be bound to it, by name.
    pub(crate) fn awaiting_volumes(
        &self,
        namespace: &str,
        claim: &str,
    ) -> impl Iterator<Item = &VolumeEntry> {
        self.free_volumes.awaiting(namespace, claim).filter_map(|name| self.volumes.get(name))
    }

    /// The claim of this name.
    #[must_use]
    pub fn claim(&self, namespace: &str, name: &str) -> Option<&ClaimEntry> {
        self.claims.get(namespace)?.get(name)
    }

    /// The claim of this name, with the name for as long as the state lives.
    pub(crate) fn named_claim(&self, namespace: &str, name: &str) -> Option<(&str, &ClaimEntry)> {
        self.claims.get(namespace)?.get_key_value(name)
    }

    /// Every claim with its namespace and name, in no order.
    pub fn claims(&self) -> impl Iterator<Item = (&str, &str, &ClaimEntry)> {
        flat(&self.claims)
    }

    /// The pod of this name.
    #[must_use]
    pub fn pod(&self, namespace: &str, name: &str) -> Option<&PodEntry> {
        self.pods.get(namespace)?.get(name)
    }

    /// Every pod with its namespace and name, in no order.
    pub fn pods(&self) -> impl Iterator<Item = (&str, &str, &PodEntry)> {
        flat(&self.pods)
    }

    /// The pods that mount a claim, by name.
    pub fn mounting(&self, namespace: &str, claim: &str) -> impl Iterator<Item = (&str, &PodEntry)> {
        let names = self.mounts.get(namespace).and_then(|there| there.get(claim));
        let pods = self.pods.get(namespace);
        names.into_iter().flatten().filter_map(move |name| Some((&**name, pods?.get(name)?)))
    }

    /// What pods that mount a claim say that they carry: the names of those that say the same, in order. Thousands may
    /// share a claim, and few sets of classifications.
    pub(crate) fn brought(
        &self,
        namespace: &str,
        claim: &str,
    ) -> impl Iterator<Item = (&Arc<[Own]>, &[Box<str>])> {
        let names = self.mounts.get(namespace).and_then(|there| there.get(claim));
        let pods = self.pods.get(namespace);
        let own = move |name: &str| Some(&pods?.get(name)?.own);
        let mut left = names.map(|names| &**names).unwrap_or_default();
        std::iter::from_fn(move || {
            let all = left;
            let first = own(all.first()?)?;
            let same = all.partition_point(|name| own(name).is_some_and(|own| own <= first));
            let (same, rest) = all.split_at(same.max(1));
            left = rest;
            Some((first, same))
        })
    }

    /// The workload of this name.
    #[must_use]
    pub fn workload(&self, kind: WorkloadKind, namespace: &str, name: &str) -> Option<&Workload> {
        self.workloads.get(&(kind, namespace.into(), name.into())).map(|workload| &**workload)
    }

    /// Every workload, by kind, namespace and name.
    pub fn workloads(&self) -> impl Iterator<Item = &Workload> {
        self.workloads.values().map(|workload| &**workload)
    }

    /// The attachment of this name.
    #[must_use]
    pub fn attachment(&self, name: &str) -> Option<&AttachmentEntry> {
        self.attachments.get(name)
    }

    /// Every attachment, by name.
    pub fn attachments(&self) -> impl Iterator<Item = (&str, &AttachmentEntry)> {
        self.attachments.iter().map(|(name, entry)| (&**name, entry))
    }

    /// The snapshot of this name.
    #[must_use]
    pub fn snapshot(&self, namespace: &str, name: &str) -> Option<&SnapshotEntry> {
        self.snapshots.get(namespace)?.get(name)
    }

    /// The snapshot of this name, with the name for as long as the state lives.
    pub(crate) fn named_snapshot(&self, namespace: &str, name: &str) -> Option<(&str, &SnapshotEntry)> {
        self.snapshots.get(namespace)?.get_key_value(name)
    }

    /// Every snapshot with its namespace and name, in no order.
    pub fn snapshots(&self) -> impl Iterator<Item = (&str, &str, &SnapshotEntry)> {
        flat(&self.snapshots)
    }

    /// The snapshots of a claim.
    pub(super) fn snapshots_of(&self, namespace: &str, claim: &str) -> impl Iterator<Item = &str> {
        let there = self.snapshots.get(namespace).into_iter().flat_map(|there| there.iter());
        there.filter(move |(_, snapshot)| snapshot.claim.as_deref() == Some(claim)).map(|(name, _)| name)
    }

    /// The snapshot content of this name.
    #[must_use]
    pub fn content(&self, name: &str) -> Option<&SnapshotEntry> {
        self.contents.get(name)
    }

    /// Every snapshot content, in no order.
    pub fn contents(&self) -> impl Iterator<Item = (&str, &SnapshotEntry)> {
        self.contents.iter()
    }

    /// The snapshot class of this name.
    #[must_use]
    pub fn snapshot_class(&self, name: &str) -> Option<&SnapshotClass> {
        self.snapshot_classes.get(name).map(|class| &**class)
    }

    /// The snapshot class that a driver's snapshots get if they name none.
    #[must_use]
    pub fn default_snapshot_class(&self, driver: &str) -> Option<&SnapshotClass> {
        const MARK: &str = "snapshot.storage.kubernetes.io/is-default-class";
        let mut marked = self.snapshot_classes.values().filter(|class| {
            class.driver == driver
                && class.metadata.annotations.get(MARK).is_some_and(|value| value == "true")
        });
        marked.next().map(|class| &**class)
    }

    /// What is wrong with objects of our own kinds, in the order of their names, and which stored objects cannot be
    /// read.
    #[must_use]
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = self.topology.problems();
        problems.extend(self.unreadable_problems());
        problems
    }

    /// What those of the policies and exceptions name that are asked about, and nobody knows. It may be as it should,
    /// and changes no decision.
    #[must_use]
    pub fn doubts(&self, about: impl Fn(&ObjectRef) -> bool) -> Vec<Problem> {
        self.topology.doubts(about)
    }
}

fn flat<T>(objects: &Namespaced<T>) -> impl Iterator<Item = (&str, &str, &T)> {
    objects
        .iter()
        .flat_map(|(namespace, there)| there.iter().map(move |(name, entry)| (&**namespace, name, entry)))
}

/// The claims that a pod mounts, those of its own among them, which Kubernetes names after pod and volume.
pub(crate) fn mounted_claims<'a>(
    volumes: &'a [Volume],
    pod: &'a str,
) -> impl Iterator<Item = std::borrow::Cow<'a, str>> {
    volumes.iter().filter_map(move |volume| match &volume.source {
        VolumeSource::Claim(claim) => Some(claim.as_str().into()),
        VolumeSource::Ephemeral(_) => Some(format!("{pod}-{}", volume.name).into()),
        _ => None,
    })
}

/// Whether a volume and a claim name each other.
#[must_use]
pub(crate) fn is_bound(volume: &VolumeEntry, namespace: &str, claim: &str) -> bool {
    volume.claim.as_ref().is_some_and(|named| *named.namespace == *namespace && *named.name == *claim)
}
