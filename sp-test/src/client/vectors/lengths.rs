//! Z, P and FFR at every vector length.

use super::{Check, Kind, Suite, equal};
use crate::client::report::Seen;
use crate::rt::call::fresh;
use crate::rt::sve::{self, Differences};

/// Runs the chapter.
pub fn run(suite: &mut Suite) {
    if !suite.present.sve {
        for name in ["z-survives", "p-survives", "ffr-survives", "zcr-survives"] {
            suite.absent(name);
        }
        return;
    }
    let mut lengths = 0;
    let mut before = 0;
    for len in 0..16 {
        sve::set_length(len);
        let bytes = sve::length();
        if bytes == before {
            continue;
        }
        before = bytes;
        lengths += 1;
        for kind in Kind::ALL {
            let verdict = once(suite, kind, bytes);
            let [z, p, ffr] = match verdict {
                Ok(verdicts) => verdicts,
                Err(failure) => [Err(failure), Ok(()), Ok(())],
            };
            let (bits, kind) = (8 * bytes, kind.name());
            suite.case(format_args!("z-survives-vl-{bits}/{kind}"), z);
            suite.case(format_args!("p-survives-vl-{bits}/{kind}"), p);
            suite.case(format_args!("ffr-survives-vl-{bits}/{kind}"), ffr);
        }
        let zcr = equal("ZCR_ELx", sve::controls(suite.present)[0] & 0xf, len);
        suite.case(format_args!("zcr-survives-vl-{}", 8 * bytes), zcr);
    }
    sve::set_length(0xf);
    suite.client.case(
        "vectors/lengths",
        Ok(Seen::Count("vector lengths", lengths)),
    );
}

/// What became of Z, of P and of FFR.
fn once(suite: &Suite, kind: Kind, bytes: usize) -> Result<[Check; 3], super::Failure> {
    // SAFETY: this core has no other reference to them.
    let [(put, _), (found, _)] = unsafe { sve::sets(0) };
    put.fill(fresh().next(), bytes, true);
    let mut different = Differences::default();
    suite.around(
        kind,
        || put.load(true),
        || {
            found.store(true);
            different = put.differences(found, bytes);
            equal("words of FPCR and FPSR that changed", different.control, 0)
        },
    )?;
    Ok([
        equal("words of Z that changed", different.z, 0),
        equal("bytes of P that changed", different.p, 0),
        equal("bytes of FFR that changed", different.ffr, 0),
    ])
}
