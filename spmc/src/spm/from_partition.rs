//! Calls that come from a partition, by SMC or HVC, or by SVC from S-EL0.

use super::{
    Machine, Next, Outcome, Owner, Pe, Spmc,
    direct::Sender,
    discovery::{Asker, malformed, wide_cycles},
    interrupts::is_hypercall,
    mailbox::done,
    memory::Caller,
    partition_info::Query,
};
use crate::{
    context::{Registers, RequestKind, Slot},
    state::Model,
};
use ffa_abi::{
    Call, DecodeError, EndpointId, FfaError, Regs, Reply, Uuid,
    call::console_characters,
    contract::{self, Layout},
    fid::WIDE_BIT,
    message::{self, MessageKind},
};

impl<'c, M: Registers> Spmc<'c, M> {
    /// [`handle_partition`](Self::handle_partition) without its short way.
    #[inline(never)]
    pub fn handle_partition_general(
        &self,
        pe: &mut Pe<'c, M>,
        slot: Slot,
        machine: &mut impl Machine,
    ) -> Outcome {
        let (Some(partition), Some(context)) =
            (self.partitions.get(slot.0 as usize), pe.context(slot))
        else {
            return Outcome::to(Next::NormalWorld);
        };
        if self.is_halted() {
            return self.abort(pe, slot, None, machine);
        }
        let id = partition.info.id;
        let version = partition.version.get();
        let mode = partition.info.mode;
        let up = partition.info.is_up();
        let asker = Asker::Partition {
            version,
            mode,
            up,
            el0: partition.info.el0,
            notifications: partition.info.notifications,
        };
        let regs = Regs::of(context.machine.x());

        let call = match Call::decode(version, &regs) {
            Ok(call) => call,
            Err(DecodeError::NotFfa(fid)) if is_hypercall(fid) => {
                let reply = self.hypercall(pe, slot, fid, &regs, machine);
                return self.answer_partition(pe, slot, reply);
            }
            Err(DecodeError::NotFfa(fid)) => {
                let reply = Self::not_ffa(&partition.info, fid, &regs, machine);
                return self.answer_partition(pe, slot, reply);
            }
            Err(DecodeError::Unknown) => {
                partition.version.lock();
                return self.answer_partition(pe, slot, Reply::error(FfaError::NotSupported));
            }
            Err(DecodeError::Invalid(fid)) => {
                partition.version.lock();
                let error = malformed(fid, asker);
                return self.answer_partition(pe, slot, Reply::error(error));
            }
        };
        // A line on the console says nothing about versions: it is legal before FFA_VERSION.
        if !matches!(call, Call::Version(_) | Call::ConsoleLog { .. }) {
            partition.version.lock();
        }
        let narrow_or_allowed = |wide: bool| {
            if !wide || wide_cycles(asker) {
                Ok(())
            } else {
                Err(FfaError::NotSupported)
            }
        };
        let sender = Sender::Partition(slot);
        let query = |uuid| Query {
            uuid,
            version,
            partition: Some(slot),
        };
        let result = match call {
            Call::DirectReq {
                wide,
                ids,
                kind: MessageKind::Partition,
            } => self.direct_request(pe, sender, ids, RequestKind::Direct { wide }, Uuid::NIL),
            Call::DirectReq2 { ids, uuid } => {
                self.direct_request(pe, sender, ids, RequestKind::Direct2, uuid)
            }
            // Partitions send no framework messages.
            Call::DirectReq { .. } => Err(FfaError::InvalidParameters),
            Call::DirectResp {
                wide,
                ids,
                kind: MessageKind::Partition,
            } => self.direct_response(pe, slot, ids, RequestKind::Direct { wide }),
            Call::DirectResp2 { ids } => self.direct_response(pe, slot, ids, RequestKind::Direct2),
            Call::DirectResp {
                wide,
                ids,
                kind: MessageKind::Framework(number),
            } if !wide && u32::from(number) == message::POWER_RESPONSE => {
                self.power_response(pe, slot, ids, machine)
            }
            Call::DirectResp {
                wide,
                ids,
                kind: MessageKind::Framework(number),
            } => self.framework_response(pe, slot, ids, wide, number),
            Call::MsgWait { wide, retain_rx } => {
                narrow_or_allowed(wide).and_then(|()| self.msg_wait(pe, slot, wide, retain_rx))
            }
            Call::Run { wide, target } => {
                narrow_or_allowed(wide).and_then(|()| self.run(pe, sender, target, wide))
            }
            Call::Yield { wide, timeout } => {
                narrow_or_allowed(wide).and_then(|()| self.yield_cycles(pe, slot, timeout, wide))
            }
            Call::ConsoleLog { wide, count } => {
                console_characters(&regs, wide, count, |c| machine.console(id, c));
                return self.answer_partition(pe, slot, Reply::success(0));
            }
            Call::Version(requested) => {
                let reply = partition.negotiate(requested, &mut pe.held);
                return self.answer_partition(pe, slot, reply);
            }
            Call::Features { query, input } => {
                let reply = Self::features(asker, query, input);
                partition.note_ns_bit(query, input, &reply);
                return self.answer_partition(pe, slot, reply);
            }
            Call::IdGet => return self.answer_partition(pe, slot, Reply::success(id.0.into())),
            Call::SpmIdGet => {
                return self.answer_partition(pe, slot, Reply::success(EndpointId::SPMC.0.into()));
            }
            Call::RxtxMap { tx, rx, pages, .. } => {
                let mapped =
                    self.rxtx_map_by_partition(slot, (tx, rx, pages), machine, &mut pe.held);
                return self.answer_partition(pe, slot, done(mapped));
            }
            Call::RxtxUnmap { vm } => {
                let unmapped = self.rxtx_unmap_by_partition(pe, slot, vm, machine);
                return self.answer_partition(pe, slot, done(unmapped));
            }
            Call::RxRelease { vm } => {
                let released = self.rx_release_by_partition(slot, vm, &mut pe.held);
                return self.answer_partition(pe, slot, done(released));
            }
            Call::MsgSend2 { vm, flags } => {
                let sent = self.msg_send2(pe, sender, vm, flags, machine);
                let same = self.answer_partition(pe, slot, done(sent));
                // The scheduler may have to hear of it when the normal world has this core.
                return self.finish(pe, same, machine);
            }
            Call::PartitionInfoGet { uuid, count_only } => {
                let told = self.partition_info(query(uuid), count_only, machine, &mut pe.held);
                return self.answer_partition(pe, slot, told.unwrap_or_else(Reply::error));
            }
            Call::PartitionInfoGetRegs { uuid, start, tag } => {
                match self.partition_info_regs(query(uuid), start, tag, machine) {
                    Ok(regs) => {
                        if let Some(context) = pe.context(slot) {
                            contract::write(Layout::Eighteen, &regs, context.machine.x());
                        }
                        return Outcome::to(Next::Partition(slot));
                    }
                    Err(error) => Err(error),
                }
            }
            // A partition that says it can't initialise (up to FF-A 1.2).
            Call::Error {
                code: Some(FfaError::Aborted),
            } if narrow_or_allowed(regs.w::<0>() & WIDE_BIT != 0).is_ok()
                && pe.context(slot).is_some_and(|context| {
                    matches!(context.model, Model::Init | Model::Restart)
                }) =>
            {
                return self.abort(pe, slot, None, machine);
            }
            Call::SecondaryEpRegister { entry, .. } => self.register_entry(pe, slot, entry),
            Call::Abort { reason, .. } => return self.abort(pe, slot, Some(reason), machine),
            call => {
                let caller = Caller {
                    owner: Owner::Partition(slot),
                    version,
                    id: Some(id),
                };
                if let Some(done) = self.memory_call(pe, caller, call, machine) {
                    let reply = done.unwrap_or_else(Reply::error);
                    return self.answer_partition(pe, slot, reply);
                }
                match self.notification_call(pe, sender, call, machine) {
                    Some(done) => {
                        let reply = done.unwrap_or_else(Reply::error);
                        let same = self.answer_partition(pe, slot, reply);
                        // The scheduler may have to hear of it when the normal world has this core.
                        return self.finish(pe, same, machine);
                    }
                    None => Err(FfaError::NotSupported),
                }
            }
        };
        match result {
            Ok(outcome) => {
                let outcome = self.off_core(pe, slot, outcome, machine);
                self.finish(pe, outcome, machine)
            }
            Err(error) => self.answer_partition(pe, slot, Reply::error(error)),
        }
    }

    /// Completes the partition's own call at once: it goes on.
    #[inline(never)]
    pub(super) fn answer_partition(&self, pe: &mut Pe<'c, M>, slot: Slot, reply: Reply) -> Outcome {
        if let Some(context) = pe.context(slot) {
            reply.write(context.machine.x());
        }
        Outcome::to(Next::Partition(slot))
    }
}
