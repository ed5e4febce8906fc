//! Function identifiers, written down once more: the ring shares no constant with what it tests.
#![allow(missing_docs)] // The names are the interfaces'.

/// Bit 16: the caller has no live SVE state.
pub const SVE_HINT: u32 = 1 << 16;
/// Bit 30: the 64-bit form.
pub const WIDE: u32 = 1 << 30;

pub const ERROR: u32 = 0x8400_0060;
pub const SUCCESS_32: u32 = 0x8400_0061;
pub const SUCCESS_64: u32 = 0xc400_0061;
pub const INTERRUPT: u32 = 0x8400_0062;
pub const VERSION: u32 = 0x8400_0063;
pub const FEATURES: u32 = 0x8400_0064;
pub const RXTX_MAP_64: u32 = 0xc400_0066;
pub const PARTITION_INFO_GET: u32 = 0x8400_0068;
pub const ID_GET: u32 = 0x8400_0069;
pub const MSG_WAIT_32: u32 = 0x8400_006b;
pub const MSG_WAIT_64: u32 = 0xc400_006b;
pub const YIELD_32: u32 = 0x8400_006c;
pub const YIELD_64: u32 = 0xc400_006c;
pub const RUN_32: u32 = 0x8400_006d;
pub const RUN_64: u32 = 0xc400_006d;
pub const REQ_32: u32 = 0x8400_006f;
pub const REQ_64: u32 = 0xc400_006f;
pub const RESP_32: u32 = 0x8400_0070;
pub const RESP_64: u32 = 0xc400_0070;
pub const MEM_DONATE: u32 = 0x8400_0071;
pub const MEM_LEND: u32 = 0x8400_0072;
pub const MEM_SHARE: u32 = 0x8400_0073;
pub const RETRIEVE_REQ: u32 = 0x8400_0074;
pub const RETRIEVE_RESP: u32 = 0x8400_0075;
pub const RELINQUISH: u32 = 0x8400_0076;
pub const RECLAIM: u32 = 0x8400_0077;
pub const FRAG_RX: u32 = 0x8400_007a;
pub const FRAG_TX: u32 = 0x8400_007b;
pub const RX_RELEASE: u32 = 0x8400_0065;
pub const NORMAL_WORLD_RESUME: u32 = 0x8400_007c;
pub const RXTX_UNMAP: u32 = 0x8400_0067;
pub const BITMAP_CREATE: u32 = 0x8400_007d;
pub const BITMAP_DESTROY: u32 = 0x8400_007e;
pub const NOTIFICATION_BIND: u32 = 0x8400_007f;
pub const NOTIFICATION_UNBIND: u32 = 0x8400_0080;
pub const NOTIFICATION_SET: u32 = 0x8400_0081;
pub const NOTIFICATION_GET: u32 = 0x8400_0082;
pub const RX_ACQUIRE: u32 = 0x8400_0084;
pub const MSG_SEND2: u32 = 0x8400_0086;
/// `FFA_NOTIFICATION_INFO_GET`.
pub const INFO_GET_32: u32 = 0x8400_0083;
pub const INFO_GET_64: u32 = 0xc400_0083;
pub const SPM_ID_GET: u32 = 0x8400_0085;
pub const CONSOLE_LOG_32: u32 = 0x8400_008a;
pub const CONSOLE_LOG_64: u32 = 0xc400_008a;
pub const INFO_GET_REGS: u32 = 0xc400_008b;
pub const REQ2: u32 = 0xc400_008d;
pub const RESP2: u32 = 0xc400_008e;
pub const ABORT_32: u32 = 0x8400_0090;

/// PSCI's CPU_OFF.
pub const CPU_OFF: u32 = 0x8400_0002;

/// w0 of a call without the hint.
pub const fn of(x0: u64) -> u32 {
    x0 as u32 & !SVE_HINT
}

/// Whether this is one of the three requests.
pub const fn is_request(fid: u32) -> bool {
    matches!(fid, REQ_32 | REQ_64 | REQ2)
}

/// Whether this is one of the three responses.
pub const fn is_response(fid: u32) -> bool {
    matches!(fid, RESP_32 | RESP_64 | RESP2)
}

/// Whether this is a 64-bit form.
pub const fn is_wide(fid: u32) -> bool {
    fid & WIDE != 0
}

/// The response that answers a request in its own width.
pub const fn response_to(request: u32) -> u32 {
    match request {
        REQ2 => RESP2,
        REQ_64 => RESP_64,
        _ => RESP_32,
    }
}

/// A name for tables.
pub fn name(fid: u32) -> String {
    let known = match fid {
        ERROR => "ERROR",
        SUCCESS_32 => "SUCCESS_32",
        SUCCESS_64 => "SUCCESS_64",
        INTERRUPT => "INTERRUPT",
        VERSION => "VERSION",
        FEATURES => "FEATURES",
        RXTX_MAP_64 => "RXTX_MAP_64",
        ID_GET => "ID_GET",
        MSG_WAIT_32 => "MSG_WAIT_32",
        MSG_WAIT_64 => "MSG_WAIT_64",
        YIELD_32 => "YIELD_32",
        YIELD_64 => "YIELD_64",
        RUN_32 => "RUN_32",
        RUN_64 => "RUN_64",
        REQ_32 => "REQ_32",
        REQ_64 => "REQ_64",
        RESP_32 => "RESP_32",
        RESP_64 => "RESP_64",
        NORMAL_WORLD_RESUME => "NORMAL_WORLD_RESUME",
        RX_RELEASE => "RX_RELEASE",
        RXTX_UNMAP => "RXTX_UNMAP",
        BITMAP_CREATE => "BITMAP_CREATE",
        BITMAP_DESTROY => "BITMAP_DESTROY",
        NOTIFICATION_BIND => "NOTIFICATION_BIND",
        NOTIFICATION_UNBIND => "NOTIFICATION_UNBIND",
        NOTIFICATION_SET => "NOTIFICATION_SET",
        NOTIFICATION_GET => "NOTIFICATION_GET",
        RX_ACQUIRE => "RX_ACQUIRE",
        MSG_SEND2 => "MSG_SEND2",
        INFO_GET_32 => "INFO_GET_32",
        INFO_GET_64 => "INFO_GET_64",
        SPM_ID_GET => "SPM_ID_GET",
        CONSOLE_LOG_32 => "CONSOLE_LOG_32",
        CONSOLE_LOG_64 => "CONSOLE_LOG_64",
        INFO_GET_REGS => "GET_REGS",
        REQ2 => "REQ2",
        RESP2 => "RESP2",
        _ => return format!("{fid:#010x}"),
    };
    known.to_owned()
}
