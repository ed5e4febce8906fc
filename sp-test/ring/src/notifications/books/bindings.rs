//! Binding, setting and reading.

use super::{
    super::{
        deed::Ids,
        party::{Kind, Party, is_secure, is_vm},
    },
    Books, DENIED, INVALID, MOST_VMS, NO_MEMORY, NOT_SUPPORTED, Source,
};

/// The numbers of bits.
fn each(bits: u64) -> impl Iterator<Item = u8> {
    (0..64).filter(move |n| bits >> n & 1 != 0)
}

impl Books {
    /// What is the same of a binding and its end: whose notifications they would be.
    fn may_bind(&self, by: &Party, ids: Ids, bits: u64) -> Result<(), i32> {
        let Ids { sender, receiver } = ids;
        let own = match by.kind {
            Kind::NormalWorld => !is_secure(receiver) && is_secure(sender),
            Kind::Vm | Kind::Partition => receiver == by.id,
        };
        if !own || sender == receiver || bits == 0 {
            return Err(INVALID);
        }
        let exists = match (is_secure(sender), by.kind) {
            (true, _) => self.is_partition(sender),
            (false, Kind::Vm) => sender != 0 && self.parties.contains_key(&sender),
            (false, _) => sender < 0x7fff,
        };
        match exists && self.contexts(receiver).is_some() {
            true => Ok(()),
            false => Err(INVALID),
        }
    }

    pub(super) fn bind(&mut self, by: &Party, ids: Ids, flags: u32, bits: u64) -> Result<(), i32> {
        if by.kind != Kind::NormalWorld && self.contexts(by.id).is_none() {
            return Err(NOT_SUPPORTED);
        }
        if flags > 1 {
            return Err(INVALID);
        }
        self.may_bind(by, ids, bits)?;
        let Ids { sender, receiver } = ids;
        let class = Source::of(sender);
        let taken = each(bits).any(|n| self.bound.contains_key(&(receiver, class, n)));
        if taken || self.is_pending(receiver, class, bits) {
            return Err(DENIED);
        }
        for n in each(bits) {
            let entry = (sender, flags == 1);
            self.bound.insert((receiver, class, n), entry);
            self.counts.bound += 1;
        }
        Ok(())
    }

    pub(super) fn unbind(
        &mut self,
        by: &Party,
        ids: Ids,
        flags: u32,
        bits: u64,
    ) -> Result<(), i32> {
        if by.kind != Kind::NormalWorld && self.contexts(by.id).is_none() {
            return Err(NOT_SUPPORTED);
        }
        if flags != 0 {
            return Err(INVALID);
        }
        self.may_bind(by, ids, bits)?;
        let Ids { sender, receiver } = ids;
        let class = Source::of(sender);
        if !self.are_bound(ids, bits, None) || self.is_pending(receiver, class, bits) {
            return Err(DENIED);
        }
        for n in each(bits) {
            self.bound.remove(&(receiver, class, n));
            self.counts.unbound += 1;
        }
        Ok(())
    }

    /// Whether all are bound to this sender, and in this way if that counts.
    fn are_bound(&self, ids: Ids, bits: u64, per_context: Option<bool>) -> bool {
        let class = Source::of(ids.sender);
        each(bits).all(|n| {
            let bound = self.bound.get(&(ids.receiver, class, n));
            bound.is_some_and(|(to, way)| {
                *to == ids.sender && per_context.is_none_or(|wanted| wanted == *way)
            })
        })
    }

    /// Whether one of them is pending for anybody.
    fn is_pending(&self, receiver: u16, class: Source, bits: u64) -> bool {
        each(bits).any(|n| {
            let all = self.pending.range((receiver, class, n, None)..);
            all.take_while(|(of, whose, bit, _)| (*of, *whose, *bit) == (receiver, class, n))
                .next()
                .is_some()
        })
    }

    pub(super) fn set(
        &mut self,
        by: &Party,
        core: usize,
        ids: Ids,
        flags: u32,
        bits: u64,
    ) -> Result<(), i32> {
        let Ids { sender, receiver } = ids;
        let (per_context, delay, context) = (flags & 1 != 0, flags & 2 != 0, flags >> 16);
        let own = match by.kind {
            Kind::NormalWorld => !is_secure(sender) && is_secure(receiver) && !delay,
            Kind::Vm | Kind::Partition => sender == by.id,
        };
        let wrong = flags & 0xfffc != 0 || !per_context && context != 0;
        if wrong || !own || sender == receiver || bits == 0 {
            return Err(INVALID);
        }
        let count = match self.parties.get(&receiver) {
            Some(party) if party.is_partition() => party.contexts,
            _ if is_secure(receiver) => return Err(INVALID),
            _ => self.contexts(receiver).ok_or(INVALID)?,
        };
        if per_context && context >= count.into() {
            return Err(INVALID);
        }
        if self.contexts(receiver).is_none() || !self.are_bound(ids, bits, Some(per_context)) {
            return Err(DENIED);
        }
        let class = Source::of(sender);
        let to = per_context.then_some(context as u16);
        for n in each(bits) {
            if self.pending.insert((receiver, class, n, to)) {
                self.news.insert((receiver, class, to));
                self.counts.set += 1;
            }
        }
        self.interrupt(receiver, to);
        if by.kind == Kind::Vm && !is_secure(receiver) && self.proxy_has_news(receiver) {
            self.vm_interrupts.push((receiver, to));
        }
        self.tell(by, core, receiver, delay);
        Ok(())
    }

    pub(super) fn get(
        &mut self,
        by: &Party,
        receiver: u16,
        context: u16,
        flags: u32,
    ) -> Result<[u64; 4], i32> {
        if by.kind != Kind::NormalWorld && self.contexts(by.id).is_none() {
            return Err(NOT_SUPPORTED);
        }
        let own = match by.kind {
            // What its VMs set is its own.
            Kind::NormalWorld => !is_secure(receiver) && flags & 0b1010 == 0,
            Kind::Vm | Kind::Partition => receiver == by.id,
        };
        let count = self.contexts(receiver).unwrap_or(0);
        if flags & !0xf != 0 || !own || context >= count {
            return Err(INVALID);
        }
        let mut found = [0; 4];
        for (source, bits) in Source::ALL.into_iter().zip(&mut found) {
            if flags & source.flag() != 0 {
                *bits = self.read(receiver, source, context);
            }
        }
        self.quiet(receiver);
        Ok(found)
    }

    /// What a context reads of one source.
    fn read(&mut self, receiver: u16, source: Source, context: u16) -> u64 {
        if let Source::Spm | Source::Hypervisor = source {
            let full = self.unread.get(&receiver) == Some(&source);
            if full {
                self.unread.remove(&receiver);
                self.news.remove(&(receiver, source, None));
            }
            return full.into();
        }
        let all = self.pending.range((receiver, source, 0, None)..);
        let all = all.take_while(|(of, whose, ..)| (*of, *whose) == (receiver, source));
        let its: Vec<_> = all
            .filter(|(.., to)| to.is_none_or(|to| to == context))
            .copied()
            .collect();
        let mut bits = 0;
        for one in its {
            self.pending.remove(&one);
            self.counts.read += 1;
            bits |= 1 << one.2;
        }
        self.news.remove(&(receiver, source, None));
        self.news.remove(&(receiver, source, Some(context)));
        bits
    }

    pub(super) fn create(&mut self, by: &Party, vm: u16, contexts: u32) -> Result<(), i32> {
        if Self::is_no_hypervisor(by) {
            return Err(NOT_SUPPORTED);
        }
        if !(vm == 0 || is_vm(vm)) || contexts == 0 {
            return Err(INVALID);
        }
        if self.bitmaps.contains_key(&vm) {
            return Err(DENIED);
        }
        let vms = self.bitmaps.keys().filter(|id| **id != 0).count();
        if contexts > 64 || vm != 0 && vms >= MOST_VMS {
            return Err(NO_MEMORY);
        }
        self.bitmaps.insert(vm, contexts as u16);
        Ok(())
    }

    pub(super) fn destroy(&mut self, by: &Party, vm: u16) -> Result<(), i32> {
        if Self::is_no_hypervisor(by) {
            return Err(NOT_SUPPORTED);
        }
        if !(vm == 0 || is_vm(vm)) {
            return Err(INVALID);
        }
        let pending = self.pending.iter().any(|(of, ..)| *of == vm);
        if !self.bitmaps.contains_key(&vm) || pending || self.unread.contains_key(&vm) {
            return Err(DENIED);
        }
        self.bitmaps.remove(&vm);
        self.bound.retain(|(of, ..), _| *of != vm);
        Ok(())
    }

    /// Whether something is news of a VM's that the proxy keeps.
    fn proxy_has_news(&self, vm: u16) -> bool {
        let mut news = self.news.iter();
        news.any(|(of, source, _)| *of == vm && matches!(source, Source::Vms | Source::Hypervisor))
    }

    /// An endpoint is no more: what is for it goes, and nothing is bound to it by those whose keeper knows that;
    /// what it has set stays.
    pub fn ended(&mut self, id: u16) {
        let before = self.pending.len();
        self.pending.retain(|(of, ..)| *of != id);
        self.counts.gone += (before - self.pending.len()) as u64;
        self.news.retain(|(of, ..)| *of != id);
        // That a VM has ended is the proxy's to know.
        let knows = |of: u16| is_secure(id) || !is_secure(of);
        self.bound
            .retain(|(of, ..), (sender, _)| *of != id && !(*sender == id && knows(*of)));
        if !is_secure(id) {
            self.bitmaps.remove(&id);
            self.parties.remove(&id);
            // Whom the proxy is to tell of that it finds with its own RX.
            self.proxy_reads();
        }
        self.unread.remove(&id);
        self.interrupts.retain(|(of, _)| *of != id);
        self.pairs.remove(&id);
        self.counts.ended += 1;
    }
}
