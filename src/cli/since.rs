//! Since when what is broken has been: what `domicile serve` has written into the cluster remembers it.

use jiff::Timestamp;

use super::terminal::tell;
use crate::cluster::{Sourced, live};
use crate::controller::reports::{Beginnings, beginnings};
use crate::objects::Object;

/// As the statuses of these policies have it and, unless the objects are from files, the reports that the cluster keeps.
/// What began after the moment that is asked about is left out. Whoever may not read the reports is told the rest.
pub(super) fn since(objects: &[Sourced], from_files: bool, at: Timestamp) -> anyhow::Result<Beginnings> {
    let mut found = if from_files { Beginnings::default() } else { kept()? };
    for sourced in objects {
        if let Object::Policy(policy) = &sourced.object {
            found.note(policy);
        } else if let Some(metadata) = sourced.object.metadata() {
            found.note_object(&sourced.object.reference(), &metadata.uid);
        }
    }
    Ok(found.until(at))
}

fn kept() -> anyhow::Result<Beginnings> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(async { anyhow::Ok(beginnings(&live::connect().await?).await) })?;
    Ok(found.unwrap_or_else(|reason| {
        tell("note", &format!("since when each object breaks a policy is not known: {reason}"));
        Beginnings::default()
    }))
}
