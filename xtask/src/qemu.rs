//! Starts one machine in QEMU, with a socket for each of its UARTs.

use crate::{
    board::{Board, CORES, Image},
    console::{Decoder, Line},
    machine::{self, End, Event, Next},
    paths,
    process::{self, Process, bound_command},
};
use anyhow::{Context, Result};
use std::{
    ffi::OsString,
    os::unix::net::UnixListener,
    path::PathBuf,
    process::{Command, Stdio},
    sync::mpsc::{Sender, channel},
    thread,
    time::{Duration, Instant},
};

/// What to run.
#[derive(Clone, Debug)]
pub struct Machine {
    /// QEMU's binary.
    pub qemu: PathBuf,
    /// The board.
    pub board: &'static Board,
    /// The boot image.
    pub image: Image,
    /// After this long the machine is ended.
    pub timeout: Duration,
    /// More arguments.
    pub arguments: Vec<OsString>,
}

/// Runs a machine to its end. `decoders` are those of the board's UARTs; each line goes to `on_line` as soon as
/// it is complete.
///
/// # Errors
/// QEMU cannot be started.
pub fn run(
    machine: &Machine,
    decoders: Vec<Decoder>,
    on_line: impl FnMut(Line) -> Next,
) -> Result<End> {
    let sockets = SocketFolder::new()?;
    let (events, inbox) = channel();
    for uart in 0..machine.board.uarts.len() {
        listen(&sockets, uart, &events)?;
    }
    let start = Instant::now();
    let mut process = Process::spawn(command(machine, &sockets)).with_context(|| {
        format!(
            "cannot run {}: install QEMU with `cargo xtask setup` or name a binary with QEMU=…",
            machine.qemu.display()
        )
    })?;
    if let Some(stderr) = process.child().stderr.take() {
        machine::read_messages(stderr, events);
    }
    machine::play(process, &inbox, start, machine.timeout, decoders, on_line)
}

fn command(machine: &Machine, sockets: &SocketFolder) -> Command {
    let mut command = bound_command(&machine.qemu);
    let board = machine.board;
    command
        .args((board.media)(&machine.image))
        .args(board.arguments)
        .args(["-smp", &CORES.to_string()])
        // No device that could reach memory by itself: no SMMU stands in front of one.
        .args(["-nic", "none", "-display", "none", "-monitor", "none"])
        .arg("-no-reboot");
    for uart in 0..board.uarts.len() {
        command
            .arg("-chardev")
            .arg(format!(
                "socket,id=uart{uart},path={}",
                sockets.path(uart).display()
            ))
            .args(["-serial", &format!("chardev:uart{uart}")]);
    }
    command
        .args(&machine.arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

fn listen(sockets: &SocketFolder, uart: usize, events: &Sender<Event>) -> Result<()> {
    let path = sockets.path(uart);
    let listener = UnixListener::bind(&path)
        .with_context(|| format!("cannot make the socket {}", path.display()))?;
    let events = events.clone();
    thread::spawn(move || {
        if let Ok((socket, _)) = listener.accept() {
            machine::read_uart(uart, socket, &events);
        }
        let _ = events.send(Event::Closed);
    });
    Ok(())
}

/// A folder for the UARTs' sockets; a socket's path must be short, so it is not in the workspace.
struct SocketFolder(PathBuf);

impl SocketFolder {
    fn new() -> Result<Self> {
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let number = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("tantalum-{}-{number}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        paths::make_dir(&folder)?;
        process::remove_on_interrupt(&folder);
        Ok(Self(folder))
    }

    fn path(&self, uart: usize) -> PathBuf {
        self.0.join(format!("uart{uart}"))
    }
}

impl Drop for SocketFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
