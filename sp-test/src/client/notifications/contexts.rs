//! Notifications that each context has for itself, and the interrupt that tells a context of what is pending.

use super::calls::{self, OF_PARTITIONS, OF_VMS, PER_CONTEXT, Pending, all, get_for, set};
use super::pair::{GLOBAL, OWN, Pair, between};
use super::{Check, Party, Suite, told};
use super::{nobody, pairs};
use crate::interrupts::NOTIFICATION;
use crate::memory::protocol::TAKE;

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    type Case = fn(&Suite, &Pair) -> Check;
    let cases: [(&str, Case); 4] = [
        ("read_by_class", by_class),
        ("interrupt/once", interrupt),
        ("interrupt/not_after_reading", not_after),
        ("interrupt/again_for_more", again),
    ];
    for two in pairs(suite).into_iter().flatten() {
        let [from, to] = two;
        for (name, case) in cases {
            if name != "read_by_class" && !to.who.is_partition() {
                continue;
            }
            suite.named(
                format_args!("contexts/{}_to_{}/{name}", from.who.name, to.who.name),
                |suite| {
                    between(suite, two, |pair| case(suite, pair))?;
                    nobody(suite)
                },
            );
        }
    }
    suite.case("contexts/each_has_its_own", own);
    suite.case("contexts/one_takes_what_is_for_all", for_all);
}

/// Only what was asked for is read, and it alone is pending no more.
fn by_class(suite: &Suite, pair: &Pair) -> Check {
    let Pair { from, to, .. } = pair;
    set(from, to, 0, GLOBAL)?;
    let nothing = Pending::default();
    let (theirs, others) = match from.who.is_partition() {
        true => (OF_PARTITIONS, OF_VMS),
        false => (OF_VMS, OF_PARTITIONS),
    };
    let possible = all(to);
    get_for(to, 0, possible & !theirs)?.is(to, &nothing)?;
    get_for(to, 0, 0)?.is(to, &nothing)?;
    if possible & others != 0 {
        get_for(to, 0, others)?.is(to, &nothing)?;
    }
    get_for(to, 0, theirs)?.is(to, &Pending::of(from, GLOBAL))?;
    get_for(to, 0, theirs)?.is(to, &nothing)?;
    told::take();
    calls::named(suite, &[])
}

/// A partition takes so many interrupts, all of them that of notifications.
fn takes(party: &Party, count: u64) -> Check {
    let [taken, last, others, _] = party.told("taking interrupts", TAKE, [0; 4])?;
    party.equal("interrupts", taken, count)?;
    party.equal("interrupts of another kind", others, 0)?;
    party.equal(
        "the last one",
        last,
        if count == 0 { 0 } else { NOTIFICATION.into() },
    )
}

fn interrupt(suite: &Suite, pair: &Pair) -> Check {
    let Pair { from, to, .. } = pair;
    takes(to, 0)?;
    set(from, to, 0, GLOBAL)?;
    set(from, to, PER_CONTEXT, OWN)?;
    takes(to, 1)?;
    takes(to, 0)?;
    get_for(to, 0, all(to))?.is(to, &Pending::of(from, GLOBAL | OWN))?;
    takes(to, 0)?;
    drop_news(suite)
}

/// The scheduler was told of what is read now.
fn drop_news(suite: &Suite) -> Check {
    told::take();
    calls::named(suite, &[])
}

fn not_after(suite: &Suite, pair: &Pair) -> Check {
    let Pair { from, to, .. } = pair;
    set(from, to, 0, GLOBAL)?;
    get_for(to, 0, all(to))?.is(to, &Pending::of(from, GLOBAL))?;
    takes(to, 0)?;
    // What is left is told of.
    set(from, to, 0, GLOBAL)?;
    get_for(to, 0, 0)?.is(to, &Pending::default())?;
    takes(to, 1)?;
    get_for(to, 0, all(to))?.is(to, &Pending::of(from, GLOBAL))?;
    drop_news(suite)
}

fn again(suite: &Suite, pair: &Pair) -> Check {
    let Pair { from, to, .. } = pair;
    set(from, to, 0, 1)?;
    takes(to, 1)?;
    set(from, to, 0, 1 << 63)?;
    takes(to, 1)?;
    get_for(to, 0, all(to))?.is(to, &Pending::of(from, GLOBAL))?;
    drop_news(suite)
}

/// What is one context's, no other reads.
fn own(suite: &Suite) -> Check {
    let [.., many] = suite.partitions();
    between(suite, [suite.me, many], |pair| {
        let from = &pair.from;
        for context in [3, 0, 7] {
            set(from, &many, PER_CONTEXT | context << 16, OWN)?;
        }
        for context in 0..super::MANY {
            let bits = if [0, 3, 7].contains(&context) { OWN } else { 0 };
            let read = get_for(&many, context, all(&many))?;
            read.is(&many, &Pending::of(from, bits))?;
        }
        // The first was told; the others' contexts run on other cores, some day.
        takes(&many, 0)?;
        drop_news(suite)
    })?;
    nobody(suite)
}

/// Whichever reads first has it.
fn for_all(suite: &Suite) -> Check {
    let [.., many] = suite.partitions();
    between(suite, [suite.me, many], |pair| {
        let from = &pair.from;
        set(from, &many, 0, GLOBAL)?;
        get_for(&many, 6, all(&many))?.is(&many, &Pending::of(from, GLOBAL))?;
        for context in 0..super::MANY {
            get_for(&many, context, all(&many))?.is(&many, &Pending::default())?;
        }
        takes(&many, 0)?;
        drop_news(suite)
    })?;
    nobody(suite)
}
