// SPDX-License-Identifier: MIT
//! Bad input is refused in one clear line with status 2, by the tool as users call it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use object::LittleEndian as Le;
use object::elf::{FileHeader64, PT_LOAD, ProgramHeader64};
use object::read::elf::{FileHeader, ProgramHeader};
use tempfile::TempDir;

use super::programs::BUSYBOX;
use super::{Context, Test};
use crate::host::children;
use crate::host::packages::NO_INSTALL;
use crate::workload::artifacts;

pub const TESTS: &[Test] = &[
    Test { name: "bad_input::missing_file", run: missing_file },
    Test { name: "bad_input::not_an_elf", run: not_an_elf },
    Test { name: "bad_input::other_machine", run: other_machine },
    Test { name: "bad_input::thirty_two_bits", run: thirty_two_bits },
    Test { name: "bad_input::dynamic", run: dynamic },
    Test { name: "bad_input::truncated", run: truncated },
    Test { name: "bad_input::segment_in_kernel_space", run: segment_in_kernel_space },
    Test { name: "bad_input::too_little_memory", run: too_little_memory },
    Test { name: "bad_input::no_qemu", run: no_qemu },
    Test { name: "bad_input::command_line", run: command_line },
    Test { name: "bad_input::trace_files", run: trace_files },
    Test { name: "bad_input::where_the_summary_goes", run: where_the_summary_goes },
    Test { name: "bad_input::files_without_an_end", run: files_without_an_end },
    Test { name: "bad_input::a_pipe_without_a_writer", run: a_pipe_without_a_writer },
    Test { name: "bad_input::outputs_that_collide", run: outputs_that_collide },
    Test { name: "bad_input::an_odd_temporary_directory", run: an_odd_temporary_directory },
    Test { name: "bad_input::no_such_processor", run: no_such_processor },
    Test { name: "bad_input::too_many_instructions", run: too_many_instructions },
    Test { name: "bad_input::calls_that_are_not_supported", run: calls_that_are_not_supported },
];

/// The program that files are spoiled from.
const VICTIM: &str = "tiny";
/// Offset of `e_ident[EI_CLASS]` in an ELF file.
const CLASS_AT: usize = 4;
/// Offset of `e_machine`.
const MACHINE_AT: usize = 18;
/// Offset of `p_offset` in a program header.
const OFFSET_AT: usize = 8;
/// Offset of `p_vaddr`.
const ADDRESS_AT: usize = 16;
/// Offset of `p_filesz`.
const FILE_SIZE_AT: usize = 32;
/// Offset of `p_memsz`.
const MEMORY_SIZE_AT: usize = 40;

/// The tool ends with status 2, writes nothing to stdout, and says one line that contains `part`.
pub fn refused(
    context: &Context,
    words: &[&str],
    part: &str,
    prepare: impl FnOnce(&mut Command),
) -> Result<()> {
    let output = context.reprise(words, prepare)?;
    let said = String::from_utf8_lossy(&output.stderr);
    let what = || format!("{words:?}: {}, said: {said}", output.status);
    ensure!(output.status.code() == Some(2), "{}", what());
    ensure!(output.stdout.is_empty(), "{} (and something on stdout)", what());
    ensure!(said.lines().count() == 1 && said.starts_with("reprise: ") && said.contains(part), "{}", what());
    Ok(())
}

fn run_refused(context: &Context, path: &Path, part: &str) -> Result<()> {
    let path = path.to_str().context("a path that is not text")?;
    // The same files are refused in the same words where no kernel of ours is.
    refused(context, &["native", "--elf", path], part, |_| ())?;
    refused(context, &["run", "--elf", path], part, |_| ())
}

/// A directory with a spoiled copy of the victim in it.
fn spoiled(context: &Context, change: impl FnOnce(&mut Vec<u8>)) -> Result<(TempDir, PathBuf)> {
    let mut bytes = fs::read(context.executable(VICTIM)?)?;
    change(&mut bytes);
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("spoiled");
    fs::write(&path, bytes)?;
    Ok((directory, path))
}

fn missing_file(context: &Context) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("nothing");
    run_refused(context, &path, "nothing: no such file")?;
    let text = path.to_str().context("a path that is not text")?;
    refused(context, &["run", VICTIM, "--stdin", text], "no such file", |_| ())?;
    refused(context, &["run", VICTIM, "--file", text], "no such file", |_| ())?;
    refused(context, &["native", VICTIM, "--file", text], "no such file", |_| ())?;
    refused(context, &["compare", "init"], "init is a system and no program", |_| ())?;
    refused(context, &["run", "no-such-program"], "no program is called no-such-program", |_| ())
}

fn not_an_elf(context: &Context) -> Result<()> {
    let (_directory, path) = spoiled(context, |bytes| *bytes = b"#!/bin/sh\n".to_vec())?;
    run_refused(context, &path, "not an ELF file")?;
    let (_directory, path) = spoiled(context, Vec::clear)?;
    run_refused(context, &path, "not an ELF file")
}

fn other_machine(context: &Context) -> Result<()> {
    let aarch64 = object::elf::EM_AARCH64.to_le_bytes();
    let (_directory, path) =
        spoiled(context, |bytes| bytes[MACHINE_AT..MACHINE_AT + 2].copy_from_slice(&aarch64))?;
    run_refused(context, &path, "not for this machine")
}

fn thirty_two_bits(context: &Context) -> Result<()> {
    let (_directory, path) = spoiled(context, |bytes| bytes[CLASS_AT] = object::elf::ELFCLASS32)?;
    run_refused(context, &path, "not for this machine")
}

fn dynamic(context: &Context) -> Result<()> {
    // This tool itself is dynamically linked, and a Rust program.
    run_refused(context, &context.reprise, "dynamically linked")?;
    run_refused(context, &context.reprise, "(rustc -C target-feature=+crt-static)")?;
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("program");
    let source = artifacts::root().join("user/c/words.c");
    let mut compiler = Command::new("gcc");
    let status = children::status(compiler.args(["-fPIE", "-pie", "-o"]).arg(&path).arg(source))?;
    ensure!(status.success(), "gcc: {status}");
    run_refused(context, &path, "(gcc -static)")
}

fn truncated(context: &Context) -> Result<()> {
    for keep in [32, 100, 5000] {
        let (_directory, path) = spoiled(context, |bytes| bytes.truncate(keep))?;
        run_refused(context, &path, "truncated")?;
    }
    Ok(())
}

/// Offset of the program header of the last segment that is loaded.
fn last_segment(file: &[u8]) -> Result<usize> {
    let header = FileHeader64::<Le>::parse(file)?;
    let segments = header.program_headers(Le, file)?;
    let index = segments.iter().rposition(|segment| segment.p_type(Le) == PT_LOAD).context("no segment")?;
    Ok(header.e_phoff(Le) as usize + index * size_of::<ProgramHeader64<Le>>())
}

fn segment_in_kernel_space(context: &Context) -> Result<()> {
    let original = fs::read(context.executable(VICTIM)?)?;
    let at = last_segment(&original)? + ADDRESS_AT;
    for address in [0xffff_8000_0000_0000, 0x7fff_ffff_f000, 0x8000_0000_0000_0000, 0_u64] {
        let (_directory, path) =
            spoiled(context, |bytes| bytes[at..at + 8].copy_from_slice(&address.to_le_bytes()))?;
        run_refused(context, &path, &format!("a segment at {address:#x} lies outside user space"))?;
    }
    Ok(())
}

/// A program whose last segment fills twice the memory that it gets.
fn too_little_memory(context: &Context) -> Result<()> {
    const SEGMENT: usize = 64 << 20;
    let original = fs::read(context.executable(VICTIM)?)?;
    let at = last_segment(&original)?;
    let (_directory, path) = spoiled(context, |bytes| {
        let offset = bytes.len().next_multiple_of(4096);
        bytes.resize(offset + SEGMENT, 1);
        for (field, value) in [(OFFSET_AT, offset), (FILE_SIZE_AT, SEGMENT), (MEMORY_SIZE_AT, SEGMENT)] {
            bytes[at + field..at + field + 8].copy_from_slice(&(value as u64).to_le_bytes());
        }
    })?;
    let path = path.to_str().context("a path that is not text")?;
    refused(context, &["run", "--memory", "32", "--elf", path], "too little memory", |_| ())?;
    refused(context, &["run", VICTIM, "--memory", "4096"], "expected a number from 16 to 2,048", |_| ())?;
    refused(
        context,
        &["run", VICTIM, "--memory", "2048", "--machine", "bochs"],
        "Bochs takes 2048 at most",
        |_| (),
    )
}

fn no_qemu(context: &Context) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let victim = context.executable(VICTIM)?;
    let victim = victim.to_str().context("a path that is not text")?;
    refused(context, &["run", "--elf", victim], "apt-get install qemu-system-x86", |command| {
        command.env("PATH", directory.path()).env(NO_INSTALL, "1");
    })
}

fn command_line(context: &Context) -> Result<()> {
    let readme = artifacts::root().join("README.md");
    let readme = readme.to_str().context("a path that is not text")?;
    for (words, part) in [
        (&["run", "--limit", "9"][..], "expected a number from 10 to 10,000,000"),
        (&["run", "--inject", "pe=1,run=4,at=0,target=rax,bit=0"], "run is 1, 2 or 3"),
        (&["run", "--env", "NAME", VICTIM], "expected NAME=VALUE"),
        (&["run", VICTIM, "--file", "x:/../y"], "a path in the guest is absolute"),
        (&["run", VICTIM, "--file", "a:/x/y", "--file", "b:/x"], "/x/y needs a folder where /x is a file"),
        (&["native", VICTIM, "--file", "a:/x", "--file", "b:/x"], "/x is given twice"),
        (&["run", VICTIM, "--file", "a:/tmp"], "the kernel has a folder there"),
        (&["run", "--seed", "x"], "expected a number from 0 to 18,446,744,073,709,551,615"),
        (&["run", "--limit", "abc"], "expected a number from 10 to 10,000,000"),
        (
            &["run", VICTIM, "--mode", "off", "--inject", "pe=0,run=2,at=0,target=rax,bit=0"],
            "no run 2 under --mode off",
        ),
        (&["inject", "--json", "/no/such/folder/file"], "/no/such/folder/file: No such file"),
        (&["bench", "--quick", "--json", "/no/such/folder/file"], "/no/such/folder/file: No such file"),
        (&["bench", "--plot", "/tmp"], "/tmp: a directory"),
        (&["native", "--env", "NAME", VICTIM], "expected NAME=VALUE"),
        (&["native", "--limit", "1000"], "unexpected argument '--limit'"),
        (&["native", "--file", readme, VICTIM, "/README.md"], "the one that is given is README.md"),
        (&["become", "place", "program", "name"], "nobody counts any more"),
        (&["jump"], "unrecognized subcommand"),
    ] {
        refused(context, words, part, |_| ())?;
    }
    Ok(())
}

fn trace_files(context: &Context) -> Result<()> {
    let (directory, path) = spoiled(context, |_| ())?;
    let report = |path: &Path, part: &str| {
        refused(context, &["report", path.to_str().context("a path that is not text")?], part, |_| ())
    };
    report(&directory.path().join("nothing"), "no such file")?;
    report(&path, "not a trace file")
}

/// Where nothing can be written is told before the boot, and a run without a summary leaves none of another one.
fn where_the_summary_goes(context: &Context) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let nowhere = directory.path().join("nothing").join("summary.json");
    for option in ["--json", "--trace"] {
        let words = ["run", VICTIM, option, nowhere.to_str().context("a path that is not text")?];
        refused(context, &words, "nothing/summary.json", |_| ())?;
    }
    let path = directory.path().join("summary.json");
    fs::write(&path, "of another run")?;
    let text = path.to_str().context("a path that is not text")?;
    refused(
        context,
        &["run", "calls", "100000000", "--timeout", "1", "--json", text],
        "timeout after 1 s",
        |_| (),
    )?;
    ensure!(!path.exists(), "{text} is still there");
    Ok(())
}

fn files_without_an_end(context: &Context) -> Result<()> {
    const ZERO: &str = "/dev/zero";
    const GIVEN: &str = "program, standard input and files together may have 536870912 bytes";
    for (words, part) in [
        (&["run", "--elf", ZERO][..], GIVEN),
        (&["run", VICTIM, "--stdin", ZERO], GIVEN),
        (&["native", VICTIM, "--file", "/dev/zero:/zero"], GIVEN),
        (&["bench", "--quick", "--model", ZERO], "a model may have 1048576 bytes"),
    ] {
        refused(context, words, &format!("/dev/zero: too long; {part}"), |_| ())?;
    }
    let folder = tempfile::tempdir()?;
    let document = folder.path().join("README.md");
    symlink(ZERO, &document)?;
    let too_long = format!("{}: too long; a document may have 16777216 bytes", document.display());
    let folder = folder.path().to_str().context("a path that is not text")?;
    refused(context, &["bench", "--into", folder], &too_long, |_| ())?;
    refused(context, &["report", ZERO], "/dev/zero: not a trace file of reprise", |_| ())
}

fn a_pipe_without_a_writer(context: &Context) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("pipe");
    let status = children::status(Command::new("mkfifo").arg(&path))?;
    ensure!(status.success(), "mkfifo: {status}");
    let path = path.to_str().context("a path that is not text")?;
    let part = "pipe: its end did not come within the 1 s of --timeout";
    refused(context, &["run", VICTIM, "--stdin", path, "--timeout", "1"], part, |_| ())
}

/// What would be lost is as it was.
fn outputs_that_collide(context: &Context) -> Result<()> {
    let (directory, program) = spoiled(context, |_| ())?;
    let at = |name: &str| directory.path().join(name).display().to_string();
    symlink(&program, at("soft"))?;
    fs::hard_link(&program, at("hard"))?;
    let (program, new) = (program.display().to_string(), at("new"));
    let original = fs::read(&program)?;
    for (words, part) in [
        (&["run", "--elf", &program, "--json", &program][..], "--json"),
        (&["run", "--elf", &program, "--trace", &at("soft")], "soft is the file of the program"),
        (&["run", "--elf", &program, "--json", &at("hard")], "hard is the file of the program"),
        (&["run", VICTIM, "--stdin", &at("soft"), "--json", &at("hard")], "hard is the file of --stdin"),
        (&["native", VICTIM, "--file", &at("soft"), "--json", &program], "spoiled is the file of --file"),
        (&["run", VICTIM, "--json", &new, "--trace", &new], "new is the file of --json"),
        (&["report", &program, "--json", &at("soft")], "soft is the file of the trace"),
        (&["bench", "--quick", "--json", &new, "--plot", &new], "cannot be used with"),
    ] {
        refused(context, words, part, |_| ())?;
        ensure!(fs::read(&program)? == original, "{words:?} has changed the file");
    }
    Ok(())
}

/// All that means something to QEMU, to Bochs or to a shell.
fn an_odd_temporary_directory(context: &Context) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let odd = directory.path().join("a,b=c d\"e'f:g;h#i$j\\k%l");
    fs::create_dir(&odd)?;
    for machine in ["qemu", "bochs"] {
        let output = context.reprise(&["run", VICTIM, "--machine", machine], |command| {
            command.env("TMPDIR", &odd);
        })?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success() && output.stdout == b"251 primes\n",
            "{machine}: {}: {said}",
            output.status
        );
    }
    ensure!(fs::read_dir(&odd)?.count() == 0, "something is left");
    Ok(())
}

fn no_such_processor(context: &Context) -> Result<()> {
    let words = ["run", VICTIM, "--cpu", "nonsense", "--machine"];
    refused(context, &[&words[..], &["qemu"]].concat(), "unable to find CPU model 'nonsense'", |_| ())?;
    refused(context, &[&words[..], &["bochs"]].concat(), "bochs has no processor model nonsense", |_| ())
}

fn too_many_instructions(context: &Context) -> Result<()> {
    let words = ["run", "calls", "100000000", "--max-instructions", "100000", "--counter", "virtual-time"];
    let output = context.reprise(&words, |_| ())?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(152), "{}: {said}", output.status);
    ensure!(said.contains("signal 24 (SIGXCPU)") && said.contains("(--max-instructions)"), "{said}");
    Ok(())
}

/// Calls that the kernel lacks are named without `--log`, once each, in the summary too; and flips that hit nothing are counted.
fn calls_that_are_not_supported(context: &Context) -> Result<()> {
    let directory = tempfile::tempdir()?;
    let json = directory.path().join("json");
    let flip = "pe=1000000,run=1,at=0,target=rax,bit=0";
    let mut words = vec!["run", "--elf", BUSYBOX, "--inject", flip, "--json"];
    words.extend([json.to_str().context("a path that is not text")?, "--", "hostname", "other"]);
    let output = context.reprise(&words, |_| ())?;
    let said = String::from_utf8_lossy(&output.stderr);
    let expected = "reprise: not supported, or not like that: system call 170 (sethostname), made once\n";
    ensure!(said.matches(expected).count() == 1, "{said}");
    ensure!(said.contains("reprise: 1 of 1 flips hit nothing: "), "{said}");
    let summary: serde_json::Value = serde_json::from_slice(&fs::read(&json)?)?;
    let call = serde_json::json!({ "number": 170, "name": "sethostname", "times": 1 });
    ensure!(summary["reached_limits"] == serde_json::json!([]), "{}", summary["reached_limits"]);
    ensure!(summary["unsupported_calls"] == serde_json::json!([call]), "{}", summary["unsupported_calls"]);
    Ok(())
}
