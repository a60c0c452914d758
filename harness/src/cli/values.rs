// SPDX-License-Identifier: MIT
//! Values that several commands take, and how they are read.

use clap::{Args, ValueEnum};
use flips::Injection;

use crate::emulator::Emulator;
use crate::outcome::table::{Style, grouped};

/// The emulators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum MachineName {
    /// QEMU's TCG, counting instructions
    Qemu,
    /// Bochs, from a GRUB image
    Bochs,
}

impl From<MachineName> for Emulator {
    fn from(name: MachineName) -> Self {
        match name {
            MachineName::Qemu => Self::Qemu,
            MachineName::Bochs => Self::Bochs,
        }
    }
}

/// The longest timeout, in seconds: a week.
pub const MOST_SECONDS: u64 = 604_800;

/// Reads a processor's name: what may stand in a command line or a settings file without meaning anything else.
pub fn cpu(text: &str) -> Result<String, String> {
    let fits = |it: char| it.is_ascii_alphanumeric() || ",_-+=.".contains(it);
    if !text.is_empty() && text.chars().all(fits) {
        Ok(text.to_owned())
    } else {
        Err("expected a model's name, such as max or max,-avx2".into())
    }
}

/// How tables are printed.
#[derive(Args, Clone, Copy, Debug)]
pub struct StyleArgs {
    /// Print the tables as Markdown
    #[arg(long, conflicts_with = "latex")]
    pub markdown: bool,
    /// Print the tables for LaTeX
    #[arg(long)]
    pub latex: bool,
}

impl From<StyleArgs> for Style {
    fn from(args: StyleArgs) -> Self {
        match (args.markdown, args.latex) {
            (true, _) => Self::Markdown,
            (false, true) => Self::Latex,
            (false, false) => Self::Text,
        }
    }
}

/// Reads whole numbers in a range, also hexadecimal; the error for another text names the range.
pub fn number<T: TryFrom<u64>>(
    least: u64,
    most: u64,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| {
        let number = match text.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => text.parse(),
        };
        let number = number.ok().filter(|number| (least..=most).contains(number));
        let number = number.and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| format!("expected a number from {} to {}", grouped(least), grouped(most)))
    }
}

/// Reads a flip.
pub fn injection(text: &str) -> Result<Injection, String> {
    wire::injection::parse(text).map_err(|error| error.to_string())
}
