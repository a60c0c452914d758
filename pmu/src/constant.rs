// SPDX-License-Identifier: MIT
//! A value that must come out the same every time.

/// What it came out as.
#[derive(Default)]
pub(crate) struct Constant {
    range: Option<(i64, i64)>,
    pub(crate) seen: u32,
}

impl Constant {
    pub(crate) fn add(&mut self, value: i64) {
        let (least, most) = self.range.unwrap_or((value, value));
        self.range = Some((least.min(value), most.max(value)));
        self.seen += 1;
    }

    /// The least and the most.
    pub(crate) fn range(&self) -> Option<(i64, i64)> {
        self.range
    }
}
