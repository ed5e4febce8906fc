//! `FFA_FEATURES`: every function and feature, and who is told what about it (DEN0077A, "FFA_FEATURES").

use super::Me;
use crate::abi;

/// A query.
#[derive(Clone, Copy)]
pub struct Feature {
    /// Its name in the report, after `features/`.
    pub name: &'static str,
    /// w1.
    pub query: u32,
    /// w2.
    pub input: u32,
    /// w2 of FFA_SUCCESS, and w3 in the upper half, or that it must be NOT_SUPPORTED.
    pub answer: fn(&Me) -> Option<u64>,
}

const fn feature(name: &'static str, query: u32, answer: fn(&Me) -> Option<u64>) -> Feature {
    Feature {
        name,
        query,
        input: 0,
        answer,
    }
}

fn when(condition: bool) -> Option<u64> {
    condition.then_some(0)
}

fn everybody(_: &Me) -> Option<u64> {
    Some(0)
}

fn nobody(_: &Me) -> Option<u64> {
    None
}

fn partitions(me: &Me) -> Option<u64> {
    when(me.is_partition())
}

fn wide_cycles(me: &Me) -> Option<u64> {
    when(me.has_wide_cycles())
}

fn wide_partitions(me: &Me) -> Option<u64> {
    when(me.is_partition() && me.has_wide_cycles())
}

fn hypervisor(me: &Me) -> Option<u64> {
    when(me.is_physical())
}

/// A partition with several contexts.
fn several(me: &Me) -> Option<u64> {
    when(me.subject.is_some_and(|subject| subject.contexts > 1))
}

/// Whoever gives partitions cycles: this VM is the primary, which has no such interrupt in 1.0.
fn schedules(me: &Me) -> bool {
    me.is_physical() || (me.is_vm() && me.version >= abi::V1_1)
}

/// That one asks whom to run: a call of 1.1.
fn scheduler(me: &Me) -> Option<u64> {
    when(schedules(me) && me.version >= abi::V1_1)
}

/// From 1.1 on.
fn newer(me: &Me) -> Option<u64> {
    when(me.version >= abi::V1_1)
}

/// Who receives notifications: no partition of these boots.
fn hears(me: &Me) -> Option<u64> {
    when(!me.is_partition() && me.version >= abi::V1_1)
}

/// Bitmaps are the hypervisor's to create.
fn bitmaps(me: &Me) -> Option<u64> {
    when(me.is_physical() && me.version >= abi::V1_1)
}

/// The interrupt of a VM's notifications.
fn pending(me: &Me) -> Option<u64> {
    hears(me).filter(|_| me.is_vm()).map(|_| 9)
}

/// Global notifications and those of each context, for all.
fn kinds(me: &Me) -> Option<u64> {
    when(me.version >= abi::V1_3)
}

/// The normal world's schedule receiver interrupt.
fn schedule_receiver(me: &Me) -> Option<u64> {
    schedules(me).then_some(8)
}

/// The managed exit interrupt.
fn managed_exit(me: &Me) -> Option<u64> {
    me.is_partition().then_some(4)
}

fn console(me: &Me) -> Option<u64> {
    when(!me.is_physical())
}

fn aborting(me: &Me) -> Option<u64> {
    when(me.is_partition() && me.version >= abi::V1_3)
}

fn extended(me: &Me) -> Option<u64> {
    when(me.is_extended())
}

/// A VM below 1.2 is behind a proxy that knows its version; EL3 and the SPMC tell the others.
fn request2(me: &Me) -> Option<u64> {
    when(!me.is_vm() || me.is_extended())
}

/// w3 for `FFA_MEM_RETRIEVE_REQ`: each borrower may retrieve 255 times.
const RETRIEVALS: u64 = 7 << 32;

/// Who does not say that it knows the NS bit: a partition needs it from 1.1 on. The SPMC has the
/// hypervisor's own retrieval.
fn retrieving(me: &Me) -> Option<u64> {
    match (me.is_partition(), me.is_physical()) {
        (true, _) => (me.version < abi::V1_1).then_some(1 << 2 | RETRIEVALS),
        (_, true) => Some(1 << 2 | 1 << 1 | RETRIEVALS),
        // What VMs retrieve is all of their own world.
        _ => Some(RETRIEVALS),
    }
}

/// The same of who says so.
fn retrieving_ns(me: &Me) -> Option<u64> {
    Some(match me.is_vm() {
        true => RETRIEVALS,
        false => 1 << 2 | 1 << 1 | RETRIEVALS,
    })
}

/// Which of its memory partitions have is the normal world's to ask, whether EL3 passes that on or not.
fn resources(me: &Me) -> Option<u64> {
    when(me.is_physical() && me.version >= abi::V1_3)
}

/// Pages of 4 KiB; from 1.2 on also how many there may be.
fn buffers(me: &Me) -> Option<u64> {
    Some(if me.is_extended() { 4 << 16 } else { 0 })
}

/// The table. What is not built yet is nobody's.
pub const FEATURES: &[Feature] = &[
    feature("error", abi::ERROR, everybody),
    feature("error_64", 0xc400_0060, wide_cycles),
    feature("success_32", abi::SUCCESS_32, everybody),
    feature("success_64", abi::SUCCESS_64, everybody),
    feature("interrupt", abi::INTERRUPT, everybody),
    feature("interrupt_64", 0xc400_0062, wide_cycles),
    feature("version", abi::VERSION, everybody),
    feature("version_64", 0xc400_0063, nobody),
    feature("features", abi::FEATURES, everybody),
    feature("rx_release", abi::RX_RELEASE, everybody),
    feature("rx_release_64", 0xc400_0065, nobody),
    feature("rxtx_map_32", abi::RXTX_MAP_32, nobody),
    feature("rxtx_map_64", abi::RXTX_MAP_64, buffers),
    feature("rxtx_unmap", abi::RXTX_UNMAP, everybody),
    feature("partition_info_get", abi::PARTITION_INFO_GET, everybody),
    feature("id_get", abi::ID_GET, everybody),
    feature("msg_poll", abi::MSG_POLL, nobody),
    feature("msg_wait", abi::MSG_WAIT, partitions),
    feature("msg_wait_64", abi::MSG_WAIT_64, wide_partitions),
    feature("yield", abi::YIELD, partitions),
    feature("yield_64", abi::YIELD_64, wide_partitions),
    feature("run", abi::RUN, everybody),
    feature("run_64", abi::RUN_64, wide_cycles),
    feature("msg_send", 0x8400_006e, nobody),
    feature("direct_req_32", abi::DIRECT_REQ_32, everybody),
    feature("direct_req_64", abi::DIRECT_REQ_64, everybody),
    feature("direct_resp_32", abi::DIRECT_RESP_32, partitions),
    feature("direct_resp_64", abi::DIRECT_RESP_64, partitions),
    feature("mem_donate_32", 0x8400_0071, everybody),
    feature("mem_donate_64", 0xc400_0071, everybody),
    feature("mem_lend_32", 0x8400_0072, everybody),
    feature("mem_lend_64", 0xc400_0072, everybody),
    feature("mem_share_32", 0x8400_0073, everybody),
    feature("mem_share_64", 0xc400_0073, everybody),
    feature("mem_retrieve_req_32", 0x8400_0074, retrieving),
    Feature {
        name: "mem_retrieve_req_64",
        query: 0xc400_0074,
        input: 1 << 1,
        answer: retrieving_ns,
    },
    feature("mem_retrieve_resp", 0x8400_0075, nobody),
    feature("mem_relinquish", 0x8400_0076, everybody),
    feature("mem_reclaim", 0x8400_0077, everybody),
    feature("mem_op_pause", 0x8400_0078, nobody),
    feature("mem_op_resume", 0x8400_0079, nobody),
    feature("mem_frag_rx", 0x8400_007a, everybody),
    feature("mem_frag_tx", 0x8400_007b, everybody),
    feature("normal_world_resume", abi::NORMAL_WORLD_RESUME, nobody),
    feature("notification_bitmap_create", 0x8400_007d, bitmaps),
    feature("notification_bitmap_destroy", 0x8400_007e, bitmaps),
    feature("notification_bind", 0x8400_007f, hears),
    feature("notification_unbind", 0x8400_0080, hears),
    feature("notification_set", 0x8400_0081, newer),
    feature("notification_get", 0x8400_0082, hears),
    feature("notification_info_get_32", 0x8400_0083, scheduler),
    feature(
        "notification_info_get_64",
        abi::NOTIFICATION_INFO_GET_64,
        scheduler,
    ),
    feature("rx_acquire", abi::RX_ACQUIRE, hypervisor),
    feature("spm_id_get", abi::SPM_ID_GET, everybody),
    feature("msg_send2", 0x8400_0086, newer),
    feature("secondary_ep_register_32", 0x8400_0087, several),
    feature(
        "secondary_ep_register_64",
        abi::SECONDARY_EP_REGISTER,
        several,
    ),
    feature("mem_perm_get", 0x8400_0088, nobody),
    feature("mem_perm_set", 0x8400_0089, nobody),
    feature("console_log_32", abi::CONSOLE_LOG_32, console),
    feature("console_log_64", abi::CONSOLE_LOG_64, console),
    feature(
        "partition_info_get_regs",
        abi::PARTITION_INFO_GET_REGS,
        extended,
    ),
    feature("partition_info_get_regs_32", 0x8400_008b, nobody),
    feature("el3_intr_handle", abi::EL3_INTR_HANDLE, nobody),
    feature("direct_req2", abi::DIRECT_REQ2, request2),
    feature("direct_req2_32", 0x8400_008d, nobody),
    feature("direct_resp2", abi::DIRECT_RESP2, partitions),
    feature("ns_res_info_get", 0xc400_008f, resources),
    feature("abort_32", abi::ABORT, aborting),
    feature("abort_64", abi::ABORT_64, aborting),
    feature("notification_bind2", 0xc400_0094, nobody),
    feature("notification_get2", 0xc400_0097, nobody),
    feature("unknown_32", abi::UNKNOWN_FFA_32, nobody),
    feature("unknown_64", abi::UNKNOWN_FFA_64, nobody),
    feature("with_sve_hint", abi::FEATURES | 1 << 16, nobody),
    feature("psci_version", abi::PSCI_VERSION, nobody),
    feature("smccc_version", abi::SMCCC_VERSION, nobody),
    feature("feature_0", 0, nobody),
    feature("npi", 1, pending),
    feature("sri", 2, schedule_receiver),
    feature("mei", 3, managed_exit),
    feature("notification", 4, kinds),
    feature("feature_5", 5, nobody),
    feature("feature_255", 0xff, nobody),
    feature("feature_reserved_bit_8", 0x101, nobody),
    feature("feature_reserved_bit_30", 0x4000_0002, nobody),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::SUBJECTS;

    #[test]
    fn names_and_queries_are_unique() {
        let mut names = std::collections::BTreeSet::new();
        let mut queries = std::collections::BTreeSet::new();
        for feature in FEATURES {
            assert!(names.insert(feature.name), "{} stands twice", feature.name);
            assert!(queries.insert(feature.query), "{}", feature.name);
        }
    }

    #[test]
    fn answers_differ_by_caller_and_version() {
        let answer = |name: &str, me: Me| {
            let found = FEATURES.iter().find(|feature| feature.name == name);
            (found.unwrap().answer)(&me)
        };
        assert_eq!(answer("rxtx_map_64", Me::client(true, abi::V1_1)), Some(0));
        assert_eq!(
            answer("rxtx_map_64", Me::client(true, abi::V1_2)),
            Some(0x4_0000)
        );
        assert_eq!(answer("rx_acquire", Me::client(false, abi::V1_3)), None);
        assert_eq!(answer("abort_32", Me::partition(&SUBJECTS[3])), Some(0));
        assert_eq!(answer("abort_32", Me::partition(&SUBJECTS[2])), None);
        assert_eq!(answer("msg_wait_64", Me::partition(&SUBJECTS[4])), Some(0));
    }
}
