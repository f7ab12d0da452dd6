//! Hexadecimal digits to bytes.

/// Appends the bytes that `text` writes; white space and colons between digits do not matter.
///
/// # Errors
/// What is no digit and where, or that a digit is left over.
pub(super) fn read(text: &str, out: &mut Vec<u8>) -> Result<(), String> {
    out.reserve(text.len() / 2);
    let mut high = None;
    for (at, c) in text.bytes().enumerate() {
        let digit = match c {
            b'0'..=b'9' => c - b'0',
            b'a'..=b'f' => c - b'a' + 10,
            b'A'..=b'F' => c - b'A' + 10,
            b' ' | b'\t' | b'\r' | b'\n' | b':' => continue,
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
        assert!(read("3", &mut out).unwrap_err().contains("left over"));
        assert!(read("3x", &mut out).unwrap_err().contains("'x' at 1"));
    }
}
