//! How often something may be said: of one thing a few times and then now and then, and of all things together not too
//! often.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Holds tokens: at most so many, and one more each so often.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    pub(super) burst: u32,
    pub(super) every: Duration,
}

impl Rate {
    /// After this long a bucket is full, whatever was taken from it.
    fn refill(self) -> Duration {
        self.every * self.burst
    }
}

/// Says when a bucket would be full; that is all there is to know of it.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    full_at: Instant,
}

impl Bucket {
    fn has(self, rate: Rate, now: Instant) -> bool {
        self.full_at.saturating_duration_since(now) + rate.every <= rate.refill()
    }

    fn take(&mut self, rate: Rate, now: Instant) {
        self.full_at = self.full_at.max(now) + rate.every;
    }
}

/// Allows things one by one, by key and all together.
#[derive(Debug)]
pub(super) struct Allowance<K> {
    each: Rate,
    all: Rate,
    together: Bucket,
    buckets: HashMap<K, Bucket>,
    sweep_at: usize,
}

/// Fewer buckets than these are not worth sweeping.
const FEW: usize = 1_024;

impl<K: Hash + Eq> Allowance<K> {
    pub(super) fn new(each: Rate, all: Rate, now: Instant) -> Self {
        Self { each, all, together: Bucket { full_at: now }, buckets: HashMap::new(), sweep_at: FEW }
    }

    /// Whether it may be said now. If so, that counts.
    pub(super) fn take(&mut self, key: K, now: Instant) -> bool {
        let known = self.buckets.get(&key).is_none_or(|bucket| bucket.has(self.each, now));
        if !known || !self.together.has(self.all, now) {
            return false;
        }
        self.together.take(self.all, now);
        if self.buckets.len() >= self.sweep_at {
            // A full bucket says no more than none. What is left is bounded by the rate of all together.
            self.buckets.retain(|_, bucket| bucket.full_at > now);
            self.sweep_at = (self.buckets.len() * 2).max(FEW);
        }
        self.buckets.entry(key).or_insert(Bucket { full_at: now }).take(self.each, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::{Allowance, Duration, FEW, Instant, Rate};

    const EACH: Rate = Rate { burst: 3, every: Duration::from_mins(1) };
    const ALL: Rate = Rate { burst: 5, every: Duration::from_secs(1) };

    #[test]
    fn one_thing_is_said_a_few_times_and_then_now_and_then() {
        let now = Instant::now();
        let mut allowance = Allowance::new(EACH, ALL, now);
        let said = (0..60).filter(|second| allowance.take("a", now + Duration::from_secs(*second))).count();
        assert_eq!(said, 3);
        let later = now + Duration::from_secs(61);
        assert!(allowance.take("a", later) && !allowance.take("a", later));
        // After a long silence no more than at first.
        let much_later = now + Duration::from_hours(1);
        assert_eq!((0..9).filter(|_| allowance.take("a", much_later)).count(), 3);
    }

    #[test]
    fn all_together_are_bounded_and_one_that_is_loud_takes_nothing_from_others() {
        let now = Instant::now();
        let mut allowance = Allowance::new(EACH, ALL, now);
        assert_eq!((0..100).filter(|_| allowance.take(0, now)).count(), 3);
        assert_eq!((1..100).filter(|key| allowance.take(*key, now)).count(), 2);
        assert!(allowance.take(500, now + Duration::from_secs(1)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut now = Instant::now();
        let mut allowance = Allowance::new(EACH, ALL, now);
        for key in 0..20_000 {
            allowance.take(key, now);
            now += Duration::from_secs(1);
        }
        assert!(allowance.buckets.len() <= FEW, "{}", allowance.buckets.len());
    }
}
