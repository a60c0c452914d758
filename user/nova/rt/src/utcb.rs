// SPDX-License-Identifier: MIT
//! A thread's UTCB: the page through which it sends and receives messages.

use crate::PAGE;
use crate::access;
use crate::crd::Crd;

/// The number of words a message has room for.
pub const WORDS: u64 = 508;

/// Bit of an item: its capabilities are delegated; without it they are translated.
pub const DELEGATE: u64 = 1;
/// Bit of an item: its capabilities are translated, or delegated if that yields nothing.
pub const TRANSLATE_OR_DELEGATE: u64 = 2;
/// Bit of an item: its source is the kernel's domain.
pub const FROM_KERNEL: u64 = 1 << 11;

/// A typed item of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// The capabilities that are sent, or what came of them.
    pub crd: Crd,
    /// How they are sent, and the hotspot.
    pub how: u64,
}

impl Item {
    /// An item that delegates, with a hotspot.
    #[must_use]
    pub const fn delegate(crd: Crd, hotspot: u64) -> Self {
        Self { crd, how: hotspot << 12 | DELEGATE }
    }

    /// An item that delegates from the kernel's domain, with a hotspot.
    #[must_use]
    pub const fn from_kernel(crd: Crd, hotspot: u64) -> Self {
        Self { crd, how: hotspot << 12 | FROM_KERNEL | DELEGATE }
    }

    /// An item that translates.
    #[must_use]
    pub const fn translate(crd: Crd) -> Self {
        Self { crd, how: 0 }
    }

    /// An item that translates, or delegates to a hotspot if that yields nothing.
    #[must_use]
    pub const fn either(crd: Crd, hotspot: u64) -> Self {
        Self { crd, how: hotspot << 12 | TRANSLATE_OR_DELEGATE }
    }
}

/// The UTCB at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(transparent)]
pub struct Utcb(u64);

impl Utcb {
    const TRANSLATE_WINDOW: u64 = 8;
    const RECEIVE_WINDOW: u64 = 0x10;
    const TLS: u64 = 0x18;
    const MESSAGE: u64 = 0x20;

    /// The UTCB that is mapped at an address.
    #[must_use]
    pub const fn at(address: u64) -> Self {
        Self(address)
    }

    /// The UTCB's address.
    #[must_use]
    pub const fn address(self) -> u64 {
        self.0
    }

    /// The raw word at an offset.
    #[must_use]
    pub fn get(self, offset: u64) -> u64 {
        access::read(self.0 + offset)
    }

    /// Writes the raw word at an offset.
    pub fn put(self, offset: u64, value: u64) {
        access::write(self.0 + offset, value);
    }

    /// How many words and how many typed items there are, as they stand in the page.
    #[must_use]
    pub fn counts(self) -> u64 {
        self.get(0)
    }

    /// Sets the numbers of words and of typed items.
    pub fn set_counts(self, words: u64, items: u64) {
        self.put(0, items << 16 | words);
    }

    /// Sets both windows.
    pub fn set_windows(self, translate: Crd, receive: Crd) {
        self.put(Self::TRANSLATE_WINDOW, translate.0);
        self.put(Self::RECEIVE_WINDOW, receive.0);
    }

    /// The translate window and the receive window.
    #[must_use]
    pub fn windows(self) -> (Crd, Crd) {
        (Crd(self.get(Self::TRANSLATE_WINDOW)), Crd(self.get(Self::RECEIVE_WINDOW)))
    }

    /// The word that belongs to the user.
    #[must_use]
    pub fn tls(self) -> u64 {
        self.get(Self::TLS)
    }

    /// Sets the word that belongs to the user.
    pub fn set_tls(self, value: u64) {
        self.put(Self::TLS, value);
    }

    /// A word of the message.
    #[must_use]
    pub fn word(self, index: u64) -> u64 {
        self.get(Self::MESSAGE + index * 8)
    }

    /// Sets a word of the message.
    pub fn set_word(self, index: u64, value: u64) {
        self.put(Self::MESSAGE + index * 8, value);
    }

    /// Makes these words the message.
    pub fn set_words(self, words: &[u64]) {
        self.set_counts(words.len() as u64, 0);
        for (index, word) in (0..).zip(words) {
            self.set_word(index, *word);
        }
    }

    /// Adds typed items to the message.
    pub fn set_items(self, items: &[Item]) {
        self.set_counts(self.counts() & 0xffff, items.len() as u64);
        for (index, item) in (0..).zip(items) {
            self.set_item(index, *item);
        }
    }

    const fn item_offset(index: u64) -> u64 {
        PAGE - 16 * (index + 1)
    }

    /// A typed item of the message.
    #[must_use]
    pub fn item(self, index: u64) -> Item {
        let offset = Self::item_offset(index);
        Item { crd: Crd(self.get(offset)), how: self.get(offset + 8) }
    }

    /// Sets a typed item of the message.
    pub fn set_item(self, index: u64, item: Item) {
        let offset = Self::item_offset(index);
        self.put(offset, item.crd.0);
        self.put(offset + 8, item.how);
    }
}
