//! `ResidencyException`: places that some objects of a namespace may use for a time, over the policies it names.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::{Place, schema};

/// Which policies it loosens, for which objects of its namespace, by which places, and until when.
#[derive(CustomResource, KubeSchema, Clone, Debug, Deserialize, Serialize, PartialEq)]
#[kube(
    group = "domicile.dev",
    version = "v1alpha1",
    kind = "ResidencyException",
    plural = "residencyexceptions",
    namespaced,
    shortname = "resex",
    category = "domicile",
    label("app.kubernetes.io/name", "domicile"),
    derive = "PartialEq",
    doc = "Lets some objects of its namespace use more places than the named policies permit, until a set moment. Creating or changing one takes the verb `except` on each named ResidencyPolicy.",
    printcolumn(
        name = "Policies",
        type_ = "string",
        json_path = ".spec.policies",
        description = "The policies that it loosens"
    ),
    // A `date` column prints an age, and a moment that is still to come has none.
    printcolumn(
        name = "Until",
        type_ = "string",
        json_path = ".spec.until",
        description = "From this moment on it adds nothing"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".spec.reason",
        description = "Why it was granted",
        priority = "1"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(transform = schema::tidy)]
#[x_kube(validation = Rule::new("self.allow.all(place, !has(place.from) || place.from < self.until)")
    .message("a place begins after the exception has ended and would never count: set its `from` before `until`")
    .field_path(".allow"))]
pub struct ResidencyExceptionSpec {
    /// The names of the residency policies that it loosens, at least one. Other policies bind the objects as ever.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 253), regex(pattern = schema::DNS_SUBDOMAIN)))]
    pub policies: Vec<String>,
    /// The labels of the objects of this namespace that it is for; a workload counts by its template's labels, a
    /// volume by its claim's. Omitted, or empty: every object of the namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "schema::label_selector")]
    pub object_selector: Option<LabelSelector>,
    /// The places that it adds to what the named policies permit, over their `deny` too. At least one.
    #[schemars(length(min = 1, max = 64))]
    pub allow: Vec<Place>,
    /// The moment from which it adds nothing, as an RFC 3339 time: 2026-12-31T00:00:00Z. Required: there is no
    /// exception without an end.
    pub until: Timestamp,
    /// Why it is granted, for the auditor: free text of up to 1024 characters, quoted in reports. Required.
    #[schemars(length(min = 1, max = 1024))]
    #[x_kube(validation = Rule::new("self.trim() != ''")
        .message("`reason` is blank: say why the exception is granted, the auditor will ask"))]
    pub reason: String,
}
