//! One core: which endpoint's registers are live, and running partitions.
//!
//! EL3 swaps EL2 state only. The normal world's EL1 registers are saved when the first partition
//! runs and are back before it runs again; vector registers and pointer authentication keys move
//! only when somebody else needs them.

use super::{
    boot::{Core, PeState},
    estate,
    port::{Port, may_log},
    vcpu::Vcpu,
};
use defmt::{error, info, warn};
use platform::{
    confine::{Guests, confine},
    cpu::Features,
    el1::El1State,
    fp::{self, VectorState},
    gic,
    guest::{self, Exit},
    idregs::{self, Shown},
    inject::reflect,
    read_sysreg,
    stage2::vstcr_el2,
    sysreg::isb,
    trap::{Fault, SystemAccess, Trap},
    write_sysreg,
};
use spmc::{
    context::Slot,
    spm::{Next, Outcome},
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
    /// Whose vector registers are live; `None`: the normal world's.
    fp_owner: Option<Slot>,
    /// Whether CPTR_EL2 lets the resident partition use FP.
    fp_open: bool,
    /// Whose stage 2 and identity were loaded last. EL3 keeps them with S-EL2's state.
    loaded: Option<Slot>,
    /// The partition that can be made resident by its EL1 registers alone: it is loaded, and nobody
    /// but the normal world owns vector registers. [`NOBODY`] if there is none.
    plain: u8,
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
            write_sysreg!("S3_4_C2_C6_2", vstcr_el2());
        }
        fp::close();
        isb();
        Self {
            features,
            normal_world: El1State::RESET,
            vectors,
            live: Live::NormalWorld,
            fp_owner: None,
            fp_open: false,
            loaded: None,
            plain: NOBODY,
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
            if self.live == Live::NormalWorld
                && self.plain == slot.0
                && let Some(context) = pe.context(slot)
            {
                self.normal_world.save();
                // SAFETY: The normal world's registers were saved just above.
                unsafe { context.machine.el1.load() }
                self.live = Live::Partition(slot);
            } else {
                self.make_resident(pe, slot);
            }
            let Outcome { next, left } = self.run_one(spmc, pe, slot);
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
                        self.evict(pe);
                        self.restore_normal_world(pe);
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
                    } else {
                        self.evict(pe);
                        self.restore_normal_world(pe);
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

    /// Loads a partition anew or wipes it, as the core says; gives who runs next.
    #[cold]
    #[inline(never)]
    fn after_life(&mut self, spmc: &'static Core, pe: &mut PeState, what: Next) -> Next {
        let outcome = match what {
            Next::Reload(slot) => {
                // Its registers leave the core before they are those of its first entry.
                self.let_go(pe, slot);
                let vcpu = pe.context(slot).map(|context| &mut context.machine);
                let done = vcpu.is_some_and(|vcpu| estate::reload(slot, vcpu))
                    && estate::map_static_buffers(spmc, slot, &mut Port);
                spmc.reloaded(pe, slot, done, &mut Port)
            }
            Next::Wipe(slot) => {
                self.let_go(pe, slot);
                if let Some(context) = pe.context(slot) {
                    estate::wipe(slot, &mut context.machine);
                }
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
                if self.trapped(spmc, vcpu, slot) == Trapped::WantsFp {
                    self.give_fp(pe, slot);
                }
                continue;
            }
            match exit {
                Exit::Fiq => return spmc.normal_world_interrupt(pe, slot, &mut Port),
                Exit::Irq => self.secure_interrupt(),
                _ => {
                    error!(
                        "partition in slot {=u8}: SError, ESR {=u64:#x}: aborted",
                        slot.0,
                        read_sysreg!("esr_el2")
                    );
                    return spmc.abort(pe, slot, None, &mut Port);
                }
            }
        }
    }

    /// A synchronous exception that is not a call: emulated, or given to the partition's own EL1.
    #[cold]
    #[inline(never)]
    fn trapped(&mut self, spmc: &Core, vcpu: &mut Vcpu, slot: Slot) -> Trapped {
        let fault = guest::fault();
        match fault.trap() {
            // The caller can reach the other contexts.
            Trap::Fp => return Trapped::WantsFp,
            Trap::SystemRegister(access) if self.emulate(vcpu, access) => {}
            _ => {
                if let Some(info) = spmc.info(slot)
                    && may_log(info.id)
                {
                    report(slot, vcpu, &fault);
                }
                reflect(&mut vcpu.regs, &fault);
            }
        }
        Trapped::Done
    }

    /// Emulates a trapped system register. `false` if the partition has none of that name.
    fn emulate(&mut self, vcpu: &mut Vcpu, access: SystemAccess) -> bool {
        let register = vcpu.regs.x.get(access.register()).copied();
        let cache =
            |vcpu: &mut Vcpu| idregs::cache(access, register.unwrap_or_default(), &mut vcpu.csselr);
        let Some(value) = idregs::read(access, Shown::Partition).or_else(|| cache(vcpu)) else {
            return false;
        };
        if access.is_read()
            && let Some(register) = vcpu.regs.x.get_mut(access.register())
        {
            *register = value;
        }
        vcpu.regs.pc = vcpu.regs.pc.wrapping_add(4);
        true
    }

    /// Gives the vector registers to `slot`, whose instruction is then executed again.
    #[cold]
    #[inline(never)]
    fn give_fp(&mut self, pe: &mut PeState, slot: Slot) {
        match self.fp_owner {
            Some(owner) if owner == slot => {}
            Some(owner) => {
                // The other partition's registers are live: open FP for EL2, swap.
                fp::open_all();
                isb();
                if let Some(context) = pe.context(owner) {
                    context.machine.fp.save();
                }
                if let Some(context) = pe.context(slot) {
                    context.machine.fp.load();
                }
            }
            None => {
                if let Some(context) = pe.context(slot) {
                    fp::take(self.vectors, &context.machine.fp, &self.features);
                }
            }
        }
        fp::open_guest();
        self.fp_owner = Some(slot);
        self.fp_open = true;
        self.find_plain();
    }

    /// Makes `slot`'s EL1 registers, stage 2 and identity the live ones.
    #[cold]
    #[inline(never)]
    fn make_resident(&mut self, pe: &mut PeState, slot: Slot) {
        match self.live {
            Live::Partition(resident) if resident == slot => return,
            Live::Partition(_) => self.evict(pe),
            Live::NormalWorld => self.normal_world.save(),
            Live::Nobody => {}
        }
        let previous = self.loaded;
        if previous != Some(slot) {
            self.load_stage2(pe, previous, slot);
        }
        let fp_open = self.fp_owner == Some(slot);
        if fp_open != self.fp_open {
            if fp_open {
                fp::open_guest();
            } else {
                fp::close();
            }
            self.fp_open = fp_open;
        }
        if let Some(context) = pe.context(slot) {
            // SAFETY: The earlier owner's registers were saved just above.
            unsafe { context.machine.el1.load() }
        }
        self.live = Live::Partition(slot);
        self.find_plain();
    }

    /// Brings everything of a context into memory that may run on another core next: what is left
    /// in registers otherwise because nobody else needs them.
    #[cold]
    #[inline(never)]
    fn let_go(&mut self, pe: &mut PeState, slot: Slot) {
        if self.live == Live::Partition(slot) {
            self.evict(pe);
        }
        if self.fp_owner == Some(slot) {
            self.take_fp_back(pe);
        }
        if self.loaded == Some(slot) {
            if self.features.pauth
                && let Some(context) = pe.context(slot)
            {
                context.machine.keys.save();
            }
            self.loaded = None;
            self.find_plain();
        }
    }

    /// Works out anew who can be made resident in the short way.
    fn find_plain(&mut self) {
        self.plain = match self.loaded {
            Some(slot) if self.fp_owner.is_none() && !self.fp_open => slot.0,
            _ => NOBODY,
        };
    }

    /// Loads what a change of partition changes and EL3 keeps for us otherwise.
    #[cold]
    #[inline(never)]
    fn load_stage2(&mut self, pe: &mut PeState, previous: Option<Slot>, slot: Slot) {
        if self.features.pauth
            && let Some(context) = previous.and_then(|previous| pe.context(previous))
        {
            context.machine.keys.save();
        }
        let Some(context) = pe.context(slot) else {
            return;
        };
        let vcpu = &context.machine;
        if self.features.pauth {
            vcpu.keys.load();
        }
        // SAFETY: The tables are this partition's, under a VMID of its own; nothing of it runs now.
        unsafe {
            write_sysreg!("vttbr_el2", vcpu.vttbr);
            write_sysreg!("S3_4_C2_C6_0", vcpu.vsttbr);
            write_sysreg!("vmpidr_el2", vcpu.vmpidr);
        }
        self.loaded = Some(slot);
    }

    /// Saves the resident partition's EL1 registers.
    #[cold]
    #[inline(never)]
    fn evict(&mut self, pe: &mut PeState) {
        if let Live::Partition(slot) = self.live
            && let Some(context) = pe.context(slot)
        {
            context.machine.el1.save();
            self.live = Live::Nobody;
        }
    }

    /// Makes the normal world's registers live, EL1 and vectors.
    #[cold]
    #[inline(never)]
    fn restore_normal_world(&mut self, pe: &mut PeState) {
        if self.live != Live::NormalWorld {
            // SAFETY: `evict` has saved the partition's.
            unsafe { self.normal_world.load() }
            self.live = Live::NormalWorld;
        }
        if self.fp_owner.is_some() {
            self.take_fp_back(pe);
        }
    }

    #[cold]
    #[inline(never)]
    fn take_fp_back(&mut self, pe: &mut PeState) {
        if let Some(owner) = self.fp_owner.take()
            && let Some(context) = pe.context(owner)
        {
            fp::give_back(self.vectors, &mut context.machine.fp, &self.features);
        }
        fp::close();
        self.fp_open = false;
        self.find_plain();
    }

    /// A secure interrupt: none is assigned to anybody, so it is acknowledged and dropped.
    #[cold]
    #[inline(never)]
    pub fn secure_interrupt(&mut self) {
        match gic::acknowledge() {
            Some(intid) => {
                warn!("secure interrupt {=u32} belongs to nobody: dropped", intid);
                gic::end(intid);
            }
            None => info!("spurious secure interrupt"),
        }
    }
}

/// Logs a fault that a partition is going to be told of itself.
fn report(slot: Slot, vcpu: &Vcpu, fault: &Fault) {
    let Some(what) = fault.abort_name() else {
        return;
    };
    warn!(
        "partition in slot {=u8}: {=str} outside of its memory at {=u64:#x} (IPA {=u64:#x}), pc {=u64:#x}, ESR {=u64:#x}: abort injected",
        slot.0,
        what,
        fault.far,
        fault.ipa(),
        vcpu.regs.pc,
        fault.esr,
    );
}
