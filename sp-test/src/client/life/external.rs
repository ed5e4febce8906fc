//! `client-life-external`: a partition was given a device where the bus answers with an error. What the
//! CPU makes of that is the partition's own, and nobody else's. And its manifest fixes its RX/TX pair, which
//! it has in each life.

use super::{Suite, alive, peer};
use crate::board::place;
use crate::client::report::{Seen, equal};
use crate::life::{FIRST, Way};
use crate::protocol::{READ, WRITE};
use crate::rt::entry::Boot;

/// A hole between the board's devices.
const HOLE: u64 = place(0x0b00_0000);
/// Synchronous external abort, not on a table walk.
const EXTERNAL: u64 = 0x10;
const DATA_ABORT: u64 = 0x25;

/// The image's start.
pub fn main(boot: &Boot) -> ! {
    let mut suite = Suite::start("client-life-external", boot);
    let owner = peer(FIRST);
    for (name, how) in [("read", READ), ("write", WRITE)] {
        suite.case(format_args!("external_abort/{name}"), |suite| {
            let fault = alive::fault_at(suite, &owner, HOLE, how)?;
            equal("exception class", fault.class(), DATA_ABORT)?;
            equal("fault status", fault.esr & 0x3f, EXTERNAL)?;
            equal("FAR_EL1", fault.far, HOLE)?;
            Ok(Seen::Fault(fault))
        });
        suite.case(
            format_args!("external_abort/lives_on_after_{name}"),
            |suite| {
                suite.talk(&owner)?;
                suite.fresh(&owner, 1)
            },
        );
        suite.case(
            format_args!("external_abort/others_after_{name}"),
            |suite| suite.others(),
        );
    }
    suite.case("fixed_pair/is_there", |suite| suite.has_pair(&owner));
    for way in Way::ALL {
        suite.case(
            format_args!("fixed_pair/is_there_again_after_{}", way.name()),
            |suite| {
                let lives = suite.lives(FIRST)?;
                suite.kill(FIRST, way, 0)?;
                equal("lives", suite.lives(FIRST)?, lives.wrapping_add(1))?;
                suite.fresh(&owner, lives.wrapping_add(1))?;
                suite.has_pair(&owner)
            },
        );
    }
    suite.client.end()
}
