//! Guests' consoles: characters collected to lines, each a record in the image's own stream.

use crate::{logmux::LineBuffer, uart::CONSOLE};
use spin::mutex::SpinMutex;

/// The most guests that have a line in progress.
const GUESTS: usize = 16;

/// One line being collected for each guest that has written anything. Id 0 marks a free place.
static LINES: SpinMutex<[(u16, LineBuffer<256>); GUESTS]> =
    SpinMutex::new([const { (0, LineBuffer::new()) }; GUESTS]);

/// Takes one character that the guest with this id (not 0) wrote. A whole line goes out under one
/// lock of the UART; a character alone takes none. A guest beyond the sixteenth is not heard.
pub fn write(guest: u16, character: u8) {
    let mut lines = LINES.lock();
    let place = lines.iter_mut().find(|(id, _)| *id == guest || *id == 0);
    let Some((id, line)) = place else {
        return;
    };
    *id = guest;
    let mut guard = None;
    line.push(guest, character, &mut |byte| {
        if guard.is_none() {
            guard = CONSOLE.lock();
        }
        if let Some(console) = &mut guard {
            console.put(byte);
        }
    });
}

/// Writes out what a guest has written without ending its line, if anything.
pub fn flush(guest: u16) {
    let mut lines = LINES.lock();
    let Some((_, line)) = lines
        .iter_mut()
        .find(|(id, line)| *id == guest && !line.is_empty())
    else {
        return;
    };
    if let Some(mut console) = CONSOLE.lock() {
        line.flush(guest, &mut |byte| console.put(byte));
    }
}
