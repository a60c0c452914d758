// SPDX-License-Identifier: MIT
//! What was true of a program when it began: where its strings and its file's parts are.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::ops::Range;

use linux_raw_sys::auxvec::{AT_EXECFN, AT_NULL};

use super::elf::Image;
use super::memory::{page_down, page_up};
use crate::mem::fallible::{self, Exhausted};
use crate::mem::space::Space;

/// The most pairs of the auxiliary vector.
const MAX_PAIRS: usize = 32;

/// Whole pages of the executable file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The first address.
    pub start: u64,
    /// The first address behind it.
    pub end: u64,
    /// What has to be added to an address to get to its byte in the file.
    pub delta: u64,
}

/// What was true of a program when it began.
pub struct Start {
    /// In ascending order.
    pub extents: Vec<Extent>,
    /// Its code.
    pub code: Range<u64>,
    /// Its data; what is zero at the start is not part of it.
    pub data: Range<u64>,
    /// Where the stack pointer was.
    pub stack: u64,
    /// Its arguments, each with a NUL byte.
    pub arguments: Range<u64>,
    /// Its environment, each string with a NUL byte.
    pub environment: Range<u64>,
    /// The auxiliary vector.
    auxiliary: [u64; 2 * MAX_PAIRS],
    /// How many words of that there are.
    words: usize,
}

impl Start {
    /// What an image says, which is to be read from `file`. Whoever calls this has the rest
    /// [read](Self::read) when the program is there, which takes no memory.
    pub fn new(image: &Image<'_>, file: &[u8]) -> Result<Rc<Self>, Exhausted> {
        let (mut code, mut data): (Option<Range<u64>>, _) = (None, 0..0);
        let mut extents = Vec::new();
        for segment in &image.segments {
            let bytes = segment.bytes.get();
            let end = segment.start + bytes.len() as u64;
            if segment.access.execute {
                let before = code.unwrap_or(segment.start..end);
                code = Some(before.start.min(segment.start)..before.end.max(end));
            }
            data = data.start.max(segment.start)..data.end.max(end);
            if !bytes.is_empty() {
                let offset = (bytes.as_ptr().addr() - file.as_ptr().addr()) as u64;
                let (start, end) = (page_down(segment.start), page_up(end).unwrap_or(end));
                let delta = offset.wrapping_sub(segment.start);
                fallible::push(&mut extents, Extent { start, end, delta })?;
            }
        }
        let code = code.unwrap_or(0..0);
        let (arguments, environment) = (0..0, 0..0);
        let auxiliary = [0; 2 * MAX_PAIRS];
        fallible::shared(Self { extents, code, data, stack: 0, arguments, environment, auxiliary, words: 0 })
    }

    /// Reads from the stack what the loader has put there.
    pub fn read(&mut self, space: &Space, stack: u64, arguments: usize, environment: usize) {
        let word = |index: usize| {
            let mut bytes = [0; 8];
            // The loader has just filled these pages.
            let _ = space.read(stack + 8 * index as u64, &mut bytes);
            u64::from_le_bytes(bytes)
        };
        self.stack = stack;
        // The count, both lists, each with a null behind it, and the vector.
        let (first_argument, first_variable) = (1, 1 + arguments + 1);
        let vector = first_variable + environment + 1;
        self.words = 0;
        let mut end = 0;
        for pair in 0..MAX_PAIRS {
            let (kind, value) = (word(vector + 2 * pair), word(vector + 2 * pair + 1));
            self.auxiliary[2 * pair..2 * pair + 2].copy_from_slice(&[kind, value]);
            self.words += 2;
            if kind == u64::from(AT_EXECFN) {
                end = value;
            }
            if kind == u64::from(AT_NULL) {
                break;
            }
        }
        // The strings lie one behind the other, with the name of the program above them.
        let middle = if environment > 0 { word(first_variable) } else { end };
        self.arguments = word(first_argument)..middle;
        self.environment = middle..end;
    }

    /// The auxiliary vector.
    pub fn auxiliary(&self) -> &[u64] {
        &self.auxiliary[..self.words]
    }
}
