//! Our own kinds.

use serde_json::{Map, Value, json};

use super::make::Maker;
use super::objects::{CODES, NODE_LABELS, REGION, TEAMS, ZONE};

const MOMENTS: &[&str] = &["2020-01-01T00:00:00Z", "2026-06-01T12:00:00Z", "2030-01-01T00:00:00Z"];
const GOVERNED: &[&str] = &["personal", "health", "payment"];
const PROVIDERS: &[&str] = &["aws", "gcp", "azure", "hetzner", "x", "acme"];
const GLOBS: &[&str] = &["eu-*", "*-1", "us-east-1", "[a-f]*", "{eu,us}-*", "*", "europe-west?", "fsn1"];

fn label_selector(maker: &mut Maker<'_>) -> Value {
    let expressions = maker.some(2, |maker| {
        let operator = maker.one_of(&["In", "NotIn", "Exists", "DoesNotExist"]);
        let key = maker.text(&["team", REGION, ZONE, "kubernetes.io/metadata.name"]);
        let values = if operator.contains("xist") { json!([]) } else { maker.texts(2, TEAMS) };
        json!({"key": key, "operator": operator, "values": values})
    });
    json!({"matchLabels": maker.map(1, &[("team", TEAMS)]), "matchExpressions": expressions})
}

fn place(maker: &mut Maker<'_>) -> Value {
    let mut place = Map::new();
    for _ in 0..=maker.below(2) {
        let (field, value) = match maker.below(8) {
            0 | 1 => ("jurisdictions", maker.texts(3, CODES)),
            2 => ("regions", maker.texts(2, GLOBS)),
            3 => ("zones", maker.texts(2, GLOBS)),
            4 => ("providers", maker.texts(2, PROVIDERS)),
            5 => ("providerJurisdictions", maker.texts(2, CODES)),
            6 => ("nodeSelector", label_selector(maker)),
            _ => (maker.one_of(&["from", "until"]), maker.one_of(MOMENTS).into()),
        };
        place.insert(field.to_owned(), value);
    }
    Value::Object(place)
}

pub fn policy(maker: &mut Maker<'_>, number: usize) -> Value {
    let mut spec = json!({
        "classifications": [maker.one_of(GOVERNED)],
        "action": maker.one_of(&["Deny", "Deny", "Deny", "Warn", "Audit"]),
        "assurance": maker.one_of(&["Observed", "Observed", "Proven"]),
        "remedy": maker.one_of(&["Reject", "Reject", "Confine"]),
        "allow": maker.some(2, place),
    });
    if maker.once_in(3) {
        spec["deny"] = maker.some(2, place).into();
    }
    if maker.once_in(4) {
        spec["activities"] = json!([maker.one_of(&["Processing", "Storage"])]);
    }
    if maker.once_in(8) {
        spec[maker.one_of(&["namespaceSelector", "objectSelector"])] = label_selector(maker);
    }
    json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy",
           "metadata": {"name": format!("r{number}")}, "spec": spec})
}

pub fn exception(maker: &mut Maker<'_>) -> Value {
    json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyException",
           "metadata": {"name": "e0", "namespace": "shop"},
           "spec": {"policies": ["r0"], "objectSelector": label_selector(maker), "allow": maker.some(2, place),
                    "until": maker.one_of(MOMENTS), "reason": "x"}})
}

pub fn geography(maker: &mut Maker<'_>, name: &str) -> Value {
    let groups = maker.some(3, |maker| {
        json!({"name": maker.text(&["NORTH", "SOUTH", "EEA", "DE", "EU"]),
               "members": maker.texts(3, &["NORTH", "SOUTH", "DE", "US", "CA-QC", "ZZ", "EEA"])})
    });
    let regions = maker.some(3, |maker| {
        let mut row = json!({"provider": maker.text(PROVIDERS), "region": maker.text(GLOBS),
                             "jurisdiction": maker.text(CODES)});
        if maker.once_in(2) {
            row["zone"] =
                maker.text(&["eu-central-1[a-c]", "*", "fsn1-dc*", "nowhere", "[", "{a,b}{c,d}"]).into();
        }
        if maker.once_in(3) {
            row["providerJurisdiction"] = maker.text(CODES).into();
        }
        row
    });
    let providers = maker.some(2, |maker| {
        json!({"name": maker.text(PROVIDERS), "schemes": maker.texts(2, &["acme", "aws", "x"]),
               "zoneRule": maker.text(&["^(?<region>.+)-[a-z]$", "(?<region>a|b)?c", "(?<region>[a-z]{1,9}){9}", "("]),
               "providerIDZone": maker.text(&["^x://(?<zone>[^/]+)/", "^(?<zone>.*)$", "(?<zone>"])})
    });
    let drivers = maker.some(2, |maker| {
        let (key, _) = maker.one_of(NODE_LABELS);
        json!({"name": maker.text(&["other", "ebs.csi.aws.com"]), "provider": maker.text(PROVIDERS),
               "topologyKeys": [maker.text(&[key])], "regionKeys": maker.texts(1, &[REGION, "team"]),
               "placement": maker.one_of(&["Cluster", "Unknown", "NodeLocal"])})
    });
    json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "Geography", "metadata": {"name": name},
           "spec": {"groups": groups, "regions": regions, "providers": providers, "drivers": drivers}})
}
