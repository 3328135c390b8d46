//! What a step may use, as far as the pipeline sets it.

use super::error::PipelineError;
use super::reader::Entry;
use crate::caps::Limit;

/// The keys of limits in a file.
pub(crate) const LIMITS: &[&str] = &["fuel", "log", "memory", "output", "scratch", "time"];

/// The limits a step sets for itself. What is absent is the engine's to decide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Most fuel a unit of the step may use; about one per Wasm instruction.
    pub fuel: Option<u64>,
    /// Most linear memory of an instance, in bytes.
    pub memory_bytes: Option<u64>,
    /// Most output of a unit, in bytes.
    pub output_bytes: Option<u64>,
    /// Most rows that a unit lays aside, in bytes.
    pub scratch_bytes: Option<u64>,
    /// Most log of a unit, in bytes.
    pub log_bytes: Option<u64>,
    /// Most time of a unit on the wall clock, in milliseconds.
    pub time_ms: Option<u64>,
}

impl Limits {
    /// What is set of a limit, in its own unit.
    pub fn get(&self, limit: Limit) -> Option<u64> {
        match limit {
            Limit::Fuel => self.fuel,
            Limit::Log => self.log_bytes,
            Limit::Memory => self.memory_bytes,
            Limit::Output => self.output_bytes,
            Limit::Scratch => self.scratch_bytes,
            Limit::Time => self.time_ms,
        }
    }
}

/// How a limit is written, for an error.
pub fn limit_form(limit: Limit) -> &'static str {
    match limit {
        Limit::Fuel => "integer of at least 1",
        Limit::Time => "text such as `90 s`, `10 min` or `2 h`",
        Limit::Log | Limit::Memory | Limit::Output | Limit::Scratch => {
            "number of bytes, or text such as `512 MiB`"
        }
    }
}

/// The amount of a limit that a text on a command line stands for: as in a file, without quotes.
pub fn parse_limit(limit: Limit, text: &str) -> Option<u64> {
    let number = || text.replace('_', "").parse::<u64>().ok();
    match limit {
        Limit::Fuel => number().filter(|fuel| *fuel > 0),
        Limit::Time => parse_time(text),
        Limit::Log | Limit::Memory | Limit::Output | Limit::Scratch => {
            parse_size(text).or_else(number)
        }
    }
}

/// The amount of a limit that stands in a file.
pub(crate) fn read_limit(limit: Limit, entry: &Entry<'_>) -> Result<u64, PipelineError> {
    let integer = || {
        entry
            .item
            .as_integer()
            .and_then(|number| u64::try_from(number).ok())
    };
    let text = entry.item.as_str();
    let amount = match limit {
        Limit::Fuel => integer().filter(|fuel| *fuel > 0),
        Limit::Time => text.and_then(parse_time),
        Limit::Log | Limit::Memory | Limit::Output | Limit::Scratch => {
            text.map_or_else(integer, parse_size)
        }
    };
    amount.ok_or_else(|| entry.wrong(limit_form(limit)))
}

/// The number of bytes that a text such as `512 MiB` stands for.
///
/// A whole number, then one of `B`, `KiB`, `MiB` and `GiB`, with or without a space between. None for
/// anything else: `MB` means 10⁶ to some and 2²⁰ to others.
pub fn parse_size(text: &str) -> Option<u64> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits_end);
    let shift = match unit.strip_prefix(' ').unwrap_or(unit) {
        "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// The number of milliseconds that a text such as `10 min` stands for.
///
/// A whole number above 0, then one of `ms`, `s`, `min` and `h`, with or without a space between. None
/// for anything else.
pub fn parse_time(text: &str) -> Option<u64> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits_end);
    let milliseconds = match unit.strip_prefix(' ').unwrap_or(unit) {
        "ms" => 1,
        "s" => 1_000,
        "min" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let time = number.parse::<u64>().ok()?.checked_mul(milliseconds)?;
    (time > 0).then_some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_a_binary_unit() {
        assert_eq!(parse_size("512 MiB"), Some(512 << 20));
        assert_eq!(parse_size("64KiB"), Some(64 << 10));
        assert_eq!(parse_size("1 GiB"), Some(1 << 30));
        assert_eq!(parse_size("7 B"), Some(7));
        for bad in [
            "",
            "5",
            "5 MB",
            "MiB",
            "-1 KiB",
            "1.5 GiB",
            "1  KiB",
            "99999999999999 GiB",
        ] {
            assert_eq!(parse_size(bad), None, "{bad}");
        }
    }

    #[test]
    fn limits_are_written_on_a_command_line_as_in_a_file() {
        assert_eq!(parse_limit(Limit::Memory, "2 GiB"), Some(2 << 30));
        assert_eq!(parse_limit(Limit::Memory, "1_000"), Some(1_000));
        assert_eq!(parse_limit(Limit::Fuel, "1_000"), Some(1_000));
        assert_eq!(parse_limit(Limit::Time, "90 s"), Some(90_000));
        for (limit, bad) in [
            (Limit::Memory, "2 GB"),
            (Limit::Memory, ""),
            (Limit::Fuel, "0"),
            (Limit::Fuel, "-1"),
            (Limit::Fuel, "2 GiB"),
            (Limit::Time, "90"),
            (Limit::Time, "0 s"),
        ] {
            assert_eq!(parse_limit(limit, bad), None, "{bad}");
        }
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!(parse_time("250 ms"), Some(250));
        assert_eq!(parse_time("90s"), Some(90_000));
        assert_eq!(parse_time("10 min"), Some(600_000));
        assert_eq!(parse_time("2 h"), Some(7_200_000));
        for bad in [
            "",
            "5",
            "0 s",
            "5 m",
            "h",
            "1.5 h",
            "-1 s",
            "1  s",
            "99999999999999999 h",
        ] {
            assert_eq!(parse_time(bad), None, "{bad}");
        }
    }
}
