//! What is refused: a row for each check of FFA_NOTIFICATION_BIND, UNBIND, SET, GET and INFO_GET, from each side. After each
//! everything is as before.

use super::calls::{DELAY, OF_HYPERVISOR, OF_VMS, PER_CONTEXT, all, arguments, bind, set, unbind};
use super::pair::{FREE, GLOBAL, OTHERS, OWN, Pair, between};
use super::{Answer, Check, Party, Pending, Suite, Wrong};
use super::{contexts_of, deaf, get as read_all, hears, nobody, pairs};
use crate::abi::{self, DENIED, INVALID_PARAMETERS, NOT_SUPPORTED};
use crate::memory::{Kind, V10, VM3};

/// A partition that there is not.
const NO_PARTITION: u16 = 0x9000;
/// A VM that there is not.
const NO_VM: u16 = 0x1234;

/// A call that is refused: name, sender, receiver, w2, bits, error.
type Row = (&'static str, u16, u16, u64, u64, i32);

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    for two in pairs(suite).into_iter().flatten() {
        let [from, to] = two;
        let names = Names(from.who.name, to.who.name);
        table(suite, names, "set", two, abi::NOTIFICATION_SET, set_rows);
        table(suite, names, "bind", two, abi::NOTIFICATION_BIND, bind_rows);
        table(
            suite,
            names,
            "unbind",
            two,
            abi::NOTIFICATION_UNBIND,
            unbind_rows,
        );
        gets(suite, names, two);
        if !from.who.is_partition() {
            suite.named(
                format_args!("{names}/bind/those_of_partitions_are_others"),
                |suite| between(suite, two, |pair| classes(suite, pair)),
            );
        }
        suite.named(format_args!("{names}/unbind/pending"), |suite| {
            between(suite, two, pending_stays).and_then(|()| nobody(suite))
        });
    }
    for party in suite.everybody().iter() {
        let name = party.who.name;
        if !hears(&party.who) {
            suite.named(format_args!("{name}/hears_of_nothing"), |suite| {
                hears_nothing(suite, party)
            });
        }
        if party.who.id != suite.me.who.id {
            suite.named(format_args!("{name}/does_not_schedule"), |suite| {
                others_info(suite, party)
            });
        }
        suite.named(format_args!("{name}/forms_of_1_3"), |_| newer(party));
    }
    let none = deaf(suite);
    suite.named(
        format_args!("{}/hears_of_nothing", none.who.name),
        |suite| hears_nothing(suite, &none),
    );
}

/// Who to whom, in names.
#[derive(Clone, Copy)]
struct Names(&'static str, &'static str);

impl core::fmt::Display for Names {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}_to_{}", self.0, self.1)
    }
}

/// A table of one call.
fn table(
    suite: &mut Suite,
    names: Names,
    chapter: &str,
    two: [Party; 2],
    call: u32,
    rows: fn(&Suite, [Party; 2]) -> [Option<Row>; ROWS],
) {
    for row in rows(suite, two).into_iter().flatten() {
        let (name, sender, receiver, w2, bits, code) = row;
        suite.named(format_args!("{names}/{chapter}/{name}"), |suite| {
            between(suite, two, |pair| {
                let who = match call {
                    abi::NOTIFICATION_SET => &pair.from,
                    _ => &pair.to,
                };
                let answer = who.call(call, &arguments(sender, receiver, w2, bits))?;
                answer.refused(who, "the call", code)?;
                pair.unchanged(suite)
            })
        });
    }
}

/// Rows of a table at most.
const ROWS: usize = 24;

fn fill<const N: usize>(rows: [Option<Row>; N]) -> [Option<Row>; ROWS] {
    let mut all = [None; ROWS];
    for (slot, row) in all.iter_mut().zip(rows) {
        *slot = row;
    }
    all
}

/// The client at NS-EL2 speaks for all of the normal world.
fn is_hypervisor(party: &Party) -> bool {
    party.who.kind == Kind::Hypervisor
}

/// FFA_NOTIFICATION_SET.
fn set_rows(suite: &Suite, [from, to]: [Party; 2]) -> [Option<Row>; ROWS] {
    const BAD: i32 = INVALID_PARAMETERS;
    let (f, t) = (from.who.id, to.who.id);
    let other = super::another(suite).who.id;
    let of = contexts_of(&to.who);
    let row = |name, w2, bits, code| Some((name, f, t, w2, bits, code));
    let ids = |name, sender, receiver, code| Some((name, sender, receiver, 0, GLOBAL, code));
    fill([
        row("reserved_flag_2", 1 << 2, GLOBAL, BAD),
        row("reserved_flag_15", 1 << 15, GLOBAL, BAD),
        row("context_of_global", 1 << 16, GLOBAL, BAD),
        row("context_that_is_not", PER_CONTEXT | of << 16, OWN, BAD),
        row("context_65535", PER_CONTEXT | 0xffff << 16, OWN, BAD),
        row("no_bits", 0, 0, BAD),
        ids("sender_is_another", other, t, BAD),
        ids("receiver_is_sender", f, f, BAD),
        ids("receiver_is_no_partition", f, NO_PARTITION, BAD),
        ids("receiver_is_the_spmc", f, abi::SPMC, BAD),
        ids("receiver_is_el3", f, abi::SPMD, BAD),
        ids("receiver_is_no_vm", f, NO_VM, BAD),
        ids("receiver_hears_of_nothing", f, deaf(suite).who.id, DENIED),
        ids("receiver_of_1_0", f, V10.id, DENIED),
        row("unbound", 0, FREE, DENIED),
        row("partly_unbound", 0, GLOBAL | 1 << 7, DENIED),
        row("bound_to_another", 0, OTHERS, DENIED),
        row("partly_bound_to_another", 0, GLOBAL | OTHERS, DENIED),
        row("global_for_a_context", PER_CONTEXT, GLOBAL, DENIED),
        row("of_a_context_globally", 0, OWN, DENIED),
        row("both_kinds", 0, GLOBAL | OWN, DENIED),
        // A VM's flag goes no further than the hypervisor; of the hypervisor's own there is none.
        is_hypervisor(&from).then_some(("delayed_by_the_normal_world", f, t, DELAY, GLOBAL, BAD)),
    ])
}

/// The ids that neither FFA_NOTIFICATION_BIND nor UNBIND takes.
fn ids_of_receivers(suite: &Suite, [from, to]: [Party; 2]) -> [Option<Row>; 9] {
    let (f, t) = (from.who.id, to.who.id);
    let other = super::another(suite).who.id;
    let ids = |name, sender, receiver| Some((name, sender, receiver, 0, FREE, INVALID_PARAMETERS));
    // The SPMC knows not which VMs there are.
    let vm = match to.who.is_partition() {
        true => 0x7fff,
        false => NO_VM,
    };
    [
        ids("receiver_is_another", f, other),
        ids("receiver_is_the_sender", t, f),
        ids("sender_is_receiver", t, t),
        ids("sender_is_no_partition", NO_PARTITION, t),
        ids("sender_is_the_spmc", abi::SPMC, t),
        ids("sender_is_el3", abi::SPMD, t),
        ids("sender_is_in_el3", 0xffc0, t),
        ids("sender_is_no_vm", vm, t),
        Some(("no_bits", f, t, 0, 0, INVALID_PARAMETERS)),
    ]
}

/// FFA_NOTIFICATION_BIND.
fn bind_rows(suite: &Suite, two: [Party; 2]) -> [Option<Row>; ROWS] {
    let [from, to] = two;
    let row = |name, w2, bits, code| Some((name, from.who.id, to.who.id, w2, bits, code));
    let [a, b, c, d, e, f, g, h, i] = ids_of_receivers(suite, two);
    fill([
        row("reserved_flag_1", 1 << 1, FREE, INVALID_PARAMETERS),
        row("reserved_flag_16", 1 << 16, FREE, INVALID_PARAMETERS),
        row("reserved_flag_31", 1 << 31, FREE, INVALID_PARAMETERS),
        a,
        b,
        c,
        d,
        e,
        f,
        g,
        h,
        i,
        row("bound", 0, GLOBAL, DENIED),
        row("bound_for_each_context", PER_CONTEXT, OWN, DENIED),
        row("bound_otherwise", PER_CONTEXT, GLOBAL, DENIED),
        row("partly_bound", 0, FREE | 1, DENIED),
        // Those of VMs are others than those of partitions.
        row("bound_to_another", 0, OTHERS, DENIED).filter(|_| from.who.is_partition()),
        row("partly_bound_to_another", 0, FREE | OTHERS, DENIED)
            .filter(|_| from.who.is_partition()),
    ])
}

/// FFA_NOTIFICATION_UNBIND.
fn unbind_rows(suite: &Suite, two: [Party; 2]) -> [Option<Row>; ROWS] {
    let [from, to] = two;
    let row = |name, w2, bits, code| Some((name, from.who.id, to.who.id, w2, bits, code));
    let [a, b, c, d, e, f, g, h, i] = ids_of_receivers(suite, two);
    fill([
        row("reserved_flag_0", 1, OWN, INVALID_PARAMETERS),
        row("reserved_flag_31", 1 << 31, GLOBAL, INVALID_PARAMETERS),
        a,
        b,
        c,
        d,
        e,
        f,
        g,
        h,
        i,
        row("unbound", 0, FREE, DENIED),
        row("partly_unbound", 0, GLOBAL | 1 << 7, DENIED),
        row("bound_to_another", 0, OTHERS, DENIED),
        row("partly_bound_to_another", 0, GLOBAL | OTHERS, DENIED),
    ])
}

/// A VM's notification has the number of a partition's.
fn classes(suite: &Suite, pair: &Pair) -> Check {
    let Pair { from, to, other } = pair;
    bind(from, to, 0, OTHERS)?;
    set(from, to, 0, OTHERS)?;
    read_all(to)?.is(to, &Pending::of(from, OTHERS))?;
    set(other, to, 0, OTHERS)?;
    read_all(to)?.is(to, &Pending::of(other, OTHERS))?;
    drain();
    unbind(from, to, OTHERS)?;
    pair.unchanged(suite)
}

/// What is pending is not given up.
fn pending_stays(pair: &Pair) -> Check {
    let Pair { from, to, .. } = pair;
    pair.pending()?;
    for bits in [GLOBAL, OWN, 1, GLOBAL | OWN] {
        let call = arguments(from.who.id, to.who.id, 0, bits);
        let answer = to.call(abi::NOTIFICATION_UNBIND, &call)?;
        answer.refused(to, "FFA_NOTIFICATION_UNBIND", DENIED)?;
    }
    read_all(to)?.is(to, &pair.all_pending())?;
    drain();
    set(from, to, 0, GLOBAL)?;
    read_all(to)?.is(to, &Pending::of(from, GLOBAL))?;
    drain();
    Ok(())
}

/// The scheduler has been told, and it is of no interest.
fn drain() {
    super::told::take();
}

/// FFA_NOTIFICATION_GET: what is pending stays.
fn gets(suite: &mut Suite, names: Names, two: [Party; 2]) {
    let [from, to] = two;
    let own = u64::from(to.who.id);
    let flags = all(&to);
    let context = |context: u64| context << 16 | own;
    let other = super::another(suite).who.id;
    let hypervisor = is_hypervisor(&to);
    let rows: [Option<(&str, u64, u64)>; 11] = [
        Some(("reserved_flag_4", own, flags | 1 << 4)),
        Some(("reserved_flag_31", own, flags | 1 << 31)),
        Some(("context_that_is_not", context(contexts_of(&to.who)), flags)),
        Some(("context_65535", context(0xffff), flags)),
        Some(("receiver_is_another", other.into(), flags)),
        Some(("receiver_is_the_sender", from.who.id.into(), flags))
            // At NS-EL2 that is the client's own half of the answer.
            .filter(|_| from.who.is_partition() || !hypervisor),
        Some(("receiver_is_no_partition", NO_PARTITION.into(), flags)),
        Some(("receiver_is_the_spmc", abi::SPMC.into(), flags)),
        Some(("receiver_has_no_bitmap", NO_VM.into(), flags)),
        hypervisor.then_some(("of_vms", own, flags | OF_VMS)),
        hypervisor.then_some(("of_the_hypervisor", own, flags | OF_HYPERVISOR)),
    ];
    for (name, x1, flags) in rows.into_iter().flatten() {
        suite.named(format_args!("{names}/get/{name}"), |suite| {
            between(suite, two, |pair| {
                pair.pending()?;
                let to = &pair.to;
                let answer = to.call(abi::NOTIFICATION_GET, &[x1, flags])?;
                answer.refused(to, "FFA_NOTIFICATION_GET", INVALID_PARAMETERS)?;
                read_all(to)?.is(to, &pair.all_pending())?;
                let _ = super::calls::info(suite, true)?;
                drain();
                pair.unchanged(suite)
            })
        });
    }
}

/// It binds, unbinds and reads nothing. One of 1.0 sets nothing either.
fn hears_nothing(suite: &Suite, party: &Party) -> Check {
    let own = party.who.id;
    let from = suite.me.who.id;
    let call = arguments(from, own, 0, 1);
    for id in [abi::NOTIFICATION_BIND, abi::NOTIFICATION_UNBIND] {
        party
            .call(id, &call)?
            .refused(party, "BIND or UNBIND", NOT_SUPPORTED)?;
    }
    let answer: Answer = party.call(abi::NOTIFICATION_GET, &[own.into(), all(party)])?;
    answer.refused(party, "FFA_NOTIFICATION_GET", NOT_SUPPORTED)?;
    if [V10.id, VM3.id].contains(&own) {
        let call = arguments(own, super::V12.id, 0, 1);
        let answer = party.call(abi::NOTIFICATION_SET, &call)?;
        answer.refused(party, "FFA_NOTIFICATION_SET", NOT_SUPPORTED)?;
    }
    nobody(suite)
}

/// Only the normal world's scheduler is told whom to run.
fn others_info(suite: &Suite, party: &Party) -> Check {
    let [_, _, rich, many] = suite.partitions();
    let two = match party.who.id == rich.who.id {
        true => [suite.me, many],
        false => [suite.me, rich],
    };
    between(suite, two, |pair| {
        set(&pair.from, &pair.to, 0, GLOBAL)?;
        for id in [abi::NOTIFICATION_INFO_GET_32, abi::NOTIFICATION_INFO_GET_64] {
            let answer = party.call(id, &[])?;
            answer.refused(party, "FFA_NOTIFICATION_INFO_GET", NOT_SUPPORTED)?;
        }
        drain();
        super::named(suite, &[super::calls::Entry::whole(pair.to.who.id)])?;
        read_all(&pair.to)?;
        drain();
        pair.unchanged(suite)
    })
}

/// FFA_NOTIFICATION_BIND2, UNBIND2, SET2 and GET2.
fn newer(party: &Party) -> Result<(), Wrong> {
    for id in abi::NOTIFICATION_BIND2..abi::NOTIFICATION_BIND2 + 4 {
        let answer = party.call(id, &[0; 7])?;
        // EL3 may not know them as calls of FF-A.
        if !(is_hypervisor(party) && answer.x[0] == abi::code(NOT_SUPPORTED)) {
            answer.refused(party, "a call of 1.3", NOT_SUPPORTED)?;
        }
        let answer = party.call(abi::FEATURES, &[id.into()])?;
        answer.refused(party, "FFA_FEATURES of it", NOT_SUPPORTED)?;
    }
    Ok(())
}
