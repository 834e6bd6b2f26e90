//! What the rows of one provider say of a region and a zone.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Location;
use super::catalog::{Row, ZoneEntry};
use super::index::{Answer, Fact, Fit, Geography, Listed, Provider, answer};

/// Why a place's jurisdiction is unknown although its codes are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The provider has no such zone, as far as is known.
    UnlistedZone,
    /// The region has zones elsewhere, and the zone is not known.
    ForeignZones,
    /// Geographies disagree.
    Disputed,
    /// The zone is one of another region.
    Contradiction,
    /// The codes mean different places at different providers.
    DiffersByProvider,
}

/// A place as the geography sees it.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    pub(super) region: Option<Arc<str>>,
    pub(super) zone: Option<Arc<str>>,
    pub(super) jurisdiction: Fact,
    pub(super) provider_jurisdiction: Fact,
    pub(super) doubt: Option<Doubt>,
}

impl Geography {
    pub(super) fn has_region(&self, index: &Provider, region: &str) -> bool {
        index.region_rows(&self.rows, region).next().is_some()
    }

    /// Rules 2 to 4 of locating, as far as they need no label.
    pub(super) fn place(&self, index: &Provider, region: Option<&str>, zone: Option<&str>) -> Placed {
        let zone = zone.filter(|zone| !names_nothing(index, zone));
        let listed = zone.and_then(|zone| {
            answer(
                index
                    .rows_of_zone(&self.rows, zone)
                    .filter(|row| region.is_none_or(|region| row.region.matches(region))),
            )
        });
        let fit = match (zone, &listed) {
            (Some(zone), None) => index.zone_rule.fit(zone),
            _ => Fit::Silent,
        };
        let derived = match (&listed, fit) {
            (Some(listed), _) => listed.region.clone(),
            (None, Fit::Region(region)) => Some(Arc::from(region)),
            _ => None,
        };
        let known_region: Option<Arc<str>> = region.map(Arc::from).or(derived);
        let ordinary = known_region.as_deref().map(|region| self.region_answer(index, region));
        let provider_jurisdiction =
            ordinary.as_ref().map_or_else(|| index.law_anywhere(), |ordinary| ordinary.provider_jurisdiction);
        let mut placed = Placed {
            region: known_region,
            zone: zone.map(Arc::from),
            jurisdiction: Fact::Doubt,
            provider_jurisdiction,
            doubt: None,
        };
        if let Some(listed) = listed {
            placed.jurisdiction = listed.jurisdiction;
            placed.provider_jurisdiction = listed.provider_jurisdiction.or(provider_jurisdiction);
            placed.doubt = (listed.jurisdiction == Fact::Doubt).then_some(Doubt::Disputed);
            return placed;
        }
        let elsewhere = match (region, zone, fit) {
            (Some(region), _, Fit::Region(of_zone)) => region != of_zone,
            // Where zones have codes of their own, one that is listed under another region only is not of this one.
            (Some(_), Some(zone), Fit::None) => index.rows_of_zone(&self.rows, zone).next().is_some(),
            _ => false,
        };
        placed.doubt = if elsewhere {
            placed.provider_jurisdiction = index.law_anywhere();
            Some(Doubt::Contradiction)
        } else if fit == Fit::None {
            Some(Doubt::UnlistedZone)
        } else {
            let named = zone.is_some_and(|zone| matches!(fit, Fit::Region(_)) || !is_number(zone));
            match &placed.region {
                Some(region) if !named && self.is_split(index, region) => {
                    if self.listed_zones(index, region).any(|entry| {
                        entry.location.provider_jurisdiction != placed.provider_jurisdiction.known()
                    }) {
                        placed.provider_jurisdiction = Fact::Doubt;
                    }
                    Some(Doubt::ForeignZones)
                }
                _ => None,
            }
        };
        if placed.doubt.is_none() {
            placed.jurisdiction = ordinary.map_or(Fact::Silent, |ordinary| ordinary.jurisdiction);
            placed.doubt = (placed.jurisdiction == Fact::Doubt).then_some(Doubt::Disputed);
        }
        placed
    }

    /// The ordinary zones of a region.
    fn region_answer(&self, index: &Provider, region: &str) -> Answer {
        match index.listed.get(region) {
            Some(listed) => listed.answer.clone(),
            None => self.look_up_region(index, region),
        }
    }

    pub(super) fn look_up_region(&self, index: &Provider, region: &str) -> Answer {
        let mut found = answer(index.region_rows(&self.rows, region)).unwrap_or(Answer {
            jurisdiction: Fact::Silent,
            provider_jurisdiction: Fact::Silent,
            region: None,
        });
        found.provider_jurisdiction = found.provider_jurisdiction.or(index.jurisdiction);
        found
    }

    pub(super) fn is_split(&self, index: &Provider, region: &str) -> bool {
        match index.listed.get(region) {
            Some(listed) => listed.is_split,
            None => self.listed_zones(index, region).any(|entry| entry.foreign),
        }
    }

    /// Everything of a region that a row spells out.
    pub(super) fn list(&self, index: &Provider, region: &Arc<str>) -> Listed {
        let answer = self.look_up_region(index, region);
        let ordinary = answer.clone().of_region(index, Arc::clone(region));
        let is_split = self.listed_zones(index, region).any(|entry| entry.foreign);
        Listed { answer, ordinary, is_split }
    }

    /// The zones that rows list for a region, without those that a more specific row of the same pattern replaces.
    pub(super) fn listed_zones<'a>(
        &'a self,
        index: &'a Provider,
        region: &'a str,
    ) -> impl Iterator<Item = ZoneEntry<'a>> {
        let ordinary = self.region_answer(index, region);
        let rows = index.zone_rows(&self.rows, region);
        let mut seen = BTreeSet::new();
        (0..rows.len()).filter_map(move |at| {
            let pattern = rows[at].zone.as_ref()?;
            if !seen.insert(pattern.as_str()) {
                return None;
            }
            let same = |other: &&&Row| other.zone.as_ref().is_some_and(|zone| zone.text() == pattern.text());
            let found = answer(rows.iter().filter(same).copied())?;
            let provider_jurisdiction = found.provider_jurisdiction.or(ordinary.provider_jurisdiction);
            let foreign = found.jurisdiction != ordinary.jurisdiction
                || provider_jurisdiction != ordinary.provider_jurisdiction;
            let location = Location {
                provider: Some(Arc::clone(&index.name)),
                region: Some(region.into()),
                zone: pattern.is_literal().then(|| Arc::clone(pattern.text())),
                jurisdiction: found.jurisdiction.known(),
                provider_jurisdiction: provider_jurisdiction.known(),
            };
            Some(ZoneEntry { pattern, location, foreign })
        })
    }
}

impl Answer {
    /// The place of a region of which it is the answer.
    pub(super) fn of_region(self, index: &Provider, region: Arc<str>) -> Location {
        Location {
            provider: Some(Arc::clone(&index.name)),
            region: Some(region),
            zone: None,
            jurisdiction: self.jurisdiction.known(),
            provider_jurisdiction: self.provider_jurisdiction.known(),
        }
    }
}

impl Placed {
    pub(super) fn at(self, provider: Option<&Arc<str>>) -> Location {
        Location {
            provider: provider.cloned(),
            region: self.region,
            zone: self.zone,
            jurisdiction: self.jurisdiction.known(),
            provider_jurisdiction: self.provider_jurisdiction.known(),
        }
    }
}

/// Whether a zone's value says that there is none: empty, or AKS' `0` for a machine that is in no zone.
pub(super) fn names_nothing(index: &Provider, zone: &str) -> bool {
    zone.is_empty() || zone == "0" && index.numbers_say_little()
}

/// A fault domain (Azure), or a zone's number (Tencent): not the name of a zone.
pub(super) fn is_number(zone: &str) -> bool {
    zone.bytes().all(|byte| byte.is_ascii_digit())
}
