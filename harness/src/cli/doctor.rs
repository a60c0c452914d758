// SPDX-License-Identifier: MIT
//! The options of `doctor`.

use clap::Args;

use super::counter::CounterArgs;
use super::values::MachineName;
use crate::doctor;

/// `cargo reprise doctor`.
#[derive(Args, Debug)]
pub struct DoctorArgs {
    /// Boot, and print the self-checks of the counter that is taken, and why no better one was
    #[arg(long)]
    pub boot: bool,
    /// The emulator to boot
    #[arg(long, value_enum, default_value_t = MachineName::Qemu, requires = "boot")]
    pub machine: MachineName,
    /// What keeps the instruction limit
    #[command(flatten)]
    pub counter: CounterArgs,
}

impl TryFrom<DoctorArgs> for doctor::Options {
    type Error = &'static str;

    fn try_from(args: DoctorArgs) -> Result<Self, Self::Error> {
        let (counter, counter_faults) = args.counter.choice()?;
        if !args.boot && args.counter.counter.is_some() {
            return Err("--counter needs --boot");
        }
        let boot = doctor::Boot { machine: args.machine.into(), counter, counter_faults };
        Ok(Self { boot: args.boot.then_some(boot) })
    }
}
