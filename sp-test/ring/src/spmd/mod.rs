//! A model of the SPMD, EL3's dispatcher between the worlds: which registers of a call reach the
//! other world, and which calls it answers itself.
//!
//! It knows two behaviours. [`Behaviour::Tfa2_12`] is TF-A 2.12.1's: x8-x17 travel with everything
//! that is forwarded. [`Behaviour::ByCompletion`] is that of later releases, which look at the
//! forwarded identifier and at the versions of both sides. The first is held against recordings of
//! the real one (`recordings/`). Frames are x0-x30 as EL3 keeps them for each world; registers that
//! it does not write stay as that world left them.

use crate::{fid, label::Frame};

/// Which SPMD.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Behaviour {
    /// TF-A 2.12.1: x8-x17 are carried both ways on every forwarded call.
    Tfa2_12,
    /// Later TF-A: x8-x17 are written only for a 64-bit identifier and a peer of at least 1.2, with
    /// zero if the source is below 1.2.
    ByCompletion,
}

impl Behaviour {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Tfa2_12, Self::ByCompletion];

    /// A short name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tfa2_12 => "tfa-2.12",
            Self::ByCompletion => "by-completion",
        }
    }

    /// The highest function number of FF-A that it takes for its own.
    const fn last_number(self) -> u32 {
        match self {
            Self::Tfa2_12 => 0x8e,
            Self::ByCompletion => 0x97,
        }
    }
}

/// Which world EL3 returns to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// The normal world, with [`Frames::normal`].
    Normal,
    /// The SPMC, with [`Frames::secure`].
    Secure,
    /// Nobody: the core is off.
    Off,
}

/// How an SPMD refuses a completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `FFA_ERROR(NOT_SUPPORTED)`.
    Error,
    /// A bare -1.
    Unknown,
}

/// What the SPMD itself waits for from the SPMC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Nothing,
    Version,
    Interrupt,
    CpuOff,
}

/// One core's frames at EL3.
#[derive(Clone, Debug)]
pub struct Frames {
    /// The normal world's x0-x30.
    pub normal: Frame,
    /// The SPMC's x0-x30.
    pub secure: Frame,
    pending: Pending,
}

/// The dispatcher.
#[derive(Clone, Debug)]
pub struct Spmd {
    /// Which one it is.
    pub behaviour: Behaviour,
    /// The normal world's version as this SPMD notes it (later ones only); 0 before it asked.
    normal_version: u32,
    normal_has_called: bool,
    /// What the SPMC answered the normal world's last `FFA_VERSION`; 0 before.
    secure_version: u32,
    /// Refuse the SPMC's next completion, as an SPMD that does not know it would: with this in x0.
    pub refuse_next: Option<Refusal>,
    /// One for each core.
    pub cpus: Vec<Frames>,
}

const V1_2: u32 = 0x1_0002;
const SPMD_TO_SPMC: u64 = 0xffff_8000;
const SPMC_TO_SPMD: u64 = 0x8000_ffff;
const FRAMEWORK: u64 = 1 << 31;
const NOT_SUPPORTED: i32 = -1;
const INVALID_PARAMETERS: i32 = -2;
const DENIED: i32 = -6;

impl Spmd {
    /// A dispatcher whose SPMC has initialised. `leftover` is what the SPMC left in its registers.
    pub fn new(behaviour: Behaviour, cpus: usize, leftover: Frame) -> Self {
        Self {
            behaviour,
            normal_version: 0,
            normal_has_called: false,
            secure_version: 0,
            refuse_next: None,
            cpus: vec![
                Frames {
                    normal: [0; 31],
                    secure: leftover,
                    pending: Pending::Nothing,
                };
                cpus
            ],
        }
    }

    /// Whether both sides speak at least 1.2, as this SPMD believes.
    pub fn new_peers(&self) -> bool {
        self.normal_version.min(self.secure_version) >= V1_2
    }

    /// An SMC of the normal world with these registers.
    pub fn from_normal(&mut self, cpu: usize, x: &Frame) -> To {
        self.cpus[cpu].normal = *x;
        let raw = x[0] as u32;
        let call = fid::of(x[0]);
        if !self.is_ffa(call) {
            // Another service of EL3's, or nobody's.
            self.cpus[cpu].normal[0] = match call {
                0x8000_0000 => 0x1_0005,
                0x8000_0001 => -2i64 as u64,
                0x8400_0000 => 0x1_0001,
                _ => u64::MAX,
            };
            return To::Normal;
        }
        if call != fid::VERSION {
            self.normal_has_called = true;
        }
        let number = call & 0xff;
        let wide = fid::is_wide(call);
        match number {
            0x63 if !wide => self.version(cpu),
            0x69 if !wide => self.answer(cpu, [fid::SUCCESS_32.into(), 0, 0, 0, 0, 0, 0, 0]),
            0x85 if !wide => self.answer(cpu, [fid::SUCCESS_32.into(), 0, 0x8000, 0, 0, 0, 0, 0]),
            0x7c if !wide => self.error(cpu, DENIED),
            _ if fid::is_request(call) => {
                let (source, destination) = ((x[1] >> 16) as u16, x[1] as u16);
                let logical = |id: u16| (0xffc0..0xffff).contains(&id);
                if self.below_1_2(call) {
                    self.error(cpu, NOT_SUPPORTED)
                } else if logical(source) || logical(destination) || source & 0x8000 != 0 {
                    self.error(cpu, INVALID_PARAMETERS)
                } else {
                    self.forward_to_secure(cpu, raw)
                }
            }
            _ if fid::is_response(call) => {
                if self.below_1_2(call) {
                    self.error(cpu, NOT_SUPPORTED)
                } else {
                    self.forward_to_secure(cpu, raw)
                }
            }
            _ if self.forwards_from_normal(number, wide) => self.forward_to_secure(cpu, raw),
            _ => self.error(cpu, NOT_SUPPORTED),
        }
    }

    /// An SMC of the SPMC with these registers.
    pub fn from_secure(&mut self, cpu: usize, x: &Frame) -> To {
        self.cpus[cpu].secure = *x;
        let call = fid::of(x[0]);
        let refusal = self.refuse_next.take();
        if refusal == Some(Refusal::Error) {
            return self.bounce_error(cpu, NOT_SUPPORTED);
        }
        if refusal == Some(Refusal::Unknown) || !self.is_ffa(call) {
            self.cpus[cpu].secure[0] = u64::MAX;
            return To::Secure;
        }
        let number = call & 0xff;
        let wide = fid::is_wide(call);
        let to_spmd = x[1] as u32 == SPMC_TO_SPMD as u32;
        match number {
            0x60 if !wide && self.cpus[cpu].pending == Pending::CpuOff => self.off(cpu),
            0x63 if !wide => self.bounce(cpu, [V1_2.into(), 0, 0, 0, 0, 0, 0, 0]),
            0x64 if !wide => {
                self.cpus[cpu].secure[0] = fid::SUCCESS_32.into();
                To::Secure
            }
            0x69 if !wide => self.bounce(cpu, [fid::SUCCESS_32.into(), 0, 0x8000, 0, 0, 0, 0, 0]),
            0x85 if !wide => self.bounce(cpu, [fid::SUCCESS_32.into(), 0, 0xffff, 0, 0, 0, 0, 0]),
            0x7c if !wide => {
                if self.cpus[cpu].pending == Pending::Interrupt {
                    self.cpus[cpu].pending = Pending::Nothing;
                    To::Normal
                } else {
                    self.bounce_error(cpu, DENIED)
                }
            }
            0x8c if !wide => self.bounce(cpu, [fid::SUCCESS_32.into(), 0, 0, 0, 0, 0, 0, 0]),
            _ if fid::is_request(call) => {
                if self.below_1_2(call) {
                    self.bounce_error(cpu, NOT_SUPPORTED)
                } else if to_spmd {
                    self.bounce_error(cpu, DENIED)
                } else {
                    self.forward_to_normal(cpu)
                }
            }
            _ if fid::is_response(call) => {
                if self.below_1_2(call) {
                    self.bounce_error(cpu, NOT_SUPPORTED)
                } else if to_spmd {
                    self.answered(cpu)
                } else {
                    self.forward_to_normal(cpu)
                }
            }
            _ if Self::forwards_from_secure(number, wide) => self.forward_to_normal(cpu),
            _ => self.bounce_error(cpu, NOT_SUPPORTED),
        }
    }

    /// A secure interrupt arrives while the normal world, whose registers are `x`, runs.
    pub fn secure_interrupt(&mut self, cpu: usize, x: &Frame) -> To {
        let frames = &mut self.cpus[cpu];
        frames.normal = *x;
        frames.secure[0] = fid::INTERRUPT.into();
        frames.secure[1..8].fill(0);
        frames.pending = Pending::Interrupt;
        To::Secure
    }

    /// The normal world switches this core off with PSCI.
    pub fn cpu_off(&mut self, cpu: usize, x: &Frame) -> To {
        self.cpus[cpu].normal = *x;
        self.message(cpu, 0, fid::CPU_OFF.into());
        self.cpus[cpu].secure[8..18].fill(0);
        self.cpus[cpu].pending = Pending::CpuOff;
        To::Secure
    }

    fn is_ffa(&self, call: u32) -> bool {
        let number = call & 0xffff;
        call & 0xbfff_0000 == 0x8400_0000 && (0x60..=self.behaviour.last_number()).contains(&number)
    }

    /// Later ones refuse the messages of 1.2 unless both sides speak it.
    fn below_1_2(&self, call: u32) -> bool {
        self.behaviour == Behaviour::ByCompletion
            && matches!(call, fid::REQ2 | fid::RESP2)
            && self.normal_version.min(self.secure_version) < V1_2
    }

    /// What only the normal world may call, and what either may.
    fn forwards_from_normal(&self, number: u32, wide: bool) -> bool {
        match (number, wide) {
            (0x8f, true) => self.behaviour == Behaviour::ByCompletion,
            (0x60 | 0x64 | 0x65 | 0x67 | 0x68 | 0x6d, false) => true,
            (0x66 | 0x83, _) => true,
            (0x7d..=0x82 | 0x84 | 0x86, false) => true,
            (0x8b, true) => true,
            _ => Self::forwards_either(number, wide),
        }
    }

    const fn forwards_from_secure(number: u32, wide: bool) -> bool {
        matches!((number, wide), (0x60 | 0x62 | 0x6b | 0x6c, false))
            || Self::forwards_either(number, wide)
    }

    const fn forwards_either(number: u32, wide: bool) -> bool {
        matches!(
            (number, wide),
            (0x61 | 0x71..=0x74, _) | (0x6e | 0x75..=0x77 | 0x7a | 0x7b, false)
        )
    }

    /// The normal world's `FFA_VERSION`: a framework message to the SPMC, along with x8-x17.
    fn version(&mut self, cpu: usize) -> To {
        let requested = self.cpus[cpu].normal[1] as u32;
        if requested & 1 << 31 != 0 {
            return self.answer(cpu, [0xffff_ffff, 0, 0, 0, 0, 0, 0, 0]);
        }
        if !self.normal_has_called {
            self.normal_version = requested;
        }
        self.message(cpu, 8, requested.into());
        let frames = &mut self.cpus[cpu];
        frames.secure[8..18].copy_from_slice(&frames.normal[8..18]);
        frames.pending = Pending::Version;
        To::Secure
    }

    fn message(&mut self, cpu: usize, id: u64, argument: u64) {
        self.cpus[cpu].secure[..8].copy_from_slice(&[
            fid::REQ_32.into(),
            SPMD_TO_SPMC,
            FRAMEWORK | id,
            argument,
            0,
            0,
            0,
            0,
        ]);
    }

    /// The SPMC answered a message of the SPMD's own.
    fn answered(&mut self, cpu: usize) -> To {
        let pending = std::mem::replace(&mut self.cpus[cpu].pending, Pending::Nothing);
        match pending {
            Pending::CpuOff => self.off(cpu),
            Pending::Version => {
                let frames = &mut self.cpus[cpu];
                let good =
                    frames.secure[0] == fid::RESP_32.into() && frames.secure[2] == FRAMEWORK | 9;
                let answer = if good {
                    self.secure_version = frames.secure[3] as u32;
                    frames.secure[3] as u32
                } else {
                    u32::MAX
                };
                // From here on it is forwarded like any completion, the number in w0.
                let frames = &mut self.cpus[cpu];
                frames.secure[0] = answer.into();
                frames.secure[1..8].fill(0);
                self.forward_to_normal(cpu)
            }
            // The real one would have nobody to return to.
            other => {
                self.cpus[cpu].pending = other;
                self.bounce_error(cpu, DENIED)
            }
        }
    }

    fn off(&mut self, cpu: usize) -> To {
        self.cpus[cpu].pending = Pending::Nothing;
        To::Off
    }

    /// Whether x8-x17 of the source are written, or zero, or nothing.
    fn carries(&self, x0: u32, destination: u32, source: u32) -> Carried {
        match self.behaviour {
            Behaviour::Tfa2_12 => Carried::Source,
            Behaviour::ByCompletion if !fid::is_wide(x0) || destination < V1_2 => Carried::Nothing,
            Behaviour::ByCompletion if source < V1_2 => Carried::Zero,
            Behaviour::ByCompletion => Carried::Source,
        }
    }

    fn forward_to_secure(&mut self, cpu: usize, raw: u32) -> To {
        let carried = self.carries(raw, self.secure_version, self.normal_version);
        let Frames { normal, secure, .. } = &mut self.cpus[cpu];
        carried.copy(normal, secure);
        narrow(raw, secure);
        secure[0] = raw.into();
        To::Secure
    }

    fn forward_to_normal(&mut self, cpu: usize) -> To {
        let x0 = self.cpus[cpu].secure[0] as u32;
        let carried = self.carries(x0, self.normal_version, self.secure_version);
        let Frames { normal, secure, .. } = &mut self.cpus[cpu];
        carried.copy(secure, normal);
        narrow(x0, normal);
        normal[0] = x0.into();
        To::Normal
    }

    fn answer(&mut self, cpu: usize, x: [u64; 8]) -> To {
        self.cpus[cpu].normal[..8].copy_from_slice(&x);
        To::Normal
    }

    fn error(&mut self, cpu: usize, code: i32) -> To {
        self.answer(cpu, error(code))
    }

    fn bounce(&mut self, cpu: usize, x: [u64; 8]) -> To {
        self.cpus[cpu].secure[..8].copy_from_slice(&x);
        To::Secure
    }

    fn bounce_error(&mut self, cpu: usize, code: i32) -> To {
        self.bounce(cpu, error(code))
    }
}

#[derive(Clone, Copy, Debug)]
enum Carried {
    Nothing,
    Zero,
    Source,
}

impl Carried {
    fn copy(self, from: &Frame, to: &mut Frame) {
        to[..8].copy_from_slice(&from[..8]);
        match self {
            Self::Nothing => {}
            Self::Zero => to[8..18].fill(0),
            Self::Source => to[8..18].copy_from_slice(&from[8..18]),
        }
    }
}

/// Of an SMC32, EL3 takes the lower halves of x1-x4; it does not look at x5-x7.
fn narrow(x0: u32, x: &mut Frame) {
    if !fid::is_wide(x0) {
        for value in &mut x[1..5] {
            *value &= 0xffff_ffff;
        }
    }
}

fn error(code: i32) -> [u64; 8] {
    [fid::ERROR.into(), 0, code as u32 as u64, 0, 0, 0, 0, 0]
}

#[cfg(test)]
mod tests;
