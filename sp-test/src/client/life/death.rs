//! Partitions that die once, by what their manifests say: what is seen then, and afterwards.

use super::{Suite, info, is_error, peer};
use crate::abi;
use crate::client::Refusal;
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::life::{self, ABORT_64, Action, BY_HVC, COUNT, MORTALS};

/// Runs the chapter.
pub fn run(suite: &mut Suite) {
    suite.case("listed/all_before", |_| {
        info::counts(&info::NIL, COUNT.into())?;
        let (found, tag) = info::listed()?;
        equal("ids listed", found.count_ones().into(), COUNT.into())?;
        Ok(Seen::Value("tag", tag))
    });
    for (n, (action, way)) in (0..).zip(MORTALS) {
        let id = life::FIRST + n;
        let name = format_args!("{}/{}", action.name(), way.name());
        // Every form of the call gets its turn.
        let form = [0, ABORT_64, BY_HVC, ABORT_64 | BY_HVC][usize::from(n) % 4];
        // Asked only where something is to change.
        let tag = match action {
            Action::Destroy => info::listed().map(|(_, tag)| tag),
            _ => Ok(0),
        };
        suite.case(format_args!("{name}/aborted"), |suite| {
            suite.kill(id, way, form)?;
            Ok(Seen::Nothing)
        });
        suite.case(format_args!("{name}/others_answer"), |suite| suite.others());
        suite.case(format_args!("{name}/afterwards"), |suite| {
            suite.refuses(id, action.afterwards())
        });
        suite.case(format_args!("{name}/listed"), |suite| {
            suite.is_listed(id, action != Action::Destroy)?;
            Ok(Seen::Nothing)
        });
        if action == Action::Destroy {
            suite.case(format_args!("{name}/tag_changes"), |_| tag_changes(tag));
        }
    }
    suite.case("listed/all_after", |_| {
        let destroyed = MORTALS
            .iter()
            .filter(|(action, _)| *action == Action::Destroy);
        let left = u64::from(COUNT) - destroyed.count() as u64;
        info::counts(&info::NIL, left)?;
        let (found, tag) = info::listed()?;
        equal("ids listed", found.count_ones().into(), left)?;
        Ok(Seen::Value("tag", tag))
    });
}

/// A walk that began before a partition vanished cannot go on.
fn tag_changes(before: Result<u64, Failure>) -> Verdict {
    let before = before?;
    let (_, now) = info::listed()?;
    if now == before {
        return Err(Failure::Value {
            what: "tag as before the destruction",
            got: now,
            want: before.wrapping_add(1),
        });
    }
    let exchange = info::reply(&info::NIL, 5, before);
    is_error(&exchange, &[abi::RETRY])?;
    Ok(Seen::Value("tag", now))
}

/// A case for [`init`](super::init): what is seen of a partition that never served.
pub fn never_served(suite: &mut Suite, id: u16, action: Action) {
    let name = action.name();
    suite.case(format_args!("init/{name}/refused"), |suite| {
        suite.refuses(id, action.afterwards())
    });
    suite.case(format_args!("init/{name}/listed"), |suite| {
        suite.is_listed(id, action != Action::Destroy)?;
        Ok(Seen::Nothing)
    });
    suite.case(format_args!("init/{name}/no_answer"), |suite| {
        let exchange = suite.send(abi::DIRECT_REQ2, &peer(id), &[0]);
        match exchange.got[0] as u32 {
            abi::ERROR => Ok(Seen::Nothing),
            _ => Err(Failure::Refused(Refusal {
                x0: exchange.got[0],
                x2: exchange.got[2],
            })),
        }
    });
}
