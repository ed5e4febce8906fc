//! A partition of the discovery boots: one image for all of them, which knows by its place which it is.
//!
//! It runs the [cases](crate::discovery::cases) that a client asks for (see
//! [`protocol`](crate::discovery::protocol)) and answers how they went. Any other direct request it
//! answers with zeroes.

mod vms;

use crate::abi::{self, INVALID_PARAMETERS, Regs};
use crate::discovery::cases::{self, Env, Start, Wrong};
use crate::discovery::protocol::{
    self, CASE, FAILED, HELD, HOLD, PASSED, PLAIN, TEXT, TRIED, TRY_NOW, UNKNOWN, VMS,
};
use crate::discovery::vms::{ANSWERS_TO_AN_ENDPOINT, is_framework};
use crate::discovery::{Me, Subject};
use crate::line::Line;
use crate::rt::{
    self,
    call::{self, Conduit},
    cores,
    entry::Boot,
};
use core::fmt::Write;
use vms::{News, try_answers};

/// What a failed case has to say.
type Text = Line<192>;

struct Partition {
    env: Env,
    text: Text,
    /// w2 of the next wait that follows an FFA_RUN.
    keep: u64,
    /// Waits that INVALID_PARAMETERS has ended since it was set, and the first other error's code.
    refused: [u64; 2],
    vms: News,
}

/// Runs the partition.
pub fn run(boot: &Boot) -> ! {
    let Some(subject) = Subject::at(boot.base) else {
        panic!("no partition of these boots is at {:#x}", boot.base);
    };
    let mut env = Env::new(Me::partition(subject), Start::default());
    // FFA_CONSOLE_LOG may come before FFA_VERSION, and is no use of FF-A.
    let early = env.early();
    let version = env.plain(abi::VERSION.into(), subject.version.into())[0];
    env.start = Start {
        regs: boot.regs,
        early,
    };
    crate::say!(
        "{} {:#x} up: asked for FF-A {:#x}, got {version:#x}, context {}, at {:#x}",
        subject.name,
        subject.id,
        subject.version,
        boot.regs[4],
        boot.base,
    );
    cores::others(cores::idle);
    Partition {
        env,
        text: Text::new(),
        keep: 0,
        refused: [0; 2],
        vms: News::default(),
    }
    .serve()
}

fn wait(keep: u64) -> Regs {
    let mut regs = [0; 18];
    regs[0] = abi::MSG_WAIT.into();
    regs[2] = keep;
    regs
}

impl Partition {
    fn serve(&mut self) -> ! {
        let mut regs = wait(0);
        loop {
            call::call(Conduit::Smc, &mut regs);
            regs = match regs[0] as u32 {
                // The answer that one who has died would give is no answer to this.
                abi::DIRECT_REQ_32 if is_framework(&regs) => {
                    let extended = self.env.me.is_extended();
                    self.vms.told(&regs, extended)
                }
                abi::DIRECT_REQ_32 => {
                    rt::owes(regs[1]);
                    let answer = self.answer(&regs);
                    rt::owes(0);
                    answer
                }
                abi::RUN => wait(self.keep),
                abi::ERROR => {
                    let [invalid, other] = &mut self.refused;
                    if regs[2] == abi::code(INVALID_PARAMETERS) {
                        *invalid += 1;
                    } else if *other == 0 {
                        *other = regs[2];
                    }
                    self.keep = 0;
                    wait(0)
                }
                _ => wait(0),
            };
        }
    }

    fn answer(&mut self, request: &Regs) -> Regs {
        let mut response = [0; 18];
        response[0] = abi::DIRECT_RESP_32.into();
        response[1] = (request[1] >> 16 & 0xffff) | (request[1] & 0xffff) << 16;
        if let Some(command) = protocol::parse(request[3]) {
            let (status, details) = match command {
                VMS => (PASSED, self.vms.news(request[4], request[5])),
                TRIED => (PASSED, self.vms.tried),
                TRY_NOW => (PASSED, {
                    let extended = self.env.me.is_extended();
                    try_answers(request, &ANSWERS_TO_AN_ENDPOINT, extended)
                }),
                _ => self.command(command, request),
            };
            response[3] = status.into();
            response[4..8].copy_from_slice(&details);
        }
        response
    }

    fn command(&mut self, command: u16, request: &Regs) -> (u32, [u64; 4]) {
        match command {
            CASE => {
                let Some(entry) = cases::entry(request[4] as usize) else {
                    return (UNKNOWN, [0; 4]);
                };
                if !entry.fits(&self.env.me) {
                    return (UNKNOWN, [0; 4]);
                }
                let verdict = entry.run(&mut self.env);
                if verdict.is_err() {
                    self.env.clean();
                }
                (self.verdict(verdict), [0; 4])
            }
            TEXT => {
                let from = request[4] as usize;
                let mut words = [0; 4];
                let bytes = self.text.bytes().get(from..).unwrap_or(&[]);
                for (word, bytes) in words.iter_mut().zip(bytes.chunks(4)) {
                    for (place, byte) in bytes.iter().enumerate() {
                        *word |= u64::from(*byte) << (8 * place);
                    }
                }
                (PASSED, words)
            }
            HOLD => {
                self.keep = request[4];
                self.refused = [0; 2];
                let verdict = self.env.hold();
                (self.verdict(verdict), [0; 4])
            }
            HELD => {
                self.keep = 0;
                let [invalid, other] = self.refused;
                (PASSED, [invalid, other, self.env.held(), 0])
            }
            PLAIN => {
                let halves = self
                    .env
                    .plain(request[4], request[5])
                    .map(|value| [value & 0xffff_ffff, value >> 32]);
                let [[a, b], [c, d]] = halves;
                (PASSED, [a, b, c, d])
            }
            _ => (UNKNOWN, [0; 4]),
        }
    }

    fn verdict(&mut self, verdict: Result<(), Wrong>) -> u32 {
        match verdict {
            Ok(()) => PASSED,
            Err(wrong) => {
                self.text = Text::new();
                // A `Line` never fails: it cuts.
                let _ = write!(self.text, "{wrong}");
                FAILED
            }
        }
    }
}
