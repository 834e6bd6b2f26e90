//! What an object carries: its own classifications, and those that it inherits (semantics 2).

use std::borrow::Cow;
use std::fmt;

use ahash::AHashSet;

use super::verdict::CarriedClassification;
use crate::cluster::{ClaimEntry, Own, OwnSource, SnapshotEntry, State, VolumeEntry, mounted_claims};
use crate::objects::{ClaimTemplate, DataSource, Volume, VolumeSource};

/// Where a classification comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Origin<'a> {
    /// The object itself.
    Own(OwnSource),
    /// The template of a workload.
    Template(OwnSource),
    /// A claim template, by name.
    ClaimTemplate(&'a str),
    /// Another object: its kind, namespace and name.
    Object(&'static str, &'a str, Cow<'a, str>),
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(source) => f.write_str(source.as_str()),
            Self::Template(source) => write!(f, "template {}", source.as_str()),
            Self::ClaimTemplate(name) => write!(f, "claim template {name}"),
            Self::Object(kind, "", name) => write!(f, "{kind} {name}"),
            Self::Object(kind, namespace, name) => write!(f, "{kind} {namespace}/{name}"),
        }
    }
}

/// Everything that an object carries.
#[derive(Clone, Debug, Default)]
pub(super) struct Carried<'a> {
    /// Each with one of its origins, sorted, each pair once.
    tokens: Vec<(Cow<'a, str>, Origin<'a>)>,
}

impl<'a> Carried<'a> {
    /// The valid ones, each once.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.each().filter(|token| crate::policy::is_dns_label(token))
    }

    fn each(&self) -> impl Iterator<Item = &str> {
        let mut last = None;
        self.tokens
            .iter()
            .map(|(token, _)| &**token)
            .filter(move |token| last.replace(*token) != Some(*token))
    }

    /// Those that are no DNS label, with where they stand.
    pub(super) fn invalid(&self) -> impl Iterator<Item = (&str, &Origin<'a>)> {
        self.tokens
            .iter()
            .filter(|(token, _)| !crate::policy::is_dns_label(token))
            .map(|(token, origin)| (&**token, origin))
    }

    /// Whether it carries nothing, not even something invalid.
    pub(super) fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// How many the object writes itself, or in what it makes.
    pub(super) fn written(&self) -> usize {
        let is_written = |origin: &Origin<'_>| match origin {
            Origin::Own(source) | Origin::Template(source) => *source != OwnSource::Record,
            Origin::ClaimTemplate(_) => true,
            Origin::Object(..) => false,
        };
        self.tokens.iter().filter(|(_, origin)| is_written(origin)).count()
    }

    /// Whether it carries this one.
    pub(super) fn has(&self, token: &str) -> bool {
        self.tokens.binary_search_by(|(known, _)| (**known).cmp(token)).is_ok()
    }

    /// The same, borrowing from nothing. Only what is carried is asked of it, not where that came from.
    pub(super) fn into_owned(self) -> Carried<'static> {
        let own = |(token, _): (Cow<'_, str>, _)| {
            (Cow::Owned(token.into_owned()), Origin::Own(OwnSource::Annotation))
        };
        Carried { tokens: self.tokens.into_iter().map(own).collect() }
    }

    /// For people: each with its origins.
    pub(super) fn tell(&self) -> Vec<CarriedClassification> {
        let tell = |(token, origin): &(Cow<'_, str>, Origin<'_>)| CarriedClassification {
            name: token.clone().into_owned(),
            from: origin.to_string(),
        };
        self.tokens.iter().map(tell).collect()
    }
}

/// Something that classifications flow through.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Through<'a> {
    Claim(&'a str, &'a str),
    Volume(&'a str),
    Snapshot(&'a str, &'a str),
}

/// What was reached, and is to be followed.
#[derive(Clone, Copy)]
enum Ahead<'a> {
    Claim(&'a str, &'a str, &'a ClaimEntry),
    Volume(&'a VolumeEntry),
    Snapshot(&'a str, &'a SnapshotEntry),
}

/// Follows the edges along which classifications flow, each object once. What is ahead is a list and not the stack:
/// clones of clones can be a longer chain than a stack is deep.
pub(super) struct Walk<'a> {
    state: &'a State,
    tokens: Vec<(Cow<'a, str>, Origin<'a>)>,
    seen: AHashSet<Through<'a>>,
    ahead: Vec<Ahead<'a>>,
    namespaces: Vec<&'a str>,
    /// The namespace and name of the pod that is asked about: what the state has of it is not read back through what
    /// it mounts, or it could never lose anything.
    pod: Option<(&'a str, &'a str)>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(state: &'a State) -> Self {
        Self {
            state,
            tokens: Vec::new(),
            seen: AHashSet::new(),
            ahead: Vec::new(),
            namespaces: Vec::new(),
            pod: None,
        }
    }

    pub(super) fn finish(mut self) -> Carried<'a> {
        while let Some(next) = self.ahead.pop() {
            match next {
                Ahead::Claim(namespace, name, entry) => self.follow_claim(namespace, name, entry),
                Ahead::Volume(entry) => {
                    if let Some(claim) = &entry.claim {
                        self.claim(&claim.namespace, &claim.name);
                    }
                }
                Ahead::Snapshot(namespace, entry) => self.follow_snapshot(namespace, entry),
            }
        }
        self.tokens.sort_unstable();
        self.tokens.dedup();
        Carried { tokens: self.tokens }
    }

    pub(super) fn add(&mut self, own: &'a [Own], origin: impl Fn(OwnSource) -> Origin<'a>) {
        self.tokens.extend(own.iter().map(|one| (Cow::Borrowed(&*one.token), origin(one.source))));
    }

    /// As [`Walk::add`], of what was read a moment ago.
    pub(super) fn add_read(&mut self, own: Vec<Own>, origin: impl Fn(OwnSource) -> Origin<'a>) {
        self.tokens
            .extend(own.into_iter().map(|one| (Cow::Owned(one.token.to_string()), origin(one.source))));
    }

    pub(super) fn namespace(&mut self, namespace: &'a str) {
        if self.namespaces.contains(&namespace) {
            return;
        }
        self.namespaces.push(namespace);
        if let Some(entry) = self.state.namespace(namespace) {
            self.add(&entry.own, |_| Origin::Object("namespace", "", namespace.into()));
        }
    }

    /// What a pod of this name (empty if not known) mounts, and what the templates of its own claims say.
    pub(super) fn mounts(&mut self, namespace: &'a str, pod: &'a str, volumes: &'a [Volume]) {
        self.pod = Some((namespace, pod));
        for claim in mounted_claims(volumes, pod) {
            self.claim(namespace, &claim);
        }
        for volume in volumes {
            if let VolumeSource::Ephemeral(template) = &volume.source {
                self.claim_template(namespace, template, &volume.name);
            }
        }
    }

    /// A claim that is yet to be made: what its template says, and what it will be made from.
    pub(super) fn claim_template(&mut self, namespace: &'a str, template: &'a ClaimTemplate, name: &'a str) {
        self.add_read(Own::of(&template.metadata, self.state.settings()), |_| Origin::ClaimTemplate(name));
        self.data_source(namespace, template.spec.source());
        self.volume(&template.spec.volume_name);
    }

    /// A claim that another object names.
    pub(super) fn claim(&mut self, namespace: &'a str, name: &str) {
        let Some((name, entry)) = self.state.named_claim(namespace, name) else { return };
        if self.seen.insert(Through::Claim(namespace, name)) {
            self.add(&entry.own, |_| Origin::Object("claim", namespace, name.into()));
            self.ahead.push(Ahead::Claim(namespace, name, entry));
        }
    }

    /// What flows into a claim from around it.
    pub(super) fn claim_edges(&mut self, namespace: &'a str, name: &'a str, entry: &'a ClaimEntry) {
        self.seen.insert(Through::Claim(namespace, name));
        self.ahead.push(Ahead::Claim(namespace, name, entry));
    }

    fn follow_claim(&mut self, namespace: &'a str, name: &'a str, entry: &'a ClaimEntry) {
        self.namespace(namespace);
        self.data_source(namespace, entry.source.as_deref());
        if let Some(volume) = &entry.volume {
            // Named is enough: what is not bound yet may be, or says what the claim is after.
            self.volume(volume);
        }
        let asked = self.pod;
        for (own, pods) in self.state.brought(namespace, name) {
            // Of those that bring the same, one is enough to say where it is from.
            let mut others = pods.iter().map(|pod| &**pod).filter(|pod| asked != Some((namespace, *pod)));
            if let Some(pod) = others.next() {
                self.add(own, |_| Origin::Object("pod", namespace, pod.into()));
            }
        }
    }

    /// What a claim is made from.
    fn data_source(&mut self, namespace: &'a str, source: Option<&'a DataSource>) {
        let Some(source) = source else { return };
        let from = if source.namespace.is_empty() { namespace } else { &source.namespace };
        match source.kind.as_str() {
            "PersistentVolumeClaim" => self.claim(from, &source.name),
            "VolumeSnapshot" => self.snapshot(from, &source.name),
            _ => {}
        }
    }

    /// A volume that another object names.
    pub(super) fn volume(&mut self, name: &str) {
        let Some((name, entry)) = self.state.named_volume(name) else { return };
        if self.seen.insert(Through::Volume(name)) {
            self.add(&entry.own, |_| Origin::Object("volume", "", name.into()));
            self.ahead.push(Ahead::Volume(entry));
        }
    }

    /// What flows into a volume from around it.
    pub(super) fn volume_edges(&mut self, name: &'a str, entry: &'a VolumeEntry) {
        self.seen.insert(Through::Volume(name));
        self.ahead.push(Ahead::Volume(entry));
    }

    /// A snapshot that another object names.
    pub(super) fn snapshot(&mut self, namespace: &'a str, name: &str) {
        let Some((name, entry)) = self.state.named_snapshot(namespace, name) else { return };
        if self.seen.insert(Through::Snapshot(namespace, name)) {
            self.add(&entry.own, |_| Origin::Object("snapshot", namespace, name.into()));
            self.ahead.push(Ahead::Snapshot(namespace, entry));
        }
    }

    /// What flows into a snapshot from around it.
    pub(super) fn snapshot_edges(&mut self, namespace: &'a str, entry: &'a SnapshotEntry) {
        self.ahead.push(Ahead::Snapshot(namespace, entry));
    }

    fn follow_snapshot(&mut self, namespace: &'a str, entry: &'a SnapshotEntry) {
        self.namespace(namespace);
        if let Some(claim) = &entry.claim {
            self.claim(namespace, claim);
        }
        if let Some(content) = entry.content.as_deref()
            && let Some(there) = self.state.content(content)
        {
            self.add(&there.own, |_| Origin::Object("snapshot content", "", content.into()));
        }
    }
}
