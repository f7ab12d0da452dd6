//! What a decoder hands over, field by field: shown to nobody while measuring, written down while verifying.

use std::hint::black_box;

/// Takes the fields of a packet in a fixed order, which is the same for every library.
pub trait Sink {
    /// An integer, a flag, or an enumeration as the standard numbers it.
    fn number(&mut self, value: u32);
    /// A string.
    fn text(&mut self, text: &str);
    /// Binary data, or a string of a library that gives it as bytes.
    fn bytes(&mut self, bytes: &[u8]);
}

/// Makes the compiler believe that each field is used.
pub struct Unseen;

impl Sink for Unseen {
    #[inline(always)]
    fn number(&mut self, value: u32) {
        black_box(value);
    }

    #[inline(always)]
    fn text(&mut self, text: &str) {
        black_box(text);
    }

    #[inline(always)]
    fn bytes(&mut self, bytes: &[u8]) {
        black_box(bytes);
    }
}

/// Keeps each field, to be compared.
#[derive(Default, PartialEq, Eq, Debug)]
pub struct Noted(pub Vec<Vec<u8>>);

impl Sink for Noted {
    fn number(&mut self, value: u32) {
        self.0.push(value.to_be_bytes().to_vec());
    }

    fn text(&mut self, text: &str) {
        self.0.push(text.as_bytes().to_vec());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.push(bytes.to_vec());
    }
}
