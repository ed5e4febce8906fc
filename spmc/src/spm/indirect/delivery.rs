//! From TX to RX, with both pairs locked.

use super::{
    super::{Mem, Spmc, direct::Sender, mailbox::Mailbox},
    Receiver,
};
use crate::{context::Registers, locks::Held};
use ffa_abi::{EndpointId, FfaError, Version, indirect::IndirectHeader};

/// A message of which all is known but where it lies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    /// The header, as it was copied.
    pub header: IndirectHeader,
    /// The version of the sender's layout.
    pub version: Version,
    /// That of the receiver's.
    pub receivers_version: Version,
    /// Whether the receiver has the service that it is for.
    pub service: Result<(), FfaError>,
}

impl Message {
    /// Copies it from one pair to the other, which is its receiver's then.
    fn copy(
        &self,
        from: Option<&Mailbox>,
        to: Option<&mut Mailbox>,
        lives: bool,
        machine: &mut impl Mem,
    ) -> Result<(), FfaError> {
        // The sender may have another pair than when the header was read, or none.
        let tx = from.ok_or(FfaError::Denied)?.tx();
        let mut rx = to.filter(|_| lives).ok_or(FfaError::Busy)?.writable()?;
        let payload = self.header.payload(self.version, tx.size);
        let payload = payload.ok_or(FfaError::InvalidParameters)?;
        self.service?;
        let placed = self.header.placed(self.receivers_version, rx.size());
        let placed = placed.ok_or(FfaError::NoMemory)?;
        let mut bytes = [0; IndirectHeader::MAX_BYTES];
        let written = placed
            .write(self.receivers_version, &mut bytes)
            .and_then(|size| bytes.get(..size))
            .ok_or(FfaError::NoMemory)?;
        rx.push(machine, written)?;
        rx.finish_with(machine, placed.payload_offset as usize, tx, payload)
    }
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// Delivers a message of the endpoint `sender`. Whether the receiver is to be told of it: before its RX
    /// can be seen full, it is noted that it is.
    pub(super) fn deliver_message(
        &self,
        (caller, sender): (Sender, EndpointId),
        receiver: Receiver,
        message: &Message,
        machine: &mut impl Mem,
        held: &mut Held<0>,
    ) -> Result<bool, FfaError> {
        let pair = |slot| {
            self.partitions
                .get(usize::from(slot))
                .map(|partition| &partition.mailbox)
                .ok_or(FfaError::InvalidParameters)
        };
        let id = message.header.receiver;
        // One that is loaded anew may have a pair already. Asked while that is locked: one that fails later gives
        // it up later.
        let lives = |slot| !self.is_buried(slot);
        match (caller, receiver) {
            (Sender::Partition(from), Receiver::Partition(to)) => {
                let (from, theirs) = (pair(from.0)?, pair(to.0)?);
                let delivered = from.with_both(theirs, held, |from, theirs, held| {
                    message.copy(from.as_ref(), theirs.as_mut(), lives(to), machine)?;
                    Ok(self.note_rx_full(id, held))
                });
                delivered.unwrap_or(Err(FfaError::InvalidParameters))
            }
            (Sender::Partition(from), Receiver::NormalWorld) => {
                let from = pair(from.0)?;
                self.mailboxes.with(held, |all, held| {
                    from.with(held, |from, held| {
                        message.copy(from.as_ref(), all.find(id), true, machine)?;
                        Ok(self.note_rx_full(id, held))
                    })
                })
            }
            (Sender::NormalWorld, Receiver::Partition(to)) => {
                let theirs = pair(to.0)?;
                self.mailboxes.with(held, |all, held| {
                    theirs.with(held, |theirs, held| {
                        let from = all.find(sender);
                        message.copy(from.as_deref(), theirs.as_mut(), lives(to), machine)?;
                        Ok(self.note_rx_full(id, held))
                    })
                })
            }
            // Between VMs the hypervisor carries them.
            (Sender::NormalWorld, Receiver::NormalWorld) => Err(FfaError::InvalidParameters),
        }
    }
}
