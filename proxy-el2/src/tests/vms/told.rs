//! Partitions that are told of VMs that came and went: at once, or later where they are busy.

use super::{
    super::fixture::{answer, eight},
    fixture::*,
};
use crate::{
    availability::{MOST_RUNS, News, Outcome},
    owed::Debt,
    proxy::{Next, Turn},
    vcpu::State,
};
use ffa_abi::{
    EndpointId, FfaError::*, Regs, TargetInfo, availability::VmEvent, fid::raw::*, memory::Handle,
    smccc::psci,
};

const INFO_GET: u32 = 0x8400_0068;
const RX_RELEASE: u32 = 0x8400_0065;
const OFF: u64 = psci::SYSTEM_OFF as u64;
/// VM availability: who wants to know of VMs that are destroyed.
const WANTS_DESTROYED: u32 = 1 << 7;

/// Three VMs, the last two in FFA_MSG_WAIT, and a partition that wants to know.
fn subscribed() -> Vms {
    let mut vms = Vms::waiting(3);
    subscribe(&mut vms);
    vms
}

fn subscribe(vms: &mut Vms) {
    vms.proxy.upstream.rx = 4096;
    let mut descriptor = [0u8; 24];
    descriptor[..2].copy_from_slice(&SP.0.to_le_bytes());
    descriptor[4..8].copy_from_slice(&WANTS_DESTROYED.to_le_bytes());
    vms.host.rx = descriptor.to_vec();
}

/// The SPMC lists the partition, and takes the buffer back.
fn lists(vms: &mut Vms) {
    vms.host.answers.extend([
        answer(&[SUCCESS_32.into(), 0, 1, 24]),
        answer(&[SUCCESS_32.into()]),
    ]);
}

fn knows() -> Regs {
    // Framework message 7: VM destroyed, response; status 0.
    answer(&[DIRECT_RESP_32.into(), 0x8001_0000, 0x8000_0007, 0])
}

fn interrupted() -> Regs {
    answer(&[INTERRUPT.into(), u64::from(SP.0) << 16])
}

fn busy() -> Regs {
    answer(&[ERROR.into(), 0, Busy.register()])
}

fn asked(vms: &mut Vms) -> Vec<u32> {
    vms.host.asked.drain(..).map(|regs| regs.w::<0>()).collect()
}

fn news(vm: u16) -> News {
    News {
        event: VmEvent::Destroyed,
        vm: EndpointId(vm),
        handle: Handle::INVALID,
    }
}

/// VM 3 ends, run by the primary.
fn end_three(vms: &mut Vms) {
    vms.goes_on(0, &run(RUN, 3, 0));
    vms.goes_on(0, &[OFF]);
    assert_eq!(vms.running(0), vcpu(1, 0));
    assert_eq!(vms.x(0)[..3], [ERROR.into(), 0, Aborted.register()]);
    assert_eq!(vms.state(3, 0), Some(State::Dead));
}

#[test]
fn who_subscribed_is_told_at_once() {
    let mut vms = subscribed();
    lists(&mut vms);
    vms.host.answers.push_back(knows());
    end_three(&mut vms);
    assert_eq!(vms.host.told, [(news(3), SP, Outcome::Told)]);
    let sent = vms.host.asked.last().copied().unwrap();
    assert_eq!(sent[1], 0x8001, "by the hypervisor");
    assert_eq!(asked(&mut vms), [INFO_GET, RX_RELEASE, DIRECT_REQ_32]);
}

#[test]
fn whom_an_interrupt_takes_off_is_run_again_unless_it_is_for_a_member_of_the_chain() {
    let mut vms = subscribed();
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.goes_on(0, &message(DIRECT_REQ2, 2, 3));
    lists(&mut vms);
    vms.host.answers.extend([interrupted(), interrupted()]);
    // The second is for the primary, which is below the one whose request fails now.
    vms.host.turns.extend([Turn::Nobody, Turn::Level(0)]);
    vms.goes_on(0, &[OFF]);
    let target = TargetInfo {
        endpoint: SP,
        context: 0,
    };
    assert_eq!(vms.host.told, [(news(3), SP, Outcome::Unfinished(target))]);
    assert_eq!(asked(&mut vms), [INFO_GET, RX_RELEASE, DIRECT_REQ_32, RUN]);
    assert_eq!(vms.running(0), vcpu(1, 0));
    assert_eq!(vms.x(0)[..2], [INTERRUPT.into(), 2 << 16]);
    // VM 2 finds its error when it is run again.
    vms.goes_on(0, &run(RUN, 2, 0));
    assert_eq!(vms.x(0)[..3], [ERROR.into(), 0, Aborted.register()]);
}

#[test]
fn who_is_busy_is_told_later() {
    let mut vms = subscribed();
    lists(&mut vms);
    vms.host.answers.push_back(busy());
    end_three(&mut vms);
    assert_eq!(vms.host.told, []);
    asked(&mut vms);
    // Still busy at the next interrupt, and then not any more; whom it is for does not matter.
    vms.host.answers.push_back(busy());
    assert_eq!(vms.interrupt(0, Turn::Nobody), Next::Vcpu);
    assert_eq!(vms.host.told, []);
    vms.host.answers.push_back(knows());
    assert_eq!(vms.interrupt(0, Turn::Nobody), Next::Vcpu);
    assert_eq!(vms.host.told, [(news(3), SP, Outcome::Told)]);
    assert_eq!(asked(&mut vms), [DIRECT_REQ_32, DIRECT_REQ_32]);
    assert_eq!(vms.interrupt(0, Turn::Nobody), Next::Vcpu);
    assert_eq!(asked(&mut vms), [] as [u32; 0]);
}

#[test]
fn what_the_dead_vm_had_asked_is_finished_first() {
    let mut vms = subscribed();
    let two = EndpointId(2);
    // It asks the partition, and is taken off the core by the primary's interrupt.
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.host.answers.push_back(interrupted());
    vms.host.turns.push_back(Turn::Level(0));
    vms.goes_on(0, &message(DIRECT_REQ2, two.0, SP.0));
    assert_eq!(vms.running(0), vcpu(1, 0));
    asked(&mut vms);
    // It ends while the partition works for it.
    lists(&mut vms);
    let late = eight(&[DIRECT_RESP2.into(), ids(SP.0, two.0)]);
    vms.host.answers.extend([busy(), late, knows()]);
    vms.kill(2);
    assert_eq!(vms.host.told, [(news(two.0), SP, Outcome::Told)]);
    assert_eq!(
        asked(&mut vms),
        [INFO_GET, RX_RELEASE, DIRECT_REQ_32, RUN, DIRECT_REQ_32]
    );
    // It owes nothing any more.
    let target = TargetInfo {
        endpoint: SP,
        context: 0,
    };
    assert_eq!(
        vms.proxy.owed.lock().debt(target, vcpu(1, 0).vm),
        Debt::None
    );
}

#[test]
fn who_never_answers_is_given_up_and_is_anybodys_to_run() {
    let mut vms = subscribed();
    lists(&mut vms);
    vms.host
        .answers
        .extend((0..=MOST_RUNS).map(|_| interrupted()));
    end_three(&mut vms);
    let target = TargetInfo {
        endpoint: SP,
        context: 0,
    };
    assert_eq!(vms.host.told, [(news(3), SP, Outcome::Unfinished(target))]);
    assert_eq!(asked(&mut vms).len() as u32, 3 + MOST_RUNS);
    // Whoever needs it finishes it first.
    let own = eight(&[DIRECT_RESP2.into(), ids(SP.0, 1)]);
    vms.host.answers.extend([busy(), knows(), own]);
    vms.goes_on(0, &message(DIRECT_REQ2, 1, SP.0));
    assert_eq!(asked(&mut vms), [DIRECT_REQ2, RUN, DIRECT_REQ2]);
    assert_eq!(vms.x(0)[..2], own.0[..2]);
}

#[test]
fn a_list_that_fails_is_told_of_and_changes_nothing_else() {
    let mut vms = subscribed();
    vms.host
        .answers
        .push_back(answer(&[ERROR.into(), 0, NoMemory.register()]));
    end_three(&mut vms);
    let outcome = Outcome::Error(NoMemory);
    assert_eq!(vms.host.told, [(news(3), EndpointId::SPMC, outcome)]);
}
