//! The small system, what can be called in it, and what must hold.

use crate::rig::*;
use ffa_abi::{
    EndpointId, FfaError,
    memory::{
        AccessFlags, Attributes, Constituents, DataAccess, Handle, InstructionAccess, ReclaimFlags,
        RelinquishFlags, TransactionFlags, TransactionKind,
    },
    sharing::{PAGE, Pages, Party, Receiver, Region, Send, Sharing, Side},
};

/// Three parties and the other world; four handles, so that one endpoint may have two.
pub type Tiny = Sharing<4, 3, 12, 4, 4>;

#[derive(Clone)]
pub struct State {
    pub map: Tiny,
    pub machine: Machine,
    pub dead: [bool; 4],
}

#[derive(Clone, Copy, Debug)]
pub enum Call {
    /// The kind, who sends, to whom (bits), whether they may write, which pages (bits).
    Send(TransactionKind, u8, u8, bool, u8),
    /// A send of one page that stops half way.
    Begin(u8, u8),
    Abandon(usize),
    /// Who, and whether it is to be zeroed afterwards.
    Retrieve(usize, u8, bool),
    Told(usize),
    Relinquish(usize, u8, bool),
    Reclaim(usize, u8),
    Buffer(u8, u8),
    Unbuffer(u8, u8),
    End(u8),
}

const PAGES: u8 = 3;

fn address(page: u8) -> u64 {
    0x1000 * (4 + u64::from(page))
}

fn party_id(party: u8) -> EndpointId {
    EndpointId(if party == 0 {
        1
    } else {
        0x8000 + u16::from(party)
    })
}

/// All calls that there are for these three endpoints.
pub fn calls(parties: [u8; 3], buffers: bool) -> Vec<Call> {
    let mut calls = Vec::new();
    for sender in parties {
        let others = parties.into_iter().filter(|it| *it != sender);
        let others: Vec<_> = others.map(|it| 1u8 << it).collect();
        // To the normal world nothing is given.
        let single: Vec<_> = others.iter().copied().filter(|it| *it != 1).collect();
        for pages in 1..1u8 << PAGES {
            for to in &single {
                calls.push(Call::Send(Donate, sender, *to, true, pages));
                for kind in [Share, Lend] {
                    calls.push(Call::Send(kind, sender, *to, true, pages));
                }
            }
            if single.len() == 2 {
                calls.push(Call::Send(Lend, sender, single[0] | single[1], true, pages));
                calls.push(Call::Send(
                    Share,
                    sender,
                    single[0] | single[1],
                    false,
                    pages,
                ));
            }
        }
        if buffers {
            calls.push(Call::Begin(sender, single[0]));
            for page in 0..PAGES {
                calls.push(Call::Buffer(sender, page));
                calls.push(Call::Unbuffer(sender, page));
            }
        }
        for handle in 0..2 {
            if sender != 0 {
                calls.push(Call::Retrieve(handle, sender, false));
                calls.push(Call::Retrieve(handle, sender, true));
                calls.push(Call::Relinquish(handle, sender, false));
                calls.push(Call::Relinquish(handle, sender, true));
            }
            calls.push(Call::Reclaim(handle, sender));
        }
        calls.push(Call::End(sender));
    }
    for handle in 0..2 {
        calls.push(Call::Told(handle));
        if buffers {
            calls.push(Call::Abandon(handle));
        }
    }
    calls
}

impl State {
    pub fn new(owners: [u8; 3]) -> Self {
        let mut state = Self {
            map: Tiny::new(Side::Spmc),
            machine: Machine::default(),
            dead: [false; 4],
        };
        for (page, owner) in (0..PAGES).zip(owners) {
            let region = Region {
                // Pages that the normal world owns, or could.
                normal_world: owners.contains(&0),
                ..region(address(page), 1)
            };
            state.map.add_region(Party(owner), region).unwrap();
            state.machine.add(Party(owner), &region);
        }
        state
    }

    /// The handles, the oldest first. A third one is never made.
    fn handle(&self, number: usize) -> Option<Handle> {
        let mut handles: Vec<_> = self.map.transactions().map(|it| it.handle()).collect();
        handles.sort_unstable_by_key(|it| it.0 >> 16);
        handles.get(number).copied()
    }

    /// `None`: the call makes no sense here.
    pub fn call(&mut self, call: Call) -> Option<Result<(), FfaError>> {
        let dead = self.dead;
        let lives = |party: u8| (!dead[usize::from(party)]).then_some(Party(party));
        let machine = &mut self.machine;
        Some(match call {
            Call::Send(kind, sender, to, write, pages) => {
                let owner = lives(sender)?;
                self.sends(kind, owner, to, write, pages)?
            }
            Call::Begin(sender, to) => {
                let owner = lives(sender)?;
                let send = self.send(Lend, owner, to, true, 1)?;
                self.map.begin(owner, &send).map(|_| ())
            }
            Call::Abandon(handle) => {
                let handle = self.handle(handle)?;
                self.map.abandon(handle);
                Ok(())
            }
            Call::Retrieve(handle, who, zero) => {
                let who = lives(who)?;
                let handle = self.handle(handle)?;
                let mut request = wish(self.map.find(handle)?, party_id(who.0));
                let after = TransactionFlags::ZERO_AFTER_RELINQUISH;
                request.flags.set(after, zero);
                // Counting is bounded here.
                let it = self.map.find(handle)?;
                if it.receivers().iter().any(|it| it.retrievals() == 2) {
                    return None;
                }
                self.map
                    .retrieve(who, &request, &mut self.machine)
                    .map(|_| ())
            }
            Call::Told(handle) => {
                let handle = self.handle(handle)?;
                self.map.told(handle);
                Ok(())
            }
            Call::Relinquish(handle, who, zero) => {
                let who = lives(who)?;
                let mut flags = RelinquishFlags::empty();
                flags.set(RelinquishFlags::ZERO, zero);
                let handle = self.handle(handle)?;
                let machine = &mut self.machine;
                self.map
                    .relinquish(who, party_id(who.0), handle, flags, machine)
            }
            Call::Reclaim(handle, who) => {
                let who = lives(who)?;
                let handle = self.handle(handle)?;
                let none = ReclaimFlags::empty();
                self.map.reclaim(who, handle, none, &mut self.machine)
            }
            Call::Buffer(who, page) => {
                let page = Pages::new(address(page), 1)?;
                self.map.take_buffer(lives(who)?, page)
            }
            Call::Unbuffer(who, page) => {
                let page = Pages::new(address(page), 1)?;
                self.map.free_buffer(lives(who)?, page);
                Ok(())
            }
            Call::End(who) => {
                let party = lives(who)?;
                let remains = self.map.ended(party, party_id(who), machine);
                assert!(!remains.mapped);
                self.dead[usize::from(who)] = true;
                Ok(())
            }
        })
    }

    fn send(
        &self,
        kind: TransactionKind,
        owner: Party,
        to: u8,
        write: bool,
        pages: u8,
    ) -> Option<Send> {
        if self.map.transactions().count() == 2 {
            return None;
        }
        let data = match (kind, write) {
            (Donate, _) => DataAccess::Unspecified,
            (_, true) => ReadWrite,
            (_, false) => ReadOnly,
        };
        let receivers = (0..4).filter(|party| to & 1 << party != 0);
        let receivers = receivers.map(|party| Receiver {
            endpoint: party_id(party),
            party: Some(Party(party)),
            data,
            instruction: InstructionAccess::Unspecified,
            flags: AccessFlags::empty(),
            implementation: None,
        });
        Some(Send {
            kind,
            sender: party_id(owner.0),
            attributes: Attributes(3),
            flags: TransactionFlags::empty(),
            tag: 0,
            receivers: receivers.collect(),
            pages: pages.count_ones(),
            count: pages.count_ones(),
        })
    }

    fn sends(
        &mut self,
        kind: TransactionKind,
        owner: Party,
        to: u8,
        write: bool,
        pages: u8,
    ) -> Option<Result<(), FfaError>> {
        let send = self.send(kind, owner, to, write, pages)?;
        let parts = (0..PAGES).rev().filter(|page| pages & 1 << page != 0);
        let parts: Vec<_> = parts.map(|page| (address(page), 1)).collect();
        let handle = match self.map.begin(owner, &send) {
            Ok(handle) => handle,
            Err(error) => return Some(Err(error)),
        };
        let bytes = bytes(&parts);
        self.map.extend(handle, Constituents::new(&bytes)).unwrap();
        Some(self.map.seal(handle, &mut self.machine))
    }

    /// What there is to tell of a state, without the numbers of handles.
    pub fn key(&self) -> Vec<u8> {
        let mut deals: Vec<Vec<u8>> = Vec::new();
        for it in self.map.transactions() {
            let mut deal = vec![
                it.kind() as u8,
                it.owner().0,
                u8::from(it.complete()) | u8::from(it.donated()) << 1 | u8::from(it.orphan()) << 2,
            ];
            for borrower in it.receivers() {
                let (data, _) = borrower.granted();
                let party = borrower.receiver().party.unwrap().0;
                deal.extend([party, borrower.retrievals(), data as u8]);
                deal.extend([borrower.receiver().data as u8, u8::from(borrower.zeroes())]);
            }
            deal.push(u8::from(it.zeroes()));
            deal.extend(
                self.map
                    .pieces(it.handle())
                    .map(|it| (it.base / PAGE) as u8),
            );
            deals.push(deal);
        }
        deals.sort_unstable();
        let mut key: Vec<u8> = deals
            .into_iter()
            .flat_map(|it| [it, vec![0xff]].concat())
            .collect();
        for ((party, page), sight) in &self.machine.sees {
            let bits = u8::from(sight.write) | u8::from(sight.execute) << 1;
            key.extend([
                party.0,
                (*page / PAGE) as u8,
                bits | u8::from(sight.hidden) << 2,
            ]);
        }
        for party in 0..4 {
            key.push(0xfe);
            key.push(u8::from(self.dead[usize::from(party)]));
            for region in self.map.regions_of(Party(party)) {
                let (base, count) = (region.pages.base / PAGE, region.pages.count);
                let exclusive = |page: u64| {
                    let page = Pages::new((base + page) * PAGE, 1).unwrap();
                    self.map.exclusive(Party(party), page).is_some()
                };
                key.extend([base as u8, count as u8, u8::from(region.execute)]);
                key.extend((0..count).map(|page| u8::from(exclusive(page))));
            }
        }
        key
    }

    /// What holds in every state, said by pages: of what everybody sees, and why.
    pub fn holds(&self) -> Result<(), String> {
        self.map.check().map_err(|fault| fault.to_string())?;
        for page in (0..PAGES).map(address) {
            let who = (0..4).map(Party);
            let owners = who.clone().filter(|who| {
                let mut regions = self.map.regions_of(*who);
                regions.any(|it| it.pages.base <= page && page < it.pages.end())
            });
            let owners: Vec<_> = owners.collect();
            let [owner] = owners[..] else {
                return Err(format!("{page:#x} is owned by {owners:?}"));
            };
            let with = |it: &&ffa_abi::sharing::Transaction| {
                let has = |pages: Pages| pages.base <= page && page < pages.end();
                it.complete() && !it.donated() && self.map.pieces(it.handle()).any(has)
            };
            let deals: Vec<_> = self.map.transactions().filter(with).collect();
            if deals.len() > 1 {
                return Err(format!("{page:#x} is in two transactions"));
            }
            for party in who {
                let sees = self.machine.sight(party, page);
                let by_handle = deals.iter().flat_map(|it| it.receivers()).any(|borrower| {
                    borrower.receiver().party == Some(party) && borrower.retrievals() != 0
                });
                let hidden = deals.iter().any(|it| it.kind() != Share);
                let wanted = if party == owner { !hidden } else { by_handle };
                if sees.is_some() != wanted {
                    return Err(format!("{party:?} sees {page:#x}: {sees:?}"));
                }
            }
        }
        Ok(())
    }
}
