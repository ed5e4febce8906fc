//! A GIC with neither list registers nor bitmaps: one interrupt, one value.

use super::rig::{Id, SPI};

#[derive(Clone, Debug, Default)]
pub struct Line {
    pub enabled: bool,
    pub priority: u8,
    pub latch: bool,
    pub level: bool,
    pub edge: bool,
    /// A physical interrupt is active for it.
    pub hw: bool,
    /// At which vCPU it is active.
    pub active: Option<u8>,
    /// Where an SPI goes.
    pub route: u8,
}

impl Line {
    pub fn pending(&self) -> bool {
        self.latch || self.level || self.hw && self.active.is_none()
    }
}

#[derive(Clone, Debug)]
pub struct Reference {
    pub vcpus: u8,
    pub group: bool,
    pub lines: Vec<Line>,
}

impl Reference {
    pub fn new(vcpus: u8) -> Self {
        let mut lines = vec![Line::default(); SPI + 224];
        for (id, line) in lines.iter_mut().enumerate() {
            line.edge = id < SPI && id % 32 < 16;
        }
        Self {
            vcpus,
            group: false,
            lines,
        }
    }

    pub fn target(&self, id: Id) -> Option<u8> {
        let target = match id {
            0..SPI => (id / 32) as u8,
            _ => self.lines[id].active.unwrap_or(self.lines[id].route),
        };
        (target < self.vcpus).then_some(target)
    }

    /// The best priority of what could be taken.
    pub fn best(&self, vcpu: u8) -> Option<u8> {
        let waiting = |(id, line): &(Id, &Line)| {
            self.group
                && line.enabled
                && line.pending()
                && line.active.is_none()
                && self.target(*id) == Some(vcpu)
        };
        let lines = self.lines.iter().enumerate().filter(waiting);
        lines.map(|(_, line)| line.priority).min()
    }

    pub fn raise(&mut self, id: Id) {
        let line = &mut self.lines[id];
        if !line.hw {
            line.hw = true;
            line.level = false;
            line.latch |= line.edge && line.active.is_some();
        }
    }

    pub fn level(&mut self, id: Id, high: bool) {
        let line = &mut self.lines[id];
        if !line.hw {
            line.level = high;
        }
    }

    pub fn acknowledge(&mut self, vcpu: u8, id: Id) {
        let line = &mut self.lines[id];
        assert!(line.pending() && line.active.is_none(), "{id}: {line:?}");
        line.latch = false;
        line.active = Some(vcpu);
    }

    /// Ended, or made inactive.
    pub fn end(&mut self, id: Id) {
        let line = &mut self.lines[id];
        if line.active.take().is_some() {
            line.hw = false;
        }
    }

    pub fn clear_pending(&mut self, id: Id) {
        let line = &mut self.lines[id];
        line.latch = false;
        if line.edge && line.active.is_none() {
            line.hw = false;
        }
    }
}
