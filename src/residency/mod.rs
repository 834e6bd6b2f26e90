//! `judge(request, &State, now) -> Verdict`: the one answer that every surface gives.

mod verdict;

pub use verdict::{
    Authorization, CarriedClassification, Decision, Example, Finding, Fix, Matching, Reach, Reason, Verb, Verdict,
};
