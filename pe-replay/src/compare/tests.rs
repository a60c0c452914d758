// SPDX-License-Identifier: MIT
//! One test for each compared field.
