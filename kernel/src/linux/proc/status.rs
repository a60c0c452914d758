// SPDX-License-Identifier: MIT
//! What `status`, `statm` and `limits` say of a process or a thread.

use super::super::Linux;
use super::super::process::Process;
use super::super::process_calls::{LIMITS, Limit};
use super::super::signal::Disposition;
use super::super::signal::bit;
use super::super::thread::Thread;
use super::Scope;
use super::text::Text;
use super::usage::Usage;
use crate::mem::space::PAGE_LEN;

/// Linux's words for the limits, and their units.
const LIMIT_NAMES: [(&str, &str); LIMITS.len()] = [
    ("Max cpu time", "seconds"),
    ("Max file size", "bytes"),
    ("Max data size", "bytes"),
    ("Max stack size", "bytes"),
    ("Max core file size", "bytes"),
    ("Max resident set", "bytes"),
    ("Max processes", "processes"),
    ("Max open files", "files"),
    ("Max locked memory", "bytes"),
    ("Max address space", "bytes"),
    ("Max file locks", "locks"),
    ("Max pending signals", "signals"),
    ("Max msgqueue size", "bytes"),
    ("Max nice priority", ""),
    ("Max realtime priority", ""),
    ("Max realtime timeout", "us"),
];
/// Signals that there are.
const SIGNALS: u32 = 64;

impl Linux {
    /// What `status` says.
    pub(super) fn write_status(&self, text: &mut Text, scope: Scope, process: &Process, thread: &Thread) {
        let id = if scope == Scope::Process { process.id() } else { thread.id };
        let (letter, word) = self.shown_state(scope, process, thread).described();
        let umask = self.places[process.place].umask;
        text.str("Name:\t").name(&thread.name).str("\nUmask:\t0");
        for shift in [6, 3, 0] {
            text.number(u64::from(umask >> shift & 7));
        }
        text.str("\nState:\t").str(letter).str(" (").str(word).str(")\nTgid:\t").number(process.id());
        text.str("\nPid:\t").number(id).str("\nPPid:\t").number(process.identity.parent);
        text.str("\nTracerPid:\t0\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nFDSize:\t");
        text.number(self.files[process.files].room() as u64).str("\nGroups:\t \n");
        let usage = Usage::of(&self.memories[process.memory]);
        let code = (process.start.code.end - process.start.code.start).next_multiple_of(PAGE_LEN);
        let rows = [
            ("VmSize:", usage.size),
            ("VmRSS:", usage.resident),
            ("VmData:", usage.data),
            ("VmStk:", usage.stack),
            ("VmExe:", code),
            ("VmSwap:", 0),
        ];
        for (name, bytes) in rows {
            text.str(name).str("\t").wide(bytes / 1024, 8).str(" kB\n");
        }
        text.str("Threads:\t").number(process.threads.into()).str("\n");
        self.write_signals(text, process, thread);
        text.str("NoNewPrivs:\t").number(process.has_no_new_privileges.into());
        text.str("\nSeccomp:\t0\nCpus_allowed:\t1\nCpus_allowed_list:\t0\n");
    }

    fn write_signals(&self, text: &mut Text, process: &Process, thread: &Thread) {
        let handlers = &self.handlers[process.handlers];
        let (mut ignored, mut caught) = (0, 0);
        for signal in 1..=SIGNALS {
            if handlers.is_ignored(signal) {
                ignored |= bit(signal);
            } else if matches!(handlers.fate(signal), Disposition::Handle(_)) {
                caught |= bit(signal);
            }
        }
        let sets = [
            ("SigPnd:", thread.signals.pending.set()),
            ("ShdPnd:", process.pending.set()),
            ("SigBlk:", thread.signals.blocked()),
            ("SigIgn:", ignored),
            ("SigCgt:", caught),
        ];
        for (name, set) in sets {
            text.str(name).str("\t").hex(set, 16).str("\n");
        }
    }

    /// What `statm` says, in pages.
    pub(super) fn write_statm(&self, text: &mut Text, process: &Process) {
        let usage = Usage::of(&self.memories[process.memory]);
        let code = (process.start.code.end - process.start.code.start).next_multiple_of(PAGE_LEN);
        for bytes in [usage.size, usage.resident, usage.shared, code, 0, usage.data + usage.stack] {
            text.number(bytes / PAGE_LEN).str(" ");
        }
        text.str("0\n");
    }

    /// What `limits` says.
    pub(super) fn write_limits(text: &mut Text, limits: &[Limit]) {
        let row = |text: &mut Text, name: &str, [soft, hard]: [Option<u64>; 2], unit: &str| {
            let start = text.length();
            text.str(name).pad(start + 26);
            for (limit, column) in [(soft, 47), (hard, 68)] {
                match limit {
                    Some(u64::MAX) => text.str("unlimited"),
                    Some(limit) => text.number(limit),
                    None => text.str(if column == 47 { "Soft Limit" } else { "Hard Limit" }),
                };
                text.pad(start + column);
            }
            if !unit.is_empty() {
                text.str(unit).pad(start + 78);
            }
            text.str("\n");
        };
        row(text, "Limit", [None; 2], "Units");
        for (limit, (name, unit)) in limits.iter().zip(LIMIT_NAMES) {
            row(text, name, [Some(limit.soft()), Some(limit.hard())], unit);
        }
    }
}
