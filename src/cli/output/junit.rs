//! `-o junit`: a suite a file, a case an object; a Deny is a failure, what could not be read is an error.

use std::io::{self, Write};

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::{Outcome, Report};
use crate::cluster::InputError;
use crate::residency::{Decision, Finding};

/// Writes the outcome.
pub fn write(outcome: &Outcome<'_>, out: &mut dyn Write) -> io::Result<()> {
    let mut xml = Writer::new_with_indent(&mut *out, b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let root = counts("testsuites", "domicile", outcome.reports, outcome.errors.len());
    xml.write_event(Event::Start(root))?;
    for suite in outcome.reports.chunk_by(|one, next| one.source.file == next.source.file) {
        if let [first, ..] = suite {
            write_suite(&mut xml, &first.source.file, suite, outcome)?;
        }
    }
    if !outcome.is_complete() {
        write_errors(&mut xml, outcome.errors)?;
    }
    xml.write_event(Event::End(BytesEnd::new("testsuites")))?;
    writeln!(out)
}

fn counts<'a>(element: &'a str, name: &str, reports: &[Report], errors: usize) -> BytesStart<'a> {
    let failures = reports.iter().filter(|report| report.verdict.decision == Decision::Deny).count();
    let tests = (reports.len() + errors).to_string();
    BytesStart::new(element).with_attributes([
        ("name", legal(name).as_str()),
        ("tests", &tests),
        ("failures", &failures.to_string()),
        ("errors", &errors.to_string()),
    ])
}

fn write_suite<W: Write>(
    xml: &mut Writer<W>,
    file: &str,
    reports: &[Report],
    outcome: &Outcome<'_>,
) -> io::Result<()> {
    xml.write_event(Event::Start(counts("testsuite", file, reports, 0)))?;
    for report in reports {
        let verdict = &report.verdict;
        let case = xml.create_element("testcase").with_attributes([
            ("name", legal(&verdict.object.to_string()).as_str()),
            ("classname", &verdict.object.kind),
            ("file", &legal(file)),
        ]);
        let case = match report.source.line {
            0 => case,
            line => case.with_attribute(("line", line.to_string().as_str())),
        };
        let advice = advice(report, outcome);
        if verdict.decision != Decision::Deny && advice.is_empty() {
            case.write_empty()?;
            continue;
        }
        case.write_inner_content(|xml| {
            if verdict.decision == Decision::Deny {
                write_failure(xml, report, outcome)?;
            }
            if !advice.is_empty() {
                xml.create_element("system-out").write_text_content(BytesText::new(&legal(&advice)))?;
            }
            Ok(())
        })?;
    }
    xml.write_event(Event::End(BytesEnd::new("testsuite")))
}

fn write_failure<W: Write>(xml: &mut Writer<W>, report: &Report, outcome: &Outcome<'_>) -> io::Result<()> {
    let denying = report.verdict.findings.iter().filter(|finding| finding.action == crate::api::Action::Deny);
    let mut denying = denying.peekable();
    let (kind, first) = denying
        .peek()
        .map_or(("Deny", "denied"), |finding| (finding.reason.as_str(), finding.message.as_str()));
    let (kind, first) = (kind.to_owned(), legal(first));
    let lines: Vec<_> = denying.map(|finding| sentence(report, finding, outcome)).collect();
    xml.create_element("failure")
        .with_attributes([("type", kind.as_str()), ("message", first.as_str())])
        .write_text_content(BytesText::new(&legal(&lines.join("\n"))))?;
    Ok(())
}

/// A finding, with its policy and since when, where that is known.
fn sentence(report: &Report, finding: &Finding, outcome: &Outcome<'_>) -> String {
    let policy = finding.policy.as_deref().unwrap_or("no policy");
    let since = outcome.since(report, finding).map(|since| format!(", since {since}")).unwrap_or_default();
    format!("{} ({policy}{since}): {}", finding.reason.as_str(), finding.message)
}

/// Warnings, and the findings of policies that do not deny.
fn advice(report: &Report, outcome: &Outcome<'_>) -> String {
    let findings =
        report.verdict.findings.iter().filter(|finding| finding.action != crate::api::Action::Deny);
    let findings =
        findings.map(|finding| format!("{:?} {}", finding.action, sentence(report, finding, outcome)));
    let warnings = report.verdict.warnings.iter().map(|warning| format!("warning: {warning}"));
    findings.chain(warnings).collect::<Vec<_>>().join("\n")
}

fn write_errors<W: Write>(xml: &mut Writer<W>, errors: &[InputError]) -> io::Result<()> {
    let suite = counts("testsuite", &super::incomplete(errors), &[], errors.len());
    xml.write_event(Event::Start(suite))?;
    for error in errors {
        xml.create_element("testcase")
            .with_attributes([("name", legal(&error.file).as_str()), ("classname", "input")])
            .write_inner_content(|xml| {
                xml.create_element("error")
                    .with_attribute(("message", legal(&error.message).as_str()))
                    .write_text_content(BytesText::new(&legal(&error.to_string())))?;
                Ok(())
            })?;
    }
    xml.write_event(Event::End(BytesEnd::new("testsuite")))
}

/// XML 1.0 has no way to write most control characters.
fn legal(text: &str) -> String {
    let illegal =
        |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r') || matches!(c, '\u{fffe}' | '\u{ffff}');
    text.replace(illegal, "\u{fffd}")
}
