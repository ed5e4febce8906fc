//! Memory of buffers: what lies there before a message is sent, and what must lie there then.

use crate::{
    calls::{Fault, Notes as Call, buffers},
    world::{Who, World},
};
use ffa_abi::{
    FfaError,
    sharing::{Pages, Region},
};
use spmc::{
    context::Slot,
    locks::{self, Held},
    spm::{Owner, Window},
};
use std::{collections::BTreeMap, ops::Range};

const PAGE: usize = 4096;
/// Where a payload starts: a little behind the header.
const OFFSET: usize = 48;
/// How long it is.
const LENGTH: usize = 5;
/// The longest header.
const HEADER: usize = 40;

/// Pages of buffers, by their addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    pages: BTreeMap<u64, [u8; 4096]>,
}

/// The proxy's own TX, through which it tells the SPMC of a VM's pair.
pub const OWN_TX: u64 = 0x8_0000;

/// Where what stands in for a VM's TX at the SPMC is.
pub const fn stand_in(vm: u8) -> u64 {
    0x9_0000 + ((vm as u64) << 12)
}

impl Memory {
    fn page(&mut self, at: u64) -> &mut [u8; PAGE] {
        self.pages.entry(at).or_insert([0; PAGE])
    }

    /// Bytes that lie in one page. `None` if they do not.
    pub fn bytes(&mut self, at: u64, length: usize) -> Option<&mut [u8]> {
        let start = (at % PAGE as u64) as usize;
        self.page(at - start as u64).get_mut(start..start + length)
    }

    /// All RX buffers hold something old, and TX of who sends the message of this call.
    pub fn prepare(&mut self, world: &World, call: Call) {
        let Call::Send {
            from, to, fault, ..
        } = call
        else {
            return;
        };
        for who in pairs(world) {
            let (tx, rx) = buffers(who);
            self.page(tx).fill(0x77);
            self.page(rx).fill(0x55);
        }
        let (tx, _) = buffers(from);
        let sender = match fault {
            Some(Fault::Sender) => 0x8009,
            _ => from.id(),
        };
        let size = match fault {
            Some(Fault::Size) => PAGE - OFFSET + 1,
            _ => LENGTH,
        };
        let page = self.page(tx);
        page[..HEADER].copy_from_slice(&header(sender, to, size));
        page[OFFSET..OFFSET + LENGTH].copy_from_slice(&payload(from));
    }

    /// Only RX of who got the message has changed, and all that lies there is the message.
    pub fn check(&mut self, world: &World, call: Call, delivered: bool) -> Result<(), String> {
        let Call::Send { from, to, .. } = call else {
            return Ok(());
        };
        for who in pairs(world) {
            let (_, rx) = buffers(who);
            let found = *self.page(rx);
            let wanted = match delivered && who.id() == to {
                true => message(from, to),
                false => [0x55; PAGE],
            };
            if let Some(at) = (0..PAGE).find(|at| found[*at] != wanted[*at]) {
                return Err(format!(
                    "byte {at} in RX of {who:?} is {:#x}, not {:#x}",
                    found[at], wanted[at]
                ));
            }
        }
        // TX is only read.
        let mut again = self.clone();
        again.prepare(world, call);
        let same = pairs(world).all(|who| {
            let (tx, _) = buffers(who);
            *again.page(tx) == *self.page(tx)
        });
        match same {
            true => Ok(()),
            false => Err("TX was written".to_owned()),
        }
    }
}

/// Everybody who has a pair.
fn pairs(world: &World) -> impl Iterator<Item = Who> {
    let partitions = (0..world.partitions.len() as u8).map(Who::Slot);
    let vms = (0..world.vms.len() as u8).map(Who::Vm);
    let all = partitions.chain(vms).chain([Who::Os]);
    all.filter(|who| world.has_pair(*who))
}

/// Whose the pages of all buffers are.
pub fn regions(world: &World) -> Vec<(Owner, Region)> {
    let region = |base, count, normal_world| Region {
        pages: Pages { base, count },
        normal_world,
        device: false,
        write: true,
        execute: false,
        shareable: true,
    };
    let mut regions = Vec::new();
    for who in pairs(world) {
        let (tx, _) = buffers(who);
        regions.push(match who {
            Who::Slot(slot) => (Owner::Partition(Slot(slot)), region(tx, 2, false)),
            _ => (Owner::NormalWorld, region(tx, 2, true)),
        });
    }
    if world.has_proxy() && !regions.is_empty() {
        let own = region(OWN_TX, 2, true);
        let stand_ins = region(stand_in(0), world.vms.len() as u64, true);
        regions.extend([own, stand_ins].map(|region| (Owner::NormalWorld, region)));
    }
    regions
}

/// The header from 1.2 on (DEN0077A, "Indirect messaging"), word by word.
fn header(sender: u16, to: u16, size: usize) -> [u8; HEADER] {
    let ids = u32::from(sender) << 16 | u32::from(to);
    let words = [0, 0, OFFSET as u32, ids, size as u32, 0, 0, 0, 0, 0];
    let mut bytes = [0; HEADER];
    for (to, word) in bytes.chunks_exact_mut(4).zip(words) {
        to.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

fn payload(from: Who) -> [u8; LENGTH] {
    std::array::from_fn(|n| 0xa0 + 8 * from.buffer() as u8 + n as u8)
}

/// RX with this message, zero where that is not.
fn message(from: Who, to: u16) -> [u8; PAGE] {
    let mut page = [0; PAGE];
    page[..HEADER].copy_from_slice(&header(from.id(), to, LENGTH));
    page[OFFSET..OFFSET + LENGTH].copy_from_slice(&payload(from));
    page
}

/// The SPMC's side of it.
impl super::interrupts::Chip {
    pub(super) fn open_window(
        _held: &mut Held<{ locks::PAIRS }>,
        _owner: Owner,
        address: u64,
        pages: u32,
    ) -> Result<Window, FfaError> {
        Ok(Window {
            base: address,
            size: pages as usize * PAGE,
        })
    }

    /// Bytes of a window, which is a page.
    pub(super) fn window(&mut self, window: Window, bytes: Range<usize>) -> Option<&mut [u8]> {
        let inside = bytes.start <= bytes.end && bytes.end <= window.size;
        let page = inside.then(|| self.memory.bytes(window.base, window.size))?;
        page?.get_mut(bytes)
    }
}
