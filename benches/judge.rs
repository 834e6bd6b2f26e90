//! How long judging takes, and how that grows: `cargo bench`, or `make bench`.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use domicile::cluster::{Settings, State};
use domicile::objects::Object;
use domicile::residency::{Decision, Request, audit, judge};
use jiff::Timestamp;
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const REGIONS: [(&str, &str); 6] = [
    ("eu-central-1", "a"),
    ("eu-west-1", "b"),
    ("eu-north-1", "a"),
    ("eu-south-1", "c"),
    ("eu-west-3", "a"),
    ("eu-central-1", "b"),
];

fn object(value: Value) -> Object {
    Object::from_value(value).unwrap().unwrap()
}

/// A node with the labels that nodes have; every 500th stands in the US.
fn node(number: usize) -> Object {
    let (region, letter) =
        if number % 500 == 499 { ("us-east-1", "a") } else { REGIONS[number % REGIONS.len()] };
    let (name, zone) = (format!("ip-10-0-{}-{}", number / 256, number % 256), format!("{region}{letter}"));
    object(json!({
        "apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {
            "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64",
            "node.kubernetes.io/instance-type": format!("m5.{}xlarge", number % 4),
            "topology.kubernetes.io/region": region, "topology.kubernetes.io/zone": zone,
            "topology.ebs.csi.aws.com/zone": zone, "karpenter.sh/capacity-type": "on-demand",
            "eks.amazonaws.com/nodegroup": format!("pool-{}", number % 12),
        }},
        "spec": {"providerID": format!("aws:///{zone}/i-{number:017x}")},
    }))
}

/// One of the policies of a cluster; they all permit the EEA and forbid something else each.
fn policy(number: usize, classification: &str) -> Object {
    object(json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy",
        "metadata": {"name": format!("policy-{number:04}")},
        "spec": {"classifications": [classification],
                 "allow": [{"jurisdictions": ["EEA", "US"]}, {"jurisdictions": ["CH"], "until": "2030-01-01T00:00:00Z"}],
                 "deny": [{"regions": [format!("xx-{number}-*")]}]},
    }))
}

fn pod(spec: &Value, node: Option<String>, number: usize) -> Object {
    let mut spec = spec.clone();
    if let Some(node) = node {
        spec["nodeName"] = node.into();
    }
    object(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": format!("orders-7d9f8c6b5-{number:05}"), "namespace": format!("team-{}", number % 50),
                     "labels": {"app": format!("app-{}", number % 2000), "pod-template-hash": format!("{:08x}", number % 2000)},
                     "annotations": {"domicile.dev/data-classification": "personal"}},
        "spec": spec,
    }))
}

fn state(nodes: usize, policies: usize, spread: bool) -> State {
    let mut state = State::new(Settings::default());
    let policies = (0..policies).map(|number| {
        let other = spread && number % 100 != 0;
        policy(number, if other { "other" } else { "personal" })
    });
    state.apply_all(policies.chain((0..nodes).map(node)));
    state
}

fn affinity(terms: usize, values: usize) -> Value {
    let term = |term: usize| {
        let zones: Vec<String> = (0..values)
            .map(|value| {
                let (region, letter) = REGIONS[(term + value) % REGIONS.len()];
                if value < REGIONS.len() {
                    format!("{region}{letter}")
                } else {
                    format!("{region}{}", char::from(b'a' + u8::try_from(value % 26).unwrap()))
                }
            })
            .collect();
        json!({"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": zones}]})
    };
    let terms: Vec<Value> = (0..terms).map(term).collect();
    json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}})
}

fn judgement(criterion: &mut Criterion) {
    let now: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
    let unpinned = pod(&json!({}), None, 0);
    let pinned = pod(&json!({"nodeSelector": {"topology.kubernetes.io/region": "eu-north-1"}}), None, 0);
    let terms = pod(&affinity(10, 20), None, 0);
    let hostile = pod(&affinity(5_000, 20), None, 0);
    let mut run = |name: &str, parameter: usize, state: &State, object: &Object| {
        let mut group = criterion.benchmark_group(name);
        group.bench_with_input(BenchmarkId::from_parameter(parameter), &parameter, |bencher, _| {
            bencher.iter(|| black_box(judge(&Request::create(black_box(object)), state, now)));
        });
        group.finish();
    };
    for policies in [1, 10, 100, 1_000, 5_000] {
        let all = state(5_000, policies, false);
        run("unpinned pod, 5,000 nodes, by policies that govern it", policies, &all, &unpinned);
    }
    let thousand = state(5_000, 1_000, false);
    run("pod pinned to a region, 5,000 nodes, by policies", 1_000, &thousand, &pinned);
    run("pod of 10 terms x 20 values, 5,000 nodes, by policies", 1_000, &thousand, &terms);
    let spread = state(5_000, 1_000, true);
    run("unpinned pod, 5,000 nodes, 1 % of policies govern it, by policies", 1_000, &spread, &unpinned);
    let one = state(5_000, 1, false);
    run("hostile pod of 5,000 terms x 20 values, 5,000 nodes, by policies", 1, &one, &hostile);
    for nodes in [100, 1_000, 5_000, 50_000] {
        let all = state(nodes, 100, false);
        run("unpinned pod, 100 policies, by nodes", nodes, &all, &unpinned);
    }
}

/// 5,000 nodes, 100,000 pods and 50,000 claims with their volumes.
fn everything() -> impl Iterator<Item = Object> {
    let claim = |number: usize| {
        let (name, volume) =
            (format!("data-orders-{number}"), format!("pvc-{number:08x}-0000-4000-8000-000000000000"));
        let namespace = format!("team-{}", number % 50);
        let (region, letter) = REGIONS[number % REGIONS.len()];
        [
            object(json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "metadata": {"name": name, "namespace": namespace, "labels": {"app": format!("app-{}", number % 2000)}},
                "spec": {"storageClassName": "gp3", "volumeName": volume}})),
            object(json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": volume},
                "spec": {"storageClassName": "gp3", "csi": {"driver": "ebs.csi.aws.com", "volumeHandle": "v"},
                    "claimRef": {"namespace": namespace, "name": name},
                    "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [
                        {"key": "topology.ebs.csi.aws.com/zone", "operator": "In", "values": [format!("{region}{letter}")]}]}]}}}})),
        ]
    };
    let pod = |number: usize| {
        let node = number % 5_000;
        let mounts = json!({"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": format!("data-orders-{number}")}}]});
        let spec = if number < 50_000 { mounts } else { json!({}) };
        pod(&spec, Some(format!("ip-10-0-{}-{}", node / 256, node % 256)), number)
    };
    (0..5_000)
        .map(node)
        .chain((0..50_000).flat_map(claim))
        .chain((0..100_000).map(pod))
        .chain((0..10).map(|number| policy(number, "personal")))
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn whole_cluster(criterion: &mut Criterion) {
    let now: Timestamp = "2026-11-24T00:00:00Z".parse().unwrap();
    // One object at a time, as a watch brings them, so that only the state stays.
    let before = resident_kib();
    let mut state = State::new(Settings::default());
    for object in everything() {
        state.apply(object);
    }
    println!("resident for the state: {} KiB", resident_kib() - before);
    let denied = audit(&state, now).filter(|verdict| verdict.decision == Decision::Deny).count();
    println!("audit of all: {denied} denied");
    let mut group = criterion.benchmark_group("5,000 nodes, 100,000 pods, 50,000 claims");
    group.sample_size(10).measurement_time(Duration::from_secs(15));
    group.bench_function("audit on one thread", |bencher| {
        bencher.iter(|| {
            black_box(audit(&state, now).filter(|verdict| verdict.decision == Decision::Deny).count())
        });
    });
    let objects: Vec<Object> = everything().collect();
    group.bench_function("load", |bencher| {
        bencher.iter_batched(
            || objects.clone(),
            |objects| {
                let mut state = State::new(Settings::default());
                state.apply_all(objects);
                state
            },
            criterion::BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(
    name = benches;
    config = Criterion::default().sample_size(20).warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2));
    targets = judgement, whole_cluster
);
criterion_main!(benches);
