//! The GICv3 of one VM: a distributor, a redistributor for each vCPU, and what stands in their list registers.
//!
//! Plain data. Whoever owns the machine hands in the VM's accesses ([`VGic::access`]), its SGIs ([`VGic::sgi`]) and what
//! devices raise ([`VGic::pend`], [`VGic::pend_hw`], [`VGic::level`]), and moves interrupts into and out of the list
//! registers of the core on which a vCPU runs ([`VGic::flush`], [`VGic::sync`]). Never touches a register of the machine,
//! takes a lock or allocates.
//!
//! What the VM sees is a GIC with one security state, affinity routing that is always on, SGIs, PPIs and SPIs 32 to 255
//! in group 1, 32 priorities, and neither LPIs nor messages. The affinity of vCPU `i` is `i` in Aff0.
//!
//! An interrupt that stands in a list register is the guest's: here stands what was last known of it. So a vCPU that
//! accesses its GIC has its list registers taken back first. What others change meanwhile is remembered, and they are
//! told to look: bit `i` of a *kick* mask is vCPU `i`, which takes its list registers back and fills them anew, now if it
//! runs, or else when it runs next. A vCPU that must look is [`VGic::dirty`] until it does.
//!
//! GIC architecture specification IHI 0069, chapters 4 (handling, priorities), 5 (virtual interrupts) and 12 (registers).

mod bits;
mod lists;
pub mod mmio;
mod registers;
mod sgi;

#[cfg(test)]
mod tests;

pub use lists::Flush;
pub use registers::{Access, Frame};

use bits::{Bits, IRQS, Irq, SPI_WORDS, each};

/// The most vCPUs of a VM.
const MAX_VCPUS: usize = 8;
/// The SPIs of a VM: INTIDs 32 to 255.
pub const SPIS: usize = 224;
/// Bytes of the distributor's frame.
pub const DISTRIBUTOR_SIZE: u64 = 0x1_0000;
/// Bytes of one vCPU's redistributor: RD_base and SGI_base.
pub const REDISTRIBUTOR_SIZE: u64 = 0x2_0000;
/// 32 priorities: the list registers of every implementation have at least as many.
const PRIORITY_MASK: u8 = 0xf8;
/// SGIs are edge triggered.
const SGIS: u32 = 0xffff;

/// The GICv3 of one VM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VGic {
    vcpus: u8,
    /// GICD_CTLR.EnableGrp1.
    group: bool,
    /// GICR_WAKER.ProcessorSleep by vCPU.
    asleep: u8,
    /// Which vCPUs must look.
    dirty: u8,
    enabled: Bits,
    /// Pending by an edge or by software, and not in a list register.
    latch: Bits,
    /// The level of a line without a physical interrupt.
    line: Bits,
    /// Its physical interrupt is active, until the guest ends this one. Pending, unless it is active.
    hw: Bits,
    active: Bits,
    /// Stands in a list register.
    held: Bits,
    /// Its latch stands there, too.
    given: Bits,
    /// The VM has written its active state while it stood there: what is here counts.
    amended: Bits,
    /// Its physical interrupt came again while it stood there: so the guest had ended it.
    renewed: Bits,
    /// Configured as edge triggered.
    edge: Bits,
    /// Its physical interrupt is to be deactivated.
    released: Bits,
    priority: [u8; IRQS],
    /// Physical INTIDs of those in `hw` and `released`.
    physical: [u16; IRQS],
    /// GICD_IROUTER.
    route: [u64; SPIS],
    /// The vCPU at which an SPI is active or stands in a list register.
    holder: [u8; SPIS],
}

impl VGic {
    /// A GIC after reset, for a VM of 1 to 8 vCPUs. Everything is disabled, and no vCPU's redistributor is awake.
    #[must_use]
    pub fn new(vcpus: u8) -> Self {
        let mut edge = Bits::default();
        for word in 0..MAX_VCPUS {
            edge.insert(word, SGIS);
        }
        Self {
            vcpus: vcpus.clamp(1, 8),
            group: false,
            asleep: u8::MAX,
            dirty: 0,
            enabled: Bits::default(),
            latch: Bits::default(),
            line: Bits::default(),
            hw: Bits::default(),
            active: Bits::default(),
            held: Bits::default(),
            given: Bits::default(),
            amended: Bits::default(),
            renewed: Bits::default(),
            edge,
            released: Bits::default(),
            priority: [0; IRQS],
            physical: [0; IRQS],
            route: [0; SPIS],
            holder: [0; SPIS],
        }
    }

    /// Makes an interrupt pending, as an edge does: SGI or PPI `intid` of this vCPU, or an SPI wherever it is routed.
    /// Gives back who must look. What does not exist is ignored.
    pub fn pend(&mut self, vcpu: u8, intid: u32) -> u8 {
        let Some(irq) = self.irq(vcpu, intid) else {
            return 0;
        };
        if self.latch.has(irq) {
            return 0;
        }
        self.latch.set(irq);
        self.look(irq)
    }

    /// Makes an interrupt pending whose physical one, `physical`, was acknowledged and stays active until the guest ends
    /// this one: it goes into a list register with the hardware bit. It replaces a level of its own (see
    /// [`VGic::level`]) and merges with what was pending by software. Gives back who must look.
    ///
    /// If it is active here without a physical one, it becomes that one's: the guest's end of interrupt deactivates the
    /// physical one, which then is sampled again. An edge is remembered until then.
    pub fn pend_hw(&mut self, vcpu: u8, intid: u32, physical: u32) -> u8 {
        // pINTID of a list register has 10 bits for what is not an LPI.
        let number = u16::try_from(physical).ok().filter(|number| *number < 1020);
        let (Some(irq), Some(number)) = (self.irq(vcpu, intid), number) else {
            return 0;
        };
        let had = self.hw.has(irq);
        if had && !self.held.has(irq) {
            return 0;
        }
        self.renewed.put(irq, had);
        self.line.clear(irq);
        self.hw.set(irq);
        if let Some(place) = self.physical.get_mut(irq.index()) {
            *place = number;
        }
        if self.edge.has(irq) && self.active.has(irq) && !self.held.has(irq) {
            self.latch.set(irq);
        }
        self.look(irq)
    }

    /// Sets the level of an interrupt that has no physical one. While it is high, the interrupt is pending again
    /// whenever the guest has ended it; its list register asks for a maintenance interrupt at that moment, so that the
    /// level can be sampled again before. Ignored while a physical one stands behind it, which says the same. Gives
    /// back who must look.
    pub fn level(&mut self, vcpu: u8, intid: u32, high: bool) -> u8 {
        let Some(irq) = self.irq(vcpu, intid) else {
            return 0;
        };
        // What stands in a list register may have been ended.
        let has_physical = self.hw.has(irq) && !self.held.has(irq);
        if has_physical || self.line.has(irq) == high {
            return 0;
        }
        self.line.put(irq, high);
        self.look(irq)
    }

    /// Parts an interrupt from its physical one, which the caller must deactivate, and keeps its state. None if there is
    /// no physical one, or it stands in a list register that was not taken back.
    pub fn part(&mut self, vcpu: u8, intid: u32) -> Option<u32> {
        let irq = self.irq(vcpu, intid)?;
        if self.held.has(irq) || !self.hw.take(irq) {
            return None;
        }
        if !self.active.has(irq) {
            self.latch.set(irq);
        }
        self.dirty |= self.bit_of_home(irq);
        Some(self.physical(irq))
    }

    /// A physical interrupt that must be deactivated now, since the VM took its own back by a register. To be called
    /// until there is none, by each vCPU that is [`VGic::dirty`], on its core: SGIs and PPIs are this core's own.
    pub fn released(&mut self, vcpu: u8) -> Option<u32> {
        let irq = self
            .words(vcpu)
            .flat_map(|word| each(word, self.released.word(word)))
            .next()?;
        self.released.clear(irq);
        Some(self.physical(irq))
    }

    /// The physical interrupts that this vCPU has in hands, pending or active: those of its SGIs and PPIs, and of the
    /// SPIs that are at it or routed to it (to none: the first's). If its VM dies, they are to be deactivated.
    pub fn hw_outstanding(&self, vcpu: u8) -> impl Iterator<Item = u32> + '_ {
        self.words(vcpu).flat_map(move |word| {
            each(word, self.hw.word(word) | self.released.word(word))
                .filter(move |irq| self.home(*irq).unwrap_or(0) == vcpu)
                .map(|irq| self.physical(irq))
        })
    }

    /// Whether an interrupt would be signalled to this vCPU, which is not running, under this ICC_PMR_EL1 and
    /// ICC_IGRPEN1_EL1. What is active does not count; the running priority is not looked at. Its list registers were
    /// taken back.
    #[must_use]
    pub fn deliverable(&self, vcpu: u8, pmr: u8, group1_enabled: bool) -> bool {
        group1_enabled
            && self.words(vcpu).any(|word| {
                let waiting = self.forwarded(word) & !self.active.word(word);
                each(word, waiting)
                    .any(|irq| self.home(irq) == Some(vcpu) && self.priority(irq) < pmr)
            })
    }

    /// Whether [`VGic::flush`] may change something: if not, this vCPU can be entered as it is.
    #[must_use]
    pub const fn dirty(&self, vcpu: u8) -> bool {
        self.dirty & bit(vcpu) != 0
    }

    /// Resets a vCPU's redistributor when it is switched on: its SGIs and PPIs are disabled, inactive and not pending.
    /// Physical ones behind them are [`VGic::released`]. SPIs stay as they are.
    pub fn reset_vcpu(&mut self, vcpu: u8) {
        if vcpu >= self.vcpus {
            return;
        }
        self.drop_lists(vcpu);
        let word = usize::from(vcpu);
        self.released.insert(word, self.hw.word(word));
        for bits in [
            &mut self.enabled,
            &mut self.latch,
            &mut self.line,
            &mut self.hw,
            &mut self.active,
            &mut self.edge,
        ] {
            bits.remove(word, u32::MAX);
        }
        self.edge.insert(word, SGIS);
        for irq in each(word, u32::MAX) {
            self.set_priority(irq, 0);
        }
        self.asleep |= bit(vcpu);
        self.dirty |= bit(vcpu);
    }

    /// An interrupt that exists, as this vCPU knows it.
    fn irq(&self, vcpu: u8, intid: u32) -> Option<Irq> {
        Irq::of(vcpu, intid).filter(|_| vcpu < self.vcpus)
    }

    /// The words with a vCPU's own interrupts, and all SPIs.
    fn words(&self, vcpu: u8) -> impl Iterator<Item = usize> + use<> {
        let own = Some(usize::from(vcpu)).filter(|_| vcpu < self.vcpus);
        own.into_iter().chain(SPI_WORDS)
    }

    /// What is pending in a word, as far as is known.
    fn pending(&self, word: usize) -> u32 {
        self.latch.word(word)
            | self.given.word(word)
            | self.line.word(word)
            | self.hw.word(word) & !self.active.word(word)
    }

    /// What is pending in a word and may be signalled.
    fn forwarded(&self, word: usize) -> u32 {
        if self.group {
            self.pending(word) & self.enabled.word(word)
        } else {
            0
        }
    }

    fn is_forwarded(&self, irq: Irq) -> bool {
        self.forwarded(irq.word()) & irq.mask() != 0
    }

    /// The vCPU at which it is, or to which it goes.
    fn home(&self, irq: Irq) -> Option<u8> {
        match irq.spi() {
            Some(spi) if self.held.has(irq) || self.active.has(irq) => {
                self.holder.get(spi).copied()
            }
            _ => self.target(irq),
        }
    }

    /// The vCPU to which it goes when it becomes pending.
    fn target(&self, irq: Irq) -> Option<u8> {
        let Some(spi) = irq.spi() else {
            return irq.private();
        };
        let target = u8::try_from(self.route.get(spi).copied()?).ok()?;
        Some(target).filter(|target| *target < self.vcpus)
    }

    fn bit_of_home(&self, irq: Irq) -> u8 {
        self.home(irq).map_or(0, bit)
    }

    /// Notes that an interrupt has changed: who must look, if anybody.
    fn look(&mut self, irq: Irq) -> u8 {
        if !(self.held.has(irq) || self.active.has(irq) || self.is_forwarded(irq)) {
            return 0;
        }
        let kick = self.bit_of_home(irq);
        self.dirty |= kick;
        kick
    }

    fn physical(&self, irq: Irq) -> u32 {
        self.physical.get(irq.index()).copied().unwrap_or(0).into()
    }

    fn priority(&self, irq: Irq) -> u8 {
        self.priority.get(irq.index()).copied().unwrap_or(0)
    }

    fn set_priority(&mut self, irq: Irq, value: u8) {
        if let Some(priority) = self.priority.get_mut(irq.index()) {
            *priority = value & PRIORITY_MASK;
        }
    }
}

/// A vCPU's bit in a mask.
const fn bit(vcpu: u8) -> u8 {
    match 1u8.checked_shl(vcpu as u32) {
        Some(bit) => bit,
        None => 0,
    }
}
