//! The memory that the core reaches: windows on the VM's buffers, and the proxy's own pair.

use super::run::Port;
use core::{cell::UnsafeCell, ops::Range};
use platform::stage1::{Kind, Stage1};
use proxy_el2::buffers::{MAX_PAGES, Memory, OwnPair, Unreachable};

const BYTES: usize = MAX_PAGES as usize * 4096;

/// A buffer that the SPMC maps.
#[repr(C, align(4096))]
struct Buffer(UnsafeCell<[u8; BYTES]>);

// SAFETY: it is only reached through raw pointers, by the one core that runs.
unsafe impl Sync for Buffer {}

static TX: Buffer = Buffer(UnsafeCell::new([0; BYTES]));
static RX: Buffer = Buffer(UnsafeCell::new([0; BYTES]));

/// Where the proxy's own pair is. The image's map is an identity map.
pub fn own_pair() -> OwnPair {
    OwnPair {
        tx: TX.0.get() as u64,
        rx: RX.0.get() as u64,
        pages: MAX_PAGES,
    }
}

/// The image's map, and what is open of the VM's memory: its TX and its RX.
pub struct Windows {
    map: &'static Stage1,
    open: [Option<Range<usize>>; 2],
}

impl Windows {
    /// Nothing is open.
    pub const fn new(map: &'static Stage1) -> Self {
        Self {
            map,
            open: [None, None],
        }
    }

    /// The first byte of `length` bytes at `at`, if they are inside one window.
    fn reach(&self, at: u64, length: usize) -> Result<*mut u8, Unreachable> {
        let start = usize::try_from(at).map_err(|_| Unreachable)?;
        let end = start.checked_add(length).ok_or(Unreachable)?;
        self.open
            .iter()
            .flatten()
            .find(|window| window.start <= start && end <= window.end)
            .map(|_| start as *mut u8)
            .ok_or(Unreachable)
    }
}

fn addresses(range: &Range<u64>) -> Result<Range<usize>, Unreachable> {
    let address = |at| usize::try_from(at).map_err(|_| Unreachable);
    Ok(address(range.start)?..address(range.end)?)
}

impl Memory for Port {
    fn open(&mut self, pages: Range<u64>) -> Result<(), Unreachable> {
        let windows = &mut self.windows;
        let range = addresses(&pages)?;
        let free = windows.open.iter_mut().find(|slot| slot.is_none());
        let slot = free.ok_or(Unreachable)?;
        // SAFETY: The core asks for pages of the VM's memory, which is RAM, the same at either stage
        // of translation, and apart from the image's (`boot::load`). Pages that hold objects of the
        // image are mapped already, and refused.
        unsafe { windows.map.map(range.clone(), Kind::Data) }.map_err(|_| Unreachable)?;
        *slot = Some(range);
        Ok(())
    }

    fn close(&mut self, pages: Range<u64>) {
        let windows = &mut self.windows;
        let Ok(range) = addresses(&pages) else { return };
        let window = windows.open.iter_mut();
        for slot in window.filter(|slot| slot.as_ref() == Some(&range)) {
            // SAFETY: It is reached only through `reach`, which no longer finds it.
            if unsafe { windows.map.unmap(range.clone()) }.is_err() {
                // It was mapped in one piece by `open`. Still mapped, it stays as it is: unreached.
                defmt::error!("window {=u64:#x} stays mapped", pages.start);
            }
            *slot = None;
        }
    }

    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Unreachable> {
        let to = self.windows.reach(at, bytes.len())?;
        // SAFETY: `to` is mapped for that length and holds no object of the image; the VM, which may
        // write there, does not run.
        unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) }
        Ok(())
    }

    fn zero(&mut self, range: Range<u64>) -> Result<(), Unreachable> {
        let length = range.end.checked_sub(range.start).ok_or(Unreachable)?;
        let length = usize::try_from(length).map_err(|_| Unreachable)?;
        let to = self.windows.reach(range.start, length)?;
        // SAFETY: As in `write`.
        unsafe { to.write_bytes(0, length) }
        Ok(())
    }

    fn read_rx(&mut self, offset: usize, to: &mut [u8]) -> Result<(), Unreachable> {
        let end = offset.checked_add(to.len()).ok_or(Unreachable)?;
        if end > BYTES {
            return Err(Unreachable);
        }
        let from = RX.0.get().cast::<u8>();
        // SAFETY: The bytes are inside of RX, which `to`, an object of the image's, does not overlap.
        // The SPMC writes there only inside of a call.
        unsafe {
            to.as_mut_ptr()
                .copy_from_nonoverlapping(from.add(offset), to.len())
        }
        Ok(())
    }
}
