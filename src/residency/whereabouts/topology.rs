//! What labels say of where a volume is: those of its topology, its own, and those of the nodes that can reach it.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use super::Finder;
use crate::api::keys;
use crate::geography::{Driver, Known, Location};
use crate::objects::TopologyTerm;
use crate::placement::constraints::{Group, NodeTest, Term, Test};
use crate::placement::selector::Labels;

/// The label by which AWS knows nodes on an Outpost: a rack of the customer's, wherever that stands, in a zone of AWS.
const OUTPOST: &str = "topology.ebs.csi.aws.com/outpost-id";
/// Places of a topology that are looked at one by one.
pub(super) const MOST_PLACES: usize = 256;
/// Regions with zones of one term that are looked at. Of more, nothing is known.
const MOST_PAIRS: usize = 4_096;
/// Labels that name machines, which can say better than their zone where they stand.
const MACHINES: [&str; 2] = [keys::HOSTNAME, OUTPOST];

/// Whether a term names values of one of these labels.
fn names(tests: &[NodeTest<'_>], labels: &[&str]) -> bool {
    tests.iter().any(|test| matches!(test, NodeTest::Label(key, Test::In(_)) if labels.contains(key)))
}

/// What a topology says of where data is: in all of this, or in any of it.
pub(super) struct Named<'t> {
    /// The places of which it is known where they are.
    pub(super) known: Vec<Location>,
    /// Whether those hang on no node.
    pub(super) certain: bool,
    /// The places of which it is not.
    pub(super) open: Vec<Open<'t>>,
    /// Terms that name no place.
    pub(super) silent: Vec<Term<'t>>,
    /// Whether it names a rack that no node is known of, which stands somewhere else than its zone.
    pub(super) lost: bool,
}

/// Codes that a term names, of which only the nodes that bear them can tell more.
pub(super) struct Open<'t> {
    pub(super) term: Term<'t>,
    /// The labels, and what they say.
    pub(super) codes: Vec<(&'t str, String)>,
    pub(super) without_node: WithoutNode,
}

/// What it means that no node bears some codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WithoutNode {
    /// Data can be there all the same.
    Unknown,
    /// Data is where nodes bear one of the others: somebody names these places as they like, and nobody else knows them.
    Others,
    /// Nothing: the label is empty, and says of no place that data is there.
    Nothing,
}

impl Default for Named<'_> {
    fn default() -> Self {
        Self { known: Vec::new(), certain: true, open: Vec::new(), silent: Vec::new(), lost: false }
    }
}

impl Named<'_> {
    /// Whether it says where all of the data is.
    pub(super) fn is_complete(&self) -> bool {
        !self.known.is_empty() && self.open.is_empty() && self.silent.is_empty()
    }
}

/// What a volume's labels say of where it is.
#[derive(Default)]
pub(super) struct Labelled {
    /// The places of which it is known where they are.
    pub(super) known: Vec<Location>,
    pub(super) rest: Rest,
}

/// What a volume's labels say beside that.
#[derive(Default)]
pub(super) enum Rest {
    /// Nothing.
    #[default]
    Nothing,
    /// Regions and zones of which it is not known where they are.
    Open(Vec<(Option<String>, Option<String>)>),
    /// They contradict each other, so none is believed.
    Wrong,
}

impl Labelled {
    /// Whether they say where all of the data is.
    pub(super) fn is_complete(&self) -> bool {
        !self.known.is_empty() && matches!(self.rest, Rest::Nothing)
    }
}

/// The codes in a label, or that there is none.
fn each_of(label: Option<&str>) -> Vec<Option<&str>> {
    label.map_or_else(|| vec![None], |codes| codes.split("__").map(Some).collect())
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

/// A region and a zone, as far as they are named.
type Pair<'t> = (Option<&'t str>, Option<&'t str>);

impl<'t> Open<'t> {
    /// All that a term names.
    fn whole(term: &Term<'t>) -> Self {
        Self { term: term.clone(), codes: Vec::new(), without_node: WithoutNode::Unknown }
    }

    /// What no node can tell of.
    fn nowhere() -> Self {
        Self { term: Term { tests: None }, codes: Vec::new(), without_node: WithoutNode::Unknown }
    }
}

/// The regions and zones that a term names, and by which labels.
#[derive(Default)]
struct Codes<'t> {
    regions: Option<BTreeSet<&'t str>>,
    region_labels: Vec<&'t str>,
    zones: Option<BTreeSet<&'t str>>,
    zone_labels: Vec<&'t str>,
}

impl<'t> Codes<'t> {
    /// Each region with each zone.
    fn pairs(&self) -> Vec<Pair<'t>> {
        let options = |codes: &Option<BTreeSet<&'t str>>| -> Vec<Option<&'t str>> {
            codes.as_ref().map_or_else(|| vec![None], |codes| codes.iter().copied().map(Some).collect())
        };
        let (regions, zones) = (options(&self.regions), options(&self.zones));
        let most = regions.len().saturating_mul(zones.len()).min(MOST_PAIRS + 1);
        regions.iter().flat_map(|region| zones.iter().map(move |zone| (*region, *zone))).take(most).collect()
    }

    /// What the labels say on a node that is there.
    fn of(&self, (region, zone): Pair<'_>) -> Vec<(&'t str, String)> {
        let say = |labels: &[&'t str], code: Option<&str>| -> Vec<(&'t str, String)> {
            code.into_iter().flat_map(|code| labels.iter().map(|label| (*label, code.to_owned()))).collect()
        };
        [say(&self.region_labels, region), say(&self.zone_labels, zone)].concat()
    }
}

impl Finder<'_> {
    /// What the terms name: their machines, if they name such and those are there, else regions and zones.
    pub(super) fn named_by<'t>(&self, group: &'t Group<'t>, driver: Option<&Driver>) -> Named<'t> {
        let mut named = Named::default();
        for term in &group.terms {
            // A term that matches nothing puts data nowhere.
            let Some(tests) = &term.tests else { continue };
            let codes = self.codes(tests, driver);
            if codes.regions.is_none() && codes.zones.is_none() {
                named.silent.push(term.clone());
                continue;
            }
            let pairs = codes.pairs();
            if pairs.len() > MOST_PAIRS {
                // It would take too long to say of which nobody knows.
                named.open.push(Open::nowhere());
                continue;
            }
            if !names(tests, &MACHINES) {
                self.place(term, &codes, pairs, driver, &mut named);
                continue;
            }
            named.certain = false;
            let there = Rc::new(self.matching(&Group { terms: vec![term.clone()] }));
            match self.on(&there) {
                Some(spots) => {
                    named.known.extend(spots.into_iter().map(|spot| spot.location));
                    // A machine can say better than its zone where it stands; of those that are gone the zone is left.
                    let gone = |pair: &Pair<'_>| !self.bears(&there, &codes.of(*pair));
                    let left: Vec<_> = pairs.into_iter().filter(gone).collect();
                    if !left.is_empty() {
                        self.place(term, &codes, left, driver, &mut named);
                    }
                }
                None if names(tests, &[OUTPOST]) => {
                    named.open.push(Open::whole(term));
                    named.lost = true;
                }
                None => self.place(term, &codes, pairs, driver, &mut named),
            }
        }
        named
    }

    /// Sorts the places that a term names into those that are known and those that are not.
    fn place<'t>(
        &self,
        term: &Term<'t>,
        codes: &Codes<'t>,
        pairs: Vec<Pair<'t>>,
        driver: Option<&Driver>,
        named: &mut Named<'t>,
    ) {
        let provider = driver.and_then(|driver| driver.provider.as_deref());
        let own = provider.is_some_and(|provider| self.state.geography().names_its_own_regions(provider));
        let before = named.known.len() + named.open.len();
        for pair in pairs {
            let (region, zone) = pair;
            // An empty label says nothing of where a node with it is.
            let said = |code: Option<&'t str>| code.filter(|code| !code.is_empty());
            let without_node = match (said(region), said(zone)) {
                (None, None) => WithoutNode::Nothing,
                (region, zone) => match self.located(driver, region, zone) {
                    // There is no such place.
                    None => continue,
                    Some(location) if location.jurisdiction.is_some() => {
                        named.known.push(location);
                        continue;
                    }
                    Some(_) if own => WithoutNode::Others,
                    Some(_) => WithoutNode::Unknown,
                },
            };
            named.open.push(Open { term: term.clone(), codes: codes.of(pair), without_node });
        }
        if named.known.len() + named.open.len() == before {
            // What contradicts itself is nowhere that anybody knows.
            named.open.push(Open::whole(term));
        }
    }

    /// The regions and zones that a term names.
    fn codes<'t>(&self, tests: &'t [NodeTest<'t>], driver: Option<&Driver>) -> Codes<'t> {
        let geography = self.state.geography();
        // A key without a prefix (`region`) may be anyone's.
        let role = |keys: &[(Arc<str>, Option<Arc<str>>)], key: &str| {
            key.contains('/') && keys.iter().any(|(known, _)| **known == *key)
        };
        let has = |keys: &[Arc<str>], key: &str| keys.iter().any(|known| **known == *key);
        let mut codes = Codes::default();
        for test in tests {
            let NodeTest::Label(key, Test::In(values)) = test else { continue };
            let (left, labels) = match *key {
                keys::REGION | keys::BETA_REGION => (&mut codes.regions, &mut codes.region_labels),
                keys::ZONE | keys::BETA_ZONE => (&mut codes.zones, &mut codes.zone_labels),
                // A driver's key means what the driver says, whatever another uses the same key for.
                key if driver.is_some_and(|driver| has(&driver.region_keys, key)) => {
                    (&mut codes.regions, &mut codes.region_labels)
                }
                key if driver.is_some_and(|driver| has(&driver.topology_keys, key)) => {
                    (&mut codes.zones, &mut codes.zone_labels)
                }
                key if role(geography.region_keys(), key) => (&mut codes.regions, &mut codes.region_labels),
                key if role(geography.zone_keys(), key) => (&mut codes.zones, &mut codes.zone_labels),
                _ => continue,
            };
            let values: BTreeSet<&str> = values.iter().map(String::as_str).collect();
            *left = Some(match left.take() {
                Some(before) => before.intersection(&values).copied().collect(),
                None => values,
            });
            labels.push(key);
        }
        codes
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

    /// What a volume's labels say; `a__b` is two zones.
    pub(super) fn labelled(&self, labels: &Labels, driver: Option<&Driver>) -> Labelled {
        let value = |key: &str| labels.iter().find(|pair| *pair.0 == *key).map(|pair| &*pair.1);
        // Of two that contradict each other neither is believed.
        let of = |key, of_old| match (value(key), value(of_old)) {
            (Some(value), Some(other)) if value != other => None,
            (value, other) => Some(value.or(other).filter(|value| !value.is_empty())),
        };
        let wrong = || Labelled { known: Vec::new(), rest: Rest::Wrong };
        let (Some(regions), Some(zones)) =
            (of(keys::REGION, keys::BETA_REGION), of(keys::ZONE, keys::BETA_ZONE))
        else {
            return wrong();
        };
        if regions.is_none() && zones.is_none() {
            return Labelled::default();
        }
        let (regions, zones) = (each_of(regions), each_of(zones));
        let (mut known, mut open) = (Vec::new(), Vec::new());
        let mut placed = BTreeSet::new();
        for (region, zone) in regions.iter().flat_map(|region| zones.iter().map(move |zone| (*region, *zone)))
        {
            let Some(location) = self.located(driver, region, zone) else { continue };
            placed.insert(region);
            placed.insert(zone);
            if location.jurisdiction.is_some() {
                known.push(location);
            } else {
                open.push((region.map(str::to_owned), zone.map(str::to_owned)));
            }
        }
        // One that goes with none of the others says that the labels are wrong.
        if !regions.iter().chain(&zones).all(|one| placed.contains(one)) {
            return wrong();
        }
        Labelled { known, rest: if open.is_empty() { Rest::Nothing } else { Rest::Open(open) } }
    }
}
