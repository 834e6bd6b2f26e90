//! What `remedy: Confine` makes of a pod: a required node affinity for the permitted regions (semantics 7).

use std::collections::BTreeSet;

use super::scope::Ruling;
use crate::api::{Remedy, keys};
use crate::cluster::State;
use crate::geography::{Location, Tri};
use crate::objects::{NodeSelector, NodeSelectorTerm, Operator, Requirement};

/// The policies among these that confine.
pub(super) fn confining<'r, 'a>(rulings: impl Iterator<Item = &'r Ruling<'a>>) -> Vec<&'r Ruling<'a>>
where
    'a: 'r,
{
    rulings.filter(|ruling| ruling.policy.remedy == Remedy::Confine).collect()
}

/// The affinity that keeps a pod to the regions of the cluster's providers which all of these permit, their foreign
/// zones excepted. Without a term: there is no such region.
pub(super) fn affinity(state: &State, rulings: &[&Ruling<'_>]) -> NodeSelector {
    let geography = state.geography();
    let permitted = |location: &Location| {
        // A region has no labels of its own.
        rulings.iter().all(|ruling| ruling.permits_location(location, |_| Tri::Unknown))
    };
    let (mut whole, mut split) = (BTreeSet::new(), BTreeSet::new());
    let (mut barred, mut foreign) = (BTreeSet::new(), BTreeSet::new());
    for provider in state.providers() {
        for (region, ordinary) in geography.regions(provider) {
            let region = region.to_string();
            if !permitted(&ordinary) {
                // Another provider's region of the same code cannot be told from it.
                barred.insert(region);
                continue;
            }
            if geography.has_foreign_zones(provider, &region) {
                let zones = geography.zone_entries(provider, &region);
                let outside: Option<Vec<_>> =
                    zones.filter(|zone| !permitted(zone.location())).map(|zone| zone.literals()).collect();
                match outside {
                    Some(codes) => {
                        foreign.extend(codes.iter().flatten().map(ToString::to_string));
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
    let within = |regions: BTreeSet<String>| Requirement {
        key: keys::REGION.into(),
        operator: Operator::In,
        values: regions.into_iter().collect(),
    };
    let term = |match_expressions| NodeSelectorTerm { match_expressions, match_fields: Vec::new() };
    let split: BTreeSet<String> = &split - &barred;
    let whole: BTreeSet<String> = &(&whole - &barred) - &split;
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
                values: foreign.into_iter().collect(),
            });
        }
        terms.push(term(expressions));
    }
    NodeSelector { node_selector_terms: terms }
}
