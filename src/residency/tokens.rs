//! What is wrong with the classifications themselves: invalid, ungoverned, missing.

use super::classification::{Carried, Origin};
use super::judge::Court;
use super::verdict::{Finding, Reason, Verdict};
use crate::api::{Action, keys};
use crate::cluster::{State, Ungoverned};
use crate::geography::iso;
use crate::objects::{Metadata, Object};
use crate::placement::selector::LabelsRef;

/// How alike two words must be for one to be meant by the other, of 1.
const ALIKE: f64 = 0.8;

/// As [`ALIKE`], letter by letter, for keys as a whole.
const NEARLY: f64 = 0.9;

/// More classifications than this are not listed in a message.
const MOST_NAMED: usize = 8;

/// An object that carries more than this is a mistake, or made to keep whoever judges what shares its volumes busy.
const MOST_WRITTEN: usize = 64;

/// A refusal that no policy asks for.
pub(super) fn finding(reason: Reason, field: &str, message: String) -> Finding {
    Finding {
        policy: None,
        action: Action::Deny,
        reason,
        message,
        field: Some(field.into()),
        example: None,
        matching: None,
    }
}

/// A token that is no DNS label; `place` is where it stands, in words.
pub(super) fn invalid(token: &str, place: &str, field: &str) -> Finding {
    let message = format!(
        "{token:?}, in {place}, is no classification: write lower-case letters, digits and `-`, at most 63, and a comma \
         between two of them"
    );
    finding(Reason::InvalidClassification, field, message)
}

/// Notes what is carried, and what is wrong with it. `path` is where the object's own metadata is.
pub(super) fn judge(court: Court<'_>, verdict: &mut Verdict, carried: &Carried<'_>, path: &str) {
    let settings = court.state.settings();
    let key = settings.classification_keys.first().map_or("", String::as_str);
    let annotation = format!("{path}.annotations[{key}]");
    verdict.classifications = carried.tell();
    let mut findings = Vec::new();
    let written = carried.written();
    if written > MOST_WRITTEN {
        let message = format!(
            "{written} classifications are written here, more than the {MOST_WRITTEN} that an object can carry: leave out \
             those that no policy names"
        );
        verdict.find([finding(Reason::InvalidClassification, &annotation, message)]);
        return;
    }
    for (token, origin) in carried.invalid() {
        let place = match origin {
            Origin::Own(source) | Origin::Template(source) => format!("its {}", source.as_str()),
            other => other.to_string(),
        };
        findings.push(invalid(token, &place, &annotation));
    }
    for token in carried.names().filter(|token| !court.state.policies().is_governed(token)) {
        let nearest = court
            .state
            .policies()
            .governed()
            .map(|known| (strsim::jaro_winkler(known, token), known))
            .filter(|(alike, _)| *alike >= ALIKE)
            .max_by(|(one, a), (other, b)| one.total_cmp(other).then_with(|| b.cmp(a)));
        let meant = match nearest {
            Some((_, known)) => format!("; did you mean `{known}`?"),
            None => governed(court),
        };
        let message = format!("no policy governs the classification `{token}`{meant}");
        match settings.ungoverned {
            Ungoverned::Warn => verdict.warnings.push(message),
            Ungoverned::Deny => {
                findings.push(finding(Reason::UngovernedClassification, &annotation, message));
            }
        }
    }
    verdict.find(findings);
}

/// Keys on an object, or on what it makes, that mean nothing and are nearly ours: a classification that nobody sees.
pub(super) fn misspelt(state: &State, object: &Object) -> Vec<String> {
    let ours = [keys::RECORDED, keys::JURISDICTION, keys::PROVIDER_JURISDICTION];
    let restricted = [keys::RESTRICTED_JURISDICTION, keys::RESTRICTED_PROVIDER_JURISDICTION];
    let configured = state.settings().classification_keys.iter().map(String::as_str);
    let known: Vec<&str> = configured.chain(ours).chain(restricted).collect();
    let mut said: Vec<String> = Vec::new();
    let mut look = |metadata: &Metadata, path: &str| {
        for (list, written) in [("annotations", &metadata.annotations), ("labels", &metadata.labels)] {
            for key in written.keys().filter(|key| !known.contains(&key.as_str())) {
                let names_us = names_us(key);
                if let Some(meant) = known.iter().find(|known| is_nearly(key, names_us, known)) {
                    said.push(format!("{path}.{list}[{key}] means nothing; did you mean {meant}?"));
                }
            }
        }
    };
    if let Some(metadata) = object.metadata() {
        look(metadata, "metadata");
    }
    if let Object::Workload(workload) = object {
        look(&workload.template.metadata, &format!("{}.metadata", workload.kind.template_path()));
        if let Some(jobs) = &workload.job_metadata {
            look(jobs, "spec.jobTemplate.metadata");
        }
        for (index, template) in workload.claim_templates.iter().enumerate() {
            look(&template.metadata, &format!("spec.volumeClaimTemplates[{index}].metadata"));
        }
    }
    if let Object::Volume(_) | Object::StorageClass(_) | Object::SnapshotContent(_) | Object::SnapshotClass(_) =
        object
        && let Some(metadata) = object.metadata()
    {
        said.extend(misdeclared(metadata));
    }
    said
}

/// Declarations of a place that are no code, and so declare nothing.
fn misdeclared(metadata: &Metadata) -> impl Iterator<Item = String> {
    [keys::JURISDICTION, keys::PROVIDER_JURISDICTION].into_iter().filter_map(|key| {
        let error = iso::parse(metadata.annotations.get(key)?).err()?;
        Some(format!("metadata.annotations[{key}] declares nothing: {error}"))
    })
}

/// Whether a key has our name in it, more or less.
fn names_us(key: &str) -> bool {
    let ours = |part: &[u8]| part[0].eq_ignore_ascii_case(&b'd') && part.eq_ignore_ascii_case(b"domicil");
    key.as_bytes().windows(7).any(ours)
}

/// Whether one key, which may name us, was meant for the other. Under the same prefix less will do.
fn is_nearly(written: &str, names_us: bool, known: &str) -> bool {
    // Most keys are neither, and comparing letters takes its time.
    let prefix = |key: &'_ str| key.find('/').unwrap_or_default();
    let alike = prefix(written) > 0 && written.get(..prefix(written)) == known.get(..prefix(known));
    if !alike && !names_us {
        return false;
    }
    let written = written.to_ascii_lowercase();
    match (written.split_once('/'), known.split_once('/')) {
        (Some((prefix, name)), Some((own, known))) if prefix == own => {
            strsim::jaro_winkler(name, known) >= ALIKE
        }
        _ => strsim::normalized_damerau_levenshtein(&written, known) >= NEARLY,
    }
}

/// Those that are governed, where they are few enough to read.
fn governed(court: Court<'_>) -> String {
    let mut known: Vec<String> =
        court.state.policies().governed().map(|token| format!("`{token}`")).collect();
    known.sort_unstable();
    if known.is_empty() || known.len() > MOST_NAMED {
        return String::new();
    }
    format!("; governed: {}", known.join(", "))
}

/// Refuses what carries nothing where something is required.
pub(super) fn require(
    court: Court<'_>,
    verdict: &mut Verdict,
    carried: &Carried<'_>,
    namespace: &str,
    path: &str,
) {
    let settings = court.state.settings();
    let Some(required) = settings.required.as_ref().filter(|_| carried.is_empty()) else { return };
    // A namespace that is not known could be one of those.
    let here =
        court.state.namespace(namespace).is_none_or(|entry| required.matches(LabelsRef::Map(&entry.labels)));
    if here {
        let key = settings.classification_keys.first().map_or("", String::as_str);
        let message = format!(
            "it carries no classification, and objects of namespace {namespace} must: add the annotation {key} to it or \
             to the namespace"
        );
        verdict.find([finding(Reason::Unclassified, &format!("{path}.annotations[{key}]"), message)]);
    }
}
