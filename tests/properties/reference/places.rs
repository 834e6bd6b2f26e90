//! Whether a policy permits a site, field by field and in three values.

use std::collections::BTreeMap;

use domicile::api::{Place, ResidencyException, ResidencyPolicy};
use domicile::geography::{Geography, Jurisdiction, Location, Tri};
use jiff::Timestamp;

use super::matching::{self, Labels};

/// What is known of the labels of the node or nodes where something is.
#[derive(Clone, Debug)]
pub(crate) enum KnownLabels {
    /// All of them, of each of these nodes.
    Of(Vec<Labels>),
    /// Of a node that is only conceived: these, present or known to be absent. The rest may be anything.
    Only(BTreeMap<String, Option<String>>),
}

/// Somewhere that an object could come to rest.
#[derive(Clone, Debug)]
pub(crate) struct Site {
    pub(crate) location: Location,
    pub(crate) labels: KnownLabels,
}

/// A star stands for any characters; nothing else is special here.
pub(crate) fn glob(pattern: &str, code: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == code,
        Some((start, rest)) => code.strip_prefix(start).is_some_and(|tail| {
            (0..=tail.len()).any(|cut| tail.is_char_boundary(cut) && glob(rest, &tail[cut..]))
        }),
    }
}

fn any(found: impl Iterator<Item = Tri>) -> Tri {
    found.fold(Tri::False, Tri::or)
}

fn codes(patterns: Option<&Vec<String>>, code: Option<&str>) -> Tri {
    match (patterns, code) {
        (None, _) => Tri::True,
        (Some(_), None) => Tri::Unknown,
        (Some(patterns), Some(code)) => any(patterns.iter().map(|pattern| Tri::from(glob(pattern, code)))),
    }
}

fn jurisdictions(geography: &Geography, names: Option<&Vec<String>>, is: Option<Jurisdiction>) -> Tri {
    match (names, is) {
        (None, _) => Tri::True,
        (Some(_), None) => Tri::Unknown,
        (Some(names), Some(is)) => any(names.iter().map(|name| match geography.resolve(name) {
            Ok(set) => set.contains(is),
            Err(_) => Tri::Unknown,
        })),
    }
}

fn node_selector(place: &Place, labels: &KnownLabels) -> Tri {
    let Some(selector) = &place.node_selector else { return Tri::True };
    match labels {
        KnownLabels::Of(nodes) => {
            let matching = nodes.iter().filter(|labels| matching::selects(Some(selector), labels)).count();
            match matching {
                _ if nodes.is_empty() => Tri::Unknown,
                0 => Tri::False,
                some if some == nodes.len() => Tri::True,
                _ => Tri::Unknown,
            }
        }
        KnownLabels::Only(known) => matching::selector_demands(selector)
            .iter()
            .map(|demand| match known.get(demand.label.as_deref().unwrap_or_default()) {
                None => Tri::Unknown,
                Some(value) => Tri::from(demand.accepts(value.as_deref())),
            })
            .fold(Tri::True, Tri::and),
    }
}

pub(crate) fn matches(geography: &Geography, place: &Place, site: &Site, now: Timestamp) -> Tri {
    if place.from.is_some_and(|from| now < from) || place.until.is_some_and(|until| now >= until) {
        return Tri::False;
    }
    let location = &site.location;
    jurisdictions(geography, place.jurisdictions.as_ref(), location.jurisdiction)
        .and(jurisdictions(geography, place.provider_jurisdictions.as_ref(), location.provider_jurisdiction))
        .and(codes(place.regions.as_ref(), location.region.as_deref()))
        .and(codes(place.zones.as_ref(), location.zone.as_deref()))
        .and(codes(place.providers.as_ref(), location.provider.as_deref()))
        .and(node_selector(place, &site.labels))
}

/// Whether one of these places names a group that no geography knows.
fn names_the_unknown<'a>(geography: &Geography, places: impl Iterator<Item = &'a Place>) -> bool {
    places
        .flat_map(|place| {
            place.jurisdictions.iter().flatten().chain(place.provider_jurisdictions.iter().flatten())
        })
        .any(|name| geography.resolve(name).is_err())
}

/// Whether the policy permits the site, with the exceptions that are for the object.
pub(crate) fn permits(
    geography: &Geography,
    policy: &ResidencyPolicy,
    exceptions: &[&ResidencyException],
    site: &Site,
    now: Timestamp,
) -> bool {
    let holds = |place: &Place| matches(geography, place, site, now);
    if exceptions
        .iter()
        .filter(|exception| now < exception.spec.until)
        // As for a policy: what cannot be read in full permits nothing.
        .filter(|exception| !names_the_unknown(geography, exception.spec.allow.iter()))
        .any(|exception| exception.spec.allow.iter().any(|place| holds(place).is_true()))
    {
        return true;
    }
    let spec = &policy.spec;
    if names_the_unknown(geography, spec.allow.iter().flatten().chain(spec.deny.iter().flatten())) {
        return false;
    }
    let allowed =
        policy.spec.allow.as_ref().is_none_or(|places| places.iter().any(|place| holds(place).is_true()));
    let denied = policy.spec.deny.iter().flatten().any(|place| !holds(place).is_false());
    allowed && !denied
}
