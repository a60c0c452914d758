// SPDX-License-Identifier: MIT
//! What a boot loader or a kernel needs of an executable's file: all of it that reaches the guest's memory.

use anyhow::{Context, Result, bail};
use object::LittleEndian as Le;
use object::elf::FileHeader64;
use object::pod::from_bytes_mut;
use object::read::elf::{FileHeader, ProgramHeader};

/// The part of an executable's file that is loaded: without symbols and what a debugger reads, which is most of it.
pub fn loaded(mut file: Vec<u8>) -> Result<Vec<u8>> {
    let header = FileHeader64::<Le>::parse(&*file).context("the ELF header")?;
    let segments = header.program_headers(Le, &*file).context("the program headers")?;
    let ends = segments.iter().map(|segment| segment.p_offset(Le).saturating_add(segment.p_filesz(Le)));
    let headers_end = header.e_phoff(Le).saturating_add(size_of_val(segments) as u64);
    let end = ends.fold(headers_end.max(size_of_val(header) as u64), u64::max);
    file.truncate(usize::try_from(end)?);
    let Ok((header, _)) = from_bytes_mut::<FileHeader64<Le>>(&mut file) else { bail!("it has no header") };
    // There are no sections any more.
    header.e_shoff.set(Le, 0);
    header.e_shnum.set(Le, 0);
    header.e_shstrndx.set(Le, 0);
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::program;

    #[test]
    fn what_is_not_loaded_is_left_out() {
        let file = program::tests::tiny(|_| ());
        let longer = [&file[..], b"symbols"].concat();
        assert_eq!(loaded(longer).unwrap(), loaded(file.clone()).unwrap());
        // Its headers stand behind what is loaded.
        let mut behind = [&file[..], b"symbols", &file[64..64 + 56]].concat();
        behind[32..40].copy_from_slice(&(file.len() as u64 + 7).to_le_bytes());
        assert_eq!(loaded(behind.clone()).unwrap().len(), behind.len());
        assert!(loaded(b"no executable".to_vec()).is_err());
    }
}
