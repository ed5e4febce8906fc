//! `cargo xtask trace`: boots a scenario and shows each change of exception level, with the registers
//! that crossed.

use crate::{
    assemble,
    board::BoardArgument,
    cmd::boot,
    console::{Level as LogLevel, Printer},
    counts::Level,
    firmware::Options,
    paths, plugin,
    session::{self, On, Play},
    setup,
    trace::{self, Crossing, Event, decode::Decoder, recordings},
};
use anyhow::{Context, Result};
use clap::Args;
use std::{
    ffi::OsString,
    io::{self, BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

/// Arguments of `trace`.
#[derive(Args, Debug)]
pub struct Trace {
    #[command(flatten)]
    board: BoardArgument,
    /// A scenario's name; `record` makes one call of each kind from NS-EL2
    #[arg(default_value = "record")]
    scenario: String,
    /// Only crossings between these levels: el1, ns-el2, el3, s-el2, s-el1
    #[arg(long, value_delimiter = ',', value_parser = trace::level, value_name = "LEVELS")]
    between: Vec<Level>,
    /// Only what crosses in this case of `record`; `boot` is what comes before the first
    #[arg(long, value_name = "CASE")]
    case: Option<String>,
    /// Show x0-x30 and both stack pointers of each
    #[arg(long)]
    registers: bool,
    /// One JSON object per crossing
    #[arg(long)]
    json: bool,
    /// Write the crossings of `record` to this file, for tests to replay, and show nothing
    #[arg(long, value_name = "FILE")]
    recordings: Option<PathBuf>,
    /// End the machine after this many seconds
    #[arg(long)]
    timeout: Option<u64>,
}

/// Boots and shows.
///
/// # Errors
/// The scenario is unknown, something cannot be built or started, or the recordings cannot be
/// written. A boot that fails is no error, but the exit code tells.
pub fn run(arguments: &Trace) -> Result<ExitCode> {
    let board = arguments.board.board;
    let scenario = boot::find(&arguments.scenario, board, None)?;
    let tools = setup::ensure(board, [scenario.flow])?;
    let tracer = plugin::ensure(plugin::TRACE)?;
    let boot =
        assemble::build_and_boot(&scenario, &Options::of(board), tools.tf_a(scenario.flow)?)?;
    let file = paths::logs(board.name, scenario.name).join("trace.txt");
    if let Some(folder) = file.parent() {
        paths::make_dir(folder)?;
    }
    let mut plugin = OsString::from(tracer);
    plugin.push(format!(",bounds={},out=", trace::bounds(board.ranges)));
    plugin.push(&file);
    let play = Play {
        // A thread for each CPU: without it, `-icount` included, QEMU 10.0 tells a plugin the CPU
        // that first met a piece of code, and not the one that executes it.
        on: On::Qemu(
            tools.qemu,
            vec![
                "-accel".into(),
                "tcg,thread=multi".into(),
                "-plugin".into(),
                plugin,
            ],
        ),
        timeout: arguments.timeout.map(Duration::from_secs),
        printer: Printer {
            level: LogLevel::Trace,
            json: false,
            quiet: true,
        },
    };
    let outcome = session::play(&scenario, &boot, &play)?;
    let events = trace::parse(&paths::read_text(&file)?, board.ranges)
        .with_context(|| format!("{} cannot be read", file.display()))?;
    if outcome.passed()
        && let Some(recordings) = &arguments.recordings
    {
        paths::write(recordings, recordings::text(&events)?)?;
        eprintln!("recorded: {}", recordings.display());
    } else if arguments.recordings.is_none() {
        // Whoever reads only the beginning, as `head` does, has seen enough.
        let _ = show(arguments, &events, BufWriter::new(io::stdout().lock()));
    }
    eprintln!("as the plugin wrote it: {}", file.display());
    eprintln!("log: {}", outcome.log.display());
    let failed = outcome.results.cases.iter().filter(|case| !case.passed);
    for case in failed {
        eprintln!("case {} failed: {}", case.name, case.detail);
    }
    for problem in &outcome.problems {
        eprintln!("{problem}");
    }
    Ok(if outcome.passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn show(arguments: &Trace, events: &[Event], mut out: impl Write) -> io::Result<()> {
    let mut decoder = Decoder::default();
    let mut case = "boot";
    let mut count = 0u64;
    for event in events {
        let crossing = match event {
            Event::Mark(name) => {
                case = name;
                if !case.is_empty() && !arguments.json && arguments.case.is_none() {
                    writeln!(out, "== {case}")?;
                }
                continue;
            }
            Event::Crossing(crossing) => crossing,
        };
        count += 1;
        // Also what is not shown has to be followed.
        let words = decoder.describe(crossing);
        let wanted = |level| arguments.between.is_empty() || arguments.between.contains(&level);
        if !wanted(crossing.from.level)
            || !wanted(crossing.to.level)
            || arguments.case.as_deref().is_some_and(|only| only != case)
        {
            continue;
        }
        if arguments.json {
            writeln!(out, "{}", json(case, crossing, &words))?;
            continue;
        }
        writeln!(
            out,
            "{count:6} cpu{} {:9} {:>6} -> {:6} {words}",
            crossing.cpu,
            crossing.cause,
            trace::name(crossing.from.level),
            trace::name(crossing.to.level),
        )?;
        if arguments.registers {
            registers(crossing, &mut out)?;
        }
    }
    out.flush()
}

fn registers(crossing: &Crossing, mut out: impl Write) -> io::Result<()> {
    let (from, to) = (crossing.from, crossing.to);
    writeln!(
        out,
        "       pc {:#x} -> {:#x}, sp {:#x} -> {:#x}",
        from.pc, to.pc, from.sp, to.sp
    )?;
    for (row, values) in crossing.x.chunks(4).enumerate() {
        write!(out, "      ")?;
        for (column, value) in values.iter().enumerate() {
            write!(out, " x{:<2} {value:016x}", 4 * row + column)?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn json(case: &str, crossing: &Crossing, words: &str) -> serde_json::Value {
    let side = |side: trace::Side| {
        serde_json::json!({
            "level": trace::name(side.level),
            "pc": format!("{:#x}", side.pc),
            "sp": format!("{:#x}", side.sp),
        })
    };
    let x: Vec<_> = crossing.x.iter().map(|x| format!("{x:#x}")).collect();
    serde_json::json!({
        "case": case,
        "cpu": crossing.cpu,
        "by": crossing.cause.to_string(),
        "from": side(crossing.from),
        "to": side(crossing.to),
        "is": words,
        "x": x,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::QEMU_VIRT;
    use crate::trace::tests::{cross, mark};

    const CLIENT: u64 = 0x6000_0000;
    const TF_A: u64 = 0x0e09_0000;
    const SPMC: u64 = 0x0e10_0000;

    fn shown(arguments: &Trace) -> String {
        let text = cross(0, "eret", TF_A, SPMC, &[0])
            + &mark("one")
            + &cross(0, "smc", CLIENT, TF_A, &[0x8400_0069])
            + &cross(0, "eret", TF_A, CLIENT, &[0x8400_0061]);
        let mut out = Vec::new();
        show(
            arguments,
            &trace::parse(&text, QEMU_VIRT.ranges).unwrap(),
            &mut out,
        )
        .unwrap();
        String::from_utf8(out).unwrap()
    }

    fn arguments() -> Trace {
        Trace {
            board: BoardArgument { board: &QEMU_VIRT },
            scenario: String::new(),
            between: Vec::new(),
            case: None,
            registers: false,
            json: false,
            recordings: None,
            timeout: None,
        }
    }

    #[test]
    fn lines_have_number_cpu_cause_levels_and_words() {
        assert_eq!(
            shown(&arguments()),
            "     1 cpu0 eret         EL3 -> S-EL2  starts\n\
             == one\n     \
             2 cpu0 smc       NS-EL2 -> EL3    FFA_ID_GET\n     \
             3 cpu0 eret         EL3 -> NS-EL2 FFA_SUCCESS_32\n"
        );
    }

    #[test]
    fn levels_and_cases_are_chosen() {
        let between = Trace {
            between: vec![Level::NsEl2, Level::El3],
            json: true,
            ..arguments()
        };
        assert_eq!(shown(&between).lines().count(), 2);
        let case = Trace {
            case: Some("boot".to_owned()),
            registers: true,
            ..arguments()
        };
        let text = shown(&case);
        assert_eq!(text.lines().count(), 10);
        assert!(text.contains("x30 000000000000001f"), "{text}");
    }
}
