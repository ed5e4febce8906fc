//! What each behaviour writes.

use super::*;
use crate::label::{Labels, Origin};

fn call(labels: &mut Labels, args: &[u64]) -> Frame {
    let mut x = labels.frame(Origin::Hypervisor);
    x[..args.len()].copy_from_slice(args);
    x
}

fn pair(behaviour: Behaviour, version: u32) -> (Spmd, Labels) {
    let mut labels = Labels::default();
    let mut spmd = Spmd::new(behaviour, 1, labels.frame(Origin::Spmc));
    if version != 0 {
        let x = call(&mut labels, &[fid::VERSION.into(), version.into()]);
        assert_eq!(spmd.from_normal(0, &x), To::Secure);
        let mut answer = spmd.cpus[0].secure;
        answer[..8].copy_from_slice(&[
            fid::RESP_32.into(),
            SPMC_TO_SPMD,
            FRAMEWORK | 9,
            0x1_0003,
            0,
            0,
            0,
            0,
        ]);
        assert_eq!(spmd.from_secure(0, &answer), To::Normal);
        assert_eq!(spmd.cpus[0].normal[0], 0x1_0003);
        assert_eq!(spmd.cpus[0].normal[8..], x[8..]);
    }
    (spmd, labels)
}

/// As an SMC32 arrives: without the upper halves of x0-x4.
fn narrowed(x: &Frame) -> Frame {
    core::array::from_fn(|n| if n < 5 { x[n] & 0xffff_ffff } else { x[n] })
}

#[test]
fn the_older_one_carries_x8_to_x17_always() {
    let (mut spmd, mut labels) = pair(Behaviour::Tfa2_12, 0x1_0001);
    let x = call(&mut labels, &[fid::RUN_32.into(), 0x8001_0000]);
    assert_eq!(spmd.from_normal(0, &x), To::Secure);
    assert_eq!(spmd.cpus[0].secure[..18], narrowed(&x)[..18]);
    let mut back = labels.frame(Origin::Spmc);
    back[0] = fid::MSG_WAIT_32.into();
    assert_eq!(spmd.from_secure(0, &back), To::Normal);
    assert_eq!(spmd.cpus[0].normal[..18], narrowed(&back)[..18]);
    assert_eq!(spmd.cpus[0].normal[18..], x[18..]);
}

#[test]
fn the_later_one_decides_by_identifier_and_versions() {
    for version in [0x1_0000, 0x1_0001, 0x1_0002, 0x1_0003] {
        for wide in [false, true] {
            let (mut spmd, mut labels) = pair(Behaviour::ByCompletion, version);
            let before = spmd.cpus[0].secure;
            let request = if wide { fid::REQ_64 } else { fid::REQ_32 };
            let x = call(&mut labels, &[request.into(), 0x8001, 0]);
            assert_eq!(spmd.from_normal(0, &x), To::Secure);
            let seen = match (wide, version >= V1_2) {
                (false, _) => before[8..18].to_vec(),
                (true, false) => vec![0; 10],
                (true, true) => x[8..18].to_vec(),
            };
            assert_eq!(spmd.cpus[0].secure[8..18], seen, "{version:#x} {wide}");
            let mut back = labels.frame(Origin::Spmc);
            back[0] = fid::RESP_64.into();
            back[1] = 0x8001_0000;
            assert_eq!(spmd.from_secure(0, &back), To::Normal);
            let own = if version >= V1_2 { &back } else { &x };
            assert_eq!(spmd.cpus[0].normal[8..18], own[8..18]);
        }
    }
}

#[test]
fn calls_above_its_range_are_nobodys() {
    let (mut spmd, mut labels) = pair(Behaviour::Tfa2_12, 0x1_0002);
    let x = call(&mut labels, &[0xc400_008f]);
    assert_eq!(spmd.from_normal(0, &x), To::Normal);
    assert_eq!(spmd.cpus[0].normal[0], u64::MAX);
    assert_eq!(spmd.cpus[0].normal[1..], x[1..]);
}

#[test]
fn a_secure_interrupt_comes_back_with_nothing_written() {
    for behaviour in Behaviour::ALL {
        let (mut spmd, mut labels) = pair(behaviour, 0x1_0002);
        let mut resume = labels.frame(Origin::Spmc);
        resume[0] = fid::NORMAL_WORLD_RESUME.into();
        assert_eq!(spmd.from_secure(0, &resume), To::Secure, "none is going on");
        assert_eq!(spmd.cpus[0].secure[2], 0xffff_fffa);
        let x = labels.frame(Origin::Vm(1));
        assert_eq!(spmd.secure_interrupt(0, &x), To::Secure);
        assert_eq!(spmd.from_secure(0, &resume), To::Normal);
        assert_eq!(spmd.cpus[0].normal, x);
    }
}

#[test]
fn what_is_not_the_callers_is_refused() {
    let (mut spmd, mut labels) = pair(Behaviour::Tfa2_12, 0x1_0002);
    for (x0, x1, code) in [
        (fid::MSG_WAIT_32, 0, 0xffff_ffff),
        (fid::YIELD_32, 0, 0xffff_ffff),
        (fid::RUN_64, 0x8001_0000, 0xffff_ffff),
        (fid::NORMAL_WORLD_RESUME, 0, 0xffff_fffa),
        (fid::CONSOLE_LOG_64, 1, 0xffff_ffff),
        (fid::REQ2, 0x8002_8001, 0xffff_fffe),
        (fid::REQ_32, 0x0000_ffc0, 0xffff_fffe),
    ] {
        let x = call(&mut labels, &[x0.into(), x1]);
        assert_eq!(spmd.from_normal(0, &x), To::Normal, "{x0:#x}");
        let own = spmd.cpus[0].normal;
        assert_eq!(own[..8], [fid::ERROR.into(), 0, code, 0, 0, 0, 0, 0]);
        assert_eq!(own[8..], x[8..]);
    }
}
