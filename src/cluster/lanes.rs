//! Reads that many ask for at once, each done for all who asked before it began.

use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ahash::AHashMap;
use parking_lot::Mutex;
use tokio::sync::{Notify, watch};

/// A read that takes longer than this does not keep the next from beginning: whoever came just after it began would wait for
/// both, and for longer than anybody waits.
const GAP: Duration = Duration::from_millis(200);

/// One lane for each thing that is read. Who comes takes part in the next read that begins, and never in one that had begun
/// before: what was stored before a call is seen by it. The next begins when no other is under way, or a while after the
/// last did. A read goes on when whoever began it has given up.
#[derive(Debug)]
pub(super) struct Lanes<K, V>(Arc<Table<K, V>>);

type Table<K, V> = Mutex<AHashMap<K, Lane<V>>>;

impl<K, V> Default for Lanes<K, V> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

#[derive(Debug)]
struct Lane<V> {
    /// That which has not begun.
    next: Option<watch::Receiver<Option<V>>>,
    under_way: usize,
    begun: Instant,
    /// Told when none is under way.
    free: Arc<Notify>,
}

impl<K, V> Lanes<K, V>
where
    K: Eq + Hash + Clone + Send + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// What a read says that begins from now on. `None`: it ended without a word.
    pub(super) async fn read<F>(&self, key: &K, read: impl FnOnce() -> F) -> Option<V>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut answer = self.next(key, read);
        answer.wait_for(Option::is_some).await.ok()?.clone()
    }

    /// The answer of the next read, which is put off until it may begin.
    fn next<F>(&self, key: &K, read: impl FnOnce() -> F) -> watch::Receiver<Option<V>>
    where
        F: Future<Output = V> + Send + 'static,
    {
        let mut lanes = self.0.lock();
        let new = || Lane { next: None, under_way: 0, begun: Instant::now(), free: Arc::default() };
        let lane = lanes.entry(key.clone()).or_insert_with(new);
        if let Some(next) = &lane.next {
            return next.clone();
        }
        let (send, answer) = watch::channel(None);
        lane.next = Some(answer.clone());
        let (turn, read) = (Turn { lanes: Arc::clone(&self.0), key: key.clone(), has_begun: false }, read());
        let free = Arc::clone(&lane.free);
        tokio::spawn(async move {
            let turn = turn.begin(&free).await;
            send.send_replace(Some(read.await));
            drop(turn);
        });
        answer
    }
}

/// One read, from when it is asked for until it is over, however it ends.
struct Turn<K: Eq + Hash, V> {
    lanes: Arc<Table<K, V>>,
    key: K,
    has_begun: bool,
}

impl<K: Eq + Hash, V> Turn<K, V> {
    async fn begin(mut self, free: &Notify) -> Self {
        let told = free.notified();
        tokio::pin!(told);
        // Before it is looked at, so that nothing falls between.
        told.as_mut().enable();
        let wait =
            self.of_lane(|lane| (lane.under_way > 0).then(|| GAP.saturating_sub(lane.begun.elapsed())));
        // A timer takes a millisecond even for nothing.
        if let Some(wait) = wait.flatten() {
            let _ = tokio::time::timeout(wait, told).await;
        }
        self.has_begun = true;
        self.of_lane(|lane| {
            lane.next = None;
            lane.under_way += 1;
            lane.begun = Instant::now();
        });
        self
    }

    fn of_lane<R>(&self, look: impl FnOnce(&mut Lane<V>) -> R) -> Option<R> {
        self.lanes.lock().get_mut(&self.key).map(look)
    }
}

impl<K: Eq + Hash, V> Drop for Turn<K, V> {
    fn drop(&mut self) {
        let mut lanes = self.lanes.lock();
        let Some(lane) = lanes.get_mut(&self.key) else { return };
        if self.has_begun {
            lane.under_way -= 1;
        } else {
            lane.next = None;
        }
        if lane.under_way == 0 {
            lane.free.notify_waiters();
            if lane.next.is_none() {
                lanes.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use futures::future::join_all;
    use tokio::time::{sleep, timeout};

    use super::*;

    type Numbers = Lanes<&'static str, u64>;

    /// Each read takes so long, and says its number.
    async fn asked(lanes: &Numbers, reads: &Arc<AtomicU64>, key: &'static str, long: u64) -> u64 {
        let reads = Arc::clone(reads);
        let read = || async move {
            let number = reads.fetch_add(1, Ordering::SeqCst) + 1;
            sleep(Duration::from_millis(long)).await;
            number
        };
        lanes.read(&key, read).await.unwrap()
    }

    async fn late<F: Future>(then: F) -> F::Output {
        sleep(Duration::from_millis(5)).await;
        then.await
    }

    #[tokio::test]
    async fn who_comes_while_one_reads_takes_part_in_the_next_read() {
        let (lanes, reads) = (Numbers::default(), Arc::default());
        let first = asked(&lanes, &reads, "a", 20);
        let more = join_all((0..50).map(|_| asked(&lanes, &reads, "a", 20)));
        let (first, more) = tokio::join!(first, late(more));
        assert_eq!((first, more), (1, vec![2; 50]));
        assert_eq!(asked(&lanes, &reads, "a", 20).await, 3, "what was read before is not said again");
        sleep(Duration::from_millis(5)).await;
        assert!(lanes.0.lock().is_empty(), "nobody is left in a lane");
    }

    #[tokio::test]
    async fn lanes_do_not_wait_for_each_other() {
        let (lanes, reads) = (Numbers::default(), Arc::default());
        let both = tokio::join!(asked(&lanes, &reads, "a", 20), asked(&lanes, &reads, "b", 20));
        assert_eq!(both.0 + both.1, 3);
    }

    #[tokio::test]
    async fn a_read_that_is_slow_holds_up_nobody() {
        let (lanes, reads) = (Numbers::default(), Arc::default());
        let first = asked(&lanes, &reads, "a", 60_000);
        tokio::select! {
            _ = first => panic!("it holds up the next"),
            next = late(asked(&lanes, &reads, "a", 1)) => assert_eq!(next, 2),
        }
    }

    #[tokio::test]
    async fn who_gives_up_takes_nothing_from_the_others() {
        let (lanes, reads) = (Numbers::default(), Arc::default());
        let gives_up = timeout(Duration::from_millis(5), asked(&lanes, &reads, "a", 30));
        let (cut, other) = tokio::join!(gives_up, asked(&lanes, &reads, "a", 30));
        assert!(cut.is_err());
        assert_eq!(other, 1, "it began the read, and the other has its answer");
    }

    #[tokio::test]
    async fn a_read_that_panics_leaves_the_lane() {
        let (lanes, reads) = (Numbers::default(), Arc::default());
        let said = lanes.read(&"a", || async { panic!("as if by a bug") }).await;
        assert_eq!(said, None);
        assert_eq!(asked(&lanes, &reads, "a", 1).await, 1);
    }
}
