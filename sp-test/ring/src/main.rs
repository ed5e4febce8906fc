//! `ring matrix`, `ring fuzz`, `ring diff`: what the tests of this crate do, at any length.

use ring::{diff, fuzz};
use std::process::ExitCode;

const HELP: &str = "\
usage: ring matrix [--all]             the named cells, as a table (--all: one line each)
       ring fuzz [--calls N] [--seed S] [--threads T]
       ring fuzz --system S [--calls N]  one system of a run, as a failure names it
       ring fuzz --vms …                 several VMs in each system
       ring fuzz --memory …              mostly calls about memory
       ring notifications [--calls N] [--seed S] [--threads T] [--system S] [--json]
                                      notifications and indirect messages, with a ledger
       ring diff [--calls N] [--seed S] [--threads T] [--system S]";

struct Options {
    calls: u64,
    seed: Option<u64>,
    system: Option<u64>,
    threads: usize,
    all: bool,
    vms: bool,
    memory: bool,
    json: bool,
}

fn number(text: &str) -> Result<u64, String> {
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    match plain.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16),
        None => plain.parse(),
    }
    .map_err(|_| format!("{text} is no number"))
}

fn options(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options {
        calls: 10_000_000,
        seed: None,
        system: None,
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        all: false,
        vms: false,
        memory: false,
        json: false,
    };
    let mut rest = arguments.iter();
    while let Some(name) = rest.next() {
        if name == "--all" {
            options.all = true;
            continue;
        }
        if name == "--memory" {
            options.memory = true;
            continue;
        }
        if name == "--json" {
            options.json = true;
            continue;
        }
        if name == "--vms" {
            options.vms = true;
            continue;
        }
        let value = rest.next().ok_or(format!("{name} wants a value"))?;
        match name.as_str() {
            "--calls" => options.calls = number(value)?,
            "--seed" => options.seed = Some(number(value)?),
            "--system" => options.system = Some(number(value)?),
            "--threads" => options.threads = number(value)? as usize,
            _ => return Err(format!("{name} is unknown\n{HELP}")),
        }
    }
    Ok(options)
}

/// A seed that differs from run to run.
fn any_seed() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(1, |now| now.as_nanos() as u64)
}

fn run() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((command, rest)) = arguments.split_first() else {
        return Err(HELP.to_owned());
    };
    let options = options(rest)?;
    let seed = options.seed.unwrap_or_else(any_seed);
    let started = std::time::Instant::now();
    // A panic of a core is reported with the run that led to it.
    std::panic::set_hook(Box::new(|_| {}));
    if command == "matrix" {
        return matrix(options.all);
    }
    if command == "notifications" {
        return notifications(seed, &options);
    }
    let report = match command.as_str() {
        "fuzz" | "diff" => {
            let fuzzes = command == "fuzz";
            match options.system {
                Some(system) => {
                    println!("system {system:#x}");
                    let one = match (fuzzes, options.vms, options.memory) {
                        (true, _, true) => fuzz::memory,
                        (true, true, _) => fuzz::vms,
                        (true, false, _) => fuzz::system,
                        (false, ..) => diff::system,
                    };
                    one(system, options.calls.min(fuzz::CALLS_PER_SYSTEM))
                }
                None => {
                    println!("seed {seed:#x}, {} calls", options.calls);
                    let many = match (fuzzes, options.vms, options.memory) {
                        (true, _, true) => fuzz::many_memory,
                        (true, true, _) => fuzz::many_vms,
                        (true, false, _) => fuzz::many,
                        (false, ..) => diff::many,
                    };
                    many(seed, options.calls, options.threads)
                }
            }
        }
        _ => return Err(HELP.to_owned()),
    };
    let report = report.map_err(|failure| failure.to_string())?;
    println!(
        "{} calls, {} steps in {:.1} s: nothing broken",
        report.calls,
        report.steps,
        started.elapsed().as_secs_f64()
    );
    println!("{:?}", report.counts);
    println!("between VMs: {:?}", report.between_vms);
    Ok(())
}

fn notifications(seed: u64, options: &Options) -> Result<(), String> {
    let started = std::time::Instant::now();
    let report = match options.system {
        Some(system) => {
            ring::notifications::system(system, options.calls.min(fuzz::CALLS_PER_SYSTEM))
        }
        None => ring::notifications::many(seed, options.calls, options.threads),
    };
    let report = report.map_err(|failure| failure.to_string())?;
    let (calls, digest) = (report.calls, report.digest);
    let seconds = started.elapsed().as_secs_f64();
    if options.json {
        println!(
            "{{\"seed\": {seed}, \"calls\": {calls}, \"digest\": {digest}, \"seconds\": {seconds:.1}, \
             \"set\": {}, \"read\": {}, \"messages\": {}, \"named\": {}}}",
            report.counts.set, report.counts.read, report.counts.messages, report.counts.named
        );
        return Ok(());
    }
    println!("seed {seed:#x}: {calls} calls in {seconds:.1} s: nothing broken");
    println!("digest {digest:#018x}");
    println!("{:?}", report.counts);
    Ok(())
}

fn matrix(all: bool) -> Result<(), String> {
    let cells = ring::matrix::run();
    if all {
        for cell in &cells {
            let result = cell.result.as_ref().map_or_else(String::as_str, |()| "ok");
            println!("{}: {result}", cell.name());
        }
    }
    println!("{}", ring::matrix::table(&cells));
    let failed: Vec<String> = cells
        .iter()
        .filter_map(|cell| Some(format!("{}: {}", cell.name(), cell.result.as_ref().err()?)))
        .collect();
    if failed.is_empty() {
        Ok(())
    } else {
        Err(failed.join("\n"))
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            // On standard output with the rest, so that a log has it.
            println!("{what}");
            ExitCode::FAILURE
        }
    }
}
