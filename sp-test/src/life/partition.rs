//! The partition `sp-life`: lives as it is told, and dies so.

use super::{
    ABORT_64, BAD_ABORT, BORN, BY_HVC, DIE, DIE_IN_RUN, KEEPER, LATE_ERROR, MAP, Order, PROBE,
    SPIN, STATE, command, parse, state,
};
use crate::abi::{self, Regs, ids};
use crate::expect::{self, Expect};
use crate::partition::{find_boot_info, query, respond};
use crate::protocol::{EXECUTE, FAILED, OK, READ, UNKNOWN, WRITE};
use crate::rt::{
    call::{self, Conduit},
    entry::Boot,
    fault::{self, Fault},
    regs,
};
use crate::transform::Transform;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A partition's memory: 512 KiB, aligned so.
const SIZE: u64 = 0x8_0000;
/// What lies behind the image, from the partition's start: memory that is dirtied, and the RX/TX pair.
const HEAP: u64 = 0x6_0000;
const HEAP_WORDS: u64 = 0x2000;
const TX: u64 = 0x7_0000;
const RX: u64 = 0x7_1000;

/// What the image has in `.data`.
const PRISTINE: u64 = 0x0123_4567_89ab_cdef;
const DIRT: u64 = 0xdead_dead_dead_dead;

/// Not zero, so that it is in the image: what a restart must put back.
static DATA: [AtomicU64; 4] = [const { AtomicU64::new(PRISTINE) }; 4];
/// The lives that this memory has seen, and one that only the image can have put there.
static LIVES: AtomicU64 = AtomicU64::new(100);

/// x4-x17 of an answer, or as many of x3-x7.
type Payload = [u64; 14];

struct Life {
    id: u16,
    start: u64,
    state: Payload,
    /// The form of death for the next FFA_RUN.
    armed: Option<u64>,
}

/// Runs the partition. `fate` is what it does in its initialisation; without one it asks `sp-keep`.
pub fn run(fate: Option<Order>, boot: &Boot) -> ! {
    let version = query(abi::VERSION, abi::V1_3.into())[0];
    let id = query(abi::ID_GET, 0)[2] as u16;
    let start = boot.base & !(SIZE - 1);

    let lives = LIVES.load(Relaxed).wrapping_sub(99);
    LIVES.store(lives.wrapping_add(100), Relaxed);
    let changed = DATA
        .iter()
        .filter(|word| word.load(Relaxed) != PRISTINE)
        .count() as u64;
    let leftovers = heap(start).filter(|word| word.load(Relaxed) != 0).count() as u64;

    let (order, argument, life) = match fate {
        Some(order) => (order, 0, 0),
        None => ask_keeper(id),
    };
    let mut facts = [0; 14];
    facts[0] = OK;
    facts[state::LIVES_IN_MEMORY] = lives;
    facts[state::CHANGED_DATA] = changed;
    facts[state::LEFTOVERS] = leftovers;
    facts[state::BOOT_INFO] = find_boot_info(boot.regs[0]) as u64;
    facts[state::VERSION] = version;
    facts[state::ID] = id.into();
    facts[state::CONTEXT] = boot.regs[4];
    facts[state::LIFE] = life;
    // One line for each life would be many.
    if life <= 1 {
        crate::say!("sp-life {id:#x} up: FF-A {version:#x}, life {life}, {order:?}");
    }
    let mut life = Life {
        id,
        start,
        state: facts,
        armed: None,
    };
    match order {
        Order::Live => {}
        Order::Spin => spin(argument),
        Order::Abort => {
            let _ = life.die(ABORT_64);
        }
        Order::Error => {
            life.dirty();
            let mut regs = [0; 18];
            regs[0] = abi::ERROR.into();
            regs[2] = abi::code(abi::ABORTED);
            call::call(Conduit::Smc, &mut regs);
            crate::say!(
                "sp-life {id:#x}: FFA_ERROR returned {:#x} {:#x}",
                regs[0],
                regs[2]
            );
        }
    }
    life.serve()
}

fn heap(start: u64) -> impl Iterator<Item = &'static AtomicU64> {
    (0..HEAP_WORDS).map(move |n| {
        // SAFETY: these words are the partition's own memory, behind the image and its stack.
        unsafe { &*((start + HEAP + 8 * n) as *const AtomicU64) }
    })
}

/// What this life is for: the order, its argument, which life it is.
fn ask_keeper(id: u16) -> (Order, u64, u64) {
    let mut regs = [0; 18];
    regs[0] = abi::DIRECT_REQ2.into();
    regs[1] = ids(id, KEEPER);
    regs[4] = command(BORN);
    call::call(Conduit::Smc, &mut regs);
    if regs[0] as u32 != abi::DIRECT_RESP2 || regs[4] != OK {
        return (Order::Live, 0, 0);
    }
    (Order::from_number(regs[5]), regs[6], regs[7])
}

/// Spins for as many ticks, 0 for ever.
fn spin(ticks: u64) {
    let start = regs::cntvct();
    while ticks == 0 || regs::cntvct().wrapping_sub(start) < ticks {
        core::hint::spin_loop();
    }
}

fn payload(status: u64, details: &[u64]) -> Payload {
    let mut all = [0; 14];
    all[0] = status;
    for (slot, value) in all.iter_mut().skip(1).zip(details) {
        *slot = *value;
    }
    all
}

fn wait() -> Regs {
    let mut regs = [0; 18];
    regs[0] = abi::MSG_WAIT.into();
    regs
}

impl Life {
    fn serve(&mut self) -> ! {
        let mut regs = wait();
        loop {
            call::call(Conduit::Smc, &mut regs);
            regs = match regs[0] as u32 {
                abi::DIRECT_REQ2 => self.answer(&regs, abi::DIRECT_RESP2, 4, 14),
                abi::DIRECT_REQ_64 => self.answer(&regs, abi::DIRECT_RESP_64, 3, 5),
                abi::DIRECT_REQ_32 => self.answer(&regs, abi::DIRECT_RESP_32, 3, 5),
                abi::RUN => {
                    if let Some(form) = self.armed.take() {
                        let _ = self.die(form);
                    }
                    wait()
                }
                _ => wait(),
            };
        }
    }

    fn answer(&mut self, request: &Regs, id: u32, first: usize, count: usize) -> Regs {
        let mut asked = [0; 14];
        for (slot, word) in asked.iter_mut().zip(request.iter().skip(first)).take(count) {
            *slot = *word;
        }
        let transform = Transform::of(self.id);
        let answer = match parse(asked[0]) {
            Some(command) => self.command(command, &asked),
            None => core::array::from_fn(|n| match id {
                abi::DIRECT_RESP_32 => transform.narrow(n as u32, asked[n]),
                _ => transform.wide(n as u32, asked[n]),
            }),
        };
        let mut regs = respond(id, request);
        for (slot, word) in regs.iter_mut().skip(first).zip(answer).take(count) {
            *slot = word;
        }
        regs
    }

    fn command(&mut self, command: u8, asked: &Payload) -> Payload {
        let [_, first, second, ..] = *asked;
        match command {
            STATE => self.state,
            DIE => {
                for _ in 0..second {
                    query(abi::YIELD, 0);
                }
                self.die(first)
            }
            DIE_IN_RUN => {
                self.armed = Some(first);
                payload(OK, &[])
            }
            BAD_ABORT => bad_abort(first, second as usize),
            LATE_ERROR => refused(abi::ERROR, abi::code(abi::ABORTED), abi::NOT_SUPPORTED),
            MAP => {
                let mut regs = [0; 18];
                regs[0] = abi::RXTX_MAP_64.into();
                regs[1] = self.start + TX;
                regs[2] = self.start + RX;
                regs[3] = 1;
                call::call(Conduit::Smc, &mut regs);
                payload(OK, &[regs[0], regs[2]])
            }
            PROBE => probe(first, second),
            SPIN => {
                spin(first);
                match second {
                    1 => self.die(0),
                    _ => payload(OK, &[]),
                }
            }
            _ => payload(UNKNOWN, &[]),
        }
    }

    /// Leaves its memory as it must not be found again.
    fn dirty(&self) {
        for word in &DATA {
            word.store(DIRT, Relaxed);
        }
        heap(self.start).for_each(|word| word.store(DIRT, Relaxed));
    }

    /// Dies. Whoever gets an answer from it knows that it has not.
    #[must_use]
    fn die(&mut self, form: u64) -> Payload {
        self.dirty();
        let mut regs = [0; 18];
        regs[0] = abort(form);
        // The reason: any.
        regs[2] = call::fresh().next();
        call::call(conduit(form), &mut regs);
        payload(FAILED, &[regs[0], regs[2]])
    }
}

const fn abort(form: u64) -> u64 {
    match form & ABORT_64 {
        0 => abi::ABORT as u64,
        _ => abi::ABORT_64 as u64,
    }
}

const fn conduit(form: u64) -> Conduit {
    match form & BY_HVC {
        0 => Conduit::Smc,
        _ => Conduit::Hvc,
    }
}

/// FFA_ABORT with something in a register that must be zero.
fn bad_abort(form: u64, register: usize) -> Payload {
    let mut regs = [0; 18];
    call::fresh().fill(&mut regs[8..]);
    regs[0] = abort(form);
    if let Some(slot) = regs.get_mut(register) {
        *slot = 1;
    }
    checked(conduit(form), &regs, &[abi::INVALID_PARAMETERS])
}

/// A call with x2 that must be refused.
fn refused(id: u32, x2: u64, code: i32) -> Payload {
    let mut regs = [0; 18];
    call::fresh().fill(&mut regs[8..]);
    regs[0] = id.into();
    regs[2] = x2;
    match code {
        abi::NOT_SUPPORTED => checked(Conduit::Smc, &regs, &[abi::NOT_SUPPORTED]),
        _ => checked(Conduit::Smc, &regs, &[abi::DENIED]),
    }
}

fn checked(conduit: Conduit, regs: &Regs, codes: &'static [i32]) -> Payload {
    let exchange = call::checked_call(conduit, regs);
    match expect::check(&exchange, &Expect::Error(codes)) {
        Ok(()) => payload(OK, &[]),
        Err(wrong) => payload(FAILED, &[wrong.register.into(), wrong.got, wrong.want]),
    }
}

fn probe(address: u64, how: u64) -> Payload {
    let result: Result<u64, Fault> = match how {
        READ => fault::probe_read(address),
        // SAFETY: the client names addresses outside of this partition: nothing of it is there.
        WRITE => unsafe { fault::probe_write(address, 0) }.map(|()| 0),
        // SAFETY: as above; a fetch from there faults, or the case has failed anyway.
        EXECUTE => unsafe { fault::probe_execute(address) }.map(|()| 0),
        _ => return payload(UNKNOWN, &[]),
    };
    match result {
        Ok(value) => payload(OK, &[0, value, 0]),
        Err(fault) => payload(OK, &[1, fault.esr, fault.far]),
    }
}
