//! A random number for every row: SplitMix64, whose numbers can be had in any order.

/// Numbers for a seed. Those of two rows differ.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SplitMix(u64);

/// Bits of a number that are counted at once.
const DIGIT_BITS: u32 = 16;

impl SplitMix {
    /// The numbers for `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The number of `row`.
    #[inline]
    pub(crate) fn number(self, row: u64) -> u64 {
        let mut z = self
            .0
            .wrapping_add(row.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// The greatest of the `count` smallest numbers of `rows` rows; at least one, and not more than there
    /// are.
    ///
    /// Found digit by digit, the highest first, by how many numbers have it, so that nothing of the size of
    /// the table is held.
    pub(crate) fn smallest(self, count: u64, rows: u64) -> u64 {
        let mut rank = count.saturating_sub(1);
        let mut known = 0u64;
        for shift in (0..u64::BITS / DIGIT_BITS).rev().map(|at| DIGIT_BITS * at) {
            // The digits above, which are known.
            let above = |number: u64| number.checked_shr(shift + DIGIT_BITS).unwrap_or(0);
            let mut counts = vec![0u64; 1 << DIGIT_BITS];
            let numbers = (0..rows).map(|row| self.number(row));
            for number in numbers.filter(|number| above(*number) == above(known)) {
                counts[(number >> shift) as usize & ((1 << DIGIT_BITS) - 1)] += 1;
            }
            for (digit, found) in (0..).zip(counts) {
                if rank < found {
                    known |= digit << shift;
                    break;
                }
                rank -= found;
            }
        }
        known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers that Vigna's reference implementation gives for the seed 1234567.
    #[test]
    fn numbers_are_those_of_split_mix() {
        let numbers = SplitMix::new(1_234_567);
        let first: Vec<u64> = (0..5).map(|row| numbers.number(row)).collect();
        assert_eq!(
            first,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423,
                4_593_380_528_125_082_431,
                16_408_922_859_458_223_821
            ]
        );
    }

    #[test]
    fn the_smallest_are_counted() {
        let numbers = SplitMix::new(3);
        let mut sorted: Vec<u64> = (0..999).map(|row| numbers.number(row)).collect();
        sorted.sort_unstable();
        for count in [1, 2, 500, 998, 999] {
            assert_eq!(numbers.smallest(count, 999), sorted[count as usize - 1]);
        }
    }
}
