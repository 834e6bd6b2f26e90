//! A cluster as large ones are: names, labels and constraints as operators, charts and clouds write them.

#![allow(dead_code, reason = "each benchmark uses its part")]

pub(crate) mod time;

use domicile::cluster::{Settings, State};
use domicile::objects::Object;
use jiff::Timestamp;
use serde_json::{Value, json};

/// When everything is judged.
pub(crate) fn now() -> Timestamp {
    "2026-11-24T08:00:00Z".parse().unwrap()
}

/// Reviews of new pods as an API server sends them, by their size in KB: half of them is `managedFields`. The larger one is
/// of a pod with two sidecars.
pub(crate) const REVIEWS: [(usize, &[u8]); 2] =
    [(7, include_bytes!("reviews/pod-7k.json")), (18, include_bytes!("reviews/pod-18k.json"))];

/// The cluster that the aims are about.
pub(crate) const NODES: usize = 5_000;
pub(crate) const PODS: usize = 100_000;
pub(crate) const CLAIMS: usize = 50_000;
/// Policies of that cluster.
pub(crate) const POLICIES: usize = 40;
/// One pod in so many has no node yet.
const PENDING: usize = 50;

const NAMESPACES: usize = 200;
/// Nodes of a site, one after another.
const GROUP: usize = 100;

struct Place {
    provider: &'static str,
    region: &'static str,
    zones: &'static [&'static str],
}

/// Four clouds in eleven regions of six countries.
const PLACES: [Place; 11] = [
    Place {
        provider: "aws",
        region: "eu-central-1",
        zones: &["eu-central-1a", "eu-central-1b", "eu-central-1c"],
    },
    Place { provider: "aws", region: "eu-west-1", zones: &["eu-west-1a", "eu-west-1b", "eu-west-1c"] },
    Place { provider: "gcp", region: "europe-west4", zones: &["europe-west4-a", "europe-west4-b"] },
    Place {
        provider: "azure",
        region: "westeurope",
        zones: &["westeurope-1", "westeurope-2", "westeurope-3"],
    },
    Place { provider: "hetzner", region: "fsn1", zones: &["fsn1-dc14"] },
    Place { provider: "aws", region: "eu-north-1", zones: &["eu-north-1a", "eu-north-1b"] },
    Place { provider: "azure", region: "francecentral", zones: &["francecentral-1", "francecentral-2"] },
    Place { provider: "hetzner", region: "hel1", zones: &["hel1-dc2"] },
    Place { provider: "gcp", region: "europe-west1", zones: &["europe-west1-b", "europe-west1-c"] },
    Place { provider: "hetzner", region: "nbg1", zones: &["nbg1-dc3"] },
    Place { provider: "aws", region: "eu-west-3", zones: &["eu-west-3a", "eu-west-3b"] },
];

/// Where one group of nodes in 25 is.
const ABROAD: Place = Place { provider: "aws", region: "us-east-1", zones: &["us-east-1a", "us-east-1b"] };

const APPS: [(&str, &str); 10] = [
    ("checkout", "backend"),
    ("orders", "database"),
    ("customers", "api"),
    ("invoices", "worker"),
    ("search", "index"),
    ("payments", "gateway"),
    ("mail", "queue"),
    ("reports", "batch"),
    ("web", "frontend"),
    ("sessions", "cache"),
];

/// What namespaces carry; most nothing.
const CARRIED: [Option<&str>; 5] = [Some("personal"), None, Some("personal, payment"), None, Some("health")];

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap().unwrap()
}

fn place_of(node: usize) -> (&'static Place, &'static str) {
    let group = node / GROUP;
    let place = if group % 25 == 24 { &ABROAD } else { &PLACES[group % PLACES.len()] };
    (place, place.zones[node % place.zones.len()])
}

fn node_name(number: usize) -> String {
    let (place, _) = place_of(number);
    match place.provider {
        "aws" => format!(
            "ip-10-{}-{}-{}.{}.compute.internal",
            number >> 16,
            (number >> 8) & 255,
            number & 255,
            place.region
        ),
        "gcp" => format!("gke-prod-pool-{}-{:08x}-{:04x}", number % 12, number / GROUP * 0x9e37, number),
        "azure" => format!("aks-nodepool{}-{:08}-vmss{number:06x}", number % 9, 31_415_926 + number / GROUP),
        _ => format!("{}-worker-{number}", place.region),
    }
}

pub(crate) fn node(number: usize) -> Object {
    object(node_manifest(number))
}

/// A node with the labels that kubelet, cloud controller, CSI drivers and node groups give it.
pub(crate) fn node_manifest(number: usize) -> Value {
    let ((place, zone), name) = (place_of(number), node_name(number));
    let kind = ["m6i.2xlarge", "m6i.4xlarge", "r6i.2xlarge", "c6a.8xlarge"][number % 4];
    let mut labels = json!({
        "beta.kubernetes.io/arch": "amd64", "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64", "kubernetes.io/os": "linux", "kubernetes.io/hostname": name,
        "node.kubernetes.io/instance-type": kind, "beta.kubernetes.io/instance-type": kind,
        "topology.kubernetes.io/region": place.region, "topology.kubernetes.io/zone": zone,
        "failure-domain.beta.kubernetes.io/region": place.region, "failure-domain.beta.kubernetes.io/zone": zone,
    });
    let (key, value) = match place.provider {
        "aws" => ("topology.ebs.csi.aws.com/zone", zone),
        "gcp" => ("topology.gke.io/zone", zone),
        "azure" => ("topology.disk.csi.azure.com/zone", zone),
        _ => ("csi.hetzner.cloud/location", place.region),
    };
    labels[key] = value.into();
    labels["example.com/node-group"] = format!("{}-{}", place.region, number % 12).into();
    let id = match place.provider {
        "aws" => format!("aws:///{zone}/i-{number:017x}"),
        "gcp" => format!("gce://prod-project/{zone}/{name}"),
        "azure" => format!(
            "azure:///subscriptions/3f2a/resourceGroups/mc_prod/providers/Microsoft.Compute/virtualMachineScaleSets/aks/virtualMachines/{number}"
        ),
        _ => format!("hcloud://{}", 48_000_000 + number),
    };
    let taints = if number % 40 == 7 {
        json!([{"key": "dedicated", "value": "batch", "effect": "NoSchedule"}])
    } else {
        json!([])
    };
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels},
           "spec": {"providerID": id, "taints": taints}})
}

pub(crate) fn policy(number: usize, classification: &str, outside: bool) -> Object {
    object(policy_manifest(number, classification, outside))
}

/// A policy of one classification that permits every region of the cluster, with a few places and a limited time among
/// what it says. `outside` leaves the United States out.
pub(crate) fn policy_manifest(number: usize, classification: &str, outside: bool) -> Value {
    let countries = if outside { json!(["EEA", "CH"]) } else { json!(["EEA", "CH", "US"]) };
    json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy",
        "metadata": {"name": format!("{classification}-{number:04}")},
        "spec": {
            "classifications": [classification],
            "allow": [
                {"jurisdictions": countries, "basis": "GDPR Art. 44"},
                {"jurisdictions": ["GB"], "until": "2031-12-27T00:00:00Z", "basis": "Decision (EU) 2021/1772"},
            ],
            "deny": [{"providerJurisdictions": ["CN"]}, {"regions": [format!("region-{number}-*")]}],
        },
    })
}

/// Nodes, and policies of which `governing` govern personal data and the others something else, each ten of them.
/// `outside`: one of the first does not permit the United States.
pub(crate) fn fleet(nodes: usize, governing: usize, others: usize, outside: bool) -> State {
    let mut state = State::new(Settings::default());
    let personal = (0..governing).map(|number| policy(number, "personal", outside && number == 0));
    let other = (0..others).map(|number| policy(number, &format!("kind-{}", number / 10), false));
    state.apply_all(personal.chain(other).chain((0..nodes).map(node)));
    state
}

/// A pod as a Deployment makes it, of this specification.
pub(crate) fn pod_with(spec: &Value) -> Object {
    object(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "checkout-7d9f8c6b5-x2x4q", "namespace": "team-000",
                     "labels": {"app.kubernetes.io/name": "checkout", "pod-template-hash": "7d9f8c6b5"},
                     "annotations": {"domicile.dev/data-classification": "personal"}},
        "spec": spec,
    }))
}

/// A required node affinity of so many terms over zones of the cluster.
pub(crate) fn affinity(terms: usize, values: usize) -> Value {
    let known: Vec<&str> = PLACES.iter().flat_map(|place| place.zones).copied().collect();
    let term = |term: usize| {
        let zones: Vec<&str> = (0..values).map(|value| known[(term + value) % known.len()]).collect();
        json!({"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": zones}]})
    };
    let terms: Vec<Value> = (0..terms).map(term).collect();
    json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}})
}

fn namespace(number: usize) -> Object {
    let mut annotations = json!({});
    if let Some(carried) = CARRIED[number % CARRIED.len()] {
        annotations["domicile.dev/data-classification"] = carried.into();
    }
    object(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": format!("team-{number:03}"), "annotations": annotations,
        "labels": {"pod-security.kubernetes.io/enforce": "restricted", "team": format!("t{}", number % 40)}}}))
}

fn labels(app: usize) -> Value {
    let (name, component) = APPS[app % APPS.len()];
    json!({
        "app.kubernetes.io/name": name, "app.kubernetes.io/instance": format!("{name}-{}", app / APPS.len()),
        "app.kubernetes.io/component": component, "app.kubernetes.io/managed-by": "Helm",
        "app.kubernetes.io/part-of": format!("product-{}", app % 60), "helm.sh/chart": format!("{name}-4.{}.1", app % 7),
    })
}

/// Ten pods an application, and applications in namespaces.
fn app_of(pod: usize) -> (usize, usize, String) {
    let app = pod / 10;
    (app, pod % 10, format!("team-{:03}", app % NAMESPACES))
}

/// As names of what is made are: five letters that nobody chose.
fn suffix(number: usize) -> String {
    let letters = b"bcdfghjklmnpqrstvwxz2456789";
    let mut left = number.wrapping_mul(0x9e37_79b9) & 0xff_ffff;
    let letter = |_| {
        let letter = letters[left % letters.len()];
        left /= letters.len();
        char::from(letter)
    };
    (0..5).map(letter).collect()
}

/// Every second application is a StatefulSet, whose pods have a claim each.
fn is_stateful(app: usize) -> bool {
    app.is_multiple_of(2)
}

fn claim_name(pod: usize) -> String {
    let (app, ordinal, _) = app_of(pod);
    format!("data-{}-{}-{ordinal}", APPS[app % APPS.len()].0, app / APPS.len())
}

/// A pod that runs, as it comes from the API server.
pub(crate) fn pod(number: usize) -> Object {
    let (app, ordinal, namespace) = app_of(number);
    let workload = format!("{}-{}", APPS[app % APPS.len()].0, app / APPS.len());
    let mut labels = labels(app);
    let name = if is_stateful(app) {
        let name = format!("{workload}-{ordinal}");
        labels["controller-revision-hash"] =
            format!("{workload}-{:08x}", app.wrapping_mul(2_654_435_761) & 0xffff_ffff).into();
        labels["statefulset.kubernetes.io/pod-name"] = name.as_str().into();
        labels["apps.kubernetes.io/pod-index"] = ordinal.to_string().into();
        name
    } else {
        let hash = format!("{:08x}", app.wrapping_mul(2_654_435_761) & 0xffff_ffff);
        let name = format!("{workload}-{hash}-{}", suffix(number));
        labels["pod-template-hash"] = hash.into();
        name
    };
    let mut volumes = json!([
        {"name": "config", "configMap": {"name": format!("{workload}-config")}},
        {"name": format!("kube-api-access-{}", suffix(number + 7)), "projected": {"sources": []}},
        {"name": "tmp", "emptyDir": {}},
    ]);
    if is_stateful(app) {
        let data = json!({"name": "data", "persistentVolumeClaim": {"claimName": claim_name(number)}});
        volumes.as_array_mut().unwrap().push(data);
    }
    let mut spec = json!({
        "volumes": volumes,
        "tolerations": [{"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [
            {"matchExpressions": [{"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]}]}]}}},
    });
    if number % PENDING != 3 {
        spec["nodeName"] = node_name(number % NODES).into();
    }
    object(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels,
                     "uid": format!("{number:08x}-6c1e-4b0f-9a56-000000000000"),
                     "ownerReferences": [{"kind": if is_stateful(app) { "StatefulSet" } else { "ReplicaSet" }, "name": workload}]},
        "spec": spec, "status": {"phase": "Running"},
    }))
}

fn volume_name(pod: usize) -> String {
    format!("pvc-{:08x}-51c7-4f2a-8b39-{pod:012x}", pod.wrapping_mul(0x9e37_79b9) & 0xffff_ffff)
}

/// The claim of a StatefulSet's pod and its volume, where the pod's node is.
fn claim(pod: usize) -> [Object; 2] {
    let (app, _, namespace) = app_of(pod);
    let (place, zone) = place_of(pod % NODES);
    let (class, driver, key, value) = match place.provider {
        "aws" => ("gp3", "ebs.csi.aws.com", "topology.ebs.csi.aws.com/zone", zone),
        "gcp" => ("premium-rwo", "pd.csi.storage.gke.io", "topology.gke.io/zone", zone),
        "azure" => ("managed-csi", "disk.csi.azure.com", "topology.disk.csi.azure.com/zone", zone),
        _ => ("hcloud-volumes", "csi.hetzner.cloud", "csi.hetzner.cloud/location", place.region),
    };
    let (name, volume) = (claim_name(pod), volume_name(pod));
    [
        object(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": namespace, "labels": labels(app),
                         "annotations": {"volume.kubernetes.io/selected-node": node_name(pod % NODES),
                                         "pv.kubernetes.io/bind-completed": "yes"}},
            "spec": {"storageClassName": class, "volumeName": volume}})),
        object(json!({"apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": volume, "annotations": {"pv.kubernetes.io/provisioned-by": driver}},
            "spec": {"storageClassName": class, "csi": {"driver": driver, "volumeHandle": format!("vol-{pod:017x}")},
                     "claimRef": {"namespace": namespace, "name": name},
                     "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                         {"key": key, "operator": "In", "values": [value]}]}]}}},
            "status": {"phase": "Bound"}})),
    ]
}

fn class(name: &str, driver: &str) -> Object {
    object(json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name},
                  "provisioner": driver, "volumeBindingMode": "WaitForFirstConsumer"}))
}

/// Everything but the pods and claims: what a judgement of them needs.
pub(crate) fn frame() -> impl Iterator<Item = Object> {
    let classes = [
        class("gp3", "ebs.csi.aws.com"),
        class("premium-rwo", "pd.csi.storage.gke.io"),
        class("managed-csi", "disk.csi.azure.com"),
        class("hcloud-volumes", "csi.hetzner.cloud"),
    ];
    let policies = (0..POLICIES).map(|number| {
        let classification = ["personal", "payment", "health", "government"][number % 4];
        policy(number, classification, number < 4)
    });
    policies.chain((0..NAMESPACES).map(namespace)).chain(classes).chain((0..NODES).map(node))
}

/// All of it, in an order that watches could bring it in.
pub(crate) fn everything() -> impl Iterator<Item = Object> {
    let stateful = (0..PODS).filter(|number| is_stateful(app_of(*number).0));
    frame().chain(stateful.flat_map(claim)).chain((0..PODS).map(pod))
}
