//! Classes, claims, volumes, attachments and snapshots.

use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use super::{REGION, REGIONS, TEAMS, ZONE, ZONES, metadata};

fn driver() -> impl Strategy<Value = &'static str> {
    select(vec![
        "ebs.csi.aws.com",
        "disk.acme.test",
        "spread.test",
        "driver.longhorn.io",
        "share.test",
        "csi.hetzner.cloud",
        "local.test",
        "other.test",
    ])
}

fn topology() -> impl Strategy<Value = (&'static str, Vec<&'static str>)> {
    prop_oneof![
        3 => subsequence(ZONES.to_vec(), 1..3).prop_map(|zones| (ZONE, zones)),
        2 => subsequence(REGIONS.to_vec(), 1..2).prop_map(|regions| (REGION, regions)),
        1 => subsequence(vec!["north-1a", "north-1-xa", "south-1a"], 1..3).prop_map(|zones| ("topology.acme.test/zone", zones)),
        1 => subsequence(vec!["n0", "n1", "n2"], 1..2).prop_map(|names| ("kubernetes.io/hostname", names)),
        1 => subsequence(TEAMS.to_vec(), 1..2).prop_map(|teams| ("team", teams)),
    ]
}

/// What a term demands: mostly one thing, now and then two places, which may contradict each other or be nowhere.
fn term() -> impl Strategy<Value = Vec<(&'static str, Vec<&'static str>)>> {
    let odd = vec!["eu-central-1a", "us-east-1b", "eu-central-1-zzz-1a", "nowhere-1a", ""];
    prop_oneof![
        14 => topology().prop_map(|one| vec![one]),
        1 => subsequence(odd, 1..4).prop_map(|zones| vec![(ZONE, zones)]),
        1 => (subsequence(REGIONS.to_vec(), 1..3), subsequence(ZONES.to_vec(), 1..3))
            .prop_map(|(regions, zones)| vec![(REGION, regions), (ZONE, zones)]),
    ]
}

prop_compose! {
    pub(crate) fn class(number: usize)(
        driver in driver(),
        waits in proptest::bool::ANY,
        topologies in prop_oneof![3 => Just(vec![]), 2 => vec(term(), 1..3)],
        default in proptest::bool::weighted(0.3),
        declared in weighted(0.1, select(vec!["DE", "US"])),
        law in weighted(0.05, select(vec!["DE", "US"])),
        mirror in weighted(0.1, Just("yes")),
    ) -> Value {
        let terms: Vec<_> = topologies.into_iter()
            .map(|term| json!({"matchLabelExpressions": term.into_iter().map(|(key, values)| json!({"key": key, "values": values})).collect::<Vec<_>>()}))
            .collect();
        let mut annotations = json!({});
        if default { annotations["storageclass.kubernetes.io/is-default-class"] = "true".into(); }
        if let Some(declared) = declared { annotations["domicile.dev/jurisdiction"] = declared.into(); }
        if let Some(law) = law { annotations["domicile.dev/provider-jurisdiction"] = law.into(); }
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "parameters": mirror.map_or(json!({}), |yes| json!({"mirror": yes})),
               "metadata": {"name": format!("k{number}"), "annotations": annotations,
                            "creationTimestamp": format!("2026-01-0{}T00:00:00Z", number + 1)},
               "provisioner": driver, "volumeBindingMode": if waits { "WaitForFirstConsumer" } else { "Immediate" },
               "allowedTopologies": terms})
    }
}

prop_compose! {
    pub(crate) fn claim(number: usize)(
        metadata in metadata(format!("c{number}"), Some("shop"), 0.3),
        class in prop_oneof![1 => Just(None), 6 => select(vec!["k0", "k1", "k9", ""]).prop_map(Some)],
        bound in proptest::bool::weighted(0.5),
        other in weighted(0.08, select(vec!["v0", "v1", "v9"])),
        source in weighted(0.15, prop_oneof![
            select(vec!["c0", "c1", "c9"]).prop_map(|name| json!({"kind": "PersistentVolumeClaim", "name": name})),
            Just(json!({"kind": "VolumeSnapshot", "name": "s0", "apiGroup": "snapshot.storage.k8s.io"})),
        ]),
        selected in weighted(0.06, select(vec!["n0", "n1", "n9"])),
    ) -> Value {
        let mut spec = json!({});
        if let Some(class) = class { spec["storageClassName"] = class.into(); }
        if bound { spec["volumeName"] = format!("v{number}").into(); }
        if let Some(other) = other { spec["volumeName"] = other.into(); }
        if let Some(source) = source { spec["dataSource"] = source; }
        let mut metadata = metadata;
        if let Some(node) = selected { metadata["annotations"]["volume.kubernetes.io/selected-node"] = node.into(); }
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec})
    }
}

prop_compose! {
    pub(crate) fn persistent_volume(number: usize)(
        metadata in metadata(format!("v{number}"), None, 0.1),
        driver in driver(),
        terms in prop_oneof![2 => Just(vec![]), 4 => vec(term(), 1..3)],
        (in_claim, phase) in prop_oneof![
            5 => Just((false, "Available")), 2 => Just((true, "Available")), 13 => Just((true, "Bound")),
        ],
        class in select(vec!["", "k0", "k1"]),
        declared in weighted(0.15, select(vec!["DE", "US"])),
        law in weighted(0.05, select(vec!["DE", "US"])),
        zones in weighted(0.1, subsequence(vec!["eu-central-1a", "eu-central-1b", "us-east-1b", "north-1-xa", "eu-central-1-zzz-1a"], 1..3)),
        region in weighted(0.03, select(REGIONS.to_vec())),
    ) -> Value {
        let mut metadata = metadata;
        if let Some(region) = region { metadata["labels"][REGION] = region.into(); }
        if let Some(declared) = declared { metadata["annotations"]["domicile.dev/jurisdiction"] = declared.into(); }
        if let Some(law) = law { metadata["annotations"]["domicile.dev/provider-jurisdiction"] = law.into(); }
        if let Some(zones) = zones { metadata["labels"][ZONE] = zones.join("__").into(); }
        let mut spec = json!({"csi": {"driver": driver, "volumeHandle": "x"}, "storageClassName": class});
        if !terms.is_empty() {
            let terms: Vec<_> = terms.into_iter()
                .map(|term| json!({"matchExpressions": term.into_iter()
                    .map(|(key, values)| json!({"key": key, "operator": "In", "values": values})).collect::<Vec<_>>()}))
                .collect();
            spec["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": terms}});
        }
        if in_claim {
            spec["claimRef"] = json!({"namespace": "shop", "name": format!("c{number}")});
        }
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec, "status": {"phase": phase}})
    }
}

prop_compose! {
    pub(crate) fn attachment()(volume in select(vec!["v0", "v1", "v9"]), node in select(vec!["n0", "n1", "n2", "n9"])) -> Value {
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": {"name": "a0"},
               "spec": {"attacher": "disk.acme.test", "nodeName": node, "source": {"persistentVolumeName": volume}}})
    }
}

prop_compose! {
    pub(crate) fn snapshot_class(number: usize)(
        driver in driver(),
        default in proptest::bool::weighted(0.4),
        declared in weighted(0.15, select(vec!["DE", "US"])),
        regions in weighted(0.4, subsequence(vec!["north-1", "south-1", "nowhere-9"], 1..3)),
    ) -> Value {
        let mut annotations = json!({});
        if default { annotations["snapshot.storage.kubernetes.io/is-default-class"] = "true".into(); }
        if let Some(declared) = declared { annotations["domicile.dev/jurisdiction"] = declared.into(); }
        json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass",
               "metadata": {"name": format!("sk{number}"), "annotations": annotations}, "driver": driver,
               "parameters": regions.map_or(json!({}), |regions| json!({"where": regions.join(", ")}))})
    }
}

prop_compose! {
    pub(crate) fn snapshot()(
        mut metadata in metadata("s0".to_owned(), Some("shop"), 0.3),
        claim in select(vec!["c0", "c1", "c9"]),
        class in weighted(0.4, select(vec!["sk0", "sk1", "sk9"])),
        declared in weighted(0.1, select(vec!["DE", "US"])),
    ) -> Value {
        if let Some(declared) = declared { metadata["annotations"]["domicile.dev/jurisdiction"] = declared.into(); }
        let mut spec = json!({"source": {"persistentVolumeClaimName": claim}});
        if let Some(class) = class { spec["volumeSnapshotClassName"] = class.into(); }
        json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot", "metadata": metadata, "spec": spec})
    }
}
