//! The runtime of the test images: entry, vectors, calls, console, faults, vector registers, one
//! timer interrupt.
//!
//! It owns the machine as far as these images use it: one CPU (VMs may have [more](cores)), MMU off,
//! interrupts masked but where an image [takes](irq) them, EL1 or EL2 as found. With the MMU off all memory is Device, so there are no exclusives: shared state is
//! in atomics that are only loaded and stored. It knows no FF-A beyond FFA_CONSOLE_LOG.

pub mod call;
pub mod console;
pub mod context;
pub mod cores;
pub mod el0;
pub mod entry;
pub mod fault;
pub mod forbidden;
pub mod fp;
pub mod gic;
pub mod id;
pub mod interrupt;
pub mod irq;
pub mod line;
pub mod memory;
pub mod mmu;
pub mod regs;
pub mod spin;
pub mod sve;
pub mod sysregs;
pub(crate) mod vectors;

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What this image does when it can't go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Role {
    /// A partition: says so and waits for messages for ever.
    Partition = 0,
    /// A client: says so, fails the suite and powers off.
    Client = 1,
}

static ROLE: AtomicU64 = AtomicU64::new(Role::Partition as u64);

/// Sets the role; an image does so first.
pub fn set_role(role: Role) {
    ROLE.store(role as u64, Relaxed);
}

/// Whether this image is a client.
pub fn is_client() -> bool {
    ROLE.load(Relaxed) == Role::Client as u64
}

/// Ends this image as its role demands; whatever had to be said has been said.
pub fn give_up() -> ! {
    if is_client() {
        crate::say!("@end 0 1");
        power_off();
    }
    let mut regs = [0; 18];
    regs[0] = crate::abi::MSG_WAIT.into();
    // It may have died while it served a request: then the wait is refused, and this answers.
    let mut owed = OWED.load(Relaxed);
    let mut w2 = 0;
    loop {
        call::call(call::Conduit::Smc, &mut regs);
        if regs[0] == crate::abi::DIRECT_REQ_32.into() {
            owed = regs[1];
            // A framework message has an answer of its own: with the next number.
            w2 = match regs[2] >> 31 {
                0 => 0,
                _ => regs[2] + 1,
            };
        }
        let ids = core::mem::take(&mut owed);
        regs = [0; 18];
        if ids == 0 {
            regs[0] = crate::abi::MSG_WAIT.into();
        } else {
            regs[0] = crate::abi::DIRECT_RESP_32.into();
            regs[1] = (ids >> 16 & 0xffff) | (ids & 0xffff) << 16;
            regs[2] = w2;
            regs[3] = DEAD;
        }
    }
}

/// w1 of the direct request that a partition is serving, 0 between requests.
static OWED: AtomicU64 = AtomicU64::new(0);

/// w3 of the answer to all requests of a partition that can't go on.
pub const DEAD: u64 = 0xdead;

/// Notes the request that this partition owes a response; 0 once it has given it.
pub fn owes(w1: u64) {
    OWED.store(w1, Relaxed);
}

/// Powers the machine (or the VM) off by PSCI SYSTEM_OFF.
pub fn power_off() -> ! {
    let mut regs = [0; 18];
    regs[0] = crate::abi::PSCI_SYSTEM_OFF.into();
    call::call(call::Conduit::Smc, &mut regs);
    crate::say!("@note SYSTEM_OFF returned {:#x}", regs[0]);
    loop {
        core::hint::spin_loop();
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    // A client's line is a report of its own; a partition's is what a harness must not overlook.
    match is_client() {
        true => crate::say!("@panic {info}"),
        false => crate::say!("panic: {info}"),
    }
    give_up()
}
