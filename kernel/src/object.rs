// SPDX-License-Identifier: MIT
//! What every personality is made of.

pub mod archive;
