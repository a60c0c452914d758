// SPDX-License-Identifier: MIT
//! The symbols of a program that is run: which function an instruction of it belongs to.

use std::ops::Range;

use object::read::elf::ElfFile64;
use object::{Object, ObjectKind, SymbolMap, SymbolMapName};

use super::image::Image;
use super::program::USER_END;

/// Where the kernel puts what relocates itself: on a page at two thirds of user space.
pub const ANYWHERE: u64 = (USER_END / 3 * 2) & !0xfff;

/// A program's symbols; none of a file that has none.
#[derive(Debug)]
pub struct Symbols<'a> {
    map: SymbolMap<SymbolMapName<'a>>,
    /// What is added to the file's addresses.
    base: u64,
    /// The addresses behind which nothing is of the program.
    code: Vec<Range<u64>>,
}

impl<'a> Symbols<'a> {
    /// The symbols of an ELF file.
    pub fn of(elf: &'a [u8]) -> Self {
        let file = ElfFile64::<object::LittleEndian>::parse(elf).ok();
        let base = match file.as_ref().map(Object::kind) {
            Some(ObjectKind::Dynamic) => ANYWHERE,
            Some(_) | None => 0,
        };
        let code = Image::parse(elf).map(|image| image.code).unwrap_or_default();
        Self {
            map: file.map(|file| file.symbol_map()).unwrap_or_else(|| SymbolMap::new(Vec::new())),
            base,
            code,
        }
    }

    /// The function that an address lies in, and how far behind its beginning, such as `main+0x12`.
    pub fn name(&self, address: u64) -> Option<String> {
        let address = address.checked_sub(self.base)?;
        if !self.code.iter().any(|code| code.contains(&address)) {
            return None;
        }
        let symbol = self.map.get(address)?;
        let name = demangled(symbol.name());
        let offset = address - symbol.address();
        Some(if offset == 0 { name } else { format!("{name}+{offset:#x}") })
    }
}

/// A symbol as it stands in the source, without the hash that Rust adds.
pub fn demangled(symbol: &str) -> String {
    let name = addr2line::demangle_auto(symbol.into(), None);
    match name.rsplit_once("::h") {
        Some((path, hash)) if hash.len() == 16 && hash.chars().all(|c| c.is_ascii_hexdigit()) => path.into(),
        Some(_) | None => name.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::program;

    #[test]
    fn symbols_lose_their_hash() {
        let symbol = "_ZN6kernel4arch7channel6record17h0123456789abcdefE";
        assert_eq!(demangled(symbol), "kernel::arch::channel::record");
        assert_eq!(demangled("memcpy"), "memcpy");
    }

    #[test]
    fn a_file_without_symbols_names_nothing() {
        let file = program::tests::tiny(|_| ());
        assert_eq!(Symbols::of(&file).name(0x40_0078), None);
        assert_eq!(Symbols::of(b"no program").name(0), None);
    }

    #[test]
    fn an_address_has_the_name_of_the_function_around_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("program");
        let source = directory.path().join("program.c");
        std::fs::write(&source, "int one(void) { return 1; } void _start(void) { for (;;) one(); }").unwrap();
        let mut compiler = std::process::Command::new("gcc");
        compiler.args(["-static", "-nostdlib", "-o"]).arg(&path).arg(&source);
        assert!(compiler.status().unwrap().success());
        let file = std::fs::read(&path).unwrap();
        let symbols = Symbols::of(&file);
        let entry = ElfFile64::<object::LittleEndian>::parse(&*file).unwrap().entry();
        assert_eq!(symbols.name(entry).as_deref(), Some("_start"));
        assert_eq!(symbols.name(entry + 1).as_deref(), Some("_start+0x1"));
        assert_eq!((symbols.name(0), symbols.name(u64::MAX)), (None, None));
    }
}
