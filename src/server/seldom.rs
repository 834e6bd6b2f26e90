//! Lines of a log that a caller could cause without end.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The time that is counted over.
const WINDOW: Duration = Duration::from_secs(1);
/// Lines in it.
const LINES: u32 = 10;

/// Lets a few lines a second through, and counts the others.
#[derive(Debug, Default)]
pub(super) struct Seldom {
    window: Mutex<Window>,
}

#[derive(Debug, Default)]
struct Window {
    begun: Option<Instant>,
    lines: u32,
    withheld: u64,
}

impl Seldom {
    /// If a line may be written: how many were withheld since the last one.
    pub(super) fn turn(&self) -> Option<u64> {
        self.turn_at(Instant::now())
    }

    fn turn_at(&self, now: Instant) -> Option<u64> {
        let mut window = self.window.lock();
        if window.begun.is_none_or(|begun| now.duration_since(begun) >= WINDOW) {
            window.begun = Some(now);
            window.lines = 0;
        }
        if window.lines == LINES {
            window.withheld += 1;
            return None;
        }
        window.lines += 1;
        Some(std::mem::take(&mut window.withheld))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_lines_a_second() {
        let seldom = Seldom::default();
        let begin = Instant::now();
        for _ in 0..LINES {
            assert_eq!(seldom.turn_at(begin), Some(0));
        }
        for _ in 0..3 {
            assert_eq!(seldom.turn_at(begin + WINDOW / 2), None);
        }
        assert_eq!(seldom.turn_at(begin + WINDOW), Some(3));
        assert_eq!(seldom.turn_at(begin + WINDOW), Some(0));
    }
}
