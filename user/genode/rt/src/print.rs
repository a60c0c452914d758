// SPDX-License-Identifier: MIT
//! Output of lines, by the LOG session.

use core::fmt::{self, Write};

use crate::Env;
use crate::services::Line;

/// Lines on their way to the session, as much at once as it takes.
struct Output(Line);

impl Output {
    fn flush(&mut self) {
        if !self.0.is_empty() {
            let _ = Env::get().log.write(self.0);
            self.0.clear();
        }
    }
}

impl Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for letter in text.chars() {
            if self.0.try_push(letter).is_err() {
                self.flush();
                self.0.push(letter);
            }
        }
        Ok(())
    }
}

/// Prints text.
pub fn print(text: fmt::Arguments<'_>) {
    let mut output = Output(Line::new());
    let _ = output.write_fmt(text);
    output.flush();
}

/// Prints a line.
#[macro_export]
macro_rules! log {
    ($($text:tt)*) => { $crate::print::print(format_args!("{}\n", format_args!($($text)*))) };
}

/// Prints a warning.
#[macro_export]
macro_rules! warning {
    ($($text:tt)*) => { $crate::print::print(format_args!("Warning: {}\n", format_args!($($text)*))) };
}

/// Prints an error.
#[macro_export]
macro_rules! error {
    ($($text:tt)*) => { $crate::print::print(format_args!("Error: {}\n", format_args!($($text)*))) };
}
