//! `client-life-propagate`: a partition whose end is that of all.

use super::{ECHO, KEEPER, KINDS, RELAY, Suite, conduits, is_error, peer};
use crate::abi::{self, ABORTED};
use crate::client::registers;
use crate::client::report::Seen;
use crate::life::{ABORT_64, FIRST, Way};
use crate::rt::{call::checked_call, entry::Boot};

/// The image's start.
pub fn main(boot: &Boot) -> ! {
    let mut suite = Suite::start("client-life-propagate", boot);
    let last = peer(FIRST);
    suite.case("propagate/answers_before", |suite| {
        suite.talk(&last).map(|()| Seen::Nothing)
    });
    suite.case("propagate/others_answer_before", |suite| suite.others());
    suite.case("propagate/aborted", |suite| {
        suite.kill(FIRST, Way::Req2, ABORT_64)?;
        Ok(Seen::Nothing)
    });
    for other in [&last, &ECHO, &RELAY, &KEEPER] {
        for (call, name, _) in KINDS {
            suite.case(
                format_args!("propagate/{name}_to_{}", other.name),
                |suite| {
                    for conduit in conduits(&suite.client) {
                        let request = suite.request(call, other, &[1, 2, 3]);
                        is_error(&checked_call(*conduit, &request), &[ABORTED])?;
                    }
                    Ok(Seen::Nothing)
                },
            );
        }
        suite.case(format_args!("propagate/run_of_{}", other.name), |suite| {
            is_error(&suite.run(other.id), &[ABORTED])?;
            Ok(Seen::Nothing)
        });
    }
    let info = registers(abi::PARTITION_INFO_GET, &[0, 0, 0, 0, 1]);
    let regs = registers(abi::PARTITION_INFO_GET_REGS, &[0, 0, 0]);
    for (name, call) in [
        ("partition_info_get", info),
        ("partition_info_get_regs", regs),
    ] {
        suite.case(format_args!("propagate/{name}"), |suite| {
            for conduit in conduits(&suite.client) {
                is_error(&checked_call(*conduit, &call), &[ABORTED])?;
            }
            Ok(Seen::Nothing)
        });
    }
    suite.client.end()
}
