// SPDX-License-Identifier: MIT
//! Virtual time proves itself on this machine, and other counters are examined on it.

use pmu::check;
use pmu::{BackEnd, Clock, Counter, VirtualTime};
use wire::checks::Text;

use super::fixture::Fixture;
use super::{Found, Test, check};

pub const TESTS: &[Test] = &[("counter: virtual time passes all self-checks", virtual_time)];

/// Calibrates virtual time, makes a counter of it, and checks that.
pub fn examine<B: BackEnd>(
    fixture: &mut Fixture,
    make: impl FnOnce(Clock) -> Counter<B>,
) -> Result<(Counter<B>, check::Report), check::Measured> {
    fixture.on_bench(|bench| {
        let mut counter = make(VirtualTime::calibrate(bench)?);
        let report = check::run(&mut counter, bench);
        Ok((counter, report))
    })
}

fn virtual_time(fixture: &mut Fixture) -> Found {
    let (counter, report) = examine(fixture, |clock| clock).map_err(|fault| alloc::format!("{fault:?}"))?;
    check!(report.passed(), "\n{}", Text(&report));
    check!(counter.margin().far == 0, "a margin of {}", counter.margin().far);
    Ok(())
}
