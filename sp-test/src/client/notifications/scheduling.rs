//! When the normal world's scheduler is told, and how often somebody is named.

use super::calls::{self, DELAY, Entry, Pending, get, named, nobody, set};
use super::pair::{GLOBAL, OTHERS, OWN, Pair, between};
use super::{Check, Party, Suite, told};
use super::{pairs, told_of};
use crate::abi;
use crate::memory::Kind;

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    type Case = fn(&Suite, &Pair) -> Check;
    let cases: [(&str, Case); 5] = [
        ("named_once", once),
        ("named_again_after_it_read", again),
        ("named_again_for_more", more),
        ("read_before_it_was_named", unread),
        ("at_once", immediate),
    ];
    for two in pairs(suite).into_iter().flatten() {
        let [from, to] = two;
        for (name, case) in cases {
            suite.named(
                format_args!("scheduling/{}_to_{}/{name}", from.who.name, to.who.name),
                |suite| {
                    between(suite, two, |pair| case(suite, pair))?;
                    nobody(suite)
                },
            );
        }
        if from.who.kind != Kind::Hypervisor {
            suite.named(
                format_args!("scheduling/{}_to_{}/delayed", from.who.name, to.who.name),
                |suite| {
                    between(suite, two, |pair| delayed(suite, pair))?;
                    nobody(suite)
                },
            );
        }
    }
    suite.case(
        "scheduling/direct_request_is_not_enough_to_be_forgotten",
        request,
    );
    suite.case("scheduling/who_is_run_reads_later", later);
    suite.case("scheduling/several_are_named_together", together);
}

fn whole(party: &Party) -> [Entry; 1] {
    [Entry::whole(party.who.id)]
}

/// Until it has read them, it is named once.
fn once(suite: &Suite, pair: &Pair) -> Check {
    let Pair { from, to, .. } = pair;
    set(from, to, 0, GLOBAL)?;
    told_of(suite, true)?;
    named(suite, &whole(to))?;
    for _ in 0..2 {
        named(suite, &[])?;
        // The same again is nothing new.
        set(from, to, 0, GLOBAL)?;
        told_of(suite, false)?;
    }
    named(suite, &[])?;
    get(to)?.is(to, &Pending::of(from, GLOBAL))?;
    get(to)?.is(to, &Pending::default())
}

fn again(suite: &Suite, pair: &Pair) -> Check {
    let Pair { from, to, .. } = pair;
    for _ in 0..3 {
        calls::heard(suite, from, to, 0, GLOBAL)?;
    }
    Ok(())
}

/// Something else that becomes pending is news.
fn more(suite: &Suite, pair: &Pair) -> Check {
    let Pair { from, to, other } = pair;
    set(from, to, 0, 1)?;
    told_of(suite, true)?;
    named(suite, &whole(to))?;
    set(from, to, 0, GLOBAL)?;
    told_of(suite, true)?;
    set(other, to, 0, OTHERS)?;
    told_of(suite, true)?;
    // Once, whoever keeps them: between VMs the hypervisor, the SPMC those of partitions.
    named(suite, &whole(to))?;
    named(suite, &[])?;
    let mut all = Pending::of(from, GLOBAL);
    let theirs = Pending::of(other, OTHERS);
    all.partitions |= theirs.partitions;
    all.vms |= theirs.vms;
    get(to)?.is(to, &all)
}

/// What was read is nobody's to be named for.
fn unread(suite: &Suite, pair: &Pair) -> Check {
    pair.pending()?;
    told::take();
    get(&pair.to)?.is(&pair.to, &pair.all_pending())?;
    named(suite, &[])
}

/// A partition that sets is interrupted by that at once; the normal world has the interrupt when its call is over.
fn immediate(suite: &Suite, pair: &Pair) -> Check {
    let Pair { from, to, .. } = pair;
    set(from, to, 0, GLOBAL)?;
    let told = told::take();
    from.equal("schedule receiver interrupts", told.schedule, 1)?;
    if from.who.is_partition() {
        from.equal("it was interrupted", told.interrupted, 1)?;
    }
    get(to)?.is(to, &Pending::of(from, GLOBAL))?;
    named(suite, &[])
}

/// With the flag, a partition goes on until its answer. The flag of a VM is of no account.
fn delayed(suite: &Suite, pair: &Pair) -> Check {
    let Pair { from, to, .. } = pair;
    set(from, to, DELAY, GLOBAL)?;
    let told = told::take();
    from.equal("schedule receiver interrupts", told.schedule, 1)?;
    if from.who.is_partition() {
        from.equal("it was interrupted", told.interrupted, 0)?;
    }
    named(suite, &whole(to))?;
    get(to)?.is(to, &Pending::of(from, GLOBAL))?;
    // The scheduler is not told twice.
    told_of(suite, false)
}

/// A partition that is called has its notifications afterwards still.
fn request(suite: &Suite) -> Check {
    let [_, _, to, _] = suite.partitions();
    between(suite, [suite.me, to], |pair| {
        set(&pair.from, &to, 0, GLOBAL)?;
        told_of(suite, true)?;
        let answer = to.call(abi::FEATURES, &[abi::VERSION.into()])?;
        answer.done(&to, "FFA_FEATURES")?;
        named(suite, &whole(&to))?;
        get(&to)?.is(&to, &Pending::of(&pair.from, GLOBAL))
    })?;
    nobody(suite)
}

/// FFA_RUN alone reads nothing.
fn later(suite: &Suite) -> Check {
    let [_, _, to, _] = suite.partitions();
    between(suite, [suite.me, to], |pair| {
        set(&pair.from, &to, 0, GLOBAL)?;
        told_of(suite, true)?;
        named(suite, &whole(&to))?;
        super::story::runs(suite, &to)?;
        named(suite, &[])?;
        get(&to)?.is(&to, &Pending::of(&pair.from, GLOBAL))
    })?;
    nobody(suite)
}

/// Partitions come first, in their order; then the normal world.
fn together(suite: &Suite) -> Check {
    let me = suite.me;
    let [_, old, rich, many] = suite.partitions();
    let other = super::another(suite);
    for (from, to) in [(&other, &me), (&me, &rich), (&me, &many), (&me, &old)] {
        calls::bind(from, to, 0, GLOBAL)?;
    }
    calls::bind(&me, &many, calls::PER_CONTEXT, OWN)?;
    let first = calls::PER_CONTEXT | 5 << 16;
    set(&other, &me, 0, GLOBAL)?;
    set(&me, &many, first, OWN)?;
    set(&me, &many, 0, GLOBAL)?;
    set(&me, &rich, 0, GLOBAL)?;
    set(&me, &old, 0, GLOBAL)?;
    told::take();
    named(
        suite,
        &[
            Entry::whole(old.who.id),
            Entry::whole(rich.who.id),
            Entry::whole(many.who.id),
            Entry::one(many.who.id, 5),
            Entry::whole(me.who.id),
        ],
    )?;
    named(suite, &[])?;
    get(&old)?.is(&old, &Pending::of(&me, GLOBAL))?;
    get(&rich)?.is(&rich, &Pending::of(&me, GLOBAL))?;
    get(&many)?.is(&many, &Pending::of(&me, GLOBAL))?;
    calls::get_for(&many, 5, calls::all(&many))?.is(&many, &Pending::of(&me, OWN))?;
    get(&me)?.is(&me, &Pending::of(&other, GLOBAL))?;
    told::take();
    calls::unbind(&me, &many, GLOBAL | OWN)?;
    for (from, to) in [(&other, &me), (&me, &rich), (&me, &old)] {
        calls::unbind(from, to, GLOBAL)?;
    }
    nobody(suite)
}
