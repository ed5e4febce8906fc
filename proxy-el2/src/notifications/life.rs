//! The bitmaps of VMs at the SPMC: there as long as the VM is.

use super::THERE;
use crate::{
    forward::{El3, ask},
    proxy::Proxy,
    vcpu::VmIndex,
    vm::Vm,
};
use core::sync::atomic::{AtomicBool, Ordering::Relaxed};
use ffa_abi::{Call, EndpointId, FfaError};

/// Whether the SPMC still has a bitmap of a VM that has ended: looked at without a lock.
pub(crate) type Bitmaps = AtomicBool;

/// How often the SPMC is asked to destroy a bitmap at once: a partition may set notifications meanwhile.
const MOST_TRIES: usize = 4;

impl<R> Proxy<'_, R> {
    /// Has the SPMC keep the notifications of those VMs that receive any. After all were added, and before any runs.
    /// `refused` gets each for which it does not: that one receives none.
    pub fn create_bitmaps(
        &self,
        machine: &mut impl El3,
        mut refused: impl FnMut(EndpointId, FfaError),
    ) {
        if !self.upstream.notifications {
            return;
        }
        for vm in self.vms.iter().filter(|vm| vm.info.notifications) {
            let create = Call::NotificationBitmapCreate {
                vm: vm.info.id,
                contexts: vm.info.vcpus.into(),
            };
            match ask(create, machine) {
                Ok(_) => vm.set_bitmap(true),
                Err(error) => refused(vm.info.id, error),
            }
        }
    }

    /// A VM has ended: what was bound by it or to it is bound no more, and nothing is pending for it.
    pub(crate) fn end_notifications(&self, index: VmIndex, machine: &mut impl El3) {
        let Some(vm) = self.vms.get(usize::from(index.0)) else {
            return;
        };
        vm.receiver.lock().clear();
        for other in &self.vms {
            other.receiver.lock().forget_sender(vm.info.id);
        }
        if !(0..MOST_TRIES).any(|_| destroy_bitmap(vm, machine)) {
            self.bitmaps.store(true, Relaxed);
        }
    }

    /// Tries again to have bitmaps destroyed of VMs that have ended: each once.
    pub(crate) fn destroy_bitmaps_again(&self, machine: &mut impl El3) {
        if self.bitmaps.load(Relaxed) {
            self.destroy_all(machine);
        }
    }

    #[cold]
    #[inline(never)]
    fn destroy_all(&self, machine: &mut impl El3) {
        // Another core that does so already does it.
        if !self.bitmaps.swap(false, Relaxed) {
            return;
        }
        for vm in self.vms.iter().filter(|vm| vm.is_dead()) {
            if !destroy_bitmap(vm, machine) {
                self.bitmaps.store(true, Relaxed);
            }
        }
    }
}

/// Has the SPMC forget a VM's notifications: what is pending is read first, or it refuses. `false` if something has become
/// pending meanwhile.
fn destroy_bitmap<R>(vm: &Vm<'_, R>, machine: &mut impl El3) -> bool {
    if !vm.has_bitmap() {
        return true;
    }
    let id = vm.info.id;
    for context in 0..vm.info.vcpus.into() {
        let get = Call::NotificationGet {
            receiver: id,
            context,
            flags: THERE,
        };
        // It goes to nobody.
        let _ = ask(get, machine);
    }
    match ask(Call::NotificationBitmapDestroy { vm: id }, machine) {
        Err(FfaError::Denied) => false,
        // Any other error says that there is none.
        _ => {
            vm.set_bitmap(false);
            true
        }
    }
}
