//! The frames of the distributor and the redistributors. IHI 0069 chapter 12, as far as it is about one security state,
//! affinity routing, and no LPIs.
//!
//! A word of 32-bit registers is read and written as a word, priorities also as bytes, and what has 64 bits whole or as
//! two words. Everything else reads as zero and ignores writes.

use super::{
    DISTRIBUTOR_SIZE, MAX_VCPUS, REDISTRIBUTOR_SIZE, VGic, bit,
    bits::{Irq, PRIVATE, SPI_WORDS, WORDS, each},
};

/// Which frame is accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The distributor: [`DISTRIBUTOR_SIZE`] bytes.
    Distributor,
    /// The redistributors, [`REDISTRIBUTOR_SIZE`] bytes for each vCPU: the offset from the first one's start says whose.
    Redistributor,
}

/// What an access did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// What a load reads.
    pub value: u64,
    /// Which vCPUs must look; the one that made the access may be among them.
    pub kick: u8,
}

/// Which half of 64 bits.
#[derive(Clone, Copy, Debug)]
enum Part {
    Whole,
    Low,
    High,
}

impl Part {
    fn at(offset: u64, size: u8) -> Option<Self> {
        match (offset % 8, size) {
            (0, 8) => Some(Self::Whole),
            (0, 4) => Some(Self::Low),
            (4, 4) => Some(Self::High),
            _ => None,
        }
    }

    const fn mask(self) -> u64 {
        match self {
            Self::Whole => u64::MAX,
            Self::Low => 0xffff_ffff,
            Self::High => 0xffff_ffff << 32,
        }
    }

    const fn shift(self) -> u32 {
        match self {
            Self::Whole | Self::Low => 0,
            Self::High => 32,
        }
    }

    const fn of(self, value: u64) -> u64 {
        (value & self.mask()) >> self.shift()
    }

    const fn into(self, value: u64, part: u64) -> u64 {
        value & !self.mask() | part << self.shift() & self.mask()
    }
}

/// One bit of each of 32 interrupts.
#[derive(Clone, Copy, Debug)]
enum Bitmap {
    Group,
    SetEnable,
    ClearEnable,
    SetPending,
    ClearPending,
    SetActive,
    ClearActive,
}

/// A register.
#[derive(Clone, Copy, Debug)]
enum Register {
    /// GICD_CTLR.
    Control,
    /// GICD_TYPER.
    Type,
    /// GICD_IIDR, GICR_IIDR.
    Implementer,
    /// GICD_PIDR2, GICR_PIDR2.
    Peripheral,
    /// GICR_TYPER of a vCPU.
    RedistributorType(u8, Part),
    /// GICR_WAKER of a vCPU.
    Waker(u8),
    /// A bit of each interrupt of a word.
    Bits(Bitmap, usize),
    /// The priorities of some interrupts, from this one on.
    Priority(usize, u8),
    /// GICD_ICFGR, GICR_ICFGR: the upper or lower 16 interrupts of a word.
    Config(usize, bool),
    /// GICD_IROUTER of an SPI.
    Route(Irq, Part),
}

impl Register {
    fn at(frame: Frame, offset: u64, size: u8, vcpus: u8) -> Option<Self> {
        match frame {
            Frame::Distributor if offset < DISTRIBUTOR_SIZE => Self::of_distributor(offset, size),
            Frame::Distributor => None,
            Frame::Redistributor => {
                let vcpu = u8::try_from(offset / REDISTRIBUTOR_SIZE).ok()?;
                let offset = offset % REDISTRIBUTOR_SIZE;
                (vcpu < vcpus).then(|| Self::of_redistributor(vcpu, offset, size))?
            }
        }
    }

    fn of_distributor(offset: u64, size: u8) -> Option<Self> {
        match offset {
            0x0000 if size == 4 => Some(Self::Control),
            0x0004 if size == 4 => Some(Self::Type),
            0x0008 if size == 4 => Some(Self::Implementer),
            0xffe8 if size == 4 => Some(Self::Peripheral),
            0x6100..0x6800 => {
                let intid = u32::try_from((offset - 0x6000) / 8).ok()?;
                Some(Self::Route(Irq::of(0, intid)?, Part::at(offset, size)?))
            }
            // What is private stands in the redistributors: word 0 is reserved here.
            _ => Self::of_interrupts(offset, size, |word| match word {
                0 => None,
                word => Some(MAX_VCPUS - 1 + word).filter(|word| SPI_WORDS.contains(word)),
            }),
        }
    }

    fn of_redistributor(vcpu: u8, offset: u64, size: u8) -> Option<Self> {
        const SGI_BASE: u64 = 0x1_0000;
        match offset {
            0x0004 if size == 4 => Some(Self::Implementer),
            0x0008..0x0010 => Some(Self::RedistributorType(vcpu, Part::at(offset, size)?)),
            0x0014 if size == 4 => Some(Self::Waker(vcpu)),
            0xffe8 if size == 4 => Some(Self::Peripheral),
            SGI_BASE.. => Self::of_interrupts(offset - SGI_BASE, size, |word| {
                (word == 0).then_some(vcpu.into())
            }),
            _ => None,
        }
    }

    /// What the distributor and SGI_base have in common. `word` says which word of the bitmaps the 32 interrupts are.
    fn of_interrupts(offset: u64, size: u8, word: impl Fn(usize) -> Option<usize>) -> Option<Self> {
        let aligned = offset.is_multiple_of(size.max(1).into());
        let offset = usize::try_from(offset).ok().filter(|_| aligned)?;
        match offset {
            0x080..0x400 if size == 4 => {
                let kind = match offset / 0x80 {
                    1 => Bitmap::Group,
                    2 => Bitmap::SetEnable,
                    3 => Bitmap::ClearEnable,
                    4 => Bitmap::SetPending,
                    5 => Bitmap::ClearPending,
                    6 => Bitmap::SetActive,
                    _ => Bitmap::ClearActive,
                };
                Some(Self::Bits(kind, word(offset % 0x80 / 4)?))
            }
            0x400..0x800 if size == 1 || size == 4 => {
                let first = offset - 0x400;
                let place = word(first / PRIVATE)? * PRIVATE + first % PRIVATE;
                Some(Self::Priority(place, size))
            }
            0xc00..0xd00 if size == 4 => {
                let half = (offset - 0xc00) / 4;
                Some(Self::Config(word(half / 2)?, half % 2 == 1))
            }
            _ => None,
        }
    }
}

impl VGic {
    /// What a load (`write` is None) or store of `size` bytes by a vCPU does, whose list registers were taken back. The
    /// offset is one from the frame's start, in bytes.
    pub fn access(
        &mut self,
        vcpu: u8,
        frame: Frame,
        offset: u64,
        size: u8,
        write: Option<u64>,
    ) -> Access {
        let register = Register::at(frame, offset, size, self.vcpus).filter(|_| vcpu < self.vcpus);
        match (register, write) {
            (None, _) => Access::default(),
            (Some(register), None) => Access {
                value: self.read(register),
                kick: 0,
            },
            (Some(register), Some(value)) => Access {
                value: 0,
                kick: self.write(vcpu, register, value),
            },
        }
    }

    fn read(&self, register: Register) -> u64 {
        // GICD_CTLR.DS: one security state. ARE: affinity routing.
        const DS: u64 = 1 << 6;
        const ARE: u64 = 1 << 4;
        // GICD_TYPER: ITLinesNumber, IDbits (10), and No1N: an SPI has one target.
        const LINES: u64 = (WORDS - MAX_VCPUS) as u64;
        const ID_BITS: u64 = 9 << 19;
        const NO_1_OF_N: u64 = 1 << 25;
        // ProductID 'T', and nobody's JEP106 code. Not 0: Linux has a workaround for that.
        const IMPLEMENTER: u64 = 0x5400_0000;
        // ArchRev: GICv3.
        const GIC_V3: u64 = 3 << 4;
        const LAST: u64 = 1 << 4;
        // ChildrenAsleep and ProcessorSleep.
        const ASLEEP: u64 = 0b110;
        match register {
            Register::Control => DS | ARE | u64::from(self.group) << 1,
            Register::Type => LINES | ID_BITS | NO_1_OF_N,
            Register::Implementer => IMPLEMENTER,
            Register::Peripheral => GIC_V3,
            Register::RedistributorType(vcpu, part) => {
                let last = if vcpu + 1 == self.vcpus { LAST } else { 0 };
                part.of(u64::from(vcpu) << 32 | u64::from(vcpu) << 8 | last)
            }
            Register::Waker(vcpu) if self.asleep & bit(vcpu) != 0 => ASLEEP,
            Register::Waker(_) => 0,
            Register::Bits(kind, word) => match kind {
                Bitmap::Group => u32::MAX,
                Bitmap::SetEnable | Bitmap::ClearEnable => self.enabled.word(word),
                Bitmap::SetPending | Bitmap::ClearPending => self.pending(word),
                Bitmap::SetActive | Bitmap::ClearActive => self.active.word(word),
            }
            .into(),
            Register::Priority(first, count) => {
                (0..usize::from(count)).rev().fold(0, |value, i| {
                    value << 8 | Irq::at(first + i).map_or(0, |irq| u64::from(self.priority(irq)))
                })
            }
            Register::Config(word, upper) => {
                let edges = u64::from(self.edge.word(word)) >> if upper { 16 } else { 0 };
                (0..16).fold(0, |value, i| value | (edges >> i & 1) << (2 * i + 1))
            }
            Register::Route(irq, part) => {
                let route = irq.spi().and_then(|spi| self.route.get(spi));
                part.of(route.copied().unwrap_or(0))
            }
        }
    }

    fn write(&mut self, vcpu: u8, register: Register, value: u64) -> u8 {
        let [.., b3, b2, b1, b0] = value.to_be_bytes();
        let bits = u32::from_be_bytes([b3, b2, b1, b0]);
        match register {
            Register::Control => {
                self.group = bits & 1 << 1 != 0;
                (0..WORDS).fold(0, |kick, word| {
                    let mask = self.pending(word) | self.held.word(word);
                    kick | self.look_at(word, mask)
                })
            }
            Register::Waker(whose) => {
                self.asleep &= !bit(whose);
                if bits & 1 << 1 != 0 {
                    self.asleep |= bit(whose);
                }
                0
            }
            Register::Bits(kind, word) => self.write_bits(vcpu, kind, word, bits),
            Register::Priority(first, count) => {
                let bytes = [b0, b1, b2, b3];
                (0..usize::from(count))
                    .zip(bytes)
                    .fold(0, |kick, (i, value)| {
                        let Some(irq) = Irq::at(first + i) else {
                            return kick;
                        };
                        self.set_priority(irq, value);
                        kick | self.look(irq)
                    })
            }
            Register::Config(word, upper) => {
                // SGIs are edges.
                if SPI_WORDS.contains(&word) || upper {
                    let shift = if upper { 16 } else { 0 };
                    let edges = (0..16).fold(0, |edges, i| edges | (bits >> (2 * i + 1) & 1) << i);
                    self.edge.remove(word, 0xffff << shift);
                    self.edge.insert(word, edges << shift);
                }
                0
            }
            Register::Route(irq, part) => {
                // Aff3, Aff2, Aff1, Aff0. Interrupt_Routing_Mode is RES0: see No1N.
                const AFFINITY: u64 = 0xff_00ff_ffff;
                let mut kick = self.look(irq);
                if let Some(route) = irq.spi().and_then(|spi| self.route.get_mut(spi)) {
                    *route = part.into(*route, value) & AFFINITY;
                }
                kick |= self.look(irq);
                kick
            }
            Register::Type
            | Register::Implementer
            | Register::Peripheral
            | Register::RedistributorType(..) => 0,
        }
    }

    fn write_bits(&mut self, vcpu: u8, kind: Bitmap, word: usize, bits: u32) -> u8 {
        let mut kick = 0;
        match kind {
            Bitmap::Group => return 0,
            Bitmap::SetEnable => self.enabled.insert(word, bits),
            Bitmap::ClearEnable => self.enabled.remove(word, bits),
            Bitmap::SetPending => self.latch.insert(word, bits),
            Bitmap::ClearPending => {
                self.latch.remove(word, bits);
                self.given.remove(word, bits);
                // What a line holds pending stays so. A physical edge is forgotten.
                let edges = self.hw.word(word) & !self.active.word(word) & self.edge.word(word);
                for irq in each(word, bits & edges & !self.held.word(word)) {
                    kick |= self.release(vcpu, irq);
                }
            }
            Bitmap::SetActive => {
                for irq in each(word, bits) {
                    self.make_active(irq);
                }
            }
            Bitmap::ClearActive => {
                for irq in each(word, bits) {
                    kick |= self.make_inactive(vcpu, irq);
                }
            }
        }
        kick | self.look_at(word, bits)
    }

    fn make_active(&mut self, irq: Irq) {
        if self.held.has(irq) {
            self.amended.set(irq);
        } else {
            // It is active at the vCPU that would have taken it.
            let home = self.home(irq).unwrap_or(0);
            if let Some(holder) = irq.spi().and_then(|spi| self.holder.get_mut(spi)) {
                *holder = home;
            }
        }
        self.active.set(irq);
    }

    fn look_at(&mut self, word: usize, mask: u32) -> u8 {
        each(word, mask).fold(0, |kick, irq| kick | self.look(irq))
    }
}
