//! What endpoints are told of indirect messages.

use super::*;

const SEND2: u64 = Function::MsgSend2.raw32() as u64;

#[test]
fn the_call_is_there_from_1_1_on() {
    for version in [Version::V1_0, Version::V1_1, Version::V1_2, Version::V1_3] {
        let mut specs = SPECS;
        specs[0] = Spec::up(version).methods(ALL);
        let mut w = World::of(version, &specs);
        for who in [Os, Sp(A)] {
            w.turn(who);
            let features = Function::Features.raw32();
            let wide = SEND2 | 1 << 30;
            w.refused(frame(&[features.into(), wide]), NotSupported);
            let features = frame(&[features.into(), SEND2]);
            match version < Version::V1_1 {
                true => w.refused(features, NotSupported),
                false => w.answered(features, &DONE),
            }
        }
    }
}

#[test]
fn who_has_them_is_told_in_bit_2() {
    let mut specs = SPECS;
    // One that has settled for 1.0 has not, whatever its manifest says.
    specs[3] = Spec::up(Version::V1_0).methods(ALL);
    let mut w = World::of(Version::V1_1, &specs);
    for who in [Os, Sp(A)] {
        w.turn(who);
        w.call(frame(&[Function::PartitionInfoGet.raw32().into()]));
        let x = w.result();
        assert_eq!(x[0], DONE[0]);
        let (count, size) = (x[2] as usize, x[3] as usize);
        let rx = w.machine.peek(who.rx(), count * size);
        for info in rx.chunks(size) {
            let told = u16::from_le_bytes([info[0], info[1]]);
            let bit = info[4] & 1 << 2 != 0;
            assert_eq!(
                bit,
                [A, B, C].map(id).contains(&EndpointId(told)),
                "{told:#x}"
            );
        }
        assert_eq!(w.release(who), Ok(()));
    }
}
