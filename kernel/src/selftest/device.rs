// SPDX-License-Identifier: MIT
//! Memory of devices, on the timer that a PC has: its counter stands still and keeps what is written to it.

use pe_replay::{Mode, Outcome, Policy, UserRegisters};

use super::fixture::{CODE, DATA, Engine, Fixture};
use super::{Found, Test, check};
use crate::arch::decode;
use crate::mem::{code, device};
use crate::object::processor::{Piece, Width};
use crate::replay::KernelMachine;
use crate::trap::environment::{Environment, Fault, Place, Wants};
use crate::trap::perform::perform;
use crate::trap::progress::Progress;

pub const TESTS: &[Test] = &[
    ("device: an instruction accesses it once, behind the commit", accesses_once),
    ("device: memory and the kernel's own devices are not there", others_are_absent),
];

/// The high-precision event timer: its registers, as physical addresses (IA-PC HPET Specification 1.0a, 2.3).
const TIMER: u64 = 0xfed0_0000;
const CAPABILITIES: u64 = TIMER;
const CONFIGURATION: u64 = TIMER + 0x10;
const COUNTER: u64 = TIMER + 0xf0;
/// Where the program sees it: nothing is mapped there.
const SEEN: u64 = 0x4000_0000;

/// What an instruction of a thread's finds around it: the timer, and the fixture's memory.
struct Around<'a> {
    engine: &'a mut Engine,
    machine: &'a mut KernelMachine,
    /// Accesses to the timer.
    accesses: u32,
}

impl Environment for Around<'_> {
    fn registers(&mut self) -> &mut UserRegisters {
        self.engine.state_mut()
    }

    fn locate(&mut self, address: u64, wants: Wants) -> Result<Place, Fault> {
        let page = address & !0xfff;
        if page == SEEN {
            return Ok(Place::Device(TIMER));
        }
        self.machine.space.access(page).map(|_| Place::Memory).ok_or(Fault::new(address, wants))
    }

    fn load(&mut self, address: u64, into: &mut [u8]) {
        assert!(self.machine.space.read(address, into).is_ok(), "{address:#x} is mapped");
    }

    fn store(&mut self, address: u64, from: &[u8]) {
        assert!(self.machine.space.write(address, from).is_ok(), "{address:#x} is mapped");
    }

    fn read_device(&mut self, physical: u64, piece: Piece) -> u64 {
        self.accesses += 1;
        match piece {
            Piece::Byte => device::read_byte(physical).into(),
            Piece::Word => device::read_word(physical).into(),
            Piece::Double => device::read_double(physical).into(),
            Piece::Quad => device::read_quad(physical),
        }
    }

    fn write_device(&mut self, physical: u64, piece: Piece, value: u64) {
        self.accesses += 1;
        match piece {
            Piece::Byte => device::write_byte(physical, value as u8),
            Piece::Word => device::write_word(physical, value as u16),
            Piece::Double => device::write_double(physical, value as u32),
            Piece::Quad => device::write_quad(physical, value),
        }
    }

    fn input(&mut self, _port: u16, _width: Width) -> u32 {
        unreachable!("the program has no port")
    }

    fn output(&mut self, _port: u16, _width: Width, _value: u32) {
        unreachable!("the program has no port")
    }
}

fn accesses_once(fixture: &mut Fixture) -> Found {
    let vendor = device::read_double(CAPABILITIES) >> 16;
    check!(vendor == 0x8086, "there is no timer: its vendor is {vendor:#x}");
    let configuration = device::read_double(CONFIGURATION);
    device::write_double(CONFIGURATION, configuration & !1);
    device::write_double(COUNTER, 1000);
    let mut found = Ok(());
    for policy in [Policy::DEFAULT, Policy { mode: Mode::Off, ..Policy::DEFAULT }] {
        found = found.and_then(|()| script(fixture, policy));
    }
    device::write_double(CONFIGURATION, configuration);
    found
}

/// Instructions, what the counter holds after each, and RAX.
fn script(fixture: &mut Fixture, policy: Policy) -> Found {
    device::write_double(COUNTER, 1000);
    // RDI is the counter's address, RSI and RSP are memory's, and RAX is 7.
    let steps: [(&[u8], u32, u64, u32); 8] = [
        // MOV EAX, [RDI]; ADD [RDI], EAX; XADD [RDI], EAX; INC DWORD [RDI]
        (&[0x8b, 0x07], 1000, 1000, 1),
        (&[0x01, 0x07], 2000, 1000, 2),
        (&[0x0f, 0xc1, 0x07], 3000, 2000, 2),
        (&[0xff, 0x07], 3001, 2000, 2),
        // BTS DWORD [RDI], 15; MOVD XMM1, [RDI]; MOVNTI [RDI], EAX; CMP [RDI], EAX
        (&[0x0f, 0xba, 0x2f, 0x0f], 3001 | 1 << 15, 2000, 2),
        (&[0x66, 0x0f, 0x6e, 0x0f], 3001 | 1 << 15, 2000, 1),
        (&[0x0f, 0xc3, 0x07], 2000, 2000, 1),
        (&[0x39, 0x07], 2000, 2000, 1),
    ];
    let all: alloc::vec::Vec<u8> = steps.iter().flat_map(|(code, ..)| code.iter().copied()).collect();
    let mut state = fixture.start(&all);
    (state.rdi, state.rsi, state.rax) = (SEEN + (COUNTER - TIMER), DATA, 7);
    let mut engine = fixture.engine(policy, &[]);
    engine.state_mut().clone_from(&state);
    let mut found = Ok(());
    for (index, (_, counter, rax, accesses)) in steps.iter().enumerate() {
        found = found.and_then(|()| {
            let outcome = engine.execute(&mut fixture.machine);
            let Outcome::Committed(end) = outcome else {
                return Err(alloc::format!("step {index}: {outcome:?}"));
            };
            let rip = engine.state().rip;
            let instruction = decode::whole(&code::at(&fixture.machine.space, rip), rip);
            let mut around = Around { engine: &mut engine, machine: &mut fixture.machine, accesses: 0 };
            let done = perform(&instruction, 1, &mut around);
            let made = around.accesses;
            let now = device::read_double(COUNTER);
            check!(
                done == Ok(Progress::Done) && end.count == 0,
                "step {index} at {rip:#x}: {done:?}, behind {} instructions",
                end.count
            );
            let seen = (now, engine.state().rax, made);
            check!(seen == (*counter, *rax, *accesses), "step {index}: {seen:?} after {:?}", end.delimiter);
            Ok(())
        });
    }
    check!(found.is_err() || engine.state().rip == CODE + all.len() as u64, "it stands elsewhere");
    engine.retire(&mut fixture.machine);
    found
}

fn others_are_absent(fixture: &mut Fixture) -> Found {
    let Some(memory) = fixture.machine.space.lookup(DATA) else { return Err("no data".into()) };
    let memory = memory.frame.index() as u64 * 4096;
    let before = fixture.word(DATA);
    // The kernel's text, a program's memory, the interrupt controllers, and where no address can be.
    for physical in [2 << 20, memory, 0xfee0_0000, 0xfec0_0000, 1 << 44, 1 << 51] {
        device::write_quad(physical, 0x5a5a_5a5a_5a5a_5a5a);
        let seen = device::read_quad(physical);
        check!(seen == u64::MAX, "{physical:#x} reads {seen:#x}");
    }
    check!(fixture.word(DATA) == before, "memory was written through the window");
    check!(
        device::is_device(TIMER / 4096) && !device::is_device(memory / 4096),
        "they are taken for each other"
    );
    Ok(())
}
