//! What users write: the custom resources of group `domicile.dev` and the annotation keys. Schema only.

pub mod keys;

mod exception;
mod geography;
mod policy;

pub use exception::{ResidencyException, ResidencyExceptionSpec};
pub use geography::{
    CopyRule, DriverEntry, Geography, GeographySpec, GeographyStatus, GroupEntry, PairedRegion, ProviderEntry,
    RegionEntry, SnapshotStorage, SnapshotDefault, VolumePlacement,
};
pub use policy::{
    Action, Activity, Assurance, Compliance, LegalBasis, Place, Remedy, ResidencyPolicy, ResidencyPolicySpec,
    ResidencyPolicyStatus,
};
