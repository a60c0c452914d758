// SPDX-License-Identifier: MIT
//! The wire formats, byte for byte: a golden array for each variant, unknown
//! versions and every truncation refused, and the size bounds.
//!
//! A golden that has to change means that [`VERSION`](wire::VERSION) has to.

mod samples;

mod bound;
mod brief;
mod channel;
mod digest;
mod digests;
mod goldens;
mod largest;
mod refused;
