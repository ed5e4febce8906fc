//! What the GICv3 driver of Linux does at boot, and what it wants to read: its order of accesses, on each CPU.

use super::*;

const DEFAULT_PRIORITIES: u32 = 0xa0a0_a0a0;

fn gicr64(gic: &mut VGic, vcpu: u8, offset: u64) -> u64 {
    gic.access(
        0,
        Frame::Redistributor,
        STRIDE * u64::from(vcpu) + offset,
        8,
        None,
    )
    .value
}

/// The first CPU: the distributor.
fn distributor(gic: &mut VGic) -> u64 {
    assert_eq!(gicd(gic, 0xffe8) & 0xf0, 0x30);
    let typer = gicd(gic, 4);
    let lines = u64::from(((typer & 0x1f) + 1) * 32).min(1020);
    assert_eq!(lines, 256);
    assert_eq!(gicd(gic, 0xc), 0, "GICD_TYPER2");
    assert_ne!(gicd(gic, 8), 0, "the IIDR of a known bug");
    set_gicd(gic, 0, 0);
    assert_eq!(gicd(gic, 0) >> 31, 0, "RWP");
    for word in 1..lines / 32 {
        set_gicd(gic, 0x80 + 4 * word, u32::MAX);
    }
    for intid in (32..lines).step_by(16) {
        set_gicd(gic, 0xc00 + intid / 4, 0);
    }
    for intid in (32..lines).step_by(4) {
        set_gicd(gic, 0x400 + intid, DEFAULT_PRIORITIES);
    }
    for word in 1..lines / 32 {
        set_gicd(gic, 0x380 + 4 * word, u32::MAX);
        set_gicd(gic, 0x180 + 4 * word, u32::MAX);
    }
    // ARE_NS, EnableGrp1A and EnableGrp1 of the non-secure view.
    set_gicd(gic, 0, 0x13);
    let control = gicd(gic, 0);
    assert_eq!(control >> 31, 0);
    assert_eq!(control & 0x52, 0x52, "one security state, ARE, group 1");
    for intid in 32..lines {
        let offset = 0x6000 + 8 * intid;
        gic.access(0, Frame::Distributor, offset, 8, Some(0));
    }
    lines
}

/// Each CPU: finds its redistributor by affinity, wakes it, configures its private interrupts.
fn cpu(gic: &mut VGic, cpu: u8) {
    let mut frame = 0;
    loop {
        assert_eq!(gicr(gic, frame, 0xffe8) & 0xf0, 0x30);
        let typer = gicr64(gic, frame, 8);
        assert_eq!(typer & 3, 0, "no LPIs, so no tables for them");
        if typer >> 32 == cpu.into() {
            break;
        }
        assert_eq!(typer & 0x10, 0, "the last one, and not found");
        frame += 1;
    }
    assert_eq!(frame, cpu);
    let waker = gicr(gic, cpu, 0x14);
    set_gicr(gic, cpu, 0x14, waker & !2);
    assert_eq!(gicr(gic, cpu, 0x14) & 4, 0, "ChildrenAsleep");
    set_gicr(gic, cpu, SGI_BASE + 0x80, u32::MAX);
    set_gicr(gic, cpu, SGI_BASE + 0x380, u32::MAX);
    set_gicr(gic, cpu, SGI_BASE + 0x180, u32::MAX);
    for intid in (0..32).step_by(4) {
        set_gicr(gic, cpu, SGI_BASE + 0x400 + intid, DEFAULT_PRIORITIES);
    }
    assert_eq!(gicr(gic, cpu, 0) & 8, 0, "RWP");
    // The IPIs.
    for sgi in 0..8 {
        set_gicr(gic, cpu, SGI_BASE + 0x100, 1 << sgi);
    }
}

/// A trigger is read, written and read again; if it is another then, the driver complains.
fn set_level(gic: &mut VGic, cpu: u8, intid: u64) {
    let (offset, shift) = (SGI_BASE + 0xc00 + intid / 16 * 4, intid % 16 * 2);
    let value = gicr(gic, cpu, offset) & !(2 << shift);
    set_gicr(gic, cpu, offset, value);
    assert_eq!(gicr(gic, cpu, offset), value);
}

#[test]
fn linux_boots_on_four_cpus_and_gets_its_timer_ipis_and_a_device() {
    let mut gic = VGic::new(4);
    let lines = distributor(&mut gic);
    for each in 0..4 {
        cpu(&mut gic, each);
        set_level(&mut gic, each, TIMER.into());
        set_gicr(&mut gic, each, SGI_BASE + 0x100, 1 << TIMER);
        assert_eq!(gicr(&mut gic, each, SGI_BASE + 0x100), 0xff | 1 << TIMER);
        assert_eq!(gicr(&mut gic, each, SGI_BASE + 0x418), DEFAULT_PRIORITIES);
    }
    for word in 1..lines / 32 {
        for block in [0x100, 0x200, 0x300] {
            assert_eq!(gicd(&mut gic, block + 4 * word), 0);
        }
    }
    // A device: an edge, to CPU 2, enabled.
    let (spi, edge) = (33, 2 << 2);
    let triggers = gicd(&mut gic, 0xc08) | edge;
    set_gicd(&mut gic, 0xc08, triggers);
    assert_eq!(gicd(&mut gic, 0xc08), triggers);
    gic.access(0, Frame::Distributor, 0x6000 + 8 * spi, 8, Some(2));
    set_gicd(&mut gic, 0x104, 2);
    assert_eq!(gicd(&mut gic, 0x104), 2);

    for each in 0..4 {
        gic.flush(each, &mut [0; 4]);
    }
    assert_eq!(gic.pend_hw(0, 33, 41), 0b100);
    assert_eq!(gic.pend_hw(2, TIMER, TIMER), 0b100);
    // IPI 1 to all others, by CPU 3.
    assert_eq!(gic.sgi(3, 1 << 40 | 1 << 24), 0b111);
    let mut lrs = [0; 4];
    gic.flush(2, &mut lrs);
    let device = lr(33, PENDING) | HW | 41 << 32;
    assert_eq!(lrs, [lr(1, PENDING), lr_hw(TIMER, PENDING), device, 0]);
    assert!(gic.deliverable(0, 0xf0, true));
    assert!(!gic.deliverable(3, 0xf0, true));
}
