// SPDX-License-Identifier: MIT
//! Emulators: what is booted, where the channel lies, what comes back.

pub mod bochs;
pub mod channel;
pub mod ending;
pub mod loaded;
pub mod qemu;
mod ram;
mod serial;
mod tokens;

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;
use wire::channel::Progress;
use wire::config::Sink;

use self::ending::Ending;
use crate::host::process;

/// The least memory for kernel and program.
pub const MIN_MEMORY_MIB: u32 = 16;
/// The most: with the channel on top, all of it stays below the first hole in the address space.
pub const MAX_MEMORY_MIB: u32 = 2048;

/// The emulators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
pub enum Emulator {
    /// QEMU's TCG; the host reads the channel from the file behind the guest's memory, while the machine runs.
    #[strum(to_string = "QEMU")]
    Qemu,
    /// Bochs; the channel comes by debugcon at the end.
    #[strum(to_string = "Bochs")]
    Bochs,
}

/// The guest's memory: `memory_mib` for kernel and program, the channel above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// Memory for kernel and program.
    pub memory_mib: u32,
    /// Size of the channel.
    pub channel_mib: u32,
}

impl Layout {
    /// Memory of the whole machine.
    pub fn total_mib(self) -> u32 {
        self.memory_mib + self.channel_mib
    }

    /// Physical address of the channel, which is also its offset in the memory's file.
    pub fn channel_base(self) -> u64 {
        u64::from(self.memory_mib) << 20
    }

    /// Size of the channel in bytes.
    pub fn channel_size(self) -> u64 {
        u64::from(self.channel_mib) << 20
    }
}

impl Emulator {
    /// The memory of a machine with `memory_mib` for kernel and program.
    pub fn layout(self, memory_mib: u32) -> Layout {
        let channel_mib = match self {
            Self::Qemu => 256,
            Self::Bochs => 64,
        };
        Layout { memory_mib, channel_mib }
    }

    /// The most memory that the whole machine may have.
    pub fn max_total_mib(self) -> u32 {
        match self {
            // Where QEMU's machine may have its hole.
            Self::Qemu => 3072,
            // What Bochs takes.
            Self::Bochs => 2048,
        }
    }

    /// How the channel reaches the host.
    pub fn sink(self) -> Sink {
        match self {
            Self::Qemu => Sink::Memory,
            Self::Bochs => Sink::Debugcon,
        }
    }
}

/// What QEMU's processor offers the kernel; Bochs has one model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Processor {
    /// Everything that a run may use.
    #[default]
    Usual,
    /// No AVX2, so that the page primitives are those for SSE2.
    Sse2,
}

/// One boot.
#[derive(Clone, Debug)]
pub struct Boot {
    /// The emulator.
    pub machine: Emulator,
    /// The processor.
    pub processor: Processor,
    /// The kernel's ELF file.
    pub kernel: PathBuf,
    /// The boot archive.
    pub archive: Vec<u8>,
    /// The memory.
    pub layout: Layout,
    /// The processor, if not the emulator's usual one.
    pub cpu: Option<String>,
    /// When to give up.
    pub timeout: Duration,
    /// Whether the machine has serial ports, the first of which is read.
    pub has_serial_ports: bool,
    /// Further arguments for the emulator, for tests that watch it from outside.
    pub extra: Vec<OsString>,
}

/// What a loader may need above the archive, which it puts at the end of memory.
const LOADER_MIB: u32 = 2;

impl Boot {
    /// Memory of the whole machine: the layout's, and above the channel room for
    /// the archive, which the loader must not put into the channel.
    pub fn total_mib(&self) -> u32 {
        self.layout.total_mib() + self.archive.len().div_ceil(1 << 20) as u32 + LOADER_MIB
    }
}

/// What is told while a program runs.
pub trait Observer {
    /// The program wrote `bytes` to `descriptor`.
    fn output(&mut self, descriptor: u8, bytes: &[u8]);
    /// How far the run has come.
    fn progress(&mut self, progress: Progress);
}

/// For callers that look at the result only.
pub struct Silent;

impl Observer for Silent {
    fn output(&mut self, _: u8, _: &[u8]) {}

    fn progress(&mut self, _: Progress) {}
}

/// The streams of a channel, complete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Streams {
    /// Chunks of output.
    pub output: Vec<u8>,
    /// The trace, if nobody else has got it.
    pub trace: Vec<u8>,
    /// The log.
    pub log: Vec<u8>,
    /// The end record.
    pub end: Vec<u8>,
}

/// What is left of a boot.
#[derive(Clone, Debug)]
pub struct Finished {
    /// How it ended.
    pub ending: Ending,
    /// What the kernel sent.
    pub streams: Streams,
    /// What came by debugcon, the channel apart.
    pub debugcon: Vec<u8>,
    /// What the first serial port has sent.
    pub serial: Vec<u8>,
}

/// Where a trace goes, piece by piece, cut anywhere.
pub type TraceSink<'a> = &'a mut dyn FnMut(&[u8]) -> Result<()>;

/// Boots and waits for the end.
pub fn boot(boot: &Boot, observer: &mut dyn Observer) -> Result<Finished> {
    let mut trace = Vec::new();
    let finished = boot_tracing(boot, observer, &mut |piece| {
        trace.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(Finished { streams: Streams { trace, ..finished.streams }, ..finished })
}

/// Boots and waits for the end; the trace goes to `trace` while it comes, and is not among the streams.
pub fn boot_tracing(boot: &Boot, observer: &mut dyn Observer, trace: TraceSink) -> Result<Finished> {
    let directory = run_directory()?;
    match boot.machine {
        Emulator::Qemu => qemu::boot(boot, directory.path(), observer, trace),
        Emulator::Bochs => bochs::boot(boot, directory.path(), observer, trace),
    }
}

/// Lays out a boot's files in a directory that stays; returns it and the command line that is to be used there.
pub fn prepare(boot: &Boot) -> Result<(PathBuf, Vec<OsString>)> {
    let directory = tempfile::Builder::new().prefix("reprise-dry-run-").tempdir_in(std::env::temp_dir());
    let directory = directory.context("cannot make a directory for the emulator's files")?.keep();
    let command = match boot.machine {
        Emulator::Qemu => qemu::prepare(boot, &directory)?,
        Emulator::Bochs => bochs::prepare(boot, &directory)?,
    };
    Ok((directory, process::words(&command)))
}

fn run_directory() -> Result<TempDir> {
    tempfile::Builder::new().prefix("reprise-").tempdir().context("cannot make a directory for the run")
}

/// Writes a file of the run's directory.
fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// What a file begins with that an emulator has written, as far as anybody looks at it.
fn beginning(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    // An emulator that did not get so far has not made the file.
    if let Ok(file) = std::fs::File::open(path) {
        let _ = file.take(process::MOST_KEPT).read_to_end(&mut bytes);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_channel_lies_above_the_memory_and_below_three_gibibytes() {
        for machine in [Emulator::Qemu, Emulator::Bochs] {
            let layout = machine.layout(MAX_MEMORY_MIB);
            assert_eq!(layout.channel_base(), 2048 << 20);
            assert!(layout.channel_base() + layout.channel_size() <= 3 << 30);
        }
        assert_eq!(Emulator::Qemu.layout(256).total_mib(), 512);
    }
}
