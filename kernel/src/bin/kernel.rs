// SPDX-License-Identifier: MIT
//! The kernel as it boots; all of it is in the library.

#![no_std]
#![no_main]

use kernel as _;
