// SPDX-License-Identifier: MIT
//! LAR, LSL, VERR and VERW, which any program may ask about any selector: they may tell of the program's own
//! descriptors and of no others.
#![no_std]
#![no_main]

use hostile::{Case, Named, attacks};

rt::entry!(main);

fn main(arguments: rt::Arguments) -> i32 {
    hostile::run_product(arguments, DOORS, SELECTORS)
}

/// All that there is a descriptor for, and some without; 0028 to 0033 are the program's.
const SELECTORS: &[Named] = &[
    ("0000", 0x0000),
    ("0003", 0x0003),
    ("0007", 0x0007),
    ("0010", 0x0010),
    ("0013", 0x0013),
    ("0018", 0x0018),
    ("001b", 0x001b),
    ("0023", 0x0023),
    ("0028", 0x0028),
    ("002b", 0x002b),
    ("0030", 0x0030),
    ("0033", 0x0033),
    ("0040", 0x0040),
    ("0043", 0x0043),
    ("0048", 0x0048),
    ("0053", 0x0053),
    ("ffff", 0xffff),
];

// ZF says that there is an answer. DL becomes 1 where there may be one, so that RAX is 0 if the two agree.
const DOORS: &[Case] = attacks! {
    "lar": "lar rcx, si", "setz al", "and esi, -4", "cmp esi, 0x28", "sete dl", "cmp esi, 0x30", "sete cl", "or dl, cl",
        "xor al, dl", "movzx eax, al", "ret";
    "lsl": "lsl rcx, si", "setz al", "and esi, -4", "cmp esi, 0x28", "sete dl", "cmp esi, 0x30", "sete cl", "or dl, cl",
        "xor al, dl", "movzx eax, al", "ret";
    "verr": "verr si", "setz al", "and esi, -4", "cmp esi, 0x28", "sete dl", "cmp esi, 0x30", "sete cl", "or dl, cl",
        "xor al, dl", "movzx eax, al", "ret";
    // Code cannot be written.
    "verw": "verw si", "setz al", "and esi, -4", "cmp esi, 0x28", "sete dl", "xor al, dl", "movzx eax, al", "ret";
};
