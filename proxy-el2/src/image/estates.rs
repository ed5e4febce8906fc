//! What memory transactions do to VMs' stage 2, and to memory.
//!
//! Whether any of it may be, the core has decided. A VM's intermediate physical addresses are physical ones.

use super::{
    cpu::Cpu,
    memory::MAP,
    vms::{self, Vm},
};
use core::ops::Range;
use defmt::error;
use ffa_abi::{
    FfaError,
    sharing::{Estates, Pages, Party, Pieces, View},
};
use platform::{
    stage1::Kind,
    stage2::{Attr, Mapping, Memory, Stage2, Stage2Error, Tlbi},
    trap::Fault,
};
use proxy_el2::vcpu::VmIndex;

/// The addresses of these pages.
fn ranges(pieces: Pieces<'_>) -> impl Iterator<Item = Range<u64>> + Clone {
    pieces.map(|pages| pages.base..pages.end())
}

/// Changes the stage 2 of a VM; nothing is to be done for the secure world.
fn change(
    who: Party,
    work: impl FnOnce(&mut Stage2<'static>, &Tlbi) -> Result<(), Stage2Error>,
) -> Result<(), FfaError> {
    let vm = who.0.checked_sub(1).and_then(|vm| vms::get(VmIndex(vm)));
    let Some(vm) = vm else { return Ok(()) };
    let mut stage2 = vm.stage2.lock();
    let flush = Tlbi::normal(vm.vttbr);
    work(&mut stage2, &flush).map_err(|error| {
        // Tables are all that may be missing.
        if error != Stage2Error::OutOfTables {
            error!(
                "VM {=u16}: its stage 2 is not what it should be: {}",
                vm.id,
                defmt::Debug2Format(&error)
            );
        }
        FfaError::NoMemory
    })
}

impl Estates for Cpu {
    fn grant(&mut self, who: Party, pieces: Pieces<'_>, view: View) -> Result<(), FfaError> {
        let attr = Attr {
            memory: match view.device {
                true => Memory::Device,
                false => Memory::Normal,
            },
            read: true,
            write: view.write,
            execute: view.execute,
            normal_world: false,
        };
        let mappings = pieces.map(|pages: Pages| Mapping {
            ipa: pages.base,
            pa: pages.base,
            len: pages.bytes(),
            attr,
        });
        change(who, |stage2, flush| stage2.map_all(mappings, flush))
    }

    fn revoke(&mut self, who: Party, pieces: Pieces<'_>, _: View) -> Result<(), FfaError> {
        change(who, |stage2, flush| stage2.unmap_all(ranges(pieces), flush))
    }

    fn hide(&mut self, who: Party, pieces: Pieces<'_>, _: bool) -> Result<(), FfaError> {
        change(who, |stage2, flush| stage2.hide(ranges(pieces), flush))
    }

    fn show(&mut self, who: Party, pieces: Pieces<'_>, _: bool) {
        let _ = change(who, |stage2, flush| {
            stage2.show(ranges(pieces), flush);
            Ok(())
        });
    }

    fn give_up(&mut self, who: Party, pieces: Pieces<'_>, _: bool) {
        let _ = change(who, |stage2, flush| {
            stage2.give_up(ranges(pieces), flush);
            Ok(())
        });
    }

    fn zero(&mut self, pieces: Pieces<'_>, _: bool) {
        let Some(map) = MAP.get() else { return };
        for range in ranges(pieces) {
            let start = range.start;
            let range = range.start as usize..range.end as usize;
            // SAFETY: RAM of a VM's, which is apart from the image's (`load`). The map has a window (`boot`).
            if unsafe { map.zero(range, Kind::Data) }.is_err() {
                error!("memory at {=u64:#x} could not be zeroed", start);
            }
        }
    }
}

/// Whether a translation fault of a VM is none any more: it was met in the middle of a change by another core, such as
/// the splitting of a block. Asked when that is over.
pub fn covers(vm: &Vm, fault: &Fault) -> bool {
    fault.is_translation_fault() && vm.stage2.lock().covers(fault.ipa())
}
