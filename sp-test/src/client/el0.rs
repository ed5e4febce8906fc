//! `client-el0`: partitions at S-EL0 answer as others do, change their pages while they may, and die alone.

use super::report::{Failure, Seen, Verdict, equal};
use super::{Client, ECHO, Payload, Peer, RELAY, Refusal, compare, registers};
use crate::abi::{self, ABORTED, DENIED, Regs};
use crate::board::place;
use crate::boot_info::BootInfo;
use crate::el0::{self, MORTAL, PHOENIX, command, privileged, rows};
use crate::protocol::{self, CALL, EXECUTE, KIND_REQ_32, KIND_REQ_64, KIND_REQ2, OK, READ, WRITE};
use crate::rt::call::{Conduit, checked_call, fresh};
use crate::rt::{entry::Boot, fp::Vectors, interrupt, regs};
use crate::transform::Transform;

/// Round trips of each kind.
const TRIPS: u64 = 50;

/// The image's start.
pub fn main(boot: &Boot) -> ! {
    let mut suite = Suite {
        client: Client::start("client-el0", boot),
    };
    interrupt::open();
    for peer in [&ECHO, &RELAY] {
        // If it is not understood, `others` will tell.
        let _ = suite.client.command(peer, protocol::SET_CHECKED, &[1]);
    }
    for id in [MORTAL, PHOENIX] {
        alive(&mut suite, &peer(id));
    }
    pages(&mut suite);
    sharing(&mut suite);
    ends(&mut suite);
    suite.case("mortal/dies", |suite| {
        suite.kill(&peer(MORTAL), el0::TOUCH, &[rows::SPMC, READ])
    });
    suite.case("mortal/stays_dead", |suite| {
        for _ in 0..3 {
            suite.aborted(&peer(MORTAL), el0::FACTS, &[])?;
        }
        suite.others()
    });
    suite.case("phoenix/goes_on", |suite| suite.talk(&peer(PHOENIX)));
    suite.case("others/registers_kept", |suite| suite.registers_kept());
    suite.client.end()
}

/// `sp-el0` with this id.
pub const fn peer(id: u16) -> Peer {
    Peer {
        name: "sp-el0",
        id,
        uuid: el0::uuid(id),
        transform: Transform::of(id),
    }
}

/// The kinds of direct requests: the call, its name, `sp-relay`'s word for it.
const KINDS: [(u32, &str, u64); 3] = [
    (abi::DIRECT_REQ_32, "req_32", KIND_REQ_32),
    (abi::DIRECT_REQ_64, "req_64", KIND_REQ_64),
    (abi::DIRECT_REQ2, "req2", KIND_REQ2),
];

const fn name(peer: &Peer) -> &'static str {
    match peer.id {
        MORTAL => "mortal",
        _ => "phoenix",
    }
}

/// One that nothing has happened to.
fn alive(suite: &mut Suite, peer: &Peer) {
    let of = name(peer);
    for (call, kind, relayed) in KINDS {
        suite.case(format_args!("{of}/{kind}"), |suite| suite.trips(peer, call));
        suite.case(format_args!("{of}/{kind}_of_a_partition"), |suite| {
            suite.relayed(peer, relayed)
        });
    }
    suite.case(format_args!("{of}/facts"), |suite| {
        let [version, id, context, boot, count, tpidrro, ..] = suite.ask(peer, el0::FACTS, &[])?;
        let speaks = match peer.id {
            MORTAL => abi::V1_2,
            _ => abi::V1_3,
        };
        equal("FFA_VERSION", version, speaks.into())?;
        equal("FFA_ID_GET", id, peer.id.into())?;
        equal("x4 at entry", context, 0)?;
        equal("boot information", boot, BootInfo::Good as u64)?;
        equal("rows", count, rows::ROWS.len() as u64)?;
        equal("TPIDRRO_EL0", tpidrro, 0)?;
        Ok(Seen::Nothing)
    });
    suite.case(format_args!("{of}/registers_kept"), |suite| {
        suite.ask(peer, el0::CHECKED, &[1])?;
        suite.trips(peer, abi::DIRECT_REQ2)?;
        suite.trips(peer, abi::DIRECT_REQ_32)?;
        suite.relayed(peer, KIND_REQ2)?;
        let [checked, changed, ..] = suite.ask(peer, el0::CHECKED, &[0])?;
        equal("registers lost around waits", changed, 0)?;
        Ok(Seen::Count("waits checked", checked))
    });
    suite.case(format_args!("{of}/vector_registers_kept"), |suite| {
        suite.vectors(peer)
    });
    suite.case(format_args!("{of}/tpidr_el0_kept"), |suite| {
        for seed in 1..=10 {
            let [different, ..] = suite.ask(peer, el0::USE_TPIDR, &[seed])?;
            equal("TPIDR_EL0 changed", different, 0)?;
            suite.others()?;
        }
        Ok(Seen::Nothing)
    });
    suite.case(format_args!("{of}/what_el0_may_do"), |suite| {
        let [wrong, ..] = suite.ask(peer, el0::HARMLESS, &[])?;
        equal("of those went wrong", wrong, 0)?;
        Ok(Seen::Nothing)
    });
    suite.case(format_args!("{of}/preempted_and_run"), |suite| {
        suite.preempted(peer)
    });
    for (index, row) in rows::ROWS.iter().enumerate() {
        let speaks = match peer.id {
            MORTAL => abi::V1_2,
            _ => abi::V1_3,
        };
        if row.only.is_some_and(|only| only != speaks) {
            continue;
        }
        suite.case(format_args!("mem_perm/{of}/{}", row.name), |suite| {
            let [good, x0, x2, x3, ..] = suite.ask(peer, el0::ROW, &[index as u64])?;
            if good != 1 {
                equal("x3", x3, u64::MAX)?;
                return Err(Failure::Refused(Refusal { x0, x2 }));
            }
            Ok(Seen::Nothing)
        });
    }
    for (what, id, arguments) in [
        ("get_32", abi::MEM_PERM_GET_32, [0x1000, 0, 0]),
        ("get_64", abi::MEM_PERM_GET_64, [0x1000, 0, 0]),
        ("set_32", abi::MEM_PERM_SET_32, [0x1000, 1, rows::RW]),
        ("set_64", abi::MEM_PERM_SET_64, [0x1000, 1, rows::RW]),
    ] {
        suite.case(
            format_args!("mem_perm/{of}/{what}_is_denied_after_the_initialisation"),
            |suite| suite.denied(peer, id, &arguments),
        );
    }
    for (what, id, want) in [
        ("mem_perm_get", abi::MEM_PERM_GET_64, true),
        ("mem_perm_set", abi::MEM_PERM_SET_32, true),
        ("msg_wait", abi::MSG_WAIT, true),
        ("secondary_ep_register", abi::SECONDARY_EP_REGISTER, false),
        // The managed exit interrupt.
        ("managed_exit", 3, false),
    ] {
        suite.case(format_args!("{of}/features/{what}"), |suite| {
            let [x0, ..] = suite.ask(peer, el0::CALL, &[abi::FEATURES.into(), id.into()])?;
            let wanted = if want { abi::SUCCESS_32 } else { abi::ERROR };
            equal("x0", x0, wanted.into())?;
            Ok(Seen::Nothing)
        });
    }
}

/// What its pages permit, it can do.
fn pages(suite: &mut Suite) {
    let phoenix = peer(PHOENIX);
    for (what, page, how, want) in [
        ("write_what_is_read_write", 0, WRITE, 0),
        (
            "write_the_last_page",
            el0::HEAP_PAGES - 1,
            WRITE,
            el0::HEAP_PAGES - 1,
        ),
        ("read_what_is_read_only", 1, READ, 0),
        ("read_what_is_executable", 2, READ, 0),
        ("execute_what_is_executable", 7, EXECUTE, 0x2a),
    ] {
        suite.case(format_args!("pages/{what}"), |suite| {
            let [got, ..] = suite.ask(&phoenix, el0::TOUCH, &[page, how])?;
            equal("value", got, want)?;
            Ok(Seen::Nothing)
        });
    }
}

/// Memory of the normal world that they have by their manifests, and what they share with each other.
fn sharing(suite: &mut Suite) {
    let (mortal, phoenix) = (peer(MORTAL), peer(PHOENIX));
    for (peer, page) in [mortal, phoenix].into_iter().zip(el0::PAGES) {
        suite.case(
            format_args!("memory/{}/the_normal_worlds_page", name(&peer)),
            |suite| {
                let page = place(page);
                // SAFETY: nobody else has anything there.
                unsafe { (page as *mut u64).write_volatile(0x1234_5678) }
                let [got, ..] = suite.ask(&peer, el0::TOUCH, &[page, READ])?;
                equal("what it reads", got, 0x1234_5678)?;
                suite.ask(&peer, el0::TOUCH, &[page, WRITE])?;
                // SAFETY: as above.
                let got = unsafe { (page as *const u64).read_volatile() };
                equal("what it wrote", got, page)?;
                Ok(Seen::Nothing)
            },
        );
        suite.case(
            format_args!("memory/{}/maps_its_pair", name(&peer)),
            |suite| suite.succeeds(&peer, el0::MAP, &[]),
        );
    }
    let shared = place(el0::PLACES[0]) + el0::HEAP + el0::TO_SHARE * 0x1000;
    let mut handle = 0;
    suite.case("memory/share", |suite| {
        let arguments = [0, el0::TO_SHARE, PHOENIX.into()];
        let [x0, low, high, ..] = suite.ask(&mortal, el0::SEND, &arguments)?;
        succeeded(x0, low)?;
        handle = low | high << 32;
        Ok(Seen::Value("handle", handle))
    });
    suite.case("memory/share_is_not_seen_before_it_is_retrieved", |suite| {
        suite.kill(&phoenix, el0::TOUCH, &[shared, READ])?;
        suite.succeeds(&phoenix, el0::MAP, &[])
    });
    suite.case("memory/retrieve", |suite| {
        let arguments = [MORTAL.into(), handle, 0];
        let [x0, x2, found, ..] = suite.ask(&phoenix, el0::RETRIEVE, &arguments)?;
        if x0 != abi::MEM_RETRIEVE_RESP.into() {
            return Err(Failure::Refused(Refusal { x0, x2 }));
        }
        equal("the page", found, shared)?;
        Ok(Seen::Nothing)
    });
    suite.case("memory/both_see_the_same", |suite| {
        suite.ask(&phoenix, el0::TOUCH, &[shared, WRITE])?;
        let [got, ..] = suite.ask(&mortal, el0::TOUCH, &[el0::TO_SHARE, READ])?;
        equal("what the owner reads", got, shared)?;
        suite.ask(&mortal, el0::TOUCH, &[el0::TO_SHARE, WRITE])?;
        let [got, ..] = suite.ask(&phoenix, el0::TOUCH, &[shared, READ])?;
        equal("what the borrower reads", got, el0::TO_SHARE)?;
        Ok(Seen::Nothing)
    });
    suite.case("memory/relinquish", |suite| {
        suite.succeeds(&phoenix, el0::RELINQUISH, &[handle])
    });
    suite.case("memory/relinquished_is_out_of_reach", |suite| {
        suite.kill(&phoenix, el0::TOUCH, &[shared, READ])?;
        suite.succeeds(&phoenix, el0::MAP, &[])
    });
    suite.case("memory/reclaim", |suite| {
        suite.succeeds(&mortal, el0::RECLAIM, &[handle])?;
        let [got, ..] = suite.ask(&mortal, el0::TOUCH, &[el0::TO_SHARE, READ])?;
        equal("what the owner reads", got, el0::TO_SHARE)?;
        Ok(Seen::Nothing)
    });
    suite.case("memory/what_is_lent_is_out_of_reach", |suite| {
        let arguments = [1, el0::TO_SHARE, MORTAL.into()];
        let [x0, low, ..] = suite.ask(&phoenix, el0::SEND, &arguments)?;
        succeeded(x0, low)?;
        suite.kill(&phoenix, el0::TOUCH, &[el0::TO_SHARE, READ])?;
        // In its next life it is its own again.
        suite.ask(&phoenix, el0::TOUCH, &[el0::TO_SHARE, WRITE])?;
        Ok(Seen::Nothing)
    });
}

/// Fails unless a call was completed by FFA_SUCCESS.
fn succeeded(x0: u64, x2: u64) -> Result<(), Failure> {
    match x0 as u32 {
        abi::SUCCESS_32 | abi::SUCCESS_64 => Ok(()),
        _ => Err(Failure::Refused(Refusal { x0, x2 })),
    }
}

/// What it can't do is its end, and nobody else's.
fn ends(suite: &mut Suite) {
    let phoenix = peer(PHOENIX);
    let base = place(el0::PLACES[1]);
    for (what, at, how) in [
        ("write_what_is_read_only", 1, WRITE),
        ("write_what_is_executable", 2, WRITE),
        ("execute_what_is_read_only", 1, EXECUTE),
        ("execute_what_is_read_write", 0, EXECUTE),
        ("write_its_code", base + 0x4000, WRITE),
        ("read_address_0x8000", 0x8000, READ),
        ("read_behind_its_memory", base + el0::SIZE, READ),
        ("read_the_spmc", rows::SPMC, READ),
        ("write_the_spmc", rows::SPMC, WRITE),
        ("execute_the_spmc", rows::SPMC, EXECUTE),
        ("read_another_partition", place(0x0e30_0000), READ),
        ("read_the_normal_world", place(0x4000_0000), READ),
        ("read_a_device", place(0x0904_0000), READ),
        ("read_above_its_addresses", 1 << 40, READ),
        ("read_the_upper_half", u64::MAX << 40, READ),
    ] {
        suite.case(format_args!("dies/{what}"), |suite| {
            suite.kill(&phoenix, el0::TOUCH, &[at, how])?;
            suite.talk(&phoenix)
        });
    }
    for (index, instruction) in privileged::ALL.iter().enumerate() {
        suite.case(format_args!("dies/{}", instruction.name), |suite| {
            suite.kill(&phoenix, el0::INSTRUCTION, &[index as u64])?;
            suite.talk(&phoenix)
        });
    }
    suite.case("dies/called_by_a_partition", |suite| {
        let words = [command(el0::TOUCH), rows::SPMC, READ];
        let [x0, x2] = suite.relay(&phoenix, KIND_REQ2, &words)?;
        equal("sp-relay's x0", x0, abi::ERROR.into())?;
        equal("sp-relay's x2", x2, abi::code(ABORTED))?;
        suite.talk(&phoenix)?;
        suite.others()
    });
    suite.case("dies/registers_of_its_next_life", |suite| {
        suite.ask(&phoenix, el0::USE_FP, &[1])?;
        suite.ask(&phoenix, el0::USE_TPIDR, &[1])?;
        suite.kill(&phoenix, el0::TOUCH, &[rows::SPMC, READ])?;
        // Nothing was left, and 0 is what it starts with.
        let [different, ..] = suite.ask(&phoenix, el0::USE_TPIDR, &[0])?;
        equal("TPIDR_EL0 is not 0", different, 0)?;
        suite.vectors(&phoenix)
    });
    suite.case("dies/rows_of_its_next_life", |suite| {
        for index in 0..rows::ROWS.len() {
            let [good, ..] = suite.ask(&phoenix, el0::ROW, &[index as u64])?;
            equal("row is good", good, 1)?;
        }
        Ok(Seen::Count("rows", rows::ROWS.len() as u64))
    });
}

/// A client with this suite's questions.
struct Suite {
    client: Client,
}

impl Suite {
    fn case(
        &mut self,
        name: impl core::fmt::Display,
        run: impl FnOnce(&mut Self) -> Result<Seen, Failure>,
    ) {
        let verdict = run(self);
        self.client.case(name, verdict);
    }

    fn request(&self, call: u32, peer: &Peer, payload: &Payload) -> Regs {
        let [a, b, c, d, e, ..] = *payload;
        match call {
            abi::DIRECT_REQ2 => self.client.req2(peer, payload),
            abi::DIRECT_REQ_32 => {
                let words = [a, b, c, d, e].map(|word| word & 0xffff_ffff);
                self.client.req(call, peer, &words)
            }
            _ => self.client.req(call, peer, &[a, b, c, d, e]),
        }
    }

    /// A command by `DIRECT_REQ2`, with every register that it must not change watched.
    fn send(&self, peer: &Peer, number: u8, arguments: &[u64]) -> Result<Regs, Failure> {
        let mut payload = [0; 14];
        payload[0] = command(number);
        for (slot, word) in payload.iter_mut().skip(1).zip(arguments) {
            *slot = *word;
        }
        let exchange = checked_call(Conduit::Smc, &self.client.req2(peer, &payload));
        let mut regs = [0; 18];
        regs.copy_from_slice(&exchange.got[..18]);
        Ok(regs)
    }

    /// The details of its answer.
    fn ask(&self, peer: &Peer, number: u8, arguments: &[u64]) -> Result<[u64; 13], Failure> {
        let regs = self.send(peer, number, arguments)?;
        if regs[0] != abi::DIRECT_RESP2.into() {
            return Err(Failure::Refused(Refusal {
                x0: regs[0],
                x2: regs[2],
            }));
        }
        equal("status", regs[4], OK)?;
        let mut details = [0; 13];
        details.copy_from_slice(&regs[5..18]);
        Ok(details)
    }

    /// Fails unless the command is answered by FFA_ERROR with ABORTED.
    fn aborted(&self, peer: &Peer, number: u8, arguments: &[u64]) -> Result<(), Failure> {
        let regs = self.send(peer, number, arguments)?;
        equal("x0", regs[0], abi::ERROR.into())?;
        equal("x2", regs[2], abi::code(ABORTED))
    }

    /// Has it die; the others go on.
    fn kill(&self, peer: &Peer, number: u8, arguments: &[u64]) -> Verdict {
        self.aborted(peer, number, arguments)?;
        self.others()
    }

    fn succeeds(&self, peer: &Peer, number: u8, arguments: &[u64]) -> Verdict {
        let [x0, x2, ..] = self.ask(peer, number, arguments)?;
        succeeded(x0, x2)?;
        Ok(Seen::Nothing)
    }

    fn denied(&self, peer: &Peer, id: u32, arguments: &[u64]) -> Verdict {
        let [a, b, c, ..] = *arguments else {
            return Ok(Seen::Nothing);
        };
        let [x0, _, x2, ..] = self.ask(peer, el0::CALL, &[id.into(), a, b, c])?;
        equal("x0", x0, abi::ERROR.into())?;
        equal("x2", x2, abi::code(DENIED))?;
        Ok(Seen::Nothing)
    }

    fn message(&self, peer: &Peer, call: u32) -> Result<(), Failure> {
        let mut payload = [0; 14];
        fresh().fill(&mut payload);
        let request = self.request(call, peer, &payload);
        let exchange = checked_call(Conduit::Smc, &request);
        compare(peer, &request, &exchange).map_err(|mismatch| Failure::Register {
            conduit: Conduit::Smc,
            call: exchange.sent[0],
            mismatch,
            result: Refusal {
                x0: exchange.got[0],
                x2: exchange.got[2],
            },
        })
    }

    fn trips(&self, peer: &Peer, call: u32) -> Verdict {
        for _ in 0..TRIPS {
            self.message(peer, call)?;
        }
        Ok(Seen::Count("round trips", TRIPS))
    }

    fn talk(&self, peer: &Peer) -> Verdict {
        for (call, ..) in KINDS {
            self.message(peer, call)?;
        }
        Ok(Seen::Nothing)
    }

    /// Those at S-EL1.
    fn others(&self) -> Verdict {
        self.talk(&ECHO)?;
        self.talk(&RELAY)
    }

    /// Has `sp-relay` send a request of a kind; gives x0 and x2 of what came back.
    fn relay(&self, peer: &Peer, kind: u64, words: &[u64; 3]) -> Result<[u64; 2], Failure> {
        let answer = self.relayed_answer(peer, kind, words)?;
        Ok([answer[1], answer[3]])
    }

    fn relayed_answer(&self, peer: &Peer, kind: u64, words: &[u64; 3]) -> Result<Payload, Failure> {
        let [first, second, third] = *words;
        let arguments = [kind, peer.id.into(), first, second, third];
        let answer = self.client.command(&RELAY, CALL, &arguments)?;
        equal("sp-relay's status", answer[0], OK)?;
        Ok(answer)
    }

    /// `sp-relay` gets the right answer.
    fn relayed(&self, peer: &Peer, kind: u64) -> Verdict {
        for _ in 0..TRIPS {
            let mut words = [0; 3];
            fresh().fill(&mut words);
            if kind == KIND_REQ_32 {
                words = words.map(|word| word & 0xffff_ffff);
            }
            let answer = self.relayed_answer(peer, kind, &words)?;
            for (index, (got, sent)) in (0..).zip(answer.iter().skip(4).zip(words)) {
                let want = match kind {
                    KIND_REQ_32 => peer.transform.narrow(index, sent),
                    _ => peer.transform.wide(index, sent),
                };
                equal("a word of the answer", *got, want)?;
            }
        }
        Ok(Seen::Count("round trips", TRIPS))
    }

    /// Vector registers of the client, of `sp-echo` and of the partition are kept while all use them.
    fn vectors(&self, peer: &Peer) -> Verdict {
        self.ask(peer, el0::USE_FP, &[7])?;
        self.client.command(&ECHO, protocol::USE_FP, &[8])?;
        for seed in 0..10 {
            let own = Vectors::pattern(1000 + seed);
            own.load();
            let [different, ..] = self.ask(peer, el0::USE_FP, &[seed])?;
            equal("words of the partition's", different, 0)?;
            let [_, different, ..] = self.client.command(&ECHO, protocol::USE_FP, &[seed])?;
            equal("words of sp-echo's", different, 0)?;
            self.message(peer, abi::DIRECT_REQ2)?;
            equal(
                "words of the client's",
                own.differences(&Vectors::store()),
                0,
            )?;
        }
        Ok(Seen::Nothing)
    }

    /// It is interrupted, and goes on where it was.
    fn preempted(&self, peer: &Peer) -> Verdict {
        const TRIES: u32 = 20;
        let ticks = regs::cntfrq() / 250;
        let words = [command(el0::SPIN), ticks];
        let mut payload = [0; 14];
        payload[..2].copy_from_slice(&words);
        let request = self.client.req2(peer, &payload);
        for _ in 0..TRIES {
            interrupt::arm(ticks / 4);
            let exchange = checked_call(Conduit::Smc, &request);
            let taken = interrupt::take();
            if exchange.got[0] != abi::INTERRUPT.into() {
                // It came while this client itself still ran.
                continue;
            }
            equal("x1", exchange.got[1], u64::from(peer.id) << 16)?;
            equal("interrupts taken", taken.map_or(0, u64::from), 1)?;
            self.others()?;
            let run = checked_call(Conduit::Smc, &registers(abi::RUN, &[exchange.got[1]]));
            equal("x0 of FFA_RUN", run.got[0], abi::DIRECT_RESP2.into())?;
            return Ok(Seen::Nothing);
        }
        equal("interrupts that met the partition", 0, 1)?;
        Ok(Seen::Nothing)
    }

    /// No register of the others was lost around all of this.
    fn registers_kept(&self) -> Verdict {
        for peer in [&ECHO, &RELAY] {
            let answer = self.client.command(peer, protocol::GET_ERRORS, &[])?;
            equal("registers lost around waits", answer[2], 0)?;
            equal("unexpected completions", answer[7], 0)?;
        }
        Ok(Seen::Nothing)
    }
}
