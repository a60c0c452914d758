// SPDX-License-Identifier: MIT
//! pmu
#![no_std]
