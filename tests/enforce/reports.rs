//! Of what a policy selects there is a report, where the cluster serves a kind for it.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::audit::{RESTRICTED, bound};
use crate::plane::{OPEN_REPORTS, POLICY_REPORTS, Plane, Reporting, Trials, eventually};
use crate::stand::{FRANKFURT, Stand, VIRGINIA};

pub(crate) fn trials() -> Trials {
    Trials::of("reports").alone("reports_follow_what_exists_and_what_the_cluster_serves", reports_follow)
}

/// The reports about objects of the namespace of the test, by the name of the object.
pub(crate) fn reports(stand: &Stand, reporting: Reporting) -> Vec<(String, Value)> {
    let kind = format!("{}.{}", reporting.namespaced.1, reporting.group);
    let said = stand.admin.kubectl(&["get", &kind, "-n", &stand.namespace, "-o", "json"]);
    if said.status != 0 {
        return Vec::new();
    }
    let reports = said.json()["items"].as_array().cloned().unwrap_or_default();
    reports
        .into_iter()
        .map(|one| (one["scope"]["name"].as_str().unwrap_or_default().to_owned(), one))
        .collect()
}

fn of(stand: &Stand, reporting: Reporting, object: &str) -> Option<Value> {
    reports(stand, reporting).into_iter().find(|(name, _)| name == object).map(|(_, report)| report)
}

/// What a report says of the one policy that there is.
fn result(report: &Value) -> &str {
    report["results"][0]["result"].as_str().unwrap_or_default()
}

async fn until(stand: &Stand, reporting: Reporting, object: &str, expected: &str) -> Value {
    eventually(&format!("the report of {object} says {expected}"), async || {
        of(stand, reporting, object).filter(|report| result(report) == expected)
    })
    .await
}

pub(crate) fn serves(stand: &Stand, reporting: Reporting) {
    stand.apply(&reporting.definitions().to_string()).ok();
    for name in reporting.names() {
        stand.admin.kubectl(&["wait", "--for=condition=Established", "crd", &name, "--timeout=30s"]).ok();
    }
}

pub(crate) fn no_more(stand: &Stand, reporting: Reporting) {
    for name in reporting.names() {
        stand.admin.kubectl(&["delete", "crd", &name, "--ignore-not-found", "--wait=false"]);
    }
}

async fn reports_follow(plane: &'static Plane) {
    let mut stand = Stand::up(plane, "reports").await;
    for name in ["orders", "carts"] {
        bound(&stand, name, FRANKFURT, |_| {}).await;
    }
    // Nothing is served, and nothing is missed.
    tokio::time::sleep(Duration::from_secs(1)).await;

    // The older form comes, and later the newer one too.
    serves(&stand, POLICY_REPORTS);
    until(&stand, POLICY_REPORTS, "orders", "pass").await;
    serves(&stand, OPEN_REPORTS);
    let report = until(&stand, OPEN_REPORTS, "orders", "pass").await;
    let uid = ["get", "pod", "orders", "-n", &stand.namespace, "-o", "jsonpath={.metadata.uid}"];
    let uid = stand.admin.kubectl(&uid).ok();
    assert_eq!(report["metadata"]["name"], format!("domicile-{uid}"), "{report}");
    assert_eq!(report["metadata"]["ownerReferences"][0]["uid"], uid, "{report}");
    assert_eq!((&report["source"], &report["scope"]["uid"]), (&json!("domicile"), &json!(uid)), "{report}");
    assert_eq!(
        report["summary"],
        json!({"pass": 1, "fail": 0, "warn": 0, "skip": 0, "error": 0}),
        "{report}"
    );
    eventually("those of the older form are gone", async || {
        reports(&stand, POLICY_REPORTS).is_empty().then_some(())
    })
    .await;

    what_comes_to_break_a_policy(&stand).await;
    what_is_exempted(&stand).await;
    what_others_do_to_reports(&stand).await;

    // Its report goes with an object, and nothing has to be left that runs for it.
    stand.admin.kubectl(&["delete", "pod", "carts", "--force", "-n", &stand.namespace]).ok();
    eventually("its report is gone", async || of(&stand, OPEN_REPORTS, "carts").is_none().then_some(()))
        .await;

    // What another leader has left is taken over as it is, or away.
    let before = of(&stand, OPEN_REPORTS, "orders").unwrap();
    assert!(stand.serve.stop(Duration::from_secs(20)).success());
    let mut stray = before.clone();
    stray["metadata"] = json!({"name": "domicile-of-before", "namespace": stand.namespace,
        "labels": before["metadata"]["labels"]});
    stand.apply(&stray.to_string()).ok();
    stand.restart();
    eventually("what nobody would write is gone", async || {
        (reports(&stand, OPEN_REPORTS).len() == 1).then_some(())
    })
    .await;
    assert_eq!(of(&stand, OPEN_REPORTS, "orders").unwrap(), before);

    // The kind goes, and what else is done goes on.
    stand.answers().await;
    no_more(&stand, OPEN_REPORTS);
    until(&stand, POLICY_REPORTS, "orders", "pass").await;
    no_more(&stand, POLICY_REPORTS);
    bound(&stand, "late", FRANKFURT, |_| {}).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(stand.serve.ended().is_none(), "{}", stand.serve.tail());
    assert!(stand.metrics().contains("domicile_leader 1"));
}

async fn what_comes_to_break_a_policy(stand: &Stand) {
    let second = jiff::Timestamp::now().as_second();
    stand.admin.kubectl(&["label", "node", FRANKFURT, &format!("{RESTRICTED}=US")]).ok();
    let begun = Instant::now();
    let report = until(stand, OPEN_REPORTS, "orders", "fail").await;
    println!("a violation was in the report within {} ms", begun.elapsed().as_millis());
    let line = &report["results"][0];
    assert_eq!((&line["policy"], &line["severity"]), (&json!("eu-personal"), &json!("high")), "{report}");
    assert_eq!(line["properties"]["reason"], "NodeOutsideJurisdiction", "{report}");
    assert!(line["message"].as_str().unwrap().contains(FRANKFURT), "{report}");
    assert!((second..second + 60).contains(&line["timestamp"]["seconds"].as_i64().unwrap()), "{report}");
    assert_eq!(report["summary"]["fail"], 1, "{report}");
    // Whoever asks what is in violation is told since when.
    let mut audit = stand.admin.command(Path::new(env!("CARGO_BIN_EXE_domicile")));
    let said = audit.args(["audit", "-o", "json"]).output().unwrap();
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    let of_orders = said["results"].as_array().unwrap().iter().find(|one| one["object"]["name"] == "orders");
    let since: jiff::Timestamp =
        of_orders.unwrap()["since"]["eu-personal"].as_str().unwrap().parse().unwrap();
    assert_eq!(Some(since.as_second()), line["timestamp"]["seconds"].as_i64(), "{of_orders:?}");
    stand.admin.kubectl(&["label", "node", FRANKFURT, &format!("{RESTRICTED}-")]).ok();
    let restored = until(stand, OPEN_REPORTS, "orders", "pass").await;
    assert_eq!(restored["metadata"]["uid"], report["metadata"]["uid"], "written anew");
}

/// It is no violation, and no more than that.
async fn what_is_exempted(stand: &Stand) {
    let exception = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyException",
        "metadata": {"name": "drill", "namespace": stand.namespace},
        "spec": {"policies": ["eu-personal"], "allow": [{"jurisdictions": ["US"]}], "reason": "a drill",
            "until": (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1)).to_string()},
    });
    stand.apply(&exception.to_string()).ok();
    bound(stand, "drill", VIRGINIA, |_| {}).await;
    let report = until(stand, OPEN_REPORTS, "drill", "skip").await;
    let message = report["results"][0]["message"].as_str().unwrap();
    assert!(message.contains("ResidencyException") && message.contains(VIRGINIA), "{report}");
    assert!(of(stand, OPEN_REPORTS, "orders").is_some_and(|report| result(&report) == "pass"));
    eventually("the status counts it apart", async || {
        let policy = stand.admin.kubectl(&["get", "respol", "eu-personal", "-o", "json"]).json();
        let counts = &policy["status"]["compliance"];
        (counts["exempted"] == 1 && counts["violating"] == 0).then_some(())
    })
    .await;
    let metrics = stand.metrics();
    assert!(metrics.contains(r#"domicile_exempted{policy="eu-personal",kind="Pod"} 1"#), "{metrics}");
    stand.admin.kubectl(&["delete", "resex", "drill", "-n", &stand.namespace]).ok();
    until(stand, OPEN_REPORTS, "drill", "fail").await;
    stand.admin.kubectl(&["delete", "pod", "drill", "--force", "-n", &stand.namespace]).ok();
}

/// Somebody forges one, and takes another away.
async fn what_others_do_to_reports(stand: &Stand) {
    let change = |report: &Value, verb: &[&str]| {
        let name = format!(
            "{}.{}/{}",
            OPEN_REPORTS.namespaced.1,
            OPEN_REPORTS.group,
            report["metadata"]["name"].as_str().unwrap()
        );
        let command = [&[verb[0], &name, "-n", &stand.namespace], &verb[1..]].concat();
        stand.admin.kubectl(&command).ok();
    };
    let orders = of(stand, OPEN_REPORTS, "orders").unwrap();
    let forged = json!({"summary": {"pass": 7}}).to_string();
    change(&orders, &["patch", "--type=merge", "-p", &forged]);
    eventually("the forged report is written again", async || {
        of(stand, OPEN_REPORTS, "orders").filter(|report| report["summary"]["pass"] == 1)
    })
    .await;
    let carts = of(stand, OPEN_REPORTS, "carts").unwrap();
    change(&carts, &["delete"]);
    eventually("the report that was taken away is there again", async || of(stand, OPEN_REPORTS, "carts"))
        .await;
}
