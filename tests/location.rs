//! Where a node is: one table for each rule of section 3 of the semantics.

#![allow(clippy::unwrap_used, clippy::panic, clippy::too_many_lines, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use domicile::api::GeographySpec;
use domicile::geography::{Defaults, Geography, Located};

const REGION: &str = "topology.kubernetes.io/region";
const ZONE: &str = "topology.kubernetes.io/zone";
const BETA_REGION: &str = "failure-domain.beta.kubernetes.io/region";
const BETA_ZONE: &str = "failure-domain.beta.kubernetes.io/zone";
const EBS_ZONE: &str = "topology.ebs.csi.aws.com/zone";
const PLAIN: &str = "domicile.dev/jurisdiction";
const RESTRICTED: &str = "domicile.dev.node-restriction.kubernetes.io/jurisdiction";
const PLAIN_LAW: &str = "domicile.dev/provider-jurisdiction";
const RESTRICTED_LAW: &str = "domicile.dev.node-restriction.kubernetes.io/provider-jurisdiction";

fn objects(yaml: &[(&str, &str)]) -> Arc<Geography> {
    let specs: Vec<(&str, GeographySpec)> =
        yaml.iter().map(|(name, text)| (*name, serde_saphyr::from_str(text).unwrap())).collect();
    Geography::with_objects(specs.iter().map(|(name, spec)| (*name, spec))).0
}

fn defaults(jurisdiction: &str, provider_jurisdiction: &str) -> Defaults {
    Defaults {
        jurisdiction: jurisdiction.parse().ok(),
        provider_jurisdiction: provider_jurisdiction.parse().ok(),
    }
}

fn locate(geography: &Geography, id: &str, labels: &[(&str, &str)]) -> Located {
    let labels: BTreeMap<_, _> =
        labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    geography.locate_node(&labels, id, &Defaults::default())
}

fn jurisdiction(located: &Located) -> String {
    located.location.jurisdiction.map_or("?".into(), |code| code.to_string())
}

fn law(located: &Located) -> String {
    located.location.provider_jurisdiction.map_or("?".into(), |code| code.to_string())
}

/// Each row: why, spec.providerID, labels, jurisdiction (`?` is unknown), whether it is a conflict.
type Table<'a> = &'a [(&'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, bool)];

fn check(geography: &Geography, table: Table<'_>) {
    for (why, id, labels, expected, conflict) in table {
        let located = locate(geography, id, labels);
        assert_eq!(jurisdiction(&located), *expected, "{why}: {located:?}");
        assert_eq!(!located.conflicts.is_empty(), *conflict, "{why}: {located:?}");
    }
}

#[test]
fn section_3_1_the_provider_is_told_by_the_scheme() {
    let geography = Geography::builtin().unwrap();
    for (id, provider) in [
        ("aws:///eu-west-1a/i-0abc", Some("aws")),
        ("gce://project/europe-west1-b/name", Some("gcp")),
        ("azure:///subscriptions/x", Some("azure")),
        ("hcloud://4711", Some("hetzner")),
        ("hrobot://4711", Some("hetzner")),
        ("digitalocean://1", Some("digitalocean")),
        ("openstack:///uuid", Some("openstack")),
        ("ocid1.instance.oc1.phx.abc", Some("oci")),
        ("cn-hangzhou.i-bp1abc", Some("alibaba")),
        ("alicloud://cn-hangzhou.i-bp1abc", Some("alibaba")),
        ("qcloud:///100003/ins-1", Some("tencent")),
        ("eks-hybrid:///eu-central-1/cluster/node", Some("eks-hybrid")),
        ("kind://docker/kind/node", Some("kind")),
        ("something.else", None),
        ("no-scheme-at-all", None),
        ("://x", None),
        ("", None),
    ] {
        assert_eq!(geography.provider_of(id).as_deref(), provider, "{id}");
    }
}

#[test]
fn section_3_2_a_zone_fits_its_provider_or_is_listed() {
    check(
        &Geography::builtin().unwrap(),
        &[
            (
                "an ordinary zone",
                "aws:///eu-central-1a/i",
                &[(REGION, "eu-central-1"), (ZONE, "eu-central-1a")],
                "DE",
                false,
            ),
            (
                "a zone abroad carries its parent's region label",
                "aws:///eu-central-1-ist-1a/i",
                &[(REGION, "eu-central-1"), (ZONE, "eu-central-1-ist-1a")],
                "TR",
                false,
            ),
            (
                "Casablanca under Paris",
                "aws:///eu-west-3-cmn-wlz-1a/i",
                &[(REGION, "eu-west-3")],
                "MA",
                false,
            ),
            ("Buenos Aires under Virginia", "", &[(ZONE, "us-east-1-bue-1a")], "AR", false),
            (
                "an unlisted suffix is never the region's",
                "aws:///eu-central-1-xyz-1a/i",
                &[(REGION, "eu-central-1"), (ZONE, "eu-central-1-xyz-1a")],
                "?",
                false,
            ),
            (
                "two letters are no ordinary zone",
                "aws:///x/i",
                &[(REGION, "eu-west-1"), (ZONE, "eu-west-1ab")],
                "?",
                true,
            ),
            (
                "two letters, and nothing else said",
                "aws://",
                &[(REGION, "eu-west-1"), (ZONE, "eu-west-1ab")],
                "?",
                false,
            ),
            ("the region of the zone", "aws:///eu-west-2a/i", &[], "GB", false),
            (
                "a zone in the country of its region",
                "aws:///us-east-1-bos-1a/i",
                &[(REGION, "us-east-1")],
                "US",
                false,
            ),
            (
                "a dedicated zone whose group ends in a letter",
                "aws:///ap-southeast-1-sggov-sin-1a/i",
                &[],
                "SG",
                false,
            ),
            (
                "Google's form",
                "gce://p/europe-west6-a/n",
                &[(REGION, "europe-west6"), (ZONE, "europe-west6-a")],
                "CH",
                false,
            ),
            (
                "a project of Google's that bears a domain is no region",
                "gce://my-shop.example:web/europe-west6-a/n",
                &[(REGION, "europe-west6"), (ZONE, "europe-west6-a")],
                "CH",
                false,
            ),
            (
                "Google's AI zones meet the residency of their region",
                "gce://p/us-central1-ai1a/n",
                &[(REGION, "us-central1"), (ZONE, "us-central1-ai1a")],
                "US",
                false,
            ),
            (
                "four parts are no zone of Google's own cloud",
                "gce://p/u-france-east1-a/n",
                &[(REGION, "u-france-east1"), (ZONE, "u-france-east1-a")],
                "?",
                false,
            ),
            ("Scaleway", "scaleway://instance/nl-ams-1/uuid", &[(REGION, "nl-ams")], "NL", false),
            (
                "no rule: an unlisted zone says nothing",
                "openstack:///uuid",
                &[(REGION, "eu-de"), (ZONE, "nova")],
                "?",
                false,
            ),
            (
                "Hetzner's zone is a name of old",
                "hcloud://1",
                &[(REGION, "fsn1"), (ZONE, "fsn1-dc14")],
                "DE",
                false,
            ),
            (
                "an AKS machine in no zone",
                "azure:///x",
                &[(REGION, "westeurope"), (ZONE, "0"), ("topology.disk.csi.azure.com/zone", "")],
                "NL",
                false,
            ),
            (
                "an AKS fault domain",
                "azure:///x",
                &[(REGION, "westeurope"), (ZONE, "2"), ("topology.disk.csi.azure.com/zone", "")],
                "NL",
                false,
            ),
            ("an AKS zone", "azure:///x", &[(REGION, "westeurope"), (ZONE, "westeurope-1")], "NL", false),
            (
                "a zone key of the driver stands in",
                "aws://",
                &[(REGION, "eu-central-1"), (EBS_ZONE, "eu-central-1-ist-1a")],
                "TR",
                false,
            ),
            (
                "a region key of the driver stands in",
                "hcloud://1",
                &[("csi.hetzner.cloud/location", "hel1")],
                "FI",
                false,
            ),
            ("DigitalOcean's key without prefix", "digitalocean://1", &[("region", "fra1")], "DE", false),
            ("that key means nothing elsewhere", "aws:///eu-west-1a/i", &[("region", "emea")], "IE", false),
            ("exoscale: dk is not Denmark", "exoscale://1", &[(REGION, "ch-dk-2")], "CH", false),
            (
                "a Tencent zone and its number",
                "qcloud:///1/ins",
                &[
                    (REGION, "ap-guangzhou"),
                    (ZONE, "100003"),
                    ("topology.com.tencent.cloud.csi.cbs/zone", "ap-guangzhou-3"),
                ],
                "CN",
                false,
            ),
            (
                "an OCI short name",
                "ocid1.instance.oc1.phx.a",
                &[(REGION, "phx"), (ZONE, "PHX-AD-1")],
                "US",
                false,
            ),
        ],
    );
}

#[test]
fn section_3_2_a_region_with_zones_abroad_needs_a_zone() {
    let geography = Geography::builtin().unwrap();
    check(
        &geography,
        &[
            (
                "Frankfurt has zones in Turkey, Poland, Greece",
                "aws://",
                &[(REGION, "eu-central-1")],
                "?",
                false,
            ),
            ("neither a plain label", "aws://", &[(REGION, "eu-central-1"), (PLAIN, "DE")], "?", false),
            ("Dublin has none", "aws://", &[(REGION, "eu-west-1")], "IE", false),
            ("Montreal has one in Ontario", "aws://", &[(REGION, "ca-central-1")], "?", false),
        ],
    );
    let located = geography.locate_node(
        &BTreeMap::from([(REGION.to_owned(), "eu-central-1".to_owned())]),
        "aws://",
        &defaults("DE", "DE"),
    );
    assert_eq!(jurisdiction(&located), "?", "the cluster's default does not decide either");
    assert!(located.doubt.unwrap().contains(ZONE));
}

#[test]
fn section_3_2_without_a_rule_a_zone_that_no_row_lists_is_the_regions() {
    let geography = objects(&[(
        "dc",
        "regions:
- {provider: dc, region: fra, jurisdiction: DE}
- {provider: dc, region: fra, zone: basel, jurisdiction: CH}
- {provider: dc, region: waw, jurisdiction: PL}",
    )]);
    check(
        &geography,
        &[
            ("listed", "dc://1", &[(REGION, "fra"), (ZONE, "basel")], "CH", false),
            ("named, and not listed", "dc://1", &[(REGION, "fra"), (ZONE, "rack-1")], "DE", false),
            ("none, empty, or 0", "dc://1", &[(REGION, "fra")], "?", false),
            ("none, empty, or 0", "dc://1", &[(REGION, "fra"), (ZONE, "")], "?", false),
            ("none, empty, or 0", "dc://1", &[(REGION, "fra"), (ZONE, "0")], "?", false),
            (
                "the name of a zone of another region",
                "dc://1",
                &[(REGION, "waw"), (ZONE, "basel")],
                "PL",
                false,
            ),
            ("a listed zone tells its region", "dc://1", &[(ZONE, "basel")], "CH", false),
        ],
    );
    assert!(geography.has_foreign_zones("dc", "fra"));
    assert!(!geography.has_foreign_zones("dc", "waw"));
}

#[test]
fn section_3_3_the_most_specific_decides() {
    let geography = objects(&[(
        "own",
        "regions:
- {provider: aws, region: eu-central-1, jurisdiction: AT}
- {provider: aws, region: eu-west-1, zone: eu-west-1c, jurisdiction: GB}
- {provider: aws, region: eu-west-2, zone: 'eu-west-2-new-*', jurisdiction: IE}
- {provider: aws, region: eu-central-1, zone: 'eu-central-1-*', jurisdiction: AT}
- {provider: aws, region: 'eu-*', jurisdiction: LU}
- {provider: dc, region: '*', jurisdiction: DE}
- {provider: dc, region: 'waw*', jurisdiction: PL}
- {provider: dc, region: waw9, jurisdiction: CZ}",
    )]);
    check(
        &geography,
        &[
            (
                "the restricted label outranks the catalog",
                "aws:///eu-central-1a/i",
                &[(RESTRICTED, "TR")],
                "TR",
                false,
            ),
            ("and a zone's row", "aws:///eu-west-1c/i", &[(RESTRICTED, "FR")], "FR", false),
            ("and what would be unknown", "aws:///eu-central-1-xyz-1a/i", &[(RESTRICTED, "FR")], "FR", false),
            ("a user's row beats the catalog's", "aws:///eu-central-1a/i", &[], "AT", false),
            ("and does not move Istanbul", "aws:///eu-central-1-ist-1a/i", &[], "TR", false),
            ("but what the catalog does not name", "aws:///eu-central-1-new-1a/i", &[], "AT", false),
            ("a zone before its region", "aws:///eu-west-1c/i", &[], "GB", false),
            ("its neighbour is the region's", "aws:///eu-west-1a/i", &[], "IE", false),
            (
                "a listed zone needs no form",
                "aws:///eu-west-2-new-1a/i",
                &[(REGION, "eu-west-2")],
                "IE",
                false,
            ),
            ("a code before a glob, whoever wrote it", "aws:///eu-west-3a/i", &[], "FR", false),
            ("a glob for what nobody names", "aws:///eu-north-9a/i", &[], "LU", false),
            ("a longer glob before a shorter", "dc://1", &[(REGION, "waw1")], "PL", false),
            ("a code before both", "dc://1", &[(REGION, "waw9")], "CZ", false),
            ("the shortest for the rest", "dc://1", &[(REGION, "x")], "DE", false),
            (
                "the plain label where the geography is silent",
                "kind://a",
                &[(PLAIN, "CA-QC")],
                "CA-QC",
                false,
            ),
            ("nothing", "kind://a", &[], "?", false),
        ],
    );
    let silent = BTreeMap::new();
    let located = geography.locate_node(&silent, "kind://a", &defaults("NL", "NL"));
    assert_eq!((jurisdiction(&located), law(&located)), ("NL".into(), "NL".into()), "the default comes last");
    let plain = BTreeMap::from([(PLAIN.to_owned(), "BE".to_owned())]);
    let located = geography.locate_node(&plain, "kind://a", &defaults("NL", "NL"));
    assert_eq!(jurisdiction(&located), "BE", "the plain label before the default");
}

#[test]
fn section_3_3_a_code_without_a_provider_must_mean_one_country() {
    let geography = Geography::builtin().unwrap();
    check(
        &geography,
        &[
            ("Ireland or the United Kingdom", "", &[(REGION, "eu-west-1")], "?", false),
            ("a plain label does not settle it", "", &[(REGION, "eu-west-1"), (PLAIN, "IE")], "?", false),
            ("the restricted one does", "", &[(REGION, "eu-west-1"), (RESTRICTED, "IE")], "IE", false),
            ("Italy at both", "", &[(REGION, "it-mil")], "IT", false),
            ("one provider only", "", &[(REGION, "fsn1")], "DE", false),
            ("nobody's: the next rule", "", &[(REGION, "rack-1"), (PLAIN, "DE")], "DE", false),
            ("another provider's code means nothing", "kind://x", &[(REGION, "fsn1")], "?", false),
            (
                "a known provider settles it",
                "alicloud://eu-west-1.i-1",
                &[(REGION, "eu-west-1")],
                "GB",
                false,
            ),
            ("one of them may have zones abroad", "", &[(REGION, "eu-central-1")], "?", false),
            ("a driver's label says whose zone it is", "", &[(EBS_ZONE, "us-east-1a")], "US", false),
            ("but not of a provider that is known", "kind://x", &[(EBS_ZONE, "us-east-1a")], "?", false),
        ],
    );
    assert_eq!(locate(&geography, "kind://x", &[(EBS_ZONE, "us-east-1a")]).location.zone, None);
    for (labels, doubt) in [
        (&[(REGION, "eu-west-1")][..], Some("eu-west-1 is not one place for every provider")),
        (&[(REGION, "eu-west-1"), (RESTRICTED, "IE")], None),
        (&[(REGION, "fsn1")], None),
        (&[(REGION, "rack-1")], None),
    ] {
        let told = locate(&geography, "", labels).doubt;
        assert_eq!(told.is_some(), doubt.is_some(), "{labels:?}: {told:?}");
        assert!(told.is_none_or(|told| told.contains(doubt.unwrap())), "{labels:?}");
    }
    let located = locate(&geography, "", &[(REGION, "fsn1")]);
    assert_eq!(law(&located), "?", "whose law binds an unknown operator is unknown");
}

#[test]
fn section_3_4_whose_law_binds_the_operator() {
    let geography = objects(&[("own", "providers: [{name: openstack, jurisdiction: AT}]")]);
    let table: Table<'_> = &[
        ("the provider's", "aws:///eu-west-1a/i", &[], "US", false),
        ("its region's", "aws:///cn-north-1a/i", &[], "CN", false),
        ("its region's", "azure:///x", &[(REGION, "chinaeast2")], "CN", false),
        ("a German company in the United States", "hcloud://1", &[(REGION, "ash")], "DE", false),
        ("a user's entry", "openstack:///x", &[], "AT", false),
        ("the restricted label", "aws:///eu-west-1a/i", &[(RESTRICTED_LAW, "DE")], "DE", false),
        ("a plain label that contradicts", "aws:///eu-west-1a/i", &[(PLAIN_LAW, "DE")], "?", true),
        ("a plain label where nothing is known", "kind://x", &[(PLAIN_LAW, "DE")], "DE", false),
        ("a part of a country makes no such law", "kind://x", &[(PLAIN_LAW, "CA-QC")], "?", true),
        ("unknown", "kind://x", &[], "?", false),
        ("in a region that is not known, and some are run by others", "aws:///", &[], "?", false),
        ("in a region that is in dispute", "aws:///us-east-1a/i", &[(REGION, "cn-north-1")], "?", true),
    ];
    for (why, id, labels, expected, conflict) in table {
        let located = locate(&geography, id, labels);
        assert_eq!(law(&located), *expected, "{why}: {located:?}");
        assert_eq!(!located.conflicts.is_empty(), *conflict, "{why}: {located:?}");
    }
}

#[test]
fn section_3_conflicts_make_the_jurisdiction_unknown() {
    check(
        &Geography::builtin().unwrap(),
        &[
            ("a plain label against the geography", "aws:///eu-west-1a/i", &[(PLAIN, "DE")], "?", true),
            (
                "a part of the same country is none",
                "hcloud://1",
                &[(REGION, "fsn1"), (PLAIN, "DE-SN")],
                "DE",
                false,
            ),
            (
                "the whole country is none",
                "gce://p/northamerica-northeast1-a/n",
                &[(PLAIN, "CA")],
                "CA-QC",
                false,
            ),
            ("another part is one", "gce://p/northamerica-northeast1-a/n", &[(PLAIN, "CA-ON")], "?", true),
            ("providerID's zone against the zone", "aws:///us-east-1a/i", &[(ZONE, "eu-west-1a")], "?", true),
            (
                "providerID's zone against an empty label",
                "aws:///eu-central-1-ist-1a/i",
                &[(REGION, "eu-central-1"), (ZONE, "")],
                "?",
                true,
            ),
            ("an empty label alone", "aws:///", &[(REGION, "eu-west-1"), (ZONE, "")], "IE", false),
            ("also within one region", "aws:///eu-west-1b/i", &[(ZONE, "eu-west-1a")], "?", true),
            (
                "providerID's zone against the region",
                "aws:///us-east-1a/i",
                &[(REGION, "eu-west-1")],
                "?",
                true,
            ),
            (
                "the restricted label does not mend it",
                "aws:///us-east-1a/i",
                &[(REGION, "eu-west-1"), (RESTRICTED, "IE")],
                "?",
                true,
            ),
            ("region against zone", "aws://", &[(REGION, "eu-west-1"), (ZONE, "us-east-1a")], "?", true),
            (
                "region against a listed zone",
                "aws://",
                &[(REGION, "eu-west-1"), (ZONE, "eu-central-1-ist-1a")],
                "?",
                true,
            ),
            (
                "region against a zone of Azure",
                "azure:///x",
                &[(REGION, "westeurope"), (ZONE, "eastus-1")],
                "?",
                true,
            ),
            ("two zone keys", "aws://", &[(ZONE, "eu-west-1a"), (EBS_ZONE, "us-east-1a")], "?", true),
            (
                "the zone key of another provider's driver",
                "aws:///eu-west-1a/i",
                &[("topology.gke.io/zone", "us-east1-b")],
                "?",
                true,
            ),
            (
                "and one that nobody knows",
                "aws:///eu-west-1a/i",
                &[("topology.gke.io/zone", "nowhere-1")],
                "?",
                true,
            ),
            (
                "its region key, though nothing else says a region",
                "azure:///x",
                &[("csi.hetzner.cloud/location", "ash")],
                "?",
                true,
            ),
            (
                "a code that means another place at the driver's provider",
                "alicloud://eu-west-1.i-1",
                &[(REGION, "eu-west-1"), (ZONE, "eu-west-1a"), (EBS_ZONE, "eu-west-1a")],
                "?",
                true,
            ),
            (
                "one that says the same place, or nothing",
                "aws:///eu-west-1a/i",
                &[("topology.gke.io/zone", "eu-west-1a"), ("topology.disk.csi.azure.com/zone", "")],
                "IE",
                false,
            ),
            (
                "two region keys",
                "hcloud://1",
                &[(REGION, "fsn1"), ("csi.hetzner.cloud/location", "ash")],
                "?",
                true,
            ),
            (
                "the deprecated zone",
                "aws:///eu-west-1a/i",
                &[(ZONE, "eu-west-1a"), (BETA_ZONE, "us-east-1a")],
                "?",
                true,
            ),
            (
                "the deprecated region",
                "aws:///eu-west-1a/i",
                &[(REGION, "eu-west-1"), (BETA_REGION, "us-east-1")],
                "?",
                true,
            ),
            (
                "the deprecated region against the zone's",
                "aws:///eu-west-1a/i",
                &[(BETA_REGION, "us-east-1")],
                "?",
                true,
            ),
            (
                "the deprecated zone against the region",
                "aws://",
                &[(REGION, "eu-west-1"), (BETA_ZONE, "us-east-1a")],
                "?",
                true,
            ),
            (
                "all agree",
                "aws:///eu-west-1a/i",
                &[
                    (REGION, "eu-west-1"),
                    (ZONE, "eu-west-1a"),
                    (BETA_REGION, "eu-west-1"),
                    (BETA_ZONE, "eu-west-1a"),
                    (PLAIN, "IE"),
                ],
                "IE",
                false,
            ),
            ("no ISO code", "aws:///eu-west-1a/i", &[(PLAIN, "EU")], "?", true),
            (
                "no ISO code under the restricted key",
                "aws:///eu-west-1a/i",
                &[(RESTRICTED, "Ireland")],
                "?",
                true,
            ),
            ("UK is GB", "kind://x", &[(PLAIN, "UK")], "?", true),
            ("one place, one code", "kind://x", &[(PLAIN, "CN-HK")], "?", true),
            ("of the Kingdom, and not in Europe", "kind://x", &[(PLAIN, "NL-BQ1")], "?", true),
            ("both labels", "kind://x", &[(PLAIN, "FR"), (RESTRICTED, "DE")], "?", true),
            // Oracle's identifiers hold the region, by its name or by its key.
            ("a key of another region", "ocid1.instance.oc1.iad.a", &[(REGION, "eu-frankfurt-1")], "?", true),
            (
                "a name of another region",
                "oci://ocid1.instance.oc1.us-ashburn-1.a",
                &[(REGION, "eu-frankfurt-1")],
                "?",
                true,
            ),
            (
                "a key of another region of the country",
                "ocid1.instance.oc1.iad.a",
                &[(REGION, "us-phoenix-1")],
                "?",
                true,
            ),
            ("a key against a key", "ocid1.instance.oc1.iad.a", &[(REGION, "phx")], "?", true),
            ("the key of its region", "ocid1.instance.oc1.fra.a", &[(REGION, "eu-frankfurt-1")], "DE", false),
            (
                "the name of its region",
                "ocid1.instance.oc1.eu-frankfurt-1.a",
                &[(REGION, "eu-frankfurt-1")],
                "DE",
                false,
            ),
            ("a key in both", "ocid1.instance.oc1.phx.a", &[(REGION, "phx")], "US", false),
            (
                "a key and the name of its region",
                "ocid1.instance.oc1.iad.a",
                &[(REGION, "us-ashburn-1")],
                "US",
                false,
            ),
            (
                "a name and the key of its region",
                "ocid1.instance.oc1.us-phoenix-1.a",
                &[(REGION, "phx")],
                "US",
                false,
            ),
            // So do Alibaba's.
            ("Alibaba's of another region", "cn-hangzhou.i-1", &[(REGION, "eu-central-1")], "?", true),
            ("and with a scheme", "alicloud://us-west-1.i-1", &[(REGION, "eu-central-1")], "?", true),
            ("Alibaba's of one that nobody lists", "cn-new-9.i-1", &[(REGION, "eu-central-1")], "?", true),
            (
                "a name that nobody lists",
                "ocid1.instance.oc1.us-new-9.a",
                &[(REGION, "eu-zurich-1")],
                "?",
                true,
            ),
            ("Alibaba's of its region", "eu-central-1.i-1", &[(REGION, "eu-central-1")], "DE", false),
            ("a key that nobody knows", "ocid1.instance.oc1.xyz.a", &[(REGION, "eu-zurich-1")], "CH", false),
            ("no region in it", "ocid1.instance.oc1..a", &[(REGION, "eu-zurich-1")], "CH", false),
            ("cut short", "ocid1.instance.oc1.iad", &[(REGION, "eu-zurich-1")], "CH", false),
            (
                "a restricted label may differ from the geography",
                "aws:///eu-west-1a/i",
                &[(RESTRICTED, "DE"), (PLAIN, "DE")],
                "DE",
                false,
            ),
        ],
    );
}

#[test]
fn section_3_a_region_of_ones_own_has_zones_of_ones_own() {
    let geography = Geography::builtin().unwrap();
    for (region, zone) in
        [("france", "fr-par-1"), ("germany", "eu-central-1a"), ("de", "eu-de-1"), ("eu-west-1", "rack-1")]
    {
        let labels = [
            (REGION, region),
            (ZONE, zone),
            ("domicile.dev.node-restriction.kubernetes.io/jurisdiction", "DE"),
        ];
        let located = locate(&geography, "", &labels);
        assert!(located.conflicts.is_empty(), "{located:?}");
        assert_eq!(
            located.location.jurisdiction.map(|code| code.to_string()).as_deref(),
            Some("DE"),
            "{region} {zone}"
        );
    }
}

#[test]
fn section_3_a_code_in_dispute_is_no_code() {
    let geography = Geography::builtin().unwrap();
    let hold = |why: &str, id: &str, labels: &[(&str, &str)]| {
        let located = locate(&geography, id, labels);
        let place = &located.location;
        assert_eq!((&place.region, &place.zone), (&None, &None), "{why}: no policy can match what is forged");
        assert!(!located.conflicts.is_empty() && place.jurisdiction.is_none(), "{why}: {located:?}");
    };
    hold("a region against providerID", "aws:///us-east-1a/i", &[(REGION, "eu-west-1")]);
    hold("a zone against providerID", "aws:///us-east-1a/i", &[(ZONE, "eu-west-1a")]);
    hold(
        "a zone and its region against providerID",
        "aws:///us-east-1a/i",
        &[(REGION, "eu-west-1"), (ZONE, "eu-west-1a")],
    );
    hold(
        "a zone and its region against a driver's zone",
        "aws:///",
        &[(REGION, "eu-west-1"), (ZONE, "eu-west-1a"), (EBS_ZONE, "us-east-1a")],
    );
    hold(
        "the same without a provider",
        "",
        &[(REGION, "eu-west-1"), (ZONE, "eu-west-1a"), (EBS_ZONE, "us-east-1a")],
    );
    hold(
        "a region and a zone that go together nowhere, without a provider",
        "",
        &[(REGION, "europe-west3"), (ZONE, "us-central1-a")],
    );
    hold("the same of Azure", "", &[(REGION, "westeurope"), (ZONE, "eastus-1")]);
    hold(
        "the zone of another provider's driver",
        "aws:///eu-west-1a/i",
        &[("topology.gke.io/zone", "us-east1-b")],
    );
    hold(
        "the region of another's",
        "azure:///x",
        &[(REGION, "westeurope"), ("csi.hetzner.cloud/location", "ash")],
    );
    hold(
        "the deprecated zone",
        "aws:///",
        &[(REGION, "eu-west-1"), (ZONE, "eu-west-1a"), (BETA_ZONE, "us-east-1a")],
    );
    hold(
        "the deprecated zone against the region",
        "aws:///",
        &[(REGION, "eu-west-1"), (BETA_ZONE, "us-east-1a")],
    );
    hold("an empty zone", "aws:///eu-west-1a/i", &[(REGION, "eu-west-1"), (ZONE, "")]);
    let located = locate(&geography, "aws:///us-east-1a/i", &[(REGION, "eu-west-1")]);
    assert!(located.conflicts[0].contains("us-east-1a") && located.conflicts[0].contains("eu-west-1"));
}

#[test]
fn section_3_objects_that_disagree_make_it_unknown() {
    let a = "regions: [{provider: dc, region: 'fra*', jurisdiction: DE}, {provider: dc, region: waw, jurisdiction: PL}]
providers: [{name: dc, schemes: [dc], jurisdiction: DE}]
groups: [{name: HOME, members: [DE]}]";
    let b = "regions: [{provider: dc, region: '*ra1', jurisdiction: FR}]
providers: [{name: dc, jurisdiction: FR}]
groups: [{name: HOME, members: [FR]}]";
    let specs: [GeographySpec; 2] = [serde_saphyr::from_str(a).unwrap(), serde_saphyr::from_str(b).unwrap()];
    let (geography, problems) = Geography::with_objects([("a", &specs[0]), ("b", &specs[1])]);
    let (reversed, mirrored) = Geography::with_objects([("b", &specs[1]), ("a", &specs[0])]);
    assert_eq!(problems, mirrored, "the order in which objects arrive changes nothing");
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    for object in ["a", "b"] {
        for field in ["spec.regions[0]", "spec.providers[0].jurisdiction", "spec.groups[0]"] {
            let start = format!("Geography {object}: {field}");
            assert!(told.iter().any(|line| line.starts_with(&start)), "{start} is missing from {told:#?}");
        }
    }
    assert_eq!(told.len(), 6, "{told:#?}");
    for geography in [geography, reversed] {
        let located = locate(&geography, "dc://1", &[(REGION, "fra1"), (PLAIN, "DE")]);
        assert_eq!((jurisdiction(&located), law(&located)), ("?".into(), "?".into()));
        assert!(located.doubt.is_some());
        assert_eq!(jurisdiction(&locate(&geography, "dc://1", &[(REGION, "fra2")])), "DE");
        assert_eq!(jurisdiction(&locate(&geography, "dc://1", &[(REGION, "waw")])), "PL");
        assert!(geography.resolve("HOME").is_err());
    }
}

/// Each fact for itself.
#[test]
fn section_3_objects_that_disagree_about_one_thing() {
    let rows = |law: &str, region: &str| {
        format!(
            "regions: [{{provider: dc, region: fra, jurisdiction: DE, providerJurisdiction: {law}}}, {{provider: dc, region: {region}, \
             zone: z, jurisdiction: DE}}]\nproviders: [{{name: dc, schemes: [dc]}}]"
        )
    };
    let geography = objects(&[("a", &rows("DE", "fra")), ("b", &rows("FR", "ham"))]);
    let located = locate(&geography, "dc://1", &[(REGION, "fra")]);
    assert_eq!((jurisdiction(&located), law(&located)), ("DE".into(), "?".into()));
    let located = locate(&geography, "dc://1", &[(ZONE, "z")]);
    assert_eq!((jurisdiction(&located), located.location.region), ("DE".into(), None));
    // Of a zone whose country is in dispute it is told why.
    let row = |jurisdiction: &str| {
        format!(
            "regions: [{{provider: dc, region: fra, zone: z, jurisdiction: {jurisdiction}}}]\nproviders: [{{name: dc, \
             schemes: [dc]}}]"
        )
    };
    let disputed = objects(&[("a", &row("DE")), ("b", &row("FR"))]);
    let located = locate(&disputed, "dc://1", &[(REGION, "fra"), (ZONE, "z")]);
    assert_eq!(jurisdiction(&located), "?");
    assert_eq!(located.doubt.as_deref(), Some("Geography objects disagree about z: change one of them"));
    let alike = objects(&[("a", &rows("DE", "fra")), ("b", &rows("DE", "fra"))]);
    let located = locate(&alike, "dc://1", &[(ZONE, "z")]);
    assert_eq!((law(&located), located.location.region.as_deref()), ("DE".into(), Some("fra")));
}

/// Whose labels cannot be held against its identifier may be anywhere.
#[test]
fn section_3_objects_that_disagree_about_identifiers() {
    let one = "providers: [{name: aws, providerIDZone: '^aws://[^/]*/(?<zone>[^/]+)/'}]";
    let other = "providers: [{name: aws, providerIDZone: '^aws://(?<zone>[^/]*)/'}]";
    let labels = &[(REGION, "eu-west-1"), (ZONE, "eu-west-1a")];
    let located = locate(&objects(&[("a", one), ("b", other)]), "aws:///us-east-1a/i", labels);
    assert_eq!((jurisdiction(&located), &located.location.region), ("?".into(), &None));
    let located = locate(&objects(&[("a", one), ("b", other)]), "aws://", labels);
    assert_eq!((jurisdiction(&located), &located.location.region), ("?".into(), &None));
    assert!(located.doubt.unwrap().contains("disagree about what spec.providerID says of the zone"));
    let trusted = [labels, &[(RESTRICTED, "IE")][..]].concat();
    let located = locate(&objects(&[("a", one), ("b", other)]), "aws://", &trusted);
    assert_eq!(jurisdiction(&located), "IE");
    assert_eq!(
        jurisdiction(&locate(&objects(&[("a", one), ("b", one)]), "aws:///eu-west-1a/i", labels)),
        "IE"
    );
}

#[test]
fn section_3_a_drivers_label_is_of_whoever_has_its_nodes() {
    let labels = &[("csi.hetzner.cloud/location", "fsn1")];
    let own = objects(&[("own", "providers: [{name: own-cloud, schemes: [hcloud, hrobot]}]")]);
    assert_eq!(locate(&own, "hcloud://1", labels).conflicts, [""; 0], "nobody else has nodes of that name");
    let part = objects(&[("own", "providers: [{name: own-cloud, schemes: [hrobot]}]")]);
    assert_eq!(locate(&part, "hrobot://1", labels).conflicts.len(), 1, "hcloud:// still means Hetzner");
}

#[test]
fn section_3_a_sovereign_cloud_is_told_by_the_user() {
    let geography =
        objects(&[("ours", "providers: [{name: ovh, schemes: [openstack]}, {name: s3ns, schemes: [gce]}]")]);
    check(
        &geography,
        &[
            ("a site's number", "openstack:///x", &[(REGION, "GRA11"), (ZONE, "nova")], "FR", false),
            ("three zones", "openstack:///x", &[(REGION, "EU-SOUTH-MIL")], "IT", false),
            ("Quebec", "openstack:///x", &[(REGION, "BHS5")], "CA-QC", false),
            ("S3NS", "gce://p/u-france-east1-a/n", &[(REGION, "u-france-east1")], "FR", false),
        ],
    );
    let of = |region: &'static str| law(&locate(&geography, "openstack:///x", &[(REGION, region)]));
    assert_eq!((of("GRA11"), of("US-EAST-VA"), of("VIN1")), ("FR".into(), "US".into(), "US".into()));
    assert_eq!(law(&locate(&geography, "gce://p/u-france-east1-a/n", &[])), "FR");
}
