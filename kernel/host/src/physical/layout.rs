// SPDX-License-Identifier: MIT
//! Stands in for `kernel/src/mem/layout.rs`: there is no kernel image.

use super::frame::{self, OutOfFrames};
use super::tables::KernelHalf;
use super::{phys, translations};
use crate::arch::boot::Region;

/// A kernel's half in which nothing is mapped; its table becomes the current one.
pub fn init() -> Result<KernelHalf, OutOfFrames> {
    let root = frame::allocate()?;
    phys::clear(root);
    translations::switch_to(root);
    Ok(KernelHalf::new(root))
}

/// Where the boot code and the image lie.
pub fn boot_and_image() -> Region {
    image()
}

/// Where the image lies: one page, so that no frame has the number 0.
pub fn image() -> Region {
    Region { start: 0, end: 4096 }
}
