//! Kubernetes events: who was refused what, and why, where people look for it.
//!
//! A report is put into a bounded queue and never waited for, so that no answer is held up by it. What does not fit, or
//! is said too often, is dropped and counted.

mod recorder;

use std::sync::Arc;
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use kube::Client;
use parking_lot::Mutex;
use tokio::sync::mpsc;

use self::recorder::Recorder;
use super::allowance::{Allowance, Rate};
use crate::objects::ObjectRef;
use crate::server::Metrics;

/// As `reportingController` says it.
pub(super) const CONTROLLER: &str = "domicile.dev/controller";
/// The API server takes no longer note. It counts bytes.
const NOTE_LIMIT: usize = 1_024;
/// Reports that may wait.
const CAPACITY: usize = 512;
/// One reason about one object because of one policy: a controller that tries again and again says nothing new.
const EACH: Rate = Rate { burst: 3, every: Duration::from_mins(1) };
/// All together, those of admission and those of the audit each: what the API server bears without noticing.
const ALL: Rate = Rate { burst: 50, every: Duration::from_millis(100) };
/// No event is worth a longer wait.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why there is an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// An object was refused.
    ResidencyDenied,
    /// An object was admitted that breaks a policy which only warns.
    ResidencyWarned,
    /// A pod was confined to permitted places.
    ResidencyConfined,
    /// An object that exists breaks a policy.
    ResidencyViolation,
    /// An object that broke a policy breaks it no more.
    ResidencyRestored,
    /// A place or an exception ends soon.
    ResidencyGrantExpiring,
    /// What is said of where a node is contradicts itself.
    LocationConflict,
}

impl Reason {
    /// As `reason` says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ResidencyDenied => "ResidencyDenied",
            Self::ResidencyWarned => "ResidencyWarned",
            Self::ResidencyConfined => "ResidencyConfined",
            Self::ResidencyViolation => "ResidencyViolation",
            Self::ResidencyRestored => "ResidencyRestored",
            Self::ResidencyGrantExpiring => "ResidencyGrantExpiring",
            Self::LocationConflict => "LocationConflict",
        }
    }

    fn severity(self) -> &'static str {
        match self {
            Self::ResidencyConfined | Self::ResidencyRestored => "Normal",
            Self::ResidencyDenied
            | Self::ResidencyWarned
            | Self::ResidencyViolation
            | Self::ResidencyGrantExpiring
            | Self::LocationConflict => "Warning",
        }
    }
}

/// What is to be told.
#[derive(Clone, Debug)]
pub struct Report {
    /// Why.
    pub reason: Reason,
    /// What was done, in a word: `Create`, `Bind`, `Audit`.
    pub action: &'static str,
    /// In words, of any length.
    pub note: String,
    /// The object that it is about. About one without a namespace it is told in `default`.
    pub regarding: ObjectReference,
    /// The policy because of which.
    pub related: Option<ObjectReference>,
}

impl Report {
    /// About an object. `uid` is that of the object if it exists.
    #[must_use]
    pub fn about(
        object: &ObjectRef,
        uid: Option<&str>,
        reason: Reason,
        action: &'static str,
        note: &str,
    ) -> Self {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let regarding = ObjectReference {
            api_version: some(&object.api_version),
            kind: some(&object.kind),
            namespace: some(&object.namespace),
            name: some(&object.name),
            uid: uid.and_then(some),
            ..ObjectReference::default()
        };
        Self { reason, action, note: note.to_owned(), regarding, related: None }
    }

    /// Because of this policy.
    #[must_use]
    pub fn because_of(mut self, policy: &str) -> Self {
        self.related = Some(ObjectReference {
            api_version: Some("domicile.dev/v1alpha1".to_owned()),
            kind: Some("ResidencyPolicy".to_owned()),
            name: Some(policy.to_owned()),
            ..ObjectReference::default()
        });
        self
    }

    /// `note` is empty where what is said in other words is no other thing: who is refused may try again and again, and be
    /// told something else each time.
    fn key(&self, note: &str) -> Key {
        let name = |object: &ObjectReference| object.name.clone().unwrap_or_default();
        Key {
            reason: self.reason,
            action: self.action,
            kind: self.regarding.kind.clone().unwrap_or_default(),
            namespace: self.regarding.namespace.clone().unwrap_or_default(),
            name: name(&self.regarding),
            related: self.related.as_ref().map(name).unwrap_or_default(),
            note: note.to_owned(),
        }
    }
}

/// What makes two reports the same one said twice.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    reason: Reason,
    action: &'static str,
    kind: String,
    namespace: String,
    name: String,
    related: String,
    note: String,
}

/// Takes reports. Clones share one queue.
#[derive(Clone, Debug)]
pub struct Events {
    queue: mpsc::Sender<Report>,
    of_admission: Arc<Mutex<Allowance<Key>>>,
    /// One of its own: whoever has enough refused would silence the audit else.
    of_audit: Arc<Mutex<Allowance<Key>>>,
    publisher: Publisher,
}

impl Events {
    /// A queue, and what empties it: into the cluster, or into the log where there is none. `instance` names this
    /// process, by its pod say.
    ///
    /// [`Teller::tell`] must run beside; it ends when every handle is gone and all that was queued has been told.
    #[must_use]
    pub fn new(client: Option<Client>, instance: Option<String>, metrics: Metrics) -> (Self, Teller) {
        let (queue, reports) = mpsc::channel(CAPACITY);
        let allowance = || Arc::new(Mutex::new(Allowance::new(EACH, ALL, Instant::now())));
        let recorder = client.map(Recorder::new);
        let publisher =
            Publisher { recorder, instance: instance.unwrap_or_else(|| CONTROLLER.to_owned()), metrics };
        let teller = Teller { reports, publisher: publisher.clone() };
        (Self { queue, of_admission: allowance(), of_audit: allowance(), publisher }, teller)
    }

    /// Has something of admission told, soon or never.
    pub fn report(&self, report: Report) {
        let allowed = self.of_admission.lock().take(report.key(""), Instant::now());
        if !allowed || self.queue.try_send(report).is_err() {
            self.publisher.metrics.event_dropped();
        }
    }

    /// Whether something of the audit may be told now. If not, it is dropped.
    pub(super) fn may_tell(&self, report: &Report) -> bool {
        let allowed = self.of_audit.lock().take(report.key(&report.note), Instant::now());
        if !allowed {
            self.publisher.metrics.event_dropped();
        }
        allowed
    }

    /// Gives up something of the audit that could not be told.
    pub(super) fn give_up(&self, report: &Report, reason: String) {
        self.publisher.count(report, Err(Failed::Unanswered(reason)));
    }

    /// Tells something that [may be told](Self::may_tell) now: nothing of it is left to be told afterwards.
    ///
    /// # Errors
    /// If there is no answer that settles it, and so it may be told another time.
    pub(super) async fn tell(&self, report: &Report) -> Result<(), String> {
        match self.publisher.publish(report).await {
            Err(Failed::Unanswered(reason)) => Err(reason),
            outcome => {
                self.publisher.count(report, outcome);
                Ok(())
            }
        }
    }
}

/// Tells what was reported.
pub struct Teller {
    reports: mpsc::Receiver<Report>,
    publisher: Publisher,
}

impl Teller {
    /// Tells one report after the other.
    pub async fn tell(mut self) {
        while let Some(report) = self.reports.recv().await {
            let outcome = self.publisher.publish(&report).await;
            self.publisher.count(&report, outcome);
        }
    }
}

/// Why an event could not be published.
enum Failed {
    /// The API server does not take it.
    Refused(String),
    /// The API server has not answered, or says that it cannot now.
    Unanswered(String),
}

/// Writes events, and counts them.
#[derive(Clone)]
struct Publisher {
    recorder: Option<Recorder>,
    instance: String,
    metrics: Metrics,
}

impl std::fmt::Debug for Publisher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Publisher")
    }
}

impl Publisher {
    fn count(&self, report: &Report, outcome: Result<(), Failed>) {
        if let Err(Failed::Refused(reason) | Failed::Unanswered(reason)) = outcome {
            self.metrics.event_dropped();
            let about = named(&report.regarding);
            tracing::warn!(event = report.reason.as_str(), about, reason, "an event could not be published");
        } else {
            self.metrics.event_published();
        }
    }

    async fn publish(&self, report: &Report) -> Result<(), Failed> {
        let note = shortened(&report.note);
        let Some(recorder) = &self.recorder else {
            let policy = report.related.as_ref().map(named).unwrap_or_default();
            tracing::info!(
                event = report.reason.as_str(),
                about = named(&report.regarding),
                policy,
                "{note}"
            );
            return Ok(());
        };
        let event = Event {
            type_: Some(report.reason.severity().to_owned()),
            reason: Some(report.reason.as_str().to_owned()),
            note: Some(note),
            action: Some(report.action.to_owned()),
            regarding: Some(nameable(&report.regarding)),
            related: report.related.clone(),
            reporting_controller: Some(CONTROLLER.to_owned()),
            reporting_instance: Some(self.instance.clone()),
            ..Event::default()
        };
        match tokio::time::timeout(TIMEOUT, recorder.publish(event)).await {
            Ok(Ok(())) => Ok(()),
            // That it cannot now does not say that it would not.
            Ok(Err(kube::Error::Api(status))) if status.code != 429 && status.code < 500 => {
                Err(Failed::Refused(status.message.clone()))
            }
            Ok(Err(error)) => Err(Failed::Unanswered(error.to_string())),
            Err(_) => Err(Failed::Unanswered(format!("no answer within {} s", TIMEOUT.as_secs()))),
        }
    }
}

/// The object under a name that an event can bear: one that is still to be made from `generateName` goes by what it
/// begins with.
fn nameable(object: &ObjectReference) -> ObjectReference {
    let some = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let name = object.name.as_deref().unwrap_or_default().trim_end_matches(['*', '-', '.']);
    let name = match name {
        "" => object.kind.as_deref().unwrap_or("object").to_ascii_lowercase(),
        name => name.to_owned(),
    };
    ObjectReference { name: Some(name), namespace: some(&object.namespace), ..object.clone() }
}

fn named(object: &ObjectReference) -> String {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (api_version, kind) = (text(&object.api_version), text(&object.kind));
    ObjectRef { api_version, kind, namespace: text(&object.namespace), name: text(&object.name) }.to_string()
}

/// A note as the API server takes it.
pub(super) fn shortened(note: &str) -> String {
    const MORE: &str = "…";
    if note.len() <= NOTE_LIMIT {
        return note.to_owned();
    }
    let cut = note.floor_char_boundary(NOTE_LIMIT - MORE.len());
    format!("{}{MORE}", note[..cut].trim_end())
}

#[cfg(test)]
mod tests;
