//! What changes for the objects that exist when a policy, the geography, an exception, a node or the time does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::Timestamp;

use super::audit::{AUDITED, audit, judge_stored, stored};
use super::verdict::{Finding, Reason, Verdict};
use crate::api::Action;
use crate::cluster::State;
use crate::objects::ObjectRef;

/// A policy that an object breaks, and for which that is not so, or not with the same consequence, in the other state.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The object.
    pub object: ObjectRef,
    /// The finding as it will stand; as it stood, if there will be none.
    pub finding: Finding,
}

/// What changes between two states.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Impact {
    /// How many objects were judged.
    pub judged: usize,
    /// What breaks a policy after and not before. This and the others are in the order of the objects.
    pub broken: Vec<Change>,
    /// What broke a policy before and does not after.
    pub allowed: Vec<Change>,
    /// What breaks a policy before and after, and would be denied for it only after.
    pub stricter: Vec<Change>,
    /// What breaks a policy before and after, and would be denied for it only before.
    pub milder: Vec<Change>,
}

/// Changes of one policy in one namespace and jurisdiction.
#[derive(Clone, Debug, PartialEq)]
pub struct Group<'a> {
    /// The policy; none where no policy loosens it.
    pub policy: Option<&'a str>,
    /// The namespace; empty for objects that have none.
    pub namespace: &'a str,
    /// Where the finding's example is; none if that is unknown, or the finding is about no place.
    pub jurisdiction: Option<&'a str>,
    /// How many objects of each kind.
    pub kinds: BTreeMap<&'a str, usize>,
    /// The first of them; never empty.
    pub first: Vec<&'a Change>,
}

/// The changes that a group shows.
const SHOWN: usize = 3;

/// What one finding is the same as in another state: the policy, or the reason where there is none.
type Broken<'a> = (Option<&'a str>, Option<Reason>);

/// Judges everything in both states. What is in one of them only breaks nothing in the other.
#[must_use]
pub fn simulate(before: (&State, Timestamp), after: (&State, Timestamp)) -> Impact {
    let mut impact = Impact::default();
    for old in audit(before.0, before.1) {
        let kind = AUDITED.into_iter().find(|kind| kind.as_str() == old.object.kind);
        let new = kind
            .and_then(|kind| judge_stored(after.0, kind, &old.object.namespace, &old.object.name, after.1));
        impact.compare(Some(&old), new.as_ref());
    }
    for key in AUDITED.into_iter().flat_map(|kind| stored(after.0, kind)) {
        if !key.is_in(before.0) {
            let new = judge_stored(after.0, key.kind, &key.namespace, &key.name, after.1);
            impact.compare(None, new.as_ref());
        }
    }
    for changes in [&mut impact.broken, &mut impact.allowed, &mut impact.stricter, &mut impact.milder] {
        let key = |change: &Change| (change.object.clone(), change.finding.policy.clone());
        changes.sort_by_cached_key(key);
    }
    impact
}

/// What an object breaks, each policy once, with the finding of the gravest consequence.
fn broken_by(verdict: Option<&Verdict>) -> BTreeMap<Broken<'_>, &Finding> {
    let mut broken: BTreeMap<Broken<'_>, &Finding> = BTreeMap::new();
    for finding in verdict.into_iter().flat_map(|verdict| &verdict.findings) {
        let policy = finding.policy.as_deref();
        let of_none = policy.is_none().then_some(finding.reason);
        let worst = broken.entry((policy, of_none)).or_insert(finding);
        if denies(finding) && !denies(worst) {
            *worst = finding;
        }
    }
    broken
}

fn denies(finding: &Finding) -> bool {
    finding.action == Action::Deny
}

impl Impact {
    fn compare(&mut self, old: Option<&Verdict>, new: Option<&Verdict>) {
        self.judged += 1;
        let Some(object) = new.or(old).map(|verdict| &verdict.object) else { return };
        let (was, is) = (broken_by(old), broken_by(new));
        let change = |finding: &Finding| Change { object: object.clone(), finding: finding.clone() };
        for (broken, after) in &is {
            match was.get(broken) {
                None => self.broken.push(change(after)),
                Some(before) if denies(after) && !denies(before) => self.stricter.push(change(after)),
                Some(before) if denies(before) && !denies(after) => self.milder.push(change(after)),
                Some(_) => {}
            }
        }
        let gone = was.iter().filter(|(broken, _)| !is.contains_key(*broken));
        self.allowed.extend(gone.map(|(_, before)| change(before)));
    }

    /// Whether something would break a policy that it keeps now, or be denied and is not now.
    #[must_use]
    pub fn is_worse(&self) -> bool {
        !self.broken.is_empty() || !self.stricter.is_empty()
    }

    /// Each list of changes with what it says of its objects.
    pub fn directions(&self) -> impl Iterator<Item = (&'static str, &[Change])> {
        [
            ("would break", self.broken.as_slice()),
            ("would no longer break", &self.allowed),
            ("would be denied, and not only reported, for breaking", &self.stricter),
            ("would only be reported, and no longer denied, for breaking", &self.milder),
        ]
        .into_iter()
    }

    /// A sentence a policy and direction: `12 Pods, 1 Deployment in 3 namespaces would break policy eu-personal;
    /// first: …`.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        self.directions().flat_map(|(verb, changes)| told(changes, verb)).collect()
    }
}

/// Changes by policy, namespace and jurisdiction, in this order.
#[must_use]
pub fn groups(changes: &[Change]) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<_, Group<'_>> = BTreeMap::new();
    for change in changes {
        let policy = change.finding.policy.as_deref();
        let namespace = change.object.namespace.as_str();
        let jurisdiction = change.finding.example.as_ref().and_then(|one| one.jurisdiction.as_deref());
        let group = groups.entry((policy, namespace, jurisdiction)).or_insert_with(|| Group {
            policy,
            namespace,
            jurisdiction,
            kinds: BTreeMap::new(),
            first: Vec::new(),
        });
        *group.kinds.entry(&change.object.kind).or_default() += 1;
        if group.first.len() < SHOWN {
            group.first.push(change);
        }
    }
    groups.into_values().collect()
}

/// `2 Pods, 1 Deployment`.
#[must_use]
pub fn counted(kinds: &BTreeMap<&str, usize>) -> String {
    let kinds: Vec<_> = kinds.iter().map(|(kind, number)| count(*number, kind)).collect();
    kinds.join(", ")
}

fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

fn told(changes: &[Change], verb: &str) -> Vec<String> {
    let mut by_policy: BTreeMap<Option<&str>, Vec<&Change>> = BTreeMap::new();
    for change in changes {
        by_policy.entry(change.finding.policy.as_deref()).or_default().push(change);
    }
    let sentence = |(policy, changes): (Option<&str>, Vec<&Change>)| {
        let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
        let mut namespaces: BTreeSet<&str> = BTreeSet::new();
        for change in &changes {
            *kinds.entry(&change.object.kind).or_default() += 1;
            namespaces.extend(Some(change.object.namespace.as_str()).filter(|name| !name.is_empty()));
        }
        let mut text = counted(&kinds);
        // Infallible: it writes into a string.
        if !namespaces.is_empty() {
            let _ = write!(text, " in {}", count(namespaces.len(), "namespace"));
        }
        let what =
            policy.map_or_else(|| "what no policy loosens".to_owned(), |name| format!("policy {name}"));
        let _ = write!(text, " {verb} {what}");
        if let Some(first) = changes.first() {
            let _ = write!(text, "; first: {}", first.object);
            if let Some(example) = &first.finding.example {
                let _ = write!(text, " ({example})");
            }
        }
        text
    };
    by_policy.into_iter().map(sentence).collect()
}
