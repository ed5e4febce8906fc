//! What a crossing says, in words: the call or its completion by FF-A's names.

use super::{Cause, Crossing, Registers};
use crate::counts::Level;
use ffa_abi::{
    Fid, Function, Version,
    error::FfaError,
    fid::FidKind,
    id::{EndpointId, Endpoints, TargetInfo},
    message::FRAMEWORK_BIT,
    smccc::{self, SVE_HINT, psci},
};
use std::{collections::HashMap, fmt::Debug};

/// Follows who is waiting for what, so that a bare number is seen as the answer it is.
#[derive(Debug, Default)]
pub struct Decoder {
    /// By CPU and level: x0 of the call by which it was left, or `None` if it made none.
    left: HashMap<(u8, &'static str), Option<u64>>,
}

impl Decoder {
    /// Describes the next crossing.
    pub fn describe(&mut self, crossing: &Crossing) -> String {
        let key = |level: Level| (crossing.cpu, super::name(level));
        match crossing.cause {
            Cause::Smc | Cause::Hvc => {
                let x0 = crossing.x[0];
                if x0 as u32 == psci::CPU_OFF {
                    // No answer comes; the next that is seen there is a start.
                    self.left.remove(&key(crossing.from.level));
                } else {
                    self.left.insert(key(crossing.from.level), Some(x0));
                }
                message(&crossing.x)
            }
            Cause::Exception => {
                self.left.insert(key(crossing.from.level), None);
                "an interrupt or a fault".to_owned()
            }
            Cause::Eret => match self.left.remove(&key(crossing.to.level)) {
                None => "starts".to_owned(),
                Some(None) => "goes on".to_owned(),
                Some(Some(call)) => answer(call, &crossing.x),
            },
        }
    }
}

/// A completion that is no interface of FF-A: what it means depends on the call.
fn answer(call: u64, x: &Registers) -> String {
    match (Fid::decode(call), Fid::decode(x[0])) {
        (FidKind::Ffa(fid), FidKind::Other(_)) if fid.function == Function::Version => {
            version(x[0])
        }
        (_, FidKind::Other(_)) if x[0] == smccc::UNKNOWN => "-1".to_owned(),
        (_, FidKind::Other(_)) => format!("{:#x}", x[0]),
        _ => message(x),
    }
}

/// A call, or a completion by an interface of FF-A.
fn message(x: &Registers) -> String {
    let hint = if x[0] as u32 & SVE_HINT != 0 && x[0] as u32 & 0xf000_0000 != 0 {
        " (SVE hint)"
    } else {
        ""
    };
    let text = match Fid::decode(x[0]) {
        FidKind::Ffa(fid) => match arguments(fid.function, x) {
            arguments if arguments.is_empty() => interface(fid),
            arguments => format!("{} {arguments}", interface(fid)),
        },
        FidKind::UnknownFfa => format!("{:#010x}, unknown to FF-A", x[0] as u32),
        FidKind::Other(raw) => other(raw),
    };
    text + hint
}

/// An interface's name as FF-A writes it, with its width where it has two.
pub fn interface(fid: Fid) -> String {
    let both = [Fid::narrow(fid.function), Fid::wide(fid.function)]
        .into_iter()
        .all(|form| Fid::decode(form.raw().into()) == FidKind::Ffa(form));
    let width = match (both, fid.wide) {
        (false, _) => "",
        (true, false) => "_32",
        (true, true) => "_64",
    };
    format!("FFA_{}{width}", capitals(&fid.function))
}

/// `MsgSendDirectReq2` as `MSG_SEND_DIRECT_REQ2`.
fn capitals(name: &impl Debug) -> String {
    let mut text = String::new();
    for letter in format!("{name:?}").chars() {
        if letter.is_ascii_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.push(letter.to_ascii_uppercase());
    }
    text
}

fn arguments(function: Function, x: &Registers) -> String {
    use Function::*;
    match function {
        MsgSendDirectReq | MsgSendDirectResp => {
            let frame = match x[2] as u32 {
                w2 if w2 & FRAMEWORK_BIT != 0 => format!(", framework message {:#x}", w2 as u8),
                _ => String::new(),
            };
            endpoints(x[1]) + &frame
        }
        MsgSendDirectReq2 | MsgSendDirectResp2 => endpoints(x[1]),
        Run | Yield | Interrupt | MsgWait if x[1] as u32 != 0 => {
            let target = TargetInfo::from_register(x[1]);
            format!("{}.{}", target.endpoint, target.context)
        }
        Error => FfaError::from_register(x[2])
            .map_or_else(|| format!("{}", x[2] as i32), |code| capitals(&code)),
        Version => version(x[1]),
        Features => match (x[1] as u32 >> 31, Fid::decode(x[1])) {
            (1, FidKind::Ffa(fid)) => interface(fid),
            (1, _) => format!("{:#010x}", x[1] as u32),
            _ => format!("feature {:#x}", x[1] as u32),
        },
        ConsoleLog => format!("{} characters", x[1] as u8),
        _ => String::new(),
    }
}

fn endpoints(x1: u64) -> String {
    let ids = Endpoints::from_register(x1);
    let text = |id: EndpointId| match id {
        EndpointId::SPMC => "SPMC".to_owned(),
        EndpointId::SPMD => "SPMD".to_owned(),
        other => other.to_string(),
    };
    format!("{} to {}", text(ids.sender), text(ids.receiver))
}

fn version(word: u64) -> String {
    match Version::from_raw(word as u32) {
        Some(version) => format!("{}.{}", version.major(), version.minor()),
        None if word as i32 == -1 => "-1".to_owned(),
        None => format!("{:#010x}", word as u32),
    }
}

fn other(raw: u32) -> String {
    let known = match raw {
        smccc::SMCCC_VERSION => "SMCCC_VERSION",
        smccc::SMCCC_ARCH_FEATURES => "SMCCC_ARCH_FEATURES",
        psci::VERSION => "PSCI_VERSION",
        psci::CPU_OFF => "CPU_OFF",
        psci::CPU_ON_32 | psci::CPU_ON_64 => "CPU_ON",
        psci::AFFINITY_INFO_32 | psci::AFFINITY_INFO_64 => "AFFINITY_INFO",
        psci::SYSTEM_OFF => "SYSTEM_OFF",
        psci::SYSTEM_RESET => "SYSTEM_RESET",
        psci::FEATURES => "PSCI_FEATURES",
        _ => return format!("{raw:#010x}"),
    };
    known.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Event, parse, tests::cross};

    const CLIENT: u64 = 0x6000_0000;
    const TF_A: u64 = 0x0e09_0000;

    fn words(lines: &[String]) -> Vec<String> {
        let mut decoder = Decoder::default();
        parse(&lines.concat(), crate::board::QEMU_VIRT.ranges)
            .unwrap()
            .iter()
            .filter_map(|event| match event {
                Event::Crossing(crossing) => Some(decoder.describe(crossing)),
                Event::Mark(_) => None,
            })
            .collect()
    }

    fn call(x: &[u64]) -> String {
        cross(0, "smc", CLIENT, TF_A, x)
    }

    fn back(x: &[u64]) -> String {
        cross(0, "eret", TF_A, CLIENT, x)
    }

    #[test]
    fn an_answer_is_read_by_its_call() {
        assert_eq!(
            words(&[
                back(&[0]),
                call(&[0x8400_0063, 0x1_0002]),
                back(&[0x1_0003]),
                call(&[0x8400_0063, 0x8001_0002]),
                back(&[0xffff_ffff]),
                call(&[0x8600_1234]),
                back(&[u64::MAX]),
                call(&[0x8400_0000]),
                back(&[0x1_0001]),
                cross(0, "exception", CLIENT, TF_A, &[0]),
                back(&[0x8400_0063]),
                call(&[0x8400_0002]),
                back(&[0x8400_0063]),
            ]),
            [
                "starts",
                "FFA_VERSION 1.2",
                "1.3",
                "FFA_VERSION 0x80010002",
                "-1",
                "0x86001234",
                "-1",
                "PSCI_VERSION",
                "0x10001",
                "an interrupt or a fault",
                "goes on",
                "CPU_OFF",
                "starts",
            ]
        );
    }

    #[test]
    fn names_and_arguments_are_those_of_the_specification() {
        for (x, text) in [
            (
                vec![0xc400_008d, 0x8001],
                "FFA_MSG_SEND_DIRECT_REQ2 0x0000 to 0x8001",
            ),
            (
                vec![0x8400_006f, 0xffff_8000, 0x8000_0008],
                "FFA_MSG_SEND_DIRECT_REQ_32 SPMD to SPMC, framework message 0x8",
            ),
            (vec![0x8400_006d, 0x8001_0002], "FFA_RUN_32 0x8001.2"),
            (
                vec![0x8400_0060, 0, 0xffff_ffff],
                "FFA_ERROR_32 NOT_SUPPORTED",
            ),
            (
                vec![0x8400_0064, 0xc400_008d],
                "FFA_FEATURES FFA_MSG_SEND_DIRECT_REQ2",
            ),
            (vec![0x8400_0064, 3], "FFA_FEATURES feature 0x3"),
            (vec![0x8401_0069], "FFA_ID_GET (SVE hint)"),
            (vec![0x8400_00ef], "0x840000ef, unknown to FF-A"),
            (vec![0xc400_0003], "CPU_ON"),
            (vec![0x8400_008c], "FFA_EL3_INTR_HANDLE"),
            (vec![0xc400_008f], "FFA_NS_RES_INFO_GET"),
        ] {
            assert_eq!(words(&[call(&x)]), [text]);
        }
    }
}
