//! Random little clusters, as manifests.

use std::sync::{Arc, LazyLock};

use domicile::api::GeographySpec;
use domicile::cluster::{Settings, State};
use domicile::geography::Geography;
use domicile::objects::Object;
use jiff::Timestamp;
use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

use crate::reference::World;

/// When everything is judged.
pub(crate) fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

/// What the catalog does not know: a cloud with a zone abroad, bare metal without a zone rule, a cloud that uses the
/// first one's code for a region elsewhere.
fn small() -> Value {
    json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Geography", "metadata": {"name": "small"},
        "spec": {
            "groups": [{"name": "NORTH", "members": ["DE", "FR"]}, {"name": "WIDE", "members": ["NORTH", "US", "CA-QC"]}],
            "providers": [
                {"name": "acme", "schemes": ["acme"], "jurisdiction": "DE",
                 "zoneRule": "^(?<region>[a-z]+-[0-9])[a-z]$", "providerIDZone": "^acme:///(?<zone>[^/]+)/"},
                {"name": "bare", "schemes": ["bare"]},
                {"name": "cloudy", "schemes": ["cloudy"], "jurisdiction": "US"},
            ],
            "regions": [
                {"provider": "acme", "region": "north-1", "jurisdiction": "DE"},
                {"provider": "acme", "region": "north-1", "zone": "north-1-x[ab]", "jurisdiction": "CH"},
                {"provider": "acme", "region": "south-1", "jurisdiction": "US", "providerJurisdiction": "US"},
                {"provider": "bare", "region": "hall", "jurisdiction": "FR", "providerJurisdiction": "FR"},
                {"provider": "bare", "region": "hall", "zone": "cage", "jurisdiction": "US"},
                {"provider": "cloudy", "region": "north-1", "jurisdiction": "GB"},
            ],
            "drivers": [
                {"name": "disk.acme.test", "provider": "acme", "topologyKeys": ["topology.acme.test/zone"], "placement": "Cluster"},
                {"name": "spread.test", "placement": "Cluster"},
                {"name": "share.test", "placement": "Unknown"},
            ],
        },
    })
}

/// As the first, and some of it otherwise.
fn moved() -> Value {
    json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Geography", "metadata": {"name": "moved"},
        "spec": {
            "providers": [{"name": "bare", "schemes": ["bare"], "jurisdiction": "FR"}],
            "regions": [
                {"provider": "acme", "region": "south-1", "zone": "south-1a", "jurisdiction": "CA-QC"},
                {"provider": "hetzner", "region": "fsn1", "zone": "fsn1-dc14", "jurisdiction": "PL"},
                {"provider": "cloudy", "region": "north-1", "jurisdiction": "IE"},
            ],
        },
    })
}

struct Known {
    geography: Arc<Geography>,
    /// A state that has the geographies and nothing else.
    state: State,
}

static GEOGRAPHIES: LazyLock<Vec<Known>> = LazyLock::new(|| {
    [vec![], vec![small()], vec![small(), moved()]]
        .into_iter()
        .map(|manifests| {
            let specs: Vec<(String, GeographySpec)> = manifests
                .iter()
                .map(|manifest| {
                    let name = manifest["metadata"]["name"].as_str().unwrap().to_owned();
                    (name, serde_json::from_value(manifest["spec"].clone()).unwrap())
                })
                .collect();
            let (geography, _) =
                Geography::with_objects(specs.iter().map(|(name, spec)| (name.as_str(), spec)));
            let mut state = State::new(Settings::default());
            for manifest in manifests {
                state.apply(parse(&manifest));
            }
            Known { geography, state }
        })
        .collect()
});

pub(crate) fn parse(manifest: &Value) -> Object {
    Object::from_value(manifest.clone())
        .unwrap_or_else(|error| panic!("{error}: {manifest}"))
        .expect("a kind that is read")
}

/// A cluster.
#[derive(Clone, Debug)]
pub(crate) struct Cluster {
    /// Which geography.
    pub(crate) geography: usize,
    pub(crate) manifests: Vec<Value>,
}

impl Cluster {
    pub(crate) fn geography(&self) -> &'static Geography {
        &GEOGRAPHIES[self.geography].geography
    }

    pub(crate) fn state(&self) -> State {
        let mut state = GEOGRAPHIES[self.geography].state.clone();
        state.apply_all(self.manifests.iter().map(parse));
        state
    }

    pub(crate) fn world(&self) -> World {
        World::new(Arc::clone(&GEOGRAPHIES[self.geography].geography), self.manifests.iter().map(parse))
    }

    pub(crate) fn with(&self, manifest: Value) -> Self {
        let mut more = self.clone();
        more.manifests.push(manifest);
        more
    }
}

const REGION: &str = "topology.kubernetes.io/region";
const ZONE: &str = "topology.kubernetes.io/zone";
const RESTRICTED: &str = "domicile.dev.node-restriction.kubernetes.io/jurisdiction";
const CLASSIFICATION: &str = "domicile.dev/data-classification";

const REGIONS: [&str; 7] = ["eu-central-1", "us-east-1", "fsn1", "north-1", "south-1", "hall", "nowhere-9"];
const ZONES: [&str; 12] = [
    "eu-central-1a",
    "eu-central-1-ist-1a",
    "us-east-1b",
    "fsn1-dc14",
    "north-1a",
    "north-1-xa",
    "north-1-xb",
    "south-1a",
    "south-1b",
    "cage",
    "nave",
    "nowhere-9z",
];
const TOKENS: [&str; 3] = ["personal", "health", "payment"];
const TEAMS: [&str; 3] = ["a", "b", "7"];

/// Provider's scheme, region, zone: machines that exist.
const MACHINES: [(&str, &str, &str); 12] = [
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
    ("cloudy", "north-1", "north-1a"),
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
    fn node(number: usize)(
        (scheme, region, zone) in select(MACHINES.to_vec()),
        team in of(select(TEAMS.to_vec())),
        (no_id, no_region, no_zone, no_hostname) in (rarely(), rarely(), rarely(), rarely()),
        mislabelled in weighted(0.06, select(REGIONS.to_vec())),
        restricted in weighted(0.08, select(vec!["DE", "US", "CA-QC"])),
        plain in weighted(0.06, select(vec!["DE", "US"])),
        taints in prop_oneof![5 => Just(vec![]), 2 => vec(taint(), 1..3)],
        driver_key in rarely(),
        initialising in rarely(),
    ) -> Value {
        let name = format!("n{number}");
        let mut labels = Map::new();
        let mut set = |key: &str, value: &str| labels.insert(key.to_owned(), value.into());
        let mut taints = taints;
        let mut id = provider_id(scheme, zone);
        if !no_hostname { set("kubernetes.io/hostname", &name); }
        if let Some(team) = team { set("team", team); }
        if initialising {
            taints.push(json!({"key": "node.cloudprovider.kubernetes.io/uninitialized", "effect": "NoSchedule"}));
            id = String::new();
        } else {
            if !no_region { set(REGION, mislabelled.unwrap_or(region)); }
            if !no_zone { set(ZONE, zone); }
            if driver_key && scheme == "acme" { set("topology.acme.test/zone", zone); }
            if let Some(restricted) = restricted { set(RESTRICTED, restricted); }
            if let Some(plain) = plain { set("domicile.dev/jurisdiction", plain); }
            if no_id { id = String::new(); }
        }
        json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
               "spec": {"providerID": id, "taints": taints}})
    }
}

/// A node that could join: whole and consistent, of one of these schemes, and nothing said over the catalog's head.
pub(crate) fn joining() -> impl Strategy<Value = Value> {
    (select(MACHINES.to_vec()), of(select(TEAMS.to_vec())), proptest::bool::ANY).prop_map(
        |((scheme, region, zone), team, key)| {
            let mut labels = json!({REGION: region, ZONE: zone, "kubernetes.io/hostname": "joining"});
            if let Some(team) = team {
                labels["team"] = team.into();
            }
            if key && scheme == "acme" {
                labels["topology.acme.test/zone"] = zone.into();
            }
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "joining", "labels": labels},
               "spec": {"providerID": provider_id(scheme, zone)}})
        },
    )
}

fn label_selector() -> impl Strategy<Value = Value> {
    prop_oneof![
        select(TEAMS.to_vec()).prop_map(|team| json!({"matchLabels": {"team": team}})),
        (select(vec!["In", "NotIn"]), subsequence(TEAMS.to_vec(), 1..3)).prop_map(
            |(operator, values)| json!({"matchExpressions": [{"key": "team", "operator": operator, "values": values}]})
        ),
        select(vec!["Exists", "DoesNotExist"])
            .prop_map(|operator| json!({"matchExpressions": [{"key": "team", "operator": operator}]})),
    ]
}

const MOMENTS: [&str; 4] =
    ["2020-01-01T00:00:00Z", "2026-06-01T11:59:59Z", "2026-06-01T12:00:00Z", "2030-01-01T00:00:00Z"];

prop_compose! {
    fn place()(
        jurisdictions in weighted(0.6, subsequence(vec!["DE", "FR", "US", "EEA", "NORTH", "CA", "CA-QC", "TR"], 1..4)),
        regions in weighted(0.2, subsequence(vec!["eu-*", "north-1", "*-1", "hall", "us-east-1", "fsn1"], 1..3)),
        zones in weighted(0.1, subsequence(vec!["*a", "eu-central-1*", "cage", "north-1-x*"], 1..3)),
        providers in weighted(0.2, subsequence(vec!["aws", "hetzner", "acme", "bare", "cloudy"], 1..4)),
        laws in weighted(0.15, subsequence(vec!["DE", "US", "NORTH"], 1..3)),
        selector in weighted(0.15, label_selector()),
        from in weighted(0.1, select(MOMENTS.to_vec())),
        until in weighted(0.1, select(MOMENTS.to_vec())),
    ) -> Value {
        let mut place = Map::new();
        let mut set = |key: &str, value: Option<Value>| {
            if let Some(value) = value { place.insert(key.to_owned(), value); }
        };
        set("jurisdictions", jurisdictions.map(Value::from));
        set("regions", regions.map(Value::from));
        set("zones", zones.map(Value::from));
        set("providers", providers.map(Value::from));
        set("providerJurisdictions", laws.map(Value::from));
        set("nodeSelector", selector);
        // The other way round is no valid place, and a policy with one permits nothing.
        let until = until.filter(|until| from.is_none_or(|from| from < *until));
        set("from", from.map(Value::from));
        set("until", until.map(Value::from));
        if place.keys().all(|key| key == "from" || key == "until") {
            place.insert("jurisdictions".to_owned(), json!(["DE", "FR"]));
        }
        Value::Object(place)
    }
}

prop_compose! {
    pub(crate) fn policy(number: usize)(
        classifications in subsequence(TOKENS.to_vec(), 1..3),
        activities in weighted(0.3, select(vec!["Processing", "Storage"])),
        namespaces in weighted(0.1, label_selector()),
        objects in weighted(0.15, label_selector()),
        (allow, deny) in prop_oneof![
            4 => vec(place(), 1..3).prop_map(|allow| (Some(allow), None)),
            2 => vec(place(), 1..3).prop_map(|deny| (None, Some(deny))),
            1 => (vec(place(), 1..3), vec(place(), 1..2)).prop_map(|(allow, deny)| (Some(allow), Some(deny))),
        ],
        action in prop_oneof![6 => Just("Deny"), 1 => Just("Warn"), 1 => Just("Audit")],
        assurance in prop_oneof![3 => Just("Observed"), 1 => Just("Proven")],
    ) -> Value {
        let mut spec = json!({"classifications": classifications, "action": action, "assurance": assurance});
        if let Some(activity) = activities { spec["activities"] = json!([activity]); }
        if let Some(selector) = namespaces { spec["namespaceSelector"] = selector; }
        if let Some(selector) = objects { spec["objectSelector"] = selector; }
        if let Some(allow) = allow { spec["allow"] = allow.into(); }
        if let Some(deny) = deny { spec["deny"] = deny.into(); }
        json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy",
               "metadata": {"name": format!("p{number}")}, "spec": spec})
    }
}

prop_compose! {
    fn exception(number: usize)(
        policies in subsequence(vec!["p0", "p1", "p2"], 1..3),
        objects in weighted(0.3, label_selector()),
        allow in vec(place(), 1..2),
        until in select(MOMENTS.to_vec()),
    ) -> Value {
        let mut spec = json!({"policies": policies, "allow": allow, "until": until, "reason": "a test"});
        if let Some(selector) = objects { spec["objectSelector"] = selector; }
        json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyException",
               "metadata": {"name": format!("e{number}"), "namespace": "shop"}, "spec": spec})
    }
}

fn expression() -> impl Strategy<Value = Value> {
    let among = |key: &'static str, values: Vec<&'static str>| {
        (prop_oneof![4 => Just("In"), 1 => Just("NotIn")], subsequence(values, 1..3))
            .prop_map(move |(operator, values)| json!({"key": key, "operator": operator, "values": values}))
    };
    prop_oneof![
        5 => among(REGION, REGIONS.to_vec()),
        3 => among(ZONE, ZONES.to_vec()),
        1 => among("topology.acme.test/zone", vec!["north-1a", "north-1-xa", "south-1a"]),
        1 => among("csi.hetzner.cloud/location", vec!["fsn1", "ash"]),
        1 => among("kubernetes.io/hostname", vec!["n0", "n1", "n2", "joining"]),
        2 => among("team", TEAMS.to_vec()),
        1 => among(RESTRICTED, vec!["DE", "US", "CA-QC"]),
        1 => (select(vec!["Gt", "Lt"]), select(vec!["1", "5", "9"]))
            .prop_map(|(operator, value)| json!({"key": "team", "operator": operator, "values": [value]})),
        2 => (select(vec![REGION, ZONE, "team", RESTRICTED]), select(vec!["Exists", "DoesNotExist"]))
            .prop_map(|(key, operator)| json!({"key": key, "operator": operator})),
    ]
}

prop_compose! {
    pub(crate) fn constraint()(expression in expression()) -> Value { expression }
}

fn term() -> impl Strategy<Value = Value> {
    let field = (prop_oneof![3 => Just("In"), 1 => Just("NotIn")], select(vec!["n0", "n1", "n9"]))
        .prop_map(|(operator, name)| json!({"key": "metadata.name", "operator": operator, "values": [name]}));
    prop_oneof![
        8 => vec(expression(), 1..3).prop_map(|all| json!({"matchExpressions": all})),
        1 => field.prop_map(|field| json!({"matchFields": [field]})),
        1 => Just(json!({})),
    ]
}

pub(crate) fn selector_entry() -> impl Strategy<Value = (&'static str, &'static str)> {
    prop_oneof![
        select(REGIONS.to_vec()).prop_map(|region| (REGION, region)),
        select(ZONES.to_vec()).prop_map(|zone| (ZONE, zone)),
        select(TEAMS.to_vec()).prop_map(|team| ("team", team)),
    ]
}

fn volume() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => select(vec!["c0", "c1", "c2", "c9"]).prop_map(|name| json!({"persistentVolumeClaim": {"claimName": name}})),
        1 => Just(json!({"emptyDir": {}})),
        1 => Just(json!({"emptyDir": {"medium": "Memory"}})),
        1 => Just(json!({"configMap": {"name": "x"}})),
        1 => Just(json!({"nfs": {"server": "x", "path": "/"}})),
        1 => Just(json!({"csi": {"driver": "spread.test"}})),
        1 => (select(vec!["k0", "k1", "k9"]), weighted(0.3, select(TOKENS.to_vec()))).prop_map(|(class, token)| json!({
            "ephemeral": {"volumeClaimTemplate": {
                "metadata": {"annotations": annotations(token)}, "spec": {"storageClassName": class}}}})),
    ]
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
    fn metadata(name: String, namespace: Option<&'static str>, often: f64)(
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
        claims in vec((select(vec!["k0", "k1"]), weighted(0.3, select(TOKENS.to_vec()))), 0..2),
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
            let claims: Vec<_> = claims.into_iter().enumerate().map(|(number, (class, token))| json!({
                "metadata": {"name": format!("t{number}"), "annotations": annotations(token)},
                "spec": {"storageClassName": class}})).collect();
            inner["volumeClaimTemplates"] = claims.into();
        }
        json!({"apiVersion": group, "kind": kind, "metadata": outer, "spec": inner})
    }
}

fn driver() -> impl Strategy<Value = &'static str> {
    select(vec![
        "ebs.csi.aws.com",
        "disk.acme.test",
        "spread.test",
        "share.test",
        "csi.hetzner.cloud",
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

prop_compose! {
    fn class(number: usize)(
        driver in driver(),
        waits in proptest::bool::ANY,
        topologies in prop_oneof![3 => Just(vec![]), 2 => vec(topology(), 1..3)],
        default in proptest::bool::weighted(0.3),
        declared in weighted(0.1, select(vec!["DE", "US"])),
    ) -> Value {
        let terms: Vec<_> = topologies.into_iter()
            .map(|(key, values)| json!({"matchLabelExpressions": [{"key": key, "values": values}]})).collect();
        let mut annotations = json!({});
        if default { annotations["storageclass.kubernetes.io/is-default-class"] = "true".into(); }
        if let Some(declared) = declared { annotations["domicile.dev/jurisdiction"] = declared.into(); }
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
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
        terms in prop_oneof![2 => Just(vec![]), 4 => vec(topology(), 1..3)],
        in_claim in proptest::bool::weighted(0.7),
        class in select(vec!["", "k0", "k1"]),
        declared in weighted(0.15, select(vec!["DE", "US"])),
        zones in weighted(0.1, subsequence(vec!["eu-central-1a", "eu-central-1b", "us-east-1b", "north-1-xa"], 1..3)),
    ) -> Value {
        let mut metadata = metadata;
        if let Some(declared) = declared { metadata["annotations"]["domicile.dev/jurisdiction"] = declared.into(); }
        if let Some(zones) = zones { metadata["labels"][ZONE] = zones.join("__").into(); }
        let mut spec = json!({"csi": {"driver": driver, "volumeHandle": "x"}, "storageClassName": class});
        if !terms.is_empty() {
            let terms: Vec<_> = terms.into_iter()
                .map(|(key, values)| json!({"matchExpressions": [{"key": key, "operator": "In", "values": values}]})).collect();
            spec["nodeAffinity"] = json!({"required": {"nodeSelectorTerms": terms}});
        }
        let mut phase = "Available";
        if in_claim {
            spec["claimRef"] = json!({"namespace": "shop", "name": format!("c{number}")});
            phase = "Bound";
        }
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec, "status": {"phase": phase}})
    }
}

prop_compose! {
    fn snapshot()(metadata in metadata("s0".to_owned(), Some("shop"), 0.3), claim in select(vec!["c0", "c1", "c9"])) -> Value {
        json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot", "metadata": metadata,
               "spec": {"source": {"persistentVolumeClaimName": claim}}})
    }
}

prop_compose! {
    fn namespace()(mut metadata in metadata("shop".to_owned(), None, 0.2)) -> Value {
        metadata["name"] = "shop".into();
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    }
}

fn up_to<S: Strategy<Value = Value> + 'static>(
    most: usize,
    make: fn(usize) -> S,
) -> BoxedStrategy<Vec<Value>> {
    (0..=most)
        .prop_flat_map(move |count| (0..count).map(|number| make(number).boxed()).collect::<Vec<_>>())
        .boxed()
}

/// A whole cluster.
pub(crate) fn cluster() -> impl Strategy<Value = Cluster> {
    let storage = prop_oneof![
        1 => Just(vec![]),
        2 => (up_to(2, class), up_to(3, claim), up_to(3, persistent_volume), weighted(0.3, snapshot())).prop_map(
            |(classes, claims, volumes, snapshot)| [classes, claims, volumes, snapshot.into_iter().collect()].concat()
        ),
    ];
    (
        prop_oneof![1 => Just(0_usize), 6 => Just(1), 2 => Just(2)],
        namespace(),
        up_to(6, node),
        prop_oneof![1 => Just(vec![]), 8 => up_to(4, policy)],
        prop_oneof![3 => Just(vec![]), 1 => up_to(2, exception)],
        storage,
        prop_oneof![3 => Just(vec![]), 1 => up_to(2, |number| pod(format!("old{number}"), 0.4))],
    )
        .prop_map(|(geography, namespace, nodes, policies, exceptions, storage, pods)| Cluster {
            geography,
            manifests: [vec![namespace], nodes, policies, exceptions, storage, pods].concat(),
        })
}
