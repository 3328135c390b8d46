//! The population stability index: how far shares of rows moved from a reference.

use std::collections::BTreeMap;

/// Bins of a numeric column, of about equal share in the reference.
const BINS: usize = 10;

/// Shares below this count as this, so that an empty bin does not make the index infinite.
const SMALLEST_SHARE: f64 = 1e-4;

/// Of a numeric column. Both sides are in ascending order and finite.
///
/// The bins are cut at the deciles of the reference, by linear interpolation as in NumPy, each with its
/// lower edge; the first and the last are open. Equal deciles are one edge. None if a side is empty.
pub(crate) fn numeric(reference: &[f64], current: &[f64]) -> Option<f64> {
    let mut edges: Vec<f64> = (1..BINS)
        .filter_map(|i| quantile(reference, i as f64 / BINS as f64))
        .collect();
    edges.dedup();
    let counts = |sorted: &[f64]| -> Vec<u64> {
        let starts = edges
            .iter()
            .map(|edge| sorted.partition_point(|value| value < edge));
        let ends = starts.clone().chain([sorted.len()]);
        std::iter::once(0)
            .chain(starts)
            .zip(ends)
            .map(|(start, end)| (end - start) as u64)
            .collect()
    };
    index(counts(reference).into_iter().zip(counts(current)))
}

/// Of a column of categories, from how often each occurs. None if a side is empty.
pub(crate) fn categorical<K: Ord>(
    reference: &BTreeMap<K, u64>,
    current: &BTreeMap<K, u64>,
) -> Option<f64> {
    let mut counts: BTreeMap<&K, (u64, u64)> = BTreeMap::new();
    for (value, count) in reference {
        counts.entry(value).or_default().0 = *count;
    }
    for (value, count) in current {
        counts.entry(value).or_default().1 = *count;
    }
    index(counts.values().copied())
}

/// `sum((c - r) * ln(c / r))` over the shares `r` and `c` of each bin.
fn index(counts: impl Iterator<Item = (u64, u64)> + Clone) -> Option<f64> {
    let (reference, current) = counts
        .clone()
        .fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    if reference == 0 || current == 0 {
        return None;
    }
    let share = |count: u64, total: u64| (count as f64 / total as f64).max(SMALLEST_SHARE);
    let shares = counts.map(|(r, c)| (share(r, reference), share(c, current)));
    Some(shares.map(|(r, c)| (c - r) * libm::log(c / r)).sum())
}

/// The value at `rank` in `0..=1` of ascending values, interpolated linearly as `numpy.quantile` does.
fn quantile(sorted: &[f64], rank: f64) -> Option<f64> {
    let place = rank * sorted.len().checked_sub(1)? as f64;
    let low = *sorted.get(place as usize)?;
    let high = *sorted.get(place as usize + 1).unwrap_or(&low);
    let part = place.fract();
    Some(if part < 0.5 {
        low + (high - low) * part
    } else {
        high - (high - low) * (1.0 - part)
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn equal_sides_have_index_zero() {
        let values: Vec<f64> = (0..97).map(f64::from).collect();
        assert_eq!(numeric(&values, &values), Some(0.0));
    }

    #[test]
    fn a_constant_reference_has_two_bins() {
        let moved = numeric(&[5.0; 20], &[4.0; 20]).unwrap();
        assert!((moved - 2.0 * (1.0 - 1e-4) * libm::log(1e4)).abs() < 1e-12);
        assert_eq!(numeric(&[5.0; 20], &[6.0; 3]), Some(0.0));
    }

    #[test]
    fn an_empty_side_has_no_index() {
        assert_eq!(numeric(&[], &[1.0]), None);
        assert_eq!(numeric(&[1.0], &[]), None);
        assert_eq!(
            categorical::<u8>(&BTreeMap::new(), &BTreeMap::from([(1, 2)])),
            None
        );
    }

    #[test]
    fn values_of_one_side_only_count() {
        let reference = BTreeMap::from([("a", 50), ("b", 30), ("c", 20)]);
        let current = BTreeMap::from([("a", 30), ("b", 30), ("c", 30), ("d", 10)]);
        let expected =
            -0.2 * (0.3f64 / 0.5).ln() + 0.1 * 1.5f64.ln() + (0.1 - 1e-4) * (0.1f64 / 1e-4).ln();
        assert!((categorical(&reference, &current).unwrap() - expected).abs() < 1e-15);
    }
}
