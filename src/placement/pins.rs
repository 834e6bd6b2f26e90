//! What a conjunction of tests leaves of the labels that say where a node is.

use std::collections::{BTreeMap, BTreeSet};

use super::constraints::{NodeTest, Test};
use super::proof::Prover;

/// What is left of one label: `None` is anything.
pub(super) type Left<'t> = Option<BTreeSet<&'t str>>;

/// What a label says of a node's place.
#[derive(Clone, Copy)]
pub(super) enum Role<'a> {
    /// The region, at this provider if the label is a driver's.
    Region(Option<&'a str>),
    /// The zone, at this provider if the label is a driver's.
    Zone(Option<&'a str>),
    Hostname,
    Restricted,
}

/// The pins of one conjunction.
#[derive(Default)]
pub(super) struct Pins<'t> {
    pub(super) regions: Left<'t>,
    pub(super) zones: Left<'t>,
    pub(super) names: Left<'t>,
    pub(super) hostnames: Left<'t>,
    pub(super) restricted: Left<'t>,
    /// Providers, where a driver's own label is pinned.
    pub(super) providers: Left<'t>,
    /// Zones that Kubernetes' own label leaves out and must be there: a node without it passes what only leaves out. Beside
    /// a driver's, that label can name another zone.
    pub(super) shut_zones: BTreeSet<&'t str>,
    /// Labels that places select on: what is left of each, `None` standing for absent.
    pub(super) place_labels: Vec<(usize, BTreeSet<Option<&'t str>>)>,
}

/// The tests of one label.
#[derive(Default)]
struct Asked<'t> {
    left: Left<'t>,
    shut: BTreeSet<&'t str>,
    above: Option<i64>,
    below: Option<i64>,
    must_be_there: bool,
    must_not_be_there: bool,
}

impl<'t> Asked<'t> {
    fn add(&mut self, test: &'t Test<'t>) {
        self.must_be_there |= !test.passes(None);
        match test {
            Test::In(values) => keep(&mut self.left, values.iter().map(String::as_str)),
            Test::NotIn(values) => self.shut.extend(values.iter().map(String::as_str)),
            Test::Above(limit) => self.above = self.above.max(Some(*limit)),
            Test::Below(limit) => self.below = Some(self.below.map_or(*limit, |known| known.min(*limit))),
            Test::Exists => {}
            Test::DoesNotExist => self.must_not_be_there = true,
        }
    }

    /// Whether no label, and none that is not there, passes.
    fn is_impossible(&mut self) -> bool {
        if let Some(left) = &mut self.left {
            let limits = [self.above.map(Test::Above), self.below.map(Test::Below)];
            let limits: Vec<_> = limits.into_iter().flatten().collect();
            left.retain(|value| {
                !self.shut.contains(value) && limits.iter().all(|test| test.passes(Some(value)))
            });
        }
        self.must_be_there && self.must_not_be_there || self.left.as_ref().is_some_and(BTreeSet::is_empty)
    }
}

fn keep<'t>(left: &mut Left<'t>, values: impl Iterator<Item = &'t str>) {
    let values: BTreeSet<_> = values.collect();
    *left = Some(match left.take() {
        Some(before) => before.intersection(&values).copied().collect(),
        None => values,
    });
}

impl<'t> Pins<'t> {
    /// `None`: no node can pass.
    pub(super) fn of<'a: 't>(prover: &Prover<'a>, tests: &[&'t NodeTest<'t>]) -> Option<Self> {
        let mut pins = Self::default();
        let mut labels: BTreeMap<&str, Asked<'t>> = BTreeMap::new();
        let mut not_called = BTreeSet::new();
        for test in tests {
            match test {
                NodeTest::Name(name) => keep(&mut pins.names, std::iter::once(*name)),
                NodeTest::NotName(name) => {
                    not_called.insert(*name);
                }
                NodeTest::Label(key, test) => labels.entry(key).or_default().add(test),
            }
        }
        if let Some(names) = &mut pins.names {
            names.retain(|name| !not_called.contains(name));
            if names.is_empty() {
                return None;
            }
        }
        for (key, mut asked) in labels {
            if asked.is_impossible() {
                return None;
            }
            pins.add(prover, key, asked);
        }
        Some(pins)
    }

    fn add<'a: 't>(&mut self, prover: &Prover<'a>, key: &str, asked: Asked<'t>) {
        if let Some(number) = prover.place_key(key) {
            let values = match &asked.left {
                Some(left) => Some(left.iter().copied().map(Some).collect()),
                None => asked.must_not_be_there.then(|| BTreeSet::from([None])),
            };
            self.place_labels.extend(values.map(|values| (number, values)));
        }
        let Some(role) = prover.role(key) else { return };
        if let (Role::Region(owner) | Role::Zone(owner), Some(_)) = (role, &asked.left)
            && let Some(owner) = owner
        {
            keep(&mut self.providers, std::iter::once(owner));
        }
        let pin = match role {
            Role::Region(_) => &mut self.regions,
            Role::Zone(_) => &mut self.zones,
            Role::Hostname => &mut self.hostnames,
            Role::Restricted => &mut self.restricted,
        };
        match (asked.left, role) {
            (Some(left), _) => keep(pin, left.into_iter()),
            (None, Role::Zone(None)) if asked.must_be_there => self.shut_zones.extend(asked.shut),
            (None, _) => {}
        }
    }
}
