//! Giving cycles to partitions that asked for them (DEN0077A, schedule receiver interrupt). The boot core does it for
//! all: nobody else talks to these.

use super::Check;
use super::interrupts::asked;
use super::talk::Talker;
use crate::abi::{self, NO_DATA};
use crate::client::plain;
use crate::client::report::equal;
use crate::interrupts::{SRI_LEAVING, SRI_WAITING};

/// The boot core as a scheduler: how many requests it knows.
#[derive(Default)]
pub struct Schedule(u64);

impl Schedule {
    /// Runs whoever has asked since.
    pub fn run(&mut self, talker: &mut Talker) -> Check {
        let asked = asked();
        if asked == self.0 {
            return Ok(());
        }
        self.0 = asked;
        let regs = plain(abi::NOTIFICATION_INFO_GET_64, &[]);
        if regs[0] == abi::ERROR.into() {
            // A message has given it cycles meanwhile.
            return equal("an error of INFO_GET", regs[2], abi::code(NO_DATA));
        }
        equal("x0 of INFO_GET", regs[0], abi::SUCCESS_64.into())?;
        equal("there is more", regs[2] & 1, 0)?;
        let half = |n: usize| {
            regs.get(3 + n / 4)
                .map_or(0, |word| word >> (16 * (n % 4)) & 0xffff)
        };
        let lists = (regs[2] >> 7 & 0x1f) as usize;
        let mut place = 0;
        for list in 0..lists {
            let contexts = (regs[2] >> (12 + 2 * list) & 3) as usize;
            let id = half(place);
            let known = id == SRI_WAITING.id.into() || id == SRI_LEAVING.id.into();
            equal("a partition that asks for cycles", known.into(), 1)?;
            equal("its contexts", contexts as u64, 1)?;
            equal("its context", half(place + 1), 0)?;
            talker.run(id << 16)?;
            place += 1 + contexts;
        }
        Ok(())
    }
}
