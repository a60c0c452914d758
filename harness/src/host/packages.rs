// SPDX-License-Identifier: MIT
//! The Debian packages that a command needs: found, installed by root, or named.

pub mod command;
mod groups;

use std::env;
use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::fs::{FlockOperation, fcntl_lock};
use rustix::io::Errno;

use super::children;
pub use groups::{BOCHS, COMPILER, GO, QEMU, TESTS};

/// Set to anything but nothing, it keeps the harness from installing.
pub const NO_INSTALL: &str = "REPRISE_NO_INSTALL";

/// What apt and dpkg lock: the lists of packages, what was fetched, what is installed. Apt itself waits for the last
/// one only.
const LOCKS: [&str; 4] = [
    "/var/lib/apt/lists/lock",
    "/var/cache/apt/archives/lock",
    "/var/lib/dpkg/lock-frontend",
    "/var/lib/dpkg/lock",
];
/// How often a lock that is held is looked at.
const LOCK_POLL: Duration = Duration::from_millis(200);

/// What a package is recognised by.
#[derive(Clone, Copy, Debug)]
enum Sign {
    /// A command in PATH.
    Command(&'static str),
    /// One of these files.
    File(&'static [&'static str]),
}

/// A Debian package.
#[derive(Clone, Copy, Debug)]
pub struct Package {
    /// Its name.
    pub name: &'static str,
    /// What it is for, in a few words.
    pub purpose: &'static str,
    sign: Sign,
}

impl Package {
    /// Whether it is there.
    pub fn present(&self) -> bool {
        match self.sign {
            Sign::Command(name) => in_path(name).is_some(),
            Sign::File(paths) => paths.iter().any(|path| Path::new(path).exists()),
        }
    }
}

/// Where a command is.
pub fn in_path(name: &str) -> Option<PathBuf> {
    let executable = |path: &PathBuf| {
        path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    env::split_paths(&env::var_os("PATH")?).map(|directory| directory.join(name)).find(executable)
}

/// Makes sure that all packages of some groups are there: installs what is missing if we
/// may, or says what to install.
pub fn ensure_present(groups: &[&[Package]]) -> Result<()> {
    let missing = missing(groups);
    if missing.is_empty() {
        return Ok(());
    }
    let names = missing.join(" ");
    if !may_install() {
        bail!("missing packages; install them with: apt-get install {names}");
    }
    apt_get(&["update"])?;
    let install = ["install", "--yes", "--no-install-recommends"];
    apt_get(&[&install[..], &missing].concat())?;
    let still = self::missing(groups);
    ensure!(still.is_empty(), "installed {names}, but cannot find what should be in {}", still.join(" "));
    Ok(())
}

fn missing(groups: &[&[Package]]) -> Vec<&'static str> {
    groups
        .iter()
        .copied()
        .flatten()
        .filter(|package| !package.present())
        .map(|package| package.name)
        .collect()
}

/// Only root with apt-get may, unless told not to.
fn may_install() -> bool {
    let refused = env::var_os(NO_INSTALL).is_some_and(|value| !value.is_empty());
    // Our own entry in /proc belongs to whom we run as.
    let root = Path::new("/proc/self").metadata().is_ok_and(|metadata| metadata.uid() == 0);
    !refused && root && in_path("apt-get").is_some()
}

/// Runs apt-get; what it says goes to our standard error. It is not cut short, whatever ends us: a package half
/// installed would be in everybody's way.
fn apt_get(arguments: &[&str]) -> Result<()> {
    let patience = Duration::from_secs(600);
    for lock in LOCKS.map(Path::new) {
        wait_for(lock, patience, held)?;
    }
    eprintln!("reprise: apt-get {}", arguments.join(" "));
    let mut command = Command::new("apt-get");
    // For the moment between our look at the locks and its own.
    command.arg("-o").arg(format!("DPkg::Lock::Timeout={}", patience.as_secs())).args(arguments);
    command.env("DEBIAN_FRONTEND", OsStr::new("noninteractive")).stdin(Stdio::null());
    command.stdout(std::io::stderr());
    let status = children::undisturbed(&mut command).context("cannot start apt-get")?;
    ensure!(status.success(), "apt-get {} failed ({status})", arguments.join(" "));
    Ok(())
}

/// Waits until nobody holds a lock, and says so if that is not at once.
fn wait_for(lock: &Path, patience: Duration, mut held: impl FnMut(&Path) -> bool) -> Result<()> {
    let deadline = Instant::now() + patience;
    let mut said = false;
    while held(lock) {
        let (name, minutes) = (lock.display(), patience.as_secs() / 60);
        ensure!(Instant::now() < deadline, "{name}: another process has held it for {minutes} minutes");
        if !said {
            eprintln!(
                "reprise: another process installs packages (it holds {name}); waiting, {minutes} minutes at most"
            );
            said = true;
        }
        thread::sleep(LOCK_POLL);
    }
    Ok(())
}

/// Whether another process holds a lock of apt's kind (fcntl's); a file that is not there is not held.
fn held(lock: &Path) -> bool {
    let Ok(file) = OpenOptions::new().write(true).open(lock) else { return false };
    matches!(fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive), Err(Errno::AGAIN | Errno::ACCESS))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn commands_are_found_in_path() {
        assert!(in_path("sh").is_some());
        assert!(in_path("no-such-command-here").is_none());
    }

    /// A lock like apt's, held by another process till the end of its input.
    const HOLD: &str = "use Fcntl; open(F, '>', $ARGV[0]) or die; \
        my $l = pack('s s x4 q q i x4', F_WRLCK, 0, 0, 0, 0); fcntl(F, F_SETLK, $l) or die; $| = 1; print \"held\\n\"; <STDIN>";

    #[test]
    fn a_lock_that_is_held_is_waited_for_and_given_up_in_the_end() {
        let directory = tempfile::tempdir().unwrap();
        let lock = directory.path().join("lock");
        assert!(!held(&lock));
        let mut holder = Command::new("perl");
        holder.args(["-e", HOLD]).arg(&lock).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut holder = Some(holder.spawn().unwrap());
        let mut said = [0; 5];
        let stdout = holder.as_mut().and_then(|holder| holder.stdout.as_mut());
        stdout.unwrap().read_exact(&mut said).unwrap();
        let error = wait_for(&lock, Duration::ZERO, held).unwrap_err().to_string();
        assert!(error.contains("another process has held it"), "{error}");
        let mut looks = 0;
        let look = |lock: &Path| {
            looks += 1;
            let is_held = held(lock);
            // The end of its input lets the holder go.
            if let Some(holder) = holder.take() {
                assert!(is_held && holder.wait_with_output().unwrap().status.success());
            }
            is_held
        };
        wait_for(&lock, Duration::from_secs(60), look).unwrap();
        assert_eq!(looks, 2);
    }

    #[test]
    fn what_is_missing_is_named_once_a_package() {
        let there = Package { name: "there", purpose: "", sign: Sign::Command("sh") };
        let gone = Package { name: "gone", purpose: "", sign: Sign::File(&["/no/such/file"]) };
        assert_eq!(missing(&[&[there], &[gone, there]]), ["gone"]);
    }
}
