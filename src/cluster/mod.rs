//! What is known of the cluster, and where objects come in: [`load`] from files, [`live`] from a kubeconfig.

mod documents;
mod input;
pub mod live;
pub mod load;
mod strict;

pub use input::{InputError, Loaded, Source, Sourced};
