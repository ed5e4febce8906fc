//! What partitions have: the transactions that the SPMC keeps as well.

use super::{HANDLES, Map, over::retrieved_there};
use crate::vcpu::VmIndex;
use ffa_abi::{memory::Handle, sharing::Estates};
use heapless::Vec;

/// A transaction whose receivers are partitions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Given {
    /// The SPMC's handle.
    pub handle: Handle,
    /// Its handle in the map.
    pub local: Handle,
    /// Who sent it.
    pub vm: VmIndex,
    /// Its receiver may own it by now.
    pub donated: bool,
}

/// All of them. There is room for as many as the map has.
#[derive(Debug)]
pub(super) struct GivenList {
    all: Vec<Given, HANDLES>,
    /// How many of them are donations.
    donations: usize,
}

impl GivenList {
    pub const fn new() -> Self {
        Self {
            all: Vec::new(),
            donations: 0,
        }
    }

    /// All, in no order.
    pub fn all(&self) -> &[Given] {
        &self.all
    }

    /// The place of the one with this handle of the SPMC's.
    #[inline(always)]
    pub fn find(&self, handle: Handle) -> Option<usize> {
        self.all.iter().position(|one| one.handle == handle)
    }

    /// The one at a place.
    pub fn get(&self, place: usize) -> Option<Given> {
        self.all.get(place).copied()
    }

    /// One more. The SPMC gives a handle anew when what it stood for is over: a donation that the partition has
    /// retrieved, of which nobody is told.
    #[inline(always)]
    pub fn note(&mut self, one: Given, map: &mut Map, estates: &mut impl Estates) {
        if self.donations != 0 {
            self.end_earlier(one.handle, map, estates);
        }
        self.push(one);
    }

    #[cold]
    fn end_earlier(&mut self, handle: Handle, map: &mut Map, estates: &mut impl Estates) {
        let Some(place) = self.find(handle) else {
            return;
        };
        if let Some(earlier) = self.all.get_mut(place) {
            earlier.handle = Handle::INVALID;
            if retrieved_there(map, earlier, estates) {
                self.remove(place);
            }
        }
    }

    /// Puts one behind all others.
    pub fn push(&mut self, one: Given) {
        self.donations += usize::from(one.donated);
        let noted = self.all.push(one);
        debug_assert!(noted.is_ok());
    }

    /// Takes the one at a place out; the last one takes its place.
    pub fn remove(&mut self, place: usize) {
        if place < self.all.len() {
            let one = self.all.swap_remove(place);
            self.donations -= usize::from(one.donated);
        }
    }

    /// Takes out those of a VM for which `is_over` says so.
    pub fn remove_of(&mut self, vm: VmIndex, mut is_over: impl FnMut(&Given) -> bool) {
        self.all.retain(|one| one.vm != vm || !is_over(one));
        self.donations = self.all.iter().filter(|one| one.donated).count();
    }

    /// Takes out the first one of which `of` says so; the others keep their order.
    pub fn take_first(&mut self, of: impl FnMut(&Given) -> bool) -> Option<Given> {
        let place = self.all.iter().position(of)?;
        let one = self.all.remove(place);
        self.donations -= usize::from(one.donated);
        Some(one)
    }
}
