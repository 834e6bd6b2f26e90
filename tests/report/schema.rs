//! The facts have a schema, which is that of the types.

use std::fs;

use serde_json::{Value, json};

use crate::coverage::{JUDGE, webhook, with_webhooks};
use crate::{EXAMPLE, called};

/// With this in the environment, the schema is written anew.
const WRITE: &str = "DOMICILE_WRITE_SCHEMA";

fn schema() -> Value {
    serde_json::to_value(domicile::cli::output::facts::schema()).unwrap()
}

fn errors(schema: &Value, facts: &Value) -> Vec<String> {
    let validator = jsonschema::validator_for(schema).unwrap();
    validator.iter_errors(facts).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_schema_of_the_facts_is_that_of_the_types() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schema/report.schema.json");
    let text = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    if std::env::var_os(WRITE).is_some() {
        fs::write(file, &text).unwrap();
    }
    assert!(
        fs::read_to_string(file).is_ok_and(|written| written == text),
        "docs/schema/report.schema.json lags behind the types: {WRITE}=1 cargo test --test report"
    );
}

#[test]
fn the_facts_match_their_schema() {
    let schema = schema();
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.yaml");
    fs::write(&broken, "kind: [").unwrap();
    let broken = broken.to_str().unwrap();
    let of = |arguments: &[&str]| {
        let (_, out, err) = called(&[arguments, &["-o", "json"]].concat());
        serde_json::from_str::<Value>(&out).unwrap_or_else(|_| panic!("{err}"))
    };
    let (example, incomplete) = (of(&EXAMPLE), of(&["--cluster", "examples/cluster", broken]));
    assert_eq!((&example["complete"], &incomplete["complete"]), (&json!(true), &json!(false)));
    for facts in [&example, &incomplete, &of(&["--cluster", "examples/policies"])] {
        assert_eq!(errors(&schema, facts), Vec::<String>::new());
    }
    // What the API server is asked, too.
    let judging: Vec<Value> = JUDGE.map(webhook).to_vec();
    let coverage = serde_json::to_value(with_webhooks(&judging).coverage).unwrap();
    let mut live = example.clone();
    live["coverage"] = coverage;
    assert_eq!(errors(&schema, &live), Vec::<String>::new());
    // A schema that lets everything pass would prove nothing.
    for (at, wrong) in [
        ("/source", Value::Null),
        ("/summary/denied", json!(-1)),
        ("/policies/0/action", json!("Refuse")),
        ("/policies/0/objects/leftOut", Value::Null),
        ("/coverage/enforced", json!("yes")),
        ("/coverage/webhooks/0", json!({})),
        ("/nodes", json!({"total": 1})),
        ("/at", json!(7)),
        ("/complete", json!("no")),
    ] {
        let mut facts = live.clone();
        *facts.pointer_mut(at).unwrap() = wrong;
        assert!(!errors(&schema, &facts).is_empty(), "{at}");
    }
    let mut facts = live.clone();
    facts["more"] = json!(1);
    assert!(!errors(&schema, &facts).is_empty(), "what is not described");
}
