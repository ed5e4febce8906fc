//! Many calls: partitions that use their registers for a while and then do not, lengths that change, streaming mode
//! that comes and goes. What a partition always does the SPMC learns, and what it does no more too.

use super::{Check, Kind, Suite, counted, equal};
use crate::client::{ECHO, RELAY};
use crate::protocol;
use crate::random::Random;
use crate::rt::call::fresh;
use crate::rt::fp::Vectors;
use crate::rt::sve::{self, STREAMING, WITH_ZA};

/// Calls in all.
const CALLS: u64 = 600;

/// Runs the chapter.
pub fn run(suite: &mut Suite) {
    let seed = fresh().next();
    let verdict = match calls(suite, &mut Random::new(seed)) {
        Ok(()) => counted("calls", CALLS),
        Err(failure) => Err(failure),
    };
    suite.client.case("vectors/at-random", verdict);
}

fn calls(suite: &Suite, random: &mut Random) -> Check {
    let mut left = [0; 2];
    for _ in 0..CALLS {
        for (left, peer) in left.iter_mut().zip([&ECHO, &RELAY]) {
            if *left == 0 {
                // Now and then for longer than the SPMC takes a habit for granted.
                *left = 1 + random.next() % 90;
                let each = random.next() % 3;
                let answer = suite.client.command(peer, protocol::FP_EACH, &[each])?;
                equal("words of a partition's that changed", answer[2], 0)?;
            }
            *left -= 1;
        }
        let kind = match random.next() % 8 {
            0 => Kind::Chain,
            1 => Kind::Run,
            2 => Kind::Req32,
            3 => Kind::Req64,
            _ => Kind::Req2,
        };
        if suite.present.sve {
            scalable(suite, kind, random)?;
        } else {
            plain(suite, kind)?;
        }
    }
    sve_as_before(suite);
    for peer in [&ECHO, &RELAY] {
        let answer = suite.client.command(peer, protocol::FP_EACH, &[0])?;
        equal("words of a partition's that changed", answer[2], 0)?;
    }
    Ok(())
}

fn sve_as_before(suite: &Suite) {
    if suite.present.sve {
        sve::set_length(0xf);
    }
    if suite.present.sme {
        sve::set_streaming_length(0xf, suite.present);
    }
}

fn plain(suite: &Suite, kind: Kind) -> Check {
    let put = Vectors::fresh();
    put.load();
    let called = suite.disturb(kind);
    let found = Vectors::store();
    called?;
    equal("words that changed", put.differences(&found), 0)
}

fn scalable(suite: &Suite, kind: Kind, random: &mut Random) -> Check {
    sve::set_length(random.next() & 0xf);
    let svcr = match random.next() % 4 {
        _ if !suite.present.sme => 0,
        0 => STREAMING,
        1 => STREAMING | WITH_ZA,
        _ => 0,
    };
    if suite.present.sme {
        sve::set_streaming_length(random.next() & 0xf, suite.present);
        sve::set_svcr(svcr);
    }
    let ffr = svcr & STREAMING == 0 || suite.present.fa64;
    let bytes = sve::length();
    // SAFETY: this core has no other reference to them.
    let [(put, _), (found, _)] = unsafe { sve::sets(0) };
    put.fill(random.next(), bytes, ffr);
    put.load(ffr);
    let called = suite.disturb(kind);
    found.store(ffr);
    if suite.present.sme {
        let after = sve::svcr();
        sve::set_svcr(0);
        equal("SVCR", after, svcr)?;
    }
    called?;
    let different = put.differences(found, bytes);
    equal("words of Z that changed", different.z, 0)?;
    equal("bytes of P that changed", different.p, 0)?;
    equal("bytes of FFR that changed", different.ffr, 0)?;
    equal("words of FPCR and FPSR that changed", different.control, 0)
}
