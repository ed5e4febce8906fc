//! Calls that whoever has the core may make: mostly ones that make sense now.

use super::*;

impl World {
    fn endpoint(&mut self) -> EndpointId {
        match self.rng.below(20) {
            // Bit 13 would make it look like a mark.
            0 => EndpointId(self.rng.next() as u16 & !0x2000),
            1 => self
                .rng
                .pick(&[VM, EndpointId(0), EndpointId::SPMC, EndpointId::SPMD]),
            _ => id(self.rng.slot()),
        }
    }

    /// A partition that may be run again on this core, if there is one.
    fn unfinished(&mut self) -> Slot {
        let views = self.f.snapshot().contexts;
        let slots: Vec<_> = views
            .iter()
            .filter(|view| view.pe.is_none_or(|pe| pe == self.f.pe))
            .filter(|view| matches!(view.state, State::Preempted | State::Blocked))
            .map(|view| view.slot)
            .collect();
        match slots.is_empty() {
            true => self.rng.slot(),
            false => self.rng.pick(&slots),
        }
    }

    /// A call of whoever has the core: mostly one that makes sense now.
    pub(super) fn call(&mut self, who: Who) -> Frame {
        let own_id = match who {
            Who::NormalWorld(_) => VM,
            Who::Context(slot, _) => id(slot),
        };
        let mut x = self.marks(who);
        let zero = |x: &mut Frame, from: usize| x[from..8].fill(0);
        match self.rng.below(100) {
            0..30 => {
                let fid = self.rng.pick(&[DIRECT_REQ_32, DIRECT_REQ_64, DIRECT_REQ2]);
                let sender = match self.rng.once_in(16) {
                    true => self.endpoint(),
                    false => own_id,
                };
                let receiver = self.endpoint();
                (x[0], x[1]) = (fid.into(), ids(sender, receiver));
                if fid == DIRECT_REQ2 {
                    let service = match self.rng.below(10) {
                        0 => Uuid([9; 16]),
                        1..4 => SERVICE,
                        _ => Uuid::NIL,
                    };
                    (x[2], x[3]) = service.registers();
                } else if !self.rng.once_in(16) {
                    x[2] &= 0xffff_ffff_0000_0000;
                }
            }
            30..55 => {
                let request = match who {
                    Who::Context(slot, _) => self.f.view(slot).request,
                    Who::NormalWorld(_) => None,
                };
                let fid = match request.map(|r| r.kind) {
                    Some(RequestKind::Direct2) => DIRECT_RESP2,
                    Some(RequestKind::Direct { wide: true }) => DIRECT_RESP_64,
                    _ => DIRECT_RESP_32,
                };
                let fid = match self.rng.once_in(8) {
                    true => self
                        .rng
                        .pick(&[DIRECT_RESP_32, DIRECT_RESP_64, DIRECT_RESP2]),
                    false => fid,
                };
                let receiver = match request {
                    Some(request) if !self.rng.once_in(10) => request.sender,
                    _ => self.endpoint(),
                };
                (x[0], x[1]) = (fid.into(), ids(own_id, receiver));
                if fid != DIRECT_RESP2 && !self.rng.once_in(16) {
                    x[2] &= 0xffff_ffff_0000_0000;
                    if let Some(RequestKind::VmAvailability(event)) = request.map(|r| r.kind)
                        && !self.rng.once_in(8)
                    {
                        let number = match self.rng.once_in(8) {
                            true => self.rng.pick(&[2, 4, 5, 7, 9, 0xff]),
                            false => event.response(),
                        };
                        x[2] |= u64::from(FRAMEWORK_BIT | number);
                    }
                }
            }
            55..72 => {
                let slot = match self.rng.once_in(3) {
                    true => self.rng.slot(),
                    false => self.unfinished(),
                };
                let up = self.f.spmc.info(slot).unwrap().is_up();
                let context = match (self.rng.once_in(10), up) {
                    (true, _) => self.rng.below(3) as u16,
                    (_, true) => 0,
                    (_, false) => self.f.pe as u16,
                };
                let wide = if self.rng.once_in(5) { WIDE_BIT } else { 0 };
                (x[0], x[1]) = ((RUN | wide).into(), target(slot, context));
            }
            72..82 => {
                let wide = if self.rng.once_in(5) { WIDE_BIT } else { 0 };
                x[0] = (MSG_WAIT | wide).into();
                zero(&mut x, if self.rng.once_in(10) { 2 } else { 1 });
            }
            82..90 => {
                let wide = if self.rng.once_in(5) { WIDE_BIT } else { 0 };
                x[0] = (YIELD | wide).into();
                zero(&mut x, 4);
            }
            90 => {
                let fid = self.rng.pick(&[
                    VERSION,
                    FEATURES,
                    ID_GET,
                    SPM_ID_GET,
                    Function::ConsoleLog.raw32(),
                    CONSOLE_LOG_64,
                    ERROR,
                    INTERRUPT,
                ]);
                x[0] = fid.into();
                x[1] = self.rng.pick(&[
                    0,
                    1,
                    3,
                    u64::from(DIRECT_REQ2),
                    u64::from(Version::V1_2.raw()),
                ]);
            }
            91..95 => {
                let number = self.rng.pick(&[4, 4, 4, 6, 6, 6, 5, 7, 0, 8]);
                let receiver = self.endpoint();
                let sender = match self.rng.once_in(8) {
                    true => self.endpoint(),
                    false => EndpointId::HYPERVISOR,
                };
                (x[0], x[1]) = (DIRECT_REQ_32.into(), ids(sender, receiver));
                x[2] = (FRAMEWORK_BIT | number).into();
                if !self.rng.once_in(16) {
                    x[5] = x[5] & !0xffff | u64::from(VM.0);
                }
            }
            95 => {
                let number = self.rng.pick(&[0, 1, 8, 8, 4, 12]);
                x[0] = DIRECT_REQ_32.into();
                x[1] = ids(EndpointId::SPMD, EndpointId::SPMC);
                x[2] = (FRAMEWORK_BIT | number).into();
                x[3] = match number {
                    message::VERSION_REQUEST => 0x1_0000 | self.rng.below(5),
                    message::PSCI_REQUEST if self.rng.once_in(8) => psci::CPU_OFF.into(),
                    _ => self.rng.below(3),
                };
            }
            96..99 => {
                let wide = if self.rng.once_in(2) { WIDE_BIT } else { 0 };
                x[0] = u64::from(0x8400_0060 | self.rng.below(0x90) as u32 | wide);
                for register in &mut x[1..8] {
                    if self.rng.once_in(2) {
                        *register = 0;
                    }
                }
            }
            // The top byte keeps it apart from marks.
            _ => x[0] = self.rng.next() | 0xff << 56,
        }
        if self.rng.once_in(16) {
            x[0] |= u64::from(SVE_HINT);
        }
        if self.rng.once_in(16) {
            x[0] |= self.rng.next() << 32;
        }
        x
    }
}
