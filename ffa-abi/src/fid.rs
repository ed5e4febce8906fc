//! Function identifiers: which function of FF-A w0 names, in which form.

use crate::{smccc::SVE_HINT, version::Version};
use num_enum::{IntoPrimitive, TryFromPrimitive};

/// Bit 30 of a function identifier: the SMC64/HVC64 form.
pub const WIDE_BIT: u32 = 1 << 30;
const BASE_32: u32 = 0x8400_0000;

/// The functions of FF-A 1.0 to 1.3, by the low byte of their identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, TryFromPrimitive, IntoPrimitive)]
#[repr(u8)]
#[allow(missing_docs)] // The names are the interfaces'.
pub enum Function {
    Error = 0x60,
    Success = 0x61,
    Interrupt = 0x62,
    Version = 0x63,
    Features = 0x64,
    RxRelease = 0x65,
    RxtxMap = 0x66,
    RxtxUnmap = 0x67,
    PartitionInfoGet = 0x68,
    IdGet = 0x69,
    MsgPoll = 0x6a,
    MsgWait = 0x6b,
    Yield = 0x6c,
    Run = 0x6d,
    MsgSend = 0x6e,
    MsgSendDirectReq = 0x6f,
    MsgSendDirectResp = 0x70,
    MemDonate = 0x71,
    MemLend = 0x72,
    MemShare = 0x73,
    MemRetrieveReq = 0x74,
    MemRetrieveResp = 0x75,
    MemRelinquish = 0x76,
    MemReclaim = 0x77,
    MemOpPause = 0x78,
    MemOpResume = 0x79,
    MemFragRx = 0x7a,
    MemFragTx = 0x7b,
    NormalWorldResume = 0x7c,
    NotificationBitmapCreate = 0x7d,
    NotificationBitmapDestroy = 0x7e,
    NotificationBind = 0x7f,
    NotificationUnbind = 0x80,
    NotificationSet = 0x81,
    NotificationGet = 0x82,
    NotificationInfoGet = 0x83,
    RxAcquire = 0x84,
    SpmIdGet = 0x85,
    MsgSend2 = 0x86,
    SecondaryEpRegister = 0x87,
    MemPermGet = 0x88,
    MemPermSet = 0x89,
    ConsoleLog = 0x8a,
    PartitionInfoGetRegs = 0x8b,
    El3IntrHandle = 0x8c,
    MsgSendDirectReq2 = 0x8d,
    MsgSendDirectResp2 = 0x8e,
    NsResInfoGet = 0x8f,
    Abort = 0x90,
    NotificationBind2 = 0x94,
    NotificationUnbind2 = 0x95,
    NotificationSet2 = 0x96,
    NotificationGet2 = 0x97,
}

/// Which forms of a function exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Forms {
    Only32,
    Only64,
    Both,
}

impl Function {
    /// Every function.
    pub const ALL: [Self; 53] = [
        Self::Error,
        Self::Success,
        Self::Interrupt,
        Self::Version,
        Self::Features,
        Self::RxRelease,
        Self::RxtxMap,
        Self::RxtxUnmap,
        Self::PartitionInfoGet,
        Self::IdGet,
        Self::MsgPoll,
        Self::MsgWait,
        Self::Yield,
        Self::Run,
        Self::MsgSend,
        Self::MsgSendDirectReq,
        Self::MsgSendDirectResp,
        Self::MemDonate,
        Self::MemLend,
        Self::MemShare,
        Self::MemRetrieveReq,
        Self::MemRetrieveResp,
        Self::MemRelinquish,
        Self::MemReclaim,
        Self::MemOpPause,
        Self::MemOpResume,
        Self::MemFragRx,
        Self::MemFragTx,
        Self::NormalWorldResume,
        Self::NotificationBitmapCreate,
        Self::NotificationBitmapDestroy,
        Self::NotificationBind,
        Self::NotificationUnbind,
        Self::NotificationSet,
        Self::NotificationGet,
        Self::NotificationInfoGet,
        Self::RxAcquire,
        Self::SpmIdGet,
        Self::MsgSend2,
        Self::SecondaryEpRegister,
        Self::MemPermGet,
        Self::MemPermSet,
        Self::ConsoleLog,
        Self::PartitionInfoGetRegs,
        Self::El3IntrHandle,
        Self::MsgSendDirectReq2,
        Self::MsgSendDirectResp2,
        Self::NsResInfoGet,
        Self::Abort,
        Self::NotificationBind2,
        Self::NotificationUnbind2,
        Self::NotificationSet2,
        Self::NotificationGet2,
    ];

    const fn forms(self) -> Forms {
        use Function::*;
        match self {
            Error | Success | Interrupt | RxtxMap | MsgWait | Yield | Run | MsgSendDirectReq
            | MsgSendDirectResp | MemDonate | MemLend | MemShare | MemRetrieveReq
            | NormalWorldResume | NotificationInfoGet | SecondaryEpRegister | MemPermGet
            | MemPermSet | ConsoleLog | Abort => Forms::Both,
            PartitionInfoGetRegs | MsgSendDirectReq2 | MsgSendDirectResp2 | NsResInfoGet
            | NotificationBind2 | NotificationUnbind2 | NotificationSet2 | NotificationGet2 => {
                Forms::Only64
            }
            _ => Forms::Only32,
        }
    }

    /// The version of FF-A that brought this function, in its first form.
    pub const fn since(self) -> Version {
        use Function::*;
        match self {
            NotificationBitmapCreate
            | NotificationBitmapDestroy
            | NotificationBind
            | NotificationUnbind
            | NotificationSet
            | NotificationGet
            | NotificationInfoGet
            | RxAcquire
            | SpmIdGet
            | MsgSend2
            | SecondaryEpRegister
            | MemPermGet
            | MemPermSet => self::Version::V1_1,
            ConsoleLog | PartitionInfoGetRegs | El3IntrHandle | MsgSendDirectReq2
            | MsgSendDirectResp2 => self::Version::V1_2,
            NsResInfoGet | Abort | NotificationBind2 | NotificationUnbind2 | NotificationSet2
            | NotificationGet2 => self::Version::V1_3,
            _ => self::Version::V1_0,
        }
    }

    /// Whether this is one of `FFA_NOTIFICATION_*`.
    pub const fn is_notification(self) -> bool {
        use Function::*;
        matches!(
            self,
            NotificationBitmapCreate
                | NotificationBitmapDestroy
                | NotificationBind
                | NotificationUnbind
                | NotificationSet
                | NotificationGet
                | NotificationInfoGet
                | NotificationBind2
                | NotificationUnbind2
                | NotificationSet2
                | NotificationGet2
        )
    }

    /// The 32-bit identifier's raw value (whether or not that form exists).
    pub const fn raw32(self) -> u32 {
        BASE_32 | self as u32
    }

    /// The 64-bit identifier's raw value (whether or not that form exists).
    pub const fn raw64(self) -> u32 {
        BASE_32 | WIDE_BIT | self as u32
    }
}

/// A function in one of its forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fid {
    /// The function.
    pub function: Function,
    /// Whether this is the 64-bit form.
    pub wide: bool,
}

/// What w0 names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FidKind {
    /// A function of FF-A, in a form that exists.
    Ffa(Fid),
    /// In the range of FF-A, but no function of 1.0 to 1.3, or not in this form.
    UnknownFfa,
    /// Outside of the range of FF-A. The value is w0 without the SVE hint.
    Other(u32),
}

impl Fid {
    /// The 32-bit form of `function`.
    pub const fn narrow(function: Function) -> Self {
        Self {
            function,
            wide: false,
        }
    }

    /// The 64-bit form of `function`.
    pub const fn wide(function: Function) -> Self {
        Self {
            function,
            wide: true,
        }
    }

    /// The version of FF-A that brought this form: 1.3 for the 64-bit forms of cycle management,
    /// else that of the [function](Function::since).
    ///
    /// An endpoint in strict mode ([`Mode`](crate::contract::Mode)) is offered those forms whatever
    /// its version.
    pub const fn since(self) -> Version {
        use Function::*;
        match self.function {
            Error | Interrupt | MsgWait | Yield | Run | NormalWorldResume if self.wide => {
                self::Version::V1_3
            }
            function => function.since(),
        }
    }

    /// Whether the function has this form.
    pub const fn exists(self) -> bool {
        match self.function.forms() {
            Forms::Only32 => !self.wide,
            Forms::Only64 => self.wide,
            Forms::Both => true,
        }
    }

    /// The value of w0.
    pub const fn raw(self) -> u32 {
        if self.wide {
            self.function.raw64()
        } else {
            self.function.raw32()
        }
    }

    /// Reads x0. The upper half is ignored (SMCCC: the identifier is w0) and the SVE hint masked.
    ///
    /// The range of FF-A is 0x84000060 to 0x840000ef and the same with bit 30 (DEN0028).
    #[inline]
    pub fn decode(x0: u64) -> FidKind {
        let raw = x0 as u32 & !SVE_HINT;
        let number = (raw & !WIDE_BIT).wrapping_sub(BASE_32 | FIRST);
        if number > LAST - FIRST {
            return FidKind::Other(raw);
        }
        let wide = raw & WIDE_BIT != 0;
        let forms = FORMS.get(number as usize).copied().unwrap_or(0);
        let form = if wide { FORM_64 } else { FORM_32 };
        match Function::try_from(raw as u8) {
            Ok(function) if forms & form != 0 => FidKind::Ffa(Fid { function, wide }),
            _ => FidKind::UnknownFfa,
        }
    }
}

/// The range of FF-A's function numbers.
const FIRST: u32 = 0x60;
const LAST: u32 = 0xef;
const FORM_32: u8 = 1;
const FORM_64: u8 = 2;

/// The forms of each function number from [`FIRST`], 0 where there is none.
static FORMS: [u8; 0x38] = {
    let mut forms = [0; 0x38];
    let mut i = 0;
    while i < Function::ALL.len() {
        let function = Function::ALL[i];
        forms[function as usize - FIRST as usize] = match function.forms() {
            Forms::Only32 => FORM_32,
            Forms::Only64 => FORM_64,
            Forms::Both => FORM_32 | FORM_64,
        };
        i += 1;
    }
    forms
};

/// Raw identifiers of the calls whose path is compared before anything is decoded.
#[allow(missing_docs)] // The names are the interfaces'.
pub mod raw {
    use super::Function;

    pub const ERROR: u32 = Function::Error.raw32();
    pub const SUCCESS_32: u32 = Function::Success.raw32();
    pub const SUCCESS_64: u32 = Function::Success.raw64();
    pub const INTERRUPT: u32 = Function::Interrupt.raw32();
    pub const VERSION: u32 = Function::Version.raw32();
    pub const FEATURES: u32 = Function::Features.raw32();
    pub const ID_GET: u32 = Function::IdGet.raw32();
    pub const SPM_ID_GET: u32 = Function::SpmIdGet.raw32();
    pub const MSG_WAIT: u32 = Function::MsgWait.raw32();
    pub const MSG_WAIT_64: u32 = Function::MsgWait.raw64();
    pub const YIELD: u32 = Function::Yield.raw32();
    pub const RUN: u32 = Function::Run.raw32();
    pub const DIRECT_REQ_32: u32 = Function::MsgSendDirectReq.raw32();
    pub const DIRECT_REQ_64: u32 = Function::MsgSendDirectReq.raw64();
    pub const DIRECT_RESP_32: u32 = Function::MsgSendDirectResp.raw32();
    pub const DIRECT_RESP_64: u32 = Function::MsgSendDirectResp.raw64();
    pub const DIRECT_REQ2: u32 = Function::MsgSendDirectReq2.raw64();
    pub const DIRECT_RESP2: u32 = Function::MsgSendDirectResp2.raw64();
    pub const CONSOLE_LOG_64: u32 = Function::ConsoleLog.raw64();
    pub const PARTITION_INFO_GET_REGS: u32 = Function::PartitionInfoGetRegs.raw64();
    pub const NOTIFICATION_SET: u32 = Function::NotificationSet.raw32();
    pub const NORMAL_WORLD_RESUME: u32 = Function::NormalWorldResume.raw32();
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_function_round_trips_in_the_forms_it_has() {
        for low in 0..=0xffu8 {
            for wide in [false, true] {
                let raw = BASE_32 | u32::from(low) | if wide { WIDE_BIT } else { 0 };
                match Fid::decode(raw.into()) {
                    FidKind::Ffa(fid) => assert_eq!(fid.raw(), raw),
                    FidKind::UnknownFfa => assert!((0x60..=0xef).contains(&low)),
                    FidKind::Other(other) => {
                        assert_eq!(other, raw);
                        assert!(!(0x60..=0xef).contains(&low));
                    }
                }
            }
        }
    }

    #[test]
    fn versions_of_functions_and_forms() {
        for (fid, since) in [
            (Fid::narrow(Function::Run), Version::V1_0),
            (Fid::wide(Function::Run), Version::V1_3),
            (Fid::wide(Function::MsgSendDirectReq), Version::V1_0),
            (Fid::narrow(Function::NotificationGet), Version::V1_1),
            (Fid::wide(Function::NotificationGet2), Version::V1_3),
            (Fid::wide(Function::MsgSendDirectReq2), Version::V1_2),
            (Fid::wide(Function::ConsoleLog), Version::V1_2),
            (Fid::narrow(Function::Abort), Version::V1_3),
        ] {
            assert_eq!(fid.since(), since, "{fid:?}");
        }
        for function in Function::ALL {
            let named = format!("{function:?}").starts_with("Notification");
            assert_eq!(function.is_notification(), named, "{function:?}");
        }
    }

    #[test]
    fn forms_that_do_not_exist_are_unknown() {
        for raw in [
            0xc400_0063,
            0xc400_0064,
            0x8400_008d,
            0x8400_008e,
            0x8400_008b,
            0x8400_0091,
        ] {
            assert_eq!(Fid::decode(raw), FidKind::UnknownFfa, "{raw:#x}");
        }
    }

    #[test]
    fn the_list_of_functions_is_complete() {
        let known = (0..=0xffu8).filter(|low| Function::try_from(*low).is_ok());
        let listed = Function::ALL.map(|function| function as u8);
        assert!(known.eq(listed));
    }

    #[test]
    fn the_sve_hint_is_masked() {
        assert_eq!(
            Fid::decode(u64::from(raw::DIRECT_REQ2 | SVE_HINT)),
            FidKind::Ffa(Fid::wide(Function::MsgSendDirectReq2))
        );
    }

    proptest! {
        #![proptest_config(crate::property())]

        #[test]
        fn only_w0_counts(x0: u64) {
            prop_assert_eq!(Fid::decode(x0), Fid::decode(x0 & 0xffff_ffff));
        }
    }
}
