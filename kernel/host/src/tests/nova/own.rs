// SPDX-License-Identifier: MIT
//! The call of this kernel's own: names, policies and counts of domains.

use pe_replay::policy::Mode;

use super::*;

const OWN: u64 = 15;

/// Puts a text on the first thread's page, as words.
fn put_text(space: &mut Space, text: &[u8]) {
    let mut bytes = text.to_vec();
    bytes.resize(text.len().next_multiple_of(8), 0);
    let words: Vec<u64> = bytes.as_chunks::<8>().0.iter().map(|word| u64::from_le_bytes(*word)).collect();
    put(space, FIRST_PAGE, &[words.len() as u64]);
    put(space, FIRST_PAGE + 0x20, &words);
}

#[test]
fn the_first_domain_names_others_and_has_them_run_otherwise() {
    let tell = Op::Do(tell);
    let own = |selector, arguments| Op::Hyper(call(8, OWN, selector), arguments);
    let ops = [
        &[
            Op::Hyper(call(2, 0, 0x300), [0x20, 0, 32 << 32 | 2, 0]),
            Op::Do(|space, _| put_text(space, b"init -> log")),
            own(0x300, [0, 0, 0, 0]),
            tell,
            // Too long, and no text.
            Op::Do(|space, _| put_text(space, &[b'a'; 65])),
            own(0x300, [0, 0, 0, 0]),
            tell,
            Op::Do(|space, _| put_text(space, b"\xff\xfe")),
            own(0x300, [0, 0, 0, 0]),
            tell,
            // Run once, at a limit of 10,000; then by no mode that there is.
            own(0x300, [1, 0, 10_000, 0]),
            tell,
            own(0x300, [1, 3, 10_000, 0]),
            tell,
            own(0x300, [1, 1, u64::MAX, 0]),
            tell,
            // What they came to: the other one has not run.
            own(0x300, [2, 0, 0, 0]),
            tell,
            own(0x20, [2, 0, 0, 0]),
            tell,
            own(0x20, [4, 0, 0, 0]),
            tell,
            own(0x999, [2, 0, 0, 0]),
            tell,
        ][..],
        &SLEEP,
    ]
    .concat();
    let Ran { said, labels, policies, .. } = run_on(Scripted::new(&[(ROOT, &ops)]));
    let pes = 18;
    let expected = [
        "0 0 0",
        "5 0 0",
        "5 0 0",
        "0 1 0",
        "5 1 3",
        "5 1 1",
        "0 0 0",
        &format!("0 {pes:x} 0"),
        "5 4 0",
        "4 2 0",
    ];
    assert_eq!(said, expected);
    assert_eq!(labels, [(2, "init -> log".to_owned())]);
    let policies: Vec<_> = policies.iter().map(|(_, policy)| (policy.mode, policy.limit)).collect();
    assert_eq!(policies, [(Mode::Off, 10_000)]);
}

#[test]
fn the_first_domain_is_told_of_the_kernels_memory() {
    thread_local! {
        static LEFT: std::cell::Cell<[u64; 3]> = const { std::cell::Cell::new([0; 3]) };
    }
    let ask = Op::Hyper(call(8, OWN, 0x20), [3, 0, 0, 0]);
    let ops = [
        &[
            ask,
            Op::Do(|_, registers| {
                LEFT.set([registers.rsi, registers.rdx, registers.rax]);
                frame::lend(20);
            }),
            Op::Hyper(call(3, 0, 0x200), [0x20, WORKER_PAGE, 0x1000, 0]),
            // Frames of copies are free.
            ask,
            Op::Do(|_, registers| {
                let [frames, bytes, owners] = LEFT.get();
                say(format!("{} {}", frames - registers.rsi, registers.rax - owners));
                say(format!("{}", bytes > registers.rdx));
            }),
        ][..],
        &SLEEP,
    ]
    .concat();
    assert_eq!(run(&[(ROOT, &ops)]), ["1 1", "true"]);
}

#[test]
fn others_are_answered_as_the_original_does() {
    // The child is in a domain of its own, which has a capability of itself at 5.
    let ops = [
        &MAKE_WORKER[..],
        &[
            Op::Hyper(call(2, 0, 0x500), [0x20, 0, 64 << 32, 0]),
            Op::Hyper(call(5, 0, 0x521), [0x20, 0x200, 0xc, PAGER]),
            Op::Do(|space, _| {
                put(space, FIRST_PAGE, &[2 << 16]);
                put_item(space, FIRST_PAGE, 0, [0x500 << 12 | 0x7f, 0x520 << 12 | 1]);
                put_item(space, FIRST_PAGE, 1, [0x521 << 12 | 0x7f, 0x521 << 12 | 1]);
            }),
            Op::Hyper(call(8, 1, 0x20), [0x520 << 12 | 1 << 7 | 0x7f, 0x500, 0, 0]),
            Op::Hyper(call(3, 1, 0x510), [0x500, CHILD_PAGE, 0, 0x521 - 0x1e]),
            Op::Hyper(call(4, 0, 0x512), [0x20, 0x510, 10_000 << 12 | 64, 0]),
        ],
        &SLEEP,
    ]
    .concat();
    let asks = [Op::Hyper(call(8, OWN, 0x520), [2, 0, 0, 0]), Op::Do(tell)];
    assert_eq!(run(&[(ROOT, &ops), (PAGER, &START), (CHILD, &asks)]), ["5 2 0"]);
}
