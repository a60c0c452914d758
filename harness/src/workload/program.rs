// SPDX-License-Identifier: MIT
//! Whether a file can be run at all: a static x86-64 executable in user space.
//!
//! The kernel checks for itself; this is for a clear line before anything boots.

use std::fmt;

use object::LittleEndian as Le;
use object::elf::{
    DF_1_PIE, DT_FLAGS_1, Dyn64, ELFCLASS64, ELFDATA2LSB, ELFMAG, EM_X86_64, ET_EXEC, FileHeader64,
    PT_INTERP, PT_LOAD, ProgramHeader64,
};
use object::read::elf::{Dyn, FileHeader, ProgramHeader, SectionHeader};

/// The first address of user space.
pub const USER_START: u64 = 0x1000;
/// The address behind user space, one page below 2^47.
pub const USER_END: u64 = 0x7fff_ffff_f000;

/// Why a file cannot be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The file has no ELF magic.
    #[error("not an ELF file")]
    NotElf,
    /// The file is 32-bit, big-endian, or for another processor.
    #[error("not for this machine: only 64-bit x86-64 ELF files run")]
    OtherMachine,
    /// The file is an object file or a core dump.
    #[error("not an executable: an ELF file of another type")]
    NotExecutable,
    /// The file wants a dynamic linker, or is a library.
    #[error("dynamically linked: only static executables run ({0})")]
    Dynamic(Toolchain),
    /// Headers or a segment reach past the end of the file.
    #[error("truncated: headers or a segment reach past the end of the file")]
    Truncated,
    /// A segment lies outside user space.
    #[error("a segment at {address:#x} lies outside user space ({start:#x} to {end:#x})", start = USER_START, end = USER_END)]
    Outside {
        /// Its address.
        address: u64,
    },
    /// The file has nothing to load.
    #[error("an ELF file without a segment to load")]
    Empty,
}

/// What a program was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Toolchain {
    /// A Rust compiler.
    Rust,
    /// GCC or Clang.
    C,
    /// It does not say.
    Unknown,
}

/// How a static executable is made with it.
impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const RUST: &str = "rustc -C target-feature=+crt-static";
        const C: &str = "gcc -static";
        match self {
            Self::Rust => f.write_str(RUST),
            Self::C => f.write_str(C),
            Self::Unknown => write!(f, "{C}; {RUST}"),
        }
    }
}

impl Toolchain {
    /// What compilers leave in a file. Rust's programs have C's start code with its mark in them, too.
    fn of(header: &FileHeader64<Le>, bytes: &[u8]) -> Self {
        let comment = || {
            let sections = header.sections(Le, bytes).ok()?;
            let (_, section) = sections.section_by_name(Le, b".comment")?;
            section.data(Le, bytes).ok()
        };
        let comment = comment().map(String::from_utf8_lossy).unwrap_or_default();
        if comment.contains("rustc") {
            Self::Rust
        } else if comment.contains("GCC") || comment.contains("clang") {
            Self::C
        } else {
            Self::Unknown
        }
    }
}

/// Whether a segment has the dynamic section of a position-independent executable.
fn is_executable(segment: &ProgramHeader64<Le>, bytes: &[u8]) -> bool {
    let entries = segment.dynamic(Le, bytes).ok().flatten().unwrap_or(&[]);
    let is_flag = |entry: &Dyn64<Le>| entry.tag32(Le) == Some(DT_FLAGS_1);
    entries.iter().filter(|entry| is_flag(entry)).any(|entry| entry.d_val(Le) & u64::from(DF_1_PIE) != 0)
}

/// Checks that the bytes of a file are a program that can be run.
pub fn check(bytes: &[u8]) -> Result<(), Unfit> {
    let Some(ident) = bytes.get(..6) else {
        return Err(if ELFMAG.starts_with(bytes) && !bytes.is_empty() {
            Unfit::Truncated
        } else {
            Unfit::NotElf
        });
    };
    if !ident.starts_with(&ELFMAG) {
        return Err(Unfit::NotElf);
    }
    if ident[4] != ELFCLASS64 || ident[5] != ELFDATA2LSB {
        return Err(Unfit::OtherMachine);
    }
    let header = FileHeader64::<Le>::parse(bytes).map_err(|_| Unfit::Truncated)?;
    if header.e_machine(Le) != EM_X86_64 {
        return Err(Unfit::OtherMachine);
    }
    let segments = header.program_headers(Le, bytes).map_err(|_| Unfit::Truncated)?;
    match header.e_type(Le) {
        ET_EXEC => {}
        // An executable that relocates itself says that it is one; a library does not.
        object::elf::ET_DYN if segments.iter().any(|segment| is_executable(segment, bytes)) => {}
        object::elf::ET_DYN => return Err(Unfit::Dynamic(Toolchain::of(header, bytes))),
        _ => return Err(Unfit::NotExecutable),
    }
    if segments.iter().any(|segment| segment.p_type(Le) == PT_INTERP) {
        return Err(Unfit::Dynamic(Toolchain::of(header, bytes)));
    }
    let mut loads = segments.iter().filter(|segment| segment.p_type(Le) == PT_LOAD).peekable();
    if loads.peek().is_none() {
        return Err(Unfit::Empty);
    }
    for segment in loads {
        let file_end = segment.p_offset(Le).checked_add(segment.p_filesz(Le)).ok_or(Unfit::Truncated)?;
        if file_end > bytes.len() as u64 {
            return Err(Unfit::Truncated);
        }
        let address = segment.p_vaddr(Le);
        let end = address.checked_add(segment.p_memsz(Le)).ok_or(Unfit::Outside { address })?;
        // What relocates itself begins at 0, and is put elsewhere.
        if header.e_type(Le) == ET_EXEC && address < USER_START || end > USER_END {
            return Err(Unfit::Outside { address });
        }
    }
    Ok(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A minimal ELF file with one segment; `change` may spoil it.
    pub(crate) fn tiny(change: impl FnOnce(&mut [u8])) -> Vec<u8> {
        let mut file = vec![0; 64 + 56 + 8];
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        put(0, &[0x7f, b'E', b'L', b'F', 2, 1, 1]);
        put(16, &2u16.to_le_bytes()); // ET_EXEC
        put(18, &62u16.to_le_bytes()); // EM_X86_64
        put(20, &1u32.to_le_bytes());
        put(24, &0x40_0078u64.to_le_bytes()); // entry
        put(32, &64u64.to_le_bytes()); // program headers
        put(52, &64u16.to_le_bytes());
        put(54, &56u16.to_le_bytes());
        put(56, &1u16.to_le_bytes()); // one of them
        put(64, &1u32.to_le_bytes()); // PT_LOAD
        put(68, &5u32.to_le_bytes());
        put(72, &0u64.to_le_bytes()); // offset
        put(80, &0x40_0000u64.to_le_bytes()); // address
        put(96, &128u64.to_le_bytes()); // size in the file
        put(104, &128u64.to_le_bytes()); // size in memory
        change(&mut file);
        file
    }

    #[test]
    fn a_static_executable_is_fit() {
        assert_eq!(check(&tiny(|_| ())), Ok(()));
    }

    #[test]
    fn what_is_unfit_is_named() {
        assert_eq!(check(b""), Err(Unfit::NotElf));
        assert_eq!(check(b"#!/bin/sh\n"), Err(Unfit::NotElf));
        assert_eq!(check(b"\x7fELF"), Err(Unfit::Truncated));
        assert_eq!(check(&tiny(|file| file[4] = 1)), Err(Unfit::OtherMachine));
        assert_eq!(check(&tiny(|file| file[5] = 2)), Err(Unfit::OtherMachine));
        assert_eq!(check(&tiny(|file| file[18] = 183)), Err(Unfit::OtherMachine));
        assert_eq!(check(&tiny(|file| file[16] = 1)), Err(Unfit::NotExecutable));
        assert_eq!(check(&tiny(|file| file[16] = 3)), Err(Unfit::Dynamic(Toolchain::Unknown)));
        assert_eq!(check(&tiny(|file| file[64] = 3)), Err(Unfit::Dynamic(Toolchain::Unknown)));
        assert_eq!(check(&tiny(|file| file[64] = 4)), Err(Unfit::Empty));
        assert_eq!(check(&tiny(|_| ())[..100]), Err(Unfit::Truncated));
        assert_eq!(check(&tiny(|_| ())[..127]), Err(Unfit::Truncated));
        assert_eq!(check(&tiny(|file| file[72..80].fill(0xff))), Err(Unfit::Truncated));
    }

    #[test]
    fn what_a_program_was_made_with_is_named_with_its_flags() {
        // These tests themselves.
        let ours = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(check(&ours), Err(Unfit::Dynamic(Toolchain::Rust)));
        let text = Unfit::Dynamic(Toolchain::Rust).to_string();
        assert!(text.contains("crt-static") && !text.contains("gcc"), "{text}");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("program");
        let mut compiler = std::process::Command::new("gcc");
        compiler.args(["-x", "c", "-shared", "-nostdlib", "/dev/null", "-o"]).arg(&path);
        assert!(compiler.status().unwrap().success());
        assert_eq!(check(&std::fs::read(&path).unwrap()), Err(Unfit::Dynamic(Toolchain::C)));
    }

    #[test]
    fn user_space_has_bounds() {
        let at = |address: u64| check(&tiny(|file| file[80..88].copy_from_slice(&address.to_le_bytes())));
        assert_eq!(at(USER_START), Ok(()));
        assert_eq!(at(USER_END - 128), Ok(()));
        for address in [0, USER_START - 1, USER_END - 127, 0xffff_8000_0000_0000, u64::MAX] {
            assert_eq!(at(address), Err(Unfit::Outside { address }));
        }
    }
}
