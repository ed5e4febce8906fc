//! One core's SP and vector registers, and how the SPMC's run loop moves them between endpoints.
//!
//! A model of the image's half that touches hardware: EL1 state (SP stands for it) is switched when
//! a partition becomes resident and back before each exit to EL3, vector registers at the first use
//! by somebody else. Endpoints read and write only what is *live* here, so a register that the rules
//! forget to move shows up as somebody else's label. The general registers of a partition are kept in
//! its context, as in the image.

use crate::label::{Frame, Vectors};
use spmc::{
    context::{Registers, Slot},
    spm::Pe,
};

/// Why a partition is not running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It never ran.
    New,
    /// It made a call, with the registers in [`Gp::sent`].
    Call,
    /// An interrupt took the core away.
    Interrupted,
}

/// The machine's part of an execution context, and what the partition itself knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gp {
    /// x0-x30 while it is not running.
    pub x: Frame,
    /// SP while it is not resident.
    sp: u64,
    /// V0-V31, FPCR, FPSR while they are not live.
    vectors: Vectors,
    /// What it held when it was last running.
    pub sent: Frame,
    /// How it stopped running.
    pub exit: Exit,
    /// Its SP as the partition itself knows it.
    pub own_sp: u64,
    /// Its vector registers as the partition itself knows them.
    pub own_vectors: Vectors,
}

impl Gp {
    /// A context with these registers that never ran.
    pub fn new(x: Frame, sp: u64) -> Self {
        Self {
            x,
            sp,
            vectors: Vectors::ZERO,
            sent: x,
            exit: Exit::New,
            own_sp: sp,
            own_vectors: Vectors::ZERO,
        }
    }
}

impl Registers for Gp {
    fn x(&mut self) -> &mut [u64; 31] {
        &mut self.x
    }
}

/// Whose SP is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Live {
    NormalWorld,
    Partition(Slot),
    Nobody,
}

/// One core.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The SP that the running endpoint sees.
    pub sp: u64,
    /// The vector registers that are in the core.
    pub vectors: Vectors,
    normal_sp: u64,
    normal_vectors: Vectors,
    live: Live,
    /// Whose vector registers are live; `None`: the normal world's.
    fp_owner: Option<Slot>,
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            sp: 0,
            vectors: Vectors::ZERO,
            normal_sp: 0,
            normal_vectors: Vectors::ZERO,
            live: Live::NormalWorld,
            fp_owner: None,
        }
    }
}

impl Machine {
    /// A partition is going to run.
    pub fn make_resident(&mut self, pe: &mut Pe<'_, Gp>, slot: Slot) {
        match self.live {
            Live::Partition(resident) if resident == slot => return,
            Live::Partition(_) => self.evict(pe),
            Live::NormalWorld => self.normal_sp = self.sp,
            Live::Nobody => {}
        }
        if let Some(context) = pe.context(slot) {
            self.sp = context.machine.sp;
        }
        self.live = Live::Partition(slot);
    }

    /// The resident partition's SP goes to memory.
    pub fn evict(&mut self, pe: &mut Pe<'_, Gp>) {
        if let Live::Partition(slot) = self.live
            && let Some(context) = pe.context(slot)
        {
            context.machine.sp = self.sp;
            self.live = Live::Nobody;
        }
    }

    /// A context leaves the core: before it may be claimed by another one, all of it is in memory,
    /// vector registers too.
    pub fn leave(&mut self, pe: &mut Pe<'_, Gp>, slot: Slot) {
        if self.live == Live::Partition(slot) {
            self.evict(pe);
        }
        if self.fp_owner == Some(slot) {
            self.take_vectors_back(pe);
        }
    }

    /// The running partition uses a vector register: the owner's are saved and its own loaded.
    pub fn use_vectors(&mut self, pe: &mut Pe<'_, Gp>, slot: Slot) {
        if self.fp_owner == Some(slot) {
            return;
        }
        match self.fp_owner {
            Some(owner) => {
                if let Some(context) = pe.context(owner) {
                    context.machine.vectors.clone_from(&self.vectors);
                }
            }
            None => self.normal_vectors.clone_from(&self.vectors),
        }
        if let Some(context) = pe.context(slot) {
            self.vectors.clone_from(&context.machine.vectors);
        }
        self.fp_owner = Some(slot);
    }

    fn take_vectors_back(&mut self, pe: &mut Pe<'_, Gp>) {
        if let Some(owner) = self.fp_owner.take() {
            if let Some(context) = pe.context(owner) {
                context.machine.vectors.clone_from(&self.vectors);
            }
            self.vectors.clone_from(&self.normal_vectors);
        }
    }

    /// The normal world is going to run.
    pub fn restore_normal_world(&mut self, pe: &mut Pe<'_, Gp>) {
        self.evict(pe);
        if self.live != Live::NormalWorld {
            self.sp = self.normal_sp;
            self.live = Live::NormalWorld;
        }
        self.take_vectors_back(pe);
    }
}
