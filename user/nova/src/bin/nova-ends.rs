// SPDX-License-Identifier: MIT
//! A root task whose processing elements end in every way, few of each in a round, each round with a line of its own.
#![no_std]
#![no_main]

nova_rt::entry!(nova_programs::rounds::run);
