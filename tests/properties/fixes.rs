//! Every fix that is shown is accepted.

use domicile::residency::Decision;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::worlds;
use crate::{Ground, Seen, hold};

/// The manifest with the value at the path, which `null` removes.
fn apply(manifest: &Value, path: &str, value: &Value) -> Value {
    let mut fixed = manifest.clone();
    let mut at = &mut fixed;
    let (parents, field) = path.rsplit_once('.').unwrap();
    for parent in parents.split('.') {
        if at[parent].is_null() {
            at[parent] = json!({});
        }
        at = &mut at[parent];
    }
    match value {
        Value::Null => {
            at.as_object_mut().unwrap().remove(field);
        }
        value => at[field] = value.clone(),
    }
    fixed
}

fn is_accepted(ground: &Ground, manifest: &Value, shown: &Seen) -> Result<(), TestCaseError> {
    let before = ground.judge(manifest);
    let Some(fix) = &before.fix else { return Ok(()) };
    shown.another();
    prop_assert_eq!(before.decision, Decision::Deny, "a fix for what is not denied: {:#?}", &before);
    let fixed = apply(manifest, &fix.path, &fix.value);
    let after = ground.judge(&fixed);
    prop_assert_ne!(after.decision, Decision::Deny, "{:#?}\n{}\n{:#?}", &before, fixed, &after);
    Ok(())
}

#[test]
fn every_fix_of_a_pod_is_accepted() {
    let shown = Seen::default();
    let cases = hold(worlds::cluster(), worlds::pod("new".to_owned(), 0.9), |ground, pod| {
        is_accepted(ground, &pod, &shown)
    });
    shown.at_least_once_in(40, cases);
}

#[test]
fn every_fix_of_a_workload_is_accepted() {
    let shown = Seen::default();
    let cases = hold(worlds::cluster(), worlds::workload(), |ground, workload| {
        is_accepted(ground, &workload, &shown)
    });
    shown.at_least_once_in(40, cases);
}

#[test]
fn every_fix_of_a_claim_is_accepted() {
    let shown = Seen::default();
    let cases = hold(worlds::cluster_with_storage(), worlds::claim(4), |ground, claim| {
        is_accepted(ground, &claim, &shown)
    });
    shown.at_least_once_in(200, cases);
}
