//! Time and run ids: the library takes neither from the system.

use std::time::SystemTime;

use pinion_runtime::record::RunId;

use crate::failure::Failure;

/// Now, as RFC 3339 text in UTC.
pub(crate) fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// An id for a run that starts now.
pub(crate) fn run_id() -> Result<RunId, Failure> {
    let mut random = [0; 2];
    getrandom::fill(&mut random)
        .map_err(|error| Failure::wrong(format!("there is no randomness for a run id: {error}")))?;
    let time: String = now().chars().filter(char::is_ascii_digit).collect();
    let (date, time) = time.split_at(8.min(time.len()));
    let text = format!("{date}-{time}-{:02x}{:02x}", random[0], random[1]);
    text.parse()
        .map_err(|error| Failure::wrong(format!("{error}")))
}
