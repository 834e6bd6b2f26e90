//! What is known of the cluster, as indexes that take objects and never a client.
//!
//! [`State`] is the whole of it. It keeps only what judgement reads, and everything in it is worked out when an
//! object comes in, so that a judgement only reads. [`load`] brings objects from files, [`live`] from a kubeconfig's
//! cluster.

mod documents;
mod input;
mod kept;
mod kind;
pub mod live;
pub mod load;
mod overlay;
mod own;
mod pool;
mod references;
mod settings;
mod shared;
mod state;
mod strict;
mod topology;

pub use input::{InputError, Loaded, Source, Sourced};
pub use kept::{AttachmentEntry, ClaimEntry, Declared, NamespaceEntry, PodEntry, SnapshotEntry, VolumeEntry};
pub use kind::Kind;
pub use overlay::Fresh;
pub use own::{Own, OwnSource};
pub use pool::Pools;
pub use references::{Key, references};
pub use settings::{Settings, Ungoverned};
pub use shared::Shared;
pub use state::{Problem, State};
pub(crate) use state::{is_bound, mounted_claims};
