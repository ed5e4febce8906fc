//! The short way and the general one leave the same.

use super::{
    super::spmc::{RXTX_MAP_64, RXTX_UNMAP},
    host::*,
    rig::*,
    spmc::*,
};
use ffa_abi::{FfaError::*, Version};

/// A rig that goes the short way where it can, and one whose VMs' descriptors have a layout for which there is none.
fn both() -> [Rig; 2] {
    [Version::V1_3, Version::V1_1].map(|vms| Rig::of(Setup { vms, ..SETUP }))
}

/// What is the same of two rigs whose VMs speak other versions.
#[track_caller]
fn same([short, general]: &mut [Rig; 2]) {
    short.check();
    general.check();
    assert_eq!(short.host.seen, general.host.seen);
    let sent = |rig: &Rig| {
        let mut sent = rig.host.spmc.sent.clone();
        for access in sent.values_mut().flat_map(|sent| &mut sent.receivers) {
            // 1.1 has no such value.
            access.3 = [0; 16];
        }
        sent
    };
    assert_eq!(sent(short), sent(general));
    let book = |rig: &Rig| {
        let value = format!("Some({VALUE:?})");
        format!("{:?}", rig.proxy.shares).replace(&value, "None")
    };
    assert_eq!(book(short), book(general));
}

/// Both do something, and see the same.
#[track_caller]
fn each(rigs: &mut [Rig; 2], mut act: impl FnMut(&mut Rig) -> [u64; 8]) -> [u64; 8] {
    let [short, general] = rigs;
    let answers = [act(short), act(general)];
    assert_eq!(answers[0], answers[1]);
    same(rigs);
    answers[0]
}

fn handle(x: [u64; 8]) -> u64 {
    assert_eq!((x[0], x[1]), (OK[0], 0), "{x:x?}");
    x[2] | x[3] << 32
}

#[test]
fn pages_that_are_given_and_taken_back() {
    let mut rigs = both();
    let mut handles = Vec::new();
    // More than a VM is guaranteed, in no order of addresses, of both kinds, read-only and not.
    for n in 0..40u64 {
        let parts = [(page(1, FREE + n * 23 % 97), 1 + n as u32 % 2)];
        let mut offer = Offer::to(if n % 3 == 0 { SP } else { OTHER_SP }, 1, &parts);
        if n % 2 == 0 {
            offer = offer.untyped();
        }
        if n % 5 == 0 {
            offer.receivers[0].1 = RO;
        }
        let fid = if n % 2 == 0 { MEM_LEND } else { MEM_SHARE };
        let wide = u32::from(n % 4 < 2) << 30;
        let x = each(&mut rigs, |rig| rig.offer(fid | wide, 1, &offer));
        if x[0] == OK[0] {
            handles.push(handle(x));
        }
    }
    assert!(handles.len() > 30);
    for (n, handle) in handles.iter().enumerate() {
        if n % 3 == 0 {
            each(&mut rigs, |rig| {
                rig.host.spmc.retrieve(*handle);
                let x = rig.reclaim(1, *handle, 0);
                assert_eq!(x, error(Denied));
                rig.host.spmc.relinquish(*handle);
                x
            });
        }
        let flags = n as u64 % 2;
        assert_eq!(each(&mut rigs, |rig| rig.reclaim(1, *handle, flags)), OK);
    }
    let [short, general] = &rigs;
    let asked = |rig: &Rig| {
        rig.host
            .spmc
            .asked
            .iter()
            .map(|regs| regs.w::<0>())
            .collect::<Vec<_>>()
    };
    assert_eq!(asked(short), asked(general));
}

#[test]
fn what_is_not_the_plain_good_case() {
    type Change = fn(&mut Offer);
    let changes: &[(&str, Change)] = &[
        ("nothing", |_| {}),
        ("another name", |o| o.sender = 2),
        ("a handle", |o| o.handle = 5),
        ("zeroed", |o| o.flags = 1),
        ("a reserved flag", |o| o.flags = 1 << 31),
        ("attributes", |o| o.attributes ^= 0x20),
        ("the NS bit", |o| o.attributes |= 0x40),
        ("to a VM", |o| o.receivers[0].0 = 2),
        ("to itself", |o| o.receivers[0].0 = 1),
        ("to nobody", |o| o.receivers[0].0 = 0x80ff),
        ("access of no kind", |o| o.receivers[0].1 = 0),
        ("reserved access", |o| o.receivers[0].1 = 3),
        ("execution", |o| o.receivers[0].1 = RW | 8),
        ("two receivers", |o| o.receivers.push((OTHER_SP, RO))),
        ("two parts", |o| o.parts.push((page(1, 60), 1))),
        ("no pages", |o| o.parts[0].1 = 0),
        ("more pages than stated", |o| o.pages = Some(1)),
        ("many pages", |o| o.parts[0].1 = u32::MAX),
        ("half a page", |o| o.parts[0].0 |= 0x10),
        ("beyond all addresses", |o| o.parts[0].0 = u64::MAX - 0xfff),
        ("its buffer", |o| o.parts[0].0 = page(1, RX)),
        ("another VM's", |o| o.parts[0].0 = page(2, 40)),
        ("pages that are given already", |o| {
            o.parts[0].0 = page(1, 99)
        }),
        ("pages in front of those", |o| o.parts[0].0 = page(1, 98)),
        ("pages behind those", |o| o.parts[0].0 = page(1, 101)),
    ];
    for (what, change) in changes {
        for fid in [MEM_SHARE, MEM_LEND, MEM_DONATE] {
            for tables in [0, usize::MAX] {
                let mut rigs = both();
                let taken = Offer::to(SP, 1, &[(page(1, 99), 2)]);
                handle(each(&mut rigs, |rig| rig.offer(MEM_SHARE, 1, &taken)));
                let mut offer = Offer::to(SP, 1, &[(page(1, 40), 2)]);
                if fid == MEM_LEND {
                    offer = offer.untyped();
                }
                change(&mut offer);
                println!("{what} {fid:#x} {tables}");
                let x = each(&mut rigs, |rig| {
                    rig.host.tables = tables;
                    rig.offer(fid, 1, &offer)
                });
                if x[0] == OK[0] {
                    let handle = handle(x);
                    assert_eq!(each(&mut rigs, |rig| rig.reclaim(1, handle, 0)), OK);
                }
            }
        }
    }
}

#[test]
fn what_the_spmc_refuses_or_says() {
    for fid in [MEM_SHARE, MEM_LEND] {
        for instead in [
            Instead::Refuses(NoMemory),
            Instead::Refuses(Denied),
            Instead::Says([u64::MAX, 0, 0, 0, 0]),
            Instead::Says([0x8400_0062, 0, 0, 0, 0]),
            Instead::Says([MEM_FRAG_RX.into(), 7, 1, 112, 0]),
            Instead::Says([0x1234, 0, 0, 0, 0]),
        ] {
            let mut rigs = both();
            let mut offer = Offer::to(SP, 1, &[(page(1, 40), 2)]);
            if fid == MEM_LEND {
                offer = offer.untyped();
            }
            each(&mut rigs, |rig| {
                rig.host.spmc.instead = Some((0, instead));
                rig.offer(fid, 1, &offer)
            });
            let given = handle(each(&mut rigs, |rig| rig.offer(fid, 1, &offer)));
            each(&mut rigs, |rig| {
                rig.host.spmc.instead = Some((0, instead));
                rig.reclaim(1, given, 0)
            });
        }
    }
}

#[test]
fn what_registers_and_buffers_are_not_for_it() {
    let mut rigs = both();
    let offer = Offer::to(SP, 1, &[(page(1, 40), 1)]);
    let given = handle(each(&mut rigs, |rig| rig.offer(MEM_SHARE, 1, &offer)));
    let (low, high) = (given & 0xffff_ffff, given >> 32);
    let reclaim = u64::from(MEM_RECLAIM);
    for args in [
        [reclaim, low + 1, high, 0, 0],
        [reclaim, low, high, 2, 0],
        [reclaim, low, high, 1 << 31, 0],
        [reclaim | 1 << 30, low, high, 0, 0],
    ] {
        each(&mut rigs, |rig| rig.call(1, &args));
        each(&mut rigs, |rig| rig.call(2, &args));
    }
    for rig in &mut rigs {
        let length = offer.bytes(rig.setup.vms).len() as u64;
        for args in [
            [length, length, 1, 0],
            [length, length, 0, 1],
            [length - 16, length - 16, 0, 0],
        ] {
            rig.write(1, &offer.bytes(rig.setup.vms));
            let x = rig.call(1, &[MEM_SHARE.into(), args[0], args[1], args[2], args[3]]);
            assert_ne!(x[0], OK[0]);
        }
        rig.succeeds(1, &[RXTX_UNMAP.into()]);
        rig.refuses(1, &[MEM_SHARE.into(), length, length], InvalidParameters);
        rig.succeeds(1, &[RXTX_MAP_64.into(), page(1, TX), page(1, RX), 1]);
        // The upper halves do not count.
        let noise = 0xdead_beef << 32;
        let x = [MEM_RECLAIM.into(), low | noise, high | noise, noise];
        assert_eq!(rig.call(1, &x), OK);
    }
    same(&mut rigs);
}
