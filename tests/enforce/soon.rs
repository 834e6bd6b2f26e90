//! How soon what has changed is told, in all places where it is told.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::audit::{RESTRICTED, bound, excepted};
use crate::plane::{OPEN_REPORTS, Plane, Trials, eventually};
use crate::reports::{no_more, serves};
use crate::stand::{FRANKFURT, Stand};

/// A second is the aim; a machine that does other things too is given more.
const BOUND: Duration = Duration::from_secs(3);

pub(crate) fn trials() -> Trials {
    Trials::of("soon")
        .alone("a_relabelled_node_is_told_everywhere_at_once", a_relabelled_node)
        .alone("an_exception_ends_everywhere_at_its_moment", an_exception_ends)
}

async fn get(plane: &Plane, path: &str) -> Value {
    let request = http::Request::get(path).body(Vec::new()).unwrap();
    plane.client().request::<Value>(request).await.unwrap_or_default()
}

/// How long it takes until it is so.
async fn took(begun: Instant, is_so: impl AsyncFn() -> bool) -> Duration {
    while !is_so().await {
        assert!(begun.elapsed() < Duration::from_mins(1), "it never was");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    begun.elapsed()
}

/// The events, the status, the metric and the report: how long each takes to say of so many pods that they break the
/// policy, or break it no more.
async fn told(stand: &Stand, pods: usize, breaks: bool) -> [(&'static str, Duration); 4] {
    let (plane, begun) = (stand.plane, Instant::now());
    let (reason, result) =
        if breaks { ("ResidencyViolation", "fail") } else { ("ResidencyRestored", "pass") };
    let namespace = &stand.namespace;
    let count = |list: Value, is_one: &dyn Fn(&Value) -> bool| {
        list["items"].as_array().map_or(0, |items| items.iter().filter(|item| is_one(item)).count())
    };
    let events = took(begun, async || {
        let path = format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events");
        count(get(plane, &path).await, &|event| event["reason"] == reason) == pods
    });
    let status = took(begun, async || {
        let policy = get(plane, "/apis/domicile.dev/v1alpha1/residencypolicies/eu-personal").await;
        policy["status"]["compliance"]["violating"] == if breaks { pods } else { 0 }
    });
    let line = r#"domicile_violations{policy="eu-personal",kind="Pod"}"#;
    let metric = took(begun, async || {
        let metrics = stand.metrics();
        let value = metrics.lines().find_map(|one| one.strip_prefix(line)?.trim().parse::<usize>().ok());
        value.unwrap_or_default() == if breaks { pods } else { 0 }
    });
    let report = took(begun, async || {
        let path =
            format!("/apis/{}/{}/namespaces/{namespace}/reports", OPEN_REPORTS.group, OPEN_REPORTS.version);
        count(get(plane, &path).await, &|report| report["results"][0]["result"] == result) == pods
    });
    let (events, status, metric, report) = tokio::join!(events, status, metric, report);
    [("event", events), ("status", status), ("metric", metric), ("report", report)]
}

fn within(what: &str, told: [(&str, Duration); 4]) {
    let all: Vec<String> =
        told.iter().map(|(place, took)| format!("{place} {} ms", took.as_millis())).collect();
    println!("{what}: {}", all.join(", "));
    assert!(told.iter().all(|(_, took)| *took < BOUND), "{what}: {all:?}");
}

async fn a_relabelled_node(plane: &'static Plane) {
    let stand = Stand::up(plane, "soon").await;
    serves(&stand, OPEN_REPORTS);
    for name in ["orders", "carts", "mails"] {
        bound(&stand, name, FRANKFURT, |_| {}).await;
    }
    eventually("all have a report", async || {
        let path = format!(
            "/apis/{}/{}/namespaces/{}/reports",
            OPEN_REPORTS.group, OPEN_REPORTS.version, stand.namespace
        );
        (get(plane, &path).await["items"].as_array().map_or(0, Vec::len) == 3).then_some(())
    })
    .await;
    let nodes: Api<Node> = Api::all(plane.client());
    let label = async |value: Value| {
        let label = json!({"metadata": {"labels": {RESTRICTED: value}}});
        nodes.patch(FRANKFURT, &PatchParams::default(), &Patch::Merge(label)).await.unwrap();
    };
    label(json!("US")).await;
    within("a relabelled node under three pods was told of", told(&stand, 3, true).await);
    label(Value::Null).await;
    within("that it was taken back was told of", told(&stand, 3, false).await);
    no_more(&stand, OPEN_REPORTS);
}

async fn an_exception_ends(plane: &'static Plane) {
    let stand = Stand::up(plane, "moment").await;
    serves(&stand, OPEN_REPORTS);
    let until = excepted(&stand, 25).await;
    eventually("the status counts it apart", async || {
        let policy = get(plane, "/apis/domicile.dev/v1alpha1/residencypolicies/eu-personal").await;
        let counts = &policy["status"]["compliance"];
        (counts["exempted"] == 1 && counts["violating"] == 0).then_some(())
    })
    .await;
    assert!(jiff::Timestamp::now() < until, "the machine is too slow to tell");
    while jiff::Timestamp::now() < until {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    within("the end of an exception was told of", told(&stand, 1, true).await);
    stand.admin.kubectl(&["delete", "pod", "early", "--force", "-n", &stand.namespace]).ok();
    no_more(&stand, OPEN_REPORTS);
}
