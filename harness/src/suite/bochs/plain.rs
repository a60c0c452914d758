// SPDX-License-Identifier: MIT
//! Which programs every emulator has to execute alike, to the last bit of state: those that have no
//! C library, execute no CPUID, and no REP, whose iterations an emulator may count in its own way.

use anyhow::{Context as _, Result, ensure};
use iced_x86::{Code, Decoder, DecoderOptions, Instruction, InstructionInfoFactory, OpAccess};
use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol, SectionFlags};

/// What the start of every program with the C library calls.
const LIBRARY: &str = "__libc_start_main";

/// Whether this ELF file is such a program. Its code is read from end to end: what cannot be decoded may be anything.
pub fn is_plain(elf: &[u8]) -> Result<bool> {
    let file = object::File::parse(elf)?;
    let mut names = file.symbols().filter_map(|symbol| symbol.name().ok()).peekable();
    ensure!(names.peek().is_some(), "it has no symbols, which would tell whether it has the C library");
    if names.any(|name| name.starts_with(LIBRARY)) {
        return Ok(false);
    }
    let mut bytes = 0;
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        if sh_flags & u64::from(object::elf::SHF_EXECINSTR) == 0 {
            continue;
        }
        let code = section.data().context("a section of code")?;
        bytes += code.len();
        if !code_is_plain(code) {
            return Ok(false);
        }
    }
    ensure!(bytes > 0, "it has no code");
    Ok(true)
}

fn code_is_plain(code: &[u8]) -> bool {
    Decoder::new(64, code, DecoderOptions::NONE)
        .into_iter()
        .all(|instruction| is_plain_instruction(&instruction))
}

fn is_plain_instruction(instruction: &Instruction) -> bool {
    let prefixed = instruction.has_rep_prefix() || instruction.has_repne_prefix();
    let repeats = instruction.is_string_instruction() && prefixed;
    !instruction.is_invalid() && instruction.code() != Code::Cpuid && !repeats
}

/// Whether the instruction at `rip` changes what it finds in memory.
pub fn changes_memory(elf: &[u8], rip: u64) -> Result<bool> {
    const LONGEST: u64 = 15;
    let file = object::File::parse(elf)?;
    let code = file.segments().find_map(|segment| segment.data_range(rip, LONGEST).ok().flatten());
    Ok(instruction_changes_memory(code.with_context(|| format!("there is no code at {rip:#x}"))?))
}

fn instruction_changes_memory(code: &[u8]) -> bool {
    let instruction = Decoder::new(64, code, DecoderOptions::NONE).decode();
    let mut info = InstructionInfoFactory::new();
    let used = info.info(&instruction).used_memory();
    used.iter().any(|used| matches!(used.access(), OpAccess::ReadWrite | OpAccess::ReadCondWrite))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rep_and_cpuid_are_found_among_others() {
        // NOP, PAUSE, ENDBR64, RET with a prefix that means nothing, MOVSS, MOVSD, MOVSB.
        for plain in [
            &b"\x90"[..],
            b"\xf3\x90",
            b"\xf3\x0f\x1e\xfa",
            b"\xf3\xc3",
            b"\xf3\x0f\x10\xc1",
            b"\xf2\x0f\x10\xc1",
            b"\xa4",
        ] {
            assert!(code_is_plain(&[plain, b"\xc3"].concat()), "{plain:x?}");
        }
        // CPUID, REP MOVSB, REP STOSQ, REPE CMPSB, REPNE SCASB, nothing that there is.
        for other in [&b"\x0f\xa2"[..], b"\xf3\xa4", b"\xf3\x48\xab", b"\xf3\xa6", b"\xf2\xae", b"\x06"] {
            assert!(!code_is_plain(&[b"\x90", other, b"\xc3"].concat()), "{other:x?}");
        }
    }

    #[test]
    fn a_store_is_no_change() {
        // ADD [RAX], R9; INC [RAX]; XCHG [RAX], ECX; then MOV [RAX], R9; ADD R9, [RAX]; CMP [RAX], R9; PUSH RAX.
        for change in [&b"\x4c\x01\x08"[..], b"\xff\x00", b"\x87\x08"] {
            assert!(instruction_changes_memory(change), "{change:x?}");
        }
        for other in [&b"\x4c\x89\x08"[..], b"\x4c\x03\x08", b"\x4c\x39\x08", b"\x50"] {
            assert!(!instruction_changes_memory(other), "{other:x?}");
        }
    }
}
