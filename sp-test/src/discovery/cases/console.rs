//! FFA_CONSOLE_LOG, full and over-full. What arrives on the UART the boot's expectations say.

use super::{Case, DONE, Env, Verdict, Wrong, case, for_};
use crate::abi::{self, INVALID_PARAMETERS, NOT_SUPPORTED};
use crate::discovery::Me;

pub(super) const CASES: &[Case] = &[
    case("console_log_32_full", speaks, narrow),
    case("console_log_64_full", speaks, wide),
    case("console_log_64_48", for_::all, forty_eight),
    case("console_log_one_by_one", speaks, one_by_one),
    case("console_log_counts", speaks, counts),
    case("console_log_of_nobody", for_::physical, nobody),
];

fn speaks(me: &Me) -> bool {
    !me.is_physical()
}

/// Characters in one call: of the 32-bit form, of the 64-bit form below 1.2, and from there on.
const NARROW: usize = 24;
const WIDE: usize = 48;
const EXTENDED: usize = 128;

fn most(me: &Me) -> usize {
    if me.is_extended() { EXTENDED } else { WIDE }
}

/// The name in what is written: three characters.
fn name(me: &Me) -> &'static str {
    match (me.subject, me.version) {
        (Some(subject), _) => subject.name,
        (None, abi::V1_0) => "vm0",
        (None, abi::V1_1) => "vm1",
        (None, abi::V1_2) => "vm2",
        _ => "vm3",
    }
}

/// `count` characters: `what`, the caller's name, and digits and letters up to the newline.
fn text(what: &str, me: &Me, count: usize) -> [u8; EXTENDED] {
    let head = [what, " ", name(me), " "];
    let head = head.iter().flat_map(|part| part.bytes());
    let rest = (b'0'..=b'9').chain(b'a'..=b'z').cycle();
    let mut text = [0; EXTENDED];
    for (slot, byte) in text.iter_mut().take(count).zip(head.chain(rest)) {
        *slot = byte;
    }
    if let Some(last) = text.get_mut(count.wrapping_sub(1)) {
        *last = b'\n';
    }
    text
}

/// x1 and up of a call with `count` characters, `each` in a register; upper halves of a 32-bit call's
/// registers are garbage.
fn packed(text: &[u8; EXTENDED], count: u64, each: usize) -> [u64; 17] {
    let mut all = [0; 17];
    let garbage = if each == 4 { 0xffff_5a5a << 32 } else { 0 };
    all[0] = count | garbage;
    let registers = if each == 4 { 7 } else { 17 };
    for (register, bytes) in all
        .iter_mut()
        .take(registers)
        .skip(1)
        .zip(text.chunks(each))
    {
        *register = garbage;
        for (place, byte) in bytes.iter().enumerate() {
            *register |= u64::from(*byte) << (8 * place);
        }
    }
    all
}

fn log(env: &mut Env, what: &'static str, id: u32, count: usize) -> Verdict {
    let each = if id == abi::CONSOLE_LOG_32 { 4 } else { 8 };
    let text = text(what, &env.me, count);
    let arguments = packed(&text, count as u64, each);
    // x8-x17 are arguments of the long form only.
    let registers = if count > WIDE { 17 } else { 7 };
    let arguments = arguments.get(..registers).unwrap_or(&[]);
    env.expect(what, id, arguments, &DONE).map(|_| ())
}

fn narrow(env: &mut Env) -> Verdict {
    log(env, "c32", abi::CONSOLE_LOG_32, NARROW)
}

fn wide(env: &mut Env) -> Verdict {
    log(env, "c64", abi::CONSOLE_LOG_64, most(&env.me))
}

/// What every version has.
fn forty_eight(env: &mut Env) -> Verdict {
    if env.me.is_physical() {
        return nobody(env);
    }
    log(env, "c48", abi::CONSOLE_LOG_64, WIDE)
}

fn one_by_one(env: &mut Env) -> Verdict {
    let text = text("one", &env.me, NARROW);
    for (turn, byte) in text.iter().take(NARROW).enumerate() {
        let id = if turn & 1 == 0 {
            abi::CONSOLE_LOG_32
        } else {
            abi::CONSOLE_LOG_64
        };
        let arguments = [1, u64::from(*byte)];
        env.expect_turn("a character", turn as u64, id, &arguments, &DONE)?;
    }
    Ok(())
}

fn counts(env: &mut Env) -> Verdict {
    for count in [0, 25, 26, 48, 128, 0xff, 0x1_0001, 0x8000_0001] {
        env.refused_turn(
            "32-bit form",
            count,
            abi::CONSOLE_LOG_32,
            &[count, 0x41],
            INVALID_PARAMETERS,
        )?;
    }
    let most = most(&env.me) as u64;
    for count in [0, most + 1, most + 8, 129, 0x1_0001, 0x8000_0001] {
        env.refused_turn(
            "64-bit form",
            count,
            abi::CONSOLE_LOG_64,
            &[count, 0x41],
            INVALID_PARAMETERS,
        )?;
    }
    Ok(())
}

/// EL3 keeps it from the normal world.
fn nobody(env: &mut Env) -> Verdict {
    for id in [abi::CONSOLE_LOG_32, abi::CONSOLE_LOG_64] {
        env.refused("FFA_CONSOLE_LOG", id, &[1, 0x41], NOT_SUPPORTED)?;
    }
    Ok(())
}

/// Both forms in full, before FFA_VERSION. The manifest says which version it is.
pub(super) fn early(env: &mut Env) -> Option<Wrong> {
    log(env, "e32", abi::CONSOLE_LOG_32, NARROW)
        .and_then(|()| log(env, "e64", abi::CONSOLE_LOG_64, most(&env.me)))
        .err()
}
