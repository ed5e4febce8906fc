//! Calls of three VMs and partitions in any order: an error changes nothing, whose an RX is both sides agree on, and who
//! ended has left nothing.

use super::rig::*;
use ffa_abi::{Uuid, Version, fid::raw::*};
use proptest::prelude::*;

/// One step: by which VM, what, and numbers for its arguments.
type Step = (u16, u8, [u8; 6]);

const IDS: [u16; 8] = [1, 2, 3, 2, 3, SP, DEAF, 0];

/// What must hold at all times.
fn check(rig: &Rig, dead: &[u16]) {
    let mut windows = 0;
    for vm in 1..=VMS {
        let pair = rig.proxy.note_pair(index(vm)).unwrap().0;
        let there = rig.host.spmc.pairs.get(&vm);
        assert_eq!(
            pair.as_ref().is_some_and(|pair| pair.forwarded),
            there.is_some()
        );
        if let (Some(pair), Some(there)) = (&pair, there) {
            assert_eq!(pair.full, there.whose == Whose::Acquired, "{vm}: {there:?}");
        }
        windows += if pair.is_some() { 2 } else { 0 };
        let (receiver, bitmap) = rig.proxy.note_notifications(index(vm)).unwrap();
        assert_eq!(bitmap, rig.host.spmc.bitmaps.contains_key(&vm));
        if dead.contains(&vm) {
            assert!(pair.is_none() && !bitmap && !receiver.is_pending());
        }
    }
    assert_eq!(rig.host.open.len(), windows);
}

/// A VM's call with these numbers.
fn call(rig: &mut Rig, vm: u16, what: u8, n: [u8; 6]) -> Vec<u64> {
    let id = |n: u8| IDS[usize::from(n & 7)];
    let pair = |sender: u16, receiver: u16| u64::from(sender) << 16 | u64::from(receiver);
    // Mostly in its own name.
    let own = |n: u8| if n < 240 { vm } else { id(n) };
    let bits = u64::from(n[2] & 0xf);
    match what % 10 {
        0 => {
            let flags = u64::from(n[3] & 1);
            vec![BIND.into(), pair(id(n[0]), own(n[1])), flags, bits, 0]
        }
        1 => vec![UNBIND.into(), pair(id(n[0]), own(n[1])), 0, bits, 0],
        2 | 3 => {
            let flags = u64::from(n[3] & 3) | u64::from(n[4] & 3) << 16;
            vec![SET.into(), pair(own(n[1]), id(n[0])), flags, bits, 0]
        }
        4 => vec![
            GET.into(),
            pair(u16::from(n[4] & 3), own(n[1])),
            u64::from(n[2] & 0x1f),
        ],
        5 => vec![
            if n[0] & 1 == 0 {
                PENDING_32
            } else {
                PENDING_64
            }
            .into(),
        ],
        6 => {
            let message = Message {
                sender: own(n[1]),
                receiver: id(n[0]),
                offset: u32::from(n[2] & 0x7f),
                size: u32::from(n[3]) * if n[4] > 200 { 17 } else { 1 },
                service: if n[5] > 200 { service(2) } else { Uuid::NIL },
                ..Message::new(vm, 1)
            };
            rig.puts(vm, &message);
            vec![SEND2.into(), 0, u64::from(n[5] == 9) << 1]
        }
        7 => vec![RX_RELEASE.into(), u64::from(n[0] == 3)],
        8 => match n[0] & 3 {
            0 => vec![RXTX_UNMAP.into()],
            1 => rig.map(vm).to_vec(),
            _ => vec![INFO_GET.into(), 0, 0, 0, 0, u64::from(n[1] & 1)],
        },
        _ => vec![FEATURES.into(), u64::from(n[0] & 7)],
    }
}

fn run(setup: Setup, steps: &[Step]) {
    let mut rig = Rig::of(setup);
    rig.map_all();
    let mut dead = Vec::new();
    for (vm, what, n) in steps {
        let vm = 1 + vm % 3;
        match what {
            // Partitions, the scheduler's other half, and death.
            0..4 if rig.host.spmc.pairs.contains_key(&vm) => {
                rig.partition_sends(vm, n[0]);
            }
            4..8 => rig.host.spmc.got = None,
            8..12 => {
                if let Some(bitmap) = rig.host.spmc.bitmaps.get_mut(&vm) {
                    bitmap.global |= u64::from(n[0]);
                }
            }
            12 if vm != 1 && !dead.contains(&vm) => {
                rig.kill(vm);
                dead.push(vm);
            }
            // On its core the primary runs then.
            _ if !dead.contains(&vm) => {
                let args = call(&mut rig, vm, *what, *n);
                let before = rig.state();
                let x = rig.call(vm, &args);
                if x[0] == u64::from(ERROR) {
                    assert_eq!(rig.state(), before, "{args:x?}");
                } else {
                    assert!(matches!(x[0] as u32, SUCCESS_32 | SUCCESS_64), "{x:x?}");
                }
            }
            _ => {}
        }
        check(&rig, &dead);
    }
    // Whoever is left can be sent to, when it has read what it has.
    for vm in (1..=VMS).filter(|vm| !dead.contains(vm)) {
        if !setup.indirect[usize::from(vm) - 1] || vm == 1 {
            continue;
        }
        rig.call(vm, &rig.map(vm));
        rig.call(1, &rig.map(1));
        rig.call(vm, &[GET.into(), vm.into(), 0xf]);
        rig.call(vm, &[RX_RELEASE.into()]);
        rig.sends(1, &Message::new(1, vm));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 1 } else { 400 }))]

    #[test]
    fn errors_change_nothing_and_both_sides_agree(
        steps in prop::collection::vec(any::<Step>(), 1..160),
        new: bool,
        deaf: bool,
    ) {
        let setup = Setup {
            vms: if new { [Version::V1_3; 3] } else { [Version::V1_3, Version::V1_1, Version::V1_2] },
            indirect: [true, true, !deaf],
            notified: [true, !deaf, true],
            ..SETUP
        };
        run(setup, &steps);
    }
}
