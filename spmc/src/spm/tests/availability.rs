//! VM availability messages: who is told, each error, and the one answer that ends a message.

use super::fixture::*;
use crate::{
    context::{AbortAction, RequestKind, Slot},
    spm::Next,
    state::Model,
};
use ffa_abi::{
    EndpointId,
    FfaError::{Aborted, Busy, Denied, InvalidParameters},
    Function, Regs, Version,
    availability::{
        VmEvent::{self, Created, Destroyed},
        VmEvents,
    },
    fid::raw::{self, *},
    message::FRAMEWORK_BIT,
    partition_info::{InfoRegs, PartitionInfo},
};

impl Fixture {
    /// The hypervisor tells `slot` of a VM, which is delivered.
    #[track_caller]
    fn nwd_tells(&mut self, event: VmEvent, slot: Slot) {
        let call = tells(event, id(slot));
        assert_eq!(self.nwd(call), Next::Partition(slot));
        self.sp_got_message(slot, &call);
        let view = self.view(slot);
        assert_eq!(view.model, Model::DirectRequest);
        let request = view.request.unwrap();
        assert_eq!(request.sender, EndpointId::HYPERVISOR);
        assert_eq!(request.kind, RequestKind::VmAvailability(event));
    }

    /// The partition that has the core answers, and the hypervisor is told the status.
    #[track_caller]
    fn acknowledged(&mut self, event: VmEvent, status: u32) {
        let from = self.running();
        let call = acknowledges(event, from, status);
        assert_eq!(self.sp(call), Next::NormalWorld);
        self.nwd_got(&[
            DIRECT_RESP_32.into(),
            ids(id(from), EndpointId::HYPERVISOR),
            (FRAMEWORK_BIT | event.response()).into(),
            status.into(),
        ]);
        self.waits(from, &call);
    }
}

/// `call` with another value in a register.
fn with(mut call: Frame, register: usize, value: u64) -> Frame {
    call[register] = value;
    call
}

fn framework_word(number: u32) -> u64 {
    (FRAMEWORK_BIT | number).into()
}

#[test]
fn who_subscribed_is_told_and_its_status_comes_back() {
    let mut f = Fixture::new();
    for (slot, event) in [(A, Created), (A, Destroyed), (B, Created), (C, Destroyed)] {
        for status in [0, 0xffff_fffe, 0xffff_fff9] {
            f.nwd_tells(event, slot);
            f.acknowledged(event, status);
        }
        // What that left changes no message of another kind.
        f.nwd_requests(slot, DIRECT_REQ2);
        f.responds_to_nwd(DIRECT_RESP2);
    }
}

#[test]
fn a_partition_is_told_exactly_what_the_message_has() {
    let mut f = Fixture::new();
    let call = tells(Created, id(A));
    f.nwd(call);
    let got = f.view(A).gp.x;
    assert_eq!(
        got[..8],
        [
            DIRECT_REQ_32.into(),
            0x8001,
            0x8000_0004,
            call[3] & 0xffff_ffff,
            call[4] & 0xffff_ffff,
            VM.0.into(),
            0,
            0
        ]
    );
    assert_ne!(got[3], call[3], "the upper half is not shown");
}

#[test]
fn the_context_of_the_callers_core_is_told() {
    let mut f = Fixture::new();
    f.nwd_tells(Created, B);
    f.pe = 1;
    f.nwd_tells(Created, B);
    f.acknowledged(Created, 0);
    // A single context is told wherever the hypervisor is.
    f.nwd_tells(Created, A);
    f.acknowledged(Created, 0);
    f.pe = 0;
    f.acknowledged(Created, 0);
}

#[test]
fn who_did_not_subscribe_to_this_is_not_told() {
    let mut f = Fixture::new();
    for (slot, event) in [
        (B, Destroyed),
        (C, Created),
        (OLD, Created),
        (OLD, Destroyed),
    ] {
        f.refused(tells(event, id(slot)), InvalidParameters);
    }
}

#[test]
fn who_receives_no_direct_requests_is_not_told() {
    let mut f = Fixture::new();
    for event in [Created, Destroyed] {
        f.refused(tells(event, id(MUTE)), Denied);
    }
}

#[test]
fn only_the_hypervisor_tells_and_only_partitions() {
    let mut f = Fixture::new();
    for (sender, receiver) in [
        (VM, id(A)),
        (EndpointId(0x7fff), id(A)),
        (EndpointId::SPMD, id(A)),
        (EndpointId::SPMC, id(A)),
        (EndpointId(0xffc0), id(A)),
        (id(B), id(A)),
        (id(A), id(A)),
        (EndpointId::HYPERVISOR, EndpointId::HYPERVISOR),
        (EndpointId::HYPERVISOR, VM),
        (EndpointId::HYPERVISOR, EndpointId::SPMC),
        (EndpointId::HYPERVISOR, EndpointId::SPMD),
        (EndpointId::HYPERVISOR, EndpointId(0x8006)),
        (EndpointId::HYPERVISOR, EndpointId(0xffc0)),
        (EndpointId::SPMD, EndpointId::SPMC),
    ] {
        for event in [Created, Destroyed] {
            let call = with(tells(event, id(A)), 1, ids(sender, receiver));
            f.refused(call, InvalidParameters);
        }
    }
}

#[test]
fn a_partition_tells_nobody() {
    let mut f = Fixture::new();
    f.nwd_runs(A);
    for sender in [id(A), EndpointId::HYPERVISOR, VM, EndpointId::SPMC] {
        for event in [Created, Destroyed] {
            let call = tells(event, id(B));
            f.refused(with(call, 1, ids(sender, id(B))), InvalidParameters);
        }
    }
}

#[test]
fn no_other_framework_message_is_for_a_partition() {
    let mut f = Fixture::new();
    for number in (0..=0xff).filter(|n| ![4, 6].contains(n)) {
        let call = with(tells(Created, id(A)), 2, framework_word(number));
        f.refused(call, InvalidParameters);
    }
    for event in [Created, Destroyed] {
        let call = tells(event, id(A));
        // The 64-bit form, and reserved bits of w2.
        f.refused(with(call, 0, DIRECT_REQ_64.into()), InvalidParameters);
        for bit in 8..31 {
            f.refused(with(call, 2, call[2] | 1 << bit), InvalidParameters);
        }
        f.refused(with(call, 2, event.request().into()), InvalidParameters);
    }
}

#[test]
fn what_is_no_id_of_a_vm_is_told_nobody() {
    let mut f = Fixture::new();
    for vm in [0, 0x7fff, 0x8000, 0x8002, 0xffff] {
        f.refused(with(tells(Created, id(A)), 5, vm), InvalidParameters);
    }
    // The bits beside it are not read.
    f.nwd(with(tells(Created, id(A)), 5, 0xffff_0000 | 0x7ffe));
    assert_eq!(f.view(A).gp.x[5], 0x7ffe);
}

#[test]
fn version_1_0_has_no_such_messages() {
    let specs = [Spec::up(Version::V1_1).told(VmEvents::all())];
    for version in [Version::V1_0, Version::V1_1, Version::V1_3] {
        let mut f = Fixture::with(1, &specs);
        f.boot();
        f.nwd(frame(&[raw::VERSION.into(), version.raw().into()]));
        f.nwd_got(&[Version::OWN.raw().into()]);
        if version == Version::V1_0 {
            f.refused(tells(Created, id(A)), InvalidParameters);
        } else {
            f.nwd_tells(Created, A);
            f.acknowledged(Created, 0);
        }
    }
    // A partition whose manifest says 1.1, and which then settles for 1.0.
    let mut f = Fixture::with(1, &specs);
    f.start(A);
    let old = frame(&[raw::VERSION.into(), Version::V1_0.raw().into()]);
    f.answered_version(old);
    assert_eq!(f.sp(msg_wait()), Next::Booted);
    f.now[0] = Next::NormalWorld;
    f.nwd(frame(&[raw::VERSION.into(), Version::V1_2.raw().into()]));
    f.refused(tells(Created, id(A)), InvalidParameters);
    f.nwd_requests(A, DIRECT_REQ_32);
}

impl Fixture {
    /// The partition that has the core names its version, which is served.
    #[track_caller]
    fn answered_version(&mut self, call: Frame) {
        let slot = self.running();
        assert_eq!(self.sp(call), Next::Partition(slot));
        self.sp_got(slot, &[Version::OWN.raw().into()]);
    }
}

#[test]
fn a_message_fixes_the_normal_worlds_version() {
    for call in [
        tells(Created, id(A)),
        with(tells(Created, id(A)), 1, ids(VM, id(A))),
    ] {
        let mut f = Fixture::new();
        if f.nwd(call) == Next::Partition(A) {
            f.acknowledged(Created, 0);
        }
        let other = frame(&[raw::VERSION.into(), Version::V1_1.raw().into()]);
        f.answered(other, &[0xffff_ffff]);
    }
}

#[test]
fn who_does_not_wait_is_busy_or_aborted() {
    let mut f = Fixture::new();
    // It is preempted, serving a message between partitions, then one of these.
    for request in [message(DIRECT_REQ_32, VM, id(A)), tells(Created, id(A))] {
        f.nwd(request);
        f.preempt();
        f.refused(tells(Destroyed, id(A)), Busy);
        f.refused(message(DIRECT_REQ2, VM, id(A)), Busy);
        f.nwd(run(A, 0));
        match request[2] {
            0 => f.responds_to_nwd(DIRECT_RESP_32),
            _ => f.acknowledged(Created, 0),
        }
    }
    // Another core has it.
    f.nwd_requests(A, DIRECT_REQ_32);
    f.pe = 1;
    f.refused(tells(Created, id(A)), Busy);
    f.pe = 0;
    // It dies of it, and is dead for the next.
    f.responds_to_nwd(DIRECT_RESP_32);
    f.nwd_tells(Created, A);
    assert_eq!(f.abort(), Next::NormalWorld);
    f.nwd_got(&[ERROR.into(), 0, Aborted.register()]);
    f.refused(tells(Destroyed, id(A)), Aborted);
}

#[test]
fn one_that_is_destroyed_or_restarted_is_as_for_any_request() {
    let told = Spec::up(Version::V1_2).told(VmEvents::all());
    let mut f = Fixture::booted(&[
        told.on_abort(AbortAction::Destroy),
        told.on_abort(AbortAction::Restart),
        told.on_abort(AbortAction::Propagate),
    ]);
    f.nwd_tells(Created, A);
    assert_eq!(f.abort(), Next::NormalWorld);
    f.refused(tells(Created, id(A)), InvalidParameters);
    f.nwd_tells(Created, B);
    assert_eq!(f.abort(), Next::Partition(B));
    assert_eq!(f.sp(msg_wait()), Next::NormalWorld);
    f.nwd_got(&[ERROR.into(), 0, Aborted.register()]);
    f.nwd_tells(Created, B);
    f.acknowledged(Created, 0);
    f.nwd_tells(Created, C);
    assert_eq!(f.abort(), Next::NormalWorld);
    for slot in [A, B, C] {
        f.refused(tells(Created, id(slot)), Aborted);
    }
}

#[test]
fn an_answer_of_another_kind_is_denied_and_still_owed() {
    let mut f = Fixture::new();
    for (event, other) in [(Created, Destroyed), (Destroyed, Created)] {
        f.nwd_tells(event, A);
        let right = acknowledges(event, A, 0);
        // Answers between partitions.
        f.refused(with(right, 2, 0), Denied);
        for response in [DIRECT_RESP_64, DIRECT_RESP2] {
            let call = message(response, id(A), EndpointId::HYPERVISOR);
            f.refused(call, Denied);
        }
        // Another of the framework's, a request's number, none at all, the 64-bit form.
        f.refused(acknowledges(other, A, 0), Denied);
        for number in [0, 2, 4, 6, 9, 11, 13, 0xff] {
            f.refused(with(right, 2, framework_word(number)), Denied);
        }
        f.refused(with(right, 0, DIRECT_RESP_64.into()), Denied);
        // Reserved bits of w2.
        f.refused(with(right, 2, right[2] | 1 << 8), InvalidParameters);
        f.refused(with(right, 2, event.response().into()), InvalidParameters);
        // To another, and from another.
        f.refused(with(right, 1, ids(id(A), VM)), Denied);
        f.refused(with(right, 1, ids(id(A), id(B))), Denied);
        f.refused(
            with(right, 1, ids(id(B), EndpointId::HYPERVISOR)),
            InvalidParameters,
        );
        f.refused(msg_wait(), Denied);
        f.acknowledged(event, 0);
    }
}

#[test]
fn these_answers_to_a_message_between_partitions_are_denied_and_it_is_still_owed() {
    let mut f = Fixture::new();
    for (request, response) in [
        (DIRECT_REQ_32, DIRECT_RESP_32),
        (DIRECT_REQ_64, DIRECT_RESP_64),
        (DIRECT_REQ2, DIRECT_RESP2),
    ] {
        // Of the hypervisor, so that ids are right.
        f.nwd(message(request, EndpointId::HYPERVISOR, id(A)));
        for event in [Created, Destroyed] {
            f.refused(acknowledges(event, A, 0), Denied);
        }
        let response = message(response, id(A), EndpointId::HYPERVISOR);
        assert_eq!(f.sp(response), Next::NormalWorld);
        f.waits(A, &response);
    }
    // And one to nothing at all, also by a partition that asked another.
    f.nwd_runs(A);
    f.refused(acknowledges(Created, A, 0), Denied);
    f.sp_requests(B, DIRECT_REQ_32);
    let call = with(acknowledges(Created, B, 0), 1, ids(id(B), id(A)));
    f.refused(call, Denied);
    f.responds_to(A, DIRECT_RESP_32);
}

#[test]
fn a_message_is_interrupted_yielded_and_run_again_like_any_request() {
    let mut f = Fixture::new();
    f.nwd_tells(Destroyed, A);
    assert_eq!(f.preempt(), Next::NormalWorld);
    f.nwd_got(&[INTERRUPT.into(), target(A, 0)]);
    assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
    assert_eq!(f.sp(yields(5)), Next::NormalWorld);
    f.nwd_got(&[raw::YIELD.into(), target(A, 0), 5]);
    // On another core.
    f.pe = 1;
    assert_eq!(f.nwd(run(A, 0)), Next::Partition(A));
    // It asks another partition meanwhile.
    f.sp_requests(B, DIRECT_REQ2);
    f.responds_to(A, DIRECT_RESP2);
    f.acknowledged(Destroyed, 0);
}

#[test]
fn strict_mode_is_told_in_any_wait() {
    let mut f = Fixture::booted(&[Spec::up(Version::V1_2).strict().told(VmEvents::all())]);
    f.nwd_tells(Created, A);
    f.acknowledged(Created, 0);
    f.nwd_requests(A, DIRECT_REQ_32);
    f.responds_to_nwd(DIRECT_RESP_32);
    f.nwd_tells(Destroyed, A);
    f.acknowledged(Destroyed, 0);
}

/// The properties of each partition, as the normal world is told of them in registers or, below 1.2,
/// in memory.
fn told_of(f: &mut Fixture) -> Vec<VmEvents> {
    let size = match f.version() {
        Version::V1_0 => 8,
        Version::V1_3 => 48,
        _ => 24,
    };
    let buffers = NORMAL_MEMORY.start;
    let map = Function::RxtxMap.raw64().into();
    f.answered(
        frame(&[map, buffers + 0x1000, buffers, 1]),
        &[SUCCESS_32.into()],
    );
    f.nwd(frame(&[Function::PartitionInfoGet.raw32().into()]));
    let count = f.result()[2] as usize;
    let bytes = f.machine.peek(buffers, count * size);
    let mut list: Vec<_> = bytes
        .chunks(size)
        .map(|bytes| PartitionInfo::read(size, bytes).unwrap())
        .collect();
    list.dedup_by_key(|info| info.id);
    list.iter()
        .map(|info| VmEvents::of(info.properties))
        .collect()
}

#[test]
fn the_normal_world_is_told_from_1_1_who_subscribed() {
    for version in [Version::V1_0, Version::V1_1, Version::V1_2, Version::V1_3] {
        let mut f = Fixture::with(2, &USUAL);
        f.boot();
        f.nwd(frame(&[raw::VERSION.into(), version.raw().into()]));
        let wanted = match version {
            Version::V1_0 => [VmEvents::empty(); 5],
            // Who receives no direct requests can't be told.
            _ => [
                VmEvents::all(),
                VmEvents::CREATED,
                VmEvents::DESTROYED,
                VmEvents::empty(),
                VmEvents::empty(),
            ],
        };
        assert_eq!(told_of(&mut f), wanted, "{version}");
    }
}

#[test]
fn partitions_are_not_told_who_subscribed() {
    let mut f = Fixture::new();
    f.nwd_runs(A);
    f.sp(frame(&[PARTITION_INFO_GET_REGS.into()]));
    let mut regs = Regs::ZERO;
    regs.0.copy_from_slice(&f.view(A).gp.x[..18]);
    let info = InfoRegs::decode(&regs).unwrap();
    assert!(info.descriptors(0).count() > 1);
    for descriptor in info.descriptors(0) {
        assert_eq!(VmEvents::of(descriptor.properties), VmEvents::empty());
    }
}

#[test]
fn one_that_settles_for_1_0_is_shown_as_told_of_nothing() {
    let mut f = Fixture::with(1, &[Spec::up(Version::V1_1).told(VmEvents::all())]);
    f.start(A);
    f.answered_version(frame(&[raw::VERSION.into(), Version::V1_0.raw().into()]));
    assert_eq!(f.sp(msg_wait()), Next::Booted);
    f.now[0] = Next::NormalWorld;
    f.nwd(frame(&[raw::VERSION.into(), Version::V1_2.raw().into()]));
    assert_eq!(told_of(&mut f), [VmEvents::empty()]);
}
