//! What `remedy: Confine` makes of a pod: a required node affinity for the permitted regions, or for labels of nodes where
//! regions do not say it (semantics 7).

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

use ahash::AHashSet;

use super::scope::Ruling;
use crate::api::{Remedy, keys};
use crate::cluster::State;
use crate::geography::{Location, Tri, iso};
use crate::objects::{NodeSelector, NodeSelectorTerm, Operator, Requirement};
use crate::placement::constraints::is_label_value;
use crate::placement::selector::Selector;

/// Pods of more terms than this are not confined by multiplying them out.
const MOST_TERMS: usize = 1_000;

/// What confines a pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Confinement {
    /// Its required node affinity: its own, and within what is permitted.
    pub required: NodeSelector,
    /// The policies that ask for it.
    pub policies: Vec<String>,
}

/// Both affinities at once: each term of the one with each term of the other. What stands there already is not added
/// again. `None`: that would be more terms than anyone can read.
pub(super) fn within(own: Option<&NodeSelector>, affinity: &NodeSelector) -> Option<NodeSelector> {
    let Some(own) = own else { return Some(affinity.clone()) };
    let is_empty =
        |term: &&NodeSelectorTerm| term.match_expressions.is_empty() && term.match_fields.is_empty();
    // A term that matches nothing would match something with requirements added to it.
    let terms: Vec<_> = own.node_selector_terms.iter().filter(|term| !is_empty(term)).collect();
    let holds = |term: &NodeSelectorTerm, more: &NodeSelectorTerm| {
        more.match_expressions.iter().all(|one| term.match_expressions.contains(one))
    };
    let confined =
        |term: &NodeSelectorTerm| affinity.node_selector_terms.iter().any(|more| holds(term, more));
    if terms.len() * affinity.node_selector_terms.len() > MOST_TERMS {
        return None;
    }
    let mut result = NodeSelector::default();
    for term in terms {
        if confined(term) {
            result.node_selector_terms.push(term.clone());
            continue;
        }
        for more in &affinity.node_selector_terms {
            let mut both = term.clone();
            let new = more.match_expressions.iter().filter(|one| !term.match_expressions.contains(one));
            both.match_expressions.extend(new.cloned());
            result.node_selector_terms.push(both);
        }
    }
    Some(result)
}

/// The policies among these that confine.
pub(super) fn confining<'r, 'a>(rulings: impl Iterator<Item = &'r Ruling<'a>>) -> Vec<&'r Ruling<'a>>
where
    'a: 'r,
{
    rulings.filter(|ruling| ruling.policy.remedy == Remedy::Confine).collect()
}

/// What can keep a pod where policies permit.
#[derive(Clone, Copy, Debug)]
pub(super) enum Means {
    /// Regions of the providers that the cluster can have. Beside a node of which nobody knows whose it is that is each of
    /// them, and bars every region whose code is also one abroad.
    Regions,
    /// Regions of the providers that nodes are known to be of: no proof beside such a node, but each binding is judged.
    RegionsOfKnown,
    /// Labels of nodes.
    Labels,
}

impl Means {
    /// To leave nodes that are there: what proves it first.
    pub(super) const FOR_NODES: [Self; 3] = [Self::Regions, Self::Labels, Self::RegionsOfKnown];
    /// To leave nodes that could join: labels come last, since any node could have them.
    pub(super) const FOR_NODES_TO_COME: [Self; 3] = [Self::Regions, Self::RegionsOfKnown, Self::Labels];
}

/// What each of the means makes of something, found out when it is asked for and once.
pub(super) struct ByMeans<T>([OnceCell<T>; 3]);

impl<T> Default for ByMeans<T> {
    fn default() -> Self {
        Self([const { OnceCell::new() }; 3])
    }
}

impl<T> ByMeans<T> {
    pub(super) fn of(&self, means: Means, find: impl FnOnce() -> T) -> &T {
        self.0[means as usize].get_or_init(find)
    }

    /// What was found, if anybody asked.
    pub(super) fn take(mut self, means: Means) -> Option<T> {
        self.0[means as usize].take()
    }
}

/// The affinity that keeps a pod where all of these permit. Without a term: it cannot be said so.
pub(super) fn affinity(state: &State, rulings: &[&Ruling<'_>], means: Means) -> NodeSelector {
    match means {
        Means::Regions => by_regions(state, rulings, state.providers()),
        Means::RegionsOfKnown => by_regions(state, rulings, &known_providers(state)),
        Means::Labels => by_labels(state, rulings),
    }
}

/// The providers that nodes of the cluster are known to be of.
fn known_providers(state: &State) -> Vec<Arc<str>> {
    let nodes = state.nodes().by_site(state.nodes().born());
    let of = |site| state.sites().get(site).location.provider.clone();
    let known: BTreeSet<_> = nodes.into_iter().filter_map(|(site, _)| of(site)).collect();
    known.into_iter().collect()
}

/// The affinity that keeps a pod to the regions of these providers which all of these permit, their foreign zones
/// excepted. Without a term: there is no such region.
fn by_regions(state: &State, rulings: &[&Ruling<'_>], providers: &[Arc<str>]) -> NodeSelector {
    let geography = state.geography();
    let permitted = |location: &Location| {
        // A region has no labels of its own.
        rulings.iter().all(|ruling| ruling.permits_location(location, |_| Tri::Unknown))
    };
    let (mut whole, mut split) = (BTreeSet::new(), BTreeSet::new());
    let (mut barred, mut foreign) = (AHashSet::new(), BTreeSet::new());
    // Those that only a glob describes cannot be listed, but for those of the nodes that are there.
    let nodes = state.nodes().by_site(state.nodes().born());
    let of_nodes: Vec<&Location> = nodes.iter().map(|(site, _)| &state.sites().get(*site).location).collect();
    for provider in providers {
        let here = of_nodes.iter().filter(|at| at.provider.as_ref() == Some(provider));
        let here = here.filter_map(|at| at.region.as_deref());
        let here = here.filter(|region| geography.knows_region(provider, region));
        let here = here.map(|region| (region, Cow::Owned(geography.ordinary(provider, region))));
        let listed = geography.regions(provider);
        let listed = listed.map(|(region, ordinary)| (&**region, Cow::Borrowed(ordinary)));
        for (region, ordinary) in listed.chain(here) {
            if !permitted(&ordinary) {
                // Another provider's region of the same code cannot be told from it.
                barred.insert(region);
                continue;
            }
            if geography.has_foreign_zones(provider, region) {
                let zones = geography.zone_entries(provider, region);
                let outside: Option<Vec<_>> =
                    zones.filter(|zone| !permitted(zone.location())).map(|zone| zone.literals()).collect();
                match outside {
                    Some(codes) => {
                        foreign.extend(codes.into_iter().flatten());
                        split.insert(region);
                    }
                    // Zones that cannot be named one by one cannot be excluded.
                    None => {
                        barred.insert(region);
                    }
                }
            } else {
                whole.insert(region);
            }
        }
    }
    split.retain(|region| !barred.contains(region));
    whole.retain(|region| !barred.contains(region) && !split.contains(region));
    // Some providers' codes hold a slash, as no label does: no node says such a one, and the API server refuses them.
    for codes in [&mut whole, &mut split] {
        codes.retain(|code| is_label_value(code));
    }
    foreign.retain(|code| is_label_value(code));
    let within = |regions: BTreeSet<&str>| Requirement {
        key: keys::REGION.into(),
        operator: Operator::In,
        values: regions.into_iter().map(str::to_owned).collect(),
    };
    let term = |match_expressions| NodeSelectorTerm { match_expressions, match_fields: Vec::new() };
    let mut terms = Vec::new();
    if !whole.is_empty() {
        terms.push(term(vec![within(whole)]));
    }
    if !split.is_empty() {
        // Where some zones are foreign, a node that does not say its zone could be in one of them.
        let known = Requirement { key: keys::ZONE.into(), operator: Operator::Exists, values: Vec::new() };
        let mut expressions = vec![within(split), known];
        if !foreign.is_empty() {
            expressions.push(Requirement {
                key: keys::ZONE.into(),
                operator: Operator::NotIn,
                values: foreign.iter().map(ToString::to_string).collect(),
            });
        }
        terms.push(term(expressions));
    }
    NodeSelector { node_selector_terms: terms }
}

/// The affinity that keeps a pod to where all of these permit, by labels of nodes: those that places select on, and the
/// jurisdiction that nodes are labelled with past their own kubelets. For what regions do not say: racks of one's own.
/// Without a term: no label says it.
fn by_labels(state: &State, rulings: &[&Ruling<'_>]) -> NodeSelector {
    let permitted = |location: &Location, holds: Option<&Selector>| {
        let answer = |asked: &Selector| if holds == Some(asked) { Tri::True } else { Tri::Unknown };
        rulings.iter().all(|ruling| ruling.permits_location(location, answer))
    };
    let within =
        |key: &str, values: Vec<String>| Requirement { key: key.to_owned(), operator: Operator::In, values };
    let term = |match_expressions| NodeSelectorTerm { match_expressions, match_fields: Vec::new() };
    let mut terms = Vec::new();
    let mut rulings_by_name = rulings.to_vec();
    rulings_by_name.sort_unstable_by_key(|ruling| &ruling.policy.name);
    for selector in rulings_by_name.into_iter().flat_map(Ruling::node_selectors) {
        let requirements = selector.as_requirements();
        // One that asks for more than these cannot be written as labels alone.
        if requirements.len() == selector.keys().count() && permitted(&Location::default(), Some(selector)) {
            let requirements = requirements.into_iter().map(|(key, values)| within(key, values.to_vec()));
            terms.push(term(requirements.collect()));
        }
    }
    let labelled = state.nodes().iter().filter_map(|node| node.label(keys::RESTRICTED_JURISDICTION));
    let countries: BTreeSet<&str> = labelled
        .filter(|code| {
            let jurisdiction = iso::parse(code).ok();
            jurisdiction.is_some() && permitted(&Location { jurisdiction, ..Location::default() }, None)
        })
        .collect();
    if !countries.is_empty() {
        let countries = countries.into_iter().map(str::to_owned).collect();
        terms.push(term(vec![within(keys::RESTRICTED_JURISDICTION, countries)]));
    }
    NodeSelector { node_selector_terms: terms }
}
