// SPDX-License-Identifier: MIT
//! The kernel's instructions that a model of costs gives a weight of their own, as they were executed: what the kernel
//! reports of them is held against it.

use anyhow::{Context, Result};
use iced_x86::{Code, Decoder, DecoderOptions, Instruction, MemorySize, Mnemonic, OpKind, Register};
use object::{Object, ObjectSection, SectionKind};
use wire::Events;

use super::counts::{Counts, of_the_run};
use super::names::Names;

/// The page of the local APIC (`kernel/src/arch/x86_64/map.rs`).
const APIC: u64 = 0xffff_ffff_c000_0000;
const PAGE_LEN: u64 = 4096;
/// A prefix of an instruction cannot be longer.
const LONGEST: u64 = 15;

/// How often each kind was executed in a run, by the name that it has in [`Events`].
pub struct Kinds(pub Vec<(&'static str, u64)>);

/// The names, in the order in which they are shown.
const NAMES: [&str; 12] = [
    "states",
    "selectors",
    "bases_written",
    "bases_read",
    "x87_resets",
    "x87_clears",
    "time_stamps",
    "apic_writes",
    "spaces_loaded",
    "pages_invalidated",
    "lines_copied",
    "lines_filled",
];

/// What is stored of a file at an address; nothing where that is no code.
pub fn bytes<'a>(file: &object::File<'a>, address: u64, length: u64) -> &'a [u8] {
    let mut sections = file.sections().filter(|section| section.kind() == SectionKind::Text);
    sections.find_map(|section| section.data_range(address, length).ok().flatten()).unwrap_or_default()
}

impl Kinds {
    /// Decodes what was executed of the kernel.
    pub fn of(code: &[u8], counts: &Counts, names: &Names) -> Result<Self> {
        let file = object::File::parse(code).context("the kernel")?;
        let mut found = NAMES.map(|name| (name, 0));
        for (address, phases) in counts.0.range(1 << 47..) {
            let longest = (1..=LONGEST).rev().map(|length| bytes(&file, *address, length));
            let stored = longest.into_iter().find(|bytes| !bytes.is_empty()).unwrap_or_default();
            let instruction = Decoder::with_ip(64, stored, *address, DecoderOptions::NONE).decode();
            let kind = kind(&instruction, || names.function(*address));
            if let Some((_, count)) = found.iter_mut().find(|(name, _)| Some(*name) == kind) {
                *count += of_the_run(phases);
            }
        }
        Ok(Self(found.into()))
    }

    /// The kinds as the kernel reports them, as far as they lie inside the run: without what the first entry does before
    /// the time stamp that begins the run, and without the time stamp that ends it.
    pub fn reported(events: &Events) -> Vec<(&'static str, u64)> {
        let Events {
            states,
            selectors,
            bases_written,
            bases_read,
            x87_resets,
            x87_clears,
            time_stamps,
            apic_writes,
            spaces_loaded,
            pages_invalidated,
            lines_copied,
            lines_filled,
            mapped,
            mapped_at_once,
            translation_flushes,
            ..
        } = *events;
        let figures = [
            states,
            selectors,
            bases_written,
            bases_read,
            x87_resets,
            x87_clears,
            time_stamps,
            apic_writes,
            // These are instructions that other kinds have as well, for other purposes.
            spaces_loaded + translation_flushes + mapped_at_once,
            pages_invalidated + mapped,
            lines_copied,
            lines_filled,
        ];
        let outside = |name: &str| match name {
            "states" | "x87_resets" | "apic_writes" | "time_stamps" => 1,
            // The first entry loads no selector and no base: the calibration has left them as a program begins.
            _ => 0,
        };
        let inside = NAMES.into_iter().zip(figures);
        inside.map(|(name, figure)| (name, figure.saturating_sub(outside(name)))).collect()
    }
}

/// What an instruction of the kernel counts as.
fn kind(instruction: &Instruction, function: impl Fn() -> String) -> Option<&'static str> {
    let is_memory = |at| instruction.op_count() > at && instruction.op_kind(at) == OpKind::Memory;
    let at_start = instruction.memory_displacement64() == 0;
    Some(match instruction.mnemonic() {
        Mnemonic::Xrstor64 => "states",
        Mnemonic::Mov
            if matches!(
                instruction.code(),
                Code::Mov_Sreg_rm16 | Code::Mov_Sreg_r32m16 | Code::Mov_Sreg_r64m16
            ) =>
        {
            "selectors"
        }
        Mnemonic::Wrmsr => "bases_written",
        Mnemonic::Rdmsr => "bases_read",
        Mnemonic::Fninit => "x87_resets",
        Mnemonic::Fnclex => "x87_clears",
        Mnemonic::Rdtsc => "time_stamps",
        Mnemonic::Invlpg => "pages_invalidated",
        Mnemonic::Mov if instruction.op0_register() == Register::CR3 => "spaces_loaded",
        // One of the four of each step.
        Mnemonic::Movups if is_memory(1) && at_start && function().ends_with("memcpy") => "lines_copied",
        Mnemonic::Movups if is_memory(0) && at_start && function().ends_with("memset") => "lines_filled",
        Mnemonic::Mov if is_memory(0) && instruction.memory_size() == MemorySize::UInt32 => {
            let direct = instruction.memory_base() == Register::None;
            let in_page = instruction.memory_displacement64().wrapping_sub(APIC) < PAGE_LEN;
            let is_apic = direct && in_page || function().ends_with("apic::write");
            return is_apic.then_some("apic_writes");
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: &[u8], function: &str) -> Option<&'static str> {
        kind(&Decoder::new(64, bytes, DecoderOptions::NONE).decode(), || function.to_owned())
    }

    #[test]
    fn instructions_are_told_apart() {
        assert_eq!(of(&[0xdb, 0xe3], ""), Some("x87_resets"));
        assert_eq!(of(&[0xdb, 0xe2], ""), Some("x87_clears"));
        assert_eq!(of(&[0x0f, 0x22, 0xd8], ""), Some("spaces_loaded"));
        assert_eq!(of(&[0x0f, 0x20, 0xd8], ""), None);
        assert_eq!(of(&[0x8e, 0x9f, 0x10, 0, 0, 0], ""), Some("selectors"));
        assert_eq!(of(&[0x8c, 0x9f, 0x10, 0, 0, 0], ""), None);
        // mov dword ptr [0xffffffffc0000380], 0
        let disarm = [0xc7, 0x04, 0x25, 0x80, 0x03, 0, 0xc0, 0, 0, 0, 0];
        assert_eq!(of(&disarm, "leave_user"), Some("apic_writes"));
        // mov dword ptr [rax], 0
        assert_eq!(of(&[0xc7, 0, 0, 0, 0, 0], "kernel::arch::apic::write"), Some("apic_writes"));
        assert_eq!(of(&[0xc7, 0, 0, 0, 0, 0], "kernel::main"), None);
        // movups xmm0, [rsi]; movups xmm1, [rsi + 16]
        assert_eq!(of(&[0x0f, 0x10, 0x06], "memcpy"), Some("lines_copied"));
        assert_eq!(of(&[0x0f, 0x10, 0x4e, 0x10], "memcpy"), None);
    }
}
