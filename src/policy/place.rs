//! A place, compiled: a predicate over locations, three-valued.

use std::sync::Arc;

use jiff::Timestamp;

use crate::api::Place;
use crate::geography::{Geography, Jurisdiction, JurisdictionSet, Location, Pattern, Tri, UnknownCode};
use crate::placement::selector::{Selector, SelectorError};

/// A place that has been checked against a geography.
#[derive(Clone, Debug)]
pub struct CompiledPlace {
    jurisdictions: Option<Vec<Arc<JurisdictionSet>>>,
    regions: Option<Vec<Pattern>>,
    zones: Option<Vec<Pattern>>,
    providers: Option<Vec<String>>,
    provider_jurisdictions: Option<Vec<Arc<JurisdictionSet>>>,
    nodes: Option<Selector>,
    /// Before this it matches nothing.
    pub from: Option<Timestamp>,
    /// From this on it matches nothing.
    pub until: Option<Timestamp>,
    /// Quoted in messages.
    pub basis: Option<String>,
}

/// What is wrong with a place, with the path of the field inside it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// A code that names no country, subdivision or group.
    #[error("{field}[{index}]: {problem}")]
    Code {
        /// `jurisdictions` or `providerJurisdictions`.
        field: &'static str,
        /// Which of them.
        index: usize,
        /// What is wrong with it.
        problem: UnknownCode,
    },
    /// A glob that cannot be read.
    #[error("{field}[{index}]: {problem}")]
    Glob {
        /// `regions` or `zones`.
        field: &'static str,
        /// Which of them.
        index: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// A selector that cannot be used.
    #[error("nodeSelector.{0}")]
    Selector(#[from] SelectorError),
    /// It names nothing.
    #[error(
        "a place must name at least one of jurisdictions, regions, zones, providers, providerJurisdictions, nodeSelector"
    )]
    Empty,
    /// A list without an entry, which would match nothing.
    #[error("{0}: must not be empty; leave it out if any will do")]
    EmptyList(&'static str),
    /// It ends before it begins.
    #[error("until ({until}) must be after from ({from})")]
    Ends {
        /// The beginning.
        from: Timestamp,
        /// The end.
        until: Timestamp,
    },
}

fn codes(
    field: &'static str,
    codes: Option<&Vec<String>>,
    geography: &Geography,
    problems: &mut Vec<PlaceError>,
) -> Option<Vec<Arc<JurisdictionSet>>> {
    let resolve = |(index, code): (usize, &String)| {
        geography
            .resolve(code)
            .map_err(|problem| problems.push(PlaceError::Code { field, index, problem }))
            .ok()
    };
    Some(codes?.iter().enumerate().filter_map(resolve).collect())
}

fn globs(
    field: &'static str,
    globs: Option<&Vec<String>>,
    problems: &mut Vec<PlaceError>,
) -> Option<Vec<Pattern>> {
    let read = |(index, glob): (usize, &String)| {
        Pattern::new(glob)
            .map_err(|error| {
                problems.push(PlaceError::Glob { field, index, problem: error.kind().to_string() });
            })
            .ok()
    };
    Some(globs?.iter().enumerate().filter_map(read).collect())
}

fn any(sets: &[Arc<JurisdictionSet>], code: Option<Jurisdiction>) -> Tri {
    let Some(code) = code else { return Tri::Unknown };
    let mut found = Tri::False;
    for set in sets {
        found = found.or(set.contains(code));
        if found == Tri::True {
            break;
        }
    }
    found
}

fn glob(patterns: &[Pattern], code: Option<&str>) -> Tri {
    code.map_or(Tri::Unknown, |code| patterns.iter().any(|pattern| pattern.matches(code)).into())
}

impl CompiledPlace {
    /// Checks a place; every problem is told, and what is left of the place matches no more than it should.
    pub fn compile(place: &Place, geography: &Geography) -> (Self, Vec<PlaceError>) {
        let mut problems = Vec::new();
        let nodes = place.node_selector.as_ref().map(|selector| {
            Selector::compile(selector).unwrap_or_else(|error| {
                problems.push(error.into());
                Selector::default()
            })
        });
        let compiled = Self {
            jurisdictions: codes("jurisdictions", place.jurisdictions.as_ref(), geography, &mut problems),
            regions: globs("regions", place.regions.as_ref(), &mut problems),
            zones: globs("zones", place.zones.as_ref(), &mut problems),
            providers: place.providers.clone(),
            provider_jurisdictions: codes(
                "providerJurisdictions",
                place.provider_jurisdictions.as_ref(),
                geography,
                &mut problems,
            ),
            nodes,
            from: place.from,
            until: place.until,
            basis: place.basis.clone(),
        };
        if let (Some(from), Some(until)) = (place.from, place.until)
            && until <= from
        {
            problems.push(PlaceError::Ends { from, until });
        }
        let lists = [
            ("jurisdictions", &place.jurisdictions),
            ("regions", &place.regions),
            ("zones", &place.zones),
            ("providers", &place.providers),
            ("providerJurisdictions", &place.provider_jurisdictions),
        ];
        let empty = lists.into_iter().filter(|(_, list)| list.as_ref().is_some_and(Vec::is_empty));
        problems.extend(empty.map(|(field, _)| PlaceError::EmptyList(field)));
        if compiled.names_nothing() {
            problems.push(PlaceError::Empty);
        }
        (compiled, problems)
    }

    fn names_nothing(&self) -> bool {
        self.jurisdictions.is_none()
            && self.regions.is_none()
            && self.zones.is_none()
            && self.providers.is_none()
            && self.provider_jurisdictions.is_none()
            && self.nodes.is_none()
    }

    /// Whether it counts at this moment.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }

    /// Whether a location matches. `nodes` answers for the place's node selector.
    pub fn matches(&self, location: &Location, nodes: impl Fn(&Selector) -> Tri) -> Tri {
        let mut all = Tri::True;
        if let Some(providers) = &self.providers {
            let provider = location.provider.as_deref();
            all = all.and(
                provider.map_or(Tri::Unknown, |provider| providers.iter().any(|one| one == provider).into()),
            );
        }
        if let Some(sets) = &self.jurisdictions {
            all = all.and(any(sets, location.jurisdiction));
        }
        if let Some(sets) = &self.provider_jurisdictions {
            all = all.and(any(sets, location.provider_jurisdiction));
        }
        if let Some(globs) = &self.regions {
            all = all.and(glob(globs, location.region.as_deref()));
        }
        if let Some(globs) = &self.zones {
            all = all.and(glob(globs, location.zone.as_deref()));
        }
        if let (Some(selector), true) = (&self.nodes, all != Tri::False) {
            all = all.and(nodes(selector));
        }
        all
    }

    /// Whether it asks whose law binds an operator.
    #[must_use]
    pub fn asks_for_operators(&self) -> bool {
        self.provider_jurisdictions.is_some()
    }

    /// Its node selector.
    #[must_use]
    pub fn node_selector(&self) -> Option<&Selector> {
        self.nodes.as_ref()
    }
}
