// SPDX-License-Identifier: MIT
//! What components share: their configuration, the sessions that they serve, and memory that they touch.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod actor;
pub mod config;
pub mod echo;
pub mod serve;
pub mod touch;
pub mod tsc;

use genode_rt::{Env, Failure, Result, error};

/// Does what a component is for; what goes wrong is an error line, behind which the component does nothing more.
pub fn run(env: Env, work: impl FnOnce(Env) -> Result<()>) {
    if let Err(failure) = work(env) {
        stop_for(failure);
    }
}

/// Says that something failed, and waits for ever.
pub fn stop_for(failure: Failure) -> ! {
    error!("{failure:?}");
    genode_rt::stop()
}
