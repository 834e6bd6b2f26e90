//! What labels say of where a volume is: those of its topology, its own, and those of the nodes that can reach it.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use super::{Finder, Spot};
use crate::api::keys;
use crate::geography::{Driver, Known, Location};
use crate::objects::TopologyTerm;
use crate::placement::bits::BitSet;
use crate::placement::constraints::{Group, NodeTest, Term, Test};
use crate::placement::selector::Labels;

/// The label by which AWS knows nodes on an Outpost: a rack of the customer's, wherever that stands, in a zone of AWS.
const OUTPOST: &str = "topology.ebs.csi.aws.com/outpost-id";
/// Places of a topology that are looked at one by one.
const MOST_PLACES: usize = 256;
/// Labels that name machines, which can say better than their zone where they stand.
const MACHINES: [&str; 2] = [keys::HOSTNAME, OUTPOST];

/// Whether a term names values of one of these labels.
fn names(tests: &[NodeTest<'_>], labels: &[&str]) -> bool {
    tests.iter().any(|test| matches!(test, NodeTest::Label(key, Test::In(_)) if labels.contains(key)))
}

/// What terms say of a place.
pub(super) enum Named {
    /// Together these; none if a term says nothing. `certain` unless some hang on the nodes of this moment.
    At { locations: Vec<Location>, certain: bool },
    /// A rack that no node is known of: it stands somewhere else than its zone, wherever that is.
    Lost,
}

impl Default for Named {
    fn default() -> Self {
        Self::At { locations: Vec::new(), certain: true }
    }
}

/// A topology with a term for each place that it lists: the pod chooses one of them. Of very many it stays as it is.
pub(super) fn one_by_one(topology: &TopologyTerm) -> Vec<Term<'_>> {
    let whole = Term::of_topology(topology);
    let mut each = vec![Vec::new()];
    for test in whole.tests.iter().flatten() {
        let values = match test {
            NodeTest::Label(_, Test::In(values)) => values.len(),
            _ => 1,
        };
        if values == 0 || each.len() * values > MOST_PLACES {
            return vec![whole];
        }
        let alone = |value| match test {
            NodeTest::Label(key, Test::In(values)) => NodeTest::Label(key, Test::In(&values[value..=value])),
            other => other.clone(),
        };
        each = each
            .iter()
            .flat_map(|before| (0..values).map(move |value| [&before[..], &[alone(value)]].concat()))
            .collect();
    }
    if whole.tests.is_none() {
        vec![whole]
    } else {
        each.into_iter().map(|tests| Term { tests: Some(tests) }).collect()
    }
}

impl Finder<'_> {
    /// The locations that the terms name: by their machines, if they name such and those are there, else by region and zone.
    pub(super) fn named_by(&self, group: &Group<'_>, driver: Option<&Driver>) -> Named {
        let (mut locations, mut certain) = (Vec::new(), true);
        for term in &group.terms {
            // A term that matches nothing puts data nowhere.
            let Some(tests) = &term.tests else { continue };
            let found = self.named_by_term(tests, driver);
            if found.is_empty() {
                return Named::default();
            }
            let alone = || Rc::new(self.matching(&Group { terms: vec![term.clone()] }));
            match Some(tests).filter(|tests| names(tests, &MACHINES)).and_then(|_| self.on(&alone())) {
                Some(spots) => {
                    locations.extend(spots.into_iter().map(|spot| spot.location));
                    certain = false;
                }
                None if names(tests, &[OUTPOST]) => return Named::Lost,
                None => locations.extend(found),
            }
        }
        Named::At { locations, certain }
    }

    fn named_by_term(&self, tests: &[NodeTest<'_>], driver: Option<&Driver>) -> Vec<Location> {
        let geography = self.state.geography();
        // A key without a prefix (`region`) may be anyone's.
        let role = |keys: &[(Arc<str>, Option<Arc<str>>)], key: &str| {
            key.contains('/') && keys.iter().any(|(known, _)| **known == *key)
        };
        let (mut regions, mut zones): (Option<BTreeSet<&str>>, Option<BTreeSet<&str>>) = (None, None);
        for test in tests {
            let NodeTest::Label(key, Test::In(values)) = test else { continue };
            let left = match *key {
                keys::REGION | keys::BETA_REGION => &mut regions,
                keys::ZONE | keys::BETA_ZONE => &mut zones,
                // A driver's key means what the driver says, whatever another uses the same key for.
                key if driver
                    .is_some_and(|driver| driver.region_keys.iter().any(|known| **known == *key)) =>
                {
                    &mut regions
                }
                key if driver
                    .is_some_and(|driver| driver.topology_keys.iter().any(|known| **known == *key)) =>
                {
                    &mut zones
                }
                key if role(geography.region_keys(), key) => &mut regions,
                key if role(geography.zone_keys(), key) => &mut zones,
                _ => continue,
            };
            let values: BTreeSet<&str> = values.iter().map(String::as_str).collect();
            *left = Some(match left.take() {
                Some(before) => before.intersection(&values).copied().collect(),
                None => values,
            });
        }
        let options = |left: Option<BTreeSet<&'_ str>>| -> Vec<Option<String>> {
            left.map_or_else(
                || vec![None],
                |left| left.into_iter().map(|code| Some(code.to_owned())).collect(),
            )
        };
        if regions.is_none() && zones.is_none() {
            return Vec::new();
        }
        let zones = options(zones);
        let (regions, empty) = (options(regions), Some(String::new()));
        if regions.contains(&empty) || zones.contains(&empty) {
            // An empty label says nothing of where a node with it is.
            return vec![Location::default()];
        }
        regions
            .iter()
            .flat_map(|region| zones.iter().map(move |zone| (region.as_deref(), zone.as_deref())))
            .filter_map(|(region, zone)| self.located(driver, region, zone))
            .collect()
    }

    /// Where a region and zone of a driver's volumes are. `None`: there is no such place.
    pub(super) fn located(
        &self,
        driver: Option<&Driver>,
        region: Option<&str>,
        zone: Option<&str>,
    ) -> Option<Location> {
        let geography = self.state.geography();
        match driver.and_then(|driver| driver.provider.as_deref()) {
            Some(provider) => match geography.locate_in(provider, region, zone) {
                Known::Consistent(location) => Some(location),
                Known::Inconsistent => None,
            },
            None => Some(geography.locate_named(self.state.providers(), region, zone)),
        }
    }

    /// The locations that a volume's labels name; `a__b` is two zones.
    pub(super) fn labelled<'v>(&self, labels: &'v Labels, driver: Option<&Driver>) -> Vec<Location> {
        let value = |key: &str| labels.iter().find(|pair| *pair.0 == *key).map(|pair| &*pair.1);
        // Of two that contradict each other neither is believed.
        let of = |key, of_old| match (value(key), value(of_old)) {
            (Some(value), Some(other)) if value != other => None,
            (value, other) => Some(value.or(other).filter(|value| !value.is_empty())),
        };
        let (Some(regions), Some(zones)) =
            (of(keys::REGION, keys::BETA_REGION), of(keys::ZONE, keys::BETA_ZONE))
        else {
            return Vec::new();
        };
        if regions.is_none() && zones.is_none() {
            return Vec::new();
        }
        let each = |value: Option<&'v str>| -> Vec<Option<&'v str>> {
            value.map_or_else(|| vec![None], |value| value.split("__").map(Some).collect())
        };
        let (regions, zones) = (each(regions), each(zones));
        let mut locations = Vec::new();
        let mut placed = BTreeSet::new();
        for (region, zone) in regions.iter().flat_map(|region| zones.iter().map(move |zone| (*region, *zone)))
        {
            if let Some(location) = self.located(driver, region, zone) {
                locations.push(location);
                placed.insert(region);
                placed.insert(zone);
            }
        }
        // One that goes with none of the others says that the labels are wrong, and then none is believed.
        if regions.iter().chain(&zones).all(|one| placed.contains(one)) { locations } else { Vec::new() }
    }

    /// Where these nodes are, each place once and in order: sites are numbered as they come, and every replica shows the
    /// same one. `None` without nodes.
    fn on(&self, nodes: &Rc<BitSet>) -> Option<Vec<Spot>> {
        let sites = self.state.nodes().by_site(nodes);
        let places: BTreeSet<_> =
            sites.iter().map(|(site, _)| &self.state.sites().get(*site).location).collect();
        let spot = |at: &Location| Spot::of_nodes(self.state, at.clone(), nodes);
        (!places.is_empty()).then(|| places.into_iter().map(spot).collect())
    }

    /// Where these nodes are, if they all are in one jurisdiction.
    pub(super) fn agreeing(&self, nodes: &Rc<BitSet>) -> Option<Vec<Spot>> {
        let there = self.on(nodes)?;
        let jurisdiction = there.first()?.location.jurisdiction?;
        there.iter().all(|spot| spot.location.jurisdiction == Some(jurisdiction)).then_some(there)
    }
}
