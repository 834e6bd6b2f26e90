//! The reach of a pod: every node that there is, and every node that there could be.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use domicile::api::{ResidencyPolicy, keys};
use domicile::geography::{Known, Location};
use domicile::objects::{Node, Operator, PodSpec, Toleration, TolerationOperator};
use domicile::residency::Reach;
use jiff::Timestamp;

use super::matching::{self, Demand};
use super::mounts::{Mount, mounts, waits_for_consumer};
use super::places::{KnownLabels, Site};
use super::{Matching, Seen, World};

/// One policy looking at one object.
pub(crate) struct Subject<'a> {
    pub(crate) world: &'a World,
    pub(crate) policy: &'a ResidencyPolicy,
    /// Every policy that selects the object.
    pub(crate) policies: &'a [&'a ResidencyPolicy],
    pub(crate) seen: &'a Seen<'a>,
    pub(crate) now: Timestamp,
}

/// Every way to meet the pod's constraints: AND-ed demands, OR-ed conjuncts. Terms that match nothing are left out.
pub(crate) fn conjuncts(world: &World, namespace: &str, spec: &PodSpec) -> Vec<Vec<Demand>> {
    let selector = spec
        .node_selector
        .iter()
        .map(|(label, value)| Demand::one_of(label, std::slice::from_ref(value)))
        .collect();
    let mut all: Vec<Vec<Demand>> = vec![selector];
    let mut and_one_of = |terms: Vec<Vec<Demand>>| {
        let terms = terms.into_iter().filter(|term| !term.is_empty());
        all = terms
            .flat_map(|term| {
                all.iter().map(move |before| [before.clone(), term.clone()].concat()).collect::<Vec<_>>()
            })
            .collect();
    };
    if let Some(required) = spec.required_nodes() {
        and_one_of(required.node_selector_terms.iter().map(matching::term_demands).collect());
    }
    for mount in mounts(world, namespace, spec) {
        match mount {
            Mount::Bound(volume) => {
                if let Some(affinity) = &volume.spec.node_affinity {
                    and_one_of(affinity.node_selector_terms.iter().map(matching::term_demands).collect());
                }
            }
            Mount::Unbound(spec, claim) if waits_for_consumer(world, spec) => {
                let class = world.class(spec.storage_class_name.as_deref()).expect("it waits by its class");
                let mut free = world.waiting_volumes(claim);
                free.extend(world.free_volumes(&class.metadata.name, claim));
                let somewhere = free.iter().all(|volume| volume.spec.node_affinity.is_some());
                if !class.allowed_topologies.is_empty() && somewhere {
                    let made = class.allowed_topologies.iter().map(matching::topology_demands);
                    let affinities = free.iter().filter_map(|volume| volume.spec.node_affinity.as_ref());
                    let given = affinities
                        .flat_map(|affinity| affinity.node_selector_terms.iter().map(matching::term_demands));
                    and_one_of(made.chain(given).collect());
                }
            }
            Mount::Unbound(..) | Mount::Inline(_) => {}
        }
    }
    all
}

/// The nodes that the pod can be on now.
pub(crate) fn matching_nodes<'a>(world: &'a World, namespace: &str, spec: &PodSpec) -> Vec<&'a Node> {
    let conjuncts = conjuncts(world, namespace, spec);
    world
        .nodes
        .iter()
        .filter(|node| conjuncts.iter().any(|demands| demands.iter().all(|demand| demand.matches(node))))
        .filter(|node| matching::bears_taints(spec, node))
        .filter(|node| !world.is_out_of_reach(node) || matching::bears_uninitialized(spec, node))
        .collect()
}

/// Whether a node can be thought of that meets all of these: for each label, some value or its absence passes.
fn can_be_met(demands: &[Demand]) -> bool {
    demands.iter().all(|one| {
        let about: Vec<_> = demands.iter().filter(|demand| demand.label == one.label).collect();
        let passes = |value: Option<&str>| about.iter().all(|demand| demand.accepts(value));
        let listed: Vec<_> = about
            .iter()
            .filter(|demand| demand.operator == Operator::In)
            .flat_map(|demand| &demand.values)
            .collect();
        // Where none is listed, there is a value that nobody thought of.
        passes(None)
            || listed.iter().any(|value| passes(Some(value)))
            || listed.is_empty() && !about.iter().any(|demand| demand.operator == Operator::DoesNotExist)
    })
}

/// What a conjunct leaves of one label or of the name: finitely many values (`None`: absent), or `None` for no bound.
fn left_of(demands: &[Demand], label: Option<&str>, absence_counts: bool) -> Option<Vec<Option<String>>> {
    let about: Vec<_> = demands.iter().filter(|demand| demand.label.as_deref() == label).collect();
    let mut finite = false;
    let mut candidates = BTreeSet::new();
    for demand in &about {
        match demand.operator {
            Operator::In => {
                finite = true;
                candidates.extend(demand.values.iter().cloned().map(Some));
            }
            Operator::DoesNotExist if absence_counts => {
                finite = true;
                candidates.insert(None);
            }
            _ => {}
        }
    }
    finite.then(|| {
        candidates
            .into_iter()
            .filter(|value| about.iter().all(|demand| demand.accepts(value.as_deref())))
            .collect()
    })
}

/// As [`left_of`], where only values that are there count.
fn values_left_of(demands: &[Demand], label: Option<&str>) -> Option<BTreeSet<String>> {
    left_of(demands, label, false).map(|values| values.into_iter().flatten().collect())
}

/// The intersection of what several labels that mean the same leave, and whose they are.
struct Pinned {
    values: Option<BTreeSet<String>>,
    owners: BTreeSet<Arc<str>>,
}

fn pinned_by_any(demands: &[Demand], keys: &[(Arc<str>, Option<Arc<str>>)]) -> Pinned {
    let mut pinned = Pinned { values: None, owners: BTreeSet::new() };
    for (key, owner) in keys {
        let Some(values) = values_left_of(demands, Some(key)) else { continue };
        pinned.owners.extend(owner.clone());
        pinned.values = Some(match pinned.values {
            None => values,
            Some(before) => before.intersection(&values).cloned().collect(),
        });
    }
    pinned
}

/// Labels that hold a node's zone, and whose: of a driver only if it is one provider's. A key without a prefix can mean
/// anything on another provider's nodes.
fn zone_keys(world: &World) -> Vec<(Arc<str>, Option<Arc<str>>)> {
    let of_drivers =
        world.geography.zone_keys().iter().filter(|(key, owner)| owner.is_some() && key.contains('/'));
    of_drivers.cloned().chain([(keys::ZONE.into(), None)]).collect()
}

/// As [`zone_keys`], for regions.
fn region_keys(world: &World) -> Vec<(Arc<str>, Option<Arc<str>>)> {
    let of_drivers =
        world.geography.region_keys().iter().filter(|(key, owner)| owner.is_some() && key.contains('/'));
    of_drivers.cloned().chain([(keys::REGION.into(), None)]).collect()
}

impl Subject<'_> {
    fn permits(&self, site: &Site) -> bool {
        self.world.permits(self.policy, self.seen, site, self.now)
    }

    /// The reach, the nodes that match, and how many sites had to be thought of.
    pub(crate) fn reach_of_pod(&self, namespace: &str, spec: &PodSpec) -> (Reach, Matching, usize) {
        let world = self.world;
        let of = |nodes: &[&Node]| Matching {
            outside: nodes
                .iter()
                .filter(|node| !self.permits(&world.site(node)))
                .map(|node| node.metadata.name.clone())
                .collect(),
            total: nodes.len(),
        };
        if !spec.node_name.is_empty() {
            let Some(node) = world.node(&spec.node_name) else {
                return (Reach::Violated, Matching::default(), 0);
            };
            let matching = of(&[node]);
            let reach = if matching.outside.is_empty() { Reach::Proven } else { Reach::Violated };
            return (reach, matching, 1);
        }
        let matching = of(&matching_nodes(world, namespace, spec));
        // Taints prove nothing: they are lifted.
        let bearing_all = PodSpec { tolerations: vec![any_toleration()], ..spec.clone() };
        let taints_lifted = matching_nodes(world, namespace, &bearing_all)
            .into_iter()
            .filter(|node| !world.is_out_of_reach(node) || matching::bears_uninitialized(spec, node))
            .all(|node| self.permits(&world.site(node)));
        // What no node can meet leads nowhere.
        let conjuncts: Vec<_> =
            conjuncts(world, namespace, spec).into_iter().filter(|demands| can_be_met(demands)).collect();
        let conceivable: Vec<_> = conjuncts.iter().map(|demands| self.conceivable(demands, spec)).collect();
        let is_proven = |sites: &Option<Vec<Site>>| {
            sites.iter().flatten().all(|site| self.permits(site)) && sites.is_some()
        };
        let reach = if !matching.outside.is_empty() {
            Reach::Violated
        } else if taints_lifted && !conceivable.is_empty() && conceivable.iter().all(is_proven) {
            Reach::Proven
        } else {
            Reach::Observed
        };
        (reach, matching, conceivable.iter().flatten().map(Vec::len).sum())
    }

    /// Every site that a node could have which meets the demands; `None` if they pin nothing, or nothing that is known.
    fn conceivable(&self, demands: &[Demand], spec: &PodSpec) -> Option<Vec<Site>> {
        let world = self.world;
        let hostnames = values_left_of(demands, Some(keys::HOSTNAME));
        let names = values_left_of(demands, None);
        if hostnames.is_some() || names.is_some() {
            return self.named(demands, hostnames, names);
        }
        let labels = self.known_labels(demands);
        let zones = pinned_by_any(demands, &zone_keys(world));
        let regions = pinned_by_any(demands, &region_keys(world));

        let in_cluster = world
            .nodes
            .iter()
            .filter(|node| !world.is_out_of_reach(node) || matching::bears_uninitialized(spec, node));
        let owners: BTreeSet<_> = zones.owners.union(&regions.owners).cloned().collect();
        let providers = match owners.len() {
            0 => world.providers(in_cluster),
            // Of those that the cluster has: no other provider's node is thought of.
            1 => world.providers(in_cluster).into_iter().filter(|one| owners.contains(one)).collect(),
            // Labels of two providers' drivers on one node: there is no such node.
            _ => return None,
        };

        let mut locations = Vec::new();
        match (&regions.values, &zones.values) {
            (None, None) => {
                if !self.pins_a_place(demands) {
                    return None;
                }
                locations = providers.iter().map(|provider| self.anywhere_in(provider)).collect();
            }
            (Some(regions), zones) => {
                for region in regions {
                    let knowing: Vec<_> = providers
                        .iter()
                        .filter(|provider| world.geography.knows_region(provider, region))
                        .collect();
                    if knowing.is_empty() {
                        return None;
                    }
                    let uncharted = providers.iter().filter(|provider| world.is_uncharted(provider));
                    locations.extend(uncharted.map(|provider| Location {
                        provider: Some(Arc::clone(provider)),
                        region: Some(region.as_str().into()),
                        ..Location::default()
                    }));
                    for provider in knowing {
                        match zones {
                            Some(zones) => locations.extend(
                                zones.iter().filter_map(|zone| self.zone_in(provider, Some(region), zone)),
                            ),
                            None => locations.extend(self.zones_of(provider, region, demands)),
                        }
                    }
                }
            }
            (None, Some(zones)) => {
                for zone in zones {
                    let before = locations.len();
                    for provider in &providers {
                        locations.extend(self.zones_called(provider, zone));
                    }
                    if locations.len() == before {
                        return None;
                    }
                }
            }
        }
        if locations.is_empty() {
            return None;
        }
        let mut sites = Vec::new();
        for location in &locations {
            for labels in labels.iter().filter(|labels| self.fit(labels, location)) {
                let mut location = location.clone();
                if let Some(Some(said)) = labels.get(keys::RESTRICTED_JURISDICTION) {
                    location.jurisdiction = said.parse().ok();
                }
                sites.push(Site { location, labels: KnownLabels::Only(labels.clone()) });
            }
        }
        (!sites.is_empty()).then_some(sites)
    }

    /// Existing nodes that the demands name.
    fn named(
        &self,
        demands: &[Demand],
        hostnames: Option<BTreeSet<String>>,
        names: Option<BTreeSet<String>>,
    ) -> Option<Vec<Site>> {
        let hostname = |node: &Node| node.metadata.labels.get(keys::HOSTNAME).cloned();
        let nodes = &self.world.nodes;
        let known = |value: &String| nodes.iter().any(|node| node.metadata.name == *value);
        let known_host = |value: &String| nodes.iter().any(|node| hostname(node).as_ref() == Some(value));
        if names.iter().flatten().any(|name| !known(name))
            || hostnames.iter().flatten().any(|name| !known_host(name))
        {
            return None;
        }
        let keys: Vec<_> = zone_keys(self.world).into_iter().chain(region_keys(self.world)).collect();
        let location_keys = |label: &str| keys.iter().any(|(key, _)| **key == *label);
        let contradicts = |node: &Node| {
            demands.iter().any(|demand| {
                let Some(label) = demand.label.as_deref().filter(|label| location_keys(label)) else {
                    return false;
                };
                node.metadata.labels.get(label).is_some_and(|value| !demand.accepts(Some(value)))
            })
        };
        let sites: Vec<_> = nodes
            .iter()
            .filter(|node| names.as_ref().is_none_or(|names| names.contains(&node.metadata.name)))
            .filter(|node| {
                hostnames
                    .as_ref()
                    .is_none_or(|names| hostname(node).is_some_and(|host| names.contains(&host)))
            })
            .filter(|node| !contradicts(node))
            .map(|node| self.world.site(node))
            .collect();
        (!sites.is_empty()).then_some(sites)
    }

    /// A node that is labelled so. Where zones have no names of their own, a number may be a fault domain, and what else the
    /// node has says the zone.
    fn zone_in(&self, provider: &str, region: Option<&str>, zone: &str) -> Option<Location> {
        let mut location = consistent(self.world.geography.locate_in(provider, region, Some(zone)))?;
        if !self.zones_have_names(provider) && zone.chars().all(|one| one.is_ascii_digit()) {
            location.zone = None;
        }
        Some(location)
    }

    fn zones_have_names(&self, provider: &str) -> bool {
        !self.world.geography.is_zone_of_any_region(provider, "1")
    }

    /// Wherever the provider can have a zone of this name: where that yields its region, and if it yields none, in any.
    fn zones_called(&self, provider: &Arc<str>, zone: &str) -> Vec<Location> {
        let geography = &self.world.geography;
        let listed = geography.rows().any(|row| {
            row.provider == *provider && row.zone.as_ref().is_some_and(|pattern| pattern.matches(zone))
        });
        let says_itself = self.zone_in(provider, None, zone).filter(|at| {
            at.region.as_deref().map_or(listed, |region| geography.knows_region(provider, region))
        });
        let mut locations: Vec<Location> = says_itself.into_iter().collect();
        if geography.is_zone_of_any_region(provider, zone) {
            let regions = geography.regions(provider);
            locations.extend(regions.filter_map(|(region, _)| self.zone_in(provider, Some(region), zone)));
            // A row for many regions at once tells none of them by name.
            let has_more = geography.rows().any(|row| row.provider == *provider && !row.region.is_literal());
            if has_more || self.world.is_uncharted(provider) {
                locations.push(Location { provider: Some(Arc::clone(provider)), ..Location::default() });
            }
        }
        locations
    }

    /// The ordinary zones of a region, and every listed one that the demands do not exclude: by a label that must be there, since
    /// what has no such label is not excluded by what that may not be.
    fn zones_of(&self, provider: &str, region: &str, demands: &[Demand]) -> Vec<Location> {
        let geography = &self.world.geography;
        // As `worlds` has it; of the catalog's, only some whose zones have names say it there.
        let from_its_id = ["aws", "acme", "bare"].contains(&provider);
        let from_a_driver = zone_keys(self.world).iter().any(|(_, owner)| owner.as_deref() == Some(provider));
        // Where a label without a name is not a fault in itself, another source may name the zone; beside a driver's label,
        // Kubernetes' own may.
        let decides = self.zones_have_names(provider) || !from_its_id && !from_a_driver;
        let about: Vec<_> =
            demands.iter().filter(|demand| demand.label.as_deref() == Some(keys::ZONE)).collect();
        let must_be_there = about.iter().any(|demand| !demand.accepts(None));
        let excluded = |zone: &str| {
            let shuts_out =
                |demand: &&Demand| demand.operator == Operator::NotIn && !demand.accepts(Some(zone));
            decides && must_be_there && about.iter().any(shuts_out)
        };
        let mut locations = vec![geography.ordinary(provider, region)];
        for entry in geography.zone_entries(provider, region) {
            let left_out = entry.literals().is_some_and(|zones| zones.iter().all(|zone| excluded(zone)));
            if !left_out {
                locations.push(entry.location().clone());
            }
        }
        locations
    }

    /// Somewhere at a provider. Whose law binds it there is known only if it is the same in all its regions.
    fn anywhere_in(&self, provider: &Arc<str>) -> Location {
        let geography = &self.world.geography;
        let own = geography
            .provider_entries()
            .find(|entry| entry.name == *provider)
            .and_then(|entry| entry.jurisdiction());
        let differs = geography.rows().any(|row| {
            row.provider == *provider && row.provider_jurisdiction.is_some_and(|law| Some(law) != own)
        });
        Location {
            provider: Some(Arc::clone(provider)),
            provider_jurisdiction: own.filter(|_| !differs),
            ..Location::default()
        }
    }

    /// Labels that places of the selecting policies read.
    fn place_keys(&self) -> BTreeSet<String> {
        let mut keys = labels_read_by(self.policies);
        keys.insert(keys::RESTRICTED_JURISDICTION.to_owned());
        keys
    }

    /// Whether labels that say a region or a zone say this location's.
    fn fit(&self, labels: &BTreeMap<String, Option<String>>, location: &Location) -> bool {
        let geography = &self.world.geography;
        labels.iter().all(|(key, value)| {
            let is_key = |standard: &str, keys: &[(Arc<str>, Option<Arc<str>>)]| {
                key == standard || keys.iter().any(|(one, _)| **one == **key)
            };
            // What has no such label may have its region or zone from elsewhere, such as its provider ID.
            if value.is_none() {
                true
            } else if is_key(keys::REGION, geography.region_keys()) {
                location.region.is_none() || value.as_deref() == location.region.as_deref()
            } else if is_key(keys::ZONE, geography.zone_keys()) {
                location.zone.is_none() || value.as_deref() == location.zone.as_deref()
            } else {
                true
            }
        })
    }

    /// Whether a label is pinned that a place of this very policy reads, or the one that says where a node is.
    fn pins_a_place(&self, demands: &[Demand]) -> bool {
        if left_of(demands, Some(keys::RESTRICTED_JURISDICTION), false).is_some() {
            return true;
        }
        labels_read_by(&[self.policy]).iter().any(|key| left_of(demands, Some(key), true).is_some())
    }

    /// Every combination of the labels that the demands pin and places read.
    fn known_labels(&self, demands: &[Demand]) -> Vec<BTreeMap<String, Option<String>>> {
        let mut all = vec![BTreeMap::new()];
        for key in self.place_keys() {
            let Some(values) = left_of(demands, Some(&key), true) else { continue };
            all = all
                .iter()
                .flat_map(|before| {
                    values.iter().map(|value| {
                        let mut labels = before.clone();
                        labels.insert(key.clone(), value.clone());
                        labels
                    })
                })
                .collect();
        }
        all
    }
}

fn any_toleration() -> Toleration {
    Toleration { operator: TolerationOperator::Exists, ..Toleration::default() }
}

/// Labels that places of these policies read.
fn labels_read_by(policies: &[&ResidencyPolicy]) -> BTreeSet<String> {
    let places =
        policies.iter().flat_map(|policy| policy.spec.allow.iter().chain(&policy.spec.deny).flatten());
    places
        .filter_map(|place| place.node_selector.as_ref())
        .flat_map(matching::selector_demands)
        .filter_map(|demand| demand.label)
        .collect()
}

fn consistent(known: Known) -> Option<Location> {
    match known {
        Known::Consistent(location) => Some(location),
        Known::Inconsistent => None,
    }
}
