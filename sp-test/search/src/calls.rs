//! Calls: what they mean, and the registers that an endpoint makes them with.

mod notes;

pub use notes::{Fault, Notes, Set, buffers};

use crate::{
    label::{Frame, Origin, frame},
    state::Form,
};
use std::fmt;

/// Function identifiers, written down once more so that a mistake in the encoder is seen.
#[allow(missing_docs)] // The names are the interfaces'.
pub mod fid {
    use crate::state::Form;

    pub const WIDE: u64 = 1 << 30;
    pub const ERROR: u64 = 0x8400_0060;
    pub const SUCCESS: u64 = 0x8400_0061;
    pub const INTERRUPT: u64 = 0x8400_0062;
    pub const VERSION: u64 = 0x8400_0063;
    pub const FEATURES: u64 = 0x8400_0064;
    pub const RXTX_MAP_64: u64 = 0xc400_0066;
    pub const ID_GET: u64 = 0x8400_0069;
    pub const MSG_WAIT: u64 = 0x8400_006b;
    pub const YIELD: u64 = 0x8400_006c;
    pub const RUN: u64 = 0x8400_006d;
    pub const SPM_ID_GET: u64 = 0x8400_0085;
    pub const CONSOLE_LOG: u64 = 0x8400_008a;
    pub const UNKNOWN_FFA: u64 = 0x8400_00e5;
    pub const SMCCC_VERSION: u64 = 0x8000_0000;
    pub const UNKNOWN_SMC: u64 = 0xc600_1234;
    pub const PSCI_CPU_OFF: u64 = 0x8400_0002;
    pub const PSCI_CPU_ON: u64 = 0xc400_0003;
    pub const ABORT: u64 = 0x8400_0090;
    pub const SVE_HINT: u64 = 1 << 16;

    pub const NOTIFICATION_BIND: u64 = 0x8400_007f;
    pub const NOTIFICATION_UNBIND: u64 = 0x8400_0080;
    pub const NOTIFICATION_SET: u64 = 0x8400_0081;
    pub const NOTIFICATION_GET: u64 = 0x8400_0082;
    pub const NOTIFICATION_INFO_GET: u64 = 0x8400_0083;
    pub const RX_ACQUIRE: u64 = 0x8400_0084;
    pub const RX_RELEASE: u64 = 0x8400_0065;
    pub const RXTX_UNMAP: u64 = 0x8400_0067;
    pub const MSG_SEND2: u64 = 0x8400_0086;
    pub const IRQ_ENABLE: u64 = 0xff03;
    pub const IRQ_GET: u64 = 0xff04;
    pub const IRQ_DEACTIVATE: u64 = 0xff08;
    pub const IRQ_SEND: u64 = 0xff0a;

    /// Whether w0 says that the call is a 64-bit one.
    pub const fn is_wide(w0: u64) -> bool {
        w0 & (1 << 31 | WIDE) == 1 << 31 | WIDE
    }

    /// The request's identifier.
    pub const fn request(form: Form) -> u64 {
        match form {
            Form::Narrow => 0x8400_006f,
            Form::Wide => 0xc400_006f,
            Form::Two => 0xc400_008d,
        }
    }

    /// The response's identifier.
    pub const fn response(form: Form) -> u64 {
        match form {
            Form::Narrow => 0x8400_0070,
            Form::Wide => 0xc400_0070,
            Form::Two => 0xc400_008e,
        }
    }
}

/// What w2 of a direct message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum W2 {
    /// A message between partitions.
    Message,
    /// A reserved bit is set.
    Reserved,
    /// A framework message.
    Framework,
}

/// A call with its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // The fields are the arguments'.
pub enum Kind {
    Request {
        form: Form,
        sender: u16,
        receiver: u16,
        w2: W2,
        uuid: (u64, u64),
        hint: bool,
    },
    Response {
        form: Form,
        sender: u16,
        receiver: u16,
        w2: W2,
    },
    Run {
        wide: bool,
        id: u16,
        index: u16,
    },
    Wait {
        wide: bool,
        w1: u64,
    },
    Yield {
        wide: bool,
        w4: u64,
    },
    Version(u32),
    Features(u64),
    IdGet,
    SpmIdGet,
    Console {
        count: u64,
    },
    Error {
        wide: bool,
        code: i32,
    },
    Interrupt {
        wide: bool,
    },
    RxtxMap,
    UnknownFfa,
    SmcccVersion,
    UnknownSmc,
    Psci,
    /// PSCI's CPU_ON.
    CpuOn {
        vcpu: u64,
        entry: u64,
    },
    Abort {
        wide: bool,
    },
    /// Which partitions have interrupts for which the normal world is to run them.
    InfoGet,
    /// A call of notifications or of RX buffers.
    Notes(Notes),
    /// Enables or disables a virtual interrupt.
    Enable {
        id: u32,
        on: bool,
    },
    /// Takes the oldest one.
    Get,
    /// Has dealt with one.
    Deactivate {
        id: u32,
    },
    /// Sends one to another context.
    Send {
        index: u16,
    },
    /// The answer to the message that the core goes off.
    PowerResponse {
        sender: u16,
        status: i32,
    },
    /// What EL3 leaves when it does not know our completion.
    Bounce,
    /// A framework message of the SPMD: its number and w3.
    Spmd(u8, u32),
    /// The same by an impostor.
    FalseSpmd,
}

impl Kind {
    /// w0.
    pub const fn fid(self) -> u64 {
        const fn form(fid: u64, wide: bool) -> u64 {
            if wide { fid | fid::WIDE } else { fid }
        }
        match self {
            Self::Request { form, hint, .. } => {
                fid::request(form) | if hint { fid::SVE_HINT } else { 0 }
            }
            Self::Response { form, .. } => fid::response(form),
            Self::Run { wide, .. } => form(fid::RUN, wide),
            Self::Wait { wide, .. } => form(fid::MSG_WAIT, wide),
            Self::Yield { wide, .. } => form(fid::YIELD, wide),
            Self::Version(_) => fid::VERSION,
            Self::Features(_) => fid::FEATURES,
            Self::IdGet => fid::ID_GET,
            Self::SpmIdGet => fid::SPM_ID_GET,
            Self::Console { .. } => fid::CONSOLE_LOG,
            Self::Error { wide, .. } => form(fid::ERROR, wide),
            Self::Interrupt { wide } => form(fid::INTERRUPT, wide),
            Self::RxtxMap => fid::RXTX_MAP_64,
            Self::UnknownFfa => fid::UNKNOWN_FFA,
            Self::SmcccVersion => fid::SMCCC_VERSION,
            Self::UnknownSmc => fid::UNKNOWN_SMC,
            Self::Psci => fid::PSCI_CPU_OFF,
            Self::CpuOn { .. } => fid::PSCI_CPU_ON,
            Self::Abort { wide } => form(fid::ABORT, wide),
            Self::InfoGet => fid::NOTIFICATION_INFO_GET,
            Self::Notes(call) => call.fid(),
            Self::Enable { .. } => fid::IRQ_ENABLE,
            Self::Get => fid::IRQ_GET,
            Self::Deactivate { .. } => fid::IRQ_DEACTIVATE,
            Self::Send { .. } => fid::IRQ_SEND,
            Self::PowerResponse { .. } => fid::response(Form::Narrow),
            Self::Bounce => 0xffff_ffff,
            Self::Spmd(..) | Self::FalseSpmd => fid::request(Form::Narrow),
        }
    }

    /// Whether the call is a 64-bit one.
    pub const fn is_wide(self) -> bool {
        fid::is_wide(self.fid())
    }

    /// x0 to x30 with which the owner of `origin`'s labels makes the call. What is no argument holds
    /// its label, also the upper halves of a 32-bit call's arguments.
    pub fn frame(self, origin: Origin) -> Frame {
        let mut x = frame(origin);
        let wide = self.is_wide();
        let mut set = |register: usize, value: u64| {
            x[register] = if wide {
                value
            } else {
                x[register] >> 32 << 32 | value
            };
        };
        set(0, self.fid());
        match self {
            Self::Request {
                form,
                sender,
                receiver,
                w2,
                uuid,
                ..
            } => {
                set(1, ids(sender, receiver));
                if form == Form::Two {
                    set(2, uuid.0);
                    set(3, uuid.1);
                } else {
                    set(2, w2.value());
                }
            }
            Self::Response {
                form,
                sender,
                receiver,
                w2,
            } => {
                set(1, ids(sender, receiver));
                if form != Form::Two {
                    set(2, w2.value());
                }
            }
            Self::Run { id, index, .. } => set(1, ids(id, index)),
            Self::Wait { w1, .. } => {
                set(1, w1);
                (2..8).for_each(|register| set(register, 0));
            }
            Self::Yield { w4, .. } => {
                set(4, w4);
                (5..8).for_each(|register| set(register, 0));
            }
            Self::CpuOn { vcpu, entry } => {
                set(1, vcpu);
                set(2, entry);
            }
            Self::Abort { .. } => {
                set(1, 0);
                (3..8).for_each(|register| set(register, 0));
            }
            // Hypercalls have all 64 bits.
            Self::Enable { id, on } => {
                x[1] = id.into();
                x[2] = on.into();
                x[3] = 0;
            }
            Self::Deactivate { id } => {
                x[1] = id.into();
                x[2] = id.into();
            }
            Self::Send { index } => x[1] = index.into(),
            Self::PowerResponse { sender, status } => {
                set(1, ids(sender, 0x8000));
                set(2, 1 << 31 | 2);
                set(3, status as u32 as u64);
                (4..8).for_each(|register| set(register, 0));
            }
            Self::InfoGet => (1..8).for_each(|register| set(register, 0)),
            Self::Notes(call) => {
                let arguments = call.arguments();
                for (register, value) in (1..).zip(arguments) {
                    set(register, value);
                }
            }
            Self::Version(version) => set(1, version.into()),
            Self::Features(function) => set(1, function),
            Self::Console { count } => set(1, count),
            Self::Error { code, .. } => set(2, code as u32 as u64),
            Self::Spmd(number, w3) => {
                set(1, ids(0xffff, 0x8000));
                set(2, 1 << 31 | u64::from(number));
                set(3, w3.into());
            }
            Self::FalseSpmd => {
                set(1, ids(0, 0x8000));
                set(2, 1 << 31);
                set(3, fid::PSCI_CPU_OFF);
            }
            _ => {}
        }
        x
    }
}

impl W2 {
    const fn value(self) -> u64 {
        match self {
            Self::Message => 0,
            Self::Reserved => 1,
            Self::Framework => 1 << 31 | 8,
        }
    }
}

/// Two ids in w1.
pub const fn ids(high: u16, low: u16) -> u64 {
    (high as u64) << 16 | low as u64
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bits = |wide: bool| if wide { "_64" } else { "" };
        let form = |form: Form| match form {
            Form::Narrow => "_32",
            Form::Wide => "_64",
            Form::Two => "2",
        };
        match *self {
            Self::Request {
                form: of,
                sender,
                receiver,
                w2,
                uuid,
                hint,
            } => {
                let of = form(of);
                write!(f, "DIRECT_REQ{of} from {sender:#x} to {receiver:#x}")?;
                if w2 != W2::Message {
                    write!(f, ", w2 {:#x}", w2.value())?;
                }
                if uuid != (0, 0) {
                    write!(f, ", service {:#x}", uuid.0)?;
                }
                if hint {
                    write!(f, ", SVE hint")?;
                }
                Ok(())
            }
            Self::Response {
                form: of,
                sender,
                receiver,
                w2,
            } => {
                let of = form(of);
                write!(f, "DIRECT_RESP{of} from {sender:#x} to {receiver:#x}")?;
                if w2 != W2::Message {
                    write!(f, ", w2 {:#x}", w2.value())?;
                }
                Ok(())
            }
            Self::Run { wide, id, index } => {
                write!(f, "RUN{} of {id:#x}, context {index}", bits(wide))
            }
            Self::Wait { wide, w1 } => write!(f, "MSG_WAIT{} with w1 {w1}", bits(wide)),
            Self::Yield { wide, w4 } => write!(f, "YIELD{} with w4 {w4}", bits(wide)),
            Self::Version(version) => write!(f, "VERSION({version:#x})"),
            Self::Features(function) => write!(f, "FEATURES({function:#x})"),
            Self::Console { count } => write!(f, "CONSOLE_LOG of {count} characters"),
            Self::Error { wide, code } => write!(f, "ERROR{}({code})", bits(wide)),
            Self::Interrupt { wide } => write!(f, "INTERRUPT{}", bits(wide)),
            Self::Abort { wide } => write!(f, "ABORT{}", bits(wide)),
            Self::CpuOn { vcpu, entry } => write!(f, "CPU_ON of {vcpu}, entry {entry:#x}"),
            Self::Spmd(number, w3) => write!(f, "framework message {number} with w3 {w3:#x}"),
            Self::FalseSpmd => f.write_str("framework message CPU_OFF of an impostor"),
            Self::InfoGet => f.write_str("NOTIFICATION_INFO_GET"),
            Self::Notes(call) => call.fmt(f),
            Self::Enable { id, on } => {
                write!(
                    f,
                    "{} of interrupt {id}",
                    if on { "enabling" } else { "disabling" }
                )
            }
            Self::Get => f.write_str("taking the oldest interrupt"),
            Self::Deactivate { id } => write!(f, "deactivation of interrupt {id}"),
            Self::Send { index } => write!(f, "an interrupt to context {index}"),
            Self::PowerResponse { status, .. } => {
                write!(f, "the answer {status} to the core going off")
            }
            Self::IdGet
            | Self::SpmIdGet
            | Self::RxtxMap
            | Self::UnknownFfa
            | Self::SmcccVersion
            | Self::UnknownSmc
            | Self::Psci
            | Self::Bounce => write!(f, "{self:?} ({:#x})", self.fid()),
        }
    }
}
