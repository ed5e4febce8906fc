//! A device of a partition's, by its manifest: lent to one borrower at a time, and nothing else.

use super::{Check, Deal, Party, Range, Suite, offer, request};
use crate::abi::{DENIED, MEM_RETRIEVE_RESP};
use crate::board::{self, BOARD};
use crate::memory::descriptor::{DEVICE, Form};

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    type Case = fn(&Suite, &Party, &Party) -> Check;
    let cases: [(&str, Case); 6] = [
        ("lend", lend),
        ("lend_twice", twice),
        ("lend_to_two", |suite, owner, borrower| {
            let [one, ..] = suite.partitions();
            let mut form = offer(Deal::Lend, owner, &[one, *borrower], &[page()]);
            form.attributes = DEVICE;
            denied(suite, Deal::Lend, owner, &form)
        }),
        ("share", |suite, owner, borrower| {
            let mut form = offer(Deal::Share, owner, &[*borrower], &[page()]);
            denied(suite, Deal::Share, owner, &form)?;
            form.attributes = DEVICE;
            denied(suite, Deal::Share, owner, &form)
        }),
        ("donate", |suite, owner, borrower| {
            let form = offer(Deal::Donate, owner, &[*borrower], &[page()]);
            denied(suite, Deal::Donate, owner, &form)
        }),
        ("with_normal_memory", |suite, owner, borrower| {
            let normal = suite.pages(owner, 1);
            for ranges in [[page(), normal], [normal, page()]] {
                let form = offer(Deal::Lend, owner, &[*borrower], &ranges);
                denied(suite, Deal::Lend, owner, &form)?;
            }
            suite.nothing_left(owner, borrower, &[normal])
        }),
    ];
    for (name, case) in cases {
        suite.named(format_args!("device/{name}"), |suite| {
            let [_, _, owner, borrower] = suite.partitions();
            case(suite, &owner, &borrower)?;
            // It can still be lent.
            lend(suite, &owner, &borrower)
        });
    }
}

fn page() -> Range {
    Range {
        base: board::DEVICE,
        pages: 1,
    }
}

fn denied(suite: &Suite, deal: Deal, owner: &Party, form: &Form) -> Check {
    suite
        .try_send(owner, deal, form)?
        .refused(owner, deal.name(), DENIED)
}

/// This party sees the device.
fn sees(party: &Party) -> Check {
    for (offset, value) in BOARD.identification {
        party.equal(
            "a device's register",
            party.register(board::DEVICE + offset)?,
            *value,
        )?;
    }
    Ok(())
}

fn lend(suite: &Suite, owner: &Party, borrower: &Party) -> Check {
    sees(owner)?;
    borrower.cannot_reach_device(board::DEVICE)?;
    let form = offer(Deal::Lend, owner, &[*borrower], &[page()]);
    let handle = suite.send(owner, Deal::Lend, &form)?;
    owner.cannot_reach_device(board::DEVICE)?;
    let mut asked = request(Deal::Lend, &form, handle, borrower);
    // As normal memory it is not to be had.
    suite.try_retrieve(borrower, &asked)?.refused(
        borrower,
        "retrieve of a device as memory",
        DENIED,
    )?;
    asked.attributes = DEVICE;
    let answer = suite.try_retrieve(borrower, &asked)?;
    answer.is(borrower, "retrieve", MEM_RETRIEVE_RESP)?;
    let got = suite.response(borrower, &answer)?;
    suite.release(borrower)?;
    borrower.equal(
        "attributes in a response",
        got.attributes.into(),
        DEVICE.into(),
    )?;
    sees(borrower)?;
    suite.relinquish(borrower, handle)?;
    borrower.cannot_reach_device(board::DEVICE)?;
    suite.reclaim(owner, handle)?;
    sees(owner)
}

fn twice(suite: &Suite, owner: &Party, borrower: &Party) -> Check {
    let form = offer(Deal::Lend, owner, &[*borrower], &[page()]);
    let handle = suite.send(owner, Deal::Lend, &form)?;
    denied(suite, Deal::Lend, owner, &form)?;
    let [other, ..] = suite.partitions();
    denied(
        suite,
        Deal::Lend,
        owner,
        &offer(Deal::Lend, owner, &[other], &[page()]),
    )?;
    suite.reclaim(owner, handle)
}
