//! The rules of retrieving as a list: all rows that a request breaks, each by its number.

use super::naive::{Broken, Deal, Granted, PARTIES, Page, is, mapped};
use crate::rig::*;
use ffa_abi::{
    memory::{DataAccess, InstructionAccess},
    sharing::Retrieve,
};

pub fn broken(deal: &Deal, memory: &Page, who: usize, request: &Retrieve) -> (Granted, Broken) {
    assert!(who < PARTIES);
    let mut broken = Broken::new();
    let mut row = |row: u32, at: usize, wrong: bool, error| {
        if wrong {
            broken.push(((row, at), error));
        }
    };
    let bits = request.flags.bits();
    let (zero, zero_after) = (bits & 1 != 0, bits & 4 != 0);
    let sent = &deal.send.receivers;
    let listed = &request.receivers;
    let several = sent.len() > 1;
    let share = deal.send.kind == Share;
    row(6, 0, deal.orphan, Denied);
    row(8, 0, request.sender != deal.send.sender, Denied);
    let vms = listed.iter().filter(|it| it.endpoint.0 < 0x8000).count();
    row(9, 0, request.caller.0 < 0x8000 && vms > 1, NotSupported);
    row(
        10,
        0,
        !is(request.flags.kind(), deal.send.kind),
        InvalidParameters,
    );
    row(11, 0, request.tag != deal.send.tag, InvalidParameters);
    let mine = deal.receiver(who, request.caller);
    row(12, 0, mine.is_none(), InvalidParameters);
    row(13, 0, bits & 0xffff_fbe0 != 0, InvalidParameters);
    row(14, 0, share && (zero || zero_after), InvalidParameters);
    row(15, 0, zero && deal.send.flags.bits() & 1 == 0, Denied);
    row(16, 0, request.attributes.0 & 0x40 != 0, InvalidParameters);
    row(17, 0, !mapped(request.attributes), Denied);
    let bypass = bits & 0x400 != 0;
    let wrong_list = if bypass {
        !several || listed.len() != 1
    } else {
        listed.len() != sent.len()
    };
    row(18, 0, wrong_list, InvalidParameters);
    let mut granted = None;
    for (at, entry) in listed.iter().enumerate() {
        // Within an entry the rows are tenths.
        let part = |sub: usize| at * 10 + sub;
        let Some(found) = sent.iter().position(|it| it.endpoint == entry.endpoint) else {
            row(19, part(0), true, Denied);
            continue;
        };
        let most_write = match sent[found].data {
            DataAccess::ReadWrite => true,
            DataAccess::ReadOnly => false,
            DataAccess::Unspecified => memory.write,
        };
        row(19, part(1), entry.data == ReadWrite && !most_write, Denied);
        let write = most_write && entry.data != ReadOnly;
        let says = !share && !several;
        let said = entry.instruction != InstructionAccess::Unspecified;
        row(19, part(2), said != says, InvalidParameters);
        let executes = entry.instruction == Executable;
        let of_normal_world = memory.normal_world && entry.endpoint.0 >= 0x8000;
        row(19, part(3), executes && of_normal_world, InvalidParameters);
        row(
            19,
            part(4),
            executes && (!memory.execute || memory.device),
            Denied,
        );
        let twice = listed[..at].iter().any(|it| it.endpoint == entry.endpoint);
        row(19, part(5), twice, InvalidParameters);
        if Some(found) != mine {
            continue;
        }
        let unfit = !write || memory.device;
        row(19, part(6), unfit && (zero || zero_after), Denied);
        let values = sent[found].implementation.zip(entry.implementation);
        row(
            19,
            part(7),
            values.is_some_and(|(one, two)| one != two),
            InvalidParameters,
        );
        let data = if write { ReadWrite } else { ReadOnly };
        let instruction = if executes { Executable } else { NotExecutable };
        granted = Some((found, data, instruction));
    }
    row(24, 0, granted.is_none(), InvalidParameters);
    let normal = request.attributes.0 >> 4 & 3 == 2;
    row(25, 0, memory.device && normal, Denied);
    if let Some((found, data, instruction)) = granted {
        let has = deal.has[found];
        let other = (has.data, has.instruction) != (data, instruction);
        row(26, 0, has.times != 0 && (other || has.times == 255), Denied);
    }
    (granted, broken)
}
