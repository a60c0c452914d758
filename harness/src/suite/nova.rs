// SPDX-License-Identifier: MIT
//! Root tasks of the NOVA interface: what they say does not depend on how their PEs are run, and each run ends as it
//! was asked to.

mod devices;

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use flips::{Injection, Target};
use pe_replay::{Mode, Policy, Run};
use wire::clock::{Clock, ClockKind};
use wire::config::Job;
use wire::end::{End, Watchdog};
use wire::nova::{Nova, Stop, System};

use super::{Context, Test};
use crate::emulator::Emulator;
use crate::outcome::Outcome;
use crate::workload::artifacts::Guest;
use crate::workload::nova::{self, Given};
use crate::workload::request::Request;

pub const TESTS: &[Test] = &[
    Test { name: "nova::hello_on_qemu", run: |context| hello(context, Emulator::Qemu) },
    Test { name: "nova::hello_on_bochs", run: |context| hello(context, Emulator::Bochs) },
    Test {
        name: "nova::interrupts_on_qemu",
        run: |context| interrupts(context, Emulator::Qemu, Watchdog::EventTimer),
    },
    Test {
        name: "nova::interrupts_on_bochs",
        run: |context| interrupts(context, Emulator::Bochs, Watchdog::EventTimer),
    },
    Test { name: "nova::a_flip_where_interrupts_come_is_caught", run: flips_among_interrupts },
    Test { name: "nova::a_domain_is_run_as_it_is_told", run: policies_of_a_domain },
    Test { name: "nova::a_text_ends_the_run", run: text },
    Test { name: "nova::devices_are_accessed_once", run: devices::accessed_once },
    Test { name: "nova::a_flip_is_caught", run: flip },
    Test { name: "nova::packed_with_modules_in_little_memory", run: packed },
    Test { name: "nova::bad_input", run: bad_input },
];

/// Drives devices by their interrupts.
const INTERRUPTS: &str = "nova-interrupts";
/// What it says.
const TOLD: &str = "1000 ticks of the timer, 1 told at once at most
50 more while something was computed
32 bytes of the serial port: 32 interrupts, and 0 more
16 keys by a level: 16 interrupts, 16 again, 0 while it was masked
all that interrupted was told
";

/// Says a few lines, and rests.
const HELLO: &str = "nova-hello";
/// What it says first and last.
const FIRST: &str = "Hypervisor NOVA (API v10), processor 0 of 64\n";
const LAST: &str = "the root task starts, is heard, and rests\n";

/// A boot of a root task of ours.
fn system(name: &str, machine: Emulator, policy: Policy, until: Option<&str>) -> Result<Request> {
    let given = Given { image: PathBuf::from(name), until: until.map(str::to_owned), ..Given::default() };
    let contents = nova::named(&given, None)?.contents;
    let system = Nova { kernel_memory_len: 64 << 20, run_for_ns: None, logs_calls: false };
    let clock = Clock { kind: ClockKind::Machine, ..Clock::default() };
    Ok(Request { contents, machine, policy, clock, system: System::Nova(system), ..Request::job(Job::Run) })
}

/// The policies under which each root task is run.
fn policies() -> impl Iterator<Item = Policy> {
    [10_000, 100_000].into_iter().flat_map(|limit| {
        [Mode::Off, Mode::Dual, Mode::Triple].map(|mode| Policy { mode, limit, ..Policy::DEFAULT })
    })
}

/// On Bochs, the conformance root task has the other policies.
fn hello(context: &Context, machine: Emulator) -> Result<()> {
    let most = if machine == Emulator::Bochs { 1 } else { usize::MAX };
    for policy in policies().take(most) {
        let outcome = context.boot(&system(HELLO, machine, policy, None)?)?;
        ensure!(*outcome.end()? == End::Stopped(Stop::Idle), "{policy:?}: {:?}", outcome.end()?);
        let said = String::from_utf8_lossy(outcome.serial()).into_owned();
        ensure!(said == [FIRST, LAST].concat(), "{policy:?}: {said:?}");
        let totals = outcome.totals()?;
        ensure!(totals.divergences == 0 && outcome.status()? == 0, "{policy:?}: {totals:?}");
    }
    Ok(())
}

/// What a run of the task of interrupts has to come to; returns its PEs.
fn told(outcome: &Outcome, watchdog: Watchdog) -> Result<u64> {
    ensure!(*outcome.end()? == End::Stopped(Stop::Idle), "{:?}", outcome.end()?);
    let said = String::from_utf8_lossy(outcome.serial()).into_owned();
    ensure!(said == TOLD, "{said:?}");
    let totals = outcome.totals()?;
    ensure!(totals.longest_interrupt > 0 && totals.watchdog == watchdog, "{totals:?}");
    Ok(totals.pes)
}

fn interrupts(context: &Context, machine: Emulator, watchdog: Watchdog) -> Result<()> {
    for mode in [Mode::Off, Mode::Dual, Mode::Triple] {
        let policy = Policy { mode, ..Policy::DEFAULT };
        let outcome = context.boot(&system(INTERRUPTS, machine, policy, None)?)?;
        told(&outcome, watchdog).with_context(|| format!("{policy:?}"))?;
        ensure!(outcome.totals()?.divergences == 0, "{policy:?}: {:?}", outcome.totals()?);
    }
    Ok(())
}

/// Bits that are flipped in PEs all over the run, at whose ends interrupts are taken, change nothing that is said.
fn flips_among_interrupts(context: &Context) -> Result<()> {
    const FLIPS: u64 = 20;
    let request = system(INTERRUPTS, Emulator::Qemu, Policy::DEFAULT, None)?;
    let pes = told(&context.boot(&request)?, Watchdog::EventTimer)?;
    let flip = |number: u64| Injection {
        pe: pes * (2 * number + 1) / (2 * FLIPS),
        run: Run::First,
        at: 1,
        target: Target::Gpr(3),
        bit: 40,
    };
    let injections = (0..FLIPS).map(flip).collect();
    let outcome = context.boot(&Request { injections, ..request })?;
    told(&outcome, Watchdog::EventTimer)?;
    let totals = outcome.totals()?;
    ensure!(totals.flips >= FLIPS / 2 && totals.divergences > 0, "{totals:?}");
    Ok(())
}

/// A root task has its own PEs run otherwise than the run's, and gives itself a name.
fn policies_of_a_domain(context: &Context) -> Result<()> {
    const SAID: &str = "run once: right\nrun twice: right\nrun three times: right\nrun once: right\n\
                        run three times: right\nno other way\n";
    for mode in [Mode::Off, Mode::Dual, Mode::Triple] {
        let policy = Policy { mode, ..Policy::DEFAULT };
        let outcome = context.boot(&system("nova-policies", Emulator::Qemu, policy, None)?)?;
        ensure!(*outcome.end()? == End::Stopped(Stop::Idle), "{mode:?}: {:?}", outcome.end()?);
        let said = String::from_utf8_lossy(outcome.serial()).into_owned();
        ensure!(said == SAID, "{mode:?}: {said:?}");
        let totals = outcome.totals()?;
        // Some PEs were run three times, and some not, whatever the run's mode is.
        ensure!(0 < totals.third_runs && totals.third_runs < totals.pes, "{mode:?}: {totals:?}");
        let summary = outcome.summary()?;
        let names: Vec<_> = summary.labels.iter().map(|it| (it.process, it.text.as_str())).collect();
        ensure!(names == [(1, "the root task")], "{mode:?}: {names:?}");
    }
    Ok(())
}

/// The run ends with the text's last letter.
fn text(context: &Context) -> Result<()> {
    let outcome = context.boot(&system(HELLO, Emulator::Qemu, Policy::DEFAULT, Some("processor"))?)?;
    ensure!(*outcome.end()? == End::Stopped(Stop::Text), "{:?}", outcome.end()?);
    ensure!(outcome.serial() == b"Hypervisor NOVA (API v10), processor", "{:?}", outcome.serial());
    Ok(())
}

/// A flip of the stack pointer in a run of a call, of an output, and of the first PE: none is seen outside.
fn flip(context: &Context) -> Result<()> {
    for (mode, pe) in [(Mode::Dual, 0), (Mode::Dual, 3), (Mode::Dual, 40), (Mode::Triple, 41)] {
        let text = format!("pe={pe},run=1,at=1,target=rsp,bit=5");
        let mut request = system(HELLO, Emulator::Qemu, Policy { mode, ..Policy::DEFAULT }, None)?;
        request.injections.push(wire::injection::parse(&text).map_err(|error| anyhow!("{text}: {error}"))?);
        let outcome = context.boot(&request)?;
        let totals = outcome.totals()?;
        ensure!(outcome.serial() == [FIRST, LAST].concat().as_bytes(), "{text}: {:?}", outcome.serial());
        ensure!(totals.flips == 1 && totals.divergences == 1, "{mode:?}, {text}: {totals:?}");
        let summary = outcome.summary()?;
        let hit = summary.hits.first().context("no hit is told")?;
        ensure!((hit.thread.process, hit.thread.thread) == (1, 1), "{text}: {hit:?}");
    }
    Ok(())
}

/// An image that gzip has packed, with a module and command lines, in 32 MiB, of which the kernel keeps a quarter.
fn packed(context: &Context) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let (image, module) = (directory.path().join("image.gz"), directory.path().join("module"));
    let file = File::create(&image)?;
    let mut encoder = GzEncoder::new(file, Compression::fast());
    encoder.write_all(&fs::read(Guest::NOVA.build(HELLO)?)?)?;
    encoder.finish()?;
    fs::write(&module, [7; 5000])?;
    let words =
        ["run", "--memory", "32", "--log-calls", "--append", "one two", "--module-args", "three", "--nova"];
    let mut words = words.map(OsStr::new).to_vec();
    words.extend([image.as_os_str(), "--module".as_ref(), module.as_os_str()]);
    let words: Vec<&str> = words.iter().filter_map(|word| word.to_str()).collect();
    let output = context.reprise(&words, |_| ())?;
    let (said, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success() && said == [FIRST, LAST].concat(), "{}: {said}{log}", output.status);
    ensure!(log.contains("thread 1 of process 1 at 0x") && log.contains(": misc 0x20 flags 0x1 ("), "{log}");
    ensure!(log.ends_with("will make one so\n"), "{log}");
    Ok(())
}

/// What is wrong with a system is said in one line, with status 2, before anything boots.
fn bad_input(context: &Context) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let file = |name: &str, bytes: &[u8]| -> Result<String> {
        let path = directory.path().join(name);
        fs::write(&path, bytes)?;
        Ok(path.to_str().context("a path that is not text")?.to_owned())
    };
    let image = fs::read(Guest::NOVA.build(HELLO)?)?;
    let (text, half) = (file("text", b"#!/bin/sh\n")?, file("half", &image[..6000])?);
    let packed = file("packed", b"\x1f\x8bnothing")?;
    let long = "x".repeat(4096);
    let cases: [(&[&str], &str); 11] = [
        (&["--nova", "/no/such/image"], "/no/such/image: no such file"),
        (&["--nova", &text], "text: not an ELF file"),
        (&["--nova", &half], "half: truncated"),
        (&["--nova", &packed], "packed: cannot be unpacked"),
        (&["--nova", HELLO, "--module", "/no/such/module"], "/no/such/module: no such file"),
        (&["--nova", HELLO, "--append", &long], "--append: 4096 bytes; the limit is 4095"),
        (&["--nova", HELLO, "--module-args", "x"], "more command lines than modules"),
        (&["--nova", HELLO, "--kernel-memory", "256"], "--kernel-memory: the kernel cannot keep all memory"),
        (&["--nova", HELLO, "--until", ""], "--until: the text is empty"),
        (&["--nova", HELLO, "--elf", &text], "cannot be used with"),
        (&["tiny", "--until", "x"], "--nova"),
    ];
    for (words, part) in cases {
        super::bad_input::refused(context, &[&["run"], words].concat(), part, |_| ())?;
    }
    Ok(())
}
