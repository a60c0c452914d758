// SPDX-License-Identifier: MIT
//! What `stat` says of a process or a thread: 52 numbers in one line (proc_pid_stat(5)).

use linux_raw_sys::general::SIGCHLD;

use super::super::Linux;
use super::super::process::Process;
use super::super::thread::{Thread, Waiting, Why};
use super::super::time_calls::TICK_NS;
use super::Scope;
use super::text::Text;
use super::usage::Usage;
use crate::mem::space::PAGE_LEN;

/// What a thread does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs, or would if it were its turn.
    Running,
    /// It waits in a call.
    Sleeping,
    /// It waits for what no signal ends but a deadly one.
    Busy,
    /// It was stopped.
    Stopped,
    /// It has ended; other threads of its process go on.
    Ended,
}

impl State {
    /// Linux's letter and word for it.
    pub fn described(self) -> (&'static str, &'static str) {
        match self {
            Self::Running => ("R", "running"),
            Self::Sleeping => ("S", "sleeping"),
            Self::Busy => ("D", "disk sleep"),
            Self::Stopped => ("T", "stopped"),
            Self::Ended => ("Z", "zombie"),
        }
    }

    /// Whether it runs.
    pub fn is_running(self) -> bool {
        self == Self::Running
    }
}

impl Linux {
    /// What a thread does.
    pub(super) fn activity_of(&self, thread: &Thread) -> State {
        let is_stopped = self.processes().any(|process| process.id() == thread.process && process.is_stopped);
        match thread.waiting {
            _ if thread.id == self.thread.id => State::Running,
            _ if is_stopped => State::Stopped,
            Some(Waiting { why: Why::Vfork { .. }, .. }) => State::Busy,
            Some(_) => State::Sleeping,
            None => State::Running,
        }
    }

    /// What a process or thread does: with its first thread, a process seems to have ended.
    pub(super) fn shown_state(&self, scope: Scope, process: &Process, thread: &Thread) -> State {
        if scope == Scope::Process && thread.id != process.id() {
            State::Ended
        } else {
            self.activity_of(thread)
        }
    }

    /// What `stat` says. Faults, and times in the kernel, are not counted: they are 0, as are
    /// those that Linux does not tell any more.
    pub(super) fn write_process_stat(
        &self,
        text: &mut Text,
        scope: Scope,
        process: &Process,
        thread: &Thread,
    ) {
        let id = if scope == Scope::Process { process.id() } else { thread.id };
        let state = self.shown_state(scope, process, thread).described().0;
        text.number(id).str(" (").name(&thread.name).str(") ").str(state);
        let identity = process.identity;
        for number in [identity.parent, identity.group, identity.session] {
            text.str(" ").number(number);
        }
        // No terminal, no flags, four kinds of faults.
        text.str(" 0 -1 0 0 0 0 0");
        let own_ns = match scope {
            Scope::Process => self.cpu_ns_of(process),
            Scope::Thread => self.cpu_ns_of_thread(thread),
        };
        text.str(" ")
            .number(own_ns / TICK_NS)
            .str(" 0 ")
            .number(process.cpu.children_ns / TICK_NS)
            .str(" 0 ");
        let nice = thread.scheduling.nice();
        text.number((20 + i64::from(nice)) as u64).str(if nice < 0 { " -" } else { " " });
        text.number(nice.unsigned_abs().into()).str(" ").number(process.threads.into()).str(" 0 ");
        let usage = Usage::of(&self.memories[process.memory]);
        let start = &process.start;
        let limit = process.limits[linux_raw_sys::general::RLIMIT_RSS as usize].soft();
        let memory = [
            thread.started_ns / TICK_NS,
            usage.size,
            usage.resident / PAGE_LEN,
            limit,
            start.code.start,
            start.code.end,
            start.stack,
        ];
        for number in memory {
            text.number(number).str(" ");
        }
        // Where it runs, four sets of signals and where it waits: told elsewhere, or by nobody.
        text.str("0 0 0 0 0 0 0 0 0 ");
        text.number(SIGCHLD.into()).str(" 0 0 ").number(thread.scheduling.policy().into()).str(" 0 0 0");
        let heap = self.memories[process.memory].heap_start();
        let (arguments, environment) = (&start.arguments, &start.environment);
        let places = [
            start.data.start,
            start.data.end,
            heap,
            arguments.start,
            arguments.end,
            environment.start,
            environment.end,
        ];
        for place in places {
            text.str(" ").number(place);
        }
        text.str(" 0\n");
    }
}
