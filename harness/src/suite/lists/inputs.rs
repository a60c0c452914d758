// SPDX-License-Identifier: MIT
//! Which programs have a list, what they are given, and under which limit.

use anyhow::Result;
use pe_replay::{Comparison, Mode, Policy};
use wire::config::Recording;
use wire::isolation::Isolate;

use super::super::batch::{Case, Setting};
use super::super::hostile::expect::Expectations;
use super::super::{Context, bochs, programs};
use super::BUSYBOX;
use crate::emulator::Emulator;
use crate::workload::catalogue::{self, Kind};

/// Programs that share a boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// All of the project's programs but those that attack the kernel.
    Project,
    /// The applets of busybox.
    Busybox,
    /// All cases of `user/hostile`.
    Hostile,
}

impl Group {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Project, Self::Busybox, Self::Hostile];
}

/// The ways in which every program is run; all others have to come to what the first one does.
pub const MODES: [(&str, Mode, Comparison); 4] = [
    ("dual", Mode::Dual, Comparison::Bytes),
    ("off", Mode::Off, Comparison::Bytes),
    ("triple", Mode::Triple, Comparison::Bytes),
    ("hash", Mode::Dual, Comparison::Hash),
];

/// The usual limit, so short that most programs have hundreds of PEs, and most PEs end in the middle of something.
const LIMIT: u64 = 997;
/// The limit for programs of more than a few million instructions.
const LONG_LIMIT: u64 = 9_973;
/// The programs of more than a few million instructions.
const LONG: &[&str] = &[
    "alloc",
    "avx",
    "busybox-bzip2",
    "busybox-gzip",
    "busybox-sh",
    "busybox-sort",
    "calls",
    "go-channels",
    "go-collector",
    "go-signals",
    "go-timers",
    "pingpong",
    "processes",
    "race",
    "showcase",
    "sse",
    "std-rayon",
    "std-sync",
    "std-threads",
    "strings",
    "threads",
    "threadsignals",
    "x87",
    "x87trans",
];
/// The kinds of [`Group::Project`].
const PROJECT: &[Kind] = &[Kind::Showcase, Kind::C, Kind::Std, Kind::Go, Kind::Bench];
/// Bytes of input for busybox.
const INPUT: usize = 1 << 16;

/// What the programs of a group find.
pub fn setting(group: Group) -> Result<Setting> {
    let mut setting = Setting { stdin: b"standard input\n".to_vec(), ..Setting::on(Emulator::Qemu) };
    if group == Group::Busybox {
        let input = programs::input()[..INPUT].to_vec();
        setting.files.push((format!("/{}", programs::INPUT_NAME), input));
        setting.files.push((programs::BUSYBOX.to_owned(), std::fs::read(programs::BUSYBOX)?));
    }
    Ok(setting)
}

/// The runs of a group, those of one program behind each other.
pub fn cases(context: &Context, group: Group) -> Result<Vec<Case>> {
    let policy = |name: &str| Policy { limit: limit(name), ..Policy::DEFAULT };
    let case = |name: &str, arguments: &[&str]| {
        let case = Case::new(context, name, arguments, policy(name))?;
        anyhow::Ok(Case { trace: Recording::Digests, ..case })
    };
    match group {
        Group::Project => names(group)?.iter().map(|name| case(name, bochs::arguments(name))).collect(),
        Group::Busybox => Ok(programs::APPLETS
            .iter()
            .map(|words| bochs::applet(words, policy(&of_applet(words[0]))))
            .collect()),
        Group::Hostile => {
            Expectations::load()?.all().iter().map(|it| case(&it.program, &[&it.name])).collect()
        }
    }
}

/// The limit that a list is made under.
pub fn limit(name: &str) -> u64 {
    if LONG.contains(&name) { LONG_LIMIT } else { LIMIT }
}

/// The name of the list of an applet.
pub fn of_applet(applet: &str) -> String {
    format!("{BUSYBOX}-{applet}")
}

/// Whether a run's output and status have to be those of the same program on this machine as it is.
pub fn is_same_natively(group: Group, case: &Case) -> bool {
    group != Group::Hostile && programs::is_same_natively(case.program())
}

/// Whether the kernel is isolated from a run that need not show anything about that.
pub fn isolation(group: Group, case: &Case) -> Isolate {
    match group {
        Group::Project | Group::Busybox => programs::isolation(case.program()),
        Group::Hostile => Isolate::Auto,
    }
}

/// The names of the lists of a group.
pub fn names(group: Group) -> Result<Vec<String>> {
    Ok(match group {
        Group::Project => catalogue::names(PROJECT)?,
        Group::Busybox => programs::APPLETS.iter().map(|words| of_applet(words[0])).collect(),
        Group::Hostile => Expectations::load()?.programs().into_iter().map(str::to_owned).collect(),
    })
}

/// The name of the list that a run belongs to.
pub fn name(case: &Case) -> String {
    match &case.words[..] {
        [program, applet, ..] if program == BUSYBOX => of_applet(applet),
        _ => case.program().to_owned(),
    }
}
