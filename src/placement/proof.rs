//! What constraints prove by themselves (semantics 5): the sites of every node that one can think of and that
//! matches, also of nodes that do not exist yet.
//!
//! A conjunction of terms *pins* if it leaves a finite set of values of a region, a zone, a node's name, the
//! jurisdiction label that no kubelet can set, or a label that a place selects on. What a pin leaves open is
//! enumerated from the geography. The work is bounded: past the bound nothing is proven.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::bits::BitSet;
use super::constraints::{Constraints, NodeTest, Term, Test};
use super::nodes::{NodeEntry, NodeIndex};
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
    /// Others, each once.
    pub others: Vec<Site>,
}

impl Candidates {
    /// Adds those of another conjunction.
    pub fn unite(&mut self, other: Self) {
        self.known.unite(&other.known);
        for site in other.others {
            self.push_other(site);
        }
    }

    fn push(&mut self, site: Site, sites: &Sites) {
        match sites.find(&site) {
            Some(number) => self.known.insert(number.index()),
            None => self.push_other(site),
        }
    }

    fn push_other(&mut self, site: Site) {
        if !self.others.contains(&site) {
            self.others.push(site);
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

/// What a conjunction leaves of one label: `None` is anything.
type Left<'a> = Option<BTreeSet<&'a str>>;

/// The pins of one conjunction.
#[derive(Default)]
struct Pins<'a> {
    regions: Left<'a>,
    zones: Left<'a>,
    names: Left<'a>,
    hostnames: Left<'a>,
    restricted: Left<'a>,
    /// Providers, where a driver's own label is pinned.
    providers: Option<BTreeSet<&'a str>>,
    shut_regions: BTreeSet<&'a str>,
    shut_zones: BTreeSet<&'a str>,
    /// Labels that places select on: what is left of each, `None` standing for absent.
    place_labels: Vec<(usize, BTreeSet<Option<&'a str>>)>,
}

fn keep<'a>(left: &mut Left<'a>, values: impl Iterator<Item = &'a str>) {
    let values: BTreeSet<_> = values.collect();
    *left = Some(match left.take() {
        Some(before) => before.intersection(&values).copied().collect(),
        None => values,
    });
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
            // One that matches nothing leads nowhere.
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
        let mut tests = Vec::new();
        for term in terms {
            tests.extend(term.tests.as_ref()?);
        }
        if contradicts_itself(&tests) {
            return None;
        }
        let pins = self.pins(&tests);
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
            locations = locations
                .iter()
                .flat_map(|at| codes.iter().map(|code| Location { jurisdiction: Some(*code), ..at.clone() }))
                .collect();
        }
        self.with_labels(&locations, &pins)
    }

    fn pins<'t>(&self, tests: &[&NodeTest<'t>]) -> Pins<'t>
    where
        'a: 't,
    {
        let mut pins = Pins::default();
        for test in tests {
            let (key, test) = match test {
                NodeTest::Name(name) => {
                    keep(&mut pins.names, std::iter::once(*name));
                    continue;
                }
                NodeTest::NotName(_) => continue,
                NodeTest::Label(key, test) => (*key, test),
            };
            let values = || match test {
                Test::In(values) => values.iter().map(String::as_str),
                _ => [].iter().map(String::as_str),
            };
            if (self.is_place_key)(key) {
                self.pin_place_label(&mut pins, key, test);
            }
            let role = self.role(key);
            if let (Some(Role::Region(provider) | Role::Zone(provider)), Test::In(_)) = (&role, test)
                && let Some(provider) = provider
            {
                keep(&mut pins.providers, std::iter::once(*provider));
            }
            match (role, test) {
                (Some(Role::Region(_)), Test::In(_)) => keep(&mut pins.regions, values()),
                (Some(Role::Zone(_)), Test::In(_)) => keep(&mut pins.zones, values()),
                (Some(Role::Region(_)), Test::NotIn(values)) => {
                    pins.shut_regions.extend(values.iter().map(String::as_str));
                }
                (Some(Role::Zone(_)), Test::NotIn(values)) => {
                    pins.shut_zones.extend(values.iter().map(String::as_str));
                }
                (Some(Role::Hostname), Test::In(_)) => keep(&mut pins.hostnames, values()),
                (Some(Role::Restricted), Test::In(_)) => keep(&mut pins.restricted, values()),
                _ => {}
            }
        }
        pins
    }

    fn role(&self, key: &str) -> Option<Role<'a>> {
        let of = |keys: &'a [(Arc<str>, Option<Arc<str>>)]| {
            keys.iter().find(|(known, _)| &**known == key).map(|(_, provider)| provider.as_deref())
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

    fn pin_place_label<'t>(&self, pins: &mut Pins<'t>, key: &str, test: &Test<'t>) {
        let values: BTreeSet<Option<&str>> = match test {
            Test::In(values) => values.iter().map(|value| Some(value.as_str())).collect(),
            Test::DoesNotExist => BTreeSet::from([None]),
            _ => return,
        };
        let Some(index) = self.sites.keys().iter().position(|known| &**known == key) else { return };
        match pins.place_labels.iter_mut().find(|(known, _)| *known == index) {
            Some((_, left)) => left.retain(|value| values.contains(value)),
            None => pins.place_labels.push((index, values)),
        }
    }

    /// Nodes of these names: each must exist, and those whose own labels contradict the conjunction are left out.
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
                        test.passes(node.label(key))
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
        let anywhere = |provider: &Arc<str>| {
            let known = match self.geography.locate_in(provider, None, None) {
                Place::Consistent(location) => location,
                Place::Inconsistent => Location::default(),
            };
            // One operator can be bound by another law in some of its regions.
            let law = known.provider_jurisdiction;
            let differs =
                self.geography.regions(provider).any(|(_, region)| region.provider_jurisdiction != law);
            Location {
                provider: Some(provider.clone()),
                provider_jurisdiction: law.filter(|_| !differs),
                ..Location::default()
            }
        };
        self.providers_left(pins).map(anywhere).collect()
    }

    /// Every location that the pinned regions and zones leave. `None`: one of them is known to no provider.
    fn located(&self, pins: &Pins<'_>) -> Option<Vec<Location>> {
        let mut locations = Vec::new();
        let providers: Vec<_> = self.providers_left(pins).collect();
        let regions: Option<Vec<&str>> =
            pins.regions.as_ref().map(|left| left.difference(&pins.shut_regions).copied().collect());
        let zones: Option<Vec<&str>> =
            pins.zones.as_ref().map(|left| left.difference(&pins.shut_zones).copied().collect());
        match (&regions, &zones) {
            (Some(regions), zones) => {
                for region in regions {
                    let mut known = false;
                    for provider in providers.iter().filter(|one| self.geography.knows_region(one, region)) {
                        known = true;
                        match zones {
                            Some(zones) => self.in_zones(provider, Some(region), zones, &mut locations),
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
                        self.in_zones(provider, None, &[zone], &mut locations);
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

    /// Pinned zones, of a pinned region or of whichever they yield.
    fn in_zones(&self, provider: &str, region: Option<&str>, zones: &[&str], locations: &mut Vec<Location>) {
        for zone in zones {
            if let Place::Consistent(location) = self.geography.locate_in(provider, region, Some(zone))
                && (region.is_some()
                    || location
                        .region
                        .as_deref()
                        .is_some_and(|yielded| self.geography.knows_region(provider, yielded)))
            {
                locations.push(location);
            }
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
        locations.push(self.geography.ordinary(provider, region));
        for zone in self.geography.zone_entries(provider, region) {
            let all_shut =
                zone.literals().is_some_and(|zones| zones.iter().all(|zone| shut.contains(&**zone)));
            if !all_shut {
                locations.push(zone.location().clone());
            }
        }
    }

    /// The sites of these locations, with every combination of what is left of the labels that places select on.
    fn with_labels(&self, locations: &[Location], pins: &Pins<'_>) -> Option<Candidates> {
        let combinations = pins.place_labels.iter().try_fold(locations.len(), |count, (_, left)| {
            count.checked_mul(left.len()).filter(|count| *count <= BUDGET)
        })?;
        let mut candidates = Candidates::default();
        for number in 0..combinations {
            let location = locations[number % locations.len()].clone();
            let mut rest = number / locations.len();
            let mut labels: Box<[Known]> = self.sites.keys().iter().map(|_| Known::Unknown).collect();
            let mut consistent = true;
            for (index, left) in &pins.place_labels {
                let value = left.iter().nth(rest % left.len()).copied().flatten();
                rest /= left.len();
                consistent &= match &*self.sites.keys()[*index] {
                    keys::REGION => location.region.is_none() || location.region.as_deref() == value,
                    keys::ZONE => location.zone.is_none() || location.zone.as_deref() == value,
                    _ => true,
                };
                labels[*index] = value.map_or(Known::Absent, |value| Known::Is(value.into()));
            }
            if consistent {
                candidates.push(Site { location, labels }, self.sites);
            }
        }
        (candidates.len() > 0).then_some(candidates)
    }
}

/// Whether one label is asked to be there and not to be there: no node matches, and that proves nothing.
fn contradicts_itself(tests: &[&NodeTest<'_>]) -> bool {
    let labels = || {
        tests.iter().filter_map(|test| match test {
            NodeTest::Label(key, test) => Some((*key, test)),
            NodeTest::Name(_) | NodeTest::NotName(_) => None,
        })
    };
    labels()
        .filter(|(_, test)| **test == Test::DoesNotExist)
        .any(|(key, _)| labels().any(|(other, test)| other == key && !test.passes(None)))
}

/// What a label says of a node's place.
enum Role<'a> {
    /// The region, at this provider if the label is a driver's.
    Region(Option<&'a str>),
    /// The zone, at this provider if the label is a driver's.
    Zone(Option<&'a str>),
    Hostname,
    Restricted,
}
