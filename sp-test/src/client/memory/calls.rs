//! The calls of a transaction, each as a party makes it.

use super::{Answer, Check, Deal, Party, Range, Suite, Wrong, fits, offer, request, unreadable};
use crate::abi;
use crate::memory::block::Block;
use crate::memory::descriptor::{Form, Layout};

impl Suite {
    /// Sends what is in the block: its first fragment, of `total` bytes.
    pub(super) fn submit(
        &self,
        lender: &Party,
        deal: Deal,
        block: &Block,
        total: u32,
    ) -> Result<Answer, Wrong> {
        lender.put(lender.who.tx(), block)?;
        let id = wide(deal.id(), total.wrapping_add(block.length) / 16);
        let answer = lender.call(id, &[total.into(), block.length.into()])?;
        if let Ok(handle) = answer.handle(lender, "") {
            self.open.borrow_mut().push(handle);
        }
        Ok(answer)
    }

    /// Sends a descriptor that fits in one fragment.
    pub(super) fn try_send(
        &self,
        lender: &Party,
        deal: Deal,
        form: &Form,
    ) -> Result<Answer, Wrong> {
        self.submit(lender, deal, &form.write(), form.total())
    }

    /// The same, with success; gives the handle.
    pub(super) fn send(&self, lender: &Party, deal: Deal, form: &Form) -> Result<u64, Wrong> {
        self.try_send(lender, deal, form)?
            .handle(lender, deal.name())
    }

    /// Makes a retrieve request of what is in the block.
    pub(super) fn ask_for(&self, borrower: &Party, block: &Block) -> Result<Answer, Wrong> {
        borrower.put(borrower.who.tx(), block)?;
        let id = wide(abi::MEM_RETRIEVE_REQ, block.length / 16);
        borrower.call(id, &[block.length.into(), block.length.into()])
    }

    /// The same of a form.
    pub(super) fn try_retrieve(&self, borrower: &Party, form: &Form) -> Result<Answer, Wrong> {
        self.ask_for(borrower, &form.write())
    }

    /// The same, with success, and a response that fits in RX; gives that.
    pub(super) fn retrieve(&self, borrower: &Party, form: &Form) -> Result<Form, Wrong> {
        let answer = self.try_retrieve(borrower, form)?;
        let got = self.response(borrower, &answer)?;
        self.release(borrower)?;
        Ok(got)
    }

    /// The response that RX holds, all of it in one fragment.
    pub(super) fn response(&self, borrower: &Party, answer: &Answer) -> Result<Form, Wrong> {
        let [x0, total, fragment, x3, x4] = answer.x;
        if x0 as u32 != abi::MEM_RETRIEVE_RESP {
            let got = answer.error().map_or(x0, abi::code);
            return Err(borrower.wrong("retrieve", got, abi::MEM_RETRIEVE_RESP.into()));
        }
        borrower.equal("x3, x4 of a response", x3 | x4, 0)?;
        borrower.equal("first fragment of a response", fragment, total)?;
        let block = borrower.get(borrower.who.rx(), fragment as u32)?;
        let layout = Layout::of(borrower.who.version);
        let got = Form::read(layout, &block).ok_or_else(|| unreadable(borrower))?;
        borrower.equal("bytes of a response", total, got.total().into())?;
        // Nothing else is left there.
        let tail = borrower.get(borrower.who.rx() + u64::from(fragment as u32), 64)?;
        for word in tail.words() {
            borrower.equal("RX behind a response", *word, 0)?;
        }
        Ok(got)
    }

    /// Releases RX.
    pub(super) fn release(&self, party: &Party) -> Check {
        party
            .call(abi::RX_RELEASE, &[])?
            .done(party, "FFA_RX_RELEASE")
    }

    /// Retrieves what was offered as it usually is, and looks at the response.
    pub(super) fn take(&self, deal: Deal, form: &Form, handle: u64, borrower: &Party) -> Check {
        self.take_as(form, &request(deal, form, handle, borrower), borrower)
    }

    /// The same by this request.
    pub(super) fn take_as(&self, form: &Form, asked: &Form, borrower: &Party) -> Check {
        let got = self.retrieve(borrower, asked)?;
        fits(&got, asked, form, borrower)
    }

    /// Gives back what is in the block.
    pub(super) fn give_back(&self, borrower: &Party, block: &Block) -> Result<Answer, Wrong> {
        borrower.put(borrower.who.tx(), block)?;
        borrower.call(abi::MEM_RELINQUISH, &[])
    }

    /// Gives a handle back with these flags.
    pub(super) fn try_relinquish(
        &self,
        borrower: &Party,
        handle: u64,
        flags: u32,
    ) -> Result<Answer, Wrong> {
        self.give_back(borrower, &relinquishment(borrower, handle, flags))
    }

    /// The same, with success and no flags.
    pub(super) fn relinquish(&self, borrower: &Party, handle: u64) -> Check {
        self.try_relinquish(borrower, handle, 0)?
            .done(borrower, "relinquish")
    }

    /// Takes a handle's memory back.
    pub(super) fn try_reclaim(
        &self,
        lender: &Party,
        handle: u64,
        flags: u32,
    ) -> Result<Answer, Wrong> {
        let arguments = [handle & 0xffff_ffff, handle >> 32, flags.into()];
        lender.call(abi::MEM_RECLAIM, &arguments)
    }

    /// The same, with success and no flags.
    pub(super) fn reclaim(&self, lender: &Party, handle: u64) -> Check {
        self.try_reclaim(lender, handle, 0)?.done(lender, "reclaim")
    }

    /// These pages can be given away at once, and come back: nothing is left of what was before.
    pub(super) fn nothing_left(&self, lender: &Party, borrower: &Party, ranges: &[Range]) -> Check {
        let form = offer(Deal::Share, lender, &[*borrower], ranges);
        let handle = self.send(lender, Deal::Share, &form)?;
        self.take(Deal::Share, &form, handle, borrower)?;
        self.relinquish(borrower, handle)?;
        self.reclaim(lender, handle)
    }
}

/// A relinquish descriptor.
pub(super) fn relinquishment(borrower: &Party, handle: u64, flags: u32) -> Block {
    let mut block = Block::new();
    block.put(0, 8, handle);
    block.put(8, 4, flags.into());
    block.put(12, 4, 1);
    block.put(16, 2, borrower.who.id.into());
    block.length = 18;
    block
}

/// Both forms of a call in turn.
const fn wide(id: u32, turn: u32) -> u32 {
    id | (turn & 1) << 30
}
