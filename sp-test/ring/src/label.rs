//! Labels: register values that say whose they are.
//!
//! Each half of a labelled register carries the endpoint that put it there, the register and a
//! serial number, so that a value found where it does not belong tells where it came from, also
//! when only half of it got there. The cores copy values and know nothing of this.

use crate::fid;
use std::fmt;

/// x0 to x30.
pub type Frame = [u64; 31];

/// Whose a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The partition in this slot, below 15.
    Partition(u8),
    /// The normal world's hypervisor or OS at NS-EL2 or NS-EL1 itself.
    Hypervisor,
    /// A VM of the normal world with this id, 1 to 7, whose hypervisor is scripted.
    Vm(u8),
    /// The proxy's own registers.
    Proxy,
    /// EL3's.
    El3,
    /// The SPMC's own registers.
    Spmc,
}

impl Origin {
    const fn code(self) -> u32 {
        match self {
            Self::Partition(slot) => slot as u32 & 15,
            Self::Hypervisor => 16,
            Self::Vm(id) => 16 + (id as u32 & 7),
            Self::Proxy => 24,
            Self::El3 => 25,
            Self::Spmc => 26,
        }
    }

    const fn from_code(code: u32) -> Option<Self> {
        Some(match code {
            0..16 => Self::Partition(code as u8),
            16 => Self::Hypervisor,
            17..24 => Self::Vm(code as u8 - 16),
            24 => Self::Proxy,
            25 => Self::El3,
            26 => Self::Spmc,
            _ => return None,
        })
    }

    /// The normal world's endpoint with this FF-A id.
    pub const fn normal(id: u16) -> Self {
        match id {
            1..=7 => Self::Vm(id as u8),
            _ => Self::Hypervisor,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partition(slot) => write!(f, "partition {:#x}", 0x8001 + u16::from(*slot)),
            Self::Hypervisor => f.write_str("the hypervisor"),
            Self::Vm(id) => write!(f, "VM {id}"),
            Self::Proxy => f.write_str("the proxy"),
            Self::El3 => f.write_str("EL3"),
            Self::Spmc => f.write_str("the SPMC"),
        }
    }
}

/// What half of a labelled register says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Who put it there.
    pub origin: Origin,
    /// In which register, 31 being SP.
    pub register: u8,
    /// When.
    pub serial: u32,
}

const LOW: u32 = 5;
const HIGH: u32 = 6;
const SERIAL: u32 = (1 << 18) - 1;

impl Label {
    const fn half(self, which: u32) -> u32 {
        which << 28 | self.origin.code() << 23 | (self.register as u32 & 31) << 18 | self.serial
    }

    /// The register value.
    pub const fn value(self) -> u64 {
        (self.half(HIGH) as u64) << 32 | self.half(LOW) as u64
    }

    const fn read(half: u32) -> Option<Self> {
        if !matches!(half >> 28, LOW | HIGH) {
            return None;
        }
        match Origin::from_code(half >> 23 & 31) {
            Some(origin) => Some(Self {
                origin,
                register: (half >> 18 & 31) as u8,
                serial: half & SERIAL,
            }),
            None => None,
        }
    }

    /// What the two halves of a register say, where they say anything.
    pub const fn of(value: u64) -> [Option<Self>; 2] {
        [Self::read(value as u32), Self::read((value >> 32) as u32)]
    }
}

/// Says whose a value is, for messages.
pub fn describe(value: u64) -> String {
    match Label::of(value) {
        [None, None] => format!("{value:#x}"),
        [low, high] => {
            let one = |label: Option<Label>| match label {
                Some(Label {
                    origin,
                    register,
                    serial,
                }) => format!("x{register} of {origin} #{serial}"),
                None => "no label".to_owned(),
            };
            if low == high {
                format!("{value:#x} ({})", one(low))
            } else {
                format!("{value:#x} (high {}, low {})", one(high), one(low))
            }
        }
    }
}

/// V0-V31, FPCR and FPSR.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vectors {
    /// V0 to V31.
    pub v: [u128; 32],
    /// FPCR.
    pub fpcr: u64,
    /// FPSR.
    pub fpsr: u64,
}

impl Vectors {
    /// As a core comes up.
    pub const ZERO: Self = Self {
        v: [0; 32],
        fpcr: 0,
        fpsr: 0,
    };
}

/// Where labels come from.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    serial: u32,
}

impl Labels {
    fn next(&mut self) -> u32 {
        self.serial = (self.serial + 1) & SERIAL;
        self.serial
    }

    /// x0 to x30, all labelled, with one serial number.
    pub fn frame(&mut self, origin: Origin) -> Frame {
        let serial = self.next();
        core::array::from_fn(|n| {
            Label {
                origin,
                register: n as u8,
                serial,
            }
            .value()
        })
    }

    /// A frame with `fid` in w0, these arguments from register 1 and labels beyond. Upper halves of
    /// a 32-bit call's arguments are labels, too: they do not count.
    pub fn call(&mut self, origin: Origin, fid: u32, arguments: &[u64]) -> Frame {
        const UPPER: u64 = 0xffff_ffff_0000_0000;
        let mut x = self.frame(origin);
        let garbage = if fid::is_wide(fid) { 0 } else { UPPER };
        // The identifier is w0 in both conventions.
        x[0] = x[0] & UPPER | u64::from(fid);
        for (register, value) in x.iter_mut().skip(1).zip(arguments) {
            *register = *register & garbage | value;
        }
        x
    }

    /// A direct message, its payload and everything else labelled.
    pub fn message(&mut self, origin: Origin, fid: u32, sender: u16, receiver: u16) -> Frame {
        let ids = u64::from(sender) << 16 | u64::from(receiver);
        match fid {
            fid::REQ2 | fid::RESP2 => self.call(origin, fid, &[ids, 0, 0]),
            _ => self.call(origin, fid, &[ids, 0]),
        }
    }

    /// A stack pointer.
    pub fn sp(&mut self, origin: Origin) -> u64 {
        let serial = self.next();
        Label {
            origin,
            register: 31,
            serial,
        }
        .value()
    }

    /// Vector registers.
    pub fn vectors(&mut self, origin: Origin) -> Vectors {
        let serial = self.next();
        let value = |n: usize| {
            Label {
                origin,
                register: n as u8,
                serial,
            }
            .value()
        };
        Vectors {
            v: core::array::from_fn(|n| u128::from(value(n)) << 64 | u128::from(!value(n))),
            fpcr: value(0) & 0xffff,
            fpsr: value(1) & 0xffff,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_half_says_whose_it_is() {
        let mut labels = Labels::default();
        for origin in [
            Origin::Partition(3),
            Origin::Hypervisor,
            Origin::Vm(7),
            Origin::Proxy,
            Origin::El3,
            Origin::Spmc,
        ] {
            let frame = labels.frame(origin);
            for (n, value) in frame.iter().enumerate() {
                for half in Label::of(*value) {
                    let label = half.unwrap();
                    assert_eq!((label.origin, label.register as usize), (origin, n));
                }
                assert_eq!(Label::of(value & 0xffff_ffff)[1], None);
            }
        }
        for plain in [0, u64::MAX, 0x8400_0060, 0xc400_008d, 0x8001, 0x0001_8001] {
            assert_eq!(Label::of(plain), [None, None], "{plain:#x}");
        }
    }
}
