//! More than one vCPU, or core: each has a stack of its own and runs what it was switched on for.
//!
//! All share the image's memory, with the MMU off: nothing is cached, and what one stores the others load.

use super::{call, regs};
use crate::{abi, board};
use core::arch::naked_asm;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicU64, Ordering};

/// vCPUs that can be started, the first included, which never is.
pub const VCPUS: usize = 8;
/// Bytes of a stack.
pub(crate) const STACK: usize = 0x8000;

#[repr(C, align(16))]
pub(crate) struct Stack(UnsafeCell<[u8; STACK]>);

// SAFETY: each is the stack of one vCPU.
unsafe impl Sync for Stack {}

/// The stacks, by number.
pub(crate) static STACKS: [Stack; VCPUS] = [const { Stack(UnsafeCell::new([0; STACK])) }; VCPUS];

/// The number of the core, vCPU or context that runs this.
pub fn number() -> usize {
    let affinity = regs::mpidr() & 0xff_00ff_ffff;
    let number = match regs::current_el() {
        2 => (0..VCPUS as u64).find(|core| board::affinity(*core) == affinity),
        _ => Some(affinity),
    };
    number.unwrap_or(0) as usize
}

/// What a vCPU is switched on for.
struct Order {
    /// A `fn(u64)`, 0 for none.
    work: AtomicU64,
    argument: AtomicU64,
    done: AtomicU64,
}

static ORDERS: [Order; VCPUS] = [const {
    Order {
        work: AtomicU64::new(0),
        argument: AtomicU64::new(0),
        done: AtomicU64::new(0),
    }
}; VCPUS];

/// Where a vCPU starts, its number in x0.
///
/// # Safety
/// Started by PSCI CPU_ON on a vCPU that is not running, after its order was written.
#[unsafe(naked)]
unsafe extern "C" fn entry() -> ! {
    naked_asm!(
        "msr daifset, #0xf",
        "msr spsel, #1",
        "adrp x9, {stacks}",
        "add x9, x9, :lo12:{stacks}",
        "add x10, x0, #1",
        "mov x11, #{size}",
        "madd x9, x10, x11, x9",
        "mov sp, x9",
        "adrp x9, {vectors}",
        "add x9, x9, :lo12:{vectors}",
        "mrs x10, currentel",
        "cmp x10, #8",
        "b.ne 1f",
        // As at the image's first instruction.
        "mov x10, #0x80000000",
        "msr hcr_el2, x10",
        "mov x10, #0x32ff",
        "msr cptr_el2, x10",
        "msr vbar_el2, x9",
        "b 2f",
        "1: msr vbar_el1, x9",
        // CPACR_EL1.FPEN: FP and SIMD not trapped.
        "mov x10, #0x300000",
        "msr cpacr_el1, x10",
        "2: isb",
        "mov x29, xzr",
        "mov x30, xzr",
        "b {begin}",
        stacks = sym STACKS,
        size = const STACK,
        vectors = sym super::vectors::exception_vectors,
        begin = sym begin,
    )
}

extern "C" fn begin(number: u64) -> ! {
    if let Some(order) = ORDERS.get(number as usize) {
        let work = order.work.load(Ordering::Acquire);
        if work != 0 {
            // SAFETY: `start` wrote it, from a `fn(u64)`.
            let work: fn(u64) = unsafe { core::mem::transmute(work) };
            work(order.argument.load(Ordering::Relaxed));
        }
        order.done.store(1, Ordering::Release);
    }
    let mut off = [0; 18];
    off[0] = abi::PSCI_CPU_OFF.into();
    call::call(call::Conduit::Smc, &mut off);
    panic!("CPU_OFF of vCPU {number} came back with {:#x}", off[0])
}

/// What a partition's other contexts run, a `fn(u64) -> !`; 0 until it is known.
static OTHERS: AtomicU64 = AtomicU64::new(0);

/// Has the other contexts of this partition run `work`, with their index, when their cores are switched on.
/// They start at the image's first instruction, as nothing else was registered.
pub fn others(work: fn(u64) -> !) {
    OTHERS.store(work as usize as u64, Ordering::Release);
    // SAFETY: the entry needs nothing.
    unsafe { super::entry::next_time(context_entry) }
}

/// Where another context of a partition starts, its index in x4.
///
/// # Safety
/// Started by the firmware on a context that is not running.
#[unsafe(naked)]
unsafe extern "C" fn context_entry() -> ! {
    naked_asm!(
        "msr daifset, #0xf",
        "msr spsel, #1",
        "adrp x9, {stacks}",
        "add x9, x9, :lo12:{stacks}",
        "add x10, x4, #1",
        "mov x11, #{size}",
        "madd x9, x10, x11, x9",
        "mov sp, x9",
        "adrp x9, {vectors}",
        "add x9, x9, :lo12:{vectors}",
        "msr vbar_el1, x9",
        // CPACR_EL1.FPEN: FP and SIMD not trapped.
        "mov x10, #0x300000",
        "msr cpacr_el1, x10",
        "isb",
        "mov x29, xzr",
        "mov x30, xzr",
        "mov x0, x4",
        "b {begin}",
        stacks = sym STACKS,
        size = const STACK,
        vectors = sym super::vectors::exception_vectors,
        begin = sym begin_context,
    )
}

extern "C" fn begin_context(index: u64) -> ! {
    let work = OTHERS.load(Ordering::Acquire);
    assert!(work != 0, "context {index} has nothing to do");
    // SAFETY: `others` wrote it, from a `fn(u64) -> !`.
    let work: fn(u64) -> ! = unsafe { core::mem::transmute(work) };
    work(index)
}

/// A context that waits and answers nothing, whatever it is told.
pub fn idle(_: u64) -> ! {
    loop {
        let mut regs = [0; 18];
        regs[0] = abi::MSG_WAIT.into();
        call::call(call::Conduit::Smc, &mut regs);
    }
}

/// What PSCI calls vCPU `number`, or the board's core at NS-EL2.
fn target(number: u64) -> u64 {
    match regs::current_el() {
        2 => board::affinity(number),
        _ => number,
    }
}

/// Switches vCPU `number` on to run `work`. Gives CPU_ON's result.
pub fn start(number: u64, work: fn(u64), argument: u64) -> i64 {
    let Some(order) = ORDERS.get(number as usize) else {
        return i64::MIN;
    };
    order.done.store(0, Ordering::Relaxed);
    order.argument.store(argument, Ordering::Relaxed);
    order.work.store(work as usize as u64, Ordering::Release);
    let mut on = [0; 18];
    on[0] = abi::PSCI_CPU_ON_64.into();
    on[1] = target(number);
    on[2] = entry as *const () as u64;
    on[3] = number;
    call::call(call::Conduit::Smc, &mut on);
    i64::from(on[0] as u32 as i32)
}

/// Where the stack of a vCPU is that [left](leave).
static LEFT: AtomicU64 = AtomicU64::new(0);

/// Switches this vCPU off, and comes back with 0 when another one has switched it on again ([`call_back`]): one at a
/// time. Its interrupt controller is as new then. Or comes back at once, with what CPU_OFF answers.
pub fn leave() -> u64 {
    // SAFETY: what the ABI wants to be kept is on the stack.
    unsafe { off() }
}

/// Switches vCPU `number` on that has [left](leave). Gives CPU_ON's result.
pub fn call_back(number: u64) -> i64 {
    let mut on = [0; 18];
    on[0] = abi::PSCI_CPU_ON_64.into();
    on[1] = number;
    on[2] = back as *const () as u64;
    call::call(call::Conduit::Smc, &mut on);
    i64::from(on[0] as u32 as i32)
}

/// # Safety
/// One vCPU at a time.
#[unsafe(naked)]
unsafe extern "C" fn off() -> u64 {
    naked_asm!(
        "stp x29, x30, [sp, #-96]!",
        "stp x19, x20, [sp, #16]",
        "stp x21, x22, [sp, #32]",
        "stp x23, x24, [sp, #48]",
        "stp x25, x26, [sp, #64]",
        "stp x27, x28, [sp, #80]",
        "mov x10, sp",
        "adrp x9, {left}",
        "str x10, [x9, :lo12:{left}]",
        "dsb sy",
        "mov w0, #{low}",
        "movk w0, #{high}, lsl #16",
        "smc #0",
        "b {restore}",
        left = sym LEFT,
        low = const abi::PSCI_CPU_OFF & 0xffff,
        high = const abi::PSCI_CPU_OFF >> 16,
        restore = sym restore,
    )
}

/// Where one that left starts again.
///
/// # Safety
/// Only for CPU_ON.
#[unsafe(naked)]
unsafe extern "C" fn back() -> ! {
    naked_asm!(
        "msr daifset, #0xf",
        "msr spsel, #1",
        "adrp x9, {vectors}",
        "add x9, x9, :lo12:{vectors}",
        "msr vbar_el1, x9",
        // CPACR_EL1.FPEN: FP and SIMD not trapped.
        "mov x10, #0x300000",
        "msr cpacr_el1, x10",
        "isb",
        "adrp x9, {left}",
        "ldr x10, [x9, :lo12:{left}]",
        "mov sp, x10",
        "mov x0, xzr",
        "b {restore}",
        left = sym LEFT,
        vectors = sym super::vectors::exception_vectors,
        restore = sym restore,
    )
}

/// The end of [`off`].
///
/// # Safety
/// Not to be called.
#[unsafe(naked)]
unsafe extern "C" fn restore() {
    naked_asm!(
        "ldp x19, x20, [sp, #16]",
        "ldp x21, x22, [sp, #32]",
        "ldp x23, x24, [sp, #48]",
        "ldp x25, x26, [sp, #64]",
        "ldp x27, x28, [sp, #80]",
        "ldp x29, x30, [sp], #96",
        "ret",
    )
}

/// Whether vCPU `number` has done what it was switched on for.
pub fn done(number: u64) -> bool {
    ORDERS
        .get(number as usize)
        .is_some_and(|order| order.done.load(Ordering::Acquire) != 0)
}

/// PSCI AFFINITY_INFO of vCPU `number`: 0 on, 1 off, 2 on its way.
pub fn affinity_info(number: u64) -> i64 {
    let mut info = [0; 18];
    info[0] = abi::PSCI_AFFINITY_INFO_64.into();
    info[1] = target(number);
    call::call(call::Conduit::Smc, &mut info);
    i64::from(info[0] as u32 as i32)
}

/// Waits until `done` says so, for `seconds` at most. Says whether it did.
pub fn patiently(seconds: u64, done: impl FnMut() -> bool) -> bool {
    super::irq::wait_until(seconds * regs::cntfrq(), done)
}
