//! The engine held against a judge that enumerates everything, and against what must hold of any answer, in random little
//! clusters.
//!
//! `DOMICILE_CASES` says with how many objects each property is tried (500 if it says nothing, 10,000 in `make test`; in a
//! tenth as many clusters), `DOMICILE_SEED` with which.

#![allow(clippy::pedantic, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod agreement;
mod changes;
mod confining;
mod fixes;
mod order;
mod reach;
mod reference;
mod simulated;
mod touched;
mod worlds;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU32, Ordering};

use domicile::cluster::State;
use domicile::residency::{Reason, Request, Verdict, judge};
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use reference::{Fault, World};
use serde_json::Value;
use worlds::Cluster;

/// What is judged in each cluster: to make the cluster costs more than to judge in it.
const OBJECTS: u32 = 10;

fn number(variable: &str, otherwise: u64) -> u64 {
    std::env::var(variable).map_or(otherwise, |text| text.parse().unwrap())
}

/// A cluster, as the engine and as the reference have it.
#[derive(Clone)]
struct Ground {
    cluster: Cluster,
    state: State,
    world: World,
    now: Timestamp,
}

impl Ground {
    fn new(cluster: Cluster) -> Self {
        Self { state: cluster.state(), world: cluster.world(), now: cluster.now(), cluster }
    }

    /// With these objects too, as if they had come later.
    fn with<'a>(&self, more: impl IntoIterator<Item = &'a Value> + Clone) -> State {
        let mut state = self.state.clone();
        state.apply_all(more.into_iter().map(worlds::parse));
        state
    }

    fn judge(&self, manifest: &Value) -> Verdict {
        self.judge_in(&self.state, manifest)
    }

    fn judge_in(&self, state: &State, manifest: &Value) -> Verdict {
        judge(&Request::create(&worlds::parse(manifest)), state, self.now)
    }
}

/// Tries a property with as many objects as asked for, the same ones each time.
fn hold<S: Strategy>(
    clusters: impl Strategy<Value = Cluster>,
    objects: S,
    property: impl Fn(&Ground, S::Value) -> Result<(), TestCaseError>,
) -> u32
where
    S::Value: std::fmt::Debug + Clone,
{
    let cases = u32::try_from(number("DOMICILE_CASES", 500)).unwrap();
    let config = Config {
        cases: cases.div_ceil(OBJECTS),
        failure_persistence: None,
        max_shrink_iters: 2_000,
        ..Config::default()
    };
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number("DOMICILE_SEED", 0).to_le_bytes());
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let result = runner.run(&(clusters, vec(objects, OBJECTS as usize)), |(cluster, objects)| {
        let ground = Ground::new(cluster);
        objects.into_iter().try_for_each(|object| {
            let name = |error| match error {
                TestCaseError::Fail(why) => TestCaseError::fail(format!("{why}\nof {object:#?}")),
                reject => reject,
            };
            property(&ground, object.clone()).map_err(name)
        })
    });
    if let Err(error) = result {
        panic!("{error}");
    }
    cases
}

/// How often what a property is about came up, so that it does not hold for want of cases.
#[derive(Default)]
struct Seen(AtomicU32);

impl Seen {
    fn another(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// At least once in so many cases, on average.
    fn at_least_once_in(&self, most: u32, cases: u32) {
        let seen = self.0.load(Ordering::Relaxed);
        assert!(seen >= cases / most, "only {seen} of {cases} cases say anything");
    }
}

fn fault(reason: Reason) -> Fault {
    match reason {
        Reason::NodeOutsideJurisdiction | Reason::VolumeOutsideJurisdiction | Reason::UnknownLocation => {
            Fault::Place
        }
        Reason::NotProven => Fault::NotProven,
        Reason::ClassificationNotOnTemplate => Fault::NotOnTemplate,
        Reason::InvalidClassification => Fault::Invalid,
        other => panic!("{other:?} was not to be expected"),
    }
}

fn faults(verdict: &Verdict) -> BTreeSet<(Option<String>, Fault)> {
    verdict.findings.iter().map(|finding| (finding.policy.clone(), fault(finding.reason))).collect()
}

/// The worst that each policy finds: the later in [`Fault`], the worse.
fn worst(verdict: &Verdict) -> BTreeMap<Option<String>, Fault> {
    // Sorted by policy, then by fault, so the worst comes last.
    faults(verdict).into_iter().collect()
}

/// Whether no policy finds less in the second than in the first.
fn no_better(one: &Verdict, other: &Verdict) -> bool {
    let (before, after) = (worst(one), worst(other));
    other.decision >= one.decision
        && other.reach >= one.reach
        && before.iter().all(|(policy, fault)| after.get(policy).is_some_and(|now| now >= fault))
}
