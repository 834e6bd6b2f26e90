//! What is nested deeper than a stack is told of, or followed to its end, and never ends the process.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use domicile::api::{GeographySpec, GroupEntry};
use domicile::cluster::{Changed, Key, Kind, Settings, State};
use domicile::geography::Geography;
use domicile::residency::{Decision, Request, Touched, judge, touched};
use serde_json::json;

const DEEP: usize = 20_000;

#[test]
fn s2_clones_of_clones() {
    let claim = |number: usize| {
        let mut claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": format!("c{number}"), "namespace": "shop"}, "spec": {"storageClassName": "k"}});
        match number {
            0 => claim["metadata"]["annotations"] = json!({"domicile.dev/data-classification": "personal"}),
            _ => {
                claim["spec"]["dataSource"] =
                    json!({"kind": "PersistentVolumeClaim", "name": format!("c{}", number - 1)});
            }
        }
        support::parse(claim)
    };
    let mut state = State::new(Settings::default());
    state.apply_all((0..DEEP).map(claim));
    let verdict = judge(&Request::create(&claim(DEEP)), &state, support::now());
    assert_eq!(support::carried(&verdict), ["personal"]);
}

/// One of them changes, and each of the others is made of it or of the one before, and has a volume.
#[test]
fn s2_what_copies_of_copies_touch() {
    for is_chain in [false, true] {
        let claim = |number: usize| {
            let of = if is_chain { number.saturating_sub(1) } else { 0 };
            let mut claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "metadata": {"name": format!("c{number}"), "namespace": "shop"}, "spec": {"volumeName": format!("v{number}")}});
            if number > 0 {
                claim["spec"]["dataSource"] =
                    json!({"kind": "PersistentVolumeClaim", "name": format!("c{of}")});
            }
            support::parse(claim)
        };
        let volume = |number: usize| {
            support::parse(
                json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": format!("v{number}")},
                "spec": {"claimRef": {"namespace": "shop", "name": format!("c{number}")}}}),
            )
        };
        let mut state = State::new(Settings::default());
        state.apply_all((0..DEEP).flat_map(|number| [claim(number), volume(number)]));
        let first = Key { kind: Kind::PersistentVolumeClaim, namespace: "shop".into(), name: "c0".into() };
        let Touched::Objects { changed, by_nodes } = touched(&state, &Changed::Objects([first].into()))
        else {
            panic!("everything")
        };
        assert_eq!((changed.len(), by_nodes.len()), (2 * DEEP, 0));
    }
}

#[test]
fn s4_groups_of_groups() {
    let group = |number: usize| GroupEntry {
        name: format!("G{number}"),
        members: vec![if number == DEEP { "DE".to_owned() } else { format!("G{}", number + 1) }],
        source: None,
    };
    let spec = GeographySpec { groups: (0..=DEEP).map(group).collect(), ..GeographySpec::default() };
    let (geography, problems) = Geography::with_objects([("deep", &spec)]);
    assert_eq!(problems, []);
    assert_eq!(geography.resolve("G0").unwrap().len(), 1);
}

#[test]
fn s4_globs_in_globs() {
    let glob = format!("{}a{}", "{".repeat(DEEP), "}".repeat(DEEP));
    let policy = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "deep"},
        "spec": {"classifications": ["personal"], "allow": [{"regions": [glob]}]}});
    let mut state = State::new(Settings::default());
    state.apply(support::parse(policy));
    let problems = state.problems();
    assert!(matches!(&problems[..], [problem] if problem.refused), "{problems:?}");
}

/// Each of them could take any free disk of its class.
#[test]
fn s6_volumes_that_are_alike() {
    let mut state = State::new(Settings::default());
    let disk = |number: usize| {
        json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": format!("disk-{number}")},
            "spec": {"storageClassName": "disks", "local": {"path": "/mnt"}, "nodeAffinity": {"required": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [format!("n{number}")]}]}]}}}})
    };
    let class = |name: &str, zone: &str| {
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}, "provisioner": "ebs.csi.aws.com",
            "volumeBindingMode": "WaitForFirstConsumer", "allowedTopologies": [{"matchLabelExpressions": [
                {"key": "topology.kubernetes.io/zone", "values": [zone]}]}]})
    };
    let policy = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "eu"},
        "spec": {"classifications": ["personal"], "allow": [{"jurisdictions": ["EEA"]}]}});
    state
        .apply_all([policy, class("disks", "eu-west-1a"), class("abroad", "us-east-1a")].map(support::parse));
    state.apply_all((0..500).map(disk).map(support::parse));
    let judged = |last: &str| {
        let volume = |number: usize| {
            let class = if number == DEEP { last } else { "disks" };
            json!({"name": format!("v{number}"), "ephemeral": {"volumeClaimTemplate": {"spec": {"storageClassName": class}}}})
        };
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "namespace": "shop", "annotations": {
            "domicile.dev/data-classification": "personal"}}, "spec": {"containers": [], "volumes": (0..=DEEP).map(volume).collect::<Vec<_>>()}});
        judge(&Request::create(&support::parse(pod)), &state, support::now())
    };
    assert_eq!(judged("disks").decision, Decision::Allow);
    // Whichever comes last is looked at, if it is of another sort.
    let verdict = judged("abroad");
    assert_eq!(verdict.decision, Decision::Deny, "{verdict:#?}");
    let fields: Vec<_> = verdict.findings.iter().filter_map(|one| one.field.as_deref()).collect();
    assert_eq!(fields, ["spec.volumes[20000]"]);
}
