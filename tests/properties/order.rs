//! What only narrows never permits more, and what only loosens never less.

use domicile::residency::Reach;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::reference::Fault;
use crate::worlds::{self, CLASSIFICATION, TOKENS};
use crate::{Seen, hold, no_better, worst};

/// The pod with one requirement more in every term of its affinity.
fn require(pod: &Value, requirement: Value) -> Value {
    let mut pod = pod.clone();
    let required =
        &mut pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    match required["nodeSelectorTerms"].as_array_mut() {
        Some(terms) => {
            // One that asks for nothing matches nothing, and goes on doing so.
            for term in terms.iter_mut().filter(|term| term.as_object().is_some_and(|term| !term.is_empty()))
            {
                match term["matchExpressions"].as_array_mut() {
                    Some(all) => all.push(requirement.clone()),
                    None => term["matchExpressions"] = json!([requirement]),
                }
            }
        }
        None => *required = json!({"nodeSelectorTerms": [{"matchExpressions": [requirement]}]}),
    }
    pod
}

#[test]
fn a_requirement_more_in_every_term_never_widens_the_reach() {
    let proven = Seen::default();
    let cases = hold(
        worlds::broad_cluster(),
        (worlds::pinned_pod(), worlds::constraint()),
        |ground, (pod, requirement)| {
            let before = ground.judge(&pod);
            let after = ground.judge(&require(&pod, requirement));
            let misplaced = |verdict| {
                let worst = worst(verdict).into_iter();
                worst
                    .filter(|(_, fault)| *fault == Fault::Place)
                    .map(|(policy, _)| policy)
                    .collect::<Vec<_>>()
            };
            let (were, are) = (misplaced(&before), misplaced(&after));
            prop_assert!(are.iter().all(|policy| were.contains(policy)), "{before:#?}\n{after:#?}");
            for finding in after.findings.iter().filter_map(|after| Some((after, after.matching?))) {
                let (after, now) = finding;
                let same = |one: &&domicile::residency::Finding| {
                    one.policy == after.policy && one.field == after.field
                };
                let then = before.findings.iter().find(same).and_then(|before| before.matching);
                prop_assert!(
                    then.is_some_and(|then| now.outside <= then.outside && now.total <= then.total),
                    "{before:#?}\n{after:#?}"
                );
            }
            if before.reach == Reach::Proven {
                proven.another();
                prop_assert!(after.reach <= Reach::Observed, "{before:#?}\n{after:#?}");
            }
            Ok(())
        },
    );
    proven.at_least_once_in(40, cases);
}

#[test]
fn a_classification_more_never_permits_what_was_denied() {
    let object = prop_oneof![
        2 => worlds::pod("new".to_owned(), 0.8).boxed(),
        1 => worlds::claim(4).boxed(),
        1 => worlds::persistent_volume(0).boxed(),
    ];
    hold(worlds::cluster(), (object, select(TOKENS.to_vec())), |ground, (object, token)| {
        let before = ground.judge(&object);
        let mut more = object.clone();
        let annotation = &mut more["metadata"]["annotations"][CLASSIFICATION];
        *annotation = format!("{}, {token}", annotation.as_str().unwrap_or_default()).into();
        let after = ground.judge(&more);
        prop_assert!(no_better(&before, &after), "{before:#?}\n{after:#?}");
        Ok(())
    });
}

#[test]
fn a_policy_more_never_permits_what_was_denied() {
    let object = prop_oneof![
        2 => worlds::pod("new".to_owned(), 0.9).boxed(),
        1 => worlds::workload().boxed(),
        1 => worlds::claim(4).boxed(),
    ];
    hold(worlds::cluster(), (object, worlds::policy(9)), |ground, (object, policy)| {
        let before = ground.judge(&object);
        let after = ground.judge_in(&ground.with([&policy]), &object);
        prop_assert!(no_better(&before, &after), "{before:#?}\n{after:#?}");
        Ok(())
    });
}

#[test]
fn an_exception_more_never_denies_what_was_permitted() {
    let object = prop_oneof![worlds::pod("new".to_owned(), 0.9).boxed(), worlds::claim(4).boxed()];
    hold(worlds::cluster(), (object, worlds::exception(9)), |ground, (object, exception)| {
        let before = ground.judge(&object);
        let after = ground.judge_in(&ground.with([&exception]), &object);
        prop_assert!(no_better(&after, &before), "{before:#?}\n{after:#?}");
        Ok(())
    });
}

// Of taints that bar. One that bears what its cloud has not initialised yet also learns from those nodes which providers
// there are.
#[test]
fn a_toleration_more_never_permits_what_was_denied() {
    hold(worlds::cluster(), worlds::pod("new".to_owned(), 0.9), |ground, pod| {
        let before = ground.judge(&pod);
        let mut bearing = pod.clone();
        let tolerations = bearing["spec"]["tolerations"].as_array_mut().unwrap();
        tolerations.push(json!({"key": "colour", "operator": "Exists"}));
        let after = ground.judge(&bearing);
        prop_assert!(no_better(&before, &after), "{before:#?}\n{after:#?}");
        Ok(())
    });
}
