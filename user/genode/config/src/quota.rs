// SPDX-License-Identifier: MIT
//! Quotas: what a child is given of what its init has.

use alloc::format;
use alloc::vec::Vec;

use crate::bytes::Bytes;
use crate::message::Message;

/// Memory and capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// The memory.
    pub ram: Bytes,
    /// The number of capabilities.
    pub caps: u64,
}

/// What of a child's quota its environment takes: its sessions, and its init's objects for it.
pub const ENVIRONMENT: Quota = Quota { ram: Bytes::kib(248), caps: 28 + 6 };

/// What an init keeps for itself unless told otherwise.
pub const PRESERVED: Quota = Quota { ram: Bytes::kib(320), caps: 20 };

impl Quota {
    /// Both together, or as much as can be counted.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        let ram = Bytes(self.ram.0.saturating_add(other.ram.0));
        Self { ram, caps: self.caps.saturating_add(other.caps) }
    }

    /// What is left when another quota is taken away, of each at least nothing.
    #[must_use]
    pub const fn less(self, other: Self) -> Self {
        Self { ram: self.ram.less(other.ram), caps: self.caps.saturating_sub(other.caps) }
    }

    /// What a child can use of the quota that is configured for it, and what is to be said if that is nothing.
    #[must_use]
    pub fn usable(self, child: &str) -> (Self, Vec<Message>) {
        let usable = self.less(ENVIRONMENT);
        let mut said = Vec::new();
        if usable.ram == Bytes(0) {
            said.push(Message::warning(format!("{child}: no valid RAM quota defined")));
        }
        if usable.caps == 0 {
            said.push(Message::warning(format!("{child}: no valid capability quota defined")));
        }
        (usable, said)
    }

    /// What of a usable quota a child gets if this much is available to all children: all of it, or the rest.
    #[must_use]
    pub fn share(self, child: &str, usable: Self) -> (Self, Vec<Message>) {
        let rest = self.less(ENVIRONMENT);
        let mut given = usable;
        let mut said = Vec::new();
        if usable.ram > rest.ram {
            given.ram = rest.ram;
            said.push(Message::warning(format!(
                "{child}: configured RAM exceeds available RAM, proceed with {}",
                rest.ram
            )));
        }
        if usable.caps > rest.caps {
            given.caps = rest.caps;
            said.push(Message::warning(format!(
                "{child}: configured caps exceed available caps, proceed with {}",
                rest.caps
            )));
        }
        (given, said)
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    use super::{Bytes, Message, PRESERVED, Quota};

    fn texts(said: &[Message]) -> Vec<String> {
        said.iter().map(ToString::to_string).collect()
    }

    const fn quota(kib: u64, caps: u64) -> Quota {
        Quota { ram: Bytes::kib(kib), caps }
    }

    #[test]
    fn the_environment_is_paid_from_the_configured_quota() {
        assert_eq!(quota(2048, 100).usable("hello"), (quota(1800, 66), Vec::new()));
    }

    #[test]
    fn a_quota_that_only_pays_the_environment_is_none() {
        let (usable, said) = quota(248, 34).usable("a");
        assert_eq!(usable, Quota::default());
        assert_eq!(
            texts(&said),
            ["Warning: a: no valid RAM quota defined", "Warning: a: no valid capability quota defined"]
        );
        let (_, said) = quota(4096, 20).usable("a");
        assert_eq!(texts(&said), ["Warning: a: no valid capability quota defined"]);
    }

    #[test]
    fn the_last_child_gets_the_rest() {
        let available = quota(8192, 200).less(PRESERVED);
        assert_eq!(available.share("a", quota(1800, 66)), (quota(1800, 66), Vec::new()));
        let (given, said) = available.share("g", quota(8 << 20, 1000));
        assert_eq!(given, quota(8192 - 320 - 248, 200 - 20 - 34));
        assert_eq!(
            texts(&said),
            [
                "Warning: g: configured RAM exceeds available RAM, proceed with 7624K",
                "Warning: g: configured caps exceed available caps, proceed with 146",
            ]
        );
        let (nothing, said) = quota(100, 10).share("next", quota(1800, 66));
        assert_eq!(nothing, Quota::default());
        assert_eq!(said.len(), 2);
    }
}
