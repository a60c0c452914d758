// SPDX-License-Identifier: MIT
//! How the run of a system ends.

use wire::end::Totals;
use wire::nova::{Nova as Options, RootDeath, Stop, System};

use super::*;

/// Runs a root task alone, which has `text` looked for on its console; returns how it ends, and after how much.
fn end_of(
    programs: &[(u64, &[Op])],
    text: &'static [u8],
    run_for_ns: Option<u64>,
) -> (End, Totals, Vec<(u16, u32)>) {
    frame::set_free(FRAMES);
    channel::take_records();
    SAID.take();
    let options = Options { kernel_memory_len: 0, run_for_ns, logs_calls: true };
    let config = Config { system: System::Nova(options), ..config() };
    let beginning = Beginning {
        entry: ROOT,
        information: b"NOVA",
        memory: &[],
        image: &[],
        kernel_pages: 1000,
        until: text,
    };
    let clock = Clock::new(ClockKind::User, Rate::NANOSECOND);
    let executive = Executive::<_, Nova>::new(&config, &beginning, Scripted::new(programs), clock);
    let Ok(executive) = executive else { panic!("nothing was started") };
    let (end, totals, processor) = executive.until_end(Recording::Pes, MOST);
    let ports = processor.ports.clone();
    drop(processor);
    assert_eq!(frame::free_count(), FRAMES, "frames are lost");
    (end, totals, ports)
}

/// The root task gets all ports.
const ALL_PORTS: [Op; 2] = [
    Op::Do(|space, _| {
        put(space, FIRST_PAGE, &[1 << 16]);
        put_item(space, FIRST_PAGE, 0, [0x87e, 0x801]);
    }),
    Op::Hyper(call(8, 1, 0x20), [0x87e, 0x20, 0, 0]),
];

/// MOV AL, letter; MOV DX, 3F8h; OUT DX, AL, of which the last one is refused by the processor.
const fn write(set: fn(&mut Space, &mut UserRegisters)) -> [Op; 2] {
    [Op::Do(set), Op::Refused(&[0xee])]
}

fn letter(registers: &mut UserRegisters, letter: u8) {
    (registers.rax, registers.rdx) = (letter.into(), 0x3f8);
}

#[test]
fn a_system_in_which_nobody_will_run_is_idle_whatever_time_it_has() {
    for run_for_ns in [None, Some(1 << 40)] {
        let (end, totals, _) = end_of(&[(ROOT, &SLEEP)], b"", run_for_ns);
        assert_eq!((end, totals.pes), (End::Stopped(Stop::Idle), 2));
    }
}

#[test]
fn a_system_that_runs_on_has_its_time() {
    let spin = [Op::Spin(1000), Op::Jump(ROOT)];
    let (end, totals, _) = end_of(&[(ROOT, &spin)], b"", Some(10_000));
    assert_eq!(end, End::Stopped(Stop::Time));
    assert!((10_000..10_100).contains(&totals.user_instructions), "{}", totals.user_instructions);
    let (end, ..) = end_of(&[(ROOT, &spin)], b"", None);
    assert_eq!(end, End::Stopped(Stop::Instructions));
}

#[test]
fn a_text_on_the_console_ends_the_run_when_it_is_out() {
    let root = [
        &ALL_PORTS[..],
        &write(|_, registers| letter(registers, b'o')),
        &write(|_, registers| letter(registers, b'k')),
        &write(|_, registers| letter(registers, b'!')),
        &SLEEP,
    ]
    .concat();
    let written = |end| [b'o', b'k', b'!'][..end].iter().map(|it| (0x3f8, (*it).into())).collect::<Vec<_>>();
    let (end, _, ports) = end_of(&[(ROOT, &root)], b"ok", None);
    assert_eq!((end, ports), (End::Stopped(Stop::Text), written(2)));
    let (end, _, ports) = end_of(&[(ROOT, &root)], b"other", None);
    assert_eq!((end, ports), (End::Stopped(Stop::Idle), written(3)));
}

#[test]
fn a_text_on_the_console_ends_the_run_in_the_middle_of_a_string() {
    let string = [
        Op::Do(|space, registers| {
            space.write(FIRST_PAGE + 0x100, b"not ok!").unwrap();
            (registers.rsi, registers.rcx, registers.rdx) = (FIRST_PAGE + 0x100, 7, 0x3f8);
        }),
        // REP OUTSB.
        Op::Refused(&[0xf3, 0x6e]),
    ];
    let root = [&ALL_PORTS[..], &string, &SLEEP].concat();
    let written = |text: &[u8]| text.iter().map(|it| (0x3f8, (*it).into())).collect::<Vec<_>>();
    let (end, _, ports) = end_of(&[(ROOT, &root)], b"ok", None);
    assert_eq!((end, ports), (End::Stopped(Stop::Text), written(b"not ok")));
    let (end, _, ports) = end_of(&[(ROOT, &root)], b"ok.", None);
    assert_eq!((end, ports), (End::Stopped(Stop::Idle), written(b"not ok!")));
}

#[test]
fn the_root_tasks_death_is_told_with_its_registers() {
    let root = [Op::Do(|_, registers| registers.rbx = 0x77), Op::Touch(0x9_0000)];
    let (end, ..) = end_of(&[(ROOT, &root)], b"", None);
    let End::RootDied(RootDeath { thread, event, qualification, registers }) = end else { panic!("{end:?}") };
    assert_eq!((thread.process, thread.thread, event, qualification[1]), (1, 1, 14, 0x9_0000));
    assert_eq!((registers.rip, registers.gpr[3]), (ROOT + 32, 0x77));
}

#[test]
fn a_thread_that_dies_beside_the_first_one_ends_nothing() {
    let child = [Op::Touch(0x9_0000)];
    let root = [&MAKE_WORKER[..], &make_child(64), &SLEEP].concat();
    let (end, ..) = end_of(&[(ROOT, &root), (PAGER, &START), (CHILD, &child)], b"", None);
    assert_eq!(end, End::Stopped(Stop::Idle));
}
