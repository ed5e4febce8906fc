//! Who is who: exception levels, identifiers and versions, as each side sees them.

use crate::abi;
use crate::boot_info::BootInfo;
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::client::{Client, ECHO, Peer, RELAY};
use crate::protocol;
use crate::rt::regs;

/// Runs the chapter.
pub fn run(client: &mut Client) {
    client.case("client_current_el", client_level(client));
    client.case("version", version(client));
    for peer in [&ECHO, &RELAY] {
        client.case(
            format_args!("partition_identity/{}", peer.name),
            partition(client, peer),
        );
    }
}

fn client_level(client: &Client) -> Verdict {
    let level = regs::current_el();
    equal("CurrentEL", level, if client.direct { 2 } else { 1 })?;
    Ok(Seen::Value("CurrentEL", level))
}

fn version(client: &Client) -> Verdict {
    if (0x1_0002..0x2_0000).contains(&client.version) {
        Ok(Seen::Value("FF-A", client.version))
    } else {
        Err(Failure::Value {
            what: "first FFA_VERSION(1.2)",
            got: client.version,
            want: 0x1_0002,
        })
    }
}

fn partition(client: &Client, peer: &Peer) -> Verdict {
    let [
        status,
        el,
        id,
        spm,
        version,
        boot_info,
        context,
        mpidr,
        base,
        ..,
    ] = client.command(peer, protocol::WHO, &[])?;
    equal("status", status, protocol::OK)?;
    equal("CurrentEL", el, 1)?;
    equal("FFA_ID_GET", id, peer.id.into())?;
    equal("FFA_SPM_ID_GET", spm, abi::SPMC.into())?;
    if !(0x1_0002..0x2_0000).contains(&version) {
        equal("FFA_VERSION", version, 0x1_0002)?;
    }
    // The boot information is optional, but what x0 points at must be some.
    if boot_info == BootInfo::Bad as u64 {
        equal("boot information", boot_info, BootInfo::Good as u64)?;
    }
    equal("x4 at entry", context, 0)?;
    equal("MPIDR_EL1", mpidr, 0x8000_0000)?;
    equal(
        "load address, lower 16 bits less the package header",
        base & 0x3fff,
        0,
    )?;
    Ok(Seen::Value("EL1, loaded at", base))
}
