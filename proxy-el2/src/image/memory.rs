//! The memory that the core reaches: windows on VMs' buffers, and the proxy's own pair.

use core::{cell::UnsafeCell, ops::Range};
use ffa_abi::Regs;
use platform::{
    foreign,
    once::Shared,
    stage1::{Kind, Stage1},
};
use proxy_el2::{
    MAX_VMS,
    buffers::{MAX_PAGES, Memory, OwnPair, Unreachable},
    forward::El3,
    vcpu::VmIndex,
};
use spin::mutex::SpinMutex;

const BYTES: usize = MAX_PAGES as usize * 4096;
/// Each VM has a TX and an RX.
const WINDOWS: usize = 2 * MAX_VMS;

/// A buffer that the SPMC maps.
#[repr(C, align(4096))]
struct Buffer(UnsafeCell<[u8; BYTES]>);

// SAFETY: it is only reached through raw pointers, by the core that holds the lock of the proxy's own pair.
unsafe impl Sync for Buffer {}

static TX: Buffer = Buffer(UnsafeCell::new([0; BYTES]));
static RX: Buffer = Buffer(UnsafeCell::new([0; BYTES]));

/// What stands in for each VM's TX towards the SPMC.
// SAFETY: Any bits are a buffer. The SPMC reads of it what was written.
#[unsafe(link_section = ".noinit")]
static STAND_INS: [Buffer; MAX_VMS] = [const { Buffer(UnsafeCell::new([0; BYTES])) }; MAX_VMS];

/// The image's map, once it is on.
pub static MAP: Shared<Stage1> = Shared::new();

/// What is open of VMs' memory. Held while a window is used, so that none is closed meanwhile.
static OPEN: SpinMutex<[Option<Range<usize>>; WINDOWS]> = SpinMutex::new([const { None }; WINDOWS]);

/// Where the proxy's own pair is. The image's map is an identity map.
pub fn own_pair() -> OwnPair {
    OwnPair {
        tx: TX.0.get() as u64,
        rx: RX.0.get() as u64,
        pages: MAX_PAGES,
    }
}

/// The machine as far as it is the same on every core: memory, and EL3.
pub struct Port;

/// Gives `f` the first byte of `length` bytes at `at`, if they are inside one window.
fn reach<T>(at: u64, length: usize, f: impl FnOnce(usize) -> T) -> Result<T, Unreachable> {
    let start = usize::try_from(at).map_err(|_| Unreachable)?;
    let end = start.checked_add(length).ok_or(Unreachable)?;
    let open = OPEN.lock();
    let inside = |window: &&Range<usize>| window.start <= start && end <= window.end;
    open.iter().flatten().find(inside).ok_or(Unreachable)?;
    Ok(f(start))
}

fn addresses(range: &Range<u64>) -> Result<Range<usize>, Unreachable> {
    let address = |at| usize::try_from(at).map_err(|_| Unreachable);
    Ok(address(range.start)?..address(range.end)?)
}

impl El3 for Port {
    fn smc(&mut self, regs: &mut Regs) {
        platform::smc::smc(&mut regs.0);
    }
}

impl Memory for Port {
    fn open(&mut self, pages: Range<u64>) -> Result<(), Unreachable> {
        let range = addresses(&pages)?;
        let map = MAP.get().ok_or(Unreachable)?;
        let mut open = OPEN.lock();
        let free = open.iter_mut().find(|slot| slot.is_none());
        let slot = free.ok_or(Unreachable)?;
        // SAFETY: The core asks for pages of a VM's memory, which is RAM, the same at either stage of translation, and
        // apart from the image's (`load`). Pages that hold objects of the image are mapped already, and refused.
        unsafe { map.map(range.clone(), Kind::Data) }.map_err(|_| Unreachable)?;
        *slot = Some(range);
        Ok(())
    }

    fn close(&mut self, pages: Range<u64>) {
        let (Ok(range), Some(map)) = (addresses(&pages), MAP.get()) else {
            return;
        };
        let mut open = OPEN.lock();
        for slot in open.iter_mut().filter(|slot| slot.as_ref() == Some(&range)) {
            // SAFETY: It is reached only through `reach`, whose lock is held, and which no longer finds it.
            if unsafe { map.unmap(range.clone()) }.is_err() {
                // It was mapped in one piece by `open`. Still mapped, it stays as it is: unreached.
                defmt::error!("window {=u64:#x} stays mapped", pages.start);
            }
            *slot = None;
        }
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Unreachable> {
        // SAFETY: It is mapped for that length and holds no object of the image.
        reach(at, bytes.len(), |to| unsafe { foreign::write(to, bytes) })
    }

    fn zero(&mut self, range: Range<u64>) -> Result<(), Unreachable> {
        let length = range.end.checked_sub(range.start).ok_or(Unreachable)?;
        let length = usize::try_from(length).map_err(|_| Unreachable)?;
        // SAFETY: As in `write`.
        reach(range.start, length, |to| unsafe {
            foreign::zero(to, length)
        })
    }

    fn read(&mut self, at: u64, to: &mut [u8]) -> Result<(), Unreachable> {
        let length = to.len();
        // SAFETY: As in `write`.
        reach(at, length, |from| unsafe { foreign::read(from, to) })
    }

    #[inline(always)]
    fn pass_words<const N: usize>(&mut self, at: u64) -> Result<[u64; N], Unreachable> {
        const { assert!(size_of::<[u64; N]>() <= BYTES) };
        if !at.is_multiple_of(size_of::<u64>() as u64) {
            return Err(Unreachable);
        }
        reach(at, size_of::<[u64; N]>(), |from| {
            let from = from as *const u64;
            let to = TX.0.get().cast::<u64>();
            core::array::from_fn(|n| {
                // SAFETY: As in `write` and `write_tx`; both are aligned.
                unsafe {
                    let word = from.add(n).read_volatile();
                    to.add(n).write_volatile(word);
                    word
                }
            })
        })
    }

    fn read_rx(&mut self, offset: usize, to: &mut [u8]) -> Result<(), Unreachable> {
        let end = offset.checked_add(to.len()).ok_or(Unreachable)?;
        if end > BYTES {
            return Err(Unreachable);
        }
        let from = (RX.0.get() as usize).wrapping_add(offset);
        // SAFETY: The bytes are inside of RX, which is read through raw pointers only. The SPMC writes there.
        unsafe { foreign::read(from, to) }
        Ok(())
    }

    fn write_tx(&mut self, bytes: &[u8]) -> Result<(), Unreachable> {
        if bytes.len() > BYTES {
            return Err(Unreachable);
        }
        // SAFETY: The bytes are inside of TX, which is written through raw pointers only. The SPMC reads there.
        unsafe { foreign::write(TX.0.get() as usize, bytes) }
        Ok(())
    }

    fn stand_in(&mut self, vm: VmIndex) -> Option<u64> {
        let Buffer(buffer) = STAND_INS.get(usize::from(vm.0))?;
        Some(buffer.get() as u64)
    }

    fn write_stand_in(
        &mut self,
        vm: VmIndex,
        offset: usize,
        bytes: &[u8],
    ) -> Result<(), Unreachable> {
        let Buffer(buffer) = STAND_INS.get(usize::from(vm.0)).ok_or(Unreachable)?;
        let end = offset.checked_add(bytes.len()).ok_or(Unreachable)?;
        if end > BYTES {
            return Err(Unreachable);
        }
        let to = (buffer.get() as usize).wrapping_add(offset);
        // SAFETY: The bytes are inside of the buffer, which is written through raw pointers only, by who has the lock of the
        // VM's pair. The SPMC reads there.
        unsafe { foreign::write(to, bytes) }
        Ok(())
    }
}
