//! The controller under the chart's account: it has every right that it needs, and needs every right that it has.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::installed::{NAMESPACE, Release};
use crate::plane::{
    Identity, OPEN_REPORTS, POLICY_REPORTS, Plane, Process, Reporting, Trials, eventually, free_port,
};

const CARRIED: &str = "domicile.dev/data-classification";
const SNAPSHOTS: [(&str, &str, &str); 3] = [
    ("volumesnapshots", "VolumeSnapshot", "Namespaced"),
    ("volumesnapshotcontents", "VolumeSnapshotContent", "Cluster"),
    ("volumesnapshotclasses", "VolumeSnapshotClass", "Cluster"),
];

pub(crate) fn trials() -> Trials {
    Trials::of("rights").alone("every_right_is_used_and_none_is_missing", every_right_is_used)
}

async fn every_right_is_used(plane: &'static Plane) {
    let admin = plane.admin();
    let namespace = &plane.namespace("rights").await;
    let make = |manifest: Value| admin.kubectl_reading(&["create", "-f", "-"], &manifest.to_string());
    for (plural, kind, scope) in SNAPSHOTS {
        make(definition(plural, kind, scope)).ok();
    }
    make(POLICY_REPORTS.definitions()).ok();
    let port = free_port();
    let address = format!("https://127.0.0.1:{port}");
    let release = Release::install(admin, &["--set", &format!("webhook.url={address}")]);
    let account = plane.service_account(NAMESPACE, "domicile").await;
    // Another release before had an account of that name.
    let uid = admin.kubectl(&["get", "serviceaccount", "domicile", "-n", NAMESPACE, "-o", "json"]).json()
        ["metadata"]["uid"]
        .clone();
    // Somebody has deleted it. Who comes makes it anew.
    admin.kubectl(&["delete", "lease", "domicile", "-n", NAMESPACE]).ok();
    // Two, as the chart has it: one is asked, and both keep the certificate.
    let mut replicas = [serve(plane, &account, port), serve(plane, &account, free_port())];
    let probe = |identity: &Identity| {
        let mut command = identity.command(Path::new(env!("CARGO_BIN_EXE_domicile")));
        let output = command.args(["probe", "-n", namespace]).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    eventually("it answers", async || (probe(admin).0 == Some(0)).then_some(())).await;

    everything_it_is_asked(&make, admin, namespace).await;
    for reporting in [POLICY_REPORTS, OPEN_REPORTS] {
        // Of the second, once the first is served: it takes that one's place.
        admin.kubectl_reading(&["apply", "-f", "-"], &reporting.definitions().to_string()).ok();
        every_change_of_reports(&make, admin, namespace, reporting).await;
    }

    let allowed = allowed(admin);
    let unused = || allowed.difference(&used(plane, &uid)).cloned().collect::<Vec<_>>();
    let until = Instant::now() + Duration::from_mins(1);
    while !unused().is_empty() && Instant::now() < until {
        // Somebody wants another certificate. Both write it then, and whoever is second reads what the first has written.
        admin.kubectl(&["delete", "secret", "domicile-tls", "-n", NAMESPACE]).ok();
        eventually("the Secret is made anew", async || {
            (admin.kubectl(&["get", "secret", "domicile-tls", "-n", NAMESPACE]).status == 0).then_some(())
        })
        .await;
        eventually("it answers again", async || (probe(admin).0 == Some(0)).then_some(())).await;
    }
    assert_eq!(unused(), [""; 0], "not needed\n{}", replicas[0].tail());
    let used = used(plane, &uid);
    let missing: Vec<_> = used.difference(&allowed).collect();
    assert!(missing.is_empty(), "used without being in the chart: {missing:#?}");
    let refused: Vec<_> =
        of_account(plane, &uid).into_iter().filter(|event| event["responseStatus"]["code"] == 403).collect();
    assert!(refused.is_empty(), "{refused:#?}");

    for replica in &mut replicas {
        assert!(replica.stop(Duration::from_secs(20)).success(), "{}", replica.tail());
    }
    drop(release);
    for (plural, ..) in SNAPSHOTS {
        admin.kubectl(&["delete", "crd", &format!("{plural}.snapshot.storage.k8s.io")]).ok();
    }
    for name in POLICY_REPORTS.names().iter().chain(&OPEN_REPORTS.names()) {
        admin.kubectl(&["delete", "crd", name]).ok();
    }
    admin.kubectl(&["delete", "namespace", namespace, "--wait=false"]).ok();
}

/// The controller, set as the chart's Deployment sets it.
pub(crate) fn serve(plane: &Plane, account: &Identity, port: u16) -> Process {
    let mut command = account.command(Path::new(env!("CARGO_BIN_EXE_domicile")));
    command.args(arguments(plane, port)).env("DOMICILE_NAMESPACE", NAMESPACE);
    Process::spawn("domicile", &command, &plane.folder().join(format!("domicile-{port}.log")))
}

/// What the chart's Deployment calls it with, but for the ports, which are those of the test.
pub(crate) fn arguments(plane: &Plane, port: u16) -> Vec<String> {
    let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/domicile");
    let chart = chart.to_str().unwrap();
    let rendered = plane.admin().helm(&["template", "domicile", chart, "-n", NAMESPACE]).ok();
    let objects: Vec<Option<Value>> = serde_saphyr::from_multiple(&rendered).unwrap();
    let deployment = objects.into_iter().flatten().find(|object| object["kind"] == "Deployment").unwrap();
    let arguments = deployment["spec"]["template"]["spec"]["containers"][0]["args"].as_array().unwrap();
    let is_port =
        |argument: &&str| argument.starts_with("--listen=") || argument.starts_with("--metrics-listen=");
    let arguments = arguments.iter().map(|argument| argument.as_str().unwrap());
    let mut arguments: Vec<_> = arguments.filter(|argument| !is_port(argument)).map(str::to_owned).collect();
    arguments.extend([
        format!("--listen=127.0.0.1:{port}"),
        format!("--metrics-listen=127.0.0.1:{}", free_port()),
        "--tls-name=127.0.0.1".to_owned(),
        "--shutdown-grace=100ms".to_owned(),
    ]);
    arguments
}

/// One of each thing that makes it ask the API server in turn.
async fn everything_it_is_asked(
    make: &impl Fn(Value) -> crate::plane::Said,
    admin: &Identity,
    namespace: &str,
) {
    let meta = |name: &str| json!({"name": name, "namespace": namespace});
    make(
        json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "eu"},
        "spec": {"classifications": ["personal"], "allow": [{"jurisdictions": ["EEA"]}]}}),
    )
    .ok();
    for (name, region) in [("inside", "eu-central-1"), ("outside", "us-east-1")] {
        make(json!({"apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": {"topology.kubernetes.io/region": region,
                "topology.kubernetes.io/zone": format!("{region}a")}},
            "spec": {"providerID": format!("aws:///{region}a/i-1")}}))
        .ok();
    }
    make(json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "disks"},
        "provisioner": "ebs.csi.aws.com", "volumeBindingMode": "WaitForFirstConsumer"}))
    .ok();
    // A claim that is restored from a snapshot, bound to a volume.
    make(json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass",
        "metadata": {"name": "kept"}, "driver": "ebs.csi.aws.com", "deletionPolicy": "Retain"}))
    .ok();
    make(json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotContent",
        "metadata": {"name": "content"}, "spec": {"driver": "ebs.csi.aws.com", "volumeSnapshotClassName": "kept",
            "source": {"snapshotHandle": "snap-1"}, "volumeSnapshotRef": {"name": "snapshot", "namespace": namespace}}}))
    .ok();
    make(json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot", "metadata": meta("snapshot"),
        "spec": {"volumeSnapshotClassName": "kept", "source": {"volumeSnapshotContentName": "content"}}}))
    .ok();
    make(json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "rights-volume"},
        "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "storageClassName": "disks",
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-1"},
            "claimRef": {"name": "claim", "namespace": namespace},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "topology.kubernetes.io/zone", "operator": "In", "values": ["eu-central-1a"]}]}]}}}}))
    .ok();
    make(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta("claim"),
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "disks", "volumeName": "rights-volume",
            "dataSource": {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "snapshot"}}}))
    .ok();
    // A snapshot of that claim, which a pod classifies later.
    make(json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotContent",
        "metadata": {"name": "of-claim"}, "spec": {"driver": "ebs.csi.aws.com", "volumeSnapshotClassName": "kept",
            "source": {"volumeHandle": "vol-1"}, "volumeSnapshotRef": {"name": "of-claim", "namespace": namespace}}}))
    .ok();
    make(json!({"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot", "metadata": meta("of-claim"),
        "spec": {"volumeSnapshotClassName": "kept", "source": {"persistentVolumeClaimName": "claim"}}}))
    .ok();
    let pod = |name: &str, volumes: Value| {
        json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": name, "namespace": namespace, "annotations": {CARRIED: "personal"}},
            "spec": {"schedulerName": "none", "containers": [{"name": "c", "image": "i"}], "volumes": volumes}})
    };
    let created = eventually("a pod that may be is admitted", async || {
        let said =
            make(pod("may-be", json!([{"name": "v", "persistentVolumeClaim": {"claimName": "claim"}}])));
        (said.status == 0).then_some(())
    });
    created.await;
    let path = format!("/api/v1/namespaces/{namespace}/pods/may-be/binding");
    let bind = |node: &str| {
        let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "may-be"},
            "target": {"kind": "Node", "name": node}});
        admin.kubectl_reading(&["create", "--raw", &path, "-f", "-"], &binding.to_string())
    };
    // Twice, so that an event is made and then counted on.
    for _ in 0..2 {
        let refusal = bind("outside").refused();
        assert!(refusal.contains("bindings.domicile.dev"), "{refusal}");
    }
    bind("inside").ok();
    // Whoever declassifies must hold the verb; an administrator holds every verb.
    admin.kubectl(&["annotate", "pod", "may-be", "-n", namespace, &format!("{CARRIED}-")]).ok();
    admin.kubectl(&["annotate", "node", "outside", "looked=at"]).ok();
    everything_it_finds(make, namespace);
    admin.kubectl(&["delete", "node", "inside", "outside"]).ok();
}

/// Things that come to break a policy, a policy and an exception that end soon, and a geography.
fn everything_it_finds(make: &impl Fn(Value) -> crate::plane::Said, namespace: &str) {
    let ours = |kind: &str, meta: Value, spec: Value| {
        make(json!({"apiVersion": "domicile.dev/v1alpha1", "kind": kind, "metadata": meta, "spec": spec}))
            .ok()
    };
    let labels = json!({"app": "found"});
    let template = |restart: &str| {
        json!({"metadata": {"labels": labels, "annotations": {CARRIED: "health"}},
            "spec": {"schedulerName": "none", "restartPolicy": restart, "containers": [{"name": "c", "image": "i"}]}})
    };
    let job = json!({"suspend": true, "template": template("Never")});
    let selecting = json!({"selector": {"matchLabels": labels}, "template": template("Always")});
    let mut set = selecting.clone();
    set["serviceName"] = json!("found");
    for (api, kind, spec) in [
        ("apps/v1", "Deployment", selecting.clone()),
        ("apps/v1", "DaemonSet", selecting.clone()),
        ("apps/v1", "ReplicaSet", selecting),
        ("apps/v1", "StatefulSet", set),
        ("v1", "ReplicationController", json!({"selector": labels, "template": template("Always")})),
        ("batch/v1", "Job", job.clone()),
        ("batch/v1", "CronJob", json!({"schedule": "0 0 1 1 *", "jobTemplate": {"spec": job}})),
    ] {
        let meta = json!({"name": "found", "namespace": namespace});
        make(json!({"apiVersion": api, "kind": kind, "metadata": meta, "spec": spec})).ok();
    }
    make(json!({"apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": "rights-found", "annotations": {CARRIED: "health"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"},
            "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-2"}}}))
    .ok();
    make(
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "VolumeAttachment", "metadata": {"name": "found"},
        "spec": {"attacher": "ebs.csi.aws.com", "nodeName": "outside",
            "source": {"persistentVolumeName": "rights-found"}}}),
    )
    .ok();
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * 3);
    ours(
        "ResidencyPolicy",
        json!({"name": "found"}),
        json!({"classifications": ["health"], "allow": [{"jurisdictions": ["JP"], "until": soon}]}),
    );
    ours(
        "ResidencyException",
        json!({"name": "found", "namespace": namespace}),
        json!({"policies": ["found"], "objectSelector": {"matchLabels": {"app": "other"}},
            "allow": [{"jurisdictions": ["FR"]}], "until": soon, "reason": "a test"}),
    );
    ours("Geography", json!({"name": "found"}), json!({"groups": [{"name": "HOME", "members": ["JP"]}]}));
}

/// What is reported comes, changes and goes: about something in a namespace, and something in none.
async fn every_change_of_reports(
    make: &impl Fn(Value) -> crate::plane::Said,
    admin: &Identity,
    namespace: &str,
    reporting: Reporting,
) {
    let policy = |action: &str| {
        json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "reported"},
            "spec": {"classifications": ["research"], "action": action, "allow": [{"jurisdictions": ["JP"]}]}})
    };
    let things = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "reported", "labels": {
            "topology.kubernetes.io/region": "us-east-1", "topology.kubernetes.io/zone": "us-east-1a"}},
            "spec": {"providerID": "aws:///us-east-1a/i-2"}},
        {"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "reported", "namespace": namespace, "annotations": {CARRIED: "research"}},
            "spec": {"schedulerName": "none", "containers": [{"name": "c", "image": "i"}]}},
        {"apiVersion": "v1", "kind": "PersistentVolume",
            "metadata": {"name": "rights-reported", "annotations": {CARRIED: "research"}},
            "spec": {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"},
                "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "vol-3"}}},
    ]});
    admin.kubectl_reading(&["apply", "-f", "-"], &things.to_string()).ok();
    let said = |plural: &str| {
        let kind = format!("{plural}.{}", reporting.group);
        let reports = admin.kubectl(&["get", &kind, "-n", namespace, "-o", "json"]).json();
        let reports = reports["items"].as_array().cloned().unwrap_or_default();
        let results =
            reports.iter().flat_map(|report| report["results"].as_array().cloned().unwrap_or_default());
        let of_policy = results.filter(|result| result["policy"] == "reported");
        of_policy
            .map(|result| result["result"].as_str().unwrap_or_default().to_owned())
            .collect::<BTreeSet<_>>()
    };
    let until = async |expected: &[&str]| {
        let plurals = [reporting.namespaced.1, reporting.cluster.1];
        eventually(&format!("{plurals:?} say {expected:?}"), async || {
            plurals
                .iter()
                .all(|plural| said(plural).iter().map(String::as_str).eq(expected.iter().copied()))
                .then_some(())
        })
        .await;
    };
    make(policy("Audit")).ok();
    until(&["fail"]).await;
    admin.kubectl_reading(&["apply", "-f", "-"], &policy("Warn").to_string()).ok();
    until(&["warn"]).await;
    admin.kubectl(&["delete", "respol", "reported"]).ok();
    until(&[]).await;
    admin.kubectl_reading(&["delete", "--force", "-f", "-"], &things.to_string()).ok();
}

/// A definition of a kind whose real one a cluster brings with its snapshot controller.
fn definition(plural: &str, kind: &str, scope: &str) -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": format!("{plural}.snapshot.storage.k8s.io"),
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
        },
        "spec": {
            "group": "snapshot.storage.k8s.io",
            "names": {"plural": plural, "kind": kind, "singular": kind.to_lowercase()},
            "scope": scope,
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema":
                {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
        },
    })
}

/// What the chart's roles allow, as `verb group/resource`.
fn allowed(admin: &Identity) -> BTreeSet<String> {
    let cluster = admin.kubectl(&["get", "clusterrole", "domicile", "-o", "json"]).json();
    let own = admin.kubectl(&["get", "role", "domicile", "-n", NAMESPACE, "-o", "json"]).json();
    let mut allowed = BTreeSet::new();
    for rule in [&cluster, &own].into_iter().flat_map(|role| role["rules"].as_array().unwrap()) {
        let words = |field: &str| {
            let words = rule[field].as_array().unwrap().iter();
            words.map(|word| word.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        for (group, resource) in words("apiGroups")
            .iter()
            .flat_map(|group| words("resources").into_iter().map(move |one| (group, one)))
        {
            allowed.extend(words("verbs").iter().map(|verb| format!("{verb} {group}/{resource}")));
        }
    }
    allowed
}

/// What the account has asked the API server for, as `verb group/resource`.
fn used(plane: &Plane, uid: &Value) -> BTreeSet<String> {
    let resources =
        of_account(plane, uid).into_iter().filter(|event| event["objectRef"]["resource"].is_string());
    resources
        .map(|event| {
            let reference = &event["objectRef"];
            let text = |field: &str| reference[field].as_str().unwrap_or_default();
            let part = Some(text("subresource")).filter(|part| !part.is_empty());
            let part = part.map(|part| format!("/{part}")).unwrap_or_default();
            format!("{} {}/{}{part}", event["verb"].as_str().unwrap(), text("apiGroup"), text("resource"))
        })
        .collect()
}

fn of_account(plane: &Plane, uid: &Value) -> Vec<Value> {
    plane.audit().into_iter().filter(|event| event["user"]["uid"] == *uid).collect()
}
