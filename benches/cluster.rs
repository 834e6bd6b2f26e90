//! How long it takes to load a large cluster, to audit it, and to take one change in: `cargo bench`, or `make bench`.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

mod data;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use data::time::Processor;
use domicile::cli::page::{self, Page};
use domicile::cluster::enforcement::Enforcement;
use domicile::cluster::{Kind, Settings, State};
use domicile::objects::Object;
use domicile::residency::{Decision, audit, evidence, simulate};
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
        page::render(&Page { evidence: &evidence, source: "a cluster", errors: &[] })
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
