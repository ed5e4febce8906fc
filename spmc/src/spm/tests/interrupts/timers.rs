//! The emulated timer.

use super::*;
use crate::spm::{Next, TimerRegister};

/// Writes CNTP_CVAL and CNTP_CTL of `slot`, which runs.
impl Fixture {
    #[track_caller]
    pub(super) fn write_timer(&mut self, slot: Slot, control: u64, compare: u64) {
        assert_eq!(self.now[self.pe], Next::Partition(slot));
        self.write_timer_of(slot, control, compare);
    }

    pub(super) fn write_timer_of(&mut self, slot: Slot, control: u64, compare: u64) {
        self.machine.interrupts.core = self.pe as u16;
        for (register, value) in [
            (TimerRegister::CompareValue, compare),
            (TimerRegister::Control, control),
        ] {
            let pe = &mut self.pes[self.pe];
            self.spmc
                .write_timer(pe, slot, register, value, &mut self.machine);
        }
    }

    fn reads(&mut self, slot: Slot, register: TimerRegister) -> u64 {
        let pe = &mut self.pes[self.pe];
        self.spmc.read_timer(pe, slot, register, &mut self.machine)
    }
}

/// A and C have enabled their timers' interrupts.
fn world() -> Fixture {
    let mut f = super::world();
    for slot in [A, C] {
        f.nwd_runs(slot);
        assert_eq!(f.hypercall(&[ENABLE, 3, 1, 0]), 0);
        f.sp(msg_wait());
    }
    f
}

#[test]
fn its_registers() {
    let mut f = world();
    f.machine.interrupts.now = 1000;
    f.nwd_runs(A);
    f.write_timer(A, u64::MAX, 0x1_0000_2000);
    assert_eq!(f.reads(A, TimerRegister::Control), 3);
    assert_eq!(f.reads(A, TimerRegister::CompareValue), 0x1_0000_2000);
    assert_eq!(f.reads(A, TimerRegister::TimerValue), 0x2000 - 1000);
    // Masked: its status shows, and it interrupts nobody.
    f.machine.interrupts.now = 0x1_0000_2000;
    assert_eq!(f.reads(A, TimerRegister::Control), 7);
    assert!(!f.lines(A).any());
    let pe = &mut f.pes[0];
    let back = u64::from(-5i32 as u32);
    f.spmc
        .write_timer(pe, A, TimerRegister::TimerValue, back, &mut f.machine);
    assert_eq!(f.reads(A, TimerRegister::CompareValue), 0x1_0000_1ffb);
    // Unmasked it fires at once.
    f.spmc
        .write_timer(&mut f.pes[0], A, TimerRegister::Control, 1, &mut f.machine);
    assert!(f.lines(A).irq);
    // Switched off, its line falls.
    f.spmc
        .write_timer(&mut f.pes[0], A, TimerRegister::Control, 0, &mut f.machine);
    assert!(!f.lines(A).any());
    assert_eq!(f.reads(A, TimerRegister::Control), 0);
}

#[test]
fn one_timer_of_the_core_serves_all() {
    let mut f = world();
    f.nwd_runs(A);
    f.write_timer(A, 1, 200);
    f.sp(msg_wait());
    f.nwd_runs(C);
    f.write_timer(C, 1, 100);
    assert_eq!(f.machine.interrupts.alarms[&0], 100);
    f.machine.interrupts.now = 100;
    assert_eq!(f.take(&[Taken::Timer]), Next::Partition(C));
    assert!(f.lines(C).irq);
    assert_eq!(f.machine.interrupts.alarms[&0], 200);
    gets(&mut f, 3);
    f.sp(msg_wait());
    // For nothing, once.
    assert_eq!(f.take(&[Taken::Timer]), Next::NormalWorldResume);
    f.machine.interrupts.now = 250;
    assert_eq!(f.take(&[Taken::Timer]), Next::Partition(A));
    f.sp_told_of_interrupt(A, 3);
    gets(&mut f, 3);
    assert_eq!(f.machine.interrupts.alarms[&0], u64::MAX);
    assert_eq!(f.sp(msg_wait()), Next::NormalWorldResume);
    assert_eq!(
        f.take(&[Taken::Timer]),
        Next::NormalWorldResume,
        "only once"
    );
}

#[test]
fn it_reaches_its_context_wherever_that_is() {
    let mut f = world();
    f.nwd_runs(A);
    f.write_timer(A, 1, 100);
    f.sp(msg_wait());
    f.on(1).nwd_requests(A, DIRECT_REQ2);
    f.machine.interrupts.now = 100;
    assert_eq!(f.on(0).take(&[Taken::Timer]), Next::NormalWorldResume);
    assert_eq!(f.on(1).looks(), Some(Next::Partition(A)));
    assert!(f.lines(A).irq);
    gets(&mut f, 3);
    f.responds_to_nwd(DIRECT_RESP2);
}

#[test]
fn another_core_sees_to_it_when_its_core_goes_off() {
    let mut f = world();
    f.on(1).nwd_runs(A);
    f.write_timer(A, 1, 100);
    f.sp(msg_wait());
    assert_eq!(f.machine.interrupts.alarms[&1], 100);
    off(&mut f);
    assert_eq!(f.machine.interrupts.alarms[&1], u64::MAX);
    assert_eq!(f.on(0).looks(), Some(Next::NormalWorldResume));
    assert_eq!(f.machine.interrupts.alarms[&0], 100);
    f.machine.interrupts.now = 100;
    assert_eq!(f.take(&[Taken::Timer]), Next::Partition(A));
    gets(&mut f, 3);
}

/// This core goes off, and everybody agrees.
pub(super) fn off(f: &mut Fixture) {
    f.nwd(core_off());
    while let Next::Partition(slot) = f.now[f.pe] {
        f.sp(power_response(slot, 0));
    }
    f.nwd_got(&[DIRECT_RESP_32.into(), 0x8000_ffff, 0x8000_0002]);
}

/// The answer of `slot` to the message that its core goes off.
pub(super) fn power_response(slot: Slot, status: u32) -> Frame {
    let mut call = message(DIRECT_RESP_32, id(slot), ffa_abi::EndpointId::SPMC);
    call[2] = 0x8000_0002;
    call[3] = status.into();
    call
}
