// SPDX-License-Identifier: MIT
//! Memory that is written all over, round after round.

use genode_parts::sums;
use genode_rt::dataspace::Attached;
use genode_rt::services::access;
use genode_rt::{Env, Failure, PAGE, Result};

/// Writes all words of so many pages in so many rounds, and returns the sum of what is there then.
pub fn touch(env: Env, pages: u64, rounds: u64) -> Result<u64> {
    let size = pages.checked_mul(PAGE).ok_or(Failure::BadArgument)?;
    if size == 0 {
        return Ok(0);
    }
    let memory = env.alloc_ds(size)?;
    let area = Attached::new(env.pd, memory, size, access::WRITE)?;
    let words = size / 8;
    for round in 0..rounds {
        (0..words).for_each(|index| area.set_word(8 * index, sums::word(index, round)));
    }
    let sum = (0..words).fold(0, |sum: u64, index| sum.wrapping_add(area.word(8 * index)));
    drop(area);
    env.pd.free_ds(memory)?;
    Ok(sum)
}
