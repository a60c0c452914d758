// SPDX-License-Identifier: MIT
//! A bias, which must come out the same every time.

use super::report::Measured;

/// What is larger is no bias, but a counter that does not count from where it was
/// set.
const LARGEST_BIAS: i64 = 1_000;

/// What a bias came out as.
#[derive(Default)]
pub(super) struct Constant {
    range: Option<(i64, i64)>,
    pub(super) seen: u32,
}

impl Constant {
    pub(super) fn add(&mut self, value: i64) {
        let (least, most) = self.range.unwrap_or((value, value));
        self.range = Some((least.min(value), most.max(value)));
        self.seen += 1;
    }

    /// The one value, if it was one.
    pub(super) fn value(&self) -> Result<i64, Measured> {
        let (least, most) = self.range.ok_or(Measured::NoEnd)?;
        let is_bias = least == most && least.abs() <= LARGEST_BIAS;
        if is_bias { Ok(least) } else { Err(Measured::Spread { least, most }) }
    }
}
