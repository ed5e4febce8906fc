//! List registers: what of the VM's interrupts stands in those of a core.

use super::{VGic, bit, bits::Irq, bits::each};
use heapless::Vec;

/// The most list registers that a core has.
const MAX_LISTS: usize = 16;

/// What stands in the list registers of a vCPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flush {
    /// How many list registers are in use: the first ones.
    pub used: usize,
    /// How many of them are pending and not active.
    pub pending: usize,
    /// More is pending than there are list registers: see [`Flush::hcr`].
    pub underflow: bool,
    /// More is active than there are list registers: ends of the others count in ICH_HCR_EL2.EOIcount, which
    /// [`VGic::ended`] is told.
    pub unlisted: bool,
    /// Which other vCPUs must look, since an SPI was taken back that is routed to them.
    pub kick: u8,
}

impl Flush {
    /// The maintenance interrupts to ask for, as bits of ICH_HCR_EL2 beside En. When one comes, the list registers are
    /// filled anew. None is pending as soon as it is asked for.
    #[must_use]
    pub const fn hcr(&self) -> u64 {
        const UNDERFLOW: u64 = 1 << 1;
        const UNLISTED: u64 = 1 << 2;
        const NONE_PENDING: u64 = 1 << 3;
        let more = match self {
            // The guest took all that are pending: the next ones are of no higher priority than those were.
            Self {
                underflow: true,
                pending: 1..,
                ..
            } => NONE_PENDING,
            // All are active. This one asks when at most one is left, so it needs two at least.
            Self {
                underflow: true,
                used: 2..,
                ..
            } => UNDERFLOW,
            _ => 0,
        };
        more | if self.unlisted { UNLISTED } else { 0 }
    }
}

/// ICH_LRn_EL2.
#[derive(Clone, Copy)]
struct Entry(u64);

impl Entry {
    const PENDING: u64 = 1 << 62;
    const ACTIVE: u64 = 1 << 63;
    const HW: u64 = 1 << 61;
    const GROUP_1: u64 = 1 << 60;
    const PRIORITY: u32 = 48;
    /// Ask for a maintenance interrupt when it is ended. Without HW only.
    const EOI: u64 = 1 << 41;
    const PHYSICAL: u32 = 32;

    const fn has(self, bit: u64) -> bool {
        self.0 & bit != 0
    }

    fn intid(self) -> u32 {
        let [_, _, _, _, number @ ..] = self.0.to_be_bytes();
        u32::from_be_bytes(number)
    }
}

impl VGic {
    /// Fills the list registers of this vCPU's core, or those that it will have: what is active first, so that the guest
    /// can end it, then what is pending and may be signalled, the highest priority (the lowest number) first. All others
    /// are 0. `lrs` are the list registers as the guest left them, or 0; in either case they are taken back first.
    ///
    /// What is pending behind an active interrupt with the hardware bit, which can't be both, waits for the next time:
    /// the vCPU stays [`VGic::dirty`]. It does so as well while there is more than fits.
    pub fn flush(&mut self, vcpu: u8, lrs: &mut [u64]) -> Flush {
        let mut flush = Flush {
            kick: self.sync(vcpu, lrs),
            ..Flush::default()
        };
        if vcpu >= self.vcpus {
            return flush;
        }
        self.dirty &= !bit(vcpu);
        let mut chosen = Chosen {
            room: lrs.len().min(MAX_LISTS),
            keys: Vec::new(),
        };
        for word in self.words(vcpu) {
            let mask = (self.active.word(word) | self.forwarded(word)) & !self.held.word(word);
            for irq in each(word, mask).filter(|irq| self.home(*irq) == Some(vcpu)) {
                match chosen.add(Key::new(irq, self.active.has(irq), self.priority(irq))) {
                    Some(left_out) if left_out.is_active() => flush.unlisted = true,
                    Some(_) => flush.underflow = true,
                    None => {}
                }
            }
        }
        let mut behind = false;
        for (lr, irq) in lrs.iter_mut().zip(chosen.irqs()) {
            let entry = self.list(vcpu, irq);
            flush.used += 1;
            if entry.has(Entry::PENDING) && !entry.has(Entry::ACTIVE) {
                flush.pending += 1;
            }
            behind |= self.latch.has(irq) && self.is_enabled(irq);
            *lr = entry.0;
        }
        if behind || flush.underflow || flush.unlisted {
            self.dirty |= bit(vcpu);
        }
        flush
    }

    /// Takes the list registers of a vCPU back, which is not running: they are 0 then, and what the guest did to its
    /// interrupts is known. An active or pending one with the hardware bit keeps its physical one; one that was ended has
    /// none any more: the hardware deactivated it. Gives back who else must look: an SPI may be routed to another vCPU
    /// now.
    pub fn sync(&mut self, vcpu: u8, lrs: &mut [u64]) -> u8 {
        let mut kick = 0;
        for lr in lrs {
            let entry = Entry(core::mem::take(lr));
            let found = self.irq(vcpu, entry.intid());
            if let Some(irq) = found.filter(|irq| self.is_held_by(*irq, vcpu)) {
                self.take_back(vcpu, irq, entry);
                kick |= self.look(irq);
            }
        }
        self.drop_lists(vcpu);
        kick & !bit(vcpu)
    }

    /// Ends the active interrupts of a vCPU that found no list register, highest priority first: `count` is
    /// ICH_HCR_EL2.EOIcount, to be read (and cleared) before its list registers are taken back.
    ///
    /// It tells only how many, not which: right for a guest whose end of interrupt deactivates, too (ICC_CTLR_EL1.EOImode
    /// 0). ICC_DIR_EL1 of others can be trapped while interrupts are unlisted, and goes to [`VGic::deactivate`].
    ///
    /// Gives back who else must look: an SPI that is pending again may be routed to another vCPU.
    #[must_use]
    pub fn ended(&mut self, vcpu: u8, count: u8) -> u8 {
        let mut kick = 0;
        for _ in 0..count {
            let unlisted = self
                .words(vcpu)
                .flat_map(|word| each(word, self.active.word(word) & !self.held.word(word)))
                .filter(|irq| self.home(*irq) == Some(vcpu))
                .min_by_key(|irq| self.priority(*irq));
            let Some(irq) = unlisted else {
                break;
            };
            self.make_inactive(vcpu, irq);
            kick |= self.look(irq);
        }
        kick & !bit(vcpu)
    }

    /// Deactivates an interrupt, as ICC_DIR_EL1 does. Its physical one is [`VGic::released`]. Gives back who else must
    /// look.
    #[must_use]
    pub fn deactivate(&mut self, vcpu: u8, intid: u32) -> u8 {
        let Some(irq) = self.irq(vcpu, intid) else {
            return 0;
        };
        self.make_inactive(vcpu, irq);
        self.look(irq) & !bit(vcpu)
    }

    /// Makes an interrupt inactive. `vcpu` does so. Gives back who must look, as far as it is for a physical interrupt.
    pub(super) fn make_inactive(&mut self, vcpu: u8, irq: Irq) -> u8 {
        if self.held.has(irq) {
            self.amended.set(irq);
            self.active.clear(irq);
        } else if self.active.take(irq) && self.hw.has(irq) {
            return self.release(vcpu, irq);
        }
        0
    }

    /// Gives a physical interrupt up. `vcpu` is who does so. Gives back who must look: who deactivates it.
    pub(super) fn release(&mut self, vcpu: u8, irq: Irq) -> u8 {
        self.hw.clear(irq);
        self.released.set(irq);
        let who = bit(irq.private().unwrap_or(vcpu));
        self.dirty |= who;
        who
    }

    /// Whatever of this vCPU still counts as being in a list register is in none.
    pub(super) fn drop_lists(&mut self, vcpu: u8) {
        for word in self.words(vcpu) {
            for irq in each(word, self.held.word(word)) {
                if self.is_held_by(irq, vcpu) {
                    self.held.clear(irq);
                    self.amended.clear(irq);
                    self.renewed.clear(irq);
                    if self.given.take(irq) {
                        self.latch.set(irq);
                    }
                    self.look(irq);
                }
            }
        }
    }

    fn is_held_by(&self, irq: Irq, vcpu: u8) -> bool {
        self.held.has(irq) && self.home(irq) == Some(vcpu)
    }

    fn is_enabled(&self, irq: Irq) -> bool {
        self.group && self.enabled.has(irq)
    }

    /// Puts an interrupt into a list register.
    fn list(&mut self, vcpu: u8, irq: Irq) -> Entry {
        let active = self.active.has(irq);
        let mut entry = Entry::GROUP_1
            | u64::from(self.priority(irq)) << Entry::PRIORITY
            | u64::from(irq.intid());
        let pending = if self.hw.has(irq) {
            entry |= Entry::HW | u64::from(self.physical(irq)) << Entry::PHYSICAL;
            // Never both.
            !active
        } else {
            let latch = self.latch.has(irq);
            // Active here, and what is pending goes elsewhere.
            let leaves = active && self.target(irq) != Some(vcpu);
            if self.line.has(irq) || latch && leaves {
                entry |= Entry::EOI;
            }
            // A level that is still high is sampled when the interrupt has been ended.
            self.is_enabled(irq) && (latch && !leaves || self.line.has(irq) && !active)
        };
        if active {
            entry |= Entry::ACTIVE;
        }
        if pending {
            entry |= Entry::PENDING;
            if self.latch.take(irq) {
                self.given.set(irq);
            }
        }
        self.held.set(irq);
        if let Some(holder) = irq.spi().and_then(|spi| self.holder.get_mut(spi)) {
            *holder = vcpu;
        }
        Entry(entry)
    }

    /// Learns what the guest did to an interrupt in a list register.
    fn take_back(&mut self, vcpu: u8, irq: Irq, entry: Entry) {
        let (pending, active) = (entry.has(Entry::PENDING), entry.has(Entry::ACTIVE));
        self.held.clear(irq);
        let amended = self.amended.take(irq);
        let renewed = self.renewed.take(irq);
        // The guest took it, unless it is still pending.
        if self.given.take(irq) && pending {
            self.latch.set(irq);
        }
        if self.hw.has(irq) {
            if !entry.has(Entry::HW) {
                // Its physical one came meanwhile. An edge while it is active counts.
                if active && self.edge.has(irq) {
                    self.latch.set(irq);
                }
            } else if !pending && !active {
                // The hardware has deactivated it.
                self.hw.put(irq, renewed);
            } else if active && amended && !self.active.has(irq) {
                self.release(vcpu, irq);
            }
        }
        if self.hw.has(irq) {
            // Whatever the level was set to meanwhile.
            self.line.clear(irq);
        }
        if !amended {
            self.active.put(irq, active);
        }
    }
}

/// What is listed first is less.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    inactive: bool,
    priority: u8,
    index: usize,
}

impl Key {
    fn new(irq: Irq, active: bool, priority: u8) -> Self {
        Self {
            inactive: !active,
            priority,
            index: irq.index(),
        }
    }

    const fn is_active(self) -> bool {
        !self.inactive
    }
}

/// The interrupts that get a list register, best first.
struct Chosen {
    room: usize,
    keys: Vec<Key, MAX_LISTS>,
}

impl Chosen {
    /// Gives back who is left out for it, or itself, if there is no room for both.
    fn add(&mut self, key: Key) -> Option<Key> {
        let place = self.keys.partition_point(|other| *other < key);
        if place >= self.room {
            return Some(key);
        }
        let left_out = if self.keys.len() == self.room {
            self.keys.pop()
        } else {
            None
        };
        // There is room now.
        let _ = self.keys.insert(place, key);
        left_out
    }

    fn irqs(&self) -> impl Iterator<Item = Irq> + '_ {
        self.keys.iter().filter_map(|key| Irq::at(key.index))
    }
}
