//! Joins what the runs found: lines of JSON, or `docs/benchmarks.md`.

use std::fmt::Write as _;
use std::path::Path;
use std::{fs, io};

use crate::bench::Cell;

/// The figures of one cell.
struct Row {
    case: String,
    who: String,
    instructions: f64,
    allocations: f64,
    ns: f64,
}

/// One run's output.
#[derive(Default)]
struct Found {
    cells: Vec<Cell>,
    left_out: Vec<String>,
    malformed: Vec<String>,
}

/// Reads the runs in the folder `from` and writes the table to the file `to`, or JSON to standard output for `-`.
pub fn write(from: &str, to: &str) -> Result<(), String> {
    let from = Path::new(from);
    let (mut rows, found) = joined(from, "")?;
    rows.extend(joined(from, "unchecked-")?.0);
    if to == "-" {
        for Row { case, who, instructions, allocations, ns } in rows {
            let (instructions, allocations) = (instructions.round(), (allocations * 1000.0).round() / 1000.0);
            println!(
                "{{\"bench\":\"codec\",\"case\":\"{case}\",\"who\":\"{who}\",\"instructions\":{instructions},\
                 \"allocations\":{allocations},\"ns\":{ns:.1}}}"
            );
        }
        return Ok(());
    }
    let page = page(&rows, &found.left_out, &found.malformed).map_err(|error| error.to_string())?;
    fs::write(to, page).map_err(|error| format!("{to}: {error}"))
}

/// The cells of one build, whose files have the prefix, and what it said besides.
fn joined(from: &Path, prefix: &str) -> Result<(Vec<Row>, Found), String> {
    let named = |name: &str| {
        let name = format!("{prefix}{name}");
        read(&from.join(&name)).map_err(|error| format!("{name}: {error}"))
    };
    let (marked, allocations, ns) = (named("instructions")?, named("allocations")?, named("nanoseconds")?);
    let mut rows = Vec::new();
    for (at, cell) in marked.cells.iter().enumerate() {
        // Four counts a cell: what came before, a run, what came before the other, a run of twice the length.
        let count = |n: usize| counted(&from.join(format!("{prefix}counts.{}", 4 * at + n)));
        let instructions = (count(4)? - count(2)?) / cell.value;
        let same = |other: &&Cell| (&other.case, &other.who) == (&cell.case, &cell.who);
        let of = |found: &Found| found.cells.iter().find(same).map(|cell| cell.value).ok_or("a cell is missing");
        rows.push(Row {
            case: cell.case.clone(),
            who: cell.who.clone(),
            instructions,
            allocations: of(&allocations)?,
            ns: of(&ns)?,
        });
    }
    Ok((rows, Found { malformed: allocations.malformed, ..ns }))
}

fn read(path: &Path) -> io::Result<Found> {
    let mut found = Found::default();
    for line in fs::read_to_string(path)?.lines() {
        let mut parts = line.split('\t').map(str::to_owned);
        let (case, who) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let value = parts.next().and_then(|value| value.parse().ok()).unwrap_or(f64::NAN);
        match case.as_str() {
            "left out" => found.left_out.push(who),
            "malformed" => found.malformed.push(who),
            _ => found.cells.push(Cell { case, who, value }),
        }
    }
    Ok(found)
}

/// The instructions in one file of callgrind.
fn counted(path: &Path) -> Result<f64, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let total = text.lines().rev().find_map(|line| line.strip_prefix("totals: "));
    total.and_then(|total| total.trim().parse().ok()).ok_or_else(|| format!("no count in {}", path.display()))
}

fn page(rows: &[Row], left_out: &[String], malformed: &[String]) -> Result<String, std::fmt::Error> {
    let mut page = String::new();
    page.push_str(include_str!("benchmarks-head.md"));
    let peers = "mqtt-protocol-core rumqttc mqttbytes mqttrs mqtt-codec-kit ntex-mqtt ntex-bytes mqtt5-protocol";
    let versions: Vec<_> = peers.split(' ').map(|peer| format!("{peer} {}", version(peer))).collect();
    writeln!(page, "Measured with {}, on {} ({}).\n", compiler(), machine(), std::env::consts::ARCH)?;
    writeln!(page, "Peers: {}.\n", versions.join(", "))?;
    page.push_str("## Instructions per packet: ours and the best peer\n\n");
    page.push_str("| case | mqtt-device | unchecked-ascii | best peer | | ours / best | memcpy |\n");
    page.push_str("|---|--:|--:|--:|---|--:|--:|\n");
    let ours = || rows.iter().filter(|row| row.who == "mqtt-device");
    for row in ours() {
        let same = || rows.iter().filter(|other| other.case == row.case);
        let peers = same().filter(|other| !other.who.starts_with("mqtt-device") && other.who != "memcpy");
        let best = peers.min_by(|a, b| a.instructions.total_cmp(&b.instructions));
        let floor = same().find(|other| other.who == "memcpy").map_or(f64::NAN, |floor| floor.instructions);
        let (best, name) = best.map_or((f64::NAN, "-"), |best| (best.instructions, best.who.as_str()));
        let unchecked = same().find(|other| other.who == "mqtt-device-unchecked-ascii");
        let unchecked = unchecked.map_or("-".to_owned(), |row| format!("{:.0}", row.instructions));
        let (n, ratio) = (row.instructions, row.instructions / best);
        writeln!(page, "| {} | **{n:.0}** | {unchecked} | {best:.0} | {name} | {ratio:.2} | {floor:.0} |", row.case)?;
    }
    for kind in ["decode/v5-", "encode/v5-", "decode/", "encode/"] {
        let v5 = kind.ends_with("v5-");
        let in_table = |row: &&Row| row.case.starts_with(kind) && row.case.contains("/v5-") == v5;
        let mut who: Vec<&str> = Vec::new();
        for row in rows.iter().filter(in_table) {
            if !who.contains(&row.who.as_str()) {
                who.push(&row.who);
            }
        }
        let version = if v5 { "MQTT 5" } else { "MQTT 3.1.1" };
        let verb = kind.split('/').next().unwrap_or_default();
        writeln!(page, "\n## {version}, {verb}: instructions / ns / allocations\n")?;
        writeln!(page, "| case | {} |\n|---|{}", who.join(" | "), "--:|".repeat(who.len()))?;
        for row in ours().filter(in_table) {
            write!(page, "| {} |", row.case.trim_start_matches(kind))?;
            for who in &who {
                match rows.iter().find(|cell| cell.case == row.case && cell.who == *who) {
                    Some(cell) => write!(page, " {} |", figures(cell))?,
                    None => page.push_str(" - |"),
                }
            }
            page.push('\n');
        }
    }
    page.push_str("\n## What is left out\n\n");
    for what in left_out {
        writeln!(page, "- {what}")?;
    }
    page.push_str("\n## Malformed packets, and who accepts or writes them\n\n");
    page.push_str("| version | packet | taken by |\n|---|---|---|\n");
    for finding in malformed {
        let finding = finding.trim_end();
        writeln!(page, "| {finding}{} |", if finding.ends_with('|') { " nobody" } else { "" })?;
    }
    Ok(page)
}

fn figures(cell: &Row) -> String {
    let allocations = if cell.allocations < 0.005 { "0".to_owned() } else { format!("{:.2}", cell.allocations) };
    format!("{:.0} / {:.1} / {allocations}", cell.instructions, cell.ns)
}

/// From the lock file, in the crate that is built.
fn version(package: &str) -> &'static str {
    let lock = include_str!("../Cargo.lock");
    let entry = lock.split_once(&format!("name = \"{package}\"\nversion = \"")).map_or("", |(_, rest)| rest);
    entry.split('"').next().unwrap_or_default()
}

fn compiler() -> String {
    let rustc = std::process::Command::new("rustc").arg("--version").output();
    rustc.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}

/// What the processor says it is.
fn machine() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(": "));
    model.map_or("an unknown processor", |(_, model)| model).to_owned()
}
