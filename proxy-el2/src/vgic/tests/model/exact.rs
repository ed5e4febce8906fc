//! Held against the reference, step by step.

use super::super::super::Frame;
use super::super::{SGI_BASE, STRIDE};
use super::interrupts;
use super::reference::Reference;
use super::rig::{Id, Rig, SPI, id, intid, physical};
use proptest::prelude::*;
use std::collections::BTreeSet;

const VCPUS: u8 = 3;

#[derive(Clone, Debug)]
enum Step {
    Pend(Id),
    Raise(Id),
    Level(Id, bool),
    /// Written to ICC_SGI1R_EL1: number, list, all others.
    Sgi(u8, u8, u8, bool),
    Enable(u8, Id, bool),
    SetPending(u8, Id),
    ClearPending(u8, Id),
    /// As if it had been taken, at the vCPU that would take it.
    Activate(u8, Id),
    /// What a vCPU took last is ended by another's store, or by its own ICC_DIR_EL1.
    Deactivate(u8, u8),
    Priority(u8, Id, u8),
    Edge(u8, Id, bool),
    Route(u8, Id, u8),
    Group(u8, bool),
    Acknowledge(u8),
    End(u8),
    Park(u8),
    Resume(u8, usize),
    Check,
}

fn steps() -> impl Strategy<Value = Step> {
    let irq = || interrupts(VCPUS);
    let vcpu = || 0..VCPUS;
    prop_oneof![
        4 => irq().prop_map(Step::Pend),
        4 => irq().prop_map(Step::Raise),
        3 => (irq(), any::<bool>()).prop_map(|(i, high)| Step::Level(i, high)),
        2 => (vcpu(), prop::sample::select(vec![0u8, 1, 15]), 0u8..16, prop::bool::weighted(0.2))
            .prop_map(|(v, n, list, all)| Step::Sgi(v, n, list, all)),
        2 => (vcpu(), irq(), prop::bool::weighted(0.7)).prop_map(|(v, i, on)| Step::Enable(v, i, on)),
        2 => (vcpu(), irq()).prop_map(|(v, i)| Step::SetPending(v, i)),
        1 => (vcpu(), irq()).prop_map(|(v, i)| Step::ClearPending(v, i)),
        1 => (vcpu(), irq()).prop_map(|(v, i)| Step::Activate(v, i)),
        1 => (vcpu(), vcpu()).prop_map(|(v, w)| Step::Deactivate(v, w)),
        2 => (vcpu(), irq(), any::<u8>()).prop_map(|(v, i, p)| Step::Priority(v, i, p)),
        1 => (vcpu(), irq(), any::<bool>()).prop_map(|(v, i, edge)| Step::Edge(v, i, edge)),
        1 => (vcpu(), irq(), 0..=VCPUS).prop_map(|(v, i, to)| Step::Route(v, i, to)),
        1 => (vcpu(), prop::bool::weighted(0.8)).prop_map(|(v, on)| Step::Group(v, on)),
        10 => vcpu().prop_map(Step::Acknowledge),
        8 => vcpu().prop_map(Step::End),
        2 => vcpu().prop_map(Step::Park),
        3 => (vcpu(), 1usize..=4).prop_map(|(v, n)| Step::Resume(v, n)),
        1 => Just(Step::Check),
    ]
}

struct World {
    rig: Rig,
    model: Reference,
    lists: usize,
}

impl World {
    /// Everything enabled; priorities differ, so that guests are interrupted in what they do.
    fn new(lists: usize) -> Self {
        let mut world = Self {
            rig: Rig::new(VCPUS, lists),
            model: Reference::new(VCPUS),
            lists,
        };
        world.step(Step::Group(0, true));
        for vcpu in 0..VCPUS {
            for number in [0, 1, 15, 16, 27, 31] {
                world.prepare(id(vcpu, number));
            }
        }
        for number in [32, 33, 34, 63, 64, 255] {
            world.prepare(id(0, number));
        }
        world
    }

    fn prepare(&mut self, id: Id) {
        let number = intid(id);
        self.step(Step::Enable(0, id, true));
        self.step(Step::Priority(0, id, (number * 8) as u8));
        self.step(Step::Edge(0, id, number % 2 == 1));
        self.step(Step::Route(0, id, (number % 4) as u8 % VCPUS));
    }

    fn running(&self, vcpu: u8) -> bool {
        self.rig.cores[usize::from(vcpu)].running
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Pend(id) => {
                self.model.lines[id].latch = true;
                let kick = self.rig.gic.pend(owner(id), intid(id));
                self.rig.kick(kick);
            }
            // It may be active still, until a vCPU that is parked has deactivated it.
            Step::Raise(id) if self.rig.active.contains(&id) => {}
            Step::Raise(id) => {
                self.model.raise(id);
                self.rig.raise(id);
            }
            Step::Level(id, high) => {
                self.model.level(id, high);
                let kick = self.rig.gic.level(owner(id), intid(id), high);
                self.rig.kick(kick);
            }
            Step::Sgi(vcpu, number, list, all) => {
                for target in 0..VCPUS {
                    let named = if all {
                        target != vcpu
                    } else {
                        list & 1 << target != 0
                    };
                    if named {
                        self.model.lines[id(target, number.into())].latch = true;
                    }
                }
                let value = u64::from(all) << 40 | u64::from(number) << 24 | u64::from(list);
                let kick = self.rig.gic.sgi(vcpu, value);
                self.rig.kick(kick);
            }
            Step::Deactivate(vcpu, by) => self.deactivate(vcpu, by),
            Step::Acknowledge(vcpu) => self.acknowledge(vcpu),
            Step::End(vcpu) => {
                if let Some(id) = self.rig.end(vcpu) {
                    self.model.end(id);
                }
            }
            Step::Park(vcpu) => self.rig.park(vcpu),
            Step::Resume(vcpu, lists) => self.rig.resume(vcpu, lists),
            Step::Check => self.check(),
            store => self.store(store),
        }
    }

    /// Stores to registers, by a vCPU that runs.
    fn store(&mut self, step: Step) {
        let by = match step {
            Step::Enable(vcpu, ..)
            | Step::SetPending(vcpu, _)
            | Step::ClearPending(vcpu, _)
            | Step::Activate(vcpu, _)
            | Step::Priority(vcpu, ..)
            | Step::Edge(vcpu, ..)
            | Step::Route(vcpu, ..)
            | Step::Group(vcpu, _) => vcpu,
            _ => return,
        };
        if !self.running(by) {
            return;
        }
        match step {
            Step::Enable(_, id, on) => {
                self.model.lines[id].enabled = on;
                self.rig.store_bit(by, if on { 0x100 } else { 0x180 }, id);
            }
            Step::SetPending(_, id) => {
                self.model.lines[id].latch = true;
                self.rig.store_bit(by, 0x200, id);
            }
            // A physical edge that stands in another's list register can't be cleared.
            Step::ClearPending(_, id) if self.is_listed_elsewhere(by, id) => {}
            Step::ClearPending(_, id) => {
                self.model.clear_pending(id);
                self.rig.store_bit(by, 0x280, id);
            }
            Step::Activate(_, id) => self.activate(by, id),
            // What that does is each GIC's own affair.
            Step::Priority(_, id, _) if self.model.lines[id].active.is_some() => {}
            Step::Priority(_, id, priority) => {
                self.model.lines[id].priority = priority & 0xf8;
                let (frame, offset) = place(id, 0x400 + u64::from(intid(id)));
                self.rig.store(by, frame, offset, 1, priority.into());
            }
            Step::Edge(_, id, edge) if intid(id) >= 16 => {
                self.model.lines[id].edge = edge;
                let (frame, offset) = place(id, 0xc00 + u64::from(intid(id) / 16 * 4));
                let read = self.rig.gic.access(by, frame, offset, 4, None).value;
                let bit = 2 << (intid(id) % 16 * 2);
                let value = if edge { read | bit } else { read & !bit };
                self.rig.store(by, frame, offset, 4, value);
            }
            Step::Route(_, id, to) if id >= SPI => {
                self.model.lines[id].route = to;
                let offset = 0x6000 + 8 * u64::from(intid(id));
                self.rig.store(by, Frame::Distributor, offset, 8, to.into());
            }
            Step::Group(_, on) => {
                self.model.group = on;
                let value = u64::from(on) << 1;
                self.rig.store(by, Frame::Distributor, 0, 4, value);
            }
            _ => {}
        }
    }

    fn is_listed_elsewhere(&self, by: u8, id: Id) -> bool {
        let line = &self.model.lines[id];
        line.hw && line.edge && self.model.target(id) != Some(by)
    }

    fn activate(&mut self, by: u8, id: Id) {
        let line = &self.model.lines[id];
        let Some(target) = self.model.target(id).filter(|_| line.active.is_none()) else {
            return;
        };
        // What was ended in a list register is known to all: a store that makes one active which another vCPU has
        // just ended is about that one's, as far as this GIC can know.
        for vcpu in 0..VCPUS {
            self.rig.look(vcpu);
        }
        let line = &self.model.lines[id];
        let core = self.rig.core(target);
        // One above what it works on, so that it ends this one first.
        if line.priority < core.running_priority() {
            core.stack.push((id, line.priority));
            self.model.lines[id].active = Some(target);
            self.rig.store_bit(by, 0x300, id);
        }
    }

    fn deactivate(&mut self, vcpu: u8, by: u8) {
        if !self.running(by) {
            return;
        }
        let Some((id, _)) = self.rig.core(vcpu).stack.pop() else {
            return;
        };
        self.model.end(id);
        if by == vcpu && id % 2 == 0 {
            // ICC_DIR_EL1, trapped: its list registers were taken back.
            self.rig.park(vcpu);
            let kick = self.rig.gic.deactivate(vcpu, intid(id));
            self.rig.kick(kick);
            self.rig.resume(vcpu, self.lists);
        } else {
            self.rig.store_bit(by, 0x380, id);
        }
    }

    fn look_at_all(&mut self) {
        for each in 0..VCPUS {
            if self.rig.gic.dirty(each) {
                self.rig.look(each);
            }
        }
    }

    fn acknowledge(&mut self, vcpu: u8) {
        let best = self.model.best(vcpu);
        let waiting = |world: &Self| {
            best.filter(|best| *best < world.rig.cores[usize::from(vcpu)].running_priority())
        };
        if !self.running(vcpu) {
            let pmr = 0x80;
            let wakes = best.is_some_and(|best| best < pmr);
            // What is pending behind an active physical one, and is routed here since, comes here when the one that
            // ended it looks next.
            if self.rig.gic.deliverable(vcpu, pmr, true) != wakes {
                self.look_at_all();
            }
            assert_eq!(self.rig.gic.deliverable(vcpu, pmr, true), wakes);
            assert!(best.is_none() || self.rig.gic.dirty(vcpu), "enters without");
            return;
        }
        let wanted = waiting(self);
        // What waits behind an active physical one, or for a list register, needs an entry.
        if self.rig.next(vcpu) != wanted {
            self.look_at_all();
        }
        let taken = self.rig.acknowledge(vcpu);
        match taken {
            Some((id, priority)) => {
                assert_eq!(Some(priority), wanted, "another one has priority");
                assert_eq!(priority, self.model.lines[id].priority);
                self.model.acknowledge(vcpu, id);
            }
            None if wanted.is_some() => {
                let lrs = &self.rig.cores[usize::from(vcpu)].lrs;
                assert!(lrs.iter().all(|lr| lr >> 63 != 0), "lost: {lrs:x?}");
            }
            None => {}
        }
    }

    /// With all list registers taken back, everything that can be read is as in the reference.
    fn check(&mut self) {
        let ran = [0, 1, 2].map(|vcpu| self.running(vcpu));
        for vcpu in 0..VCPUS {
            self.rig.park(vcpu);
        }
        for word in 0..15usize {
            let ids = word * 32..word * 32 + 32;
            let bits = |block: u64, wanted: &dyn Fn(Id) -> bool| {
                let (frame, offset) = place(word * 32, block + u64::from(intid(word * 32) / 8));
                let mut gic = self.rig.gic.clone();
                let read = gic.access(0, frame, offset, 4, None).value;
                let wanted = ids
                    .clone()
                    .rev()
                    .fold(0, |bits, id| bits << 1 | u64::from(wanted(id)));
                assert_eq!(read, wanted, "{block:#x} of word {word}");
            };
            if word < VCPUS.into() || word >= 8 {
                bits(0x100, &|id| self.model.lines[id].enabled);
                bits(0x200, &|id| self.model.lines[id].pending());
                bits(0x300, &|id| self.model.lines[id].active.is_some());
            }
        }
        let outstanding: BTreeSet<_> = (0..VCPUS)
            .flat_map(|vcpu| self.rig.gic.hw_outstanding(vcpu).map(move |n| (vcpu, n)))
            .map(|(vcpu, n)| if n < 32 { id(vcpu, n) } else { id(0, n - 300) })
            .collect();
        assert_eq!(outstanding, self.rig.active);
        for (vcpu, ran) in (0..).zip(ran) {
            if ran {
                self.rig.resume(vcpu, self.lists);
            }
        }
    }

    /// Everything is let through; guests work until nothing is left.
    fn finish(mut self) {
        for vcpu in 0..VCPUS {
            self.rig.resume(vcpu, self.lists);
        }
        self.step(Step::Group(0, true));
        for id in 0..self.model.lines.len() {
            let line = self.model.lines[id].clone();
            if line.level {
                self.step(Step::Level(id, false));
            }
            if !line.enabled && line.pending() {
                self.step(Step::Enable(0, id, true));
            }
            if id >= SPI && line.pending() {
                self.step(Step::Route(1, id, 0));
            }
        }
        // One after the other: what was taken is ended, so nothing is above anything.
        for _ in 0..200 {
            for vcpu in 0..VCPUS {
                while !self.rig.core(vcpu).stack.is_empty() {
                    self.step(Step::End(vcpu));
                }
                self.step(Step::Acknowledge(vcpu));
            }
        }
        let left = self.model.lines.iter().enumerate();
        let left: Vec<_> = left
            .filter(|(id, line)| {
                line.pending() && self.model.target(*id).is_some() || line.active.is_some()
            })
            .collect();
        assert!(left.is_empty(), "{left:?}");
        self.check();
        assert!(self.rig.active.is_empty());
    }
}

fn owner(id: Id) -> u8 {
    if id < SPI { (id / 32) as u8 } else { 0 }
}

fn place(id: Id, offset: u64) -> (Frame, u64) {
    match id {
        0..SPI => (
            Frame::Redistributor,
            STRIDE * u64::from(owner(id)) + SGI_BASE + offset,
        ),
        _ => (Frame::Distributor, offset),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn guests_get_what_a_plain_gic_gives_them(
        lists in 1usize..=4,
        steps in prop::collection::vec(steps(), 1..250),
    ) {
        let mut world = World::new(lists);
        for step in steps {
            world.step(step);
        }
        world.check();
        world.finish();
    }
}

#[test]
fn physical_numbers_tell_interrupts_apart() {
    assert_eq!((physical(id(1, 27)), physical(id(0, 40))), (27, 340));
}

#[test]
fn a_pending_one_that_is_made_active_by_a_store_leaves_room_for_others() {
    let mut world = World::new(1);
    for step in [
        Step::SetPending(0, 258),
        Step::Park(2),
        Step::Resume(2, 2),
        Step::Activate(0, 258),
        Step::SetPending(0, 64),
        Step::Acknowledge(2),
    ] {
        world.step(step);
    }
    world.check();
    world.finish();
}
