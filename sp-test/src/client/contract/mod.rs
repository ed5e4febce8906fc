//! The client of the contract matrix: every call and completion of every version and mode, with all
//! registers compared at both ends.
//!
//! A cell is one case, `contract/<boundary>/<version>-<mode>/<call>-<completion>` with a variant
//! behind it. The client looks at the boundary below itself (`vm`: the proxy, `ns`: EL3); what a
//! partition saw at its own (`sp`) it is asked for afterwards. Cells are made by chapters:
//!
//! | chapter | cells |
//! | --- | --- |
//! | `plain` | calls that are answered at once |
//! | `messages` | requests and responses of all widths |
//! | `cycles` | interrupts, yields, FFA_RUN; the proxy's own FFA_RUN; strict mode |
//! | `waits` | what ends a partition's wait |
//! | `chains` | partitions that call and run partitions |
//! | `bad` | calls that must be refused |

mod bad;
pub(crate) mod chains;
pub(crate) mod cycles;
pub(crate) mod messages;
pub(crate) mod plain;
pub(crate) mod waits;

use super::Client;
use super::suite::{
    EVERYTHING, How, S12, Suite, TRIES, V12, V13, delay, is_error, is_response, long, name, names,
    starts_with,
};
use crate::abi;
use crate::contract::{
    SUBJECTS,
    protocol::{self as ask, key},
};
use crate::rt::{entry::Boot, interrupt};

/// The image's start. `version` and `strict` are those of this client.
pub fn main(name: &str, version: u32, strict: bool, boot: &Boot) -> ! {
    let client = Client::start_at(name, version, boot);
    let mut suite = Suite::new(client, "contract", version, strict);
    interrupt::open();
    plain::client(&mut suite);
    messages::client(&mut suite);
    cycles::client(&mut suite);
    bad::client(&mut suite);
    // What partitions see is the same from any client; two are enough.
    if version == abi::V1_2 && !strict {
        for subject in &SUBJECTS {
            plain::partition(&mut suite, subject);
            waits::partition(&mut suite, subject);
            cycles::partition(&mut suite, subject);
            chains::partition(&mut suite, subject);
        }
        bad::partitions(&mut suite);
    }
    everything(&mut suite);
    suite.client.end()
}

/// The sum over every call that a partition made.
fn everything(suite: &mut Suite) {
    for subject in &SUBJECTS {
        suite.cell(subject.column(), format_args!("ALL-ALL"), |suite| {
            suite.seen(subject, EVERYTHING, 0, 1)
        });
    }
}
