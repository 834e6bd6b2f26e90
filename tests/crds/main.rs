//! The definitions of the custom resources: what an API server reads, and what it would refuse, without one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a failed helper is a failed test"
)]

mod rules;
mod shape;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use serde_json::Value;

/// The definition of a kind.
fn definition(kind: &str) -> CustomResourceDefinition {
    domicile::api::crds().into_iter().find(|crd| crd.spec.names.kind == kind).expect("a kind of ours")
}

/// The `OpenAPI` schema of a definition's only version.
fn open_api(crd: &CustomResourceDefinition) -> Value {
    let [version] = crd.spec.versions.as_slice() else { panic!("one version") };
    let schema = version.schema.as_ref().and_then(|schema| schema.open_api_v3_schema.as_ref());
    serde_json::to_value(schema.expect("a schema")).unwrap()
}

/// Calls `visit` for every schema in the tree with its path and its name as a property, if it is one.
fn walk(
    schema: &Value,
    path: &str,
    property: Option<&str>,
    visit: &mut dyn FnMut(&str, Option<&str>, &Value),
) {
    visit(path, property, schema);
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        walk(inner, &format!("{path}.{name}"), Some(name), visit);
    }
    if let Some(items) = schema.get("items") {
        walk(items, &format!("{path}[]"), None, visit);
    }
    if let Some(values) = schema.get("additionalProperties") {
        walk(values, &format!("{path}{{}}"), None, visit);
    }
}
