// SPDX-License-Identifier: MIT
//! All that a process has started, and all that these have started.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, getpid, kill_process, set_child_subreaper, waitpid};

/// For a process that does not end although it was killed: it waits in the kernel for a device.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often those that were killed are looked at.
const PAUSE: Duration = Duration::from_millis(2);

/// Makes this process the new parent of what its descendants leave behind.
pub fn adopt() -> rustix::io::Result<()> {
    set_child_subreaper(Some(getpid()))
}

/// Kills all children, then those that become children by that, until there are none.
pub fn end_all() {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let children = children();
        if children.is_empty() || Instant::now() > deadline {
            return;
        }
        for child in children {
            // It fails for one that has ended by itself.
            let _ = kill_process(child, Signal::KILL);
            if let Err(Errno::INTR) | Ok(None) = waitpid(Some(child), WaitOptions::NOHANG) {
                thread::sleep(PAUSE);
            }
        }
    }
}

/// This process's children, those included that have ended and were not waited for.
fn children() -> Vec<Pid> {
    let own = getpid();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    let parent = |pid: &Pid| {
        let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
        parent_in(&String::from_utf8_lossy(&stat))
    };
    numbers.filter(|pid| parent(pid) == Some(own)).collect()
}

/// The parent in a process's `stat`; its name, in brackets, may hold anything.
fn parent_in(stat: &str) -> Option<Pid> {
    let (_, behind) = stat.rsplit_once(')')?;
    Pid::from_raw(behind.split_whitespace().nth(1)?.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_found_behind_any_name() {
        let parent = |stat| parent_in(stat).map(Pid::as_raw_pid);
        assert_eq!(parent("7 (sh) S 42 7 7 0"), Some(42));
        assert_eq!(parent("7 (a) b ) R 1 (x) Z 42 7"), parent("7 (x) Z 42 7"));
        assert_eq!(parent("7 (sh"), None);
    }

    #[test]
    fn children_are_seen() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let pid = Pid::from_child(&child);
        assert!(children().contains(&pid));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!children().contains(&pid));
    }
}
