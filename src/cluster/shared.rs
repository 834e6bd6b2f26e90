//! The one state of a process: judgements read it side by side, watches write it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::watch;

use super::journal::{Changed, Journal, Left};
use super::kind::Kind;
use super::left;
use super::overlay::Fresh;
use super::references::Key;
use super::state::State;
use crate::objects::Object;

/// A watch that failed and has not failed again for this long has recovered, though nothing has come in: it is tried
/// more often than that.
const RECOVERED: Duration = Duration::from_mins(2);

/// How the watch of one kind fares.
#[derive(Clone, Copy, Debug, Default)]
struct Watch {
    /// Whether all that existed has come in once.
    synced: bool,
    /// The first and the last failure since it last worked.
    failing: Option<(Instant, Instant)>,
}

#[derive(Debug)]
struct Inner {
    state: RwLock<State>,
    watches: Mutex<BTreeMap<Kind, Watch>>,
    revision: watch::Sender<u64>,
    journal: Journal,
}

/// The state that everything in a process shares. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Shared(Arc<Inner>);

impl Shared {
    /// A state that is complete already, as one from files is.
    #[must_use]
    pub fn complete(state: State) -> Self {
        Self::awaiting(state, [])
    }

    /// A state into which these kinds have yet to come.
    #[must_use]
    pub fn awaiting(state: State, kinds: impl IntoIterator<Item = Kind>) -> Self {
        let watches = kinds.into_iter().map(|kind| (kind, Watch::default())).collect();
        Self(Arc::new(Inner {
            state: RwLock::new(state),
            watches: Mutex::new(watches),
            revision: watch::Sender::new(0),
            journal: Journal::default(),
        }))
    }

    /// The state, to read. Let go of it soon: while it is held, nothing comes in.
    pub fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.state.read()
    }

    /// The state, to write. Everyone who waits for a change is told when it is let go.
    pub fn write(&self) -> Written<'_> {
        Written { state: self.0.state.write(), revision: &self.0.revision, journal: &self.0.journal }
    }

    /// Takes an object in. If it is as it was, nobody is held up, and nobody is told of a change.
    pub fn apply(&self, object: Object) {
        let fresh = Fresh::Is(object);
        {
            let state = self.read();
            if state.unreadable.is_empty() && !fresh.is_news(&state) && !fresh.is_another(&state) {
                return;
            }
        }
        if let Fresh::Is(object) = fresh {
            self.write().apply(object);
        }
    }

    /// Asks the state as it would be with what was read. Afterwards it says what it said before, also if `ask` panics.
    ///
    /// Where what was read is what the state says already, this costs no more than reading it.
    pub fn ask_with<R>(&self, fresh: Vec<Fresh>, ask: impl FnOnce(&State) -> R) -> R {
        {
            let state = self.read();
            if !fresh.iter().any(|one| one.is_news(&state)) {
                return ask(&state);
            }
        }
        self.0.state.write().ask_with(fresh, ask)
    }

    /// The kinds that have not come in once yet. If there is any, nothing can be judged.
    #[must_use]
    pub fn pending(&self) -> Vec<Kind> {
        let watches = self.0.watches.lock();
        watches.iter().filter(|(_, watch)| !watch.synced).map(|(kind, _)| *kind).collect()
    }

    /// The kinds whose watch has been failing for longer than this: what is known of them is old.
    #[must_use]
    pub fn stale(&self, limit: Duration) -> Vec<Kind> {
        let (watches, now) = (self.0.watches.lock(), Instant::now());
        let is_stale = |watch: &Watch| {
            watch.failing.is_some_and(|(first, last)| {
                now.duration_since(last) < RECOVERED && now.duration_since(first) >= limit
            })
        };
        watches.iter().filter(|(_, watch)| is_stale(watch)).map(|(kind, _)| *kind).collect()
    }

    /// Notes that all there is of a kind has come in.
    pub(crate) fn note_synced(&self, kind: Kind) {
        if let Some(watch) = self.0.watches.lock().get_mut(&kind) {
            watch.synced = true;
        }
    }

    /// Notes that a watch works, and says whether it had failed.
    pub(super) fn note_contact(&self, kind: Kind) -> bool {
        self.0.watches.lock().get_mut(&kind).is_some_and(|watch| watch.failing.take().is_some())
    }

    /// Notes that a watch has failed, and says for how long it has by now.
    pub(super) fn note_failure(&self, kind: Kind) -> Duration {
        let (mut watches, now) = (self.0.watches.lock(), Instant::now());
        // It may be given up while it fails.
        let Some(Watch { failing, .. }) = watches.get_mut(&kind) else { return Duration::ZERO };
        let (first, last) = failing.unwrap_or((now, now));
        let first = if now.duration_since(last) < RECOVERED { first } else { now };
        *failing = Some((first, now));
        now.duration_since(first)
    }

    /// Watches a kind more. Nothing waits for it, since nothing did before.
    pub(super) fn take_up(&self, kind: Kind) {
        self.0.watches.lock().entry(kind).or_insert(Watch { synced: true, failing: None });
    }

    /// Watches a kind no more, and knows none of it.
    pub(super) fn give_up(&self, kind: Kind) {
        self.0.watches.lock().remove(&kind);
        self.sweep(kind, |_, _| false);
    }

    /// Takes out every object of a kind that is not present, and holds nobody up where there is none.
    pub(super) fn sweep(&self, kind: Kind, is_present: impl Fn(&str, &str) -> bool) {
        let strays = self.read().strays(kind, is_present);
        if !strays.is_empty() {
            let mut state = self.write();
            for (namespace, name) in strays {
                state.delete(kind, &namespace, &name);
            }
        }
    }

    /// The kinds that are watched.
    #[must_use]
    pub fn watched(&self) -> Vec<Kind> {
        self.0.watches.lock().keys().copied().collect()
    }

    /// Tells of changes: the number grows with every one. Several at once may be told as one.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.revision.subscribe()
    }

    /// Has it noted from now on what changes.
    pub fn open_journal(&self) {
        self.0.journal.open();
    }

    /// What has changed since the last time, once the journal is open. At first that is everything.
    #[must_use]
    pub fn take_changed(&self) -> Changed {
        self.0.journal.take()
    }

    /// What objects that were deleted since the last time have left on their volumes and claims.
    #[must_use]
    pub fn take_left(&self) -> Left {
        self.0.journal.take_left()
    }
}

/// The state, to write.
#[derive(Debug)]
pub struct Written<'a> {
    state: RwLockWriteGuard<'a, State>,
    revision: &'a watch::Sender<u64>,
    journal: &'a Journal,
}

impl Written<'_> {
    /// [`State::apply`], noted.
    pub fn apply(&mut self, object: Object) {
        let (namespace, name) = object.key();
        let key = Kind::of(&object).and_then(|kind| Key::new(kind, namespace, name));
        if let (Some(kind), Some(uid)) = (Kind::of(&object), object.uid_of_rule()) {
            self.state.note_uid(kind, name, uid);
        }
        self.noting(key, |state| state.apply(object));
    }

    /// [`State::delete`], noted.
    pub fn delete(&mut self, kind: Kind, namespace: &str, name: &str) {
        let key = Key::new(kind, namespace, name);
        if let Some(key) = key.as_ref().filter(|_| self.journal.is_open()) {
            self.note_left(key);
        }
        self.noting(key, |state| state.delete(kind, namespace, name));
    }

    /// It may have come and gone before anybody has looked at it.
    fn note_left(&self, key: &Key) {
        let mut tokens = self.journal.pass_on(key);
        let said = left::said(&self.state, key);
        tokens.extend(said.filter(|own| own.is_valid()).map(|own| Arc::clone(&own.token)));
        if !tokens.is_empty() {
            self.journal.note_left(left::heirs(&self.state, key), &tokens);
        }
    }

    /// [`State::apply_unreadable`], noted.
    pub fn apply_unreadable(
        &mut self,
        kind: Kind,
        namespace: &str,
        name: &str,
        value: &serde_json::Value,
        reason: &str,
    ) {
        let key = Key::new(kind, namespace, name);
        if let Some(uid) = value.pointer("/metadata/uid").and_then(serde_json::Value::as_str) {
            self.state.note_uid(kind, name, uid);
        }
        self.noting(key, |state| {
            state.apply_unreadable(kind, namespace, name, value);
            state.note_unreadable(kind, namespace, name, reason);
        });
    }

    /// What an object referred to before, it may give something no more.
    fn noting(&mut self, key: Option<Key>, change: impl FnOnce(&mut State)) {
        match key.filter(|_| self.journal.is_open()) {
            Some(key) => {
                let before = key.references(&self.state);
                change(&mut self.state);
                let before = before.into_iter().filter(|key| key.kind.gives());
                self.journal.note(before.chain([key]));
            }
            None => change(&mut self.state),
        }
    }
}

impl std::ops::Deref for Written<'_> {
    type Target = State;

    fn deref(&self) -> &State {
        &self.state
    }
}

impl std::ops::DerefMut for Written<'_> {
    fn deref_mut(&mut self) -> &mut State {
        &mut self.state
    }
}

impl Drop for Written<'_> {
    fn drop(&mut self) {
        self.revision.send_modify(|revision| *revision += 1);
    }
}
