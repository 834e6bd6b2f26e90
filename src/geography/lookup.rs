//! What the geography alone says of a place, without any node.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::catalog::{Row, ZoneEntry};
use super::drivers::{Driver, canonical_driver};
use super::groups::{JurisdictionSet, UnknownCode};
use super::index::{Fact, Fit, Geography, GroupRow, Provider};
use super::pattern::Pattern;
use super::placing::{Doubt, is_number, names_nothing};
use super::{Jurisdiction, Location};

/// What the geography says of a region and a zone of one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// What is known of the place; its jurisdictions may be unknown.
    Consistent(Location),
    /// The zone is one of another region: there is no such place.
    Inconsistent,
}

/// The providers of a cluster's nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterProviders {
    /// Those that are known.
    pub providers: BTreeSet<Arc<str>>,
    /// Whether some node's is not.
    pub any_unknown: bool,
}

/// What providers say of codes that come without one.
pub(super) enum Anywhere {
    /// None knows them.
    Nowhere,
    /// To none of those that know them they are one place.
    Contradiction,
    /// They are here.
    At(Fact),
}

/// Codes that mean several regions at once, and what all of those are in. No node is there, only what is stored.
/// Google's storage locations; the members of `asia` are not known.
const MULTI_REGIONS: [(&str, &str, &str); 2] = [("gcp", "us", "US"), ("gcp", "eu", "EU")];

impl Geography {
    /// Every row about a region or zone, for people.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter()
    }

    /// Every group, by name.
    pub fn groups(&self) -> impl Iterator<Item = &GroupRow> {
        self.group_rows.iter()
    }

    /// Every driver, by name.
    pub fn drivers(&self) -> impl Iterator<Item = &Driver> {
        self.drivers.values()
    }

    /// What is known of each provider, by name.
    pub fn provider_entries(&self) -> impl Iterator<Item = &Provider> {
        self.providers.values()
    }

    /// Every provider that has a region or an entry, by name.
    pub fn providers(&self) -> impl Iterator<Item = &Arc<str>> {
        self.providers.keys()
    }

    /// The driver of this name, or the one that does the work of this in-tree plugin.
    pub fn driver(&self, name: &str) -> Option<&Driver> {
        self.drivers.get(canonical_driver(name))
    }

    /// Node labels of drivers that hold a zone, and the provider whose zones they are. Kubernetes' own labels, which some
    /// drivers use, are not among them.
    pub fn zone_keys(&self) -> &[(Arc<str>, Option<Arc<str>>)] {
        &self.zone_keys
    }

    /// As [`Self::zone_keys`], for regions.
    pub fn region_keys(&self) -> &[(Arc<str>, Option<Arc<str>>)] {
        &self.region_keys
    }

    /// What a country's, a part's or a group's code stands for.
    pub fn resolve(&self, code: &str) -> Result<Arc<JurisdictionSet>, UnknownCode> {
        self.groups.resolve(code)
    }

    /// The provider of a node with this `spec.providerID`. A scheme that no geography lists is its own name.
    /// Unknown if there is none, or two objects disagree about it.
    pub fn provider_of(&self, provider_id: &str) -> Option<Arc<str>> {
        let scheme = match provider_id.split_once("://") {
            Some((scheme, _)) => scheme,
            // Two clouds write identifiers without a scheme: Oracle's begin with `ocid1.`, and Alibaba's are
            // `REGION.i-…`, which counts as the scheme of its other form.
            None => match provider_id.split_once('.')? {
                (start, _) if self.schemes.contains_key(start) => start,
                (_, instance) if instance.starts_with("i-") => "alicloud",
                _ => return None,
            },
        };
        match self.schemes.get(scheme) {
            Some(provider) => provider.clone(),
            None if scheme.is_empty() => None,
            None => Some(scheme.into()),
        }
    }

    /// What the geography says of a region and zone of a provider. A region with zones elsewhere, and no zone, is
    /// somewhere unknown; [`Self::ordinary`] and [`Self::zone_entries`] tell what it can be.
    pub fn locate_in(&self, provider: &str, region: Option<&str>, zone: Option<&str>) -> Known {
        let Some(index) = self.providers.get(provider) else {
            return Known::Consistent(Location {
                provider: Some(provider.into()),
                region: region.map(Arc::from),
                zone: zone.filter(|zone| !zone.is_empty()).map(Arc::from),
                ..Location::default()
            });
        };
        let placed = self.place(index, region, zone);
        match placed.doubt {
            Some(Doubt::Contradiction) => Known::Inconsistent,
            _ => Known::Consistent(placed.at(Some(&index.name))),
        }
    }

    /// Where the ordinary zones of a region are: those that no row lists.
    pub fn ordinary(&self, provider: &str, region: &str) -> Location {
        let Some(index) = self.providers.get(provider) else {
            let (provider, region) = (Some(provider.into()), Some(region.into()));
            return Location { provider, region, ..Location::default() };
        };
        match index.listed.get(region) {
            Some(listed) => listed.ordinary.clone(),
            None => self.look_up_region(index, region).of_region(index, region.into()),
        }
    }

    /// Whether some row says where this region of this provider is.
    pub fn knows_region(&self, provider: &str, region: &str) -> bool {
        self.providers.get(provider).is_some_and(|index| self.has_region(index, region))
    }

    /// Whether some row of some provider is about a region that this means.
    pub fn has_region_like(&self, region: &Pattern) -> bool {
        self.rows.iter().any(|row| {
            let known = &row.region;
            if known.is_literal() { region.matches(known.as_str()) } else { region.overlaps(known) }
        })
    }

    /// Where a code that means several regions at once keeps data: in some of these. `None`: it is no such code.
    pub fn multi_region(&self, provider: &str, code: &str) -> Option<Arc<JurisdictionSet>> {
        let (_, _, within) = MULTI_REGIONS.iter().find(|(of, name, _)| *of == provider && *name == code)?;
        self.resolve(within).ok()
    }

    /// The zones of this region that are listed.
    pub fn zone_entries<'a>(
        &'a self,
        provider: &str,
        region: &'a str,
    ) -> impl Iterator<Item = ZoneEntry<'a>> {
        self.providers.get(provider).into_iter().flat_map(move |index| self.listed_zones(index, region))
    }

    /// Whether this region has zones that stand elsewhere than its ordinary ones, or under another operator's law.
    pub fn has_foreign_zones(&self, provider: &str, region: &str) -> bool {
        self.providers.get(provider).is_some_and(|index| self.is_split(index, region))
    }

    /// The regions of a provider that are listed by their code, and where their ordinary zones are; in no order.
    /// Those that a glob describes cannot be listed.
    pub fn regions(&self, provider: &str) -> impl Iterator<Item = (&Arc<str>, &Location)> {
        let listed = self.providers.get(provider).into_iter().flat_map(|index| &index.listed);
        listed.map(|(region, listed)| (region, &listed.ordinary))
    }

    /// Whether a zone's code does not say its region at a provider, as far as is known, so that each region can have one of
    /// that name.
    pub fn is_zone_of_any_region(&self, provider: &str, zone: &str) -> bool {
        self.providers.get(provider).is_none_or(|index| index.zone_rule.fit(zone) == Fit::Silent)
    }

    /// Whether a row names this zone of this provider, in whichever region.
    pub fn lists_zone(&self, provider: &str, zone: &str) -> bool {
        self.providers
            .get(provider)
            .is_some_and(|index| index.rows_of_zone(&self.rows, zone).next().is_some())
    }

    /// Whether this value of a zone's label leaves open which zone a node of this provider is in, because something else
    /// that the node has may say it.
    pub fn says_no_zone(&self, provider: &str, zone: &str) -> bool {
        let little =
            |index: &Provider| names_nothing(index, zone) || is_number(zone) && index.numbers_say_little();
        self.providers.get(provider).is_some_and(little)
    }

    /// Whether a node of this provider that has Kubernetes' label for its zone is in no other zone than that says.
    pub fn zone_label_decides(&self, provider: &str) -> bool {
        // Beside a number, or nothing, another source of the zone decides. Elsewhere that is a conflict.
        self.providers.get(provider).is_some_and(|index| {
            !index.numbers_say_little() || index.id_zone.is_none() && index.zone_keys.is_empty()
        })
    }

    /// Whether a provider can have regions that are not among [`Self::regions`]: some are described by a glob, or none is
    /// known at all.
    pub fn has_unlisted_regions(&self, provider: &str) -> bool {
        self.providers.get(provider).is_none_or(|index| !index.spells_regions)
    }

    /// Whether nothing is known of where a provider's regions are, so that any code can be one of its own.
    pub fn names_its_own_regions(&self, provider: &str) -> bool {
        self.providers.get(provider).is_none_or(Provider::has_no_row)
    }

    /// Whether a node can be of this provider: not if geographies give its schemes to another.
    pub fn has_nodes(&self, provider: &str) -> bool {
        self.schemes.values().flatten().any(|of| **of == *provider)
    }

    /// Whose law binds a provider's operator wherever it may be: known only if it is the same everywhere.
    pub fn law_anywhere(&self, provider: &str) -> Option<Jurisdiction> {
        self.providers.get(provider).and_then(|index| index.law_anywhere().known())
    }

    /// Whose regions and zones a place without a provider can mean: those of the providers that the cluster has. If it
    /// has none, or one that is not known: of any.
    pub fn candidates(&self, cluster: &ClusterProviders) -> Vec<Arc<str>> {
        if cluster.providers.is_empty() || cluster.any_unknown {
            // One of whose regions nothing is known says nothing, unless it is there.
            let known = self.providers.values().filter(|index| !index.has_no_row()).map(|index| &index.name);
            let all: BTreeSet<_> = known.chain(&cluster.providers).cloned().collect();
            all.into_iter().collect()
        } else {
            cluster.providers.iter().cloned().collect()
        }
    }

    /// What is known of a place that is named without its provider: what all those of `providers` say that know it.
    pub fn locate_named(&self, providers: &[Arc<str>], region: Option<&str>, zone: Option<&str>) -> Location {
        let mut merged: Option<Location> = None;
        for name in providers {
            let Some(index) = self.providers.get(name).filter(|index| !index.has_no_row()) else {
                merge(&mut merged, Location { provider: Some(name.clone()), ..Location::default() });
                continue;
            };
            if !self.knows(index, region, zone) {
                // Where zones do not say their region, any region can have one of this name.
                if region.is_none() && zone.is_some_and(|zone| index.zone_rule.fit(zone) == Fit::Silent) {
                    merge(
                        &mut merged,
                        Location { provider: Some(index.name.clone()), ..Location::default() },
                    );
                }
                continue;
            }
            let placed = self.place(index, region, zone);
            if placed.doubt == Some(Doubt::Contradiction) {
                continue;
            }
            merge(&mut merged, placed.at(Some(&index.name)));
        }
        merged.unwrap_or_else(|| Location {
            region: region.map(Arc::from),
            zone: zone.map(Arc::from),
            ..Location::default()
        })
    }

    /// As [`Self::locate_named`] for a node's labels, over every provider.
    pub(super) fn place_anywhere(&self, region: Option<&str>, zone: Option<&str>) -> Anywhere {
        let mut agreed: Option<Fact> = None;
        // Of a region that is somebody's own name a zone can be what it likes.
        let mut contradictory =
            region.is_some_and(|region| self.providers.values().any(|index| self.has_region(index, region)));
        for index in self.providers.values().filter(|index| self.knows(index, region, zone)) {
            let placed = self.place(index, region, zone);
            contradictory &= placed.doubt == Some(Doubt::Contradiction);
            let fact = match placed.jurisdiction {
                Fact::Silent => Fact::Doubt,
                fact => fact,
            };
            agreed = Some(match agreed {
                Some(before) if before != fact => Fact::Doubt,
                _ => fact,
            });
        }
        match agreed {
            None => Anywhere::Nowhere,
            Some(_) if contradictory => Anywhere::Contradiction,
            Some(fact) => Anywhere::At(fact),
        }
    }

    /// Whether a region or a zone means something at this provider.
    fn knows(&self, index: &Provider, region: Option<&str>, zone: Option<&str>) -> bool {
        region.is_some_and(|region| self.has_region(index, region)) || zone.is_some_and(|zone| {
            index.rows_of_zone(&self.rows, zone).next().is_some()
                || matches!(index.zone_rule.fit(zone), Fit::Region(region) if self.has_region(index, region))
        })
    }
}

fn merge(merged: &mut Option<Location>, location: Location) {
    match merged {
        None => *merged = Some(location),
        Some(agreed) => agree(agreed, &location),
    }
}

/// Keeps of `agreed` what `other` says too.
fn agree(agreed: &mut Location, other: &Location) {
    fn keep<T: PartialEq>(mine: &mut Option<T>, theirs: Option<&T>) {
        if mine.as_ref() != theirs {
            *mine = None;
        }
    }
    keep(&mut agreed.provider, other.provider.as_ref());
    keep(&mut agreed.region, other.region.as_ref());
    keep(&mut agreed.zone, other.zone.as_ref());
    keep::<Jurisdiction>(&mut agreed.jurisdiction, other.jurisdiction.as_ref());
    keep::<Jurisdiction>(&mut agreed.provider_jurisdiction, other.provider_jurisdiction.as_ref());
}
