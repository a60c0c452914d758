// SPDX-License-Identifier: MIT
//! Programs one after the other: whatever one does, the kernel goes on to the next.

use wire::config::{Config, entry};
use wire::end::{End, EndRecord, Refusal};
use wire::record::{ProgramRecord, Record};
use wire::task::Task;

use crate::arch::channel;
use crate::linux::Linux;
use crate::object::archive::Archive;
use crate::replay::Platform;
use crate::run;

/// Runs the archive's list of programs; each end is recorded.
pub fn run(config: &Config, archive: &Archive<'static>, platform: &Platform) -> End {
    let mut programs = 0;
    let mut tasks = archive.find(entry::TASKS);
    for arguments in list(archive.find(entry::BATCH).unwrap_or_default()) {
        let task = match &mut tasks {
            Some(rest) => match Task::take(rest) {
                Ok((task, behind)) => {
                    *rest = behind;
                    task
                }
                Err(error) => panic!("task {programs} of the batch is unusable: {error}"),
            },
            None => Task::of(config),
        };
        let end = match one(config, archive, platform, arguments, task) {
            Ok(end) => end,
            Err(refusal) => run::ended(End::Refused(refusal)),
        };
        programs += 1;
        channel::record(&Record::Program(ProgramRecord { end, output_end: channel::output_len() }));
    }
    if channel::lost_records() > 0 {
        panic!("the trace stream is too small for the batch");
    }
    End::Batch { programs }
}

fn one(
    config: &Config,
    archive: &Archive<'static>,
    platform: &Platform,
    arguments: &'static [u8],
    task: Task,
) -> Result<EndRecord, Refusal> {
    let name = arguments.split(|byte| *byte == 0).next().unwrap_or_default();
    let name = core::str::from_utf8(name).map_err(|_| Refusal::NoProgram)?;
    let program = archive.program(name).ok_or(Refusal::NoProgram)?;
    assert!(task.policy.limit <= config.policy.limit, "a task's limit is above that which was checked");
    let config = Config { policy: task.policy, injections: task.injections, ..config.clone() };
    let archive = archive.with_program(program, arguments);
    run::execute::<Linux>(&config, &archive, platform, task.trace, task.max_instructions)
}

/// Splits a list into the arguments of each program: up to each empty string.
fn list(bytes: &'static [u8]) -> impl Iterator<Item = &'static [u8]> {
    let mut rest = bytes;
    core::iter::from_fn(move || {
        let end = rest.windows(2).position(|pair| pair == [0, 0])?;
        let (arguments, behind) = rest.split_at(end + 1);
        rest = &behind[1..];
        Some(arguments)
    })
}
