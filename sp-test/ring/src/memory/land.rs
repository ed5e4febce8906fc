//! Memory of all endpoints, and what the SPMC makes of their stage 2, page by page.

use crate::{random::Rng, world::Chip};
use core::ops::Range;
use ffa_abi::{
    FfaError,
    sharing::{PAGE, Pages, Pieces, Region, View},
};
use spmc::{
    context::Slot,
    locks::{self, Held},
    spm::{Mem, Owner, Window},
};
use std::collections::{BTreeMap, BTreeSet};

type Shared = Held<{ locks::SHARES }>;

/// Where the normal world's memory starts.
const NORMAL: u64 = 0x4000_0000;
/// How many pages it has.
const NORMAL_PAGES: u64 = 640;
/// Where partitions' memory starts, a mebibyte for each.
const SECURE: u64 = 0x0e00_0000;
/// Where memory of the normal world starts that partitions have.
const LOANED: u64 = 0x0800_0000;
/// Where their devices start.
const DEVICES: u64 = 0x0700_0000;
/// Pages of a buffer.
pub(crate) const BUFFER_PAGES: u32 = 1;

/// A region of somebody's, as it is told to the SPMC.
fn region(base: u64, count: u64) -> Region {
    Region {
        pages: Pages { base, count },
        normal_world: false,
        device: false,
        write: true,
        execute: true,
        shareable: true,
    }
}

/// What the normal world owns.
pub(crate) fn of_normal_world() -> Region {
    Region {
        normal_world: true,
        ..region(NORMAL, NORMAL_PAGES)
    }
}

/// What a partition owns: memory, some of it read-only, memory of the normal world, a device.
pub(crate) fn of_partition(slot: Slot) -> [Region; 4] {
    let n = u64::from(slot.0);
    let start = SECURE + (n << 20);
    [
        region(start, 12),
        Region {
            write: false,
            ..region(start + 12 * PAGE, 2)
        },
        Region {
            normal_world: true,
            execute: false,
            ..region(LOANED + (n << 16), 2)
        },
        Region {
            device: true,
            execute: false,
            ..region(DEVICES + (n << 16), 1)
        },
    ]
}

/// Where TX of a partition, or of the normal world, is; RX follows.
pub(crate) const fn tx(of: Option<Slot>) -> u64 {
    match of {
        Some(slot) => SECURE + ((slot.0 as u64) << 20),
        None => NORMAL,
    }
}

/// The memory.
#[derive(Clone, Debug)]
pub(crate) struct Land {
    pages: BTreeMap<u64, Vec<u8>>,
    windows: Vec<Window>,
    granted: BTreeMap<(u8, u64), View>,
    hidden: BTreeSet<(u8, u64)>,
    /// How many of 16 changes that take tables find none.
    pub scarce: usize,
    /// What was read of TX buffers in the call that is handled: none of it may be read again.
    read: Vec<(u64, u64)>,
    /// The bytes of descriptors whose first fragments were accepted, by their handles.
    pub rests: BTreeMap<u64, Vec<u8>>,
    /// What each partition, or the normal world, is fetching: handle, and the next offset.
    pub fetches: BTreeMap<Option<u8>, (u64, u64)>,
    /// The first thing that should not have been asked.
    wrong: Option<String>,
    rng: Rng,
}

impl Land {
    pub(crate) const fn new() -> Self {
        Self {
            pages: BTreeMap::new(),
            windows: Vec::new(),
            granted: BTreeMap::new(),
            hidden: BTreeSet::new(),
            scarce: 0,
            read: Vec::new(),
            rests: BTreeMap::new(),
            fetches: BTreeMap::new(),
            wrong: None,
            rng: Rng::new(1),
        }
    }

    fn is_wrong(&mut self, what: String) {
        self.wrong.get_or_insert(what);
    }

    /// A call begins.
    pub(crate) fn begin(&mut self) {
        self.read.clear();
    }

    /// The first thing that should not have been asked.
    pub(crate) fn take_wrong(&mut self) -> Option<String> {
        self.wrong.take()
    }

    /// What partitions see beside their own.
    pub(crate) const fn granted(&self) -> &BTreeMap<(u8, u64), View> {
        &self.granted
    }

    /// What they don't see of their own.
    pub(crate) const fn hidden(&self) -> &BTreeSet<(u8, u64)> {
        &self.hidden
    }

    /// Writes memory as an endpoint does.
    pub(crate) fn put(&mut self, address: u64, bytes: &[u8]) {
        for (at, byte) in (address..).zip(bytes) {
            let page = self
                .pages
                .entry(at / PAGE)
                .or_insert_with(|| vec![0xa5; 4096]);
            page[(at % PAGE) as usize] = *byte;
        }
    }

    /// What an endpoint finds in its memory.
    pub(crate) fn bytes(&self, address: u64, length: usize) -> Vec<u8> {
        (address..)
            .take(length)
            .map(|at| match self.pages.get(&(at / PAGE)) {
                Some(page) => page[(at % PAGE) as usize],
                None => 0xa5,
            })
            .collect()
    }

    /// Whether it finds exactly these bytes there.
    pub(crate) fn holds(&self, address: u64, bytes: &[u8]) -> bool {
        bytes
            .chunks(PAGE as usize)
            .zip(address / PAGE..)
            .all(|(part, page)| match self.pages.get(&page) {
                Some(page) => page[..part.len()] == *part,
                None => part.iter().all(|byte| *byte == 0xa5),
            })
    }

    pub(super) fn open(&mut self, address: u64, pages: u32) -> Result<Window, FfaError> {
        let size = u64::from(pages) * PAGE;
        let window = Window {
            base: address,
            size: size as usize,
        };
        let overlaps = self
            .windows
            .iter()
            .any(|open| open.base < address + size && address < open.base + open.size as u64);
        if overlaps {
            self.is_wrong(format!("{address:#x} is a buffer twice"));
        }
        self.windows.push(window);
        Ok(window)
    }

    pub(super) fn close(&mut self, window: Window) {
        match self.windows.iter().position(|open| *open == window) {
            Some(at) => drop(self.windows.swap_remove(at)),
            None => self.is_wrong(format!("{window:x?} is closed and was not open")),
        }
    }

    /// Whether somebody has a pair.
    pub(crate) fn has_pair(&self, of: Option<Slot>) -> bool {
        let base = tx(of);
        self.windows.iter().any(|window| window.base == base)
    }

    fn inside(&mut self, window: Window, offset: usize, length: usize) -> bool {
        let inside = self.windows.contains(&window) && offset + length <= window.size;
        if !inside {
            self.is_wrong(format!("{length:#x} bytes at {offset:#x} of {window:x?}"));
        }
        inside
    }

    /// Reads for the SPMC; the endpoint writes noise there as soon as it was read.
    pub(super) fn read(&mut self, window: Window, offset: usize, to: &mut [u8]) -> bool {
        if !self.inside(window, offset, to.len()) {
            return false;
        }
        let start = window.base + offset as u64;
        let end = start + to.len() as u64;
        if self.read.iter().any(|(a, b)| *a < end && start < *b) {
            self.is_wrong(format!("{start:#x}..{end:#x} is read again in one call"));
        }
        self.read.push((start, end));
        self.take(start, to);
        true
    }

    /// Reads what an endpoint has written; it writes noise there as soon as it was read.
    pub(crate) fn take(&mut self, start: u64, to: &mut [u8]) {
        for (at, byte) in (start..).zip(to) {
            let noise = self.rng.word() as u8;
            let page = self
                .pages
                .entry(at / PAGE)
                .or_insert_with(|| vec![0xa5; 4096]);
            *byte = std::mem::replace(&mut page[(at % PAGE) as usize], noise);
        }
    }

    pub(super) fn write(&mut self, window: Window, offset: usize, from: &[u8]) -> bool {
        let inside = self.inside(window, offset, from.len());
        if inside {
            self.put(window.base + offset as u64, from);
        }
        inside
    }

    pub(super) fn copy(
        &mut self,
        source: Window,
        from: Range<usize>,
        to: Window,
        at: usize,
    ) -> bool {
        let mut bytes = vec![0; from.len()];
        self.read(source, from.start, &mut bytes) && self.write(to, at, &bytes)
    }

    pub(super) fn zero(&mut self, window: Window, offset: usize) -> bool {
        let inside = self.inside(window, offset, 0);
        if inside {
            let rest = vec![0; window.size - offset];
            self.put(window.base + offset as u64, &rest);
        }
        inside
    }

    /// A change that takes tables may find none.
    fn tables(&mut self) -> Result<(), FfaError> {
        match self.rng.chance(self.scarce, 16) {
            true => Err(FfaError::NoMemory),
            false => Ok(()),
        }
    }

    pub(super) fn grant(
        &mut self,
        slot: Slot,
        pieces: Pieces<'_>,
        view: View,
    ) -> Result<(), FfaError> {
        self.tables()?;
        for page in pages(pieces) {
            if self.granted.insert((slot.0, page), view).is_some() {
                self.is_wrong(format!("{page:#x} is granted twice to {slot:?}"));
            }
        }
        Ok(())
    }

    pub(super) fn revoke(
        &mut self,
        slot: Slot,
        pieces: Pieces<'_>,
        view: View,
    ) -> Result<(), FfaError> {
        self.tables()?;
        for page in pages(pieces) {
            if self.granted.remove(&(slot.0, page)) != Some(view) {
                self.is_wrong(format!("{page:#x} is not granted so to {slot:?}"));
            }
        }
        Ok(())
    }

    pub(super) fn hide(&mut self, slot: Slot, pieces: Pieces<'_>) -> Result<(), FfaError> {
        self.tables()?;
        for page in pages(pieces) {
            if !self.hidden.insert((slot.0, page)) {
                self.is_wrong(format!("{page:#x} is hidden twice from {slot:?}"));
            }
        }
        Ok(())
    }

    pub(super) fn show(&mut self, slot: Slot, pieces: Pieces<'_>) {
        for page in pages(pieces) {
            if !self.hidden.remove(&(slot.0, page)) {
                self.is_wrong(format!("{page:#x} is not hidden from {slot:?}"));
            }
        }
    }

    pub(super) fn give_up(&mut self, slot: Slot, pieces: Pieces<'_>) {
        for page in pages(pieces) {
            if !self.hidden.remove(&(slot.0, page)) {
                self.is_wrong(format!("{page:#x} is not hidden from {slot:?}"));
            }
            // It had been given to it.
            self.granted.remove(&(slot.0, page));
        }
    }
}

impl Mem for Chip<'_> {
    fn open(
        &mut self,
        _: &mut Held<{ locks::PAIRS }>,
        _: Owner,
        address: u64,
        pages: u32,
    ) -> Result<Window, FfaError> {
        self.land.open(address, pages)
    }

    fn close(&mut self, window: Window) {
        self.land.close(window);
    }

    fn read(&mut self, window: Window, offset: usize, to: &mut [u8]) -> bool {
        self.land.read(window, offset, to)
    }

    fn write(&mut self, window: Window, offset: usize, from: &[u8]) -> bool {
        self.land.write(window, offset, from)
    }

    fn copy(&mut self, source: Window, from: Range<usize>, to: Window, at: usize) -> bool {
        self.land.copy(source, from, to, at)
    }

    fn zero(&mut self, window: Window, offset: usize) -> bool {
        self.land.zero(window, offset)
    }

    fn grant(
        &mut self,
        _: &mut Shared,
        slot: Slot,
        pieces: Pieces<'_>,
        view: View,
    ) -> Result<(), FfaError> {
        self.land.grant(slot, pieces, view)
    }

    fn revoke(
        &mut self,
        _: &mut Shared,
        slot: Slot,
        pieces: Pieces<'_>,
        view: View,
    ) -> Result<(), FfaError> {
        self.land.revoke(slot, pieces, view)
    }

    fn hide(
        &mut self,
        _: &mut Shared,
        slot: Slot,
        pieces: Pieces<'_>,
        _: bool,
    ) -> Result<(), FfaError> {
        self.land.hide(slot, pieces)
    }

    fn show(&mut self, _: &mut Shared, slot: Slot, pieces: Pieces<'_>, _: bool) {
        self.land.show(slot, pieces);
    }

    fn give_up(&mut self, _: &mut Shared, slot: Slot, pieces: Pieces<'_>, _: bool) {
        self.land.give_up(slot, pieces);
    }
}

/// All pages, by address.
pub(super) fn pages(pieces: Pieces<'_>) -> impl Iterator<Item = u64> {
    pieces.flat_map(|part| (0..part.count).map(move |n| part.base + n * PAGE))
}
