//! Statistics of a few measurements, and the order in which they are taken.

/// The least, the middle and the greatest of some numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// The least.
    pub(crate) least: f64,
    /// The middle one, or the mean of the two in the middle.
    pub(crate) median: f64,
    /// The greatest.
    pub(crate) greatest: f64,
}

impl Spread {
    /// `None` if there are no numbers.
    pub(crate) fn of(numbers: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<_> = numbers.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (least, greatest) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Some(Self { least, median, greatest })
    }
}

/// A generator for shuffles: the same seed gives the same order (splitmix64, public domain, by Sebastiano Vigna).
pub(crate) struct Random(u64);

impl Random {
    /// Starts at `seed`.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// For each round, whether the first of the pair starts. It does so in half of the rounds, which are chosen at
    /// random.
    pub(crate) fn halves(&mut self, rounds: usize) -> Vec<bool> {
        let mut order: Vec<_> = (0..rounds).map(|round| round % 2 == 0).collect();
        for last in (1..order.len()).rev() {
            let other = (self.next() % (last as u64 + 1)) as usize;
            order.swap(last, other);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::{Random, Spread};

    #[test]
    fn the_median_is_the_middle_number_or_the_mean_of_the_middle_two() {
        let spread = |numbers: &[f64]| Spread::of(numbers.iter().copied());
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[2.0]), Some(Spread { least: 2.0, median: 2.0, greatest: 2.0 }));
        assert_eq!(spread(&[3.0, 1.0, 2.0]), Some(Spread { least: 1.0, median: 2.0, greatest: 3.0 }));
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
    }

    #[test]
    fn each_of_a_pair_starts_half_of_the_rounds_and_a_seed_repeats_the_order() {
        for seed in 0..20 {
            let order = Random::new(seed).halves(6);
            assert_eq!(order.iter().filter(|first| **first).count(), 3);
            assert_eq!(order, Random::new(seed).halves(6));
        }
        let orders: Vec<_> = (0..20).map(|seed| Random::new(seed).halves(6)).collect();
        assert!(orders.iter().any(|order| order != &orders[0]));
    }
}
