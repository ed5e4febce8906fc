//! A test partition: the loop that waits, answers and waits again.
//!
//! It owns the partition's behaviour towards its callers; `commands` holds what a client may ask
//! of it beyond an answer. It never assumes that the firmware is right: in checked mode every
//! register of x0-x30 is compared around every wait.

mod commands;
pub mod contract;
pub mod discovery;
mod memory;
pub mod vm;

use crate::abi::{self, Regs};
use crate::boot_info::{self, BootInfo};
use crate::expect::{self, Mismatch};
use crate::protocol;
use crate::rt::{
    call::{self, Conduit},
    cores,
    entry::Boot,
    fault, fp, sysregs,
};
use crate::transform::Transform;
use core::sync::atomic::{AtomicPtr, Ordering};

/// Which partition this is.
#[derive(Clone, Copy)]
pub struct Config {
    /// Its name in log lines.
    pub name: &'static str,
    /// Its service.
    pub uuid: abi::UuidWords,
    /// The other test partition.
    pub peer: u16,
    /// The other's service.
    pub peer_uuid: abi::UuidWords,
    /// What it answers.
    pub transform: Transform,
}

/// What checked mode found.
#[derive(Clone, Copy, Default)]
struct Counters {
    waits: u64,
    errors: u64,
    first: Option<Mismatch>,
    runs: u64,
    unexpected: u64,
}

/// What the firmware said at start.
#[derive(Clone, Copy)]
struct Start {
    version: u64,
    id: u16,
    spm_id: u64,
    boot_info: BootInfo,
    context: u64,
    base: u64,
}

struct Partition {
    config: Config,
    start: Start,
    checked: bool,
    /// 1: touches a vector register each time that it runs, 2: uses them all.
    fp_each: u64,
    /// How often it has, and how many words were not as it had left them.
    fp_uses: [u64; 2],
    vectors: Option<fp::Vectors>,
    tainted: Option<sysregs::Left>,
    counters: Counters,
}

/// Runs the partition. `boot` is what it was entered with.
pub fn run(config: Config, boot: &Boot) -> ! {
    let start = Start {
        version: query(abi::VERSION, abi::V1_2.into())[0],
        id: query(abi::ID_GET, 0)[2] as u16,
        spm_id: query(abi::SPM_ID_GET, 0)[2],
        boot_info: find_boot_info(boot.regs[0]),
        context: boot.regs[4],
        base: boot.base,
    };
    crate::say!(
        "{} {:#x} up: FF-A {}.{}, context {}, at {:#x}, boot information {:?}",
        config.name,
        start.id,
        start.version >> 16 & 0x7fff,
        start.version & 0xffff,
        start.context,
        start.base,
        start.boot_info,
    );
    let own = (config, start);
    OWN.store((&raw const own).cast_mut(), Ordering::Release);
    cores::others(run_other);
    Partition::new(config, start).serve()
}

/// What the first context is, for the others.
static OWN: AtomicPtr<(Config, Start)> = AtomicPtr::new(core::ptr::null_mut());

/// Runs the context of another core, each time that it is switched on.
fn run_other(context: u64) -> ! {
    // SAFETY: null, or where `run` has put it, which never returns.
    let Some((config, start)) = (unsafe { OWN.load(Ordering::Acquire).as_ref() }) else {
        panic!("context {context} started before the first one");
    };
    let (config, start) = (*config, *start);
    Partition::new(config, Start { context, ..start }).serve()
}

/// The partition's id, asked for before [`run`] by an image that is several partitions.
pub fn own_id() -> u16 {
    query(abi::VERSION, abi::V1_2.into());
    query(abi::ID_GET, 0)[2] as u16
}

/// A call by SMC with one argument.
pub(crate) fn query(id: u32, x1: u64) -> Regs {
    let mut regs = [0; 18];
    regs[0] = id.into();
    regs[1] = x1;
    call::call(Conduit::Smc, &mut regs);
    regs
}

/// Judges what the boot information's register points at.
pub(crate) fn find_boot_info(address: u64) -> BootInfo {
    if address == 0 {
        return BootInfo::None;
    }
    if !address.is_multiple_of(8) {
        return BootInfo::Bad;
    }
    let mut header = [0; 8];
    for (n, words) in header.chunks_exact_mut(2).enumerate() {
        match fault::probe_read(address.wrapping_add(8 * n as u64)) {
            Ok(value) => words.copy_from_slice(&[value as u32, (value >> 32) as u32]),
            Err(_) => return BootInfo::Bad,
        }
    }
    boot_info::judge(&header)
}

impl Partition {
    fn new(config: Config, start: Start) -> Self {
        Self {
            config,
            start,
            checked: false,
            fp_each: 0,
            fp_uses: [0; 2],
            vectors: None,
            tainted: None,
            counters: Counters::default(),
        }
    }

    fn serve(&mut self) -> ! {
        let mut regs = wait();
        loop {
            self.exchange(&mut regs);
            self.use_fp_again();
            regs = match regs[0] as u32 {
                abi::DIRECT_REQ2 => match protocol::parse(regs[4]) {
                    None => self.answer2(&regs),
                    Some(command) => self.command(command, &regs),
                },
                abi::DIRECT_REQ_32 => self.answer_32(&regs),
                abi::DIRECT_REQ_64 => self.answer_64(&regs),
                abi::RUN => {
                    self.counters.runs += 1;
                    wait()
                }
                _ => self.unexpected(&regs),
            };
        }
    }

    /// Makes the call in `regs` and takes what completes it; in checked mode, watches the rest.
    fn exchange(&mut self, regs: &mut Regs) {
        if !self.checked {
            call::call(Conduit::Smc, regs);
            return;
        }
        if expect::written(regs[0]) == 8 {
            // Not arguments of this call: the partition's own, to come back unchanged.
            call::fresh().fill(&mut regs[8..]);
        }
        self.counters.waits += 1;
        // Both conduits in turn: partitions may mix them.
        let conduit = match self.counters.waits & 1 {
            0 => Conduit::Smc,
            _ => Conduit::Hvc,
        };
        let exchange = call::checked_call(conduit, regs);
        regs.copy_from_slice(&exchange.got[..18]);
        let narrow = regs[0] as u32 == abi::DIRECT_REQ_32;
        let mut result = expect::own(&exchange, expect::written(regs[0]));
        for (n, value) in regs.iter().enumerate().take(8) {
            if narrow && value >> 32 != 0 && result.is_ok() {
                result = Err(Mismatch {
                    register: n as u8,
                    got: *value,
                    want: *value & 0xffff_ffff,
                });
            }
        }
        if let Err(mismatch) = result {
            self.counters.errors += 1;
            self.counters.first.get_or_insert(mismatch);
        }
    }

    #[inline]
    fn answer2(&self, request: &Regs) -> Regs {
        let mut regs = respond(abi::DIRECT_RESP2, request);
        for index in 0..14 {
            regs[4 + index] = self.config.transform.wide(index as u32, request[4 + index]);
        }
        regs
    }

    fn answer_64(&self, request: &Regs) -> Regs {
        let mut regs = respond(abi::DIRECT_RESP_64, request);
        for index in 0..5 {
            regs[3 + index] = self.config.transform.wide(index as u32, request[3 + index]);
        }
        regs
    }

    fn answer_32(&self, request: &Regs) -> Regs {
        let mut regs = respond(abi::DIRECT_RESP_32, request);
        for index in 0..5 {
            regs[3 + index] = self
                .config
                .transform
                .narrow(index as u32, request[3 + index]);
        }
        regs
    }

    /// Something that is no message: say so (a few times) and wait again.
    fn unexpected(&mut self, regs: &Regs) -> Regs {
        self.counters.unexpected += 1;
        if self.counters.unexpected <= 4 {
            crate::say!(
                "{}: unexpected {} ({:#x}) {:#x} {:#x}",
                self.config.name,
                abi::name(regs[0]),
                regs[0],
                regs[1],
                regs[2],
            );
        }
        wait()
    }
}

fn wait() -> Regs {
    let mut regs = [0; 18];
    regs[0] = abi::MSG_WAIT.into();
    regs
}

/// A response of kind `id` to `request`, its payload zero.
#[inline]
pub(crate) fn respond(id: u32, request: &Regs) -> Regs {
    let mut regs = [0; 18];
    regs[0] = id.into();
    regs[1] = (request[1] >> 16 & 0xffff) | (request[1] & 0xffff) << 16;
    regs
}
