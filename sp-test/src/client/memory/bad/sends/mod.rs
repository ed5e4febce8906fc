//! Sends that are refused before anything is looked at but the descriptor and the pages.

mod rows;

use super::{Check, Deal, PAGE, Party, Suite, offer};
use crate::abi::{self, DENIED, INVALID_PARAMETERS};
use crate::memory::block::Block;
use crate::memory::descriptor::{Form, flags, permissions};
use Deal::{Donate, Lend, Share};
use rows::{ROWS, WITH_VALUES, first, has_values, range};

/// A send that is refused: what is wrong with it.
pub(super) struct Row {
    /// The row in the table, and what it is about.
    pub name: &'static str,
    /// The kind of transaction.
    pub deal: Deal,
    /// Whom it fits.
    pub fits: fn(&Party) -> bool,
    /// What is wrong with the descriptor.
    pub form: fn(&mut Form),
    /// What is wrong with its bytes.
    pub bytes: fn(&mut Block, &Form),
    /// What is wrong with w1-w4, which were the lengths and zero.
    pub registers: fn(&mut [u64; 4], &Party),
    /// The error.
    pub error: i32,
}

impl Row {
    /// A row with nothing wrong yet.
    pub const fn new(name: &'static str, deal: Deal, error: i32) -> Self {
        Self {
            name,
            deal,
            fits: |_| true,
            form: |_| {},
            bytes: |_, _| {},
            registers: |_, _| {},
            error,
        }
    }

    /// Wrong in the descriptor.
    pub const fn form(name: &'static str, deal: Deal, error: i32, form: fn(&mut Form)) -> Self {
        Self {
            form,
            ..Self::new(name, deal, error)
        }
    }

    /// Wrong in its bytes.
    pub const fn bytes(name: &'static str, deal: Deal, bytes: fn(&mut Block, &Form)) -> Self {
        Self {
            bytes,
            ..Self::new(name, deal, INVALID_PARAMETERS)
        }
    }

    /// Wrong in registers.
    pub const fn registers(
        name: &'static str,
        deal: Deal,
        registers: fn(&mut [u64; 4], &Party),
    ) -> Self {
        Self {
            registers,
            ..Self::new(name, deal, INVALID_PARAMETERS)
        }
    }

    /// Only for these.
    pub const fn only(self, fits: fn(&Party) -> bool) -> Self {
        Self { fits, ..self }
    }
}

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    for lender in suite.everybody().iter() {
        let rows = ROWS.iter().filter(|row| (row.fits)(lender));
        for row in rows {
            suite.named(
                format_args!("send/{}/{}", lender.who.name, row.name),
                |suite| refused(suite, lender, row),
            );
        }
        for row in WITH_VALUES.iter().filter(|_| has_values(lender)) {
            suite.named(
                format_args!("send/{}/{}", lender.who.name, row.name),
                |suite| refused(suite, lender, row),
            );
        }
        suite.named(
            format_args!("send/{}/3_no_buffers", lender.who.name),
            |suite| no_buffers(suite, lender),
        );
        if lender.who.is_partition() {
            suite.named(
                format_args!("send/{}/24_27_28_what_is_read_only", lender.who.name),
                |suite| read_only(suite, lender),
            );
        }
    }
}

/// A partition that is not the lender.
pub(super) fn borrower(suite: &Suite, lender: &Party) -> Party {
    let [_, one, _, other] = suite.partitions();
    if lender.who.id == one.who.id {
        other
    } else {
        one
    }
}

/// Two pages in two constituents, and what a row makes of it.
pub(super) fn refused(suite: &Suite, lender: &Party, row: &Row) -> Check {
    let borrower = borrower(suite, lender);
    let all = suite.pages(lender, 2);
    let good = [range(all.base, 1), range(all.base + PAGE, 1)];
    let mut form = offer(row.deal, lender, &[borrower], &good);
    (row.form)(&mut form);
    let mut block = form.write();
    (row.bytes)(&mut block, &form);
    lender.put(lender.who.tx(), &block)?;
    let mut w = [form.total().into(), block.length.into(), 0, 0];
    (row.registers)(&mut w, lender);
    // Both forms of the call.
    for id in [row.deal.id(), row.deal.id() | abi::WIDE] {
        let answer = lender.call(id, &w)?;
        if let Ok(handle) = answer.handle(lender, "") {
            suite.open.borrow_mut().push(handle);
        }
        answer.refused(lender, row.deal.name(), row.error)?;
    }
    suite.nothing_left(lender, &borrower, &good)
}

fn no_buffers(suite: &Suite, lender: &Party) -> Check {
    let who = lender.who;
    let borrower = borrower(suite, lender);
    let all = suite.pages(lender, 1);
    let form = offer(Share, lender, &[borrower], &[all]);
    lender
        .call(abi::RXTX_UNMAP, &[])?
        .done(lender, "FFA_RXTX_UNMAP")?;
    let sent = suite.try_send(lender, Share, &form)?;
    let taken = suite.try_retrieve(
        lender,
        &Form {
            handle: 1,
            region: None,
            ..form
        },
    )?;
    let given = suite.try_relinquish(lender, 1, 0)?;
    lender
        .call(abi::RXTX_MAP_64, &[who.tx(), who.rx(), who.buffers])?
        .done(lender, "FFA_RXTX_MAP")?;
    sent.refused(lender, "share", INVALID_PARAMETERS)?;
    taken.refused(lender, "retrieve", INVALID_PARAMETERS)?;
    given.refused(lender, "relinquish", INVALID_PARAMETERS)?;
    suite.nothing_left(lender, &borrower, &[all])
}

/// What an owner may only read it can't have zeroed, nor let others write.
fn read_only(suite: &Suite, lender: &Party) -> Check {
    let borrower = borrower(suite, lender);
    let all = range(lender.who.read_only(), 2);
    for deal in [Share, Lend] {
        let form = offer(deal, lender, &[borrower], &[all]);
        suite
            .try_send(lender, deal, &form)?
            .refused(lender, "28_read_write", DENIED)?;
    }
    for deal in [Lend, Donate] {
        let mut form = offer(deal, lender, &[borrower], &[all]);
        form.flags = flags::ZERO;
        if deal == Lend {
            first(&mut form, permissions::RO);
        }
        suite
            .try_send(lender, deal, &form)?
            .refused(lender, "27_zero", DENIED)?;
    }
    // Beside what it may write it is of another kind.
    let own = suite.pages(lender, 1);
    for ranges in [[own, all], [all, own]] {
        let mut form = offer(Share, lender, &[borrower], &ranges);
        first(&mut form, permissions::RO);
        suite
            .try_send(lender, Share, &form)?
            .refused(lender, "24_pages_of_two_kinds", DENIED)?;
    }
    suite.nothing_left(lender, &borrower, &[own])?;
    lender.only_reads(all)
}
