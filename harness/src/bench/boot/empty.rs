// SPDX-License-Identifier: MIT
//! A guest that ends at its first instruction: an ELF file with a PVH note and three instructions.

use object::elf::{
    ELFCLASS64, ELFDATA2LSB, ELFMAG, EM_X86_64, ET_EXEC, EV_CURRENT, FileHeader64, Ident, PF_R, PF_X,
    PT_LOAD, PT_NOTE, ProgramHeader64,
};
use object::endian::{LittleEndian as Le, U16, U32, U64};
use object::pod::bytes_of;

/// Where it is loaded.
const BASE: u64 = 1 << 20;
/// Type of the note with the entry point for PVH (Xen public/elfnote.h: XEN_ELFNOTE_PHYS32_ENTRY).
const ENTRY_NOTE: u32 = 18;
/// MOV EAX, 0x10; OUT 0xF4, EAX: a normal end, as the kernel tells QEMU; HLT.
const CODE: [u8; 8] = [0xb8, 0x10, 0, 0, 0, 0xe7, 0xf4, 0xf4];

/// The file.
pub fn file() -> Vec<u8> {
    const HEADERS: usize = size_of::<FileHeader64<Le>>() + 2 * size_of::<ProgramHeader64<Le>>();
    const NOTE_LEN: usize = 24;
    let entry = BASE + (HEADERS + NOTE_LEN) as u64;
    let words: [u32; 6] = [4, 8, ENTRY_NOTE, u32::from_le_bytes(*b"Xen\0"), entry as u32, 0];
    let note: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let length = HEADERS + NOTE_LEN + CODE.len();
    let segment = |kind, flags, at: usize, length: usize| ProgramHeader64::<Le> {
        p_type: U32::new(Le, kind),
        p_flags: U32::new(Le, flags),
        p_offset: U64::new(Le, at as u64),
        p_vaddr: U64::new(Le, BASE + at as u64),
        p_paddr: U64::new(Le, BASE + at as u64),
        p_filesz: U64::new(Le, length as u64),
        p_memsz: U64::new(Le, length as u64),
        p_align: U64::new(Le, 4),
    };
    let header = FileHeader64::<Le> {
        e_ident: Ident {
            magic: ELFMAG,
            class: ELFCLASS64,
            data: ELFDATA2LSB,
            version: EV_CURRENT,
            os_abi: 0,
            abi_version: 0,
            padding: [0; 7],
        },
        e_type: U16::new(Le, ET_EXEC),
        e_machine: U16::new(Le, EM_X86_64),
        e_version: U32::new(Le, EV_CURRENT.into()),
        e_entry: U64::new(Le, entry),
        e_phoff: U64::new(Le, size_of::<FileHeader64<Le>>() as u64),
        e_shoff: U64::new(Le, 0),
        e_flags: U32::new(Le, 0),
        e_ehsize: U16::new(Le, size_of::<FileHeader64<Le>>() as u16),
        e_phentsize: U16::new(Le, size_of::<ProgramHeader64<Le>>() as u16),
        e_phnum: U16::new(Le, 2),
        e_shentsize: U16::new(Le, 0),
        e_shnum: U16::new(Le, 0),
        e_shstrndx: U16::new(Le, 0),
    };
    let segments = [segment(PT_LOAD, PF_R | PF_X, 0, length), segment(PT_NOTE, PF_R, HEADERS, NOTE_LEN)];
    [bytes_of(&header), bytes_of(&segments[0]), bytes_of(&segments[1]), &note, &CODE].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::image::Image;

    #[test]
    fn the_entry_point_is_at_the_code() {
        let file = file();
        let image = Image::parse(&file).unwrap();
        let at = (image.entry - BASE) as usize;
        assert_eq!(file[at..], CODE);
        assert_eq!((image.code.len(), &image.code[0]), (1, &(BASE..BASE + file.len() as u64)));
    }
}
