//! The geography compiled: the catalog and the users' `Geography` objects in one set of indexes, made when they change
//! and not when they are read.

use std::collections::BTreeMap;
use std::sync::Arc;

use ahash::AHashMap;
use regex::Regex;

use super::catalog::{Origin, Row};
use super::drivers::Driver;
use super::groups::Groups;
use super::pattern::Pattern;
use super::{Jurisdiction, Location};

/// Everything that is known of places: built in, and from `Geography` objects.
#[derive(Clone, Debug, Default)]
pub struct Geography {
    pub(super) rows: Vec<Row>,
    pub(super) providers: BTreeMap<Arc<str>, Provider>,
    /// `None`: two objects give the scheme to different providers.
    pub(super) schemes: AHashMap<Arc<str>, Option<Arc<str>>>,
    pub(super) group_rows: Vec<GroupRow>,
    pub(super) groups: Groups,
    pub(super) drivers: BTreeMap<Arc<str>, Driver>,
    pub(super) zone_keys: Vec<(Arc<str>, Option<Arc<str>>)>,
    pub(super) region_keys: Vec<(Arc<str>, Option<Arc<str>>)>,
    /// Objects that cannot be read: what they would say of any place, group or provider is not known.
    pub(super) unread: Vec<Arc<str>>,
}

/// A group, for people.
#[derive(Clone, Debug)]
pub struct GroupRow {
    /// Its name.
    pub name: Arc<str>,
    /// Its members as they were written.
    pub members: Vec<String>,
    /// Where the fact comes from.
    pub source: Option<Arc<str>>,
    /// Who says so.
    pub origin: Origin,
}

/// What is known of a provider.
#[derive(Clone, Debug)]
pub struct Provider {
    /// Its name.
    pub name: Arc<str>,
    /// The schemes of `spec.providerID` that mean it.
    pub schemes: Vec<Arc<str>>,
    /// Where the facts come from.
    pub source: Option<Arc<str>>,
    pub(super) jurisdiction: Fact,
    pub(super) zone_rule: ZoneRule,
    pub(super) id_zone: Option<Regex>,
    /// Whether two objects disagree about that: then nobody can tell whether its labels are true.
    pub(super) id_zone_disputed: bool,
    /// Labels of its own drivers: what they say of its nodes must agree.
    pub(super) zone_keys: Vec<Arc<str>>,
    pub(super) region_keys: Vec<Arc<str>>,
    regions: Codes,
    zones: Codes,
    /// Every row with a zone, by its region.
    zones_of_regions: Codes,
    /// Whether it has rows, and all of them spell their region out.
    pub(super) spells_regions: bool,
    /// Whether some row names another law for its operator than that of the provider itself.
    law_varies: bool,
    /// The regions that some row spells out.
    pub(super) listed: AHashMap<Arc<str>, Listed>,
}

impl Provider {
    pub(super) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            schemes: Vec::new(),
            source: None,
            jurisdiction: Fact::Silent,
            zone_rule: ZoneRule::None,
            id_zone: None,
            id_zone_disputed: false,
            zone_keys: Vec::new(),
            region_keys: Vec::new(),
            regions: Codes::default(),
            zones: Codes::default(),
            zones_of_regions: Codes::default(),
            spells_regions: false,
            law_varies: false,
            listed: AHashMap::new(),
        }
    }

    /// Whose law binds it, where it runs no region under another.
    #[must_use]
    pub fn jurisdiction(&self) -> Option<Jurisdiction> {
        self.jurisdiction.known()
    }

    /// Whose law binds its operator in a region or zone that is not known.
    pub(super) fn law_anywhere(&self) -> Fact {
        if self.law_varies { Fact::Doubt } else { self.jurisdiction }
    }

    /// Whether a number in a zone's label is no zone's name: a fault domain, or a name that means a zone only here.
    pub(super) fn numbers_say_little(&self) -> bool {
        self.zone_rule.fit("1") == Fit::Silent
    }

    /// The rows that say where the region's ordinary zones are.
    pub(super) fn region_rows<'a>(
        &'a self,
        rows: &'a [Row],
        region: &'a str,
    ) -> impl Iterator<Item = &'a Row> {
        self.regions.of(region).map(|row| &rows[row as usize]).filter(move |row| row.region.matches(region))
    }

    /// The rows that name this zone, in whichever region.
    pub(super) fn rows_of_zone<'a>(
        &'a self,
        rows: &'a [Row],
        zone: &'a str,
    ) -> impl Iterator<Item = &'a Row> {
        self.zones
            .of(zone)
            .map(|row| &rows[row as usize])
            .filter(move |row| row.zone.as_ref().is_some_and(|pattern| pattern.matches(zone)))
    }

    /// The rows that name a zone of this region, in their order.
    pub(super) fn zone_rows<'a>(&self, rows: &'a [Row], region: &str) -> Vec<&'a Row> {
        let mut numbers: Vec<u32> = self.zones_of_regions.of(region).collect();
        numbers.sort_unstable();
        numbers.into_iter().map(|row| &rows[row as usize]).filter(|row| row.region.matches(region)).collect()
    }

    /// Whether no row is about it.
    pub(super) fn has_no_row(&self) -> bool {
        self.regions.is_empty() && self.zones.is_empty()
    }

    pub(super) fn add(&mut self, number: u32, row: &Row) {
        let is_first = self.has_no_row();
        self.spells_regions = (is_first || self.spells_regions) && row.region.is_literal();
        self.law_varies |= row.provider_jurisdiction.is_some_and(|law| Fact::Known(law) != self.jurisdiction);
        match &row.zone {
            Some(zone) => {
                self.zones.add(zone, number);
                self.zones_of_regions.add(&row.region, number);
            }
            None => self.regions.add(&row.region, number),
        }
    }
}

/// A region that some row spells out, looked up once and for all: every judgement asks for each of them.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    /// What the rows say of its ordinary zones.
    pub(super) answer: Answer,
    /// The same as a place.
    pub(super) ordinary: Location,
    /// Whether it has zones that stand elsewhere.
    pub(super) is_split: bool,
}

/// Rows by code: a hash for the codes that can be spelled out, the rest one by one.
#[derive(Clone, Debug, Default)]
struct Codes {
    spelled: AHashMap<Arc<str>, Vec<u32>>,
    globs: Vec<u32>,
}

impl Codes {
    fn add(&mut self, pattern: &Pattern, row: u32) {
        match pattern.literals() {
            Some(codes) => {
                for code in codes {
                    self.spelled.entry(code).or_default().push(row);
                }
            }
            None => self.globs.push(row),
        }
    }

    fn is_empty(&self) -> bool {
        self.spelled.is_empty() && self.globs.is_empty()
    }

    /// Rows that may mean this code: all that do, and globs that may not.
    fn of(&self, code: &str) -> impl Iterator<Item = u32> {
        self.spelled.get(code).into_iter().flatten().chain(&self.globs).copied()
    }
}

/// How a provider's zones yield their region.
#[derive(Clone, Debug)]
pub(super) enum ZoneRule {
    /// They do not.
    None,
    /// Its group `region`, where it takes part in the match. A zone that does not match is suspicious.
    Rule(Regex),
    /// Two objects disagree: no zone fits but those that are listed.
    Disputed,
}

/// What a zone rule says of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit<'a> {
    /// It is a zone of this region.
    Region(&'a str),
    /// Nothing.
    Silent,
    /// It is no zone of this provider.
    None,
}

impl ZoneRule {
    pub(super) fn fit<'a>(&self, zone: &'a str) -> Fit<'a> {
        match self {
            Self::None => Fit::Silent,
            Self::Disputed => Fit::None,
            Self::Rule(rule) => match rule.captures(zone) {
                None => Fit::None,
                Some(found) => {
                    found.name("region").map_or(Fit::Silent, |region| Fit::Region(region.as_str()))
                }
            },
        }
    }
}

/// What the geography says of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fact {
    /// Nothing: the next rule decides.
    Silent,
    /// This.
    Known(Jurisdiction),
    /// That it cannot be told: no further rule decides.
    Doubt,
}

impl Fact {
    pub(super) fn known(self) -> Option<Jurisdiction> {
        match self {
            Self::Known(jurisdiction) => Some(jurisdiction),
            Self::Silent | Self::Doubt => None,
        }
    }

    /// This, or where it is silent, the other.
    pub(super) fn or(self, other: Self) -> Self {
        if self == Self::Silent { other } else { self }
    }
}

impl From<Option<Jurisdiction>> for Fact {
    fn from(known: Option<Jurisdiction>) -> Self {
        known.map_or(Self::Silent, Self::Known)
    }
}

/// What the most specific of some rows say, together.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) jurisdiction: Fact,
    pub(super) provider_jurisdiction: Fact,
    /// The region, if they name one.
    pub(super) region: Option<Arc<str>>,
}

/// Greater is more specific: a code before a glob, then a longer glob before a shorter, and only then a user's row before the
/// catalog's: a user's glob for a region does not move the city that the catalog names in it.
fn specificity(row: &Row) -> (bool, usize, bool, usize, bool) {
    let by_user = row.origin != Origin::BuiltIn;
    let code = row.zone.as_ref().unwrap_or(&row.region);
    (
        code.is_literal(),
        code.literal_characters(),
        row.region.is_literal(),
        row.region.literal_characters(),
        by_user,
    )
}

/// Whether two rows stand on the same step, so that they must agree.
pub(super) fn equally_specific(one: &Row, other: &Row) -> bool {
    one.zone.is_some() == other.zone.is_some() && specificity(one) == specificity(other)
}

/// The answer of the most specific rows; none if there are no rows. Where equals disagree, it is in doubt.
pub(super) fn answer<'a>(rows: impl Iterator<Item = &'a Row>) -> Option<Answer> {
    let mut best: Option<(_, Answer)> = None;
    for row in rows {
        let rank = specificity(row);
        let jurisdiction = Fact::Known(row.jurisdiction);
        let provider_jurisdiction = Fact::from(row.provider_jurisdiction);
        let region = row.region.is_literal().then(|| row.region.text());
        match &mut best {
            Some((highest, _)) if *highest > rank => {}
            Some((highest, answer)) if *highest == rank => {
                if answer.jurisdiction != jurisdiction {
                    answer.jurisdiction = Fact::Doubt;
                }
                if answer.provider_jurisdiction != provider_jurisdiction {
                    answer.provider_jurisdiction = Fact::Doubt;
                }
                if answer.region.as_ref() != region {
                    answer.region = None;
                }
            }
            _ => best = Some((rank, Answer { jurisdiction, provider_jurisdiction, region: region.cloned() })),
        }
    }
    best.map(|(_, answer)| answer)
}
