//! What is known of the cluster, as indexes that take objects and never a client.
//!
//! [`State`] is the whole of it. It keeps only what judgement reads, and everything in it is worked out when an
//! object comes in, so that a judgement only reads. [`load`] brings objects from files, [`live`] from a kubeconfig's
//! cluster, and [`watch`] keeps the state that a server shares up to date. [`reader`] and [`access`] ask the API server
//! for what a cache cannot answer.

pub mod access;
mod census;
mod dialects;
mod documents;
mod doubts;
pub mod enforcement;
#[cfg(test)]
pub(crate) mod faked;
mod free;
pub(crate) mod head;
mod input;
mod journal;
mod kept;
mod kind;
mod lanes;
mod left;
pub mod live;
pub mod load;
mod overlay;
mod own;
mod pool;
pub mod reader;
mod references;
mod resource;
mod seen;
mod settings;
mod shared;
mod state;
mod strict;
mod table;
mod topology;
mod views;
pub mod watch;

pub use input::{InputError, Loaded, Source, Sourced, Unread};
pub use journal::{Changed, Left};
pub use kept::{
    AttachmentEntry, ClaimEntry, ClaimName, Declared, NamespaceEntry, PodEntry, SnapshotEntry, VolumeEntry,
};
pub use kind::Kind;
pub use overlay::Fresh;
pub use own::{Own, OwnSource};
pub use pool::Pools;
pub use references::{Key, references};
pub use settings::{Settings, Ungoverned};
pub use shared::Shared;
pub use state::{Problem, State};
pub(crate) use views::{is_bound, mounted_claims};
