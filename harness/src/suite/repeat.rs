// SPDX-License-Identifier: MIT
//! One image with one input gives one trace, byte for byte, wherever and whenever it runs.

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context as _, Result, ensure};
use pe_replay::{Mode, TimedPhase};
use wire::channel::TOKEN_LEN;

use super::{Context, PATIENCE, Test, programs};
use crate::emulator::channel::MemoryChannel;
use crate::emulator::{Emulator, Silent, Streams, qemu};
use crate::host::process;

pub const TESTS: &[Test] = &[
    Test { name: "repeat::same_trace_elsewhere_under_load", run: same_trace },
    Test { name: "repeat::another_trace_for_another_input", run: another_trace },
    Test { name: "repeat::a_trace_longer_than_its_channel", run: long_trace },
    Test { name: "repeat::dry_run_by_hand", run: |context| dry_run(context, "") },
    Test { name: "repeat::same_trace_on_another_date", run: |context| dry_run(context, ANOTHER_DATE) },
];

/// Calls of a program whose trace is longer than the smallest channel, several times.
const MANY_CALLS: u64 = 50_000;
const SMALLEST_CHANNEL_MIB: u32 = 1;

/// Threads that keep the host busy, two for each processor of the smallest machine in use.
const LOAD: usize = 4;

/// What stands before a command to show it another date.
const ANOTHER_DATE: &str = "faketime '2031-05-04 03:02:01' ";

/// Sorts `input` by the tool, in a directory of its own; returns the trace file.
fn trace(context: &Context, input: &[u8], run_directory: &str) -> Result<Vec<u8>> {
    let directory = tempfile::tempdir()?;
    let temporary = directory.path().join(run_directory);
    fs::create_dir(&temporary)?;
    fs::write(directory.path().join("input"), input)?;
    let words =
        ["run", "--elf", "/bin/busybox", "--file", "input", "--trace", "trace", "--", "sort", "input"];
    let output = context.reprise(&words, |command| {
        command.current_dir(directory.path()).env("TMPDIR", &temporary);
    })?;
    ensure!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    Ok(fs::read(directory.path().join("trace"))?)
}

fn same_trace(context: &Context) -> Result<()> {
    let input = &programs::input()[..1 << 16];
    let first = trace(context, input, "a")?;
    let done = AtomicBool::new(false);
    let second = thread::scope(|scope| {
        for _ in 0..LOAD {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    black_box((0..10_000_u64).fold(0, |sum, next| black_box(sum ^ next)));
                }
            });
        }
        let second = trace(context, input, "another-directory-with-a-longer-name");
        done.store(true, Ordering::Relaxed);
        second
    })?;
    ensure!(first.len() == second.len(), "{} bytes of trace, then {}", first.len(), second.len());
    let differing = first.iter().zip(&second).position(|(one, other)| one != other);
    ensure!(differing.is_none(), "the traces differ at byte {}", differing.unwrap_or_default());
    Ok(())
}

/// The host reads a trace while the machine runs, and the machine waits for it: nothing is lost, and it is the same again.
fn long_trace(context: &Context) -> Result<()> {
    let mut request = context.program("calls", &[&MANY_CALLS.to_string()])?;
    request.policy.mode = Mode::Off;
    request.channel_mib = Some(SMALLEST_CHANNEL_MIB);
    let [first, second] = [context.boot(&request)?, context.boot(&request)?];
    let summary = first.summary()?;
    ensure!(summary.totals().lost_records == 0, "{} records are lost", summary.totals().lost_records);
    ensure!(summary.totals().committed > MANY_CALLS, "{} PEs", summary.totals().committed);
    let (length, channel) = (first.trace().len(), (SMALLEST_CHANNEL_MIB as usize) << 20);
    ensure!(length > 2 * channel, "{length} bytes of trace");
    ensure!(first.trace() == second.trace(), "the trace is another one the second time");
    // The kernel has waited at each half: such a PE has the instructions that write the token.
    let records = first.records()?;
    let waited = records.iter().filter(|pe| pe.phases.get(TimedPhase::Other) >= TOKEN_LEN as u64).count();
    let halves = length / (channel / 2);
    ensure!(waited >= halves, "the kernel waited {waited} times for {halves} halves at least");
    Ok(())
}

fn another_trace(context: &Context) -> Result<()> {
    let mut input = programs::input()[..1 << 16].to_vec();
    let first = trace(context, &input, "a")?;
    input[5] ^= 1;
    ensure!(first != trace(context, &input, "a")?, "one byte of input changed, and the trace did not");
    Ok(())
}

/// The command line that `--dry-run` prints does, by hand and behind `prefix`, what `run` does.
fn dry_run(context: &Context, prefix: &str) -> Result<()> {
    let request = context.program("tiny", &[])?;
    let expected = context.boot(&request)?;
    let output = context.reprise(&["run", "tiny", "--counter", "virtual-time", "--dry-run"], |_| ())?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout)?;
    let (place, command) = lines.split_once('\n').context("not two lines")?;
    let directory = Path::new(place.strip_prefix("cd ").context("no directory to go to")?);
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(said.contains(&format!("stay in {}", directory.display())), "not where the files are: {said}");
    let ran = by_hand(&format!("{place}\n{prefix}{command}"), &directory.join(qemu::RAM));
    fs::remove_dir_all(directory).with_context(|| format!("cannot remove {}", directory.display()))?;
    let streams = ran?;
    ensure!(streams.output == expected.finished.streams.output, "the output differs");
    ensure!(streams.trace == expected.finished.streams.trace, "the trace differs");
    ensure!(streams.end == expected.finished.streams.end, "the end record differs");
    Ok(())
}

fn by_hand(line: &str, ram: &Path) -> Result<Streams> {
    let status = process::output(Command::new("sh").args(["-c", line]), PATIENCE)?.status;
    ensure!(status.code() == Some(33), "by hand: {status}");
    let layout = Emulator::Qemu.layout(256);
    let mut channel = MemoryChannel::new(ram.to_owned(), layout, None);
    let mut trace = Vec::new();
    channel.poll(&mut Silent, &mut |piece| {
        trace.extend_from_slice(piece);
        Ok(())
    })?;
    let streams = channel.streams()?.context("by hand, no channel was made")?;
    Ok(Streams { trace, ..streams })
}
