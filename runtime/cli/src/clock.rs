//! Time and run ids: the library takes neither from the system.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use pinion_runtime::record::RunId;
use pinion_runtime::sandbox::Clock;

use crate::failure::Failure;

/// Now, as RFC 3339 text in UTC.
pub(crate) fn now() -> String {
    text(since_1970())
}

/// What the clock says; 1970 if it is set to before that.
fn since_1970() -> Duration {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap_or_default()
}

/// A time in seconds, as RFC 3339 text in UTC.
fn text(since_1970: Duration) -> String {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(since_1970.as_secs());
    humantime::format_rfc3339_seconds(time).to_string()
}

/// Milliseconds since this was asked for.
pub(crate) fn elapsed() -> Clock {
    let began = Instant::now();
    Arc::new(move || u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX))
}

/// An id for a run that starts now in a store in which `last` is the last id.
///
/// Its last four digits are the 65,536ths of the second, so that ids sort by time within a second too. Runs of
/// one store are in the order of their ids, also where the clock was put back: then the id is the one after the
/// last.
pub(crate) fn run_id(last: Option<&RunId>) -> Result<RunId, Failure> {
    let now = since_1970();
    let now = (now.as_secs() << 16) | ((u64::from(now.subsec_nanos()) << 16) / 1_000_000_000);
    let next = last.and_then(ticks).map_or(0, |last| last + 1);
    // There is no id after the last second of the year 9999.
    let ticks = if next < END { now.max(next) } else { now };
    let time: String = text(Duration::from_secs(ticks >> 16))
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    let (date, time) = time.split_at(8.min(time.len()));
    let text = format!("{date}-{time}-{:04x}", ticks & 0xffff);
    text.parse()
        .map_err(|error| Failure::wrong(format!("{error}")))
}

/// The end of the year 9999.
const END: u64 = 253_402_300_800 << 16;

/// The moment that an id tells, in 65,536ths of a second since 1970; none if its date does not exist.
fn ticks(id: &RunId) -> Option<u64> {
    let id = id.as_str();
    let part = |start: usize, len: usize| id.get(start..start + len);
    let time = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4)?,
        part(4, 2)?,
        part(6, 2)?,
        part(9, 2)?,
        part(11, 2)?,
        part(13, 2)?
    );
    let time = humantime::parse_rfc3339(&time).ok()?;
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let fraction = u64::from_str_radix(part(16, 4)?, 16).ok()?;
    Some((since.as_secs() << 16) | fraction)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_wherever_the_clock_is() {
        let after = |last: &str| run_id(Some(&last.parse().unwrap())).unwrap().to_string();
        for (last, next) in [
            ("20991231-235958-00ff", "20991231-235958-0100"),
            ("20991231-235958-ffff", "20991231-235959-0000"),
            ("20991231-235959-ffff", "21000101-000000-0000"),
        ] {
            assert_eq!(after(last), next);
        }
        let first = run_id(None).unwrap();
        // There is nothing after the end, and no such day.
        for odd in [
            "99991231-235959-ffff",
            "20990231-000000-0000",
            "19700101-000000-0000",
        ] {
            assert!(after(odd).as_str() >= first.as_str(), "{odd}");
            assert!(after(odd).as_str() < "2099", "{odd}");
        }
    }
}
