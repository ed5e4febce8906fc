//! Cores with list registers, the guests' side of them, and the physical interrupts behind.

use super::super::super::{Flush, Frame, VGic};
use super::super::{ACTIVE, EOI, HW, PENDING, SGI_BASE, STRIDE};
use std::collections::BTreeSet;

/// An interrupt: 32 for each vCPU, then the SPIs.
pub type Id = usize;
pub const SPI: Id = 256;

pub fn id(vcpu: u8, intid: u32) -> Id {
    match intid as usize {
        intid @ 0..32 => usize::from(vcpu) * 32 + intid,
        intid => SPI + intid - 32,
    }
}

pub fn intid(id: Id) -> u32 {
    (if id < SPI { id % 32 } else { id - SPI + 32 }) as u32
}

/// The number of its physical interrupt.
pub fn physical(id: Id) -> u32 {
    if id < SPI { intid(id) } else { intid(id) + 300 }
}

/// One vCPU and the core that it has or had.
#[derive(Debug, Default)]
pub struct Core {
    pub running: bool,
    pub lrs: Vec<u64>,
    /// What the guest has taken and not ended, and at which priority.
    pub stack: Vec<(Id, u8)>,
    flush: Flush,
    /// ICH_HCR_EL2.EOIcount.
    count: u8,
}

impl Core {
    pub fn running_priority(&self) -> u8 {
        self.stack.last().map_or(0xff, |(_, priority)| *priority)
    }

    fn signalled(&mut self) -> Option<&mut u64> {
        let running = u64::from(self.running_priority());
        self.lrs
            .iter_mut()
            .filter(|lr| **lr >> 62 == 1 && **lr >> 48 & 0xff < running)
            .min_by_key(|lr| (**lr >> 48 & 0xff, **lr & 0xff))
    }

    /// Whether a maintenance interrupt is signalled.
    fn maintenance(&self) -> bool {
        let hcr = self.flush.hcr();
        let valid = self.lrs.iter().filter(|lr| **lr >> 62 != 0).count();
        let pending = self.lrs.iter().any(|lr| *lr >> 62 == 1);
        let ended = self
            .lrs
            .iter()
            .any(|lr| *lr >> 62 == 0 && lr & (EOI | HW) == EOI);
        hcr & 2 != 0 && valid <= 1
            || hcr & 8 != 0 && !pending
            || hcr & 4 != 0 && self.count != 0
            || ended
    }
}

#[derive(Debug)]
pub struct Rig {
    pub gic: VGic,
    pub cores: Vec<Core>,
    /// Physical interrupts that are active.
    pub active: BTreeSet<Id>,
    /// Kicks are not answered until [`Rig::deliver`].
    pub lazy: bool,
    waiting: u8,
}

impl Rig {
    pub fn new(vcpus: u8, lists: usize) -> Self {
        let mut rig = Self {
            gic: VGic::new(vcpus),
            cores: (0..vcpus).map(|_| Core::default()).collect(),
            active: BTreeSet::new(),
            lazy: false,
            waiting: 0,
        };
        for vcpu in 0..vcpus {
            rig.resume(vcpu, lists);
        }
        rig
    }

    pub fn core(&mut self, vcpu: u8) -> &mut Core {
        &mut self.cores[usize::from(vcpu)]
    }

    /// Tells vCPUs to look.
    pub fn kick(&mut self, mask: u8) {
        let kicked = (0..8).filter(|vcpu| mask & 1 << vcpu != 0);
        for vcpu in kicked.clone() {
            assert!(self.gic.dirty(vcpu), "{vcpu} was kicked and would not look");
        }
        for vcpu in kicked {
            // What the one before it found may have had it look already.
            if self.lazy {
                self.waiting |= 1 << vcpu;
            } else {
                self.look(vcpu);
            }
        }
    }

    pub fn deliver(&mut self) {
        let waiting = core::mem::take(&mut self.waiting);
        for vcpu in (0..8).filter(|vcpu| waiting & 1 << vcpu != 0) {
            self.look(vcpu);
        }
    }

    /// An exit and entry of a vCPU, if it runs.
    pub fn look(&mut self, vcpu: u8) {
        if !self.core(vcpu).running {
            return;
        }
        let mut lrs = self.take_lists(vcpu);
        self.drain(vcpu);
        let flush = self.gic.flush(vcpu, &mut lrs);
        self.drain(vcpu);
        assert_eq!(lrs.iter().filter(|lr| **lr != 0).count(), flush.used);
        let core = self.core(vcpu);
        core.lrs = lrs;
        core.flush = flush;
        assert!(!core.maintenance(), "would never run");
        self.kick(flush.kick & !(1 << vcpu));
    }

    fn take_lists(&mut self, vcpu: u8) -> Vec<u64> {
        let core = self.core(vcpu);
        let count = core::mem::take(&mut core.count);
        let lrs = core::mem::take(&mut core.lrs);
        let kick = self.gic.ended(vcpu, count);
        // Of others alone: this one is looking.
        self.kick(kick);
        lrs
    }

    fn drain(&mut self, vcpu: u8) {
        while let Some(number) = self.gic.released(vcpu) {
            let id = id(vcpu, if number < 32 { number } else { number - 300 });
            assert!(self.active.remove(&id), "{id} was not active");
        }
    }

    /// The list registers of a vCPU are taken back, and it does not go on.
    pub fn park(&mut self, vcpu: u8) {
        if self.core(vcpu).running {
            let mut lrs = self.take_lists(vcpu);
            let kick = self.gic.sync(vcpu, &mut lrs);
            assert!(lrs.iter().all(|lr| *lr == 0));
            self.drain(vcpu);
            self.core(vcpu).running = false;
            self.kick(kick);
        }
    }

    /// It goes on, on a core with so many list registers.
    pub fn resume(&mut self, vcpu: u8, lists: usize) {
        if !self.core(vcpu).running {
            self.core(vcpu).running = true;
            self.core(vcpu).lrs = vec![0; lists];
            self.look(vcpu);
        }
    }

    /// A store of a running vCPU.
    pub fn store(&mut self, vcpu: u8, frame: Frame, offset: u64, size: u8, value: u64) {
        if self.core(vcpu).running {
            let mut lrs = self.take_lists(vcpu);
            let mut kick = self.gic.sync(vcpu, &mut lrs);
            self.core(vcpu).lrs = lrs;
            kick |= self.gic.access(vcpu, frame, offset, size, Some(value)).kick;
            // Before it goes on.
            self.look(vcpu);
            self.kick(kick & !(1 << vcpu));
        }
    }

    /// A store to one bit of a bitmap.
    pub fn store_bit(&mut self, vcpu: u8, block: u64, id: Id) {
        let number = u64::from(intid(id));
        let (frame, base) = match id {
            0..SPI => (Frame::Redistributor, STRIDE * (id as u64 / 32) + SGI_BASE),
            _ => (Frame::Distributor, 0),
        };
        let offset = base + block + number / 32 * 4;
        self.store(vcpu, frame, offset, 4, 1 << (number % 32));
    }

    /// The physical interrupt comes, unless it is active.
    pub fn raise(&mut self, id: Id) {
        if self.active.insert(id) {
            let vcpu = if id < SPI { (id / 32) as u8 } else { 0 };
            let kick = self.gic.pend_hw(vcpu, intid(id), physical(id));
            self.kick(kick);
        }
    }

    /// The priority of what the guest would take.
    pub fn next(&mut self, vcpu: u8) -> Option<u8> {
        self.core(vcpu).signalled().map(|lr| (*lr >> 48) as u8)
    }

    /// The guest takes an interrupt: the highest priority that is pending, if it is above what it works on.
    pub fn acknowledge(&mut self, vcpu: u8) -> Option<(Id, u8)> {
        let core = self.core(vcpu);
        let lr = core.signalled()?;
        let priority = (*lr >> 48) as u8;
        *lr ^= PENDING | ACTIVE;
        let taken = (id(vcpu, *lr as u32), priority);
        core.stack.push(taken);
        if core.maintenance() {
            self.look(vcpu);
        }
        Some(taken)
    }

    /// The guest ends what it took last.
    pub fn end(&mut self, vcpu: u8) -> Option<Id> {
        let core = self.core(vcpu);
        if !core.running {
            return None;
        }
        let (ended, _) = core.stack.pop()?;
        let number = u64::from(intid(ended));
        let listed = |lr: &&mut u64| **lr & 0xffff_ffff == number && **lr & ACTIVE != 0;
        match core.lrs.iter_mut().find(listed) {
            None => core.count += 1,
            Some(lr) => {
                *lr ^= ACTIVE;
                if *lr & HW != 0 {
                    assert_eq!(*lr >> 32 & 0x3ff, physical(ended).into());
                    assert!(self.active.remove(&ended));
                }
            }
        }
        if self.core(vcpu).maintenance() {
            self.look(vcpu);
        }
        Some(ended)
    }

    /// The guest takes what it can and ends it, until there is nothing. What it was given, in this order.
    pub fn work(&mut self) -> Vec<(u8, Id)> {
        let mut taken = Vec::new();
        loop {
            let before = taken.len();
            for vcpu in 0..self.cores.len() as u8 {
                self.look(vcpu);
                while self.end(vcpu).is_some() {}
                self.look(vcpu);
                taken.extend(self.acknowledge(vcpu).map(|(id, _)| (vcpu, id)));
            }
            if taken.len() == before {
                return taken;
            }
            assert!(taken.len() < 2000, "never ends");
        }
    }
}
