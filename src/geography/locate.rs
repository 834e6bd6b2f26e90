//! Where a node is: its labels and `spec.providerID`, held against the geography.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::index::{Fact, Geography, Provider};
use super::iso::{self, NotIso};
use super::lookup::Anywhere;
use super::placing::{Doubt, Placed, is_number, names_nothing};
use super::{Jurisdiction, Location};
use crate::api::keys;

/// What holds for a cluster where nothing else says anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// Where its nodes stand.
    pub jurisdiction: Option<Jurisdiction>,
    /// Whose law binds their operator.
    pub provider_jurisdiction: Option<Jurisdiction>,
}

/// Where a node is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Located {
    /// What is known of it.
    pub location: Location,
    /// What contradicts itself, one sentence each. If there are any, what they are about is unknown.
    pub conflicts: Vec<String>,
    /// Why its jurisdiction is unknown although its codes are there, and what to do.
    pub doubt: Option<String>,
}

/// A node's claims about one code, and where each comes from.
struct Claims<'a> {
    what: &'static str,
    all: Vec<(&'a str, &'a str)>,
}

impl<'a> Claims<'a> {
    fn new(what: &'static str) -> Self {
        Self { what, all: Vec::with_capacity(4) }
    }

    fn add(&mut self, from: &'a str, value: Option<&'a str>) {
        self.all.extend(value.filter(|value| !value.is_empty()).map(|value| (from, value)));
    }

    fn first(&self) -> Option<&'a str> {
        self.all.first().map(|(_, value)| *value)
    }

    /// Whether all agree; reports each that contradicts the first.
    fn agree(&self, same: impl Fn(&str, &str) -> bool, conflicts: &mut Vec<String>) -> bool {
        let Some(((source, value), others)) = self.all.split_first() else { return true };
        let before = conflicts.len();
        for (other_source, other) in others {
            if !same(value, other) {
                conflicts.push(format!(
                    "{source} says {} {value}, {other_source} says {} {other}",
                    self.what, self.what
                ));
            }
        }
        conflicts.len() == before
    }
}

const PROVIDER_ID: &str = "spec.providerID";

/// Keys of Oracle's regions that identifiers hold, and labels too, in place of the region's name.
const ORACLE_KEYS: [(&str, &str); 4] =
    [("phx", "us-phoenix-1"), ("iad", "us-ashburn-1"), ("fra", "eu-frankfurt-1"), ("lhr", "uk-london-1")];

/// The region in an identifier of Oracle's, `ocid1.instance.REALM.REGION.…`, or of Alibaba's, `REGION.i-…`.
fn region_in_id(provider_id: &str) -> Option<&str> {
    let id = provider_id.split_once("://").map_or(provider_id, |(_, id)| id);
    let (start, rest) = id.split_once('.')?;
    let region = match start {
        "ocid1" => rest.strip_prefix("instance.")?.split_once('.')?.1.split_once('.')?.0,
        _ if rest.starts_with("i-") => start,
        _ => return None,
    };
    Some(region).filter(|region| !region.is_empty())
}

/// The name of a region of Oracle's that may be written as its key.
fn oracle_region(code: &str) -> &str {
    ORACLE_KEYS.iter().find(|(key, _)| *key == code).map_or(code, |(_, name)| name)
}

impl Geography {
    /// Where a node with these labels and this `spec.providerID` (empty if it has none) is.
    pub fn locate_node(
        &self,
        labels: &BTreeMap<String, String>,
        provider_id: &str,
        defaults: &Defaults,
    ) -> Located {
        self.locate_labelled(|key| labels.get(key).map(String::as_str), provider_id, defaults)
    }

    /// As [`Self::locate_node`], of labels that are asked for one by one.
    pub fn locate_labelled<'a>(
        &'a self,
        label: impl Fn(&str) -> Option<&'a str>,
        provider_id: &'a str,
        defaults: &Defaults,
    ) -> Located {
        let provider = self.provider_of(provider_id);
        let index = provider.as_ref().and_then(|name| self.providers.get(name));
        let mut conflicts = Vec::new();

        let (zone, mut zones_agree) =
            self.zone_of(index, provider.is_none(), &label, provider_id, &mut conflicts);
        zones_agree &= !self.is_labelled_for_another(index, "zone", zone, &label, &mut conflicts);
        let mut regions = Claims::new("region");
        regions.add(keys::REGION, label(keys::REGION));
        let of_zone = zone
            .filter(|_| regions.all.is_empty())
            .zip(index)
            .and_then(|(zone, index)| self.place(index, None, Some(zone)).region);
        if let Some(region) = &of_zone {
            regions.add("the zone", Some(region));
        }
        for key in self.region_labels(index, provider.is_none()) {
            regions.add(key, label(key));
        }
        let chosen_region = regions.first();
        regions.add(keys::BETA_REGION, label(keys::BETA_REGION));
        let mut regions_agree = regions.agree(|one, other| one == other, &mut conflicts);
        regions_agree &=
            !self.is_labelled_for_another(index, "region", chosen_region, &label, &mut conflicts);

        if let (Some(_), Some(region), Some(in_id)) = (index, chosen_region, region_in_id(provider_id)) {
            // Of a key that nobody knows nothing can be said; a name, as all with a hyphen are, is another name or not.
            let [named, meant] = [region, in_id].map(oracle_region);
            if named != meant && [named, meant].iter().all(|region| region.contains('-')) {
                let source = regions.all.first().map_or(keys::REGION, |(source, _)| source);
                let meaning = if in_id == meant { String::new() } else { format!(" ({meant})") };
                conflicts.push(format!(
                    "{source} says region {region}, {PROVIDER_ID} says region {in_id}{meaning}"
                ));
                regions_agree = false;
            }
        }

        // Without another zone, the deprecated label's still must be one of the region.
        if let (Some(index), Some(region), None, Some(beta)) =
            (index, chosen_region, zone, label(keys::BETA_ZONE))
            && self.place(index, Some(region), Some(beta)).doubt == Some(Doubt::Contradiction)
        {
            conflicts.push(format!("{} {beta} is no zone of region {region}", keys::BETA_ZONE));
            regions_agree = false;
        }

        let mut placed = match index {
            Some(index) => self.place(index, chosen_region, zone),
            None if provider.is_none() => self.place_without_provider(chosen_region, zone),
            // The codes of a provider that no geography knows are its own.
            None => Placed::of_codes(chosen_region, zone),
        };
        if let (Some(Doubt::Contradiction), Some(zone)) = (placed.doubt, zone) {
            let region = chosen_region.unwrap_or_default();
            conflicts.push(format!("zone {zone} is no zone of region {region}"));
            regions_agree = false;
        }
        let id_is_unread = index.is_some_and(|index| index.id_zone_disputed);
        if !zones_agree || !regions_agree || id_is_unread {
            placed.jurisdiction = Fact::Doubt;
            placed.doubt = id_is_unread.then_some(Doubt::Disputed);
            if let Some(index) = index {
                placed.provider_jurisdiction = index.law_anywhere();
            }
            // A code in dispute is no code: a policy that names regions or zones must not match it either. Nor is the
            // region of a zone in dispute, which may be of another.
            placed.zone = None;
            placed.region = None;
        }
        let contradictory = !conflicts.is_empty();
        let (doubt, provider_fact) = (placed.doubt, placed.provider_jurisdiction);
        let jurisdiction_fact = placed.jurisdiction;
        let mut location = placed.at(provider.as_ref());
        location.jurisdiction = settle(
            Labels::read(&label, keys::RESTRICTED_JURISDICTION, keys::JURISDICTION, iso::parse),
            jurisdiction_fact,
            defaults.jurisdiction,
            &mut conflicts,
        )
        .filter(|_| !contradictory);
        location.provider_jurisdiction = settle(
            Labels::read(
                &label,
                keys::RESTRICTED_PROVIDER_JURISDICTION,
                keys::PROVIDER_JURISDICTION,
                iso::parse_country,
            ),
            provider_fact,
            defaults.provider_jurisdiction,
            &mut conflicts,
        );
        let doubt = doubt
            .filter(|doubt| location.jurisdiction.is_none() && *doubt != Doubt::Contradiction)
            .map(|doubt| explain(doubt, &location, provider_id));
        Located { location, conflicts, doubt }
    }

    /// The zone that a node claims, and whether all that say one agree.
    fn zone_of<'a>(
        &'a self,
        index: Option<&'a Provider>,
        provider_unknown: bool,
        label: &impl Fn(&str) -> Option<&'a str>,
        provider_id: &'a str,
        conflicts: &mut Vec<String>,
    ) -> (Option<&'a str>, bool) {
        let means = |zone: &&str| match index {
            Some(index) => !names_nothing(index, zone),
            None => *zone != "0",
        };
        let mut zones = Claims::new("zone");
        zones.add(keys::ZONE, label(keys::ZONE).filter(means));
        match index {
            Some(index) => {
                for key in &index.zone_keys {
                    zones.add(key, label(key).filter(means));
                }
                let in_id = index.id_zone.as_ref().and_then(|rule| rule.captures(provider_id));
                zones.add(PROVIDER_ID, in_id.and_then(|found| found.name("zone")).map(|zone| zone.as_str()));
            }
            None if provider_unknown => {
                for (key, owner) in &self.zone_keys {
                    if owner.is_some() {
                        zones.add(key, label(key).filter(means));
                    }
                }
            }
            None => {}
        }
        // Where a number is a fault domain or an alias, a name says more, and does not contradict it.
        let numbers_say_little = |one: &str| is_number(one) && index.is_none_or(Provider::numbers_say_little);
        if zones.first().is_some_and(&numbers_say_little)
            && let Some(named) = zones.all.iter().position(|(_, zone)| !is_number(zone))
        {
            zones.all.swap(0, named);
        }
        let chosen = zones.first();
        if chosen.is_some() {
            zones.add(keys::BETA_ZONE, label(keys::BETA_ZONE).filter(means));
        }
        let same =
            |one: &str, other: &str| one == other || numbers_say_little(one) || numbers_say_little(other);
        let mut agree = zones.agree(same, conflicts);
        // Where zones have names, a label without one is no less wrong than with another's.
        if let (Some(index), Some((source, zone)), Some("")) = (index, zones.all.first(), label(keys::ZONE))
            && !index.numbers_say_little()
        {
            conflicts.push(format!("{source} says zone {zone}, {} is empty", keys::ZONE));
            agree = false;
        }
        (chosen, agree)
    }

    /// Labels of drivers that hold a node's region.
    fn region_labels<'a>(
        &'a self,
        index: Option<&'a Provider>,
        provider_unknown: bool,
    ) -> impl Iterator<Item = &'a Arc<str>> {
        let own = index.into_iter().flat_map(|index| &index.region_keys);
        // A key without a prefix (`region`) may be anyone's.
        let all = self
            .region_keys
            .iter()
            .filter(move |(key, owner)| provider_unknown && owner.is_some() && key.contains('/'));
        own.chain(all.map(|(key, _)| key))
    }

    /// Whether a node of a provider that is known bears the label of another's driver, and that says another place.
    fn is_labelled_for_another<'a>(
        &self,
        index: Option<&Provider>,
        what: &'static str,
        own: Option<&str>,
        label: &impl Fn(&str) -> Option<&'a str>,
        conflicts: &mut Vec<String>,
    ) -> bool {
        let Some(index) = index else { return false };
        let keys = if what == "zone" { &self.zone_keys } else { &self.region_keys };
        let before = conflicts.len();
        for (key, owner) in keys {
            // A key without a prefix may be anyone's.
            let Some(owner) = owner.as_ref().filter(|owner| **owner != index.name && key.contains('/'))
            else {
                continue;
            };
            // Where a geography gives the driver's own provider another name, the driver's labels are that one's.
            let has_nodes = || self.has_nodes(owner);
            // The same code may be a code of both, of two places.
            let is_elsewhere = |value: &&str| {
                let there = |index: &Provider| {
                    let (region, zone) =
                        if what == "zone" { (None, Some(*value)) } else { (Some(*value), None) };
                    self.place(index, region, zone).jurisdiction
                };
                Some(*value) != own
                    || self
                        .providers
                        .get(owner)
                        .map(there)
                        .is_some_and(|theirs| matches!(theirs, Fact::Known(_)) && theirs != there(index))
            };
            if let Some(value) = label(key).filter(|value| !value.is_empty()).filter(is_elsewhere)
                && has_nodes()
            {
                conflicts
                    .push(format!("{PROVIDER_ID} says {}, {key} says {what} {value} of {owner}", index.name));
            }
        }
        conflicts.len() > before
    }

    /// A place of a provider that is not known: all that know the codes must agree.
    fn place_without_provider(&self, region: Option<&str>, zone: Option<&str>) -> Placed {
        let codes = Placed::of_codes(region, zone);
        match self.place_anywhere(region, zone) {
            Anywhere::Nowhere => codes,
            Anywhere::Contradiction => {
                Placed { jurisdiction: Fact::Doubt, doubt: Some(Doubt::Contradiction), ..codes }
            }
            Anywhere::At(jurisdiction) => Placed {
                jurisdiction,
                doubt: (jurisdiction == Fact::Doubt).then_some(Doubt::DiffersByProvider),
                ..codes
            },
        }
    }
}

impl Placed {
    /// Of these codes nothing is known.
    fn of_codes(region: Option<&str>, zone: Option<&str>) -> Self {
        Self {
            region: region.map(Arc::from),
            zone: zone.map(Arc::from),
            jurisdiction: Fact::Silent,
            provider_jurisdiction: Fact::Silent,
            doubt: None,
        }
    }
}

/// The two labels that can say a jurisdiction.
struct Labels<'a> {
    restricted: Option<(&'a str, Result<Jurisdiction, NotIso>)>,
    plain: Option<(&'a str, Result<Jurisdiction, NotIso>)>,
}

impl<'a> Labels<'a> {
    fn read(
        label: &impl Fn(&str) -> Option<&'a str>,
        restricted: &'a str,
        plain: &'a str,
        parse: fn(&str) -> Result<Jurisdiction, NotIso>,
    ) -> Self {
        let read = |key| label(key).map(|value| (key, parse(value)));
        Self { restricted: read(restricted), plain: read(plain) }
    }
}

/// Rules 3 and 4: the most specific that says something decides.
fn settle(
    labels: Labels<'_>,
    geography: Fact,
    default: Option<Jurisdiction>,
    conflicts: &mut Vec<String>,
) -> Option<Jurisdiction> {
    let before = conflicts.len();
    let mut read = |said: Option<(&str, Result<Jurisdiction, NotIso>)>| match said? {
        (_, Ok(jurisdiction)) => Some(jurisdiction),
        (key, Err(error)) => {
            conflicts.push(format!("the label {key}: {error}"));
            None
        }
    };
    let plain_key = labels.plain.as_ref().map_or("", |(key, _)| *key);
    let restricted_key = labels.restricted.as_ref().map_or("", |(key, _)| *key);
    let (restricted, plain) = (read(labels.restricted), read(labels.plain));
    let compatible = |one: Jurisdiction, other: Jurisdiction| one.contains(other) || other.contains(one);
    match (restricted, plain, geography) {
        (Some(restricted), Some(plain), _) if !compatible(restricted, plain) => {
            conflicts.push(format!("the label {plain_key} says {plain}, {restricted_key} says {restricted}"));
        }
        (None, Some(plain), Fact::Known(known)) if !compatible(plain, known) => {
            conflicts.push(format!("the label {plain_key} says {plain}, the geography says {known}"));
        }
        _ => {}
    }
    if conflicts.len() > before {
        return None;
    }
    restricted.or(match geography {
        Fact::Known(known) => Some(known),
        Fact::Doubt => None,
        Fact::Silent => plain.or(default),
    })
}

fn explain(doubt: Doubt, location: &Location, provider_id: &str) -> String {
    let zone = location.zone.as_deref().unwrap_or_default();
    let region = location.region.as_deref().unwrap_or_default();
    let provider = location.provider.as_deref().unwrap_or_default();
    let restricted = keys::RESTRICTED_JURISDICTION;
    match doubt {
        Doubt::UnlistedZone => format!(
            "zone {zone} is none of the ordinary zones of {provider}, and no geography lists it: it may be anywhere; \
             list it in a Geography, or set the label {restricted} on the node"
        ),
        Doubt::ForeignZones => format!(
            "region {region} of {provider} has zones that stand elsewhere, and the node's zone is not known: \
             set the label {} on the node",
            keys::ZONE
        ),
        Doubt::Disputed => {
            let what = [zone, region].into_iter().find(|code| !code.is_empty());
            format!(
                "Geography objects disagree about {}: change one of them",
                what.unwrap_or("what spec.providerID says of the zone")
            )
        }
        Doubt::DiffersByProvider => format!(
            "{}, and {} is not one place for every provider: set the label {restricted} on the node",
            if provider_id.is_empty() {
                "the node has no spec.providerID"
            } else {
                "its spec.providerID names no provider, or Geography objects disagree about which"
            },
            if region.is_empty() { zone } else { region }
        ),
        Doubt::Contradiction => format!("zone {zone} is no zone of region {region}"),
    }
}
