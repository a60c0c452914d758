// SPDX-License-Identifier: MIT
//! What a user is told about an end that is not a plain exit, and the exit status for it.

pub mod nature;
mod verdict;

use std::fmt::Write;

use signal_hook::consts::SIGXCPU;
use syscalls::Sysno;
use wire::GPR_NAMES;
use wire::difference::InWords;
use wire::end::{CounterFault, Damage, Death, End, ProcessorLack, Refusal, Registers};
use wire::limit::{Limited, ReachedLimit};
use wire::nova::{RootDeath, Stop};
use wire::record::UnsupportedCall;

use super::console::Log;
use crate::host::{STATUS_FAILURE, children};
use crate::workload::program::{Toolchain, Unfit};

/// The exit status for an end: the program's own, 128 + signal, or failure.
pub fn exit_status(end: &End) -> u8 {
    match end {
        End::Exited { status } => *status,
        End::Killed(death) => 128 | death.signal,
        End::Persistent(_) | End::Damaged(_) | End::Refused(_) | End::Deadlock | End::OutputFull { .. } => {
            STATUS_FAILURE
        }
        End::SelfTests { failed, .. } => u8::from(*failed > 0),
        End::Calibrated(_) | End::Batch { .. } => 0,
        End::Stopped(Stop::Idle | Stop::Text | Stop::Time) => 0,
        End::Stopped(Stop::Instructions) => 128 | SIGXCPU as u8,
        End::RootDied(_) => STATUS_FAILURE,
    }
}

/// What init has exited with, in a system that rests since then, if its core says so on the console.
pub fn exit_value(end: &End, console: &[u8]) -> Option<u8> {
    matches!(end, End::Stopped(Stop::Idle)).then(|| Log::new(console).exit_value()).flatten()
}

/// The exit status of a run that has ended so, with that on its console.
pub fn run_status(end: &End, console: &[u8]) -> u8 {
    exit_value(end, console).unwrap_or_else(|| exit_status(end))
}

/// What is said about an end on standard error; nothing about a plain exit.
pub fn told(end: &End) -> Option<String> {
    match end {
        End::Exited { .. } | End::Calibrated(_) | End::Batch { .. } => None,
        End::Killed(death) => Some(killed(death)),
        End::Persistent(verdict) => Some(verdict::text(verdict)),
        End::Damaged(Damage { pe, thread, difference }) => Some(format!(
            "PE {pe} ({thread}) cannot be started again: the two copies of what it started from differ in {}",
            InWords(*difference)
        )),
        End::Refused(why) => Some(refusal(why)),
        End::Deadlock => Some("deadlock: nothing is left that could wake the program up".into()),
        End::OutputFull { limit } => Some(format!("the program wrote more than the channel's {limit} bytes")),
        End::Stopped(stop) => Some(stopped(*stop).into()),
        End::RootDied(death) => Some(root_died(death)),
        End::SelfTests { passed, failed } => Some(format!("self-tests: {passed} passed, {failed} failed")),
    }
}

/// Why the run of a system was ended.
fn stopped(stop: Stop) -> &'static str {
    match stop {
        Stop::Idle => "idle: no thread is ready, and neither an interrupt nor a deadline will make one so",
        Stop::Text => "the text that was waited for has come (--until)",
        Stop::Time => "the system's time is over (--run-for)",
        Stop::Instructions => "the system has executed as many instructions as it may (--max-instructions)",
    }
}

/// The report on a root task that has ended: one line, then its registers in columns.
fn root_died(death: &RootDeath) -> String {
    let RootDeath { thread, event, qualification: [error, address], registers } = death;
    let mut text = format!(
        "the root task has died: nobody handles event {event} (error {error:#x}, address {address:#x}) of {thread} at rip {:#x}; --log names its last calls",
        registers.rip
    );
    add_columns(&mut text, registers);
    text
}

/// The report on a program that was ended: one line, then its registers in columns.
fn killed(death: &Death) -> String {
    let Death { thread, signal, vector, address, registers } = death;
    let mut text = format!(
        "the program was killed by signal {signal} ({}) in {thread} at rip {:#x}, address {address:#x}",
        signal_name(*signal),
        registers.rip
    );
    // Writing to a string does not fail.
    let _ = match vector {
        Some(vector) => write!(text, ", exception {vector}"),
        None if i32::from(*signal) == SIGXCPU => {
            write!(text, ": it has executed as many instructions as it may (--max-instructions)")
        }
        None => Ok(()),
    };
    add_columns(&mut text, registers);
    text
}

/// Adds registers in columns.
fn add_columns(text: &mut String, registers: &Registers) {
    const COLUMNS: usize = 4;
    let named = GPR_NAMES.into_iter().zip(registers.gpr);
    let named = named.chain([("rip", registers.rip), ("rflags", registers.rflags)]);
    for (index, (name, value)) in named.enumerate() {
        text.push_str(if index % COLUMNS == 0 { "\n" } else { "  " });
        // Writing to a string does not fail.
        let _ = write!(text, "{name:<6} {value:016x}");
    }
}

/// The name of a signal that ended a program.
pub fn signal_name(signal: u8) -> &'static str {
    children::signal_name(signal.into())
}

/// The name of a system call; none for a number that no call has.
pub fn call_name(number: u32) -> Option<&'static str> {
    Sysno::new(number as usize).map(|call| call.name())
}

/// The name of a hypercall of the NOVA interface, by its number, of which four bits count.
pub fn hypercall_name(number: u8) -> &'static str {
    wire::nova::CALLS[usize::from(number) % wire::nova::CALLS.len()]
}

/// What is said about a call that the kernel does not have.
pub fn unsupported(call: &UnsupportedCall) -> String {
    let UnsupportedCall { number, times } = call;
    let times = if *times == 1 { "once".to_owned() } else { format!("{times} times") };
    match call_name(*number) {
        Some(name) => format!("not supported, or not like that: system call {number} ({name}), made {times}"),
        None => format!("not supported: system calls with numbers that Linux does not have, made {times}"),
    }
}

/// What is said about a limit that programs have come to.
pub fn reached(limit: &ReachedLimit) -> String {
    let ReachedLimit { of, most, times } = limit;
    let times = if *times == 1 { "once".to_owned() } else { format!("{times} times") };
    format!("there may be {most} {} at a time, and one more was refused {times} (EAGAIN)", limited_name(*of))
}

/// The name of what there is only so much of.
pub fn limited_name(of: Limited) -> &'static str {
    match of {
        Limited::Threads => "threads",
        Limited::Processes => "processes",
    }
}

/// Why the kernel refused, in one line.
pub fn refusal(why: &Refusal) -> String {
    match why {
        Refusal::NoProgram => "the boot archive lacks an entry that the kernel needs".into(),
        Refusal::NotElf => "the kernel refuses the program: not a 64-bit ELF file".into(),
        Refusal::OtherMachine => "the kernel refuses the program: not for x86-64".into(),
        Refusal::NotStatic => {
            format!("the kernel refuses the program: {}", Unfit::Dynamic(Toolchain::Unknown))
        }
        Refusal::Truncated => "the kernel refuses the program: truncated".into(),
        Refusal::SegmentOutsideUserSpace { address } => {
            format!("the kernel refuses the program: a segment at {address:#x} lies outside user space")
        }
        Refusal::Malformed => "the kernel refuses the program: its headers contradict each other".into(),
        Refusal::ArgumentsTooLong { limit } => {
            format!("arguments and environment are too long; the limit is {limit} bytes")
        }
        Refusal::OutOfMemory { needed_pages, free_pages } => {
            format!("too little memory: {needed_pages} pages needed, {free_pages} free; --memory gives more")
        }
        Refusal::Mutation => "this kernel is not built to leave parts of the engine out".into(),
        Refusal::Processor(lack) => {
            let lack = match lack {
                ProcessorLack::Xsave => "XSAVE",
                ProcessorLack::NoExecute => "no-execute pages",
                ProcessorLack::Syscall => "SYSCALL",
                ProcessorLack::Apic => "a local APIC",
                ProcessorLack::Avx => "AVX",
            };
            format!("the processor lacks {lack}")
        }
        Refusal::NoIoApic => {
            "this machine has no I/O APIC: with the two old interrupt controllers alone, nothing can end a run".into()
        }
        Refusal::LimitAboveWatchdog { limit, most } => format!(
            "a limit of {limit} instructions is too long for this machine's watchdog; --limit takes {most} at most"
        ),
        Refusal::Counter(fault) => match fault {
            CounterFault::Dead => "the instruction counter does not move, or does not interrupt".into(),
            CounterFault::Spread { least, most } => {
                format!("the instruction counter is not exact: its bias varies from {least} to {most}")
            }
            CounterFault::Inexact { asked, seen } => {
                format!("the instruction counter is not exact: {asked} instructions asked for, {seen} seen")
            }
            CounterFault::Refused(why) => format!("the instruction counter is refused: {why}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use wire::ThreadNumber;

    use super::*;

    #[test]
    fn a_death_is_told_with_registers_in_columns() {
        let mut gpr = [0; 16];
        gpr[0] = 0xdead_beef;
        let registers = Registers { gpr, rip: 0x40_1234, rflags: 0x246 };
        let thread = ThreadNumber { process: 1, thread: 3 };
        let end = End::Killed(Death { thread, signal: 11, vector: Some(14), address: 0x10, registers });
        assert_eq!(exit_status(&end), 139);
        let text = told(&end).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "the program was killed by signal 11 (SIGSEGV) in thread 3 of process 1 at rip 0x401234, address 0x10, exception 14"
        );
        assert_eq!(
            lines[1],
            "rax    00000000deadbeef  rcx    0000000000000000  rdx    0000000000000000  rbx    0000000000000000"
        );
        assert_eq!(lines[5], "rip    0000000000401234  rflags 0000000000000246");
        assert_eq!(lines.len(), 6);
    }

    #[test]
    fn statuses_are_the_programs_or_failure() {
        assert_eq!(exit_status(&End::Exited { status: 3 }), 3);
        assert_eq!(exit_status(&End::Deadlock), 2);
        assert_eq!(exit_status(&End::OutputFull { limit: 1 }), 2);
        assert_eq!(exit_status(&End::Refused(Refusal::NotElf)), 2);
        assert_eq!(told(&End::Exited { status: 3 }), None);
    }

    #[test]
    fn calls_that_are_not_supported_are_named_and_counted() {
        let text = |number, times| unsupported(&UnsupportedCall { number, times });
        assert_eq!(text(435, 1), "not supported, or not like that: system call 435 (clone3), made once");
        assert!(text(u32::MAX, 20).ends_with("numbers that Linux does not have, made 20 times"));
    }

    #[test]
    fn a_limit_is_named_with_what_was_refused() {
        let text = |of, times| reached(&ReachedLimit { of, most: 1024, times });
        let told = "there may be 1024 threads at a time, and one more was refused 3 times (EAGAIN)";
        assert_eq!(text(Limited::Threads, 3), told);
        assert!(text(Limited::Processes, 1).ends_with("refused once (EAGAIN)"));
    }

    #[test]
    fn signals_have_names() {
        for (signal, name) in
            [(4, "SIGILL"), (11, "SIGSEGV"), (24, "SIGXCPU"), (31, "SIGSYS"), (64, "another signal")]
        {
            assert_eq!(signal_name(signal), name);
        }
    }

    #[test]
    fn refusals_are_one_line() {
        let text = refusal(&Refusal::OutOfMemory { needed_pages: 10, free_pages: 3 });
        assert_eq!(text, "too little memory: 10 pages needed, 3 free; --memory gives more");
    }
}
