//! What a party does when it is asked: the client for itself too.

use super::protocol::{
    CALL, COMPARE, COMPARE_ENTRIES, ENTRIES, FAULT, FETCH, FILL, LAST, LOAD, LOAD_32, OK, READ,
    SET, STORE, TOUCH, UNKNOWN, WATCH, WRITE, WRONG_REGISTER,
};
use super::{ZEROES, pattern};
use crate::abi;
use crate::expect::{self, Mismatch};
use crate::rt::{
    call::{Conduit, checked_call, fresh},
    fault::{self, Fault},
    regs,
};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A status and its details.
pub type Answer = (u64, [u64; 4]);

/// x4-x7 of the next call.
static MORE: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];
/// x4-x7 of what the last call came back with.
static RESULTS: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];
/// Calls so far.
static CALLS: AtomicU64 = AtomicU64::new(0);

/// Does what is asked for.
pub fn obey(command: u16, a: [u64; 4]) -> Answer {
    match command {
        CALL => make(a),
        SET => {
            for (slot, value) in MORE.iter().zip(a) {
                slot.store(value, Relaxed);
            }
            (OK, [0; 4])
        }
        LAST => {
            let mut results = [0; 4];
            for (result, slot) in results.iter_mut().zip(&RESULTS) {
                *result = slot.load(Relaxed);
            }
            (OK, results)
        }
        WRITE => answer(
            (a[0]..)
                .step_by(8)
                .zip(&a[1..])
                .try_for_each(|(at, word)| write(at, *word))
                .map(|()| [0; 4]),
        ),
        READ => answer(read_four(a[0])),
        FILL => answer(fill(a[0], a[1], a[2]).map(|()| [0; 4])),
        COMPARE => answer(compare(a[0], a[1], a[2])),
        TOUCH => answer(touch(a[0], a[1], a[2]).map(|value| [value, 0, 0, 0])),
        ENTRIES => answer(entries(a, write).map(|()| [0; 4])),
        COMPARE_ENTRIES => answer(compare_entries(a)),
        WATCH => answer(watch(a)),
        _ => (UNKNOWN, [0; 4]),
    }
}

fn answer(result: Result<[u64; 4], Fault>) -> Answer {
    match result {
        Ok(details) => (OK, details),
        Err(fault) => (FAULT, [fault.esr, fault.far, 0, 0]),
    }
}

/// Makes a call, by both conduits in turn but where there is only one.
fn make(a: [u64; 4]) -> Answer {
    let mut call = [0; 18];
    fresh().fill(&mut call[8..]);
    call[..4].copy_from_slice(&a);
    for (register, more) in call[4..8].iter_mut().zip(&MORE) {
        *register = more.load(Relaxed);
        more.store(0, Relaxed);
    }
    let calls = CALLS.load(Relaxed);
    CALLS.store(calls.wrapping_add(1), Relaxed);
    let conduit = match regs::current_el() == 2 || calls & 1 == 0 {
        true => Conduit::Smc,
        false => Conduit::Hvc,
    };
    let exchange = checked_call(conduit, &call);
    let zero = |register: u8| match exchange.got[usize::from(register)] {
        0 => Ok(()),
        got => Err(Mismatch {
            register,
            got,
            want: 0,
        }),
    };
    for (slot, result) in RESULTS.iter().zip(&exchange.got[4..8]) {
        slot.store(*result, Relaxed);
    }
    let wrong = (results(a[0])..8)
        .try_for_each(zero)
        .and_then(|()| expect::own(&exchange, 8));
    match wrong {
        Err(Mismatch {
            register,
            got,
            want,
        }) => (WRONG_REGISTER, [register.into(), got, want, 0]),
        Ok(()) => {
            let [x0, x1, x2, x3, x4, ..] = exchange.got;
            (OK, [x0 & 0xffff_ffff | x4 << 32, x1, x2, x3])
        }
    }
}

/// From which register on nothing comes back of a call; [`CALL`] has no room for more than that.
const fn results(id: u64) -> u8 {
    match id as u32 {
        abi::NOTIFICATION_GET | abi::NOTIFICATION_INFO_GET_32 | abi::NOTIFICATION_INFO_GET_64 => 8,
        _ => 5,
    }
}

fn write(at: u64, word: u64) -> Result<(), Fault> {
    // SAFETY: the client names memory where nothing of this image is.
    unsafe { fault::probe_write(at, word) }
}

fn read_four(at: u64) -> Result<[u64; 4], Fault> {
    let mut words = [0; 4];
    for (at, word) in (at..).step_by(8).zip(&mut words) {
        *word = fault::probe_read(at)?;
    }
    Ok(words)
}

/// The addresses of words and what stands there.
fn words(at: u64, bytes: u64, seed: u64) -> impl Iterator<Item = (u64, u64)> {
    let value = move |at| match seed {
        ZEROES => 0,
        _ => pattern(at, seed),
    };
    (at..at.saturating_add(bytes))
        .step_by(8)
        .map(move |at| (at, value(at)))
}

fn fill(at: u64, bytes: u64, seed: u64) -> Result<(), Fault> {
    words(at, bytes, seed).try_for_each(|(at, word)| write(at, word))
}

fn compare(at: u64, bytes: u64, seed: u64) -> Result<[u64; 4], Fault> {
    let mut seen = [0; 4];
    for (at, want) in words(at, bytes, seed) {
        let got = fault::probe_read(at)?;
        if got != want {
            if seen[0] == 0 {
                seen[1..].copy_from_slice(&[at, got, want]);
            }
            seen[0] += 1;
        }
    }
    Ok(seen)
}

/// One word of each 256 bytes: so that it soon comes to the next page.
fn watch([at, bytes, seed, ticks]: [u64; 4]) -> Result<[u64; 4], Fault> {
    let (start, mut seen) = (regs::cntvct(), [0; 4]);
    while regs::cntvct().wrapping_sub(start) < ticks {
        for (at, want) in words(at, bytes, seed).step_by(32) {
            let got = fault::probe_read(at)?;
            if got != want {
                if seen[0] == 0 {
                    seen[2..].copy_from_slice(&[at, got]);
                }
                seen[0] += 1;
            }
            write(at, want)?;
        }
        seen[1] += 1;
    }
    Ok(seen)
}

fn touch(at: u64, how: u64, value: u64) -> Result<u64, Fault> {
    match how {
        LOAD => fault::probe_read(at),
        LOAD_32 => fault::probe_read_32(at),
        STORE => write(at, value).map(|()| 0),
        FETCH => {
            // SAFETY: what the client has written there is an instruction that returns; or the fetch faults.
            unsafe {
                core::arch::asm!("dsb sy", "ic iallu", "dsb sy", "isb", options(nostack));
                fault::probe_execute(at).map(|()| 0)
            }
        }
        _ => Ok(0),
    }
}

/// The words of constituents, one after the other.
fn entries(
    [at, base, shape, stride]: [u64; 4],
    mut each: impl FnMut(u64, u64) -> Result<(), Fault>,
) -> Result<(), Fault> {
    let (pages, count) = (shape & 0xffff_ffff, shape >> 32);
    for number in 0..count {
        each(
            at + 16 * number,
            base.wrapping_add(stride.wrapping_mul(number)),
        )?;
        each(at + 16 * number + 8, pages)?;
    }
    Ok(())
}

fn compare_entries(a: [u64; 4]) -> Result<[u64; 4], Fault> {
    let mut seen = [0; 4];
    entries(a, |at, want| {
        let got = fault::probe_read(at)?;
        if got != want {
            if seen[0] == 0 {
                seen[1..].copy_from_slice(&[at, got, want]);
            }
            seen[0] += 1;
        }
        Ok(())
    })?;
    Ok(seen)
}
