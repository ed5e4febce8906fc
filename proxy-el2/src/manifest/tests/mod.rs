//! Host tests of VMs' manifests: good ones, one mistake at a time, sets of them, and arbitrary bytes.

// The compiler for device trees of the SPMC's tests.
#[path = "../../../../spmc/src/manifest/tests/dts.rs"]
mod dts;
mod fuzz;
mod good;
mod mistakes;
mod sets;

use super::*;

/// The manifest of a machine with one VM.
const ONE: &str = include_str!("../../../../fvp-configs/qemu-virt/vm.dts");
/// Those of a machine with three.
const FIRST: &str = include_str!("../../../../fvp-configs/qemu-virt/vms-1.dts");
const SECOND: &str = include_str!("../../../../fvp-configs/qemu-virt/vms-2.dts");
const THIRD: &str = include_str!("../../../../fvp-configs/qemu-virt/vms-3.dts");
/// One with all that a secondary's manifest may have.
const FULL: &str = include_str!("full.dts");

/// Reads a manifest.
fn parse(source: &str) -> Result<VmManifest, VmManifestError> {
    VmManifest::parse(&dts::compile(source))
}

/// A source text with one place changed.
fn changed(source: &str, from: &str, to: &str) -> String {
    assert_eq!(source.matches(from).count(), 1, "{from:?} stands once");
    source.replacen(from, to, 1)
}

/// What this machine has for VMs: memory, and four pages of devices.
fn ram(base: u64, size: u64) -> bool {
    base >= 0x4800_0000 && base.checked_add(size).is_some_and(|end| end <= 0x6000_0000)
}

fn device(base: u64, size: u64) -> bool {
    let inside =
        |from: u64, to: u64| base >= from && base.checked_add(size).is_some_and(|end| end <= to);
    inside(0x0901_0000, 0x0901_4000) || inside(0x0400_0000, 0x0800_0000)
}

/// Checks manifests that are good each for itself.
fn check(sources: &[&str], cores: u16) -> Result<(), SetError> {
    let manifests: Vec<_> = sources
        .iter()
        .map(|source| parse(source).unwrap())
        .collect();
    set::check(&manifests, cores, ram, device)
}

use set::SetError;
