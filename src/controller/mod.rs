//! What Domicile does beside answering: it tells people, in the cluster itself, what it decided.

mod allowance;
pub mod events;
