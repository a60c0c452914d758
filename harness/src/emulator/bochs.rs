// SPDX-License-Identifier: MIT
//! Bochs, booted from a GRUB image: a second opinion on what processors forgive.
//!
//! Bochs shares no memory: the channel comes by debugcon, which Bochs writes to its
//! standard output, after everything else.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use object::LittleEndian as Le;
use object::elf::FileHeader64;
use object::pod::from_bytes_mut;
use object::read::elf::{FileHeader, ProgramHeader};
use signal_hook::consts::SIGINT;

use super::channel::{find, from_debugcon, pass_on};
use super::ending::{self, Evidence, Stopped};
use super::{Boot, Finished, Observer, beginning, put};
use crate::host::packages::command::{BOCHS, MKRESCUE};
use crate::host::{children, process};

/// The model: without RDSEED, RDPID, XSAVEC, XGETBV(1) and WAITPKG, which need not do the same twice.
const CPU: &str = "corei7_haswell_4770";

const TREE: &str = "image";
const IMAGE: &str = "image.iso";
const SETTINGS: &str = "bochsrc";
const DEBUGGER: &str = "debugger";
const LOG: &str = "log";

/// What Bochs logs when the guest asks it to end.
const SHUTDOWN: &str = "shutdown requested";
/// What it says when its debugger gets no answer.
const NO_ANSWER: &[u8] = b"fgets() returned ERROR";
/// What it says of a processor model that it does not know.
const NO_SUCH_CPU: &[u8] = b"cpu directive malformed";
/// What it logs when the processor gives up.
const TRIPLE_FAULT: &str = "exception with no resolution";

/// Lays out the files and makes the command line, which is to be used in their directory: paths in the settings
/// cannot have every character.
pub fn prepare(boot: &Boot, directory: &Path) -> Result<Command> {
    let tree = directory.join(TREE);
    fs::create_dir_all(tree.join("boot/grub")).context("cannot make the image's directory")?;
    put(&tree.join("boot/archive"), &boot.archive)?;
    let kernel = fs::read(&boot.kernel).map_err(anyhow::Error::from).and_then(loaded);
    put(&tree.join("boot/kernel"), &kernel.with_context(|| boot.kernel.display().to_string())?)?;
    put(
        &tree.join("boot/grub/grub.cfg"),
        b"set timeout=0\nmenuentry reprise {\n  multiboot2 /boot/kernel\n  module2 /boot/archive\n}\n",
    )?;
    let mut make = Command::new(MKRESCUE);
    // What it makes for itself is in this directory, too.
    make.current_dir(directory).env("TMPDIR", ".");
    make.args(["-o", IMAGE, TREE]);
    let made = children::output(&mut make);
    let made = made.with_context(|| format!("cannot start {MKRESCUE}"))?;
    ensure!(made.status.success(), "{MKRESCUE}: {}; {}", made.status, ending::said(&made.stderr));

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
             ata0-master: type=cdrom, path={IMAGE}, status=inserted\n\
             boot: cdrom\n\
             port_e9_hack: enabled=1\n\
             log: {LOG}\n\
             panic: action=fatal\n\
             error: action=report\n\
             info: action=report\n\
             debug: action=ignore\n\
             vga: extension=vbe, update_freq=1, realtime=0\n\
             display_library: term\n",
            boot.cpu.as_deref().unwrap_or(CPU),
        )
        .as_bytes(),
    )?;
    let mut command = Command::new(BOCHS);
    command.current_dir(directory).args(["-q", "-f", SETTINGS, "-rc", DEBUGGER]);
    // The display goes to a pseudo-terminal of its own, and wants to know what that can do.
    command.args(&boot.extra).env("TERM", "linux");
    Ok(command)
}

/// The part of a kernel's file that is loaded; GRUB would read all of it, and its symbols are most of it.
fn loaded(mut file: Vec<u8>) -> Result<Vec<u8>> {
    let header = FileHeader64::<Le>::parse(&*file)?;
    let segments = header.program_headers(Le, &*file)?;
    let ends = segments.iter().map(|segment| segment.p_offset(Le).saturating_add(segment.p_filesz(Le)));
    let end = usize::try_from(ends.max().unwrap_or(0))?.max(size_of::<FileHeader64<Le>>());
    file.truncate(end);
    let Ok((header, _)) = from_bytes_mut::<FileHeader64<Le>>(&mut file) else { bail!("it has no header") };
    // There are no sections any more.
    header.e_shoff.set(Le, 0);
    header.e_shnum.set(Le, 0);
    header.e_shstrndx.set(Le, 0);
    Ok(file)
}

/// Boots and waits for the end.
pub fn boot(boot: &Boot, directory: &Path, observer: &mut dyn Observer) -> Result<Finished> {
    let command = prepare(boot, directory)?;
    let exit = process::watch(&mut children::tethered(&command), boot.timeout, |_| Ok(()))?;
    let log = beginning(&directory.join(LOG));
    let log = String::from_utf8_lossy(&log);
    let stopped = match exit.status {
        None => Stopped::Deadline(boot.timeout),
        Some(_) if log.contains(SHUTDOWN) => Stopped::Normally,
        Some(_) if log.contains(TRIPLE_FAULT) => Stopped::Reset,
        Some(status) if status.signal().is_some() => Stopped::Killed(status.signal().unwrap_or_default()),
        // Its debugger catches this signal, and asks what to do.
        Some(_) if find(&exit.stdout, NO_ANSWER).is_some() => Stopped::Killed(SIGINT),
        Some(_) if find(&exit.stderr, NO_SUCH_CPU).is_some() => Stopped::Failed(format!(
            "{BOCHS} has no processor model {}; `{BOCHS} --help cpu` lists them",
            boot.cpu.as_deref().unwrap_or(CPU)
        )),
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
    pass_on(&streams.output, observer);
    let evidence =
        Evidence { stopped, end: &streams.end, channel_error, debugcon: &debugcon, progress: None };
    Ok(Finished { ending: evidence.ending(), streams, debugcon })
}

/// The last panic in Bochs' log, or on its standard error from before there is a log.
fn last_panic(log: &str, stderr: &[u8]) -> String {
    let early = String::from_utf8_lossy(stderr);
    let panic =
        |text: &str| text.lines().rfind(|line| line.contains("PANIC")).map(|line| line.trim().to_owned());
    match panic(log).or_else(|| panic(&early)) {
        Some(line) => line,
        None => ending::said(stderr),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_loaded_is_left_out() {
        let file = crate::workload::program::tests::tiny(|_| ());
        let longer = [&file[..], b"symbols"].concat();
        assert_eq!(loaded(longer).unwrap(), loaded(file).unwrap());
        assert!(loaded(b"no kernel".to_vec()).is_err());
    }
}
