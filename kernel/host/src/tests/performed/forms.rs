// SPDX-License-Identifier: MIT
//! Every form that is performed: as the assembler writes it, with the accesses to a device that it makes.
//!
//! RDI, R8 and R13 point into the device, at a page border; RSI and R12 into memory, and RSP a bit above. RCX is
//! small. A [`Setup`] says otherwise.

use crate::kernel::trap::arithmetic::{AUXILIARY, CARRY, OVERFLOW, PARITY, SIGN, STATUS, ZERO};

/// What the pointers point to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Setup {
    #[default]
    Plain,
    /// RSI points into the device, and RDI into memory.
    Swapped,
    /// Both point into the device.
    Both,
    /// RAX holds what the device does, as much as there is.
    Equal,
    /// RDX is zero.
    ShortDividend,
}

/// A form.
#[derive(Clone, Debug)]
pub struct Form {
    pub text: String,
    /// The accesses: `r` or `w` with a length each, by spaces; `*` behind them repeats them for each iteration.
    pub accesses: String,
    /// Flags that the manual leaves undefined.
    pub undefined: u64,
    pub setup: Setup,
}

/// Operands by their length: bytes, how the assembler calls them, and registers.
const LENGTHS: [(usize, &str, [&str; 3]); 4] = [
    (1, "byte ptr", ["dl", "r9b", "bh"]),
    (2, "word ptr", ["dx", "r9w", "bx"]),
    (4, "dword ptr", ["edx", "r9d", "ebx"]),
    (8, "qword ptr", ["rdx", "r9", "rbx"]),
];

/// All forms.
#[derive(Default)]
pub struct Forms(pub Vec<Form>);

impl Forms {
    pub fn all() -> Self {
        let mut forms = Self::default();
        forms.arithmetic();
        forms.unary();
        forms.shifts();
        forms.moves();
        forms.addresses();
        forms.bits();
        forms.exchanges();
        forms.products();
        forms.extensions();
        forms.conditions();
        forms.stack();
        forms.vectors();
        forms.strings();
        forms
    }

    fn add(&mut self, text: impl Into<String>, accesses: impl Into<String>, undefined: u64) -> &mut Form {
        let (text, accesses) = (text.into(), accesses.into());
        self.0.push(Form { text, accesses, undefined, setup: Setup::Plain });
        self.0.last_mut().unwrap()
    }

    fn arithmetic(&mut self) {
        for name in ["add", "or", "adc", "sbb", "and", "sub", "xor", "cmp", "test"] {
            let is_bitwise = matches!(name, "or" | "and" | "xor" | "test");
            let undefined = if is_bitwise { AUXILIARY } else { 0 };
            let changes = !matches!(name, "cmp" | "test");
            for (n, pointer, registers) in LENGTHS {
                let accesses = if changes { format!("r{n} w{n}") } else { format!("r{n}") };
                for register in registers {
                    if register == "bh" || !register.ends_with('h') {
                        self.add(format!("{name} {pointer} [rdi], {register}"), &accesses, undefined);
                    }
                    if name != "test" {
                        self.add(format!("{name} {register}, {pointer} [rdi]"), format!("r{n}"), undefined);
                    }
                }
                self.add(format!("{name} {pointer} [rdi], -5"), &accesses, undefined);
                self.add(format!("{name} {pointer} [r13], 0x71"), &accesses, undefined);
                if n >= 4 {
                    self.add(format!("{name} {pointer} [rdi], -0x12345678"), &accesses, undefined);
                }
                if changes {
                    self.add(format!("lock {name} {pointer} [rdi], {}", registers[0]), &accesses, undefined);
                }
            }
        }
    }

    fn unary(&mut self) {
        for name in ["inc", "dec", "not", "neg"] {
            for (n, pointer, _) in LENGTHS {
                self.add(format!("{name} {pointer} [rdi]"), format!("r{n} w{n}"), 0);
            }
        }
    }

    fn shifts(&mut self) {
        for name in ["rol", "ror", "rcl", "rcr", "shl", "sar", "shr"] {
            let is_shift = name.starts_with('s');
            for (n, pointer, _) in LENGTHS {
                let accesses = format!("r{n} w{n}");
                let auxiliary = if is_shift { AUXILIARY } else { 0 };
                self.add(format!("{name} {pointer} [rdi], 1"), &accesses, auxiliary);
                for count in [0, 32 * (n / 8 + 1)] {
                    self.add(format!("{name} {pointer} [rdi], {count}"), &accesses, 0);
                }
                for count in [2, 7, 8, 9, 15, 16, 17, 31, 33, 63] {
                    let goes_beyond = is_shift && count % 32 >= 8 * n;
                    let carry = if goes_beyond { CARRY } else { 0 };
                    let undefined = auxiliary | OVERFLOW | carry;
                    self.add(format!("{name} {pointer} [rdi], {count}"), &accesses, undefined);
                }
                let short = if is_shift && n < 4 { CARRY } else { 0 };
                self.add(format!("{name} {pointer} [rdi], cl"), &accesses, auxiliary | OVERFLOW | short);
            }
        }
        for name in ["shld", "shrd"] {
            for (n, pointer, registers) in &LENGTHS[1..] {
                let accesses = format!("r{n} w{n}");
                for count in [0, 1, 5, 13, 15] {
                    let undefined = match count {
                        0 => 0,
                        1 => AUXILIARY,
                        _ => AUXILIARY | OVERFLOW,
                    };
                    let text = format!("{name} {pointer} [rdi], {}, {count}", registers[1]);
                    self.add(text, &accesses, undefined);
                }
                let text = format!("{name} {pointer} [rdi], {}, cl", registers[0]);
                self.add(text, &accesses, AUXILIARY | OVERFLOW);
            }
        }
    }

    fn moves(&mut self) {
        for (n, pointer, registers) in LENGTHS {
            for register in registers {
                self.add(format!("mov {pointer} [rdi], {register}"), format!("w{n}"), 0);
                self.add(format!("mov {register}, {pointer} [rdi]"), format!("r{n}"), 0);
            }
            self.add(format!("mov {pointer} [rdi], -2"), format!("w{n}"), 0);
            if n >= 2 {
                self.add(format!("movbe {pointer} [rdi], {}", registers[1]), format!("w{n}"), 0);
                self.add(format!("movbe {}, {pointer} [rdi]", registers[1]), format!("r{n}"), 0);
            }
            if n >= 4 {
                self.add(format!("movnti {pointer} [rdi], {}", registers[0]), format!("w{n}"), 0);
            }
        }
        for accumulator in ["al", "ax", "eax", "rax"] {
            let n = [("al", 1), ("ax", 2), ("eax", 4), ("rax", 8)].into_iter().find(|it| it.0 == accumulator);
            let n = n.unwrap().1;
            self.add(format!("movabs {accumulator}, [0x20001000]"), format!("r{n}"), 0);
            self.add(format!("movabs [0x20001000], {accumulator}"), format!("w{n}"), 0);
        }
        for name in ["movzx", "movsx"] {
            for register in ["dx", "edx", "rdx", "r10"] {
                self.add(format!("{name} {register}, byte ptr [rdi]"), "r1", 0);
            }
            for register in ["edx", "rdx", "r10"] {
                self.add(format!("{name} {register}, word ptr [rdi]"), "r2", 0);
            }
        }
        self.add("movsxd rdx, dword ptr [rdi]", "r4", 0);
        for selector in ["ds", "es", "fs", "gs", "ss", "cs"] {
            self.add(format!("mov word ptr [rdi], {selector}"), "w2", 0);
        }
    }

    fn addresses(&mut self) {
        for place in [
            "[rdi + 0x10]",
            "[rdi - 0x7f]",
            "[rdi + rcx]",
            "[rdi + rcx * 8 - 0x20]",
            "[rcx * 4 + 0x20001000]",
            "[r8 + rcx * 2]",
            "[r13]",
            "[r13 + 1]",
            "[edi + ecx * 4]",
            "[r8d - 4]",
            "[0x20001008]",
            "[rip + device]",
            "gs:[rcx]",
            "gs:[ecx + 8]",
            "ds:[rdi]",
            "cs:[rdi]",
            "es:[rdi + 3]",
        ] {
            self.add(format!("mov edx, dword ptr {place}"), "r4", 0);
            self.add(format!("mov word ptr {place}, bx"), "w2", 0);
            self.add(format!("add dword ptr {place}, 0x1234567"), "r4 w4", 0);
        }
        // Across the border of a page.
        for (place, read, written) in [
            ("dword ptr [rdi - 2]", "r2 r2", "w2 w2"),
            ("dword ptr [rdi - 1]", "r1 r2 r1", "w1 w2 w1"),
            ("dword ptr [rdi - 3]", "r2 r1 r1", "w2 w1 w1"),
        ] {
            self.add(format!("mov edx, {place}"), read, 0);
            self.add(format!("mov {place}, edx"), written, 0);
            self.add(format!("sub {place}, edx"), format!("{read} {written}"), 0);
        }
        self.add("mov rdx, qword ptr [rdi - 4]", "r4 r4", 0);
        self.add("mov rdx, qword ptr [rdi - 1]", "r1 r4 r2 r1", 0);
        self.add("mov rdx, qword ptr [rdi + 1]", "r8", 0);
        self.add("movups xmm3, [rdi - 4]", "r4 r8 r4", 0);
        self.add("vmovups [rdi - 12], ymm3", "w8 w4 w8 w8 w4", 0);
    }

    fn bits(&mut self) {
        const UNDEFINED: u64 = OVERFLOW | SIGN | AUXILIARY | PARITY;
        for name in ["bt", "bts", "btr", "btc"] {
            for (n, pointer, _) in &LENGTHS[1..] {
                let accesses = if name == "bt" { format!("r{n}") } else { format!("r{n} w{n}") };
                for bit in [0, 5, 15, 31, 63, 200] {
                    self.add(format!("{name} {pointer} [rdi], {bit}"), &accesses, UNDEFINED);
                }
                // R10 is between -1,000 and 1,000; RCX is small.
                let ten = ["r10w", "r10d", "r10"][n.ilog2() as usize - 1];
                let small = ["cx", "ecx", "rcx"][n.ilog2() as usize - 1];
                self.add(format!("{name} {pointer} [rdi + 8], {small}"), &accesses, UNDEFINED);
                self.add(format!("{name} {pointer} [rdi], {ten}"), "any", UNDEFINED);
                self.add(format!("{name} {pointer} [edi], {ten}"), "any", UNDEFINED);
            }
        }
        for (name, undefined) in [
            ("bsf", STATUS & !ZERO),
            ("bsr", STATUS & !ZERO),
            ("tzcnt", UNDEFINED),
            ("lzcnt", UNDEFINED),
            ("popcnt", 0),
        ] {
            for (n, pointer, registers) in &LENGTHS[1..] {
                let text = format!("{name} {}, {pointer} [rdi]", registers[0]);
                self.add(text, format!("r{n}"), undefined);
            }
        }
        for (n, pointer, _) in LENGTHS {
            let register = if n == 8 { "rdx" } else { "edx" };
            self.add(format!("crc32 {register}, {pointer} [rdi]"), format!("r{n}"), 0);
        }
        self.add("crc32 rdx, byte ptr [rdi]", "r1", 0);
    }

    fn exchanges(&mut self) {
        for (n, pointer, registers) in LENGTHS {
            let accesses = format!("r{n} w{n}");
            for register in registers {
                self.add(format!("xchg {pointer} [rdi], {register}"), &accesses, 0);
                self.add(format!("xadd {pointer} [rdi], {register}"), &accesses, 0);
                for setup in [Setup::Plain, Setup::Equal] {
                    let text = format!("cmpxchg {pointer} [rdi], {register}");
                    self.add(text, &accesses, 0).setup = setup;
                }
            }
            self.add(format!("lock cmpxchg {pointer} [rdi], {}", registers[1]), &accesses, 0);
            self.add(format!("lock xadd {pointer} [rdi], {}", registers[1]), &accesses, 0);
        }
        self.add("xadd dword ptr [rdi], eax", "r4 w4", 0);
        self.add("xchg dword ptr [rdi], edi", "r4 w4", 0);
    }

    fn products(&mut self) {
        const UNDEFINED: u64 = STATUS & !(CARRY | OVERFLOW);
        for (n, pointer, registers) in LENGTHS {
            let read = format!("r{n}");
            for name in ["mul", "imul"] {
                self.add(format!("{name} {pointer} [rdi]"), &read, UNDEFINED);
            }
            for name in ["div", "idiv"] {
                for setup in [Setup::Plain, Setup::ShortDividend] {
                    self.add(format!("{name} {pointer} [rdi]"), &read, STATUS).setup = setup;
                }
            }
            if n >= 2 {
                let register = registers[1];
                self.add(format!("imul {register}, {pointer} [rdi]"), &read, UNDEFINED);
                self.add(format!("imul {register}, {pointer} [rdi], -7"), &read, UNDEFINED);
                self.add(format!("imul {register}, {pointer} [rdi], 0x7654"), &read, UNDEFINED);
            }
        }
    }

    fn extensions(&mut self) {
        for (n, pointer, registers) in &LENGTHS[2..] {
            let [a, b, c] = registers;
            let read = format!("r{n}");
            for name in ["pdep", "pext", "mulx"] {
                self.add(format!("{name} {b}, {c}, {pointer} [rdi]"), &read, 0);
            }
            self.add(format!("mulx {b}, {b}, {pointer} [rdi]"), &read, 0);
            self.add(format!("andn {b}, {c}, {pointer} [rdi]"), &read, AUXILIARY | PARITY);
            for name in ["sarx", "shlx", "shrx"] {
                self.add(format!("{name} {b}, {pointer} [rdi], {c}"), &read, 0);
            }
            self.add(format!("bextr {b}, {pointer} [rdi], {c}"), &read, AUXILIARY | SIGN | PARITY);
            let small = if *n == 8 { "rcx" } else { "ecx" };
            self.add(format!("bextr {b}, {pointer} [rdi], {small}"), &read, AUXILIARY | SIGN | PARITY);
            self.add(format!("bzhi {b}, {pointer} [rdi], {a}"), &read, AUXILIARY | PARITY);
            self.add(format!("bzhi {b}, {pointer} [rdi], {small}"), &read, AUXILIARY | PARITY);
            for name in ["blsi", "blsr", "blsmsk"] {
                self.add(format!("{name} {b}, {pointer} [rdi]"), &read, AUXILIARY | PARITY);
            }
            self.add(format!("rorx {b}, {pointer} [rdi], 11"), &read, 0);
            self.add(format!("rorx {b}, {pointer} [rdi], 0"), &read, 0);
            self.add(format!("adcx {b}, {pointer} [rdi]"), &read, 0);
            self.add(format!("adox {b}, {pointer} [rdi]"), &read, 0);
        }
    }

    fn conditions(&mut self) {
        for condition in
            ["o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le", "g"]
        {
            self.add(format!("set{condition} byte ptr [rdi]"), "w1", 0);
            for (n, pointer, registers) in &LENGTHS[1..] {
                let text = format!("cmov{condition} {}, {pointer} [rdi]", registers[1]);
                self.add(text, format!("r{n}"), 0);
            }
        }
    }

    fn stack(&mut self) {
        for (n, pointer, _) in [LENGTHS[1], LENGTHS[3]] {
            self.add(format!("push {pointer} [rdi]"), format!("r{n}"), 0);
            self.add(format!("pop {pointer} [rdi]"), format!("w{n}"), 0);
            self.add(format!("push {pointer} [rsp + 8]"), "", 0);
            self.add(format!("pop {pointer} [rsp + 8]"), "", 0);
        }
    }

    fn vectors(&mut self) {
        let moves = [
            ("movd", "xmm", 4),
            ("movq", "xmm", 8),
            ("movss", "xmm", 4),
            ("movsd", "xmm", 8),
            ("movups", "xmm", 16),
            ("movupd", "xmm", 16),
            ("movdqu", "xmm", 16),
            ("movaps", "xmm", 16),
            ("movapd", "xmm", 16),
            ("movdqa", "xmm", 16),
            ("movlps", "xmm", 8),
            ("movlpd", "xmm", 8),
            ("movhps", "xmm", 8),
            ("movhpd", "xmm", 8),
        ];
        for (name, kind, n) in moves {
            let [read, written] = [pieces('r', n), pieces('w', n)];
            for (name, register) in [(name.to_owned(), 3), (name.to_owned(), 12), (format!("v{name}"), 9)] {
                let second =
                    if name.starts_with("vmovl") || name.starts_with("vmovh") { ", xmm2" } else { "" };
                self.add(format!("{name} {kind}{register}{second}, [rdi + 32]"), &read, 0);
                self.add(format!("{name} [rdi + 32], {kind}{register}"), &written, 0);
            }
        }
        self.add("lddqu xmm1, [rdi + 1]", "r8 r8", 0);
        self.add("vlddqu ymm1, [rdi + 1]", "r8 r8 r8 r8", 0);
        self.add("movntdqa xmm1, [rdi]", "r8 r8", 0);
        for name in ["movntps", "movntpd", "movntdq"] {
            self.add(format!("{name} [rdi], xmm14"), "w8 w8", 0);
            self.add(format!("v{name} [rdi], xmm14"), "w8 w8", 0);
            self.add(format!("v{name} [rdi + 32], ymm14"), "w8 w8 w8 w8", 0);
        }
        for name in ["vmovups", "vmovupd", "vmovdqu", "vmovaps", "vmovapd", "vmovdqa"] {
            self.add(format!("{name} ymm10, [rdi + 32]"), "r8 r8 r8 r8", 0);
            self.add(format!("{name} [rdi + 32], ymm10"), "w8 w8 w8 w8", 0);
        }
        self.add("vmovntdqa ymm5, [rdi]", "r8 r8 r8 r8", 0);
        // An address that is no multiple is an exception.
        self.add("movaps xmm1, [rdi + 8]", "", 0);
        self.add("vmovdqa [rdi + 16], ymm1", "", 0);
        self.add("movntdq [rdi + 4], xmm1", "", 0);
    }

    fn strings(&mut self) {
        for (n, suffix) in [(1, 'b'), (2, 'w'), (4, 'd'), (8, 'q')] {
            for (name, swapped, plain) in
                [("movs", format!("r{n}"), format!("w{n}")), ("cmps", format!("r{n}"), format!("r{n}"))]
            {
                let both = format!("r{n} {}{n}", if name == "movs" { 'w' } else { 'r' });
                let setups = [(Setup::Plain, &plain), (Setup::Swapped, &swapped), (Setup::Both, &both)];
                for (setup, accesses) in setups {
                    for prefix in prefixes(name) {
                        self.string(format!("{prefix}{name}{suffix}"), accesses, setup);
                    }
                }
            }
            for (name, kind) in [("stos", 'w'), ("scas", 'r')] {
                for prefix in prefixes(name) {
                    self.string(format!("{prefix}{name}{suffix}"), &format!("{kind}{n}"), Setup::Plain);
                }
            }
            // With these, comparisons go on for a while.
            self.string(format!("repne scas{suffix}"), &format!("r{n}"), Setup::Equal);
            self.string(format!("repe scas{suffix}"), &format!("r{n}"), Setup::Equal);
            for prefix in prefixes("lods") {
                self.string(format!("{prefix}lods{suffix}"), &format!("r{n}"), Setup::Swapped);
            }
        }
        let short = [
            ("rep movs dword ptr es:[edi], dword ptr ds:[esi]", "r4", Setup::Swapped),
            ("movs byte ptr es:[edi], byte ptr ds:[esi]", "w1", Setup::Plain),
            ("rep stos byte ptr es:[edi], al", "w1", Setup::Plain),
            ("repe cmps word ptr ds:[esi], word ptr es:[edi]", "r2", Setup::Swapped),
            ("lods eax, dword ptr ds:[esi]", "r4", Setup::Swapped),
        ];
        for (text, accesses, setup) in short {
            self.string(text.to_owned(), accesses, setup);
        }
    }

    fn string(&mut self, text: String, accesses: &str, setup: Setup) {
        let accesses = if text.starts_with("rep") { format!("{accesses} *") } else { accesses.to_owned() };
        self.add(text, accesses, 0).setup = setup;
    }
}

/// The prefixes that repeat an instruction, and none.
fn prefixes(name: &str) -> &'static [&'static str] {
    if matches!(name, "cmps" | "scas") { &["", "repe ", "repne "] } else { &["", "rep "] }
}

fn pieces(kind: char, length: usize) -> String {
    let count = length.div_ceil(8);
    vec![format!("{kind}{}", length.min(8)); count].join(" ")
}

/// Instructions that are not performed.
pub const REFUSED: [&str; 41] = [
    "fld dword ptr [rdi]",
    "fst qword ptr [rdi]",
    "fnstcw word ptr [rdi]",
    "fxsave [rdi]",
    "xsave [rdi]",
    "xrstor [rdi]",
    "ldmxcsr [rdi]",
    "stmxcsr [rdi]",
    "cmpxchg8b [rdi]",
    "cmpxchg16b [rdi]",
    "call qword ptr [rdi]",
    "jmp qword ptr [rdi]",
    "movq mm1, [rdi]",
    "movd mm1, [rdi]",
    "movq [rdi], mm1",
    "movntq [rdi], mm1",
    "paddd xmm1, [rdi]",
    "addps xmm1, [rdi]",
    "addss xmm1, [rdi]",
    "cmpsd xmm1, [rdi], 1",
    "movddup xmm1, [rdi]",
    "pshufd xmm1, [rdi], 1",
    "pinsrd xmm1, [rdi], 1",
    "pextrd [rdi], xmm1, 1",
    "vpgatherdd xmm1, [rdi + xmm2], xmm3",
    "vmaskmovps xmm1, xmm2, [rdi]",
    "vbroadcastss xmm1, [rdi]",
    "vinsertf128 ymm1, ymm2, [rdi], 1",
    "maskmovdqu xmm1, xmm2",
    "mov ds, word ptr [rdi]",
    "lss edx, [rdi]",
    "lgdt [rdi]",
    "sidt [rdi]",
    "clflush [rdi]",
    "invlpg [rdi]",
    "prefetcht0 [rdi]",
    "enter 16, 0",
    "leave",
    "ret",
    "vmovups zmm1, [rdi]",
    "vmovups xmm17, [rdi]",
];
