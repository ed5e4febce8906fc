//! The registers one by one, what list registers hold, a boot of Linux, and random sequences against a plain model.

mod linux;
mod lists;
mod mmio;
mod model;
mod raise;
mod registers;

use super::{Access, Frame, VGic};

const PENDING: u64 = 1 << 62;
const ACTIVE: u64 = 1 << 63;
const HW: u64 = 1 << 61;
const EOI: u64 = 1 << 41;
const TIMER: u32 = 27;

const SGI_BASE: u64 = 0x1_0000;
const STRIDE: u64 = 0x2_0000;

/// Loads a word of the distributor.
fn gicd(gic: &mut VGic, offset: u64) -> u32 {
    let read = gic.access(0, Frame::Distributor, offset, 4, None);
    assert_eq!(read.kick, 0);
    u32::try_from(read.value).unwrap()
}

/// Stores a word to the distributor.
fn set_gicd(gic: &mut VGic, offset: u64, value: u32) -> Access {
    gic.access(0, Frame::Distributor, offset, 4, Some(value.into()))
}

/// Loads a word of a vCPU's redistributor, from RD_base.
fn gicr(gic: &mut VGic, vcpu: u8, offset: u64) -> u32 {
    let offset = STRIDE * u64::from(vcpu) + offset;
    let read = gic.access(vcpu, Frame::Redistributor, offset, 4, None);
    assert_eq!(read.kick, 0);
    u32::try_from(read.value).unwrap()
}

/// Stores a word to a vCPU's redistributor, from RD_base.
fn set_gicr(gic: &mut VGic, vcpu: u8, offset: u64, value: u32) -> Access {
    let offset = STRIDE * u64::from(vcpu) + offset;
    gic.access(vcpu, Frame::Redistributor, offset, 4, Some(value.into()))
}

/// A GIC on which everything is enabled, at priority 0xa0, and SPIs go to vCPU 0.
fn ready(vcpus: u8) -> VGic {
    let mut gic = VGic::new(vcpus);
    set_gicd(&mut gic, 0, 2);
    for vcpu in 0..vcpus {
        set_gicr(&mut gic, vcpu, SGI_BASE + 0x100, u32::MAX);
        for offset in (0..32).step_by(4) {
            set_gicr(&mut gic, vcpu, SGI_BASE + 0x400 + offset, 0xa0a0_a0a0);
        }
    }
    for word in 1..8 {
        set_gicd(&mut gic, 0x100 + 4 * word, u32::MAX);
    }
    for offset in (32..256).step_by(4) {
        set_gicd(&mut gic, 0x400 + offset, 0xa0a0_a0a0);
    }
    for vcpu in 0..vcpus {
        gic.flush(vcpu, &mut [0; 4]);
        assert!(!gic.dirty(vcpu));
    }
    gic
}

/// The priority of an interrupt of vCPU 0.
fn set_priority(gic: &mut VGic, intid: u32, priority: u8) -> Access {
    let offset = 0x400 + u64::from(intid);
    let value = Some(priority.into());
    if intid < 32 {
        gic.access(0, Frame::Redistributor, SGI_BASE + offset, 1, value)
    } else {
        gic.access(0, Frame::Distributor, offset, 1, value)
    }
}

/// A list register, in group 1 at priority 0xa0.
const fn lr(intid: u32, state: u64) -> u64 {
    entry(intid, state, 0xa0)
}

/// One with a physical interrupt of the same number.
const fn lr_hw(intid: u32, state: u64) -> u64 {
    lr(intid, state) | HW | (intid as u64) << 32
}

const fn entry(intid: u32, state: u64, priority: u8) -> u64 {
    state | 1 << 60 | (priority as u64) << 48 | intid as u64
}

/// The numbers in list registers.
fn numbers(lrs: &[u64]) -> Vec<u32> {
    let number = |lr: &u64| (lr & 0xffff_ffff) as u32;
    lrs.iter().filter(|lr| **lr != 0).map(number).collect()
}
