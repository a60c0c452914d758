// SPDX-License-Identifier: MIT
//! Programs that a compiler of this machine makes of one file: an executable is the same wherever the project is,
//! and is made anew when what it was made from has changed.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::super::artifacts::{root, stems};
use crate::host::children;

/// Compiles a C program, if it or a header beside it has changed, and returns where it is.
pub fn c(folder: &str, name: &str) -> Result<PathBuf> {
    let source = root().join(folder).join(format!("{name}.c"));
    let headers = stems(folder, "h")?.into_iter().map(|name| root().join(folder).join(format!("{name}.h")));
    made(&source, headers, "user-c", |out| {
        let text =
            fs::read_to_string(&source).with_context(|| format!("cannot read {}", source.display()))?;
        let mut command = Command::new("gcc");
        command.args(["-O2", "-static", "-no-pie"]).args(c_flags(&text)).arg("-o").arg(out);
        // Messages name files from the project's root on.
        let mut names = OsString::from("-ffile-prefix-map=");
        names.extend([root().as_os_str(), OsStr::new("=.")]);
        command.arg(names).arg(&source).arg("-lm");
        Ok(command)
    })
}

/// Compiles a Go program, if it has changed, without the network, and returns where it is.
pub fn go(folder: &str, name: &str) -> Result<PathBuf> {
    let source = root().join(folder).join(format!("{name}.go"));
    made(&source, [], "user-go", |out| {
        let kept = root().join("target/user-go");
        let mut command = Command::new("go");
        command.args(["build", "-trimpath", "-buildvcs=false", "-ldflags=-buildid=", "-o"]);
        command.arg(out).arg(&source);
        // What the user has set for other programs has no say here.
        command.envs([("GOENV", "off"), ("GOFLAGS", ""), ("GO111MODULE", "off"), ("GOPROXY", "off")]);
        command.envs([("GOOS", "linux"), ("GOARCH", "amd64"), ("GOAMD64", "v1"), ("CGO_ENABLED", "0")]);
        command.env("GOCACHE", kept.join("cache")).env("GOPATH", kept.join("path"));
        Ok(command)
    })
}

/// Has a compiler make an executable, if what it is made from has changed, and returns where it is.
fn made(
    source: &Path,
    beside: impl IntoIterator<Item = PathBuf>,
    folder: &str,
    command: impl FnOnce(&Path) -> Result<Command>,
) -> Result<PathBuf> {
    let name = source.file_stem().unwrap_or_default();
    let directory = root().join("target").join(folder);
    let executable = directory.join(name);
    let read: Vec<_> = std::iter::once(source.to_owned()).chain(beside).collect();
    let changed = |path: &Path| fs::metadata(path).and_then(|metadata| metadata.modified());
    let newer = |built| read.iter().all(|path| matches!(changed(path), Ok(source) if built > source));
    if changed(&executable).is_ok_and(newer) {
        return Ok(executable);
    }
    fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    // Under a name of its own first, so that nobody starts half a file.
    let mut unfinished = tempfile::Builder::new();
    unfinished.permissions(fs::Permissions::from_mode(0o755));
    let unfinished = unfinished.tempfile_in(&directory).context("cannot make a temporary file")?;
    let mut command = command(unfinished.path())?;
    let compiler = command.get_program().to_string_lossy().into_owned();
    let status = children::status(&mut command).with_context(|| format!("cannot start {compiler}"))?;
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
}
