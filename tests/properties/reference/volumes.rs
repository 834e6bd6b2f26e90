//! Where volumes are, or will be made.

use std::sync::Arc;

use domicile::api::{ResidencyPolicy, VolumePlacement, keys};
use domicile::geography::{Geography, Jurisdiction, Known, Location};
use domicile::objects::{
    BindingMode, Claim, ClaimSpec, Metadata, Node, Operator, PersistentVolume, PodSpec, StorageClass,
};
use domicile::residency::Reach;
use jiff::Timestamp;

use super::carried::{self, Source, Tokens};
use super::matching::{self, Demand};
use super::mounts::{self, Mount};
use super::places::{KnownLabels, Site};
use super::pods::Subject;
use super::{Seen, World};

/// Where a volume rests.
pub(crate) enum Rest {
    /// In all of these at once, or in any; whether that holds whatever nodes there are.
    In(Vec<Site>, bool),
    /// Anywhere the cluster is, and at these.
    Unpinned(Vec<Site>),
    /// On the disk of its pod's node, whichever that is.
    OnNode,
    /// A pod decides, within one of the first if there are any; and at the second. The last: nothing else does.
    PodDecides(Vec<Rest>, Vec<Site>, bool),
    Unknown,
}

/// Places that are named.
struct Pinned {
    names_a_place: bool,
    contradictory: bool,
    known: Vec<Location>,
    unknown: Vec<Unknown>,
}

/// Codes of which it is not known where they are.
struct Unknown {
    region: Option<String>,
    zone: Option<String>,
    gone: Gone,
}

/// What it means that no node bears them.
#[derive(Clone, Copy, PartialEq)]
enum Gone {
    /// Nobody knows where data is.
    Unknown,
    /// It is at the others of a provider whose places nobody knows.
    Others,
    /// Nothing: the label is empty.
    Nothing,
}

impl Unknown {
    /// The term with this code alone.
    fn pin(&self, term: &[Demand], geography: &Geography) -> Vec<Demand> {
        let is = |keys: &[(Arc<str>, Option<Arc<str>>)], usual: &str, label: &str| {
            label == usual || keys.iter().any(|(key, _)| **key == *label)
        };
        let alone = |demand: &Demand| {
            let label = demand.label.as_deref().unwrap_or_default();
            let code = if is(geography.region_keys(), keys::REGION, label) {
                &self.region
            } else if is(geography.zone_keys(), keys::ZONE, label) {
                &self.zone
            } else {
                &None
            };
            match code {
                Some(code) if demand.operator == Operator::In => {
                    Demand { values: vec![code.clone()], ..demand.clone() }
                }
                _ => demand.clone(),
            }
        };
        term.iter().map(alone).collect()
    }
}

/// What a volume's labels say of where it is.
#[derive(Default)]
enum Labelled {
    #[default]
    Silent,
    Says(Pinned),
    Contradictory,
}

/// What is declared of a volume beside its topology.
struct Declared<'a> {
    own: Option<&'a Metadata>,
    class: Option<&'a StorageClass>,
}

pub(crate) fn jurisdiction(metadata: &Metadata, key: &str) -> Option<Jurisdiction> {
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
    fn pinned(&self, demands: &[Demand], driver: &str) -> Pinned {
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
        let names_a_place = regions.is_some() || zones.is_some();
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
        let own = known_driver
            .and_then(|driver| driver.provider.as_deref())
            .is_some_and(|provider| geography.names_its_own_regions(provider));
        let mut pinned =
            Pinned { names_a_place, contradictory: false, known: Vec::new(), unknown: Vec::new() };
        if !names_a_place {
            return pinned;
        }
        for region in options(regions) {
            for zone in options(zones.clone()) {
                let said = |code: &Option<String>| code.clone().filter(|code| !code.is_empty());
                let (of_region, of_zone) = (said(&region), said(&zone));
                let gone = if of_region.is_none() && of_zone.is_none() {
                    Gone::Nothing
                } else {
                    match locate(of_region.as_deref(), of_zone.as_deref()) {
                        None => continue,
                        Some(place) if place.jurisdiction.is_some() => {
                            pinned.known.push(place);
                            continue;
                        }
                        Some(_) if own => Gone::Others,
                        Some(_) => Gone::Unknown,
                    }
                };
                pinned.unknown.push(Unknown { region: region.clone(), zone, gone });
            }
        }
        if pinned.known.is_empty() && pinned.unknown.is_empty() {
            // It contradicts itself.
            pinned.unknown.push(Unknown { region: None, zone: None, gone: Gone::Unknown });
            pinned.contradictory = true;
        }
        pinned
    }

    pub(crate) fn providers_now(&self) -> Vec<Arc<str>> {
        self.providers(self.nodes_now())
    }

    fn nodes_now(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().filter(|node| !self.is_out_of_reach(node))
    }

    /// The chain of semantics 3: topology, labels, annotations, the class's, the nodes that match, the driver. What one of
    /// them knows of a part stays, whatever says more of the rest.
    fn rest(&self, topology: Option<&[Vec<Demand>]>, driver: &str, declared: &Declared<'_>) -> Rest {
        let known_driver = self.geography.driver(driver);
        let provider = known_driver.and_then(|driver| driver.provider.clone());
        let placement = known_driver.map_or(VolumePlacement::Unknown, |driver| driver.placement);
        // What is no cloud's and knows no topology is on any nodes.
        let spread = known_driver.is_some_and(|driver| {
            driver.provider.is_none()
                && driver.placement == VolumePlacement::Cluster
                && driver.topology_keys.is_empty()
                && driver.region_keys.is_empty()
        });
        let topology = topology.filter(|_| !spread);
        let labels_of = |nodes: &[&Node]| {
            KnownLabels::Of(nodes.iter().map(|node| node.metadata.labels.clone()).collect())
        };
        let affine: Vec<&Node> = self
            .nodes_now()
            .filter(|node| {
                topology.is_none_or(|terms| terms.iter().any(|term| matching::term_matches(term, node)))
            })
            .collect();
        let labels = labels_of(&affine);
        let site = |location: Location| Site { location, labels: labels.clone() };
        let resting = |sites: Vec<Site>, certain: bool| {
            let of: Vec<_> = sites.iter().map(|site| site.location.clone()).collect();
            let copies = self.copies(driver, declared.class, &of);
            Rest::In(sites.into_iter().chain(copies).collect(), certain)
        };
        // A driver keeps it at its own provider, whoever runs the nodes beside it.
        let beside = |nodes: &[&Node]| -> Vec<Site> {
            let labels = labels_of(nodes);
            let each = nodes.iter().map(|node| self.owned(self.locate(node), provider.as_deref()));
            each.map(|location| Site { location, labels: labels.clone() }).collect()
        };

        let terms: Vec<(&Vec<Demand>, Pinned)> =
            topology.into_iter().flatten().map(|term| (term, self.pinned(term, driver))).collect();
        // A term without requirements matches nothing.
        let possible = |term: &Vec<Demand>| !term.is_empty();
        let silent: Vec<&Vec<Demand>> = terms
            .iter()
            .filter(|(term, pinned)| possible(term) && !pinned.names_a_place)
            .map(|(term, _)| *term)
            .collect();
        let named = || terms.iter().filter(|(term, pinned)| possible(term) && pinned.names_a_place);
        let mut sites: Vec<Site> = named().flat_map(|(_, pinned)| pinned.known.clone()).map(site).collect();
        let is_open = !silent.is_empty() || named().any(|(_, pinned)| !pinned.unknown.is_empty());
        if !sites.is_empty() && !is_open {
            return resting(sites, true);
        }
        let own = declared.own.map(|own| self.labelled(own, driver)).unwrap_or_default();
        if let Labelled::Says(pinned) = &own {
            sites.extend(pinned.known.iter().cloned().map(site));
            if !pinned.known.is_empty() && pinned.unknown.is_empty() {
                return resting(sites, true);
            }
        }
        // What is declared is a jurisdiction, and whose law binds the operator is declared beside it or not at all.
        let annotated = [declared.own, declared.class.map(|class| &class.metadata)].into_iter().flatten();
        for metadata in annotated {
            if let Some(declared) = jurisdiction(metadata, keys::JURISDICTION) {
                sites.push(site(Location {
                    provider: provider.clone(),
                    jurisdiction: Some(declared),
                    provider_jurisdiction: jurisdiction(metadata, keys::PROVIDER_JURISDICTION),
                    ..Location::default()
                }));
                return resting(sites, true);
            }
        }
        let mut anywhere = topology.is_none();
        if topology.is_some() {
            let (mut others, mut there_are) = (false, false);
            for (term, pinned) in named() {
                for code in &pinned.unknown {
                    let there: Vec<&Node> = self
                        .nodes_now()
                        .filter(|node| matching::term_matches(&code.pin(term, &self.geography), node))
                        .collect();
                    match (there.is_empty(), code.gone) {
                        (true, Gone::Unknown) => return Rest::Unknown,
                        (true, Gone::Others) => others = true,
                        (false, Gone::Others) => there_are = true,
                        _ => {}
                    }
                    sites.extend(beside(&there));
                }
            }
            if others && !there_are {
                return Rest::Unknown;
            }
            if !silent.is_empty() {
                let there: Vec<&Node> = self
                    .nodes_now()
                    .filter(|node| silent.iter().any(|term| matching::term_matches(term, node)))
                    .collect();
                let Some(first) = there.first() else { return Rest::Unknown };
                let first = self.locate(first).jurisdiction;
                let agree =
                    first.is_some() && there.iter().all(|node| self.locate(node).jurisdiction == first);
                if agree || placement == VolumePlacement::NodeLocal {
                    sites.extend(beside(&there));
                } else {
                    anywhere = true;
                }
            }
            if !anywhere {
                // A volume whose affinity no node matches is somewhere else than the cluster.
                return if sites.is_empty() { Rest::Unknown } else { resting(sites, false) };
            }
        }
        match (own, placement) {
            (_, VolumePlacement::Unknown) | (Labelled::Contradictory, _) => Rest::Unknown,
            (Labelled::Says(pinned), _) => {
                for code in &pinned.unknown {
                    let bears = |node: &&Node| {
                        [(keys::REGION, &code.region), (keys::ZONE, &code.zone)].into_iter().all(
                            |(key, value)| {
                                value
                                    .as_ref()
                                    .is_none_or(|value| node.metadata.labels.get(key) == Some(value))
                            },
                        )
                    };
                    let there: Vec<&Node> = self.nodes_now().filter(bears).collect();
                    if there.is_empty() {
                        return Rest::Unknown;
                    }
                    sites.extend(beside(&there));
                }
                // What its topology names no place of may be anywhere all the same.
                if topology.is_some() { Rest::Unpinned(sites) } else { resting(sites, false) }
            }
            (Labelled::Silent, VolumePlacement::NodeLocal) => Rest::OnNode,
            (Labelled::Silent, VolumePlacement::Cluster) => {
                sites.extend(self.copies(driver, declared.class, &[]));
                let everywhere: Vec<&Node> = self.nodes_now().collect();
                let is_theirs = |node: &&Node| self.locate(node).provider == provider;
                let can_be_theirs = provider.as_deref().is_some_and(|one| self.geography.has_nodes(one));
                if can_be_theirs && !everywhere.iter().any(is_theirs) {
                    sites.extend(beside(&everywhere));
                }
                Rest::Unpinned(sites)
            }
        }
    }

    /// The place of a node, for what is kept there by this provider.
    fn owned(&self, location: Location, provider: Option<&str>) -> Location {
        let Some(provider) = provider.filter(|one| self.geography.has_nodes(one)) else { return location };
        let law = self.geography.law_anywhere(provider);
        match location.provider.as_deref() {
            Some(of) if of == provider => location,
            None => Location { provider: Some(provider.into()), provider_jurisdiction: law, ..location },
            Some(of) => {
                let codes = (location.region.as_deref(), location.zone.as_deref());
                if self.geography.names_its_own_regions(of)
                    && codes != (None, None)
                    && let Known::Consistent(there) = self.geography.locate_in(provider, codes.0, codes.1)
                    && there.jurisdiction.is_some()
                    && there.jurisdiction == location.jurisdiction
                {
                    return there;
                }
                Location {
                    provider: Some(provider.into()),
                    jurisdiction: location.jurisdiction,
                    provider_jurisdiction: law,
                    ..Location::default()
                }
            }
        }
    }

    /// What the labels of a volume say. One code that goes with none of the others spoils all.
    fn labelled(&self, own: &Metadata, driver: &str) -> Labelled {
        let demands: Vec<_> = [keys::REGION, keys::ZONE]
            .into_iter()
            .filter_map(|key| {
                let label = own.labels.get(key).filter(|label| !label.is_empty())?;
                let values: Vec<String> = label.split("__").map(str::to_owned).collect();
                Some(Demand::one_of(key, &values))
            })
            .collect();
        let pinned = self.pinned(&demands, driver);
        if !pinned.names_a_place {
            return Labelled::Silent;
        }
        // Each code with the others alone.
        let goes = |at: usize, value: &String| {
            let mut demands = demands.clone();
            demands[at].values = vec![value.clone()];
            let with = self.pinned(&demands, driver);
            !with.contradictory
        };
        let all_go =
            demands.iter().enumerate().all(|(at, demand)| demand.values.iter().all(|value| goes(at, value)));
        if all_go { Labelled::Says(pinned) } else { Labelled::Contradictory }
    }

    /// Where the parameters of its class make a driver send copies of what is at these places; somewhere, if it is not known where that is.
    fn copies(&self, driver: &str, class: Option<&StorageClass>, of: &[Location]) -> Vec<Site> {
        let Some(class) = class else { return Vec::new() };
        let Some(driver) = self.geography.driver(driver) else { return Vec::new() };
        let rules = driver
            .copies
            .iter()
            .filter(|rule| class.parameters.iter().any(|(name, value)| rule.asks(name, value)));
        let somewhere = || Location { provider: driver.provider.clone(), ..Location::default() };
        let mut copies = Vec::new();
        for rule in rules {
            for location in of {
                let to = location.region.as_deref().and_then(|region| rule.region_of_copy(region));
                copies.push(match (to, &driver.provider) {
                    (Some(to), Some(provider)) => match self.geography.locate_in(provider, Some(to), None) {
                        Known::Consistent(copy) => copy,
                        Known::Inconsistent => somewhere(),
                    },
                    _ => somewhere(),
                });
            }
            if of.is_empty() {
                copies.push(somewhere());
            }
        }
        copies.into_iter().map(|location| Site { location, labels: KnownLabels::Of(Vec::new()) }).collect()
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

    /// The volumes of a class that a claim could take.
    pub(crate) fn free_volumes(&self, class: &str, claim: Option<&Claim>) -> Vec<&PersistentVolume> {
        let is_free = |volume: &&PersistentVolume| {
            volume.spec.storage_class_name == class
                && volume.status.phase == "Available"
                && !is_for_another(volume, claim)
        };
        self.volumes.iter().filter(is_free).collect()
    }

    /// The volumes that wait for a claim.
    pub(crate) fn waiting_volumes(&self, claim: Option<&Claim>) -> Vec<&PersistentVolume> {
        let waits = |volume: &&PersistentVolume| {
            volume.spec.claim_ref.is_some()
                && volume.status.phase == "Available"
                && !is_for_another(volume, claim)
        };
        if claim.is_none() { Vec::new() } else { self.volumes.iter().filter(waits).collect() }
    }

    /// Where something is that will be one of these volumes.
    fn rest_of_any(&self, volumes: &[&PersistentVolume]) -> Rest {
        let mut sites = Vec::new();
        for volume in volumes {
            match self.rest_of_volume(volume) {
                Rest::In(some, _) => sites.extend(some),
                Rest::OnNode => sites.extend(self.nodes_now().map(|node| self.site(node))),
                Rest::Unpinned(some) => {
                    sites.extend(some);
                    sites.extend(self.nodes_now().map(|node| self.site(node)));
                }
                Rest::PodDecides(..) | Rest::Unknown => return Rest::Unknown,
            }
        }
        Rest::In(sites, false)
    }

    /// Where the volume of a claim is, or will be made. A claim that has no name yet could be any.
    pub(crate) fn rest_of_claim(&self, spec: &ClaimSpec, claim: Option<&Claim>) -> Rest {
        if !spec.volume_name.is_empty() {
            return self
                .volume(&spec.volume_name)
                .map_or(Rest::Unknown, |volume| self.rest_of_volume(volume));
        }
        let class = self.class(spec.storage_class_name.as_deref());
        let name = class.map(|class| class.metadata.name.as_str()).or(spec.storage_class_name.as_deref());
        let free = self.free_volumes(name.unwrap_or_default(), claim);
        // One that waits for this claim is the one that it gets, whatever class either is of.
        let waiting = self.waiting_volumes(claim);
        if !waiting.is_empty() {
            let given = match &waiting[..] {
                [volume] => match self.rest_of_volume(volume) {
                    Rest::In(sites, _) => Rest::In(sites, false),
                    rest => rest,
                },
                several => self.rest_of_any(several),
            };
            // Unless it is too small, say, and one is made by the class.
            return match class.map(|class| self.rest_of_made(spec, class, &[])) {
                None => given,
                Some(Rest::PodDecides(_, copies, _)) if copies.is_empty() => given,
                Some(Rest::PodDecides(_, copies, _)) => self.either(given, Rest::In(copies, false)),
                Some(made) => self.either(given, made),
            };
        }
        if name == Some("") || class.is_none() && !free.is_empty() {
            return self.rest_of_any(&free);
        }
        class.map_or(Rest::Unknown, |class| self.rest_of_made(spec, class, &free))
    }

    /// Where something is that will be in one of two places.
    fn either(&self, one: Rest, other: Rest) -> Rest {
        let sites = |rest: Rest| match rest {
            Rest::In(sites, _) => Some(sites),
            Rest::OnNode => Some(self.nodes_now().map(|node| self.site(node)).collect()),
            Rest::Unpinned(mut sites) => {
                sites.extend(self.nodes_now().map(|node| self.site(node)));
                Some(sites)
            }
            Rest::PodDecides(..) | Rest::Unknown => None,
        };
        match (sites(one), sites(other)) {
            (Some(one), Some(other)) => Rest::In([one, other].concat(), false),
            _ => Rest::Unknown,
        }
    }

    /// Whether a class makes volumes for the node that their pod gets: a driver that knows no topology cannot.
    pub(crate) fn waits(&self, class: &StorageClass) -> bool {
        class.volume_binding_mode == BindingMode::WaitForFirstConsumer
            && self.geography.driver(&class.provisioner).is_none_or(|driver| {
                driver.placement != VolumePlacement::Cluster
                    || driver.topology_keys.iter().chain(&driver.region_keys).next().is_some()
            })
    }

    /// Where the volume is that a class has made, unless one of the free ones is taken.
    fn rest_of_made(&self, spec: &ClaimSpec, class: &StorageClass, free: &[&PersistentVolume]) -> Rest {
        let declared = Declared { own: None, class: Some(class) };
        let terms: Vec<_> = class.allowed_topologies.iter().map(matching::topology_demands).collect();
        let is_declared = terms.is_empty() && jurisdiction(&class.metadata, keys::JURISDICTION).is_some();
        if self.waits(class) && spec.source().is_none() && !is_declared {
            let one = |term: &Vec<Demand>| {
                self.rest(Some(std::slice::from_ref(term)), &class.provisioner, &declared)
            };
            let given_beside = free.iter().all(|volume| {
                volume.spec.node_affinity.is_some()
                    && match self.rest_of_volume(volume) {
                        Rest::In(sites, _) => sites.len() == 1,
                        rest => matches!(rest, Rest::OnNode),
                    }
            });
            // The pod chooses one of those that are listed.
            let mut places: Vec<_> = terms.iter().flat_map(each).map(|term| one(&term)).collect();
            if !places.is_empty() {
                places.extend(free.iter().map(|volume| self.rest_of_volume(volume)));
            }
            let beside_nodes = self
                .geography
                .driver(&class.provisioner)
                .is_some_and(|driver| driver.placement != VolumePlacement::Unknown);
            let alone = beside_nodes && given_beside;
            return Rest::PodDecides(places, self.copies(&class.provisioner, Some(class), &[]), alone);
        }
        match self.rest((!terms.is_empty()).then_some(&terms[..]), &class.provisioner, &declared) {
            // It is made before any pod is asked, on some node.
            Rest::OnNode => Rest::Unpinned(Vec::new()),
            // It could take one that is there instead.
            Rest::In(sites, certain) => Rest::In(sites, certain && free.is_empty()),
            rest => rest,
        }
    }

    pub(crate) fn rest_of_mount(&self, mount: &Mount<'_>) -> Rest {
        match mount {
            Mount::Bound(volume) => self.rest_of_volume(volume),
            Mount::Unbound(spec, claim) => self.rest_of_claim(spec, *claim),
            Mount::Inline(driver) => self.rest(None, driver, &Declared { own: None, class: None }),
        }
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
                // No proof hangs on labels of the nodes of this moment.
                let whatever_nodes = |site: &Site| {
                    let labels = KnownLabels::Of(Vec::new());
                    permitted(&Site { labels, ..site.clone() })
                };
                let proven = *certain && sites.iter().all(whatever_nodes);
                verdict(sites.iter().all(permitted), if proven { Reach::Proven } else { Reach::Observed })
            }
            Rest::OnNode => self.reach_of_rest(policy, seen, &Rest::Unpinned(Vec::new()), now),
            Rest::Unpinned(more) => {
                let everywhere = self.nodes_now().all(|node| permitted(&self.site(node)));
                verdict(everywhere && more.iter().all(permitted), Reach::Observed)
            }
            Rest::PodDecides(places, more, _) => {
                let possible = |place: &Rest| self.reach_of_rest(policy, seen, place, now) != Reach::Violated;
                let somewhere = places.is_empty() || places.iter().any(possible);
                verdict(somewhere && more.iter().all(permitted), Reach::Observed)
            }
            // Unknown is no location at all: permitted only by a policy that permits everything.
            Rest::Unknown => {
                let nowhere = Site { location: Location::default(), labels: KnownLabels::Of(Vec::new()) };
                verdict(permitted(&nowhere), Reach::Observed)
            }
        }
    }
}

impl Subject<'_> {
    /// What the policy makes of each volume that the pod mounts. What the pod itself decides is seen at its nodes.
    pub(crate) fn reach_of_mounts(&self, namespace: &str, spec: &PodSpec) -> Vec<Reach> {
        let world = self.world;
        mounts::mounts(world, namespace, spec)
            .into_iter()
            .filter_map(|mount| {
                let rest = world.rest_of_mount(&mount);
                let reach = world.reach_of_rest(self.policy, self.seen, &rest, self.now);
                match (rest, reach) {
                    (Rest::OnNode, _) | (Rest::PodDecides(_, _, true), Reach::Observed) => None,
                    _ => Some(reach),
                }
            })
            .collect()
    }
}

fn is_for_another(volume: &PersistentVolume, claim: Option<&Claim>) -> bool {
    match (&volume.spec.claim_ref, claim) {
        (Some(of), Some(claim)) => of.namespace != claim.metadata.namespace || of.name != claim.metadata.name,
        _ => false,
    }
}

/// The term with one value of each list.
fn each(term: &Vec<Demand>) -> Vec<Vec<Demand>> {
    let mut all = vec![Vec::new()];
    for demand in term {
        let alone = |value: &String| Demand { values: vec![value.clone()], ..demand.clone() };
        all = all
            .iter()
            .flat_map(|before: &Vec<Demand>| {
                demand
                    .values
                    .iter()
                    .map(|value| [before.clone(), vec![alone(value)]].concat())
                    .collect::<Vec<_>>()
            })
            .collect();
    }
    all
}
