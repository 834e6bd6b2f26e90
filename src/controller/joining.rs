//! Nodes that join, or are said to be elsewhere, and by that have objects break a policy which they kept.
//!
//! Each object is told of by itself. Who runs the nodes looks at the node, and is told there, once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;

use super::auditor::News;
use super::ledger::Transition;
use crate::cluster::{Changed, Key, Kind, State};
use crate::geography::Location;
use crate::objects::ObjectRef;
use crate::residency::{Example, Finding, counted};

/// The nodes of an audit, and what came to break a policy because of each.
#[derive(Debug, Default)]
pub(super) struct Joining {
    /// By name: where it is.
    nodes: BTreeMap<String, Location>,
    made: BTreeMap<(String, Arc<str>), Made>,
}

/// What breaks one policy because of one node. Counts, since it may be all that there is.
#[derive(Debug, Default)]
struct Made {
    kinds: BTreeMap<&'static str, usize>,
    namespaces: BTreeSet<String>,
    first: Option<(ObjectRef, Option<Example>)>,
}

impl Joining {
    /// The nodes among what has changed. None if rules have changed too: nobody could say then whose doing it was.
    pub(super) fn of(state: &State, changed: &Changed) -> Self {
        let Changed::Objects(keys) = changed else { return Self::default() };
        let rules = [Kind::ResidencyPolicy, Kind::Geography, Kind::ResidencyException];
        if keys.iter().any(|key| rules.contains(&key.kind)) {
            return Self::default();
        }
        let named = keys.iter().filter(|key| key.kind == Kind::Node);
        let found = named.filter_map(|key| {
            let node = state.nodes().get(&key.name)?;
            Some((key.name.clone(), state.sites().get(node.site).location.clone()))
        });
        Self { nodes: found.collect(), made: BTreeMap::new() }
    }

    /// Whether there is nobody to blame.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Takes what has become of an object that some policy selected before, with what was found of it.
    pub(super) fn look(&mut self, change: &Transition, findings: &[Finding]) {
        let (Some(policy), true) = (&change.policy, change.broken.is_some()) else { return };
        let of_policy = findings.iter().filter(|finding| finding.policy.as_deref() == Some(policy));
        let mut shown = of_policy.filter_map(|finding| Some((self.shown_by(finding)?, finding)));
        let Some((node, finding)) = shown.next() else { return };
        let made = self.made.entry((node.to_owned(), Arc::clone(policy))).or_default();
        *made.kinds.entry(change.object.kind.as_str()).or_default() += 1;
        if !change.object.namespace.is_empty() {
            made.namespaces.insert(change.object.namespace.clone());
        }
        let object = change.object.to_ref();
        if made.first.as_ref().is_none_or(|(first, _)| object < *first) {
            made.first = Some((object, finding.example.clone()));
        }
    }

    /// The node that a finding is because of: the one that it shows, or for a volume one that is where it shows.
    fn shown_by(&self, finding: &Finding) -> Option<&str> {
        let example = finding.example.as_ref()?;
        if let Some(node) = &example.node {
            return self.nodes.get_key_value(node).map(|(name, _)| name.as_str());
        }
        let is_there = |at: &Location| {
            Example { node: None, volume: example.volume.clone(), ..Example::at(at) } == *example
        };
        self.nodes.iter().find(|(_, at)| is_there(at)).map(|(name, _)| name.as_str())
    }

    /// What is told of it, a policy and a node at a time.
    pub(super) fn news(self, at: Timestamp) -> impl Iterator<Item = News> {
        let Self { nodes, made } = self;
        made.into_iter().map(move |((name, policy), made)| {
            let place = nodes.get(&name).map(ToString::to_string).unwrap_or_default();
            let note = made.sentence(&policy, &place);
            News::Joining { node: Key { kind: Kind::Node, namespace: String::new(), name }, policy, note, at }
        })
    }
}

impl Made {
    fn sentence(&self, policy: &str, place: &str) -> String {
        let total: usize = self.kinds.values().sum();
        let verb = if total == 1 { "breaks" } else { "break" };
        let namespaces = match self.namespaces.len() {
            0 => String::new(),
            1 => " in 1 namespace".to_owned(),
            number => format!(" in {number} namespaces"),
        };
        let mut text = format!(
            "{}{namespaces} {verb} policy {policy} from now on because of this node ({place})",
            counted(&self.kinds)
        );
        if let Some((first, example)) = &self.first {
            // Infallible: it writes into a string.
            let _ = write!(text, "; first: {first}");
            // Of the node itself all is said.
            if let Some(example) = example.as_ref().filter(|example| example.node.is_none()) {
                let _ = write!(text, " ({example})");
            }
        }
        text
    }
}
