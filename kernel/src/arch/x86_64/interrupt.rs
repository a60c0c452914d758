// SPDX-License-Identifier: MIT
//! The interrupt descriptor table, and what happens when the kernel itself faults.

use core::cell::UnsafeCell;

use x86_64::VirtAddr;
use x86_64::registers::control::Cr2;
use x86_64::structures::idt::InterruptDescriptorTable;

use super::apic::{COUNTER_VECTOR, SPURIOUS_VECTOR};
use super::segment::Ist;
use super::{exit, line};

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

/// Gives each line its entry.
macro_rules! lines {
    ($idt:ident, $address:ident, $($line:literal)*) => {
        $($idt[line::FIRST_VECTOR + $line].set_handler_addr($address(line::line_entry::<$line>));)*
    };
}

/// Fills and loads the table.
pub fn init() {
    fill::<false>();
    // SAFETY: the table stays where it is, and every handler is an entry written for its vector.
    unsafe { (*IDT.0.get()).load_unsafe() };
}

/// Has everything that comes from user mode go through the entries of an isolated kernel.
pub fn isolate() {
    fill::<true>();
}

/// Fills the table. All gates are interrupt gates. User code may use INT only with vector 3; every
/// other one is a #GP.
fn fill<const ISOLATED: bool>() {
    // SAFETY: user mode is not running, and the kernel is not interrupted; the handlers are entries
    // written for their vectors.
    unsafe {
        let idt = &mut *IDT.0.get();
        let address = |entry: unsafe extern "C" fn()| VirtAddr::new(entry as *const () as u64);
        idt.divide_error.set_handler_addr(address(exit::plain_entry::<0, ISOLATED>));
        idt.debug.set_handler_addr(address(exit::debug_entry::<ISOLATED>)).set_stack_index(Ist::Debug as u16);
        idt.non_maskable_interrupt
            .set_handler_addr(address(exit::nmi_entry::<ISOLATED>))
            .set_stack_index(Ist::Nmi as u16);
        idt.breakpoint
            .set_handler_addr(address(exit::plain_entry::<3, ISOLATED>))
            .set_privilege_level(x86_64::PrivilegeLevel::Ring3);
        idt.overflow.set_handler_addr(address(exit::plain_entry::<4, ISOLATED>));
        idt.bound_range_exceeded.set_handler_addr(address(exit::plain_entry::<5, ISOLATED>));
        idt.invalid_opcode.set_handler_addr(address(exit::plain_entry::<6, ISOLATED>));
        idt.device_not_available.set_handler_addr(address(exit::plain_entry::<7, ISOLATED>));
        idt.double_fault
            .set_handler_addr(address(exit::double_fault_entry::<ISOLATED>))
            .set_stack_index(Ist::DoubleFault as u16);
        idt.invalid_tss.set_handler_addr(address(exit::error_entry::<10, ISOLATED>));
        idt.segment_not_present.set_handler_addr(address(exit::error_entry::<11, ISOLATED>));
        idt.stack_segment_fault.set_handler_addr(address(exit::error_entry::<12, ISOLATED>));
        idt.general_protection_fault.set_handler_addr(address(exit::error_entry::<13, ISOLATED>));
        idt.page_fault.set_handler_addr(address(exit::error_entry::<14, ISOLATED>));
        idt.x87_floating_point.set_handler_addr(address(exit::plain_entry::<16, ISOLATED>));
        idt.alignment_check.set_handler_addr(address(exit::error_entry::<17, ISOLATED>));
        idt.machine_check
            .set_handler_addr(address(exit::machine_check_entry::<ISOLATED>))
            .set_stack_index(Ist::MachineCheck as u16);
        idt.simd_floating_point.set_handler_addr(address(exit::plain_entry::<19, ISOLATED>));
        idt.cp_protection_exception.set_handler_addr(address(exit::error_entry::<21, ISOLATED>));
        idt[COUNTER_VECTOR].set_handler_addr(address(exit::counter_entry::<ISOLATED>));
        idt[SPURIOUS_VECTOR]
            .set_handler_addr(address(exit::plain_entry::<{ SPURIOUS_VECTOR as u64 }, ISOLATED>));
        lines!(idt, address, 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23);
    }
}
