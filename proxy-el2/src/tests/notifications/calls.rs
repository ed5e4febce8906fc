//! BIND, UNBIND, SET and GET.

use super::{super::indirect::rig::*, *};
use ffa_abi::{FfaError::*, Version, fid::raw::*};

const BITS: u64 = 1 << 63 | 1 << 32 | 5;

#[test]
fn between_vms_the_proxy_keeps_them() {
    let mut rig = Rig::new();
    rig.succeeds(3, &bind(2, 3, 0, BITS));
    rig.succeeds(2, &set(2, 3, 0, BITS));
    assert_eq!(rig.raised(), [(3, 0, NPI), (1, 1, 8)]);
    rig.sees(3, &get(3, 0, 2), &pending(0, BITS, 0, 0));
    rig.sees(3, &get(3, 0, 2), &pending(0, 0, 0, 0));
    rig.succeeds(3, &unbind(2, 3, BITS));
    assert_eq!(rig.asked(), []);
}

#[test]
fn a_global_one_is_for_whichever_vcpu_and_one_per_context_for_that_one() {
    let mut rig = Rig::new();
    // VM 2 has two vCPUs.
    rig.succeeds(2, &bind(3, 2, 0, 1));
    rig.succeeds(2, &bind(3, 2, 1, 2));
    rig.succeeds(3, &set(3, 2, 0, 1));
    assert_eq!(rig.raised(), [(2, 0, NPI), (2, 1, NPI), (1, 2, 8)]);
    rig.succeeds(3, &set(3, 2, 1 << 16 | 1, 2));
    assert_eq!(rig.raised(), [(2, 1, NPI), (1, 2, 8)]);
    rig.sees(2, &get(2, 0, 2), &pending(0, 1, 0, 0));
    rig.sees(2, &get(2, 1, 2), &pending(0, 2, 0, 0));
    // The primary is on this core.
    rig.succeeds(1, &bind(3, 1, 0, 1));
    rig.succeeds(3, &set(3, 1, 0, 1));
    assert_eq!(rig.raised(), [(1, 2, NPI), (1, 2, 8)]);
}

#[test]
fn those_of_partitions_are_the_spmcs_in_the_vms_name() {
    let mut rig = Rig::new();
    rig.succeeds(2, &bind(SP, 2, 0, BITS));
    rig.succeeds(2, &bind(SP, 2, 1, 1 << 9));
    // The delay is for partitions to ask for.
    rig.succeeds(2, &set(2, SP, 0, 1 << 40));
    rig.succeeds(2, &set(2, SP, 2, 2));
    rig.succeeds(2, &set(2, SP, 7 << 16 | 3, 4));
    let spmc = &mut rig.host.spmc;
    assert_eq!(spmc.set, [(2, 0, 1 << 40), (2, 0, 2), (2, 7 << 16 | 1, 4)]);
    let bitmap = spmc.bitmaps.get_mut(&2).unwrap();
    assert_eq!(bitmap.bound[&63], (SP, false));
    assert_eq!(bitmap.bound[&9], (SP, true));
    bitmap.global = BITS;
    bitmap.own.insert(1, 1 << 9);
    rig.refuses(2, &unbind(SP, 2, 1), Denied);
    rig.sees(2, &get(2, 1, 1), &pending(BITS | 1 << 9, 0, 0, 0));
    rig.succeeds(2, &unbind(SP, 2, BITS));
    // It raises its own interrupts.
    assert_eq!(rig.raised(), []);
    let asked = rig.host.spmc.asked.iter();
    assert!(asked.clone().all(|regs| regs.0[5..] == [0; 13]));
}

#[test]
fn what_both_have_is_told_together() {
    let mut rig = Rig::new();
    let fill = |rig: &mut Rig| {
        rig.succeeds(3, &set(3, 2, 0, 1 << 33));
        let bitmap = rig.host.spmc.bitmaps.get_mut(&2).unwrap();
        (bitmap.global, bitmap.rx_full) = (1 << 40, true);
        rig.asked();
    };
    rig.succeeds(2, &bind(3, 2, 0, 1 << 33));
    for (flags, told, there) in [
        (0xf, pending(1 << 40, 1 << 33, 1, 1), Some(5)),
        (0, pending(0, 0, 0, 0), None),
        (1, pending(1 << 40, 0, 0, 0), Some(1)),
        (2, pending(0, 1 << 33, 0, 0), None),
        (4, pending(0, 0, 1, 0), Some(4)),
        (8, pending(0, 0, 0, 1), None),
        (6, pending(0, 1 << 33, 1, 0), Some(4)),
    ] {
        rig.call(2, &get(2, 0, 0xf));
        if rig.proxy.note_pair(index(2)).unwrap().0.unwrap().full {
            rig.succeeds(2, &[RX_RELEASE.into()]);
        }
        rig.sends(1, &Message::new(1, 2));
        fill(&mut rig);
        rig.sees(2, &get(2, 0, flags), &told);
        let asked: Vec<_> = rig.host.spmc.asked.iter().map(|regs| regs[2]).collect();
        assert_eq!(asked, there.into_iter().collect::<Vec<u64>>());
        // Nothing else was read.
        let rest = rig.call(2, &get(2, 0, 0xf));
        let all = pending(1 << 40, 1 << 33, 1, 1);
        for n in 2..8 {
            assert_eq!(rest[n] | told[n], all[n]);
            assert_eq!(rest[n] & told[n], 0);
        }
    }
    // If the SPMC refuses, nothing is read.
    rig.call(2, &get(2, 0, 0xf));
    fill(&mut rig);
    rig.host.spmc.refuses = Some((GET, Busy));
    rig.sees(2, &get(2, 0, 3), &[ERROR.into(), 0, Busy.register()]);
    rig.sees(2, &get(2, 0, 3), &pending(1 << 40, 1 << 33, 0, 0));
}

#[test]
fn each_mistake_of_bind_and_unbind_has_its_error() {
    let mut rig = Rig::of(Setup {
        notified: [true, true, false],
        ..SETUP
    });
    for mut call in [bind(3, 2, 0, 1), unbind(3, 2, 1)] {
        for (from, to) in [(3, 1), (2, 2), (2, 3), (0, 2), (4, 2), (3, SP), (SP, 3)] {
            call[1] = ids(from, to);
            rig.refuses(2, &call, InvalidParameters);
        }
        for from in [0x8000, 0xffff, 0xffc0, 0x8077, 0x7fff] {
            call[1] = ids(from, 2);
            rig.refuses(2, &call, InvalidParameters);
        }
        for sender in [3, SP] {
            call[1] = ids(sender, 2);
            let bits = core::mem::take(&mut call[3]);
            rig.refuses(2, &call, InvalidParameters);
            call[3] = bits;
            for flag in [2, 4, 1 << 16, 1 << 31] {
                call[2] = flag;
                rig.refuses(2, &call, InvalidParameters);
            }
            call[2] = 0;
            // Who receives none has no such call.
            call[1] = ids(sender % 3, 3);
            rig.refuses(3, &call, NotSupported);
        }
    }
    rig.refuses(2, &unbind(3, 2, 1), Denied);
    rig.succeeds(2, &bind(3, 2, 0, 3));
    for taken in [1, 2, 3, 6, u64::MAX] {
        rig.refuses(2, &bind(3, 2, 0, taken), Denied);
        rig.refuses(2, &bind(1, 2, 1, taken), Denied);
    }
    rig.refuses(2, &unbind(1, 2, 1), Denied);
    rig.refuses(2, &unbind(3, 2, 7), Denied);
    let mut per_context = unbind(3, 2, 1);
    per_context[2] = 1;
    rig.refuses(2, &per_context, InvalidParameters);
    // One that is pending is not let go.
    rig.succeeds(3, &set(3, 2, 0, 2));
    rig.refuses(2, &unbind(3, 2, 3), Denied);
    rig.succeeds(2, &unbind(3, 2, 1));
    rig.call(2, &get(2, 0, 2));
    rig.succeeds(2, &unbind(3, 2, 2));
    // Those of the SPMC's are others.
    rig.succeeds(2, &bind(SP, 2, 0, 3));
    rig.succeeds(2, &bind(3, 2, 0, 3));
    rig.refuses(2, &bind(DEAF, 2, 0, 1), Denied);
}

#[test]
fn each_mistake_of_set_has_its_error() {
    let mut rig = Rig::of(Setup {
        notified: [true, true, false],
        ..SETUP
    });
    rig.succeeds(2, &bind(3, 2, 0, 3));
    rig.succeeds(2, &bind(3, 2, 1, 4));
    for (from, to) in [
        (1, 2),
        (2, 3),
        (SP, 2),
        (0, 2),
        (3, 3),
        (3, 4),
        (3, 0),
        (3, 0x7fff),
    ] {
        rig.refuses(3, &set(from, to, 0, 1), InvalidParameters);
    }
    for to in [0x8000, 0xffff, 0xffc0, 0x8077] {
        rig.refuses(3, &set(3, to, 0, 1), InvalidParameters);
    }
    for to in [2, SP] {
        rig.refuses(3, &set(3, to, 0, 0), InvalidParameters);
        // A context without the flag, and what is reserved.
        for flags in [1 << 16, 1 << 31, 4, 0x8000, 0xfffc] {
            rig.refuses(3, &set(3, to, flags, 1), InvalidParameters);
        }
    }
    // It has two.
    for context in [2, 7, 8, 64, 0xffff] {
        rig.refuses(3, &set(3, 2, context << 16 | 1, 4), InvalidParameters);
    }
    // Who receives none.
    rig.refuses(1, &set(1, 3, 0, 1), InvalidParameters);
    // What is not bound, is bound to another one, or otherwise.
    rig.refuses(3, &set(3, 2, 0, 8), Denied);
    rig.refuses(3, &set(3, 2, 0, 9), Denied);
    rig.refuses(1, &set(1, 2, 0, 1), Denied);
    rig.refuses(3, &set(3, 2, 1, 1), Denied);
    rig.refuses(3, &set(3, 2, 0, 4), Denied);
    rig.refuses(3, &set(3, 2, 0, 5), Denied);
    rig.refuses(3, &set(3, SP, 0, 1 << 60), Denied);
    assert_eq!(rig.raised(), []);
    rig.succeeds(3, &set(3, 2, 2, 3));
    rig.succeeds(3, &set(3, 2, 1 << 16 | 3, 4));
}

#[test]
fn each_mistake_of_get_has_its_error() {
    let mut rig = Rig::of(Setup {
        notified: [true, true, false],
        ..SETUP
    });
    rig.succeeds(2, &bind(3, 2, 0, 1));
    rig.succeeds(3, &set(3, 2, 0, 1));
    rig.raised();
    for of in [0, 1, 3, 4, SP, 0x8000] {
        rig.refuses(2, &get(of, 0, 3), InvalidParameters);
    }
    for flags in [0x10, 0x8000_0000, 0x1f] {
        rig.refuses(2, &get(2, 0, flags), InvalidParameters);
    }
    for context in [2, 8, 0xffff] {
        rig.refuses(2, &get(2, context, 3), InvalidParameters);
    }
    // Who has no bitmap.
    rig.refuses(3, &get(3, 0, 0xf), NotSupported);
    for (call, there) in [(BIND, false), (UNBIND, false), (GET, false), (SET, true)] {
        let asked = [FEATURES.into(), call.into()];
        match there {
            true => rig.succeeds(3, &asked),
            false => rig.refuses(3, &asked, NotSupported),
        }
        rig.succeeds(2, &asked);
    }
    assert_eq!(rig.asked(), []);
    rig.sees(2, &get(2, 1, 0xf), &pending(0, 1, 0, 0));
}

#[test]
fn notifications_are_of_1_1_and_bitmaps_are_the_proxys() {
    let mut rig = Rig::of(Setup {
        vms: [Version::V1_1, Version::V1_0, Version::V1_3],
        ..SETUP
    });
    for call in [
        bind(3, 2, 0, 1),
        unbind(3, 2, 1),
        set(2, 3, 0, 1),
        set(2, 3, 4, 1),
    ] {
        rig.refuses(2, &call, NotSupported);
        rig.refuses(2, &[FEATURES.into(), call[0]], NotSupported);
        rig.succeeds(1, &[FEATURES.into(), call[0]]);
    }
    rig.refuses(2, &get(2, 0, 2), NotSupported);
    for vm in 1..=VMS {
        for fid in [BITMAP_CREATE, BITMAP_DESTROY] {
            rig.refuses(vm, &[fid.into(), vm.into(), 1], NotSupported);
            rig.refuses(vm, &[FEATURES.into(), fid.into()], NotSupported);
        }
        // Those of 1.3 have no public layout.
        for number in 0x94..=0x97 {
            rig.refuses(vm, &[0xc400_0000 | number], NotSupported);
            rig.refuses(vm, &[FEATURES.into(), 0xc400_0000 | number], NotSupported);
        }
    }
    // Nobody has any where the SPMC has none.
    rig.proxy.upstream.notifications = false;
    rig.refuses(1, &bind(3, 1, 0, 1), NotSupported);
    rig.refuses(1, &get(1, 0, 2), NotSupported);
}
