//! Calls that are not FF-A: PSCI and SMCCC on the VM's behalf, and strangers.

use super::fixture::*;
use crate::proxy::Next;
use ffa_abi::smccc::{self, psci};

/// A call whose every other register is the VM's own business.
fn call(fid: u32, args: &[u64]) -> Frame {
    core::array::from_fn(|n| match n {
        0 => fid.into(),
        _ => args.get(n - 1).copied().unwrap_or_else(mark),
    })
}

const NOT_SUPPORTED: u64 = 0xffff_ffff;
const INVALID: u64 = 0xffff_fffe;

#[test]
fn an_unknown_smc_touches_x0_and_nothing_else() {
    let mut f = Fixture::new();
    for fid in [
        0,
        1,
        u32::MAX,
        0x8400_005f,
        0x8400_00f0,
        0xc400_00f0,
        0x8400_0160,
        0x0400_0063,
        0x8600_0001,
        0xc200_0000,
        0x8400_0005,
        0x8400_001f,
        0xc400_0012,
        // Workarounds are firmware's to offer.
        0x8000_8000,
        0x8000_3fff,
    ] {
        f.answered_x0(call(fid, &[]), u64::MAX);
        let mut dirty = call(fid, &[]);
        dirty[0] |= 0xdead_beef_0000_0000;
        f.answered_x0(dirty, u64::MAX);
    }
}

#[test]
fn smccc_is_new_enough_for_ffa_drivers() {
    let mut f = Fixture::new();
    f.answered_x0(call(smccc::SMCCC_VERSION, &[]), smccc::SMCCC_1_2);
    for (asked, answer) in [
        (smccc::SMCCC_VERSION, 0),
        (smccc::SMCCC_ARCH_FEATURES, 0),
        (0x8000_8000, NOT_SUPPORTED),
        (0x8000_7fff, NOT_SUPPORTED),
    ] {
        f.answered_x0(call(smccc::SMCCC_ARCH_FEATURES, &[asked.into()]), answer);
    }
    f.answered_x0(call(psci::FEATURES, &[smccc::SMCCC_VERSION.into()]), 0);
}

#[test]
fn psci_features_are_what_is_answered() {
    let mut f = Fixture::new();
    for fid in [
        psci::VERSION,
        psci::FEATURES,
        psci::SYSTEM_OFF,
        psci::SYSTEM_RESET,
        psci::CPU_ON_32,
        psci::CPU_ON_64,
        psci::CPU_OFF,
        psci::CPU_SUSPEND_32,
        psci::CPU_SUSPEND_64,
        psci::AFFINITY_INFO_32,
        psci::AFFINITY_INFO_64,
        psci::MIGRATE_INFO_TYPE,
    ] {
        f.answered_x0(call(psci::FEATURES, &[fid.into()]), 0);
    }
    for fid in [0x8400_0012u32, 0, 0xffff_ffff] {
        f.answered_x0(call(psci::FEATURES, &[fid.into()]), NOT_SUPPORTED);
    }
    f.answered_x0(call(psci::VERSION, &[]), psci::V1_1);
}

#[test]
fn the_only_core_is_on_and_there_is_no_other() {
    let mut f = Fixture::new();
    let wide_invalid = -2i64 as u64;
    let on = psci::ALREADY_ON as i64 as u64;
    f.answered_x0(call(psci::CPU_ON_64, &[AFFINITY]), on);
    f.answered_x0(call(psci::CPU_ON_32, &[AFFINITY]), on & 0xffff_ffff);
    // The upper half is an argument of the 64-bit form only.
    let high = AFFINITY | 1 << 40;
    f.answered_x0(call(psci::CPU_ON_32, &[high]), on & 0xffff_ffff);
    f.answered_x0(call(psci::CPU_ON_64, &[high]), wide_invalid);
    for other in [1, 8, 1 << 8, 0x8000_0000] {
        f.answered_x0(call(psci::CPU_ON_64, &[other]), wide_invalid);
        f.answered_x0(call(psci::CPU_ON_32, &[other]), INVALID);
        f.answered_x0(call(psci::AFFINITY_INFO_64, &[other, 0]), wide_invalid);
        f.answered_x0(call(psci::AFFINITY_INFO_32, &[other, 0]), INVALID);
    }
    f.answered_x0(call(psci::AFFINITY_INFO_64, &[AFFINITY, 0]), 0);
    f.answered_x0(call(psci::AFFINITY_INFO_32, &[AFFINITY, 0]), 0);
    f.answered_x0(call(psci::AFFINITY_INFO_64, &[AFFINITY, 1]), wide_invalid);
    f.answered_x0(call(psci::CPU_OFF, &[]), u64::from(psci::DENIED as u32));
    f.answered_x0(call(psci::MIGRATE_INFO_TYPE, &[]), 2);
    // It waits as long as its core does, and has succeeded then.
    for suspend in [psci::CPU_SUSPEND_32, psci::CPU_SUSPEND_64] {
        assert_eq!(f.call(call(suspend, &[])), Next::Idle);
        assert_eq!(f.x[0], 0);
    }
}

#[test]
fn the_end_of_the_vms_machine_is_told_to_the_caller_of_the_core() {
    let mut f = Fixture::new();
    assert_eq!(f.call(call(psci::SYSTEM_OFF, &[])), Next::PowerOff);
    assert_eq!(f.call(call(psci::SYSTEM_RESET, &[])), Next::Reset);
    // Not by a 64-bit form, which does not exist.
    f.answered_x0(call(psci::SYSTEM_OFF | 1 << 30, &[]), u64::MAX);
    assert!(f.el3.asked.is_empty());
}
