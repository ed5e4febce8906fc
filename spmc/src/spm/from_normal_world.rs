//! Calls that come from EL3: the normal world's, and the SPMD's own.

use super::{
    Machine, Next, Outcome, Owner, Pe, Spmc,
    direct::Sender,
    discovery::{Asker, has_plainly, malformed},
    mailbox::done,
    memory::Caller,
    partition_info::Query,
};
use crate::context::{Registers, RequestKind};
use ffa_abi::{
    Call, DecodeError, EndpointId, FfaError, Function, Regs, Reply, Uuid, Version,
    call::FeatureQuery,
    contract::{self, Layout},
    fid::{WIDE_BIT, raw},
    id::Endpoints,
    message::{self, MessageKind},
};

/// The version of an SPMD that has logical partitions.
const SPMD: Version = Version::V1_2;

impl<'c, M: Registers> Spmc<'c, M> {
    /// [`handle_normal_world`](Self::handle_normal_world) without its short way.
    #[inline(never)]
    pub fn handle_normal_world_general(
        &self,
        pe: &mut Pe<'c, M>,
        machine: &mut impl Machine,
    ) -> Outcome {
        let mut version = self.normal_world.get();
        let asker = Asker::NormalWorld { version };
        let call = match Call::decode(version, &pe.nwd) {
            Ok(call) => call,
            Err(DecodeError::Invalid(fid)) => {
                self.normal_world.lock();
                let error = malformed(fid, asker);
                return answer(pe, Reply::error(error));
            }
            // EL3 forwards calls of FF-A only. Its bare -1 is the bounce of our own completion.
            Err(DecodeError::Unknown | DecodeError::NotFfa(_)) => {
                return answer(pe, Reply::error(FfaError::NotSupported));
            }
        };
        match call {
            // A secure interrupt took the normal world away: no frame of it came with this, and
            // it neither counts as its first call nor may anything be written.
            Call::Interrupt if pe.nwd.w::<0>() & WIDE_BIT == 0 => {
                return Outcome::to(Next::NormalWorldResume);
            }
            Call::DirectReq {
                wide: false,
                ids,
                kind: MessageKind::Framework(id),
            } if ids.sender == EndpointId::SPMD && ids.receiver == EndpointId::SPMC => {
                return self.framework(pe, ids, id, machine);
            }
            Call::Version(_) => {}
            // EL3 itself asks for a logical partition of its own, before the normal world runs: that
            // is of the SPMD's version, and no first call of the normal world's.
            Call::PartitionInfoGetRegs { .. } if self.normal_world.is_unasked() => {
                version = SPMD;
            }
            _ => self.normal_world.lock(),
        }
        if self.is_halted() {
            return answer(pe, Reply::error(FfaError::Aborted));
        }
        let query = |uuid| Query {
            uuid,
            version,
            partition: None,
        };
        let result = match call {
            Call::Run {
                wide: false,
                target,
            } => self.run(pe, Sender::NormalWorld, target, false),
            Call::Features { .. } => return self.normal_world_features(pe),
            Call::IdGet => return answer(pe, Reply::success(EndpointId::HYPERVISOR.0.into())),
            Call::SpmIdGet => return answer(pe, Reply::success(EndpointId::SPMC.0.into())),
            // The SPMD relays versions as framework messages; one that forwards the call itself
            // gets the same answer.
            Call::Version(requested) => {
                return answer(pe, self.normal_world.negotiate(requested, Version::OWN));
            }
            Call::DirectReq {
                wide,
                ids,
                kind: MessageKind::Partition,
            } => self.direct_request(
                pe,
                Sender::NormalWorld,
                ids,
                RequestKind::Direct { wide },
                Uuid::NIL,
            ),
            Call::DirectReq2 { ids, uuid } => {
                self.direct_request(pe, Sender::NormalWorld, ids, RequestKind::Direct2, uuid)
            }
            Call::RxtxMap { tx, rx, pages, .. } => {
                let mapped = self.rxtx_map_by_normal_world(tx, rx, pages, machine, &mut pe.held);
                return answer(pe, done(mapped));
            }
            Call::RxtxUnmap { vm } => {
                let unmapped = self.rxtx_unmap_by_normal_world(vm, machine, &mut pe.held);
                return answer(pe, done(unmapped));
            }
            Call::RxRelease { vm } => {
                let released = self.rx_release_by_normal_world(vm, &mut pe.held);
                return answer(pe, done(released));
            }
            Call::NotificationInfoGet { wide } => self.notification_info(pe, wide),
            Call::RxAcquire { vm } => {
                let acquired = self.rx_acquire(vm, &mut pe.held);
                return answer(pe, done(acquired));
            }
            Call::MsgSend2 { vm, flags } => {
                let sent = self.msg_send2(pe, Sender::NormalWorld, vm, flags, machine);
                return answer(pe, done(sent));
            }
            Call::PartitionInfoGet { uuid, count_only } => {
                let told = self.partition_info(query(uuid), count_only, machine, &mut pe.held);
                return answer(pe, told.unwrap_or_else(Reply::error));
            }
            Call::PartitionInfoGetRegs { uuid, start, tag } => {
                match self.partition_info_regs(query(uuid), start, tag, machine) {
                    Ok(regs) => {
                        contract::write(Layout::Eighteen, &regs, &mut pe.nwd.0);
                        return Outcome::to(Next::NormalWorld);
                    }
                    Err(error) => Err(error),
                }
            }
            Call::DirectReq {
                wide: false,
                ids,
                kind: MessageKind::Framework(number),
            } => self.availability_request(pe, ids, number),
            // No framework message to a partition has a 64-bit form.
            Call::DirectReq { .. } => Err(FfaError::InvalidParameters),
            call => {
                let caller = Caller {
                    owner: Owner::NormalWorld,
                    version,
                    id: None,
                };
                let done = self.memory_call(pe, caller, call, machine);
                let done =
                    done.or_else(|| self.notification_call(pe, Sender::NormalWorld, call, machine));
                match done {
                    Some(done) => return answer(pe, done.unwrap_or_else(Reply::error)),
                    // Everything else is not the normal world's to call, is not built yet, or is our
                    // own completion bounced back by EL3.
                    None => Err(FfaError::NotSupported),
                }
            }
        };
        match result {
            Ok(outcome) => outcome,
            Err(error) => answer(pe, Reply::error(error)),
        }
    }

    /// `FFA_FEATURES` by the normal world.
    #[inline(never)]
    pub(super) fn normal_world_features(&self, pe: &mut Pe<'c, M>) -> Outcome {
        self.normal_world.lock();
        if self.is_halted() {
            return answer(pe, Reply::error(FfaError::Aborted));
        }
        let version = self.normal_world.get();
        if has_plainly(pe.nwd.w::<1>(), version) {
            return answer(pe, Reply::success(0));
        }
        Self::other_features(pe, version)
    }

    /// What needs more than a look at a table.
    #[inline(never)]
    fn other_features(pe: &mut Pe<'c, M>, version: Version) -> Outcome {
        let query = FeatureQuery::from_w1(pe.nwd.w::<1>());
        let reply = Self::features(Asker::NormalWorld { version }, query, pe.nwd.w::<2>());
        answer(pe, reply)
    }

    /// A framework message of the SPMD to the SPMC.
    fn framework(
        &self,
        pe: &mut Pe<'c, M>,
        ids: Endpoints,
        id: u8,
        machine: &mut impl Machine,
    ) -> Outcome {
        let (id, status) = match u32::from(id) {
            message::VERSION_REQUEST => {
                let requested = Version::from_raw(pe.nwd.w::<3>());
                let reply = self.normal_world.negotiate(requested, Version::OWN);
                (message::VERSION_RESPONSE, reply.values()[0] as u32)
            }
            message::PSCI_REQUEST => return self.power(pe, machine),
            message::WARM_BOOT => (message::POWER_RESPONSE, 0),
            _ => return answer(pe, Reply::error(FfaError::InvalidParameters)),
        };
        framework_answer(pe, ids.reversed(), id, status)
    }
}

/// Answers a framework message of the SPMD with a number and a status.
pub(super) fn framework_answer<M>(
    pe: &mut Pe<'_, M>,
    ids: Endpoints,
    number: u32,
    status: u32,
) -> Outcome {
    answer(
        pe,
        Reply::Ffa([
            raw::DIRECT_RESP_32.into(),
            ids.register(),
            (message::FRAMEWORK_BIT | number).into(),
            status.into(),
            0,
            0,
            0,
            0,
        ]),
    )
}

/// Completes the normal world's call with `reply`. x8-x17 stay as they came, which is right for
/// every reply of 32 bits ([`ffa_abi::contract::extended_to_el3`]).
fn answer<M>(pe: &mut Pe<'_, M>, reply: Reply) -> Outcome {
    reply.write(&mut pe.nwd.0);
    Outcome::to(Next::NormalWorld)
}

/// The registers with which the SPMC itself first tells the SPMD that it is ready.
pub fn ready() -> Regs {
    let mut regs = Regs::ZERO;
    regs[0] = Function::MsgWait.raw32().into();
    regs
}

/// The registers with which the SPMC gives the core back to the normal world that an interrupt took
/// it from.
pub fn resume() -> Regs {
    let mut regs = Regs::ZERO;
    regs[0] = raw::NORMAL_WORLD_RESUME.into();
    regs
}
