//! Nodes: those of the cluster, and those that could join it.

use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::{HOSTNAME, REGION, REGIONS, RESTRICTED, TEAMS, ZONE, ZONES};

/// Provider's scheme, region, zone: machines that exist.
const MACHINES: [(&str, &str, &str); 14] = [
    ("aws", "eu-central-1", "eu-central-1a"),
    ("aws", "eu-central-1", "eu-central-1-ist-1a"),
    ("aws", "us-east-1", "us-east-1b"),
    ("hcloud", "fsn1", "fsn1-dc14"),
    ("acme", "north-1", "north-1a"),
    ("acme", "north-1", "north-1-xa"),
    ("acme", "south-1", "south-1a"),
    ("acme", "south-1", "south-1b"),
    ("bare", "hall", "nave"),
    ("bare", "hall", "cage"),
    ("bare", "annex-2", "nave"),
    ("cloudy", "north-1", "north-1a"),
    ("cloudy", "north-1", "lab"),
    ("elsewhere", "nowhere-9", "nowhere-9z"),
];

/// Now and then.
fn rarely() -> impl Strategy<Value = bool> {
    proptest::bool::weighted(0.08)
}

fn provider_id(scheme: &str, zone: &str) -> String {
    match scheme {
        "aws" | "acme" => format!("{scheme}:///{zone}/i-1"),
        other => format!("{other}://1"),
    }
}

/// What a zone's label says now and then instead of a zone: nothing, or a fault domain.
fn odd_zone() -> impl Strategy<Value = Option<&'static str>> {
    weighted(0.08, select(vec!["", "0", "1"]))
}

fn taint() -> impl Strategy<Value = Value> {
    prop_oneof![
        (select(vec!["NoSchedule", "NoExecute", "PreferNoSchedule"]), select(vec!["red", "blue"]))
            .prop_map(|(effect, value)| json!({"key": "colour", "value": value, "effect": effect})),
        Just(json!({"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"})),
        Just(
            json!({"key": "node.cloudprovider.kubernetes.io/uninitialized", "value": "true", "effect": "NoSchedule"})
        ),
    ]
}

prop_compose! {
    pub(crate) fn node(number: usize)(
        (scheme, region, zone) in select(MACHINES.to_vec()),
        team in of(select(TEAMS.to_vec())),
        (no_id, no_region, no_zone, no_hostname) in (rarely(), rarely(), rarely(), rarely()),
        mislabelled in weighted(0.06, select(REGIONS.to_vec())),
        restricted in weighted(0.08, select(vec!["DE", "US", "CA-QC"])),
        plain in weighted(0.06, select(vec!["DE", "US"])),
        taints in prop_oneof![5 => Just(vec![]), 2 => vec(taint(), 1..3)],
        driver_key in rarely(),
        initialising in rarely(),
        odd in odd_zone(),
    ) -> Value {
        let name = format!("n{number}");
        let mut labels = Map::new();
        let mut set = |key: &str, value: &str| labels.insert(key.to_owned(), value.into());
        let mut taints = taints;
        let mut id = provider_id(scheme, zone);
        if !no_hostname { set(HOSTNAME, &name); }
        if let Some(team) = team { set("team", team); }
        if initialising {
            taints.push(json!({"key": "node.cloudprovider.kubernetes.io/uninitialized", "effect": "NoSchedule"}));
            id = String::new();
        } else {
            if !no_region { set(REGION, mislabelled.unwrap_or(region)); }
            if !no_zone { set(ZONE, odd.unwrap_or(zone)); }
            if driver_key { set("topology.acme.test/zone", zone); }
            if let Some(restricted) = restricted { set(RESTRICTED, restricted); }
            if let Some(plain) = plain { set("domicile.dev/jurisdiction", plain); }
            if no_id { id = String::new(); }
        }
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
               "spec": {"providerID": id, "taints": taints}})
    }
}

/// A machine of the small clouds or of the catalog, in any of its zones.
fn anywhere() -> impl Strategy<Value = (&'static str, String, String)> {
    let owned = |(scheme, region, zone): (&'static str, &str, &str)| (scheme, region.into(), zone.into());
    prop_oneof![
        3 => select(MACHINES.to_vec()).prop_map(owned),
        1 => (select(vec!["eu-west-1", "eu-central-1", "us-east-1", "sa-east-1", "ap-south-1"]), select(vec!["a", "b", "c"]))
            .prop_map(|(region, letter)| ("aws", region.into(), format!("{region}{letter}"))),
        1 => select(vec!["us-east-1-bos-1a", "eu-central-1-ham-1a", "eu-central-1-ist-1a"])
            .prop_map(|zone| ("aws", zone.rsplitn(3, '-').last().unwrap().into(), zone.into())),
        1 => (select(vec!["north-1", "south-1"]), select(vec!["a", "b", "-xa", "-xb"]))
            .prop_map(|(region, end)| ("acme", region.into(), format!("{region}{end}"))),
        // Whose zones say nothing of their region: any code will do.
        2 => (select(vec![("bare", "hall"), ("bare", "annex-2"), ("bare", "annex-7"), ("cloudy", "north-1"), ("hcloud", "ash"), ("hcloud", "hel1")]),
              select(ZONES.to_vec()))
            .prop_map(|((scheme, region), zone)| (scheme, region.into(), zone.into())),
    ]
}

prop_compose! {
    /// A node that could join: any machine, which may leave out labels that its provider ID or other labels make up for.
    /// Whether it is consistent, and of a provider that the cluster has, is for the property to see.
    pub(crate) fn joining(number: usize)(
        (scheme, region, zone) in anywhere(),
        team in of(select(TEAMS.to_vec())),
        (no_region, no_zone, driver_key, zone_in_id) in
            (proptest::bool::weighted(0.15), proptest::bool::weighted(0.15), proptest::bool::ANY, proptest::bool::ANY),
        restricted in weighted(0.3, select(vec!["DE", "US", "CA-QC"])),
        odd in odd_zone(),
        of_another in rarely(),
    ) -> Value {
        let name = format!("joining{number}");
        let mut labels = Map::new();
        let mut set = |key: &str, value: &str| labels.insert(key.to_owned(), value.into());
        set(HOSTNAME, &name);
        if !no_region { set(REGION, &region); }
        if !no_zone { set(ZONE, odd.unwrap_or(&zone)); }
        if let Some(team) = team { set("team", team); }
        if let Some(restricted) = restricted { set(RESTRICTED, restricted); }
        // Drivers label the nodes of their own provider; whoever may write labels can write any.
        if driver_key {
            match scheme {
                "acme" => { set("topology.acme.test/zone", &zone); }
                "bare" => { set("topology.bare.test/zone", &zone); }
                "aws" => { set("topology.ebs.csi.aws.com/zone", &zone); }
                "hcloud" => { set("csi.hetzner.cloud/location", &region); }
                _ => {}
            }
            // One that is nobody's means what its owner likes.
            set("topology.spread.test/zone", "north-1a");
        }
        if of_another { set("topology.acme.test/zone", "south-1a"); }
        let id = match scheme {
            "bare" if zone_in_id => format!("bare:///{zone}/1"),
            _ => provider_id(scheme, &zone),
        };
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
               "spec": {"providerID": id}})
    }
}
