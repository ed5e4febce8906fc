//! What is told of VMs, and their buffers.

use super::{
    super::{
        fixture::{Gp, OneVm},
        spmc::{Rig, get, get_regs},
        told::{NIL, Words, told},
    },
    fixture::*,
};
use ffa_abi::{FfaError::*, Version, fid::raw::*};

fn words(vm: u16) -> Words {
    let (low, high) = service(vm).registers();
    [low, high]
}

#[test]
fn ids_are_unique_and_there_is_one_primary() {
    let mut proxy = crate::proxy::Proxy::<Gp>::new(Rig::new(Version::V1_2).upstream);
    assert!(proxy.add(primary(1)).is_some());
    assert!(proxy.add(primary(1)).is_none());
    let mut other = primary(1);
    other.id = ffa_abi::EndpointId(2);
    assert!(proxy.add(other).is_none(), "a second primary");
    for (id, vcpus) in [(2, 0), (2, 9), (0, 1), (0x7fff, 1), (0x8001, 1)] {
        let mut info = secondary(2);
        info.id = ffa_abi::EndpointId(id);
        info.vcpus = vcpus;
        assert!(proxy.add(info).is_none(), "{id:#x} with {vcpus}");
    }
    for id in 2..=8 {
        assert!(proxy.add(secondary(id)).is_some());
    }
    assert!(proxy.add(secondary(9)).is_none(), "nine");
}

#[test]
fn a_vm_may_negotiate_what_its_manifest_says() {
    let mut info = secondary(2);
    info.version = Version::V1_1;
    let mut vms = Vms::of([primary(1), info]);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.goes_on(0, &[VERSION.into(), Version::V1_2.raw().into()]);
    assert_eq!(vms.x(0)[0] as u32, NotSupported.register() as u32);
    vms.goes_on(0, &[VERSION.into(), Version::V1_1.raw().into()]);
    assert_eq!(vms.x(0)[0], Version::V1_1.raw().into());
    // The others have theirs.
    assert_eq!(vms.proxy.version(vcpu(1, 0).vm), Some(Version::V1_0));
}

#[test]
fn features_by_vm() {
    let mut vms = Vms::of([primary(1), secondary(2)]);
    let has = |vms: &mut Vms, fid: u32| {
        vms.goes_on(0, &[FEATURES.into(), fid.into()]);
        vms.x(0)[0] as u32 == SUCCESS_32
    };
    vms.version(0, Version::V1_2);
    for fid in [
        MSG_WAIT_32,
        YIELD,
        DIRECT_RESP_32,
        DIRECT_RESP_64,
        DIRECT_RESP2,
    ] {
        assert!(!has(&mut vms, fid), "the primary and {fid:#x}");
    }
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.version(0, Version::V1_2);
    for fid in [
        MSG_WAIT_32,
        YIELD,
        RUN,
        DIRECT_RESP_32,
        DIRECT_RESP_64,
        DIRECT_RESP2,
        DIRECT_REQ2,
    ] {
        assert!(has(&mut vms, fid), "{fid:#x}");
    }
    for fid in [MSG_WAIT_64, YIELD | 1 << 30, RUN_64, 0x8400_0090] {
        assert!(!has(&mut vms, fid), "{fid:#x}");
    }
    let mut vms = Vms::of([primary(1), strict(secondary(2))]);
    vms.goes_on(0, &run(RUN, 2, 0));
    vms.version(0, Version::V1_1);
    assert!(has(&mut vms, MSG_WAIT_64) && has(&mut vms, RUN_64));
    assert!(!has(&mut vms, DIRECT_RESP2));
}

#[test]
fn services_of_vms_stand_behind_the_partitions() {
    let mut rig = Rig::new(Version::V1_2);
    rig.vm = OneVm::with(rig.vm_info(), [secondary(2), secondary(3)]);
    rig.call(&[VERSION.into(), Version::V1_2.raw().into()]);
    rig.map(0, 4, 1);
    rig.call(&get(NIL, 0));
    let count = rig.x[2] as usize;
    let partitions = told(&rig.spmc.partitions, Version::V1_2, NIL).len();
    assert_eq!(count, partitions + 2);
    let rx = rig.rx(4, 1);
    for (n, vm) in [(0, 2u16), (1, 3)] {
        let at = (partitions + n) * 24;
        assert_eq!(rx[at..at + 2], vm.to_le_bytes());
        assert_eq!(rx[at + 2..at + 4], 1u16.to_le_bytes(), "one vCPU");
        assert_eq!(rx[at + 8..at + 24], service(vm).0, "its service");
        let properties = u32::from_le_bytes(rx[at + 4..at + 8].try_into().unwrap());
        // It receives and sends both kinds, and is AArch64.
        assert_eq!(
            properties,
            1 | 1 << 1 | 1 << 8 | 1 << 9 | 1 << 10,
            "{properties:#x}"
        );
    }
    rig.call(&[0x8400_0065]);
    // By service: of VMs alone, and of nobody.
    rig.call(&get(words(3), 0));
    assert_eq!(rig.x[2], 1);
    assert_eq!(rig.rx(4, 1)[..2], 3u16.to_le_bytes());
    rig.call(&[0x8400_0065]);
    rig.call(&get(words(4), 0));
    assert_eq!(rig.x[2], InvalidParameters.register());
}

#[test]
fn services_of_vms_in_registers() {
    let mut rig = Rig::new(Version::V1_2);
    rig.vm = OneVm::with(rig.vm_info(), [secondary(2), secondary(3)]);
    rig.call(&[VERSION.into(), Version::V1_2.raw().into()]);
    let partitions = told(&rig.spmc.partitions, Version::V1_2, NIL).len() as u64;
    let mut ids = Vec::new();
    let (mut start, mut tag) = (0, 0);
    loop {
        rig.call(&get_regs(NIL, start, tag));
        assert_eq!(rig.x[0] as u32, SUCCESS_64, "{:x?}", &rig.x[..4]);
        let (last, current) = (rig.x[2] & 0xffff, rig.x[2] >> 16 & 0xffff);
        assert_eq!(last, partitions + 1);
        tag = rig.x[2] >> 32 & 0xffff;
        ids.extend((start..=current).map(|n| rig.x[3 + 3 * (n - start) as usize] as u16));
        if current == last {
            break;
        }
        start = current + 1;
    }
    assert_eq!(ids[partitions as usize..], [2, 3]);
    // Beyond the last, and by a service of a VM.
    rig.call(&get_regs(NIL, partitions + 2, tag));
    assert_eq!(rig.x[2], InvalidParameters.register());
    rig.call(&get_regs(words(2), 0, 0));
    assert_eq!((rig.x[0] as u32, rig.x[3] as u16), (SUCCESS_64, 2));
    rig.call(&get_regs(words(2), 1, tag ^ 1));
    assert_eq!(rig.x[2], Retry.register());
}
