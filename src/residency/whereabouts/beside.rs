//! What nodes tell of a volume that is beside them.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use super::topology::{MOST_PLACES, Named, Open};
use super::{Finder, Spot};
use crate::api::{VolumePlacement, keys};
use crate::geography::{Driver, Location};
use crate::placement::bits::BitSet;
use crate::placement::constraints::Group;

/// What nodes tell of what a topology leaves open.
pub(super) enum Beside {
    /// It is where these are.
    Nodes(Vec<Spot>),
    /// Of a part they do not agree; the rest is here.
    Anything(Vec<Spot>),
}

impl Finder<'_> {
    /// Where the nodes are of what a topology leaves open. `None`: of some of it there is no node.
    pub(super) fn by_nodes(&self, named: &Named<'_>, driver: Option<&Driver>) -> Option<Beside> {
        let placement = driver.map_or(VolumePlacement::Unknown, |driver| driver.placement);
        if named.open.len() > MOST_PLACES {
            return None;
        }
        let mut spots = Vec::new();
        for open in &named.open {
            match self.on(&self.bearing(open)) {
                Some(more) => spots.extend(more),
                None if open.can_be => return None,
                None => {}
            }
        }
        let mut anything = false;
        if !named.silent.is_empty() {
            let there = Rc::new(self.matching(&Group { terms: named.silent.clone() }));
            match self.agreeing(&there) {
                Some(more) => spots.extend(more),
                // It is on the disk of one of them.
                None if placement == VolumePlacement::NodeLocal => spots.extend(self.on(&there)?),
                None if there.is_empty() => return None,
                None => anything = true,
            }
        }
        let spots: Vec<_> = spots.into_iter().map(|spot| self.of_driver(spot, driver)).collect();
        match anything {
            true => Some(Beside::Anything(spots)),
            false if spots.is_empty() && named.known.is_empty() => None,
            false => Some(Beside::Nodes(spots)),
        }
    }

    /// A place of nodes, for what a driver keeps there: of its own provider, whoever operates the nodes.
    pub(super) fn of_driver(&self, spot: Spot, driver: Option<&Driver>) -> Spot {
        let Some(provider) = driver.and_then(|driver| driver.provider.as_ref()) else { return spot };
        let at = &spot.location;
        let law = || self.state.geography().law_anywhere(provider);
        let location = match &at.provider {
            Some(of_nodes) if of_nodes == provider => return spot,
            // Nothing says that it is not theirs.
            None => Location {
                provider: Some(Arc::clone(provider)),
                provider_jurisdiction: at.provider_jurisdiction.or_else(law),
                ..at.clone()
            },
            Some(_) => Location {
                provider: Some(Arc::clone(provider)),
                jurisdiction: at.jurisdiction,
                provider_jurisdiction: law(),
                ..Location::default()
            },
        };
        Spot { site: self.state.sites().at(&location), location, ..spot }
    }

    /// Where the cluster is, for a driver whose provider none of its nodes is of.
    pub(super) fn of_absent_provider(&self, driver: Option<&Driver>) -> Vec<Spot> {
        let Some(provider) = driver.and_then(|driver| driver.provider.as_ref()) else { return Vec::new() };
        let everywhere = Rc::new(self.state.nodes().born().clone());
        let there = self.on(&everywhere).unwrap_or_default();
        if there.iter().any(|spot| spot.location.provider.as_ref().is_none_or(|of| of == provider)) {
            return Vec::new();
        }
        there.into_iter().map(|spot| self.of_driver(spot, driver)).collect()
    }

    /// The nodes of a term that bear these codes.
    fn bearing(&self, open: &Open<'_>) -> Rc<BitSet> {
        let nodes = self.matching(&Group { terms: vec![open.term.clone()] });
        let bears = |slot: &usize| {
            let node = self.state.nodes().at(*slot);
            node.is_some_and(|node| {
                open.codes.iter().all(|(key, code)| node.label(key) == Some(code.as_str()))
            })
        };
        Rc::new(nodes.iter().filter(bears).collect())
    }

    /// The nodes of a region and zone, by their labels.
    pub(super) fn labelled_so(&self, region: Option<&str>, zone: Option<&str>) -> Rc<BitSet> {
        let nodes = self.state.nodes();
        let bears = |slot: &usize| {
            nodes.at(*slot).is_some_and(|node| {
                [(keys::REGION, region), (keys::ZONE, zone)]
                    .into_iter()
                    .all(|(key, code)| code.is_none_or(|code| node.label(key) == Some(code)))
            })
        };
        Rc::new(nodes.born().iter().filter(bears).collect())
    }

    /// Where these nodes are, each place once and in order: sites are numbered as they come, and every replica shows the
    /// same one. `None` without nodes.
    pub(super) fn on(&self, nodes: &Rc<BitSet>) -> Option<Vec<Spot>> {
        let sites = self.state.nodes().by_site(nodes);
        let places: BTreeSet<_> =
            sites.iter().map(|(site, _)| &self.state.sites().get(*site).location).collect();
        let spot = |at: &Location| Spot::of_nodes(self.state, at.clone(), nodes);
        (!places.is_empty()).then(|| places.into_iter().map(spot).collect())
    }

    /// Where these nodes are, if they all are in one jurisdiction.
    fn agreeing(&self, nodes: &Rc<BitSet>) -> Option<Vec<Spot>> {
        let there = self.on(nodes)?;
        let jurisdiction = there.first()?.location.jurisdiction?;
        there.iter().all(|spot| spot.location.jurisdiction == Some(jurisdiction)).then_some(there)
    }
}
