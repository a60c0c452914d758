// SPDX-License-Identifier: MIT
//! The kernel.
#![no_std]
#![no_main]
