// SPDX-License-Identifier: MIT
//! The option that says when the kernel is taken out of the user's page tables.

use clap::ValueEnum;
use wire::isolation::Isolate;

/// A value of `--isolate`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum IsolateName {
    /// Where user mode is found to reach the kernel's memory, as on QEMU before 9.1
    #[default]
    Auto,
    /// On every machine
    Always,
    /// On no machine
    Never,
}

impl From<IsolateName> for Isolate {
    fn from(name: IsolateName) -> Self {
        match name {
            IsolateName::Auto => Self::Auto,
            IsolateName::Always => Self::Always,
            IsolateName::Never => Self::Never,
        }
    }
}
