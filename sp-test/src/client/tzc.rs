//! `client-tzc`: at NS-EL2 of the FVP's memory map, touches what is the secure world's alone. There is no stage 1 and
//! no stage 2 in the way: the memory itself, or the TZC-400 in front of it, must refuse.

use super::report::{Failure, Seen, Verdict, equal};
use super::{Client, ECHO, RELAY};
use crate::protocol::{EXECUTE, READ, WRITE};
use crate::rt::entry::Boot;
use crate::rt::fault::{self, Fault};

/// Memory of the secure world: a name, the address of eight bytes.
const SECURE: [(&str, u64); 8] = [
    // TF-A's configuration for the SPMC, BL31.
    ("trusted_sram", 0x0400_1500),
    ("bl31", 0x0401_0000),
    // Trusted DRAM: the SPMC, the first partition, the last bytes.
    ("spmc", 0x0600_0000),
    ("partition", 0x0700_0000),
    ("trusted_dram_end", 0x07ff_fff8),
    // What BL2 has the TZC-400 keep of the DRAM: the last 16 MiB of its first two GiB.
    ("secure_dram_first", 0xff00_0000),
    ("secure_dram_middle", 0xff80_0000),
    ("secure_dram_last", 0xffff_fff8),
];
/// The last eight bytes of DRAM in front of those.
const NORMAL_LAST: u64 = 0xfeff_fff8;

const DATA_ABORT: u64 = 0x25;
const INSTRUCTION_ABORT: u64 = 0x21;
/// Synchronous external abort, not on a table walk.
const EXTERNAL: u64 = 0x10;

/// The image's start.
pub fn main(boot: &Boot) -> ! {
    let mut client = Client::start("client-tzc", boot);
    for (place, address) in SECURE {
        for (how, name) in [(READ, "read"), (WRITE, "write"), (EXECUTE, "execute")] {
            let verdict = refused(&client, address, how);
            client.case(format_args!("tzc/{place}/{name}"), verdict);
        }
    }
    client.case("tzc/normal_dram_last/read", granted());
    client.end()
}

/// Fails unless the access takes a synchronous external abort there, and everyone still answers.
fn refused(client: &Client, address: u64, how: u64) -> Verdict {
    let (result, class): (Result<u64, Fault>, _) = match how {
        READ => (fault::probe_read(address), DATA_ABORT),
        // SAFETY: the memory is the secure world's: it takes no store from here, or the case fails.
        WRITE => (
            unsafe { fault::probe_write(address, 0) }.map(|()| 0),
            DATA_ABORT,
        ),
        // SAFETY: as above; a fetch that goes through ends the run, which fails it.
        _ => (
            unsafe { fault::probe_execute(address) }.map(|()| 0),
            INSTRUCTION_ABORT,
        ),
    };
    let fault = match result {
        Ok(value) => return Err(Failure::NoFault(value)),
        Err(fault) => fault,
    };
    equal("exception class", fault.class(), class)?;
    equal("fault status", fault.esr & 0x3f, EXTERNAL)?;
    equal("FAR_EL2", fault.far, address)?;
    client.talk(&ECHO)?;
    client.talk(&RELAY)?;
    Ok(Seen::Fault(fault))
}

/// Fails unless the memory in front of the secure world's is the normal world's.
fn granted() -> Verdict {
    match fault::probe_read(NORMAL_LAST) {
        Ok(_) => Ok(Seen::Nothing),
        Err(fault) => Err(Failure::WrongFault(fault)),
    }
}
