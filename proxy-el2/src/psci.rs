//! PSCI and SMCCC on a VM's behalf: it has one vCPU, which is on, and its system is the machine.

use crate::vm::{Next, Vm};
use ffa_abi::{
    Regs, Reply,
    smccc::{self, psci},
};

/// Answers a call that is not FF-A. Whatever is not known answers -1 in x0 and touches nothing
/// else.
pub(crate) fn answer(vm: &Vm, fid: u32, regs: &Regs) -> (Reply, Next) {
    let wide = fid & ffa_abi::fid::WIDE_BIT != 0;
    let status = |status| (Reply::status(status, wide), Next::Resume);
    match fid {
        smccc::SMCCC_VERSION => (Reply::X0(smccc::SMCCC_1_2), Next::Resume),
        smccc::SMCCC_ARCH_FEATURES => match regs.w::<1>() {
            smccc::SMCCC_VERSION | smccc::SMCCC_ARCH_FEATURES => status(0),
            _ => status(psci::NOT_SUPPORTED),
        },
        psci::VERSION => (Reply::X0(psci::V1_1), Next::Resume),
        psci::FEATURES => status(if is_implemented(regs.w::<1>()) {
            psci::SUCCESS
        } else {
            psci::NOT_SUPPORTED
        }),
        psci::SYSTEM_OFF => (Reply::Unknown, Next::PowerOff),
        psci::SYSTEM_RESET => (Reply::Unknown, Next::Reset),
        psci::CPU_ON_32 | psci::CPU_ON_64 => status(if target(regs, wide) == vm.affinity {
            psci::ALREADY_ON
        } else {
            // There is no other core to switch on.
            psci::INVALID_PARAMETERS
        }),
        psci::AFFINITY_INFO_32 | psci::AFFINITY_INFO_64 => {
            let level = if wide {
                regs.x::<2>()
            } else {
                regs.w::<2>().into()
            };
            status(if target(regs, wide) == vm.affinity && level == 0 {
                psci::SUCCESS
            } else {
                psci::INVALID_PARAMETERS
            })
        }
        // The only vCPU would never come back.
        psci::CPU_OFF => status(psci::DENIED),
        // No trusted OS migrates.
        psci::MIGRATE_INFO_TYPE => status(2),
        _ => (Reply::Unknown, Next::Resume),
    }
}

fn target(regs: &Regs, wide: bool) -> u64 {
    if wide {
        regs.x::<1>()
    } else {
        regs.w::<1>().into()
    }
}

const fn is_implemented(fid: u32) -> bool {
    matches!(
        fid,
        smccc::SMCCC_VERSION
            | psci::VERSION
            | psci::FEATURES
            | psci::SYSTEM_OFF
            | psci::SYSTEM_RESET
            | psci::CPU_ON_32
            | psci::CPU_ON_64
            | psci::AFFINITY_INFO_32
            | psci::AFFINITY_INFO_64
            | psci::CPU_OFF
            | psci::MIGRATE_INFO_TYPE
    )
}
