// SPDX-License-Identifier: MIT
//! The way to user mode, the common end of all ways back, and SYSCALL; the other ways back are in [`exit`](super::exit).
//!
//! [`enter_user`] is a function call that returns when user code stops. It
//! points RSP0 at the end of the process's [`UserRegisters`], so the processor itself
//! pushes its frame where it belongs; the entries push the rest, save the
//! extended state, and return to `enter_user`'s caller. No compiled code runs
//! before the user's extended state is saved and the kernel's is set.
//!
//! Where the kernel is out of the user's page tables (`ISOLATED`), these map nothing of it but
//! the entry area: this code, the tables that the processor looks at, and the stacks that it pushes to.
//! There the processor pushes on the entry stack, the entries load the kernel's page tables, and
//! copy the frame to where it belongs. What a program can write in the entry area, as QEMU before 9.1 lets
//! it, is written anew before it is read.
//!
//! Every stretch between the time stamps and user mode is straight-line code,
//! so that what it adds to a count is constant (decision 0002).

use core::cell::UnsafeCell;
use core::mem::offset_of;

use pe_replay::stop::DEBUG_STEP;
use pe_replay::user::{RESUME_FLAG, UserRegisters, XCR0};
use x86_64::structures::tss::TaskStateSegment;

use super::apic::TIMER_INITIAL;
use super::context::{DEBUG_BREAKPOINT, DEBUG_CLEAR};
use super::map::APIC;
use super::passing::{PATIENCE, Passing};
use super::segment::{ENTRY_STACK_END, ENTRY_STACKS, EntryStacks, TASK, USER_CS, USER_SS};

/// `entry_vector` after a system call; exceptions and interrupts have their own.
pub const SYSCALL_ENTRY: u64 = 0x100;

/// [`enter_user`], isolated or not.
pub type Enter = unsafe extern "C" fn(*const UserRegisters, *mut UserRegisters, u32);

/// What the entry code keeps for itself. Of all this user mode has nothing mapped.
#[repr(C)]
pub struct EntryState {
    pub(super) kernel_rsp: u64,
    /// Where the frame of the next entry from user mode belongs, if the kernel is isolated; if
    /// not, RSP0 says that.
    pub frame_top: u64,
    /// The top table of the user's space, if the kernel is isolated.
    pub user_root: u64,
    /// Time stamp before user mode.
    pub entered: u64,
    /// Time stamp after it.
    pub left: u64,
    /// Counter interrupts that were taken in the kernel, by `drain`.
    pub drained: u64,
    /// NMIs that came in the kernel.
    pub kernel_nmis: u64,
    /// The bases of FS and GS as user mode left them, and as they still are.
    bases: [u64; 2],
    /// The data segment selectors as user mode left them, as in `UserRegisters`.
    selectors: u64,
    /// How often other ones had to be loaded.
    pub segment_loads: u64,
    mxcsr: u32,
    /// Hits of the breakpoint that are passed over.
    pub(super) passing: Passing,
    /// Whether the kernel is out of the user's page tables.
    pub is_isolated: bool,
    /// The way to user mode, by that.
    pub enter: Enter,
}

/// The processor's entry state.
#[repr(transparent)]
pub struct Entries(pub UnsafeCell<EntryState>);

// SAFETY: one processor, interrupts off in the kernel; the assembly below and
// `context` take turns.
unsafe impl Sync for Entries {}

pub static ENTRIES: Entries = Entries(UnsafeCell::new(EntryState {
    kernel_rsp: 0,
    frame_top: 0,
    user_root: 0,
    entered: 0,
    left: 0,
    drained: 0,
    kernel_nmis: 0,
    bases: [0; 2],
    // None that a program can have: before the first entry all are loaded.
    selectors: u64::MAX,
    segment_loads: 0,
    mxcsr: 0x1f80,
    passing: Passing::NONE,
    is_isolated: false,
    enter: enter_user::<false>,
}));

/// The kernel's own top table, where user page tables have it, too, read-only.
#[repr(transparent)]
pub struct KernelRoot(pub UnsafeCell<u64>);

// SAFETY: written by `isolation::isolate` before user mode can be left through an entry that reads it.
unsafe impl Sync for KernelRoot {}

#[unsafe(link_section = ".data.entry.tables")]
pub static KERNEL_ROOT: KernelRoot = KernelRoot(UnsafeCell::new(0));

// What the assembly takes for granted.
const _: () = assert!(offset_of!(UserRegisters, extended) == 0);
const _: () = assert!(size_of::<UserRegisters>().is_multiple_of(16));
const _: () = assert!(offset_of!(UserRegisters, ss) + 8 == FRAME_END && FRAME_END.is_multiple_of(16));
const _: () = assert!(offset_of!(UserRegisters, rax) == offset_of!(UserRegisters, r15) + 14 * 8);
const _: () = assert!(offset_of!(UserRegisters, entry_vector) == offset_of!(UserRegisters, rax) + 8);
const _: () = assert!(offset_of!(UserRegisters, rip) == offset_of!(UserRegisters, rax) + 24);
const _: () = assert!(offset_of!(UserRegisters, gs_base) == offset_of!(UserRegisters, fs_base) + 8);
const _: () = assert!(offset_of!(UserRegisters, gs) == offset_of!(UserRegisters, ds) + 6);

/// Segment registers that [`enter_user`] loads, where one selector or base is not as it is to be.
pub const SELECTORS: u64 = 4;
/// Bases of FS and GS that [`enter_user`] writes then, and that [`leave_user`] always reads.
pub const BASES: u64 = 2;
/// Time stamps that both read.
pub const TIME_STAMPS: u64 = 2;
/// Registers of the local APIC that both write: the timer is armed and disarmed.
pub const APIC_WRITES: u64 = 2;

/// End of the frame that the processor pushes, from the start of the `UserRegisters`.
const FRAME_END: usize = offset_of!(UserRegisters, ss) + 8;
/// RSP0 in the task state: where the processor pushes its frame.
pub(super) const RSP0: usize = offset_of!(TaskStateSegment, privilege_stack_table);
/// APIC registers as displacements: the page lies in the last 2 GiB.
const TIMER: i32 = displacement(TIMER_INITIAL);

pub(super) const fn displacement(offset: u64) -> i32 {
    let address = (APIC + offset) as i64;
    assert!(address as i32 as i64 == address);
    address as i32
}

/// A routine of the entry area: its instructions, and what they name. `kept` are fields of [`EntryState`], `at` those of
/// `UserRegisters`, `passing` of [`Passing`] in the former, each by where it lies; the others are said as `naked_asm!`
/// takes them.
macro_rules! routine {
    (
        $(#[$line:meta])* $visible:vis fn $name:ident$(<$(const $parameter:ident: $of:ty),+>)?($($argument:tt)*);
        $($text:expr,)+ ; kept [$($kept:ident)*] $(passing [$($passing:ident)*])? at [$($at:ident)*] $($operand:tt)*
    ) => {
        $(#[$line])*
        #[unsafe(naked)]
        #[unsafe(link_section = ".text.entry")]
        $visible unsafe extern "C" fn $name$(<$(const $parameter: $of),+>)?($($argument)*) {
            core::arch::naked_asm!(
                $($text,)+
                $($kept = const core::mem::offset_of!($crate::arch::entry::EntryState, $kept),)*
                $($($passing = const core::mem::offset_of!($crate::arch::entry::EntryState, passing.$passing),)*)?
                $($at = const core::mem::offset_of!(pe_replay::UserRegisters, $at),)*
                $($operand)*
            )
        }
    };
}
pub(super) use routine;

/// The last instructions on any way to user mode, where the time stamp before it goes said: with the state at RDI, the
/// timer is armed with R8D.
macro_rules! to_user_mode {
    ($stamp:literal) => {
        concat!(
            "mov ds:[{timer}], r8d\n",
            "rdtsc\n mov [rip + {entries} + ", $stamp, "], eax\n mov [rip + {entries} + ", $stamp, " + 4], edx\n",
            ".if {isolated}; lea rsp, [rip + {stacks} + {stack_end}]\n",
            "push [rdi + {ss}]; push [rdi + {rsp}]; push [rdi + {rflags}]; push [rdi + {cs}]; push [rdi + {rip}]\n",
            "push [rdi + {rax}]; .endif\n",
            "lea rsp, [rdi + {r15}]\n",
            "pop r15; pop r14; pop r13; pop r12; pop r11; pop r10; pop r9; pop r8\n",
            "pop rdi; pop rsi; pop rbp; pop rbx; pop rdx; pop rcx\n",
            ".if {isolated}; mov rax, [rip + {entries} + {user_root}]\n",
            "lea rsp, [rip + {stacks} + {stack_end} - 6 * 8]; mov cr3, rax; pop rax\n",
            ".else; pop rax; add rsp, 16; .endif\n",
            "iretq",
        )
    };
}

routine! {
    /// Enters user mode with `source` and returns when it stops, with what is there
    /// then in `state`, which may be the same; `timer` is what the APIC timer is
    /// armed with.
    ///
    /// Selectors and bases are loaded unless all of them are as [`leave_user`] read them from the
    /// processor: nothing in the kernel changes them. What a fault has changed in a run was read so, and is
    /// loaded anew.
    ///
    /// Called by: `context::execute`. State: interrupts off. Leaves `source` alone,
    /// the timer disarmed, and the kernel's own extended state, RFLAGS
    /// and stack. Leaves by IRETQ; comes back through [`leave_user`].
    ///
    /// IRETQ takes its frame from `source`; isolated, from the entry stack, since nothing else is mapped by then:
    ///
    /// ```text
    /// kernel stack: return address  RBX  RBP  R12  R13  R14  R15
    ///                                                        kernel_rsp
    /// source:       extended .. R15 .. RAX  vector  error  RIP  CS  RFLAGS  RSP  SS
    ///                           popped                     RSP at IRETQ
    /// entry stack:  SS  RSP  RFLAGS  CS  RIP  RAX
    ///               top                       RSP when the user's tables are loaded
    /// ```
    ///
    /// # Safety
    /// Everything in `source` that a privileged instruction loads must be valid:
    /// canonical RIP and bases, loadable selectors, MXCSR, XSAVE header, CS and SS.
    /// The current page tables must map the kernel, and both must stay in place.
    /// `ISOLATED` must be what the entries are.
    pub fn enter_user<const ISOLATED: bool>(source: *const UserRegisters, state: *mut UserRegisters, timer: u32);
    "push rbx", "push rbp", "push r12", "push r13", "push r14", "push r15",
    "mov [rip + {entries} + {kernel_rsp}], rsp",
    "lea rax, [rsi + {frame_end}]",
    ".if {isolated}; mov [rip + {entries} + {frame_top}], rax",
    ".else; mov [rip + {task} + {rsp0}], rax; .endif",
    "mov r8d, edx",
    "mov eax, {xcr0}", "xor edx, edx", "xrstor64 [rdi]",
    "mov rax, [rdi + {ds}]", "xor rax, [rip + {entries} + {selectors}]",
    "mov rcx, [rdi + {fs_base}]", "xor rcx, [rip + {entries} + {bases}]", "or rax, rcx",
    "mov rcx, [rdi + {gs_base}]", "xor rcx, [rip + {entries} + {bases} + 8]", "or rax, rcx",
    "jz 2f",
    // The bases behind the selectors, whose loads may change them.
    "mov ds, word ptr [rdi + {ds}]", "mov es, word ptr [rdi + {es}]",
    "mov fs, word ptr [rdi + {fs}]", "mov gs, word ptr [rdi + {gs}]",
    "mov ecx, 0xc0000100", "mov eax, [rdi + {fs_base}]", "mov edx, [rdi + {fs_base} + 4]", "wrmsr",
    "mov ecx, 0xc0000101", "mov eax, [rdi + {gs_base}]", "mov edx, [rdi + {gs_base} + 4]", "wrmsr",
    "inc qword ptr [rip + {entries} + {segment_loads}]",
    "2:",
    to_user_mode!("{entered}"),
    ; kept [kernel_rsp frame_top user_root entered bases selectors segment_loads]
    at [ds es fs gs fs_base gs_base r15 rax rip cs rflags rsp ss]
    isolated = const ISOLATED as u32, entries = sym ENTRIES, task = sym TASK, stacks = sym ENTRY_STACKS,
    stack_end = const ENTRY_STACK_END, rsp0 = const RSP0, frame_end = const FRAME_END, xcr0 = const XCR0,
    timer = const TIMER,
}

routine! {
    /// The common end of all entries from user mode.
    ///
    /// Jumped to by: the entries of this file and of [`exit`](super::exit). State: the kernel's page tables; RSP is at
    /// `UserRegisters::entry_vector`, everything above is filled; all other registers are the user's.
    /// Fills the rest of the `UserRegisters`, disarms the timer, and returns from [`enter_user`]. With `PASSES`, behind a
    /// debug exception, user code goes on instead where the exception is a hit that is passed over (see
    /// [`passing`](super::passing)): nothing but the general registers was touched by then.
    ///
    /// The x87 unit stays as it is: compiled code does not use it, and within a run its instruction
    /// and data pointers have to survive, also where XSAVE does not carry them.
    ///
    /// ```text
    /// UserRegisters:  extended .. R15 .. RAX  vector  error  RIP  CS  RFLAGS  RSP  SS
    ///                             filled here RSP     filled by the entry
    /// ```
    pub(super) fn leave_user<const PASSES: bool, const ISOLATED: bool>();
    "push rax", "push rcx", "push rdx", "push rbx", "push rbp", "push rsi", "push rdi",
    "push r8", "push r9", "push r10", "push r11", "push r12", "push r13", "push r14", "push r15",
    "rdtsc", "mov [rip + {entries} + {left}], eax", "mov [rip + {entries} + {left} + 4], edx",
    ".if {passes}; mov rbx, [rip + {entries} + {way}]; test rbx, rbx; jz 3f",
    // The breakpoint, and no step of the user's with it.
    "mov rcx, dr6; and ecx, {causes}; cmp ecx, {breakpoint}; jne 3f",
    // RAX: ticks in user mode. RBX: what is left of the way, in instructions; nothing is at the target and beyond.
    "mov rcx, [rip + {entries} + {again}]; test rcx, rcx",
    "cmovz rcx, [rip + {entries} + {entered}]; shl rdx, 32; or rax, rdx; sub rax, rcx; sub rbx, rax; jbe 3f",
    "mov rcx, [rsp - {r15} + {rcx_of_user}]; sub rcx, rbx; cmp rcx, [rip + {entries} + {rcx}]; je 3f",
    "cmp qword ptr [rip + {entries} + {hits}], {patience}; je 3f; inc qword ptr [rip + {entries} + {hits}]",
    "add [rip + {entries} + {ticks}], rax; add rbx, [rip + {entries} + {bias}]; mov [rip + {entries} + {way}], rbx",
    "mov eax, {clear}; mov dr6, rax; mov r8d, [rip + {entries} + {passing_timer}]",
    "lea rdi, [rsp - {r15}]; or dword ptr [rdi + {rflags}], {resume}",
    to_user_mode!("{again}"),
    "3:",
    ".endif",
    "mov dword ptr ds:[{timer}], 0",
    "lea r8, [rsp - {r15}]",
    "mov rsp, [rip + {entries} + {kernel_rsp}]",
    // All flags to a known state, AC and DF and NT among them: CLD and CLAC in
    // one, also where the processor has no SMAP.
    "push 2", "popfq",
    "mov word ptr [r8 + {ds}], ds", "mov word ptr [r8 + {es}], es",
    "mov word ptr [r8 + {fs}], fs", "mov word ptr [r8 + {gs}], gs",
    "mov ecx, 0xc0000100", "rdmsr", "mov [r8 + {fs_base}], eax", "mov [r8 + {fs_base} + 4], edx",
    "mov ecx, 0xc0000101", "rdmsr", "mov [r8 + {gs_base}], eax", "mov [r8 + {gs_base} + 4], edx",
    "mov eax, {xcr0}", "xor edx, edx", "xsave64 [r8]",
    // For the next entry, which loads only what is to be another.
    "movups xmm0, [r8 + {fs_base}]", "movups [rip + {entries} + {bases}], xmm0",
    "mov rax, [r8 + {ds}]", "mov [rip + {entries} + {selectors}], rax",
    "ldmxcsr [rip + {entries} + {mxcsr}]",
    "pop r15", "pop r14", "pop r13", "pop r12", "pop rbp", "pop rbx", "ret",
    ; kept [kernel_rsp user_root entered left bases selectors mxcsr] passing [way bias rcx hits ticks again]
    at [ds es fs gs fs_base gs_base r15 rax rip cs rflags rsp ss]
    entries = sym ENTRIES, xcr0 = const XCR0, timer = const TIMER, passes = const PASSES as u32,
    isolated = const ISOLATED as u32, stacks = sym ENTRY_STACKS, stack_end = const ENTRY_STACK_END,
    passing_timer = const offset_of!(EntryState, passing.timer), rcx_of_user = const offset_of!(UserRegisters, rcx),
    causes = const DEBUG_STEP | DEBUG_BREAKPOINT, breakpoint = const DEBUG_BREAKPOINT, patience = const PATIENCE,
    clear = const DEBUG_CLEAR, resume = const RESUME_FLAG,
}

routine! {
    /// SYSCALL. State: CPL 0, RCX = user RIP, R11 = user RFLAGS, RSP = the user's,
    /// flags masked by FMASK. Builds the frame that an interrupt would have pushed, where it belongs.
    ///
    /// A #DB may come on its first instruction when the user had TF set; see
    /// [`debug_entry`](super::exit::debug_entry).
    ///
    /// ```text
    /// UserRegisters:  .. vector  error  RIP  CS  RFLAGS  RSP  SS
    ///                    RSP at the end                          frame_top, or RSP0
    /// ```
    pub fn syscall_entry<const ISOLATED: bool>();
    "mov [rip + {stacks} + {user_rsp}], rsp",
    ".if {isolated}; mov rsp, [rip + {kernel_root}]; mov cr3, rsp; mov rsp, [rip + {entries} + {frame_top}]",
    ".else; mov rsp, [rip + {task} + {rsp0}]; .endif",
    "push {ss}", "push qword ptr [rip + {stacks} + {user_rsp}]", "push r11", "push {cs}", "push rcx",
    "push 0", "push {vector}",
    "jmp {leave}",
    ; kept [frame_top] at []
    isolated = const ISOLATED as u32, entries = sym ENTRIES, stacks = sym ENTRY_STACKS, task = sym TASK,
    user_rsp = const offset_of!(EntryStacks, user_rsp), kernel_root = sym KERNEL_ROOT, rsp0 = const RSP0,
    ss = const USER_SS, cs = const USER_CS, vector = const SYSCALL_ENTRY, leave = sym leave_user::<false, ISOLATED>,
}

routine! {
    /// What CSTAR points at. Nothing can get here: no 32-bit code exists.
    pub(super) fn compat_syscall_stop();
    "ud2",
    ; kept [] at []
}
