// SPDX-License-Identifier: MIT
//! Bochs, booted from a GRUB image: a second opinion on what processors forgive.
//!
//! Bochs shares no memory: the channel comes by debugcon, which Bochs writes to its
//! standard output, after everything else.

mod cmos;
pub mod image;

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use signal_hook::consts::SIGINT;

use super::channel::{find, from_debugcon, pass_on};
use super::ending::{self, Evidence, Stopped};
use super::serial::{self, Serial};
use super::{Boot, Finished, Observer, TraceSink, beginning, put};
use crate::host::packages::command::BOCHS;
use crate::host::{children, process};

/// The model: without RDSEED, RDPID, XSAVEC, XGETBV(1) and WAITPKG, which need not do the same twice.
const CPU: &str = "corei7_haswell_4770";

const CMOS: &str = "cmos";
const DISPLAY: &str = "display";
/// Length of a display's BIOS.
const DISPLAY_LEN: usize = 1 << 15;
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
    image::make(boot, directory)?;

    let memory = boot.total_mib();
    let first_port = match boot.has_serial_ports {
        true => format!("com1: enabled=1, mode=file, dev={}\n", serial::NAME),
        false => String::new(),
    };
    put(&directory.join(CMOS), &cmos::cmos(memory))?;
    put(&directory.join(DEBUGGER), b"c\n")?;
    // Nobody reads the display. It is drawn on a pseudo-terminal, where a cursor that blinks is enough to fill it in a
    // long run, and Bochs waits for ever. Without a BIOS of its own it comes up in no mode, and nothing is drawn.
    // Nobody listens, either: on a host without a sound card the thread that Bochs 2.7 has for ALSA may end all of it.
    put(&directory.join(DISPLAY), &[0; DISPLAY_LEN])?;
    put(
        &directory.join(SETTINGS),
        format!(
            "megs: {memory}\n\
             cpu: model={}, count=1, ips=100000000, reset_on_triple_fault=0\n\
             clock: sync=none, time0=946684800\n\
             ata0-master: type=cdrom, path={}, status=inserted\n\
             boot: cdrom\n\
             cmosimage: file={CMOS}, rtc_init=time0\n\
             port_e9_hack: enabled=1\n\
             log: {LOG}\n\
             panic: action=fatal\n\
             error: action=report\n\
             info: action=report\n\
             debug: action=ignore\n\
             vga: extension=vbe, update_freq=1, realtime=0\n\
             vgaromimage: file={DISPLAY}\n\
             display_library: term\n\
             sound: driver=dummy\n\
             {first_port}",
            boot.cpu.as_deref().unwrap_or(CPU),
            image::IMAGE,
        )
        .as_bytes(),
    )?;
    let mut command = Command::new(BOCHS);
    command.current_dir(directory).args(["-q", "-f", SETTINGS, "-rc", DEBUGGER]);
    // The display goes to a pseudo-terminal of its own, and wants to know what that can do.
    command.args(&boot.extra).env("TERM", "linux");
    Ok(command)
}

/// Boots and waits for the end.
pub fn boot(
    boot: &Boot,
    directory: &Path,
    observer: &mut dyn Observer,
    trace: TraceSink,
) -> Result<Finished> {
    let command = prepare(boot, directory)?;
    let mut serial = Serial::new(directory);
    let exit = process::watch(&mut children::tethered(&command), boot.timeout, |_| serial.poll(observer))?;
    serial.poll(observer)?;
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
    let (mut streams, channel_error) = match from_debugcon(&debugcon) {
        Ok(Some((streams, place))) => {
            debugcon.drain(place);
            (streams, None)
        }
        Ok(None) => (Default::default(), None),
        Err(error) => (Default::default(), Some(error.to_string())),
    };
    pass_on(&streams.output, observer);
    trace(&std::mem::take(&mut streams.trace))?;
    let evidence =
        Evidence { stopped, end: &streams.end, channel_error, debugcon: &debugcon, progress: None };
    Ok(Finished { ending: evidence.ending(), streams, debugcon, serial: serial.into_bytes() })
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
