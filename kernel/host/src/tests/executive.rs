// SPDX-License-Identifier: MIT
//! The executive over scripts: a toy personality, and Linux beside it.

use wire::ThreadNumber;
use wire::clock::ClockKind;
use wire::end::{End, Totals};
use wire::record::Record;

use super::*;
use crate::arch::channel;
use crate::executive::Executive;
use crate::object::clock::{Clock, Rate};
use crate::personality::Personality;
use crate::processor::{OP_LEN, Op, Scripted};
use crate::toy::{CODE, PORT, SLICE, Toy, call};

const OTHER: u64 = CODE + 0x1000;
const THIRD: u64 = CODE + 0x2000;

/// What a run came to.
struct Ran {
    end: End,
    totals: Totals,
    processor: Scripted,
}

impl Ran {
    /// RAX where a program was at its operation of that number, each time.
    fn results(&self, start: u64, index: u64) -> Vec<u64> {
        let at = start + OP_LEN * index;
        self.processor.seen.iter().filter(|(rip, _)| *rip == at).map(|(_, rax)| *rax).collect()
    }

    /// The programs in the order in which they ran, each once in a row.
    fn order(&self) -> Vec<u64> {
        let mut order: Vec<u64> = self.processor.seen.iter().map(|(rip, _)| rip & !0xfff).collect();
        order.dedup();
        order
    }
}

fn run<L: for<'a> Personality<Origin<'a> = Archive<'static>>>(programs: &[(u64, &[Op])], most: u64) -> Ran {
    run_on::<L>(Scripted::new(programs), config().clock.kind, most)
}

fn run_on<L>(processor: Scripted, clock: ClockKind, most: u64) -> Ran
where
    L: for<'a> Personality<Origin<'a> = Archive<'static>>,
{
    frame::set_free(FRAMES);
    channel::take_records();
    let clock = Clock::new(clock, Rate::NANOSECOND);
    let executive = Executive::<_, L>::new(&config(), &standard(), processor, clock);
    let Ok(executive) = executive else { panic!("nothing was started") };
    let (end, totals, processor) = executive.until_end(Recording::Pes, most);
    Ran { end, totals, processor }
}

fn toy(programs: &[(u64, &[Op])]) -> Ran {
    run::<Toy>(programs, u64::MAX)
}

fn exited(status: u8) -> End {
    End::Exited { status }
}

/// Process and thread of each record.
fn recorded() -> Vec<(u32, u32)> {
    let records = channel::take_records().into_iter();
    records
        .filter_map(|record| match record {
            Record::Pe(pe) => Some((pe.thread.process, pe.thread.thread)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_wait_ends_with_a_wake_up_or_a_deadline() {
    let ran = toy(&[
        (
            CODE,
            &[
                Op::Call(call::THREAD, [OTHER, 1, 0]),
                Op::Call(call::WAIT, [7, 0, 0]),
                Op::Call(call::WAIT, [8, 5000, 0]),
                Op::Call(call::HALT, [3, 0, 0]),
            ],
        ),
        (
            OTHER,
            &[Op::Call(call::WAKE, [9, 0, 0]), Op::Call(call::WAKE, [7, 0, 0]), Op::Call(call::END, [0; 3])],
        ),
    ]);
    assert_eq!(ran.end, exited(3));
    // Nobody, one; an event, and a deadline that nothing else was left to wait for.
    assert_eq!((ran.results(OTHER, 1), ran.results(OTHER, 2)), (vec![0], vec![1]));
    assert_eq!((ran.results(CODE, 2), ran.results(CODE, 3)), (vec![0x100], vec![0x101]));
    assert_eq!(ran.totals.user_instructions, 10 * ran.totals.committed);
    assert_eq!(recorded(), [(1, 1), (1, 1), (1, 2), (1, 2), (1, 2), (1, 1), (1, 1)]);
}

#[test]
fn turns_are_slices_and_priorities_come_first() {
    let spins = [Op::Spin(60); 4];
    let other = [&spins[..], &[Op::Call(call::END, [0; 3])]].concat();
    let first =
        [&[Op::Call(call::THREAD, [OTHER, 1, 0])], &spins[..], &[Op::Call(call::HALT, [0; 3])]].concat();
    let ran = toy(&[(CODE, &first), (OTHER, &other)]);
    // A PE ends where the slice does, and a turn at the end of a PE.
    assert_eq!(ran.order(), [CODE, OTHER, CODE, OTHER, CODE]);
    assert!(ran.totals.user_instructions <= 4 * SLICE + 30);
    let high =
        [&[Op::Call(call::THREAD, [OTHER, 9, 0]), Op::Call(call::YIELD, [0; 3])], &first[1..]].concat();
    assert_eq!(toy(&[(CODE, &high), (OTHER, &other)]).order(), [CODE, OTHER, CODE]);
}

#[test]
fn a_budget_goes_with_a_call_and_comes_back_with_the_reply() {
    // The server has no budget: it runs on the client's, and a third thread has its turns meanwhile.
    let ran = toy(&[
        (
            CODE,
            &[
                Op::Call(call::SERVER, [OTHER, 0, 0]),
                Op::Call(call::DONATE, [1, 5, 0]),
                Op::Call(call::DONATE, [1, 5, 0]),
                Op::Call(call::HALT, [4, 0, 0]),
            ],
        ),
        (OTHER, &[Op::Spin(70), Op::Spin(70), Op::Call(call::DONATE, [0, 6, 0]), Op::Jump(OTHER)]),
    ]);
    assert_eq!(ran.end, exited(4));
    assert_eq!(ran.order(), [CODE, OTHER, CODE, OTHER, CODE]);
    // A server that ends gives the budget back to its owner.
    let ran = toy(&[
        (
            CODE,
            &[
                Op::Call(call::SERVER, [OTHER, 0, 0]),
                Op::Call(call::DONATE, [1, 0, 0]),
                Op::Call(call::HALT, [5, 0, 0]),
            ],
        ),
        (OTHER, &[Op::Call(call::END, [0; 3])]),
    ]);
    assert_eq!((ran.end, ran.order()), (exited(5), vec![CODE, OTHER, CODE]));
}

#[test]
fn what_is_unfinished_lets_others_have_their_turn() {
    let ran = toy(&[
        (
            CODE,
            &[
                Op::Call(call::THREAD, [OTHER, 1, 0]),
                Op::Call(call::LONG, [3, 0, 0]),
                Op::Call(call::HALT, [0; 3]),
            ],
        ),
        (OTHER, &[Op::Call(call::YIELD, [0; 3]), Op::Jump(OTHER)]),
    ]);
    let turns = ran.processor.seen.iter().filter(|(rip, _)| *rip == OTHER).count();
    assert_eq!((ran.end, turns), (exited(0), 4));
}

#[test]
fn an_access_to_a_port_is_performed_once_if_it_is_allowed() {
    let ran = toy(&[(
        CODE,
        &[
            Op::Call(call::WAKE, [0; 3]),
            // OUT 0x3f8 by DX: RDX is what the call left there.
            Op::Call(call::WAKE, [0, 0, PORT as u64]),
            Op::Refused(&[0xee]),
            Op::Refused(&[0xed]),
            Op::Call(call::HALT, [6, 0, 0]),
        ],
    )]);
    assert_eq!((ran.end, ran.processor.ports.clone()), (exited(6), vec![(PORT, 0)]));
    assert_eq!(ran.totals.ends[wire::DelimiterKind::PortIo as usize], 2);
    // Another port, and an instruction that is none: the group ends, and nobody is left.
    let ran = toy(&[(CODE, &[Op::Call(call::WAKE, [0, 0, 0x60]), Op::Refused(&[0xee])])]);
    assert_eq!((ran.end, ran.processor.ports), (End::Deadlock, vec![]));
}

#[test]
fn a_group_ends_as_a_whole_and_a_process_with_its_last_thread() {
    let ran = toy(&[
        (
            CODE,
            &[
                Op::Call(call::PROCESS, [OTHER, 1, 0]),
                Op::Call(call::WAIT, [1, 9000, 0]),
                Op::Call(call::HALT, [7, 0, 0]),
            ],
        ),
        (
            OTHER,
            &[
                Op::Call(call::THREAD, [THIRD, 1, 0]),
                Op::Call(call::THREAD, [THIRD, 1, 0]),
                Op::Call(call::YIELD, [0; 3]),
                Op::Call(call::END_GROUP, [0; 3]),
            ],
        ),
        (THIRD, &[Op::Call(call::YIELD, [0; 3]), Op::Jump(THIRD)]),
    ]);
    assert_eq!(ran.end, exited(7));
    // Both others had a turn, and none after the end. All was one space.
    assert_eq!(ran.order(), [CODE, OTHER, THIRD, OTHER, CODE]);
    assert_eq!(ran.processor.activations, 0);
    assert_eq!(recorded()[..5], [(1, 1), (1, 1), (2, 1), (2, 1), (2, 1)]);
}

#[test]
fn a_run_can_be_cut_short_and_a_thread_can_starve() {
    let ran = run::<Toy>(&[(CODE, &[Op::Spin(50), Op::Jump(CODE)])], 1000);
    assert_eq!(ran.end, exited(99));
    assert!((1000..1060).contains(&ran.totals.user_instructions));
    let ran = toy(&[
        (
            CODE,
            &[
                Op::Call(call::THREAD, [OTHER, 1, 0]),
                Op::Call(call::WAIT, [1, 50, 0]),
                Op::Call(call::HALT, [8, 0, 0]),
            ],
        ),
        (OTHER, &[Op::Starve]),
    ]);
    assert_eq!((ran.end, ran.totals.pes, ran.totals.committed), (exited(8), 4, 3));
}

/// Whatever ends a run names the thread by the numbers of its records.
#[test]
fn an_end_names_process_and_thread() {
    for op in [Op::Diverge, Op::Damage] {
        let ran = toy(&[
            (CODE, &[Op::Call(call::THREAD, [OTHER, 1, 0]), Op::Call(call::WAIT, [1, 0, 0])]),
            (OTHER, &[Op::Spin(10), op]),
        ]);
        let (pe, thread) = match ran.end {
            End::Persistent(verdict) => (verdict.pe, verdict.thread),
            End::Damaged(damage) => (damage.pe, damage.thread),
            other => panic!("{other:?}"),
        };
        assert_eq!((pe, thread), (3, ThreadNumber { process: 1, thread: 2 }));
    }
    // A signal from the first thread, to whom clone has told the number of the second one.
    let (entry, clone, tkill, flags, sigill) = (TEXT + 0x200, 56, 200, 0x1_0f00, 4);
    let program =
        [Op::Call(clone, [flags, sigill, 0]), Op::CallWithResult(tkill), Op::Jump(entry + 2 * OP_LEN)];
    let End::Killed(death) = run::<Linux>(&[(entry, &program)], u64::MAX).end else { panic!("it goes on") };
    assert_eq!((death.signal, death.thread), (4, ThreadNumber { process: 1, thread: 2 }));
}

#[test]
fn a_line_interrupts_between_pes_and_ends_idle_time() {
    let programs: [(u64, &[Op]); 2] = [
        (
            CODE,
            &[
                Op::Call(call::THREAD, [OTHER, 9, 0]),
                Op::Call(call::LINE, [4, 0, 0]),
                Op::Spin(10),
                Op::Spin(10),
                Op::Spin(10),
                Op::Call(call::LINE, [5, 0, 0]),
                Op::Call(call::WAIT, [5, 0, 0]),
                Op::Call(call::WAIT, [6, 0, 0]),
            ],
        ),
        (OTHER, &[Op::Call(call::WAIT, [4, 0, 0]), Op::Call(call::END, [0; 3])]),
    ];
    let mut processor = Scripted::new(&programs);
    processor.due_lines = vec![(1, 4), (100_000, 5), (100_001, 4)];
    let ran = run_on::<Toy>(processor, ClockKind::User, u64::MAX);
    // The one who waits for the line has the higher priority, and comes at the end of a PE. Line 4 is closed
    // then: it does not interrupt again, and nothing is left to wait for in the end.
    assert_eq!(ran.order(), [CODE, OTHER, CODE, OTHER, CODE]);
    assert_eq!((ran.end, ran.processor.idled), (End::Deadlock, vec![None]));
    assert!(ran.totals.total < 50_000, "idle time was counted: {}", ran.totals.total);
    assert!((99_000..100_100).contains(&ran.totals.idle), "{}", ran.totals.idle);
}

#[test]
fn a_deadline_gives_way_to_a_higher_priority_at_the_end_of_a_pe() {
    let spins = [Op::Spin(10); 6];
    let first =
        [&[Op::Call(call::THREAD, [OTHER, 9, 0])], &spins[..], &[Op::Call(call::HALT, [3, 0, 0])]].concat();
    let programs: [(u64, &[Op]); 2] =
        [(CODE, &first), (OTHER, &[Op::Call(call::WAIT, [7, 45, 0]), Op::Call(call::END, [0; 3])])];
    let ran = run::<Toy<true>>(&programs, u64::MAX);
    // All of it is less than a turn. The other one waits until 45 ns, and each instruction takes one.
    assert_eq!((ran.end, ran.order()), (exited(3), vec![CODE, OTHER, CODE, OTHER, CODE]));
    let other = ran.processor.seen.iter().rposition(|(rip, _)| *rip >= OTHER).unwrap();
    assert_eq!(ran.processor.seen[other - 1].0, CODE + 3 * OP_LEN, "{:?}", ran.processor.seen);
}

#[test]
fn with_the_machines_clock_idle_time_lasts_until_the_deadline() {
    let programs: [(u64, &[Op]); 1] =
        [(CODE, &[Op::Call(call::WAIT, [1, 70_000, 0]), Op::Call(call::HALT, [2, 0, 0])])];
    let ran = run_on::<Toy>(Scripted::new(&programs), ClockKind::Machine, u64::MAX);
    assert_eq!((ran.end, ran.processor.idled.len()), (exited(2), 1));
    assert!(ran.processor.idled[0].is_some_and(|until| (70_000..70_100).contains(&until)));
    assert!(ran.totals.total < 1000);
    // With the programs' own clock the same passes without a halt.
    let ran = toy(&programs);
    assert_eq!((ran.end, ran.processor.idled), (exited(2), vec![]));
}

#[test]
fn linux_runs_in_the_same_executive() {
    let entry = TEXT + 0x200;
    let (getpid, fork, wait4) = (39, 57, 61);
    let (exit, time) = (60, &[0x0f, 0x31]);
    // Parent and child come back from the same call: which one it is decides what getppid makes of
    // the exit status.
    let ran = run::<Linux>(
        &[(
            entry,
            &[
                Op::Call(getpid, [0; 3]),
                Op::Touch(DATA + 3 * PAGE_LEN),
                Op::Refused(time),
                Op::Call(fork, [0; 3]),
                Op::Call(wait4, [u64::MAX, 0, 0]),
                Op::CallWithResult(exit),
            ],
        )],
        u64::MAX,
    );
    // The child has no child: ECHILD is its exit status. The parent's is the child's number.
    assert_eq!(ran.end, exited((FIRST_ID + 1) as u8));
    assert_eq!(ran.results(entry, 1), [FIRST_ID]);
    assert_eq!(ran.results(entry, 4), [FIRST_ID + 1, 0]);
    assert_eq!(ran.processor.activations, 2);
    let records = recorded();
    assert!(records.contains(&(1, 1)) && records.contains(&(2, 1)), "{records:?}");
    drop(ran);
    assert_eq!(frame::free_count(), FRAMES);
}

#[test]
fn threads_and_processes_of_a_space_have_one_tracker() {
    let ran = toy(&[
        (
            CODE,
            &[
                Op::Call(call::THREAD, [OTHER, 1, 0]),
                Op::Call(call::PROCESS, [THIRD, 1, 0]),
                Op::Call(call::YIELD, [0; 3]),
                Op::Call(call::YIELD, [0; 3]),
                Op::Call(call::END, [0; 3]),
            ],
        ),
        (OTHER, &[Op::Call(call::YIELD, [0; 3]), Op::Call(call::END, [0; 3])]),
        (THIRD, &[Op::Call(call::YIELD, [0; 3]), Op::Call(call::END, [0; 3])]),
    ]);
    assert_eq!(ran.end, End::Deadlock);
    let processor = &ran.processor;
    // Each thread is told from the others, and no switch between them is one of spaces.
    let numbers: Vec<_> = processor.ran.iter().map(|(_, thread)| *thread).collect();
    assert_eq!(numbers, [0, 0, 0, 1, 2, 0, 1, 2, 0]);
    assert!(processor.ran.iter().all(|(tracker, _)| *tracker == 0));
    assert_eq!(processor.activations, 0);
    // What the space has is given up when its last thread has ended, and not before.
    assert_eq!(processor.released, [0]);
}

#[test]
fn each_space_gives_up_what_its_own_tracker_has() {
    let clock = Clock::new(config().clock.kind, Rate::NANOSECOND);
    let registers = UserRegisters::new(0, 0);
    let mut objects = crate::object::Objects::new(Scripted::new(&[]), clock, &registers).ok().unwrap();
    let one = objects.add_process(Space::default(), &registers).unwrap();
    let two = objects.add_process(Space::default(), &registers).unwrap();
    let beside = objects.add_process_in(objects.thread(two).space, &registers).unwrap();
    objects.release_copies();
    assert_eq!(std::mem::take(&mut objects.processor.released), [1, 2]);
    objects.switch_to(beside);
    // What rests comes first, and where there is some, the rest stays.
    objects.processor.resting.insert(1);
    objects.release_copies();
    assert_eq!(
        (objects.processor.rested.as_slice(), objects.processor.released.as_slice()),
        (&[1][..], &[][..])
    );
    objects.release_copies();
    assert_eq!(std::mem::take(&mut objects.processor.released), [0, 1]);
    objects.destroy_thread(two);
    assert_eq!(objects.processor.released, []);
    objects.destroy_thread(one);
    assert_eq!(std::mem::take(&mut objects.processor.released), [1]);
    assert_eq!(objects.destroy().released, [0, 2]);
}

#[test]
fn whoever_waits_for_ever_is_named() {
    let clock = Clock::new(config().clock.kind, Rate::NANOSECOND);
    let mut objects =
        crate::object::Objects::new(Scripted::new(&[]), clock, &UserRegisters::new(0, 0)).ok().unwrap();
    let first = objects.current();
    objects.scheduler.add_budget(first, 1, SLICE);
    let (process, space) = (objects.thread(first).process, objects.thread(first).space);
    let second = objects.add_thread(process, space, &UserRegisters::new(0, 0)).unwrap();
    objects.scheduler.add_budget(second, 1, SLICE);
    let third = objects.add_process(Space::default(), &UserRegisters::new(0, 0)).unwrap();
    objects.scheduler.block(first, crate::object::scheduler::Wait::until_woken(crate::toy::key(4)));
    objects.scheduler.suspend(second);
    let said: Vec<String> = objects.blocked().map(|blocked| blocked.to_string()).collect();
    assert_eq!(
        said,
        [
            "thread 1 of process 1 waits for bell 4",
            "thread 2 of process 1 is stopped",
            "thread 1 of process 2 has no budget",
        ]
    );
    // Spaces and processes go with their last thread.
    assert_eq!(objects.counts(), [2, 2, 3]);
    objects.destroy_thread(third);
    assert_eq!(objects.counts(), [1, 1, 2]);
    objects.destroy_thread(second);
    assert_eq!(objects.counts(), [1, 1, 1]);
}

#[test]
fn what_a_thread_and_a_space_cost_with_what_replay_keeps() {
    use crate::heap;
    let clock = Clock::new(config().clock.kind, Rate::NANOSECOND);
    let mut objects =
        crate::object::Objects::new(Scripted::new(&[]), clock, &UserRegisters::new(0, 0)).ok().unwrap();
    let registers = UserRegisters::new(0, 0);
    // The script keeps other things of a thread and of a space than the engine does.
    let of_thread = size_of::<pe_replay::Thread<Box<UserRegisters>>>() + 2 * size_of::<UserRegisters>();
    let of_thread = of_thread as i64 - size_of::<crate::processor::State>() as i64;
    let of_space = size_of::<pe_replay::Replay>() as i64;
    let before = heap::live();
    let current = objects.current();
    let (process, space) = (objects.thread(current).process, objects.thread(current).space);
    for _ in 0..64 {
        let thread = objects.add_thread(process, space, &registers).unwrap();
        objects.scheduler.add_budget(thread, 1, SLICE);
    }
    let between = heap::live();
    for _ in 0..64 {
        let thread = objects.add_process(Space::default(), &registers).unwrap();
        objects.scheduler.add_budget(thread, 1, SLICE);
    }
    let thread = (between - before) / 64 + of_thread;
    let space = (heap::live() - between) / 64 + of_thread + of_space;
    println!("a thread takes {thread} bytes, a space with a thread {space}");
    assert!(thread <= 4 << 10, "a thread takes {thread} bytes");
    assert!(space <= 8 << 10, "a space with a thread takes {space} bytes");
}

#[test]
fn linux_threads_run_in_one_space_and_end_one_by_one() {
    let entry = TEXT + 0x200;
    let (clone, exit, exit_group, gettid, yields) = (56, 60, 231, 186, 24);
    // CLONE_VM, FS, FILES, SIGHAND, THREAD. Both come back from the same call.
    let flags = 0x1_0f00;
    let ran = run::<Linux>(
        &[(
            entry,
            &[
                Op::Call(clone, [flags, 0, 0]),
                Op::Call(gettid, [0; 3]),
                Op::Call(yields, [0; 3]),
                Op::Call(exit, [7, 0, 0]),
                Op::Call(exit_group, [9, 0, 0]),
            ],
        )],
        u64::MAX,
    );
    // The status is the last one's; nobody came behind its exit.
    assert_eq!(ran.end, exited(7));
    assert_eq!(ran.results(entry, 2), [FIRST_ID, FIRST_ID + 1]);
    assert_eq!((ran.processor.activations, ran.results(entry, 4)), (0, vec![]));
    let records = recorded();
    assert!(records.contains(&(1, 1)) && records.contains(&(1, 2)), "{records:?}");
    drop(ran);
    assert_eq!(frame::free_count(), FRAMES);
}

#[test]
fn a_child_in_its_parents_space_leaves_it_for_its_program() {
    let entry = TEXT + 0x200;
    let (vfork, execve, exit) = (58, 59, 60);
    // The name is in the program's header: nothing is found there, and the child ends with the error.
    let ran = run::<Linux>(
        &[(entry, &[Op::Call(vfork, [0; 3]), Op::Call(execve, [TEXT, 0, 0]), Op::CallWithResult(exit)])],
        u64::MAX,
    );
    let enoent = (errno::ENOENT as u8).wrapping_neg();
    assert_eq!((ran.end, ran.processor.activations), (exited(enoent), 0));
    // The child came first, and both went through the same calls.
    let numbers: Vec<_> = recorded().into_iter().map(|(process, _)| process).collect();
    assert_eq!(numbers, [1, 2, 2, 1, 1]);
}

#[test]
fn an_alarm_ends_a_pe_exactly_there_and_idle_time() {
    let entry = TEXT + 0x200;
    let (alarm, pause) = (37, 34);
    let killed = |end: &End| matches!(end, End::Killed(death) if death.signal == 14);
    let ran = run::<Linux>(
        &[(entry, &[Op::Call(alarm, [1, 0, 0]), Op::Spin(5_000_000_000), Op::Jump(entry)])],
        u64::MAX,
    );
    assert!(killed(&ran.end), "{:?}", ran.end);
    assert_eq!(ran.totals.user_instructions, 1_000_000_010);
    let ran = run::<Linux>(&[(entry, &[Op::Call(alarm, [1, 0, 0]), Op::Call(pause, [0; 3])])], u64::MAX);
    assert!(killed(&ran.end), "{:?}", ran.end);
    // One that was taken back rings for nobody: nothing is left to wait for.
    let ran = run::<Linux>(
        &[(entry, &[Op::Call(alarm, [1, 0, 0]), Op::Call(alarm, [0; 3]), Op::Call(pause, [0; 3])])],
        u64::MAX,
    );
    assert_eq!((ran.end, ran.results(entry, 2)), (End::Deadlock, vec![1]));
}

#[test]
fn an_alarm_of_processor_time_is_due_for_whoever_runs_and_for_nobody_asleep() {
    let (entry, times) = (TEXT + 0x200, DATA + PAGE_LEN);
    let (clock_getres, setitimer, pause) = (229, 38, 34);
    // A time of one unit, as a clock's resolution is told: of a microsecond, here.
    let prepare = Op::Call(clock_getres, [1, times + 16, 0]);
    for (which, signal) in [(1, 26), (2, 27)] {
        let set = Op::Call(setitimer, [which, times, 0]);
        let ran = run::<Linux>(&[(entry, &[prepare, set, Op::Spin(5000), Op::Jump(entry)])], u64::MAX);
        assert!(matches!(&ran.end, End::Killed(death) if death.signal == signal), "{:?}", ran.end);
        assert_eq!(ran.totals.user_instructions, 1020);
        let ran = run::<Linux>(&[(entry, &[prepare, set, Op::Call(pause, [0; 3])])], u64::MAX);
        assert_eq!(ran.end, End::Deadlock);
    }
}
