//! VMs and partitions that do anything in any order, an SPMC that refuses at random, tables that run out: what must
//! hold at all times, and that nothing is lost in the end.

use super::{
    super::spmc::{RXTX_MAP_64, RXTX_UNMAP},
    host::*,
    rig::*,
    spmc::*,
};
use ffa_abi::FfaError::*;
use std::collections::BTreeSet;

/// Pages that each VM gives away.
const POOL: core::ops::Range<u64> = FREE..FREE + 24;

/// Xorshift.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % below
    }

    fn once_in(&mut self, n: u64) -> bool {
        self.next(n) == 0
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.next(of.len() as u64) as usize]
    }
}

struct Play {
    rig: Rig,
    random: Random,
    /// What was offered: handle, kind, offer.
    handles: Vec<(u64, u32, Offer)>,
    /// What is unfinished: handle, kind, offer, constituents sent.
    unfinished: Vec<(u64, u32, Offer, usize)>,
    dead: BTreeSet<u16>,
    succeeded: usize,
}

impl Play {
    fn vm(&mut self) -> u16 {
        let alive: Vec<_> = (1..=VMS).filter(|vm| !self.dead.contains(vm)).collect();
        self.random.pick(&alive)
    }

    fn parts(&mut self, vm: u16) -> Vec<(u64, u32)> {
        let random = &mut self.random;
        let count = 1 + random.next(4);
        let mut parts = Vec::new();
        let mut next = POOL.start + random.next(20);
        for _ in 0..count {
            let pages = 1 + random.next(2);
            if next + pages > POOL.end {
                break;
            }
            let of = if random.once_in(30) {
                1 + random.next(3) as u16
            } else {
                vm
            };
            parts.push((page(of, next), pages as u32));
            next += pages + random.next(3);
        }
        if random.once_in(2) {
            parts.reverse();
        }
        if random.once_in(40) {
            parts[0].1 = 0;
        }
        parts
    }

    fn offer(&mut self) {
        let vm = self.vm();
        let parts = self.parts(vm);
        let fid = self
            .random
            .pick(&[MEM_SHARE, MEM_LEND, MEM_LEND, MEM_DONATE]);
        if fid == MEM_DONATE && !self.random.once_in(12) {
            return;
        }
        let others: Vec<u16> = [1, 2, 3, SP, OTHER_SP, SP, OTHER_SP].to_vec();
        let receivers = 1 + u64::from(fid != MEM_DONATE && self.random.once_in(3));
        let access = if fid == MEM_DONATE { 0 } else { RW };
        let mut offer = Offer::to(SP, vm, &parts);
        offer.receivers.clear();
        for _ in 0..receivers {
            offer.receivers.push((self.random.pick(&others), access));
        }
        if fid != MEM_SHARE && receivers == 1 {
            offer = offer.untyped();
        }
        if fid != MEM_SHARE && self.random.once_in(3) {
            offer.flags = 1;
        }
        let bytes = offer.bytes(self.rig.setup.vms);
        let behind = match self.random.once_in(3) {
            true => self.random.next(offer.parts.len() as u64 + 1) as usize,
            false => 0,
        };
        let length = bytes.len() - 16 * behind;
        self.rig.write(vm, &bytes);
        let x = self
            .rig
            .call(vm, &[fid.into(), bytes.len() as u64, length as u64]);
        let sent = offer.parts.len() - behind;
        self.answered(x, fid, offer, sent);
    }

    fn answered(&mut self, x: [u64; 8], fid: u32, offer: Offer, sent: usize) {
        if x[0] == u64::from(MEM_FRAG_RX) {
            self.unfinished.push((x[1] | x[2] << 32, fid, offer, sent));
        } else if x[0] == OK[0] {
            self.succeeded += 1;
            self.handles.push((x[2] | x[3] << 32, fid, offer));
        }
    }

    fn fragment(&mut self) {
        if self.unfinished.is_empty() {
            return;
        }
        let at = self.random.next(self.unfinished.len() as u64) as usize;
        let (handle, fid, offer, sent) = self.unfinished.swap_remove(at);
        let vm = offer.sender;
        if self.dead.contains(&vm) {
            return;
        }
        let more = 1 + self.random.next((offer.parts.len() - sent) as u64) as usize;
        let bytes = offer.bytes(self.rig.setup.vms);
        let start = bytes.len() - 16 * (offer.parts.len() - sent);
        self.rig.write(vm, &bytes[start..][..16 * more]);
        let length = 16 * more as u64;
        let x = self.rig.call(
            vm,
            &[
                MEM_FRAG_TX.into(),
                handle & 0xffff_ffff,
                handle >> 32,
                length,
            ],
        );
        self.answered(x, fid, offer, sent + more);
    }

    fn step(&mut self) {
        if self.random.once_in(12) {
            self.rig.host.tables = self.random.next(3) as usize;
        }
        if self.random.once_in(12) {
            // INVALID_PARAMETERS means something when memory is reclaimed.
            let refused = self.random.pick(&[NoMemory, Denied, Busy, Aborted]);
            let at = self.random.next(3) as usize;
            self.rig.host.spmc.instead = Some((at, Instead::Refuses(refused)));
        }
        let known = match self.handles.is_empty() {
            true => None,
            false => Some(self.random.next(self.handles.len() as u64) as usize),
        };
        let what = self.random.next(100);
        match (what, known) {
            (0..35, _) => self.offer(),
            (35..45, _) => self.fragment(),
            (45..60, Some(at)) => {
                let (handle, fid, offer) = self.handles[at].clone();
                let vm = self.vm();
                let access = if fid == MEM_SHARE || offer.receivers.len() > 1 {
                    RW
                } else {
                    NX
                };
                let mut request = offer.wanted(handle, access);
                request.receivers[0].0 = vm;
                if offer.receivers.len() > 1 {
                    request.flags |= 1 << 10;
                }
                if fid != MEM_SHARE && self.random.once_in(3) {
                    request.flags |= 1 << 2;
                }
                if self.rig.retrieve(vm, &request)[0] == u64::from(MEM_RETRIEVE_RESP) {
                    self.rig.release(vm);
                    self.succeeded += 1;
                }
            }
            (60..72, Some(at)) => {
                let vm = self.vm();
                let flags = u32::from(self.random.once_in(4));
                self.rig.relinquish(vm, self.handles[at].0, flags);
            }
            (72..84, Some(at)) => {
                let (handle, _, offer) = &self.handles[at];
                let (handle, sender) = (*handle, offer.sender);
                let mut vm = sender;
                if self.dead.contains(&vm) || self.random.once_in(8) {
                    vm = self.vm();
                }
                let owner = vm == sender;
                let x = self.rig.reclaim(vm, handle, 0);
                self.succeeded += usize::from(x == OK);
                // It is back, or was donated.
                if x == OK || owner && x == error(InvalidParameters) {
                    self.handles.swap_remove(at);
                }
            }
            (84..94, _) => {
                let spmc = &mut self.rig.host.spmc;
                let complete = spmc.sent.iter().filter(|(_, sent)| sent.is_complete());
                let all: Vec<_> = complete
                    .map(|(handle, sent)| (*handle, sent.retrieved))
                    .collect();
                if !all.is_empty() {
                    match self.random.pick(&all) {
                        (handle, true) => spmc.relinquish(handle),
                        (handle, false) => spmc.retrieve(handle),
                    }
                }
            }
            (94..97, _) => self.rig.interrupt(),
            (97, _) => {
                let vm = self.vm();
                self.rig.succeeds(vm, &[RXTX_UNMAP.into()]);
                let map = [RXTX_MAP_64.into(), page(vm, TX), page(vm, RX), 1];
                self.rig.succeeds(vm, &map);
            }
            (98, _) if self.random.once_in(8) => {
                let vm = 2 + self.random.next(2) as u16;
                if self.dead.insert(vm) {
                    self.rig.kill(vm);
                }
            }
            _ => {}
        }
        self.rig.host.tables = usize::MAX;
    }

    /// Whom the SPMC, VMs and the map say that pages belong to.
    fn check(&mut self) {
        self.rig.check();
        let shown =
            |vm: u16, at| matches!(self.rig.seen(vm, at), Some(Seen::Own | Seen::Granted(_)));
        let spmc = &self.rig.host.spmc;
        let mut out: BTreeSet<u64> = BTreeSet::new();
        for sent in spmc.sent.values().filter(|sent| sent.is_complete()) {
            for at in sent.addresses() {
                let wanted = sent.fid == MEM_SHARE;
                for vm in 1..=VMS {
                    assert_eq!(shown(vm, at), wanted && vm == sent.sender, "{vm} {at:#x}");
                }
                assert!(out.insert(at), "{at:#x} was given twice");
            }
        }
        for at in spmc.donated.iter().flat_map(Sent::addresses) {
            assert!(
                (1..=VMS).all(|vm| !shown(vm, at)),
                "{at:#x} is a partition's"
            );
        }
        let incomplete = spmc.sent.values().filter(|sent| !sent.is_complete());
        let unfinished = self.unfinished.iter();
        let alive = unfinished.filter(|(_, _, offer, _)| {
            let to = offer.receivers[0].0;
            to >= 0x8000 && !self.dead.contains(&offer.sender)
        });
        assert_eq!(incomplete.count(), alive.count(), "half-sent transactions");
    }

    /// Everybody gives back what they have: all is as it was, but for what was donated.
    fn wind_up(mut self) {
        self.rig.host.spmc.instead = None;
        let all: Vec<_> = self
            .rig
            .host
            .spmc
            .sent
            .iter()
            .map(|(h, s)| (*h, s.retrieved))
            .collect();
        for (handle, _) in all.into_iter().filter(|(_, retrieved)| *retrieved) {
            self.rig.host.spmc.relinquish(handle);
        }
        while !self.unfinished.is_empty() {
            self.fragment();
        }
        for (handle, _, offer) in self.handles.clone() {
            for vm in (1..=VMS).filter(|vm| !self.dead.contains(vm)) {
                while self.rig.relinquish(vm, handle, 0) == OK {}
            }
            if !self.dead.contains(&offer.sender) {
                self.rig.reclaim(offer.sender, handle, 0);
            }
        }
        for _ in 0..100 {
            self.rig.interrupt();
        }
        self.check();
        assert!(self.rig.host.spmc.sent.is_empty());
        let donated: BTreeSet<u64> = self
            .rig
            .host
            .spmc
            .donated
            .iter()
            .flat_map(Sent::addresses)
            .collect();
        for at in (1..=VMS).flat_map(|vm| POOL.map(move |n| page(vm, n))) {
            let seen: Vec<_> = (1..=VMS).filter_map(|vm| self.rig.seen(vm, at)).collect();
            match donated.contains(&at) {
                // Of a VM that ended meanwhile its place is still known.
                true => assert!(
                    seen.is_empty() || seen == [Seen::Hidden],
                    "{at:#x} {seen:?}"
                ),
                false => assert!(
                    matches!(seen[..], [Seen::Own | Seen::Granted(_)]),
                    "{at:#x} {seen:?}"
                ),
            }
        }
    }
}

#[test]
fn whatever_happens_memory_is_where_it_should_be_and_none_is_lost() {
    let mut succeeded = 0;
    for seed in 1..=60 {
        let rig = Rig::new();
        let mut play = Play {
            rig,
            random: Random(u64::wrapping_mul(seed, 0x9e37_79b9_7f4a_7c15)),
            handles: Vec::new(),
            unfinished: Vec::new(),
            dead: BTreeSet::new(),
            succeeded: 0,
        };
        for _ in 0..500 {
            play.step();
            play.check();
        }
        succeeded += play.succeeded;
        play.wind_up();
    }
    println!("{succeeded} calls that changed something");
    assert!(succeeded > 3000);
}
