// SPDX-License-Identifier: MIT
//! The page in which a thread finds its messages, and through which it makes its own: its UTCB.
//!
//! Words go up from the header, items come down from the page's end. A message about the
//! state of a thread (an event) has registers where words would be.

use pe_replay::UserRegisters;
use pe_replay::user::xsave;

use super::crd::Item;

/// The most words and halves of items in a message.
pub const MOST_WORDS: u16 = 508;
/// The most items in a message.
pub const MOST_ITEMS: u16 = MOST_WORDS / 2;

/// Bytes in the page.
const LEN: usize = pages::PAGE_LEN;
/// How many words and items there are.
const COUNTS: usize = 0;
/// The window in which items are translated.
const TRANSLATE: usize = 0x8;
/// The window that items are received in.
const RECEIVE: usize = 0x10;
/// A word that is the program's own; donation looks at it.
const OWN: usize = 0x18;
/// The first word.
const WORDS: usize = 0x20;
/// RIP and RFLAGS.
const POSITION: usize = 0x30;
/// What an exception says of itself: the error code, and for a page fault the address.
const QUALIFICATION: usize = 0xd0;
/// The extended state.
const EXTENDED: usize = 0x258;
/// How much of the extended state there is room for: what FXSAVE writes.
const EXTENDED_LEN: usize = 512;

/// A page of memory, whoever else sees it.
pub trait Page {
    /// Copies bytes out; all of them have to lie in the page.
    fn read(&self, offset: usize, into: &mut [u8]);
    /// Copies bytes in; all of them have to lie in the page.
    fn write(&mut self, offset: usize, from: &[u8]);
}

/// Which registers a message about a thread's state holds: a message transfer descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mtd(pub u64);

impl Mtd {
    /// RAX, RCX, RDX, RBX.
    pub const ACDB: Self = Self(1 << 0);
    /// RBP, RSI, RDI.
    pub const BSD: Self = Self(1 << 1);
    /// RSP.
    pub const RSP: Self = Self(1 << 2);
    /// RIP.
    pub const RIP: Self = Self(1 << 3);
    /// RFLAGS.
    pub const RFLAGS: Self = Self(1 << 4);
    /// What an exception says of itself.
    pub const QUALIFICATION: Self = Self(1 << 15);
    /// R8 to R15.
    pub const R8_R15: Self = Self(1 << 22);
    /// The extended state.
    pub const EXTENDED: Self = Self(1 << 31);
    /// What is copied of a thread that is recalled: all that there is of a thread but the extended state.
    pub const STATE: Self = Self(0x40_801f);

    fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }
}

/// Flags that a reply cannot set: VIP, VIF, VM, RF, IOPL.
const KEPT_FLAGS: u64 = 1 << 20 | 1 << 19 | 1 << 17 | 1 << 16 | 3 << 12;
/// Flags that user mode always has: IF, and a bit that is always one.
pub const FIXED_FLAGS: u64 = 1 << 9 | 1 << 1;

/// A group of registers: its name, where it begins, and which they are.
type Group = (Mtd, usize, &'static [fn(&mut UserRegisters) -> &mut u64]);

/// The groups of general registers, in the order of the page.
const GROUPS: [Group; 5] = [
    (Mtd::RIP, POSITION, &[|it| &mut it.rip]),
    (Mtd::ACDB, 0x50, &[|it| &mut it.rax, |it| &mut it.rcx, |it| &mut it.rdx, |it| &mut it.rbx]),
    (Mtd::RSP, 0x70, &[|it| &mut it.rsp]),
    (Mtd::BSD, 0x78, &[|it| &mut it.rbp, |it| &mut it.rsi, |it| &mut it.rdi]),
    (
        Mtd::R8_R15,
        0x90,
        &[
            |it| &mut it.r8,
            |it| &mut it.r9,
            |it| &mut it.r10,
            |it| &mut it.r11,
            |it| &mut it.r12,
            |it| &mut it.r13,
            |it| &mut it.r14,
            |it| &mut it.r15,
        ],
    ),
];

/// A thread's message page.
pub struct Utcb<'a, T>(pub &'a mut T);

impl<T: Page> Utcb<'_, T> {
    fn word(&self, offset: usize) -> u64 {
        let mut word = [0; 8];
        self.0.read(offset, &mut word);
        u64::from_le_bytes(word)
    }

    fn set_word(&mut self, offset: usize, word: u64) {
        self.0.write(offset, &word.to_le_bytes());
    }

    /// How many words and how many items the message has; more than there is room for are cut off.
    pub fn counts(&self) -> (u16, u16) {
        let counts = self.word(COUNTS);
        let words = (counts as u16).min(MOST_WORDS);
        let items = ((counts >> 16) as u16).min(MOST_ITEMS);
        (words, items.min((MOST_WORDS - words) / 2))
    }

    /// The window in which items are translated, and the one that they are received in.
    pub fn windows(&self) -> (u64, u64) {
        (self.word(TRANSLATE), self.word(RECEIVE))
    }

    /// The word that is the program's own.
    pub fn own_word(&self) -> u64 {
        self.word(OWN)
    }

    /// A word of the message.
    pub fn message_word(&self, index: u16) -> u64 {
        self.word(WORDS + 8 * usize::from(index))
    }

    /// Changes a word of the message.
    pub fn set_message_word(&mut self, index: u16, word: u64) {
        self.set_word(WORDS + 8 * usize::from(index), word);
    }

    fn item_at(index: u16) -> usize {
        LEN - 16 * (usize::from(index) + 1)
    }

    /// An item of the message.
    pub fn item(&self, index: u16) -> Item {
        let at = Self::item_at(index);
        Item::new(self.word(at), self.word(at + 8))
    }

    /// Puts down what has become of an item.
    pub fn set_item(&mut self, index: u16, crd: u64, flags: u64) {
        let at = Self::item_at(index);
        self.set_word(at, crd);
        self.set_word(at + 8, flags);
    }

    /// Says how many words and items there are.
    pub fn set_counts(&mut self, words: u16, items: u16) {
        self.set_word(COUNTS, u64::from(items) << 16 | u64::from(words));
    }

    /// Takes the words of another thread's message, and how many words and items that has.
    pub fn copy_words<F: Page>(&mut self, from: &Utcb<'_, F>) {
        let (words, items) = from.counts();
        self.set_counts(words, items);
        let mut bytes = [0; 8 * MOST_WORDS as usize];
        let copied = &mut bytes[..8 * usize::from(words)];
        from.0.read(WORDS, copied);
        self.0.write(WORDS, copied);
    }

    /// Puts down the state of a thread, as far as it is asked for; `qualification` is what the exception says
    /// of itself.
    pub fn save(&mut self, mtd: Mtd, registers: &mut UserRegisters, qualification: [u64; 2]) {
        // As many words as there is room for: a message with one word is a request.
        self.set_counts(MOST_WORDS, 0);
        self.set_word(WORDS, mtd.0);
        for (_, offset, fields) in GROUPS.iter().filter(|(group, ..)| mtd.has(*group)) {
            for (index, field) in fields.iter().enumerate() {
                self.set_word(offset + 8 * index, *field(registers));
            }
        }
        if mtd.has(Mtd::RFLAGS) {
            self.set_word(POSITION + 8, registers.rflags);
        }
        if mtd.has(Mtd::QUALIFICATION) {
            qualification
                .iter()
                .enumerate()
                .for_each(|(index, word)| self.set_word(QUALIFICATION + 8 * index, *word));
        }
        if mtd.has(Mtd::EXTENDED) {
            self.0.write(EXTENDED, &registers.extended.0[..EXTENDED_LEN]);
        }
    }

    /// Takes the state of a thread from the page, as far as the page says. Only what the program may
    /// change is changed, so that the processor can go on with whatever is there; `mxcsr_mask` has the bits
    /// of MXCSR that it knows.
    pub fn load(&self, registers: &mut UserRegisters, mxcsr_mask: u32) {
        let mtd = Mtd(self.word(WORDS));
        for (_, offset, fields) in GROUPS.iter().filter(|(group, ..)| mtd.has(*group)) {
            for (index, field) in fields.iter().enumerate() {
                *field(registers) = self.word(offset + 8 * index);
            }
        }
        if mtd.has(Mtd::RFLAGS) {
            registers.rflags = self.word(POSITION + 8) & !KEPT_FLAGS | FIXED_FLAGS;
        }
        if mtd.has(Mtd::EXTENDED) {
            self.0.read(EXTENDED, &mut registers.extended.0[..EXTENDED_LEN]);
            let mxcsr = registers.extended.mxcsr() & mxcsr_mask;
            registers.extended.0[xsave::MXCSR..xsave::MXCSR_MASK].copy_from_slice(&mxcsr.to_le_bytes());
            registers.extended.normalize();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page of the host's.
    struct Plain([u8; LEN]);

    impl Page for Plain {
        fn read(&self, offset: usize, into: &mut [u8]) {
            into.copy_from_slice(&self.0[offset..offset + into.len()]);
        }

        fn write(&mut self, offset: usize, from: &[u8]) {
            self.0[offset..offset + from.len()].copy_from_slice(from);
        }
    }

    fn plain() -> Plain {
        Plain(core::array::from_fn(|index| index as u8 ^ 0x5a))
    }

    /// Registers that are all different.
    fn registers() -> UserRegisters {
        let mut registers = UserRegisters::new(0x33, 0x2b);
        (0..16).for_each(|index| *registers.gpr_mut(index) = 0x1000 + u64::from(index));
        (registers.rip, registers.rflags) = (0x2000, 0x246);
        registers
    }

    #[test]
    fn counts_are_cut_to_what_there_is_room_for() {
        let mut page = plain();
        let mut utcb = Utcb(&mut page);
        for (word, expected) in [
            (0, (0, 0)),
            (0x2_0003, (3, 2)),
            (0x1fc, (508, 0)),
            (0x1_01fc, (508, 0)),
            (0x1_01fa, (506, 1)),
            (0xffff_ffff, (508, 0)),
            (0xff_0000, (0, 254)),
        ] {
            utcb.set_word(COUNTS, word);
            assert_eq!(utcb.counts(), expected, "{word:#x}");
        }
    }

    #[test]
    fn a_message_takes_over_its_words_and_nothing_else() {
        let (mut from, mut to) = (plain(), Plain([0x77; LEN]));
        let mut sender = Utcb(&mut from);
        sender.set_counts(3, 1);
        sender.set_item(0, 0x1005, 0x801);
        Utcb(&mut to).copy_words(&sender);
        let mut expected = [0x77; LEN];
        expected[..8].copy_from_slice(&[3, 0, 1, 0, 0, 0, 0, 0]);
        expected[WORDS..WORDS + 24].copy_from_slice(&plain().0[WORDS..WORDS + 24]);
        assert!(to.0 == expected);
        assert_eq!(from.0[LEN - 16..LEN - 8], 0x1005u64.to_le_bytes());
    }

    #[test]
    fn a_state_holds_what_was_asked_for_at_its_places() {
        let mut page = plain();
        let before = plain().0;
        let mut user = registers();
        Utcb(&mut page).save(Mtd(0x800c), &mut user, [7, 0xdead_0000]);
        let word = |at: usize| u64::from_le_bytes(page.0[at..at + 8].try_into().unwrap());
        assert_eq!([word(0), word(0x20)], [0x1fc, 0x800c]);
        assert_eq!([word(0x30), word(0x70), word(0xd0), word(0xd8)], [0x2000, 0x1004, 7, 0xdead_0000]);
        // The rest of the page is as it was.
        for at in (0x38..0x70).chain(0x78..0xd0).chain(0xe0..LEN).chain(0x8..0x20) {
            assert_eq!(page.0[at], before[at], "{at:#x}");
        }
    }

    #[test]
    fn a_state_comes_back_as_far_as_the_page_says() {
        let mut page = plain();
        let all = Mtd(Mtd::STATE.0 | Mtd::EXTENDED.0);
        let mut saved = registers();
        saved.extended.0[200] = 9;
        Utcb(&mut page).save(all, &mut saved.clone(), [0; 2]);
        let mut loaded = UserRegisters::new(0x33, 0x2b);
        Utcb(&mut page).load(&mut loaded, u32::MAX);
        assert_eq!(loaded, saved);
        let mut kept = UserRegisters::new(0x33, 0x2b);
        Utcb(&mut page).set_message_word(0, 0);
        Utcb(&mut page).load(&mut kept, u32::MAX);
        assert_eq!(kept, UserRegisters::new(0x33, 0x2b));
    }

    #[test]
    fn a_reply_cannot_set_what_is_the_kernels() {
        let mut page = Plain([0xff; LEN]);
        let mut user = UserRegisters::new(0x33, 0x2b);
        Utcb(&mut page).load(&mut user, 0xffff);
        assert_eq!((user.cs, user.ss, user.rip), (0x33, 0x2b, u64::MAX));
        assert_eq!(user.rflags & (KEPT_FLAGS | FIXED_FLAGS), FIXED_FLAGS);
        assert_eq!(user.extended.mxcsr(), 0xffff);
    }
}
