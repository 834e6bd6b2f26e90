//! Snapshots, their content, and attachments.

use domicile::cluster::Kind;
use domicile::residency::explain;

use super::*;

const SOURCE: &str = "
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: data, namespace: shop}, spec: {volumeName: v}}
---
{apiVersion: v1, kind: PersistentVolume, metadata: {name: v}, spec: {csi: {driver: DRIVER}, claimRef: {namespace: shop, name: data}, labels: {},
  nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: topology.kubernetes.io/zone, operator: In, values: [PLACE]}]}]}}}}
---
";

fn source(driver: &str, place: &str) -> String {
    SOURCE.replace("DRIVER", driver).replace("PLACE", place)
}

fn snapshot(metadata: &str, spec: &str) -> String {
    let metadata = if metadata.is_empty() { PERSONAL } else { metadata };
    format!(
        "{{apiVersion: snapshot.storage.k8s.io/v1, kind: VolumeSnapshot, metadata: {{name: s, namespace: shop, {metadata}}}, spec: {{{spec}}}}}\n---\n"
    )
}

fn content(metadata: &str, spec: &str) -> String {
    format!(
        "{{apiVersion: snapshot.storage.k8s.io/v1, kind: VolumeSnapshotContent, metadata: {{name: c, {metadata}}}, \
         spec: {{volumeSnapshotRef: {{namespace: shop, name: s}}, {spec}}}}}\n---\n"
    )
}

fn class(name: &str, annotations: &str, driver: &str, parameters: &str) -> String {
    format!(
        "{{apiVersion: snapshot.storage.k8s.io/v1, kind: VolumeSnapshotClass, metadata: {{name: {name}, annotations: {{{annotations}}}}}, \
         driver: {driver}, parameters: {{{parameters}}}}}\n---\n"
    )
}

const OF_DATA: &str = "source: {persistentVolumeClaimName: data}";
const EBS: &str = "ebs.csi.aws.com";
const PD: &str = "pd.csi.storage.gke.io";
const DISK: &str = "disk.csi.azure.com";
const LONGHORN: &str = "driver.longhorn.io";

#[test]
fn s6_snapshots() {
    let of = |class: &str| snapshot("", &format!("{OF_DATA}, volumeSnapshotClassName: {class}"));
    let plain = snapshot("", OF_DATA);
    let longhorn = source(LONGHORN, "eu-west-1a") + NODES + "\n---\n";
    let default = "snapshot.storage.kubernetes.io/is-default-class: 'true'";
    hold(&[
        ("in the region of its source", source(EBS, "eu-west-1a"), plain.clone(), Proven),
        ("in the region of its source, abroad", source(EBS, "us-east-1a"), plain.clone(), Outside),
        ("a source that is not there", String::new(), plain.clone(), Unknown),
        // One that was there before its object is of no class that it does not name.
        (
            "taken up anew, beside a default class",
            content("", "driver: pd.csi.storage.gke.io, source: {snapshotHandle: x}")
                + &class("k", default, PD, "storage-locations: europe-west3"),
            snapshot("", "source: {volumeSnapshotContentName: c}"),
            Unknown,
        ),
        (
            "taken up anew, and declared",
            content(
                "annotations: {domicile.dev/jurisdiction: DE}",
                "driver: pd.csi.storage.gke.io, source: {snapshotHandle: x}",
            ),
            snapshot("", "source: {volumeSnapshotContentName: c}"),
            Proven,
        ),
        // As its class declares.
        (
            "declared",
            source(EBS, "eu-west-1a") + &class("c", "domicile.dev/jurisdiction: US", EBS, ""),
            of("c"),
            Outside,
        ),
        (
            "declared at home",
            source(EBS, "us-east-1a") + &class("c", "domicile.dev/jurisdiction: IE", EBS, ""),
            of("c"),
            Proven,
        ),
        (
            "by the class of its driver that is the default",
            source(EBS, "eu-west-1a")
                + &class("c", &format!("domicile.dev/jurisdiction: US, {default}"), EBS, ""),
            plain.clone(),
            Outside,
        ),
        (
            "a default class of another driver",
            source(EBS, "eu-west-1a")
                + &class("c", &format!("domicile.dev/jurisdiction: US, {default}"), PD, ""),
            plain.clone(),
            Proven,
        ),
        // A volume in a zone that stands elsewhere than its region.
        (
            "in the region of its source, not in its zone",
            source(EBS, "eu-central-1-ist-1a"),
            plain.clone(),
            Proven,
        ),
        ("a class that is not there, and could say nothing", source(EBS, "eu-west-1a"), of("gone"), Proven),
        ("a class that is not there, and could say where", source(DISK, "westeurope-1"), of("gone"), Unknown),
        // What the snapshot declares of itself counts for nothing: whoever takes it does not place it.
        (
            "as the snapshot itself declares",
            source(EBS, "us-east-1a"),
            snapshot(
                "annotations: {domicile.dev/data-classification: personal, domicile.dev/jurisdiction: DE}",
                OF_DATA,
            ),
            Outside,
        ),
        // The driver's location parameter, in whatever case.
        (
            "a location",
            source(DISK, "westeurope-1") + &class("c", "", DISK, "location: northeurope"),
            of("c"),
            Proven,
        ),
        (
            "a location abroad",
            source(DISK, "westeurope-1") + &class("c", "", DISK, "location: eastus"),
            of("c"),
            Outside,
        ),
        (
            "a Location abroad",
            source(DISK, "westeurope-1") + &class("c", "", DISK, "Location: eastus"),
            of("c"),
            Outside,
        ),
        (
            "no location: the source's",
            source(DISK, "westeurope-1") + &class("c", "", DISK, "incremental: 'true'"),
            of("c"),
            Proven,
        ),
        (
            "locations",
            source(PD, "europe-west1-b")
                + &class("c", "", PD, "storage-locations: 'europe-west1, europe-west3'"),
            of("c"),
            Proven,
        ),
        (
            "locations, one abroad",
            source(PD, "europe-west1-b") + &class("c", "", PD, "storage-locations: 'europe-west1, us-east1'"),
            of("c"),
            Outside,
        ),
        (
            "a location that is not known",
            source(PD, "europe-west1-b") + &class("c", "", PD, "storage-locations: asia"),
            of("c"),
            Unknown,
        ),
        // Several regions at once: in member states of the EU alone, and in the United States.
        (
            "a multi-region at home",
            source(PD, "europe-west1-b") + &class("c", "", PD, "storage-locations: eu"),
            of("c"),
            Proven,
        ),
        (
            "a multi-region that a Geography puts elsewhere",
            source(PD, "europe-west1-b")
                + &class("c", "", PD, "storage-locations: eu")
                + "{apiVersion: domicile.dev/v1alpha1, kind: Geography, metadata: {name: g}, spec: {regions: [{provider: gcp, region: eu, jurisdiction: US}]}}\n---\n",
            of("c"),
            Outside,
        ),
        (
            "a multi-region abroad",
            source(PD, "europe-west1-b") + &class("c", "", PD, "storage-locations: us"),
            of("c"),
            Outside,
        ),
        // A parameter that is empty is none.
        (
            "an empty location: the source's, abroad",
            source(DISK, "eastus-1") + &class("c", "", DISK, "location: ''"),
            of("c"),
            Outside,
        ),
        (
            "empty locations",
            source(PD, "europe-west1-b") + &class("c", "", PD, "storage-locations: ' , '"),
            of("c"),
            Unknown,
        ),
        // Kept elsewhere by default.
        ("elsewhere by default", source(PD, "europe-west1-b"), plain.clone(), Unknown),
        (
            "elsewhere by default, with a class",
            source(PD, "europe-west1-b") + &class("c", "", PD, "a: b"),
            of("c"),
            Unknown,
        ),
        // A backup, unless its class says otherwise; where the target is, no class says.
        ("a backup by default", longhorn.clone(), plain.clone(), Unknown),
        ("a backup", longhorn.clone() + &class("c", "", LONGHORN, "type: bak"), of("c"), Unknown),
        (
            "a backup, declared",
            longhorn.clone() + &class("c", "domicile.dev/jurisdiction: DE", LONGHORN, "type: bak"),
            of("c"),
            Proven,
        ),
        (
            "another driver's parameter",
            source(EBS, "eu-west-1a") + &class("c", "", EBS, "location: eastus"),
            of("c"),
            Proven,
        ),
    ]);
}

/// A Turkish policy is broken by a snapshot of a disk in Istanbul: AWS keeps it in Frankfurt.
#[test]
fn s6_a_snapshot_is_where_its_region_is() {
    const TURKEY: &str = "{apiVersion: domicile.dev/v1alpha1, kind: ResidencyPolicy, metadata: {name: tr}, \
                          spec: {classifications: [personal], allow: [{jurisdictions: [TR]}]}}";
    let state = support::state(&[TURKEY, &source(EBS, "eu-central-1-ist-1a")]);
    let verdict =
        judge(&Request::create(&object(snapshot("", OF_DATA).trim_end_matches("\n---\n"))), &state, now());
    assert_eq!(outcome(&verdict), Outside, "{verdict:#?}");
}

/// Others keep it where the volume is: on the disk of its node, on its backend.
#[test]
fn s6_a_snapshot_of_another_driver_is_beside_its_volume() {
    let geography = "{apiVersion: domicile.dev/v1alpha1, kind: Geography, metadata: {name: g}, spec: {regions: [{provider: openstack, \
                     region: RegionOne, jurisdiction: DE}, {provider: openstack, region: RegionOne, zone: az-us, jurisdiction: US}]}}";
    let volume = source("cinder.csi.openstack.org", "az-us")
        .replace("{key: topology.kubernetes.io/zone", "{key: topology.kubernetes.io/region, operator: In, values: [RegionOne]}, {key: topology.kubernetes.io/zone");
    let state = support::state(&[EU, geography, &volume]);
    let verdict =
        judge(&Request::create(&object(snapshot("", OF_DATA).trim_end_matches("\n---\n"))), &state, now());
    assert_eq!(outcome(&verdict), Outside, "{verdict:#?}");
}

/// Files that hold snapshots and none of their classes say nothing of where those are kept.
#[test]
fn s6_classes_that_were_not_given() {
    let plain = snapshot("", OF_DATA);
    let named = snapshot("", &format!("{OF_DATA}, volumeSnapshotClassName: c"));
    for (driver, place, snapshot, lacks) in [
        (DISK, "westeurope-1", &plain, Some("a default VolumeSnapshotClass is not among")),
        (DISK, "westeurope-1", &named, Some("VolumeSnapshotClass c is not among")),
        (EBS, "eu-west-1a", &named, None),
    ] {
        let mut state = support::state(&[EU, &source(driver, place)]);
        state.set_absent([Kind::VolumeSnapshotClass].into());
        let verdict = judge(&Request::create(&object(snapshot.trim_end_matches("\n---\n"))), &state, now());
        assert_eq!(verdict.decision, Decision::Allow, "{verdict:#?}");
        let told = verdict.warnings.iter().find(|one| one.contains("is not among"));
        match (told, lacks) {
            (None, None) => {}
            (Some(told), Some(lacks)) => assert!(told.contains(lacks), "{told}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn s6_content_of_snapshots() {
    let taken = snapshot("", OF_DATA);
    let personal = |spec: &str| content(PERSONAL, spec);
    let of_content = snapshot("", "source: {volumeSnapshotContentName: c}");
    hold(&[
        ("of a snapshot", source(EBS, "eu-west-1a") + &taken, personal(&format!("driver: {EBS}")), Proven),
        (
            "of a snapshot, abroad",
            source(EBS, "us-east-1a") + &taken,
            personal(&format!("driver: {EBS}")),
            Outside,
        ),
        (
            "its class says",
            source(EBS, "eu-west-1a") + &taken + &class("k", "domicile.dev/jurisdiction: US", EBS, ""),
            personal(&format!("driver: {EBS}, volumeSnapshotClassName: k")),
            Outside,
        ),
        (
            "elsewhere by default",
            source(PD, "europe-west1-b") + &taken,
            personal(&format!("driver: {PD}")),
            Unknown,
        ),
        (
            "that was there first",
            String::new(),
            personal(&format!("driver: {EBS}, source: {{snapshotHandle: h}}")),
            Unknown,
        ),
        (
            "that was there first, and is declared",
            String::new(),
            content(
                "annotations: {domicile.dev/data-classification: personal, domicile.dev/jurisdiction: DE}",
                &format!("driver: {EBS}"),
            ),
            Proven,
        ),
        // A snapshot of content that was there first is where that is.
        ("a snapshot of it", personal(&format!("driver: {EBS}")), of_content.clone(), Unknown),
        (
            "a snapshot of it, declared at home",
            content("annotations: {domicile.dev/jurisdiction: DE}", &format!("driver: {EBS}")),
            of_content.clone(),
            Proven,
        ),
        (
            "a snapshot of it, declared abroad",
            content("annotations: {domicile.dev/jurisdiction: US}", &format!("driver: {EBS}")),
            of_content.clone(),
            Outside,
        ),
        (
            "a snapshot of it, by its class",
            content("", &format!("driver: {PD}, volumeSnapshotClassName: k"))
                + &class("k", "", PD, "storage-locations: us-east1"),
            of_content,
            Outside,
        ),
    ]);
}

#[test]
fn s6_attachments() {
    let volume = "{apiVersion: v1, kind: PersistentVolume, metadata: {name: pv, annotations: {domicile.dev/recorded-classification: personal}}, spec: {csi: {driver: ebs.csi.aws.com}}}\n---\n";
    let attach = |node: &str| {
        format!(
            "{{apiVersion: storage.k8s.io/v1, kind: VolumeAttachment, metadata: {{name: a}}, spec: {{nodeName: {node}, attacher: x, source: {{persistentVolumeName: pv}}}}}}"
        )
    };
    let cluster = format!("{NODES}\n---\n{volume}");
    hold(&[
        ("at home", cluster.clone(), attach("fra"), Proven),
        ("abroad", cluster.clone(), attach("iad"), AtNode),
        ("in a Local Zone abroad", cluster.clone(), attach("ist"), AtNode),
        ("to a node that is not there", cluster, attach("gone"), Unknown),
        ("of a volume that is not there, at home", NODES.to_owned(), attach("fra"), Proven),
        ("of a volume that is not there, abroad", NODES.to_owned(), attach("iad"), AtNode),
    ]);
}

/// Files that hold attachments and no volume say nothing of what those hold.
#[test]
fn s6_attachments_whose_volumes_were_not_given() {
    let attachment = "{apiVersion: storage.k8s.io/v1, kind: VolumeAttachment, metadata: {name: a}, spec: {nodeName: iad, attacher: x, \
                      source: {persistentVolumeName: pv}}}";
    let mut state = support::state(&[NODES, EU]);
    for (absent, decision) in [(None, Decision::Deny), (Some(Kind::PersistentVolume), Decision::Allow)] {
        state.set_absent(absent.into_iter().collect());
        let verdict = judge(&Request::create(&object(attachment)), &state, now());
        assert_eq!(verdict.decision, decision, "{absent:?}: {verdict:#?}");
    }
}

/// What the operator is bound by is declared beside where it is.
#[test]
fn s6_a_snapshot_whose_operator_is_declared() {
    const OURS: &str = "{apiVersion: domicile.dev/v1alpha1, kind: ResidencyPolicy, metadata: {name: eu-personal}, \
                        spec: {classifications: [personal], allow: [{jurisdictions: [EEA], providerJurisdictions: [EEA]}]}}";
    let declared = |law: &str| {
        content(
            &format!("annotations: {{domicile.dev/jurisdiction: DE{law}}}"),
            "driver: pd.csi.storage.gke.io, source: {snapshotHandle: x}",
        )
    };
    let taken_up = snapshot("", "source: {volumeSnapshotContentName: c}");
    hold_by(
        OURS,
        &[
            ("at home", declared(", domicile.dev/provider-jurisdiction: DE"), taken_up.clone(), Proven),
            ("abroad", declared(", domicile.dev/provider-jurisdiction: US"), taken_up.clone(), Outside),
            ("not at all", declared(""), taken_up.clone(), Outside),
        ],
    );
    // And it is of the provider of its driver, also where nobody knows a region that its class names.
    let theirs = OURS.replace("{jurisdictions: [EEA], providerJurisdictions: [EEA]}", "{providers: [gcp]}");
    hold_by(&theirs, &[("of its provider", declared(""), taken_up, Proven)]);
}

/// What explains a claim, a volume, a snapshot, its content or an attachment says which policies select it, and where it is.
#[test]
fn s6_what_explains_them() {
    let attachment = "{apiVersion: storage.k8s.io/v1, kind: VolumeAttachment, metadata: {name: a}, spec: {attacher: ebs.csi.aws.com, nodeName: iad, source: {persistentVolumeName: v}}}\n---\n";
    let cluster = source(EBS, "eu-west-1a").replace(
        "name: data, namespace: shop}, spec",
        "name: data, namespace: shop, annotations: {domicile.dev/data-classification: personal}}, spec",
    ) + &snapshot("", OF_DATA)
        + &content("", "driver: ebs.csi.aws.com")
        + attachment
        + &named_claim("waits", PERSONAL, "storageClassName: ''");
    let mut state = support::empty();
    state.apply_all(values(&format!("{NODES}\n---\n{cluster}\n---\n{EU}")).into_iter().map(parse));
    let place = "in eu-west-1a, IE";
    for (kind, namespace, name, volume, place, node) in [
        (Kind::PersistentVolumeClaim, "shop", "data", "claim data", place, None),
        (Kind::PersistentVolumeClaim, "shop", "waits", "claim waits", "nowhere yet", None),
        (Kind::PersistentVolume, "", "v", "volume v", place, None),
        (Kind::VolumeSnapshot, "shop", "s", "snapshot s", place, None),
        (Kind::VolumeSnapshotContent, "", "c", "snapshot content c", place, None),
        (Kind::VolumeAttachment, "", "a", "volume v", place, Some("iad")),
    ] {
        let chain = explain(&state, kind, namespace, name, now()).unwrap().chain;
        let policies: Vec<_> = chain.policies.iter().map(|policy| policy.name.as_str()).collect();
        assert_eq!(policies, ["eu-personal"], "{name}");
        let [view] = &chain.volumes[..] else { panic!("{chain:#?}") };
        assert_eq!((view.volume.as_str(), view.place.as_str()), (volume, place), "{name}");
        assert_eq!(chain.location.and_then(|at| at.node).as_deref(), node, "{name}");
    }
}

/// Several regions at once are permitted only if all of them are.
#[test]
fn s6_a_multi_region_of_which_a_policy_permits_a_part() {
    let policy = EU.replace("EEA", "BE");
    let cluster = source(PD, "europe-west1-b") + &class("c", "", PD, "storage-locations: eu");
    let verdict = support::create(
        &[&cluster, &policy],
        &snapshot("", &format!("{OF_DATA}, volumeSnapshotClassName: c")),
    );
    assert_eq!(outcome(&verdict), Outside, "{verdict:#?}");
}
