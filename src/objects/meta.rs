//! What every object has.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer};

/// Reads `null` as the default, as the API server does.
pub(super) fn nullable<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + Deserialize<'de>,
    D: Deserializer<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads `null` values of a map as empty, as the API server does: `key:` and nothing behind it.
pub(super) fn nullable_texts<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, String>, D::Error> {
    let texts: Option<BTreeMap<String, Option<String>>> = Option::deserialize(deserializer)?;
    let texts = texts.unwrap_or_default().into_iter();
    Ok(texts.map(|(key, value)| (key, value.unwrap_or_default())).collect())
}

/// `metadata`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Metadata {
    /// The object's name; empty while `generateName` has not made one.
    #[serde(deserialize_with = "nullable")]
    pub name: String,
    /// The beginning of a name that the API server completes.
    #[serde(deserialize_with = "nullable")]
    pub generate_name: String,
    /// The namespace; empty for cluster-scoped objects, and where a manifest leaves it out.
    #[serde(deserialize_with = "nullable")]
    pub namespace: String,
    /// Distinguishes objects that had the same name.
    #[serde(deserialize_with = "nullable")]
    pub uid: String,
    /// Labels.
    #[serde(deserialize_with = "nullable_texts")]
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    #[serde(deserialize_with = "nullable_texts")]
    pub annotations: BTreeMap<String, String>,
    /// When it was made.
    pub creation_timestamp: Option<jiff::Timestamp>,
    /// Who made it.
    #[serde(deserialize_with = "nullable")]
    pub owner_references: Vec<OwnerReference>,
}

/// One owner of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OwnerReference {
    /// `apiVersion` of the owner.
    pub api_version: String,
    /// Distinguishes it from others that had its name.
    pub uid: String,
    /// Kind of the owner.
    pub kind: String,
    /// Name of the owner.
    pub name: String,
    /// Whether this owner manages it.
    #[serde(deserialize_with = "nullable")]
    pub controller: bool,
}

/// An object of one kind with its metadata.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(bound(deserialize = "S: Deserialize<'de>"))]
pub struct Typed<S: Default> {
    /// `metadata`.
    #[serde(default)]
    pub metadata: Metadata,
    /// `spec`.
    #[serde(default, deserialize_with = "nullable")]
    pub spec: S,
}

/// Names an object as people do.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectRef {
    /// `v1`, `apps/v1`.
    pub api_version: String,
    /// `Pod`.
    pub kind: String,
    /// Empty for cluster-scoped objects.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The name, or `generateName` followed by `*`.
    pub name: String,
}

impl ObjectRef {
    /// Names the object with this metadata.
    #[must_use]
    pub fn new(api_version: &str, kind: &str, metadata: &Metadata) -> Self {
        let name = if metadata.name.is_empty() && !metadata.generate_name.is_empty() {
            format!("{}*", metadata.generate_name)
        } else {
            metadata.name.clone()
        };
        Self {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: metadata.namespace.clone(),
            name,
        }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{}/{}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}
