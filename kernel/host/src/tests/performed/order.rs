// SPDX-License-Identifier: MIT
//! In which order things happen: operands are found before a device is accessed, and iterations are complete.

use super::*;

/// Bytes of an instruction somewhere.
fn code(bytes: &[u8]) -> Code {
    Code { rip: 0x40_0000, bytes: bytes.to_vec() }
}

/// RDI points into the device and RSI into memory, both 16 bytes before a border.
fn begun() -> Model {
    let mut registers = UserRegisters::new(0x33, 0x2b);
    registers.rip = 0x40_0000;
    registers.rdi = DEVICE + CENTER - 16;
    registers.rsi = MEMORY + CENTER - 16;
    registers.rsp = MEMORY + CENTER + 0x100;
    (registers.rcx, registers.rdx) = (8, 0x3f8);
    let mut model = Model::new(registers);
    model.memory.iter_mut().enumerate().for_each(|(at, byte)| *byte = at as u8);
    model
}

fn fault(address: u64, wants: Wants) -> Result<Progress, Stop> {
    Err(Stop::Fault(Fault::new(address, wants)))
}

/// What is changed before an instruction is performed.
type Prepare = fn(&mut Model);

#[test]
fn a_device_is_untouched_if_an_operand_is_missing() {
    let push: &[u8] = &[0xff, 0x37];
    let pop: &[u8] = &[0x8f, 0x07];
    let moves: &[u8] = &[0xa4];
    let inputs: &[u8] = &[0x6c];
    let (stack, memory) = (MEMORY + CENTER + 0x100, MEMORY + CENTER - 16);
    let cases: [(&[u8], Prepare, u64, Wants); 6] = [
        (push, |it| it.missing = Some(MEMORY + PAGE), stack - 8, Wants::Write),
        (push, |it| it.read_only = Some(MEMORY + PAGE), stack - 8, Wants::Write),
        (pop, |it| it.missing = Some(MEMORY + PAGE), stack, Wants::Read),
        (moves, |it| it.missing = Some(MEMORY), memory, Wants::Read),
        (moves, swap_and_protect, memory, Wants::Write),
        (inputs, swap_and_protect, memory, Wants::Write),
    ];
    for (bytes, prepare, address, wants) in cases {
        let mut model = begun();
        prepare(&mut model);
        let registers = model.registers.clone();
        assert_eq!(performed(&mut model, &code(bytes)), fault(address, wants), "{bytes:02x?}");
        assert!(model.accesses.is_empty() && model.registers == registers, "{bytes:02x?}");
    }
}

/// The device is the source, and the destination may not be written.
fn swap_and_protect(model: &mut Model) {
    let registers = &mut model.registers;
    std::mem::swap(&mut registers.rsi, &mut registers.rdi);
    model.read_only = Some(MEMORY);
}

#[test]
fn a_device_that_may_not_be_written_is_not_read() {
    let mut model = begun();
    model.read_only = Some(DEVICE);
    // ADD [RDI], EAX
    assert_eq!(performed(&mut model, &code(&[0x01, 0x07])), fault(DEVICE + CENTER - 16, Wants::Write));
    // MOV EAX, [RDI]
    assert_eq!(performed(&mut model, &code(&[0x8b, 0x07])), Ok(Progress::Done));
    assert_eq!(model.shown(), "r4");
}

#[test]
fn of_two_pages_both_are_found_first() {
    let mut model = begun();
    model.missing = Some(DEVICE + PAGE);
    model.registers.rdi = DEVICE + CENTER - 2;
    // MOV EAX, [RDI]
    assert_eq!(performed(&mut model, &code(&[0x8b, 0x07])), fault(DEVICE + PAGE, Wants::Read));
    assert!(model.accesses.is_empty());
    // The first page is memory: MOV [RDI], EAX, across the border.
    let mut model = begun();
    model.registers.rdi = MEMORY + CENTER - 2;
    model.read_only = Some(MEMORY + PAGE);
    assert_eq!(performed(&mut model, &code(&[0x89, 0x07])), fault(MEMORY + PAGE, Wants::Write));
    assert_eq!(model.memory, begun().memory);
}

#[test]
fn iterations_before_a_fault_stay() {
    let mut model = begun();
    model.missing = Some(MEMORY + PAGE);
    // REP MOVSD: four elements lie before the border.
    assert_eq!(performed(&mut model, &code(&[0xf3, 0xa5])), fault(MEMORY + PAGE, Wants::Read));
    assert_eq!(model.shown(), "w4 w4 w4 w4");
    let registers = &model.registers;
    let so_far = (registers.rip, registers.rcx, registers.rsi, registers.rdi);
    assert_eq!(so_far, (0x40_0000, 4, MEMORY + PAGE, DEVICE + PAGE));
    model.missing = None;
    assert_eq!(performed(&mut model, &code(&[0xf3, 0xa5])), Ok(Progress::Done));
    assert_eq!((model.accesses.len(), model.registers.rip), (8, 0x40_0002));
}

#[test]
fn a_long_instruction_is_performed_in_parts() {
    let mut model = begun();
    model.registers.rcx = 8;
    let code = code(&[0xf3, 0xa4]);
    let instruction = decode::whole(&code.bytes, code.rip);
    let parts: Vec<_> = (0..3).map(|_| perform(&instruction, 3, &mut model)).collect();
    assert_eq!(parts, [Ok(Progress::Unfinished), Ok(Progress::Unfinished), Ok(Progress::Done)]);
    assert_eq!((model.shown(), model.registers.rip), (["w1"; 8].join(" "), 0x40_0002));
    // One that has nothing to do is done at once.
    model.registers.rip = 0x40_0000;
    assert_eq!(perform(&instruction, 3, &mut model), Ok(Progress::Done));
    assert_eq!((model.accesses.len(), model.registers.rip), (8, 0x40_0002));
}

#[test]
fn ports_are_read_and_written_an_element_at_a_time() {
    let mut model = begun();
    (model.registers.rcx, model.registers.rdi) = (3, MEMORY + 0x10);
    // REP INSW
    assert_eq!(performed(&mut model, &code(&[0x66, 0xf3, 0x6d])), Ok(Progress::Done));
    assert_eq!(model.accesses, [('i', 2, 0x3f8); 3]);
    assert_eq!(model.memory[0x10..0x16], [0x85, 0x83, 0x86, 0x83, 0x87, 0x83]);
    assert_eq!((model.registers.rcx, model.registers.rdi), (0, MEMORY + 0x16));
    // OUTSB, then OUTSD, downwards.
    model.accesses.clear();
    model.registers.rsi = MEMORY + 0x20;
    assert_eq!(performed(&mut model, &code(&[0x6e])), Ok(Progress::Done));
    model.registers.rflags |= DIRECTION;
    assert_eq!(performed(&mut model, &code(&[0x6f])), Ok(Progress::Done));
    assert_eq!(model.accesses, [('o', 1, 0x3f8 << 32 | 0x20), ('o', 4, 0x3f8 << 32 | 0x2423_2221)]);
    assert_eq!(model.registers.rsi, MEMORY + 0x1d);
    // INSB to a device reads the port, and then writes the device.
    let mut model = begun();
    assert_eq!(performed(&mut model, &code(&[0x6c])), Ok(Progress::Done));
    assert_eq!(model.shown(), "i1 w1");
}

#[test]
fn a_stack_in_a_device_is_refused() {
    for bytes in [&[0xff, 0x36], &[0x8f, 0x06]] {
        let mut model = begun();
        model.registers.rsp = DEVICE + CENTER;
        assert_eq!(performed(&mut model, &code(bytes)), Err(Stop::Refused), "{bytes:02x?}");
        assert!(model.accesses.is_empty());
    }
}

#[test]
fn an_address_that_is_none_is_the_instructions_own_exception() {
    let mut model = begun();
    model.registers.rsi = 0x8000_0000_0000;
    assert_eq!(performed(&mut model, &code(&[0xa4])), Err(Stop::Exception(13)));
    model.registers.rsp = 0x8000_0000_0000;
    assert_eq!(performed(&mut model, &code(&[0x8f, 0x07])), Err(Stop::Exception(12)));
    assert!(model.accesses.is_empty());
}

#[test]
fn segments_begin_where_their_bases_are() {
    let mut model = begun();
    model.registers.fs_base = DEVICE + CENTER;
    model.registers.rdi = 8;
    // MOV EAX, FS:[RDI]; with 32 bits, the sum of what is in the brackets is cut.
    assert_eq!(performed(&mut model, &code(&[0x64, 0x8b, 0x07])), Ok(Progress::Done));
    model.registers.rdi = 0xffff_ffff_0000_0010;
    assert_eq!(performed(&mut model, &code(&[0x64, 0x67, 0x8b, 0x07])), Ok(Progress::Done));
    // BT FS:[EDI], EDX: the bit is 32 * 32 further on, and the address goes round.
    (model.registers.rdi, model.registers.rdx) = (0xffff_ff90, 0x400);
    assert_eq!(performed(&mut model, &code(&[0x64, 0x67, 0x0f, 0xa3, 0x17])), Ok(Progress::Done));
    let places: Vec<_> = model.accesses.iter().map(|it| it.2 - PHYSICAL - CENTER).collect();
    assert_eq!(places, [8, 0x10, 0x10]);
}
