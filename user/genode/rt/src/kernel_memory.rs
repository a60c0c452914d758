// SPDX-License-Identifier: MIT
//! Kernel memory of the component's domain: more of it is taken from its RAM quota when the kernel asks for more.

use nova_rt::Status;

use crate::{Env, Failure, Result};

/// Pages that are taken at once.
const PIECE: u64 = 16;

/// Has a hypercall done, again with more kernel memory if it was too little.
pub fn done(mut call: impl FnMut() -> Status) -> Result<()> {
    let mut status = call();
    if status == Status::OUT_OF_MEMORY {
        Env::get().pd.kquota(PIECE)?;
        status = call();
    }
    match status {
        Status::SUCCESS => Ok(()),
        Status::OUT_OF_MEMORY => Err(Failure::OutOfKernelMemory),
        Status::BAD_CAPABILITY => Err(Failure::BadCapability),
        _ => Err(Failure::BadArgument),
    }
}
