// SPDX-License-Identifier: MIT
//! How a boot ended. No single sign decides: the emulator's status, the end record, what
//! came by debugcon and the deadline are taken together.

use std::fmt;
use std::time::Duration;

use signal_hook::consts::{SIGBUS, SIGKILL};
use wire::channel::{PANIC_MARK, Progress};
use wire::end::EndRecord;

use super::channel::find;
use crate::host::children;

/// What the emulator's end says on its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// The kernel asked for it, saying that all is well.
    Normally,
    /// The kernel asked for it, in a panic.
    Panicked,
    /// The processor was reset.
    Reset,
    /// The emulator failed; what it said.
    Failed(String),
    /// Somebody or something ended the emulator by a signal.
    Killed(i32),
    /// The emulator did not end in time, and was killed.
    Deadline(Duration),
}

/// How a boot ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The kernel ended normally and said how.
    Normal(Box<EndRecord>),
    /// The kernel panicked.
    Panic(String),
    /// The processor gave up: an exception in the handling of an exception, twice.
    TripleFault,
    /// The emulator failed.
    EmulatorError(String),
    /// The emulator was ended by this signal.
    EmulatorKilled(i32),
    /// The machine did not end in time.
    Timeout {
        /// The time it was given.
        after: Duration,
        /// How far it had come, if that can be seen.
        progress: Option<Progress>,
    },
    /// The machine ended as if all were well, but without an end record that can be read.
    NoEndRecord(String),
}

/// Everything that is known about an end.
pub struct Evidence<'a> {
    /// What the emulator's end says.
    pub stopped: Stopped,
    /// The end stream.
    pub end: &'a [u8],
    /// Why the channel could not be read, if it could not.
    pub channel_error: Option<String>,
    /// What came by debugcon, the channel apart.
    pub debugcon: &'a [u8],
    /// How far it had come, if that can be seen.
    pub progress: Option<Progress>,
}

impl Evidence<'_> {
    /// How the boot ended. A panic's text outweighs everything, then the deadline.
    pub fn ending(self) -> Ending {
        if let Some(text) = panic_text(self.debugcon) {
            return Ending::Panic(text);
        }
        match self.stopped {
            Stopped::Panicked => Ending::Panic("without a text".into()),
            Stopped::Reset => Ending::TripleFault,
            Stopped::Failed(text) => Ending::EmulatorError(text),
            Stopped::Killed(signal) => Ending::EmulatorKilled(signal),
            Stopped::Deadline(after) => Ending::Timeout { after, progress: self.progress },
            Stopped::Normally => match (self.channel_error, self.end) {
                (Some(error), _) => Ending::NoEndRecord(error),
                (None, []) => Ending::NoEndRecord("nothing was sent".into()),
                (None, end) => match EndRecord::decode(end) {
                    Ok(record) => Ending::Normal(Box::new(record)),
                    Err(error) => Ending::NoEndRecord(error.to_string()),
                },
            },
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Normal(record) => write!(f, "normal end: {:?}", record.end),
            Self::Panic(text) => write!(f, "kernel panic: {text}"),
            Self::TripleFault => f.write_str("triple fault: the processor was reset"),
            Self::EmulatorError(text) => write!(f, "emulator error: {text}"),
            Self::EmulatorKilled(signal) => {
                write!(f, "the emulator was ended by signal {signal} ({})", children::signal_name(*signal))?;
                match *signal {
                    SIGKILL => f.write_str("; Linux does that, too, when memory runs out"),
                    SIGBUS => f.write_str("; there was no room for the guest's memory, a file that grows"),
                    _ => Ok(()),
                }
            }
            Self::Timeout { after, progress } => {
                write!(f, "timeout after {} s: ", after.as_secs_f64())?;
                match progress {
                    Some(Progress { pes, instructions, rip }) => {
                        write!(
                            f,
                            "{pes} PEs and {instructions} user instructions committed, last RIP {rip:#x}"
                        )
                    }
                    None => f.write_str("how far it had come cannot be seen"),
                }
            }
            Self::NoEndRecord(why) => write!(f, "the machine ended without an end record: {why}"),
        }
    }
}

/// The text of a kernel panic: what stands between its mark and the end of the line.
fn panic_text(debugcon: &[u8]) -> Option<String> {
    let start = find(debugcon, PANIC_MARK)? + PANIC_MARK.len();
    let line = debugcon[start..].split(|byte| *byte == b'\n').next()?;
    Some(String::from_utf8_lossy(line).trim().to_owned())
}

/// What an emulator said, as one line: its lines up to the first empty or decorative one.
pub fn said(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.trim_start().lines().map(str::trim);
    let lines: Vec<_> = lines.take_while(|line| !line.is_empty() && !line.starts_with("====")).collect();
    if lines.is_empty() { "it said nothing".into() } else { lines.join(" ") }
}

#[cfg(test)]
mod tests {
    use wire::end::{End, MAX_END_LEN, Totals};
    use wire::record::{CounterKind, Unit};

    use super::*;

    fn ending(stopped: Stopped, end: &[u8], debugcon: &[u8]) -> Ending {
        Evidence { stopped, end, channel_error: None, debugcon, progress: None }.ending()
    }

    #[test]
    fn a_normal_end_needs_status_and_record() {
        let record = EndRecord {
            end: End::Exited { status: 3 },
            unit: Unit::Instructions,
            counter: CounterKind::VirtualTime,
            totals: Totals::default(),
        };
        let mut buffer = [0; MAX_END_LEN];
        let end = record.encode(&mut buffer);
        assert_eq!(ending(Stopped::Normally, end, b""), Ending::Normal(Box::new(record)));
        assert!(matches!(ending(Stopped::Normally, b"", b""), Ending::NoEndRecord(_)));
        assert!(matches!(ending(Stopped::Normally, &end[..end.len() / 2], b""), Ending::NoEndRecord(_)));
        assert!(
            matches!(ending(Stopped::Normally, &[99, 0], b""), Ending::NoEndRecord(why) if why.contains("99"))
        );
        assert_eq!(ending(Stopped::Reset, end, b""), Ending::TripleFault);
        assert_eq!(ending(Stopped::Failed("x".into()), end, b""), Ending::EmulatorError("x".into()));
        let killed = ending(Stopped::Killed(15), end, b"");
        assert_eq!(killed.to_string(), "the emulator was ended by signal 15 (SIGTERM)");
    }

    #[test]
    fn a_panic_is_one_whatever_the_status() {
        let mut debugcon = b"noise".to_vec();
        debugcon.extend_from_slice(PANIC_MARK);
        debugcon.extend_from_slice(b"index out of bounds (a.rs:1)\nnoise");
        let panic = Ending::Panic("index out of bounds (a.rs:1)".into());
        for stopped in [Stopped::Panicked, Stopped::Normally, Stopped::Deadline(Duration::from_secs(1))] {
            assert_eq!(ending(stopped, b"", &debugcon), panic);
        }
        assert_eq!(ending(Stopped::Panicked, b"", b""), Ending::Panic("without a text".into()));
    }

    #[test]
    fn a_timeout_says_how_far_it_came() {
        let ending = Ending::Timeout {
            after: Duration::from_secs(2),
            progress: Some(Progress { pes: 3, instructions: 40, rip: 0x401000 }),
        };
        assert_eq!(
            ending.to_string(),
            "timeout after 2 s: 3 PEs and 40 user instructions committed, last RIP 0x401000"
        );
    }
}
