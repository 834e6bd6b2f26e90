//! `report -o json`: the facts of the page, as `docs/schema/report.schema.json` describes them.

use std::io::{self, Write};

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde::Serialize;

use super::json::{Unread, unread};
use crate::cli::page::Page;
use crate::residency::Evidence;

/// What `domicile report` prints with `-o json`.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(title = "Facts of domicile report")]
struct Document<'a> {
    /// Where the objects are from, in words.
    source: &'a str,
    #[serde(flatten)]
    evidence: &'a Evidence,
    /// False if an input could not be read.
    complete: bool,
    /// Kinds of which the files hold nothing, so that nothing is said of them.
    not_given: Vec<&'static str>,
    /// What could not be read, by file and line. Absent if everything could.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Unread<'a>>,
}

/// Writes the facts of a page.
///
/// # Errors
/// If they cannot be written.
pub fn write(page: &Page<'_>, out: &mut dyn Write) -> io::Result<()> {
    let document = Document {
        source: page.source,
        evidence: page.evidence,
        complete: page.errors.is_empty(),
        not_given: page.not_given.iter().map(|(kind, _)| kind.as_str()).collect(),
        errors: page.errors.iter().map(unread).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

/// The schema of what is written, from the types.
#[must_use]
pub fn schema() -> Schema {
    let settings = SchemaSettings::draft2020_12().for_serialize().with_transform(RecursiveTransform(close));
    settings.into_generator().into_root_schema_for::<Document<'_>>()
}

/// What is not described is not written.
fn close(schema: &mut Schema) {
    if schema.get("properties").is_some() {
        schema.insert("additionalProperties".to_owned(), false.into());
    }
    // Rust's names of numbers say nothing to whoever reads JSON.
    if schema.get("format").is_some_and(|format| format == "uint") {
        schema.remove("format");
    }
}
