//! `-o json`, as `docs/schema/results.schema.json` describes it.

use std::collections::BTreeMap;
use std::io::{self, Write};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::{Outcome, Report, Summary};
use crate::cluster::InputError;
use crate::objects::ObjectRef;
use crate::residency::{CarriedClassification, Chain, Decision, Finding, Fix, Reach};

#[derive(Serialize)]
struct Document<'a> {
    results: Vec<Entry<'a>>,
    summary: Summary,
    /// By policy.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", rename = "brokenSince")]
    broken_since: BTreeMap<&'a str, Timestamp>,
    complete: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Unread<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    object: Named<'a>,
    source: String,
    classifications: &'a [CarriedClassification],
    decision: Decision,
    reach: Reach,
    findings: &'a [Finding],
    /// By policy; the empty name stands for none.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    since: BTreeMap<&'a str, Timestamp>,
    warnings: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<&'a Fix>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<&'a Chain>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Named<'a> {
    api_version: &'a str,
    kind: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    namespace: &'a str,
    name: &'a str,
}

/// What could not be read.
#[derive(Serialize, JsonSchema)]
pub(in crate::cli) struct Unread<'a> {
    /// The file as it was named; `cluster` for a live cluster.
    file: &'a str,
    /// The line, from 1. Absent where the file as a whole is at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    /// What is wrong and what to do.
    message: &'a str,
}

/// Writes the outcome; `chain` explains its verdict, where it was asked why.
pub fn write(outcome: &Outcome<'_>, chain: Option<&Chain>, out: &mut dyn Write) -> io::Result<()> {
    let document = Document {
        results: outcome
            .reports
            .iter()
            .map(|report| Entry { explanation: chain, ..entry(report, outcome) })
            .collect(),
        summary: outcome.summary(),
        broken_since: outcome.broken_since(),
        complete: outcome.is_complete(),
        errors: outcome.errors.iter().map(unread).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

fn entry<'a>(report: &'a Report, outcome: &Outcome<'_>) -> Entry<'a> {
    let verdict = &report.verdict;
    let since = |finding: &'a Finding| {
        Some((finding.policy.as_deref().unwrap_or_default(), outcome.since(report, finding)?))
    };
    Entry {
        object: named(&verdict.object),
        source: report.source.to_string(),
        classifications: &verdict.classifications,
        decision: verdict.decision,
        reach: verdict.reach,
        findings: &verdict.findings,
        since: verdict.findings.iter().filter_map(since).collect(),
        warnings: &verdict.warnings,
        fix: verdict.fix.as_ref(),
        explanation: None,
    }
}

pub(super) fn named(object: &ObjectRef) -> Named<'_> {
    Named {
        api_version: &object.api_version,
        kind: &object.kind,
        namespace: &object.namespace,
        name: &object.name,
    }
}

pub(in crate::cli) fn unread(error: &InputError) -> Unread<'_> {
    Unread { file: &error.file, line: error.line, message: &error.message }
}
