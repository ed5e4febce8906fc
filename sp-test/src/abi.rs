//! FF-A, SMCCC and PSCI numbers as these tests use them, stated independently of the firmware.
//!
//! Sources: DEN0077A (FF-A 1.0-1.3), DEN0028 (SMCCC), DEN0022 (PSCI).

/// A full set of argument or result registers, x0-x17.
pub type Regs = [u64; 18];

/// FFA_ERROR.
pub const ERROR: u32 = 0x8400_0060;
/// FFA_SUCCESS, 32-bit form.
pub const SUCCESS_32: u32 = 0x8400_0061;
/// FFA_INTERRUPT.
pub const INTERRUPT: u32 = 0x8400_0062;
/// FFA_VERSION.
pub const VERSION: u32 = 0x8400_0063;
/// FFA_FEATURES.
pub const FEATURES: u32 = 0x8400_0064;
/// FFA_ID_GET.
pub const ID_GET: u32 = 0x8400_0069;
/// FFA_MSG_POLL, a call of FF-A 1.0 that nothing here implements.
pub const MSG_POLL: u32 = 0x8400_006a;
/// FFA_MSG_WAIT.
pub const MSG_WAIT: u32 = 0x8400_006b;
/// FFA_YIELD.
pub const YIELD: u32 = 0x8400_006c;
/// FFA_RUN.
pub const RUN: u32 = 0x8400_006d;
/// FFA_MSG_SEND_DIRECT_REQ, 32-bit form.
pub const DIRECT_REQ_32: u32 = 0x8400_006f;
/// FFA_MSG_SEND_DIRECT_REQ, 64-bit form.
pub const DIRECT_REQ_64: u32 = 0xc400_006f;
/// FFA_MSG_SEND_DIRECT_RESP, 32-bit form.
pub const DIRECT_RESP_32: u32 = 0x8400_0070;
/// FFA_MSG_SEND_DIRECT_RESP, 64-bit form.
pub const DIRECT_RESP_64: u32 = 0xc400_0070;
/// FFA_SPM_ID_GET.
pub const SPM_ID_GET: u32 = 0x8400_0085;
/// FFA_CONSOLE_LOG, 32-bit form.
pub const CONSOLE_LOG_32: u32 = 0x8400_008a;
/// FFA_CONSOLE_LOG, 64-bit form.
pub const CONSOLE_LOG_64: u32 = 0xc400_008a;
/// FFA_MSG_SEND_DIRECT_REQ2 (64-bit only).
pub const DIRECT_REQ2: u32 = 0xc400_008d;
/// FFA_MSG_SEND_DIRECT_RESP2 (64-bit only).
pub const DIRECT_RESP2: u32 = 0xc400_008e;
/// FFA_SECONDARY_EP_REGISTER (64-bit form): for partitions only.
pub const SECONDARY_EP_REGISTER: u32 = 0xc400_0087;
/// FFA_MEM_PERM_GET, 32-bit form: for partitions at S-EL0 only.
pub const MEM_PERM_GET_32: u32 = 0x8400_0088;
/// FFA_MEM_PERM_GET, 64-bit form.
pub const MEM_PERM_GET_64: u32 = 0xc400_0088;
/// FFA_MEM_PERM_SET, 32-bit form.
pub const MEM_PERM_SET_32: u32 = 0x8400_0089;
/// FFA_MEM_PERM_SET, 64-bit form.
pub const MEM_PERM_SET_64: u32 = 0xc400_0089;
/// FFA_NORMAL_WORLD_RESUME: the SPMC's own call to EL3.
pub const NORMAL_WORLD_RESUME: u32 = 0x8400_007c;
/// FFA_EL3_INTR_HANDLE: the SPMC's own call to EL3.
pub const EL3_INTR_HANDLE: u32 = 0x8400_008c;
/// FFA_ABORT (FF-A 1.3), 32-bit form: for partitions only.
pub const ABORT: u32 = 0x8400_0090;
/// The last identifier of the FF-A range; no version defines it.
pub const UNKNOWN_FFA_32: u32 = 0x8400_00ef;
/// The same with bit 30.
pub const UNKNOWN_FFA_64: u32 = 0xc400_00ef;

/// PSCI_VERSION.
pub const PSCI_VERSION: u32 = 0x8400_0000;
/// PSCI CPU_OFF.
pub const PSCI_CPU_OFF: u32 = 0x8400_0002;
/// PSCI CPU_SUSPEND, 64-bit form.
pub const PSCI_CPU_SUSPEND_64: u32 = 0xc400_0001;
/// PSCI AFFINITY_INFO, 64-bit form.
pub const PSCI_AFFINITY_INFO_64: u32 = 0xc400_0004;
/// PSCI CPU_ON, 64-bit form.
pub const PSCI_CPU_ON_64: u32 = 0xc400_0003;
/// PSCI SYSTEM_OFF.
pub const PSCI_SYSTEM_OFF: u32 = 0x8400_0008;
/// PSCI SYSTEM_RESET.
pub const PSCI_SYSTEM_RESET: u32 = 0x8400_0009;
/// PSCI_FEATURES.
pub const PSCI_FEATURES: u32 = 0x8400_000a;
/// SMCCC_VERSION.
pub const SMCCC_VERSION: u32 = 0x8000_0000;
/// SMCCC_ARCH_FEATURES.
pub const SMCCC_ARCH_FEATURES: u32 = 0x8000_0001;
/// A vendor-specific identifier that nothing answers, 32-bit form.
pub const UNKNOWN_VENDOR_32: u32 = 0x8600_1234;
/// The same, 64-bit form.
pub const UNKNOWN_VENDOR_64: u32 = 0xc600_1234;

/// FFA_MSG_WAIT, 64-bit form (FF-A 1.3).
pub const MSG_WAIT_64: u32 = 0xc400_006b;
/// FFA_YIELD, 64-bit form (FF-A 1.3).
pub const YIELD_64: u32 = 0xc400_006c;
/// FFA_RUN, 64-bit form (FF-A 1.3).
pub const RUN_64: u32 = 0xc400_006d;
/// FFA_SUCCESS, 64-bit form.
pub const SUCCESS_64: u32 = 0xc400_0061;
/// FFA_RXTX_MAP, 64-bit form.
pub const RXTX_MAP_64: u32 = 0xc400_0066;
/// FFA_NOTIFICATION_BITMAP_CREATE.
pub const NOTIFICATION_BITMAP_CREATE: u32 = 0x8400_007d;
/// FFA_NOTIFICATION_BITMAP_DESTROY.
pub const NOTIFICATION_BITMAP_DESTROY: u32 = 0x8400_007e;
/// FFA_NOTIFICATION_BIND.
pub const NOTIFICATION_BIND: u32 = 0x8400_007f;
/// FFA_NOTIFICATION_UNBIND.
pub const NOTIFICATION_UNBIND: u32 = 0x8400_0080;
/// FFA_NOTIFICATION_SET.
pub const NOTIFICATION_SET: u32 = 0x8400_0081;
/// FFA_NOTIFICATION_GET.
pub const NOTIFICATION_GET: u32 = 0x8400_0082;
/// FFA_NOTIFICATION_INFO_GET, 32-bit form.
pub const NOTIFICATION_INFO_GET_32: u32 = 0x8400_0083;
/// FFA_MSG_SEND2.
pub const MSG_SEND2: u32 = 0x8400_0086;
/// FFA_NOTIFICATION_BIND2 (FF-A 1.3), the first of four whose registers no public source describes.
pub const NOTIFICATION_BIND2: u32 = 0xc400_0094;
/// FFA_NOTIFICATION_INFO_GET, 64-bit form.
pub const NOTIFICATION_INFO_GET_64: u32 = 0xc400_0083;
/// FFA_PARTITION_INFO_GET_REGS (64-bit only).
pub const PARTITION_INFO_GET_REGS: u32 = 0xc400_008b;

/// FFA_RX_RELEASE.
pub const RX_RELEASE: u32 = 0x8400_0065;
/// FFA_RXTX_MAP, 32-bit form.
pub const RXTX_MAP_32: u32 = 0x8400_0066;
/// FFA_RXTX_UNMAP.
pub const RXTX_UNMAP: u32 = 0x8400_0067;
/// FFA_PARTITION_INFO_GET.
pub const PARTITION_INFO_GET: u32 = 0x8400_0068;
/// FFA_RX_ACQUIRE.
pub const RX_ACQUIRE: u32 = 0x8400_0084;
/// FFA_ABORT, 64-bit form.
pub const ABORT_64: u32 = 0xc400_0090;

/// FFA_MEM_DONATE, 32-bit form.
pub const MEM_DONATE: u32 = 0x8400_0071;
/// FFA_MEM_LEND, 32-bit form.
pub const MEM_LEND: u32 = 0x8400_0072;
/// FFA_MEM_SHARE, 32-bit form.
pub const MEM_SHARE: u32 = 0x8400_0073;
/// FFA_MEM_RETRIEVE_REQ, 32-bit form.
pub const MEM_RETRIEVE_REQ: u32 = 0x8400_0074;
/// FFA_MEM_RETRIEVE_RESP.
pub const MEM_RETRIEVE_RESP: u32 = 0x8400_0075;
/// FFA_MEM_RELINQUISH.
pub const MEM_RELINQUISH: u32 = 0x8400_0076;
/// FFA_MEM_RECLAIM.
pub const MEM_RECLAIM: u32 = 0x8400_0077;
/// FFA_MEM_FRAG_RX.
pub const MEM_FRAG_RX: u32 = 0x8400_007a;
/// FFA_MEM_FRAG_TX.
pub const MEM_FRAG_TX: u32 = 0x8400_007b;
/// FFA_MEM_PERM_GET, 32-bit form.
pub const MEM_PERM_GET: u32 = 0x8400_0088;
/// FFA_MEM_PERM_SET, 32-bit form.
pub const MEM_PERM_SET: u32 = 0x8400_0089;
/// What makes of a 32-bit form the 64-bit one.
pub const WIDE: u32 = 1 << 30;

/// FF-A 1.0.
pub const V1_0: u32 = 0x1_0000;
/// FF-A 1.1.
pub const V1_1: u32 = 0x1_0001;
/// FF-A 1.2, the version the images negotiate that do not say otherwise.
pub const V1_2: u32 = 0x1_0002;
/// FF-A 1.3.
pub const V1_3: u32 = 0x1_0003;

/// NOT_SUPPORTED.
pub const NOT_SUPPORTED: i32 = -1;
/// INVALID_PARAMETERS.
pub const INVALID_PARAMETERS: i32 = -2;
/// NO_DATA.
pub const NO_DATA: i32 = -9;
/// NO_MEMORY.
pub const NO_MEMORY: i32 = -3;
/// BUSY.
pub const BUSY: i32 = -4;
/// DENIED.
pub const DENIED: i32 = -6;
/// RETRY.
pub const RETRY: i32 = -7;
/// ABORTED.
pub const ABORTED: i32 = -8;

/// PSCI: INVALID_PARAMETERS.
pub const PSCI_INVALID_PARAMETERS: i32 = -2;
/// PSCI: ALREADY_ON.
pub const PSCI_ALREADY_ON: i32 = -4;

/// The hypervisor of the normal world, or its OS when there is none.
pub const HYPERVISOR: u16 = 0;
/// The first VM behind the proxy.
pub const VM1: u16 = 1;
/// The SPMC.
pub const SPMC: u16 = 0x8000;
/// The partition `sp-echo`, first in the SPMC's manifest.
pub const ECHO: u16 = 0x8001;
/// The partition `sp-relay`, second in the SPMC's manifest.
pub const RELAY: u16 = 0x8002;
/// The SPMD at EL3.
pub const SPMD: u16 = 0xffff;

/// A service's UUID as the four words of `FFA_PARTITION_INFO_GET` (w1-w4), which are also the four
/// cells of a partition manifest's `uuid` property.
pub type UuidWords = [u32; 4];

/// `sp-echo`'s service.
pub const ECHO_UUID: UuidWords = [0x1e67_b5b4, 0xe14f_904a, 0x13fb_1fb8, 0xcbda_e1da];
/// `sp-relay`'s service.
pub const RELAY_UUID: UuidWords = [0x0923_58d1, 0xb947_23f0, 0x6444_7c82, 0xc88f_57f5];
/// Nobody's service.
pub const UNKNOWN_UUID: UuidWords = [0x1111_2222, 0x3333_4444, 0x5555_6666, 0x7777_8888];

/// A UUID in x2 and x3 of `FFA_MSG_SEND_DIRECT_REQ2`.
pub const fn uuid_registers(words: UuidWords) -> [u64; 2] {
    [
        words[0] as u64 | (words[1] as u64) << 32,
        words[2] as u64 | (words[3] as u64) << 32,
    ]
}

/// Sender and receiver in x1 of a direct message.
pub const fn ids(sender: u16, receiver: u16) -> u64 {
    (sender as u64) << 16 | receiver as u64
}

/// An error code in x2 of FFA_ERROR: 32 bits, upper half zero.
pub const fn code(code: i32) -> u64 {
    code as u32 as u64
}

/// The interface's name, for reports.
pub const fn name(x0: u64) -> &'static str {
    match x0 as u32 {
        ERROR => "FFA_ERROR",
        SUCCESS_32 => "FFA_SUCCESS_32",
        INTERRUPT => "FFA_INTERRUPT",
        SUCCESS_64 => "FFA_SUCCESS_64",
        VERSION => "FFA_VERSION",
        FEATURES => "FFA_FEATURES",
        RX_RELEASE => "FFA_RX_RELEASE",
        RX_ACQUIRE => "FFA_RX_ACQUIRE",
        RXTX_MAP_32 => "FFA_RXTX_MAP_32",
        RXTX_MAP_64 => "FFA_RXTX_MAP_64",
        RXTX_UNMAP => "FFA_RXTX_UNMAP",
        PARTITION_INFO_GET => "FFA_PARTITION_INFO_GET",
        PARTITION_INFO_GET_REGS => "FFA_PARTITION_INFO_GET_REGS",
        ID_GET => "FFA_ID_GET",
        MSG_WAIT => "FFA_MSG_WAIT",
        MSG_WAIT_64 => "FFA_MSG_WAIT_64",
        YIELD => "FFA_YIELD",
        YIELD_64 => "FFA_YIELD_64",
        RUN => "FFA_RUN",
        RUN_64 => "FFA_RUN_64",
        ABORT => "FFA_ABORT",
        ABORT_64 => "FFA_ABORT_64",
        DIRECT_REQ_32 => "FFA_MSG_SEND_DIRECT_REQ_32",
        DIRECT_REQ_64 => "FFA_MSG_SEND_DIRECT_REQ_64",
        DIRECT_RESP_32 => "FFA_MSG_SEND_DIRECT_RESP_32",
        DIRECT_RESP_64 => "FFA_MSG_SEND_DIRECT_RESP_64",
        SPM_ID_GET => "FFA_SPM_ID_GET",
        MEM_RETRIEVE_RESP => "FFA_MEM_RETRIEVE_RESP",
        MEM_FRAG_RX => "FFA_MEM_FRAG_RX",
        MEM_FRAG_TX => "FFA_MEM_FRAG_TX",
        DIRECT_REQ2 => "FFA_MSG_SEND_DIRECT_REQ2",
        DIRECT_RESP2 => "FFA_MSG_SEND_DIRECT_RESP2",
        _ => "other",
    }
}

/// An FF-A error code's name, for reports.
pub const fn error_name(x2: u64) -> &'static str {
    match x2 as u32 as i32 {
        NOT_SUPPORTED => "NOT_SUPPORTED",
        INVALID_PARAMETERS => "INVALID_PARAMETERS",
        NO_MEMORY => "NO_MEMORY",
        BUSY => "BUSY",
        DENIED => "DENIED",
        RETRY => "RETRY",
        ABORTED => "ABORTED",
        NO_DATA => "NO_DATA",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uuid_words_fill_x2_and_x3_from_their_lower_halves() {
        assert_eq!(
            uuid_registers([1, 2, 3, 4]),
            [0x0000_0002_0000_0001, 0x0000_0004_0000_0003]
        );
    }

    #[test]
    fn ids_put_the_sender_in_the_upper_half() {
        assert_eq!(ids(VM1, ECHO), 0x0001_8001);
        assert_eq!(code(NOT_SUPPORTED), 0xffff_ffff);
    }
}
