//! Which nodes can take an object: selectors, terms, taints, and what a term pins by itself.
//!
//! Read [`selector`] and [`constraints`] first (what is asked for), then [`nodes`] (the nodes, indexed so that a
//! question costs the same for ten of them as for ten thousand), then [`proof`] (what holds for nodes that do not
//! exist yet).

pub mod bits;
pub mod constraints;
pub mod nodes;
mod pins;
pub mod proof;
pub mod selector;
pub mod sites;
pub mod taints;
