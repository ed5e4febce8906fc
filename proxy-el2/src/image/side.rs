//! What others may know of a vCPU: where it is, whether it has something to look at, and, while it is not live, its
//! virtual CPU interface.

use core::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use platform::gic::virt::Interface;
use proxy_el2::vcpu::VcpuId;

/// No core, and no VM.
pub const NOBODY: u8 = u8::MAX;

/// One vCPU's.
#[repr(C)]
pub struct Side {
    /// Whether its interrupt controller has something new.
    attention: AtomicBool,
    /// The core that has it.
    core: AtomicU8,
    id: VcpuId,
    /// The physical interrupt of its timer is held for it: it has it in hands, and it does not come again meanwhile.
    held: AtomicBool,
    /// ICH_VMCR_EL2, while it is not live.
    settings: AtomicU64,
    /// ICH_AP0Rn_EL2 and ICH_AP1Rn_EL2, while it is not live.
    active: [[AtomicU64; 4]; 2],
}

impl Side {
    /// Of one that no core has.
    pub const fn new(id: VcpuId) -> Self {
        Self {
            attention: AtomicBool::new(false),
            core: AtomicU8::new(NOBODY),
            id,
            held: AtomicBool::new(false),
            settings: AtomicU64::new(0),
            active: [const { [const { AtomicU64::new(0) }; 4] }; 2],
        }
    }

    /// Whose it is.
    pub const fn id(&self) -> VcpuId {
        self.id
    }

    /// Its interrupt controller has something new.
    pub fn look(&self) {
        self.attention.store(true, Ordering::SeqCst);
    }

    /// It is looked at now: what is new from here on is looked at again.
    pub fn looked(&self) {
        self.attention.store(false, Ordering::SeqCst);
    }

    /// Whether its interrupt controller has something new. What another core does just now may be missed: it tells
    /// this one.
    #[inline(always)]
    pub fn has_news(&self) -> bool {
        self.attention.load(Ordering::Relaxed)
    }

    /// A core has it from now on. Gives whether there is something new: what comes later is told to that core.
    #[inline(always)]
    pub fn arrives(&self, core: u16) -> bool {
        self.core.store(core as u8, Ordering::SeqCst);
        self.attention.load(Ordering::SeqCst)
    }

    /// No core has it any more.
    #[inline(always)]
    pub fn leaves(&self) {
        self.core.store(NOBODY, Ordering::SeqCst);
    }

    /// The core that has it.
    pub fn core(&self) -> Option<u16> {
        match self.core.load(Ordering::SeqCst) {
            NOBODY => None,
            core => Some(core.into()),
        }
    }

    /// Its virtual CPU interface.
    pub fn interface(&self) -> Interface {
        let load = |word: &AtomicU64| word.load(Ordering::Relaxed);
        Interface {
            vmcr: self.settings(),
            active: self.active.each_ref().map(|of| of.each_ref().map(load)),
        }
    }

    /// Saves its virtual CPU interface.
    pub fn set_interface(&self, interface: &Interface) {
        self.set_settings(interface.vmcr);
        let values = interface.active.iter().flatten();
        for (to, from) in self.active.iter().flatten().zip(values) {
            to.store(*from, Ordering::Relaxed);
        }
    }

    /// Of its virtual CPU interface what it has set.
    #[inline(always)]
    pub fn settings(&self) -> u64 {
        self.settings.load(Ordering::Relaxed)
    }

    /// Saves that.
    #[inline(always)]
    pub fn set_settings(&self, vmcr: u64) {
        self.settings.store(vmcr, Ordering::Relaxed);
    }

    /// Whether the physical interrupt of its timer is held for it.
    pub fn hold_timer(&self, held: bool) {
        self.held.store(held, Ordering::Relaxed);
    }

    /// Whether it is.
    pub fn is_timer_held(&self) -> bool {
        self.held.load(Ordering::Relaxed)
    }

    /// It handles no interrupt, and none is in its way: so it stays when it is put away, as long as nothing else is
    /// [saved](Self::set_interface).
    pub fn is_calm(&self) {
        self.set_interface(&Interface::RESET);
        self.hold_timer(false);
    }
}
