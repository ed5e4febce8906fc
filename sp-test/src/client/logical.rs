//! `client-logical`: TF-A has a logical partition in EL3. A partition is told of it by FFA_PARTITION_INFO_GET_REGS,
//! behind the partitions; the normal world is not.

use super::report::{Failure, Seen, Verdict, equal};
use super::{Client, ECHO, Peer, RELAY, Refusal, plain};
use crate::abi::{self, UuidWords, uuid_registers};
use crate::protocol::{INFO_REGS, OK};
use crate::rt::entry::Boot;

/// The id and the service of the one that TF-A's port for the FVP has.
const ID: u64 = 0xffc0;
const SERVICE: UuidWords = [0xe98e_43ad, 0xb7db_524f, 0x47a3_bf57, 0x1588_f4e3];
/// It has a context for each core, as far as one can say so of EL3, and sends direct requests; AArch64.
const PROPERTIES: u64 = 1 << 1;
const AARCH64: u64 = 1 << 8;
/// Bytes of a descriptor.
const SIZE: u64 = 24;
/// Partitions of this boot.
const PARTITIONS: u64 = 2;

/// The image's start.
pub fn main(boot: &Boot) -> ! {
    let mut client = Client::start("client-logical", boot);
    for peer in [&ECHO, &RELAY] {
        let verdict = all(&client, peer);
        client.case(format_args!("logical/{}/all", peer.name), verdict);
        let verdict = by_service(&client, peer);
        client.case(format_args!("logical/{}/by_service", peer.name), verdict);
    }
    client.case("logical/normal_world/all", not_told(&[0; 4]));
    client.case("logical/normal_world/by_service", not_told(&SERVICE));
    client.end()
}

/// x0-x11 of FFA_PARTITION_INFO_GET_REGS as a partition sees it.
fn asked_by(client: &Client, peer: &Peer, service: UuidWords) -> Result<[u64; 12], Failure> {
    let [low, high] = uuid_registers(service);
    let answer = client.command(peer, INFO_REGS, &[low, high])?;
    equal("status", answer[0], OK)?;
    let mut regs = [0; 12];
    regs.copy_from_slice(&answer[1..13]);
    Ok(regs)
}

/// x2 of an answer with `count` descriptors, whose tag may be any.
fn summary(regs: &[u64], count: u64) -> Result<(), Failure> {
    equal("x0", regs[0], abi::SUCCESS_64.into())?;
    equal("last index", regs[2] & 0xffff, count - 1)?;
    equal("current index", regs[2] >> 16 & 0xffff, count - 1)?;
    equal("size", regs[2] >> 48, SIZE)
}

/// The descriptor at `regs` is the logical partition's.
fn is_logical(regs: &[u64], service: UuidWords) -> Result<(), Failure> {
    let [low, high] = uuid_registers(service);
    equal("id", regs[0] & 0xffff, ID)?;
    let properties = regs[0] >> 32;
    equal("properties", properties & !AARCH64, PROPERTIES)?;
    equal("UUID, low", regs[1], low)?;
    equal("UUID, high", regs[2], high)
}

fn all(client: &Client, peer: &Peer) -> Verdict {
    let regs = asked_by(client, peer, [0; 4])?;
    summary(&regs, PARTITIONS + 1)?;
    equal("first id", regs[3] & 0xffff, ECHO.id.into())?;
    equal("second id", regs[6] & 0xffff, RELAY.id.into())?;
    is_logical(&regs[9..], SERVICE)?;
    Ok(Seen::Value("descriptor", regs[9]))
}

/// Who asks for a service is not told the UUID.
fn by_service(client: &Client, peer: &Peer) -> Verdict {
    let regs = asked_by(client, peer, SERVICE)?;
    summary(&regs, 1)?;
    is_logical(&regs[3..], [0; 4])?;
    Ok(Seen::Value("descriptor", regs[3]))
}

fn not_told(service: &UuidWords) -> Verdict {
    let [low, high] = uuid_registers(*service);
    let regs = plain(abi::PARTITION_INFO_GET_REGS, &[low, high]);
    if *service == [0; 4] {
        summary(&regs, PARTITIONS)?;
        return Ok(Seen::Count("partitions", PARTITIONS));
    }
    let refusal = Refusal {
        x0: regs[0],
        x2: regs[2],
    };
    if (refusal.x0, refusal.x2) != (abi::ERROR.into(), abi::code(abi::INVALID_PARAMETERS)) {
        return Err(Failure::Refused(refusal));
    }
    Ok(Seen::Nothing)
}
