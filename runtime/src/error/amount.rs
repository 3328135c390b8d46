//! Numbers as the pipeline file spells them, so that what a message says can be written there.

/// A number with its digits in threes: `1_000_000`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push('_');
        }
        grouped.push(digit);
    }
    grouped
}

/// A number of bytes: `64 KiB`, `4.1 MiB`.
///
/// Rounded up to a tenth, so that what is beyond a limit does not look like the limit.
pub fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let Some((unit, shift)) = units.into_iter().find(|(_, shift)| bytes >> shift > 0) else {
        return format!("{bytes} B");
    };
    let tenths = (u128::from(bytes) * 10).div_ceil(1 << shift);
    match tenths % 10 {
        0 => format!("{} {unit}", tenths / 10),
        tenth => format!("{}.{tenth} {unit}", tenths / 10),
    }
}

/// A time in the largest unit that it is a whole number of: `90 s`, `10 min`, `250 ms`.
pub fn time(milliseconds: u64) -> String {
    let units = [("h", 3_600_000), ("min", 60_000), ("s", 1_000)];
    let whole = |unit: &(&str, u64)| milliseconds > 0 && milliseconds.is_multiple_of(unit.1);
    let (unit, length) = units.into_iter().find(whole).unwrap_or(("ms", 1));
    format!("{} {unit}", milliseconds / length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_threes() {
        let counts = [0, 999, 1_000, 65_536, 200_000_000_000].map(count);
        assert_eq!(counts, ["0", "999", "1_000", "65_536", "200_000_000_000"]);
    }

    #[test]
    fn times_are_exact() {
        let times = [0, 250, 1_000, 90_000, 90_001, 600_000, 7_200_000].map(time);
        assert_eq!(
            times,
            ["0 ms", "250 ms", "1 s", "90 s", "90001 ms", "10 min", "2 h"]
        );
    }

    #[test]
    fn sizes_are_rounded_up() {
        let sizes = [7, 1 << 10, (1 << 10) + 1, 4 << 20, (4 << 20) + (64 << 10)].map(size);
        assert_eq!(sizes, ["7 B", "1 KiB", "1.1 KiB", "4 MiB", "4.1 MiB"]);
        assert_eq!(size(3 << 29), "1.5 GiB");
        assert_eq!(size(u64::MAX), "17179869184 GiB");
    }
}
