//! The reach of a pod (section 5): which nodes its constraints leave now, and what they prove of nodes to come.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

mod fixes;
mod found;
mod matching;
mod proof;
mod sets;
#[path = "../support/mod.rs"]
mod support;
mod taints;
mod volumes;

use std::fmt::Write as _;

use domicile::cluster::State;
use domicile::residency::{Reach, Reason, Request, Verdict, judge};
use support::{now, object, state};

const REGION: &str = "topology.kubernetes.io/region";
const ZONE: &str = "topology.kubernetes.io/zone";

/// A personal pod with this spec.
fn pod(spec: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: p, namespace: shop, labels: {{domicile.dev/data-classification: \
         personal}}}}, spec: {{{spec}}}}}"
    )
}

fn judged(state: &State, spec: &str) -> Verdict {
    judge(&Request::create(&object(&pod(spec))), state, now())
}

/// A required node affinity of these terms.
fn affinity(terms: &str) -> String {
    format!(
        "affinity: {{nodeAffinity: {{requiredDuringSchedulingIgnoredDuringExecution: {{nodeSelectorTerms: [{terms}]}}}}}}"
    )
}

/// One of one term of these expressions.
fn expressions(list: &str) -> String {
    affinity(&format!("{{matchExpressions: [{list}]}}"))
}

/// `key In [values]`.
fn within(key: &str, values: &str) -> String {
    format!("{{key: {key}, operator: In, values: [{values}]}}")
}

/// A policy a node that is broken exactly if that node is in reach.
fn tripwires(nodes: &[&str]) -> String {
    nodes.iter().fold(String::new(), |mut all, node| {
        let _ = write!(
            all,
            "{{apiVersion: domicile.dev/v1alpha1, kind: ResidencyPolicy, metadata: {{name: {node}}}, spec: {{classifications: \
             [personal], deny: [{{nodeSelector: {{matchLabels: {{name: {node}}}}}}}]}}}}\n---\n"
        );
        all
    })
}

/// The nodes in reach, of those that wires are laid to.
fn reached(state: &State, spec: &str) -> String {
    let verdict = judged(state, spec);
    let names: Vec<&str> = verdict
        .findings
        .iter()
        .filter(|finding| {
            finding
                .field
                .as_deref()
                .is_some_and(|field| field.contains(".node") || field.contains(".affinity"))
        })
        .filter_map(|finding| finding.policy.as_deref())
        .collect();
    for finding in &verdict.findings {
        // What is counted and shown is what is found.
        if let (Some(matching), Some(example)) = (finding.matching, &finding.example) {
            assert_eq!((matching.outside, matching.total), (1, names.len()), "{finding:#?}");
            assert_eq!(example.node, finding.policy, "{finding:#?}");
        }
    }
    names.join(" ")
}
