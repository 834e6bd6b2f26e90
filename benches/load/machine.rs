//! What was measured on, and how busy that was.

use std::fs;

/// The processors and the load before.
pub(crate) fn facts() -> String {
    let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'))
        .map_or("processors of an unknown kind", |(_, model)| model.trim());
    format!("{processors} × {model}. {}", busy())
}

/// How many threads want a processor, on average of the last minute: this one's too.
pub(crate) fn busy() -> String {
    let average = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("Load average of the last minute: {}.", average.split(' ').next().unwrap_or("unknown"))
}
