//! Indirect messages (DEN0077A, "Indirect messaging"): `FFA_MSG_SEND2` of a VM.
//!
//! * To a VM: the proxy copies the message from the sender's TX into the receiver's RX.
//! * To a partition: the proxy copies it into the buffer that stands in for the sender's TX at the SPMC, which copies it
//!   from there. The header is in the layout of the version that the proxy speaks there.
//!
//! The header is read once, and the copy alone is believed. Two pairs are locked in the order of their VMs, for as long as
//! a copy takes.

use crate::{
    buffers::{Memory, Pair, Unreachable, size},
    forward::ask,
    proxy::{Machine, Pe, Proxy},
    vcpu::{Registers, VmIndex},
    vm::{Vm, VmInfo},
};
use core::ops::Range;
use ffa_abi::{
    Call, EndpointId, FfaError, Reply, Version, indirect::IndirectHeader, message::Send2Flags,
};

/// Bytes that are copied at a time.
const CHUNK: usize = 512;

/// A piece of a message. Words are copied faster.
#[repr(align(8))]
struct Chunk([u8; CHUNK]);

/// Machine trouble with memory that the core knows to be there.
fn broken(_: Unreachable) -> FfaError {
    FfaError::Aborted
}

/// The header at the start of a VM's TX, in the layout of its version.
fn read(
    version: Version,
    tx: &Range<u64>,
    memory: &mut impl Memory,
) -> Result<IndirectHeader, FfaError> {
    let mut bytes = [0; IndirectHeader::MAX_BYTES];
    let length = IndirectHeader::bytes(version);
    let bytes = bytes.get_mut(..length).ok_or(FfaError::Aborted)?;
    memory.read(tx.start, bytes).map_err(broken)?;
    IndirectHeader::read(version, bytes).ok_or(FfaError::Aborted)
}

/// Copies the payload, which is in the sender's TX at `from`, in pieces: `to` gets each, and where it is in the payload.
fn copy<M: Memory>(
    tx: &Range<u64>,
    from: &Range<usize>,
    memory: &mut M,
    mut to: impl FnMut(usize, &[u8], &mut M) -> Result<(), Unreachable>,
) -> Result<(), FfaError> {
    let mut chunk = Chunk([0; CHUNK]);
    let start = tx.start.saturating_add(from.start as u64);
    let mut done = 0usize;
    while done < from.len() {
        let length = from.len().saturating_sub(done).min(CHUNK);
        let piece = chunk.0.get_mut(..length).ok_or(FfaError::Aborted)?;
        let at = start.saturating_add(done as u64);
        memory.read(at, piece).map_err(broken)?;
        to(done, piece, memory).map_err(broken)?;
        done = done.saturating_add(length);
    }
    Ok(())
}

/// A message whose header was read.
struct Message<'a> {
    header: IndirectHeader,
    /// The version of its sender.
    version: Version,
    /// The sender's TX.
    tx: &'a Range<u64>,
}

impl Message<'_> {
    /// Where its payload is in TX; `None` if it is not there.
    fn payload(&self) -> Option<Range<usize>> {
        self.header.payload(self.version, size(self.tx))
    }

    /// Writes it into the RX of a VM that speaks `version`; what is left of RX is zero.
    ///
    /// # Errors
    /// INVALID_PARAMETERS if the payload is not in TX or the receiver does not offer the service, DENIED if that has no
    /// indirect messages, NO_MEMORY if it does not fit into RX.
    fn deliver(
        &self,
        receiver: &VmInfo,
        version: Version,
        rx: &Range<u64>,
        memory: &mut impl Memory,
    ) -> Result<(), FfaError> {
        let from = self.payload().ok_or(FfaError::InvalidParameters)?;
        let methods = receiver.methods(self.header.service);
        if !methods.ok_or(FfaError::InvalidParameters)?.is_indirect() {
            return Err(FfaError::Denied);
        }
        let header = self.header.placed(version, size(rx));
        let header = header.ok_or(FfaError::NoMemory)?;
        let mut bytes = [0; IndirectHeader::MAX_BYTES];
        let length = header.write(version, &mut bytes).ok_or(FfaError::Aborted)?;
        let bytes = bytes.get(..length).ok_or(FfaError::Aborted)?;
        memory.write(rx.start, bytes).map_err(broken)?;
        let start = rx.start.saturating_add(header.payload_offset.into());
        let gap = rx.start.saturating_add(length as u64)..start;
        memory.zero(gap).map_err(broken)?;
        copy(self.tx, &from, memory, |done, piece, memory| {
            memory.write(start.saturating_add(done as u64), piece)
        })?;
        let end = start.saturating_add(from.len() as u64);
        memory.zero(end..rx.end).map_err(broken)
    }

    /// Writes it into the buffer that stands in for the TX of VM `index`, for a reader that speaks `version`. `false` if
    /// it can't be: then there is a header that no reader takes.
    fn hand_on(
        &self,
        index: VmIndex,
        version: Version,
        memory: &mut impl Memory,
    ) -> Result<bool, FfaError> {
        let from = self.payload();
        let room = size(self.tx);
        let good = from.and_then(|from| Some((from, self.header.placed(version, room)?)));
        let header = match &good {
            Some((_, header)) => *header,
            None => IndirectHeader {
                payload_offset: 0,
                ..self.header
            },
        };
        let mut bytes = [0; IndirectHeader::MAX_BYTES];
        let length = header.write(version, &mut bytes).ok_or(FfaError::Aborted)?;
        let bytes = bytes.get(..length).ok_or(FfaError::Aborted)?;
        memory.write_stand_in(index, 0, bytes).map_err(broken)?;
        let Some((from, header)) = good else {
            return Ok(false);
        };
        let start = header.payload_offset as usize;
        copy(self.tx, &from, memory, |done, piece, memory| {
            memory.write_stand_in(index, start.saturating_add(done), piece)
        })?;
        Ok(true)
    }
}

impl<'v, R: Registers> Proxy<'v, R> {
    /// `FFA_MSG_SEND2` by `vm`, in whose name `named` may not be.
    ///
    /// # Errors
    /// Each one before anything has changed; those of the SPMC, if the receiver is a partition.
    pub(crate) fn send_indirect(
        &self,
        pe: &Pe<'v, R>,
        vm: &Vm<'v, R>,
        index: VmIndex,
        (named, flags): (EndpointId, Send2Flags),
        machine: &mut impl Machine<R>,
    ) -> Result<Reply, FfaError> {
        let invalid = FfaError::InvalidParameters;
        // Only a hypervisor names a sender.
        if named != EndpointId::HYPERVISOR {
            return Err(invalid);
        }
        let own = vm.info.id;
        let version = vm.version.get();
        let buffers = vm.buffers.lock();
        let pair = buffers.as_ref().ok_or(FfaError::Denied)?;
        let header = read(version, &pair.tx, machine)?;
        let receiver = header.receiver;
        if header.sender != own || receiver == own || !flags.is_empty() {
            return Err(invalid);
        }
        let tx = pair.tx.clone();
        let message = Message {
            header,
            version,
            tx: &tx,
        };
        if receiver.is_partition() {
            self.send_to_partition(vm, index, pair, &message, machine)?;
        } else {
            drop(buffers);
            self.send_to_vm(pe, index, &message, machine)?;
        }
        Ok(Reply::success(0))
    }

    /// Sends a message to a partition. The sender's pair is locked, and with it what stands in for its TX.
    fn send_to_partition(
        &self,
        vm: &Vm<'v, R>,
        index: VmIndex,
        pair: &Pair,
        message: &Message<'_>,
        machine: &mut impl Machine<R>,
    ) -> Result<(), FfaError> {
        if !pair.forwarded {
            return Err(FfaError::Denied);
        }
        let good = message.hand_on(index, self.upstream.version, machine)?;
        let send = Call::MsgSend2 {
            vm: vm.info.id,
            flags: Send2Flags::empty(),
        };
        // What is wrong with the receiver counts before what is wrong with the payload, and is for the SPMC to say.
        ask(send, machine)?;
        match good {
            true => Ok(()),
            false => Err(FfaError::InvalidParameters),
        }
    }

    /// Sends a message to a VM.
    fn send_to_vm(
        &self,
        pe: &Pe<'v, R>,
        index: VmIndex,
        message: &Message<'_>,
        machine: &mut impl Machine<R>,
    ) -> Result<(), FfaError> {
        let invalid = FfaError::InvalidParameters;
        let to = self.find(message.header.receiver).ok_or(invalid)?;
        let sender = self.vm(index).ok_or(invalid)?;
        let receiver = self.vm(to).filter(|vm| !vm.is_dead()).ok_or(invalid)?;
        if !sender.sends_indirect() || !receiver.sends_indirect() {
            return Err(FfaError::Denied);
        }
        let (first, second) = match index < to {
            true => (sender, receiver),
            false => (receiver, sender),
        };
        let mut first = first.buffers.lock();
        let mut second = second.buffers.lock();
        let (of_sender, of_receiver) = match index < to {
            true => (&*first, &mut *second),
            false => (&*second, &mut *first),
        };
        // Another vCPU of the sender may have given up its pair since the header was read.
        let same = of_sender
            .as_ref()
            .is_some_and(|pair| pair.tx == *message.tx);
        if !same {
            return Err(FfaError::Denied);
        }
        let pair = of_receiver.as_mut().ok_or(FfaError::Busy)?;
        pair.fill(receiver.info.id, machine, |rx, machine| {
            message.deliver(&receiver.info, receiver.version.get(), rx, machine)
        })?;
        let notified = receiver.is_notified();
        if notified {
            receiver.receiver.lock().rx_full();
        }
        drop((first, second));
        if notified {
            self.notify(pe, to, None, machine);
        }
        Ok(())
    }
}
