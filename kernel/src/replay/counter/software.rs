// SPDX-License-Identifier: MIT
//! Counters in software, driven by virtual time, which misbehave as the configuration says.

use pmu::{Overflow, VirtualTime, Workbench, amd, check, intel};
use pmu_emulated::{AmdModel, AmdUnit, Driver, Emulated, IntelModel, IntelUnit};
use wire::checks::Text;
use wire::counter::{CounterFaults, CounterKind};
use wire::record::Unit;

use super::CounterError;
use super::choose::{Counting, Selection, refused};
use crate::arch::apic::COUNTER_VECTOR;

/// Intel's counter in software.
pub fn intel(faults: CounterFaults, bench: &mut dyn Workbench) -> Result<Selection, CounterError> {
    let mut unit = IntelUnit::new(IntelModel::default(), faults.steady());
    let found = intel::find(&mut unit).map_err(|absent| refused(Text(&absent)))?;
    examined(CounterKind::IntelEmulated, Overflow::new(unit, found, COUNTER_VECTOR), faults, bench)
}

/// AMD's counter in software.
pub fn amd(faults: CounterFaults, bench: &mut dyn Workbench) -> Result<Selection, CounterError> {
    let unit = AmdUnit::new(AmdModel::default(), faults.steady());
    let found = amd::find(&unit).map_err(|absent| refused(Text(&absent)))?;
    examined(CounterKind::AmdEmulated, Overflow::new(unit, found, COUNTER_VECTOR), faults, bench)
}

/// Examines an emulated counter; what the checks rightly refuse, but whoever uses it
/// survives, begins when they are over.
fn examined(
    kind: CounterKind,
    driver: impl Driver + 'static,
    faults: CounterFaults,
    bench: &mut dyn Workbench,
) -> Result<Selection, CounterError> {
    let clock = VirtualTime::calibrate(bench)?;
    let mut counter = Emulated::counter(driver, clock);
    let report = check::run(&mut counter, bench);
    if let Some(row) = report.refusal() {
        return Err(refused(format_args!("{}: {}", kind.name(), Text(row))));
    }
    counter.back_end.unit().misbehave(faults);
    let counting = Counting::other(kind, Unit::Instructions, counter);
    Ok(Selection { counting, report, refusals: [None; 3] })
}
