//! Judges what has changed as soon as it has, what the time changes at its moment, and everything now and then.
//!
//! Every replica does it; what comes of it is told by one of them (`herald`, `status`).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ahash::AHashSet;
use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::grants::Grants;
use super::joining::Joining;
use super::ledger::{Counts, Ledger, Transition};
use super::records::Lacking;
use crate::cluster::{Changed, Key, Kind, Shared, State};
use crate::residency::{
    AUDITED, Finding, Touched, Verdict, exempted, judge_stored, may_be_exempted, stored, touched,
};
use crate::server::Metrics;

/// So many objects are judged before those who wait for the state have their turn.
const CHUNK: usize = 64;
/// What changes within this time is looked at together.
const SETTLE: Duration = Duration::from_millis(100);
/// How often it is looked whether everything has come in.
const SOON: Duration = Duration::from_millis(100);
/// Clocks are set: no wait for a moment is longer than this without a look at the clock.
const LOOK: Duration = Duration::from_mins(1);

/// What an audit tells of.
#[derive(Clone, Debug, PartialEq)]
pub enum News {
    /// An object breaks a policy, or does no more.
    Standing(Transition),
    /// What is said of where a node is contradicts itself, or did.
    Conflict {
        /// The node.
        node: Key,
        /// What contradicts what.
        note: String,
    },
    /// Objects break a policy that they kept, because a node has joined or is somewhere else.
    Joining {
        /// The node.
        node: Key,
        /// The policy.
        policy: Arc<str>,
        /// How many of which kind, and the first.
        note: String,
        /// When it was seen.
        at: Timestamp,
    },
    /// A place of a policy, or an exception, ends soon.
    Expiring {
        /// The policy or the exception.
        grant: Key,
        /// What ends when.
        note: String,
    },
}

impl std::fmt::Display for News {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Standing(Transition { object, policy, broken, .. }) => match (broken, policy) {
                (Some(note), _) => write!(f, "{} is in violation: {note}", object.to_ref()),
                (None, Some(policy)) => {
                    write!(f, "{} does not break policy {policy} any more", object.to_ref())
                }
                (None, None) => write!(f, "nothing is wrong with {} any more", object.to_ref()),
            },
            Self::Joining { node, note, .. } | Self::Conflict { node, note } => {
                write!(f, "{}: {note}", node.to_ref())
            }
            Self::Expiring { note, .. } => f.write_str(note),
        }
    }
}

/// Takes what an audit tells; it must not wait.
pub type Telling = Arc<dyn Fn(Vec<News>) + Send + Sync>;

/// What auditing takes.
#[derive(Clone)]
pub struct Auditor {
    /// What is known of the cluster.
    pub shared: Shared,
    /// What has been found.
    pub ledger: Arc<Mutex<Ledger>>,
    /// What records lack.
    pub lacking: Arc<Mutex<Lacking>>,
    /// Who hears of it.
    pub tell: Telling,
    /// What is counted.
    pub metrics: Metrics,
    /// Counts audits.
    pub audited: watch::Sender<u64>,
    /// How often everything is judged anew, whether it has changed or not.
    pub interval: Duration,
}

/// Why objects are judged anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Change,
    Time,
    /// Nothing: what comes of it should have been found before.
    Interval,
}

/// What was told already.
#[derive(Debug, Default)]
struct Memory {
    conflicts: BTreeMap<Key, String>,
    grants: Grants,
}

impl std::fmt::Debug for Auditor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Auditor")
    }
}

impl Auditor {
    /// Audits for as long as the future is polled.
    ///
    /// # Errors
    /// If an audit has failed, after which the process should end: nobody would know what is in violation.
    pub async fn run(self) -> Result<std::convert::Infallible, tokio::task::JoinError> {
        self.shared.open_journal();
        while !self.shared.pending().is_empty() {
            tokio::time::sleep(SOON).await;
        }
        let mut revisions = self.shared.changes();
        let mut memory = Memory::default();
        let mut swept = Instant::now();
        let mut looked = Timestamp::now();
        loop {
            revisions.borrow_and_update();
            let now = Timestamp::now();
            let is_time = next_moment(&self.shared.read(), looked).is_some_and(|moment| moment <= now);
            looked = now;
            let changed = self.shared.take_changed();
            let lost = self.lacking.lock().leave(self.shared.take_left());
            if lost > 0 {
                tracing::warn!(
                    lost,
                    "too much has gone at once: what it left on so many objects is not written down"
                );
                self.metrics.records_lost(lost);
            }
            let is_over = swept.elapsed() >= self.interval;
            let cause = match (is_time, changed.is_empty(), is_over) {
                (true, ..) => Some(Cause::Time),
                (false, false, _) => Some(Cause::Change),
                (false, true, true) => Some(Cause::Interval),
                (false, true, false) => None,
            };
            if let Some(cause) = cause {
                let auditor = self.clone();
                // However much changes all the time.
                let everything = cause != Cause::Change || is_over;
                let audit = move || auditor.audit(&changed, everything, cause, now, memory);
                let all;
                (memory, all) = tokio::task::spawn_blocking(audit).await?;
                if all {
                    swept = Instant::now();
                }
            }
            let moment = next_moment(&self.shared.read(), looked);
            let until_moment = moment.map_or(LOOK, |moment| left_until(moment, Timestamp::now()));
            let until_sweep = self.interval.saturating_sub(swept.elapsed());
            let wait = until_moment.min(until_sweep).min(LOOK);
            tokio::select! {
                _ = revisions.changed() => tokio::time::sleep(SETTLE).await,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Judges what was touched, or everything; says whether that was everything.
    fn audit(
        &self,
        changed: &Changed,
        everything: bool,
        cause: Cause,
        now: Timestamp,
        mut memory: Memory,
    ) -> (Memory, bool) {
        let begun = Instant::now();
        let mut since = self.shared.changes();
        since.mark_unchanged();
        let mut joining = Joining::default();
        if cause == Cause::Change {
            joining = Joining::of(&self.shared.read(), changed);
        }
        let changed = if everything { &Changed::Everything } else { changed };
        let which = touched(&self.shared.read(), changed);
        let mut news = Vec::new();
        let mut strict = None;
        let all = which == Touched::Everything;
        match which {
            Touched::Objects { changed, by_nodes } => {
                // What no policy selects is as it was, wherever nodes are.
                let by_nodes: Vec<Key> = {
                    let ledger = self.ledger.lock();
                    by_nodes
                        .into_iter()
                        .filter(|key| ledger.is_selected(key) && !changed.contains(key))
                        .collect()
                };
                let audited = changed.into_iter().filter(|key| AUDITED.contains(&key.kind));
                self.judge(by_nodes.into_iter().chain(audited), now, &mut strict, &mut joining, &mut news);
            }
            Touched::Everything => {
                let mut there = AHashSet::new();
                for kind in AUDITED {
                    let keys = stored(&self.shared.read(), kind);
                    {
                        let ledger = self.ledger.lock();
                        there.extend(keys.iter().map(|key| ledger.hash(key)));
                    }
                    self.judge(keys.into_iter(), now, &mut strict, &mut joining, &mut news);
                }
                self.ledger.lock().keep_only(&there);
            }
        }
        for one in joining.news(now) {
            self.metrics.node_broke();
            news.push(one);
        }
        let changed_meanwhile = since.has_changed().unwrap_or(true);
        if cause == Cause::Interval && !news.is_empty() && !changed_meanwhile {
            tracing::error!(
                differences = news.len(),
                first = ?news.first(),
                "an audit found what should have been found when it came about: this is a bug, please report it"
            );
        }
        self.conflicts(changed, &mut memory.conflicts, &mut news);
        news.extend(memory.grants.look(&self.shared.read(), now));
        self.count();
        self.metrics.audited(begun.elapsed());
        if !news.is_empty() {
            (self.tell)(news);
        }
        self.audited.send_modify(|audits| *audits += 1);
        (memory, all)
    }

    /// `strict` becomes a copy of the state without exceptions, once one may be why an object is not in violation.
    fn judge(
        &self,
        keys: impl Iterator<Item = Key>,
        now: Timestamp,
        strict: &mut Option<State>,
        joining: &mut Joining,
        news: &mut Vec<News>,
    ) {
        let mut keys = keys.peekable();
        while keys.peek().is_some() {
            let chunk: Vec<Key> = keys.by_ref().take(CHUNK).collect();
            let judged: Vec<(Option<Verdict>, Vec<Finding>)> = {
                let state = self.shared.read();
                let judge = |key: &Key| {
                    let verdict = judge_stored(&state, key.kind, &key.namespace, &key.name, now);
                    let spared = match &verdict {
                        Some(verdict) if may_be_exempted(&state, key, verdict, now) => {
                            let strict = strict.get_or_insert_with(|| state.without_exceptions());
                            exempted(strict, key, verdict, now)
                        }
                        _ => Vec::new(),
                    };
                    (verdict, spared)
                };
                let judged: Vec<_> = chunk.iter().map(judge).collect();
                let mut lacking = self.lacking.lock();
                for (key, (verdict, _)) in chunk.iter().zip(&judged) {
                    lacking.look(&state, key, verdict.as_ref());
                }
                judged
            };
            let mut ledger = self.ledger.lock();
            for (key, (verdict, spared)) in chunk.iter().zip(&judged) {
                // What is new breaks what it breaks by itself.
                let was_there = !joining.is_empty() && ledger.is_selected(key);
                let changes = ledger.enter(key, verdict.as_ref(), spared, now);
                if let (Some(verdict), true) = (verdict, was_there) {
                    for change in &changes {
                        joining.look(change, &verdict.findings);
                    }
                }
                news.extend(changes.into_iter().map(News::Standing));
            }
        }
    }

    /// Nodes whose place has come to contradict itself.
    fn conflicts(&self, changed: &Changed, known: &mut BTreeMap<Key, String>, news: &mut Vec<News>) {
        let of_nodes = match changed {
            Changed::Everything => true,
            Changed::Objects(keys) => keys.iter().any(|key| matches!(key.kind, Kind::Node | Kind::Geography)),
        };
        if !of_nodes {
            return;
        }
        let now: BTreeMap<Key, String> = {
            let state = self.shared.read();
            let conflicting = state.nodes().iter().filter(|node| !node.conflicts.is_empty());
            conflicting
                .map(|node| {
                    let key = Key { kind: Kind::Node, namespace: String::new(), name: node.name.to_string() };
                    (key, node.conflicts.join("; "))
                })
                .collect()
        };
        for (node, note) in &now {
            if known.get(node) != Some(note) {
                news.push(News::Conflict { node: node.clone(), note: note.clone() });
            }
        }
        *known = now;
    }

    fn count(&self) {
        let ledger = self.ledger.lock();
        let by_kind = |numbers: fn(&Counts) -> &BTreeMap<&'static str, usize>| {
            ledger.counts().iter().flat_map(move |(policy, counts)| {
                numbers(counts).iter().map(|(kind, number)| (policy.to_string(), *kind, *number))
            })
        };
        self.metrics.violations(by_kind(|counts| &counts.violating));
        self.metrics.exempted(by_kind(|counts| &counts.exempted));
    }
}

/// Nothing, if the moment has come, as it may have while an audit ran.
fn left_until(moment: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(moment.duration_since(now)).unwrap_or_default()
}

/// When some policy or exception permits something else than it does, or will so soon enough to be told.
fn next_moment(state: &State, now: Timestamp) -> Option<Timestamp> {
    let policies = state.policies().iter().filter_map(|policy| policy.next_change(now));
    let exceptions = state.policies().exceptions().filter_map(|(_, exception)| exception.next_change(now));
    policies.chain(exceptions).chain(Grants::next(state, now)).min()
}

#[cfg(test)]
mod tests;
