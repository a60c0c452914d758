// SPDX-License-Identifier: MIT
//! Files that a command writes: checked against what it reads and against each other before
//! there is anything to lose, and there complete or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Seek, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, ensure};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, openat};
use serde_json::Value;

use super::console;

/// The path that stands for standard output.
pub const STANDARD_OUTPUT: &str = "-";
/// How many links to links are followed.
const MAX_LINKS: usize = 40;

/// What a path leads to; two paths of equal places are one file.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// A file that is there, by device and inode.
    File(u64, u64),
    /// One that is not, by its directory's device and inode, and its name.
    Absent(u64, u64, PathBuf),
    /// Standard output, which one thing can be written to.
    Standard,
    /// Nothing that one could lose: a device, a pipe, or no place at all.
    Other,
}

impl Place {
    fn of(path: &Path) -> Self {
        if is_standard(path) { Self::Standard } else { Self::behind(path, MAX_LINKS) }
    }

    fn behind(path: &Path, links: usize) -> Self {
        if let Ok(metadata) = fs::metadata(path) {
            let (device, inode) = (metadata.dev(), metadata.ino());
            return if metadata.is_file() { Self::File(device, inode) } else { Self::Other };
        }
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        if let (Ok(target), Some(links)) = (fs::read_link(path), links.checked_sub(1)) {
            return Self::behind(&parent.join(target), links);
        }
        match (fs::metadata(parent), path.file_name()) {
            (Ok(metadata), Some(name)) => Self::Absent(metadata.dev(), metadata.ino(), name.into()),
            _ => Self::Other,
        }
    }
}

/// Whether a path stands for standard output.
pub fn is_standard(path: &Path) -> bool {
    path == Path::new(STANDARD_OUTPUT)
}

/// The files of a command, by what they are for.
#[derive(Debug, Default)]
pub struct Files {
    all: Vec<(String, PathBuf, Place)>,
    destinations: Vec<Destination>,
}

impl Files {
    /// Files that the command reads, where it has got some.
    pub fn read<'a>(mut self, what: &str, paths: impl IntoIterator<Item = &'a PathBuf>) -> Self {
        let named = |path: &PathBuf| (what.to_owned(), path.clone(), Place::behind(path, MAX_LINKS));
        self.all.extend(paths.into_iter().map(named));
        self
    }

    /// A file that the command writes, if it is to.
    pub fn written(mut self, option: &'static str, path: Option<&PathBuf>) -> Result<Self> {
        let Some(path) = path else { return Ok(self) };
        let place = Place::of(path);
        let standard = [("standard output", "/dev/stdout"), ("standard error", "/dev/stderr")];
        let standard =
            standard.map(|(what, path)| (what.to_owned(), PathBuf::from(path), Place::of(path.as_ref())));
        let taken =
            self.all.iter().chain(&standard).find(|(_, _, taken)| *taken == place && place != Place::Other);
        if let Some((what, other, _)) = taken {
            return Err(anyhow!("{option} {} is the file of {what} {}", path.display(), other.display()));
        }
        self.all.push((option.to_owned(), path.clone(), place.clone()));
        let is_file = !matches!(place, Place::Other | Place::Standard);
        self.destinations.push(Destination { option, path: path.clone(), is_file });
        Ok(self)
    }

    /// Sees that all can be written; then what is there from another run, and must not be taken for this one's,
    /// is removed.
    pub fn cleared(self) -> Result<Destinations> {
        let destinations = self.kept()?;
        destinations.0.iter().try_for_each(Destination::clear)?;
        Ok(destinations)
    }

    /// Sees that all can be written, and leaves them as they are till then.
    pub fn kept(self) -> Result<Destinations> {
        self.destinations.iter().try_for_each(Destination::check)?;
        let destinations = Destinations(self.destinations);
        if destinations.has_standard_output() {
            console::yield_output();
        }
        Ok(destinations)
    }
}

/// Where a command writes to, by option.
#[derive(Debug)]
pub struct Destinations(Vec<Destination>);

impl Destinations {
    /// Whether the file of an option is asked for.
    pub fn is_asked(&self, option: &str) -> bool {
        self.0.iter().any(|destination| destination.option == option)
    }

    /// Writes the file of an option, if one is asked for.
    pub fn write(&self, option: &str, bytes: impl FnOnce() -> Result<Vec<u8>>) -> Result<()> {
        self.fill(option, |to| Ok(to.write_all(&bytes()?)?))
    }

    /// Lets the file of an option be written piece by piece, if one is asked for.
    pub fn fill(&self, option: &str, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
        match self.0.iter().find(|destination| destination.option == option) {
            Some(destination) => destination.fill(fill),
            None => Ok(()),
        }
    }

    /// Begins the file of an option, if one is asked for: it is there when it is [kept](Pending::keep).
    pub fn begin(&self, option: &str) -> Result<Option<Pending<'_>>> {
        let destination = self.0.iter().find(|destination| destination.option == option);
        destination.map(Destination::begin).transpose()
    }

    /// Whether something of this goes to standard output.
    pub fn has_standard_output(&self) -> bool {
        self.0.iter().any(|destination| is_standard(&destination.path))
    }

    /// Writes a value as JSON.
    pub fn write_json(&self, option: &str, value: impl FnOnce() -> Result<Value>) -> Result<()> {
        self.write(option, || Ok(format!("{:#}\n", value()?).into_bytes()))
    }
}

/// One file that a command writes.
#[derive(Debug)]
struct Destination {
    option: &'static str,
    path: PathBuf,
    /// It is, or will be, a regular file.
    is_file: bool,
}

impl Destination {
    fn named<T>(&self, result: io::Result<T>) -> Result<T> {
        result.map_err(|error| anyhow!("{}: {error}", self.path.display()))
    }

    fn check(&self) -> Result<()> {
        if is_standard(&self.path) {
            return Ok(());
        }
        ensure!(!self.path.is_dir(), "{}: a directory", self.path.display());
        let there = fs::metadata(&self.path).ok();
        if there.as_ref().is_some_and(|metadata| metadata.file_type().is_fifo()) {
            // Who reads from it would take this for the end.
            return Ok(());
        }
        self.named(OpenOptions::new().write(true).create(true).truncate(false).open(&self.path))?;
        if there.is_some() { Ok(()) } else { self.named(fs::remove_file(self.target()?)) }
    }

    /// The file itself, behind all links; or where it will be.
    fn target(&self) -> Result<PathBuf> {
        let mut path = self.path.clone();
        for _ in 0..MAX_LINKS {
            let Ok(target) = fs::read_link(&path) else { break };
            path = path.parent().unwrap_or(Path::new("")).join(target);
        }
        Ok(path)
    }

    fn clear(&self) -> Result<()> {
        if !self.is_file {
            return Ok(());
        }
        let target = self.target()?;
        match fs::remove_file(&target) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            // It may be written, but not its directory.
            Err(_) => self.named(File::create(&target).map(|_| ())),
            Ok(()) => Ok(()),
        }
    }

    fn begin(&self) -> Result<Pending<'_>> {
        let beside = match self.is_file {
            true => nameless(&self.target()?).ok(),
            false => None,
        };
        let is_beside = beside.is_some();
        // The file system has no files without names there, or there is nothing that could be kept.
        let file = self.named(beside.map_or_else(tempfile::tempfile, Ok))?;
        Ok(Pending { destination: self, file, is_beside })
    }

    fn fill(&self, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
        if is_standard(&self.path) {
            return flushed(console::Data, fill);
        }
        let mut pending = self.begin()?;
        flushed(&mut pending, fill)?;
        pending.keep()
    }
}

/// A file that is written by and by, and is not seen before it is complete.
#[derive(Debug)]
pub struct Pending<'a> {
    destination: &'a Destination,
    file: File,
    /// It lies where it only needs a name.
    is_beside: bool,
}

impl Pending<'_> {
    /// Has it be the file that was asked for.
    pub fn keep(mut self) -> Result<()> {
        let destination = self.destination;
        if is_standard(&destination.path) {
            self.file.rewind()?;
            io::copy(&mut self.file, &mut console::Data)?;
            return Ok(());
        }
        let target = destination.target()?;
        if self.is_beside && name(&self.file, &target).is_ok() {
            return Ok(());
        }
        let copied = self.file.rewind().and_then(|()| {
            let mut to = OpenOptions::new();
            to.write(true).create(destination.is_file).truncate(destination.is_file);
            io::copy(&mut self.file, &mut to.open(&target)?)
        });
        if copied.is_err() && destination.is_file {
            // Half a file helps nobody.
            let _ = fs::remove_file(&target);
        }
        destination.named(copied.map(drop))
    }
}

impl Write for Pending<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes);
        // Whoever sees this does not know which file it was.
        written.map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", self.destination.path.display()))
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Has all of it written in large pieces.
fn flushed(to: impl Write, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    let mut to = BufWriter::new(to);
    fill(&mut to)?;
    Ok(to.flush()?)
}

/// Makes a file without a name, which can get that of `path`.
fn nameless(path: &Path) -> io::Result<File> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // What the umask takes away is not given.
    let mode = Mode::from_raw_mode(0o666);
    Ok(File::from(openat(CWD, parent, OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC, mode)?))
}

/// Gives a file without a name the one that it is to have.
fn name(file: &File, path: &Path) -> io::Result<()> {
    let nameless = format!("/proc/self/fd/{}", file.as_raw_fd());
    let link = |path: &Path| linkat(CWD, nameless.as_str(), CWD, path, AtFlags::SYMLINK_FOLLOW);
    match link(path) {
        Err(rustix::io::Errno::EXIST) => {
            let mut beside = path.as_os_str().to_owned();
            beside.push(format!(".{}", std::process::id()));
            link(beside.as_ref())?;
            fs::rename(&beside, path)
        }
        result => Ok(result?),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn one_file_is_recognised_however_it_is_called() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::create_dir(at("sub")).unwrap();
        fs::write(at("there"), "").unwrap();
        fs::hard_link(at("there"), at("hard")).unwrap();
        symlink("there", at("soft")).unwrap();
        symlink("absent", at("dangling")).unwrap();
        symlink(at("loop"), at("loop")).unwrap();
        let there = Place::of(&at("there"));
        for name in ["hard", "soft", "sub/../there", "./there"] {
            assert_eq!(Place::of(&at(name)), there, "{name}");
        }
        let absent = Place::of(&at("absent"));
        assert_eq!(Place::of(&at("dangling")), absent);
        assert_eq!(Place::of(&at("sub/../absent")), absent);
        assert_ne!(Place::of(&at("absent2")), absent);
        for other in ["sub", "no/where"] {
            assert_eq!(Place::of(&at(other)), Place::Other);
        }
        assert_eq!(Place::of(Path::new("/dev/null")), Place::Other);
    }

    #[test]
    fn what_would_be_lost_is_refused_with_both_names() {
        let directory = tempfile::tempdir().unwrap();
        let (one, two) = (directory.path().join("one"), directory.path().join("two"));
        fs::write(&one, "content").unwrap();
        symlink(&one, &two).unwrap();
        let error =
            Files::default().read("--elf", [&one]).written("--json", Some(&two)).unwrap_err().to_string();
        assert!(error.contains("two is the file of --elf") && error.ends_with("one"), "{error}");
        let files = Files::default().written("--json", Some(&two)).unwrap();
        assert!(files.written("--trace", Some(&one)).unwrap_err().to_string().contains("of --json"));
        assert_eq!(fs::read(&one).unwrap(), b"content");
        let null = PathBuf::from("/dev/null");
        let files = Files::default().written("--json", Some(&null)).unwrap().written("--trace", Some(&null));
        assert!(files.is_ok());
    }

    #[test]
    fn files_are_complete_or_not_there() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        fs::write(at("old"), "old").unwrap();
        symlink("old", at("link")).unwrap();
        let nowhere = at("no/where");
        let bad =
            Files::default().written("--json", Some(&at("old"))).unwrap().written("--trace", Some(&nowhere));
        let error = bad.unwrap().cleared().unwrap_err().to_string();
        assert!(error.contains("no/where: No such file"), "{error}");
        assert_eq!(fs::read(at("old")).unwrap(), b"old");

        let files = Files::default().written("--json", Some(&at("link"))).unwrap();
        let files = files.written("--trace", Some(&at("new"))).unwrap().cleared().unwrap();
        assert!(!at("old").exists() && !at("new").exists());
        files.write("--json", || Ok(b"json".to_vec())).unwrap();
        files.write("--trace", || Ok(b"trace".to_vec())).unwrap();
        files.write("--plot", || panic!("nobody asked")).unwrap();
        assert_eq!(
            (fs::read(at("old")).unwrap(), fs::read(at("new")).unwrap()),
            (b"json".to_vec(), b"trace".to_vec())
        );
        files.write("--trace", || Ok(b"again".to_vec())).unwrap();
        assert_eq!(fs::read(at("new")).unwrap(), b"again");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
    }

    #[test]
    fn standard_output_takes_one_thing() {
        let minus = PathBuf::from(STANDARD_OUTPUT);
        let files = Files::default().written("--json", Some(&minus)).unwrap();
        let error = files.written("--csv", Some(&minus)).unwrap_err().to_string();
        assert!(error.contains("--csv - is the file of --json -"), "{error}");
        let files = Files::default().written("--json", Some(&minus)).unwrap().cleared().unwrap();
        assert!(files.has_standard_output() && !Path::new(STANDARD_OUTPUT).exists());
    }

    #[test]
    fn what_cannot_be_filled_leaves_the_file_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        fs::write(&path, "old").unwrap();
        let files = Files::default().written("--json", Some(&path)).unwrap().kept().unwrap();
        let error = files.fill("--json", |to| {
            to.write_all(b"half")?;
            Err(anyhow!("no more"))
        });
        assert_eq!(error.unwrap_err().to_string(), "no more");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_full_disk_is_named() {
        let full = PathBuf::from("/dev/full");
        let files = Files::default().written("--json", Some(&full)).unwrap().cleared().unwrap();
        let error = files.write("--json", || Ok(b"x".to_vec())).unwrap_err().to_string();
        assert!(error.starts_with("/dev/full: No space left"), "{error}");
    }
}
