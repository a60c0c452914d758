// SPDX-License-Identifier: MIT
//! Vector registers over calls: a caller and a worker of which every vector register is known.

use core::arch::naked_asm;

/// The vector registers and MXCSR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(16))]
pub struct Vectors {
    /// XMM0 to XMM15.
    pub registers: [u128; 16],
    /// MXCSR.
    pub control: u64,
}

impl Vectors {
    /// Vector registers that differ from each other and from another seed's.
    #[must_use]
    pub fn pattern(seed: u64, control: u64) -> Self {
        let of = |index: usize| (u128::from(seed) << 64) | (0x0101_0101 * (index as u128 + 1));
        Self { registers: core::array::from_fn(of), control }
    }
}

/// What a worker finds and leaves: [`exchange`] has it where its stack begins.
#[derive(Debug)]
#[repr(C, align(16))]
pub struct Exchange {
    /// What the worker found at its last call.
    pub found: Vectors,
    /// What the worker leaves.
    pub left: Vectors,
}

macro_rules! loads {
    ($base:literal) => {
        concat!(
            "movups xmm0, [",
            $base,
            "]\n movups xmm1, [",
            $base,
            " + 16]\n movups xmm2, [",
            $base,
            " + 32]\n",
            "movups xmm3, [",
            $base,
            " + 48]\n movups xmm4, [",
            $base,
            " + 64]\n movups xmm5, [",
            $base,
            " + 80]\n",
            "movups xmm6, [",
            $base,
            " + 96]\n movups xmm7, [",
            $base,
            " + 112]\n movups xmm8, [",
            $base,
            " + 128]\n",
            "movups xmm9, [",
            $base,
            " + 144]\n movups xmm10, [",
            $base,
            " + 160]\n movups xmm11, [",
            $base,
            " + 176]\n",
            "movups xmm12, [",
            $base,
            " + 192]\n movups xmm13, [",
            $base,
            " + 208]\n movups xmm14, [",
            $base,
            " + 224]\n",
            "movups xmm15, [",
            $base,
            " + 240]\n ldmxcsr [",
            $base,
            " + 256]"
        )
    };
}

macro_rules! stores {
    ($base:literal) => {
        concat!(
            "movups [",
            $base,
            "], xmm0\n movups [",
            $base,
            " + 16], xmm1\n movups [",
            $base,
            " + 32], xmm2\n",
            "movups [",
            $base,
            " + 48], xmm3\n movups [",
            $base,
            " + 64], xmm4\n movups [",
            $base,
            " + 80], xmm5\n",
            "movups [",
            $base,
            " + 96], xmm6\n movups [",
            $base,
            " + 112], xmm7\n movups [",
            $base,
            " + 128], xmm8\n",
            "movups [",
            $base,
            " + 144], xmm9\n movups [",
            $base,
            " + 160], xmm10\n movups [",
            $base,
            " + 176], xmm11\n",
            "movups [",
            $base,
            " + 192], xmm12\n movups [",
            $base,
            " + 208], xmm13\n movups [",
            $base,
            " + 224], xmm14\n",
            "movups [",
            $base,
            " + 240], xmm15\n stmxcsr [",
            $base,
            " + 256]"
        )
    };
}

/// Calls a portal with these vector registers, and stores what they hold afterwards; returns RDI.
pub fn call(portal: u64, vectors: &mut Vectors) -> u64 {
    /// RDI: the portal's selector, RSI: the vectors.
    #[unsafe(naked)]
    extern "C" fn code(portal: u64, vectors: *mut Vectors) -> u64 {
        naked_asm!(
            "shl rdi, 8",
            loads!("rsi"),
            "syscall",
            stores!("rsi"),
            "push 0x1f80",
            "ldmxcsr [rsp]",
            "add rsp, 8",
            "mov rax, rdi",
            "ret",
        )
    }
    code(portal, vectors)
}

/// The entry of a portal whose worker stores the vector registers that it finds and leaves others; the worker's stack
/// begins with the address of an [`Exchange`].
#[must_use]
pub fn exchange() -> u64 {
    #[unsafe(naked)]
    extern "C" fn code() {
        naked_asm!("mov rsi, [rsp]", stores!("rsi"), loads!("rsi + 272"), "mov edi, 1", "syscall", "ud2")
    }
    code as *const () as u64
}
