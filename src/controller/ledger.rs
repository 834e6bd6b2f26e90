//! What stands against the policies at the moment, since when, and what has changed of that.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ahash::{AHashMap, AHashSet, RandomState};
use jiff::Timestamp;

use crate::cluster::Key;
use crate::residency::{Finding, Verdict};

/// A policy; none where a finding comes from no policy.
type Policy = Option<Arc<str>>;

/// What an object breaks.
#[derive(Clone, Debug, PartialEq)]
pub struct Breach {
    /// When it was first seen.
    pub since: Timestamp,
    /// What was found, in words.
    pub note: String,
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
}

impl Counts {
    /// Those that break it, of every kind.
    #[must_use]
    pub fn total(&self) -> usize {
        self.violating.values().sum()
    }
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
    counts: BTreeMap<Arc<str>, Counts>,
}

impl Ledger {
    /// Takes what was judged of an object: nothing if it is gone. Says what has changed; that it is gone is no change.
    pub fn enter(&mut self, object: &Key, verdict: Option<&Verdict>, now: Timestamp) -> Vec<Transition> {
        let hash = self.hashes.hash_one(object);
        let kind = object.kind.as_str();
        self.select(hash, verdict.map(|verdict| &verdict.policies[..]).unwrap_or_default());
        let mut before = self.broken.remove(object).unwrap_or_default();
        for policy in before.keys().flatten() {
            self.count(policy, kind, false);
        }
        let Some(verdict) = verdict else { return Vec::new() };
        let mut found: BTreeMap<Policy, Vec<String>> = BTreeMap::new();
        for finding in &verdict.findings {
            let policy = finding.policy.as_deref().map(|name| shared(name, verdict));
            found.entry(policy).or_default().push(Finding::sentence(finding));
        }
        let mut changes = Vec::new();
        let mut after = BTreeMap::new();
        for (policy, notes) in found {
            let note = notes.join("; ");
            if let Some(policy) = &policy {
                self.count(policy, kind, true);
            }
            let known = before.remove(&policy);
            if known.is_none() {
                changes.push(Transition {
                    at: now,
                    object: object.clone(),
                    policy: policy.clone(),
                    broken: Some(note.clone()),
                });
            }
            let since = known.map_or(now, |breach| breach.since);
            after.insert(policy, Breach { since, note });
        }
        changes.extend(before.into_keys().map(|policy| Transition {
            at: now,
            object: object.clone(),
            policy,
            broken: None,
        }));
        if !after.is_empty() {
            self.broken.insert(object.clone(), after);
        }
        changes
    }

    /// Forgets what is not among these, after all that exists was judged.
    pub fn keep_only(&mut self, kept: &AHashSet<u64>) {
        let gone: Vec<u64> = self.selected.keys().copied().filter(|hash| !kept.contains(hash)).collect();
        for hash in gone {
            self.select(hash, &[]);
        }
        let gone = self.broken.keys().filter(|object| !kept.contains(&self.hashes.hash_one(*object)));
        let gone: Vec<Key> = gone.cloned().collect();
        for object in gone {
            self.enter(&object, None, Timestamp::UNIX_EPOCH);
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

    fn select(&mut self, hash: u64, policies: &[Arc<str>]) {
        let mut policies: Vec<Arc<str>> = policies.to_vec();
        policies.sort_unstable();
        policies.dedup();
        let before = self.selected.get(&hash).cloned().unwrap_or_default();
        if *before == *policies {
            return;
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
            return;
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
    }

    fn count(&mut self, policy: &Arc<str>, kind: &'static str, more: bool) {
        let counts = self.counts.entry(Arc::clone(policy)).or_default();
        let number = counts.violating.entry(kind).or_default();
        *number = if more { *number + 1 } else { number.saturating_sub(1) };
        if *number == 0 {
            counts.violating.remove(kind);
        }
        if *counts == Counts::default() {
            self.counts.remove(policy);
        }
    }
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
        let told = ledger.enter(&pod("a"), Some(&verdict(&["eu", "de"], &["eu"])), at(1));
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].policy.as_deref(), Some("eu"));
        assert!(told[0].broken.as_deref().is_some_and(|note| note.contains("it is abroad")));
        assert_eq!(counts(&ledger), [("de", 1, 0), ("eu", 1, 1)]);
        assert!(ledger.enter(&pod("a"), Some(&verdict(&["eu", "de"], &["eu"])), at(2)).is_empty());
        assert_eq!(ledger.broken()[&pod("a")].values().next().map(|breach| breach.since), Some(at(1)));
        let told = ledger.enter(&pod("a"), Some(&verdict(&["eu", "de"], &["de"])), at(3));
        let told: Vec<_> = told.iter().map(|one| (one.policy.as_deref(), one.broken.is_some())).collect();
        assert_eq!(told, [(Some("de"), true), (Some("eu"), false)]);
        assert_eq!(counts(&ledger), [("de", 1, 1), ("eu", 1, 0)]);
    }

    #[test]
    fn what_is_gone_is_forgotten_and_not_told() {
        let mut ledger = Ledger::default();
        for name in ["a", "b"] {
            ledger.enter(&pod(name), Some(&verdict(&["eu"], &["eu"])), at(1));
        }
        assert_eq!(counts(&ledger), [("eu", 2, 2)]);
        assert!(ledger.enter(&pod("a"), None, at(2)).is_empty());
        assert_eq!(counts(&ledger), [("eu", 1, 1)]);
        let kept = AHashSet::default();
        ledger.keep_only(&kept);
        assert_eq!(counts(&ledger), []);
        assert!(ledger.broken().is_empty());
    }

    #[test]
    fn a_policy_that_is_gone_restores_what_broke_it() {
        let mut ledger = Ledger::default();
        ledger.enter(&pod("a"), Some(&verdict(&["eu"], &["eu"])), at(1));
        let told = ledger.enter(&pod("a"), Some(&verdict(&[], &[])), at(2));
        assert_eq!(told.iter().map(|one| one.broken.clone()).collect::<Vec<_>>(), [None]);
        assert_eq!(counts(&ledger), []);
    }
}
