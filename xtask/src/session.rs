//! Plays one scenario on a machine: shows and keeps its log, reads its reports and judges it.

use crate::{
    assemble::Boot,
    board::Board,
    console::{Decoder, Line, Origin, Printer, Stream, plain},
    firmware::{Binary, PROXY, SPMC},
    machine::{End, Next},
    model, paths,
    qemu::{self, Machine},
    results::Results,
    scenario::{Bl33, Finish, Scenario},
};
use anyhow::{Context, Result};
use defmt_decoder::Table;
use std::{
    borrow::Cow,
    ffi::OsString,
    fs::File,
    io::{BufWriter, Write as _},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

/// How a scenario is played.
#[derive(Clone, Debug)]
pub struct Play {
    /// What runs it.
    pub on: On,
    /// Instead of the scenario's own.
    pub timeout: Option<Duration>,
    /// Where lines go.
    pub printer: Printer,
}

/// What runs a machine.
#[derive(Clone, Debug)]
pub enum On {
    /// QEMU: its binary, and more arguments.
    Qemu(PathBuf, Vec<OsString>),
    /// Arm's model: its binary.
    Model(PathBuf),
}

/// What became of a scenario.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The client's reports.
    pub results: Results,
    /// Why the boot as a whole has failed; empty if it has not.
    pub problems: Vec<String>,
    /// The file with the whole log.
    pub log: PathBuf,
    /// The last lines of the log.
    pub tail: Vec<String>,
}

impl Outcome {
    /// Whether all went well.
    pub fn passed(&self) -> bool {
        self.problems.is_empty()
            && self.results.cases.iter().all(|case| case.passed)
            && self.results.messages.iter().all(|row| row.passed)
    }
}

/// In the place of a board's name, for logs of what ran in Arm's model.
pub const OF_MODEL: &str = "model";

/// How many lines of the log are shown after a failure.
const TAIL: usize = 25;

/// Plays a scenario.
///
/// # Errors
/// QEMU cannot be started or the log cannot be written. A scenario that fails is no error: see
/// [`Outcome::problems`].
pub fn play(scenario: &Scenario, boot: &Boot, play: &Play) -> Result<Outcome> {
    let of = match play.on {
        On::Qemu(..) => boot.board.name,
        On::Model(_) => OF_MODEL,
    };
    let log = paths::logs(of, scenario.name).join("console.log");
    if let Some(folder) = log.parent() {
        paths::make_dir(folder)?;
    }
    let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let mut file = BufWriter::new(file);
    let timeout = play.timeout.unwrap_or(scenario.timeout);
    let mut judge = Judge::new(scenario, boot.board);
    let mut tail = Vec::new();
    let decoders = decoders(scenario, boot)?;
    let on_line = |line: Line| {
        if !judge.is_aftermath(&line) {
            play.printer.print(&line);
        }
        let text = plain(&line);
        // The log is flushed line by line, so that it is whole even if xtask is killed.
        let _ = writeln!(file, "{text}").and_then(|()| file.flush());
        if line.is_noise() {
            return Next::Continue;
        }
        if tail.len() == TAIL {
            tail.remove(0);
        }
        tail.push(text);
        judge.line(&line)
    };
    let end = match &play.on {
        On::Qemu(qemu, arguments) => {
            let machine = Machine {
                qemu: qemu.clone(),
                board: boot.board,
                image: boot.image.clone(),
                timeout,
                arguments: scenario
                    .arguments()
                    .into_iter()
                    .map(Into::into)
                    .chain(arguments.iter().cloned())
                    .collect(),
            };
            qemu::run(&machine, decoders, on_line)?
        }
        On::Model(model) => {
            let folder = log.parent().unwrap_or(&log);
            model::run(model, &boot.image, folder, timeout, decoders, on_line)?
        }
    };
    let (results, problems) = judge.verdict(end, timeout);
    Ok(Outcome {
        results,
        problems,
        log,
        tail,
    })
}

/// A decoder for each of the board's UARTs.
fn decoders(scenario: &Scenario, boot: &Boot) -> Result<Vec<Decoder>> {
    let (owner, binary) = match scenario.bl33 {
        Bl33::Vm(_) => (Origin::Proxy, Some(PROXY)),
        Bl33::Direct(_) => (Origin::NsEl2, None),
    };
    boot.board
        .uarts
        .iter()
        .map(|stream| {
            let (owner, binary) = match stream {
                Stream::Normal => (owner, binary),
                Stream::Secure | Stream::Partitions => (Origin::Spmc, Some(SPMC)),
                Stream::El3 => (Origin::TfA, None),
            };
            Ok(Decoder::new(*stream, owner, table(boot, binary)?))
        })
        .collect()
}

fn table(boot: &Boot, binary: Option<Binary>) -> Result<Option<Arc<Table>>> {
    let Some(binary) = binary else {
        return Ok(None);
    };
    let elf = boot.firmware.elf(binary);
    let table = Table::parse(&paths::read(&elf)?)
        .map_err(|error| anyhow::anyhow!("{}: no usable log table: {error:#}", elf.display()))?;
    Ok(table.map(Arc::new))
}

/// Collects what a scenario is judged by.
struct Judge<'s> {
    scenario: &'s Scenario,
    board: &'s Board,
    results: Results,
    /// What must still be seen, with the board's addresses.
    missing: Vec<(Stream, Cow<'static, str>)>,
    problems: Vec<String>,
    powered_off: bool,
}

impl<'s> Judge<'s> {
    fn new(scenario: &'s Scenario, board: &'s Board) -> Self {
        let mut missing: Vec<_> = scenario
            .expect
            .iter()
            .map(|text| (text.stream, board.text(text.part)))
            .collect();
        if scenario.finish == Finish::EndAndPowerOff {
            let of_tf_a = [Some(board.banner), board.power_off];
            // The client ended the machine, nothing else did.
            missing.extend(
                of_tf_a
                    .into_iter()
                    .flatten()
                    .map(|text| (Stream::Normal, text.into())),
            );
        }
        Self {
            scenario,
            board,
            results: Results::default(),
            missing,
            problems: Vec::new(),
            powered_off: false,
        }
    }

    /// Whether a line is TF-A's panic after power-off, which only says that QEMU was not quick
    /// enough to stop it.
    fn is_aftermath(&self, line: &Line) -> bool {
        self.powered_off && line.origin == Origin::TfA && line.stream == Some(Stream::Secure)
    }

    fn line(&mut self, line: &Line) -> Next {
        self.results.feed(line);
        self.powered_off |= line.origin == Origin::TfA
            && self
                .board
                .power_off
                .is_some_and(|text| line.text.contains(text));
        let Some(stream) = line.stream else {
            return Next::Continue;
        };
        self.missing
            .retain(|(wanted, part)| !wanted.takes(stream) || !line.text.contains(&**part));
        let lower = line.text.to_ascii_lowercase();
        for text in &self.scenario.forbid {
            // Reports may name what they provoke. TF-A itself panics by design when it goes on
            // for a moment after power-off; if it panics earlier, the power-off is missed.
            if text.stream.takes(stream)
                && lower.contains(text.part)
                && !lower.starts_with('@')
                && line.origin != Origin::TfA
            {
                self.problems.push(format!(
                    "the {stream} must not show {:?}, but it did: {}",
                    text.part, line.text
                ));
            }
        }
        if self.scenario.finish == Finish::Expected && self.missing.is_empty() {
            Next::Stop
        } else {
            Next::Continue
        }
    }

    fn verdict(mut self, end: End, timeout: Duration) -> (Results, Vec<String>) {
        for (stream, part) in &self.missing {
            self.problems
                .push(format!("the {stream} did not show {part:?}"));
        }
        if self.scenario.finish == Finish::EndAndPowerOff {
            self.problems.extend(self.results.check_end());
        }
        match end {
            End::TimedOut => self.problems.push(format!(
                "the machine did not end within {} s",
                timeout.as_secs()
            )),
            End::Exited(status) if !status.success() => {
                self.problems
                    .push(format!("what runs the machine died: {status}"));
            }
            End::Exited(_) | End::Stopped => {}
        }
        (self.results, self.problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{board::QEMU_VIRT, scenario};
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    fn judge(scenario: &Scenario, lines: &[&str], end: End) -> Vec<String> {
        let mut judge = Judge::new(scenario, &QEMU_VIRT);
        for text in lines {
            judge.line(&Line {
                time: 0.0,
                stream: Some(Stream::Normal),
                origin: Origin::Proxy,
                level: None,
                text: (*text).to_owned(),
            });
        }
        judge.verdict(end, Duration::from_secs(1)).1
    }

    const GOOD: [&str; 4] = [
        "NOTICE:  BL31: v2.12.1",
        "@case a pass",
        "@end 1 0",
        "ERROR:   QEMU System Power off: with GPIO.",
    ];

    #[test]
    fn a_clean_boot_has_no_problem() {
        let off = End::Exited(ExitStatus::from_raw(0));
        assert!(judge(&scenario::run(), &GOOD, off).is_empty());
    }

    #[test]
    fn time_out_death_and_missing_text_are_problems() {
        let run = scenario::run();
        assert_eq!(judge(&run, &GOOD, End::TimedOut).len(), 1);
        let died = End::Exited(ExitStatus::from_raw(9));
        assert_eq!(judge(&run, &GOOD, died).len(), 1);
        let off = End::Exited(ExitStatus::from_raw(0));
        assert_eq!(judge(&run, &GOOD[1..], off).len(), 1);
        assert_eq!(judge(&run, &GOOD[..2], off).len(), 2);
    }

    #[test]
    fn a_forbidden_text_is_a_problem_whatever_its_case() {
        let mut lines = GOOD.to_vec();
        lines.push("PANIC at EL2");
        let off = End::Exited(ExitStatus::from_raw(0));
        assert_eq!(judge(&scenario::run(), &lines, off).len(), 1);
    }
}
