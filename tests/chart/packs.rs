//! The policy packs, as the chart installs them.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::helm::{chart, documents, objects, of_kind, root, template};

/// Every pack: its name, and its text.
fn packs() -> BTreeMap<String, String> {
    let entries = fs::read_dir(root().join("examples/policies")).unwrap().map(|entry| entry.unwrap().path());
    let packs = entries.filter(|path| path.is_dir()).map(|path| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        (name, fs::read_to_string(path.join("policy.yaml")).unwrap())
    });
    packs.collect()
}

/// Name to spec.
fn specs(policies: &[&Value]) -> BTreeMap<String, Value> {
    let entry = |policy: &&Value| {
        assert_eq!(policy["apiVersion"], "domicile.dev/v1alpha1");
        (policy["metadata"]["name"].as_str().unwrap().to_owned(), policy["spec"].clone())
    };
    policies.iter().map(entry).collect()
}

#[test]
fn the_chart_has_the_packs_as_they_are() {
    let packs = packs();
    let folder = chart().join("files/packs");
    if std::env::var_os("DOMICILE_WRITE_README").is_some() {
        for (name, text) in &packs {
            fs::write(folder.join(format!("{name}.yaml")), text).unwrap();
        }
    }
    let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let there: BTreeMap<String, String> = files
        .map(|path| {
            (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap())
        })
        .collect();
    assert!(
        there == packs,
        "the chart's packs are not those of examples/policies: DOMICILE_WRITE_README=1 cargo test --test chart, \
         and remove files of packs that are gone"
    );
}

#[test]
fn every_pack_is_installed_by_its_name() {
    let packs = packs();
    let entries: Vec<Value> = packs.keys().map(|name| json!({"pack": name})).collect();
    let rendered = objects(&[format!("policies={}", json!(entries)).as_str()]);
    let written = packs.values().flat_map(|text| documents(text)).collect::<Vec<_>>();
    assert_eq!(specs(&of_kind(&rendered, "ResidencyPolicy")), specs(&written.iter().collect::<Vec<_>>()));
    // And one by one, as an entry of one's own.
    for policy in &written {
        let entry = json!([{"name": policy["metadata"]["name"], "spec": policy["spec"]}]);
        let rendered = objects(&[format!("policies={entry}").as_str()]);
        assert_eq!(specs(&of_kind(&rendered, "ResidencyPolicy")), specs(&[policy]));
    }
}

#[test]
fn what_is_said_beside_a_pack_takes_the_place_of_its_own() {
    let spec = json!({"action": "Audit", "classifications": ["personal-tr"], "namespaceSelector": {"matchLabels": {"a": "b"}}});
    let rendered = objects(&[format!("policies={}", json!([{"pack": "tr-local", "spec": spec}])).as_str()]);
    let policies = of_kind(&rendered, "ResidencyPolicy");
    assert_eq!(policies.len(), 2);
    for policy in policies {
        for (field, value) in spec.as_object().unwrap() {
            assert_eq!(&policy["spec"][field], value);
        }
        assert_eq!(policy["spec"]["allow"][0]["jurisdictions"], json!(["TR"]));
    }
}

#[test]
fn a_pack_that_is_not_there_is_refused_with_those_that_are() {
    let error = template(&[r#"policies=[{"pack":"gdpr"}]"#.to_owned()]).unwrap_err();
    assert!(error.contains("there is no pack gdpr"), "{error}");
    for name in packs().keys() {
        assert!(error.contains(name), "{name}: {error}");
    }
}
