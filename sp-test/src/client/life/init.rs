//! `client-life-init`: partitions that failed their first initialisation, by what their manifests say.

use super::{Suite, death, info};
use crate::abi;
use crate::client::report::{Seen, equal};
use crate::life::{Action, FIRST, STILLBORN};
use crate::rt::entry::Boot;

/// The image's start.
pub fn main(boot: &Boot) -> ! {
    let mut suite = Suite::start("client-life-init", boot);
    suite.case("init/others_answer", |suite| suite.others());
    for (id, action) in (FIRST..).zip(STILLBORN) {
        death::never_served(&mut suite, id, action);
    }
    suite.case("init/listed", |_| {
        let destroyed = STILLBORN
            .iter()
            .filter(|action| **action == Action::Destroy);
        let all = u64::from(FIRST - abi::ECHO) + STILLBORN.len() as u64;
        let left = all - destroyed.count() as u64;
        info::counts(&info::NIL, left)?;
        let (found, tag) = info::listed()?;
        equal("ids listed", found.count_ones().into(), left)?;
        Ok(Seen::Value("tag", tag))
    });
    suite.case("init/others_answer_still", |suite| suite.others());
    suite.case("init/registers_kept", |suite| suite.registers_kept());
    suite.client.end()
}
