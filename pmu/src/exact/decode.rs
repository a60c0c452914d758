// SPDX-License-Identifier: MIT
//! What has to be known of an instruction to stop before or after it.

/// An instruction, as far as stopping goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Instruction {
    /// Address of the one behind it.
    pub next: u64,
    /// A REP string instruction that counts in RCX. One with a 32-bit address size
    /// counts in ECX and is none.
    pub repeats: bool,
    /// CMPS or SCAS under a REP: it also ends when ZF has this value.
    pub ends_on: Option<bool>,
    /// A single step over it takes the next instruction along: MOV SS and POP SS on
    /// processors (Intel SDM vol. 3B, 19.3.1.4), PAUSE under QEMU.
    pub holds_debug_back: bool,
    /// It stores RFLAGS where user code sees them (PUSHF, SYSCALL), or is a debug
    /// exception of its own (INT1): the trap flag would show.
    pub shows_trap: bool,
    /// It loads RFLAGS (POPF, IRET): the trap flag is the user's own afterwards.
    pub loads_flags: bool,
}

impl Instruction {
    /// Nothing special, with `next` behind it.
    pub fn plain(next: u64) -> Self {
        Self { next, ..Self::default() }
    }
}

/// Decodes instructions; the crate has no decoder of its own.
pub trait Decoder {
    /// The instruction at an address in user space; one that cannot be read is
    /// nothing special. Of those that are not, [`Instruction::next`] need not be true.
    fn decode(&mut self, rip: u64) -> Instruction;
}

/// How to execute one instruction, and nothing that user code could see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Single {
    /// Under the trap flag.
    Trap,
    /// Freely, up to a breakpoint there. It may be two instructions.
    Around {
        /// The address of the breakpoint.
        next: u64,
    },
}

/// How to execute the instruction at `rip`.
pub fn single(rip: u64, decoder: &mut dyn Decoder) -> Single {
    let here = decoder.decode(rip);
    if here.shows_trap {
        return Single::Around { next: here.next };
    }
    if here.holds_debug_back {
        let behind = decoder.decode(here.next);
        if behind.shows_trap {
            return Single::Around { next: behind.next };
        }
    }
    Single::Trap
}
