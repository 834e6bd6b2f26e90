//! Whether a node matches, literally: one node, one requirement at a time.

use std::collections::BTreeMap;

use domicile::api::keys;
use domicile::objects::{
    Node, NodeSelectorTerm, Operator, PodSpec, Taint, TaintEffect, Toleration, TolerationOperator,
    TopologyTerm,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

pub(crate) type Labels = BTreeMap<String, String>;

/// A requirement on one label of a node, or on its name.
#[derive(Clone, Debug)]
pub(crate) struct Demand {
    /// The label; `None` is the name.
    pub(crate) label: Option<String>,
    pub(crate) operator: Operator,
    pub(crate) values: Vec<String>,
}

impl Demand {
    pub(crate) fn one_of(label: &str, values: &[String]) -> Self {
        Self { label: Some(label.to_owned()), operator: Operator::In, values: values.to_vec() }
    }

    /// Whether this value of the label (or name) will do; `None`: the node has no such label.
    pub(crate) fn accepts(&self, value: Option<&str>) -> bool {
        let listed = value.is_some_and(|value| self.values.iter().any(|one| one == value));
        let numbers = || {
            let mine: i64 = value?.parse().ok()?;
            let [limit] = &self.values[..] else { return None };
            Some((mine, limit.parse::<i64>().ok()?))
        };
        match self.operator {
            Operator::In => listed,
            Operator::NotIn => !listed,
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::Gt => numbers().is_some_and(|(mine, limit)| mine > limit),
            Operator::Lt => numbers().is_some_and(|(mine, limit)| mine < limit),
        }
    }

    pub(crate) fn matches(&self, node: &Node) -> bool {
        match &self.label {
            Some(label) => self.accepts(node.metadata.labels.get(label).map(String::as_str)),
            None => self.accepts(Some(&node.metadata.name)),
        }
    }
}

pub(crate) fn term_demands(term: &NodeSelectorTerm) -> Vec<Demand> {
    let labels = term.match_expressions.iter().map(|one| Demand {
        label: Some(one.key.clone()),
        operator: one.operator,
        values: one.values.clone(),
    });
    let fields = term.match_fields.iter().map(|one| Demand {
        label: None,
        operator: one.operator,
        values: one.values.clone(),
    });
    labels.chain(fields).collect()
}

pub(crate) fn topology_demands(term: &TopologyTerm) -> Vec<Demand> {
    term.match_label_expressions.iter().map(|one| Demand::one_of(&one.key, &one.values)).collect()
}

/// A term without requirements matches nothing.
pub(crate) fn term_matches(demands: &[Demand], node: &Node) -> bool {
    !demands.is_empty() && demands.iter().all(|demand| demand.matches(node))
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let effect = match taint.effect {
        TaintEffect::NoSchedule => "NoSchedule",
        TaintEffect::PreferNoSchedule => "PreferNoSchedule",
        TaintEffect::NoExecute => "NoExecute",
    };
    if !toleration.effect.is_empty() && toleration.effect != effect {
        return false;
    }
    match toleration.operator {
        TolerationOperator::Exists => toleration.key.is_empty() || toleration.key == taint.key,
        TolerationOperator::Equal => toleration.key == taint.key && toleration.value == taint.value,
        TolerationOperator::Gt | TolerationOperator::Lt => false,
    }
}

/// Taints that Kubernetes itself sets and lifts: no constraint.
fn comes_and_goes(key: &str) -> bool {
    key.starts_with("node.kubernetes.io/")
        || key.starts_with("node.cloudprovider.kubernetes.io/")
        || key == "ToBeDeletedByClusterAutoscaler"
        || key == "DeletionCandidateOfClusterAutoscaler"
}

pub(crate) fn bears_taints(pod: &PodSpec, node: &Node) -> bool {
    node.spec.taints.iter().all(|taint| {
        taint.effect == TaintEffect::PreferNoSchedule
            || comes_and_goes(&taint.key)
            || pod.tolerations.iter().any(|toleration| tolerates(toleration, taint))
    })
}

pub(crate) fn is_uninitialized(node: &Node) -> bool {
    node.spec.taints.iter().any(|taint| taint.key == keys::UNINITIALIZED_TAINT)
}

pub(crate) fn bears_uninitialized(pod: &PodSpec, node: &Node) -> bool {
    node.spec
        .taints
        .iter()
        .filter(|taint| taint.key == keys::UNINITIALIZED_TAINT)
        .all(|taint| pod.tolerations.iter().any(|toleration| tolerates(toleration, taint)))
}

/// `metav1.LabelSelector` on labels of which all are known; absent selects all.
pub(crate) fn selects(selector: Option<&LabelSelector>, labels: &Labels) -> bool {
    let Some(selector) = selector else { return true };
    selector_demands(selector).iter().all(|demand| {
        let label = demand.label.as_deref().unwrap_or_default();
        demand.accepts(labels.get(label).map(String::as_str))
    })
}

pub(crate) fn selector_demands(selector: &LabelSelector) -> Vec<Demand> {
    let exact = selector.match_labels.iter().flatten();
    let mut demands: Vec<_> =
        exact.map(|(key, value)| Demand::one_of(key, std::slice::from_ref(value))).collect();
    for one in selector.match_expressions.iter().flatten() {
        demands.push(Demand {
            label: Some(one.key.clone()),
            operator: match one.operator.as_str() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => panic!("no such operator in a label selector: {other}"),
            },
            values: one.values.clone().unwrap_or_default(),
        });
    }
    demands
}
