//! `client-bench`: windows of 1,000 warm round trips for an instruction counter.
//!
//! A window lies between `hint #0x60` and `hint #0x61` and has as few instructions of its own as a
//! loop can have. Each answer's payload is the next request's, so the last answer proves that every
//! round trip took place: it must be the partition's transformation applied 1,000 times.

mod shares;

use super::report::{Failure, Seen, Verdict, equal};
use super::{Client, ECHO, Peer, RELAY, Refusal, many, registers};
use crate::abi::{self, Regs};
use crate::protocol;
use crate::rt::call::{self, Conduit};
use crate::rt::entry::Boot;
use crate::rt::memory;
use crate::rt::{gic, irq, regs, sve};
use core::arch::asm;

/// Round trips before a window.
pub(super) const WARM: u64 = 10;
/// Round trips in a window.
pub(super) const ITERATIONS: u64 = 1000;

/// The image's start.
pub fn main(boot: &Boot) -> ! {
    let mut client = Client::start("client-bench", boot);
    for (name, id) in [
        ("direct_req32", abi::DIRECT_REQ_32),
        ("direct_req64", abi::DIRECT_REQ_64),
        ("direct_req2", abi::DIRECT_REQ2),
    ] {
        measure(&mut client, name, &ECHO, id);
    }
    measure(&mut client, "features", &ECHO, abi::FEATURES);
    let verdict = id_reads(&mut client);
    client.case("bench/read_id_aa64pfr1", verdict);
    vectors(&mut client);
    if regs::current_el() == 1 {
        let verdict = timer_ticks(&mut client, "timer_tick");
        client.case("bench/timer_tick", verdict);
        shares::all(&mut client);
    } else {
        notification_set(&mut client);
    }
    client.end()
}

/// A notification of a partition that waits: set when it is not pending, in a window without what happens between,
/// and set again and again.
fn notification_set(client: &mut Client) {
    let bound = client.command(&ECHO, protocol::BIND, &[client.me.into(), 1]);
    let bound = bound.map_err(Failure::Refused).and_then(|answer| {
        equal("x0 of the bind", answer[1], abi::SUCCESS_32.into())?;
        read_notification(client, 0)?;
        Ok(())
    });
    let verdict = bound.and_then(|()| set_and_read(client));
    client.case("bench/notification_set", verdict);
    measure(
        client,
        "notification_set_again",
        &ECHO,
        abi::NOTIFICATION_SET,
    );
    // Nothing of it is in the way of what is measured next.
    let verdict = read_notification(client, 1);
    client.case("bench/notification_read", verdict);
}

/// A window of sets, each of them of what the partition has read.
fn set_and_read(client: &mut Client) -> Verdict {
    const CYCLES: u64 = 100;
    let arguments = [abi::ids(client.me, ECHO.id), 0, 1, 0];
    let cycle = |client: &Client| {
        memory::counted(abi::NOTIFICATION_SET, arguments, abi::SUCCESS_32)?;
        read_notification(client, 1)
    };
    for _ in 0..WARM {
        cycle(client)?;
    }
    client.count += 1;
    crate::say!("@bench notification_set {CYCLES}");
    // SAFETY: nothing happens but that a counter sees it.
    unsafe {
        asm!(
            "hint #0x60",
            "hint #0x62",
            options(nostack, preserves_flags)
        )
    }
    let all = (0..CYCLES).try_for_each(|_| cycle(client).map(drop));
    // SAFETY: as above.
    unsafe { asm!("hint #0x61", options(nostack, preserves_flags)) }
    all?;
    Ok(Seen::Count("sets that were read", CYCLES))
}

/// The partition reads what the client has set.
fn read_notification(client: &Client, wanted: u64) -> Verdict {
    let answer = client.command(&ECHO, protocol::READ_NOTIFICATIONS, &[])?;
    equal("x0 of the read", answer[1], abi::SUCCESS_32.into())?;
    equal("notifications of VMs", answer[2], wanted)?;
    Ok(Seen::Value("notifications", answer[2]))
}

/// A partition that uses vector registers on every call, beside one that uses none.
fn vectors(client: &mut Client) {
    let mut with_fp = |name, user: &Peer, called: &Peer| {
        let verdict = client.command(user, protocol::FP_EACH, &[1]);
        match verdict {
            Ok(_) => measure(client, name, called, abi::DIRECT_REQ2),
            Err(refusal) => client.case(format_args!("bench/{name}"), Err(refusal.into())),
        }
        let _ = client.command(user, protocol::FP_EACH, &[0]);
    };
    with_fp("direct_req2_fp", &ECHO, &ECHO);
    with_fp("direct_req2_after_fp_elsewhere", &RELAY, &ECHO);
    if regs::current_el() == 2 {
        sve::lengthen();
        with_fp("direct_req2_fp_longest", &ECHO, &ECHO);
    }
}

/// The start of the image for partitions with a single context: those at S-EL0, and one at S-EL1.
pub fn el0(boot: &Boot) -> ! {
    let mut client = Client::start("client-bench-el0", boot);
    let user = super::el0::peer(crate::el0::MORTAL);
    let single = many::peer(crate::el0::AT_EL1);
    for (name, peer, id) in [
        ("direct_req64_el0", &user, abi::DIRECT_REQ_64),
        ("direct_req2_el0", &user, abi::DIRECT_REQ2),
        ("direct_req64_single", &single, abi::DIRECT_REQ_64),
        ("direct_req2_single", &single, abi::DIRECT_REQ2),
    ] {
        measure(&mut client, name, peer, id);
    }
    client.end()
}

/// The start of the image for twelve partitions: the rows of the other that are compared.
pub fn many(boot: &Boot) -> ! {
    let mut client = Client::start("client-bench-many", boot);
    let last = many::peer(crate::many::LAST);
    for (name, peer, id) in [
        ("direct_req64_first_of_12", &ECHO, abi::DIRECT_REQ_64),
        ("direct_req64_last_of_12", &last, abi::DIRECT_REQ_64),
        ("direct_req2_first_of_12", &ECHO, abi::DIRECT_REQ2),
        ("direct_req2_last_of_12", &last, abi::DIRECT_REQ2),
    ] {
        measure(&mut client, name, peer, id);
    }
    client.end()
}

/// The start of the image for eight VMs: a message to a partition, as with one VM, and one to another VM.
pub fn vms(boot: &Boot) -> ! {
    let mut client = Client::start("client-bench-vms", boot);
    let mut answering = None;
    for id in crate::vms::IDS {
        let verdict = until_it_waits(id);
        client.case(format_args!("bench/run_vm{id}"), verdict);
        if answering.is_none() {
            answering = crate::vms::peer(id, abi::V1_2, false);
        }
    }
    measure(
        &mut client,
        "direct_req2_with_8_vms",
        &ECHO,
        abi::DIRECT_REQ2,
    );
    if let Some(vm) = answering {
        let peer = Peer {
            name: vm.name,
            id: vm.id,
            uuid: vm.uuid(),
            transform: vm.transform(),
        };
        measure(&mut client, "vm_to_vm_req2", &peer, abi::DIRECT_REQ2);
    }
    let verdict = timer_ticks(&mut client, "timer_tick_with_8_vms");
    client.case("bench/timer_tick_with_8_vms", verdict);
    client.end()
}

/// A VM that is interrupted by its own timer, and does nothing else.
fn timer_ticks(client: &mut Client, name: &str) -> Verdict {
    /// Long enough for a tick to be over before the next.
    const PERIOD_US: u64 = 40;
    gic::open();
    irq::forget();
    irq::every(PERIOD_US * regs::cntfrq() / 1_000_000);
    irq::unmask();
    let until = |ticks| while irq::count(gic::VIRTUAL_TIMER) < ticks {};
    until(WARM);
    irq::mask();
    client.count += 1;
    crate::say!("@bench {name} {ITERATIONS}");
    // What came meanwhile is none of the window's.
    irq::unmask();
    until(irq::count(gic::VIRTUAL_TIMER) + 1);
    let end = irq::count(gic::VIRTUAL_TIMER) + ITERATIONS;
    // SAFETY: nothing happens but that a counter sees it.
    unsafe { asm!("hint #0x60", options(nostack, preserves_flags)) }
    until(end);
    // SAFETY: as above.
    unsafe { asm!("hint #0x61", options(nostack, preserves_flags)) }
    irq::mask();
    irq::every(0);
    equal("interrupts that were none", irq::strange()[0], 0)?;
    Ok(Seen::Count("ticks", ITERATIONS))
}

/// Runs a VM until it waits for messages, however often its time is over before.
fn until_it_waits(id: u16) -> Verdict {
    const TRIES: u64 = 1000;
    let target = u64::from(id) << 16;
    for tries in 1..=TRIES {
        let [x0, x1, ..] = super::plain(abi::RUN, &[target]);
        if x0 != abi::INTERRUPT.into() {
            equal("x0", x0, abi::MSG_WAIT.into())?;
            equal("x1", x1, target)?;
            return Ok(Seen::Count("runs", tries));
        }
    }
    equal("runs", TRIES, 1)?;
    Ok(Seen::Nothing)
}

/// A partition's reads of a register that the SPMC answers; the window is the partition's.
fn id_reads(client: &mut Client) -> Verdict {
    client.count += 1;
    crate::say!("@bench read_id_aa64pfr1 {ITERATIONS}");
    let answer = client.command(&ECHO, protocol::READ_ID, &[ITERATIONS])?;
    equal("status", answer[0], protocol::OK)?;
    // SME is not for partitions, whatever the CPU has.
    equal("ID_AA64PFR1_EL1.SME", answer[1] >> 24 & 0xf, 0)?;
    Ok(Seen::Value("ID_AA64PFR1_EL1", answer[1]))
}

pub(super) fn measure(client: &mut Client, name: &'static str, peer: &Peer, id: u32) {
    let mut payload = [0; 14];
    call::fresh().fill(&mut payload);
    let regs = match id {
        abi::FEATURES => registers(id, &[abi::VERSION.into()]),
        abi::NOTIFICATION_SET => registers(id, &[abi::ids(client.me, peer.id), 0, 1]),
        abi::DIRECT_REQ2 => client.req2(peer, &payload),
        _ => client.req(
            id,
            peer,
            &core::array::from_fn(|n| payload[n] & 0xffff_ffff),
        ),
    };
    // Announced only when there will be a window: the harness pairs the two by their order.
    let verdict = warm_up(&regs).map_err(Failure::Refused).and_then(|()| {
        client.count += 1;
        crate::say!("@bench {name} {ITERATIONS}");
        let mut result = regs;
        match id {
            abi::DIRECT_REQ2 | abi::NOTIFICATION_SET => window4(&mut result),
            _ => window3(&mut result),
        }
        check(peer, &regs, &result)
    });
    client.case(format_args!("bench/{name}"), verdict);
}

/// What the answer's identifier must be.
const fn answer(id: u64) -> u64 {
    match id as u32 {
        abi::DIRECT_REQ_32 => abi::DIRECT_RESP_32 as u64,
        abi::DIRECT_REQ_64 => abi::DIRECT_RESP_64 as u64,
        abi::DIRECT_REQ2 => abi::DIRECT_RESP2 as u64,
        _ => abi::SUCCESS_32 as u64,
    }
}

fn warm_up(regs: &Regs) -> Result<(), Refusal> {
    for _ in 0..WARM {
        let mut warm = *regs;
        call::call(Conduit::Smc, &mut warm);
        if warm[0] != answer(regs[0]) {
            return Err(Refusal {
                x0: warm[0],
                x2: warm[2],
            });
        }
    }
    Ok(())
}

/// Compares the last answer with the transformation applied once per round trip.
fn check(peer: &Peer, sent: &Regs, got: &Regs) -> Verdict {
    equal("x0 of the last answer", got[0], answer(sent[0]))?;
    let (first, count) = match sent[0] as u32 {
        abi::DIRECT_REQ2 => (4, 14),
        abi::FEATURES | abi::NOTIFICATION_SET => (0, 0),
        _ => (3, 5),
    };
    let narrow = sent[0] == abi::DIRECT_REQ_32.into();
    let registers = sent.iter().zip(got).skip(first).take(count);
    for (index, (sent, got)) in (0..).zip(registers) {
        let want = (0..ITERATIONS).fold(*sent, |value, _| match narrow {
            true => peer.transform.narrow(index, value),
            false => peer.transform.wide(index, value),
        });
        equal("a payload register of the last answer", *got, want)?;
    }
    Ok(Seen::Count("round trips proved", ITERATIONS))
}

macro_rules! window {
    ($(#[$doc:meta])* $name:ident, $($restore:literal),*) => {
        $(#[$doc])*
        #[inline(never)]
        fn $name(regs: &mut Regs) {
            let [r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11, r12, r13, r14, r15, r16, r17] =
                regs;
            // SAFETY: x0-x17 and the loop's own registers are declared; SMCCC keeps the others.
            unsafe {
                asm!(
                    "hint #0x60",
                    "2:",
                    $($restore,)*
                    "smc #0",
                    "subs x24, x24, #1",
                    "b.ne 2b",
                    "hint #0x61",
                    inout("x0") *r0, inout("x1") *r1, inout("x2") *r2, inout("x3") *r3,
                    inout("x4") *r4, inout("x5") *r5, inout("x6") *r6, inout("x7") *r7,
                    inout("x8") *r8, inout("x9") *r9, inout("x10") *r10, inout("x11") *r11,
                    inout("x12") *r12, inout("x13") *r13, inout("x14") *r14, inout("x15") *r15,
                    inout("x16") *r16, inout("x17") *r17,
                    in("x20") *r0, in("x21") *r1, in("x22") *r2, in("x23") *r3,
                    inout("x24") ITERATIONS => _,
                    options(nostack)
                );
            }
        }
    };
}

window!(
    /// x0-x2 are the same in each request.
    window3, "mov x0, x20", "mov x1, x21", "mov x2, x22");
window!(
    /// x0-x3 are the same in each request.
    window4, "mov x0, x20", "mov x1, x21", "mov x2, x22", "mov x3, x23");
