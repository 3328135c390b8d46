//! Time and run ids: the library takes neither from the system.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use pinion_runtime::record::RunId;
use pinion_runtime::sandbox::Clock;

use crate::failure::Failure;

/// Now, as RFC 3339 text in UTC.
pub(crate) fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// Milliseconds since this was asked for.
pub(crate) fn elapsed() -> Clock {
    let began = Instant::now();
    Arc::new(move || u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX))
}

/// An id for a run that starts now.
///
/// Its last four digits are the 65,536ths of the second, so that ids sort by time within a second too. Of
/// two runs that start in one of them the store takes one, and the other asks again.
pub(crate) fn run_id() -> Result<RunId, Failure> {
    let now = SystemTime::now();
    let since = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let fraction = (u64::from(since.subsec_nanos()) << 16) / 1_000_000_000;
    let time: String = humantime::format_rfc3339_seconds(now)
        .to_string()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let (date, time) = time.split_at(8.min(time.len()));
    let text = format!("{date}-{time}-{fraction:04x}");
    text.parse()
        .map_err(|error| Failure::wrong(format!("{error}")))
}
