//! The program `sp-mem`, a partition or a VM: its start and its loop.

use super::Who;
use super::protocol::{self, DIE, OK, PLAN, REPORT, TAKE, UNKNOWN, WHO};
use super::{hand, plan};
use crate::abi::{self, Regs};
use crate::partition::{query, respond};
use crate::rt::{
    self,
    call::{self, Conduit},
    cores,
    entry::Boot,
    mmu,
};
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Runs it.
pub fn run(boot: &Boot) -> ! {
    let Some(who) = Who::at(boot.base) else {
        panic!("no party of these boots is at {:#x}", boot.base);
    };
    let version = query(abi::VERSION, who.version.into())[0];
    if who.is_partition() {
        // What it borrows from the normal world it sees with its MMU only.
        mmu::open();
    }
    let mapped = map(&who);
    crate::say!(
        "{} {:#x} up: asked for FF-A {:#x}, got {version:#x}, at {:#x}, FFA_RXTX_MAP {mapped:#x}",
        who.name,
        who.id,
        who.version,
        boot.base,
    );
    VERSION.store(version, Relaxed);
    BASE.store(boot.base, Relaxed);
    plan::open(&who);
    if who.is_partition() {
        cores::others(other);
    }
    serve(&who)
}

/// What FFA_VERSION answered, and where the image is.
static VERSION: AtomicU64 = AtomicU64::new(0);
static BASE: AtomicU64 = AtomicU64::new(0);

/// The context of another core, if there is one.
fn other(_: u64) -> ! {
    mmu::open();
    match Who::at(BASE.load(Relaxed)) {
        Some(who) => serve(&who),
        None => cores::idle(0),
    }
}

fn serve(who: &Who) -> ! {
    let mut regs = wait();
    loop {
        call::call(Conduit::Smc, &mut regs);
        regs = match regs[0] as u32 {
            abi::DIRECT_REQ_64 => {
                rt::owes(regs[1]);
                let response = answer(who, &regs);
                rt::owes(0);
                response
            }
            abi::RUN | abi::RUN_64 => {
                plan::run(who);
                wait()
            }
            _ => wait(),
        };
    }
}

fn wait() -> Regs {
    let mut regs = [0; 18];
    regs[0] = abi::MSG_WAIT.into();
    regs
}

/// x0 of what FFA_RXTX_MAP answers.
fn map(who: &Who) -> u64 {
    let mut regs = [0; 18];
    regs[0] = abi::RXTX_MAP_64.into();
    regs[1..4].copy_from_slice(&[who.tx(), who.rx(), who.buffers]);
    call::call(Conduit::Smc, &mut regs);
    regs[0]
}

fn answer(who: &Who, request: &Regs) -> Regs {
    let mut arguments = [0; 4];
    arguments.copy_from_slice(&request[4..8]);
    let (status, details) = match protocol::parse(request[3]) {
        None => (UNKNOWN, [0; 4]),
        Some(WHO) => {
            let [version, base] = [VERSION.load(Relaxed), BASE.load(Relaxed)];
            (OK, [query(abi::ID_GET, 0)[2], version, base, 0])
        }
        Some(DIE) => {
            let came_back = query(who.end(), 0);
            (UNKNOWN, [came_back[0], came_back[2], 0, 0])
        }
        Some(PLAN) => plan::make(arguments),
        Some(REPORT) => plan::report(),
        Some(TAKE) => plan::take(who),
        Some(command) => hand::obey(command, arguments),
    };
    let mut regs = respond(abi::DIRECT_RESP_64, request);
    regs[3] = status;
    regs[4..8].copy_from_slice(&details);
    regs
}
