//! Memory transactions, as an endpoint makes them: descriptors of FF-A 1.2 in buffers of up to four pages.
//!
//! Nothing is checked but what the firmware answers. An instruction counter counts the calls alone, inside of a window
//! that is paused.

use crate::abi::{self, Regs};
use crate::rt::call::{self, Conduit};
use core::arch::asm;
use core::cell::UnsafeCell;

const BUFFER: usize = 4 * 4096;

#[repr(C, align(4096))]
struct Buffer(UnsafeCell<[u8; BUFFER]>);

// SAFETY: it is only accessed through raw pointers, a byte at a time; the firmware does so too.
unsafe impl Sync for Buffer {}

static TX: Buffer = Buffer(UnsafeCell::new([0; BUFFER]));
static RX: Buffer = Buffer(UnsafeCell::new([0; BUFFER]));

/// Normal, write-back, inner shareable.
const NORMAL: u64 = 0x2f;
/// Bytes of the transaction descriptor, up to the list of endpoints.
const HEADER: usize = 48;
/// Bytes of an entry of that list.
const ACCESS: usize = 32;
/// Bytes of a composite memory region without its constituents.
const COMPOSITE: usize = 16;
/// Data access: read and write.
const READ_WRITE: u64 = 2;
/// Instruction access: not executable.
const NOT_EXECUTABLE: u64 = 1 << 2;

/// Constituents that are all alike.
#[derive(Clone, Copy, Debug)]
pub struct Pieces {
    /// The first address.
    pub base: u64,
    /// How many there are.
    pub count: u64,
    /// Pages of each.
    pub pages: u64,
    /// Bytes from the start of one to that of the next.
    pub stride: u64,
}

/// An answer that is an error, or none of this call's.
#[derive(Clone, Copy, Debug)]
pub struct Refused {
    /// Its x0.
    pub x0: u64,
    /// Its x2.
    pub x2: u64,
}

fn put(offset: usize, bytes: usize, value: u64) {
    for (n, byte) in value.to_le_bytes().iter().enumerate().take(bytes) {
        assert!(offset + n < BUFFER, "a descriptor is too long");
        // SAFETY: inside of the buffer.
        unsafe {
            TX.0.get()
                .cast::<u8>()
                .add(offset + n)
                .write_volatile(*byte)
        }
    }
}

fn get(offset: usize, bytes: usize) -> u64 {
    let mut value = [0; 8];
    for (n, byte) in value.iter_mut().enumerate().take(bytes) {
        assert!(offset + n < BUFFER, "an answer is too long");
        // SAFETY: inside of the buffer.
        *byte = unsafe { RX.0.get().cast::<u8>().add(offset + n).read_volatile() };
    }
    u64::from_le_bytes(value)
}

/// Makes a call that counts in a window that counts nothing else; it must be answered with `wanted`.
///
/// # Errors
/// What came instead.
pub fn counted(id: u32, arguments: [u64; 4], wanted: u32) -> Result<Regs, Refused> {
    let mut regs = [0; 18];
    regs[0] = id.into();
    regs[1..5].copy_from_slice(&arguments);
    // SAFETY: nothing happens but that a counter sees it.
    unsafe { asm!("hint #0x63", options(nostack, preserves_flags)) }
    call::call(Conduit::Smc, &mut regs);
    // SAFETY: as above.
    unsafe { asm!("hint #0x62", options(nostack, preserves_flags)) }
    match regs[0] == wanted.into() {
        true => Ok(regs),
        false => Err(Refused {
            x0: regs[0],
            x2: regs[2],
        }),
    }
}

/// Has so many pages of both buffers mapped, and none that were before.
///
/// # Errors
/// What came instead of FFA_SUCCESS.
pub fn map(pages: u64) -> Result<(), Refused> {
    // There may be none.
    let _ = counted(abi::RXTX_UNMAP, [0; 4], abi::SUCCESS_32);
    let (tx, rx) = (TX.0.get() as u64, RX.0.get() as u64);
    counted(abi::RXTX_MAP_64, [tx, rx, pages, 0], abi::SUCCESS_32).map(|_| ())
}

/// The transaction descriptor with one endpoint.
fn describe(sender: u16, receiver: u16, attributes: u64, flags: u64, handle: u64, access: u64) {
    for offset in (0..HEADER + ACCESS + COMPOSITE).step_by(8) {
        put(offset, 8, 0);
    }
    put(0, 2, sender.into());
    put(2, 2, attributes);
    put(4, 4, flags);
    put(8, 8, handle);
    put(24, 4, ACCESS as u64);
    put(28, 4, 1);
    put(32, 4, HEADER as u64);
    put(HEADER, 2, receiver.into());
    put(HEADER + 2, 1, access);
}

/// Bits 4:3 of the flags: the kind of transaction.
const fn kind(function: u32) -> u64 {
    match function {
        abi::MEM_SHARE => 1 << 3,
        abi::MEM_LEND => 2 << 3,
        _ => 3 << 3,
    }
}

/// Sends memory to one endpoint by a function of FF-A; gives the handle.
///
/// # Errors
/// What came instead of FFA_SUCCESS.
pub fn send(function: u32, sender: u16, receiver: u16, pieces: &Pieces) -> Result<u64, Refused> {
    let attributes = if function == abi::MEM_SHARE {
        NORMAL
    } else {
        0
    };
    let access = if function == abi::MEM_DONATE {
        0
    } else {
        READ_WRITE
    };
    describe(sender, receiver, attributes, 0, 0, access);
    let composite = HEADER + ACCESS;
    put(HEADER + 4, 4, composite as u64);
    put(composite, 4, pieces.count * pieces.pages);
    put(composite + 4, 4, pieces.count);
    let mut at = composite + COMPOSITE;
    for n in 0..pieces.count {
        put(at, 8, pieces.base + n * pieces.stride);
        put(at + 8, 8, pieces.pages);
        at += 16;
    }
    let length = at as u64;
    let regs = counted(function, [length, length, 0, 0], abi::SUCCESS_32)?;
    Ok(regs[2] | regs[3] << 32)
}

/// Retrieves memory that `sender` sent by a function of FF-A, and releases RX; gives the number of its pages.
///
/// # Errors
/// What came instead of FFA_MEM_RETRIEVE_RESP or FFA_SUCCESS.
pub fn retrieve(function: u32, sender: u16, me: u16, handle: u64) -> Result<u64, Refused> {
    let fetch = if function == abi::MEM_SHARE {
        0
    } else {
        NOT_EXECUTABLE
    };
    describe(
        sender,
        me,
        NORMAL,
        kind(function),
        handle,
        READ_WRITE | fetch,
    );
    let length = (HEADER + ACCESS) as u64;
    let arguments = [length, length, 0, 0];
    counted(abi::MEM_RETRIEVE_REQ, arguments, abi::MEM_RETRIEVE_RESP)?;
    let list = get(32, 4) as usize;
    let composite = get(list + 4, 4) as usize;
    let pages = get(composite, 4);
    let mut regs = [0; 18];
    regs[0] = abi::RX_RELEASE.into();
    call::call(Conduit::Smc, &mut regs);
    Ok(pages)
}

/// Relinquishes memory.
///
/// # Errors
/// What came instead of FFA_SUCCESS.
pub fn relinquish(me: u16, handle: u64) -> Result<(), Refused> {
    put(0, 8, handle);
    put(8, 8, 1 << 32);
    put(16, 2, me.into());
    counted(abi::MEM_RELINQUISH, [0; 4], abi::SUCCESS_32).map(|_| ())
}

/// Reclaims memory.
///
/// # Errors
/// What came instead of FFA_SUCCESS.
pub fn reclaim(handle: u64, flags: u64) -> Result<(), Refused> {
    let arguments = [handle & 0xffff_ffff, handle >> 32, flags, 0];
    counted(abi::MEM_RECLAIM, arguments, abi::SUCCESS_32).map(|_| ())
}
