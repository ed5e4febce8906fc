//! The client of the discovery boots: runs the [cases](crate::discovery::cases) that fit it, has each
//! partition run those that fit that one, and adds what takes two to see.
//!
//! A case is named `discovery/<version>/<boundary>/<name>`, with `direct`, `vm` or `partition` for who
//! makes the calls; a partition stands there by its name.
#![expect(
    clippy::result_large_err,
    reason = "there is no heap, and what is large is a failure"
)]

mod vms;

use super::{Client, plain};
use crate::abi::{self, ids};
use crate::discovery::cases::{self, Env, Start};
use crate::discovery::protocol::{self, CASE, FAILED, HELD, HOLD, PASSED, PLAIN, TEXT, UNKNOWN};
use crate::discovery::smc::WORKAROUNDS;
use crate::discovery::{Me, SUBJECTS, Subject, regions};
use crate::line::Line;
use crate::rt::{self, entry::Boot};
use core::fmt::{self, Display, Write};

/// What a failed case has to say.
type Text = Line<200>;

/// How a case went.
type Verdict = Result<(), Text>;

macro_rules! text {
    ($($arg:tt)*) => {{
        let mut text = Text::new();
        // A `Line` never fails: it cuts.
        let _ = write!(text, $($arg)*);
        text
    }};
}

struct Suite {
    client: Client,
    env: Env,
}

/// The image's start.
pub fn main(name: &str, version: u32, boot: &Boot) -> ! {
    // Until FF-A is used, versions may be tried.
    let direct = crate::rt::regs::current_el() == 2;
    let mut tried = Ok(());
    let mut judge = |asked: u32, got: u64| {
        let good = match direct {
            true => (u64::from(asked)..0x2_0000).contains(&got),
            // A VM's manifest allows its version and no higher one.
            false if asked > version => got == abi::code(abi::NOT_SUPPORTED),
            false => got == version.into(),
        };
        if !good && tried.is_ok() {
            tried = Err(text!("FFA_VERSION({asked:#x}): got {got:#x}"));
        }
    };
    for other in [abi::V1_0, abi::V1_3, abi::V1_1, abi::V1_2] {
        judge(other, plain(abi::VERSION, &[other.into()])[0]);
    }
    let client = Client::start_at(name, version, boot);
    let me = Me::client(client.direct, version);
    judge(version, client.version);
    let mut suite = Suite {
        client,
        env: Env::new(me, Start::default()),
    };
    suite.report(&me, "version_tried_before_use", tried);
    suite.own(cases::entry);
    for subject in &SUBJECTS {
        suite.partition(subject);
    }
    suite.client.end()
}

/// The start of the image for the boot whose partitions have many services: FF-A 1.3.
pub fn many(name: &str, boot: &Boot) -> ! {
    let client = Client::start_at(name, abi::V1_3, boot);
    let me = Me::client(client.direct, abi::V1_3);
    let mut suite = Suite {
        client,
        env: Env::new(me, Start::default()),
    };
    suite.own(cases::many);
    suite.client.end()
}

impl Suite {
    fn report(&mut self, me: &Me, name: impl Display, verdict: Verdict) {
        self.client.count += 1;
        match verdict {
            Ok(()) => crate::say!("@case {me}/{name} pass"),
            Err(text) => {
                self.client.failures += 1;
                crate::say!("@case {me}/{name} fail {}", text.as_str());
            }
        }
    }

    /// This client's own cases.
    fn own(&mut self, entry: fn(usize) -> Option<cases::Entry>) {
        let me = self.env.me;
        for entry in (0..).map_while(entry) {
            if entry.fits(&me) {
                let verdict = entry.run(&mut self.env);
                if verdict.is_err() {
                    self.env.clean();
                }
                self.report(&me, entry, verdict.map_err(|wrong| text!("{wrong}")));
            }
        }
    }

    /// A command to a partition: the status and details of its answer.
    fn ask(
        &self,
        subject: &Subject,
        command: u16,
        arguments: [u64; 2],
    ) -> Result<(u32, [u64; 4]), Text> {
        let [first, second] = arguments;
        let regs = plain(
            abi::DIRECT_REQ_32,
            &[
                ids(self.client.me, subject.id),
                0,
                protocol::command(command),
                first,
                second,
            ],
        );
        if regs[0] != abi::DIRECT_RESP_32.into() {
            return Err(text!(
                "no answer: got {:#x} {} {:#x}, wanted FFA_MSG_SEND_DIRECT_RESP_32",
                regs[0],
                abi::name(regs[0]),
                regs[2]
            ));
        }
        if regs[3] == rt::DEAD {
            return Err(text!("the partition has died: see its last line"));
        }
        let mut details = [0; 4];
        details.copy_from_slice(&regs[4..8]);
        Ok((regs[3] as u32, details))
    }

    /// A command that passes or fails.
    fn tell(&self, subject: &Subject, command: u16, argument: u64) -> Verdict {
        match self.ask(subject, command, [argument, 0])? {
            (PASSED, _) => Ok(()),
            (FAILED, _) => Err(self.why(subject)?),
            (UNKNOWN, _) => Err(text!("the partition knows no such case")),
            (status, _) => Err(text!("status: got {status:#x}, wanted 0")),
        }
    }

    /// What a partition says about its last failure.
    fn why(&self, subject: &Subject) -> Result<Text, Text> {
        let mut text = Text::new();
        for from in (0..192).step_by(16) {
            let (_, words) = self.ask(subject, TEXT, [from, 0])?;
            for byte in words.iter().flat_map(|word| (*word as u32).to_le_bytes()) {
                if byte == 0 {
                    return Ok(text);
                }
                let _ = text.write_char(byte.into());
            }
        }
        Ok(text)
    }

    /// All cases of a partition.
    fn partition(&mut self, subject: &'static Subject) {
        let me = Me::partition(subject);
        // One that does not run, or no more, has one failure, not hundreds.
        if !self.answers(subject) {
            return;
        }
        for (number, entry) in (0..).map_while(|n| Some((n, cases::entry(n)?))) {
            if entry.fits(&me) {
                let verdict = self.tell(subject, CASE, number as u64);
                let failed = verdict.is_err();
                self.report(&me, entry, verdict);
                if failed && !self.answers(subject) {
                    return;
                }
            }
        }
        let verdict = self.waits(subject, 0, false);
        self.report(&me, "msg_wait_empties_rx", verdict);
        if me.is_extended() {
            let verdict = self.waits(subject, 1, true);
            self.report(&me, "msg_wait_keeps_rx", verdict);
        } else {
            let verdict = self.refused_wait(subject, 1);
            self.report(&me, "msg_wait_flag_below_1_2", verdict);
        }
        let verdict = self.refused_wait(subject, 2);
        self.report(&me, "msg_wait_reserved_flag", verdict);
        if self.client.direct {
            self.tell_of_vms(subject);
            let verdict = self.workarounds(subject);
            self.report(&me, "workarounds_as_el3_says", verdict);
            if subject.has_regions() {
                // SAFETY: nothing of this client is there, and the MMU is off.
                let got = unsafe { (regions::NORMAL_WORLD as *const u64).read_volatile() };
                let verdict = equal("the page in normal memory", got, regions::LEFT_BEHIND);
                self.report(&me, "region_of_normal_world_is_shared", verdict);
            }
        }
    }

    /// Whether a partition runs and answers; a failure if it does not.
    fn answers(&mut self, subject: &'static Subject) -> bool {
        // A command that it does not know.
        match self.ask(subject, 0, [0; 2]) {
            Ok(_) => true,
            Err(text) => {
                self.report(&Me::partition(subject), "answers", Err(text));
                false
            }
        }
    }

    /// RX full, then FFA_RUN, after which the partition waits with `keep`; then FFA_RX_RELEASE.
    fn wait_with(&mut self, subject: &Subject, keep: u64) -> Result<[u64; 4], Text> {
        self.tell(subject, HOLD, keep)?;
        let run = plain(abi::RUN, &[u64::from(subject.id) << 16]);
        let (_, details) = self.ask(subject, HELD, [0; 2])?;
        equal("FFA_RUN's end", run[0], abi::MSG_WAIT.into())?;
        Ok(details)
    }

    fn waits(&mut self, subject: &Subject, keep: u64, kept: bool) -> Verdict {
        let [invalid, other, release, _] = self.wait_with(subject, keep)?;
        equal("waits refused", invalid, 0)?;
        equal("another error of FFA_MSG_WAIT", other, 0)?;
        let want = if kept { 0 } else { abi::code(abi::DENIED) };
        equal("FFA_RX_RELEASE after it", release, want)
    }

    /// A wait that is refused empties nothing. The partition then waits as usual, and that does.
    fn refused_wait(&mut self, subject: &Subject, keep: u64) -> Verdict {
        let [invalid, other, release, _] = self.wait_with(subject, keep)?;
        equal("waits refused", invalid, 1)?;
        equal("another error of FFA_MSG_WAIT", other, 0)?;
        equal("FFA_RX_RELEASE after it", release, abi::code(abi::DENIED))
    }

    /// The partition is told about workarounds what the normal world is told.
    fn workarounds(&self, subject: &Subject) -> Verdict {
        for workaround in WORKAROUNDS {
            let want = plain(abi::SMCCC_ARCH_FEATURES, &[workaround])[0] & 0xffff_ffff;
            let arguments = [abi::SMCCC_ARCH_FEATURES.into(), workaround];
            let (_, [got, ..]) = self.ask(subject, PLAIN, arguments)?;
            if got != want {
                return Err(text!(
                    "SMCCC_ARCH_FEATURES({workaround:#x}): got {got:#x}, wanted {want:#x}"
                ));
            }
        }
        Ok(())
    }
}

fn equal(what: impl fmt::Display, got: u64, want: u64) -> Verdict {
    if got == want {
        Ok(())
    } else {
        Err(text!("{what}: got {got:#x}, wanted {want:#x}"))
    }
}
