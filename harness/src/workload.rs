// SPDX-License-Identifier: MIT
//! What is booted: kernels and programs, built or given, checked, and packed with all that a run asks for.

pub mod archive;
pub mod artifacts;
pub mod catalogue;
pub mod guest_files;
pub mod image;
pub mod init;
pub mod listing;
pub mod named;
pub mod nova;
pub mod program;
pub mod request;
pub mod symbols;
