// SPDX-License-Identifier: MIT
//! Where in a program an address is: the function, and the line if the program has line tables.

use std::ops::Range;
use std::path::Path;

use addr2line::Loader;
use anyhow::{Context, Result, anyhow};
use object::LittleEndian as Le;
use object::elf::{ET_DYN, FileHeader64, PF_X, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};

use crate::host::input::{self, Bound};
use crate::workload::symbols::{ANYWHERE, demangled};

/// The bound of a program.
pub const BOUND: Bound = Bound { most: 512 << 20, of: "a program" };

/// The names and lines of a program.
pub struct Places {
    loader: Loader,
    /// Where the program's address 0 is in user space.
    base: u64,
    /// Where it has code, without that base.
    code: Vec<Range<u64>>,
}

impl Places {
    /// Reads the tables of a program.
    pub fn new(path: &Path) -> Result<Self> {
        let name = || path.display().to_string();
        let file = input::read(path, BOUND)?;
        let header = FileHeader64::<Le>::parse(&file[..]).with_context(name)?;
        let segments = header.program_headers(Le, &file[..]).with_context(name)?;
        let code = segments.iter().filter(|one| one.p_type(Le) == PT_LOAD && one.p_flags(Le) & PF_X != 0);
        let code = code.map(|one| one.p_vaddr(Le)..one.p_vaddr(Le).saturating_add(one.p_memsz(Le))).collect();
        let base = if header.e_type(Le) == ET_DYN { ANYWHERE } else { 0 };
        let loader = Loader::new(path).map_err(|error| anyhow!("the names in {}: {error}", name()))?;
        Ok(Self { loader, base, code })
    }

    /// The place of an address in words; none if it is not in the program.
    pub fn of(&self, address: u64) -> Option<String> {
        let address = address.checked_sub(self.base)?;
        self.code.iter().find(|code| code.contains(&address))?;
        let symbol = self.loader.find_symbol(address).map(demangled);
        let location = self.loader.find_location(address).ok().flatten();
        let line = location.and_then(|at| {
            // Where the program was compiled is nobody's business.
            let file = Path::new(at.file?).file_name()?.to_str()?.to_owned();
            Some(at.line.map_or_else(|| file.clone(), |line| format!("{file}:{line}")))
        });
        match (symbol, line) {
            (Some(symbol), Some(line)) => Some(format!("{symbol} ({line})")),
            (symbol, line) => symbol.or(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_wherever_the_program_lies() {
        let own = std::env::current_exe().unwrap();
        let places = Places::new(&own).unwrap();
        // Test programs can be anywhere.
        assert_eq!(places.base, ANYWHERE);
        let file = std::fs::read(&own).unwrap();
        let entry = u64::from_le_bytes(file[24..32].try_into().unwrap());
        assert_eq!(places.of(ANYWHERE + entry).as_deref(), Some("_start"));
        assert_eq!([0x1000, ANYWHERE, u64::MAX].map(|address| places.of(address)), [None, None, None]);
        let error = Places::new(Path::new("/no/such/file")).err().unwrap();
        assert!(format!("{error:#}").starts_with("/no/such/file: "), "{error:#}");
    }
}
