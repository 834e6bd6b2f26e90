//! What an object carries, and where each classification comes from (section 2): every row of the table of edges.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

#[path = "../support/mod.rs"]
mod support;
mod volumes;

use domicile::cluster::{Settings, State};
use domicile::residency::{Request, Verdict, audit, judge};
use support::{WORKLOADS, create, empty, now, object, origins, parse, values, workload};

const KEY: &str = "domicile.dev/data-classification";
const RECORD: &str = "domicile.dev/recorded-classification";

/// Carries `personal` by its annotation.
fn saying(token: &str) -> String {
    format!("annotations: {{{KEY}: {token}}}")
}

fn namespace(name: &str, metadata: &str) -> String {
    format!("{{apiVersion: v1, kind: Namespace, metadata: {{name: {name}, {metadata}}}}}\n---\n")
}

fn pod(name: &str, metadata: &str, volumes: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop, {metadata}}}, spec: {{volumes: [{volumes}]}}}}\n---\n"
    )
}

fn claim(name: &str, metadata: &str, spec: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {{name: {name}, {metadata}}}, spec: {{{spec}}}}}\n---\n"
    )
}

fn volume(name: &str, metadata: &str, spec: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: PersistentVolume, metadata: {{name: {name}, {metadata}}}, spec: {{{spec}}}}}\n---\n"
    )
}

fn snapshot(name: &str, metadata: &str, source: &str) -> String {
    format!(
        "{{apiVersion: snapshot.storage.k8s.io/v1, kind: VolumeSnapshot, metadata: {{name: {name}, {metadata}}}, \
         spec: {{source: {{{source}}}}}}}\n---\n"
    )
}

fn content(name: &str, metadata: &str, reference: &str) -> String {
    format!(
        "{{apiVersion: snapshot.storage.k8s.io/v1, kind: VolumeSnapshotContent, metadata: {{name: {name}, {metadata}}}, \
         spec: {{driver: ebs.csi.aws.com, volumeSnapshotRef: {{{reference}}}}}}}\n---\n"
    )
}

fn attachment(volume: &str) -> String {
    format!(
        "{{apiVersion: storage.k8s.io/v1, kind: VolumeAttachment, metadata: {{name: a, {}}}, \
         spec: {{nodeName: fra, attacher: ebs.csi.aws.com, source: {{persistentVolumeName: {volume}}}}}}}\n---\n",
        // Nobody asks an attachment.
        saying("attachment")
    )
}

const MOUNT: &str = "{name: v, persistentVolumeClaim: {claimName: data}}";

/// Each case: what it is, the cluster, the object, and what it carries from where.
fn hold(cases: &[(&str, String, String, &[&str])]) {
    for (what, cluster, yaml, expected) in cases {
        let verdict = create(&[cluster], yaml.trim_end_matches("\n---\n"));
        assert_eq!(origins(&verdict), *expected, "{what}\n{cluster}{yaml}");
        // The audit sees the same, whatever order the objects came in.
        for reversed in [false, true] {
            let mut all = values(&format!("{cluster}{yaml}"));
            if reversed {
                all.reverse();
            }
            let mut state = empty();
            for value in all {
                state.apply(parse(value));
            }
            let reference = object(yaml.trim_end_matches("\n---\n")).reference();
            let audited: Vec<Verdict> = audit(&state, now()).filter(|one| one.object == reference).collect();
            if reference.kind != "Namespace" {
                assert_eq!(audited.len(), 1, "{what}");
                assert_eq!(origins(&audited[0]), *expected, "{what}, audited");
            }
        }
    }
}

#[test]
fn s2_what_an_object_says_itself() {
    let with = |metadata: &str| pod("p", metadata, "");
    let own = |metadata: String, expected: &'static [&'static str]| (metadata, expected);
    for (metadata, expected) in [
        own(String::new(), &[]),
        own(saying("personal"), &["personal (annotation)"]),
        own(saying("'personal,health'"), &["health (annotation)", "personal (annotation)"]),
        own(
            saying("\" personal ,\\thealth\\n, personal\""),
            &["health (annotation)", "personal (annotation)"],
        ),
        // An empty one is no token and no error.
        own(saying("''"), &[]),
        own(saying("' , ,, '"), &[]),
        own(saying("null"), &[]),
        own(format!("labels: {{{KEY}: personal}}"), &["personal (label)"]),
        own(format!("labels: {{{KEY}: ''}}"), &[]),
        own(
            format!("annotations: {{{RECORD}: 'personal, health'}}"),
            &["health (record)", "personal (record)"],
        ),
        // A record is no label.
        own(format!("labels: {{{RECORD}: personal}}"), &[]),
        own(
            format!("labels: {{{KEY}: health}}, annotations: {{{KEY}: personal, {RECORD}: payment}}"),
            &["health (label)", "payment (record)", "personal (annotation)"],
        ),
        own(
            format!("labels: {{{KEY}: personal}}, annotations: {{{KEY}: personal, {RECORD}: personal}}"),
            &["personal (annotation)", "personal (label)", "personal (record)"],
        ),
        // Other keys, and the key in other letters, are other keys.
        own(
            "annotations: {data-classification: personal, domicile.dev/classification: personal}".into(),
            &[],
        ),
        own("annotations: {Domicile.dev/Data-Classification: personal}".into(), &[]),
    ] {
        let verdict = create(&[], with(&metadata).trim_end_matches("\n---\n"));
        assert_eq!(origins(&verdict), expected, "{metadata}");
        assert!(verdict.findings.is_empty(), "{metadata}: {:#?}", verdict.findings);
    }
}

#[test]
fn s2_keys_are_configurable_and_all_of_them_count() {
    let settings = Settings {
        classification_keys: vec!["example.com/data".into(), KEY.into(), "legacy".into()],
        ..Settings::default()
    };
    let yaml = pod(
        "p",
        &format!(
            "labels: {{legacy: payment}}, annotations: {{example.com/data: personal, {KEY}: health, {RECORD}: tax}}"
        ),
        "",
    );
    let of = |settings: Settings| {
        origins(&judge(
            &Request::create(&object(yaml.trim_end_matches("\n---\n"))),
            &State::new(settings),
            now(),
        ))
    };
    assert_eq!(
        of(settings),
        ["health (annotation)", "payment (label)", "personal (annotation)", "tax (record)"]
    );
    // A key that is not configured says nothing.
    let other = Settings { classification_keys: vec!["example.com/data".into()], ..Settings::default() };
    assert_eq!(of(other), ["personal (annotation)", "tax (record)"]);
}

#[test]
fn s2_a_pod() {
    let ephemeral = "{name: tmp, ephemeral: {volumeClaimTemplate: {metadata: {annotations: {domicile.dev/data-classification: health}}, spec: {}}}}";
    let data = claim("data", &saying("personal"), "");
    hold(&[
        (
            "its namespace's",
            namespace("shop", &saying("personal")),
            pod("p", "", ""),
            &["personal (namespace shop)"],
        ),
        (
            "its own beside its namespace's",
            namespace("shop", &format!("labels: {{{KEY}: personal}}")),
            pod("p", &saying("health"), ""),
            &["health (annotation)", "personal (namespace shop)"],
        ),
        (
            "an empty annotation takes nothing away",
            namespace("shop", &saying("personal")),
            pod("p", &saying("''"), ""),
            &["personal (namespace shop)"],
        ),
        ("another namespace's is not its", namespace("other", &saying("personal")), pod("p", "", ""), &[]),
        ("a claim that it mounts", data.clone(), pod("p", "", MOUNT), &["personal (claim shop/data)"]),
        ("a claim that it does not mount", data.clone(), pod("p", "", ""), &[]),
        (
            "a claim of another namespace is another claim",
            claim("data", &format!("namespace: other, {}", saying("personal")), ""),
            pod("p", "", MOUNT),
            &[],
        ),
        ("a claim that is not there", String::new(), pod("p", "", MOUNT), &[]),
        (
            "every claim that it mounts",
            data.clone() + &claim("more", &saying("health"), ""),
            pod(
                "p",
                "",
                &format!("{MOUNT}, {{name: w, persistentVolumeClaim: {{claimName: more, readOnly: true}}}}"),
            ),
            &["health (claim shop/more)", "personal (claim shop/data)"],
        ),
        (
            "what a claim's volume carries",
            claim("data", "", "volumeName: pv")
                + &volume(
                    "pv",
                    &format!("annotations: {{{RECORD}: personal}}"),
                    "claimRef: {namespace: shop, name: data}",
                ),
            pod("p", "", MOUNT),
            &["personal (volume pv)"],
        ),
        (
            "what another pod brings to a claim that both mount",
            claim("data", "", "") + &pod("other", &saying("personal"), MOUNT),
            pod("p", "", MOUNT),
            &["personal (pod shop/other)"],
        ),
        (
            "what another pod brings to another claim",
            claim("data", "", "")
                + &pod("other", &saying("personal"), "{name: v, persistentVolumeClaim: {claimName: more}}"),
            pod("p", "", MOUNT),
            &[],
        ),
        (
            "the template of a claim of its own",
            String::new(),
            pod("p", "", ephemeral),
            &["health (claim template tmp)"],
        ),
        (
            "a claim of its own that is there",
            claim("p-tmp", &saying("personal"), ""),
            pod("p", "", ephemeral),
            &["health (claim template tmp)", "personal (claim shop/p-tmp)"],
        ),
        (
            "a claim of another pod's own",
            claim("q-tmp", &saying("personal"), ""),
            pod("p", "", ephemeral),
            &["health (claim template tmp)"],
        ),
    ]);
}

#[test]
fn s2_a_workload_carries_what_the_pods_of_its_template_carry() {
    let cluster = namespace("shop", &saying("tax")) + &claim("data", &saying("personal"), "");
    for kind in WORKLOADS {
        let template = |metadata: &str, volumes: &str| {
            workload(
                kind,
                "namespace: shop",
                &format!("{{metadata: {{{metadata}}}, spec: {{volumes: [{volumes}]}}}}"),
            )
        };
        hold(&[
            (
                "its template's annotation",
                String::new(),
                template(&saying("personal"), ""),
                &["personal (template annotation)"],
            ),
            (
                "its template's label",
                String::new(),
                template(&format!("labels: {{{KEY}: personal}}"), ""),
                &["personal (template label)"],
            ),
            (
                "its namespace's and its claims'",
                cluster.clone(),
                template("", MOUNT),
                &["personal (claim shop/data)", "tax (namespace shop)"],
            ),
            (
                "the claims of its pods' own",
                String::new(),
                template(
                    "",
                    &format!(
                        "{{name: tmp, ephemeral: {{volumeClaimTemplate: {{metadata: {{{}}}, spec: {{}}}}}}}}",
                        saying("health")
                    ),
                ),
                &["health (claim template tmp)"],
            ),
            ("nothing", String::new(), template("", ""), &[]),
        ]);
    }
}

#[test]
fn s2_a_stateful_set_carries_what_its_claim_templates_say() {
    let templates = format!(
        "{{apiVersion: apps/v1, kind: StatefulSet, metadata: {{name: db, namespace: shop}}, spec: {{volumeClaimTemplates: [\
         {{metadata: {{name: data, {}}}, spec: {{}}}}, {{metadata: {{name: log, labels: {{{KEY}: health}}}}, spec: {{}}}}]}}}}",
        saying("personal")
    );
    hold(&[(
        "each of them",
        String::new(),
        templates,
        &["health (claim template log)", "personal (claim template data)"],
    )]);
}

#[test]
fn s2_a_namespace_carries_what_it_says() {
    let verdict = create(&[], namespace("shop", &saying("'personal, health'")).trim_end_matches("\n---\n"));
    assert_eq!(origins(&verdict), ["health (annotation)", "personal (annotation)"]);
}
