//! What a party does by itself when FFA_RUN gives it cycles, and the interrupt that tells it of notifications.

use super::Who;
use super::hand::Answer;
use super::protocol::OK;
use crate::abi::{self, Regs};
use crate::interrupts::{
    INTERRUPT_DEACTIVATE, INTERRUPT_GET, NONE, NOTIFICATION, NOTIFICATION_OF_VM,
};
use crate::rt::{
    call::{self, Conduit},
    context::{self, hypercall},
    fault, gic, irq,
};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The arguments of the command.
static WANTED: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];
/// How often it was run, and what it read.
static RUNS: AtomicU64 = AtomicU64::new(0);
static READ: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];
/// Interrupts taken by a partition: how many, the last one's number, how many were others.
static TAKEN: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

fn add(slot: &AtomicU64, value: u64) {
    slot.store(slot.load(Relaxed).wrapping_add(value), Relaxed);
}

fn taken(id: u32, wanted: u32) {
    add(&TAKEN[0], 1);
    TAKEN[1].store(id.into(), Relaxed);
    add(&TAKEN[2], u64::from(id != wanted));
}

/// Lets interrupts be taken, when they are unmasked.
pub fn open(who: &Who) {
    match who.is_partition() {
        true => fault::take_interrupts(|_| drain()),
        false => gic::open(),
    }
}

/// Takes what is pending for this context of a partition.
fn drain() {
    loop {
        let id = hypercall(INTERRUPT_GET, 0, 0, 0);
        if id == NONE {
            return;
        }
        taken(id as u32, NOTIFICATION);
        hypercall(INTERRUPT_DEACTIVATE, id, id, 0);
    }
}

/// Whether masked or not.
fn poll(who: &Who) {
    match who.is_partition() {
        true => drain(),
        false => {
            while let Some(id) = irq::poll() {
                taken(id, NOTIFICATION_OF_VM);
            }
        }
    }
}

/// The command [`TAKE`](super::protocol::TAKE).
pub fn take(who: &Who) -> Answer {
    poll(who);
    let [count, last, others] = [&TAKEN[0], &TAKEN[1], &TAKEN[2]].map(|slot| slot.swap(0, Relaxed));
    (OK, [count, last, others, 0])
}

/// The command [`PLAN`](super::protocol::PLAN).
pub fn make(arguments: [u64; 4]) -> Answer {
    for (slot, argument) in WANTED.iter().zip(arguments) {
        slot.store(argument, Relaxed);
    }
    (OK, [0; 4])
}

/// The command [`REPORT`](super::protocol::REPORT).
pub fn report() -> Answer {
    let runs = RUNS.swap(0, Relaxed);
    let [count, _, others] = [&TAKEN[0], &TAKEN[1], &TAKEN[2]].map(|slot| slot.swap(0, Relaxed));
    let [partitions, vms, framework] =
        [&READ[0], &READ[1], &READ[2]].map(|slot| slot.swap(0, Relaxed));
    let interrupts = count - others;
    (OK, [runs | interrupts << 32, partitions, vms, framework])
}

/// FFA_RUN has ended a wait.
pub fn run(who: &Who) {
    let [flags, first, second, bits] = [0, 1, 2, 3].map(|n: usize| WANTED[n].load(Relaxed));
    if flags == 0 {
        return;
    }
    add(&RUNS, 1);
    match who.is_partition() {
        // By its vector.
        true => {
            context::mask(false);
            context::mask(true);
        }
        false => poll(who),
    }
    let got = made(abi::NOTIFICATION_GET, &[who.id.into(), flags]);
    if got[0] == abi::SUCCESS_32.into() {
        for (slot, pair) in READ.iter().zip(got[2..8].chunks(2)) {
            slot.store(slot.load(Relaxed) | pair[0] | pair[1] << 32, Relaxed);
        }
    }
    for ids in [first, second] {
        if ids != 0 {
            made(
                abi::NOTIFICATION_SET,
                &[ids, 0, bits & 0xffff_ffff, bits >> 32],
            );
        }
    }
}

/// A call with these arguments, and what came back.
fn made(id: u32, arguments: &[u64]) -> Regs {
    let mut regs = [0; 18];
    regs[0] = id.into();
    for (register, argument) in regs[1..].iter_mut().zip(arguments) {
        *register = *argument;
    }
    call::call(Conduit::Smc, &mut regs);
    regs
}
