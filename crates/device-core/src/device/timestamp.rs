//! Unix milliseconds as ISO 8601 in UTC, without a calendar library.

use core::fmt;

/// 9999-12-31T23:59:59.999Z, the last moment that four digits of a year can name.
const LAST: u64 = 253_402_300_799_999;

/// Prints as `2025-01-15T10:30:00.000Z`; later than the year 9999 prints as its last millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub unix_ms: u64,
}

impl Timestamp {
    /// The text, always 24 ASCII characters.
    #[must_use]
    pub fn to_ascii(self) -> [u8; 24] {
        let ms = self.unix_ms.min(LAST);
        let (days, in_day) = (ms / 86_400_000, ms % 86_400_000);
        let (year, month, day) = civil_from_days(days);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        digits(&mut text, 0, 4, year);
        digits(&mut text, 5, 2, month);
        digits(&mut text, 8, 2, day);
        digits(&mut text, 11, 2, in_day / 3_600_000);
        digits(&mut text, 14, 2, in_day / 60_000 % 60);
        digits(&mut text, 17, 2, in_day / 1000 % 60);
        digits(&mut text, 20, 3, in_day % 1000);
        text
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(&self.to_ascii()).unwrap_or_default())
    }
}

/// Writes the last `len` digits of `number` at `at`.
fn digits(text: &mut [u8], at: usize, len: usize, number: u64) {
    let mut rest = number;
    for place in text.iter_mut().skip(at).take(len).rev() {
        *place = b'0'.saturating_add(u8::try_from(rest % 10).unwrap_or(0));
        rest /= 10;
    }
}

/// Year, month and day of a day counted from 1970-01-01 (Gregorian).
///
/// Years here begin in March, so that the leap day is the last of its year and months are a linear function of days;
/// 400 of them, an era, always have 146 097 days.
#[allow(clippy::arithmetic_side_effects)] // bounded: `days` is below 2 932 897, each line is below the one above
const fn civil_from_days(days: u64) -> (u64, u64, u64) {
    /// From 0000-03-01 to 1970-01-01.
    const TO_EPOCH: u64 = 719_468;
    let days = days + TO_EPOCH;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    // What each leap day, missing leap day and era's last day adds is taken off before dividing by a plain year.
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // March is 0; five months from March have 153 days, as do the next five.
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 { (0, month + 3) } else { (1, month - 9) };
    (year + year_of_era + era * 400, month, day)
}
