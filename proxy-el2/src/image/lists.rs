//! The list registers of this core, and the one vCPU whose interrupts stand in them.

use super::{BOARD, vms::Vm};
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

/// What is in the list registers of the vCPU that is live.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Listed {
    /// How many list registers are in use: the first ones.
    pub used: usize,
    /// None is, nothing else of it is waiting or in its hands, and it handles no interrupt: as long as there is no
    /// news, there is nothing to take back, or to put in again when it returns.
    pub calm: bool,
}

impl Listed {
    fn new(shape: Shape, vm: &'static Vm, vgic: &VGic, vcpu: u8, used: usize) -> Self {
        let calm = used == 0
            && shape.has_one_word()
            && !vgic.dirty(vcpu)
            && vgic.hw_outstanding(vcpu).next().is_none();
        if calm {
            vm.side(vcpu).is_calm();
        }
        Self { used, calm }
    }
}

/// Takes the interrupts of a vCPU that is live on this core out of the list registers, gives `f` its interrupt
/// controller, and puts into the list registers what is in its turn then. Gives what `f` gives.
pub fn exchange<T>(
    shape: Shape,
    vm: &'static Vm,
    vcpu: u8,
    f: impl FnOnce(&mut VGic) -> T,
) -> (T, Listed) {
    vm.side(vcpu).looked();
    let mut vgic = vm.gic.lock();
    let mut lists = read(shape);
    let mut kick = take_back(&mut vgic, vcpu, &mut lists, shape);
    let result = f(&mut vgic);
    let (listed, others) = fill(&mut vgic, vm, vcpu, &mut lists, shape);
    kick |= others;
    drop(vgic);
    // Those that `f` has to tell of itself are none of these.
    vm.kick(kick, Some(vcpu));
    (result, listed)
}

fn take_back(vgic: &mut VGic, vcpu: u8, lists: &mut Lists, shape: Shape) -> u8 {
    let kick = vgic.ended(vcpu, virt::ended_unlisted());
    let lists = lists.get_mut(..shape.list_registers).unwrap_or_default();
    kick | vgic.sync(vcpu, lists)
}

/// Puts into the list registers what is in its turn. Gives what stands there then, and who else must look.
fn fill(
    vgic: &mut VGic,
    vm: &'static Vm,
    vcpu: u8,
    lists: &mut Lists,
    shape: Shape,
) -> (Listed, u8) {
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
    if vgic.dirty(vcpu) {
        vm.side(vcpu).look();
    }
    let listed = Listed::new(shape, vm, vgic, vcpu, filled.used);
    (listed, filled.kick)
}

/// Puts the interrupts of a vCPU that comes to this core into the list registers. Its interface and its timers are
/// loaded. Gives, with what stands in them, an interrupt that was acknowledged on the way and is still to be dealt with.
pub fn arrive(shape: Shape, vm: &'static Vm, vcpu: u8) -> (Listed, Option<u32>) {
    let mut other = None;
    vm.side(vcpu).looked();
    let timer = BOARD.virtual_timer;
    let mut vgic = vm.gic.lock();
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
    let (listed, others) = fill(&mut vgic, vm, vcpu, &mut lists, shape);
    kick |= others;
    drop(vgic);
    vm.kick(kick, Some(vcpu));
    (listed, other)
}

/// Takes the interrupts of a vCPU out of the list registers that is not live any more. Its interface and its timer
/// were saved. `true` if it has one that it would take now.
pub fn depart(shape: Shape, vm: &'static Vm, vcpu: u8) -> bool {
    let timer = BOARD.virtual_timer;
    let mut vgic = vm.gic.lock();
    let mut lists = read(shape);
    let kick = take_back(&mut vgic, vcpu, &mut lists, shape);
    write(shape, &lists);
    // SAFETY: The list registers are empty.
    unsafe { virt::enable(0) }
    release(&mut vgic, vcpu);
    let in_hands = vgic.hw_outstanding(vcpu).any(|intid| intid == timer);
    if in_hands {
        // The next one's timer has the same interrupt. It is held again when this one is back.
        gic::deactivate(timer);
    }
    let side = vm.side(vcpu);
    side.hold_timer(in_hands);
    let threshold = side.interface().threshold(shape);
    let pending = vgic.deliverable(vcpu, threshold, true);
    drop(vgic);
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
