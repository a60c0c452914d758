// SPDX-License-Identifier: MIT
//! Bochs, booted from a GRUB image: a second opinion on what processors forgive.
//!
//! Bochs shares no memory: the channel comes by debugcon, which Bochs writes to its
//! standard output, after everything else.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::channel::{from_debugcon, pass_on};
use super::{Boot, Finished, Observer, process, put};
use crate::verdict::{self, Evidence, Stopped};

/// The program.
pub const BOCHS: &str = "bochs";
/// What makes the image.
pub const MKRESCUE: &str = "grub-mkrescue";

/// The model: without RDSEED, RDPID, XSAVEC, XGETBV(1) and WAITPKG, which need not do the same twice.
const CPU: &str = "corei7_haswell_4770";

const IMAGE: &str = "image.iso";
const SETTINGS: &str = "bochsrc";
const DEBUGGER: &str = "debugger";
const LOG: &str = "log";

/// What Bochs logs when the guest asks it to end.
const SHUTDOWN: &str = "shutdown requested";
/// What it logs when the processor gives up.
const TRIPLE_FAULT: &str = "exception with no resolution";

/// Lays out the files and makes the command line.
pub fn prepare(boot: &Boot, directory: &Path) -> Result<Command> {
    let tree = directory.join("image");
    fs::create_dir_all(tree.join("boot/grub")).context("cannot make the image's directory")?;
    put(&tree.join("boot/archive"), &boot.archive)?;
    fs::copy(&boot.kernel, tree.join("boot/kernel"))
        .with_context(|| format!("cannot copy {}", boot.kernel.display()))?;
    put(
        &tree.join("boot/grub/grub.cfg"),
        b"set timeout=0\nmenuentry reprise {\n  multiboot2 /boot/kernel\n  module2 /boot/archive\n}\n",
    )?;
    let image = directory.join(IMAGE);
    let made = Command::new(MKRESCUE).arg("-o").arg(&image).arg(&tree).output();
    let made = made.with_context(|| format!("cannot start {MKRESCUE}"))?;
    ensure!(made.status.success(), "{MKRESCUE}: {}; {}", made.status, verdict::said(&made.stderr));

    let memory = boot.total_mib();
    put(&directory.join(DEBUGGER), b"c\n")?;
    // Nobody reads the display. Drawn by this machine's time, it fills its pseudo-terminal in a run of some
    // minutes, and Bochs waits for ever; drawn by the guest's, it does not.
    put(
        &directory.join(SETTINGS),
        format!(
            "megs: {memory}\n\
             cpu: model={}, count=1, ips=100000000, reset_on_triple_fault=0\n\
             clock: sync=none, time0=946684800\n\
             ata0-master: type=cdrom, path=\"{}\", status=inserted\n\
             boot: cdrom\n\
             port_e9_hack: enabled=1\n\
             log: \"{}\"\n\
             panic: action=fatal\n\
             error: action=report\n\
             info: action=report\n\
             debug: action=ignore\n\
             vga: extension=vbe, update_freq=1, realtime=0\n\
             display_library: term\n",
            boot.cpu.as_deref().unwrap_or(CPU),
            image.display(),
            directory.join(LOG).display(),
        )
        .as_bytes(),
    )?;
    let mut command = Command::new(BOCHS);
    command.arg("-q").arg("-f").arg(directory.join(SETTINGS)).arg("-rc").arg(directory.join(DEBUGGER));
    // The display goes to a pseudo-terminal of its own, and wants to know what that can do.
    command.args(&boot.extra).env("TERM", "linux");
    Ok(command)
}

/// Boots and waits for the end.
pub fn boot(boot: &Boot, directory: &Path, observer: &mut dyn Observer) -> Result<Finished> {
    let mut command = prepare(boot, directory)?;
    let exit = process::watch(&mut command, boot.timeout, || Ok(()))?;
    let log = fs::read(directory.join(LOG)).unwrap_or_default();
    let log = String::from_utf8_lossy(&log);
    let stopped = match exit.status {
        None => Stopped::Deadline(boot.timeout),
        Some(_) if log.contains(SHUTDOWN) => Stopped::Normally,
        Some(_) if log.contains(TRIPLE_FAULT) => Stopped::Reset,
        Some(status) => Stopped::Failed(format!("{BOCHS}: {status}; {}", last_panic(&log, &exit.stderr))),
    };
    let mut debugcon = exit.stdout;
    let (streams, channel_error) = match from_debugcon(&debugcon) {
        Ok(Some((streams, place))) => {
            debugcon.drain(place);
            (streams, None)
        }
        Ok(None) => (Default::default(), None),
        Err(error) => (Default::default(), Some(error.to_string())),
    };
    pass_on(&streams.output, observer)?;
    let evidence =
        Evidence { stopped, end: &streams.end, channel_error, debugcon: &debugcon, progress: None };
    Ok(Finished { ending: evidence.judge(), streams, debugcon })
}

/// The last panic in Bochs' log, or on its standard error from before there is a log.
fn last_panic(log: &str, stderr: &[u8]) -> String {
    let early = String::from_utf8_lossy(stderr);
    let panic =
        |text: &str| text.lines().rfind(|line| line.contains("PANIC")).map(|line| line.trim().to_owned());
    match panic(log).or_else(|| panic(&early)) {
        Some(line) => line,
        None => verdict::said(stderr),
    }
}
