//! What must be read from the API server before an object can be judged.
//!
//! A cache lags. What it does not have yet is read; and where the judgement is the last word, everything that it rests
//! on is read, whether the cache has it or not.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::StreamExt;
use futures::stream;

use crate::cluster::reader::{ReadError, Reader};
use crate::cluster::{Fresh, Key, Kind, Shared, references};
use crate::objects::Object;
use crate::server::Metrics;

/// An object that refers to more others than this is not judged, and so refused.
const MOST: usize = 512;
/// Reads at a time.
const SIDE_BY_SIDE: usize = 16;
/// When all that is asked of the API server for one answer takes longer, what is missing has failed: a binding that hangs
/// holds up the scheduler, and the API server waits three seconds for its answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);

/// What is read, of what the object refers to, directly or not, beside what the cache does not have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    /// What the cache has as well.
    pub(super) known: bool,
    /// The pods that mount the object, a claim that is new or gets its volume, and wait for it on their nodes: nothing in it
    /// says which they are, so the cache cannot be seen to lack one.
    pub(super) waiting: bool,
}

/// Why it cannot be judged.
#[derive(Debug, thiserror::Error)]
pub(super) enum GatherError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("it refers to more than {MOST} other objects, which is more than are read for a judgement")]
    TooMany,
}

/// Reads what the judgement of an object rests on, until this moment at most.
pub(super) async fn gather(
    shared: &Shared,
    reader: &Reader,
    metrics: &Metrics,
    object: &Object,
    extent: Extent,
    until: Instant,
) -> Result<Vec<Fresh>, GatherError> {
    if matches!(reader, Reader::Files) {
        // The state is the truth.
        return Ok(Vec::new());
    }
    let mut seen: BTreeSet<Key> = BTreeSet::new();
    let mut fresh: BTreeMap<Key, Fresh> = BTreeMap::new();
    let left = || until.saturating_duration_since(Instant::now());
    let mut next = references(object);
    if extent.waiting {
        let (namespace, name) = object.key();
        let claim = Key::new(Kind::PersistentVolumeClaim, namespace, name);
        let waiting = reader.waiting_pods(namespace, left()).await;
        metrics.live_read(Kind::Pod.as_str(), waiting.as_ref().map_or_else(ReadError::result, |_| "found"));
        for pod in waiting?.iter() {
            let named = references(pod);
            if named.iter().any(|key| Some(key) == claim.as_ref()) {
                let (namespace, name) = pod.key();
                let Some(key) = Key::new(Kind::Pod, namespace, name) else { continue };
                next.extend(named.into_iter().filter(|key| Some(key) != claim.as_ref()));
                seen.insert(key.clone());
                fresh.insert(key, Fresh::Is(pod.clone()));
            }
        }
    }
    while !next.is_empty() {
        let mut wanted = Vec::new();
        let mut further = Vec::new();
        {
            let state = shared.read();
            for key in next {
                if !seen.insert(key.clone()) {
                    continue;
                }
                if !extent.known && key.is_in(&state) {
                    further.extend(key.references(&state));
                } else {
                    wanted.push(key);
                }
            }
        }
        if seen.len() > MOST {
            return Err(GatherError::TooMany);
        }
        let mut reads = stream::iter(wanted)
            .map(|key| async move {
                let read = reader.get(key.kind, &key.namespace, &key.name, left()).await;
                (key, read)
            })
            .buffer_unordered(SIDE_BY_SIDE);
        while let Some((key, read)) = reads.next().await {
            let result = match &read {
                Ok(Some(_)) => "found",
                Ok(None) => "not_found",
                Err(error) => error.result(),
            };
            metrics.live_read(key.kind.as_str(), result);
            if let Some(object) = read? {
                further.extend(references(&object));
                fresh.insert(key, Fresh::Is(object));
            } else {
                let gone = Fresh::Gone(key.kind, key.namespace.clone(), key.name.clone());
                fresh.insert(key, gone);
            }
        }
        next = further;
    }
    Ok(fresh.into_values().collect())
}
