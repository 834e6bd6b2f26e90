//! A policy is deleted, and everything that was said because of it ends.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::audit::{bound, events, status};
use crate::plane::{OPEN_REPORTS, Plane, Trials, eventually};
use crate::refusals::workload;
use crate::reports::{no_more, reports, serves};
use crate::stand::{FRANKFURT, KEY, Stand};

pub(crate) fn trials() -> Trials {
    Trials::of("deleted").alone("what_a_policy_said_ends_with_it", what_a_policy_said_ends_with_it)
}

/// It forbids where all of them are.
const POLICY: &str = "
apiVersion: domicile.dev/v1alpha1
kind: ResidencyPolicy
metadata: {name: health-home}
spec: {classifications: [health], allow: [{jurisdictions: [JP]}]}
";

/// The objects of which events of a reason tell because of a policy, and how often each was told.
fn told(stand: &Stand, reason: &str, policy: &str) -> BTreeMap<String, u64> {
    let mut told = BTreeMap::new();
    for (object, _, event) in events(stand, reason).into_iter().filter(|(_, because, _)| because == policy) {
        *told.entry(object).or_default() += event["series"]["count"].as_u64().unwrap_or(1);
    }
    told
}

/// By object, what its report says of each policy.
fn reported(stand: &Stand) -> BTreeMap<String, BTreeMap<String, String>> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let lines = |report: &Value| {
        let results = report["results"].as_array().cloned().unwrap_or_default();
        results.iter().map(|one| (text(&one["policy"]), text(&one["result"]))).collect()
    };
    reports(stand, OPEN_REPORTS).into_iter().map(|(object, report)| (object, lines(&report))).collect()
}

fn said(lines: &[(&str, &[(&str, &str)])]) -> BTreeMap<String, BTreeMap<String, String>> {
    let of = |lines: &[(&str, &str)]| lines.iter().map(|(one, two)| ((*one).into(), (*two).into())).collect();
    lines.iter().map(|(object, lines)| ((*object).into(), of(lines))).collect()
}

async fn what_a_policy_said_ends_with_it(plane: &'static Plane) {
    let stand = Stand::up(plane, "deleted").await;
    serves(&stand, OPEN_REPORTS);
    bound(&stand, "orders", FRANKFURT, |_| {}).await;
    bound(&stand, "records", FRANKFURT, |pod| pod["metadata"]["annotations"][KEY] = json!("health")).await;
    bound(&stand, "both", FRANKFURT, |pod| pod["metadata"]["annotations"][KEY] = json!("health,personal"))
        .await;
    let mut clinic = workload("apps/v1", "Deployment", "clinic", "eu-central-1");
    clinic["spec"]["replicas"] = json!(0);
    clinic["spec"]["template"]["metadata"]["annotations"] = json!({KEY: "health"});
    stand.apply(&clinic.to_string()).ok();
    let alone = said(&[("orders", &[("eu-personal", "pass")]), ("both", &[("eu-personal", "pass")])]);
    eventually("only one policy is reported of", async || (reported(&stand) == alone).then_some(())).await;

    stand.apply(POLICY).ok();
    let broken = said(&[
        ("orders", &[("eu-personal", "pass")]),
        ("both", &[("eu-personal", "pass"), ("health-home", "fail")]),
        ("records", &[("health-home", "fail")]),
        ("clinic", &[("health-home", "fail")]),
    ]);
    eventually("what breaks the new one is reported", async || (reported(&stand) == broken).then_some(()))
        .await;
    let once: BTreeMap<String, u64> = ["both", "clinic", "records"].map(|one| (one.to_owned(), 1)).into();
    eventually("and told", async || {
        (told(&stand, "ResidencyViolation", "health-home") == once).then_some(())
    })
    .await;
    eventually("and in its status", async || {
        (status(&stand, "health-home") == ("False".into(), 3)).then_some(())
    })
    .await;
    let of_pods = r#"domicile_violations{policy="health-home",kind="Pod"} 2"#;
    assert!(stand.metrics().contains(of_pods), "{}", stand.metrics());

    stand.admin.kubectl(&["delete", "respol", "health-home"]).ok();
    eventually("that is told to be over", async || {
        (told(&stand, "ResidencyRestored", "health-home") == once).then_some(())
    })
    .await;
    eventually("no report speaks of it", async || (reported(&stand) == alone).then_some(())).await;
    eventually("nor does a metric", async || (!stand.metrics().contains("health-home")).then_some(())).await;
    assert_eq!(status(&stand, "eu-personal"), ("True".into(), 0));
    assert!(told(&stand, "ResidencyViolation", "eu-personal").is_empty());

    // Nothing writes to what is gone, and nothing is told twice.
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_ne!(stand.admin.kubectl(&["get", "respol", "health-home"]).status, 0);
    for reason in ["ResidencyViolation", "ResidencyRestored"] {
        assert_eq!(told(&stand, reason, "health-home"), once, "{reason}");
    }
    let log = stand.serve.output();
    assert!(!log.contains("a status could not be written"), "{log}");

    // One of its name is another one.
    stand.apply(POLICY).ok();
    let twice: BTreeMap<String, u64> = once.keys().map(|one| (one.clone(), 2)).collect();
    eventually("it is told anew", async || {
        (told(&stand, "ResidencyViolation", "health-home") == twice).then_some(())
    })
    .await;
    eventually("and reported anew", async || (reported(&stand) == broken).then_some(())).await;
    stand.admin.kubectl(&["delete", "respol", "health-home"]).ok();
    stand.admin.kubectl(&["delete", "deployment", "clinic", "-n", &stand.namespace]).ok();
    no_more(&stand, OPEN_REPORTS);
}
