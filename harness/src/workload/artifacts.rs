// SPDX-License-Identifier: MIT
//! What is built for the guest: kernels and programs, each with flags of its own that
//! never reach host crates.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
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
    /// The default program.
    pub const SHOWCASE: Self = Self {
        package: "showcase",
        profile: "release",
        features: &[],
        executable: Some("showcase"),
        directory: "user",
        flags: STATIC_FLAGS,
    };
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::KERNEL, Self::KERNEL_FOR_TESTS, Self::RT, Self::HOSTILE, Self::SHOWCASE];

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

    /// Where cargo puts an executable of this package.
    fn path(self, name: &str) -> PathBuf {
        root().join("target").join(self.directory).join(TARGET).join(self.profile).join(name)
    }

    /// Builds one executable and returns where it is.
    pub fn build(self, name: &str) -> Result<PathBuf> {
        let executable = self.path(name);
        let mut command = self.cargo("build");
        if self.executable.is_none() {
            command.args(["--bin", name]);
        }
        if executable.exists() {
            command.arg("--quiet");
        }
        let status = children::status(&mut command).context("cannot start cargo")?;
        ensure!(status.success(), "building {name} failed ({status})");
        ensure!(executable.exists(), "{} was not built", executable.display());
        Ok(executable)
    }
}

/// Builds a program by its name: `showcase`, one of `user/hostile`, `user/c` or `user/bench`.
pub fn program(name: &str) -> Result<PathBuf> {
    if name == Guest::SHOWCASE.package {
        return Guest::SHOWCASE.build(name);
    }
    let (hostile, c, bench) = (hostile_names()?, c_names()?, bench_names()?);
    if hostile.iter().any(|known| known == name) {
        Guest::HOSTILE.build(name)
    } else if c.iter().any(|known| known == name) {
        compile("user/c", name)
    } else if bench.iter().any(|known| known == name) {
        compile("user/bench", name)
    } else {
        let known = [vec!["showcase".to_owned()], c, bench, hostile].concat().join(", ");
        bail!("no program is called {name}; there are {known}; --elf runs a file")
    }
}

/// Builds the fuzzer of `user/fuzz`. It has no name among the programs, since none of the commands that run these
/// natively may run it.
pub fn fuzzer() -> Result<PathBuf> {
    compile("user/fuzz", "fuzz")
}

/// The programs of `user/hostile`.
pub fn hostile_names() -> Result<Vec<String>> {
    stems("user/hostile/src/bin", "rs")
}

/// The programs of `user/c`.
pub fn c_names() -> Result<Vec<String>> {
    stems("user/c", "c")
}

/// The programs of `user/bench`.
pub fn bench_names() -> Result<Vec<String>> {
    stems("user/bench", "c")
}

/// Names of the files with an extension, sorted; a directory that is not there has none.
fn stems(directory: &str, extension: &str) -> Result<Vec<String>> {
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

/// Compiles a C program, if it or a header beside it has changed, and returns where it is.
fn compile(folder: &str, name: &str) -> Result<PathBuf> {
    let source = root().join(folder).join(format!("{name}.c"));
    let directory = root().join("target/user-c");
    let executable = directory.join(name);
    let mut read = vec![source.clone()];
    read.extend(stems(folder, "h")?.iter().map(|name| root().join(folder).join(format!("{name}.h"))));
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    let newer = |built| read.iter().all(|path| matches!(changed(path), Ok(source) if built > source));
    if changed(&executable).is_ok_and(newer) {
        return Ok(executable);
    }
    fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let text = fs::read_to_string(&source).with_context(|| format!("cannot read {}", source.display()))?;
    // Under a name of its own first, so that nobody starts half a file.
    let mut unfinished = tempfile::Builder::new();
    unfinished.permissions(fs::Permissions::from_mode(0o755));
    let unfinished = unfinished.tempfile_in(&directory).context("cannot make a temporary file")?;
    let mut command = Command::new("gcc");
    command.args(["-O2", "-static", "-no-pie"]).args(c_flags(&text)).arg("-o").arg(unfinished.path());
    // The executable is the same wherever the project is: its messages name files from the project's root on.
    let mut names = OsString::from("-ffile-prefix-map=");
    names.extend([root().as_os_str(), OsStr::new("=.")]);
    command.arg(names);
    let status = children::status(command.arg(&source).arg("-lm")).context("cannot start gcc")?;
    ensure!(status.success(), "compiling {} failed ({status})", source.display());
    unfinished.persist(&executable).with_context(|| format!("cannot write {}", executable.display()))?;
    Ok(executable)
}

/// The flags that a C file asks for in its first line: `// cflags: -mavx`.
fn c_flags(text: &str) -> Vec<&str> {
    let flags = text.lines().next().and_then(|line| line.strip_prefix("// cflags:"));
    flags.map(|flags| flags.split_whitespace().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_c_file_names_its_flags_in_its_first_line() {
        assert_eq!(c_flags("// cflags: -mavx -O1\nint main;"), ["-mavx", "-O1"]);
        assert!(c_flags("int main;\n// cflags: -mavx").is_empty());
    }

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

    #[test]
    fn an_unknown_program_is_refused_with_what_there_is() {
        let error = program("no-such-program").unwrap_err().to_string();
        assert!(error.contains("no-such-program") && error.contains("showcase"), "{error}");
    }
}
