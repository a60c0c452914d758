// SPDX-License-Identifier: MIT
//! Memory calls with addresses and lengths that wrap, reach into the kernel or take the program's own ground away.
//!
//! Every case is a call that has to be refused with one of the errors beside it,
//! or one that the program does not survive and the kernel does.
#![no_std]
#![no_main]

use hostile::calls::{END, system};
use rt::output::{STDERR, STDOUT, line};
use rt::sys::errno::{EBADF, EFAULT, EINVAL, ENOMEM, ENOSYS, EPERM};

rt::entry!(main);

const MMAP: u64 = 9;
const MPROTECT: u64 = 10;
const MUNMAP: u64 = 11;
const BRK: u64 = 12;
const MREMAP: u64 = 25;
const MADVISE: u64 = 28;

const PAGE: u64 = 4096;
const KERNEL: u64 = 0xffff_ffff_8000_0000;
const HALF: u64 = 0xffff_8000_0000_0000;
/// Private, anonymous; and at exactly this address.
const ANON: u64 = 0x22;
const FIXED: u64 = 0x32;
const MAYMOVE: u64 = 1;
const NOFD: u64 = u64::MAX;

/// Name, number, arguments, and the results that are right. An own page stands in for [`OWN`].
type Refused = (&'static str, u64, [u64; 6], &'static [i64]);
/// In the arguments: the address of three writable pages of the program.
const OWN: u64 = 0x5afe_5afe_5afe_5000;

const REFUSED: &[Refused] = &[
    ("mmap-empty", MMAP, [0, 0, 3, ANON, NOFD, 0], &[EINVAL]),
    ("mmap-max", MMAP, [0, u64::MAX, 3, ANON, NOFD, 0], &[ENOMEM, EINVAL]),
    ("mmap-half", MMAP, [0, 1 << 63, 3, ANON, NOFD, 0], &[ENOMEM]),
    ("mmap-all", MMAP, [0, 1 << 47, 3, ANON, NOFD, 0], &[ENOMEM]),
    ("mmap-space", MMAP, [0, END, 3, ANON, NOFD, 0], &[ENOMEM]),
    ("mmap-fixed-kernel", MMAP, [KERNEL, PAGE, 3, FIXED, NOFD, 0], &[ENOMEM, EINVAL]),
    ("mmap-fixed-half", MMAP, [HALF, PAGE, 3, FIXED, NOFD, 0], &[ENOMEM, EINVAL]),
    ("mmap-fixed-low", MMAP, [1 << 47, PAGE, 3, FIXED, NOFD, 0], &[ENOMEM, EINVAL]),
    ("mmap-fixed-end", MMAP, [END, PAGE, 3, FIXED, NOFD, 0], &[ENOMEM, EINVAL]),
    ("mmap-fixed-over-end", MMAP, [END - PAGE, 2 * PAGE, 3, FIXED, NOFD, 0], &[ENOMEM, EINVAL]),
    ("mmap-fixed-top", MMAP, [0u64.wrapping_sub(PAGE), PAGE, 3, FIXED, NOFD, 0], &[ENOMEM, EINVAL]),
    ("mmap-fixed-wrap", MMAP, [0x1000_0000, u64::MAX - 0xfff_ffff, 3, FIXED, NOFD, 0], &[ENOMEM, EINVAL]),
    ("mmap-fixed-odd", MMAP, [0x1234_5678, PAGE, 3, FIXED, NOFD, 0], &[EINVAL]),
    ("mmap-no-kind", MMAP, [0, PAGE, 3, 0x20, NOFD, 0], &[EINVAL]),
    ("mmap-no-file", MMAP, [0, PAGE, 1, 2, 999, 0], &[EBADF]),
    ("mmap-offset", MMAP, [0, PAGE, 1, ANON, NOFD, 1], &[EINVAL]),
    ("munmap-empty", MUNMAP, [OWN, 0, 0, 0, 0, 0], &[EINVAL]),
    ("munmap-odd", MUNMAP, [OWN + 1, PAGE, 0, 0, 0, 0], &[EINVAL]),
    ("munmap-kernel", MUNMAP, [KERNEL, PAGE, 0, 0, 0, 0], &[EINVAL]),
    ("munmap-half", MUNMAP, [HALF, PAGE, 0, 0, 0, 0], &[EINVAL]),
    ("munmap-end", MUNMAP, [END, PAGE, 0, 0, 0, 0], &[EINVAL]),
    ("munmap-max", MUNMAP, [OWN, u64::MAX, 0, 0, 0, 0], &[EINVAL]),
    ("munmap-wrap", MUNMAP, [OWN, 0u64.wrapping_sub(PAGE), 0, 0, 0, 0], &[EINVAL]),
    ("mprotect-odd", MPROTECT, [OWN + 1, PAGE, 1, 0, 0, 0], &[EINVAL]),
    ("mprotect-kernel", MPROTECT, [KERNEL, PAGE, 7, 0, 0, 0], &[ENOMEM, EINVAL]),
    ("mprotect-half", MPROTECT, [HALF, PAGE, 7, 0, 0, 0], &[ENOMEM, EINVAL]),
    ("mprotect-end", MPROTECT, [END, PAGE, 7, 0, 0, 0], &[ENOMEM, EINVAL]),
    ("mprotect-max", MPROTECT, [OWN, u64::MAX, 3, 0, 0, 0], &[ENOMEM, EINVAL]),
    ("mprotect-wrap", MPROTECT, [OWN, 0u64.wrapping_sub(PAGE), 3, 0, 0, 0], &[ENOMEM, EINVAL]),
    ("mprotect-bits", MPROTECT, [OWN, PAGE, 0xff00, 0, 0, 0], &[EINVAL]),
    ("mprotect-hole", MPROTECT, [0x1234_5000, PAGE, 1, 0, 0, 0], &[ENOMEM]),
    ("mremap-odd", MREMAP, [OWN + 1, PAGE, PAGE, MAYMOVE, 0, 0], &[EINVAL]),
    ("mremap-empty", MREMAP, [OWN, PAGE, 0, MAYMOVE, 0, 0], &[EINVAL]),
    ("mremap-max", MREMAP, [OWN, PAGE, u64::MAX, MAYMOVE, 0, 0], &[ENOMEM, EINVAL]),
    ("mremap-all", MREMAP, [OWN, PAGE, 1 << 47, MAYMOVE, 0, 0], &[ENOMEM, EINVAL]),
    ("mremap-old-max", MREMAP, [OWN, u64::MAX, PAGE, MAYMOVE, 0, 0], &[EFAULT, EINVAL]),
    ("mremap-old-more", MREMAP, [OWN, 64 * PAGE, 128 * PAGE, MAYMOVE, 0, 0], &[EFAULT]),
    ("mremap-kernel", MREMAP, [KERNEL, PAGE, 2 * PAGE, MAYMOVE, 0, 0], &[EFAULT, EINVAL]),
    ("mremap-hole", MREMAP, [0x1234_5000, PAGE, 2 * PAGE, MAYMOVE, 0, 0], &[EFAULT]),
    ("mremap-to-kernel", MREMAP, [OWN, PAGE, PAGE, 3, KERNEL, 0], &[EINVAL, ENOMEM]),
    ("mremap-to-end", MREMAP, [OWN, PAGE, PAGE, 3, END, 0], &[EINVAL, ENOMEM]),
    ("mremap-onto-itself", MREMAP, [OWN, 2 * PAGE, 2 * PAGE, 3, OWN + PAGE, 0], &[EINVAL]),
    ("mremap-flags", MREMAP, [OWN, PAGE, PAGE, 0xff00, 0, 0], &[EINVAL]),
    ("madvise-odd", MADVISE, [OWN + 1, PAGE, 4, 0, 0, 0], &[EINVAL]),
    ("madvise-kernel", MADVISE, [KERNEL, PAGE, 4, 0, 0, 0], &[ENOMEM, EINVAL]),
    ("madvise-max", MADVISE, [OWN, u64::MAX, 4, 0, 0, 0], &[ENOMEM, EINVAL]),
    ("madvise-unknown", MADVISE, [OWN, PAGE, 9999, 0, 0, 0], &[EINVAL]),
    // Ports, and a table of its own segments; the last one answers with 32 bits.
    ("iopl", 172, [4, 0, 0, 0, 0, 0], &[EINVAL, EPERM]),
    ("ioperm", 173, [1 << 16, u64::MAX, 1, 0, 0, 0], &[EINVAL, EPERM]),
    ("modify-ldt", 154, [1, KERNEL, 16, 0, 0, 0], &[EINVAL, EFAULT, EFAULT & 0xffff_ffff]),
];

/// Calls that take the program's own ground away; the page of [`system`] stands in for [`OWN`].
const FATAL: &[(&str, u64, [u64; 6])] = &[
    ("munmap-everything", MUNMAP, [0x1_0000, END - 0x1_0000, 0, 0, 0, 0]),
    ("munmap-text", MUNMAP, [OWN, PAGE, 0, 0, 0, 0]),
    ("mprotect-text", MPROTECT, [OWN, PAGE, 0, 0, 0, 0]),
    ("mprotect-text-no-execute", MPROTECT, [OWN, PAGE, 3, 0, 0, 0]),
    ("mmap-over-text", MMAP, [OWN, PAGE, 7, FIXED, NOFD, 0]),
    ("mremap-text", MREMAP, [OWN, PAGE, PAGE, 3, 0x7000_0000, 0]),
];

/// Break addresses that are all refused by an unchanged break.
const BREAKS: [u64; 8] = [1, 0x20_0000, END, 1 << 47, 1 << 63, HALF, KERNEL, u64::MAX];

/// Thousands of mappings that do not join; those that fit may be had.
fn many_maps() -> bool {
    let refused = (0..4000u64).find_map(|number| {
        let result = system(MMAP, [0, PAGE, 1 + (number & 1) * 2, ANON, NOFD, 0]);
        (result < 0).then_some(result)
    });
    refused.is_none_or(|error| error == ENOMEM)
}

/// Every second page of one mapping with another permission, then all of it gone.
fn many_pieces() -> bool {
    const PIECES: u64 = 2000;
    let Ok(base) = u64::try_from(system(MMAP, [0, PIECES * PAGE, 3, ANON, NOFD, 0])) else { return false };
    let split = (0..PIECES / 2).all(|piece| {
        let result = system(MPROTECT, [base + 2 * piece * PAGE, PAGE, 1, 0, 0, 0]);
        result == 0 || result == ENOMEM
    });
    split && system(MUNMAP, [base, PIECES * PAGE, 0, 0, 0, 0]) == 0
}

fn breaks() -> bool {
    let now = system(BRK, [0; 6]);
    BREAKS.iter().all(|&wanted| system(BRK, [wanted, 0, 0, 0, 0, 0]) == now)
}

/// A case of more than one call: its name, and whether all went well.
type Whole = (&'static str, fn() -> bool);

const WHOLE: &[Whole] = &[("brk", breaks), ("many-maps", many_maps), ("many-pieces", many_pieces)];

/// The arguments with `own` in the place of [`OWN`].
fn on(own: u64, arguments: [u64; 6]) -> [u64; 6] {
    arguments.map(|value| match value.checked_sub(OWN) {
        Some(offset @ ..=PAGE) => own + offset,
        Some(_) | None => value,
    })
}

fn refused(&(name, number, arguments, right): &Refused) -> bool {
    let own = system(MMAP, [0, 3 * PAGE, 3, ANON, NOFD, 0]) as u64;
    let result = system(number, on(own, arguments));
    let well = result == ENOSYS || right.contains(&result);
    if !well {
        line(STDERR, format_args!("{name} gave {result}"));
    }
    well
}

fn main(mut arguments: rt::Arguments) -> i32 {
    let wanted = arguments.nth(1).unwrap_or(b"");
    if wanted == b"list" {
        let names = REFUSED.iter().map(|case| case.0).chain(FATAL.iter().map(|case| case.0));
        names.chain(WHOLE.iter().map(|case| case.0)).for_each(|name| line(STDOUT, format_args!("{name}")));
        return 0;
    }
    if let Some(case) = REFUSED.iter().find(|case| case.0.as_bytes() == wanted) {
        return i32::from(!refused(case));
    }
    if let Some(&(_, number, arguments)) = FATAL.iter().find(|case| case.0.as_bytes() == wanted) {
        let text = system as *const () as u64 & !(PAGE - 1);
        line(STDERR, format_args!("this should not be seen: {}", system(number, on(text, arguments))));
        return 1;
    }
    if let Some((_, whole)) = WHOLE.iter().find(|case| case.0.as_bytes() == wanted) {
        return i32::from(!whole());
    }
    hostile::usage()
}
