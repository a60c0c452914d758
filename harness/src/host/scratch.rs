// SPDX-License-Identifier: MIT
//! The tool's temporary directory: one for each call, with everything in it that is not to stay.
//!
//! It is locked while its owner lives. A tool that was killed cannot remove its own; the next
//! one does, as nobody holds the lock.

use std::env;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::{Context, Result};

/// How the directories' names begin.
const PREFIX: &str = "reprise-run";
/// How many random letters follow.
const RANDOM: usize = 8;
/// Attempts to make one: another tool may hold it for the moment in which it finds that it is in use.
const ATTEMPTS: usize = 100;

/// The directory of this process.
static OWN: OnceLock<PathBuf> = OnceLock::new();

/// Removes the directory when the work is done.
#[derive(Debug)]
pub struct Scratch {
    _lock: File,
}

impl Drop for Scratch {
    fn drop(&mut self) {
        remove();
    }
}

/// Removes what killed tools have left, and makes this call's directory; `tempfile` makes everything in it from now on.
pub fn begin() -> Result<Scratch> {
    sweep();
    let base = env::temp_dir();
    let (path, lock) = (0..ATTEMPTS)
        .find_map(|_| make(&base).transpose())
        .unwrap_or_else(|| Err(io::ErrorKind::ResourceBusy.into()))
        .with_context(|| format!("cannot make a temporary directory in {}", base.display()))?;
    // Either fails only for a second directory of one process.
    let _ = OWN.set(path.clone());
    let _ = tempfile::env::override_temp_dir(&path);
    Ok(Scratch { _lock: lock })
}

/// A directory that is ours and locked, unless somebody came between.
fn make(base: &Path) -> io::Result<Option<(PathBuf, File)>> {
    let path = tempfile::Builder::new().prefix(PREFIX).rand_bytes(RANDOM).tempdir_in(base)?.keep();
    let Ok(lock) = File::open(&path) else { return Ok(None) };
    let ours = |path: &Path| io::Result::Ok(fs::metadata(path)?.ino() == lock.metadata()?.ino());
    match lock.try_lock() {
        // Where a directory cannot be locked, nobody takes it for one that is not in use either.
        Ok(()) | Err(TryLockError::Error(_)) if ours(&path).unwrap_or(false) => Ok(Some((path, lock))),
        Ok(()) | Err(_) => Ok(None),
    }
}

/// Removes this process's directory, if it has one.
pub fn remove() {
    if let Some(path) = OWN.get() {
        discard(path);
    }
}

/// Removes the directories of tools that do not live any more.
pub fn sweep() {
    sweep_in(&env::temp_dir());
}

fn sweep_in(base: &Path) {
    let own = fs::metadata("/proc/self").map(|metadata| metadata.uid()).ok();
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_named = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).map(str::len) == Some(RANDOM);
        // Of a link these are the link's own.
        let is_ours = || entry.metadata().is_ok_and(|it| it.is_dir() && Some(it.uid()) == own);
        if is_named && is_ours() && File::open(entry.path()).is_ok_and(|lock| lock.try_lock().is_ok()) {
            discard(&entry.path());
        }
    }
}

/// Removes a directory with all that is in it.
fn discard(path: &Path) {
    // Again if something was put there meanwhile. What cannot be removed is left to the next call.
    let _ = (0..3).find(|_| fs::remove_dir_all(path).is_ok());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_holds_is_removed_and_nothing_else() {
        let base = tempfile::tempdir().unwrap();
        let (held, lock) = make(base.path()).unwrap().unwrap();
        let (left, gone) = make(base.path()).unwrap().unwrap();
        fs::write(left.join("file"), "").unwrap();
        drop(gone);
        let others = ["reprise-runABCDEFG", "reprise-runABCDEFGHI", "reprise-dry-run", "other"];
        for name in others {
            fs::create_dir(base.path().join(name)).unwrap();
        }
        let target = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(target.path(), base.path().join("reprise-run12345678")).unwrap();
        sweep_in(base.path());
        assert!(held.exists() && !left.exists() && target.path().exists());
        assert!(others.iter().all(|name| base.path().join(name).exists()));
        drop(lock);
        sweep_in(base.path());
        assert!(!held.exists());
    }
}
