//! Parties that end while they have something of others, or others something of theirs.

use super::{Check, Deal, Party, Range, Suite, Wrong, offer, request};
use crate::abi::{self, ABORTED, BUSY, DENIED, INVALID_PARAMETERS, ids};
use crate::client::plain;
use crate::memory::descriptor::{Form, flags};
use crate::memory::protocol::{self, DIE, OK, WHO};
use crate::memory::{RESTARTS, STOPS, VM2};
use crate::rt::{gic, regs};

const SEED: u64 = 0x900;

/// The chapter. The first one to die starts again and again; the others don't.
pub(super) fn run(suite: &mut Suite) {
    let restarts = suite.party(RESTARTS);
    let stops = suite.party(STOPS);
    let me = suite.me;
    let [_, partition, _, _] = suite.partitions();
    type Case = fn(&Suite, &Party, &Party) -> Check;
    let cases: [(&str, Case); 7] = [
        ("borrower_of_a_share", |suite, lender, mortal| {
            borrower(suite, Deal::Share, lender, mortal)
        }),
        ("borrower_of_a_lend", |suite, lender, mortal| {
            borrower(suite, Deal::Lend, lender, mortal)
        }),
        ("borrower_that_asked_for_zeroes", zeroes),
        ("one_of_two_borrowers", one_of_two),
        ("borrower_that_had_not_retrieved", not_retrieved),
        ("lender_of_what_nobody_has", lender_of_nothing),
        ("sender_before_the_last_fragment", unfinished),
    ];
    for (name, case) in cases {
        for lender in [&me, &partition] {
            let name = format_args!("death/restarts/{}/{name}", lender.who.name);
            suite.named(name, |suite| {
                case(suite, lender, &restarts)?;
                lives(&restarts)
            });
        }
    }
    suite.case("death/stops/borrower_of_a_lend", |suite| {
        borrower(suite, Deal::Lend, &me, &stops)?;
        is_dead(suite, &stops)
    });
    // Others hold what is its own: it does not start again.
    suite.case("death/restarts/lender_of_what_is_held", |suite| {
        lender_of_what_is_held(suite, &restarts)
    });
    suite.case("death/others_are_well", |suite| {
        // The first has been told of the NS bit since, which nobody else of 1.0 is.
        suite.partitions()[1..].iter().try_for_each(|party| {
            let all = suite.pages(&me, 2);
            suite.nothing_left(&me, party, &[all])
        })
    });
    if !suite.client.direct {
        let vm = suite.party(VM2);
        suite.case("death/vm_with_a_lend_and_a_share", |suite| {
            dying_vm(suite, &vm)
        });
    }
}

/// It fails, and the client is told.
fn die(suite: &Suite, party: &Party) -> Check {
    let call = [
        ids(suite.client.me, party.who.id),
        0,
        protocol::command(DIE),
    ];
    let mut regs = plain(abi::DIRECT_REQ_64, &call);
    while regs[0] == abi::INTERRUPT.into() {
        regs = plain(abi::RUN, &[u64::from(party.who.id) << 16]);
    }
    party.equal("its end", regs[0], abi::ERROR.into())?;
    party.equal("its end", regs[2], abi::code(ABORTED))
}

/// It has started again and answers.
fn lives(party: &Party) -> Check {
    let (status, [id, ..]) = party.ask(WHO, [0; 4])?;
    party.equal("status", status, OK)?;
    party.equal("FFA_ID_GET", id, party.who.id.into())
}

/// It answers no more.
fn is_dead(suite: &Suite, party: &Party) -> Check {
    let call = [
        ids(suite.client.me, party.who.id),
        0,
        protocol::command(WHO),
    ];
    let regs = plain(abi::DIRECT_REQ_64, &call);
    party.equal("a request to the dead", regs[0], abi::ERROR.into())?;
    let code = regs[2] as u32 as i32;
    party.equal("its error", (code == BUSY || code == ABORTED).into(), 1)
}

fn given(
    suite: &Suite,
    deal: Deal,
    lender: &Party,
    borrowers: &[Party],
) -> Result<(Range, Form, u64), Wrong> {
    let all = suite.pages(lender, 2);
    lender.fill(all, SEED)?;
    let form = offer(deal, lender, borrowers, &[all]);
    let handle = suite.send(lender, deal, &form)?;
    Ok((all, form, handle))
}

/// What it had retrieved, twice, is given back by its end.
fn borrower(suite: &Suite, deal: Deal, lender: &Party, mortal: &Party) -> Check {
    let (all, form, handle) = given(suite, deal, lender, &[*mortal])?;
    for _ in 0..2 {
        suite.take(deal, &form, handle, mortal)?;
    }
    mortal.fill(all, SEED + 1)?;
    suite.try_reclaim(lender, handle, 0)?.refused(
        lender,
        "reclaim of what is retrieved",
        DENIED,
    )?;
    die(suite, mortal)?;
    suite.reclaim(lender, handle)?;
    lender.holds(all, SEED + 1)
}

fn zeroes(suite: &Suite, lender: &Party, mortal: &Party) -> Check {
    let (all, form, handle) = given(suite, Deal::Lend, lender, &[*mortal])?;
    let mut asked = request(Deal::Lend, &form, handle, mortal);
    asked.flags |= flags::ZERO_AFTER;
    suite.take_as(&form, &asked, mortal)?;
    mortal.fill(all, SEED + 1)?;
    die(suite, mortal)?;
    suite.reclaim(lender, handle)?;
    lender.empty(all)
}

fn one_of_two(suite: &Suite, lender: &Party, mortal: &Party) -> Check {
    let [.., other] = suite.partitions();
    let (all, form, handle) = given(suite, Deal::Lend, lender, &[*mortal, other])?;
    for who in [mortal, &other] {
        suite.take(Deal::Lend, &form, handle, who)?;
    }
    mortal.fill(all, SEED + 1)?;
    die(suite, mortal)?;
    other.holds(all, SEED + 1)?;
    suite.try_reclaim(lender, handle, 0)?.refused(
        lender,
        "reclaim of what is retrieved",
        DENIED,
    )?;
    suite.relinquish(&other, handle)?;
    suite.reclaim(lender, handle)?;
    lender.holds(all, SEED + 1)
}

fn not_retrieved(suite: &Suite, lender: &Party, mortal: &Party) -> Check {
    let (all, _, handle) = given(suite, Deal::Lend, lender, &[*mortal])?;
    die(suite, mortal)?;
    suite.reclaim(lender, handle)?;
    lender.holds(all, SEED)
}

/// What the dead had lent, and nobody had retrieved, is its memory again; nobody gets it any more.
fn lender_of_nothing(suite: &Suite, _: &Party, mortal: &Party) -> Check {
    let [.., borrower] = suite.partitions();
    let (all, form, handle) = given(suite, Deal::Lend, mortal, &[borrower])?;
    die(suite, mortal)?;
    let asked = request(Deal::Lend, &form, handle, &borrower);
    let answer = suite.try_retrieve(&borrower, &asked)?;
    let code = answer.error().unwrap_or(0);
    let gone = code == DENIED || code == INVALID_PARAMETERS;
    borrower.equal("retrieve from the dead is refused", gone.into(), 1)?;
    borrower.cannot_reach(all)?;
    lives(mortal)?;
    suite.try_reclaim(mortal, handle, 0)?.refused(
        mortal,
        "reclaim of its earlier life",
        INVALID_PARAMETERS,
    )?;
    suite.nothing_left(mortal, &borrower, &[all])
}

/// A sender that dies between fragments, in each life.
fn unfinished(suite: &Suite, _: &Party, mortal: &Party) -> Check {
    use super::party::Entries;
    let [.., borrower] = suite.partitions();
    let all = suite.pages(mortal, 4);
    let entries = Entries {
        base: all.base,
        pages: 1,
        stride: super::PAGE as i64,
        count: 4,
    };
    let form = super::fragments::form_of(Deal::Lend, mortal, &[borrower], &entries);
    let (tx, head) = (mortal.who.tx(), form.ranges_offset());
    mortal.put(tx, &form.write())?;
    mortal.put_entries(tx + u64::from(head), &entries.part(0, 2))?;
    let arguments = [form.total().into(), (head + 32).into()];
    let answer = mortal.call(Deal::Lend.id(), &arguments)?;
    answer.is(mortal, "the first fragment", abi::MEM_FRAG_RX)?;
    die(suite, mortal)?;
    lives(mortal)?;
    let [_, low, high, ..] = answer.x;
    mortal.put_entries(tx, &entries.part(2, 2))?;
    mortal.call(abi::MEM_FRAG_TX, &[low, high, 32])?.refused(
        mortal,
        "a fragment of its earlier life",
        INVALID_PARAMETERS,
    )?;
    suite.nothing_left(mortal, &borrower, &[all])
}

/// The borrower keeps it, nobody else gets it, and it is nobody's when it is given back.
fn lender_of_what_is_held(suite: &Suite, mortal: &Party) -> Check {
    let [_, one, _, other] = suite.partitions();
    let (all, form, handle) = given(suite, Deal::Lend, mortal, &[one, other])?;
    suite.take(Deal::Lend, &form, handle, &one)?;
    die(suite, mortal)?;
    one.holds(all, SEED)?;
    let asked = request(Deal::Lend, &form, handle, &other);
    suite
        .try_retrieve(&other, &asked)?
        .refused(&other, "retrieve from the dead", DENIED)?;
    is_dead(suite, mortal)?;
    suite.relinquish(&one, handle)?;
    one.cannot_reach(all)?;
    suite
        .try_relinquish(&one, handle, 0)?
        .refused(&one, "relinquish once more", INVALID_PARAMETERS)
}

/// An interrupt of the client's own, as a VM.
fn interrupt() {
    gic::open();
    gic::arm(regs::cntfrq() / 10_000);
    while gic::highest_pending() != gic::VIRTUAL_TIMER {
        core::hint::spin_loop();
    }
    gic::end(gic::acknowledge());
    gic::disarm();
}

/// A VM ends that has lent a page and shared another. The partition keeps what it has; when it has given that back,
/// nothing is left of it.
fn dying_vm(suite: &Suite, vm: &Party) -> Check {
    let [_, one, two, _] = suite.partitions();
    let (lent, lend, first) = given(suite, Deal::Lend, vm, &[one])?;
    let (shared, share, second) = given(suite, Deal::Share, vm, &[two])?;
    let (own, mine, third) = given(suite, Deal::Share, &suite.me, &[*vm])?;
    suite.take(Deal::Lend, &lend, first, &one)?;
    suite.take(Deal::Share, &share, second, &two)?;
    suite.take(Deal::Share, &mine, third, vm)?;
    die(suite, vm)?;
    // What it had borrowed is given back.
    suite.reclaim(&suite.me, third)?;
    suite.me.holds(own, SEED)?;
    one.holds(lent, SEED)?;
    two.holds(shared, SEED)?;
    suite.relinquish(&one, first)?;
    suite.relinquish(&two, second)?;
    one.cannot_reach(lent)?;
    two.cannot_reach(shared)?;
    // The proxy asks for them at each interrupt, until it has them.
    for _ in 0..2 {
        interrupt();
    }
    for (who, form, handle) in [(&one, &lend, first), (&two, &share, second)] {
        let deal = if handle == first {
            Deal::Lend
        } else {
            Deal::Share
        };
        suite
            .try_retrieve(who, &request(deal, form, handle, who))?
            .refused(who, "retrieve of what was the dead's", INVALID_PARAMETERS)?;
    }
    Ok(())
}
