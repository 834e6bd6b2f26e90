//! How verdicts go out: for people, for scripts, for code scanning and for test reports.

pub mod chain;
pub mod facts;
pub mod impact;
pub mod json;
pub mod junit;
pub mod sarif;
pub mod table;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use crate::cluster::{InputError, Source};
use crate::controller::reports::Beginnings;
use crate::residency::{Decision, Finding, Verdict};

/// A verdict and where its object came from.
#[derive(Clone, Debug)]
pub struct Report {
    /// The verdict.
    pub verdict: Verdict,
    /// Where the object came from.
    pub source: Source,
}

/// Everything that a command found.
#[derive(Clone, Copy, Debug)]
pub struct Outcome<'a> {
    /// One for every object judged, in the order of the input.
    pub reports: &'a [Report],
    /// What could not be read. If there is any, the outcome is incomplete, and every format says so.
    pub errors: &'a [InputError],
    /// Since when what is broken has been, where somebody has written that down.
    pub since: Option<&'a Beginnings>,
}

impl Outcome<'_> {
    /// How many objects were judged how.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let count =
            |decision| self.reports.iter().filter(|report| report.verdict.decision == decision).count();
        let allowed = self.reports.iter().filter(|report| report.verdict.decision == Decision::Allow);
        Summary {
            allow: count(Decision::Allow),
            warn: count(Decision::Warn),
            deny: count(Decision::Deny),
            // What a policy that denies or warns finds is no Allow.
            audited: allowed.filter(|report| !report.verdict.findings.is_empty()).count(),
        }
    }

    /// Since when an object has been as a finding says, where that is known.
    fn since(&self, report: &Report, finding: &Finding) -> Option<Timestamp> {
        self.since?.since(&report.verdict.object, finding.policy.as_deref())
    }

    /// The policies that something breaks, and since when something has, where that is known.
    fn broken_since(&self) -> BTreeMap<&str, Timestamp> {
        let findings = self.reports.iter().flat_map(|report| &report.verdict.findings);
        let policies = findings.filter_map(|finding| finding.policy.as_deref());
        policies.filter_map(|policy| Some((policy, self.since?.of_policy(policy)?))).collect()
    }

    /// Whether every input could be read.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.errors.is_empty()
    }
}

/// How many objects were judged how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Objects that may be.
    pub allow: usize,
    /// Objects that may be, against the advice of a policy.
    pub warn: usize,
    /// Objects that may not be.
    pub deny: usize,
    /// Objects among those that may be that break a policy whose action is Audit.
    pub audited: usize,
}

/// The formats of `-o`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For scripts: docs/schema/results.schema.json.
    Json,
    /// For code scanning: SARIF 2.1.0.
    Sarif,
    /// For test reports: JUnit XML.
    Junit,
}

/// `1 input`, `2 inputs`.
fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// What every format says of an incomplete outcome.
pub(super) fn incomplete(errors: &[InputError]) -> String {
    format!("incomplete: {} could not be read", counted(errors.len(), "input"))
}
