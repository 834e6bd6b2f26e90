//! Residency policies and exceptions, compiled: whom they select, which locations they permit.
//!
//! Everything that a judgement needs is worked out when a policy or the geography changes: a judgement reads bits.

mod compile;
mod place;
mod policies;
mod timetable;

pub use compile::{Exception, Policy, PolicyProblem, is_dns_label, place_name};
pub use place::{CompiledPlace, PlaceError};
pub use policies::Policies;
