//! Whether the VMs of a machine fit together: nothing is two VMs' or the proxy's own, and the cores'
//! time belongs to one of them.

use super::error::{File, Found, Owner, Path, Problem, VmManifestError, Wanted, clip};
use super::{Interrupt, VmDevice, VmManifest};
use crate::MAX_VMS;
use core::ops::Range;

/// Why VMs do not fit together. It names both.
pub type SetError = VmManifestError;

/// What memory a VM may have.
const RAM: &str = "normal-world RAM that is neither the proxy's nor the device tree's";
/// What devices a VM may have.
const DEVICE: &str =
    "a device of the normal world that reads and writes no memory by itself and is not the proxy's";

/// Checks all VMs of a machine, in the order of the packages.
///
/// `cores` is how many cores the machine has. `ram` says of an address and a size in bytes whether all
/// of it is memory that a VM may have, and `device` the same of devices' registers: not the proxy's and
/// not the firmware's.
///
/// # Errors
/// The first that does not fit: more than [`MAX_VMS`] VMs; an id, memory, a device or an interrupt that
/// is another VM's; memory or a device that nobody may have; no primary or several; a vCPU pinned to a
/// core that does not exist or on which the primary has none, so that nobody would give it cycles.
pub fn check(
    manifests: &[VmManifest],
    cores: u16,
    ram: impl Fn(u64, u64) -> bool,
    device: impl Fn(u64, u64) -> bool,
) -> Result<(), SetError> {
    if manifests.len() > MAX_VMS {
        let problem = Problem::TooMany {
            limit: MAX_VMS,
            what: "VMs",
        };
        return Err(all(None, problem));
    }
    for (index, vm) in manifests.iter().enumerate() {
        let earlier = manifests.get(..index).unwrap_or_default();
        check_id(vm, earlier)?;
        check_memory(vm, earlier, &ram)?;
    }
    // Behind all memory: a device must not lie in a later VM's either.
    for (index, vm) in manifests.iter().enumerate() {
        let earlier = manifests.get(..index).unwrap_or_default();
        check_devices(vm, manifests, earlier, &device)?;
    }
    let primary = primary(manifests)?;
    for vm in manifests {
        check_cores(vm, primary, cores)?;
    }
    Ok(())
}

/// An error about all of them.
fn all(property: Option<&'static str>, problem: Problem) -> SetError {
    SetError {
        file: File::All,
        node: Path::new(),
        property,
        problem,
    }
}

/// An error about a VM's property.
fn about(vm: &VmManifest, property: &'static str, problem: Problem) -> SetError {
    SetError {
        file: vm.file(),
        node: clip("/"),
        property: Some(property),
        problem,
    }
}

/// An error about a property of a VM's device.
fn about_device(
    vm: &VmManifest,
    device: &VmDevice,
    property: &'static str,
    problem: Problem,
) -> SetError {
    // 16 and at most 32 bytes of 64.
    let mut node: Path = clip("/device-regions/");
    let _ = node.push_str(&device.name);
    SetError {
        node,
        ..about(vm, property, problem)
    }
}

/// Whether two ranges share an address.
fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end && b.start < a.end
}

fn check_id(vm: &VmManifest, earlier: &[VmManifest]) -> Result<(), SetError> {
    match earlier.iter().find(|other| other.id == vm.id) {
        None => Ok(()),
        Some(other) => {
            let problem = Problem::Duplicate {
                found: Found::Number(vm.id.0.into()),
                by: Owner::Vm(other.file()),
            };
            Err(about(vm, "id", problem))
        }
    }
}

fn check_memory(
    vm: &VmManifest,
    earlier: &[VmManifest],
    ram: impl Fn(u64, u64) -> bool,
) -> Result<(), SetError> {
    let memory = &vm.memory;
    let property = "load-address";
    if !ram(memory.start, memory.end.saturating_sub(memory.start)) {
        let problem = Problem::Outside {
            found: memory.clone(),
            wanted: RAM,
        };
        return Err(about(vm, property, problem));
    }
    let mut others = earlier.iter();
    match others.find(|other| overlap(&other.memory, memory)) {
        None => Ok(()),
        Some(other) => {
            let problem = Problem::Overlap {
                found: memory.clone(),
                other: Owner::MemoryOf(other.file()),
                at: other.memory.clone(),
            };
            Err(about(vm, property, problem))
        }
    }
}

fn check_devices(
    vm: &VmManifest,
    manifests: &[VmManifest],
    earlier: &[VmManifest],
    allowed: impl Fn(u64, u64) -> bool,
) -> Result<(), SetError> {
    for (index, device) in vm.devices.iter().enumerate() {
        let range = &device.registers;
        let fail = |problem| Err(about_device(vm, device, "base-address", problem));
        if !allowed(range.start, range.end.saturating_sub(range.start)) {
            let found = range.clone();
            return fail(Problem::Outside {
                found,
                wanted: DEVICE,
            });
        }
        let taken = |other, at: &Range<u64>| {
            fail(Problem::Overlap {
                found: range.clone(),
                other,
                at: at.clone(),
            })
        };
        if overlap(&vm.memory, range) {
            return taken(Owner::OwnMemory, &vm.memory);
        }
        if let Some(other) = manifests.iter().find(|vm| overlap(&vm.memory, range)) {
            return taken(Owner::MemoryOf(other.file()), &other.memory);
        }
        let own = vm.devices.get(..index).unwrap_or_default();
        if let Some(other) = own.iter().find(|other| overlap(&other.registers, range)) {
            return taken(Owner::Node(other.name.clone()), &other.registers);
        }
        for other in earlier {
            let mut devices = other.devices.iter();
            if let Some(device) = devices.find(|device| overlap(&device.registers, range)) {
                return taken(Owner::DeviceOf(other.file()), &device.registers);
            }
        }
        for Interrupt { intid, .. } in &device.interrupts {
            let has = |vm: &&VmManifest| {
                let mut interrupts = vm.devices.iter().flat_map(|device| &device.interrupts);
                interrupts.any(|other| other.intid == *intid)
            };
            if let Some(other) = earlier.iter().find(has) {
                let problem = Problem::Duplicate {
                    found: Found::Number((*intid).into()),
                    by: Owner::Vm(other.file()),
                };
                return Err(about_device(vm, device, "interrupts", problem));
            }
        }
    }
    Ok(())
}

/// The primary.
fn primary(manifests: &[VmManifest]) -> Result<&VmManifest, SetError> {
    let property = "primary";
    let mut primaries = manifests.iter().filter(|vm| vm.primary);
    let Some(primary) = primaries.next() else {
        return Err(all(Some(property), Problem::NoPrimary));
    };
    match primaries.next() {
        None => Ok(primary),
        Some(second) => {
            let problem = Problem::SecondPrimary(primary.file());
            Err(about(second, property, problem))
        }
    }
}

fn check_cores(vm: &VmManifest, primary: &VmManifest, cores: u16) -> Result<(), SetError> {
    for core in vm.cores.iter().flatten() {
        let wanted = if *core >= cores {
            Wanted::CoreBelow(cores)
        } else if !primary.cores.contains(&Some(*core)) {
            Wanted::CoreOf(primary.file())
        } else {
            continue;
        };
        let found = Found::Number((*core).into());
        return Err(about(vm, "vcpu-cores", Problem::Wrong { found, wanted }));
    }
    Ok(())
}
