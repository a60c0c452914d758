// SPDX-License-Identifier: MIT
//! Both emulators come to the same, from one kernel.
//!
//! Freestanding programs without REP and CPUID leave the same state at the end of every PE, to the
//! last bit: registers, count, delimiter, and address and content of every page written. For all
//! others output and status are the same.
//!
//! The two machines are not the same processor. Bochs' model offers RDRAND and fast strings, which
//! QEMU's hides, and has PCID and x2APIC; QEMU's offers PKU. Bochs tracks which extended state is in
//! its initial configuration, QEMU reports all of it as in use. An exception is taken with RF set in
//! the saved flags on Bochs and clear on QEMU, and with another count of instructions. None of that is
//! in a freestanding program's state: it is not told (AT_HWCAP has what user code may use), or the normal
//! form (decision 0001) makes it the same, or calibration does. The C library asks CPUID for its string
//! functions, and so takes another way on either; what else differs stands in [`APART`].

mod plain;

use std::sync::Arc;

use anyhow::{Context as _, Result, bail, ensure};
use flips::{Injection, Target};
use object::{Object, ObjectSegment, SegmentFlags};
use pe_replay::{Comparison, Mode, Policy, Run};
use wire::DelimiterKind;
use wire::Digest;
use wire::config::Recording;
use wire::end::End;
use wire::isolation::Isolate;
use wire::record::PeRecord;

use super::batch::{self, Case, Ended, Setting, shown, undisturbed};
use super::lists::{self, Group};
use super::shared::Shared;
use super::{Context, Test, programs};
use crate::emulator::Emulator;
use crate::workload::catalogue::{self, Kind};

pub const TESTS: &[Test] = &[
    Test { name: "bochs::same_boundaries", run: same_boundaries },
    Test { name: "bochs::same_boundaries_but_for_a_flip", run: but_for_a_flip },
    Test { name: "bochs::same_output", run: same_output },
];

/// Limits so short that most PEs end at the limit; one is a prime.
const LIMITS: [u64; 2] = [1_000, 9_973];
/// Programs that are plain, at least.
const PLAIN: usize = 14;
/// PEs that end at a limit, over all of them, at least.
const CUT: usize = 5_000;

/// Fewer rounds than on QEMU alone.
const ROUNDS: &[(&str, &[&str])] = &[
    ("bench-compute", &["40000"]),
    ("bench-fresh", &["100"]),
    ("bench-light", &["20000"]),
    ("bench-loops", &["4"]),
    ("bench-memory", &["4"]),
    ("bench-pages", &["16", "100"]),
    ("bench-steady", &["30"]),
    ("bench-stream", &["1"]),
    ("bench-syscall", &["400"]),
];

/// A program that is no witness for what it is on Bochs like on QEMU.
struct Apart {
    program: &'static str,
    /// Its output depends on the emulator: in its place, that of Bochs without replay is expected.
    output: bool,
    /// How its results are compared.
    comparison: Comparison,
}

const APART: &[Apart] = &[
    // It prints what CPUID offers.
    Apart { program: "nature", output: true, comparison: Comparison::Bytes },
    // Each emulator rounds the transcendentals in its own way.
    Apart { program: "x87trans", output: true, comparison: Comparison::Bytes },
    // It changes the second half of an instruction that straddles two pages. Bochs 2.7 keeps such an instruction
    // decoded under the frame of its first half, and does not ask again where the second half is mapped: if only that
    // one is written, run 2, which has another frame there, executes what run 1 has made of it. By hash, all runs
    // have the same frame.
    Apart { program: "selfmod", output: false, comparison: Comparison::Hash },
];
/// Bytes of input for busybox.
const INPUT: usize = 1 << 16;

const BY_HASH: Policy = Policy { comparison: Comparison::Hash, ..Policy::DEFAULT };

/// What a program is given, so that it does not take long.
pub fn arguments(name: &str) -> &'static [&'static str] {
    ROUNDS.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, words)| words)
}

fn case(context: &Context, name: &str, policy: Policy) -> Result<Case> {
    Ok(Case { trace: Recording::Digests, ..Case::new(context, name, arguments(name), policy)? })
}

/// A run of an applet of busybox.
pub fn applet(applet: &[&str], policy: Policy) -> Case {
    let words = ["busybox"].iter().chain(applet).map(|word| (*word).to_owned()).collect();
    Case {
        path: programs::BUSYBOX.into(),
        words,
        policy,
        trace: Recording::Digests,
        flips: Vec::new(),
        isolate: Isolate::default(),
    }
}

/// Runs on Bochs.
pub struct Runs {
    /// What all programs find.
    pub setting: Setting,
    /// What was run.
    pub cases: Vec<Case>,
    /// How it ended.
    pub ended: Vec<Ended>,
    /// Those of them whose output depends on the emulator, without replay.
    off: Vec<(Case, Ended)>,
}

/// Those that take minutes and that more than one test looks at: whoever asks first makes them.
#[derive(Default)]
pub struct Made {
    plain: Shared<Runs>,
    others: Shared<Runs>,
}

/// The programs that are plain, under each limit.
pub fn plain_runs(context: &Context) -> Result<Arc<Runs>> {
    context.on_bochs.plain.get(|| {
        let names = plain_names(context)?;
        ensure!(names.len() >= PLAIN, "only {} programs are plain: {}", names.len(), names.join(", "));
        let mut cases = Vec::new();
        for limit in LIMITS {
            for name in &names {
                cases.push(case(context, name, Policy { limit, ..BY_HASH })?);
            }
        }
        let setting = Setting::on(Emulator::Bochs);
        let ended = batch::run(context, &setting, &cases)?;
        Ok(Runs { setting, cases, ended, off: Vec::new() })
    })
}

/// All other programs.
pub fn other_runs(context: &Context) -> Result<Arc<Runs>> {
    context.on_bochs.others.get(|| {
        let mut setting = Setting { stdin: b"standard input\n".to_vec(), ..Setting::on(Emulator::Bochs) };
        let input = programs::input()[..INPUT].to_vec();
        setting.files.push((format!("/{}", programs::INPUT_NAME), input));
        setting.files.push((programs::BUSYBOX.to_owned(), std::fs::read(programs::BUSYBOX)?));
        let cases = others(context)?;
        let alone = cases.iter().filter(|case| apart(case).is_some_and(|apart| apart.output));
        let off =
            alone.map(|case| Case { policy: Policy { mode: Mode::Off, ..case.policy }, ..case.clone() });
        let off: Vec<_> = off.collect();
        let mut ended = batch::run(context, &setting, &[&cases[..], &off].concat())?;
        let off_ended = ended.split_off(cases.len());
        Ok(Runs { setting, cases, ended, off: off.into_iter().zip(off_ended).collect() })
    })
}

/// The names of all programs of the project.
fn names() -> Result<Vec<String>> {
    catalogue::names(&Kind::ALL)
}

/// The names of those that are plain.
fn plain_names(context: &Context) -> Result<Vec<String>> {
    let mut plain = Vec::new();
    for name in names()? {
        if plain::is_plain(&std::fs::read(context.executable(&name)?)?).with_context(|| name.clone())? {
            plain.push(name);
        }
    }
    Ok(plain)
}

/// What a PE was, and the digest of what it left behind.
type Boundary = (u64, DelimiterKind, u64, u64, u16, Option<Digest>);

fn boundary(record: &PeRecord) -> Boundary {
    let PeRecord { sequence, delimiter, rip, instructions, frames_written, digest, .. } = *record;
    (sequence, delimiter, rip, instructions, frames_written, digest)
}

/// The PEs after which the states are not the same, as they are on both sides.
fn differences(
    ours: &[PeRecord],
    theirs: &[PeRecord],
) -> impl Iterator<Item = (Option<Boundary>, Option<Boundary>)> {
    let at = |records: &[PeRecord], index| records.get(index).map(boundary);
    let pairs = (0..ours.len().max(theirs.len())).map(move |index| (at(ours, index), at(theirs, index)));
    pairs.filter(|(one, other)| one != other)
}

/// Whether two PEs differ in nothing but the error code of a page fault, which is in the digest: where an
/// instruction changes what is in memory, QEMU reads before it asks whether it may write, and so reports
/// a read. On Bochs, as on processors, the first that fails is the write.
fn reads_first(elf: &[u8], ours: Boundary, theirs: Boundary) -> Result<bool> {
    let without_digest = |(sequence, delimiter, rip, instructions, pages, _): Boundary| {
        (sequence, delimiter, rip, instructions, pages)
    };
    let alike = without_digest(ours) == without_digest(theirs) && ours.1 == DelimiterKind::PageFault;
    Ok(alike && plain::changes_memory(elf, ours.2)?)
}

fn same_boundaries(context: &Context) -> Result<()> {
    let runs = plain_runs(context)?;
    let Runs { setting, cases, ended: bochs, off: _ } = &*runs;
    // The kernel is isolated no more than it is on Bochs.
    let case = |case: &Case| Case { isolate: programs::isolation(case.program()), ..case.clone() };
    let on_qemu = Setting { machine: Emulator::Qemu, ..setting.clone() };
    let qemu = batch::run(context, &on_qemu, &cases.iter().map(case).collect::<Vec<_>>())?;
    let (mut cut, mut read_first) = (0, 0);
    for ((case, ours), theirs) in cases.iter().zip(bochs).zip(&qemu) {
        (|| {
            ensure!(matches!(ours.end(), End::Exited { status: 0 }), "{:?}", ours.end());
            shown(ours).check(&shown(theirs), "Bochs against QEMU")?;
            for ended in [ours, theirs] {
                undisturbed(ended)?;
                ensure!(
                    !ended.pes.is_empty() && ended.pes.iter().all(|pe| pe.digest.is_some()),
                    "PEs without digest"
                );
                context.add_undisturbed(ended.record.totals.pes);
            }
            cut += ours.pes.iter().filter(|pe| pe.delimiter == DelimiterKind::Limit).count();
            let elf = std::fs::read(&case.path)?;
            for pair in differences(&ours.pes, &theirs.pes) {
                match pair {
                    (Some(ours), Some(theirs)) if reads_first(&elf, ours, theirs)? => read_first += 1,
                    (ours, theirs) => bail!("on Bochs {ours:x?}, on QEMU {theirs:x?}"),
                }
            }
            Ok(())
        })()
        .with_context(|| case.name())?;
    }
    eprintln!(
        "{} runs leave the same states; {cut} PEs ended at the limit, {read_first} where QEMU reads first",
        cases.len()
    );
    ensure!(cut >= CUT, "only {cut} PEs ended at the limit");
    Ok(())
}

/// A bit flipped in both runs is nothing that replay could see: the states that follow tell.
fn but_for_a_flip(context: &Context) -> Result<()> {
    const PE: u64 = 7;
    // It uses neither R15 nor XMM15, and its data are sorted.
    let undisturbed = case(context, "heapsort", Policy { limit: LIMITS[0], ..BY_HASH })?;
    let data = writable(&std::fs::read(&undisturbed.path)?)?;
    let targets = [(Target::Gpr(15), true), (Target::Xmm(15), true), (Target::Memory(data + 64), false)];
    let flipped = targets.map(|(target, _)| {
        let flips = [Run::First, Run::Second].map(|run| Injection { pe: PE, run, at: 500, target, bit: 1 });
        Case { flips: flips.to_vec(), ..undisturbed.clone() }
    });
    let cases = [&[undisturbed][..], &flipped[..]].concat();
    let qemu = batch::run(context, &Setting::on(Emulator::Qemu), &cases[..1])?;
    let bochs = batch::run(context, &Setting::on(Emulator::Bochs), &cases)?;
    let (qemu, [as_it_is, flipped @ ..]) = (&qemu[0].pes, &bochs[..]) else { bail!("the batch is empty") };
    ensure!(differences(&as_it_is.pes, qemu).next().is_none(), "without a flip");
    for ((target, stays), ended) in targets.iter().zip(flipped) {
        let totals = ended.record.totals;
        ensure!((totals.flips, totals.divergences) == (2, 0), "{target:?}: {totals:?}");
        let mut found = differences(&ended.pes, qemu);
        let Some((Some(ours), Some(theirs))) = found.next() else {
            bail!("{target:?}: no difference was found");
        };
        ensure!(ours.0 == PE && ours.5 != theirs.5, "{target:?}: found as {ours:x?} against {theirs:x?}");
        let (more, behind) = (found.count() as u64, qemu.len() as u64 - PE - 1);
        ensure!(!stays || more == behind, "{target:?}: seen after {more} of the {behind} PEs behind it");
    }
    Ok(())
}

/// Where a program's first writable segment is.
fn writable(elf: &[u8]) -> Result<u64> {
    let file = object::File::parse(elf)?;
    let found = file.segments().find(|segment| {
        matches!(segment.flags(), SegmentFlags::Elf { p_flags } if p_flags & object::elf::PF_W != 0)
    });
    Ok(found.context("no writable segment")?.address())
}

/// All other programs, and busybox.
fn others(context: &Context) -> Result<Vec<Case>> {
    let left_out = [plain_names(context)?, Kind::Hostile.names()?].concat();
    let policy = Policy { limit: LIMITS[1], ..Policy::DEFAULT };
    let mut cases = Vec::new();
    for name in names()?.iter().filter(|name| !left_out.contains(name)) {
        cases.push(case(context, name, policy)?);
    }
    for applet in programs::APPLETS {
        cases.push(self::applet(applet, policy));
    }
    for case in &mut cases {
        if let Some(Apart { comparison, .. }) = apart(case) {
            case.policy.comparison = *comparison;
        }
    }
    Ok(cases)
}

fn apart(case: &Case) -> Option<&'static Apart> {
    APART.iter().find(|apart| apart.program == case.program())
}

/// What programs show does not depend on the limit: on QEMU the runs are those from which the lists are made.
fn same_output(context: &Context) -> Result<()> {
    let runs = other_runs(context)?;
    let Runs { cases, ended: bochs, off, .. } = &*runs;
    let groups = [Group::Project, Group::Busybox].map(|group| lists::runs_in_first_mode(context, group));
    let groups = groups.into_iter().collect::<Result<Vec<_>>>()?;
    let qemu: Vec<_> = groups.iter().flat_map(|runs| runs.cases.iter().zip(&runs.ended)).collect();
    let mut of_off = off.iter();
    let mut failures = Vec::new();
    for (case, ours) in cases.iter().zip(bochs) {
        let result = (|| {
            let (what, theirs) = if apart(case).is_some_and(|apart| apart.output) {
                let (_, off) = of_off.next().context("it was not run in off")?;
                ("Bochs' dual against its off", off)
            } else {
                let theirs = qemu.iter().find(|(it, _)| it.words == case.words);
                ("Bochs against QEMU", theirs.context("it was not run on QEMU")?.1)
            };
            shown(ours).check(&shown(theirs), what)?;
            undisturbed(ours)?;
            context.add_undisturbed(ours.record.totals.pes);
            anyhow::Ok(())
        })();
        failures.extend(result.err().map(|reason| format!("{}: {reason:#}", case.name())));
    }
    ensure!(failures.is_empty(), "{}", failures.join("; "));
    Ok(())
}
