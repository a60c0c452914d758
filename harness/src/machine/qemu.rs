// SPDX-License-Identifier: MIT
//! QEMU's TCG, counting instructions, so that the same image and inputs give the same run.

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::channel::MemoryChannel;
use super::{Boot, Finished, Observer, Processor, process, put};
use crate::verdict::{self, Evidence, Stopped};

/// The program.
pub const QEMU: &str = "qemu-system-x86_64";

/// Without random numbers, fast strings, and XGETBV(1), which tells what state is in use; without SMAP, because
/// QEMU before 9.1 applies that to a program's own IRET and far transfers, which could not reach their stack.
const CPU: &str = "max,-rdrand,-xgetbv1,-erms,-fsrm,-smap";

/// What is taken away from it for [`Processor::Sse2`].
const WITHOUT_AVX2: &str = ",-avx2";

/// Exit status for the value 0x10 at the exit device: the kernel ended normally.
const STATUS_NORMAL: i32 = 0x10 << 1 | 1;
/// Likewise for 0x11: the kernel panicked.
const STATUS_PANIC: i32 = 0x11 << 1 | 1;
/// A reset, which `-no-reboot` turns into an exit: a triple fault.
const STATUS_RESET: i32 = 0;

const RAM: &str = "ram";
const ARCHIVE: &str = "archive";
const DEBUGCON: &str = "debugcon";

/// Major and minor version of this machine's QEMU.
pub fn version() -> Result<(u32, u32)> {
    let output =
        Command::new(QEMU).arg("--version").output().with_context(|| format!("cannot start {QEMU}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    version_in(&text).with_context(|| format!("{QEMU} does not say its version: {text}"))
}

/// Major and minor version in the first line of `--version`.
fn version_in(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split_once("version ")?.1.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

/// Lays out the files and makes the command line.
pub fn prepare(boot: &Boot, directory: &Path) -> Result<Command> {
    put(&directory.join(ARCHIVE), &boot.archive)?;
    let memory = boot.total_mib();
    let with_path = |prefix: String, name: &str| {
        let mut argument = OsString::from(prefix);
        argument.push(comma_doubled(&directory.join(name)));
        argument
    };
    let cpu = match (&boot.cpu, boot.processor) {
        (Some(cpu), _) => cpu.clone(),
        (None, Processor::Usual) => CPU.to_owned(),
        (None, Processor::Sse2) => [CPU, WITHOUT_AVX2].concat(),
    };
    let mut command = Command::new(QEMU);
    command
        .args(["-machine", "pc,memory-backend=ram", "-object"])
        .arg(with_path(format!("memory-backend-file,id=ram,share=on,size={memory}M,mem-path="), RAM))
        .args(["-m", &format!("{memory}M"), "-smp", "1"])
        // Of two accelerators the first is taken: those who watch from outside may name one with options.
        .args(&boot.extra)
        .args(["-accel", "tcg", "-icount", "shift=0,sleep=off", "-seed", "1"])
        .args(["-rtc", "base=2000-01-01,clock=vm", "-cpu", &cpu])
        .args(["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-debugcon"])
        .arg(with_path("file:".into(), DEBUGCON))
        .args(["-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-kernel"])
        .arg(&boot.kernel)
        .arg("-initrd")
        .arg(directory.join(ARCHIVE));
    Ok(command)
}

/// A comma separates options in QEMU's arguments; doubled it stands for itself.
pub fn comma_doubled(path: &Path) -> OsString {
    match path.to_str() {
        Some(text) => text.replace(',', ",,").into(),
        None => path.into(),
    }
}

/// Boots and waits for the end.
pub fn boot(boot: &Boot, directory: &Path, observer: &mut dyn Observer) -> Result<Finished> {
    let mut command = prepare(boot, directory)?;
    let mut channel = MemoryChannel::new(directory.join(RAM), boot.layout);
    let exit = process::watch(&mut command, boot.timeout, || channel.poll(observer))?;
    channel.poll(observer)?;
    let stopped = match exit.status {
        None => Stopped::Deadline(boot.timeout),
        Some(status) => match status.code() {
            Some(STATUS_NORMAL) => Stopped::Normally,
            Some(STATUS_PANIC) => Stopped::Panicked,
            Some(STATUS_RESET) => Stopped::Reset,
            Some(_) | None => Stopped::Failed(format!("{QEMU}: {status}; {}", verdict::said(&exit.stderr))),
        },
    };
    let debugcon = fs::read(directory.join(DEBUGCON)).unwrap_or_default();
    let progress = channel.header().ok().flatten().map(|header| header.progress);
    let (streams, channel_error) = match channel.streams() {
        Ok(streams) => (streams, None),
        Err(error) => (None, Some(format!("{error:#}"))),
    };
    let streams = streams.unwrap_or_default();
    let evidence = Evidence { stopped, end: &streams.end, channel_error, debugcon: &debugcon, progress };
    Ok(Finished { ending: evidence.judge(), streams, debugcon })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        assert_eq!(version_in("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7)\nCopyright"), Some((7, 2)));
        assert_eq!(version_in("QEMU emulator version 10.0.2"), Some((10, 0)));
        assert_eq!(version_in("no emulator"), None);
    }
}
