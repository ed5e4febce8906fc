//! All notifications that one keeper has for one receiver.

use super::{Set, set::bit};
use crate::{
    error::FfaError,
    id::EndpointId,
    notification::{GetFlags, InfoLists, Pending, RX_BUFFER_FULL, SetFlags},
};

/// Whose framework notifications a [`Receiver`] has: its keeper's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Manager {
    /// The secure partition manager: w6 of `FFA_NOTIFICATION_GET`.
    Spm,
    /// The hypervisor: w7.
    Hypervisor,
}

/// All notifications that one keeper has for one receiver, which has `CONTEXTS` execution contexts at
/// most: those from partitions, those from VMs, and the framework's, of which there is one: a message
/// lies in the RX buffer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Receiver<const CONTEXTS: usize> {
    partitions: Set<CONTEXTS>,
    vms: Set<CONTEXTS>,
    manager: Manager,
    rx_full: bool,
    /// Whether the scheduler has not been told of that.
    rx_full_news: bool,
}

impl<const CONTEXTS: usize> Receiver<CONTEXTS> {
    /// Nothing is bound or pending. `manager` is who keeps it.
    pub const fn new(manager: Manager) -> Self {
        Self {
            partitions: Set::new(),
            vms: Set::new(),
            manager,
            rx_full: false,
            rx_full_news: false,
        }
    }

    /// Forgets all of it, in place.
    pub fn clear(&mut self) {
        self.partitions.clear();
        self.vms.clear();
        self.rx_full = false;
        self.rx_full_news = false;
    }

    /// The notifications of the class that `sender` belongs to.
    #[inline]
    const fn class(&mut self, sender: EndpointId) -> &mut Set<CONTEXTS> {
        if sender.is_secure() {
            &mut self.partitions
        } else {
            &mut self.vms
        }
    }

    /// [`Set::bind`] among those of `sender`'s class.
    pub fn bind(
        &mut self,
        sender: EndpointId,
        per_context: bool,
        bits: u64,
    ) -> Result<(), FfaError> {
        self.class(sender).bind(sender, per_context, bits)
    }

    /// [`Set::unbind`] among those of `sender`'s class.
    pub fn unbind(&mut self, sender: EndpointId, bits: u64) -> Result<(), FfaError> {
        self.class(sender).unbind(sender, bits)
    }

    /// [`Set::set`] among those of `sender`'s class. See [`SetFlags::target`] for `context`.
    #[inline]
    pub fn set(
        &mut self,
        sender: EndpointId,
        context: Option<u16>,
        bits: u64,
    ) -> Result<(), FfaError> {
        self.class(sender).set(sender, context, bits)
    }

    /// A message lies in its RX buffer.
    pub const fn rx_full(&mut self) {
        self.rx_full_news |= !self.rx_full;
        self.rx_full = true;
    }

    /// The RX buffer is empty, or no more, without that having been read.
    pub const fn rx_emptied(&mut self) {
        self.rx_full = false;
        self.rx_full_news = false;
    }

    /// Whether the receiver has not read yet that a message lies in its RX buffer.
    pub const fn has_unread_rx_full(&self) -> bool {
        self.rx_full
    }

    /// The framework's flag of the keeper.
    const fn framework(&self) -> GetFlags {
        match self.manager {
            Manager::Spm => GetFlags::SPM,
            Manager::Hypervisor => GetFlags::HYPERVISOR,
        }
    }

    /// What `context` reads with these flags. It is not pending any more.
    pub fn get(&mut self, context: u16, flags: GetFlags) -> Pending {
        let mut pending = Pending::default();
        if flags.contains(GetFlags::PARTITIONS) {
            pending.partitions = self.partitions.take(context);
        }
        if flags.contains(GetFlags::VMS) {
            pending.vms = self.vms.take(context);
        }
        if self.rx_full && flags.contains(self.framework()) {
            self.rx_emptied();
            match self.manager {
                Manager::Spm => pending.spm = RX_BUFFER_FULL,
                Manager::Hypervisor => pending.hypervisor = RX_BUFFER_FULL,
            }
        }
        pending
    }

    /// Whether [`get`](Self::get) with all flags would give `context` anything.
    pub fn pending_for(&self, context: u16) -> bool {
        self.rx_full || self.partitions.pending_for(context) || self.vms.pending_for(context)
    }

    /// Whether anything is pending, for whichever context.
    pub const fn is_pending(&self) -> bool {
        self.rx_full || self.partitions.is_pending() || self.vms.is_pending()
    }

    /// Whether something is pending that [`info`](Self::info) has not named.
    pub const fn has_news(&self) -> bool {
        self.rx_full_news || self.partitions.has_news() || self.vms.has_news()
    }

    /// [`Set::forget_sender`] among those of `sender`'s class.
    pub fn forget_sender(&mut self, sender: EndpointId) {
        self.class(sender).forget_sender(sender);
    }

    /// Adds to `lists` what is pending and was not named yet: the endpoint, which is `id`, alone for
    /// global notifications and the framework's; with contexts for those of the contexts. What was
    /// named is named again only when something else became pending, for the same context or
    /// globally, since. An endpoint that `lists` name alone already is not named so twice.
    ///
    /// Returns whether all of it fitted. If not, `lists` say that there is more, and the rest is named
    /// next time.
    pub fn info(&mut self, id: EndpointId, lists: &mut InfoLists) -> bool {
        let (of_partitions, of_vms) = (self.partitions.news(), self.vms.news());
        if self.rx_full_news || of_partitions.0 || of_vms.0 {
            // Another keeper may have something for it, too.
            let named = lists.names_alone(id);
            if !named && lists.push(id, &[]).is_err() {
                lists.more = true;
                return false;
            }
            self.rx_full_news = false;
            self.partitions.told_global();
            self.vms.told_global();
        }
        let mut left = of_partitions.1 | of_vms.1;
        while left != 0 {
            let named = Self::list(id, left, lists);
            if named == 0 {
                lists.more = true;
                return false;
            }
            self.partitions.told_contexts(named);
            self.vms.told_contexts(named);
            left &= !named;
        }
        true
    }

    /// One list of the first of these contexts, as many as fit. Returns which.
    fn list(id: EndpointId, contexts: u64, lists: &mut InfoLists) -> u64 {
        let mut first = heapless::Vec::<u16, { InfoLists::CONTEXTS }>::new();
        for n in 0..64 {
            if contexts & bit(n) != 0 && first.push(n).is_err() {
                break;
            }
        }
        while !first.is_empty() {
            if lists.push(id, &first).is_ok() {
                return first.iter().fold(0, |named, n| named | bit(*n));
            }
            first.pop();
        }
        0
    }
}

impl SetFlags {
    /// For whom the call sets notifications: one context of the receiver, or all of it (`None`).
    ///
    /// # Errors
    ///
    /// INVALID_PARAMETERS if a context is named for notifications that are global.
    pub const fn target(self) -> Result<Option<u16>, FfaError> {
        match (self.per_context, self.context) {
            (true, context) => Ok(Some(context)),
            (false, 0) => Ok(None),
            (false, _) => Err(FfaError::InvalidParameters),
        }
    }
}
