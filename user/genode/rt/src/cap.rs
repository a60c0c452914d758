// SPDX-License-Identifier: MIT
//! Capabilities, and where the selectors of new ones come from.

use core::sync::atomic::{AtomicU64, Ordering};

use nova_rt::crd::{ALL, Crd};
use nova_rt::hypercall;

use crate::layout::FREE;

/// The order of the selectors that are set aside to receive a message's capabilities.
pub const WINDOW_ORDER: u64 = 2;

/// The next selector. There are more of them than a program can use up, so that none is used twice.
static NEXT: AtomicU64 = AtomicU64::new(FREE);

/// A capability by its selector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cap(u64);

impl Cap {
    /// The capability of nothing.
    pub const NONE: Self = Self(0);

    /// The capability at a selector.
    #[must_use]
    pub const fn at(selector: u64) -> Self {
        Self(selector)
    }

    /// A selector that nothing is at yet.
    #[must_use]
    pub fn fresh() -> Self {
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    /// The selector.
    #[must_use]
    pub const fn selector(self) -> u64 {
        self.0
    }

    /// Whether this is a capability of nothing.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Gives the capability back, and takes it from all who have it from here.
    pub fn release(self) {
        if !self.is_none() {
            let _ = hypercall::revoke_all(Crd::object(self.0, 0, ALL));
        }
    }
}

/// Fresh selectors to receive a message's capabilities at.
#[must_use]
pub fn window() -> Crd {
    let size = 1 << WINDOW_ORDER;
    let place = |at: u64| at.next_multiple_of(size);
    let before = NEXT.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |at| Some(place(at) + size));
    Crd::object(before.map_or(0, place), WINDOW_ORDER, ALL)
}
