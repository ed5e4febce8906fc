//! What must come of the calls of RX buffers and of indirect messages (DEN0077A, "RX/TX buffers", "Indirect
//! messaging"), as far as the SPMC carries them.

use super::notifications::Calls;
use crate::{
    calls::{Fault, Notes as Call},
    state::{GLOBAL, Notes, Rx, Unread, Writer},
    world::Who,
};
use ffa_abi::FfaError::{self, Aborted, Busy, Denied, InvalidParameters, NotSupported};

/// Somebody waits: what he has read of in RX is nobody's any more. One of which he has not may have come just before.
pub fn waits(notes: &mut Notes, who: Who) {
    let place = who.buffer();
    let rx = &mut notes.rx[place];
    if let Rx::Full(_) = rx
        && notes.unread[place] == [None; 2]
    {
        *rx = Rx::Empty;
    }
}

impl Calls<'_> {
    /// `None`: it is none of these.
    pub(super) fn buffers(&mut self, call: Call) -> Option<Result<(), FfaError>> {
        let own = self.caller.buffer();
        Some(match call {
            Call::Send {
                from,
                to,
                delay,
                fault,
            } => self.send(from, to, delay, fault),
            Call::Release { vm } => self.release(vm),
            Call::Acquire { .. } if self.caller.is_partition() => Err(NotSupported),
            Call::Acquire { vm } if vm & 0x8000 != 0 => Err(NotSupported),
            Call::Acquire { .. } => Err(InvalidParameters),
            Call::Map { .. } => match self.wanted.notes.rx[own] {
                Rx::None if !self.is_alive(self.caller) => Err(Aborted),
                Rx::None => {
                    self.wanted.notes.rx[own] = Rx::Empty;
                    Ok(())
                }
                _ => Err(Denied),
            },
            Call::Unmap => match self.wanted.notes.rx[own] {
                Rx::None => Err(InvalidParameters),
                _ => {
                    self.wanted.notes.rx[own] = Rx::None;
                    self.wanted.notes.unread[own][0] = None;
                    self.quiet(self.caller);
                    Ok(())
                }
            },
            _ => return None,
        })
    }

    fn release(&mut self, vm: u16) -> Result<(), FfaError> {
        let own = self.caller.buffer();
        let notes = &mut self.wanted.notes;
        if vm != 0 {
            return Err(InvalidParameters);
        }
        match notes.rx[own] {
            Rx::None | Rx::Empty => Err(Denied),
            _ if notes.unread[own][0].is_some() => Err(Denied),
            Rx::Full(Writer::Proxy) if notes.unread[own][1].is_some() => Err(Denied),
            _ => {
                notes.rx[own] = Rx::Empty;
                Ok(())
            }
        }
    }

    fn send(
        &mut self,
        from: Who,
        to: u16,
        delay: bool,
        fault: Option<Fault>,
    ) -> Result<(), FfaError> {
        let notes = self.wanted.notes;
        if notes.rx[from.buffer()] == Rx::None {
            return Err(Denied);
        }
        if fault == Some(Fault::Sender) || to == from.id() || delay && !from.is_partition() {
            return Err(InvalidParameters);
        }
        let receiver = self.find(to).ok_or(InvalidParameters)?;
        if matches!(receiver, Who::Vm(_)) && !self.is_alive(receiver) {
            return Err(InvalidParameters);
        }
        if !self.world.has_pair(receiver) {
            return Err(Denied);
        }
        let place = receiver.buffer();
        if notes.rx[place] != Rx::Empty {
            return Err(Busy);
        }
        if fault == Some(Fault::Size) {
            return Err(InvalidParameters);
        }
        if let (Who::Vm(_), Who::Vm(vm)) = (from, receiver) {
            self.wanted.notes.rx[place] = Rx::Full(Writer::Proxy);
            if self.world.is_notified(receiver) {
                self.wanted.notes.unread[place][1] = Some(Unread::New);
                self.tell_vm(vm, GLOBAL);
            }
            return Ok(());
        }
        self.wanted.notes.rx[place] = Rx::Full(Writer::Spmc);
        if self.world.is_notified(receiver) {
            self.wanted.notes.unread[place][0] = Some(Unread::New);
            self.tell(receiver, GLOBAL, delay);
        }
        Ok(())
    }
}
