// SPDX-License-Identifier: MIT
//! Scenarios of components: what each component says is what it has to say, and depends neither on how its PEs are run
//! nor on the boot.

mod expected;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use pe_replay::{Mode, Policy, Recovery, TimedPhase};
use wire::DelimiterKind;
use wire::end::End;
use wire::nova::{Stop, System};
use wire::pe::PeRecord;

use super::{Context, Test};
use crate::emulator::Emulator;
use crate::inject::{SEED, system};
use crate::outcome::Outcome;
use crate::outcome::console::Log;
use crate::workload::request::Request;
use crate::workload::{init, nova};
use expected::{DEFAULT, MALFORMED, NESTED, ONE_CHILD, PEST, REPLAYED, SESSIONS, Scenario, TIMER, WRONG};

pub const TESTS: &[Test] = &[
    Test { name: "scenario::one_child_on_qemu", run: |context| on_qemu(context, &ONE_CHILD) },
    Test { name: "scenario::one_child_on_bochs", run: |context| on_bochs(context, &ONE_CHILD) },
    Test { name: "scenario::timer_on_qemu", run: |context| on_qemu(context, &TIMER) },
    Test { name: "scenario::timer_on_bochs", run: |context| on_bochs(context, &TIMER) },
    Test { name: "scenario::sessions", run: |context| on_qemu(context, &SESSIONS) },
    Test { name: "scenario::nested", run: |context| on_qemu(context, &NESTED) },
    Test { name: "scenario::children_that_attack_init", run: |context| briefly(context, &PEST) },
    Test { name: "scenario::replay_policies", run: replay_policies },
    Test { name: "scenario::wrong_configuration", run: |context| briefly(context, &WRONG) },
    Test { name: "scenario::malformed_configuration", run: |context| briefly(context, &MALFORMED) },
    Test { name: "scenario::all_kinds_of_components", run: |context| briefly(context, &DEFAULT) },
    Test { name: "scenario::beside_hostile_and_starving_components", run: trouble },
    Test { name: "scenario::flips_in_all_components", run: flips },
    Test { name: "scenario::bad_input", run: bad_input },
];

/// A boot of a scenario.
fn request(scenario: &Scenario, machine: Emulator) -> Result<Request> {
    request_of(init::scenario(scenario.name), machine)
}

/// A boot of a configuration.
fn request_of(config: PathBuf, machine: Emulator) -> Result<Request> {
    Ok(Request { machine, ..nova::configured(config)? })
}

/// Each policy, all of which the components must not notice.
fn policies() -> impl Iterator<Item = Policy> {
    [10_000, 100_000].into_iter().flat_map(|limit| {
        [Mode::Off, Mode::Dual, Mode::Triple].map(|mode| Policy { mode, limit, ..Policy::DEFAULT })
    })
}

/// What a run came to has to be right, and is what each component said.
fn checked(scenario: &Scenario, policy: &Policy, outcome: &Outcome) -> Result<BTreeMap<String, Vec<String>>> {
    let log = Log::new(outcome.serial());
    let told = || format!("{}, {policy:?}:\n{}", scenario.name, String::from_utf8_lossy(outcome.serial()));
    log.check(&scenario.expected).with_context(told)?;
    ensure!(*outcome.end()? == End::Stopped(Stop::Idle), "{}: {:?}", told(), outcome.end()?);
    let totals = outcome.totals()?;
    ensure!(totals.divergences == 0 && totals.restarts == 0, "{}: {totals:?}", told());
    executed(policy, outcome).with_context(told)?;
    let owned = |(label, lines): (&str, Vec<&str>)| {
        (label.to_owned(), lines.into_iter().map(str::to_owned).collect())
    };
    Ok(log.by_label().into_iter().map(owned).collect())
}

/// How many of a PE's instructions were executed in user mode: the one that accesses a device or the time is performed
/// by the kernel.
fn own_instructions(record: &PeRecord) -> u64 {
    match record.delimiter {
        DelimiterKind::PortIo | DelimiterKind::Mmio | DelimiterKind::Rdtsc => {
            record.instructions.saturating_sub(1)
        }
        DelimiterKind::Syscall
        | DelimiterKind::PageFault
        | DelimiterKind::Exception
        | DelimiterKind::Limit
        | DelimiterKind::DirtyLimit => record.instructions,
    }
}

/// Every PE that has instructions was executed as often as the policy says.
fn executed(policy: &Policy, outcome: &Outcome) -> Result<()> {
    let records = outcome.records()?;
    ensure!(!records.is_empty(), "no PE is recorded");
    records.iter().try_for_each(|record| ran(record, policy.mode))
}

/// A PE was executed as often as a mode says, if it has instructions.
fn ran(record: &PeRecord, mode: Mode) -> Result<()> {
    let runs = match mode {
        Mode::Off => 1,
        Mode::Dual => 2,
        Mode::Triple => 3,
    };
    let phases = [TimedPhase::FirstRun, TimedPhase::SecondRun, TimedPhase::ThirdRun];
    let executed = phases.iter().filter(|phase| record.phases.get(**phase) > 0).count();
    ensure!(
        own_instructions(record) == 0 || executed == runs,
        "PE {} was executed {executed} times",
        record.sequence
    );
    Ok(())
}

/// A child's own policy holds for its PEs, and for no others: neither is an init's that of its children.
fn replay_policies(context: &Context) -> Result<()> {
    let request = request(&REPLAYED, Emulator::Qemu)?;
    for mode in [Mode::Off, Mode::Dual, Mode::Triple] {
        let policy = Policy { mode, ..Policy::DEFAULT };
        let outcome = context.boot(&Request { policy, ..request.clone() })?;
        Log::new(outcome.serial()).check(&REPLAYED.expected)?;
        let mut seen = [0; 5];
        let labels = outcome.summary()?.labels;
        for record in outcome.records()? {
            let label = labels.iter().find(|label| label.process == record.thread.process);
            let (own, place) = match label.map_or("", |label| label.text.as_str()) {
                "init -> once" => (Mode::Off, Some(0)),
                "init -> twice" => (Mode::Dual, Some(1)),
                "init -> thrice" => (Mode::Triple, Some(2)),
                "init -> sub" => (Mode::Off, Some(3)),
                "init -> sub -> deep" => (Mode::Triple, Some(4)),
                _ => (mode, None),
            };
            ran(&record, own).with_context(|| format!("{label:?} under {policy:?}"))?;
            place.iter().for_each(|place| seen[*place] += 1);
        }
        ensure!(seen.iter().all(|count| *count > 0), "not all children ran: {seen:?}");
    }
    Ok(())
}

/// Under each policy, and once more under one of them, for the boots to be compared.
fn on_qemu(context: &Context, scenario: &Scenario) -> Result<()> {
    under(context, scenario, policies().chain([Policy::DEFAULT]))
}

/// Once and twice: what is looked at is what init makes of its configuration and its children.
fn briefly(context: &Context, scenario: &Scenario) -> Result<()> {
    under(
        context,
        scenario,
        [Mode::Off, Mode::Dual].map(|mode| Policy { mode, ..Policy::DEFAULT }).into_iter(),
    )
}

/// Under some policies, to the same effect.
fn under(context: &Context, scenario: &Scenario, policies: impl Iterator<Item = Policy>) -> Result<()> {
    let request = request(scenario, Emulator::Qemu)?;
    let mut first = None;
    let mut trace = None;
    for policy in policies {
        let outcome = context.boot(&Request { policy, ..request.clone() })?;
        let said = checked(scenario, &policy, &outcome)?;
        let first = first.get_or_insert_with(|| said.clone());
        ensure!(*first == said, "{}, {policy:?}: {said:#?}\nare not: {first:#?}", scenario.name);
        if policy == Policy::DEFAULT {
            let is_same = trace.get_or_insert_with(|| outcome.trace().to_vec()) == outcome.trace();
            ensure!(is_same, "{}: two boots have different traces", scenario.name);
        }
    }
    Ok(())
}

/// What is started beside the components of the default scenario: one that makes calls that nobody expects, and one for
/// each thing that can be used up. The sprinter has the highest priority, and takes the processor for longer than others
/// sleep.
const TROUBLE: &str = r#"
<start name="attacker"> <binary name="hostile"/> <config calls="3000" seed="7"/> </start>
<start name="eater"> <binary name="starver"/> <config kind="ram"/> </start>
<start name="hoarder"> <binary name="starver"/> <config kind="caps"/> </start>
<start name="sprinter"> <binary name="starver"/> <config kind="cpu" rounds="20000000"/> </start>
<start name="spinner" priority="-2"> <binary name="starver"/> <config kind="cpu"/> </start>
<start name="chatterer" priority="-2"> <binary name="starver"/> <config kind="log"/> </start>
"#;
/// Who says something then.
const TROUBLED: [&str; 5] = ["attacker", "eater", "hoarder", "sprinter", "chatterer"];
/// One that takes the processor for ever, with the priority of clients, above three others.
const ABOVE: &str = r#"
<start name="spinner" priority="-1"> <binary name="starver"/> <config kind="cpu"/> </start>
"#;
/// Those three.
const BELOW: [&str; 3] = ["init -> clock", "init -> crunch", "init -> memhog"];
/// When such a run is ended, in the system's own time: some of its components never rest.
const LONG_ENOUGH_NS: u64 = 700_000_000;

/// Beside hostile and starving components, all others say what they say without, but for those to whom priorities leave
/// no time.
fn trouble(context: &Context) -> Result<()> {
    let undisturbed = context.boot(&request(&DEFAULT, Emulator::Qemu)?)?;
    let undisturbed = checked(&DEFAULT, &Policy::DEFAULT, &undisturbed)?;
    for (started, heard, starved) in [(TROUBLE, &TROUBLED[..], &[][..]), (ABOVE, &[], &BELOW)] {
        let outcome = beside(context, started)?;
        let log = Log::new(outcome.serial());
        let (said, told) = (log.by_label(), String::from_utf8_lossy(outcome.serial()));
        ensure!(*outcome.end()? == End::Stopped(Stop::Time), "{:?}: {told}", outcome.end()?);
        for (label, lines) in undisturbed.iter().filter(|(label, _)| label.starts_with("init -> ")) {
            let due = if starved.contains(&label.as_str()) { &[][..] } else { lines };
            let now = said.get(label.as_str()).map_or(&[][..], Vec::as_slice);
            ensure!(now == due, "{label} says {now:?}, and not {due:?}: {told}");
        }
        for troubled in heard {
            let label = format!("init -> {troubled}");
            ensure!(said.contains_key(label.as_str()), "{label} has said nothing: {told}");
        }
    }
    Ok(())
}

/// The default scenario with further components, for a while.
fn beside(context: &Context, started: &str) -> Result<Outcome> {
    let config = fs::read_to_string(init::scenario(DEFAULT.name))?;
    let config = config.replace("\n</config>", &format!("{started}</config>"));
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("config");
    fs::write(&path, config)?;
    let mut request = request_of(path, Emulator::Qemu)?;
    if let System::Nova(system) = &mut request.system {
        system.run_for_ns = Some(LONG_ENOUGH_NS);
    }
    context.boot(&request)
}

/// Flips in all components, core and init among them, change nothing that anyone says, with a restart and with a vote.
fn flips(context: &Context) -> Result<()> {
    // One at each place where PEs end, or one less: a boot has not two of them in one PE.
    const FLIPS: u64 = 35;
    let policies = [Recovery::Restart, Recovery::Vote].map(|recovery| Policy { recovery, ..Policy::DEFAULT });
    let report = system::run(context.kernel(), system::COMPONENTS, &policies, (FLIPS, SEED), &|_| ())?;
    eprint!("{report}");
    ensure!(report.failures().is_empty(), "{}", report.failures().join("; "));
    let (hit, found) = report.counts();
    ensure!(found * 2 > hit && hit > FLIPS, "{hit} flips hit something, and {found} were found");
    Ok(())
}

/// What is wrong with a system of components is said in one line, with status 2, before anything boots.
fn bad_input(context: &Context) -> Result<()> {
    let cases: [(&[&str], &str); 5] = [
        (&["--config", "/no/such/config"], "/no/such/config: no such file"),
        (&["--module", "hello=/no/such/module"], "/no/such/module: no such file"),
        (&["--module", "config=/dev/null"], "--module config: --config names the configuration"),
        (&["--module", "a=/dev/null", "--module", "a=/dev/null"], "--module a: it is named twice"),
        (&["--stdin", "/dev/null"], "init: --stdin, --file and --env are for programs"),
    ];
    for (words, part) in cases {
        super::bad_input::refused(context, &[&["run", "init"], words].concat(), part, |_| ())?;
    }
    Ok(())
}

fn on_bochs(context: &Context, scenario: &Scenario) -> Result<()> {
    let request = request(scenario, Emulator::Bochs)?;
    let policy = Policy::DEFAULT;
    let outcome = context.boot(&Request { policy, ..request })?;
    checked(scenario, &policy, &outcome).map(|_| ())
}
