//! Calls that a partition makes while it serves a direct request, and the answer each must get.
//!
//! A table only: the partition runs an entry on [`CASE`](crate::protocol::CASE), the client names
//! it in its report. Each entry runs by SMC and by HVC. The errors are those of FF-A 1.2 for a
//! partition of version 1.2 in the runtime model for direct requests (DEN0077A, "Partition runtime
//! models").

use crate::abi::{self, DENIED, INVALID_PARAMETERS, NOT_SUPPORTED, ids, uuid_registers};
use crate::expect::{Expect, Want};

/// The endpoints a case is about.
#[derive(Clone, Copy, Debug)]
pub struct Who {
    /// The partition that runs the case.
    pub me: u16,
    /// The other partition, which is waiting.
    pub peer: u16,
    /// Who sent the request that is being served.
    pub requester: u16,
    /// The UUID of `me`'s service.
    pub my_uuid: abi::UuidWords,
    /// The UUID of `peer`'s service.
    pub peer_uuid: abi::UuidWords,
}

/// One call.
#[derive(Clone, Copy)]
pub struct SpCase {
    /// The name in the report, after `sp/`.
    pub name: &'static str,
    /// w0.
    pub id: u32,
    /// x1-x7.
    pub arguments: fn(&Who) -> [u64; 7],
    /// What must come back.
    pub expect: fn(&Who) -> Expect,
}

/// x1-x7 from the first few.
fn args(first: &[u64]) -> [u64; 7] {
    let mut all = [0; 7];
    for (slot, value) in all.iter_mut().zip(first) {
        *slot = *value;
    }
    all
}

fn refused(_: &Who) -> Expect {
    Expect::Error(&[DENIED])
}

fn invalid(_: &Who) -> Expect {
    Expect::Error(&[INVALID_PARAMETERS])
}

fn unsupported(_: &Who) -> Expect {
    Expect::Error(&[NOT_SUPPORTED])
}

fn unknown(_: &Who) -> Expect {
    Expect::Unknown
}

fn supported(_: &Who) -> Expect {
    Expect::Success {
        w2: Want::Any,
        w3: Want::Any,
    }
}

fn version(_: &Who) -> Expect {
    Expect::Version
}

fn version_refused(_: &Who) -> Expect {
    Expect::VersionRefused
}

const fn case(
    name: &'static str,
    id: u32,
    arguments: fn(&Who) -> [u64; 7],
    expect: fn(&Who) -> Expect,
) -> SpCase {
    SpCase {
        name,
        id,
        arguments,
        expect,
    }
}

/// A query of FFA_FEATURES that must succeed.
macro_rules! has {
    ($name:literal, $id:expr) => {
        case($name, abi::FEATURES, |_| args(&[$id as u64]), supported)
    };
}

/// A query of FFA_FEATURES that must be refused.
macro_rules! lacks {
    ($name:literal, $id:expr) => {
        case($name, abi::FEATURES, |_| args(&[$id as u64]), unsupported)
    };
}

/// The table.
pub const CASES: &[SpCase] = &[
    // Discovery.
    case("version_same", abi::VERSION, |_| args(&[0x1_0002]), version),
    case(
        "version_other_after_use",
        abi::VERSION,
        |_| args(&[0x1_0001]),
        version_refused,
    ),
    case(
        "version_major_2",
        abi::VERSION,
        |_| args(&[0x2_0000]),
        version_refused,
    ),
    case(
        "version_bit_31",
        abi::VERSION,
        |_| args(&[0x8001_0002]),
        version_refused,
    ),
    case(
        "id_get",
        abi::ID_GET,
        |_| args(&[]),
        |who| Expect::Success {
            w2: Want::Is(who.me.into()),
            w3: Want::Is(0),
        },
    ),
    case(
        "spm_id_get",
        abi::SPM_ID_GET,
        |_| args(&[]),
        |_| Expect::Success {
            w2: Want::Is(abi::SPMC as u64),
            w3: Want::Is(0),
        },
    ),
    has!("features_version", abi::VERSION),
    has!("features_features", abi::FEATURES),
    has!("features_id_get", abi::ID_GET),
    has!("features_spm_id_get", abi::SPM_ID_GET),
    has!("features_msg_wait", abi::MSG_WAIT),
    has!("features_run", abi::RUN),
    has!("features_direct_req_32", abi::DIRECT_REQ_32),
    has!("features_direct_req_64", abi::DIRECT_REQ_64),
    has!("features_direct_resp_32", abi::DIRECT_RESP_32),
    has!("features_direct_resp_64", abi::DIRECT_RESP_64),
    has!("features_direct_req2", abi::DIRECT_REQ2),
    has!("features_direct_resp2", abi::DIRECT_RESP2),
    has!("features_console_log_32", abi::CONSOLE_LOG_32),
    has!("features_console_log_64", abi::CONSOLE_LOG_64),
    lacks!("features_unknown_ffa", abi::UNKNOWN_FFA_32),
    lacks!("features_msg_poll", abi::MSG_POLL),
    lacks!("features_version_64", 0xc400_0063u32),
    lacks!("features_not_ffa", abi::PSCI_VERSION),
    lacks!("features_feature_254", 0xfeu32),
    lacks!("features_sri", 2u32),
    // What is no call of a partition.
    case(
        "unknown_ffa_32",
        abi::UNKNOWN_FFA_32,
        |_| args(&[1, 2, 3, 4, 5, 6, 7]),
        unsupported,
    ),
    case(
        "unknown_ffa_64",
        abi::UNKNOWN_FFA_64,
        |_| args(&[1, 2, 3, 4, 5, 6, 7]),
        unsupported,
    ),
    case(
        "direct_req2_32bit_form",
        0x8400_008d,
        |_| args(&[]),
        unsupported,
    ),
    case("msg_poll", abi::MSG_POLL, |_| args(&[]), unsupported),
    case("success", abi::SUCCESS_32, |_| args(&[]), unsupported),
    case(
        "normal_world_resume",
        abi::NORMAL_WORLD_RESUME,
        |_| args(&[]),
        unsupported,
    ),
    case(
        "el3_intr_handle",
        abi::EL3_INTR_HANDLE,
        |_| args(&[]),
        unsupported,
    ),
    case("abort_below_1_3", abi::ABORT, |_| args(&[]), unsupported),
    case(
        "unknown_vendor_32",
        abi::UNKNOWN_VENDOR_32,
        |_| args(&[1, 2, 3, 4, 5, 6, 7]),
        unknown,
    ),
    case(
        "unknown_vendor_64",
        abi::UNKNOWN_VENDOR_64,
        |_| args(&[1, 2, 3, 4, 5, 6, 7]),
        unknown,
    ),
    case(
        "console_log_64_none",
        abi::CONSOLE_LOG_64,
        |_| args(&[0]),
        invalid,
    ),
    case(
        "console_log_64_129",
        abi::CONSOLE_LOG_64,
        |_| args(&[129, 0x41]),
        invalid,
    ),
    case(
        "console_log_32_none",
        abi::CONSOLE_LOG_32,
        |_| args(&[0]),
        invalid,
    ),
    case(
        "console_log_32_25",
        abi::CONSOLE_LOG_32,
        |_| args(&[25, 0x41]),
        invalid,
    ),
    // Waiting and running inside a request.
    case("msg_wait_in_request", abi::MSG_WAIT, |_| args(&[]), refused),
    case(
        "msg_wait_reserved_w1",
        abi::MSG_WAIT,
        |_| args(&[1]),
        invalid,
    ),
    case(
        "run_self",
        abi::RUN,
        |who| args(&[u64::from(who.me) << 16]),
        refused,
    ),
    case(
        "run_waiting_peer",
        abi::RUN,
        |who| args(&[u64::from(who.peer) << 16]),
        refused,
    ),
    case("run_unknown", abi::RUN, |_| args(&[0x8055_0000]), invalid),
    // Responses that are not due.
    case(
        "resp2_wrong_receiver",
        abi::DIRECT_RESP2,
        |who| args(&[ids(who.me, 0x7)]),
        refused,
    ),
    case(
        "resp2_to_peer",
        abi::DIRECT_RESP2,
        |who| args(&[ids(who.me, who.peer)]),
        refused,
    ),
    case(
        "resp2_wrong_sender",
        abi::DIRECT_RESP2,
        |who| args(&[ids(who.peer, who.requester)]),
        invalid,
    ),
    case(
        "resp2_to_self",
        abi::DIRECT_RESP2,
        |who| args(&[ids(who.me, who.me)]),
        invalid,
    ),
    case(
        "resp_32_to_req2",
        abi::DIRECT_RESP_32,
        |who| args(&[ids(who.me, who.requester)]),
        refused,
    ),
    case(
        "resp_64_to_req2",
        abi::DIRECT_RESP_64,
        |who| args(&[ids(who.me, who.requester)]),
        refused,
    ),
    case(
        "resp_32_reserved_w2",
        abi::DIRECT_RESP_32,
        |who| args(&[ids(who.me, who.requester), 0x100]),
        invalid,
    ),
    // Requests that go nowhere.
    case(
        "req_32_to_self",
        abi::DIRECT_REQ_32,
        |who| args(&[ids(who.me, who.me)]),
        invalid,
    ),
    case(
        "req_64_to_self",
        abi::DIRECT_REQ_64,
        |who| args(&[ids(who.me, who.me)]),
        invalid,
    ),
    case(
        "req2_to_self",
        abi::DIRECT_REQ2,
        |who| args(&[ids(who.me, who.me)]),
        invalid,
    ),
    case(
        "req_32_to_unknown",
        abi::DIRECT_REQ_32,
        |who| args(&[ids(who.me, 0x8055)]),
        invalid,
    ),
    case(
        "req2_to_unknown",
        abi::DIRECT_REQ2,
        |who| args(&[ids(who.me, 0x8055)]),
        invalid,
    ),
    case(
        "req_32_to_vm",
        abi::DIRECT_REQ_32,
        |who| args(&[ids(who.me, abi::VM1)]),
        invalid,
    ),
    case(
        "req2_to_vm",
        abi::DIRECT_REQ2,
        |who| args(&[ids(who.me, abi::VM1)]),
        invalid,
    ),
    case(
        "req_32_to_hypervisor",
        abi::DIRECT_REQ_32,
        |who| args(&[ids(who.me, abi::HYPERVISOR)]),
        invalid,
    ),
    case(
        "req_32_to_spmc",
        abi::DIRECT_REQ_32,
        |who| args(&[ids(who.me, abi::SPMC)]),
        invalid,
    ),
    case(
        "req_32_spoofed_sender",
        abi::DIRECT_REQ_32,
        |who| args(&[ids(0x8055, who.peer)]),
        invalid,
    ),
    case(
        "req2_spoofed_vm",
        abi::DIRECT_REQ2,
        |who| args(&[ids(abi::VM1, who.peer)]),
        invalid,
    ),
    case(
        "req_32_reserved_w2",
        abi::DIRECT_REQ_32,
        |who| args(&[ids(who.me, who.peer), 0x100]),
        invalid,
    ),
    case(
        "req_32_framework",
        abi::DIRECT_REQ_32,
        |who| args(&[ids(who.me, who.peer), 0x8000_0000]),
        invalid,
    ),
    case(
        "req2_unknown_uuid",
        abi::DIRECT_REQ2,
        |who| {
            let [low, high] = uuid_registers(abi::UNKNOWN_UUID);
            args(&[ids(who.me, who.peer), low, high])
        },
        invalid,
    ),
    case(
        "req2_own_uuid_at_peer",
        abi::DIRECT_REQ2,
        |who| {
            let [low, high] = uuid_registers(who.my_uuid);
            args(&[ids(who.me, who.peer), low, high])
        },
        invalid,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_words() {
        let mut seen = std::collections::BTreeSet::new();
        for case in CASES {
            assert!(seen.insert(case.name), "{} stands twice", case.name);
            let word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(case.name.chars().all(word), "{}", case.name);
        }
    }
}
