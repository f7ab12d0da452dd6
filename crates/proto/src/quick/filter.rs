//! Strings and topic filters that are part of a text.

use crate::text::is_wildcard;

/// Whether a part of a UTF-8 text, and what is right behind it there, begin between two characters: then the part is UTF-8,
/// too. A length that stands between two strings can look like a piece of a character.
#[inline]
pub(crate) const fn is_whole(part: &[u8], behind: &[u8]) -> bool {
    !goes_on(part) && !goes_on(behind)
}

/// Whether this begins inside a character.
#[inline]
const fn goes_on(text: &[u8]) -> bool {
    matches!(text, [0x80..=0xBF, ..])
}

/// Whether a filter, which is part of a text and has this behind it there, is text itself, with its wildcards in place and no
/// U+0000.
///
/// Each byte between the first and the last is looked at together with its neighbours, many at once: three times as fast as
/// going from wildcard to wildcard, and no slower than finding out that there is none.
#[inline(never)]
pub(crate) fn is_good_filter(filter: &[u8], behind: &[u8]) -> bool {
    if !is_whole(filter, behind) {
        return false;
    }
    let [first, bytes @ .., last] = filter else {
        return filter.first().is_some_and(|only| *only != 0);
    };
    let (Some((before, [previous, _])), Some(([_, next], after))) =
        (filter.split_last_chunk::<2>(), filter.split_first_chunk::<2>())
    else {
        return false;
    };
    (*first != 0 && (!is_wildcard(*first) || *first == b'+' && *next == b'/'))
        && (*last != 0 && (!is_wildcard(*last) || *previous == b'/'))
        && !is_bad_middle(before, bytes, after)
}

/// Whether one of `bytes` may not stand between the bytes around it, which are at the same places in `before` and `after`.
///
/// Never inlined: where the compiler sees that the three overlap, it shuffles bytes around instead of loading them thrice.
#[inline(never)]
fn is_bad_middle(before: &[u8], bytes: &[u8], after: &[u8]) -> bool {
    is_bad_in::<16>(before, bytes, after)
        .or_else(|| is_bad_in::<8>(before, bytes, after))
        .unwrap_or_else(|| before.iter().zip(bytes).zip(after).any(|((b, byte), a)| is_misplaced(*b, *byte, *a)))
}

/// The same, `N` bytes at a time; `None` for less.
#[inline(always)]
fn is_bad_in<const N: usize>(before: &[u8], bytes: &[u8], after: &[u8]) -> Option<bool> {
    let last = is_bad_chunk::<N>(before.last_chunk()?, bytes.last_chunk()?, after.last_chunk()?);
    let mut chunks = before.as_chunks().0.iter().zip(bytes.as_chunks().0).zip(after.as_chunks().0);
    Some(last || chunks.any(|((before, bytes), after)| is_bad_chunk::<N>(before, bytes, after)))
}

/// Without an exit before the end, so that the compiler has a few vector instructions look at all bytes.
#[inline(always)]
fn is_bad_chunk<const N: usize>(before: &[u8; N], bytes: &[u8; N], after: &[u8; N]) -> bool {
    let around = before.iter().zip(bytes).zip(after);
    around.fold(false, |found, ((before, byte), after)| found | is_misplaced(*before, *byte, *after))
}

#[inline]
const fn is_misplaced(before: u8, byte: u8, after: u8) -> bool {
    let fills_level = (before == b'/') & (after == b'/') & (byte == b'+');
    (byte == 0) | is_wildcard(byte) & !fills_level
}

#[cfg(test)]
mod tests {
    use super::is_good_filter;
    use crate::text::{is_plain_filter, is_wildcard};
    use crate::topic::check_wildcards;

    /// The quick checks say what the one that goes from wildcard to wildcard says; the quickest refuses more.
    #[test]
    fn filters_are_judged_alike() {
        const BYTES: [u8; 5] = *b"a/+#\0";
        let mut plain = 0;
        let mut judge = |filter: &[u8]| {
            let is_good = check_wildcards(filter).is_ok() && !filter.contains(&0);
            assert_eq!(is_good_filter(filter, &[]), is_good, "{filter:?}");
            assert!(!is_plain_filter(filter) || is_good, "{filter:?}");
            let wildcards = filter.iter().filter(|byte| is_wildcard(**byte)).count();
            if is_good
                && (wildcards == 0 || wildcards == 1 && filter.len() > 1 && is_wildcard(filter[filter.len() - 1]))
            {
                assert!(is_plain_filter(filter), "{filter:?}");
                plain += 1;
            }
        };
        // All that are short, then short ones at each place of longer ones. Miri has a hundredth of it to do.
        for len in if cfg!(miri) { 1..3 } else { 1..7 } {
            for mut number in 0..5usize.pow(len) {
                let mut part = [0; 6];
                for byte in &mut part {
                    *byte = BYTES[number % 5];
                    number /= 5;
                }
                let part = &part[..usize::try_from(len).unwrap()];
                judge(part);
                let end = if len == if cfg!(miri) { 1 } else { 4 } { 40 - part.len() } else { 0 };
                for at in 0..end {
                    let mut filter = *b"abcd/efgh/ijkl/mnop/qrst/uvwx/yzab/cdef/";
                    filter[at..at + part.len()].copy_from_slice(part);
                    judge(&filter);
                    judge(&filter[..at + part.len()]);
                    judge(&filter[at..]);
                }
            }
        }
        assert!(cfg!(miri) || plain > 1000, "{plain}");
    }

    /// In a text, what begins inside a character is not one; nor is what the next thing goes on.
    #[test]
    fn a_piece_of_a_character_is_no_filter() {
        let text = "a\u{e9}/\u{e9}b".as_bytes();
        assert!(is_good_filter(&text[..3], &text[3..]) && is_good_filter(&text[1..], &[]));
        assert!(!is_good_filter(&text[2..], &[]) && !is_good_filter(&text[..2], &text[2..]));
    }
}
