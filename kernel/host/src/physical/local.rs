// SPDX-License-Identifier: MIT
//! Stands in for `kernel/src/mem/local.rs`: what the kernel has one of, each thread has here.

/// Defines a value of each thread.
macro_rules! local {
    (static $name:ident: $type:ty = $value:expr;) => {
        std::thread_local! {
            static $name: std::cell::RefCell<$type> = const { std::cell::RefCell::new($value) };
        }
    };
}
pub(crate) use local;
