//! What passes between EL3 and the SPMC besides the calls: what an earlier caller left in x8-x17,
//! secure interrupts, and power.

use super::{Cases, Setup, caller::B, expect};
use crate::{
    fid,
    label::Origin,
    oracle::Kind,
    spmd::Refusal,
    world::{Arena, Config, Spec, Who, World, id},
};
use ffa_abi::Version;

const VM1: Origin = Origin::Vm(1);
const VM2: Origin = Origin::Vm(2);

fn world<'c>(setup: &Setup, arena: &'c mut Arena) -> Result<World<'c>, String> {
    let config = Config {
        behaviour: setup.behaviour,
        cores: 2,
        // It answers in either width.
        partitions: vec![Spec::new(Version::V1_2)],
        general: false,
        memory: false,
        interrupts: false,
    };
    let mut world = World::new(&config, arena)?;
    let asked = u64::from(setup.version.raw());
    let x = world.labels.call(VM1, fid::VERSION, &[asked]);
    world.smc(0, VM1, &x)?;
    Ok(world)
}

/// One VM gets an answer with as much of a payload as its version has.
fn payload_passes(world: &mut World<'_>, setup: &Setup, origin: Origin) -> Result<(), String> {
    let request = if setup.extended() {
        fid::REQ2
    } else {
        fid::REQ_64
    };
    let from = if origin == VM1 { 1 } else { 2 };
    let x = world.labels.message(origin, request, from, id(B));
    expect(world.smc(0, origin, &x)?.kind, Kind::Message(request))?;
    let response = fid::response_to(request);
    let x = world.response(0, response);
    expect(world.partition(0, &x)?.kind, Kind::Message(response))
}

/// What the second VM does.
#[derive(Clone, Copy)]
enum Then {
    /// A request, answered in this form.
    Message(u32, u32),
    /// A request, interrupted, run, answered.
    Interrupted(u32, u32),
    /// A call that is answered at once.
    At(u32, &'static [u64]),
    /// A request that is refused.
    Refused(u32),
    /// FFA_RUN, ended by FFA_MSG_WAIT.
    Run,
}

pub fn cases(cases: &mut Cases) {
    let messages = [
        (fid::REQ_32, fid::RESP_32),
        (fid::REQ_32, fid::RESP_64),
        (fid::REQ_64, fid::RESP_32),
        (fid::REQ_64, fid::RESP_64),
        (fid::REQ2, fid::RESP2),
    ];
    let mut rows: Vec<(String, Then)> = Vec::new();
    for (request, response) in messages {
        let names = (fid::name(request), fid::name(response));
        rows.push((
            format!("{} -> {}", names.0, names.1),
            Then::Message(request, response),
        ));
        rows.push((
            format!("{} -> INTERRUPT -> RUN_32 -> {}", names.0, names.1),
            Then::Interrupted(request, response),
        ));
    }
    for request in [fid::REQ_32, fid::REQ_64, fid::REQ2] {
        let name = fid::name(request);
        rows.push((format!("{name} -> ERROR"), Then::Refused(request)));
    }
    rows.push(("RUN_32 -> MSG_WAIT".to_owned(), Then::Run));
    for (name, call, arguments) in [
        ("VERSION -> version", fid::VERSION, &[0x1_0003][..]),
        ("VERSION -> -1", fid::VERSION, &[0x2_0000]),
        (
            "FEATURES -> SUCCESS",
            fid::FEATURES,
            &[fid::REQ_64 as u64, 0],
        ),
        ("GET_REGS", fid::INFO_GET_REGS, &[0, 0, 0]),
        ("INFO_GET_64", fid::INFO_GET_64, &[]),
        ("RXTX_MAP_64", fid::RXTX_MAP_64, &[0x1000, 0x2000, 1]),
        ("unknown SMC -> -1", 0x8200_0001, &[]),
    ] {
        rows.push((name.to_owned(), Then::At(call, arguments)));
    }
    for (name, then) in rows {
        cases.add(
            format!("EL3 another's payload passed, then {name}"),
            move |setup| {
                let mut arena = Arena::default();
                let mut world = world(setup, &mut arena)?;
                payload_passes(&mut world, setup, VM1)?;
                second(&mut world, setup, VM2, then)
            },
        );
        cases.add(
            format!("EL3 its own payload passed, then {}", name_of(then)),
            move |setup| {
                let mut arena = Arena::default();
                let mut world = world(setup, &mut arena)?;
                payload_passes(&mut world, setup, VM2)?;
                second(&mut world, setup, VM2, then)
            },
        );
    }
    events(cases);
}

fn name_of(then: Then) -> String {
    match then {
        Then::Message(request, response) => {
            format!("{} -> {}", fid::name(request), fid::name(response))
        }
        Then::Interrupted(request, response) => format!(
            "{} -> INTERRUPT -> RUN_32 -> {}",
            fid::name(request),
            fid::name(response)
        ),
        Then::At(call, arguments) => format!("{} {arguments:x?}", fid::name(call)),
        Then::Refused(request) => format!("{} -> ERROR", fid::name(request)),
        Then::Run => "RUN_32 -> MSG_WAIT".to_owned(),
    }
}

fn second(world: &mut World<'_>, setup: &Setup, origin: Origin, then: Then) -> Result<(), String> {
    match then {
        Then::Message(fid::REQ2, _) | Then::Interrupted(fid::REQ2, _) if !setup.extended() => {
            Ok(())
        }
        Then::Message(request, response) => {
            let x = world.labels.message(origin, request, 2, id(B));
            expect(world.smc(0, origin, &x)?.kind, Kind::Message(request))?;
            let x = world.response(0, response);
            expect(world.partition(0, &x)?.kind, Kind::Message(response))
        }
        Then::Interrupted(request, response) => {
            let x = world.labels.message(origin, request, 2, id(B));
            expect(world.smc(0, origin, &x)?.kind, Kind::Message(request))?;
            let x = world.labels.frame(Origin::Partition(B.0));
            let target = u32::from(id(B)) << 16;
            expect(world.interrupt(0, &x)?.kind, Kind::Interrupt(target))?;
            let x = world.labels.call(origin, fid::RUN_32, &[target.into()]);
            expect(world.smc(0, origin, &x)?.kind, Kind::Resumed)?;
            let x = world.response(0, response);
            expect(world.partition(0, &x)?.kind, Kind::Message(response))
        }
        Then::Run => {
            let target = u64::from(id(B)) << 16;
            let x = world.labels.call(origin, fid::RUN_32, &[target]);
            expect(world.smc(0, origin, &x)?.kind, Kind::Run)?;
            let x = world
                .labels
                .call(Origin::Partition(B.0), fid::MSG_WAIT_32, &[0; 7]);
            expect(world.partition(0, &x)?.kind, Kind::MsgWait)
        }
        Then::At(call, arguments) => {
            let x = world.labels.call(origin, call, arguments);
            world.smc(0, origin, &x).map(drop)
        }
        Then::Refused(request) => {
            let x = world.labels.message(origin, request, 2, 0x80fe);
            match world.smc(0, origin, &x)?.kind {
                Kind::Error(_) => Ok(()),
                other => Err(format!("completed by {other:?}")),
            }
        }
    }
}

fn events(cases: &mut Cases) {
    for (refusal, how) in [(Refusal::Error, "an error"), (Refusal::Unknown, "-1")] {
        for request in [fid::REQ_32, fid::REQ_64] {
            let response = fid::response_to(request);
            let name = fid::name(response);
            cases.add(
                format!("EL3 bounces {name} with {how} -> both get NOT_SUPPORTED"),
                move |setup| {
                    let mut arena = Arena::default();
                    let mut world = world(setup, &mut arena)?;
                    let x = world.labels.message(VM2, request, 2, id(B));
                    world.smc(0, VM2, &x)?;
                    world.spmd.refuse_next = Some(refusal);
                    let x = world.response(0, response);
                    expect(world.partition(0, &x)?.kind, Kind::Error(-1))?;
                    payload_passes(&mut world, setup, VM1)
                },
            );
        }
        cases.add(
            format!("EL3 bounces MSG_WAIT with {how} -> NOT_SUPPORTED"),
            move |setup| {
                let mut arena = Arena::default();
                let mut world = world(setup, &mut arena)?;
                let target = u64::from(id(B)) << 16;
                let x = world.labels.call(VM2, fid::RUN_32, &[target]);
                world.smc(0, VM2, &x)?;
                world.spmd.refuse_next = Some(refusal);
                let wait = [0; 7];
                let x = world
                    .labels
                    .call(Origin::Partition(B.0), fid::MSG_WAIT_32, &wait);
                expect(world.partition(0, &x)?.kind, Kind::Error(-1))?;
                payload_passes(&mut world, setup, VM1)
            },
        );
    }
    cases.add(
        "EL3 a secure interrupt: the normal world notices nothing",
        |setup| {
            let mut arena = Arena::default();
            let mut world = world(setup, &mut arena)?;
            for _ in 0..3 {
                payload_passes(&mut world, setup, VM1)?;
                let x = world.labels.frame(VM2);
                expect(world.secure_interrupt(0, VM2, &x)?.kind, Kind::Resumed)?;
            }
            Ok(())
        },
    );
    cases.add(
        "EL3 a secure interrupt while a partition is preempted",
        |setup| {
            let mut arena = Arena::default();
            let mut world = world(setup, &mut arena)?;
            let x = world.labels.message(VM2, fid::REQ_64, 2, id(B));
            world.smc(0, VM2, &x)?;
            let x = world.labels.frame(Origin::Partition(B.0));
            world.interrupt(0, &x)?;
            let x = world.labels.frame(VM2);
            expect(world.secure_interrupt(0, VM2, &x)?.kind, Kind::Resumed)?;
            let target = u64::from(id(B)) << 16;
            let x = world.labels.call(VM2, fid::RUN_32, &[target]);
            expect(world.smc(0, VM2, &x)?.kind, Kind::Resumed)?;
            let x = world.response(0, fid::RESP_64);
            expect(world.partition(0, &x)?.kind, Kind::Message(fid::RESP_64))
        },
    );
    cases.add("EL3 CPU_OFF is answered, the other core goes on", |setup| {
        let mut arena = Arena::default();
        let mut world = world(setup, &mut arena)?;
        let landing = world.cpu_off(1)?;
        if landing.who != Who::Off {
            return Err(format!("{landing:?}"));
        }
        payload_passes(&mut world, setup, VM1)
    });
    cases.add(
        "EL3 a preempted context goes on where it is run next",
        |setup| {
            let mut arena = Arena::default();
            let mut world = world(setup, &mut arena)?;
            let x = world.labels.message(VM2, fid::REQ_64, 2, id(B));
            world.smc(1, VM2, &x)?;
            world.use_vectors(1)?;
            let x = world.labels.frame(Origin::Partition(B.0));
            world.interrupt(1, &x)?;
            world.save(1);
            let target = u64::from(id(B)) << 16;
            let x = world.labels.call(VM2, fid::RUN_32, &[target]);
            expect(world.smc(0, VM2, &x)?.kind, Kind::Resumed)?;
            world.use_vectors(0)?;
            let x = world.response(0, fid::RESP_64);
            expect(world.partition(0, &x)?.kind, Kind::Message(fid::RESP_64))
        },
    );
    cases.add("EL3 nobody is called before it is saved", |setup| {
        let mut arena = Arena::default();
        let mut world = world(setup, &mut arena)?;
        let x = world.labels.message(VM2, fid::REQ_64, 2, id(B));
        world.smc(0, VM2, &x)?;
        let x = world.response(0, fid::RESP_64);
        world.partition(0, &x)?;
        // It waits, and its registers are still on the way to memory.
        let x = world.labels.message(VM1, fid::REQ_64, 1, id(B));
        expect(world.smc(1, VM1, &x)?.kind, Kind::Error(-4))?;
        world.save(0);
        let x = world.labels.message(VM1, fid::REQ_64, 1, id(B));
        expect(world.smc(1, VM1, &x)?.kind, Kind::Message(fid::REQ_64))
    });
}
