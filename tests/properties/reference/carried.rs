//! What objects carry: every edge of the table in semantics 2, followed until nothing is new.

use std::collections::BTreeSet;

use domicile::api::keys;
use domicile::objects::{ClaimSpec, Metadata, PodSpec, VolumeSource};

use super::World;

pub(crate) type Tokens = BTreeSet<String>;

fn is_dns_label(token: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&token.len())
        && token.chars().all(fits)
        && !token.starts_with('-')
        && !token.ends_with('-')
}

/// Every token written on the object itself, also those that are no DNS labels.
fn written(metadata: &Metadata) -> Vec<String> {
    let lists = [metadata.annotations.get(keys::CLASSIFICATION), metadata.annotations.get(keys::RECORDED)];
    let mut tokens: Vec<String> = lists
        .into_iter()
        .flatten()
        .flat_map(|list| list.split(','))
        .map(|token| token.trim().to_owned())
        .collect();
    tokens.extend(metadata.labels.get(keys::CLASSIFICATION).map(|token| token.trim().to_owned()));
    tokens.retain(|token| !token.is_empty());
    tokens
}

pub(crate) fn own(metadata: &Metadata) -> Tokens {
    written(metadata).into_iter().filter(|token| is_dns_label(token)).collect()
}

pub(crate) fn has_invalid_token(metadata: &Metadata) -> bool {
    written(metadata).iter().any(|token| !is_dns_label(token))
}

/// Something whose classifications are inherited.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    Namespace(String),
    Claim(String, String),
    Volume(String),
    Snapshot(String, String),
}

/// What a claim with this spec inherits from.
pub(crate) fn claim_sources(namespace: &str, spec: &ClaimSpec) -> Vec<Source> {
    let mut sources = vec![Source::Namespace(namespace.to_owned())];
    if let Some(from) = spec.source() {
        let of = if from.namespace.is_empty() { namespace } else { &from.namespace };
        match from.kind.as_str() {
            "PersistentVolumeClaim" => sources.push(Source::Claim(of.to_owned(), from.name.clone())),
            "VolumeSnapshot" => sources.push(Source::Snapshot(of.to_owned(), from.name.clone())),
            _ => {}
        }
    }
    if !spec.volume_name.is_empty() {
        sources.push(Source::Volume(spec.volume_name.clone()));
    }
    sources
}

/// What a pod with this spec inherits from, but for its ephemeral volumes.
pub(crate) fn pod_sources(namespace: &str, spec: &PodSpec) -> Vec<Source> {
    let claims = spec.volumes.iter().filter_map(|volume| match &volume.source {
        VolumeSource::Claim(name) => Some(Source::Claim(namespace.to_owned(), name.clone())),
        _ => None,
    });
    std::iter::once(Source::Namespace(namespace.to_owned())).chain(claims).collect()
}

impl World {
    /// What pods that mount this claim carry themselves.
    pub(crate) fn own_of_mounting_pods(&self, namespace: &str, claim: &str) -> Tokens {
        let mounts = |spec: &PodSpec| {
            spec.volumes
                .iter()
                .any(|volume| matches!(&volume.source, VolumeSource::Claim(name) if name == claim))
        };
        self.pods
            .iter()
            .filter(|pod| pod.metadata.namespace == namespace && mounts(&pod.spec))
            .flat_map(|pod| own(&pod.metadata))
            .collect()
    }

    /// Everything that comes from these sources, and from theirs.
    pub(crate) fn gather(&self, sources: Vec<Source>) -> Tokens {
        let mut open = sources;
        let mut seen = BTreeSet::new();
        let mut tokens = Tokens::new();
        while let Some(source) = open.pop() {
            if !seen.insert(source.clone()) {
                continue;
            }
            match source {
                Source::Namespace(name) => {
                    let found = self.namespaces.iter().find(|one| one.metadata.name == name);
                    tokens.extend(found.into_iter().flat_map(|one| own(&one.metadata)));
                }
                Source::Claim(namespace, name) => {
                    if let Some(claim) = self.claim(&namespace, &name) {
                        tokens.extend(own(&claim.metadata));
                        tokens.extend(self.own_of_mounting_pods(&namespace, &name));
                        open.extend(claim_sources(&namespace, &claim.spec));
                    }
                }
                Source::Volume(name) => {
                    if let Some(volume) = self.volume(&name) {
                        tokens.extend(own(&volume.metadata));
                        let claim = volume.spec.claim_ref.iter();
                        open.extend(claim.map(|of| Source::Claim(of.namespace.clone(), of.name.clone())));
                    }
                }
                Source::Snapshot(namespace, name) => {
                    let found = self
                        .snapshots
                        .iter()
                        .find(|one| one.metadata.namespace == namespace && one.metadata.name == name);
                    if let Some(snapshot) = found {
                        tokens.extend(own(&snapshot.metadata));
                        let claim = snapshot.spec.source.persistent_volume_claim_name.clone();
                        if !claim.is_empty() {
                            open.push(Source::Claim(namespace.clone(), claim));
                        }
                        open.push(Source::Namespace(namespace));
                    }
                }
            }
        }
        tokens
    }
}
