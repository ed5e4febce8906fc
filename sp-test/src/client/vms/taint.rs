//! What one VM leaves in registers is nobody else's: every call of everybody is made with values of its own in x0-x30,
//! V0-V31, FPCR and FPSR, and judged.

use super::{Case, Env, ask, case, good};
use crate::abi;
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::client::suite::{EVERYTHING, How, V12, V13, is_response};
use crate::contract::{Kind, Subject, protocol as matrix_ask};
use crate::rt::{call::fresh, fault, sysregs};
use core::arch::asm;

/// Runs the chapter.
pub fn run(env: &mut Env) {
    env.each("taint", CASES);
}

const CASES: &[Case] = &[
    case("back_to_back", back_to_back),
    case("preempted_in_between", preempted_in_between),
    case("system_registers", system_registers),
    case("registers_are_as_identified", identified),
    case("keys_of_others_sign_nothing", keys),
];

/// VM 4 has never set a key, and signs just after this VM has: with its own, which is zero, and not this one's.
fn keys(env: &mut Env) -> Verdict {
    const POINTER: u64 = 0x12_3456_7890;
    const CONTEXT: u64 = 0x5ca1_ab1e;
    let Some(four) = super::peer(4, abi::V1_2, false) else {
        return equal("VM 4", 0, 1).and_then(|()| good());
    };
    sysregs::set_key([0; 2]);
    let zero = sysregs::sign(POINTER, CONTEXT);
    sysregs::set_key([0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210]);
    let own = sysregs::sign(POINTER, CONTEXT);
    let [other, ..] = env.suite.ask(four, ask::SIGN, [POINTER, CONTEXT, 0, 0])?;
    equal("signed with another key", (own != zero).into(), 1)?;
    equal("the other's", other, zero)?;
    equal(
        "this one's afterwards",
        sysregs::sign(POINTER, CONTEXT),
        own,
    )?;
    good()
}

/// The sum over every call that anybody made.
pub fn everything(env: &mut Env) {
    for subject in [env.two, env.three, V12, V13] {
        env.case(format_args!("taint/everything/{}", subject.name), |env| {
            env.suite.seen(subject, EVERYTHING, 0, 1)
        });
    }
}

fn back_to_back(env: &mut Env) -> Verdict {
    const TRIPS: u64 = 300;
    let mut random = fresh();
    for trip in 0..TRIPS {
        let who = [env.two, env.three, V12, env.two];
        let subject = who[(random.next() % 4) as usize];
        let kind = match trip % 3 {
            0 => Kind::Req32,
            1 => Kind::Req64,
            _ if subject.is_extended() => Kind::Req2,
            _ => Kind::Req64,
        };
        env.suite.answered(kind, subject, How::Clean)?;
    }
    for subject in [env.two, env.three] {
        env.suite.seen(subject, EVERYTHING, 0, TRIPS / 8)?;
    }
    Ok(Seen::Count("round trips", TRIPS))
}

/// VM 2 spins with all registers watched and is taken off the core; VM 3 and partitions use all of theirs.
fn preempted_in_between(env: &mut Env) -> Verdict {
    let [two, three] = [env.two, env.three];
    for kind in [Kind::Req64, Kind::Req2] {
        env.suite.clear(two)?;
        let request = env.suite.request(kind, two);
        env.suite.interrupted(two, &request)?;
        for subject in [three, V12, three] {
            env.suite.answered(Kind::Req64, subject, How::Clean)?;
        }
        let end = env.patiently(&super::registers(
            abi::RUN,
            &[two.target(), 0, 0, 0, 0, 0, 0],
        ))?;
        is_response(two, &request, &end, kind.response())?;
        env.suite.seen(two, 0, 0, 1)?;
    }
    good()
}

/// Leaves a pattern in `subject`'s system registers; the last one must be there.
fn leave(env: &mut Env, subject: &Subject, seed: u64) -> Result<(), Failure> {
    let [place, found, left, _] = env
        .suite
        .ask(subject, ask::SYSTEM_REGISTERS, [seed, 0, 0, 0])?;
    judge(
        place
            .checked_sub(1)
            .map(|place| (place as usize, found, left)),
    )
}

fn judge(difference: Option<(usize, u64, u64)>) -> Result<(), Failure> {
    match difference {
        None => Ok(()),
        Some((place, found, left)) => equal(
            sysregs::NAMES.get(place).copied().unwrap_or("a register"),
            found,
            left,
        ),
    }
}

fn system_registers(env: &mut Env) -> Verdict {
    let [two, three] = [env.two, env.three];
    let mut random = fresh();
    let [action, ticks, _] = super::spin(3);
    for _ in 0..6 {
        let own = sysregs::leave(random.next());
        leave(env, two, random.next())?;
        leave(env, three, random.next())?;
        env.perform(two, action, ticks, 0)?;
        let how = u64::from(abi::DIRECT_REQ_64);
        env.suite
            .arm(two, matrix_ask::PASS_ON, three.id.into(), how)?;
        env.suite.send(Kind::Req64, two)?;
        judge(own.difference())?;
    }
    Ok(Seen::Count("registers", sysregs::COUNT as u64))
}

/// Reads a register by its encoding; 0 where that is an exception.
macro_rules! register {
    ($name:literal) => {
        fault::expecting(|| {
            let value: u64;
            // SAFETY: reading it changes nothing; a fault is stepped over.
            unsafe {
                asm!(concat!("mrs {}, ", $name), out(reg) value, options(nostack, preserves_flags));
            }
            value
        })
    };
}

/// What the identification registers promise is there, and what would trap is not promised.
fn identified(_: &mut Env) -> Verdict {
    let field = |value: u64, shift: u32| value >> shift & 0xf;
    let [pfr0, pfr1, isar2] = [
        register!("S3_0_C0_C4_0"),
        register!("S3_0_C0_C4_1"),
        register!("S3_0_C0_C6_2"),
    ]
    .map(|read| read.unwrap_or(u64::MAX));
    let context = field(pfr0, 56) > 1 || field(pfr1, 32) > 1;
    if context {
        let there = register!("S3_0_C13_C0_7").is_ok();
        equal("SCXTNUM_EL1, promised by CSV2", there.into(), 1)?;
    }
    if field(pfr0, 28) != 0 {
        // ERRIDR_EL1.
        let records = register!("S3_0_C5_C3_0").unwrap_or(u64::MAX);
        equal("error records, promised by RAS", records, 0)?;
    }
    equal("ID_AA64ISAR2_EL1.WFxT", field(isar2, 0), 0)?;
    good()
}
