// SPDX-License-Identifier: MIT
//! What a thread and a space cost of the kernel's heap.

use super::fixture::Fixture;
use super::{Found, Test, check};
use crate::mem::heap;
use crate::mem::space::Space;
use crate::object::Objects;
use crate::object::clock::Clock;
use crate::replay::processor::Replayed;

pub const TESTS: &[Test] = &[("costs: a thread takes 4 KiB of the heap at most, a space 8 KiB", costs)];

/// So many threads and spaces that tables have grown.
const MANY: usize = 48;

type Numbers = core::result::Result<[usize; 2], alloc::string::String>;

fn costs(fixture: &mut Fixture) -> Found {
    let before = heap::used();
    let Fixture { platform, config, .. } = &*fixture;
    let space = Space::new(platform.kernel_root, true).map_err(|_| "there is no frame")?;
    let processor = Replayed::new(space, platform, config).map_err(|_| "there is no memory")?;
    let clock = Clock::new(config.clock.kind, platform.rate);
    let registers = fixture.registers();
    let Ok(mut objects) = Objects::new(processor, clock, &registers) else {
        return Err("there is no memory".into());
    };
    let measured = measure(&mut objects, &registers);
    objects.destroy().destroy();
    fixture.machine.space.activate();
    let [thread, space] = measured?;
    defmt::info!("of the heap, a thread takes {=usize} bytes, a space with a thread {=usize}", thread, space);
    check!(thread <= 4 << 10, "a thread takes {thread} bytes");
    check!(space <= 8 << 10, "a space with a thread takes {space} bytes");
    check!(heap::used() == before, "{} bytes are in use, {before} were", heap::used());
    Ok(())
}

/// Bytes for a thread in a space that is there; and for a process of one thread in a space of its own, page
/// tables apart.
fn measure(objects: &mut Objects<Replayed<'_>>, registers: &pe_replay::UserRegisters) -> Numbers {
    let first = objects.current();
    let (process, space) = (objects.thread(first).process, objects.thread(first).space);
    let start = heap::used();
    for _ in 0..MANY {
        let made = objects.add_thread(process, space, registers).map_err(|_| "there is no memory")?;
        objects.scheduler.add_budget(made, 1, 1000);
    }
    let between = heap::used();
    for _ in 0..MANY {
        let pages = objects.parts().0.fork().map_err(|_| "there is no frame")?;
        let made = objects.add_process(pages, registers).map_err(|_| "there is no memory")?;
        objects.scheduler.add_budget(made, 1, 1000);
    }
    Ok([(between - start) / MANY, (heap::used() - between) / MANY])
}
