//! RX and TX buffers, and indirect messages.

use super::{
    super::party::{Head, Kind, PAGE, Party, header_bytes, is_secure, is_vm},
    BUSY, Books, DENIED, INVALID, MOST_VMS, NO_MEMORY, NOT_SUPPORTED, Source,
};
use ffa_abi::Version;

/// Whose an RX buffer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Rx {
    Empty,
    Full,
    /// Its hypervisor has taken it.
    Acquired,
}

/// A pair of buffers.
#[derive(Clone, Debug)]
pub(in super::super) struct Pair {
    pub tx: u64,
    pub rx: u64,
    pub pages: u32,
    pub state: Rx,
    /// What lies in RX. Where nothing is known of it, nothing was written since the pair is there.
    pub holds: Option<Vec<u8>>,
}

impl Pair {
    pub const fn new(tx: u64, rx: u64, pages: u32) -> Self {
        Self {
            tx,
            rx,
            pages,
            state: Rx::Empty,
            holds: None,
        }
    }

    /// Bytes of each buffer.
    pub const fn size(&self) -> u64 {
        self.pages as u64 * PAGE
    }
}

/// Whether two buffers of so many pages are good ones, and apart.
fn is_good(tx: u64, rx: u64, pages: u32) -> bool {
    let size = u64::from(pages) * PAGE;
    matches!(pages, 1..=4) && (tx | rx).is_multiple_of(PAGE) && (tx + size <= rx || rx + size <= tx)
}

impl Books {
    pub(super) fn map(&mut self, by: &Party, tx: u64, rx: u64, pages: u32) -> Result<(), i32> {
        if self.pairs.contains_key(&by.id) {
            return Err(DENIED);
        }
        if !is_good(tx, rx, pages) {
            return Err(INVALID);
        }
        self.pairs.insert(by.id, Pair::new(tx, rx, pages));
        Ok(())
    }

    /// A hypervisor maps the pair of a VM, which it describes in its own TX.
    pub(super) fn forward(
        &mut self,
        by: &Party,
        vm: u16,
        base: u64,
        pages: u32,
    ) -> Result<(), i32> {
        let rx = base + u64::from(pages) * PAGE;
        if Self::is_no_hypervisor(by) || !self.pairs.contains_key(&0) || !is_vm(vm) {
            return Err(INVALID);
        }
        if self.pairs.contains_key(&vm) {
            return Err(DENIED);
        }
        if !is_good(base, rx, pages) {
            return Err(INVALID);
        }
        if self.pairs.keys().filter(|id| is_vm(**id)).count() >= MOST_VMS {
            return Err(NO_MEMORY);
        }
        self.pairs.insert(vm, Pair::new(base, rx, pages));
        Ok(())
    }

    pub(super) fn unmap(&mut self, by: &Party, vm: u16) -> Result<(), i32> {
        let of = match by.kind {
            Kind::NormalWorld => vm,
            _ if vm != 0 => return Err(INVALID),
            _ => by.id,
        };
        if is_secure(of) != by.is_partition() || self.pairs.remove(&of).is_none() {
            return Err(INVALID);
        }
        self.emptied(of);
        Ok(())
    }

    /// There is nothing any more that it would read of.
    fn emptied(&mut self, of: u16) {
        if let Some(source) = self.unread.remove(&of) {
            self.news.remove(&(of, source, None));
        }
        self.quiet(of);
    }

    pub(super) fn release(&mut self, by: &Party, vm: u16) -> Result<(), i32> {
        let of = match by.kind {
            Kind::NormalWorld => vm,
            _ if vm != 0 => return Err(INVALID),
            _ => by.id,
        };
        let missing = match by.kind {
            Kind::NormalWorld if of != 0 => INVALID,
            _ => DENIED,
        };
        if is_secure(of) != by.is_partition() {
            return Err(INVALID);
        }
        let unread = self.unread.contains_key(&of);
        let pair = self.pairs.get_mut(&of).ok_or(missing)?;
        if unread || pair.state == Rx::Empty {
            return Err(DENIED);
        }
        pair.state = Rx::Empty;
        self.counts.released += 1;
        Ok(())
    }

    pub(super) fn acquire(&mut self, by: &Party, vm: u16) -> Result<(), i32> {
        if Self::is_no_hypervisor(by) || is_secure(vm) {
            return Err(NOT_SUPPORTED);
        }
        let pair = self.pairs.get_mut(&vm).filter(|_| vm != 0);
        let pair = pair.ok_or(INVALID)?;
        if pair.state != Rx::Empty {
            return Err(DENIED);
        }
        pair.state = Rx::Acquired;
        Ok(())
    }

    /// A partition waits, and does not keep its RX.
    pub fn waits(&mut self, id: u16) {
        let unread = self.unread.contains_key(&id);
        if let Some(pair) = self.pairs.get_mut(&id)
            && pair.state == Rx::Full
            && !unread
        {
            pair.state = Rx::Empty;
        }
    }

    /// The version of the layout in which somebody's messages lie where the SPMC reads and writes them.
    fn layout(&self, party: &Party) -> Version {
        match party.kind {
            Kind::Partition => party.version,
            Kind::NormalWorld | Kind::Vm => self.upstream,
        }
    }

    /// Who receives, by its id. `known`: to the SPMC, of the normal world.
    fn receiver(&self, by: &Party, id: u16) -> Option<Party> {
        let known = match (is_secure(id), by.kind) {
            (true, _) => self.is_partition(id),
            (false, Kind::NormalWorld) => false,
            (false, Kind::Vm) => true,
            (false, Kind::Partition) => {
                id == 0 || self.pairs.contains_key(&id) || self.bitmaps.contains_key(&id)
            }
        };
        let of = match by.kind {
            Kind::Vm => self.parties.get(&id),
            // A hypervisor's VM of which nothing is known but that it has a bitmap.
            _ => self.parties.get(&id).or(self.parties.get(&0)),
        };
        let of = of.cloned().map(|of| Party { id, ..of });
        of.filter(|_| known)
    }

    pub(super) fn send(
        &mut self,
        by: &Party,
        core: usize,
        (sender, named): (u16, u16),
        flags: u32,
        (head, payload): (&Head, &[u8]),
    ) -> Result<(), i32> {
        let (may_name, allowed) = match by.kind {
            Kind::NormalWorld => (named == 0 || is_vm(named), 0),
            Kind::Vm => (named == 0, 0),
            Kind::Partition => (named == 0, 2),
        };
        if !may_name {
            return Err(INVALID);
        }
        let from = self.pairs.get(&sender).ok_or(DENIED)?.size();
        if head.sender != sender || head.receiver == sender || flags & !allowed != 0 {
            return Err(INVALID);
        }
        let to = self.receiver(by, head.receiver).ok_or(INVALID)?;
        if !(by.indirect && to.indirect) {
            return Err(DENIED);
        }
        let size = match self.pairs.get(&to.id) {
            Some(pair) if pair.state == Rx::Empty => pair.size(),
            _ => return Err(BUSY),
        };
        let version = self.layout(by);
        if !head.fits(version, from) {
            return Err(INVALID);
        }
        let mut head = *head;
        if header_bytes(version) == 20 {
            head.service = [0; 16];
        }
        if to.is_partition() && head.service != [0; 16] {
            let mut services = to.services.iter();
            let service = services.find(|(uuid, _)| *uuid == head.service);
            if !service.ok_or(INVALID)?.1 {
                return Err(DENIED);
            }
        }
        let layout = self.layout(&to);
        let head = head.moved(layout, size).ok_or(NO_MEMORY)?;
        let mut holds = head.bytes(layout);
        holds.resize(head.offset as usize, 0);
        holds.extend(payload);
        holds.resize(size as usize, 0);
        if let Some(pair) = self.pairs.get_mut(&to.id) {
            pair.state = Rx::Full;
            pair.holds = Some(holds);
        }
        self.counts.messages += 1;
        if self.contexts(to.id).is_some() {
            self.unread.insert(to.id, Source::Spm);
            self.news.insert((to.id, Source::Spm, None));
            self.interrupt(to.id, None);
            self.tell(by, core, to.id, flags & 2 != 0);
        }
        Ok(())
    }
}
