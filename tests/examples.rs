//! The examples say what they are meant to say: the table in `examples/README.md` is held against the answer.

#![allow(clippy::unwrap_used, reason = "a failed helper is a failed test")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

#[allow(dead_code, reason = "as a program it has a main of its own")]
#[path = "../examples/webhook.rs"]
mod webhook;

use webhook::{ASKED, CLUSTER, Served, demonstrate};

/// What stands in the first column of a table to what stands in the second.
fn table(heading: &str) -> BTreeMap<String, String> {
    let readme = std::fs::read_to_string("examples/README.md").unwrap();
    let (_, section) = readme.split_once(heading).unwrap();
    let (section, _) = section.split_once("\n## ").unwrap_or((section, ""));
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let (object, rest) = row.split_once("` | ").unwrap();
        let (decision, _) = rest.split_once(" |").unwrap();
        (object.to_owned(), decision.to_owned())
    })
    .filter(|(_, decision)| decision != "-")
    .collect()
}

/// What `check` answers about the shop at a moment.
fn results(at: &str) -> Vec<Value> {
    let args = ["check", "-f", "examples/shop", "--cluster", "examples/cluster", "-o", "json", "--at", at];
    let output = Command::new(env!("CARGO_BIN_EXE_domicile")).args(args).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    answer["results"].as_array().unwrap().clone()
}

fn name(result: &Value) -> String {
    let text = |field: &str| result["object"][field].as_str().unwrap_or_default().to_owned();
    match text("namespace").as_str() {
        "" => format!("{} {}", text("kind"), text("name")),
        namespace => format!("{} {namespace}/{}", text("kind"), text("name")),
    }
}

/// Object to decision, as `check` says it.
fn decisions(results: &[Value]) -> BTreeMap<String, String> {
    let decision = |result: &Value| result["decision"].as_str().unwrap().to_owned();
    results
        .iter()
        .filter(|result| result["object"]["kind"] != "Namespace")
        .map(|result| (name(result), decision(result)))
        .collect()
}

#[test]
fn the_shop_is_judged_as_its_readme_says() {
    let results = results("2026-11-24T00:00:00Z");
    assert_eq!(decisions(&results), table("## The shop"));
    for result in &results {
        let proven = std::fs::read_to_string("examples/README.md")
            .unwrap()
            .lines()
            .any(|line| line.contains(&format!("`{}`", name(result))) && line.contains("Proven"));
        if proven {
            assert_eq!(result["reach"], "Proven", "{}", name(result));
        }
    }
}

#[test]
fn brazil_was_not_adequate_before_its_decision() {
    let before = decisions(&results("2026-01-01T00:00:00Z"));
    assert_eq!(before["Deployment shop/pix-gateway"], "Deny");
}

#[test]
fn the_reviews_are_answered_as_their_readme_says() {
    let said = ASKED.map(|(file, _, answer)| (file.to_owned(), answer.as_str().to_owned()));
    assert_eq!(BTreeMap::from(said), table("## The reviews"));
    let files = std::fs::read_dir("examples/reviews").unwrap();
    assert_eq!(files.count(), ASKED.len(), "one that nobody asks");

    let mut served = Served::start(Path::new(env!("CARGO_BIN_EXE_domicile")), &CLUSTER).unwrap();
    let mut shown = Vec::new();
    demonstrate(&served, &mut shown).unwrap();
    served.stop().unwrap();
    insta::assert_snapshot!(String::from_utf8(shown).unwrap());
}

#[test]
fn the_demonstration_fails_if_an_answer_is_another() {
    let without_policies = ["examples/cluster/nodes.yaml", "examples/shop/namespaces.yaml"];
    let served = Served::start(Path::new(env!("CARGO_BIN_EXE_domicile")), &without_policies).unwrap();
    let error = demonstrate(&served, &mut Vec::new()).unwrap_err().to_string();
    assert!(error.starts_with("deployment-checkout.json: allowed"), "{error}");
    // And it says why if there is no server to ask.
    let error = Served::start(Path::new(env!("CARGO_BIN_EXE_domicile")), &["no-such-folder"]).err().unwrap();
    assert!(format!("{error:#}").contains("no-such-folder"), "{error:#}");
}

/// What `simulate` answers: objects, as the README writes them, by direction.
fn simulated(arguments: &[&str], status: i32) -> [Vec<String>; 2] {
    let files = ["--cluster", "examples/cluster", "examples/us-adequacy/today.yaml", "-o", "json"];
    let output = Command::new(env!("CARGO_BIN_EXE_domicile"))
        .arg("simulate")
        .args(arguments)
        .args(files)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(status), "{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    ["broken", "allowed"]
        .map(|direction| answer[direction]["changes"].as_array().unwrap().iter().map(name).collect())
}

/// The objects that the README says the fall would break.
fn table_of_the_fall() -> Vec<String> {
    table("## The day the adequacy decision falls").into_keys().collect()
}

#[test]
fn the_day_the_adequacy_decision_falls() {
    let falls = ["-f", "examples/us-adequacy/falls.yaml", "--from", "2026-11-24"];
    let [broken, allowed] = simulated(&falls, 1);
    assert_eq!(broken, table_of_the_fall());
    assert_eq!(allowed, Vec::<String>::new());
    // Nothing was amiss before, and nothing else is concerned.
    let before = ["--from", "2026-11-24", "--at", "2026-11-25"];
    let [broken, allowed] = simulated(&before, 0);
    assert_eq!((broken, allowed), (Vec::new(), Vec::new()));
}

#[test]
fn a_grant_that_ends_breaks_the_same_without_a_change() {
    let [broken, _] = simulated(&["--from", "2027-01-01", "--at", "2027-07-10"], 1);
    assert_eq!(broken, table_of_the_fall());
}
