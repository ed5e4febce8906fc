//! Arm's own model of the board, FVP_Base_RevC-2xAEMvA: finds it, sees whether it has what is wanted of it, and runs
//! it. It is proprietary and never part of this project; its owners run the same images in it.

mod configs;
mod parameters;

pub use configs::Configs;
pub use parameters::arguments;

use crate::{
    board::Image,
    console::{Decoder, Line},
    machine::{self, End, Event, Next},
    process::{Process, bound_command},
};
use anyhow::{Context, Result, bail};
use std::{
    collections::HashSet,
    env,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

/// The variable that names the model's binary.
const VARIABLE: &str = "FVP_BASE_REVC";
/// Its usual name.
const BINARY: &str = "FVP_Base_RevC-2xAEMvA";
/// The version that TF-A 2.12 was tested with.
const WANTED: &str = "11.26";
/// How often a UART's file is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// How to get the model.
const HOW: &str = "Arm's model is proprietary and not part of this project. To get it:
  1. open developer.arm.com, look for \"Arm Ecosystem FVPs\", and download \"FVP Base RevC 2xAEMvA\" for Linux, free of
     charge, under Arm's licence (this project's images want version 11.26 or newer);
  2. unpack it: `tar -xf FVP_Base_RevC-2xAEMvA_*.tgz`;
  3. `export FVP_BASE_REVC=$PWD/Base_RevC_AEMvA_pkg/models/Linux64_GCC-9.3/FVP_Base_RevC-2xAEMvA`, or put it in PATH.
Without it, `cargo xtask run --board fvp` boots the same images on the same memory map in QEMU, and
`cargo xtask fvp --print` shows how the model would be called.";

/// The model's name, for command lines that are only shown.
pub fn name() -> String {
    named().map_or_else(|| BINARY.to_owned(), |path| path.display().to_string())
}

fn named() -> Option<PathBuf> {
    env::var_os(VARIABLE)
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
}

/// Finds the model.
///
/// # Errors
/// It is not there; the error says how to get it.
pub fn find() -> Result<PathBuf> {
    if let Some(path) = named() {
        if path.is_file() {
            return Ok(path);
        }
        bail!(
            "{VARIABLE} names {}, which is no file\n\n{HOW}",
            path.display()
        );
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .map(|folder| folder.join(BINARY))
        .find(|file| file.is_file())
        .with_context(|| {
            format!(
                "the model is not here: {VARIABLE} is not set, and PATH has no {BINARY}\n\n{HOW}"
            )
        })
}

/// Sees whether the model has every parameter that it will be given, and says its version.
///
/// # Errors
/// It does not start, or lacks parameters; the error names them.
pub fn check(model: &Path, arguments: &[String]) -> Result<String> {
    let version = text(&ask(model, "--version")?);
    let version = version
        .lines()
        .find(|line| line.chars().any(|c| c.is_ascii_digit()))
        .unwrap_or("of unknown version")
        .trim()
        .to_owned();
    let list = ask(model, "--list-params")?;
    let list = text(&list);
    let known: HashSet<_> = list.lines().filter_map(listed).collect();
    if known.is_empty() {
        bail!(
            "{} --list-params lists nothing; it says: {}",
            model.display(),
            list.lines().next().unwrap_or("nothing at all")
        );
    }
    let missing: Vec<_> = names(arguments)
        .filter(|name| !known.contains(name))
        .collect();
    if !missing.is_empty() {
        bail!(
            "{} has no parameter {}: found {version}, wanted {WANTED} or newer of {BINARY}",
            model.display(),
            missing.join(", ")
        );
    }
    Ok(version)
}

/// The parameters' names among arguments.
fn names(arguments: &[String]) -> impl Iterator<Item = &str> {
    let pairs = arguments.iter().zip(arguments.iter().skip(1));
    pairs
        .filter(|(option, _)| *option == "-C")
        .filter_map(|(_, value)| value.split_once('='))
        .map(|(name, _)| name)
}

/// The parameter that a line of the model's list is about: `name=value # type …`.
fn listed(line: &str) -> Option<&str> {
    let (name, _) = line.trim().split_once('=')?;
    let name = name.trim();
    (!name.is_empty() && !name.contains(char::is_whitespace)).then_some(name)
}

fn ask(model: &Path, what: &str) -> Result<Output> {
    Command::new(model)
        .arg(what)
        .stdin(Stdio::null())
        .output()
        .with_context(|| {
            format!(
                "cannot run {} {what}: is it the model for this machine's system and processor?",
                model.display()
            )
        })
}

fn text(output: &Output) -> String {
    let both = [&output.stdout[..], b"\n", &output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

/// The parameter that a message of the model complains about, if it is one of those it was given.
fn complaint<'a>(message: &str, arguments: &'a [String]) -> Option<&'a str> {
    let lower = message.to_ascii_lowercase();
    let complains = [
        "error",
        "warning",
        "not found",
        "unknown",
        "invalid",
        "no such",
    ];
    if !lower.contains("param") || !complains.iter().any(|word| lower.contains(word)) {
        return None;
    }
    names(arguments).find(|name| message.contains(name))
}

/// Runs the model to its end. Its UARTs go to files in `folder`, which are read as they grow.
///
/// # Errors
/// It cannot be started, or a file cannot be written.
pub fn run(
    model: &Path,
    image: &Image,
    folder: &Path,
    timeout: Duration,
    decoders: Vec<Decoder>,
    mut on_line: impl FnMut(Line) -> Next,
) -> Result<End> {
    let arguments = arguments(image, folder);
    let (events, inbox) = channel();
    let over = Arc::new(AtomicBool::new(false));
    for uart in 0..decoders.len() {
        let file = folder.join(parameters::uart_file(uart));
        File::create(&file).with_context(|| format!("cannot write {}", file.display()))?;
        follow(uart, file, &over, &events);
    }
    let start = Instant::now();
    let mut command = bound_command(model);
    command
        .args(&arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    let mut process = Process::spawn(command)?;
    if let Some(stdout) = process.child().stdout.take() {
        let over = Arc::clone(&over);
        let stdout = Ending { stdout, over };
        machine::read_messages(stdout, events);
    }
    let on_line = |line: Line| {
        if line.stream.is_none()
            && let Some(name) = complaint(&line.text, &arguments)
        {
            eprintln!(
                "the model complains about its parameter {name}: is it older than {WANTED}, or another model?"
            );
        }
        on_line(line)
    };
    let end = machine::play(process, &inbox, start, timeout, decoders, on_line);
    over.store(true, Ordering::SeqCst);
    end
}

/// The model's output; when it ends, the UARTs' files grow no more.
struct Ending<R> {
    stdout: R,
    over: Arc<AtomicBool>,
}

impl<R: Read> Read for Ending<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.stdout.read(buffer)?;
        if count == 0 {
            self.over.store(true, Ordering::SeqCst);
        }
        Ok(count)
    }
}

/// Reads a file as it grows, until it is over.
fn follow(uart: usize, file: PathBuf, over: &Arc<AtomicBool>, events: &Sender<Event>) {
    let (over, events) = (Arc::clone(over), events.clone());
    thread::spawn(move || {
        if let Ok(mut from) = File::open(&file) {
            loop {
                // Asked before the look, so that what was written before the end is seen.
                let last = over.load(Ordering::SeqCst);
                machine::read_uart(uart, &mut from, &events);
                if last {
                    break;
                }
                thread::sleep(LOOK);
            }
        }
        let _ = events.send(Event::Closed);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::{Origin, Stream};
    use std::{fs, os::unix::fs::PermissionsExt as _};

    /// A script in the model's place, in a folder of its own.
    fn script(name: &str, text: &str) -> (PathBuf, PathBuf) {
        let folder = env::temp_dir().join(format!("tantalum-model-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join("model.sh");
        fs::write(&file, format!("#!/bin/sh\n{text}")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        (folder, file)
    }

    fn arguments_of(folder: &Path) -> Vec<String> {
        let image = Image::TwoFiles {
            bl1: "bl1.bin".into(),
            fip: "fip.bin".into(),
        };
        arguments(&image, folder)
    }

    #[test]
    fn a_model_that_lacks_a_parameter_is_told_from_a_good_one() {
        let list: String = names(&arguments_of(Path::new("/u")))
            .map(|name| format!("{name}=0x0   # (int) default = '0x0'\n"))
            .collect();
        let (folder, good) = script(
            "good",
            &format!(
                "case $1 in --version) echo 'Fast Models [11.26.11 (Nov 1 2024)]';; *) cat <<E\n{list}E\nesac\n"
            ),
        );
        let arguments = arguments_of(&folder);
        let version = check(&good, &arguments).unwrap();
        assert_eq!(version, "Fast Models [11.26.11 (Nov 1 2024)]");

        let old = list.replace("cluster1.memory_tagging_support_level", "cluster1.other");
        let (old_folder, old) = script(
            "old",
            &format!(
                "case $1 in --version) echo 'Fast Models [11.3.0]';; *) cat <<E\n{old}E\nesac\n"
            ),
        );
        let error = check(&old, &arguments).unwrap_err().to_string();
        assert!(
            error.contains(
                "no parameter cluster1.memory_tagging_support_level: found Fast Models [11.3.0]"
            ),
            "{error}"
        );
        fs::remove_dir_all(folder).unwrap();
        fs::remove_dir_all(old_folder).unwrap();
    }

    #[test]
    fn what_is_no_model_is_told() {
        let (folder, file) = script("none", "echo what is this\n");
        let error = check(&file, &arguments_of(&folder)).unwrap_err();
        assert!(error.to_string().contains("lists nothing"), "{error}");
        let nothing = check(&folder.join("nothing"), &[]).unwrap_err();
        assert!(nothing.to_string().contains("cannot run"), "{nothing}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_complaint_names_the_parameter() {
        let arguments = arguments_of(Path::new("/u"));
        let complaint = |message| complaint(message, &arguments);
        assert_eq!(
            complaint("Warning: FVP: Parameter 'cluster0.bti_support_level' not found"),
            Some("cluster0.bti_support_level")
        );
        assert_eq!(complaint("ERROR: unknown parameter x.y"), None);
        assert_eq!(complaint("terminal_0: bp.dram_size"), None);
    }

    #[test]
    fn the_uarts_are_read_from_their_files_to_the_end() {
        // Finds each file among its arguments, as the model does.
        let (folder, file) = script(
            "uarts",
            "for a; do case $a in\n\
             bp.pl011_uart0.out_file=*) printf 'NOTICE:  BL1\\nhello\\n' > \"${a#*=}\";;\n\
             bp.pl011_uart2.out_file=*) sleep 0.2; printf 'secure' > \"${a#*=}\";;\n\
             esac; done\necho simulation ends\n",
        );
        let streams = [
            Stream::Normal,
            Stream::El3,
            Stream::Secure,
            Stream::Partitions,
        ];
        let decoders = streams
            .map(|stream| Decoder::new(stream, Origin::Spmc, None))
            .into();
        let image = Image::TwoFiles {
            bl1: "bl1.bin".into(),
            fip: "fip.bin".into(),
        };
        let mut lines = Vec::new();
        let timeout = Duration::from_secs(20);
        let end = run(&file, &image, &folder, timeout, decoders, |line| {
            lines.push((line.stream, line.text));
            Next::Continue
        });
        assert!(matches!(end.unwrap(), End::Exited(status) if status.success()));
        lines.sort_by(|one, other| one.1.cmp(&other.1));
        let wanted = [
            (Some(Stream::Normal), "NOTICE:  BL1"),
            (Some(Stream::Normal), "hello"),
            (Some(Stream::Secure), "secure"),
            (None, "simulation ends"),
        ];
        assert_eq!(
            lines,
            wanted.map(|(stream, text)| (stream, text.to_owned()))
        );
        fs::remove_dir_all(folder).unwrap();
    }
}
