//! Has the leader tell what an audit found: an event about each object that comes to break a policy, or does no more.
//!
//! Every replica hears the same news. Those that do not lead keep the latest, and all of them while nobody leads, and
//! whoever takes over tells what the cluster has not been told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::{Api, Client};
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

use super::auditor::News;
use super::events::{CONTROLLER, Events, Reason, Report, shortened};
use super::grants::LEFT;
use super::leader::Lookout;
use crate::cluster::{Key, head};
use crate::server::Metrics;

/// News that wait to be told.
const CAPACITY: usize = 4_096;
/// News that are older than this were told by whoever leads, if somebody does: a lease is far shorter.
const FRESH: Duration = Duration::from_mins(1);
/// No read takes longer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long is waited before the API server is asked again what it could not tell.
const AGAIN: Duration = Duration::from_secs(2);
/// How long an event is told again while the API server answers what else it is asked: all others wait for it.
const PATIENCE: Duration = Duration::from_mins(5);
/// Events a page.
const PAGE: u32 = 500;

/// News, and when they came.
#[derive(Debug)]
struct Waiting {
    since: Instant,
    news: Arc<News>,
}

/// Takes news and has them told.
#[derive(Debug)]
pub struct Herald {
    news: Mutex<VecDeque<Waiting>>,
    filled: Notify,
    /// [`PATIENCE`].
    patience: Duration,
    metrics: Metrics,
}

/// What an event is about, apart from how often it happened.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    kind: String,
    namespace: String,
    name: String,
    /// The policy; empty where there is none.
    policy: String,
    /// Of what ends: which of it when. A policy may have several places that do.
    ending: String,
}

/// The last word that the cluster has on each subject.
type LastWords = BTreeMap<Subject, (Timestamp, String)>;

impl Herald {
    /// One that has heard nothing yet.
    #[must_use]
    pub fn new(metrics: Metrics) -> Self {
        Self { news: Mutex::default(), filled: Notify::new(), patience: PATIENCE, metrics }
    }

    /// Takes news. What is too much goes, the oldest first, and is counted.
    pub fn hear(&self, news: impl IntoIterator<Item = News>) {
        let since = Instant::now();
        let mut waiting = self.news.lock();
        for news in news {
            if waiting.len() == CAPACITY {
                waiting.pop_front();
                self.metrics.event_dropped();
            }
            waiting.push_back(Waiting { since, news: Arc::new(news) });
        }
        drop(waiting);
        self.filled.notify_one();
    }

    /// Tells news while this process leads, for as long as the future is polled.
    ///
    /// `audited` counts audits: what the first one finds, another may have told. `lookout` is asked whether another leads.
    pub async fn run(
        &self,
        client: Client,
        events: Events,
        mut lookout: Lookout,
        mut leads: watch::Receiver<bool>,
        mut audited: watch::Receiver<u64>,
    ) {
        if audited.wait_for(|audits| *audits > 0).await.is_err() {
            return;
        }
        loop {
            let is_leader = *leads.borrow_and_update();
            self.metrics.leader(is_leader);
            if is_leader {
                tokio::select! {
                    biased;
                    changed = leads.changed() => if changed.is_err() { return },
                    () = self.lead(&client, &events) => {}
                }
                lookout.forget();
            } else {
                tokio::select! {
                    changed = leads.changed() => if changed.is_err() { return },
                    () = tokio::time::sleep(FRESH) => self.forget_told(&mut lookout).await,
                }
            }
        }
    }

    /// Tells news. What is not told when this ends stays.
    async fn lead(&self, client: &Client, events: &Events) {
        tracing::info!("this replica leads: it writes events and statuses");
        let mut said = loop {
            match last_words(client).await {
                Ok(said) => break Some(said),
                Err(reason) => {
                    tracing::warn!(reason, "it is not known what was told already; asking again");
                    tokio::time::sleep(AGAIN).await;
                }
            }
        };
        loop {
            let next = self.news.lock().front().map(|waiting| Arc::clone(&waiting.news));
            if let Some(news) = next {
                self.tell(client, events, said.as_mut(), &news).await;
                self.done(&news);
            } else {
                // All that another may have told is through.
                said = None;
                self.filled.notified().await;
            }
        }
    }

    /// Tells news, unless it was the last word on its subject already.
    async fn tell(&self, client: &Client, events: &Events, said: Option<&mut LastWords>, news: &News) {
        let (reason, subject, note) = told(news);
        if let Some(said) = said
            && said
                .insert(subject.clone(), (Timestamp::now(), reason.as_str().to_owned()))
                .is_some_and(|(at, last)| last == reason.as_str() && !news.is_another_time(at))
        {
            return;
        }
        let key = news.object();
        let mut report = Report::about(&key.to_ref(), None, reason, "Audit", &note);
        if !subject.policy.is_empty() {
            report = report.because_of(&subject.policy);
        }
        if !events.may_tell(&report) {
            return;
        }
        let mut answers_since = Instant::now();
        loop {
            match uid(client, key).await {
                Ok(Some(uid)) => report.regarding.uid = Some(uid).filter(|uid| !uid.is_empty()),
                // It is gone, and so is whatever it broke.
                Ok(None) => return,
                Err(error) => {
                    tracing::warn!(object = %key.to_ref(), error, "it cannot be read, so it is told without its uid");
                    answers_since = Instant::now();
                }
            }
            let Err(reason) = events.tell(&report).await else { return };
            if answers_since.elapsed() >= self.patience {
                events.give_up(&report, reason);
                return;
            }
            tracing::warn!(object = %key.to_ref(), reason, "there is no answer to an event; telling it again");
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// It may have gone already, for want of room.
    fn done(&self, news: &Arc<News>) {
        let mut waiting = self.news.lock();
        if waiting.front().is_some_and(|first| Arc::ptr_eq(&first.news, news)) {
            waiting.pop_front();
        }
    }

    /// What is told by nobody is kept.
    async fn forget_told(&self, lookout: &mut Lookout) {
        if lookout.is_led().await {
            self.news.lock().retain(|waiting| waiting.since.elapsed() < FRESH);
        }
    }
}

impl News {
    fn object(&self) -> &Key {
        match self {
            Self::Standing(transition) => &transition.object,
            Self::Conflict { node, .. } | Self::Joining { node, .. } => node,
            Self::Expiring { grant, .. } => grant,
        }
    }

    /// Whether it has happened again since it was told. Of a node nobody tells that what it broke is restored; and each
    /// replica sees it at a moment of its own.
    fn is_another_time(&self, told: Timestamp) -> bool {
        let fresh = SignedDuration::try_from(FRESH).unwrap_or(SignedDuration::MAX);
        matches!(self, Self::Joining { at, .. } if at.duration_since(told) > fresh)
    }
}

/// What is told of news, about whom, in which words.
fn told(news: &News) -> (Reason, Subject, String) {
    let (reason, policy, note) = match news {
        News::Standing(transition) => {
            let policy = transition.policy.as_deref().unwrap_or_default();
            let (reason, note) = match &transition.broken {
                Some(note) => (Reason::ResidencyViolation, note.clone()),
                None if policy.is_empty() => {
                    (Reason::ResidencyRestored, "nothing is wrong with it any more".to_owned())
                }
                None => (Reason::ResidencyRestored, format!("it does not break policy {policy} any more")),
            };
            (reason, policy, note)
        }
        News::Joining { policy, note, .. } => (Reason::ResidencyViolation, &**policy, note.clone()),
        News::Conflict { note, .. } => (Reason::LocationConflict, "", note.clone()),
        News::Expiring { note, .. } => (Reason::ResidencyGrantExpiring, "", note.clone()),
    };
    let object = news.object();
    let subject = Subject {
        kind: object.kind.as_str().to_owned(),
        namespace: object.namespace.clone(),
        name: object.name.clone(),
        policy: policy.to_owned(),
        ending: ending(reason.as_str(), &note),
    };
    (reason, subject, note)
}

/// What a note says apart from how long it is until then.
fn ending(reason: &str, note: &str) -> String {
    if reason != Reason::ResidencyGrantExpiring.as_str() {
        return String::new();
    }
    let note = shortened(note);
    note.rsplit_once(LEFT).map_or(&*note, |(ends, _)| ends).to_owned()
}

/// What was told last of each subject, by this process or another, as far as the cluster remembers it.
async fn last_words(client: &Client) -> Result<LastWords, String> {
    let api: Api<Event> = Api::all(client.clone());
    let mut params = ListParams::default().fields(&format!("reportingController={CONTROLLER}")).limit(PAGE);
    let mut said = LastWords::new();
    loop {
        let page = match tokio::time::timeout(TIMEOUT, api.list(&params)).await {
            Ok(Ok(page)) => page,
            Ok(Err(error)) => return Err(error.to_string()),
            Err(_) => return Err(format!("no answer within {} s", TIMEOUT.as_secs())),
        };
        for event in page.items {
            let audited = [
                Reason::ResidencyViolation,
                Reason::ResidencyRestored,
                Reason::LocationConflict,
                Reason::ResidencyGrantExpiring,
            ];
            let (Some(reason), Some(regarding)) = (event.reason, event.regarding) else { continue };
            if !audited.iter().any(|one| one.as_str() == reason) {
                continue;
            }
            let series = event.series.map(|series| series.last_observed_time.0);
            let at = series.or(event.event_time.map(|time| time.0)).unwrap_or_default();
            let subject = Subject {
                kind: regarding.kind.unwrap_or_default(),
                namespace: regarding.namespace.unwrap_or_default(),
                name: regarding.name.unwrap_or_default(),
                policy: event.related.and_then(|related| related.name).unwrap_or_default(),
                ending: ending(&reason, &event.note.unwrap_or_default()),
            };
            let last = said.entry(subject).or_insert((at, reason.clone()));
            if last.0 < at {
                *last = (at, reason);
            }
        }
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => return Ok(said),
        }
    }
}

/// The uid of an object: what `kubectl describe` looks for its events by. `None`: it is gone.
pub(super) async fn uid(client: &Client, key: &Key) -> Result<Option<String>, String> {
    match tokio::time::timeout(TIMEOUT, head::read(client, key)).await {
        Ok(Ok(found)) => Ok(found.map(|found| found.uid)),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", TIMEOUT.as_secs())),
    }
}

#[cfg(test)]
mod tests;
