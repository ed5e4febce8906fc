//! One machine while it runs: its UARTs are read live, and it is ended in time. How it is started, and how its
//! UARTs come here, is the business of `qemu` and `model`.

use crate::{
    console::{Decoder, Line, Origin},
    process::Process,
};
use anyhow::Result;
use std::{
    io::{BufRead as _, BufReader, Read},
    process::ExitStatus,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

/// How long a machine has to end by itself after its process ended or its UARTs closed.
const LINGER: Duration = Duration::from_secs(5);
/// The longest silence between two looks at the process.
const TICK: Duration = Duration::from_millis(100);

/// Why a machine ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It ended by itself: it powered off, or what runs it died.
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

/// What a machine's readers report.
#[derive(Debug)]
pub enum Event {
    /// Bytes of the UART with this number.
    Bytes(usize, Vec<u8>),
    /// A line of what runs the machine.
    Message(String),
    /// A UART, or the messages, are over.
    Closed,
}

/// Plays a machine to its end. Each of its UARTs, and its messages, is a source of events that closes. Each line
/// goes to `on_line` as soon as it is complete.
///
/// # Errors
/// The operating system does not say whether the process lives.
pub fn play(
    mut process: Process,
    inbox: &Receiver<Event>,
    start: Instant,
    timeout: Duration,
    mut decoders: Vec<Decoder>,
    mut on_line: impl FnMut(Line) -> Next,
) -> Result<End> {
    let end = supervise(
        &mut process,
        inbox,
        start,
        start + timeout,
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
    decoders: &mut [Decoder],
    on_line: &mut impl FnMut(Line) -> Next,
) -> Result<End> {
    // The UARTs and the machine's own messages; each says when it closes.
    let mut open = decoders.len() + 1;
    let mut exited = None;
    loop {
        let now = Instant::now();
        if now >= deadline {
            return Ok(exited.map_or(End::TimedOut, End::Exited));
        }
        let event = inbox.recv_timeout(TICK.min(deadline - now));
        let time = start.elapsed().as_secs_f64();
        let lines = match event {
            Ok(Event::Bytes(uart, bytes)) => decoders
                .get_mut(uart)
                .map(|decoder| decoder.feed(time, &bytes))
                .unwrap_or_default(),
            Ok(Event::Message(text)) => vec![Line {
                time,
                stream: None,
                origin: Origin::Qemu,
                level: None,
                text,
            }],
            Ok(Event::Closed) => {
                open = open.saturating_sub(1);
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

/// Reports what is read as the bytes of a UART, until it ends.
pub fn read_uart(uart: usize, mut from: impl Read, events: &Sender<Event>) {
    let mut buffer = [0; 4096];
    while let Ok(count) = from.read(&mut buffer) {
        if count == 0
            || events
                .send(Event::Bytes(uart, buffer[..count].to_vec()))
                .is_err()
        {
            break;
        }
    }
}

/// Reports what is read as messages, line by line, until it ends.
pub fn read_messages(from: impl Read + Send + 'static, events: Sender<Event>) {
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if events.send(Event::Message(line)).is_err() {
                break;
            }
        }
        let _ = events.send(Event::Closed);
    });
}
