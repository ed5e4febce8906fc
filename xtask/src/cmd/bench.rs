//! `cargo xtask bench`: instructions per round trip and bytes per image, exact and repeatable.

use crate::{
    assemble::{self, Boot},
    bench_report::{self, Image, Report, Row},
    board::{Board, BoardArgument, named},
    cmd::flows,
    console::{Level as LogLevel, Printer, Stream},
    counts, firmware,
    firmware::{Firmware, Options},
    image, paths, plugin, report,
    results::Bench as Announced,
    scenario::{self, Bl33, Finish, Scenario, Text},
    session::{self, On, Play},
    setup::{self, Tools},
};
use anyhow::{Context, Result, bail};
use clap::Args;
use std::{collections::BTreeSet, ffi::OsString, path::Path, process::ExitCode};

/// Arguments of `bench`.
#[derive(Args, Debug)]
pub struct Bench {
    #[command(flatten)]
    board: BoardArgument,
    /// Measure this board too, and fail if a count at S-EL2 or NS-EL2 is another there, by more than 2 %
    #[arg(long, value_name = "BOARD", value_parser = named)]
    against: Option<&'static Board>,
    /// Also list the functions of the SPMC and the proxy that one bench spends most in
    #[arg(long, value_name = "BENCH")]
    profile: Option<String>,
    /// One JSON object
    #[arg(long)]
    json: bool,
    /// Show each boot's log as it happens
    #[arg(long)]
    verbose: bool,
}

/// Counts.
///
/// # Errors
/// Something cannot be set up, built or started, or a boot fails. A bound that is not kept is no
/// error, but the exit code tells.
pub fn run(arguments: &Bench) -> Result<ExitCode> {
    let printer = Printer {
        level: LogLevel::Trace,
        json: false,
        quiet: !arguments.verbose || arguments.json,
    };
    let board = arguments.board.board;
    let (report, firmware) = measure(board, printer)?;
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", bench_report::text(&report));
        // Wall clock differs from run to run, so it is kept out of what is compared.
        if let Some(seconds) = report.power_on_to_vm_seconds {
            eprintln!(
                "power-on to the VM's first instruction: {seconds:.2} s of wall clock (under 3 s wanted)"
            );
        }
    }
    if let Some(name) = &arguments.profile {
        profile(name, &report, board, &firmware)?;
    }
    let mut broken = report.broken_bounds();
    if let Some(other) = arguments.against {
        let (against, _) = measure(other, printer)?;
        let different = bench_report::differences(&report.rows, &against.rows);
        eprintln!(
            "{} counts of {} and {} compared: {} differ by more than 2 %",
            report.rows.len(),
            board.name,
            other.name,
            different.len()
        );
        broken.extend(different);
    }
    for bound in &broken {
        eprintln!("bound not kept: {bound}");
    }
    Ok(if broken.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Measures a board.
fn measure(board: &'static Board, printer: Printer) -> Result<(Report, Firmware)> {
    let scenarios = scenario::bench();
    let tools = setup::ensure(board, flows(&scenarios))?;
    let counter = plugin::ensure(plugin::ICOUNT)?;
    let binaries: BTreeSet<_> = scenarios.iter().flat_map(assemble::binaries).collect();
    let options = Options {
        log: "off".to_owned(),
        ..Options::of(board)
    };
    let firmware = Firmware::build(&binaries, &options)?;
    let mut rows = Vec::new();
    for scenario in &scenarios {
        let boot = assemble::boot(scenario, board, &firmware, tools.tf_a(scenario.flow)?)?;
        rows.extend(count(scenario, &boot, &tools, &counter, printer)?);
        boot.discard()?;
    }
    bench_report::bound_by_few(&mut rows);
    bench_report::bound_by_single(&mut rows);
    let vm = scenarios.first().context("no boot to time")?;
    let report = Report {
        power_on_to_vm_seconds: power_on(vm, board, &firmware, &tools, printer)?,
        images: images(&firmware)?,
        rows,
    };
    Ok((report, firmware))
}

/// Plays one boot under the counter.
fn count(
    scenario: &Scenario,
    boot: &Boot,
    tools: &Tools,
    counter: &Path,
    printer: Printer,
) -> Result<Vec<Row>> {
    let file = paths::logs(boot.board.name, scenario.name).join("counts.txt");
    if let Some(folder) = file.parent() {
        paths::make_dir(folder)?;
    }
    let mut plugin = OsString::from(counter);
    plugin.push(format!(",boot={:#x},out=", boot.board.bl33_base));
    plugin.push(&file);
    let play = Play {
        // One CPU at a time, one instruction per tick: the same run each time.
        on: On::Qemu(
            tools.qemu.clone(),
            vec!["-icount".into(), "shift=0".into(), "-plugin".into(), plugin],
        ),
        timeout: None,
        printer,
    };
    let outcome = session::play(scenario, boot, &play)?;
    if !outcome.passed() {
        for line in &outcome.tail {
            eprintln!("{line}");
        }
        let failed = outcome.results.cases.iter().filter(|case| !case.passed);
        let mut reasons: Vec<_> = failed
            .map(|case| format!("{}: {}", case.name, case.detail))
            .collect();
        reasons.extend(outcome.problems);
        bail!(
            "the boot {} failed: {} (log: {})",
            scenario.name,
            reasons.join("; "),
            outcome.log.display()
        );
    }
    let mut windows = counts::parse(&paths::read_text(&file)?, boot.board.ranges)
        .with_context(|| format!("{} cannot be read", file.display()))?
        .into_iter();
    let boot = windows
        .next()
        .context("the counter saw no end of the boot")?;
    let benches = &outcome.results.benches;
    if windows.len() != benches.len() || benches.is_empty() {
        bail!(
            "the client of {} announced {} benches, the counter saw {} windows, wanted as many and at least one",
            scenario.name,
            benches.len(),
            windows.len()
        );
    }
    let from = match scenario.bl33 {
        Bl33::Vm(_) => "vm",
        Bl33::Direct(_) => "direct",
    };
    let boot_bench = Announced {
        name: match (scenario.vms.len(), scenario.partitions.len()) {
            (0, 2) => bench_report::BOOT.to_owned(),
            (0, count) => format!("{}_with_{count}", bench_report::BOOT),
            (others, _) => format!("{}_with_{}_vms", bench_report::BOOT, others + 1),
        },
        iterations: 1,
    };
    Ok(benches
        .iter()
        .zip(windows)
        .map(|(bench, window)| Row::new(from, bench, window))
        .chain([Row::new(from, &boot_bench, boot)])
        .collect())
}

/// How often the time from power-on is taken: a busy host can only make it longer.
const BOOTS: usize = 5;

/// Seconds from power-on to the VM's first line, without the counter: the first that is as wanted, or else the
/// shortest.
fn power_on(
    vm: &Scenario,
    board: &'static Board,
    firmware: &Firmware,
    tools: &Tools,
    printer: Printer,
) -> Result<Option<f64>> {
    let scenario = Scenario {
        name: "bench-power-on",
        expect: vec![Text {
            stream: Stream::Normal,
            part: "@boot",
        }],
        finish: Finish::Expected,
        ..vm.clone()
    };
    let boot = assemble::boot(&scenario, board, firmware, tools.tf_a(scenario.flow)?)?;
    let play = Play {
        on: On::Qemu(tools.qemu.clone(), Vec::new()),
        timeout: None,
        printer,
    };
    let mut shortest: Option<f64> = None;
    for _ in 0..BOOTS {
        let took = session::play(&scenario, &boot, &play)?.results.boot;
        shortest = shortest.into_iter().chain(took).reduce(f64::min);
        if shortest.is_none_or(|seconds| seconds < bench_report::POWER_ON_SECONDS) {
            break;
        }
    }
    Ok(shortest)
}

fn images(firmware: &Firmware) -> Result<Vec<Image>> {
    [firmware::SPMC, firmware::PROXY]
        .into_iter()
        .map(|binary| {
            Ok(Image {
                name: binary.name,
                sections: image::sections(&firmware.elf(binary))?,
            })
        })
        .collect()
}

fn profile(name: &str, report: &Report, board: &Board, firmware: &Firmware) -> Result<()> {
    let rows: Vec<_> = report.rows.iter().filter(|row| row.name == name).collect();
    if rows.is_empty() {
        let names: BTreeSet<_> = report.rows.iter().map(|row| row.name.as_str()).collect();
        let names: Vec<_> = names.into_iter().collect();
        bail!("found bench {name:?}, wanted one of: {}", names.join(", "));
    }
    for (binary, base) in [
        (firmware::SPMC, board.spmc_base),
        (firmware::PROXY, board.bl33_base),
    ] {
        let functions = image::functions(&firmware.elf(binary))?;
        for row in &rows {
            if binary == firmware::PROXY && row.from != "vm" {
                continue;
            }
            println!("\n{} of {name} from {}:", binary.name, row.from);
            let mut table = report::table(&["per round trip", "function"]);
            for (function, count) in bench_report::hottest(row, &functions, base) {
                table.add_row([bench_report::mean(count, row.iterations), function]);
            }
            report::align_right(&mut table, &[0]);
            println!("{table}");
        }
    }
    Ok(())
}
