//! `-o sarif`: SARIF 2.1.0 for code scanning. One result a finding.

use std::io::{self, Write};
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Outcome, Report};
use crate::api::Action;
use crate::cluster::{InputError, Source};
use crate::residency::{Finding, Fix, Reason};

/// Writes the outcome.
pub fn write(outcome: &Outcome<'_>, out: &mut dyn Write) -> io::Result<()> {
    let results: Vec<Value> = outcome
        .reports
        .iter()
        .flat_map(|report| {
            let since = |finding| outcome.since(report, finding);
            report.verdict.findings.iter().map(move |finding| result(report, finding, since(finding)))
        })
        .collect();
    let notifications: Vec<Value> = outcome.errors.iter().map(notification).collect();
    let document = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "domicile",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": Reason::ALL.map(rule),
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": outcome.is_complete(),
                "toolExecutionNotifications": notifications,
            }],
            "results": results,
        }],
    });
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

fn rule(reason: Reason) -> Value {
    let (short, help) = words(reason);
    json!({
        "id": reason.as_str(),
        "name": reason.as_str(),
        "shortDescription": {"text": short},
        "fullDescription": {"text": short},
        "help": {"text": help},
        "defaultConfiguration": {"level": "error"},
    })
}

/// What a reason means, and what to do about it.
fn words(reason: Reason) -> (&'static str, &'static str) {
    match reason {
        Reason::NodeOutsideJurisdiction => (
            "A node where the object can run is outside the places that a policy permits.",
            "Require, with nodeSelector or a required node affinity, nodes in a permitted region or zone. Preferences, \
             taints and resources keep nothing in place.",
        ),
        Reason::UnknownLocation => (
            "Where the object would be is not known, and unknown never permits.",
            "Give the nodes their region and zone labels, or declare the location: the annotation \
             domicile.dev/jurisdiction on the volume or its StorageClass, or an entry in a Geography.",
        ),
        Reason::NotProven => (
            "The policy asks for proof, and the object does not pin where it goes.",
            "Pin region or zone with nodeSelector or a required node affinity. That every node of today is permitted \
             is no proof: nodes come and go.",
        ),
        Reason::VolumeOutsideJurisdiction => (
            "A volume that the object has or is can be outside the places that a policy permits.",
            "Use a StorageClass whose allowedTopologies name permitted regions or zones only, and whose parameters copy \
             nothing elsewhere.",
        ),
        Reason::ClassificationNotOnTemplate => (
            "A workload carries a classification where its pods do not inherit it.",
            "Put domicile.dev/data-classification on the metadata of the pod template, or on the namespace.",
        ),
        Reason::Declassification => (
            "The object would carry less than it does.",
            "Keep the classification, or let someone change it who may `declassify` the policies concerned.",
        ),
        Reason::InvalidClassification => (
            "A classification is not a DNS label.",
            "Write lower-case letters, digits and hyphens, separated by commas: personal, health.",
        ),
        Reason::UngovernedClassification => (
            "No policy governs a classification that the object carries.",
            "Correct the spelling, or write a ResidencyPolicy for it.",
        ),
        Reason::Unclassified => (
            "The object carries no classification where one is required.",
            "Say which data it holds: annotate it, or its namespace, with domicile.dev/data-classification.",
        ),
        Reason::NodeRelocation => (
            "A node that runs classified pods would turn from forbidden to permitted.",
            "Move the pods first, or let someone change the node who may `relocate`.",
        ),
    }
}

fn level(action: Action) -> &'static str {
    match action {
        Action::Deny => "error",
        Action::Warn => "warning",
        Action::Audit => "note",
    }
}

fn result(report: &Report, finding: &Finding, since: Option<Timestamp>) -> Value {
    let object = &report.verdict.object;
    let mut text = format!("{object}: {}", finding.message);
    if let Some(fix) = &report.verdict.fix {
        text.push_str(&suggestion(fix));
    }
    let policy = finding.policy.as_deref().unwrap_or_default();
    // Stays the same when lines move.
    let identity = [&object.kind, &object.namespace, &object.name, policy, finding.reason.as_str()].join("/");
    let rule = Reason::ALL.iter().position(|reason| *reason == finding.reason);
    let mut result = json!({
        "ruleId": finding.reason.as_str(),
        "ruleIndex": rule,
        "level": level(finding.action),
        "message": {"text": text},
        "locations": [location(&report.source, Some(&object.to_string()))],
        "partialFingerprints": {"domicileFinding/v1": identity},
        "properties": {"policy": finding.policy, "reach": report.verdict.reach},
    });
    if let Some(since) = since {
        result["provenance"] = json!({"firstDetectionTimeUtc": since});
    }
    result
}

fn suggestion(fix: &Fix) -> String {
    if fix.value.is_null() {
        format!("\n\nFix: remove {}", fix.path)
    } else {
        format!("\n\nFix: set {} to {}", fix.path, fix.value)
    }
}

fn notification(error: &InputError) -> Value {
    let source = Source { file: error.file.as_str().into(), line: error.line.unwrap_or_default() };
    json!({
        "level": "error",
        "message": {"text": error.to_string()},
        "locations": [location(&source, None)],
    })
}

/// A place in a file, and the object's name; objects of a live cluster or of standard input have the name alone.
fn location(source: &Source, object: Option<&str>) -> Value {
    let mut location = json!({});
    if !matches!(&*source.file, "cluster" | "stdin") {
        location["physicalLocation"] = json!({"artifactLocation": {"uri": uri(&source.file)}});
        if source.line > 0 {
            location["physicalLocation"]["region"] = json!({"startLine": source.line});
        }
    }
    if let Some(object) = object {
        location["logicalLocations"] = json!([{"fullyQualifiedName": object, "kind": "resource"}]);
    }
    location
}

/// Relative paths stay relative: code scanning resolves them against the repository.
fn uri(file: &str) -> String {
    let scheme = if Path::new(file).is_absolute() { "file://" } else { "" };
    let file = file.strip_prefix("./").unwrap_or(file);
    let escaped = file.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    std::iter::once(scheme.to_owned()).chain(escaped).collect()
}
