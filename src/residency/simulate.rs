//! What changes for the objects that exist when a policy, the geography, a node or the time does.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::Timestamp;

use super::audit::{AUDITED, audit, judge_stored};
use super::verdict::{Finding, Verdict};
use crate::cluster::State;
use crate::objects::ObjectRef;

/// A policy that an object breaks in one of two states and not in the other.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// The object.
    pub object: ObjectRef,
    /// The finding, as it stands in the state that has it.
    pub finding: Finding,
}

/// What changes between two states.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Impact {
    /// What breaks a policy after and not before, in the order of the objects.
    pub broken: Vec<Change>,
    /// What broke a policy before and does not after.
    pub allowed: Vec<Change>,
}

/// Judges everything in both states. They hold the same objects but for policies, geographies, exceptions and nodes.
#[must_use]
pub fn simulate(before: (&State, Timestamp), after: (&State, Timestamp)) -> Impact {
    let mut impact = Impact::default();
    for old in audit(before.0, before.1) {
        let Some(kind) = AUDITED.into_iter().find(|kind| kind.as_str() == old.object.kind) else { continue };
        let Some(new) = judge_stored(after.0, kind, &old.object.namespace, &old.object.name, after.1) else {
            continue;
        };
        let (was, is) = (broken_by(&old), broken_by(&new));
        let change = |finding: &Finding| Change { object: old.object.clone(), finding: finding.clone() };
        impact.broken.extend(
            new.findings.iter().filter(|finding| !was.contains(&finding.policy.as_deref())).map(change),
        );
        impact.allowed.extend(
            old.findings.iter().filter(|finding| !is.contains(&finding.policy.as_deref())).map(change),
        );
    }
    for changes in [&mut impact.broken, &mut impact.allowed] {
        changes.sort_by(|one, other| {
            (&one.object, &one.finding.policy).cmp(&(&other.object, &other.finding.policy))
        });
        changes
            .dedup_by(|one, other| one.object == other.object && one.finding.policy == other.finding.policy);
    }
    impact
}

fn broken_by(verdict: &Verdict) -> BTreeSet<Option<&str>> {
    verdict.findings.iter().map(|finding| finding.policy.as_deref()).collect()
}

impl Impact {
    /// A sentence a policy and direction: `12 Pods and 1 Deployment in 3 namespaces would break policy eu-personal;
    /// first: …`.
    #[must_use]
    pub fn sentences(&self) -> Vec<String> {
        let directions = [(&self.broken, "would break"), (&self.allowed, "would no longer break")];
        directions.into_iter().flat_map(|(changes, verb)| told(changes, verb)).collect()
    }
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
        let counted = |count: usize, what: &str| {
            let plural = if count == 1 { "" } else { "s" };
            format!("{count} {what}{plural}")
        };
        let kinds: Vec<_> = kinds.into_iter().map(|(kind, count)| counted(count, kind)).collect();
        let mut text = kinds.join(", ");
        if !namespaces.is_empty() {
            let _ = write!(text, " in {}", counted(namespaces.len(), "namespace"));
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
