// SPDX-License-Identifier: MIT
//! Interrupts as semaphores: the statuses of the call, and who is told of which interrupt when.

use super::*;

/// Where the root task has what is the kernel's: the semaphore of line n at this selector, and 64, and n.
const LINES: u64 = 0x400;
/// What stands for no semaphore.
const NOTHING: u64 = u64::MAX;
/// A semaphore, and two signals that it is told of.
const BELL: u64 = 0x100;
const SIGNAL: u64 = 0x101;
const OTHER: u64 = 0x102;
/// The upper half of a deadline that nobody waits for.
const FAR: u64 = 0x7fff_ffff;
/// A deadline that has passed.
const PAST: [u64; 4] = [0, 1, 0, 0];

/// The root task takes the semaphores of all lines from the kernel's own domain, and makes some of its own.
const TAKE: [Op; 5] = [
    Op::Do(|space, _| {
        put(space, FIRST_PAGE, &[1 << 16]);
        put_item(space, FIRST_PAGE, 0, [8 << 7 | 0x7f, LINES << 12 | 0x801]);
    }),
    Op::Hyper(call(8, 1, 0x20), [(LINES << 12) | 8 << 7 | 0x7f, 0x20, 0, 0]),
    Op::Hyper(call(6, 0, BELL), [0x20, 0, 0, 0]),
    Op::Hyper(call(6, 0, SIGNAL), [0x20, 0xbeef, BELL, 0]),
    Op::Hyper(call(6, 0, OTHER), [0x20, 0xcafe, BELL, 0]),
];

const fn of(line: u64) -> u64 {
    LINES + 64 + line
}

fn assign(line: u64, flags: u64, config: u64, processor: u64, chained: u64) -> Op {
    Op::Hyper(call(14, flags, of(line)), [config, processor, chained, 0])
}

fn chain(line: u64, flags: u64, semaphore: u64) -> Op {
    assign(line, flags, 0, 0, semaphore)
}

fn down(selector: u64) -> Op {
    // With a deadline that is none, as it lies too far ahead.
    Op::Hyper(call(12, 1, selector), [FAR, 6, 0, 0])
}

/// Runs a root task on lines that interrupt at these times.
fn run_with(due_lines: &[(u64, u8)], ops: &[Op]) -> (Vec<String>, Totals) {
    let ops = [&TAKE[..], ops, &SLEEP[..]].concat();
    let mut processor = Scripted::new(&[(ROOT, &ops)]);
    processor.due_lines = due_lines.to_vec();
    let Ran { said, totals, .. } = run_on(processor);
    (said, totals)
}

#[test]
fn the_call_has_the_statuses_that_the_interface_says() {
    let tell = Op::Do(tell);
    let own = of(4);
    let cases = [
        // What the domain has of a line: its semaphore, to raise and to lower.
        (Op::Hyper(call(8, 0, 0), [own << 12 | 0x7f, 0, 0, 0]), format!("0 {:x} 0", own << 12 | 0xf)),
        (assign(4, 0, 0, 0, NOTHING), "0 0 0".into()),
        (assign(4, 6, 0, 0, NOTHING), "0 0 0".into()),
        (assign(4, 0, 0x5000, 0, NOTHING), "8 5000 0".into()),
        // The processor goes before the semaphore, and what is no line's semaphore before the rest.
        (Op::Hyper(call(14, 0, 0x999), [7, 9, NOTHING, 0]), "7 7 9".into()),
        (Op::Hyper(call(14, 0, 0x999), [7, 0, NOTHING, 0]), "4 7 0".into()),
        (Op::Hyper(call(14, 0, 0x20), [7, 0, NOTHING, 0]), "4 7 0".into()),
        (Op::Hyper(call(14, 0, BELL), [7, 0, NOTHING, 0]), "4 7 0".into()),
        // To be chained: a semaphore, and no other line's. Chained to itself it is chained to nothing, whatever
        // else is asked for.
        (assign(4, 0, 7, 0, 0x20), "4 7 0".into()),
        (assign(4, 0, 7, 0, 0x999), "4 7 0".into()),
        (assign(4, 0, 7, 0, of(5)), "4 7 0".into()),
        (assign(4, 0, 0x123, 0, own), "0 123 0".into()),
        // Without a pin, what is to be written where; its configuration would have to be one.
        (assign(100, 0, 0, 0, NOTHING), "0 fee00000 fee0000000000084".into()),
        (assign(100, 0, 0x5000, 0, NOTHING), "8 5000 0".into()),
    ];
    let ops: Vec<_> = cases.iter().flat_map(|(op, _)| [*op, tell]).collect();
    let (said, _) = run_with(&[], &ops);
    for (index, (_, expected)) in cases.iter().enumerate() {
        assert_eq!(said.get(index), Some(expected), "case {index}");
    }
}

#[test]
fn edges_are_counted_until_they_are_told_and_masked_never() {
    let tell = Op::Do(tell);
    let wait = Op::Hyper(call(12, 1, of(5)), [0; 4]);
    let ops = [
        chain(4, 0, NOTHING),
        chain(5, 0, NOTHING),
        // Line 5 comes after the others: by then line 4 has interrupted twice.
        wait,
        tell,
        chain(4, 0, SIGNAL),
        down(BELL),
        tell,
        // Its own semaphore counts nothing any more, and to lower it keeps nobody waiting.
        down(of(4)),
        tell,
        down(BELL),
        tell,
        // Nobody has acknowledged that one, and the next comes all the same.
        down(BELL),
        tell,
        chain(4, 0, of(4)),
        // Now it counts by itself again.
        down(of(4)),
        tell,
    ];
    let due = [(5_000, 4), (5_001, 4), (10_000, 5), (50_000, 4), (60_000, 4), (70_000, 4)];
    let (said, totals) = run_with(&due, &ops);
    assert_eq!(said, ["0 0 0", "0 beef 2", "0 7fffffff 6", "0 beef 1", "0 beef 1", "0 7fffffff 6"]);
    // From the interrupt at 50,000 to the time when the semaphore was lowered again.
    assert!((10_000..11_000).contains(&totals.longest_interrupt), "{}", totals.longest_interrupt);
}

#[test]
fn a_level_is_masked_until_its_semaphore_is_lowered() {
    let tell = Op::Do(tell);
    let ops = [
        chain(20, 0, SIGNAL),
        // By an edge, as it is said to.
        chain(21, 4, OTHER),
        down(BELL),
        tell,
        down(BELL),
        tell,
        // The level comes again as long as the device wants something, but not before it is acknowledged.
        down(BELL),
        tell,
        Op::Hyper(call(12, 1, BELL), PAST),
        tell,
        down(of(20)),
        tell,
        down(BELL),
        tell,
        chain(20, 0, of(20)),
        chain(21, 0, of(21)),
    ];
    let due = [(5_000, 20), (5_001, 20), (10_000, 21), (20_000, 21)];
    let (said, _) = run_with(&due, &ops);
    assert_eq!(said, ["0 beef 1", "0 cafe 1", "0 cafe 1", "1 0 1", "0 7fffffff 6", "0 beef 1"]);
}

#[test]
fn the_semaphore_that_a_line_is_chained_to_stays_as_long_as_that() {
    let usage = Op::Hyper(call(15, 2, 0x20), [0; 4]);
    let revoke = |selector: u64| Op::Hyper(call(7, 1, 0), [selector << 12 | 0x7f, 0, 0, 0]);
    let tell = Op::Do(tell);
    let round = [
        Op::Hyper(call(6, 0, 0x110), [0x20, 0x77, BELL, 0]),
        chain(4, 0, 0x110),
        // Its name is gone, and the line raises it still.
        revoke(0x110),
        down(BELL),
        tell,
        chain(4, 0, of(4)),
    ];
    let ops = [&[usage, tell][..], &round.repeat(50), &[usage, tell]].concat();
    let due: Vec<_> = (1..=50).map(|index| (index * 5_000, 4)).collect();
    let (said, _) = run_with(&due, &ops);
    assert_eq!(said.len(), 52);
    assert_eq!(said.first(), said.last());
    assert!(said[1..51].iter().all(|line| line == "0 77 1"), "{said:?}");
}

#[test]
fn whoever_destroys_its_capability_of_a_line_can_take_it_again() {
    let revoke = Op::Hyper(call(7, 1, 0), [LINES << 12 | 8 << 7 | 0x7f, 0, 0, 0]);
    let again = [&[revoke][..], &TAKE[..2]].concat().repeat(3);
    let ops = [&again[..], &[chain(4, 0, SIGNAL), Op::Do(tell), chain(4, 0, of(4))]].concat();
    assert_eq!(run_with(&[], &ops).0, ["0 0 0"]);
}

#[test]
fn a_message_interrupts_as_an_edge_does() {
    let ops =
        [chain(100, 7, SIGNAL), down(BELL), Op::Do(tell), down(BELL), Op::Do(tell), chain(100, 0, of(100))];
    let (said, _) = run_with(&[(5_000, 100), (6_000, 100)], &ops);
    assert_eq!(said, ["0 beef 1", "0 beef 1"]);
}
