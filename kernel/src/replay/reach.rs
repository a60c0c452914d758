// SPDX-License-Identifier: MIT
//! What this machine lets user mode do that a processor would refuse, tried at boot.
//!
//! QEMU before 9.1 makes the stack accesses of far transfers and of IRET with the kernel's rights, and loads
//! reserved bits into MXCSR (decision 0001).

use core::sync::atomic::{AtomicU64, Ordering};

use pe_replay::user::INTERRUPT_FLAG;
use pe_replay::{Cause, UserRegisters};
use wire::isolation::Reach;

use crate::arch::context::{self, Start};
use crate::arch::segment::{USER_CS, USER_SS};
use crate::arch::{machine, watchdog};
use crate::mem::space::{Access, BadAddress, OutOfFrames, PAGE_LEN, Space};

/// Where the code is mapped meanwhile; where all of it arrives, a system call lies at its start.
const CODE: u64 = 0x40_0000;
/// Where a page is mapped that can only be read.
const DATA: u64 = CODE + PAGE_LEN;
/// Places in the page of code.
const FAR_RETURN: u64 = CODE + 0x10;
const INTERRUPT_RETURN: u64 = CODE + 0x20;
const FAR_CALL: u64 = CODE + 0x30;
const FAR_POINTER: u64 = CODE + 0x40;
const LOAD_MXCSR: u64 = CODE + 0x60;

/// Ticks after which a trial is ended.
const PATIENCE: u32 = 1_000_000;

/// What user mode must not reach: a word that a far call may write, and a frame for the returns.
static KEPT: [AtomicU64; 7] = [const { AtomicU64::new(0) }; 7];
/// The first word of the frame in [`KEPT`].
const FRAME: usize = 2;

/// What user mode can do here.
pub struct Liberties {
    /// How it reaches the kernel's memory.
    pub reach: Reach,
    /// The MXCSR bits that it can set.
    pub mxcsr: u32,
}

/// Finds out what user mode can do, in `space`, which is left as it was; `mxcsr_mask` are the MXCSR bits that the
/// processor has.
pub fn examine(space: &mut Space, mxcsr_mask: u32) -> Result<Liberties, OutOfFrames> {
    let access = |execute| Access { read: true, write: false, execute };
    space.map_zeroed(CODE, access(true))?;
    space.map_zeroed(DATA, access(false))?;
    if let Err(BadAddress(address)) = load(space) {
        panic!("{address:#x} was mapped just now");
    }
    for (word, value) in
        KEPT[FRAME..].iter().zip([CODE, USER_CS.into(), INTERRUPT_FLAG | 2, 0, USER_SS.into()])
    {
        word.store(value, Ordering::Relaxed);
    }
    let frame = &raw const KEPT[FRAME] as u64;
    let run = |rip| {
        let mut state = UserRegisters::new(USER_CS, USER_SS);
        (state.rip, state.rsp, state.rbx) = (rip, frame, DATA);
        watchdog::wind(machine::now());
        let start = Start { timer: PATIENCE, step: false, resume: false, interrupts_off: false, fresh: true };
        let cause = context::enter(None, &mut state, start, mxcsr_mask).cause;
        (cause == Cause::Syscall, state)
    };
    // What was taken for a frame leads to the system call.
    let (far_return, interrupt_return) = (run(FAR_RETURN).0, run(INTERRUPT_RETURN).0);
    run(FAR_CALL);
    let far_call = KEPT[..FRAME].iter().any(|word| word.load(Ordering::Relaxed) != 0);
    let (is_loaded, state) = run(LOAD_MXCSR);
    let mxcsr = mxcsr_mask | if is_loaded { state.extended.mxcsr() } else { 0 };
    for page in [CODE, DATA] {
        space.unmap(page);
    }
    Ok(Liberties { reach: Reach { far_return, interrupt_return, far_call }, mxcsr })
}

fn load(space: &mut Space) -> Result<(), BadAddress> {
    // SYSCALL; RETFQ; IRETQ; CALL FAR [RIP to the pointer]; LDMXCSR [RBX], SYSCALL.
    space.load(CODE, &[0x0f, 0x05])?;
    space.load(FAR_RETURN, &[0x48, 0xcb])?;
    space.load(INTERRUPT_RETURN, &[0x48, 0xcf])?;
    space.load(FAR_CALL, &[0x48, 0xff, 0x1d, (FAR_POINTER - FAR_CALL - 7) as u8, 0, 0, 0])?;
    space.load(FAR_POINTER, &CODE.to_le_bytes())?;
    space.load(FAR_POINTER + 8, &USER_CS.to_le_bytes())?;
    space.load(LOAD_MXCSR, &[0x0f, 0xae, 0x13, 0x0f, 0x05])?;
    space.load(DATA, &u32::MAX.to_le_bytes())
}
