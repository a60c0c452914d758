// SPDX-License-Identifier: MIT
//! What cargo builds for the guest: kernels and programs, each with flags of its own that
//! never reach host crates.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use wire::counter::CounterChoice;

use crate::host::children;

/// The one target; naming it spares build scripts and macros the guest's flags.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The project's root directory.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Cargo, started in the project's root.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// A package that is built for the guest.
#[derive(Clone, Copy, Debug)]
pub struct Guest {
    /// The package.
    pub package: &'static str,
    profile: &'static str,
    features: &'static [&'static str],
    /// Its executable, if it is to have one only.
    executable: Option<&'static str>,
    /// Target directory under `target`.
    directory: &'static str,
    flags: &'static [&'static str],
}

/// Below 2 GiB from the top of the address space, entered by interrupts at any time, never unwound.
const KERNEL_FLAGS: &[&str] =
    &["-Crelocation-model=static", "-Ccode-model=kernel", "-Cno-redzone=yes", "-Cforce-unwind-tables=no"];
const FREESTANDING_FLAGS: &[&str] = &["-Crelocation-model=static", "-Cpanic=abort"];
const STATIC_FLAGS: &[&str] = &["-Crelocation-model=static", "-Ctarget-feature=+crt-static"];
/// A component relocates itself, too, but has no library.
const COMPONENT_FLAGS: &[&str] =
    &["-Ctarget-feature=+crt-static", "-Cpanic=abort", "-Cforce-unwind-tables=no", "-Crelro-level=off"];
/// What a user gets who asks for a static executable and for nothing else: one that relocates itself.
const STATIC_PIE_FLAGS: &[&str] = &["-Ctarget-feature=+crt-static"];

impl fmt::Display for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.package)?;
        self.features.iter().try_for_each(|feature| write!(f, " with {feature}"))
    }
}

impl Guest {
    /// The kernel.
    pub const KERNEL: Self = Self {
        package: "kernel",
        profile: "kernel",
        features: &[],
        executable: Some("kernel"),
        directory: "kernel",
        flags: KERNEL_FLAGS,
    };
    /// A kernel that may leave parts of the engine out and that has counters in software. It shares its target
    /// folder with the other one, and with that most of what both are made of.
    pub const KERNEL_FOR_TESTS: Self =
        Self { features: &["mutants", "emulated"], executable: Some("kernel-for-tests"), ..Self::KERNEL };
    /// The runtime of freestanding programs.
    pub const RT: Self = Self { package: "rt", ..Self::HOSTILE };
    /// Programs that attack the kernel.
    pub const HOSTILE: Self = Self {
        package: "hostile",
        profile: "release",
        features: &[],
        executable: None,
        directory: "user-free",
        flags: FREESTANDING_FLAGS,
    };
    /// The runtime of root tasks of the NOVA interface.
    pub const NOVA_RT: Self = Self { package: "nova-rt", ..Self::HOSTILE };
    /// Root tasks of the NOVA interface.
    pub const NOVA: Self = Self { package: "nova-programs", ..Self::HOSTILE };
    /// The root task of the Genode-like stack.
    pub const CORE: Self = Self { package: "genode-core", executable: Some("genode-core"), ..Self::HOSTILE };
    /// Components that try core out.
    pub const TRIALS: Self =
        Self { package: "genode-trials", executable: Some("genode-trials"), ..Self::COMPONENTS };
    /// The component that starts others by a configuration.
    pub const INIT: Self =
        Self { package: "genode-init", executable: Some("genode-init"), ..Self::COMPONENTS };
    /// All other components.
    pub const COMPONENTS: Self = Self {
        package: "genode-components",
        directory: "user-genode",
        flags: COMPONENT_FLAGS,
        ..Self::HOSTILE
    };
    /// The default program.
    pub const SHOWCASE: Self = Self {
        package: "showcase",
        profile: "release",
        features: &[],
        executable: Some("showcase"),
        directory: "user",
        flags: STATIC_FLAGS,
    };
    /// Programs on Rust's standard library that have threads.
    pub const STD: Self = Self { package: "std-programs", executable: None, ..Self::SHOWCASE };
    /// The one of them that relocates itself.
    pub const STATIC_PIE: Self =
        Self { executable: Some("std-threads"), directory: "user-pie", flags: STATIC_PIE_FLAGS, ..Self::STD };
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::KERNEL,
        Self::KERNEL_FOR_TESTS,
        Self::RT,
        Self::HOSTILE,
        Self::NOVA_RT,
        Self::NOVA,
        Self::CORE,
        Self::INIT,
        Self::COMPONENTS,
        Self::TRIALS,
        Self::SHOWCASE,
        Self::STD,
        Self::STATIC_PIE,
    ];

    /// Builds the kernel that has the counter which is asked for, and returns where it is.
    pub fn build_kernel(counter: CounterChoice) -> Result<PathBuf> {
        let kernel = if counter.is_emulated() { Self::KERNEL_FOR_TESTS } else { Self::KERNEL };
        kernel.build(kernel.executable.unwrap_or(kernel.package))
    }

    /// A cargo command for this package.
    pub fn cargo(self, subcommand: &str) -> Command {
        let mut command = cargo();
        command
            .args([subcommand, "--package", self.package, "--profile", self.profile, "--target", TARGET])
            .arg("--target-dir")
            .arg(root().join("target").join(self.directory))
            .env("CARGO_ENCODED_RUSTFLAGS", self.flags.join("\x1f"))
            .env("DEFMT_LOG", env::var_os("DEFMT_LOG").unwrap_or_else(|| "info".into()));
        if !self.features.is_empty() {
            command.args(["--features", &self.features.join(",")]);
        }
        if let Some(executable) = self.executable {
            command.args(["--bin", executable]);
        }
        command
    }

    /// Whether this is the package's only executable.
    pub fn is(self, executable: &str) -> bool {
        self.executable == Some(executable)
    }

    /// Where cargo puts an executable of this package.
    fn path(self, name: &str) -> PathBuf {
        root().join("target").join(self.directory).join(TARGET).join(self.profile).join(name)
    }

    /// Builds one executable and returns where it is.
    pub fn build(self, name: &str) -> Result<PathBuf> {
        let mut command = self.cargo("build");
        if self.executable.is_none() {
            command.args(["--bin", name]);
        }
        let executable = self.path(name);
        self.run_build(command, name, std::slice::from_ref(&executable))?;
        Ok(executable)
    }

    /// Builds all executables, of which these are some, and returns where these are.
    pub fn build_all(self, names: &[String]) -> Result<Vec<(String, PathBuf)>> {
        let mut command = self.cargo("build");
        command.arg("--bins");
        let executables: Vec<_> = names.iter().map(|name| self.path(name)).collect();
        self.run_build(command, self.package, &executables)?;
        Ok(names.iter().cloned().zip(executables).collect())
    }

    fn run_build(self, mut command: Command, what: &str, executables: &[PathBuf]) -> Result<()> {
        if executables.iter().all(|executable| executable.exists()) {
            command.arg("--quiet");
        }
        let status = children::status(&mut command).context("cannot start cargo")?;
        ensure!(status.success(), "building {what} failed ({status})");
        let missing = executables.iter().find(|executable| !executable.exists());
        ensure!(
            missing.is_none(),
            "{} was not built",
            missing.map_or(what.into(), |path| path.to_string_lossy())
        );
        Ok(())
    }
}

/// Names of the files with an extension, sorted; a directory that is not there has none.
pub fn stems(directory: &str, extension: &str) -> Result<Vec<String>> {
    let path = root().join(directory);
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let mut names = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension() == Some(OsStr::new(extension)) {
            names.extend(path.file_stem().and_then(OsStr::to_str).map(str::to_owned));
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guest_flags_are_passed_by_environment_to_an_explicit_target() {
        let command = Guest::KERNEL_FOR_TESTS.cargo("build");
        let words: Vec<_> = command.get_args().filter_map(OsStr::to_str).collect();
        assert!(words.windows(2).any(|pair| pair == ["--target", TARGET]));
        assert!(words.windows(2).any(|pair| pair == ["--features", "mutants,emulated"]));
        let flags = command.get_envs().find(|(name, _)| *name == "CARGO_ENCODED_RUSTFLAGS");
        let flags = flags.and_then(|(_, value)| value).and_then(OsStr::to_str).unwrap();
        assert_eq!(flags.split('\x1f').count(), KERNEL_FLAGS.len());
    }
}
