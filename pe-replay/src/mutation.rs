// SPDX-License-Identifier: MIT
//! Parts of the engine that a test leaves out to show that they are needed.

use serde::{Deserialize, Serialize};

use crate::difference::Field;

/// A part of the engine that is left out on purpose. Kernels that are not built with the
/// feature `mutants` refuse to boot with one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mutation {
    /// Run 2 is not executed; run 1's result is taken twice.
    SkipSecondRun,
    /// The comparison ignores one field.
    Drop(Field),
}
