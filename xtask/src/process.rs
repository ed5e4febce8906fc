//! Child processes: every one is started here, in a process group of its own, and none outlives
//! xtask. Ctrl-C and SIGTERM end the groups by their ids; the kernel ends a child whose parent was
//! killed (`setpriv --pdeathsig`, from util-linux).

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};
use std::{
    fs::File,
    io::{BufRead as _, BufReader},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The exit code after Ctrl-C.
const INTERRUPTED: i32 = 130;
/// How long a group has between SIGTERM and SIGKILL.
const GRACE: Duration = Duration::from_secs(2);

/// The process groups that are alive, by the id of their first process.
static GROUPS: Mutex<Vec<u32>> = Mutex::new(Vec::new());
/// Set once Ctrl-C was seen: no child is started any more.
static STOPPING: AtomicBool = AtomicBool::new(false);

/// Folders that are removed when xtask is interrupted.
static TEMPORARY: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Has a folder removed when xtask is interrupted. Whoever made it removes it otherwise.
pub fn remove_on_interrupt(folder: &Path) {
    TEMPORARY
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(folder.to_path_buf());
}

fn groups() -> MutexGuard<'static, Vec<u32>> {
    GROUPS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Installs the handler of Ctrl-C, SIGTERM and SIGHUP.
///
/// # Errors
/// The handler cannot be installed.
pub fn install_interrupt_handler() -> Result<()> {
    ctrlc::set_handler(|| {
        let alive = {
            let list = groups();
            STOPPING.store(true, Ordering::SeqCst);
            list.clone()
        };
        for group in &alive {
            signal(*group, Signal::TERM);
        }
        let limit = Instant::now() + GRACE;
        while Instant::now() < limit && alive.iter().any(|group| exists(*group)) {
            thread::sleep(Duration::from_millis(20));
        }
        for group in &alive {
            signal(*group, Signal::KILL);
        }
        let folders = TEMPORARY.lock().unwrap_or_else(PoisonError::into_inner);
        for folder in folders.iter() {
            // It may be gone already.
            let _ = std::fs::remove_dir_all(folder);
        }
        eprintln!("\ninterrupted: all child processes were ended");
        std::process::exit(INTERRUPTED);
    })
    .context("cannot install the handler of Ctrl-C")
}

fn group_id(id: u32) -> Option<Pid> {
    i32::try_from(id).ok().and_then(Pid::from_raw)
}

fn signal(group: u32, signal: Signal) {
    if let Some(pid) = group_id(group) {
        // A group that is gone already is what is wanted.
        let _ = kill_process_group(pid, signal);
    }
}

fn exists(group: u32) -> bool {
    group_id(group).is_some_and(|pid| rustix::process::test_kill_process_group(pid).is_ok())
}

/// Stops the calling thread for good if xtask has been interrupted: the handler ends the process,
/// and what a killed child leaves behind must not be reported as its failure meanwhile.
pub fn hold_if_interrupted() {
    while STOPPING.load(Ordering::SeqCst) {
        thread::park();
    }
}

/// A child in its own process group. Dropping it ends the group.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// Starts a command in its own process group, with no standard input.
    ///
    /// # Errors
    /// The program is not there or cannot be started, or Ctrl-C was pressed.
    pub fn spawn(mut command: Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).process_group(0);
        // The lock is held over the start, so that the handler sees each child or stops it.
        let mut list = groups();
        if STOPPING.load(Ordering::SeqCst) {
            drop(list);
            hold_if_interrupted();
            bail!("{name} was not started: interrupted");
        }
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        list.push(child.id());
        Ok(Self { child, name })
    }

    /// The child's pipes.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// The exit status, if it has ended.
    ///
    /// # Errors
    /// The operating system does not say.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        let status = self
            .child
            .try_wait()
            .with_context(|| format!("cannot wait for {}", self.name))?;
        if status.is_some() {
            hold_if_interrupted();
        }
        Ok(status)
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// The operating system does not say.
    pub fn wait(mut self) -> Result<ExitStatus> {
        let status = self
            .child
            .wait()
            .with_context(|| format!("cannot wait for {}", self.name));
        hold_if_interrupted();
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let id = self.child.id();
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            signal(id, Signal::KILL);
            let _ = self.child.wait();
        }
        groups().retain(|group| *group != id);
    }
}

/// Starts `program` such that the kernel kills it when xtask dies, however xtask dies.
pub fn bound_command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    static SETPRIV: OnceLock<bool> = OnceLock::new();
    let there = *SETPRIV.get_or_init(|| {
        Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "true"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    });
    if there {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

/// Runs a command to its end with its output in `log`.
///
/// # Errors
/// It cannot be started or ends with a failure; the error names the step, the log and its last
/// telling line.
pub fn run_logged(mut command: Command, step: &str, log: &Path) -> Result<()> {
    let file = open_log(&command, log)?;
    command
        .stdout(file.try_clone().context("cannot share the log file")?)
        .stderr(file);
    judge(Process::spawn(command)?.wait()?, step, log)
}

/// The same, and shows `watch` each line of its standard output.
///
/// # Errors
/// As [`run_logged`].
pub fn run_watched(
    mut command: Command,
    step: &str,
    log: &Path,
    mut watch: impl FnMut(&str),
) -> Result<()> {
    use std::io::Write as _;
    let mut file = open_log(&command, log)?;
    command
        .stdout(Stdio::piped())
        .stderr(file.try_clone().context("cannot share the log file")?);
    let mut process = Process::spawn(command)?;
    if let Some(output) = process.child().stdout.take() {
        // Bytes, not text: a file name may be anything.
        for line in BufReader::new(output).split(b'\n') {
            let Ok(mut line) = line else { break };
            watch(&String::from_utf8_lossy(&line));
            line.push(b'\n');
            // A full disk shows in the step itself.
            let _ = file.write_all(&line);
        }
    }
    judge(process.wait()?, step, log)
}

/// Opens a log and writes down the command.
fn open_log(command: &Command, log: &Path) -> Result<File> {
    use std::io::Write as _;
    let mut file = File::options()
        .create(true)
        .append(true)
        .open(log)
        .with_context(|| format!("cannot write {}", log.display()))?;
    let _ = writeln!(file, "+ {command:?}");
    Ok(file)
}

fn judge(status: ExitStatus, step: &str, log: &Path) -> Result<()> {
    if status.success() {
        return Ok(());
    }
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let hint = telling_line(&text).unwrap_or("it printed nothing");
    bail!(
        "{step} failed ({status}): {hint} (whole log: {})",
        log.display()
    )
}

/// The line of a log that says most about a failure: the last one with "error", "E:" or
/// "No space", else the last one that is not empty.
fn telling_line(text: &str) -> Option<&str> {
    let lines = || text.lines().rev().take(200).map(str::trim);
    lines()
        .find(|line| {
            let lower = line.to_ascii_lowercase();
            // Meson's last error says that there was one.
            (lower.contains("error:") && !lower.ends_with("meson setup failed"))
                || line.starts_with("E:")
                || lower.contains("no space left")
        })
        .or_else(|| lines().find(|line| !line.is_empty()))
}

/// Runs a command to its end and returns its standard output, or `None` if it is not there or
/// fails.
pub fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telling_line_prefers_the_last_error() {
        let log = "cc a.c\na.c:1: error: no\nmake: *** [a] Error 1\n";
        assert_eq!(telling_line(log), Some("a.c:1: error: no"));
        assert_eq!(telling_line("x\ny\n\n"), Some("y"));
        let meson = "a:1:2: ERROR: no b\n\nERROR: meson setup failed\n";
        assert_eq!(telling_line(meson), Some("a:1:2: ERROR: no b"));
        assert_eq!(telling_line(""), None);
    }

    #[test]
    fn a_watched_step_shows_its_lines_and_logs_all() {
        let log = std::env::temp_dir().join(format!("watched-{}", std::process::id()));
        let mut command = Command::new("sh");
        command.args(["-c", "echo one; echo two; echo E: three >&2; exit 3"]);
        let mut lines = Vec::new();
        let result = run_watched(command, "a step", &log, |line| lines.push(line.to_owned()));
        let text = std::fs::read_to_string(&log).unwrap();
        std::fs::remove_file(&log).unwrap();
        assert_eq!(lines, ["one", "two"]);
        assert!(text.contains("two\n") && text.contains("three\n"));
        let error = result.unwrap_err().to_string();
        assert!(error.starts_with("a step failed"), "{error}");
        assert!(error.contains("E: three"), "{error}");
    }

    #[test]
    fn dropping_a_process_ends_its_group() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & sleep 60"]);
        let process = Process::spawn(command).unwrap();
        let id = process.child.id();
        assert!(exists(id));
        drop(process);
        let limit = Instant::now() + Duration::from_secs(5);
        while exists(id) && Instant::now() < limit {
            thread::sleep(Duration::from_millis(10));
        }
        assert!(!exists(id));
    }
}
