//! Partitions' consoles: lines of `FFA_CONSOLE_LOG` as records of the SPMC's own stream.

use ffa_abi::EndpointId;
use heapless::LinearMap;
use platform::{logmux::LineBuffer, uart::CONSOLE};
use spin::mutex::SpinMutex;
use spmc::{MAX_PARTITIONS, spm::Machine};

/// One line being collected for each partition.
static LINES: SpinMutex<LinearMap<u16, LineBuffer<120>, MAX_PARTITIONS>> =
    SpinMutex::new(LinearMap::new());

/// The machine, as the core's calls see it.
pub struct Port;

impl Machine for Port {
    fn console(&mut self, from: EndpointId, character: u8) {
        let mut lines = LINES.lock();
        if !lines.contains_key(&from.0) && lines.insert(from.0, LineBuffer::new()).is_err() {
            return;
        }
        let Some(line) = lines.get_mut(&from.0) else {
            return;
        };
        // A whole line goes out under one lock; a character alone takes none.
        let mut guard = None;
        line.push(from.0, character, &mut |byte| {
            if guard.is_none() {
                guard = CONSOLE.lock();
            }
            if let Some(console) = &mut guard {
                console.put(byte);
            }
        });
    }
}
