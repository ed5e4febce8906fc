//! The short way of messages against the general one: whatever is called, both leave the same.

use super::{super::fixture::Frame, fixture::*};
use crate::{
    proxy::{Next, Turn},
    tests::model,
    vcpu::{State, VcpuId, VcpuNote, VmIndex},
};
use ffa_abi::{FfaError, Regs, Uuid, Version, fid::raw::*, smccc::SVE_HINT};
use proptest::prelude::*;

const VMS: u16 = 5;

/// What happens next.
#[derive(Clone, Debug)]
enum Step {
    /// Who runs calls.
    Call(Frame),
    /// Who runs sends this kind of request to an endpoint, in its own name.
    Send(u32, u16, Uuid, Frame),
    /// Who runs answers whom it serves; or one of both ids is this.
    Answer(u32, Option<(bool, u16)>, Frame),
    /// A physical interrupt is for this level.
    Interrupt(usize),
    /// What EL3 answers next, if it is asked: this identifier, to whoever runs or the endpoint.
    El3(u32, Option<u16>, Frame),
}

/// The primary, two VMs that run anywhere, one with a vCPU on each of two cores, and one in strict mode. All wait.
fn world() -> Vms {
    let mut vms = Vms::of([
        primary(2),
        secondary(2),
        secondary(3),
        pinned(secondary(4), 2),
        strict(secondary(5)),
    ]);
    vms.version(0, Version::V1_2);
    for vm in 2..=VMS {
        vms.wait(0, vm, 0, Version::V1_2, MSG_WAIT_32);
    }
    vms
}

/// All that there is to see of a world.
#[derive(Debug, PartialEq)]
struct Seen {
    next: Next,
    chain: Vec<(VcpuId, VcpuNote, Frame)>,
    parked: Vec<(VcpuId, VcpuNote, Frame)>,
    asked: Vec<Regs>,
    left: Vec<VcpuId>,
    slices: Vec<bool>,
}

impl Seen {
    fn of(vms: &mut Vms, next: Next) -> Self {
        let Vms { proxy, cores, host } = vms;
        let pe = &mut cores[0];
        let chain = pe.chain();
        let chain = chain.iter().map(|id| {
            let vcpu = pe.get(*id).unwrap();
            (*id, vcpu.note(), vcpu.machine.0)
        });
        let ids = (0..VMS as u8).flat_map(|vm| {
            (0..2).map(move |vcpu| VcpuId {
                vm: VmIndex(vm),
                vcpu,
            })
        });
        let parked = ids.filter_map(|id| {
            let vcpu = proxy.unpark(id)?;
            let seen = (id, vcpu.note(), vcpu.machine.0);
            proxy.put_back(vcpu);
            Some(seen)
        });
        Self {
            next,
            chain: chain.collect(),
            parked: parked.collect(),
            asked: host.asked.clone(),
            left: host.left.clone(),
            slices: host.slices.clone(),
        }
    }
}

fn call(vms: &mut Vms, x: Frame, general: bool) -> Next {
    let Vms { proxy, cores, host } = vms;
    let pe = &mut cores[0];
    pe.running().unwrap().machine.0 = x;
    let mut next = match general {
        true => proxy.call_general(pe, host),
        false => proxy.call(pe, host),
    };
    while next == Next::El3 {
        host.asked.push(pe.el3);
        pe.el3 = host.answers.pop_front().unwrap_or_else(|| {
            let mut regs = Regs::ZERO;
            (regs[0], regs[2]) = (ERROR.into(), FfaError::Busy.register());
            regs
        });
        next = proxy.returned(pe, host);
    }
    next
}

fn step(vms: &mut Vms, step: &Step, general: bool) -> Next {
    let own = u16::from(vms.running(0).vm.0) + 1;
    match step {
        Step::Call(x) => call(vms, *x, general),
        Step::Send(fid, to, service, x) => {
            let mut x = *x;
            x[0] = u64::from(*fid) | x[0] & u64::from(SVE_HINT);
            x[1] = x[1] & !0xffff_ffff | ids(own, *to);
            (x[2], x[3]) = match fid {
                &DIRECT_REQ2 => service.registers(),
                _ => (0, x[3]),
            };
            call(vms, x, general)
        }
        Step::Answer(fid, to, x) => {
            let request = vms.cores[0].running().unwrap().request();
            let asked = request.map_or(1, |request| request.sender.0);
            let mut x = *x;
            x[0] = u64::from(*fid) | x[0] & u64::from(SVE_HINT);
            let (from, to) = match *to {
                None => (own, asked),
                Some((false, to)) => (own, to),
                Some((true, from)) => (from, asked),
            };
            x[1] = x[1] & !0xffff_ffff | ids(from, to);
            if *fid != DIRECT_RESP2 {
                x[2] = 0;
            }
            call(vms, x, general)
        }
        Step::Interrupt(level) => vms.interrupt(0, Turn::Level(*level)),
        Step::El3(fid, to, x) => {
            let mut regs = Regs(core::array::from_fn(|n| x[n]));
            regs[0] = (*fid).into();
            regs[1] = ids(SP.0, to.unwrap_or(own));
            vms.host.answers.clear();
            vms.host.answers.push_back(regs);
            Next::Vcpu
        }
    }
}

fn registers() -> impl Strategy<Value = Frame> {
    any::<u64>().prop_map(|seed| {
        core::array::from_fn(|n| {
            seed.rotate_left(n as u32)
                .wrapping_mul(0x9e37_79b9_7f4a_7c15 + 2 * n as u64)
        })
    })
}

fn endpoint() -> impl Strategy<Value = u16> {
    prop_oneof![6 => 1..=VMS + 1, 2 => Just(SP.0), 1 => any::<u16>()]
}

fn requests() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => Just(DIRECT_REQ2),
        1 => prop::sample::select(vec![DIRECT_REQ_64, DIRECT_REQ_32]),
    ]
}

fn responses() -> impl Strategy<Value = u32> {
    prop_oneof![
        4 => Just(DIRECT_RESP2),
        1 => prop::sample::select(vec![DIRECT_RESP_64, DIRECT_RESP_32]),
    ]
}

/// To one of few, so that the same is sent again and again.
fn send() -> impl Strategy<Value = Step> {
    let one = |to: u16| Just((to, service(to)));
    let to = prop_oneof![
        4 => one(2),
        2 => one(3),
        2 => one(4),
        1 => one(5),
        2 => (endpoint(), prop_oneof![Just(Uuid::NIL), (1..=VMS).prop_map(service)]),
    ];
    (requests(), to, registers())
        .prop_map(|(fid, (to, service), x)| Step::Send(fid, to, service, x))
}

fn any_call() -> impl Strategy<Value = Step> {
    let cycles = prop_oneof![
        2 => Just(vec![u64::from(MSG_WAIT_32)]),
        1 => Just(vec![u64::from(YIELD)]),
        4 => (prop_oneof![3 => Just(RUN), 1 => Just(RUN_64)], 1..=VMS, 0..2u8)
            .prop_map(|(fid, vm, index)| run(fid, vm, index).to_vec()),
        1 => any::<[u64; 2]>().prop_map(|[x1, x2]| vec![DIRECT_REQ2.into(), x1, x2]),
    ];
    (cycles, registers()).prop_map(|(args, mut x)| {
        x[..8].fill(0);
        x[..args.len()].copy_from_slice(&args);
        Step::Call(x)
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = prop_oneof![
        8 => send(),
        8 => (responses(), prop::option::weighted(0.1, (any::<bool>(), endpoint())), registers())
            .prop_map(|(fid, to, x)| Step::Answer(fid, to, x)),
        3 => any_call(),
        1 => (0..3usize).prop_map(Step::Interrupt),
        3 => (responses(), prop::option::weighted(0.1, endpoint()), registers())
            .prop_map(|(fid, to, x)| Step::El3(fid, to, x)),
    ];
    prop::collection::vec(one, 1..60)
}

proptest! {
    #![proptest_config(model::config(3_000))]

    #[test]
    fn both_ways_leave_the_same(steps in steps()) {
        let (mut short, mut general) = (world(), world());
        // The worlds' registers have marks of their own.
        for vm in 0..VMS as u8 {
            for vcpu in 0..2 {
                let id = VcpuId { vm: VmIndex(vm), vcpu };
                let (Some(one), Some(other)) = (short.proxy.unpark(id), general.proxy.unpark(id)) else {
                    continue;
                };
                other.machine.0 = one.machine.0;
                short.proxy.put_back(one);
                general.proxy.put_back(other);
            }
        }
        general.cores[0].running().unwrap().machine.0 = short.x(0);
        for one in steps {
            let next = [step(&mut short, &one, false), step(&mut general, &one, true)];
            let [short_next, general_next] = next;
            prop_assert_eq!(
                Seen::of(&mut short, short_next),
                Seen::of(&mut general, general_next),
                "{:x?}", one
            );
            if short_next != Next::Vcpu {
                break;
            }
        }
    }
}

/// The second of two messages that are alike goes the short way, or this file tests nothing.
#[test]
fn the_short_way_is_taken() {
    let mut vms = world();
    let request = message2(1, 2);
    for _ in 0..2 {
        vms.goes_on(0, &request);
        assert_eq!(vms.running(0), vcpu(2, 0));
        vms.goes_on(0, &message(DIRECT_RESP2, 2, 1));
    }
    let sender = vms.cores[0].running().unwrap();
    assert_eq!(sender.route.ids, ids(1, 2));
    assert_eq!(sender.route.to, vcpu(2, 0));
    assert_eq!(vms.state(2, 0), Some(State::Waiting));
}

/// How a VM in strict mode waits is looked at each time.
#[test]
fn a_strict_vm_that_waits_in_the_32_bit_form_is_not_given_more() {
    let mut vms = world();
    let request = message2(1, 5);
    vms.goes_on(0, &run(RUN, 5, 0));
    vms.goes_on(0, &[(MSG_WAIT | 1 << 30).into()]);
    for _ in 0..2 {
        vms.goes_on(0, &request);
        assert_eq!(vms.running(0), vcpu(5, 0));
        vms.goes_on(0, &message(DIRECT_RESP2, 5, 1));
    }
    vms.goes_on(0, &run(RUN, 5, 0));
    vms.goes_on(0, &[MSG_WAIT_32.into()]);
    vms.refused(0, &request, FfaError::Denied);
}

fn message2(from: u16, to: u16) -> Vec<u64> {
    let mut x = message(DIRECT_REQ2, from, to);
    (x[2], x[3]) = service(to).registers();
    x
}
