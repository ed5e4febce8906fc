//! Single calls that must be refused.

use super::super::Env;
use crate::abi::{self, DENIED, INVALID_PARAMETERS, NOT_SUPPORTED, ids, uuid_registers};
use crate::client::suite::V12;

/// A call: x1-x3, and the code of its FFA_ERROR.
pub struct Call {
    /// The name in the report.
    pub name: &'static str,
    /// w0.
    pub id: u32,
    /// x1-x3.
    pub arguments: fn(&Env) -> [u64; 3],
    /// The code of the FFA_ERROR that must come.
    pub code: i32,
}

const fn call(name: &'static str, id: u32, code: i32, arguments: fn(&Env) -> [u64; 3]) -> Call {
    Call {
        name,
        id,
        arguments,
        code,
    }
}

/// x1-x3 of a `DIRECT_REQ2` to `to` for this service.
fn service(to: u16, uuid: abi::UuidWords) -> [u64; 3] {
    let [low, high] = uuid_registers(uuid);
    [ids(abi::VM1, to), low, high]
}

/// This VM's own calls.
pub const OWN: &[Call] = &[
    call(
        "req_32_forged",
        abi::DIRECT_REQ_32,
        INVALID_PARAMETERS,
        |_| [ids(3, 2), 0, 0],
    ),
    call(
        "req_64_forged",
        abi::DIRECT_REQ_64,
        INVALID_PARAMETERS,
        |_| [ids(3, 2), 0, 0],
    ),
    call("req2_forged", abi::DIRECT_REQ2, INVALID_PARAMETERS, |_| {
        [ids(3, 2), 0, 0]
    }),
    call(
        "req_64_from_hypervisor",
        abi::DIRECT_REQ_64,
        INVALID_PARAMETERS,
        |_| [ids(0, 2), 0, 0],
    ),
    call(
        "req_64_from_partition",
        abi::DIRECT_REQ_64,
        INVALID_PARAMETERS,
        |_| [ids(V12.id, 2), 0, 0],
    ),
    call(
        "req_32_to_self",
        abi::DIRECT_REQ_32,
        INVALID_PARAMETERS,
        |_| [ids(1, 1), 0, 0],
    ),
    call(
        "req_64_to_self",
        abi::DIRECT_REQ_64,
        INVALID_PARAMETERS,
        |_| [ids(1, 1), 0, 0],
    ),
    call("req2_to_self", abi::DIRECT_REQ2, INVALID_PARAMETERS, |_| {
        [ids(1, 1), 0, 0]
    }),
    call(
        "req_32_to_unknown",
        abi::DIRECT_REQ_32,
        INVALID_PARAMETERS,
        |_| [ids(1, 77), 0, 0],
    ),
    call(
        "req_64_to_unknown",
        abi::DIRECT_REQ_64,
        INVALID_PARAMETERS,
        |_| [ids(1, 77), 0, 0],
    ),
    call(
        "req2_to_unknown",
        abi::DIRECT_REQ2,
        INVALID_PARAMETERS,
        |_| [ids(1, 77), 0, 0],
    ),
    call(
        "req_64_to_hypervisor",
        abi::DIRECT_REQ_64,
        INVALID_PARAMETERS,
        |_| [ids(1, 0), 0, 0],
    ),
    call("req_32_w2", abi::DIRECT_REQ_32, INVALID_PARAMETERS, |_| {
        [ids(1, 2), 1, 0]
    }),
    call("req_64_w2", abi::DIRECT_REQ_64, INVALID_PARAMETERS, |_| {
        [ids(1, 2), 0x100, 0]
    }),
    call(
        "req_32_framework",
        abi::DIRECT_REQ_32,
        INVALID_PARAMETERS,
        |_| [ids(1, 2), 0x8000_0004, 0],
    ),
    call(
        "req2_unknown_uuid",
        abi::DIRECT_REQ2,
        INVALID_PARAMETERS,
        |_| service(2, abi::UNKNOWN_UUID),
    ),
    call(
        "req2_uuid_of_the_other",
        abi::DIRECT_REQ2,
        INVALID_PARAMETERS,
        |env| service(2, env.three.uuid()),
    ),
    call(
        "req2_half_a_uuid",
        abi::DIRECT_REQ2,
        INVALID_PARAMETERS,
        |env| {
            let [ids, low, _] = service(2, env.two.uuid());
            [ids, low, 0]
        },
    ),
    // VM 4 receives `DIRECT_REQ` alone, and sends nothing.
    call("req2_without_method", abi::DIRECT_REQ2, DENIED, |_| {
        [ids(1, 4), 0, 0]
    }),
    call("run_self", abi::RUN, INVALID_PARAMETERS, |_| {
        [1 << 16, 0, 0]
    }),
    call("run_unknown", abi::RUN, INVALID_PARAMETERS, |_| {
        [77 << 16, 0, 0]
    }),
    call("run_hypervisor", abi::RUN, INVALID_PARAMETERS, |_| {
        [0, 0, 0]
    }),
    call("run_vcpu_1_of_1", abi::RUN, INVALID_PARAMETERS, |_| {
        [2 << 16 | 1, 0, 0]
    }),
    call("run_vcpu_8", abi::RUN, INVALID_PARAMETERS, |_| {
        [3 << 16 | 8, 0, 0]
    }),
    call("run_vcpu_256", abi::RUN, INVALID_PARAMETERS, |_| {
        [3 << 16 | 256, 0, 0]
    }),
    call(
        "run_vcpu_of_another_core",
        abi::RUN,
        INVALID_PARAMETERS,
        |_| [3 << 16 | 1, 0, 0],
    ),
    call("run_64_below_1_3", abi::RUN_64, NOT_SUPPORTED, |_| {
        [2 << 16, 0, 0]
    }),
    // The cores are the primary's own.
    call("msg_wait", abi::MSG_WAIT, NOT_SUPPORTED, |_| [0; 3]),
    call("yield", abi::YIELD, NOT_SUPPORTED, |_| [0; 3]),
    call("abort", abi::ABORT, NOT_SUPPORTED, |_| [0; 3]),
    call("resp_32", abi::DIRECT_RESP_32, NOT_SUPPORTED, |_| {
        [ids(1, 2), 0, 0]
    }),
    call("resp_64", abi::DIRECT_RESP_64, NOT_SUPPORTED, |_| {
        [ids(1, 2), 0, 0]
    }),
    call("resp2", abi::DIRECT_RESP2, NOT_SUPPORTED, |_| {
        [ids(1, 2), 0, 0]
    }),
];

/// VM 2's calls, while it serves a `DIRECT_REQ_64` of ours.
pub const THEIRS: &[Call] = &[
    call("msg_wait_in_request", abi::MSG_WAIT, DENIED, |_| [0; 3]),
    call("msg_wait_w1", abi::MSG_WAIT, INVALID_PARAMETERS, |_| {
        [1, 0, 0]
    }),
    call("abort_below_1_3", abi::ABORT, NOT_SUPPORTED, |_| [0; 3]),
    call("resp_32_to_three", abi::DIRECT_RESP_32, DENIED, |_| {
        [ids(2, 3), 0, 0]
    }),
    call("resp_64_to_partition", abi::DIRECT_RESP_64, DENIED, |_| {
        [ids(2, V12.id), 0, 0]
    }),
    call(
        "resp_64_from_three",
        abi::DIRECT_RESP_64,
        INVALID_PARAMETERS,
        |_| [ids(3, 1), 0, 0],
    ),
    call(
        "resp_64_to_self",
        abi::DIRECT_RESP_64,
        INVALID_PARAMETERS,
        |_| [ids(2, 2), 0, 0],
    ),
    call(
        "resp_64_w2",
        abi::DIRECT_RESP_64,
        INVALID_PARAMETERS,
        |_| [ids(2, 1), 1, 0],
    ),
    call("resp2_to_req_64", abi::DIRECT_RESP2, DENIED, |_| {
        [ids(2, 1), 0, 0]
    }),
    call(
        "req_64_forged",
        abi::DIRECT_REQ_64,
        INVALID_PARAMETERS,
        |_| [ids(1, 3), 0, 0],
    ),
    call(
        "req_64_to_partition_forged",
        abi::DIRECT_REQ_64,
        INVALID_PARAMETERS,
        |_| [ids(1, V12.id), 0, 0],
    ),
    call(
        "req_64_to_self",
        abi::DIRECT_REQ_64,
        INVALID_PARAMETERS,
        |_| [ids(2, 2), 0, 0],
    ),
    call(
        "req_64_to_unknown",
        abi::DIRECT_REQ_64,
        INVALID_PARAMETERS,
        |_| [ids(2, 77), 0, 0],
    ),
    call("req_32_to_primary", abi::DIRECT_REQ_32, DENIED, |_| {
        [ids(2, 1), 0, 0]
    }),
    call("req_64_to_primary", abi::DIRECT_REQ_64, DENIED, |_| {
        [ids(2, 1), 0, 0]
    }),
    call("req2_to_primary", abi::DIRECT_REQ2, DENIED, |_| {
        [ids(2, 1), 0, 0]
    }),
    call("req_64_w2", abi::DIRECT_REQ_64, INVALID_PARAMETERS, |_| {
        [ids(2, 3), 1, 0]
    }),
    call(
        "req2_unknown_uuid",
        abi::DIRECT_REQ2,
        INVALID_PARAMETERS,
        |_| {
            let [_, low, high] = service(3, abi::UNKNOWN_UUID);
            [ids(2, 3), low, high]
        },
    ),
    call("run_self", abi::RUN, INVALID_PARAMETERS, |_| {
        [2 << 16, 0, 0]
    }),
    call("run_unknown", abi::RUN, INVALID_PARAMETERS, |_| {
        [77 << 16, 0, 0]
    }),
    // The other VM's time is the primary's to give.
    call("run_waiting_three", abi::RUN, DENIED, |_| [3 << 16, 0, 0]),
];
