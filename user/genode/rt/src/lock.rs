// SPDX-License-Identifier: MIT
//! A lock between the threads of a component: nobody enters the kernel unless somebody has to wait.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::cap::Cap;
use crate::layout::DOMAIN;
use crate::{Result, kernel_memory};
use nova_rt::hypercall;

/// A lock.
#[derive(Debug, Default)]
pub struct Lock {
    /// How many have the lock or wait for it.
    users: AtomicU64,
    /// The semaphore to wait at, 0 as long as there is one thread only.
    semaphore: AtomicU64,
}

impl Lock {
    /// A lock that nobody has.
    #[must_use]
    pub const fn new() -> Self {
        Self { users: AtomicU64::new(0), semaphore: AtomicU64::new(0) }
    }

    /// Makes the lock one that others can wait for; until then, a component has to have one thread only.
    pub fn share(&self) -> Result<()> {
        if self.semaphore.load(Ordering::Relaxed) == 0 {
            let semaphore = Cap::fresh().selector();
            kernel_memory::done(|| hypercall::create_sm(semaphore, DOMAIN, 0))?;
            self.semaphore.store(semaphore, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Waits for the lock, and takes it.
    pub fn lock(&self) {
        if self.users.fetch_add(1, Ordering::Acquire) > 0 {
            let _ = hypercall::down(self.semaphore.load(Ordering::Relaxed), 0);
        }
    }

    /// Gives the lock to the one who has waited longest.
    pub fn unlock(&self) {
        if self.users.fetch_sub(1, Ordering::Release) > 1 {
            let _ = hypercall::up(self.semaphore.load(Ordering::Relaxed));
        }
    }
}
