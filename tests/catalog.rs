//! The built-in catalog held against facts that were gathered apart from it, in both directions, and against itself.

#![allow(clippy::unwrap_used, clippy::panic, clippy::too_many_lines, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use domicile::geography::{ClusterProviders, Geography, Known, Location, Origin, Row, Tri, iso};

fn facts(text: &str) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

fn regions() -> Vec<Vec<String>> {
    facts(include_str!("data/facts/regions.csv"))
}

fn zones() -> Vec<Vec<String>> {
    facts(include_str!("data/facts/zones.csv"))
}

fn left_out() -> Vec<Vec<String>> {
    facts(include_str!("data/facts/left_out.csv"))
}

fn country(location: &Location) -> String {
    location.jurisdiction.map_or("?".into(), |code| code.country().to_string())
}

fn known(geography: &Geography, provider: &str, region: Option<&str>, zone: Option<&str>) -> Location {
    match geography.locate_in(provider, region, zone) {
        Known::Consistent(location) => location,
        Known::Inconsistent => panic!("{provider} {region:?} {zone:?} contradicts itself"),
    }
}

#[test]
fn every_fact_about_a_region_is_in_the_catalog_or_left_out_for_a_reason() {
    let geography = Geography::builtin().unwrap();
    let left_out: BTreeMap<_, _> =
        left_out().into_iter().map(|row| ((row[0].clone(), row[1].clone()), row[2].clone())).collect();
    let facts = regions();
    assert_eq!(facts.len(), 551);
    let mut unused: BTreeSet<_> = left_out.keys().cloned().collect();
    for fact in facts {
        let [provider, region, expected] = &fact[..] else { panic!("{fact:?}") };
        let key = (provider.clone(), region.clone());
        if let Some(reason) = left_out.get(&key) {
            assert!(reason.len() > 10, "{key:?} needs a reason");
            assert!(!geography.knows_region(provider, region), "{key:?} is left out: {reason}");
            unused.remove(&key);
        } else {
            assert_eq!(country(&geography.ordinary(provider, region)), *expected, "{provider} {region}");
        }
    }
    assert!(unused.is_empty(), "left out, and no fact: {unused:?}");
}

#[test]
fn every_region_of_the_catalog_is_a_fact() {
    let geography = Geography::builtin().unwrap();
    let facts: BTreeMap<_, _> =
        regions().into_iter().map(|row| ((row[0].clone(), row[1].clone()), row[2].clone())).collect();
    for row in geography.rows().filter(|row| row.zone.is_none()) {
        let code = row.region.as_str();
        let code = if row.region.is_literal() { code } else { code.strip_suffix("[0-9]*").unwrap() };
        let expected = facts.get(&(row.provider.to_string(), code.to_owned()));
        assert_eq!(expected, Some(&row.jurisdiction.country().to_string()), "{} {code}", row.provider);
    }
}

#[test]
fn every_fact_about_a_zone_is_in_the_catalog() {
    let geography = Geography::builtin().unwrap();
    let facts = zones();
    assert_eq!(facts.len(), 81);
    let mut abroad = 0;
    for fact in &facts {
        let [provider, group, region, region_country, expected] = &fact[..] else { panic!("{fact:?}") };
        assert_eq!(country(&geography.ordinary(provider, region)), *region_country, "{region}");
        let zone = if group.ends_with(char::is_numeric) { format!("{group}a") } else { group.clone() };
        let location = known(&geography, provider, Some(region), Some(&zone));
        assert_eq!(country(&location), *expected, "{zone}");
        assert_eq!(known(&geography, provider, None, Some(&zone)), location, "{zone} tells its region");
        let entry = geography.zone_entries(provider, region).find(|entry| entry.matches(&zone)).unwrap();
        if region_country != expected {
            abroad += 1;
            assert!(entry.is_foreign(), "{zone}");
            assert!(geography.has_foreign_zones(provider, region), "{region}");
        }
    }
    assert_eq!(abroad, 17);
}

#[test]
fn every_zone_of_the_catalog_is_a_fact() {
    let facts: BTreeMap<_, _> =
        zones().into_iter().map(|row| (row[1].clone(), (row[2].clone(), row[4].clone()))).collect();
    let geography = Geography::builtin().unwrap();
    for row in geography.rows() {
        let Some(zone) = &row.zone else { continue };
        let group = zone.as_str().strip_suffix("[a-z]").unwrap_or(zone.as_str());
        let expected = (row.region.as_str().to_owned(), row.jurisdiction.country().to_string());
        assert_eq!(facts.get(group), Some(&expected), "{zone}");
        let literals = zone.literals().unwrap();
        assert_eq!(literals.len(), if zone.is_literal() { 1 } else { 26 }, "{zone}");
    }
}

#[test]
fn a_code_that_providers_share_is_known_only_where_they_agree() {
    let geography = Geography::builtin().unwrap();
    let all = geography.candidates(&ClusterProviders::default());
    let facts = facts(include_str!("data/facts/collisions.csv"));
    assert_eq!(facts.iter().filter(|fact| fact[1] == "true").count(), 10);
    assert_eq!(facts.len(), 26);
    for fact in facts {
        let [region, differ, meanings] = &fact[..] else { panic!("{fact:?}") };
        let mut expected = BTreeSet::new();
        let mut split = false;
        for meaning in meanings.split(' ') {
            let (provider, country_of_it) = meaning.split_once('=').unwrap();
            assert_eq!(country(&geography.ordinary(provider, region)), country_of_it, "{provider} {region}");
            expected.insert(country_of_it);
            split |= geography.has_foreign_zones(provider, region);
        }
        assert_eq!(expected.len() > 1, differ == "true", "{region}");
        let location = geography.locate_named(&all, Some(region), None);
        // Where one of them has zones abroad, the region alone is not one country at that provider either.
        let alone = if expected.len() > 1 || split { "?" } else { expected.first().unwrap() };
        assert_eq!(country(&location), alone, "{region}");
        if region.ends_with(char::is_numeric) {
            let with_zone = geography.locate_named(&all, Some(region), Some(&format!("{region}a")));
            let expected = if expected.len() > 1 { "?" } else { expected.first().unwrap() };
            assert_eq!(country(&with_zone), expected, "{region}a");
        }
    }
}

#[test]
fn the_catalog_is_consistent_in_itself() {
    // Regexes, globs and ISO codes are checked as it is compiled: any that does not hold is an error here.
    let geography = Geography::builtin().unwrap();
    let key = |row: &Row| {
        (row.provider.to_string(), row.region.to_string(), row.zone.as_ref().map(ToString::to_string))
    };
    let mut seen = BTreeSet::new();
    let named: BTreeSet<_> = geography
        .provider_entries()
        .filter(|entry| entry.source.is_some())
        .map(|entry| &entry.name)
        .collect();
    for row in geography.rows() {
        assert!(seen.insert(key(row)), "{:?} twice", key(row));
        assert_eq!(row.origin, Origin::BuiltIn);
        let source = row.source.as_deref().unwrap();
        assert!(
            ["; high", "; medium", "; low"].iter().any(|end| source.ends_with(end)),
            "{:?}: {source}",
            key(row)
        );
        assert!(
            row.place.is_some()
                || source.ends_with("low")
                || *row.provider == *"azure"
                || *row.provider == *"oci",
            "{:?}",
            key(row)
        );
        assert!(named.contains(&row.provider), "provider {} has no entry", row.provider);
        if row.zone.is_some() {
            assert!(
                geography.knows_region(&row.provider, row.region.as_str()),
                "{:?} has no region",
                key(row)
            );
        }
        if row.jurisdiction.country().to_string() == "CA" {
            assert!(row.jurisdiction.is_subdivision(), "{:?}: Quebec and Ontario differ in law", key(row));
        }
    }
    for driver in geography.drivers() {
        assert!(driver.source.is_some(), "{}", driver.name);
        if let Some(provider) = &driver.provider {
            assert!(named.contains(provider), "{}: provider {provider}", driver.name);
        }
    }
    for group in geography.groups() {
        assert!(group.source.is_some(), "{}", group.name);
        let set = geography.resolve(&group.name).unwrap();
        assert!(set.iter().all(|member| iso::is_country(&member.to_string())), "{}", group.name);
    }
}

#[test]
fn a_european_name_is_not_the_european_union() {
    let geography = Geography::builtin().unwrap();
    let eu = geography.resolve("EU").unwrap();
    for (provider, region, expected) in [
        ("aws", "eu-west-2", "GB"),
        ("aws", "eu-central-2", "CH"),
        ("gcp", "europe-west2", "GB"),
        ("gcp", "europe-west6", "CH"),
        ("oci", "eu-zurich-1", "CH"),
        ("oci", "eu-crissier-1", "CH"),
        ("oci", "eu-jovanovac-1", "RS"),
        ("exoscale", "ch-dk-2", "CH"),
        ("ibm", "eu-gb", "GB"),
        ("linode", "eu-west", "GB"),
        ("alibaba", "eu-west-1", "GB"),
        ("tencent", "eu-moscow", "RU"),
    ] {
        let location = known(&geography, provider, Some(region), None);
        assert_eq!(country(&location), expected, "{provider} {region}");
        assert_eq!(eu.contains(location.jurisdiction.unwrap()), Tri::False, "{provider} {region}");
    }
    for (provider, region, expected) in [
        ("azure", "southeastasia3", "MY"),
        ("azure", "mexicocentral", "MX"),
        ("azure", "brazilsoutheast", "BR"),
        ("oci", "ap-dcc-gazipur-1", "BD"),
        ("linode", "ap-south", "SG"),
        ("linode", "ap-west", "IN"),
        ("ovh", "UK1", "GB"),
    ] {
        assert_eq!(
            country(&known(&geography, provider, Some(region), None)),
            expected,
            "{provider} {region}"
        );
    }
    // Of several countries, of an unknown one, or no place at all.
    for (provider, region) in [
        ("gcp", "eu"),
        ("gcp", "us"),
        ("gcp", "eur5"),
        ("azure", "europe"),
        ("azure", "brazilus"),
        ("azure", "apacsoutheast2"),
        ("aws", "aws-global"),
        ("ibm", "us-south-2"),
        ("digitalocean", "sin1"),
    ] {
        assert!(!geography.knows_region(provider, region), "{provider} {region}");
    }
}
