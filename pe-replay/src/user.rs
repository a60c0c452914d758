// SPDX-License-Identifier: MIT
//! The registers of user mode, and their normal form.
//!
//! [`UserRegisters`] is laid out for the kernel's entry code: the extended state first
//! (XSAVE wants 64-byte alignment), then what is saved by hand, last the frame
//! that the processor itself pushes. Decision 0001 holds the table of what the
//! normal form changes; this file is that table's only implementation.

use zerocopy::IntoBytes;

use crate::difference::Field;
use crate::registers::RegisterSet;

/// XSAVE components that are switched: x87, SSE, AVX (Intel SDM vol. 1, 13.1).
pub const XCR0: u64 = X87 | SSE | AVX;
const X87: u64 = 1 << 0;
const SSE: u64 = 1 << 1;
const AVX: u64 = 1 << 2;

/// RFLAGS.ZF, zero flag.
pub const ZERO_FLAG: u64 = 1 << 6;
/// RFLAGS.TF, trap flag.
pub const TRAP_FLAG: u64 = 1 << 8;
/// RFLAGS.IF, interrupt flag.
pub const INTERRUPT_FLAG: u64 = 1 << 9;
/// RFLAGS.RF, resume flag.
pub const RESUME_FLAG: u64 = 1 << 16;
/// The flags that belong to the user: CF PF AF ZF SF TF DF OF NT AC ID.
/// RF is the processor's, IF, IOPL, VM, VIF and VIP are the kernel's.
pub const USER_FLAGS: u64 =
    1 << 0 | 1 << 2 | 1 << 4 | 1 << 6 | 1 << 7 | TRAP_FLAG | 1 << 10 | 1 << 11 | 1 << 14 | 1 << 18 | 1 << 21;

/// The requested privilege level in a selector.
const REQUESTED_PRIVILEGE: u16 = 3;

/// Byte offsets in the standard-format XSAVE area (Intel SDM vol. 1, 13.4).
pub mod xsave {
    /// x87 control word, 2 bytes.
    pub const FCW: usize = 0;
    /// x87 status word, 2 bytes.
    pub const FSW: usize = 2;
    /// Abridged x87 tag word, 1 byte; the next byte is reserved.
    pub const FTW: usize = 4;
    /// x87 last opcode, 2 bytes.
    pub const FOP: usize = 6;
    /// x87 last instruction pointer, 8 bytes.
    pub const FIP: usize = 8;
    /// x87 last data pointer, 8 bytes.
    pub const FDP: usize = 16;
    /// MXCSR, 4 bytes.
    pub const MXCSR: usize = 24;
    /// What MXCSR bits exist, 4 bytes; not state.
    pub const MXCSR_MASK: usize = 28;
    /// ST0 to ST7: 10 bytes every 16.
    pub const ST: usize = 32;
    /// XMM0 to XMM15: 16 bytes each.
    pub const XMM: usize = 160;
    /// Reserved up to the header.
    pub const RESERVED: usize = 416;
    /// XSTATE_BV, 8 bytes, then XCOMP_BV and reserved bytes.
    pub const HEADER: usize = 512;
    /// Upper halves of YMM0 to YMM15: 16 bytes each. Every processor with AVX puts them here.
    pub const YMM: usize = 576;
    /// Length of the area for x87, SSE and AVX.
    pub const LEN: usize = 832;
}

/// FCW after FNINIT.
const INITIAL_FCW: [u8; 2] = 0x37fu16.to_le_bytes();
/// MXCSR after reset.
const INITIAL_MXCSR: [u8; 4] = 0x1f80u32.to_le_bytes();

/// The extended state, as XSAVE writes it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[repr(C, align(64))]
pub struct Extended(pub [u8; xsave::LEN]);

impl Default for Extended {
    /// What FNINIT and a reset of the vector registers leave behind.
    fn default() -> Self {
        let mut area = Self([0; xsave::LEN]);
        area.0[xsave::MXCSR..xsave::MXCSR_MASK].copy_from_slice(&INITIAL_MXCSR);
        area.normalize();
        area
    }
}

impl Extended {
    /// XSTATE_BV: the components that the area holds.
    pub fn components(&self) -> u64 {
        u64::from_le_bytes(self.0.as_chunks::<8>().0[xsave::HEADER / 8])
    }

    /// Brings the area to the normal form: components absent in XSTATE_BV get
    /// their initial value, bytes that are not state become zero, and XSTATE_BV
    /// all ones, which is also how the next run is to start.
    pub fn normalize(&mut self) {
        let present = self.components();
        if present & XCR0 != XCR0 {
            self.initialize(present);
        }
        let area = &mut self.0;
        area[xsave::FTW + 1] = 0;
        area[xsave::MXCSR_MASK..xsave::ST].fill(0);
        // Ten bytes of value, six that are not state; with constant places these
        // are one store or two each.
        for register in 0..8 {
            let end = xsave::ST + 16 * register + 10;
            area[end..end + 6].fill(0);
        }
        area[xsave::RESERVED..xsave::YMM].fill(0);
        area[xsave::HEADER] = XCR0 as u8;
    }

    /// Gives components that are not `present` their initial value.
    #[cold]
    fn initialize(&mut self, present: u64) {
        let area = &mut self.0;
        if present & X87 == 0 {
            area[..xsave::MXCSR].fill(0);
            area[xsave::FCW..xsave::FSW].copy_from_slice(&INITIAL_FCW);
            area[xsave::ST..xsave::XMM].fill(0);
        }
        if present & SSE == 0 {
            area[xsave::XMM..xsave::RESERVED].fill(0);
        }
        if present & AVX == 0 {
            area[xsave::YMM..].fill(0);
        }
    }

    /// MXCSR.
    pub fn mxcsr(&self) -> u32 {
        u32::from_le_bytes(self.0.as_chunks::<4>().0[xsave::MXCSR / 4])
    }

    /// All fields in the order of their places, without a gap.
    fn parts(&self) -> impl Iterator<Item = (Field, &[u8])> {
        let part = |(field, at, length)| (field, &self.0[at..at + length]);
        let control = [
            (Field::Fcw, xsave::FCW, 2),
            (Field::Fsw, xsave::FSW, 2),
            (Field::Ftw, xsave::FTW, 1),
            (Field::Constant, xsave::FTW + 1, 1),
            (Field::Fop, xsave::FOP, 2),
            (Field::Fip, xsave::FIP, 8),
            (Field::Fdp, xsave::FDP, 8),
            (Field::Mxcsr, xsave::MXCSR, 4),
            (Field::Constant, xsave::MXCSR_MASK, 4),
        ];
        let rows = |field: fn(u8) -> Field, at, count| {
            (0..count).map(move |index| (field(index), at + 16 * usize::from(index), 16))
        };
        // Of an x87 register ten bytes are value, and six the normal form makes zero.
        let registers = rows(Field::St, xsave::ST, 8).chain(rows(Field::Xmm, xsave::XMM, 16));
        let header = (Field::Constant, xsave::RESERVED, xsave::YMM - xsave::RESERVED);
        let upper = rows(Field::YmmHigh, xsave::YMM, 16);
        control.into_iter().chain(registers).chain([header]).chain(upper).map(part)
    }
}

/// The general registers in the order of their numbers in instruction encodings.
macro_rules! general {
    ($($user:tt)*) => {[
        $($user)*.rax, $($user)*.rcx, $($user)*.rdx, $($user)*.rbx, $($user)*.rsp, $($user)*.rbp,
        $($user)*.rsi, $($user)*.rdi, $($user)*.r8, $($user)*.r9, $($user)*.r10, $($user)*.r11,
        $($user)*.r12, $($user)*.r13, $($user)*.r14, $($user)*.r15,
    ]};
}

/// All registers of a user process, in the kernel entry code's layout.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
#[repr(C, align(64))]
#[expect(missing_docs, reason = "the fields are the registers of the same names")]
pub struct UserRegisters {
    pub extended: Extended,
    pub fs_base: u64,
    pub gs_base: u64,
    pub ds: u16,
    pub es: u16,
    pub fs: u16,
    pub gs: u16,
    /// Keeps `ss`, the last word, below a 16-byte boundary: the processor aligns
    /// the stack before it pushes.
    pub padding: u64,
    pub r15: u64,
    pub r14: u64,
    pub r13: u64,
    pub r12: u64,
    pub r11: u64,
    pub r10: u64,
    pub r9: u64,
    pub r8: u64,
    pub rdi: u64,
    pub rsi: u64,
    pub rbp: u64,
    pub rbx: u64,
    pub rdx: u64,
    pub rcx: u64,
    pub rax: u64,
    /// What the entry code pushed: which entry it was. Not state; zero in the normal form.
    pub entry_vector: u64,
    /// The error code that the entry code pushed, or zero. Not state; zero in the normal form.
    pub entry_error: u64,
    pub rip: u64,
    pub cs: u64,
    pub rflags: u64,
    pub rsp: u64,
    pub ss: u64,
}

impl UserRegisters {
    /// A process before its first instruction, with the given selectors.
    pub fn new(cs: u16, ss: u16) -> Self {
        Self { cs: cs.into(), rflags: INTERRUPT_FLAG | 2, ss: ss.into(), ..Self::default() }
    }

    /// A general register by its number in instruction encodings.
    ///
    /// # Panics
    /// If `index` is above 15.
    pub fn gpr_mut(&mut self, index: u8) -> &mut u64 {
        let register = general!(&mut self).into_iter().nth(index.into());
        register.unwrap_or_else(|| panic!("there is no general register {index}"))
    }

    /// The general registers in encoding order.
    pub fn gprs(&self) -> [u64; 16] {
        general!(self)
    }

    /// All that is not extended state, in the order in which it is digested.
    fn words(&self) -> impl Iterator<Item = (Field, &[u8])> {
        let general = (0..).map(Field::Gpr).zip(general!(&self));
        let selectors =
            [(Field::Ds, &self.ds), (Field::Es, &self.es), (Field::Fs, &self.fs), (Field::Gs, &self.gs)];
        let others = [
            (Field::FsBase, &self.fs_base),
            (Field::GsBase, &self.gs_base),
            (Field::Constant, &self.padding),
            (Field::Constant, &self.entry_vector),
            (Field::Constant, &self.entry_error),
            (Field::Rip, &self.rip),
            (Field::Cs, &self.cs),
            (Field::Rflags, &self.rflags),
            (Field::Ss, &self.ss),
        ];
        general
            .map(|(field, word)| (field, word.as_bytes()))
            .chain(selectors.map(|(field, word)| (field, word.as_bytes())))
            .chain(others.map(|(field, word)| (field, word.as_bytes())))
    }

    /// The data segment selectors in one word: DS lowest, then ES, FS and GS.
    pub fn selectors(&self) -> u64 {
        // Written so that it is one load.
        u64::from(self.ds) | u64::from(self.es) << 16 | u64::from(self.fs) << 32 | u64::from(self.gs) << 48
    }

    fn normalize_words(&mut self) {
        self.rflags &= !RESUME_FLAG;
        if self.selectors() != 0 {
            for selector in [&mut self.ds, &mut self.es, &mut self.fs, &mut self.gs] {
                if *selector & !REQUESTED_PRIVILEGE == 0 {
                    *selector = 0;
                }
            }
        }
        (self.entry_vector, self.entry_error, self.padding) = (0, 0, 0);
    }
}

impl RegisterSet for UserRegisters {
    /// Brings the registers to the normal form: RF := 0, null selectors := 0, what
    /// the entry code pushed := 0, and the extended state by component value.
    ///
    /// There are four null selectors, and the IRET to user mode makes any of them 0
    /// (Intel SDM vol. 2A, IRET): only a run that was not interrupted keeps the others.
    fn normalize(&mut self) {
        self.normalize_words();
        self.extended.normalize();
    }

    /// Of changes to the extended state, only those count that XSTATE_BV tells of.
    fn renormalize(&mut self) {
        self.normalize_words();
        if self.extended.components() != XCR0 {
            self.extended.normalize();
        }
    }

    fn parts(&self) -> impl Iterator<Item = (Field, &[u8])> {
        self.words().chain(self.extended.parts())
    }

    fn position(&self) -> (u64, u64) {
        (self.rip, self.rcx)
    }

    fn set_position(&mut self, rip: u64, rcx: u64) {
        (self.rip, self.rcx) = (rip, rcx);
    }

    fn flags(&self) -> u64 {
        self.rflags
    }

    fn clear_trap(&mut self) {
        self.rflags &= !TRAP_FLAG;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absent_components_become_their_initial_value() {
        let mut area = Extended([0xa5; xsave::LEN]);
        area.0[xsave::HEADER..xsave::HEADER + 8].fill(0);
        area.0[xsave::MXCSR..xsave::MXCSR + 4].copy_from_slice(&INITIAL_MXCSR);
        area.normalize();
        assert_eq!(area, Extended::default());
    }

    #[test]
    fn present_components_keep_their_value() {
        let mut area = Extended::default();
        area.0[xsave::ST] = 1;
        area.0[xsave::XMM + 17] = 2;
        area.0[xsave::YMM + 255] = 3;
        let before = area.clone();
        area.normalize();
        assert_eq!(area, before);
    }

    #[test]
    fn bytes_that_are_not_state_are_not_looked_at() {
        let mut area = Extended::default();
        for at in (xsave::RESERVED..xsave::HEADER).chain([5, 28, 42, 47, 158]) {
            area.0[at] = 0xff;
        }
        area.normalize();
        assert_eq!(area, Extended::default());
    }

    #[test]
    fn all_null_selectors_are_alike() {
        let mut user = UserRegisters::new(0x33, 0x2b);
        (user.ds, user.es, user.fs, user.gs) = (3, 0x2b, 1, 0x33);
        user.normalize();
        assert_eq!((user.ds, user.es, user.fs, user.gs), (0, 0x2b, 0, 0x33));
    }

    #[test]
    fn every_general_register_is_reached_once() {
        let mut user = UserRegisters::new(0x33, 0x2b);
        for index in 0..16 {
            *user.gpr_mut(index) = u64::from(index) + 100;
        }
        assert_eq!(user.gprs(), core::array::from_fn(|index| index as u64 + 100));
    }

    /// Intel SDM vol. 1, 3.4.3 (EFLAGS) and 13.3 (XCR0).
    #[test]
    fn the_bits_are_the_processor_s() {
        assert_eq!([ZERO_FLAG, TRAP_FLAG, INTERRUPT_FLAG, RESUME_FLAG], [0x40, 0x100, 0x200, 0x1_0000]);
        // CF, PF, AF, ZF, SF, TF, DF, OF, NT, AC, ID.
        assert_eq!((USER_FLAGS, XCR0), (0x24_4dd5, 0b111));
    }

    #[test]
    fn what_is_told_of_the_registers_is_where_they_are() {
        let mut user = UserRegisters::new(0x33, 0x2b);
        assert_eq!((user.cs, user.ss, user.rflags), (0x33, 0x2b, 0x202));
        (user.ds, user.es, user.fs, user.gs) = (0x11, 0x22, 0x33, 0x44);
        assert_eq!(user.selectors(), 0x44_0033_0022_0011);
        user.set_position(0x1234, 0x5678);
        assert_eq!((user.rip, user.rcx, user.position()), (0x1234, 0x5678, (0x1234, 0x5678)));
        user.rflags = 0x346;
        assert_eq!(user.flags(), 0x346);
        user.clear_trap();
        assert_eq!(user.rflags, 0x246);
        user.extended.0[xsave::MXCSR..xsave::MXCSR_MASK].copy_from_slice(&[0x9f, 0x3f, 1, 2]);
        assert_eq!(user.extended.mxcsr(), 0x0201_3f9f);
        user.extended.0[xsave::HEADER..xsave::HEADER + 8].copy_from_slice(&[1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(user.extended.components(), 0x0807_0605_0403_0201);
    }
}
