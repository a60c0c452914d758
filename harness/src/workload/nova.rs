// SPDX-License-Identifier: MIT
//! What a NOVA system is booted with: the root task's image, which has to be one that can be mapped where it lies, and
//! further modules.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use flate2::read::MultiGzDecoder;
use object::LittleEndian as Le;
use object::elf::{ELFCLASS64, ELFDATA2LSB, ELFMAG, EM_X86_64, ET_EXEC, FileHeader64, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use wire::clock::{Clock, ClockKind};
use wire::config::Job;
use wire::nova::{Nova, System};

use super::archive::{self, Contents, Module};
use super::request::Request;
use super::{catalogue, init};
use crate::host::destination::Files;
use crate::host::input::{self, Deadline};

/// Modules that a system may be told of, the image included.
const MOST_MODULES: usize = 32;
/// The longest command line of a module, in bytes: with its end it fills a page.
const MOST_COMMAND_LINE: usize = PAGE_LEN as usize - 1;
const PAGE_LEN: u64 = 4096;
/// What core's machine has, and how much of that the kernel keeps, in MiB.
const CONFIGURED_MIB: (u32, u32) = (256, 64);
/// What a file begins with that gzip has packed.
const GZIP: &[u8] = b"\x1f\x8b";
/// The first address that a root task does not have for its image: that of its first message page.
const USER_END: u64 = 0x7fff_bfff_e000;

/// What a command line says of a system.
#[derive(Clone, Debug, Default)]
pub struct Given {
    /// The file of the root task's image, or the name of one of ours.
    pub image: PathBuf,
    /// The configuration and the components that core is given, if that is the image.
    pub init: Option<init::Given>,
    /// Further modules, each with its command line.
    pub modules: Vec<(PathBuf, Option<String>)>,
    /// The command line of the image.
    pub append: Option<String>,
    /// The text on the console at which the run ends.
    pub until: Option<String>,
}

/// A system that was named.
#[derive(Debug)]
pub struct Named {
    /// All of it.
    pub contents: Contents,
    image: PathBuf,
    modules: Vec<PathBuf>,
}

impl Named {
    /// The files that all of this was read from.
    pub fn files(&self) -> Files {
        Files::default().read("the image", [&self.image]).read("--module", &self.modules)
    }
}

/// Why an image cannot be booted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Unfit {
    #[error("not an ELF file")]
    NotElf,
    #[error("not a 64-bit x86-64 executable")]
    OtherMachine,
    #[error("truncated: headers or a segment reach past the end of the file")]
    Truncated,
    #[error("the segment at {0:#x} is larger in memory than in the file; an image is mapped where it lies")]
    NotInFile(u64),
    #[error("the segment at {0:#x} lies at another place in its page than in the file ({1:#x})")]
    Displaced(u64, u64),
    #[error("the segment at {0:#x} lies outside of {start:#x} to {end:#x}", start = PAGE_LEN, end = USER_END)]
    Outside(u64),
    #[error("an ELF file without a segment to load")]
    Empty,
}

/// A boot of one of our root tasks by its name, on a machine with so much memory, of which the kernel keeps so much.
pub fn root_task(name: &str, command_line: Option<&str>, memory: (u32, u32)) -> Result<Request> {
    let append = command_line.map(str::to_owned);
    boot(&Given { image: PathBuf::from(name), append, ..Given::default() }, memory)
}

/// A boot of core and init with a configuration, as `run init` does it.
pub fn configured(config: PathBuf) -> Result<Request> {
    let init = Some(init::Given { config: Some(config), ..init::Given::default() });
    boot(&Given { image: init::CORE.into(), init, ..Given::default() }, CONFIGURED_MIB)
}

fn boot(given: &Given, (memory_mib, kernel_mib): (u32, u32)) -> Result<Request> {
    let contents = named(given, None)?.contents;
    let kernel_memory_len = u64::from(kernel_mib) << 20;
    let system = System::Nova(Nova { kernel_memory_len, run_for_ns: None, logs_calls: false });
    let clock = Clock { kind: ClockKind::Machine, ..Clock::default() };
    Ok(Request { contents, system, clock, memory_mib, ..Request::job(Job::Run) })
}

/// Reads all that a system is given, up to a deadline, and checks it.
pub fn named(given: &Given, deadline: Option<Deadline>) -> Result<Named> {
    let mut listed = given.init.as_ref().map_or(Ok(Vec::new()), init::modules)?;
    listed.extend_from_slice(&given.modules);
    ensure!(
        listed.len() < MOST_MODULES,
        "{} modules and the image; the limit is {MOST_MODULES} together",
        listed.len()
    );
    let mut left = archive::GIVEN.most;
    let mut read = |path: &Path| -> Result<Vec<u8>> {
        let bytes = input::read_by(path, archive::GIVEN, left, deadline)?;
        left -= bytes.len() as u64;
        Ok(bytes)
    };
    let image = if given.init.is_some() { catalogue::core()? } else { image_path(&given.image)? };
    let bytes = unpacked(read(&image)?, archive::GIVEN.most).with_context(|| image.display().to_string())?;
    check(&bytes).with_context(|| image.display().to_string())?;
    let mut modules =
        vec![Module { bytes, command_line: command_line("--append", given.append.as_deref())? }];
    let names = if given.init.is_some() { "--module" } else { "--module-args" };
    for (path, text) in &listed {
        let command_line = command_line(names, text.as_deref())?;
        modules.push(Module { bytes: read(path)?, command_line });
    }
    let until = given.until.clone().unwrap_or_default().into_bytes();
    let contents = Contents { modules, until, ..Contents::default() };
    Ok(Named { contents, image, modules: listed.into_iter().map(|(path, _)| path).collect() })
}

/// The file of an image: that of one of ours, which is built first, if there is no other of that name.
fn image_path(image: &Path) -> Result<PathBuf> {
    let own = match image.to_str() {
        Some(name) if !image.exists() => catalogue::root_task(name)?,
        _ => None,
    };
    Ok(own.unwrap_or_else(|| image.to_owned()))
}

fn command_line(option: &str, text: Option<&str>) -> Result<Option<Vec<u8>>> {
    let Some(text) = text else { return Ok(None) };
    let length = text.len();
    ensure!(length <= MOST_COMMAND_LINE, "{option}: {length} bytes; the limit is {MOST_COMMAND_LINE}");
    Ok(Some(text.as_bytes().to_vec()))
}

/// What gzip has packed, or what it has not.
fn unpacked(bytes: Vec<u8>, most: u64) -> Result<Vec<u8>> {
    if !bytes.starts_with(GZIP) {
        return Ok(bytes);
    }
    let mut unpacked = Vec::new();
    let read = MultiGzDecoder::new(&*bytes).take(most + 1).read_to_end(&mut unpacked);
    read.map_err(|error| anyhow!("cannot be unpacked: {error}"))?;
    ensure!(unpacked.len() as u64 <= most, "too long when unpacked; the limit is {most} bytes");
    Ok(unpacked)
}

/// Checks that an image can be mapped where it lies.
fn check(bytes: &[u8]) -> Result<(), Unfit> {
    if !bytes.starts_with(&ELFMAG) {
        return Err(Unfit::NotElf);
    }
    let header = FileHeader64::<Le>::parse(bytes).map_err(|_| Unfit::OtherMachine)?;
    let ident = header.e_ident();
    let is_ours = ident.class == ELFCLASS64 && ident.data == ELFDATA2LSB && header.e_machine(Le) == EM_X86_64;
    if !is_ours || header.e_type(Le) != ET_EXEC {
        return Err(Unfit::OtherMachine);
    }
    let headers = header.program_headers(Le, bytes).map_err(|_| Unfit::Truncated)?;
    let mut loaded =
        headers.iter().filter(|header| header.p_type(Le) == PT_LOAD && header.p_memsz(Le) > 0).peekable();
    if loaded.peek().is_none() {
        return Err(Unfit::Empty);
    }
    for header in loaded {
        let (offset, address, size) = (header.p_offset(Le), header.p_vaddr(Le), header.p_filesz(Le));
        if offset.checked_add(size).is_none_or(|end| end > bytes.len() as u64) {
            return Err(Unfit::Truncated);
        }
        if header.p_memsz(Le) != size {
            return Err(Unfit::NotInFile(address));
        }
        if offset % PAGE_LEN != address % PAGE_LEN {
            return Err(Unfit::Displaced(address, offset));
        }
        if address < PAGE_LEN || address.checked_add(size).is_none_or(|end| end > USER_END) {
            return Err(Unfit::Outside(address));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// An image with one segment: its place in the file, its address, its size there and in memory.
    fn image(offset: u64, address: u64, size: u64, in_memory: u64) -> Vec<u8> {
        let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        bytes.extend([2u16, 62].iter().flat_map(|it| it.to_le_bytes()));
        bytes.extend(1u32.to_le_bytes());
        bytes.extend([address, 64, 0].iter().flat_map(|it| it.to_le_bytes()));
        bytes.extend(0u32.to_le_bytes());
        bytes.extend([64u16, 56, 1, 64, 0, 0].iter().flat_map(|it| it.to_le_bytes()));
        bytes.extend([PT_LOAD, 5].iter().flat_map(|it| it.to_le_bytes()));
        bytes.extend([offset, address, 0, size, in_memory, 4096].iter().flat_map(|it| it.to_le_bytes()));
        bytes.resize(0x2000, 0);
        bytes
    }

    #[test]
    fn an_image_has_to_lie_in_its_file_as_in_memory() {
        assert_eq!(check(&image(0x1000, 0x10_0000, 0x1000, 0x1000)), Ok(()));
        assert_eq!(check(&image(0x1000, 0x10_0000, 0x10, 0x20)), Err(Unfit::NotInFile(0x10_0000)));
        assert_eq!(check(&image(0x1000, 0x10_0001, 0x10, 0x10)), Err(Unfit::Displaced(0x10_0001, 0x1000)));
        assert_eq!(check(&image(0x1000, 0x10_0000, 0x1001, 0x1001)), Err(Unfit::Truncated));
        assert_eq!(check(&image(0x1000, USER_END, 0x10, 0x10)), Err(Unfit::Outside(USER_END)));
        assert_eq!(check(&image(0x1000, 0x10_0000, 0, 0)), Err(Unfit::Empty));
        assert_eq!(check(b"\x7fEL"), Err(Unfit::NotElf));
        assert_eq!(check(b"\x7fELF"), Err(Unfit::OtherMachine));
    }

    #[test]
    fn what_gzip_has_packed_is_unpacked_up_to_a_limit() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&[7; 1000]).unwrap();
        let packed = encoder.finish().unwrap();
        assert_eq!(unpacked(packed.clone(), 1000).unwrap(), [7; 1000]);
        let told = |bytes, most| unpacked(bytes, most).unwrap_err().to_string();
        assert_eq!(told(packed.clone(), 999), "too long when unpacked; the limit is 999 bytes");
        assert!(told(packed[..20].to_vec(), 1000).starts_with("cannot be unpacked: "));
        assert_eq!(unpacked(vec![1, 2], 2).unwrap(), [1, 2]);
    }

    #[test]
    fn a_command_line_fits_a_page() {
        assert_eq!(command_line("--append", Some(&"x".repeat(4095))).unwrap().unwrap().len(), 4095);
        let error = command_line("--append", Some(&"x".repeat(4096))).unwrap_err().to_string();
        assert_eq!(error, "--append: 4096 bytes; the limit is 4095");
    }
}
