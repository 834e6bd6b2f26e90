//! What the schemas share: the standards' patterns, the schemas of types that are not ours, and one clean-up.
//!
//! Every list, map and string is bounded: an API server estimates the cost of a rule from its bounds, and
//! refuses the whole definition if one is missing.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::Value;

/// RFC 1123 label: a classification.
pub(super) const DNS_LABEL: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

/// RFC 1123 subdomain: the name of an object.
pub(super) const DNS_SUBDOMAIN: &str = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// ISO 3166-1 alpha-2.
pub(super) const COUNTRY: &str = "^[A-Z]{2}$";

/// ISO 3166-1 alpha-2 or ISO 3166-2.
pub(super) const JURISDICTION: &str = "^[A-Z]{2}(-[A-Z0-9]{1,3})?$";

/// A code as in [`JURISDICTION`], or the name of a group.
pub(super) const CODE_OR_GROUP: &str = "^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$";

/// RFC 3986: the scheme of a URI.
pub(super) const SCHEME: &str = "^[A-Za-z][-A-Za-z0-9+.]*$";

/// Kubernetes' label key: an optional DNS prefix and a slash, then a name.
pub(super) const LABEL_KEY: &str =
    "^([a-z0-9]([-a-z0-9.]*[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$";

/// Kubernetes' label value, which may be empty.
const LABEL_VALUE: &str = "^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$";

/// `metav1.LabelSelector` with bounds, and with the check of its operators that admission would make later.
pub(super) fn label_selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchLabels": {
                "description": "Label keys and the value that each must have, as a map. All of them must match. Omitted: no label is asked for here.",
                "type": "object",
                "maxProperties": 64,
                "additionalProperties": { "type": "string", "maxLength": 63, "pattern": LABEL_VALUE },
            },
            "matchExpressions": {
                "description": "Requirements on single labels. All of them must match, and all of matchLabels. Omitted: no requirement is made here.",
                "type": "array",
                "maxItems": 32,
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": {
                            "description": "The label's key, with its prefix if it has one: topology.kubernetes.io/region.",
                            "type": "string",
                            "minLength": 1,
                            "maxLength": 317,
                            "pattern": LABEL_KEY,
                        },
                        "operator": {
                            "description": "In and NotIn compare the label with values; Exists and DoesNotExist only ask whether it is there.",
                            "type": "string",
                            "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                        },
                        "values": {
                            "description": "What In and NotIn compare with, at least one. Omitted with Exists and DoesNotExist.",
                            "type": "array",
                            "maxItems": 64,
                            "items": { "type": "string", "maxLength": 63, "pattern": LABEL_VALUE },
                        },
                    },
                    "x-kubernetes-validations": [{
                        "rule": "self.operator in ['In', 'NotIn'] ? has(self.values) && size(self.values) > 0 : !has(self.values) || size(self.values) == 0",
                        "message": "operators In and NotIn need values, Exists and DoesNotExist take none: add or remove `values`",
                    }],
                },
            },
        },
    })
}

/// A list of `metav1.Condition` with the bounds that Kubernetes sets for its own.
pub(super) fn conditions(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "maxItems": 16,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": {
            "type": "object",
            "required": ["lastTransitionTime", "message", "reason", "status", "type"],
            "properties": {
                "type": {
                    "description": "What the condition is about, in CamelCase: Ready, Conflict.",
                    "type": "string",
                    "maxLength": 316,
                    "pattern": r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$",
                },
                "status": {
                    "description": "Whether it holds: True, False or Unknown.",
                    "type": "string",
                    "enum": ["True", "False", "Unknown"],
                },
                "reason": {
                    "description": "Why, as one CamelCase word for machines.",
                    "type": "string",
                    "minLength": 1,
                    "maxLength": 1024,
                    "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
                },
                "message": {
                    "description": "Why, as a sentence for people. May be empty.",
                    "type": "string",
                    "maxLength": 32768,
                },
                "lastTransitionTime": {
                    "description": "When status last changed, as an RFC 3339 time.",
                    "type": "string",
                    "format": "date-time",
                },
                "observedGeneration": {
                    "description": "The metadata.generation that the condition speaks of. Omitted: not known.",
                    "type": "integer",
                    "format": "int64",
                    "minimum": 0,
                },
            },
        },
    })
}

/// Cleans one object's schema up: `null` is no value of ours (the API server drops it, so that a rule never
/// meets one), and a description is one paragraph, however the source is wrapped.
pub(super) fn tidy(schema: &mut Schema) {
    if let Some(text) = schema.get_mut("description") {
        unwrap_lines(text);
    }
    let Some(Value::Object(properties)) = schema.get_mut("properties") else {
        return;
    };
    for property in properties.values_mut() {
        if let Some(text) = property.get_mut("description") {
            unwrap_lines(text);
        }
        if let Some(Value::Array(types)) = property.get_mut("type") {
            types.retain(|name| name != "null");
            if let [only] = types.as_mut_slice() {
                property["type"] = only.take();
            }
        }
    }
}

fn unwrap_lines(text: &mut Value) {
    if let Value::String(text) = text {
        *text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    }
}
