//! Who may use how much of something that all share.
//!
//! Half of it is guaranteed, to each account the same part. The rest is common: an account that needs
//! more than its part takes from there, but never more than three quarters of it. So whatever others
//! do, an account gets what it is guaranteed.

use crate::error::FfaError;

/// The use of one resource by `ACCOUNTS` accounts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Quota<const ACCOUNTS: usize> {
    /// What each account uses.
    used: [u16; ACCOUNTS],
    /// How much of that is from the common part.
    common: u32,
}

impl<const ACCOUNTS: usize> Quota<ACCOUNTS> {
    pub(super) const fn new() -> Self {
        Self {
            used: [0; ACCOUNTS],
            common: 0,
        }
    }

    pub(super) fn used(&self, account: usize) -> u16 {
        self.used.get(account).copied().unwrap_or(0)
    }

    /// What `total` of it guarantees to each account.
    const fn guaranteed(total: usize) -> u32 {
        match (total / 2).checked_div(ACCOUNTS) {
            Some(each) => each as u32,
            None => 0,
        }
    }

    /// How much more of the common part `account` would need for `more`, if `total` allows for it.
    fn need(&self, account: usize, more: u32, total: usize) -> Option<u32> {
        let guaranteed = Self::guaranteed(total);
        let common = total as u32 - guaranteed * ACCOUNTS as u32;
        let used = u32::from(*self.used.get(account)?);
        let over = used.checked_add(more)?.saturating_sub(guaranteed);
        let need = over.saturating_sub(used.saturating_sub(guaranteed));
        let most = common - common / 4;
        (need == 0 || (over <= most && self.common.checked_add(need)? <= common)).then_some(need)
    }

    /// Whether `total` allows `account` to use `more`. NO_MEMORY if not.
    pub(super) fn allows(&self, account: usize, more: u32, total: usize) -> Result<(), FfaError> {
        self.need(account, more, total)
            .map(|_| ())
            .ok_or(FfaError::NoMemory)
    }

    /// Whether `total` allows two different accounts to use more. NO_MEMORY if not.
    pub(super) fn allows_both(
        &self,
        (one, more): (usize, u32),
        (other, of_other): (usize, u32),
        total: usize,
    ) -> Result<(), FfaError> {
        let guaranteed = Self::guaranteed(total);
        let common = total as u32 - guaranteed * ACCOUNTS as u32;
        let needs = self
            .need(one, more, total)
            .zip(self.need(other, of_other, total))
            .ok_or(FfaError::NoMemory)?;
        if needs.0 + needs.1 != 0 && self.common + needs.0 + needs.1 > common {
            return Err(FfaError::NoMemory);
        }
        Ok(())
    }

    /// Notes that `account` uses so much now, allowed or not.
    pub(super) fn set(&mut self, account: usize, used: u16, total: usize) {
        let guaranteed = Self::guaranteed(total);
        if let Some(entry) = self.used.get_mut(account) {
            let over = |used: u16| u32::from(used).saturating_sub(guaranteed);
            self.common = (self.common + over(used)).saturating_sub(over(*entry));
            *entry = used;
        }
    }

    /// Notes that `account` uses `more`, after [`allows`](Self::allows).
    pub(super) fn charge(&mut self, account: usize, more: u16, total: usize) {
        self.set(account, self.used(account).saturating_add(more), total);
    }

    /// [`allows`](Self::allows) and [`charge`](Self::charge) of one.
    #[inline(always)]
    pub(super) fn take_one(&mut self, account: usize, total: usize) -> bool {
        match self.used.get_mut(account) {
            Some(used) if u32::from(*used) < Self::guaranteed(total) => {
                *used += 1;
                true
            }
            Some(_) => self.take_common(account, total),
            None => false,
        }
    }

    #[inline(never)]
    fn take_common(&mut self, account: usize, total: usize) -> bool {
        let allowed = self.allows(account, 1, total).is_ok();
        if allowed {
            self.charge(account, 1, total);
        }
        allowed
    }

    /// Notes that `account` uses less.
    pub(super) fn refund(&mut self, account: usize, less: u16, total: usize) {
        self.set(account, self.used(account).saturating_sub(less), total);
    }

    /// Whether the common part is what the accounts add up to.
    pub(super) fn adds_up(&self, total: usize) -> bool {
        let guaranteed = Self::guaranteed(total);
        let over = |used: &u16| u32::from(*used).saturating_sub(guaranteed);
        self.used.iter().map(over).sum::<u32>() == self.common
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_can_use_up_what_another_is_guaranteed() {
        // 4 accounts, 64: 8 each, 32 common, of which one may have 24.
        let mut quota = Quota::<4>::new();
        let mut greedy = |account| {
            let mut got = 0;
            while quota.allows(account, 1, 64).is_ok() {
                quota.charge(account, 1, 64);
                got += 1;
            }
            assert!(quota.adds_up(64));
            got
        };
        assert_eq!([greedy(0), greedy(1), greedy(2), greedy(3)], [32, 16, 8, 8]);
        assert!(quota.allows_both((0, 1), (1, 0), 64).is_err());
        quota.refund(0, 2, 64);
        assert!(quota.allows_both((0, 1), (1, 1), 64).is_ok());
        assert!(quota.allows_both((0, 1), (1, 2), 64).is_err());
        assert!(quota.adds_up(64));
    }

    #[test]
    fn absurd_numbers_are_refused() {
        let quota = Quota::<2>::new();
        assert!(quota.allows(0, u32::MAX, 64).is_err() && quota.allows(2, 1, 64).is_err());
        assert!(Quota::<0>::new().allows(0, 0, 0).is_err());
    }
}
