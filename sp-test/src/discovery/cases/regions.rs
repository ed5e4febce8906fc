//! The regions that a manifest gives a partition: what may be done with each, and nothing beyond.

use super::{Case, Env, PAGE, Problem, Verdict, Wrong, case, equal, places};
use crate::board::{BOARD, place};
use crate::discovery::Me;
use crate::rt::fault::{self, Fault};
use crate::rt::mmu;

pub(super) const CASES: &[Case] = &[
    case("region_read_write", regions, read_write),
    case("region_read_only", regions, read_only),
    case("region_of_own_read_only", regions, own_read_only),
    case("region_of_normal_world", regions, normal_world),
    case("region_no_execution", regions, no_execution),
    case("region_nothing_beyond", regions, beyond),
    case("region_not_of_others", others, not_of_others),
    case("device_region", device, registers),
    case("device_region_nothing_beyond", device, beyond_device),
];

fn regions(me: &Me) -> bool {
    me.subject.is_some_and(|subject| subject.has_regions())
}

fn device(me: &Me) -> bool {
    me.subject.is_some_and(|subject| subject.has_device())
}

fn others(me: &Me) -> bool {
    me.is_partition() && !regions(me) && !device(me)
}

const DATA_ABORT: u64 = 0x25;
const INSTRUCTION_ABORT: u64 = 0x21;

fn wrong(step: &'static str, turn: u64, problem: Problem) -> Wrong {
    Wrong {
        step,
        turn,
        problem,
    }
}

/// A word that can be read.
fn reads(step: &'static str, address: u64) -> Result<u64, Wrong> {
    fault::probe_read(address).map_err(|fault| wrong(step, address, Problem::Fault(fault)))
}

/// A word that can be written, and is then there.
fn writes(step: &'static str, address: u64, value: u64) -> Verdict {
    // SAFETY: the pages of a region are no memory of this image.
    let result = unsafe { fault::probe_write(address, value) };
    result.map_err(|fault| wrong(step, address, Problem::Fault(fault)))?;
    match reads(step, address)? {
        got if got == value => Ok(()),
        got => Err(wrong(
            step,
            0,
            Problem::Memory {
                at: address,
                got,
                want: value,
            },
        )),
    }
}

/// An access that must fault as an abort of this class, at its address.
fn faults(step: &'static str, address: u64, class: u64, result: Result<u64, Fault>) -> Verdict {
    match result {
        Ok(value) => Err(wrong(step, address, Problem::NoFault(value))),
        Err(fault) if fault.class() == class && fault.far == address => Ok(()),
        Err(fault) => Err(wrong(step, address, Problem::Fault(fault))),
    }
}

fn read_faults(step: &'static str, address: u64) -> Verdict {
    faults(step, address, DATA_ABORT, fault::probe_read(address))
}

fn write_faults(step: &'static str, address: u64) -> Verdict {
    // SAFETY: the page is no memory of this image.
    let result = unsafe { fault::probe_write(address, 0x5a5a) };
    faults(step, address, DATA_ABORT, result.map(|()| 0))
}

fn read_write(_: &mut Env) -> Verdict {
    for at in [0, PAGE - 8, PAGE, 2 * PAGE - 8] {
        let address = places::READ_WRITE + at;
        writes("first", address, 0x1234_5678_9abc_def0 ^ at)?;
        writes("second", address, !at)?;
    }
    Ok(())
}

fn read_only(_: &mut Env) -> Verdict {
    for at in [0, 0x800, PAGE - 8] {
        let address = places::READ_ONLY + at;
        let before = reads("read", address)?;
        write_faults("write", address)?;
        equal("after the write", address, reads("read", address)?, before)?;
    }
    Ok(())
}

/// It is memory of the partition otherwise, and the page before it is as ever.
fn own_read_only(env: &mut Env) -> Verdict {
    let page = env.me.memory().start + places::OWN_READ_ONLY;
    reads("read", page)?;
    write_faults("write", page)?;
    write_faults("write", page + PAGE - 8)?;
    writes("the page before", page - 8, 0x5a5a)
}

/// Reached through stage 1 with the NS bit, and only so.
fn normal_world(_: &mut Env) -> Verdict {
    let base = places::NORMAL_WORLD;
    read_faults("as secure memory", base)?;
    mmu::with_normal_world(|| {
        for at in [PAGE - 8, PAGE, 2 * PAGE - 8] {
            writes("with NS", base + at, 0x0123_4567_89ab_cdef ^ at)?;
        }
        writes("with NS", base, places::LEFT_BEHIND)?;
        // No more of it than the manifest gives.
        read_faults("behind it", base + 2 * PAGE)?;
        read_faults("before it", base - PAGE)?;
        read_faults("the VM's", place(0x5000_0000))
    })?;
    read_faults("as secure memory again", base)
}

fn no_execution(_: &mut Env) -> Verdict {
    for address in [places::READ_WRITE, places::READ_ONLY] {
        // SAFETY: a fetch from there faults; if it does not, the case has failed anyway, and what is
        // executed is a word of zeroes, which is undefined.
        let result = unsafe { fault::probe_execute(address) };
        faults("execute", address, INSTRUCTION_ABORT, result.map(|()| 0))?;
    }
    Ok(())
}

fn beyond(_: &mut Env) -> Verdict {
    for address in [
        places::READ_WRITE - 8,
        places::READ_WRITE + 2 * PAGE,
        places::READ_ONLY - 8,
        places::READ_ONLY + PAGE,
        places::DEVICE,
        places::RX,
        places::TX,
    ] {
        read_faults("read", address)?;
        write_faults("write", address)?;
    }
    Ok(())
}

fn not_of_others(env: &mut Env) -> Verdict {
    for address in [
        places::READ_WRITE,
        places::READ_ONLY,
        places::NORMAL_WORLD,
        places::DEVICE,
    ] {
        read_faults("read", address)?;
        write_faults("write", address)?;
    }
    if env.me.maps() {
        read_faults("read", places::RX)?;
        read_faults("read", places::TX)?;
    }
    Ok(())
}

/// A register of 32 bits.
fn register(offset: u64) -> Result<u64, Wrong> {
    let address = places::DEVICE + offset;
    fault::probe_read_32(address).map_err(|fault| wrong("read", address, Problem::Fault(fault)))
}

/// Those that say what it is, and one that takes a value and gives it back.
fn registers(_: &mut Env) -> Verdict {
    for (offset, want) in BOARD.identification {
        equal("identification", *offset, register(*offset)? & 0xff, *want)?;
    }
    let (offset, values) = BOARD.register;
    for want in values {
        let address = places::DEVICE + offset;
        // SAFETY: a register of a device that is this partition's.
        let result = unsafe { fault::probe_write_32(address, want) };
        result.map_err(|fault| wrong("write", address, Problem::Fault(fault)))?;
        equal("register", offset, register(offset)?, want.into())?;
    }
    Ok(())
}

fn beyond_device(_: &mut Env) -> Verdict {
    for address in [
        places::DEVICE - 8,
        places::DEVICE + PAGE,
        place(0x0904_0000),
        place(0x0903_0000),
        place(0x0800_0000),
        places::READ_WRITE,
    ] {
        read_faults("read", address)?;
    }
    Ok(())
}
