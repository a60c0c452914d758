// SPDX-License-Identifier: MIT
//! Priorities: the levels of an init divide the band that its own parent gave it.
//!
//! In a configuration 0 is the highest priority and the others are negative. In session arguments a priority is a
//! number from 0, the highest, to below [`LIMIT`]; each init squeezes what its children ask for into the band of the
//! child's level, so that no child of a lower level comes before one of a higher level, however deep they stand.

use alloc::format;

use crate::message::Message;

/// The number of priorities that session arguments know.
pub const LIMIT: u32 = 1 << 16;

/// The number of levels of an init: a power of two, or 1 if there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels(u32);

impl Default for Levels {
    fn default() -> Self {
        Self(1)
    }
}

impl Levels {
    /// The levels of a configuration, and what is to be said about them.
    #[must_use]
    pub fn new(count: u32) -> (Self, Option<Message>) {
        match count {
            0 => (Self::default(), None),
            _ if count.is_power_of_two() && count <= LIMIT => (Self(count), None),
            _ => {
                let text = "prio levels is not power of two, priorities are disabled";
                (Self::default(), Some(Message::warning(text.into())))
            }
        }
    }

    /// The level of a child, counted downwards from 0, and what is to be said about it.
    #[must_use]
    pub fn level(self, child: &str, priority: i64) -> (u32, Option<Message>) {
        let level = priority.checked_neg().and_then(|level| u32::try_from(level).ok());
        if let Some(level) = level.filter(|&level| level < self.0) {
            return (level, None);
        }
        let nearest = if priority > 0 { 0 } else { self.0 - 1 };
        let text = format!("{child}: invalid priority, upgrading from {priority} to {}", -i64::from(nearest));
        (nearest, Some(Message::warning(text)))
    }

    /// The priority that a child of a level has to its init's parent when it asks for one itself.
    #[must_use]
    pub fn squeezed(self, level: u32, asked: u32) -> u32 {
        let band = LIMIT / self.0;
        level.min(self.0 - 1) * band + asked.min(LIMIT - 1) / self.0
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::{LIMIT, Levels};

    fn levels(count: u32) -> Levels {
        Levels::new(count).0
    }

    #[test]
    fn levels_are_a_power_of_two() {
        for good in [0, 1, 2, 4, 128, LIMIT] {
            assert_eq!(Levels::new(good).1, None, "{good}");
        }
        for bad in [3, 6, LIMIT * 2, u32::MAX] {
            let (levels, said) = Levels::new(bad);
            assert_eq!(levels, Levels::default());
            assert_eq!(
                said.unwrap().to_string(),
                "Warning: prio levels is not power of two, priorities are disabled"
            );
        }
    }

    #[test]
    fn a_priority_without_a_level_becomes_the_nearest_one() {
        let four = levels(4);
        assert_eq!(four.level("late", -2), (2, None));
        assert_eq!(four.level("timer", 0), (0, None));
        for (priority, level, text) in [
            (-9, 3, "Warning: odd: invalid priority, upgrading from -9 to -3"),
            (-4, 3, "Warning: odd: invalid priority, upgrading from -4 to -3"),
            (2, 0, "Warning: odd: invalid priority, upgrading from 2 to 0"),
            (i64::MIN, 3, "Warning: odd: invalid priority, upgrading from -9223372036854775808 to -3"),
        ] {
            let (own, said) = four.level("odd", priority);
            assert_eq!((own, said.unwrap().to_string().as_str()), (level, text));
        }
        let (level, said) = Levels::default().level("a", -1);
        assert_eq!(level, 0);
        assert_eq!(said.unwrap().to_string(), "Warning: a: invalid priority, upgrading from -1 to 0");
    }

    #[test]
    fn the_band_of_a_level_lies_below_those_above_at_every_depth() {
        let (outer, inner) = (levels(4), levels(2));
        let at = |level, deep| outer.squeezed(level, inner.squeezed(deep, 0));
        assert_eq!(at(0, 0), 0);
        assert!(at(0, 1) < at(1, 0) && at(1, 0) < at(1, 1) && at(3, 1) < LIMIT);
        assert_eq!(outer.squeezed(9, u32::MAX), LIMIT - 1);
        assert_eq!(Levels::default().squeezed(0, 77), 77);
    }
}
