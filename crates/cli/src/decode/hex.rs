//! Hexadecimal digits to bytes.

/// Appends the bytes that `text` writes. White space, colons and commas between digits do not matter, nor does `0x` or `\x`
/// in front of a byte, so that what a debugger, a sniffer or a source file shows can be pasted.
///
/// # Errors
/// What is no digit and where, or that a digit is left over.
pub(super) fn read(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    out.reserve(text.len() / 2);
    let mut high = None;
    let mut before = 0;
    for (at, c) in text.bytes().enumerate() {
        let last = std::mem::replace(&mut before, c);
        let digit = match c {
            b'0'..=b'9' => c - b'0',
            b'a'..=b'f' => c - b'a' + 10,
            b'A'..=b'F' => c - b'A' + 10,
            b' ' | b'\t' | b'\r' | b'\n' | b':' | b',' | b'\\' => continue,
            // The 0 in front of it was no digit.
            b'x' | b'X' if last == b'0' && high == Some(0) => {
                high = None;
                continue;
            }
            b'x' if last == b'\\' && high.is_none() => continue,
            _ => return Err(format!("{:?} at {at} is no hexadecimal digit", char::from(c))),
        };
        match high.take() {
            None => high = Some(digit << 4),
            Some(high) => out.push(high | digit),
        }
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
        assert!(read("0x3, 0x05", &mut out).unwrap_err().contains("'x' at 6"));
        assert!(read("00x", &mut out).unwrap_err().contains("'x' at 2"));
        assert!(read("3", &mut out).unwrap_err().contains("left over"));
        assert!(read("3x", &mut out).unwrap_err().contains("'x' at 1"));
    }
}
