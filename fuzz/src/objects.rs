//! Kubernetes' own objects.

use serde_json::{Map, Value, json};

use super::make::Maker;

pub const REGION: &str = "topology.kubernetes.io/region";
pub const ZONE: &str = "topology.kubernetes.io/zone";
const HOSTNAME: &str = "kubernetes.io/hostname";
const RESTRICTED: &str = "domicile.dev.node-restriction.kubernetes.io/jurisdiction";
const CLASSIFICATION: &str = "domicile.dev/data-classification";

pub const REGIONS: &[&str] = &[
    "eu-central-1",
    "us-east-1",
    "europe-west1",
    "westeurope",
    "fsn1",
    "ap-southeast-1",
    "eu-west-1__b",
    "",
];
pub const ZONES: &[&str] = &[
    "eu-central-1a",
    "eu-central-1-ist-1a",
    "us-east-1b",
    "europe-west1-b",
    "westeurope-1",
    "fsn1-dc14",
    "eu-central-1a__us-east-1b",
    "nowhere",
];
pub const CODES: &[&str] = &["DE", "US", "TR", "CA-QC", "EEA", "CN", "ZZ", "XEU"];
pub const TEAMS: &[&str] = &["a", "b", "7", "-8", "+9"];
pub const TOKENS: &[&str] =
    &["personal", "health", "personal, health", "payment", "", " , ", "No_Label", "persnal"];
const NODES: &[&str] = &["n0", "n1", "n2", "n9"];
const CLAIMS: &[&str] = &["c0", "c1", "p0-v0", "c9"];
const VOLUMES: &[&str] = &["v0", "v1", "v9", ""];
const CLASSES: &[&str] = &["k0", "k1", "k9", ""];
const DRIVERS: &[&str] = &[
    "ebs.csi.aws.com",
    "pd.csi.storage.gke.io",
    "disk.csi.azure.com",
    "csi.hetzner.cloud",
    "driver.longhorn.io",
    "nfs.csi.k8s.io",
    "topolvm.io",
    "other",
];

pub const NODE_LABELS: &[(&str, &[&str])] = &[
    (REGION, REGIONS),
    (ZONE, ZONES),
    ("team", TEAMS),
    (HOSTNAME, NODES),
    (RESTRICTED, CODES),
    ("domicile.dev/jurisdiction", CODES),
    ("domicile.dev/provider-jurisdiction", CODES),
    ("topology.ebs.csi.aws.com/zone", ZONES),
    ("csi.hetzner.cloud/location", REGIONS),
    ("failure-domain.beta.kubernetes.io/zone", ZONES),
];

const ANNOTATIONS: &[(&str, &[&str])] = &[
    (CLASSIFICATION, TOKENS),
    ("domicile.dev/recorded-classification", TOKENS),
    ("domicile.dev/jurisdiction", CODES),
    ("domicile.dev/provider-jurisdiction", CODES),
    ("volume.kubernetes.io/selected-node", NODES),
    ("storageclass.kubernetes.io/is-default-class", &["true", "false"]),
    ("kubernetes.io/config.mirror", &["x"]),
];

fn metadata(maker: &mut Maker<'_>, name: &str, namespaced: bool) -> Value {
    let mut metadata = json!({
        "name": name,
        "labels": maker.map(2, &[("team", TEAMS), (CLASSIFICATION, TOKENS), (ZONE, ZONES)]),
        "annotations": maker.map(2, ANNOTATIONS),
    });
    if namespaced {
        metadata["namespace"] = "shop".into();
    }
    metadata
}

fn name(maker: &mut Maker<'_>, letter: &str) -> String {
    format!("{letter}{}", maker.below(2))
}

fn expression(maker: &mut Maker<'_>) -> Value {
    let (key, values) = maker.one_of(NODE_LABELS);
    let operator = maker.one_of(&["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]);
    let values = if operator.contains("xist") { json!([]) } else { maker.texts(3, values) };
    json!({"key": maker.text(&[key]), "operator": operator, "values": values})
}

fn selector(maker: &mut Maker<'_>) -> Value {
    let terms = maker.some(3, |maker| {
        let mut term = json!({"matchExpressions": maker.some(3, expression)});
        if maker.once_in(6) {
            term["matchFields"] = json!([{"key": "metadata.name", "operator": maker.one_of(&["In", "NotIn"]),
                                          "values": [maker.text(NODES)]}]);
        }
        term
    });
    json!({"nodeSelectorTerms": terms})
}

fn claim_spec(maker: &mut Maker<'_>) -> Value {
    let mut spec = json!({});
    if !maker.once_in(4) {
        spec["storageClassName"] = maker.text(CLASSES).into();
    }
    if maker.once_in(3) {
        spec["volumeName"] = maker.text(VOLUMES).into();
    }
    if maker.once_in(6) {
        let (kind, group, name) = maker.one_of(&[
            ("PersistentVolumeClaim", "", "c0"),
            ("VolumeSnapshot", "snapshot.storage.k8s.io", "s0"),
            ("Other", "x.test", "x"),
        ]);
        spec[maker.one_of(&["dataSource", "dataSourceRef"])] =
            json!({"kind": kind, "apiGroup": group, "name": name});
    }
    spec
}

fn mount(maker: &mut Maker<'_>) -> Value {
    let mut volume = match maker.below(8) {
        0 => json!({"persistentVolumeClaim": {"claimName": maker.text(CLAIMS)}}),
        1 => {
            json!({"ephemeral": {"volumeClaimTemplate": {"metadata": {"annotations": maker.map(1, ANNOTATIONS)},
                                                          "spec": claim_spec(maker)}}})
        }
        2 => json!({"csi": {"driver": maker.text(DRIVERS)}}),
        3 => json!({"emptyDir": {"medium": maker.one_of(&["", "Memory"])}}),
        4 => json!({"hostPath": {"path": "/"}}),
        5 => json!({"awsElasticBlockStore": {"volumeID": "x"}}),
        6 => json!({"configMap": {"name": "x"}}),
        _ => json!({}),
    };
    volume["name"] = name(maker, "v").into();
    volume
}

fn toleration(maker: &mut Maker<'_>) -> Value {
    json!({"key": maker.text(&["colour", "", "node.cloudprovider.kubernetes.io/uninitialized"]),
           "operator": maker.one_of(&["Equal", "Exists", "", "Gt", "Lt"]), "value": maker.text(&["red", "3", ""]),
           "effect": maker.one_of(&["", "NoSchedule", "NoExecute"])})
}

fn pod_spec(maker: &mut Maker<'_>) -> Value {
    let mut spec = json!({
        "nodeSelector": maker.map(1, NODE_LABELS),
        "tolerations": maker.some(1, toleration),
        "volumes": maker.some(2, mount),
    });
    if !maker.once_in(3) {
        spec["affinity"] =
            json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": selector(maker)}});
    }
    if maker.once_in(6) {
        spec["nodeName"] = maker.text(NODES).into();
    }
    spec
}

pub fn node(maker: &mut Maker<'_>) -> Value {
    let name = format!("n{}", maker.below(3));
    let taints = maker.some(1, |maker| {
        json!({"key": maker.text(&["colour", "node.cloudprovider.kubernetes.io/uninitialized", "node.kubernetes.io/not-ready"]),
               "value": maker.text(&["red", "5"]), "effect": maker.one_of(&["NoSchedule", "NoExecute", "PreferNoSchedule"])})
    });
    let scheme = maker.one_of(&["aws:///", "gce://p/", "azure:///", "hcloud://", "x://", "", "aws:"]);
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": maker.map(4, NODE_LABELS)},
           "spec": {"providerID": format!("{scheme}{}/i-1", maker.text(ZONES)), "taints": taints}})
}

pub fn pod(maker: &mut Maker<'_>) -> Value {
    let name = name(maker, "p");
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata(maker, &name, true), "spec": pod_spec(maker),
           "status": {"phase": maker.one_of(&["", "Running", "Pending", "Succeeded"])}})
}

fn workload(maker: &mut Maker<'_>) -> Value {
    let (group, kind) = maker.one_of(&[
        ("apps/v1", "Deployment"),
        ("apps/v1", "StatefulSet"),
        ("apps/v1", "DaemonSet"),
        ("apps/v1", "ReplicaSet"),
        ("v1", "ReplicationController"),
        ("batch/v1", "Job"),
        ("batch/v1", "CronJob"),
    ]);
    let template = json!({"metadata": metadata(maker, "", false), "spec": pod_spec(maker)});
    let mut spec = json!({"template": template});
    if kind == "CronJob" {
        spec = json!({"jobTemplate": {"metadata": metadata(maker, "", false), "spec": spec}});
    } else if kind == "StatefulSet" {
        spec["volumeClaimTemplates"] = maker
            .some(2, |maker| json!({"metadata": metadata(maker, "t0", false), "spec": claim_spec(maker)}))
            .into();
    }
    json!({"apiVersion": group, "kind": kind, "metadata": metadata(maker, "w0", true), "spec": spec})
}

fn class(maker: &mut Maker<'_>) -> Value {
    let name = name(maker, "k");
    let topologies = maker.some(2, |maker| {
        let expressions = maker.some(2, |maker| {
            let (key, values) = maker.one_of(NODE_LABELS);
            json!({"key": key, "values": maker.texts(3, values)})
        });
        json!({"matchLabelExpressions": expressions})
    });
    json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": metadata(maker, &name, false),
           "provisioner": maker.text(DRIVERS), "allowedTopologies": topologies,
           "volumeBindingMode": maker.one_of(&["Immediate", "WaitForFirstConsumer"]),
           "parameters": maker.map(1, &[("skuName", &["Standard_GRS", "Premium_LRS"]), ("type", &["gp3"])])})
}

fn claim(maker: &mut Maker<'_>) -> Value {
    let name = maker.one_of(&["c0", "c1", "p0-v0"]);
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata(maker, name, true),
           "spec": claim_spec(maker)})
}

fn volume(maker: &mut Maker<'_>) -> Value {
    let name = name(maker, "v");
    let mut spec = json!({"csi": {"driver": maker.text(DRIVERS), "volumeHandle": "x"},
                          "storageClassName": maker.text(CLASSES)});
    if !maker.once_in(3) {
        spec["nodeAffinity"] = json!({"required": selector(maker)});
    }
    if !maker.once_in(3) {
        spec["claimRef"] = json!({"namespace": "shop", "name": maker.text(CLAIMS)});
    }
    json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata(maker, &name, false), "spec": spec,
           "status": {"phase": maker.one_of(&["Available", "Bound", ""])}})
}

fn snapshot(maker: &mut Maker<'_>) -> Value {
    let source = match maker.below(3) {
        0 => json!({"persistentVolumeClaimName": maker.text(CLAIMS)}),
        1 => json!({"volumeSnapshotContentName": "sc0"}),
        _ => json!({}),
    };
    json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot", "metadata": metadata(maker, "s0", true),
           "spec": {"source": source, "volumeSnapshotClassName": maker.one_of(&["sk0", "sk9"])}})
}

fn content(maker: &mut Maker<'_>) -> Value {
    json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotContent",
           "metadata": metadata(maker, "sc0", false),
           "spec": {"driver": maker.text(DRIVERS), "volumeSnapshotClassName": "sk0",
                    "volumeSnapshotRef": {"namespace": "shop", "name": maker.one_of(&["s0", "s9"])}}})
}

fn snapshot_class(maker: &mut Maker<'_>) -> Value {
    json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass",
           "metadata": metadata(maker, "sk0", false), "driver": maker.text(DRIVERS),
           "parameters": maker.map(1, &[("storage-locations", REGIONS)])})
}

fn attachment(maker: &mut Maker<'_>) -> Value {
    json!({"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": metadata(maker, "a0", false),
           "spec": {"source": {"persistentVolumeName": maker.text(VOLUMES)}, "nodeName": maker.text(NODES)}})
}

fn namespace(maker: &mut Maker<'_>) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata(maker, "shop", false)})
}

fn binding(maker: &mut Maker<'_>) -> Value {
    let name = name(maker, "p");
    json!({"apiVersion": "v1", "kind": "Binding", "metadata": metadata(maker, &name, true),
           "target": {"kind": maker.text(&["Node", ""]), "name": maker.text(NODES)}})
}

const KINDS: &[fn(&mut Maker<'_>) -> Value] = &[
    pod,
    workload,
    claim,
    volume,
    node,
    class,
    namespace,
    snapshot,
    content,
    snapshot_class,
    attachment,
    binding,
];

/// An object of any kind but our own.
pub fn any(maker: &mut Maker<'_>) -> Value {
    let make = maker.one_of(KINDS);
    let mut manifest = make(maker);
    let mut fields: Map<String, Value> = manifest.as_object().cloned().unwrap_or_default();
    // What it is stays; what it says may be spoilt.
    for (key, value) in &mut fields {
        if !matches!(key.as_str(), "apiVersion" | "kind" | "metadata") {
            maker.spoil(value);
        }
    }
    manifest = Value::Object(fields);
    manifest
}
