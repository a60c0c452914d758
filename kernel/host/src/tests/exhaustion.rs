// SPDX-License-Identifier: MIT
//! Memory that ends in the middle: every system call, with every one of its allocations
//! failing, and every frame.
//!
//! A call either succeeds, or fails with an error that says so, or the process ends; never
//! does the kernel. What is left behind is sound: everything is counted right
//! ([`audit`](crate::linux::Linux::audit)), the same call succeeds once there is memory, and
//! what was taken is given back with the process. An allocation that cannot fail ends the
//! whole test binary; with `--nocapture` the last line on stderr names the case.

mod cases;
mod stage;

use std::collections::BTreeSet;

use super::*;
use crate::heap::{self, Failing};
use crate::linux::Status;
use cases::{PLAIN, PREPARED, REFUSED, system_call};

/// Something that the kernel does for a process, as often as wanted.
type Work = Box<dyn Fn(&mut Process) -> Next>;

/// How the process goes on, and RAX.
type Outcome = (Next, i64);

/// What memory there is not.
#[derive(Clone, Copy, Debug)]
enum Shortage {
    Heap(Failing),
    /// Only so many frames are left.
    Frames(u64),
}

/// What came of some work under a shortage.
struct Attempt {
    /// Memory was asked for that there was not.
    short: bool,
    first: Outcome,
    /// The second try, with all memory there is, unless the process has ended.
    again: Option<Outcome>,
    /// The first try has changed something that can be seen.
    differs: bool,
}

/// Calls that may do a part of what they are asked to.
const TRANSFERS: [Sysno; 13] = [
    Sysno::read,
    Sysno::write,
    Sysno::pread64,
    Sysno::pwrite64,
    Sysno::readv,
    Sysno::writev,
    Sysno::preadv,
    Sysno::pwritev,
    Sysno::preadv2,
    Sysno::pwritev2,
    Sysno::getrandom,
    Sysno::getdents64,
    Sysno::ftruncate,
];

impl Process {
    pub fn audit(&self) {
        self.linux.audit(|id| self.spaces.get(&self.space_of[&id]).unwrap_or(&self.space));
    }

    fn outcome(&mut self, next: Next) -> Outcome {
        match next {
            Next::Fork => {
                self.take_child();
            }
            Next::Executed => self.start_over(),
            _ => {}
        }
        // Whoever was killed does not go on: the parent does.
        if matches!(next, Next::OutOfMemory | Next::Kill { .. } | Next::Exit { .. }) {
            self.end(Status::Signaled(9), FIRST_ID);
        }
        self.audit();
        (next, self.user.rax as i64)
    }
}

/// Does work once under a shortage, with so much room left in each list.
fn attempt(prepare: &dyn Fn(&mut Process) -> Work, shortage: Shortage, room: usize) -> Attempt {
    let before = heap::live();
    let attempt = {
        let mut process = stage::process();
        let work = prepare(&mut process);
        process.linux.tighten(room);
        process.audit();
        let seen = process.linux.snapshot();
        let taken = match shortage {
            Shortage::Heap(failing) => {
                heap::fail(failing);
                0
            }
            Shortage::Frames(left) => frame::free_count() - left,
        };
        frame::set_free(frame::free_count() - taken);
        frame::was_refused();
        let next = work(&mut process);
        // Who finds too few frames free asks for none.
        let ended = matches!(next, Next::OutOfMemory | Next::Kill { signal: 9 });
        let short = heap::recover() | frame::was_refused() | ended;
        frame::set_free(frame::free_count() + taken);
        let first = process.outcome(next);
        let differs = process.linux.snapshot().into_iter().zip(seen).any(|(now, then)| now != then);
        let goes_on = matches!(next, Next::Continue | Next::Yield | Next::Wait);
        let again = (short && goes_on).then(|| {
            let next = work(&mut process);
            process.outcome(next)
        });
        Attempt { short, first, again, differs }
    };
    crate::arch::channel::take();
    assert_eq!(frame::free_count(), FRAMES, "frames are missing");
    assert_eq!(heap::live(), before, "bytes of the heap are missing");
    attempt
}

/// Tries some work with every shortage that makes a difference; returns what it comes to
/// without one, and in how many ways it came short.
fn exhaust(name: &str, call: Option<Sysno>, prepare: &dyn Fn(&mut Process) -> Work) -> (Outcome, usize) {
    heap::quiet(|| eprintln!("{name}"));
    let reference = attempt(prepare, Shortage::Heap(Failing::Never), 0).first;
    let kinds: [fn(u64) -> Shortage; 3] = [
        |number| Shortage::Heap(Failing::From(number)),
        |number| Shortage::Heap(Failing::Only(number)),
        Shortage::Frames,
    ];
    let mut ways = 0;
    for (kind, room) in kinds.into_iter().flat_map(|kind| [(kind, 0), (kind, 1)]) {
        for number in 0.. {
            let shortage = kind(number);
            let Attempt { short, first, again, differs } = attempt(prepare, shortage, room);
            if !short {
                assert_eq!(first, reference, "{name} with {shortage:?}");
                break;
            }
            ways += 1;
            check(name, call, shortage, reference, first, again);
            // What is to be replaced by a mapping is gone, as on Linux.
            let replaces = matches!(call, Some(Sysno::mmap | Sysno::mremap));
            let failed = first.0 == Next::Continue && (-4095..0).contains(&first.1);
            assert!(
                replaces || !failed || first == reference || !differs,
                "{name} with {shortage:?}: {first:?}"
            );
        }
    }
    (reference, ways)
}

fn check(
    name: &str,
    call: Option<Sysno>,
    shortage: Shortage,
    reference: Outcome,
    first: Outcome,
    again: Option<Outcome>,
) {
    let context = || format!("{name} with {shortage:?}: {first:?}, then {again:?}; else {reference:?}");
    match first {
        _ if first == reference => return,
        (Next::OutOfMemory | Next::Kill { signal: 9 }, _) => return,
        (Next::Continue, value @ -4095..0) => {
            let honest = [errno::ENOMEM, errno::ENOSPC, errno::ENFILE, errno::ENOLCK];
            assert!(honest.contains(&(-value as u32)), "{}", context());
        }
        (Next::Continue, value) if call.is_some_and(|call| TRANSFERS.contains(&call)) => {
            assert!(value < reference.1, "{}", context());
            return;
        }
        (Next::Continue | Next::Yield | Next::Wait, _) => {}
        _ => panic!("{}", context()),
    }
    assert_eq!(again, Some(reference), "{}", context());
}

#[test]
fn every_call_survives_every_failing_allocation() {
    drop(stage::process());
    let mut ways = 0;
    for (call, list) in PLAIN {
        for arguments in *list {
            let name = format!("{call} {arguments:x?}");
            let (reference, more) = exhaust(&name, Some(*call), &|_| system_call(*call, arguments));
            ways += more;
            let (next, value) = reference;
            let is_refused = next == Next::Continue
                && (-4095..0).contains(&value)
                && value != -i64::from(errno::ETIMEDOUT);
            assert!(!is_refused || REFUSED.contains(call), "{name} is refused: {value}");
        }
    }
    for (name, prepare) in PREPARED {
        ways += exhaust(name, None, prepare).1;
    }
    assert!(ways > 1000, "{ways}");
}

#[test]
fn no_call_is_left_out() {
    let source = include_str!("../../../src/linux/dispatch.rs");
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let names =
        source.split("Sysno::").skip(1).map(|rest| rest.split(|letter| !is_name(letter)).next().unwrap());
    let performed: BTreeSet<&str> = names.collect();
    let plain = PLAIN.iter().map(|(call, _)| call.name());
    let tried: BTreeSet<&str> = plain.chain(PREPARED.iter().map(|(name, _)| *name)).collect();
    let missing: Vec<_> = performed.difference(&tried).collect();
    assert!(performed.len() > 100 && missing.is_empty(), "no case in exhaustion/cases.rs: {missing:?}");
}

#[test]
fn a_program_is_loaded_or_refused() {
    drop(stage::process());
    for number in 0.. {
        let before = heap::live();
        let (failed, loaded) = {
            let (archive, mut space, mut user) =
                (standard(), Space::default(), UserRegisters::new(0x33, 0x2b));
            frame::set_free(FRAMES);
            heap::fail(Failing::From(number));
            let loaded = Linux::load(&archive, &config(), ThreadId::at(0), &mut space, &mut user);
            let failed = heap::recover();
            (failed, loaded.is_ok())
        };
        assert_eq!((frame::free_count(), loaded), (FRAMES, !failed), "{number}");
        assert_eq!(heap::live(), before);
        if !failed {
            assert!(number > 50, "{number}");
            break;
        }
    }
}
