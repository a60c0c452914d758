// SPDX-License-Identifier: MIT
//! What a domain is entitled to, and how much of it is used.

/// An amount of a resource, and what of it is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    quota: u64,
    used: u64,
}

/// An account has too little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short;

impl Account {
    /// An account of which nothing is used.
    #[must_use]
    pub const fn new(quota: u64) -> Self {
        Self { quota, used: 0 }
    }

    /// All of it.
    #[must_use]
    pub const fn quota(&self) -> u64 {
        self.quota
    }

    /// What is used.
    #[must_use]
    pub const fn used(&self) -> u64 {
        self.used
    }

    /// What is not used.
    #[must_use]
    pub const fn free(&self) -> u64 {
        self.quota - self.used
    }

    /// Uses an amount.
    ///
    /// # Errors
    /// It fails if so much is not free.
    pub const fn charge(&mut self, amount: u64) -> Result<(), Short> {
        if amount > self.free() {
            return Err(Short);
        }
        self.used += amount;
        Ok(())
    }

    /// Gives back what was used.
    pub const fn refund(&mut self, amount: u64) {
        self.used = self.used.saturating_sub(amount);
    }

    /// Takes an amount out of the account, for another one.
    ///
    /// # Errors
    /// It fails if so much is not free.
    pub const fn withdraw(&mut self, amount: u64) -> Result<(), Short> {
        if amount > self.free() {
            return Err(Short);
        }
        self.quota -= amount;
        Ok(())
    }

    /// Puts an amount into the account, which never holds more than a number can say.
    pub const fn deposit(&mut self, amount: u64) {
        self.quota = self.quota.saturating_add(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_used_or_taken_that_is_not_free() {
        let mut account = Account::new(10);
        assert_eq!(account.charge(7), Ok(()));
        assert_eq!(account.charge(4), Err(Short));
        assert_eq!(account.withdraw(4), Err(Short));
        assert_eq!(account.withdraw(3), Ok(()));
        assert_eq!((account.quota(), account.used(), account.free()), (7, 7, 0));
        account.refund(5);
        account.deposit(1);
        assert_eq!((account.quota(), account.used(), account.free()), (8, 2, 6));
        assert_eq!(account.charge(u64::MAX), Err(Short));
    }
}
