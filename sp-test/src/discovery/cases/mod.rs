//! The cases: calls of one endpoint, what each must leave in all of x0-x30, and what it must leave in
//! memory. Written once for the normal world's hypervisor, VMs and partitions; where the right answer
//! depends on who asks, [`Me`] tells.
//!
//! Every case leaves the caller as it found it, without RX/TX buffers if they are its own to map.

mod boot_info;
mod console;
mod forwarded;
mod id_registers;
mod info;
mod info_regs;
mod many;
mod map;
mod ownership;
mod regions;
mod smcs;
mod version;
mod vms;
mod wrong;

use super::features::{FEATURES, Feature};
use super::smc::{SMCS, Smc};
use super::{Me, regions as places};
use crate::abi::{self, UuidWords};
use crate::expect::{self, Exchange, Expect, Want};
use crate::rt::call::{Conduit, checked_call, fresh};
use core::fmt;
use wrong::{Problem, equal, wrong_register};

pub use wrong::{Verdict, Wrong};

/// 4 KiB.
const PAGE: u64 = 0x1000;

/// A case.
pub struct Case {
    name: &'static str,
    fits: fn(&Me) -> bool,
    run: fn(&mut Env) -> Verdict,
}

const fn case(name: &'static str, fits: fn(&Me) -> bool, run: fn(&mut Env) -> Verdict) -> Case {
    Case { name, fits, run }
}

/// Whom a case fits.
mod for_ {
    use super::Me;

    pub(super) fn all(_: &Me) -> bool {
        true
    }
    pub(super) fn maps(me: &Me) -> bool {
        me.maps()
    }
    pub(super) fn physical(me: &Me) -> bool {
        me.is_physical()
    }
    pub(super) fn endpoints(me: &Me) -> bool {
        !me.is_physical()
    }
    pub(super) fn partitions(me: &Me) -> bool {
        me.is_partition()
    }
    pub(super) fn extended(me: &Me) -> bool {
        me.is_extended()
    }
}

/// Chapters, in the order they run.
const CHAPTERS: &[&[Case]] = &[
    boot_info::CASES,
    version::CASES,
    map::CASES,
    ownership::CASES,
    info::CASES,
    info_regs::CASES,
    forwarded::CASES,
    console::CASES,
    regions::CASES,
    id_registers::CASES,
    vms::CASES,
];

/// One line of the table.
#[derive(Clone, Copy)]
pub enum Entry {
    /// A case.
    Case(&'static Case),
    /// A query of FFA_FEATURES.
    Feature(&'static Feature),
    /// A call that is not FF-A's.
    Smc(&'static Smc),
}

/// The entry with this number, if there are so many.
pub fn entry(number: usize) -> Option<Entry> {
    let cases = CHAPTERS.iter().copied().flatten().map(Entry::Case);
    let features = FEATURES.iter().map(Entry::Feature);
    let smcs = SMCS.iter().map(Entry::Smc);
    cases.chain(features).chain(smcs).nth(number)
}

/// The same of the boot with [many] services.
pub fn many(number: usize) -> Option<Entry> {
    many::CASES.get(number).map(Entry::Case)
}

impl Entry {
    /// Whether it is `me`'s to run.
    pub fn fits(&self, me: &Me) -> bool {
        match self {
            Self::Case(case) => (case.fits)(me),
            Self::Feature(_) => true,
            Self::Smc(_) => me.is_partition(),
        }
    }

    /// Runs it.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn run(&self, env: &mut Env) -> Verdict {
        match self {
            Self::Case(case) => (case.run)(env),
            Self::Feature(feature) => env.feature(feature),
            Self::Smc(smc) => env.smc(smc),
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Case(case) => f.write_str(case.name),
            Self::Feature(feature) => write!(f, "features/{}", feature.name),
            Self::Smc(smc) => write!(f, "smc/{}", smc.name),
        }
    }
}

/// What a partition found when it was entered, and what its first calls got.
#[derive(Clone, Copy, Debug, Default)]
pub struct Start {
    /// x0-x7.
    pub regs: [u64; 8],
    /// The results of its calls before FFA_VERSION.
    pub early: Option<Wrong>,
}

/// An endpoint that runs cases.
pub struct Env {
    /// Who it is.
    pub me: Me,
    /// How it started, if it is a partition.
    pub start: Start,
    calls: u64,
}

/// RX and TX of one to four pages, from [`Me::scratch`] on.
#[derive(Clone, Copy, Debug)]
struct Pair {
    tx: u64,
    rx: u64,
    pages: u64,
}

impl Env {
    /// An endpoint.
    pub const fn new(me: Me, start: Start) -> Self {
        Self {
            me,
            start,
            calls: 0,
        }
    }

    /// Makes a call with x1 and up; x1-x7 that are not given are zero, x8-x17 random. A VM and a
    /// partition use both conduits in turn.
    fn call(&mut self, id: u32, arguments: &[u64]) -> (Conduit, Exchange) {
        let mut regs = [0; 18];
        fresh().fill(&mut regs[8..]);
        regs[0] = id.into();
        for (slot, value) in regs.iter_mut().skip(1).zip(arguments) {
            *slot = *value;
        }
        self.calls += 1;
        let conduit = if self.me.is_physical() || self.calls & 1 == 0 {
            Conduit::Smc
        } else {
            Conduit::Hvc
        };
        (conduit, checked_call(conduit, &regs))
    }

    /// Makes a call and compares every register.
    fn expect(
        &mut self,
        step: &'static str,
        id: u32,
        arguments: &[u64],
        expect: &Expect,
    ) -> Result<Exchange, Wrong> {
        self.expect_turn(step, 0, id, arguments, expect)
    }

    /// The same, one of many.
    fn expect_turn(
        &mut self,
        step: &'static str,
        turn: u64,
        id: u32,
        arguments: &[u64],
        expect: &Expect,
    ) -> Result<Exchange, Wrong> {
        let (conduit, exchange) = self.call(id, arguments);
        match expect::check(&exchange, expect) {
            Ok(()) => Ok(exchange),
            Err(mismatch) => Err(wrong_register(step, turn, conduit, &exchange, mismatch)),
        }
    }

    /// A call that must be refused with `code`.
    fn refused(&mut self, step: &'static str, id: u32, arguments: &[u64], code: i32) -> Verdict {
        self.refused_turn(step, 0, id, arguments, code)
    }

    /// The same, one of many.
    fn refused_turn(
        &mut self,
        step: &'static str,
        turn: u64,
        id: u32,
        arguments: &[u64],
        code: i32,
    ) -> Verdict {
        self.expect_turn(step, turn, id, arguments, &error(code))
            .map(|_| ())
    }

    /// A call that must succeed with nothing in w2 and w3.
    fn succeeds(&mut self, step: &'static str, id: u32, arguments: &[u64]) -> Verdict {
        self.expect(step, id, arguments, &DONE).map(|_| ())
    }

    /// A query of FFA_FEATURES.
    fn feature(&mut self, feature: &Feature) -> Verdict {
        let expect = match (feature.answer)(&self.me) {
            Some(answer) => Expect::Success {
                w2: Want::Is(answer & 0xffff_ffff),
                w3: Want::Is(answer >> 32),
            },
            None => error(abi::NOT_SUPPORTED),
        };
        let arguments = [feature.query.into(), feature.input.into()];
        self.expect("FFA_FEATURES", abi::FEATURES, &arguments, &expect)
            .map(|_| ())
    }

    /// Buffers of this many pages, with a page between them.
    fn pair(&self, pages: u64) -> Pair {
        let tx = self.me.scratch();
        Pair {
            tx,
            rx: tx + 5 * PAGE,
            pages,
        }
    }

    /// Maps buffers of this many pages.
    fn map(&mut self, pages: u64) -> Result<Pair, Wrong> {
        let pair = self.pair(pages);
        self.succeeds("FFA_RXTX_MAP", abi::RXTX_MAP_64, &[pair.tx, pair.rx, pages])?;
        Ok(pair)
    }

    /// Unmaps the caller's own buffers.
    fn unmap(&mut self) -> Verdict {
        self.succeeds("FFA_RXTX_UNMAP", abi::RXTX_UNMAP, &[])
    }

    /// The buffers of a caller: the manifest's, or mapped now.
    fn buffers(&mut self) -> Result<Pair, Wrong> {
        if self.me.maps() {
            self.map(1)
        } else {
            Ok(Pair {
                tx: places::TX,
                rx: places::RX,
                pages: 2,
            })
        }
    }

    /// Undoes [`Self::buffers`]; RX must be empty.
    fn no_buffers(&mut self) -> Verdict {
        if self.me.maps() { self.unmap() } else { Ok(()) }
    }

    /// Leaves nothing mapped that a failed case has left, and RX empty. What this gets says nothing.
    pub fn clean(&mut self) {
        if self.me.is_physical() {
            for vm in 1..=forwarded::MOST_VMS + 1 {
                self.call(abi::RXTX_UNMAP, &[vm << 16]);
            }
        }
        if self.me.maps() {
            self.call(abi::RXTX_UNMAP, &[]);
        } else {
            self.call(abi::RX_RELEASE, &[]);
        }
    }

    /// FFA_PARTITION_INFO_GET with a query and w5.
    fn info(query: UuidWords, flags: u64) -> [u64; 5] {
        let [w1, w2, w3, w4] = query.map(u64::from);
        [w1, w2, w3, w4, flags]
    }

    /// A query for all that fills RX.
    fn fill_rx(&mut self, step: &'static str) -> Verdict {
        let arguments = Self::info(super::info::NIL, 0);
        self.expect(step, abi::PARTITION_INFO_GET, &arguments, &SUCCESS)
            .map(|_| ())
    }

    /// What a partition does for [`HOLD`](super::protocol::HOLD).
    ///
    /// # Errors
    /// The buffers can't be had or filled.
    pub fn hold(&mut self) -> Verdict {
        self.buffers()?;
        self.fill_rx("first FFA_PARTITION_INFO_GET")
    }

    /// What a partition does for [`HELD`](super::protocol::HELD): gives the code with which
    /// FFA_RX_RELEASE was refused, or 0.
    pub fn held(&mut self) -> u64 {
        let (_, release) = self.call(abi::RX_RELEASE, &[]);
        self.clean();
        match release.got[0] as u32 {
            abi::SUCCESS_32 => 0,
            _ => release.got[2],
        }
    }
}

/// FFA_SUCCESS without results.
const DONE: Expect = Expect::Success {
    w2: Want::Is(0),
    w3: Want::Is(0),
};

/// FFA_SUCCESS with any results.
const SUCCESS: Expect = Expect::Success {
    w2: Want::Any,
    w3: Want::Any,
};

/// FFA_ERROR with one code.
const fn error(code: i32) -> Expect {
    Expect::Error(match code {
        abi::NOT_SUPPORTED => &[abi::NOT_SUPPORTED],
        abi::INVALID_PARAMETERS => &[abi::INVALID_PARAMETERS],
        abi::NO_MEMORY => &[abi::NO_MEMORY],
        abi::BUSY => &[abi::BUSY],
        abi::DENIED => &[abi::DENIED],
        abi::RETRY => &[abi::RETRY],
        _ => &[abi::ABORTED],
    })
}

/// Reads a word of the caller's memory.
fn read(address: u64) -> u64 {
    // SAFETY: callers name aligned words in memory that is this image's and no Rust object.
    unsafe { (address as *const u64).read_volatile() }
}

/// Writes a word of the caller's memory.
fn write(address: u64, value: u64) {
    // SAFETY: as in `read`.
    unsafe { (address as *mut u64).write_volatile(value) }
}

/// Fills pages with a pattern.
fn dirty(base: u64, pages: u64) {
    for offset in (0..pages * PAGE).step_by(8) {
        write(base + offset, 0xa5a5_a5a5_a5a5_a5a5);
    }
}

impl Env {
    /// What a partition may do before FFA_VERSION, and does.
    pub fn early(&mut self) -> Option<Wrong> {
        console::early(self)
    }
}
