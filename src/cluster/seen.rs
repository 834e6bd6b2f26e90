//! An object as a watch brings it, without what nobody reads: that is skipped before memory is taken for it.

use std::borrow::Cow;
use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use kube::core::{ApiResource, DynamicResourceScope};
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};

/// An object as a watch brings it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Name, namespace and resource version: what a watch needs itself.
    metadata: ObjectMeta,
    /// What may be read of it.
    pub(super) value: Value,
}

impl<'de> Deserialize<'de> for Seen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Part::Object.deserialize(deserializer)?;
        let mut metadata = ObjectMeta::default();
        if let Some(fields) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            let text = |field: Option<&Value>| field.and_then(Value::as_str).map(ToOwned::to_owned);
            metadata.name = text(fields.get("name"));
            metadata.namespace = text(fields.get("namespace"));
            // It changes with every status that is written, and says nothing to a judgement.
            metadata.resource_version = text(fields.remove("resourceVersion").as_ref());
        }
        Ok(Self { metadata, value })
    }
}

impl Resource for Seen {
    type DynamicType = ApiResource;
    type Scope = DynamicResourceScope;

    fn kind(of: &ApiResource) -> Cow<'_, str> {
        of.kind.as_str().into()
    }

    fn group(of: &ApiResource) -> Cow<'_, str> {
        of.group.as_str().into()
    }

    fn version(of: &ApiResource) -> Cow<'_, str> {
        of.version.as_str().into()
    }

    fn plural(of: &ApiResource) -> Cow<'_, str> {
        of.plural.as_str().into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// Which part of an object is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// The whole.
    Object,
    /// Its `metadata`.
    Metadata,
    /// Its annotations.
    Annotations,
    /// Its `status`.
    Status,
    /// What lies deeper, or elsewhere.
    Inside,
    /// Containers, if it is a list of them: it could be the value of a label too.
    Containers,
}

impl Part {
    /// What a field of this part is. `None`: nothing that is read.
    fn field(self, name: &str) -> Option<Self> {
        match (self, name) {
            (Self::Metadata, "managedFields")
            | (Self::Annotations, "kubectl.kubernetes.io/last-applied-configuration") => None,
            (Self::Status, name) => (name == "phase").then_some(Self::Inside),
            (Self::Object, "metadata") => Some(Self::Metadata),
            (Self::Object, "status") => Some(Self::Status),
            (Self::Metadata, "annotations") => Some(Self::Annotations),
            (Self::Inside, "containers" | "initContainers" | "ephemeralContainers") => Some(Self::Containers),
            _ => Some(Self::Inside),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Part {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        if self == Self::Containers {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(Value::Null);
        }
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(Self::Inside)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            match self.field(&name) {
                Some(part) => {
                    let value = fields.next_value_seed(part)?;
                    // A status of which nothing is read is as none.
                    if part != Self::Status || value.get("phase").is_some() {
                        map.insert(name, value);
                    }
                }
                None => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Resource, Seen};

    #[test]
    fn what_nobody_reads_is_skipped_and_all_else_is_there() {
        let seen: Seen = serde_json::from_value(json!({
            "metadata": {"name": "a", "namespace": "shop", "resourceVersion": "7", "managedFields": [{"manager": "x"}],
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "managedFields": "kept"}},
            "spec": {"containers": [{"image": "x"}], "initContainers": [{}], "replicas": 0, "share": 0.5, "cold": -1,
                "nodeSelector": {"containers": "many", "status": "x"},
                "template": {"metadata": {"annotations": {"a": "b"}}, "spec": {"containers": [{}], "volumes": [{"name": "v"}]}}},
            "status": {"phase": "Running", "images": [1, 2, 3]},
            "provisioner": "p", "none": null, "yes": true,
        }))
        .unwrap();
        assert_eq!(seen.meta().name.as_deref(), Some("a"));
        assert_eq!(seen.meta().namespace.as_deref(), Some("shop"));
        assert_eq!(seen.meta().resource_version.as_deref(), Some("7"));
        assert_eq!(
            seen.value,
            json!({
                "metadata": {"name": "a", "namespace": "shop", "annotations": {"managedFields": "kept"}},
                "spec": {"containers": null, "initContainers": null, "replicas": 0, "share": 0.5, "cold": -1,
                    "nodeSelector": {"containers": "many", "status": "x"},
                    "template": {"metadata": {"annotations": {"a": "b"}},
                        "spec": {"containers": null, "volumes": [{"name": "v"}]}}},
                "status": {"phase": "Running"},
                "provisioner": "p", "none": null, "yes": true,
            })
        );
    }

    #[test]
    fn a_status_of_which_nothing_is_read_is_none() {
        let seen: Seen = serde_json::from_value(json!({"spec": {}, "status": {"conditions": []}})).unwrap();
        assert_eq!(seen.value, json!({"spec": {}}));
    }

    #[test]
    fn what_is_no_object_is_seen_as_it_is() {
        for value in [json!(3), json!([1]), Value::Null] {
            let seen: Seen = serde_json::from_value(value.clone()).unwrap();
            assert_eq!(seen.value, value);
        }
    }
}
