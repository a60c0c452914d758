// SPDX-License-Identifier: MIT
//! A serial port that talks to itself: whether all bytes come back.

/// Offsets of the registers (16550 data sheet, table II).
const DATA: u16 = 0;
const INTERRUPTS: u16 = 1;
const FIFO: u16 = 2;
const MODEM: u16 = 4;
const LINE: u16 = 5;
/// The FIFOs are used, and emptied.
const FRESH: u8 = 0b111;
/// What is sent comes back.
const LOOP: u8 = 1 << 4;
/// A byte has come.
const READY: u8 = 1;
/// A byte can be sent.
const ROOM: u8 = 1 << 5;
/// How often the port is asked for a byte that has not come.
const PATIENCE: u32 = 100_000;

/// Registers of a serial port, by their offset.
pub trait Registers {
    /// Why a register cannot be accessed.
    type Error;

    /// Reads a register.
    ///
    /// # Errors
    /// It fails if the register cannot be accessed.
    fn read(&mut self, register: u16) -> Result<u8, Self::Error>;

    /// Writes a register.
    ///
    /// # Errors
    /// It fails if the register cannot be accessed.
    fn write(&mut self, register: u16, value: u8) -> Result<(), Self::Error>;
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All bytes came back.
    Whole,
    /// Another byte came than was sent, or none, after so many.
    Wrong(usize),
}

/// Sends bytes, one by one, and looks whether they come back. The port is as before then.
///
/// # Errors
/// It fails if a register cannot be accessed.
pub fn loop_back<R: Registers>(port: &mut R, bytes: impl Iterator<Item = u8>) -> Result<Outcome, R::Error> {
    let before = (port.read(INTERRUPTS)?, port.read(MODEM)?);
    port.write(INTERRUPTS, 0)?;
    port.write(FIFO, FRESH)?;
    port.write(MODEM, LOOP)?;
    let mut outcome = Outcome::Whole;
    for (sent, byte) in bytes.enumerate() {
        let came = wait(port, ROOM)? && {
            port.write(DATA, byte)?;
            wait(port, READY)?
        };
        if !came || port.read(DATA)? != byte {
            outcome = Outcome::Wrong(sent);
            break;
        }
    }
    port.write(MODEM, before.1)?;
    port.write(INTERRUPTS, before.0)?;
    Ok(outcome)
}

fn wait<R: Registers>(port: &mut R, state: u8) -> Result<bool, R::Error> {
    for _ in 0..PATIENCE {
        if port.read(LINE)? & state != 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;
    use core::convert::Infallible;

    use super::*;

    /// A port with room for one byte, which may damage what it carries.
    #[derive(Default)]
    struct Model {
        registers: [u8; 8],
        byte: Option<u8>,
        flips: u8,
        seen: Vec<u8>,
    }

    impl Registers for Model {
        type Error = Infallible;

        fn read(&mut self, register: u16) -> Result<u8, Infallible> {
            Ok(match register {
                DATA => self.byte.take().unwrap_or(0),
                LINE if self.byte.is_some() => READY,
                LINE => ROOM,
                _ => self.registers[usize::from(register)],
            })
        }

        fn write(&mut self, register: u16, value: u8) -> Result<(), Infallible> {
            if register == DATA {
                self.seen.push(value);
                let is_looped = self.registers[usize::from(MODEM)] & LOOP != 0;
                self.byte = is_looped.then_some(value ^ self.flips);
            }
            self.registers[usize::from(register)] = value;
            Ok(())
        }
    }

    #[test]
    fn all_bytes_come_back_and_the_port_is_as_before() {
        let mut port = Model::default();
        (port.registers[1], port.registers[4]) = (1, 3);
        assert_eq!(loop_back(&mut port, 0..=255), Ok(Outcome::Whole));
        assert_eq!(port.seen, (0..=255).collect::<Vec<_>>());
        assert_eq!((port.registers[1], port.registers[4]), (1, 3));
    }

    #[test]
    fn a_damaged_byte_and_a_silent_port_are_noticed() {
        let mut damaged = Model { flips: 1, ..Model::default() };
        assert_eq!(loop_back(&mut damaged, 0..=9), Ok(Outcome::Wrong(0)));
        struct Silent;
        impl Registers for Silent {
            type Error = Infallible;
            fn read(&mut self, _: u16) -> Result<u8, Infallible> {
                Ok(0)
            }
            fn write(&mut self, _: u16, _: u8) -> Result<(), Infallible> {
                Ok(())
            }
        }
        assert_eq!(loop_back(&mut Silent, 0..=9), Ok(Outcome::Wrong(0)));
    }
}
