//! Reads that many ask for at once, each done for all who asked before it began.

use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ahash::AHashMap;
use parking_lot::Mutex;

/// One lane for each thing that is read. In a lane one reads at a time; who comes meanwhile takes part in the next read,
/// and never in one that had begun before: what was stored before a call is seen by it.
#[derive(Debug)]
pub(super) struct Lanes<K, V>(Mutex<AHashMap<K, Arc<Lane<V>>>>);

impl<K, V> Default for Lanes<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

#[derive(Debug)]
struct Lane<V> {
    /// How many reads have begun.
    begun: AtomicU64,
    /// The last that succeeded, by its number. Held while one reads.
    last: tokio::sync::Mutex<Option<(u64, V)>>,
}

impl<K: Eq + Hash + Clone, V: Clone> Lanes<K, V> {
    /// What a read says that begins from now on. A failure is nobody's but that of who read.
    pub(super) async fn read<E>(&self, key: &K, read: impl AsyncFnOnce() -> Result<V, E>) -> Result<V, E> {
        let hold = Hold { lanes: self, lane: self.lane(key), key };
        let lane = &*hold.lane;
        let before = lane.begun.load(Ordering::SeqCst);
        let mut last = lane.last.lock().await;
        if let Some((_, value)) = last.as_ref().filter(|(number, _)| *number > before) {
            return Ok(value.clone());
        }
        let number = lane.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let value = read().await?;
        *last = Some((number, value.clone()));
        Ok(value)
    }

    fn lane(&self, key: &K) -> Arc<Lane<V>> {
        let mut lanes = self.0.lock();
        let new = || Arc::new(Lane { begun: AtomicU64::new(0), last: tokio::sync::Mutex::new(None) });
        Arc::clone(lanes.entry(key.clone()).or_insert_with(new))
    }
}

/// Somebody in a lane, who may give up at any moment. The last who leaves it takes it away.
struct Hold<'a, K: Eq + Hash, V> {
    lanes: &'a Lanes<K, V>,
    lane: Arc<Lane<V>>,
    key: &'a K,
}

impl<K: Eq + Hash, V> Drop for Hold<'_, K, V> {
    fn drop(&mut self) {
        let mut lanes = self.lanes.0.lock();
        // Of the table, and of this one.
        if Arc::strong_count(&self.lane) == 2 {
            lanes.remove(self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Each read takes a moment, and says its number.
    async fn asked(lanes: &Lanes<&'static str, u64>, reads: &AtomicU64, key: &'static str) -> u64 {
        let read = async || {
            let number = reads.fetch_add(1, Ordering::SeqCst) + 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
            Ok::<_, ()>(number)
        };
        lanes.read(&key, read).await.unwrap()
    }

    #[tokio::test]
    async fn who_comes_while_one_reads_takes_part_in_the_next_read() {
        let (lanes, reads) = (Lanes::default(), AtomicU64::new(0));
        let first = asked(&lanes, &reads, "a");
        let late = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            futures::future::join_all((0..50).map(|_| asked(&lanes, &reads, "a"))).await
        };
        let (first, late) = tokio::join!(first, late);
        assert_eq!((first, late), (1, vec![2; 50]));
        assert_eq!(asked(&lanes, &reads, "a").await, 3, "what was read before is not said again");
        assert!(lanes.0.lock().is_empty(), "nobody is left in a lane");
    }

    #[tokio::test]
    async fn lanes_do_not_wait_for_each_other_and_failures_are_not_shared() {
        let (lanes, reads) = (Lanes::default(), AtomicU64::new(0));
        let both = tokio::join!(asked(&lanes, &reads, "a"), asked(&lanes, &reads, "b"));
        assert_eq!(both.0 + both.1, 3);
        let failing = async || {
            tokio::time::sleep(Duration::from_millis(20)).await;
            Err::<u64, _>("no")
        };
        let late = async {
            tokio::time::sleep(Duration::from_millis(5)).await;
            asked(&lanes, &reads, "a").await
        };
        let (failed, late) = tokio::join!(lanes.read(&"a", failing), late);
        assert_eq!((failed, late), (Err("no"), 3));
    }

    #[tokio::test]
    async fn who_gives_up_holds_up_nobody() {
        let (lanes, reads) = (Lanes::default(), AtomicU64::new(0));
        let cut = tokio::time::timeout(Duration::from_millis(5), asked(&lanes, &reads, "a")).await;
        assert!(cut.is_err() && lanes.0.lock().is_empty());
        assert_eq!(asked(&lanes, &reads, "a").await, 2);
    }
}
