//! Runs one machine in QEMU: starts it, reads both UARTs live, and ends it in time.

use crate::{
    console::{Decoder, Line, Origin, Stream},
    paths,
    process::{self, Process, bound_command},
};
use anyhow::{Context, Result};
use std::{
    ffi::OsString,
    io::{BufRead as _, BufReader, Read},
    os::unix::net::UnixListener,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

/// How long QEMU has to end by itself after it was told to, or after its UARTs closed.
const LINGER: Duration = Duration::from_secs(5);
/// The longest silence between two looks at the process.
const TICK: Duration = Duration::from_millis(100);

/// What to run.
#[derive(Clone, Debug)]
pub struct Machine {
    /// QEMU's binary.
    pub qemu: PathBuf,
    /// The boot image.
    pub flash: PathBuf,
    /// After this long the machine is ended.
    pub timeout: Duration,
    /// More arguments.
    pub arguments: Vec<OsString>,
}

/// Why a machine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// QEMU ended by itself: the machine powered off, or QEMU died.
    Exited(ExitStatus),
    /// The time was up.
    TimedOut,
    /// The caller had seen enough.
    Stopped,
}

/// What the caller wants after a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Go on.
    Continue,
    /// End the machine.
    Stop,
}

enum Event {
    Bytes(Stream, Vec<u8>),
    Message(String),
    Closed,
}

/// Runs a machine to its end. `decoders` are those of the normal and the secure UART; each line
/// goes to `on_line` as soon as it is complete.
///
/// # Errors
/// QEMU cannot be started.
pub fn run(
    machine: &Machine,
    mut decoders: [Decoder; 2],
    mut on_line: impl FnMut(Line) -> Next,
) -> Result<End> {
    let sockets = SocketFolder::new()?;
    let (events, inbox) = channel();
    listen(&sockets, Stream::Normal, &events)?;
    listen(&sockets, Stream::Secure, &events)?;

    let start = Instant::now();
    let mut process = spawn(machine, &sockets)?;
    if let Some(stderr) = process.child().stderr.take() {
        read_messages(stderr, events);
    }
    let deadline = start + machine.timeout;
    let end = supervise(
        &mut process,
        &inbox,
        start,
        deadline,
        &mut decoders,
        &mut on_line,
    )?;
    drop(process);
    if end == End::Stopped {
        // What was cut by the stop says nothing.
        return Ok(end);
    }
    let time = start.elapsed().as_secs_f64();
    for decoder in &mut decoders {
        for line in decoder.finish(time) {
            on_line(line);
        }
    }
    Ok(end)
}

fn supervise(
    process: &mut Process,
    inbox: &Receiver<Event>,
    start: Instant,
    mut deadline: Instant,
    decoders: &mut [Decoder; 2],
    on_line: &mut impl FnMut(Line) -> Next,
) -> Result<End> {
    // Two UARTs and QEMU's own messages; each says when it closes.
    let mut open = 3;
    let mut exited = None;
    loop {
        let now = Instant::now();
        if now >= deadline {
            return Ok(exited.map_or(End::TimedOut, End::Exited));
        }
        let event = inbox.recv_timeout(TICK.min(deadline - now));
        let time = start.elapsed().as_secs_f64();
        let lines = match event {
            Ok(Event::Bytes(Stream::Normal, bytes)) => decoders[0].feed(time, &bytes),
            Ok(Event::Bytes(Stream::Secure, bytes)) => decoders[1].feed(time, &bytes),
            Ok(Event::Message(text)) => vec![Line {
                time,
                stream: None,
                origin: Origin::Qemu,
                level: None,
                text,
            }],
            Ok(Event::Closed) => {
                open -= 1;
                Vec::new()
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Vec::new(),
        };
        for line in lines {
            if on_line(line) == Next::Stop {
                return Ok(End::Stopped);
            }
        }
        if exited.is_none()
            && let Some(status) = process.try_wait()?
        {
            exited = Some(status);
            deadline = deadline.min(Instant::now() + LINGER);
        }
        if let Some(status) = exited
            && open == 0
        {
            return Ok(End::Exited(status));
        }
    }
}

fn spawn(machine: &Machine, sockets: &SocketFolder) -> Result<Process> {
    let mut command = bound_command(&machine.qemu);
    command
        .args([
            "-M",
            "virt,secure=on,virtualization=on,gic-version=3,mte=on,acpi=off",
        ])
        .args(["-cpu", "max,pauth-impdef=on", "-smp", "4", "-m", "1024"])
        // No device that could reach memory by itself: no SMMU stands in front of one.
        .args(["-nic", "none", "-display", "none", "-monitor", "none"])
        // TF-A powers the machine off by semihosting.
        .args(["-semihosting-config", "enable=on,target=native"])
        .arg("-no-reboot");
    for stream in [Stream::Normal, Stream::Secure] {
        let name = socket_name(stream);
        command
            .arg("-chardev")
            .arg(format!(
                "socket,id={name},path={}",
                sockets.path(stream).display()
            ))
            .args(["-serial", &format!("chardev:{name}")]);
    }
    command
        .arg("-bios")
        .arg(&machine.flash)
        .args(&machine.arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    Process::spawn(command).with_context(|| {
        format!(
            "cannot run {}: install QEMU with `cargo xtask setup` or name a binary with QEMU=…",
            machine.qemu.display()
        )
    })
}

fn socket_name(stream: Stream) -> &'static str {
    match stream {
        Stream::Normal => "normal",
        Stream::Secure => "secure",
    }
}

fn listen(sockets: &SocketFolder, stream: Stream, events: &Sender<Event>) -> Result<()> {
    let path = sockets.path(stream);
    let listener = UnixListener::bind(&path)
        .with_context(|| format!("cannot make the socket {}", path.display()))?;
    let events = events.clone();
    thread::spawn(move || {
        if let Ok((mut socket, _)) = listener.accept() {
            let mut buffer = [0; 4096];
            while let Ok(count) = socket.read(&mut buffer) {
                if count == 0
                    || events
                        .send(Event::Bytes(stream, buffer[..count].to_vec()))
                        .is_err()
                {
                    break;
                }
            }
        }
        let _ = events.send(Event::Closed);
    });
    Ok(())
}

fn read_messages(stderr: impl Read + Send + 'static, events: Sender<Event>) {
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if events.send(Event::Message(line)).is_err() {
                break;
            }
        }
        let _ = events.send(Event::Closed);
    });
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

    fn path(&self, stream: Stream) -> PathBuf {
        self.0.join(socket_name(stream))
    }
}

impl Drop for SocketFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
