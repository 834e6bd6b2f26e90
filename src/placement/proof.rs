//! What constraints prove by themselves (semantics 5): the sites of every node that one can think of and that
//! matches, also of nodes that do not exist yet.
//!
//! A conjunction of terms *pins* if it leaves a finite set of values of a region, a zone, a node's name, the
//! jurisdiction label that no kubelet can set, or a label that a place selects on. What a pin leaves open is
//! enumerated from the geography. The work is bounded: past the bound nothing is proven.

use std::collections::BTreeSet;
use std::sync::Arc;

use ahash::AHashSet;

use super::bits::BitSet;
use super::constraints::{Constraints, NodeTest, Term};
use super::nodes::{NodeEntry, NodeIndex};
use super::pins::{Left, Pins, Role};
use super::sites::{Known, Site, Sites};
use crate::api::keys;
use crate::geography::{Geography, Jurisdiction, Known as Place, Location};

/// Sites that are thought of before giving up.
const BUDGET: usize = 2_048;

/// Every site where a matching node can be thought of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Candidates {
    /// Those with a number.
    pub known: BitSet,
    /// Others.
    pub others: AHashSet<Site>,
    /// For each conjunction that labels alone pin, which: numbers of [`Sites::keys`]. It is a pin for a policy whose places
    /// select on one of them.
    pub pinned_by: Vec<Vec<usize>>,
}

impl Candidates {
    /// Adds those of another conjunction.
    pub fn unite(&mut self, other: Self) {
        self.known.unite(&other.known);
        self.others.extend(other.others);
        self.pinned_by.extend(other.pinned_by);
    }

    fn push(&mut self, site: Site, sites: &Sites) {
        match sites.find(&site) {
            Some(number) => self.known.insert(number.index()),
            None => {
                self.others.insert(site);
            }
        }
    }

    fn len(&self) -> usize {
        self.known.count() + self.others.len()
    }
}

/// What is thought of, and from what.
#[derive(Clone, Copy)]
pub struct Prover<'a> {
    /// Regions, zones and drivers.
    pub geography: &'a Geography,
    /// The providers of the cluster's nodes; all of the geography if one is not known.
    pub providers: &'a [Arc<str>],
    /// The nodes, for pins on names.
    pub nodes: &'a NodeIndex,
    /// Known sites, and the labels that places select on.
    pub sites: &'a Sites,
    /// Whether a policy that selects the object has a place that selects on this label.
    pub is_place_key: &'a dyn Fn(&str) -> bool,
}

impl<'a> Prover<'a> {
    /// Every site where a node that matches can be thought of; `None` if some conjunction pins nothing, names
    /// something that nobody knows, or there are too many.
    #[must_use]
    pub fn prove(&self, constraints: &Constraints<'_>) -> Option<Candidates> {
        let mut all = Candidates::default();
        let mut conjunctions = 1_usize;
        for group in &constraints.groups {
            conjunctions = conjunctions.checked_mul(group.terms.len()).filter(|count| *count <= BUDGET)?;
        }
        for number in 0..conjunctions {
            let mut rest = number;
            let terms = constraints.groups.iter().map(|group| {
                let term = &group.terms[rest % group.terms.len()];
                rest /= group.terms.len();
                term
            });
            let terms: Vec<_> = terms.collect();
            // One that matches nothing leads nowhere; nor does one that asks for what cannot be.
            if terms.iter().any(|term| term.tests.is_none()) {
                continue;
            }
            all.unite(self.conjunction(&terms)?);
            if all.len() > BUDGET {
                return None;
            }
        }
        // What matches nothing at all proves nothing.
        (all.len() > 0).then_some(all)
    }

    fn conjunction(&self, terms: &[&Term<'_>]) -> Option<Candidates> {
        let tests: Vec<&NodeTest<'_>> =
            terms.iter().filter_map(|term| term.tests.as_ref()).flatten().collect();
        let Some(pins) = Pins::of(self, &tests) else { return Some(Candidates::default()) };
        if pins.names.is_some() || pins.hostnames.is_some() {
            return self.named(&pins, &tests);
        }
        let located = pins.regions.is_some() || pins.zones.is_some();
        if !located && pins.restricted.is_none() && pins.place_labels.is_empty() {
            return None;
        }
        let mut locations = if located { self.located(&pins)? } else { self.anywhere(&pins) };
        if let Some(codes) = &pins.restricted {
            let codes: Vec<Jurisdiction> =
                codes.iter().map(|code| code.parse().ok()).collect::<Option<_>>()?;
            locations.len().checked_mul(codes.len()).filter(|count| *count <= BUDGET)?;
            locations = locations
                .iter()
                .flat_map(|at| codes.iter().map(|code| Location { jurisdiction: Some(*code), ..at.clone() }))
                .collect();
        }
        let mut candidates = self.with_labels(&locations, &pins)?;
        if !located && pins.restricted.is_none() {
            candidates.pinned_by.push(pins.place_labels.iter().map(|(key, _)| *key).collect());
        }
        Some(candidates)
    }

    /// What a label says of a node's place. One of a driver says something only if it is one provider's, whose nodes it is
    /// held against, and has a prefix: anybody may have written any other.
    pub(super) fn role(&self, key: &str) -> Option<Role<'a>> {
        let of = |keys: &'a [(Arc<str>, Option<Arc<str>>)]| {
            let known = keys.iter().find(|(known, _)| &**known == key && key.contains('/'))?;
            known.1.as_deref().map(Some)
        };
        match key {
            keys::REGION => Some(Role::Region(None)),
            keys::ZONE => Some(Role::Zone(None)),
            keys::HOSTNAME => Some(Role::Hostname),
            keys::RESTRICTED_JURISDICTION => Some(Role::Restricted),
            _ => of(self.geography.zone_keys())
                .map(Role::Zone)
                .or_else(|| of(self.geography.region_keys()).map(Role::Region)),
        }
    }

    /// The number of a label that a place of the policies at hand selects on.
    pub(super) fn place_key(&self, key: &str) -> Option<usize> {
        let number = self.sites.keys().iter().position(|known| &**known == key)?;
        (self.is_place_key)(key).then_some(number)
    }

    /// Nodes of these names: each must exist, and those whose own labels contradict the conjunction are left out. A label
    /// that is not there yet contradicts nothing.
    fn named(&self, pins: &Pins<'_>, tests: &[&NodeTest<'_>]) -> Option<Candidates> {
        let mut found: Vec<&NodeEntry> = Vec::new();
        for name in pins.names.iter().flatten() {
            found.push(self.nodes.get(name)?);
        }
        for hostname in pins.hostnames.iter().flatten() {
            let hosts = self.nodes.with_label(keys::HOSTNAME, hostname);
            if hosts.is_empty() {
                return None;
            }
            found.extend(hosts.iter().filter_map(|slot| self.nodes.at(slot)));
        }
        let fits = |node: &&NodeEntry| {
            let allowed = |left: &Left<'_>, value: Option<&str>| {
                left.as_ref().is_none_or(|left| value.is_some_and(|value| left.contains(value)))
            };
            allowed(&pins.names, Some(&node.name))
                && allowed(&pins.hostnames, node.label(keys::HOSTNAME))
                && tests.iter().all(|test| match test {
                    NodeTest::Label(key, test)
                        if matches!(self.role(key), Some(Role::Region(_) | Role::Zone(_))) =>
                    {
                        node.label(key).is_none_or(|value| test.passes(Some(value)))
                    }
                    _ => true,
                })
        };
        let mut candidates = Candidates::default();
        for node in found.into_iter().filter(fits) {
            candidates.known.insert(node.site.index());
        }
        (!candidates.known.is_empty()).then_some(candidates)
    }

    fn providers_left(&self, pins: &Pins<'_>) -> impl Iterator<Item = &'a Arc<str>> {
        let left =
            pins.providers.as_ref().map(|left| left.iter().map(ToString::to_string).collect::<Vec<_>>());
        self.providers
            .iter()
            .filter(move |one| left.as_ref().is_none_or(|left| left.iter().any(|other| **other == ***one)))
    }

    /// Nothing but labels is pinned: each provider, in a place that nobody knows.
    fn anywhere(&self, pins: &Pins<'_>) -> Vec<Location> {
        let anywhere = |provider: &Arc<str>| Location {
            provider: Some(provider.clone()),
            provider_jurisdiction: self.geography.law_anywhere(provider),
            ..Location::default()
        };
        self.providers_left(pins).map(anywhere).collect()
    }

    /// Every location that the pinned regions and zones leave. `None`: one of them is known to no provider.
    fn located(&self, pins: &Pins<'_>) -> Option<Vec<Location>> {
        let mut locations = Vec::new();
        let providers: Vec<_> = self.providers_left(pins).collect();
        let (uncharted, charted): (Vec<_>, Vec<_>) =
            providers.iter().copied().partition(|one| self.geography.names_its_own_regions(one));
        match (&pins.regions, &pins.zones) {
            (Some(regions), zones) => {
                // Most pairs of a region and a zone are none, but each is looked at.
                if regions.len().saturating_mul(zones.as_ref().map_or(1, BTreeSet::len)) > 8 * BUDGET {
                    return None;
                }
                for region in regions {
                    let mut known = false;
                    for provider in &uncharted {
                        let (provider, region) = (Some(Arc::clone(provider)), Some(Arc::from(*region)));
                        locations.push(Location { provider, region, ..Location::default() });
                    }
                    for provider in charted.iter().filter(|one| self.geography.knows_region(one, region)) {
                        known = true;
                        match zones {
                            Some(zones) => {
                                for zone in zones {
                                    self.in_zone(provider, Some(region), zone, &mut locations);
                                }
                            }
                            None => self.in_open_region(provider, region, &pins.shut_zones, &mut locations),
                        }
                        if locations.len() > BUDGET {
                            return None;
                        }
                    }
                    if !known {
                        return None;
                    }
                }
            }
            (None, Some(zones)) => {
                for zone in zones {
                    let before = locations.len();
                    for provider in &providers {
                        self.in_zone(provider, None, zone, &mut locations);
                        if self.geography.is_zone_of_any_region(provider, zone) {
                            self.in_any_region(provider, zone, &mut locations);
                        }
                    }
                    if locations.len() == before || locations.len() > BUDGET {
                        return None;
                    }
                }
            }
            (None, None) => {}
        }
        (!locations.is_empty()).then_some(locations)
    }

    /// A pinned zone, of a pinned region or of whichever it yields.
    fn in_zone(&self, provider: &str, region: Option<&str>, zone: &str, locations: &mut Vec<Location>) {
        let Place::Consistent(mut location) = self.geography.locate_in(provider, region, Some(zone)) else {
            return;
        };
        if self.geography.says_no_zone(provider, zone) {
            location.zone = None;
        }
        let conceivable = match (region, location.region.as_deref()) {
            (Some(_), _) => true,
            (None, Some(yielded)) => self.geography.knows_region(provider, yielded),
            // One that is listed for several regions.
            (None, None) => self.geography.lists_zone(provider, zone),
        };
        if conceivable {
            locations.push(location);
        }
    }

    /// A pinned zone of a provider whose zones do not say their region: each region can have one of that name.
    fn in_any_region(&self, provider: &str, zone: &str, locations: &mut Vec<Location>) {
        for (region, _) in self.geography.regions(provider) {
            self.in_zone(provider, Some(region), zone, locations);
        }
        if self.geography.has_unlisted_regions(provider) {
            locations.push(Location { provider: Some(provider.into()), ..Location::default() });
        }
    }

    /// A pinned region whose zones are open: its ordinary zones, and every listed one that is not shut out.
    fn in_open_region(
        &self,
        provider: &str,
        region: &str,
        shut: &BTreeSet<&str>,
        locations: &mut Vec<Location>,
    ) {
        let decides = self.geography.zone_label_decides(provider);
        locations.push(self.geography.ordinary(provider, region));
        for zone in self.geography.zone_entries(provider, region) {
            let all_shut = zone
                .literals()
                .is_some_and(|zones| zones.iter().all(|zone| decides && shut.contains(&**zone)));
            if !all_shut {
                locations.push(zone.location().clone());
            }
        }
    }

    /// The sites of these locations, with every combination of what is left of the labels that places select on.
    fn with_labels(&self, locations: &[Location], pins: &Pins<'_>) -> Option<Candidates> {
        let mut candidates = Candidates::default();
        let mut combinations = 0_usize;
        for location in locations {
            let left: Vec<_> = pins
                .place_labels
                .iter()
                .map(|(index, left)| (*index, borne_at(location, &self.sites.keys()[*index], left)))
                .collect();
            let here = left.iter().try_fold(1_usize, |count, (_, left)| count.checked_mul(left.len()))?;
            combinations = combinations.checked_add(here).filter(|count| *count <= BUDGET)?;
            for number in 0..here {
                let mut rest = number;
                let mut labels: Box<[Known]> = self.sites.keys().iter().map(|_| Known::Unknown).collect();
                for (index, left) in &left {
                    let value = left[rest % left.len()];
                    rest /= left.len();
                    labels[*index] = value.map_or(Known::Absent, |value| Known::Is(value.into()));
                }
                candidates.push(Site { location: location.clone(), labels }, self.sites);
            }
        }
        (candidates.len() > 0).then_some(candidates)
    }
}

/// What is left of a label for a node there. What has no such label may have its region or zone from elsewhere, such as its
/// provider ID.
fn borne_at<'t>(location: &Location, key: &str, left: &BTreeSet<Option<&'t str>>) -> Vec<Option<&'t str>> {
    let is_here = |value: &str| match key {
        keys::REGION => location.region.as_deref().is_none_or(|region| region == value),
        keys::ZONE => location.zone.as_deref().is_none_or(|zone| zone == value),
        keys::RESTRICTED_JURISDICTION => value.parse().ok() == location.jurisdiction,
        _ => true,
    };
    left.iter().copied().filter(|value| value.is_none_or(is_here)).collect()
}
