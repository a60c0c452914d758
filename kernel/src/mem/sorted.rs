// SPDX-License-Identifier: MIT
//! A long sorted list.
//!
//! Its elements lie in blocks, so that one can be added or taken away anywhere without
//! moving all that follow: a call that does so for each of n elements takes n log n.
//! It grows on behalf of programs: where memory ends that fails, it does not panic.
//! The list does not know its order: the caller searches with the same order in which
//! it inserts, as in a sorted `Vec`.

use alloc::vec::Vec;

use super::fallible::{self, Exhausted};

/// The most elements in a block.
const BLOCK: usize = 128;
/// Neighbouring blocks that have no more than this together become one.
const JOINED: usize = BLOCK / 2;

/// Where in the list an element is, or would be; good until the list changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    block: usize,
    index: usize,
}

/// A sorted list. No block is empty, but the only one may be.
pub struct Sorted<T> {
    blocks: Vec<Vec<T>>,
    length: usize,
}

impl<T> Default for Sorted<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Sorted<T> {
    /// A list without an element.
    pub const fn new() -> Self {
        Self { blocks: Vec::new(), length: 0 }
    }

    /// Its elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The place of the first element that `is_before` does not hold for; it has to
    /// hold for all elements in front of that one and for none behind it.
    #[inline]
    pub fn place(&self, is_before: impl Fn(&T) -> bool) -> Place {
        if let [only] = self.blocks.as_slice() {
            return Place { block: 0, index: only.partition_point(is_before) };
        }
        let block = self.blocks.partition_point(|block| block.last().is_some_and(&is_before));
        match self.blocks.get(block) {
            Some(found) => Place { block, index: found.partition_point(is_before) },
            None => self.end(),
        }
    }

    /// The place behind the last element.
    #[inline]
    pub fn end(&self) -> Place {
        match self.blocks.split_last() {
            Some((last, before)) => Place { block: before.len(), index: last.len() },
            None => Place { block: 0, index: 0 },
        }
    }

    /// The place in front of another one, if there is one.
    #[inline]
    pub fn before(&self, place: Place) -> Option<Place> {
        let Place { block, index } = place;
        if let Some(index) = index.checked_sub(1) {
            return Some(Place { block, index });
        }
        let block = block.checked_sub(1)?;
        let index = self.blocks.get(block)?.len().checked_sub(1)?;
        Some(Place { block, index })
    }

    /// The element at a place.
    #[inline]
    pub fn get(&self, place: Place) -> Option<&T> {
        self.blocks.get(place.block)?.get(place.index)
    }

    /// The element at a place, to be changed in what does not move it.
    #[inline]
    pub fn get_mut(&mut self, place: Place) -> Option<&mut T> {
        self.blocks.get_mut(place.block)?.get_mut(place.index)
    }

    /// The elements from a place on.
    pub fn onward(&self, place: Place) -> impl Iterator<Item = &T> {
        let mut skipped = place.index;
        let blocks = self.blocks.get(place.block..).unwrap_or_default();
        blocks.iter().flat_map(move |block| &block[core::mem::take(&mut skipped)..])
    }

    /// Makes sure that an [`insert`](Self::insert) at this place succeeds, if nothing
    /// else is done before it; returns where the place is now.
    pub fn make_room(&mut self, place: Place) -> Result<Place, Exhausted> {
        let Some(found) = self.blocks.get_mut(place.block) else {
            fallible::push(&mut self.blocks, Vec::new())?;
            return self.make_room(Place { block: self.blocks.len() - 1, index: 0 });
        };
        if found.len() < BLOCK {
            fallible::reserve_one(found)?;
            return Ok(place);
        }
        self.split(place)
    }

    /// Makes two blocks of a full one; returns where the place is then.
    #[cold]
    fn split(&mut self, place: Place) -> Result<Place, Exhausted> {
        let Place { block, index } = place;
        let mut upper = Vec::new();
        upper.try_reserve_exact(BLOCK).map_err(|_| Exhausted)?;
        fallible::reserve_one(&mut self.blocks)?;
        // What grows at its end leaves full blocks behind.
        let kept = if index == BLOCK { BLOCK - 1 } else { BLOCK / 2 };
        move_into(&mut upper, self.blocks[block].drain(kept..))?;
        fallible::insert(&mut self.blocks, block + 1, upper)?;
        Ok(if index > kept { Place { block: block + 1, index: index - kept } } else { place })
    }

    /// Adds an element at a place. Nothing is changed on error.
    pub fn insert(&mut self, place: Place, element: T) -> Result<(), Exhausted> {
        let Place { block, index } = self.make_room(place)?;
        fallible::insert(&mut self.blocks[block], index, element)?;
        self.length += 1;
        Ok(())
    }

    /// Takes the element at a place away.
    pub fn remove(&mut self, place: Place) -> Option<T> {
        let block = self.blocks.get_mut(place.block).filter(|block| place.index < block.len())?;
        let element = block.remove(place.index);
        self.length -= 1;
        self.tidy(place.block);
        Some(element)
    }

    /// Takes away all elements that `is_kept` does not hold for.
    pub fn retain(&mut self, is_kept: impl Fn(&T) -> bool) {
        self.blocks.iter_mut().for_each(|block| block.retain(&is_kept));
        self.blocks.retain(|block| !block.is_empty());
        self.length = self.blocks.iter().map(Vec::len).sum();
    }

    /// Takes away all elements between two places.
    pub fn remove_between(&mut self, from: Place, to: Place) {
        let (first, last) = (from.block, to.block.min(self.blocks.len()));
        if first == last {
            if let Some(block) = self.blocks.get_mut(first) {
                self.length -= block.drain(from.index..to.index.max(from.index)).len();
            }
        } else if first < last {
            self.length -= self.blocks[first].drain(from.index..).len();
            if let Some(block) = self.blocks.get_mut(last) {
                self.length -= block.drain(..to.index).len();
                if block.is_empty() {
                    self.blocks.remove(last);
                }
            }
            self.length -= self.blocks.drain(first + 1..last).map(|block| block.len()).sum::<usize>();
        }
        self.tidy(first);
    }

    /// Takes a block away that has become empty, or joins it with its neighbours.
    fn tidy(&mut self, block: usize) {
        if self.blocks.len() < 2 {
            return;
        }
        if self.blocks.get(block).is_some_and(Vec::is_empty) {
            self.blocks.remove(block);
        }
        for lower in [Some(block), block.checked_sub(1)].into_iter().flatten() {
            self.join(lower);
        }
    }

    /// Joins a block with the next one if they are small; if there is no memory, they stay.
    fn join(&mut self, lower: usize) {
        let Some([one, other]) = self.blocks.get_mut(lower..lower + 2) else { return };
        let is_small = one.len() + other.len() <= JOINED;
        if is_small && one.try_reserve_exact(other.len()).is_ok() && move_into(one, other.drain(..)).is_ok() {
            self.blocks.remove(lower + 1);
        }
    }
}

impl<T: Clone> Sorted<T> {
    /// A copy.
    pub fn copy(&self) -> Result<Self, Exhausted> {
        let mut blocks = Vec::new();
        for block in &self.blocks {
            let mut copy = Vec::new();
            copy.try_reserve_exact(block.len()).map_err(|_| Exhausted)?;
            move_into(&mut copy, block.iter().cloned())?;
            fallible::push(&mut blocks, copy)?;
        }
        Ok(Self { blocks, length: self.length })
    }
}

/// Puts elements at the end of a block that has room for them.
fn move_into<T>(block: &mut Vec<T>, elements: impl Iterator<Item = T>) -> Result<(), Exhausted> {
    for element in elements {
        fallible::push(block, element)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    impl<T> Sorted<T> {
        /// Leaves so much room in each block and in the list of them: what comes next has to make more.
        pub fn tighten(&mut self, room: usize) {
            self.blocks.iter_mut().for_each(|block| block.shrink_to(block.len() + room));
            self.blocks.shrink_to(self.blocks.len() + room);
        }
    }

    /// Numbers without sense (xorshift64).
    fn noise(state: &mut u64) -> u64 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        *state
    }

    fn check(list: &Sorted<u64>, expected: &[u64]) {
        assert!(list.onward(list.place(|_| false)).eq(expected));
        assert_eq!((list.len(), list.is_empty()), (expected.len(), expected.is_empty()));
        let is_sound =
            |block: &Vec<u64>| block.len() <= BLOCK && (!block.is_empty() || list.blocks.len() == 1);
        assert!(list.blocks.iter().all(is_sound));
    }

    #[test]
    fn the_list_does_what_a_sorted_vector_does() {
        let (mut list, mut model, mut state) = (Sorted::default(), Vec::new(), 7);
        for round in 0..20_000 {
            // It grows, shrinks, and grows again.
            let shrinks = round / 4000 % 2 == 1;
            let value = noise(&mut state) % 5000;
            let at = model.partition_point(|one| *one < value);
            let place = list.place(|one| *one < value);
            assert_eq!(list.get(place), model.get(at));
            let before = list.before(place).and_then(|place| list.get(place));
            assert_eq!(before, at.checked_sub(1).map(|at| &model[at]));
            match noise(&mut state) % 16 {
                0 if shrinks => {
                    let to = model.partition_point(|one| *one < value + 60);
                    list.remove_between(place, list.place(|one| *one < value + 60));
                    model.drain(at..to);
                }
                1..8 if shrinks => {
                    assert_eq!(list.remove(place), (at < model.len()).then(|| model.remove(at)))
                }
                _ => {
                    list.insert(place, value).unwrap();
                    model.insert(at, value);
                }
            }
            if round % 64 == 0 {
                check(&list, &model);
                let from = model.partition_point(|one| *one < value);
                assert!(list.onward(list.place(|one| *one < value)).eq(&model[from..]));
            }
        }
        check(&list.copy().unwrap(), &model);
        list.remove_between(list.place(|_| false), list.end());
        check(&list, &[]);
    }

    #[test]
    fn room_that_was_made_is_there_wherever_the_place_lies() {
        for length in [0, 1, 4, BLOCK - 1, BLOCK, 2 * BLOCK, 5 * BLOCK] {
            for value in [0, length as u64, 2 * length as u64] {
                let mut list = Sorted::default();
                for one in 0..length as u64 {
                    list.insert(list.end(), 2 * one + 1).unwrap();
                }
                list.make_room(list.place(|one| *one < value)).unwrap();
                let place = list.place(|one| *one < value);
                let block = &list.blocks[place.block];
                assert!(block.len() < block.capacity().min(BLOCK), "{length} {value}");
                list.insert(place, value).unwrap();
                assert_eq!(list.onward(list.place(|_| false)).count(), length + 1);
            }
        }
    }

    #[test]
    fn what_grows_at_its_end_is_dense_and_what_shrinks_gives_blocks_back() {
        let mut list = Sorted::default();
        for value in 0..100 * BLOCK {
            list.insert(list.end(), value).unwrap();
        }
        assert!(list.blocks.len() <= 102, "{} blocks", list.blocks.len());
        for value in (0..100 * BLOCK).filter(|value| value % BLOCK != 0) {
            list.remove(list.place(|one| *one < value));
        }
        assert!(list.blocks.len() <= 4, "{} blocks", list.blocks.len());
    }
}
