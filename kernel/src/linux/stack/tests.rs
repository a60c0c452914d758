// SPDX-License-Identifier: MIT
//! Tests of the initial stack: read back as a program would.

use super::*;

const TOP: u64 = 0x7fff_ffff_f000;

fn image() -> Image<'static> {
    Image {
        segments: Vec::new(),
        entry: 0x40_1000,
        headers: 0x40_0040,
        header_count: 3,
        executable_stack: false,
    }
}

fn contents<'a>(arguments: &'a [&'a [u8]], environment: &'a [&'a [u8]]) -> Contents<'a> {
    Contents { arguments, environment, random: *b"0123456789abcdef", capabilities: 7, more_capabilities: 2 }
}

struct Stack {
    pointer: u64,
    bytes: Vec<u8>,
}

impl Stack {
    fn word(&self, index: usize) -> u64 {
        let mut word = [0; 8];
        word.copy_from_slice(&self.bytes[8 * index..8 * index + 8]);
        u64::from_le_bytes(word)
    }

    fn string(&self, address: u64) -> &[u8] {
        let bytes = &self.bytes[(address - self.pointer) as usize..];
        bytes.split(|byte| *byte == 0).next().unwrap()
    }
}

#[test]
fn a_program_finds_its_arguments() {
    for extra in 0..16 {
        let long = std::vec![b'x'; extra];
        let arguments: &[&[u8]] = &[b"prog", b"", &long];
        let (pointer, bytes) = contents(arguments, &[b"A=1", b"B=2"]).build(&image(), TOP).unwrap();
        let stack = Stack { pointer, bytes };
        assert_eq!(pointer % 16, 0);
        assert_eq!(pointer + stack.bytes.len() as u64, TOP);
        assert_eq!(stack.word(0), 3);
        let strings: Vec<_> = (1..4).map(|index| stack.string(stack.word(index))).collect();
        assert_eq!(strings, arguments);
        assert_eq!(stack.word(4), 0);
        assert_eq!(stack.string(stack.word(5)), b"A=1");
        assert_eq!(stack.string(stack.word(6)), b"B=2");
        assert_eq!(stack.word(7), 0);
        let auxiliary = |kind: u32| {
            (8..).step_by(2).find(|index| stack.word(*index) == u64::from(kind)).map(|at| stack.word(at + 1))
        };
        assert_eq!(auxiliary(AT_PHDR), Some(0x40_0040));
        assert_eq!(auxiliary(AT_ENTRY), Some(0x40_1000));
        assert_eq!(auxiliary(AT_HWCAP), Some(7));
        assert_eq!(stack.string(auxiliary(AT_RANDOM).unwrap()), b"0123456789abcdef");
        assert_eq!(stack.string(auxiliary(AT_PLATFORM).unwrap()), b"x86_64");
        assert_eq!(stack.string(auxiliary(AT_EXECFN).unwrap()), b"prog");
        assert_eq!(auxiliary(AT_NULL), Some(0));
    }
}

#[test]
fn too_long_arguments_are_refused() {
    let long = std::vec![b'x'; MAX_STRING_LEN as usize];
    let refused = contents(&[&long], &[]).build(&image(), TOP);
    assert_eq!(refused, Err(StackError::TooLong { limit: MAX_STRING_LEN }));
    let many = std::vec![&long[1..]; 17];
    let refused = contents(&many, &[]).build(&image(), TOP);
    assert_eq!(refused, Err(StackError::TooLong { limit: MAX_ARGUMENTS_LEN }));
}

#[test]
fn entries_of_the_archive_are_split_at_nul_bytes() {
    assert_eq!(strings(b""), Ok(std::vec![]));
    assert_eq!(strings(b"a\0\0bc\0"), Ok(std::vec![&b"a"[..], b"", b"bc"]));
    assert_eq!(strings(b"a"), Ok(std::vec![&b"a"[..]]));
    assert_eq!(strings(b"\0"), Ok(std::vec![&b""[..]]));
}
