//! What list registers hold, and what comes back from them.

use super::*;

const UIE: u64 = 2;
const LRENPIE: u64 = 4;
const NPIE: u64 = 8;

#[test]
fn the_highest_priorities_are_listed_first() {
    let mut gic = ready(1);
    for (intid, priority) in [(1, 0x80), (2, 0x40), (40, 0x20), (41, 0x60), (42, 0x40)] {
        set_priority(&mut gic, intid, priority);
        assert_eq!(gic.pend(0, intid), 1);
    }
    let mut lrs = [0; 4];
    let flush = gic.flush(0, &mut lrs);
    let wanted = [
        entry(40, PENDING, 0x20),
        entry(2, PENDING, 0x40),
        entry(42, PENDING, 0x40),
        entry(41, PENDING, 0x60),
    ];
    assert_eq!(lrs, wanted);
    assert_eq!((flush.used, flush.pending), (4, 4));
    assert!(flush.underflow && !flush.unlisted);
    assert_eq!(flush.hcr(), NPIE);
    // The guest ends three and works on the fourth: it keeps its place, and the fifth gets one.
    let mut lrs = wanted.map(|lr| lr & !PENDING);
    lrs[2] |= ACTIVE;
    let flush = gic.flush(0, &mut lrs);
    assert_eq!(
        lrs,
        [entry(42, ACTIVE, 0x40), entry(1, PENDING, 0x80), 0, 0]
    );
    assert!(!flush.underflow);
    assert_eq!(flush.hcr(), 0);
}

#[test]
fn a_higher_priority_takes_the_place_of_a_lower_one_that_was_not_taken() {
    let mut gic = ready(1);
    let mut lrs = [0; 2];
    gic.pend(0, 40);
    gic.pend(0, 41);
    gic.flush(0, &mut lrs);
    assert!(!gic.dirty(0));
    gic.pend(0, 42);
    set_priority(&mut gic, 42, 0x10);
    assert!(gic.dirty(0));
    assert!(gic.flush(0, &mut lrs).underflow);
    assert_eq!(lrs, [entry(42, PENDING, 0x10), lr(40, PENDING)]);
    assert_eq!(gicd(&mut gic, 0x204), 0b111 << 8);
}

#[test]
fn an_active_interrupt_keeps_its_list_register() {
    let mut gic = ready(1);
    gic.pend(0, 40);
    let mut lrs = [0; 1];
    gic.flush(0, &mut lrs);
    lrs = [lr(40, ACTIVE)];
    gic.pend(0, 41);
    set_priority(&mut gic, 41, 0);
    let flush = gic.flush(0, &mut lrs);
    assert_eq!(lrs, [lr(40, ACTIVE)]);
    assert!(flush.underflow);
    // An interrupt that asks for at most one valid list register would come for ever.
    assert_eq!(flush.hcr(), 0);
    assert!(gic.dirty(0), "so it is looked at each time");
    let mut lrs = [lr(40, ACTIVE), 0];
    assert_eq!(gic.flush(0, &mut lrs).hcr(), 0);
    gic.pend(0, 42);
    lrs[1] = entry(41, ACTIVE, 0);
    assert_eq!(gic.flush(0, &mut lrs).hcr(), UIE);
}

#[test]
fn more_active_ones_than_list_registers_are_ended_by_count() {
    let mut gic = ready(1);
    let mut lrs = [0; 4];
    for (intid, priority) in [(40, 0x80), (41, 0x60), (42, 0x40), (43, 0x20)] {
        set_priority(&mut gic, intid, priority);
        gic.pend_hw(0, intid, intid + 100);
        gic.flush(0, &mut lrs);
        for lr in lrs.iter_mut().filter(|lr| **lr & PENDING != 0) {
            *lr ^= PENDING | ACTIVE;
        }
    }
    // It moves to a core that has fewer.
    gic.sync(0, &mut lrs);
    let mut lrs = [0; 2];
    let flush = gic.flush(0, &mut lrs);
    assert_eq!(numbers(&lrs), [43, 42]);
    assert_eq!(flush.hcr() & LRENPIE, LRENPIE);
    // It ends all but the first: two in list registers, and one that is in none.
    assert_eq!(gic.ended(0, 1), 0);
    assert_eq!(gic.released(0), Some(141));
    lrs = lrs.map(|lr| lr & !ACTIVE);
    assert!(!gic.flush(0, &mut lrs).unlisted);
    assert_eq!(gicd(&mut gic, 0x304), 1 << 8);
    assert_eq!(gic.hw_outstanding(0).collect::<Vec<_>>(), [140]);
    // More than there are ends what there is.
    gic.sync(0, &mut [lr(40, ACTIVE) | HW, 0]);
    assert_eq!(gic.ended(0, 31), 0);
    assert_eq!(gicd(&mut gic, 0x304), 0);
    gic.pend(0, 50);
    gic.flush(0, &mut lrs);
    gic.sync(0, &mut [lr(50, ACTIVE)]);
    assert_eq!(gic.deactivate(0, 50), 0);
    assert_eq!(gicd(&mut gic, 0x304), 0);
}

#[test]
fn pending_while_active_is_both_in_one_list_register() {
    let mut gic = ready(2);
    let mut lrs = [0; 2];
    gic.sgi(0, 0b10);
    gic.flush(1, &mut lrs);
    lrs[0] = lr(0, ACTIVE);
    assert_eq!(gic.sgi(0, 0b10), 0b10);
    let flush = gic.flush(1, &mut lrs);
    assert_eq!(lrs, [lr(0, PENDING | ACTIVE), 0]);
    assert_eq!((flush.used, flush.pending), (1, 0));
    // The guest ends the first: the second is pending. It takes it: active.
    for state in [PENDING, ACTIVE] {
        lrs[0] = lr(0, state);
        assert_eq!(gic.flush(1, &mut lrs).used, 1);
        assert_eq!(lrs, [lr(0, state), 0]);
    }
    lrs[0] = lr(0, 0);
    assert_eq!(gic.flush(1, &mut lrs).used, 0);
    assert_eq!(lrs, [0, 0]);
}

#[test]
fn a_disabled_interrupt_is_withdrawn_and_an_active_one_is_not() {
    let mut gic = ready(1);
    let mut lrs = [0; 2];
    gic.pend(0, 40);
    gic.pend(0, 41);
    gic.flush(0, &mut lrs);
    lrs[1] = lr(41, ACTIVE);
    gic.sync(0, &mut lrs);
    gic.pend(0, 41);
    assert_eq!(set_gicd(&mut gic, 0x184, 0x300).kick, 1);
    gic.flush(0, &mut lrs);
    assert_eq!(lrs, [lr(41, ACTIVE), 0]);
    assert_eq!(set_gicd(&mut gic, 0x104, 0x300).kick, 1);
    gic.flush(0, &mut lrs);
    assert_eq!(lrs, [lr(41, PENDING | ACTIVE), lr(40, PENDING)]);
    // So does the whole group.
    assert_eq!(set_gicd(&mut gic, 0, 0).kick, 1);
    gic.flush(0, &mut lrs);
    assert_eq!(lrs, [lr(41, ACTIVE), 0]);
    set_gicd(&mut gic, 0, 2);
    assert_eq!(gic.flush(0, &mut lrs).used, 2);
}

#[test]
fn a_physical_interrupt_is_listed_with_its_number_and_moves_with_its_vcpu() {
    let mut gic = ready(2);
    let mut here = [0; 4];
    gic.pend_hw(0, TIMER, TIMER);
    gic.pend_hw(0, 33, 0x3f0);
    gic.flush(0, &mut here);
    let device = lr(33, PENDING) | HW | 0x3f0 << 32;
    assert_eq!(here[..2], [lr_hw(TIMER, PENDING), device]);
    here[0] = lr_hw(TIMER, ACTIVE);
    assert_eq!(gic.sync(0, &mut here), 0);
    assert_eq!(here, [0; 4]);
    assert!(gic.dirty(0));
    assert_eq!(gic.hw_outstanding(0).collect::<Vec<_>>(), [TIMER, 0x3f0]);
    let mut there = [0; 2];
    gic.flush(0, &mut there);
    assert_eq!(there, [lr_hw(TIMER, ACTIVE), device]);
    // Ended: nothing is to be done.
    there = [lr_hw(TIMER, 0), device & !PENDING];
    gic.sync(0, &mut there);
    assert_eq!(gic.hw_outstanding(0).count(), 0);
    assert_eq!(gic.released(0), None);
    assert_eq!(gic.pend_hw(0, TIMER, TIMER), 1);
}

#[test]
fn a_physical_interrupt_is_never_pending_and_active() {
    let mut gic = ready(1);
    let mut lrs = [0; 1];
    gic.pend_hw(0, TIMER, TIMER);
    gic.flush(0, &mut lrs);
    lrs = [lr_hw(TIMER, ACTIVE)];
    gic.pend(0, TIMER);
    gic.flush(0, &mut lrs);
    assert_eq!(lrs, [lr_hw(TIMER, ACTIVE)]);
    assert!(gic.dirty(0), "the other one waits");
    lrs = [lr_hw(TIMER, 0)];
    gic.flush(0, &mut lrs);
    assert_eq!(lrs, [lr(TIMER, PENDING)]);
    assert!(!gic.dirty(0));
}

#[test]
fn a_physical_interrupt_that_comes_again_was_ended_before() {
    // Nobody has looked meanwhile: its list register was taken and ended by the guest alone.
    let mut gic = ready(1);
    let mut lrs = [0; 1];
    gic.pend_hw(0, TIMER, TIMER);
    for _ in 0..3 {
        gic.flush(0, &mut lrs);
        assert_eq!(lrs, [lr_hw(TIMER, PENDING)]);
        lrs = [lr_hw(TIMER, 0)];
        assert_eq!(gic.pend_hw(0, TIMER, TIMER), 1);
        assert!(gic.dirty(0));
    }
    gic.flush(0, &mut lrs);
    lrs = [lr_hw(TIMER, 0)];
    assert_eq!(gic.flush(0, &mut lrs).used, 0);
    assert_eq!(gic.hw_outstanding(0).count(), 0);
}

#[test]
fn a_physical_interrupt_merges_with_one_that_is_pending_by_software() {
    for first in [
        VGic::pend as fn(&mut VGic, u8, u32) -> u8,
        |gic, vcpu, intid| gic.level(vcpu, intid, true),
    ] {
        for listed in [false, true] {
            let mut gic = ready(1);
            let mut lrs = [0; 2];
            first(&mut gic, 0, TIMER);
            if listed {
                gic.flush(0, &mut lrs);
            }
            gic.pend_hw(0, TIMER, TIMER);
            gic.flush(0, &mut lrs);
            assert_eq!(lrs, [lr_hw(TIMER, PENDING), 0]);
            lrs[0] = lr_hw(TIMER, 0);
            assert_eq!(gic.flush(0, &mut lrs).used, 0, "taken once");
        }
    }
}

#[test]
fn an_edge_that_comes_while_one_is_active_by_software_counts() {
    for synced in [false, true] {
        let mut gic = ready(1);
        set_gicd(&mut gic, 0xc08, u32::MAX);
        let mut lrs = [0; 1];
        gic.pend(0, 40);
        gic.flush(0, &mut lrs);
        lrs = [lr(40, ACTIVE)];
        if synced {
            gic.sync(0, &mut lrs);
        }
        gic.pend_hw(0, 40, 40);
        gic.flush(0, &mut lrs);
        assert_eq!(lrs, [lr_hw(40, ACTIVE)]);
        lrs = [lr_hw(40, 0)];
        gic.flush(0, &mut lrs);
        assert_eq!(lrs, [lr(40, PENDING)]);
    }
}

#[test]
fn a_level_is_listed_again_after_its_end() {
    let mut gic = ready(1);
    let mut lrs = [0; 1];
    gic.level(0, TIMER, true);
    gic.flush(0, &mut lrs);
    assert_eq!(lrs, [lr(TIMER, PENDING) | EOI]);
    lrs = [lr(TIMER, ACTIVE) | EOI];
    gic.flush(0, &mut lrs);
    assert_eq!(lrs, [lr(TIMER, ACTIVE) | EOI], "not both");
    lrs = [lr(TIMER, 0) | EOI];
    gic.flush(0, &mut lrs);
    assert_eq!(lrs, [lr(TIMER, PENDING) | EOI]);
    lrs = [lr(TIMER, 0) | EOI];
    gic.sync(0, &mut lrs);
    gic.level(0, TIMER, false);
    assert_eq!(gic.flush(0, &mut lrs).used, 0);
}

#[test]
fn a_level_counts_unless_the_physical_interrupt_is_still_there() {
    for (state, wanted) in [
        (PENDING, lr_hw(TIMER, PENDING)),
        (ACTIVE, lr_hw(TIMER, ACTIVE)),
        (0, lr(TIMER, PENDING) | EOI),
    ] {
        let mut gic = ready(1);
        let mut lrs = [0; 1];
        gic.pend_hw(0, TIMER, TIMER);
        assert_eq!(gic.level(0, TIMER, true), 0);
        gic.flush(0, &mut lrs);
        lrs = [lr_hw(TIMER, state)];
        assert_eq!(gic.level(0, TIMER, true), 1);
        gic.flush(0, &mut lrs);
        assert_eq!(lrs, [wanted]);
        lrs = [lrs[0] & !(PENDING | ACTIVE)];
        gic.sync(0, &mut lrs);
        gic.level(0, TIMER, false);
        assert_eq!(gic.flush(0, &mut lrs).used, 0);
    }
}

#[test]
fn an_spi_stays_where_it_is_active_and_moves_when_it_is_not() {
    let mut gic = ready(3);
    let mut lrs = [0; 2];
    gic.pend(0, 40);
    gic.pend(0, 41);
    gic.flush(0, &mut lrs);
    lrs[0] = lr(40, ACTIVE);
    for intid in [40, 41] {
        let kick = gic.access(1, Frame::Distributor, 0x6000 + 8 * intid, 8, Some(2));
        assert_eq!(kick.kick, 0b001, "who has it");
    }
    // It is in list registers of one vCPU only.
    let mut others = [0; 2];
    assert_eq!(gic.flush(2, &mut others).used, 0);
    let flush = gic.flush(0, &mut lrs);
    assert_eq!(lrs, [lr(40, ACTIVE), 0]);
    assert_eq!(flush.kick, 0b100);
    gic.flush(2, &mut others);
    assert_eq!(others, [lr(41, PENDING), 0]);
    // Pending again, it goes over as soon as it has been ended.
    assert_eq!(gic.pend(1, 40), 0b001);
    gic.flush(0, &mut lrs);
    assert_eq!(lrs, [lr(40, ACTIVE) | EOI, 0]);
    assert_eq!(gic.sync(0, &mut [lr(40, 0) | EOI]), 0b100);
    gic.flush(2, &mut others);
    assert_eq!(others, [lr(40, PENDING), lr(41, PENDING)]);
}

#[test]
fn what_others_write_to_an_interrupt_in_a_list_register_counts_when_it_is_taken_back() {
    let bit = 1u64 << 8;
    // (what others write, as the guest left it) -> (pending, active, physical still held, to be deactivated)
    let rows: [(u64, u64, [bool; 4]); 8] = [
        (0x284, PENDING, [true, false, true, false]),
        (0x284, ACTIVE, [false, true, true, false]),
        (0x384, ACTIVE, [false, false, false, true]),
        (0x384, PENDING, [true, false, true, false]),
        (0x384, 0, [false, false, false, false]),
        (0x304, PENDING, [false, true, true, false]),
        (0x304, ACTIVE, [false, true, true, false]),
        (0x304, 0, [false, true, false, false]),
    ];
    for hw in [true, false] {
        for (offset, state, wanted) in rows {
            let mut gic = ready(2);
            if hw {
                gic.pend_hw(0, 40, 40);
            } else {
                gic.pend(0, 40);
            }
            let mut lrs = [0; 1];
            gic.flush(0, &mut lrs);
            let access = gic.access(1, Frame::Distributor, offset, 4, Some(bit));
            assert_eq!(access.kick, 0b01);
            lrs = [lrs[0] & !PENDING | state];
            gic.sync(0, &mut lrs);
            let released = gic.released(0).is_some();
            let held = gic.hw_outstanding(0).next().is_some();
            let mut pending = gicd(&mut gic, 0x204) != 0;
            let active = gicd(&mut gic, 0x304) != 0;
            let row = format!("{hw}, {offset:#x}, {state:#x}");
            if hw {
                assert_eq!([pending, active, held, released], wanted, "{row}");
            } else {
                assert_eq!((held, released), (false, false), "{row}");
                if (offset, state) == (0x304, PENDING) {
                    assert!(pending, "{row}: by software it can be both");
                    pending = false;
                }
                // Only an edge can be cleared.
                let wanted_pending = wanted[0] && offset != 0x284;
                assert_eq!((pending, active), (wanted_pending, wanted[1]), "{row}");
            }
        }
    }
}

#[test]
fn an_end_in_a_list_register_of_another_is_not_believed() {
    let mut gic = ready(2);
    let mut lrs = [0; 2];
    gic.pend(0, 40);
    gic.pend(0, 3);
    gic.flush(0, &mut lrs);
    // Neither the SPI of the other, nor an SGI that this one never had, nor a number that is none.
    let mut made_up = [lr(40, ACTIVE), lr(3, ACTIVE), lr(700, PENDING), u64::MAX];
    gic.sync(1, &mut made_up);
    assert_eq!(made_up, [0; 4]);
    assert_eq!(gicd(&mut gic, 0x304), 0);
    assert_eq!(gicr(&mut gic, 1, SGI_BASE + 0x300), 0);
    gic.flush(0, &mut lrs);
    assert_eq!(lrs, [lr(3, PENDING), lr(40, PENDING)]);
    // What was in a list register and does not come back was not taken.
    gic.sync(0, &mut []);
    gic.flush(0, &mut lrs);
    assert_eq!(lrs, [lr(3, PENDING), lr(40, PENDING)]);
}

#[test]
fn a_clean_vcpu_needs_no_flush() {
    let mut gic = ready(2);
    let mut lrs = [0; 4];
    gic.pend(1, 40);
    gic.pend(0, 3);
    assert!(gic.dirty(0) && !gic.dirty(1));
    gic.flush(0, &mut lrs);
    assert!(!gic.dirty(0));
    // Once it was taken back, it has to go in again, if something is left.
    gic.sync(0, &mut lrs);
    assert!(gic.dirty(0));
    gic.flush(0, &mut lrs);
    gic.sync(0, &mut [lr(3, 0), lr(40, 0), 0, 0]);
    assert!(!gic.dirty(0));
    gic.sync(0, &mut [0; 4]);
    assert!(!gic.dirty(0));
    // As many list registers as no core has are as good as sixteen.
    for intid in 0..32 {
        gic.pend(0, intid);
    }
    let mut many = [7; 20];
    let flush = gic.flush(0, &mut many);
    assert_eq!((flush.used, flush.underflow), (16, true));
    assert_eq!(many[16..], [0; 4]);
}
