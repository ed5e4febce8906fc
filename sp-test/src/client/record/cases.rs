//! The cases of `client-record`, as tables.

use crate::abi::{self, ids, uuid_registers};
use crate::board::place;
use crate::protocol;

/// What x1-x7 hold behind a case's own arguments.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Zero.
    Zero,
    /// The pattern: a payload, or garbage.
    Pattern,
}
use Rest::{Pattern, Zero};

/// A case: its name, x0, x1 and up, and the rest of x1-x7. x8-x30 always hold the pattern.
pub type Case = (&'static str, u64, &'static [u64], Rest);

const fn fid(id: u32) -> u64 {
    id as u64
}

/// Garbage for the upper half of a register.
const GARBAGE: u64 = 0xfeed_face << 32;
/// Bit 16 of an identifier: no live SVE state.
const SVE_HINT: u64 = 1 << 16;
const ME: u16 = abi::HYPERVISOR;
const TO_ECHO: u64 = ids(ME, abi::ECHO);
const TO_RELAY: u64 = ids(ME, abi::RELAY);
const ECHO_0: u64 = (abi::ECHO as u64) << 16;
const UUID: [u64; 2] = uuid_registers(abi::ECHO_UUID);
const OTHER_UUID: [u64; 2] = uuid_registers(abi::UNKNOWN_UUID);

/// The cases that need nothing but the call, in their order.
pub const TABLES: [&[Case]; 7] = [
    VERSIONS,
    DISCOVERY,
    UNKNOWN,
    MESSAGES,
    SECURE_ONLY,
    SETUP,
    YIELDS,
];

/// Before any other call fixes the version.
const VERSIONS: &[Case] = &[
    ("version_1_0_first", fid(abi::VERSION), &[0x1_0000], Zero),
    ("version_1_1_then", fid(abi::VERSION), &[0x1_0001], Zero),
    ("version_1_2_then", fid(abi::VERSION), &[0x1_0002], Zero),
];

/// EL3 answers the first three itself; FFA_FEATURES is the SPMC's first call, after which its version
/// is fixed.
const DISCOVERY: &[Case] = &[
    ("id_get", fid(abi::ID_GET), &[], Zero),
    ("id_get_garbage", fid(abi::ID_GET), &[], Pattern),
    ("spm_id_get", fid(abi::SPM_ID_GET), &[], Zero),
    (
        "features_version",
        fid(abi::FEATURES),
        &[fid(abi::VERSION)],
        Zero,
    ),
    (
        "features_req2",
        fid(abi::FEATURES),
        &[fid(abi::DIRECT_REQ2)],
        Zero,
    ),
    (
        "features_unknown_function",
        fid(abi::FEATURES),
        &[fid(abi::UNKNOWN_FFA_32)],
        Zero,
    ),
    ("features_npi", fid(abi::FEATURES), &[1], Zero),
    (
        "features_unknown_feature",
        fid(abi::FEATURES),
        &[0xfe],
        Zero,
    ),
    (
        "features_garbage",
        GARBAGE | fid(abi::FEATURES),
        &[GARBAGE | fid(abi::VERSION)],
        Pattern,
    ),
    ("version_same", fid(abi::VERSION), &[0x1_0002], Zero),
    ("version_downgrade", fid(abi::VERSION), &[0x1_0001], Zero),
    ("version_1_3", fid(abi::VERSION), &[0x1_0003], Zero),
    ("version_major_0", fid(abi::VERSION), &[0x0_0002], Zero),
    ("version_major_2", fid(abi::VERSION), &[0x2_0000], Zero),
    ("version_bit_31", fid(abi::VERSION), &[0x8001_0002], Zero),
    (
        "version_garbage",
        GARBAGE | fid(abi::VERSION),
        &[GARBAGE | 0x1_0002],
        Pattern,
    ),
];

const UNKNOWN: &[Case] = &[
    ("ffa_ef_32", fid(abi::UNKNOWN_FFA_32), &[], Pattern),
    ("ffa_ef_64", fid(abi::UNKNOWN_FFA_64), &[], Pattern),
    ("ns_res_info_get", 0xc400_008f, &[], Pattern),
    ("abort_32", fid(abi::ABORT), &[], Pattern),
    ("abort_64", 0xc400_0090, &[], Pattern),
    ("ffa_91", 0x8400_0091, &[], Pattern),
    ("notification_bind2", 0xc400_0094, &[], Pattern),
    ("version_64", 0xc400_0063, &[0x1_0002], Zero),
    ("req2_32", 0x8400_008d, &[TO_ECHO], Pattern),
    ("msg_poll", fid(abi::MSG_POLL), &[], Zero),
    ("msg_send", 0x8400_006e, &[], Zero),
    ("run_64", 0xc400_006d, &[ECHO_0], Pattern),
    ("msg_wait_64", 0xc400_006b, &[], Zero),
    ("yield_64", 0xc400_006c, &[], Zero),
    ("vendor_32", fid(abi::UNKNOWN_VENDOR_32), &[], Pattern),
    ("vendor_64", fid(abi::UNKNOWN_VENDOR_64), &[], Pattern),
    ("version_yielding_call", 0x0400_0063, &[0x1_0002], Zero),
    ("psci_version", fid(abi::PSCI_VERSION), &[], Pattern),
    ("psci_unknown", 0x8400_001f, &[], Pattern),
    ("smccc_version", fid(abi::SMCCC_VERSION), &[], Pattern),
    (
        "smccc_arch_features_unknown",
        fid(abi::SMCCC_ARCH_FEATURES),
        &[0x8000_7fff],
        Pattern,
    ),
];

const MESSAGES: &[Case] = &[
    ("req_32", fid(abi::DIRECT_REQ_32), &[TO_ECHO, 0], Pattern),
    ("req_64", fid(abi::DIRECT_REQ_64), &[TO_ECHO, 0], Pattern),
    (
        "req2",
        fid(abi::DIRECT_REQ2),
        &[TO_ECHO, UUID[0], UUID[1]],
        Pattern,
    ),
    // What REQ2 left is not to be seen again behind a call of 32 bits.
    (
        "features_after_req2",
        fid(abi::FEATURES),
        &[fid(abi::VERSION)],
        Zero,
    ),
    (
        "req_32_relay",
        fid(abi::DIRECT_REQ_32),
        &[TO_RELAY, 0],
        Pattern,
    ),
    (
        "req_32_garbage",
        GARBAGE | fid(abi::DIRECT_REQ_32),
        &[GARBAGE | TO_ECHO, GARBAGE],
        Pattern,
    ),
    (
        "req2_nil_uuid",
        fid(abi::DIRECT_REQ2),
        &[TO_ECHO, 0, 0],
        Pattern,
    ),
    (
        "req2_unknown_uuid",
        fid(abi::DIRECT_REQ2),
        &[TO_ECHO, OTHER_UUID[0], OTHER_UUID[1]],
        Pattern,
    ),
    (
        "req_32_unknown_receiver",
        fid(abi::DIRECT_REQ_32),
        &[ids(ME, 0x8055), 0],
        Pattern,
    ),
    (
        "req2_unknown_receiver",
        fid(abi::DIRECT_REQ2),
        &[ids(ME, 0x8055), 0, 0],
        Pattern,
    ),
    (
        "req_32_to_spmc",
        fid(abi::DIRECT_REQ_32),
        &[ids(ME, abi::SPMC), 0],
        Pattern,
    ),
    (
        "req_32_to_spmd",
        fid(abi::DIRECT_REQ_32),
        &[ids(ME, abi::SPMD), 0],
        Pattern,
    ),
    (
        "req_32_to_vm",
        fid(abi::DIRECT_REQ_32),
        &[ids(ME, 1), 0],
        Pattern,
    ),
    (
        "req_32_as_vm",
        fid(abi::DIRECT_REQ_32),
        &[ids(1, abi::ECHO), 0],
        Pattern,
    ),
    (
        "req_32_as_partition",
        fid(abi::DIRECT_REQ_32),
        &[ids(abi::RELAY, abi::ECHO), 0],
        Pattern,
    ),
    (
        "req_64_as_partition",
        fid(abi::DIRECT_REQ_64),
        &[ids(abi::RELAY, abi::ECHO), 0],
        Pattern,
    ),
    (
        "req2_as_partition",
        fid(abi::DIRECT_REQ2),
        &[ids(abi::RELAY, abi::ECHO), 0, 0],
        Pattern,
    ),
    (
        "req_32_as_spmd_to_spmc",
        fid(abi::DIRECT_REQ_32),
        &[ids(abi::SPMD, abi::SPMC), 0x8000_0008, 0x1_0002],
        Zero,
    ),
    (
        "req_32_framework",
        fid(abi::DIRECT_REQ_32),
        &[ids(ME, abi::SPMC), 0x8000_0000, 0x8400_0002],
        Zero,
    ),
    (
        "req_32_reserved_w2",
        fid(abi::DIRECT_REQ_32),
        &[TO_ECHO, 0x100],
        Pattern,
    ),
    ("run_waiting", fid(abi::RUN), &[ECHO_0], Zero),
    (
        "run_garbage",
        GARBAGE | fid(abi::RUN),
        &[GARBAGE | ECHO_0],
        Pattern,
    ),
    ("run_unknown", fid(abi::RUN), &[0x8055_0000], Zero),
    ("run_another_cpu", fid(abi::RUN), &[ECHO_0 | 1], Zero),
];

/// Not the normal world's to call, or completions that are no calls.
const SECURE_ONLY: &[Case] = &[
    ("msg_wait", fid(abi::MSG_WAIT), &[], Pattern),
    ("yield", fid(abi::YIELD), &[], Pattern),
    ("resp_32", fid(abi::DIRECT_RESP_32), &[TO_ECHO, 0], Pattern),
    ("resp_64", fid(abi::DIRECT_RESP_64), &[TO_ECHO, 0], Pattern),
    ("resp2", fid(abi::DIRECT_RESP2), &[TO_ECHO, 0, 0], Pattern),
    (
        "secondary_ep_register",
        fid(abi::SECONDARY_EP_REGISTER),
        &[],
        Pattern,
    ),
    (
        "normal_world_resume",
        fid(abi::NORMAL_WORLD_RESUME),
        &[],
        Pattern,
    ),
    ("el3_intr_handle", fid(abi::EL3_INTR_HANDLE), &[], Pattern),
    ("mem_perm_get_32", 0x8400_0088, &[], Pattern),
    ("mem_perm_set_64", 0xc400_0089, &[], Pattern),
    ("error", fid(abi::ERROR), &[0, 0xffff_ffff], Pattern),
    ("success_32", fid(abi::SUCCESS_32), &[], Pattern),
    ("success_64", 0xc400_0061, &[], Pattern),
    ("interrupt", fid(abi::INTERRUPT), &[], Pattern),
    (
        "console_log_32",
        fid(abi::CONSOLE_LOG_32),
        &[4, 0x0a21_6968],
        Zero,
    ),
    (
        "console_log_64",
        fid(abi::CONSOLE_LOG_64),
        &[4, 0x0a21_6968],
        Zero,
    ),
];

/// What passes through EL3 whatever the SPMC makes of it.
const SETUP: &[Case] = &[
    (
        "rxtx_map_32",
        0x8400_0066,
        &[place(0x4100_0000), place(0x4100_1000), 1],
        Zero,
    ),
    (
        "rxtx_map_64",
        0xc400_0066,
        &[place(0x4100_0000), place(0x4100_1000), 1],
        Zero,
    ),
    ("rxtx_unmap", 0x8400_0067, &[0], Zero),
    ("rx_release", 0x8400_0065, &[], Zero),
    ("rx_acquire", 0x8400_0084, &[], Zero),
    ("partition_info_get", 0x8400_0068, &[0, 0, 0, 0, 1], Zero),
    ("partition_info_get_regs", 0xc400_008b, &[0, 0, 0], Zero),
    ("msg_send2", 0x8400_0086, &[], Zero),
    ("mem_share_32", 0x8400_0073, &[0x50, 0x50], Zero),
    ("mem_share_64", 0xc400_0073, &[0x50, 0x50], Zero),
    ("mem_retrieve_req_64", 0xc400_0074, &[0x50, 0x50], Zero),
    ("mem_reclaim", 0x8400_0077, &[1], Zero),
    ("mem_frag_tx", 0x8400_007b, &[1, 0, 0, 16], Zero),
    ("notification_bitmap_create", 0x8400_007d, &[1, 1], Zero),
    ("notification_info_get_64", 0xc400_0083, &[], Zero),
    (
        "features_sve_hint",
        SVE_HINT | fid(abi::FEATURES),
        &[fid(abi::VERSION)],
        Zero,
    ),
    (
        "version_sve_hint",
        SVE_HINT | fid(abi::VERSION),
        &[0x1_0002],
        Zero,
    ),
    (
        "req2_sve_hint",
        SVE_HINT | fid(abi::DIRECT_REQ2),
        &[TO_ECHO, UUID[0], UUID[1]],
        Pattern,
    ),
    (
        "ffa_ef_sve_hint",
        SVE_HINT | fid(abi::UNKNOWN_FFA_32),
        &[],
        Pattern,
    ),
    (
        "vendor_32_sve_hint",
        SVE_HINT | fid(abi::UNKNOWN_VENDOR_32),
        &[],
        Pattern,
    ),
];

/// A partition that gives way once, and is run again.
const YIELDS: &[Case] = &[
    (
        "req2_yields",
        fid(abi::DIRECT_REQ2),
        &[
            TO_ECHO,
            UUID[0],
            UUID[1],
            protocol::command(protocol::YIELD),
            2,
        ],
        Zero,
    ),
    ("run_yields", fid(abi::RUN), &[ECHO_0], Zero),
    ("run_resp2", fid(abi::RUN), &[ECHO_0], Zero),
];

/// Pairs of a call that is interrupted and the one that runs the partition again: what takes
/// the partition's cycles is an interrupt of the normal world.
pub const PREEMPTED: &[Case] = &[
    (
        "req2_interrupted",
        fid(abi::DIRECT_REQ2),
        &[TO_ECHO, UUID[0], UUID[1]],
        Pattern,
    ),
    ("run_interrupted_resp2", fid(abi::RUN), &[ECHO_0], Zero),
    (
        "req_32_interrupted",
        fid(abi::DIRECT_REQ_32),
        &[TO_ECHO, 0],
        Pattern,
    ),
    ("run_interrupted_resp_32", fid(abi::RUN), &[ECHO_0], Zero),
];
