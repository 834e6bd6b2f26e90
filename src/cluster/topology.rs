//! Nodes, sites, policies and the geography: what must be worked out together when one of them changes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ahash::AHashMap;

use super::state::Problem;
use crate::api::{GeographySpec, ResidencyException, ResidencyPolicy, keys};
use crate::geography::{
    self, ClusterProviders, Defaults, Geography, Known as Place, Located, Location, ProblemKind,
};
use crate::objects::ObjectRef;
use crate::objects::{Node, Taint};
use crate::placement::nodes::{NodeEntry, NodeIndex};
use crate::placement::sites::{Known, Site, Sites};
use crate::policy::{Exception, Policies, Policy, PolicyProblem};

/// Sites may double before those that no node is at any more are dropped.
const SPARE_SITES: usize = 1_024;

/// Where everything is, and what is permitted there.
#[derive(Clone, Debug)]
pub(super) struct Topology {
    pub(super) geography: Arc<Geography>,
    pub(super) nodes: Arc<NodeIndex>,
    pub(super) sites: Arc<Sites>,
    pub(super) policies: Policies,
    /// The providers to think of where none is named.
    pub(super) providers: Vec<Arc<str>>,
    pub(super) geography_problems: Vec<geography::Problem>,
    pub(super) policy_problems: BTreeMap<Arc<str>, Vec<PolicyProblem>>,
    pub(super) exception_problems: BTreeMap<(Arc<str>, Arc<str>), Vec<PolicyProblem>>,
    defaults: Defaults,
    geographies: BTreeMap<String, GeographySpec>,
    unread_geographies: BTreeSet<Arc<str>>,
    written_policies: BTreeMap<Arc<str>, Arc<ResidencyPolicy>>,
    pub(super) written_exceptions: BTreeMap<(Arc<str>, Arc<str>), Arc<ResidencyException>>,
    /// How many born nodes each provider has.
    provider_counts: AHashMap<Option<Arc<str>>, usize>,
    most_sites: usize,
}

impl Topology {
    pub(super) fn new(defaults: Defaults) -> Self {
        let mut topology = Self {
            geography: Geography::with_objects(std::iter::empty()).0,
            nodes: Arc::default(),
            sites: Arc::default(),
            policies: Policies::default(),
            providers: Vec::new(),
            geography_problems: Vec::new(),
            policy_problems: BTreeMap::new(),
            exception_problems: BTreeMap::new(),
            defaults,
            geographies: BTreeMap::new(),
            unread_geographies: BTreeSet::new(),
            written_policies: BTreeMap::new(),
            written_exceptions: BTreeMap::new(),
            provider_counts: AHashMap::new(),
            most_sites: SPARE_SITES,
        };
        topology.chart();
        topology
    }

    /// Where a node with these labels and this provider ID is.
    pub(super) fn locate(&self, labels: &BTreeMap<String, String>, provider_id: &str) -> Located {
        self.geography.locate_node(labels, provider_id, &self.defaults)
    }

    /// The site of a location, with these labels.
    pub(super) fn site(&self, location: Location, label: impl Fn(&str) -> Option<Arc<str>>) -> Site {
        let labels = self.sites.keys().iter().map(|key| label(key).map_or(Known::Absent, Known::Is));
        Site { location, labels: labels.collect() }
    }

    /// The site where a node with these labels, provider ID and taints is, and whether it counts as born.
    pub(super) fn node_site(&self, node: &Node) -> (Site, Vec<String>, bool) {
        let Located { location, conflicts, doubt } =
            self.locate(&node.metadata.labels, &node.spec.provider_id);
        let unborn = is_unborn(&node.spec.taints, &location);
        let label = |key: &str| node.metadata.labels.get(key).map(|value| value.as_str().into());
        (self.site(location, label), reasons(conflicts, doubt), unborn)
    }

    fn intern(&mut self, site: Site) -> crate::placement::sites::SiteId {
        if let Some(number) = self.sites.find(&site) {
            return number;
        }
        let (number, new) = Arc::make_mut(&mut self.sites).intern(site);
        if new {
            self.policies.learn(number, &self.sites);
        }
        number
    }

    pub(super) fn apply_node(&mut self, node: &Node, mut text: impl FnMut(&str) -> Arc<str>) {
        self.forget_node(&node.metadata.name);
        let (site, conflicts, unborn) = self.node_site(node);
        let provider = site.location.provider.clone();
        let site = self.intern(site);
        let labels = node.metadata.labels.iter().map(|(key, value)| (text(key), text(value)));
        Arc::make_mut(&mut self.nodes).insert(NodeEntry {
            name: node.metadata.name.as_str().into(),
            labels: labels.collect(),
            provider_id: node.spec.provider_id.as_str().into(),
            taints: node.spec.taints.clone().into(),
            conflicts: conflicts.into(),
            site,
            unborn,
        });
        self.count(provider.as_ref(), unborn, true);
        if self.sites.len() > self.most_sites {
            self.redraw();
        }
    }

    pub(super) fn delete_node(&mut self, name: &str) {
        self.forget_node(name);
    }

    fn forget_node(&mut self, name: &str) {
        if self.nodes.get(name).is_none() {
            return;
        }
        if let Some(node) = Arc::make_mut(&mut self.nodes).remove(name) {
            let provider = self.sites.get(node.site).location.provider.clone();
            self.count(provider.as_ref(), node.unborn, false);
        }
    }

    fn count(&mut self, provider: Option<&Arc<str>>, unborn: bool, came: bool) {
        if unborn {
            return;
        }
        let count = self.provider_counts.entry(provider.cloned()).or_default();
        let before = *count;
        *count = if came { before + 1 } else { before.saturating_sub(1) };
        let after = *count;
        if after == 0 {
            self.provider_counts.remove(&provider.cloned());
        }
        if (before == 0) != (after == 0) {
            self.chart();
        }
    }

    /// Works out the providers to think of, and interns the sites that the geography knows for them.
    fn chart(&mut self) {
        let cluster = ClusterProviders {
            providers: self.provider_counts.keys().flatten().cloned().collect(),
            any_unknown: self.provider_counts.contains_key(&None),
        };
        self.providers = self.geography.candidates(&cluster);
        let geography = self.geography.clone();
        for provider in &self.providers.clone() {
            for (region, ordinary) in geography.regions(provider) {
                let zones = geography.zone_entries(provider, region).map(|zone| zone.location().clone());
                for location in std::iter::once(ordinary.clone()).chain(zones) {
                    self.intern(thought_of(location, &self.sites));
                }
            }
            if let Place::Consistent(location) = geography.locate_in(provider, None, None) {
                self.intern(thought_of(location, &self.sites));
            }
        }
    }

    pub(super) fn apply_policy(&mut self, policy: ResidencyPolicy) {
        let name: Arc<str> = policy.metadata.name.as_deref().unwrap_or_default().into();
        let (compiled, problems) = Policy::compile(&policy, &self.geography);
        self.policies.insert(compiled, &self.sites);
        self.written_policies.insert(name.clone(), Arc::new(policy));
        note(&mut self.policy_problems, name, problems);
        self.follow_place_keys();
    }

    /// A stored policy of which only the name, and perhaps what it governs, can be read.
    pub(super) fn apply_unreadable_policy(&mut self, name: &str, classifications: &[String]) {
        self.delete_policy(name);
        self.policies.insert(Policy::unreadable(name, classifications), &self.sites);
    }

    pub(super) fn delete_policy(&mut self, name: &str) {
        self.policies.remove(name);
        self.written_policies.remove(name);
        self.policy_problems.remove(name);
        self.follow_place_keys();
    }

    pub(super) fn apply_exception(&mut self, exception: ResidencyException) {
        let namespace: Arc<str> = exception.metadata.namespace.as_deref().unwrap_or_default().into();
        let name: Arc<str> = exception.metadata.name.as_deref().unwrap_or_default().into();
        let (compiled, problems) = Exception::compile(&exception, &self.geography);
        self.policies.insert_exception(&namespace, compiled, &self.sites);
        self.written_exceptions.insert((namespace.clone(), name.clone()), Arc::new(exception));
        note(&mut self.exception_problems, (namespace, name), problems);
        self.follow_place_keys();
    }

    pub(super) fn delete_exception(&mut self, namespace: &str, name: &str) {
        self.policies.remove_exception(namespace, name);
        let key = (namespace.into(), name.into());
        self.written_exceptions.remove(&key);
        self.exception_problems.remove(&key);
        self.follow_place_keys();
    }

    pub(super) fn apply_geography(&mut self, name: &str, spec: GeographySpec) {
        self.unread_geographies.remove(name);
        self.geographies.insert(name.to_owned(), spec);
        self.survey();
    }

    /// A stored geography that cannot be read.
    pub(super) fn apply_unreadable_geography(&mut self, name: &str) {
        self.geographies.remove(name);
        self.unread_geographies.insert(name.into());
        self.survey();
    }

    pub(super) fn delete_geography(&mut self, name: &str) {
        if self.geographies.remove(name).is_some() | self.unread_geographies.remove(name) {
            self.survey();
        }
    }

    /// The policy as it was written.
    pub(super) fn written_policy(&self, name: &str) -> Option<&ResidencyPolicy> {
        self.written_policies.get(name).map(|policy| &**policy)
    }

    pub(super) fn written_policies(&self) -> impl Iterator<Item = (&str, &ResidencyPolicy)> {
        self.written_policies.iter().map(|(name, policy)| (&**name, &**policy))
    }

    pub(super) fn written_exceptions(&self) -> impl Iterator<Item = (&str, &str, &ResidencyException)> {
        self.written_exceptions
            .iter()
            .map(|((namespace, name), exception)| (&**namespace, &**name, &**exception))
    }

    /// The exception as it was written.
    pub(super) fn written_exception(&self, namespace: &str, name: &str) -> Option<&ResidencyException> {
        self.written_exceptions.get(&(namespace.into(), name.into())).map(|exception| &**exception)
    }

    /// The geography as it was written.
    pub(super) fn geography_spec(&self, name: &str) -> Option<&GeographySpec> {
        self.geographies.get(name)
    }

    pub(super) fn is_unread(&self, geography: &str) -> bool {
        self.unread_geographies.contains(geography)
    }

    /// The names of the cluster's own geographies.
    pub(super) fn geography_names(&self) -> impl Iterator<Item = &str> {
        self.geographies.keys().map(String::as_str)
    }

    /// What a policy governs of which no more can be read.
    pub(super) fn unreadable_policy(&self, name: &str) -> Option<Vec<String>> {
        let policy = self.policies.get(name).filter(|_| !self.written_policies.contains_key(name))?;
        Some(policy.classifications.iter().map(ToString::to_string).collect())
    }

    /// A new geography: everything that was read with the old one is read again.
    fn survey(&mut self) {
        let objects = self.geographies.iter().map(|(name, spec)| (name.as_str(), spec));
        let (geography, problems) = Geography::with_objects(objects);
        self.geography = geography.lacking(self.unread_geographies.iter().cloned());
        self.geography_problems = problems;
        let unreadable: Vec<Policy> = self
            .policies
            .iter()
            .filter(|policy| !self.written_policies.contains_key(&policy.name))
            .cloned()
            .collect();
        self.policies = Policies::default();
        for policy in unreadable {
            self.policies.insert(policy, &self.sites);
        }
        for (name, policy) in &self.written_policies {
            let (compiled, problems) = Policy::compile(policy, &self.geography);
            self.policies.insert(compiled, &self.sites);
            note(&mut self.policy_problems, name.clone(), problems);
        }
        for (key, exception) in &self.written_exceptions {
            let (compiled, problems) = Exception::compile(exception, &self.geography);
            self.policies.insert_exception(&key.0, compiled, &self.sites);
            note(&mut self.exception_problems, key.clone(), problems);
        }
        self.redraw();
    }

    fn follow_place_keys(&mut self) {
        if self.policies.place_keys() != self.sites.keys() {
            self.redraw();
        }
    }

    /// Locates every node anew. Sites where there is none any more are dropped once there are many.
    fn redraw(&mut self) {
        let keys = self.policies.place_keys();
        let afresh = keys != self.sites.keys() || self.sites.len() > self.most_sites;
        if afresh {
            self.sites = Arc::new(Sites::new(keys));
            self.policies.relearn(&self.sites);
        }
        let nodes = if afresh { std::mem::take(&mut self.nodes) } else { Arc::clone(&self.nodes) };
        self.provider_counts.clear();
        let mut moved = Vec::new();
        for node in nodes.iter() {
            let (site, conflicts, unborn) = self.look(node);
            if !unborn {
                *self.provider_counts.entry(site.location.provider.clone()).or_default() += 1;
            }
            let site = self.intern(site);
            if afresh || (site, unborn) != (node.site, node.unborn) || conflicts != *node.conflicts {
                moved.push(NodeEntry { conflicts: conflicts.into(), site, unborn, ..node.clone() });
            }
        }
        drop(nodes);
        if !moved.is_empty() {
            let nodes = Arc::make_mut(&mut self.nodes);
            for node in moved {
                nodes.insert(node);
            }
        }
        self.chart();
        if afresh {
            self.most_sites = self.sites.len() * 2 + SPARE_SITES;
        }
    }

    /// The site where a node that is kept is, by what is known now, why that is not known in full, and whether it is
    /// not born.
    fn look(&self, node: &NodeEntry) -> (Site, Vec<String>, bool) {
        let label = |key: &str| node.label(key);
        let Located { location, conflicts, doubt } =
            self.geography.locate_labelled(label, &node.provider_id, &self.defaults);
        let unborn = is_unborn(&node.taints, &location);
        let site = self.site(location, |key| node.label_text(key).cloned());
        (site, reasons(conflicts, doubt), unborn)
    }
}

/// Why a node's location is not known in full.
fn reasons(mut conflicts: Vec<String>, doubt: Option<String>) -> Vec<String> {
    conflicts.extend(doubt);
    conflicts
}

fn is_unborn(taints: &[Taint], location: &Location) -> bool {
    location.jurisdiction.is_none() && taints.iter().any(|taint| taint.key == keys::UNINITIALIZED_TAINT)
}

/// The site of a location where there need be no node: its labels could be any.
fn thought_of(location: Location, sites: &Sites) -> Site {
    Site { location, labels: sites.keys().iter().map(|_| Known::Unknown).collect() }
}

fn note<K: Ord>(problems: &mut BTreeMap<K, Vec<PolicyProblem>>, key: K, found: Vec<PolicyProblem>) {
    if found.is_empty() {
        problems.remove(&key);
    } else {
        problems.insert(key, found);
    }
}

/// An object of our own kinds.
pub(super) fn ours(kind: &str, namespace: &str, name: &str) -> ObjectRef {
    ObjectRef {
        api_version: "domicile.dev/v1alpha1".into(),
        kind: kind.into(),
        namespace: namespace.into(),
        name: name.into(),
    }
}

/// Beginning anew, and telling what is wrong.
impl Topology {
    pub(super) fn reset_nodes(&mut self) {
        self.nodes = Arc::default();
        self.provider_counts.clear();
        self.redraw();
    }

    pub(super) fn reset_policies(&mut self) {
        for policy in self.policies.iter().map(|policy| policy.name.clone()).collect::<Vec<_>>() {
            self.policies.remove(&policy);
        }
        self.written_policies.clear();
        self.policy_problems.clear();
        self.follow_place_keys();
    }

    pub(super) fn reset_exceptions(&mut self) {
        for (namespace, name) in std::mem::take(&mut self.written_exceptions).into_keys() {
            self.policies.remove_exception(&namespace, &name);
        }
        self.exception_problems.clear();
        self.follow_place_keys();
    }

    pub(super) fn reset_geographies(&mut self) {
        self.geographies.clear();
        self.unread_geographies.clear();
        self.survey();
    }

    pub(super) fn problems(&self) -> Vec<Problem> {
        let told = |object: ObjectRef, problem: &PolicyProblem| Problem {
            object,
            message: format!("{}: {}", problem.field, problem.message),
            refused: problem.refused,
        };
        let policies = self.policy_problems.iter().flat_map(|(name, found)| {
            found.iter().map(move |problem| told(ours("ResidencyPolicy", "", name), problem))
        });
        let exceptions = self.exception_problems.iter().flat_map(|((namespace, name), found)| {
            found.iter().map(move |problem| told(ours("ResidencyException", namespace, name), problem))
        });
        let geographies = self.geography_problems.iter().map(|problem| Problem {
            object: ours("Geography", "", &problem.object),
            message: format!("{}: {}", problem.field, problem.message),
            refused: problem.kind == ProblemKind::Invalid,
        });
        policies.chain(exceptions).chain(geographies).collect()
    }
}
