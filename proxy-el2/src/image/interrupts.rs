//! This core's own timer, and what it is for: looking after consoles, the time slice, and the virtual timers of
//! vCPUs that are on this core and not live.

use super::{
    BOARD,
    vms::{self, KICK, Vm},
};
use defmt::error;
use platform::{
    endpoint_console, gic,
    timer::{self, ticks},
    vm_state,
};
use proxy_el2::{
    MAX_VMS,
    vcpu::{VcpuId, VmIndex},
};

/// For how long a line must not grow until it is shown unfinished.
const IDLE_US: u32 = 50_000;

/// What the primary's manifest says of time.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Microseconds between two looks at consoles; `None`: never.
    pub housekeeping_us: Option<u32>,
    /// Microseconds for which the first of a chain may be away.
    pub time_slice_us: u32,
}

/// Who is told of an interrupt: a vCPU.
#[derive(Clone, Copy)]
pub struct Receiver {
    /// Its VM.
    pub vm: &'static Vm,
    /// Its index.
    pub vcpu: u8,
}

/// No time at all.
const NEVER: u64 = u64::MAX;

/// One core's timer. It is set anew only for what comes earlier than what it is set for: once in a while it fires for
/// nothing, and a message's path leaves it alone.
#[derive(Debug)]
pub struct Interrupts {
    /// Ticks between two looks at consoles.
    period: u64,
    /// After how many looks an unfinished line is shown.
    patience: u32,
    look: u64,
    /// Ticks for which the first of the chain may be away.
    slice: u64,
    slice_end: u64,
    /// When the timers fire of vCPUs that are on this core and not live, by VM: none is twice in a chain. Those of the
    /// live one are left as they were.
    deadlines: [u64; MAX_VMS],
    /// Which vCPU of each VM that is.
    vcpus: [u8; MAX_VMS],
    /// When the timer fires.
    armed: u64,
}

impl Interrupts {
    /// Brings up this core's interrupts, and an SGI by which the SPMC asks for cycles, if it does. The first core looks
    /// after consoles.
    pub fn start(first: bool, times: &Times, sri: Option<u32>) -> Self {
        let looks = times.housekeeping_us.filter(|_| first);
        let period = looks.map(|us| timer::ticks_in_us(us.into()));
        let mut this = Self {
            period: period.unwrap_or(0),
            patience: IDLE_US.div_ceil(looks.unwrap_or(IDLE_US).max(1)),
            look: period.map_or(NEVER, |period| ticks().wrapping_add(period)),
            slice: timer::ticks_in_us(times.time_slice_us.into()),
            slice_end: NEVER,
            deadlines: [NEVER; MAX_VMS],
            vcpus: [0; MAX_VMS],
            armed: NEVER,
        };
        gic::split_end();
        let own = [
            BOARD.virtual_timer,
            BOARD.normal_el2_timer,
            BOARD.gic_maintenance,
            KICK,
        ];
        for intid in own.into_iter().chain(sri) {
            // SAFETY: The GIC is mapped, this is NS-EL2, and nothing else uses the redistributor.
            if let Err(problem) = unsafe { gic::enable_private(&BOARD.gic, intid) } {
                error!(
                    "interrupt {=u32} stays silent: {}",
                    intid,
                    defmt::Debug2Format(&problem)
                );
            }
        }
        vm_state::set_own_timer(None);
        this.arm();
        this
    }

    /// Sets the timer to what comes first.
    fn arm(&mut self) {
        let deadlines = self.deadlines.iter().copied().min();
        let next = deadlines
            .unwrap_or(NEVER)
            .min(self.look)
            .min(self.slice_end);
        if next != self.armed {
            vm_state::set_own_timer(Some(next).filter(|at| *at != NEVER));
            self.armed = next;
        }
    }

    /// The timer fires at this time, if not before.
    #[inline(always)]
    fn need(&mut self, at: u64) {
        if at < self.armed {
            vm_state::set_own_timer(Some(at));
            self.armed = at;
        }
    }

    /// The timer has fired: its line is low until it is set anew.
    pub fn fired(&mut self) {
        vm_state::set_own_timer(None);
        self.armed = NEVER;
    }

    /// This core is about to be switched off: nothing fires any more.
    pub fn stop(&mut self) {
        self.fired();
        gic::close_normal_core();
    }

    /// It was not switched off after all.
    pub fn go_on(&mut self) {
        gic::open_normal_core();
        self.arm();
    }

    /// The first of the chain gives the core away, or has it back.
    #[inline(always)]
    pub fn slice(&mut self, away: bool) {
        if away {
            self.slice_end = timer::ticks_about_now().wrapping_add(self.slice);
            self.need(self.slice_end);
        } else {
            self.slice_end = NEVER;
        }
    }

    /// A vCPU that is not live stays on this core; its timer fires at this time.
    pub fn watch(&mut self, id: VcpuId, deadline: u64) {
        self.deadlines[id.vm.index()] = deadline;
        self.vcpus[id.vm.index()] = id.vcpu;
        self.need(deadline);
    }

    /// When the timer of a vCPU fires that this core watches.
    pub fn watched(&self, id: VcpuId) -> Option<u64> {
        let deadline = self.deadlines[id.vm.index()];
        (deadline != NEVER).then_some(deadline)
    }

    /// Whether there is a vCPU whose timer is this core's business.
    pub fn watches(&self) -> bool {
        self.deadlines.iter().any(|at| *at != NEVER)
    }

    /// A vCPU leaves this core, or its timer does not fire.
    pub fn forget(&mut self, id: VcpuId) {
        self.deadlines[id.vm.index()] = NEVER;
    }

    /// Does what its time has come for. `live` has its own timer. `true` if the time slice is over.
    pub fn expire(&mut self, live: Option<VcpuId>) -> bool {
        let now = ticks();
        if self.look <= now {
            self.look = now.wrapping_add(self.period);
            for vm in vms::all() {
                endpoint_console::flush_idle(vm.id, self.patience);
            }
        }
        let places = self.deadlines.iter_mut().zip(self.vcpus);
        for (place, (deadline, vcpu)) in (0u8..).zip(places) {
            if *deadline > now {
                continue;
            }
            *deadline = NEVER;
            let id = VcpuId {
                vm: VmIndex(place),
                vcpu,
            };
            if live == Some(id) {
                continue;
            }
            if let Some(vm) = vms::of(id) {
                // It is not live: whether it is to be told is looked at next.
                let timer = BOARD.virtual_timer;
                let kick = vm.gic.lock().level(vcpu, timer, true);
                // The level is taken back when it is live again, whether there is somebody to tell now or not.
                vm.kick(kick | 1 << (vcpu & 7), Some(vcpu));
            }
        }
        let over = self.slice_end <= now;
        if over {
            self.slice_end = NEVER;
        }
        self.arm();
        over
    }
}
