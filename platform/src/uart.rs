//! The image's PL011 and the lock that lets several CPUs share it.
//!
//! Owns one UART per image ([`CONSOLE`]), or two ([`ENDPOINTS`]), and who may write to it now. Called by the logger, by whoever forwards a
//! partition's console, and by the panic path. Never interprets what it carries ([`crate::logmux`] does), never uses
//! interrupts or DMA, and waits for FIFO space only, not for the line to drain, unless asked to flush.

use crate::{board::Pl011, logmux};
use arm_pl011_uart::{DataBits, LineConfig, Parity, StopBits};
use core::arch::asm;
use core::fmt;
use core::hint::spin_loop;
use core::ptr::{self, NonNull};
use core::sync::atomic::{AtomicU64, Ordering};
use embedded_hal::delay::DelayNs;
use embedded_io::{ErrorType, Read, ReadReady, Write, WriteReady};

pub use arm_pl011_uart::Error;

/// Offset of UARTDR in bytes.
const UARTDR: usize = 0x00;
/// Offset of UARTFR in bytes.
const UARTFR: usize = 0x18;
/// UARTFR.TXFF: the transmit FIFO is full.
const TXFF: u32 = 1 << 5;
/// How often to look whether earlier firmware's bytes have left before the UART is set up again.
const DRAIN_POLLS: u32 = 1_000;
/// Microseconds between two looks: a little less than one byte takes.
const DRAIN_POLL_US: u32 = 80;

/// A PL011 that this value alone drives.
pub struct Uart(arm_pl011_uart::Uart<'static>);

impl Uart {
    /// Takes the PL011 at `base` as it is, without touching its settings. None if `base` is 0.
    ///
    /// # Safety
    /// `base` is the address of a PL011's 4 KiB register frame, mapped as device memory from now on, and nothing else
    /// drives it while this value is used.
    #[must_use]
    pub unsafe fn at(base: usize) -> Option<Self> {
        let registers = NonNull::new(ptr::with_exposed_provenance_mut(base))?;
        // SAFETY: the caller promises a PL011 there that nobody else drives.
        let registers = unsafe { arm_pl011_uart::UniqueMmioPointer::new(registers) };
        Some(Self(arm_pl011_uart::Uart::new(registers)))
    }

    /// Sets the line up (8N1, FIFOs on) and enables transmitter and receiver, after what earlier firmware left in the
    /// FIFO has gone out.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] if the clock cannot make that speed; the UART is then as it was.
    pub fn enable(&mut self, pl011: &Pl011, delay: &mut impl DelayNs) -> Result<(), Error> {
        // A disabled UART never drains its FIFO, so the wait has a bound.
        for _ in 0..DRAIN_POLLS {
            if !self.0.is_busy() {
                break;
            }
            delay.delay_us(DRAIN_POLL_US);
        }
        let line = LineConfig {
            data_bits: DataBits::Bits8,
            parity: Parity::None,
            stop_bits: StopBits::One,
        };
        self.0.enable(line, pl011.baud, pl011.clock_hz)
    }

    /// Writes one byte, after waiting for space in the FIFO.
    pub fn put(&mut self, byte: u8) {
        while self.0.is_tx_fifo_full() {
            spin_loop();
        }
        self.0.write_word(byte);
    }

    /// Reads one byte if one has arrived.
    ///
    /// # Errors
    /// What the line reported with the byte, which is lost.
    pub fn get(&mut self) -> Result<Option<u8>, Error> {
        self.0.read_word()
    }
}

impl ErrorType for Uart {
    type Error = Error;
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> Result<(), Error> {
        Write::flush(&mut self.0)
    }
}

impl Read for Uart {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Error> {
        self.0.read(bytes)
    }
}

impl WriteReady for Uart {
    fn write_ready(&mut self) -> Result<bool, Error> {
        self.0.write_ready()
    }
}

impl ReadReady for Uart {
    fn read_ready(&mut self) -> Result<bool, Error> {
        self.0.read_ready()
    }
}

/// The image's console. Silent until [`Console::init`].
pub static CONSOLE: Console = Console::new();
/// The console of the image's guests, where the board has a UART for it ([`crate::board::Board::uart_partitions`]).
pub static ENDPOINTS: Console = Console::new();

/// A UART that the CPUs share.
///
/// The lock knows which CPU holds it, so that code which logs while it logs is told so instead of waiting for itself.
/// Interrupts are masked at EL2 at all times, so a holder always runs on to the end.
pub struct Console {
    /// Address of the PL011; 0 before [`Console::init`].
    base: AtomicU64,
    /// [`this_cpu`] of the holder; 0 when free.
    owner: AtomicU64,
}

impl Console {
    /// A console without a UART.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            base: AtomicU64::new(0),
            owner: AtomicU64::new(0),
        }
    }

    /// Sets up a PL011 and speaks through it from now on.
    ///
    /// Writes no lock, so it may be called before the MMU is on, by the only CPU that runs.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] if its address is 0 or the clock cannot make that speed; the console then stays silent.
    ///
    /// # Safety
    /// There is a PL011, whose registers stay mapped as device memory, and only this console drives it.
    pub unsafe fn init(&self, pl011: &Pl011, delay: &mut impl DelayNs) -> Result<(), Error> {
        let base = pl011.region.base;
        let address = usize::try_from(base).map_err(|_| Error::InvalidParameter)?;
        // SAFETY: the caller's promise is the one asked for here.
        let mut uart = unsafe { Uart::at(address) }.ok_or(Error::InvalidParameter)?;
        uart.enable(pl011, delay)?;
        self.base.store(base, Ordering::Release);
        Ok(())
    }

    /// Waits for the UART and holds it until the guard goes. None if this CPU holds it already, or there is none yet.
    ///
    /// Not to be called with the MMU off: atomics need normal memory.
    #[must_use]
    pub fn lock(&self) -> Option<ConsoleGuard<'_>> {
        let base = usize::try_from(self.base.load(Ordering::Acquire)).ok()?;
        if base == 0 || !self.acquire() {
            return None;
        }
        // SAFETY: `init` was given a PL011's address, and the lock makes this CPU its only user.
        let uart = unsafe { Uart::at(base) };
        match uart {
            Some(uart) => Some(ConsoleGuard {
                console: self,
                uart,
            }),
            None => {
                self.release();
                None
            }
        }
    }

    /// Whether there is a UART behind it.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.base.load(Ordering::Relaxed) != 0
    }

    /// Whether the calling CPU holds the console.
    #[must_use]
    pub fn held_by_this_cpu(&self) -> bool {
        self.owner.load(Ordering::Relaxed) == this_cpu()
    }

    /// Writes bytes past the lock, for a CPU that is about to die: first [`logmux::FRAME_END`], so that a frame which
    /// some CPU left open does not swallow the text.
    ///
    /// Works whatever state the lock and the other CPUs are in; their output may interleave.
    pub fn raw_write(&self, bytes: &[u8]) {
        self.raw_put(logmux::FRAME_END);
        for byte in bytes {
            self.raw_put(*byte);
        }
    }

    /// A writer past the lock, as [`Console::raw_write`] is, for `write!` on the way down.
    #[must_use]
    pub fn raw(&self) -> RawWriter<'_> {
        self.raw_put(logmux::FRAME_END);
        RawWriter(self)
    }

    fn raw_put(&self, byte: u8) {
        let Ok(base) = usize::try_from(self.base.load(Ordering::Relaxed)) else {
            return;
        };
        if base == 0 {
            return;
        }
        let flags = ptr::with_exposed_provenance::<u32>(base.wrapping_add(UARTFR));
        let data = ptr::with_exposed_provenance_mut::<u32>(base.wrapping_add(UARTDR));
        // SAFETY: `init` was given a PL011 that stays mapped. Another CPU may be using it at this moment; the two
        // registers tolerate that, and a lost or mixed byte is all that can come of it.
        unsafe {
            while flags.read_volatile() & TXFF != 0 {
                spin_loop();
            }
            data.write_volatile(u32::from(byte));
        }
    }

    /// Takes the lock. False if this CPU has it already.
    fn acquire(&self) -> bool {
        let me = this_cpu();
        loop {
            match self
                .owner
                .compare_exchange_weak(0, me, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(owner) if owner == me => return false,
                Err(_) => spin_loop(),
            }
        }
    }

    fn release(&self) {
        self.owner.store(0, Ordering::Release);
    }
}

impl Default for Console {
    fn default() -> Self {
        Self::new()
    }
}

/// The console, held by this CPU.
pub struct ConsoleGuard<'a> {
    console: &'a Console,
    uart: Uart,
}

impl ConsoleGuard<'_> {
    /// Writes one byte, after waiting for space in the FIFO.
    pub fn put(&mut self, byte: u8) {
        self.uart.put(byte);
    }

    /// The UART itself.
    pub fn uart(&mut self) -> &mut Uart {
        &mut self.uart
    }
}

impl Drop for ConsoleGuard<'_> {
    fn drop(&mut self) {
        self.console.release();
    }
}

impl ErrorType for ConsoleGuard<'_> {
    type Error = Error;
}

impl Write for ConsoleGuard<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        self.uart.write(bytes)
    }

    fn flush(&mut self) -> Result<(), Error> {
        Write::flush(&mut self.uart)
    }
}

impl Read for ConsoleGuard<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Error> {
        self.uart.read(bytes)
    }
}

impl fmt::Write for ConsoleGuard<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.put(byte);
        }
        Ok(())
    }
}

/// Writes text past the console's lock. For the panic path only.
pub struct RawWriter<'a>(&'a Console);

impl fmt::Write for RawWriter<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0.raw_put(byte);
        }
        Ok(())
    }
}

/// A number for the calling CPU that is never 0: the affinity fields of MPIDR_EL1 and bit 31, which is RES1.
fn this_cpu() -> u64 {
    let mpidr: u64;
    // SAFETY: reading MPIDR_EL1 at EL2 has no effect and gives the CPU's own value.
    unsafe { asm!("mrs {}, mpidr_el1", out(reg) mpidr, options(nomem, nostack, preserves_flags)) };
    (mpidr & 0xff_00ff_ffff) | (1 << 31)
}
