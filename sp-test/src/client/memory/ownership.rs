//! Whose memory is whose: what nobody may give away that is not its owner alone, and to whom.

use super::{Check, Deal, PAGE, Party, Range, Suite, Wrong, offer, request};
use crate::abi::{self, DENIED, INVALID_PARAMETERS};
use crate::board::{self, place};
use crate::memory::descriptor::{NON_SECURE, Range as Pages};
use crate::memory::{NORMAL, V12};

const SEED: u64 = 0x800;

/// Memory that is not the normal world's.
const NOT_THE_NORMAL_WORLDS: [(&str, u64); 9] = [
    ("the_spmc", place(0x0e10_0000)),
    ("end_of_the_spmc", place(0x0e2f_f000)),
    ("bl31", place(0x0e0a_0000)),
    ("a_partition", V12.base),
    ("spare_memory_of_a_partition", V12.base + 0x8_0000),
    ("a_partitions_memory_of_the_normal_world", NORMAL),
    ("secure_memory_of_nobody", place(0x0ef0_0000)),
    ("a_secure_device", board::DEVICE),
    ("nothing", place(0x0b00_0000)),
];

/// Memory that is not a partition's.
const NOT_A_PARTITIONS: [(&str, u64); 8] = [
    ("the_spmc", place(0x0e10_0000)),
    ("bl31", place(0x0e0a_0000)),
    ("another_partition", V12.base + 0x8_0000),
    ("another_partitions_memory_of_the_normal_world", NORMAL),
    ("the_normal_world", place(0x5010_0000)),
    ("secure_memory_of_nobody", place(0x0ef0_0000)),
    ("a_device_of_another_partition", board::DEVICE),
    ("nothing", place(0x0b00_0000)),
];

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    let [_, one, two, three] = suite.partitions();
    let me = suite.me;
    for (name, at) in NOT_THE_NORMAL_WORLDS {
        suite.named(
            format_args!("ownership/normal_world_gives/{name}"),
            |suite| strangers(suite, &me, &one, at),
        );
    }
    for (name, at) in NOT_A_PARTITIONS {
        suite.named(format_args!("ownership/partition_gives/{name}"), |suite| {
            strangers(suite, &three, &one, at)
        });
    }
    for vm in suite.vms().iter() {
        for (name, at) in [
            ("another_vm", me.who.spare().0),
            ("the_proxy", place(0x6000_0000)),
            ("memory_of_no_vm", place(0x4100_0000)),
            ("a_partition", V12.base + 0x8_0000),
        ] {
            suite.named(
                format_args!("ownership/{}_gives/{name}", vm.who.name),
                |suite| strangers(suite, vm, &one, at),
            );
        }
    }
    for lender in suite.senders().iter() {
        let who = lender.who.name;
        type Case = fn(&Suite, &Party, &Party) -> Check;
        let cases: [(&str, Case); 7] = [
            ("its_buffers", buffers),
            ("what_is_shared", shared),
            ("what_is_lent", lent),
            ("what_was_donated", donated),
            ("what_it_partly_owns", partly),
            ("buffers_in_what_is_given", map_given),
            ("what_was_reclaimed", |suite, lender, other| {
                let all = suite.pages(lender, 2);
                suite.nothing_left(lender, other, &[all])?;
                suite.nothing_left(lender, other, &[all])
            }),
        ];
        for (name, case) in cases {
            suite.named(format_args!("ownership/{who}_again/{name}"), |suite| {
                case(suite, lender, &one)
            });
        }
    }
    suite.case("ownership/borrower_passes_on", |suite| {
        passes_on(suite, &one, &three)
    });
    for deal in Deal::ALL {
        for id in [abi::HYPERVISOR, abi::VM1, 9] {
            let name = format_args!(
                "ownership/partition_to_normal_world/{}_to_{id}",
                deal.name()
            );
            suite.named(name, |suite| to_normal_world(suite, deal, &two, id));
        }
    }
    suite.case(
        "ownership/normal_worlds_memory_of_a_partition_stays_so",
        stays_normal,
    );
    suite.case(
        "ownership/donated_memory_of_the_normal_world_stays_so",
        donated_stays_normal,
    );
}

fn page(base: u64) -> Pages {
    Range { base, pages: 1 }
}

/// Each kind is DENIED, alone and beside what is its own; what is its own is still so.
fn strangers(suite: &Suite, lender: &Party, borrower: &Party, at: u64) -> Check {
    let own = suite.pages(lender, 1);
    for deal in Deal::ALL {
        for ranges in [&[page(at)] as &[_], &[own, page(at)], &[page(at), own]] {
            denied(suite, deal, lender, borrower, ranges)?;
        }
    }
    suite.nothing_left(lender, borrower, &[own])
}

fn denied(suite: &Suite, deal: Deal, lender: &Party, borrower: &Party, ranges: &[Pages]) -> Check {
    let form = offer(deal, lender, &[*borrower], ranges);
    suite
        .try_send(lender, deal, &form)?
        .refused(lender, deal.name(), DENIED)
}

fn buffers(suite: &Suite, lender: &Party, borrower: &Party) -> Check {
    for at in [lender.who.tx(), lender.who.rx()] {
        for deal in Deal::ALL {
            denied(suite, deal, lender, borrower, &[page(at)])?;
        }
    }
    Ok(())
}

/// An open transaction of two pages.
fn open(
    suite: &Suite,
    deal: Deal,
    lender: &Party,
    borrower: &Party,
) -> Result<(u64, Pages), Wrong> {
    let all = suite.pages(lender, 2);
    let form = offer(deal, lender, &[*borrower], &[all]);
    Ok((suite.send(lender, deal, &form)?, all))
}

/// Neither all of it nor a part, to nobody.
fn not_again(suite: &Suite, lender: &Party, all: Pages) -> Check {
    let [_, one, _, other] = suite.partitions();
    for borrower in [&one, &other] {
        if borrower.who.id == lender.who.id {
            continue;
        }
        for deal in Deal::ALL {
            denied(suite, deal, lender, borrower, &[all])?;
            denied(suite, deal, lender, borrower, &[page(all.base + PAGE)])?;
        }
    }
    Ok(())
}

fn shared(suite: &Suite, lender: &Party, borrower: &Party) -> Check {
    let (handle, all) = open(suite, Deal::Share, lender, borrower)?;
    not_again(suite, lender, all)?;
    suite.reclaim(lender, handle)
}

fn lent(suite: &Suite, lender: &Party, borrower: &Party) -> Check {
    let (handle, all) = open(suite, Deal::Lend, lender, borrower)?;
    not_again(suite, lender, all)?;
    suite.reclaim(lender, handle)
}

/// Before it is retrieved, and when it is another's.
fn donated(suite: &Suite, lender: &Party, borrower: &Party) -> Check {
    let back = lender.who.is_partition();
    let all = match back {
        true => suite.pages(lender, 2),
        false => suite.to_lose(lender, 2),
    };
    let form = offer(Deal::Donate, lender, &[*borrower], &[all]);
    let handle = suite.send(lender, Deal::Donate, &form)?;
    not_again(suite, lender, all)?;
    suite.take(Deal::Donate, &form, handle, borrower)?;
    not_again(suite, lender, all)?;
    if back {
        let form = offer(Deal::Donate, borrower, &[*lender], &[all]);
        let handle = suite.send(borrower, Deal::Donate, &form)?;
        suite.take(Deal::Donate, &form, handle, lender)?;
        suite.nothing_left(lender, borrower, &[all])?;
    }
    Ok(())
}

/// Pages of which one is in somebody's hands.
fn partly(suite: &Suite, lender: &Party, borrower: &Party) -> Check {
    let all = suite.pages(lender, 3);
    let middle = page(all.base + PAGE);
    let form = offer(Deal::Share, lender, &[*borrower], &[middle]);
    let handle = suite.send(lender, Deal::Share, &form)?;
    for deal in Deal::ALL {
        denied(suite, deal, lender, borrower, &[all])?;
        denied(suite, deal, lender, borrower, &[page(all.base), middle])?;
    }
    suite.reclaim(lender, handle)?;
    suite.nothing_left(lender, borrower, &[all])
}

/// Buffers are nobody else's.
fn map_given(suite: &Suite, lender: &Party, borrower: &Party) -> Check {
    let (handle, all) = open(suite, Deal::Share, lender, borrower)?;
    let who = lender.who;
    lender
        .call(abi::RXTX_UNMAP, &[])?
        .done(lender, "FFA_RXTX_UNMAP")?;
    let answer = lender.call(abi::RXTX_MAP_64, &[all.base, all.base + PAGE, 1])?;
    lender
        .call(abi::RXTX_MAP_64, &[who.tx(), who.rx(), who.buffers])?
        .done(lender, "FFA_RXTX_MAP")?;
    // What a partition names must be memory that it could use so.
    let code = match who.is_partition() {
        true => INVALID_PARAMETERS,
        false => DENIED,
    };
    answer.refused(lender, "FFA_RXTX_MAP of shared pages", code)?;
    suite.reclaim(lender, handle)
}

/// What is borrowed is not the borrower's to give.
fn passes_on(suite: &Suite, borrower: &Party, other: &Party) -> Check {
    let lender = suite.partitions()[2];
    for lender in [&suite.me, &lender] {
        for deal in Deal::LOANS {
            let all = suite.pages(lender, 1);
            let form = offer(deal, lender, &[*borrower], &[all]);
            let handle = suite.send(lender, deal, &form)?;
            suite.take(deal, &form, handle, borrower)?;
            for again in Deal::ALL {
                denied(suite, again, borrower, other, &[all])?;
            }
            suite.relinquish(borrower, handle)?;
            suite.reclaim(lender, handle)?;
        }
    }
    Ok(())
}

fn to_normal_world(suite: &Suite, deal: Deal, lender: &Party, id: u16) -> Check {
    let [_, other, _, _] = suite.partitions();
    let all = suite.pages(lender, 1);
    let mut form = offer(deal, lender, &[other], &[all]);
    for receiver in form.receivers.iter_mut() {
        receiver.endpoint = id;
    }
    suite
        .try_send(lender, deal, &form)?
        .refused(lender, deal.name(), DENIED)?;
    suite.nothing_left(lender, &other, &[all])
}

/// A page that is in the normal world, whoever has it: the response says so, and the owner's client sees it, unless the
/// proxy keeps it from the client.
fn stays_normal(suite: &Suite) -> Check {
    let [_, one, owner, two] = suite.partitions();
    let all = Range {
        base: NORMAL,
        pages: 2,
    };
    owner.fill(all, SEED)?;
    if suite.client.direct {
        suite.me.holds(all, SEED)?;
    }
    for deal in Deal::LOANS {
        for borrower in [&one, &two] {
            let form = offer(deal, &owner, &[*borrower], &[all]);
            let handle = suite.send(&owner, deal, &form)?;
            // `fits` wants the NS bit for this address.
            suite.take(deal, &form, handle, borrower)?;
            borrower.holds(all, SEED)?;
            suite.relinquish(borrower, handle)?;
            borrower.cannot_reach(all)?;
            suite.reclaim(&owner, handle)?;
            owner.holds(all, SEED)?;
        }
    }
    // It can't be mixed with secure memory.
    let secure = suite.pages(&owner, 1);
    denied(suite, Deal::Share, &owner, &one, &[all, secure])?;
    denied(suite, Deal::Share, &owner, &one, &[secure, all])
}

fn donated_stays_normal(suite: &Suite) -> Check {
    let me = &suite.me;
    let [_, one, two, _] = suite.partitions();
    let all = suite.to_lose(me, 2);
    me.fill(all, SEED)?;
    let form = offer(Deal::Donate, me, &[one], &[all]);
    let handle = suite.send(me, Deal::Donate, &form)?;
    suite.take(Deal::Donate, &form, handle, &one)?;
    let form = offer(Deal::Lend, &one, &[two], &[all]);
    let handle = suite.send(&one, Deal::Lend, &form)?;
    one.cannot_reach(all)?;
    let got = suite.retrieve(&two, &request(Deal::Lend, &form, handle, &two))?;
    two.equal(
        "NS bit in a response",
        (got.attributes & NON_SECURE).into(),
        NON_SECURE.into(),
    )?;
    two.holds(all, SEED)?;
    suite.relinquish(&two, handle)?;
    suite.reclaim(&one, handle)?;
    one.holds(all, SEED)
}
