//! What a simulation found: for people, and for scripts.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use clap::builder::styling::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use serde::Serialize;

use super::json::{Named, Unread, named, unread};
use super::{counted, incomplete};
use crate::api::Action;
use crate::cluster::InputError;
use crate::residency::{self, Change, Example, Impact, Reason, groups, safe};

/// What was asked, and what came of it.
#[derive(Clone, Copy, Debug)]
pub struct Simulation<'a> {
    /// What changes.
    pub impact: &'a Impact,
    /// The moment that it is compared with.
    pub from: Timestamp,
    /// The moment of the change.
    pub at: Timestamp,
    /// What could not be read. If there is any, the answer is incomplete, and says so.
    pub errors: &'a [InputError],
}

#[derive(Serialize)]
struct Document<'a> {
    from: String,
    at: String,
    judged: usize,
    broken: Direction<'a>,
    allowed: Direction<'a>,
    stricter: Direction<'a>,
    milder: Direction<'a>,
    complete: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Unread<'a>>,
}

#[derive(Serialize)]
struct Direction<'a> {
    objects: usize,
    namespaces: usize,
    groups: Vec<Grouped<'a>>,
    changes: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Grouped<'a> {
    policy: Option<&'a str>,
    namespace: Option<&'a str>,
    jurisdiction: Option<&'a str>,
    kinds: BTreeMap<&'a str, usize>,
    first: Vec<Named<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    object: Named<'a>,
    policy: Option<&'a str>,
    action: Action,
    reason: Reason,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    example: Option<&'a Example>,
}

/// Writes `-o json`, as `docs/schema/simulation.schema.json` describes it.
///
/// # Errors
/// If it cannot be written.
pub fn write_json(simulation: &Simulation<'_>, out: &mut dyn Write) -> io::Result<()> {
    let impact = simulation.impact;
    let document = Document {
        from: simulation.from.to_string(),
        at: simulation.at.to_string(),
        judged: impact.judged,
        broken: direction(&impact.broken),
        allowed: direction(&impact.allowed),
        stricter: direction(&impact.stricter),
        milder: direction(&impact.milder),
        complete: simulation.errors.is_empty(),
        errors: simulation.errors.iter().map(unread).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

fn direction(changes: &[Change]) -> Direction<'_> {
    let (objects, namespaces) = breadth(changes);
    Direction {
        objects,
        namespaces,
        groups: groups(changes)
            .into_iter()
            .map(|group| Grouped {
                policy: group.policy,
                namespace: Some(group.namespace).filter(|name| !name.is_empty()),
                jurisdiction: group.jurisdiction,
                first: group.first.iter().map(|change| named(&change.object)).collect(),
                kinds: group.kinds,
            })
            .collect(),
        changes: changes.iter().map(entry).collect(),
    }
}

fn entry(change: &Change) -> Entry<'_> {
    let finding = &change.finding;
    Entry {
        object: named(&change.object),
        policy: finding.policy.as_deref(),
        action: finding.action,
        reason: finding.reason,
        message: &finding.message,
        example: finding.example.as_ref(),
    }
}

/// How many objects and namespaces are concerned.
fn breadth(changes: &[Change]) -> (usize, usize) {
    let objects: BTreeSet<_> = changes.iter().map(|change| &change.object).collect();
    let namespaces: BTreeSet<_> =
        objects.iter().map(|object| object.namespace.as_str()).filter(|name| !name.is_empty()).collect();
    (objects.len(), namespaces.len())
}

/// Writes tables: one for what breaks, one for what becomes allowed, and so on.
///
/// # Errors
/// If it cannot be written.
pub fn write_table(simulation: &Simulation<'_>, width: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
    let impact = simulation.impact;
    let (red, green, bold) =
        (AnsiColor::Red.on_default().bold(), AnsiColor::Green.on_default().bold(), Style::new().bold());
    let always = [("Newly broken", &impact.broken, red), ("Newly allowed", &impact.allowed, green)];
    let seldom = [
        ("Newly denied, and reported before", &impact.stricter, red),
        ("Only reported, and denied before", &impact.milder, bold),
    ];
    let seldom = seldom.into_iter().filter(|(_, changes, _)| !changes.is_empty());
    for (title, changes, style) in always.into_iter().chain(seldom) {
        if changes.is_empty() {
            writeln!(out, "{bold}{title}{bold:#}: nothing\n")?;
            continue;
        }
        let (objects, namespaces) = breadth(changes);
        let place = match namespaces {
            0 => String::new(),
            number => format!(" in {}", counted(number, "namespace")),
        };
        writeln!(out, "{style}{title}{style:#}: {}{place}", counted(objects, "object"))?;
        write_groups(changes, width, out)?;
        writeln!(out)?;
    }
    writeln!(
        out,
        "{} judged as of {}, and with the change as of {}.",
        counted(impact.judged, "object"),
        simulation.from.strftime("%Y-%m-%d %H:%M UTC"),
        simulation.at.strftime("%Y-%m-%d %H:%M UTC"),
    )?;
    if simulation.errors.is_empty() { Ok(()) } else { writeln!(out, "{}", incomplete(simulation.errors)) }
}

fn write_groups(changes: &[Change], width: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(width) = width.and_then(|width| u16::try_from(width).ok()) {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table.set_header(["POLICY", "NAMESPACE", "JURISDICTION", "OBJECTS", "FIRST"]);
    for group in groups(changes) {
        let first = group.first.first();
        let placeless = first.is_none_or(|change| {
            change.finding.example.is_none() && change.finding.reason != Reason::UnknownLocation
        });
        let nowhere = if placeless { "-" } else { "unknown" };
        table.add_row([
            safe(group.policy.unwrap_or("-")),
            safe(if group.namespace.is_empty() { "-" } else { group.namespace }),
            group.jurisdiction.unwrap_or(nowhere).to_owned(),
            residency::counted(&group.kinds),
            first.map(|change| shown(change)).unwrap_or_default(),
        ]);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    for line in table.trim_fmt().lines() {
        writeln!(out, "  {line}")?;
    }
    Ok(())
}

/// `Pod crm/web-1, node iad-1: aws, us-east-1, us-east-1a, US`.
fn shown(change: &Change) -> String {
    match &change.finding.example {
        Some(example) => safe(&format!("{}, {example}", change.object)),
        None => safe(&change.object.to_string()),
    }
}
