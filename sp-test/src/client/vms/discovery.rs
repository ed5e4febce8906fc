//! What VMs are told of one another, and their RX/TX buffers.

use super::{Case, Env, ask, case, good, matrix_ask};
use crate::abi::{self, DENIED, INVALID_PARAMETERS, NOT_SUPPORTED, uuid_registers};
use crate::board::place;
use crate::client::report::{Failure, Seen, Verdict, equal};
use crate::client::{plain, registers};
use crate::contract::{SUBJECTS, Subject};
use crate::vms::{info, peer};

/// Runs the chapter.
pub fn run(env: &mut Env) {
    env.each("discovery", CASES);
    for feature in FEATURES {
        env.case(format_args!("discovery/features/{}", feature.name), |env| {
            features(env, feature)
        });
    }
}

const CASES: &[Case] = &[
    case("partitions_and_vms_by_registers", by_registers),
    case("count", count),
    case("by_uuid", by_uuid),
    case("two_is_told_the_same", two_is_told),
    case("two_by_its_own_buffer", two_by_buffer),
    case("buffers_in_memory_of_others", buffers_of_others),
    case("buffers_of_two_are_no_others", buffers_of_two),
    case("version_by_vm", versions),
];

/// Descriptors of 24 bytes, as three words.
type Descriptor = [u64; 3];
/// The most there may be.
const ROOM: usize = 40;

/// Everything that FFA_PARTITION_INFO_GET_REGS tells a VM of FF-A 1.2.
fn list() -> Result<([Descriptor; ROOM], usize), Failure> {
    let mut all = [[0; 3]; ROOM];
    let mut used = 0;
    let mut arguments = [0, 0, 0];
    for _ in 0..ROOM {
        let regs = plain(abi::PARTITION_INFO_GET_REGS, &arguments);
        equal("x0", regs[0], abi::SUCCESS_64.into())?;
        let (last, current, tag) = (
            regs[2] & 0xffff,
            regs[2] >> 16 & 0xffff,
            regs[2] >> 32 & 0xffff,
        );
        equal("bytes of a descriptor", regs[2] >> 48, 24)?;
        for words in regs[3..].chunks_exact(3) {
            if used as u64 > current {
                break;
            }
            if let Some(slot) = all.get_mut(used) {
                slot.copy_from_slice(words);
                used += 1;
            }
        }
        equal("descriptors so far", used as u64, current + 1)?;
        if current >= last {
            return Ok((all, used));
        }
        arguments = [0, 0, (current + 1) | tag << 16];
    }
    Err(Failure::Value {
        what: "replies",
        got: ROOM as u64,
        want: 1,
    })
}

/// The VMs of this boot beside the client: how many vCPUs, which methods.
fn vms(env: &Env) -> [(Option<&'static Subject>, u16, u32); 3] {
    [
        (Some(env.two), 1, info::ALL_METHODS),
        (Some(env.three), 2, info::ALL_METHODS),
        (peer(4, abi::V1_2, false), 1, 1),
    ]
}

fn by_registers(env: &mut Env) -> Verdict {
    let (all, used) = list()?;
    let all = all.get(..used).unwrap_or(&[]);
    let of = |id: u16| all.iter().filter(move |words| words[0] as u16 == id);
    for (subject, vcpus, methods) in vms(env) {
        let Some(subject) = subject else { continue };
        equal("descriptors of a VM", of(subject.id).count() as u64, 1)?;
        let [low, high] = uuid_registers(subject.uuid());
        let first = info::first_word(subject, vcpus, methods, abi::V1_2);
        for words in of(subject.id) {
            equal("the first word", words[0], first)?;
            equal("UUID", words[1], low)?;
            equal("UUID's upper half", words[2], high)?;
        }
    }
    for subject in &SUBJECTS {
        equal("a partition", (of(subject.id).count() > 0).into(), 1)?;
    }
    equal(
        "of the client, which offers nothing",
        of(1).count() as u64,
        0,
    )?;
    Ok(Seen::Count("descriptors", used as u64))
}

fn count(_: &mut Env) -> Verdict {
    let (_, used) = list()?;
    let regs = plain(abi::PARTITION_INFO_GET, &[0, 0, 0, 0, 1]);
    equal("x0", regs[0], abi::SUCCESS_32.into())?;
    equal("count", regs[2], used as u64)?;
    good()
}

fn by_uuid(env: &mut Env) -> Verdict {
    for subject in [env.two, env.three] {
        let [a, b, c, d] = subject.uuid().map(u64::from);
        let regs = plain(abi::PARTITION_INFO_GET, &[a, b, c, d, 1]);
        equal("x0", regs[0], abi::SUCCESS_32.into())?;
        equal("count", regs[2], 1)?;
        let [low, high] = uuid_registers(subject.uuid());
        let regs = plain(abi::PARTITION_INFO_GET_REGS, &[low, high, 0]);
        equal("x0", regs[0], abi::SUCCESS_64.into())?;
        equal("last, and this one", regs[2] & 0xffff_ffff, 0)?;
        equal("id", regs[3] & 0xffff, subject.id.into())?;
        // It was asked for: it is not told again.
        equal("UUID", regs[4] | regs[5], 0)?;
    }
    let [a, b, c, d] = abi::UNKNOWN_UUID.map(u64::from);
    let call = registers(abi::PARTITION_INFO_GET, &[a, b, c, d, 1, 0, 0]);
    crate::client::suite::is_error(&env.suite.call(&call)?, INVALID_PARAMETERS)?;
    good()
}

fn raw(env: &mut Env, subject: &Subject, call: [u64; 4]) -> Result<[u64; 4], Failure> {
    env.suite.ask(subject, ask::RAW, call)
}

fn two_is_told(env: &mut Env) -> Verdict {
    let (_, used) = list()?;
    let get = u64::from(abi::PARTITION_INFO_GET_REGS);
    let [x0, _, x2, x3] = raw(env, env.two, [get, 0, 0, 0])?;
    equal("x0", x0, abi::SUCCESS_64.into())?;
    equal("the last one's number", x2 & 0xffff, used as u64 - 1)?;
    equal("bytes of a descriptor", x2 >> 48, 24)?;
    equal("the first is a partition's", x3 >> 15 & 1, 1)?;
    let [low, high] = uuid_registers(env.three.uuid());
    let [x0, _, _, x3] = raw(env, env.two, [get, low, high, 0])?;
    equal("x0", x0, abi::SUCCESS_64.into())?;
    let first = info::first_word(env.three, 2, info::ALL_METHODS, abi::V1_2);
    equal("the first word", x3, first)?;
    good()
}

fn success(call: [u64; 4]) -> Result<u64, Failure> {
    equal("x0", call[0], abi::SUCCESS_32.into())?;
    Ok(call[2])
}

fn error(call: [u64; 4], code: i32) -> Result<(), Failure> {
    equal("x0", call[0], abi::ERROR.into())?;
    equal("x2", call[2], abi::code(code))
}

fn two_by_buffer(env: &mut Env) -> Verdict {
    let two = env.two;
    let [tx, rx, _, _] = env.suite.ask(two, ask::BUFFERS, [0; 4])?;
    let map = u64::from(abi::RXTX_MAP_64);
    let unmap = [abi::RXTX_UNMAP.into(), 0, 0, 0];
    let get = [abi::PARTITION_INFO_GET.into(), 0, 0, 0];
    error(raw(env, two, unmap)?, INVALID_PARAMETERS)?;
    success(raw(env, two, [map, tx, rx, 1])?)?;
    error(raw(env, two, [map, tx, rx, 1])?, DENIED)?;
    let count = success(raw(env, two, get)?)?;
    let (_, used) = list()?;
    equal("count", count, used as u64)?;
    // Behind the partitions' come the VMs'; the last one is VM 4's.
    let last = rx + (count - 1) * 24;
    let [_, word, _, _] = env
        .suite
        .ask(two, ask::PROBE, [last, crate::protocol::READ, 0, 0])?;
    equal("the last one's id", word & 0xffff, 4)?;
    error(raw(env, two, get)?, abi::BUSY)?;
    success(raw(env, two, [abi::RX_RELEASE.into(), 0, 0, 0])?)?;
    error(raw(env, two, [abi::RX_RELEASE.into(), 0, 0, 0])?, DENIED)?;
    success(raw(env, two, unmap)?)?;
    good()
}

fn buffers_of_others(env: &mut Env) -> Verdict {
    let two = env.two;
    let [tx, rx, _, _] = env.suite.ask(two, ask::BUFFERS, [0; 4])?;
    let map = u64::from(abi::RXTX_MAP_64);
    for page in [
        // VM 1, VM 3, the proxy, nobody, the SPMC, a partition, the page behind its own memory.
        place(0x5000_0000),
        place(0x5200_0000),
        place(0x6000_0000),
        place(0x4000_0000),
        place(0x0e10_0000),
        place(0x0e30_0000),
        place(0x5180_0000),
        place(0x50ff_f000),
    ] {
        error(raw(env, two, [map, page, rx, 1])?, INVALID_PARAMETERS)?;
        error(raw(env, two, [map, tx, page, 1])?, INVALID_PARAMETERS)?;
    }
    // Its last page and the one behind it.
    let last = place(0x5180_0000) - 0x1000;
    error(raw(env, two, [map, last, rx, 2])?, INVALID_PARAMETERS)?;
    success(raw(env, two, [map, tx, rx, 1])?)?;
    success(raw(env, two, [abi::RXTX_UNMAP.into(), 0, 0, 0])?)?;
    good()
}

/// While VM 2 has buffers, the others can't have them, and have their own.
fn buffers_of_two(env: &mut Env) -> Verdict {
    let [two, three] = [env.two, env.three];
    let map = u64::from(abi::RXTX_MAP_64);
    let unmap = [abi::RXTX_UNMAP.into(), 0, 0, 0];
    let [tx, rx, _, _] = env.suite.ask(two, ask::BUFFERS, [0; 4])?;
    let [tx3, rx3, _, _] = env.suite.ask(three, ask::BUFFERS, [0; 4])?;
    success(raw(env, two, [map, tx, rx, 4])?)?;
    error(raw(env, three, [map, tx, rx, 1])?, INVALID_PARAMETERS)?;
    error(raw(env, three, [map, tx3, rx, 1])?, INVALID_PARAMETERS)?;
    let own = registers(abi::RXTX_MAP_64, &[tx, rx, 1, 0, 0, 0, 0]);
    crate::client::suite::is_error(&env.suite.call(&own)?, INVALID_PARAMETERS)?;
    success(raw(env, three, [map, tx3, rx3, 4])?)?;
    success(raw(env, two, unmap)?)?;
    success(raw(env, three, unmap)?)?;
    good()
}

/// Each VM has negotiated a version of its own.
fn versions(env: &mut Env) -> Verdict {
    for subject in [env.two, env.three] {
        let same = u64::from(subject.version);
        let [x0, ..] = raw(env, subject, [abi::VERSION.into(), same, 0, 0])?;
        equal("x0 >> 16", x0 >> 16, 1)?;
    }
    let [x0, _, id, _] = raw(env, env.three, [abi::ID_GET.into(), 0, 0, 0])?;
    equal("x0", x0, abi::SUCCESS_32.into())?;
    equal("id", id, 3)?;
    good()
}

/// A query of FFA_FEATURES, and whether the primary and VM 2 may call that.
struct Feature {
    name: &'static str,
    query: u32,
    primary: bool,
    other: bool,
}

const fn feature(name: &'static str, query: u32, primary: bool, other: bool) -> Feature {
    Feature {
        name,
        query,
        primary,
        other,
    }
}

/// For VMs of FF-A 1.2.
const FEATURES: &[Feature] = &[
    feature("run", abi::RUN, true, true),
    feature("run_64", abi::RUN_64, false, false),
    feature("msg_wait", abi::MSG_WAIT, false, true),
    feature("msg_wait_64", abi::MSG_WAIT_64, false, false),
    feature("yield", abi::YIELD, false, true),
    feature("yield_64", abi::YIELD_64, false, false),
    feature("direct_req_32", abi::DIRECT_REQ_32, true, true),
    feature("direct_req_64", abi::DIRECT_REQ_64, true, true),
    feature("direct_req2", abi::DIRECT_REQ2, true, true),
    feature("direct_resp_32", abi::DIRECT_RESP_32, false, true),
    feature("direct_resp_64", abi::DIRECT_RESP_64, false, true),
    feature("direct_resp2", abi::DIRECT_RESP2, false, true),
    feature("abort", abi::ABORT, false, false),
    feature("rxtx_map_64", abi::RXTX_MAP_64, true, true),
    feature("rx_acquire", abi::RX_ACQUIRE, false, false),
    feature("info_get_regs", abi::PARTITION_INFO_GET_REGS, true, true),
    feature("console_log_64", abi::CONSOLE_LOG_64, true, true),
];

fn features(env: &mut Env, feature: &Feature) -> Verdict {
    let judge = |[x0, x2]: [u64; 2], wanted: bool| -> Result<(), Failure> {
        match wanted {
            true => equal("x0", x0, abi::SUCCESS_32.into()),
            false => {
                equal("x0", x0, abi::ERROR.into())?;
                equal("x2", x2, abi::code(NOT_SUPPORTED))
            }
        }
    };
    let own = plain(abi::FEATURES, &[feature.query.into(), 0]);
    judge([own[0], own[2]], feature.primary)?;
    let query = [abi::FEATURES.into(), feature.query.into(), 0, 0];
    let [x0, _, x2, _] = env.suite.ask(env.two, matrix_ask::PLAIN, query)?;
    judge([x0, x2], feature.other)?;
    good()
}
