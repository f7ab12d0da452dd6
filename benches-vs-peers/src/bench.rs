//! Runs a cell, which is one case of one library, in one of the ways of measuring.

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Instant;

use crate::allocations;
use crate::fields::{Noted, Sink, Unseen};
use crate::input::Case;

/// How a run measures.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Under callgrind: marks where to count, and prints the cells in order.
    Instructions,
    /// With the counting allocator.
    Allocations,
    Nanoseconds,
}

/// Valgrind writes down what was counted whenever this is entered.
#[inline(never)]
pub fn a_count_ends_here() {
    black_box(());
}

/// One measured cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    pub case: String,
    pub who: String,
    pub value: f64,
}

/// A library's decoder.
pub trait Decoder {
    const WHO: &'static str;
    const V5: bool;
    /// A stream of packets with what the library needs to read on.
    type Input<'a>;

    /// Not measured.
    fn input(stream: &[u8]) -> Self::Input<'_>;

    /// Takes the next packet off the stream and hands over all of its fields.
    fn read(input: &mut Self::Input<'_>, sink: &mut impl Sink) -> Result<(), String>;
}

/// All cells of one run.
pub struct Bench {
    mode: Mode,
    /// Only what has this in its name.
    filter: String,
    pub cells: Vec<Cell>,
    /// The reference, and what was found wanting.
    pub left_out: Vec<String>,
}

impl Bench {
    pub fn new(mode: Mode, filter: &str) -> Self {
        Self { mode, filter: filter.to_owned(), cells: Vec::new(), left_out: Vec::new() }
    }

    /// Decodes every case that `D` can, verified against `R`.
    pub fn decode<R: Decoder, D: Decoder>(&mut self) {
        for case in crate::input::CASES {
            let Some((wire, packets)) = case.wire(D::V5) else { continue };
            let name = format!("decode/{}", case.name(D::V5));
            if let Err(why) = verify::<R, D>(&wire, packets) {
                self.left_out.push(format!("{} in {name}: {why}", D::WHO));
                continue;
            }
            // A stream is long enough; of other packets some hundred, and some large ones.
            let times = if case == Case::Stream { 1 } else { (1 << 20) / wire.len().max(1 << 13) };
            let streams = [wire.repeat(times), wire.repeat(2 * times)];
            self.cell(name, D::WHO, packets * times, |run| {
                let stream = &streams[run - 1];
                let mut input = black_box(D::input(stream));
                let packets = packets * times * run;
                move || {
                    for _ in 0..packets {
                        D::read(&mut input, &mut Unseen).unwrap();
                    }
                }
            });
        }
    }

    /// Encodes `packet` with `write` into `out`, which is emptied or overwritten by `write`.
    pub fn encode<P, O>(
        &mut self,
        (case, v5, who): (Case, bool, &str),
        packet: &P,
        out: O,
        write: impl Fn(&P, &mut O),
        written: impl Fn(&mut O) -> Vec<u8>,
    ) {
        let name = format!("encode/{}", case.name(v5));
        let (wire, _) = case.wire(v5).expect("a packet of this version");
        let out = RefCell::new(out);
        write(packet, &mut out.borrow_mut());
        let bytes = written(&mut out.borrow_mut());
        if let Err(why) = crate::peers::same_packet(&bytes, &wire, v5) {
            self.left_out.push(format!("{who} in {name}: {why}"));
            return;
        }
        let times = (1 << 20) / wire.len().max(1 << 13);
        let (out, write) = (&out, &write);
        self.cell(name, who, times, |run| {
            move || {
                let out = &mut *out.borrow_mut();
                for _ in 0..run * times {
                    write(black_box(packet), out);
                    black_box(&mut *out);
                }
            }
        });
    }

    /// `prepare(1)` gives a run of `packets` packets and `prepare(2)` one of twice as many: what they differ by is the
    /// cost of the packets, without that of starting.
    pub fn cell<R: FnMut()>(&mut self, case: String, who: &str, packets: usize, mut prepare: impl FnMut(usize) -> R) {
        if !format!("{case} {who}").contains(&self.filter) {
            return;
        }
        prepare(1)();
        let value = match self.mode {
            Mode::Instructions => {
                for run in [1, 2] {
                    let mut measured = prepare(run);
                    a_count_ends_here();
                    measured();
                    a_count_ends_here();
                }
                // The number of packets, by which the difference of the counts is to be divided.
                packets as f64
            }
            Mode::Allocations => {
                let [one, two] = [1, 2].map(|run| {
                    let mut measured = prepare(run);
                    let before = allocations::count();
                    measured();
                    allocations::count() - before
                });
                (two as f64 - one as f64) / packets as f64
            }
            Mode::Nanoseconds => {
                let shortest = (0..40).map(|_| {
                    let mut measured = prepare(1);
                    let start = Instant::now();
                    measured();
                    start.elapsed().as_nanos() as f64
                });
                shortest.fold(f64::INFINITY, f64::min) / packets as f64
            }
        };
        self.cells.push(Cell { case, who: who.to_owned(), value });
    }
}

/// Whether `D` reads the same fields as the reference `R`.
fn verify<R: Decoder, D: Decoder>(wire: &[u8], packets: usize) -> Result<(), String> {
    // A library that panics at a good packet has not decoded it.
    let expected = fields::<R>(wire, packets)?;
    let found = fields::<D>(wire, packets)?;
    if expected == found { Ok(()) } else { Err("other fields".to_owned()) }
}

/// All fields of a stream.
pub fn fields<D: Decoder>(wire: &[u8], packets: usize) -> Result<Noted, String> {
    let mut noted = Noted::default();
    let mut input = D::input(wire);
    for _ in 0..packets {
        D::read(&mut input, &mut noted)?;
    }
    Ok(noted)
}
