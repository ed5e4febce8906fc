//! What a partition has not.

use super::{Check, Suite, equal};
use crate::client::ECHO;
use crate::protocol;
use crate::rt::forbidden::Group;

/// Runs the chapter.
pub fn run(suite: &mut Suite) {
    // ID_AA64PFR0_EL1.SVE, ID_AA64PFR1_EL1.SME and MTE, ID_AA64ZFR0_EL1, ID_AA64SMFR0_EL1.
    for (name, fields) in [
        ("sve", &[(0x40, 0xf << 32), (0x44, u64::MAX)][..]),
        ("sme", &[(0x41, 0xf << 24), (0x45, u64::MAX)]),
        ("mte", &[(0x41, 0xf << 8)]),
    ] {
        let verdict = sees_none(suite, fields);
        suite.case(format_args!("partition-sees-no-{name}"), verdict);
    }
    for (name, group) in [
        ("sve", Group::Sve),
        ("sme", Group::Sme),
        ("mte", Group::Mte),
        ("pmu", Group::Pmu),
        ("debug", Group::Debug),
    ] {
        for (how, write) in [("read", 0), ("write", 1)] {
            let verdict = undefined(suite, group, write);
            suite.case(format_args!("partition-can't-{how}-{name}"), verdict);
        }
    }
}

fn sees_none(suite: &Suite, fields: &[(u64, u64)]) -> Check {
    for (register, mask) in fields {
        let answer = suite
            .client
            .command(&ECHO, protocol::ID_REGISTER, &[*register])?;
        equal("status", answer[0], protocol::OK)?;
        equal("faults", answer[1], 0)?;
        equal("the field", answer[2] & mask, 0)?;
    }
    Ok(())
}

/// All of a group is undefined for a partition, be its vector registers live or not.
fn undefined(suite: &Suite, group: Group, write: u64) -> Check {
    let attempt = |suite: &Suite| {
        let answer = suite
            .client
            .command(&ECHO, protocol::TRY, &[group as u64, write])?;
        equal("status", answer[0], protocol::OK)?;
        equal("attempts", answer[1].max(1), answer[1])?;
        if answer[2] != 0 {
            equal("number of one that is not undefined", answer[3], u64::MAX)?;
        }
        Ok(())
    };
    attempt(suite)?;
    suite.with_fp(1, attempt)
}
