//! The normal world's other registers that a partition would like to have: MTE, pointer authentication keys, debug,
//! performance monitors. Meanwhile partitions fill all system registers that they can.

use super::{Check, Kind, Suite, equal};
use crate::client::{ECHO, RELAY};
use crate::protocol;
use crate::rt::call::fresh;
use crate::rt::{fault, sysregs};
use core::arch::asm;

macro_rules! registers {
    ($($name:ident: $($register:literal $mask:literal)*;)*) => {
        $(
            /// Writes `value` to the register at this place of the group, if there is one.
            mod $name {
                use super::*;

                pub const COUNT: usize = [$($register),*].len();

                pub fn write(values: &[u64; COUNT]) {
                    let mut values = values.iter();
                    $(
                        let value = values.next().copied().unwrap_or(0) & $mask;
                        let _ = fault::expecting(|| {
                            // SAFETY: nothing of this image depends on it; a fault is stepped over.
                            unsafe {
                                asm!(concat!("msr ", $register, ", {}"), "isb", in(reg) value,
                                    options(nostack, preserves_flags));
                            }
                        });
                    )*
                }

                /// The values; `None` for what is not there.
                pub fn read() -> [Option<u64>; COUNT] {
                    [$(
                        fault::expecting(|| {
                            let mut value = 0u64;
                            // SAFETY: as above.
                            unsafe {
                                asm!(concat!("mrs {}, ", $register), inout(reg) value,
                                    options(nostack, preserves_flags));
                            }
                            value
                        })
                        .ok(),
                    )*]
                }
            }
        )*
    };
}

registers! {
    // GCR_EL1, RGSR_EL1, TFSR_EL1, TFSRE0_EL1.
    mte: "S3_0_C1_C0_6" 0x1_ffff "S3_0_C1_C0_5" 0xff_ff0f "S3_0_C5_C6_0" 0x3 "S3_0_C5_C6_1" 0x3;
    // APIA, APIB, APDA, APDB, APGA, both halves of each.
    keys: "S3_0_C2_C1_0" 0xffff_ffff_ffff_ffff "S3_0_C2_C1_1" 0xffff_ffff_ffff_ffff
        "S3_0_C2_C1_2" 0xffff_ffff_ffff_ffff "S3_0_C2_C1_3" 0xffff_ffff_ffff_ffff
        "S3_0_C2_C2_0" 0xffff_ffff_ffff_ffff "S3_0_C2_C2_1" 0xffff_ffff_ffff_ffff
        "S3_0_C2_C2_2" 0xffff_ffff_ffff_ffff "S3_0_C2_C2_3" 0xffff_ffff_ffff_ffff
        "S3_0_C2_C3_0" 0xffff_ffff_ffff_ffff "S3_0_C2_C3_1" 0xffff_ffff_ffff_ffff;
    // Breakpoints and watchpoints, disabled; the communication channel's.
    debug: "dbgbvr0_el1" 0x0000_00ff_ffff_fffc "dbgbvr1_el1" 0x0000_00ff_ffff_fffc
        "dbgbcr0_el1" 0x1e6 "dbgwvr0_el1" 0x0000_00ff_ffff_fffc "mdscr_el1" 0x1000;
    // Nothing counts.
    pmu: "pmuserenr_el0" 0xf "pmccntr_el0" 0xffff_ffff "pmccfiltr_el0" 0x8000_0000 "pmevcntr0_el0" 0xffff_ffff
        "pmintenset_el1" 0x1 "pmselr_el0" 0x1f;
}

/// Runs the chapter.
pub fn run(suite: &mut Suite) {
    for kind in Kind::ALL {
        let kind_name = kind.name();
        let name = format_args!("mte-registers-survive/{kind_name}");
        match survive(suite, kind, mte::write, mte::read) {
            // Where there are such registers at NS-EL2, that must be seen: EL3 lets the normal world have them.
            Ok(0) if !(suite.client.direct && suite.present.mte) => suite.absent(name),
            verdict => suite.case(name, some(verdict)),
        }
        for (name, verdict) in [
            (
                "keys-survive",
                survive(suite, kind, keys::write, keys::read),
            ),
            (
                "debug-registers-survive",
                survive(suite, kind, debug::write, debug::read),
            ),
            (
                "pmu-registers-survive",
                survive(suite, kind, pmu::write, pmu::read),
            ),
        ] {
            suite.case(format_args!("{name}/{kind_name}"), some(verdict));
        }
    }
}

/// Fails if there was nothing to survive.
fn some(verdict: Result<u64, super::Failure>) -> Check {
    let seen = verdict?;
    equal("registers that are there", seen.max(1), seen)
}

/// How many of a group are there; they are as they were.
fn survive<const N: usize>(
    suite: &Suite,
    kind: Kind,
    write: impl FnOnce(&[u64; N]),
    read: impl Fn() -> [Option<u64>; N],
) -> Result<u64, super::Failure> {
    let mut values = [0; N];
    fresh().fill(&mut values);
    let mut seen = 0;
    suite.with_fp(0, |suite| {
        write(&values);
        let before = read();
        seen = before.iter().flatten().count() as u64;
        for peer in [&ECHO, &RELAY] {
            let answer = suite
                .client
                .command(peer, protocol::TAINT, &[fresh().next()])?;
            if answer[1] != 0 {
                let name = sysregs::NAMES
                    .get(answer[2] as usize)
                    .unwrap_or(&"a register");
                equal(name, answer[3], answer[4])?;
            }
        }
        suite.disturb(kind)?;
        for (before, after) in before.into_iter().zip(read()) {
            equal("a register", after.unwrap_or(0), before.unwrap_or(0))?;
        }
        Ok(())
    })?;
    Ok(seen)
}
