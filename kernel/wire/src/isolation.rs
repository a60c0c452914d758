// SPDX-License-Identifier: MIT
//! Whether the kernel is out of the user's page tables.

use core::fmt;

use serde::{Deserialize, Serialize};

/// When the kernel is taken out of the user's page tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Isolate {
    /// Where user mode is found to reach the kernel's memory.
    #[default]
    Auto,
    /// On every machine.
    Always,
    /// On no machine.
    Never,
}

/// By which instructions user mode reached the kernel's memory, as tried at boot. On a processor there are none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// A far return takes what is there for where to return to.
    pub far_return: bool,
    /// IRET takes what is there for where to return to.
    pub interrupt_return: bool,
    /// A far call writes there where it comes from.
    pub far_call: bool,
}

impl Reach {
    /// Whether any did.
    pub fn any(self) -> bool {
        self.far_return || self.interrupt_return || self.far_call
    }
}

/// As text: `user mode does not reach the kernel's memory`.
impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.any() {
            return f.write_str("user mode does not reach the kernel's memory");
        }
        f.write_str("user mode reaches the kernel's memory by")?;
        let ways =
            [(self.far_return, "far return"), (self.interrupt_return, "IRET"), (self.far_call, "far call")];
        let mut comma = "";
        for (_, name) in ways.into_iter().filter(|(works, _)| *works) {
            write!(f, "{comma} {name}")?;
            comma = ",";
        }
        Ok(())
    }
}
