//! Indirect messages (DEN0077A, "Indirect messaging"): `FFA_MSG_SEND2` copies what lies in the sender's TX
//! buffer into the receiver's RX buffer. No cycles go with it; the receiver is told by the framework's
//! notification, if it has notifications.
//!
//! | checks, in this order | error |
//! | --- | --- |
//! | the caller speaks 1.0 | NOT_SUPPORTED |
//! | a partition names a sender in w1, or the normal world one that is none of its endpoints | INVALID_PARAMETERS |
//! | the sender has no pair | DENIED |
//! | its TX can't be read | ABORTED |
//! | the header names another sender, or the sender as receiver; w2 has a bit that is not the sender's to set | INVALID_PARAMETERS |
//! | there is no such receiver, or both are the normal world's: that is between VMs | INVALID_PARAMETERS |
//! | one of them has no indirect messages, or the receiver speaks 1.0 | DENIED |
//! | the receiver has no pair, or its RX is not empty | BUSY |
//! | the payload starts in the header or ends beyond TX | INVALID_PARAMETERS |
//! | the UUID is no service of the receiver's | INVALID_PARAMETERS |
//! | that service has no indirect messages | DENIED |
//! | the receiver's RX is too small | NO_MEMORY |
//! | memory can't be read or written | ABORTED |
//!
//! An error changes nothing: RX is the SPMC's as before. Of VMs the SPMC knows neither messaging methods
//! nor services: who has a pair exchanges messages, and the hypervisor forwards only what its VM may send.
//! A UUID goes to a VM unseen.
//!
//! The sender may go on writing its TX. The header is copied once; what was checked is that copy, and what
//! the receiver gets is written from it. The payload goes from buffer to buffer and is never looked at.

mod delivery;

use super::{Machine, Mem, Pe, Spmc, direct::Sender, mailbox::Mailbox};
use crate::{
    context::{Registers, Slot},
    locks::Held,
};
use delivery::Message;
use ffa_abi::{EndpointId, FfaError, Uuid, Version, indirect::IndirectHeader, message::Send2Flags};

/// The first version with these messages.
const FIRST: Version = Version::V1_1;

/// Who receives.
#[derive(Clone, Copy, Debug)]
enum Receiver {
    /// An endpoint of the normal world.
    NormalWorld,
    /// A partition.
    Partition(Slot),
}

impl<'c, M: Registers> Spmc<'c, M> {
    /// `FFA_MSG_SEND2` by a partition, or by the normal world for its endpoint `vm`. An error changes
    /// nothing.
    #[cold]
    #[inline(never)]
    pub(super) fn msg_send2(
        &self,
        pe: &mut Pe<'c, M>,
        caller: Sender,
        vm: EndpointId,
        flags: Send2Flags,
        machine: &mut impl Machine,
    ) -> Result<(), FfaError> {
        let version = self.version_of(caller);
        if version < FIRST {
            return Err(FfaError::NotSupported);
        }
        let (sender, allowed) = self.sends_as(caller, vm)?;
        let header = self.with_tx(caller, sender, &mut pe.held, |tx| {
            let tx = tx.ok_or(FfaError::Denied)?;
            read_header(tx, version, machine)
        })?;
        if header.sender != sender || header.receiver == sender || !allowed.contains(flags) {
            return Err(FfaError::InvalidParameters);
        }
        let receiver = self.receiver(caller, header.receiver, &mut pe.held)?;
        let receivers_version = match receiver {
            Receiver::NormalWorld => self.normal_world.get(),
            Receiver::Partition(slot) => self.version(slot),
        };
        if !self.exchanges(caller, receiver) || receivers_version < FIRST {
            return Err(FfaError::Denied);
        }
        // The longer header begins with the shorter one: who has not said yet which it reads finds either.
        let receivers_version = match receiver {
            Receiver::Partition(slot) if !self.has_settled(slot) => {
                receivers_version.max(Version::V1_2)
            }
            _ => receivers_version,
        };
        let message = Message {
            header,
            version,
            receivers_version,
            service: self.serves(receiver, header.service),
        };
        let told =
            self.deliver_message((caller, sender), receiver, &message, machine, &mut pe.held)?;
        if told {
            let delay = flags.contains(Send2Flags::DELAY_SCHEDULE_RECEIVER);
            self.signal_rx_full(pe, caller, header.receiver, delay, machine);
        }
        Ok(())
    }

    /// The endpoint that sends, and which flags it may give.
    fn sends_as(
        &self,
        caller: Sender,
        vm: EndpointId,
    ) -> Result<(EndpointId, Send2Flags), FfaError> {
        match caller {
            // The hypervisor, or the OS, sends as 0.
            Sender::NormalWorld if vm == EndpointId::HYPERVISOR || vm.is_vm() => {
                Ok((vm, Send2Flags::empty()))
            }
            Sender::Partition(slot) if vm.0 == 0 => {
                let info = self.info(slot).ok_or(FfaError::InvalidParameters)?;
                Ok((info.id, Send2Flags::DELAY_SCHEDULE_RECEIVER))
            }
            _ => Err(FfaError::InvalidParameters),
        }
    }

    /// Gives `work` the sender's pair, if it has one.
    fn with_tx<R>(
        &self,
        caller: Sender,
        sender: EndpointId,
        held: &mut Held<0>,
        work: impl FnOnce(Option<&Mailbox>) -> Result<R, FfaError>,
    ) -> Result<R, FfaError> {
        match caller {
            Sender::NormalWorld => {
                self.with_normal_world(held, |all, _| work(all.find(sender).as_deref()))
            }
            Sender::Partition(slot) => {
                let partition = self.partitions.get(slot.index()).ok_or(FfaError::Denied)?;
                partition.mailbox.with(held, |pair, _| work(pair.as_ref()))
            }
        }
    }

    /// Whom `id` names. The normal world's endpoints are known by a pair or a bitmap.
    fn receiver(
        &self,
        caller: Sender,
        id: EndpointId,
        held: &mut Held<0>,
    ) -> Result<Receiver, FfaError> {
        let found = match caller {
            _ if id.is_secure() => self.find(id).map(Receiver::Partition),
            Sender::NormalWorld => None,
            Sender::Partition(_) => {
                let known = id == EndpointId::HYPERVISOR
                    || self.with_normal_world(held, |all, _| all.find(id).is_some())
                    || self.has_bitmap(id, held);
                known.then_some(Receiver::NormalWorld)
            }
        };
        found.ok_or(FfaError::InvalidParameters)
    }

    /// Whether both have indirect messages, as far as that is known.
    fn exchanges(&self, caller: Sender, receiver: Receiver) -> bool {
        let has = |slot| {
            self.info(slot)
                .is_some_and(|info| info.messaging.is_indirect())
        };
        let sends = match caller {
            Sender::NormalWorld => true,
            Sender::Partition(slot) => has(slot),
        };
        let receives = match receiver {
            Receiver::NormalWorld => true,
            Receiver::Partition(slot) => has(slot),
        };
        sends && receives
    }

    /// Whether the receiver takes indirect messages for this service: any, if it is nil.
    fn serves(&self, receiver: Receiver, service: Uuid) -> Result<(), FfaError> {
        let Receiver::Partition(slot) = receiver else {
            return Ok(());
        };
        if service.is_nil() {
            return Ok(());
        }
        let info = self.info(slot).ok_or(FfaError::InvalidParameters)?;
        let mut services = info.services.iter();
        let own = services
            .find(|own| own.uuid == service)
            .ok_or(FfaError::InvalidParameters)?;
        match own.messaging.is_indirect() {
            true => Ok(()),
            false => Err(FfaError::Denied),
        }
    }
}

/// Copies the header out of TX: exactly its bytes, once.
fn read_header(
    pair: &Mailbox,
    version: Version,
    machine: &mut impl Mem,
) -> Result<IndirectHeader, FfaError> {
    let mut bytes = [0; IndirectHeader::MAX_BYTES];
    let bytes = bytes
        .get_mut(..IndirectHeader::bytes(version))
        .ok_or(FfaError::Aborted)?;
    if !machine.read(pair.tx(), 0, bytes) {
        return Err(FfaError::Aborted);
    }
    IndirectHeader::read(version, bytes).ok_or(FfaError::Aborted)
}
