//! 64 notifications of one receiver, from one class of senders.

use crate::{error::FfaError, id::EndpointId};

/// How many notifications a receiver has from each class of senders.
pub const NOTIFICATIONS: usize = 64;

/// 64 notifications of one receiver, from one class of senders (partitions or VMs). The receiver has
/// `CONTEXTS` execution contexts at most, and that is 64 at most.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Set<const CONTEXTS: usize> {
    /// Which are bound, one bit for each.
    bound: u64,
    /// Which of those are per context.
    per_context: u64,
    /// To whom each is bound. Zero where none is: equal states are equal values.
    senders: [EndpointId; NOTIFICATIONS],
    /// Which global ones are pending.
    global: u64,
    /// Which are pending for each context.
    contexts: [u64; CONTEXTS],
    /// The contexts that have some pending, one bit for each.
    waiting: u64,
    /// Whether a global one became pending that the scheduler has not been told of.
    global_news: bool,
    /// The contexts for which one did, one bit for each.
    context_news: u64,
}

/// The numbers of the bits in `bits`, from the lowest on.
fn each(mut bits: u64) -> impl Iterator<Item = usize> {
    core::iter::from_fn(move || {
        let lowest = bits.trailing_zeros();
        bits &= bits.wrapping_sub(1);
        (lowest < u64::BITS).then_some(lowest as usize)
    })
}

/// The bit of a context in a mask of contexts; none beyond the 64th.
pub(super) fn bit(context: u16) -> u64 {
    1_u64.checked_shl(context.into()).unwrap_or(0)
}

impl<const CONTEXTS: usize> Default for Set<CONTEXTS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const CONTEXTS: usize> Set<CONTEXTS> {
    /// None is bound, none is pending.
    pub const fn new() -> Self {
        const { assert!(CONTEXTS <= u64::BITS as usize, "a mask has a bit for each") };
        Self {
            bound: 0,
            per_context: 0,
            senders: [EndpointId(0); NOTIFICATIONS],
            global: 0,
            contexts: [0; CONTEXTS],
            waiting: 0,
            global_news: false,
            context_news: 0,
        }
    }

    /// Forgets all of it, in place.
    pub fn clear(&mut self) {
        self.bound = 0;
        self.per_context = 0;
        self.senders.fill(EndpointId(0));
        self.global = 0;
        self.contexts.fill(0);
        self.waiting = 0;
        self.global_news = false;
        self.context_news = 0;
    }

    /// Whether all of `bits` are bound to `sender`.
    #[inline]
    fn are_bound_to(&self, sender: EndpointId, bits: u64) -> bool {
        let theirs = |n| self.senders.get(n).is_some_and(|bound| *bound == sender);
        bits & !self.bound == 0 && each(bits).all(theirs)
    }

    /// The notifications that are pending for the receiver, or for any of its contexts.
    fn all_pending(&self) -> u64 {
        each(self.waiting)
            .filter_map(|n| self.contexts.get(n))
            .fold(self.global, |all, own| all | own)
    }

    /// Binds `bits` to `sender`: from now on, only it may set them. They are global, or
    /// `per_context`.
    ///
    /// # Errors
    ///
    /// INVALID_PARAMETERS without bits. DENIED if one is bound already, whoever to, or still pending
    /// from a sender that is no more.
    pub fn bind(
        &mut self,
        sender: EndpointId,
        per_context: bool,
        bits: u64,
    ) -> Result<(), FfaError> {
        if bits == 0 {
            return Err(FfaError::InvalidParameters);
        }
        if bits & (self.bound | self.all_pending()) != 0 {
            return Err(FfaError::Denied);
        }
        self.bound |= bits;
        if per_context {
            self.per_context |= bits;
        }
        self.name(bits, sender);
        Ok(())
    }

    fn name(&mut self, bits: u64, sender: EndpointId) {
        for n in each(bits) {
            if let Some(entry) = self.senders.get_mut(n) {
                *entry = sender;
            }
        }
    }

    fn release(&mut self, bits: u64) {
        self.bound &= !bits;
        self.per_context &= !bits;
        self.name(bits, EndpointId(0));
    }

    /// Undoes [`bind`](Self::bind).
    ///
    /// # Errors
    ///
    /// INVALID_PARAMETERS without bits. DENIED if one is not bound to `sender`, or is pending.
    pub fn unbind(&mut self, sender: EndpointId, bits: u64) -> Result<(), FfaError> {
        if bits == 0 {
            return Err(FfaError::InvalidParameters);
        }
        if !self.are_bound_to(sender, bits) || bits & self.all_pending() != 0 {
            return Err(FfaError::Denied);
        }
        self.release(bits);
        Ok(())
    }

    /// Makes `bits` pending: for one context, or the receiver as a whole (`None`). Whether the
    /// receiver has that context is the caller's to check.
    ///
    /// # Errors
    ///
    /// INVALID_PARAMETERS without bits, or if the context is none that a receiver can have. DENIED if
    /// one is not bound to `sender`, or is per context where a global one is set, or the other way
    /// round.
    #[inline]
    pub fn set(
        &mut self,
        sender: EndpointId,
        context: Option<u16>,
        bits: u64,
    ) -> Result<(), FfaError> {
        if bits == 0 {
            return Err(FfaError::InvalidParameters);
        }
        let wrong = match context {
            Some(_) => bits & !self.per_context,
            None => bits & self.per_context,
        };
        match context {
            Some(n) => {
                let Some(own) = self.contexts.get(usize::from(n)).copied() else {
                    return Err(FfaError::InvalidParameters);
                };
                if wrong != 0 || !self.are_bound_to(sender, bits) {
                    return Err(FfaError::Denied);
                }
                if bits & !own != 0 {
                    self.context_news |= bit(n);
                }
                if let Some(entry) = self.contexts.get_mut(usize::from(n)) {
                    *entry |= bits;
                }
                self.waiting |= bit(n);
            }
            None => {
                if wrong != 0 || !self.are_bound_to(sender, bits) {
                    return Err(FfaError::Denied);
                }
                self.global_news |= bits & !self.global != 0;
                self.global |= bits;
            }
        }
        Ok(())
    }

    /// What `context` reads: the global ones and its own. They are not pending any more.
    pub fn take(&mut self, context: u16) -> u64 {
        let own = self.contexts.get_mut(usize::from(context));
        let taken = self.global | own.map_or(0, core::mem::take);
        self.global = 0;
        self.global_news = false;
        self.waiting &= !bit(context);
        self.context_news &= !bit(context);
        taken
    }

    /// Whether [`take`](Self::take) would give `context` anything.
    pub fn pending_for(&self, context: u16) -> bool {
        self.global != 0 || self.waiting & bit(context) != 0
    }

    /// Whether anything is pending, for whichever context.
    pub const fn is_pending(&self) -> bool {
        self.global != 0 || self.waiting != 0
    }

    /// Whether something is pending that the scheduler has not been told of.
    pub const fn has_news(&self) -> bool {
        self.global_news || self.context_news != 0
    }

    /// Whether a global one is, and for which contexts their own are, one bit for each.
    pub(super) const fn news(&self) -> (bool, u64) {
        (self.global_news, self.context_news)
    }

    /// The scheduler has been told of the global ones.
    pub(super) const fn told_global(&mut self) {
        self.global_news = false;
    }

    /// It has been told of these contexts.
    pub(super) const fn told_contexts(&mut self, contexts: u64) {
        self.context_news &= !contexts;
    }

    /// `sender` is no more: nothing is bound to it any longer. What it has set stays pending until the
    /// receiver reads it.
    pub fn forget_sender(&mut self, sender: EndpointId) {
        let theirs = each(self.bound)
            .filter(|n| self.senders.get(*n) == Some(&sender))
            .fold(0, |bits, n| bits | 1 << n);
        self.release(theirs);
    }
}
