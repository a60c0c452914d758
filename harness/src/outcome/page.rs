// SPDX-License-Identifier: MIT
//! What all pages have in common: each is one file that needs no other one and no network, and they look alike.

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment};

/// How all pages look.
const STYLE: &str = include_str!("page/base.css");

/// What templates are rendered in: all text that they are given stays text.
pub fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment
}

/// The style of a page that has something of its own.
pub fn style(own: &str) -> Value {
    Value::from_safe_string(format!("{STYLE}{own}"))
}
