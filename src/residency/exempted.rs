//! What keeps a policy only because an exception says so.

use jiff::Timestamp;

use super::audit::judge_stored;
use super::verdict::{Finding, Verdict};
use crate::cluster::{Key, State};

/// Whether an exception may be why an object of the state got this verdict. `false` is sure.
#[must_use]
pub fn may_be_exempted(state: &State, object: &Key, verdict: &Verdict, now: Timestamp) -> bool {
    let policies = &verdict.policies;
    let names_one = |exception: &crate::policy::Exception| {
        now < exception.until
            && exception.policies.iter().any(|name| policies.iter().any(|one| **one == **name))
    };
    if object.namespace.is_empty() {
        // A volume takes the namespace of its claim.
        state.policies().exceptions().any(|(_, exception)| names_one(exception))
    } else {
        state.policies().exceptions_in(&object.namespace).any(names_one)
    }
}

/// What would be found of an object if nobody had granted it an exception, by policies that it does not break.
///
/// `strict` is the state [without exceptions](State::without_exceptions), `verdict` what the state with them says.
#[must_use]
pub fn exempted(strict: &State, object: &Key, verdict: &Verdict, now: Timestamp) -> Vec<Finding> {
    let Some(without) = judge_stored(strict, object.kind, &object.namespace, &object.name, now) else {
        return Vec::new();
    };
    let breaks = |policy: &Option<String>| verdict.findings.iter().any(|found| found.policy == *policy);
    without.findings.into_iter().filter(|one| one.policy.is_some() && !breaks(&one.policy)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::objects::Object;

    fn state() -> State {
        let mut state = State::default();
        let node = |name: &str, region: &str| {
            json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": {
                "topology.kubernetes.io/region": region}}, "spec": {"providerID": format!("aws:///{region}a/i-1")}})
        };
        let pod = |name: &str, node: &str| {
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop",
                "labels": {"app": name}, "annotations": {"domicile.dev/data-classification": "personal"}},
                "spec": {"nodeName": node, "containers": []}})
        };
        let policy = |name: &str, country: &str| {
            json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyPolicy", "metadata": {"name": name},
                "spec": {"classifications": ["personal"], "allow": [{"jurisdictions": [country]}]}})
        };
        let exception = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "ResidencyException",
            "metadata": {"name": "drill", "namespace": "shop"}, "spec": {"policies": ["eea"], "reason": "a drill",
                "objectSelector": {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["strict"]}]},
                "allow": [{"jurisdictions": ["US"]}], "until": "2027-01-01T00:00:00Z"}});
        let all: Vec<Value> = vec![
            node("de", "eu-central-1"),
            node("us", "us-east-1"),
            pod("home", "de"),
            pod("away", "us"),
            pod("strict", "us"),
            policy("eea", "EEA"),
            policy("germany", "DE"),
            exception,
        ];
        state.apply_all(all.into_iter().map(|one| Object::from_value(one).unwrap().unwrap()));
        state
    }

    /// Policies that the pod breaks, and those that it keeps by an exception.
    fn of(state: &State, pod: &str, at: &str) -> (Vec<String>, Vec<String>) {
        let now = at.parse().unwrap();
        let key = Key { kind: crate::cluster::Kind::Pod, namespace: "shop".into(), name: pod.into() };
        let verdict = judge_stored(state, key.kind, "shop", pod, now).unwrap();
        let spared = if may_be_exempted(state, &key, &verdict, now) {
            exempted(&state.without_exceptions(), &key, &verdict, now)
        } else {
            Vec::new()
        };
        let names = |found: Vec<Finding>| found.into_iter().filter_map(|one| one.policy).collect::<Vec<_>>();
        (names(verdict.findings), names(spared))
    }

    #[test]
    fn what_an_exception_permits_is_exempted_and_nothing_else() {
        let state = state();
        let during = |pod| of(&state, pod, "2026-06-01T00:00:00Z");
        let some = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(during("home"), (vec![], vec![]));
        assert_eq!(during("away"), (some(&["germany"]), some(&["eea"])));
        assert_eq!(during("strict"), (some(&["eea", "germany"]), vec![]));
        assert_eq!(of(&state, "away", "2027-06-01T00:00:00Z"), (some(&["eea", "germany"]), vec![]));
    }
}
