//! What notifications are for: one side sets one, the scheduler is told and asks whom to run, that one takes its interrupt,
//! reads, and answers in the same way.

use super::super::plain;
use super::calls::{Entry, Pending, all, bind, get, named, nobody, set, unbind};
use super::told_of;
use super::{Check, Party, Suite, told};
use crate::abi::{self, ids};
use crate::memory::protocol::{PLAN, REPORT};

/// A question, and its answer.
const ASK: u64 = 1 << 11 | 1 << 33;
const ANSWER: u64 = 1 << 12 | 1 << 62;
/// How often it is told.
const ROUNDS: usize = 5;

/// The chapter.
pub(super) fn run(suite: &mut Suite) {
    let [_, old, rich, many] = suite.partitions();
    for partition in [old, rich, many] {
        let name = partition.who.name;
        suite.named(format_args!("story/client_asks_{name}"), |suite| {
            client_asks(suite, &partition)
        });
        suite.named(format_args!("story/{name}_asks_client"), |suite| {
            partition_asks(suite, &partition)
        });
    }
    suite.case("story/partition_asks_partition", |suite| {
        others(suite, [rich, old])
    });
    suite.case("story/interleaved", interleaved);
    let vm = suite.vms().first().copied();
    if let Some(vm) = vm {
        suite.case("story/vm_asks_partition", |suite| others(suite, [vm, rich]));
        suite.case("story/partition_asks_vm", |suite| others(suite, [rich, vm]));
        suite.case("story/client_asks_vm", |suite| client_asks(suite, &vm));
        suite.case("story/vm_asks_client", |suite| partition_asks(suite, &vm));
        suite.case("story/two_vms_ask_a_partition", |suite| {
            two_vms(suite, &vm, &rich)
        });
    }
}

/// FFA_RUN until it waits.
pub fn runs(suite: &Suite, party: &Party) -> Check {
    loop {
        let regs = plain(abi::RUN, &[u64::from(party.who.id) << 16]);
        match regs[0] as u32 {
            abi::MSG_WAIT => return Ok(()),
            abi::INTERRUPT => told::interrupted(),
            abi::ERROR => return Err(suite.me.wrong("FFA_RUN", regs[2], abi::MSG_WAIT.into())),
            _ => return Err(suite.me.wrong("FFA_RUN", regs[0], abi::MSG_WAIT.into())),
        }
    }
}

/// When it is run, it answers these.
fn plans(party: &Party, to: &[&Party]) -> Check {
    let mut wanted = [all(party), 0, 0, ANSWER];
    for (slot, to) in wanted[1..3].iter_mut().zip(to) {
        *slot = ids(party.who.id, to.who.id);
    }
    party.told("a plan", PLAN, wanted)?;
    party.told("a report", REPORT, [0; 4])?;
    Ok(())
}

/// It has run once, was interrupted once, and has read this.
fn reports(party: &Party, want: &Pending) -> Check {
    let [runs, partitions, vms, framework] = party.told("a report", REPORT, [0; 4])?;
    party.equal("how often it ran", runs & 0xffff_ffff, 1)?;
    party.equal("how often it was interrupted", runs >> 32, 1)?;
    let read = Pending {
        partitions,
        vms,
        spm: framework & 0xffff_ffff,
        hypervisor: framework >> 32,
    };
    read.is(party, want)
}

/// It does nothing more by itself.
fn rests(party: &Party) -> Check {
    party.told("a plan", PLAN, [0; 4])?;
    Ok(())
}

/// The scheduler is told, and asks whom to run: these.
fn scheduled(suite: &Suite, parties: &[&Party]) -> Check {
    told_of(suite, true)?;
    let mut entries = [Entry::default(); 3];
    for (slot, party) in entries.iter_mut().zip(parties) {
        *slot = Entry::whole(party.who.id);
    }
    named(suite, entries.get(..parties.len()).unwrap_or(&entries))
}

/// The client asks, and is answered.
fn client_asks(suite: &Suite, to: &Party) -> Check {
    let me = &suite.me;
    bind(me, to, 0, ASK)?;
    bind(to, me, 0, ANSWER)?;
    plans(to, &[me])?;
    for _ in 0..ROUNDS {
        set(me, to, 0, ASK)?;
        scheduled(suite, &[to])?;
        runs(suite, to)?;
        scheduled(suite, &[me])?;
        get(me)?.is(me, &Pending::of(to, ANSWER))?;
        reports(to, &Pending::of(me, ASK))?;
        nobody(suite)?;
    }
    rests(to)?;
    unbind(me, to, ASK)?;
    unbind(to, me, ANSWER)
}

/// The other begins: the client answers, and that is its next question.
fn partition_asks(suite: &Suite, from: &Party) -> Check {
    let me = &suite.me;
    bind(from, me, 0, ASK)?;
    bind(me, from, 0, ANSWER)?;
    let mut silent = [0; 4];
    silent[0] = all(from);
    from.told("a plan", PLAN, silent)?;
    from.told("a report", REPORT, [0; 4])?;
    for _ in 0..ROUNDS {
        set(from, me, 0, ASK)?;
        scheduled(suite, &[me])?;
        get(me)?.is(me, &Pending::of(from, ASK))?;
        set(me, from, 0, ANSWER)?;
        scheduled(suite, &[from])?;
        runs(suite, from)?;
        reports(from, &Pending::of(me, ANSWER))?;
        nobody(suite)?;
    }
    rests(from)?;
    unbind(from, me, ASK)?;
    unbind(me, from, ANSWER)
}

/// Two others, and the client is but the scheduler.
fn others(suite: &Suite, [from, to]: [Party; 2]) -> Check {
    bind(&from, &to, 0, ASK)?;
    bind(&to, &from, 0, ANSWER)?;
    plans(&to, &[&from])?;
    let mut silent = [0; 4];
    silent[0] = all(&from);
    from.told("a plan", PLAN, silent)?;
    from.told("a report", REPORT, [0; 4])?;
    for _ in 0..ROUNDS {
        set(&from, &to, 0, ASK)?;
        scheduled(suite, &[&to])?;
        runs(suite, &to)?;
        scheduled(suite, &[&from])?;
        runs(suite, &from)?;
        reports(&to, &Pending::of(&from, ASK))?;
        reports(&from, &Pending::of(&to, ANSWER))?;
        nobody(suite)?;
    }
    rests(&to)?;
    rests(&from)?;
    unbind(&from, &to, ASK)?;
    unbind(&to, &from, ANSWER)
}

/// The client asks two partitions, of whom one asks the client meanwhile, before anybody has run.
fn interleaved(suite: &Suite) -> Check {
    let me = &suite.me;
    let [_, old, rich, _] = suite.partitions();
    for partition in [&old, &rich] {
        bind(me, partition, 0, ASK)?;
        bind(
            partition,
            me,
            0,
            match partition.who.id == old.who.id {
                true => ANSWER,
                false => ANSWER << 1,
            },
        )?;
    }
    bind(&rich, me, 0, ASK)?;
    plans(&old, &[me])?;
    rich.told(
        "a plan",
        PLAN,
        [all(&rich), ids(rich.who.id, me.who.id), 0, ANSWER << 1],
    )?;
    rich.told("a report", REPORT, [0; 4])?;
    for _ in 0..ROUNDS {
        set(me, &rich, 0, ASK)?;
        set(&rich, me, 0, ASK)?;
        set(me, &old, 0, ASK)?;
        told::take();
        named(
            suite,
            &[&old, &rich, me].map(|party| Entry::whole(party.who.id)),
        )?;
        runs(suite, &rich)?;
        runs(suite, &old)?;
        // Who has been named is named again for what is new.
        scheduled_for_more(suite, me)?;
        let all_of = Pending::of(&rich, ASK | ANSWER | ANSWER << 1);
        get(me)?.is(me, &all_of)?;
        reports(&rich, &Pending::of(me, ASK))?;
        reports(&old, &Pending::of(me, ASK))?;
        nobody(suite)?;
    }
    rests(&old)?;
    rests(&rich)?;
    unbind(&old, me, ANSWER)?;
    unbind(&rich, me, ANSWER << 1 | ASK)?;
    unbind(me, &old, ASK)?;
    unbind(me, &rich, ASK)
}

/// It is told at least once, and one is named.
fn scheduled_for_more(suite: &Suite, party: &Party) -> Check {
    told::take();
    named(suite, &[Entry::whole(party.who.id)])
}

/// Both ask, and the partition answers both; then both ask before it has run.
fn two_vms(suite: &Suite, vm: &Party, partition: &Party) -> Check {
    let me = &suite.me;
    let [mine, theirs] = [ASK, ASK << 1];
    bind(me, partition, 0, mine)?;
    bind(vm, partition, 0, theirs)?;
    bind(partition, me, 0, ANSWER)?;
    bind(partition, vm, 0, ANSWER)?;
    plans(partition, &[me, vm])?;
    vm.told("a plan", PLAN, [all(vm), 0, 0, 0])?;
    vm.told("a report", REPORT, [0; 4])?;
    for round in 0..ROUNDS {
        let question = match round % 3 {
            0 => mine,
            1 => theirs,
            _ => mine | theirs,
        };
        if question & theirs & !mine != 0 {
            set(vm, partition, 0, theirs)?;
        }
        if round % 3 != 1 {
            set(me, partition, 0, mine)?;
        }
        scheduled_for_more(suite, partition)?;
        runs(suite, partition)?;
        told::take();
        named(suite, &[Entry::whole(me.who.id), Entry::whole(vm.who.id)])?;
        runs(suite, vm)?;
        get(me)?.is(me, &Pending::of(partition, ANSWER))?;
        reports(vm, &Pending::of(partition, ANSWER))?;
        let read = match round % 3 {
            0 => mine,
            1 => theirs,
            _ => mine | theirs,
        };
        reports(partition, &Pending::of(me, read))?;
        nobody(suite)?;
    }
    rests(partition)?;
    rests(vm)?;
    unbind(me, partition, mine)?;
    unbind(vm, partition, theirs)?;
    unbind(partition, me, ANSWER)?;
    unbind(partition, vm, ANSWER)
}

/// The answers to two questions are told apart.
const _: () = assert!(ANSWER & (ANSWER << 1) == 0 && ASK & (ASK << 1) == 0);
