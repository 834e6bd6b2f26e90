//! Claims, volumes and snapshots, judged.

use domicile::api::{Activity, SnapshotDefault, keys};
use domicile::geography::{Known, Location, canonical_driver};
use domicile::objects::{Claim, PersistentVolume, Snapshot, SnapshotClass};
use domicile::residency::Reach;
use jiff::Timestamp;

use super::carried;
use super::mounts;
use super::places::{KnownLabels, Site};
use super::volumes::{Rest, jurisdiction};
use super::{Expected, Fault, Seen, World, governs};

impl World {
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

    /// What comes of giving a volume its claim: that may be there already, and pods that wait for it on their nodes.
    pub(crate) fn give_volume(&self, volume: &PersistentVolume, expected: &mut Expected, now: Timestamp) {
        let Some(of) = &volume.spec.claim_ref else { return };
        let mut given = self.clone();
        let is_it =
            |claim: &&mut Claim| claim.metadata.namespace == of.namespace && claim.metadata.name == of.name;
        let Some(claim) = given.claims.iter_mut().find(is_it) else { return };
        claim.spec.volume_name.clone_from(&volume.metadata.name);
        // Until it is stored, what stands there of the same name counts as well.
        let mut volume = volume.clone();
        if let Some(old) = given.volumes.iter().find(|one| one.metadata.name == volume.metadata.name) {
            let both = carried::own(&old.metadata).into_iter().chain(carried::own(&volume.metadata));
            let both = both.collect::<Vec<_>>().join(",");
            volume.metadata.annotations.insert(keys::RECORDED.to_owned(), both);
        }
        given.volumes.retain(|one| one.metadata.name != volume.metadata.name);
        given.volumes.push(volume);
        given.find_settled(&of.namespace, &of.name, expected, now);
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
        let rest = self.rest_of_claim(&claim.spec, Some(claim));
        for policy in self.selecting(&carried, &seen) {
            if governs(policy, Activity::Storage) {
                let reach = self.reach_of_rest(policy, &seen, &rest, now);
                // That a pod decides is no fault of the claim: it is denied only where no pod could do right.
                match (&rest, reach) {
                    (Rest::PodDecides(_, _, true), Reach::Observed) => {
                        expected.reach = expected.reach.max(reach)
                    }
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
        let mut with_claim = self.clone();
        with_claim.claims.retain(|one| one.metadata.namespace != *namespace || one.metadata.name != *name);
        with_claim.claims.push(claim.clone());
        with_claim.find_settled(namespace, name, &mut expected, now);
        expected
    }

    /// Pods that name a claim, and sit where they may not now that it is as it is.
    fn find_settled(&self, namespace: &str, name: &str, expected: &mut Expected, now: Timestamp) {
        for pod in &self.pods {
            let mounts = pod.spec.volumes.iter().any(
                |volume| matches!(&volume.source, domicile::objects::VolumeSource::Claim(one) if one == name),
            );
            if pod.metadata.namespace != namespace || !mounts || pod.spec.node_name.is_empty() {
                continue;
            }
            let of_pod = Seen::As(namespace, &pod.metadata);
            let carried = self.carried_by_pod(namespace, &pod.metadata, &pod.spec);
            for policy in self.selecting(&carried, &of_pod) {
                let permitted = self
                    .node(&pod.spec.node_name)
                    .is_some_and(|node| self.permits(policy, &of_pod, &self.site(node), now));
                if mounts::looks_at_nodes(self, policy, namespace, &pod.spec) && !permitted {
                    expected.found(Some(policy), Fault::Place);
                    expected.reach = Reach::Violated;
                }
            }
        }
    }

    pub(crate) fn judge_snapshot(&self, snapshot: &Snapshot, now: Timestamp) -> Expected {
        let mut expected = Expected::nothing();
        if carried::has_invalid_token(&snapshot.metadata) {
            expected.found(None, Fault::Invalid);
        }
        let namespace = &snapshot.metadata.namespace;
        let claim = &snapshot.spec.source.persistent_volume_claim_name;
        let sources = [
            carried::Source::Namespace(namespace.clone()),
            carried::Source::Claim(namespace.clone(), claim.clone()),
        ];
        let mut carried = self.gather(sources.to_vec());
        carried.extend(carried::own(&snapshot.metadata));
        let seen = Seen::As(namespace, &snapshot.metadata);
        let rest = self.rest_of_snapshot(snapshot);
        for policy in self.selecting(&carried, &seen) {
            if governs(policy, Activity::Storage) {
                expected.weigh(policy, self.reach_of_rest(policy, &seen, &rest, now));
            }
        }
        expected
    }

    /// The class that a snapshot of this driver gets: the one it names, or the driver's default.
    fn snapshot_class(&self, name: Option<&str>, driver: Option<&str>) -> Option<&SnapshotClass> {
        let mut classes = self.snapshot_classes.iter();
        match name {
            Some(name) => classes.find(|class| class.metadata.name == name),
            None => {
                let is_default = |class: &&SnapshotClass| {
                    class
                        .metadata
                        .annotations
                        .get("snapshot.storage.kubernetes.io/is-default-class")
                        .is_some_and(|is| is == "true")
                };
                let driver = canonical_driver(driver?);
                classes
                    .filter(is_default)
                    .filter(|class| class.driver == driver)
                    .min_by_key(|class| &class.metadata.name)
            }
        }
    }

    /// Where its class is declared to be, else where its parameter says, else with its source, unless the driver keeps
    /// snapshots elsewhere.
    fn rest_of_snapshot(&self, snapshot: &Snapshot) -> Rest {
        let claim =
            self.claim(&snapshot.metadata.namespace, &snapshot.spec.source.persistent_volume_claim_name);
        let driver_of_source = claim.and_then(|claim| match mounts::bound(self, claim) {
            Some(volume) => Some(volume.spec.driver.as_str()),
            None => match claim.spec.storage_class_name.as_deref() {
                Some("") => None,
                name => self.class(name).map(|class| class.provisioner.as_str()),
            },
        });
        let class =
            self.snapshot_class(snapshot.spec.volume_snapshot_class_name.as_deref(), driver_of_source);
        let driver = driver_of_source
            .or_else(|| class.map(|class| class.driver.as_str()))
            .and_then(|name| self.geography.driver(name));
        let provider = driver.and_then(|driver| driver.provider.clone());
        let site = |location| Site { location, labels: KnownLabels::Of(Vec::new()) };
        // Whoever takes a snapshot does not say where it is.
        let declared = class.and_then(|class| jurisdiction(&class.metadata, keys::JURISDICTION));
        if let (Some(declared), Some(class)) = (declared, class) {
            let location = Location {
                provider,
                jurisdiction: Some(declared),
                provider_jurisdiction: jurisdiction(&class.metadata, keys::PROVIDER_JURISDICTION),
                ..Location::default()
            };
            return Rest::In(vec![site(location)], true);
        }
        let parameter = driver.and_then(|driver| driver.snapshots.location_parameter.as_deref());
        let names_class = snapshot.spec.volume_snapshot_class_name.is_some();
        if parameter.is_some() && names_class && class.is_none() {
            return Rest::Unknown;
        }
        if let Some(regions) = parameter.and_then(|parameter| class?.parameters.get(parameter)) {
            let nowhere = || Location { provider: provider.clone(), ..Location::default() };
            let located = |region: &str| match &provider {
                Some(provider) => match self.geography.locate_in(provider, Some(region), None) {
                    Known::Consistent(location) => location,
                    Known::Inconsistent => nowhere(),
                },
                None => self.geography.locate_named(&self.providers_now(), Some(region), None),
            };
            let regions = regions.split(',').map(str::trim).filter(|region| !region.is_empty());
            return Rest::In(regions.map(|region| site(located(region))).collect(), true);
        }
        if driver.is_some_and(|driver| driver.snapshots.default == SnapshotDefault::Unknown) {
            return Rest::Unknown;
        }
        match claim.map(|claim| self.rest_of_claim(&claim.spec, Some(claim))) {
            // There is no data yet that could be in a snapshot.
            Some(Rest::PodDecides(..)) => Rest::In(Vec::new(), false),
            // The region keeps it, and not a zone of it that stands elsewhere.
            Some(Rest::In(sites, certain))
                if driver.is_some_and(|driver| &*driver.name == "ebs.csi.aws.com") =>
            {
                let in_region = |site: Site| {
                    let (Some(provider), Some(region)) = (&site.location.provider, &site.location.region)
                    else {
                        return site;
                    };
                    let region = self.geography.ordinary(provider, region);
                    let law = |at: &Location| (at.jurisdiction, at.provider_jurisdiction);
                    let moves = region.jurisdiction.is_some() && law(&region) != law(&site.location);
                    if moves { Site { location: region, labels: KnownLabels::Of(Vec::new()) } } else { site }
                };
                Rest::In(sites.into_iter().map(in_region).collect(), certain)
            }
            Some(rest) => rest,
            None => Rest::Unknown,
        }
    }
}
