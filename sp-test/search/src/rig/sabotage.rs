//! What goes wrong, where a test wants to see that it is found.

use super::{Rig, interrupts::SCHEDULER};
use crate::{
    calls::{Kind, Notes},
    events::Event,
    view::View,
    world::{Sabotage, World},
};

impl Rig {
    /// After an event, what it should have done of notifications is undone in part, or done elsewhere.
    pub(super) fn sabotage(
        &mut self,
        world: &World,
        before: &View,
        event: Event,
    ) -> Result<(), String> {
        let Some(sabotage) = world.notified.and_then(|notified| notified.sabotage) else {
            return Ok(());
        };
        let Event::Call(kind) = event else {
            return Ok(());
        };
        match (sabotage, kind) {
            (Sabotage::Drops, Kind::Notes(Notes::Set { .. }))
            | (Sabotage::DeliversTwice, Kind::Notes(Notes::Get { .. }))
            | (Sabotage::TellsTwice, Kind::InfoGet) => {
                self.load_notifications(world, before);
                self.load_proxys_notifications(world, before);
            }
            (Sabotage::Misdirects, Kind::Notes(Notes::Set { .. })) => {
                let mut after = before.clone();
                self.note_notifications(world, &mut after)?;
                let [first, second, ..] = &mut after.s.notes.bits;
                if first.bound && second.bound {
                    std::mem::swap(first, second);
                    self.load_notifications(world, &after);
                }
            }
            (Sabotage::LosesMessage, Kind::Notes(Notes::Send { .. })) => {
                self.load_pairs(world, before);
                self.load_proxys_pairs(world, before);
            }
            (Sabotage::ForgetsScheduler, Kind::PowerResponse { .. }) => {
                for core in 0..world.cores as u16 {
                    let (on, news) = self.spmc.news(core);
                    let is_on = on & 1 << core != 0;
                    self.spmc.set_news(core, is_on, news & !SCHEDULER);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
