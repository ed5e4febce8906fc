//! Memory that is not one's own: each touch must fault where it was made, and everyone else must go
//! on talking.

use crate::board::{BOARD, place};
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::client::{Client, ECHO, Peer, RELAY};
use crate::protocol::{self, EXECUTE, READ, WRITE};
use crate::rt::fault::{self, Fault};

/// The proxy (TF-A's BL33 address).
const PROXY: u64 = place(0x6000_0000);
/// TF-A's manifest for the SPMC, and BL31 behind it.
const TF_A: u64 = place(0x0e00_2000);
const SPMC: u64 = place(0x0e10_0000);
const SP_ECHO: u64 = place(0x0e30_0000);
const SP_RELAY: u64 = place(0x0e40_0000);
/// The first page of normal-world memory, no VM's.
const NS_MEMORY: u64 = place(0x4000_0000);
const NS_UART: u64 = place(0x0900_0000);
const SECURE_UART: u64 = place(0x0904_0000);
/// Nothing is here on any bus.
const NOWHERE: u64 = 0x70_0000_0000;

const DATA_ABORT: u64 = 0x25;
const INSTRUCTION_ABORT: u64 = 0x21;

/// A client's own accesses, as a VM.
const AS_VM: &[(&str, u64, u64)] = &[
    ("vm_reads_proxy", PROXY, READ),
    ("vm_reads_proxy_second_page", PROXY + 0x1000, READ),
    ("vm_writes_proxy", PROXY, WRITE),
    ("vm_executes_proxy", PROXY, EXECUTE),
    ("vm_reads_ns_memory", NS_MEMORY, READ),
    ("vm_reads_uart", NS_UART, READ),
    ("vm_reads_tf_a", TF_A, READ),
    ("vm_reads_spmc", SPMC, READ),
    ("vm_writes_spmc", SPMC, WRITE),
    ("vm_executes_spmc", SPMC, EXECUTE),
    ("vm_reads_partition", SP_ECHO, READ),
    ("vm_reads_secure_uart", SECURE_UART, READ),
    ("vm_reads_nowhere", NOWHERE, READ),
];

/// The same, at NS-EL2: what the hardware alone keeps apart, on every board.
const DIRECT: &[(&str, u64, u64)] = &[
    ("nwd_reads_tf_a", TF_A, READ),
    ("nwd_reads_spmc", SPMC, READ),
    ("nwd_writes_spmc", SPMC, WRITE),
    ("nwd_reads_partition", SP_ECHO, READ),
];

/// A partition's accesses.
const PARTITION: &[(&str, &Peer, u64, u64)] = &[
    ("sp_reads_other_sp", &ECHO, SP_RELAY, READ),
    ("sp_reads_other_sp_image", &ECHO, SP_RELAY + 0x4000, READ),
    ("sp_writes_other_sp", &ECHO, SP_RELAY + 0x4000, WRITE),
    ("sp_executes_other_sp", &ECHO, SP_RELAY + 0x4000, EXECUTE),
    ("relay_reads_echo", &RELAY, SP_ECHO + 0x4000, READ),
    ("sp_reads_spmc", &ECHO, SPMC, READ),
    ("sp_writes_spmc", &ECHO, SPMC, WRITE),
    ("sp_executes_spmc", &ECHO, SPMC, EXECUTE),
    ("sp_reads_tf_a", &ECHO, TF_A, READ),
    ("sp_reads_ns_memory", &ECHO, NS_MEMORY, READ),
    ("sp_reads_bl33", &ECHO, PROXY, READ),
    ("sp_reads_secure_uart", &ECHO, SECURE_UART, READ),
    ("sp_reads_nowhere", &ECHO, NOWHERE, READ),
];

/// Runs the chapter.
pub fn run(client: &mut Client) {
    let (own, of_board) = if client.direct {
        (DIRECT, BOARD.only_secure)
    } else {
        (AS_VM, &[][..])
    };
    for (name, address, how) in own {
        client.case(name, itself(client, *address, *how));
    }
    for (name, address) in of_board {
        client.case(name, itself(client, *address, READ));
    }
    for (name, peer, address, how) in PARTITION {
        client.case(name, partition(client, peer, *address, *how));
    }
    client.case("sp_undefined_instruction", undefined(client));
}

/// Judges a fault by its class and address.
fn judge(result: Result<u64, Fault>, address: u64, how: u64, injected: bool) -> Verdict {
    let fault = match result {
        Ok(value) => return Err(Failure::NoFault(value)),
        Err(fault) => fault,
    };
    let class = if how == EXECUTE {
        INSTRUCTION_ABORT
    } else {
        DATA_ABORT
    };
    // An external abort of the machine need not say where; an injected one does.
    if fault.class() != class || (injected && fault.far != address) {
        return Err(Failure::WrongFault(fault));
    }
    Ok(Seen::Fault(fault))
}

/// Everyone still answers.
fn alive(client: &Client) -> Result<(), Failure> {
    client.talk(&ECHO)?;
    client.talk(&RELAY)
}

fn itself(client: &Client, address: u64, how: u64) -> Verdict {
    let result = match how {
        READ => fault::probe_read(address),
        // SAFETY: none of the addresses belongs to this image.
        WRITE => unsafe { fault::probe_write(address, 0) }.map(|()| 0),
        // SAFETY: as above; a fetch that goes through ends the run, which fails it.
        _ => unsafe { fault::probe_execute(address) }.map(|()| 0),
    };
    let seen = judge(result, address, how, !client.direct)?;
    alive(client)?;
    Ok(seen)
}

fn partition(client: &Client, peer: &Peer, address: u64, how: u64) -> Verdict {
    let [status, faulted, esr, far, ..] = client.command(peer, protocol::PROBE, &[address, how])?;
    equal("status", status, protocol::OK)?;
    let result = match faulted {
        0 => Ok(esr),
        _ => Err(Fault { esr, far }),
    };
    let seen = judge(result, address, how, true)?;
    alive(client)?;
    Ok(seen)
}

/// An exception of the partition's own: its own vectors see it, nobody else.
fn undefined(client: &Client) -> Verdict {
    let [status, faulted, esr, ..] = client.command(&ECHO, protocol::UNDEFINED, &[])?;
    equal("status", status, protocol::OK)?;
    equal("faulted", faulted, 1)?;
    equal("exception class", esr >> 26 & 0x3f, 0)?;
    alive(client)?;
    Ok(Seen::Value("esr", esr))
}
