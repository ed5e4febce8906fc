//! A partition that begins again: with new memory, with nothing of its former life, as often as it dies.

use super::{KEEPER, Suite, is_error, peer, target, ticks_of_ms};
use crate::abi::{self, ABORTED};
use crate::boot_info::BootInfo;
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::client::{ECHO, Peer, registers};
use crate::life::{self, ABORT_64, Action, BY_HVC, FAILING, Order, PHOENIX, Way, command, state};
use crate::rt::call::{Conduit, checked_call};
use crate::rt::interrupt;

/// How many restarts come in a row.
const ROW: u64 = 100;

/// Runs the chapter.
pub fn run(suite: &mut Suite) {
    let phoenix = peer(PHOENIX);
    suite.case("restart/pair_is_mapped", |suite| suite.maps(&phoenix));
    suite.case("restart/pair_is_not_mapped_twice", |suite| {
        suite.has_pair(&phoenix)
    });
    for (form_name, form) in [
        ("abort_32", 0),
        ("abort_64", ABORT_64),
        ("abort_32_hvc", BY_HVC),
        ("abort_64_hvc", ABORT_64 | BY_HVC),
    ] {
        for way in Way::ALL {
            let name = format_args!("restart/{form_name}/{}", way.name());
            suite.case(name, |suite| {
                let lives = suite.lives(PHOENIX)?;
                suite.kill(PHOENIX, way, form)?;
                suite.others()?;
                suite.reborn(&phoenix, lives)
            });
        }
    }
    suite.case("restart/after_yield", |suite| {
        let lives = suite.lives(PHOENIX)?;
        after_yield(suite)?;
        suite.reborn(&phoenix, lives)
    });
    suite.case("restart/after_preemption", |suite| {
        let before = suite.lives(PHOENIX)?;
        let request = suite.request(
            abi::DIRECT_REQ2,
            &phoenix,
            &[command(life::SPIN), ticks_of_ms(8), 1],
        );
        suite.interrupted(PHOENIX, || Ok(request))?;
        suite.others()?;
        is_error(&suite.run_out(PHOENIX)?, &[ABORTED])?;
        // Interrupts may have come too early, and then it died undisturbed.
        let lives = suite.lives(PHOENIX)?;
        suite.reborn(&phoenix, lives.wrapping_sub(1).max(before))
    });
    suite.case("restart/preempted_in_initialisation", |suite| {
        preempted_in_initialisation(suite, &phoenix)
    });
    suite.case("restart/is_listed", |suite| {
        suite.is_listed(PHOENIX, true)?;
        Ok(Seen::Nothing)
    });
    suite.case("restart/hundred_in_a_row", |suite| row(suite, &phoenix));
    suite.case("restart/others_answer", |suite| suite.others());
}

/// Partitions whose second initialisation fails: that stops them.
pub fn failing(suite: &mut Suite) {
    for (id, order) in FAILING {
        let name = match order {
            Order::Error => "ffa_error",
            _ => "ffa_abort",
        };
        suite.case(
            format_args!("restart_fails/{name}/answers_before"),
            |suite| suite.fresh(&peer(id), 1),
        );
        suite.case(format_args!("restart_fails/{name}/aborted"), |suite| {
            suite.keep(id, order, 0)?;
            suite.kill(id, Way::Req2, ABORT_64)?;
            equal("lives", suite.lives(id)?, 2)?;
            Ok(Seen::Nothing)
        });
        suite.case(
            format_args!("restart_fails/{name}/others_answer"),
            |suite| suite.others(),
        );
        suite.case(format_args!("restart_fails/{name}/afterwards"), |suite| {
            suite.refuses(id, Action::Restart.afterwards())
        });
        suite.case(format_args!("restart_fails/{name}/listed"), |suite| {
            suite.is_listed(id, true)?;
            Ok(Seen::Nothing)
        });
    }
}

/// It yields in the middle of a request, and dies when it is run again.
fn after_yield(suite: &Suite) -> Result<(), Failure> {
    let words = [command(life::DIE), ABORT_64, 1];
    let exchange = suite.send(abi::DIRECT_REQ2, &peer(PHOENIX), &words);
    equal("x0 of the request", exchange.got[0], abi::YIELD.into())?;
    equal("x1 of the request", exchange.got[1], target(PHOENIX))?;
    suite.talk(&ECHO)?;
    is_error(&suite.run(PHOENIX), &[ABORTED])
}

/// The restart is on the requester's time: its timer takes the CPU from it, and FFA_RUN goes on with it
/// until the request is completed by what it began with.
fn preempted_in_initialisation(suite: &Suite, phoenix: &Peer) -> Verdict {
    let die = suite.request(abi::DIRECT_REQ2, phoenix, &[command(life::DIE), ABORT_64]);
    suite.interrupted(PHOENIX, || {
        suite.keep(PHOENIX, Order::Spin, ticks_of_ms(8))?;
        Ok(die)
    })?;
    suite.others()?;
    for (call, ..) in super::KINDS {
        is_error(&suite.send(call, phoenix, &[0]), &[abi::BUSY])?;
    }
    // The timer meets it again, unless it is through already.
    interrupt::arm(ticks_of_ms(1));
    let run = registers(abi::RUN, &[target(PHOENIX)]);
    let exchange = checked_call(Conduit::Smc, &run);
    let _ = interrupt::take();
    let last = match exchange.got[0] as u32 {
        abi::INTERRUPT => suite.run_out(PHOENIX)?,
        _ => exchange,
    };
    is_error(&last, &[ABORTED])?;
    let lives = suite.lives(PHOENIX)?;
    suite.reborn(phoenix, lives.wrapping_sub(1))
}

/// Dies and answers, again and again: nothing that a life needs is lost with it.
fn row(suite: &Suite, phoenix: &Peer) -> Verdict {
    let lives = suite.lives(PHOENIX)?;
    for n in 0..ROW {
        let way = Way::ALL[(n % 5) as usize];
        suite.kill(PHOENIX, way, n & 3)?;
        suite.talk(phoenix)?;
        // The last life's pair is mapped below.
        if n + 1 < ROW {
            suite.maps(phoenix)?;
        }
    }
    suite.talk(&ECHO)?;
    suite.reborn(phoenix, lives + ROW - 1)?;
    Ok(Seen::Count("restarts", ROW))
}

impl Suite {
    /// How many lives of a partition `sp-keep` has seen.
    pub(super) fn lives(&self, id: u16) -> Result<u64, Failure> {
        let [status, lives, ..] = self.ask(&KEEPER, life::LIVES, &[id.into()])?;
        equal("sp-keep's status", status, 0)?;
        Ok(lives)
    }

    /// Lets `sp-keep` tell a partition's next life what to do.
    pub(super) fn keep(&self, id: u16, order: Order, argument: u64) -> Result<(), Failure> {
        let [status, ..] = self.ask(&KEEPER, life::KEEP, &[id.into(), order as u64, argument])?;
        equal("sp-keep's status", status, 0)
    }

    fn maps(&self, peer: &Peer) -> Verdict {
        let [_, x0, x2, ..] = self.ask(peer, life::MAP, &[])?;
        equal("x0 of FFA_RXTX_MAP", x0, abi::SUCCESS_32.into())?;
        equal("x2 of FFA_RXTX_MAP", x2, 0)?;
        Ok(Seen::Nothing)
    }

    /// The partition has a pair: it can't map another one.
    pub(super) fn has_pair(&self, peer: &Peer) -> Verdict {
        let [_, x0, x2, ..] = self.ask(peer, life::MAP, &[])?;
        equal("x0 of FFA_RXTX_MAP", x0, abi::ERROR.into())?;
        equal("x2 of FFA_RXTX_MAP", x2, abi::code(abi::DENIED))?;
        Ok(Seen::Nothing)
    }

    /// Fails unless the partition is as at the beginning of a life, its `life`th.
    pub(super) fn fresh(&self, peer: &Peer, life: u64) -> Verdict {
        let facts = self.ask(peer, life::STATE, &[])?;
        equal("status", facts[0], 0)?;
        let wanted = [
            (
                "lives that its memory has seen",
                facts[state::LIVES_IN_MEMORY],
                1,
            ),
            ("changed words of .data", facts[state::CHANGED_DATA], 0),
            ("words left behind the image", facts[state::LEFTOVERS], 0),
            (
                "boot information",
                facts[state::BOOT_INFO],
                BootInfo::Good as u64,
            ),
            ("FFA_VERSION", facts[state::VERSION], abi::V1_3.into()),
            ("FFA_ID_GET", facts[state::ID], peer.id.into()),
            ("x4 at entry", facts[state::CONTEXT], 0),
            ("life", facts[state::LIFE], life),
        ];
        for (what, got, want) in wanted {
            equal(what, got, want)?;
        }
        Ok(Seen::Value("life", life))
    }

    /// Fails unless the partition serves in the life after those, with everything new.
    fn reborn(&self, peer: &Peer, lives: u64) -> Verdict {
        equal("lives", self.lives(peer.id)?, lives + 1)?;
        self.talk(peer)?;
        self.fresh(peer, lives + 1)?;
        // The pair of the former life is gone: it can be mapped.
        self.maps(peer)?;
        Ok(Seen::Value("life", lives + 1))
    }
}
