// SPDX-License-Identifier: MIT
//! From the boot loader to the kernel's [`entry_point`]: PVH (QEMU) and Multiboot2 (GRUB).
//!
//! Both enter [`boot_entry`] in 32-bit protected mode, paging off, with the
//! address of their information in EBX. The boot page tables map the first 4 GiB
//! at 0 (for the jump) and at the direct map, and the first GiB at -2 GiB (the
//! kernel image). `mem::layout` replaces them.

use core::arch::global_asm;

use arrayvec::ArrayVec;

use super::map;

/// What EAX holds after a Multiboot2 loader (Multiboot2 specification, 3.3).
const MULTIBOOT2_MAGIC: u32 = 0x36d7_6289;
/// First word of the PVH start info (Xen public/arch-x86/hvm/start_info.h).
const PVH_MAGIC: u32 = 0x336e_c578;
/// Pieces of memory that are taken from the boot map.
const MAX_REGIONS: usize = 64;

/// A piece of usable memory, in physical addresses.
#[derive(Clone, Copy, Debug)]
pub struct Region {
    /// First byte.
    pub start: u64,
    /// First byte behind it.
    pub end: u64,
}

/// A line of the firmware's memory map.
#[derive(Clone, Copy, Debug)]
pub struct MapEntry {
    /// First byte, in physical addresses.
    pub start: u64,
    /// Its length in bytes.
    pub length: u64,
    /// What it is (E820): 1 is usable memory.
    pub kind: u32,
}

/// What the boot loader says.
pub struct BootInfo {
    /// The firmware's memory map as it is.
    pub map: ArrayVec<MapEntry, MAX_REGIONS>,
    /// Where the firmware's tables begin, if the loader says so.
    pub rsdp: Option<u64>,
    /// Usable memory.
    pub memory: ArrayVec<Region, MAX_REGIONS>,
    /// Where the boot archive lies.
    pub archive: Option<Region>,
}

global_asm!(
    r#"
    .section .boot.header, "a", @progbits
    .balign 8
multiboot2_header:
    .long 0xe85250d6, 0, multiboot2_end - multiboot2_header
    .long -(0xe85250d6 + 0 + (multiboot2_end - multiboot2_header))
    .short 0, 0
    .long 8
multiboot2_end:

    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 4, 18
    .asciz "Xen"
    .long boot_entry

    .section .boot.bss, "aw", @nobits
    .balign 4096
boot_pml4: .skip 4096
boot_pdpt_low: .skip 4096
boot_pdpt_high: .skip 4096
boot_pd: .skip 4 * 4096

    /* From: GRUB or QEMU. 32-bit protected mode, flat segments, paging off,
       EAX = magic, EBX = information. No stack. To: booted(EAX, EBX). */
    .section .boot.text, "ax", @progbits
    .code32
    .global boot_entry
boot_entry:
    cli
    cld
    mov esi, eax
    mov edi, offset boot_pd
    mov eax, 0x83              /* present, writable, 2 MiB */
    mov ecx, 2048
2:  mov [edi], eax
    mov dword ptr [edi + 4], 0
    add eax, 0x200000
    add edi, 8
    dec ecx
    jnz 2b
    mov eax, offset boot_pd
    or eax, 3
    mov [boot_pdpt_high + 510 * 8], eax
    mov [boot_pdpt_low], eax
    add eax, 4096
    mov [boot_pdpt_low + 8], eax
    add eax, 4096
    mov [boot_pdpt_low + 16], eax
    add eax, 4096
    mov [boot_pdpt_low + 24], eax
    mov eax, offset boot_pdpt_low
    or eax, 3
    mov [boot_pml4], eax
    mov [boot_pml4 + 256 * 8], eax
    mov eax, offset boot_pdpt_high
    or eax, 3
    mov [boot_pml4 + 511 * 8], eax
    mov eax, offset boot_pml4
    mov cr3, eax
    mov eax, cr4
    or eax, 0x620              /* PAE, OSFXSR, OSXMMEXCPT */
    mov cr4, eax
    mov ecx, 0xc0000080        /* EFER */
    rdmsr
    or eax, 0x901              /* SCE, LME, NXE */
    wrmsr
    mov eax, cr0
    and eax, 0x9ffffffb        /* no EM, NW, CD */
    or eax, 0x80010023         /* PG, WP, NE, MP, PE */
    mov cr0, eax
    lgdt [boot_gdt_pointer]
    ljmp 8, offset boot_long
    .code64
boot_long:
    xor eax, eax
    mov ds, eax
    mov es, eax
    mov fs, eax
    mov gs, eax
    mov ss, eax
    mov edi, esi
    mov esi, ebx
    movabs rsp, offset {stack} + {stack_len}
    movabs rax, offset booted
    call rax
    ud2
    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff
boot_gdt_pointer:
    .short boot_gdt_pointer - boot_gdt - 1
    .long boot_gdt
    .text
"#,
    stack = sym super::segment::KERNEL_STACK,
    stack_len = const super::segment::KERNEL_STACK_LEN,
);

/// Names the function that the boot code calls, with what the boot loader says.
macro_rules! entry_point {
    ($main:path) => {
        #[expect(unsafe_code, reason = "the boot code knows it by this name, which nothing else has")]
        #[unsafe(no_mangle)]
        extern "C" fn booted(magic: u32, address: u32) -> ! {
            let main: fn(&$crate::arch::boot::BootInfo) -> ! = $main;
            main(&$crate::arch::boot::BootInfo::read(magic, address))
        }
    };
}

pub(crate) use entry_point;

#[repr(C)]
struct PvhStartInfo {
    magic: u32,
    version: u32,
    flags: u32,
    modules: u32,
    modules_address: u64,
    command_line: u64,
    rsdp: u64,
    map_address: u64,
    map_entries: u32,
    reserved: u32,
}

#[repr(C)]
struct PvhModule {
    address: u64,
    length: u64,
    command_line: u64,
    reserved: u64,
}

#[repr(C)]
struct PvhMapEntry {
    address: u64,
    length: u64,
    kind: u32,
    reserved: u32,
}

/// The kind of memory map entries that may be used (E820).
const USABLE: u32 = 1;

/// What a PVH loader left: no loader promises to align it, and QEMU's smallest firmware does not.
///
/// # Safety
/// So many of these lie at this physical address, which is mapped, and one more.
unsafe fn left_at<T>(address: u64, index: u64) -> T {
    // SAFETY: the caller's.
    unsafe { map::pointer::<T>(address + index * size_of::<T>() as u64).read_unaligned() }
}

impl BootInfo {
    /// Reads what the loader left. `magic` and `address` are what it passed.
    ///
    /// # Panics
    /// If it is neither of the two loaders, or names more pieces of memory than
    /// there is room for.
    pub fn read(magic: u32, address: u32) -> Self {
        if magic == MULTIBOOT2_MAGIC { Self::multiboot2(address) } else { Self::pvh(address) }
    }

    fn pvh(address: u32) -> Self {
        // SAFETY: a PVH loader leaves its start info at this physical address below
        // 4 GiB, which the boot page tables map; the magic is checked next.
        let info: PvhStartInfo = unsafe { left_at(address.into(), 0) };
        assert_eq!(info.magic, PVH_MAGIC, "neither Multiboot2 nor PVH started this kernel");
        let map = (0..info.map_entries.into())
            // SAFETY: the start info names an array of that many entries (version 1 and up).
            .map(|index| unsafe { left_at::<PvhMapEntry>(info.map_address, index) })
            .map(|entry| MapEntry { start: entry.address, length: entry.length, kind: entry.kind });
        let archive = (info.modules > 0).then(|| {
            // SAFETY: the start info names an array of that many modules.
            let module: PvhModule = unsafe { left_at(info.modules_address, 0) };
            Region { start: module.address, end: module.address + module.length }
        });
        Self::new(map, archive, Some(info.rsdp).filter(|address| *address != 0))
    }

    fn multiboot2(address: u32) -> Self {
        let pointer = map::pointer::<multiboot2::BootInformationHeader>(u64::from(address));
        // SAFETY: a Multiboot2 loader leaves its information at this physical
        // address below 4 GiB, which the boot page tables map.
        let info = match unsafe { multiboot2::BootInformation::load(pointer) } {
            Ok(info) => info,
            Err(error) => panic!("the Multiboot2 information is unusable: {error:?}"),
        };
        let areas = info.memory_map_tag().map(|tag| tag.memory_areas()).unwrap_or(&[]);
        let map = areas.iter().map(|area| MapEntry {
            start: area.start_address(),
            length: area.size(),
            kind: area.typ().into(),
        });
        let archive = info
            .module_tags()
            .next()
            .map(|module| Region { start: module.start_address().into(), end: module.end_address().into() });
        // Behind a tag's type and size is a copy of what firmware has.
        let copy = |tag: u64| tag - map::DIRECT_MAP + 8;
        let newer = info.rsdp_v2_tag().map(|tag| copy(core::ptr::from_ref(tag) as u64));
        let older = info.rsdp_v1_tag().map(|tag| copy(core::ptr::from_ref(tag) as u64));
        Self::new(map, archive, newer.or(older))
    }

    fn new(map: impl Iterator<Item = MapEntry>, archive: Option<Region>, rsdp: Option<u64>) -> Self {
        #[expect(clippy::disallowed_methods, reason = "an ArrayVec takes nothing of the heap")]
        let map: ArrayVec<MapEntry, MAX_REGIONS> = map.collect();
        let usable = map.iter().filter(|entry| entry.kind == USABLE);
        let memory = usable.map(|entry| Region { start: entry.start, end: entry.start + entry.length });
        #[expect(clippy::disallowed_methods, reason = "an ArrayVec takes nothing of the heap")]
        let memory = memory.collect();
        Self { map, memory, archive, rsdp }
    }
}
