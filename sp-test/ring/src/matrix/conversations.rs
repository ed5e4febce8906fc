//! A request or a run, and everything that may complete it: for the normal world, a VM and a
//! partition alike.

use super::{
    Cases, Setup,
    caller::{A, B, Boundary, C, Caller, Do},
    expect,
};
use crate::{
    fid,
    oracle::Kind,
    world::{Arena, id},
};

const REQUESTS: [u32; 3] = [fid::REQ_32, fid::REQ_64, fid::REQ2];
const RUNS: [u32; 2] = [fid::RUN_32, fid::RUN_64];
pub const NOT_SUPPORTED: i32 = -1;
pub const INVALID_PARAMETERS: i32 = -2;
pub const BUSY: i32 = -4;
pub const DENIED: i32 = -6;
pub const ABORTED: i32 = -8;

/// w1 that names B's only context.
pub const B_TARGET: u32 = (id(B) as u32) << 16;

/// Whether the caller may use FFA_RUN in this form.
fn may_run(boundary: Boundary, run: u32, setup: &Setup) -> bool {
    match boundary {
        // EL3 knows no 64-bit form.
        Boundary::Normal => run == fid::RUN_32,
        _ => run == fid::RUN_32 || setup.wide_cycles(),
    }
}

/// Begins with the caller that has said its version.
pub fn with(
    boundary: Boundary,
    setup: &Setup,
    script: impl FnOnce(&mut Caller<'_>) -> Result<(), String>,
) -> Result<(), String> {
    let mut arena = Arena::default();
    let mut caller = Caller::new(boundary, setup, &mut arena)?;
    script(&mut caller)
}

/// Sends `request` to B. `false`: the caller's version has no such message, and that was right.
pub fn send(
    caller: &mut Caller<'_>,
    boundary: Boundary,
    setup: &Setup,
    request: u32,
    others: &[Do],
    wanted: Kind,
) -> Result<bool, String> {
    let x = caller.request(request, id(B));
    if request != fid::REQ2 || setup.extended() {
        expect(caller.call(&x, others)?, wanted)?;
        return Ok(true);
    }
    let refusal = match boundary {
        Boundary::Vm => NOT_SUPPORTED,
        Boundary::Normal if setup.behaviour == crate::spmd::Behaviour::ByCompletion => {
            NOT_SUPPORTED
        }
        _ => DENIED,
    };
    expect(caller.call(&x, &[])?, Kind::Error(refusal))?;
    Ok(false)
}

/// Runs B again, which answers: the response reaches the caller, or is kept until it asks in the
/// 64-bit form.
fn run_to_response(
    caller: &mut Caller<'_>,
    boundary: Boundary,
    setup: &Setup,
    run: u32,
    response: u32,
    before: &[Do],
) -> Result<(), String> {
    let x = caller.run(run, B);
    if !may_run(boundary, run, setup) {
        expect(caller.call(&x, &[])?, Kind::Error(NOT_SUPPORTED))?;
        // It is still there to be run in the other form.
        let x = caller.run(fid::RUN_32, B);
        let mut others = before.to_vec();
        others.push(Do::Respond(response));
        return expect(caller.call(&x, &others)?, Kind::Message(response));
    }
    let mut others = before.to_vec();
    others.push(Do::Respond(response));
    let kept = setup.strict()
        && boundary != Boundary::Normal
        && response == fid::RESP2
        && run == fid::RUN_32;
    if !kept {
        return expect(caller.call(&x, &others)?, Kind::Message(response));
    }
    expect(caller.call(&x, &others)?, Kind::Error(DENIED))?;
    let x = caller.run(fid::RUN_32, B);
    expect(caller.call(&x, &[])?, Kind::Error(DENIED))?;
    let x = caller.run(fid::RUN_64, B);
    expect(caller.call(&x, &[])?, Kind::Message(fid::RESP2))
}

pub fn cases(cases: &mut Cases) {
    for boundary in Boundary::ALL {
        for request in REQUESTS {
            requests(cases, boundary, request);
            for run in RUNS {
                resumed(cases, boundary, request, run);
            }
        }
        for run in RUNS {
            runs(cases, boundary, run);
        }
        vectors(cases, boundary);
    }
}

fn requests(cases: &mut Cases, boundary: Boundary, request: u32) {
    let place = boundary.name();
    let name = fid::name(request);
    let response = fid::response_to(request);
    let case = move |others: Vec<Do>, wanted: Kind| {
        move |setup: &Setup| {
            with(boundary, setup, |caller| {
                send(caller, boundary, setup, request, &others, wanted).map(drop)
            })
        }
    };
    cases.add(
        format!("{place} {name} -> {}", fid::name(response)),
        case(vec![Do::Respond(response)], Kind::Message(response)),
    );
    if request != fid::REQ2 {
        let other = response ^ fid::WIDE;
        cases.add(
            format!("{place} {name} -> {}", fid::name(other)),
            case(vec![Do::Respond(other)], Kind::Message(other)),
        );
    }
    cases.add(
        format!("{place} {name} -> ERROR (callee dies)"),
        case(vec![Do::Abort], Kind::Error(ABORTED)),
    );
    cases.add(
        format!("{place} {name} -> ERROR (no receiver)"),
        move |setup| {
            with(boundary, setup, |caller| {
                let x = caller.request(request, 0x80fe);
                let wanted = match (boundary, request) {
                    (Boundary::Vm, fid::REQ2) if !setup.extended() => NOT_SUPPORTED,
                    (Boundary::Normal, fid::REQ2)
                        if !setup.extended()
                            && setup.behaviour == crate::spmd::Behaviour::ByCompletion =>
                    {
                        NOT_SUPPORTED
                    }
                    _ => INVALID_PARAMETERS,
                };
                expect(caller.call(&x, &[])?, Kind::Error(wanted))
            })
        },
    );
    cases.add(format!("{place} {name} -> ERROR (busy)"), move |setup| {
        with(boundary, setup, |caller| {
            // B is preempted while it works for somebody else.
            let first = caller.request(fid::REQ_32, id(B));
            expect(
                caller.call(&first, &[Do::Interrupt])?,
                Kind::Interrupt(B_TARGET),
            )?;
            send(caller, boundary, setup, request, &[], Kind::Error(BUSY)).map(drop)
        })
    });
    cases.add(format!("{place} {name} with the SVE hint"), move |setup| {
        with(boundary, setup, |caller| {
            let mut x = caller.request(request, id(B));
            x[0] |= u64::from(fid::SVE_HINT);
            if request == fid::REQ2 && !setup.extended() {
                return match caller.call(&x, &[])? {
                    Kind::Error(_) => Ok(()),
                    other => Err(format!("{other:?}")),
                };
            }
            expect(
                caller.call(
                    &x,
                    &[Do::Got(Kind::Message(request)), Do::Respond(response)],
                )?,
                Kind::Message(response),
            )
        })
    });
    cases.add(
        format!(
            "{place} {name} -> (callee asks another) -> {}",
            fid::name(response)
        ),
        case(
            vec![
                Do::Send(fid::REQ_64, C),
                Do::Respond(fid::RESP_64),
                Do::Got(Kind::Message(fid::RESP_64)),
                Do::Respond(response),
            ],
            Kind::Message(response),
        ),
    );
    if boundary == Boundary::Vm {
        cases.add(
            format!(
                "{place} {name} -> (the proxy's interrupt, its own RUN) -> {}",
                fid::name(response)
            ),
            case(
                vec![
                    Do::ProxyInterrupt,
                    Do::ProxyInterrupt,
                    Do::Respond(response),
                ],
                Kind::Message(response),
            ),
        );
        cases.add(
            format!("{place} {name} -> (the proxy's interrupt, its own RUN) -> YIELD"),
            move |setup: &Setup| {
                with(boundary, setup, |caller| {
                    let acts = [Do::ProxyInterrupt, Do::Yield(fid::YIELD_32)];
                    send(
                        caller,
                        boundary,
                        setup,
                        request,
                        &acts,
                        Kind::Yield(B_TARGET),
                    )
                    .map(drop)
                })
            },
        );
    }
}

fn resumed(cases: &mut Cases, boundary: Boundary, request: u32, run: u32) {
    let place = boundary.name();
    let (name, run_name) = (fid::name(request), fid::name(run));
    let response = fid::response_to(request);
    for (what, acts, kind, back) in [
        (
            "INTERRUPT",
            vec![Do::Interrupt],
            Kind::Interrupt(B_TARGET),
            Kind::Resumed,
        ),
        (
            "YIELD",
            vec![Do::Yield(fid::YIELD_32)],
            Kind::Yield(B_TARGET),
            Kind::Success,
        ),
    ] {
        cases.add(
            format!(
                "{place} {name} -> {what} -> {run_name} -> {}",
                fid::name(response)
            ),
            move |setup| {
                with(boundary, setup, |caller| {
                    if !send(caller, boundary, setup, request, &acts, kind)? {
                        return Ok(());
                    }
                    let before = [Do::Got(back)];
                    run_to_response(caller, boundary, setup, run, response, &before)
                })
            },
        );
    }
    cases.add(
        format!("{place} {name} -> INTERRUPT -> {run_name} -> INTERRUPT -> {run_name} -> answer"),
        move |setup| {
            with(boundary, setup, |caller| {
                let interrupted = Kind::Interrupt(B_TARGET);
                if !send(
                    caller,
                    boundary,
                    setup,
                    request,
                    &[Do::Interrupt],
                    interrupted,
                )? {
                    return Ok(());
                }
                if may_run(boundary, run, setup) {
                    let x = caller.run(run, B);
                    let acts = [Do::Got(Kind::Resumed), Do::Interrupt];
                    expect(caller.call(&x, &acts)?, interrupted)?;
                }
                run_to_response(caller, boundary, setup, run, response, &[])
            })
        },
    );
    cases.add(
        format!("{place} {name} -> INTERRUPT -> {run_name} -> ERROR (callee dies)"),
        move |setup| {
            with(boundary, setup, |caller| {
                let interrupted = Kind::Interrupt(B_TARGET);
                if !send(
                    caller,
                    boundary,
                    setup,
                    request,
                    &[Do::Interrupt],
                    interrupted,
                )? {
                    return Ok(());
                }
                let x = caller.run(run, B);
                if may_run(boundary, run, setup) {
                    expect(caller.call(&x, &[Do::Abort])?, Kind::Error(ABORTED))
                } else {
                    expect(caller.call(&x, &[])?, Kind::Error(NOT_SUPPORTED))
                }
            })
        },
    );
}

/// FFA_RUN of a partition that works for nobody.
fn runs(cases: &mut Cases, boundary: Boundary, run: u32) {
    let place = boundary.name();
    let name = fid::name(run);
    for (what, act, kind) in [
        ("MSG_WAIT", Do::Wait(fid::MSG_WAIT_32), Kind::MsgWait),
        ("YIELD", Do::Yield(fid::YIELD_32), Kind::Yield(B_TARGET)),
        ("INTERRUPT", Do::Interrupt, Kind::Interrupt(B_TARGET)),
        ("ERROR (callee dies)", Do::Abort, Kind::Error(ABORTED)),
    ] {
        cases.add(format!("{place} {name} -> {what}"), move |setup| {
            with(boundary, setup, |caller| {
                if boundary == Boundary::Partition {
                    preempt_b(caller)?;
                }
                let x = caller.run(run, B);
                if may_run(boundary, run, setup) {
                    expect(caller.call(&x, &[act])?, kind)
                } else {
                    expect(caller.call(&x, &[])?, Kind::Error(NOT_SUPPORTED))
                }
            })
        });
    }
    cases.add(
        format!("{place} {name} -> ERROR (no such context)"),
        move |setup| {
            with(boundary, setup, |caller| {
                let mut x = caller.run(run, B);
                x[1] |= 7;
                let wanted = match boundary {
                    _ if !may_run(boundary, run, setup) => NOT_SUPPORTED,
                    Boundary::Partition => DENIED,
                    _ => INVALID_PARAMETERS,
                };
                expect(caller.call(&x, &[])?, Kind::Error(wanted))
            })
        },
    );
}

/// B is preempted in the middle of nothing, and A has the core.
fn preempt_b(caller: &mut Caller<'_>) -> Result<(), String> {
    let origin = caller.origin();
    let wait = caller
        .world()
        .labels
        .call(origin, fid::MSG_WAIT_32, &[0; 7]);
    caller.world().partition(0, &wait)?;
    caller.run_from_normal(B)?;
    let x = caller
        .world()
        .labels
        .frame(crate::label::Origin::Partition(B.0));
    caller.world().interrupt(0, &x)?;
    caller.run_from_normal(A)
}

/// V0-V31, FPCR and FPSR of everybody survive.
fn vectors(cases: &mut Cases, boundary: Boundary) {
    let place = boundary.name();
    for request in REQUESTS {
        let name = fid::name(request);
        let response = fid::response_to(request);
        cases.add(
            format!("{place} V0-V31 across {name} -> {}", fid::name(response)),
            move |setup| {
                with(boundary, setup, |caller| {
                    // Twice, so that the callee finds its own again.
                    for _ in 0..2 {
                        if boundary == Boundary::Partition {
                            caller.world().use_vectors(0)?;
                        }
                        let acts = [Do::Vectors, Do::Respond(response)];
                        let wanted = Kind::Message(response);
                        send(caller, boundary, setup, request, &acts, wanted)?;
                        if boundary == Boundary::Partition {
                            caller.world().use_vectors(0)?;
                        }
                    }
                    Ok(())
                })
            },
        );
        cases.add(
            format!("{place} V0-V31 across {name} -> another -> INTERRUPT -> RUN_32"),
            move |setup| {
                with(boundary, setup, |caller| {
                    let acts = [
                        Do::Vectors,
                        Do::Send(fid::REQ_64, C),
                        Do::Vectors,
                        Do::Respond(fid::RESP_64),
                        Do::Vectors,
                        Do::Interrupt,
                    ];
                    let wanted = Kind::Interrupt(B_TARGET);
                    if !send(caller, boundary, setup, request, &acts, wanted)? {
                        return Ok(());
                    }
                    if boundary == Boundary::Partition {
                        caller.world().use_vectors(0)?;
                    }
                    let acts = [Do::Got(Kind::Resumed), Do::Vectors];
                    run_to_response(caller, boundary, setup, fid::RUN_32, response, &acts)
                })
            },
        );
    }
}
