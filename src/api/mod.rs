//! What users write: the custom resources of group `domicile.dev` and the annotation keys. Schema only.
//!
//! What an object must fulfil by itself is in the schema, as `OpenAPI` and CEL, so that an API server refuses a bad
//! one even when the controller is away. What needs the geography is not.

pub mod keys;

// KubeSchema copies a public struct into the function that describes it; printer columns repeat their keys.
#[allow(unreachable_pub, clippy::duplicated_attributes)]
mod exception;
#[allow(unreachable_pub, clippy::duplicated_attributes)]
mod geography;
#[allow(unreachable_pub, clippy::duplicated_attributes)]
mod policy;
mod schema;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::CustomResourceExt;

pub use exception::{ResidencyException, ResidencyExceptionSpec};
pub use geography::{
    CopyRule, DriverEntry, Geography, GeographySpec, GeographyStatus, GroupEntry, PairedRegion,
    ProviderEntry, RegionEntry, SnapshotDefault, SnapshotStorage, VolumePlacement,
};
pub use policy::{
    Action, Activity, Assurance, Compliance, LegalBasis, Place, Remedy, ResidencyPolicy, ResidencyPolicySpec,
    ResidencyPolicyStatus,
};

/// The definitions of all custom resources, always in the same order: `Geography`, `ResidencyException`,
/// `ResidencyPolicy`.
pub fn crds() -> Vec<CustomResourceDefinition> {
    vec![Geography::crd(), ResidencyException::crd(), ResidencyPolicy::crd()]
}

/// [`crds`] as one multi-document YAML text, ready for `kubectl apply -f -`.
///
/// Fails only if the serialiser does, which no definition of ours makes it do.
pub fn crds_yaml() -> Result<String, serde_saphyr::SerializeError> {
    serde_saphyr::to_string_multiple(&crds())
}
