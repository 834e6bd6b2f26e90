//! The examples say what they are meant to say: the table in `examples/README.md` is held against the answer.

#![allow(clippy::unwrap_used, reason = "a failed helper is a failed test")]

use std::collections::BTreeMap;
use std::process::Command;

use serde_json::Value;

/// `Deployment shop/checkout` to its decision, as the table says it.
fn table() -> BTreeMap<String, String> {
    let readme = std::fs::read_to_string("examples/README.md").unwrap();
    let (_, shop) = readme.split_once("## The shop").unwrap();
    let rows = shop.lines().filter_map(|line| line.strip_prefix("| `"));
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
    assert_eq!(decisions(&results), table());
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
