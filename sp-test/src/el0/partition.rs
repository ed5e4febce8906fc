//! The partition `sp-el0` (S-EL0): goes through its rows, then answers messages.

use super::rows::{At, Call, ROWS, RW, RX, Row, Want};
use super::{
    CALL, CHECKED, FACTS, HARMLESS, HEAP_PAGES, INSTRUCTION, MAP, PHOENIX, RECLAIM, RELINQUISH,
    RETRIEVE, ROW, RX as RX_PAGE, SEND, SIZE, SPIN, TOUCH, TX, USE_FP, USE_TPIDR, parse,
    privileged, rows,
};
use crate::abi::{self, Regs};
use crate::boot_info::{self, BootInfo};
use crate::expect;
use crate::partition::respond;
use crate::protocol::{FAILED, OK, READ, UNKNOWN, WRITE};
use crate::rt::{
    call::{self, Conduit},
    el0::svc,
    entry::Boot,
    fp::Vectors,
    regs,
};
use crate::transform::Transform;
use core::arch::asm;

/// x4-x17 of an answer.
type Payload = [u64; 14];
/// How a row went: x0, x2 and x3 of what came back.
type Seen = [u64; 3];
/// More than there are rows.
const MAX_ROWS: usize = 96;

/// Where a function for [`TOUCH`] is put.
const CODE: At = At::Heap(7);
/// What it answers.
const ANSWER: u64 = 0x2a;

struct Partition {
    id: u16,
    version: u64,
    boot: Boot,
    rows: [Seen; MAX_ROWS],
    vectors: Option<Vectors>,
    tpidr: u64,
    checked: bool,
    /// Waits, and registers that were not as they were.
    counters: [u64; 2],
}

unsafe extern "C" {
    static __data_start: u8;
}

/// Runs the partition.
pub fn run(boot: &Boot) -> ! {
    let mut partition = Partition::start(boot);
    for (seen, row) in partition.rows.iter_mut().zip(ROWS) {
        if row.only.is_none_or(|only| only == partition.version as u32) {
            *seen = make(row, boot);
        }
    }
    partition.put_code();
    let good = partition.rows.iter().zip(ROWS);
    let good = good.filter(|(seen, row)| is_good(row, seen)).count();
    crate::say!(
        "sp-el0 {:#x} up: FF-A {:#x}, at {:#x}, {good} rows of {} good",
        partition.id,
        partition.version,
        boot.base,
        ROWS.len(),
    );
    partition.serve()
}

fn query(id: u32, x1: u64) -> Regs {
    let mut regs = [0; 18];
    regs[0] = id.into();
    regs[1] = x1;
    svc(&mut regs);
    regs
}

/// The start of the partition's memory.
const fn memory(boot: &Boot) -> u64 {
    boot.base & !(SIZE - 1)
}

fn address(at: At, boot: &Boot) -> u64 {
    at.address(memory(boot), boot.base, &raw const __data_start as u64)
}

/// Makes a row's call.
fn make(row: &Row, boot: &Boot) -> Seen {
    let mut regs = [0; 18];
    regs[1] = address(row.at, boot);
    let id = match row.call {
        Call::Get(more) => {
            regs[2] = more.into();
            abi::MEM_PERM_GET_32
        }
        Call::Set(pages, permissions) => {
            regs[2] = pages.into();
            regs[3] = permissions;
            abi::MEM_PERM_SET_32
        }
    };
    regs[0] = u64::from(id) | u64::from(row.wide) << 30;
    svc(&mut regs);
    [regs[0], regs[2], regs[3]]
}

/// Whether a row went as it must. One that is for another version was not gone through.
fn is_good(row: &Row, seen: &Seen) -> bool {
    match row.want {
        _ if *seen == [0; 3] => row.only.is_some(),
        Want::Success(w2, w3) => *seen == [abi::SUCCESS_32.into(), w2, w3],
        Want::Error(code) => *seen == [abi::ERROR.into(), abi::code(code), 0],
    }
}

impl Partition {
    fn start(boot: &Boot) -> Self {
        let id = query(abi::ID_GET, 0)[2] as u16;
        // What the manifest says; after another call it could not be asked for any more.
        let version = match id {
            PHOENIX => abi::V1_3,
            _ => abi::V1_2,
        };
        Self {
            id,
            version: match query(abi::VERSION, version.into())[0] {
                // The SPMC's own, and no refusal.
                answer if answer >> 31 == 0 => version.into(),
                refusal => refusal,
            },
            boot: *boot,
            rows: [[0; 3]; MAX_ROWS],
            vectors: None,
            tpidr: 0,
            checked: false,
            counters: [0; 2],
        }
    }

    /// Puts a function where it can be executed.
    fn put_code(&self) {
        let row = |permissions| Row {
            name: "",
            only: None,
            wide: true,
            at: CODE,
            call: Call::Set(1, permissions),
            want: Want::Success(0, 0),
        };
        let at = address(CODE, &self.boot);
        // MOV X0, #ANSWER; RET.
        let code = [0xd280_0000 | (ANSWER as u32) << 5, 0xd65f_03c0];
        make(&row(RW), &self.boot);
        for (index, word) in code.into_iter().enumerate() {
            // SAFETY: The heap is nobody's object, and this page can be written.
            unsafe { (at as *mut u32).add(index).write_volatile(word) }
        }
        // SAFETY: Cache maintenance only.
        unsafe {
            asm!(
                "dc cvau, {0}", "dsb ish", "ic ivau, {0}", "dsb ish", "isb",
                in(reg) at, options(nostack, preserves_flags)
            );
        }
        make(&row(RX), &self.boot);
    }

    fn serve(&mut self) -> ! {
        let mut regs = wait();
        loop {
            self.exchange(&mut regs);
            regs = match regs[0] as u32 {
                abi::DIRECT_REQ2 => match parse(regs[4]) {
                    None => self.answer(abi::DIRECT_RESP2, &regs),
                    Some(command) => self.command(command, &regs),
                },
                abi::DIRECT_REQ_32 => self.answer(abi::DIRECT_RESP_32, &regs),
                abi::DIRECT_REQ_64 => self.answer(abi::DIRECT_RESP_64, &regs),
                _ => wait(),
            };
        }
    }

    /// Makes the call in `regs` and takes what completes it; in checked mode, watches the rest.
    fn exchange(&mut self, regs: &mut Regs) {
        if !self.checked {
            return svc(regs);
        }
        let exchange = call::checked_call(Conduit::Svc, regs);
        regs.copy_from_slice(&exchange.got[..18]);
        self.counters[0] += 1;
        let changed = expect::own(&exchange, expect::written(regs[0])).is_err();
        self.counters[1] += u64::from(changed);
    }

    #[inline]
    fn answer(&self, id: u32, request: &Regs) -> Regs {
        let transform = Transform::of(self.id);
        let (first, count) = match id {
            abi::DIRECT_RESP2 => (4, 14),
            _ => (3, 5),
        };
        let mut regs = respond(id, request);
        for index in 0..count {
            regs[first + index] = match id {
                abi::DIRECT_RESP_32 => transform.narrow(index as u32, request[first + index]),
                _ => transform.wide(index as u32, request[first + index]),
            };
        }
        regs
    }

    fn command(&mut self, command: u8, request: &Regs) -> Regs {
        let mut answer: Payload = [0; 14];
        answer[0] = OK;
        let arguments = &request[5..];
        match command {
            ROW => {
                let place = arguments[0] as usize;
                match (ROWS.get(place), self.rows.get(place)) {
                    (Some(row), Some(seen)) => {
                        answer[1] = is_good(row, seen).into();
                        answer[2..5].copy_from_slice(seen);
                    }
                    _ => answer[0] = FAILED,
                }
            }
            CALL => {
                let mut regs = [0; 18];
                regs[..8].copy_from_slice(&arguments[..8]);
                svc(&mut regs);
                answer[1..9].copy_from_slice(&regs[..8]);
            }
            TOUCH => answer[1] = self.touch(arguments[0], arguments[1]),
            INSTRUCTION => match privileged::ALL.get(arguments[0] as usize) {
                Some(instruction) => answer[1] = (instruction.execute)(),
                None => answer[0] = FAILED,
            },
            FACTS => {
                answer[1..7].copy_from_slice(&[
                    self.version,
                    self.id.into(),
                    self.boot.regs[4],
                    self.boot_information() as u64,
                    ROWS.len() as u64,
                    tpidrro(),
                ]);
            }
            USE_FP => {
                let found = Vectors::store();
                answer[1] = self.vectors.map_or(0, |left| left.differences(&found));
                let left = Vectors::pattern(arguments[0]);
                left.load();
                self.vectors = Some(left);
            }
            USE_TPIDR => {
                answer[1] = u64::from(tpidr() != self.tpidr);
                self.tpidr = arguments[0];
                set_tpidr(self.tpidr);
            }
            CHECKED => {
                self.checked = arguments[0] != 0;
                answer[1..3].copy_from_slice(&core::mem::take(&mut self.counters));
            }
            HARMLESS => answer[1] = self.harmless(),
            MAP | SEND | RETRIEVE | RELINQUISH | RECLAIM => {
                let arguments = [arguments[0], arguments[1], arguments[2]];
                answer[1..4].copy_from_slice(&self.share(command, arguments));
            }
            SPIN => {
                let start = regs::cntvct();
                while regs::cntvct().wrapping_sub(start) < arguments[0] {}
            }
            _ => answer[0] = UNKNOWN,
        }
        let mut regs = respond(abi::DIRECT_RESP2, request);
        regs[4..].copy_from_slice(&answer);
        regs
    }

    fn touch(&self, place: u64, how: u64) -> u64 {
        let at = match place {
            page if page < HEAP_PAGES => address(At::Heap(page), &self.boot),
            address => address,
        };
        // SAFETY: The heap is nobody's object, and what is no memory of this partition's is its end; the page that can be
        // executed has a function without arguments.
        unsafe {
            match how {
                READ => (at as *const u64).read_volatile(),
                WRITE => {
                    (at as *mut u64).write_volatile(place);
                    (at as *const u64).read_volatile()
                }
                _ => {
                    let function: extern "C" fn() -> u64 = core::mem::transmute(at);
                    function()
                }
            }
        }
    }

    /// A call of memory management.
    fn share(&self, command: u8, arguments: [u64; 3]) -> [u64; 3] {
        let page = |page| address(At::Heap(page), &self.boot);
        let (tx, rx) = (page(TX), page(RX_PAGE));
        let id = u64::from(self.id);
        let mut regs = [0; 18];
        let (call, x1, x2, x3) = match (command, arguments) {
            (MAP, _) => (abi::RXTX_MAP_64, tx, rx, 1),
            (SEND, [kind, number, to]) => {
                // Normal, write-back, inner shareable; what is lent says nothing.
                let attributes = if kind == 0 { 0x2f << 16 } else { 0 };
                // To read and write; whether to execute says who retrieves it.
                let receiver = to | 2 << 16;
                words(tx, &[id | attributes, 0, 0, 32 | 1 << 32, 48, 0]);
                words(tx + 48, &[receiver | 80 << 32, 0, 0, 0]);
                words(tx + 80, &[1 | 1 << 32, 0, page(number), 1]);
                let call = [abi::MEM_SHARE, abi::MEM_LEND][kind as usize & 1];
                (call, 112, 112, 0)
            }
            (RETRIEVE, [from, handle, kind]) => {
                let flags = (kind + 1) << 3;
                words(
                    tx,
                    &[
                        from | 0x2f << 16 | flags << 32,
                        handle,
                        0,
                        32 | 1 << 32,
                        48,
                        0,
                    ],
                );
                // Only of what is lent it says that it does not execute it.
                words(tx + 48, &[id | (2 | kind << 2) << 16, 0, 0, 0]);
                (abi::MEM_RETRIEVE_REQ, 80, 80, 0)
            }
            (RELINQUISH, [handle, ..]) => {
                words(tx, &[handle, 1 << 32, id]);
                (abi::MEM_RELINQUISH, 0, 0, 0)
            }
            (_, [handle, ..]) => (abi::MEM_RECLAIM, handle & 0xffff_ffff, handle >> 32, 0),
        };
        regs[..4].copy_from_slice(&[call.into(), x1, x2, x3]);
        svc(&mut regs);
        if command != RETRIEVE || regs[0] != abi::MEM_RETRIEVE_RESP.into() {
            return [regs[0], regs[2], regs[3]];
        }
        // SAFETY: The pair is this partition's, and its own now.
        let found = unsafe {
            let access = (rx + 32) as *const u32;
            let composite = (rx + u64::from(access.read_volatile()) + 4) as *const u32;
            let list = rx + u64::from(composite.read_volatile()) + 16;
            (list as *const u64).read_volatile()
        };
        query(abi::RX_RELEASE, 0);
        [regs[0], regs[2], found]
    }

    fn boot_information(&self) -> BootInfo {
        let at = self.boot.regs[0];
        if at == 0 || !at.is_multiple_of(8) {
            return BootInfo::None;
        }
        let mut header = [0; 8];
        for (word, at) in header.iter_mut().zip((at..).step_by(4)) {
            // SAFETY: It is where the firmware says; else this is the partition's end, which fails the test.
            *word = unsafe { (at as *const u32).read_volatile() };
        }
        boot_info::judge(&header)
    }

    /// How many of these did what they must not.
    fn harmless(&self) -> u64 {
        let mut wrong = 0;
        let heap = address(At::Heap(0), &self.boot);
        let (first, second, ctr): (u64, u64, u64);
        // SAFETY: Reads registers, waits for an event that was sent before, and zeroes a block of the heap, which is
        // nobody's object.
        unsafe {
            asm!(
                "mrs {first}, cntvct_el0", "isb", "mrs {second}, cntpct_el0", "mrs {ctr}, ctr_el0",
                "sev", "wfe", "yield", "dc zva, {heap}", "dc civac, {heap}", "dc cvac, {heap}", "dsb sy",
                first = out(reg) first, second = out(reg) second, ctr = out(reg) ctr, heap = in(reg) heap,
                options(nostack, preserves_flags)
            );
        }
        wrong += u64::from(second.wrapping_sub(first) >> 40 != 0);
        wrong += u64::from(ctr & 1 << 31 == 0);
        // SAFETY: The heap's first page can be written.
        wrong += u64::from(unsafe { (heap as *const u64).read_volatile() } != 0);
        let no_call = call::no_call(Conduit::Svc);
        wrong += u64::from(no_call.got[0] != u64::MAX);
        let mut others = no_call;
        others.got[0] = others.sent[0];
        wrong += u64::from(expect::own(&others, 0).is_err());
        wrong
    }
}

fn wait() -> Regs {
    let mut regs = [0; 18];
    regs[0] = abi::MSG_WAIT.into();
    regs
}

/// Writes words to a page of the heap.
fn words(at: u64, words: &[u64]) {
    for (at, word) in (at..).step_by(8).zip(words) {
        // SAFETY: The heap is nobody's object, and the page can be written.
        unsafe { (at as *mut u64).write_volatile(*word) }
    }
}

fn tpidr() -> u64 {
    let value;
    // SAFETY: Reads a register without side effects.
    unsafe { asm!("mrs {}, tpidr_el0", out(reg) value, options(nomem, nostack, preserves_flags)) }
    value
}

fn tpidrro() -> u64 {
    let value;
    // SAFETY: Reads a register without side effects.
    unsafe { asm!("mrs {}, tpidrro_el0", out(reg) value, options(nomem, nostack, preserves_flags)) }
    value
}

fn set_tpidr(value: u64) {
    // SAFETY: Nothing here uses the register.
    unsafe { asm!("msr tpidr_el0, {}", in(reg) value, options(nomem, nostack, preserves_flags)) }
}

const _: () = assert!(rows::ROWS.len() <= MAX_ROWS);
