//! `domicile catalog`: what the geography knows.

use std::collections::BTreeSet;
use std::io::{self, Write};

use anyhow::bail;
use comfy_table::{ContentArrangement, Table, presets};
use globset::Glob;
use serde::Serialize;

use super::settings::PlainFormat;
use super::{Status, terminal};
use crate::geography::{Geography, Known, Location};

/// Print what is known of the regions and zones of clouds: which country they are in, and who says so
///
/// With a code, everything that it means: at every provider, with the zones of a region, and with the source of each
/// fact. The same code can mean different countries at different providers.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  domicile catalog
  domicile catalog eu-central-1
  domicile catalog -o json | jq '.regions[] | select(.jurisdiction == \"DE\")'

Exit status:
  0  printed
  2  no provider of the catalog has a region or zone of this code")]
pub(super) struct Args {
    /// The code of a region or a zone. Absent: all of them
    ///
    /// Of a zone that stands where its region does, the region is printed.
    region: Option<String>,

    /// Print in this format
    #[arg(short, long, value_enum, default_value_t, env = "DOMICILE_OUTPUT")]
    output: PlainFormat,
}

/// One fact of the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    /// The provider whose code it is.
    pub(super) provider: String,
    /// The region's code; a glob.
    pub(super) region: String,
    /// The zone's code; a glob. Absent: the region's ordinary zones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) zone: Option<String>,
    /// City or area.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) place: Option<String>,
    /// Where it stands.
    pub(super) jurisdiction: String,
    /// Whose law binds the operator. Absent: unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) provider_jurisdiction: Option<String>,
    /// Who says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) source: Option<String>,
}

pub(super) fn run(arguments: &Args) -> anyhow::Result<Status> {
    let geography = Geography::builtin()?;
    let rows = rows(&geography);
    let rows = match &arguments.region {
        None => rows,
        Some(code) => meanings(&geography, rows, code)?,
    };
    let details = arguments.region.is_some();
    match arguments.output {
        PlainFormat::Json => terminal::print(|out| {
            serde_json::to_writer_pretty(&mut *out, &serde_json::json!({"regions": rows}))?;
            writeln!(out)
        })?,
        PlainFormat::Table => {
            terminal::print_coloured(|out| write_table(&rows, details, terminal::width(), out))?;
        }
    }
    Ok(Status::Compliant)
}

/// Every row of the built-in catalog.
fn rows(geography: &Geography) -> Vec<Row> {
    let row = |row: &crate::geography::Row| Row {
        provider: row.provider.to_string(),
        region: row.region.to_string(),
        zone: row.zone.as_ref().map(ToString::to_string),
        place: row.place.as_ref().map(ToString::to_string),
        jurisdiction: row.jurisdiction.to_string(),
        provider_jurisdiction: row
            .provider_jurisdiction
            .or_else(|| geography.ordinary(&row.provider, row.region.as_str()).provider_jurisdiction)
            .map(|code| code.to_string()),
        source: row.source.as_ref().map(ToString::to_string),
    };
    geography.rows().map(row).collect()
}

/// The rows that a code means: as a region, with its zones, or as a zone; of one that no row lists, those of its region.
fn meanings(geography: &Geography, rows: Vec<Row>, code: &str) -> anyhow::Result<Vec<Row>> {
    let fits = |pattern: &str| {
        pattern == code || Glob::new(pattern).is_ok_and(|glob| glob.compile_matcher().is_match(code))
    };
    let (found, others): (Vec<Row>, Vec<Row>) =
        rows.into_iter().partition(|row| fits(&row.region) || row.zone.as_deref().is_some_and(fits));
    if !found.is_empty() {
        return Ok(found);
    }
    let holds_it = |row: &Row| {
        let zone = geography.locate_in(&row.provider, None, Some(code));
        matches!(zone, Known::Consistent(Location { region: Some(region), .. }) if row.zone.is_none() && row.region == *region)
    };
    let (found, others): (Vec<Row>, Vec<Row>) = others.into_iter().partition(holds_it);
    if !found.is_empty() {
        return Ok(found);
    }
    let known: BTreeSet<String> =
        others.into_iter().flat_map(|row| [Some(row.region), row.zone]).flatten().collect();
    match nearest(code, known.into_iter()) {
        Some(near) => bail!("no provider of the catalog has a region or zone {code}; did you mean {near}?"),
        None => bail!(
            "no provider of the catalog has a region or zone {code}; `domicile catalog` lists them, and a Geography can \
             add it"
        ),
    }
}

/// The name that someone who wrote this may have meant.
pub(super) fn nearest(written: &str, known: impl Iterator<Item = String>) -> Option<String> {
    let written = written.to_lowercase();
    let allowed = (written.chars().count() / 3).clamp(1, 3);
    known
        .map(|name| (strsim::damerau_levenshtein(&written, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, name)| name)
}

fn write_table(rows: &[Row], details: bool, width: Option<usize>, out: &mut dyn Write) -> io::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    if let Some(width) = width.and_then(|width| u16::try_from(width).ok()) {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    let mut header = vec!["PROVIDER", "REGION", "ZONE", "PLACE", "JURISDICTION", "OPERATOR UNDER"];
    if details {
        header.push("SOURCE");
    }
    table.set_header(header);
    for row in rows {
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let mut cells = vec![
            row.provider.clone(),
            row.region.clone(),
            or_dash(&row.zone),
            or_dash(&row.place),
            row.jurisdiction.clone(),
            or_dash(&row.provider_jurisdiction),
        ];
        if details {
            cells.push(or_dash(&row.source));
        }
        table.add_row(cells);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    writeln!(out, "{}", table.trim_fmt())?;
    let regions = || rows.iter().filter(|row| row.zone.is_none());
    let jurisdictions: BTreeSet<_> = regions().map(|row| &row.jurisdiction).collect();
    if details && jurisdictions.len() > 1 {
        writeln!(
            out,
            "\nThe code means different places at different providers: on a node whose provider is not known, its \
             location is unknown."
        )?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(provider: &str, region: &str, zone: Option<&str>, jurisdiction: &str) -> Row {
        Row {
            provider: provider.into(),
            region: region.into(),
            zone: zone.map(str::to_owned),
            place: None,
            jurisdiction: jurisdiction.into(),
            provider_jurisdiction: Some("US".into()),
            source: Some("a source".into()),
        }
    }

    fn rows() -> Vec<Row> {
        vec![
            row("aws", "eu-central-1", None, "DE"),
            row("aws", "eu-central-1", Some("eu-central-1-ist-1a"), "TR"),
            row("other", "eu-central-1", None, "PL"),
            row("openstack", "fra*", None, "DE"),
        ]
    }

    #[test]
    fn a_code_means_its_region_its_zones_and_every_provider() {
        assert_eq!(meanings(&Geography::default(), rows(), "eu-central-1").unwrap(), rows()[..3]);
        assert_eq!(meanings(&Geography::default(), rows(), "eu-central-1-ist-1a").unwrap(), rows()[1..2]);
        assert_eq!(meanings(&Geography::default(), rows(), "fra2").unwrap(), rows()[3..]);
    }

    #[test]
    fn a_zone_that_no_row_lists_means_its_region() {
        let geography = Geography::builtin().unwrap();
        assert_eq!(meanings(&geography, rows(), "eu-central-1a").unwrap(), rows()[..1]);
    }

    #[test]
    fn an_unknown_code_names_the_nearest() {
        let error = meanings(&Geography::default(), rows(), "eu-centrl-1").unwrap_err().to_string();
        assert_eq!(
            error,
            "no provider of the catalog has a region or zone eu-centrl-1; did you mean eu-central-1?"
        );
        let error = meanings(&Geography::default(), rows(), "xyz").unwrap_err().to_string();
        assert!(error.contains("`domicile catalog` lists them"), "{error}");
    }

    #[test]
    fn whose_law_binds_the_operator_is_told_where_judgements_know_it() {
        let geography = Geography::builtin().unwrap();
        let rows = super::rows(&geography);
        for (provider, region, law) in [
            ("aws", "eu-central-1", Some("US")),
            ("aws", "cn-north-1", Some("CN")),
            ("azure", "eastus", Some("US")),
            ("azure", "chinanorth", Some("CN")),
            ("hetzner", "fsn1", Some("DE")),
        ] {
            let found: Vec<_> =
                rows.iter().filter(|row| row.provider == provider && row.region == region).collect();
            assert!(!found.is_empty(), "{provider} {region}");
            for row in found {
                assert_eq!(row.provider_jurisdiction.as_deref(), law, "{row:?}");
            }
        }
    }

    #[test]
    fn the_table_says_that_a_code_is_ambiguous() {
        let mut out = Vec::new();
        write_table(&rows()[..3], true, None, &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }
}
