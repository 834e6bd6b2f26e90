//! What is nested deeper than a stack is told of, or followed to its end, and never ends the process.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use domicile::api::{GeographySpec, GroupEntry};
use domicile::cluster::{Settings, State};
use domicile::geography::Geography;
use domicile::residency::{Request, judge};
use serde_json::json;

const DEEP: usize = 20_000;

#[test]
fn s2_clones_of_clones() {
    let claim = |number: usize| {
        let mut claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": format!("c{number}"), "namespace": "shop"}, "spec": {"storageClassName": "k"}});
        match number {
            0 => claim["metadata"]["annotations"] = json!({"domicile.dev/data-classification": "personal"}),
            _ => {
                claim["spec"]["dataSource"] =
                    json!({"kind": "PersistentVolumeClaim", "name": format!("c{}", number - 1)});
            }
        }
        support::parse(claim)
    };
    let mut state = State::new(Settings::default());
    state.apply_all((0..DEEP).map(claim));
    let verdict = judge(&Request::create(&claim(DEEP)), &state, support::now());
    assert_eq!(support::carried(&verdict), ["personal"]);
}

#[test]
fn s4_groups_of_groups() {
    let group = |number: usize| GroupEntry {
        name: format!("G{number}"),
        members: vec![if number == DEEP { "DE".to_owned() } else { format!("G{}", number + 1) }],
        source: None,
    };
    let spec = GeographySpec { groups: (0..=DEEP).map(group).collect(), ..GeographySpec::default() };
    let (geography, problems) = Geography::with_objects([("deep", &spec)]);
    assert_eq!(problems, []);
    assert_eq!(geography.resolve("G0").unwrap().len(), 1);
}

#[test]
fn s4_globs_in_globs() {
    let glob = format!("{}a{}", "{".repeat(DEEP), "}".repeat(DEEP));
    let policy = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": "deep"},
        "spec": {"classifications": ["personal"], "allow": [{"regions": [glob]}]}});
    let mut state = State::new(Settings::default());
    state.apply(support::parse(policy));
    let problems = state.problems();
    assert!(matches!(&problems[..], [problem] if problem.refused), "{problems:?}");
}
