//! What stands against the policies at the moment, since when, and what has changed of that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ahash::{AHashMap, AHashSet, RandomState};
use jiff::Timestamp;

use crate::api::Action;
use crate::cluster::{Changed, Key};
use crate::residency::{Finding, Reason, Verdict};

/// A policy; none where a finding comes from no policy.
type Policy = Option<Arc<str>>;

/// What an object breaks.
#[derive(Clone, Debug, PartialEq)]
pub struct Breach {
    /// When it was first seen.
    pub since: Timestamp,
    /// What was found, in words.
    pub note: String,
    /// What the policy asks for.
    pub action: Action,
    /// Why, for machines.
    pub reason: Reason,
}

impl Breach {
    /// What was found of one policy, of which there is something.
    fn of(found: &[&Finding], since: Timestamp) -> Option<Self> {
        let first = found.first()?;
        let notes: Vec<String> = found.iter().map(|finding| finding.sentence()).collect();
        Some(Self { since, note: notes.join("; "), action: first.action, reason: first.reason })
    }
}

/// What is known of an object and a policy that selects it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Standing<'a> {
    /// It keeps it.
    Keeps,
    /// It keeps it only because of an exception: what it would break without.
    Exempted(&'a Breach),
    /// It breaks it.
    Breaks(&'a Breach),
}

/// What has become of an object and a policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Transition {
    /// When it was seen.
    pub at: Timestamp,
    /// The object.
    pub object: Key,
    /// The policy; none where a finding comes from no policy.
    pub policy: Policy,
    /// What it breaks now, in words. `None`: it does not any more.
    pub broken: Option<String>,
}

/// How a policy fares.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Objects that it selects.
    pub checked: usize,
    /// Those of them that break it, by kind.
    pub violating: BTreeMap<&'static str, usize>,
    /// Those of them that keep it only because of an exception, by kind.
    pub exempted: BTreeMap<&'static str, usize>,
}

impl Counts {
    /// Those that break it, of every kind.
    #[must_use]
    pub fn total(&self) -> usize {
        self.violating.values().sum()
    }

    /// Those that keep it only because of an exception, of every kind.
    #[must_use]
    pub fn spared(&self) -> usize {
        self.exempted.values().sum()
    }

    fn by_kind(&mut self, which: Which) -> &mut BTreeMap<&'static str, usize> {
        match which {
            Which::Violating => &mut self.violating,
            Which::Exempted => &mut self.exempted,
        }
    }
}

/// What is counted apart.
#[derive(Clone, Copy)]
enum Which {
    Violating,
    Exempted,
}

/// Policies that select an object. Most objects have the same ones, so they are held once.
type Selection = Arc<[Arc<str>]>;

/// What is known of every object.
#[derive(Debug, Default)]
pub struct Ledger {
    /// By the hash of its name, which policies select an object: names of all pods would take more room than this.
    selected: AHashMap<u64, Selection>,
    selections: AHashSet<Selection>,
    hashes: RandomState,
    broken: BTreeMap<Key, BTreeMap<Policy, Breach>>,
    exempted: BTreeMap<Key, BTreeMap<Policy, Breach>>,
    counts: BTreeMap<Arc<str>, Counts>,
    fresh: Changed,
}

impl Ledger {
    /// Takes what was judged of an object, nothing if it is gone, and what would be found without exceptions. Says what
    /// has changed; that it is gone is no change.
    pub fn enter(
        &mut self,
        object: &Key,
        verdict: Option<&Verdict>,
        exempted: &[Finding],
        now: Timestamp,
    ) -> Vec<Transition> {
        let hash = self.hashes.hash_one(object);
        let selection_differs =
            self.select(hash, verdict.map(|verdict| &verdict.policies[..]).unwrap_or_default());
        let mut before = self.forget(object, Which::Violating);
        let spared_before = self.forget(object, Which::Exempted);
        let was_known = !before.is_empty() || !spared_before.is_empty();
        let Some(verdict) = verdict else {
            if selection_differs || was_known {
                self.fresh.note([object.clone()]);
            }
            return Vec::new();
        };
        let spared = breaches(exempted, verdict, &spared_before, now);
        let after = breaches(&verdict.findings, verdict, &before, now);
        if selection_differs || after != before || spared != spared_before {
            self.fresh.note([object.clone()]);
        }
        let mut changes = Vec::new();
        for (policy, breach) in &after {
            if before.remove(policy).is_none() {
                changes.push(Transition {
                    at: now,
                    object: object.clone(),
                    policy: policy.clone(),
                    broken: Some(breach.note.clone()),
                });
            }
        }
        changes.extend(before.into_keys().map(|policy| Transition {
            at: now,
            object: object.clone(),
            policy,
            broken: None,
        }));
        self.keep(object, Which::Violating, after);
        self.keep(object, Which::Exempted, spared);
        changes
    }

    fn book(&mut self, which: Which) -> &mut BTreeMap<Key, BTreeMap<Policy, Breach>> {
        match which {
            Which::Violating => &mut self.broken,
            Which::Exempted => &mut self.exempted,
        }
    }

    fn forget(&mut self, object: &Key, which: Which) -> BTreeMap<Policy, Breach> {
        let known = self.book(which).remove(object).unwrap_or_default();
        for policy in known.keys().flatten() {
            self.count(policy, object.kind.as_str(), which, false);
        }
        known
    }

    fn keep(&mut self, object: &Key, which: Which, found: BTreeMap<Policy, Breach>) {
        for policy in found.keys().flatten() {
            self.count(policy, object.kind.as_str(), which, true);
        }
        if !found.is_empty() {
            self.book(which).insert(object.clone(), found);
        }
    }

    /// Forgets what is not among these, after all that exists was judged.
    pub fn keep_only(&mut self, kept: &AHashSet<u64>) {
        let gone: Vec<u64> = self.selected.keys().copied().filter(|hash| !kept.contains(hash)).collect();
        for hash in gone {
            self.select(hash, &[]);
        }
        let known = self.broken.keys().chain(self.exempted.keys());
        let gone = known.filter(|object| !kept.contains(&self.hashes.hash_one(*object)));
        let gone: Vec<Key> = gone.cloned().collect();
        for object in gone {
            self.enter(&object, None, &[], Timestamp::UNIX_EPOCH);
        }
    }

    /// By what [`Self::keep_only`] knows an object.
    #[must_use]
    pub fn hash(&self, object: &Key) -> u64 {
        self.hashes.hash_one(object)
    }

    /// How every policy fares that selects anything.
    #[must_use]
    pub fn counts(&self) -> &BTreeMap<Arc<str>, Counts> {
        &self.counts
    }

    /// All that is broken.
    #[must_use]
    pub fn broken(&self) -> &BTreeMap<Key, BTreeMap<Policy, Breach>> {
        &self.broken
    }

    /// Whether some policy selected an object when it was judged last.
    #[must_use]
    pub fn is_selected(&self, object: &Key) -> bool {
        self.selected.contains_key(&self.hashes.hash_one(object))
    }

    /// How many objects some policy selects.
    #[must_use]
    pub fn selected(&self) -> usize {
        self.selected.len()
    }

    /// Objects of which something else is known than when somebody last asked.
    pub fn take_fresh(&mut self) -> Changed {
        std::mem::take(&mut self.fresh)
    }

    /// How an object stands with each policy that selects it, or that it breaks.
    pub fn standings(&self, object: &Key) -> BTreeMap<Policy, Standing<'_>> {
        let mut standings = BTreeMap::new();
        let selection = self.selected.get(&self.hashes.hash_one(object));
        standings.extend(
            selection.into_iter().flat_map(|all| all.iter()).map(|one| (Some(one.clone()), Standing::Keeps)),
        );
        standings.extend(
            self.exempted
                .get(object)
                .into_iter()
                .flatten()
                .map(|(policy, breach)| (policy.clone(), Standing::Exempted(breach))),
        );
        standings.extend(
            self.broken
                .get(object)
                .into_iter()
                .flatten()
                .map(|(policy, breach)| (policy.clone(), Standing::Breaks(breach))),
        );
        standings
    }

    /// Says whether that is another selection than before.
    fn select(&mut self, hash: u64, policies: &[Arc<str>]) -> bool {
        let mut policies: Vec<Arc<str>> = policies.to_vec();
        policies.sort_unstable();
        policies.dedup();
        let before = self.selected.get(&hash).cloned().unwrap_or_default();
        if *before == *policies {
            return false;
        }
        let (had, has): (BTreeSet<&Arc<str>>, BTreeSet<&Arc<str>>) =
            (before.iter().collect(), policies.iter().collect());
        for policy in had.difference(&has) {
            if let Some(counts) = self.counts.get_mut(*policy) {
                counts.checked = counts.checked.saturating_sub(1);
                if *counts == Counts::default() {
                    self.counts.remove(*policy);
                }
            }
        }
        for policy in has.difference(&had) {
            self.counts.entry(Arc::clone(policy)).or_default().checked += 1;
        }
        if policies.is_empty() {
            self.selected.remove(&hash);
            return true;
        }
        let known = self.selections.get(&policies[..]).cloned();
        let selection = known.unwrap_or_else(|| {
            let new: Selection = policies.into();
            self.selections.insert(Arc::clone(&new));
            new
        });
        self.selected.insert(hash, selection);
        // Selections that nobody has any more are few, and go when there are many.
        if self.selections.len() > 2 * self.counts.len() + 1_024 {
            self.selections.retain(|selection| Arc::strong_count(selection) > 1);
        }
        true
    }

    fn count(&mut self, policy: &Arc<str>, kind: &'static str, which: Which, more: bool) {
        let counts = self.counts.entry(Arc::clone(policy)).or_default();
        let by_kind = counts.by_kind(which);
        let number = by_kind.entry(kind).or_default();
        *number = if more { *number + 1 } else { number.saturating_sub(1) };
        if *number == 0 {
            by_kind.remove(kind);
        }
        if *counts == Counts::default() {
            self.counts.remove(policy);
        }
    }
}

/// What was found, by policy. What was there `before` keeps its beginning.
fn breaches(
    findings: &[Finding],
    verdict: &Verdict,
    before: &BTreeMap<Policy, Breach>,
    now: Timestamp,
) -> BTreeMap<Policy, Breach> {
    let mut found: BTreeMap<Policy, Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        let policy = finding.policy.as_deref().map(|name| shared(name, verdict));
        found.entry(policy).or_default().push(finding);
    }
    let breach = |(policy, found): (Policy, Vec<&Finding>)| {
        let since = before.get(&policy).map_or(now, |breach| breach.since);
        Some((policy, Breach::of(&found, since)?))
    };
    found.into_iter().filter_map(breach).collect()
}

/// The name of a policy, as the verdict holds it.
fn shared(name: &str, verdict: &Verdict) -> Arc<str> {
    verdict.policies.iter().find(|known| ***known == *name).cloned().unwrap_or_else(|| name.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Action;
    use crate::cluster::Kind;
    use crate::objects::{Metadata, ObjectRef};
    use crate::residency::Reason;

    fn pod(name: &str) -> Key {
        Key { kind: Kind::Pod, namespace: "shop".into(), name: name.into() }
    }

    fn verdict(selecting: &[&str], breaking: &[&str]) -> Verdict {
        let mut verdict = Verdict::allow(ObjectRef::new("v1", "Pod", &Metadata::default()));
        verdict.policies = selecting.iter().map(|name| Arc::from(*name)).collect();
        verdict.deny(breaking.iter().map(|policy| Finding {
            policy: Some((*policy).to_owned()),
            action: Action::Audit,
            reason: Reason::NodeOutsideJurisdiction,
            message: "it is abroad".into(),
            field: None,
            example: None,
            matching: None,
        }));
        verdict
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn counts(ledger: &Ledger) -> Vec<(&str, usize, usize)> {
        ledger.counts().iter().map(|(name, counts)| (&**name, counts.checked, counts.total())).collect()
    }

    #[test]
    fn what_breaks_is_told_once_and_has_a_beginning() {
        let mut ledger = Ledger::default();
        let told = ledger.enter(&pod("a"), Some(&verdict(&["eu", "de"], &["eu"])), &[], at(1));
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].policy.as_deref(), Some("eu"));
        assert!(told[0].broken.as_deref().is_some_and(|note| note.contains("it is abroad")));
        assert_eq!(counts(&ledger), [("de", 1, 0), ("eu", 1, 1)]);
        assert!(ledger.enter(&pod("a"), Some(&verdict(&["eu", "de"], &["eu"])), &[], at(2)).is_empty());
        assert_eq!(ledger.broken()[&pod("a")].values().next().map(|breach| breach.since), Some(at(1)));
        let told = ledger.enter(&pod("a"), Some(&verdict(&["eu", "de"], &["de"])), &[], at(3));
        let told: Vec<_> = told.iter().map(|one| (one.policy.as_deref(), one.broken.is_some())).collect();
        assert_eq!(told, [(Some("de"), true), (Some("eu"), false)]);
        assert_eq!(counts(&ledger), [("de", 1, 1), ("eu", 1, 0)]);
    }

    #[test]
    fn what_is_gone_is_forgotten_and_not_told() {
        let mut ledger = Ledger::default();
        for name in ["a", "b"] {
            ledger.enter(&pod(name), Some(&verdict(&["eu"], &["eu"])), &[], at(1));
        }
        assert_eq!(counts(&ledger), [("eu", 2, 2)]);
        assert!(ledger.enter(&pod("a"), None, &[], at(2)).is_empty());
        assert_eq!(counts(&ledger), [("eu", 1, 1)]);
        let kept = AHashSet::default();
        ledger.keep_only(&kept);
        assert_eq!(counts(&ledger), []);
        assert!(ledger.broken().is_empty());
    }

    #[test]
    fn what_is_exempted_is_counted_apart_and_is_no_violation() {
        let mut ledger = Ledger::default();
        let without = verdict(&["eu"], &["eu"]).findings;
        assert!(ledger.enter(&pod("a"), Some(&verdict(&["eu"], &[])), &without, at(1)).is_empty());
        assert_eq!(counts(&ledger), [("eu", 1, 0)]);
        assert_eq!(ledger.counts()["eu"].spared(), 1);
        assert_eq!(ledger.take_fresh(), Changed::Objects([pod("a")].into()));
        let standing = |ledger: &Ledger| match ledger.standings(&pod("a")).into_values().next() {
            Some(Standing::Keeps) => "keeps",
            Some(Standing::Exempted(_)) => "exempted",
            Some(Standing::Breaks(_)) => "breaks",
            None => "none",
        };
        assert_eq!(standing(&ledger), "exempted");
        // Nothing new.
        ledger.enter(&pod("a"), Some(&verdict(&["eu"], &[])), &without, at(2));
        assert!(ledger.take_fresh().is_empty());
        // The exception ends.
        assert_eq!(ledger.enter(&pod("a"), Some(&verdict(&["eu"], &["eu"])), &[], at(3)).len(), 1);
        assert_eq!((counts(&ledger), ledger.counts()["eu"].spared()), (vec![("eu", 1, 1)], 0));
        assert_eq!(standing(&ledger), "breaks");
        assert!(!ledger.take_fresh().is_empty());
        ledger.enter(&pod("a"), None, &[], at(4));
        assert_eq!(standing(&ledger), "none");
        assert!(!ledger.take_fresh().is_empty());
        ledger.enter(&pod("a"), None, &[], at(5));
        assert!(ledger.take_fresh().is_empty());
    }

    #[test]
    fn a_policy_that_is_gone_restores_what_broke_it() {
        let mut ledger = Ledger::default();
        ledger.enter(&pod("a"), Some(&verdict(&["eu"], &["eu"])), &[], at(1));
        let told = ledger.enter(&pod("a"), Some(&verdict(&[], &[])), &[], at(2));
        assert_eq!(told.iter().map(|one| one.broken.clone()).collect::<Vec<_>>(), [None]);
        assert_eq!(counts(&ledger), []);
    }
}
