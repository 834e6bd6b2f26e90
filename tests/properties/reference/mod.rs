//! A judge that is slow, small and obviously right: it enumerates nodes, matches each one literally, keeps no index
//! and remembers nothing. It is written from the semantics alone, and the engine is held against it.

#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod carried;
pub(crate) mod matching;
pub(crate) mod mounts;
pub(crate) mod places;
pub(crate) mod pods;
pub(crate) mod stored;
pub(crate) mod volumes;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domicile::api::{Action, Activity, Assurance, ResidencyException, ResidencyPolicy, keys};
use domicile::geography::{Defaults, Geography, Location};
use domicile::objects::{
    Binding, Claim, Metadata, Namespace, Node, Object, PersistentVolume, Pod, PodSpec, Snapshot,
    SnapshotClass, StorageClass, VolumeAttachment, VolumeSource, Workload,
};
use domicile::residency::{Decision, Reach};
use jiff::Timestamp;

use carried::{Source, Tokens};
use places::{KnownLabels, Site};

/// A whole cluster, as plain lists.
#[derive(Clone, Default)]
pub(crate) struct World {
    pub(crate) geography: Arc<Geography>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) namespaces: Vec<Namespace>,
    pub(crate) classes: Vec<StorageClass>,
    pub(crate) volumes: Vec<PersistentVolume>,
    pub(crate) claims: Vec<Claim>,
    pub(crate) pods: Vec<Pod>,
    pub(crate) snapshots: Vec<Snapshot>,
    pub(crate) snapshot_classes: Vec<SnapshotClass>,
    pub(crate) policies: Vec<ResidencyPolicy>,
    pub(crate) exceptions: Vec<ResidencyException>,
}

/// What kind of fault a finding tells of, the milder first. Whether a place is outside or unknown is a matter of wording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    NotProven,
    /// A node or a volume is, or can be, where it may not, or nobody knows where.
    Place,
    NotOnTemplate,
    Invalid,
}

/// What the engine must say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) decision: Decision,
    pub(crate) reach: Reach,
    pub(crate) faults: BTreeSet<(Option<String>, Fault)>,
    /// By policy that looks at nodes.
    pub(crate) matching: BTreeMap<String, Matching>,
    /// Whether so many sites were thought of that who bounds his work may stop before.
    pub(crate) many: bool,
}

/// Sites.
const MANY: usize = 500;

/// The nodes that match now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Matching {
    /// Names of those that are forbidden.
    pub(crate) outside: BTreeSet<String>,
    pub(crate) total: usize,
}

impl Expected {
    fn nothing() -> Self {
        Self {
            decision: Decision::Allow,
            reach: Reach::NotApplicable,
            faults: BTreeSet::new(),
            matching: BTreeMap::new(),
            many: false,
        }
    }

    fn found(&mut self, policy: Option<&ResidencyPolicy>, fault: Fault) {
        let decision = match policy.map_or(Action::Deny, |policy| policy.spec.action) {
            Action::Deny => Decision::Deny,
            Action::Warn => Decision::Warn,
            Action::Audit => Decision::Allow,
        };
        self.decision = self.decision.max(decision);
        self.faults.insert((policy.map(name_of), fault));
    }

    /// Takes up what one policy makes of one thing that it looks at.
    fn weigh(&mut self, policy: &ResidencyPolicy, reach: Reach) {
        self.reach = self.reach.max(reach);
        match (reach, policy.spec.assurance) {
            (Reach::Violated, _) => self.found(Some(policy), Fault::Place),
            (Reach::Observed, Assurance::Proven) => self.found(Some(policy), Fault::NotProven),
            _ => {}
        }
    }
}

pub(crate) fn name_of(policy: &ResidencyPolicy) -> String {
    policy.metadata.name.clone().unwrap_or_default()
}

pub(crate) fn governs(policy: &ResidencyPolicy, activity: Activity) -> bool {
    policy.spec.activities.as_ref().is_none_or(|all| all.contains(&activity))
}

/// Under which name and labels selectors see an object.
#[derive(Clone, Debug)]
pub(crate) enum Seen<'a> {
    As(&'a str, &'a Metadata),
    /// A volume without a readable claim: selected regardless, and no exceptions.
    Unreadable,
}

impl World {
    pub(crate) fn new(geography: Arc<Geography>, objects: impl IntoIterator<Item = Object>) -> Self {
        let mut world = Self { geography, ..Self::default() };
        for object in objects {
            world.add(object);
        }
        world
    }

    pub(crate) fn add(&mut self, object: Object) {
        match object {
            Object::Node(one) => self.nodes.push(*one),
            Object::Namespace(one) => self.namespaces.push(*one),
            Object::StorageClass(one) => self.classes.push(*one),
            Object::Volume(one) => self.volumes.push(*one),
            Object::Claim(one) => self.claims.push(*one),
            Object::Pod(one) => self.pods.push(*one),
            Object::Snapshot(one) => self.snapshots.push(*one),
            Object::SnapshotClass(one) => self.snapshot_classes.push(*one),
            Object::Policy(one) => self.policies.push(*one),
            Object::Exception(one) => self.exceptions.push(*one),
            // Geographies are in `geography`; the others change no other object's judgement here.
            _ => {}
        }
    }

    pub(crate) fn claim(&self, namespace: &str, name: &str) -> Option<&Claim> {
        self.claims.iter().find(|one| one.metadata.namespace == namespace && one.metadata.name == name)
    }

    pub(crate) fn volume(&self, name: &str) -> Option<&PersistentVolume> {
        self.volumes.iter().find(|one| one.metadata.name == name)
    }

    pub(crate) fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.iter().find(|one| one.metadata.name == name)
    }

    /// The class that a claim means: the one it names, or the newest default.
    pub(crate) fn class(&self, name: Option<&str>) -> Option<&StorageClass> {
        match name {
            Some(name) => self.classes.iter().find(|one| one.metadata.name == name),
            None => self
                .classes
                .iter()
                .filter(|one| {
                    one.metadata.annotations.get(keys::DEFAULT_CLASS).is_some_and(|is| is == "true")
                })
                .max_by_key(|one| (one.metadata.creation_timestamp, std::cmp::Reverse(&one.metadata.name))),
        }
    }

    pub(crate) fn locate(&self, node: &Node) -> Location {
        self.geography
            .locate_node(&node.metadata.labels, &node.spec.provider_id, &Defaults::default())
            .location
    }

    pub(crate) fn site(&self, node: &Node) -> Site {
        Site { location: self.locate(node), labels: KnownLabels::Of(vec![node.metadata.labels.clone()]) }
    }

    /// A node that is still initialising, and nobody knows where.
    pub(crate) fn is_out_of_reach(&self, node: &Node) -> bool {
        matching::is_uninitialized(node) && self.locate(node).jurisdiction.is_none()
    }

    /// Whether any code can be one of this provider's.
    pub(crate) fn is_uncharted(&self, provider: &str) -> bool {
        !self.geography.rows().any(|row| *row.provider == *provider)
    }

    /// Whose regions and zones are meant where no provider is named.
    pub(crate) fn providers<'a>(&self, nodes: impl Iterator<Item = &'a Node>) -> Vec<Arc<str>> {
        let found: Vec<_> = nodes.map(|node| self.locate(node).provider).collect();
        let known: BTreeSet<Arc<str>> = found.iter().flatten().cloned().collect();
        if found.is_empty() || found.iter().any(Option::is_none) {
            // Those of which something is known, and those that are there.
            known
                .into_iter()
                .chain(self.geography.rows().map(|row| Arc::clone(&row.provider)))
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect()
        } else {
            known.into_iter().collect()
        }
    }

    pub(crate) fn selecting(&self, carried: &Tokens, seen: &Seen<'_>) -> Vec<&ResidencyPolicy> {
        let selected = |policy: &&ResidencyPolicy| {
            let spec = &policy.spec;
            if !spec.classifications.iter().any(|one| carried.contains(one)) {
                return false;
            }
            let Seen::As(namespace, metadata) = seen else { return true };
            let nothing = matching::Labels::new();
            let of_namespace = self
                .namespaces
                .iter()
                .find(|one| one.metadata.name == **namespace)
                .map_or(&nothing, |one| &one.metadata.labels);
            matching::selects(spec.namespace_selector.as_ref(), of_namespace)
                && matching::selects(spec.object_selector.as_ref(), &metadata.labels)
        };
        self.policies.iter().filter(selected).collect()
    }

    pub(crate) fn exceptions(&self, policy: &ResidencyPolicy, seen: &Seen<'_>) -> Vec<&ResidencyException> {
        let Seen::As(namespace, metadata) = seen else { return Vec::new() };
        self.exceptions
            .iter()
            .filter(|one| one.metadata.namespace.as_deref() == Some(*namespace))
            .filter(|one| one.spec.policies.contains(&name_of(policy)))
            .filter(|one| matching::selects(one.spec.object_selector.as_ref(), &metadata.labels))
            .collect()
    }

    pub(crate) fn permits(
        &self,
        policy: &ResidencyPolicy,
        seen: &Seen<'_>,
        site: &Site,
        now: Timestamp,
    ) -> bool {
        places::permits(&self.geography, policy, &self.exceptions(policy, seen), site, now)
    }

    /// What a pod carries, but for what is written on it.
    pub(crate) fn inherited_by_pod(&self, namespace: &str, spec: &PodSpec) -> Tokens {
        let mut tokens = self.gather(carried::pod_sources(namespace, spec));
        for volume in &spec.volumes {
            if let VolumeSource::Ephemeral(template) = &volume.source {
                tokens.extend(carried::own(&template.metadata));
                tokens.extend(self.gather(carried::claim_sources(namespace, &template.spec)));
            }
        }
        tokens
    }

    pub(crate) fn carried_by_pod(&self, namespace: &str, metadata: &Metadata, spec: &PodSpec) -> Tokens {
        let mut tokens = self.inherited_by_pod(namespace, spec);
        tokens.extend(carried::own(metadata));
        tokens
    }

    pub(crate) fn judge(&self, object: &Object, now: Timestamp) -> Expected {
        match object {
            Object::Pod(pod) => self.judge_pod(&pod.metadata.namespace, &pod.metadata, &pod.spec, now),
            Object::Workload(workload) => self.judge_workload(workload, now),
            Object::Claim(claim) => self.judge_claim(claim, now),
            // What stands there of the same name is what is changed, and says nothing of what it is changed to.
            Object::Volume(volume) => {
                let mut world = self.clone();
                world.volumes.retain(|one| one.metadata.name != volume.metadata.name);
                world.volumes.push((**volume).clone());
                let mut expected = world.judge_volume(volume, now);
                self.give_volume(volume, &mut expected, now);
                expected
            }
            Object::Attachment(attachment) => self.judge_attachment(attachment, now),
            Object::Binding(binding) => self.judge_binding(binding, now),
            Object::Snapshot(snapshot) => self.judge_snapshot(snapshot, now),
            other => panic!("the reference does not judge {other:?}"),
        }
    }

    pub(crate) fn judge_pod(
        &self,
        namespace: &str,
        metadata: &Metadata,
        spec: &PodSpec,
        now: Timestamp,
    ) -> Expected {
        let mut expected = Expected::nothing();
        if carried::has_invalid_token(metadata) {
            expected.found(None, Fault::Invalid);
        }
        let seen = Seen::As(namespace, metadata);
        let carried = self.carried_by_pod(namespace, metadata, spec);
        let policies = self.selecting(&carried, &seen);
        for policy in &policies {
            let subject = pods::Subject { world: self, policy, policies: &policies, seen: &seen, now };
            if mounts::looks_at_nodes(self, policy, namespace, spec) {
                let (reach, matching, sites) = subject.reach_of_pod(namespace, spec);
                expected.many |= sites > MANY;
                expected.weigh(policy, reach);
                expected.matching.insert(name_of(policy), matching);
            }
            if governs(policy, Activity::Storage) {
                for reach in subject.reach_of_mounts(namespace, spec) {
                    expected.weigh(policy, reach);
                }
            }
        }
        expected
    }

    fn judge_workload(&self, workload: &Workload, now: Timestamp) -> Expected {
        let namespace = &workload.metadata.namespace;
        let template = &workload.template;
        let mut spec = template.spec.clone();
        for claim in &workload.claim_templates {
            spec.volumes.push(domicile::objects::Volume {
                name: claim.metadata.name.clone(),
                source: VolumeSource::Ephemeral(Box::new(claim.clone())),
            });
        }
        let mut expected = self.judge_pod(namespace, &template.metadata, &spec, now);
        let supplied: Tokens = carried::own(&template.metadata)
            .into_iter()
            .chain(self.gather(vec![Source::Namespace(namespace.clone())]))
            .collect();
        let outer = std::iter::once(&workload.metadata).chain(&workload.job_metadata);
        if outer.clone().any(carried::has_invalid_token) {
            expected.found(None, Fault::Invalid);
        }
        if outer.flat_map(carried::own).any(|token| !supplied.contains(&token)) {
            expected.found(None, Fault::NotOnTemplate);
        }
        expected
    }

    fn judge_binding(&self, binding: &Binding, now: Timestamp) -> Expected {
        let namespace = &binding.metadata.namespace;
        let pod = self
            .pods
            .iter()
            .find(|one| one.metadata.namespace == *namespace && one.metadata.name == binding.metadata.name)
            .expect("the pod that is bound exists");
        let mut spec = pod.spec.clone();
        spec.node_name.clone_from(&binding.target.name);
        self.judge_pod(namespace, &pod.metadata, &spec, now)
    }

    fn judge_attachment(&self, attachment: &VolumeAttachment, now: Timestamp) -> Expected {
        let mut expected = Expected::nothing();
        let Some(volume) = self.volume(&attachment.spec.source.persistent_volume_name) else {
            // Nothing says what it would attach: anything.
            let every: Vec<_> = self.policies.iter().collect();
            self.weigh_attachment(&every, &Seen::Unreadable, attachment, now, &mut expected);
            return expected;
        };
        let (carried, seen) = (self.carried_by_volume(volume), self.seen_volume(volume));
        self.weigh_attachment(&self.selecting(&carried, &seen), &seen, attachment, now, &mut expected);
        expected
    }

    fn weigh_attachment(
        &self,
        selecting: &[&ResidencyPolicy],
        seen: &Seen<'_>,
        attachment: &VolumeAttachment,
        now: Timestamp,
        expected: &mut Expected,
    ) {
        for policy in selecting {
            if governs(policy, Activity::Processing) {
                let permitted = self
                    .node(&attachment.spec.node_name)
                    .is_some_and(|node| self.permits(policy, seen, &self.site(node), now));
                expected.weigh(policy, if permitted { Reach::Proven } else { Reach::Violated });
            }
        }
    }
}
