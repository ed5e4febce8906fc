//! What a vCPU remembers, taken apart: for tests that look at every state.

use crate::vcpu::{Kept, Model, Request, State, Vcpu, Waits};

/// What a vCPU remembers, without its registers: for tests that look at every state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VcpuNote {
    /// Its state.
    pub state: State,
    /// What gave it its cycles.
    pub model: Model,
    /// What it serves.
    pub request: Option<Request>,
    /// In what it waits.
    pub waits: Waits,
    /// What is kept for it.
    pub kept: Option<Kept>,
}

impl<R> Vcpu<R> {
    /// What it remembers now.
    pub const fn note(&self) -> VcpuNote {
        VcpuNote {
            state: self.state(),
            model: self.model,
            request: self.request(),
            waits: self.waits,
            kept: self.kept,
        }
    }

    /// Goes on from what was [noted](Self::note).
    pub fn restore(&mut self, note: VcpuNote) {
        self.set_state(note.state);
        self.model = note.model;
        self.set_request(note.request);
        self.waits = note.waits;
        self.kept = note.kept;
        // The VM's version may be another one.
        self.find_out_again();
    }
}
