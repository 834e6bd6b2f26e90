//! The policy packs: each is valid, admits what it must admit, and refuses what it must refuse.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed helper is a failed test")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const FOLDER: &str = "examples/policies";
/// What `check` is asked about where a file is not about a time of its own.
const NOW: &str = "2026-11-25T00:00:00Z";
/// What the head of every pack says, in this order.
const SAID: [&str; 6] =
    ["# Law: ", "# Article: ", "# Date: ", "# Confidence: ", "# Covers: ", "# Leaves to you: "];

fn packs() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path());
    let mut packs: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    packs.sort();
    assert!(packs.len() > 20, "the packs are not where they are looked for");
    packs
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

fn documents(path: &Path) -> Vec<Value> {
    serde_saphyr::from_multiple(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn policy_names(pack: &Path) -> Vec<String> {
    let policies = documents(&pack.join("policy.yaml"));
    policies.iter().map(|policy| policy["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

/// What `check` says of the objects of a file, by kind and name: the decision, and the policies that they break.
fn check(pack: &Path, file: &Path, at: &str) -> BTreeMap<String, (String, Vec<String>)> {
    let output = Command::new(env!("CARGO_BIN_EXE_domicile"))
        .arg("check")
        .arg("--filename")
        .arg(file)
        .arg("--cluster")
        .arg(format!("{FOLDER}/cluster.yaml"))
        .arg(pack.join("policy.yaml"))
        .args(["--at", at, "--output", "json"])
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    // Notes say which kinds are not among the files. Anything else is something wrong with the pack.
    let wrong: Vec<&str> = told.lines().filter(|line| !line.starts_with("note: ")).collect();
    assert!(wrong.is_empty() && output.status.code() != Some(2), "{}: {wrong:#?}", file.display());
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let results = answer["results"].as_array().unwrap().iter();
    results
        .map(|result| {
            let findings = result["findings"].as_array().unwrap().iter();
            let policies =
                findings.map(|one| one["policy"].as_str().unwrap_or_default().to_owned()).collect();
            let decision = result["decision"].as_str().unwrap().to_owned();
            (object_name(&result["object"]["kind"], &result["object"]["name"]), (decision, policies))
        })
        .collect()
}

fn object_name(kind: &Value, name: &Value) -> String {
    format!("{} {}", kind.as_str().unwrap(), name.as_str().unwrap())
}

/// The moment that a file is about.
fn at(file: &Path) -> String {
    let stem = file.file_stem().unwrap().to_str().unwrap();
    stem.split_once("-at-").map_or_else(|| NOW.to_owned(), |(_, date)| format!("{date}T00:00:00Z"))
}

/// Judges one file, and tells what is not as it should be.
fn wrong(pack: &Path, file: &Path) -> Vec<String> {
    let passes = name(file).starts_with("pass");
    let answers = check(pack, file, &at(file));
    let objects = documents(file);
    assert_eq!(answers.len(), objects.len(), "{}: each object has a name of its own", file.display());
    let ours = policy_names(pack);
    let mut wrong = Vec::new();
    for object in &objects {
        let key = object_name(&object["kind"], &object["metadata"]["name"]);
        let expected = object["metadata"]["annotations"]["example.com/denied-by"].as_str();
        let (decision, policies) = &answers[&key];
        let right = match expected {
            None => passes && decision == "Allow" && policies.is_empty(),
            Some(policy) => {
                !passes && decision == "Deny" && policies == &[policy] && ours.iter().any(|one| one == policy)
            }
        };
        if !right {
            wrong.push(format!(
                "{}: {key}: {decision} by {policies:?}, expected {}",
                file.display(),
                expected.map_or_else(|| "Allow".to_owned(), |policy| format!("Deny by {policy}"))
            ));
        }
    }
    wrong
}

#[test]
fn every_pack_admits_and_refuses_what_it_must() {
    let (mut found, mut judged) = (Vec::new(), BTreeMap::new());
    for pack in packs() {
        let entries = std::fs::read_dir(&pack).unwrap().map(|entry| entry.unwrap().path());
        for file in entries.filter(|path| name(path) != "policy.yaml") {
            let kind = name(&file).split(['-', '.']).next().unwrap().to_owned();
            assert!(["pass", "fail"].contains(&kind.as_str()), "{} is no test", file.display());
            found.extend(wrong(&pack, &file));
            judged.entry(name(&pack).to_owned()).or_insert_with(Vec::new).push(kind);
        }
        for kind in ["pass", "fail"] {
            assert!(judged[name(&pack)].iter().any(|one| one == kind), "{} has no {kind}", pack.display());
        }
        // Every policy of the pack refuses something.
        let failing = documents(&pack.join("fail.yaml"));
        for policy in policy_names(&pack) {
            let refuses =
                |object: &Value| object["metadata"]["annotations"]["example.com/denied-by"] == *policy;
            assert!(failing.iter().any(refuses), "nothing shows what {policy} refuses");
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_pack_says_what_it_is() {
    let mut names = Vec::new();
    for pack in packs() {
        let text = std::fs::read_to_string(pack.join("policy.yaml")).unwrap();
        let mut rest = text.as_str();
        for said in SAID {
            let (_, after) = rest.split_once(said).unwrap_or_else(|| panic!("{}: {said}", pack.display()));
            rest = after;
        }
        assert!(text.contains("# Not legal advice"), "{}", pack.display());
        for policy in documents(&pack.join("policy.yaml")) {
            assert_eq!(policy["kind"], "ResidencyPolicy");
            let spec = &policy["spec"];
            assert!(!spec["legalBasis"][0]["title"].is_null(), "{}", policy["metadata"]["name"]);
            let places = ["allow", "deny"].into_iter().filter_map(|list| spec[list].as_array()).flatten();
            for place in places {
                assert!(place["basis"].is_string(), "{}: {place}", policy["metadata"]["name"]);
            }
        }
        names.extend(policy_names(&pack));
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "two packs have a policy of the same name");
}

#[test]
fn the_table_lists_every_pack() {
    let readme = std::fs::read_to_string(format!("{FOLDER}/README.md")).unwrap();
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| [`"));
    let listed: BTreeMap<&str, &str> = rows.map(|row| row.split_once('`').unwrap()).collect();
    let packs = packs();
    assert_eq!(
        listed.keys().copied().collect::<Vec<_>>(),
        packs.iter().map(|pack| name(pack)).collect::<Vec<_>>()
    );
    for pack in &packs {
        let row = listed[name(pack)];
        for policy in documents(&pack.join("policy.yaml")) {
            let spec = &policy["spec"];
            let tokens =
                spec["classifications"].as_array().unwrap().iter().chain([&policy["metadata"]["name"]]);
            for token in tokens {
                let token = token.as_str().unwrap();
                assert!(row.contains(&format!("`{token}`")), "{}: {token} is not in its row", pack.display());
            }
        }
    }
}

/// A pack that a change of the catalog or of a group made permit everything would still look well.
#[test]
fn a_node_that_nobody_can_place_is_refused_by_every_pack() {
    for pack in packs() {
        for policy in documents(&pack.join("policy.yaml")) {
            let token = policy["spec"]["classifications"][0].as_str().unwrap();
            let object = format!(
                "apiVersion: v1\nkind: Pod\nmetadata:\n  name: nowhere\n  annotations: {{domicile.dev/data-classification: {token}}}\n\
                 spec:\n  nodeName: nowhere\n  containers: [{{name: a, image: a}}]\n  volumes: [{{name: a, emptyDir: {{}}}}]\n"
            );
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("nowhere.yaml");
            std::fs::write(&file, object).unwrap();
            let answers = check(&pack, &file, NOW);
            let (decision, policies) = &answers["Pod nowhere"];
            assert_eq!((decision.as_str(), policies.len()), ("Deny", 1), "{}", pack.display());
        }
    }
}
