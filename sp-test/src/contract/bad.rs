//! Calls that a partition of the matrix makes while it serves a direct request, and that must be
//! refused: the checks of FFA_RUN, direct messages, FFA_MSG_WAIT and FFA_YIELD in their order
//! (DEN0077A, "CPU cycle management", "Direct messaging", "Partition runtime models"), by version and
//! mode.
//!
//! A table only: the partition runs an entry on [`BAD`](super::protocol::BAD), by SMC and by HVC.

use super::{Kind, SUBJECTS, Subject};
use crate::abi::{self, DENIED, INVALID_PARAMETERS, NOT_SUPPORTED, ids, uuid_registers};

/// The endpoints a case is about.
#[derive(Clone, Copy, Debug)]
pub struct Who {
    /// The partition that makes the call.
    pub me: &'static Subject,
    /// Who sent the request that is being served.
    pub requester: u16,
    /// The request.
    pub kind: Kind,
}

impl Who {
    /// Another partition, which waits and has a context for each core.
    const fn peer(&self) -> u16 {
        let [first, second, ..] = SUBJECTS;
        if self.me.id == first.id {
            second.id
        } else {
            first.id
        }
    }

    /// Another partition, which waits and has FF-A 1.2.
    const fn extended_peer(&self) -> &'static Subject {
        let [.., old, new, _, _, _, _] = &SUBJECTS;
        if self.me.id == old.id { new } else { old }
    }
}

/// One call.
#[derive(Clone, Copy)]
pub struct Case {
    /// The name in the report, after `bad/`.
    pub name: &'static str,
    /// w0.
    pub id: u32,
    /// x1-x7.
    pub arguments: fn(&Who) -> [u64; 7],
    /// The code of the FFA_ERROR that must come; `None` where the call is no mistake.
    pub expect: fn(&Who) -> Option<i32>,
}

/// x1-x7 from the first few.
fn args(first: &[u64]) -> [u64; 7] {
    let mut all = [0; 7];
    for (slot, value) in all.iter_mut().zip(first) {
        *slot = *value;
    }
    all
}

/// x1-x7 with one register set.
fn only(register: usize, value: u64) -> [u64; 7] {
    let mut all = [0; 7];
    if let Some(slot) = register.checked_sub(1).and_then(|place| all.get_mut(place)) {
        *slot = value;
    }
    all
}

fn denied(_: &Who) -> Option<i32> {
    Some(DENIED)
}

fn invalid(_: &Who) -> Option<i32> {
    Some(INVALID_PARAMETERS)
}

fn unsupported(_: &Who) -> Option<i32> {
    Some(NOT_SUPPORTED)
}

/// A 64-bit form of cycle management with this error where it exists.
fn wide(who: &Who, code: i32) -> Option<i32> {
    Some(if who.me.has_wide_cycles() {
        code
    } else {
        NOT_SUPPORTED
    })
}

fn wide_denied(who: &Who) -> Option<i32> {
    wide(who, DENIED)
}

fn wide_invalid(who: &Who) -> Option<i32> {
    wide(who, INVALID_PARAMETERS)
}

/// Only where the request that is served makes it a mistake.
fn denied_if(mistake: bool) -> Option<i32> {
    mistake.then_some(DENIED)
}

macro_rules! case {
    ($name:literal, $id:expr, $expect:expr) => {
        case!($name, $id, $expect, |_| args(&[]))
    };
    ($name:literal, $id:expr, $expect:expr, $arguments:expr) => {
        Case {
            name: $name,
            id: $id,
            arguments: $arguments,
            expect: $expect,
        }
    };
}

/// The table.
pub const CASES: &[Case] = &[
    // FFA_MSG_WAIT: reserved registers, then the runtime model.
    case!("msg_wait_w1", abi::MSG_WAIT, invalid, |_| only(1, 1)),
    case!("msg_wait_w3", abi::MSG_WAIT, invalid, |_| only(3, 1)),
    case!("msg_wait_w4", abi::MSG_WAIT, invalid, |_| only(4, 1)),
    case!("msg_wait_w5", abi::MSG_WAIT, invalid, |_| only(5, 1 << 31)),
    case!("msg_wait_w6", abi::MSG_WAIT, invalid, |_| only(6, 1)),
    case!("msg_wait_w7", abi::MSG_WAIT, invalid, |_| only(7, 1)),
    case!("msg_wait_w2_bit_1", abi::MSG_WAIT, invalid, |_| only(2, 2)),
    case!(
        "msg_wait_keep_rx",
        abi::MSG_WAIT,
        |who| Some(if who.me.is_extended() {
            DENIED
        } else {
            INVALID_PARAMETERS
        }),
        |_| only(2, 1)
    ),
    case!("msg_wait_in_request", abi::MSG_WAIT, denied),
    case!("msg_wait_64_x1", abi::MSG_WAIT_64, wide_invalid, |_| only(
        1, 1
    )),
    case!(
        "msg_wait_64_x7_upper",
        abi::MSG_WAIT_64,
        wide_invalid,
        |_| only(7, 1 << 40)
    ),
    case!("msg_wait_64_in_request", abi::MSG_WAIT_64, wide_denied),
    // FFA_YIELD.
    case!("yield_w4", abi::YIELD, invalid, |_| only(4, 1)),
    case!("yield_w5", abi::YIELD, invalid, |_| only(5, 1)),
    case!("yield_w6", abi::YIELD, invalid, |_| only(6, 1)),
    case!("yield_w7", abi::YIELD, invalid, |_| only(7, 1)),
    case!("yield_64_x4", abi::YIELD_64, wide_invalid, |_| only(4, 1)),
    case!("yield_in_request_below_1_2", abi::YIELD, |who| denied_if(
        !who.me.is_extended()
    )),
    // FFA_RUN: the target, the runtime model, the target's state.
    case!("run_unknown", abi::RUN, invalid, |_| only(1, 0x8055_0000)),
    case!("run_spmc", abi::RUN, invalid, |_| only(1, 0x8000_0000)),
    case!("run_vm", abi::RUN, invalid, |_| only(1, 0x0001_0000)),
    case!("run_self", abi::RUN, denied, |who| only(1, who.me.target())),
    case!("run_waiting", abi::RUN, denied, |who| only(
        1,
        u64::from(who.peer()) << 16
    )),
    case!("run_context_of_another_cpu", abi::RUN, invalid, |who| only(
        1,
        u64::from(who.peer()) << 16 | 1
    )),
    case!("run_context_9", abi::RUN, invalid, |who| only(
        1,
        u64::from(who.peer()) << 16 | 9
    )),
    case!("run_64_waiting", abi::RUN_64, wide_denied, |who| only(
        1,
        u64::from(who.peer()) << 16
    )),
    case!("run_64_unknown", abi::RUN_64, wide_invalid, |_| only(
        1,
        0x8055_0000
    )),
    // Responses: reserved bits, identifiers, the origin, the kind.
    case!("resp_32_w2", abi::DIRECT_RESP_32, invalid, |who| args(&[
        ids(who.me.id, who.requester),
        1
    ])),
    case!("resp_64_x2", abi::DIRECT_RESP_64, invalid, |who| args(&[
        ids(who.me.id, who.requester),
        0x100
    ])),
    case!(
        "resp_64_framework",
        abi::DIRECT_RESP_64,
        denied,
        |who| args(&[ids(who.me.id, who.requester), 0x8000_0002])
    ),
    case!("resp_64_from_peer", abi::DIRECT_RESP_64, invalid, |who| {
        args(&[ids(who.peer(), who.requester)])
    }),
    case!("resp_64_to_self", abi::DIRECT_RESP_64, invalid, |who| args(
        &[ids(who.me.id, who.me.id)]
    )),
    case!("resp_64_to_peer", abi::DIRECT_RESP_64, denied, |who| args(
        &[ids(who.me.id, who.peer())]
    )),
    case!("resp_32_to_unknown", abi::DIRECT_RESP_32, denied, |who| {
        args(&[ids(who.me.id, 0x8055)])
    }),
    case!("resp2_from_peer", abi::DIRECT_RESP2, invalid, |who| args(
        &[ids(who.peer(), who.requester)]
    )),
    case!("resp2_to_self", abi::DIRECT_RESP2, invalid, |who| args(&[
        ids(who.me.id, who.me.id)
    ])),
    case!("resp2_to_peer", abi::DIRECT_RESP2, denied, |who| args(&[
        ids(who.me.id, who.peer())
    ])),
    case!(
        "resp2_to_req_64",
        abi::DIRECT_RESP2,
        |who| denied_if(who.kind == Kind::Req64),
        |who| args(&[ids(who.me.id, who.requester)])
    ),
    case!(
        "resp_32_to_req2",
        abi::DIRECT_RESP_32,
        |who| denied_if(who.kind == Kind::Req2),
        |who| args(&[ids(who.me.id, who.requester)])
    ),
    case!(
        "resp_64_to_req2",
        abi::DIRECT_RESP_64,
        |who| denied_if(who.kind == Kind::Req2),
        |who| args(&[ids(who.me.id, who.requester)])
    ),
    case!(
        "resp_32_to_req_64_from_1_3",
        abi::DIRECT_RESP_32,
        |who| denied_if(who.kind == Kind::Req64 && who.me.version >= abi::V1_3),
        |who| args(&[ids(who.me.id, who.requester)])
    ),
    // Requests: reserved bits, identifiers, the service, versions and methods.
    case!("req_32_w2", abi::DIRECT_REQ_32, invalid, |who| args(&[
        ids(who.me.id, who.peer()),
        1
    ])),
    case!("req_64_x2", abi::DIRECT_REQ_64, invalid, |who| args(&[
        ids(who.me.id, who.peer()),
        0x100
    ])),
    case!("req_32_framework", abi::DIRECT_REQ_32, invalid, |who| args(
        &[ids(who.me.id, who.peer()), 0x8000_0000]
    )),
    case!("req_64_to_self", abi::DIRECT_REQ_64, invalid, |who| args(
        &[ids(who.me.id, who.me.id)]
    )),
    case!("req_64_to_vm", abi::DIRECT_REQ_64, invalid, |who| args(&[
        ids(who.me.id, abi::VM1)
    ])),
    case!("req_32_to_hypervisor", abi::DIRECT_REQ_32, invalid, |who| {
        args(&[ids(who.me.id, abi::HYPERVISOR)])
    }),
    case!("req_32_to_spmc", abi::DIRECT_REQ_32, invalid, |who| args(
        &[ids(who.me.id, abi::SPMC)]
    )),
    case!("req_32_to_spmd", abi::DIRECT_REQ_32, invalid, |who| args(
        &[ids(who.me.id, abi::SPMD)]
    )),
    case!(
        "req_64_to_unknown",
        abi::DIRECT_REQ_64,
        invalid,
        |who| args(&[ids(who.me.id, 0x8055)])
    ),
    case!("req_64_spoofed", abi::DIRECT_REQ_64, invalid, |who| args(
        &[ids(0x8055, who.peer())]
    )),
    case!(
        "req_64_spoofed_vm",
        abi::DIRECT_REQ_64,
        invalid,
        |who| args(&[ids(abi::VM1, who.peer())])
    ),
    case!("req2_to_self", abi::DIRECT_REQ2, invalid, |who| args(&[
        ids(who.me.id, who.me.id)
    ])),
    case!("req2_to_vm", abi::DIRECT_REQ2, invalid, |who| args(&[ids(
        who.me.id,
        abi::VM1
    )])),
    case!("req2_to_unknown", abi::DIRECT_REQ2, invalid, |who| args(&[
        ids(who.me.id, 0x8055)
    ])),
    case!("req2_spoofed", abi::DIRECT_REQ2, invalid, |who| args(&[
        ids(who.peer(), who.extended_peer().id)
    ])),
    case!("req2_unknown_uuid", abi::DIRECT_REQ2, invalid, |who| {
        let [low, high] = uuid_registers(abi::UNKNOWN_UUID);
        args(&[ids(who.me.id, who.extended_peer().id), low, high])
    }),
    case!("req2_own_uuid_at_peer", abi::DIRECT_REQ2, invalid, |who| {
        let [low, high] = uuid_registers(who.me.uuid());
        args(&[ids(who.me.id, who.extended_peer().id), low, high])
    }),
    case!("req2_to_below_1_2", abi::DIRECT_REQ2, denied, |who| args(
        &[ids(who.me.id, who.peer())]
    )),
    case!(
        "req2_from_below_1_2",
        abi::DIRECT_REQ2,
        |who| denied_if(!who.me.is_extended()),
        |who| args(&[ids(who.me.id, who.extended_peer().id)])
    ),
    case!(
        "req2_to_strict_in_32_bit_wait",
        abi::DIRECT_REQ2,
        // The client leaves sp-s12 waiting in FFA_MSG_WAIT_32.
        |who| denied_if(who.me.id != STRICT.id),
        |who| args(&[ids(who.me.id, STRICT.id)])
    ),
    // What is no call of a partition.
    case!("success", abi::SUCCESS_32, unsupported),
    case!("interrupt", abi::INTERRUPT, unsupported),
    case!("error", abi::ERROR, unsupported, |_| only(
        2,
        abi::code(abi::BUSY)
    )),
    case!("error_aborted_after_init", abi::ERROR, unsupported, |_| {
        only(2, abi::code(abi::ABORTED))
    }),
    case!("normal_world_resume", abi::NORMAL_WORLD_RESUME, unsupported),
    case!("el3_intr_handle", abi::EL3_INTR_HANDLE, unsupported),
    case!(
        "unknown_ffa_32",
        abi::UNKNOWN_FFA_32,
        unsupported,
        |_| args(&[1, 2, 3, 4, 5, 6, 7])
    ),
    case!(
        "unknown_ffa_64",
        abi::UNKNOWN_FFA_64,
        unsupported,
        |_| args(&[1, 2, 3, 4, 5, 6, 7])
    ),
];

/// The partition that `req2_to_strict_in_32_bit_wait` is about.
pub const STRICT: &Subject = &SUBJECTS[6];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_every_case_is_a_mistake_for_somebody() {
        let mut seen = std::collections::BTreeSet::new();
        for case in CASES {
            assert!(seen.insert(case.name), "{} stands twice", case.name);
            let mistake = SUBJECTS.iter().any(|me| {
                Kind::ALL.into_iter().any(|kind| {
                    let who = Who {
                        me,
                        requester: 1,
                        kind,
                    };
                    assert!(who.peer() != me.id && who.extended_peer().id != me.id);
                    assert!(who.extended_peer().is_extended());
                    (case.expect)(&who).is_some()
                })
            });
            assert!(mistake, "{}", case.name);
        }
    }
}
