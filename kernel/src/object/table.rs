// SPDX-License-Identifier: MIT
//! Objects of one kind, each named by its place.

use alloc::vec::Vec;
use core::marker::PhantomData;
use core::ops::{Index, IndexMut};

use crate::mem::fallible::{self, Exhausted};

/// A name of an object: its place in the table of its kind.
pub trait Name: Copy {
    /// The name of a place.
    fn at(place: usize) -> Self;
    /// The place.
    fn place(self) -> usize;
}

/// Makes a type that names objects of one kind.
macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(u32);

        impl $crate::object::table::Name for $name {
            fn at(place: usize) -> Self {
                Self(place as u32)
            }

            fn place(self) -> usize {
                self.0 as usize
            }
        }
    };
}
pub(crate) use name;

/// A place in a table.
enum Place<T> {
    /// An object stands there.
    Taken(T),
    /// Nothing does; `next` is the place that is taken after this one.
    Free { next: usize },
}

impl<T> Place<T> {
    fn object(&self) -> Option<&T> {
        match self {
            Self::Taken(object) => Some(object),
            Self::Free { .. } => None,
        }
    }

    fn object_mut(&mut self) -> Option<&mut T> {
        match self {
            Self::Taken(object) => Some(object),
            Self::Free { .. } => None,
        }
    }
}

/// A table of objects; the place that was left last is taken first. To add an object and to take one
/// out costs the same however many there are.
pub struct Table<N, T> {
    places: Vec<Place<T>>,
    count: usize,
    /// The place that the next object takes; the one behind the last if all are taken.
    free: usize,
    names: PhantomData<N>,
}

impl<N, T> Default for Table<N, T> {
    fn default() -> Self {
        Self { places: Vec::new(), count: 0, free: 0, names: PhantomData }
    }
}

impl<N: Name, T> Table<N, T> {
    /// Makes sure that the next object finds room.
    pub fn reserve(&mut self) -> Result<(), Exhausted> {
        if self.free < self.places.len() {
            return Ok(());
        }
        fallible::push(&mut self.places, Place::Free { next: self.free + 1 })
    }

    /// Puts an object into room that was made before.
    ///
    /// # Panics
    /// If nobody has made room.
    pub fn insert_reserved(&mut self, object: T) -> N {
        let place = self.free;
        match self.places.get_mut(place) {
            Some(free @ &mut Place::Free { next }) => {
                *free = Place::Taken(object);
                self.free = next;
            }
            _ => panic!("nobody has made room in this table"),
        }
        self.count += 1;
        N::at(place)
    }

    /// Takes an object out.
    ///
    /// # Panics
    /// If there is none of that name.
    pub fn remove(&mut self, name: N) -> T {
        let left = Place::Free { next: self.free };
        let Place::Taken(object) = core::mem::replace(&mut self.places[name.place()], left) else {
            panic!("an object is removed twice")
        };
        self.free = name.place();
        self.count -= 1;
        object
    }

    /// An object, if there is one of that name.
    pub fn get(&self, name: N) -> Option<&T> {
        self.places.get(name.place())?.object()
    }

    /// The name that the next object gets.
    pub fn next(&self) -> N {
        N::at(self.free)
    }

    /// The name of the first object.
    pub fn first(&self) -> Option<N> {
        self.from(0)
    }

    /// The name of the first object behind a place.
    pub fn behind(&self, name: N) -> Option<N> {
        self.from(name.place() + 1)
    }

    /// The name of the first object from a place on.
    fn from(&self, place: usize) -> Option<N> {
        let rest = self.places.get(place..)?;
        rest.iter().position(|it| it.object().is_some()).map(|skipped| N::at(place + skipped))
    }

    /// All objects with their names.
    pub fn iter(&self) -> impl Iterator<Item = (N, &T)> {
        let all = self.places.iter().enumerate();
        all.filter_map(|(place, it)| Some((N::at(place), it.object()?)))
    }

    /// All objects, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.places.iter_mut().filter_map(Place::object_mut)
    }

    /// How many objects there are.
    #[inline]
    pub fn count(&self) -> usize {
        self.count
    }
}

impl<N: Name, T> Index<N> for Table<N, T> {
    type Output = T;

    #[inline]
    fn index(&self, name: N) -> &T {
        match &self.places[name.place()] {
            Place::Taken(object) => object,
            Place::Free { .. } => panic!("an object is used that is gone"),
        }
    }
}

impl<N: Name, T> IndexMut<N> for Table<N, T> {
    #[inline]
    fn index_mut(&mut self, name: N) -> &mut T {
        match &mut self.places[name.place()] {
            Place::Taken(object) => object,
            Place::Free { .. } => panic!("an object is used that is gone"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    name! {
        /// Names a number.
        NumberId
    }

    #[test]
    fn places_are_taken_again_and_names_hold() {
        let mut table = Table::<NumberId, u32>::default();
        let names: Vec<_> = (0..5)
            .map(|number| {
                table.reserve().unwrap();
                let next = table.next();
                assert_eq!(table.insert_reserved(number), next);
                next
            })
            .collect();
        assert_eq!((table.remove(names[1]), table.remove(names[3])), (1, 3));
        assert_eq!((table.count(), table.get(names[1]), table.behind(names[0])), (3, None, Some(names[2])));
        assert_eq!(table.iter().map(|(_, number)| *number).collect::<Vec<_>>(), [0, 2, 4]);
        for expected in [names[3], names[1], NumberId::at(5)] {
            table.reserve().unwrap();
            assert_eq!((table.next(), table.insert_reserved(9)), (expected, expected));
        }
        assert_eq!(table.count(), 6);
    }

    #[test]
    #[should_panic(expected = "removed twice")]
    fn an_object_is_removed_once() {
        let mut table = Table::<NumberId, u32>::default();
        table.reserve().unwrap();
        let name = table.insert_reserved(1);
        table.remove(name);
        table.remove(name);
    }
}
