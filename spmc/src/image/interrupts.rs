//! The interrupt controller and the S-EL2 timer: as the core's calls see them, and taking interrupts.

use super::{
    BOARD,
    boot::{Core, PeState},
    port::Port,
};
use core::{
    fmt::Debug,
    sync::atomic::{AtomicU8, AtomicU32, Ordering},
};
use defmt::{Debug2Format, error, warn};
use platform::{
    alarm,
    gic::{self, secure::Line},
    timer,
};
use spmc::{manifest::DeviceInterrupt, spm::Interrupts};

/// The SGI by which the SPMC asks a core to look at something.
const KICK: u32 = 10;
/// The schedule receiver interrupt, which EL3 hands over as a secure one: it is the normal world's.
const SCHEDULE_RECEIVER: u32 = 8;
/// The priority of the SPMC's own interrupts: nothing masks them.
const OWN_PRIORITY: u8 = 0;
/// The priority masks under which nothing but the SPMC's own is taken, and nothing of the normal world.
pub const MASK_OWN: u8 = 0x10;
/// See [`MASK_OWN`].
pub const MASK_SECURE: u8 = 0x80;
/// How many are taken before somebody runs again: who is interrupted all the time is interrupted again, but each time
/// something is done.
const AT_ONCE: u32 = 64;

/// The interrupts of devices that partitions have, by INTID: the priority, which is a multiple of 8, and in bit 0 whether
/// it is level-sensitive. 0 is an interrupt of nobody.
static LINES: [AtomicU8; 1020] = [const { AtomicU8::new(0) }; 1020];
/// In [`LINES`].
const LEVEL: u8 = 1;
/// The cores that shared ones are for by their partitions' manifests, or [`ANY`].
static FIRST_TARGETS: [AtomicU8; 1020] = [const { AtomicU8::new(ANY) }; 1020];
/// The same, as the partitions want it now.
static TARGETS: [AtomicU8; 1020] = [const { AtomicU8::new(ANY) }; 1020];
/// No core is named.
const ANY: u8 = u8::MAX;
/// The INTIDs of which each core has its own.
const PRIVATE: core::ops::Range<u32> = 16..32;

/// An interrupt of a partition's device, as its manifest has it.
fn line(intid: u32) -> Option<Line> {
    let word = LINES.get(intid as usize)?.load(Ordering::Relaxed);
    (word != 0).then_some(Line {
        intid,
        priority: word & !LEVEL,
        level: word & LEVEL != 0,
    })
}

/// Makes these the interrupts of a partition's devices. They are off until the partition wants them. Private ones are
/// set up with each core.
pub fn add_devices(interrupts: &[DeviceInterrupt]) {
    for one in interrupts {
        if let Some(place) = LINES.get(one.intid as usize) {
            let level = if one.level { LEVEL } else { 0 };
            place.store(one.priority & !LEVEL | level, Ordering::Relaxed);
        }
        let target = one.target.and_then(|affinity| BOARD.linear_index(affinity));
        if let Some(target) = target {
            for table in [&FIRST_TARGETS, &TARGETS] {
                if let Some(place) = table.get(one.intid as usize) {
                    place.store(target as u8, Ordering::Relaxed);
                }
            }
        }
        if let Some(line) = line(one.intid)
            && one.intid >= PRIVATE.end
        {
            // The core that it is for gets it when it is on.
            let target = platform::cpu::affinity();
            // SAFETY: The GIC is mapped, and this is S-EL2.
            report(one.intid, unsafe {
                gic::secure::prepare_shared(&BOARD.gic, &line, target)
            });
        }
    }
}

/// Brings up this core's part of the interrupt controller, each time that the core is switched on. Its timer is off.
pub fn bring_up_core() {
    alarm::set(u64::MAX);
    // SAFETY: The GIC is mapped, this is S-EL2, and nothing else runs on this core.
    let done = unsafe {
        gic::init_secure_core(&BOARD.gic)
            .and_then(|()| gic::give_to_normal(&BOARD.gic, &[SCHEDULE_RECEIVER]))
    };
    if let Err(error) = done {
        error!("interrupt controller: {}", Debug2Format(&error));
    }
    for (intid, level) in [(KICK, false), (BOARD.secure_el2_timer, true)] {
        let line = Line {
            intid,
            priority: OWN_PRIORITY,
            level,
        };
        // SAFETY: As above.
        report(intid, unsafe {
            gic::secure::prepare_private(&BOARD.gic, &line)
                .and_then(|()| gic::secure::enable(&BOARD.gic, intid, true))
        });
    }
    for line in PRIVATE.filter_map(line) {
        // SAFETY: As above.
        report(line.intid, unsafe {
            gic::secure::prepare_private(&BOARD.gic, &line)
        });
    }
    let own = platform::cpu::index();
    let all = (0u32..).zip(&TARGETS);
    for (intid, _) in all.filter(|(_, target)| usize::from(target.load(Ordering::Relaxed)) == own) {
        let _ = Port.route(intid, own as u16, true);
    }
}

/// Takes all secure interrupts that are pending on this core and tells the core of them, which then has to say who runs
/// ([`dispatch`](spmc::spm::Spmc::dispatch)).
#[cold]
#[inline(never)]
pub fn take_all(spmc: &Core, pe: &mut PeState) {
    for taken in 0..AT_ONCE {
        let Some(intid) = gic::acknowledge() else {
            if taken == 0 {
                spurious();
            }
            return;
        };
        // Its priority is dropped, and it stays active: what a device holds up does not come again before its partition
        // has dealt with it.
        gic::end(intid);
        match intid {
            // Not by ICC_DIR_EL1: QEMU 10 ignores it at S-EL2 for a secure interrupt.
            KICK => {
                Port.deactivate(intid, pe.index);
                spmc.kicked(pe, &mut Port);
            }
            timer if timer == BOARD.secure_el2_timer => {
                alarm::set(u64::MAX);
                Port.deactivate(intid, pe.index);
                spmc.timer(pe, &mut Port);
            }
            _ => spmc.device(pe, intid, &mut Port),
        }
    }
}

/// An interrupt went away before it was taken, which is nobody's fault. The log tells of the first, the second, the
/// fourth, and so on.
fn spurious() {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    if count.is_power_of_two() {
        warn!("spurious secure interrupts: {=u32} so far", count);
    }
}

/// Logs what can't be: INTIDs and cores were checked when manifests were read.
fn report(intid: u32, done: Result<(), impl Debug>) {
    if let Err(error) = done {
        error!("interrupt {=u32}: {}", intid, Debug2Format(&error));
    }
}

impl Interrupts for Port {
    fn enable(&mut self, intid: u32, on: bool) {
        // SAFETY: The GIC is mapped, and this is S-EL2.
        report(intid, unsafe { gic::secure::enable(&BOARD.gic, intid, on) });
    }

    fn deactivate(&mut self, intid: u32, core: u16) {
        let Some(affinity) = BOARD.affinity(core.into()) else {
            return;
        };
        // SAFETY: The GIC is mapped, and this is S-EL2.
        report(intid, unsafe {
            gic::secure::deactivate_on(&BOARD.gic, intid, affinity)
        });
    }

    fn route(&mut self, intid: u32, core: u16, on: bool) -> bool {
        let (Some(affinity), Some(target)) =
            (BOARD.affinity(core.into()), TARGETS.get(intid as usize))
        else {
            return false;
        };
        if intid < PRIVATE.end {
            return false;
        }
        target.store(core as u8, Ordering::SeqCst);
        // One that is off gets it when it is on.
        if on {
            // SAFETY: The GIC is mapped, and this is S-EL2.
            report(intid, unsafe {
                gic::secure::route(&BOARD.gic, intid, affinity)
            });
        }
        true
    }

    fn set_secure(&mut self, intid: u32, secure: bool) -> bool {
        let Some(line) = line(intid) else {
            return false;
        };
        let priority = secure.then_some(line.priority);
        let own = platform::cpu::affinity();
        // SAFETY: The GIC is mapped, this is S-EL2, and this core is not being brought up.
        unsafe { gic::secure::regroup(&BOARD.gic, intid, priority, own) }.is_ok()
    }

    fn reset(&mut self, intid: u32, on: u32) {
        let Some(line) = line(intid) else {
            return;
        };
        let own = platform::cpu::index();
        let cores = match intid < PRIVATE.end {
            true => on,
            // Any core will do.
            false => 1 << (own & 31),
        };
        for core in (0..BOARD.max_cpus).filter(|core| cores & 1 << core != 0) {
            let Some(affinity) = BOARD.affinity(core) else {
                continue;
            };
            // SAFETY: The GIC is mapped, and this is S-EL2. A core that is just brought up makes it the same.
            report(intid, unsafe {
                gic::secure::disable_on(&BOARD.gic, intid, affinity).and_then(|()| {
                    gic::secure::regroup(&BOARD.gic, intid, Some(line.priority), affinity)
                })
            });
        }
        if intid >= PRIVATE.end {
            let table = |table: &[AtomicU8]| {
                let target = table.get(intid as usize);
                target.map_or(ANY, |target| target.load(Ordering::Relaxed))
            };
            let target = table(&FIRST_TARGETS);
            // Whichever core is on has it until the one that it is for is.
            let _ = self.route(intid, own as u16, true);
            if let Some(place) = TARGETS.get(intid as usize) {
                place.store(target, Ordering::SeqCst);
            }
            if target != ANY {
                let there = on & 1u32.unbounded_shl(target.into()) != 0;
                let _ = self.route(intid, target.into(), there);
            }
        }
    }

    fn reroute(&mut self, intid: u32, from: u16, to: u16) {
        let (Some(from), Some(to)) = (BOARD.affinity(from.into()), BOARD.affinity(to.into()))
        else {
            return;
        };
        if intid >= PRIVATE.end {
            // SAFETY: The GIC is mapped, and this is S-EL2.
            report(intid, unsafe {
                gic::secure::reroute(&BOARD.gic, intid, from, to)
            });
        }
    }

    fn kick(&mut self, core: u16) {
        if let Some(affinity) = BOARD.affinity(core.into()) {
            gic::raise_sgi(KICK, affinity);
        }
    }

    fn now(&mut self) -> u64 {
        timer::ticks()
    }

    fn alarm(&mut self, at: u64) {
        alarm::set(at);
    }

    fn schedule_receiver(&mut self) {
        let raised = gic::raise_normal_sgi(SCHEDULE_RECEIVER, platform::cpu::affinity());
        report(SCHEDULE_RECEIVER, raised);
    }
}
