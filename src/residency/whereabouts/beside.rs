//! What nodes tell of a volume that is beside them.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use super::topology::{MOST_PLACES, Named, Open, WithoutNode};
use super::{DECLARE, Finder, Spot};
use crate::api::{VolumePlacement, keys};
use crate::geography::{Driver, Location};
use crate::placement::bits::BitSet;
use crate::placement::constraints::Group;

/// What nodes tell of what a topology leaves open.
pub(super) enum Beside {
    /// It is where these are.
    Nodes(Vec<Spot>),
    /// Of what names no place they disagree; the rest is here.
    Disagreed(Vec<Spot>),
    /// Nobody knows where some of it is, and why.
    Unknown(String),
}

impl Finder<'_> {
    /// Where the nodes are of what a topology leaves open.
    pub(super) fn by_nodes(&self, named: &Named<'_>, driver: Option<&Driver>) -> Beside {
        let placement = driver.map_or(VolumePlacement::Unknown, |driver| driver.placement);
        if named.open.len() > MOST_PLACES {
            return Beside::Unknown(no_node("its topology", &[]));
        }
        let mut spots = Vec::new();
        let (mut others, mut other_there) = (None, false);
        for open in &named.open {
            match (self.on(&self.bearing(open)), open.without_node) {
                (Some(more), without) => {
                    other_there |= without == WithoutNode::Others;
                    spots.extend(more);
                }
                (None, WithoutNode::Unknown) => {
                    return Beside::Unknown(no_node("its topology", &open.codes));
                }
                (None, WithoutNode::Others) => others = Some(open),
                (None, WithoutNode::Nothing) => {}
            }
        }
        if let (Some(open), false) = (others, other_there) {
            return Beside::Unknown(no_node("its topology", &open.codes));
        }
        let mut disagreed = false;
        if !named.silent.is_empty() {
            let there = Rc::new(self.matching(&Group { terms: named.silent.clone() }));
            match (self.agreeing(&there), self.on(&there)) {
                (_, None) => return Beside::Unknown(no_node("its topology", &[])),
                (Some(more), _) => spots.extend(more),
                // It is on the disk of one of them.
                (None, Some(more)) if placement == VolumePlacement::NodeLocal => spots.extend(more),
                (None, Some(_)) => disagreed = true,
            }
        }
        let spots: Vec<_> = spots.into_iter().map(|spot| self.of_driver(spot, driver)).collect();
        match disagreed {
            true => Beside::Disagreed(spots),
            false if spots.is_empty() && named.known.is_empty() => {
                Beside::Unknown(no_node("its topology", &[]))
            }
            false => Beside::Nodes(spots),
        }
    }

    /// Where the nodes are that bear the regions and zones of a volume's labels.
    pub(super) fn by_labelled_nodes(
        &self,
        codes: &[(Option<String>, Option<String>)],
        driver: Option<&Driver>,
    ) -> Result<Vec<Spot>, String> {
        let mut spots = Vec::new();
        for (region, zone) in codes {
            let borne: Vec<_> = [(keys::REGION, region), (keys::ZONE, zone)]
                .into_iter()
                .filter_map(|(key, code)| Some((key, code.clone()?)))
                .collect();
            let nodes = self.state.nodes().born();
            let there = Rc::new(nodes.iter().filter(|slot| self.node_bears(*slot, &borne)).collect());
            let more = self.on(&there).ok_or_else(|| no_node("its labels", &borne))?;
            spots.extend(more.into_iter().map(|spot| self.of_driver(spot, driver)));
        }
        Ok(spots)
    }

    /// A place of nodes, for what a driver keeps there: of its own provider, whoever operates the nodes.
    fn of_driver(&self, spot: Spot, driver: Option<&Driver>) -> Spot {
        let geography = self.state.geography();
        let provider = driver.and_then(|driver| driver.provider.as_ref());
        // Where a geography gives it another name, its nodes are that one's, and so is what is beside them.
        let Some(provider) = provider.filter(|provider| geography.has_nodes(provider)) else { return spot };
        let at = &spot.location;
        let law = geography.law_anywhere(provider);
        let location = match &at.provider {
            Some(of_nodes) if of_nodes == provider => return spot,
            // Nothing says that it is not theirs.
            None => {
                Location { provider: Some(Arc::clone(provider)), provider_jurisdiction: law, ..at.clone() }
            }
            Some(of_nodes) => {
                // A distribution's nodes can stand at the driver's provider, and bear its codes.
                let (region, zone) = (at.region.as_deref(), at.zone.as_deref());
                let is_code =
                    geography.names_its_own_regions(of_nodes) && (region.is_some() || zone.is_some());
                let there = is_code.then(|| self.located(driver, region, zone)).flatten();
                match there
                    .filter(|there| there.jurisdiction.is_some() && there.jurisdiction == at.jurisdiction)
                {
                    Some(there) => there,
                    None => Location {
                        provider: Some(Arc::clone(provider)),
                        jurisdiction: at.jurisdiction,
                        provider_jurisdiction: law,
                        ..Location::default()
                    },
                }
            }
        };
        Spot { site: self.state.sites().at(&location), location, ..spot }
    }

    /// Where the cluster is, for a driver whose provider none of its nodes is of.
    pub(super) fn of_absent_provider(&self, driver: Option<&Driver>) -> Vec<Spot> {
        let Some(provider) = driver.and_then(|driver| driver.provider.as_ref()) else { return Vec::new() };
        let everywhere = Rc::new(self.state.nodes().born().clone());
        let there = self.on(&everywhere).unwrap_or_default();
        let is_theirs = |spot: &Spot| spot.location.provider.as_ref() == Some(provider);
        if !self.state.geography().has_nodes(provider) || there.iter().any(is_theirs) {
            return Vec::new();
        }
        there.into_iter().map(|spot| self.of_driver(spot, driver)).collect()
    }

    /// The nodes of a term that bear these codes.
    fn bearing(&self, open: &Open<'_>) -> Rc<BitSet> {
        let nodes = self.matching(&Group { terms: vec![open.term.clone()] });
        Rc::new(nodes.iter().filter(|slot| self.node_bears(*slot, &open.codes)).collect())
    }

    /// Whether one of these nodes bears these codes.
    pub(super) fn bears(&self, nodes: &BitSet, codes: &[(&str, String)]) -> bool {
        nodes.iter().any(|slot| self.node_bears(slot, codes))
    }

    fn node_bears(&self, slot: usize, codes: &[(&str, String)]) -> bool {
        let node = self.state.nodes().at(slot);
        node.is_some_and(|node| codes.iter().all(|(key, code)| node.label(key) == Some(code.as_str())))
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

/// Why it is not known where something is that names places of which no node is.
fn no_node(what: &str, codes: &[(&str, String)]) -> String {
    let codes: Vec<_> = codes.iter().map(|(key, code)| format!("{key}={code}")).collect();
    if codes.is_empty() {
        format!("what {what} names is not known, and no known node matches it; {DECLARE}")
    } else {
        format!(
            "nobody knows where {} is, which {what} names, and no known node bears it; {DECLARE}",
            codes.join(" with ")
        )
    }
}
