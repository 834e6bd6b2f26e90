//! Has the leader keep a report of every object that a policy selects, where the cluster serves a kind for them.
//!
//! One report an object, as Kyverno and Kubewarden came to do it: a report of a whole namespace outgrows what etcd takes.
//! What is wanted is worked out from the ledger when it is written, so nothing waits but names of objects, and at most so
//! many of them as there may be reports.

mod content;
mod dialect;
mod read;
mod shelf;

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use ahash::AHashSet;
use futures::stream::{self, Stream, StreamExt};
use jiff::Timestamp;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use self::content::{Content, MANAGED_BY, SOURCE, about, name};
use self::dialect::{Dialect, served};
pub use self::read::{Beginnings, beginnings};
use self::shelf::{Room, Shelf, Step};
use super::herald::uid;
use super::ledger::Ledger;
use crate::cluster::{Changed, Key, Shared};
use crate::residency::{AUDITED, stored};
use crate::server::Metrics;

/// How often it is asked what the cluster serves by now.
const ASK: Duration = Duration::from_secs(10);
/// The API server may not know yet what it serves when it starts: so often it must say no.
const MISSES: u32 = 2;
/// Between two writes: what the API server bears without noticing.
const PACE: Duration = Duration::from_millis(5);
/// How long is waited after a call that failed.
const AGAIN: Duration = Duration::from_secs(2);
/// How long a report stays as somebody else has changed it: who goes on doing so is not raced.
const CHANGED: Duration = Duration::from_secs(5);
/// How often it is looked whether objects that have no report for want of room may have one.
const ROOM: Duration = Duration::from_mins(1);
/// No call takes longer.
const TIMEOUT: Duration = Duration::from_secs(10);
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

/// Why a report was not written.
#[derive(Debug)]
enum Failed {
    /// It is not to be written: what it is about, or where it would be, is going.
    Gone,
    /// It may be written another time.
    ForNow(String),
}

/// What is stored of one kind of reports: of those about objects in namespaces, or of the others.
type Seen = (bool, watcher::Result<Event<DynamicObject>>);

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
                    () = self.lead(&client) => {}
                    changed = leads.changed() => if changed.is_err() { return },
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
        let mut keeping = Keeping {
            client,
            dialect,
            ledger: Arc::clone(&self.ledger),
            shelf: Shelf::new(dialect, self.limit),
            changed: BTreeSet::new(),
            strays: Vec::new(),
            coming_in: [Some(AHashSet::new()), Some(AHashSet::new())],
            failing: false,
            unseen: false,
        };
        let mut seen = stream::select(keeping.follow(true), keeping.follow(false));
        let mut asks = tokio::time::interval(ASK);
        let mut settles = tokio::time::interval(CHANGED);
        let mut misses = 0;
        let mut next_write = Instant::now();
        let mut looked = Instant::now();
        loop {
            let may_write = keeping.is_synced() && keeping.is_behind();
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
                () = tokio::time::sleep_until(next_write), if may_write => {
                    let pause = if keeping.write().await { PACE } else { AGAIN };
                    next_write = Instant::now() + pause;
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
    /// Objects whose reports somebody else has changed or taken away.
    changed: BTreeSet<Key>,
    /// Reports by namespace and name that nobody would write any more.
    strays: Vec<(Option<String>, String)>,
    /// While all reports of a kind come in: those that have, by their objects.
    coming_in: [Option<AHashSet<Key>>; 2],
    /// Whether the last write failed.
    failing: bool,
    /// Whether following what is stored failed last.
    unseen: bool,
}

impl Keeping<'_> {
    fn follow(&self, namespaced: bool) -> Pin<Box<dyn Stream<Item = Seen> + Send>> {
        let resource = self.dialect.resource(namespaced);
        let api = Api::<DynamicObject>::all_with(self.client.clone(), &resource);
        let config = watcher::Config::default().labels(&format!("{MANAGED_BY}={SOURCE}")).page_size(PAGE);
        watcher(api, config).default_backoff().map(move |event| (namespaced, event)).boxed()
    }

    /// Whether all that is stored has come in once.
    fn is_synced(&self) -> bool {
        self.coming_in.iter().all(Option::is_none)
    }

    fn is_behind(&self) -> bool {
        self.shelf.is_behind() || !self.strays.is_empty()
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
                if let (Some(all), Some((object, _))) = (&mut self.coming_in[kind], about(&report)) {
                    all.insert(object);
                }
                self.saw(&report);
            }
            Ok(Event::Delete(report)) => {
                if let Some((object, uid)) = about(&value(report))
                    && self.shelf.lost(&object, uid)
                {
                    self.note_changed(object);
                }
            }
            Ok(Event::InitDone) => {
                let present = self.coming_in[kind].take().unwrap_or_default();
                for object in self.shelf.objects() {
                    if object.namespace.is_empty() != namespaced && !present.contains(&object) {
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

    /// Writes what comes next. Says whether that worked.
    async fn write(&mut self) -> bool {
        let outcome = if let Some((namespace, stray)) = self.strays.pop() {
            self.delete(namespace.as_deref().unwrap_or_default(), &stray).await
        } else if let Some(object) = self.shelf.next() {
            let outcome = self.write_of(&object).await;
            if let Err(Failed::ForNow(_)) = outcome {
                self.shelf.again(object);
            }
            outcome
        } else {
            return true;
        };
        match outcome {
            Err(Failed::ForNow(reason)) => {
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!(reason, "a report could not be written; trying again until it can");
                }
                false
            }
            Ok(()) | Err(Failed::Gone) => {
                self.failing = false;
                true
            }
        }
    }

    async fn write_of(&mut self, object: &Key) -> Result<(), Failed> {
        let step = self.shelf.step(object, &self.ledger.lock(), Timestamp::now());
        match step {
            Step::Nothing | Step::NoRoom => Ok(()),
            Step::Delete(uid) => self.remove(object, &uid).await,
            Step::Update(uid, content) => self.update(object, &uid, &content).await,
            Step::Create(content) => {
                match self.shelf.room() {
                    Room::None => return Ok(()),
                    Room::InPlaceOf(spare, uid) => self.remove(&spare, &uid).await?,
                    Room::Free => {}
                }
                let found = uid(self.client, object).await.map_err(Failed::ForNow)?;
                let Some(uid) = found.filter(|uid| !uid.is_empty()) else { return Err(Failed::Gone) };
                self.create(object, &uid, &content).await
            }
        }
    }

    async fn create(&mut self, object: &Key, uid: &str, content: &Content) -> Result<(), Failed> {
        let report = content.report(object, uid, self.dialect);
        let report = serde_json::from_value(report).map_err(|error| Failed::ForNow(error.to_string()))?;
        let (api, params) = (self.api(&object.namespace), PostParams::default());
        match within(api.create(&params, &report)).await {
            // It was there, and has not come in yet.
            Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => {
                self.update(object, uid, content).await
            }
            outcome => {
                let stored = value(outcome.map_err(|error| failed(&error))?);
                self.shelf.wrote(object, uid, content, &stored);
                Ok(())
            }
        }
    }

    async fn update(&mut self, object: &Key, uid: &str, content: &Content) -> Result<(), Failed> {
        let (api, body) = (self.api(&object.namespace), content.body(object, uid, self.dialect));
        let (change, params) = (Patch::Merge(body), PatchParams::default());
        match within(api.patch(&name(uid), &params, &change)).await {
            // It went with its object. If there is another of this name, it gets one of its own.
            Err(kube::Error::Api(status)) if status.is_not_found() => {
                self.shelf.lost(object, uid);
                self.changed.insert(object.clone());
                Ok(())
            }
            outcome => {
                let stored = value(outcome.map_err(|error| failed(&error))?);
                self.shelf.wrote(object, uid, content, &stored);
                Ok(())
            }
        }
    }

    async fn remove(&mut self, object: &Key, uid: &str) -> Result<(), Failed> {
        self.delete(&object.namespace, &name(uid)).await?;
        self.shelf.lost(object, uid);
        Ok(())
    }

    async fn delete(&self, namespace: &str, report: &str) -> Result<(), Failed> {
        match within(self.api(namespace).delete(report, &DeleteParams::default())).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(failed(&error)),
        }
    }

    fn api(&self, namespace: &str) -> Api<DynamicObject> {
        reports(self.client, self.dialect, namespace)
    }
}

fn reports(client: &Client, dialect: &Dialect, namespace: &str) -> Api<DynamicObject> {
    let resource = dialect.resource(!namespace.is_empty());
    if namespace.is_empty() {
        Api::all_with(client.clone(), &resource)
    } else {
        Api::namespaced_with(client.clone(), namespace, &resource)
    }
}

/// Takes away what was kept in a form that is not kept any more.
async fn clear(client: &Client, dialect: &Dialect) {
    for namespaced in [true, false] {
        let all: Api<DynamicObject> = Api::all_with(client.clone(), &dialect.resource(namespaced));
        let params = ListParams::default().labels(&format!("{MANAGED_BY}={SOURCE}")).limit(PAGE);
        loop {
            let page = match within(all.list(&params)).await {
                Ok(page) if page.items.is_empty() => break,
                Ok(page) => page.items,
                Err(error) => {
                    let form = dialect.api_version();
                    tracing::warn!(form, %error, "reports of a form that is not kept any more cannot be read");
                    break;
                }
            };
            for report in page {
                let api = reports(client, dialect, report.namespace().as_deref().unwrap_or_default());
                let gone = within(api.delete(&report.name_any(), &DeleteParams::default())).await;
                if let Err(error) = gone.map(drop)
                    && !matches!(&error, kube::Error::Api(status) if status.is_not_found())
                {
                    let form = dialect.api_version();
                    tracing::warn!(form, %error, "a report of a form that is not kept any more stays");
                    return;
                }
                tokio::time::sleep(PACE).await;
            }
        }
    }
}

async fn within<T>(call: impl Future<Output = kube::Result<T>>) -> kube::Result<T> {
    let late = || kube::Error::Service(format!("no answer within {} s", TIMEOUT.as_secs()).into());
    tokio::time::timeout(TIMEOUT, call).await.unwrap_or_else(|_| Err(late()))
}

/// What is not there any more will not be there another time: the form, or the namespace, of which it is said too that
/// it ends.
fn failed(error: &kube::Error) -> Failed {
    match error {
        kube::Error::Api(status) if status.is_not_found() => Failed::Gone,
        kube::Error::Api(status) if status.message.contains("being terminated") => Failed::Gone,
        error => Failed::ForNow(error.to_string()),
    }
}

fn value(report: DynamicObject) -> Value {
    serde_json::to_value(report).unwrap_or_default()
}

#[cfg(test)]
mod tests;
