//! Pods and what makes them.

use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

use super::{CLASSIFICATION, HOSTNAME, REGION, REGIONS, RESTRICTED, TEAMS, TOKENS, ZONE, ZONES};

fn expression() -> impl Strategy<Value = Value> {
    let among = |key: &'static str, values: Vec<&'static str>| {
        (prop_oneof![4 => Just("In"), 1 => Just("NotIn")], subsequence(values, 1..3))
            .prop_map(move |(operator, values)| json!({"key": key, "operator": operator, "values": values}))
    };
    prop_oneof![
        5 => among(REGION, REGIONS.to_vec()),
        3 => among(ZONE, ZONES.to_vec()),
        1 => among(ZONE, vec!["", "0", "1", "nave"]),
        1 => among("topology.acme.test/zone", vec!["north-1a", "north-1-xa", "south-1a"]),
        1 => select(vec!["topology.bare.test/zone", "topology.spread.test/zone"])
            .prop_flat_map(move |key| among(key, vec!["north-1a", "cage", "nave"])),
        1 => among("csi.hetzner.cloud/location", vec!["fsn1", "ash"]),
        1 => among(HOSTNAME, vec!["n0", "n1", "n2", "n9"]),
        2 => among("team", TEAMS.to_vec()),
        1 => among(RESTRICTED, vec!["DE", "US", "CA-QC"]),
        1 => (select(vec!["Gt", "Lt"]), select(vec!["1", "5", "9"]))
            .prop_map(|(operator, value)| json!({"key": "team", "operator": operator, "values": [value]})),
        2 => (select(vec![REGION, ZONE, "team", RESTRICTED, "topology.acme.test/zone"]), select(vec!["Exists", "DoesNotExist"]))
            .prop_map(|(key, operator)| json!({"key": key, "operator": operator})),
    ]
}

prop_compose! {
    pub(crate) fn constraint()(expression in expression()) -> Value { expression }
}

/// A region without its zones abroad, well said or not.
fn shutting_out() -> impl Strategy<Value = Value> {
    let regions = vec![
        ("eu-central-1", "eu-central-1-ist-1a"),
        ("north-1", "north-1-xa"),
        ("hall", "cage"),
        ("north-1", "lab"),
    ];
    (select(regions), proptest::bool::ANY).prop_map(|((region, abroad), there)| {
        let mut all = vec![
            json!({"key": REGION, "operator": "In", "values": [region]}),
            json!({"key": ZONE, "operator": "NotIn", "values": [abroad, "north-1-xb"]}),
        ];
        if there {
            all.push(json!({"key": ZONE, "operator": "Exists"}));
        }
        json!({"matchExpressions": all})
    })
}

fn term() -> impl Strategy<Value = Value> {
    let field = (prop_oneof![3 => Just("In"), 1 => Just("NotIn")], select(vec!["n0", "n1", "n9"]))
        .prop_map(|(operator, name)| json!({"key": "metadata.name", "operator": operator, "values": [name]}));
    prop_oneof![
        7 => vec(expression(), 1..3).prop_map(|all| json!({"matchExpressions": all})),
        1 => shutting_out(),
        1 => field.prop_map(|field| json!({"matchFields": [field]})),
        1 => Just(json!({})),
    ]
}

fn selector_entry() -> impl Strategy<Value = (&'static str, &'static str)> {
    prop_oneof![
        select(REGIONS.to_vec()).prop_map(|region| (REGION, region)),
        select(ZONES.to_vec()).prop_map(|zone| (ZONE, zone)),
        select(TEAMS.to_vec()).prop_map(|team| ("team", team)),
    ]
}

/// What pins, or nearly does.
fn pinning_term() -> impl Strategy<Value = Value> {
    let regions =
        subsequence(vec!["eu-central-1", "us-east-1", "fsn1", "north-1", "south-1", "hall", "annex-2"], 1..3);
    let region =
        regions.prop_map(|values| json!({"key": REGION, "operator": "In", "values": values})).boxed();
    prop_oneof![
        3 => (region, prop_oneof![2 => vec(expression(), 0..1), 1 => vec(expression(), 1..2)]).prop_map(|(region, mut all)| {
            all.push(region);
            json!({"matchExpressions": all})
        }),
        2 => shutting_out(),
        2 => subsequence(ZONES.to_vec(), 1..3)
            .prop_map(|zones| json!({"matchExpressions": [{"key": ZONE, "operator": "In", "values": zones}]})),
        2 => term(),
    ]
}

prop_compose! {
    /// A classified pod that mounts nothing and pins where it goes.
    pub(crate) fn pinned_pod()(
        token in select(TOKENS.to_vec()),
        terms in vec(pinning_term(), 1..3),
        tolerations in prop_oneof![4 => Just(vec![]), 1 => vec(toleration(), 1..2)],
        volumes in prop_oneof![6 => Just(vec![]), 1 => vec(volume(), 1..2)],
    ) -> Value {
        let volumes: Vec<Value> = volumes.into_iter().map(|mut volume| {
            volume["name"] = "v0".into();
            volume
        }).collect();
        json!({"apiVersion": "v1", "kind": "Pod",
               "metadata": {"name": "new", "namespace": "shop", "annotations": annotations(Some(token))},
               "spec": {"tolerations": tolerations, "volumes": volumes, "affinity": {"nodeAffinity": {
                   "requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}}})
    }
}

fn volume() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => select(vec!["c0", "c1", "c2", "c9"]).prop_map(|name| json!({"persistentVolumeClaim": {"claimName": name}})),
        1 => Just(json!({"emptyDir": {}})),
        1 => Just(json!({"emptyDir": {"medium": "Memory"}})),
        1 => Just(json!({"configMap": {"name": "x"}})),
        1 => Just(json!({"nfs": {"server": "x", "path": "/"}})),
        1 => select(vec!["spread.test", "local.test", "share.test"]).prop_map(|driver| json!({"csi": {"driver": driver}})),
        1 => (claim_spec(), weighted(0.3, select(TOKENS.to_vec()))).prop_map(|(spec, token)| json!({
            "ephemeral": {"volumeClaimTemplate": {"metadata": {"annotations": annotations(token)}, "spec": spec}}})),
    ]
}

/// What a template says of the claims that are made from it.
fn claim_spec() -> impl Strategy<Value = Value> {
    let source = select(vec![
        ("PersistentVolumeClaim", "c0"),
        ("PersistentVolumeClaim", "c1"),
        ("VolumeSnapshot", "s0"),
    ]);
    let parts = (
        select(vec!["k0", "k1", "k9"]),
        weighted(0.2, source),
        weighted(0.1, select(vec!["v0", "v1", "v9"])),
    );
    parts.prop_map(|(class, source, volume)| {
        let mut spec = json!({"storageClassName": class});
        if let Some((kind, name)) = source {
            spec["dataSource"] = json!({"kind": kind, "name": name});
        }
        if let Some(volume) = volume {
            spec["volumeName"] = volume.into();
        }
        spec
    })
}

fn annotations(token: Option<&str>) -> Value {
    token.map_or(json!({}), |token| json!({CLASSIFICATION: token}))
}

fn toleration() -> impl Strategy<Value = Value> {
    prop_oneof![
        select(vec!["red", "blue"])
            .prop_map(|value| json!({"key": "colour", "operator": "Equal", "value": value})),
        Just(json!({"key": "colour", "operator": "Exists", "effect": "NoSchedule"})),
        Just(json!({"operator": "Exists"})),
        Just(json!({"key": "node.cloudprovider.kubernetes.io/uninitialized", "operator": "Exists"})),
    ]
}

prop_compose! {
    fn pod_spec()(
        selector in prop_oneof![3 => Just(vec![]), 2 => vec(selector_entry(), 1..3)],
        terms in prop_oneof![2 => Just(vec![]), 5 => vec(term(), 1..4)],
        tolerations in prop_oneof![4 => Just(vec![]), 1 => vec(toleration(), 1..3)],
        volumes in prop_oneof![3 => Just(vec![]), 2 => vec(volume(), 1..3)],
        node in weighted(0.06, select(vec!["n0", "n1", "n9"])),
    ) -> Value {
        let volumes: Vec<Value> = volumes.into_iter().enumerate().map(|(number, mut volume)| {
            volume["name"] = format!("v{number}").into();
            volume
        }).collect();
        let mut spec = json!({"nodeSelector": Map::from_iter(selector.into_iter().map(|(key, value)| (key.to_owned(), value.into()))),
                              "tolerations": tolerations, "volumes": volumes});
        if !terms.is_empty() {
            spec["affinity"] = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}});
        }
        if let Some(node) = node { spec["nodeName"] = node.into(); }
        spec
    }
}

prop_compose! {
    pub(crate) fn metadata(name: String, namespace: Option<&'static str>, often: f64)(
        tokens in weighted(often, subsequence(TOKENS.to_vec(), 1..3)),
        as_label in weighted(0.05, select(TOKENS.to_vec())),
        recorded in weighted(0.05, select(TOKENS.to_vec())),
        team in of(select(TEAMS.to_vec())),
        odd in weighted(0.02, Just("No_Label")),
    ) -> Value {
        let mut metadata = json!({"name": name, "labels": {}, "annotations": {}});
        if let Some(namespace) = namespace { metadata["namespace"] = namespace.into(); }
        if let Some(tokens) = tokens { metadata["annotations"][CLASSIFICATION] = tokens.join(", ").into(); }
        if let Some(odd) = odd.filter(|_| often > 0.5) { metadata["annotations"][CLASSIFICATION] = odd.into(); }
        if let Some(token) = as_label { metadata["labels"][CLASSIFICATION] = token.into(); }
        if let Some(token) = recorded { metadata["annotations"]["domicile.dev/recorded-classification"] = token.into(); }
        if let Some(team) = team { metadata["labels"]["team"] = team.into(); }
        metadata
    }
}

prop_compose! {
    pub(crate) fn pod(name: String, often: f64)(metadata in metadata(name.clone(), Some("shop"), often), spec in pod_spec()) -> Value {
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    }
}

prop_compose! {
    pub(crate) fn workload()(
        kind in select(vec!["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "ReplicationController", "Job", "CronJob"]),
        outer in metadata("w".to_owned(), Some("shop"), 0.2),
        job in metadata(String::new(), None, 0.1),
        template in metadata(String::new(), None, 0.7),
        mut spec in pod_spec(),
        claims in vec((claim_spec(), weighted(0.3, select(TOKENS.to_vec()))), 0..2),
    ) -> Value {
        spec.as_object_mut().unwrap().remove("nodeName");
        let template = json!({"metadata": template, "spec": spec});
        let group = match kind {
            "Job" | "CronJob" => "batch/v1",
            "ReplicationController" => "v1",
            _ => "apps/v1",
        };
        let mut inner = json!({"template": template});
        if kind == "CronJob" { inner = json!({"jobTemplate": {"metadata": job, "spec": inner}}); }
        if kind == "StatefulSet" {
            let claims: Vec<_> = claims.into_iter().enumerate().map(|(number, (spec, token))| json!({
                "metadata": {"name": format!("t{number}"), "annotations": annotations(token)}, "spec": spec})).collect();
            inner["volumeClaimTemplates"] = claims.into();
        }
        json!({"apiVersion": group, "kind": kind, "metadata": outer, "spec": inner})
    }
}
