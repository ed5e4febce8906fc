//! Notifications and pairs of a state, in the real code.

mod book;

use super::{Rig, memory::stand_in, proxy::Vms};
use crate::{
    calls::buffers,
    state::{Rx, Writer},
    view::View,
    world::{Who, World},
};
use book::{Book, Keeper, known, write_down};
use ffa_abi::{EndpointId, notifications::Receiver};
use proxy_el2::{MAX_VCPUS, buffers::PairNote as PairOfVm, vcpu::VmIndex};
use spmc::{
    MAX_CPUS,
    context::Slot,
    spm::{PairNote, RxNote},
};

/// A partition's.
type OfPartition = Receiver<MAX_CPUS>;

/// Endpoints whose pairs the SPMC knows.
fn pairs(world: &World) -> impl Iterator<Item = Who> {
    let partitions = (0..world.partitions.len() as u8).map(Who::Slot);
    let vms = (0..world.vms.len() as u8).map(Who::Vm);
    let os = (!world.has_proxy()).then_some(Who::Os);
    let all = partitions.chain(vms).chain(os);
    all.filter(|who| world.has_pair(*who))
}

impl Rig {
    /// Puts the pairs that the SPMC knows into the state of `view`.
    pub(super) fn load_pairs(&mut self, world: &World, view: &View) {
        for who in pairs(world) {
            let state = match view.s.notes.rx[who.buffer()] {
                Rx::None => None,
                Rx::Empty => Some(RxNote::Empty),
                Rx::Full(Writer::Spmc) => Some(RxNote::Full),
                Rx::Full(Writer::Proxy) | Rx::Acquired => Some(RxNote::Acquired),
            };
            let (tx, rx) = buffers(who);
            let tx = match who {
                Who::Vm(vm) => stand_in(vm),
                _ => tx,
            };
            let pages = 1;
            let noted = state.map(|state| PairNote {
                tx,
                rx,
                pages,
                state,
            });
            let restored = self
                .spmc
                .restore_pair(EndpointId(who.id()), noted, &mut self.chip);
            assert_eq!(restored, Ok(()), "{who:?} {noted:?}");
        }
    }

    /// Reads them back.
    pub(super) fn note_pairs(&self, world: &World, after: &mut View) {
        for who in pairs(world) {
            let noted = self.spmc.note_pair(EndpointId(who.id()));
            after.s.notes.rx[who.buffer()] = match noted.map(|pair| pair.state) {
                None => Rx::None,
                Some(RxNote::Empty) => Rx::Empty,
                Some(RxNote::Full) => Rx::Full(Writer::Spmc),
                Some(RxNote::Acquired) => Rx::Acquired,
            };
        }
    }

    /// Puts the SPMC's notifications into the state of `view`.
    pub(super) fn load_notifications(&mut self, world: &World, view: &View) {
        let notes = &view.s.notes;
        let Books {
            partitions, vms, ..
        } = &mut self.books;
        for slot in 0..world.partitions.len() as u8 {
            let who = Who::Slot(slot);
            let known = known(world, notes, who, Keeper::Spmc);
            let receiver = partitions.load(world, Keeper::Spmc, who, known);
            self.spmc.set_notifications(Slot(slot), receiver);
        }
        let there = |who: &Who| !matches!(who, Who::Vm(vm) if view.s.vms[usize::from(*vm)].dead);
        let theirs: Vec<_> = receivers(world)
            .filter(there)
            .map(|who| {
                let known = known(world, notes, who, Keeper::Spmc);
                let receiver = vms.load(world, Keeper::Spmc, who, known).clone();
                (EndpointId(who.id()), world.contexts_of(who), receiver)
            })
            .collect();
        let theirs = theirs.iter().map(|(id, count, of)| (*id, *count, of));
        self.spmc.set_normal_world_notifications(theirs);
    }

    /// Reads them back, after RX buffers.
    pub(super) fn note_notifications(&self, world: &World, after: &mut View) -> Result<(), String> {
        let notes = &mut after.s.notes;
        let Books {
            partitions, vms, ..
        } = &self.books;
        for slot in 0..world.partitions.len() as u8 {
            let who = Who::Slot(slot);
            let look = |of: &OfPartition| partitions.note(world, Keeper::Spmc, who, of);
            let known = self.spmc.notifications(Slot(slot), look)?;
            write_down(world, notes, (who, Keeper::Spmc), known);
        }
        let mut found = Vec::new();
        self.spmc.normal_world_notifications(|id, count, of| {
            let who = receivers(world).find(|who| who.id() == id.0);
            let known = who.map(|who| (who, vms.note(world, Keeper::Spmc, who, of)));
            found.push((id, count, known));
        });
        // Bitmaps of VMs are there as long as those.
        for who in receivers(world) {
            let known = (Default::default(), None);
            if !found.iter().any(|(id, ..)| id.0 == who.id()) {
                write_down(world, notes, (who, Keeper::Spmc), known);
            }
        }
        for (id, count, known) in found {
            let (who, known) = known.ok_or(format!("{id:?} has a bitmap"))?;
            if count != world.contexts_of(who) {
                return Err(format!("{who:?} has {count} vCPUs"));
            }
            write_down(world, notes, (who, Keeper::Spmc), known?);
        }
        Ok(())
    }
}

/// Receivers of both kinds, as the SPMC has them.
#[derive(Debug, Default)]
pub(super) struct Books {
    partitions: Book<MAX_CPUS>,
    vms: Book<64>,
    /// Those that the proxy keeps.
    proxys: Book<MAX_VCPUS>,
}

impl Rig {
    /// Puts the notifications that the proxy keeps into the state of `view`.
    pub(super) fn load_proxys_notifications(&mut self, world: &World, view: &View) {
        let notes = &view.s.notes;
        let Some(Vms { proxy, .. }) = &self.vms else {
            return;
        };
        for vm in 0..world.vms.len() as u8 {
            let (who, index) = (Who::Vm(vm), VmIndex(vm));
            let known = known(world, notes, who, Keeper::Proxy);
            let receiver = self.books.proxys.load(world, Keeper::Proxy, who, known);
            let lives = !view.s.vms[usize::from(vm)].dead;
            let bitmap = lives && world.is_notified(who);
            proxy.restore_notifications(index, &(receiver.clone(), bitmap));
        }
    }

    /// The same of VMs' pairs.
    pub(super) fn load_proxys_pairs(&self, world: &World, view: &View) {
        let Some(Vms { proxy, .. }) = &self.vms else {
            return;
        };
        for vm in 0..world.vms.len() as u8 {
            let who = Who::Vm(vm);
            let (tx, rx) = buffers(who);
            let pair = match view.s.notes.rx[who.buffer()] {
                Rx::None => PairOfVm::NONE,
                state => {
                    let full = state == Rx::Full(Writer::Proxy);
                    PairOfVm::forwarded(tx..tx + 0x1000, rx..rx + 0x1000, full)
                }
            };
            proxy.restore_pair(VmIndex(vm), &pair);
        }
    }

    /// Reads it back, after what the SPMC knows.
    pub(super) fn note_proxys_notes(&self, world: &World, after: &mut View) -> Result<(), String> {
        let Some(Vms { proxy, .. }) = &self.vms else {
            return Ok(());
        };
        for vm in 0..world.vms.len() as u8 {
            let (who, index) = (Who::Vm(vm), VmIndex(vm));
            let noted = proxy.note_notifications(index);
            let (receiver, bitmap) = noted.ok_or("a VM is lost")?;
            let lives = !after.s.vms[usize::from(vm)].dead;
            if bitmap != (lives && world.is_notified(who)) {
                return Err(format!("{who:?} has a bitmap: {bitmap}"));
            }
            let book = &self.books.proxys;
            let known = book.note(world, Keeper::Proxy, who, &receiver)?;
            let notes = &mut after.s.notes;
            write_down(world, notes, (who, Keeper::Proxy), known);
            let pair = proxy.note_pair(index).and_then(|pair| pair.is_full());
            let rx = &mut notes.rx[who.buffer()];
            *rx = match (*rx, pair) {
                (Rx::None, None) => Rx::None,
                (Rx::Acquired, Some(true)) => Rx::Full(Writer::Proxy),
                (rx @ (Rx::Empty | Rx::Full(Writer::Spmc)), Some(false)) => rx,
                (rx, pair) => {
                    return Err(format!(
                        "RX of {who:?} is {rx:?} at the SPMC, and {pair:?} at the proxy"
                    ));
                }
            };
        }
        Ok(())
    }
}

/// The normal world's endpoints that receive notifications.
fn receivers(world: &World) -> impl Iterator<Item = Who> {
    let vms = (0..world.vms.len() as u8).map(Who::Vm);
    let all = vms.chain((!world.has_proxy()).then_some(Who::Os));
    all.filter(|who| world.is_notified(*who))
}
