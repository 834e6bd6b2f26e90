//! How long the API server waits for an answer: `?timeout=5s`, as Go writes a duration.

use std::time::Duration;

/// What the API server waits if an entry of a webhook configuration says nothing.
const DEFAULT: Duration = Duration::from_secs(10);
/// What such an entry may say at most.
const LONGEST: Duration = Duration::from_secs(30);
/// An answer that says what was waited for should be there before the API server gives up without a reason.
const EARLIER: Duration = Duration::from_millis(200);

/// How long an answer may take.
pub(super) fn patience(query: Option<&str>) -> Duration {
    let asked = query
        .into_iter()
        .flat_map(|query| query.split('&'))
        .find_map(|pair| pair.strip_prefix("timeout="))
        .and_then(go_duration)
        .filter(|asked| !asked.is_zero())
        .unwrap_or(DEFAULT)
        .min(LONGEST);
    // Of a short time, a part.
    asked.saturating_sub(EARLIER.min(asked / 10))
}

/// `1m30s`, `1.5s`, `300ms`.
fn go_duration(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (value, after) = rest.split_at(number);
        let unit = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(unit);
        let each = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "%C2%B5s" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        seconds += value.parse::<f64>().ok()? * each;
        rest = after;
    }
    if text.is_empty() { None } else { Duration::try_from_secs_f64(seconds).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_go_writes_them() {
        for (text, wanted) in [
            ("5s", 5_000),
            ("10s", 10_000),
            ("1m0s", 60_000),
            ("1h2m3s", 3_723_000),
            ("1.5s", 1_500),
            ("300ms", 300),
        ] {
            assert_eq!(go_duration(text), Some(Duration::from_millis(wanted)), "{text}");
        }
        for wrong in ["", "5", "s", "5x", "-5s", "5 s", "1e300h", "1..5s"] {
            assert_eq!(go_duration(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn patience_is_bounded_and_a_little_shorter() {
        let milliseconds = |query| u64::try_from(patience(query).as_millis()).unwrap();
        assert_eq!(milliseconds(Some("timeout=5s")), 4_800);
        assert_eq!(milliseconds(Some("a=b&timeout=1s")), 900);
        assert_eq!(milliseconds(None), 9_800);
        assert_eq!(milliseconds(Some("timeout=for+ever")), 9_800);
        assert_eq!(milliseconds(Some("timeout=0s")), 9_800);
        assert_eq!(milliseconds(Some("timeout=10h")), 29_800);
    }
}
