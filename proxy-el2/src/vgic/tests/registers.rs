//! What the frames hold.

use super::super::{DISTRIBUTOR_SIZE, REDISTRIBUTOR_SIZE};
use super::*;

/// Loads whatever is there.
fn load(gic: &mut VGic, frame: Frame, offset: u64, size: u8) -> u64 {
    gic.access(0, frame, offset, size, None).value
}

#[test]
fn control_has_one_security_state_affinity_routing_and_group_1() {
    let mut gic = VGic::new(2);
    assert_eq!(gicd(&mut gic, 0), 0x50);
    // Nothing else can be set: also no bit that says that a write is pending.
    assert_eq!(set_gicd(&mut gic, 0, u32::MAX), Access::default());
    assert_eq!(gicd(&mut gic, 0), 0x52);
    set_gicd(&mut gic, 0, 0);
    assert_eq!(gicd(&mut gic, 0), 0x50);
}

#[test]
fn type_promises_224_spis_and_nothing_beyond() {
    let mut gic = VGic::new(8);
    let typer = gicd(&mut gic, 4);
    assert_eq!(typer & 0x1f, 7, "32 * (7 + 1) INTIDs");
    assert_eq!(typer >> 19 & 0x1f, 9, "10 bits");
    assert_eq!(typer >> 8 & 1, 0, "no extended SPIs");
    assert_eq!(typer >> 10 & 1, 0, "one security state");
    assert_eq!(typer >> 16 & 7, 0, "no messages, no LPIs");
    assert_eq!(typer >> 25 & 1, 1, "no 1 of N");
    assert_eq!(typer >> 26 & 1, 0, "no range selector");
    set_gicd(&mut gic, 4, 0);
    assert_eq!(gicd(&mut gic, 4), typer);
    assert_eq!(gicd(&mut gic, 0xc), 0);
}

#[test]
fn identification_is_a_gicv3_that_linux_has_no_workaround_for() {
    let mut gic = VGic::new(2);
    for value in [gicd(&mut gic, 8), gicr(&mut gic, 1, 4)] {
        assert_eq!(value, 0x5400_0000);
    }
    for value in [gicd(&mut gic, 0xffe8), gicr(&mut gic, 1, 0xffe8)] {
        assert_eq!(value & 0xf0, 0x30);
    }
}

#[test]
fn redistributor_type_names_its_vcpu_and_the_last_one() {
    let mut gic = VGic::new(3);
    for vcpu in 0..3u8 {
        let offset = REDISTRIBUTOR_SIZE * u64::from(vcpu) + 8;
        let last = u64::from(vcpu == 2) << 4;
        let wanted = u64::from(vcpu) << 32 | u64::from(vcpu) << 8 | last;
        assert_eq!(load(&mut gic, Frame::Redistributor, offset, 8), wanted);
        let low = load(&mut gic, Frame::Redistributor, offset, 4);
        let high = load(&mut gic, Frame::Redistributor, offset + 4, 4);
        assert_eq!((low, high), (wanted & 0xffff_ffff, wanted >> 32));
    }
    // Beyond the last there is none.
    for offset in [0x14, 8, 0xffe8] {
        let beyond = REDISTRIBUTOR_SIZE * 3 + offset;
        assert_eq!(load(&mut gic, Frame::Redistributor, beyond, 4), 0);
    }
    assert_eq!(load(&mut gic, Frame::Redistributor, 1 << 40, 4), 0);
}

#[test]
fn a_redistributor_sleeps_and_is_woken() {
    let mut gic = VGic::new(2);
    assert_eq!(gicr(&mut gic, 1, 0x14), 6);
    set_gicr(&mut gic, 1, 0x14, 4);
    assert_eq!(gicr(&mut gic, 1, 0x14), 0);
    assert_eq!(gicr(&mut gic, 0, 0x14), 6);
    set_gicr(&mut gic, 1, 0x14, 2);
    assert_eq!(gicr(&mut gic, 1, 0x14), 6);
    assert_eq!(gicr(&mut gic, 1, 0), 0, "no write is pending");
}

#[test]
fn enables_are_set_and_cleared_for_each_interrupt() {
    let mut gic = VGic::new(2);
    for bit in 0..32 {
        set_gicr(&mut gic, 1, SGI_BASE + 0x100, 1 << bit);
        assert_eq!(gicr(&mut gic, 1, SGI_BASE + 0x100), 1 << bit);
        assert_eq!(gicr(&mut gic, 1, SGI_BASE + 0x180), 1 << bit);
        assert_eq!(gicr(&mut gic, 0, SGI_BASE + 0x100), 0);
        set_gicr(&mut gic, 1, SGI_BASE + 0x180, 1 << bit);
        assert_eq!(gicr(&mut gic, 1, SGI_BASE + 0x100), 0);
    }
    for word in 1..8 {
        set_gicd(&mut gic, 0x100 + 4 * word, 0x8000_0001);
        set_gicd(&mut gic, 0x100 + 4 * word, 0x10);
        assert_eq!(gicd(&mut gic, 0x100 + 4 * word), 0x8000_0011);
        set_gicd(&mut gic, 0x180 + 4 * word, 1);
        assert_eq!(gicd(&mut gic, 0x180 + 4 * word), 0x8000_0010);
    }
}

#[test]
fn private_interrupts_and_those_beyond_255_are_not_in_the_distributor() {
    let mut gic = VGic::new(1);
    for block in (0x80..0x400).step_by(0x80) {
        for offset in [block, block + 0x20, block + 0x7c] {
            set_gicd(&mut gic, offset, u32::MAX);
            assert_eq!(gicd(&mut gic, offset), 0, "{offset:#x}");
        }
    }
    for offset in [0x400, 0x41c, 0x500, 0x7fc, 0xc00, 0xc04, 0xc40] {
        set_gicd(&mut gic, offset, u32::MAX);
        assert_eq!(gicd(&mut gic, offset), 0, "{offset:#x}");
    }
    assert_eq!(gicr(&mut gic, 0, SGI_BASE + 0x100), 0);
    // Nor is an SPI in a redistributor.
    for offset in [0x104, 0x204, 0x304, 0x420, 0xc08] {
        set_gicr(&mut gic, 0, SGI_BASE + offset, u32::MAX);
        assert_eq!(gicr(&mut gic, 0, SGI_BASE + offset), 0, "{offset:#x}");
    }
}

#[test]
fn all_interrupts_are_in_group_1() {
    let mut gic = VGic::new(1);
    set_gicd(&mut gic, 0x84, 0);
    set_gicr(&mut gic, 0, SGI_BASE + 0x80, 0);
    assert_eq!(gicd(&mut gic, 0x84), u32::MAX);
    assert_eq!(gicr(&mut gic, 0, SGI_BASE + 0x80), u32::MAX);
    // Group modifiers and access by the other security state: there is none.
    for offset in [0xd04, 0xe04] {
        set_gicd(&mut gic, offset, u32::MAX);
        assert_eq!(gicd(&mut gic, offset), 0);
    }
}

#[test]
fn pending_and_active_states_are_set_and_cleared() {
    let mut gic = VGic::new(2);
    for (set, clear) in [(0x200, 0x280), (0x300, 0x380)] {
        set_gicd(&mut gic, set + 8, 0x11);
        assert_eq!(gicd(&mut gic, set + 8), 0x11);
        assert_eq!(gicd(&mut gic, clear + 8), 0x11);
        set_gicd(&mut gic, clear + 8, 0x10);
        assert_eq!(gicd(&mut gic, set + 8), 1);
        set_gicd(&mut gic, clear + 8, 1);
        set_gicr(&mut gic, 1, SGI_BASE + set, 0x8001_0001);
        assert_eq!(gicr(&mut gic, 1, SGI_BASE + set), 0x8001_0001);
        assert_eq!(gicr(&mut gic, 0, SGI_BASE + set), 0);
        set_gicr(&mut gic, 1, SGI_BASE + clear, u32::MAX);
        assert_eq!(gicr(&mut gic, 1, SGI_BASE + set), 0);
    }
    assert_eq!(gic, VGic::new(2).touched_like(&gic));
}

#[test]
fn priorities_are_bytes_of_five_bits() {
    let mut gic = VGic::new(2);
    set_gicd(&mut gic, 0x424, 0xff80_4021);
    assert_eq!(gicd(&mut gic, 0x424), 0xf880_4020);
    assert_eq!(load(&mut gic, Frame::Distributor, 0x426, 1), 0x80);
    gic.access(0, Frame::Distributor, 0x425, 1, Some(0xffff_ff0f));
    assert_eq!(gicd(&mut gic, 0x424), 0xf880_0820);
    set_gicr(&mut gic, 1, SGI_BASE + 0x41c, 0x0102_03f0);
    assert_eq!(gicr(&mut gic, 1, SGI_BASE + 0x41c), 0xf0);
    assert_eq!(gicr(&mut gic, 0, SGI_BASE + 0x41c), 0);
    assert_eq!(gicd(&mut gic, 0x4fc), 0);
    // No half words.
    gic.access(0, Frame::Distributor, 0x424, 2, Some(0));
    assert_eq!(load(&mut gic, Frame::Distributor, 0x424, 2), 0);
    assert_eq!(gicd(&mut gic, 0x424), 0xf880_0820);
}

#[test]
fn configuration_says_edge_or_level_and_sgis_are_edges() {
    let mut gic = VGic::new(1);
    assert_eq!(gicr(&mut gic, 0, SGI_BASE + 0xc00), 0xaaaa_aaaa);
    set_gicr(&mut gic, 0, SGI_BASE + 0xc00, 0);
    assert_eq!(gicr(&mut gic, 0, SGI_BASE + 0xc00), 0xaaaa_aaaa);
    set_gicr(&mut gic, 0, SGI_BASE + 0xc04, 0xffff_0000);
    assert_eq!(gicr(&mut gic, 0, SGI_BASE + 0xc04), 0xaaaa_0000);
    assert_eq!(gicd(&mut gic, 0xc08), 0);
    set_gicd(&mut gic, 0xc08, 0x0000_0003);
    set_gicd(&mut gic, 0xc0c, 0x8000_0000);
    assert_eq!(gicd(&mut gic, 0xc08), 2);
    assert_eq!(gicd(&mut gic, 0xc0c), 0x8000_0000);
    assert_eq!(gicr(&mut gic, 0, SGI_BASE + 0xc00), 0xaaaa_aaaa);
}

#[test]
fn routes_are_affinities_whole_or_in_halves() {
    let mut gic = VGic::new(2);
    let route = 0x6000 + 8 * 40;
    gic.access(0, Frame::Distributor, route, 8, Some(u64::MAX));
    assert_eq!(
        load(&mut gic, Frame::Distributor, route, 8),
        0xff_00ff_ffff,
        "no 1 of N"
    );
    set_gicd(&mut gic, route, 1);
    assert_eq!(gicd(&mut gic, route), 1);
    assert_eq!(gicd(&mut gic, route + 4), 0xff);
    set_gicd(&mut gic, route + 4, 0);
    assert_eq!(load(&mut gic, Frame::Distributor, route, 8), 1);
    // The neighbours are as they were, and private interrupts and INTIDs from 256 on have none.
    for other in [39, 41, 0, 31, 256, 1019] {
        let offset = 0x6000 + 8 * other;
        if !(32..256).contains(&other) {
            gic.access(0, Frame::Distributor, offset, 8, Some(1));
        }
        assert_eq!(load(&mut gic, Frame::Distributor, offset, 8), 0, "{other}");
    }
}

#[test]
fn what_does_not_exist_reads_zero_and_ignores_writes() {
    let mut gic = ready(2);
    gic.pend(0, 40);
    let before = gic.clone();
    let offsets = [
        0x10, 0x40, 0x48, 0x50, 0x58, 0x800, 0x824, 0xf00, 0xf10, 0xf20, 0x5ffc, 0x6ffc, 0xc000,
        0xffd0, 0xffe0, 0xfff0,
    ];
    for offset in offsets {
        assert_eq!(set_gicd(&mut gic, offset, u32::MAX), Access::default());
        assert_eq!(gicd(&mut gic, offset), 0, "{offset:#x}");
    }
    for offset in [0, 0x10, 0x40, 0x70, 0x78, 0xa0, 0xb0, 0xffd0] {
        assert_eq!(set_gicr(&mut gic, 1, offset, u32::MAX), Access::default());
        assert_eq!(gicr(&mut gic, 1, offset), 0, "{offset:#x}");
    }
    for offset in [0, 0x8, 0x84, 0xd00, 0xe00, 0xffe8] {
        let offset = SGI_BASE + offset;
        assert_eq!(set_gicr(&mut gic, 1, offset, u32::MAX), Access::default());
        assert_eq!(gicr(&mut gic, 1, offset), 0, "{offset:#x}");
    }
    for (frame, end) in [
        (Frame::Distributor, DISTRIBUTOR_SIZE),
        (Frame::Redistributor, 2 * REDISTRIBUTOR_SIZE),
    ] {
        for offset in [end, end + 0x100, u64::MAX, u64::MAX - 3] {
            assert_eq!(gic.access(0, frame, offset, 4, Some(1)), Access::default());
            assert_eq!(load(&mut gic, frame, offset, 4), 0);
        }
    }
    assert_eq!(gic, before);
}

#[test]
fn wrong_sizes_and_places_read_zero_and_ignore_writes() {
    let mut gic = ready(1);
    gic.pend(0, 40);
    let before = gic.clone();
    for size in [0, 1, 2, 3, 5, 8, 16, 255] {
        for offset in [0, 4, 8, 0x104, 0x184, 0x200, 0x284, 0x384, 0xc08, 0xffe8] {
            let write = gic.access(0, Frame::Distributor, offset, size, Some(u64::MAX));
            assert_eq!(write, Access::default(), "{offset:#x}, {size}");
            assert_eq!(load(&mut gic, Frame::Distributor, offset, size), 0);
        }
        for offset in [0x14, SGI_BASE + 0x180] {
            gic.access(0, Frame::Redistributor, offset, size, Some(u64::MAX));
        }
    }
    for offset in [1, 2, 0x105, 0x186, 0x425, 0x6141, 0x6142] {
        for size in [2, 4, 8] {
            gic.access(0, Frame::Distributor, offset, size, Some(0));
            assert_eq!(load(&mut gic, Frame::Distributor, offset, size), 0);
        }
    }
    // A route's second half is not whole.
    gic.access(0, Frame::Distributor, 0x6144, 8, Some(u64::MAX));
    assert_eq!(gic, before);
}

#[test]
fn a_vcpu_that_does_not_exist_does_nothing() {
    let mut gic = ready(2);
    let before = gic.clone();
    for vcpu in [2, 7, 8, 255] {
        assert_eq!(
            gic.access(vcpu, Frame::Distributor, 0x180 + 4, 4, Some(1)),
            Access::default()
        );
        assert_eq!(gic.pend(vcpu, 3), 0);
        assert_eq!(gic.pend(vcpu, 40), 0);
        assert_eq!(gic.pend_hw(vcpu, TIMER, TIMER), 0);
        assert_eq!(gic.level(vcpu, TIMER, true), 0);
        assert_eq!(gic.sgi(vcpu, 1), 0);
        assert_eq!(gic.released(vcpu), None);
        assert_eq!(gic.part(vcpu, TIMER), None);
        assert_eq!(gic.sync(vcpu, &mut [lr(1, PENDING)]), 0);
        assert_eq!(gic.flush(vcpu, &mut [0; 4]).used, 0);
        assert!(!gic.deliverable(vcpu, 0xff, true));
        assert!(!gic.dirty(vcpu));
        let _ = gic.ended(vcpu, 3);
        let _ = gic.deactivate(vcpu, TIMER);
        gic.reset_vcpu(vcpu);
    }
    assert_eq!(gic, before);
    assert_eq!(VGic::new(0), VGic::new(1));
    assert_eq!(VGic::new(200), VGic::new(8));
}

#[test]
fn it_stays_small() {
    assert!(size_of::<VGic>() < 8 * 1024);
}

impl VGic {
    /// Equal to `other` but for what is left of states that came and went.
    fn touched_like(mut self, other: &Self) -> Self {
        self.dirty = other.dirty;
        self.holder = other.holder;
        self
    }
}
