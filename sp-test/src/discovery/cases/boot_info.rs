//! How a partition was entered: x0-x7, and the boot information with what it points at (DEN0077A,
//! "Boot information protocol").

use super::{Case, Env, Problem, Verdict, Wrong, case, equal, for_, read};
use crate::abi;
use crate::boot_info::{self, BootInfo};
use crate::discovery::{BootInformation, Me, Subject};
use crate::rt::{fault, regs};

pub(super) const CASES: &[Case] = &[
    case("entry_registers", for_::partitions, registers),
    case("boot_information_header", informed, header),
    case("boot_information_descriptors", informed, descriptors),
    case("boot_information_manifest", has_manifest, manifest),
    case("boot_information_hob_list", has_hob_list, hob_list),
];

fn boot(me: &Me) -> Option<(&'static Subject, BootInformation)> {
    let subject = me.subject?;
    Some((subject, subject.boot?))
}

fn informed(me: &Me) -> bool {
    boot(me).is_some()
}

fn has_manifest(me: &Me) -> bool {
    boot(me).is_some_and(|(_, boot)| boot.fdt)
}

fn has_hob_list(me: &Me) -> bool {
    boot(me).is_some_and(|(_, boot)| boot.hob_list)
}

const FDT: u64 = 0;
const HOB_LIST: u64 = 1;

/// Sizes of the header and of a descriptor, in bytes.
const HEADER: u64 = 32;
const DESCRIPTOR: u64 = 32;

fn registers(env: &mut Env) -> Verdict {
    let carrier = env.me.subject.and_then(|subject| subject.boot);
    for (register, value) in env.start.regs.into_iter().enumerate() {
        if carrier.is_some_and(|boot| boot.register == register) {
            continue;
        }
        // x4 is the execution context's index, as is MPIDR_EL1: this one is the boot core's.
        equal("x", register as u64, value, 0)?;
    }
    equal("MPIDR_EL1", 0, regs::mpidr(), 1 << 31)?;
    equal("CurrentEL", 0, regs::current_el(), 1)
}

/// Where it is: in the register that the manifest names.
fn place(env: &Env) -> u64 {
    boot(&env.me)
        .and_then(|(_, boot)| env.start.regs.get(boot.register).copied())
        .unwrap_or(0)
}

/// A word of it.
fn word(address: u64) -> Result<u64, Wrong> {
    fault::probe_read(address).map_err(|fault| Wrong {
        step: "reading it",
        turn: address,
        problem: Problem::Fault(fault),
    })
}

fn header(env: &mut Env) -> Verdict {
    let place = place(env);
    let inside = u64::from(env.me.memory().contains(&place));
    equal("its address is the partition's", place, inside, 1)?;
    equal("its alignment", place, place & 7, 0)?;
    let mut words = [0; 8];
    for (at, pair) in (place..).step_by(8).zip(words.chunks_exact_mut(2)) {
        let value = word(at)?;
        pair.copy_from_slice(&[value as u32, (value >> 32) as u32]);
    }
    equal("signature", 0, words[0].into(), 0x0ffa)?;
    if !(abi::V1_0..=abi::V1_3).contains(&words[1]) {
        equal("version", 0, words[1].into(), env.me.version.into())?;
    }
    let judged = boot_info::judge(&words) as u64;
    equal("sizes", 0, judged, BootInfo::Good as u64)?;
    let count = boot(&env.me).map_or(0, |(_, boot)| {
        u64::from(boot.fdt) + u64::from(boot.hob_list)
    });
    equal("descriptors", 0, words[4].into(), count)?;
    equal("size", 0, words[2].into(), HEADER + count * DESCRIPTOR)
}

/// The address and size of the item of a kind.
fn item(env: &Env, kind: u64) -> Result<[u64; 2], Wrong> {
    let place = place(env);
    let count = word(place + 16)? & 0xffff_ffff;
    let offset = word(place + 16)? >> 32;
    for n in 0..count.min(8) {
        let at = place + offset + n * DESCRIPTOR;
        let head = word(at + 16)?;
        if head & 0xff == kind {
            return Ok([word(at + 24)?, head >> 32]);
        }
    }
    equal("an item of this kind", kind, 0, 1)?;
    Ok([0; 2])
}

/// Type, flags and reserved bits of each; the contents of both are addresses in the partition.
fn descriptors(env: &mut Env) -> Verdict {
    let place = place(env);
    let sixteen = word(place + 16)?;
    let (count, offset) = (sixteen & 0xffff_ffff, sixteen >> 32);
    for n in 0..count.min(8) {
        let at = place + offset + n * DESCRIPTOR;
        let head = word(at + 16)?;
        let kind = head & 0xff;
        if kind > HOB_LIST {
            equal("type", n, kind, FDT)?;
        }
        equal("reserved", n, head >> 8 & 0xff, 0)?;
        // Name as a string, contents as an address.
        equal("flags", n, head >> 16 & 0xffff, 0)?;
        let (address, size) = (word(at + 24)?, head >> 32);
        equal("a size", n, u64::from(size != 0), 1)?;
        let memory = env.me.memory();
        let inside = memory.contains(&address) && address + size <= memory.end;
        equal("an address inside", n, u64::from(inside), 1)?;
    }
    Ok(())
}

/// A big-endian word of 32 bits.
fn big(address: u64) -> u64 {
    let word = read(address & !7);
    let half = if address & 4 == 0 { word } else { word >> 32 };
    u64::from((half as u32).swap_bytes())
}

fn manifest(env: &mut Env) -> Verdict {
    let [address, size] = item(env, FDT)?;
    word(address)?;
    equal("a device tree's magic", address, big(address), 0xd00d_feed)?;
    equal("its size", address, big(address + 4), size)?;
    // The version in it is this partition's: `ffa-version` is the only property of that value.
    let found = (address..address + size)
        .step_by(4)
        .any(|at| big(at) == u64::from(env.me.version));
    equal("ffa-version in it", address, u64::from(found), 1)
}

fn hob_list(env: &mut Env) -> Verdict {
    let [address, size] = item(env, HOB_LIST)?;
    // What the packer has put there: a hand-off information table, and the end.
    equal("size", address, size, 64)?;
    equal("type and length", address, word(address)?, 56 << 16 | 1)?;
    equal("version", address, word(address + 8)?, 9)?;
    equal("end", address, word(address + 56)?, 8 << 16 | 0xffff)
}
