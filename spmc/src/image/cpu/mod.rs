//! One core: which endpoint's registers are live, and running partitions.
//!
//! EL3 swaps EL2 state only. The normal world's EL1 registers are saved when the first partition
//! runs and are back before it runs again; vector registers and pointer authentication keys move
//! only when somebody else needs them.

mod masks;
mod switch;
mod traps;
mod user;
mod vectors;

use super::{
    boot::{Core, PeState},
    estate, interrupts,
    port::Port,
};
use defmt::error;
use platform::{
    confine::{Guests, confine},
    cpu::Features,
    el0::{self, El0State},
    el1::El1State,
    fp::{self, VectorState},
    gic,
    guest::{self, Exit},
    read_sysreg,
    stage2::vstcr_el2,
    sysreg::isb,
    trap::{Fault, SystemAccess},
    write_sysreg,
};
use spmc::{
    context::{Lines, Slot},
    spm::{Mask, Next, Outcome, TimerRegister},
};

/// Whose EL1 registers are in the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Live {
    /// The normal world's, which are saved nowhere else.
    NormalWorld,
    /// This partition's.
    Partition(Slot),
    /// Values that are all saved.
    Nobody,
}

/// What is left to do after a trap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trapped {
    /// Nothing.
    Done,
    /// The partition uses FP for the first time: the vector registers are to be given to it.
    WantsFp,
    /// An access to this register of its timer.
    Timer(TimerRegister, SystemAccess),
    /// Its stage 2 had nothing there when it looked.
    Missed(Fault),
}

/// A core's registers, and whose they are now.
pub struct Cpu {
    features: Features,
    /// The normal world's EL1 registers while a partition's are live.
    normal_world: El1State,
    /// The normal world's vector registers while a partition's are live.
    vectors: &'static mut VectorState,
    /// Whose EL1 registers are live.
    live: Live,
    /// The partition at S-EL0 whose registers of EL0 are live, whoever has those of EL1.
    user: Option<Slot>,
    /// Those of the other one meanwhile.
    outer: El0State,
    /// Whether the core is set up for a partition at S-EL0.
    host: bool,
    /// The slot whose vector registers are live; [`NOBODY`]: the normal world's, and CPTR_EL2 lets no partition use them.
    fp_owner: u8,
    /// Whether CPTR_EL2 keeps them from the partition that is resident, since it is another one.
    fp_shut: bool,
    /// Whose stage 2 and identity were loaded last. EL3 keeps them with S-EL2's state.
    loaded: Option<Slot>,
    /// The partition that can be made resident by its EL1 registers alone: it is loaded, and nobody
    /// but the normal world owns vector registers, no interrupt line is raised, and no interrupt masked. [`NOBODY`] if
    /// there is none.
    plain: u8,
    /// The same for a partition that always uses vector registers: they are made live with the others. It stays so while
    /// that partition is resident in this way.
    trusted: u8,
    /// The same for a partition at S-EL0: its registers of EL0 are all that is made live. It may have been on other cores
    /// since; what is loaded of it nobody can have changed.
    plain_user: u8,
    /// Whether the partition that is loaded always uses vector registers.
    trusts: bool,
    /// Which virtual interrupt lines are raised.
    lines: Lines,
    /// Which interrupts the priority mask lets through.
    mask: Mask,
    /// The priority mask of the normal world while another one is set.
    normal_mask: u8,
    /// Whether the partition that is loaded has a mask of its own.
    masks: bool,
    /// Who missed something last, at which instruction and address, after how many changes of its address spaces, and how
    /// often in a row it was there all the same.
    again: ((Slot, u64, u64, u32), u8),
}

/// No slot.
const NOBODY: u8 = u8::MAX;

impl Cpu {
    /// Sets up the EL2 registers that hold for all partitions on this core.
    pub fn new(vectors: &'static mut VectorState) -> Self {
        let features = Features::read();
        // SAFETY: No partition runs on this core yet, and E2H was set at the entry.
        unsafe {
            confine(&features, Guests::Partitions);
            el0::prepare();
            write_sysreg!("S3_4_C2_C6_2", vstcr_el2());
        }
        fp::close();
        isb();
        Self {
            features,
            normal_world: El1State::RESET,
            vectors,
            live: Live::NormalWorld,
            user: None,
            outer: El0State::RESET,
            host: false,
            fp_owner: NOBODY,
            fp_shut: false,
            loaded: None,
            plain: NOBODY,
            trusted: NOBODY,
            plain_user: NOBODY,
            trusts: false,
            lines: Lines::DOWN,
            mask: Mask::Open,
            normal_mask: gic::PRIORITY_MASK_OPEN,
            masks: false,
            again: ((Slot(NOBODY), 0, 0, 0), 0),
        }
    }

    /// A secure interrupt took the core from the normal world: who runs when it was dealt with.
    #[cold]
    #[inline(never)]
    pub fn interrupted(&mut self, spmc: &'static Core, pe: &mut PeState) -> Next {
        interrupts::take_all(spmc, pe);
        let Outcome { next, left } = spmc.dispatch(pe, None, &mut Port);
        if let Some(left) = left {
            spmc.saved(pe, left);
        }
        match next {
            Next::Partition(slot) => self.run(spmc, pe, slot),
            next => next,
        }
    }

    /// [`run`](Self::run), for callers that are not in a hurry.
    #[inline(never)]
    pub fn run_once(&mut self, spmc: &'static Core, pe: &mut PeState, slot: Slot) -> Next {
        self.run(spmc, pe, slot)
    }

    /// Runs partitions, starting with `slot`, until somebody else's turn comes; then the normal
    /// world's registers are live again.
    #[inline(always)]
    pub fn run(&mut self, spmc: &'static Core, pe: &mut PeState, slot: Slot) -> Next {
        let mut slot = slot;
        loop {
            let outcome = if self.enter_plainly(pe, slot)
                || self.enter_with_vectors(pe, slot)
                || (self.plain_user != slot.0 && self.enter_generally(spmc, pe, slot))
            {
                self.run_one(spmc, pe, slot)
            } else {
                match self.run_user(spmc, pe, slot) {
                    Ok(next) => return next,
                    Err(outcome) => outcome,
                }
            };
            let Outcome { next, left } = outcome;
            match next {
                Next::Partition(next) => {
                    if let Some(left) = left {
                        if left.migrates() {
                            self.let_go(pe, left.slot());
                        }
                        spmc.saved(pe, left);
                    }
                    slot = next;
                }
                // What is left of a partition's life is dealt with, and somebody else runs.
                next @ (Next::Reload(_) | Next::Wipe(_)) => match self.after_life(spmc, pe, next) {
                    Next::Partition(next) => slot = next,
                    next => {
                        self.leave(spmc, pe);
                        return next;
                    }
                },
                next => {
                    if self.plain == slot.0
                        && let Some(context) = pe.context(slot)
                    {
                        context.machine.el1.save();
                        // SAFETY: The partition's registers were saved just above.
                        unsafe { self.normal_world.load() }
                        self.live = Live::NormalWorld;
                        context.machine.habit.unused();
                    } else if !self.leave_with_vectors(pe, slot) {
                        self.leave(spmc, pe);
                    }
                    if let Some(left) = left {
                        if left.migrates() {
                            self.let_go(pe, left.slot());
                        }
                        spmc.saved(pe, left);
                    }
                    return next;
                }
            }
        }
    }

    /// Makes `slot` resident by its EL1 registers alone, if that is all there is to do. `false` if it is not; then nothing
    /// has happened.
    #[inline(always)]
    fn enter_plainly(&mut self, pe: &mut PeState, slot: Slot) -> bool {
        if self.live == Live::NormalWorld
            && self.plain == slot.0
            && let Some(context) = pe.context(slot)
            && !context.wants_attention()
        {
            self.normal_world.save();
            // SAFETY: The normal world's registers were saved just above.
            unsafe { context.machine.el1.load() }
            self.live = Live::Partition(slot);
            return true;
        }
        false
    }

    /// Does everything that there may be to do before `slot` runs at S-EL1. `false` if it is at S-EL0; then nothing has
    /// happened.
    #[inline(never)]
    fn enter_generally(&mut self, spmc: &Core, pe: &mut PeState, slot: Slot) -> bool {
        let there =
            self.live == Live::Partition(slot) && self.loaded == Some(slot) && self.user.is_none();
        if !there {
            if pe
                .context(slot)
                .is_some_and(|context| context.machine.is_el0())
            {
                return false;
            }
            self.make_resident(pe, slot);
        }
        self.settle(spmc, pe, slot);
        true
    }

    /// Loads a partition anew or wipes it, as the core says; gives who runs next.
    #[cold]
    #[inline(never)]
    fn after_life(&mut self, spmc: &'static Core, pe: &mut PeState, what: Next) -> Next {
        let outcome = match what {
            Next::Reload(slot) => {
                // Its registers leave the core before they are those of its first entry.
                self.let_go(pe, slot);
                let done = pe
                    .with_context(slot, |context, held| {
                        estate::reload(slot, &mut context.machine, held)
                    })
                    .unwrap_or(false)
                    && estate::map_static_buffers(spmc, slot, &mut Port, &mut pe.held);
                spmc.reloaded(pe, slot, done, &mut Port)
            }
            Next::Wipe(slot) => {
                self.let_go(pe, slot);
                let _ = pe.with_context(slot, |context, held| {
                    estate::wipe(spmc, slot, &mut context.machine, held);
                });
                spmc.wiped(pe, slot, &mut Port)
            }
            next => return next,
        };
        if let Some(left) = outcome.left {
            spmc.saved(pe, left);
        }
        outcome.next
    }

    /// Enters the resident partition again and again until its exit concerns the core.
    #[inline(always)]
    fn run_one(&mut self, spmc: &'static Core, pe: &mut PeState, slot: Slot) -> Outcome {
        loop {
            let Some(context) = pe.context(slot) else {
                return spmc.abort(pe, slot, None, &mut Port);
            };
            let vcpu = &mut context.machine;
            // SAFETY: `make_resident` has loaded this context's stage 2, identity and EL1
            // registers; HCR_EL2 confines it.
            let exit = unsafe { guest::enter(&mut vcpu.regs) };
            if exit == Exit::Sync {
                let esr = read_sysreg!("esr_el2");
                // SMC with immediate 0, which is behind ELR; HVC with immediate 0.
                let smc = esr & 0xfc00_ffff == 0x17 << 26;
                if smc || esr & 0xfc00_ffff == 0x16 << 26 {
                    if smc {
                        vcpu.regs.pc = vcpu.regs.pc.wrapping_add(4);
                    }
                    return spmc.handle_partition(pe, slot, &mut Port);
                }
                match self.trapped(spmc, vcpu, slot) {
                    Trapped::Done => {}
                    Trapped::WantsFp => self.give_fp(pe, slot),
                    Trapped::Timer(register, access) => {
                        self.access_timer(spmc, pe, slot, register, access);
                    }
                    Trapped::Missed(fault) => self.missed(spmc, pe, slot, &fault),
                }
                continue;
            }
            return Self::interrupted_while(spmc, pe, slot, exit);
        }
    }

    /// Something that came while `slot` ran and is nothing that it did.
    #[cold]
    #[inline(never)]
    fn interrupted_while(spmc: &'static Core, pe: &mut PeState, slot: Slot, exit: Exit) -> Outcome {
        match exit {
            Exit::Fiq if gic::secure::group0_is_pending() => spmc.group0(slot, &mut Port),
            Exit::Fiq => spmc.normal_world_interrupt(pe, slot, &mut Port),
            Exit::Irq => {
                interrupts::take_all(spmc, pe);
                spmc.dispatch(pe, Some(slot), &mut Port)
            }
            _ => {
                error!(
                    "partition in slot {=u8}: SError, ESR {=u64:#x}: aborted",
                    slot.0,
                    read_sysreg!("esr_el2")
                );
                spmc.abort(pe, slot, None, &mut Port)
            }
        }
    }
}
