//! `client-many`: each of twelve partitions is there, answers, and is none of the others.

use super::report::{Failure, Seen, Verdict, equal};
use super::{Client, Peer, Refusal, compare, plain};
use crate::abi;
use crate::many;
use crate::rt::call::{Conduit, checked_call, fresh};
use crate::rt::entry::Boot;

/// Round trips of each kind with each partition.
const TRIPS: u64 = 20;

/// The image's start.
pub fn main(boot: &Boot) -> ! {
    let mut client = Client::start("client-many", boot);
    for id in many::FIRST..=many::LAST {
        let peer = peer(id);
        for (name, call) in [
            ("direct_req_32", abi::DIRECT_REQ_32),
            ("direct_req_64", abi::DIRECT_REQ_64),
            ("direct_req2", abi::DIRECT_REQ2),
        ] {
            let verdict = trips(&client, &peer, call);
            client.case(format_args!("{name}/{id:#x}"), verdict);
        }
        let verdict = strange_service(&client, &peer);
        client.case(format_args!("service_of_another/{id:#x}"), verdict);
    }
    let verdict = nobody_behind(&client);
    client.case("nobody_behind_the_last", verdict);
    client.case("partition_info_count", count(&[0; 4], many::COUNT.into()));
    for id in many::FIRST..=many::LAST {
        client.case(
            format_args!("partition_info_count/{id:#x}"),
            count(&many::uuid(id), 1),
        );
    }
    client.end()
}

/// The partition with this id.
pub const fn peer(id: u16) -> Peer {
    Peer {
        name: "sp-many",
        id,
        uuid: many::uuid(id),
        transform: many::transform(id),
    }
}

/// Messages of one kind, every register of each answer as predicted.
fn trips(client: &Client, peer: &Peer, call: u32) -> Verdict {
    for _ in 0..TRIPS {
        let mut payload = [0; 14];
        fresh().fill(&mut payload);
        let [a, b, c, d, e, ..] = payload;
        let words = match call {
            abi::DIRECT_REQ_32 => [a, b, c, d, e].map(|word| word & 0xffff_ffff),
            _ => [a, b, c, d, e],
        };
        let request = match call {
            abi::DIRECT_REQ2 => client.req2(peer, &payload),
            _ => client.req(call, peer, &words),
        };
        let exchange = checked_call(Conduit::Smc, &request);
        compare(peer, &request, &exchange).map_err(|mismatch| Failure::Register {
            conduit: Conduit::Smc,
            call: request[0],
            mismatch,
            result: Refusal {
                x0: exchange.got[0],
                x2: exchange.got[2],
            },
        })?;
    }
    Ok(Seen::Count("round trips", TRIPS))
}

/// Fails unless `regs` is FFA_ERROR with INVALID_PARAMETERS.
fn invalid(regs: &abi::Regs) -> Result<(), Failure> {
    equal("x0", regs[0], abi::ERROR.into())?;
    equal("x2", regs[2], abi::code(abi::INVALID_PARAMETERS))
}

/// A request for the service of the next one.
fn strange_service(client: &Client, peer: &Peer) -> Verdict {
    let next = match peer.id {
        many::LAST => many::FIRST,
        id => id + 1,
    };
    let stranger = Peer {
        uuid: many::uuid(next),
        ..*peer
    };
    let mut request = client.req2(&stranger, &[0; 14]);
    crate::rt::call::call(Conduit::Smc, &mut request);
    invalid(&request)?;
    Ok(Seen::Nothing)
}

fn nobody_behind(client: &Client) -> Verdict {
    let mut request = client.req2(&peer(many::LAST + 1), &[0; 14]);
    crate::rt::call::call(Conduit::Smc, &mut request);
    invalid(&request)?;
    Ok(Seen::Nothing)
}

/// FFA_PARTITION_INFO_GET that asks for the count only.
fn count(uuid: &abi::UuidWords, want: u64) -> Verdict {
    let [a, b, c, d] = uuid.map(u64::from);
    let regs = plain(abi::PARTITION_INFO_GET, &[a, b, c, d, 1]);
    if regs[0] != abi::SUCCESS_32.into() {
        return Err(Failure::Refused(Refusal {
            x0: regs[0],
            x2: regs[2],
        }));
    }
    equal("partitions", regs[2], want)?;
    equal("descriptor size", regs[3], 0)?;
    Ok(Seen::Count("partitions", want))
}
