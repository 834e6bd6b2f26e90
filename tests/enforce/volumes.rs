//! Where a volume or a copy of it would be made, by what its class, its driver and its parameters say.

use serde_json::{Value, json};

use crate::data::{claim, class, end_snapshots, once_served, remove, serve_snapshots, volume};
use crate::plane::{Plane, Said, Trials, eventually};
use crate::refusals::workload;
use crate::stand::{KEY, Stand};

const ZONE: &str = "topology.kubernetes.io/zone";

pub(crate) fn trials() -> Trials {
    Trials::of("volumes").alone("where_volumes_and_their_copies_are_made", where_they_are_made)
}

async fn where_they_are_made(plane: &'static Plane) {
    let stand = Stand::up(plane, "made").await;
    a_class_says_where(&stand).await;
    what_nothing_says(&stand);
    snapshots_kept_elsewhere(&stand).await;
}

fn offered(stand: &Stand, manifest: &Value) -> Said {
    let arguments = ["create", "--dry-run=server", "-n", &stand.namespace, "-f", "-"];
    stand.admin.kubectl_reading(&arguments, &manifest.to_string())
}

#[track_caller]
fn refused(stand: &Stand, what: &str, manifest: &Value, why: &str) {
    let said = offered(stand, manifest).refused();
    assert!(said.contains("admission webhook \"") && said.contains("policy eu-personal: "), "{what}: {said}");
    assert!(said.contains(why), "{what}: {said}");
}

fn topologies(zones: &[&str]) -> Value {
    json!([{"matchLabelExpressions": [{"key": ZONE, "values": zones}]}])
}

async fn a_class_says_where(stand: &Stand) {
    let with = |name: &str, mode: &str, driver: &str, more: Value| {
        let mut class = class(name, mode);
        class["provisioner"] = json!(driver);
        class.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        class
    };
    let (now, later) = ("Immediate", "WaitForFirstConsumer");
    let (ebs, pd) = ("ebs.csi.aws.com", "pd.csi.storage.gke.io");
    let (disk, file) = ("disk.csi.azure.com", "file.csi.azure.com");
    let at = |zones: &[&str]| json!({"allowedTopologies": topologies(zones)});
    // One that says where it keeps what it is asked for, and keeps so many copies.
    let share = |name: &str, copies: &str| {
        let mut share = with(name, now, file, json!({"parameters": {"skuName": copies}}));
        share["metadata"]["annotations"] = json!({"domicile.dev/jurisdiction": "NL"});
        share
    };
    let asks = |key: &str, place: &str| json!({"parameters": {key: place}});
    let classes = [
        (with("at-once", now, ebs, json!({})), "anywhere the cluster is, such as near node virginia"),
        (with("at-once-home", now, ebs, at(&["eu-central-1a"])), ""),
        (
            with("at-once-both", now, ebs, at(&["eu-central-1a", "us-east-1a"])),
            "is or will be in us-east-1a, US",
        ),
        (with("waits", later, ebs, json!({})), ""),
        (
            with("waits-away", later, ebs, at(&["us-east-1a"])),
            "allowedTopologies say, and none of that is permitted",
        ),
        (share("one-copy", "Standard_LRS"), ""),
        (
            share("copied", "Standard_GRS"),
            "is or will be somewhere that is not known, since StorageClass copied asks for",
        ),
        (with("asks-away", later, disk, asks("location", "eastus")), "asks for location: eastus"),
        (with("zone-away", later, pd, asks("zone", "us-central1-a")), "is or will be in us-central1-a, US"),
        (with("zone-home", later, pd, asks("zone", "europe-west3-a")), ""),
    ];
    let named = |class: &Value| class["metadata"]["name"].as_str().unwrap().to_owned();
    for (class, why) in &classes {
        stand.apply(&class.to_string()).ok();
        let (name, claim) = (named(class), claim(stand, "data", &named(class)));
        if why.is_empty() {
            let said = offered(stand, &claim);
            assert_eq!(said.status, 0, "{name}: {}", said.stderr);
        } else {
            refused(stand, &name, &claim, why);
        }
    }
    // A copy is made before a node is asked, whatever its class waits for.
    let snapshots = Some("snapshot.storage.k8s.io");
    for (kind, group) in [("PersistentVolumeClaim", None), ("VolumeSnapshot", snapshots)] {
        let mut copy = claim(stand, "copy", "waits");
        copy["spec"]["dataSource"] = json!({"kind": kind, "name": "source", "apiGroup": group});
        refused(stand, kind, &copy, "anywhere the cluster is");
        copy["spec"]["storageClassName"] = json!("at-once-home");
        offered(stand, &copy).ok();
    }
    // The claims of a StatefulSet are judged with it, and its pods are to stay at home.
    let mut set = workload("apps/v1", "StatefulSet", "db", "eu-central-1");
    for (class, why) in [("at-once", "anywhere the cluster is"), ("waits-away", "none of that is permitted")]
    {
        let spec = claim(stand, "data", class)["spec"].clone();
        set["spec"]["volumeClaimTemplates"] = json!([{"metadata": {"name": "data"}, "spec": spec}]);
        refused(stand, class, &set, why);
    }
    set["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"] = json!("waits");
    offered(stand, &set).ok();

    // A class that is changed under its claims: of those it warns, and new ones are refused.
    stand.apply(&claim(stand, "waiting", "waits").to_string()).ok();
    let away = with("waits", later, ebs, at(&["us-east-1a"]));
    let said = eventually("the claim is known", async || {
        let said = stand.admin.kubectl_reading(&["apply", "--dry-run=server", "-f", "-"], &away.to_string());
        said.stderr.contains("Warning").then_some(said)
    })
    .await;
    let told = format!(
        "Warning: volumes of this class would be misplaced for the classified claims {}/waiting\n",
        stand.namespace
    );
    assert_eq!((said.status, &said.stderr), (0, &told));
    assert_eq!(stand.apply(&away.to_string()).stderr, told);
    eventually("a new claim is refused", async || {
        (offered(stand, &claim(stand, "another", "waits")).status != 0).then_some(())
    })
    .await;
    refused(stand, "another", &claim(stand, "another", "waits"), "none of that is permitted");
    for (class, _) in &classes {
        stand.admin.kubectl(&["delete", "storageclass", &named(class)]).ok();
    }
}

fn what_nothing_says(stand: &Stand) {
    stand.apply(&claim(stand, "data", "").to_string()).ok();
    let mut share = volume(stand, "unsaid", "data", "", "eu-central-1a");
    let spec = share["spec"].as_object_mut().unwrap();
    spec.remove("csi");
    spec.remove("nodeAffinity");
    for (what, source) in [
        ("nfs", json!({"nfs": {"server": "files.example.com", "path": "/"}})),
        ("smb", json!({"csi": {"driver": "smb.csi.k8s.io", "volumeHandle": "share"}})),
        ("bucket", json!({"csi": {"driver": "s3.csi.aws.com", "volumeHandle": "bucket"}})),
        ("unheard of", json!({"csi": {"driver": "unheard.of", "volumeHandle": "disk"}})),
    ] {
        let mut volume = share.clone();
        volume["spec"].as_object_mut().unwrap().extend(source.as_object().unwrap().clone());
        refused(stand, what, &volume, "nobody knows where");
        for (jurisdiction, is_permitted) in [("US", false), ("DE", true)] {
            volume["metadata"]["annotations"] = json!({"domicile.dev/jurisdiction": jurisdiction});
            let said = offered(stand, &volume);
            assert_eq!(said.status == 0, is_permitted, "{what} {jurisdiction}: {}", said.stderr);
        }
    }
    // In a pod that is at home, as no volume of its own.
    let mut pod = stand.pod("inline", "eu-central-1");
    pod["spec"]["volumes"] = json!([{"name": "share", "nfs": {"server": "files.example.com", "path": "/"}}]);
    refused(stand, "inline", &pod, "nobody knows where");
    remove(stand, &["unsaid"]);
}

async fn snapshots_kept_elsewhere(stand: &Stand) {
    serve_snapshots(stand);
    let class = |name: &str, driver: &str, parameters: Value, jurisdiction: Value| {
        json!({
            "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass",
            "metadata": {"name": name, "annotations": jurisdiction}, "driver": driver,
            "deletionPolicy": "Retain", "parameters": parameters,
        })
    };
    let gcp = "pd.csi.storage.gke.io";
    let classes = [
        (class("by-default", gcp, json!({}), json!({})), "keeps snapshots elsewhere unless told where"),
        (class("abroad", gcp, json!({"storage-locations": "us"}), json!({})), "is or will be in us, US"),
        (
            class("declared", gcp, json!({}), json!({"domicile.dev/jurisdiction": "US"})),
            "is or will be in US",
        ),
        (class("home", gcp, json!({"storage-locations": "europe-west3"}), json!({})), ""),
    ];
    for (class, _) in &classes {
        once_served(stand, class).await;
    }
    stand.apply(&claim(stand, "data", "").to_string()).ok();
    let mut disk = volume(stand, "kept-home", "data", "", "europe-west3-a");
    disk["spec"]["csi"]["driver"] = json!(gcp);
    disk["spec"]["nodeAffinity"]["required"]["nodeSelectorTerms"][0]["matchExpressions"][0]["key"] =
        json!("topology.gke.io/zone");
    stand.apply(&disk.to_string()).ok();
    let snapshot = |class: &str| {
        json!({
            "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
            "metadata": {"name": "nightly", "namespace": stand.namespace, "annotations": {KEY: "personal"}},
            "spec": {"volumeSnapshotClassName": class, "source": {"persistentVolumeClaimName": "data"}},
        })
    };
    eventually("the classes are known", async || {
        (offered(stand, &snapshot("home")).status == 0).then_some(())
    })
    .await;
    for (class, why) in &classes {
        let name = class["metadata"]["name"].as_str().unwrap();
        if !why.is_empty() {
            refused(stand, name, &snapshot(name), why);
        }
    }
    remove(stand, &["kept-home"]);
    end_snapshots(stand);
}
