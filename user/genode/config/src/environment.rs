// SPDX-License-Identifier: MIT
//! What is said when a child does not get a session of its environment.

use alloc::format;

use crate::message::Message;

/// No route leads to a server of the session.
#[must_use]
pub fn without_route(child: &str, service: &str, label: &str) -> Message {
    Message::error(format!("{child}: {service} environment session denied (label=\"{label}\")"))
}

/// The server refuses the session with these arguments.
#[must_use]
pub fn refused(child: &str, service: &str, args: &str) -> Message {
    Message::error(format!("{child}: environment {service} session denied ({args})"))
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::{refused, without_route};

    #[test]
    fn who_refused_a_session_is_told_apart() {
        assert_eq!(
            without_route("a", "LOG", "a").to_string(),
            "Error: a: LOG environment session denied (label=\"a\")"
        );
        assert_eq!(
            refused("ghost", "ROM", "label=\"ghost\", ram_quota=6K").to_string(),
            "Error: ghost: environment ROM session denied (label=\"ghost\", ram_quota=6K)"
        );
    }
}
