//! What the partition saw, by call and completion.

use crate::expect::Mismatch;

/// Pairs of a call and a completion that are told apart.
const ROOM: usize = 96;

/// One pair.
#[derive(Clone, Copy)]
pub struct Row {
    /// x0 of the call.
    call: u64,
    /// The completion's key.
    completion: u64,
    /// How often.
    pub count: u32,
    /// How often with a wrong register.
    pub bad: u32,
    /// The first of these.
    pub first: Option<Mismatch>,
}

impl Row {
    fn note(&mut self, wrong: Option<Mismatch>) {
        self.count += 1;
        if wrong.is_some() {
            self.bad += 1;
            self.first = self.first.or(wrong);
        }
    }
}

/// All pairs.
pub struct Tally {
    rows: [Row; ROOM],
    used: usize,
    /// Everything, also what was forgotten.
    total: Row,
}

const EMPTY: Row = Row {
    call: 0,
    completion: 0,
    count: 0,
    bad: 0,
    first: None,
};

impl Tally {
    /// Nothing seen.
    pub const fn new() -> Self {
        Self {
            rows: [EMPTY; ROOM],
            used: 0,
            total: EMPTY,
        }
    }

    /// Forgets the pairs.
    pub fn clear(&mut self) {
        self.rows = [EMPTY; ROOM];
        self.used = 0;
    }

    /// Notes an exchange. Beyond the room all is noted in the last row.
    pub fn add(&mut self, call: u64, completion: u64, wrong: Option<Mismatch>) {
        let used = self.used;
        let known = self
            .rows
            .iter()
            .take(used)
            .position(|row| row.call == call && row.completion == completion);
        let place = known.unwrap_or(used.min(ROOM - 1));
        if let Some(row) = self.rows.get_mut(place) {
            if known.is_none() {
                self.used = (used + 1).min(ROOM);
                row.call = call;
                row.completion = completion;
            }
            row.note(wrong);
        }
        self.total.note(wrong);
    }

    /// What was seen of a pair; a `call` of all ones asks for everything since the start.
    pub fn find(&self, call: u64, completion: u64) -> Row {
        if call == u64::MAX {
            return self.total;
        }
        self.rows
            .iter()
            .take(self.used)
            .find(|row| row.call == call && row.completion == completion)
            .map_or(EMPTY, |row| *row)
    }
}
