// SPDX-License-Identifier: MIT
//! Starts a program: what `execve` does.

use alloc::rc::Rc;

use pe_replay::UserRegisters;
use pe_replay::user::{Extended, INTERRUPT_FLAG};
use wire::config::{Config, entry};
use wire::end::Refusal;

use super::Linux;
use super::area::{Area, Kind};
use super::elf::{Bytes, Image, Segment};
use super::memory::{Memory, page_down, page_up};
use super::promised_len;
use super::random::Random;
use super::stack::{Contents, StackError, strings};
use super::start::Start;
use crate::arch::processor::hwcap;
use crate::mem::frame;
use crate::mem::space::{Access, OutOfFrames, PAGE_LEN, Space};
use crate::object::archive::Archive;
use crate::object::scheduler::ThreadId;

/// Room that a program needs beside its file: a page of stack, and page tables.
const EXTRA_PAGES: u64 = 16;

fn out_of_memory(needed_pages: u64) -> Refusal {
    Refusal::OutOfMemory { needed_pages, free_pages: frame::free_count() }
}

/// Where the content ends that the file has of a segment.
fn filled_end(segment: &Segment<'_>) -> u64 {
    segment.start + segment.bytes.get().len() as u64
}

/// Pages that hold content of the file.
fn filled_pages(image: &Image<'_>) -> u64 {
    let filled = image.segments.iter().filter(|segment| !segment.bytes.get().is_empty());
    filled.map(|segment| (filled_end(segment) - 1) / PAGE_LEN - segment.start / PAGE_LEN + 1).sum()
}

/// Calls `each` for the areas of an image in ascending order. Where segments share a
/// page, the permissions of the last one in the file hold, as on Linux.
fn areas(image: &Image<'_>, mut each: impl FnMut(Area) -> Result<(), Refusal>) -> Result<(), Refusal> {
    // The area before, and the segment that its last page belongs to.
    let mut last: Option<(Area, usize)> = None;
    for segment in &image.segments {
        let (start, end) = (page_down(segment.start), page_up(segment.end).ok_or(Refusal::Malformed)?);
        let mut area = Area { start, end, access: segment.access, kind: Kind::Image };
        if let Some((before, rank)) = &mut last {
            if start < before.end && segment.rank < *rank {
                area.start += PAGE_LEN;
            } else if start < before.end {
                before.end -= PAGE_LEN;
            }
            if area.start == area.end {
                continue;
            }
            if before.start < before.end {
                each(*before)?;
            }
        }
        last = Some((area, segment.rank));
    }
    last.map_or(Ok(()), |(area, _)| each(area))
}

/// Maps the segments and loads what the file holds of them.
fn load_segments(memory: &mut Memory, space: &mut Space, image: &Image<'_>) -> Result<(), Refusal> {
    let failed = |free_pages| Refusal::OutOfMemory { needed_pages: filled_pages(image), free_pages };
    let free_pages = frame::free_count();
    areas(image, |area| memory.map(space, area).map_err(|_| failed(free_pages)))?;
    let mut before = 0;
    for (index, segment) in image.segments.iter().enumerate() {
        let behind = image.segments.get(index + 1).map_or(u64::MAX, |next| next.start);
        load_segment(memory, space, segment, (before, behind)).map_err(|OutOfFrames| failed(free_pages))?;
        before = segment.end;
    }
    Ok(())
}

/// Loads what the file holds of a segment; `before` is where the one before ends, and `behind` where the next one
/// starts. What lasts is not copied, but for pages that belong to another segment as well.
fn load_segment(
    memory: &mut Memory,
    space: &mut Space,
    segment: &Segment<'_>,
    (before, behind): (u64, u64),
) -> Result<(), OutOfFrames> {
    let Segment { start, bytes, .. } = *segment;
    let Bytes::Lasting(mut bytes) = bytes else { return memory.fill(space, start, bytes.get()) };
    let (mut at, shared_from) = (start, page_down(behind));
    while !bytes.is_empty() {
        let page = page_down(at);
        let (here, rest) = bytes.split_at(bytes.len().min((page + PAGE_LEN - at) as usize));
        if before > page || shared_from == page {
            memory.fill(space, at, here)?;
        } else {
            memory.fill_lasting(space, at, here)?;
        }
        (at, bytes) = (page + PAGE_LEN, rest);
    }
    Ok(())
}

/// Loads a program into an empty space and builds its stack; returns its memory and
/// its stack pointer.
pub fn load(
    space: &mut Space,
    image: &Image<'_>,
    commit_limit: u64,
    arguments: &[&[u8]],
    environment: &[&[u8]],
    random: [u8; 16],
) -> Result<(Memory, u64), Refusal> {
    let needed = filled_pages(image) + EXTRA_PAGES;
    if needed > frame::free_count() {
        return Err(out_of_memory(needed));
    }
    let mut memory = Memory::new(commit_limit);
    load_segments(&mut memory, space, image)?;
    let image_end = image.segments.iter().map(|segment| segment.end).max().unwrap_or(0);
    memory.start_heap(image_end);
    let access = Access { read: true, write: true, execute: image.executable_stack };
    let top = memory.map_stack(space, access).map_err(|_| Refusal::Malformed)?;
    let contents = Contents {
        arguments,
        environment,
        random,
        capabilities: u64::from(hwcap()),
        // Neither WRFSBASE nor user-mode MONITOR.
        more_capabilities: 0,
    };
    let (stack_pointer, stack) = contents.build(image, top).map_err(|error| match error {
        StackError::TooLong { limit } => Refusal::ArgumentsTooLong { limit },
        StackError::Exhausted => out_of_memory(needed),
    })?;
    memory
        .fill(space, stack_pointer, &stack)
        .map_err(|OutOfFrames| out_of_memory(stack.len() as u64 / PAGE_LEN + 1))?;
    Ok((memory, stack_pointer))
}

impl Linux {
    /// Loads the archive's program into `space`, builds its stack and sets its registers.
    ///
    /// Of the configuration, this looks at what the program sees: seed, clock and memory.
    pub fn load(
        archive: &Archive<'static>,
        config: &Config,
        thread: ThreadId,
        space: &mut Space,
        user: &mut UserRegisters,
    ) -> Result<Self, Refusal> {
        let program = archive.find(entry::PROGRAM).ok_or(Refusal::NoProgram)?;
        let image = Image::parse(Bytes::Lasting(program))?;
        let needed = filled_pages(&image) + EXTRA_PAGES;
        let listed = |name| strings(archive.find(name).unwrap_or(&[]));
        let mut arguments = listed(entry::ARGV).map_err(|_| out_of_memory(needed))?;
        let environment = listed(entry::ENVP).map_err(|_| out_of_memory(needed))?;
        if arguments.is_empty() {
            // As on Linux: a program always has an argv[0].
            crate::mem::fallible::push(&mut arguments, b"").map_err(|_| out_of_memory(needed))?;
        }
        let mut random = Random::new(config.seed);
        let mut random_bytes = [0; 16];
        random.fill(&mut random_bytes);
        let (memory, stack_pointer) =
            load(space, &image, promised_len(config.memory_len), &arguments, &environment, random_bytes)?;
        let name = arguments.first().copied().unwrap_or_default();
        let mut begun = Start::new(&image, program).map_err(|_| out_of_memory(needed))?;
        if let Some(begun) = Rc::get_mut(&mut begun) {
            begun.read(space, stack_pointer, arguments.len(), environment.len());
        }
        let linux = Self::new(archive, config, thread, memory, random, (name, begun))
            .map_err(|_| out_of_memory(needed))?;
        start(user, image.entry, stack_pointer);
        Ok(linux)
    }
}

/// The registers of a program before its first instruction: all zero but these.
pub fn start(user: &mut UserRegisters, entry: u64, stack_pointer: u64) {
    for index in 0..16 {
        *user.gpr_mut(index) = 0;
    }
    user.extended = Extended::default();
    (user.fs_base, user.gs_base) = (0, 0);
    user.rip = entry;
    user.rsp = stack_pointer;
    user.rflags = INTERRUPT_FLAG | 2;
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::super::elf::Segment;
    use super::*;

    /// The areas of segments, each given by rank, start, end and whether it may be written:
    /// first page, page behind the last, and the same.
    fn areas_of(segments: &[(usize, u64, u64, bool)]) -> Vec<(u64, u64, bool)> {
        let segments = segments.iter().map(|&(rank, start, end, write)| {
            let access = Access { read: true, write, execute: true };
            Segment { start, end, bytes: Bytes::Passing(&[]), access, rank }
        });
        let (segments, entry, headers) = (segments.collect(), 0, 0);
        let image = Image { segments, entry, headers, header_count: 0, executable_stack: false };
        let mut found = Vec::new();
        areas(&image, |area| {
            found.push((area.start / PAGE_LEN, area.end / PAGE_LEN, area.access.write));
            Ok(())
        })
        .unwrap();
        found
    }

    #[test]
    fn of_segments_in_one_page_the_last_in_the_file_decides() {
        // In the order of the file, and against it.
        let (lower, upper) = ((0x1000, 0x3800), (0x3800, 0x5000));
        let both = |one, other| areas_of(&[(one, lower.0, lower.1, false), (other, upper.0, upper.1, true)]);
        assert_eq!(both(0, 1), [(1, 3, false), (3, 5, true)]);
        assert_eq!(both(1, 0), [(1, 4, false), (4, 5, true)]);
        // Several in one page, and nothing but that page.
        let many = |ranks: [usize; 3]| {
            areas_of(&[
                (ranks[0], 0x1000, 0x1100, false),
                (ranks[1], 0x1100, 0x1200, true),
                (ranks[2], 0x1200, 0x2100, false),
            ])
        };
        assert_eq!(many([0, 2, 1]), [(1, 2, true), (2, 3, false)]);
        assert_eq!(many([2, 1, 0]), [(1, 2, false), (2, 3, false)]);
        assert_eq!(many([0, 1, 2]), [(1, 3, false)]);
        // Apart, and side by side.
        assert_eq!(
            areas_of(&[(1, 0x1000, 0x1001, true), (0, 0x9fff, 0xa000, false)]),
            [(1, 2, true), (9, 10, false)]
        );
        assert_eq!(
            areas_of(&[(0, 0x1000, 0x2000, true), (1, 0x2000, 0x3000, true)]),
            [(1, 2, true), (2, 3, true)]
        );
    }
}
