//! What makes interrupts pending, who must look then, and what wakes a vCPU.

use super::*;

const ROUTE: u64 = 0x6000;

fn route(gic: &mut VGic, intid: u32, to: u64) -> u8 {
    let offset = ROUTE + 8 * u64::from(intid);
    gic.access(0, Frame::Distributor, offset, 8, Some(to)).kick
}

#[test]
fn an_sgi_reaches_the_vcpus_in_its_list() {
    let mut gic = ready(8);
    assert_eq!(gic.sgi(2, 5 << 24 | 0b1000_0110), 0b1000_0110);
    for vcpu in 0..8 {
        let pending = if [1, 2, 7].contains(&vcpu) { 1 << 5 } else { 0 };
        assert_eq!(gicr(&mut gic, vcpu, SGI_BASE + 0x200), pending);
        assert_eq!(gic.dirty(vcpu), pending != 0);
    }
    // 9 to 15 are no vCPUs.
    assert_eq!(gic.sgi(2, 0xff00), 0);
}

#[test]
fn an_sgi_to_all_others_spares_its_sender() {
    let mut gic = ready(3);
    // The list and the affinity do not count then.
    assert_eq!(gic.sgi(1, 1 << 40 | 15 << 24 | 0xff_0002), 0b101);
    assert_eq!(gicr(&mut gic, 1, SGI_BASE + 0x200), 0);
    assert_eq!(gicr(&mut gic, 2, SGI_BASE + 0x200), 1 << 15);
}

#[test]
fn an_sgi_elsewhere_reaches_nobody() {
    let mut gic = ready(8);
    let before = gic.clone();
    for place in [16, 23, 32, 39, 44, 47, 48, 55] {
        assert_eq!(gic.sgi(0, 1 << place | 0xff), 0, "bit {place}");
    }
    assert_eq!(gic, before);
    // Bits without a meaning have none.
    assert_eq!(gic.sgi(0, 1 << 56 | 1 << 41 | 1 << 28 | 1), 1);
}

#[test]
fn a_storm_of_sgis_is_one_interrupt() {
    let mut gic = ready(2);
    assert_eq!(gic.sgi(0, 0b10), 0b10);
    let before = gic.clone();
    for _ in 0..10_000 {
        assert_eq!(gic.sgi(0, 0b10), 0, "told once");
    }
    assert_eq!(gic, before);
    let mut lrs = [0; 4];
    assert_eq!(gic.flush(1, &mut lrs).used, 1);
    // It may have been taken since: told once more, and still one.
    assert_eq!(gic.sgi(0, 0b10), 0b10);
    for _ in 0..10_000 {
        assert_eq!(gic.sgi(0, 0b10), 0);
    }
    assert_eq!(gic.flush(1, &mut lrs).used, 1);
    assert_eq!(lrs, [lr(0, PENDING), 0, 0, 0]);
}

#[test]
fn private_interrupts_are_of_one_vcpu() {
    let mut gic = ready(2);
    assert_eq!(gic.pend(1, 20), 0b10);
    assert_eq!(gic.pend_hw(0, TIMER, TIMER), 0b01);
    assert_eq!(gic.level(1, 30, true), 0b10);
    assert_eq!(gicr(&mut gic, 0, SGI_BASE + 0x200), 1 << TIMER);
    assert_eq!(gicr(&mut gic, 1, SGI_BASE + 0x200), 1 << 20 | 1 << 30);
}

#[test]
fn spis_go_where_they_are_routed() {
    let mut gic = ready(3);
    assert_eq!(route(&mut gic, 32, 2), 0);
    assert_eq!(gic.pend(0, 32), 0b100);
    assert_eq!(gic.pend_hw(1, 255, 300), 0b001);
    // A route that changes while it is pending tells both.
    assert_eq!(route(&mut gic, 32, 1), 0b110);
    let mut lrs = [0; 4];
    assert_eq!(gic.flush(2, &mut lrs).used, 0);
    assert_eq!(gic.flush(1, &mut lrs).used, 1);
    assert_eq!(lrs[0], lr(32, PENDING));
}

#[test]
fn an_spi_routed_to_nobody_waits() {
    let mut gic = ready(2);
    for nobody in [2, 0x100, 1 << 32] {
        route(&mut gic, 40, nobody);
        assert_eq!(gic.pend(0, 40), 0);
        assert!((0..2).all(|vcpu| !gic.deliverable(vcpu, 0xff, true)));
        assert_eq!(route(&mut gic, 40, 1), 0b10);
        assert!(gic.deliverable(1, 0xff, true));
        set_gicd(&mut gic, 0x284, 1 << 8);
    }
}

#[test]
fn what_is_disabled_tells_nobody_until_it_is_enabled() {
    let mut gic = VGic::new(2);
    assert_eq!(gic.pend(1, 3), 0);
    assert_eq!(gic.pend(0, 40), 0);
    assert_eq!(set_gicr(&mut gic, 1, SGI_BASE + 0x100, 8).kick, 0);
    assert_eq!(set_gicd(&mut gic, 0, 2).kick, 0b10);
    assert_eq!(set_gicd(&mut gic, 0x104, 1 << 8).kick, 0b01);
}

#[test]
fn what_does_not_exist_is_not_raised() {
    let mut gic = ready(1);
    let before = gic.clone();
    for intid in [256, 1019, 1023, 8192, u32::MAX] {
        assert_eq!(gic.pend(0, intid), 0);
        assert_eq!(gic.pend_hw(0, intid, 40), 0);
        assert_eq!(gic.level(0, intid, true), 0);
    }
    for physical in [1020, 8192, 1 << 16, u32::MAX] {
        assert_eq!(gic.pend_hw(0, 40, physical), 0);
    }
    assert_eq!(gic, before);
}

#[test]
fn a_pending_interrupt_wakes_if_it_is_enabled_and_the_mask_lets_it_through() {
    let mut gic = ready(2);
    assert!(!gic.deliverable(1, 0xff, true));
    gic.pend(1, 3);
    assert!(gic.deliverable(1, 0xff, true));
    assert!(!gic.deliverable(0, 0xff, true));
    assert!(!gic.deliverable(1, 0xff, false));
    // 0xa0 is signalled below a mask that is greater only.
    assert!(gic.deliverable(1, 0xa8, true));
    assert!(!gic.deliverable(1, 0xa0, true));
    assert!(!gic.deliverable(1, 0, true));
    set_gicd(&mut gic, 0, 0);
    assert!(!gic.deliverable(1, 0xff, true));
    set_gicd(&mut gic, 0, 2);
    set_gicr(&mut gic, 1, SGI_BASE + 0x180, 8);
    assert!(!gic.deliverable(1, 0xff, true));
}

#[test]
fn every_source_wakes_but_not_while_the_interrupt_is_active() {
    let raise: [fn(&mut VGic) -> u8; 3] = [
        |gic| gic.pend(0, TIMER),
        |gic| gic.pend_hw(0, TIMER, TIMER),
        |gic| gic.level(0, TIMER, true),
    ];
    for raise in raise {
        let mut gic = ready(1);
        assert_eq!(raise(&mut gic), 1);
        assert!(gic.deliverable(0, 0xff, true));
        set_gicr(&mut gic, 0, SGI_BASE + 0x300, 1 << TIMER);
        assert!(!gic.deliverable(0, 0xff, true));
    }
}

#[test]
fn a_level_that_falls_is_pending_no_more() {
    let mut gic = ready(1);
    assert_eq!(gic.level(0, TIMER, true), 1);
    assert_eq!(gic.level(0, TIMER, true), 0);
    // Software can't clear it.
    set_gicr(&mut gic, 0, SGI_BASE + 0x280, 1 << TIMER);
    assert!(gic.deliverable(0, 0xff, true));
    let mut lrs = [0; 1];
    gic.flush(0, &mut lrs);
    assert_eq!(lrs, [lr(TIMER, PENDING) | EOI]);
    // Who has it in a list register must look.
    assert_eq!(gic.level(0, TIMER, false), 1);
    assert_eq!(gic.flush(0, &mut lrs).used, 0);
    assert!(!gic.deliverable(0, 0xff, true));
}

#[test]
fn clearing_by_software_forgets_a_physical_edge_and_deactivates_it() {
    let mut gic = ready(2);
    set_gicd(&mut gic, 0xc08, 2);
    gic.pend_hw(0, 32, 99);
    gic.pend_hw(0, 33, 98);
    assert_eq!(gic.hw_outstanding(0).collect::<Vec<_>>(), [99, 98]);
    assert_eq!(set_gicd(&mut gic, 0x284, 3).kick, 1);
    // The level stays.
    assert_eq!(gicd(&mut gic, 0x204), 2);
    assert_eq!(gic.released(0), Some(99));
    assert_eq!(gic.released(0), None);
    assert_eq!(gic.hw_outstanding(0).collect::<Vec<_>>(), [98]);
    assert_eq!(gic.hw_outstanding(1).count(), 0);
}

#[test]
fn deactivating_by_software_deactivates_the_physical_interrupt_on_its_core() {
    let mut gic = ready(2);
    gic.pend_hw(1, TIMER, TIMER);
    set_gicr(&mut gic, 1, SGI_BASE + 0x300, 1 << TIMER);
    gic.flush(1, &mut [0; 4]);
    gic.sync(1, &mut [lr_hw(TIMER, ACTIVE)]);
    // Another vCPU does it.
    let offset = STRIDE + SGI_BASE + 0x380;
    let access = gic.access(0, Frame::Redistributor, offset, 4, Some(1 << TIMER));
    assert_eq!(access.kick, 0b10);
    assert_eq!(gic.released(0), None);
    assert_eq!(gic.released(1), Some(TIMER));
    assert_eq!(gic.hw_outstanding(1).count(), 0);
}

#[test]
fn an_interrupt_parts_from_its_physical_one_and_stays_as_it_is() {
    let mut gic = ready(1);
    assert_eq!(gic.part(0, TIMER), None);
    gic.pend_hw(0, TIMER, TIMER);
    assert_eq!(gic.part(0, TIMER), Some(TIMER));
    let mut lrs = [0; 1];
    gic.flush(0, &mut lrs);
    assert_eq!(lrs, [lr(TIMER, PENDING)]);
    lrs = [lr(TIMER, ACTIVE)];
    gic.sync(0, &mut lrs);
    // The physical one comes again: it is the active one's now, and no second one.
    gic.pend_hw(0, TIMER, TIMER);
    gic.flush(0, &mut lrs);
    assert_eq!(lrs, [lr_hw(TIMER, ACTIVE)]);
    assert_eq!(gic.part(0, TIMER), None, "in a list register");
    gic.sync(0, &mut lrs);
    assert_eq!(gic.part(0, TIMER), Some(TIMER));
    gic.flush(0, &mut lrs);
    assert_eq!(lrs, [lr(TIMER, ACTIVE)]);
}

#[test]
fn a_reset_vcpu_has_nothing_and_the_others_keep_theirs() {
    let mut gic = ready(2);
    for vcpu in 0..2 {
        gic.pend(vcpu, 1);
        gic.pend_hw(vcpu, TIMER, TIMER);
        set_gicr(&mut gic, vcpu, SGI_BASE + 0x300, 4);
        set_gicr(&mut gic, vcpu, SGI_BASE + 0xc04, 2);
        set_gicr(&mut gic, vcpu, 0x14, 0);
    }
    route(&mut gic, 40, 1);
    gic.pend(0, 40);
    gic.flush(1, &mut [0; 4]);
    let first = gic.clone();
    gic.reset_vcpu(1);
    for offset in [0x100, 0x200, 0x300, 0x41c, 0xc04] {
        assert_eq!(gicr(&mut gic, 1, SGI_BASE + offset), 0, "{offset:#x}");
    }
    for offset in [0x100, 0x200, 0x300, 0x41c, 0xc04] {
        let mut first = first.clone();
        let wanted = gicr(&mut first, 0, SGI_BASE + offset);
        assert_ne!(wanted, 0);
        assert_eq!(gicr(&mut gic, 0, SGI_BASE + offset), wanted);
    }
    assert_eq!(gicr(&mut gic, 1, SGI_BASE + 0xc00), 0xaaaa_aaaa);
    assert_eq!((gicr(&mut gic, 0, 0x14), gicr(&mut gic, 1, 0x14)), (0, 6));
    assert_eq!(gic.released(1), Some(TIMER));
    assert_eq!(gic.released(1), None);
    // The SPI that stood in its list register is not lost.
    let mut lrs = [0; 4];
    gic.flush(1, &mut lrs);
    assert_eq!(lrs, [lr(40, PENDING), 0, 0, 0]);
}
