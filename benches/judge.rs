//! How long one judgement takes, and how that grows with policies, nodes and what a pod asks: `cargo bench`, or `make bench`.

#![allow(missing_docs, clippy::unwrap_used, reason = "a benchmark")]

mod data;

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use data::time::Processor;
use domicile::cluster::access::Authorizer;
use domicile::cluster::reader::Reader;
use domicile::cluster::{Shared, State};
use domicile::objects::Object;
use domicile::residency::{Decision, Reach, Request, judge};
use domicile::server::{Call, Metrics, Reviewer};
use domicile::webhook::{Admission, Parts};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures one judgement, which is to come out like this.
fn run(
    criterion: &mut Criterion<Processor>,
    name: &str,
    parameter: usize,
    (state, pod): (&State, &Object),
    expected: (Decision, Reach),
) {
    let now = data::now();
    let verdict = judge(&Request::create(pod), state, now);
    assert_eq!((verdict.decision, verdict.reach), expected, "{name}/{parameter}");
    let mut group = criterion.benchmark_group(name);
    group.bench_function(BenchmarkId::from_parameter(parameter), |bencher| {
        bencher.iter(|| black_box(judge(&Request::create(black_box(pod)), state, now)));
    });
    group.finish();
}

fn judgement(criterion: &mut Criterion<Processor>) {
    let unpinned = data::pod_with(&json!({}));
    let pinned = data::pod_with(&json!({"nodeSelector": {"topology.kubernetes.io/region": "eu-north-1"}}));
    let terms = data::pod_with(&data::affinity(10, 20));
    let hostile = data::pod_with(&data::affinity(5_000, 20));
    let observed = (Decision::Allow, Reach::Observed);
    let proven = (Decision::Allow, Reach::Proven);
    let denied = (Decision::Deny, Reach::Violated);
    for policies in [1, 10, 100, 1_000, 5_000] {
        let all = data::fleet(data::NODES, policies, 0, false);
        run(criterion, "unpinned pod, by policies that govern it", policies, (&all, &unpinned), observed);
    }
    let thousand = data::fleet(data::NODES, 1_000, 0, false);
    run(criterion, "pinned pod, by policies that govern it", 1_000, (&thousand, &pinned), proven);
    run(
        criterion,
        "pod of 10 terms x 20 zones, by policies that govern it",
        1_000,
        (&thousand, &terms),
        observed,
    );
    for policies in [100, 1_000, 5_000] {
        let some = data::fleet(data::NODES, 10, policies - 10, false);
        run(
            criterion,
            "unpinned pod, by policies of which 10 govern it",
            policies,
            (&some, &unpinned),
            observed,
        );
    }
    let some = data::fleet(data::NODES, 10, 990, true);
    run(
        criterion,
        "unpinned pod that is denied, with its fix, by policies of which 10 govern it",
        1_000,
        (&some, &unpinned),
        denied,
    );
    run(criterion, "pinned pod, by policies of which 10 govern it", 1_000, (&some, &pinned), proven);
    run(
        criterion,
        "pod of 10 terms x 20 zones, by policies of which 10 govern it",
        1_000,
        (&some, &terms),
        observed,
    );
    let one = data::fleet(data::NODES, 1, 0, false);
    run(
        criterion,
        "hostile pod of 5,000 terms x 20 zones, by policies that govern it",
        1,
        (&one, &hostile),
        observed,
    );
    for nodes in [100, 1_000, 5_000, 50_000] {
        let all = data::fleet(nodes, 10, 990, false);
        run(
            criterion,
            "unpinned pod, 1,000 policies of which 10 govern it, by nodes",
            nodes,
            (&all, &unpinned),
            observed,
        );
    }
}

/// Measures all that a request costs but the server around it: a review is read, judged and answered.
fn review(criterion: &mut Criterion<Processor>) {
    let admission = Admission::new(Parts {
        shared: Shared::complete(data::fleet(data::NODES, 10, 990, true)),
        reader: Reader::Files,
        authorizer: Authorizer::Files,
        tell: Arc::new(|_| {}),
        metrics: Metrics::new(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let deadline = tokio::time::Instant::now() + Duration::from_hours(1);
    let answer = |review: &'static [u8]| {
        runtime.block_on(admission.validate(Call { body: review.into(), deadline })).body
    };
    let mut group = criterion.benchmark_group("review of a pod, 1,000 policies of which 10 govern it, by KB");
    for (size, review) in data::REVIEWS {
        let said = String::from_utf8(answer(review)).unwrap();
        assert!(said.contains(r#""allowed":true"#) && said.contains(r#""reach":"Proven""#), "{said}");
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter(|| black_box(answer(black_box(review))));
        });
    }
    group.finish();
}

criterion_group!(
    name = benches;
    config = Criterion::default().with_measurement(Processor)
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = judgement, review
);
criterion_main!(benches);
