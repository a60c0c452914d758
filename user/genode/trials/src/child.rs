// SPDX-License-Identifier: MIT
//! The child: it tells what it did, and ends by a fault that nobody resolves.

use genode_rt::{Env, Failure, access, log};

use crate::family::WRONG;
use crate::{hostile, junk, trial};

/// Where the parent shows a region map.
pub const SHOWN: u64 = 0x5000_0000;
/// Where nothing is.
pub const NOTHING: u64 = 0x4_0000;

/// What a child is started for: to tell what it did, or to attack.
pub const TELLS: u64 = 1;
pub const ATTACKS: u64 = 2;

pub fn run(env: Env, task: trial::Client) {
    if task.role() == Ok(ATTACKS) {
        return hostile::run(env, task);
    }
    log!("the child runs");
    let _ = task.next(1);
    let quota = env.pd.quota().map(|(ram, used, ..)| ram - used).unwrap_or(0);
    let taken = env.pd.alloc_ds(quota + 1) == Err(Failure::OutOfRam);
    let given = env.pd.alloc_ds(quota).and_then(|memory| env.pd.free_ds(memory)) == Ok(());
    let _ = task.next(if taken && given { 2 } else { WRONG });
    let refused = env.pd.transfer_ram(env.pd.0, 1).is_err()
        && env.pd.ref_account(junk()).is_err()
        && env.pd.replay(0, 0, 0, 0) == Err(Failure::Denied);
    let _ = task.next(if refused { 3 } else { WRONG + 1 });
    let found = access::read(SHOWN + 0x2010);
    let _ = task.next(found);
    access::write(SHOWN, 4);
    let _ = task.next(5);
    access::write(NOTHING + 8, 1);
}
