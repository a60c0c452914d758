// SPDX-License-Identifier: MIT
//! An `epoll` in others: how deep, and in no circle.
//!
//! How many are around one is known until something is taken apart, since who adds an `epoll` with none in it changes
//! that of no other: to build what is large from the outside costs a look at it for each `epoll`, and not for each entry.

use alloc::vec::Vec;

use super::Linux;
use super::descriptor::Object;
use super::epoll::{Around, EpollId};
use super::errno::Errno;
use crate::mem::fallible;

/// In how many others an `epoll` may be, one in the other (Linux's `EP_MAX_NESTS`).
const MAX_NESTS: usize = 4;

/// Where one `epoll` would stand in another one.
pub(super) struct Nesting {
    /// How many are in it, one in the other.
    below: usize,
    /// How many it would be in.
    above: usize,
}

impl Linux {
    /// Where `inner` would stand if `outer` looked at it; `None` if there were a circle, or too many in a row.
    pub(super) fn nesting(&self, outer: EpollId, inner: EpollId) -> Result<Option<Nesting>, Errno> {
        let inside = |level: &[EpollId]| {
            let mut further = Vec::new();
            for id in level {
                for object in self.epolls[*id].objects() {
                    if let Object::Epoll(id) = object {
                        fallible::push(&mut further, id)?;
                    }
                }
            }
            Ok(further)
        };
        let Some(below) = Self::depth(inner, outer, inside)? else { return Ok(None) };
        let Some(around) = self.around(outer, inner)? else { return Ok(None) };
        let above = around + 1;
        Ok((below + above <= MAX_NESTS).then_some(Nesting { below, above }))
    }

    /// How many an `epoll` is in, one in the other; `None` if `avoided` is among them, or they are too many.
    fn around(&self, id: EpollId, avoided: EpollId) -> Result<Option<usize>, Errno> {
        if let Some(known) = self.epolls[id].around_in(self.nests) {
            return Ok(Some(known));
        }
        let outside = |level: &[EpollId]| {
            let mut further = Vec::new();
            for (id, epoll) in self.epolls.iter() {
                let looks = |object| matches!(object, Object::Epoll(id) if level.binary_search(&id).is_ok());
                if epoll.objects().any(looks) {
                    fallible::push(&mut further, id)?;
                }
            }
            Ok(further)
        };
        let found = Self::depth(id, avoided, outside)?;
        if let Some(depth) = found {
            self.epolls[id].note_around(Around { nests: self.nests, depth });
        }
        Ok(found)
    }

    /// An `epoll` is in another one from now on.
    pub(super) fn nest(&mut self, inner: EpollId, nesting: Nesting) {
        let Nesting { below, above } = nesting;
        if below > 0 {
            self.nests += 1;
        } else if let Some(known) = self.epolls[inner].around_in(self.nests) {
            self.epolls[inner].note_around(Around { nests: self.nests, depth: known.max(above) });
        }
    }

    /// Something is in an `epoll` no more, or in none.
    pub(super) fn unnest(&mut self, object: Object) {
        if matches!(object, Object::Epoll(_)) {
            self.nests += 1;
        }
    }

    /// How far one comes from an `epoll` by steps to others; `None` if that leads to one to avoid, or
    /// too far.
    fn depth(
        from: EpollId,
        avoided: EpollId,
        step: impl Fn(&[EpollId]) -> Result<Vec<EpollId>, Errno>,
    ) -> Result<Option<usize>, Errno> {
        let mut level = Vec::new();
        fallible::push(&mut level, from)?;
        for depth in 0..=MAX_NESTS {
            let mut further = step(&level)?;
            further.sort_unstable();
            further.dedup();
            if further.binary_search(&avoided).is_ok() {
                return Ok(None);
            }
            if further.is_empty() {
                return Ok(Some(depth));
            }
            level = further;
        }
        Ok(None)
    }
}
