// SPDX-License-Identifier: MIT
//! Devices are accessed once for each instruction that accesses them: QEMU's own trace says so, which the kernel knows
//! nothing of.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use flips::{Injection, Target};
use pe_replay::{Mode, Policy, Run};
use wire::device::{DeviceAccess, Space};
use wire::record::all_of;

use super::{Context, system};
use crate::emulator::Emulator;
use crate::outcome::Outcome;

/// The root task that accesses devices, and what it says last: how often it did.
const DEVICES: &str = "nova-devices";
const LAST: &str = "232 accesses to memory, 40 to ports\n";
const MEMORY: usize = 232;
const PORTS: usize = 40;
/// What it accesses, apart from the serial port: the event timer's page, the clock, and a port for diagnoses.
const TIMER: std::ops::Range<u64> = 0xfed0_0000..0xfed0_1000;
const CLOCK: [u64; 3] = [0x70, 0x71, 0x80];
/// Of so many ends of PEs one is disturbed, and so many in each boot.
const EVERY: usize = 7;
const FLIPS: usize = 8;

/// One access, as the kernel and as QEMU tell of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    writes: bool,
    address: u64,
    bytes: u8,
    value: u64,
}

/// The accesses in QEMU's trace, in order.
fn traced(text: &str) -> Result<Vec<Seen>> {
    let field = |line: &str, name: &str| -> Result<u64> {
        let mut words = line.split(' ').skip_while(|word| *word != name);
        let value = words.nth(1).with_context(|| format!("no {name} in {line:?}"))?;
        match value.strip_prefix("0x") {
            Some(hex) => Ok(u64::from_str_radix(hex, 16)?),
            None => Ok(value.parse()?),
        }
    };
    let lines = text.lines().filter_map(|line| line.split_once("memory_region_ops_"));
    let seen = lines.map(|(_, line)| {
        let (address, bytes, value) = (field(line, "addr")?, field(line, "size")?, field(line, "value")?);
        ensure!(matches!(bytes, 1 | 2 | 4 | 8), "{bytes} bytes at once: {line:?}");
        // A device may say more than it is asked for, which goes nowhere.
        let value = value & u64::MAX >> (64 - 8 * bytes);
        Ok(Seen { writes: line.starts_with("write"), address, bytes: bytes as u8, value })
    });
    seen.collect()
}

/// Those of the timer, or those of the clock and of diagnoses.
fn only(seen: &[Seen], of: Space) -> Vec<Seen> {
    let is_meant = |it: &&Seen| match of {
        Space::Memory => TIMER.contains(&it.address),
        Space::Port => CLOCK.contains(&it.address),
    };
    seen.iter().filter(is_meant).copied().collect()
}

/// A run, as the kernel recorded it and as QEMU traced it.
struct Watched {
    outcome: Outcome,
    recorded: Vec<DeviceAccess>,
    traced: Vec<Seen>,
}

fn watch(context: &Context, policy: Policy, injections: &[Injection], directory: &Path) -> Result<Watched> {
    let path = directory.join("traced");
    let mut request = system(DEVICES, Emulator::Qemu, policy, None)?;
    let events = "trace:memory_region_ops_read,trace:memory_region_ops_write";
    request.extra = ["-d", events, "-D"].map(Into::into).to_vec();
    request.extra.push(path.clone().into());
    request.injections = injections.to_vec();
    let outcome = context.boot(&request)?;
    let recorded = all_of(outcome.trace()).collect();
    let traced = traced(&fs::read_to_string(&path).context("QEMU has written no trace")?)?;
    Ok(Watched { outcome, recorded, traced })
}

/// The kernel's list of accesses is QEMU's, and as long as the program says.
fn compare(watched: &Watched) -> Result<()> {
    let said = String::from_utf8_lossy(watched.outcome.serial()).into_owned();
    ensure!(said.ends_with(LAST), "{said:?}");
    let as_seen =
        |it: &DeviceAccess| Seen { writes: it.writes, address: it.address, bytes: it.bytes, value: it.value };
    for (space, count) in [(Space::Memory, MEMORY), (Space::Port, PORTS)] {
        let recorded: Vec<_> = watched.recorded.iter().filter(|it| it.space == space).map(as_seen).collect();
        let recorded = only(&recorded, space);
        let traced = only(&watched.traced, space);
        // Firmware was there before.
        let begin = traced.len().saturating_sub(recorded.len());
        ensure!(recorded.len() == count, "{space:?}: {} accesses are recorded", recorded.len());
        let is_exact = space == Space::Port || begin == 0;
        ensure!(is_exact, "{space:?}: QEMU traced {} accesses, of {count}", traced.len());
        let differs = recorded.iter().zip(&traced[begin..]).position(|(ours, theirs)| ours != theirs);
        ensure!(
            differs.is_none() && traced.len() >= count,
            "{space:?}: the accesses from {differs:?} on differ: {:?} against {:?}",
            differs.map(|at| recorded[at]),
            differs.map(|at| traced[begin + at]),
        );
    }
    Ok(())
}

/// In `off` and in `dual`, and where flips hit the ends of PEs that a device is accessed behind.
pub fn accessed_once(context: &Context) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let mut said = Vec::new();
    let mut disturbed = Vec::new();
    for mode in [Mode::Off, Mode::Dual] {
        let policy = Policy { mode, ..Policy::DEFAULT };
        let watched = watch(context, policy, &[], directory.path())?;
        compare(&watched).with_context(|| format!("{mode:?}"))?;
        ensure!(watched.outcome.totals()?.divergences == 0, "{mode:?}: it diverged");
        said.push(watched.outcome.serial().to_vec());
        disturbed = ends(&watched)?;
    }
    ensure!(said[0] == said[1], "the modes differ in what was said");
    let policy = Policy { mode: Mode::Dual, ..Policy::DEFAULT };
    for flips in disturbed.chunks(FLIPS) {
        let watched = watch(context, policy, flips, directory.path())?;
        compare(&watched).with_context(|| format!("{flips:?}"))?;
        let totals = watched.outcome.totals()?;
        ensure!(totals.flips == flips.len() as u64, "{} flips of {}", totals.flips, flips.len());
        // A flip of what the last instruction writes has no effect.
        ensure!(totals.divergences > 0, "no flip had an effect: {flips:?}");
        ensure!(watched.outcome.serial() == said[1], "{flips:?} change what is said");
    }
    Ok(())
}

/// Flips behind the last instruction of PEs that end before a device of interest is accessed.
fn ends(watched: &Watched) -> Result<Vec<Injection>> {
    let records = watched.outcome.records()?;
    let of_interest = watched.recorded.iter().filter(|it| match it.space {
        Space::Memory => TIMER.contains(&it.address),
        Space::Port => CLOCK.contains(&it.address),
    });
    // The instruction that was performed is counted, too: where it is the only one, there is nothing to hit.
    let has_more = |pe: &u64| records.get(*pe as usize).is_some_and(|record| record.instructions > 1);
    let mut pes: Vec<u64> = of_interest.map(|it| it.pe).filter(has_more).collect();
    pes.dedup();
    let flips = pes.iter().step_by(EVERY).zip([0, 2, 7].iter().cycle());
    let flip = |(pe, register): (&u64, &u8)| {
        let record = records.get(*pe as usize).with_context(|| format!("there is no PE {pe}"))?;
        let at = record.instructions.saturating_sub(2);
        Ok(Injection { pe: *pe, run: Run::First, at, target: Target::Gpr(*register), bit: 20 })
    };
    flips.map(flip).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_trace_are_read() {
        let text = "123@45.6:memory_region_ops_write cpu 0 mr 0x55a addr 0xfed000f0 value 0x5000003e8 size 4 name 'hpet'\n\
                    memory_region_ops_read cpu 0 mr 0x55b addr 0x71 value 0x0 size 1 name 'rtc'\nother\n";
        let seen = traced(text).unwrap();
        let timer = Seen { writes: true, address: 0xfed0_00f0, bytes: 4, value: 1000 };
        let clock = Seen { writes: false, address: 0x71, bytes: 1, value: 0 };
        assert_eq!(seen, [timer, clock]);
        assert_eq!((only(&seen, Space::Memory), only(&seen, Space::Port)), (vec![timer], vec![clock]));
        assert!(traced("memory_region_ops_read cpu 0 addr 0x71").is_err());
    }
}
