// SPDX-License-Identifier: MIT
//! What all pages have in common: each is one file that needs no other one and no network, and they look alike.

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, Error, context};

/// How all pages begin.
const HEAD: &str = include_str!("page/head.html");
/// How all pages look.
const STYLE: &str = include_str!("page/base.css");

/// What templates are rendered in: all text that they are given stays text.
pub fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment
}

/// How a page begins that has this title, and something of its own in its style.
pub fn head(title: &str, own: &str) -> Result<Value, Error> {
    let style = Value::from_safe_string(format!("{STYLE}{own}"));
    Ok(Value::from_safe_string(environment().render_named_str("head", HEAD, context! { title, style })?))
}
