// SPDX-License-Identifier: MIT
//! Stands in for `kernel/src/mem/page_cache.rs`: content that lasts, without a cache.

/// The content of a page: zeros, but for some bytes that last.
#[derive(Clone, Copy)]
pub struct Lasting {
    pub bytes: &'static [u8],
    pub offset: usize,
}

impl Lasting {
    /// The page that has `bytes` at `offset`.
    pub fn new(bytes: &'static [u8], offset: usize) -> Self {
        Self { bytes, offset }
    }
}
