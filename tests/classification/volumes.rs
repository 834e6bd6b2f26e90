//! What claims, volumes and snapshots carry (section 2).

use domicile::cluster::Kind;
use domicile::residency::{judge_stored, record, unrecorded, unrecorded_of_data};

use super::support::state;
use super::{
    MOUNT, RECORD, attachment, claim, content, hold, namespace, now, object, pod, saying, snapshot, volume,
};

#[test]
fn s2_a_claim_and_what_it_is_copied_from() {
    let saying_personal = saying("personal");
    let source =
        |field: &str, kind: &str, more: &str| format!("{field}: {{kind: {kind}, name: source{more}}}");
    let clone_of_claim = source("dataSource", "PersistentVolumeClaim", "");
    let personal = claim("source", &saying_personal, "");
    let abroad = claim("source", &format!("namespace: other, {}", saying("health")), "")
        + &namespace("other", &saying("tax"));
    hold(&[
        ("its own", String::new(), claim("data", &saying_personal, ""), &["personal (annotation)"]),
        (
            "its namespace's",
            namespace("shop", &saying_personal),
            claim("data", "", ""),
            &["personal (namespace shop)"],
        ),
        (
            "a claim that it is a clone of",
            personal.clone(),
            claim("data", "", &clone_of_claim),
            &["personal (claim shop/source)"],
        ),
        (
            "the same by dataSourceRef",
            personal.clone(),
            claim("data", "", &source("dataSourceRef", "PersistentVolumeClaim", "")),
            &["personal (claim shop/source)"],
        ),
        (
            "a claim of another namespace, and that namespace's",
            personal.clone() + &abroad,
            claim("data", "", &source("dataSourceRef", "PersistentVolumeClaim", ", namespace: other")),
            &["health (claim other/source)", "tax (namespace other)"],
        ),
        (
            "both fields",
            personal.clone(),
            claim(
                "data",
                "",
                &format!("{clone_of_claim}, {}", source("dataSourceRef", "PersistentVolumeClaim", "")),
            ),
            &["personal (claim shop/source)"],
        ),
        ("a clone of a claim that is not there", String::new(), claim("data", "", &clone_of_claim), &[]),
        (
            "a snapshot that it is made from",
            snapshot("source", &saying_personal, "persistentVolumeClaimName: gone"),
            claim(
                "data",
                "",
                "dataSource: {apiGroup: snapshot.storage.k8s.io, kind: VolumeSnapshot, name: source}",
            ),
            &["personal (snapshot shop/source)"],
        ),
        (
            "what the snapshot remembers of a claim that is gone",
            snapshot(
                "source",
                &format!("annotations: {{{RECORD}: personal}}"),
                "persistentVolumeClaimName: gone",
            ),
            claim("data", "", &source("dataSourceRef", "VolumeSnapshot", "")),
            &["personal (snapshot shop/source)"],
        ),
        (
            "a snapshot of another namespace, its claim and that namespace's",
            snapshot("source", "namespace: other", "persistentVolumeClaimName: source") + &abroad,
            claim("data", "", &source("dataSourceRef", "VolumeSnapshot", ", namespace: other")),
            &["health (claim other/source)", "tax (namespace other)"],
        ),
        (
            "a snapshot of content that was there first",
            snapshot("source", "", "volumeSnapshotContentName: kept")
                + &content("kept", &saying_personal, "namespace: shop, name: source"),
            claim("data", "", &source("dataSource", "VolumeSnapshot", "")),
            &["personal (snapshot content kept)"],
        ),
    ]);
}

#[test]
fn s2_a_claim_and_what_is_around_it() {
    let saying_personal = saying("personal");
    let clone_of_claim = "dataSource: {kind: PersistentVolumeClaim, name: source}";
    let personal = claim("source", &saying_personal, "");
    hold(&[
        (
            "a populator of another kind says nothing",
            personal.clone(),
            claim("data", "", "dataSourceRef: {apiGroup: example.com, kind: Import, name: source}"),
            &[],
        ),
        (
            "a clone of a clone",
            personal.clone() + &claim("middle", "", clone_of_claim),
            claim("data", "", "dataSource: {kind: PersistentVolumeClaim, name: middle}"),
            &["personal (claim shop/source)"],
        ),
        (
            "clones in a circle come to an end",
            claim("source", &saying_personal, "dataSource: {kind: PersistentVolumeClaim, name: data}"),
            claim("data", "", clone_of_claim),
            &["personal (claim shop/source)"],
        ),
        (
            "the volume that it is bound to",
            volume("pv", &saying_personal, "claimRef: {namespace: shop, name: data}"),
            claim("data", "", "volumeName: pv"),
            &["personal (volume pv)"],
        ),
        (
            "the volume that it asks for",
            volume("pv", &saying_personal, ""),
            claim("data", "", "volumeName: pv"),
            &["personal (volume pv)"],
        ),
        (
            "every pod that mounts it",
            pod("one", &saying_personal, MOUNT) + &pod("two", &saying("health"), MOUNT),
            claim("data", "", ""),
            &["health (pod shop/two)", "personal (pod shop/one)"],
        ),
        (
            "a pod of whose own it is",
            pod("p", &saying_personal, "{name: data, ephemeral: {volumeClaimTemplate: {spec: {}}}}"),
            claim("p-data", "", ""),
            &["personal (pod shop/p)"],
        ),
        (
            "what a pod says, not what it mounts besides",
            pod("p", "", &format!("{MOUNT}, {{name: w, persistentVolumeClaim: {{claimName: source}}}}"))
                + &personal,
            claim("data", "", ""),
            &[],
        ),
        ("a claim beside it", personal, claim("data", "", ""), &[]),
    ]);
}

#[test]
fn s2_a_volume_and_its_attachment() {
    let bound = "claimRef: {namespace: shop, name: data}";
    let cluster = namespace("shop", &saying("tax")) + &claim("data", &saying("personal"), "volumeName: pv");
    hold(&[
        ("its own", String::new(), volume("pv", &saying("personal"), ""), &["personal (annotation)"]),
        (
            "its record, when its claim is gone",
            String::new(),
            volume("pv", &format!("annotations: {{{RECORD}: personal}}"), bound),
            &["personal (record)"],
        ),
        (
            "those of its claim, and through it its namespace's",
            cluster.clone(),
            volume("pv", "", bound),
            &["personal (claim shop/data)", "tax (namespace shop)"],
        ),
        (
            "and of the pods that mount the claim",
            cluster.clone() + &pod("p", &saying("health"), MOUNT),
            volume("pv", "", bound),
            &["health (pod shop/p)", "personal (claim shop/data)", "tax (namespace shop)"],
        ),
        ("no claim", cluster.clone(), volume("pv", "", ""), &[]),
        (
            "another namespace's claim",
            cluster.clone(),
            volume("pv", "", "claimRef: {namespace: other, name: data}"),
            &[],
        ),
        (
            "an attachment: those of its volume",
            cluster + &volume("pv", &saying("health"), bound),
            attachment("pv"),
            &["health (volume pv)", "personal (claim shop/data)", "tax (namespace shop)"],
        ),
        ("an attachment of a volume that is not there", String::new(), attachment("pv"), &[]),
    ]);
}

#[test]
fn s2_a_snapshot_and_its_content() {
    let cluster = namespace("shop", &saying("tax")) + &claim("data", &saying("personal"), "");
    let of_data = "persistentVolumeClaimName: data";
    hold(&[
        ("its own", String::new(), snapshot("s", &saying("personal"), of_data), &["personal (annotation)"]),
        (
            "its namespace's and its source's",
            cluster.clone(),
            snapshot("s", "", of_data),
            &["personal (claim shop/data)", "tax (namespace shop)"],
        ),
        (
            "its source is gone",
            namespace("shop", &saying("tax")),
            snapshot("s", &format!("annotations: {{{RECORD}: personal}}"), of_data),
            &["personal (record)", "tax (namespace shop)"],
        ),
        (
            "content that was there first",
            content("c", &saying("personal"), "namespace: shop, name: s"),
            snapshot("s", "", "volumeSnapshotContentName: c"),
            &["personal (snapshot content c)"],
        ),
        (
            "content: its own",
            String::new(),
            content("c", &saying("personal"), ""),
            &["personal (annotation)"],
        ),
        (
            "content: those of its snapshot, that one's source and namespace",
            cluster.clone() + &snapshot("s", &saying("health"), of_data),
            content("c", "", "namespace: shop, name: s"),
            &["health (snapshot shop/s)", "personal (claim shop/data)", "tax (namespace shop)"],
        ),
        (
            "content: its snapshot is gone, its namespace is not",
            cluster,
            content("c", &format!("annotations: {{{RECORD}: personal}}"), "namespace: shop, name: s"),
            &["personal (record)", "tax (namespace shop)"],
        ),
    ]);
}

/// What it has from others is written on whatever holds data, so that it stays when those are gone.
#[test]
fn s2_what_is_written_down_on_a_new_object() {
    let of_data = "persistentVolumeClaimName: data";
    let cluster = state(&[&(claim("data", &saying("personal"), "")
        + &snapshot("s", "", of_data)
        + &pod("p", &saying("personal"), MOUNT))]);
    for (yaml, expected) in [
        (claim("copy", "", "dataSource: {kind: PersistentVolumeClaim, name: data}"), Some("personal")),
        (volume("pv", "", "claimRef: {namespace: shop, name: data}"), Some("personal")),
        (snapshot("s", "", of_data), Some("personal")),
        (content("c", "", "namespace: shop, name: s"), Some("personal")),
        // What it holds already stays, and is not written twice.
        (snapshot("s", &format!("annotations: {{{RECORD}: tax}}"), of_data), Some("personal,tax")),
        (snapshot("s", &format!("annotations: {{{RECORD}: personal}}"), of_data), None),
        // A claim without a source has nothing from it, and a pod holds nothing when it is gone.
        (claim("data", &saying("personal"), ""), None),
        (pod("p", &saying("personal"), MOUNT), None),
        // Nor from who mounts it, which is written down later.
        (claim("data", "", ""), None),
    ] {
        let written = record(&object(yaml.trim_end_matches("\n---\n")), &cluster);
        assert_eq!(written.as_deref(), expected, "{yaml}");
    }
}

/// What an object that is there does not say itself of what it carries, and nothing that it says.
#[test]
fn s2_what_is_written_down_later() {
    let cluster = namespace("shop", &saying("tax"))
        + &claim("data", &saying("health"), "")
        + &pod("p", &saying("'personal, health'"), MOUNT)
        + &snapshot("s", &saying("health"), "persistentVolumeClaimName: data");
    let state = state(&[&cluster]);
    let brought = unrecorded(&state, "shop", "data");
    assert_eq!(brought.iter().map(|token| &**token).collect::<Vec<_>>(), ["personal"]);
    let verdict = judge_stored(&state, Kind::VolumeSnapshot, "shop", "s", now()).unwrap();
    let own = &state.snapshot("shop", "s").unwrap().own;
    let inherited = unrecorded_of_data(own, &verdict);
    assert_eq!(inherited.iter().map(|token| &**token).collect::<Vec<_>>(), ["personal", "tax"]);
}
