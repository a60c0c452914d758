// SPDX-License-Identifier: MIT
//! The kernel that may leave parts of the engine out and that has counters in software, under a name of its
//! own: both kernels lie in one target folder.

#![no_std]
#![no_main]

use kernel as _;
