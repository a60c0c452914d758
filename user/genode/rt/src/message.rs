// SPDX-License-Identifier: MIT
//! Values in messages: words, texts, bytes and capabilities, packed one behind the other.

use arrayvec::{ArrayString, ArrayVec};
use nova_rt::crd::{ALL, Crd};
use nova_rt::utcb::{DELEGATE, Item};
use nova_rt::{Utcb, hypercall};

use crate::cap::{self, Cap};
use crate::{Failure, Result, utcb};

/// The most words of a message.
const WORDS: u64 = 480;
/// The most items that the kernel carries.
const MOST_ITEMS: u64 = 254;
/// The most capabilities of a message.
const CAPS: u64 = 1 << cap::WINDOW_ORDER;
/// A message in the making.
#[derive(Debug)]
pub struct Writer {
    utcb: Utcb,
    words: u64,
    caps: u64,
    fits: bool,
}

impl Writer {
    /// A message in a UTCB, with nothing in it.
    #[must_use]
    pub const fn new(utcb: Utcb) -> Self {
        Self { utcb, words: 0, caps: 0, fits: true }
    }

    /// Adds a word.
    pub fn word(&mut self, word: u64) {
        self.fits &= self.words < WORDS;
        if self.fits {
            self.utcb.set_word(self.words, word);
            self.words += 1;
        }
    }

    /// Adds a length and as many bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.word(bytes.len() as u64);
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.word(u64::from_le_bytes(word));
        }
    }

    /// Adds a capability.
    pub fn cap(&mut self, cap: Cap) {
        self.fits &= self.caps < CAPS;
        if self.fits {
            let crd = if cap.is_none() { Crd::NULL } else { Crd::object(cap.selector(), 0, ALL) };
            self.utcb.set_item(self.caps, Item::either(crd, self.caps));
            self.caps += 1;
        }
    }

    /// Ends the message, if all of it had room.
    pub fn end(self) -> Result<()> {
        self.utcb.set_counts(self.words, self.caps);
        if self.fits { Ok(()) } else { Err(Failure::BadArgument) }
    }
}

/// A message that is taken apart.
#[derive(Debug)]
pub struct Reader {
    utcb: Utcb,
    words: (u64, u64),
    caps: (u64, u64),
}

impl Reader {
    /// The message in a UTCB.
    #[must_use]
    pub fn new(utcb: Utcb) -> Self {
        let counts = utcb.counts();
        Self { utcb, words: (0, (counts & 0xffff).min(WORDS)), caps: (0, (counts >> 16 & 0xffff).min(CAPS)) }
    }

    /// The next word.
    pub fn word(&mut self) -> Option<u64> {
        let (at, end) = self.words;
        if at == end {
            return None;
        }
        self.words.0 += 1;
        Some(self.utcb.word(at))
    }

    /// The next bytes, by which a place of as many is filled from its beginning; tells how many there are.
    pub fn bytes(&mut self, place: &mut [u8]) -> Option<usize> {
        let length = usize::try_from(self.word()?).ok()?;
        for part in place.get_mut(..length)?.chunks_mut(8) {
            part.copy_from_slice(&self.word()?.to_le_bytes()[..part.len()]);
        }
        Some(length)
    }

    /// The next capability, which is one of nothing if none came.
    pub fn cap(&mut self) -> Option<Cap> {
        let (at, end) = self.caps;
        if at == end {
            return None;
        }
        self.caps.0 += 1;
        Some(Cap::at(self.utcb.item(at).crd.base()))
    }

    /// The capabilities that came and that the receiver did not have, each with its place. There is room for as many
    /// as a window has; a sender may still have tried to send more, of which some may be in the window.
    #[must_use]
    pub fn received(&self) -> Received {
        let mut received = Received::new();
        for index in 0..(self.utcb.counts() >> 16 & 0xffff).min(MOST_ITEMS) {
            let item = self.utcb.item(index);
            let is_new = item.crd != Crd::NULL && item.how & DELEGATE != 0;
            let cap = Cap::at(item.crd.base());
            if is_new && received.iter().all(|(_, other)| *other != cap) {
                let _ = received.try_push((index, cap));
            }
        }
        received
    }

    /// How many capabilities were taken out.
    const fn taken(&self) -> u64 {
        self.caps.0
    }
}

/// Capabilities that came with a message, each with its place in it.
type Received = ArrayVec<(u64, Cap), { CAPS as usize }>;

/// Gives back what came from a place on, since nobody has it: a sender must not fill the receiver's memory.
fn give_back(received: &Received, from: u64) {
    received.iter().filter(|(index, _)| *index >= from).for_each(|(_, cap)| cap.release());
}

/// A value that messages carry.
pub trait Pack: Sized {
    /// Adds the value to a message.
    fn pack(&self, to: &mut Writer);
    /// Takes the value out of a message, or nothing if there is no such value.
    fn unpack(from: &mut Reader) -> Option<Self>;
}

impl Pack for u64 {
    fn pack(&self, to: &mut Writer) {
        to.word(*self);
    }
    fn unpack(from: &mut Reader) -> Option<Self> {
        from.word()
    }
}

impl Pack for bool {
    fn pack(&self, to: &mut Writer) {
        to.word(u64::from(*self));
    }
    fn unpack(from: &mut Reader) -> Option<Self> {
        match from.word()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }
}

impl Pack for Cap {
    fn pack(&self, to: &mut Writer) {
        to.cap(*self);
    }
    fn unpack(from: &mut Reader) -> Option<Self> {
        from.cap()
    }
}

impl<const N: usize> Pack for ArrayString<N> {
    fn pack(&self, to: &mut Writer) {
        to.bytes(self.as_bytes());
    }
    fn unpack(from: &mut Reader) -> Option<Self> {
        let mut bytes = [0; N];
        let length = from.bytes(&mut bytes)?;
        Self::from(core::str::from_utf8(&bytes[..length]).ok()?).ok()
    }
}

impl<const N: usize> Pack for ArrayVec<u8, N> {
    fn pack(&self, to: &mut Writer) {
        to.bytes(self);
    }
    fn unpack(from: &mut Reader) -> Option<Self> {
        let mut bytes = Self::from([0; N]);
        let length = from.bytes(&mut bytes)?;
        bytes.truncate(length);
        Some(bytes)
    }
}

macro_rules! tuples {
    ($(($($name:ident),*))*) => {
        $(
            #[expect(non_snake_case, reason = "a value is named as its type")]
            impl<$($name: Pack),*> Pack for ($($name,)*) {
                fn pack(&self, to: &mut Writer) {
                    let ($($name,)*) = self;
                    $($name.pack(to);)*
                }
                fn unpack(from: &mut Reader) -> Option<Self> {
                    Some(($($name::unpack(from)?,)*))
                }
            }
        )*
    };
}

tuples! { (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, F) (A, B, C, D, E, F, G) }

impl Pack for () {
    fn pack(&self, _: &mut Writer) {}
    fn unpack(_: &mut Reader) -> Option<Self> {
        Some(())
    }
}

/// Makes a call to an object: the words and capabilities of its arguments there, those of its result back.
pub fn call<A: Pack, R: Pack>(object: Cap, opcode: u64, arguments: &A) -> Result<R> {
    let utcb = utcb::current();
    let mut writer = Writer::new(utcb);
    writer.word(0);
    writer.word(opcode);
    arguments.pack(&mut writer);
    writer.end()?;
    utcb::open_window(utcb);
    match hypercall::call(object.selector()) {
        nova_rt::Status::SUCCESS => (),
        nova_rt::Status::OUT_OF_MEMORY => return Err(Failure::OutOfKernelMemory),
        _ => return Err(Failure::Gone),
    }
    let mut reader = Reader::new(utcb);
    let result = match reader.word() {
        Some(0) => R::unpack(&mut reader).ok_or(Failure::Gone),
        Some(word) => Err(Failure::of(word)),
        None => Err(Failure::Gone),
    };
    let received = reader.received();
    if !received.is_empty() {
        utcb::renew_window(utcb);
        give_back(&received, if result.is_ok() { reader.taken() } else { 0 });
    }
    result
}

/// A call that was made to an object, still in the UTCB of the thread that serves it.
#[derive(Debug)]
pub struct Incoming {
    utcb: Utcb,
    reader: Reader,
    opcode: u64,
}

/// The proof that a call was answered.
#[derive(Debug)]
pub struct Answered(());

impl Incoming {
    /// The call in a UTCB.
    #[must_use]
    pub fn new(utcb: Utcb) -> Self {
        let mut reader = Reader::new(utcb);
        let _ = reader.word();
        let opcode = reader.word().unwrap_or(0);
        Self { utcb, reader, opcode }
    }

    /// Which operation is asked for; there is none of number 0.
    #[must_use]
    pub const fn opcode(&self) -> u64 {
        self.opcode
    }

    /// Answers the call with what something makes of its arguments.
    pub fn answer<A: Pack, R: Pack>(mut self, serve: impl FnOnce(A) -> Result<R>) -> Answered {
        let arguments = A::unpack(&mut self.reader);
        let received = self.reader.received();
        if !received.is_empty() {
            utcb::renew_window(self.utcb);
        }
        let result = arguments.ok_or(Failure::BadArgument).and_then(serve);
        give_back(&received, if result.is_ok() { self.reader.taken() } else { 0 });
        let mut writer = Writer::new(self.utcb);
        let failure = match result {
            Ok(result) => {
                writer.word(0);
                result.pack(&mut writer);
                writer.end().err()
            }
            Err(failure) => Some(failure),
        };
        match failure {
            Some(failure) => refused(self.utcb, failure),
            None => Answered(()),
        }
    }

    /// Answers that the call is not done.
    pub fn refuse(self, failure: Failure) -> Answered {
        self.answer(|(): ()| Err::<(), _>(failure))
    }
}

fn refused(utcb: Utcb, failure: Failure) -> Answered {
    utcb.set_words(&[failure as u64]);
    Answered(())
}
