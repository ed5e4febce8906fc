//! Aborts, as a CPU describes them.

use super::super::mmio::{MmioAccess, decode};

/// EC: data abort from a lower level; IL; ISV; DFSC: translation fault at level 3.
const ABORT: u64 = 0x24 << 26 | 1 << 25 | 1 << 24 | 0b00_0111;
const SF: u64 = 1 << 15;
const SSE: u64 = 1 << 21;
const WNR: u64 = 1 << 6;

const fn sas(log: u64) -> u64 {
    log << 22
}

const fn srt(register: u64) -> u64 {
    register << 16
}

#[test]
fn loads_and_stores_are_read_from_the_syndrome() {
    for (log, size) in [(0, 1), (1, 2), (2, 4), (3, 8)] {
        for register in 0..32u8 {
            for write in [false, true] {
                for (sign_extend, wide) in [(false, false), (true, false), (true, true)] {
                    let esr = ABORT
                        | sas(log)
                        | srt(register.into())
                        | if write { WNR } else { 0 }
                        | if sign_extend { SSE } else { 0 }
                        | if wide { SF } else { 0 };
                    let wanted = MmioAccess {
                        write,
                        size,
                        register,
                        sign_extend,
                        wide,
                    };
                    assert_eq!(decode(esr), Some(wanted));
                }
            }
        }
    }
    // Acquire and release, which fault it was and what stands above do not matter.
    for more in [1 << 14, 1 << 10, 0xff << 32] {
        assert_eq!(decode(ABORT | more), decode(ABORT));
    }
}

#[test]
fn anything_else_is_no_access() {
    assert_eq!(decode(ABORT & !(1 << 24)), None, "no syndrome");
    assert_eq!(decode(ABORT | 1 << 8), None, "cache maintenance");
    assert_eq!(decode(ABORT | 1 << 7), None, "a walk of stage 1");
    for class in (0..64).filter(|class| *class != 0x24) {
        assert_eq!(decode(ABORT & !(0x3f << 26) | class << 26), None);
    }
    for status in 0..64 {
        let found = decode(ABORT & !0x3f | status).is_some();
        assert_eq!(found, (4..8).contains(&status), "{status:#x}");
    }
}

fn loaded(esr: u64, value: u64) -> u64 {
    let mut x = [u64::MAX; 31];
    let access = decode(ABORT | esr | srt(5)).unwrap();
    access.complete(&mut x, value);
    assert!((0..31).all(|i| i == 5 || x[i] == u64::MAX));
    x[5]
}

#[test]
fn a_load_is_extended_to_its_register() {
    let value = 0x8182_8384_8586_8788;
    assert_eq!(loaded(sas(0), value), 0x88);
    assert_eq!(loaded(sas(1), value), 0x8788);
    assert_eq!(loaded(sas(2), value), 0x8586_8788);
    assert_eq!(loaded(sas(3) | SF, value), value);
    assert_eq!(loaded(sas(0) | SSE, value), 0xffff_ff88);
    assert_eq!(loaded(sas(1) | SSE, value), 0xffff_8788);
    assert_eq!(loaded(sas(0) | SSE | SF, value), 0xffff_ffff_ffff_ff88);
    assert_eq!(loaded(sas(1) | SSE | SF, value), 0xffff_ffff_ffff_8788);
    assert_eq!(loaded(sas(2) | SSE | SF, value), 0xffff_ffff_8586_8788);
    assert_eq!(loaded(sas(3) | SSE | SF, value), value);
    assert_eq!(loaded(sas(1) | SSE | SF, 0x7fff), 0x7fff);
}

#[test]
fn the_zero_register_is_written_as_zero_and_swallows_loads() {
    let access = decode(ABORT | sas(3) | srt(31)).unwrap();
    let mut x = [7; 31];
    assert_eq!(access.value(&x), 0);
    access.complete(&mut x, 1);
    assert_eq!(x, [7; 31]);
}

#[test]
fn a_store_writes_its_size() {
    let x = core::array::from_fn(|i| 0x1111_2222_3333_4400 + i as u64);
    let stored = |log, register| {
        decode(ABORT | WNR | sas(log) | srt(register))
            .unwrap()
            .value(&x)
    };
    assert_eq!(stored(0, 0), 0);
    assert_eq!(stored(0, 30), 30);
    assert_eq!(stored(1, 2), 0x4402);
    assert_eq!(stored(2, 3), 0x3333_4403);
    assert_eq!(stored(3, 4), 0x1111_2222_3333_4404);
}
