// SPDX-License-Identifier: MIT
//! Memory of devices, and ports: who has them accesses them once an instruction, and nobody else does.

use wire::DelimiterKind;
use wire::device::{DeviceAccess, Space as Where};
use wire::record::Record;

use super::*;

/// Where the root task sees a device, one that it may only read, memory, and memory that it may only read.
const DEVICE: u64 = 0x800_0000;
const READ_ONLY_DEVICE: u64 = 0x810_0000;
const RAM: u64 = 0x900_0000;
const READ_ONLY_RAM: u64 = 0x910_0000;
const PHYSICAL: u64 = device::FIRST << 12;
/// Error codes of page faults.
const READ: u32 = 4;
const WRITE: u32 = 6;
const FETCH: u32 = 0x14;
/// The trap flag.
const TRAP: u64 = 1 << 8;

/// Asks the kernel's domain for a range.
fn ask(space: &mut Space, range: u64) {
    put(space, FIRST_PAGE, &[1 << 16]);
    put_item(space, FIRST_PAGE, 0, [range, 0x801]);
}

/// Asks for a frame of memory.
fn ask_memory(space: &mut Space, index: usize, rights: u64) {
    let frame = MEMORY.with_borrow(|memory| memory[index].number());
    ask(space, frame << 12 | rights);
}

/// The root task's beginning: events 1, 13 and 14 go to a worker, and it has what there is.
fn beginning() -> Vec<Op> {
    let delegate = |window: u64| Op::Hyper(call(8, 1, 0x20), [window, 0x20, 0, 0]);
    vec![
        Op::Hyper(call(3, 0, 0x200), [0x20, PAGER_PAGE, 0x1000, 0x300]),
        Op::Hyper(call(5, 0, 1), [0x20, 0x200, 0x800c, PAGER]),
        Op::Hyper(call(11, 0, 1), [1, 0, 0, 0]),
        Op::Hyper(call(5, 0, 13), [0x20, 0x200, 0x800c, PAGER]),
        Op::Hyper(call(11, 0, 13), [13, 0, 0, 0]),
        Op::Hyper(call(5, 0, 14), [0x20, 0x200, 0x800c, PAGER]),
        Op::Hyper(call(11, 0, 14), [14, 0, 0, 0]),
        Op::Do(|space, _| ask(space, device::FIRST << 12 | 1 << 7 | 0x1d)),
        delegate(0x8000 << 12 | 1 << 7 | 0x1d),
        Op::Do(|space, _| ask(space, device::FIRST << 12 | 0x05)),
        delegate(0x8100 << 12 | 0x1d),
        Op::Do(|space, _| ask_memory(space, 5, 0x0d)),
        delegate(0x9000 << 12 | 0x1d),
        Op::Do(|space, _| ask_memory(space, 6, 0x05)),
        delegate(0x9100 << 12 | 0x1d),
        Op::Do(|space, _| ask(space, 0x3f8 << 12 | 2 << 7 | 0x06)),
        delegate(0x3f8 << 12 | 2 << 7 | 0x1e),
    ]
}

/// The worker says which event it is told of, and has the thread go on with its next operation.
const HANDLER: [Op; 2] = [
    Op::Do(|space, registers| {
        let [rip, error, address] = [0x30, 0xd0, 0xd8].map(|offset| word(space, PAGER_PAGE + offset));
        say(format!("event {} {error:x} {address:x}", registers.rdi));
        put(space, PAGER_PAGE, &[0, 0, 0, 0, 0xc, 0, (rip & !0xf) + 0x10]);
    }),
    Op::Hyper(call(1, 0, 0), [0; 4]),
];

/// Runs what a root task does behind its beginning.
fn root(ops: &[Op]) -> Ran {
    let ops = [&beginning()[..], ops, &SLEEP[..]].concat();
    run_on(Scripted::new(&[(ROOT, &ops), (PAGER, &HANDLER)]))
}

fn accesses() -> Vec<DeviceAccess> {
    let records = channel::take_records().into_iter();
    records.filter_map(|it| if let Record::Device(access) = it { Some(access) } else { None }).collect()
}

#[test]
fn a_device_is_accessed_once_an_instruction() {
    let ran = root(&[
        Op::Do(|_, registers| (registers.rdi, registers.rbx) = (DEVICE + 0x10, 0x42)),
        // MOV EAX, [RDI]; ADD [RDI], RAX; MOV [RDI + 1], BL
        Op::Access(DEVICE + 0x10, READ, &[0x8b, 0x07]),
        Op::Do(|_, registers| say(format!("{:x}", registers.rax))),
        Op::Access(DEVICE + 0x10, WRITE, &[0x48, 0x01, 0x07]),
        Op::Access(DEVICE + 0x11, WRITE, &[0x88, 0x5f, 0x01]),
    ]);
    assert_eq!(ran.said, ["55667788"]);
    let at = PHYSICAL + 0x10;
    let sum = 0x1122_3344_5566_7788 + 0x5566_7788;
    let expected = [
        (at, Piece::Double, None),
        (at, Piece::Quad, None),
        (at, Piece::Quad, Some(sum)),
        (at + 1, Piece::Byte, Some(0x42)),
    ];
    assert_eq!(ran.devices, expected);
    assert_eq!(ran.totals.ends[DelimiterKind::Mmio as usize], 3);
    assert_eq!(ran.totals.ends[DelimiterKind::PageFault as usize], 0);
    let recorded = accesses();
    let values: Vec<_> =
        recorded.iter().map(|it| (it.space, it.address, it.bytes, it.writes, it.value)).collect();
    let expected = [
        (Where::Memory, at, 4, false, 0x5566_7788),
        (Where::Memory, at, 8, false, 0x1122_3344_5566_7788),
        (Where::Memory, at, 8, true, sum),
        (Where::Memory, at + 1, 1, true, 0x42),
    ];
    assert_eq!(values, expected);
    assert!(recorded.is_sorted_by_key(|it| it.pe) && recorded[1].pe == recorded[2].pe);
}

#[test]
fn an_instruction_that_is_performed_counts_once() {
    let access = [
        Op::Do(|_, registers| registers.rdi = DEVICE),
        Op::Access(DEVICE, READ, &[0x8b, 0x07]),
        Op::Do(|_, registers| (registers.rdx, registers.rcx) = (0x3f8, 2000)),
        Op::Refused(&[0xec]),
        // REP STOSB: it is performed in parts, of which the last one counts.
        Op::Access(DEVICE, WRITE, &[0xf3, 0xaa]),
    ];
    let nothing = [Op::Do(|_, _| ()), Op::Do(|_, _| ())];
    let (ran, without) = (root(&access), root(&nothing));
    // Behind each of the three stands a jump, and each PE of the script's is one instruction.
    let more = ran.totals.user_instructions - without.totals.user_instructions;
    assert_eq!(more, (1 + 1 + 1) + (1 + 1 + 1) + (2 + 1 + 1));
    assert_eq!(ran.devices.len(), 1 + 2000);
}

#[test]
fn rights_and_missing_memory_come_before_the_device() {
    let ran = root(&[
        Op::Do(|_, registers| registers.rdi = READ_ONLY_DEVICE),
        Op::Access(READ_ONLY_DEVICE, WRITE, &[0x89, 0x07]),
        Op::Access(READ_ONLY_DEVICE, WRITE, &[0x01, 0x07]),
        Op::Access(READ_ONLY_DEVICE, READ, &[0x8b, 0x07]),
        // MOVSD from the device to memory that may not be written, and to where nothing is.
        Op::Do(|_, registers| (registers.rsi, registers.rdi) = (DEVICE, READ_ONLY_RAM + 8)),
        Op::Access(DEVICE, READ, &[0xa5]),
        Op::Do(|_, registers| registers.rdi = 0xa00_0000),
        Op::Access(DEVICE, READ, &[0xa5]),
        // To memory that may be.
        Op::Do(|_, registers| registers.rdi = RAM + 8),
        Op::Access(DEVICE, READ, &[0xa5]),
        Op::Do(|space, registers| say(format!("{:x} {:x}", word(space, RAM + 8), registers.rdi))),
    ]);
    let said = [
        "event 14 7 8100000",
        "event 14 7 8100000",
        "event 14 7 9100008",
        "event 14 6 a000000",
        "55667788 900000c",
    ];
    assert_eq!(ran.said, said);
    assert_eq!(ran.devices, [(PHYSICAL, Piece::Double, None); 2]);
}

#[test]
fn what_cannot_be_performed_is_event_13() {
    let ran = root(&[
        Op::Do(|_, registers| registers.rdi = DEVICE),
        // FLD [RDI]; CALL [RDI]; code in the device; PUSH [RDI] with the stack in the device.
        Op::Access(DEVICE, READ, &[0xd9, 0x07]),
        Op::Access(DEVICE, READ, &[0xff, 0x17]),
        Op::Access(DEVICE + 0x10, FETCH, &[0x90]),
        Op::Do(|_, registers| registers.rsp = DEVICE + 0x100),
        Op::Access(DEVICE, READ, &[0xff, 0x37]),
        // MOVAPS with an address that is no multiple of 16; DIV by a zero in memory would be the thread's own as well.
        Op::Do(|_, registers| registers.rdi = DEVICE + 8),
        Op::Access(DEVICE, READ, &[0x0f, 0x28, 0x07]),
    ]);
    assert_eq!(ran.said, ["event 13 0 0"; 5]);
    assert_eq!(ran.devices, []);
}

#[test]
fn every_port_of_an_access_has_to_be_the_domains() {
    let ran = root(&[
        Op::Do(|_, registers| (registers.rdx, registers.rax, registers.rcx) = (0x3fb, 0x55, 3)),
        // OUT DX, AL; IN AL, DX; IN AX, DX reaches a port that is missing, and so does OUTSW.
        Op::Refused(&[0xee]),
        Op::Refused(&[0xec]),
        Op::Refused(&[0x66, 0xed]),
        Op::Refused(&[0x66, 0x6f]),
        Op::Do(|space, registers| {
            put(space, RAM, &[0x1_2345]);
            (registers.rsi, registers.rdi, registers.rdx) = (RAM, DEVICE, 0x3f8);
        }),
        // REP OUTSB; INSB to the device; INSW to memory that is missing, which leaves the port alone.
        Op::Refused(&[0xf3, 0x6e]),
        Op::Refused(&[0x6c]),
        Op::Do(|_, registers| (registers.rdi, registers.rdx) = (0xa00_0000, 0x3fa)),
        Op::Refused(&[0x66, 0x6d]),
        // The last port, and one beyond it.
        Op::Do(|_, registers| registers.rdx = 0xffff),
        Op::Refused(&[0x66, 0xed]),
    ]);
    assert_eq!(ran.said, ["event 13 0 0", "event 13 0 0", "event 14 6 a000000", "event 13 0 0"]);
    assert_eq!(ran.ports, [(0x3fb, 0x55), (0x3f8, 0x45), (0x3f8, 0x23), (0x3f8, 0x01)]);
    assert_eq!(ran.devices, [(PHYSICAL, Piece::Byte, Some(0x01))]);
    let ports: Vec<_> = accesses().into_iter().filter(|it| it.space == Where::Port).collect();
    let shown: Vec<_> = ports.iter().map(|it| (it.address, it.bytes, it.writes, it.value)).collect();
    let outputs = [(0x3f8, 1, true, 0x45), (0x3f8, 1, true, 0x23), (0x3f8, 1, true, 0x01)];
    assert_eq!(shown[..2], [(0x3fb, 1, true, 0x55), (0x3fb, 1, false, 0x55)]);
    assert_eq!(shown[2..], [&outputs[..], &[(0x3f8, 1, false, 1)]].concat());
}

#[test]
fn others_have_their_turns_during_a_long_instruction() {
    let devices = &beginning()[7..9];
    let long = [
        Op::Do(|_, registers| (registers.rdi, registers.rcx) = (DEVICE, 3000)),
        Op::Access(DEVICE, WRITE, &[0xf3, 0xaa]),
        Op::Do(|_, registers| say(format!("done {}", registers.rcx))),
    ];
    let ops = [devices, &MAKE_WORKER, &make_child(1), &long, &SLEEP].concat();
    let child = [&[Op::Do(|_, _| say("another one".into()))], &SLEEP[..]].concat();
    let ran = run_on(Scripted::new(&[(ROOT, &ops), (PAGER, &START), (CHILD, &child)]));
    assert_eq!(ran.said, ["made", "another one", "done 0"]);
    assert_eq!(ran.devices.len(), 3000);
}

#[test]
fn a_thread_that_steps_is_told_behind_each() {
    let ran = root(&[
        Op::Do(|_, registers| {
            (registers.rdi, registers.rcx, registers.rdx) = (DEVICE, 2, 0x3f8);
            registers.rflags |= TRAP;
        }),
        Op::Access(DEVICE, READ, &[0x8b, 0x07]),
        Op::Refused(&[0xec]),
        Op::Refused(&[0x0f, 0x31]),
        // REP STOSB: behind each element. The handler leaves the second one out.
        Op::Access(DEVICE, WRITE, &[0xf3, 0xaa]),
        Op::Do(|_, registers| {
            registers.rflags &= !TRAP;
            say(format!("{:x} {}", registers.rdi, registers.rcx));
        }),
    ]);
    assert_eq!(
        ran.said,
        ["event 1 4000 0", "event 1 4000 0", "event 1 4000 0", "event 1 4000 0", "8000001 1"]
    );
}
