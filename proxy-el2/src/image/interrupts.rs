//! This core's own timer, and what it is for: looking after consoles, the time slice, and the virtual timers of
//! vCPUs that are on this core and not live.

use super::{
    BOARD,
    vms::{self, KICK},
};
use defmt::error;
use platform::{
    endpoint_console, gic,
    timer::{self, ticks},
    vm_state,
};
use proxy_el2::{MAX_VMS, vcpu::VcpuId};

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

/// One core's timer.
#[derive(Debug)]
pub struct Interrupts {
    /// Ticks between two looks at consoles.
    period: u64,
    /// After how many looks an unfinished line is shown.
    patience: u32,
    look: Option<u64>,
    /// Ticks for which the first of the chain may be away.
    slice: u64,
    slice_end: Option<u64>,
    /// When the timers fire of vCPUs that are on this core and not live.
    deadlines: [Option<(VcpuId, u64)>; MAX_VMS],
    /// When the timer fires.
    armed: Option<u64>,
}

impl Interrupts {
    /// Brings up this core's interrupts. The first core looks after consoles.
    pub fn start(first: bool, times: &Times) -> Self {
        let looks = times.housekeeping_us.filter(|_| first);
        let period = looks.map(|us| timer::ticks_in_us(us.into()));
        let mut this = Self {
            period: period.unwrap_or(0),
            patience: IDLE_US.div_ceil(looks.unwrap_or(IDLE_US).max(1)),
            look: period.map(|period| ticks().wrapping_add(period)),
            slice: timer::ticks_in_us(times.time_slice_us.into()),
            slice_end: None,
            deadlines: [None; MAX_VMS],
            armed: None,
        };
        gic::split_end();
        let own = [
            BOARD.virtual_timer,
            BOARD.normal_el2_timer,
            BOARD.gic_maintenance,
            KICK,
        ];
        for intid in own {
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
        let deadlines = self.deadlines.iter().flatten().map(|(_, at)| *at);
        let next = deadlines.chain(self.look).chain(self.slice_end).min();
        if next != self.armed {
            vm_state::set_own_timer(next);
            self.armed = next;
        }
    }

    /// The timer has fired: its line is low until it is set anew.
    pub fn fired(&mut self) {
        vm_state::set_own_timer(None);
        self.armed = None;
    }

    /// The first of the chain gives the core away, or has it back.
    pub fn slice(&mut self, away: bool) {
        self.slice_end = away.then(|| ticks().wrapping_add(self.slice));
        self.arm();
    }

    /// A vCPU that is not live stays on this core; its timer fires at this time.
    pub fn watch(&mut self, id: VcpuId, deadline: Option<u64>) {
        self.drop_deadline(id);
        if let Some(at) = deadline
            && let Some(place) = self.deadlines.iter_mut().find(|place| place.is_none())
        {
            *place = Some((id, at));
        }
        self.arm();
    }

    /// A vCPU is live, or leaves this core: its timer is none of this core's own.
    pub fn forget(&mut self, id: VcpuId) {
        if self.drop_deadline(id) {
            self.arm();
        }
    }

    fn drop_deadline(&mut self, id: VcpuId) -> bool {
        let place = self
            .deadlines
            .iter_mut()
            .find(|place| place.is_some_and(|(of, _)| of == id));
        place.is_some_and(|place| place.take().is_some())
    }

    /// Does what its time has come for. `true` if the time slice is over.
    pub fn expire(&mut self) -> bool {
        let now = ticks();
        if self.look.is_some_and(|at| at <= now) {
            self.look = Some(now.wrapping_add(self.period));
            for vm in vms::all() {
                endpoint_console::flush_idle(vm.id, self.patience);
            }
        }
        for place in &mut self.deadlines {
            let Some((id, _)) = place.take_if(|(_, at)| *at <= now) else {
                continue;
            };
            if let Some(vm) = vms::of(id) {
                // It is not live: whether it is to be told is looked at next.
                let timer = BOARD.virtual_timer;
                let kick = vm.gic.lock().vgic.level(id.vcpu, timer, true);
                vm.kick(kick, Some(id.vcpu));
            }
        }
        let over = self.slice_end.take_if(|at| *at <= now).is_some();
        self.arm();
        over
    }
}
