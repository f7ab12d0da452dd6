//! Hexadecimal digits to bytes.

/// Appends the bytes that `text` writes. White space and colons between digits do not matter, nor do commas between bytes and
/// `0x` or `\x` in front of one, so that what a debugger, a sniffer or a source file shows can be pasted.
///
/// # Errors
/// What is no digit and where, or that a digit is left over.
pub(super) fn read(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    out.reserve(text.len() / 2);
    let mut high = None;
    // Behind 0x or \x there must be digits.
    let mut prefixed = false;
    let mut before = 0;
    for (at, c) in text.bytes().enumerate() {
        let last = std::mem::replace(&mut before, c);
        let digit = match c {
            b'0'..=b'9' => c - b'0',
            b'a'..=b'f' => c - b'a' + 10,
            b'A'..=b'F' => c - b'A' + 10,
            b' ' | b'\t' | b'\r' | b'\n' | b':' if !prefixed => continue,
            b',' if high.is_none() && !prefixed => continue,
            b'\\' if high.is_none() && !prefixed && text.as_bytes().get(at + 1) == Some(&b'x') => continue,
            b',' | b'\\' if high.is_some() => return Err(format!("a single digit in front of {at}: a byte has two")),
            // The 0 in front of it was no digit.
            b'x' | b'X' if last == b'0' && high == Some(0) => {
                (high, prefixed) = (None, true);
                continue;
            }
            b'x' if last == b'\\' => {
                prefixed = true;
                continue;
            }
            _ => return Err(format!("{:?} at {at} is no hexadecimal digit", char::from(c))),
        };
        prefixed = false;
        match high.take() {
            None => high = Some(digit << 4),
            Some(high) => out.push(high | digit),
        }
    }
    if prefixed {
        return Err("there is no digit behind the last x".to_owned());
    }
    if high.is_some() { Err("a single digit is left over: a byte has two".to_owned()) } else { Ok(()) }
}

/// Two digits a byte.
pub(super) fn write(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_become_bytes() {
        let mut out = Vec::new();
        read("30 0a:fF\n00", &mut out).unwrap();
        assert_eq!(out, [0x30, 0x0a, 0xff, 0]);
        assert_eq!(write(&out), "300aff00");
        out.clear();
        read(r"0x30, 0x05,0X00 \x01\x61", &mut out).unwrap();
        assert_eq!(out, [0x30, 5, 0, 1, 0x61]);
        for glued in ["0x3, 0x05", "c, 0, 0, 0", r"\x3\x05"] {
            assert!(read(glued, &mut out).unwrap_err().contains("a single digit in front of"), "{glued}");
        }
        for cut in ["c0 00 0x", "0x", r"\x", "0x 30"] {
            assert!(read(cut, &mut out).is_err(), "{cut}");
        }
        assert!(read(r"\c\0", &mut out).unwrap_err().contains("at 0"));
        assert!(read("00x", &mut out).unwrap_err().contains("'x' at 2"));
        assert!(read("3", &mut out).unwrap_err().contains("left over"));
        assert!(read("3x", &mut out).unwrap_err().contains("'x' at 1"));
    }
}
