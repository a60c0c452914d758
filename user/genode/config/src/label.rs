// SPDX-License-Identifier: MIT
//! Session labels: names separated by ` -> `, from the outermost component to what it asks for.

use alloc::format;
use alloc::string::{String, ToString};

/// What stands between two elements of a label.
pub const SEPARATOR: &str = " -> ";

/// The last element of a label.
#[must_use]
pub fn last(label: &str) -> &str {
    split(label).1
}

/// A label without its last element, and that element; the first is empty if there is but one.
#[must_use]
pub fn split(label: &str) -> (&str, &str) {
    label.rsplit_once(SEPARATOR).unwrap_or(("", label))
}

/// A label below another one; without the one above, the label itself.
#[must_use]
pub fn join(above: &str, label: &str) -> String {
    if above.is_empty() { label.to_string() } else { under(above, label) }
}

/// The label of a session that a component opens itself, with the component's name in front.
#[must_use]
pub fn under(name: &str, label: &str) -> String {
    format!("{name}{SEPARATOR}{label}")
}

/// What a component itself asked for; nothing if the label is one of its environment.
#[must_use]
pub fn scoped<'a>(label: &'a str, name: &str) -> Option<&'a str> {
    label.strip_prefix(name)?.strip_prefix(SEPARATOR)
}

/// How the target of a route changes the label that its server sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rewrite {
    /// What replaces the whole label.
    pub label: Option<String>,
    /// What replaces all but the last element.
    pub identity: Option<String>,
    /// What replaces the last element.
    pub resource: Option<String>,
    /// What is put before the last element.
    pub prepend: String,
}

impl Rewrite {
    /// The label that the server sees.
    #[must_use]
    pub fn apply(&self, label: &str) -> String {
        if let Some(whole) = &self.label {
            return whole.clone();
        }
        let (front, last) = split(label);
        let front = self.identity.as_deref().unwrap_or(front);
        let last = self.resource.as_deref().unwrap_or(last);
        join(front, &format!("{}{last}", self.prepend))
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};

    use super::{Rewrite, join, last, scoped, split, under};

    fn some(text: &str) -> Option<String> {
        Some(text.to_string())
    }

    #[test]
    fn labels_come_apart_at_their_last_separator() {
        assert_eq!(split("c3 -> y -> z"), ("c3 -> y", "z"));
        assert_eq!(split("c3"), ("", "c3"));
        assert_eq!(last("c3 -> "), "");
        assert_eq!(split(""), ("", ""));
    }

    #[test]
    fn an_own_session_has_its_component_in_front_even_without_a_label() {
        assert_eq!(under("c3", ""), "c3 -> ");
        assert_eq!(scoped("c3 -> ", "c3"), Some(""));
        assert_eq!(scoped("c3 -> y -> z", "c3"), Some("y -> z"));
        assert_eq!(scoped("c3", "c3"), None);
        assert_eq!(scoped("c30 -> x", "c3"), None);
    }

    #[test]
    fn nothing_above_leaves_a_label_alone() {
        assert_eq!(join("", "a"), "a");
        assert_eq!(join("b", "a"), "b -> a");
    }

    #[test]
    fn a_new_label_beats_new_parts_of_it() {
        let both = Rewrite { label: some("forced"), identity: some("who"), ..Rewrite::default() };
        assert_eq!(both.apply("c3 -> x"), "forced");
    }

    #[test]
    fn parts_are_replaced_on_their_own() {
        let parts = Rewrite {
            identity: some("who"),
            resource: some("what"),
            prepend: "/d/".to_string(),
            ..Rewrite::default()
        };
        assert_eq!(parts.apply("c3 -> y -> z"), "who -> /d/what");
        let prepended = Rewrite { prepend: "/d/".to_string(), ..Rewrite::default() };
        assert_eq!(prepended.apply("c3 -> y -> z"), "c3 -> y -> /d/z");
        let nobody = Rewrite { identity: some(""), ..Rewrite::default() };
        assert_eq!(nobody.apply("c3 -> y -> z"), "z");
        assert_eq!(Rewrite::default().apply("c3 -> y"), "c3 -> y");
    }
}
