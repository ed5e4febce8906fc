//! Telling partitions of VMs that ended, and who has the core meanwhile.

use super::{super::fixture::eight, fixture::*, partitions::*};
use crate::{
    availability::News,
    proxy::{Next, Turn},
    untold::{Untold, Whom},
};
use ffa_abi::{EndpointId, FfaError::*, Regs, availability::VmEvent, fid::raw::*, memory::Handle};

const NEWS: News = News {
    event: VmEvent::Destroyed,
    vm: EndpointId(2),
    handle: Handle::INVALID,
};

fn untold(partition: u16) -> Untold {
    Untold {
        news: NEWS,
        whom: Whom::One(EndpointId(partition)),
        tries: 0,
    }
}

/// VM 2 has ended, and these do not know yet.
fn gone(partitions: &[u16]) -> Vms {
    let mut vms = asked(Turn::Level(0));
    vms.kill(2);
    for partition in partitions {
        assert!(vms.proxy.untold.keep(untold(*partition)));
    }
    vms.host.asked.clear();
    vms.host.slices.clear();
    vms
}

fn busy() -> Regs {
    eight(&[ERROR.into(), 0, Busy.register()])
}

fn told(partition: u16) -> Regs {
    let ids = u64::from(partition) << 16;
    eight(&[DIRECT_RESP_32.into(), ids, 0x8000_0007, 0])
}

#[test]
fn a_partition_that_is_told_gives_way_to_the_first_of_the_chain() {
    let mut vms = gone(&[0x8001, 0x8002]);
    vms.host.answers.push_back(interrupted());
    vms.host.turns.extend([Turn::Nobody, Turn::Level(0)]);
    let next = vms.proxy.interrupt(&mut vms.cores[0], &mut vms.host);
    assert_eq!((next, vms.running(0)), (Next::Vcpu, vcpu(1, 0)));
    assert_eq!(vms.host.asked.len(), 1);
    assert_eq!(vms.host.slices, [true, false], "for a time slice at most");
    // The other is told next.
    vms.host.answers.push_back(told(0x8002));
    assert_eq!(vms.interrupt(0, Turn::Nobody), Next::Vcpu);
    assert_eq!(vms.host.asked[1][1], 0x8002);
    assert_eq!(vms.interrupt(0, Turn::Nobody), Next::Vcpu);
    assert_eq!(vms.host.asked.len(), 2);
}

#[test]
fn nobody_is_told_while_a_lower_member_of_the_chain_waits_for_the_core() {
    let mut vms = gone(&[0x8002]);
    vms.goes_on(0, &run(RUN, 3, 0));
    assert_eq!(vms.interrupt(0, Turn::Level(0)), Next::Vcpu);
    assert_eq!(vms.running(0), vcpu(1, 0));
    assert!(vms.host.asked.is_empty());
    vms.host.answers.push_back(told(0x8002));
    assert_eq!(vms.interrupt(0, Turn::Level(0)), Next::Vcpu);
    assert_eq!(vms.host.asked.len(), 1);
}

#[test]
fn a_partition_that_never_ends_what_the_dead_asked_is_given_up() {
    let mut vms = gone(&[0x8001]);
    for _ in 0..8 {
        vms.host.asked.clear();
        vms.host.answers.extend([busy(), interrupted()]);
        vms.host.turns.extend([Turn::Nobody, Turn::Level(0)]);
        let _ = vms.proxy.interrupt(&mut vms.cores[0], &mut vms.host);
        assert_eq!(vms.host.asked.len(), 2);
    }
    assert_eq!(vms.interrupt(0, Turn::Nobody), Next::Vcpu);
    assert_eq!(vms.host.asked.len(), 2);
}

#[test]
fn the_answer_to_another_that_comes_meanwhile_is_kept() {
    let mut vms = gone(&[0x8001]);
    vms.host
        .answers
        .extend([busy(), answer_to(3), told(0x8001)]);
    assert_eq!(vms.interrupt(0, Turn::Nobody), Next::Vcpu);
    vms.goes_on(0, &run(RUN, 3, 0));
    vms.goes_on(0, &[RUN.into(), SP_TARGET]);
    assert_eq!(vms.x(0)[..18], answer_to(3).0[..18]);
}

#[test]
fn subscribers_that_cannot_be_asked_for_are_told_later() {
    let mut vms = gone(&[]);
    vms.proxy.upstream.rx = 4096;
    assert!(vms.proxy.untold.keep(Untold {
        whom: Whom::Subscribers,
        ..untold(0)
    }));
    // A partition fills the proxy's RX, however often that is released.
    let done = || eight(&[SUCCESS_32.into()]);
    vms.host
        .answers
        .extend((0..8).flat_map(|_| [busy(), done()]));
    assert_eq!(vms.interrupt(0, Turn::Nobody), Next::Vcpu);
    assert_eq!(vms.host.asked.len(), 16);
    assert!(vms.host.told.is_empty());
    // It has stopped. One partition is in the list, and subscribes.
    let mut descriptor = [0_u8; 24];
    descriptor[..2].copy_from_slice(&0x8001_u16.to_le_bytes());
    descriptor[4..8].copy_from_slice(&(1_u32 << 7).to_le_bytes());
    vms.host.rx = descriptor.to_vec();
    let list = eight(&[SUCCESS_32.into(), 0, 1, 24]);
    vms.host.answers.extend([list, done(), told(0x8001)]);
    assert_eq!(vms.interrupt(0, Turn::Nobody), Next::Vcpu);
    let told: Vec<_> = vms.host.told.iter().map(|told| told.1.0).collect();
    assert_eq!(told, [0x8001]);
    // Nobody is told again.
    assert_eq!(vms.interrupt(0, Turn::Nobody), Next::Vcpu);
    assert_eq!(vms.host.asked.len(), 19);
}

#[test]
fn who_yields_for_ever_has_the_core_until_an_interrupt_comes() {
    let mut vms = gone(&[0x8001]);
    let yielded = eight(&[YIELD.into(), SP_TARGET, 0, 0]);
    vms.host.answers.extend([yielded, yielded]);
    vms.host
        .turns
        .extend([Turn::Nobody, Turn::None, Turn::Level(0)]);
    assert_eq!(
        vms.proxy.interrupt(&mut vms.cores[0], &mut vms.host),
        Next::Vcpu
    );
    assert_eq!(vms.host.asked.len(), 2);
}
