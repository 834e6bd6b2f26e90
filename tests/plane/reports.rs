//! The kinds in which tools of many makers report, as a cluster gets them with one of those.
//!
//! Field by field as openreports.io/v1alpha1 (reports-api v0.2.1) and wgpolicyk8s.io/v1alpha2 have them: what is not in
//! here is dropped by the API server, as it is there.

use serde_json::{Value, json};

/// A group of them: its name, its version, and kind and plural of either scope.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reporting {
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) namespaced: (&'static str, &'static str),
    pub(crate) cluster: (&'static str, &'static str),
}

pub(crate) const OPEN_REPORTS: Reporting = Reporting {
    group: "openreports.io",
    version: "v1alpha1",
    namespaced: ("Report", "reports"),
    cluster: ("ClusterReport", "clusterreports"),
};

pub(crate) const POLICY_REPORTS: Reporting = Reporting {
    group: "wgpolicyk8s.io",
    version: "v1alpha2",
    namespaced: ("PolicyReport", "policyreports"),
    cluster: ("ClusterPolicyReport", "clusterpolicyreports"),
};

impl Reporting {
    /// The definitions, as one list to apply.
    pub(crate) fn definitions(&self) -> Value {
        let items = [(self.namespaced, "Namespaced"), (self.cluster, "Cluster")];
        let items: Vec<Value> = items.map(|(names, scope)| self.definition(names, scope)).to_vec();
        json!({"apiVersion": "v1", "kind": "List", "items": items})
    }

    /// What the definitions are called.
    pub(crate) fn names(&self) -> [String; 2] {
        [self.namespaced, self.cluster].map(|(_, plural)| format!("{plural}.{}", self.group))
    }

    fn definition(&self, (kind, plural): (&str, &str), scope: &str) -> Value {
        let text = || json!({"type": "string"});
        let number = |format: &str| json!({"type": "integer", "format": format});
        let of = |properties: Value| json!({"type": "object", "properties": properties});
        let one_of = |values: &[&str]| json!({"type": "string", "enum": values});
        let reference = of(json!({"apiVersion": text(), "fieldPath": text(), "kind": text(), "name": text(),
            "namespace": text(), "resourceVersion": text(), "uid": text()}));
        let mut timestamp = of(json!({"nanos": number("int32"), "seconds": number("int64")}));
        timestamp["required"] = json!(["nanos", "seconds"]);
        let mut result = of(json!({
            "category": text(), "message": text(), "policy": text(), "rule": text(), "source": text(),
            "properties": {"type": "object", "additionalProperties": text()},
            "resources": {"type": "array", "items": reference},
            "result": one_of(&["pass", "fail", "warn", "error", "skip"]),
            "scored": {"type": "boolean"},
            "severity": one_of(&["critical", "high", "low", "medium", "info"]),
            "timestamp": timestamp,
        }));
        result["required"] = json!(["policy"]);
        let count = || json!({"type": "integer"});
        let mut schema = of(json!({
            "apiVersion": text(), "kind": text(), "metadata": {"type": "object"},
            "results": {"type": "array", "items": result},
            "scope": reference,
            "summary": of(json!({"error": count(), "fail": count(), "pass": count(), "skip": count(), "warn": count()})),
        }));
        if self.group == OPEN_REPORTS.group {
            schema["properties"]["source"] = text();
        }
        json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {
                "name": format!("{plural}.{}", self.group),
                "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
            },
            "spec": {
                "group": self.group,
                "names": {"plural": plural, "kind": kind, "singular": kind.to_lowercase()},
                "scope": scope,
                "versions": [{"name": self.version, "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": schema}}],
            },
        })
    }
}
