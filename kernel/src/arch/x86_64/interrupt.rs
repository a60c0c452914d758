// SPDX-License-Identifier: MIT
//! What the processor enters the kernel by: the interrupt descriptor table and the registers of SYSCALL; and what happens
//! when the kernel itself faults.

use core::cell::UnsafeCell;

use x86_64::VirtAddr;
use x86_64::registers::control::Cr2;
use x86_64::registers::model_specific::{Efer, EferFlags, LStar, Msr, SFMask};
use x86_64::registers::rflags::RFlags;
use x86_64::structures::idt::InterruptDescriptorTable;

use super::apic::{COUNTER_VECTOR, SPURIOUS_VECTOR};
use super::segment::{Ist, KERNEL_CS, USER_SS};
use super::{entry, exit, line};

struct Idt(UnsafeCell<InterruptDescriptorTable>);

// SAFETY: written by `init` only, before it is loaded.
unsafe impl Sync for Idt {}

#[unsafe(link_section = ".data.entry.tables")]
static IDT: Idt = Idt(UnsafeCell::new(InterruptDescriptorTable::new()));

/// What the entries leave on the stack for [`kernel_fault`].
#[repr(C)]
#[derive(Debug)]
pub struct KernelFrame {
    vector: u64,
    error: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

/// An exception at CPL 0. There is no way back: compiled code relies on the red
/// zone and on SSE registers that the entries do not save.
pub extern "C" fn kernel_fault(frame: &KernelFrame) -> ! {
    panic!(
        "exception {} (error {:#x}) in the kernel at {:#x}, address {:#x}, stack {:#x}, cs {:#x}, flags {:#x}, ss {:#x}",
        frame.vector,
        frame.error,
        frame.rip,
        Cr2::read_raw(),
        frame.rsp,
        frame.cs,
        frame.rflags,
        frame.ss,
    );
}

/// Fills and loads the table, sets up SYSCALL, and makes SYSENTER a #GP.
pub fn init() {
    fill::<false>();
    // SAFETY: the table stays where it is, and every handler is an entry written for its vector.
    unsafe { (*IDT.0.get()).load_unsafe() };
    allow_syscall();
}

/// Has everything that comes from user mode go through the entries of an isolated kernel.
pub fn isolate() {
    fill::<true>();
    LStar::write(VirtAddr::new(entry::syscall_entry::<true> as *const () as u64));
}

fn allow_syscall() {
    const SYSENTER_CS: u32 = 0x174;
    const STAR: u32 = 0xc000_0081;
    const CSTAR: u32 = 0xc000_0083;
    // SAFETY: all values are those that the entry is written for. STAR is
    // written raw: its upper half is for SYSRET, which is never executed.
    unsafe {
        Efer::update(|efer| *efer |= EferFlags::SYSTEM_CALL_EXTENSIONS | EferFlags::NO_EXECUTE_ENABLE);
        Msr::new(STAR).write(u64::from(USER_SS - 8) << 48 | u64::from(KERNEL_CS) << 32);
        Msr::new(SYSENTER_CS).write(0);
        Msr::new(CSTAR).write(entry::compat_syscall_stop as *const () as u64);
    }
    LStar::write(VirtAddr::new(entry::syscall_entry::<false> as *const () as u64));
    SFMask::write(
        RFlags::TRAP_FLAG
            | RFlags::INTERRUPT_FLAG
            | RFlags::DIRECTION_FLAG
            | RFlags::IOPL_LOW
            | RFlags::IOPL_HIGH
            | RFlags::NESTED_TASK
            | RFlags::ALIGNMENT_CHECK
            | RFlags::RESUME_FLAG,
    );
}

/// Whether a vector has an error code.
const ERROR: bool = true;
const NO_ERROR: bool = false;
/// Whether a vector has a stack of its own.
const OWN: bool = true;
const SHARED: bool = false;

/// Fills the table. All gates are interrupt gates. User code may use INT only with vectors 3 and 4, as under
/// NOVA and Linux; every other one is a #GP.
fn fill<const ISOLATED: bool>() {
    // SAFETY: user mode is not running, and the kernel is not interrupted; the handlers are entries
    // written for their vectors.
    unsafe {
        let idt = &mut *IDT.0.get();
        let address = |entry: unsafe extern "C" fn()| VirtAddr::new(entry as *const () as u64);
        idt.divide_error.set_handler_addr(address(exit::plain_entry::<0, NO_ERROR, SHARED, ISOLATED>));
        idt.debug.set_handler_addr(address(exit::debug_entry::<ISOLATED>)).set_stack_index(Ist::Debug as u16);
        idt.non_maskable_interrupt
            .set_handler_addr(address(exit::nmi_entry::<ISOLATED>))
            .set_stack_index(Ist::Nmi as u16);
        idt.breakpoint
            .set_handler_addr(address(exit::plain_entry::<3, NO_ERROR, SHARED, ISOLATED>))
            .set_privilege_level(x86_64::PrivilegeLevel::Ring3);
        idt.overflow
            .set_handler_addr(address(exit::plain_entry::<4, NO_ERROR, SHARED, ISOLATED>))
            .set_privilege_level(x86_64::PrivilegeLevel::Ring3);
        idt.bound_range_exceeded
            .set_handler_addr(address(exit::plain_entry::<5, NO_ERROR, SHARED, ISOLATED>));
        idt.invalid_opcode.set_handler_addr(address(exit::plain_entry::<6, NO_ERROR, SHARED, ISOLATED>));
        idt.device_not_available
            .set_handler_addr(address(exit::plain_entry::<7, NO_ERROR, SHARED, ISOLATED>));
        idt.double_fault
            .set_handler_addr(address(exit::double_fault_entry::<ISOLATED>))
            .set_stack_index(Ist::DoubleFault as u16);
        idt.invalid_tss.set_handler_addr(address(exit::plain_entry::<10, ERROR, SHARED, ISOLATED>));
        idt.segment_not_present.set_handler_addr(address(exit::plain_entry::<11, ERROR, SHARED, ISOLATED>));
        idt.stack_segment_fault.set_handler_addr(address(exit::plain_entry::<12, ERROR, SHARED, ISOLATED>));
        idt.general_protection_fault
            .set_handler_addr(address(exit::plain_entry::<13, ERROR, SHARED, ISOLATED>));
        idt.page_fault.set_handler_addr(address(exit::plain_entry::<14, ERROR, SHARED, ISOLATED>));
        idt.x87_floating_point.set_handler_addr(address(exit::plain_entry::<16, NO_ERROR, SHARED, ISOLATED>));
        idt.alignment_check.set_handler_addr(address(exit::plain_entry::<17, ERROR, SHARED, ISOLATED>));
        idt.machine_check
            .set_handler_addr(address(exit::plain_entry::<18, NO_ERROR, OWN, ISOLATED>))
            .set_stack_index(Ist::MachineCheck as u16);
        idt.simd_floating_point
            .set_handler_addr(address(exit::plain_entry::<19, NO_ERROR, SHARED, ISOLATED>));
        idt.cp_protection_exception
            .set_handler_addr(address(exit::plain_entry::<21, ERROR, SHARED, ISOLATED>));
        idt[COUNTER_VECTOR].set_handler_addr(address(exit::counter_entry::<ISOLATED>));
        idt[SPURIOUS_VECTOR].set_handler_addr(address(
            exit::plain_entry::<{ SPURIOUS_VECTOR as u64 }, NO_ERROR, SHARED, ISOLATED>,
        ));
        for index in 0..line::VECTORS {
            idt[line::FIRST_VECTOR + index].set_handler_addr(VirtAddr::new(line::entry_address(index)));
        }
    }
}
