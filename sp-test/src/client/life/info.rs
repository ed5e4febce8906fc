//! Who is there, asked without RX/TX: counts, and FFA_PARTITION_INFO_GET_REGS.

use super::Suite;
use crate::abi::{self, UuidWords, uuid_registers};
use crate::client::report::{Failure, equal};
use crate::client::{Refusal, plain, registers};
use crate::expect::Exchange;
use crate::rt::call::{Conduit, checked_call};

/// All services.
pub const NIL: UuidWords = [0; 4];

/// What FFA_PARTITION_INFO_GET, asked for the count only, says: the count, or the error code.
pub fn count(uuid: &UuidWords) -> Result<u64, i32> {
    let [a, b, c, d] = uuid.map(u64::from);
    let regs = plain(abi::PARTITION_INFO_GET, &[a, b, c, d, 1]);
    match regs[0] as u32 {
        abi::SUCCESS_32 => Ok(regs[2]),
        _ => Err(regs[2] as u32 as i32),
    }
}

/// Fails unless that many partitions offer the service.
pub fn counts(uuid: &UuidWords, want: u64) -> Result<(), Failure> {
    let got = count(uuid).map_err(|code| {
        Failure::Refused(Refusal {
            x0: abi::ERROR.into(),
            x2: abi::code(code),
        })
    })?;
    equal("partitions counted", got, want)
}

/// Fails unless nobody offers the service.
pub fn counts_none(uuid: &UuidWords) -> Result<(), Failure> {
    match count(uuid) {
        Err(code) => equal(
            "code of the count",
            abi::code(code),
            abi::code(abi::INVALID_PARAMETERS),
        ),
        Ok(count) => equal("partitions counted", count, 0),
    }
}

/// One reply of FFA_PARTITION_INFO_GET_REGS.
pub fn reply(uuid: &UuidWords, start: u64, tag: u64) -> Exchange {
    let [low, high] = uuid_registers(*uuid);
    checked_call(
        Conduit::Smc,
        &registers(
            abi::PARTITION_INFO_GET_REGS,
            &[low, high, start | tag << 16],
        ),
    )
}

/// All of it: how often each id of `0x8001..0x8021` is listed, as bits, and the tag.
pub fn listed() -> Result<(u32, u64), Failure> {
    let mut found = 0;
    let mut start = 0;
    // A change leaves the walk with RETRY, after which the new tag is not known: all are tried.
    let mut tag = None;
    for _ in 0..64 {
        let exchange = match tag {
            Some(tag) => reply(&NIL, start, tag),
            None => first(&NIL),
        };
        let got = &exchange.got;
        if got[0] != abi::SUCCESS_64.into() {
            return Err(Failure::Refused(Refusal {
                x0: got[0],
                x2: got[2],
            }));
        }
        let [last, current, now, size] = [0, 16, 32, 48].map(|at| got[2] >> at & 0xffff);
        equal("size of an entry", size, 24)?;
        if let Some(tag) = tag {
            equal("tag", now, tag)?;
        }
        tag = Some(now);
        for entry in got[3..18].chunks(3).take((current + 1 - start) as usize) {
            found |= 1u32.checked_shl(entry[0] as u32 & 0x1f).unwrap_or(0);
        }
        if current >= last {
            return Ok((found, now));
        }
        start = current + 1;
    }
    equal("replies", 64, 0)?;
    Ok((found, 0))
}

/// The first reply, whatever its tag: one that is not the current one gets RETRY.
fn first(uuid: &UuidWords) -> Exchange {
    let mut exchange = reply(uuid, 0, 0);
    for tag in 1..=16 {
        if exchange.got[0] != u64::from(abi::ERROR) || exchange.got[2] != abi::code(abi::RETRY) {
            break;
        }
        exchange = reply(uuid, 0, tag);
    }
    exchange
}

impl Suite {
    /// Fails unless the partition is listed, or is not.
    pub fn is_listed(&self, id: u16, want: bool) -> Result<(), Failure> {
        let uuid = super::peer(id).uuid;
        match want {
            true => counts(&uuid, 1)?,
            false => counts_none(&uuid)?,
        }
        let (found, _) = listed()?;
        equal(
            "listed by its id",
            u64::from(found >> (id & 0x1f) & 1),
            want.into(),
        )
    }
}
