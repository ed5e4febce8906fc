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

    /// The list of partitions is to lie in RX; nobody is told of that.
    pub(super) fn discover(&mut self, by: &Party, count_only: bool) -> Result<(), i32> {
        if count_only {
            return Ok(());
        }
        match self.pairs.get_mut(&by.id) {
            Some(pair) if pair.state == Rx::Empty => {
                // What it is is not the ledger's to say.
                (pair.state, pair.holds) = (Rx::Full, None);
                Ok(())
            }
            _ => Err(BUSY),
        }
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

    /// Who receives, by its id. `known`: to the SPMC, of the normal world.
    fn receiver(&self, by: &Party, id: u16) -> Option<Party> {
        let known = match (is_secure(id), by.kind) {
            (true, _) => self.is_partition(id),
            (false, Kind::NormalWorld) => false,
            (false, Kind::Vm) => id != 0,
            (false, Kind::Partition) => {
                let indirect = self.parties.get(&id).is_none_or(|party| party.indirect);
                let pair = indirect && self.pairs.contains_key(&id);
                id == 0 || pair || self.bitmaps.contains_key(&id)
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

    /// `FFA_MSG_SEND2` to the SPMC.
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
        let mut head = *head;
        // The version of the layout in which it is sent.
        let version = match by.kind {
            Kind::NormalWorld => self.upstream,
            Kind::Vm | Kind::Partition => by.version,
        };
        if header_bytes(version) == 20 {
            head.service = [0; 16];
        }
        let between_vms = by.kind == Kind::Vm && !matches!(head.receiver, 0x8001..0xffc0);
        if by.kind == Kind::Vm && !between_vms && !by.indirect {
            return Err(DENIED);
        }
        let to = self.receiver(by, head.receiver).ok_or(INVALID)?;
        // What VMs want of partitions the SPMC does not know.
        let wants = to.indirect || by.is_partition() && to.kind == Kind::Vm;
        if !(by.indirect && wants) {
            return Err(DENIED);
        }
        // The SPMC knows the pairs of those VMs only that want messages.
        let pair = self.pairs.get(&to.id).filter(|_| to.indirect);
        let size = match pair {
            Some(pair) if pair.state == Rx::Empty => pair.size(),
            _ => return Err(BUSY),
        };
        if !head.fits(version, from) {
            return Err(INVALID);
        }
        if by.kind == Kind::Vm && !between_vms {
            // The proxy hands it on in the layout that the SPMC reads.
            head = head.moved(self.upstream, from).ok_or(INVALID)?;
        }
        if (to.is_partition() || between_vms) && head.service != [0; 16] {
            let mut services = to.services.iter();
            let service = services.find(|(uuid, _)| *uuid == head.service);
            if !service.ok_or(INVALID)?.1 {
                return Err(DENIED);
            }
        }
        let layout = match to.is_partition() || between_vms {
            true => to.version,
            false => self.upstream,
        };
        let head = head.moved(layout, size).ok_or(NO_MEMORY)?;
        self.deliver(&to, &head, layout, size, payload);
        if self.contexts(to.id).is_some() {
            let source = if between_vms {
                Source::Hypervisor
            } else {
                Source::Spm
            };
            self.unread.insert(to.id, source);
            self.news.insert((to.id, source, None));
            self.interrupt(to.id, None);
            self.tell(by, core, to.id, flags & 2 != 0);
            if between_vms {
                self.vm_interrupts.push((to.id, None));
            }
        }
        Ok(())
    }

    /// A message lies in RX.
    fn deliver(&mut self, to: &Party, head: &Head, layout: Version, size: u64, payload: &[u8]) {
        let mut holds = head.bytes(layout);
        holds.resize(head.offset as usize, 0);
        holds.extend(payload);
        holds.resize(size as usize, 0);
        if let Some(pair) = self.pairs.get_mut(&to.id) {
            pair.state = Rx::Full;
            pair.holds = Some(holds);
        }
        self.counts.messages += 1;
    }
}
