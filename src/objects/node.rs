//! Nodes and namespaces.

use serde::Deserialize;

use super::meta::{Metadata, Typed, nullable};

/// A node.
pub type Node = Typed<NodeSpec>;

/// A namespace: its metadata is all that counts.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Namespace {
    /// `metadata`.
    #[serde(default)]
    pub metadata: Metadata,
}

/// `spec` of a node.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct NodeSpec {
    /// Who runs the machine, and its name there.
    #[serde(rename = "providerID", deserialize_with = "nullable")]
    pub provider_id: String,
    /// What keeps pods off.
    #[serde(deserialize_with = "nullable")]
    pub taints: Vec<Taint>,
}

/// Keeps pods that do not tolerate it off a node.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
pub struct Taint {
    /// The taint's key.
    pub key: String,
    /// The taint's value; empty if it has none.
    #[serde(default, deserialize_with = "nullable")]
    pub value: String,
    /// What it does.
    pub effect: TaintEffect,
}

/// What a taint does to a pod that does not tolerate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
pub enum TaintEffect {
    /// It is not scheduled there.
    NoSchedule,
    /// It is scheduled elsewhere if possible: no constraint.
    PreferNoSchedule,
    /// It is not scheduled there, and evicted.
    NoExecute,
}
