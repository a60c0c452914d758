// SPDX-License-Identifier: MIT
//! What there is one of, behind a lock; in the host's tests, one a thread.

use spin::Mutex;

/// A value that there is one of.
pub struct Local<T>(Mutex<T>);

impl<T> Local<T> {
    /// The value as it is at first.
    pub const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Works on the value.
    #[inline]
    pub fn with_borrow_mut<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        work(&mut self.0.lock())
    }
}

/// Defines a [`Local`].
macro_rules! local {
    (static $name:ident: $type:ty = $value:expr;) => {
        static $name: $crate::mem::local::Local<$type> = $crate::mem::local::Local::new($value);
    };
}
pub(super) use local;
