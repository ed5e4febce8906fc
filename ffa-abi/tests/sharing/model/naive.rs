//! The reference: one array of pages, and a list of transactions. Nothing is sorted, joined or counted
//! ahead: each question is answered by looking at every page.

use crate::rig::*;
use ffa_abi::{
    EndpointId, FfaError,
    memory::{
        Attributes, DataAccess, Handle, InstructionAccess, TransactionFlags, TransactionKind,
    },
    sharing::{Party, Send},
};

/// What the sizes of the map under test are.
pub const HANDLES: usize = 16;
pub const SENDERS: usize = 6;
pub const CHUNKS: usize = 16;
pub const PARTIES: usize = 4;

/// A page of the small machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Page {
    pub owner: Option<usize>,
    pub normal_world: bool,
    pub device: bool,
    pub write: bool,
    pub execute: bool,
    pub kept: bool,
    /// Which transaction has it.
    pub given: Option<usize>,
    /// Which buffer it is part of: the number of its first page.
    pub buffer: Option<usize>,
    pub hidden: bool,
    /// What each party has of it by retrieving: write, execute.
    pub borrowed: [Option<(bool, bool)>; PARTIES],
    pub content: u8,
}

#[derive(Clone, Copy, Debug)]
pub struct Has {
    pub times: u8,
    pub data: DataAccess,
    pub instruction: InstructionAccess,
    pub zero_after: bool,
}

#[derive(Clone, Debug)]
pub struct Deal {
    pub handle: Handle,
    pub owner: usize,
    pub send: Send,
    pub parts: Vec<(u64, u32)>,
    pub sealed: bool,
    pub donated: bool,
    pub orphan: bool,
    pub zero: bool,
    pub has: Vec<Has>,
}

impl Deal {
    pub fn held(&self) -> bool {
        self.has.iter().any(|it| it.times > 0)
    }

    /// The receiver that is this endpoint, here.
    pub fn receiver(&self, party: usize, endpoint: EndpointId) -> Option<usize> {
        let party = Some(Party(party as u8));
        (0..self.send.receivers.len()).find(|at| {
            let it = &self.send.receivers[*at];
            it.endpoint == endpoint && it.party == party
        })
    }
}

pub const NOTHING: Has = Has {
    times: 0,
    data: DataAccess::Unspecified,
    instruction: InstructionAccess::Unspecified,
    zero_after: false,
};

#[derive(Clone, Debug, Default)]
pub struct Naive {
    pub pages: Vec<Page>,
    pub deals: Vec<Option<Deal>>,
    /// The next change of tables fails.
    pub fails: bool,
}

pub type Answer = Result<(), FfaError>;

impl Naive {
    pub fn deal(&self, handle: Handle) -> Option<usize> {
        (0..self.deals.len()).find(|at| {
            self.deals[*at]
                .as_ref()
                .is_some_and(|it| it.handle == handle)
        })
    }

    /// The numbers of the pages of a part; those that there are.
    fn numbers(&self, part: (u64, u32)) -> impl Iterator<Item = usize> + use<> {
        let first = part.0 / 0x1000;
        let all = self.pages.len() as u64;
        (first..(first + u64::from(part.1)).min(all)).map(|number| number as usize)
    }

    pub fn pages_of(&self, deal: usize) -> Vec<usize> {
        let parts = &self.deals[deal].as_ref().unwrap().parts;
        parts.iter().flat_map(|part| self.numbers(*part)).collect()
    }

    pub fn tables(&mut self) -> Answer {
        if std::mem::take(&mut self.fails) {
            return Err(NoMemory);
        }
        Ok(())
    }

    pub fn zero(&mut self, deal: usize) {
        for page in self.pages_of(deal) {
            self.pages[page].content = 0;
        }
    }

    /// Whether a sender may have one more of something, by what the others have.
    fn may_have(all: &[usize], mine: usize, more: usize, total: usize) -> bool {
        let sure = total / 2 / SENDERS;
        let common = total - sure * SENDERS;
        let over = |used: usize| used.max(sure) - sure;
        let others: usize = all.iter().map(|used| over(*used)).sum();
        let new = over(mine + more);
        let grows = new > over(mine);
        !grows || (new <= common - common / 4 && others + new <= common)
    }

    pub fn may_begin(&self, owner: usize, send: &Send) -> Answer {
        let mut handles = Vec::<((usize, EndpointId), usize, usize)>::new();
        let me = (owner, send.sender);
        for deal in self.deals.iter().flatten() {
            let key = (deal.owner, deal.send.sender);
            let chunks = (deal.send.count as usize).div_ceil(16);
            match handles.iter_mut().find(|it| it.0 == key) {
                Some(it) => (it.1, it.2) = (it.1 + 1, it.2 + chunks),
                None => handles.push((key, 1, chunks)),
            }
        }
        let own = handles.iter().position(|it| it.0 == me);
        let own = own.map_or((0, 0), |at| {
            let it = handles.remove(at);
            (it.1, it.2)
        });
        let (others, chunks): (Vec<_>, Vec<_>) = handles.iter().map(|it| (it.1, it.2)).unzip();
        let wanted = (send.count as usize).div_ceil(16);
        let good = Self::may_have(&others, own.0, 1, HANDLES)
            && Self::may_have(&chunks, own.1, wanted, CHUNKS);
        if good { Ok(()) } else { Err(NoMemory) }
    }

    pub fn begin(&mut self, owner: usize, send: &Send, handle: Handle) {
        self.deals.push(Some(Deal {
            handle,
            owner,
            send: send.clone(),
            parts: Vec::new(),
            sealed: false,
            donated: false,
            orphan: false,
            zero: false,
            has: vec![NOTHING; send.receivers.len()],
        }));
    }

    pub fn extend(&mut self, handle: Handle, parts: &[(u64, u32)]) -> Answer {
        let at = self.deal(handle).ok_or(InvalidParameters)?;
        let deal = self.deals[at].as_mut().unwrap();
        if deal.sealed || deal.parts.len() == deal.send.count as usize {
            return Err(InvalidParameters);
        }
        let bad = |part: &(u64, u32)| !part.0.is_multiple_of(0x1000) || part.1 == 0;
        deal.parts.extend(parts);
        let sum: u64 = deal.parts.iter().map(|part| u64::from(part.1)).sum();
        if parts.iter().any(bad)
            || deal.parts.len() > deal.send.count as usize
            || sum > u64::from(deal.send.pages)
        {
            self.deals[at] = None;
            return Err(InvalidParameters);
        }
        Ok(())
    }

    pub fn seal(&mut self, handle: Handle) -> Answer {
        let at = self.deal(handle).ok_or(InvalidParameters)?;
        let deal = self.deals[at].clone().unwrap();
        if deal.sealed || deal.parts.len() < deal.send.count as usize {
            return Err(InvalidParameters);
        }
        let answer = self.accept(at, &deal);
        if answer.is_err() {
            self.deals[at] = None;
        }
        answer
    }

    fn accept(&mut self, at: usize, deal: &Deal) -> Answer {
        let sum: u64 = deal.parts.iter().map(|part| u64::from(part.1)).sum();
        let numbers = |part: &(u64, u32)| {
            let first = part.0 / 0x1000;
            first..first + u64::from(part.1)
        };
        let mut all: Vec<u64> = deal.parts.iter().flat_map(numbers).collect();
        all.sort_unstable();
        if all.windows(2).any(|pair| pair[0] == pair[1]) || sum != u64::from(deal.send.pages) {
            return Err(InvalidParameters);
        }
        let kind = |page: &Page| (page.normal_world, page.device, page.write, page.execute);
        let lend = deal.send.kind == Lend && deal.send.receivers.len() == 1;
        let zero = deal.send.flags.contains(TransactionFlags::ZERO);
        let normal = deal.send.attributes.0 >> 4 & 3 == 2;
        let written = deal.send.receivers.iter().any(|it| it.data == ReadWrite);
        let first = self.pages.get(all[0] as usize).copied().unwrap_or_default();
        for number in &all {
            let Some(page) = self.pages.get(*number as usize) else {
                return Err(Denied);
            };
            let good = page.owner == Some(deal.owner)
                && page.given.is_none()
                && page.buffer.is_none()
                && !page.kept
                && kind(page) == kind(&first)
                && (!page.device || (lend && !normal && !zero))
                && (page.write || (!zero && !written));
            if !good {
                return Err(Denied);
            }
        }
        if deal.send.kind != Share {
            self.tables()?;
        }
        for number in all {
            let page = &mut self.pages[number as usize];
            page.given = Some(at);
            page.hidden = deal.send.kind != Share;
            if zero {
                page.content = 0;
            }
        }
        self.deals[at].as_mut().unwrap().sealed = true;
        Ok(())
    }

    pub fn take_buffer(&mut self, owner: usize, first: usize, count: usize) -> Answer {
        let kind = |page: &Page| (page.normal_world, page.execute, page.kept);
        for number in first..first + count {
            let page = self.pages.get(number).copied().unwrap_or_default();
            let good = page.owner == Some(owner) && page.write && !page.device;
            if !good
                || page.given.is_some()
                || page.buffer.is_some()
                || kind(&page) != kind(&self.pages[first])
            {
                return Err(Denied);
            }
        }
        for number in first..first + count {
            self.pages[number].buffer = Some(first);
        }
        Ok(())
    }

    pub fn free_buffer(&mut self, owner: usize, first: usize, count: usize) {
        let all = (0..self.pages.len()).filter(|it| self.pages[*it].buffer == Some(first));
        let all: Vec<_> = all.collect();
        if all.len() == count && self.pages[first].owner == Some(owner) {
            for page in all {
                self.pages[page].buffer = None;
            }
        }
    }

    /// What a party may do with a page: write, execute.
    pub fn access(&self, who: usize, page: usize) -> Option<(bool, bool)> {
        let page = &self.pages[page];
        if page.owner == Some(who) {
            return (!page.hidden).then_some((page.write, page.execute));
        }
        page.borrowed[who]
    }
}

/// Whether attributes are ones that memory can be retrieved with.
pub fn mapped(attributes: Attributes) -> bool {
    attributes.0 >> 4 & 3 == 0 || matches!(attributes.0 & 0x3f, 0x2f | 0x13)
}

pub type Granted = Option<(usize, DataAccess, InstructionAccess)>;
pub type Broken = Vec<((u32, usize), FfaError)>;

/// For readers of the rows.
pub fn is(kind: TransactionKind, other: TransactionKind) -> bool {
    kind == TransactionKind::Unspecified || kind == other
}
