//! What the geography answers without a node: codes, groups, drivers, places named without a provider.

#![allow(clippy::unwrap_used, clippy::panic, clippy::too_many_lines, reason = "tests")]

use std::collections::BTreeSet;
use std::sync::Arc;

use domicile::api::{GeographySpec, SnapshotDefault, VolumePlacement};
use domicile::geography::{
    ClusterProviders, Geography, Known, Location, Problem, ProblemKind, Tri, ZoneEntry, canonical_driver, iso,
};

fn built_in() -> Arc<Geography> {
    Geography::builtin().unwrap()
}

fn with(yaml: &str) -> (Arc<Geography>, Vec<Problem>) {
    let spec: GeographySpec = serde_saphyr::from_str(yaml).unwrap();
    Geography::with_objects([("own", &spec)])
}

fn contains(geography: &Geography, set: &str, code: &str) -> Tri {
    geography.resolve(set).unwrap().contains(code.parse().unwrap())
}

fn names(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|name| Arc::from(*name)).collect()
}

fn jurisdiction(location: &Location) -> Option<String> {
    location.jurisdiction.map(|code| code.to_string())
}

#[test]
fn groups_are_what_the_law_says() {
    let geography = built_in();
    for (group, members) in [("EU", 27), ("EEA", 30), ("EFTA", 4), ("DOJ-CONCERN", 8), ("EU-ADEQUATE", 13)] {
        assert_eq!(geography.resolve(group).unwrap().len(), members, "{group}");
    }
    for (group, code, expected) in [
        ("EEA", "NO", Tri::True),
        ("EEA", "CH", Tri::False),
        ("EEA", "GB", Tri::False),
        ("EU", "NO", Tri::False),
        ("EU-ADEQUATE", "GB", Tri::True),
        ("EU-ADEQUATE", "US", Tri::False),
        ("EU-ADEQUATE", "CA", Tri::False),
        ("EU-ADEQUATE", "JP", Tri::False),
        ("EU-ADEQUATE-CONDITIONAL", "US", Tri::True),
        ("DOJ-CONCERN", "HK", Tri::True),
        ("UK-ADEQUATE", "DE", Tri::True),
    ] {
        assert_eq!(contains(&geography, group, code), expected, "{group} {code}");
    }
}

#[test]
fn a_part_of_a_country_is_in_the_country_and_the_country_may_be_in_the_part() {
    let geography = built_in();
    for (set, code, expected) in [
        ("CA", "CA-QC", Tri::True),
        ("CA-QC", "CA-QC", Tri::True),
        ("CA-QC", "CA", Tri::Unknown),
        ("CA-QC", "CA-ON", Tri::False),
        ("CA-QC", "US", Tri::False),
        // ISO lists both, and not that the one lies in the other.
        ("GB-ENG", "GB-LND", Tri::Unknown),
        ("GB-ENG", "GB-SCT", Tri::False),
        ("GB-ENG", "US-CA", Tri::False),
        // Of these parts none lies in another, whatever ISO calls them.
        ("US-MD", "US-DC", Tri::False),
        ("EEA", "DE-BY", Tri::True),
    ] {
        assert_eq!(contains(&geography, set, code), expected, "{set} {code}");
    }
}

#[test]
fn a_code_that_stands_for_nothing_says_what_to_write() {
    let geography = built_in();
    for (code, says) in [
        ("UK", "did you mean GB?"),
        ("XX", "XX is no country"),
        ("de", "did you mean DE?"),
        ("CA-XX", "lists no such part of CA"),
        ("CN-HK", "a country code of its own, HK"),
        ("EAA", "did you mean EEA?"),
        ("eea", "did you mean EEA?"),
        // Two letters of four may be wrong, three not; four of eleven may.
        ("EFXB", "no geography knows the group EFXB: did you mean EFTA?"),
        ("EU-ADEQXXXX", "did you mean EU-ADEQUATE?"),
    ] {
        let error = geography.resolve(code).unwrap_err().to_string();
        assert!(error.contains(says), "{code}: {error}");
    }
    for nothing_like_it in ["NATO", "QQQQ", "qq"] {
        let error = geography.resolve(nothing_like_it).unwrap_err().to_string();
        assert_eq!(error, format!("no geography knows the group {nothing_like_it}"));
    }
}

#[test]
fn iso_is_complete() {
    let letters = || (b'A'..=b'Z').map(char::from);
    let countries = letters()
        .flat_map(|a| letters().map(move |b| format!("{a}{b}")))
        .filter(|code| iso::is_country(code));
    assert_eq!(countries.count(), 249);
    assert_eq!(iso::name("DE").unwrap(), "Germany");
    assert_eq!(iso::name("CA-QC").unwrap(), "Quebec, Canada");
    assert!(iso::is_subdivision("CA-QC") && !iso::is_subdivision("DE") && !iso::is_country("CA-QC"));
    assert!(
        !iso::is_country("UK") && !iso::is_country("EU") && !iso::is_country("XK") && !iso::is_country("de")
    );
    assert!(iso::parse_country("CA-QC").is_err());
}

#[test]
fn a_broken_group_is_known_and_unusable() {
    let (geography, problems) = with(
        "groups:
- {name: ROUND, members: [LOOP]}
- {name: LOOP, members: [DE, ROUND]}
- {name: TYPO, members: [DE, UK]}
- {name: EEA, members: [EU, NOWHERE]}
- {name: DE, members: [FR]}
- {name: CA-EAST, members: [CA]}
- {name: CA-X, members: [CA]}
- {name: FINE, members: [EU, CH, EU, FINE-TOO]}
- {name: FINE-TOO, members: [CH, CA-QC]}
- {name: EU, members: [DE]}
- {name: NOBODY, members: []}",
    );
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    for (field, says) in [
        ("spec.groups[0].members", "contains itself"),
        ("spec.groups[1].members", "contains itself"),
        ("spec.groups[2].members", "did you mean GB?"),
        ("spec.groups[3].members", "NOWHERE"),
        ("spec.groups[4].name", "form of a country's code"),
        ("spec.groups[6].name", "part of CA"),
        ("spec.groups[9].name", "form of a country's code"),
    ] {
        assert!(
            told.iter().any(|line| line.contains(field) && line.contains(says)),
            "{field}: {says} in {told:#?}"
        );
    }
    assert_eq!(told.len(), 7, "{told:#?}");
    assert!(problems.iter().all(|problem| problem.kind == ProblemKind::Invalid && &*problem.object == "own"));
    for unusable in ["ROUND", "LOOP", "TYPO", "EEA"] {
        assert!(geography.resolve(unusable).is_err(), "{unusable}: the catalog's own does not stand in");
    }
    for (group, members) in [("FINE", 29), ("NOBODY", 0)] {
        let set = geography.resolve(group).unwrap();
        assert_eq!((set.len(), set.is_empty()), (members, members == 0), "{group}");
    }
    assert_eq!(geography.resolve("EU").unwrap().len(), 27, "nobody else says who is in the Union");
    assert_eq!(contains(&geography, "DE", "FR"), Tri::False);
}

/// How a group comes to contain itself is told whole where that is short.
#[test]
fn a_ring_of_groups_is_told() {
    for (count, told) in [
        (1, "(G0 > G0)"),
        (2, "(G0 > G1 > G0)"),
        (8, "(G0 > G1 > G2 > G3 > G4 > G5 > G6 > G7 > G0)"),
        (9, "(G0 > … > G8 > G0)"),
    ] {
        let groups: Vec<_> = (0..count)
            .map(|number| format!("{{name: G{number}, members: [G{}]}}", (number + 1) % count))
            .collect();
        let (_, problems) = with(&format!("groups: [{}]", groups.join(", ")));
        assert_eq!(problems.len(), count, "{problems:?}");
        let first = problems.iter().find(|problem| problem.field == "spec.groups[0].members").unwrap();
        assert!(first.message.contains(told), "{}", first.message);
    }
}

#[test]
fn a_wrong_entry_is_named_by_its_path_and_ignored() {
    let (geography, problems) = with(
        "regions:
- {provider: dc, region: fra, jurisdiction: DE}
- {provider: dc, region: '[', jurisdiction: DE}
- {provider: dc, region: waw, jurisdiction: POL}
- {provider: '', region: waw, jurisdiction: PL}
- {provider: dc, region: waw, zone: '', jurisdiction: PL}
- {provider: dc, region: waw, jurisdiction: PL, providerJurisdiction: CA-QC}
- {provider: dc, region: dup, jurisdiction: PL}
- {provider: dc, region: dup, jurisdiction: DE}
providers:
- {name: dc, zoneRule: '(', schemes: [dc]}
- {name: dc2, zoneRule: '^(?<area>.*)$'}
- {name: dc3, jurisdiction: Germany}
drivers:
- {name: x, copies: [{parameter: a, values: ['[']}]}
- {name: ''}",
    );
    let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "spec.regions[1].region",
            "spec.regions[2].jurisdiction",
            "spec.regions[3].provider",
            "spec.regions[4].zone",
            "spec.regions[5].providerJurisdiction",
            "spec.providers[0].zoneRule",
            "spec.providers[1].zoneRule",
            "spec.providers[2].jurisdiction",
            "spec.drivers[0].copies[0].values[0]",
            "spec.drivers[1].name",
            "spec.regions[6]",
            "spec.regions[7]",
        ]
    );
    assert_eq!(jurisdiction(&geography.ordinary("dc", "fra")).as_deref(), Some("DE"));
    assert!(!geography.knows_region("dc", "waw"));
    assert_eq!(jurisdiction(&geography.ordinary("dc", "dup")), None);
    let told = problems.last().unwrap().to_string();
    assert!(told.contains("region dup at dc"), "{told}");
}

#[test]
fn which_codes_a_glob_stands_for() {
    for (glob, few, means, others) in [
        ("za", Some(1), &["za"][..], &["z", "zb", "zaa", ""][..]),
        ("z[a-c]", Some(3), &["za", "zb", "zc"], &["z", "zd", "z[", "zab"]),
        ("z[a-a]", Some(1), &["za"], &["zb"]),
        ("z[acx]", Some(3), &["za", "zc", "zx"], &["zb"]),
        ("[ab]-[1-3]-x", Some(6), &["a-1-x", "b-3-x"], &["a-1-", "a-4-x", "c-1-x"]),
        // As many as are spelled out, and more.
        ("[a-h][a-h]", Some(64), &["aa", "hh"], &["ai", "ia"]),
        ("[a-h][a-i]", None, &["aa", "hi"], &["aj", "ia"]),
        ("z*", None, &["z", "za", "z/a"], &["y", "az", ""]),
        ("*z", None, &["z", "az"], &["za"]),
        ("a*b", None, &["ab", "axb", "a/b"], &["a", "b", "axbc", "ba"]),
        ("ab*ba", None, &["abba", "ab-ba"], &["aba", "ab", "ba"]),
        ("a*b*", None, &["ab", "axb", "axbx"], &["a", "b"]),
        ("z?", None, &["za"], &["z", "zab"]),
        ("z*?", None, &["za", "zab"], &["z"]),
        ("?z*", None, &["az", "azb"], &["z"]),
        ("{x,y}1", None, &["x1", "y1"], &["z1", "x"]),
        ("z[!a]", None, &["zb"], &["za", "z"]),
        ("z[a_]", None, &["za", "z_"], &["zb"]),
        ("z[y-~]", None, &["zy", "z~"], &["zx"]),
        ("z[a-c_]", None, &["zb", "z_"], &["zd"]),
    ] {
        let (geography, problems) =
            with(&format!("regions: [{{provider: dc, region: fra, zone: '{glob}', jurisdiction: DE}}]"));
        assert!(problems.is_empty(), "{glob}: {problems:?}");
        let entries: Vec<_> = geography.zone_entries("dc", "fra").collect();
        let [entry] = entries.as_slice() else { panic!("{glob}") };
        assert_eq!(entry.literals().map(|codes| codes.len()), few, "{glob}");
        assert!(means.iter().all(|code| entry.matches(code)), "{glob} does not mean all of {means:?}");
        assert!(!others.iter().any(|code| entry.matches(code)), "{glob} means one of {others:?}");
    }
}

#[test]
fn the_glob_that_says_more_decides() {
    let (geography, problems) = with(
        "regions:
- {provider: dc, region: 'r*', jurisdiction: DE}
- {provider: dc, region: 'r-1*', jurisdiction: FR}
- {provider: dc, region: 'r-1-x', jurisdiction: PL}
# What stands for something else says nothing by itself.
- {provider: dc, region: 'r-[123]', jurisdiction: ES}
- {provider: dc, region: 's-{1,2,3}', jurisdiction: ES}
- {provider: dc, region: 's-1*', jurisdiction: FR}
- {provider: dc, region: 't??', jurisdiction: ES}
- {provider: dc, region: 't-*', jurisdiction: FR}
- {provider: dc, region: 'u[ab]-c', jurisdiction: ES}
- {provider: dc, region: 'ua*', jurisdiction: FR}",
    );
    assert!(problems.is_empty(), "{problems:?}");
    for (region, expected) in [
        ("r", "DE"),
        ("r-4", "DE"),
        ("r-2", "ES"),
        ("r-1", "FR"),
        ("r-1-y", "FR"),
        ("r-1-x", "PL"),
        ("s-2", "ES"),
        ("s-1", "FR"),
        ("tab", "ES"),
        ("t-a", "FR"),
        ("ub-c", "ES"),
        ("ua-c", "ES"),
        ("ua-d", "FR"),
    ] {
        assert_eq!(jurisdiction(&geography.ordinary("dc", region)).as_deref(), Some(expected), "{region}");
    }
}

/// Of two objects that say different countries, where it depends on whether some code is of both.
#[test]
fn globs_that_have_a_code_in_common_must_agree() {
    let said = |region: &str, zone: &str, jurisdiction: &str| -> GeographySpec {
        let zone = if zone.is_empty() { String::new() } else { format!("zone: '{zone}', ") };
        let text =
            format!("regions: [{{provider: dc, region: '{region}', {zone}jurisdiction: {jurisdiction}}}]");
        serde_saphyr::from_str(&text).unwrap()
    };
    for (one, other, common) in [
        ("fra", "fra", true),
        ("fra", "frb", false),
        ("fra*", "fra*", true),
        ("fra*", "frb*", false),
        ("fra-*", "fr*-1", true),
        ("a?b", "a*b", true),
        ("a[xy]", "a[yz]", true),
        ("a[xy]", "a[zw]", false),
        ("a[xy]b", "a*b", true),
        ("a[xy]b", "b*a", false),
        ("a?b", "a[xy]b", true),
        ("{x,y}1", "{x,y}1", true),
        // The one that says more decides, and need not agree.
        ("fra*", "fra-1*", false),
        ("fra", "fra*", false),
    ] {
        for (one, other) in [(one, other), (other, one)] {
            for (regions, zones) in [((one, other), ("", "")), (("fra", "fra"), (one, other))] {
                let (a, b) = (said(regions.0, zones.0, "DE"), said(regions.1, zones.1, "FR"));
                let (_, problems) = Geography::with_objects([("a", &a), ("b", &b)]);
                assert_eq!(problems.len(), if common { 2 } else { 0 }, "{regions:?} {zones:?}: {problems:?}");
                // The same country twice is no matter.
                let same = said(regions.1, zones.1, "DE");
                assert_eq!(Geography::with_objects([("a", &a), ("b", &same)]).1.len(), 0);
            }
        }
    }
    // A zone's row and a region's are two steps.
    let (a, b) = (said("fra", "", "DE"), said("fra", "z", "FR"));
    assert!(Geography::with_objects([("a", &a), ("b", &b)]).1.is_empty());
}

#[test]
fn a_place_of_a_provider() {
    let geography = built_in();
    let located = |region, zone| match geography.locate_in("aws", region, zone) {
        Known::Consistent(location) => location,
        Known::Inconsistent => panic!("{region:?} {zone:?}"),
    };
    let istanbul = located(None, Some("eu-central-1-ist-1b"));
    assert_eq!(
        (jurisdiction(&istanbul).as_deref(), istanbul.region.as_deref()),
        (Some("TR"), Some("eu-central-1"))
    );
    assert_eq!(jurisdiction(&located(Some("eu-central-1"), None)), None);
    assert_eq!(jurisdiction(&located(Some("eu-central-1"), Some("eu-central-1-new-1a"))), None);
    assert_eq!(jurisdiction(&geography.ordinary("aws", "eu-central-1")).as_deref(), Some("DE"));
    assert_eq!(geography.locate_in("aws", Some("eu-west-1"), Some("eu-west-2a")), Known::Inconsistent);
    assert_eq!(
        geography.locate_in("aws", Some("eu-west-1"), Some("eu-central-1-ist-1b")),
        Known::Inconsistent
    );
    let unlisted = |zone| {
        let region = Some("r".into());
        Known::Consistent(Location { provider: Some("nobody".into()), region, zone, ..Location::default() })
    };
    assert_eq!(geography.locate_in("nobody", Some("r"), Some("z")), unlisted(Some("z".into())));
    assert_eq!(geography.locate_in("nobody", Some("r"), Some("")), unlisted(None));
    assert_eq!(Known::Consistent(geography.ordinary("nobody", "r")), unlisted(None));
    // Azure's for a machine that is in no zone; AWS has no such zone.
    for (provider, region, zone, expected) in [
        ("azure", "westeurope", "0", (Some("NL"), None)),
        ("azure", "westeurope", "", (Some("NL"), None)),
        ("aws", "eu-west-1", "", (Some("IE"), None)),
        ("aws", "eu-west-1", "0", (None, Some("0"))),
    ] {
        let Known::Consistent(place) = geography.locate_in(provider, Some(region), Some(zone)) else {
            panic!()
        };
        assert_eq!((jurisdiction(&place).as_deref(), place.zone.as_deref()), expected, "{provider} {zone}");
    }
    let ordinary = geography.ordinary("aws", "eu-central-1");
    assert_eq!(
        (ordinary.provider.as_deref(), ordinary.region.as_deref()),
        (Some("aws"), Some("eu-central-1"))
    );
    let law = |provider| geography.law_anywhere(provider).map(|code| code.to_string());
    assert_eq!(law("hetzner").as_deref(), Some("DE"));
    assert_eq!((law("aws"), law("nobody")), (None, None), "others run its regions in China");
}

#[test]
fn the_zones_of_a_region() {
    let geography = built_in();
    let foreign: BTreeSet<_> = geography
        .zone_entries("aws", "eu-central-1")
        .filter(ZoneEntry::is_foreign)
        .map(|entry| (entry.pattern().to_owned(), jurisdiction(entry.location()).unwrap()))
        .collect();
    let expected = [("ath", "GR"), ("ist", "TR"), ("waw", "PL")];
    assert_eq!(
        foreign,
        expected.map(|(city, code)| (format!("eu-central-1-{city}-1[a-z]"), code.to_owned())).into()
    );
    let hamburg = geography
        .zone_entries("aws", "eu-central-1")
        .find(|entry| entry.matches("eu-central-1-ham-1a"))
        .unwrap();
    assert!(!hamburg.is_foreign());
    assert_eq!(hamburg.literals().unwrap().len(), 26);
    assert!(!geography.has_foreign_zones("aws", "eu-west-1"));

    let (moved, problems) = with(
        "regions: [{provider: aws, region: eu-west-3, zone: 'eu-west-3-cmn-wlz-1[a-z]', jurisdiction: FR}]",
    );
    assert!(problems.is_empty());
    assert!(!moved.has_foreign_zones("aws", "eu-west-3"), "a row of the same zones replaces the catalog's");
    assert!(geography.has_foreign_zones("aws", "eu-west-3"));
}

#[test]
fn a_place_named_without_its_provider() {
    let geography = built_in();
    let named = |providers: &[&str], region, zone| geography.locate_named(&names(providers), region, zone);
    let location = named(&["aws", "hetzner"], Some("eu-west-1"), None);
    assert_eq!((jurisdiction(&location).as_deref(), location.provider.as_deref()), (Some("IE"), Some("aws")));
    // A zone can be one of any region at Hetzner, and is not where the region is none of Hetzner's.
    let zone = named(&["aws", "hetzner"], Some("eu-west-1"), Some("eu-west-1a"));
    assert_eq!((jurisdiction(&zone).as_deref(), zone.provider.as_deref()), (Some("IE"), Some("aws")));
    assert_eq!(jurisdiction(&named(&["aws", "alibaba"], Some("eu-west-1"), None)), None);
    let both = named(&["aws", "alibaba"], Some("us-west-1"), Some("us-west-1a"));
    assert_eq!(
        (jurisdiction(&both).as_deref(), both.provider, both.provider_jurisdiction),
        (Some("US"), None, None)
    );
    assert_eq!(
        jurisdiction(&named(&["aws", "alibaba"], Some("eu-central-1"), Some("eu-central-1-ist-1a"))),
        None
    );
    assert_eq!(jurisdiction(&named(&["aws"], None, Some("eu-west-2a"))).as_deref(), Some("GB"));
    assert_eq!(jurisdiction(&named(&["hetzner"], Some("eu-west-1"), None)), None);
    assert_eq!(jurisdiction(&named(&["aws"], Some("eu-west-1"), Some("us-east-1a"))), None);
    assert_eq!(jurisdiction(&named(&[], Some("fsn1"), None)), None);
    let nowhere = named(&["aws"], Some("rack-1"), Some("z"));
    let expected = Location { region: Some("rack-1".into()), zone: Some("z".into()), ..Location::default() };
    assert_eq!(nowhere, expected, "what nobody knows is still called so");
    // Of one whose regions nobody knows it can be a region or a zone, whatever others call so.
    for own in ["openstack", "kind"] {
        assert_eq!(jurisdiction(&named(&["aws", own], Some("eu-west-1"), None)), None, "{own}");
        assert_eq!(named(&[own], Some("eu-west-1"), None).provider.as_deref(), Some(own));
    }
    assert_eq!(jurisdiction(&named(&["aws"], Some("eu-west-1"), None)).as_deref(), Some("IE"));
    // Where zones do not say their region, each region can have one of this name.
    let (own, problems) =
        with("regions: [{provider: dc, region: fra, jurisdiction: DE}]\nproviders: [{name: dc}]");
    assert_eq!(problems, []);
    let anywhere = own.locate_named(&names(&["dc"]), None, Some("z"));
    assert_eq!(anywhere, Location { provider: Some("dc".into()), ..Location::default() });
    for (provider, zone, expected) in
        [("dc", "z", true), ("aws", "eu-west-1a", false), ("aws", "z", false), ("nobody", "z", true)]
    {
        assert_eq!(own.is_zone_of_any_region(provider, zone), expected, "{provider} {zone}");
    }
}

#[test]
fn whose_codes_a_name_can_be() {
    let geography = built_in();
    let of = |providers: &[&str], any_unknown| {
        geography
            .candidates(&ClusterProviders { providers: names(providers).into_iter().collect(), any_unknown })
    };
    assert_eq!(of(&["aws", "kind"], false), names(&["aws", "kind"]));
    let every: BTreeSet<_> = geography.rows().map(|row| Arc::clone(&row.provider)).collect();
    assert_eq!(of(&[], false), every.iter().cloned().collect::<Vec<_>>());
    assert_eq!(of(&["kind"], true).len(), every.len() + 1);
    // It has no codes that are known, and so any; where it is not, it has none.
    assert!(geography.names_its_own_regions("openstack") && geography.names_its_own_regions("kind"));
    assert!(
        !of(&[], false).contains(&"openstack".into())
            && of(&["openstack"], true).contains(&"openstack".into())
    );
}

#[test]
fn drivers_by_every_name() {
    let geography = built_in();
    for (name, csi, provider) in [
        ("kubernetes.io/aws-ebs", "ebs.csi.aws.com", Some("aws")),
        ("awsElasticBlockStore", "ebs.csi.aws.com", Some("aws")),
        ("gcePersistentDisk", "pd.csi.storage.gke.io", Some("gcp")),
        ("azureDisk", "disk.csi.azure.com", Some("azure")),
        ("azureFile", "file.csi.azure.com", Some("azure")),
        ("cinder", "cinder.csi.openstack.org", Some("openstack")),
        ("vsphereVolume", "csi.vsphere.vmware.com", Some("vsphere")),
        ("portworxVolume", "pxd.portworx.com", None),
        ("hostPath", "hostPath", None),
    ] {
        let driver = geography.driver(name).unwrap();
        assert_eq!((&*driver.name, driver.provider.as_deref()), (csi, provider), "{name}");
    }
    assert_eq!(canonical_driver("example.com/own"), "example.com/own");
    assert!(geography.driver("example.com/own").is_none());
    for (name, placement) in [
        ("ebs.csi.aws.com", VolumePlacement::Cluster),
        ("driver.longhorn.io", VolumePlacement::Cluster),
        ("rancher.io/local-path", VolumePlacement::NodeLocal),
        ("local", VolumePlacement::NodeLocal),
        ("nfs", VolumePlacement::Unknown),
        ("efs.csi.aws.com", VolumePlacement::Unknown),
        ("file.csi.azure.com", VolumePlacement::Unknown),
    ] {
        assert_eq!(geography.driver(name).unwrap().placement, placement, "{name}");
    }
    let snapshots = &geography.driver("pd.csi.storage.gke.io").unwrap().snapshots;
    assert_eq!(snapshots.location_parameter.as_deref(), Some("storage-locations"));
    assert_eq!(snapshots.default, SnapshotDefault::Unknown);
}

#[test]
fn copies_that_cross_a_border() {
    let geography = built_in();
    for name in ["file.csi.azure.com", "blob.csi.azure.com"] {
        let driver = geography.driver(name).unwrap();
        let region_of_copy = |parameter, value, region| {
            driver
                .copies
                .iter()
                .find(|copies| copies.asks(parameter, value))
                .map(|copies| copies.region_of_copy(region))
        };
        for value in ["Standard_GRS", "standard_ragrs", "Standard_GZRS", "Standard_RAGZRS"] {
            let to = region_of_copy("skuname", value, "brazilsouth").unwrap();
            assert_eq!(to.map(|region| &**region), Some("southcentralus"), "{value}");
        }
        assert_eq!(
            region_of_copy("storageAccountType", "Standard_GRS", "uksouth"),
            Some(None),
            "where to is unknown"
        );
        for value in ["Standard_LRS", "Premium_ZRS"] {
            assert_eq!(region_of_copy("skuName", value, "brazilsouth"), None, "{value}");
        }
    }
}

#[test]
fn keys_of_drivers() {
    let geography = built_in();
    let owner = |keys: &[(Arc<str>, Option<Arc<str>>)], key: &str| {
        keys.iter().find(|(known, _)| **known == *key).map(|(_, owner)| owner.as_deref().map(str::to_owned))
    };
    assert_eq!(owner(geography.zone_keys(), "topology.gke.io/zone"), Some(Some("gcp".into())));
    assert_eq!(owner(geography.zone_keys(), "topology.kubernetes.io/zone"), None, "it is Kubernetes' own");
    assert_eq!(owner(geography.region_keys(), "csi.hetzner.cloud/location"), Some(Some("hetzner".into())));
    assert_eq!(owner(geography.zone_keys(), "topology.rbd.csi.ceph.com/zone"), Some(None));

    let (own, problems) = with(
        "drivers:
- {name: a, provider: one, topologyKeys: [k/one, k/both, k/any]}
- {name: b, provider: one, topologyKeys: [k/one]}
- {name: c, provider: two, topologyKeys: [k/both]}
- {name: d, topologyKeys: [k/any]}",
    );
    assert_eq!(problems, []);
    for (key, expected) in [("k/one", Some("one")), ("k/both", None), ("k/any", None)] {
        assert_eq!(owner(own.zone_keys(), key), Some(expected.map(str::to_owned)), "{key}");
    }
}

#[test]
fn a_users_driver_and_provider_keep_what_they_do_not_mention() {
    let (geography, problems) = with(
        "drivers: [{name: file.csi.azure.com, placement: Cluster}, {name: own.example, provider: dc, topologyKeys: [own.example/zone]}]
providers: [{name: aws, jurisdiction: DE}]",
    );
    assert!(problems.is_empty(), "{problems:?}");
    let driver = geography.driver("azureFile").unwrap();
    assert_eq!((driver.placement, driver.copies.len()), (VolumePlacement::Cluster, 3));
    assert!(
        geography
            .zone_keys()
            .iter()
            .any(|(key, owner)| &**key == "own.example/zone" && owner.as_deref() == Some("dc"))
    );
    assert_eq!(
        geography.locate_in("aws", Some("eu-west-1"), Some("us-east-1a")),
        Known::Inconsistent,
        "the zone rule stays"
    );
    let aws = geography.provider_entries().find(|provider| &*provider.name == "aws").unwrap();
    assert_eq!(aws.jurisdiction().unwrap().to_string(), "DE");
}

fn both(a: &str, b: &str) -> (Arc<Geography>, Vec<Problem>) {
    let [a, b]: [GeographySpec; 2] = [a, b].map(|text| serde_saphyr::from_str(text).unwrap());
    Geography::with_objects([("a", &a), ("b", &b)])
}

#[test]
fn objects_may_disagree_about_schemes_and_drivers() {
    let (geography, problems) = both(
        "providers: [{name: one, schemes: [dc, own]}]
drivers: [{name: d, placement: Cluster, provider: one, topologyKeys: [d/zone, d/rack], snapshots: {default: Source}}]",
        "providers: [{name: two, schemes: [dc]}]
drivers: [{name: d, placement: NodeLocal, topologyKeys: [d/rack, d/hall], snapshots: {locationParameter: where}}]",
    );
    assert_eq!(problems.len(), 4, "{problems:?}");
    assert!(problems.iter().all(|problem| matches!(problem.kind, ProblemKind::Conflict { .. })));
    assert_eq!(geography.provider_of("dc://x"), None);
    for provider in geography.provider_entries().filter(|provider| ["one", "two"].contains(&&*provider.name))
    {
        let own = if &*provider.name == "one" { names(&["own"]) } else { Vec::new() };
        assert_eq!(provider.schemes, own, "one that is disputed is nobody's");
    }
    let driver = geography.driver("d").unwrap();
    assert_eq!((driver.placement, driver.provider.as_deref()), (VolumePlacement::Unknown, None));
    assert_eq!(driver.topology_keys, names(&["d/zone", "d/rack", "d/hall"]), "whatever either looks at");
    assert_eq!(
        (&driver.snapshots.location_parameter, driver.snapshots.default),
        (&None, SnapshotDefault::Unknown)
    );

    let (geography, problems) = both(
        "drivers: [{name: d, placement: Cluster, snapshots: {locationParameter: where}}]",
        "drivers: [{name: d, placement: NodeLocal, snapshots: {locationParameter: where}}]",
    );
    assert_eq!(problems.len(), 2, "{problems:?}");
    let snapshots = &geography.driver("d").unwrap().snapshots;
    assert_eq!(
        (snapshots.location_parameter.as_deref(), snapshots.default),
        (Some("where"), SnapshotDefault::Source),
        "in this they agree"
    );
}

/// Who says the same twice, only with other sources or in another order, disagrees with nobody.
#[test]
fn objects_that_say_the_same() {
    let (geography, problems) = both(
        "groups: [{name: NEAR, members: [DE, FR]}]
providers: [{name: dc, zoneRule: '^(?<region>[a-z]+)-.$', jurisdiction: DE}]
drivers: [{name: d, placement: Cluster, source: here}]",
        "groups: [{name: NEAR, members: [FR, DE, FR]}]
providers: [{name: dc, zoneRule: '^(?<region>[a-z]+)-.$', jurisdiction: DE}]
drivers: [{name: d, placement: Cluster, source: there}]",
    );
    assert_eq!(problems, []);
    assert_eq!(geography.resolve("NEAR").unwrap().len(), 2);
    assert_eq!(geography.driver("d").unwrap().placement, VolumePlacement::Cluster);
    let Known::Consistent(place) = geography.locate_in("dc", None, Some("fra-1")) else { panic!() };
    assert_eq!(place.region.as_deref(), Some("fra"));
}

#[test]
fn objects_that_disagree_about_zones() {
    let place = |rule: &str| {
        let (geography, problems) = both(
            "regions: [{provider: dc, region: fra, jurisdiction: DE}]
providers: [{name: dc, zoneRule: '^(?<region>[a-z]+)-.$'}]",
            &format!("providers: [{{name: dc, zoneRule: '{rule}'}}]"),
        );
        let Known::Consistent(place) = geography.locate_in("dc", Some("fra"), Some("fra-1")) else {
            panic!()
        };
        (jurisdiction(&place), problems.len())
    };
    assert_eq!(place("^(?<region>[a-z]+)-.$"), (Some("DE".into()), 0));
    assert_eq!(place("^(?<region>fra)"), (None, 2), "then a zone that no row lists is anywhere");
}

#[test]
fn regions_that_cannot_be_listed() {
    let rows = |regions: &[&str]| {
        let rows: Vec<_> = regions
            .iter()
            .map(|region| format!("{{provider: dc, region: '{region}', jurisdiction: DE}}"))
            .collect();
        with(&format!("regions: [{}]", rows.join(", "))).0
    };
    for (regions, expected) in [
        (&["fra", "ham"][..], false),
        (&["fra*"], true),
        (&["fra*", "ham"], true),
        (&["ham", "fra*"], true),
        (&["ham", "fra*", "muc"], true),
    ] {
        assert_eq!(rows(regions).has_unlisted_regions("dc"), expected, "{regions:?}");
    }
    assert!(built_in().has_unlisted_regions("dc"), "nobody knows it");
}

#[test]
fn three_values() {
    let all = [Tri::True, Tri::False, Tri::Unknown];
    for a in all {
        for b in all {
            assert_eq!(a.and(b), b.and(a));
            assert_eq!(!(a.and(b)), (!a).or(!b), "De Morgan");
        }
        assert_eq!(a.and(Tri::False), Tri::False);
        assert_eq!(a.or(Tri::True), Tri::True);
        assert_eq!(a.and(Tri::True), a);
    }
    assert_eq!(Tri::Unknown.or(Tri::False), Tri::Unknown);
    assert!(Tri::from(true).is_true() && Tri::from(false).is_false());
    assert!(
        !Tri::Unknown.is_true() && !Tri::Unknown.is_false() && !Tri::True.is_false() && !Tri::False.is_true()
    );
}
