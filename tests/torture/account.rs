//! The table of what was tried and what was seen.

use std::fmt::Write as _;
use std::time::Duration;

use parking_lot::Mutex;

use crate::field::Reckoning;
use crate::load::Tally;

static ROWS: Mutex<Vec<Row>> = Mutex::new(Vec::new());

/// What became of one fault.
pub(crate) struct Row {
    pub(crate) fault: String,
    pub(crate) times: usize,
    pub(crate) took: Duration,
    pub(crate) tally: Tally,
    pub(crate) reckoning: Reckoning,
    pub(crate) recoveries: Vec<Duration>,
    /// MiB, the most of any replica.
    pub(crate) peak: u64,
    /// What was seen besides.
    pub(crate) note: String,
}

impl Row {
    /// What the load made in a second, or tried to.
    #[allow(clippy::cast_precision_loss, reason = "it is small")]
    pub(crate) fn rate(&self) -> f64 {
        self.tally.tried as f64 / self.took.as_secs_f64()
    }

    pub(crate) fn enter(self) {
        let Self { tally, reckoning, .. } = &self;
        let mut text = format!(
            "{}: recovered within {:?}; {} calls were admitted and {} denied; {} claims, volumes and attachments; at most \
             {} MiB",
            self.fault,
            self.recoveries,
            tally.admitted(),
            tally.denied(),
            reckoning.stored,
            self.peak
        );
        for (why, times) in &tally.told {
            let _ = write!(text, "\n  {times} × {why}");
        }
        println!("{text}\n  {}", self.line());
        ROWS.lock().push(self);
    }

    fn line(&self) -> String {
        let slowest = match self.recoveries.iter().max() {
            None => "-".to_owned(),
            Some(time) if *time < Duration::from_millis(100) => "< 0.1 s".to_owned(),
            Some(time) => format!("{:.1} s", time.as_secs_f64()),
        };
        let Self { fault, times, tally, reckoning, note, .. } = self;
        let lost =
            if reckoning.lost.is_empty() { "nothing".to_owned() } else { thousands(reckoning.lost.len()) };
        format!(
            "| {fault} | {} | {:.0} | {:.0} | {} | {} | {} | {} | {lost} | {slowest} | {note} |",
            thousands(*times),
            self.took.as_secs_f64(),
            self.rate(),
            thousands(tally.calls()),
            thousands(tally.failed()),
            thousands(reckoning.placed),
            thousands(reckoning.wrong.len()),
        )
    }
}

/// As people write large numbers.
pub(crate) fn thousands(number: usize) -> String {
    let (large, small) = (number / 1000, number % 1000);
    if large == 0 { small.to_string() } else { format!("{},{small:03}", thousands(large)) }
}

/// Prints the table as docs/reliability.md has it.
pub(crate) fn print() {
    let rows = ROWS.lock();
    if rows.is_empty() {
        return;
    }
    println!(
        "\n| what befell it | times | s | a second | calls | failed closed | placed | placed wrongly | lost | \
         recovered within | seen besides |"
    );
    println!("| --- | --: | --: | --: | --: | --: | --: | --: | --- | --: | --- |");
    for row in rows.iter() {
        println!("{}", row.line());
    }
}
