//! `-o table`: for people. First every object in a line, then what is wrong with each and what to write instead.

use std::io::{self, Write};

use clap::builder::styling::{AnsiColor, Style};

use super::{Outcome, Report, counted, incomplete};
use crate::api::Action;
use crate::residency::{CarriedClassification, Decision, Finding, Fix, safe};

const BOLD: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();
/// Longer names push the columns behind them aside, rather than all columns of all rows.
const WIDEST_NAME: usize = 60;
/// Room for the other columns.
const BESIDES_NAME: usize = 50;

/// How the table is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// Columns of the terminal; none where the output is no terminal, and nothing is wrapped.
    pub width: Option<usize>,
    /// Whether objects stand in the table about which there is nothing to say.
    pub list_allowed: bool,
}

/// Writes the outcome, in colours; whoever writes to something else than a terminal takes them out.
pub fn write(outcome: &Outcome<'_>, layout: Layout, out: &mut dyn Write) -> io::Result<()> {
    let listed: Vec<&Report> =
        outcome.reports.iter().filter(|report| layout.list_allowed || is_remarkable(report)).collect();
    write_rows(&listed, layout, out)?;
    for report in listed.iter().filter(|report| is_remarkable(report)) {
        write_details(report, outcome, layout, out)?;
    }
    let summary = outcome.summary();
    if outcome.reports.is_empty() {
        writeln!(out, "No object of a kind that is judged.")?;
    } else {
        let total = counted(outcome.reports.len(), "object");
        let Summarised { allow, warn, deny } = summary.into();
        writeln!(out, "{BOLD}{total}{BOLD:#}: {allow}, {warn}, {deny}{}", audited(summary.audited))?;
        for (policy, since) in outcome.broken_since() {
            writeln!(out, "Something has broken policy {} since {since}", safe(policy))?;
        }
    }
    if !outcome.is_complete() {
        let style = colour(Decision::Deny);
        writeln!(out, "{style}{}{style:#}", incomplete(outcome.errors))?;
    }
    Ok(())
}

struct Summarised {
    allow: String,
    warn: String,
    deny: String,
}

impl From<super::Summary> for Summarised {
    fn from(summary: super::Summary) -> Self {
        let part = |count: usize, words: &str, decision| {
            let style = if count > 0 { colour(decision) } else { Style::new() };
            format!("{style}{count} {words}{style:#}")
        };
        Self {
            allow: part(summary.allow, "allowed", Decision::Allow),
            warn: part(summary.warn, "warned of", Decision::Warn),
            deny: part(summary.deny, "denied", Decision::Deny),
        }
    }
}

/// That something is allowed does not say that all is well with it.
fn audited(count: usize) -> String {
    let style = colour(Decision::Warn);
    match count {
        0 => String::new(),
        1 => format!("; of the allowed {style}1 breaks a policy that only audits{style:#}"),
        _ => format!("; of the allowed {style}{count} break a policy that only audits{style:#}"),
    }
}

fn is_remarkable(report: &Report) -> bool {
    let verdict = &report.verdict;
    verdict.decision != Decision::Allow || !verdict.findings.is_empty() || !verdict.warnings.is_empty()
}

fn colour(decision: Decision) -> Style {
    match decision {
        Decision::Allow => AnsiColor::Green.on_default(),
        Decision::Warn => AnsiColor::Yellow.on_default(),
        Decision::Deny => AnsiColor::Red.on_default().bold(),
    }
}

fn write_rows(reports: &[&Report], layout: Layout, out: &mut dyn Write) -> io::Result<()> {
    let widest =
        layout.width.map_or(WIDEST_NAME, |width| width.saturating_sub(BESIDES_NAME).clamp(20, WIDEST_NAME));
    let names = reports.iter().map(|report| report.verdict.object.to_string().chars().count());
    let name = names.filter(|length| *length <= widest).max().unwrap_or_default().max("OBJECT".len());
    let reaches = reports.iter().map(|report| report.verdict.reach.as_str().len());
    let reach = reaches.max().unwrap_or_default().max("REACH".len());
    for file in reports.chunk_by(|one, next| one.source.file == next.source.file) {
        let [first, ..] = file else { continue };
        writeln!(out, "{BOLD}{}{BOLD:#}", safe(&first.source.file))?;
        writeln!(
            out,
            "{DIM}  {:>5}  {:5}  {:name$}  {:reach$}  CARRIES{DIM:#}",
            "LINE", "", "OBJECT", "REACH"
        )?;
        for report in file {
            write_row(report, name, reach, layout, out)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn write_row(
    report: &Report,
    name: usize,
    reach: usize,
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let verdict = &report.verdict;
    let style = colour(verdict.decision);
    let line = if report.source.line == 0 { String::new() } else { report.source.line.to_string() };
    let object = safe(&verdict.object.to_string());
    let mut carried: Vec<_> = verdict.classifications.iter().map(CarriedClassification::shown).collect();
    carried.sort_unstable();
    carried.dedup();
    let carried = if carried.is_empty() { "-".to_owned() } else { carried.join(", ") };
    let before = 2 + 5 + 2 + 5 + 2 + name.max(object.chars().count()) + 2 + reach + 2;
    let carried = wrapped(&carried, before, layout.width);
    let (decision, reached) = (verdict.decision.as_str(), verdict.reach.as_str());
    writeln!(out, "  {line:>5}  {style}{decision:5}{style:#}  {object:name$}  {reached:reach$}  {carried}")
}

/// Writes everything that there is to say of one object.
pub fn write_details(
    report: &Report,
    outcome: &Outcome<'_>,
    layout: Layout,
    out: &mut dyn Write,
) -> io::Result<()> {
    let verdict = &report.verdict;
    let style = colour(verdict.decision);
    writeln!(
        out,
        "{style}{}{style:#}  {BOLD}{}{BOLD:#}  {DIM}{}{DIM:#}",
        verdict.decision.as_str(),
        safe(&verdict.object.to_string()),
        safe(&report.source.to_string())
    )?;
    let carried: Vec<_> = verdict
        .classifications
        .iter()
        .map(|carried| format!("{} ({})", carried.shown(), safe(&carried.from)))
        .collect();
    if !carried.is_empty() {
        writeln!(out, "  carries {}", wrapped(&carried.join(", "), 10, layout.width))?;
    }
    for finding in &verdict.findings {
        write_finding(finding, layout, out)?;
        if let Some(since) = outcome.since(report, finding) {
            writeln!(out, "    since    {since}")?;
        }
    }
    for warning in &verdict.warnings {
        let style = colour(Decision::Warn);
        writeln!(out, "\n  {style}warning{style:#}: {}", wrapped(warning, 4, layout.width))?;
    }
    if let Some(fix) = &verdict.fix {
        write_fix(fix, out)?;
    }
    writeln!(out)
}

fn write_finding(finding: &Finding, layout: Layout, out: &mut dyn Write) -> io::Result<()> {
    let style = match finding.action {
        Action::Deny => colour(Decision::Deny),
        Action::Warn => colour(Decision::Warn),
        Action::Audit => BOLD,
    };
    let reason = finding.reason.as_str();
    match &finding.policy {
        Some(policy) => {
            let (policy, action) = (safe(policy), finding.action);
            writeln!(out, "\n  {style}{reason}{style:#}: policy {policy} ({action:?})")?;
        }
        None => writeln!(out, "\n  {style}{reason}{style:#}")?,
    }
    writeln!(out, "    {}", wrapped(&finding.message, 4, layout.width))?;
    if let Some(field) = &finding.field {
        writeln!(out, "    field    {}", wrapped(field, 13, layout.width))?;
    }
    if let Some(example) = &finding.example {
        writeln!(out, "    example  {}", wrapped(&example.to_string(), 13, layout.width))?;
    }
    if let Some(matching) = finding.matching {
        writeln!(
            out,
            "    nodes    {} of {} that match now are not permitted",
            matching.outside, matching.total
        )?;
    }
    Ok(())
}

fn write_fix(fix: &Fix, out: &mut dyn Write) -> io::Result<()> {
    let (what, yaml) = fix.instruction();
    writeln!(out, "\n  fix: {what}")?;
    for line in yaml.iter().flat_map(|yaml| yaml.lines()) {
        writeln!(out, "    {line}")?;
    }
    Ok(())
}

/// Breaks a text between words so that it fits, with the lines after the first indented as far as the first is.
pub(super) fn wrapped(text: &str, indent: usize, width: Option<usize>) -> String {
    // Below that, broken lines are worse to read than those that the terminal breaks itself.
    let room = width.and_then(|width| width.checked_sub(indent)).filter(|room| *room >= 20);
    let text = safe(text);
    let lines: Vec<_> = text.lines().map(|line| filled(line, indent, room)).collect();
    lines.join(&format!("\n{}", " ".repeat(indent)))
}

fn filled(line: &str, indent: usize, room: Option<usize>) -> String {
    let Some(room) = room else { return line.to_owned() };
    let (mut result, mut used) = (String::new(), 0);
    for word in line.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > room {
            result.push('\n');
            result.push_str(&" ".repeat(indent));
            used = 0;
        } else if used > 0 {
            result.push(' ');
            used += 1;
        }
        result.push_str(word);
        used += length;
    }
    result
}
