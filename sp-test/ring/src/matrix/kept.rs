//! The response that is kept for a strict caller, one at a time.

use super::{
    Cases, Setup,
    caller::{B, Boundary, Caller, Do},
    conversations::{ABORTED, B_TARGET, BUSY, DENIED, send, with},
    expect,
};
use crate::{fid, oracle::Kind, world::id};

pub fn cases(cases: &mut Cases) {
    cases_of(cases, Boundary::Vm);
    cases_of(cases, Boundary::Partition);
}

/// What is kept for a strict caller.
fn cases_of(cases: &mut Cases, boundary: Boundary) {
    let place = boundary.name();
    // A strict caller for which B's RESP2 is kept; `false` for a permissive one.
    let keep = move |caller: &mut Caller<'_>, setup: &Setup| {
        if !setup.strict() || !setup.extended() {
            return Ok(false);
        }
        let interrupted = Kind::Interrupt(B_TARGET);
        send(
            caller,
            boundary,
            setup,
            fid::REQ2,
            &[Do::Interrupt],
            interrupted,
        )?;
        let x = caller.run(fid::RUN_32, B);
        let acts = [Do::Respond(fid::RESP2)];
        expect(caller.call(&x, &acts)?, Kind::Error(DENIED))?;
        Ok::<_, String>(true)
    };
    cases.add(
        format!("{place} kept RESP2 -> REQ2 is BUSY -> RUN_64"),
        move |setup| {
            with(boundary, setup, |caller| {
                if !keep(caller, setup)? {
                    return Ok(());
                }
                send(caller, boundary, setup, fid::REQ2, &[], Kind::Error(BUSY))?;
                let x = caller.run(fid::RUN_64, B);
                expect(caller.call(&x, &[])?, Kind::Message(fid::RESP2))?;
                let acts = [Do::Respond(fid::RESP2)];
                let wanted = Kind::Message(fid::RESP2);
                send(caller, boundary, setup, fid::REQ2, &acts, wanted).map(drop)
            })
        },
    );
    cases.add(
        format!("{place} kept RESP2 -> other messages pass -> RUN_64"),
        move |setup| {
            with(boundary, setup, |caller| {
                if !keep(caller, setup)? {
                    return Ok(());
                }
                for request in [fid::REQ_32, fid::REQ_64] {
                    let response = fid::response_to(request);
                    let acts = [Do::Respond(response)];
                    let wanted = Kind::Message(response);
                    send(caller, boundary, setup, request, &acts, wanted)?;
                }
                let x = caller.run(fid::RUN_64, B);
                expect(caller.call(&x, &[])?, Kind::Message(fid::RESP2))
            })
        },
    );
    if boundary == Boundary::Partition {
        cases.add(
            format!("{place} kept RESP2 -> its sender dies -> freed"),
            move |setup| {
                with(boundary, setup, |caller| {
                    if !keep(caller, setup)? {
                        return Ok(());
                    }
                    let x = caller.request(fid::REQ_32, id(B));
                    expect(caller.call(&x, &[Do::Abort])?, Kind::Error(ABORTED))?;
                    let x = caller.run(fid::RUN_64, B);
                    match caller.call(&x, &[])? {
                        Kind::Error(ABORTED | DENIED) => Ok(()),
                        other => Err(format!("RUN_64 was completed by {other:?}")),
                    }
                })
            },
        );
        cases.add(
            format!("{place} kept RESP2 -> its receiver dies -> freed"),
            move |setup| {
                with(boundary, setup, |caller| {
                    if !keep(caller, setup)? {
                        return Ok(());
                    }
                    let landing = caller.world().abort(0)?;
                    expect(landing.kind, Kind::Error(ABORTED))
                })
            },
        );
    }
}
