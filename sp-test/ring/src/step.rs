//! Steps as data: what a script or a random run does to a [`World`], so that it can be printed,
//! repeated and applied to two worlds alike.

use crate::{
    label::{Frame, Origin},
    world::{Landing, Taken, World},
};
use std::fmt;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The normal world calls.
    Smc {
        /// Where.
        core: usize,
        /// Which of its endpoints.
        origin: Origin,
        /// x0-x30.
        x: Frame,
    },
    /// The partition that has the core calls.
    Call {
        /// Where.
        core: usize,
        /// x0-x30.
        x: Frame,
    },
    /// Whoever has the core writes its TX buffer and makes a call about memory.
    Memory {
        /// Where.
        core: usize,
        /// Which endpoint of the normal world, if that has it.
        origin: Option<Origin>,
        /// x0-x30.
        x: Frame,
        /// What lies in TX.
        tx: Vec<u8>,
        /// What of a descriptor is left for later fragments.
        rest: Vec<u8>,
    },
    /// An interrupt of the normal world while a partition runs.
    Interrupt {
        /// Where.
        core: usize,
        /// x0-x30 of the partition.
        x: Frame,
        /// Whether it is the proxy's own, where there is one.
        own: bool,
    },
    /// A secure interrupt while the normal world runs.
    SecureInterrupt {
        /// Where.
        core: usize,
        /// Which of its endpoints.
        origin: Origin,
        /// x0-x30 of the normal world.
        x: Frame,
    },
    /// An interrupt of a partition, or of the SPMC's own, whoever has the core.
    Taken {
        /// Where.
        core: usize,
        /// Which endpoint of the normal world, if that has it.
        origin: Origin,
        /// x0-x30 of who has it.
        x: Frame,
        /// Which.
        taken: Taken,
    },
    /// The running partition sets up its timer, or switches it off.
    Timer {
        /// Where.
        core: usize,
        /// Which of the two.
        on: bool,
    },
    /// The running partition fails.
    Abort {
        /// Where.
        core: usize,
    },
    /// The running partition uses vector registers.
    Vectors {
        /// Where.
        core: usize,
    },
    /// The normal world uses vector registers.
    NormalVectors {
        /// Where.
        core: usize,
        /// Which of its endpoints.
        origin: Origin,
    },
    /// The registers of a context that left are in memory.
    Save {
        /// Where.
        core: usize,
    },
    /// The core is switched off.
    CpuOff {
        /// Where.
        core: usize,
    },
    /// What was done to another system than a world alone, in words.
    Said(String),
}

impl Step {
    /// Does it. `None` for what lands nobody.
    pub fn apply(&self, world: &mut World<'_>) -> Result<Option<Landing>, String> {
        match self {
            Self::Smc { core, origin, x } => world.smc(*core, *origin, x).map(Some),
            Self::Call { core, x } => world.partition(*core, x).map(Some),
            Self::Memory {
                core,
                origin,
                x,
                tx,
                rest,
            } => {
                world.put_tx(*core, tx);
                let landing = match origin {
                    Some(origin) => world.smc(*core, *origin, x),
                    None => world.partition(*core, x),
                }?;
                world.note_answer(*core, x[0], tx, rest);
                Ok(Some(landing))
            }
            Self::Interrupt { core, x, .. } => world.interrupt(*core, x).map(Some),
            Self::SecureInterrupt { core, origin, x } => {
                world.secure_interrupt(*core, *origin, x).map(Some)
            }
            Self::Taken {
                core,
                origin,
                x,
                taken,
            } => world.take(*core, *origin, x, *taken).map(Some),
            Self::Timer { core, on } => world.set_timer(*core, *on).map(|()| None),
            Self::Abort { core } => world.abort(*core).map(Some),
            Self::Vectors { core } => world.use_vectors(*core).map(|()| None),
            Self::NormalVectors { core, origin } => {
                world.normal_uses_vectors(*core, *origin);
                Ok(None)
            }
            Self::Save { core } => {
                world.save(*core);
                Ok(None)
            }
            Self::CpuOff { core } => world.cpu_off(*core).map(Some),
            Self::Said(_) => Ok(None),
        }
    }

    /// Whether it is a call.
    pub const fn is_call(&self) -> bool {
        matches!(
            self,
            Self::Smc { .. } | Self::Call { .. } | Self::Memory { .. }
        )
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let call = |f: &mut fmt::Formatter<'_>, core: &usize, who: &str, x: &Frame| {
            write!(
                f,
                "core {core}: {who} calls {}",
                crate::fid::name(crate::fid::of(x[0]))
            )?;
            for value in &x[..8] {
                write!(f, " {value:#x}")?;
            }
            Ok(())
        };
        match self {
            Self::Smc { core, origin, x } => call(f, core, &origin.to_string(), x),
            Self::Call { core, x } => call(f, core, "the partition", x),
            Self::Memory {
                core,
                origin,
                x,
                tx,
                ..
            } => {
                let who = origin.map_or("the partition".to_owned(), |origin| origin.to_string());
                call(f, core, &who, x)?;
                write!(f, " with {tx:x?}")
            }
            Self::Interrupt { core, own, .. } => {
                write!(
                    f,
                    "core {core}: interrupt{}",
                    if *own { " of the proxy" } else { "" }
                )
            }
            Self::SecureInterrupt { core, .. } => write!(f, "core {core}: secure interrupt"),
            Self::Taken { core, taken, .. } => write!(f, "core {core}: takes {taken:?}"),
            Self::Timer { core, on } => write!(f, "core {core}: the timer is on: {on}"),
            Self::Abort { core } => write!(f, "core {core}: the partition fails"),
            Self::Vectors { core } => write!(f, "core {core}: the partition uses V0-V31"),
            Self::NormalVectors { core, origin } => write!(f, "core {core}: {origin} uses V0-V31"),
            Self::Save { core } => write!(f, "core {core}: saved"),
            Self::CpuOff { core } => write!(f, "core {core}: off"),
            Self::Said(said) => f.write_str(said),
        }
    }
}
