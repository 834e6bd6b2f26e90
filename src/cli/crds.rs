//! `domicile crds`: prints the CustomResourceDefinitions.

use super::{Status, terminal};
use crate::api;

/// Print the CustomResourceDefinitions of ResidencyPolicy, Geography and ResidencyException
///
/// The Helm chart installs them; this is for those who install without it.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Examples:\n  domicile crds | kubectl apply --server-side -f -")]
pub(super) struct Args {}

pub(super) fn run(_: &Args) -> anyhow::Result<Status> {
    let text = api::crds_yaml()?;
    terminal::print(|out| out.write_all(text.as_bytes()))?;
    Ok(Status::Compliant)
}
