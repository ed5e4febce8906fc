//! A VM beside the client's: the program of the contract matrix's partitions at EL1 behind the hypervisor, with an
//! interrupt controller, a timer, and as many vCPUs as it is asked to start.

use super::contract::{More, Partition};
use super::query;
use crate::abi;
use crate::contract::{Boundary, Subject};
use crate::protocol::{EXECUTE, FAILED, OK, READ, WRITE};
use crate::rt::{
    call::{self, Conduit, fresh},
    cores,
    entry::Boot,
    fault::{self, Fault},
    gic, irq, regs, spin, sysregs,
};
use crate::vms::{peer, protocol as ask};
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

const PAGE: usize = 0x1000;

/// Pages for RX/TX buffers.
#[repr(C, align(4096))]
struct Pages(UnsafeCell<[u8; 8 * PAGE]>);

// SAFETY: whoever maps them as buffers has them written by the firmware, nobody else does.
unsafe impl Sync for Pages {}

static PAGES: Pages = Pages(UnsafeCell::new([0; 8 * PAGE]));

/// Where the image is, what FFA_VERSION answered, and the place in memory of what it knows of itself.
static BASE: AtomicU64 = AtomicU64::new(0);
static VERSION: AtomicU64 = AtomicU64::new(0);
static ABOUT: AtomicU64 = AtomicU64::new(0);
static ID: AtomicU64 = AtomicU64::new(0);
/// Calls of the last storm of each vCPU.
static STORMED: [AtomicU64; cores::VCPUS] = [const { AtomicU64::new(0) }; cores::VCPUS];

/// What the last [`ask::SYSTEM_REGISTERS`] left.
struct LeftBehind(UnsafeCell<Option<sysregs::Left>>);

// SAFETY: one vCPU at a time is asked for it.
unsafe impl Sync for LeftBehind {}

static LEFT: LeftBehind = LeftBehind(UnsafeCell::new(None));

/// Memory of no VM, for storms of faults.
const NOBODYS: u64 = crate::board::place(0x4000_0000);

/// Runs the VM, which speaks `version`, strictly or not.
pub fn run(version: u32, strict: bool, boot: &Boot) -> ! {
    let answer = query(abi::VERSION, version.into())[0];
    let id = query(abi::ID_GET, 0)[2];
    BASE.store(boot.base, Relaxed);
    VERSION.store(answer, Relaxed);
    ABOUT.store(ask::about(version, strict), Relaxed);
    ID.store(id, Relaxed);
    let me = me();
    crate::say!(
        "{} up: asked for FF-A {version:#x}, got {answer:#x}, at {:#x}",
        me.name,
        boot.base,
    );
    serve()
}

/// Who this VM is.
fn me() -> &'static Subject {
    let about = ABOUT.load(Relaxed);
    let id = ID.load(Relaxed);
    match peer(id as u16, (about >> 1) as u32, about & 1 != 0) {
        Some(me) => me,
        None => panic!("a VM has the id {id:#x}"),
    }
}

/// What every vCPU does.
fn serve() -> ! {
    gic::open();
    let start = [VERSION.load(Relaxed), ABOUT.load(Relaxed)];
    let more = More { command, act };
    Partition::new(me(), Boundary::Vm, start, more).serve()
}

fn faulted(result: Result<u64, Fault>) -> [u64; 5] {
    match result {
        Ok(value) => [OK, 0, value, 0, 0],
        Err(fault) => [OK, 1, fault.esr, fault.far, 0],
    }
}

fn probe(address: u64, how: u64) -> [u64; 5] {
    faulted(match how {
        READ => fault::probe_read(address),
        ask::READ_32 => fault::probe_read_32(address),
        // SAFETY: the client names addresses where nothing of this image is.
        WRITE => unsafe { fault::probe_write(address, 0) }.map(|()| 0),
        // SAFETY: as above; a fetch from there faults, or the case has failed anyway.
        EXECUTE => unsafe { fault::probe_execute(address) }.map(|()| 0),
        _ => return [FAILED, 0, how, 0, 0],
    })
}

fn command(partition: &mut Partition, command: u16, a: [u64; 4]) -> Option<[u64; 5]> {
    Some(match command {
        ask::PROBE => probe(a[0], a[1]),
        ask::RAW => {
            let mut raw = [0; 18];
            raw[..4].copy_from_slice(&a);
            call::call(Conduit::Smc, &mut raw);
            [OK, raw[0], raw[1], raw[2], raw[3]]
        }
        ask::BUFFERS => {
            let pages = PAGES.0.get() as u64;
            [OK, pages, pages + 4 * PAGE as u64, BASE.load(Relaxed), 0]
        }
        ask::TIMER => {
            irq::every(a[0]);
            match a[0] {
                0 => irq::mask(),
                _ => irq::unmask(),
            }
            [OK, 0, 0, 0, 0]
        }
        ask::TAKEN => {
            if a[1] != 0 {
                irq::drain();
                irq::forget();
            }
            let [nothing, others] = irq::strange();
            [OK, irq::count(a[0] as u32), nothing, others, 0]
        }
        ask::DO => {
            partition.act_now(a[0], [a[1], a[2]]);
            [OK, 0, 0, 0, 0]
        }
        ask::FORWARD => {
            let mut payload = [0; 14];
            fresh().fill(&mut payload);
            payload[..2].copy_from_slice(&a[2..]);
            let [x, y, z, w, ..] = partition.forward(a[0] as u16, a[1], &payload);
            [OK, x, y, z, w]
        }
        ask::STORMED => {
            let calls = STORMED.get(gic::vcpu() as usize);
            [OK, calls.map_or(0, |calls| calls.load(Relaxed)), 0, 0, 0]
        }
        ask::START => [OK, cores::start(a[0], |_| serve(), 0) as u64, 0, 0, 0],
        ask::TIMES => {
            let [value, control, daif] = regs::timer();
            [OK, value, control, regs::cntvct(), daif]
        }
        ask::SIGN => [OK, sysregs::sign(a[0], a[1]), 0, 0, 0],
        ask::SYSTEM_REGISTERS => {
            // SAFETY: one vCPU at a time is asked for this.
            let left = unsafe { &mut *LEFT.0.get() };
            let difference = left.and_then(|left| left.difference());
            *left = Some(sysregs::leave(a[0]));
            match difference {
                None => [OK, 0, 0, 0, 0],
                Some((place, found, left)) => [OK, place as u64 + 1, found, left, 0],
            }
        }
        _ => return None,
    })
}

fn act(partition: &mut Partition, action: u64, [first, second]: [u64; 2]) {
    match action {
        ask::WAIT => {
            for _ in 0..first {
                partition.own_registers(spin::watched_wait);
            }
        }
        ask::DIE => die(first),
        ask::SEND => gic::send_raw(first),
        ask::TAKE => irq::drain(),
        ask::STORM => {
            let calls = storm(partition, first, second);
            if let Some(slot) = STORMED.get(gic::vcpu() as usize) {
                slot.store(calls, Relaxed);
            }
        }
        _ => {}
    }
}

/// Ends the VM. If that is refused, it goes on, and who asked for it sees that.
fn die(how: u64) {
    let id = match how {
        ask::ABORT => abi::ABORT,
        ask::ABORT_64 => abi::ABORT_64,
        ask::RESET => abi::PSCI_SYSTEM_RESET,
        _ => abi::PSCI_SYSTEM_OFF,
    };
    query(id, 0);
}

/// Does something for `ticks`, as fast as it can; gives how often.
fn storm(partition: &mut Partition, what: u64, ticks: u64) -> u64 {
    let start = regs::cntvct();
    let mut count = 0u64;
    while regs::cntvct().wrapping_sub(start) < ticks {
        count += 1;
        match what {
            ask::SMCS => {
                query(abi::FEATURES, abi::VERSION.into());
            }
            ask::HVCS => {
                let mut regs = [0; 18];
                regs[0] = abi::UNKNOWN_VENDOR_64.into();
                call::call(Conduit::Hvc, &mut regs);
            }
            ask::SGIS => gic::send(count as u32, 1 << gic::vcpu()),
            // IRM: all but oneself.
            ask::SGIS_TO_ALL => gic::send_raw(1 << 40 | (count & 15) << 24),
            ask::MMIO => {
                let priority = gic::redistributor() + gic::SGI_FRAME + 0x400;
                gic::write(priority, gic::read(priority));
            }
            ask::FAULTS => {
                let _ = fault::probe_read(NOBODYS);
            }
            ask::TICKS => {
                partition.own_registers(|| {
                    irq::unmask();
                    gic::arm(0);
                    let result = spin::watched(1);
                    irq::mask();
                    result
                });
            }
            _ => return 0,
        }
    }
    gic::disarm();
    // What it sent itself is taken, so that it does not wake up for it later.
    while irq::poll().is_some() {}
    count
}
