// SPDX-License-Identifier: MIT
//! QEMU's TCG, counting instructions, so that the same image and inputs give the same run.

use std::ffi::OsString;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use rustix::process::{Pid, setpriority_process};

use super::channel::MemoryChannel;
use super::ending::{self, Evidence, Stopped};
pub use super::ram::NAME as RAM;
use super::ram::Ram;
use super::serial::{self, Serial};
use super::tokens::{self, Tokens};
use super::{Boot, Finished, Observer, Processor, TraceSink, beginning, put};
use crate::host::packages::command::QEMU;
use crate::host::{children, process};

/// The processor: without random numbers, fast strings, and XGETBV(1), which tells what state is in use; without SMAP, because
/// QEMU before 9.1 applies that to a program's own IRET and far transfers, which could not reach their stack.
const CPU: &str = "max,-rdrand,-xgetbv1,-erms,-fsrm,-smap";

/// What is taken away from the processor for [`Processor::Sse2`].
const WITHOUT_AVX2: &str = ",-avx2";

/// Exit status for the value 0x10 at the exit device: the kernel ended normally.
const STATUS_NORMAL: i32 = 0x10 << 1 | 1;
/// Exit status for the value 0x11 at the exit device: the kernel panicked.
const STATUS_PANIC: i32 = 0x11 << 1 | 1;
/// A reset, which `-no-reboot` turns into an exit: a triple fault.
const STATUS_RESET: i32 = 0;

/// QEMU's smallest firmware, which does what PVH asks for and no more: the usual one takes as long as QEMU itself to
/// start.
const FIRMWARE: &str = "qboot.rom";
/// The one that QEMU takes if none is named.
pub const USUAL_FIRMWARE: &str = "bios-256k.bin";

/// The niceness of a thread that leaves the processor to all others.
const LOWEST_PRIORITY: i32 = 19;

const KERNEL: &str = "kernel";
const ARCHIVE: &str = "archive";
const DEBUGCON: &str = "debugcon";

/// Major and minor version of this machine's QEMU.
pub fn version() -> Result<(u32, u32)> {
    let output = children::output(Command::new(QEMU).arg("--version"))
        .with_context(|| format!("cannot start {QEMU}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    version_in(&text).with_context(|| format!("{QEMU} does not say its version: {text}"))
}

/// Major and minor version in the first line of `--version`.
fn version_in(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split_once("version ")?.1.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Lays out the files and makes the command line, which is to be used in their directory: it names them without
/// it, since a comma in a path means something to QEMU, in each option something else. The guest's memory is one
/// of the files.
pub fn prepare(boot: &Boot, directory: &Path) -> Result<Command> {
    // Without anybody who reads the trace meanwhile: what is in the channel at the end is all of it.
    command(boot, directory, Path::new(RAM))
}

fn command(boot: &Boot, directory: &Path, ram: &Path) -> Result<Command> {
    put(&directory.join(ARCHIVE), &boot.archive)?;
    let kernel = directory.join(KERNEL);
    symlink(&boot.kernel, &kernel).with_context(|| format!("cannot make {}", kernel.display()))?;
    let memory = boot.total_mib();
    let cpu = match (&boot.cpu, boot.processor) {
        (Some(cpu), _) => cpu.clone(),
        (None, Processor::Usual) => CPU.to_owned(),
        (None, Processor::Sse2) => [CPU, WITHOUT_AVX2].concat(),
    };
    let mut command = Command::new(QEMU);
    command
        .current_dir(directory)
        .args(["-machine", "pc,memory-backend=ram", "-object"])
        .arg(format!("memory-backend-file,id=ram,share=on,size={memory}M,mem-path={}", ram.display()))
        .args(["-m", &format!("{memory}M"), "-smp", "1"])
        .args(["-bios", FIRMWARE])
        // The event timer writes messages then: its one pin is that of the old timer, which a program may have.
        .args(["-global", "hpet.msi=on"])
        // Of two accelerators the first is taken, of two firmwares the last: those who watch from outside may name
        // others.
        .args(&boot.extra)
        .args(["-accel", "tcg", "-icount", "shift=0,sleep=off", "-seed", "1"])
        .args(["-rtc", "base=2000-01-01,clock=vm", "-cpu", &cpu])
        .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-debugcon"])
        .arg(format!("file:{DEBUGCON}"))
        .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel", KERNEL, "-initrd", ARCHIVE]);
    if boot.has_serial_ports {
        command
            .arg("-serial")
            .arg(format!("file:{}", serial::NAME))
            .args(["-serial", "null", "-serial", "null"]);
    }
    Ok(command)
}

/// The signal that QEMU says has ended it: it catches some, and then ends as after a reset.
fn terminated(stderr: &[u8]) -> Option<i32> {
    let text = String::from_utf8_lossy(stderr);
    let (_, signal) = text.lines().rev().find_map(|line| line.split_once("terminating on signal "))?;
    signal.split(' ').next()?.parse().ok()
}

/// A comma separates the parts of a plugin's option; doubled it stands for itself.
pub fn comma_doubled(path: &Path) -> OsString {
    match path.to_str() {
        Some(text) => text.replace(',', ",,").into(),
        None => path.into(),
    }
}

/// Lowers the priority of the thread that runs QEMU's main loop, and of no other: with a guest that runs, it has
/// nothing to do until the end. Each timer that expires wakes it although the processor's thread, which counts
/// instructions, serves the timer itself; the two then wait for each other's lock. On a busy machine it is woken
/// once for many, and a run of short PEs takes a third less processor time.
fn hold_back_main_loop(qemu: Pid) {
    // Without that, all is slower and nothing else.
    let _ = setpriority_process(Some(qemu), LOWEST_PRIORITY);
}

/// Boots and waits for the end.
pub fn boot(
    boot: &Boot,
    directory: &Path,
    observer: &mut dyn Observer,
    trace: TraceSink,
) -> Result<Finished> {
    let ram = Ram::new(u64::from(boot.total_mib()) << 20, directory);
    let mut command = command(boot, directory, ram.path())?;
    command
        .args(["-chardev", &format!("file,id=tokens,path={}", tokens::NAME)])
        .args(["-device", "isa-debugcon,iobase=0xea,chardev=tokens"]);
    let mut channel = MemoryChannel::new(ram.path().to_owned(), boot.layout, Some(Tokens::new(directory)?));
    let mut serial = Serial::new(directory);
    let mut is_held_back = false;
    let exit = process::watch(&mut children::tethered(&command), boot.timeout, |qemu| {
        channel.poll(observer, trace)?;
        serial.poll(observer)?;
        if !is_held_back && matches!(channel.header(), Ok(Some(_))) {
            hold_back_main_loop(qemu);
            is_held_back = true;
        }
        Ok(())
    })?;
    channel.poll(observer, trace)?;
    serial.poll(observer)?;
    let stopped = match exit.status {
        None => Stopped::Deadline(boot.timeout),
        Some(status) => match (status.code(), status.signal().or(terminated(&exit.stderr))) {
            (Some(STATUS_NORMAL), _) => Stopped::Normally,
            (Some(STATUS_PANIC), _) => Stopped::Panicked,
            (_, Some(signal)) => Stopped::Killed(signal),
            (Some(STATUS_RESET), None) => Stopped::Reset,
            (Some(_) | None, None) => {
                Stopped::Failed(format!("{QEMU}: {status}; {}", ending::said(&exit.stderr)))
            }
        },
    };
    let debugcon = beginning(&directory.join(DEBUGCON));
    let progress = channel.header().ok().flatten().map(|header| header.progress);
    let (streams, channel_error) = match channel.streams() {
        Ok(streams) => (streams, None),
        Err(error) => (None, Some(format!("{error:#}"))),
    };
    let streams = streams.unwrap_or_default();
    let evidence = Evidence { stopped, end: &streams.end, channel_error, debugcon: &debugcon, progress };
    Ok(Finished { ending: evidence.ending(), streams, debugcon, serial: serial.into_bytes() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_that_qemu_caught_is_found_in_what_it_said() {
        let said =
            b"qemu-system-x86_64: warning\nqemu-system-x86_64: terminating on signal 15 from pid 7 (sh)\n";
        assert_eq!(terminated(said), Some(15));
        assert_eq!(terminated(b"qemu-system-x86_64: terminating on signal 2\n"), Some(2));
        assert_eq!(terminated(b""), None);
    }

    #[test]
    fn versions_are_read() {
        assert_eq!(version_in("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright"), Some((7, 2)));
        assert_eq!(version_in("QEMU emulator version 10.0.2"), Some((10, 0)));
        assert_eq!(version_in("no emulator"), None);
    }
}
