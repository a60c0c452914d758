// SPDX-License-Identifier: MIT
//! The service Echo, as components serve it and call it.

use genode_rt::entrypoint::Entrypoint;
use genode_rt::services::Blob;
use genode_rt::services::echo::{Client, Server};
use genode_rt::{Cap, Failure, Result, signal};

/// Objects that a session may have made.
const MOST_OBJECTS: usize = 16;
/// The first number of an object that a session made.
pub const MADE: u64 = 1 << 32;

/// A session, or an object that one made.
#[derive(Debug)]
pub struct Echo {
    entrypoint: Entrypoint,
    /// The numbers of the next objects begin here.
    number: u64,
    made: genode_rt::ArrayVec<Cap, MOST_OBJECTS>,
}

impl Echo {
    /// A session with a number.
    #[must_use]
    pub fn new(entrypoint: Entrypoint, number: u64) -> Self {
        Self { entrypoint, number, made: genode_rt::ArrayVec::new() }
    }

    /// The number of the session that made the object of a number.
    #[must_use]
    pub const fn maker(object: u64) -> u64 {
        object % MADE
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        self.made.iter().for_each(|object| object.release());
    }
}

impl Server for Echo {
    fn add(&mut self, a: u64, b: u64) -> Result<u64> {
        Ok(a.wrapping_add(b))
    }

    fn blob(&mut self, bytes: Blob) -> Result<Blob> {
        Ok(bytes)
    }

    fn make(&mut self) -> Result<Cap> {
        if self.made.is_full() {
            return Err(Failure::OutOfCaps);
        }
        let object = self.entrypoint.object(MADE | self.number)?;
        self.made.push(object);
        Ok(object)
    }

    fn signal(&mut self, signal: Cap) -> Result<()> {
        signal::submit(signal);
        signal.release();
        Ok(())
    }
}

/// The sum of what so many calls `add(i, 2i + 1)` return.
pub fn sum(server: Client, calls: u64) -> Result<u64> {
    (0..calls).try_fold(0, |sum: u64, index| {
        Ok(sum.wrapping_add(server.add(index, index.wrapping_mul(2).wrapping_add(1))?))
    })
}
