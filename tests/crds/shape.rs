//! The definitions as a whole: bounds, descriptions, defaults, columns, and the YAML they are shipped as.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube_cel::{compile_schema, estimate_rule_cost};
use serde_json::Value;

use crate::{definition, open_api, walk};

/// Every schema of every definition, with its path (`ResidencyPolicy.spec.allow[]`) and its name as a property.
fn every_schema(mut visit: impl FnMut(&str, Option<&str>, &Value)) {
    for crd in domicile::api::crds() {
        walk(&open_api(&crd), &crd.spec.names.kind, None, &mut visit);
    }
}

#[test]
fn every_property_is_described() {
    let mut bare = Vec::new();
    every_schema(|path, property, schema| {
        let words = schema["description"].as_str().unwrap_or_default().split_whitespace().count();
        if property.is_some() && words < 4 {
            bare.push(path.to_owned());
        }
    });
    assert!(bare.is_empty(), "without a description of at least four words: {bare:#?}");
}

#[test]
fn optional_properties_say_what_omitting_them_means() {
    let mut silent = Vec::new();
    every_schema(|path, _, schema| {
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let told =
                property["description"].as_str().unwrap_or_default().to_lowercase().contains("omitted");
            if !told && !required.iter().any(|one| one == name) && name != "status" {
                silent.push(format!("{path}.{name}"));
            }
        }
    });
    assert!(silent.is_empty(), "nothing about omitting: {silent:#?}");
}

#[test]
fn everything_is_bounded() {
    let mut unbounded = Vec::new();
    every_schema(|path, _, schema| {
        let has = |key: &str| schema.get(key).is_some();
        let bounded = match schema["type"].as_str() {
            Some("string") => has("maxLength") || has("enum") || has("format"),
            Some("array") => has("maxItems") && has("items"),
            Some("object") if has("additionalProperties") => has("maxProperties"),
            Some("object") => has("properties"),
            Some("integer") => has("minimum"),
            _ => false,
        };
        if !bounded {
            unbounded.push(path.to_owned());
        }
    });
    assert!(unbounded.is_empty(), "without a bound: {unbounded:#?}");
}

#[test]
fn schemas_are_structural() {
    every_schema(|path, _, schema| {
        for foreign in [
            "$ref",
            "anyOf",
            "oneOf",
            "allOf",
            "not",
            "uniqueItems",
            "const",
            "x-kubernetes-preserve-unknown-fields",
        ] {
            assert!(schema.get(foreign).is_none(), "{path} has {foreign}");
        }
        assert!(
            schema.get("properties").is_none() || schema.get("additionalProperties").is_none(),
            "{path} has both properties and additionalProperties"
        );
        // A rule would meet a null that has() takes for a value.
        assert!(schema.get("nullable").is_none() || path.ends_with(".status"), "{path} is nullable");
    });
}

#[test]
fn times_are_times() {
    let mut times = Vec::new();
    every_schema(|path, property, schema| {
        if matches!(property, Some("from" | "until" | "lastAudit" | "lastTransitionTime"))
            && !path.contains("copies")
        {
            assert_eq!(schema["format"], "date-time", "{path}");
            times.push(path.to_owned());
        }
    });
    assert_eq!(times.len(), 10, "{times:#?}");
}

#[test]
fn defaults_are_in_the_schema() {
    let mut defaults = Vec::new();
    every_schema(|path, _, schema| {
        if let Some(default) = schema.get("default") {
            assert!(schema["enum"].as_array().unwrap().contains(default), "{path}");
            defaults.push(format!("{path}={}", default.as_str().unwrap()));
        }
    });
    assert_eq!(
        defaults,
        [
            "Geography.spec.drivers[].placement=Unknown",
            "Geography.spec.drivers[].snapshots.default=Source",
            "ResidencyPolicy.spec.action=Deny",
            "ResidencyPolicy.spec.assurance=Observed",
            "ResidencyPolicy.spec.remedy=Reject",
        ]
    );
}

#[test]
fn rules_compile_and_stay_cheap() {
    let mut rules = 0;
    every_schema(|path, _, schema| {
        let compiled = compile_schema(schema);
        assert!(!compiled.has_errors(), "{path}: {:?}", compiled.compilation_errors());
        for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
            let warnings = estimate_rule_cost(rule["rule"].as_str().unwrap(), &compiled);
            assert!(warnings.is_empty(), "{path}: {warnings:?}");
            assert!(rule["message"].as_str().is_some_and(|message| message.len() > 40), "{path}: {rule}");
            rules += 1;
        }
    });
    assert!(rules > 10, "only {rules} rules");
}

#[test]
fn names_and_columns() {
    let told: Vec<Value> = domicile::api::crds()
        .into_iter()
        .map(|crd| {
            let columns: Vec<_> = crd.spec.versions[0]
                .additional_printer_columns
                .iter()
                .flatten()
                .map(|c| format!("{} {} {} {}", c.name, c.type_, c.json_path, c.priority.unwrap_or_default()))
                .collect();
            serde_json::json!({
                "name": crd.metadata.name,
                "labels": crd.metadata.labels,
                "scope": crd.spec.scope,
                "short": crd.spec.names.short_names,
                "categories": crd.spec.names.categories,
                "status": crd.spec.versions[0].subresources.as_ref().is_some_and(|sub| sub.status.is_some()),
                "columns": columns,
            })
        })
        .collect();
    insta::assert_json_snapshot!(told, @r#"
    [
      {
        "categories": [
          "domicile"
        ],
        "columns": [
          "Ready string .status.conditions[?(@.type==\"Ready\")].status 0",
          "Age date .metadata.creationTimestamp 0"
        ],
        "labels": {
          "app.kubernetes.io/name": "domicile"
        },
        "name": "geographies.domicile.dev",
        "scope": "Cluster",
        "short": [
          "geo"
        ],
        "status": true
      },
      {
        "categories": [
          "domicile"
        ],
        "columns": [
          "Policies string .spec.policies 0",
          "Until string .spec.until 0",
          "Reason string .spec.reason 1",
          "Age date .metadata.creationTimestamp 0"
        ],
        "labels": {
          "app.kubernetes.io/name": "domicile"
        },
        "name": "residencyexceptions.domicile.dev",
        "scope": "Namespaced",
        "short": [
          "resex"
        ],
        "status": false
      },
      {
        "categories": [
          "domicile"
        ],
        "columns": [
          "Action string .spec.action 0",
          "Classifications string .spec.classifications 0",
          "Violating integer .status.compliance.violating 0",
          "Ready string .status.conditions[?(@.type==\"Ready\")].status 0",
          "Age date .metadata.creationTimestamp 0"
        ],
        "labels": {
          "app.kubernetes.io/name": "domicile"
        },
        "name": "residencypolicies.domicile.dev",
        "scope": "Cluster",
        "short": [
          "respol"
        ],
        "status": true
      }
    ]
    "#);
}

#[test]
fn yaml_reads_back_as_what_it_was() {
    let yaml = domicile::api::crds_yaml().unwrap();
    let read: Vec<Value> = serde_saphyr::from_multiple(&yaml).unwrap();
    let typed: Vec<CustomResourceDefinition> =
        read.into_iter().map(|document| serde_json::from_value(document).unwrap()).collect();
    assert_eq!(typed, domicile::api::crds());
    assert_eq!(yaml, domicile::api::crds_yaml().unwrap());
}

#[test]
fn one_version_is_served_and_stored() {
    for kind in ["Geography", "ResidencyException", "ResidencyPolicy"] {
        let crd = definition(kind);
        assert_eq!(crd.spec.group, domicile::api::keys::GROUP);
        let version = &crd.spec.versions[0];
        assert_eq!((version.name.as_str(), version.served, version.storage), ("v1alpha1", true, true));
    }
}
