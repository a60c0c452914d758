// SPDX-License-Identifier: MIT
//! What is said about a configuration, as values: who evaluates it prints them.

use alloc::string::String;
use core::fmt::{self, Display, Formatter};

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// It is dealt with.
    Warning,
    /// Something that was asked for is not done.
    Error,
}

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// How bad it is.
    pub level: Level,
    /// The line, without what says how bad it is.
    pub text: String,
}

impl Message {
    /// A warning.
    #[must_use]
    pub const fn warning(text: String) -> Self {
        Self { level: Level::Warning, text }
    }

    /// An error.
    #[must_use]
    pub const fn error(text: String) -> Self {
        Self { level: Level::Error, text }
    }
}

impl Display for Message {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Warning => "Warning",
            Level::Error => "Error",
        };
        write!(out, "{level}: {}", self.text)
    }
}
