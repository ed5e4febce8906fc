//! The calls, and what comes back.

use super::super::plain;
use super::{Answer, Check, Party, Suite, Wrong, told};
use super::{hears, told_of};
use crate::abi::{self, NO_DATA, ids};
use crate::memory::Kind;
use crate::memory::list::List;
use crate::memory::protocol::LAST;

/// w2 of BIND and SET: each context has its own.
pub const PER_CONTEXT: u64 = 1;
/// w2 of SET: the schedule receiver interrupt may wait.
pub const DELAY: u64 = 1 << 1;
/// w2 of GET: those of partitions.
pub const OF_PARTITIONS: u64 = 1;
/// w2 of GET: those of VMs.
pub const OF_VMS: u64 = 1 << 1;
/// w2 of GET: those of the SPM.
pub const OF_SPM: u64 = 1 << 2;
/// w2 of GET: those of the hypervisor.
pub const OF_HYPERVISOR: u64 = 1 << 3;

/// All that a party may ask for: who is the hypervisor has nobody to ask for the other half.
pub fn all(party: &Party) -> u64 {
    match party.who.kind {
        Kind::Hypervisor => OF_PARTITIONS | OF_SPM,
        _ => OF_PARTITIONS | OF_VMS | OF_SPM | OF_HYPERVISOR,
    }
}

/// x1-x4 of BIND, UNBIND and SET.
pub const fn arguments(sender: u16, receiver: u16, w2: u64, bits: u64) -> [u64; 4] {
    [ids(sender, receiver), w2, bits & 0xffff_ffff, bits >> 32]
}

/// `to` binds notifications of `from`.
pub fn bind(from: &Party, to: &Party, w2: u64, bits: u64) -> Check {
    let call = arguments(from.who.id, to.who.id, w2, bits);
    to.call(abi::NOTIFICATION_BIND, &call)?
        .done(to, "FFA_NOTIFICATION_BIND")
}

/// It gives them up.
pub fn unbind(from: &Party, to: &Party, bits: u64) -> Check {
    let call = arguments(from.who.id, to.who.id, 0, bits);
    to.call(abi::NOTIFICATION_UNBIND, &call)?
        .done(to, "FFA_NOTIFICATION_UNBIND")
}

/// `from` sets some.
pub fn try_set(from: &Party, to: &Party, w2: u64, bits: u64) -> Result<Answer, Wrong> {
    let call = arguments(from.who.id, to.who.id, w2, bits);
    from.call(abi::NOTIFICATION_SET, &call)
}

/// The same, which must succeed.
pub fn set(from: &Party, to: &Party, w2: u64, bits: u64) -> Check {
    try_set(from, to, w2, bits)?.done(from, "FFA_NOTIFICATION_SET")
}

/// What FFA_NOTIFICATION_GET gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pending {
    /// Of partitions.
    pub partitions: u64,
    /// Of VMs.
    pub vms: u64,
    /// Of the SPM.
    pub spm: u64,
    /// Of the hypervisor.
    pub hypervisor: u64,
}

impl Pending {
    /// Notifications of this sender.
    pub fn of(sender: &Party, bits: u64) -> Self {
        let mut pending = Self::default();
        match sender.who.is_partition() {
            true => pending.partitions = bits,
            false => pending.vms = bits,
        }
        pending
    }

    /// It is this.
    pub fn is(&self, who: &Party, want: &Self) -> Check {
        who.equal(
            "notifications of partitions",
            self.partitions,
            want.partitions,
        )?;
        who.equal("notifications of VMs", self.vms, want.vms)?;
        who.equal("the SPM's notifications", self.spm, want.spm)?;
        who.equal(
            "the hypervisor's notifications",
            self.hypervisor,
            want.hypervisor,
        )
    }
}

/// A receiver's context reads what is pending, with these flags.
pub fn get_for(who: &Party, context: u64, flags: u64) -> Result<Pending, Wrong> {
    read(who, who.who.id, context, flags)
}

/// What is pending for an endpoint.
pub fn read(who: &Party, receiver: u16, context: u64, flags: u64) -> Result<Pending, Wrong> {
    let x1 = context << 16 | u64::from(receiver);
    let answer = who.call(abi::NOTIFICATION_GET, &[x1, flags])?;
    answer.is(who, "FFA_NOTIFICATION_GET", abi::SUCCESS_32)?;
    who.equal("w1 of FFA_NOTIFICATION_GET", answer.x[1], 0)?;
    let [w4, w5, w6, w7] = who.told("the registers", LAST, [0; 4])?;
    Ok(Pending {
        partitions: answer.x[2] | answer.x[3] << 32,
        vms: w4 | w5 << 32,
        spm: w6,
        hypervisor: w7,
    })
}

/// Its first context reads everything.
pub fn get(who: &Party) -> Result<Pending, Wrong> {
    get_for(who, 0, all(who))
}

/// A list of FFA_NOTIFICATION_INFO_GET.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The endpoint.
    pub id: u16,
    /// Its contexts.
    pub contexts: List<u16, 3>,
}

impl Entry {
    /// An endpoint as a whole.
    pub fn whole(id: u16) -> Self {
        Self {
            id,
            contexts: List::new(),
        }
    }

    /// One context of it.
    pub fn one(id: u16, context: u16) -> Self {
        Self {
            id,
            contexts: List::of([context]),
        }
    }
}

/// Lists, and whether there is more.
pub type Lists = (List<Entry, 20>, bool);

/// FFA_NOTIFICATION_INFO_GET by the client.
pub fn info(suite: &Suite, wide: bool) -> Result<Lists, Wrong> {
    let me = &suite.me;
    let (id, success, per_register) = match wide {
        true => (abi::NOTIFICATION_INFO_GET_64, abi::SUCCESS_64, 4),
        false => (abi::NOTIFICATION_INFO_GET_32, abi::SUCCESS_32, 2),
    };
    let regs = plain(id, &[]);
    if regs[0] == abi::ERROR.into() {
        let nothing = regs[1] == 0 && regs[3..8] == [0; 5] && regs[2] == abi::code(NO_DATA);
        return match nothing {
            true => Ok((List::new(), false)),
            false => Err(me.wrong("FFA_NOTIFICATION_INFO_GET", regs[2], abi::code(NO_DATA))),
        };
    }
    me.equal("FFA_NOTIFICATION_INFO_GET", regs[0], success.into())?;
    me.equal("w1 of FFA_NOTIFICATION_INFO_GET", regs[1], 0)?;
    me.equal(
        "reserved bits of its x2",
        regs[2] >> 52 | regs[2] >> 1 & 0x3f,
        0,
    )?;
    let mut halves = (0..5 * per_register).map(|n| {
        let register = regs.get(3 + n / per_register).copied().unwrap_or(0);
        (register >> (16 * (n % per_register))) as u16
    });
    let mut lists = List::new();
    for number in 0..regs[2] >> 7 & 0x1f {
        let contexts = regs[2] >> (12 + 2 * number) & 3;
        let id = halves.next().unwrap_or(0xffff);
        lists.push(Entry {
            id,
            contexts: List::of(halves.by_ref().take(contexts as usize)),
        });
    }
    match halves.find(|half| *half != 0) {
        Some(half) => Err(me.wrong("what is behind the lists", half.into(), 0)),
        None => Ok((lists, regs[2] & 1 != 0)),
    }
}

/// Exactly these are named, and nothing more.
pub fn named(suite: &Suite, all: &[Entry]) -> Check {
    let me = &suite.me;
    let (lists, more) = info(suite, true)?;
    me.equal("there is more", more.into(), 0)?;
    me.equal("lists", lists.len() as u64, all.len() as u64)?;
    for (got, want) in lists.iter().zip(all) {
        me.equal("who is named", got.id.into(), want.id.into())?;
        me.equal(
            "how many of its contexts",
            got.contexts.len() as u64,
            want.contexts.len() as u64,
        )?;
        for (got, want) in got.contexts.iter().zip(want.contexts.iter()) {
            me.equal("a context that is named", (*got).into(), (*want).into())?;
        }
    }
    Ok(())
}

/// Nothing is pending for anybody, nobody is named, and the scheduler is not told.
pub fn nobody(suite: &Suite) -> Check {
    told_of(suite, false)?;
    named(suite, &[])?;
    for party in suite.everybody().iter().filter(|party| hears(&party.who)) {
        get(party)?.is(party, &Pending::default())?;
    }
    Ok(())
}

/// Sets some, and the receiver reads them; whoever is to be told is told, and named. Nothing is left.
pub fn heard(suite: &Suite, from: &Party, to: &Party, w2: u64, bits: u64) -> Check {
    set(from, to, w2, bits)?;
    told_of(suite, true)?;
    let context = (w2 >> 16) as u16;
    named(
        suite,
        &[match w2 & PER_CONTEXT {
            0 => Entry::whole(to.who.id),
            _ => Entry::one(to.who.id, context),
        }],
    )?;
    get_for(to, context.into(), all(to))?.is(to, &Pending::of(from, bits))?;
    told::take();
    Ok(())
}
