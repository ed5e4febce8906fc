//! The client of the boot with several cores, as a VM: a page out of a block of memory is lent again and again while other
//! cores read, write and execute what is beside it. When a block is cut, it is not there for a moment: whoever meets that
//! moment must not notice.

use super::{Check, Deal, PAGE, Party, Range, Suite, offer, start};
use crate::abi;
use crate::memory::protocol::{OK, WATCH};
use crate::memory::{V10, V11, hand};
use crate::rt::{cores, entry::Boot, regs};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

const SEED: u64 = 0xa00;
/// The other cores.
const OTHERS: core::ops::RangeInclusive<u64> = 1..=3;
/// How often a page is lent.
const TIMES: u64 = 100;
/// Seconds until a core counts as lost.
const PATIENCE: u64 = 60;
/// Pages that are watched, in front of the one that is lent.
const WATCHED: u64 = 32;

/// What the other cores watch: in whose hands, 0 for their own; where, how long.
static WATCHER: AtomicU64 = AtomicU64::new(0);
static PLACE: AtomicU64 = AtomicU64::new(0);
/// They go on until this is set.
static ENOUGH: AtomicU64 = AtomicU64::new(0);

/// What a core has seen: times, words that differed, the status of what failed, its first detail.
struct Seen([AtomicU64; 4]);

static SEEN: [Seen; cores::VCPUS] =
    [const { Seen([const { AtomicU64::new(0) }; 4]) }; cores::VCPUS];

/// The image's start.
pub fn main(boot: &Boot) -> ! {
    let mut suite = Suite::start("client-memory-cores", abi::V1_2, boot);
    suite.case("cores/own_buffers", start::buffers);
    for who in [V10, V11] {
        let party = suite.party(who);
        suite.named(format_args!("cores/who_is_{}", who.name), |_| {
            start::who_is(&party)
        });
    }
    let [borrower, wide] = [V10, V11].map(|who| suite.party(who));
    let me = suite.me;
    for deal in Deal::LOANS {
        let name = deal.name();
        suite.named(
            format_args!("cores/{name}/vm_beside_a_page_that_it_gives"),
            |suite| beside(suite, deal, &me, &borrower),
        );
        suite.named(
            format_args!("cores/{name}/partition_beside_a_page_that_it_gives"),
            |suite| beside(suite, deal, &wide, &borrower),
        );
        suite.named(
            format_args!("cores/{name}/partition_beside_a_page_that_it_borrows"),
            |suite| borrowed(suite, deal, &wide),
        );
    }
    suite.client.end()
}

/// One core's part: the watcher's context there works as long as it takes.
fn watch(core: u64) {
    let Some(Seen([times, differ, status, detail])) = SEEN.get(core as usize) else {
        return;
    };
    let [id, at] = [&WATCHER, &PLACE].map(|word| word.load(Relaxed));
    let slice = regs::cntfrq() / 100;
    let a = [at, WATCHED * PAGE, SEED, slice];
    while ENOUGH.load(Relaxed) == 0 {
        let answer = match id {
            0 => hand::obey(WATCH, a),
            _ => {
                let party = Party {
                    who: V11,
                    client: abi::VM1,
                };
                match party.ask(WATCH, a) {
                    Ok(answer) => answer,
                    Err(wrong) => (wrong.got, [wrong.want, 0, 0, 0]),
                }
            }
        };
        let (result, [wrong, rounds, ..]) = answer;
        if result != OK {
            detail.store(answer.1[0], Relaxed);
            status.store(result, Relaxed);
            return;
        }
        differ.store(differ.load(Relaxed) + wrong, Relaxed);
        times.store(times.load(Relaxed) + rounds, Relaxed);
    }
}

/// The other cores watch what the watcher has there while `body` runs.
fn watched(suite: &Suite, watcher: &Party, at: u64, body: impl FnOnce() -> Check) -> Check {
    let me = &suite.me;
    let id = if watcher.who.is_client() {
        0
    } else {
        watcher.who.id
    };
    WATCHER.store(id.into(), Relaxed);
    PLACE.store(at, Relaxed);
    ENOUGH.store(0, Relaxed);
    for core in OTHERS {
        if let Some(Seen(words)) = SEEN.get(core as usize) {
            words.iter().for_each(|word| word.store(0, Relaxed));
        }
        me.equal("CPU_ON", cores::start(core, watch, core) as u64, 0)?;
    }
    // A context that starts waits first, and with that releases RX.
    let mut result = Ok(());
    for Seen([times, _, status, _]) in SEEN.iter().take(1 + *OTHERS.end() as usize).skip(1) {
        let works = cores::patiently(PATIENCE, || {
            times.load(Relaxed) > 0 || status.load(Relaxed) != OK
        });
        result = result.and(me.equal("another core works", works.into(), 1));
    }
    let result = result.and_then(|()| body());
    ENOUGH.store(1, Relaxed);
    for core in OTHERS {
        let off = cores::patiently(PATIENCE, || {
            cores::done(core) && cores::affinity_info(core) == 1
        });
        me.equal("another core is off", off.into(), 1)?;
    }
    result?;
    for core in OTHERS {
        if let Some(Seen([times, differ, status, detail])) = SEEN.get(core as usize) {
            let detail = detail.load(Relaxed);
            if status.load(Relaxed) != OK {
                return Err(watcher.wrong("another core's access", status.load(Relaxed), detail));
            }
            watcher.equal("words that another core lost", differ.load(Relaxed), 0)?;
            watcher.equal("it has looked", (times.load(Relaxed) > 0).into(), 1)?;
        }
    }
    Ok(())
}

/// A page behind what is watched goes to and fro.
fn beside(suite: &Suite, deal: Deal, lender: &Party, borrower: &Party) -> Check {
    let all = suite.pages(lender, WATCHED + 1);
    let kept = Range {
        pages: WATCHED as u32,
        ..all
    };
    let given = Range {
        base: all.base + WATCHED * PAGE,
        pages: 1,
    };
    lender.fill(kept, SEED)?;
    lender.fill(given, SEED)?;
    watched(suite, lender, all.base, || {
        for _ in 0..TIMES {
            let form = offer(deal, lender, &[*borrower], &[given]);
            let handle = suite.send(lender, deal, &form)?;
            suite.take(deal, &form, handle, borrower)?;
            suite.relinquish(borrower, handle)?;
            suite.reclaim(lender, handle)?;
        }
        Ok(())
    })?;
    lender.holds(kept, SEED)?;
    lender.holds(given, SEED)
}

/// What a partition has borrowed it reads and writes while it borrows the page behind it, and gives it back.
fn borrowed(suite: &Suite, deal: Deal, borrower: &Party) -> Check {
    let me = &suite.me;
    // A block of 2 MiB but for its last page, which makes it one.
    let block = 512;
    let base = me.who.spare().0.next_multiple_of(block * PAGE);
    let most = Range {
        base,
        pages: block as u32 - 1,
    };
    let last = Range {
        base: base + (block - 1) * PAGE,
        pages: 1,
    };
    let seen = Range {
        pages: WATCHED as u32,
        ..most
    };
    me.fill(seen, SEED)?;
    let form = offer(deal, me, &[*borrower], &[most]);
    let held = suite.send(me, deal, &form)?;
    suite.take(deal, &form, held, borrower)?;
    watched(suite, borrower, base, || {
        for _ in 0..TIMES {
            let form = offer(deal, me, &[*borrower], &[last]);
            let handle = suite.send(me, deal, &form)?;
            suite.take(deal, &form, handle, borrower)?;
            suite.relinquish(borrower, handle)?;
            suite.reclaim(me, handle)?;
        }
        Ok(())
    })?;
    suite.relinquish(borrower, held)?;
    suite.reclaim(me, held)?;
    me.holds(seen, SEED)
}
