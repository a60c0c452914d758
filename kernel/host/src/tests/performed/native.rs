// SPDX-License-Identifier: MIT
//! Single instructions on the host's own processor, in a process of their own: an expectation that owes nothing to
//! the kernel.
//!
//! The assembler of the host encodes them, too.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What the device's bytes and memory's are that a state holds.
pub const WINDOW: usize = 512;

/// A state of the processor, with a window of each kind of memory; `native.c` has the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    pub gpr: [u64; 16],
    pub rflags: u64,
    /// The number of the instruction.
    pub number: u64,
    /// The signal that it came to.
    pub caught: u64,
    pub ymm: [[u8; 32]; 16],
    pub device: [u8; WINDOW],
    pub memory: [u8; WINDOW],
}

/// How long a state is, in the order of `native.c`.
const LENGTH: usize = 20 * 8 + 16 * 32 + 2 * WINDOW;

impl State {
    fn to_bytes(&self) -> Vec<u8> {
        let words = self.gpr.into_iter().chain([self.rflags, self.number, self.caught, 0]);
        let words: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
        [&words[..], self.ymm.as_flattened(), &self.device, &self.memory].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let word = |index: usize| u64::from_le_bytes(bytes[8 * index..8 * index + 8].try_into().unwrap());
        let (windows, ymm) = (&bytes[LENGTH - 2 * WINDOW..], &bytes[160..]);
        Self {
            gpr: std::array::from_fn(word),
            rflags: word(16),
            number: word(17),
            caught: word(18),
            ymm: std::array::from_fn(|index| ymm[32 * index..32 * index + 32].try_into().unwrap()),
            device: windows[..WINDOW].try_into().unwrap(),
            memory: windows[WINDOW..].try_into().unwrap(),
        }
    }
}

/// An instruction as it lies in memory.
#[derive(Clone, Debug)]
pub struct Code {
    pub rip: u64,
    pub bytes: Vec<u8>,
}

/// A program that executes instructions.
pub struct Native {
    program: PathBuf,
    _folder: TempDir,
}

/// What surrounds the instructions: registers are loaded, and stored behind each.
const BEGIN: &str = r#"
    .intel_syntax noprefix
    .section .note.GNU-stack, "", @progbits
    .bss
saved_rsp: .quad 0
state: .quad 0
target: .quad 0
kept_rax: .quad 0
kept_rsp: .quad 0
    .text
    .globl execute, executed, forms, form_count
execute:
    push rbx
    push rbp
    push r12
    push r13
    push r14
    push r15
    mov [rip + saved_rsp], rsp
    mov [rip + state], rdi
    mov [rip + target], rsi
    mov rax, rdi
    LOAD_VECTORS
    push qword ptr [rax + 128]
    popfq
    mov rcx, [rax + 8]
    mov rdx, [rax + 16]
    mov rbx, [rax + 24]
    mov rsp, [rax + 32]
    mov rbp, [rax + 40]
    mov rsi, [rax + 48]
    mov rdi, [rax + 56]
    mov r8, [rax + 64]
    mov r9, [rax + 72]
    mov r10, [rax + 80]
    mov r11, [rax + 88]
    mov r12, [rax + 96]
    mov r13, [rax + 104]
    mov r14, [rax + 112]
    mov r15, [rax + 120]
    mov rax, [rax]
    jmp [rip + target]
executed:
    mov [rip + kept_rax], rax
    mov [rip + kept_rsp], rsp
    mov rsp, [rip + saved_rsp]
    mov rax, [rip + state]
    mov [rax + 8], rcx
    mov [rax + 16], rdx
    mov [rax + 24], rbx
    mov [rax + 40], rbp
    mov [rax + 48], rsi
    mov [rax + 56], rdi
    mov [rax + 64], r8
    mov [rax + 72], r9
    mov [rax + 80], r10
    mov [rax + 88], r11
    mov [rax + 96], r12
    mov [rax + 104], r13
    mov [rax + 112], r14
    mov [rax + 120], r15
    mov rcx, [rip + kept_rax]
    mov [rax], rcx
    mov rcx, [rip + kept_rsp]
    mov [rax + 32], rcx
    pushfq
    pop qword ptr [rax + 128]
    cld
    STORE_VECTORS
    vzeroupper
    pop r15
    pop r14
    pop r13
    pop r12
    pop rbp
    pop rbx
    ret
"#;

/// The instructions, as source.
fn source(forms: &[String]) -> String {
    let vectors = |each: fn(usize) -> String| (0..16).map(each).collect::<String>();
    let load = vectors(|index| format!("vmovdqu ymm{index}, [rax + {}]\n", 160 + 32 * index));
    let store = vectors(|index| format!("vmovdqu [rax + {}], ymm{index}\n", 160 + 32 * index));
    let mut text = BEGIN.replace("LOAD_VECTORS", &load).replace("STORE_VECTORS", &store);
    for (index, form) in forms.iter().enumerate() {
        writeln!(text, "begin_{index}: {form}\nend_{index}: jmp executed").unwrap();
    }
    text.push_str(".section .data.rel.ro, \"aw\"\nforms:\n");
    for index in 0..forms.len() {
        writeln!(text, ".quad begin_{index}, end_{index}").unwrap();
    }
    writeln!(text, "form_count: .quad {}", forms.len()).unwrap();
    text
}

impl Native {
    /// Assembles instructions; the program is gone with the value.
    pub fn new(forms: &[String]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (assembly, program) = (folder.path().join("forms.S"), folder.path().join("native"));
        std::fs::write(&assembly, source(forms)).unwrap();
        let main = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/tests/performed/native.c");
        let built = Command::new("cc")
            .args(["-O1", "-no-pie", "-Wl,--defsym=device=0x20001000", "-o"])
            .args([&program, &main, &assembly])
            .output()
            .expect("a C compiler is needed: cc");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        Self { program, _folder: folder }
    }

    /// The instructions, as they were assembled.
    pub fn list(&self) -> Vec<Code> {
        let listed = Command::new(&self.program).arg("list").output().unwrap();
        let text = String::from_utf8(listed.stdout).unwrap();
        let hex = |text: &str| u64::from_str_radix(text, 16).unwrap();
        let code = |line: &str| {
            let (rip, bytes) = line.split_once(' ').unwrap();
            let bytes = (0..bytes.len()).step_by(2).map(|at| hex(&bytes[at..at + 2]) as u8).collect();
            Code { rip: hex(rip), bytes }
        };
        text.lines().map(code).collect()
    }

    /// Executes instructions; returns what each has come to.
    pub fn run(&self, states: &[State]) -> Vec<State> {
        let mut child = Command::new(&self.program)
            .arg("run")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let bytes: Vec<u8> = states.iter().flat_map(State::to_bytes).collect();
        let writer = std::thread::spawn(move || input.write_all(&bytes));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        assert!(output.status.success(), "{}", output.status);
        let all: Vec<_> = output.stdout.chunks(LENGTH).map(State::from_bytes).collect();
        assert_eq!(all.len(), states.len());
        all
    }
}
