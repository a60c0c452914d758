// SPDX-License-Identifier: MIT
//! Objects by small numbers, which are used again.

use alloc::vec::Vec;

use crate::Full;

/// Objects by number. A number is given again only when all others are in use.
#[derive(Debug)]
pub struct Table<T> {
    entries: Vec<Option<T>>,
    free: Vec<u32>,
    most: usize,
}

impl<T> Table<T> {
    /// A table that never holds more than so many objects.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self { entries: Vec::new(), free: Vec::new(), most }
    }

    /// Enters an object and tells its number.
    ///
    /// # Errors
    /// It fails if the table holds as many as it may, or there is no memory for one more.
    pub fn add(&mut self, value: T) -> Result<usize, Full> {
        if let Some(index) = self.free.pop() {
            self.entries[index as usize] = Some(value);
            return Ok(index as usize);
        }
        let index = self.entries.len();
        if index >= self.most {
            return Err(Full);
        }
        // Room for the number, too, so that it can be given back without asking for memory.
        self.entries.try_reserve(1).map_err(|_| Full)?;
        self.free.try_reserve(self.entries.len() + 1).map_err(|_| Full)?;
        self.entries.push(Some(value));
        Ok(index)
    }

    /// The object of a number.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&T> {
        self.entries.get(index)?.as_ref()
    }

    /// The object of a number, to be changed.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        self.entries.get_mut(index)?.as_mut()
    }

    /// Takes an object out.
    pub fn remove(&mut self, index: usize) -> Option<T> {
        let value = self.entries.get_mut(index)?.take()?;
        self.free.push(index as u32);
        Some(value)
    }

    /// All objects with their numbers.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.entries.iter().enumerate().filter_map(|(index, entry)| Some((index, entry.as_ref()?)))
    }

    /// All objects with their numbers, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (usize, &mut T)> {
        self.entries.iter_mut().enumerate().filter_map(|(index, entry)| Some((index, entry.as_mut()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_used_again_and_bounded() {
        let mut table = Table::new(2);
        assert_eq!(table.add('a'), Ok(0));
        assert_eq!(table.add('b'), Ok(1));
        assert_eq!(table.add('c'), Err(Full));
        assert_eq!(table.remove(0), Some('a'));
        assert_eq!(table.remove(0), None);
        assert_eq!(table.get(0), None);
        assert_eq!(table.add('d'), Ok(0));
        assert_eq!(
            table.iter().map(|(index, value)| (index, *value)).collect::<Vec<_>>(),
            [(0, 'd'), (1, 'b')]
        );
        assert_eq!(table.get(7), None);
    }
}
