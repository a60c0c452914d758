// SPDX-License-Identifier: MIT
//! The kernel that may leave parts of the engine out, under a name of its own: both lie in one target folder.

#![no_std]
#![no_main]

use kernel as _;
