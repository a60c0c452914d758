// SPDX-License-Identifier: MIT
//! How many debug exceptions it takes to stop a tight loop exactly, by skid.
//!
//! Each row is 10,000 pairs of runs on the emulated Intel counter. `bound` is for
//! the loop: PATIENCE + near / length + 1.

use pmu::exact::PATIENCE;
use pmu::{Overflow, VirtualTime, check, intel};
use pmu_emulated::{
    Emulated, Faults, IntelModel, IntelUnit, Op, Processor, Program, Rules, SkidModel, replay,
};

const SEED: u64 = 0x5245_5052_4953_4501;
const PAIRS: u64 = 10_000;
const LIMIT: u64 = 50_000;

fn main() {
    let skids = [
        SkidModel::None,
        SkidModel::Fixed(100),
        SkidModel::Random(100),
        SkidModel::Fixed(10_000),
        SkidModel::Random(10_000),
        SkidModel::LongTail(10_000),
    ];
    println!("skid             loop    far   near  bound  median  p99.9    most  misses");
    for skid in skids {
        for len in [1, 2, 7] {
            println!("{}", row(skid, len));
        }
    }
}

fn row(skid: SkidModel, len: u8) -> String {
    let mut bench = Processor::new(Program::new(&[Op::Syscall]));
    let clock = VirtualTime::calibrate(&mut bench).expect("the model's time is exact");
    let mut unit = IntelUnit::new(IntelModel::default(), Faults { skid, seed: SEED, ..Faults::default() });
    let found = intel::find(&mut unit).expect("the model announces its counter");
    let mut counter = Emulated::counter(Overflow::new(unit, found, 0xfe), clock);
    let report = check::run(&mut counter, &mut bench);
    assert!(report.passed(), "{report:?}");

    let processor = Processor::new(Program::loop_of(len));
    let mut taken = Vec::new();
    let mut misses = 0;
    for pair in 0..PAIRS {
        let rules = Rules { limit: LIMIT + pair % 997, attempts: 20, passes: true };
        let replayed = replay(&processor, &mut counter, rules).expect("the place is reached");
        assert!(replayed.exact && replayed.bound_kept, "{replayed:?}");
        taken.push(replayed.debug_exceptions);
        misses += replayed.misses;
    }
    taken.sort_unstable();
    let quantile = |per_mille: usize| taken[(taken.len() - 1) * per_mille / 1_000];
    let margin = counter.margin();
    let bound = PATIENCE + margin.near / u64::from(len) + 1;
    format!(
        "{:<16} {len:>4} {:>6} {:>6} {bound:>6} {:>7} {:>6} {:>7} {misses:>7}",
        format!("{skid:?}"),
        margin.far,
        margin.near,
        quantile(500),
        quantile(999),
        taken[taken.len() - 1],
    )
}
