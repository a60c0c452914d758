// SPDX-License-Identifier: MIT
//! What several processes may have in common: each object counts who has it.

use core::ops::{Index, IndexMut};

use crate::mem::fallible::Exhausted;
use crate::object::table::{Name, Table};

/// An object, and how many processes have it.
struct Held<T> {
    object: T,
    holders: u32,
}

/// Objects of one kind; each goes with the last process that has it.
pub struct Shared<N, T>(Table<N, Held<T>>);

impl<N, T> Default for Shared<N, T> {
    fn default() -> Self {
        Self(Table::default())
    }
}

impl<N: Name, T> Shared<N, T> {
    /// Makes sure that the next object finds room.
    pub fn reserve(&mut self) -> Result<(), Exhausted> {
        self.0.reserve()
    }

    /// Puts an object that one process has into room that was made before.
    pub fn insert_reserved(&mut self, object: T) -> N {
        self.0.insert_reserved(Held { object, holders: 1 })
    }

    /// One more process has the object.
    pub fn hold(&mut self, name: N) -> N {
        self.0[name].holders += 1;
        name
    }

    /// One process less has the object; returns it if that was the last one.
    pub fn release(&mut self, name: N) -> Option<T> {
        let held = &mut self.0[name];
        held.holders -= 1;
        if held.holders == 0 { Some(self.0.remove(name).object) } else { None }
    }

    /// Whether several processes have the object.
    pub fn is_shared(&self, name: N) -> bool {
        self.0[name].holders > 1
    }

    /// How many processes have the object.
    #[cfg(test)]
    pub fn holders(&self, name: N) -> u32 {
        self.0[name].holders
    }

    /// The names of all objects.
    #[cfg(test)]
    pub fn names(&self) -> impl Iterator<Item = N> {
        self.0.iter().map(|(name, _)| name)
    }
}

impl<N: Name, T> Index<N> for Shared<N, T> {
    type Output = T;

    #[inline]
    fn index(&self, name: N) -> &T {
        &self.0[name].object
    }
}

impl<N: Name, T> IndexMut<N> for Shared<N, T> {
    #[inline]
    fn index_mut(&mut self, name: N) -> &mut T {
        &mut self.0[name].object
    }
}
