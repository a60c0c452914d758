// SPDX-License-Identifier: MIT
//! Why something is not counted, told apart by what Linux answers.

use std::fmt;
use std::fs;
use std::io;

use linux_raw_sys::errno::{EACCES, ENODEV, ENOENT, ENOSYS, EOPNOTSUPP, EPERM};

/// What the sysctl is called, and where it stands.
const PARANOID: (&str, &str) = ("kernel.perf_event_paranoid", "/proc/sys/kernel/perf_event_paranoid");
/// With it, everyone may count what programs of their own do in user mode.
const PARANOID_ENOUGH: i32 = 2;

/// Why something is not counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Nothing that this Linux has a driver for counts that.
    NoDevice,
    /// Linux does not allow it; with the sysctl's value, if it can be read.
    Forbidden(Option<i32>),
    /// Linux was built without perf events.
    NoPerfEvents,
    /// The counter ran for a part of the program's time only, in percent.
    Partly(u64),
    /// The counter ran all the time and counted nothing, which no program does.
    Silent,
    /// Nobody asked for it.
    NotAsked,
    /// Another error.
    Failed(String),
}

impl Refused {
    /// What an error of opening or reading a counter means.
    pub fn of(error: &io::Error) -> Self {
        match error.raw_os_error().and_then(|number| u32::try_from(number).ok()) {
            Some(ENOENT | ENODEV | EOPNOTSUPP) => Self::NoDevice,
            Some(EACCES | EPERM) => {
                let value = fs::read_to_string(PARANOID.1).ok();
                Self::Forbidden(value.and_then(|value| value.trim().parse().ok()))
            }
            Some(ENOSYS) => Self::NoPerfEvents,
            Some(_) | None => Self::Failed(error.to_string()),
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, _) = PARANOID;
        match self {
            Self::NoDevice => f.write_str(
                "this machine's Linux offers none of the processor's counters (no PMU, as in most virtual machines)",
            ),
            Self::Forbidden(Some(value)) if *value > PARANOID_ENOUGH => {
                write!(f, "this machine's Linux forbids it: {name} is {value}, {PARANOID_ENOUGH} would allow it")
            }
            Self::Forbidden(Some(value)) => {
                write!(f, "this machine's Linux forbids it, not by {name}, which is {value}: perhaps a container's filter")
            }
            Self::Forbidden(None) => write!(f, "this machine's Linux forbids it, and {name} cannot be read"),
            Self::NoPerfEvents => f.write_str("this machine's Linux has no perf events (ENOSYS)"),
            Self::Partly(percent) => write!(
                f,
                "the counter ran for {percent} % of the program's time: others use it, or not every core has it"
            ),
            Self::Silent => f.write_str("the counter did not move"),
            Self::NotAsked => f.write_str("nobody asked for it"),
            Self::Failed(error) => write!(f, "perf events: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use linux_raw_sys::errno::{EBUSY, EINVAL};

    use super::*;

    fn of(number: u32) -> Refused {
        Refused::of(&io::Error::from_raw_os_error(number as i32))
    }

    #[test]
    fn errors_are_told_apart() {
        for number in [ENOENT, ENODEV, EOPNOTSUPP] {
            assert_eq!(of(number), Refused::NoDevice);
        }
        for number in [EACCES, EPERM] {
            assert!(matches!(of(number), Refused::Forbidden(_)));
        }
        assert_eq!(of(ENOSYS), Refused::NoPerfEvents);
        for number in [EBUSY, EINVAL] {
            assert!(of(number).to_string().contains("os error"), "{}", of(number));
        }
        assert_eq!(Refused::of(&io::Error::other("odd")), Refused::Failed("odd".into()));
    }

    #[test]
    fn each_reason_says_what_would_help() {
        for (refused, part) in [
            (Refused::NoDevice, "no PMU"),
            (Refused::Forbidden(Some(4)), "kernel.perf_event_paranoid is 4, 2 would allow it"),
            (Refused::Forbidden(Some(3)), "is 3, 2 would"),
            (Refused::Forbidden(Some(2)), "not by kernel.perf_event_paranoid, which is 2"),
            (Refused::Forbidden(None), "cannot be read"),
            (Refused::NoPerfEvents, "ENOSYS"),
            (Refused::Partly(40), "40 %"),
            (Refused::Silent, "did not move"),
            (Refused::NotAsked, "nobody"),
        ] {
            let text = refused.to_string();
            assert!(text.contains(part) && !text.contains('\n'), "{text}");
        }
    }

    #[test]
    fn a_refusal_reads_the_value_that_the_sysctl_has() {
        let value = fs::read_to_string(PARANOID.1).ok().and_then(|value| value.trim().parse().ok());
        assert_eq!(of(EACCES), Refused::Forbidden(value));
    }
}
