//! `ResidencyException`: places that some objects of a namespace may use for a time, over the policies it names.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Place;

/// Adds places to named policies, for some objects of one namespace, until a moment.
#[derive(CustomResource, Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
#[kube(group = "domicile.dev", version = "v1alpha1", kind = "ResidencyException", namespaced, shortname = "resex")]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResidencyExceptionSpec {
    /// The ResidencyPolicies that it loosens.
    pub policies: Vec<String>,
    /// Absent means every object of the namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_selector: Option<LabelSelector>,
    /// The places that it adds, over `deny` too.
    pub allow: Vec<Place>,
    /// From this moment on it adds nothing.
    pub until: Timestamp,
    /// Why, for the auditor.
    pub reason: String,
}
