//! What Domicile does beside answering: it tells people, in the cluster itself, what it decided, and shows how it fares.

mod allowance;
pub mod events;
pub mod gauges;
