//! Where volumes are, or will be made.

use std::sync::Arc;

use domicile::api::{Activity, ResidencyPolicy, VolumePlacement, keys};
use domicile::geography::{Jurisdiction, Known, Location};
use domicile::objects::{
    BindingMode, Claim, ClaimSpec, Metadata, Node, Operator, PersistentVolume, PodSpec, StorageClass,
};
use domicile::residency::Reach;
use jiff::Timestamp;

use super::carried::{self, Source, Tokens};
use super::matching::{self, Demand};
use super::places::{KnownLabels, Site};
use super::pods::{self, Mount, Subject};
use super::{Expected, Fault, Seen, World, governs};

/// Where a volume rests.
pub(crate) enum Rest {
    /// In all of these at once, or in any; whether that holds whatever nodes there are.
    In(Vec<Site>, bool),
    /// Anywhere the cluster is.
    Unpinned,
    /// A pod decides, within one of these if there are any.
    PodDecides(Vec<Rest>),
    Unknown,
}

/// What is declared of a volume beside its topology.
struct Declared<'a> {
    own: Option<&'a Metadata>,
    class: Option<&'a StorageClass>,
}

fn jurisdiction(metadata: &Metadata, key: &str) -> Option<Jurisdiction> {
    metadata.annotations.get(key)?.parse().ok()
}

impl World {
    pub(crate) fn carried_by_volume(&self, volume: &PersistentVolume) -> Tokens {
        let claim = volume.spec.claim_ref.iter();
        let mut tokens =
            self.gather(claim.map(|of| Source::Claim(of.namespace.clone(), of.name.clone())).collect());
        tokens.extend(carried::own(&volume.metadata));
        tokens
    }

    pub(crate) fn seen_volume(&self, volume: &PersistentVolume) -> Seen<'_> {
        let claim = volume.spec.claim_ref.as_ref().and_then(|of| self.claim(&of.namespace, &of.name));
        claim.map_or(Seen::Unreadable, |claim| Seen::As(&claim.metadata.namespace, &claim.metadata))
    }

    /// Regions and zones that these demands pin, at the driver's provider or at all that the cluster has.
    /// `None`: they pin no place that is known.
    fn pinned_locations(&self, demands: &[Demand], driver: &str) -> Option<Vec<Location>> {
        let geography = &self.geography;
        let known_driver = geography.driver(driver);
        let mut zone_keys: Vec<Arc<str>> =
            geography.zone_keys().iter().map(|(key, _)| Arc::clone(key)).collect();
        zone_keys.push(keys::ZONE.into());
        let mut region_keys: Vec<Arc<str>> =
            geography.region_keys().iter().map(|(key, _)| Arc::clone(key)).collect();
        region_keys.push(keys::REGION.into());
        let values = |keys: &[Arc<str>]| -> Option<Vec<String>> {
            let about = |demand: &&Demand| {
                demand.operator == Operator::In && keys.iter().any(|key| demand.label.as_deref() == Some(key))
            };
            let pinning: Vec<_> = demands.iter().filter(about).collect();
            let mut values: Vec<String> = pinning.iter().flat_map(|demand| demand.values.clone()).collect();
            values.retain(|value| pinning.iter().all(|demand| demand.accepts(Some(value))));
            values.sort();
            values.dedup();
            (!pinning.is_empty()).then_some(values)
        };
        let (regions, zones) = (values(&region_keys), values(&zone_keys));
        if regions.is_none() && zones.is_none() {
            return None;
        }
        let locate = |region: Option<&str>, zone: Option<&str>| -> Option<Location> {
            match known_driver.and_then(|driver| driver.provider.clone()) {
                Some(provider) => match geography.locate_in(&provider, region, zone) {
                    Known::Consistent(location) => Some(location),
                    Known::Inconsistent => None,
                },
                None => Some(geography.locate_named(&self.providers_now(), region, zone)),
            }
        };
        let options = |values: Option<Vec<String>>| -> Vec<Option<String>> {
            values.map_or(vec![None], |values| values.into_iter().map(Some).collect())
        };
        let mut locations = Vec::new();
        for region in options(regions) {
            for zone in options(zones.clone()) {
                locations.extend(locate(region.as_deref(), zone.as_deref()));
            }
        }
        (!locations.is_empty()).then_some(locations)
    }

    fn providers_now(&self) -> Vec<Arc<str>> {
        self.providers(self.nodes_now())
    }

    fn nodes_now(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| !self.is_out_of_reach(node))
    }

    /// The chain of semantics 3: topology, labels, annotations, the class's, the nodes that match, the driver.
    fn rest(&self, topology: Option<&[Vec<Demand>]>, driver: &str, declared: &Declared<'_>) -> Rest {
        let provider = self.geography.driver(driver).and_then(|driver| driver.provider.clone());
        let affine: Vec<&Node> = self
            .nodes_now()
            .filter(|node| {
                topology.is_none_or(|terms| terms.iter().any(|term| matching::term_matches(term, node)))
            })
            .collect();
        let labels = KnownLabels::Of(affine.iter().map(|node| node.metadata.labels.clone()).collect());
        let site = |location: Location| Site { location, labels: labels.clone() };
        let decided = |locations: &[Location]| {
            !locations.is_empty() && locations.iter().all(|location| location.jurisdiction.is_some())
        };

        let pinned: Option<Vec<Location>> = topology.and_then(|terms| {
            let each: Option<Vec<_>> = terms.iter().map(|term| self.pinned_locations(term, driver)).collect();
            each.map(|each| each.concat())
        });
        if let Some(locations) = pinned.clone().filter(|locations| decided(locations)) {
            return Rest::In(locations.into_iter().map(site).collect(), true);
        }
        if let Some(own) = declared.own {
            let demands: Vec<_> = [keys::REGION, keys::ZONE]
                .into_iter()
                .filter_map(|key| {
                    let values: Vec<String> = own.labels.get(key)?.split("__").map(str::to_owned).collect();
                    Some(Demand::one_of(key, &values))
                })
                .collect();
            let labelled = self.pinned_locations(&demands, driver);
            if let Some(locations) = labelled.filter(|locations| decided(locations)) {
                return Rest::In(locations.into_iter().map(site).collect(), true);
            }
        }
        let annotated = [declared.own, declared.class.map(|class| &class.metadata)].into_iter().flatten();
        for metadata in annotated {
            if let Some(declared) = jurisdiction(metadata, keys::JURISDICTION) {
                let base = pinned
                    .clone()
                    .unwrap_or_else(|| vec![Location { provider: provider.clone(), ..Location::default() }]);
                let locations = base.into_iter().map(|location| Location {
                    jurisdiction: Some(declared),
                    provider_jurisdiction: jurisdiction(metadata, keys::PROVIDER_JURISDICTION)
                        .or(location.provider_jurisdiction),
                    ..location
                });
                return Rest::In(locations.map(site).collect(), true);
            }
        }
        if topology.is_some() {
            let there: Vec<Location> = affine.iter().map(|node| self.locate(node)).collect();
            // A volume whose affinity no node matches is somewhere else than the cluster.
            let Some(first) = there.first() else { return Rest::Unknown };
            if first.jurisdiction.is_some() && there.iter().all(|one| one.jurisdiction == first.jurisdiction)
            {
                return Rest::In(there.into_iter().map(site).collect(), false);
            }
        }
        match self.geography.driver(driver).map(|driver| driver.placement) {
            Some(VolumePlacement::Cluster) => Rest::Unpinned,
            _ => Rest::Unknown,
        }
    }

    pub(crate) fn rest_of_volume(&self, volume: &PersistentVolume) -> Rest {
        let topology: Option<Vec<Vec<Demand>>> = volume
            .spec
            .node_affinity
            .as_ref()
            .map(|affinity| affinity.node_selector_terms.iter().map(matching::term_demands).collect());
        let class = self.classes.iter().find(|one| one.metadata.name == volume.spec.storage_class_name);
        self.rest(topology.as_deref(), &volume.spec.driver, &Declared { own: Some(&volume.metadata), class })
    }

    /// Where the volume of a claim is, or will be made.
    pub(crate) fn rest_of_claim(&self, spec: &ClaimSpec) -> Rest {
        if !spec.volume_name.is_empty() {
            return self
                .volume(&spec.volume_name)
                .map_or(Rest::Unknown, |volume| self.rest_of_volume(volume));
        }
        if spec.storage_class_name.as_deref() == Some("") {
            let available = self.volumes.iter().filter(|volume| {
                volume.spec.storage_class_name.is_empty() && volume.status.phase == "Available"
            });
            let mut sites = Vec::new();
            for volume in available {
                match self.rest_of_volume(volume) {
                    Rest::In(some, _) => sites.extend(some),
                    Rest::Unpinned => sites.extend(self.nodes_now().map(|node| self.site(node))),
                    Rest::PodDecides(_) | Rest::Unknown => return Rest::Unknown,
                }
            }
            return Rest::In(sites, false);
        }
        let Some(class) = self.class(spec.storage_class_name.as_deref()) else { return Rest::Unknown };
        let declared = Declared { own: None, class: Some(class) };
        let terms: Vec<_> = class.allowed_topologies.iter().map(matching::topology_demands).collect();
        if class.volume_binding_mode == BindingMode::WaitForFirstConsumer && spec.source().is_none() {
            let one = |term: &Vec<Demand>| {
                self.rest(Some(std::slice::from_ref(term)), &class.provisioner, &declared)
            };
            return Rest::PodDecides(terms.iter().map(one).collect());
        }
        self.rest((!terms.is_empty()).then_some(&terms[..]), &class.provisioner, &declared)
    }

    /// How a policy finds a volume that rests there.
    pub(crate) fn reach_of_rest(
        &self,
        policy: &ResidencyPolicy,
        seen: &Seen<'_>,
        rest: &Rest,
        now: Timestamp,
    ) -> Reach {
        let permitted = |site: &Site| self.permits(policy, seen, site, now);
        let verdict = |holds: bool, reach: Reach| if holds { reach } else { Reach::Violated };
        match rest {
            Rest::In(sites, certain) => {
                verdict(sites.iter().all(permitted), if *certain { Reach::Proven } else { Reach::Observed })
            }
            Rest::Unpinned => {
                verdict(self.nodes_now().all(|node| permitted(&self.site(node))), Reach::Observed)
            }
            Rest::PodDecides(places) => {
                let possible = |place: &Rest| self.reach_of_rest(policy, seen, place, now) != Reach::Violated;
                verdict(places.is_empty() || places.iter().any(possible), Reach::Observed)
            }
            // Unknown is no location at all: permitted only by a policy that permits everything.
            Rest::Unknown => {
                let nowhere = Site { location: Location::default(), labels: KnownLabels::Of(Vec::new()) };
                verdict(permitted(&nowhere), Reach::Observed)
            }
        }
    }

    pub(crate) fn judge_volume(&self, volume: &PersistentVolume, now: Timestamp) -> Expected {
        let mut expected = Expected::nothing();
        if carried::has_invalid_token(&volume.metadata) {
            expected.found(None, Fault::Invalid);
        }
        let (carried, seen) = (self.carried_by_volume(volume), self.seen_volume(volume));
        let rest = self.rest_of_volume(volume);
        for policy in self.selecting(&carried, &seen) {
            if governs(policy, Activity::Storage) {
                expected.weigh(policy, self.reach_of_rest(policy, &seen, &rest, now));
            }
        }
        expected
    }

    pub(crate) fn judge_claim(&self, claim: &Claim, now: Timestamp) -> Expected {
        let mut expected = Expected::nothing();
        if carried::has_invalid_token(&claim.metadata) {
            expected.found(None, Fault::Invalid);
        }
        let (namespace, name) = (&claim.metadata.namespace, &claim.metadata.name);
        let mut carried = self.gather(carried::claim_sources(namespace, &claim.spec));
        carried.extend(carried::own(&claim.metadata));
        carried.extend(self.own_of_mounting_pods(namespace, name));
        let seen = Seen::As(namespace, &claim.metadata);
        let rest = self.rest_of_claim(&claim.spec);
        for policy in self.selecting(&carried, &seen) {
            if governs(policy, Activity::Storage) {
                let reach = self.reach_of_rest(policy, &seen, &rest, now);
                // That a pod decides is no fault of the claim: it is denied only where no pod could do right.
                match (&rest, reach) {
                    (Rest::PodDecides(_), Reach::Observed) => expected.reach = expected.reach.max(reach),
                    _ => expected.weigh(policy, reach),
                }
                // The provisioner makes the disk at the node that is chosen.
                let selected = claim.metadata.annotations.get(keys::SELECTED_NODE);
                if let Some(selected) = selected.filter(|_| claim.spec.volume_name.is_empty()) {
                    let permitted = self
                        .node(selected)
                        .is_some_and(|node| self.permits(policy, &seen, &self.site(node), now));
                    expected.weigh(policy, if permitted { Reach::Proven } else { Reach::Violated });
                }
            }
        }
        // Pods that name the claim, and sit where they may not once it is there.
        let mut with_claim = self.clone();
        with_claim.claims.retain(|one| one.metadata.namespace != *namespace || one.metadata.name != *name);
        with_claim.claims.push(claim.clone());
        for pod in &self.pods {
            let mounts = pod.spec.volumes.iter().any(
                |volume| matches!(&volume.source, domicile::objects::VolumeSource::Claim(one) if one == name),
            );
            if pod.metadata.namespace == *namespace && mounts && !pod.spec.node_name.is_empty() {
                let of_pod = Seen::As(namespace, &pod.metadata);
                let carried = with_claim.carried_by_pod(namespace, &pod.metadata, &pod.spec);
                for policy in with_claim.selecting(&carried, &of_pod) {
                    let permitted = with_claim
                        .node(&pod.spec.node_name)
                        .is_some_and(|node| with_claim.permits(policy, &of_pod, &with_claim.site(node), now));
                    if pods::looks_at_nodes(&with_claim, policy, namespace, &pod.spec) && !permitted {
                        expected.found(Some(policy), Fault::Place);
                        expected.reach = Reach::Violated;
                    }
                }
            }
        }
        expected
    }
}

impl Subject<'_> {
    /// What the policy makes of each volume that the pod mounts. What the pod itself decides is seen at its nodes.
    pub(crate) fn reach_of_mounts(&self, namespace: &str, spec: &PodSpec) -> Vec<Reach> {
        let world = self.world;
        pods::mounts(world, namespace, spec)
            .into_iter()
            .filter_map(|mount| {
                let rest = match mount {
                    Mount::Bound(volume) => world.rest_of_volume(volume),
                    Mount::Unbound(claim, _) => world.rest_of_claim(claim),
                    Mount::Inline(driver) => world.rest(None, driver, &Declared { own: None, class: None }),
                };
                let reach = world.reach_of_rest(self.policy, self.seen, &rest, self.now);
                match (rest, reach) {
                    (Rest::PodDecides(_), Reach::Observed) => None,
                    _ => Some(reach),
                }
            })
            .collect()
    }
}
