// SPDX-License-Identifier: MIT
//! How interrupt lines are wired: which pin of which I/O APIC is which line, and how it interrupts.
//!
//! Lines 0 to 15 are those of the first PCs, by an edge to the high state; all others are taken for PCI's,
//! by a level, low. What the firmware's tables say otherwise goes before both.

use arrayvec::ArrayVec;

use super::acpi::madt::{MAX_IO_APICS, MAX_OVERRIDES, Madt, Override};
use super::line_set::LINES;

/// How a device says that it interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// By an edge.
    Edge,
    /// By a level, as long as it wants something.
    Level,
}

/// Which of a pin's two states says that a device wants something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// The high one.
    High,
    /// The low one.
    Low,
}

/// How a line interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wire {
    /// By what.
    pub trigger: Trigger,
    /// In which state.
    pub polarity: Polarity,
}

impl Wire {
    /// What is usual on the bus of the first PCs.
    pub const ISA: Self = Self { trigger: Trigger::Edge, polarity: Polarity::High };
    /// What is usual on PCI.
    pub const PCI: Self = Self { trigger: Trigger::Level, polarity: Polarity::Low };
}

/// Lines that are the first PCs'.
const ISA_LINES: u32 = 16;
/// The first PCs' line of their timer.
const TIMER: u8 = 0;

/// An input of an I/O APIC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Which I/O APIC, in the order of the firmware's table.
    pub io_apic: u8,
    /// Which of its inputs.
    pub input: u8,
}

/// An I/O APIC's lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inputs {
    /// The line of its first input.
    pub first: u32,
    /// How many inputs it has.
    pub count: u32,
}

/// All lines that have pins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wiring {
    inputs: ArrayVec<Inputs, MAX_IO_APICS>,
    overrides: ArrayVec<Override, MAX_OVERRIDES>,
    /// The line by which the firmware's own events come.
    events: Option<u16>,
}

impl Wiring {
    /// The wiring that the tables describe, with the I/O APICs' inputs as they themselves say; without a table, that of
    /// every PC, where the timer is at input 2.
    pub fn new(madt: Option<&Madt>, inputs: ArrayVec<Inputs, MAX_IO_APICS>, events: Option<u16>) -> Self {
        let mut overrides = ArrayVec::new();
        match madt {
            Some(madt) => overrides.clone_from(&madt.overrides),
            None => overrides.push(Override { source: TIMER, line: 2, trigger: None, polarity: None }),
        }
        Self { inputs, overrides, events }
    }

    /// The pin of a line, if it has one.
    pub fn pin(&self, line: u8) -> Option<Pin> {
        let line = u32::from(line);
        let at = self.inputs.iter().position(|it| line >= it.first && line - it.first < it.count)?;
        Some(Pin { io_apic: at as u8, input: (line - self.inputs[at].first) as u8 })
    }

    /// How a line interrupts if nobody says otherwise.
    pub fn wire(&self, line: u8) -> Wire {
        let events = self.events == Some(line.into());
        let usual = if u32::from(line) >= ISA_LINES || events { Wire::PCI } else { Wire::ISA };
        match self.overrides.iter().find(|it| it.line == u32::from(line)) {
            // What is not said there is as on the bus that is meant, which is that of the first PCs.
            Some(said) => Wire {
                trigger: said.trigger.unwrap_or(Wire::ISA.trigger),
                polarity: said.polarity.unwrap_or(Wire::ISA.polarity),
            },
            None => usual,
        }
    }

    /// The line of the first PCs' timer.
    pub fn timer(&self) -> u8 {
        let said = self.overrides.iter().find(|it| it.source == TIMER);
        said.and_then(|said| u8::try_from(said.line).ok()).filter(|line| *line < LINES).unwrap_or(TIMER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(of: &[(u32, u32)]) -> ArrayVec<Inputs, MAX_IO_APICS> {
        of.iter().map(|(first, count)| Inputs { first: *first, count: *count }).collect()
    }

    fn said(source: u8, line: u32, trigger: Option<Trigger>, polarity: Option<Polarity>) -> Override {
        Override { source, line, trigger, polarity }
    }

    #[test]
    fn lines_have_pins_of_the_io_apic_that_they_belong_to() {
        let wiring = Wiring::new(None, inputs(&[(0, 24), (24, 8)]), None);
        assert_eq!(wiring.pin(0), Some(Pin { io_apic: 0, input: 0 }));
        assert_eq!(wiring.pin(23), Some(Pin { io_apic: 0, input: 23 }));
        assert_eq!(wiring.pin(24), Some(Pin { io_apic: 1, input: 0 }));
        assert_eq!(wiring.pin(31), Some(Pin { io_apic: 1, input: 7 }));
        assert_eq!((wiring.pin(32), wiring.pin(191)), (None, None));
        // One that says nonsense has what it says, and nothing overflows.
        let wiring = Wiring::new(None, inputs(&[(u32::MAX, 120), (3, u32::MAX)]), None);
        assert_eq!(wiring.pin(2), None);
        assert_eq!(wiring.pin(191), Some(Pin { io_apic: 1, input: 188 }));
    }

    #[test]
    fn the_tables_go_before_what_is_usual() {
        let plain = Wiring::new(None, inputs(&[(0, 24)]), None);
        assert_eq!((plain.wire(4), plain.wire(15), plain.wire(16)), (Wire::ISA, Wire::ISA, Wire::PCI));
        assert_eq!(plain.timer(), 2);
        let mut madt = Madt::default();
        madt.overrides.push(said(0, 2, None, None));
        madt.overrides.push(said(9, 9, Some(Trigger::Level), Some(Polarity::High)));
        madt.overrides.push(said(5, 20, None, None));
        let wiring = Wiring::new(Some(&madt), inputs(&[(0, 24)]), Some(9));
        assert_eq!((wiring.timer(), wiring.wire(2)), (2, Wire::ISA));
        assert_eq!(wiring.wire(9), Wire { trigger: Trigger::Level, polarity: Polarity::High });
        // On the bus that is meant, an edge to the high state.
        assert_eq!((wiring.wire(20), wiring.wire(21)), (Wire::ISA, Wire::PCI));
        // The firmware's own line is PCI's unless it is said otherwise.
        assert_eq!(Wiring::new(None, inputs(&[(0, 24)]), Some(9)).wire(9), Wire::PCI);
        let mut madt = Madt::default();
        madt.overrides.push(said(0, 100_000, None, None));
        assert_eq!(Wiring::new(Some(&madt), inputs(&[(0, 24)]), None).timer(), 0);
    }
}
