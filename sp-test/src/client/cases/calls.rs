//! Single calls from the normal world and the answer each must get, register by register.

use crate::abi::{self, DENIED, INVALID_PARAMETERS, NOT_SUPPORTED, Regs, ids, uuid_registers};
use crate::client::{Client, registers};
use crate::expect::{Expect, Want};

/// In which mode a case makes sense.
#[derive(Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    Vm,
    Direct,
}
use When::{Always, Direct, Vm};

struct Call {
    when: When,
    name: &'static str,
    id: u32,
    arguments: fn(&Client) -> Regs,
    expect: Expect,
}

const INVALID: Expect = Expect::Error(&[INVALID_PARAMETERS]);
const UNSUPPORTED: Expect = Expect::Error(&[NOT_SUPPORTED]);
/// A completion used as a call: it must be refused, FF-A does not say with which code.
const REFUSED: Expect = Expect::Error(&[NOT_SUPPORTED, DENIED, INVALID_PARAMETERS]);
const SUPPORTED: Expect = Expect::Success {
    w2: Want::Any,
    w3: Want::Any,
};

/// x0-x17 with x1 and up; x0 is filled in by [`run`].
fn with(arguments: &[u64]) -> Regs {
    registers(0, arguments)
}

macro_rules! call {
    ($when:ident, $name:literal, $id:expr, $expect:expr) => {
        call!($when, $name, $id, $expect, |_| with(&[]))
    };
    ($when:ident, $name:literal, $id:expr, $expect:expr, $arguments:expr) => {
        Call {
            when: $when,
            name: $name,
            id: $id,
            arguments: $arguments,
            expect: $expect,
        }
    };
}

macro_rules! has {
    ($name:literal, $id:expr) => {
        call!(Always, $name, abi::FEATURES, SUPPORTED, |_| with(&[
            $id as u64
        ]))
    };
}

macro_rules! lacks {
    ($name:literal, $id:expr) => {
        call!(Always, $name, abi::FEATURES, UNSUPPORTED, |_| with(&[
            $id as u64
        ]))
    };
}

/// A direct request in each of its three forms.
macro_rules! requests {
    ($when:ident, $expect:expr, $ids:expr, $narrow:literal, $wide:literal, $two:literal) => {
        [
            call!($when, $narrow, abi::DIRECT_REQ_32, $expect, |client| with(
                &[$ids(client)]
            )),
            call!($when, $wide, abi::DIRECT_REQ_64, $expect, |client| with(&[
                $ids(client)
            ])),
            call!($when, $two, abi::DIRECT_REQ2, $expect, |client| with(&[
                $ids(client)
            ])),
        ]
    };
}

const SEVEN: [u64; 7] = [0x1111, 0x2222, 0x3333, 0x4444, 0x5555, 0x6666, 0x7777];

const DISCOVERY: &[Call] = &[
    call!(
        Always,
        "version_again",
        abi::VERSION,
        Expect::Version,
        |_| with(&[0x1_0002])
    ),
    call!(
        Always,
        "version_downgrade",
        abi::VERSION,
        Expect::VersionRefused,
        |_| with(&[0x1_0001])
    ),
    call!(
        Always,
        "version_minor_255",
        abi::VERSION,
        Expect::VersionRefused,
        |_| with(&[0x1_00ff])
    ),
    call!(
        Always,
        "version_major_2",
        abi::VERSION,
        Expect::VersionRefused,
        |_| with(&[0x2_0000])
    ),
    call!(
        Always,
        "version_major_0",
        abi::VERSION,
        Expect::VersionRefused,
        |_| with(&[0x2])
    ),
    call!(
        Always,
        "version_bit_31",
        abi::VERSION,
        Expect::VersionRefused,
        |_| with(&[0x8001_0002])
    ),
    call!(
        Vm,
        "id_get",
        abi::ID_GET,
        Expect::Success {
            w2: Want::Is(abi::VM1 as u64),
            w3: Want::Is(0),
        }
    ),
    call!(
        Direct,
        "id_get",
        abi::ID_GET,
        Expect::Success {
            w2: Want::Is(abi::HYPERVISOR as u64),
            w3: Want::Is(0),
        }
    ),
    call!(
        Always,
        "spm_id_get",
        abi::SPM_ID_GET,
        Expect::Success {
            w2: Want::Is(abi::SPMC as u64),
            w3: Want::Is(0),
        }
    ),
    has!("features/version", abi::VERSION),
    has!("features/features", abi::FEATURES),
    has!("features/id_get", abi::ID_GET),
    has!("features/spm_id_get", abi::SPM_ID_GET),
    has!("features/run", abi::RUN),
    has!("features/direct_req_32", abi::DIRECT_REQ_32),
    has!("features/direct_req_64", abi::DIRECT_REQ_64),
    has!("features/direct_req2", abi::DIRECT_REQ2),
    lacks!("features/unknown_ffa", abi::UNKNOWN_FFA_32),
    lacks!("features/msg_poll", abi::MSG_POLL),
    lacks!("features/version_64", 0xc400_0063u32),
    lacks!("features/direct_req2_32", 0x8400_008du32),
    lacks!("features/not_ffa", abi::PSCI_VERSION),
    lacks!("features/abort", abi::ABORT),
    lacks!("features/yield", abi::YIELD),
    lacks!("features/feature_254", 0xfeu32),
    lacks!("features/feature_reserved_bit", 0x102u32),
];

const UNKNOWN: &[Call] = &[
    call!(
        Vm,
        "unknown_ffa_32",
        abi::UNKNOWN_FFA_32,
        UNSUPPORTED,
        |_| with(&SEVEN)
    ),
    call!(
        Vm,
        "unknown_ffa_64",
        abi::UNKNOWN_FFA_64,
        UNSUPPORTED,
        |_| with(&SEVEN)
    ),
    call!(Vm, "unknown_ffa_0x91", 0x8400_0091, UNSUPPORTED, |_| with(
        &SEVEN
    )),
    // Above 0x8e EL3 answers for itself, and does not know FF-A.
    call!(
        Direct,
        "unknown_ffa_32",
        abi::UNKNOWN_FFA_32,
        Expect::Unknown,
        |_| with(&SEVEN)
    ),
    call!(
        Direct,
        "unknown_ffa_64",
        abi::UNKNOWN_FFA_64,
        Expect::Unknown,
        |_| with(&SEVEN)
    ),
    call!(
        Direct,
        "unknown_ffa_0x91",
        0x8400_0091,
        Expect::Unknown,
        |_| with(&SEVEN)
    ),
    call!(Always, "msg_poll", abi::MSG_POLL, UNSUPPORTED),
    call!(Always, "direct_req2_32bit_form", 0x8400_008d, UNSUPPORTED),
    call!(
        Always,
        "unknown_vendor_32",
        abi::UNKNOWN_VENDOR_32,
        Expect::Unknown,
        |_| with(&SEVEN)
    ),
    call!(
        Always,
        "unknown_vendor_64",
        abi::UNKNOWN_VENDOR_64,
        Expect::Unknown,
        |_| with(&SEVEN)
    ),
    call!(
        Always,
        "unknown_standard",
        0x8400_0fff,
        Expect::Unknown,
        |_| with(&SEVEN)
    ),
    call!(Always, "unknown_arch", 0x8000_7123, Expect::Unknown, |_| {
        with(&SEVEN)
    }),
    call!(
        Vm,
        "unknown_trusted_os",
        0xb200_0001,
        Expect::Unknown,
        |_| with(&SEVEN)
    ),
    call!(Vm, "unknown_yielding", 0x0000_1234, Expect::Unknown, |_| {
        with(&SEVEN)
    }),
    // Calls that are not the normal world's.
    call!(Always, "msg_wait_from_nwd", abi::MSG_WAIT, UNSUPPORTED),
    call!(Always, "yield_from_nwd", abi::YIELD, UNSUPPORTED),
    call!(Always, "interrupt_from_nwd", abi::INTERRUPT, REFUSED),
    call!(Always, "success_from_nwd", abi::SUCCESS_32, REFUSED),
    call!(Always, "error_from_nwd", abi::ERROR, REFUSED),
    call!(
        Always,
        "normal_world_resume_from_nwd",
        abi::NORMAL_WORLD_RESUME,
        REFUSED
    ),
    call!(
        Always,
        "el3_intr_handle_from_nwd",
        abi::EL3_INTR_HANDLE,
        UNSUPPORTED
    ),
    call!(
        Always,
        "secondary_ep_register_from_nwd",
        abi::SECONDARY_EP_REGISTER,
        UNSUPPORTED
    ),
    call!(
        Always,
        "resp_32_from_nwd",
        abi::DIRECT_RESP_32,
        REFUSED,
        |client| with(&[ids(client.me, abi::ECHO)])
    ),
    call!(
        Always,
        "resp_64_from_nwd",
        abi::DIRECT_RESP_64,
        REFUSED,
        |client| with(&[ids(client.me, abi::ECHO)])
    ),
    call!(
        Always,
        "resp2_from_nwd",
        abi::DIRECT_RESP2,
        REFUSED,
        |client| with(&[ids(client.me, abi::ECHO)])
    ),
    call!(
        Direct,
        "console_log_from_nwd",
        abi::CONSOLE_LOG_64,
        UNSUPPORTED,
        |_| with(&[1, 0x41])
    ),
    call!(
        Vm,
        "console_log_64_none",
        abi::CONSOLE_LOG_64,
        INVALID,
        |_| with(&[0])
    ),
    call!(
        Vm,
        "console_log_64_129",
        abi::CONSOLE_LOG_64,
        INVALID,
        |_| with(&[129, 0x41])
    ),
    call!(
        Vm,
        "console_log_32_25",
        abi::CONSOLE_LOG_32,
        INVALID,
        |_| with(&[25, 0x41])
    ),
];

const REQUESTS: &[[Call; 3]] = &[
    requests!(
        Vm,
        INVALID,
        |_: &Client| ids(2, abi::ECHO),
        "req_32_from_another_vm",
        "req_64_from_another_vm",
        "req2_from_another_vm"
    ),
    requests!(
        Vm,
        INVALID,
        |_: &Client| ids(abi::HYPERVISOR, abi::ECHO),
        "req_32_from_hypervisor_id",
        "req_64_from_hypervisor_id",
        "req2_from_hypervisor_id"
    ),
    requests!(
        Always,
        INVALID,
        |_: &Client| ids(abi::RELAY, abi::ECHO),
        "req_32_from_secure_id",
        "req_64_from_secure_id",
        "req2_from_secure_id"
    ),
    requests!(
        Always,
        INVALID,
        |_: &Client| ids(abi::SPMD, abi::SPMC),
        "req_32_from_spmd_id",
        "req_64_from_spmd_id",
        "req2_from_spmd_id"
    ),
    requests!(
        Always,
        INVALID,
        |client: &Client| ids(client.me, client.me),
        "req_32_to_self",
        "req_64_to_self",
        "req2_to_self"
    ),
    requests!(
        Always,
        INVALID,
        |client: &Client| ids(client.me, 0x8055),
        "req_32_to_unknown",
        "req_64_to_unknown",
        "req2_to_unknown"
    ),
    requests!(
        Always,
        INVALID,
        |client: &Client| ids(client.me, abi::SPMC),
        "req_32_to_spmc",
        "req_64_to_spmc",
        "req2_to_spmc"
    ),
    requests!(
        Always,
        REFUSED,
        |client: &Client| ids(client.me, abi::SPMD),
        "req_32_to_spmd",
        "req_64_to_spmd",
        "req2_to_spmd"
    ),
    requests!(
        Always,
        INVALID,
        |client: &Client| ids(client.me, 2),
        "req_32_to_vm",
        "req_64_to_vm",
        "req2_to_vm"
    ),
    requests!(
        Always,
        INVALID,
        |client: &Client| ids(client.me, 0xffc0),
        "req_32_to_el3_partition",
        "req_64_to_el3_partition",
        "req2_to_el3_partition"
    ),
];

/// x1-x3 of a `DIRECT_REQ2` to `to` for the service `uuid`.
fn service(client: &Client, to: u16, uuid: abi::UuidWords) -> Regs {
    let [low, high] = uuid_registers(uuid);
    with(&[ids(client.me, to), low, high])
}

const PARAMETERS: &[Call] = &[
    call!(
        Always,
        "req_32_reserved_w2",
        abi::DIRECT_REQ_32,
        INVALID,
        |client| with(&[ids(client.me, abi::ECHO), 0x100])
    ),
    call!(
        Always,
        "req_64_reserved_w2",
        abi::DIRECT_REQ_64,
        INVALID,
        |client| with(&[ids(client.me, abi::ECHO), 0x1])
    ),
    call!(
        Always,
        "req_32_framework_psci",
        abi::DIRECT_REQ_32,
        INVALID,
        |client| with(&[ids(client.me, abi::ECHO), 0x8000_0000, 0x8400_0002])
    ),
    call!(
        Always,
        "req_32_framework_unknown",
        abi::DIRECT_REQ_32,
        INVALID,
        |client| with(&[ids(client.me, abi::ECHO), 0x8000_00ff])
    ),
    call!(
        Always,
        "req2_unknown_uuid",
        abi::DIRECT_REQ2,
        INVALID,
        |client| service(client, abi::ECHO, abi::UNKNOWN_UUID)
    ),
    call!(
        Always,
        "req2_uuid_of_the_other",
        abi::DIRECT_REQ2,
        INVALID,
        |client| service(client, abi::ECHO, abi::RELAY_UUID)
    ),
    call!(
        Always,
        "req2_half_a_uuid",
        abi::DIRECT_REQ2,
        INVALID,
        |client| {
            let mut regs = service(client, abi::ECHO, abi::ECHO_UUID);
            regs[3] = 0;
            regs
        }
    ),
    call!(Always, "run_unknown", abi::RUN, INVALID, |_| with(&[
        0x8055_0000
    ])),
    call!(Always, "run_context_9", abi::RUN, INVALID, |_| with(&[
        u64::from(abi::ECHO) << 16 | 9
    ])),
    call!(
        Always,
        "run_context_of_another_cpu",
        abi::RUN,
        INVALID,
        |_| with(&[u64::from(abi::ECHO) << 16 | 1])
    ),
    call!(Always, "run_spmc", abi::RUN, REFUSED, |_| with(&[
        u64::from(abi::SPMC) << 16
    ])),
    call!(Always, "run_vm", abi::RUN, REFUSED, |_| with(&[2 << 16])),
    call!(
        Always,
        "run_waiting",
        abi::RUN,
        Expect::Completion(abi::MSG_WAIT),
        |_| with(&[u64::from(abi::ECHO) << 16])
    ),
];

/// Runs the chapter.
pub fn run(client: &mut Client) {
    for table in [DISCOVERY, UNKNOWN, PARAMETERS] {
        each(client, table);
    }
    for table in REQUESTS {
        each(client, table);
    }
    // SMCCC: the identifier is w0, whatever stands above it; and of SMC32 arguments, the lower
    // halves.
    let mut regs = with(&[0xdead_beef_0000_0000 | u64::from(abi::DIRECT_REQ2)]);
    regs[0] = 0xfeed_face_0000_0000 | u64::from(abi::FEATURES);
    client.case("upper_halves_ignored", client.expect(&regs, &SUPPORTED));
}

fn each(client: &mut Client, table: &[Call]) {
    for call in table {
        let skip = if client.direct { Vm } else { Direct };
        if call.when == skip {
            continue;
        }
        let mut regs = (call.arguments)(client);
        regs[0] = call.id.into();
        client.case(call.name, client.expect(&regs, &call.expect));
    }
}
