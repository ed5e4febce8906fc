//! Guests' consoles: characters collected to lines, each a frame in the image's own stream, or in a stream of its own
//! where the board has a UART for it. The frames are the same.

use crate::{
    logmux::LineBuffer,
    uart::{CONSOLE, Console, ENDPOINTS},
};
use spin::mutex::SpinMutex;

/// The most guests that have a line in progress.
const GUESTS: usize = 16;

/// A guest's line.
struct Line {
    /// The guest; 0 marks a free place.
    id: u16,
    /// Looks since it last grew.
    looks: u32,
    /// What is there so far.
    buffer: LineBuffer<256>,
}

/// One line being collected for each guest that has written anything.
static LINES: SpinMutex<[Line; GUESTS]> = SpinMutex::new(
    [const {
        Line {
            id: 0,
            looks: 0,
            buffer: LineBuffer::new(),
        }
    }; GUESTS],
);

/// Where the lines go.
fn console() -> &'static Console {
    if ENDPOINTS.is_there() {
        &ENDPOINTS
    } else {
        &CONSOLE
    }
}

/// Takes one character that the guest with this id (not 0) wrote. A whole line goes out under one
/// lock of the UART; a character alone takes none. A guest beyond the sixteenth is not heard.
pub fn write(guest: u16, character: u8) {
    let mut lines = LINES.lock();
    let place = lines
        .iter_mut()
        .find(|line| line.id == guest || line.id == 0);
    let Some(line) = place else {
        return;
    };
    line.id = guest;
    line.looks = 0;
    let mut guard = None;
    line.buffer.push(guest, character, &mut |byte| {
        if guard.is_none() {
            guard = console().lock();
        }
        if let Some(console) = &mut guard {
            console.put(byte);
        }
    });
}

/// Writes out what a guest has written without ending its line, if there is anything and it has not
/// grown for `patience` calls of this function: one that is still being written stays in one piece.
pub fn flush_idle(guest: u16, patience: u32) {
    let mut lines = LINES.lock();
    let Some(line) = lines
        .iter_mut()
        .find(|line| line.id == guest && !line.buffer.is_empty())
    else {
        return;
    };
    line.looks = line.looks.saturating_add(1);
    if line.looks <= patience {
        return;
    }
    if let Some(mut console) = console().lock() {
        line.buffer.flush(guest, &mut |byte| console.put(byte));
    }
}
