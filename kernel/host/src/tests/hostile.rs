// SPDX-License-Identifier: MIT
//! System calls without sense: whatever comes, the kernel goes on.

use super::*;
use crate::arch::channel;

const PROCESSES: u64 = 40;
const CALLS: usize = 2000;
const PATHS: [&str; 12] = [
    "/etc/motd",
    "/etc",
    "x",
    "/tmp/y",
    "/tmp/y/z",
    "..",
    "/dev/zero",
    "/dev/urandom",
    "/dev/stdin",
    "",
    ".",
    "/proc/self/exe",
];
/// Longer transfers are legal, and only slow.
const MAX_LEN: u64 = 1 << 20;

/// Numbers without sense (xorshift64).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn one_of(&mut self, list: &[u64]) -> u64 {
        list[self.next() as usize % list.len()]
    }
}

#[test]
fn no_call_panics_or_hangs() {
    // The calls that change most.
    let favourites =
        [9, 10, 11, 12, 25, 28, 0, 1, 2, 17, 18, 19, 20, 22, 57, 77, 82, 83, 87, 202, 217, 257, 319]
            .map(|number: u64| number);
    let lengths = [Sysno::read, Sysno::write, Sysno::pread64, Sysno::pwrite64, Sysno::getrandom];
    for seed in 1..=PROCESSES {
        let mut process = Process::new();
        let mut noise = Noise(seed * 0x9e37_79b9);
        let mut values = vec![process.user.rsp, process.user.rip, DATA, DATA + 4 * PAGE_LEN];
        for (index, path) in PATHS.iter().enumerate() {
            let at = DATA + 2 * PAGE_LEN + 64 * index as u64;
            process.poke(at, path.as_bytes());
            process.poke(at + path.len() as u64, &[0]);
            values.push(at);
        }
        let fixed = [
            0,
            1,
            2,
            8,
            16,
            0xfff,
            0x1000,
            0x1001,
            0x2000,
            1 << 30,
            1 << 40,
            1 << 46,
            1 << 47,
            1 << 63,
            (1 << 47) - 0x1000,
            (1 << 47) - 0x2000,
            i64::MAX as u64,
            u64::MAX,
            u64::MAX - 1,
            u64::MAX << 12,
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            (-100_i64) as u64,
            0x22,
            0x32,
            0x241,
            DATA - 4,
            TEXT,
        ];
        let mut children = Vec::new();
        for _ in 0..CALLS {
            let mut arguments = [0; 6].map(|_: u64| match noise.next() % 8 {
                0 => noise.next(),
                1 | 2 => noise.next() % 16,
                3..=5 => noise.one_of(&values),
                _ => noise.one_of(&fixed),
            });
            let number = match noise.next() % 4 {
                0 => noise.one_of(&favourites),
                _ => noise.next() % 470,
            };
            let call = Sysno::new(number as usize);
            if call.is_some_and(|call| lengths.contains(&call)) {
                let length = if call == Some(Sysno::getrandom) { 1 } else { 2 };
                arguments[length] = arguments[length].min(MAX_LEN);
            }
            match process.step(number, &arguments) {
                Next::Continue if process.user.rax < 0xffff_ffff_ffff_f000 => values.push(process.user.rax),
                Next::Exit { .. } | Next::ExitThread | Next::OutOfMemory => break,
                Next::Fork => {
                    let child = process.linux.take_child().unwrap();
                    if noise.next().is_multiple_of(2) {
                        process.refuse(child);
                    } else {
                        process.admit(process.user.rax);
                        children.push(child);
                    }
                }
                Next::Executed => drop(process.linux.take_space()),
                Next::Continue | Next::Yield | Next::Wait | Next::Kill { .. } | Next::OutputFull { .. } => {}
            }
            values.drain(..values.len().saturating_sub(60));
            let address = noise.one_of(&values).wrapping_add(noise.next() % 0x4000);
            let error = noise.one_of(&[4, 5, 6, 7, 20, 21]) as u32;
            let _ = process.linux.page_fault(&mut process.space, address, error);
            channel::take();
        }
        // Every page that was taken is given back with the last area, or with who shares it.
        process.call(Sysno::munmap, &[0, 0x7fff_ffff_f000]).unwrap();
        assert_eq!(process.space.mapped(), 0);
        drop((process, children));
        assert_eq!(frame::free_count(), FRAMES);
    }
}
