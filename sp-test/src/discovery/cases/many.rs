//! More descriptors than a page holds: in a boot of their own, in which each partition has sixteen
//! services.

use super::{Case, DONE, Env, Verdict, case, for_, read};
use crate::abi::{self, DENIED, NO_MEMORY};
use crate::discovery::SUBJECTS;
use crate::discovery::info::{NIL, size};
use crate::expect::{Expect, Want};

pub(super) const CASES: &[Case] = &[
    case("info_too_many_for_1_page", for_::maps, too_many),
    case("info_too_many_in_2_pages", for_::maps, in_2_pages),
    case("info_regs_too_many", for_::maps, pages),
];

/// All services of all partitions.
const COUNT: u64 = 16 * SUBJECTS.len() as u64;

fn success(count: u64, size: u64) -> Expect {
    Expect::Success {
        w2: Want::Is(count),
        w3: Want::Is(size),
    }
}

/// What does not fit changes nothing; what fits does.
fn too_many(env: &mut Env) -> Verdict {
    env.map(1)?;
    let (all, count) = (Env::info(NIL, 0), Env::info(NIL, 1));
    env.expect("count", abi::PARTITION_INFO_GET, &count, &success(COUNT, 0))?;
    for _ in 0..2 {
        env.refused("all", abi::PARTITION_INFO_GET, &all, NO_MEMORY)?;
        env.refused("RX is empty", abi::RX_RELEASE, &[], DENIED)?;
    }
    let one = SUBJECTS[0].services[0].uuid;
    env.expect(
        "one",
        abi::PARTITION_INFO_GET,
        &Env::info(one, 0),
        &success(1, size(env.me.version) as u64),
    )?;
    env.expect("FFA_RX_RELEASE", abi::RX_RELEASE, &[], &DONE)?;
    env.unmap()
}

fn in_2_pages(env: &mut Env) -> Verdict {
    let bytes = size(env.me.version) as u64;
    let pair = env.map(2)?;
    env.expect(
        "all",
        abi::PARTITION_INFO_GET,
        &Env::info(NIL, 0),
        &success(COUNT, bytes),
    )?;
    for subject in &SUBJECTS {
        let of_it = (0..COUNT)
            .filter(|n| read(pair.rx + n * bytes) as u16 == subject.id)
            .count();
        super::equal("descriptors", subject.id.into(), of_it as u64, 16)?;
    }
    super::equal("behind them", 0, read(pair.rx + COUNT * bytes), 0)?;
    env.expect("FFA_RX_RELEASE", abi::RX_RELEASE, &[], &DONE)?;
    env.unmap()
}

/// Registers are never too few: there is another reply.
fn pages(env: &mut Env) -> Verdict {
    let each = size(env.me.version) / 8;
    let mut seen = 0;
    while seen < COUNT {
        let arguments = [0, 0, seen];
        let (_, exchange) = env.call(abi::PARTITION_INFO_GET_REGS, &arguments);
        let (x0, x2) = (exchange.got[0], exchange.got[2]);
        super::equal("x0", seen, x0, abi::SUCCESS_64.into())?;
        super::equal("last index", seen, x2 & 0xffff, COUNT - 1)?;
        let next = (seen + 15 / each as u64).min(COUNT);
        super::equal(
            "index of this reply's last",
            seen,
            x2 >> 16 & 0xffff,
            next - 1,
        )?;
        seen = next;
    }
    Ok(())
}
