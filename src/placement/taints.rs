//! Which taints keep a pod off a node (semantics 5).

use crate::objects::{Taint, TaintEffect, Toleration, TolerationOperator};

/// Taints that Kubernetes and its autoscalers set and lift by themselves: they pass, so they constrain nothing.
const PASSING_PREFIXES: [&str; 2] = ["node.kubernetes.io/", "node.cloudprovider.kubernetes.io/"];
const PASSING_KEYS: [&str; 4] = [
    "ToBeDeletedByClusterAutoscaler",
    "DeletionCandidateOfClusterAutoscaler",
    "karpenter.sh/disrupted",
    "karpenter.sh/unregistered",
];

/// Whether the taint constrains: it bars pods, and stays.
#[must_use]
pub fn constrains(taint: &Taint) -> bool {
    taint.effect != TaintEffect::PreferNoSchedule
        && !PASSING_PREFIXES.iter().any(|prefix| taint.key.starts_with(prefix))
        && !PASSING_KEYS.contains(&taint.key.as_str())
}

/// Whether one of the tolerations bears the taint, as the scheduler decides it.
#[must_use]
pub fn tolerated(taint: &Taint, tolerations: &[Toleration]) -> bool {
    tolerations.iter().any(|toleration| bears(toleration, taint))
}

fn bears(toleration: &Toleration, taint: &Taint) -> bool {
    let effect = match taint.effect {
        TaintEffect::NoSchedule => "NoSchedule",
        TaintEffect::PreferNoSchedule => "PreferNoSchedule",
        TaintEffect::NoExecute => "NoExecute",
    };
    if !toleration.effect.is_empty() && toleration.effect != effect {
        return false;
    }
    if !toleration.key.is_empty() && toleration.key != taint.key {
        return false;
    }
    let compared = |holds: fn(i64, i64) -> bool| match (taint.value.parse(), toleration.value.parse()) {
        (Ok(taint), Ok(toleration)) => holds(taint, toleration),
        _ => false,
    };
    match toleration.operator {
        TolerationOperator::Exists => true,
        TolerationOperator::Equal => !toleration.key.is_empty() && toleration.value == taint.value,
        TolerationOperator::Lt => !toleration.key.is_empty() && compared(|taint, limit| taint < limit),
        TolerationOperator::Gt => !toleration.key.is_empty() && compared(|taint, limit| taint > limit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taint(key: &str, value: &str, effect: TaintEffect) -> Taint {
        Taint { key: key.into(), value: value.into(), effect }
    }

    fn toleration(json: &str) -> Toleration {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn s5_taints_that_kubernetes_sets_itself_constrain_nothing() {
        for key in ["node.kubernetes.io/not-ready", "node.cloudprovider.kubernetes.io/uninitialized"] {
            assert!(!constrains(&taint(key, "", TaintEffect::NoSchedule)), "{key}");
        }
        assert!(!constrains(&taint("ToBeDeletedByClusterAutoscaler", "1", TaintEffect::NoSchedule)));
        assert!(!constrains(&taint("team", "a", TaintEffect::PreferNoSchedule)));
        assert!(constrains(&taint("node-role.kubernetes.io/control-plane", "", TaintEffect::NoSchedule)));
        assert!(constrains(&taint("team", "a", TaintEffect::NoExecute)));
    }

    #[test]
    fn s5_tolerations_match_as_the_scheduler_matches() {
        let gold = taint("tier", "gold", TaintEffect::NoSchedule);
        for (json, bears) in [
            (r#"{"operator":"Exists"}"#, true),
            (r#"{"key":"tier","operator":"Exists"}"#, true),
            (r#"{"key":"tier","operator":"Exists","effect":"NoExecute"}"#, false),
            (r#"{"key":"tier","value":"gold"}"#, true),
            (r#"{"key":"tier","operator":"Equal","value":"gold","effect":"NoSchedule"}"#, true),
            (r#"{"key":"tier","value":"silver"}"#, false),
            (r#"{"key":"other","operator":"Exists"}"#, false),
            (r#"{"key":"tier","operator":"Gt","value":"3"}"#, false),
        ] {
            assert_eq!(tolerated(&gold, &[toleration(json)]), bears, "{json}");
        }
        let level = taint("level", "5", TaintEffect::NoSchedule);
        for (json, bears) in [
            (r#"{"key":"level","operator":"Gt","value":"4"}"#, true),
            (r#"{"key":"level","operator":"Gt","value":"5"}"#, false),
            (r#"{"key":"level","operator":"Gt","value":"6"}"#, false),
            (r#"{"key":"level","operator":"Lt","value":"6"}"#, true),
            (r#"{"key":"level","operator":"Lt","value":"5"}"#, false),
            (r#"{"key":"level","operator":"Lt","value":"4"}"#, false),
            // Only Exists may name no key.
            (r#"{"operator":"Gt","value":"4"}"#, false),
            (r#"{"operator":"Lt","value":"6"}"#, false),
        ] {
            assert_eq!(tolerated(&level, &[toleration(json)]), bears, "{json}");
        }
        assert!(!tolerated(&gold, &[]));
    }
}
