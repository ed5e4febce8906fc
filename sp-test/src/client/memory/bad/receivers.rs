//! Sends to receivers that there are not, or that may not have it.

use super::sends::borrower;
use super::{Check, Deal, Party, Suite, offer};
use crate::abi::{self, DENIED, INVALID_PARAMETERS};
use crate::memory::Kind;
use crate::memory::descriptor::{Access, Form, permissions};

/// What is wrong with the receivers, of whom the first is a partition.
struct Row {
    name: &'static str,
    deals: &'static [Deal],
    fits: fn(&Party) -> bool,
    change: fn(&mut Form, &Party),
    error: i32,
}

const fn row(
    name: &'static str,
    deals: &'static [Deal],
    error: i32,
    change: fn(&mut Form, &Party),
) -> Row {
    Row {
        name,
        deals,
        fits: |_| true,
        change,
        error,
    }
}

/// A VM's id that a hypervisor may have given.
const A_VM: u16 = 5;
/// A partition's that nobody has.
const NOBODY: u16 = 0x8042;

fn is(form: &mut Form, id: u16) {
    if let Some(access) = form.receivers.first_mut() {
        access.endpoint = id;
    }
}

fn and(form: &mut Form, id: u16) {
    let permissions = form
        .receivers
        .first()
        .map_or(permissions::RW, |access| access.permissions);
    // Two want a memory type.
    form.attributes = crate::memory::descriptor::NORMAL;
    form.receivers.push(Access {
        endpoint: id,
        permissions,
        ..Access::default()
    });
}

fn hypervisor(party: &Party) -> bool {
    party.who.kind == Kind::Hypervisor
}

fn confined(party: &Party) -> bool {
    party.who.is_confined()
}

const LOANS: &[Deal] = &Deal::LOANS;
const ALL: &[Deal] = &Deal::ALL;
const INVALID: i32 = INVALID_PARAMETERS;

const ROWS: &[Row] = &[
    row("9_donation_to_two", &[Deal::Donate], INVALID, |form, _| {
        and(form, crate::memory::V12.id);
        form.attributes = 0;
    }),
    row("10_nobody", ALL, INVALID, |form, _| is(form, NOBODY)),
    row("10_the_spmc", ALL, INVALID, |form, _| is(form, abi::SPMC)),
    row("10_the_spmd", ALL, INVALID, |form, _| is(form, abi::SPMD)),
    row("10_nobody_beside_a_partition", LOANS, INVALID, |form, _| {
        and(form, NOBODY)
    }),
    Row {
        fits: confined,
        ..row("10_the_sender", ALL, INVALID, |form, lender| {
            is(form, lender.who.id)
        })
    },
    Row {
        fits: confined,
        ..row(
            "10_the_sender_beside_a_partition",
            LOANS,
            INVALID,
            |form, lender| {
                and(form, lender.who.id);
            },
        )
    },
    Row {
        fits: hypervisor,
        ..row("11_a_vm", ALL, DENIED, |form, _| is(form, A_VM))
    },
    Row {
        fits: hypervisor,
        ..row(
            "11_a_vm_beside_a_partition",
            &[Deal::Lend],
            DENIED,
            |form, _| and(form, A_VM),
        )
    },
    Row {
        fits: |party| party.who.is_partition(),
        ..row("11_a_vm_beside_a_partition", LOANS, DENIED, |form, _| {
            and(form, A_VM)
        })
    },
    row("16_twice", LOANS, INVALID, |form, _| {
        let id = form.receivers.first().map_or(0, |access| access.endpoint);
        and(form, id);
    }),
];

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    for lender in suite.everybody().iter() {
        for row in ROWS.iter().filter(|row| (row.fits)(lender)) {
            for deal in row.deals {
                let name = format_args!("send/{}/{}/{}", lender.who.name, row.name, deal.name());
                suite.named(name, |suite| refused(suite, lender, row, *deal));
            }
        }
        suite.named(
            format_args!("send/{}/7_two_regions", lender.who.name),
            |suite| two_regions(suite, lender),
        );
    }
}

fn refused(suite: &Suite, lender: &Party, row: &Row, deal: Deal) -> Check {
    let borrower = borrower(suite, lender);
    let all = suite.pages(lender, 1);
    let mut form = offer(deal, lender, &[borrower], &[all]);
    (row.change)(&mut form, lender);
    suite
        .try_send(lender, deal, &form)?
        .refused(lender, deal.name(), row.error)?;
    suite.nothing_left(lender, &borrower, &[all])
}

/// Each of two receivers has a region of its own.
fn two_regions(suite: &Suite, lender: &Party) -> Check {
    let borrower = borrower(suite, lender);
    let all = suite.pages(lender, 2);
    let [.., other, _] = suite.partitions();
    let second = if other.who.id == lender.who.id {
        suite.partitions()[0]
    } else {
        other
    };
    let form = offer(Deal::Share, lender, &[borrower, second], &[all]);
    let mut block = form.write();
    let offset = form.region_offset() + 16;
    block.put(form.layout.receiver(1) + 4, 4, offset.into());
    suite
        .submit(lender, Deal::Share, &block, form.total())?
        .refused(lender, "share", INVALID_PARAMETERS)?;
    suite.nothing_left(lender, &borrower, &[all])
}
