//! Calls of partitions that are not FF-A: what SMCCC defines is answered, what the SPMC's manifest
//! lists for a partition (`smc_whitelist`) goes to EL3 in its name, and the rest is unknown.

use super::{Machine, Notice, Spmc};
use crate::context::{PartitionInfo, Registers};
use ffa_abi::{Regs, Reply, smccc};

/// What is made of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// SMCCC_VERSION.
    Version,
    /// SMCCC_ARCH_FEATURES.
    Features,
    /// EL3 answers in x0 alone.
    Workaround,
    /// EL3 answers in x0-x3.
    Forward,
    /// Nobody answers.
    Unknown,
    /// The same, and the log says so: a whitelist would change it.
    Refused,
}

/// What is made of `fid`, called by a partition.
fn way(info: &PartitionInfo, fid: u32) -> Way {
    /// A fast call; others may be preempted in EL3's name, and nothing here could resume them.
    const FAST: u32 = 1 << 31;
    match fid {
        smccc::SMCCC_VERSION => Way::Version,
        smccc::SMCCC_ARCH_FEATURES => Way::Features,
        _ if smccc::is_workaround(fid) => Way::Workaround,
        _ if smccc::is_trng(fid) => Way::Forward,
        // The cores are the normal world's to switch. Hypercalls are no fast calls.
        _ if smccc::is_psci(fid) || fid & FAST == 0 => Way::Unknown,
        _ if info.smc.permissive || info.smc.whitelist.contains(&fid) => Way::Forward,
        _ => Way::Refused,
    }
}

impl<M: Registers> Spmc<'_, M> {
    /// Answers a call that is not FF-A, whose x0-x17 are `regs`, by a partition.
    #[cold]
    #[inline(never)]
    pub(super) fn not_ffa(
        info: &PartitionInfo,
        fid: u32,
        regs: &Regs,
        machine: &mut impl Machine,
    ) -> Reply {
        match way(info, fid) {
            Way::Version => Reply::X0(smccc::SMCCC_1_2),
            Way::Features => match regs.w::<1>() {
                smccc::SMCCC_VERSION | smccc::SMCCC_ARCH_FEATURES => Reply::X0(0),
                asked if smccc::is_workaround(asked) => {
                    let mut call = Regs::ZERO;
                    call[0] = fid.into();
                    call[1] = asked.into();
                    machine.el3(&mut call);
                    Reply::X0(call[0])
                }
                _ => Reply::Unknown,
            },
            Way::Workaround => {
                let mut call = Regs::ZERO;
                call[0] = fid.into();
                call[1] = regs[1];
                machine.el3(&mut call);
                Reply::X0(call[0])
            }
            Way::Forward => {
                let mask = match fid & ffa_abi::fid::WIDE_BIT {
                    0 => 0xffff_ffff,
                    _ => u64::MAX,
                };
                let mut call = Regs::ZERO;
                call[0] = fid.into();
                for (to, from) in call.0.iter_mut().zip(regs.0).take(7).skip(1) {
                    *to = from & mask;
                }
                // SMCCC's client identifier: bits 15:0 of w7.
                call[7] = info.id.0.into();
                machine.el3(&mut call);
                let [x0, x1, x2, x3, ..] = call.0;
                Reply::Smccc([x0, x1, x2, x3])
            }
            Way::Unknown => Reply::Unknown,
            Way::Refused => {
                machine.notice(Notice::SmcRefused {
                    partition: info.id,
                    fid,
                });
                Reply::Unknown
            }
        }
    }
}
