//! Single entries: whether they hold, and what they mean.

use std::sync::Arc;

use regex::{Regex, RegexBuilder};

use super::catalog::{Origin, Row};
use super::index::equally_specific;
use super::pattern::Pattern;
use super::{Jurisdiction, iso};
use crate::api::RegionEntry;

/// Compiles an entry; the error names its field.
pub(super) fn row(origin: &Origin, entry: &RegionEntry) -> Result<Row, (&'static str, String)> {
    let pattern = |field, text: &str| match Pattern::new(text) {
        _ if text.is_empty() => Err((field, "an empty code means no place".to_owned())),
        Ok(pattern) => Ok(pattern),
        Err(error) => Err((field, error.to_string())),
    };
    if entry.provider.is_empty() {
        return Err(("provider", "a code means nothing without its provider".to_owned()));
    }
    let law = entry.provider_jurisdiction.as_deref().map(iso::parse_country).transpose();
    Ok(Row {
        provider: entry.provider.as_str().into(),
        region: pattern("region", &entry.region)?,
        zone: entry.zone.as_deref().map(|zone| pattern("zone", zone)).transpose()?,
        jurisdiction: iso::parse(&entry.jurisdiction).map_err(|error| ("jurisdiction", error.to_string()))?,
        provider_jurisdiction: law.map_err(|error| ("providerJurisdiction", error.to_string()))?,
        place: entry.place.as_deref().map(Arc::from),
        source: entry.source.as_deref().map(Arc::from),
        origin: origin.clone(),
    })
}

pub(super) fn disagree(one: &Row, other: &Row) -> bool {
    let facts = |row: &Row| (row.jurisdiction, row.provider_jurisdiction);
    let zones = match (&one.zone, &other.zone) {
        (Some(one), Some(other)) => one.overlaps(other),
        (None, None) => true,
        _ => false,
    };
    facts(one) != facts(other) && zones && equally_specific(one, other) && one.region.overlaps(&other.region)
}

pub(super) fn describe(row: &Row) -> String {
    match &row.zone {
        Some(zone) => format!("zone {zone} of {} at {}", row.region, row.provider),
        None => format!("region {} at {}", row.region, row.provider),
    }
}

pub(super) fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern).size_limit(1 << 20).build()
}

pub(super) fn bad_group_name(origin: &Origin, name: &str) -> Option<String> {
    if name.is_empty() {
        return Some("a group needs a name".into());
    }
    let two_capitals = name.len() == 2 && name.bytes().all(|byte| byte.is_ascii_uppercase());
    // ISO reserves EU for the European Union, so that this one name can never be a country.
    if two_capitals && !(*origin == Origin::BuiltIn && name == "EU") {
        return Some(format!("{name} has the form of a country's code: choose a longer name"));
    }
    let (country, _) = name.split_once('-')?;
    let looks_like_a_part = name.parse::<Jurisdiction>().is_ok() && iso::is_country(country);
    looks_like_a_part
        .then(|| format!("{name} has the form of a code for a part of {country}: choose another name"))
}

pub(super) fn same_members(one: &[String], other: &[String]) -> bool {
    let sorted = |members: &[String]| {
        let mut members = members.to_vec();
        members.sort_unstable();
        members.dedup();
        members
    };
    sorted(one) == sorted(other)
}
