//! Has the leader keep a report of every object that a policy selects, where the cluster serves a kind for them.
//!
//! One report an object, as Kyverno and Kubewarden came to do it: a report of a whole namespace outgrows what etcd takes.
//! What is wanted is worked out from the ledger when it is written, so nothing waits but names of objects, and at most so
//! many of them as there may be reports.

mod content;
mod dialect;
mod read;
mod shelf;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ahash::AHashSet;
use futures::FutureExt;
use futures::stream::{self, FuturesUnordered, Stream, StreamExt};
use jiff::Timestamp;
use kube::api::DynamicObject;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use self::content::{MANAGED_BY, SOURCE, about};
use self::dialect::{Dialect, served};
pub use self::read::{Beginnings, beginnings};
use self::shelf::{Room, Shelf, Step};
use self::write::{Done, Failed, Job, Wrote, clear, done, value};
use super::ledger::Ledger;
use crate::cluster::live::WATCH_SECONDS;
use crate::cluster::{Changed, Key, Shared};
use crate::residency::{AUDITED, stored};
use crate::server::Metrics;

/// How often it is asked what the cluster serves by now.
const ASK: Duration = Duration::from_secs(10);
/// The API server may not know yet what it serves when it starts: so often it must say no.
const MISSES: u32 = 2;
/// Writes that are under way at the same time, each about another object.
const TOGETHER: usize = 8;
/// Between the beginnings of two writes: what the API server bears without noticing.
const PACE: Duration = Duration::from_millis(5);
/// How long is waited after it could not be asked.
const AGAIN: Duration = Duration::from_secs(2);
/// How long is waited after a write that failed before another one begins.
const FAILED: Duration = Duration::from_millis(250);
/// How long a report stays as somebody else has changed it, or as a write that failed has left it: who goes on doing so is
/// not raced.
const CHANGED: Duration = Duration::from_secs(5);
/// How often it is looked whether objects that have no report for want of room may have one.
const ROOM: Duration = Duration::from_mins(1);
/// Objects that are looked at before those who wait for the ledger have their turn.
const CHUNK: usize = 256;
/// Reports a page.
const PAGE: u32 = 250;
/// Strays that are taken away before the next are looked for.
const STRAYS: usize = 1_024;

/// What keeping reports takes.
#[derive(Clone, Debug)]
pub struct Reports {
    /// What is known of the cluster.
    pub shared: Shared,
    /// What has been found.
    pub ledger: Arc<Mutex<Ledger>>,
    /// Changes after each audit.
    pub audited: watch::Receiver<u64>,
    /// What is counted.
    pub metrics: Metrics,
    /// How many reports there may be.
    pub limit: usize,
}

/// What comes in of one kind of reports: of those about objects in namespaces, or of the others.
type Incoming = (bool, watcher::Result<Event<DynamicObject>>);

/// What has come in of one report.
enum Seen {
    Stored(Value),
    /// That of the object with this uid is gone.
    Gone(Box<str>),
}

impl Reports {
    /// Keeps reports while this process leads, for as long as the future is polled.
    pub async fn run(mut self, client: Client, mut leads: watch::Receiver<bool>) {
        // Before the first audit nothing is known.
        if self.audited.wait_for(|audits| *audits > 0).await.is_err() {
            return;
        }
        loop {
            if *leads.borrow_and_update() {
                tokio::select! {
                    biased;
                    changed = leads.changed() => if changed.is_err() { return },
                    () = self.lead(&client) => {}
                }
                self.metrics.reports(0, 0);
            } else if leads.changed().await.is_err() {
                return;
            }
        }
    }

    async fn lead(&mut self, client: &Client) {
        loop {
            let wait = match served(client).await {
                Ok(dialects) => match dialects.first() {
                    Some(dialect) => {
                        for other in &dialects[1..] {
                            clear(client, other).await;
                        }
                        self.keep(client, dialect).await;
                        Duration::ZERO
                    }
                    None => ASK,
                },
                Err(reason) => {
                    tracing::debug!(
                        reason,
                        "it is not known whether the cluster serves reports; asking again"
                    );
                    AGAIN
                }
            };
            self.metrics.reports(0, 0);
            tokio::time::sleep(wait).await;
        }
    }

    /// Keeps reports of a form until the cluster serves it no more, or a better one.
    async fn keep(&mut self, client: &Client, dialect: &'static Dialect) {
        tracing::info!(form = dialect.api_version(), "the cluster serves reports: keeping them");
        let mut keeping = keeping(client, dialect, Arc::clone(&self.ledger), self.limit);
        let mut seen = stream::select(keeping.follow(true), keeping.follow(false));
        let mut asks = tokio::time::interval(ASK);
        let mut settles = tokio::time::interval(CHANGED);
        let mut misses = 0;
        let mut next_write = Instant::now();
        let mut looked = Instant::now();
        loop {
            tokio::select! {
                biased;
                Some((namespaced, event)) = seen.next() => {
                    if keeping.take(namespaced, event) {
                        keeping.look_at_all(&self.shared).await;
                        looked = Instant::now();
                    }
                }
                Ok(()) = self.audited.changed(), if keeping.is_synced() => {
                    let fresh = self.ledger.lock().take_fresh();
                    match fresh {
                        Changed::Objects(objects) => keeping.look_at(objects),
                        Changed::Everything => keeping.look_at_all(&self.shared).await,
                    }
                }
                Some(done) = keeping.writing.next() => {
                    if !keeping.end(done) {
                        next_write = Instant::now() + FAILED;
                    }
                }
                () = tokio::time::sleep_until(next_write), if keeping.may_begin() => {
                    if keeping.begin() {
                        next_write = Instant::now() + PACE;
                    }
                }
                _ = settles.tick() => {
                    let changed = std::mem::take(&mut keeping.changed);
                    keeping.look_at(changed);
                    let left_out = keeping.left_out();
                    self.metrics.reports(keeping.shelf.len(), left_out);
                    if left_out > 0 && looked.elapsed() >= ROOM && !keeping.is_behind() {
                        keeping.look_at_all(&self.shared).await;
                        looked = Instant::now();
                    }
                }
                _ = asks.tick() => {
                    let is_served = match served(client).await {
                        Ok(dialects) => dialects.first() == Some(&dialect),
                        Err(_) => true,
                    };
                    misses = if is_served { 0 } else { misses + 1 };
                    if misses >= MISSES {
                        tracing::info!(form = dialect.api_version(), "the cluster serves other reports now, or none");
                        return;
                    }
                }
            }
        }
    }
}

/// The keeping of reports of one form.
struct Keeping<'a> {
    client: &'a Client,
    dialect: &'static Dialect,
    ledger: Arc<Mutex<Ledger>>,
    shelf: Shelf,
    /// Objects whose reports somebody else has changed or taken away, or could not be written.
    changed: BTreeSet<Key>,
    /// Reports by namespace and name that nobody would write any more.
    strays: Vec<(Option<String>, String)>,
    /// While all reports of a kind come in: those that have, by their objects.
    coming_in: [Option<AHashSet<Key>>; 2],
    /// Writes that have begun, at most [`TOGETHER`].
    writing: FuturesUnordered<Pin<Box<dyn Future<Output = Done> + Send>>>,
    /// The objects that those are about, and what has come in of their reports meanwhile, which counts afterwards.
    busy: BTreeMap<Key, Option<Seen>>,
    /// Objects of those that are to be looked at again afterwards.
    waiting: BTreeSet<Key>,
    /// Whether the last write failed.
    failing: bool,
    /// Whether following what is stored failed last.
    unseen: bool,
}

fn keeping<'a>(
    client: &'a Client,
    dialect: &'static Dialect,
    ledger: Arc<Mutex<Ledger>>,
    limit: usize,
) -> Keeping<'a> {
    Keeping {
        client,
        dialect,
        ledger,
        shelf: Shelf::new(dialect, limit),
        changed: BTreeSet::new(),
        strays: Vec::new(),
        coming_in: [Some(AHashSet::new()), Some(AHashSet::new())],
        writing: FuturesUnordered::new(),
        busy: BTreeMap::new(),
        waiting: BTreeSet::new(),
        failing: false,
        unseen: false,
    }
}

impl Keeping<'_> {
    fn follow(&self, namespaced: bool) -> Pin<Box<dyn Stream<Item = Incoming> + Send>> {
        let resource = self.dialect.resource(namespaced);
        let api = Api::<DynamicObject>::all_with(self.client.clone(), &resource);
        let config = watcher::Config::default()
            .labels(&format!("{MANAGED_BY}={SOURCE}"))
            .page_size(PAGE)
            .timeout(WATCH_SECONDS);
        watcher(api, config).default_backoff().map(move |event| (namespaced, event)).boxed()
    }

    /// Whether all that is stored has come in once.
    fn is_synced(&self) -> bool {
        self.coming_in.iter().all(Option::is_none)
    }

    fn is_behind(&self) -> bool {
        self.shelf.is_behind() || !self.strays.is_empty() || !self.writing.is_empty()
    }

    /// How many objects have no report for want of room. While there is something to do, that is not known.
    fn left_out(&self) -> usize {
        if self.is_behind() || !self.is_synced() || !self.shelf.is_full() {
            0
        } else {
            self.ledger.lock().selected().saturating_sub(self.shelf.len())
        }
    }

    /// Takes in what is stored. Says whether all of it has come in just now.
    fn take(&mut self, namespaced: bool, event: watcher::Result<Event<DynamicObject>>) -> bool {
        let kind = usize::from(!namespaced);
        match event {
            // Said before the API server is asked.
            Ok(Event::Init) => {
                self.coming_in[kind] = Some(AHashSet::new());
                return false;
            }
            Ok(Event::InitApply(report) | Event::Apply(report)) => {
                let report = value(report);
                let object = about(&report).map(|(object, _)| object);
                if let (Some(all), Some(object)) = (&mut self.coming_in[kind], &object) {
                    all.insert(object.clone());
                }
                match object.and_then(|object| self.busy.get_mut(&object)) {
                    Some(last) => *last = Some(Seen::Stored(report)),
                    None => self.saw(&report),
                }
            }
            Ok(Event::Delete(report)) => {
                if let Some((object, uid)) = about(&value(report)) {
                    match self.busy.get_mut(&object) {
                        Some(last) => *last = Some(Seen::Gone(uid.into())),
                        None => self.saw_go(object, uid),
                    }
                }
            }
            Ok(Event::InitDone) => {
                let present = self.coming_in[kind].take().unwrap_or_default();
                for object in self.shelf.objects() {
                    let is_gone = object.namespace.is_empty() != namespaced && !present.contains(&object);
                    if is_gone && !self.busy.contains_key(&object) {
                        self.shelf.forget(&object);
                    }
                }
                return self.is_synced();
            }
            Err(error) => {
                // One that is served no more fails until that is noticed.
                let was_unseen = std::mem::replace(&mut self.unseen, true);
                if !was_unseen {
                    tracing::warn!(%error, "what is stored of reports cannot be followed; trying again until it can");
                }
                return false;
            }
        }
        self.unseen = false;
        false
    }

    fn saw(&mut self, report: &Value) {
        match self.shelf.saw(report) {
            Ok(Some(object)) => self.note_changed(object),
            Err(_) if self.strays.len() < STRAYS => {
                let text = |field: &str| {
                    let text = report.pointer(&format!("/metadata/{field}")).and_then(Value::as_str);
                    text.map(str::to_owned)
                };
                self.strays.push((text("namespace"), text("name").unwrap_or_default()));
            }
            Ok(None) | Err(_) => {}
        }
    }

    fn saw_go(&mut self, object: Key, uid: &str) {
        if self.shelf.lost(&object, uid) {
            self.note_changed(object);
        }
    }

    fn note_changed(&mut self, object: Key) {
        // While all come in, all are looked at afterwards.
        if self.is_synced() {
            self.changed.insert(object);
        }
    }

    fn look_at(&mut self, objects: impl IntoIterator<Item = Key>) {
        let (ledger, now) = (self.ledger.lock(), Timestamp::now());
        for object in objects {
            self.shelf.look(&object, &ledger, now);
        }
    }

    /// Looks at everything that has a report, and that should.
    async fn look_at_all(&mut self, shared: &Shared) {
        drop(self.ledger.lock().take_fresh());
        let of_kind = |kind| stored(&shared.read(), kind);
        let known = std::iter::once(self.shelf.objects());
        for objects in known.chain(AUDITED.map(of_kind)) {
            for chunk in objects.chunks(CHUNK) {
                self.look_at(chunk.iter().cloned());
                tokio::task::yield_now().await;
            }
        }
    }

    /// Whether another write may begin.
    fn may_begin(&self) -> bool {
        let is_wanted = self.shelf.is_behind() || !self.strays.is_empty();
        is_wanted && self.is_synced() && self.writing.len() < TOGETHER
    }

    /// Begins the next write. Says whether there was one.
    fn begin(&mut self) -> bool {
        let Some(job) = self.next_job() else { return false };
        self.shelf.expect(matches!(job, Job::Create(..)));
        self.busy.extend(job.objects().into_iter().map(|object| (object, None)));
        self.writing.push(done(self.client.clone(), self.dialect, job).boxed());
        true
    }

    fn next_job(&mut self) -> Option<Job> {
        if let Some((namespace, stray)) = self.strays.pop() {
            return Some(Job::Stray(namespace.unwrap_or_default(), stray));
        }
        let object = self.shelf.next()?;
        if self.busy.contains_key(&object) {
            self.waiting.insert(object);
            return None;
        }
        match self.shelf.step(&object, &self.ledger.lock(), Timestamp::now()) {
            Step::Nothing | Step::NoRoom => None,
            Step::Delete(uid) => Some(Job::Delete((object, uid))),
            Step::Update(uid, content) => Some(Job::Update((object, uid), content)),
            Step::Create(content) => match self.shelf.room(|spare| self.busy.contains_key(spare)) {
                Room::None => None,
                Room::InPlaceOf(spare, uid) => Some(Job::Create(object, content, Some((spare, uid)))),
                Room::Free => Some(Job::Create(object, content, None)),
            },
        }
    }

    /// Takes in what has come of a write. Says whether it worked.
    fn end(&mut self, done: Done) -> bool {
        let Done { objects, created, lost, outcome } = done;
        if created {
            self.shelf.expected();
        }
        for (object, uid) in &lost {
            self.shelf.lost(object, uid);
        }
        let mut failure = None;
        match (outcome, objects.first()) {
            (Ok(Some(Wrote { uid, content, stored })), Some(object)) => {
                self.shelf.wrote(object, &uid, &content, &stored);
            }
            (Err(Failed::Missing), Some(object)) => self.note_changed(object.clone()),
            (Err(Failed::ForNow(reason)), object) => {
                // Later, so that one which always fails does not hold up the others.
                if let Some(object) = object {
                    self.note_changed(object.clone());
                }
                failure = Some(reason);
            }
            (Ok(_) | Err(Failed::Gone | Failed::Missing), _) => {}
        }
        for object in objects {
            match self.busy.remove(&object).flatten() {
                Some(Seen::Stored(report)) => self.saw(&report),
                Some(Seen::Gone(uid)) => self.saw_go(object.clone(), &uid),
                None => {}
            }
            if self.waiting.remove(&object) {
                self.look_at([object]);
            }
        }
        let Some(reason) = failure else {
            self.failing = false;
            return true;
        };
        if !std::mem::replace(&mut self.failing, true) {
            tracing::warn!(reason, "a report could not be written; trying again until it can");
        }
        false
    }
}

#[cfg(test)]
mod tests;
