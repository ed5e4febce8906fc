//! What a client may ask of a partition: see [`protocol`](crate::protocol) for each command's
//! arguments and answer.

use super::{Counters, Partition, respond};
use crate::abi::{self, Regs, ids};
use crate::expect::{self, Expect, Want};
use crate::protocol::*;
use crate::rt::{
    call::{self, Conduit},
    fault::{self, Fault},
    forbidden,
    fp::{self, Vectors},
    id, regs, sysregs,
};
use crate::sp_cases::{CASES, Who};

/// x4-x17 of an answer.
pub(super) type Payload = [u64; 14];

/// A payload of a status and details; the rest is zero.
pub(super) fn payload(status: u64, details: &[u64]) -> Payload {
    let mut all = [0; 14];
    all[0] = status;
    for (slot, value) in all.iter_mut().skip(1).zip(details) {
        *slot = *value;
    }
    all
}

fn faulted(result: Result<u64, Fault>) -> Payload {
    match result {
        Ok(value) => payload(OK, &[0, value, 0]),
        Err(fault) => payload(OK, &[1, fault.esr, fault.far]),
    }
}

impl Partition {
    /// Runs `command` from `request` and builds the response.
    pub(super) fn command(&mut self, command: u16, request: &Regs) -> Regs {
        let answer = match command {
            WHO => self.who(),
            SET_CHECKED => {
                self.checked = request[5] != 0;
                self.counters = Counters::default();
                payload(OK, &[])
            }
            GET_ERRORS => self.errors(),
            USE_FP => self.use_fp(request[5]),
            FP_EACH => {
                self.fp_each = request[5];
                let [uses, differences] = core::mem::take(&mut self.fp_uses);
                payload(OK, &[uses, differences])
            }
            FP_BUSY => self.fp_busy(request[5], request[6]),
            TRY => try_all(request[5], request[6] != 0),
            TAINT => self.taint(request[5]),
            ID_REGISTER => faulted(id::read(request[5])),
            CALL => self.call(request),
            PROBE => probe(request[5], request[6]),
            CASE => self.case(request),
            MISBEHAVE => self.misbehave(request),
            YIELD => self.give_way(request[5]),
            INFO_REGS => info_regs([request[5], request[6]]),
            READ_ID => payload(OK, &[read_id(request[5])]),
            SELECT_CACHE => {
                let before = regs::csselr();
                regs::select_cache(request[5]);
                payload(OK, &[before, regs::csselr(), regs::clidr()])
            }
            BIND => self.bind(request[5], request[6]),
            READ_NOTIFICATIONS => self.read_notifications(),
            MEM_MAP..=MEM_TOUCH => self.memory(command, request),
            UNDEFINED => faulted(fault::probe_undefined().map(|()| 0)),
            _ => payload(UNKNOWN, &[]),
        };
        let mut regs = respond(abi::DIRECT_RESP2, request);
        regs[4..].copy_from_slice(&answer);
        regs
    }

    fn bind(&self, sender: u64, bitmap: u64) -> Payload {
        let mut regs = [0; 18];
        regs[0] = abi::NOTIFICATION_BIND.into();
        regs[1] = sender << 16 | u64::from(self.start.id);
        regs[3] = bitmap & 0xffff_ffff;
        regs[4] = bitmap >> 32;
        call::call(Conduit::Smc, &mut regs);
        payload(OK, &[regs[0], regs[2]])
    }

    fn read_notifications(&self) -> Payload {
        let mut regs = [0; 18];
        regs[0] = abi::NOTIFICATION_GET.into();
        regs[1] = self.start.id.into();
        regs[2] = 0xf;
        call::call(Conduit::Smc, &mut regs);
        payload(OK, &[regs[0], regs[5] << 32 | regs[4]])
    }

    fn who(&self) -> Payload {
        let start = &self.start;
        payload(
            OK,
            &[
                regs::current_el(),
                start.id.into(),
                start.spm_id,
                start.version,
                start.boot_info as u64,
                start.context,
                regs::mpidr(),
                start.base,
            ],
        )
    }

    fn errors(&self) -> Payload {
        let counters = &self.counters;
        let first = counters.first.map_or([0; 3], |mismatch| {
            [mismatch.register.into(), mismatch.got, mismatch.want]
        });
        payload(
            OK,
            &[
                counters.waits,
                counters.errors,
                first[0],
                first[1],
                first[2],
                counters.runs,
                counters.unexpected,
            ],
        )
    }

    fn use_fp(&mut self, seed: u64) -> Payload {
        let found = Vectors::store();
        let differences = self.vectors.map_or(0, |left| left.differences(&found));
        let left = Vectors::pattern(seed);
        left.load();
        self.vectors = Some(left);
        payload(OK, &[differences])
    }

    /// What [`FP_EACH`] asks for, each time that the partition runs.
    #[inline]
    pub(super) fn use_fp_again(&mut self) {
        match self.fp_each {
            0 => {}
            1 => {
                fp::touch();
                // Not as it was left any more.
                self.vectors = None;
            }
            _ => {
                let differences = self.use_fp(call::fresh().next())[1];
                self.fp_uses[0] += 1;
                self.fp_uses[1] += differences;
            }
        }
    }

    /// Looks at its vector registers for a while.
    fn fp_busy(&mut self, seed: u64, ticks: u64) -> Payload {
        let pattern = Vectors::pattern(seed);
        pattern.load();
        let start = regs::cntvct();
        let mut differences = 0;
        while differences == 0 && regs::cntvct().wrapping_sub(start) < ticks {
            differences = pattern.differences(&Vectors::store());
        }
        self.vectors = Some(pattern);
        payload(OK, &[differences])
    }

    fn taint(&mut self, seed: u64) -> Payload {
        let different = self.tainted.as_ref().and_then(sysregs::Left::difference);
        self.tainted = Some(sysregs::leave_but(sysregs::CONTROLLER, seed));
        match different {
            Some((place, found, left)) => payload(OK, &[1, place as u64, found, left]),
            None => payload(OK, &[0]),
        }
    }

    fn call(&mut self, request: &Regs) -> Payload {
        let mut regs = [0; 18];
        regs[1] = ids(self.start.id, request[6] as u16);
        let (id, first, count) = match request[5] {
            KIND_REQ_32 => (abi::DIRECT_REQ_32, 3, 5),
            KIND_REQ_64 => (abi::DIRECT_REQ_64, 3, 5),
            _ => (abi::DIRECT_REQ2, 4, 11),
        };
        regs[0] = id.into();
        let arguments = request.iter().skip(7).take(count);
        for (slot, value) in regs.iter_mut().skip(first).zip(arguments) {
            *slot = *value;
        }
        self.exchange(&mut regs);
        let mut answer = payload(OK, &regs[..3]);
        for (slot, value) in answer.iter_mut().skip(4).zip(regs.iter().skip(first)) {
            *slot = *value;
        }
        answer
    }

    fn case(&self, request: &Regs) -> Payload {
        let Some(case) = CASES.get(request[5] as usize) else {
            return payload(UNKNOWN, &[]);
        };
        let conduit = match request[6] {
            0 => Conduit::Smc,
            _ => Conduit::Hvc,
        };
        let who = Who {
            me: self.start.id,
            peer: self.config.peer,
            requester: (request[1] >> 16) as u16,
            my_uuid: self.config.uuid,
            peer_uuid: self.config.peer_uuid,
        };
        let mut regs = [0; 18];
        call::fresh().fill(&mut regs);
        regs[0] = case.id.into();
        regs[1..8].copy_from_slice(&(case.arguments)(&who));
        let exchange = call::checked_call(conduit, &regs);
        match expect::check(&exchange, &(case.expect)(&who)) {
            Ok(()) => payload(OK, &[]),
            Err(wrong) => payload(FAILED, &[wrong.register.into(), wrong.got, wrong.want]),
        }
    }

    /// Ends its request in ways that are not allowed, again and again.
    fn misbehave(&self, request: &Regs) -> Payload {
        let me = self.start.id;
        let requester = (request[1] >> 16) as u16;
        let wrong: [(u32, u64); 5] = [
            (abi::MSG_WAIT, 0),
            (abi::RUN, u64::from(me) << 16),
            (abi::DIRECT_RESP2, ids(me, requester ^ 0x40)),
            (abi::DIRECT_RESP_32, ids(me, requester)),
            (abi::DIRECT_RESP_64, ids(me, self.config.peer)),
        ];
        let mut accepted = 0;
        let mut first = [0; 2];
        for _ in 0..request[5] {
            for (id, x1) in wrong {
                let mut regs = [0; 18];
                regs[0] = id.into();
                regs[1] = x1;
                call::call(Conduit::Smc, &mut regs);
                if regs[0] as u32 != abi::ERROR {
                    if accepted == 0 {
                        first = [regs[0], regs[2]];
                    }
                    accepted += 1;
                }
            }
        }
        payload(OK, &[accepted, first[0], first[1]])
    }

    /// Yields to the requester, which must run this partition again.
    fn give_way(&mut self, times: u64) -> Payload {
        let mut good = 0;
        let mut first = None;
        for _ in 0..times {
            let mut regs = [0; 18];
            call::fresh().fill(&mut regs[8..]);
            regs[0] = abi::YIELD.into();
            let exchange = call::checked_call(Conduit::Smc, &regs);
            self.use_fp_again();
            let success = Expect::Success {
                w2: Want::Is(0),
                w3: Want::Is(0),
            };
            match expect::check(&exchange, &success) {
                Ok(()) => good += 1,
                Err(wrong) => {
                    first.get_or_insert([wrong.register.into(), wrong.got, wrong.want]);
                }
            }
        }
        let [register, got, want] = first.unwrap_or_default();
        payload(OK, &[good, register, got, want])
    }
}

fn probe(address: u64, how: u64) -> Payload {
    faulted(match how {
        READ => fault::probe_read(address),
        // SAFETY: the client names addresses outside of this partition: nothing of it is there.
        WRITE => unsafe { fault::probe_write(address, 0) }.map(|()| 0),
        // SAFETY: as above; a fetch from there faults, or the case has failed anyway.
        _ => unsafe { fault::probe_execute(address) }.map(|()| 0),
    })
}

/// Reads ID_AA64PFR1_EL1, which traps to the SPMC, in a window of the instruction counter.
fn read_id(times: u64) -> u64 {
    let value;
    // SAFETY: reads a register without side effects; the hints do nothing to the CPU.
    unsafe {
        core::arch::asm!(
            "hint #0x60",
            "2:",
            "mrs {value}, id_aa64pfr1_el1",
            "subs {count}, {count}, #1",
            "b.hi 2b",
            "hint #0x61",
            value = out(reg) value,
            count = inout(reg) times => _,
            options(nomem, nostack)
        );
    }
    value
}

/// What partitions there are, by registers.
fn info_regs(service: [u64; 2]) -> Payload {
    let mut regs = [0; 18];
    regs[0] = abi::PARTITION_INFO_GET_REGS.into();
    regs[1..3].copy_from_slice(&service);
    call::call(Conduit::Smc, &mut regs);
    payload(OK, &regs[..12])
}

/// Tries what a partition does not have.
fn try_all(group: u64, write: bool) -> Payload {
    use forbidden::Group;
    let groups = [Group::Sve, Group::Sme, Group::Mte, Group::Pmu, Group::Debug];
    let Some(group) = groups.into_iter().find(|known| *known as u64 == group) else {
        return payload(UNKNOWN, &[]);
    };
    let tried = forbidden::try_all(group, write);
    payload(
        OK,
        &[tried.attempts, tried.wrong, tried.first.0, tried.first.1],
    )
}
