//! Random numbers from a seed, and the seeds that a test runs over: the same seed gives the same run.

use core::ops::RangeInclusive;

/// A small generator (SplitMix64). Good enough to scatter delays and cuts, and not for secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rng(u64);

impl Rng {
    /// Begins at `seed`.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number of the range, each as likely as the others.
    pub fn within(&mut self, range: &RangeInclusive<u64>) -> u64 {
        let (first, last) = (*range.start(), *range.end());
        if last <= first {
            return first;
        }
        match (last - first).checked_add(1) {
            Some(count) => first + self.next_u64() % count,
            None => self.next_u64(),
        }
    }

    /// A number below `count`; 0 when there is none.
    pub fn below(&mut self, count: usize) -> usize {
        match count {
            0 => 0,
            _ => (self.next_u64() % count as u64) as usize,
        }
    }

    /// True in so many of a hundred cases.
    pub fn percent(&mut self, chance: u8) -> bool {
        self.next_u64() % 100 < u64::from(chance)
    }

    /// A generator of its own, so that drawing more from one leaves the other as it was.
    pub const fn fork(&mut self) -> Self {
        Self(self.next_u64())
    }
}

/// The environment variable that runs one seed alone, the one that a failure printed.
pub const SEED_VARIABLE: &str = "SIM_SEED";

/// The environment variable that sets how many seeds a randomised test tries.
pub const COUNT_VARIABLE: &str = "SIM_SEEDS";

/// The seeds of a randomised test: the one in [`SEED_VARIABLE`], or as many as [`COUNT_VARIABLE`] says, or `count`.
///
/// They are the same each time, so that a change of the code is what makes a test fail.
///
/// # Panics
/// When one of the variables holds no number.
#[must_use]
pub fn seeds(count: u64) -> Vec<u64> {
    let number = |name| {
        let text = std::env::var(name).ok()?;
        Some(parse(&text).unwrap_or_else(|| panic!("{name}={text} is no number")))
    };
    match number(SEED_VARIABLE) {
        Some(seed) => vec![seed],
        None => (0..number(COUNT_VARIABLE).unwrap_or(count)).collect(),
    }
}

fn parse(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_numbers() {
        let draw = |seed| {
            let mut rng = Rng::new(seed);
            (0..8).map(|_| rng.within(&(3..=9))).collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert!(draw(7).iter().all(|n| (3..=9).contains(n)));
    }

    #[test]
    fn ranges_of_one_and_of_all_numbers_are_drawn_from() {
        let mut rng = Rng::new(1);
        assert_eq!(rng.within(&(5..=5)), 5);
        assert_ne!(rng.within(&(0..=u64::MAX)), rng.within(&(0..=u64::MAX)));
        assert_eq!(rng.below(0), 0);
    }

    #[test]
    fn seeds_are_read_in_decimal_and_hexadecimal() {
        assert_eq!(parse("12"), Some(12));
        assert_eq!(parse("0x1F"), Some(31));
        assert_eq!(parse("x"), None);
    }
}
