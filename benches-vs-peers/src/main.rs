//! The same work done by mqtt-device and by its peers, measured in one run: see `run`.

mod allocations;
mod bench;
mod fields;
mod input;
// Only where nothing is measured but allocations: one more caller of a library's function may keep the compiler from
// inlining it where it is measured.
#[cfg(feature = "count-allocations")]
mod malformed;
mod peers;
mod report;

use bench::{Bench, Mode};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let argument = |at: usize| arguments.get(at).map_or("", String::as_str);
    let mode = match argument(0) {
        // Prints what was found, for `report` to read.
        "instructions" => Mode::Instructions,
        "allocations" => Mode::Allocations,
        "nanoseconds" => Mode::Nanoseconds,
        "report" => {
            if let Err(why) = report::write(argument(1), argument(2)) {
                eprintln!("{why}");
                std::process::exit(1);
            }
            return;
        }
        other => {
            eprintln!("benches-vs-peers: unknown measure {other:?}; start `run codec`");
            std::process::exit(2);
        }
    };
    let mut bench = Bench::new(mode, argument(1));
    peers::run(&mut bench);
    for cell in &bench.cells {
        println!("{}\t{}\t{}", cell.case, cell.who, cell.value);
    }
    for left_out in &bench.left_out {
        println!("left out\t{left_out}\t0");
    }
    #[cfg(feature = "count-allocations")]
    if mode == Mode::Allocations {
        for finding in malformed::findings() {
            println!("malformed\t{finding}\t0");
        }
    }
}
