//! The register side of notifications (DEN0077A, "Notifications", from FF-A 1.1): flags, the
//! bitmaps that `FFA_NOTIFICATION_GET` returns and the lists of `FFA_NOTIFICATION_INFO_GET`.

use crate::{
    fid::{Fid, FidKind, Function, raw},
    id::EndpointId,
    regs::{Regs, join, split},
    reply::Reply,
};
use bitflags::bitflags;

/// w2 of `FFA_NOTIFICATION_SET`. Bits 15:2 are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SetFlags {
    /// Bit 0: the notifications are for one execution context each.
    pub per_context: bool,
    /// Bit 1: the schedule receiver interrupt may wait.
    pub delay_schedule_receiver: bool,
    /// Bits 31:16: the receiver's execution context.
    pub context: u16,
}

impl SetFlags {
    /// Reads w2; `None` if a reserved bit is set.
    pub const fn from_w2(w2: u32) -> Option<Self> {
        if w2 & 0xfffc != 0 {
            return None;
        }
        Some(Self {
            per_context: w2 & 1 != 0,
            delay_schedule_receiver: w2 & 2 != 0,
            context: (w2 >> 16) as u16,
        })
    }

    /// The value of w2.
    pub const fn w2(self) -> u32 {
        self.per_context as u32
            | (self.delay_schedule_receiver as u32) << 1
            | (self.context as u32) << 16
    }
}

bitflags! {
    /// w2 of `FFA_NOTIFICATION_GET`: whose notifications are wanted.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct GetFlags: u32 {
        /// Those of secure partitions.
        const PARTITIONS = 1 << 0;
        /// Those of VMs.
        const VMS = 1 << 1;
        /// Those of the secure partition manager.
        const SPM = 1 << 2;
        /// Those of the hypervisor.
        const HYPERVISOR = 1 << 3;
    }
}

/// Bit 0 of [`Pending::spm`] and of [`Pending::hypervisor`]: a message lies in the RX buffer.
pub const RX_BUFFER_FULL: u32 = 1 << 0;

/// The result of `FFA_NOTIFICATION_GET`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// w2 and w3: from secure partitions.
    pub partitions: u64,
    /// w4 and w5: from VMs.
    pub vms: u64,
    /// w6: from the secure partition manager.
    pub spm: u32,
    /// w7: from the hypervisor.
    pub hypervisor: u32,
}

impl Pending {
    /// The `FFA_SUCCESS_32` that tells it.
    pub const fn success(self) -> Reply {
        let (p0, p1) = split(self.partitions);
        let (v0, v1) = split(self.vms);
        Reply::Ffa([
            raw::SUCCESS_32 as u64,
            0,
            p0 as u64,
            p1 as u64,
            v0 as u64,
            v1 as u64,
            self.spm as u64,
            self.hypervisor as u64,
        ])
    }

    /// Reads it from a `FFA_SUCCESS_32`.
    pub const fn from_success(regs: &Regs) -> Self {
        Self {
            partitions: join(regs.w::<2>(), regs.w::<3>()),
            vms: join(regs.w::<4>(), regs.w::<5>()),
            spm: regs.w::<6>(),
            hypervisor: regs.w::<7>(),
        }
    }
}

/// The most ids, of endpoints and of execution contexts together, in the 64-bit form.
const IDS_64: usize = 20;
/// The same in the 32-bit form.
const IDS_32: usize = 10;
/// The result of `FFA_NOTIFICATION_INFO_GET`: who has notifications pending. Up to 20 lists (10 in
/// the 32-bit form) of an endpoint and up to 3 of its execution contexts; none means that the
/// notifications are for the endpoint as a whole.
///
/// x2 bit 0: more is pending; bits 11:7 the number of lists; from bit 12 two bits for each, the
/// number of its contexts. x3 to x7 (w3 to w7): the ids, 16 bits each, list by list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InfoLists {
    wide: bool,
    /// More is pending than fits: the caller shall ask again.
    pub more: bool,
    lists: usize,
    contexts: [u8; IDS_64],
    used: usize,
    ids: [u16; IDS_64],
}

/// The lists have no room for that endpoint and its contexts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl InfoLists {
    /// The most execution contexts in one list.
    pub const CONTEXTS: usize = 3;

    /// No list, for the answer in the form of the call.
    pub const fn new(wide: bool) -> Self {
        Self {
            wide,
            more: false,
            lists: 0,
            contexts: [0; IDS_64],
            used: 0,
            ids: [0; IDS_64],
        }
    }

    const fn capacity(&self) -> usize {
        if self.wide { IDS_64 } else { IDS_32 }
    }

    /// Whether there is no list: the call is completed with NO_DATA then.
    pub const fn is_empty(&self) -> bool {
        self.lists == 0
    }

    /// Adds `endpoint` with those of its execution contexts, in as many lists as that takes.
    ///
    /// # Errors
    ///
    /// [`Full`] if they do not all fit; nothing is added then.
    pub fn push(&mut self, endpoint: EndpointId, contexts: &[u16]) -> Result<(), Full> {
        let lists = contexts.len().div_ceil(Self::CONTEXTS).max(1);
        let ids = lists.checked_add(contexts.len()).ok_or(Full)?;
        if self
            .used
            .checked_add(ids)
            .is_none_or(|n| n > self.capacity())
        {
            return Err(Full);
        }
        if contexts.is_empty() {
            self.list(endpoint, &[]);
        }
        for contexts in contexts.chunks(Self::CONTEXTS) {
            self.list(endpoint, contexts);
        }
        Ok(())
    }

    /// One list. There is room: each list has at least one id.
    fn list(&mut self, endpoint: EndpointId, contexts: &[u16]) {
        if let Some(count) = self.contexts.get_mut(self.lists) {
            *count = contexts.len() as u8;
        }
        self.lists += 1;
        for id in core::iter::once(&endpoint.0).chain(contexts) {
            if let Some(to) = self.ids.get_mut(self.used) {
                *to = *id;
            }
            self.used += 1;
        }
    }

    /// The lists.
    pub fn iter(&self) -> impl Iterator<Item = (EndpointId, &[u16])> {
        let mut ids = self.ids.get(..self.used).unwrap_or_default();
        self.contexts
            .iter()
            .take(self.lists)
            .map_while(move |count| {
                let (endpoint, rest) = ids.split_first()?;
                let (contexts, rest) = rest.split_at_checked(usize::from(*count))?;
                ids = rest;
                Some((EndpointId(*endpoint), contexts))
            })
    }

    /// Whether there is a list of `endpoint` without contexts.
    pub fn names_alone(&self, endpoint: EndpointId) -> bool {
        let mut lists = self.iter();
        lists.any(|(id, contexts)| id == endpoint && contexts.is_empty())
    }

    /// The `FFA_SUCCESS` that tells it.
    pub fn success(&self) -> Reply {
        let mut x = [0; 8];
        x[0] = if self.wide {
            raw::SUCCESS_64
        } else {
            raw::SUCCESS_32
        }
        .into();
        x[2] = u64::from(self.more) | (self.lists as u64) << 7;
        for (n, count) in self.contexts.iter().take(self.lists).enumerate() {
            x[2] |= u64::from(*count) << (12 + 2 * n);
        }
        let per_register = if self.wide { 4 } else { 2 };
        for (n, id) in self.ids.iter().take(self.used).enumerate() {
            if let Some(to) = x.get_mut(3 + n / per_register) {
                *to |= u64::from(*id) << (16 * (n % per_register));
            }
        }
        Reply::Ffa(x)
    }

    /// Reads it from a `FFA_SUCCESS` in either form. `None` if this is none, or if the lists do not
    /// fit in the registers. Bits 6:1 of x2 and what lies behind the lists are ignored.
    pub fn from_success(regs: &Regs) -> Option<Self> {
        let wide = match Fid::decode(regs.x::<0>()) {
            FidKind::Ffa(fid) if fid.function == Function::Success => fid.wide,
            _ => return None,
        };
        let x2 = if wide {
            regs.x::<2>()
        } else {
            regs.w::<2>().into()
        };
        let mut read = Self::new(wide);
        read.more = x2 & 1 != 0;
        read.lists = (x2 >> 7 & 0x1f) as usize;
        // In the 32-bit form the counts end with the register: ten lists.
        if read.lists > read.capacity() {
            return None;
        }
        for (n, count) in read.contexts.iter_mut().take(read.lists).enumerate() {
            *count = (x2 >> (12 + 2 * n) & 3) as u8;
            read.used += 1 + usize::from(*count);
        }
        if read.used > read.capacity() {
            return None;
        }
        let per_register = if wide { 4 } else { 2 };
        for (n, id) in read.ids.iter_mut().take(read.used).enumerate() {
            let register = regs.0.get(3 + n / per_register).copied().unwrap_or(0);
            *id = (register >> (16 * (n % per_register))) as u16;
        }
        Some(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn registers(reply: Reply) -> Regs {
        let mut regs = Regs([0xa5a5_a5a5_a5a5_a5a5; 18]);
        reply.write(&mut regs.0);
        regs
    }

    #[test]
    fn set_flags_by_the_table() {
        let flags = |per_context, delay_schedule_receiver, context| {
            Some(SetFlags {
                per_context,
                delay_schedule_receiver,
                context,
            })
        };
        for (w2, expected) in [
            (0, flags(false, false, 0)),
            (1, flags(true, false, 0)),
            (0x7_0003, flags(true, true, 7)),
            (0xffff_0002, flags(false, true, 0xffff)),
            (4, None),
            (0x8000, None),
        ] {
            assert_eq!(SetFlags::from_w2(w2), expected, "{w2:#x}");
            assert!(expected.is_none_or(|flags| flags.w2() == w2));
        }
    }

    #[test]
    fn lists_by_example() {
        let mut lists = InfoLists::new(true);
        assert!(lists.is_empty());
        lists.push(EndpointId(0x8001), &[]).unwrap();
        lists.push(EndpointId(3), &[0, 1, 2, 5]).unwrap();
        lists.more = true;
        let regs = registers(lists.success());
        assert_eq!(regs[0], 0xc400_0061);
        // Three lists, with 0, 3 and 1 contexts.
        assert_eq!(regs[2], 1 | 3 << 7 | 3 << 14 | 1 << 16);
        assert_eq!(regs[3], 0x0001_0000_0003_8001);
        assert_eq!(regs[4], 0x0000_0005_0003_0002);
        assert_eq!(regs.0[5..8], [0; 3]);
        let mut narrow = InfoLists::new(false);
        narrow.push(EndpointId(0x8002), &[9]).unwrap();
        let regs = registers(narrow.success());
        assert_eq!(regs[0], 0x8400_0061);
        assert_eq!((regs[2], regs[3]), (1 << 7 | 1 << 12, 0x0009_8002));
    }

    #[test]
    fn what_does_not_fit_is_not_added() {
        for (wide, capacity) in [(true, 20), (false, 10)] {
            let mut lists = InfoLists::new(wide);
            for n in 0..capacity {
                lists.push(EndpointId(n), &[]).unwrap();
            }
            let before = lists;
            assert_eq!(lists.push(EndpointId(99), &[]), Err(Full));
            assert_eq!(lists, before);
            assert_eq!(lists.iter().count(), usize::from(capacity));
        }
        let mut lists = InfoLists::new(true);
        assert_eq!(lists.push(EndpointId(1), &[0; 16]), Err(Full));
        assert!(lists.is_empty());
        assert_eq!(lists.push(EndpointId(1), &[0; 15]), Ok(()));
    }

    #[test]
    fn lists_that_exceed_the_registers_are_refused() {
        for (fid, x2) in [
            (raw::SUCCESS_64, 21 << 7),
            (raw::SUCCESS_32, 11 << 7),
            // Six lists with three contexts each: 24 ids.
            (raw::SUCCESS_64, 6 << 7 | 0xfff << 12),
            (raw::ERROR, 0),
        ] {
            let mut regs = Regs::ZERO;
            regs[0] = fid.into();
            regs[2] = x2;
            assert_eq!(InfoLists::from_success(&regs), None);
        }
    }

    proptest! {
        #![proptest_config(crate::property())]

        #[test]
        fn lists_are_read_as_written(
            wide: bool, more: bool,
            entries in proptest::collection::vec(
                (any::<u16>(), proptest::collection::vec(any::<u16>(), 0..4)), 0..8),
        ) {
            let mut lists = InfoLists::new(wide);
            lists.more = more;
            let mut expected = Vec::new();
            for (endpoint, contexts) in &entries {
                if lists.push(EndpointId(*endpoint), contexts).is_ok() {
                    expected.push((EndpointId(*endpoint), contexts.as_slice()));
                }
            }
            let read = InfoLists::from_success(&registers(lists.success())).unwrap();
            prop_assert_eq!(read, lists);
            prop_assert_eq!(read.iter().collect::<Vec<_>>(), expected);
        }

        #[test]
        fn reading_lists_is_total(wide: bool, x: [u64; 17]) {
            let mut regs = Regs::ZERO;
            regs[0] = if wide { raw::SUCCESS_64 } else { raw::SUCCESS_32 }.into();
            regs.0[1..].copy_from_slice(&x);
            if let Some(lists) = InfoLists::from_success(&regs) {
                prop_assert_eq!(lists.iter().count(), (x[1] >> 7 & 0x1f) as usize);
                let again = InfoLists::from_success(&registers(lists.success()));
                prop_assert_eq!(again, Some(lists));
            }
        }

        #[test]
        fn pending_bitmaps(partitions: u64, vms: u64, spm: u32, hypervisor: u32) {
            let pending = Pending { partitions, vms, spm, hypervisor };
            let regs = registers(pending.success());
            prop_assert_eq!(Pending::from_success(&regs), pending);
            prop_assert_eq!(regs[6], u64::from(spm));
            prop_assert!(regs.0[..8].iter().all(|x| x >> 32 == 0));
        }
    }
}
