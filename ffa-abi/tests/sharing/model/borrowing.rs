//! The reference, second part: who borrows, gives back and ends.

use super::naive::{Answer, Has, NOTHING, Naive};
use crate::rig::*;
use ffa_abi::{
    EndpointId,
    memory::{Handle, TransactionFlags},
    sharing::{Party, Receiver, Retrieve},
};

impl Naive {
    pub fn retrieve(&mut self, who: usize, request: &Retrieve) -> Answer {
        let at = self.deal(request.handle).ok_or(InvalidParameters)?;
        let deal = self.deals[at].clone().unwrap();
        if !deal.sealed || deal.donated {
            return Err(InvalidParameters);
        }
        let memory = self.pages[self.pages_of(at)[0]];
        let (granted, mut broken) = super::rows::broken(&deal, &memory, who, request);
        broken.sort_by_key(|it| it.0);
        if let Some((_, error)) = broken.first() {
            return Err(*error);
        }
        let (mine, data, instruction) = granted.unwrap();
        if deal.has[mine].times == 0 {
            self.tables()?;
        }
        let first = !deal.held();
        for number in self.pages_of(at) {
            let page = &mut self.pages[number];
            let (write, execute) = (data == ReadWrite, instruction == Executable);
            if deal.send.kind == Donate {
                page.owner = Some(who);
                (page.write, page.execute) = (write, execute);
                (page.given, page.hidden) = (None, false);
            } else {
                page.borrowed[who] = Some((write, execute));
            }
            if request.flags.contains(TransactionFlags::ZERO) && first {
                page.content = 0;
            }
        }
        let deal = self.deals[at].as_mut().unwrap();
        deal.donated = deal.send.kind == Donate;
        let has = &mut deal.has[mine];
        has.times += u8::from(!deal.donated);
        (has.data, has.instruction) = (data, instruction);
        let after = TransactionFlags::ZERO_AFTER_RELINQUISH;
        has.zero_after |= request.flags.contains(after);
        Ok(())
    }

    pub fn relinquish(
        &mut self,
        who: usize,
        endpoint: EndpointId,
        handle: Handle,
        bits: u32,
    ) -> Answer {
        let at = self.deal(handle).ok_or(InvalidParameters)?;
        let deal = self.deals[at].clone().unwrap();
        let mine = deal.receiver(who, endpoint).ok_or(InvalidParameters)?;
        let zero = bits & 1 != 0;
        let share = deal.send.kind == Share;
        if bits > 1 || !deal.sealed || deal.has[mine].times == 0 || (zero && share) {
            return Err(InvalidParameters);
        }
        let device = self.pages[self.pages_of(at)[0]].device;
        if zero && (deal.has[mine].data != ReadWrite || device) {
            return Err(Denied);
        }
        if deal.has[mine].times == 1 {
            self.tables()?;
        }
        self.deals[at].as_mut().unwrap().zero |= zero;
        self.gives_back(at, who, mine, 1);
        Ok(())
    }

    fn gives_back(&mut self, at: usize, who: usize, mine: usize, times: u8) {
        let deal = self.deals[at].as_mut().unwrap();
        deal.has[mine].times -= times;
        if deal.has[mine].times == 0 {
            deal.zero |= deal.has[mine].zero_after;
            deal.has[mine] = NOTHING;
            let others = deal.send.receivers.iter().zip(&deal.has);
            let same_party =
                |(it, has): (&Receiver, &Has)| it.party == Some(Party(who as u8)) && has.times != 0;
            if !others.into_iter().any(same_party) {
                for page in self.pages_of(at) {
                    self.pages[page].borrowed[who] = None;
                }
            }
        }
        let deal = self.deals[at].clone().unwrap();
        if deal.held() {
            return;
        }
        if deal.zero || deal.orphan {
            let memory = self.pages[self.pages_of(at)[0]];
            if !memory.device && memory.write {
                self.zero(at);
            }
            self.deals[at].as_mut().unwrap().zero = false;
        }
        if deal.orphan {
            self.take_back(at);
        }
    }

    fn take_back(&mut self, at: usize) {
        for page in self.pages_of(at) {
            (self.pages[page].given, self.pages[page].hidden) = (None, false);
        }
        self.deals[at] = None;
    }

    pub fn reclaim(&mut self, owner: usize, handle: Handle, bits: u32) -> Answer {
        let at = self.deal(handle).ok_or(InvalidParameters)?;
        let deal = self.deals[at].clone().unwrap();
        if bits > 1 || !deal.sealed || deal.donated || deal.owner != owner {
            return Err(InvalidParameters);
        }
        let memory = self.pages[self.pages_of(at)[0]];
        if deal.held() || (bits == 1 && (memory.device || !memory.write)) {
            return Err(Denied);
        }
        if bits == 1 {
            self.zero(at);
        }
        self.take_back(at);
        Ok(())
    }

    pub fn ended(&mut self, who: usize, endpoint: EndpointId) -> bool {
        for at in 0..self.deals.len() {
            let Some(deal) = self.deals[at].clone() else {
                continue;
            };
            if let Some(mine) = deal.receiver(who, endpoint)
                && deal.has[mine].times != 0
            {
                self.gives_back(at, who, mine, deal.has[mine].times);
            }
        }
        let mut lent = false;
        for at in 0..self.deals.len() {
            let Some(deal) = self.deals[at].clone() else {
                continue;
            };
            let owns = deal.owner == who && deal.send.sender == endpoint;
            let told = deal.donated && (owns || deal.receiver(who, endpoint).is_some());
            if told || (owns && !deal.sealed) {
                self.deals[at] = None;
            } else if owns && !deal.donated {
                if deal.held() {
                    self.deals[at].as_mut().unwrap().orphan = true;
                    lent = true;
                } else {
                    self.take_back(at);
                }
            }
        }
        lent
    }
}
