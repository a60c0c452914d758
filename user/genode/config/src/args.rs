// SPDX-License-Identifier: MIT
//! Session arguments: `label="c1 -> x", ram_quota=8K, cap_quota=2`.
//!
//! The text comes from a client, which may write what it likes: a label that holds quotes or commas stays a label.

use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::{self, Display, Formatter};
use core::iter::Peekable;
use core::str::Chars;

use crate::bytes::Bytes;

/// A value of an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    /// What stood in quotes.
    Quoted(String),
    /// What stood there as it is.
    Bare(String),
}

/// The arguments of a session, in their order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Args(Vec<(String, Value)>);

/// A text is no list of arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl Args {
    /// Reads arguments.
    ///
    /// # Errors
    /// It fails if the text is no list of keys with values, or has a key twice.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let mut args = Self::default();
        let mut rest = text.chars().peekable();
        skip_blanks(&mut rest);
        while rest.peek().is_some() {
            let key = take(&mut rest, |char| char.is_ascii_alphanumeric() || char == '_');
            skip_blanks(&mut rest);
            if key.is_empty() || args.value(&key).is_some() || rest.next() != Some('=') {
                return Err(Malformed);
            }
            skip_blanks(&mut rest);
            let value = if rest.next_if_eq(&'"').is_some() {
                Value::Quoted(quoted(&mut rest)?)
            } else {
                bare(&mut rest)?
            };
            args.0.push((key, value));
            skip_blanks(&mut rest);
            match rest.next() {
                None => break,
                Some(',') => skip_blanks(&mut rest),
                Some(_) => return Err(Malformed),
            }
        }
        Ok(args)
    }

    fn value(&self, key: &str) -> Option<&Value> {
        self.0.iter().find(|(own, _)| own == key).map(|(_, value)| value)
    }

    fn set(&mut self, key: &str, value: Value) {
        match self.0.iter_mut().find(|(own, _)| own == key) {
            Some((_, own)) => *own = value,
            None => self.0.push((key.to_string(), value)),
        }
    }

    /// The text of an argument, quoted or not.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.value(key)? {
            Value::Quoted(text) | Value::Bare(text) => Some(text),
        }
    }

    /// The number in an argument, which may have a suffix of [`Bytes`]; nothing if it has none.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<u64> {
        self.text(key)?.parse().ok().map(|Bytes(number)| number)
    }

    /// The session's label, which is empty if there is none.
    #[must_use]
    pub fn label(&self) -> &str {
        self.text("label").unwrap_or_default()
    }

    /// Sets an argument to a quoted text.
    pub fn set_text(&mut self, key: &str, text: &str) {
        self.set(key, Value::Quoted(text.to_string()));
    }

    /// Sets an argument to a number.
    pub fn set_number(&mut self, key: &str, number: u64) {
        self.set(key, Value::Bare(number.to_string()));
    }

    /// Sets an argument to an amount of memory.
    pub fn set_bytes(&mut self, key: &str, amount: Bytes) {
        self.set(key, Value::Bare(amount.to_string()));
    }

    /// Takes an argument away.
    pub fn remove(&mut self, key: &str) {
        self.0.retain(|(own, _)| own != key);
    }
}

fn skip_blanks(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(char::is_ascii_whitespace).is_some() {}
}

fn take(rest: &mut Peekable<Chars<'_>>, belongs: impl Fn(char) -> bool) -> String {
    let mut taken = String::new();
    while let Some(char) = rest.next_if(|&char| belongs(char)) {
        taken.push(char);
    }
    taken
}

fn bare(rest: &mut Peekable<Chars<'_>>) -> Result<Value, Malformed> {
    let text = take(rest, |char| char.is_ascii_graphic() && !matches!(char, ',' | '"' | '='));
    if text.is_empty() { Err(Malformed) } else { Ok(Value::Bare(text)) }
}

/// Reads a text up to the quote that ends it; a backslash takes its meaning from what follows.
fn quoted(rest: &mut Peekable<Chars<'_>>) -> Result<String, Malformed> {
    let mut text = String::new();
    loop {
        match rest.next().ok_or(Malformed)? {
            '"' => return Ok(text),
            '\\' => text.push(rest.next().ok_or(Malformed)?),
            char => text.push(char),
        }
    }
}

impl Display for Args {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for (index, (key, value)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            match value {
                Value::Quoted(text) => {
                    let text = text.replace('\\', "\\\\").replace('"', "\\\"");
                    write!(out, "{comma}{key}=\"{text}\"")?;
                }
                Value::Bare(text) => write!(out, "{comma}{key}={text}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::{Args, Bytes, Malformed};

    #[test]
    fn arguments_are_found_by_their_keys() {
        let args = Args::parse(r#"label="c1 -> x", ram_quota=8K, cap_quota=2 , base=0xfed00000"#).unwrap();
        assert_eq!(args.label(), "c1 -> x");
        assert_eq!(args.number("ram_quota"), Some(8192));
        assert_eq!(args.number("cap_quota"), Some(2));
        assert_eq!(args.number("base"), Some(0xfed0_0000));
        assert_eq!(args.number("label"), None);
        assert_eq!(args.text("quota"), None);
    }

    #[test]
    fn a_label_holds_whatever_it_likes() {
        let mut args = Args::default();
        args.set_text("label", r#"a", ram_quota=1G, x="\"#);
        args.set_bytes("ram_quota", Bytes(4096));
        let again = Args::parse(&args.to_string()).unwrap();
        assert_eq!(again, args);
        assert_eq!(again.number("ram_quota"), Some(4096));
    }

    #[test]
    fn arguments_are_replaced_where_they_stand() {
        let mut args = Args::parse(r#"ram_quota=192K, label="a", managing_system=yes"#).unwrap();
        args.set_text("label", "b -> a");
        args.remove("managing_system");
        args.set_number("priority", 49152);
        assert_eq!(args.to_string(), r#"ram_quota=192K, label="b -> a", priority=49152"#);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in [
            "a", "a=", "=1", "a=1 b=2", "a=\"", "a=\"\\", "a=1,,b=2", "a=1, a=2", "a==1", "a b=1", "\u{e9}=1",
        ] {
            assert_eq!(Args::parse(text), Err(Malformed), "{text}");
        }
    }

    #[test]
    fn nothing_and_a_comma_at_the_end_are_lists() {
        assert_eq!(Args::parse(""), Ok(Args::default()));
        assert_eq!(Args::parse(" a=1, ").unwrap().number("a"), Some(1));
    }
}
