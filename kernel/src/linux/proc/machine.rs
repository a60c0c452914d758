// SPDX-License-Identifier: MIT
//! What the files say that are there whatever runs.

use super::super::Linux;
use super::super::area::MAX_AREAS;
use super::super::clock::NANOSECONDS;
use super::super::memory::MMAP_MIN;
use super::super::process::{FIRST_ID, MAX_ID};
use super::super::process_calls::{HOSTNAME, MACHINE_VERSION, RELEASE, SYSTEM};
use super::super::thread::MAX_THREADS;
use super::super::time_calls::TICK_NS;
use super::text::Text;
use super::{Fixed, cpu};

/// Hundredths of a second.
const HUNDREDTH_NS: u64 = NANOSECONDS / 100;

impl Linux {
    /// What a file says that is there whatever runs.
    pub(super) fn machine_text(&self, text: &mut Text, fixed: Fixed) {
        match fixed {
            Fixed::Cpuinfo => cpu::write(text),
            Fixed::Filesystems => {
                text.str("nodev\tramfs\nnodev\tproc\nnodev\tsysfs\n");
            }
            Fixed::Meminfo => self.write_meminfo(text),
            Fixed::Stat => self.write_stat(text),
            Fixed::Uptime => self.write_uptime(text),
            Fixed::Version => {
                text.str(SYSTEM).str(" version ").str(RELEASE).str(" ").str(MACHINE_VERSION).str("\n");
            }
            Fixed::Hostname => {
                text.str(HOSTNAME).str("\n");
            }
            Fixed::Osrelease => {
                text.str(RELEASE).str("\n");
            }
            Fixed::Ostype => {
                text.str(SYSTEM).str("\n");
            }
            Fixed::KernelVersion => {
                text.str(MACHINE_VERSION).str("\n");
            }
            Fixed::PidMax => {
                text.number(MAX_ID).str("\n");
            }
            Fixed::ThreadsMax => {
                text.number(MAX_THREADS as u64).str("\n");
            }
            Fixed::MaxMapCount => {
                text.number(MAX_AREAS as u64).str("\n");
            }
            Fixed::MmapMinAddr => {
                text.number(MMAP_MIN).str("\n");
            }
            // What is obviously too much is refused at once.
            Fixed::OvercommitMemory => {
                text.str("0\n");
            }
            // There is one processor.
            Fixed::Online | Fixed::Possible | Fixed::Present => {
                text.str("0\n");
            }
            Fixed::Proc
            | Fixed::Mounts
            | Fixed::Own
            | Fixed::Settings
            | Fixed::OwnThread
            | Fixed::Kernel
            | Fixed::Vm
            | Fixed::Sys
            | Fixed::Devices
            | Fixed::System
            | Fixed::Cpu
            | Fixed::Cpu0 => {}
        }
    }

    /// As with `sysinfo`, what is free is what a program is promised, not what is left of it.
    fn write_meminfo(&self, text: &mut Text) {
        let rows = [
            ("MemTotal:", self.memory_len),
            ("MemFree:", self.promised_len()),
            ("MemAvailable:", self.promised_len()),
            ("SwapTotal:", 0),
            ("SwapFree:", 0),
        ];
        for (name, bytes) in rows {
            let start = text.length();
            text.str(name).pad(start + 16).wide(bytes / 1024, 8).str(" kB\n");
        }
    }

    /// All time in which somebody ran is user time, all other time is idle.
    fn write_stat(&self, text: &mut Text) {
        let (passed_ns, slept_ns) = self.clock.passed_and_slept_ns();
        for name in ["cpu  ", "cpu0 "] {
            text.str(name).number(passed_ns / TICK_NS).str(" 0 0 ").number(slept_ns / TICK_NS);
            text.str(" 0 0 0 0 0 0\n");
        }
        text.str("btime ").number(self.clock.start_ns() / NANOSECONDS);
        text.str("\nprocesses ").number(self.next_id - FIRST_ID);
        let running = self.all_threads().filter(|thread| self.activity_of(thread).is_running()).count();
        text.str("\nprocs_running ").number(running as u64).str("\nprocs_blocked 0\n");
    }

    fn write_uptime(&self, text: &mut Text) {
        let (_, slept_ns) = self.clock.passed_and_slept_ns();
        for (time_ns, behind) in [(self.clock.monotonic_ns(), " "), (slept_ns, "\n")] {
            let hundredths = time_ns % NANOSECONDS / HUNDREDTH_NS;
            text.number(time_ns / NANOSECONDS).str(if hundredths < 10 { ".0" } else { "." });
            text.number(hundredths).str(behind);
        }
    }
}
