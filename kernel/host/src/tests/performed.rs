// SPDX-License-Identifier: MIT
//! What is performed for a program on a device, held against the host's own processor, which executes the same on
//! plain memory; and against a list of the accesses that each form makes.

mod forms;
mod native;
mod order;

use pe_replay::UserRegisters;
use pe_replay::user::xsave;

use self::forms::{Forms, REFUSED, Setup};
use self::native::{Code, Native, State, WINDOW};
use crate::kernel::arch::decode;
use crate::kernel::trap::arithmetic::{DIRECTION, STATUS};
use crate::kernel::trap::environment::{Environment, Fault, Place, Wants};
use crate::kernel::trap::perform::perform;
use crate::kernel::trap::progress::{Progress, Stop};
use crate::object::processor::{Piece, Width};

const PAGE: u64 = 4096;
/// Where programs see the device and memory, three pages each; the windows lie around the first border.
const DEVICE: u64 = 0x2000_0000;
const MEMORY: u64 = 0x2100_0000;
const CENTER: u64 = PAGE;
const LENGTH: usize = 3 * PAGE as usize;
/// Where the device is in physical memory.
const PHYSICAL: u64 = 0xfe00_0000;
/// Where GS begins.
const GS: u64 = DEVICE + CENTER - 64;

/// A device and some memory.
#[derive(Clone)]
struct Model {
    registers: UserRegisters,
    device: Vec<u8>,
    memory: Vec<u8>,
    /// The accesses to the device and to ports: kind, length, where.
    accesses: Vec<(char, usize, u64)>,
    /// Memory that is missing, or may not be written.
    missing: Option<u64>,
    read_only: Option<u64>,
}

impl Model {
    fn new(registers: UserRegisters) -> Self {
        let (device, memory) = (vec![0; LENGTH], vec![0; LENGTH]);
        Self { registers, device, memory, accesses: Vec::new(), missing: None, read_only: None }
    }

    /// The kinds and lengths of the accesses, as the list of forms has them.
    fn shown(&self) -> String {
        let shown: Vec<_> = self.accesses.iter().map(|(kind, length, _)| format!("{kind}{length}")).collect();
        shown.join(" ")
    }

    fn place(&self, physical: u64, length: usize) -> std::ops::Range<usize> {
        let at = (physical - PHYSICAL) as usize;
        at..at + length
    }
}

fn memory_at(address: u64, length: usize) -> std::ops::Range<usize> {
    let at = (address - MEMORY) as usize;
    assert!(at / 4096 == (at + length - 1) / 4096, "memory is accessed across a border");
    at..at + length
}

impl Environment for Model {
    fn registers(&mut self) -> &mut UserRegisters {
        &mut self.registers
    }

    fn locate(&mut self, address: u64, wants: Wants) -> Result<Place, Fault> {
        let page = address & !(PAGE - 1);
        let within = |start: u64| (start..start + LENGTH as u64).contains(&address);
        let is_refused = self.read_only == Some(page) && wants == Wants::Write;
        if self.missing == Some(page) || is_refused || !within(DEVICE) && !within(MEMORY) {
            return Err(Fault::new(address, wants));
        }
        Ok(if within(MEMORY) { Place::Memory } else { Place::Device(PHYSICAL + (page - DEVICE)) })
    }

    fn load(&mut self, address: u64, into: &mut [u8]) {
        into.copy_from_slice(&self.memory[memory_at(address, into.len())]);
    }

    fn store(&mut self, address: u64, from: &[u8]) {
        self.memory[memory_at(address, from.len())].copy_from_slice(from);
    }

    fn read_device(&mut self, physical: u64, piece: Piece) -> u64 {
        let length = usize::from(piece.bytes());
        self.accesses.push(('r', length, physical));
        let mut value = [0; 8];
        value[..length].copy_from_slice(&self.device[self.place(physical, length)]);
        u64::from_le_bytes(value)
    }

    fn write_device(&mut self, physical: u64, piece: Piece, value: u64) {
        let length = usize::from(piece.bytes());
        self.accesses.push(('w', length, physical));
        let place = self.place(physical, length);
        self.device[place].copy_from_slice(&value.to_le_bytes()[..length]);
    }

    fn input(&mut self, port: u16, width: Width) -> u32 {
        self.accesses.push(('i', width.bytes().into(), port.into()));
        0x8182_8384 + self.accesses.len() as u32
    }

    fn output(&mut self, port: u16, width: Width, value: u32) {
        self.accesses.push(('o', width.bytes().into(), u64::from(port) << 32 | u64::from(value)));
    }
}

/// Numbers without sense.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

/// What a window of a page's border holds of all bytes.
fn window(bytes: &[u8]) -> [u8; WINDOW] {
    let first = CENTER as usize - WINDOW / 2;
    bytes[first..first + WINDOW].try_into().unwrap()
}

/// A state to begin with.
fn state(number: usize, setup: Setup, noise: &mut Noise, pattern: usize) -> State {
    let mut byte = || match pattern {
        1 => 0,
        2 => 0xff,
        _ => (noise.next() >> 24) as u8,
    };
    let device: [u8; WINDOW] = std::array::from_fn(|_| byte());
    let memory: [u8; WINDOW] = std::array::from_fn(|_| byte());
    let mut gpr: [u64; 16] = std::array::from_fn(|_| if pattern == 2 { u64::MAX } else { noise.next() });
    let (at_device, at_memory) = (DEVICE + CENTER, MEMORY + CENTER);
    gpr[1] = noise.next() % 8;
    gpr[4] = at_memory + 64;
    (gpr[7], gpr[8], gpr[13]) = (at_device, at_device, at_device);
    (gpr[6], gpr[12]) = (at_memory, at_memory);
    gpr[10] = (noise.next() % 2000).wrapping_sub(1000);
    match setup {
        Setup::Plain => {}
        Setup::Swapped => (gpr[6], gpr[7]) = (at_device, at_memory),
        Setup::Both => (gpr[6], gpr[7]) = (at_device + 8, at_device),
        Setup::Equal => gpr[0] = u64::from_le_bytes(device[WINDOW / 2..WINDOW / 2 + 8].try_into().unwrap()),
        Setup::ShortDividend => (gpr[2], gpr[0]) = (0, gpr[0] & 0xff),
    }
    let direction = if noise.next().is_multiple_of(3) { DIRECTION } else { 0 };
    State {
        gpr,
        rflags: noise.next() & STATUS | direction | 0x202,
        number: number as u64,
        caught: 0,
        ymm: std::array::from_fn(|_| std::array::from_fn(|_| (noise.next() >> 40) as u8)),
        device,
        memory,
    }
}

/// A model that stands at an instruction in a state.
fn model(state: &State, code: &Code) -> Model {
    let mut registers = UserRegisters::new(0x33, 0x2b);
    for (index, value) in state.gpr.iter().enumerate() {
        *registers.gpr_mut(index as u8) = *value;
    }
    (registers.rip, registers.rflags, registers.gs_base) = (code.rip, state.rflags, GS);
    for (index, value) in state.ymm.iter().enumerate() {
        registers.extended.0[xsave::XMM + 16 * index..][..16].copy_from_slice(&value[..16]);
        registers.extended.0[xsave::YMM + 16 * index..][..16].copy_from_slice(&value[16..]);
    }
    let mut model = Model::new(registers);
    let first = CENTER as usize - WINDOW / 2;
    model.device[first..first + WINDOW].copy_from_slice(&state.device);
    model.memory[first..first + WINDOW].copy_from_slice(&state.memory);
    model
}

/// What a model has come to, as the processor tells of itself.
fn outcome(model: &Model, number: u64, caught: u64) -> State {
    let registers = &model.registers;
    let part = |start: usize, index: usize| &registers.extended.0[start + 16 * index..][..16];
    State {
        gpr: registers.gprs(),
        rflags: registers.rflags,
        number,
        caught,
        ymm: std::array::from_fn(|index| {
            [part(xsave::XMM, index), part(xsave::YMM, index)].concat().try_into().unwrap()
        }),
        device: window(&model.device),
        memory: window(&model.memory),
    }
}

/// The signals of a division that fails, and of an address that is none.
const SIGFPE: u64 = 8;
const SIGSEGV: u64 = 11;

fn performed(model: &mut Model, code: &Code) -> Result<Progress, Stop> {
    let instruction = decode::whole(&code.bytes, code.rip);
    assert_eq!(instruction.len(), code.bytes.len(), "{:02x?}", code.bytes);
    perform(&instruction, u64::MAX, model)
}

/// Registers, flags, memory and the device come out as on the processor, and the device is accessed as the form's
/// line in the list says.
#[test]
fn every_form_is_performed_as_the_processor_does() {
    let forms = Forms::all().0;
    let native = Native::new(&forms.iter().map(|form| form.text.clone()).collect::<Vec<_>>());
    let codes = native.list();
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let states: Vec<State> = forms
        .iter()
        .enumerate()
        .flat_map(|(number, form)| (0..8).map(move |pattern| (number, form, pattern)))
        .map(|(number, form, pattern)| state(number, form.setup, &mut noise, pattern))
        .collect();
    let expected = native.run(&states);
    let mut wrong = Vec::new();
    for (before, mut expected) in states.iter().zip(expected) {
        let (form, code) = (&forms[before.number as usize], &codes[before.number as usize]);
        let mut model = model(before, code);
        let done = performed(&mut model, code);
        let caught = match done {
            Ok(Progress::Done) => 0,
            Err(Stop::Exception(0)) => SIGFPE,
            Err(Stop::Exception(13)) => SIGSEGV,
            _ => u64::MAX,
        };
        let behind = if caught == 0 { code.rip + code.bytes.len() as u64 } else { code.rip };
        let mut ours = outcome(&model, before.number, caught);
        let defined = STATUS & !if caught == 0 { form.undefined } else { STATUS };
        for state in [&mut ours, &mut expected] {
            state.rflags &= defined | DIRECTION;
        }
        // A selector is what the kernel gives, not the host.
        if form.text.starts_with("mov word ptr [rdi], ") && form.text.ends_with('s') {
            ours.device = expected.device;
        }
        let iterations = before.gpr[1].wrapping_sub(expected.gpr[1]) as usize;
        let accesses = match form.accesses.strip_suffix(" *") {
            Some(each) => vec![each; iterations].join(" "),
            None => form.accesses.clone(),
        };
        let is_as_listed = accesses == "any" || model.shown() == accesses;
        if ours != expected || model.registers.rip != behind || !is_as_listed {
            let field = |it: &State| format!("{:x?} {:x} {}", it.gpr, it.rflags, it.caught);
            wrong.push(format!(
                "{} {:02x?} ({done:?}): before {}\n  ours {}\n  want {}\n  accesses {:?}, want {accesses:?}; vectors {}, device {}, memory {}",
                form.text,
                code.bytes,
                field(before),
                field(&ours),
                field(&expected),
                model.shown(),
                ours.ymm == expected.ymm,
                ours.device == expected.device,
                ours.memory == expected.memory,
            ));
        }
    }
    assert!(forms.len() > 1000, "{}", forms.len());
    assert!(
        wrong.is_empty(),
        "{} of {} are wrong:\n{}",
        wrong.len(),
        states.len(),
        wrong[..wrong.len().min(12)].join("\n")
    );
}

/// Whatever else accesses memory is refused, and nothing has been accessed then.
#[test]
fn whatever_else_there_is_is_refused() {
    let native = Native::new(&REFUSED.map(str::to_owned));
    let mut noise = Noise(1);
    for (text, code) in REFUSED.iter().zip(native.list()) {
        let before = state(0, Setup::Plain, &mut noise, 0);
        let mut model = model(&before, &code);
        let registers = model.registers.clone();
        assert_eq!(performed(&mut model, &code), Err(Stop::Refused), "{text}");
        assert!(model.accesses.is_empty() && model.registers == registers, "{text}");
    }
}
