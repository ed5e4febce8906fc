//! The two sides of a transaction, each as it usually is.

use super::party::Party;
use super::wrong::{Check, Wrong};
use crate::abi;
use crate::board;
use crate::memory::descriptor::{
    Access, Form, Layout, NON_SECURE, NORMAL, Range, Region, flags, permissions,
};
use crate::memory::list::List;

/// The kinds of transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deal {
    /// FFA_MEM_SHARE.
    Share,
    /// FFA_MEM_LEND.
    Lend,
    /// FFA_MEM_DONATE.
    Donate,
}

impl Deal {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Share, Self::Lend, Self::Donate];
    /// Those that end.
    pub const LOANS: [Self; 2] = [Self::Share, Self::Lend];

    /// In names of cases.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Share => "share",
            Self::Lend => "lend",
            Self::Donate => "donate",
        }
    }

    /// The call.
    pub const fn id(self) -> u32 {
        match self {
            Self::Share => abi::MEM_SHARE,
            Self::Lend => abi::MEM_LEND,
            Self::Donate => abi::MEM_DONATE,
        }
    }

    /// The type in the flags of what is retrieved.
    pub const fn flag(self) -> u32 {
        match self {
            Self::Share => flags::SHARE,
            Self::Lend => flags::LEND,
            Self::Donate => flags::DONATE,
        }
    }
}

/// The tag of each transaction.
pub(super) const TAG: u64 = 0x0123_4567_89ab_cdef;
/// The implementation defined value of the receiver with this number.
pub(super) const fn value(number: usize) -> [u64; 2] {
    [0x1111_2222_3333_4440 + number as u64, !(number as u64)]
}

/// What `lender` offers: read and write access to all of these.
pub(super) fn offer(deal: Deal, lender: &Party, borrowers: &[Party], ranges: &[Range]) -> Form {
    let layout = Layout::of(lender.who.version);
    let data = match deal {
        Deal::Donate => 0,
        _ => permissions::RW,
    };
    let receivers = borrowers.iter().enumerate().map(|(number, who)| Access {
        endpoint: who.who.id,
        permissions: data,
        flags: 0,
        value: match layout.access {
            32 => value(number),
            _ => [0; 2],
        },
    });
    Form {
        layout,
        sender: lender.who.id,
        // With one borrower it is for that one to say.
        attributes: match deal == Deal::Share || borrowers.len() > 1 {
            true => NORMAL,
            false => 0,
        },
        flags: 0,
        handle: 0,
        tag: TAG,
        receivers: List::of(receivers),
        region: Some(Region::of(ranges)),
    }
}

/// It begins in the normal world's memory.
fn is_normal_world(offer: &Form) -> bool {
    let ranges = offer.region.map(|region| region.ranges);
    let first = ranges.and_then(|ranges| ranges.first().copied());
    // Secure memory of both boards is below it.
    first.unwrap_or_default().base >= board::NORMAL_RAM.start
}

/// How `borrower` retrieves that: with all that it can get but execution. What is donated it executes too, as its owner
/// could before: else it were not all the same kind of memory any more when it comes back. Only partitions never
/// execute the normal world's.
pub(super) fn request(deal: Deal, offer: &Form, handle: u64, borrower: &Party) -> Form {
    let layout = Layout::of(borrower.who.version);
    let instruction = match deal {
        Deal::Share => 0,
        _ if offer.receivers.len() > 1 => 0,
        Deal::Donate if !is_normal_world(offer) || !borrower.who.is_partition() => permissions::X,
        _ => permissions::NX,
    };
    let receivers = offer.receivers.iter().map(|access| Access {
        permissions: instruction
            | match access.permissions & permissions::DATA {
                0 => permissions::RW,
                data => data,
            },
        value: match layout.access {
            32 => access.value,
            _ => [0; 2],
        },
        ..*access
    });
    Form {
        layout,
        attributes: NORMAL,
        flags: deal.flag(),
        handle,
        receivers: List::of(receivers),
        region: None,
        ..*offer
    }
}

/// The response is right: what `lender` offered, for `borrower`, with these permissions.
pub(super) fn fits(got: &Form, asked: &Form, offer: &Form, borrower: &Party) -> Check {
    let equal = |step, got: u64, want: u64| borrower.equal(step, got, want);
    equal(
        "sender in a response",
        got.sender.into(),
        offer.sender.into(),
    )?;
    equal("handle in a response", got.handle, asked.handle)?;
    equal("tag in a response", got.tag, offer.tag)?;
    let kind = |form: &Form| u64::from(form.flags & flags::TYPE);
    equal("type in a response", kind(got), kind(asked))?;
    let normal_world = is_normal_world(offer);
    let bit = match normal_world && borrower.who.version >= abi::V1_1 {
        // Who is in the normal world itself need not be told.
        true if borrower.who.is_partition() => NON_SECURE,
        true => got.attributes & NON_SECURE,
        false => 0,
    };
    let attributes = NORMAL | bit;
    equal(
        "attributes in a response",
        got.attributes.into(),
        attributes.into(),
    )?;
    equal("receivers in a response", got.receivers.len() as u64, 1)?;
    let own = |form: &Form| {
        form.receivers
            .iter()
            .copied()
            .find(|access| access.endpoint == borrower.who.id)
            .unwrap_or_default()
    };
    let (is, asked) = (own(got), own(asked));
    equal(
        "receiver in a response",
        is.endpoint.into(),
        borrower.who.id.into(),
    )?;
    let instruction = match asked.permissions & permissions::INSTRUCTION {
        0 => permissions::NX,
        instruction => instruction,
    };
    equal(
        "permissions in a response",
        is.permissions.into(),
        (asked.permissions & permissions::DATA | instruction).into(),
    )?;
    equal("receiver's flags in a response", is.flags.into(), 0)?;
    if got.layout.access == 32 {
        let sent = own(offer).value;
        equal("value in a response", is.value[0], sent[0])?;
        equal("value in a response", is.value[1], sent[1])?;
    }
    let (Some(got), Some(sent)) = (got.region, offer.region) else {
        return Err(borrower.wrong("region in a response", 0, 1));
    };
    equal("pages in a response", got.pages.into(), sent.pages.into())?;
    equal(
        "constituents in a response",
        got.count.into(),
        sent.count.into(),
    )?;
    for (got, sent) in got.ranges.iter().zip(sent.ranges.iter()) {
        equal("constituent in a response", got.base, sent.base)?;
        equal(
            "pages of a constituent",
            got.pages.into(),
            sent.pages.into(),
        )?;
    }
    Ok(())
}

/// A response that can't be read.
pub(super) fn unreadable(borrower: &Party) -> Wrong {
    borrower.wrong("reserved or misplaced words in a response", 1, 0)
}
