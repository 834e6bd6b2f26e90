//! How long it takes to load a large cluster, to audit it, and to take one change in: `cargo bench`, or `make bench`.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

mod data;

use std::collections::HashSet;
use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, BenchmarkGroup, Criterion, criterion_group, criterion_main};
use data::time::Processor;
use domicile::cli::page::{self, Page};
use domicile::cluster::enforcement::Enforcement;
use domicile::cluster::{Changed, Key, Kind, Settings, State};
use domicile::objects::Object;
use domicile::residency::{AUDITED, Decision, Touched, audit, evidence, judge_stored, simulate, touched};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn loaded() -> State {
    let mut state = State::new(Settings::default());
    data::everything().for_each(|object| state.apply(object));
    state
}

fn denied(state: &State) -> usize {
    audit(state, data::now()).filter(|verdict| verdict.decision == Decision::Deny).count()
}

fn geography() -> Object {
    let geography = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Geography", "metadata": {"name": "on-premises"},
        "spec": {"groups": [{"name": "HOME", "members": ["DE", "CH"]}],
                 "regions": [{"provider": "openstack", "region": "fra*", "jurisdiction": "DE"}]},
    });
    Object::from_value(geography).unwrap().unwrap()
}

fn key(kind: Kind, namespace: &str, name: &str) -> Key {
    Key { kind, namespace: namespace.to_owned(), name: name.to_owned() }
}

/// What the watch over what exists judges anew after one change, of what policies select.
fn rejudged(group: &mut BenchmarkGroup<'_, Processor>, state: &State) {
    let selected: HashSet<Key> = audit(state, data::now())
        .filter(|verdict| !verdict.policies.is_empty())
        .filter_map(|verdict| {
            let kind = AUDITED.into_iter().find(|kind| kind.as_str() == verdict.object.kind)?;
            Some(key(kind, &verdict.object.namespace, &verdict.object.name))
        })
        .collect();
    let judge = |keys: &[Key]| {
        let verdict = |key: &Key| judge_stored(state, key.kind, &key.namespace, &key.name, data::now());
        keys.iter().filter_map(verdict).filter(|verdict| verdict.decision == Decision::Deny).count()
    };
    let node = data::node(7).reference();
    let changed = Changed::Objects([key(Kind::Node, "", &node.name)].into());
    let by_node = || match touched(state, &changed) {
        Touched::Objects { by_nodes, .. } => {
            by_nodes.into_iter().filter(|key| selected.contains(key)).collect::<Vec<_>>()
        }
        Touched::Everything => Vec::new(),
    };
    println!("a node touches {} objects of {}", by_node().len(), selected.len());
    group.bench_function("find what a changed node touches", |bencher| bencher.iter(by_node));
    group.bench_function("judge anew what a changed node touches", |bencher| {
        bencher.iter(|| judge(&by_node()));
    });
    let on_it: Vec<Key> = state
        .pods()
        .filter(|(.., pod)| pod.node.as_deref() == Some(&*node.name))
        .map(|(namespace, name, _)| key(Kind::Pod, namespace, name))
        .collect();
    println!("{} pods are on it", on_it.len());
    group.bench_function("judge anew the pods on a changed node", |bencher| bencher.iter(|| judge(&on_it)));
}

fn whole(criterion: &mut Criterion<Processor>) {
    let mut state = loaded();
    let verdicts = audit(&state, data::now()).count();
    println!("audit: {verdicts} verdicts, {} of them denials", denied(&state));
    let mut group =
        criterion.benchmark_group("5,000 nodes, 100,000 pods, 50,000 claims and volumes, 40 policies");
    group.sample_size(10).measurement_time(Duration::from_secs(10));
    group.bench_function("audit of all on one thread", |bencher| bencher.iter(|| black_box(denied(&state))));
    let mut narrower = state.clone();
    (0..data::POLICIES).step_by(4).for_each(|number| narrower.apply(data::policy(number, "personal", true)));
    let impact = simulate((&state, data::now()), (&narrower, data::now()));
    println!("simulate: {} objects judged, {} newly broken", impact.judged, impact.broken.len());
    drop(impact);
    group.bench_function("simulate ten changed policies on all, on one thread", |bencher| {
        bencher.iter_with_large_drop(|| simulate((&state, data::now()), (&narrower, data::now())));
    });
    let unknown = Enforcement::NotKnown("nobody is asked".to_owned());
    let page = || {
        let evidence = evidence(&state, data::now(), &unknown);
        page::render(&Page { evidence: &evidence, source: "a cluster", errors: &[], not_given: &[] })
    };
    println!("report: {} KiB", page().len() >> 10);
    group.bench_function("report on all as a page, on one thread", |bencher| bencher.iter(page));
    let objects: Vec<Object> = data::everything().collect();
    group.bench_function("load all from parsed objects", |bencher| {
        bencher.iter_batched(
            || objects.clone(),
            |objects| {
                let mut state = State::new(Settings::default());
                state.apply_all(objects);
                state
            },
            BatchSize::PerIteration,
        );
    });
    drop(objects);
    group.bench_function("copy the state", |bencher| bencher.iter_with_large_drop(|| state.clone()));
    rejudged(&mut group, &state);
    let mut change = |name: &str, mut take: Box<dyn FnMut(&mut State)>| {
        group.bench_function(name, |bencher| bencher.iter(|| take(&mut state)));
    };
    // As informers bring them: in place of the one that is there.
    let (node, pod) = (data::node(7), data::pod(7));
    change("apply a node", Box::new(move |state| state.apply(node.clone())));
    change("apply a pod", Box::new(move |state| state.apply(pod.clone())));
    let policy = data::policy(7, "personal", false);
    change("apply a policy", Box::new(move |state| state.apply(policy.clone())));
    let geography = geography();
    change(
        "apply and delete a geography",
        Box::new(move |state| {
            state.apply(geography.clone());
            state.delete(Kind::Geography, "", "on-premises");
        }),
    );
    group.finish();
}

criterion_group!(
    name = benches;
    config = Criterion::default().with_measurement(Processor).warm_up_time(Duration::from_millis(500));
    targets = whole
);
criterion_main!(benches);
