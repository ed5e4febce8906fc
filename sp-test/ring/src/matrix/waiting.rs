//! A partition that waits, in any of the calls that wait, and the message that completes that call.

use super::{
    Cases, Setup,
    caller::{A, B},
    expect,
};
use crate::{
    fid,
    label::Origin,
    oracle::Kind,
    world::{Arena, Config, Landing, Spec, Who, World, id},
};
use ffa_abi::Version;

const WAITS: [u32; 5] = [
    fid::MSG_WAIT_32,
    fid::MSG_WAIT_64,
    fid::RESP_32,
    fid::RESP_64,
    fid::RESP2,
];
const NWD: Origin = Origin::Vm(2);
const NOT_SUPPORTED: Kind = Kind::Error(-1);
const DENIED: Kind = Kind::Error(-6);

/// A system in which B and the normal world speak 1.2.
fn world<'c>(setup: &Setup, arena: &'c mut Arena) -> Result<World<'c>, String> {
    let config = Config {
        behaviour: setup.behaviour,
        cores: 1,
        partitions: vec![
            Spec::new(Version::V1_2),
            Spec::new(Version::V1_2),
            Spec::new(setup.version).mode(setup.mode),
        ],
        general: false,
        memory: false,
        interrupts: false,
    };
    let mut world = World::new(&config, arena)?;
    let x = world.labels.call(NWD, fid::VERSION, &[0x1_0002]);
    world.smc(0, NWD, &x)?;
    Ok(world)
}

fn run(world: &mut World<'_>, slot: spmc::context::Slot) -> Result<Landing, String> {
    let target = u64::from(id(slot)) << 16;
    let x = world.labels.call(NWD, fid::RUN_32, &[target]);
    world.smc(0, NWD, &x)
}

fn request(world: &mut World<'_>, fid: u32) -> Result<Landing, String> {
    let x = world.labels.message(NWD, fid, 2, id(A));
    world.smc(0, NWD, &x)
}

fn call(world: &mut World<'_>, fid: u32, arguments: &[u64]) -> Result<Landing, String> {
    let x = world.labels.call(Origin::Partition(A.0), fid, arguments);
    world.partition(0, &x)
}

/// A waits in `wait`. `false`: it can't, and that was right.
fn wait(world: &mut World<'_>, setup: &Setup, wait: u32) -> Result<bool, String> {
    match wait {
        fid::MSG_WAIT_32 | fid::MSG_WAIT_64 => {
            expect(run(world, A)?.kind, Kind::Run)?;
            let landing = call(world, wait, &[0; 7])?;
            if wait == fid::MSG_WAIT_64 && !setup.wide_cycles() {
                expect(landing.kind, NOT_SUPPORTED)?;
                return Ok(false);
            }
            expect(landing.kind, Kind::MsgWait)?;
        }
        _ => {
            let fid = match wait {
                fid::RESP2 => fid::REQ2,
                fid::RESP_64 => fid::REQ_64,
                _ => fid::REQ_32,
            };
            // REQ2 must find it in a call that may be completed by it.
            if fid == fid::REQ2 {
                if !setup.extended() {
                    expect(request(world, fid)?.kind, DENIED)?;
                    return Ok(false);
                }
                if setup.strict() {
                    expect(run(world, A)?.kind, Kind::Run)?;
                    expect(call(world, fid::MSG_WAIT_64, &[0; 7])?.kind, Kind::MsgWait)?;
                }
            }
            expect(request(world, fid)?.kind, Kind::Message(fid))?;
            let x = world.response(0, wait);
            expect(world.partition(0, &x)?.kind, Kind::Message(wait))?;
        }
    }
    Ok(true)
}

/// Whether the request is delivered to A, which waits in `wait`.
fn reaches(setup: &Setup, wait: u32, request: u32) -> bool {
    request != fid::REQ2 || setup.extended() && (!setup.strict() || fid::is_wide(wait))
}

pub fn cases(cases: &mut Cases) {
    for waits in WAITS {
        let name = fid::name(waits);
        for request_fid in [fid::REQ_32, fid::REQ_64, fid::REQ2] {
            let message = fid::name(request_fid);
            cases.add(format!("WAIT {name} -> {message} from NWd"), move |setup| {
                let mut arena = Arena::default();
                let mut world = world(setup, &mut arena)?;
                if !wait(&mut world, setup, waits)? {
                    return Ok(());
                }
                let landing = request(&mut world, request_fid)?;
                if reaches(setup, waits, request_fid) {
                    return expect(landing.kind, Kind::Message(request_fid));
                }
                expect(landing.kind, DENIED)?;
                // Nothing was lost: it can be called as before.
                expect(
                    request(&mut world, fid::REQ_32)?.kind,
                    Kind::Message(fid::REQ_32),
                )
            });
            cases.add(
                format!("WAIT {name} -> {message} from a partition"),
                move |setup| {
                    let mut arena = Arena::default();
                    let mut world = world(setup, &mut arena)?;
                    if !wait(&mut world, setup, waits)? {
                        return Ok(());
                    }
                    run(&mut world, B)?;
                    let x = world
                        .labels
                        .message(Origin::Partition(B.0), request_fid, id(B), id(A));
                    let landing = world.partition(0, &x)?;
                    if !reaches(setup, waits, request_fid) {
                        expect(landing.kind, DENIED)?;
                        return if landing.who == Who::Partition(B) {
                            Ok(())
                        } else {
                            Err(format!("{landing:?}"))
                        };
                    }
                    expect(landing.kind, Kind::Message(request_fid))?;
                    let response = fid::response_to(request_fid);
                    let x = world.response(0, response);
                    expect(world.partition(0, &x)?.kind, Kind::Message(response))
                },
            );
        }
        cases.add(format!("WAIT {name} -> RUN"), move |setup| {
            let mut arena = Arena::default();
            let mut world = world(setup, &mut arena)?;
            if !wait(&mut world, setup, waits)? {
                return Ok(());
            }
            expect(run(&mut world, A)?.kind, Kind::Run)?;
            let x1 = world.registers(0)[1];
            if x1 == u64::from(id(A)) << 16 {
                Ok(())
            } else {
                Err(format!("FFA_RUN names {x1:#x}"))
            }
        });
        cases.add(
            format!("WAIT {name} -> nothing, after a refused request"),
            move |setup| {
                let mut arena = Arena::default();
                let mut world = world(setup, &mut arena)?;
                if !wait(&mut world, setup, waits)? {
                    return Ok(());
                }
                // Its own id as the sender's, and a service that it has not.
                let x = world.labels.message(NWD, fid::REQ_32, id(A), id(A));
                expect(world.smc(0, NWD, &x)?.kind, Kind::Error(-2))?;
                let ids = 2 << 16 | u64::from(id(A));
                let x = world.labels.call(NWD, fid::REQ2, &[ids, 1, 2]);
                expect(world.smc(0, NWD, &x)?.kind, Kind::Error(-2))?;
                expect(
                    request(&mut world, fid::REQ_64)?.kind,
                    Kind::Message(fid::REQ_64),
                )
            },
        );
    }
    yields(cases);
    in_request(cases);
}

fn yields(cases: &mut Cases) {
    for fid in [fid::YIELD_32, fid::YIELD_64] {
        let name = fid::name(fid);
        cases.add(
            format!("WAIT {name} -> SUCCESS (RUN model)"),
            move |setup| {
                let mut arena = Arena::default();
                let mut world = world(setup, &mut arena)?;
                run(&mut world, A)?;
                let landing = call(&mut world, fid, &[0, 5, 0, 0, 0, 0, 0])?;
                if fid == fid::YIELD_64 && !setup.wide_cycles() {
                    return expect(landing.kind, NOT_SUPPORTED);
                }
                expect(landing.kind, Kind::Yield(u32::from(id(A)) << 16))?;
                expect(run(&mut world, A)?.kind, Kind::Success)
            },
        );
        cases.add(
            format!("WAIT {name} -> SUCCESS (in a request)"),
            move |setup| {
                let mut arena = Arena::default();
                let mut world = world(setup, &mut arena)?;
                request(&mut world, fid::REQ_64)?;
                let landing = call(&mut world, fid, &[0, 5, 0, 0, 0, 0, 0])?;
                if fid == fid::YIELD_64 && !setup.wide_cycles() {
                    return expect(landing.kind, NOT_SUPPORTED);
                }
                if !setup.extended() {
                    return expect(landing.kind, DENIED);
                }
                expect(landing.kind, Kind::Yield(u32::from(id(A)) << 16))?;
                expect(run(&mut world, A)?.kind, Kind::Success)?;
                let x = world.response(0, fid::RESP_64);
                expect(world.partition(0, &x)?.kind, Kind::Message(fid::RESP_64))
            },
        );
    }
}

/// What a partition that serves a request may not do, and what an interrupt does to it.
fn in_request(cases: &mut Cases) {
    for request_fid in [fid::REQ_32, fid::REQ_64, fid::REQ2] {
        let name = fid::name(request_fid);
        let served = move |world: &mut World<'_>, setup: &Setup| {
            if request_fid == fid::REQ2 {
                if !setup.extended() {
                    expect(request(world, request_fid)?.kind, DENIED)?;
                    return Ok(false);
                }
                if setup.strict() {
                    wait(world, setup, fid::MSG_WAIT_64)?;
                }
            }
            expect(
                request(world, request_fid)?.kind,
                Kind::Message(request_fid),
            )?;
            Ok::<_, String>(true)
        };
        for wait in [fid::MSG_WAIT_32, fid::MSG_WAIT_64] {
            cases.add(
                format!("WAIT {name}, then {} is DENIED", fid::name(wait)),
                move |setup| {
                    let mut arena = Arena::default();
                    let mut world = world(setup, &mut arena)?;
                    if !served(&mut world, setup)? {
                        return Ok(());
                    }
                    let wanted = if wait == fid::MSG_WAIT_64 && !setup.wide_cycles() {
                        NOT_SUPPORTED
                    } else {
                        DENIED
                    };
                    expect(call(&mut world, wait, &[0; 7])?.kind, wanted)
                },
            );
        }
        for response in [fid::RESP_32, fid::RESP_64, fid::RESP2] {
            cases.add(
                format!("WAIT {name} answered by {}", fid::name(response)),
                move |setup| {
                    let mut arena = Arena::default();
                    let mut world = world(setup, &mut arena)?;
                    if !served(&mut world, setup)? {
                        return Ok(());
                    }
                    let x = world.response(0, response);
                    let landing = world.partition(0, &x)?;
                    let same = response == fid::response_to(request_fid);
                    let mixed = response != fid::RESP2 && request_fid != fid::REQ2;
                    if same || mixed && setup.version < Version::V1_3 {
                        expect(landing.kind, Kind::Message(response))
                    } else {
                        expect(landing.kind, DENIED)
                    }
                },
            );
        }
        cases.add(
            format!("WAIT {name}, interrupted -> RUN -> resumed"),
            move |setup| {
                let mut arena = Arena::default();
                let mut world = world(setup, &mut arena)?;
                if !served(&mut world, setup)? {
                    return Ok(());
                }
                let x = world.labels.frame(Origin::Partition(A.0));
                let landing = world.interrupt(0, &x)?;
                expect(landing.kind, Kind::Interrupt(u32::from(id(A)) << 16))?;
                // Nobody else may call it meanwhile.
                expect(request(&mut world, fid::REQ_32)?.kind, Kind::Error(-4))?;
                expect(run(&mut world, A)?.kind, Kind::Resumed)
            },
        );
    }
}
