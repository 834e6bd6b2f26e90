//! The table of what was tried and what was seen.

use std::fmt::Write as _;
use std::time::Duration;

use parking_lot::Mutex;

use crate::load::Tally;

static ROWS: Mutex<Vec<Row>> = Mutex::new(Vec::new());

/// What became of one fault.
pub(crate) struct Row {
    pub(crate) fault: String,
    pub(crate) times: usize,
    pub(crate) took: Duration,
    pub(crate) tally: Tally,
    /// Pods with a node in the end, and those of them that may not be there or may not exist.
    pub(crate) placed: usize,
    pub(crate) wrong: usize,
    pub(crate) recoveries: Vec<Duration>,
    /// MiB, the most of any replica.
    pub(crate) peak: u64,
    /// What was seen besides.
    pub(crate) note: String,
}

impl Row {
    pub(crate) fn enter(self) {
        let Tally { told, .. } = &self.tally;
        let mut text = format!("{}: {:?}", self.fault, self.recoveries);
        for (why, times) in told {
            let _ = write!(text, "\n  {times} × {why}");
        }
        println!("{text}\n  {}", self.line());
        ROWS.lock().push(self);
    }

    fn line(&self) -> String {
        let slowest = self
            .recoveries
            .iter()
            .max()
            .map_or_else(|| "-".to_owned(), |time| format!("{:.1} s", time.as_secs_f64()));
        let tally = &self.tally;
        format!(
            "| {} | {} | {:.0} | {} | {} | {} | {} | {} | {} | {slowest} | {} | {} |",
            self.fault,
            self.times,
            self.took.as_secs_f64(),
            tally.calls(),
            tally.admitted(),
            tally.denied(),
            tally.failed(),
            self.placed,
            self.wrong,
            self.peak,
            self.note,
        )
    }
}

/// As people write large numbers.
pub(crate) fn thousands(number: usize) -> String {
    let (large, small) = (number / 1000, number % 1000);
    if large == 0 { small.to_string() } else { format!("{},{small:03}", thousands(large)) }
}

/// Prints the table, in Markdown.
pub(crate) fn print() {
    let rows = ROWS.lock();
    if rows.is_empty() {
        return;
    }
    println!(
        "\n| fault | times | s | calls | admitted | denied | failed closed | placed | wrong | slowest recovery | \
         peak MiB | seen besides |"
    );
    println!("| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --- |");
    for row in rows.iter() {
        println!("{}", row.line());
    }
}
