// SPDX-License-Identifier: MIT
//! System calls with one bad pointer at a time.

use rt::output::{STDERR, STDOUT, line};
use rt::sys::errno::ENOSYS;

/// Where user space ends.
pub const END: u64 = 0x0000_7fff_ffff_f000;

/// What stands in an argument while the others are probed, and what it is probed with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Argument {
    /// A number, never a bad one.
    Value(u64),
    /// A descriptor of a file with a page of text.
    File,
    /// A descriptor of a directory.
    Directory,
    /// A name that exists; not probed.
    Path,
    /// Memory that may be written; not probed.
    Scratch,
    /// A pointer that the kernel reads from.
    In,
    /// Likewise; null says that there is nothing to read.
    InOrNull,
    /// A pointer that the kernel writes to.
    Out,
    /// Likewise; null says that nothing is wanted.
    OutOrNull,
    /// A good vector of one element whose base is probed.
    Vector,
    /// A length in bytes far beyond everything.
    Length,
    /// A number of elements, likewise.
    Count,
    /// A pointer that the kernel takes as it is.
    Noted,
}

/// A system call: name, number, arguments, and the errors that are right besides ENOSYS.
pub struct Call(pub &'static str, pub u64, pub [Argument; 6], pub &'static [i64]);

/// Never a program's: null, unmapped, behind the end, not canonical, the kernel's, the last bytes.
const BAD: [u64; 14] = [
    0,
    1,
    4088,
    END,
    END + 0xfff,
    1 << 47,
    1 << 63,
    0xffff_7fff_ffff_ffff,
    0xffff_8000_0000_0000,
    0xffff_8880_0000_0000,
    0xffff_ffff_8000_0000,
    0xffff_ffff_8010_0000,
    u64::MAX - 7,
    u64::MAX,
];
const LENGTHS: [u64; 4] = [u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 47];
/// Also those that are negative as an int.
const COUNTS: [u64; 4] = [u64::MAX, (1 << 63) - 1, 0x7fff_ffff, 0xffff_ffff];
const PAGE: u64 = 4096;

/// Numbers of the calls that set the stage.
mod number {
    pub const WRITE: u64 = 1;
    pub const OPEN: u64 = 2;
    pub const LSEEK: u64 = 8;
    pub const MMAP: u64 = 9;
    pub const MPROTECT: u64 = 10;
    pub const MUNMAP: u64 = 11;
    pub const UNLINK: u64 = 87;
}

/// What good arguments are made of.
struct Stage {
    file: u64,
    directory: u64,
    /// Pages: writable, read-only, without any permission; the next one is not mapped.
    pages: u64,
    read_only: u64,
    none: u64,
    hole: u64,
}

impl Stage {
    fn set() -> Self {
        let name = c"hostile.tmp".as_ptr() as u64;
        let file = system(number::OPEN, [name, 0o1102, 0o600, 0, 0, 0]) as u64;
        let directory = system(number::OPEN, [c".".as_ptr() as u64, 0o200_000, 0, 0, 0, 0]) as u64;
        let _ = system(number::UNLINK, [name, 0, 0, 0, 0, 0]);
        // Read and write, private and anonymous.
        let pages = system(number::MMAP, [0, 6 * PAGE, 3, 0x22, u64::MAX, 0]) as u64;
        let stage = Self {
            file,
            directory,
            pages,
            read_only: pages + 3 * PAGE,
            none: pages + 4 * PAGE,
            hole: pages + 5 * PAGE,
        };
        assert_eq!(system(number::WRITE, [file, pages, PAGE, 0, 0, 0]), PAGE as i64, "no file to work with");
        assert_eq!(system(number::MPROTECT, [stage.read_only, PAGE, 1, 0, 0, 0]), 0, "no read-only page");
        assert_eq!(system(number::MPROTECT, [stage.none, PAGE, 0, 0, 0, 0]), 0, "no page without permission");
        assert_eq!(system(number::MUNMAP, [stage.hole, PAGE, 0, 0, 0, 0]), 0, "no hole");
        stage
    }

    /// Each good pointer has an area of its own, so that no call sees its output as its input.
    fn good(&self, position: usize, argument: Argument) -> u64 {
        match argument {
            Argument::Value(value) => value,
            Argument::File => self.file,
            Argument::Directory => self.directory,
            Argument::Path | Argument::In => c".".as_ptr() as u64,
            Argument::InOrNull | Argument::OutOrNull | Argument::Noted => 0,
            Argument::Scratch | Argument::Out | Argument::Vector => self.pages + 512 * position as u64,
            Argument::Length | Argument::Count => 1,
        }
    }

    /// The values to probe an argument with.
    fn bad(&self, argument: Argument) -> impl Iterator<Item = u64> {
        let (fixed, more): (&[u64], [Option<u64>; 4]) = match argument {
            Argument::Value(_)
            | Argument::File
            | Argument::Directory
            | Argument::Path
            | Argument::Scratch => (&[], [None; 4]),
            Argument::In | Argument::Vector => {
                (&BAD, [None, Some(self.none), Some(self.hole), Some(self.hole + 1)])
            }
            Argument::InOrNull => (&BAD[1..], [None, Some(self.none), Some(self.hole), Some(self.hole + 1)]),
            Argument::Out => {
                (&BAD, [Some(self.read_only), Some(self.none), Some(self.hole), Some(self.none - 1)])
            }
            Argument::OutOrNull => {
                (&BAD[1..], [Some(self.read_only), Some(self.none), Some(self.hole), Some(self.none - 1)])
            }
            Argument::Length => (&LENGTHS, [None; 4]),
            Argument::Count => (&COUNTS, [None; 4]),
            Argument::Noted => (&BAD, [Some(self.read_only), Some(self.none), Some(self.hole), None]),
        };
        fixed.iter().copied().chain(more.into_iter().flatten())
    }
}

/// Runs the call that the arguments name and returns the program's status.
#[must_use]
pub fn run(mut arguments: rt::Arguments, calls: &[Call]) -> i32 {
    let wanted = arguments.nth(1).unwrap_or(b"");
    if wanted == b"list" {
        calls.iter().for_each(|call| line(STDOUT, format_args!("{}", call.0)));
        return 0;
    }
    match calls.iter().find(|call| call.0.as_bytes() == wanted) {
        Some(call) => i32::from(!survives(call, &Stage::set())),
        None => crate::usage(),
    }
}

/// Probes every argument; says which values were answered wrongly.
fn survives(&Call(name, number, arguments, allowed): &Call, stage: &Stage) -> bool {
    let mut well = true;
    for (position, &argument) in arguments.iter().enumerate() {
        for value in stage.bad(argument) {
            let mut values = core::array::from_fn(|at| stage.good(at, arguments[at]));
            values[position] = match argument {
                Argument::Vector => vector(values[position], value),
                _ => value,
            };
            let _ = system(number::LSEEK, [stage.file, 0, 0, 0, 0, 0]);
            let result = system(number, values);
            let noted = argument == Argument::Noted && result >= 0;
            if !noted && result != ENOSYS && !allowed.contains(&result) {
                line(STDERR, format_args!("{name}: argument {position} = {value:#x} gave {result}"));
                well = false;
            }
        }
    }
    // A call without anything to probe is made once, as it stands.
    if !arguments.iter().any(|&argument| stage.bad(argument).next().is_some()) {
        let result = system(number, core::array::from_fn(|at| stage.good(at, arguments[at])));
        if result != ENOSYS && !allowed.contains(&result) {
            line(STDERR, format_args!("{name} gave {result}"));
            well = false;
        }
    }
    well
}

/// Writes an I/O vector of one element at `at` and returns where it is.
fn vector(at: u64, base: u64) -> u64 {
    store(at, base);
    store(at + 8, 64);
    at
}

#[expect(unsafe_code, reason = "the vector lies in memory that this program mapped itself")]
fn store(at: u64, value: u64) {
    // SAFETY: `at` is inside the writable pages of the stage, aligned to 512 bytes plus 0 or 8.
    unsafe { (at as *mut u64).write(value) }
}

/// Makes any system call.
#[expect(unsafe_code, reason = "a system call with any arguments is what an attack is")]
#[inline(never)]
#[must_use]
pub fn system(number: u64, arguments: [u64; 6]) -> i64 {
    // SAFETY: the good arguments name memory of the stage, which no reference covers, and the bad ones are
    // refused; a kernel that does otherwise is what these programs look for.
    unsafe { rt::sys::call(number, arguments) }
}
