//! What Domicile does beside answering: it watches over what exists, tells people in the cluster itself what it found
//! and decided, and shows how it fares.
//!
//! `auditor` judges what has changed and enters it into the `ledger`; what is new goes to the `herald`, who has it told
//! in `events`, and so what nodes break that join (`joining`), how each policy fares goes into its `status`, and how each object does into `reports`. What claims have got
//! from pods goes into their `records`. Every replica audits, and the `leader` writes. The `watchman` has it all done.

mod allowance;
pub mod auditor;
pub mod events;
pub mod gauges;
mod grants;
pub mod herald;
mod joining;
pub mod leader;
pub mod ledger;
pub mod records;
pub mod reports;
pub mod status;
pub mod watchman;
