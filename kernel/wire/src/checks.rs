// SPDX-License-Identifier: MIT
//! The words for what the counters' checks found: the kernel tells them, the host shows them.

use core::fmt::{self, Display, Formatter};

use pmu::back_end::Unkept;
use pmu::check::{Check, LATEST, LOCK_BLOCKS, Measured, OVERFLOWS, Report, Row};
use pmu::detect::Refusal;
use pmu::overflow::{Absent, Vendor};
use pmu::registers::{amd, intel};
use pmu::{Biases, Margin, Skid, Smm, Trapped};

/// Something that the checks found, as text.
#[derive(Clone, Copy, Debug)]
pub struct Text<T>(pub T);

/// A report is a table, a row a line.
impl Display for Text<&Report> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.0.rows().try_for_each(|row| {
            let verdict = if row.outcome.is_ok() { "passed" } else { "REFUSED" };
            writeln!(f, "{verdict:<8} {:<37} {}", name(row.check), Found(row.check, row.outcome))
        })
    }
}

/// A row is the name of its check, and what that found.
impl Display for Text<&Row> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", name(self.0.check), Found(self.0.check, self.0.outcome))
    }
}

/// A refusal is one line.
impl Display for Text<&Refusal> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const TIME: &str = "virtual time";
        match self.0 {
            Refusal::Absent(Vendor::Intel, Absent::Vendor) => {
                write!(f, "{}: not an Intel processor", counter(Vendor::Intel))
            }
            Refusal::Absent(Vendor::Amd, Absent::Vendor) => {
                write!(f, "{}: not an AMD processor", counter(Vendor::Amd))
            }
            Refusal::Absent(vendor, absent) => write!(f, "{}: {}", counter(*vendor), Text(absent)),
            Refusal::Failed(vendor, row) => write!(f, "{}: {}", counter(*vendor), Text(row)),
            Refusal::Time(Measured::NoEnd) => {
                write!(f, "{TIME}: time does not move with the instructions, or the timer is dead")
            }
            Refusal::Time(Measured::Spread { least, most }) => {
                write!(f, "{TIME}: known blocks take {least} to {most} ticks more than their instructions")
            }
            Refusal::Time(measured) => write!(f, "{TIME}: {}", Found(Check::Bias, Err(*measured))),
            Refusal::TimeFailed(row) => write!(f, "{TIME}: {}", Text(row)),
        }
    }
}

/// Why a counter is not there.
impl Display for Text<&Absent> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            Absent::Vendor => f.write_str("another vendor's processor"),
            Absent::NoLeaf => f.write_str("CPUID leaf 0AH is empty"),
            Absent::Version(version) => {
                write!(f, "performance monitoring version {version}, at least 2 is needed")
            }
            Absent::NoFixedCounter => f.write_str("CPUID leaf 0AH announces no fixed counter"),
            Absent::Narrow(width) => {
                write!(f, "the fixed counters have {width} bits, at least 32 are needed")
            }
            Absent::NoCoreCounters => f.write_str("CPUID announces neither PerfMonV2 nor core counters"),
            Absent::Family(family) => write!(f, "family {family:X}H is not known"),
        }
    }
}

fn counter(vendor: Vendor) -> &'static str {
    match vendor {
        Vendor::Intel => "Intel fixed counter 0",
        Vendor::Amd => "AMD core counter 0",
    }
}

fn name(check: Check) -> &'static str {
    match check {
        Check::Present => "registers keep what is written",
        Check::Moves => "counter moves",
        Check::Exact => "known blocks count exactly",
        Check::Width => "counter is as wide as it says",
        Check::OneInterrupt => "one interrupt an overflow, twice",
        Check::Clear => "overflow status clears",
        Check::Bias => "bias of each stop is constant",
        Check::Skid => "skid and margin",
        Check::Undisturbed => "an interrupt inside changes no count",
        Check::Locks => "locked instructions count once",
        Check::Steps => "a step takes one instruction",
        Check::Trials => "repeated trials agree",
        Check::Managed => "System Management Mode does no harm",
    }
}

fn register(msr: u32) -> &'static str {
    match msr {
        intel::FIXED_CTR0 => "IA32_FIXED_CTR0",
        intel::FIXED_CTR_CTRL => "IA32_FIXED_CTR_CTRL",
        intel::GLOBAL_CTRL => "IA32_PERF_GLOBAL_CTRL",
        amd::PERF_CTR0 => "PERF_CTR0",
        amd::PERF_CTL0 => "PERF_CTL0",
        amd::GLOBAL_CTL => "PerfCntrGlobalCtl",
        _ => "a register",
    }
}

/// What a check found, passed or not.
struct Found(Check, Result<Measured, Measured>);

impl Display for Found {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let &Self(check, outcome) = self;
        let (Ok(measured) | Err(measured)) = outcome;
        match measured {
            Measured::AsAsked if check == Check::OneInterrupt => {
                write!(f, "{OVERFLOWS} overflows, {OVERFLOWS} interrupts")
            }
            Measured::AsAsked if check == Check::Trials => f.write_str("one is enough without a hypervisor"),
            Measured::AsAsked if check == Check::Clear => f.write_str("clear after an overflow"),
            Measured::AsAsked => f.write_str("all kept"),
            Measured::Unkept(Unkept { msr, wrote, read }) => {
                write!(f, "{}: wrote {wrote:#x}, read {read:#x}", register(msr))
            }
            Measured::Counted { executed, counted } if check == Check::Moves => {
                write!(f, "{executed} more instructions, {counted} more counted")
            }
            Measured::Counted { executed, counted } => {
                let inside = if check == Check::Undisturbed { " with an interrupt inside" } else { "" };
                write!(f, "{counted} counted for {executed} instructions{inside}")
            }
            Measured::Exact { blocks, instructions, bias } => {
                write!(f, "{blocks} blocks, {instructions} instructions, bias {bias:+}")
            }
            Measured::Spread { least, most } => write!(f, "bias between {least:+} and {most:+}"),
            Measured::Budget(longest) if outcome.is_ok() => write!(f, "budgets up to {longest}"),
            Measured::Budget(budget) => write!(f, "a budget of {budget} does not fit"),
            Measured::NoInterrupt(overflow) => write!(f, "no interrupt for overflow {overflow}"),
            Measured::Premature => f.write_str("an overflow before its time"),
            Measured::Uncalled => f.write_str("an interrupt without an overflow"),
            Measured::Late => f.write_str("an interrupt in the kernel, without cause"),
            Measured::StillSet => f.write_str("still set when cleared"),
            Measured::Biases(biases) => Text(&biases).fmt(f),
            Measured::Skid(Skid { samples, least, common, largest }, Margin { far, near }) => {
                write!(f, "{samples} interrupts {least} to {largest} late, 99 of 100 at most {common}; ")?;
                write!(f, "margin {far}, {near} in tight loops")
            }
            Measured::Stop { asked, seen } => match seen.checked_sub(asked) {
                None => write!(f, "stopped after {seen} instructions instead of {asked}"),
                Some(late @ ..=LATEST) => write!(f, "{late} instructions late"),
                Some(late) => write!(f, "{late} instructions late, which is too much"),
            },
            Measured::Blocks(blocks) if check == Check::Undisturbed => {
                write!(f, "{blocks} blocks interrupted, none counts differently")
            }
            Measured::Blocks(blocks) => write!(f, "{blocks} blocks with LOCK, all exact"),
            Measured::Speculative(0) => {
                write!(f, "{LOCK_BLOCKS} blocks with LOCK, all exact, none on speculation")
            }
            Measured::Speculative(locks) => write!(f, "{locks} locked instructions on speculation"),
            Measured::Steps { steps, shadow, pause, shown } => {
                let pushf = if shown { "shows" } else { "hides" };
                write!(f, "{steps} steps; MOV SS takes {shadow}, PAUSE {pause}; PUSHF {pushf} the trap flag")
            }
            Measured::Step(over, took) => write!(f, "a step took {took} instructions, {}", stepped(over)),
            Measured::Untrapped(first) => write!(f, "a step did not end, {}", stepped(first)),
            Measured::TrapShown => f.write_str("PUSHF shows a trap flag that is not set"),
            Measured::Trials(trials) => write!(f, "{trials} trials under a hypervisor, all alike"),
            Measured::Moving(first, then) => write!(f, "first {}; then {}", Text(&first), Text(&then)),
            Measured::Managed(smm) => Text(&smm).fmt(f),
            Measured::NoEnd => f.write_str("user code neither ended nor was stopped"),
        }
    }
}

impl Display for Text<&Biases> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Biases([counter, fault, debug, syscall]) = self.0;
        write!(f, "interrupt {counter:+}, fault {fault:+}, #DB {debug:+}, system call {syscall:+}")
    }
}

impl Display for Text<&Smm> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0.freezes {
            None => "the counter cannot be told to stand still in it",
            Some(true) => "the counter stands still in it",
            Some(false) => "the counter was told to stand still in it, and does not",
        })?;
        match self.0.interrupts {
            None => f.write_str("; its interrupts are not told"),
            Some(times) => write!(f, "; {times} interrupts meanwhile"),
        }
    }
}

fn stepped(over: Trapped) -> &'static str {
    match over {
        Trapped::Plain => "plain",
        Trapped::Shadow => "MOV SS",
        Trapped::Pause => "PAUSE",
        Trapped::Flags => "PUSHF",
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::string::ToString;

    use pmu::detect::Refusal;

    use super::*;

    fn row(check: Check, outcome: Result<Measured, Measured>) -> std::string::String {
        Text(&Row { check, outcome }).to_string()
    }

    #[test]
    fn the_same_figure_reads_as_its_check_and_verdict_have_it() {
        let counted = Measured::Counted { executed: 9990, counted: 9991 };
        for (check, outcome, text) in [
            (Check::Present, Ok(Measured::AsAsked), "registers keep what is written: all kept"),
            (
                Check::OneInterrupt,
                Ok(Measured::AsAsked),
                "one interrupt an overflow, twice: 2 overflows, 2 interrupts",
            ),
            (Check::Clear, Ok(Measured::AsAsked), "overflow status clears: clear after an overflow"),
            (
                Check::Trials,
                Ok(Measured::AsAsked),
                "repeated trials agree: one is enough without a hypervisor",
            ),
            (Check::Moves, Ok(counted), "counter moves: 9990 more instructions, 9991 more counted"),
            (Check::Steps, Err(counted), "a step takes one instruction: 9991 counted for 9990 instructions"),
            (
                Check::Undisturbed,
                Err(counted),
                "an interrupt inside changes no count: 9991 counted for 9990 instructions with an interrupt inside",
            ),
            (Check::Width, Ok(Measured::Budget(7)), "counter is as wide as it says: budgets up to 7"),
            (
                Check::Width,
                Err(Measured::Budget(7)),
                "counter is as wide as it says: a budget of 7 does not fit",
            ),
            (
                Check::Undisturbed,
                Ok(Measured::Blocks(96)),
                "an interrupt inside changes no count: 96 blocks interrupted, none counts differently",
            ),
            (
                Check::Locks,
                Ok(Measured::Blocks(16)),
                "locked instructions count once: 16 blocks with LOCK, all exact",
            ),
            (
                Check::Locks,
                Ok(Measured::Speculative(0)),
                "locked instructions count once: 16 blocks with LOCK, all exact, none on speculation",
            ),
        ] {
            assert_eq!(row(check, outcome), text);
        }
    }

    #[test]
    fn a_stop_is_early_late_or_too_late() {
        let stop = |seen| row(Check::Skid, Err(Measured::Stop { asked: 100, seen }));
        assert_eq!(stop(99), "skid and margin: stopped after 99 instructions instead of 100");
        assert_eq!(stop(100 + LATEST), "skid and margin: 262144 instructions late");
        assert_eq!(stop(101 + LATEST), "skid and margin: 262145 instructions late, which is too much");
    }

    #[test]
    fn a_refusal_names_the_counter_and_the_reason() {
        let unkept = Measured::Unkept(Unkept { msr: intel::FIXED_CTR0, wrote: 5, read: 0 });
        for (refusal, text) in [
            (Refusal::Absent(Vendor::Intel, Absent::Vendor), "Intel fixed counter 0: not an Intel processor"),
            (Refusal::Absent(Vendor::Amd, Absent::Vendor), "AMD core counter 0: not an AMD processor"),
            (
                Refusal::Absent(Vendor::Amd, Absent::Family(0x1b)),
                "AMD core counter 0: family 1BH is not known",
            ),
            (
                Refusal::Absent(Vendor::Intel, Absent::Narrow(31)),
                "Intel fixed counter 0: the fixed counters have 31 bits, at least 32 are needed",
            ),
            (
                Refusal::Failed(Vendor::Intel, Row { check: Check::Present, outcome: Err(unkept) }),
                "Intel fixed counter 0: registers keep what is written: IA32_FIXED_CTR0: wrote 0x5, read 0x0",
            ),
            (
                Refusal::Time(Measured::Stop { asked: 100, seen: 99 }),
                "virtual time: stopped after 99 instructions instead of 100",
            ),
            (
                Refusal::Time(Measured::Spread { least: -3, most: 1 }),
                "virtual time: known blocks take -3 to 1 ticks more than their instructions",
            ),
        ] {
            assert_eq!(Text(&refusal).to_string(), text);
        }
    }
}
