//! `cargo xtask fvp`: one boot in Arm's own model, or the command line for it.

use crate::{
    assemble,
    board::{FVP_BASE_REVC, Flow, FlowOfBoard, Image},
    cmd::{LogArguments, boot, run},
    console::Printer,
    fip,
    firmware::Options,
    model::{self, Configs},
    paths,
    scenario::Scenario,
    session::{self, On, Play},
    setup,
};
use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

/// The model is slower than QEMU: a scenario has so many times its time.
const SLOWER: u32 = 20;

/// Arguments of `fvp`.
#[derive(Args, Debug)]
pub struct Fvp {
    /// A scenario's name
    #[arg(default_value = "run")]
    scenario: String,
    /// How it is booted: from BL1 on, or with BL31 at reset and everything else in memory; without this as the
    /// scenario says, and `--print` shows both
    #[arg(long)]
    flow: Option<FlowArgument>,
    /// Only show the model's command line; nothing is built or run
    #[arg(long)]
    print: bool,
    /// Write the files of fvp-configs/fvp-base-revc again, and do nothing else
    #[arg(long, conflicts_with_all = ["print", "flow"])]
    write_configs: bool,
    /// End the model after this many seconds
    #[arg(long)]
    timeout: Option<u64>,
    #[command(flatten)]
    levels: LogArguments,
    /// One JSON object per line instead of text
    #[arg(long)]
    json: bool,
}

/// A way of booting on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum FlowArgument {
    /// BL1 from the trusted ROM, the rest from flash
    Bl1,
    /// Everything in memory
    Preloaded,
}

impl From<FlowArgument> for Flow {
    fn from(flow: FlowArgument) -> Self {
        match flow {
            FlowArgument::Bl1 => Self::Bl1,
            FlowArgument::Preloaded => Self::Preloaded,
        }
    }
}

/// Boots in the model.
///
/// # Errors
/// The scenario is unknown, the model is not there or lacks something, or something cannot be built.
pub fn run(arguments: &Fvp) -> Result<ExitCode> {
    if arguments.write_configs {
        return write_configs();
    }
    let mut scenario = boot::find(&arguments.scenario, &FVP_BASE_REVC, None)?;
    if arguments.print {
        let flows = match arguments.flow {
            Some(flow) => vec![flow.into()],
            None => vec![Flow::Bl1, Flow::Preloaded],
        };
        for flow in flows {
            print(&scenario, flow)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(flow) = arguments.flow {
        scenario.flow = flow.into();
    }
    let binary = model::find()?;
    let logs = paths::logs(session::OF_MODEL, scenario.name);
    let expected = predicted(&scenario, scenario.flow)?;
    let version = model::check(&binary, &model::arguments(&expected, &logs))?;
    eprintln!("model: {} ({version})", binary.display());
    let tf_a = setup::ensure_tf_a(&FVP_BASE_REVC, scenario.flow)?;
    let options = Options {
        log: arguments.levels.log_build.clone(),
        ..Options::of(&FVP_BASE_REVC)
    };
    let boot = assemble::build_and_boot(&scenario, &options, &tf_a)?;
    let play = Play {
        on: On::Model(binary),
        timeout: Some(
            arguments
                .timeout
                .map_or(scenario.timeout * SLOWER, Duration::from_secs),
        ),
        printer: Printer {
            level: arguments.levels.log,
            json: arguments.json,
            quiet: false,
        },
    };
    let outcome = session::play(&scenario, &boot, &play)?;
    run::conclude(&outcome, arguments.json)
}

fn flow_of_board(flow: Flow) -> Result<&'static FlowOfBoard> {
    FVP_BASE_REVC
        .flow(flow)
        .context("the board cannot be booted so")
}

/// The boot image, as it will be when it is made.
fn predicted(scenario: &Scenario, flow: Flow) -> Result<Image> {
    let partitions = assemble::placed(scenario, &FVP_BASE_REVC)?;
    let folder = assemble::folder(scenario, &FVP_BASE_REVC);
    Ok(fip::image(
        &FVP_BASE_REVC,
        flow_of_board(flow)?,
        &partitions,
        &folder,
    ))
}

/// Shows a command line as it is pasted into a shell.
fn print(scenario: &Scenario, flow: Flow) -> Result<()> {
    let logs = paths::logs(session::OF_MODEL, scenario.name);
    let arguments = model::arguments(&predicted(scenario, flow)?, &logs);
    let mut text = format!("# {}, {flow:?}\n", scenario.name);
    text += &setup::quoted(&[model::name()]);
    for pair in arguments.chunks(2) {
        text += " \\\n  ";
        text += &setup::quoted(pair);
    }
    // Whoever reads only the beginning, as `head` does, has seen enough.
    let _ = writeln!(io::stdout().lock(), "{text}\n");
    Ok(())
}

fn write_configs() -> Result<ExitCode> {
    let configs = Configs::generate()?;
    let folder = Configs::folder();
    configs.write(&folder)?;
    for name in configs.names() {
        println!("wrote {}", folder.join(name).display());
    }
    Ok(ExitCode::SUCCESS)
}
