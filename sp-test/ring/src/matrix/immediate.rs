//! Calls that are answered at once, each also with the SVE hint.

use super::{
    Cases, Setup,
    caller::{Boundary, Caller},
    expect,
};
use crate::{fid, label::Frame, oracle::Kind, spmd::Behaviour, world::Arena};

/// What an immediate answer may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Exactly(Kind),
    /// `FFA_SUCCESS`, with this in w2.
    Success(u64),
    /// SUCCESS today or tomorrow, NOT_SUPPORTED or another error until then: x8-x17 survive.
    AnyOfFfa,
}

fn check(caller: &Caller<'_>, got: Kind, wanted: Answer) -> Result<(), String> {
    match wanted {
        Answer::Exactly(kind) => expect(got, kind),
        Answer::Success(w2) => {
            expect(got, Kind::Success)?;
            if caller.last()[2] == w2 {
                Ok(())
            } else {
                Err(format!("w2 is {:#x}, wanted {w2:#x}", caller.last()[2]))
            }
        }
        Answer::AnyOfFfa => match got {
            Kind::Success | Kind::Error(_) => Ok(()),
            other => Err(format!("completed by {other:?}")),
        },
    }
}

/// The call of a row, and its answer at a boundary.
type Row = (
    &'static str,
    u32,
    &'static [u64],
    fn(Boundary, &Setup) -> Answer,
);

const ERROR: fn(i32) -> Answer = |code| Answer::Exactly(Kind::Error(code));

const ROWS: &[Row] = &[
    ("ID_GET -> SUCCESS", fid::ID_GET, &[], |boundary, _| {
        Answer::Success(match boundary {
            Boundary::Vm => 1,
            Boundary::Normal => 0,
            Boundary::Partition => 0x8003,
        })
    }),
    ("SPM_ID_GET -> SUCCESS", fid::SPM_ID_GET, &[], |_, _| {
        Answer::Success(0x8000)
    }),
    (
        "FEATURES(REQ_64) -> SUCCESS",
        fid::FEATURES,
        &[fid::REQ_64 as u64, 0],
        |_, _| Answer::Success(0),
    ),
    (
        "FEATURES(unknown) -> ERROR",
        fid::FEATURES,
        &[0x8400_00ef, 0],
        |_, _| ERROR(-1),
    ),
    (
        "FEATURES(RUN_64) by version and mode",
        fid::FEATURES,
        &[fid::RUN_64 as u64, 0],
        |boundary, setup| match boundary {
            Boundary::Normal => ERROR(-1),
            _ if setup.wide_cycles() => Answer::Success(0),
            _ => ERROR(-1),
        },
    ),
    (
        "GET_REGS -> SUCCESS_64 or ERROR",
        fid::INFO_GET_REGS,
        &[0, 0, 0],
        |_, _| Answer::AnyOfFfa,
    ),
    (
        "INFO_GET_64 -> SUCCESS_64 or ERROR",
        fid::INFO_GET_64,
        &[0, 0, 0, 0, 0, 0, 0],
        |_, _| Answer::AnyOfFfa,
    ),
    (
        "RXTX_MAP_64 -> SUCCESS or ERROR",
        fid::RXTX_MAP_64,
        &[0x1000, 0x2000, 1, 0, 0, 0, 0],
        |_, _| Answer::AnyOfFfa,
    ),
    (
        "CONSOLE_LOG_32",
        fid::CONSOLE_LOG_32,
        &[24],
        |boundary, _| match boundary {
            Boundary::Normal => ERROR(-1),
            _ => Answer::Success(0),
        },
    ),
    (
        "CONSOLE_LOG_64 (x2-x17 as input)",
        fid::CONSOLE_LOG_64,
        &[128],
        |boundary, setup| match boundary {
            Boundary::Normal => ERROR(-1),
            _ if setup.extended() => Answer::Success(0),
            _ => ERROR(-2),
        },
    ),
    (
        "unknown FF-A function (32-bit)",
        0x8400_00ef,
        &[],
        |boundary, _| {
            match boundary {
                // Above the range of every SPMD.
                Boundary::Normal => Answer::Exactly(Kind::X0(u64::MAX)),
                _ => ERROR(-1),
            }
        },
    ),
    (
        "unknown FF-A function (64-bit)",
        0xc400_00ef,
        &[],
        |boundary, _| match boundary {
            Boundary::Normal => Answer::Exactly(Kind::X0(u64::MAX)),
            _ => ERROR(-1),
        },
    ),
    (
        "NS_RES_INFO_GET, above an SPMD's range",
        0xc400_008f,
        &[0; 7],
        |boundary, setup| match (boundary, setup.behaviour) {
            (Boundary::Normal, Behaviour::Tfa2_12) => Answer::Exactly(Kind::X0(u64::MAX)),
            _ => Answer::AnyOfFfa,
        },
    ),
    ("VERSION_64 does not exist", 0xc400_0063, &[], |_, _| {
        ERROR(-1)
    }),
    ("unknown SMC32 -> -1", 0x8200_1234, &[], |_, _| {
        Answer::Exactly(Kind::X0(u64::MAX))
    }),
    ("unknown SMC64 -> -1", 0xc200_1234, &[], |_, _| {
        Answer::Exactly(Kind::X0(u64::MAX))
    }),
    (
        "MSG_WAIT_32 with arguments or not its own",
        fid::MSG_WAIT_32,
        &[1, 0, 0, 0, 0, 0, 0],
        |boundary, _| match boundary {
            Boundary::Partition => ERROR(-2),
            _ => ERROR(-1),
        },
    ),
    (
        "RESP2 that answers nothing",
        fid::RESP2,
        &[0x8003_0001, 0, 0],
        |boundary, _| match boundary {
            Boundary::Partition => ERROR(-6),
            _ => ERROR(-1),
        },
    ),
];

pub fn cases(cases: &mut Cases) {
    for boundary in Boundary::ALL {
        let place = boundary.name();
        for (name, call, arguments, answer) in ROWS {
            for hint in [false, true] {
                let with = if hint { " with the SVE hint" } else { "" };
                cases.add(format!("{place} {name}{with}"), move |setup| {
                    let mut arena = Arena::default();
                    let mut caller = Caller::new(boundary, setup, &mut arena)?;
                    let x = frame(&mut caller, *call, arguments, hint);
                    let got = caller.call(&x, &[])?;
                    check(&caller, got, answer(boundary, setup))
                });
            }
        }
        versions(cases, boundary);
    }
}

fn frame(caller: &mut Caller<'_>, call: u32, arguments: &[u64], hint: bool) -> Frame {
    let origin = caller.origin();
    let mut x = caller.world().labels.call(origin, call, arguments);
    if hint {
        x[0] |= u64::from(fid::SVE_HINT);
    }
    x
}

fn versions(cases: &mut Cases, boundary: Boundary) {
    let place = boundary.name();
    let ask =
        move |setup: &Setup, first: bool, asked: fn(u32) -> u32, wanted: fn(&Setup) -> u32| {
            let mut arena = Arena::default();
            let mut caller = Caller::new(boundary, setup, &mut arena)?;
            if first {
                // Any other call fixes the version. The SPMC must see it.
                let x = frame(&mut caller, fid::FEATURES, &[fid::REQ_64.into(), 0], false);
                caller.call(&x, &[])?;
            }
            let asked = asked(setup.version.raw());
            let x = frame(&mut caller, fid::VERSION, &[asked.into()], false);
            expect(caller.call(&x, &[])?, Kind::Version(wanted(setup)))
        };
    const OWN: u32 = 0x1_0003;
    const REFUSED: u32 = u32::MAX;
    cases.add(
        format!("{place} VERSION, the same -> version"),
        move |setup| ask(setup, true, |own| own, |_| OWN),
    );
    cases.add(
        format!("{place} VERSION, another after other calls -> -1"),
        move |setup| ask(setup, true, |own| own ^ 1, |_| REFUSED),
    );
    cases.add(
        format!("{place} VERSION, another major -> -1"),
        move |setup| ask(setup, false, |_| 0x2_0000, |_| REFUSED),
    );
    cases.add(format!("{place} VERSION, bit 31 -> -1"), move |setup| {
        ask(setup, false, |own| own | 1 << 31, |_| REFUSED)
    });
}
