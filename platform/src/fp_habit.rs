//! Which guest has the vector registers from the start, since it will use them: one that used them each of the last
//! times that it ran. Once in a while it has to show that it still does.

/// Runs in a row with a use after which a guest counts as one that always uses them.
const RUNS: u8 = 4;
/// Runs for which it does, until it is seen again whether it uses them.
const TRUST: u32 = 64;

/// What is known of one guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FpHabit {
    /// Its last runs in which it used vector registers, without one in between in which it did not; at most [`RUNS`].
    row: u8,
    /// Runs for which it is trusted, the next one included; 0: not at all.
    trust: u32,
    /// It is trusted whatever it does.
    always: bool,
}

impl FpHabit {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self::new(false);

    /// A guest that has just been started. One that is to have vector registers from the start `always` does.
    #[must_use]
    pub const fn new(always: bool) -> Self {
        Self {
            row: 0,
            trust: if always { TRUST } else { 0 },
            always,
        }
    }

    /// What is known of a guest that is started anew.
    #[must_use]
    pub const fn anew(&self) -> Self {
        Self::new(self.always)
    }

    /// Whether it has the vector registers from the start of its next run.
    #[must_use]
    pub const fn is_trusted(&self) -> bool {
        self.trust != 0
    }

    /// Begins a run of one that [is trusted](Self::is_trusted). `false` if this is the run in which it has to show that
    /// it uses them: they are not given to it.
    #[inline(always)]
    #[must_use]
    pub const fn begin(&mut self) -> bool {
        self.trust = self.trust.wrapping_sub(1);
        self.trust != 0 || self.renew()
    }

    #[cold]
    const fn renew(&mut self) -> bool {
        if self.always {
            self.trust = TRUST;
        } else {
            // One use more is enough.
            self.row = RUNS - 1;
        }
        self.always
    }

    /// It uses them for the first time in a run, without having had them from the start.
    pub const fn used(&mut self) {
        if self.row < RUNS {
            self.row += 1;
        }
        if self.row == RUNS && self.trust == 0 {
            self.trust = TRUST;
        }
    }

    /// A run is over in which it did not use them.
    #[inline(always)]
    pub const fn unused(&mut self) {
        self.row = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A run, with a use or without. Whether it trapped, and whether registers were moved for nothing.
    fn run(habit: &mut FpHabit, uses: bool) -> (bool, bool) {
        if habit.is_trusted() && habit.begin() {
            return (false, !uses);
        }
        match uses {
            true => habit.used(),
            false => habit.unused(),
        }
        (uses, false)
    }

    #[test]
    fn a_guest_that_always_uses_them_seldom_traps() {
        let mut habit = FpHabit::UNKNOWN;
        let traps = (0..1000).filter(|_| run(&mut habit, true).0).count();
        assert!(traps <= 4 + 1000 / 64 + 1, "{traps}");
    }

    #[test]
    fn a_guest_that_stops_pays_for_a_while_only() {
        let mut habit = FpHabit::UNKNOWN;
        for _ in 0..100 {
            run(&mut habit, true);
        }
        let paid = (0..1000).filter(|_| run(&mut habit, false).1).count();
        assert!(0 < paid && paid < 64, "{paid}");
        assert!(!habit.is_trusted());
        // And has to show it as long as at first before it is trusted again.
        for _ in 0..3 {
            assert!(run(&mut habit, true).0);
            assert!(!habit.is_trusted());
        }
        assert!(run(&mut habit, true).0);
        assert!(habit.is_trusted());
    }

    #[test]
    fn a_guest_that_uses_them_every_other_time_never_pays() {
        let mut habit = FpHabit::UNKNOWN;
        for n in 0..1000 {
            assert!(!run(&mut habit, n % 2 == 0).1);
        }
    }

    #[test]
    fn a_guest_of_which_it_is_said_has_them_always() {
        let mut habit = FpHabit::new(true);
        for n in 0..1000 {
            assert!(habit.is_trusted());
            assert!(!run(&mut habit, n % 3 == 0).0);
        }
        assert_eq!(habit.anew(), FpHabit::new(true));
        habit = FpHabit::UNKNOWN;
        for _ in 0..10 {
            run(&mut habit, true);
        }
        assert_eq!(habit.anew(), FpHabit::UNKNOWN);
    }
}
