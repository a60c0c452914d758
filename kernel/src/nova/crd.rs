// SPDX-License-Identifier: MIT
//! Capability ranges: how a program names memory, ports and objects, and what of it is handed on.
//!
//! A range is 2^order units from a multiple of that on. The units are pages, ports and selectors.
//! The layout of the words is that of NOVA's system interface, version 10.

/// Bits of a page number, a port, or a selector in a word.
const BASE_SHIFT: u32 = 12;

/// What a range is a range of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Pages.
    Memory,
    /// Ports.
    Port,
    /// Selectors of objects.
    Object,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::Memory, Self::Port, Self::Object];

    /// The kind that a word of a range names, if it names one.
    fn of(word: u64) -> Option<Self> {
        match word & 3 {
            1 => Some(Self::Memory),
            2 => Some(Self::Port),
            3 => Some(Self::Object),
            _ => None,
        }
    }

    /// The number of the kind in a word, which is its place among all kinds, too, from 1 on.
    fn bits(self) -> u64 {
        match self {
            Self::Memory => 1,
            Self::Port => 2,
            Self::Object => 3,
        }
    }
}

/// What may be done with what a range names: a bit each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights(u8);

impl Rights {
    /// None: what has no rights does not exist.
    pub const NONE: Self = Self(0);
    /// All that a word has room for.
    pub const ALL: Self = Self(0x1f);
    /// Memory: to read it.
    pub const READ: Self = Self(1);
    /// Memory: to write it.
    pub const WRITE: Self = Self(2);
    /// Memory: to execute it.
    pub const EXECUTE: Self = Self(4);
    /// Memory: all that there is.
    pub const MEMORY: Self = Self(7);

    /// Rights by their bits; what is no right is left out.
    pub const fn new(bits: u8) -> Self {
        Self(bits & Self::ALL.0)
    }

    /// The bits.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether there are none.
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// Whether all of `other` are among these.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What is in both.
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// These without `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// Units that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first one: a multiple of their number.
    pub base: u64,
    /// The binary logarithm of their number.
    pub order: u8,
}

impl Span {
    /// One unit.
    pub const fn one(base: u64) -> Self {
        Self { base, order: 0 }
    }

    /// How many units there are.
    pub const fn count(self) -> u64 {
        1 << self.order
    }

    /// The first unit behind them.
    pub const fn end(self) -> u64 {
        self.base.saturating_add(self.count())
    }

    /// Whether a unit is one of them.
    pub const fn contains(self, unit: u64) -> bool {
        self.base <= unit && unit < self.end()
    }

    /// What two spans have in common: of two that overlap, one contains the other.
    pub const fn common(self, other: Self) -> Option<Self> {
        let (small, large) = if self.order < other.order { (self, other) } else { (other, self) };
        if large.contains(small.base) { Some(small) } else { None }
    }
}

/// A range of capabilities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crd {
    /// What it names.
    pub kind: Kind,
    /// Which of these.
    pub span: Span,
    /// What may be done with them.
    pub rights: Rights,
}

impl Crd {
    /// The range in a word; `None` is the null range, which names nothing.
    pub fn from_word(word: u64) -> Option<Self> {
        let kind = Kind::of(word)?;
        let order = (word >> 7 & 0x1f) as u8;
        let base = word >> BASE_SHIFT & !((1 << order) - 1);
        Some(Self { kind, span: Span { base, order }, rights: Rights::new((word >> 2 & 0x1f) as u8) })
    }

    /// The range as a word.
    pub fn word(self) -> u64 {
        let Span { base, order } = self.span;
        base << BASE_SHIFT | u64::from(order) << 7 | u64::from(self.rights.bits()) << 2 | self.kind.bits()
    }

    /// What arrives where: the span that is taken from what is sent, and the one in the receiver's window into
    /// which it goes. Of the larger one of the two, the hotspot selects the part.
    ///
    /// Nothing arrives where the kinds differ, where no right is left, or where ports are sent
    /// into a window with which they have none in common: ports do not move.
    pub fn meet(self, window: Self, hotspot: u64) -> Option<Delegation> {
        let rights = self.rights.and(window.rights);
        if self.kind != window.kind || rights.is_none() {
            return None;
        }
        let (from, to) = match self.kind {
            Kind::Port => {
                let common = self.span.common(window.span)?;
                (common, common)
            }
            Kind::Memory | Kind::Object => {
                let (sent, open) = (self.span, window.span);
                let inner = |small: Span, large: Span| hotspot & (large.count() - 1) & !(small.count() - 1);
                if sent.order < open.order {
                    (sent, Span { base: open.base + inner(sent, open), order: sent.order })
                } else {
                    (Span { base: sent.base + inner(open, sent), order: open.order }, open)
                }
            }
        };
        Some(Delegation { kind: self.kind, from, to: to.base, rights })
    }
}

/// The word of a range, or that of the null range.
pub fn word(crd: Option<Crd>) -> u64 {
    crd.map_or(0, Crd::word)
}

/// What is handed on: a span of the sender's, and its place at the receiver's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// What is handed on.
    pub kind: Kind,
    /// Which of the sender's units.
    pub from: Span,
    /// The first of them at the receiver's.
    pub to: u64,
    /// The most that the receiver may do with them.
    pub rights: Rights,
}

impl Delegation {
    /// What the receiver is told that it has got.
    pub fn result(self) -> Crd {
        Crd { kind: self.kind, span: Span { base: self.to, order: self.from.order }, rights: self.rights }
    }
}

/// What is to be done with an item of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transfer {
    /// The receiver is told its own name for it.
    Translate,
    /// The receiver gets it.
    Delegate,
    /// The receiver is told its own name for it, or gets it if it has none.
    TranslateOrDelegate,
    /// Nothing.
    Nothing,
}

/// An item of a message: a range, and how it is handed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// What is handed on.
    pub crd: Option<Crd>,
    /// The flags, and the hotspot above them.
    flags: u64,
}

impl Item {
    /// The bit that says that the item was delegated.
    pub const DELEGATED: u64 = 1;
    /// The bits of the second word that are no hotspot.
    const FLAGS: u64 = (1 << BASE_SHIFT) - 1;

    /// The item in two words.
    pub fn new(crd: u64, flags: u64) -> Self {
        Self { crd: Crd::from_word(crd), flags }
    }

    /// What is to be done with it.
    pub fn transfer(self) -> Transfer {
        match self.flags & 3 {
            0 => Transfer::Translate,
            1 => Transfer::Delegate,
            2 => Transfer::TranslateOrDelegate,
            _ => Transfer::Nothing,
        }
    }

    /// Which part of a larger span is meant.
    pub fn hotspot(self) -> u64 {
        self.flags >> BASE_SHIFT
    }

    /// Whether memory is to be mapped write-combined.
    pub fn is_write_combined(self) -> bool {
        self.flags & 1 << 10 != 0
    }

    /// Whether it is the kernel's own and not the sender's.
    pub fn is_from_kernel(self) -> bool {
        self.flags & 1 << 11 != 0
    }

    /// The second word as the receiver finds it.
    pub fn answer(self, was_delegated: bool) -> u64 {
        self.flags & Self::FLAGS | if was_delegated { Self::DELEGATED } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crd(word: u64) -> Crd {
        Crd::from_word(word).unwrap()
    }

    #[test]
    fn words_are_read_and_written_as_the_interface_says() {
        let cases = [
            (0x87e, Kind::Port, 0, 16, 0x1f),
            (0x1005, Kind::Memory, 1, 0, 1),
            (0x10_a00d, Kind::Memory, 0x10a, 0, 3),
            (0xc_4115, Kind::Memory, 0xc4, 2, 5),
            (0x8e0_417f, Kind::Object, 0x8e04, 2, 0x1f),
            (0xe007, Kind::Object, 0xe, 0, 1),
            (0xfff, Kind::Object, 0, 31, 0x1f),
            (0x860_02cf, Kind::Object, 0x8600, 5, 0x13),
            (0x37f, Kind::Object, 0, 6, 0x1f),
        ];
        for (word, kind, base, order, rights) in cases {
            let expected = Crd { kind, span: Span { base, order }, rights: Rights::new(rights) };
            assert_eq!((crd(word), expected.word()), (expected, word), "{word:#x}");
        }
        assert_eq!((Crd::from_word(0x1234_507c), word(None)), (None, 0));
        // A base that is no multiple is rounded down.
        assert_eq!(crd(0x8e0_617f).span.base, 0x8e04);
    }

    #[test]
    fn a_small_range_goes_where_the_hotspot_says_in_a_large_window() {
        let sent = crd(0x23 << 12 | 0x7f);
        let window = crd(0x300 << 12 | 2 << 7 | 0x7f);
        let met = sent.meet(window, 2).unwrap();
        assert_eq!((met.from, met.to), (Span::one(0x23), 0x302));
        assert_eq!(met.result().word(), 0x30_207f);
        // Of the hotspot only what lies inside of the window counts.
        assert_eq!(sent.meet(window, 0xff6).unwrap().to, 0x302);
    }

    #[test]
    fn of_a_large_range_the_hotspot_selects_what_fits() {
        let sent = crd(0x100 << 12 | 4 << 7 | 0x1d);
        let window = crd(0x40 << 12 | 1 << 7 | 0x0d);
        let met = sent.meet(window, 0x107).unwrap();
        assert_eq!((met.from, met.to, met.rights), (Span { base: 0x106, order: 1 }, 0x40, Rights::new(3)));
    }

    #[test]
    fn ports_do_not_move() {
        let sent = crd(0x3f8 << 12 | 3 << 7 | 0x7e);
        let all = crd(0x87e);
        assert_eq!(sent.meet(all, 7).map(Delegation::result), Some(sent));
        assert_eq!(all.meet(sent, 7).map(Delegation::result), Some(sent));
        assert_eq!(sent.meet(crd(0x2f8 << 12 | 3 << 7 | 0x7e), 0), None);
    }

    #[test]
    fn nothing_arrives_of_another_kind_or_without_rights() {
        let (memory, object) = (crd(0x1005), crd(0x101f));
        assert_eq!(memory.meet(object, 0), None);
        assert_eq!(memory.meet(crd(0x1009), 0), None);
    }

    #[test]
    fn the_answer_keeps_flags_and_loses_the_hotspot() {
        let item = Item::new(0, 5 << 12 | 2);
        assert_eq!((item.transfer(), item.hotspot()), (Transfer::TranslateOrDelegate, 5));
        assert_eq!((item.answer(false), item.answer(true)), (2, 3));
        let item = Item::new(0x1005, 0x801);
        assert!(item.is_from_kernel() && !item.is_write_combined());
        assert_eq!((item.transfer(), item.answer(true)), (Transfer::Delegate, 0x801));
    }
}
