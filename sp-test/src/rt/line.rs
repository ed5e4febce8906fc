//! Interrupt lines that software raises and lowers: see [`Line`]. One write each, at the moment that it is made.

use crate::board::{Line, SourceKind};
use core::arch::asm;

/// PL061.
const GPIOIS: u64 = 0x404;
const GPIOIEV: u64 = 0x40c;
const GPIOIE: u64 = 0x410;
/// PL031.
const RTCDR: u64 = 0x00;
const RTCMR: u64 = 0x04;
const RTCIMSC: u64 = 0x10;
const RTCRIS: u64 = 0x14;
/// SP805.
const WDOGLOAD: u64 = 0x00;
const WDOGCONTROL: u64 = 0x08;
const WDOGRIS: u64 = 0x10;
const WDOGLOCK: u64 = 0xc00;
const WDOGLOCK_OPEN: u32 = 0x1acc_e551;
/// A timer frame.
const CNTP_CVAL: u64 = 0x20;
const CNTP_CTL: u64 = 0x2c;
const CNTP_CTL_ENABLE: u32 = 1;

/// How often a register is looked at until a device is where it should be.
const PATIENCE: u32 = 10_000_000;

/// A line, and where this image sees its device.
#[derive(Clone, Copy, Debug)]
pub struct Device {
    line: Line,
    base: u64,
}

impl Device {
    /// The device of `line`, `offset` bytes behind where it is on the bus.
    pub const fn new(line: Line, offset: u64) -> Self {
        Self {
            line,
            base: line.device() + offset,
        }
    }

    fn read(self, register: u64) -> u32 {
        let value: u32;
        // SAFETY: a register of a device that this image was given.
        unsafe {
            asm!("ldr {0:w}, [{1}]", out(reg) value, in(reg) self.base + register, options(nostack, preserves_flags));
        }
        value
    }

    fn write(self, register: u64, value: u32) {
        // SAFETY: as above; none of these devices reaches memory by itself.
        unsafe {
            asm!("str {0:w}, [{1}]", "dsb sy", in(reg) value, in(reg) self.base + register, options(nostack, preserves_flags));
        }
    }

    /// Makes the device ready, with its line low. Says whether it is.
    pub fn prepare(self) -> bool {
        match self.line.source().kind {
            SourceKind::Gpio(pin) => {
                let bit = 1 << pin;
                self.write(GPIOIE, 0);
                self.write(GPIOIS, bit);
                // Active at the level that the pin has.
                let data = self.read(u64::from(bit) << 2);
                self.write(GPIOIEV, data & bit);
                true
            }
            SourceKind::Clock => {
                self.write(RTCIMSC, 0);
                // A match with the present second sets its bit, which stays.
                self.write(RTCMR, self.read(RTCDR).wrapping_add(1));
                self.write(RTCMR, self.read(RTCDR));
                self.soon(RTCRIS)
            }
            SourceKind::Watchdog => {
                self.write(WDOGLOCK, WDOGLOCK_OPEN);
                self.write(WDOGLOAD, 1);
                self.write(WDOGCONTROL, 1);
                let there = self.soon(WDOGRIS);
                self.write(WDOGCONTROL, 0);
                self.write(WDOGLOAD, u32::MAX);
                there
            }
            SourceKind::TimerFrame => {
                self.write(CNTP_CTL, 0);
                self.write(CNTP_CVAL, 0);
                self.write(CNTP_CVAL + 4, 0);
                true
            }
        }
    }

    /// Waits until a raw interrupt status is set.
    fn soon(self, register: u64) -> bool {
        (0..PATIENCE).any(|_| self.read(register) & 1 != 0)
    }

    fn set(self, high: bool) {
        let (register, on) = match self.line.source().kind {
            SourceKind::Gpio(pin) => (GPIOIE, 1 << pin),
            SourceKind::Clock => (RTCIMSC, 1),
            SourceKind::Watchdog => (WDOGCONTROL, 1),
            SourceKind::TimerFrame => (CNTP_CTL, CNTP_CTL_ENABLE),
        };
        self.write(register, if high { on } else { 0 });
    }

    /// Raises the line.
    pub fn raise(self) {
        self.set(true);
    }

    /// Lowers the line.
    pub fn lower(self) {
        self.set(false);
    }
}
