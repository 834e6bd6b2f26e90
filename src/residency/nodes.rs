//! Where a pod can be: its nodes now, and what its constraints prove (semantics 5).

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use super::scope::Ruling;
use super::verdict::{Example, Finding, Matching, Reach, Reason};
use super::wording::add_sentence;
use crate::api::{Assurance, keys};
use crate::cluster::State;
use crate::geography::{ClusterProviders, Location};
use crate::placement::bits::BitSet;
use crate::placement::constraints::Constraints;
use crate::placement::nodes::NodeEntry;
use crate::placement::proof::{Candidates, Prover};
use crate::placement::sites::SiteId;

/// What decides where a pod goes.
#[derive(Clone, Debug)]
pub(super) enum Aim<'a, 'c> {
    /// This node, and no other.
    Node(&'a str),
    /// Any node that satisfies these.
    Anywhere(Constraints<'c>),
}

/// The nodes where a pod can be, worked out once and asked by every policy.
#[derive(Clone, Debug)]
pub(super) struct NodeReach<'a> {
    state: &'a State,
    /// The node that is named, if one is.
    named: Option<&'a str>,
    pub(super) nodes: BitSet,
    /// Nodes that only their taints keep out of reach, and where they are.
    tainted: BitSet,
    tainted_at: BitSet,
    pub(super) counts: Vec<(SiteId, usize)>,
    pub(super) sites: BitSet,
    pub(super) candidates: Option<Candidates>,
}

/// How an object is called in messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<'a> {
    /// `the pod`, `pods of the Deployment`.
    pub(super) who: &'a str,
    /// What it does on a node that is named, for one and for many: `would run on`.
    pub(super) there: &'a str,
    /// What to do about a node that is named and not permitted: a sentence, or nothing.
    pub(super) advice: &'a str,
    /// The field that is to blame.
    pub(super) field: &'a str,
}

impl<'a> NodeReach<'a> {
    pub(super) fn new(state: &'a State, aim: &Aim<'a, '_>, rulings: &[Ruling<'_>]) -> Self {
        let (named, nodes, tainted, counts) = match aim {
            Aim::Node(name) => {
                let slot = state.nodes().slot(name);
                let node = slot.and_then(|slot| state.nodes().at(slot));
                let counts = node.map(|node| (node.site, 1)).into_iter().collect();
                (Some(*name), slot.into_iter().collect(), BitSet::default(), counts)
            }
            Aim::Anywhere(constraints) => {
                let all = state.nodes().matching_but_for_taints(constraints);
                let nodes = state.nodes().bearing(all.clone(), constraints.tolerations);
                let mut tainted = all;
                tainted.subtract(&nodes);
                let counts = state.nodes().by_site(&nodes);
                (None, nodes, tainted, counts)
            }
        };
        let at = |counts: &[(SiteId, usize)]| counts.iter().map(|(site, _)| site.index()).collect();
        let tainted_at: BitSet =
            if tainted.is_empty() { BitSet::default() } else { at(&state.nodes().by_site(&tainted)) };
        let sites = at(&counts);
        let candidates = match aim {
            Aim::Node(_) => Some(Candidates { known: sites.clone(), ..Candidates::default() }),
            Aim::Anywhere(constraints) => {
                let is_place_key =
                    |key: &str| rulings.iter().any(|ruling| ruling.policy.place_keys().any(|one| one == key));
                let no_place_keys = state.sites().keys().is_empty();
                Prover {
                    geography: state.geography(),
                    providers: &providers(state, constraints),
                    nodes: state.nodes(),
                    sites: state.sites(),
                    is_place_key: &|key| !no_place_keys && is_place_key(key),
                }
                .prove(constraints)
            }
        };
        Self { state, named, nodes, tainted, tainted_at, counts, sites, candidates }
    }

    pub(super) fn is_proven(&self, ruling: &Ruling<'_>) -> bool {
        self.candidates.as_ref().is_some_and(|candidates| {
            let is_pin_for_it = |keys: &Vec<usize>| {
                let mut keys = keys.iter().map(|key| &*self.state.sites().keys()[*key]);
                keys.any(|key| ruling.policy.place_keys().any(|one| one == key))
            };
            candidates.pinned_by.iter().all(is_pin_for_it)
                && self.kept_off_by_taints(ruling).is_none()
                && ruling.outside(&candidates.known).is_none()
                && candidates.others.iter().all(|site| ruling.permits_site(site, self.state.sites()))
        })
    }

    /// A node that is not permitted, and that it could go to if a taint were lifted: so taints prove nothing (semantics 5).
    pub(super) fn kept_off_by_taints(&self, ruling: &Ruling<'_>) -> Option<&'a NodeEntry> {
        let outside = ruling.outside(&self.tainted_at)?;
        let site = |index| u32::try_from(index).ok().map(SiteId);
        let nodes = self.state.nodes();
        let shown = outside.iter().filter_map(|index| nodes.example(&self.tainted, site(index)?));
        shown.min_by_key(|node| &node.name)
    }

    /// Of what is thought of, a place that one of these does not permit.
    fn thought_of_outside(&self, rulings: &[&Ruling<'_>]) -> Option<&Location> {
        let candidates = self.candidates.as_ref()?;
        let sites = self.state.sites();
        let numbered = rulings.iter().filter_map(|ruling| ruling.outside(&candidates.known));
        let numbered = numbered.flat_map(|outside| outside.iter().collect::<Vec<_>>());
        let numbered = numbered.filter_map(|index| Some(sites.get(SiteId(u32::try_from(index).ok()?))));
        let others = candidates
            .others
            .iter()
            .filter(|site| !rulings.iter().all(|ruling| ruling.permits_site(site, sites)));
        numbered.chain(others).map(|site| &site.location).min()
    }

    /// Why it is not proven, but what nodes there are now.
    pub(super) fn unproven<'r>(&self, rulings: impl IntoIterator<Item = &'r Ruling<'a>>, who: &str) -> String
    where
        'a: 'r,
    {
        let rulings: Vec<_> = rulings.into_iter().collect();
        let now = if self.nodes.is_empty() {
            format!("no node matches {who} now")
        } else {
            format!("every node that {who} can go to now is permitted")
        };
        let tainted = rulings.iter().filter_map(|ruling| self.kept_off_by_taints(ruling));
        if let Some(node) = tainted.min_by_key(|node| &node.name) {
            let place = &self.state.sites().get(node.site).location;
            return format!(
                "{now}, but only a taint, which may be lifted, keeps {who} off node {} ({place})",
                node.name
            );
        }
        match self.thought_of_outside(&rulings) {
            Some(at) => {
                let provider = at.provider.as_deref().unwrap_or("an unknown provider");
                format!(
                    "{now}, but a node of {provider} that joins later could match and not be permitted ({at})"
                )
            }
            None => format!("{now}, but nothing that is written keeps out nodes that join later"),
        }
    }

    /// Whether it holds a node that all of these permit.
    pub(super) fn has_some(&self, rulings: &[&Ruling<'_>]) -> bool {
        self.sites.iter().any(|site| rulings.iter().all(|ruling| permits(ruling, site)))
    }

    /// Whether there is a place in it, now or ever, that all of these permit.
    pub(super) fn leaves_something(&self, rulings: &[&Ruling<'_>]) -> bool {
        let permitted = |site: usize| rulings.iter().all(|ruling| permits(ruling, site));
        self.has_some(rulings)
            || self.candidates.as_ref().is_some_and(|candidates| {
                let thought_of =
                    |site| rulings.iter().all(|ruling| ruling.permits_site(site, self.state.sites()));
                candidates.known.iter().any(permitted) || candidates.others.iter().any(thought_of)
            })
    }

    /// What a policy says that cannot confine a pod.
    pub(super) fn cannot_be_confined(&self, ruling: &Ruling<'_>, words: Words<'_>) -> Finding {
        let message = format!(
            "{} cannot be confined to what is permitted: no region of the cluster's providers is both permitted and left open by \
             its constraints. The policy permits {}",
            words.who,
            ruling.wording()
        );
        let mut finding = Self::finding(ruling, Reason::NodeOutsideJurisdiction, message, words.field);
        self.show(ruling, &mut finding);
        finding
    }

    /// What one policy makes of it.
    pub(super) fn judge(&self, ruling: &Ruling<'a>, words: Words<'_>) -> (Reach, Option<Finding>) {
        if let (Some(name), true) = (self.named, self.nodes.is_empty()) {
            let message = format!(
                "{} {} node {name:?}, and there is no such node, so nobody knows where that is: correct the name, or \
                 leave the choice of a node to the scheduler",
                words.who, words.there
            );
            return (
                Reach::Violated,
                Some(Self::finding(ruling, Reason::UnknownLocation, message, words.field)),
            );
        }
        if ruling.outside(&self.sites).is_some() {
            return (Reach::Violated, Some(self.outside(ruling, words)));
        }
        if self.is_proven(ruling) {
            return (Reach::Proven, None);
        }
        if ruling.policy.assurance == Assurance::Proven && self.named.is_none() {
            let message = format!(
                "{}, and the policy wants proof: in every term of a required node affinity, name regions and zones, nodes, \
                 or a label that the policy names",
                self.unproven([ruling], words.who)
            );
            return (Reach::Observed, Some(Self::finding(ruling, Reason::NotProven, message, words.field)));
        }
        (Reach::Observed, None)
    }

    fn finding(ruling: &Ruling<'_>, reason: Reason, message: String, field: &str) -> Finding {
        Finding {
            policy: Some(ruling.policy.name.to_string()),
            action: ruling.policy.action,
            reason,
            message,
            field: Some(field.to_owned()),
            example: None,
            matching: None,
        }
    }

    /// The node that shows it best: one whose place is known, then the first by name.
    fn shown(&self, ruling: &Ruling<'_>) -> Option<(&'a NodeEntry, SiteId)> {
        let outside = ruling.outside(&self.sites)?;
        let nodes = outside.iter().filter_map(|index| {
            let (site, _) = self.counts.iter().find(|(site, _)| site.index() == index)?;
            let node = self.state.nodes().example(&self.nodes, *site)?;
            Some((self.state.sites().get(*site).location.jurisdiction.is_none(), node, *site))
        });
        nodes.min_by_key(|(unknown, node, _)| (*unknown, &node.name)).map(|(_, node, site)| (node, site))
    }

    fn show(&self, ruling: &Ruling<'_>, finding: &mut Finding) {
        let Some((node, site)) = self.shown(ruling) else { return };
        let location = &self.state.sites().get(site).location;
        finding.example = Some(Example { node: Some(node.name.to_string()), ..Example::at(location) });
        // Of one that is named there is nothing to count.
        finding.matching = self.named.is_none().then(|| self.matching(ruling));
    }

    fn matching(&self, ruling: &Ruling<'_>) -> Matching {
        let count = |(site, count): &(SiteId, usize)| if ruling.permits(*site) { 0 } else { *count };
        Matching {
            outside: self.counts.iter().map(count).sum(),
            total: self.counts.iter().map(|(_, count)| count).sum(),
        }
    }

    fn outside(&self, ruling: &Ruling<'_>, words: Words<'_>) -> Finding {
        let Matching { outside, total } = self.matching(ruling);
        let shown = self.shown(ruling);
        let location = shown.map(|(_, site)| &self.state.sites().get(site).location);
        let unknown = location.is_some_and(|location| location.jurisdiction.is_none());
        let (name, place) = match (shown, location) {
            (Some((node, _)), Some(location)) => (node.name.to_string(), location.to_string()),
            _ => (String::new(), String::new()),
        };
        let operator = location.map_or_else(String::new, |location| operated(location, ruling));
        let mut message = match self.named {
            Some(_) => format!("{} {} node {name} ({place}{operator})", words.who, words.there),
            None if total == 1 => format!("{} can go only to node {name} ({place}{operator})", words.who),
            None if outside == total => {
                format!(
                    "{} can go to {total} nodes, none of them permitted, such as {name} ({place}{operator})",
                    words.who
                )
            }
            None => format!(
                "{} can go to {total} nodes, {outside} of them not permitted, such as {name} ({place}{operator})",
                words.who
            ),
        };
        let _ = write!(message, "; the policy permits {}", ruling.wording());
        if let Some((node, _)) = shown.filter(|_| unknown) {
            let _ = write!(message, ". Nobody knows where {name} is: {}", why_unknown(node));
        }
        let reason = if unknown { Reason::UnknownLocation } else { Reason::NodeOutsideJurisdiction };
        if self.named.is_some() && !words.advice.is_empty() {
            add_sentence(&mut message, words.advice);
        }
        let mut finding = Self::finding(ruling, reason, message, words.field);
        self.show(ruling, &mut finding);
        finding
    }
}

/// The providers to think of: a node that is still initialising counts for what bears that (semantics 3).
fn providers<'a>(state: &'a State, constraints: &Constraints<'_>) -> Cow<'a, [Arc<str>]> {
    let mut more = state.nodes().also_within_reach(constraints.tolerations).peekable();
    if more.peek().is_none() {
        return Cow::Borrowed(state.providers());
    }
    let of = |node: &NodeEntry| state.sites().get(node.site).location.provider.clone();
    let born = state.nodes().born();
    let known = state.nodes().by_site(born);
    let all: BTreeSet<Option<Arc<str>>> = known
        .iter()
        .map(|(site, _)| state.sites().get(*site).location.provider.clone())
        .chain(more.map(of))
        .collect();
    let any_unknown = all.contains(&None);
    let cluster = ClusterProviders { providers: all.into_iter().flatten().collect(), any_unknown };
    Cow::Owned(state.geography().candidates(&cluster))
}

fn permits(ruling: &Ruling<'_>, site: usize) -> bool {
    u32::try_from(site).is_ok_and(|number| ruling.permits(SiteId(number)))
}

/// Why nobody knows where a node is, and what to do.
pub(super) fn why_unknown(node: &NodeEntry) -> String {
    let nothing = || {
        format!(
            "nothing says it. Label the node with {}, {} or {}, or list it in a Geography",
            keys::REGION,
            keys::ZONE,
            keys::RESTRICTED_JURISDICTION
        )
    };
    node.conflicts.first().cloned().unwrap_or_else(nothing)
}

/// Whose law binds the operator, where it is another than that of the place, or where the policy asks and nobody knows.
pub(super) fn operated(location: &Location, ruling: &Ruling<'_>) -> String {
    match location.provider_jurisdiction {
        Some(code) if location.jurisdiction != Some(code) => format!(", operated under the law of {code}"),
        None if ruling.policy.asks_for_operators() => ", operator not known".into(),
        _ => String::new(),
    }
}
