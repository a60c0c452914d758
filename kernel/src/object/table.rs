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

/// A table of objects; the place of one that is gone is given to a later one.
pub struct Table<N, T> {
    places: Vec<Option<T>>,
    count: usize,
    names: PhantomData<N>,
}

impl<N, T> Default for Table<N, T> {
    fn default() -> Self {
        Self { places: Vec::new(), count: 0, names: PhantomData }
    }
}

impl<N: Name, T> Table<N, T> {
    /// Makes sure that the next object finds room.
    pub fn reserve(&mut self) -> Result<(), Exhausted> {
        if self.count < self.places.len() { Ok(()) } else { fallible::push(&mut self.places, None) }
    }

    /// Puts an object into room that was made before.
    ///
    /// # Panics
    /// If nobody has made room.
    pub fn insert_reserved(&mut self, object: T) -> N {
        let Some(place) = self.places.iter().position(Option::is_none) else {
            panic!("nobody has made room in this table")
        };
        self.places[place] = Some(object);
        self.count += 1;
        N::at(place)
    }

    /// Takes an object out.
    ///
    /// # Panics
    /// If there is none of that name.
    pub fn remove(&mut self, name: N) -> T {
        let Some(object) = self.places[name.place()].take() else { panic!("an object is removed twice") };
        self.count -= 1;
        object
    }

    /// An object, if there is one of that name.
    pub fn get(&self, name: N) -> Option<&T> {
        self.places.get(name.place())?.as_ref()
    }

    /// The name that the next object gets.
    pub fn next(&self) -> N {
        N::at(self.places.iter().position(Option::is_none).unwrap_or(self.places.len()))
    }

    /// The name of the first object.
    pub fn first(&self) -> Option<N> {
        self.places.iter().position(Option::is_some).map(N::at)
    }

    /// The name of the first object behind a place.
    pub fn behind(&self, name: N) -> Option<N> {
        let rest = self.places.get(name.place() + 1..)?;
        rest.iter().position(Option::is_some).map(|place| N::at(name.place() + 1 + place))
    }

    /// All objects with their names.
    pub fn iter(&self) -> impl Iterator<Item = (N, &T)> {
        let all = self.places.iter().enumerate();
        all.filter_map(|(place, object)| Some((N::at(place), object.as_ref()?)))
    }

    /// All objects, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.places.iter_mut().flatten()
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
            Some(object) => object,
            None => panic!("an object is used that is gone"),
        }
    }
}

impl<N: Name, T> IndexMut<N> for Table<N, T> {
    #[inline]
    fn index_mut(&mut self, name: N) -> &mut T {
        match &mut self.places[name.place()] {
            Some(object) => object,
            None => panic!("an object is used that is gone"),
        }
    }
}
