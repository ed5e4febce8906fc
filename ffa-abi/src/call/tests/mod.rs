mod table;

use super::*;
use crate::{
    Regs,
    features::FeatureQuery,
    fid::{FidKind, Function, raw},
};
use proptest::prelude::*;
use table::{DEFINED, table};

const V: [Version; 4] = [Version::V1_0, Version::V1_1, Version::V1_2, Version::V1_3];

fn regs(x: &[u64]) -> Regs {
    let mut regs = Regs::ZERO;
    regs.0[..x.len()].copy_from_slice(x);
    regs
}

fn decode(x: &[u64]) -> Result<Call, DecodeError> {
    Call::decode(Version::V1_2, &regs(x))
}

fn invalid(version: Version, x: &[u64]) -> bool {
    matches!(
        Call::decode(version, &regs(x)),
        Err(DecodeError::Invalid(_))
    )
}

#[test]
fn each_call_by_the_table_in_both_directions_and_every_version() {
    for (call, x, since) in table() {
        assert_eq!(call.encode(), regs(&x), "{call:?}");
        for version in V {
            let expected = if version < since {
                Err(DecodeError::Unknown)
            } else {
                Ok(call)
            };
            assert_eq!(Call::decode(version, &regs(&x)), expected, "{version}");
        }
    }
}

#[test]
fn the_table_has_every_form_that_exists() {
    let table = table();
    for low in 0x60..=0xefu64 {
        for base in [0x8400_0000, 0xc400_0000] {
            // The 64-bit forms of these two are seen as calls, but not told from the 32-bit ones:
            // Completion tells them.
            if matches!(base | low, 0xc400_0060 | 0xc400_0062) {
                continue;
            }
            let exists = matches!(Fid::decode(base | low), FidKind::Ffa(_));
            let listed = table.iter().any(|(_, x, _)| x[0] == base | low);
            assert_eq!(exists, listed, "{:#x}", base | low);
        }
    }
}

#[test]
fn msg_wait_checks_reserved_registers_by_version_and_width() {
    let wait = u64::from(raw::MSG_WAIT);
    assert_eq!(
        decode(&[wait, 0, 1]),
        Ok(Call::MsgWait {
            wide: false,
            retain_rx: true
        })
    );
    for version in V {
        assert!(invalid(version, &[wait, 1]));
        assert!(invalid(version, &[wait, 0, 2]));
        assert!(invalid(version, &[wait, 0, 1 << 31]));
        assert_eq!(
            invalid(version, &[wait, 0, 1]),
            version < Version::V1_2,
            "{version}"
        );
    }
    for n in 3..=7 {
        let mut r = regs(&[wait]);
        r[n] = 1 << 40;
        assert!(
            Call::decode(Version::V1_2, &r).is_ok(),
            "upper half of w{n}"
        );
        r[n] = 1;
        assert!(Call::decode(Version::V1_2, &r).is_err(), "w{n}");
        r[0] = u64::from(raw::MSG_WAIT_64);
        r[n] = 1 << 40;
        assert!(Call::decode(Version::V1_2, &r).is_err(), "x{n}");
    }
}

#[test]
fn reserved_bits_that_are_refused_before_anything_else() {
    for version in [Version::V1_1, Version::V1_3] {
        for x in [
            [0x8400_006c, 0, 0, 0, 1, 0], // YIELD w4
            [0x8400_0068, 0, 0, 0, 0, 2], // PARTITION_INFO_GET w5
            [0x8400_006f, 0, 1, 0, 0, 0], // DIRECT_REQ w2
            [0xc400_0070, 0, 0x8000_0100, 0, 0, 0],
            [0x8400_007f, 0, 2, 0, 0, 0],    // BIND w2
            [0x8400_0080, 0, 1, 0, 0, 0],    // UNBIND w2
            [0x8400_0081, 0, 4, 0, 0, 0],    // SET w2
            [0x8400_0082, 0, 0x10, 0, 0, 0], // GET w2
            [0x8400_008a, 0, 0, 0, 0, 0],    // CONSOLE_LOG w1
        ] {
            assert!(invalid(version, &x), "{x:x?}");
        }
    }
    let abort = 0x8400_0090;
    for x in [
        [abort, 1, 0, 0, 0, 0],
        [abort, 0, 0, 1, 0, 0],
        [abort, 0, 0, 0, 0, 1],
    ] {
        assert!(invalid(Version::V1_3, &x));
        assert_eq!(
            Call::decode(Version::V1_2, &regs(&x)),
            Err(DecodeError::Unknown)
        );
    }
}

#[test]
fn flags_that_are_checked_later_are_kept() {
    assert_eq!(
        decode(&[0x8400_0077, 0, 0, 0xffff_ffff]),
        Ok(Call::MemReclaim {
            handle: Handle(0),
            flags: ReclaimFlags::from_bits_retain(0xffff_ffff),
        })
    );
    assert_eq!(
        decode(&[0x8400_0086, 0, 0x8000_0001]),
        Ok(Call::MsgSend2 {
            vm: EndpointId(0),
            flags: Send2Flags::from_bits_retain(0x8000_0001),
        })
    );
    assert_eq!(
        decode(&[0xc400_008f, 0x8001, 1 << 63]),
        Ok(Call::NsResInfoGet {
            endpoint: EndpointId(0x8001),
            flags: NsResFlags::from_bits_retain(1 << 63),
        })
    );
}

#[test]
fn the_number_of_pages_of_mem_perm_get_is_one_below_1_3() {
    let get = 0x8400_0088;
    for version in V {
        let pages = if version < Version::V1_3 { 1 } else { 4 };
        assert_eq!(
            Call::decode(version, &regs(&[get, 0x1000, 3])),
            Ok(Call::MemPermGet {
                wide: false,
                address: 0x1000,
                pages,
            })
        );
        let overflow = invalid(version, &[get, 0x1000, 0xffff_ffff]);
        assert_eq!(overflow, version == Version::V1_3);
    }
}

#[test]
fn console_log_counts_by_form_and_version() {
    let narrow = u64::from(Function::ConsoleLog.raw32());
    let wide = u64::from(raw::CONSOLE_LOG_64);
    for version in V {
        let most = if version < Version::V1_2 { 48 } else { 128 };
        for (fid, most) in [(narrow, 24), (wide, most)] {
            assert!(invalid(version, &[fid, 0]));
            assert!(!invalid(version, &[fid, most]));
            assert!(invalid(version, &[fid, most + 1]));
        }
        assert!(invalid(version, &[wide, 1 << 32 | 1]));
        assert!(!invalid(version, &[narrow, 1 << 32 | 1]));
    }
}

#[test]
fn resp2_is_accepted_with_the_uuid_of_the_request() {
    let resp2 = u64::from(raw::DIRECT_RESP2);
    let ids = Endpoints::from_register(0x8001_0003);
    assert_eq!(
        decode(&[resp2, 0x8001_0003, 7, 8]),
        Ok(Call::DirectResp2 { ids })
    );
    // And delivered without it.
    let mut written = regs(&[resp2, 0x8001_0003, 7, 8, 9]);
    Call::DirectResp2 { ids }.encode_into(&mut written);
    assert_eq!(written, regs(&[resp2, 0x8001_0003, 0, 0, 9]));
}

/// Random registers of a call of FF-A.
fn any_call() -> impl Strategy<Value = (Version, Regs)> {
    (
        0u64..0x100,
        any::<bool>(),
        any::<bool>(),
        any::<[u64; 18]>(),
        any::<[u8; 17]>(),
        0u16..4,
    )
        .prop_map(|(low, wide, hint, x, shape, minor)| {
            let mut regs = Regs(x);
            let id = 0x8400_0000 | low | u64::from(wide) << 30 | u64::from(hint) << 16;
            regs[0] = id | x[0] << 32;
            // Half of the registers are small or zero: random bits alone rarely pass a check.
            for (x, shape) in regs.0[1..].iter_mut().zip(shape) {
                match shape % 4 {
                    0 => *x = 0,
                    1 => *x &= 0xffff_ffff_0000_0003,
                    _ => {}
                }
            }
            (Version::new(1, minor), regs)
        })
}

proptest! {
    #![proptest_config(crate::property())]

    /// Every bit pattern is a call or one error; what is read is written and read again; payloads
    /// and x8-x17 stay.
    #[test]
    fn decoding_is_total_and_encoding_is_its_inverse((version, r) in any_call()) {
        let first = Call::decode(version, &r);
        let wide = r[0] & 1 << 30 != 0;
        // Upper halves of a 32-bit call's arguments say nothing.
        if !wide {
            let mut masked = r;
            masked.0.iter_mut().for_each(|x| *x &= 0xffff_ffff);
            prop_assert_eq!(first, Call::decode(version, &masked));
        }
        let Ok(call) = first else { return Ok(()); };
        prop_assert_eq!(Call::decode(version, &call.encode()), Ok(call));
        let mut written = r;
        call.encode_into(&mut written);
        prop_assert_eq!(Call::decode(version, &written), Ok(call));
        let mask = if call.fid().wide { u64::MAX } else { 0xffff_ffff };
        for n in 1..18 {
            if call.payload().contains(&n) {
                prop_assert_eq!(written[n], r[n] & mask, "x{}", n);
            } else if n >= 8 {
                prop_assert_eq!(written[n], r[n], "x{}", n);
            } else if !call.fid().wide {
                prop_assert_eq!(written[n] >> 32, 0, "x{}", n);
            }
        }
        if let Call::ConsoleLog { wide, count } = call {
            let mut n = 0;
            console_characters(&r, wide, count, |_| n += 1);
            prop_assert_eq!(n, count);
        }
    }

    /// With reserved bits zero, the registers that come out are those that went in.
    #[test]
    fn defined_registers_come_through_unchanged(
        index in 0..DEFINED.len(), wide: bool, x: [u64; 18], flag: bool, minor in 0u16..4,
    ) {
        let (function, masks) = DEFINED[index];
        let mut regs = Regs::ZERO;
        regs[0] = if wide { function.raw64() } else { function.raw32() }.into();
        for (n, mask) in masks.iter().enumerate() {
            let half = if wide { u64::MAX } else { 0xffff_ffff };
            regs[1 + n] = x[1 + n] & mask & half;
        }
        if function == Function::Version {
            regs[1] &= 0x7fff_ffff;
        }
        let version = Version::new(1, minor);
        if let Ok(call) = Call::decode(version, &regs) {
            // Below 1.3 the number of pages is reserved.
            if function == Function::MemPermGet && version < Version::V1_3 {
                regs[2] = 0;
            }
            let mut written = regs;
            if !flag {
                // Junk in what is no payload is written over.
                for n in 0..8 {
                    if !call.payload().contains(&n) {
                        written[n] = x[n];
                    }
                }
            }
            call.encode_into(&mut written);
            prop_assert_eq!(written, regs);
        }
    }
}
