//! The list registers of this core, and the one vCPU whose interrupts stand in them.

use super::{
    BOARD,
    vms::{Side, Vm},
};
use core::sync::atomic::Ordering;
use platform::{
    gic::{
        self,
        virt::{self, Interface, MAX_LIST_REGISTERS, Shape},
    },
    vm_state,
};
use proxy_el2::vgic::VGic;

/// List registers in memory.
type Lists = [u64; MAX_LIST_REGISTERS];

/// Reads this core's.
fn read(shape: Shape) -> Lists {
    let mut lists = [0; MAX_LIST_REGISTERS];
    for (n, list) in lists.iter_mut().enumerate().take(shape.list_registers) {
        *list = virt::list_register(n);
    }
    lists
}

/// Writes this core's.
fn write(shape: Shape, lists: &Lists) {
    for (n, list) in lists.iter().enumerate().take(shape.list_registers) {
        // SAFETY: No VM runs on this core now; what they held was read before.
        unsafe { virt::set_list_register(n, *list) }
    }
}

/// Lets those come again that a VM took back by a register.
fn release(vgic: &mut VGic, vcpu: u8) {
    while let Some(physical) = vgic.released(vcpu) {
        gic::deactivate(physical);
    }
}

/// Takes the interrupts of a vCPU that is live on this core out of the list registers, gives `f` its interrupt
/// controller, and puts into the list registers what is in its turn then. Gives what `f` gives, and how many list
/// registers are in use.
pub fn exchange<T>(
    shape: Shape,
    vm: &'static Vm,
    vcpu: u8,
    f: impl FnOnce(&mut VGic) -> T,
) -> (T, usize) {
    // What is new from here on is looked at again.
    vm.attention(vcpu).store(false, Ordering::SeqCst);
    let mut gic = vm.gic.lock();
    let vgic = &mut gic.vgic;
    let mut lists = read(shape);
    let mut kick = take_back(vgic, vcpu, &mut lists, shape);
    let result = f(vgic);
    let filled = fill(vgic, vcpu, &mut lists, shape);
    kick |= filled.kick;
    if vgic.dirty(vcpu) {
        vm.attention(vcpu).store(true, Ordering::SeqCst);
    }
    drop(gic);
    // Those that `f` has to tell of itself are none of these.
    vm.kick(kick, Some(vcpu));
    (result, filled.used)
}

fn take_back(vgic: &mut VGic, vcpu: u8, lists: &mut Lists, shape: Shape) -> u8 {
    vgic.ended(vcpu, virt::ended_unlisted());
    let lists = lists.get_mut(..shape.list_registers).unwrap_or_default();
    vgic.sync(vcpu, lists)
}

fn fill(vgic: &mut VGic, vcpu: u8, lists: &mut Lists, shape: Shape) -> proxy_el2::vgic::Flush {
    let own = lists.get_mut(..shape.list_registers).unwrap_or_default();
    let filled = vgic.flush(vcpu, own);
    release(vgic, vcpu);
    write(shape, lists);
    let more = if filled.unlisted {
        virt::TRAP_DEACTIVATION
    } else {
        0
    };
    // SAFETY: The list registers are those of the vCPU that is live.
    unsafe { virt::enable(filled.hcr() | more) }
    filled
}

/// Puts the interrupts of a vCPU that comes to this core into the list registers. Its interface and its timers are
/// loaded. Gives how many list registers are in use, and an interrupt that was acknowledged on the way and is still to
/// be dealt with.
pub fn arrive(shape: Shape, vm: &'static Vm, vcpu: u8) -> (usize, Option<u32>) {
    let mut other = None;
    vm.attention(vcpu).store(false, Ordering::SeqCst);
    let timer = BOARD.virtual_timer;
    let mut gic = vm.gic.lock();
    let vgic = &mut gic.vgic;
    // From here on the timer itself says it.
    let mut kick = vgic.level(vcpu, timer, false);
    let in_hands = vgic.hw_outstanding(vcpu).any(|intid| intid == timer);
    if in_hands {
        // SAFETY: The GIC is mapped, and this is NS-EL2. The timer's interrupt is this core's.
        let _ = unsafe { gic::hold_private(&BOARD.gic, timer) };
    } else if vm_state::live_deadline().is_some_and(|at| at <= platform::timer::ticks())
        && gic::pending() == Some(timer)
    {
        // It would make the vCPU leave as soon as it is entered. Another may have come before it meanwhile.
        other = gic::acknowledge();
        if other == Some(timer) {
            other = None;
            gic::end(timer);
            kick |= vgic.pend_hw(vcpu, timer, timer);
        }
    }
    let mut lists = [0; MAX_LIST_REGISTERS];
    let filled = fill(vgic, vcpu, &mut lists, shape);
    kick |= filled.kick;
    if vgic.dirty(vcpu) {
        vm.attention(vcpu).store(true, Ordering::SeqCst);
    }
    drop(gic);
    vm.kick(kick, Some(vcpu));
    (filled.used, other)
}

/// Takes the interrupts of a vCPU out of the list registers that is not live any more. Its interface was saved as
/// `interface`, and its timer fires at `deadline`. `true` if it has one that it would take now.
pub fn depart(
    shape: Shape,
    vm: &'static Vm,
    vcpu: u8,
    interface: &Interface,
    deadline: Option<u64>,
) -> bool {
    let timer = BOARD.virtual_timer;
    let mut gic = vm.gic.lock();
    let mut lists = read(shape);
    let kick = take_back(&mut gic.vgic, vcpu, &mut lists, shape);
    write(shape, &lists);
    // SAFETY: The list registers are empty.
    unsafe { virt::enable(0) }
    release(&mut gic.vgic, vcpu);
    let in_hands = gic.vgic.hw_outstanding(vcpu).any(|intid| intid == timer);
    if in_hands {
        // The next one's timer has the same interrupt. It is held again when this one is back.
        gic::deactivate(timer);
    }
    if let Some(side) = gic.sides.get_mut(usize::from(vcpu)) {
        *side = Side {
            threshold: interface.threshold(shape),
            deadline: deadline.filter(|_| !in_hands),
        };
    }
    let pending = gic.deliverable(vcpu);
    drop(gic);
    vm.kick(kick, Some(vcpu));
    pending
}

/// Whether a list register in use holds what the live vCPU would take now, and has not taken.
pub fn is_pending(shape: Shape, used: usize) -> bool {
    let mut threshold = None;
    (0..used)
        .map(virt::list_register)
        .filter(|list| virt::is_pending(*list))
        .any(|list| {
            virt::priority(list)
                < *threshold.get_or_insert_with(|| Interface::live_threshold(shape))
        })
}
