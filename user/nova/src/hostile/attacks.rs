// SPDX-License-Identifier: MIT
//! The attacks: code that has a stack and a page, and no data.
//!
//! No attack may block for ever before its end, so semaphores are downed by deadlines that have passed; and only the
//! last word of an attack replies, which ends a thread with time of its own.

use nova_rt::hypercall::number;
use nova_rt::raw::{Registers, hypercall};
use nova_rt::status::Status;
use nova_rt::{Crd, USER_END, Utcb, access};

use super::{NEW, OWN, SEMAPHORE, SERVER};

/// What stands in the page of an attack that came to its end.
pub const END: u64 = 0x656e64;

/// Random calls of one attack.
pub const CALLS: u64 = 3000;

/// Selectors of nothing, up to the largest.
const SELECTORS: [u64; 10] = [3, 31, 32, 36, 0xffff, 1 << 20, (1 << 26) - 1, 1 << 32, 1 << 47, (1 << 56) - 1];

/// Numbers at and around what the interface takes.
const VALUES: [u64; 12] = [
    0,
    1,
    4095,
    0x10_0000,
    USER_END - 1,
    USER_END,
    1 << 47,
    0xffff_8000_0000_0000,
    0xffff_ffff_8020_0000,
    1 << 63,
    u64::MAX - 4095,
    u64::MAX,
];

fn make(number: u64, flags: u64, selector: u64, parameters: [u64; 4]) -> u64 {
    hypercall(Registers::new(number, flags, selector, parameters)).rdi & 0xff
}

/// Whether a call could block for ever or end the thread.
const fn is_last(number: u64, flags: u64) -> bool {
    number == number::REPLY || number == number::SM_CTRL && flags & 1 != 0
}

/// A generator of random numbers, SplitMix64.
struct Random(u64);

impl Random {
    const fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    fn of<const N: usize>(&mut self, values: &[u64; N]) -> u64 {
        values[(self.next() % N as u64) as usize]
    }

    /// A selector: mostly one that something is at.
    fn selector(&mut self) -> u64 {
        match self.next() % 4 {
            0 => self.of(&SELECTORS),
            1 => NEW + self.next() % 64,
            _ => self.next() % 3,
        }
    }

    /// A parameter: a selector, an odd number, a range, or anything.
    fn value(&mut self) -> u64 {
        match self.next() % 4 {
            0 => self.selector(),
            1 => self.of(&VALUES),
            2 => Crd::object(self.selector(), self.next() % 32, self.next() % 32).0,
            _ => self.next(),
        }
    }
}

/// Every call with every flag and every selector that nothing is at.
pub extern "C" fn selectors(_: Utcb, page: u64) {
    for selector in SELECTORS {
        for number in (0..16).filter(|number| *number != number::REPLY) {
            for flags in 0..16 {
                let mut index = number + flags;
                let parameters = [(); 4].map(|()| {
                    index += 1;
                    VALUES[(index % VALUES.len() as u64) as usize]
                });
                let deadline = [0, 1, parameters[2], parameters[3]];
                let parameters = if is_last(number, flags) { deadline } else { parameters };
                make(number, flags, selector, parameters);
            }
        }
    }
    access::write(page, END);
}

/// Calls the server with every number of words and items that the header has room for.
pub extern "C" fn headers(utcb: Utcb, page: u64) {
    for shift in 0..64 {
        for header in [1u64 << shift, (1 << shift) - 1, !(1 << shift), 0xff_01fc << (shift / 8)] {
            utcb.put(0, header);
            make(number::CALL, 0, SERVER, [0; 4]);
            utcb.put(0, header);
            make(number::MISC, 1, OWN, [Crd::ALL_OBJECTS.0, OWN, 0, 0]);
        }
    }
    access::write(page, END);
}

/// Fills the UTCB with random numbers, and calls the server and delegates to itself by them.
pub extern "C" fn items(utcb: Utcb, page: u64) {
    let mut random = Random(access::read(page + 8));
    for _ in 0..200 {
        for offset in (0..4096).step_by(8) {
            let word = if offset % 16 == 0 { random.value() } else { random.next() };
            utcb.put(offset, word);
        }
        utcb.set_counts(random.next() % 512, random.next() % 256);
        make(number::CALL, random.next() & 1, SERVER, [0; 4]);
        utcb.set_counts(0, random.next() % 255);
        make(number::MISC, 1, OWN, [random.value(), OWN, 0, 0]);
    }
    access::write(page, END);
}

/// Makes objects of a kind until that is refused; returns how many.
fn fill(base: u64, number: u64, flags: u64, parameters: impl Fn(u64) -> [u64; 4]) -> u64 {
    let mut count = 0;
    while count < 20_000
        && make(number, flags, base + count, parameters(count)) == u64::from(Status::SUCCESS.0)
    {
        count += 1;
    }
    count
}

/// Makes everything until kernel memory ends, kind after kind, and the same once more when all of it is gone.
pub extern "C" fn creation(_: Utcb, page: u64) {
    let utcb = |count: u64| 0x2000_0000_0000 + (count << 12);
    for _ in 0..2 {
        let mut base = NEW;
        base += fill(base, number::CREATE_PD, 0, |_| [OWN, 0, 1 << 32, 0]);
        base += fill(base, number::CREATE_EC, 1, |count| [OWN, utcb(count), 0, 0x8000_0000]);
        let thread = base.saturating_sub(1);
        base += fill(base, number::CREATE_EC, 0, |count| [OWN, utcb(0x1_0000 + (count << 10)), 0, 0]);
        let worker = base.saturating_sub(1);
        base += fill(base, number::CREATE_SC, 0, |_| [OWN, thread, 1 << 12 | 1, 0]);
        base += fill(base, number::CREATE_PT, 0, |_| [OWN, worker, u64::MAX, 0]);
        base += fill(base, number::CREATE_SM, 0, |_| [OWN, u64::MAX, 0, 0]);
        base += fill(base, number::CREATE_SM, 0, |_| [OWN, u64::MAX, SEMAPHORE, 0]);
        for selector in NEW..base {
            make(number::REVOKE, 1, 0, [Crd::object(selector, 0, 31).0, 0, 0, 0]);
        }
    }
    access::write(page, END);
}

/// Makes random calls on what there is and what there is not.
pub extern "C" fn random(utcb: Utcb, page: u64) {
    let mut random = Random(access::read(page + 8));
    for count in 0..CALLS {
        for offset in [0, 8, 0x10, 0x18, 0x20, 0xff0, 0xff8] {
            utcb.put(offset, random.value());
        }
        let number = random.next() % 16;
        let flags = random.next() % 16;
        let selector = random.selector();
        let mut parameters = [(); 4].map(|()| random.value());
        if number == number::SM_CTRL {
            parameters[0] = 0;
            parameters[1] = 1;
        }
        // What it holds stays, and so does what it runs on: text and stack are memory.
        let range = Crd(parameters[0]);
        let takes_own = number == number::REVOKE && (range.0 & 3 == 1 || range.base() >> range.order() == 0);
        if number != number::REPLY && !takes_own {
            make(number, flags, selector, parameters);
        }
        access::write(page, count);
    }
    access::write(page, END);
}

/// Replies to nobody, again and again.
pub extern "C" fn reply(_: Utcb, page: u64) {
    access::write(page, END);
    for selector in SELECTORS {
        make(number::REPLY, 0, selector, [0; 4]);
    }
    // A thread with time of its own gives it up when it replies.
    access::write(page, 1);
}

/// Revokes every object, every port and all memory, its own text and stack at last.
pub extern "C" fn revocation(_: Utcb, page: u64) {
    for order in 0..32 {
        for flags in [0, 4, 2, 6, 3, 7] {
            make(number::REVOKE, flags, SEMAPHORE, [Crd::object(order, order, 0).0, OWN, 0, 0]);
            make(number::REVOKE, flags, 0, [Crd::port(0, order).0, OWN, 0, 0]);
            make(number::REVOKE, 0, 0, [Crd::memory(0, order, 31).0, OWN, 0, 0]);
        }
    }
    for flags in [5, 1] {
        make(number::REVOKE, flags, 0, [Crd::object(0, 31, 31).0, 0, 0, 0]);
    }
    access::write(page, END);
    make(number::REVOKE, 1, 0, [Crd::memory(0, 31, 31).0, 0, 0, 0]);
    access::write(page, 1);
}
