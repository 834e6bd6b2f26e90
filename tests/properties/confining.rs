//! Confine: the pod that leaves the mutating webhook is where every policy permits it, whoever asked for that.

use domicile::objects::Object;
use domicile::residency::{Decision, Reach, confine};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::reference::Fault;
use crate::worlds;
use crate::{Ground, Seen, faults, hold};

/// The same cluster, with policies that confine.
fn confining(ground: &Ground) -> Ground {
    let mut policies = ground.cluster.manifests.clone();
    policies.retain(|manifest| manifest["kind"] == "ResidencyPolicy");
    policies.iter_mut().for_each(|policy| policy["spec"]["remedy"] = "Confine".into());
    Ground { state: ground.with(&policies), ..ground.clone() }
}

fn confined(ground: &Ground, manifest: &Value) -> Option<Value> {
    let Object::Pod(pod) = worlds::parse(manifest) else { panic!("{manifest}") };
    let confinement = confine(&pod, &ground.state, ground.now)?;
    let mut confined = manifest.clone();
    confined["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"] =
        json!(confinement.required);
    Some(confined)
}

#[test]
fn a_pod_that_confine_admits_breaks_no_policy_once_it_is_confined() {
    let (admitted, changed) = (Seen::default(), Seen::default());
    let cases = hold(worlds::broad_cluster(), worlds::pinned_pod(), |rejecting, pod| {
        let confining = confining(rejecting);
        let before = confining.judge(&pod);
        if before.decision == Decision::Deny {
            return Ok(());
        }
        admitted.another();
        let confined = confined(&confining, &pod);
        if confined.is_some() {
            changed.another();
        }
        // What comes out of it is judged as any pod is.
        let after = rejecting.judge(confined.as_ref().unwrap_or(&pod));
        let misplaced = faults(&after).into_iter().filter(|(_, fault)| *fault == Fault::Place).count();
        prop_assert_eq!(misplaced, 0, "{:#?}\n{:#?}\n{:#?}", &before, &confined, &after);
        if before.reach == Reach::Proven {
            prop_assert_eq!(after.reach, Reach::Proven, "{:#?}\n{:#?}\n{:#?}", &before, &confined, &after);
        }
        // And to confine it again changes nothing.
        if let Some(confined) = confined {
            let again = self::confined(&confining, &confined);
            prop_assert!(again.as_ref().is_none_or(|again| *again == confined), "{again:#?}\n{confined:#?}");
            prop_assert_ne!(confining.judge(&confined).decision, Decision::Deny, "{:#?}", &confined);
        }
        Ok(())
    });
    admitted.at_least_once_in(10, cases);
    changed.at_least_once_in(100, cases);
}
