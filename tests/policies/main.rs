//! Policies (section 4): which objects they select, which places they name, and what comes of several of them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails that way")]

mod activities;
mod combined;
mod places;
mod selectors;
#[path = "../support/mod.rs"]
mod support;

use domicile::residency::{Decision, Reach, Request, Verdict, judge};
use support::{create, now, object, reasons, state};

/// Of three providers, one of them in a Local Zone abroad, one without a zone, and one of which nobody knows anything.
const NODES: &str = "
{apiVersion: v1, kind: Node, metadata: {name: fra, labels: {rack: a, tier: gold, topology.kubernetes.io/region: eu-central-1, topology.kubernetes.io/zone: eu-central-1a}}, spec: {providerID: 'aws:///eu-central-1a/i-1'}}
---
{apiVersion: v1, kind: Node, metadata: {name: ist, labels: {topology.kubernetes.io/region: eu-central-1, topology.kubernetes.io/zone: eu-central-1-ist-1a}}, spec: {providerID: 'aws:///eu-central-1-ist-1a/i-2'}}
---
{apiVersion: v1, kind: Node, metadata: {name: pek, labels: {topology.kubernetes.io/region: cn-north-1, topology.kubernetes.io/zone: cn-north-1a}}, spec: {providerID: 'aws:///cn-north-1a/i-3'}}
---
{apiVersion: v1, kind: Node, metadata: {name: mtl, labels: {rack: b, topology.kubernetes.io/region: northamerica-northeast1, topology.kubernetes.io/zone: northamerica-northeast1-a}}, spec: {providerID: 'gce://p/northamerica-northeast1-a/n'}}
---
{apiVersion: v1, kind: Node, metadata: {name: fsn, labels: {tier: '', topology.kubernetes.io/region: fsn1}}, spec: {providerID: 'hcloud://4'}}
---
{apiVersion: v1, kind: Node, metadata: {name: nozone, labels: {topology.kubernetes.io/region: eu-central-1}}, spec: {providerID: 'aws://'}}
---
{apiVersion: v1, kind: Node, metadata: {name: dark}}
";

/// Their names, in this order.
const NAMES: [&str; 7] = ["fra", "ist", "pek", "mtl", "fsn", "nozone", "dark"];

/// A policy `p` over `personal`.
fn policy(rest: &str) -> String {
    named_policy("p", rest)
}

fn named_policy(name: &str, rest: &str) -> String {
    format!(
        "{{apiVersion: domicile.dev/v1alpha1, kind: ResidencyPolicy, metadata: {{name: {name}}}, \
         spec: {{classifications: [personal], {rest}}}}}\n---\n"
    )
}

/// A pod that is put on a node.
fn pod_on(node: &str) -> String {
    format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: p, namespace: shop, labels: {{app: web, domicile.dev/data-classification: \
         personal}}}}, spec: {{nodeName: {node}}}}}"
    )
}

/// On which nodes a pod is permitted: `+` or `-` each.
fn permitted(cluster: &[&str]) -> String {
    let cluster = [&[NODES], cluster].concat();
    let sign = |verdict: &Verdict| match (verdict.decision, verdict.reach) {
        (Decision::Allow, Reach::Proven | Reach::NotApplicable) => '+',
        (Decision::Deny, Reach::Violated) => '-',
        other => panic!("{other:?}: {verdict:#?}"),
    };
    let state = state(&cluster);
    NAMES.iter().map(|node| sign(&judge(&Request::create(&object(&pod_on(node))), &state, now()))).collect()
}
