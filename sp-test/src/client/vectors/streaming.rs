//! ZA, and everything in streaming mode, at every length of SME's vectors.

use super::{Check, Kind, Suite, equal};
use crate::client::report::Seen;
use crate::rt::call::fresh;
use crate::rt::sve::{self, STREAMING, WITH_ZA};

/// Runs the chapter.
pub fn run(suite: &mut Suite) {
    if !suite.present.sme {
        for name in ["za-survives", "streaming-survives", "smcr-survives"] {
            suite.absent(name);
        }
        return;
    }
    let mut lengths = 0;
    let mut before = 0;
    for len in 0..16 {
        sve::set_streaming_length(len, suite.present);
        let bytes = sve::streaming_length();
        if bytes == before {
            continue;
        }
        before = bytes;
        lengths += 1;
        let bits = 8 * bytes;
        for kind in Kind::ALL {
            for (what, svcr) in [
                ("za-survives", WITH_ZA),
                ("streaming-survives", STREAMING),
                ("streaming-with-za-survives", STREAMING | WITH_ZA),
            ] {
                let verdict = once(suite, kind, svcr, bytes);
                suite.case(format_args!("{what}-svl-{bits}/{}", kind.name()), verdict);
            }
        }
        let smcr = sve::controls(suite.present)[1];
        suite.case(
            format_args!("smcr-survives-svl-{bits}"),
            equal("SMCR_ELx.LEN", smcr & 0xf, len),
        );
    }
    sve::set_streaming_length(0xf, suite.present);
    suite.client.case(
        "vectors/streaming-lengths",
        Ok(Seen::Count("vector lengths of streaming mode", lengths)),
    );
}

/// A call with SVCR as it is said. `bytes` is the length in streaming mode.
fn once(suite: &Suite, kind: Kind, svcr: u64, bytes: usize) -> Check {
    let streaming = svcr & STREAMING != 0;
    // In streaming mode FFR is there only if everything is.
    let ffr = !streaming || suite.present.fa64;
    // SAFETY: this core has no other reference to them.
    let [(put, put_za), (found, found_za)] = unsafe { sve::sets(0) };
    let length = match (streaming, suite.present.sve) {
        (true, _) => bytes,
        (false, true) => sve::length(),
        // No scalable vectors in this mode.
        (false, false) => 0,
    };
    put.fill(fresh().next(), length, ffr);
    put_za.fill(fresh().next(), bytes);
    let tpidr2 = fresh().next();
    suite.around(
        kind,
        || {
            sve::set_svcr(svcr);
            sve::set_tpidr2(tpidr2);
            if svcr & WITH_ZA != 0 {
                put_za.load();
            }
            if length != 0 {
                put.load(ffr);
            }
        },
        || {
            let after = sve::svcr();
            if length != 0 {
                found.store(ffr);
            }
            if svcr & after & WITH_ZA != 0 {
                found_za.store();
            }
            sve::set_svcr(0);
            equal("SVCR", after, svcr)?;
            equal("TPIDR2_EL0", sve::tpidr2(), tpidr2)?;
            if svcr & WITH_ZA != 0 {
                equal("words of ZA that changed", put_za.differences(found_za), 0)?;
            }
            if length != 0 {
                let different = put.differences(found, length);
                equal("words of Z that changed", different.z, 0)?;
                equal("bytes of P that changed", different.p, 0)?;
                equal("bytes of FFR that changed", different.ffr, 0)?;
                equal("words of FPCR and FPSR that changed", different.control, 0)?;
            }
            Ok(())
        },
    )
}
